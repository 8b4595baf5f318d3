"""Recurrent, hybrid, sparse and recursive models, counted from their configs: python -m pytest tests/core/test_hybrids.py

The truths come from the reference implementation without memory and from its real cache tensors (tests/data); where there are
none, the reference is instantiated here. A stream of figures that papers and others printed follows.
"""

import copy
import json
import math
import random
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core import cost, twin
from core.errors import CountedOnly, SpecError
from core.ffn.beside import Beside
from core.ffn.dense import Dense
from core.ffn.hashed import Hashed
from core.ffn.moe import MoE
from core.hf import reader
from core.hf.source import parse
from core.hf.weights import WeightError
from core.mixers.attention import Attention
from core.mixers.borrowed import Borrowed
from core.mixers.compressed import Compressed
from core.mixers.delta import GatedDelta, KimiDelta
from core.mixers.linear import Lightning
from core.mixers.mamba import Mamba1, Mamba2
from core.mixers.parallel import Parallel
from core.mixers.rwkv import ChannelMix, Rwkv7
from core.mixers.shortconv import GatedConv
from core.mixers.sparse import Indexed
from core.mixers.unified import Unified
from core.mixers.xlstm import MLstm
from core.model import build
from core.registry import MLA
from core.spec import Layer, ModelSpec, Recursion
from tests.core.shell import refused
from tests.core.test_config_robustness import mutate

ROWS = {row["key"]: row for row in json.loads((Path(__file__).parents[1] / "data" / "truth_hybrids.json").read_text())}
TRUTH = {key: row["truth"] for key, row in ROWS.items() if row["truth"]}
LIVE = ("llada-8b", "dream-7b")
THEIRS = [key for key, row in ROWS.items() if row["reference_class"] and key not in LIVE]


def config(key, **changes):
    """A row's config with fields changed, those of a language model inside a larger one there; ... takes one out."""
    told = ROWS[key]["config"]
    if "text_config" in told and "text_config" not in changes:
        changes = {"text_config": {**told["text_config"], **changes}}
    return {name: value for name, value in {**told, **changes}.items() if value is not ...}


def read(key, **changes):
    return reader.read(copy.deepcopy(config(key, **changes)), key)


def count(key, context=4096, **options):
    return cost.count(read(key).spec, context, **options)


# True counts


@pytest.mark.parametrize("key", TRUTH)
def test_true_counts_are_reproduced(key):
    true, reading = TRUTH[key], read(key)
    assert reading.spec.tied == true["tied_embeddings"]
    for context, elements in true.get("cache_elements", {"4096": None}).items():
        counted = cost.count(reading.spec, int(context))
        assert elements in (None, counted.cache_elements)
        assert counted.state_elements == true.get("state_elements", counted.state_elements)
    told = {
        "buffers": true["router_bias_and_other_buffers"],
        "layers_by_kind": true["layers"],
        **{name: value for name, value in true.items() if name.startswith("params_")},
    }
    assert {name: getattr(counted, name) for name, value in told.items() if value is not None} == {
        name: value for name, value in told.items() if value is not None
    }


def renewed(key):
    """A row's config in the words of the reference's class."""
    told = config(key)
    told = {**told["text_config"], "tie_word_embeddings": told["tie_word_embeddings"]} if "text_config" in told else told
    if told["model_type"] == "minimax_m1":
        told["layer_types"] = [("linear_attention", "full_attention")[t] for t in told.pop("attn_type_list")]
    return {name: value for name, value in told.items() if name != "model_type"}


def reference(key, **changes):
    """The reference's class without memory, and its config."""
    import transformers

    kind = getattr(transformers, ROWS[key]["reference_class"])
    theirs = kind.config_class(**copy.deepcopy({**renewed(key), **changes}))
    with torch.device("meta"):
        return kind(theirs), theirs


@pytest.mark.parametrize("key", THEIRS)
def test_parameters_against_transformers_without_memory(key):
    assert count(key).params_total == sum(p.numel() for p in reference(key)[0].parameters())


@pytest.mark.parametrize("key", THEIRS)
def test_matrix_products_against_the_matrices_of_transformers(key):
    """What one token multiplies besides cache, state, taps and streams: every matrix once, of experts those that are picked."""
    model, theirs = reference(key)
    first, second = (count(key, n).flops for n in (1, 2))
    apart = ("recurrence", "convolution", "compression", "streams")
    counted = sum(2 * first[name] - second[name] for name in first if name not in apart)
    picked = getattr(theirs, "top_k_experts", None) or getattr(theirs, "num_experts_per_tok", 0)
    total, table = 0, model.get_input_embeddings().weight
    for name, p in model.named_parameters():
        no_matrix = any(word in name for word in ("conv.conv", "conv1d", "A_log", "position_bias", "hc_head", "_hc"))
        if p.dim() > 1 and not no_matrix and not (p is table and not read(key).spec.tied):
            total += 2 * p.numel() * (picked / p.shape[0] if p.dim() == 3 else 1)
    assert counted == total


