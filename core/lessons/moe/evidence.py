"""What the trained mixtures of experts show: their runs in the table, the verdicts, loads while they learned.

Letters: L layers with experts, E experts of a layer, S steps at which a run was measured.
"""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from core.count import cost
from core.lessons.common import columns
from core.train import evidence, zoo
from core.train.recipes import moe as recipes
from core.train.recipes.moe import Setting
from core.train.tasks import domains


@lru_cache(maxsize=1)
def floor() -> float:
    """The loss that no model can beat on the fixed text."""
    return domains.floor()["loss"]


def shown_seed() -> int:
    """The seed whose weights run on the page."""
    return recipes.MECHANISM.seeds[0]


def final_row(variant: str, seed: int) -> dict:
    """The last row of a run."""
    rows = [row for row in zoo.table("moe") if row["variant"] == variant and int(row["seed"]) == seed]
    return max(rows, key=lambda row: int(row["step"]))


def layers(variant: str) -> list[int]:
    """Numbers of the layers with experts, counted from 1 among themselves."""
    mixed = [layer for layer in zoo.recipe(variant).spec.layers if layer.ffn and layer.ffn.routed]
    return list(range(1, len(mixed) + 1))


def loads_over_time(variant: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Steps (S,) and the load of each expert over the mean, (L, S, E), while a model was trained."""
    rows = [row for row in zoo.table("moe") if row["variant"] == variant and int(row["seed"]) == seed]
    steps = np.array([int(row["step"]) for row in rows])
    return steps, np.stack([[[float(x) for x in row[f"load:{n}"].split()] for row in rows] for n in layers(variant)])


def final_table() -> dict[str, list]:
    """Every run at its end as columns."""
    found = []
    for r in recipes.RECIPES:
        for seed, loss in zip(recipes.MECHANISM.seeds, evidence.final("moe", r.variant, "loss")):
            row = final_row(r.variant, seed)
            found.append((r.variant, seed, loss, *(number(row.get(column, "")) for column in recipes.COLUMNS)))
    return columns(("variant", "seed", "loss, nats", *recipes.COLUMNS), found)


def number(text: str) -> float | None:
    """A cell of the table as a number; None where a model has no such number."""
    return float(text) if text else None


def busiest(chosen: Setting, layer: int) -> dict[str, dict]:
    """Load of the busiest expert over training for each balancing of a model: {variant: {seed: (steps, values)}}."""
    twins = (replace(chosen, balance=b) for b in recipes.BALANCES)
    variants = [twin.variant for twin in twins if twin in recipes.TRAINED]
    return {v: evidence.learning("moe", v, f"busiest:{layer}") for v in variants}


@lru_cache(maxsize=16)
def commonest(chosen: Setting) -> tuple[str, float]:
    """The most frequent word of the fixed text, and the load of an expert that gets it every time, over the mean."""
    tokens = domains.fresh()[0].flatten()
    times = tokens.bincount()
    word = int(times.argmax())
    return domains.WORDS[word], times[word].item() / len(tokens) * chosen.experts / chosen.top_k


def learned(variant: str) -> list[dict[str, list[float]]]:
    """For each layer and feature how much it decides about the choice of experts, one value a seed."""
    return [{name: evidence.final("moe", variant, f"{name}:{n}") for name in recipes.FEATURES} for n in layers(variant)]


def sizes() -> dict[str, tuple[int, int]]:
    """Total and active parameters of the variants that the first claims compare."""
    variants = (recipes.DEFAULT.variant, "dense", "dense-total")
    counted = {v: cost.count(zoo.recipe(v).spec, 1) for v in variants}
    return {v: (c.params_total, c.params_active) for v, c in counted.items()}


def strengths(setting: Setting) -> tuple[float, ...]:
    """The weight of the balancing loss, and the step of the bias, of models with this gate."""
    return tuple(replace(setting, balance=b).strength[key] for b, key in (("loss", "alpha"), ("bias", "gamma")))


INFORMATION = (
    "How much knowing the feature tells about the expert: 0 nothing, 1 all that can be told. What shuffled features show by "
    "chance is taken off. Word and domain overlap, so the numbers do not add up."
)
