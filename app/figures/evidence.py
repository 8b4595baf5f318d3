"""Figures of our own runs: every seed a dot, the mean a bar, learning curves."""

import numpy as np
import plotly.graph_objects as go

from app.figures.plot import blank, mark, note


def dots(
    groups: dict[str, dict[str, list[float]]], label, across: str, title: str, colours: dict, hue: str, stroke: float = 1.0
) -> go.Figure:
    """{group: {variant: values of the seeds}} side by side, a log axis; dots are seeds, the bar is their mean."""
    fig = blank(colours, 320, stroke)
    at, ticks, texts = 0.0, [], []
    for g, (group, variants) in enumerate(groups.items()):
        start = at
        for name, values in variants.items():
            spread = np.linspace(-0.16, 0.16, len(values)) if len(values) > 1 else np.zeros(1)
            colour = colours[hue] if g == 0 else colours["soft"]
            marker = {
                "color": colour,
                "size": 8 * stroke,
                "opacity": 0.85,
                "symbol": "circle" if g == 0 else "circle-open",
                "line": {"width": 1.5},
            }
            text = [f"{group}, {label(name)}, seed {i}: {v:.4f}" for i, v in enumerate(values)]
            fig.add_scatter(
                x=at + spread, y=values, mode="markers", marker=marker, text=text, hovertemplate="%{text}<extra></extra>"
            )
            mean = np.mean(values)
            fig.add_shape(
                type="line", x0=at - 0.3, x1=at + 0.3, y0=mean, y1=mean, line={"color": colours["ink"], "width": 2 * stroke}
            )
            ticks.append(at)
            texts.append(label(name))
            at += 1
        note(
            fig,
            (start + at - 1) / 2,
            1.0,
            f"<b>{group}</b>".replace(", ", ",<br>") if g == 0 else group.replace(", ", ",<br>"),
            colours["ink" if g == 0 else "soft"],
            yref="paper",
            yanchor="bottom",
        )
        at += 0.7
    fig.update_xaxes(
        title_text=across,
        tickvals=ticks,
        ticktext=texts,
        gridcolor="rgba(0,0,0,0)",
        fixedrange=True,
        tickangle=0,
        range=[-0.6, at - 1.1],
    )
    fig.update_yaxes(type="log", title_text=title, fixedrange=True, dtick=1, tickformat=".3~g", minor={"showgrid": False})
    fig.update_layout(margin={"t": 30 + 18 * stroke})
    return fig


def learning(
    curves: dict[str, dict[int, tuple]], label, title: str, colours: dict, hues: dict[str, str], stroke: float = 1.0
) -> go.Figure:
    """{variant: {seed: (steps, values)}}: thin lines are seeds, one colour and dash a variant, its name at the end."""
    fig = blank(colours, 300, stroke)
    dashes = dict(zip(curves, ("solid", "dash", "dot", "dashdot") * 3))
    for name, seeds in curves.items():
        for seed, (steps, values) in seeds.items():
            line = {"color": colours[hues[name]], "width": 1.5 * stroke, "dash": dashes[name]}
            hover = f"{label(name)}, seed {seed}: %{{y:.3f}} after %{{x}} steps<extra></extra>"
            fig.add_scatter(x=steps, y=values, mode="lines+markers", line=line, marker={"size": 4 * stroke}, hovertemplate=hover)
    every = np.concatenate([values for seeds in curves.values() for _, values in seeds.values()])
    apart = max(1.6, (every.max() / every.min()) ** 0.07)  # labels keep a distance on the log axis
    heights: dict[int, float] = {}  # of the highest label so far, by the step at which its curves end
    for name in sorted(curves, key=lambda n: end(curves[n])):
        last = max(steps[-1] for steps, _ in curves[name].values())
        heights[last] = max(end(curves[name]), heights.get(last, 0.0) * apart)
        mark(fig, last, heights[last], f" <b>{label(name)}</b>", colours[hues[name]], size=12 * stroke)
    fig.update_xaxes(title_text="training steps", fixedrange=True)
    fig.update_yaxes(title_text=title, type="log", fixedrange=True, dtick=1, tickformat=".3~g", minor={"showgrid": False})
    fig.update_layout(margin={"r": 64 * stroke})
    return fig


def end(seeds: dict[int, tuple]) -> float:
    """Mean of the last values of all seeds."""
    return float(np.mean([values[-1] for _, values in seeds.values()]))


def by_size(
    found: dict[str, tuple[int, list[float]]], label, across: str, title: str, colours: dict, hues: dict[str, str], stroke=1.0
) -> go.Figure:
    """{variant: (size, values of the seeds)}, sizes on a log axis, shares from 0 to 1: marks are seeds, a name at their mean."""
    fig = blank(colours, 340, stroke)
    for name, (size, values) in ((name, pair) for name, pair in found.items() if pair[1]):
        colour = colours[hues[name]]
        text = [f"{label(name)}: {v:.3f}" for v in values]
        marker = {"color": colour, "size": 9 * stroke, "opacity": 0.8}
        fig.add_scatter(
            x=[size] * len(values), y=values, mode="markers", marker=marker, text=text, hovertemplate="%{text}<extra></extra>"
        )
        mark(fig, size, max(values) + 0.025, label(name), colour, "top center", 12 * stroke)
    sizes = sorted({size for size, values in found.values() if values}) or [1]
    ends = np.log10([sizes[0] / 2.2, sizes[-1] * 2.2])
    ticks = [n for n, before in zip(sizes, (0, *sizes)) if n > 1.2 * before]  # those too near to the one before are not written
    fig.update_xaxes(type="log", title_text=across, tickvals=ticks, ticktext=[f"{n:,}" for n in ticks], range=ends, tickangle=0)
    fig.update_xaxes(fixedrange=True)
    fig.update_yaxes(title_text=title, range=[-0.04, 1.06], fixedrange=True)
    return fig
