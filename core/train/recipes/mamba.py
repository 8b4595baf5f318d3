"""Mamba-2: how its models are trained, and what their table should show. Two layers alone, or three to one of attention; a head
keeps 16 channels of 4 to 32 numbers."""

from core.model.mixers.mamba import Mamba2
from core.train.mechanism import Mechanism, Spelling, at_pairs
from core.train.recipes.mixers import LONG, METRIC, SOLVED, hybrid, learned
from core.train.rules import Claim, at_least, at_most, every, ordered

STATES = (4, 8, 16, 32)
HEADS, CHANNELS = 4, 16


def mamba(state: int = 16) -> Mamba2:
    """The mixer with so many numbers a channel; every head writes and reads at places of its own."""
    return Mamba2(HEADS, CHANNELS, state, groups=HEADS)


RECIPES = (
    *(learned(f"mamba-{state}", mamba(state), mamba(state), steps=LONG, lr=1.5e-2) for state in STATES),
    hybrid("mamba-3-1", mamba()),
)

CLAIMS = (
    Claim(
        "Three layers of Mamba-2 to one of attention recall as well as attention alone (at least .98)",
        at_least(METRIC, SOLVED, "attention-4", "mamba-3-1"),
    ),
    Claim(
        "What Mamba-2 alone recalls grows with its state: from 4 to 8 to 16 to 32 numbers a channel",
        ordered(METRIC, *(f"mamba-{state}" for state in STATES)),
    ),
    Claim(
        "With 4 numbers a channel most of 24 pairs are lost (at most .35), with 16 some (at most .85)",
        every(at_most(METRIC, 0.35, "mamba-4"), at_most(METRIC, 0.85, "mamba-16")),
    ),
)

NAMES = {
    **{f"mamba-{state}": f"N = {state}" for state in STATES},
    "mamba-3-1": "3 Mamba-2 : 1 attention", "attention-2": "attention, 2 layers", "attention-4": "attention, 4 layers",
}  # fmt: skip

MECHANISM = Mechanism(
    "mamba",
    RECIPES,
    CLAIMS,
    papers=("2405.21060", "2312.00752", "2504.03624", "2403.19887", "2507.22448", "2505.15431", "2312.04927"),
    also=("mixers",),
    spelling=Spelling(NAMES, at_pairs),
)
