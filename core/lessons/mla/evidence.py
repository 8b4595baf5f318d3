"""What the runs of latent attention show: all seeds of ours and of their rivals at equal cache, the verdicts, learning curves."""

from dataclasses import dataclass, replace

import numpy as np

from core.count import cost
from core.lessons.mla.lesson import PAIRS
from core.train import evidence, zoo
from core.train.mechanism import Group
from core.train.recipes import mla as recipes
from core.train.rules import last

METRIC = recipes.METRIC
LOSS = f"loss at {PAIRS} pairs, nats"
SOLVED = 0.98


@dataclass(frozen=True)
class Runs:
    """All seeds of one variant at one rate, at one time: {seed: loss}."""

    variant: str  # without the mark of the faster rate
    fast: bool
    early: bool
    seeds: dict[int, float]


def runs(group: Group) -> tuple[Runs, ...]:
    """Every run of a group that is in the table."""
    rows = zoo.table("mla")
    found = (
        Runs(replace(v, fast=False).key, v.fast, early, last(rows, v.key, METRIC, group.early * early))
        for v in (recipes.VARIANTS[key] for key in (*group.variants, *group.rivals))
        for early in (True, False)
    )
    return tuple(r for r in found if r.seeds)


def rates(group: Group) -> tuple[float, ...]:
    """The learning rates of a group, the slower first."""
    return tuple(sorted({zoo.recipe(v).lr for v in (*group.variants, *group.rivals)}))


def learning(variant: str) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Learning curves of a variant: {seed: (steps, values)}."""
    return evidence.learning("mla", variant, METRIC)


@dataclass(frozen=True)
class Grid:
    """What was run: variants, runs, minutes of one thread on a shared machine, and how near the sizes of rivals are."""

    variants: int
    runs: int
    minutes: float
    parameters: dict[str, tuple[int, int, int]]  # {group: (largest of ours, smallest and largest of its rivals)}
    told_once: int  # runs on names that are told once, and how many of them recall SOLVED of all in the end
    solved: int


def grid() -> Grid:
    """The whole table in numbers."""
    ends: dict[tuple[str, str], float] = {}
    for row in zoo.table("mla"):
        ends[row["variant"], row["seed"]] = max(float(row["seconds"]), ends.get((row["variant"], row["seed"]), 0.0))

    def sized(variants) -> list[int]:
        return [cost.count(zoo.recipe(v).spec, 1).params_total for v in variants]

    parameters = {g.title: (max(sized(g.variants)), min(sized(g.rivals)), max(sized(g.rivals))) for g in recipes.GROUPS}
    once = [v.key for v in recipes.VARIANTS.values() if not v.latest]
    recalled = [value for v in once for value in evidence.final("mla", v, recipes.METRIC.replace("loss", "recall"))]
    solved = sum(value >= SOLVED for value in recalled)
    return Grid(len({v for v, _ in ends}), len(ends), sum(ends.values()) / 60, parameters, len(recalled), solved)
