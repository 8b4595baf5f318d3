"""Figures that many pages share, each a kind: data in, and out of the same data the picture, its table and its alternative text.

Growth    bytes against tokens: counted lines, measured rings
Against   one cost against context, both axes logarithmic: labelled lines
Models    real models as rows: what each would keep, and what it keeps as released
ByCount   what runs reach against a count: a mark a seed, lines join the means
Learning  what runs reach while they train: a line a seed
Seeds     runs beside each other: a dot a seed, a bar at the mean

A kind is a frozen dataclass of arrays, names, palette keys and titles. `drawing()` knows no page; `show()` puts one in the frame.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from itertools import cycle
from typing import Any

import numpy as np
import plotly.graph_objects as go

from app import theme
from app.figures import frame
from app.figures.plot import CLEAR, blank, byte_ticks, context_axis, curve, dots, legend, mark, note, rings, type_size, upright
from core.train.rules import summary
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


def content(value: Any) -> tuple:
    """Data as a value that is equal where the data is; a function, such as a label, is equal to itself alone."""
    if isinstance(value, np.ndarray):
        items: tuple = (value.dtype.str, value.shape, tuple(value.flat) if value.dtype.hasobject else value.tobytes())
    elif isinstance(value, Mapping):
        items = tuple((content(name), content(item)) for name, item in value.items())
    elif isinstance(value, (list, tuple)):
        items = tuple(map(content, value))
    elif is_dataclass(value):
        items = tuple(content(getattr(value, each.name)) for each in fields(value))
    else:
        items = (value,)
    return type(value), *items


def drawn(kind: Kind, colours: dict, stroke: float) -> Drawing:
    """What a kind draws: a run of the page makes only what a control changes. Nobody may alter what is drawn."""
    return frame.remembered((content(kind), content(colours), stroke), lambda: kind.drawing(colours, stroke))


def show(kind: Kind, key: str, config: Mapping[str, Any] | None = None, table: Mapping[str, Any] | None = None) -> None:
    """Draw it in the frame, in the theme that the reader sees now; `table` says more than its own, in place of it."""
    drawing = drawn(kind, theme.colours(), theme.stroke())
    frame.figure(drawing.figure, key=key, alt=drawing.alt, table=table or drawing.table, config=config)


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
    dash: str = "solid"
    opacity: float | None = None
    fill: str | None = None  # as Plotly's

    @property
    def text(self) -> str:
        """What is written beside it."""
        return self.name if self.label is None else self.label

    def style(self, colours: dict, stroke: float) -> dict[str, Any]:
        """How it is drawn."""
        return {"colour": colours[self.hue], "width": self.width * stroke, "dash": self.dash}


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
            hover, look = f"{line.name}: %{{y:,}} B at %{{x}} tokens", line.style(colours, stroke)
            curve(fig, self.tokens, line.values, **look, hover=hover, fill=line.fill, name=line.name)
            if not self.legend:
                end = np.log10(line.values[-1]) if self.log else line.values[-1]
                text = f"<b>{line.text}</b>" if line.name == self.loud else line.text
                note(fig, last, end, text, colours[line.hue], xanchor="left", xshift=6)
        rings(fig, self.points, self.measured, "measured: %{y:,} B at %{x} tokens", colours, stroke)
        fig.data[-1].update(showlegend=False)
        if self.is_met:
            there, text = self.meets
            upright(fig, there, text, colours, stroke, side="right" if there > last / 2 else "left")
        fig.update_xaxes(title_text="tokens", range=[0, last * 1.02])
        up = {"type": "log", "dtick": 1} if self.log else {"rangemode": "tozero"}
        fig.update_yaxes(title_text=self.title, tickformat=",", **up)
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

    label    writes bytes, on the axis and under the pointer; None: powers of ten of `unit`, with `digits`
    ticks    {as people say it: tokens}; none: powers of ten
    across   what stands instead of contexts: title of the axis, heading in the table, what it is under the pointer
    marks    upright lines: tokens, words, the side of them where the words stand
    meets    a ring: tokens, value, words
    columns  the headings of the lines in the table; `more` stands in the table alone
    """

    subject: str
    lines: tuple[Line, ...]
    contexts: np.ndarray
    title: str
    ticks: Mapping[str, int]
    label: Callable[[float], str] | None = None
    unit: str = " FLOP"
    digits: str = ".3s"
    across: tuple[str, str, str] = ("context, tokens", "context", "at {} tokens")
    marks: tuple[tuple[int, str, str], ...] = ()
    meets: tuple[int, float, str] | None = None
    columns: tuple[str, ...] = ()
    more: Mapping[str, np.ndarray] = field(default_factory=dict)
    remark: str = ""
    height: int = 320

    def figure(self, colours: dict, stroke: float = 1.0) -> go.Figure:
        """The picture."""
        fig, size = blank(colours, self.height, stroke), type_size(stroke) * (1 if self.label else 13 / 12)
        for line in self.lines:
            look = {"opacity": line.opacity, "name": line.name} | self.pointed(line)
            curve(fig, self.contexts, line.values, **line.style(colours, stroke), **look)
        for line in self.lines:
            if line.text:
                x, y = self.contexts[line.at], line.values[line.at] * line.lift
                mark(fig, x, y, line.text if line.label else f" {line.name} ", colours[line.hue], line.side, size)
        for tokens, words, side in self.marks:
            upright(fig, tokens, words, colours, stroke, log=True, side=side)
        if self.meets:
            there, value, words = self.meets
            dots(fig, [there], [value], colours["ink"], 10 * stroke, words, "circle-open", 2 * stroke)
            mark(fig, there, 1.5 * value, f"{words}  ", colours["ink"], "top left", size)
        self.axes(fig, stroke)
        return fig

    def pointed(self, line: Line) -> dict[str, Any]:
        """What stands under the pointer."""
        if not self.label:
            return {"hover": f"{line.name}: %{{y:{self.digits}}}{self.unit} {self.across[2].format('%{x:,}')}"}
        pairs = zip(self.contexts, line.values)
        return {"text": [f"{line.name}: {self.label(v)} {self.across[2].format(f'{n:,}')}" for n, v in pairs]}

    def axes(self, fig: go.Figure, stroke: float) -> None:
        """Both axes: bytes written by `label`, else powers of ten."""
        tokens, texts = list(self.ticks.values()), list(self.ticks)
        places = {"tickvals": tokens, "ticktext": texts} if tokens else {"dtick": 1, "tickformat": ","}
        fig.update_xaxes(type="log", title_text=self.across[0], **places)
        up: dict[str, Any] = {"dtick": 1, "exponentformat": "SI"} if self.digits == ".3s" else {"dtick": 1}
        if self.label:
            every = np.concatenate([line.values for line in self.lines])
            up = dict(zip(("tickvals", "ticktext"), byte_ticks(every[every > 0].min() / 2, every.max() * 2, self.label)))
            fig.update_layout(margin={"t": 24 * stroke})
        fig.update_yaxes(type="log", title_text=self.title, **up)
        if self.label and self.ticks:
            context_axis(fig, self.ticks, self.contexts[0], self.contexts[-1])

    @property
    def table(self) -> dict[str, Any]:
        """Contexts and a column for each line."""
        heads = self.columns or tuple(f"{line.name}, B" for line in self.lines)
        return {self.across[1]: self.contexts, **{head: line.values for head, line in zip(heads, self.lines)}, **self.more}

    @property
    def alt(self) -> str:
        """The ends of the lines, and what the page adds."""
        ends = ", ".join(f"{line.name} {self.written(line.values[-1])}" for line in self.lines)
        there = self.across[2].format(f"{self.contexts[-1]:,}")
        return f"{self.subject} against {self.across[1]}, {there} {ends}{f'; {self.remark}' if self.remark else ''}"

    def written(self, value: float) -> str:
        """A value in words: "68.7 G FLOP"."""
        if self.label:
            return self.label(value)
        number = decimal(value).removesuffix("B") if self.digits == ".3s" else f"{value:{self.digits}}"
        return f"{number.strip()} {self.unit.strip()}"


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
        edge = self.stroke * stroke
        return {"colour": colours[self.hue], "size": self.size * stroke, "symbol": self.symbol, "edge": edge, "name": self.name}


