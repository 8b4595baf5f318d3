"""Figures of sliding windows: what can reach what through a stack, cache against context with its kink and limit, real models
with and without their windows, recall by distance."""

from dataclasses import replace

import numpy as np
import plotly.graph_objects as go

from app.figures.kinds import ROOM, Against, ByCount, Line, Marks, Models, Style
from app.figures.plot import CLEAR, TEXT, blank, context_axis, curve, label, mark, note, rings, type_size, upright

GLOBAL = "kv"  # the hue of what keeps every key and value
STYLES = (  # of each pattern, from all global to all local
    Style("soft", symbol="circle-open"), Style("kv", "dot", "diamond"), Style("kv", "dashdot", "square"), Style("window"),
    Style("routed", "dash", "x"),
)  # fmt: skip


# What can reach what


def reach(cone, nodes, local: tuple[bool, ...], words, source: int, target: int, colours: dict, stroke: float = 1.0) -> go.Figure:
    """Tokens across, layers up. Filled dots can still reach the target; the line is the strongest way there from the source."""
    levels, tokens = len(local) + 1, len(words)
    every = [(level, t) for level in range(levels) for t in range(tokens)]
    size = max(2.5, min(6.5, 190 / tokens)) * (0.5 + 0.5 * stroke)
    steps = list(zip(nodes, nodes[1:]))
    moves = [(a, b) for a, b in steps if a[1] != b[1]]
    traces = [
        places([node for node in every if node not in cone], words, colours["soft"], 0.4 * size, 0.45),
        places([node for node in every if node in cone], words, colours["window"], size, 0.8),
        *lines([step for step in steps if step not in moves], colours["ink"], 1.4 * stroke, "dot"),
        *lines([(a, b) for a, b in moves if local[a[0]]], colours["window"], 3 * stroke, "solid"),
        *lines([(a, b) for a, b in moves if not local[a[0]]], colours[GLOBAL], 3 * stroke, "solid"),
    ]
    marks, named = ends(words, source, target, levels - 1, bool(nodes), colours, stroke)
    names = ["words", *(f"{level}  {'local' if near else 'global'}" for level, near in enumerate(local, 1))]
    return blank(
        colours, 244, stroke, [*traces, marks],
        annotations=named,
        xaxis={"visible": False, "range": [-1.5, tokens + 0.5]},
        yaxis={"tickvals": list(range(levels)), "ticktext": names, "range": [-1.1, levels + 0.1],
               "gridcolor": CLEAR, "linecolor": CLEAR},
    )  # fmt: skip


def places(nodes, words, colour: str, size: float, opacity: float) -> dict:
    """Nodes as short dashes of one trace, which the browser draws faster than marks."""
    x = [value for _, t in nodes for value in (t - 0.3, t + 0.3, None)]
    y = [value for level, _ in nodes for value in (level, level, None)]
    text = [f"{words[t]} ({t + 1}), {floor(level)}" for level, t in nodes for _ in range(3)]
    line = {"color": colour, "width": size}
    return {"x": x, "y": y, "mode": "lines", "line": line, "opacity": opacity, "text": text, "hovertemplate": TEXT}


def floor(level: int) -> str:
    """Where a node stands."""
    return f"after layer {level}" if level else "as a word"


def lines(steps, colour: str, width: float, dash: str) -> list[dict]:
    """Steps of a way, each from one layer to the next, as one trace; none where there is no step."""
    x, y = ([value for a, b in steps for value in (a[i], b[i], None)] for i in (1, 0))
    line = {"color": colour, "width": width, "dash": dash}
    return [{"x": x, "y": y, "mode": "lines", "line": line, "hoverinfo": "skip"}] if steps else []