CHANGES = [
    ("mamba2-2.7b", {"use_bias": True, "use_conv_bias": False, "n_groups": 8}),
    ("falcon-mamba-7b", {"use_bias": True, "use_conv_bias": False, "time_step_rank": "auto", "tie_word_embeddings": True}),
    ("jamba-v0.1", {"mamba_proj_bias": True, "mamba_conv_bias": False, "attn_layer_offset": 2, "num_experts": 4}),
    (
        "granite-4.0-h-tiny",
        {"mamba_proj_bias": True, "attention_bias": True, "mamba_n_groups": 2, "shared_intermediate_size": 96},
    ),
    ("granite-4.0-h-1b", {"mamba_conv_bias": False, "mamba_d_conv": 3}),
    ("nemotron-3-nano-30b-a3b", {"use_bias": True, "n_shared_experts": 2, "head_dim": 64}),
    ("falcon-h1-3b", {"mamba_rms_norm": True, "projectors_bias": True, "mlp_bias": True, "attention_bias": True}),
    ("lfm2-1.2b", {"conv_bias": True, "block_auto_adjust_ff_dim": False, "conv_L_cache": 5}),
    ("lfm2-1.2b", {"block_ffn_dim_multiplier": 1.3, "block_multiple_of": 100, "full_attn_idxs": [0]}),
    ("lfm2-8b-a1b", {"num_dense_layers": 0, "use_expert_bias": False}),
    ("xlstm-7b", {"num_heads": 4, "qk_dim_factor": 0.3, "ffn_proj_factor": 1.3, "v_dim_factor": 0.5}),
    ("qwen3-next-80b-a3b", {"mlp_only_layers": [0, 5], "decoder_sparse_step": 2, "attention_bias": True}),
    ("qwen3-next-80b-a3b", {"linear_num_key_heads": 8, "linear_key_head_dim": 64, "linear_conv_kernel_dim": 2}),
    ("kimi-linear-48b", {"q_lora_rank": 256, "first_k_dense_replace": 3, "num_shared_experts": 1}),
    ("minimax-m1", {"block_size": 64, "head_dim": 96}),
    ("deepseek-v3.2", {"index_n_heads": 8, "index_head_dim": 64, "first_k_dense_replace": 0}),
    ("glm-5", {"index_topk_freq": 3, "index_skip_topk_offset": 1}),
    ("glm-5", {"index_topk_pattern": "FS" * 39}),
    ("gemma4-26b-a4b", {"enable_moe_block": False, "attention_bias": True}),
    ("gemma4-26b-a4b", {"attention_k_eq_v": False, "layer_types": None, "num_hidden_layers": 7}),
    ("deepseek-v4-flash", {"hc_mult": 2, "num_hash_layers": 0, "o_groups": 4, "n_shared_experts": 1}),
    ("deepseek-v4-flash", {"compress_ratios": None, "index_head_dim": 64}),
]


@pytest.mark.parametrize("key, changes", CHANGES, ids=[f"{key}-{'-'.join(changes)}" for key, changes in CHANGES])
def test_every_setting_against_transformers(key, changes):
    model, _ = reference(key, **changes)
    assert cost.count(read(key, **changes).spec, 1).params_total == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("key", THEIRS)
def test_both_generations_of_configs(key):
    """The same counts from the config as it is written today, every default filled in."""
    import transformers

    theirs = getattr(transformers, ROWS[key]["reference_class"]).config_class(**copy.deepcopy(renewed(key)))
    new, old = reader.read(json.loads(json.dumps(theirs.to_dict())), key), read(key)
    assert new.unknown_fields == old.unknown_fields
    for context in (1, 5000):
        a, b = cost.count(new.spec, context), cost.count(old.spec, context)
        assert replace(a, layers=()) == replace(b, layers=())


@pytest.mark.parametrize("key", ROWS)
def test_every_field_is_understood(key):
    """But for one: a dtype of the experts alone, which bytes do not follow."""
    assert read(key).unknown_fields == (("expert_dtype",) if key == "deepseek-v4-flash" else ())


@pytest.mark.parametrize("key", ["qwen3.5-397b-a17b"])
def test_the_language_model_alone_or_inside_a_larger_one(key):
    told = ROWS[key]["config"]
    alone = reader.read({**told["text_config"], "model_type": "qwen3_5_moe_text"}, key)
    assert alone.spec == read(key).spec and alone.unknown_fields == ()


def test_qwen3_5_dense():
    from transformers import Qwen3_5ForCausalLM, Qwen3_5TextConfig

    sizes = {"hidden_size": 1024, "num_hidden_layers": 8, "num_attention_heads": 8, "tie_word_embeddings": True}
    with torch.device("meta"):
        model = Qwen3_5ForCausalLM(Qwen3_5TextConfig(**sizes))
    for told in ({"model_type": "qwen3_5_text", **sizes}, {"model_type": "qwen3_5", "text_config": sizes}):
        spec = reader.read(told).spec
        assert cost.count(spec, 1).params_total == sum(p.numel() for p in model.parameters())
        assert [layer.kind for layer in spec.layers] == ["state", "state", "state", "full"] * 2


# State against the tensors that transformers keeps


SMALL = {
    "lfm2-1.2b": {"full_attn_idxs": [1], "num_hidden_layers": 3, "hidden_size": 64, "num_attention_heads": 4, "vocab_size": 50},
    "jamba-v0.1": {"num_hidden_layers": 3, "hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 4, "num_experts": 4,
                   "num_key_value_heads": 2, "attn_layer_period": 3, "attn_layer_offset": 1, "mamba_dt_rank": 4,
                   "vocab_size": 50, "use_mamba_kernels": False},
}  # fmt: skip


