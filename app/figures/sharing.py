"""Figures of shared keys and values: wiring, cache against context, real models before and after."""

import networkx as nx
import numpy as np
import plotly.graph_objects as go

from app.figures.kinds import DECADES, Against, Line, Marks, Models, Sample, Seeds
from app.figures.plot import blank


def curves(graph: nx.DiGraph, edges: list) -> tuple[np.ndarray, np.ndarray]:
    """Edges as smooth lines from query to K,V, one after another with gaps: x, y."""
    t = np.linspace(0, 1, 24)
    ease = 3 * t**2 - 2 * t**3
    xs, ys = [], []
    for a, b in edges:
        (xa, ya), (xb, yb) = graph.nodes[a]["pos"], graph.nodes[b]["pos"]
        xs += [xa + (xb - xa) * ease, [np.nan]]
        ys += [ya + (yb - ya) * t, [np.nan]]
    return np.concatenate(xs), np.concatenate(ys)


def wiring(graph: nx.DiGraph, colours: dict, head: int | None = None, stroke: float = 1.0) -> go.Figure:
    """Query heads above, the keys and values they read below; the lines of `head` alone where one is isolated."""
    queries = [n for n, d in graph.nodes(data=True) if d["kind"] == "query"]
    boxes = [n for n, d in graph.nodes(data=True) if d["kind"] == "kv"]
    fig = blank(colours, 128, stroke)
    quiet = [e for e in graph.edges if head is not None and e[0] != ("query", head)]
    loud = [e for e in graph.edges if e not in quiet]
    for edges, opacity, width in ((quiet, 0.18, 1.4), (loud, 0.85, 1.8)):
        if edges:
            x, y = curves(graph, edges)
            line = {"color": colours["query"], "width": width * stroke}
            fig.add_scatter(x=x, y=y, mode="lines", line=line, opacity=opacity, hoverinfo="skip")
    x, y = np.array([graph.nodes[n]["pos"] for n in queries]).T
    faded = [0.25 if head is not None and n != ("query", head) else 1.0 for n in queries]
    fig.add_scatter(
        x=x, y=y, mode="markers+text", text=[graph.nodes[n]["label"] for n in queries],
        textfont={"color": colours["card"], "size": 11 * (0.5 + 0.5 * stroke)},
        marker={"color": colours["query"], "size": 21 * (0.5 + 0.5 * stroke), "opacity": faded},
        hovertemplate="query head %{text}<extra></extra>",
    )  # fmt: skip
    for n in boxes:
        box(fig, graph.nodes[n], colours, len(boxes), stroke)
    fig.update_xaxes(visible=False, range=[-0.65, len(queries) - 0.35])
    fig.update_yaxes(visible=False, range=[-0.32, 1.24])
    fig.update_layout(margin={"l": 0, "r": 0, "t": 0, "b": 0})
    return fig


def box(fig: go.Figure, node: dict, colours: dict, count: int, stroke: float) -> None:
    """One block of keys and values."""
    x, y = node["pos"]
    half = min(0.36 + 0.16 * node["width"], 0.9) if node["width"] > 1 else 0.36
    fig.add_shape(type="rect", x0=x - half, x1=x + half, y0=y - 0.17, y1=y + 0.17, fillcolor=colours["kv"], line_width=0)
    text = node["label"] if count <= 4 else node["label"].removeprefix("K,V ")
    fig.add_annotation(x=x, y=y, text=f"<b>{text}</b>", showarrow=False, font={"color": colours["card"], "size": 11.5 * stroke})


def room(rising: np.ndarray, flat: np.ndarray) -> tuple[int, str, float]:
    """Where labels of two lines do not meet: an end for the flat line's, the side to write on, a factor above the other line."""
    gaps = np.abs(np.log(rising / flat))
    at = -1 if gaps[-1] > gaps[0] else 0
    return at, "left" if at else "right", 1.5 if rising[-1] > flat[-1] else 1 / 1.5


def arithmetic(name: str, contexts, full, shared) -> Against:
    """FLOPs of one decode step of a real model against context: attention on top of itself, projections apart."""
    at, side, above = room(shared["attention"], full["projections"])
    lines = (
        Line("attention, multi-head", full["attention"], "soft", 6.0, "", opacity=0.35),
        Line("projections, multi-head", full["projections"], "soft", 1.4, at=at, side=f"top {side}", opacity=0.9),
        Line("attention, shared", shared["attention"], "query", 1.8, "<b>attention</b>, shared or not ",
             side="middle left", lift=above, opacity=1.0),
        Line("projections, shared", shared["projections"], "kv", 2.2, " <b>projections, shared</b> ",
             at, f"bottom {side}", opacity=1.0),
    )  # fmt: skip
    return Against(
        f"FLOPs of one token of {name}", lines, contexts, "FLOPs of one token", DECADES, unit="FLOP",
        columns=tuple(line.name for line in lines), height=300,
    )  # fmt: skip


def models(subject: str, names, multi_head, moved, released, label) -> Models:
    """Real models: cache with multi-head attention (grey ring), at the chosen sharing (orange), as released (diamond)."""
    marks = (
        Marks("if multi-head", multi_head, "soft", "circle-open", 10, 2, "multi_head, B"),
        Marks("at this sharing", moved, "kv", column="moved, B"),
        Marks("as released", released, "ink", "diamond-open", 11, 1.8, "released, B"),
    )
    return Models(subject, names, marks, label, "kv", heights=(64, 27))


def losses(groups, label, loss: str) -> Seeds:
    """{group: {variant: {seed: loss}}} side by side, the first group loud."""
    samples: list[Sample] = []
    names, heads, at = {}, {}, 0.0
    for group, variants in groups.items():
        hue, symbol, text = ("soft", "circle-open", "{}") if samples else ("kv", "circle", "<b>{}</b>")
        heads[at + (len(variants) - 1) / 2] = text.format(group.replace(", ", ",<br>"))
        for variant, runs in variants.items():
            samples.append(Sample(f"{group}, {label(variant)}", runs, at, hue, symbol, (group, variant)))
            names[at] = label(variant)
            at += 1
        at += 0.7
    lanes = {"title_text": "KV heads", "range": [-0.6, at - 1.1]}
    subject, columns = f"Loss by sharing, {len(groups)} groups of runs", ("runs", "variant", "seed", loss)
    return Seeds(subject, tuple(samples), "loss, nats (log)", columns, names, lanes, groups=heads, apart=0.16)