def ends(words, source: int, target: int, top: int, joined: bool, colours: dict, stroke: float) -> tuple[dict, list[dict]]:
    """The word that sets out and the token that wants it, rings where no way joins them, and their names."""
    hues, size = [colours[GLOBAL], colours["query"]], 10 * (0.5 + 0.5 * stroke)
    marker = {
        "color": hues,
        "size": size,
        "symbol": "circle" if joined else "circle-open",
        "line": {"width": 2 * stroke, "color": hues},
    }
    names = []
    for t, level, colour, side in ((source, 0, hues[0], -1), (target, top, hues[1], 1)):
        late = t > len(words) / 2
        place = {"xanchor": "right" if late else "left", "xshift": 6 if late else -6, "yshift": side * 15 * stroke}
        names.append(label(t, level, f"<b>{words[t]}</b> {t + 1}", colour, **place))
    return {"x": [source, target], "y": [0, top], "mode": "markers", "marker": marker, "hoverinfo": "skip"}, names


# Cache against context


def shares(x, lines, limits, points, values, ticks, context: int, colours: dict, stroke: float = 1.0) -> go.Figure:
    """What is kept of an all-global cache, against context: {name: share}; dashes are limits {name: share}, rings measured."""
    fig = blank(colours, 320, stroke)
    hues = dict(zip(lines, (colours["window"], colours["ink"])))
    for name, y in lines.items():
        curve(fig, x, y, hues[name], 2.6 * stroke, f"{name}: %{{y:.1%}} at %{{x:,}} tokens")
        fig.add_hline(y=limits[name], line={"color": hues[name], "width": 1.2 * stroke, "dash": "dash"}, opacity=0.7)
        knee = int(np.argmax(y < 0.75)) if (y < 0.75).any() else len(x) // 2
        mark(fig, x[knee], y[knee], f"  <b>{name}</b>", hues[name], "middle right", type_size(stroke))
    low, high = sorted(limits, key=limits.get)
    close = limits[high] - limits[low] < 0.06  # then one label stands below its line, one above
    for name, side in ((low, -1), (high, 1)):
        where = {"xanchor": "left", "xshift": 5, "yshift": 8 * side * close}
        note(fig, np.log10(x[-1]), limits[name], f"{limits[name]:.1%}", hues[name], **where)
    rings(fig, points, values, "measured: %{y:.1%} at %{x} tokens", colours, stroke)
    upright(fig, context, "context", colours, stroke, log=True, side="right")
    context_axis(fig, ticks, x[0], x[-1])
    fig.update_yaxes(title_text="share of an all-global cache", range=[0, 1.05], tickformat=".0%")
    fig.update_layout(margin={"r": 52 * stroke, "t": 24 * stroke})
    return fig


def memory(name: str, contexts, whole, released, ticks, kink: int, context: int, label) -> Against:
    """A real model's cache against context: with every layer global, and as released."""
    lines = (
        Line("every layer global", whole, "soft", 1.6, at=-6),
        Line("as released", released, "window", 2.8, at=-7, side="bottom right"),
    )
    marks, remark = ((kink, "window", "right"), (context, "context", "right")), f"they part at {kink:,} tokens"
    return Against(f"Cache of {name}", lines, contexts, "cache of one sequence", ticks, label, marks=marks, remark=remark)


def models(context: int, names, whole, released, label, chosen: int) -> Models:
    """Real models: cache with every layer global (grey ring) and as released (dot); the chosen model is in bold."""
    marks = (
        Marks("if every layer were global", whole, "soft", "circle-open", 10, 2, "every layer global, B"),
        Marks("as released", released, "window"),
    )
    return Models(
        f"Cache of {len(names)} real models at {context:,} tokens", names, marks, label, "window", chosen=chosen, room=ROOM
    )


# Recall by distance


def distances(patterns: dict[str, dict], chosen: str, bounds, label) -> ByCount:
    """{pattern: {distance: runs}}, the chosen one in a wide line; `bounds` are drawn across."""
    styles = {name: replace(style, width=3.0 if name == chosen else 1.6) for name, style in zip(patterns, STYLES)}
    subject, columns = f"Recall of {len(patterns)} patterns by distance", ("pattern", "tokens back", "seed", "recall")
    return ByCount(
        subject, patterns, label, "tokens from the question back to its answer", "recall", styles, columns, written=str,
        tick=lambda far: far.replace("-", "–"), each="{} back", levels=tuple((y, "") for y in bounds),
    )  # fmt: skip
