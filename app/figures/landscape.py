"""The landscape of real models, and one model's cache against context.

The dots are one trace, so that a frame of the animation is one array of sizes: what is not out yet has size 0. Names stand twice,
for a desk and, fewer of them, for a phone; assets/css/home.css shows one of the two.
"""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go

from app.figures.kinds import Against, Line
from app.figures.plot import TEXT, blank, curve, dots, faint, larger, note
from core.lessons.card import FAMILIES, Curve
from core.lessons.landscape import DESK, HIGH, LEAST, LOW, PHONE, SIDES, TOP, Dot, Screen, View
from core.units import binary, count, sized

SYMBOLS = {  # family -> Plotly's symbol, and how much wider it is than a circle of its area
    "Multi-head": ("circle", 1.0), "Grouped": ("square", 0.886), "Latent": ("diamond", 0.964), "Sparse": ("diamond-tall", 1.266),
    "Windows": ("triangle-up", 1.347), "Hybrid": ("hexagon", 1.1), "Recurrent": ("hexagon", 1.1), "": ("circle", 1.0),
}  # fmt: skip
HEIGHT, LOWER, MOST_DESK, MOST_PHONE = 452, 396, 30, 9  # px; lower on stage, to stand on one screen
DECADES = {8: "100 M", 9: "1 B", 10: "10 B", 11: "100 B", 12: "1 T"}
GUIDES = {10: "1 in 10", 30: "1 in 30"}
FAINT = 0.16
PACE = {"frame": {"duration": 420, "redraw": False}, "transition": {"duration": 260}, "mode": "immediate", "fromcurrent": False}
RESERVED = {DESK: ((0, 150, 286, 372),), PHONE: ((0, 118, 286, 372),)}  # px: the date and the button


def landscape(view: View, colours: dict, stroke: float) -> go.Figure:
    """The picture with a frame for each month."""
    fig = blank(colours, HEIGHT if stroke == 1 else LOWER, stroke)
    guides(fig, colours, stroke)
    stems(fig, view, colours, stroke)
    models(fig, view, colours, stroke)
    tags = [names(fig, view, screen, most, colours, stroke) for screen, most in ((DESK, MOST_DESK), (PHONE, MOST_PHONE))]
    font = {"color": colours["soft"], "size": 30 * larger(stroke), "family": "SourceSerif, Georgia, serif"}
    date = {"x": [LOW + 0.04], "y": [TOP - 0.2], "text": [view.till], "textposition": "middle right", "textfont": font}
    fig.add_scatter(**date, mode="text", hoverinfo="skip")
    picked(fig, view, colours, stroke)
    animated(fig, view, tags, colours, stroke)
    axes(fig, stroke)
    return Finished(fig)


class Finished(go.Figure):
    """A figure that nobody changes any more: what is sent of it is worked out once, which its many frames make worth while."""

    def __init__(self, fig: go.Figure):
        super().__init__(fig)
        self._sent = super().to_dict()

    def to_dict(self) -> dict:
        """The same description every time; its layout is a copy."""
        return {**self._sent, "layout": deepcopy(self._sent["layout"])}


def axes(fig: go.Figure, stroke: float) -> None:
    """Decades of parameters across and upwards."""
    values, texts = list(DECADES), list(DECADES.values())
    fig.update_xaxes(range=[LOW, HIGH], tickvals=values, ticktext=texts, title_text="total parameters")
    fig.update_yaxes(range=[LOW, TOP], tickvals=values[:-1], ticktext=texts[:-1])
    fig.update_yaxes(title_text="active: what one token uses")
    fig.update_layout(margin={"l": 4, "r": 52 * larger(stroke), "t": 4, "b": 4}, hovermode="closest", hoverdistance=14)


def guides(fig: go.Figure, colours: dict, stroke: float) -> None:
    """The line on which every parameter is used, and those on which one in so many is."""
    size = 11.5 * larger(stroke)
    fig.add_shape(
        type="line", x0=LEAST, y0=LEAST, x1=TOP, y1=TOP, layer="below", line={"color": colours["soft"], "width": 1.2 * stroke}
    )
    for part, text in GUIDES.items():
        down = np.log10(part)
        line = {"color": colours["soft"], "width": 0.8 * stroke, "dash": "dot"}
        fig.add_shape(type="line", x0=LEAST + down, y0=LEAST, x1=HIGH, y1=HIGH - down, layer="below", line=line, opacity=0.6)
        where = {"xanchor": "left", "xshift": 4, "font_size": size}
        note(fig, HIGH, HIGH - down, text, colours["soft"], **where)
    at = LEAST + 0.46
    note(fig, at, at, "dense", colours["soft"], xanchor="right", yanchor="bottom", xshift=-6, font_size=size)


def stems(fig: go.Figure, view: View, colours: dict, stroke: float) -> None:
    """Hairlines from the line up to the dense models that are stacked above it."""
    x, y = np.array([(x, x, np.nan) for x, _, _ in view.stems]), np.array([(a, b, np.nan) for _, a, b in view.stems])
    curve(fig, x.ravel(), y.ravel(), colours["line"], 1.5 * stroke)


