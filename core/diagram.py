"""Architectures as networkx graphs, with positions: what the figures draw.

Positions are in units of one head's width: x from 0 to H - 1, y = 1 for queries, 0 for keys and values.
"""

import networkx as nx

from core.mixers.attention import Attention


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
