"""The architecture diagram as SVG: the residual stream is a line that runs upwards, what every layer adds branches off it.

    svg(graph)              follows the theme by itself: colours are custom properties; for the page
    svg(graph, colours)     colours and type written out; for a file

Wide and narrow are two layouts of one graph: on a phone a layer's box is as wide as the screen and its words wrap.
"""

import html
import textwrap

import networkx as nx
import streamlit as st

_COMPONENT = st.components.v2.component(
    "cutaway_drawing", html='<div class="drawing"></div>',
    css=""":host { display: block }
svg { display: block; max-width: 100%; height: auto }
.narrow { display: none }
@media (max-width: 640px) { .wide { display: none } .narrow { display: block } .narrow svg { width: 100% } }""",
    js="""export default ({ data, parentElement }) => {
  const box = parentElement.querySelector(".drawing"), made = data.wide + data.narrow
  if (box.made === made) return
  box.made = made
  box.innerHTML = `<div class="wide">${data.wide}</div><div class="narrow">${data.narrow}</div>`
}""",
)  # fmt: skip
SANS = "Inter, system-ui, sans-serif"
ROW, GAP = 66, 22  # px: a row, between runs
# px: where the stream runs, how far a norm stands off it
WIDE = {"width": 740, "spine": 60, "branch": 34, "pill": 66, "edge": 46}
NARROW = {"width": 358, "spine": 42, "branch": 12, "pill": 40, "edge": 34}
LETTER = 5.9  # px, about, of a letter in 11 px


class Pen:
    """Collects elements; y grows downwards, and the drawing starts at the top with the logits."""

    def __init__(self, shape: dict[str, int], colours: dict | None):
        self.parts: list[str] = []
        self.colours, self.y, self.narrow = colours, 8.0, shape is NARROW
        self.width, self.spine, self.branch, self.room, self.edge = shape.values()

    def hue(self, key: str) -> str:
        """A colour: a custom property, or written out."""
        return self.colours[key] if self.colours else f"var(--cw-{key})"

    def put(self, name: str, text: str = "", **attributes) -> None:
        """One element; underscores stand for hyphens."""
        given = " ".join(f'{key.rstrip("_").replace("_", "-")}="{value}"' for key, value in attributes.items())
        self.parts.append(f"<{name} {given}>{html.escape(text)}</{name}>" if text else f"<{name} {given}/>")

    def text(
        self, x: float, y: float, text: str, size: float = 12, hue: str = "ink", bold: bool = False, anchor: str = "start"
    ) -> None:
        """A line of words."""
        weight = {"font_weight": 600} if bold else {}
        self.put("text", text, x=f"{x:g}", y=f"{y:g}", font_size=size, fill=self.hue(hue), text_anchor=anchor, **weight)

    def line(self, d: str, hue: str = "soft", width: float = 1.5, **more) -> None:
        """A path without a fill."""
        self.put("path", d=d, fill="none", stroke=self.hue(hue), stroke_width=width, **more)

    def head(self, x: float, y: float, way: str, hue: str = "soft") -> None:
        """An arrow's head at a point."""
        d = {"right": "l-7 -4v8z", "left": "l7 -4v8z", "up": "l-4 7h8z"}[way]
        self.put("path", d=f"M{x:g} {y:g}{d}", fill=self.hue(hue))

    def box(self, x: float, y: float, w: float, h: float, hue: str) -> None:
        """A box on the card's colour with a bar in its hue at the left."""
        self.put("rect", x=x, y=y, width=w, height=h, rx=8, fill=self.hue("card"), stroke=self.hue("line"), stroke_width=1)
        self.put("rect", x=x, y=y + 6, width=4, height=h - 12, rx=2, fill=self.hue("soft" if hue in ("", "none") else hue))

    def pill(self, x: float, y: float, text: str) -> None:
        """A norm: a small rounded box around its name, its middle at y."""
        paper, soft, w = self.hue("paper"), self.hue("soft"), self.room
        self.put("rect", x=x, y=y - 9, width=w, height=18, rx=9, fill=paper, stroke=soft, stroke_width=1)
        self.text(x + w / 2, y + 3.6, "norm" if self.narrow else text, 10.5, "soft", anchor="middle")

    def done(self, label: str) -> str:
        """The whole picture."""
        width, height = self.width, round(self.y + 8)
        back = f'<rect width="{width}" height="{height}" fill="{self.colours["paper"]}"/>' if self.colours else ""
        family = SANS if self.colours else "var(--cw-sans)"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img" '
            f'aria-label="{html.escape(label)}" font-family="{family}">{back}{"".join(self.parts)}</svg>'
        )


def show(graph: nx.DiGraph, alt: str, key: str = "architecture") -> None:
    """The diagram on the page, in the layout that fits the screen."""
    wide, narrow = (svg(graph, alt, narrow=thin) for thin in (False, True))
    with st.container(key=f"cw-drawing-{key}"):
        _COMPONENT(key=key, data={"wide": wide, "narrow": narrow})


def svg(graph: nx.DiGraph, alt: str, colours: dict | None = None, narrow: bool = False) -> str:
    """The diagram of a graph from core.architecture."""
    pen = Pen(NARROW if narrow else WIDE, colours)
    top = pen.y + 46
    ends(pen, graph, ("logits", "head"))
    blocks = {last: (first, times) for first, last, times in graph.graph["blocks"]}
    runs = graph.graph["runs"]
    reach: dict[int, float] = {}
    for r in range(len(runs) - 1, -1, -1):
        reach[r] = pen.y
        layer(pen, graph, r, runs[r].times)
        for last, (first, times) in blocks.items():
            if first == r:
                bracket(pen, reach[last], pen.y - GAP, times)
    bottom = pen.y + 8
    embedding(pen, graph)
    pen.parts.insert(0, f'<path d="M{pen.spine} {bottom}V{top}" stroke="{pen.hue("ink")}" stroke-width="2.5" fill="none"/>')
    return pen.done(alt)


