"""Figures of a model on accelerators: memory of one device, the roofline, the cost of a token, what techniques change."""

import numpy as np
import plotly.graph_objects as go

from app.figures.plot import blank, curve, dots, larger, mark, note, si


def budget(parts: tuple, available: int, installed: int, label, colours: dict, stroke: float = 1.0) -> go.Figure:
    """One device's memory: what takes it, what is free, what is kept in reserve. `parts` are (name, bytes, hue)."""
    fig, used = blank(colours, 84, stroke), sum(n for _, n, _ in parts)
    end = max(installed, used)
    rows = [(name, n, colours[hue], colours["card"], "", 0) for name, n, hue in parts]
    if used < available:
        rows.append(("free", available - used, colours["card"], colours["soft"], "", 1))
    if used <= available:
        rows.append(("reserve", installed - available, colours["line"], colours["soft"], "/", 0))
    names, sizes, fills, inks, patterns, edges = (list(column) for column in zip(*rows))
    fig.add_bar(
        x=sizes, base=np.cumsum([0, *sizes[:-1]]), y=np.zeros(len(rows)), orientation="h",
        text=[f"<b>{name}</b><br>{label(n)}" if n > 0.14 * end else "" for name, n in zip(names, sizes)], textposition="inside",
        insidetextanchor="middle", textangle=0, insidetextfont={"color": inks}, constraintext="inside",
        hovertext=[f"{name}: {label(n)}" for name, n in zip(names, sizes)], hovertemplate="%{hovertext}<extra></extra>",
        marker={"color": fills, "line": {"color": colours["line"], "width": edges},
                "pattern": {"shape": patterns, "fgcolor": colours["soft"], "size": 6, "solidity": 0.15}},
    )  # fmt: skip
    ends = np.array([available, available, np.nan, installed, installed], dtype=float)
    edge = {"color": colours["ink"], "width": 1.2 * stroke}
    fig.add_scatter(x=ends, y=np.array([-0.62, 0.5, np.nan, -0.62, 0.5]), mode="lines", line=edge, hoverinfo="skip")
    side = "right" if available > 0.3 * end else "left"
    note(fig, available, -0.58, f"usable {label(available)} ", colours["soft"], xanchor=side, yanchor="top", yshift=4)
    fig.update_layout(
        barmode="overlay", bargap=0, margin={"l": 0, "r": 0, "t": 4, "b": 0}, uniformtext={"mode": "hide", "minsize": 11},
        xaxis={"visible": False, "range": [0, end * 1.002]},
        yaxis={"visible": False, "range": [-1.15, 0.55]},
    )  # fmt: skip
    return fig


def powers(low: float, high: float) -> dict:
    """Ticks of a log axis at powers of ten: 1, 10, 100, 1k, ..."""
    values = [10.0**k for k in range(-12, 21) if low <= 10.0**k <= high]
    return {"tickvals": values, "ticktext": [si(v).replace(" ", "") for v in values]}


def steps(low: float, high: float) -> dict:
    """Ticks of a log axis at 1, 2 and 5 of every power of ten, fewer of them over a long way."""
    mantissas = (1, 2, 5) if high / low < 100 else (1, 3) if high / low < 3000 else (1,)
    values = [m * 10.0**k for k in range(-12, 13) for m in mantissas if low <= m * 10.0**k <= high]
    return {"tickvals": values, "ticktext": [f"{v:,.12g}" for v in values]}


def roofline(roof, phases: tuple, most: int, units: tuple, colours: dict, stroke: float = 1.0) -> go.Figure:
    """FLOPs a second that each intensity allows; the way of decode as users join; a dot for each phase.

    phases  (name, intensity, FLOPs a second, hue, where its name stands, its name there); units: (ridge, peak)
    """
    ridge, peak = units
    fig, size = blank(colours, 300, stroke), 13 * larger(stroke)
    hover = "%{x:.3s} FLOP/byte: at most %{y:.3s}FLOP/s"
    curve(fig, roof.intensity, roof.roof, colours["ink"], 1.8 * stroke, hover)
    fig.add_scatter(
        x=roof.path, y=np.minimum(peak, roof.path * peak / ridge), mode="markers", customdata=roof.users,
        marker={"color": colours["ink"], "size": 5.5 * stroke, "line": {"width": 1.2 * stroke},
                "symbol": ["circle" if n <= most else "circle-open" for n in roof.users]},
        hovertemplate="decode with %{customdata} users: %{x:.3s} FLOP/byte<extra></extra>",
    )  # fmt: skip
    names, xs, ys, hues, places, said = (list(column) for column in zip(*phases))
    inks = [colours[hue] for hue in hues]
    fig.add_scatter(
        x=xs, y=ys, mode="markers+text", text=said, textposition=places, textfont={"color": inks, "size": size}, hovertext=names,
        marker={"color": inks, "size": 15 * stroke, "line": {"color": colours["paper"], "width": 2}}, cliponaxis=False,
        hovertemplate="%{hovertext}: %{x:.3s} FLOP/byte, %{y:.3s}FLOP/s<extra></extra>",
    )  # fmt: skip
    mark(fig, ridge, peak, f"arithmetic binds from {ridge:,.0f} on<br> ", colours["soft"], "top center", size - 1.5)
    low, high = np.log10(min(roof.roof)), np.log10(peak)
    axis = {"type": "log"}
    fig.update_layout(
        xaxis=axis | {"title": {"text": "FLOPs a byte that is moved"}} | powers(roof.intensity[0], roof.intensity[-1]),
        yaxis=axis | {"title": {"text": "FLOP/s of one device"}, "range": [low - 0.1, high + 0.08 * (high - low) + 0.25]}
        | powers(min(roof.roof), peak * 2),
    )  # fmt: skip
    return fig


