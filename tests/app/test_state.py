"""State is the URL: python -m pytest tests/app/test_state.py"""

from urllib.parse import parse_qs, urlsplit

import pytest
from streamlit.testing.v1 import AppTest

from app import state

PAGE = """
import streamlit as st
from app import controls, state

state.begin("gqa", "gqa")
summary = state.peek("layer", 1, [1, 2, 3])
kv = controls.Slider("kv_heads", "KV heads", [1, 2, 4, 8], 2, hue="kv").draw()
layer = controls.Slider("layer", "Layer", [1, 2, 3], 1).draw()
controls.presets("models", {"GPT-2": {"kv_heads": 8}, "Llama 3": {"kv_heads": 2, "layer": 3}}, hue="kv")
rope = controls.Choice("rope", "Positions", ["none", "RoPE"], "none").draw()
sink = controls.Switch("sink", "Sink").draw()
prompt = controls.Prompt("prompt", "Prompt", {"pairs": "ann lamp", "swap": "bo kite"}, lambda r: "z" * 99, max_chars=40).draw()
section = controls.sections(["See", "Count"])
st.session_state["seen"] = dict(kv=kv, layer=layer, rope=rope, sink=sink, prompt=prompt, section=section, summary=summary)
st.session_state["link"] = state.link("gqa", state.values())
st.session_state["refused"] = state.refused()
"""
DEFAULTS = dict(kv=2, layer=1, rope="none", sink=False, prompt="ann lamp", section="See", summary=1)


def page(**parameters) -> AppTest:
    """The test page, opened by a link with these parameters."""
    at = AppTest.from_string(PAGE, default_timeout=20)
    for key, value in parameters.items():
        at.query_params[key] = value
    at.run()
    assert not at.exception
    return at


def seen(at: AppTest) -> dict:
    return at.session_state["seen"]


def pill(at: AppTest, key: str):
    return next(group for group in at.button_group if group.key == key)


def test_a_link_holds_every_value_and_the_version():
    link = urlsplit(page().session_state["link"])
    assert link.path == "/gqa"
    assert parse_qs(link.query) == {
        "kv_heads": ["2"], "layer": ["1"], "rope": ["none"], "sink": ["false"],
        "prompt": ["ann lamp"], "section": ["See"], "v": ["1"],
    }  # fmt: skip


def test_a_link_gives_back_the_state_it_was_made_from():
    first = page(kv_heads="8", layer="3", rope="RoPE", sink="true", prompt="bo kite & <b>", section="Count")
    assert seen(first) == dict(kv=8, layer=3, rope="RoPE", sink=True, prompt="bo kite & <b>", section="Count", summary=3)
    query = {key: values[0] for key, values in parse_qs(urlsplit(first.session_state["link"]).query).items()}
    assert seen(page(**query)) == seen(first)


@pytest.mark.parametrize("text", ["a b", "a&b=c", "50%", "#x", "ö→✓", "a+b", '"<script>'])
def test_quoting(text):
    assert parse_qs(state.query({"prompt": text}))["prompt"] == [text]


@pytest.mark.parametrize(
    "bad", [dict(kv_heads="99"), dict(kv_heads=""), dict(kv_heads=["99", "abc"]), dict(layer="-1"), dict(rope="rope"),
            dict(sink="perhaps"), dict(section="\N{SNOWMAN}"), dict(unknown="1")]
)  # fmt: skip
def test_nonsense_falls_back_to_the_default(bad):
    assert seen(page(**bad)) == DEFAULTS


REFUSED = "Not accepted from this link: "


@pytest.mark.parametrize(
    "query, said",
    [
        (dict(kv_heads="99"), "KV heads “99” (“2” is shown)."),
        (dict(kv_heads=["99", "abc"]), "KV heads “99, abc” (“2” is shown)."),
        (dict(sink="perhaps"), "Sink “perhaps” (“false” is shown)."),
        (dict(section="Nowhere"), "Section “Nowhere” (“See” is shown)."),
        (dict(rope="rope", layer="-1"), "Layer “-1” (“1” is shown); Positions “rope” (“none” is shown)."),
    ],
)  # fmt: skip
def test_what_is_not_taken_from_a_link_is_said_in_one_sentence(query, said):
    assert page(**query).session_state["refused"] == REFUSED + said


@pytest.mark.parametrize("word", ["8", "08", "8.0", "8e0", " 8"])
def test_a_number_may_be_written_otherwise(word):
    at = page(kv_heads=word)
    assert seen(at)["kv"] == 8 and at.session_state["refused"] == ""
    assert state.meant(word, (2, 4, 8)) == 8 and state.meant("0", (0.0, 0.5)) == 0.0 and state.meant("x", (1, 2), 2) == 2
    assert state.meant("true", (True, False)) is True and state.meant("", (0, 1)) is None


