"""Figures of RWKV-7: the arrows of what a token erases and writes, and a ball under three cups that models follow or lose."""

import numpy as np
import plotly.graph_objects as go

from app.figures.plot import blank, note

TEXT = "%{text}<extra></extra>"
SHORT = {"left": "L", "middle": "M", "right": "R", "left-middle": "LM", "middle-right": "MR", "left-right": "LR", "wait": "·"}


def arrows(plane, words, colours: dict, stroke: float = 1.0) -> go.Figure:
    """Keys in two directions: dots (T, 2) are where every word so far wrote, arrows what the last one erases and writes, the
    dotted line what it asks the memory for."""
    fig = blank(colours, 260, stroke)
    text = [f"“{word}” ({t + 1}) wrote here" for t, word in enumerate(words)]
    dots = {"color": colours["soft"], "size": 5 * stroke, "opacity": 0.7}
    shown = [word if there else "" for word, there in zip(words, plane.named)]
    fig.add_scatter(
        x=plane.written[:, 0], y=plane.written[:, 1], mode="markers+text", marker=dots, text=shown, textposition="top center",
        textfont={"size": 10 * (0.6 + 0.4 * stroke), "color": colours["soft"]}, customdata=text,
        hovertemplate="%{customdata}<extra></extra>",
    )  # fmt: skip
    line = {"color": colours["routed"], "width": 1.4 * stroke, "dash": "dot"}
    fig.add_scatter(x=[0, plane.read[0]], y=[0, plane.read[1]], mode="lines", line=line, hoverinfo="skip")
    for end, hue in ((plane.write, "state"), (plane.erase, "routed")):
        arrow(fig, end, colours[hue], stroke)
    parts = (("erases", "routed"), ("writes", "state"), ("· · asks for", "routed"))
    said = "&nbsp;&nbsp;&nbsp;".join(f'<span style="color:{colours[hue]}"><b>{name}</b></span>' for name, hue in parts)
    note(fig, 0.0, 1.0, said, colours["ink"], xref="paper", yref="paper", xanchor="left", yanchor="bottom")
    sides = [-1.15 * plane.reach, 1.15 * plane.reach]
    axis = {"range": sides, "tickvals": [0], "showticklabels": False, "fixedrange": True}
    fig.update_layout(xaxis=axis, yaxis=axis | {"scaleanchor": "x"}, margin={"t": 26 * stroke})
    return fig


def arrow(fig: go.Figure, end, colour: str, stroke: float) -> None:
    """An arrow from the middle, as a trace: annotations are slow to build."""
    marker = {"symbol": "arrow", "angleref": "previous", "size": [0.01, 13 * stroke], "color": colour}
    line = {"color": colour, "width": 2.8 * stroke}
    fig.add_scatter(x=[0, end[0]], y=[0, end[1]], mode="lines+markers", line=line, marker=marker, hoverinfo="skip")


def cups(words, truth, places, rows: dict, colours: dict, stroke: float = 1.0) -> go.Figure:
    """The ball's true way above, {model: (said, right)} below: a cell a move, green where it is right."""
    fig = blank(colours, 250, stroke)
    x, base = np.arange(len(words)), len(rows) + 0.2
    level = {place: base + 0.55 * (len(places) - 1 - i) for i, place in enumerate(places)}
    across = [at for _ in places for at in (-0.6, len(words) - 0.4, None)]
    heights = [at for y in level.values() for at in (y, y, None)]
    fig.add_scatter(x=across, y=heights, mode="lines", line={"color": colours["line"], "width": stroke}, hoverinfo="skip")
    text = [f"after “{word}” ({t}): {place}" for t, (word, place) in enumerate(zip(words, truth))]
    line = {"color": colours["ink"], "width": 1.6 * stroke, "shape": "hv"}
    ball = {"color": colours["ink"], "size": (9 if len(words) < 40 else 4) * stroke}
    fig.add_scatter(x=x, y=[level[p] for p in truth], mode="lines+markers", line=line, marker=ball, text=text, hovertemplate=TEXT)
    z = np.array([[int(ok) for ok in right] for _, right in rows.values()])
    text = [[SHORT[p] if len(words) < 40 else "" for p in said] for said, _ in rows.values()]
    over = [
        [f"{name} after {t} moves: {p}{'' if ok else ', wrong'}" for t, (p, ok) in enumerate(zip(said, right))]
        for name, (said, right) in rows.items()
    ]
    fig.add_heatmap(
        x=x, y=np.arange(len(rows))[::-1], z=z, zmin=0, zmax=1, colorscale=[[0, colours["routed"]], [1, colours["saved"]]],
        showscale=False, xgap=2, ygap=6, text=text, texttemplate="%{text}", hovertext=over, hoverinfo="text",
        textfont={"color": colours["card"], "size": 11 * (0.6 + 0.4 * stroke)},
    )  # fmt: skip
    few = len(words) < 40
    shown = [SHORT[word] for word in words] if few else [str(t) for t in x[::12]]
    fig.update_xaxes(
        tickvals=x if few else x[::12], ticktext=shown, range=[-0.7, len(words) - 0.3], fixedrange=True,
        title_text="the start, then swaps" if few else "after so many moves", gridcolor="rgba(0,0,0,0)",
    )  # fmt: skip
    names = [*(f"<b>{name}</b>" for name in reversed(rows)), *places]
    heights = [*range(len(rows)), *level.values()]
    fig.update_yaxes(tickvals=heights, ticktext=names, range=[-0.6, max(level.values()) + 0.35], gridcolor="rgba(0,0,0,0)")
    fig.update_yaxes(fixedrange=True, linecolor="rgba(0,0,0,0)")
    return fig
