"""The base of every Plotly figure: type, axes, room. Builders take arrays and a palette and give a Figure; no arithmetic."""

from collections.abc import Sequence

import plotly.graph_objects as go

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
