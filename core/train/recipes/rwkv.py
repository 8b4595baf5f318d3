"""RWKV-7: how its models are trained, and what their tables should show: recall as every other mixer, and following a ball under
three cups, where what counts is not what was said but where it has got to."""

from core.model.mixers.attention import Attention
from core.model.mixers.rwkv import Rwkv7
from core.model.mixers.xlstm import Lstm
from core.model.rope import Rope
from core.model.spec import Layer, ModelSpec
from core.train.mechanism import Mechanism, Spelling
from core.train.recipes.mixers import ATTENTION, CONVOLUTION, LONG, METRIC, SOLVED, WIDTH, learned
from core.train.rules import Claim, at_least, at_most, every, ordered
from core.train.tasks import cups
from core.train.training import Recipe

HEADS, HEAD, RANK = 4, 16, 8
FIRST = Rwkv7(HEADS, HEAD, RANK, RANK, RANK, RANK, first=True)
LATER = Rwkv7(HEADS, HEAD, RANK, RANK, RANK, RANK)
TURNED = Attention(4, 4, 16, 16, Rope(16))


def tracking(variant: str, *mixers) -> Recipe:
    """A stack of mixers, trained to say after every move where the ball is."""
    layers = tuple(Layer(mixer, None, input_conv=CONVOLUTION) for mixer in mixers)
    spec = ModelSpec(variant, WIDTH, len(cups.WORDS), layers)
    return Recipe(variant, spec, cups.TASK, 600, 4e-3, {"moves": 24, "count": 64, "ramp": 400}, embed_std=0.5, evaluate_every=120)


RECIPES = (
    learned("rwkv-16", FIRST, LATER, steps=LONG),
    learned("rwkv-3-1", FIRST, LATER, LATER, ATTENTION),
    tracking("cups-rwkv", FIRST, LATER),
    tracking("cups-attention", TURNED, TURNED),
    tracking("cups-lstm", Lstm(WIDTH), Lstm(WIDTH)),
)
TRACKING = ("cups-rwkv", "cups-attention", "cups-lstm")

CLAIMS = (
    Claim(
        "Three layers of RWKV-7 to one of attention recall as well as attention alone (at least .98)",
        at_least(METRIC, SOLVED, "attention-4", "rwkv-3-1"),
    ),
    Claim("RWKV-7 alone loses pairs that attention keeps", ordered(METRIC, "rwkv-16", "attention-2")),
    Claim(
        "RWKV-7 follows the ball better than attention of the same width: after 24 moves, as many as it practised",
        ordered("right@24", "cups-attention", "cups-rwkv"),
    ),
    Claim(
        "RWKV-7 still follows it after 96 moves (at least .9), attention does not (at most .6)",
        every(at_least("right@96", 0.9, "cups-rwkv"), at_most("right@96", 0.6, "cups-attention")),
    ),
)

NAMES = {
    "cups-rwkv": "RWKV-7", "cups-attention": "Attention", "cups-lstm": "LSTM", "rwkv-16": "RWKV-7",
    "rwkv-3-1": "RWKV-7 3 : 1 attention", "attention-2": "attention, 2 layers", "attention-4": "attention, 4 layers",
}  # fmt: skip


def measure(metric: str) -> str:
    """A metric as it is written."""
    what, _, n = metric.partition("@")
    return f"right after {n} moves" if what == "right" else f"{what} at {n} pairs"


MECHANISM = Mechanism(
    "rwkv",
    RECIPES,
    CLAIMS,
    papers=("2503.14456", "2406.06484", "2312.04927"),
    also=("mixers",),
    spelling=Spelling(NAMES, measure),
)