@pytest.mark.parametrize("key", SMALL)
def test_state_and_cache_against_the_tensors_of_transformers(key):
    """They keep one column of the convolution more than the next step reads."""
    import transformers

    kind = getattr(transformers, ROWS[key]["reference_class"])
    changes = {"num_key_value_heads": 2, **SMALL[key]}
    model = kind(kind.config_class(**{**renewed(key), **changes})).eval()
    with torch.no_grad():
        layers = model(torch.zeros(1, 7, dtype=torch.long), use_cache=True).past_key_values.layers
    spec = read(key, **changes).spec
    for layer, kept in zip(cost.count(spec, 7).layers, layers, strict=True):
        if layer.kind == "full":
            assert sum(layer.cache.values()) == kept.keys.numel() + kept.values.numel()
        else:
            columns = kept.conv_states[0] if isinstance(kept.conv_states, dict) else kept.conv_states
            mine = layer.state.get("columns", layer.state.get("conv"))
            assert mine == columns.numel() // columns.shape[-1] * (columns.shape[-1] - 1)
            if "memory" in layer.state:
                states = kept.recurrent_states
                assert layer.state["memory"] == (states[0] if isinstance(states, dict) else states).numel()


MANY = 31  # tokens: more than windows and blocks, and no multiple of them


def kept(model, tokens=MANY):
    """What the reference's cache holds after so many tokens, layer by layer."""
    with torch.no_grad():
        return model.eval()(torch.arange(tokens)[None] % 50, use_cache=True).past_key_values.layers


def test_compressed_entries_against_the_tensors_of_transformers():
    """Of the window they keep one token less, as ours counts the token itself."""
    from transformers import DeepseekV4Config, DeepseekV4ForCausalLM

    kinds = ["sliding_attention", "compressed_sparse_attention", "heavily_compressed_attention"]
    told = {
        "vocab_size": 50, "hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "head_dim": 16, "q_lora_rank": 24,
        "num_experts_per_tok": 2, "n_routed_experts": 4, "moe_intermediate_size": 16, "o_groups": 2, "o_lora_rank": 8,
        "index_n_heads": 2, "index_head_dim": 8, "index_topk": 3, "sliding_window": 6, "layer_types": kinds, "hc_mult": 3,
        "compress_rates": dict(zip(kinds[1:], (4, 8))), "num_hash_layers": 1, "qk_rope_head_dim": 8,
    }  # fmt: skip
    model, spec = DeepseekV4ForCausalLM(DeepseekV4Config(**told)), reader.read({**told, "model_type": "deepseek_v4"}).spec
    counted = cost.count(spec, MANY)
    assert counted.params_total == sum(p.numel() for p in model.parameters())
    assert counted.layers_by_kind == {"sliding": 1, "compressed": 2}
    for layer, theirs in zip(counted.layers, kept(model), strict=True):
        held = {name: sum(t.numel() for t in getattr(theirs, name, {}).values()) for name in
                ("compressed_kv", "buffer_kv", "buffer_gate", "overlap_kv", "overlap_gate")}  # fmt: skip
        assert layer.cache["window"] == theirs.keys.numel() // 5 * 6
        assert layer.cache["entries"] + layer.cache["index_entries"] == held["compressed_kv"]
        assert layer.cache["waiting"] == held["buffer_kv"] + held["buffer_gate"]
        assert sum(layer.state.values()) == held["overlap_kv"] + held["overlap_gate"]


def test_gemma4_against_the_tensors_of_transformers():
    from transformers import Gemma4ForCausalLM, Gemma4TextConfig

    told = {
        **ROWS["gemma4-26b-a4b"]["config"]["text_config"], "vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 6,
        "num_attention_heads": 4, "num_key_value_heads": 2, "num_global_key_value_heads": 1, "head_dim": 8, "global_head_dim": 16,
        "intermediate_size": 24, "moe_intermediate_size": 8, "num_experts": 4, "top_k_experts": 2, "sliding_window": 6,
        "layer_types": ["sliding_attention"] * 5 + ["full_attention"],
    }  # fmt: skip
    theirs = Gemma4TextConfig(**{name: value for name, value in told.items() if name != "model_type"})
    model, spec = Gemma4ForCausalLM(theirs), reader.read(told).spec
    counted = cost.count(spec, MANY)
    assert counted.params_total == sum(p.numel() for p in model.parameters())
    for layer, held in zip(counted.layers, kept(model), strict=True):
        tokens = MANY if layer.kind == "full" else 5  # one less than the window, as ours counts the token itself
        mine = sum(layer.cache.values()) // (MANY if layer.kind == "full" else 6)
        assert mine * tokens == held.keys.numel() + held.values.numel()


def test_gemma4_as_a_gallery_printed_it():
    """210 KiB a token: every layer at its growing rate, and what one projection makes counted once; kept are both."""
    local, whole = (next(x for x in count("gemma4-26b-a4b", 1).layers if x.kind == kind) for kind in ("sliding", "full"))
    assert (25 * sum(local.cache.values()) + 5 * whole.cache["k"]) * 2 == 210 * 1024


# Bytes


