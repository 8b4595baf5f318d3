"""Figures of gated short convolutions: one channel as a conveyor of two gates and three taps, how far one word reaches."""

import numpy as np
import plotly.graph_objects as go

from app.figures.plot import FIXED, TEXT, blank, faint, label, type_size
from app.figures.window import floor

ROWS = {"enters": 5.0, "× gate before": 4.1, "gated": 3.2, "sum": 1.5, "× gate after": 0.6, "leaves": -0.3}  # height of each


def conveyor(c, colours: dict, stroke: float = 1.0) -> go.Figure:
    """One channel at one token: what the K tokens put in, gated, through the taps into one sum, gated again."""
    columns, left = np.arange(len(c.words), dtype=float), -1.3 - 0.3 * stroke
    middle, wide = float(columns.mean()), np.ones(len(c.words))
    rows = [("enters", c.value), ("× gate before", c.before), ("gated", c.gated)]
    single = [("sum", c.total), ("× gate after", c.after), ("leaves", c.out)]
    x = np.concatenate([*(columns for _ in rows), np.full(len(single), middle)])
    y = np.concatenate([*(wide * ROWS[row] for row, _ in rows), [ROWS[row] for row, _ in single]])
    values = np.concatenate([*(part for _, part in rows), [n for _, n in single]])
    soft, ink = colours["soft"], colours["ink"]
    names = [(left, y, row, soft, "middle right") for row, y in {**ROWS, "× taps": 2.35}.items()]
    words = [(x, 5.85, f"<b>{word or '·'}</b>", ink, "middle center") for x, word in zip(columns, c.words)]
    beside = [(x + 0.28, 2.6) if x == middle else (x, 2.25) for x in columns]  # clear of the lines
    shown = [(*at, f"{weight:+.2f}", ink, "middle center") for at, weight in zip(beside, c.taps)]
    return blank(
        colours, 330, stroke, [boxes(x, y, values, strongest(c), colours, stroke), texts([*names, *words, *shown], stroke)],
        shapes=taps(columns, middle, c.taps, colours, stroke), margin={"l": 0, "r": 0, "t": 0, "b": 0},
        xaxis={"visible": False, "range": [left - 0.05, columns[-1] + 0.45]}, yaxis={"visible": False, "range": [-0.8, 6.3]},
    )  # fmt: skip


def texts(rows: list[tuple], stroke: float) -> dict:
    """Texts (x, y, text, colour, position) as one trace, which the browser draws faster than annotations."""
    x, y, text, colour, position = zip(*rows)
    font = {"color": np.array(colour), "size": type_size(stroke)}
    return {
        "type": "scatter", "x": np.array(x), "y": np.array(y), "mode": "text", "text": text, "textposition": np.array(position),
        "textfont": font, "hoverinfo": "skip", "cliponaxis": False,
    }  # fmt: skip


def strongest(c) -> float:
    """The largest number of a conveyor, for the ends of its colours."""
    return max(1e-9, *(float(np.abs(part).max()) for part in (c.value, c.before, c.gated, c.total, c.after, c.out)))


def tint(value: float, limit: float, colours: dict) -> str:
    """A signed number as a colour: below zero the window's hue, above it the state's, the paler the nearer to zero."""
    hue = colours["state" if value > 0 else "window"]
    return faint(hue, round(0.08 + 0.6 * min(1.0, abs(value) / limit), 3))


def boxes(x, y, values, limit: float, colours: dict, stroke: float) -> dict:
    """Numbers in tinted squares."""
    tints = np.array([tint(value, limit, colours) for value in values])
    return {
        "type": "scatter", "x": x, "y": y, "mode": "markers+text", "text": [f"{v:+.2f}" for v in values], "hoverinfo": "skip",
        "marker": {"symbol": "square", "size": 38 + 9 * (stroke - 1), "color": tints, "line": {"width": 0}},
        "textfont": {"color": colours["ink"], "size": type_size(stroke)},
    }  # fmt: skip


def taps(columns, middle: float, weights, colours: dict, stroke: float) -> list[dict]:
    """The taps as lines into the sum, as wide as they weigh."""
    largest = float(np.abs(weights).max()) or 1.0
    return [
        {
            "type": "line", "x0": x, "x1": middle, "y0": 2.82, "y1": 1.88, "opacity": 0.7, "line":
            {"color": colours["state" if w > 0 else "window"], "width": (1 + 5 * abs(w) / largest) * stroke},
        }
        for x, w in zip(columns, weights)
    ]  # fmt: skip


def impulse(moved, reach, attends: int, asked: int, words, at: int, colours: dict, stroke: float = 1.0) -> go.Figure:
    """After each layer, upwards, which tokens a changed word moves: dots, larger where it moves more. `asked` waits for it."""
    hues = ["ink", *("kv" if level == attends else "window" for level in range(len(moved) - 1))]
    size = (3 + 9 * np.clip(1 + np.log10(np.maximum(moved, 1e-9)) / 4, 0.05, 1)) * (0.5 + 0.5 * stroke)
    rows, tokens = (places.tolist() for places in np.nonzero(moved))
    dots = {
        "type": "scatter", "x": [at + t + 1 for t in tokens], "y": rows, "mode": "markers", "opacity": 0.8, "hovertemplate": TEXT,
        "text": [f"{words[at + t]} ({at + t + 1}), {floor(i)}: moved by {moved[i, t]:.2g}" for i, t in zip(rows, tokens)],
        "marker": {"size": size[rows, tokens], "color": np.array([colours[hues[i]] for i in rows]), "line": {"width": 0}},
    }  # fmt: skip
    end, top = at + len(moved[0]) + 1, {"yref": "paper", "yanchor": "bottom"}
    counts = texts([(end, i, f" {n}", colours[hues[i]], "middle right") for i, n in enumerate(reach)], stroke)
    asks = label(asked + 1, 1.0, f"{words[asked]} asks", colours["soft"], xanchor="right", xshift=-2, **top)
    changed = label(at + 1, 1.0, f"<b>{words[at]}</b> changed", colours["ink"], xanchor="left", **top)
    names = ["words", *(f"{i}  {'attention' if i == attends + 1 else 'convolution'}" for i in range(1, len(moved)))]
    line = {"color": colours["soft"], "width": stroke, "dash": "dot"}
    return blank(
        colours, 230, stroke, [dots, counts],
        shapes=[{"type": "line", "x0": asked + 1, "x1": asked + 1, "y0": 0, "y1": 1, "yref": "paper", "line": line}],
        annotations=[asks, changed],
        margin={"l": 8 * type_size(stroke), "t": 26 * stroke, "r": 34 * stroke, "b": 3.5 * type_size(stroke)},
        xaxis={"title": {"text": "token"}, "range": [at + 0.2, end], "showgrid": False, **FIXED},
        yaxis={"tickvals": np.arange(len(names)), "ticktext": names, "range": [-0.6, len(names) - 0.4], **FIXED},
    )  # fmt: skip
