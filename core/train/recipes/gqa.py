"""Grouped-query attention: how its models are trained, and what their table should show.

One layer, eight heads of width eight, no ffn; only kv_heads and rope differ.
"""

from dataclasses import dataclass

from core.model.mixers.attention import Attention
from core.model.rope import Rope
from core.model.spec import Layer, ModelSpec
from core.train.mechanism import Group, Mechanism
from core.train.rules import Claim, at_least, closes, ordered
from core.train.tasks import recall
from core.train.training import Recipe

WIDTH, HEADS, HEAD = 64, 8, 8
NAMES = {8: "MHA", 4: "GQA-4", 2: "GQA-2", 1: "MQA"}  # of each number of KV heads, as papers have them
STEPS, LONG = 260, 3  # the comparison at convergence takes so many times the steps


@dataclass(frozen=True)
class Sharing:
    """One way to share keys and values, trained on recall with the short convolution."""

    kv_heads: int
    rope: bool = False
    long: bool = False

    @property
    def key(self) -> str:
        """The name of its checkpoint and in the table: gqa-2, mha-rope, mqa-long."""
        return NAMES[self.kv_heads].lower() + "-rope" * self.rope + "-long" * self.long

    @property
    def steps(self) -> int:
        """How long it is trained."""
        return STEPS * (LONG if self.long else 1)

    @property
    def label(self) -> str:
        """Its name, with what else differs about it."""
        return NAMES[self.kv_heads] + " with rope" * self.rope + f" after {self.steps} steps" * self.long

    @property
    def recipe(self) -> Recipe:
        """How it is trained."""
        mixer = Attention(HEADS, self.kv_heads, HEAD, HEAD, Rope(HEAD if self.rope else 0))
        spec = ModelSpec(self.key, WIDTH, len(recall.WORDS), (Layer(mixer, None, input_conv=3),))
        settings = {"pairs": 48, "count": 24, "length": 128}
        return Recipe(self.key, spec, recall.TASK, self.steps, 4e-3, settings, embed_std=0.125, evaluate_every=self.steps // 4)


def induction() -> Recipe:
    """Two layers without the convolution: the first must find the previous token itself, so the heads can be seen."""
    mixer = Attention(HEADS, HEADS, HEAD, HEAD, Rope(HEAD))
    spec = ModelSpec("induction", WIDTH, len(recall.WORDS), (Layer(mixer, None),) * 2)
    settings = {"pairs": 16, "count": 64, "length": 64}
    return Recipe("induction", spec, recall.TASK, 700, 6e-3, settings, embed_std=0.125, evaluate_every=70)


PLAIN, TURNED, LONGER = (
    tuple(Sharing(kv_heads, rope, long) for kv_heads in NAMES) for rope, long in ((False, False), (True, False), (False, True))
)
SHARINGS = {sharing.key: sharing for sharing in (*PLAIN, *TURNED, *LONGER)}
UNTURNED = "no positions"
GROUPS = tuple(
    Group(f"{positions}, {runs[0].steps} steps", tuple(sharing.key for sharing in runs))
    for positions, runs in ((UNTURNED, PLAIN), ("rope", TURNED), (UNTURNED, LONGER))
)
RECIPES = (*(sharing.recipe for sharing in SHARINGS.values()), induction())

CLAIMS = (
    Claim(
        "Sharing keys and values costs quality: the fewer KV heads, the higher the loss",
        ordered("loss@48", "mha", "gqa-2", "mqa"),
    ),
    Claim(
        "Grouped-query attention keeps what matters: 48 pairs are recalled with 4 and with 2 KV heads (at least .98)",
        at_least("recall@48", 0.98, "gqa-4", "gqa-2"),
    ),
    Claim(
        "The price is learning speed: three times the steps close most of the gap between MHA and MQA",
        closes("loss@48", ("mha", "mqa"), ("mha-long", "mqa-long")),
    ),
    Claim(
        "Rotary positions on tiny heads, not sharing, make most of the gap that a run with rope shows",
        closes("loss@48", ("mha-rope", "mqa-rope"), ("mha", "mqa")),
    ),
)

MECHANISM = Mechanism(
    "gqa",
    RECIPES,
    CLAIMS,
    papers=("2305.13245", "1911.02150", "1706.03762", "2405.04434", "2312.04927", "2209.11895", "2104.09864"),
    seeds=(0, 1, 2, 3, 4),
    groups=GROUPS,
)
