"""Evidence: every claim with its verdict, every seed of the sides that it compares, and what papers printed about the same.

All of it follows from the tables of our runs (core/train) and from assets/papers.json. A side
is a metric of one variant, or the gap between two where a rule looks at nothing else. A claim that compares
something of which no run is there yet is neither shown nor unclear: it waits.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from core.lessons.common import columns
from core.model import registry
from core.train import evidence, rules, zoo
from core.train.mechanism import Spelling
from core.train.rules import Gap, Level

WAITING, EVERY = "no runs yet", "every mechanism"
OUTCOMES = (rules.SHOWS, rules.UNCLEAR, rules.NOT, WAITING)
FEWEST = 1e-9  # a span below this is a point


@dataclass(frozen=True)
class Side:
    """One thing compared: a number of the verdict, one value a run, and their mean (None without runs)."""

    number: Level | Gap
    values: tuple[float, ...]
    mean: float | None
    sd: float | None


@dataclass(frozen=True)
class Row:
    """A claim with all that stands beside it."""

    id: str
    mechanism: str
    title: str  # of the mechanism's page
    sentence: str
    rule: str
    outcome: str
    sides: tuple[Side, ...]
    gaps: tuple[Side, ...]  # between sides, seed by seed
    seeds: tuple[int, ...]
    command: str

    @property
    def compared(self) -> tuple[Side, ...]:
        """What a picture shows: the sides, or the gaps where the rule looks at nothing else."""
        return self.sides or self.gaps


# The claims


def rows() -> tuple[Row, ...]:
    """Every claim, in the order of the talk."""
    return _rows(_stamp())


def _stamp() -> tuple:
    """What the tables on disk are now: another table, another stamp."""
    found = [(path, path.stat()) for path in sorted(zoo.EVIDENCE.glob("*.csv"))]
    return tuple((str(path), s.st_mtime_ns, s.st_size) for path, s in found)


@lru_cache(maxsize=4)
def _rows(stamp: tuple) -> tuple[Row, ...]:
    return tuple(row for report in evidence.reports() for row in of(report))


def of(report: dict) -> tuple[Row, ...]:
    """The claims of one mechanism's report."""
    name = report["name"]
    return tuple(
        Row(
            f"{name.replace('_', ' ')} {i}", name, titled(name), claim["claim"], claim["rule"], outcome(claim),
            *sides(claim["numbers"]), tuple(report["seeds"]), report["command"],
        )
        for i, claim in enumerate(report["claims"], 1)
    )  # fmt: skip


def outcome(claim: dict) -> str:
    """The verdict; the claim waits where any of the numbers that it rests on has no run at all."""
    numbers = claim["numbers"].values()
    return claim["verdict"] if numbers and all(s["values"] for s in numbers) else WAITING


def sides(numbers: dict[Level | Gap, dict]) -> tuple[tuple[Side, ...], tuple[Side, ...]]:
    """The verdict's numbers as (sides, gaps), those without runs left out."""
    made = [Side(number, tuple(s["values"]), s["mean"], s["sd"]) for number, s in numbers.items() if s["values"]]
    return tuple(s for s in made if isinstance(s.number, Level)), tuple(s for s in made if isinstance(s.number, Gap))


def titled(name: str) -> str:
    """What the mechanism's page is called."""
    return next((page.title for page in registry.PAGES if page.name == name), name.replace("_", " "))


def proof(name: str) -> dict[str, str]:
    """The state of a mechanism's page that shows its claims; {} where there is no page."""
    return {"section": "Prove"} if any(page.name == name for page in registry.PAGES) else {}


# What is asked for


def mechanisms() -> tuple[str, ...]:
    """What can be filtered by: all, or the title of one mechanism that has claims."""
    return (EVERY, *dict.fromkeys(row.title for row in rows()))


def outcomes() -> tuple[str, ...]:
    """The verdicts that can be filtered by: the three of the rules, and waiting where a claim waits."""
    return tuple(o for o in OUTCOMES if o != WAITING or any(row.outcome == WAITING for row in rows()))


