"""The page on grouped-query attention: every section opened, every control moved, two visitors interleaved."""

import csv
import io
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from streamlit.testing.v1 import AppTest

from app import live
from core import evidence, zoo
from core.lessons import gqa as lesson
from tests.app.test_maps import unpack

SECTIONS = ("See", "Count", "Prove", "Read", "Who uses it")
MAIN = Path(__file__).resolve().parents[2] / "app" / "main.py"


def opened(**query) -> AppTest:
    """The app at /, where the first page shows, with a query."""
    at = AppTest.from_file(MAIN, default_timeout=60)
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
@pytest.mark.parametrize("kv_heads", [1, 8])
def test_every_section_opens_at_both_ends_of_the_slider(section, kv_heads):
    at = opened(section=section, kv_heads=str(kv_heads))
    assert at.segmented_control(key="section").value == section and at.select_slider(key="kv_heads").value == kv_heads


@pytest.mark.parametrize("section", SECTIONS)
def test_every_control_moves_in_every_section(section):
    at = opened(section=section)
    assert drawn(at) == MOVED | ({"real"} if section == "Count" else set())
    for value in lesson.KV_HEADS:
        fine(at.select_slider(key="kv_heads").set_value(value).run())
    for value in lesson.POSITIONS:
        fine(at.segmented_control(key="positions").set_value(value).run())
    for control in at.selectbox:
        for value in control.options[:3]:
            fine(at.selectbox(key=control.key).set_value(keys()[value]).run())
    for name in at.pills(key="cw-pick-prompt").options:
        fine(at.pills(key="cw-pick-prompt").set_value(name).run())
    fine(at.text_input(key="prompt").set_value("zoe wheel leo plum ? zoe").run())
    fine(at.button(key="cw-surprise-prompt").click().run())
    for value in reversed(lesson.MODELS):
        fine(at.segmented_control(key="model").set_value(value).run())
        if value == lesson.INDUCTION and section == "See":
            for layer in (1, 2):
                fine(at.segmented_control(key="layer").set_value(layer).run())


MOVED = {
    "kv_heads", "positions", "model", "prompt", "cw-pick-prompt", "cw-surprise-prompt",
    "cw-pick-shape", "section", "stage",  # moved by tests of their own
}  # fmt: skip


def drawn(at: AppTest) -> set[str]:
    """The keys of all native controls, whatever their kind."""
    kinds = (
        "slider", "select_slider", "segmented_control", "pills", "selectbox", "multiselect", "radio", "checkbox", "toggle",
        "button", "download_button", "text_input", "text_area", "number_input", "date_input", "time_input", "file_uploader",
    )  # fmt: skip
    return {e.key for kind in kinds for e in at.get(kind)}


def keys() -> dict:
    return {lesson.name(key): key for key in lesson.dividing(1)}


@pytest.mark.parametrize("kv_heads", lesson.KV_HEADS)
def test_counted_bytes_stand_beside_equal_measured_ones(kv_heads):
    shown = text(opened(kv_heads=str(kv_heads)))
    assert "= measured" in shown and "≠" not in shown
    assert f"counted {lesson.counted(lesson.variant(kv_heads), 20).cache_bytes:,} = measured" in shown


def test_the_link_of_a_figure_opens_the_same_state():
    """The real model is written in the link as it is shown, which is what a link is checked against."""
    at = opened(section="Count", kv_heads="4")
    fine(at.selectbox(key="real").set_value("mistral-7b-v0.1").run())
    configs = [unpack(e.proto.bytes)[0]["config"] for e in at.get("bidi_component") if e.proto.bytes]
    assert len(configs) == 3
    for config in configs:
        again = opened(**dict(parse_qsl(urlsplit(config["link"]).query)))
        assert config["real_model"] == lesson.name(again.selectbox(key="real").value) == "Mistral 7B v0.1"
        assert again.select_slider(key="kv_heads").value == 4


def test_a_real_model_that_cannot_share_so_far_gives_way():
    at = opened(section="Count", kv_heads="8")
    fine(at.selectbox(key="real").set_value("gpt2-xl").run())
    fine(at.select_slider(key="kv_heads").set_value(2).run())
    assert at.selectbox(key="real").value == "llama3-8b"


def test_the_two_layer_model_is_said_to_run_as_it_was_trained():
    at = opened(model=lesson.INDUCTION, positions=lesson.NONE)
    assert "KV heads: 8, rope." in text(at) and "positions" not in [c.key for c in at.segmented_control]
    assert any(f"8 pairs · rope · {lesson.INDUCTION}" in e.label for e in at.expander)


