"""The base of every Plotly figure: type, axes, room. Builders take arrays and a palette and give a Figure; no arithmetic."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

EXTRA = "<extra></extra>"  # after what stands under the pointer: no second box
TEXT = "%{text}" + EXTRA  # where each mark has its own
CLEAR = "rgba(0,0,0,0)"
SANS = "Inter, system-ui, sans-serif"
FIXED = {"automargin": False}  # room for the labels is given, not looked for: that would draw twice


def blank(colours: dict, height: float, stroke: float = 1.0, data: Sequence[dict] = (), **layout) -> go.Figure:
    """A figure on the paper of the theme; `stroke` above 1 is the stage: larger type. Traces and layout that are given at once
    are checked once by Plotly, and so are faster than what is added to an empty figure."""
    size, font = 13 * larger(stroke), {"family": SANS}
    axis = {
        "gridcolor": colours["line"], "linecolor": colours["line"], "zeroline": False, "ticks": "", "automargin": True,
        "fixedrange": True, "minor": {"showgrid": False},
        "tickfont": {"color": colours["soft"], "size": size - 1},
        "title": {"font": {"color": colours["soft"], "size": size - 0.5}, "standoff": 8},
    }  # fmt: skip
    base = {
        "template": "none",
        "height": round(height * (1 + 0.25 * (stroke - 1))),
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "font": font | {"size": size, "color": colours["ink"]},
        "margin": {"l": 8, "r": 12, "t": 10, "b": 8} | layout.pop("margin", {}),
        "xaxis": over(axis, layout.pop("xaxis", {})),
        "yaxis": over(axis, layout.pop("yaxis", {})),
        "showlegend": False,
        "dragmode": False,
        "hoverlabel": {"bgcolor": colours["card"], "bordercolor": colours["line"], "font": font | {"color": colours["ink"]}},
    }
    return go.Figure(data=list(data), layout=base | layout)


def over(axis: dict, own: dict) -> dict:
    """An axis with what a figure wants otherwise in place of the same key; of its title, the parts."""
    return axis | own | {"title": axis["title"] | own.get("title", {})}


def label(x, y, text: str, colour: str, **where) -> dict:
    """A label that stands at its mark instead of in a legend, as one of a layout's annotations."""
    return {"x": x, "y": y, "text": text, "showarrow": False, "font": {"color": colour}, **where}


def note(fig: go.Figure, x, y, text: str, colour: str, **where) -> None:
    """The same on a figure that stands already."""
    fig.add_annotation(label(x, y, text, colour, **where))


def mark(fig: go.Figure, x, y, text: str, colour: str, position: str = "middle right", size: float = 13) -> None:
    """A label at a point of the data, on linear and logarithmic axes alike; `position` as Plotly's textposition."""
    font = {"color": colour, "size": size}
    fig.add_scatter(
        x=[x], y=[y], mode="text", text=[text], textposition=position, textfont=font, hoverinfo="skip", cliponaxis=False
    )


def byte_ticks(low: float, high: float, label) -> tuple[Sequence[float], Sequence[str]]:
    """Ticks at powers of 16 between two sizes, labelled by `label`; for a log axis of bytes."""
    values = [16.0**k for k in range(16) if low <= 16.0**k <= high]
    return values, [label(v).replace(".00", "").replace(".0", "") for v in values]


def faint(colour: str, alpha: float) -> str:
    """A hue of the palette, seen through."""
    return f"rgba({int(colour[1:3], 16)},{int(colour[3:5], 16)},{int(colour[5:7], 16)},{alpha:g})"


def si(value: float) -> str:
    """20e9 -> "20 G"."""
    power = min(int(np.log10(value)) // 3, 6) if value >= 1 else 0
    return f"{value / 1000**power:g} {('', 'k', 'M', 'G', 'T', 'P', 'E')[power]}".strip()


def larger(stroke: float) -> float:
    """How much larger type is on stage."""
    return 1 + 0.45 * (stroke - 1)


def type_size(stroke: float) -> float:
    """The size of labels in a figure."""
    return 12 * larger(stroke)


def pointed(hover: str, more: dict) -> dict:
    """What stands under the pointer: each mark's own text, else `hover`, else nothing."""
    text = more.get("text")
    return {"hovertemplate": TEXT if text is not None else hover + EXTRA} if hover or text is not None else {"hoverinfo": "skip"}


def curve(
    fig: go.Figure, x, y, colour: str, width: float, hover: str = "", dash: str = "solid", shape: str = "linear", **more
) -> None:
    """A line."""
    line = {"color": colour, "width": width, "dash": dash, "shape": shape}
    fig.add_scatter(x=x, y=y, mode="lines", line=line, **pointed(hover, more), **more)


def dots(
    fig: go.Figure, x, y, colour: str, size: float, hover: str = "", symbol: str = "circle", edge: float = 0.0,
    opacity: float = 1.0, **more,
) -> None:  # fmt: skip
    """Marks; an open symbol has an edge."""
    marker = {"color": colour, "size": size, "symbol": symbol, "opacity": opacity, "line": {"width": edge, "color": colour}}
    fig.add_scatter(x=x, y=y, mode="markers", marker=marker, **pointed(hover, more), **more)


def legend(fig: go.Figure, colours: dict, **where) -> None:
    """Names beside the picture, in one line."""
    fig.update_layout(showlegend=True, legend={"orientation": "h", "x": 0, "font": {"color": colours["soft"]}, **where})


def rings(fig: go.Figure, x, y, hover: str, colours: dict, stroke: float) -> None:
    """Measured values."""
    dots(fig, x, y, colours["saved"], 10 * stroke, hover, "circle-open", 2.2 * stroke)


def upright(fig: go.Figure, x, text: str, colours: dict, stroke: float, log: bool = False, side: str = "left") -> None:
    """A quiet vertical line with its name at the top."""
    fig.add_vline(x=x, line={"color": colours["soft"], "width": stroke, "dash": "dot"})
    place, shift = np.log10(x) if log else x, -2 if side == "right" else 2
    if text:
        note(fig, place, 1.0, text, colours["soft"], yref="paper", yanchor="bottom", xanchor=side, xshift=shift)


def context_axis(fig: go.Figure, ticks: Mapping[str, int], low: float, high: float) -> None:
    """Context on a logarithmic axis, written as people say it."""
    shown = {name: n for name, n in ticks.items() if low <= n <= high}
    fig.update_xaxes(type="log", title_text="context, tokens", range=[np.log10(low), np.log10(high)])
    fig.update_xaxes(tickvals=list(shown.values()), ticktext=list(shown), tickangle=0)
