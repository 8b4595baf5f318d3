"""Grouped-query attention: how its models are trained, and what their table should show.

One layer, eight heads of width eight, no ffn; only kv_heads and rope differ.
"""

from core.model.mixers.attention import Attention
from core.model.rope import Rope
from core.model.spec import Layer, ModelSpec
from core.train.mechanism import Mechanism
from core.train.rules import Claim, at_least, closes, ordered
from core.train.tasks import recall
from core.train.training import Recipe

WIDTH, HEADS, HEAD = 64, 8, 8
SHARING = {8: "mha", 4: "gqa-4", 2: "gqa-2", 1: "mqa"}
LONG = 3  # times the steps, for the comparison at convergence


def sharing(kv_heads: int, rope: bool, long: bool = False) -> Recipe:
    """One way to share keys and values, trained on recall with the short convolution."""
    mixer = Attention(HEADS, kv_heads, HEAD, HEAD, Rope(HEAD if rope else 0))
    variant = SHARING[kv_heads] + "-rope" * rope + "-long" * long
    spec = ModelSpec(variant, WIDTH, len(recall.WORDS), (Layer(mixer, None, input_conv=3),))
    settings = {"pairs": 48, "count": 24, "length": 128}
    steps = 260 * (LONG if long else 1)
    return Recipe(variant, spec, recall.TASK, steps, 4e-3, settings, embed_std=0.125, evaluate_every=steps // 4)


def induction() -> Recipe:
    """Two layers without the convolution: the first must find the previous token itself, so the heads can be seen."""
    mixer = Attention(HEADS, HEADS, HEAD, HEAD, Rope(HEAD))
    spec = ModelSpec("induction", WIDTH, len(recall.WORDS), (Layer(mixer, None),) * 2)
    settings = {"pairs": 16, "count": 64, "length": 64}
    return Recipe("induction", spec, recall.TASK, 700, 6e-3, settings, embed_std=0.125, evaluate_every=70)


RECIPES = (
    *(sharing(kv, rope=False) for kv in SHARING),
    *(sharing(kv, rope=True) for kv in SHARING),
    *(sharing(kv, rope=False, long=True) for kv in SHARING),
    induction(),
)

CLAIMS = (
    Claim(
        "Sharing keys and values costs quality: the fewer KV heads, the higher the loss",
        "ordered",
        ordered("loss@48", "mha", "gqa-2", "mqa"),
    ),
    Claim(
        "Grouped-query attention keeps what matters: 48 pairs are recalled with 4 and with 2 KV heads (at least .98)",
        "at least",
        at_least("recall@48", 0.98, "gqa-4", "gqa-2"),
    ),
    Claim(
        "The price is learning speed: three times the steps close most of the gap between MHA and MQA",
        "closes",
        closes("loss@48", ("mha", "mqa"), ("mha-long", "mqa-long")),
    ),
    Claim(
        "Rotary positions on tiny heads, not sharing, make most of the gap that a run with rope shows",
        "closes",
        closes("loss@48", ("mha-rope", "mqa-rope"), ("mha", "mqa")),
    ),
)

MECHANISM = Mechanism(
    "gqa",
    RECIPES,
    CLAIMS,
    papers=("2305.13245", "1911.02150", "1706.03762", "2405.04434", "2312.04927", "2209.11895", "2104.09864"),
    seeds=(0, 1, 2, 3, 4),
)