@pytest.mark.parametrize(
    "query",
    [
        {}, dict(kv_heads="8", sink="TRUE", rope="RoPE", section="Count", prompt="a <b>"), dict(kv_heads="", prompt="", v="9"),
        dict(prompt=["a", "b"], sink=["no", "true"]),
    ],
)  # fmt: skip
def test_what_is_taken_needs_no_word(query):
    assert page(**query).session_state["refused"] == ""


def test_the_sentence_goes_once_the_reader_chooses():
    at = page(kv_heads="99", rope="rope")
    at.select_slider(key="layer").set_value(2).run()
    assert "KV heads" in at.session_state["refused"]
    at.select_slider(key="kv_heads").set_value(8).run()
    assert at.session_state["refused"] == REFUSED + "Positions “rope” (“none” is shown)."
    at.select_slider(key="kv_heads").set_value(2).run()
    assert "KV heads" not in at.session_state["refused"]


def test_a_prompt_from_a_link_is_cut_like_a_typed_one():
    at = page(prompt="x" * 10_000)
    assert seen(at)["prompt"] == "x" * 40 and len(at.session_state["refused"]) < 150


def test_presets_set_controls_and_show_what_matches():
    at = page()
    assert pill(at, "cw-pick-models").value is None  # 2 heads, but layer 1
    pill(at, "cw-pick-models").select("Llama 3").run()
    assert (seen(at)["kv"], seen(at)["layer"], pill(at, "cw-pick-models").value) == (2, 3, "Llama 3")
    at.select_slider(key="kv_heads").set_value(8).run()
    assert pill(at, "cw-pick-models").value == "GPT-2"
    at.select_slider(key="kv_heads").set_value(4).run()
    assert (seen(at)["kv"], pill(at, "cw-pick-models").value) == (4, None)


def test_a_preset_matches_what_came_by_link():
    assert pill(page(kv_heads="8"), "cw-pick-models").value == "GPT-2"


def test_examples_and_surprise_fill_the_prompt():
    at = page()
    pill(at, "cw-pick-prompt").select("swap").run()
    assert seen(at)["prompt"] == "bo kite"
    at.button(key="cw-surprise-prompt").click().run()
    assert seen(at)["prompt"] == "z" * 40  # never longer than what can be typed
    assert pill(at, "cw-pick-prompt").value is None


def test_stage_is_one_parameter():
    script = "from app import state\nimport streamlit as st\nstate.stage_control()\nst.session_state['on'] = state.stage()"
    for value, expected in (("1", True), ("0", False), ("true", False), (None, False)):
        at = AppTest.from_string(script)
        if value:
            at.query_params["stage"] = value
        assert at.run().session_state["on"] is expected


OBJECTS = """
import streamlit as st
from app import controls, state

state.begin("gqa", "gqa")
NAMES = {"a": "Model A", "b": "Model B"}
ALL = (
    controls.Slider("kv_heads", "KV heads", (1, 2, 4), 2, "kv"), controls.Choice("rope", "Positions", ("none", "RoPE"), "none"),
    controls.Pick("real", "Real model", tuple(NAMES), "a", name=NAMES.__getitem__), controls.Switch("sink", "Sink", default=True),
    controls.Prompt("prompt", "Prompt", {"pairs": "ann lamp", "swap": "bo kite"}),
)
before = [control.peek() for control in ALL]
with controls.presets_first("models", {"Small": {"kv_heads": 1}}):
    after = [control.draw() for control in ALL]
st.session_state["seen"] = before, after, ALL[-1].example()
"""


@pytest.mark.parametrize(
    ("query", "values", "example"),
    [
        ({}, [2, "none", "a", True, "ann lamp"], "pairs"),
        ({"kv_heads": "4", "rope": "RoPE", "real": "Model B", "sink": "false", "prompt": "bo kite"},
         [4, "RoPE", "b", False, "bo kite"], "swap"),
        ({"kv_heads": "9", "rope": "x", "real": "nobody", "prompt": "zoe"}, [2, "none", "a", True, "zoe"], "your words"),
    ],
)  # fmt: skip
def test_a_control_knows_before_it_is_drawn_what_it_is_going_to_hold(query, values, example):
    at = AppTest.from_string(OBJECTS, default_timeout=20)
    for key, word in query.items():
        at.query_params[key] = word
    at.run()
    assert not at.exception
    assert at.session_state["seen"] == (values, values, example)


def test_presets_that_stand_first_set_what_is_drawn_after_them():
    at = AppTest.from_string(OBJECTS, default_timeout=20).run()
    keys = [group.key for group in at.button_group]
    assert keys.index("cw-pick-models") < keys.index("rope")
    pill(at, "cw-pick-models").set_value("Small").run()
    assert at.session_state["seen"][0][0] == at.session_state["seen"][1][0] == 1
    assert pill(at, "cw-pick-models").value == "Small"
