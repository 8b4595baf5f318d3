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
from core.mixers.attention import Attention
from core.model import build
from core.spec import Layer, ModelSpec
from core.twin import shrink

ROWS = json.loads((Path(__file__).parents[1] / "data" / "truth.json").read_text())
TRUTH = {row["key"]: row["truth"] for row in ROWS}
FAMILIES = ("gpt2", "llama", "mistral", "qwen2", "qwen3", "phi3", "smollm3", "olmo2")
ENTRIES = {key: row for key, row in catalogue.entries().items() if row.config["model_type"] in FAMILIES}


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

    config = AutoConfig.for_model(**copy.deepcopy(ENTRIES[key].config))
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    assert count(key).params_total == sum(p.numel() for p in model.parameters())


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
    ],
)
def test_llms_from_scratch_parameters(key, tied, total):
    spec = replace(ENTRIES[key].reading.spec, tied=tied)
    assert cost.count(spec, 1).params_total == total


def test_nanogpt_sizing():
    """No biases there: an RMSNorm has as many numbers as a LayerNorm without one. Position rows are counted."""
    layer = Layer(Attention(12, 12, 64, 64), Dense(4 * 768, "gelu", gated=False))
    spec = ModelSpec("nanogpt", 768, 50257, (layer,) * 12, Norm("rms"), tied=True, learned_positions=1024)
    counted = cost.count(spec, 1024)
    assert counted.params_total == 124_337_664
    assert counted.layers[0].params == 7_079_424
    assert counted.prefill_flops == 291_648_307_200


@pytest.mark.parametrize("key, kilobytes", [("qwen2.5-72b", 327.680), ("llama3.1-405b", 516.096)])
def test_cache_per_token_in_the_deepseek_v3_insights_paper(key, kilobytes):
    assert count(key, 1).cache_bytes == round(kilobytes * 1000)


@pytest.mark.parametrize(
    "key, kibibytes", [("gpt2-xl", 300), ("llama3-8b", 128), ("llama3.2-1b", 32), ("phi-4", 200), ("qwen3-0.6b", 112)]
)
def test_cache_per_token_in_the_gallery(key, kibibytes):
    assert count(key, 1).cache_bytes == kibibytes * 1024


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
