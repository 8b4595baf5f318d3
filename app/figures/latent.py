"""Figures of a latent cache: the bottleneck with true widths, both forms of the arithmetic, real models, runs at equal cache."""

import networkx as nx
import numpy as np
import plotly.graph_objects as go

from app.figures.kinds import DECADES, Against, Line, Marks, Models, Sample, Seeds
from app.figures.plot import blank, curve, dots

HUES = {"x": "soft", "latent": "latent", "key": "kv", "r": "kv", "k": "latent", "v": "latent", "q": "query", "s": "query"}
HALF = 0.13  # half the height of a box; rows are 1 apart
WORDS = {"expanded": "expanded", "absorbed": "absorbed", "kept": "multi-head"}


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
        layers.setdefault((hue, 0.05 if quiet else 0.18), []).append(flow(graph, edge))
    for (hue, opacity), shapes in layers.items():
        x, y = (np.concatenate(parts) for parts in zip(*shapes))
        fig.add_scatter(
            x=x, y=y, mode="lines", fill="toself", fillcolor=colours[hue], line={"width": 0}, opacity=opacity, hoverinfo="skip"
        )


def bottleneck(
    graph: nx.DiGraph, whole: nx.DiGraph, widest: float, head: int | None, colours: dict, stroke: float = 1.0
) -> go.Figure:
    """x above, what is kept in the middle, the heads below; `whole` (the latent not cut down) is an outline behind. `widest` is
    the width of the widest row of any setting, so that pictures compare."""
    fig = blank(colours, 190, stroke)
    flows(fig, graph, colours, head)
    full, here = whole.nodes["latent"], graph.nodes["latent"]
    behind = [outline(full, here["pos"][0], colours)] if full["width"] > here["width"] else []
    # all at once: Plotly checks a layout anew with every shape that is added alone
    fig.update_layout(
        shapes=behind + [box(node, colours, head) for _, node in graph.nodes(data=True)],
        annotations=captions(graph, widest, colours, stroke),
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        xaxis={"visible": False, "range": [-widest / 2 - 2, widest / 2 + 2]},
        yaxis={"visible": False, "range": [-0.62, 2.42]},
    )
    return fig


def box(node: dict, colours: dict, head: int | None) -> dict:
    """One bar as wide as it has numbers; values, and queries for the rotated key, are lighter."""
    (x, y), half = node["pos"], node["width"] / 2
    quiet = head is not None and node["head"] not in (-1, head)
    return {
        "type": "rect", "x0": x - half, "x1": x + half, "y0": y - HALF, "y1": y + HALF, "line": {"width": 0},
        "fillcolor": colours[HUES[node["kind"]]], "opacity": 0.25 if quiet else 0.62 if node["kind"] in "vs" else 1.0,
    }  # fmt: skip


def outline(node: dict, x: float, colours: dict) -> dict:
    """The latent before it was cut down."""
    half, line = node["width"] / 2, {"width": 1, "dash": "dot", "color": colours["latent"]}
    return {"type": "rect", "x0": x - half, "x1": x + half, "y0": 0.95 - HALF, "y1": 1.05 + HALF, "line": line}


def captions(graph: nx.DiGraph, widest: float, colours: dict, stroke: float) -> list[dict]:
    """What every row is: x above its bar, the heads below theirs, what is kept at the left, where there is room."""
    size, nodes = 12 * (0.6 + 0.4 * stroke), graph.nodes
    kept = [nodes[n]["width"] for n in ("latent", "key") if n in nodes]
    heads = max(d["head"] for _, d in nodes(data=True)) + 1
    first = [d for _, d in nodes(data=True) if d["head"] == 0]
    parts = {"k": "key", "r": "rope key", "v": "value", "q": "query", "s": "rope query"}
    widths, words = " + ".join(str(d["width"]) for d in first), ", ".join(parts[d["kind"]] for d in first)
    middle, left = {"x": 0, "xanchor": "center"}, {"x": -widest / 2 - 2, "xanchor": "left"}
    lines = (
        (2 + HALF, f"x, {nodes['x']['width']} numbers", "bottom", colours["soft"], middle),
        (1 + HALF, f"<b>kept: {' + '.join(map(str, kept))}</b>", "bottom", colours["latent"], left),
        (-HALF, f"{heads} heads of {widths} ({words})", "top", colours["ink"], middle),
    )
    return [
        {"y": y, "text": text, "showarrow": False, "yanchor": anchor, "font": {"color": colour, "size": size}, **at}
        for y, text, anchor, colour, at in lines
    ]


