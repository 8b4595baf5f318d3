"""Figures of sparse attention: one query's attention with what was picked for it, arithmetic split into scorer and attention,
real models, recall against top-k."""

import numpy as np
import plotly.graph_objects as go

from app.figures.kinds import ByCount, Growth, Learning, Line, Style
from app.figures.plot import CLEAR, TEXT, blank, context_axis, curve, label, legend, mark, note, type_size

SCORER = "query"  # the hue of what scores; what is picked and read has the latent's
PARTS = (("scorer", SCORER), ("attention to the picked", "latent"))


def row(words, at: int, attention, scores, chosen, width: int, colours: dict, stroke: float = 1.0) -> go.Figure:
    """One query: bars are whole attention to every token (filled where picked), diamonds the scorer's guess, the band a window of
    the same cost."""
    x, bars = np.arange(at + 1), []
    for picked, hue, opacity in ((False, "soft", 0.4), (True, "latent", 1.0)):
        some = x[chosen[: at + 1] == picked]
        text = [f"{words[t]} ({t + 1}){', picked' * picked}: attention {attention[t]:.3f}, score {scores[t]:.3f}" for t in some]
        height = np.maximum(attention[some], 0.012 * picked)  # a picked token is seen even where nothing is read
        bars.append(
            {"type": "bar", "x": some, "y": height, "width": 0.8, "marker": {"color": colours[hue], "line": {"width": 0}},
             "opacity": opacity, "text": text, "textposition": "none", "hovertemplate": TEXT}
        )  # fmt: skip
    line = {"width": 1.4 * stroke}
    diamonds = {"symbol": "diamond-open", "size": 6 * (0.5 + 0.5 * stroke), "color": colours[SCORER], "line": line}
    guess = {"x": x, "y": scores[: at + 1], "mode": "markers", "marker": diamonds, "hoverinfo": "skip"}
    named = x[(attention[: at + 1] > 0.15) | ((scores[: at + 1] > 0.15) & chosen[: at + 1])]
    names = {
        "x": named, "y": np.maximum(attention[named], scores[named]), "mode": "text", "hoverinfo": "skip", "cliponaxis": False,
        "text": [f"<b>{words[t]}</b>" for t in named], "textfont": {"color": colours["ink"], "size": type_size(stroke)},
        "textposition": ["top left" if t > at / 2 else "top right" for t in named],
    }  # fmt: skip
    return blank(
        colours, 214, stroke, [*bars, guess, names], **band(at, width, colours), barmode="overlay", margin={"t": 24 * stroke},
        xaxis={"range": [-1, at + 1], "showgrid": False, "tickvals": [0, at],
               "ticktext": [words[0], f"{words[at]} asks"]},
        yaxis={"range": [0, 1.12], "tickvals": [0, 0.5, 1]},
    )  # fmt: skip


def band(at: int, width: int, colours: dict) -> dict:
    """The last `width` tokens, as a window would read them: the shape and its name."""
    first = max(0, at - width + 1)
    text = f"the last {width}" if first else "the last ones: all"
    edges = {"x0": first - 0.5, "x1": at + 0.5, "y0": 0, "y1": 1, "yref": "y domain"}
    shape = {"type": "rect", "fillcolor": colours["window"], "opacity": 0.13, "line": {"width": 0}, "layer": "below", **edges}
    said = label(at + 0.5, 1.0, text, colours["window"], yref="paper", yanchor="bottom", xanchor="right")
    return {"shapes": [shape], "annotations": [said]}


