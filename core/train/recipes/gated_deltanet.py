"""Gated DeltaNet and Kimi Delta Attention: how their models are trained, and what their table should show.

Two layers alone, or three to one of attention. The width of keys is what a memory can tell apart: 4 to 32, values always 32 wide
in two heads.
"""

from core.model.mixers.delta import GatedDelta, KimiDelta
from core.model.mixers.latent import Latent
from core.model.rope import Rope
from core.train.mechanism import Mechanism, Spelling, at_pairs
from core.train.recipes.mixers import LONG, METRIC, SOLVED, hybrid, learned
from core.train.rules import Claim, at_least, ordered

LONGER = 900  # steps of a delta net alone: it is the slowest to find out what to keep
KEYS = (4, 8, 16, 32)
HEADS, VALUES = 2, 32
KIMI = KimiDelta(4, 16)
NOPE = Latent(heads=4, kv_rank=28, nope_dim=16, rope_dim=4, v_dim=16, rope=Rope())  # Kimi Linear's attention is not turned


def delta(keys: int = 16) -> GatedDelta:
    """The mixer with keys of some width."""
    return GatedDelta(HEADS, HEADS, keys, VALUES)


RECIPES = (
    *(learned(f"delta-{keys}", delta(keys), delta(keys), steps=LONGER) for keys in KEYS),
    learned("kimi-16", KIMI, KIMI, steps=LONG),
    hybrid("delta-3-1", delta()),
    hybrid("kimi-3-1", KIMI, NOPE),
)

CLAIMS = (
    Claim(
        "Three layers of a delta net to one of attention recall as well as attention alone (at least .98)",
        at_least(METRIC, SOLVED, "attention-4", "delta-3-1", "kimi-3-1"),
    ),
    Claim(
        "A delta net alone recalls the more, the wider its keys: from 4 to 8 to 16 to 32 numbers",
        ordered(METRIC, *(f"delta-{keys}" for keys in KEYS)),
    ),
    Claim(
        "A decay for every channel recalls more than one a head, at the same size of memory",
        ordered(METRIC, "delta-16", "kimi-16"),
    ),
)

NAMES = {
    "attention-4": "attention", "attention-2": "attention", "latent-2": "latent attention",
    **{f"delta-{keys}": f"Gated DeltaNet {keys}" for keys in KEYS}, "kimi-16": "Kimi (KDA) 16",
    "delta-3-1": "Gated DeltaNet 3:1", "kimi-3-1": "Kimi 3:1",
}  # fmt: skip

MECHANISM = Mechanism(
    "gated_deltanet",
    RECIPES,
    CLAIMS,
    papers=("2412.06464", "2406.06484", "2510.26692", "2312.04927"),
    also=("mixers",),
    spelling=Spelling(NAMES, at_pairs),
)
