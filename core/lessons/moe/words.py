"""The trained mixtures of experts and their numbers in words."""

from core.train.mechanism import Spelling
from core.train.recipes.moe import FEATURES, TRAINED, Setting
from core.train.rules import Gap, Level

BALANCED = {"none": "unbalanced", "loss": "aux loss", "bias": "bias"}


def trained_as(variant: str) -> Setting:
    """The setting of a variant."""
    return next(s for s in TRAINED if s.variant == variant)


def model_said(s: Setting) -> str:
    """What else a model is made of, in words."""
    return f"top-{s.top_k}{', a shared expert' if s.shared else ''}, {s.gate} gate"


def balance_said(s: Setting) -> str:
    """How a model was kept balanced, in words."""
    return {"none": "not balanced", "loss": "balanced by a loss", "bias": "balanced by the bias"}[s.balance]


def variant_said(variant: str) -> str:
    """A variant as a label."""
    if not variant.startswith("moe"):
        return {"dense": "dense, equal active", "dense-total": "dense, equal total"}[variant]
    s = trained_as(variant)
    more = [f"top-{s.top_k}"] * (s.top_k > 1) + ["+ 1 shared"] * s.shared + ["sigmoid"] * (s.gate == "sigmoid")
    return " ".join([f"{s.experts} experts", *more]) + f", {BALANCED[s.balance]}"


def metric_said(metric: str) -> str:
    """A column of the table in words."""
    what, _, layer = metric.partition(":")
    words = {"loss": "loss", "busiest": "busiest expert, times the mean", "dead": "dead experts"}
    words |= {feature: f"decided by {feature}" for feature in FEATURES}
    return words[what] + (f", layer {layer}" if layer else "")


SPELLING = Spelling(variant_said, metric_said)


def number_said(number: Level | Gap) -> str:
    """The name of a number behind a verdict in words."""
    return SPELLING.number(number, ": ")
