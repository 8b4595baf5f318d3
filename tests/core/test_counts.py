"""Counts against true counts, printed figures and torch's own counter: python -m pytest tests/core/test_counts.py"""

import copy
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from core import catalogue, cost
from core.blocks import Full, Norm, Window
from core.ffn.dense import Dense
from core.ffn.moe import MoE
from core.hf import reader
from core.mixers.attention import Attention
from core.mixers.latent import Latent
from core.model import build
from core.spec import Layer, ModelSpec
from core.twin import shrink
from tests.core.test_hf_parity import CODE, CONSTANT

ROWS = json.loads((Path(__file__).parents[1] / "data" / "truth.json").read_text())
TRUTH = {row["key"]: row["truth"] for row in ROWS}
FAMILIES = (
    "gpt2", "llama", "mistral", "qwen2", "qwen3", "phi3", "smollm3", "olmo2", "mixtral", "qwen3_moe", "glm4_moe",
    "minimax_m2", "hunyuan_v1_moe", "deepseek_v2", "deepseek_v3", "kimi_k2",
    "gemma2", "gemma3", "gemma3_text", "olmo3", "cwm", "gpt_oss", "llama4", "mimo_v2_flash",
)  # fmt: skip
ENTRIES = {key: row for key, row in catalogue.entries().items() if row.config.get("model_type") in FAMILIES}


def count(key, context=4096, **options):
    return cost.count(ENTRIES[key].reading.spec, context, **options)


# True counts


@pytest.mark.parametrize("key", TRUTH)
def test_true_counts_are_reproduced(key):
    true = TRUTH[key]
    assert ENTRIES[key].reading.spec.tied == true["tied_embeddings"]
    for context, elements in true["cache_elements"].items():
        counted = count(key, int(context))
        assert counted.cache_elements == elements
        assert counted.state_elements == true["state_elements"]
        assert counted.layers_by_kind == true["layers"]
    assert counted.buffers == true["router_bias_and_other_buffers"]
    fields = ("params_total", "params_active", "params_active_without_input_embedding", "params_active_without_embeddings")
    assert {f: getattr(counted, f) for f in fields} == {f: true[f] for f in fields}


def test_the_config_is_the_one_that_the_truth_was_taken_from():
    assert {row["key"]: row["config_source"] for row in ROWS} == {key: ENTRIES[key].config_source for key in TRUTH}


@pytest.mark.parametrize("key", sorted(set(ENTRIES) - set(TRUTH)))
def test_other_rows_against_transformers_without_memory(key):
    from transformers import AutoConfig, AutoModelForCausalLM

    own = copy.deepcopy(ENTRIES[key].config.get("text_config", ENTRIES[key].config))
    config = AutoConfig.for_model(**{**own, "model_type": CODE.get(own["model_type"], own["model_type"])})
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    assert count(key).params_total == sum(p.numel() for p in model.parameters())
    assert count(key).buffers == sum(b.numel() for name, b in model.named_buffers() if not name.endswith(CONSTANT))


@pytest.mark.parametrize("key", ENTRIES)
def test_every_row_is_understood(key):
    assert ENTRIES[key].reading.unknown_fields == ()


@pytest.mark.parametrize("context", [1, 4095, 4096, 4097, 32768])
def test_a_window_counts_the_token_itself(context):
    counted = count("mistral-7b-v0.1", context)
    assert counted.cache_elements == 32 * min(context, 4096) * 8 * (128 + 128)
    assert counted.layers_by_kind == {"sliding": 32}


# Figures that others printed


def stack(heads, kv_heads, width, layers, d_model, windows=()):
    """Attention layers with next to no feed-forward; the i-th reads windows[i] tokens where it is given."""
    reaches = [Window(w) for w in windows] + [Full()] * (layers - len(windows))
    made = tuple(Layer(Attention(heads, kv_heads, width, width, reach=r), Dense(1)) for r in reaches)
    return ModelSpec("stack", d_model, 2, made)


def gigabytes(spec, context):
    return f"{cost.count(spec, context).cache_bytes / 1e9:.2f}"


def test_llms_from_scratch_gqa():
    mha, gqa = stack(32, 32, 128, 32, 4096), stack(32, 8, 128, 32, 4096)
    assert (gigabytes(mha, 32768), gigabytes(gqa, 32768)) == ("17.18", "4.29")
    assert cost.count(mha, 32768).cache_bytes == 4 * cost.count(gqa, 32768).cache_bytes


