"""The landscape of real models: total against active parameters, the cache of a token as the dot, by date.

A dot is a model of the catalogue. Its cache is what one more token adds once every window is full, in bfloat16 whatever the
model is served in, so that dots compare; models to which a token adds nothing are rings of one size.

Places are logarithmic: decades of parameters across and upwards. Dense models use every parameter and would stand on one line and
cover each other; they are stacked above it (no model can be there: active is at most total). Of the others one that would cover
another stands a little to its right.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from core.count import cost
from core.count.dtypes import stored
from core.lessons import card, gqa
from core.lessons.mla import lesson as mla
from core.lessons.moe import lesson as moe
from core.lessons.recall import checkpoint_scene
from core.real import catalogue
from core.train.tasks import domains, recall

LOW, HIGH, TOP = 7.66, 12.2, 11.8  # decades that are shown, across and upwards
LEAST, EDGE = 8.0, 7.78  # where the scale begins, and where the models stand that are smaller
LARGEST, RING, ROW = 36.0, 9.0, 19.0  # px: across the largest cache, across a ring, a line of type at the edge
PLAIN = ("Apache-2.0", "MIT")
LICENCES = ("any", "Apache-2.0 or MIT", "other")
SIZES = {  # total parameters from, to
    "any": (0.0, np.inf), "to 5 B": (0.0, 5e9), "5 to 20 B": (5e9, 20e9), "20 to 150 B": (20e9, 150e9),
    "150 B on": (150e9, np.inf),
}  # fmt: skip
EVERY = "all"
UNDATED = "not stated"


@dataclass(frozen=True)
class Dot:
    """One model. `rate` is bytes a token adds; `month` is "" where the date is not stated."""

    key: str
    name: str
    organisation: str
    month: str
    licence: str
    family: str
    total: int
    active: int
    rate: int
    keeps: bool  # does the released code keep a cache at all?

    @property
    def dense(self) -> bool:
        """Does every token use every parameter?"""
        return self.active == self.total

    @property
    def share(self) -> float:
        """Active parameters of all."""
        return self.active / self.total


@lru_cache(maxsize=1)
def dots() -> tuple[Dot, ...]:
    """Every model of the catalogue, oldest first; those without a date last."""
    rows = [dot(entry) for entry in catalogue.entries().values()]
    return tuple(sorted(rows, key=lambda d: (d.month or "~", d.key)))


def dot(entry) -> Dot:
    """One row of the catalogue."""
    spec, released = entry.reading.spec, entry.fact("released")
    counted, month = cost.count(spec, 1), "" if released == UNDATED else released[:7]
    facts = entry.fact("organisation"), month, entry.fact("licence")
    sizes = counted.params_total, counted.params_active, stored(card.rate(spec), "bfloat16")
    return Dot(entry.key, entry.name, *facts, card.family(spec), *sizes, card.keeps(spec))


@lru_cache(maxsize=1)
def months() -> tuple[str, ...]:
    """Every month in which a model came out."""
    return tuple(sorted({d.month for d in dots()} - {""}))


@lru_cache(maxsize=1)
def organisations() -> tuple[str, ...]:
    """Who built them."""
    return tuple(sorted({d.organisation for d in dots()}, key=str.lower))


def key_of_name(name: str) -> str:
    """The key of a model by its name; "" where no model has it."""
    return next((d.key for d in dots() if d.name == name), "")


@lru_cache(maxsize=1)
def sorted_names() -> tuple[str, ...]:
    """The names of all models, in the order of the alphabet."""
    return tuple(sorted((d.name for d in dots()), key=str.lower))


# Filters


@dataclass(frozen=True)
class Filter:
    """What the reader asked to see. No family means all of them."""

    families: tuple[str, ...] = ()
    organisation: str = EVERY
    licence: str = LICENCES[0]
    size: str = "any"

    def takes(self, d: Dot) -> bool:
        """Is this model asked for?"""
        low, high = SIZES[self.size]
        licensed = self.licence == LICENCES[0] or (d.licence in PLAIN) == (self.licence == LICENCES[1])
        made = self.organisation in (EVERY, d.organisation)
        return (not self.families or d.family in self.families) and made and licensed and low <= d.total < high


def out(till: str) -> tuple[Dot, ...]:
    """Models that were out in a month; those without a date count as out in the last one."""
    return tuple(d for d in dots() if (d.month or months()[-1]) <= till)


def undated() -> int:
    """How many models state no date."""
    return sum(not d.month for d in dots())


def chosen_dots(asked: Filter, till: str) -> tuple[Dot, ...]:
    """Those of them that are asked for."""
    return tuple(d for d in out(till) if asked.takes(d))


# Places


@dataclass(frozen=True)
class Screen:
    """Pixels of the plot: across, upwards, and the height of a line of type."""

    width: float
    height: float
    type: float = 12.0

    def pixels(self, x: float, y: float) -> tuple[float, float]:
        """Decades -> pixels from the lower left corner."""
        return (x - LOW) * self.width / (HIGH - LOW), (y - LOW) * self.height / (TOP - LOW)


DESK, PHONE = Screen(1040, 372), Screen(250, 372)


@lru_cache(maxsize=1)
def largest() -> int:
    """The largest cache of a token in the catalogue, bytes."""
    return max(d.rate for d in dots())


def size(rate: int) -> float:
    """Pixels across: the area is the cache; a ring where nothing grows."""
    return LARGEST * (rate / largest()) ** 0.5 if rate else RING


def size_legend() -> tuple[tuple[int, float], ...]:
    """(bytes, pixels across) of the sizes that explain the others: the largest, each a quarter of the one before, and a ring."""
    rates = (largest(), largest() // 4, largest() // 16, largest() // 64, 0)
    return tuple((rate, size(rate)) for rate in rates)


@lru_cache(maxsize=1)
def dot_places() -> dict[str, tuple[float, float]]:
    """Where each model stands, in decades; see above. The largest dots come first, so they stand on the line."""
    placed: list[tuple[float, float, float]] = []  # pixels on a desk, radius
    found = {}
    for d in sorted(dots(), key=lambda d: (-size(d.rate), d.month or "~", d.key)):
        x, y = decades(d)
        (px, py), radius = DESK.pixels(x, y), ROW / 2 if d.total < 10**LEAST else size(d.rate) / 2
        while touching := [p for p in placed if covers((px, py, radius), p, 0.86 if d.dense else 0.6)]:
            px, py = (px, py + 1.0) if d.dense else (max(px, *(p[0] for p in touching)) + 1.0, py)
        placed.append((px, py, radius))
        found[d.key] = (px * (HIGH - LOW) / DESK.width + LOW, py * (TOP - LOW) / DESK.height + LOW)
    return found


def decades(d: Dot) -> tuple[float, float]:
    """Total and active parameters as powers of ten; what is smaller than the scale stands at its edge."""
    total, active = (EDGE if n < 10**LEAST else float(np.log10(n)) for n in (d.total, d.active))
    return total, active


def covers(a: tuple, b: tuple, share: float) -> bool:
    """Are two discs nearer than so much of their radii together?"""
    return (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 < (share * (a[2] + b[2])) ** 2


def stems() -> dict[str, tuple[float, float, float]]:
    """{model: (x, from, to)} in decades: from the line up to every dense model that does not stand on it."""
    rows = [(d, *dot_places()[d.key]) for d in dots() if d.dense]
    return {d.key: (x, decades(d)[1], y) for d, x, y in rows if y - x > 0.02}


# Labels


@dataclass(frozen=True)
class Label:
    """A name beside its dot; `side` is Plotly's textposition."""

    key: str
    text: str
    side: str


