"""Figures of state space models: the step sizes of a head. What is kept is drawn by delta.py."""

import numpy as np
import plotly.graph_objects as go

from app.figures.plot import TEXT, blank, mark, type_size


def steps(words, size, left, chosen, at: int, colours: dict, stroke: float = 1.0) -> go.Figure:
    """Step size of every token (pale) and what of it is left at the end (full); `chosen` are named; `at` is the step shown."""
    fig = blank(colours, 190, stroke)
    x = np.arange(len(words))
    text = [f"{w} ({t + 1}): step {a:.3g}, {b:.3g} left at the end" for t, (w, a, b) in enumerate(zip(words, size, left))]
    for y, opacity, more in ((size, 0.28, {"text": text, "hovertemplate": TEXT}), (left, 1.0, {"hoverinfo": "skip"})):
        fig.add_bar(x=x, y=y, width=0.8, marker={"color": colours["state"], "line": {"width": 0}}, opacity=opacity,
                    textposition="none", **more)  # fmt: skip
    fig.add_vline(x=at, line={"color": colours["soft"], "width": 1.2 * stroke, "dash": "dot"})
    for t in chosen:
        side = "top left" if t > 0.75 * len(words) else "top right" if t < 0.1 * len(words) else "top center"
        mark(fig, t, size[t], f"<b>{words[t]}</b>", colours["ink"], side, type_size(stroke))
    fig.update_xaxes(range=[-1, len(words)], tickvals=[0, len(words) - 1], ticktext=["1", str(len(words))])
    fig.update_yaxes(range=[0, 1.25 * float(size.max())], nticks=4)
    fig.update_xaxes(showgrid=False)
    fig.update_layout(barmode="overlay")
    return fig
