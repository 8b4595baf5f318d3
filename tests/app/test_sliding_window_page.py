"""The page on sliding windows: what is counted and measured, ways through the stack, two visitors. The rest is in
test_pages.py."""

from functools import partial
from urllib.parse import parse_qsl

import pytest

from app import state
from app.figures.maps import Tape
from core.lessons import sliding_window as lesson
from core.lessons.common import model_name
from core.train import zoo
from core.units import binary
from tests.app import opening
from tests.app.opening import fine, text

opened = partial(opening.opened, "sliding_window")


def test_presets_are_named_after_real_models_and_set_pattern_and_model():
    at, seen = opened(), {}
    for option in at.pills(key="cw-pick-model").options:
        fine(at.pills(key="cw-pick-model").set_value(option).run())
        assert at.pills(key="cw-pick-model").value == option
        seen[option] = at.segmented_control(key="pattern").value, at.selectbox(key="real").value
    assert seen["Mistral 7B v0.1"] == ("local", "mistral-7b-v0.1")
    wanted = {"gemma3-27b": "5:1", "gemma2-9b": "1:1", "gpt-oss-120b": "1:1", "olmo3-32b": "3:1"}
    there = {key: pattern for key, pattern in wanted.items() if key in lesson.users()}
    assert {key: pattern for pattern, key in seen.values() if key in wanted} == there
    for pattern, key in seen.values():
        r = lesson.real_model(key, 1024)
        assert r.full == 0 if pattern == "local" else round(r.local / r.full) == int(pattern[0])


def test_counted_bytes_stand_beside_equal_measured_ones():
    for pattern in lesson.PATTERNS:
        shown = text(opened(pattern=pattern))
        assert "= measured" in shown and "≠" not in shown
        assert f"counted {lesson.live_cost(pattern, 8, 28).cache_bytes:,} = measured" in shown


def test_the_convention_of_the_window_is_stated_and_another_window_is_said_to_be_untrained():
    shown = text(opened())
    assert "w keys, itself included" in shown and "Trained with" not in shown
    assert "Trained with window 8, run with 32." in text(opened(window="32"))


def test_the_far_answer_is_found_with_a_global_layer_and_lost_without():
    near, far = "<code>leo</code> → <code>tent</code>", "<code>ann</code> → <code>lamp</code>"
    hybrid, local = text(opened(pattern="5:1")), text(opened(pattern="local"))
    assert near in hybrid and far in hybrid and ", and the answer arrives" in hybrid
    assert far not in local and ", yet the answer does not arrive" in local


def test_a_word_out_of_range_has_no_way():
    shown = text(opened(pattern="local", window="2"))
    assert "No way: the first token that gets there is" in shown and "6 · (2 − 1) + 1 = 7" in shown


def test_the_link_of_a_figure_opens_the_same_state():
    at = opened(section="Count", pattern="1:1", window="16", context="1M")
    key = lesson.users()[-1]
    fine(at.selectbox(key="real").set_value(key).run())
    again = opened(**dict(parse_qsl(state.query(at.session_state["cw-notes"]["values"]))))
    assert again.selectbox(key="real").value == key and again.select_slider(key="context").value == "1M"
    assert again.select_slider(key="window").value == 16 and again.segmented_control(key="pattern").value == "1:1"


@pytest.mark.parametrize("key", lesson.users())
def test_the_formula_says_what_is_counted(key):
    at = opened(section="Count", real=model_name(key))
    f = lesson.formula(key, 131072)
    latex = "\n".join(str(e.proto.body) for e in at.get("markdown")) + "\n".join(str(m.value) for m in at.latex)
    assert binary(f.bytes) in latex and binary(f.whole) in text(at) and f"inspect {key} " in text(at)
    assert all(rf"\underbrace{{{t.layers}}}" in latex for t in f.terms)


def test_verdicts_follow_from_the_table(monkeypatch):
    """Swap the local and the 5:1 runs in the table: the page must say otherwise."""
    before, swap = text(opened(section="Prove")), {"local-5-1": "all-local", "all-local": "local-5-1"}
    rows = [{**r, "variant": swap.get(r["variant"], r["variant"])} for r in zoo.table("sliding_window")]
    monkeypatch.setattr(zoo, "table", lambda name: rows)
    after = text(opened(section="Prove"))
    assert verdict(before, "One global layer in six") == "shows" and verdict(after, "One global layer in six") != "shows"
    assert verdict(before, "is blind from two") == "shows" and verdict(after, "is blind from two") == "does not show"


def verdict(shown: str, claim: str) -> str:
    """What stands before a claim."""
    return shown[: shown.index(claim)].rsplit('<span class="cw-verdict', 1)[1].split(">", 1)[1].split("<", 1)[0]


def test_gemmas_overhead_is_said_to_be_three_to_one():
    shown = text(opened(section="Prove"))
    assert "Which ratio is “60 % to less than 15 %”?" in shown
    assert "Three local layers to one global" in shown and "16.4% at 3:1 and 11.6% at 5:1" in shown


def test_a_tape_says_the_window_and_hue_of_each_lane():
    own = Tape(("a", "b"), [1, 2], windows=(4, 0), hues=("window", "kv"), ring=4).header()
    assert (own["windows"], own["hues"], own["ring"]) == ((4, 0), ("window", "kv"), 4)
    plain = Tape(("a", "b"), [1, 2], window=3).header()
    assert (plain["windows"], plain["hues"], plain["ring"], plain["legend"]) == ([3, 3], ["kv", "kv"], 0, {})
