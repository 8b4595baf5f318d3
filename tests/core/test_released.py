"""Weights as a release stores them: python -m pytest tests/core/test_released.py"""

import math
from dataclasses import replace
from fractions import Fraction

import pytest
import torch

from core.count import cost
from core.count.dtypes import in_words
from core.model.mixers.compressed import Compressed
from core.real import catalogue, intake, released
from core.real.hf import deepseek_v4, deepseek_v32, reader
from core.real.quantisation.scheme import MXFP4, Block, Scheme

SMALL = {
    "model_type": "qwen3_moe", "hidden_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "head_dim": 64, "intermediate_size": 300, "moe_intermediate_size": 128, "num_experts": 4, "num_experts_per_tok": 2,
    "vocab_size": 100, "torch_dtype": "bfloat16",
}  # fmt: skip
FP8 = {"quant_method": "fp8", "weight_block_size": [128, 128]}
ATTENTION, EXPERTS = 256 * (256 + 128 + 128 + 256), 4 * 3 * 256 * 128  # numbers in a layer's matrices
BLOCKS = {"attention": 2 * 2 + 2 * 1 + 2 * 1 + 2 * 2, "experts": 4 * 3 * 2}  # of 128 x 128


def parts(**changes):
    found = released.weights(reader.read({**SMALL, **changes}))
    return {part.dtype: (part.numbers, part.stored, part.scales) for part in found.parts}


def test_one_dtype():
    found = released.weights(reader.read(SMALL))
    assert found.bytes == cost.count(reader.read(SMALL).spec, 1).weight_bytes and len(found.parts) == 1


def test_blocks_of_8_bit_floats():
    found = parts(quantization_config=FP8)
    assert found["fp8"] == (2 * (ATTENTION + EXPERTS), 2 * (ATTENTION + EXPERTS), 2 * 4 * sum(BLOCKS.values()))
    total = cost.count(reader.read(SMALL).spec, 1).params_total
    assert found["bfloat16"][0] == total - found["fp8"][0]
    assert parts(quantization_config={**FP8, "scale_fmt": "ue8m0"})["fp8"][2] == 2 * sum(BLOCKS.values())


@pytest.mark.parametrize(
    "names, numbers",
    [
        (["lm_head", "gate"], 2 * (ATTENTION + EXPERTS)),
        (["model.layers.0.self_attn"], ATTENTION + 2 * EXPERTS),
        (["model.layers.*.self_attn"], 2 * EXPERTS),
        (["self_attn"], 2 * EXPERTS),
        (["re:.*self_attn.*"], 2 * EXPERTS),
        (["model.layers.1"], ATTENTION + EXPERTS),
        (["layers.11", "elf_attn"], 2 * (ATTENTION + EXPERTS)),
    ],
)
def test_modules_that_are_not_converted(names, numbers):
    for field in ("modules_to_not_convert", "ignored_layers", "ignore"):
        assert parts(quantization_config={**FP8, field: names})["fp8"][0] == numbers


@pytest.mark.parametrize(
    "change",
    [
        {"modules_to_not_convert": ["re:(ab+)+$"]},
        {"modules_to_not_convert": [f"*{i}*" for i in range(9999)]},
        {"modules_to_not_convert": "lm_head"},
        {"modules_to_not_convert": [1]},
        {"weight_block_size": [0, 128]},
        {"weight_block_size": 128},
    ],
)
def test_a_layout_that_is_not_understood_is_not_guessed(change):
    r = intake.understood({**SMALL, "quantization_config": {**FP8, **change}}).reading
    assert (r.weight_dtype, released.weights(r)) == ("", None) and r.unclear


def test_groups_of_four_bits():
    found = parts(quantization_config={"quant_method": "gptq", "bits": 4, "group_size": 64})["int4"]
    tables = 4 * (256 * 3 + 256 + 4 * (2 * 256 + 128))  # the group that each column is in
    assert found[2] == (ATTENTION + EXPERTS) * 2 // 64 * Fraction(5, 2) + 2 * tables  # 16 bits of scale, 4 of zero point
    whole = parts(quantization_config={"quant_method": "awq", "bits": 4, "group_size": -1})["int4"]
    assert whole[2] == Fraction(5, 2) * 2 * (256 + 128 + 128 + 256 + 4 * (128 + 128 + 256))


