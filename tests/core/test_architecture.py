"""The graph behind the diagram: python -m pytest tests/core/test_architecture.py"""

import re
import xml.etree.ElementTree as ElementTree

import networkx as nx
import pytest

from app.figures import architecture as drawing
from app.palette import PALETTE
from core.count import cost
from core.model.registry import EXAMPLES
from core.real import catalogue
from core.shape import architecture

ROWS = catalogue.entries()
SPECS = [*(entry.reading.spec for entry in ROWS.values()), *EXAMPLES]


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.name)
def test_every_model_is_one_way_from_tokens_to_logits(spec):
    g = architecture.graph(spec)
    assert nx.is_directed_acyclic_graph(g)
    assert [n for n in g if not g.in_degree(n)] == ["tokens"] and [n for n in g if not g.out_degree(n)] == ["logits"]
    assert nx.has_path(g, "embed", "head") and all(shape for _, _, shape in g.edges(data="shape"))
    stream = [(a, b) for a, b, on in g.edges(data="stream") if on]
    assert all(g.nodes[b]["kind"] in ("add", "norm") for _, b in stream)


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.name)
def test_the_runs_are_all_layers(spec):
    g = architecture.graph(spec)
    runs, blocks = g.graph["runs"], g.graph["blocks"]
    times = [run.times for run in runs]
    for first, last, repeated in blocks:
        times[first : last + 1] = [t * repeated for t in times[first : last + 1]]
    if g.graph["whole"] or len(runs) < architecture.MOST_RUNS:
        assert sum(times) == len(spec.layers)
    assert len(runs) <= architecture.MOST_RUNS


def test_deepseek_folds_as_its_paper_says():
    g = architecture.graph(ROWS["deepseek-v3"].reading.spec)
    assert [(run.times, g.nodes[f"{i}.ffn"]["label"]) for i, run in enumerate(g.graph["runs"])] == [
        (3, "SwiGLU 18,432"), (58, "MoE 8 of 256 + 1"),
    ]  # fmt: skip
    assert g.nodes["0.mixer"]["keeps"] == "keeps n × 576" and g.edges["norm", "head"]["shape"] == "n × 7,168"


def test_gemma_repeats_five_and_one():
    g = architecture.graph(ROWS["gemma3-27b"].reading.spec)
    assert g.graph["blocks"] == [(0, 1, 10)] and [run.times for run in g.graph["runs"]] == [5, 1, 2]
    assert "0.mixer.after" in g and "0.mixer.before" in g  # a norm on both sides


def test_norms_stand_where_the_layer_has_them():
    before, after = (architecture.graph(ROWS[key].reading.spec) for key in ("llama3-8b", "olmo2-7b"))
    assert "0.mixer.before" in before and "0.mixer.after" not in before
    assert "0.mixer.after" in after and "0.mixer.before" not in after


@pytest.mark.parametrize("key", ["llama3-8b", "gemma3-27b", "mamba2-2.7b", "falcon-h1-7b", "deepseek-v3.2"])
def test_what_a_layer_is_said_to_keep_is_what_is_counted(key):
    spec = ROWS[key].reading.spec
    layer = spec.layers[0]
    said = architecture.keeps_text(layer, spec)
    counted, twice = (cost.layer_cost(layer, spec.d_model, spec.norm.params(spec.d_model), n << 20) for n in (1, 2))
    numbers = [int(n.replace(",", "")) for n in re.findall(r"[\d,]{2,}|\d", said)]
    a_token = (sum(twice.cache.values()) - sum(counted.cache.values())) >> 20
    expected = [a_token] if a_token else [sum(counted.cache.values())] * any(counted.cache.values())
    assert numbers == [*expected, *([sum(counted.state.values())] if counted.state else [])]


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("key", ROWS)
def test_the_picture_is_an_svg_with_its_words_inside_it(key, narrow):
    spec = ROWS[key].reading.spec
    text = drawing.svg(architecture.graph(spec), architecture.alt(spec), PALETTE["dark"], narrow)
    root = ElementTree.fromstring(text)
    _, _, width, height = map(float, root.get("viewBox").split())
    assert root.get("role") == "img" and spec.name in root.get("aria-label")
    assert "var(" not in text
    for element in root.iter("{http://www.w3.org/2000/svg}text"):
        x, size, letters = float(element.get("x")), float(element.get("font-size")), len(element.text)
        wide = letters * size * 0.5 * (0.5 if element.get("text-anchor") == "middle" else 1)
        assert 0 <= float(element.get("y")) <= height and x + wide <= width + 2, element.text


def test_a_name_cannot_break_out_of_the_picture():
    from dataclasses import replace

    spec = replace(ROWS["llama3-8b"].reading.spec, name='"><script>alert(1)</script>')
    text = drawing.svg(architecture.graph(spec), architecture.alt(spec))
    assert "<script" not in text
    ElementTree.fromstring(text)
