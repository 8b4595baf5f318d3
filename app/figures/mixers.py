"""Figures that put every mixer side by side: recall against the bytes it takes, bytes against tokens, real models."""

import numpy as np
import plotly.graph_objects as go

from app.figures.kinds import ROOM, Marks, Models
from app.figures.plot import TEXT, blank, byte_ticks, curve, note, type_size, upright

HIGH = 300.0  # px of the plot that names are placed for
SIDES = [  # where a name may stand beside its mark, nearest first: shift in px, and how it is anchored
    (9, 0, "left", "middle"), (0, 9, "center", "bottom"), (0, -9, "center", "top"), (-9, 0, "right", "middle"),
    (8, 11, "left", "bottom"), (8, -11, "left", "top"), (-8, 11, "right", "bottom"), (-8, -11, "right", "top"),
    *((x, -16 * k, side, "top") for k in range(1, 9) for x, side in ((10, "left"), (0, "center"), (-10, "right"))),
    *((x, 16 * k, side, "bottom") for k in range(1, 9) for x, side in ((10, "left"), (0, "center"), (-10, "right"))),
]  # fmt: skip
NEAR = 14  # px: a name that stands farther off has a line to its mark


def pareto(points, said, loud: set[str], label, wide: float, colours: dict, stroke: float = 1.0) -> go.Figure:
    """Recall against bytes (log). Small marks are seeds, large ones their mean, diamonds hybrids; the line joins what none beats;
    the variants in `loud` are named, as fits a plot `wide` px wide."""
    fig = blank(colours, 380, stroke)
    front = sorted((p for p in points if p.best), key=lambda p: p.bytes)
    curve(fig, [p.bytes for p in front], [p.mean for p in front], colours["saved"], 1.6 * stroke, shape="hv")
    for p in sorted(points, key=lambda p: p.variant in loud):
        seen, symbol = p.variant in loud, "diamond" if p.variant.endswith("3-1") else "circle"
        opacity = 1.0 if seen else 0.35
        spread = {"color": colours[p.hue], "size": 4 * stroke, "opacity": 0.5 * opacity}
        text = [f"{said(p.variant)}, one seed: {v:.3f} in {label(p.bytes)}" for v in p.recall]
        fig.add_scatter(x=[p.bytes] * len(p.recall), y=p.recall, mode="markers", marker=spread, text=text, hovertemplate=TEXT)
        ring = {"color": colours["saved"], "width": 2.4 * stroke} if p.best else {"color": colours["paper"], "width": 1}
        mark = {"color": colours[p.hue], "size": 11 * stroke, "symbol": symbol, "opacity": opacity, "line": ring}
        text = [f"{said(p.variant)}: {p.mean:.3f} in {label(p.bytes)}"]
        fig.add_scatter(x=[p.bytes], y=[p.mean], mode="markers", marker=mark, text=text, hovertemplate=TEXT)
    sizes = [p.bytes for p in points]
    low, high = np.log10(min(sizes)) - 0.1, np.log10(max(sizes)) + 0.3
    for p, side in placed(points, loud, said, low, high, wide):
        name(fig, p, said(p.variant), side, colours)
    values = [v for v in (2048.0 * 4**k for k in range(6)) if 10**low <= v <= 10**high]
    ticks = [f"{v / 1024:g} KiB" for v in values]
    fig.update_xaxes(type="log", range=[low, high], tickvals=values, ticktext=ticks, tickangle=0)
    fig.update_xaxes(title_text="bytes held after the prompt (log)")
    fig.update_yaxes(title_text="recall", range=[-0.06, 1.1])
    fig.update_annotations(font_size=type_size(stroke) - 0.5)
    return fig


def name(fig: go.Figure, point, text: str, side: tuple, colours: dict) -> None:
    """A name beside its mark, with a line to it where it stands far off."""
    dx, dy, anchor, over = side
    where = {"x": np.log10(point.bytes), "y": point.mean, "xanchor": anchor, "yanchor": over, "text": text}
    where |= {"font": {"color": colours["ink" if point.best else "soft"]}, "bgcolor": colours["paper"], "borderpad": 0}
    if abs(dy) > NEAR:
        line = {"arrowhead": 0, "arrowwidth": 0.8, "arrowcolor": colours["soft"], "standoff": 4}
        fig.add_annotation(**where, showarrow=True, ax=dx, ay=-dy, **line)
    else:
        fig.add_annotation(**where, showarrow=False, xshift=dx, yshift=dy)