def models(fig: go.Figure, view: View, colours: dict, stroke: float) -> None:
    """One trace of all models; those that are not asked for are faint."""
    rows, where = view.out, np.array([view.places[d.key] for d in view.out]).reshape(-1, 2)
    hues = [colours[FAMILIES[d.family].hue] if d.key in view.asked else faint(colours["soft"], FAINT) for d in rows]
    fig.add_scatter(
        x=where[:, 0], y=where[:, 1], mode="markers", cliponaxis=False, customdata=[d.key for d in rows],
        text=[hover(d) for d in rows], hovertemplate=TEXT,
        marker={
            "symbol": [SYMBOLS[d.family][0] + "-open" * (not d.rate) for d in rows], "size": sizes(view, stroke), "color": hues,
            "opacity": 1,
            "line": {
                "width": [1.1 * stroke if d.rate else 2 * stroke for d in rows],
                "color": [colours["paper"] if d.rate else hue for d, hue in zip(rows, hues)],
            },
        },
    )  # fmt: skip


def sizes(view: View, stroke: float, till: str = "~") -> np.ndarray:
    """Pixels across, 0 for what came out later; symbols of one area."""
    shown = [(d.month or "~") <= till and view.sizes[d.key] * SYMBOLS[d.family][1] * stroke**0.5 for d in view.out]
    return np.array(shown, np.float32)


def hover(d: Dot) -> str:
    """A model in four lines."""
    used = "all of them used" if d.dense else f"{count(d.active)} active ({d.share:.1%})"
    adds = f"a token adds {sized(d.rate)} to the cache" if d.rate else "no cache that grows"
    who = f"{d.family} · {d.organisation} · {d.month or 'undated'}"
    return f"<b>{d.name}</b><br>{count(d.total)} parameters, {used}<br>{adds}<br>{who}"


def names(fig: go.Figure, view: View, screen: Screen, most: int, colours: dict, stroke: float) -> list[tuple[str, str]]:
    """Names beside the most notable dots; -> (key, text) in the order of the trace."""
    found = view.labels(replace(screen, type=screen.type * larger(stroke)), most, RESERVED[screen])
    where = np.array([view.places[label.key] for label in found]).reshape(-1, 2)
    shift = np.array([[view.sizes[label.key] / 2 * side for side in SIDES[label.side]] for label in found]).reshape(-1, 2)
    spot = where + shift * np.array([(HIGH - LOW) / screen.width, (TOP - LOW) / screen.height])
    texts = [f" {label.text} " for label in found]
    fig.add_scatter(
        x=spot[:, 0], y=spot[:, 1], mode="text", text=texts, textposition=[label.side for label in found],
        textfont={"color": colours["ink"], "size": 11.5 * larger(stroke)}, hoverinfo="skip", cliponaxis=False,
    )  # fmt: skip
    return [(label.key, text) for label, text in zip(found, texts)]


def picked(fig: go.Figure, view: View, colours: dict, stroke: float) -> None:
    """A ring around the model whose card is open."""
    if view.opened:
        x, y = view.places[view.opened.key]
        size = view.sizes[view.opened.key] + 13
        dots(fig, [x], [y], colours["ink"], size, "", "circle-open", 2 * stroke, cliponaxis=False)


def animated(fig: go.Figure, view: View, tags: list, colours: dict, stroke: float) -> None:
    """A frame a month, played in the browser: sizes, names, the date. The last frame is the picture as it stands."""
    born = {d.key: d.month or "~" for d in view.out}
    frames = []
    for month in view.months:
        last = "~" if month == view.till else month
        texts = [[text if born[key] <= last else "" for key, text in tag] for tag in tags]
        data = [go.Scatter(marker={"size": sizes(view, stroke, last)}), *(go.Scatter(text=t) for t in (*texts, [month]))]
        frames.append(go.Frame(name=month, data=data, traces=[1, 2, 3, 4]))
    fig.frames = frames
    fig.update_layout(
        updatemenus=[{
            "type": "buttons", "x": 0, "y": 1, "xanchor": "left", "yanchor": "top", "pad": {"l": 12, "t": 50 * larger(stroke)},
            "bgcolor": colours["card"], "bordercolor": colours["line"], "showactive": False,
            "font": {"color": colours["ink"], "size": 13 * larger(stroke)},
            "buttons": [{"label": "▶ Play", "method": "animate", "args": [None, PACE]}],
        }]
    )  # fmt: skip


# One model


TICKS = {"256": 256, "1k": 1 << 10, "4k": 4 << 10, "32k": 32 << 10, "128k": 128 << 10, "1M": 1 << 20, "10M": 10 << 20}


def growth(name: str, curve: Curve, hue: str) -> Against:
    """Cache and state of a model against context, beside plain multi-head attention."""
    half, low = len(curve.contexts) * 3 // 5, "bottom right"
    lines = (
        Line("multi-head, not shared", curve.multi_head, "soft", 1.4, at=half, dash="dot"),
        Line("state", curve.state, "state", 2.2, at=0, side=low if curve.cache[0] > curve.state[0] else "top right", dash="dash"),
        Line("cache", curve.cache, hue, 2.8, "<b>cache</b>", len(curve.contexts) * 2 // 3, low),
    )
    there = tuple(line for line in lines if line.values.any())
    ticks = {text: n for text, n in TICKS.items() if n <= curve.contexts[-1]}
    return Against(f"Memory of {name}", there, curve.contexts, "", ticks, binary, height=250)
