"""Weights as a release stores them: python -m pytest tests/core/test_released.py"""

from dataclasses import replace
from fractions import Fraction

import pytest

from core import catalogue, cost, released
from core.dtypes import in_words
from core.hf import reader
from core.hf.quantisation import Scheme

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
        {"modules_to_not_convert": ["re:(a+)+$"]},
        {"modules_to_not_convert": ["*a*"] * 3 + [f"*{i}*" for i in range(99)]},
        {"modules_to_not_convert": "lm_head"},
        {"modules_to_not_convert": [1]},
        {"weight_block_size": [0, 128]},
        {"weight_block_size": 128},
    ],
)
def test_a_layout_that_is_not_understood_is_not_guessed(change):
    r = reader.read({**SMALL, "quantization_config": {**FP8, **change}})
    assert r.weight_dtype == "fp8" and released.weights(r) is None


def test_groups_of_four_bits():
    found = parts(quantization_config={"quant_method": "gptq", "bits": 4, "group_size": 64})["int4"]
    assert found[2] == (ATTENTION + EXPERTS) * 2 // 64 * Fraction(5, 2)  # a 16-bit scale and a 4-bit zero point
    whole = parts(quantization_config={"quant_method": "awq", "bits": 4, "group_size": -1})["int4"]
    assert whole[2] == Fraction(5, 2) * 2 * (256 + 128 + 128 + 256 + 4 * (128 + 128 + 256))
    assert (
        released.weights(reader.read({**SMALL, "quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}))
        is None
    )


def test_the_last_block_may_be_short():
    assert released.scaled((129, 256), Scheme("fp8", 128, 128)) == 4 * 2 * 2
    assert released.scaled((3, 100, 40), Scheme("mxfp4", 1, 32, Fraction(1))) == 3 * 100 * 2


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
    "deepseek-v4-flash": "fp8", "kimi-k2": "fp8", "minimax-m2": "fp8", "mimo-v2-flash": "fp8",
}  # fmt: skip


@pytest.mark.parametrize("key", catalogue.entries())
def test_the_config_s_own_quantisation_is_the_default(key):
    r = catalogue.entries()[key].reading
    assert r.weight_dtype == QUANTISED.get(key, r.cache_dtype)


@pytest.mark.parametrize("key", catalogue.entries())
def test_every_learned_number_is_in_one_part(key):
    r = catalogue.entries()[key].reading
    found = released.weights(r)
    if key == "deepseek-v4-flash":  # its attention has no module to look into
        assert found is None and r.quantisation.experts.dtype == "mxfp4"
        return
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


def test_overheads_in_words():
    assert in_words("mxfp4") == "4 bits a number and 0.25 for its share of a block's scale, 4.25 in all"
    assert in_words("int4").endswith("4.125 in all") and "no block scales" in in_words("bfloat16")