def test_experts_in_bitsandbytes_are_not_guessed():
    stated = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    assert "experts" in reader.read({**SMALL, "quantization_config": stated}).unclear
    dense = {**catalogue.entries()["llama3-8b"].config, "quantization_config": stated}
    assert not reader.read(dense).unclear


def test_the_last_block_may_be_short():
    assert released.scaled((129, 256), Scheme("fp8", (Block(Fraction(4), 128, 128),))) == 4 * 2 * 2
    assert released.scaled((3, 100, 40), MXFP4) == 3 * 100 * 2


def test_gate_and_up_of_an_expert_are_blocked_apart():
    found = parts(quantization_config=FP8, moe_intermediate_size=100)["fp8"]
    assert found[2] == 2 * 4 * (BLOCKS["attention"] + 4 * (2 * 2 + 2))  # 100 rows fill one block, 200 in one piece would fill two
    found = parts(quantization_config=FP8, moe_intermediate_size=160)["fp8"]
    assert found[2] == 2 * 4 * (BLOCKS["attention"] + 4 * (2 * 2 * 2 + 2 * 2))  # 160 fill two, 320 would fill three


@pytest.mark.parametrize("key, size", [("gpt-oss-20b", "12.8"), ("gpt-oss-120b", "60.8")])
def test_the_files_of_gpt_oss_are_as_large_as_its_model_card_says(key, size):
    assert f"{released.weights(catalogue.entries()[key].reading).bytes / 2**30:.1f}" == size


QUANTISED = {
    "gpt-oss-20b": "mxfp4", "gpt-oss-120b": "mxfp4", "deepseek-v3": "fp8", "deepseek-r1": "fp8", "deepseek-v3.2": "fp8",
    "deepseek-v4-flash": "mxfp4", "kimi-k2": "fp8", "minimax-m2": "fp8", "mimo-v2-flash": "fp8",
}  # fmt: skip


@pytest.mark.parametrize("key", catalogue.entries())
def test_the_config_s_own_quantisation_is_the_default(key):
    r = catalogue.entries()[key].reading
    assert r.weight_dtype == QUANTISED.get(key, r.cache_dtype)


@pytest.mark.parametrize("key", catalogue.entries())
def test_every_learned_number_is_in_one_part(key):
    r = catalogue.entries()[key].reading
    found = released.weights(r)
    assert sum(part.numbers for part in found.parts) == cost.count(r.spec, 1).params_total
    assert found.note and (key in QUANTISED) == (len(found.parts) > 1)


@pytest.mark.parametrize("key", ["jamba-v0.1", "qwen3-next-80b-a3b", "xlstm-7b", "phi-4", "granite-4.0-h-tiny", "gpt2-small"])
def test_every_family_can_be_quantised(key):
    entry = catalogue.entries()[key]
    r = reader.read({**entry.config, "quantization_config": FP8}, key)
    found = {part.dtype: part for part in released.weights(r).parts}
    total = cost.count(r.spec, 1).params_total
    assert sum(part.numbers for part in found.values()) == total and 0.5 < found["fp8"].numbers / total < 1
    assert replace(r, quantisation=None) != r


# DeepSeek-V4: what only its files say

FLASH = catalogue.entries()["deepseek-v4-flash"]
FILES = 159_609_485_896  # bytes: total_size of model.safetensors.index.json of deepseek-ai/DeepSeek-V4-Flash


