"""Text diffusion: a model that fills in masked words and its twin that reads from left to right, of the same size, on the same
texts, for as many steps; and what their tables should show."""

from core.model.blocks import Everything, Full
from core.model.ffn.dense import Dense
from core.model.mixers.attention import Attention
from core.model.rope import Rope
from core.model.spec import Layer, ModelSpec
from core.train.mechanism import Mechanism, Spelling
from core.train.rules import Claim, at_least, at_most, every, lower
from core.train.tasks import sentences
from core.train.training import Recipe

WIDTH, DEPTH, HEADS, HIDDEN = 64, 3, 4, 128
DENOISER, TWIN = "denoiser", "left-to-right"


def stack(variant: str, reach, decoding: str) -> ModelSpec:
    """The layers that both have: only what a word may read differs."""
    head = WIDTH // HEADS
    layer = Layer(Attention(HEADS, HEADS, head, head, Rope(head), reach), Dense(HIDDEN), input_conv=3)
    return ModelSpec(
        variant, WIDTH, len(sentences.WORDS), (layer,) * DEPTH, learned_positions=sentences.LENGTH, decoding=decoding
    )


def learned(variant: str, reach, decoding: str) -> Recipe:
    """One of the two: the same texts, steps and rates."""
    spec = stack(variant, reach, decoding)
    return Recipe(variant, spec, sentences.TASK, 2000, 6e-3, {"count": 64}, evaluate_every=1000)


RECIPES = (learned(DENOISER, Everything(), "diffusion"), learned(TWIN, Full(), "autoregressive"))

A_WORD_A_PASS, FEW = sentences.LENGTH, 8


def right(passes: int, order: str) -> tuple[str, str]:
    """The share of right texts that the denoiser makes in so many passes."""
    return DENOISER, f"valid@{passes}:{order}"


def distinct(variant: str, order: str) -> tuple[str, str]:
    """Distinct sentences at a word a pass."""
    return variant, f"distinct@{A_WORD_A_PASS}:{order}"


CLAIMS = (
    Claim(
        "The more passes, the more texts are right: 4, 8, 12, 24, surest first",
        every(*(lower(0, right(a, "confidence"), right(b, "confidence")) for a, b in ((4, 8), (8, 12), (12, 24)))),
    ),
    Claim(
        "A word a pass, surest first, at least .95 of the texts are right; in a third of the passes at most half",
        every(at_least("valid@24:confidence", 0.95, DENOISER), at_most("valid@8:confidence", 0.5, DENOISER)),
    ),
    Claim(
        "Surest first, more texts are right than in any order, a word a pass",
        lower(0, right(A_WORD_A_PASS, "random"), right(A_WORD_A_PASS, "confidence")),
    ),
    Claim(
        "Surest first says fewer different sentences than any order, a word a pass",
        lower(0, distinct(DENOISER, "confidence"), distinct(DENOISER, "random")),
    ),
    Claim(
        "Surest first, a word a pass, more texts are right than of the twin that reads from left to right",
        lower(0, (TWIN, "valid@24:left"), right(A_WORD_A_PASS, "confidence")),
    ),
    Claim(
        "That has a price: it says fewer different sentences than the twin",
        lower(0, distinct(DENOISER, "confidence"), distinct(TWIN, "left")),
    ),
    Claim(
        "Made to fill in from left to right, the denoiser has fewer texts right than the twin",
        lower(0, right(A_WORD_A_PASS, "left"), (TWIN, "valid@24:left")),
    ),
    Claim(
        "To take words back helps where passes are few: 8 passes in any order",
        lower(0, right(FEW, "random"), right(FEW, "revisit")),
    ),
    Claim(
        "The twin foretells fresh texts better than the bound of the denoiser says, after as many steps",
        lower(0, (TWIN, "nats"), (DENOISER, "nats")),
    ),
)

ORDERS = {"confidence": "surest first", "random": "any order", "revisit": "any, and take back"}  # as they are written


def measure(metric: str) -> str:
    """A metric as it is written: "valid@8:random" is how much of what 8 passes in any order make is right."""
    what, _, where = metric.partition("@")
    if not where:
        return {"nats": "nats a word"}.get(what, what)
    steps, _, order = where.partition(":")
    name = {"valid": "right", "distinct": "distinct sentences"}.get(what, what)
    return f"{name}, {steps} passes, {ORDERS.get(order, 'left to right')}"


MECHANISM = Mechanism(
    "text_diffusion",
    RECIPES,
    CLAIMS,
    papers=("2502.09992", "2508.15487", "2503.00307", "2510.04767", "2505.22618"),
    spelling=Spelling({DENOISER: "diffusion", TWIN: "left to right"}, measure),
)