def placed(points, loud: set[str], said, low: float, high: float, wide: float) -> list[tuple]:
    """(point, side) for each name: the first side where it stands on no other name and on no other mark."""
    at = {p.variant: (wide * (np.log10(p.bytes) - low) / (high - low), HIGH * (p.mean + 0.06) / 1.16) for p in points}
    marks = {variant: (x - 6, y - 6, x + 6, y + 6) for variant, (x, y) in at.items()}
    names: list[tuple] = []
    result = []
    for p in sorted((p for p in points if p.variant in loud), key=lambda p: (-p.mean, p.bytes)):
        taken = names + [mark for variant, mark in marks.items() if variant != p.variant]
        boxes = [box(*at[p.variant], said(p.variant), side) for side in SIDES]
        free = [i for i, b in enumerate(boxes) if inside(b, wide) and not any(overlap(b, other) for other in taken)]
        i = free[0] if free else 0
        names.append(boxes[i])
        result.append((p, SIDES[i]))
    return result


def box(x: float, y: float, text: str, side: tuple) -> tuple[float, float, float, float]:
    """The rectangle of a name: left, bottom, right, top."""
    dx, dy, anchor, over = side
    wide, high = 6.6 * len(text), 15.0
    left = x + dx - wide * {"left": 0, "center": 0.5, "right": 1}[anchor]
    bottom = y + dy - high * {"bottom": 0, "middle": 0.5, "top": 1}[over]
    return left, bottom, left + wide, bottom + high


def inside(rectangle, wide: float) -> bool:
    """Does it lie in the plot?"""
    return rectangle[0] > 0 and rectangle[1] > 0 and rectangle[2] < wide and rectangle[3] < HIGH


def overlap(a, b) -> bool:
    """Do two rectangles share a point?"""
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def growth(lengths, lines: dict, hues: dict, said, tokens: int, colours: dict, stroke: float = 1.0) -> go.Figure:
    """Bytes of every mixer against tokens, both axes logarithmic; a line where the prompt ends."""
    fig = blank(colours, 380, stroke)
    every = np.log10(np.concatenate(list(lines.values())))
    apart, below = (every.max() - every.min()) * 16 / 320, -np.inf  # names keep a distance
    for name, y in sorted(lines.items(), key=lambda item: item[1][-1]):
        curve(fig, lengths, y, colours[hues[name]], 2 * stroke, f"{said(name)}: %{{y:,}} B at %{{x}} tokens")
        below = max(np.log10(y[-1]), below + apart)
        note(fig, np.log10(lengths[-1]), below, said(name), colours[hues[name]], xanchor="left", xshift=6)
    upright(fig, tokens, f"{tokens} tokens", colours, stroke, log=True, side="right")
    ticks = [n for n in (1, 4, 16, 64, 256, 1024) if n <= lengths[-1]]
    fig.update_xaxes(type="log", title_text="tokens", tickvals=ticks, range=[0, np.log10(lengths[-1])])
    top = max(y.max() for y in lines.values())
    values = [1024.0 * 4**k for k in range(8) if 1024.0 * 4**k <= 2 * top]
    fig.update_yaxes(type="log", title_text="cache and state", tickvals=values)
    fig.update_yaxes(ticktext=[f"{v / 1024:,.0f} KiB" for v in values])
    fig.update_layout(margin={"r": 136 * stroke, "t": 24 * stroke})
    return fig


def models(subject: str, names, state, cache, label) -> Models:
    """Real models: bytes of the constant state and of the growing cache."""
    marks = (
        Marks("state, constant", state, "state", size=11, column="state, B"),
        Marks("cache, grows", cache, "kv", "diamond", 11, column="cache, B"),
    )
    values, texts = byte_ticks(1, 16.0**11, label)
    ticks = dict(zip(texts[::2], values[::2]))
    return Models(subject, names, marks, label, "kv", (), room=ROOM, ticks=ticks, heights=(84, 25))
