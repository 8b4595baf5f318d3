"""Counts against true counts, printed figures and torch's own counter: python -m pytest tests/core/test_counts.py"""

import copy
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from core.count import cost
from core.model.blocks import Full, Window
from core.model.ffn.dense import Dense
from core.model.mixers.attention import Attention
from core.model.model import build
from core.model.spec import Layer, ModelSpec
from core.real import catalogue
from core.real.hf import families, reader
from core.shape.twin import shrink
from tests.core import hybrids
from tests.core.test_hf_parity import CODE, CONSTANT

ROWS = json.loads((Path(__file__).parents[1] / "data" / "truth.json").read_text())
TRUTH = {row["key"]: row["truth"] for row in ROWS}
ENTRIES = {key: row for key, row in catalogue.entries().items() if key not in hybrids.ROWS}


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


def test_a_row_says_whether_its_counts_were_checked_against_the_reference():
    """Rows without true counts are compared with the reference without memory, just below and in test_hybrids."""
    rows = catalogue.entries()
    assert {key for key, row in rows.items() if row.checked == "reference"} == {*TRUTH, *hybrids.TRUTH}
    rest = {key for key, row in rows.items() if row.checked == "computed here"}
    assert len(rest) == len(rows) - len(TRUTH) - len(hybrids.TRUTH) and rest <= {*ENTRIES, *hybrids.THEIRS}


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


# Figures that makers state; others stand in test_oracles.py


def stack(heads, kv_heads, width, layers, d_model, windows=()):
    """Attention layers with next to no feed-forward; the i-th reads windows[i] tokens where it is given."""
    reaches = [Window(w) for w in windows] + [Full()] * (layers - len(windows))
    made = tuple(Layer(Attention(heads, kv_heads, width, width, reach=r), Dense(1)) for r in reaches)
    return ModelSpec("stack", d_model, 2, made)


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


def test_an_unknown_wrapper_says_that_its_family_is_assumed():
    inner = catalogue.entries()["llama3-8b"].config
    wrapped = reader.read({"model_type": "mygreatvlm", "text_config": {**inner, "model_type": "llama"}})
    assert wrapped.model_type == "llama" and "model_type" in wrapped.assumed
    assert "model_type" not in reader.read(catalogue.entries()["gemma3-27b"].config).assumed


def test_every_file_of_a_family_is_listed_and_no_two_families_share_a_name():
    folder = Path(families.__file__).parent
    files = {path.stem for path in folder.glob("*.py") if "\nFAMILY = " in path.read_text()}
    assert {file.__name__.rpartition(".")[2] for file in families.FILES} == files
    names = [name for file in families.FILES for name in file.FAMILY.names]
    assert len(set(names)) == len(names) == len(families.FAMILIES)
