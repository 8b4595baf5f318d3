"""An architecture as a networkx graph: what the diagram draws, repeated layers folded as ×N, shapes on the edges.

    graph(spec)    tokens -> embed -> layers -> norm -> head -> logits

Nodes carry `kind` (tokens, embed, norm, mixer, ffn, add, head, logits), `label`, `detail` (the insides in one line), `keeps`,
`hue` and `run`; edges carry `shape` and `stream` (True on the residual stream). graph.graph holds `runs` (layers in a row that
are alike, from the first up), `blocks` (runs that repeat together) and `whole`: False where a model has so many runs that every
kind of layer is drawn once, with how many of it there are.

n stands for the tokens of one sequence everywhere.
"""

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

import networkx as nx

from core.count import cost
from core.model.part import Part, product_text
from core.model.spec import Layer, ModelSpec
from core.shape import ladder

MOST_RUNS = 9
NORMS = {"rms": "RMSNorm", "layer": "LayerNorm"}


@dataclass(frozen=True)
class Stretch:
    """`times` layers in a row that are alike; `first` is the number of the first of them, from 0."""

    layer: Layer
    first: int
    times: int


# One line about the insides


def detail(part: Part | None) -> str:
    """The insides of a mixer or a feed-forward part in one line."""
    return part.in_words().detail if part else ""


def keeps_text(layer: Layer, spec: ModelSpec) -> str:
    """What a layer keeps of one sequence, in numbers: a token's share, and what does not grow."""
    if spec.decoding != "autoregressive":
        return "keeps no cache"
    norm = spec.norm.params(spec.d_model)
    far, further = (cost.layer_cost(layer, spec.d_model, norm, n, spec.streams) for n in (1 << 24, 1 << 25))
    grows = (sum(further.cache.values()) - sum(far.cache.values())) / (1 << 24)
    fixed = 0 if grows else sum(far.cache.values())
    state = sum(far.state.values())
    parts = [f"n × {grows:,.0f}" if grows else "", f"at most {fixed:,}" if fixed else "", f"{state:,} of state" if state else ""]
    return "keeps " + (" and ".join(filter(None, parts)) or "nothing")


# Runs and blocks


def runs(spec: ModelSpec) -> tuple[list[Stretch], list[tuple[int, int, int]], bool]:
    """Runs from the first layer up, blocks (first run, last run, times) and whether every run is there."""
    found: list[Stretch] = []
    blocks: list[tuple[int, int, int]] = []
    for block in ladder.folded(spec):
        start, at = block.start, len(found)
        for times, _ in block.parts:
            found.append(Stretch(spec.layers[start], start, times))
            start += times
        if block.times > 1:
            blocks.append((at, len(found) - 1, block.times))
    if len(found) <= MOST_RUNS:
        return found, blocks, True
    labels = ladder.labels(spec)
    counts = Counter(labels)
    once = [Stretch(spec.layers[labels.index(label)], labels.index(label), times) for label, times in counts.items()]
    return once[:MOST_RUNS], [], False


@lru_cache(maxsize=128)
def graph(spec: ModelSpec) -> nx.DiGraph:
    """The whole model, the first layer first."""
    found, blocks, whole = runs(spec)
    g = nx.DiGraph(runs=found, blocks=blocks, whole=whole, name=spec.name, order=ladder.blocks_text(ladder.folded(spec)))
    stream = f"n × {spec.d_model:,}" + (f" × {spec.streams} streams" if spec.streams > 1 else "")
    g.add_node("tokens", kind="tokens", label="tokens", detail="n", hue="soft", run=-1)
    table = product_text(spec.vocab, spec.d_model)
    table += f" + {spec.learned_positions:,} learned positions" if spec.learned_positions else ""
    g.add_node("embed", kind="embed", label="embedding", detail=table, hue="soft", run=-1)
    g.add_edge("tokens", "embed", shape="n", stream=False)
    last = "embed"
    for r, run in enumerate(found):
        last = add_layer(g, spec, r, run.layer, last, stream)
    g.add_node("norm", kind="norm", label=NORMS[spec.norm.kind], detail="", hue="soft", run=-1)
    tied = " · the embedding's table" if spec.tied else ""
    g.add_node("head", kind="head", label="output", detail=f"{product_text(spec.d_model, spec.vocab)}{tied}", hue="soft", run=-1)
    g.add_node("logits", kind="logits", label="logits", detail=f"n × {spec.vocab:,}", hue="soft", run=-1)
    g.add_edge(last, "norm", shape=stream, stream=True)
    g.add_edge("norm", "head", shape=stream, stream=False)
    g.add_edge("head", "logits", shape=f"n × {spec.vocab:,}", stream=False)
    return g


