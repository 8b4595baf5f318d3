"""Figures of a latent cache: the bottleneck with true widths, both forms of the arithmetic, real models, runs at equal cache."""

import networkx as nx
import numpy as np
import plotly.graph_objects as go

from app.figures.plot import blank, byte_ticks, mark

HUES = {"x": "soft", "latent": "latent", "key": "kv", "r": "kv", "k": "latent", "v": "latent", "q": "query"}
HALF = 0.13  # half the height of a box; rows are 1 apart
WORDS = {"expanded": "expanded", "absorbed": "absorbed", "kept": "as multi-head, all kept"}


def flow(graph: nx.DiGraph, edge: tuple) -> tuple[list[float], list[float]]:
    """The outline of one flow, from the whole lower side of a box to the whole upper side of the next: x, y."""
    (xa, ya), (xb, yb) = (graph.nodes[n]["pos"] for n in edge)
    wa, wb = (graph.nodes[n]["width"] / 2 for n in edge)
    t = np.linspace(0, 1, 12)
    ease = 3 * t**2 - 2 * t**3
    y = ya - HALF + (yb - ya + 2 * HALF) * t
    left, right = (xa - wa) + (xb - wb - xa + wa) * ease, (xa + wa) + (xb + wb - xa - wa) * ease
    return [*left, *right[::-1], left[0], np.nan], [*y, *y[::-1], y[0], np.nan]


def flows(fig: go.Figure, graph: nx.DiGraph, colours: dict, head: int | None) -> None:
    """Every flow, those of other heads than `head` stepped back."""
    layers: dict[tuple[str, float], list] = {}
    for edge in graph.edges:
        target = graph.nodes[edge[1]]
        source = HUES[graph.nodes[edge[0]]["kind"]]
        quiet = head is not None and target["head"] not in (-1, head)
        hue = HUES[target["kind"]] if source == "soft" else source
        layers.setdefault((hue, 0.05 if quiet else 0.2), []).append(flow(graph, edge))
    for (hue, opacity), shapes in layers.items():
        x, y = (np.concatenate(parts) for parts in zip(*shapes))
        fig.add_scatter(
            x=x, y=y, mode="lines", fill="toself", fillcolor=colours[hue], line={"width": 0}, opacity=opacity, hoverinfo="skip"
        )


def bottleneck(
    graph: nx.DiGraph, whole: nx.DiGraph, widest: float, colours: dict, head: int | None = None, stroke: float = 1.0
) -> go.Figure:
    """x above, what is kept in the middle, the heads below; `whole` (the latent not cut down) is an outline behind. `widest` is
    the width of the widest row of any setting, so that pictures compare."""
    fig = blank(colours, 190, stroke)
    flows(fig, graph, colours, head)
    full = whole.nodes["latent"]
    if full["width"] > graph.nodes["latent"]["width"]:
        outline(fig, full, graph.nodes["latent"]["pos"][0], colours)
    for _, node in graph.nodes(data=True):
        box(fig, node, colours, head)
    captions(fig, graph, widest, colours, stroke)
    fig.update_xaxes(visible=False, range=[-widest / 2 - 2, widest / 2 + 2], fixedrange=True)
    fig.update_yaxes(visible=False, range=[-0.62, 2.42], fixedrange=True)
    fig.update_layout(margin={"l": 0, "r": 0, "t": 0, "b": 0})
    return fig


def box(fig: go.Figure, node: dict, colours: dict, head: int | None) -> None:
    """One bar as wide as it has numbers; values are hatched by a lighter fill, the rotated key stands alone."""
    (x, y), half = node["pos"], node["width"] / 2
    quiet = head is not None and node["head"] not in (-1, head)
    fig.add_shape(
        type="rect", x0=x - half, x1=x + half, y0=y - HALF, y1=y + HALF, line={"width": 0},
        fillcolor=colours[HUES[node["kind"]]], opacity=0.25 if quiet else 0.62 if node["kind"] == "v" else 1.0,
    )  # fmt: skip


def outline(fig: go.Figure, node: dict, x: float, colours: dict) -> None:
    """The latent before it was cut down."""
    half = node["width"] / 2
    line = {"width": 1, "dash": "dot", "color": colours["latent"]}
    fig.add_shape(type="rect", x0=x - half, x1=x + half, y0=1 - HALF - 0.05, y1=1 + HALF + 0.05, line=line)