def price(p, users: int, title: str, factor: float, colours: dict, stroke: float = 1.0) -> go.Figure:
    """What a million tokens cost against users, log-log: the bound, what each kind of work alone takes, where memory ends."""
    fig = blank(colours, 340, stroke)
    lines = (
        (p.weights, "reading weights", "soft", 1.8, "dot"),
        (p.memory, "reading cache and state", "kv", 1.8, "dot"),
        (p.compute, "arithmetic", "soft", 1.4, "dash"),
    )
    for y, name, hue, width, dash in lines:
        if y.any():
            hover = f"{name}: %{{y:.3g}} with %{{x}} users"
            curve(fig, p.users, y * factor, colours[hue], width * stroke, hover, dash, name=name)
    fits = p.users <= p.most
    for which, width, opacity in ((fits, 3.2, 1.0), (p.users >= p.most, 1.6, 0.4)):
        if which.any():
            x, y, hover = p.users[which], p.total[which] * factor, "at least %{y:.3g} with %{x} users"
            curve(fig, x, y, colours["ink"], width * stroke, hover, opacity=opacity)
    at = int(np.argmin(np.abs(p.users - users)))
    symbol, dot = "circle" if users <= p.most else "circle-open", p.total[at : at + 1] * factor
    dots(fig, p.users[at : at + 1], dot, colours["ink"], 13 * stroke, "", symbol, 2)
    size = 13 * larger(stroke)
    if 1 <= p.most < p.users[-1]:
        fig.add_vline(x=p.most, line={"color": colours["routed"], "width": 1.4 * stroke, "dash": "dash"})
        top = max(p.total) * factor
        side = "middle right" if p.most < p.users[-1] ** 0.6 else "middle left"
        mark(fig, p.most, top, f" memory is full: {p.most:,} ", colours["routed"], side, size)
    floor = max(min(line[line > 0].min() for line in (p.weights, p.memory, p.compute) if line.any()), min(p.total) / 300)
    named = (
        (p.weights, "weights: one read for all", "soft", "bottom left"),
        (p.memory, "<b>cache: each user's own</b><br> ", "kv", "top left"),
        (p.compute, "<br>arithmetic", "soft", "bottom left"),
    )
    for y, said, hue, where in named:
        if y.any() and (y >= floor).any() and not (y is p.compute and 0.6 < y[-1] / max(p.memory[-1], floor) < 1.6):
            at = int(np.flatnonzero(y >= floor)[-1])
            mark(fig, p.users[at], y[at] * factor, said, colours[hue], where, size)
    fig.update_xaxes(type="log", title_text="users decoded together", tickvals=4 ** np.arange(7))
    low, high = floor * factor, max(p.total) * factor
    span = np.log10(high / low)
    fig.update_yaxes(
        type="log", title_text=title,
        range=[np.log10(low) - 0.16 * span, np.log10(high) + 0.08 * span], **powers(low, high),
    )  # fmt: skip
    return fig


def effects(rows: list, base: float, title: str, colours: dict, stroke: float = 1.0) -> go.Figure:
    """What a million tokens cost when memory is full: from the chosen deployment (line) to each technique (dot), log scale.

    rows   (name, cost or 0 where nobody fits, hue, what to write beside it)
    """
    fig = blank(colours, 56 + 43 * len(rows), stroke)
    places = np.arange(len(rows))[::-1]
    values = [cost for _, cost, _, _ in rows if cost] + ([base] if base else [])
    low, high = (min(values), max(values)) if values else (1.0, 1.0)
    for (name, cost, hue, said), y in zip(rows, places):
        if not cost:
            mark(fig, base or low, y, f"  {said}", colours["soft"], "middle right")
            continue
        if base:
            curve(fig, [base, cost], [y, y], colours[hue], 2.6 * stroke, opacity=0.5)
        dots(fig, [cost], [y], colours[hue], 12 * stroke, f"{name}: %{{x:.3g}}")
        mark(fig, cost, y, f"\u2003{said}\u2003", colours["ink"], "middle left" if base and cost < base else "middle right")
    if base:
        fig.add_vline(x=base, line={"color": colours["ink"], "width": 1.4 * stroke})
    for row, y in zip(rows, places):
        where = {"xref": "paper", "xanchor": "left", "yanchor": "bottom", "yshift": 8 * stroke}
        note(fig, 0, y, row[0], colours["ink"], **where)
    span = max(np.log10(high / low), 0.3)
    fig.update_xaxes(
        type="log", range=[np.log10(low) - 0.32 * span, np.log10(high) + 0.32 * span], side="top", tickangle=0,
        title_text=title, **steps(low / 2, high * 2),
    )  # fmt: skip
    fig.update_yaxes(visible=False, range=[-0.5, len(rows) - 0.25])
    return fig
