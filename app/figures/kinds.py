"""Figures that many pages share, each a kind: data in, and out of the same data the picture, its table and its alternative text.

Growth   bytes against tokens: counted lines, measured rings
Against  one cost against context, both axes logarithmic: labelled lines
Models   real models as rows: what each would keep, and what it keeps as released
ByCount  shares of right answers against a count: a mark a seed, lines join the means

A kind is a frozen dataclass of arrays, names, palette keys and titles. `drawing()` knows no page; `show()` puts one in the frame.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import plotly.graph_objects as go

from app import theme
from app.figures import frame
from app.figures.plot import TEXT, blank, byte_ticks, context_axis, legend, mark, note, rings, type_size, upright
from core.units import decimal


@dataclass(frozen=True)
class Drawing:
    """A picture with the numbers it shows {heading: (n,)} and the words that stand in for it."""

    figure: go.Figure
    table: dict[str, Any]
    alt: str


class Kind(ABC):
    """Data that draws itself."""

    @abstractmethod
    def figure(self, colours: dict, stroke: float = 1.0) -> go.Figure:
        """The picture; `stroke` above 1 is the stage."""

    @property
    @abstractmethod
    def table(self) -> dict[str, Any]:
        """The numbers of the picture, in their units."""

    @property
    @abstractmethod
    def alt(self) -> str:
        """The picture in a sentence that names the current values."""

    def drawing(self, colours: dict, stroke: float = 1.0) -> Drawing:
        """Picture, table and alternative text together."""
        return Drawing(self.figure(colours, stroke), self.table, self.alt)


def show(kind: Kind, key: str, config: Mapping[str, Any] | None = None) -> None:
    """Draw it in the frame, in the theme that the reader sees now."""
    drawing = kind.drawing(theme.colours(), theme.stroke())
    frame.figure(drawing.figure, key=key, alt=drawing.alt, table=drawing.table, config=config)


@dataclass(frozen=True)
class Line:
    """One line of a figure: its name in the text under the pointer, values (n,), palette key and style.

    label       what is written beside it; None: its name. "" writes nothing
    at, side    the point where the label stands and on which side of it (Against alone); `lift` is a factor above the line
    """

    name: str
    values: np.ndarray
    hue: str = "soft"
    width: float = 1.2
    label: str | None = None
    at: int = -1
    side: str = "top left"
    lift: float = 1.0
    dash: str | None = None
    opacity: float | None = None

    @property
    def text(self) -> str:
        """What is written beside it."""
        return self.name if self.label is None else self.label

    def style(self, colours: dict, stroke: float) -> dict[str, Any]:
        """How it is drawn."""
        dash = {"dash": self.dash} if self.dash else {}
        return {"color": colours[self.hue], "width": self.width * stroke, **dash}


def lines(
    values: Mapping[str, np.ndarray], loud: str, hue: str, width: float, label: Callable[[str], str] = str
) -> tuple[Line, ...]:
    """{name: values} as quiet lines, and `loud` as a wide one in its hue."""
    styles = {name: (hue, width) if name == loud else ("soft", 1.2) for name in values}
    return tuple(Line(name, y, *styles[name], label(name)) for name, y in values.items())


@dataclass(frozen=True)
class Growth(Kind):
    """Bytes against tokens: counted lines (n,), and rings measured in a live model, which lie on the line named `loud`.

    meets    tokens and words of an upright line; none where the tokens are 0 or beyond the picture
    legend   names above the picture, else at the ends of the lines
    column   how a line is headed in the table
    """

    lines: tuple[Line, ...]
    loud: str
    tokens: np.ndarray
    points: np.ndarray
    measured: np.ndarray
    meets: tuple[int, str] = (0, "")
    title: str = "cache, bytes"
    column: str = "{}, B"
    legend: bool = False
    log: bool = False
    height: int = 320
    room: int = 64  # px for the names at the ends

    def figure(self, colours: dict, stroke: float = 1.0) -> go.Figure:
        """The picture."""
        fig, last = blank(colours, self.height, stroke), self.tokens[-1]
        for line in self.lines:
            hover = f"{line.name}: %{{y:,}} B at %{{x}} tokens<extra></extra>"
            style = line.style(colours, stroke)
            fig.add_scatter(x=self.tokens, y=line.values, mode="lines", line=style, name=line.name, hovertemplate=hover)
            if not self.legend:
                end = np.log10(line.values[-1]) if self.log else line.values[-1]
                text = f"<b>{line.text}</b>" if line.name == self.loud else line.text
                note(fig, last, end, text, colours[line.hue], xanchor="left", xshift=6)
        rings(fig, self.points, self.measured, "measured: %{y:,} B at %{x} tokens", colours, stroke)
        fig.data[-1].update(showlegend=False)
        if self.is_met:
            there, text = self.meets
            upright(fig, there, text, colours, stroke, side="right" if there > last / 2 else "left")
        fig.update_xaxes(title_text="tokens", fixedrange=True, range=[0, last * 1.02])
        up = {"type": "log", "dtick": 1, "minor": {"showgrid": False}} if self.log else {"rangemode": "tozero"}
        fig.update_yaxes(title_text=self.title, fixedrange=True, tickformat=",", **up)
        if self.legend:
            legend(fig, colours, y=1.08, yanchor="bottom")
        else:
            fig.update_layout(margin={"r": self.room * stroke} | ({"t": 24 * stroke} if self.is_met else {}))
        return fig

    @property
    def is_met(self) -> bool:
        """Does the upright line stand in the picture?"""
        return 0 < self.meets[0] <= self.tokens[-1]

    @property
    def table(self) -> dict[str, Any]:
        """Tokens and a column for each line."""
        return {"tokens": self.tokens, **{self.column.format(line.text): line.values for line in self.lines}}

    @property
    def alt(self) -> str:
        """The ends of the lines, the upright line, and whether measured bytes agree with counted ones."""
        ends = ", ".join(f"{line.text} {line.values[-1]:,} B" for line in self.lines)
        line = next(line for line in self.lines if line.name == self.loud)
        agree = np.array_equal(line.values[np.searchsorted(self.tokens, self.points)], self.measured)
        met = f"; marked: {self.meets[1]}" if self.is_met else ""
        said = "lie on its counted line" if agree else "do not lie on its counted line"
        return f"Bytes against tokens, at {self.tokens[-1]:,} tokens {ends}{met}; the measured bytes of {line.text} {said}"


@dataclass(frozen=True)
class Against(Kind):
    """One cost against context (n,), both axes logarithmic; `subject` begins the alternative text.

    label    writes bytes, on the axis and under the pointer; None: powers of ten of `unit`
    ticks    {as people say it: tokens}
    marks    upright lines: tokens, words, the side of them where the words stand
    columns  the headings of the lines in the table; `more` stands in the table alone
    """

    subject: str
    lines: tuple[Line, ...]
    contexts: np.ndarray
    title: str
    ticks: Mapping[str, int]
    label: Callable[[float], str] | None = None
    unit: str = " FLOP"
    marks: tuple[tuple[int, str, str], ...] = ()
    columns: tuple[str, ...] = ()
    more: Mapping[str, np.ndarray] = field(default_factory=dict)
    remark: str = ""
    height: int = 320

    def figure(self, colours: dict, stroke: float = 1.0) -> go.Figure:
        """The picture."""
        fig, size = blank(colours, self.height, stroke), type_size(stroke) * (1 if self.label else 13 / 12)
        for line in self.lines:
            style = {"line": line.style(colours, stroke), "opacity": line.opacity, "name": line.name}
            fig.add_scatter(x=self.contexts, y=line.values, mode="lines", **style, **self.pointed(line))
        for line in self.lines:
            if line.text:
                x, y = self.contexts[line.at], line.values[line.at] * line.lift
                mark(fig, x, y, line.text if line.label else f" {line.name} ", colours[line.hue], line.side, size)
        for tokens, words, side in self.marks:
            upright(fig, tokens, words, colours, stroke, log=True, side=side)
        if self.label:
            self.sizes(fig, stroke)
        else:
            self.powers(fig)
        return fig

    def pointed(self, line: Line) -> dict[str, Any]:
        """What stands under the pointer."""
        if not self.label:
            return {"hovertemplate": f"{line.name}: %{{y:.3s}}{self.unit} at %{{x:,}} tokens<extra></extra>"}
        text = [f"{line.name}: {self.label(v)} at {n:,} tokens" for n, v in zip(self.contexts, line.values)]
        return {"text": text, "hovertemplate": TEXT}

    def sizes(self, fig: go.Figure, stroke: float) -> None:
        """Axes of context and bytes."""
        context_axis(fig, self.ticks, self.contexts[0], self.contexts[-1])
        every = np.concatenate([line.values for line in self.lines])
        values, texts = byte_ticks(every.min() / 2, every.max() * 2, self.label)
        fig.update_yaxes(type="log", title_text=self.title, tickvals=values, ticktext=texts, fixedrange=True)
        fig.update_layout(margin={"t": 24 * stroke})

    def powers(self, fig: go.Figure) -> None:
        """Axes of context and powers of ten."""
        tokens, texts = list(self.ticks.values()), list(self.ticks)
        fig.update_xaxes(type="log", title_text="context, tokens", tickvals=tokens, ticktext=texts, fixedrange=True)
        up = {"dtick": 1, "exponentformat": "SI", "minor": {"showgrid": False}}
        fig.update_yaxes(type="log", title_text=self.title, fixedrange=True, **up)

    @property
    def table(self) -> dict[str, Any]:
        """Contexts and a column for each line."""
        heads = self.columns or tuple(f"{line.name}, B" for line in self.lines)
        return {"context": self.contexts, **{head: line.values for head, line in zip(heads, self.lines)}, **self.more}

    @property
    def alt(self) -> str:
        """The ends of the lines, and what the page adds."""
        ends = ", ".join(f"{line.name} {self.written(line.values[-1])}" for line in self.lines)
        return (
            f"{self.subject} against context, at {self.contexts[-1]:,} tokens {ends}{f'; {self.remark}' if self.remark else ''}"
        )

    def written(self, value: float) -> str:
        """A value in words: "68.7 G FLOP"."""
        return self.label(value) if self.label else f"{decimal(value).removesuffix('B')} {self.unit.strip()}"


ROOM = "\u2003"  # a space before a name: Plotly measures names a little too short and would cut their first letter
DECADES = {"1k": 1 << 10, "4k": 4 << 10, "16k": 16 << 10, "64k": 64 << 10, "128k": 128 << 10}  # ticks of a short context axis


@dataclass(frozen=True)
class Marks:
    """One mark a model: what it stands for, values (n,), palette key, symbol and size; an open symbol has a stroke."""

    name: str
    values: Sequence[float] | np.ndarray
    hue: str
    symbol: str = "circle"
    size: float = 12
    stroke: float = 0.0
    column: str = ""  # its heading in the table

    def style(self, colours: dict, stroke: float) -> dict[str, Any]:
        """How it is drawn."""
        edge = {"line": {"width": self.stroke * stroke}} if self.stroke else {}
        return {"symbol": self.symbol, "color": colours[self.hue], "size": self.size * stroke, **edge}


@dataclass(frozen=True)
class Models(Kind):
    """Real models as rows, values on a log axis; a line joins the two marks of `joined` in the hue of the page.

    subject  begins the alternative text
    chosen   the row in bold; room: what stands before each name
    phrase   what stands under the pointer; ticks {words: value}, else powers of 16 written by `label`
    """

    subject: str
    names: Sequence[str]
    marks: tuple[Marks, ...]
    label: Callable[[float], str]
    hue: str
    joined: tuple[int, int] = (0, 1)
    opacity: float = 0.45
    chosen: int | None = None
    room: str = ""
    phrase: str = "{model}, {name}: {value}"
    ticks: Mapping[str, float] | None = None
    heights: tuple[int, int] = (72, 27)  # of what stands around the rows, and of a row
    left: float | None = None

    def figure(self, colours: dict, stroke: float = 1.0) -> go.Figure:
        """The picture."""
        count = len(self.names)
        fig, rows = blank(colours, self.heights[0] + self.heights[1] * count, stroke), np.arange(count)[::-1]
        start, end = (self.marks[i].values for i in self.joined)
        fig.add_scatter(
            x=np.stack([start, end, np.full(count, np.nan)], 1).ravel(), y=np.repeat(rows, 3).astype(float), mode="lines",
            line={"color": colours[self.hue], "width": 2.4 * stroke}, opacity=self.opacity, hoverinfo="skip", showlegend=False,
        )  # fmt: skip
        for marks in self.marks:
            text = [self.phrase.format(model=m, name=marks.name, value=self.label(v)) for m, v in zip(self.names, marks.values)]
            style = marks.style(colours, stroke)
            fig.add_scatter(x=marks.values, y=rows, mode="markers", marker=style, name=marks.name, text=text, hovertemplate=TEXT)
        texts, values = self.ticked(min(map(min, (start, end))) / 2, max(map(max, (start, end))) * 2)
        shown = [self.room + (f"<b>{name}</b>" if i == self.chosen else name) for i, name in enumerate(self.names)]
        fig.update_xaxes(type="log", tickvals=values, ticktext=texts, side="top", fixedrange=True)
        fig.update_yaxes(tickvals=rows, ticktext=shown, range=[-0.7, count - 0.3], gridcolor="rgba(0,0,0,0)", fixedrange=True)
        fig.update_yaxes(tickfont={"color": colours["ink"]})
        if self.left:
            fig.update_layout(margin={"l": self.left * stroke})
        legend(fig, colours, y=0, yanchor="top")
        return fig

    def ticked(self, low: float, high: float) -> tuple[Sequence[str], Sequence[float]]:
        """Texts and values of the ticks between two sizes."""
        if self.ticks is None:
            values, texts = byte_ticks(low, high, self.label)
            return texts, values
        shown = {text: value for text, value in self.ticks.items() if low < value < high}
        return list(shown), list(shown.values())

    @property
    def table(self) -> dict[str, Any]:
        """The names and a column for each mark."""
        return {"model": list(self.names), **{marks.column or f"{marks.name}, B": marks.values for marks in self.marks}}

    @property
    def alt(self) -> str:
        """What the marks are, and their values for the chosen model or the first."""
        at = self.chosen or 0
        values = ", ".join(f"{marks.name} {self.label(marks.values[at])}" for marks in self.marks)
        return f"{self.subject}; {self.names[at]}: {values}"


DASHES = ("solid", "dash", "dot", "dashdot")
SYMBOLS = ("circle", "square", "diamond", "x", "triangle-up", "circle-open", "square-open", "diamond-open")


@dataclass(frozen=True)
class ByCount(Kind):
    """{variant: {count: values of the seeds}}, shares from 0 to 1: marks are seeds, lines join their means.

    subject  begins the alternative text; label: how a variant is written; hues: {variant: palette key}
    across, title  of the axes
    columns  the headings of variant, count, run and value in the table; without a run where there are three
    """

    subject: str
    found: Mapping[str, Mapping[int, list[float]]]
    label: Callable[[str], str]
    across: str
    title: str
    hues: Mapping[str, str]
    columns: tuple[str, ...]

    def figure(self, colours: dict, stroke: float = 1.0) -> go.Figure:
        """The picture."""
        fig, counts = blank(colours, 340, stroke), self.counts
        for k, (name, runs) in enumerate(self.found.items()):
            x, colour = np.arange(len(counts)) + 0.04 * (k - (len(self.found) - 1) / 2), colours[self.hues[name]]
            means, line = self.means(runs), {"color": colour, "width": 2 * stroke, "dash": DASHES[k % len(DASHES)]}
            fig.add_scatter(x=x, y=means, mode="lines", line=line, hoverinfo="skip", legendgroup=name, showlegend=False)
            points = [(at, v, f"{self.label(name)}, {n}: {v:.3f}") for at, n in zip(x, counts) for v in runs[n]]
            xs, ys, text = zip(*points) if points else ((), (), ())
            symbol = {"symbol": SYMBOLS[k % len(SYMBOLS)], "line": {"width": 1.5, "color": colour}}
            fig.add_scatter(
                x=xs, y=ys, text=text, hovertemplate=TEXT, mode="markers", marker={"color": colour, "size": 8 * stroke} | symbol,
                name=self.label(name), legendgroup=name,
            )  # fmt: skip
        ticks = {"tickvals": list(range(len(counts))), "ticktext": [str(n) for n in counts]}
        fig.update_xaxes(title_text=self.across, fixedrange=True, **ticks)
        fig.update_yaxes(title_text=self.title, range=[-0.04, 1.06], fixedrange=True)
        legend(fig, colours, y=1.02, yanchor="bottom")
        return fig

    @property
    def counts(self) -> list[int]:
        """Every count that was run, in the order of the data."""
        return list(dict.fromkeys(n for runs in self.found.values() for n in runs))

    def means(self, runs: Mapping[int, list[float]]) -> list[float | None]:
        """The mean of the seeds at every count, None where there is none."""
        return [float(np.mean(runs[n])) if runs[n] else None for n in self.counts]

    @property
    def table(self) -> dict[str, Any]:
        """One row a run."""
        runs = [(self.label(v), n, i, x) for v, by in self.found.items() for n, xs in by.items() for i, x in enumerate(xs)]
        rows = [(v, n, x) if len(self.columns) == 3 else (v, n, i, x) for v, n, i, x in runs]
        return {head: [row[at] for row in rows] for at, head in enumerate(self.columns)}

    @property
    def alt(self) -> str:
        """Means at the last count that each variant was run at."""
        last = {name: [(n, values) for n, values in runs.items() if values][-1:] for name, runs in self.found.items()}
        ends = ", ".join(f"{self.label(v)} {np.mean(values):.2f} at {n}" for v, by in last.items() for n, values in by)
        return f"{self.subject}; means: {ends}" if ends else self.subject
