"""The trained mixtures of experts and their numbers in words."""

from core.train.recipes.moe import MECHANISM, TRAINED, Setting
from core.train.rules import Gap, Level


def trained_as(variant: str) -> Setting:
    """The setting of a variant."""
    return next(s for s in TRAINED if s.variant == variant)


def model_text(s: Setting) -> str:
    """What else a model is made of, in words."""
    return f"top-{s.top_k}{', a shared expert' if s.shared else ''}, {s.gate} gate"


def balance_text(s: Setting) -> str:
    """How a model was kept balanced, in words."""
    return {"none": "not balanced", "loss": "balanced by a loss", "bias": "balanced by the bias"}[s.balance]


variant_text = MECHANISM.spelling.variant  # as a label


def number_text(number: Level | Gap) -> str:
    """The name of a number behind a verdict in words."""
    return MECHANISM.spelling.number(number, ": ")
