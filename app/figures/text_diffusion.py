"""Figures of text diffusion: when each word was committed, two words at once, quality and cost against passes."""

import numpy as np
import plotly.graph_objects as go

from app.figures.kinds import ByCount, Style
from app.figures.plot import blank, mark, note

HUES = ("query", "window", "latent", "shared")
SYMBOLS = ("circle", "square", "diamond", "star")


def order(when: np.ndarray, words, colours: dict, stroke: float = 1.0) -> go.Figure:
    """when (L,): the pass that committed each place, 0 where it was given; beside it the stairs of reading from left to right."""
    fig = blank(colours, 230, stroke)
    places = np.arange(1, len(when) + 1)
    line = {"color": colours["soft"], "width": 1.4 * stroke, "shape": "hvh", "dash": "dot"}
    fig.add_scatter(
        x=places, y=places, mode="lines", line=line, hovertemplate="left to right: word %{x} in pass %{y}<extra></extra>"
    )
    made = when > 0
    text = [f"‘{word}’ ({i}): pass {n}" for i, (word, n) in enumerate(zip(words, when), 1) if n]
    marker = {"color": colours["kv"], "size": 8 * stroke, "symbol": "circle-open", "line": {"width": 2 * stroke}}
    fig.add_scatter(
        x=places[made], y=when[made], mode="markers", marker=marker, text=text, hovertemplate="%{text}<extra></extra>"
    )
    note(fig, len(when), len(when), "left to right ", colours["soft"], xanchor="right", yanchor="bottom")
    fig.update_xaxes(title_text="place in the text", range=[0.2, len(when) + 0.8], fixedrange=True)
    top = max(len(when), int(when.max(initial=1)))
    fig.update_yaxes(title_text="committed in pass", range=[0, top * 1.12], fixedrange=True)
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
        tickvals=[*range(width), *range(width + 1, 2 * width + 1)], ticktext=[*second, *second], fixedrange=True,
        gridcolor="rgba(0,0,0,0)", tickangle=-40 if width > 3 else 0,
    )  # fmt: skip
    fig.update_yaxes(tickvals=list(range(len(first)))[::-1], ticktext=list(first), fixedrange=True, gridcolor="rgba(0,0,0,0)")
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
    line = {"color": colours["query"], "width": 2.4 * stroke}
    fig.add_scatter(x=passes, y=flops, mode="lines", line=line, hovertemplate="%{x} passes: %{y:.3s}FLOPs<extra></extra>")
    fig.add_hline(y=level, line={"color": colours["shared"], "width": 2 * stroke, "dash": "dash"})
    marker = {"color": colours["query"], "size": 11 * stroke}
    fig.add_scatter(x=[now[0]], y=[now[1]], mode="markers", marker=marker, hoverinfo="skip")
    if measured is not None:
        ring = {"color": colours["ink"], "size": 11 * stroke, "symbol": "circle-open", "line": {"width": 1.6 * stroke}}
        fig.add_scatter(x=passes, y=measured, mode="markers", marker=ring, hoverinfo="skip")
    mark(fig, passes[-2], flops[-2], f"<b>{names[0]}</b>  ", colours["query"], "top left", 12 * stroke)
    mark(fig, passes[-1], level, names[1], colours["shared"], "top left", 12 * stroke)
    fig.update_xaxes(type="log", title_text="passes", tickvals=list(passes), ticktext=[f"{n:,}" for n in passes], fixedrange=True)
    fig.update_yaxes(type="log", title_text="FLOPs for one text", fixedrange=True, dtick=1, exponentformat="power")
    return fig


def waits(batches, denoiser, cached, turn: int, names, colours: dict, stroke: float = 1.0) -> go.Figure:
    """Seconds an answer against texts at once, both axes logarithmic; a line where the order turns."""
    fig = blank(colours, 300, stroke)
    for values, hue, dash, name, where, at in (
        (denoiser, "query", "solid", names[0], "top left", -5),
        (cached, "shared", "dash", names[1], "bottom right", -7),  # a long name: room for it on a phone
    ):
        line = {"color": colours[hue], "width": 2.4 * stroke, "dash": dash}
        fig.add_scatter(x=batches, y=values, mode="lines", line=line, hovertemplate="%{x} at once: %{y:.3g} s<extra></extra>")
        mark(fig, batches[at], values[at], name, colours[hue], where, 12 * stroke)
    if turn:
        fig.add_vline(x=turn, line={"color": colours["line"], "width": 1.5 * stroke})
    fig.update_xaxes(
        type="log", title_text="texts at once", tickvals=list(batches[::2]), ticktext=[f"{n:,}" for n in batches[::2]],
        fixedrange=True,
    )  # fmt: skip
    fig.update_yaxes(type="log", title_text="seconds for all of them, at best", fixedrange=True, dtick=1)
    return fig
