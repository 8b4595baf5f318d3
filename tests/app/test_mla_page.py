"""The page on latent attention: every section opened, every control moved, numbers and verdicts that follow from what was run."""

from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from streamlit.testing.v1 import AppTest

from core import catalogue, evidence, zoo
from core.lessons import mla as lesson
from core.lessons.mla import Choice
from tests.app.test_maps import unpack

SECTIONS = ("See", "Count", "Prove", "Read", "Who uses it")
MAIN = Path(__file__).resolve().parents[2] / "app" / "main.py"
TWICE = "ann lamp bo kite cy drum bo rope dan coin ann bell dan boat cy book ? bo ann dan"


def opened(**query) -> AppTest:
    """The page with a query."""
    at = AppTest.from_file(MAIN, default_timeout=60)
    at.run()
    at.switch_page("../pages/mla.py")
    for key, value in query.items():
        at.query_params[key] = value
    return fine(at.run())


def fine(at: AppTest) -> AppTest:
    assert not at.exception, at.exception
    return at


def text(at: AppTest) -> str:
    """Everything that stands on the page as HTML or markdown."""
    return (
        "\n".join(str(e.proto.body) for e in at.get("html"))
        + "\n".join(m.value for m in at.markdown)
        + "\n".join(c.value for c in at.code)
    )


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize("rank", [1, lesson.FULL])
def test_every_section_opens_at_both_ends_of_the_slider(section, rank):
    at = opened(section=section, latent=str(rank))
    assert at.segmented_control(key="section").value == section and at.select_slider(key="latent").value == rank


@pytest.mark.parametrize("section", SECTIONS)
def test_every_control_moves_in_every_section(section):
    at = opened(section=section)
    for value in lesson.RANKS:
        fine(at.select_slider(key="latent").set_value(value).run())
    for value in (False, True):
        fine(at.toggle(key="rope_key").set_value(value).run())
    for key, values in (("form", lesson.FORMS), ("task", lesson.TASKS)):
        for value in reversed(values):
            fine(at.segmented_control(key=key).set_value(value).run())
    fine(at.select_slider(key="latent").set_value(12).run())
    for value in reversed(lesson.MADE):
        fine(at.segmented_control(key="made").set_value(value).run())
    for control in at.selectbox:
        for value in lesson.keys():
            fine(at.selectbox(key=control.key).set_value(value).run())
    fine(at.button(key="cw-surprise-prompt").click().run())


@pytest.mark.parametrize("rank", lesson.RANKS)
@pytest.mark.parametrize("key", ["true", "false"])
def test_counted_bytes_stand_beside_equal_measured_ones(rank, key):
    shown = text(opened(latent=str(rank), rope_key=key))
    counted = lesson.counted(Choice(rank, key == "true"), 20).cache_bytes
    assert f"counted {counted:,} = measured {counted:,}" in shown and "≠" not in shown


@pytest.mark.parametrize("form", lesson.FORMS)
def test_both_forms_give_the_same_answers_at_another_price(form):
    at = opened(form=form, latent="28")
    shown = text(at)
    for f in lesson.forms(Choice(28, form=form), 20):
        assert f"{f.flops:,}" in shown and f"{f.reads:,}" in shown
    assert "same output" in shown and "<code>bo</code> → <code>kite</code>" in shown


def test_without_the_rope_key_the_later_thing_is_not_told_from_the_earlier():
    """Both models were trained where the later thing counts; only one of them knows which came later."""
    answers = [
        text(opened(task=lesson.LATEST, latent="28", rope_key=key, prompt=TWICE)).count('<b class="yes">✓</b> <code>')
        for key in ("true", "false")
    ]
    assert answers[0] == 3 > answers[1]


def test_a_size_that_was_trained_can_be_run_as_trained():
    cut, trained = (opened(latent="12", made=made) for made in lesson.MADE)
    assert "largest latent cut to" in text(cut) and "trained at this size" in text(trained)
    assert "made" not in [c.key for c in opened(latent="10").segmented_control], "no model was trained at ten"


def test_the_link_of_a_figure_opens_the_same_state():
    at = opened(section="Count", latent="6", rope_key="false")
    fine(at.selectbox(key="real").set_value("kimi-k2").run())
    configs = [unpack(e.proto.bytes)[0]["config"] for e in at.get("bidi_component") if e.proto.bytes]
    assert len(configs) == 5
    for config in configs:
        again = opened(**dict(parse_qsl(urlsplit(config["link"]).query)))
        assert lesson.name(again.selectbox(key="real").value) == "Kimi K2"
        assert again.select_slider(key="latent").value == 6 == config["latent"] and config["rope_key"] == 0
        assert again.toggle(key="rope_key").value is False