def captions(fig: go.Figure, graph: nx.DiGraph, widest: float, colours: dict, stroke: float) -> None:
    """What every row is, at the left where there is room, and the numbers of what is kept beside it."""
    size, nodes = 12 * (0.6 + 0.4 * stroke), graph.nodes
    kept = [nodes[n]["width"] for n in ("latent", "key") if n in nodes]
    heads = max(d["head"] for _, d in nodes(data=True)) + 1
    of_head = " + ".join(f"{d['width']}" for n, d in nodes(data=True) if d["head"] == 0)
    parts = {"k": "key", "r": "rope", "v": "value", "q": "query"}
    words = ", ".join(parts[d["kind"]] for _, d in nodes(data=True) if d["head"] == 0)
    lines = (
        (2, HALF, f"x, {nodes['x']['width']} numbers", "bottom", colours["soft"]),
        (1, HALF, f"<b>kept: {' + '.join(map(str, kept))}</b>", "bottom", colours["latent"]),
        (0, -HALF, f"{heads} heads of {of_head} ({words})", "top", colours["ink"]),
    )
    for y, shift, text, anchor, colour in lines:
        at = {"x": 0, "xanchor": "center"} if y != 1 else {"x": -widest / 2 - 2, "xanchor": "left"}
        fig.add_annotation(y=y + shift, text=text, showarrow=False, yanchor=anchor, font={"color": colour, "size": size}, **at)


def lines(contexts, values: dict, title: str, unit: str, colours: dict, dashes: dict, stroke: float = 1.0) -> go.Figure:
    """One decode step of one layer against context, log-log: one line a form, its name at its end."""
    fig = blank(colours, 300, stroke)
    hues = {"absorbed": "latent", "expanded": "query", "kept": "soft"}
    for form, y in values.items():
        line = {"color": colours[hues[form]], "width": (2.4 if form == "absorbed" else 1.8) * stroke, "dash": dashes[form]}
        hover = f"{WORDS[form]}: %{{y:.3s}} {unit} at %{{x:,}} tokens<extra></extra>"
        fig.add_scatter(x=contexts, y=y, mode="lines", line=line, hovertemplate=hover)
        mark(fig, contexts[-1], y[-1], f"<b>{WORDS[form]}</b> ", colours[hues[form]], "top left", 13 * (1 + 0.45 * (stroke - 1)))
    ticks = [1024, 4096, 16384, 65536, 131072]
    words = ["1k", "4k", "16k", "64k", "128k"]
    fig.update_xaxes(type="log", title_text="context, tokens", tickvals=ticks, ticktext=words, fixedrange=True)
    fig.update_yaxes(type="log", title_text=title, fixedrange=True, dtick=1, exponentformat="SI", minor={"showgrid": False})
    return fig


def crossing(queries, values: dict, at: int, height: float, colours: dict, stroke: float = 1.0) -> go.Figure:
    """FLOPs of one layer against the tokens answered at once, log-log, with the point where the two forms cross."""
    fig = blank(colours, 300, stroke)
    size = 13 * (1 + 0.45 * (stroke - 1))
    for form, hue, dash, position in (
        ("expanded", "query", "dash", "top right"),
        ("absorbed", "latent", "solid", "bottom right"),
    ):
        line = {"color": colours[hue], "width": 2.2 * stroke, "dash": dash}
        hover = f"{form}: %{{y:.3s}}FLOP for %{{x:,}} tokens at once<extra></extra>"
        fig.add_scatter(x=queries, y=values[form], mode="lines", line=line, hovertemplate=hover)
        mark(fig, queries[0], values[form][0], f" <b>{form}</b>", colours[hue], position, size)
    if at:
        ring = {"symbol": "circle-open", "size": 12 * stroke, "color": colours["ink"], "line": {"width": 2 * stroke}}
        fig.add_scatter(x=[at], y=[height], mode="markers", marker=ring, hovertemplate=f"{at:,} tokens at once<extra></extra>")
        mark(fig, at, height, f"{at:,} tokens at once  ", colours["ink"], "top left", size)
    fig.update_xaxes(type="log", title_text="tokens answered at once", dtick=1, tickformat=",", fixedrange=True)
    fig.update_yaxes(
        type="log", title_text="FLOPs of one layer", fixedrange=True, dtick=1, exponentformat="SI", minor={"showgrid": False}
    )
    return fig