SIDES = {"middle right": (1, 0), "middle left": (-1, 0), "top center": (0, 1), "bottom center": (0, -1)}


@lru_cache(maxsize=512)
def labels(shown: tuple[Dot, ...], screen: Screen, most: int, reserved: tuple = ()) -> tuple[Label, ...]:
    """Names of the most notable dots that fit without covering a dot or another name. `reserved` boxes stay free."""
    discs = {d.key: (*screen.pixels(*dot_places()[d.key]), size(d.rate) / 2) for d in dots()}
    here = [discs[d.key] for d in shown]
    boxes = list(reserved)
    found: list[Label] = []
    for d in notable(shown):
        text, mine = written(d), discs[d.key]
        for side, (dx, dy) in SIDES.items():
            box = boxed(mine, text, dx, dy, screen)
            if len(found) < most and inside(box, screen) and not any(meets(box, b) for b in boxes) and free(box, here, mine):
                boxes.append(box)
                found.append(Label(d.key, text, side))
                break
    return tuple(found)


def written(d: Dot) -> str:
    """A model's name; with an arrow where it stands at the edge because it is smaller than what is shown."""
    return d.name.partition(" (")[0] + (" ↙" if d.total < 10**LEAST else "")


def notable(shown: tuple[Dot, ...]) -> list[Dot]:
    """The most notable first: extremes, what stands at the edge, then of every family the first, the largest and the newest, then
    by size."""
    if not shown:
        return []
    growing = [d for d in shown if d.rate] or list(shown)
    first = [
        max(shown, key=lambda d: d.total), max(growing, key=lambda d: d.rate), max(shown, key=lambda d: d.active),
        min(shown, key=lambda d: d.share), *(d for d in shown if d.total < 10**LEAST),
    ]  # fmt: skip
    members = [[d for d in shown if d.family == name] for name in card.FAMILIES]
    ways = ((min, lambda d: d.month or "~"), (max, lambda d: d.total), (max, lambda d: d.month))
    first += [best(family, key=key) for best, key in ways for family in members if family]
    return list(dict.fromkeys([*first, *sorted(shown, key=lambda d: -d.total)]))


