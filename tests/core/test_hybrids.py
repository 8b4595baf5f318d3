"""Hybrids and their kin, counted from their configs and against the reference: python -m pytest tests/core/test_hybrids.py"""

import copy
import json
from dataclasses import replace

import pytest
import torch

from core.count import cost
from core.real.hf import reader
from tests.core.hybrids import ROWS, SOURCES, THEIRS, TRUTH, config, count, read

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


def test_the_config_is_the_one_that_the_truth_was_taken_from():
    assert {key: row["config_source"] for key, row in ROWS.items()} == SOURCES


def renewed(key):
    """A row's config in the words of the reference's class."""
    told = config(key)
    told = {**told["text_config"], "tie_word_embeddings": told["tie_word_embeddings"]} if "text_config" in told else told
    if told["model_type"] == "minimax_m1":
        told["layer_types"] = [("linear_attention", "full_attention")[t] for t in told.pop("attn_type_list")]
    return {name: value for name, value in told.items() if name not in ("model_type", "quantization_config")}


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
    stored = {name: value for name, value in config(key).items() if name == "quantization_config"}
    new, old = reader.read({**json.loads(json.dumps(theirs.to_dict())), **stored}, key), read(key)
    assert new.unknown_fields == old.unknown_fields
    for context in (1, 5000):
        a, b = cost.count(new.spec, context), cost.count(old.spec, context)
        assert replace(a, layers=()) == replace(b, layers=())


@pytest.mark.parametrize("key", ROWS)
def test_every_field_is_understood(key):
    assert read(key).unknown_fields == ()


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