def split(contexts, s, marks: dict[str, int], ticks: dict, colours: dict, stroke: float = 1.0) -> go.Figure:
    """FLOPs of one decode step against context, log-log: scorer, attention to the picked, both, and attention to everything;
    `marks` {what happens from there on: context} stand as upright lines."""
    fig = blank(colours, 340, stroke)
    lines = (
        ("attention to everything", s.dense, "soft", "dash", 2.0), ("scorer and attention", s.total, "ink", "solid", 2.6),
        ("scorer", s.scorer, SCORER, "solid", 2.0), ("attention to the picked", s.attention, "latent", "solid", 2.0),
    )  # fmt: skip
    for name, y, hue, dash, width in lines:
        hover = f"{name}: %{{y:.3s}}FLOP at %{{x:,}} tokens"
        curve(fig, contexts, y, colours[hue], width * stroke, hover, dash, name=name)
    for i, n in enumerate(dict.fromkeys(marks.values())):
        said = ", ".join(f"{what} {n:,} tokens on" for what, there in marks.items() if there == n)
        fig.add_vline(x=n, line={"color": colours["soft"], "width": stroke, "dash": "dot"})
        side = {"xanchor": "right", "xshift": -3} if np.log10(n) > np.log10(contexts).mean() else {"xanchor": "left", "xshift": 3}
        where = {"yref": "paper", "yanchor": "top", "hovertext": said, **side}
        note(fig, np.log10(n), 1 - 0.075 * i, f"{n:,} tokens", colours["soft"], **where)
    context_axis(fig, ticks, contexts[0], contexts[-1])
    fig.update_yaxes(type="log", title_text="FLOPs of one token, all layers", dtick=1, exponentformat="SI")
    legend(fig, colours, y=1.02, yanchor="bottom")
    return fig


def growth(lengths, latent, total, points, values) -> Growth:
    """Cache bytes against tokens: the latent's, and with the scorer's keys on top; rings are measured."""
    lines = (
        Line("latent", latent, "latent", 2.4, fill="tozeroy"),
        Line("with the scorer's keys", total, SCORER, 2.4, "with keys", fill="tonexty"),
    )
    return Growth(lines, lines[1].name, lengths, points, values, title="cache, bytes", legend=True, height=300)


def models(labels, scorer, attention, colours: dict, stroke: float = 1.0) -> go.Figure:
    """Each model and context: scorer and attention as shares of attention to everything; at the line nothing is saved."""
    fig = blank(colours, 80 + 24 * len(labels), stroke)
    rows = np.arange(len(labels))[::-1]
    for (name, hue), values in zip(PARTS, (scorer, attention)):
        text = [f"{label}, {name}: {v:.1%} of attention to everything" for label, v in zip(labels, values)]
        marker = {"color": colours[hue], "line": {"width": 0}}
        fig.add_bar(
            y=rows, x=values, orientation="h", marker=marker, name=name, text=text, textposition="none", hovertemplate=TEXT
        )
    for y, total in zip(rows, scorer + attention):
        mark(fig, total, y, f" {total:.0%}", colours["ink"], "middle right", type_size(stroke))
    fig.add_vline(x=1, line={"color": colours["ink"], "width": 1.4 * stroke, "dash": "dot"})
    fig.update_xaxes(range=[0, max(1.1, 1.35 * float((scorer + attention).max()))], tickformat=".0%", side="top")
    fig.update_yaxes(tickvals=rows, ticktext=[" " + label for label in labels], gridcolor=CLEAR)
    fig.update_traces(showlegend=False, selector={"type": "scatter"})
    fig.update_layout(barmode="stack", bargap=0.35)
    legend(fig, colours, y=0, yanchor="top")
    return fig


STYLES = {
    "recall, picked": Style("latent"), "attention kept, picked": Style(SCORER, "dot", "diamond-open"),
    "recall, the last": Style("window", symbol="square"), "recall, at random": Style("soft", symbol="x"),
}  # fmt: skip


def recalled(found: dict[str, dict[int, list]], bound: float) -> ByCount:
    """{what: {tokens read: runs}}; the dash is the bound of the claim."""
    columns, each = ("what", "tokens read", "run", "share"), "with {} tokens read"
    return ByCount(
        "Recall against how many tokens a query reads: picked by the scorer, the last ones, random ones", found, str,
        "tokens that a query reads", "", STYLES, columns, axis="log", each=each, levels=((bound, ""),),
    )  # fmt: skip


def learning(curves: dict[str, dict]) -> Learning:
    """{what is read: {seed: (steps, recall)}}."""
    subject, hues = "Recall against training steps by what is read", dict(zip(curves, ("soft", "latent", "latent")))
    columns, dashes = ("read", "seed", "step", "recall"), ("solid", "solid", "dot")
    return Learning(subject, curves, str, hues, columns, "recall", share=True, dashes=dashes)