def models(names, multi_head, grouped, released, label, colours: dict, stroke: float = 1.0) -> go.Figure:
    """Real models: cache with multi-head attention (ring), with 8 KV heads (square), as released (filled)."""
    fig = blank(colours, 70 + 34 * len(names), stroke)
    rows = np.arange(len(names))[::-1]
    x = np.stack([multi_head, released, np.full(len(names), np.nan)], 1).ravel()
    y = np.stack([rows, rows, rows], 1).ravel().astype(float)
    line = {"color": colours["latent"], "width": 2.4 * stroke}
    fig.add_scatter(x=x, y=y, mode="lines", line=line, opacity=0.4, hoverinfo="skip", showlegend=False)
    hollow = {"width": 2 * stroke}
    marks = (
        (multi_head, "if multi-head", {"symbol": "circle-open", "color": colours["soft"], "size": 10 * stroke, "line": hollow}),
        (grouped, "if 8 KV heads", {"symbol": "square-open", "color": colours["kv"], "size": 10 * stroke, "line": hollow}),
        (released, "latent, as released", {"symbol": "circle", "color": colours["latent"], "size": 12 * stroke}),
    )
    for values, name, marker in marks:
        text = [f"{model}, {name}: {label(v)}" for model, v in zip(names, values)]
        fig.add_scatter(
            x=values, y=rows, mode="markers", marker=marker, name=name, text=text, hovertemplate="%{text}<extra></extra>"
        )
    values, texts = byte_ticks(min(released) / 2, max(multi_head) * 2, label)
    fig.update_xaxes(type="log", tickvals=values, ticktext=texts, side="top", fixedrange=True)
    fig.update_yaxes(
        tickvals=rows, ticktext=list(names), range=[-0.7, len(names) - 0.3], gridcolor="rgba(0,0,0,0)", fixedrange=True,
        tickfont={"color": colours["ink"]},
    )  # fmt: skip
    fig.update_layout(
        showlegend=True, legend={"orientation": "h", "y": 0, "yanchor": "top", "x": 0, "font": {"color": colours["soft"]}}
    )
    return fig


def versus(runs: dict, ours: tuple, label, title: str, colours: dict, stroke: float = 1.0) -> go.Figure:
    """{variant: {"early", "end": {seed: loss}}}, one row a variant: open dots early, filled ones at the end, a bar at each mean;
    latent attention in its hue, its rivals in theirs."""
    fig = blank(colours, 86 + 31 * len(runs), stroke)
    for row, (variant, phases) in zip(range(len(runs))[::-1], runs.items()):
        colour = colours["latent" if variant in ours else "kv"]
        for when, seeds in phases.items():
            values = list(seeds.values())
            if not values:
                continue
            text = [f"{label(variant)}, {when}, seed {seed}: {value:.4f}" for seed, value in seeds.items()]
            symbol = "circle" if when == "end" else "circle-open"
            marker = {"color": colour, "size": 8 * stroke, "symbol": symbol, "opacity": 0.85, "line": {"width": 1.6 * stroke}}
            fig.add_scatter(
                x=values, y=[row] * len(values), mode="markers", marker=marker, text=text, hovertemplate="%{text}<extra></extra>"
            )
            mean, line = np.mean(values), {"color": colours["ink"], "width": 2 * stroke}
            fig.add_shape(type="line", x0=mean, x1=mean, y0=row - 0.28, y1=row + 0.28, line=line)
    names = [f"<b>{label(v)}</b>" if v in ours else label(v) for v in runs]
    fig.update_yaxes(
        tickvals=list(range(len(runs)))[::-1], ticktext=names, range=[-0.6, len(runs) - 0.4], fixedrange=True,
        tickfont={"color": colours["ink"]},
    )  # fmt: skip
    fig.update_xaxes(type="log", title_text=title, fixedrange=True, dtick=1, tickformat=".3~g", minor={"showgrid": False})
    return fig
