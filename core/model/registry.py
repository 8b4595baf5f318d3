"""What there is: the pages, in the order and the groups of the talk, and one small model of every variation.

Every example goes through the whole battery of tests (tests/core/test_battery.py): adding a mechanism means adding its
examples here.
"""

from dataclasses import dataclass, replace
from importlib import import_module
from inspect import isabstract
from pkgutil import iter_modules

from core.model import ffn, mixers
from core.model.blocks import Chunk, Everything, Norm, Window
from core.model.ffn.dense import Dense
from core.model.ffn.moe import MoE
from core.model.mixers.attention import Attention, Temperature
from core.model.mixers.borrowed import Borrowed
from core.model.mixers.delta import GatedDelta, KimiDelta
from core.model.mixers.latent import Latent
from core.model.mixers.linear import Lightning
from core.model.mixers.mamba import Mamba1, Mamba2
from core.model.mixers.parallel import Parallel
from core.model.mixers.rwkv import ChannelMix, Rwkv7
from core.model.mixers.shortconv import GatedConv
from core.model.mixers.sparse import Indexed
from core.model.mixers.xlstm import Lstm, MLstm, SLstm
from core.model.part import Part
from core.model.rope import Llama3, Ntk, Rope, Yarn
from core.model.spec import Layer, ModelSpec, Scales, expand

GROUPS = ("Cheaper inference", "Beyond attention", "Beyond next-token", "Models")


@dataclass(frozen=True)
class Page:
    """One page: `pages/<name>.py` at the address `/<name>`."""

    name: str
    title: str
    group: str
    question: str


PAGES = (
    Page("gqa", "Grouped-query attention", "Cheaper inference", "What if heads share their keys and values?"),
    Page("mla", "Multi-head latent attention", "Cheaper inference", "What if we cache a summary instead?"),
    Page("sliding_window", "Sliding windows", "Cheaper inference", "What if a token cannot look far back?"),
    Page("moe", "Mixture of experts", "Cheaper inference", "How can 671B parameters cost 37B?"),
    Page("gated_deltanet", "Gated delta nets", "Beyond attention", "What if memory is a matrix you erase and write?"),
    Page("sparse_attention", "Sparse attention", "Beyond attention", "Can a cheap scorer choose what to read?"),
    Page("mamba", "State space models", "Beyond attention", "What is a state space model?"),
    Page("rwkv", "RWKV-7", "Beyond attention", "Can an RNN train like a transformer?"),
    Page("xlstm", "xLSTM", "Beyond attention", "Are LSTMs back?"),
    Page("liquid", "Liquid models", "Beyond attention", "How little attention is enough on a phone?"),
    Page("mixers", "All mixers", "Beyond attention", "One prompt, every mixer: who remembers, at what price?"),
    Page("recursive", "Recursive reasoning", "Beyond next-token", "Can a 7M model outthink a big one on puzzles?"),
    Page("text_diffusion", "Text diffusion", "Beyond next-token", "What if all words appear at once?"),
    Page("code_world_model", "Code world models", "Beyond next-token", "Can a model run code in its head?"),
    Page("home", "All models", "Models", "Who built what, and what does it cost?"),
    Page("inference", "Inference", "Models", "Why does memory decide the price?"),
    Page("compare", "Compare models", "Models", "How do two models differ?"),
    Page("workbench", "Workbench", "Models", "What would my design cost?"),
    Page("evidence", "Evidence", "Models", "Which of the talk's claims hold up?"),
)


def question(name: str) -> str:
    """What a page asks."""
    return next(page.question for page in PAGES if page.name == name)


def described(package) -> tuple[type[Part], ...]:
    """The classes of parts that the files of a package describe."""
    modules = (import_module(f"{package.__name__}.{module.name}") for module in iter_modules(package.__path__))
    own = (c for module in modules for c in vars(module).values() if getattr(c, "__module__", "") == module.__name__)
    return tuple(c for c in own if isinstance(c, type) and issubclass(c, Part) and not isabstract(c))


PARTS = (*described(mixers), *described(ffn))  # every class of part there is

BASE = Attention(heads=4, kv_heads=2, k_dim=8, v_dim=8, rope=Rope(8))
FFN = Dense(24)
MLA = Latent(heads=4, kv_rank=10, nope_dim=8, rope_dim=4, v_dim=6, rope=Rope(4))
EXPERTS = MoE(experts=8, top_k=2, hidden=6)


def small(name: str, *layers: Layer, **settings) -> ModelSpec:
    """A model of width 16 over 31 words."""
    return ModelSpec(name, 16, 31, layers, **settings)


def of_attention(name: str, **settings) -> ModelSpec:
    """Two layers of one kind of attention."""
    return small(name, *(Layer(replace(BASE, **settings), FFN),) * 2)


def latent(name: str, **settings) -> ModelSpec:
    """Two layers of multi-head latent attention."""
    return small(name, *(Layer(replace(MLA, **settings), FFN),) * 2)


def experts(name: str, **settings) -> ModelSpec:
    """Two layers whose feed-forward part is a mixture of experts."""
    return small(name, *(Layer(BASE, replace(EXPERTS, **settings)),) * 2)


