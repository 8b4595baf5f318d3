"""Every seed of what a claim compares: a tiny strip for its row, as HTML, and a figure for the claim that is open."""

import html
import textwrap
from collections.abc import Sequence

import plotly.graph_objects as go

from app.figures.plot import blank, dots
from core.lessons.evidence import Side

WIDEST, LINE = 42, 17  # characters of a name in one line of the figure, the height of that line in px
LABELLED = 4  # more sides than this stand closer together, without their names


def short(value: float) -> str:
    """A value at the end of a scale."""
    return f"{value:.3g}"


def strip(sides: Sequence[Side], places: Sequence[Sequence[float]], names: Sequence[str], ends: tuple[float, float]) -> str:
    """One line a side, a dot a run at its place from 0 to 1, the ends of the scale below; "" without runs."""
    if not sides:
        return ""
    said = "; ".join(f"{name}: {', '.join(map(short, s.values))}" for name, s in zip(names, sides))
    dense = len(sides) > LABELLED
    own, shared = own_and_shared(names)
    lanes = "".join(_lane("" if dense else name, at) for name, at in zip(own, places))
    low, high = (short(v) for v in ends)
    numbers = f"<span>{low}</span><span>{high}</span>" if low != high else f"<span class=one>{low}</span>"
    what = f"{len(sides)} sides: {shared}".rstrip(": ") if dense else shared
    scale = f'<small><em title="{html.escape(what)}">{html.escape(what)}</em>{numbers}</small>'
    kind = "cw-seeds dense" if dense else "cw-seeds"
    return f'<div class="{kind}" role="img" aria-label="{html.escape(said)}">{lanes}{scale}</div>'


def _lane(name: str, places: Sequence[float]) -> str:
    dots = "".join(f'<i style="left:{100 * p:.1f}%"></i>' for p in places)
    label = f'<span title="{html.escape(name)}">{html.escape(name)}</span>' if name else ""
    return f"<div>{label}<b>{dots}</b></div>"


def spread(
    sides: Sequence[Side], names: Sequence[str], runs: Sequence[Sequence[str]], ends: tuple[float, float], colours: dict,
    stroke: float = 1.0,
) -> go.Figure:  # fmt: skip
    """One line a side under its name: a dot a run, a bar at the mean; what all sides share is the title of the axis."""
    n, (own, shared) = len(sides), own_and_shared(names)
    texts = [textwrap.wrap(name, round(WIDEST / stroke)) for name in own]
    room = LINE * stroke * (max(map(len, texts), default=1) - 1)  # of names that take several lines
    fig = blank(colours, (45 + room) * n + 60 + room, stroke)
    fig.update_layout(margin={"t": 10 + room})
    for i, (side, lines) in enumerate(zip(sides, texts)):
        label = {"text": "<br>".join(map(html.escape, lines)), "align": "left", "xanchor": "left", "yanchor": "bottom"}
        fig.add_annotation(x=0, xref="paper", y=i - 0.16, showarrow=False, font={"size": 12 * stroke}, **label)
        at, line = {"x0": side.mean, "x1": side.mean, "y0": i - 0.16, "y1": i + 0.2}, {"color": colours["ink"], "width": 2}
        fig.add_shape(type="line", line=line, **at)
    xs = [v for side in sides for v in side.values]
    ys = [i for i, side in enumerate(sides) for _ in side.values]
    text = [f"{run}: {v:.4g}" for side, each in zip(sides, runs) for run, v in zip(each, side.values)]
    dots(fig, xs, ys, colours["query"], 9 * stroke, opacity=0.75, text=text)
    pad, title = 0.06 * (ends[1] - ends[0]) or 0.5, "<br>".join(textwrap.wrap(shared, round(WIDEST / stroke)))
    fig.update_xaxes(range=[ends[0] - pad, ends[1] + pad], nticks=5, tickformat=".3~g", title_text=title)
    fig.update_yaxes(range=[n - 0.6, -0.95], showticklabels=False, tickvals=list(range(n)))
    return fig


def own_and_shared(names: Sequence[str]) -> tuple[list[str], str]:
    """Names without the words at their ends that all share, and those words: ["a, loss", "b, loss"] -> ["a", "b"], "loss"."""
    parts, head = [name.split(", ") for name in names], []
    tail: list[str] = []
    while is_shared(parts, -1):
        tail.insert(0, parts[0][-1])
        parts = [p[:-1] for p in parts]
    while is_shared(parts, 0):
        head.append(parts[0][0])
        parts = [p[1:] for p in parts]
    return [", ".join(p) for p in parts], ", ".join(head + tail)


def is_shared(parts: list[list[str]], at: int) -> bool:
    """Do several names share the words at one end, with something left beside them?"""
    return len(parts) > 1 and all(len(p) > 1 for p in parts) and len({p[at] for p in parts}) == 1
