"""Gated short convolutions (LFM2): how their models are trained, and what their table should show: no, or one layer of attention
among four, at each of its places."""

from core.model.mixers.shortconv import GatedConv
from core.train.mechanism import Mechanism, Spelling, at_pairs
from core.train.recipes.mixers import ATTENTION, LONG, METRIC, SOLVED, learned
from core.train.rules import Claim, at_least, at_most, every

KERNEL = 3
CONV = GatedConv(KERNEL)
PLACES = {"conv-a1": "ACCC", "conv-a2": "CACC", "conv-a3": "CCAC", "conv-3-1": "CCCA"}


def placed(pattern: str) -> tuple:
    """Mixers of a pattern: C a gated convolution, A attention."""
    return tuple({"C": CONV, "A": ATTENTION}[letter] for letter in pattern)


RECIPES = (
    learned("conv-4", *(CONV,) * 4, steps=LONG),
    *(learned(variant, *placed(pattern)) for variant, pattern in PLACES.items()),
)

CLAIMS = (
    Claim(
        "One layer of attention among four is enough to recall it all (at least .98), if it comes last",
        at_least(METRIC, SOLVED, "conv-3-1"),
    ),
    Claim("It is enough at every place, also first", every(*(at_least(METRIC, SOLVED, variant) for variant in PLACES))),
    Claim("Without attention nearly nothing is recalled (at most .15)", at_most(METRIC, 0.15, "conv-4")),
)

NAMES = {
    "conv-4": "no attention", "conv-a1": "attention first", "conv-a2": "attention second", "conv-a3": "attention third",
    "conv-3-1": "attention last", "attention-4": "attention, 4 layers",
}  # fmt: skip

MECHANISM = Mechanism(
    "liquid",
    RECIPES,
    CLAIMS,
    papers=("2511.23404", "2312.04927"),
    also=("mixers",),
    spelling=Spelling(NAMES, at_pairs),
)
