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
    height, every = 0.0, np.concatenate([values for seeds in curves.values() for _, values in seeds.values()])
    apart = max(1.6, (every.max() / every.min()) ** 0.07)  # labels keep a distance on the log axis
    for name in sorted(curves, key=lambda n: end(curves[n])):
        height = max(end(curves[name]), height * apart)
        mark(fig, steps[-1], height, f" <b>{label(name)}</b>", colours[hues[name]], size=12 * stroke)
    fig.update_xaxes(title_text="training steps", fixedrange=True)
    fig.update_yaxes(title_text=title, type="log", fixedrange=True, dtick=1, tickformat=".3~g", minor={"showgrid": False})
    fig.update_layout(margin={"r": 64 * stroke})
    return fig


def end(seeds: dict[int, tuple]) -> float:
    """Mean of the last values of all seeds."""
    return float(np.mean([values[-1] for _, values in seeds.values()]))
