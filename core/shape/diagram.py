"""Architectures as networkx graphs, with positions: what the figures draw.

In `wiring` positions are in units of one head's width: x from 0 to H - 1, y = 1 for queries, 0 for keys and values. In
`reachability` x counts tokens from 0 and y layers, 0 being the words themselves. In `bottleneck` one unit of x is one number.
"""

import networkx as nx
import numpy as np
import torch

from core.model.mixers.attention import Attention
from core.model.mixers.latent import Latent
from core.model.spec import Layer, ModelSpec


def wiring(a: Attention) -> nx.DiGraph:
    """Which query head reads which keys and values. Nodes ("query", i) and ("kv", g) carry `pos`, `label`, `kind`, `group`."""
    graph, share = nx.DiGraph(), a.heads // a.kv_heads
    for g in range(a.kv_heads):
        middle = g * share + (share - 1) / 2
        graph.add_node(("kv", g), kind="kv", group=g, pos=(middle, 0.0), label=f"K,V {g + 1}", width=share)
    for i in range(a.heads):
        g = i // share
        graph.add_node(("query", i), kind="query", group=g, pos=(float(i), 1.0), label=f"{i + 1}")
        graph.add_edge(("query", i), ("kv", g), group=g)
    return graph


def hops(layer: Layer, n: int) -> np.ndarray:
    """(n, n) bool: may token t (row), in this one layer, take up what token s (column) holds?

    It may where its reach says so; a short convolution before the attention hands every key its K - 1 predecessors as well.
    """
    at = torch.arange(n)
    seen = next(layer.parts(Attention)).reach.visible(at[:, None], at[None, :]).numpy()
    taps = max(1, layer.input_conv)
    shifted = (np.pad(seen[:, back:], ((0, 0), (0, back))) for back in range(taps))
    return np.logical_or.reduce(list(shifted)) & np.tri(n, dtype=bool)


def reachability(spec: ModelSpec, n: int) -> nx.DiGraph:
    """How words travel up a stack of attention layers. Node (l, t): token t after l layers; an edge (l, s) -> (l + 1, t)
    where layer l + 1 lets t take up something of s, itself included (the residual stream)."""
    graph = nx.DiGraph()
    graph.add_nodes_from(((level, t), {"pos": (t, level)}) for level in range(len(spec.layers) + 1) for t in range(n))
    for level, layer in enumerate(spec.layers):
        graph.add_edges_from(((level, int(s)), (level + 1, int(t))) for t, s in np.argwhere(hops(layer, n)))
    return graph


HEAD_GAP, PART_GAP = 8, 4  # between heads, and between the latent and the rotated key, in numbers


def bottleneck(m: Latent, d_model: int) -> nx.DiGraph:
    """How a token's x becomes what is kept, and what every head makes of it. Nodes carry `pos` (middle, row), `width` in numbers,
    `kind`, `label`, and `head` (-1 for what all share); row 2 is x, row 1 is kept, row 0 belongs to the heads.

    In the expanded form a head has keys and values of its own ("k", "v", and "r", the rotated key once more); in the absorbed
    form its query ("q" for the latent, "s" for the rotated key) is as wide as what is kept and reads it directly. "By length" is
    drawn as one token runs it: absorbed.
    """
    graph = nx.DiGraph()
    graph.add_node("x", pos=(0.0, 2), width=d_model, kind="x", label=f"x: {d_model}", head=-1)
    kept = [("latent", m.kept, "latent")] + [("key", m.rope_dim, "key")] * bool(m.rope_dim)
    row(graph, 1, [(name, width, kind, -1, 0 if name == "latent" else PART_GAP) for name, width, kind in kept])
    graph.add_edges_from(("x", name) for name, _, _ in kept)
    absorbed = m.is_absorbed(1)
    parts = [("q", m.kept), ("s", m.rope_dim)] if absorbed else [("k", m.nope_dim), ("r", m.rope_dim), ("v", m.v_dim)]
    heads = [
        ((kind, i), width, kind, i, HEAD_GAP * (j == 0 and i > 0))
        for i in range(m.heads)
        for j, (kind, width) in enumerate(parts)
        if width
    ]
    row(graph, 0, heads)
    for node, _, kind, _, _ in heads:
        graph.add_edge("key" if kind in ("r", "s") else "latent", node)
    return graph


def row(graph: nx.DiGraph, y: int, parts: list[tuple]) -> None:
    """Add nodes (name, width, kind, head, gap before it) side by side, their middle at 0."""
    left = -sum(width + gap for _, width, _, _, gap in parts) / 2
    for name, width, kind, head, gap in parts:
        left += gap
        graph.add_node(name, pos=(left + width / 2, y), width=width, kind=kind, label=str(width), head=head)
        left += width