def test_recurrent_state_is_float32_unless_the_family_keeps_another():
    assert {read(key).state_dtype for key in ROWS} == {"float32", "bfloat16"}
    kept = {key for key in ROWS if read(key).state_dtype == "bfloat16"}
    assert kept == {"minimax-m1", "xlstm-7b", "trm-7m", "hrm-27m"}
    assert read("nemotron-3-nano-30b-a3b", mamba_ssm_cache_dtype="bfloat16").state_dtype == "bfloat16"
    assert read("minimax-m1", dtype="float16").state_dtype == "float16"
    assert read("trm-7m", forward_dtype="float32").state_dtype == "float32"
    inner = {**ROWS["qwen3.5-397b-a17b"]["config"]["text_config"], "mamba_ssm_dtype": "float16"}
    assert read("qwen3.5-397b-a17b", text_config=inner).state_dtype == "float16"


def test_columns_are_kept_in_the_dtype_of_the_cache():
    for dtype, size in (("bfloat16", 2), ("fp8", 1)):
        assert count("lfm2-1.2b", cache_dtype=dtype).state_bytes == 40_960 * size
        mixer = read("nemotron-h-8b").spec.layers[0].mixer
        state = mixer.state(4096)
        assert count("nemotron-h-8b", cache_dtype=dtype).state_bytes == 24 * (4 * state["memory"] + size * state["conv"])
    assert count("rwkv7-2.9b", batch=3).state_bytes == 3 * 32 * (4 * 2560 * 64 + 2 * 2 * 2560)


def test_the_command_line_says_which(call, write):
    for key, dtype in (("minimax-m1", "bfloat16"), ("mamba2-2.7b", "float32")):
        status, out, _ = call("inspect", write(ROWS[key]["config"]), "--json", "--cache-dtype", "fp8")
        told = json.loads(out)
        assert (status, told["state_dtype"], told["model_type"]) == (0, dtype, ROWS[key]["config"]["model_type"])
        spec = read(key).spec
        assert told["state_bytes"] == cost.count(spec, told["context"], 1, "fp8", "fp8", dtype).state_bytes


# Figures that others printed


def a_token(key):
    """Bytes of cache a token, in bfloat16."""
    return count(key, 2).cache_bytes - count(key, 1).cache_bytes


@pytest.mark.parametrize(
    "key, size",
    [
        ("kimi-linear-48b", 8_064),
        ("qwen3-next-80b-a3b", 24_576),
        ("nemotron-h-8b", 16_384),
        ("lfm2-1.2b", 12_288),
        ("xlstm-7b", 0),
        ("qwen3.5-397b-a17b", 30 * 1024),
        ("nemotron-3-nano-30b-a3b", 6 * 1024),
    ],
)
def test_cache_a_token(key, size):
    assert a_token(key) == size


def test_kimi_linear_against_latent_attention_everywhere():
    spec = read("kimi-linear-48b").spec
    latent = next(layer.mixer for layer in spec.layers if layer.kind == "mla")
    everywhere = cost.count(replace(spec, layers=tuple(replace(layer, mixer=latent) for layer in spec.layers)), 1).cache_bytes
    assert everywhere == 31_104
    assert f"{1 - a_token('kimi-linear-48b') / everywhere:.2%}" == "74.07%"
    memory = sum(layer.state.get("memory", 0) for layer in count("kimi-linear-48b").layers)
    assert f"{memory / 1e6:.1f}" == "10.5" and f"{4 * memory / 1e6:.1f}" == "41.9"
    assert [i for i, layer in enumerate(spec.layers) if layer.kind == "mla"] == [3, 7, 11, 15, 19, 23, 26]


def test_the_state_of_qwen3_next():
    layers = count("qwen3-next-80b-a3b").layers
    memory = sum(layer.state.get("memory", 0) for layer in layers)
    assert f"{memory / 1e6:.1f}" == "18.9" and f"{4 * memory / 1e6:.1f}" == "75.5"
    attention = next(layer for layer in layers if layer.kind == "full")
    assert 4 * memory == 36 * 1024 * 2 * sum(attention.cache.values()) // 4096  # as 36 layers would keep for 1,024 tokens


def test_nemotron_h_breaks_even_with_llama():
    memory = sum(layer.state.get("memory", 0) for layer in count("nemotron-h-8b").layers)
    assert f"{memory / 1e6:.1f}" == "25.2" and f"{4 * memory / 1e6:.1f}" == "100.7"
    assert round(4 * memory / (131_072 - a_token("nemotron-h-8b")), -1) == 880
    counted = count("nemotron-h-56b")
    assert counted.layers_by_kind == {"full": 10, "state": 54, "none": 54}


def test_xlstm_state():
    memory = sum(layer.state["memory"] for layer in count("xlstm-7b").layers)
    assert f"{4 * memory / 1e6:.1f}" == "134.2"
    assert count("xlstm-7b", 1).cache_elements == count("xlstm-7b", 100_000).cache_elements == 0