def repeated(name: str, mixer, ffn=FFN, **settings) -> ModelSpec:
    """Two layers of one mixer."""
    return small(name, *(Layer(mixer, ffn),) * 2, **settings)


DELTA = GatedDelta(key_heads=2, value_heads=4, k_dim=6, v_dim=5)
KIMI = KimiDelta(heads=3, width=6)
MAMBA1, MAMBA2 = Mamba1(inner=24, state_size=5, rank=3), Mamba2(heads=4, width=6, state_size=5, groups=2)
RWKV = Rwkv7(heads=2, width=8, decay_rank=3, erase_rank=4, value_rank=2, gate_rank=5)
INDEXED = Indexed(replace(MLA, q_rank=12), heads=3, width=6, rope_dim=4, top_k=5)
MLSTM = MLstm(heads=2, k_dim=5, v_dim=7)
LOCAL = Layer(replace(BASE, reach=Window(5)), FFN)

EXAMPLES: tuple[ModelSpec, ...] = (
    of_attention("mha", kv_heads=4),
    of_attention("gqa"),
    of_attention("mqa", kv_heads=1),
    of_attention("narrow-values", k_dim=8, v_dim=4),
    of_attention("wide-heads", k_dim=12, v_dim=12, rope=Rope(12)),
    of_attention("nope", rope=Rope()),
    of_attention("partial-rope", rope=Rope(4, base=1e6)),
    of_attention("rope-llama3", rope=Rope(8, 5e5, Llama3(8.0, 1.0, 4.0, 64))),
    of_attention("rope-yarn", rope=Rope(8, 1e4, Yarn(4.0, 64, magnitude=1.1))),
    of_attention("qk-norm-head", qk_norm="head"),
    of_attention("qk-norm-full", qk_norm="full"),
    of_attention("qk-norm-turned", qk_norm="turned"),
    of_attention("rope-ntk", rope=Rope(8, 1e4, Ntk(1000.0))),
    of_attention("biases", qkv_bias=True, out_bias=True),
    of_attention("scaled-and-capped", scale=0.2, softcap=5.0),
    of_attention("sinks", sinks=True),
    of_attention("scaled-values", v_scale=0.707, v_dim=5),
    of_attention("qk-norm-bare", qk_norm="bare", rope=Rope(8, 1e4, Yarn(4.0, 64, magnitude=1.1))),
    of_attention("temperature", rope=Rope(), temperature=Temperature(4, 0.5)),
    of_attention("gated", gate=True, v_dim=6),
    of_attention("sliding", reach=Window(5)),
    of_attention("chunked", reach=Chunk(4)),
    of_attention("denoiser", reach=Everything()),
    small("local-global", *expand("LLG", {"L": LOCAL, "G": Layer(BASE, FFN)}, 5)),
    small("convolution", *(Layer(BASE, None, input_conv=3),) * 2),
    small("outer-norm", *(Layer(BASE, FFN, norms="outer"),) * 2),
    small("post-norm", *(Layer(BASE, FFN, norms="post"),) * 2),
    small("sandwich-norm", *(Layer(BASE, FFN, norms="sandwich", scales=Scales(0.5, 2.0)),) * 2),
    small("ffn-alone", Layer(BASE, None), Layer(None, FFN)),
    small("stream-norm", *(Layer(BASE, FFN, norms="stream", scales=Scales(0.5, 2.0, 3.0, 0.7)),) * 2),
    small("bare-norms", *(Layer(BASE, FFN, norms="post"),) * 2, norm=Norm("rms", 1e-5, learned=False), embed_norm=True),
    small("geglu", Layer(BASE, Dense(24, "gelu_tanh", gate_scale=0.5))),
    small(
        "gelu", Layer(BASE, Dense(24, "gelu", gated=False, bias=True)), norm=Norm("layer", 1e-5), tied=True, learned_positions=64
    ),
    small("capped-head", Layer(BASE, FFN), softcap=3.0, embed_scale=4.0, logit_scale=0.5, head_bias=True),
    latent("mla"),
    latent("mla-compressed-queries", q_rank=12, bias=True),
    latent("mla-absorbed", form="absorbed"),
    latent("mla-expanded", form="expanded"),
    latent("mla-no-rotation", rope=Rope()),
    latent("mla-no-rope-key", rope_dim=0, rope=Rope(), scale=0.5),
    latent("mla-cut", cut=5),
    experts("moe"),
    experts("moe-one", top_k=1, normalise=False, weigh_input=True, shared=10),
    experts("moe-all", top_k=8),
    experts("moe-sigmoid", scores="sigmoid", bias=True, scale=2.5, shared=6),
    experts("moe-groups", scores="sigmoid", bias=True, groups=4, top_groups=2, group_best=2, top_k=3),
    experts("moe-groups-best", groups=4, top_groups=2, normalise=False),
    experts("moe-biases", router_bias=True, expert_bias=True, activation="clamped"),
    experts("moe-shared-gate", shared=6, shared_gate=True),
    experts("moe-root-of-softplus", scores="sqrtsoftplus", bias=True),
    experts("moe-ungated", shared=6, gated=False, activation="relu2"),
    small("deepseek-like", Layer(MLA, FFN), *(Layer(MLA, replace(EXPERTS, scores="sigmoid", bias=True, shared=6)),) * 2),
    small("gemma-like", *expand("LG", {"L": LOCAL, "G": Layer(replace(BASE, rope=Rope(8, 1e6)), FFN, norms="sandwich")}, 4)),
    small(
        "gpt-oss-like",
        *expand(
            "LG",
            {
                kind: Layer(replace(BASE, sinks=True, qkv_bias=True, reach=reach), replace(EXPERTS, activation="clamped"))
                for kind, reach in (("L", Window(5)), ("G", BASE.reach))
            },
            4,
        ),
    ),
    small(
        "llama4-like",
        *expand(
            "CCG",
            {
                "C": Layer(replace(BASE, qk_norm="bare", reach=Chunk(4)), FFN),
                "G": Layer(
                    replace(BASE, rope=Rope(), temperature=Temperature(4, 0.5)),
                    replace(EXPERTS, scores="sigmoid", top_k=1, normalise=False, weigh_input=True, shared=6),
                ),
            },
            5,
        ),
    ),
    small(
        "mimo-like",
        *expand(
            "GLL",
            {
                "G": Layer(replace(BASE, kv_heads=1, v_dim=6, v_scale=0.7, rope=Rope(4, 1e6)), FFN),
                "L": Layer(
                    replace(BASE, v_dim=6, v_scale=0.7, rope=Rope(4), reach=Window(5), sinks=True),
                    replace(EXPERTS, scores="sigmoid", bias=True),
                ),
            },
            4,
        ),
    ),
    small("window-over-latent", LOCAL, Layer(MLA, EXPERTS), Layer(replace(BASE, kv_heads=4, v_dim=6, reach=Window(5)), FFN)),
    repeated("gated-delta", DELTA),
    repeated("gated-delta-one-head", replace(DELTA, key_heads=1, value_heads=1, kernel=2)),
    repeated("kimi-delta", KIMI),
    repeated("lightning", Lightning(heads=3, width=6, block=8, fade=0.7)),
    repeated("mamba-1", MAMBA1, None),
    repeated("mamba-1-norms", replace(MAMBA1, norms="learned", conv_bias=False, proj_bias=True)),
    repeated("mamba-1-bare-norms", replace(MAMBA1, norms="bare")),
    repeated("mamba-2", MAMBA2, None),
    repeated("mamba-2-biases", replace(MAMBA2, in_bias=True, out_bias=True, conv_bias=False, norm=False)),
    repeated("mamba-2-scaled", replace(MAMBA2, groups=1, scales=(0.5, 2.0, 1.5, 0.8, 0.6))),
    small(
        "rwkv-7",
        Layer(replace(RWKV, first=True), ChannelMix(20)),
        *(Layer(RWKV, ChannelMix(20)),) * 2,
        norm=Norm("layer", 1e-5),
        embed_norm=True,
    ),
    repeated("mlstm", MLSTM),
    repeated("slstm", SLstm(heads=2, width=6)),
    repeated("lstm", Lstm(hidden=12), None),
    repeated("short-convolution", GatedConv(3)),
    repeated("short-convolution-biases", GatedConv(4, bias=True)),
    repeated("side-by-side", Parallel(BASE, replace(MAMBA2, norm=False), (0.9, 1.1), (0.7, 1.2))),
    small("qwen3-next-like", *(Layer(DELTA, EXPERTS),) * 3, Layer(replace(BASE, gate=True, qk_norm="head"), EXPERTS)),
    small("kimi-linear-like", *(Layer(KIMI, FFN),) * 3, Layer(replace(MLA, rope=Rope()), EXPERTS)),
    small("jamba-like", Layer(MAMBA1, FFN), Layer(replace(BASE, rope=Rope()), EXPERTS), Layer(MAMBA1, EXPERTS)),
    small("nemotron-like", Layer(MAMBA2, None), Layer(None, FFN), Layer(replace(BASE, rope=Rope()), None), Layer(None, FFN)),
    small("lfm2-like", *(Layer(GatedConv(3), FFN),) * 2, Layer(replace(BASE, qk_norm="head"), FFN)),
    repeated("indexed", INDEXED),
    repeated("indexed-all", replace(INDEXED, top_k=64)),
    repeated("indexed-one", replace(INDEXED, top_k=1)),
    small("indexed-once", Layer(INDEXED, FFN), *(Layer(replace(INDEXED, reuses=True), EXPERTS),) * 2),
    small("borrowed", Layer(BASE, FFN), Layer(Borrowed(BASE, 1), FFN), Layer(BASE, FFN), Layer(Borrowed(BASE, 1), FFN)),
    small(
        "borrowed-normed",
        *(
            Layer(mixer, FFN)
            for own in [replace(BASE, qk_norm="turned", qkv_bias=True)]
            for mixer in (own, Borrowed(own, 1), Borrowed(own, 2))
        ),
    ),
)
