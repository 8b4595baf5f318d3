"""Sliding windows: how the models with local and global layers are trained, and what their table should show.

Six layers, four heads of width sixteen over two KV heads, no ffn; only which layers have a window differs. As in Gemma 3,
local layers turn by rope of base 10,000 and global ones by base 1,000,000.
"""

from core.model.blocks import Full, Window
from core.model.mixers.attention import Attention
from core.model.rope import Rope
from core.model.spec import Layer, ModelSpec, expand
from core.train.mechanism import Mechanism
from core.train.rules import Claim, at_least, at_most, every
from core.train.tasks import recall
from core.train.training import Recipe

WIDTH, HEADS, KV_HEADS, HEAD, DEPTH, WINDOW = 64, 4, 2, 16, 6, 8
LOCAL_BASE, GLOBAL_BASE = 1e4, 1e6
CONVOLUTION = 3
DISTANCES = (8, 16, 32, 64)  # bounds of the buckets that recall is measured in, in tokens
BEYOND = tuple(f"recall@{low + 1}-{high}" for low, high in zip(DISTANCES, DISTANCES[1:]))  # none of these is in the window
WITHIN = f"recall@1-{DISTANCES[0]}"
BUCKETS = (WITHIN, *BEYOND)

# one letter a layer: L sees the window, G everything; cut from the repeated pattern so that a global layer stands early
PATTERNS = {
    "full": "GGGGGG",
    "local-1-1": "LGLGLG",
    "local-3-1": "LGLLLG",
    "local-5-1": "LLGLLL",
    "all-local": "LLLLLL",
}


def attention(letter: str, window: int = WINDOW) -> Attention:
    """The mixer of a local (L) or global (G) layer."""
    base, reach = (LOCAL_BASE, Window(window)) if letter == "L" else (GLOBAL_BASE, Full())
    return Attention(HEADS, KV_HEADS, HEAD, HEAD, Rope(HEAD, base), reach)


def spec(variant: str, window: int = WINDOW) -> ModelSpec:
    """A stack of local and global layers with some window."""
    kinds = {letter: Layer(attention(letter, window), None, input_conv=CONVOLUTION) for letter in "LG"}
    return ModelSpec(variant, WIDTH, len(recall.WORDS), expand(PATTERNS[variant], kinds, DEPTH))


def windowed(variant: str) -> Recipe:
    """One pattern, trained on recall; every other batch asks only for one of the last three mentions, so that what a window can
    hold is practised as well."""
    settings = {"pairs": 16, "count": 24, "length": 64, "distances": DISTANCES, "near": 3}
    return Recipe(variant, spec(variant), recall.TASK, 800, 8e-3, settings, embed_std=0.5, evaluate_every=100)


RECIPES = tuple(windowed(variant) for variant in PATTERNS)
BLIND, SOLVED = 0.15, 0.97
BOUNDS = (BLIND, SOLVED)  # as a figure draws them


def everywhere(bound: float, *variants: str):
    """A bound that the recall at every distance reaches."""
    return every(*(at_least(bucket, bound, *variants) for bucket in BUCKETS))


CLAIMS = (
    Claim("One global layer in six is enough: 5:1 recalls at every distance (at least .97)", everywhere(SOLVED, "local-5-1")),
    Claim(
        "So do the patterns with more global layers: 3:1, 1:1 and all global recall at every distance (at least .97)",
        everywhere(SOLVED, "local-3-1", "local-1-1", "full"),
    ),
    Claim(
        "With local layers alone the model goes blind beyond its window of 8 tokens (at most .15)",
        every(*(at_most(bucket, BLIND, "all-local") for bucket in BEYOND)),
    ),
    Claim(
        "With local layers alone the model is blind from two windows on: 17 tokens back and more (at most .15)",
        every(*(at_most(bucket, BLIND, "all-local") for bucket in BEYOND[1:])),
    ),
    Claim("Within the window a local model recalls as well (at least .9)", at_least(WITHIN, 0.9, "all-local")),
    Claim(
        "Stacked windows carry farther than one: six local layers recall half of what lies 9 to 32 tokens back",
        every(*(at_least(bucket, 0.5, "all-local") for bucket in BEYOND[:2])),
    ),
)

MECHANISM = Mechanism(
    "sliding_window",
    RECIPES,
    CLAIMS,
    papers=(
        "2503.19786",
        "2408.00118",
        "2310.06825",
        "2004.05150",
        "2508.10925",
        "2512.13961",
        "2601.02780",
        "2510.02387",
        "2309.17453",
    ),
)
