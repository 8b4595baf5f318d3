"""Figures of recursive solvers: how fast each fills a board, what an answer costs, how cost grows with steps."""

import numpy as np
import plotly.graph_objects as go

from app.figures.plot import blank, curve, dots, legend, mark, note

HUES = {"TRM": "state", "TRM, attention": "query", "HRM": "latent", "looped": "window", "run once": "shared"}
DASHES = {"TRM": "solid", "TRM, attention": "dash", "HRM": "dot", "looped": "dashdot", "run once": "solid"}
SIGNS = {"TRM": "━", "TRM, attention": "╍", "HRM": "┅", "looped": "╌", "run once": "●"}


def race(runs, now: int, colours: dict, stroke: float = 1.0) -> go.Figure:
    """Share of gaps right against passes through the network, a line a solver; the dotted line is the update that is shown."""
    fig = blank(colours, 230, stroke)
    for run in runs:
        hue, line = colours[HUES[run.name]], {"width": 2 * stroke, "dash": DASHES[run.name]}
        hover = f"{run.name}: %{{y:.0%}} right after %{{x}} passes<extra></extra>"
        mode, marker = "markers" if len(run.passes) == 1 else "lines", {"size": 8 * stroke, "color": hue}
        fig.add_scatter(x=run.passes, y=run.right, mode=mode, line=line | {"color": hue}, marker=marker, hovertemplate=hover)
    curve(fig, [now, now], [-0.04, 1.06], colours["ink"], stroke, dash="dot")
    names = [f'<span style="color:{colours[HUES[run.name]]}"><b>{SIGNS[run.name]} {run.name}</b></span>' for run in runs]
    rows = [names[i : i + (3 if stroke == 1 else 2)] for i in range(0, len(names), 3 if stroke == 1 else 2)]
    said = "<br>".join("&nbsp;&nbsp; ".join(row) for row in rows)
    note(fig, 0.0, 1.02, said, colours["ink"], xref="paper", yref="paper", xanchor="left", yanchor="bottom", align="left")
    fig.update_layout(
        xaxis={"title": {"text": "passes through the network"}, "type": "log", "dtick": 0.30103},
        yaxis={"title": {"text": "gaps right"}, "range": [-0.04, 1.06], "tickformat": ".0%"},
        margin={"t": 8 + 19 * len(rows) * stroke},
    )
    return fig


def models(prices, ours: str, colours: dict, stroke: float = 1.0) -> go.Figure:
    """FLOPs of one answer against parameters, both on log axes."""
    fig = blank(colours, 360, stroke)
    sizes = np.array([p.params for p in prices], float)
    for p in prices:
        mine = p.name == ours
        hue = colours["state"] if p.solver else colours["soft"]
        hover = f"{p.name}: {p.params:,} parameters, {p.flops:.3g} FLOPs an answer"
        dots(fig, [p.params], [p.flops], hue, 11 * stroke, hover, "circle" if p.solver else "square")
        side = "middle left" if p.solver else "top left"
        mark(fig, p.params, p.flops, f"  <b>{p.name}</b>  " if mine else f"  {p.name}  ", hue, side, 12 * stroke)
    fig.update_xaxes(type="log", title_text="parameters", range=np.log10([sizes.min() / 12, sizes.max() * 6]), dtick=2)
    fig.update_yaxes(type="log", title_text="FLOPs of one answer", dtick=1)
    return fig


def growth(steps, lines: dict, now: int, colours: dict, stroke: float = 1.0) -> go.Figure:
    """{solver: FLOPs of so many steps}: straight lines; the current number of steps marked."""
    fig = blank(colours, 320, stroke)
    for name, flops in lines.items():
        hue, hover = colours[HUES.get(name, "state")], f"{name}: %{{y:.3s}} FLOPs in %{{x}} steps"
        curve(fig, steps, flops, hue, 2 * stroke, hover, DASHES.get(name, "solid"), name=name)
    fig.add_vline(x=now, line={"color": colours["ink"], "width": stroke, "dash": "dot"})
    fig.update_xaxes(title_text="steps")
    fig.update_yaxes(title_text="FLOPs of one answer", rangemode="tozero")
    legend(fig, colours, y=1.02, yanchor="bottom")
    return fig