def test_llms_from_scratch_sliding_window():
    windows = [1024] * 27
    assert gigabytes(stack(32, 32, 128, 32, 4096, windows), 32768) == "3.14"
    assert gigabytes(stack(32, 8, 128, 32, 4096, windows), 32768) == "0.78"


@pytest.mark.parametrize(
    "key, tied, total",
    [
        ("llama2-7b", False, 6_738_415_616),
        ("llama3-8b", False, 8_030_261_248),
        ("llama3.2-1b", True, 1_235_814_400),
        ("llama3.2-1b", False, 1_498_482_688),
        ("qwen3-0.6b", True, 596_049_920),
        ("qwen3-0.6b", False, 751_632_384),
        ("qwen3-30b-a3b", False, 30_532_122_624),
    ],
)
def test_llms_from_scratch_parameters(key, tied, total):
    spec = replace(ENTRIES[key].reading.spec, tied=tied)
    assert cost.count(spec, 1).params_total == total


@pytest.mark.parametrize("tied, total", [(True, 268_098_176), (False, 435_870_336)])
def test_llms_from_scratch_gemma_3_270m(tied, total):
    """Its sizes in the words of the config."""
    config = {
        "model_type": "gemma3_text", "vocab_size": 262144, "hidden_size": 640, "num_hidden_layers": 18, "num_attention_heads": 4,
        "num_key_value_heads": 1, "head_dim": 256, "intermediate_size": 2048, "tie_word_embeddings": tied,
    }  # fmt: skip
    assert cost.count(reader.read(config).spec, 1).params_total == total


def test_nanogpt_sizing():
    """No biases there: an RMSNorm has as many numbers as a LayerNorm without one. Position rows are counted."""
    layer = Layer(Attention(12, 12, 64, 64), Dense(4 * 768, "gelu", gated=False))
    spec = ModelSpec("nanogpt", 768, 50257, (layer,) * 12, Norm("rms"), tied=True, learned_positions=1024)
    counted = cost.count(spec, 1024)
    assert counted.params_total == 124_337_664
    assert counted.layers[0].params == 7_079_424
    assert counted.prefill_flops == 291_648_307_200


@pytest.mark.parametrize("key, kilobytes", [("deepseek-v3", 70.272), ("qwen2.5-72b", 327.680), ("llama3.1-405b", 516.096)])
def test_cache_per_token_in_the_deepseek_v3_insights_paper(key, kilobytes):
    assert count(key, 1).cache_bytes == round(kilobytes * 1000)


@pytest.mark.parametrize(
    "key, kibibytes",
    [
        ("gpt2-xl", 300),
        ("llama3-8b", 128),
        ("llama3.2-1b", 32),
        ("phi-4", 200),
        ("qwen3-0.6b", 112),
        ("qwen3-30b-a3b", 96),
        ("qwen3-235b-a22b", 188),
        ("glm-4.5", 368),
        ("minimax-m2", 248),
        ("deepseek-v3", 68.6),
        ("kimi-k2", 68.6),
        ("olmo3-7b", 512),
        ("llama4-maverick", 192),
        ("gpt-oss-20b", 48),
        ("gpt-oss-120b", 72),
        ("gemma3-27b", 496),
    ],
)
def test_cache_per_token_in_the_gallery(key, kibibytes):
    assert float(f"{count(key, 1).cache_bytes / 1024:.1f}") == kibibytes


def test_llms_from_scratch_latent_attention():
    """Its heads are 86 wide, and it caches no rotated key."""
    mixer = Latent(24, kv_rank=1024, nope_dim=86, rope_dim=0, v_dim=86)
    latent = ModelSpec("latent", 2048, 2, (Layer(mixer, Dense(1)),) * 48)
    mha, gqa = stack(24, 24, 86, 48, 2048), stack(24, 6, 86, 48, 2048)
    assert [gigabytes(spec, 8192) for spec in (mha, gqa, latent)] == ["3.25", "0.81", "0.81"]
    ratio = cost.count(latent, 8192).cache_bytes / cost.count(mha, 8192).cache_bytes
    assert (f"{1 / ratio:.2f}", f"{100 * (1 - ratio):.2f}") == ("4.03", "75.19")


def test_llms_from_scratch_mixture_of_experts():
    """Eight experts that are together as large as the dense layer; two of them run."""
    d, dense, moe = 7168, Dense(14336), MoE(8, 2, 1792)
    assert dense.params(d) == 308_281_344
    assert (moe.expert(d), moe.always(d)) == (38_535_168, 57_344)
    assert (moe.params(d), moe.active(d)) == (308_338_688, 77_127_680)


