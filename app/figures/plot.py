"""The base of every Plotly figure: type, axes, room. Builders take arrays and a palette and give a Figure; no arithmetic."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

TEXT = "%{text}<extra></extra>"  # what stands under the pointer, where each mark has its own
CLEAR = "rgba(0,0,0,0)"
SANS = "Inter, system-ui, sans-serif"
FIXED = {"fixedrange": True, "automargin": False}  # room for the labels is given, not looked for: that would draw twice


def blank(colours: dict, height: int, stroke: float = 1.0, data: Sequence[dict] = (), **layout) -> go.Figure:
    """A figure on the paper of the theme; `stroke` above 1 is the stage: larger type. Traces and layout that are given at once
    are checked once by Plotly, and so are faster than what is added to an empty figure."""
    size = 13 * (1 + 0.45 * (stroke - 1))
    axis = {
        "gridcolor": colours["line"], "linecolor": colours["line"], "zeroline": False, "ticks": "", "automargin": True,
        "tickfont": {"color": colours["soft"], "size": size - 1},
        "title": {"font": {"color": colours["soft"], "size": size - 0.5}, "standoff": 8},
    }  # fmt: skip
    base = {
        "template": "none",
        "height": round(height * (1 + 0.25 * (stroke - 1))),
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": SANS, "size": size, "color": colours["ink"]},
        "margin": {"l": 8, "r": 12, "t": 10, "b": 8} | layout.pop("margin", {}),
        "xaxis": over(axis, layout.pop("xaxis", {})),
        "yaxis": over(axis, layout.pop("yaxis", {})),
        "showlegend": False,
        "dragmode": False,
        "hoverlabel": {
            "bgcolor": colours["card"],
            "bordercolor": colours["line"],
            "font": {"family": SANS, "color": colours["ink"]},
        },
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


def type_size(stroke: float) -> float:
    """The size of labels in a figure, larger on stage."""
    return 12 * (1 + 0.45 * (stroke - 1))


def legend(fig: go.Figure, colours: dict, **where) -> None:
    """Names beside the picture, in one line."""
    fig.update_layout(showlegend=True, legend={"orientation": "h", "x": 0, "font": {"color": colours["soft"]}, **where})


def rings(fig: go.Figure, x, y, hover: str, colours: dict, stroke: float) -> None:
    """Measured values."""
    ring = {"symbol": "circle-open", "size": 10 * stroke, "color": colours["saved"], "line": {"width": 2.2 * stroke}}
    fig.add_scatter(x=x, y=y, mode="markers", marker=ring, hovertemplate=hover + "<extra></extra>")


def upright(fig: go.Figure, x, text: str, colours: dict, stroke: float, log: bool = False, side: str = "left") -> None:
    """A quiet vertical line with its name at the top."""
    fig.add_vline(x=x, line={"color": colours["soft"], "width": stroke, "dash": "dot"})
    place, shift = np.log10(x) if log else x, -2 if side == "right" else 2
    note(fig, place, 1.0, text, colours["soft"], yref="paper", yanchor="bottom", xanchor=side, xshift=shift)


def context_axis(fig: go.Figure, ticks: dict[str, int], low: float, high: float) -> None:
    """Context on a logarithmic axis, written as people say it."""
    shown = {name: n for name, n in ticks.items() if low <= n <= high}
    fig.update_xaxes(type="log", title_text="context, tokens", range=[np.log10(low), np.log10(high)], fixedrange=True)
    fig.update_xaxes(tickvals=list(shown.values()), ticktext=list(shown), tickangle=0)