@dataclass(frozen=True)
class Models(Kind):
    """Real models as rows, values on a log axis; a line joins the two marks of `joined` in the hue of the page, or begins at 1.

    subject  begins the alternative text
    chosen   the row in bold; room: what stands before each name
    phrase   what stands under the pointer; ticks {words: value}, none: powers of ten, else powers of 16 written by `label`
    """

    subject: str
    names: Sequence[str]
    marks: tuple[Marks, ...]
    label: Callable[[float], str]
    hue: str
    joined: tuple[int, ...] = (0, 1)
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
        if self.joined:
            ends = [np.ones(count), *(self.marks[i].values for i in self.joined)][-2:]
            x, y = np.stack([*ends, np.full(count, np.nan)], 1).ravel(), np.repeat(rows, 3).astype(float)
            curve(fig, x, y, colours[self.hue], 2.4 * stroke, opacity=self.opacity, showlegend=False)
        for marks in self.marks:
            text = [self.phrase.format(model=m, name=marks.name, value=self.label(v)) for m, v in zip(self.names, marks.values)]
            values = np.where(np.asarray(marks.values) > 0, marks.values, np.nan)  # nothing has no place on a log axis
            dots(fig, values, rows, **marks.style(colours, stroke), text=text)
        shown = [self.room + (f"<b>{name}</b>" if i == self.chosen else name) for i, name in enumerate(self.names)]
        fig.update_xaxes(type="log", side="top", tickangle=0, **self.ticked())
        fig.update_yaxes(tickvals=rows, ticktext=shown, range=[-0.7, count - 0.3], gridcolor=CLEAR)
        fig.update_yaxes(tickfont={"color": colours["ink"]})
        if self.left:
            fig.update_layout(margin={"l": self.left * stroke})
        if len(self.marks) > 1:
            legend(fig, colours, y=0, yanchor="top")
        return fig

    def ticked(self) -> dict[str, Any]:
        """The ticks of the axis."""
        if self.ticks is not None and not self.ticks:
            return {"dtick": 2, "tickformat": ","}
        every = np.concatenate([np.asarray(marks.values) for marks in self.marks])
        low, high = every[every > 0].min() / 2, every.max() * 2
        values, texts = byte_ticks(low, high, self.label)
        if self.ticks:
            texts, values = zip(*((text, value) for text, value in self.ticks.items() if low < value < high))
        return {"tickvals": values, "ticktext": texts}

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
MANY = 12  # samples that are named one by one
SHARES = {"range": [-0.04, 1.06]}
POWERS = {"type": "log", "dtick": 1, "tickformat": ".3~g"}

