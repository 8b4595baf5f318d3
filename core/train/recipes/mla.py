"""Multi-head latent attention: how its models are trained, and what their table should show.

One layer, width 64, no ffn, a short convolution before the mixer. Latent attention has four heads of width sixteen. Its rivals
are ways to share keys and values that keep equally many numbers a token, with so many query heads that their matrices are as
large; all runs on one task have the same data and steps, and every contestant runs at the same two learning rates, because at one
alone the order of near equals is an accident of the rate. Where order counts, the two without any positions cannot win and run at
one rate, for comparison. "Early" is a look at a run, not a run of its own.
"""

from dataclasses import dataclass

from core.model.mixers.attention import Attention
from core.model.mixers.latent import Latent
from core.model.rope import Rope
from core.model.spec import Layer, ModelSpec
from core.train.mechanism import Group, Mechanism
from core.train.rules import Claim, at_least, beats, ordered
from core.train.tasks import recall
from core.train.training import Recipe

OLDER_PAPER = "2401.02954"  # DeepSeek before latent attention
WIDTH, HEADS, HEAD = 64, 4, 16
KEY = 4  # width of the rotated key, where there is one
LATENTS = (4, 12, 28)  # trained with a rotated key and without one
BUDGETS = (32, 16)  # numbers kept a token, for the comparison at equal cache
WIDE = {32: 96, 16: 80}  # numbers in all the queries of a rival, chosen so that its matrices are as large
SHARED = {32: ((1, 16), (2, 8), (4, 4)), 16: ((1, 8), (2, 4))}  # KV heads and their width
TURNED = 8  # narrower heads were not trained with rope
PARTIAL = 4  # numbers turned in "-partial", as many as the rotated key has
PAIRS, METRIC = 24, "loss@24"
# where every name is told twice and the later thing counts, learning takes longer
STEPS, EARLY, RATES = {False: 320, True: 480}, {False: 80, True: 160}, {False: 6e-3, True: 8e-3}


@dataclass(frozen=True)
class Variant:
    """One layer of a mixer, trained on recall: on which task, at which rate."""

    mixer: Latent | Attention
    latest: bool = False  # every name is told twice, and the later thing counts
    fast: bool = False  # at twice the rate
    ships: bool = False

    @property
    def key(self) -> str:
        """The name of its checkpoint and in the table: mla-28-4-latest, gqa-2x8-rope-fast."""
        m, tail = self.mixer, "-latest" * self.latest + "-fast" * self.fast
        if isinstance(m, Latent):
            return f"mla-{m.kv_rank}-{m.rope_dim}{tail}"
        positions = {0: "", m.k_dim: "-rope"}.get(m.rope.dim, "-partial")
        return f"{'mqa' if m.kv_heads == 1 else 'gqa'}-{m.kv_heads}x{m.k_dim}{positions}{tail}"

    @property
    def label(self) -> str:
        """As it is written: "MLA 28 + 4", "MQA 1 × 16, rope"."""
        m, tail = self.mixer, ", faster rate" * self.fast
        if isinstance(m, Latent):
            return f"MLA {m.kv_rank}{f' + {m.rope_dim}' if m.rope_dim else ', no rope key'}{tail}"
        positions = {0: "", m.k_dim: ", rope"}.get(m.rope.dim, ", partial rope")
        return f"{'MQA' if m.kv_heads == 1 else 'GQA'} {m.kv_heads} × {m.k_dim}{positions}{tail}"

    @property
    def spec(self) -> ModelSpec:
        """What is trained."""
        return ModelSpec(self.key, WIDTH, len(recall.WORDS), (Layer(self.mixer, None, input_conv=3),))

    @property
    def recipe(self) -> Recipe:
        """How it is trained."""
        settings = {"pairs": PAIRS, "count": 16, "length": 72, "ramp": 100} | ({"retell": True} if self.latest else {})
        rate, steps = RATES[self.latest] * (2 if self.fast else 1), STEPS[self.latest]
        return Recipe(
            self.key, self.spec, recall.TASK, steps, rate, settings, embed_std=0.125, evaluate_every=80, ships=self.ships
        )


def latent(rank: int, key: int) -> Latent:
    """Latent attention whose cache is `rank` numbers and a rotated key of `key`."""
    return Latent(HEADS, rank, HEAD, key, HEAD, rope=Rope(key))


