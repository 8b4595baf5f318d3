"""Figures of code world models: a program's run as a staircase over its lines with every state below, ours beside the model's."""

import numpy as np
import plotly.graph_objects as go

from app.figures.plot import blank, mark, note

TEXT = "%{text}<extra></extra>"
ROW = 20  # px of a line
MOST = 14  # steps that are written out; beyond them cells carry no text
HUES = ("line", "query", "routed")  # of a cell: stays, changed, wrong


def trace(view, at: int, colours: dict, stroke: float = 1.0) -> go.Figure:
    """`view` (core/lessons/code_world_model.py: View): lines that run above, true values and the model's below, a column a step;
    `at` is the step that is marked, 0 before the first."""
    rows = len(view.names)
    blocks = 2 if view.said_lines else 1
    base = blocks * (rows + 0.7)
    fig = blank(colours, 40, stroke)
    fig.update_layout(height=round(40 + ROW * (len(view.text) + base)))  # on stage as high as elsewhere, to stay on one screen
    band(fig, at, base + len(view.text), colours)
    stairs(fig, view, base, colours, stroke)
    cells(fig, view.true_cells, rows, (blocks - 1) * (rows + 0.7), "truth", view, colours, stroke)
    if view.said_lines:
        cells(fig, view.said_cells, rows, 0, "model", view, colours, stroke)
        if view.parted:
            parting(fig, view.parted, base + len(view.text), colours, stroke)
    axes(fig, view, blocks, base, at, colours, stroke)
    return fig


def band(fig: go.Figure, at: int, top: float, colours: dict) -> None:
    """The step that is marked."""
    where = {"x0": at - 0.5, "x1": at + 0.5, "y0": -0.6, "y1": top}
    fig.add_shape(type="rect", fillcolor=colours["line"], opacity=0.6, line_width=0, layer="below", **where)


def stairs(fig: go.Figure, view, base: float, colours: dict, stroke: float) -> None:
    """Which line runs at each step: the true one as a line, the model's as marks, wrong ones crossed."""
    height = {number: base + len(view.lines) - 1 - i for i, number in enumerate(view.lines)}
    x = np.arange(1, len(view.true_lines) + 1)
    line = {"color": colours["ink"], "width": 1.6 * stroke, "shape": "hv"}
    text = [f"step {s}: line {n}" for s, n in zip(x, view.true_lines)]
    fig.add_scatter(
        x=x, y=[height[n] for n in view.true_lines], mode="lines+markers", line=line, text=text, hovertemplate=TEXT,
        marker={"color": colours["ink"], "size": 6 * stroke},
    )  # fmt: skip
    said = [(s, n) for s, n in enumerate(view.said_lines, 1) if n]
    if said:
        right = [s <= len(view.true_lines) and view.true_lines[s - 1] == n for s, n in said]
        marker = {
            "color": [colours["saved" if ok else "routed"] for ok in right], "size": 11 * stroke,
            "symbol": ["circle-open" if ok else "x" for ok in right], "line": {"width": 2 * stroke},
        }  # fmt: skip
        text = [f"step {s}: the model runs line {n}" for s, n in said]
        fig.add_scatter(
            x=[s for s, _ in said], y=[height[n] for _, n in said], mode="markers", marker=marker, text=text, hovertemplate=TEXT
        )


def cells(fig: go.Figure, grid, rows: int, bottom: float, whose: str, view, colours: dict, stroke: float) -> None:
    """One state a column: grid[row][step] is (text, kind) with kind 0 stays, 1 changed, 2 wrong, None nothing."""
    steps, long = max(map(len, grid), default=0), max(len(view.true_lines), len(view.said_lines)) > MOST
    z = np.full((rows, steps), np.nan)
    words = [["" for _ in range(steps)] for _ in range(rows)]
    for r, row in enumerate(grid):
        for s, (text, kind) in enumerate(row):
            words[r][s] = text
            z[r, s] = np.nan if kind is None else kind
    y = bottom + np.arange(rows)[::-1]
    scale = [[0, colours["card"]], [0.33, colours["card"]], [0.34, colours["query"]], [0.66, colours["query"]]]
    over = [
        [f"{whose}, step {s}: {name} = {words[r][s] or 'no value'}" for s in range(steps)] for r, name in enumerate(view.names)
    ]
    fig.add_heatmap(
        x=np.arange(steps), y=y, z=z, zmin=0, zmax=2, colorscale=[*scale, [0.67, colours["routed"]], [1, colours["routed"]]],
        showscale=False, xgap=1, ygap=1, hovertext=over, hoverinfo="text", hoverongaps=False,
    )  # fmt: skip
    size = (9 if long else 12) * (0.6 + 0.4 * stroke)
    for loud, colour in ((False, colours["ink"]), (True, colours["card"])):
        spots = [(s, y[r], words[r][s]) for r in range(rows) for s in range(steps) if words[r][s] and (z[r, s] > 0) == loud]
        if spots:
            xs, ys, text = zip(*spots)
            fig.add_scatter(
                x=xs, y=ys, text=text, mode="text", textfont={"size": size, "color": colour}, hoverinfo="skip", cliponaxis=False
            )