Runs = Mapping[int, float] | Sequence[float]  # {seed: value}, or the values of the seeds 0, 1, ...
Curve = tuple[np.ndarray, np.ndarray]  # steps and values
Places = Mapping[float, str] | Mapping[int, str]  # {place on an axis: what is written there}


def by_seed(runs: Runs) -> list[tuple[int, float]]:
    """Each run with its seed."""
    return list(runs.items() if isinstance(runs, Mapping) else enumerate(runs))


def summed(runs: Runs) -> dict[str, Any]:
    """Mean and standard deviation of runs, by the rules that decide claims."""
    return summary([value for _, value in by_seed(runs)])


def spread_text(found: Mapping[str, Any]) -> str:
    """Mean and standard deviation, written to two digits of the latter."""
    if found["mean"] is None:
        return "no runs"
    digits = min(6, max(0, 1 - math.floor(math.log10(found["sd"])))) if found["sd"] else 2
    return f"{found['mean']:.{digits}f} ± {found['sd']:.{digits}f}"


def table_of(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """Rows as columns under their headings."""
    return {head: [row[at] for row in rows] for at, head in enumerate(columns)}


@dataclass(frozen=True)
class Style:
    """How the runs of one variant are drawn: palette key, dash, symbol, width of the line."""

    hue: str
    dash: str = "solid"
    symbol: str = "circle"
    width: float = 2.0


@dataclass(frozen=True)
class ByCount(Kind):
    """{variant: {count: runs}}: marks are seeds, lines join their means.

    subject    begins the alternative text; label: how a variant is written
    across, title  of the axes
    hues       {variant: palette key, or its style where the usual dashes and symbols are not meant}
    columns    the headings of variant, count, seed and value in the table; without a seed where there are three
    axis       "even": counts stand at equal distances, else "linear" or "log"; `tick` names them, `each` under the pointer
    levels     lines across: the value, and words where it has a name
    share      values go from 0 to 1; deviations: bars of one standard deviation
    """

    subject: str
    found: Mapping[str, Mapping[Any, Runs]]
    label: Callable[[str], str]
    across: str
    title: str
    hues: Mapping[str, str | Style]
    columns: tuple[str, ...]
    axis: str = "even"
    tick: Callable[[Any], str] = str
    each: str = "{}"
    written: Callable[[str], str] | None = None  # a variant in the table, where not as its label
    levels: tuple[tuple[float, str], ...] = ()
    share: bool = True
    deviations: bool = False

    def figure(self, colours: dict, stroke: float = 1.0) -> go.Figure:
        """The picture."""
        fig, counts = blank(colours, 340, stroke), self.counts
        for value, words in self.levels:
            look = {"line": {"color": colours["soft"], "width": stroke, "dash": "dot" if words else "dash"}}
            fig.add_hline(y=value, opacity=1.0 if words else 0.5, **look)
            if words:
                note(fig, len(counts) - 1, value, words, colours["soft"], xanchor="right", yanchor="bottom")
        for k, name in enumerate(self.found):
            self.runs(fig, k, name, colours, stroke)
        places = {
            "tickvals": list(range(len(counts))) if self.axis == "even" else counts,
            "ticktext": list(map(self.tick, counts)),
        }
        fig.update_xaxes(title_text=self.across, type="log" if self.axis == "log" else "linear", **places)
        fig.update_yaxes(title_text=self.title, **(SHARES if self.share else {}))
        legend(fig, colours, y=1.02, yanchor="bottom")
        return fig

    def runs(self, fig: go.Figure, k: int, name: str, colours: dict, stroke: float) -> None:
        """The runs of the k-th variant, a little beside those of the others where that moves no number."""
        runs, style, shift = self.found[name], self.style(k, name), 0.04 * (k - (len(self.found) - 1) / 2)
        x = {n: i + shift if self.axis == "even" else n for i, n in enumerate(self.counts)}
        sums, colour = [summed(runs.get(n, ())) for n in x], colours[style.hue]
        bars = {"type": "data", "array": [s["sd"] for s in sums], "thickness": 1.4 * stroke, "width": 4}
        fig.add_scatter(
            x=list(x.values()), y=[s["mean"] for s in sums], mode="lines", hoverinfo="skip", legendgroup=name, showlegend=False,
            line={"color": colour, "width": style.width * stroke, "dash": style.dash},
            error_y=bars if self.deviations else None,
        )  # fmt: skip
        label, digits = self.label(name), ".3f" if self.share else ".3g"
        each = {n: by_seed(runs.get(n, ())) for n in x}
        marks = [(x[n], v, f"{label}, {self.each.format(n)}: {v:{digits}}") for n, seeds in each.items() for _, v in seeds]
        xs, ys, text = zip(*marks) if marks else ((), (), ())
        dots(fig, xs, ys, colour, 8 * stroke, "", style.symbol, 1.5, name=label, legendgroup=name, text=text)

    def style(self, k: int, name: str) -> Style:
        """The style of the k-th variant."""
        hue = self.hues[name]
        return hue if isinstance(hue, Style) else Style(hue, DASHES[k % len(DASHES)], SYMBOLS[k % len(SYMBOLS)])

    @property
    def counts(self) -> list[Any]:
        """Every count that was run, in the order of the data."""
        return list(dict.fromkeys(n for runs in self.found.values() for n in runs))

    @property
    def table(self) -> dict[str, Any]:
        """One row a run."""
        name = self.written or self.label
        rows = [(name(v), n, *run) for v, by in self.found.items() for n, runs in by.items() for run in by_seed(runs)]
        return table_of(self.columns, rows if len(self.columns) == 4 else [(v, n, x) for v, n, _, x in rows])

    @property
    def alt(self) -> str:
        """Means at the last count that each variant was run at."""
        last = {name: [(n, summed(values)) for n, values in runs.items() if values][-1:] for name, runs in self.found.items()}
        digits = ".2f" if self.share else ".3g"
        ends = ", ".join(f"{self.label(v)} {s['mean']:{digits}} at {n}" for v, by in last.items() for n, s in by)
        return f"{self.subject}; means: {ends}" if ends else self.subject


@dataclass(frozen=True)
class Learning(Kind):
    """{variant: {seed: steps and values}} while training: a line a seed, one colour and dash a variant.

    subject    begins the alternative text; label: how a variant is written; hues: {variant: palette key}
    columns    the headings of variant, seed, step and value in the table
    share      values from 0 to 1, names above the picture; else a log axis, names at the ends of the lines in `room` px
    ticks      of the log axis, else powers of ten; level: a line across
    """

    subject: str
    curves: Mapping[str, Mapping[int, Curve]]
    label: Callable[[str], str]
    hues: Mapping[str, str]
    columns: tuple[str, str, str, str]
    title: str = "loss, nats (log)"
    written: Callable[[str], str] | None = None  # a variant in the table, where not as its label
    share: bool = False
    dashes: Sequence[str] = DASHES
    room: int = 64
    ticks: Sequence[float] = ()
    level: float | None = None

    def figure(self, colours: dict, stroke: float = 1.0) -> go.Figure:
        """The picture."""
        fig = blank(colours, 340 if self.share else 300, stroke)
        for (name, seeds), dash in zip(self.curves.items(), cycle(self.dashes)):
            for i, (seed, (steps, values)) in enumerate(seeds.items()):
                line = {"color": colours[self.hues[name]], "width": 1.5 * stroke, "dash": dash}
                hover = f"{self.label(name)}, seed {seed}: %{{y:.3f}} after %{{x}} steps<extra></extra>"
                fig.add_scatter(
                    x=steps, y=values, mode="lines+markers", line=line, marker={"size": 4 * stroke}, hovertemplate=hover,
                    name=self.label(name), legendgroup=name, showlegend=not i,
                )  # fmt: skip
        fig.update_xaxes(title_text="training steps")
        fig.update_yaxes(title_text=self.title, **(SHARES if self.share else POWERS))
        if self.ticks:
            fig.update_yaxes(dtick=None, tickvals=list(self.ticks), ticktext=[f"{v:g}" for v in self.ticks])
        if self.level is not None:
            fig.add_hline(y=self.level, line={"color": colours["soft"], "dash": "dot", "width": 1.2 * stroke})
        if self.share:
            legend(fig, colours, y=1.02, yanchor="bottom")
        else:
            self.names(fig, colours, stroke)
        return fig

    def names(self, fig: go.Figure, colours: dict, stroke: float) -> None:
        """Names at the ends of the lines, which keep a distance on the log axis."""
        every = np.concatenate([values for seeds in self.curves.values() for _, values in seeds.values()])
        apart = max(1.6, (every.max() / every.min()) ** 0.07)
        heights: dict[int, float] = {}  # of the highest name so far, by the step at which its curves end
        for name, end in sorted(self.ends.items(), key=lambda item: item[1]):
            last = max(steps[-1] for steps, _ in self.curves[name].values())
            heights[last] = max(end, heights.get(last, 0.0) * apart)
            mark(fig, last, heights[last], f" <b>{self.label(name)}</b>", colours[self.hues[name]], size=12 * stroke)
        fig.update_layout(margin={"r": self.room * stroke})

    @property
    def ends(self) -> dict[str, float]:
        """The mean of the last values of all seeds of each variant."""
        return {v: summed([float(values[-1]) for _, values in runs.values()])["mean"] for v, runs in self.curves.items()}

    @property
    def table(self) -> dict[str, Any]:
        """One row a point."""
        name = self.written or self.label
        every = [(name(v), seed, *point) for v, by in self.curves.items() for seed, c in by.items() for point in zip(*c)]
        return table_of(self.columns, every)

    @property
    def alt(self) -> str:
        """Where the lines end."""
        ends = ", ".join(f"{self.label(name)} {value:.3g}" for name, value in self.ends.items())
        return f"{self.subject}; each line is a seed; means at the end: {ends}"


@dataclass(frozen=True)
class Sample:
    """The runs of one variant in a lane of their own.

    name   what stands under the pointer; cells: what stands before seed and value in the table
    at     the place of the lane; kind: what its symbol means, which is named below the picture
    """

    name: str
    runs: Runs
    at: float
    hue: str
    symbol: str = "circle"
    cells: tuple[Any, ...] = ()
    kind: str = ""


@dataclass(frozen=True)
class Seeds(Kind):
    """Samples beside each other, a dot a seed, a bar at each mean; values run upwards or, where not `upright`, to the right.

    subject   begins the alternative text
    title     of the axis of values, which is logarithmic, linear or has its ends, as `values` says
    names     {place: what is written there}; lanes: ends of the axis across the lanes, and whether it is logarithmic
    columns   the headings of the table
    groups    {place: what stands there beyond the lanes}; level: a line across the values, and its words
    apart     half the width over which the dots of a sample are spread; bar: of the bar at its mean, 0: none
    named     names of the samples over their dots
    """

    subject: str
    samples: tuple[Sample, ...]
    title: str
    columns: tuple[str, ...]
    names: Places
    lanes: Mapping[str, Any]
    values: Mapping[str, Any] = field(default_factory=lambda: POWERS)
    groups: Places = field(default_factory=dict)
    level: tuple[float, str] | None = None
    upright: bool = True
    apart: float = 0.0
    bar: float = 0.3
    named: bool = False
    height: int = 320
    digits: str = ".4f"

    def figure(self, colours: dict, stroke: float = 1.0) -> go.Figure:
        """The picture."""
        fig, axes = blank(colours, self.height, stroke), ("x", "y") if self.upright else ("y", "x")
        kinds = [sample.kind for sample in self.samples]
        for i, sample in enumerate(self.samples):
            seeds = by_seed(sample.runs)
            places = sample.at + (np.linspace(-self.apart, self.apart, len(seeds)) if len(seeds) > 1 else np.zeros(1))
            text = [f"{sample.name}, seed {seed}: {value:{self.digits}}" for seed, value in seeds]
            values, hue = [value for _, value in seeds], colours[sample.hue]
            x, y = (places, values) if self.upright else (values, places)
            named = {"name": sample.kind, "showlegend": sample.kind not in kinds[:i], "text": text}
            dots(fig, x, y, hue, 8 * stroke, "", sample.symbol, 1.5, 0.85, **named)
            if self.named:
                mark(fig, sample.at, max(values) + 0.025, sample.name, hue, "top center", 12 * stroke)
        bars = [self.mean(sample, axes, colours, stroke) for sample in self.samples] if self.bar else []
        fig.update_layout(shapes=bars, **{f"{axis}axis": own for axis, own in zip(axes, self.axes(colours))})
        self.around(fig, colours, stroke)
        return fig

    def mean(self, sample: Sample, axes: tuple[str, str], colours: dict, stroke: float) -> dict[str, Any]:
        """The bar at a mean."""
        (lane, value), mean = axes, summed(sample.runs)["mean"]
        ends = {f"{lane}0": sample.at - self.bar, f"{lane}1": sample.at + self.bar, f"{value}0": mean, f"{value}1": mean}
        return {"type": "line", "line": {"color": colours["ink"], "width": 2 * stroke}, **ends}

    def axes(self, colours: dict) -> tuple[dict[str, Any], dict[str, Any]]:
        """The axis across the lanes, and that of the values."""
        font = {} if self.upright else {"tickfont": {"color": colours["ink"]}}
        ticks = {"tickvals": list(self.names), "ticktext": list(self.names.values()), "tickangle": 0}
        grid = {} if self.named else {"gridcolor": CLEAR}
        return {**grid, **ticks, **font, **self.lanes}, {"title_text": self.title, **self.values}

    def around(self, fig: go.Figure, colours: dict, stroke: float) -> None:
        """Groups, the line across, kinds of symbols."""
        top = {"yref": "paper", "yanchor": "bottom"}
        left = {"xref": "paper", "xanchor": "left", "yanchor": "middle", "bgcolor": colours["paper"]}
        for at, text in self.groups.items():
            hue = "ink" if "<b>" in text else "soft"
            x, y, where = (at, 1.0, top) if self.upright else (0, at, left)
            note(fig, x, y, text, colours[hue], **where)
        if self.level:
            fig.add_vline(x=self.level[0], line={"color": colours["soft"], "dash": "dot", "width": 1.4 * stroke})
            note(fig, self.level[0], 0.9, self.level[1], colours["soft"], xanchor="left", yanchor="middle")
        if any(sample.kind for sample in self.samples):
            legend(fig, colours, y=-0.16, yanchor="top")
        if self.groups and self.upright:
            fig.update_layout(margin={"t": 30 + 18 * stroke})

    @property
    def table(self) -> dict[str, Any]:
        """One row a run."""
        return table_of(self.columns, [(*s.cells, *run) for s in self.samples for run in by_seed(s.runs)])

    @property
    def alt(self) -> str:
        """Mean and standard deviation of every sample; of the lowest and the highest where there are many."""
        found = [(s.name, summed(s.runs)) for s in self.samples]
        if len(found) > MANY:
            found = sorted(found, key=lambda pair: pair[1]["mean"])[:: len(found) - 1]
        return f"{self.subject}; each dot is a seed; {', '.join(f'{name} {spread_text(sums)}' for name, sums in found)}"