@pytest.mark.parametrize("heads, megabytes", [(4, "268.4"), (8, "134.2"), (16, "67.1"), (32, "33.6")])
def test_xlstm_state_by_number_of_heads(heads, megabytes):
    mixer = MLstm(heads, 2048 // heads, 4096 // heads)
    assert f"{32 * 4 * mixer.state(4096)['memory'] / 1e6:.1f}" == megabytes


def test_lfm2():
    assert count("lfm2-1.2b").state_elements == 40_960
    mixer = read("lfm2-1.2b").spec.layers[0].mixer
    assert sum(mixer.flops(2048, 1, 1).values()) == 8 * 2048**2 + 2 * 3 * 2048
    assert mixer.params(2048) == 4 * 2048**2 + 3 * 2048
    assert read("lfm2-1.2b").spec.layers[0].ffn.hidden == 8192  # and not the 12,288 of block_ff_dim


def test_jamba_needs_4_gib_at_256k_and_mixtral_32():
    assert count("jamba-v0.1", 262_144).cache_bytes == 4 * 2**30
    assert 8 * count("jamba-v0.1", 262_144).cache_bytes == 32 * 2 * 8 * 128 * 2 * 262_144


def test_rwkv_state():
    assert f"{count('rwkv7-2.9b').state_elements / 1e6:.1f}" == "5.4"
    assert count("rwkv7-2.9b").state_elements == 32 * (2560 * 64 + 2 * 2560)


def test_sparse_attention_adds_128_and_reads_fewer():
    spec = read("deepseek-v3.2").spec
    mixer = spec.layers[0].mixer
    assert cost.count(spec, 1).cache_elements == 61 * (512 + 64 + 128)
    assert f"{a_token('glm-5') / 1024:.2f}" == "107.25"
    assert f"{78 * 2 * (512 + 64) / 1024:.1f}" == "87.8"  # as a gallery printed it: without the scorer's keys

    def grows(n):  # what depends on the context, in one decode step
        now, none = mixer.flops(7168, 1, n), mixer.flops(7168, 1, 1)
        scorer = 2 * 64 * 128
        return now["attention"] + now["indexer"] - none["indexer"] + scorer

    for n in (100, 2048, 131_072):
        assert grows(n) == 16_384 * n + 278_528 * min(n, 2048)
    dense = mixer.latent.flops(7168, 1, 131_072)["attention"]
    assert f"{dense / grows(131_072):.1f}" == "13.4"
    assert f"{16_384 * 131_072 / grows(131_072):.0%}" == "79%"


def test_sparse_attention_is_dense_where_all_are_picked():
    mixer = Indexed(MLA, 2, 8, 4, 16) if MLA.q_rank else Indexed(replace(MLA, q_rank=12), 2, 8, 4, 16)
    for n in (1, 15, 16):
        assert {**mixer.flops(32, n, n), "indexer": 0} == {**mixer.latent.flops(32, n, n), "indexer": 0}


def test_a_state_space_step_costs_six_a_number_of_state():
    """Papers' rules of thumb: 2 a parameter and 6 a number of state (Mamba-2, mLSTM), 10 for RWKV-7."""
    for mixer, factor in (
        (Mamba1(64, 16, 4), 6),
        (Mamba2(8, 16, 32), 6),
        (Lightning(4, 16), 6),
        (Rwkv7(4, 8, 2, 2, 2, 2), 10),
        (GatedDelta(2, 4, 8, 8), 8),
        (KimiDelta(2, 8), 8),
    ):
        assert mixer.flops(32, 1, 1)["recurrence"] == factor * mixer.state(32)["memory"]
        assert mixer.flops(32, 9, 9)["recurrence"] == 9 * factor * mixer.state(32)["memory"]
    mixer = MLstm(2, 8, 16)
    assert mixer.flops(32, 1, 1)["recurrence"] == 6 * (mixer.state(32)["memory"] + mixer.state(32)["normaliser"])


RULE = ["mamba2-2.7b", "falcon-mamba-7b", "rwkv7-2.9b", "xlstm-7b", "nemotron-h-8b", "falcon-h1-7b", "lfm2-1.2b"]


@pytest.mark.parametrize("key", RULE)
def test_a_decode_step_costs_about_two_a_parameter(key):
    counted = count(key, 1)
    assert counted.flops_per_token == pytest.approx(2 * counted.params_active_without_input_embedding, rel=0.05)


# Recursive solvers


def test_solvers_carry_two_boards_and_keep_no_cache():
    for key, positions in (("trm-7m", 97), ("hrm-27m", 82)):
        reading = read(key)
        assert reading.context == positions and reading.model_type == key[:3] and "vocab_size" in reading.assumed
        counted = cost.count(reading.spec, positions)
        assert (counted.cache_elements, counted.state_elements) == (0, 2 * positions * 512)


def test_trm_passes_42_layers_a_step():
    spec = read("trm-7m").spec
    assert sum(spec.recursion.passes(i) for i in range(2)) == 42
    counted = cost.count(spec, 97)
    a_layer = sum(counted.layers[0].prefill.values())
    assert counted.flops_per_token == counted.prefill_flops == 42 * a_layer + 2 * 512 * 11 * 97 + 2 * 2 * 512


def test_hrm_passes_its_two_halves_apart():
    spec = read("hrm-27m").spec
    assert [spec.recursion.passes(i) for i in range(8)] == [4] * 4 + [2] * 4
    assert read("trm-7m", H_layers=2).model_type == "hrm"
    assert {**read("trm-7m").__dict__, "spec": 0} == {**read("trm-7m", model_type="trm").__dict__, "spec": 0}


def test_denoisers_are_counted_backwards_and_run(call, write):
    for key in LIVE:
        reading = read(key)
        assert reading.spec.decoding == "diffusion"
        status, out, _ = call("live", write(ROWS[key]["config"]), "--json")
        told = json.loads(out)
        assert status == 0 and told["decoding"] == "diffusion" and "no cache" in told["cache_note"]
        assert told["cache_elements_counted"] == told["cache_elements_measured"] > 0
        assert told["decode_max_abs_diff"] <= 1e-4


def test_weights_that_are_not_mapped_are_said_so():
    spec = twin.shrink(read("llada-8b").spec)[0]
    with pytest.raises(WeightError, match="llada"):
        reader.table("llada", build(spec))


# Borrowed keys and values


def test_a_borrowing_layer_has_no_keys_and_values():
    own = Attention(8, 2, 4, 4, qk_norm="head", qkv_bias=True)
    spec = ModelSpec("cla", 32, 31, (Layer(own, None), Layer(Borrowed(own), None)))
    counted = cost.count(spec, 10)
    assert counted.layers_by_kind == {"full": 1, "shared": 1}
    assert counted.cache_elements == 10 * 2 * 8
    gone = 2 * 2 * 4 * 33 + 4  # both matrices with their biases, the keys' norm
    assert counted.layers[0].params - counted.layers[1].params == gone
    assert sum(counted.layers[0].flops.values()) - sum(counted.layers[1].flops.values()) == 2 * 2 * 2 * 4 * 32


def test_layers_share_in_groups():
    spec = read("hunyuan-large", cla_share_factor=4).spec
    assert [layer.kind for layer in spec.layers[:8]] == ["full", "shared", "shared", "shared"] * 2
    assert [layer.mixer.ago for layer in spec.layers[1:4]] == [1, 2, 3]
    assert {layer.kind for layer in read("hunyuan-large", use_cla=False).spec.layers} == {"full"}


# Counted only


@pytest.mark.parametrize("key", [key for key in ROWS if key.startswith(("gemma4", "deepseek-v4", "trm", "hrm"))])
def test_live_says_counted_only(key, call, write):
    result = call("live", write(ROWS[key]["config"]))
    refused(result)
    assert result[2] == f"error: {read(key).model_type} is counted only\n"
    with pytest.raises(CountedOnly):
        twin.shrink(read(key).spec)


ATTENTION, MAMBA = Attention(4, 2, 8, 8), Mamba2(4, 8, 16)
PARTS = [
    Unified(ATTENTION), Compressed(4, 8, 12, 2, 6, 5, 4, True, 2, 8, 3),
    Beside(Dense(32), MoE(4, 2, 8)), Hashed(MoE(4, 2, 8), 31),
]  # fmt: skip


@pytest.mark.parametrize("part", PARTS, ids=lambda part: type(part).__name__)
def test_a_part_without_a_module_says_so(part):
    with pytest.raises(CountedOnly, match="is counted only"):
        part.build(32)
    assert part.params(32) > 0 and part.buffers() >= 0 and hash(part) == hash(replace(part))


def test_two_mixers_side_by_side_cost_both():
    both = Parallel(ATTENTION, MAMBA)
    assert both.kind == "full+state" and both.cache(9) == ATTENTION.cache(9) and both.state(32) == MAMBA.state(32)
    assert both.params(32) == ATTENTION.params(32) + MAMBA.params(32)
    assert sum(both.flops(32, 1, 9).values()) == sum(sum(m.flops(32, 1, 9).values()) for m in (ATTENTION, MAMBA))


# Bad configs


REFUSALS = [
    ("mamba2-2.7b", {"num_heads": 79}, ["num_heads x head_dim (5,056) must equal expand x hidden_size (5,120)"]),
    ("mamba2-2.7b", {"n_groups": 3}, ["n_groups", "num_heads"]),
    ("mamba2-2.7b", {"conv_kernel": 1}, ["conv_kernel", "2 to 64"]),
    ("mamba2-2.7b", {"hidden_size": ...}, ["hidden_size", "absent"]),
    ("falcon-mamba-7b", {"time_step_rank": "big"}, ["time_step_rank", "big"]),
    ("falcon-mamba-7b", {"num_hidden_layers": 10**12}, ["num_hidden_layers", "4,096"]),
    ("jamba-v0.1", {"attn_layer_offset": 8}, ["attn_layer_offset must be smaller than attn_layer_period (8), not 8"]),
    ("jamba-v0.1", {"expert_layer_period": 0}, ["expert_layer_period"]),
    ("jamba-v0.1", {"num_experts_per_tok": 17}, ["num_experts_per_tok", "16"]),
    ("granite-4.0-h-tiny", {"layer_types": ["mamba"] * 39}, ["layer_types", "40"]),
    ("granite-4.0-h-tiny", {"layer_types": ["rnn"] * 40}, ["layer_types", "mamba", "attention", "rnn"]),
    ("granite-4.0-h-tiny", {"mamba_d_head": 65}, ["mamba_n_heads x mamba_d_head (3,120)", "(3,072)"]),
    ("granite-4.0-h-tiny", {"position_embedding_type": "alibi"}, ["position_embedding_type", "alibi"]),
    ("granite-4.0-h-tiny", {"logits_scaling": 0}, ["logits_scaling"]),
    ("nemotron-h-8b", {"hybrid_override_pattern": "MXM"}, ["hybrid_override_pattern", "M * - E"]),
    ("nemotron-h-8b", {"hybrid_override_pattern": "M-*"}, ["hybrid_override_pattern", "num_hidden_layers (52)", "3"]),
    ("nemotron-h-8b", {"hybrid_override_pattern": ...}, ["layers_block_type", "absent"]),
    ("nemotron-h-8b", {"mlp_hidden_act": "sine"}, ["mlp_hidden_act", "sine"]),
    ("nemotron-3-nano-30b-a3b", {"num_experts_per_tok": 129}, ["num_experts_per_tok", "128"]),
    ("falcon-h1-7b", {"mamba_n_heads": 25}, ["mamba_n_heads", "mamba_d_ssm (3072)"]),
    ("falcon-h1-7b", {"mlp_multipliers": [1.0]}, ["mlp_multipliers", "2 numbers"]),
    ("falcon-h1-7b", {"ssm_multipliers": [1, 1, 1, 1, "x"]}, ["ssm_multipliers", "x"]),
    ("lfm2-1.2b", {"full_attn_idxs": [2, 16]}, ["full_attn_idxs", "0 to 15"]),
    ("lfm2-1.2b", {"full_attn_idxs": 3}, ["full_attn_idxs"]),
    ("lfm2-1.2b", {"block_multiple_of": 0}, ["block_multiple_of"]),
    ("lfm2-8b-a1b", {"layer_types": ["conv", "attention"] * 12}, ["layer_types", "full_attention, conv"]),
    ("xlstm-7b", {"num_heads": 7}, ["num_heads", "qk_dim_factor x hidden_size"]),
    ("xlstm-7b", {"v_dim_factor": 0}, ["v_dim_factor x hidden_size must be at least 1"]),
    ("rwkv7-2.9b", {"head_size": 63}, ["head_size", "hidden_size"]),
    ("rwkv7-2.9b", {"num_attention_heads": 41}, ["num_attention_heads", "hidden_size"]),
    ("rwkv7-2.9b", {"intermediate_size": None, "hidden_ratio": None}, ["hidden_ratio"]),
    ("qwen3-next-80b-a3b", {"linear_num_key_heads": 15}, ["linear_num_key_heads", "linear_num_value_heads"]),
    ("qwen3-next-80b-a3b", {"layer_types": ["sliding_attention"] * 48}, ["layer_types", "linear_attention"]),
    ("qwen3-next-80b-a3b", {"full_attention_interval": 0}, ["full_attention_interval"]),
    ("qwen3.5-397b-a17b", {"text_config": 3}, ["text_config must be an object"]),
    ("kimi-linear-48b", {"mla_use_nope": False}, ["mla_use_nope must be true"]),
    ("kimi-linear-48b", {"linear_attn_config": {"full_attn_layers": [1], "kda_layers": [1]}}, ["each layer from 1 to 27 once"]),
    ("kimi-linear-48b", {"linear_attn_config": {"full_attn_layers": "all", "kda_layers": []}}, ["full_attn_layers", "list"]),
    ("kimi-linear-48b", {"moe_router_activation_func": "softmax"}, ["moe_router_activation_func", "sigmoid"]),
    ("minimax-m1", {"attn_type_list": [0, 2] * 40}, ["attn_type_list", "not 2"]),
    ("minimax-m1", {"attn_type_list": [True] * 80}, ["attn_type_list", "true"]),
    ("minimax-m1", {"postnorm": False}, ["postnorm must be true"]),
    ("deepseek-v3.2", {"q_lora_rank": None}, ["q_lora_rank", "null"]),
    ("deepseek-v3.2", {"index_head_dim": 32}, ["index_head_dim", "64"]),
    ("deepseek-v3.2", {"mlp_layer_types": ["dense", "thin"] * 40}, ["mlp_layer_types", "dense, sparse", "thin"]),
    ("glm-5", {"index_topk_pattern": "FX"}, ["index_topk_pattern", "78"]),
    ("glm-5", {"indexer_types": ["none"] * 78}, ["indexer_types", "full, shared"]),
    ("hunyuan-large", {"cla_share_factor": 0}, ["cla_share_factor"]),
    ("llada-8b", {"n_heads": 33}, ["n_heads", "d_model (4096)"]),
    ("llada-8b", {"d_model": ...}, ["d_model", "absent"]),
    ("gemma4-26b-a4b", {"text_config": {"hidden_size": 8, "num_hidden_layers": 2}}, ["hidden_size_per_layer_input must be 0"]),
    ("deepseek-v4-flash", {"compress_ratios": [0, 5] * 22}, ["compress_ratios", "0, 4, 128", "not 5"]),
    ("deepseek-v4-flash", {"num_key_value_heads": 2}, ["num_key_value_heads must be 1"]),
    ("deepseek-v4-flash", {"o_groups": 7}, ["o_groups", "num_attention_heads"]),
    ("deepseek-v4-flash", {"scoring_func": "hard"}, ["scoring_func", "sqrtsoftplus"]),
    ("trm-7m", {"mlp_t": True}, ["mlp_t must be false"]),
    ("trm-7m", {"pos_encodings": "learned"}, ["pos_encodings", "learned"]),
    ("trm-7m", {"num_heads": 7}, ["num_heads", "hidden_size (512)"]),
    ("trm-7m", {"L_layers": ...}, ["model_type", "absent"]),
]  # fmt: skip


@pytest.mark.parametrize("key, changes, words", REFUSALS, ids=[f"{key}-{next(iter(changes))}" for key, changes, _ in REFUSALS])
def test_a_bad_config_is_refused_in_a_sentence(key, changes, words):
    with pytest.raises(SpecError) as error:
        read(key, **changes)
    sentence = str(error.value)
    assert len(sentence) < 300 and len(sentence.splitlines()) == 1
    for word in words:
        assert word in sentence, sentence


@pytest.mark.parametrize(
    "key, changes, unknown",
    [
        ("nemotron-h-8b", {"moe_latent_size": 512}, "moe_latent_size"),
        ("nemotron-h-8b", {"time_step_limit": [0.0, 1.0]}, "time_step_limit"),
        ("xlstm-7b", {"add_out_norm": False}, "add_out_norm"),
        ("xlstm-7b", {"use_bias": True}, "use_bias"),
        ("rwkv7-2.9b", {"attn": {"layers": [1]}}, "attn"),
        ("rwkv7-2.9b", {"norm_bias": False}, "norm_bias"),
        ("llada-8b", {"alibi": True}, "alibi"),
        ("minimax-m1", {"shared_intermediate_size": 64}, "shared_intermediate_size"),
        ("hunyuan-large", {"moe_layer_num_skipped": 2}, "moe_layer_num_skipped"),
    ],
)
def test_what_is_not_built_is_listed(key, changes, unknown):
    assert unknown in read(key, **changes).unknown_fields


def test_infinity_may_stand_for_no_limit_and_nowhere_else():
    text = json.dumps(ROWS["nemotron-h-8b"]["config"])
    assert "Infinity" in text and parse(text)["time_step_limit"][1] == math.inf
    for wrong in ('{"time_step_limit": [-Infinity, 0]}', '{"time_step_limit": [NaN, 1]}', '{"time_step_max": Infinity}'):
        with pytest.raises(SpecError, match="finite"):
            parse(wrong)


WRONG = [
    lambda: GatedDelta(3, 4, 8, 8),
    lambda: GatedDelta(2, 4, 8, 8, kernel=1),
    lambda: KimiDelta(0, 8),
    lambda: Mamba1(64, 16, 4, norms="some"),
    lambda: Mamba2(6, 8, 16, groups=4),
    lambda: Mamba2(4, 8, 16, scales=(1.0,)),
    lambda: MLstm(2, 4, 0),
    lambda: Rwkv7(4, 8, 2, 2, 2, 2, first=1),
    lambda: ChannelMix(-1),
    lambda: GatedConv(1),
    lambda: Lightning(2, 8, block=0),
    lambda: Parallel(ATTENTION, MAMBA, reads=(1.0,)),
    lambda: Borrowed(MAMBA),
    lambda: Indexed(ATTENTION, 2, 8, 4, 16),
    lambda: Indexed(replace(MLA, q_rank=0), 2, 8, 4, 16),
    lambda: Recursion(cycles=0),
    lambda: Unified(replace(ATTENTION, v_dim=4)),
    lambda: Compressed(4, 8, 12, 3, 6, 5),
    lambda: Compressed(4, 8, 12, 2, 6, 5, 0, True, 2, 8, 3),
    lambda: Compressed(4, 8, 12, 2, 6, 5, 4, True),
    lambda: Beside(MoE(4, 2, 8), MoE(4, 2, 8)),
    lambda: Hashed(MoE(4, 2, 8, bias=True), 31),
    lambda: ModelSpec("many", 8, 8, (Layer(ATTENTION, None),), streams=0),
]


@pytest.mark.parametrize("make", WRONG, ids=range(len(WRONG)))
def test_a_part_that_cannot_be_is_refused(make):
    with pytest.raises(SpecError):
        make()


def outcome(text):
    """Whether a text was read and counted, or refused in one sentence."""
    try:
        r = reader.read(parse(text))
        counted = cost.count(r.spec, r.context, 1, r.weight_dtype, r.cache_dtype, r.state_dtype)
        assert counted.params_total > 0 and json.dumps([*r.assumed, *r.unknown_fields])
        return True
    except SpecError as error:
        assert 10 < len(str(error)) < 300 and len(str(error).splitlines()) == 1
        return False


@pytest.mark.parametrize("seed", range(5))
def test_a_hundred_mutations_each_give_a_result_or_one_sentence(seed):
    rng, outcomes, keys = random.Random(seed), [], list(ROWS)
    for _ in range(100):
        text = mutate(copy.deepcopy(config(rng.choice(keys))), rng) if rng.random() < 0.5 else twice(rng, keys)
        start = time.monotonic()
        outcomes.append(outcome(text))
        assert time.monotonic() - start < 1, text[:500]
    assert 10 < sum(outcomes) < 90  # or the mutations prove nothing


def twice(rng, keys):
    """A config with two things wrong, where the first leaves it readable."""
    text = mutate(copy.deepcopy(config(rng.choice(keys))), rng)
    try:
        return mutate(parse(text), rng)
    except SpecError:
        return text