def add_layer(g: nx.DiGraph, spec: ModelSpec, r: int, layer: Layer, last: str, stream: str) -> str:
    """One run's layer: norms, mixer, ffn, and the sums that bring them back; returns its last node."""
    before, after = layer.norms in ("pre", "sandwich", "stream"), layer.norms in ("post", "sandwich")
    norm = NORMS[spec.norm.kind]
    for slot in ("mixer", "ffn"):
        part = getattr(layer, slot)
        if part is None:
            continue
        keeps = keeps_text(layer, spec) if slot == "mixer" else ""
        words = {"label": ladder.label(part), "detail": insides_text(layer, part), "keeps": keeps}
        g.add_node(f"{r}.{slot}", kind=slot, **words, hue=ladder.hue(part), run=r)
        g.add_node(f"{r}.{slot}.add", kind="add", label="+", detail="", hue="ink", run=r)
        path = [last]
        for wanted, name in ((before, f"{r}.{slot}.before"), (True, f"{r}.{slot}"), (after, f"{r}.{slot}.after")):
            if wanted and name != f"{r}.{slot}":
                g.add_node(name, kind="norm", label=norm, detail="", hue="soft", run=r)
            path += [name] * wanted
        path.append(f"{r}.{slot}.add")
        for a, b in zip(path, path[1:]):
            g.add_edge(a, b, shape=stream, stream=False)
        stem = path[1] if layer.norms == "stream" and before else last
        g.add_edge(stem, f"{r}.{slot}.add", shape=stream, stream=True)
        last = f"{r}.{slot}.add"
        if layer.norms == "outer":
            g.add_node(f"{r}.{slot}.after", kind="norm", label=norm, detail="", hue="soft", run=r)
            g.add_edge(last, f"{r}.{slot}.after", shape=stream, stream=True)
            last = f"{r}.{slot}.after"
    return last


def insides_text(layer: Layer, part: Part) -> str:
    """The insides of a part, and the convolution before it where the layer has one."""
    conv = f"convolution {layer.input_conv} · " if layer.input_conv and part is layer.mixer else ""
    return conv + detail(part)


def alt(spec: ModelSpec) -> str:
    """The diagram in one sentence."""
    return (
        f"{spec.name}: {spec.vocab:,} words to width {spec.d_model:,}, {len(spec.layers)} layers, the first at the bottom "
        f"({ladder.blocks_text(ladder.folded(spec))}), a last norm, and the output to {spec.vocab:,} logits"
    )


def as_columns(spec: ModelSpec) -> dict[str, list]:
    """The diagram as columns, for its data table: one row a kind of layer in a row."""
    found, _, _ = runs(spec)
    return {
        "layers": [f"{run.first + 1} and on" if run.times > 1 else f"{run.first + 1}" for run in found],
        "in a row": [run.times for run in found],
        "mixer": [ladder.label(run.layer.mixer) for run in found],
        "its insides": [detail(run.layer.mixer) for run in found],
        "keeps": [keeps_text(run.layer, spec) for run in found],
        "feed-forward": [ladder.label(run.layer.ffn) for run in found],
        "of it": [detail(run.layer.ffn) for run in found],
    }
