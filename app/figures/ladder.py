"""Ladders of layers side by side, aligned by depth: what mixes tokens, what mixes channels, what each layer keeps.

One column a model; the first layer is at the bottom. A rung is the mixer in the hue of what it keeps, the feed-forward part
beside it, and a bar as long as what the layer keeps at the context, on one scale for all columns: empty where nothing is kept.
"""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from app.figures.plot import CLEAR, blank, curve, larger, note
from core.shape.ladder import HUES, KINDS, Block, Rung, blocks_text
from core.units import count

MIXER, FFN, KEPT, BRACKET = (0.0, 0.26), (0.27, 0.36), (0.39, 0.75), 0.78  # of a column's width, which is 1
GAP = 0.04
TALL, SHORT, LEAST = 6.0, 150, 260  # pixels a layer, the least height, and that beyond which layers get thinner
WRAP = (40, 25, 16, 13)  # letters on a line of the heading, by the number of columns
HEAD, TIMES = (13, 13, 11, 9.5), (12, 12, 10, 9)  # sizes of the heading and of a bracket's number, likewise
PATTERNS = {"mla+indexer": "/", "compressed": ".", "chunked": "/", "shared": "-"}  # kinds that keep in the hue of another one
APART = 4  # rungs of so many pixels are kept apart by a line


def ladders(
    models: Mapping[str, tuple[Sequence[Rung], Sequence[Block]]], colours: dict, stroke: float = 1.0, height: int = 0,
    titles: bool = True, legend: bool = True,
) -> go.Figure:  # fmt: skip
    """{name: (rungs, folded blocks)} -> one figure, a column a model. `height` of the rungs in pixels; 0: the deepest decides."""
    deepest = max(len(rungs) for rungs, _ in models.values())
    longest = max(r.cache + r.state for rungs, _ in models.values() for r in rungs) or 1
    tall = height or round(max(SHORT, min(TALL * deepest, LEAST + 1.6 * deepest)))
    heads = [headed(name, blocks, len(models), colours) for name, (_, blocks) in models.items()] if titles else []
    top = round((10 + 18 * max(len(head) for head in heads)) * larger(stroke)) if titles else 6
    fig = blank(colours, tall + top + 40, stroke)
    fig.layout.meta = colours["paper"]  # what stands between rungs
    every = [(at, r) for at, (rungs, _) in enumerate(models.values()) for r in rungs]
    line = 1.0 if tall >= APART * deepest else 0.0
    mixers(fig, every, colours, line)
    ffns(fig, every, colours, line)
    memory(fig, every, longest, colours)
    for at, (_, blocks) in enumerate(models.values()):
        brackets(fig, at, blocks, TIMES[min(len(models), len(TIMES)) - 1] * larger(stroke), colours, stroke)
    for at, head in enumerate(heads):
        heading(fig, at, head, len(models), colours, stroke)
    frame(fig, len(models), deepest, legend, top, colours, stroke)
    return fig


def frame(fig: go.Figure, columns: int, deepest: int, legend: bool, top: int, colours: dict, stroke: float) -> None:
    """Axes: depth upwards, columns across; names of the hues below."""
    ticks = [1, *range(20, deepest - 6, 20), deepest] if deepest > 24 else [1, deepest]
    fig.update_xaxes(visible=False, range=[-GAP / 2, columns - GAP / 2])
    fig.update_yaxes(
        range=[-0.6, deepest - 0.4], tickvals=np.array(ticks) - 1, ticktext=[str(t) for t in ticks], gridcolor=CLEAR,
        linecolor=CLEAR,
    )  # fmt: skip
    fig.update_layout(
        barmode="overlay", bargap=0, showlegend=legend, margin={"t": top, "r": 4 if columns < 3 else 12},
        legend={
            "orientation": "h", "x": 0, "y": 0, "yanchor": "top",
            "font": {"color": colours["soft"], "size": 12 * larger(stroke)},
            "itemclick": False, "itemdoubleclick": False, "traceorder": "normal",
        },
    )  # fmt: skip


def bar(fig: go.Figure, rows, say, colour: str, name: str, opacity: float = 1.0, line: float = 0, pattern="", **more) -> None:
    """Rows (rung, from, to) as one trace of horizontal bars, on the axis across all columns; `say` writes a rung's text."""
    start, end = (np.array(values, dtype=float) for values in ([a for _, a, _ in rows], [b for _, _, b in rows]))
    fig.add_bar(
        orientation="h", base=start, x=end - start, y=np.array([r.index for r, _, _ in rows]), width=1.0, name=name,
        opacity=opacity, marker={
            "color": colour, "line": {"width": line, "color": fig.layout.meta},
            "pattern": {"shape": pattern, "fgcolor": fig.layout.meta, "bgcolor": colour, "size": 7, "solidity": 0.25},
        },
        text=[say(r) for r, _, _ in rows], textposition="none", hovertemplate="%{text}<extra></extra>", **more,
    )  # fmt: skip


