"""Figures of mixtures of experts: loads, words flowing to experts, parameters as areas, what a batch wakes, real models."""

import numpy as np
import plotly.graph_objects as go

from app.figures.kinds import Learning, Marks, Models, Sample, Seeds
from app.figures.plot import CLEAR, TEXT, blank, curve, dots, faint, legend, mark, note, type_size

# See


def loads(here: np.ndarray, fixed: np.ndarray, colours: dict, stroke: float = 1.0) -> go.Figure:
    """Load of each expert over the fair share (L, E): bars on the reader's text, ticks on the long fixed text; a row a layer."""
    count, E = here.shape
    fig = blank(colours, 74 + 82 * count, stroke)
    top = max(2.0, float(min(max(here.max(), fixed.max()), 6.0)))
    for n in range(count):
        base, x = (count - 1 - n) * (top + 0.9), np.arange(1, E + 1)
        text = [
            f"layer {n + 1}, expert {e}: {a:.2f} of its fair share here, {b:.2f} on the fixed text"
            for e, a, b in zip(x, here[n], fixed[n])
        ]
        fig.add_bar(
            x=x, y=np.minimum(here[n], top), base=base, width=0.72, marker={"color": colours["routed"], "opacity": 0.8},
            text=text, hovertemplate=TEXT, textposition="none",
        )  # fmt: skip
        y, size = base + np.minimum(fixed[n], top), max(5, 150 / E) * (0.5 + 0.5 * stroke)
        dots(fig, x, y, colours["ink"], size, "", "line-ew", 2.2 * stroke, text=text)
        for height, dash, hue in ((0.0, "solid", "line"), (1.0, "dot", "soft")):
            line = {"color": colours[hue], "width": 1.2 * stroke, "dash": dash}
            fig.add_shape(type="line", x0=0.4, x1=E + 0.6, y0=base + height, y1=base + height, line=line)
        note(fig, 0.4, base + top, f"layer {n + 1}", colours["soft"], xanchor="left", yanchor="bottom", yshift=-2)
    ticks = x if E <= 8 else [1, *range(4, E + 1, 4)]
    fig.update_xaxes(title_text="expert", range=[0.3, E + 0.7], gridcolor=CLEAR, tickvals=ticks, tickangle=0)
    fig.update_yaxes(
        tickvals=[n * (top + 0.9) + 1 for n in range(count)], ticktext=["fair"] * count, gridcolor=CLEAR,
        range=[-0.1, count * (top + 0.9)],
    )  # fmt: skip
    fig.update_layout(barmode="overlay", bargap=0)
    return fig


def flow(names, links, columns, hot: set[int], colours: dict, stroke: float = 1.0) -> go.Figure:
    """Words (column 0) to experts of the first and of the last layer; links are (from, to, tokens), `hot` nodes stand out."""
    words = sum(c == 0 for c in columns)
    fig = blank(colours, max(380, 17 * words), stroke)
    used = sorted({n for a, b, _ in links for n in (a, b)})
    at = {n: i for i, n in enumerate(used)}
    soft, loud = faint(colours["routed"], 0.2), faint(colours["routed"], 0.55)
    fig.add_sankey(
        arrangement="snap",
        node={
            "label": [names[n] for n in used], "pad": 5, "thickness": 9 * stroke, "line": {"width": 0},
            "color": [colours["query"] if columns[n] == 0 else colours["routed"] for n in used],
            "hovertemplate": "%{label}: %{value:.3~g} tokens<extra></extra>",
        },
        link={
            "source": [at[a] for a, _, _ in links], "target": [at[b] for _, b, _ in links], "value": [n for *_, n in links],
            "color": [loud if a in hot or b in hot else soft for a, b, _ in links],
            "hovertemplate": "%{source.label} to %{target.label}: %{value:.3~g}<extra></extra>",
        },
        textfont={"color": colours["ink"], "size": type_size(stroke) - 0.5, "shadow": "none"},
    )  # fmt: skip
    fig.update_layout(margin={"l": 4, "r": 4, "t": 24, "b": 8})
    for x, text, anchor in ((0, "words", "left"), (0.5, "experts of layer 1", "center"), (1, "experts of layer 2", "right")):
        note(fig, x, 1, text, colours["soft"], xref="paper", yref="paper", xanchor=anchor, yanchor="bottom", yshift=2)
    return fig