def ends(pen: Pen, graph: nx.DiGraph, names: tuple[str, str]) -> None:
    """The upper end: logits, the output matrix, the last norm on the stream."""
    logits, head = (graph.nodes[name] for name in names)
    pen.text(pen.spine, pen.y + 12, f"{logits['label']}  {logits['detail']}", 12, "soft", anchor="start")
    pen.line(f"M{pen.spine} {pen.y + 40}V{pen.y + 24}", "ink", 2.5)
    pen.head(pen.spine, pen.y + 18, "up", "ink")
    whole(pen, pen.y + 36, head)
    norm = graph.nodes["norm"]["label"]
    pen.y += 36 + 34 + 24
    pen.pill(pen.spine - pen.room / 2, pen.y, norm)
    pen.text(pen.spine + pen.room / 2 + 8, pen.y + 4, last_shape(graph), 11, "soft")
    pen.y += 9 + GAP


def last_shape(graph: nx.DiGraph) -> str:
    """What runs along the stream."""
    return next(shape for _, _, shape in graph.in_edges("norm", data="shape"))


def whole(pen: Pen, y: float, node: dict) -> None:
    """A table of the model's edge: one box across the stream."""
    left = max(2, pen.spine - 44)
    pen.box(left, y, pen.width - pen.edge - left, 34, "soft")
    pen.text(left + 16, y + 21.5, node["label"], 12.5, bold=True)
    room = round((pen.width - pen.edge - left - 100) / LETTER)
    pen.text(left + 96, y + 21.5, textwrap.shorten(node["detail"], room, placeholder=" …"), 11.5, "soft")


def embedding(pen: Pen, graph: nx.DiGraph) -> None:
    """The lower end: tokens become rows of the embedding."""
    whole(pen, pen.y, graph.nodes["embed"])
    pen.y += 34
    pen.line(f"M{pen.spine} {pen.y + 22}V{pen.y + 6}", "ink", 2.5)
    pen.head(pen.spine, pen.y + 1, "up", "ink")
    pen.text(pen.spine, pen.y + 38, "n tokens", 12, "soft")
    pen.y += 44


def layer(pen: Pen, graph: nx.DiGraph, r: int, times: int) -> None:
    """One run: its frame, how many layers it is, and from the top down what each adds: feed-forward, then mixer."""
    slots = [slot for slot in ("ffn", "mixer") if f"{r}.{slot}" in graph]
    top, start = pen.y, len(pen.parts)
    pen.y += 8
    for slot in slots:
        branch(pen, graph, r, slot)
    pen.y += 2
    left = max(2, pen.spine - 44)
    frame = f'<rect x="{left}" y="{top:g}" width="{pen.width - pen.edge - left}" height="{pen.y - top:g}" rx="12" '
    frame += f'fill="none" stroke="{pen.hue("line")}" stroke-width="1.5"/>'
    pen.parts.insert(start, frame)
    pen.text(left + 7, (top + pen.y) / 2 + 5, f"{times}×", 13.5 if times < 100 else 11.5, bold=True)
    pen.y += GAP


def branch(pen: Pen, graph: nx.DiGraph, r: int, slot: str) -> None:
    """A part off the stream and back: in below, through its norm; out above, through the norm after it; then the sum."""
    node, y = graph.nodes[f"{r}.{slot}"], pen.y
    before, after = (f"{r}.{slot}.{when}" in graph for when in ("before", "after"))
    x = pen.spine + pen.branch + pen.room + (12 if pen.narrow else 22)
    w = pen.width - pen.edge - (8 if pen.narrow else 14) - x
    lines = textwrap.wrap(node["detail"], round((w - 24) / LETTER))[:4] + ([node["keeps"]] if node.get("keeps") else [])
    title = textwrap.shorten(node["label"], max(12, round((w - 24) / 7.2)), placeholder="…")
    height = max(ROW - 12, 26 + 15 * len(lines))
    out, into = y + 16, y + height - 12
    for level, there, name in ((into, before, f"{r}.{slot}.before"), (out, after, f"{r}.{slot}.after")):
        pen.line(f"M{pen.spine} {level:g}H{x:g}")
        if there:
            pen.pill(pen.spine + pen.branch, level, graph.nodes[name]["label"])
    pen.head(x, into, "right")
    pen.put("circle", cx=pen.spine, cy=out, r=8, fill=pen.hue("card"), stroke=pen.hue("ink"), stroke_width=1.6)
    pen.line(f"M{pen.spine - 4} {out:g}h8M{pen.spine} {out - 4:g}v8", "ink", 1.6)
    pen.box(x, y, w, height, node["hue"])
    pen.text(x + 16, y + 20, title, 13, bold=True)
    for i, line in enumerate(lines):
        kept = bool(node.get("keeps")) and i == len(lines) - 1
        pen.text(x + 16, y + 37 + 15 * i, line, 11, node["hue"] if kept and node["hue"] not in ("soft", "") else "soft")
    pen.y += height + 10


def bracket(pen: Pen, top: float, bottom: float, times: int) -> None:
    """A bracket at the right over runs that repeat together."""
    x = pen.width - pen.edge + (3 if pen.narrow else 6)
    pen.line(f"M{x} {top + 2:g}h6V{bottom - 2:g}h-6", "ink", 1.5)
    pen.text(x + 9, (top + bottom) / 2 + 5, f"{times}×", 11 if pen.narrow else 13, bold=True)
