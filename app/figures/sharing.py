"""Figures of shared keys and values: wiring, cache against context, real models before and after."""

import networkx as nx
import numpy as np
import plotly.graph_objects as go

from app.figures.plot import blank, byte_ticks, mark, note


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
    fig.update_xaxes(visible=False, range=[-0.65, len(queries) - 0.35], fixedrange=True)
    fig.update_yaxes(visible=False, range=[-0.32, 1.24], fixedrange=True)
    fig.update_layout(margin={"l": 0, "r": 0, "t": 0, "b": 0})
    return fig


def box(fig: go.Figure, node: dict, colours: dict, count: int, stroke: float) -> None:
    """One block of keys and values."""
    x, y = node["pos"]
    half = min(0.36 + 0.16 * node["width"], 0.9) if node["width"] > 1 else 0.36
    fig.add_shape(type="rect", x0=x - half, x1=x + half, y0=y - 0.17, y1=y + 0.17, fillcolor=colours["kv"], line_width=0)
    text = node["label"] if count <= 4 else node["label"].removeprefix("K,V ")
    fig.add_annotation(x=x, y=y, text=f"<b>{text}</b>", showarrow=False, font={"color": colours["card"], "size": 11.5 * stroke})


def growth(lengths, counted: dict, chosen: str, points, values, label, colours: dict, stroke: float = 1.0) -> go.Figure:
    """Cache bytes against tokens: counted lines for each sharing, the chosen one loud, measured bytes as rings on it."""
    fig = blank(colours, 300, stroke)
    for name, line in counted.items():
        loud = name == chosen
        colour = colours["kv"] if loud else colours["soft"]
        style = {"color": colour, "width": (2.6 if loud else 1.2) * stroke}
        fig.add_scatter(
            x=lengths,
            y=line,
            mode="lines",
            line=style,
            name=name,
            hovertemplate=f"{name}: %{{y:,}} B at %{{x}} tokens<extra></extra>",
        )
        note(fig, lengths[-1], line[-1], f"<b>{label(name)}</b>" if loud else label(name), colour, xanchor="left", xshift=6)
    ring = {"symbol": "circle-open", "size": 10 * stroke, "color": colours["saved"], "line": {"width": 2.2 * stroke}}
    fig.add_scatter(
        x=points, y=values, mode="markers", marker=ring, hovertemplate="measured: %{y:,} B at %{x} tokens<extra></extra>"
    )
    fig.update_xaxes(title_text="tokens", fixedrange=True, range=[0, lengths[-1] * 1.02])
    fig.update_yaxes(title_text="cache, bytes", fixedrange=True, rangemode="tozero", tickformat=",")
    fig.update_layout(margin={"r": 64 * stroke})
    return fig


def room(rising: np.ndarray, flat: np.ndarray) -> tuple[int, str, float]:
    """Where labels of two lines do not meet: an end for the flat line's, the side to write on, a factor above the other line."""
    gaps = np.abs(np.log(rising / flat))
    at = -1 if gaps[-1] > gaps[0] else 0
    return at, "left" if at else "right", 1.5 if rising[-1] > flat[-1] else 1 / 1.5


def arithmetic(contexts, full, shared, colours: dict, stroke: float = 1.0) -> go.Figure:
    """FLOPs of one decode step against context, log-log: attention on top of itself, projections apart."""
    fig = blank(colours, 300, stroke)
    lines = (
        (full["attention"], "attention, multi-head", colours["soft"], 6.0, 0.35),
        (shared["attention"], "attention, shared", colours["query"], 1.8, 1.0),
        (full["projections"], "projections, multi-head", colours["soft"], 1.4, 0.9),
        (shared["projections"], "projections, shared", colours["kv"], 2.2, 1.0),
    )
    for y, name, colour, width, opacity in lines:
        fig.add_scatter(
            x=contexts, y=y, mode="lines", line={"color": colour, "width": width * stroke}, opacity=opacity, name=name,
            hovertemplate=f"{name}: %{{y:.3s}}FLOP at %{{x:,}} tokens<extra></extra>",
        )  # fmt: skip
    size = 13 * (1 + 0.45 * (stroke - 1))
    at, side, above = room(shared["attention"], full["projections"])
    mark(
        fig,
        contexts[-1],
        shared["attention"][-1] * above,
        "<b>attention</b>, shared or not ",
        colours["query"],
        "middle left",
        size,
    )
    mark(fig, contexts[at], full["projections"][at], " projections, multi-head ", colours["soft"], f"top {side}", size)
    mark(fig, contexts[at], shared["projections"][at], " <b>projections, shared</b> ", colours["kv"], f"bottom {side}", size)
    ticks = [1024, 4096, 16384, 65536, 131072]
    fig.update_xaxes(
        type="log", title_text="context, tokens", tickvals=ticks, ticktext=["1k", "4k", "16k", "64k", "128k"], fixedrange=True
    )
    fig.update_yaxes(
        type="log", title_text="FLOPs of one token", fixedrange=True, dtick=1, exponentformat="SI", minor={"showgrid": False}
    )
    return fig


def models(names, multi_head, moved, released, label, colours: dict, stroke: float = 1.0) -> go.Figure:
    """Real models: cache with multi-head attention (grey ring), at the chosen sharing (orange), as released (diamond)."""
    fig = blank(colours, 64 + 27 * len(names), stroke)
    rows = np.arange(len(names))[::-1]
    x = np.stack([multi_head, moved, np.full(len(names), np.nan)], 1).ravel()
    y = np.stack([rows, rows, rows], 1).ravel().astype(float)
    fig.add_scatter(x=x, y=y, mode="lines", line={"color": colours["kv"], "width": 2.4 * stroke}, opacity=0.45, hoverinfo="skip")
    marks = (
        (
            multi_head,
            "if multi-head",
            {"symbol": "circle-open", "color": colours["soft"], "size": 10 * stroke, "line": {"width": 2 * stroke}},
        ),
        (moved, "at this sharing", {"symbol": "circle", "color": colours["kv"], "size": 12 * stroke}),
        (
            released,
            "as released",
            {"symbol": "diamond-open", "color": colours["ink"], "size": 11 * stroke, "line": {"width": 1.8 * stroke}},
        ),
    )
    for values, name, marker in marks:
        text = [f"{model}, {name}: {label(v)}" for model, v in zip(names, values)]
        fig.add_scatter(
            x=values, y=rows, mode="markers", marker=marker, name=name, text=text, hovertemplate="%{text}<extra></extra>"
        )
    values, texts = byte_ticks(min(moved) / 2, max(multi_head) * 2, label)
    fig.update_xaxes(type="log", tickvals=values, ticktext=texts, side="top", fixedrange=True)
    fig.update_yaxes(
        tickvals=rows, ticktext=list(names), range=[-0.7, len(names) - 0.3], gridcolor="rgba(0,0,0,0)", fixedrange=True
    )
    fig.update_yaxes(tickfont={"color": colours["ink"]})
    fig.update_layout(
        showlegend=True, legend={"orientation": "h", "y": 0, "yanchor": "top", "x": 0, "font": {"color": colours["soft"]}}
    )
    fig.data[0].showlegend = False
    return fig
