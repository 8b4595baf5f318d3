"""What there is: the pages, in the order and the groups of the talk, and one small model of every variation.

Every example goes through the whole battery of tests (tests/core/test_battery.py): adding a mechanism means adding its
examples here.
"""

from dataclasses import dataclass, replace

from core.blocks import Chunk, Everything, Norm, Window
from core.ffn.dense import Dense
from core.mixers.attention import Attention
from core.rope import Llama3, Rope, Yarn
from core.spec import Layer, ModelSpec, Scales, expand

GROUPS = ("Cheaper inference", "Beyond attention", "Beyond next-token", "Models")


@dataclass(frozen=True)
class Page:
    """One page: `pages/<name>.py` at the address `/<name>`."""

    name: str
    title: str
    group: str
    question: str


PAGES = (Page("gqa", "Grouped-query attention", "Cheaper inference", "What if heads share their keys and values?"),)

BASE = Attention(heads=4, kv_heads=2, k_dim=8, v_dim=8, rope=Rope(8))
FFN = Dense(24)


def small(name: str, *layers: Layer, **settings) -> ModelSpec:
    """A model of width 16 over 31 words."""
    return ModelSpec(name, 16, 31, layers, **settings)


def attention(name: str, **settings) -> ModelSpec:
    """Two layers of one kind of attention."""
    return small(name, *(Layer(replace(BASE, **settings), FFN),) * 2)


LOCAL = Layer(replace(BASE, reach=Window(5)), FFN)

EXAMPLES: tuple[ModelSpec, ...] = (
    attention("mha", kv_heads=4),
    attention("gqa"),
    attention("mqa", kv_heads=1),
    attention("narrow-values", k_dim=8, v_dim=4),
    attention("wide-heads", k_dim=12, v_dim=12, rope=Rope(12)),
    attention("nope", rope=Rope()),
    attention("partial-rope", rope=Rope(4, base=1e6)),
    attention("rope-llama3", rope=Rope(8, 5e5, Llama3(8.0, 1.0, 4.0, 64))),
    attention("rope-yarn", rope=Rope(8, 1e4, Yarn(4.0, 64, magnitude=1.1))),
    attention("qk-norm-head", qk_norm="head"),
    attention("qk-norm-full", qk_norm="full"),
    attention("biases", qkv_bias=True, out_bias=True),
    attention("scaled-and-capped", scale=0.2, softcap=5.0),
    attention("sinks", sinks=True),
    attention("gated", gate=True, v_dim=6),
    attention("sliding", reach=Window(5)),
    attention("chunked", reach=Chunk(4)),
    attention("denoiser", reach=Everything()),
    small("local-global", *expand("LLG", {"L": LOCAL, "G": Layer(BASE, FFN)}, 5)),
    small("convolution", *(Layer(BASE, None, input_conv=3),) * 2),
    small("post-norm", *(Layer(BASE, FFN, norms="post"),) * 2),
    small("sandwich-norm", *(Layer(BASE, FFN, norms="sandwich", scales=Scales(0.5, 2.0)),) * 2),
    small("ffn-alone", Layer(BASE, None), Layer(None, FFN)),
    small("geglu", Layer(BASE, Dense(24, "gelu_tanh"))),
    small(
        "gelu", Layer(BASE, Dense(24, "gelu", gated=False, bias=True)), norm=Norm("layer", 1e-5), tied=True, learned_positions=64
    ),
    small("capped-head", Layer(BASE, FFN), softcap=3.0, embed_scale=4.0, logit_scale=0.5, head_bias=True),
)
