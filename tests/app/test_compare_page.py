"""The page that compares models: every section and control, numbers that follow from the specs, links, the reader's configs."""

import json
from functools import partial
from urllib.parse import parse_qs, urlsplit

import pytest
from streamlit.testing.v1 import AppTest

from app import state
from app.figures import frame
from app.figures import ladder as figure
from app.palette import PALETTE
from core.count import cost
from core.lessons.common import CONTEXTS, model_names
from core.lessons.compare import crossings as solved
from core.lessons.compare import lesson, words
from core.real import catalogue
from core.shape import ladder
from core.units import binary
from tests.app import opening
from tests.app.opening import fine, pictures

SECTIONS = ("See", "Fields", "Count", "Read")

opened = partial(opening.opened, "compare")


def text(at: AppTest) -> str:
    """Everything that stands on the page as HTML or markdown."""
    return "\n".join(str(e.proto.body) for e in at.get("html")) + "\n".join(m.value for m in at.markdown)


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize("label", lesson.PRESETS)
def test_every_section_opens_for_every_preset(section, label):
    at = opened(section=section)
    fine(at.pills(key="cw-pick-pair").set_value(label).run())
    assert (at.selectbox(key="a").value, at.selectbox(key="b").value) == lesson.PRESETS[label]
    sides = tuple(map(lesson.side, lesson.PRESETS[label]))
    assert words.summary(sides, CONTEXTS["128k"])[0] in text(at)


@pytest.mark.parametrize("section", SECTIONS)
def test_every_control_moves_in_every_section(section):
    at = opened(section=section)
    for key, values in {
        "a": ["mamba2-2.7b", "gpt2-xl"], "b": ["nemotron-h-56b", "none"], "c": ["llada-8b", "trm-7m"],
        "d": ["llama3.1-405b", "none"], "weights": ["int4", "mxfp4"], "cache": ["fp8", "float32"],
    }.items():  # fmt: skip
        for value in values:
            fine(at.selectbox(key=key).set_value(value).run())
    for value in ("1k", "1M"):
        fine(at.select_slider(key="context").set_value(value).run())
    if section == "Fields":
        before = text(at).count("<tr>")
        fine(at.toggle(key="all").set_value(True).run())
        assert text(at).count("<tr>") > before
    drawn = {e.key for kind in ("selectbox", "select_slider", "toggle", "text_area", "file_uploader") for e in at.get(kind)}
    assert drawn - {"config-file"} == {"a", "b", "c", "d", "weights", "cache", "context", "config-text"} | (
        {"all"} if section == "Fields" else set()
    )


@pytest.mark.parametrize("key", list(catalogue.entries()))
def test_every_model_stands_beside_llama_3(key):
    at = opened(b=catalogue.entries()[key].name)
    assert at.selectbox(key="b").value == key
    assert binary(cost.count(catalogue.entries()["llama3-8b"].reading.spec, 131072).cache_bytes) in text(at)


def test_the_answer_follows_from_the_counts(monkeypatch):
    """Make the second model's cache dearer: the page must say otherwise."""
    before = text(opened())
    real = lesson.sequence_bytes
    monkeypatch.setitem(lesson.QUANTITIES, "kept", lambda s, n: real(s, n) * (3 if s.name.startswith("Gemma") else 1))
    forget()
    after = text(opened())
    monkeypatch.undo()
    forget()
    assert "from 5,121 tokens on" in before and "from 5,121 tokens on" not in after
    assert "Llama 3 8B takes less memory for a sequence than Gemma 3 12B (text) at every context" in after


def forget() -> None:
    """Drop what was solved and drawn before."""
    solved.changes.cache_clear()
    frame.DRAWN.clear()


def test_counts_are_the_calculators_to_the_last_digit():
    shown = text(opened(section="Count"))
    for row in lesson.deltas(tuple(map(lesson.side, ("llama3-8b", "gemma3-12b"))), 131072):
        assert all(f">{value:,}</td>" in shown for value in row.values) and f">{row.differences[0]:+,}</td>" in shown


def test_the_link_of_a_figure_opens_the_same_state():
    at = opened(section="Count", a="Mamba-2 2.7B", context="64k", cache="fp8", c="Kimi K2 Instruct")
    configs = [header["config"] for header in pictures(at).values()]
    assert len(configs) == 2
    query = {key: values[0] for key, values in parse_qs(urlsplit(configs[0]["link"]).query).items()}
    again = opened(**query)
    for key in "abcd":
        assert again.selectbox(key=key).value == at.selectbox(key=key).value
    assert again.select_slider(key="context").value == "64k" and again.selectbox(key="cache").value == "fp8"
    assert query["context"] == "64k" and query["a"] == model_names()[at.selectbox(key="a").value]


@pytest.mark.parametrize(
    "query",
    [
        {"a": "nobody"}, {"b": "x" * 5000}, {"context": "-1"}, {"weights": "int3"}, {"section": "Nowhere"}, {"all": "perhaps"},
        {"s": "!!!"}, {"s": "A" * 5000}, {"s": state.pack({"a": 1}, [])}, {"s": state.pack([{"model_type": "nobody"}], [])},
        {"a": "<script>alert(1)</script>"}, {"c": "none", "d": "nothing"},
    ],
)  # fmt: skip
def test_nonsense_in_a_link_shows_the_page(query):
    at = opened(**query)
    shown = text(at)
    assert "Llama 3 8B" in shown and "<script>" not in shown and "Traceback" not in shown
    assert ('role="alert"' in shown) == ("s" in query)