def boxed(disc: tuple, text: str, dx: int, dy: int, screen: Screen) -> tuple[float, float, float, float]:
    """The box of a name beside a disc: left, right, bottom, top in pixels."""
    x, y, radius = disc
    half, tall, apart = len(text) * screen.type * 0.29, screen.type * 0.62, radius + 2
    cx, cy = x + dx * (apart + half), y + dy * (apart + tall)
    return cx - half, cx + half, cy - tall, cy + tall


def inside(box: tuple, screen: Screen) -> bool:
    """Is a box on the screen?"""
    return box[0] >= 0 and box[1] <= screen.width and box[2] >= 0 and box[3] <= screen.height


def meets(a: tuple, b: tuple) -> bool:
    """Do two boxes have room in common?"""
    return a[0] < b[1] and b[0] < a[1] and a[2] < b[3] and b[2] < a[3]


def free(box: tuple, discs: list[tuple], mine: tuple) -> bool:
    """Does a box keep clear of every other disc?"""
    return not any(box[0] - r < x < box[1] + r and box[2] - r < y < box[3] + r for x, y, r in discs if (x, y, r) != mine)


@dataclass(frozen=True)
class View:
    """The models that were out in the month `till`, in the order in which they are drawn, and where each stands, in decades and
    pixels across; the lines up to what is stacked; the months so far; the dot whose card is open."""

    till: str
    out: tuple[Dot, ...]
    asked: frozenset[str]
    places: dict[str, tuple[float, float]]
    sizes: dict[str, float]
    stems: list[tuple[float, float, float]]
    months: tuple[str, ...]
    opened: Dot | None

    def labels(self, screen: Screen, most: int, reserved: tuple) -> tuple[Label, ...]:
        """Names of those that were asked for, as fit a screen."""
        return labels(tuple(d for d in dots() if d.key in self.asked), screen, most, reserved)