def shared(budget: int, kv_heads: int, width: int, turned: int) -> Attention:
    """Shared keys and values of so many numbers; `turned` of each query and key are turned by rope."""
    return Attention(WIDE[budget] // width, kv_heads, width, width, Rope(turned))


def rivals(budget: int) -> tuple[Variant, ...]:
    """Every shared variant of a budget, without positions and with rope."""
    return tuple(
        Variant(shared(budget, kv_heads, width, turned), fast=fast)
        for kv_heads, width in SHARED[budget]
        for turned in (0, width)
        for fast in (False, True)
        if not turned or width >= TURNED
    )


LATEST_RIVALS = (
    Variant(shared(32, 1, 16, 0), latest=True),
    *(
        Variant(shared(32, kv_heads, width, turned), True, fast)
        for kv_heads, width in SHARED[32][:2]
        for turned in (width, PARTIAL)
        for fast in (False, True)
    ),
)
OURS = {
    budget: (
        *(Variant(latent(budget - KEY, KEY), fast=fast, ships=not fast) for fast in (False, True)),
        *(Variant(latent(budget, 0), fast=fast) for fast in (False, True)),
    )
    for budget in BUDGETS
}
LATEST_OURS = (Variant(latent(28, KEY), latest=True, ships=True), Variant(latent(28, KEY), True, True))
UNTURNED = Variant(latent(28, 0), latest=True, ships=True)  # cannot tell the later thing; for comparison

VARIANTS = {
    v.key: v
    for v in (
        *(Variant(latent(rank, key), ships=True) for rank in reversed(LATENTS) for key in (KEY, 0)),
        LATEST_OURS[0],
        UNTURNED,
        *(Variant(latent(budget - KEY, KEY), fast=True) for budget in BUDGETS),
        *(Variant(latent(budget, 0), fast=fast) for budget in BUDGETS for fast in (False, True)),
        LATEST_OURS[1],
        *(rival for budget in BUDGETS for rival in rivals(budget)),
        *LATEST_RIVALS,
    )
}
RECIPES = tuple(v.recipe for v in VARIANTS.values())


def keys(variants: tuple[Variant, ...]) -> tuple[str, ...]:
    """Their names in the table."""
    return tuple(v.key for v in variants)


CHANGED = f"{BUDGETS[0]} numbers a token, the later of two things counts"
GROUPS = (
    *(Group(f"{budget} numbers a token", keys(OURS[budget]), keys(rivals(budget)), EARLY[False]) for budget in BUDGETS),
    Group(CHANGED, keys((*LATEST_OURS, UNTURNED)), keys(LATEST_RIVALS), EARLY[True]),
)


def contest(sentence: str, ours: tuple[Variant, ...], others: tuple[Variant, ...], step: int) -> Claim:
    """The best latent attention against the best shared one, at a step or at the end."""
    when = f"after {step} steps" if step else "at the end of training"
    return Claim(f"{sentence}, {when}", beats(METRIC, keys(ours), keys(others), step))


AT_EQUAL_CACHE = "At {} numbers a token latent attention has a lower loss than the best GQA or MQA"
WHERE_ORDER_COUNTS = (
    "Where the later of two things counts, a latent with a rope key has a lower loss than the best of equal cache"
)
CLAIMS = (
    *(contest(AT_EQUAL_CACHE.format(n), OURS[n], rivals(n), step) for n in BUDGETS for step in (EARLY[False], 0)),
    *(contest(WHERE_ORDER_COUNTS, LATEST_OURS, LATEST_RIVALS, step) for step in (EARLY[True], 0)),
    Claim(
        "The rope key carries the order: without it the later thing is told from the earlier one less often",
        ordered(f"recall@{PAIRS}", UNTURNED.key, LATEST_OURS[0].key),
    ),
    Claim(
        "A smaller latent costs quality: the loss rises from 28 numbers to 12 and to 4",
        ordered(METRIC, "mla-28-4", "mla-12-4", "mla-4-4"),
    ),
    Claim(
        f"Twelve numbers and a rope key suffice to recall {PAIRS} pairs (at least .98)",
        at_least(f"recall@{PAIRS}", 0.98, "mla-12-4"),
    ),
)

MECHANISM = Mechanism(
    "mla",
    RECIPES,
    CLAIMS,
    papers=("2405.04434", "2412.19437", "2505.09343", OLDER_PAPER, "2312.04927", "2104.09864"),
    groups=GROUPS,
)