def ranks(cut: tuple, trained: tuple, colours: dict, stroke: float = 1.0) -> go.Figure:
    """Recall against the size of the latent: a line where the largest is cut down, diamonds where a model was trained at that
    size. The same for every size, so that the slider does not draw it again."""
    fig = blank(colours, 150, stroke)
    size = 12 * (0.6 + 0.4 * stroke)
    curve(fig, cut[0], cut[1], colours["latent"], 2.2 * stroke, "cut to %{x}: %{y:.2f}")
    dots(fig, trained[0], trained[1], colours["latent"], 9 * stroke, "trained at %{x}: %{y:.2f}", "diamond")
    fig.update_xaxes(title_text="numbers of the latent", range=[0, cut[0][-1] * 1.05], tickfont={"size": size})
    fig.update_yaxes(range=[-0.06, 1.12], tickvals=[0, 0.5, 1], tickfont={"size": size})
    return fig


def lines(name: str, contexts, values: dict, title: str, unit: str, column: str) -> Against:
    """One decode step of one layer of a real model against context: one line a form."""
    styles = {  # hue, width, dash, and where the name stands
        "absorbed": ("latent", 2.4, "solid", -1, "top left"), "expanded": ("query", 1.8, "dash", -1, "top left"),
        "kept": ("soft", 1.8, "dot", len(contexts) // 2, "bottom right"),
    }  # fmt: skip
    drawn = []
    for form, y in values.items():
        hue, width, dash, at, side = styles[form]
        drawn.append(Line(WORDS[form], y, hue, width, f" <b>{WORDS[form]}</b> ", at, side, dash=dash))
    subject, heads = f"{title[0].upper()}{title[1:]} of {name} for one token", tuple(f"{form}, {column}" for form in values)
    return Against(subject, tuple(drawn), contexts, title, DECADES, unit=f" {unit}", columns=heads, height=300)


def crossing(name: str, queries, values: dict, at: int, height: float) -> Against:
    """FLOPs of one layer against the tokens answered at once, with the point where the two forms cross."""
    lines = (
        Line("absorbed", values["absorbed"], "latent", 2.2, " <b>absorbed</b>", 0, "bottom right"),
        Line("expanded", values["expanded"], "query", 2.2, " <b>expanded</b>", 0, "top right", dash="dash"),
    )
    across = "tokens answered at once", "tokens at once", "for {} tokens at once"
    meets, remark = (at, height, f"{at:,} tokens at once") if at else None, f"expanded is cheaper from {at:,} on" if at else ""
    return Against(
        f"FLOPs of one layer of {name}", lines, queries, "FLOPs of one layer", {}, unit="FLOP", across=across, meets=meets,
        columns=("absorbed, FLOPs", "expanded, FLOPs"), remark=remark, height=300,
    )  # fmt: skip


def models(subject: str, names, multi_head, grouped, released, label) -> Models:
    """Real models: cache with multi-head attention (ring), with 8 KV heads (square), as released (filled)."""
    marks = (
        Marks("if multi-head", multi_head, "soft", "circle-open", 10, 2, "multi_head, B"),
        Marks("if 8 KV heads", grouped, "kv", "square-open", 10, 2, "grouped, B"),
        Marks("latent, as released", released, "latent", column="released, B"),
    )
    return Models(subject, names, marks, label, "latent", (0, 2), 0.4, heights=(70, 34))


def versus(subject: str, runs: tuple, ours: set, label, loss: str) -> Seeds:
    """One row a variant: circles at the slower rate and diamonds at the faster, open early and filled at the end; latent
    attention in its hue, its rivals in theirs."""
    rows, samples = list(dict.fromkeys(r.variant for r in runs))[::-1], []
    for r in runs:
        at, hue = rows.index(r.variant) + (-0.17 if r.fast else 0.17), "latent" if r.variant in ours else "kv"
        symbol, rate = ("diamond" if r.fast else "circle") + "-open" * r.early, "faster" if r.fast else "slower"
        name = f"{label(r.variant)}, {'early' if r.early else 'at the end'}, {rate}"
        samples.append(Sample(name, r.seeds, at, hue, symbol, (r.variant, rate, "early" if r.early else "end")))
    names = {at: f"<b>{label(v)}</b>" if v in ours else label(v) for at, v in enumerate(rows)}
    lanes, columns = {"range": [-0.6, len(rows) - 0.4]}, ("variant", "rate", "when", "seed", loss)
    height = 86 + 34 * len(rows)
    return Seeds(subject, tuple(samples), f"{loss} (log)", columns, names, lanes, upright=False, bar=0.15, height=height)