def areas(blocks, label, height: int, colours: dict, stroke: float = 1.0) -> go.Figure:
    """Parameters as areas: [(name, parameters, hue)]. What a token does not visit is faint."""
    fig = blank(colours, height, stroke)
    fills = {
        "routed": colours["routed"], "idle": faint(colours["routed"], 0.22), "shared": colours["shared"],
        "neutral": faint(colours["soft"], 0.32),
    }  # fmt: skip
    inks = {"routed": colours["card"], "idle": colours["ink"], "shared": colours["card"], "neutral": colours["ink"]}
    names, values, hues = ([*column] for column in zip(*blocks))
    fig.add_treemap(
        labels=names, parents=[""] * len(names), values=values, text=[label(v) for v in values], branchvalues="total",
        texttemplate="<b>%{label}</b><br>%{text}", hovertemplate="%{label}: %{text}<extra></extra>", sort=True,
        marker={"colors": [fills[h] for h in hues], "line": {"width": 1.5 * stroke, "color": colours["card"]}},
        textfont={"color": [inks[h] for h in hues], "size": type_size(stroke)}, pathbar={"visible": False},
        tiling={"packing": "squarify", "pad": 1.5},
    )  # fmt: skip
    fig.update_layout(margin={"l": 0, "r": 0, "t": 2, "b": 2}, uniformtext={"minsize": 9, "mode": "hide"})
    return fig


# Count


def touched(batches, predicted, measured: np.ndarray, E: int, colours: dict, stroke: float = 1.0) -> go.Figure:
    """Distinct experts a layer reads for a batch: the formula as a line, each layer of the live model as rings (L, batches)."""
    fig = blank(colours, 290, stroke)
    hover = "%{y:.2f} experts for %{x} tokens"
    curve(fig, batches, predicted, colours["soft"], 2 * stroke, f"formula: {hover}", name="formula, even picks")
    for n, (row, symbol) in enumerate(zip(measured, ("circle-open", "diamond-open", "square-open")), 1):
        look = colours["routed"], 10 * stroke, f"layer {n}, measured: {hover}", symbol, 2.2 * stroke
        dots(fig, batches, row, *look, name=f"measured, layer {n}")
    fig.add_hline(y=E, line={"color": colours["line"], "width": 1.5 * stroke})
    note(fig, 0, E, f"all {E}", colours["soft"], xref="paper", xanchor="left", yanchor="bottom")
    fig.update_xaxes(type="log", title_text="tokens in the batch", tickvals=batches, ticktext=[f"{b}" for b in batches])
    fig.update_yaxes(title_text="distinct experts", range=[0, E * 1.12])
    legend(fig, colours, y=-0.24, yanchor="top")
    return fig


def reading(batches, step, token, whole: int, chosen: int, label, colours: dict, stroke: float = 1.0) -> go.Figure:
    """Bytes of weights a decode step reads against the batch: the step, its share for one token, all weights as the ceiling."""
    fig = blank(colours, 290, stroke)
    at = list(batches).index(chosen)
    for y, hue, name, width in ((step, "routed", "a step reads", 2.6), (token, "saved", "for each token of it", 2.2)):
        text = [f"{name}: {label(int(v))} at batch {b}" for b, v in zip(batches, y)]
        curve(fig, batches, y, colours[hue], width * stroke, text=text)
        dots(fig, [chosen], [y[at]], colours[hue], 10 * stroke)
    size = type_size(stroke)
    middle = len(batches) // 2
    mark(fig, batches[1], step[1], " <b>a step reads</b>", colours["routed"], "bottom right", size)
    mark(fig, batches[middle], token[middle], "<b>for each token of it</b> ", colours["saved"], "bottom left", size)
    fig.add_hline(y=whole, line={"color": colours["soft"], "width": 1.4 * stroke, "dash": "dot"})
    mark(fig, batches[0], whole, f"all weights, {label(whole)}", colours["soft"], "top right", size)
    low = min(token)
    values = [v for v in (1e6 * 10**k for k in range(8)) if low / 4 <= v <= whole * 4]
    ticks = [b for i, b in enumerate(batches) if i % 2 == 0]
    fig.update_xaxes(type="log", title_text="tokens in the batch", tickvals=ticks, ticktext=[f"{b:,}" for b in ticks])
    fig.update_yaxes(type="log", title_text="weights, bytes", tickvals=values, ticktext=[label(int(v)) for v in values])
    fig.update_yaxes(range=[np.log10(low / 2), np.log10(whole * 2.5)])
    return fig