def view(asked: Filter, till: str, opened: str) -> View:
    """What the picture is drawn from."""
    there = out(till)
    keys, sizes = frozenset(d.key for d in there if asked.takes(d)), {d.key: size(d.rate) for d in there}
    rows = tuple(sorted(there, key=lambda d: (d.key in keys, -sizes[d.key])))
    lines = [row for key, row in stems().items() if key in sizes]
    past = tuple(month for month in months() if month <= till)
    return View(till, rows, keys, dot_places(), sizes, lines, past, next((d for d in there if d.key == opened), None))


# The whole catalogue in a few numbers


@dataclass(frozen=True)
class Summary:
    """What the picture says in numbers, of the models shown."""

    count: int
    ringed: int  # models to which a token adds nothing
    sparse: int  # models that use a part of their parameters
    least: Dot | None  # the smallest cache that grows, and the largest
    most: Dot | None


def summary(shown: tuple[Dot, ...]) -> Summary:
    """Counted, never typed."""
    growing = [d for d in shown if d.rate]
    least, most = (f(growing, key=lambda d: d.rate) if growing else None for f in (min, max))
    return Summary(len(shown), len(shown) - len(growing), sum(not d.dense for d in shown), least, most)


def table(shown: tuple[Dot, ...]) -> dict[str, list]:
    """The picture as columns."""
    return {
        "model": [d.name for d in shown],
        "organisation": [d.organisation for d in shown],
        "released": [d.month or UNDATED for d in shown],
        "licence": [d.licence for d in shown],
        "attention": [d.family for d in shown],
        "total parameters": [d.total for d in shown],
        "active parameters": [d.active for d in shown],
        "cache a token adds, B": [d.rate for d in shown],
    }


# What to try first


TOLD_ONCE = "ann lamp bo kite cy drum dan rope eva coin fay bell gus boat hal book ? bo gus"
TOLD_TWICE = "ann lamp bo kite cy drum bo rope dan coin ann bell dan boat cy book ? bo ann dan"
TWO_WORLDS = domains.EXAMPLES["Chess in the pan"]


@dataclass(frozen=True)
class Try:
    """A state of a page that is worth a visit, with the numbers that it is going to show."""

    page: str
    query: tuple[tuple[str, str], ...]
    numbers: tuple[tuple[str, int], ...]


@lru_cache(maxsize=1)
def tries() -> dict[str, Try]:
    """Three states, run here: one set of keys for all heads; a latent without its rope key; a text from two worlds."""
    prompt, said = recall.parse(TOLD_ONCE), recall.parse(TOLD_TWICE)
    own, one = (checkpoint_scene(gqa.variant(heads), prompt) for heads in (gqa.HEADS, 1))
    kept, bare = (mla.scene(mla.Choice(mla.FULL, key, mla.ABSORBED, mla.CUT, mla.LATEST), said) for key in (True, False))
    heads = {"before": int(own.cache_bytes[-1]), "after": int(one.cache_bytes[-1]), "heads": gqa.HEADS, **right(one)}
    key = {"before": right(kept)["right"], "after": right(bare)["right"], "asked": right(bare)["asked"]}
    bared = (("latent", str(mla.FULL)), ("rope_key", "false"), ("task", mla.LATEST), ("prompt", TOLD_TWICE))
    return {
        "share": Try("gqa", (("kv_heads", "1"), ("prompt", TOLD_ONCE)), tuple(heads.items())),
        "order": Try("mla", bared, tuple(key.items())),
        "route": Try("moe", (("prompt", TWO_WORLDS),), (("experts", moe.DEFAULT.experts),)),
    }


def right(scene) -> dict[str, int]:
    """How many of the questions were answered rightly."""
    return {"right": sum(a.said == a.truth for a in scene.answers), "asked": len(scene.answers)}
