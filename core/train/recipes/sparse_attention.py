"""Sparse attention: how a scorer is trained beside latent attention, and what its table should show when it picks."""

from core.model.mixers.latent import Latent
from core.model.mixers.sparse import Indexed
from core.model.rope import Rope
from core.train.mechanism import Mechanism
from core.train.recipes.mixers import PAIRS, SOLVED, model
from core.train.rules import Claim, at_least, at_most, every
from core.train.tasks import selection
from core.train.training import Recipe

LENGTH, EVERYTHING = 96, 1 << 16
LATENT = Latent(heads=4, kv_rank=28, nope_dim=16, rope_dim=4, v_dim=16, q_rank=32, rope=Rope(4))
PICKS = (1, 2, 4, 8, 16)


def indexed(top_k: int) -> Indexed:
    """The mixer that picks so many tokens; everything while it learns, so that what is imitated is the whole attention."""
    return Indexed(LATENT, heads=4, width=8, rope_dim=4, top_k=top_k)


WINDOW, RANDOM = 8, 16  # tokens that are read instead: the last, and any
SETTINGS = {"pairs": PAIRS, "count": 32, "length": LENGTH, "picks": PICKS, "window": WINDOW, "random": RANDOM}
SPEC = model("indexed", indexed(EVERYTHING), indexed(EVERYTHING))
RECIPES = (Recipe("indexed", SPEC, selection.TASK, 400, 4e-3, SETTINGS, embed_std=0.5, evaluate_every=80),)

CLAIMS = (
    Claim(
        "Reading the 8 tokens that the scorer picks recalls all that the whole attention does (at least .98)",
        every(at_least(f"recall@{PAIRS}", SOLVED, "indexed"), at_least("recall, 8 picked", SOLVED, "indexed")),
    ),
    Claim("The last 8 tokens instead lose most of it (at most .2)", at_most("recall, last 8", 0.2, "indexed")),
    Claim("So do 16 tokens picked at random (at most .4)", at_most("recall, 16 at random", 0.4, "indexed")),
    Claim("Even 2 picked tokens are enough (at least .9)", at_least("recall, 2 picked", 0.9, "indexed")),
)

MECHANISM = Mechanism(
    "sparse_attention",
    RECIPES,
    CLAIMS,
    papers=("2512.02556", "2405.04434", "2412.19437", "2312.04927"),
)