def models(names, totals, actives, chosen: int, label) -> Models:
    """Real models: total parameters (ring) and active ones (dot) on a log scale, the largest first; the chosen one loud."""
    marks = (
        Marks("total", totals, "soft", "circle-open", 10, 2, "total"),
        Marks("active for one token", actives, "routed", size=11, column="active"),
    )
    subject = f"Total and active parameters of {len(names)} real mixtures of experts"
    ticks = {label(t): t for t in (1e9, 3e9, 1e10, 3e10, 1e11, 3e11, 1e12)}
    return Models(
        subject, names, marks, label, "routed", opacity=0.3, chosen=chosen, phrase="{model}: {value} {name}", ticks=ticks,
        heights=(64, 25), left=7 * max(map(len, names)),  # room for the longest name, whichever font has loaded
    )  # fmt: skip


# Prove


def losses(groups, label, floor: float) -> Seeds:
    """{group: {variant: runs}} in rows; dashed: the loss that no model can beat."""
    samples, names, heads, at = [], {}, {}, 0
    for group, variants in groups.items():
        heads[-at] = f"<b>{group}</b>"
        for v, runs in variants.items():
            at += 1
            samples.append(Sample(label(v), runs, -at, "routed" if v.startswith("moe") else "soft", cells=(v,)))
            names[-at] = label(v)
        at += 1
    return Seeds(
        "Loss of every run in groups: dense models, experts, balancing", tuple(samples), "loss, nats a token",
        ("variant", "seed", "loss, nats"), names, {"range": [-at + 0.4, 1.4]}, {}, groups=heads, upright=False, bar=0.32,
        level=(floor, " no model can be below"), height=90 + 22 * (len(names) + len(heads)),
    )  # fmt: skip


def shares(steps, load: np.ndarray, colours: dict, stroke: float = 1.0) -> go.Figure:
    """Share of the tokens that each expert of a layer gets while it is trained, (S, E), as bands: even ones mean an even load."""
    fig = blank(colours, 250, stroke)
    share = load / load.sum(1, keepdims=True)
    for e in range(load.shape[1]):
        fig.add_scatter(
            x=steps, y=share[:, e], mode="lines", stackgroup="one", line={"width": 0.8 * stroke, "color": colours["card"]},
            fillcolor=faint(colours["routed"], 0.85 if e % 2 else 0.5),
            hovertemplate=f"expert {e + 1}: %{{y:.1%}} after %{{x}} steps<extra></extra>",
        )  # fmt: skip
    fig.update_xaxes(title_text="training steps", range=[steps[0], steps[-1]])
    fig.update_yaxes(title_text="share of tokens", tickformat=".0%", range=[0, 1])
    return fig


def busiest(curves: dict, label) -> Learning:
    """Load of the busiest expert over the mean while training: {variant: {seed: (steps, values)}}; 1 is an even load."""
    hues, what = dict(zip(curves, ("routed", "soft", "saved"))), "busiest expert, times the mean"
    return Learning(
        "Load of the busiest expert against training steps for each way to balance", curves, label, hues,
        ("variant", "seed", "step", what), "load over the mean (log)", str, room=84, ticks=(1, 1.5, 2, 3, 4, 6, 8, 16), level=1,
    )  # fmt: skip


def decides(layers: list[dict]) -> Seeds:
    """How much of the choice of experts each feature decides, layer by layer: [{feature: runs}]."""
    samples = tuple(
        Sample(f"{name}, layer {n + 1}", runs, i + 0.22 * (n - (len(layers) - 1) / 2), "routed",
               ("circle", "diamond-open", "square")[n], (n + 1, name), f"layer {n + 1}")
        for n, layer in enumerate(layers) for i, (name, runs) in enumerate(layer.items())
    )  # fmt: skip
    names, subject = dict(enumerate(layers[0])), "How much of the choice of experts each feature decides"
    columns, lanes = ("layer", "feature", "seed", "decided"), {"range": [-0.6, len(names) - 0.4]}
    ends = {"range": [-0.03, 1]}
    return Seeds(subject, samples, "decided, 0 to 1", columns, names, lanes, ends, apart=0.05, bar=0, height=250, digits=".3f")
