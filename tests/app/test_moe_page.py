"""The page on mixtures of experts: every section opened, every control moved, nonsense answered, two visitors interleaved."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core import evidence, zoo
from core.lessons import moe as lesson
from core.recipes.moe import DEFAULT

SECTIONS = ("See", "Count", "Prove", "Read", "Who uses it")
ROOT = Path(__file__).resolve().parents[2]


def opened(**query) -> AppTest:
    at = AppTest.from_file(ROOT / "app" / "main.py", default_timeout=60).run()
    for key, value in query.items():
        at.query_params[key] = value
    return fine(at.switch_page(str(ROOT / "pages" / "moe.py")).run())


def fine(at: AppTest) -> AppTest:
    assert not at.exception, at.exception
    return at


def text(at: AppTest) -> str:
    return "\n".join(str(e.proto.body) for e in at.get("html")) + "\n".join(m.value for m in at.markdown)


def control(at: AppTest, key: str):
    return next((c for c in (*at.segmented_control, *at.toggle) if c.key == key), None)


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize("experts", [2, 16])
def test_every_section_opens_at_both_ends_of_the_slider(section, experts):
    at = opened(section=section, experts=str(experts))
    assert at.segmented_control(key="section").value == section and at.select_slider(key="experts").value == experts


@pytest.mark.parametrize("section", SECTIONS)
def test_every_control_moves_in_every_section(section):
    at = opened(section=section)
    for experts in (16, 8, 2, 16):
        fine(at.select_slider(key="experts").set_value(experts).run())
        for balance in ("none", "bias"):
            fine(at.segmented_control(key="balance").set_value(balance).run())
    fine(at.segmented_control(key="top_k").set_value(2).run())
    assert control(at, "shared") is None and control(at, "gate") is None, "not trained with two experts a token"
    fine(at.segmented_control(key="top_k").set_value(1).run())
    fine(at.toggle(key="shared").set_value(True).run())
    assert control(at, "gate") is None
    fine(at.toggle(key="shared").set_value(False).run())
    fine(at.segmented_control(key="gate").set_value("sigmoid").run())
    for batch in (1, 128):
        fine(at.select_slider(key="batch").set_value(batch).run())
    for key in list(lesson.named())[:3]:
        fine(at.selectbox(key="real").set_value(key).run())
    fine(at.button(key="cw-surprise-prompt").click().run())


def test_presets_set_the_real_model_and_the_nearest_trained_setting():
    at = opened(section="Count")
    for name, values in lesson.presets().items():
        fine(at.pills(key="cw-pick-preset").set_value(name).run())
        r = lesson.real(values["real"])
        assert f"{r.name}: {r.ffn.top_k + r.shared} active" in text(at) and lesson.spelled(r) in text(at)
        assert at.pills(key="cw-pick-preset").value == name


def test_a_text_of_two_domains_is_routed_and_counted():
    shown = text(opened(prompt="whisk the eggs . knight takes bishop ."))
    assert "recipes" in shown and "chess" in shown and "= measured" in shown and "≠" not in shown


@pytest.mark.parametrize(
    "prompt, words",
    [("whisk the eggz .", ["nearest: eggs"]), ("", ["1 to 64"]), ("rain " * 100, ["64"]),
     ("<script>x</script>", ["nearest"])]
)  # fmt: skip
def test_a_text_that_cannot_be_read_is_answered_in_words(prompt, words):
    shown = text(opened(prompt=prompt))
    assert all(word in shown for word in words) and "<script>" not in shown


@pytest.mark.parametrize(
    "query",
    [{"experts": "99"}, {"balance": "x"}, {"top_k": "7"}, {"experts": "8", "top_k": "2"}, {"gate": "sigmoid", "shared": "true"},
     {"batch": "-1"}, {"real": "nothing"}, {"row": "999"}, {"section": "Nowhere"}],
)  # fmt: skip
def test_nonsense_in_a_link_shows_the_page(query):
    opened(**query)


def test_two_visitors_interleaved_each_see_their_own():
    a, b = opened(experts="16"), opened(experts="4", balance="none")
    a.select_slider(key="experts").set_value(8)
    b.select_slider(key="experts").set_value(16)
    fine(a.run()), fine(b.run())
    assert "<b>8 experts, top-1, softmax gate, balanced by a loss" in text(a)
    assert "<b>16 experts, top-1, softmax gate, not balanced" in text(b)


def test_verdicts_follow_from_the_table(monkeypatch):
    """Swap the mixture and the dense model of equal size in the table: the page must say otherwise."""
    before = text(opened(section="Prove"))
    swap = {DEFAULT.variant: "moe-4-1-loss", "moe-4-1-loss": DEFAULT.variant}
    rows = [{**r, "variant": swap.get(r["variant"], r["variant"])} for r in zoo.table("moe")]
    monkeypatch.setattr(evidence.zoo, "table", lambda name: rows)
    outcomes = [c["verdict"] for c in evidence.report("moe")["claims"]]
    monkeypatch.undo()
    assert outcomes != [c["verdict"] for c in evidence.report("moe")["claims"]]
    assert before.count("cw-verdict ") >= len(outcomes)


def test_every_published_number_stands_with_its_source():
    shown = text(opened(section="Prove"))
    for table in evidence.published("moe"):
        assert table["paper"] in shown and all(f">{cell}</td>" in shown for row in table["rows"] for cell in row)
