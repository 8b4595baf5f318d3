"""Figures of code world models: a program's run as a staircase over its lines with every state below, ours beside the model's."""

import numpy as np
import plotly.graph_objects as go

from app.figures.plot import CLEAR, EXTRA, TEXT, blank, curve, mark, note

ROW = 19.5  # px of a line
MOST = 14  # steps whose values and numbers are written large


def trace(view, at: int, colours: dict, stroke: float = 1.0) -> go.Figure:
    """`view` (of the lesson): lines that run above, true values and the model's below, a column a step;
    `at` is the step that is marked, 0 before the first."""
    blocks = (("truth", view.true_cells), ("model", view.said_cells))[: 2 if view.said_lines else 1]
    base = len(blocks) * (len(view.names) + 1) - 0.3
    high = 40 + ROW * (len(view.text) + base)  # on stage as high as elsewhere, to stay on one screen
    fig = blank(colours, high / (1 + 0.25 * (stroke - 1)), stroke)
    band(fig, at, base + len(view.text), colours)
    stairs(fig, view, base, colours, stroke)
    cells(fig, blocks, view, colours, stroke)
    if view.parted:
        parting(fig, view.parted, base + len(view.text), colours, stroke)
    axes(fig, view, [who for who, _ in blocks], base, at, colours, stroke)
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


def cells(fig: go.Figure, blocks, view, colours: dict, stroke: float) -> None:
    """{whose: grid} below each other, one state a column: grid[row][step] is (text, kind), kind 0 stays, 1 changed, 2 wrong, None
    nothing."""
    steps, rows = 1 + longest(view), []
    for whose, grid in blocks:
        rows += [(f"{whose}: {name}", row) for name, row in zip(view.names, grid)] + [("", ())]
    z = np.full((len(rows), steps), np.nan)
    words = np.full((len(rows), steps), "", dtype=object)
    over = words.copy()
    for r, (name, row) in enumerate(rows):
        for s, (text, kind) in enumerate(row):
            words[r, s], z[r, s] = text, np.nan if kind is None else kind
            over[r, s] = f"{name} after step {s}: {text or 'no value'}"
    hues = [colours[name] for name in ("card", "card", "query", "query", "routed", "routed")]
    fig.add_heatmap(
        x=np.arange(steps), y=np.arange(len(rows))[::-1] - 1, z=z, zmin=0, zmax=2, text=words, texttemplate="%{text}",
        colorscale=list(zip((0, 0.33, 0.34, 0.66, 0.67, 1), hues)), showscale=False, xgap=1, ygap=1, hovertext=over,
        hoverinfo="text", hoverongaps=False, textfont={"size": (9 if steps > MOST + 1 else 12) * (0.6 + 0.4 * stroke)},
    )  # fmt: skip


def longest(view) -> int:
    """Steps of the longer of both runs."""
    return max(len(view.true_lines), len(view.said_lines))


def parting(fig: go.Figure, step: int, top: float, colours: dict, stroke: float) -> None:
    """Where the model's trace leaves the true one."""
    curve(fig, [step - 0.5] * 2, [-0.6, top - 0.3], colours["routed"], 1.6 * stroke, dash="dash")
    note(fig, step - 0.5, top - 0.2, f"<b>parts at step {step}</b>", colours["routed"], xanchor="center", yanchor="bottom")


def axes(fig: go.Figure, view, whose: list[str], base: float, at: int, colours: dict, stroke: float) -> None:
    """The program's own lines and the names as labels; the line that has just run is bold."""
    now = view.true_lines[at - 1] if 1 <= at <= len(view.true_lines) else 0
    width = max(map(len, view.text))
    ticks = [base + len(view.lines) - 1 - i for i in range(len(view.lines))]
    texts = [code(text.ljust(width), number == now) for number, text in zip(view.lines, view.text)]
    for b, who in enumerate(reversed(whose)):
        ticks += [b * (len(view.names) + 1) + len(view.names) - 1 - i for i in range(len(view.names))]
        texts += [f"{who} <b>{name}</b>" for name in view.names]
    font = {"family": "JetBrainsMono, ui-monospace, monospace", "size": 11.5 * (0.6 + 0.4 * stroke), "color": colours["ink"]}
    steps = longest(view)
    shown = list(range(0, steps + 1, 1 if steps <= MOST else 4))
    bare = {"gridcolor": CLEAR, "linecolor": CLEAR}
    fig.update_layout(
        xaxis=bare | {"tickvals": shown, "range": [-0.55, steps + 0.55], "title_text": "after step"},
        yaxis=bare | {"tickvals": ticks, "ticktext": texts, "tickfont": font, "range": [-0.7, base + len(view.lines) + 0.1]},
    )


def code(text: str, now: bool) -> str:
    """A line of the program as a label, the one that has just run marked as Python's debugger does."""
    safe = text.replace(" ", "\u00a0").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"<b>-&gt;\u00a0{safe}</b>" if now else safe


def growth(steps, lines: dict, chosen: int, colours: dict, stroke: float = 1.0) -> go.Figure:
    """{name: bytes (S,)} against the steps of a run; the first grows, a ring stands where the reader's program is."""
    fig = blank(colours, 300, stroke)
    for (name, values), hue, dash in zip(lines.items(), ("query", "soft"), ("solid", "dash")):
        hover = f"{name}: %{{y:,}} after %{{x}} steps"
        curve(fig, steps, values, colours[hue], 2.2 * stroke, hover, dash)
        mark(fig, steps[-1], values[-1], name.removesuffix(", B"), colours[hue], "top left", 12 * stroke)
        if chosen <= steps[-1]:
            ring = {"color": colours["card"], "size": 10 * stroke, "line": {"color": colours[hue], "width": 2 * stroke}}
            fig.add_scatter(x=[chosen], y=[values[chosen]], mode="markers", marker=ring, hovertemplate=hover + EXTRA)
    fig.update_xaxes(title_text="steps of the run")
    fig.update_yaxes(title_text="cache, bytes", rangemode="tozero", tickformat=",")
    return fig
