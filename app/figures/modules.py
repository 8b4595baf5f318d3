"""The modules of a model as nested bars: the whole at the left, each module as long as its share of the parameters."""

from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from app.figures.kinds import Kind
from app.figures.plot import EXTRA, blank, larger
from core.real.reference.count import Module
from core.units import count

LEVELS = 6  # that are drawn at once; a tap on a bar goes further in
LEAST = 0.0004  # of all parameters: a narrower bar could not be seen
HEIGHT = 400  # px


@dataclass(frozen=True)
class Modules(Kind):
    """A tree of modules, named by the class that was built."""

    title: str
    root: Module

    def lines(self) -> list[tuple[str, str, str, int]]:
        """Every module: its path, that of the module around it, its name, and the parameters of all its equals together."""
        found: list[tuple[str, str, str, int]] = []

        def walk(module: Module, path: str, parent: str, times: int) -> None:
            together = times * module.times
            each = f"{module.times} × " * (module.times > 1)
            name = module.name if module.name and not module.name.isdigit() else ""
            found.append((path, parent, " ".join(filter(None, (name, f"{each}{module.kind}"))), together * module.parameters))
            for i, part in enumerate(module.inside):
                walk(part, f"{path}/{i}", path, together)

        walk(self.root, "0", "", 1)
        return found

    def figure(self, colours: dict, stroke: float = 1.0) -> go.Figure:
        """The picture."""
        shown = [line for line in self.lines() if line[3] >= LEAST * self.root.parameters]
        paths, parents, labels, sizes = zip(*shown, strict=True)
        lengths = dict(zip(paths, sizes, strict=True))
        for path in reversed(paths):  # a tied table is in two modules, and counts once
            inside = sum(lengths[other] for other, around in zip(paths, parents, strict=True) if around == path)
            lengths[path] = max(lengths[path], inside)
        fig = blank(colours, HEIGHT, stroke, margin={"l": 0, "r": 0, "t": 0, "b": 0})
        fig.add_trace(
            go.Icicle(
                ids=paths, parents=parents, labels=labels, values=list(lengths.values()),
                branchvalues="total", maxdepth=LEVELS, sort=False,
                text=[count(size) for size in sizes], texttemplate="%{label}<br>%{text}",
                hovertemplate="%{label}<br>%{text} parameters" + EXTRA,
                tiling={"orientation": "h", "pad": 1}, pathbar={"visible": True, "thickness": 22},
                marker={"colors": [colours["line"]] * len(paths), "line": {"color": colours["card"], "width": 1}},
                textfont={"color": colours["ink"], "size": 12 * larger(stroke)},
            )
        )  # fmt: skip
        return fig

    @property
    def table(self) -> dict[str, Any]:
        """Every module with its parameters."""
        lines = self.lines()
        return {"module": ["  " * line[0].count("/") + line[2] for line in lines], "parameters": [line[3] for line in lines]}

    @property
    def alt(self) -> str:
        """The picture in a sentence."""
        parts = ", ".join(f"{path[2]} {count(path[3])}" for path in self.lines() if path[0].count("/") == 1)
        return f"Modules of {self.title}, {count(self.root.parameters)} parameters: {parts}"
