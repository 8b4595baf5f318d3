"""Figures of memories that do not grow: what a read-out is made of, bytes against tokens with the point where they meet, recall
against stored pairs."""

import numpy as np
import plotly.graph_objects as go

from app.figures.kinds import DASHES, SYMBOLS, Against, ByCount, Growth, Line, Style
from app.figures.plot import CLEAR, TEXT, blank, dots, legend


def readout(words, shares, learned, source: int, at: int, colours: dict, stroke: float = 1.0) -> go.Figure:
    """Bars: how much of each token's value a read-out holds, signed; grey marks are the model as it learned."""
    fig = blank(colours, 196, stroke)
    tokens, top = np.arange(1, len(words) + 1), 1.15 * max(0.25, *(np.abs(x).max() for x in (shares, learned) if x is not None))
    text = [f"{word} ({t}): {x:+.2f}" for word, t, x in zip(words, tokens, shares)]
    fig.add_bar(x=tokens, y=shares, marker={"color": colours["state"]}, text=text, textposition="none", hovertemplate=TEXT)
    if learned is not None:
        before = [f"{word} ({t}), as learned: {x:+.2f}" for word, t, x in zip(words, tokens, learned)]
        dots(fig, tokens, learned, colours["soft"], 7 * stroke, "", "line-ew-open", 1.6 * stroke, text=before)
    upright_at = [(at, "query"), (source, "ink")][: 1 + (source >= 0)]
    whole = {"type": "line", "yref": "paper", "y0": 0, "y1": 1}
    shapes = [
        whole | {"x0": t + 1, "x1": t + 1, "line": {"color": colours[hue], "width": stroke, "dash": "dot"}}
        for t, hue in upright_at
    ]
    zero = {"zeroline": True, "zerolinecolor": colours["soft"], "zerolinewidth": stroke}
    names = []
    if source >= 0:
        late = source > len(words) / 2
        side = {"xanchor": "right" if late else "left", "xshift": -7 if late else 7, "yref": "paper", "yanchor": "bottom"}
        ink = {"color": colours["ink"]}
        names = [side | {"x": source + 1, "y": 0.86, "text": f"<b>{words[source]}</b>", "showarrow": False, "font": ink}]
    across = {"title_text": "token", "range": [0, len(words) + 1], "gridcolor": CLEAR}
    up = {"title_text": "share", "tickformat": "+.1f", "range": [-top, top]}
    fig.update_layout(
        bargap=0.25, shapes=shapes, annotations=names, xaxis=across, yaxis=up | zero
    )  # at once: it is redrawn often
    return fig


def growth(
    lengths, whole, own, points, values, crossing: int, names: tuple[str, str], constant: str = "state", column: str = "{}, B"
) -> Growth:  # fmt: skip
    """Bytes of a live model against tokens: attention in every layer, and as it is; `constant`: the hue of what does not grow."""
    lines = Line(names[0], whole, "kv", 1.8), Line(names[1], own, constant, 2.8)
    meets, title = (crossing, f"{crossing} tokens"), "cache and state, bytes"
    return Growth(lines, names[1], lengths, points, values, meets, title, column, legend=True)


def memory(name: str, contexts, whole, own, ticks, crossing: int, label, constant: str = "state", **more) -> Against:
    """A real model's bytes against context: attention in every layer, and as released; `more` is said of its table."""
    lines = (
        Line("attention in every layer", whole, "kv", 1.8, at=-5),
        Line("as released", own, constant, 2.8, at=-6, side="bottom right"),
    )
    met = f"{crossing:,} tokens"
    return Against(
        f"Memory of {name}", lines, contexts, "cache and state", ticks, label, **more,
        marks=((crossing, met, "left"),) * bool(crossing), remark=f"they meet at {met}" if crossing else "they do not meet",
    )  # fmt: skip


def models(
    names, whole, state, cache, label, colours: dict, stroke: float = 1.0, constant: tuple[str, str] = ("state", "state")
) -> go.Figure:
    """Real models: a ring for attention in every layer, and bars for what is kept, its sum under the name: what is `constant`
    (its name and hue), and a growing cache."""
    fig = blank(colours, 92 + 44 * len(names), stroke)
    rows, (what, tint) = np.arange(len(names))[::-1], constant
    for values, base, name, hue in ((state, 0 * state, f"{what}, constant", tint), (cache, state, "cache, grows", "kv")):
        text = [f"{model}, {name}: {label(v)}" for model, v in zip(names, values)]
        bar = {"orientation": "h", "width": 0.5, "marker": {"color": colours[hue]}, "textposition": "none"}
        fig.add_bar(x=values, y=rows, base=base, name=name, text=text, hovertemplate=TEXT, **bar)
    every = "attention in every layer"
    text = [f"{model}, {every}: {label(v)}" for model, v in zip(names, whole)]
    dots(fig, whole, rows, colours["soft"], 11 * stroke, "", "circle-open", 2 * stroke, name=every, text=text)
    step = 2.0 ** np.ceil(np.log2(whole.max() / 3))
    ticks = np.arange(0, whole.max() * 1.05, step)
    short = [label(v).replace(".00", "").replace(".0", "") if v else "0" for v in ticks]
    fig.update_xaxes(tickvals=ticks, ticktext=short, tickangle=0)
    shown = [f"\u2003{name}<br><b>{label(size)}</b>" for name, size in zip(names, state + cache)]
    fig.update_yaxes(tickvals=rows, ticktext=shown, gridcolor=CLEAR)
    fig.update_yaxes(tickfont={"color": colours["ink"]}, range=[-0.6, len(names) - 0.4])
    legend(fig, colours, y=1.04, yanchor="bottom")
    fig.update_layout(barmode="overlay")
    return fig


def recall(found: dict, label, styles: dict[str, tuple[str, float]]) -> ByCount:
    """{model: {stored pairs: runs}}; `styles` {model: (hue, width)}: dashes and symbols tell apart what has one hue."""
    drawn: dict[str, Style] = {}
    for name in found:
        hue, width = styles[name]
        k = sum(style.hue == hue for style in drawn.values())
        drawn[name] = Style(hue, DASHES[k], SYMBOLS[k], width)
    subject, columns = f"Recall of {len(found)} models against pairs to remember", ("model", "pairs", "run", "recall")
    return ByCount(subject, found, label, "pairs to remember", "recall", drawn, columns, axis="linear", each="{} pairs")