def chosen_rows(mechanism: str, wanted: tuple[str, ...]) -> tuple[Row, ...]:
    """The claims that pass both filters; no verdict wanted means all."""
    return tuple(r for r in rows() if mechanism in (EVERY, r.title) and (not wanted or r.outcome in wanted))


def tally(found: tuple[Row, ...]) -> dict[str, int]:
    """How many claims have which verdict."""
    return {o: sum(row.outcome == o for row in found) for o in outcomes()}


def grouped(found: tuple[Row, ...]) -> dict[str, list[Row]]:
    """The claims by mechanism."""
    groups: dict[str, list[Row]] = {}
    for row in found:
        groups.setdefault(row.mechanism, []).append(row)
    return groups


# What stands beside a claim


def spelling(name: str) -> Spelling:
    """How variants and metrics of a mechanism are written."""
    return zoo.named(name).spelling


def span(row: Row) -> tuple[float, float]:
    """The ends of the scale: from 0 where every run is held against a bound or a gap against nothing, else around the values."""
    values = [v for side in row.compared for v in side.values] or [0.0]
    low, high = min(values), max(values)
    if not row.sides:
        return min(low, 0.0), max(high, 0.0)
    if "at least" in row.rule or "at most" in row.rule:
        return min(low, 0.0), max(high, 1.0)
    return low, high


def places(row: Row) -> list[list[float]]:
    """Where each run of each side stands on that scale, from 0 to 1; all in the middle where they are one value."""
    low, high = span(row)
    if high - low < FEWEST:
        return [[0.5] * len(side.values) for side in row.compared]
    return [list((np.array(side.values) - low) / (high - low)) for side in row.compared]


def runs(row: Row, side: Side) -> list[str]:
    """Which run each value of a side is: its seed where every seed has one, else just its number."""
    if len(side.values) == len(row.seeds):
        return [f"seed {seed}" for seed in row.seeds]
    return [f"run {i}" for i in range(1, len(side.values) + 1)]


def table(row: Row, name: Callable[[Level | Gap], str]) -> dict[str, list]:
    """Every value behind a verdict as columns; `name` says how a side is written."""
    lines = [(name(s.number), run, v) for s in (*row.sides, *row.gaps) for run, v in zip(runs(row, s), s.values)]
    return columns(("side", "run", "value"), lines)


def printed(name: str) -> list[tuple[str, str, str]]:
    """What papers printed about a mechanism: (paper, where and what, its rows in a line)."""
    lines = []
    for t in evidence.published(name):
        head, *cells = (f"{row[0]} → {', '.join(map(str, row[1:]))}".removeprefix(" → ") for row in (t["columns"], *t["rows"]))
        lines.append((t["paper"], f"{t['table']}: {t['what']}", f"{head}: {'; '.join(cells)}"))
    return lines


# Rules in words


@lru_cache(maxsize=1)
def written() -> dict[str, str]:
    """Each rule as the docstring of core/train/rules.py has it: {"ordered": "a metric rises ..."}."""
    text = (rules.__doc__ or "").split("Rules\n", 1)[1]
    found = re.findall(r"^ {4}(\S+(?: \S+)*) {2,}(.+(?:\n {8,}.+)*)", text, re.MULTILINE)
    return {name: " ".join(words.split()) for name, words in found}


def in_words(rule: str) -> list[tuple[str, str]]:
    """A claim's rule and those it leans on, with what they mean: "every, at least and at most" names three."""
    known = written()
    named = [name for name in re.split(r", | and ", rule) if name in known]
    if len(named) == 1 and known[named[0]].startswith("the same"):
        named.insert(0, list(known)[list(known).index(named[0]) - 1])  # what it is the same as
    if any('"ordered"' in known[name] for name in named) and "ordered" not in named:
        named.append("ordered")
    return [(name, known[name]) for name in named]