def test_cache_per_token_in_the_deepseek_v2_paper():
    assert count("deepseek-v2", 1).cache_elements == 60 * (512 + 64) == 34_560


def test_published_totals_of_models_with_a_router_bias_count_it_too():
    counted = count("deepseek-v3")
    assert (counted.params_total, counted.buffers) == (671_026_404_352, 58 * 256)


@pytest.mark.parametrize(
    "key, field, billions",
    [
        ("mixtral-8x7b", "params_active", "12.9"),
        ("qwen3-235b-a22b", "params_active", "22"),
        ("deepseek-v2", "params_active", "21"),
        ("glm-4.5", "params_active_without_embeddings", "32"),
        ("glm-4.5-air", "params_active_without_embeddings", "12"),
        ("gpt-oss-20b", "params_active_without_input_embedding", "3.6"),
        ("gpt-oss-120b", "params_active_without_input_embedding", "5.1"),
        ("llama4-maverick", "params_active", "17"),
        ("llama4-scout", "params_active", "17"),
        ("mimo-v2-flash", "params_active", "15"),
    ],
)
def test_active_parameters_by_each_maker_s_convention(key, field, billions):
    digits = len(billions.partition(".")[2])
    assert f"{getattr(count(key), field) / 1e9:.{digits}f}" == billions


def test_cache_figures_of_two_analyzers():
    assert count("llama2-7b", 512 + 32).cache_bytes == 285_212_672
    assert count("llama2-7b", 2048).cache_bytes == 1_073_741_824
    assert cost.count(stack(40, 40, 128, 40, 5120), 2048, batch=16).cache_bytes == 26_843_545_600


def test_a_published_figure_that_is_wrong():
    """A blog on Llama 3.1 printed 123.05 GB for 405B at 128k. That is GiB with 16 KV heads; the model has 8, so half."""
    true = count("llama3.1-405b", 128_000).cache_bytes
    assert f"{true / 2**30:.2f}" == "61.52"
    assert f"{2 * true / 2**30:.2f}" == "123.05"


# Bytes


def test_bytes_are_elements_times_dtype():
    c = count("qwen3-0.6b", 100, batch=3, weight_dtype="int4", cache_dtype="fp8")
    assert c.cache_elements == 3 * count("qwen3-0.6b", 100).cache_elements == c.cache_bytes
    assert c.weight_bytes == 596_049_920 // 2 + 596_049_920 // 128 * 2
    assert count("qwen3-0.6b", 1, weight_dtype="mxfp4").weight_bytes == 596_049_920 // 2 + 596_049_920 // 32
    assert count("qwen3-0.6b", 1, weight_dtype="float32").weight_bytes == 4 * 596_049_920


# Arithmetic


def operations(spec, n):
    """What torch counts in one decode step after n - 1 tokens."""
    model, text = build(spec).requires_grad_(False), torch.zeros(1, n, dtype=torch.long)
    state = model(text[:, :-1])[1]
    with FlopCounterMode(display=False) as counter:
        model(text[:, -1:], state)
    return counter.get_total_flops()


@pytest.mark.parametrize("key", ENTRIES)
@pytest.mark.parametrize("n", [2, 6, 7, 23])
def test_flops_of_a_decode_step_are_what_torch_counts(key, n):
    spec = shrink(ENTRIES[key].reading.spec)[0]
    assert cost.count(spec, n).flops_per_token == operations(spec, n)


@pytest.mark.parametrize(
    "change", [{"gate": True}, {"sinks": True}, {"v_dim": 5}, {"softcap": 3.0}, {"qkv_bias": True}, {"qk_norm": "full"}]
)
@pytest.mark.parametrize("reach", [Full(), Window(6)])
def test_flops_with_every_setting_of_attention(change, reach):
    mixer = replace(Attention(4, 2, 8, 8, reach=reach), **change)
    spec = ModelSpec("one", 24, 31, (Layer(mixer, Dense(40)),))
    assert cost.count(spec, 23).flops_per_token == operations(spec, 23)


def test_a_prompt_subtracts_windows_but_not_the_causal_half():
    full, window = stack(4, 2, 8, 1, 32), stack(4, 2, 8, 1, 32, [6])
    difference = cost.count(full, 100).prefill_flops - cost.count(window, 100).prefill_flops
    assert difference == 2 * 100 * 4 * (8 + 8) * (100 - 6)
    assert cost.count(full, 100).prefill_flops == 100 * cost.count(full, 100).flops_per_token