def whole(r: Rung) -> str:
    """What a rung is and keeps."""
    lines = [f"<b>layer {r.index + 1}: {r.mixer}</b>", *([f"state {r.size}"] if r.size else []), f"feed-forward: {r.ffn}"]
    lines.append(f"{count(r.params)} parameters" + (f", {count(r.active)} active" if r.active != r.params else ""))
    return "<br>".join([*lines, *keeps(r)])


def keeps(r: Rung) -> list[str]:
    """What a rung keeps."""
    kept = [f"{r.cache:,} cached, {r.written:,} a token"] if r.cache else []
    return [*kept, *([f"{r.state:,} of state"] if r.state else [])] or ["nothing kept"]


def fed(r: Rung) -> str:
    """What mixes channels in a rung."""
    return f"<b>layer {r.index + 1}</b><br>{r.ffn}"


def left(r: Rung) -> str:
    """What a rung keeps, under its number."""
    return "<br>".join([f"<b>layer {r.index + 1}</b>", *keeps(r)])


def mixers(fig: go.Figure, every, colours: dict, line: float) -> None:
    """What mixes tokens: one trace a kind. Half of a rung with both a cache and a state is in the hue of each."""
    (low, high), middle = MIXER, sum(MIXER) / 2
    for kind, name in KINDS.items():
        rows = [(r, at + low, at + high) for at, r in every if r.kind == kind]
        if kind == "full":
            rows += [(r, at + low, at + middle) for at, r in every if r.kind == "full+state"]
        if kind == "state":
            rows += [(r, at + middle, at + high) for at, r in every if r.kind == "full+state"]
        if rows and HUES[kind] != "soft" and kind != "full+state":
            bar(fig, rows, whole, colours[HUES[kind]], name, 1.0, line, PATTERNS.get(kind, ""))


def ffns(fig: go.Figure, every, colours: dict, line: float) -> None:
    """What mixes channels: experts in their hue, a dense layer quiet."""
    for hue, name, opacity in (("soft", "dense", 0.45), ("routed", "experts", 1.0)):
        rows = [(r, at + FFN[0], at + FFN[1]) for at, r in every if r.ffn_hue == hue]
        if rows:
            bar(fig, rows, fed, colours[hue], name, opacity, line)


def memory(fig: go.Figure, every, longest: int, colours: dict) -> None:
    """What a layer keeps, as long as its share of the largest; state follows cache."""
    start, unit = KEPT[0], (KEPT[1] - KEPT[0]) / longest
    for hue in dict.fromkeys(HUES.values()):
        rows = [(r, at + start, at + start + unit * r.cache) for at, r in every if r.cache and r.hue == hue]
        if hue == "state":
            rows = [(r, at + start + unit * r.cache, at + start + unit * (r.cache + r.state)) for at, r in every if r.state]
        if rows:
            bar(fig, rows, left, colours[hue], "kept", 0.6, showlegend=False)


def brackets(fig: go.Figure, at: int, blocks: Sequence[Block], size: float, colours: dict, stroke: float) -> None:
    """A bracket over every block that repeats, with how often."""
    for block in blocks:
        if block.times > 1:
            low, high = block.start - 0.4, block.start + block.size * block.times - 0.6
            once, x = block.start + block.size - 0.6, at + BRACKET
            path = [x, x + 0.02, x + 0.02, x], [low, low, high, high]
            curve(fig, *path, colours["soft"], 1.2 * stroke, showlegend=False)
            curve(fig, [x, x], [low, once], colours["ink"], 2.4 * stroke, showlegend=False)
            note(fig, x + 0.03, (low + high) / 2, f"{block.times}×", colours["ink"], xanchor="left", font_size=size)


def headed(name: str, blocks: Sequence[Block], columns: int, colours: dict) -> list[str]:
    """The lines above a column: the model's name, and its layers folded."""
    width = WRAP[min(columns, len(WRAP)) - 1]
    folds = (f'<span style="color:{colours["soft"]}">{line}</span>' for line in wrapped(blocks_text(tuple(blocks)), width, 3))
    return [*(f"<b>{line}</b>" for line in textwrap.wrap(name, width)), *folds]


def heading(fig: go.Figure, at: int, head: list[str], columns: int, colours: dict, stroke: float) -> None:
    """Those lines, standing on top of a column."""
    fig.add_annotation(
        x=at, y=1, yref="paper", yanchor="bottom", xanchor="left", align="left", showarrow=False, text="<br>".join(head),
        yshift=4, font={"color": colours["ink"], "size": HEAD[min(columns, len(HEAD)) - 1] * larger(stroke)},
    )  # fmt: skip


def wrapped(text: str, width: int, most: int) -> list[str]:
    """A folded text in at most so many lines, broken before a plus sign where that is possible."""
    lines = [""]
    for part in text.replace(" + ", "\n+ ").split("\n"):
        if len(lines[-1]) + 1 + len(part) > width:
            lines += textwrap.wrap(part, width)
        else:
            lines[-1] = f"{lines[-1]} {part}".strip()
    lines = [line for line in lines if line]
    return lines if len(lines) <= most else [*lines[: most - 1], lines[most - 1] + " …"]
