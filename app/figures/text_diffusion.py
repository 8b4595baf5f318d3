"""Figures of text diffusion: when each word was committed, two words at once, quality and cost against passes."""

import numpy as np
import plotly.graph_objects as go

from app.figures.kinds import Against, ByCount, Line, Style
from app.figures.plot import CLEAR, blank, curve, dots, mark, note

HUES = ("query", "window", "latent", "shared")
SYMBOLS = ("circle", "square", "diamond", "star")


def order(when: np.ndarray, words, colours: dict, stroke: float = 1.0) -> go.Figure:
    """when (L,): the pass that committed each place, 0 where it was given; beside it the stairs of reading from left to right."""
    fig = blank(colours, 230, stroke)
    places = np.arange(1, len(when) + 1)
    hover = "left to right: word %{x} in pass %{y}"
    curve(fig, places, places, colours["soft"], 1.4 * stroke, hover, "dot", "hvh")
    made = when > 0
    text = [f"‘{word}’ ({i}): pass {n}" for i, (word, n) in enumerate(zip(words, when), 1) if n]
    dots(fig, places[made], when[made], colours["kv"], 8 * stroke, "", "circle-open", 2 * stroke, text=text)
    note(fig, len(when), len(when), "left to right ", colours["soft"], xanchor="right", yanchor="bottom")
    fig.update_xaxes(title_text="place in the text", range=[0.2, len(when) + 0.8])
    top = max(len(when), int(when.max(initial=1)))
    fig.update_yaxes(title_text="committed in pass", range=[0, top * 1.12])
    return fig


def together(first, second, apart: np.ndarray, after: np.ndarray, names, colours: dict, stroke: float = 1.0) -> go.Figure:
    """Probabilities (A, B) of two words, drawn at once and one after the other: two blocks of one heatmap."""
    fig = blank(colours, 90 + 34 * max(3, len(first)), stroke)
    gap = np.full((len(first), 1), np.nan)
    z, width = np.hstack([apart, gap, after]), len(second)
    text = [["" if np.isnan(v) else f"{v:.0%}" for v in row] for row in z]
    scale = [[0, colours["card"]], [1, colours["query"]]]
    fig.add_heatmap(
        z=z, x=np.arange(2 * width + 1), y=np.arange(len(first))[::-1], zmin=0, zmax=float(np.nanmax(z)),
        colorscale=scale, showscale=False, xgap=2, ygap=2, text=text, texttemplate="%{text}", hoverinfo="skip",
        textfont={"size": 12 * (0.6 + 0.4 * stroke)},
    )  # fmt: skip
    for name, at in zip(names, ((width - 1) / 2, width + 1 + (width - 1) / 2)):
        note(fig, at, 1.0, f"<b>{name}</b>", colours["ink"], yref="paper", yanchor="bottom")
    fig.update_xaxes(
        tickvals=[*range(width), *range(width + 1, 2 * width + 1)], ticktext=[*second, *second],
        gridcolor=CLEAR, tickangle=-40 if width > 3 else 0,
    )  # fmt: skip
    fig.update_yaxes(tickvals=list(range(len(first)))[::-1], ticktext=list(first), gridcolor=CLEAR)
    fig.update_layout(margin={"t": 26 * stroke})
    return fig


def quality(subject: str, found: dict, title: str, what: str, levels: tuple[tuple[float, str], ...] = ()) -> ByCount:
    """{order: {passes: runs}}, with a level to compare with where the values are no shares."""
    styles = {name: Style(HUES[k % 4], symbol=SYMBOLS[k % 4]) for k, name in enumerate(found)}
    return ByCount(
        subject, found, str, "passes", title, styles, ("order", "passes", "run", what), each="{} passes", levels=levels,
        share=not levels, deviations=True,
    )  # fmt: skip


def work(passes, flops, level: int, now: tuple[int, int], measured, names, colours: dict, stroke: float = 1.0) -> go.Figure:
    """FLOPs against passes, and the level of a model that reads from left to right; the dot is what the controls hold, rings
    are measured."""
    fig = blank(colours, 300, stroke)
    curve(fig, passes, flops, colours["query"], 2.4 * stroke, "%{x} passes: %{y:.3s}FLOPs")
    fig.add_hline(y=level, line={"color": colours["shared"], "width": 2 * stroke, "dash": "dash"})
    dots(fig, [now[0]], [now[1]], colours["query"], 11 * stroke)
    if measured is not None:
        dots(fig, passes, measured, colours["ink"], 11 * stroke, "", "circle-open", 1.6 * stroke)
    mark(fig, passes[-2], flops[-2], f"<b>{names[0]}</b>  ", colours["query"], "top left", 12 * stroke)
    mark(fig, passes[-1], level, names[1], colours["shared"], "top left", 12 * stroke)
    fig.update_xaxes(type="log", title_text="passes", tickvals=list(passes), ticktext=[f"{n:,}" for n in passes])
    fig.update_yaxes(type="log", title_text="FLOPs for one text", dtick=1, exponentformat="power")
    return fig


def waits(subject: str, batches, denoiser, cached, turn: int, names, columns: tuple[str, str]) -> Against:
    """Seconds an answer takes against texts at once; a line where the order turns."""
    lines = (
        Line(columns[0].removesuffix(", s"), denoiser, "query", 2.4, names[0], -5),
        Line(columns[1].removesuffix(", s"), cached, "shared", 2.4, names[1], -7, "bottom right", dash="dash"),
    )  # the second name is long: there is room for it on a phone
    return Against(
        subject, lines, batches, "seconds for all of them, at best", {f"{n:,}": n for n in batches[::2]}, unit=" s", digits=".3g",
        across=("texts at once", "texts at once", "for {} at once"), marks=((turn, "", "left"),) * bool(turn), columns=columns,
        height=300,
    )  # fmt: skip