def test_the_formula_says_what_the_command_line_counts():
    assert "counts the model as released, 16.0 GiB" in text(opened(section="Count", kv_heads="8"))
    assert "command line gives the same" in text(opened(section="Count", kv_heads="2"))


def test_presets_set_the_slider():
    at = opened()
    pick = at.pills(key="cw-pick-shape")
    for option, kv_heads in zip(pick.options, (8, 2, 1)):
        fine(at.pills(key="cw-pick-shape").set_value(option).run())
        assert at.select_slider(key="kv_heads").value == kv_heads


def test_a_prompt_of_the_readers_own_is_run():
    at = opened(prompt="zoe wheel leo plum ? zoe leo")
    assert "<code>zoe</code> → <code>wheel</code>" in text(at) and "<code>leo</code> → <code>plum</code>" in text(at)


@pytest.mark.parametrize(
    "prompt, words",
    [
        ("ann lampp ? ann", ["lampp", "nearest: lamp"]),
        ("ann lamp", ["question"]),
        ("", ["pairs"]),
        ("<script>alert(1)</script>", ["nearest"]),
        ("ann lamp " * 60 + "? ann", ["48"]),
        ("ann lamp ? zoe", ["never introduced"]),
    ],
)
def test_a_prompt_that_cannot_be_read_is_answered_in_words(prompt, words):
    shown = text(opened(prompt=prompt))
    assert all(word in shown for word in words)
    assert "<script>" not in shown and "Traceback" not in shown


@pytest.mark.parametrize(
    "query",
    [
        {"kv_heads": "99"}, {"kv_heads": "abc"}, {"section": "Nowhere"}, {"model": "x"}, {"head": "999"}, {"row": "-1"},
        {"step": "1e9"}, {"prompt": "x" * 5000}, {"layer": "7"}, {"v": "99", "nonsense": "1"},
    ],
)  # fmt: skip
def test_nonsense_in_a_link_shows_the_page(query):
    at = opened(**query)
    assert at.select_slider(key="kv_heads").value in lesson.KV_HEADS


def test_two_visitors_interleaved_each_see_their_own():
    a, b = opened(kv_heads="8", prompt="ann lamp bo kite ? bo"), opened(kv_heads="1", prompt="zoe wheel leo plum ? leo")
    for kv_a, kv_b in ((4, 2), (2, 8), (1, 4)):
        a.select_slider(key="kv_heads").set_value(kv_a)
        b.select_slider(key="kv_heads").set_value(kv_b)
        fine(a.run()), fine(b.run())
        assert f"{kv_a} KV head" in text(a) and "<code>bo</code> → <code>kite</code>" in text(a)
        assert f"{kv_b} KV head" in text(b) and "<code>leo</code> → <code>plum</code>" in text(b)


def test_verdicts_and_numbers_follow_from_the_table(monkeypatch):
    """Swap MHA and MQA in the table: the page must say otherwise."""
    before = text(opened(section="Prove"))
    rows = [{**r, "variant": {"mha": "mqa", "mqa": "mha"}.get(r["variant"], r["variant"])} for r in zoo.table("gqa")]
    monkeypatch.setattr(zoo, "table", lambda name: rows)
    after = text(opened(section="Prove"))
    assert 'cw-verdict yes">shows' in before and 'cw-verdict no">does not show' in after
    assert 'cw-verdict no">does not show' not in before


def test_every_published_number_stands_with_its_source():
    shown = text(opened(section="Prove"))
    for table in evidence.published("gqa"):
        assert table["paper"] in shown and table["table"] in shown
        assert all(f">{cell}</td>" in shown for row in table["rows"] for cell in row)


def test_the_source_that_ran_is_shown():
    shown = text(opened(section="Read"))
    assert "class AttentionModule" in shown and "Glossary" in shown and "arXiv 2305.13245" in shown


def test_users_are_the_catalogue():
    shown = text(opened(section="Who uses it"))
    assert all(user["entry"].name in shown for user in lesson.users()) and "not stated" not in shown


def test_a_table_escapes_what_it_is_given_and_stands_numbers_right():
    assert not live.numeric("Llama") and live.numeric("128 KiB") and live.numeric(3)


def test_the_tables_behind_the_figures_are_complete():
    loss = lesson.loss_table()
    assert len(loss["variant"]) == len(zoo.SEEDS) * 12 and set(loss["seed"]) == set(zoo.SEEDS)
    assert list(csv.reader(io.StringIO("\n".join(map(str, loss["seed"]))))), "seeds are plain numbers"
