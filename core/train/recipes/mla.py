"""Multi-head latent attention: how its models are trained, and what their table should show.

One layer, width 64, no ffn, a short convolution before the mixer. Latent attention has four heads of width sixteen. Its rivals
are ways to share keys and values that keep equally many numbers a token, with so many query heads that their matrices are as
large; all runs on one task have the same data and steps, and every contestant runs at the same two learning rates, because at one
alone the order of near equals is an accident of the rate. Where order counts, the two without any positions cannot win and run at
one rate, for comparison. "Early" is a look at a run, not a run of its own.
"""

from core.model.mixers.attention import Attention
from core.model.mixers.latent import Latent
from core.model.rope import Rope
from core.model.spec import Layer, ModelSpec
from core.train.mechanism import Mechanism
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
LATEST = "-latest"  # every name is told twice, and the later thing counts; this takes longer to learn
PAIRS, METRIC = 24, "loss@24"
STEPS, EARLY, RATES = {"": 320, LATEST: 480}, {"": 80, LATEST: 160}, {"": 6e-3, LATEST: 8e-3}
FAST = "-fast"  # at twice the rate


def recipe(variant: str, mixer, ships: bool = False) -> Recipe:
    """One layer of this mixer, trained on recall; the end of its name says which task and rate."""
    spec = ModelSpec(variant, WIDTH, len(recall.WORDS), (Layer(mixer, None, input_conv=3),))
    task = LATEST if LATEST in variant else ""
    settings = {"pairs": PAIRS, "count": 16, "length": 72, "ramp": 100} | ({"retell": True} if task else {})
    rate = RATES[task] * (2 if variant.endswith(FAST) else 1)
    return Recipe(variant, spec, recall.TASK, STEPS[task], rate, settings, embed_std=0.125, evaluate_every=80, ships=ships)


def latent(rank: int, key: int, tail: str = "", ships: bool = False) -> Recipe:
    """Latent attention whose cache is `rank` numbers and a rotated key of `key`."""
    mixer = Latent(HEADS, rank, HEAD, key, HEAD, rope=Rope(key))
    return recipe(f"mla-{rank}-{key}{tail}", mixer, ships)


def shared(budget: int, kv_heads: int, width: int, turned: int, tail: str = "") -> Recipe:
    """Shared keys and values of so many numbers; `turned` of each query and key are turned by rope."""
    mixer = Attention(WIDE[budget] // width, kv_heads, width, width, Rope(turned))
    positions = {0: "", width: "-rope"}.get(turned, "-partial")
    return recipe(f"{'mqa' if kv_heads == 1 else 'gqa'}-{kv_heads}x{width}{positions}{tail}", mixer)


def rivals(budget: int) -> tuple[Recipe, ...]:
    """Every shared variant of a budget, without positions and with rope."""
    return tuple(
        shared(budget, kv_heads, width, turned, fast)
        for kv_heads, width in SHARED[budget]
        for turned in (0, width)
        for fast in ("", FAST)
        if not turned or width >= TURNED
    )


LATEST_RIVALS = (
    shared(32, 1, 16, 0, LATEST),
    *(
        shared(32, kv_heads, width, turned, LATEST + fast)
        for kv_heads, width in SHARED[32][:2]
        for turned in (width, PARTIAL)
        for fast in ("", FAST)
    ),
)
OURS = {
    budget: (
        *(latent(budget - KEY, KEY, fast, ships=not fast) for fast in ("", FAST)),
        *(latent(budget, 0, fast) for fast in ("", FAST)),
    )
    for budget in BUDGETS
}
LATEST_OURS = (latent(28, KEY, LATEST, ships=True), latent(28, KEY, LATEST + FAST))

RECIPES = (
    *(latent(rank, key, ships=True) for rank in reversed(LATENTS) for key in (KEY, 0)),
    latent(28, KEY, LATEST, ships=True),
    latent(28, 0, LATEST, ships=True),
    *(latent(budget - KEY, KEY, FAST) for budget in BUDGETS),
    *(latent(budget, 0, fast) for budget in BUDGETS for fast in ("", FAST)),
    latent(28, KEY, LATEST + FAST),
    *(rival for budget in BUDGETS for rival in rivals(budget)),
    *LATEST_RIVALS,
)


def names(recipes: tuple[Recipe, ...]) -> tuple[str, ...]:
    """Their variants."""
    return tuple(r.variant for r in recipes)


def at_equal_cache(budget: int, step: int) -> Claim:
    """The best latent attention of a budget against the best shared one."""
    when = f"after {step} steps" if step else "at the end of training"
    sentence = f"At {budget} numbers a token latent attention has a lower loss than the best GQA or MQA, {when}"
    return Claim(sentence, "beats", beats(METRIC, names(OURS[budget]), names(rivals(budget)), step))


def where_order_counts(step: int) -> Claim:
    """The same where position and content are needed together."""
    when = f"after {step} steps" if step else "at the end of training"
    sentence = (
        f"Where the later of two things counts, a latent with a rope key has a lower loss than the best of equal cache, {when}"
    )
    return Claim(sentence, "beats", beats(METRIC, names(LATEST_OURS), names(LATEST_RIVALS), step))


CLAIMS = (
    *(at_equal_cache(budget, step) for budget in BUDGETS for step in (EARLY[""], 0)),
    *(where_order_counts(step) for step in (EARLY[LATEST], 0)),
    Claim(
        "The rope key carries the order: without it the later thing is told from the earlier one less often",
        "ordered",
        ordered(f"recall@{PAIRS}", "mla-28-0" + LATEST, "mla-28-4" + LATEST),
    ),
    Claim(
        "A smaller latent costs quality: the loss rises from 28 numbers to 12 and to 4",
        "ordered",
        ordered(METRIC, "mla-28-4", "mla-12-4", "mla-4-4"),
    ),
    Claim(
        f"Twelve numbers and a rope key suffice to recall {PAIRS} pairs (at least .98)",
        "at least",
        at_least(f"recall@{PAIRS}", 0.98, "mla-12-4"),
    ),
)

MECHANISM = Mechanism(
    "mla",
    RECIPES,
    CLAIMS,
    papers=("2405.04434", "2412.19437", "2505.09343", OLDER_PAPER, "2312.04927", "2104.09864"),
)
