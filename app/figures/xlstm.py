"""Figures of LSTMs: what is left of every word, bytes against tokens, a growing cache that passes a memory of one size."""

import numpy as np
import plotly.graph_objects as go

from app.figures.kinds import SHARES, Growth, Line, Runs, Sample, Seeds
from app.figures.plot import CLEAR, TEXT, blank, byte_ticks, curve, legend, mark

DASHES = ("solid", "dash", "dot", "dashdot")


def left(words, rows, names, colours: dict, stroke: float = 1.0) -> go.Figure:
    """Shares (H, S) from 0 to 1 of what each word wrote, a line a head."""
    fig = blank(colours, 190, stroke)
    x = np.arange(len(words))
    for row, name, dash in zip(rows, names, DASHES):
        text = [
            f"{name}: {share:.2f} of what “{word}” ({t + 1}) wrote is left" for t, (share, word) in enumerate(zip(row, words))
        ]
        curve(fig, x[: len(row)], row, colours["state"], 2.2 * stroke, dash=dash, shape="hvh", text=text, name=name)
    every = max(1, -(-len(words) // 12))
    fig.update_xaxes(tickvals=x[::every], ticktext=list(words)[::every], tickangle=-60)
    fig.update_yaxes(range=[-0.03, 1.05], tickvals=[0, 0.5, 1])
    if len(names) > 1:
        legend(fig, colours, y=1.02, yanchor="bottom")
    return fig


def growth(lengths, values: dict, chosen: str, points, kept) -> Growth:
    """Bytes kept against tokens, log axis: attention grows, the cells do not; rings are measured on the chosen one."""
    styles = {name: ("soft", 1.2) for name in values} | {chosen: ("state", 2.6), "attention": ("kv", 2.6)}
    lines = tuple(Line(name, y, *styles[name]) for name, y in values.items())
    return Growth(lines, chosen, lengths, points, kept, title="bytes kept (log)", log=True, room=76)


def crossing(contexts, cache, memory, at: int, names: tuple[str, str], label, colours: dict, stroke: float = 1.0) -> go.Figure:
    """A real model's cache and a memory that does not grow, both axes logarithmic; their crossing marked."""
    fig = blank(colours, 320, stroke)
    for y, name, hue in zip((cache, memory), names, ("kv", "state")):
        text = [f"{name}: {label(v)} at {n:,} tokens" for n, v in zip(contexts, y)]
        line = {"color": colours[hue], "width": 2.6 * stroke}
        fig.add_scatter(x=contexts, y=y, mode="lines", line=line, text=text, hovertemplate=TEXT)
    size = 13 * (1 + 0.45 * (stroke - 1))
    mark(fig, contexts[-1], 0.6 * memory[0], f"<b>{names[1]}</b>", colours["state"], "bottom left", size)
    mark(fig, contexts[-1], cache[-1], f"<b>{names[0]}</b> ", colours["kv"], "top left", size)
    dot = {"color": colours["ink"], "size": 9 * stroke, "symbol": "circle-open", "line": {"width": 2 * stroke}}
    fig.add_scatter(x=[at], y=[memory[0]], mode="markers", marker=dot, hovertemplate="equal at %{x:,} tokens<extra></extra>")
    mark(fig, at, 1.5 * memory[0], f"{at:,} tokens ", colours["ink"], "top left", size)
    values, texts = byte_ticks(min(cache) / 2, max(max(cache), memory[0]) * 2, label)
    fig.update_xaxes(type="log", title_text="context, tokens", dtick=1, tickformat=",")
    fig.update_yaxes(type="log", title_text="kept for one sequence", tickvals=values, ticktext=texts)
    return fig.update_layout(margin={"t": 26 * stroke})


def tokens(names, values, chosen: int, said: str, colours: dict, stroke: float = 1.0) -> go.Figure:
    """Models by the number of tokens at which their cache has grown to a memory; the chosen one in bold."""
    fig = blank(colours, 72 + 22 * len(names), stroke)
    rows = np.arange(len(names))[::-1]
    x = np.stack([np.ones(len(names)), values, np.full(len(names), np.nan)], 1).ravel()
    line = {"color": colours["kv"], "width": 2 * stroke}
    fig.add_scatter(x=x, y=np.repeat(rows, 3).astype(float), mode="lines", line=line, opacity=0.4, hoverinfo="skip")
    text = [f"{name}: {said} {n:,} tokens" for name, n in zip(names, values)]
    dot = {"color": colours["kv"], "size": 11 * stroke}
    fig.add_scatter(x=values, y=rows, mode="markers", marker=dot, text=text, hovertemplate=TEXT)
    room = "\u2003"  # a space before each name: Plotly measures names a little too short and would cut their first letter
    shown = [room + (f"<b>{name}</b>" if i == chosen else name) for i, name in enumerate(names)]
    fig.update_xaxes(type="log", dtick=2, tickformat=",", tickangle=0, side="top")
    fig.update_yaxes(tickvals=rows, ticktext=shown, range=[-0.7, len(names) - 0.3], gridcolor=CLEAR)
    fig.update_yaxes(tickfont={"color": colours["ink"]})
    return fig


def by_size(found: dict[str, tuple[int, Runs]], label, hues: dict[str, str], most: int) -> Seeds:
    """{variant: (numbers kept, runs)}: recall against the size of the memory."""
    ran = {v: (size, runs) for v, (size, runs) in found.items() if runs}
    samples = tuple(Sample(label(v), runs, size, hues[v], cells=(v, size)) for v, (size, runs) in ran.items())
    sizes = sorted({size for size, _ in ran.values()}) or [1]
    far = {n: f"{n:,}" for n, before in zip(sizes, (0, *sizes)) if n > 1.2 * before}  # none where two are near
    ends = np.log10([sizes[0] / 2.2, sizes[-1] * 2.2])
    subject, columns = "Recall of the purely recurrent models by numbers kept", ("variant", "numbers kept", "seed", "recall")
    lanes = {"type": "log", "title_text": "numbers kept by the mixers (log)", "range": ends}
    return Seeds(subject, samples, f"recall at {most} pairs", columns, far, lanes, SHARES, bar=0, named=True, height=340)
