"""Figures of LSTMs: what is left of every word, bytes against tokens, a growing cache that passes a memory of one size."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from app.figures.kinds import ROOM, SHARES, Against, Growth, Line, Marks, Models, Runs, Sample, Seeds
from app.figures.plot import blank, curve, legend

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


def crossing(contexts, cache, memory, at: int, names: tuple[str, str], label) -> Against:
    """A real model's cache and a memory that does not grow, with the tokens at which they are equal."""
    lines = (
        Line(names[0], cache, "kv", 2.6, f"<b>{names[0]}</b> "),
        Line(names[1], memory, "state", 2.6, f"<b>{names[1]}</b>", side="bottom left", lift=0.6),
    )
    subject, equal = f"Cache of {names[0]} and what {names[1]} keeps", f"{at:,} tokens"
    meets, remark = (at, memory[0], equal), f"equal at {equal}"
    return Against(subject, lines, contexts, "kept for one sequence", {}, label, meets=meets, remark=remark)


def tokens(kept: str, names, values, chosen: int) -> Models:
    """Models by the number of tokens at which their cache has grown to a memory; the chosen one in bold."""
    subject = f"Tokens at which real caches have grown to {kept}"
    marks = (Marks("as large at", values, "kv", size=11, column="tokens"),)
    return Models(
        subject, names, marks, lambda n: f"{n:,} tokens", "kv", (0,), 0.4, chosen, ROOM, "{model}: {name} {value}", {}, (72, 22)
    )


def by_size(found: Mapping[str, tuple[int, Runs]], label, hues: dict[str, str], most: int) -> Seeds:
    """{variant: (numbers kept, runs)}: recall against the size of the memory."""
    ran = {v: (size, runs) for v, (size, runs) in found.items() if runs}
    samples = tuple(Sample(label(v), runs, size, hues[v], cells=(v, size)) for v, (size, runs) in ran.items())
    sizes = sorted({size for size, _ in ran.values()}) or [1]
    far = {n: f"{n:,}" for n, before in zip(sizes, (0, *sizes)) if n > 1.2 * before}  # none where two are near
    ends = np.log10([sizes[0] / 2.2, sizes[-1] * 2.2])
    subject, columns = "Recall of the purely recurrent models by numbers kept", ("variant", "numbers kept", "seed", "recall")
    lanes = {"type": "log", "title_text": "numbers kept by the mixers (log)", "range": ends}
    return Seeds(subject, samples, f"recall at {most} pairs", columns, far, lanes, SHARES, bar=0, named=True, height=340)
