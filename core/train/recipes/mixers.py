"""One prompt, every mixer: what is the same in all the models that differ in how tokens mix, and those that attend.

Width 64, no ffn, a short convolution of three taps in front of every mixer (so that no layer is spent on finding the previous
token), 24 pairs in texts of 64 tokens. Where a model that only recurs gets more steps, its recipe says so: STEPS and LONG.
Memories are of one size, 1,024 numbers a layer, unless the variant's name gives another width of keys.
"""

from core.model.blocks import Window
from core.model.mixers.attention import Attention
from core.model.mixers.latent import Latent
from core.model.rope import Rope
from core.model.spec import Layer, ModelSpec
from core.train.mechanism import Mechanism, Spelling, at_pairs
from core.train.rules import Claim, at_least, at_most
from core.train.tasks import recall
from core.train.training import Recipe

WIDTH, PAIRS, LENGTH, CONVOLUTION = 64, 24, 64, 3
STEPS, LONG, RATE = 250, 600, 8e-3
METRIC, LOSS = f"recall@{PAIRS}", f"loss@{PAIRS}"
SOLVED = 0.98

ATTENTION = Attention(4, 4, 16, 16, Rope(16))
LOCAL = Attention(4, 4, 16, 16, Rope(16), Window(8))
LATENT = Latent(heads=4, kv_rank=28, nope_dim=16, rope_dim=4, v_dim=16, rope=Rope(4))


def model(variant: str, *mixers) -> ModelSpec:
    """A stack of mixers over the words of the recall task."""
    layers = tuple(Layer(mixer, None, input_conv=CONVOLUTION) for mixer in mixers)
    return ModelSpec(variant, WIDTH, len(recall.WORDS), layers)


def learned(variant: str, *mixers, steps: int = STEPS, lr: float = RATE) -> Recipe:
    """A stack of mixers, trained on recall as every other one."""
    settings = {"pairs": PAIRS, "count": 32, "length": LENGTH}
    return Recipe(variant, model(variant, *mixers), recall.TASK, steps, lr, settings, embed_std=0.5, evaluate_every=steps // 5)


def hybrid(variant: str, mixer, last=ATTENTION, lr: float = RATE) -> Recipe:
    """Three layers of one mixer, then one of attention."""
    return learned(variant, mixer, mixer, mixer, last, lr=lr)


RECIPES = (
    learned("attention-2", ATTENTION, ATTENTION),
    learned("attention-4", *(ATTENTION,) * 4),
    learned("window-2", LOCAL, LOCAL),
    learned("latent-2", LATENT, LATENT),
)

CLAIMS = (
    Claim("Attention recalls every one of 24 pairs (at least .98)", at_least(METRIC, SOLVED, "attention-2", "attention-4")),
    Claim(
        "Every hybrid of three recurrent layers to one of attention recalls them as well (at least .98)",
        at_least(METRIC, SOLVED, "delta-3-1", "kimi-3-1", "mamba-3-1", "rwkv-3-1", "mlstm-3-1", "lstm-3-1", "conv-3-1"),
    ),
    Claim(
        "No purely recurrent model of the same width does, with more than twice the steps (at most .9)",
        at_most(METRIC, 0.9, "delta-16", "mamba-16", "rwkv-16", "mlstm-16", "slstm", "lstm", "conv-4"),
    ),
)

NAMES = {
    "attention-2": "Attention", "latent-2": "Latent (MLA)", "window-2": "Window of 8", "delta-16": "Gated DeltaNet",
    "kimi-16": "Kimi (KDA)", "mamba-16": "Mamba-2", "rwkv-16": "RWKV-7", "mlstm-16": "mLSTM", "lstm": "LSTM", "slstm": "sLSTM",
    "conv-4": "Short conv.", "attention-4": "Attention ×4", "delta-3-1": "Gated DeltaNet 3:1", "kimi-3-1": "Kimi (KDA) 3:1",
    "mamba-3-1": "Mamba-2 3:1", "rwkv-3-1": "RWKV-7 3:1", "mlstm-3-1": "mLSTM 3:1", "lstm-3-1": "LSTM 3:1",
    "conv-3-1": "Short conv. 3:1", **{f"delta-{n}": f"Gated DeltaNet, {n}" for n in (4, 8, 32)},
    **{f"mamba-{n}": f"Mamba-2, {n}" for n in (4, 8, 32)}, **{f"mlstm-{n}": f"mLSTM, {n}" for n in (4, 8)},
}  # fmt: skip

MECHANISM = Mechanism(
    "mixers",
    RECIPES,
    CLAIMS,
    papers=("2312.04927", "2510.26692", "2405.21060", "2503.14456", "2405.04517", "2511.23404", "1706.03762"),
    also=("gated_deltanet", "mamba", "rwkv", "xlstm", "liquid"),  # every other mixer learned the same task,
    spelling=Spelling(NAMES, at_pairs),
)
