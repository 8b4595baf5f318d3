"""Figures of models side by side: one cost of each against context, and the tokens at which two of them change places."""

import numpy as np
import plotly.graph_objects as go

from app.figures.plot import blank, context_axis, curve, dots, legend, si, type_size, upright
from core.lessons.compare.crossings import Curves
from core.units import binary

TICKS = {"256": 256, "1k": 1 << 10, "4k": 4 << 10, "16k": 16 << 10, "64k": 64 << 10, "256k": 256 << 10, "1M": 1 << 20} | {
    "4M": 4 << 20,
    "16M": 16 << 20,
}
AXES = {"kept": "cache and state of one sequence", "arithmetic": "FLOPs of one token"}
TALL = 330
DASHES = ("solid", "solid", "dash", "dot")  # of the first model, which is in ink, and of the others, in the hue of what they keep


def against(c: Curves, hues: dict[str, str], quantity: str, context: int, small: bool, colours: dict, stroke: float) -> go.Figure:
    """One cost of every side against context; a small one names no axis."""
    title, label = "" if small else AXES[quantity], binary if quantity == "kept" else None
    height = (200 + 18 * len(hues) if small else TALL) + (100 if stroke > 1 else 0)
    hues = {name: "ink" if i == 0 else hue for i, (name, hue) in enumerate(hues.items())}
    return curves(c.contexts, c.values, hues, c.crossings, context, label, title, height, colours, stroke)


def curves(
    contexts, values: dict, hues: dict, crossings, context: int, label, title: str, height: int, colours: dict, stroke: float
) -> go.Figure:  # fmt: skip
    """{model: values (n,)} against contexts (n,), both axes logarithmic; a ring at each crossing (tokens, value). `label` writes
    bytes; None: FLOPs."""
    fig = blank(colours, height, stroke)
    for (name, y), dash in zip(values.items(), DASHES):
        hover = f"{name}: %{{y:.3s}}FLOP at %{{x:,}} tokens"
        text = [f"{name}: {label(v)} at {n:,} tokens" for n, v in zip(contexts, y)] if label else None
        curve(fig, contexts, y, colours[hues[name]], 2.6 * stroke, hover, dash, name=name, text=text)
    for n, value in ends(crossings):
        dots(fig, [n], [value], colours["saved"], 13 * stroke, "", "circle-open", 2.6 * stroke, showlegend=False)
        flag(fig, n, value, np.log10(n / contexts[0]) / np.log10(contexts[-1] / contexts[0]), colours, stroke)
    upright(fig, context, "context", colours, stroke, log=True, side="right")
    context_axis(fig, TICKS, contexts[0], contexts[-1])
    every = np.concatenate(list(values.values()))
    ticks, texts = flop_ticks(every) if label is None else size_ticks(every, label, 7 / stroke)
    fig.update_yaxes(type="log", title_text=title, tickvals=ticks, ticktext=texts)
    legend(fig, colours, y=0, yref="container", yanchor="bottom")
    fig.update_layout(margin={"r": 16 * stroke, "t": 24 * stroke, "b": 72 * stroke})
    return fig


def ends(crossings) -> list[tuple[int, int]]:
    """The first and the last crossing, where there are many."""
    found = [(n, value) for n, value, *_ in crossings]
    return found if len(found) < 3 else [found[0], found[-1]]


def flag(fig: go.Figure, n: int, value: int, along: float, colours: dict, stroke: float) -> None:
    """The tokens of a crossing beside its ring: to the lower right in the left half of the picture, else to the upper left."""
    side = 1 if along < (0.5 if stroke == 1 else 0.3) else -1
    fig.add_annotation(
        x=np.log10(n), y=np.log10(value), ax=38 * side, ay=34 * side, text=f"<b>{n:,}</b>" + " tokens" * (stroke == 1),
        arrowhead=0, arrowwidth=1.4 * stroke, arrowcolor=colours["saved"], standoff=7 * stroke, bgcolor=colours["paper"],
        borderpad=2, xanchor="left" if side > 0 else "right", font={"color": colours["saved"], "size": type_size(stroke) + 1},
    )  # fmt: skip


def size_ticks(values, label, most: float) -> tuple[list[float], list[str]]:
    """Powers of two for bytes, about so many: the coarser, the further the values are apart."""
    low, high = np.log2(max(values.min(), 1)), np.log2(max(values.max(), 2))
    step = next(s for s in (1, 2, 5, 10) if (high - low) / s < most or s == 10)
    exponents = [k for k in range(0, 64) if low - 1 <= k <= high + 1 and k % step == 0]
    return [2.0**k for k in exponents], [label(2.0**k).replace(".00", "").replace(".0", "") for k in exponents]


def flop_ticks(values) -> tuple[list[float], list[str]]:
    """Powers of ten, and twice and five times them where they are few."""
    low, high = values.min() / 1.5, values.max() * 1.5
    leads = (1, 2, 5) if high / low < 1000 else (1,)
    ticks = [lead * 10.0**k for k in range(20) for lead in leads if low <= lead * 10.0**k <= high]
    return ticks, [si(v) for v in ticks]