def parting(fig: go.Figure, step: int, top: float, colours: dict, stroke: float) -> None:
    """Where the model's trace leaves the true one."""
    line = {"color": colours["routed"], "width": 1.6 * stroke, "dash": "dash"}
    fig.add_scatter(x=[step - 0.5] * 2, y=[-0.6, top - 0.3], mode="lines", line=line, hoverinfo="skip")
    note(fig, step - 0.5, top - 0.2, f"<b>parts at step {step}</b>", colours["routed"], xanchor="center", yanchor="bottom")


def axes(fig: go.Figure, view, blocks: int, base: float, at: int, colours: dict, stroke: float) -> None:
    """The program's own lines and the names as labels; the line that has just run is bold."""
    now = view.true_lines[at - 1] if 1 <= at <= len(view.true_lines) else 0
    width = max(map(len, view.text))
    lines = [code(text.ljust(width), number == now) for number, text in zip(view.lines, view.text)]
    ticks, texts = [base + len(lines) - 1 - i for i in range(len(lines))], lines
    for b, who in enumerate(("truth", "model")[:blocks]):
        bottom = (blocks - 1 - b) * (len(view.names) + 0.7)
        ticks = [*ticks, *(bottom + len(view.names) - 1 - i for i in range(len(view.names)))]
        texts = [*texts, *(f"{who} <b>{name}</b>" for name in view.names)]
    plain = "rgba(0,0,0,0)"
    font = {"family": "JetBrainsMono, ui-monospace, monospace", "size": 11.5 * (0.6 + 0.4 * stroke), "color": colours["ink"]}
    fig.update_yaxes(
        tickvals=ticks, ticktext=texts, range=[-0.7, base + len(lines) + 0.1], gridcolor=plain, linecolor=plain, fixedrange=True,
        tickfont=font,
    )  # fmt: skip
    steps = max(len(view.true_lines), len(view.said_lines))
    shown = list(range(0, steps + 1)) if steps <= MOST else list(range(0, steps + 1, 4))
    fig.update_xaxes(
        tickvals=shown, range=[-0.55, steps + 0.55], gridcolor=plain, linecolor=plain, fixedrange=True, title_text="after step"
    )


def code(text: str, now: bool) -> str:
    """A line of the program as a label, the one that has just run marked as Python's debugger does."""
    safe = text.replace(" ", "\u00a0").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"<b>-&gt;\u00a0{safe}</b>" if now else safe


def growth(steps, lines: dict, chosen: int, colours: dict, stroke: float = 1.0) -> go.Figure:
    """{name: bytes (S,)} against the steps of a run; the first grows, a ring stands where the reader's program is."""
    fig = blank(colours, 300, stroke)
    for (name, values), hue, dash in zip(lines.items(), ("query", "soft"), ("solid", "dash")):
        line = {"color": colours[hue], "width": 2.2 * stroke, "dash": dash}
        hover = f"{name}: %{{y:,}} after %{{x}} steps<extra></extra>"
        fig.add_scatter(x=steps, y=values, mode="lines", line=line, hovertemplate=hover)
        mark(fig, steps[-1], values[-1], name.removesuffix(", B"), colours[hue], "top left", 12 * stroke)
        if chosen <= steps[-1]:
            ring = {"color": colours["card"], "size": 10 * stroke, "line": {"color": colours[hue], "width": 2 * stroke}}
            fig.add_scatter(x=[chosen], y=[values[chosen]], mode="markers", marker=ring, hovertemplate=hover)
    fig.update_xaxes(title_text="steps of the run", fixedrange=True)
    fig.update_yaxes(title_text="cache, bytes", rangemode="tozero", fixedrange=True, tickformat=",")
    return fig