def test_the_files_of_deepseek_v4_are_counted_to_the_byte():
    """What the files hold beside the model is counted here by hand: a 44th layer and what leads into it, tables, biases."""
    d, whole = 4096, released.weights(reader.read({**FLASH.config, "num_hidden_layers": 44})).bytes
    lead = 2 * (d * d + (d // 128) ** 2) + 3 * d * 2 + 4 * (4 * 4 * d + 4 + 1)
    tables, biases = 3 * 129_280 * 6 * 8, 41 * 256 * 4
    assert whole + lead + tables + biases == FILES
    assert 0.97 < released.weights(FLASH.reading).bytes / FILES < 0.98


def test_deepseek_v4_in_parts():
    found = {part.dtype: (part.numbers, part.stored, part.scales) for part in released.weights(FLASH.reading).parts}
    experts = 43 * 256 * 3 * 4096 * 2048
    assert found["mxfp4"] == (experts, experts // 2, experts // 32)
    lead, entries = 4096 * 4096 // 4 + 32768 * 1024 + 4096 * 512 + 2 * 8192 * 4096, 21 * 8192 * 1024
    matrices = 43 * (lead + 3 * 4096 * 2048) + entries
    assert found["fp8"] == (matrices, matrices, matrices // 128**2)
    streams = 43 * 2 * (24 * 16384 + 24 + 3) + 4 * 16384 + 4 + 1
    assert found["float32"][0] == streams + 43 * 64 + 20 * 128 * 512 + 21 * 4 * (1024 + 256)
    assert set(found) == {"mxfp4", "fp8", "bfloat16", "float32"} and found["bfloat16"][2] == 0


def test_tensors_of_compressed_attention_are_those_of_transformers():
    """Names and shapes of every learned tensor, and which of them are kept wider."""
    from transformers import DeepseekV4Config, DeepseekV4ForCausalLM

    told = {name: value for name, value in FLASH.config.items() if name not in ("quantization_config", "model_type")}
    told |= {"num_hidden_layers": 5, "compress_ratios": told["compress_ratios"][:5]}
    with torch.device("meta"):
        model = DeepseekV4ForCausalLM(DeepseekV4Config(**told))
    theirs = {name.removeprefix("model."): tuple(p.shape) for name, p in model.named_parameters()}
    spec = reader.read({**told, "model_type": "deepseek_v4"}).spec
    for i, layer in enumerate(spec.layers):
        ours = dict(released.inside(layer, spec.d_model, spec.norm, spec.streams))
        lead = f"layers.{i}."
        assert ours == {name.removeprefix(lead): shape for name, shape in theirs.items() if name.startswith(lead)}
        assert {name.removeprefix("self_attn."): s for name, s in ours.items() if "self_attn" in name} == layer.mixer.shapes(4096)
    left = [name.removeprefix("self_attn.") for name in model._keep_in_fp32_modules]
    assert set(deepseek_v4.FAMILY.unconverted) == {
        name.removeprefix("compressor.") if "indexer" in name else name for name in left
    }
    assert set(deepseek_v4.FAMILY.single) < {*model._keep_in_fp32_modules_strict}


def test_what_weighs_the_heads_of_the_scorer_is_not_converted_in_deepseek_v32():
    from transformers import DeepseekV32ForCausalLM

    assert list(deepseek_v32.FAMILY.unconverted) == DeepseekV32ForCausalLM._keep_in_fp32_modules
    r = catalogue.entries()["deepseek-v3.2"].reading
    found = {part.dtype: part.numbers for part in released.weights(r).parts}
    v3 = {part.dtype: part.numbers for part in released.weights(catalogue.entries()["deepseek-v3"].reading).parts}
    d, heads, width = 7168, 64, 128
    assert found["fp8"] - v3["fp8"] == 61 * (1536 * heads * width + d * width)
    assert found["bfloat16"] - v3["bfloat16"] == 61 * (d * heads + 2 * width)


@pytest.mark.parametrize("ratio, overlap", [(0, False), (8, False), (4, True)])
def test_listed_tensors_are_all_that_is_learned(ratio, overlap):
    scorer = {"index_heads": 3, "index_width": 5, "top_k": 2} if overlap else {}
    mixer = Compressed(4, 16, 12, 2, 10, 7, ratio, overlap, **scorer)
    assert sum(math.prod(shape) for shape in mixer.shapes(24).values()) == mixer.params(24)


def test_deepseek_v4_as_its_config_says():
    plain = {name: value for name, value in FLASH.config.items() if name != "expert_dtype"}
    r = reader.read(plain)
    assert r.weight_dtype == "fp8" and [part.dtype for part in released.weights(r).parts] == ["fp8", "bfloat16", "float32"]
    wide = released.weights(reader.read({name: v for name, v in plain.items() if name != "quantization_config"}))
    assert wide.bytes == 2 * 284_332_230_231
    unread = {**FLASH.config["quantization_config"], "modules_to_not_convert": ["re:(ab+)+$"]}
    assert "list of modules" in reader.read({**FLASH.config, "quantization_config": unread}).unclear


def test_overheads_in_words():
    assert in_words("mxfp4") == "4 bits a number and 0.25 for its share of a block's scale, 4.25 in all"
    assert in_words("int4").endswith("4.125 in all") and "no block scales" in in_words("bfloat16")