def test_a_pasted_config_is_compared_and_travels_in_the_link():
    config = {**catalogue.entries()["llama3-8b"].config, "num_key_value_heads": 1, "_name_or_path": "me/mine"}
    at = opened(b="none")
    fine(at.text_area(key="config-text").set_value(json.dumps(config)).run())
    shown = text(at)
    assert "mine" in shown and "MQA 32/1" in shown and "8.00 times" not in shown
    packed = at.query_params["s"]
    again = text(opened(b="none", s=packed[0] if isinstance(packed, list) else packed))
    assert "From the link: mine" in again and "MQA 32/1" in again
    fine(at.text_area(key="config-text").set_value("").run())
    assert "MQA 32/1" not in text(at) and "s" not in at.query_params


@pytest.mark.parametrize("pasted", ["{", "meta-llama/Meta-Llama-3-8B", '{"model_type": "llama"}', "[" * 2000, "<b>x</b>"])
def test_a_config_that_cannot_be_read_is_one_sentence(pasted):
    at = opened()
    fine(at.text_area(key="config-text").set_value(pasted).run())
    shown = text(at)
    assert shown.count('role="alert"') == 1 and "Gemma 3 12B" in shown and "<b>x</b>" not in shown


def test_two_visitors_interleaved_each_see_their_own():
    a, b = opened(), opened(a="DeepSeek-V3", b="DeepSeek-V3.2 (DSA)")
    for context in ("1k", "1M"):
        a.select_slider(key="context").set_value(context)
        fine(a.run()), fine(b.run())
        assert f"Llama 3 8B against Gemma 3 12B (text) at {CONTEXTS[context]:,} tokens" in text(a)
        assert "DeepSeek-V3 against DeepSeek-V3.2 (DSA) at 131,072 tokens" in text(b)


# The ladders


@pytest.mark.parametrize(
    "keys", [("llama3-8b",), ("llama3.1-405b", "nemotron-h-56b"), ("gemma3-27b", "falcon-h1-7b", "hunyuan-large")]
)
def test_every_layer_is_a_bar_and_every_bar_says_which(keys):
    specs = [catalogue.entries()[key].reading.spec for key in keys]
    models = {key: (ladder.rungs(spec, 4096), ladder.folded(spec)) for key, spec in zip(keys, specs)}
    fig = figure.ladders(models, PALETTE["light"])
    bars = [(name, x, y) for t in fig.data if t.type == "bar" for name, x, y in zip([t.name] * len(t.y), t.base, t.y)]
    for at, spec in enumerate(specs):
        mixers = {int(y) for name, x, y in bars if at <= x < at + figure.MIXER[1] and name not in ("kept", "dense", "experts")}
        assert mixers == {i for i, layer in enumerate(spec.layers) if layer.mixer}
        kept = {int(y) for name, x, y in bars if name == "kept" and at <= x < at + 1}
        assert kept == {r.index for r in models[keys[at]][0] if r.cache or r.state}
    assert all(len(t.text) == len(t.y) for t in fig.data if t.type == "bar")
    assert len(fig.data) < 40 and not fig.layout.shapes


def test_bars_are_as_long_as_what_is_kept():
    spec = catalogue.entries()["gemma3-27b"].reading.spec
    rungs = ladder.rungs(spec, 32768)
    fig = figure.ladders({"one": (rungs, ladder.folded(spec))}, PALETTE["dark"])
    long = {int(y): x for t in fig.data if t.name == "kept" for x, y in zip(t.x, t.y)}
    assert long[0] / long[5] == pytest.approx(1024 / 32768) and long[5] == pytest.approx(figure.KEPT[1] - figure.KEPT[0])


def test_a_long_text_is_cut_and_said_so():
    lines = figure.wrapped(ladder.blocks_text(ladder.folded(catalogue.entries()["nemotron-h-56b"].reading.spec)), 24, 3)
    assert len(lines) == 3 and lines[-1].endswith("…")


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize("query", [{"b": "none"}, {"b": "Llama 3 8B"}, {"a": "TRM 7M", "b": "none"}])
def test_a_model_alone_says_what_to_choose(section, query):
    at = opened(section=section, **query)
    shown = text(at)
    assert f"{query.get('a', 'Llama 3 8B')} stands alone: choose another one under Model B, or hand in a config." in shown
    assert "built alike" not in shown and ", 2<" not in shown and "****" not in shown
    assert ("fields differ" in shown) is False and "all" not in {e.key for e in at.toggle}


def test_a_solver_keeps_its_board_on_the_page_too():
    shown = text(opened(a="TRM 7M", b="LLaDA 8B"))
    assert binary(catalogue_state("trm-7m")) in shown and "TRM 7M has one board of 97 positions" in shown
    assert "is counted on its board of 97 positions, one step." in text(opened(section="Count", a="TRM 7M", b="LLaDA 8B"))


def catalogue_state(key: str) -> int:
    r = catalogue.entries()[key].reading
    return cost.count(r.spec, r.context, 1, r.weight_dtype, r.cache_dtype, r.state_dtype).state_bytes
