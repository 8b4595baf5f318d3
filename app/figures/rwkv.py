"""Figures of RWKV-7: the arrows of what a token erases and writes, and a ball under three cups that models follow or lose."""

import numpy as np
import plotly.graph_objects as go

from app.figures.plot import CLEAR, FIXED, TEXT, blank, label, type_size

SHORT = {"left": "L", "middle": "M", "right": "R", "left-middle": "LM", "middle-right": "MR", "left-right": "LR", "wait": "·"}


def arrows(plane, words, colours: dict, stroke: float = 1.0) -> go.Figure:
    """Keys in two directions: dots (T, 2) are where every word so far wrote, arrows what the last one erases and writes, the
    dotted line what it asks the memory for."""
    text = [f"“{word}” ({t + 1}) wrote here" for t, word in enumerate(words)]
    dots = {
        "x": plane.written[:, 0], "y": plane.written[:, 1], "mode": "markers+text", "customdata": text,
        "marker": {"color": colours["soft"], "size": 5 * stroke, "opacity": 0.7}, "hovertemplate": "%{customdata}<extra></extra>",
        "text": [word if there else "" for word, there in zip(words, plane.named)], "textposition": "top center",
        "textfont": {"size": 10 * (0.6 + 0.4 * stroke), "color": colours["soft"]},
    }  # fmt: skip
    line = {"color": colours["routed"], "width": 1.4 * stroke, "dash": "dot"}
    asked = {"x": [0, plane.read[0]], "y": [0, plane.read[1]], "mode": "lines", "line": line, "hoverinfo": "skip"}
    ends = [arrow(end, colours[hue], stroke) for end, hue in ((plane.write, "state"), (plane.erase, "routed"))]
    parts = (("erases", "routed"), ("writes", "state"), ("· · asks for", "routed"))
    said = "&nbsp;&nbsp;&nbsp;".join(f'<span style="color:{colours[hue]}"><b>{name}</b></span>' for name, hue in parts)
    sides = [-1.15 * plane.reach, 1.15 * plane.reach]
    axis = {"range": sides, "tickvals": [0], "showticklabels": False}
    named = label(0.0, 1.0, said, colours["ink"], xref="paper", yref="paper", xanchor="left", yanchor="bottom")
    axes = {"xaxis": axis, "yaxis": axis | {"scaleanchor": "x"}, "margin": {"t": 26 * stroke}}
    return blank(colours, 260, stroke, [dots, asked, *ends], annotations=[named], **axes)


def arrow(end, colour: str, stroke: float) -> dict:
    """An arrow from the middle, as a trace: annotations are slow to build."""
    marker = {"symbol": "arrow", "angleref": "previous", "size": [0.01, 13 * stroke], "color": colour}
    line = {"color": colour, "width": 2.8 * stroke}
    return {"x": [0, end[0]], "y": [0, end[1]], "mode": "lines+markers", "line": line, "marker": marker, "hoverinfo": "skip"}


def cups(words, truth, places, rows: dict, colours: dict, stroke: float = 1.0) -> go.Figure:
    """The ball's true way above, {model: (said, right)} below: a cell a move, green where it is right."""
    x, base, few = np.arange(len(words)), len(rows) + 0.2, len(words) < 40
    level = {place: base + 0.55 * (len(places) - 1 - i) for i, place in enumerate(places)}
    rails = {
        "x": [at for _ in places for at in (-0.6, len(words) - 0.4, None)],
        "y": [at for y in level.values() for at in (y, y, None)],
        "mode": "lines", "line": {"color": colours["line"], "width": stroke}, "hoverinfo": "skip",
    }  # fmt: skip
    ball = {
        "x": x, "y": [level[p] for p in truth], "mode": "lines+markers", "hovertemplate": TEXT,
        "line": {"color": colours["ink"], "width": 1.6 * stroke, "shape": "hv"},
        "marker": {"color": colours["ink"], "size": (9 if few else 4) * stroke},
        "text": [f"after “{word}” ({t}): {place}" for t, (word, place) in enumerate(zip(words, truth))],
    }  # fmt: skip
    over = [
        [f"{name} after {t} moves: {p}{'' if ok else ', wrong'}" for t, (p, ok) in enumerate(zip(said, right))]
        for name, (said, right) in rows.items()
    ]
    cells = {
        "type": "heatmap", "x": x, "y": np.arange(len(rows))[::-1], "zmin": 0, "zmax": 1, "showscale": False,
        "z": np.array([[int(ok) for ok in right] for _, right in rows.values()]),
        "colorscale": [[0, colours["routed"]], [1, colours["saved"]]], "xgap": 2, "ygap": 6, "hovertext": over,
        "hoverinfo": "text",
        "text": [[SHORT[p] if few else "" for p in said] for said, _ in rows.values()], "texttemplate": "%{text}",
        "textfont": {"color": colours["card"], "size": 11 * (0.6 + 0.4 * stroke)},
    }  # fmt: skip
    return blank(
        colours, 250, stroke, [rails, ball, cells], margin={"l": 6.5 * type_size(stroke), "b": 3.5 * type_size(stroke)},
        xaxis={
            "tickvals": x if few else x[::12], "ticktext": [SHORT[w] for w in words] if few else [str(t) for t in x[::12]],
            "range": [-0.7, len(words) - 0.3], "title": {"text": "the start, then swaps" if few else "after so many moves"},
            "gridcolor": CLEAR,  # many moves stand upright on a phone: that takes more room
        },
        yaxis={
            "tickvals": [*range(len(rows)), *level.values()], "range": [-0.6, max(level.values()) + 0.35], **FIXED,
            "ticktext": [*(f"<b>{name}</b>" for name in reversed(rows)), *places], "gridcolor": CLEAR, "linecolor": CLEAR,
        },
    )  # fmt: skip