def test_presets_set_the_slider():
    at = opened()
    for option, values in lesson.presets().items():
        fine(at.pills(key="cw-pick-shape").set_value(option).run())
        assert at.select_slider(key="latent").value == values["latent"]


@pytest.mark.parametrize(
    "prompt, words",
    [
        ("ann lampp ? ann", ["lampp", "nearest: lamp"]),
        ("ann lamp", ["question"]),
        ("<script>alert(1)</script>", ["nearest"]),
        ("ann lamp ? zoe", ["never introduced"]),
    ],
)
def test_a_prompt_that_cannot_be_read_is_answered_in_words(prompt, words):
    shown = text(opened(prompt=prompt))
    assert all(word in shown for word in words)
    assert "<script>" not in shown and "Traceback" not in shown


@pytest.mark.parametrize(
    "query",
    [{"latent": "99"}, {"latent": "x"}, {"rope_key": "maybe"}, {"form": "x"}, {"made": "x"}, {"task": "x"}, {"head": "99"},
     {"prompt": "x" * 5000}, {"real": "nobody", "section": "Count"}, {"latent": "28", "made": lesson.TRAINED}],
)  # fmt: skip
def test_nonsense_in_a_link_shows_the_page(query):
    at = opened(**query)
    assert at.select_slider(key="latent").value in lesson.RANKS


def test_two_visitors_interleaved_each_see_their_own():
    a, b = opened(latent="28", prompt="ann lamp bo kite ? bo"), opened(latent="28", prompt="zoe wheel leo plum ? leo")
    for rank_a, rank_b in ((20, 24), (24, 28), (28, 20)):
        a.select_slider(key="latent").set_value(rank_a)
        b.select_slider(key="latent").set_value(rank_b)
        fine(a.run()), fine(b.run())
        assert f"Latent of {rank_a}" in text(a) and "<code>bo</code> → <code>kite</code>" in text(a)
        assert f"Latent of {rank_b}" in text(b) and "<code>leo</code> → <code>plum</code>" in text(b)


def test_three_answers_and_what_is_often_said_are_counted():
    shown = text(opened(section="Count"))
    assert all(f"{s.share:.2%}" in shown for s in lesson.savings())
    f = lesson.facts(lesson.default())
    assert f"{f.kept}" in shown and f"{f.multi_head:,}" in shown and f"{f.fewer_reads:.0f} times fewer" in shown


def test_verdicts_and_numbers_follow_from_the_table(monkeypatch):
    """Swap the variants with and without the rope key in the table: the page must say otherwise."""
    before = text(opened(section="Prove"))
    names = ("mla-28-4-latest", "mla-28-0-latest")
    swap = dict(zip(names, reversed(names)))
    rows = [{**r, "variant": swap.get(r["variant"], r["variant"])} for r in zoo.table("mla")]
    monkeypatch.setattr(zoo, "table", lambda name: rows)
    after = text(opened(section="Prove"))
    assert before.count('cw-verdict no">') < after.count('cw-verdict no">')
    assert before.count('cw-verdict yes">') > after.count('cw-verdict yes">')


def test_every_claim_stands_with_its_verdict():
    shown = text(opened(section="Prove"))
    for claim in lesson.report()["claims"]:
        assert claim["claim"] in shown and f">{claim['verdict']}</span>" in shown


def test_every_published_number_stands_with_its_source():
    shown = text(opened(section="Prove"))
    for table in evidence.published("mla"):
        assert table["paper"] in shown and table["table"] in shown
        assert all(f">{cell}</td>" in shown for row in table["rows"] for cell in row)


def test_the_source_that_ran_is_shown():
    shown = text(opened(section="Read"))
    assert "class LatentModule" in shown and "Glossary" in shown and "arXiv 2405.04434" in shown


def test_users_are_the_catalogue():
    shown = text(opened(section="Who uses it"))
    users = lesson.users()
    assert len(users) >= 5 and all(u["entry"].name in shown for u in users)


def test_a_catalogue_without_such_models_breaks_nothing(monkeypatch):
    entries = {key: e for key, e in catalogue.entries().items() if key not in lesson.keys()}
    monkeypatch.setattr(catalogue, "entries", lambda: entries)
    lesson.real.cache_clear()
    for section in SECTIONS:
        opened(section=section)


def test_the_tables_behind_the_figures_are_complete():
    for group in lesson.GROUPS:
        table = lesson.runs_table(group)
        variants = {*group.ours, *group.rivals}
        fast = {f"{v}{lesson.recipes.FAST}" if rate == "faster" else v for v, rate in zip(table["variant"], table["rate"])}
        assert fast == variants and set(table["seed"]) == set(zoo.seeds("mla"))
        assert len(table["seed"]) == 2 * len(variants) * len(zoo.seeds("mla"))
