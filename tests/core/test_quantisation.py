"""How releases store their weights, as configs state it: python -m pytest tests/core/test_quantisation.py"""

import ast
import doctest
import importlib
import json
import re
import time

import pytest

from core.count import cost
from core.count.dtypes import in_words, named, per_number, stored
from core.errors import SpecError
from core.real import catalogue, intake, released
from core.real.quantisation.methods import READERS, example, read
from core.real.quantisation.names import Unread, names
from tests.core.test_cases import CASES

LLAMA = catalogue.entries()["llama3-8b"].config
LINEAR = 6_979_588_096 - 65 * 4096  # numbers in the matrices of its layers
TABLE = 128_256 * 4096


def reading(stated, config=LLAMA, name=""):
    return intake.understood({**config, "quantization_config": stated}, name).reading


def size(stated, config=LLAMA):
    return released.weights(reading(stated, config)).bytes


# Every method


@pytest.mark.parametrize("module", ["compressed", "floats", "groups", "modelopt", "others"])
def test_every_method_s_worked_example_is_what_is_counted(module):
    found = importlib.import_module(f"core.real.quantisation.{module}")
    ran = doctest.testmod(found, extraglobs={"example": example})
    assert ran.attempted >= 3 and not ran.failed


def test_every_reader_has_an_example():
    assert all(">>> example(" in reader.__doc__ for reader in READERS.values())


@pytest.mark.parametrize(
    "stated, published",
    [
        ({"quant_method": "awq", "bits": 4, "group_size": 128}, 5.73),  # AWQ of Llama 3 8B: 5.73 GB on its page
        ({"bits": 4, "group_size": 64}, 4.52),  # mlx-community's: 4.52 GB
        ({"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": True}, 5.74),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_use_double_quant": True}, 5.70),  # unsloth's: 5.70 GB
        ({"quant_method": "fbgemm_fp8", "modules_to_not_convert": ["lm_head"]}, 9.08),
    ],
)
def test_files_of_llama_3_8b_are_as_large_as_their_pages_say(stated, published):
    assert size(stated) / 1e9 == pytest.approx(published, abs=0.012)


def test_what_is_converted_is_what_the_method_converts():
    """Of Llama 3 8B: the layers' matrices; the output matrix in compressed-tensors unless it is left out; all tables in MLX."""
    wide = 2 * (2 * TABLE + 65 * 4096)
    group = {"targets": ["Linear"], "weights": {"num_bits": 8, "type": "float", "strategy": "tensor"}}
    stated = {"quant_method": "compressed-tensors", "format": "float-quantized", "config_groups": {"g": group}}
    assert size({**stated, "ignore": ["lm_head"]}) == LINEAR + 7 * 32 * 2 + wide
    assert size(stated) == LINEAR + TABLE + (7 * 32 + 1) * 2 + wide - 2 * TABLE
    assert size({"bits": 8, "group_size": 32}) == (LINEAR + 2 * TABLE) * 9 // 8 + 2 * 65 * 4096
    assert size({"quant_algo": "FP8", "quant_method": "modelopt"}) == LINEAR + 7 * 32 * 8 + wide


def test_groups_have_targets_of_their_own_and_ignore_goes_before_them():
    four = {"weights": {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 128}, "targets": ["re:.*mlp.*"]}
    eight = {"weights": {"num_bits": 8, "type": "float", "strategy": "channel"}, "targets": ["re:.*self_attn.*"]}
    stated = {"quant_method": "compressed-tensors", "format": "mixed-precision", "config_groups": {"a": four, "b": eight}}
    found = {part.dtype: part.numbers for part in released.weights(reading(stated)).parts}
    mlp = 32 * 3 * 4096 * 14_336
    assert (found["int4"], found["fp8"]) == (mlp, LINEAR - mlp)
    stated["ignore"] = ["re:model\\.layers\\.([0-9]|1[0-5])\\.mlp\\..*"]
    found = {part.dtype: part.numbers for part in released.weights(reading(stated)).parts}
    assert found["int4"] == mlp // 2


def test_modules_with_bits_of_their_own():
    """MLX's objects by name, AutoRound's extra_config, GPTQModel's dynamic."""
    down = 4096 * 14_336
    mixed = {"bits": 4, "group_size": 64, "model.layers.0.mlp.down_proj": {"bits": 8, "group_size": 64}}
    assert size(mixed) - size({"bits": 4, "group_size": 64}) == down // 2
    plain = {"bits": 4, "group_size": 64}
    assert size({**plain, "lm_head": {"bits": 6, "group_size": 64}}) - size(plain) == TABLE // 4
    rounded = {"quant_method": "auto-round", "bits": 4, "group_size": 128}
    left = {**rounded, "extra_config": {"model.layers.0.mlp.down_proj": {"bits": 16}}}
    assert size(left) - size(rounded) == 2 * down - down * (4 + 20 / 128) / 8
    gptq = {"quant_method": "gptq", "bits": 4, "group_size": 128}
    skipped = {**gptq, "dynamic": {r"-:model\.layers\.0\.mlp\.down_proj": {}}}
    assert size(skipped) > size({**gptq, "dynamic": {r"+:model\.layers\.0\.mlp\.down_proj": {"bits": 8}}}) > size(gptq)


@pytest.mark.parametrize("case", [case for case in CASES if "nvfp4" in case["id"] and "quantization_config" in case["config"]])
def test_names_of_files_are_found_in_the_model(case):
    """Releases in 4-bit floats: about 4.5 bits of whatever their lists do not leave out, the lists in the words of the files."""
    taken = intake.understood(case["config"], "x")
    found = released.weights(taken.reading)
    narrow = next(part for part in found.parts if part.dtype == "nvfp4")
    assert 8 * (narrow.stored + narrow.scales) / narrow.numbers == pytest.approx(4.5, abs=0.001)
    assert 4.5 < 8 * found.bytes / cost.count(taken.reading.spec, 1).params_total < 6.1


# What is not understood


UNKNOWN = [
    {"quant_method": "quark", "export": {"kv_cache_group": []}},
    {"quant_method": "brand-new", "bits": 4},
    {"quant_method": "gptq", "bits": 7},
    {"quant_method": "gptq", "bits": 4, "checkpoint_format": "marlin"},
    {"quant_method": "modelopt", "quant_algo": "NVFP5"},
    {
        "quant_method": "compressed-tensors",
        "config_groups": {"g": {"weights": {"num_bits": 4, "type": "float", "group_size": 8}}},
    },
    {"quant_method": "compressed-tensors"},
    {"quant_method": "hqq", "quant_config": {"weight_quant_params": {"nbits": 4}, "scale_quant_params": {"nbits": 8}}},
    {"quant_method": "torchao", "quant_type": "uintx_weight_only"},
    {"quant_method": ["gptq"], "bits": 4},
    {"odd": 1},
    {"quant_method": "fp8", "weight_block_size": [128, 128], "ignored_layers": "lm_head"},
    {"quant_method": "awq", "bits": 4, "group_size": True},
    {"bits": 4, "group_size": 64, "mode": "new"},
]


@pytest.mark.parametrize("stated", UNKNOWN, ids=str)
def test_what_is_not_understood_is_said_and_not_taken_for_bfloat16(stated, call, tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**LLAMA, "quantization_config": stated}))
    status, out, _ = call("inspect", str(path), "--json")
    row = json.loads(out)
    assert status == 0 and row["params_total"] == 8_030_261_248
    assert row["weight_dtype"] is row["weight_bytes"] is row["weight_bytes_as_released"] is None
    assert "not understood" in row["weight_note"] and "bits a weight" in row["weight_note"]
    row = json.loads(call("inspect", str(path), "--json", "--weight-dtype", "4.5")[1])
    assert (row["weight_dtype"], row["weight_bytes"]) == ("4.5 bits", 8_030_261_248 * 9 // 16)
    assert row["weight_bytes_as_released"] is None


def test_a_name_that_speaks_of_fewer_bits_is_not_passed_over():
    for name in ("Llama-3.1-8B-Instruct-FP8.json", "llama-3-8b-4bit.json"):
        r = intake.take(json.dumps(LLAMA), name).reading
        assert not r.weight_dtype and "hf_quant_config.json" in r.unclear and released.weights(r) is None
    assert not intake.take(json.dumps(LLAMA), "Llama-3.1-8B.json").reading.unclear


def test_a_cache_alone_in_fewer_bits_leaves_the_weights():
    r = reading({"quant_method": "modelopt", "quant_algo": None, "kv_cache_quant_algo": "FP8"})
    assert r.weight_dtype == "bfloat16" and "cache in FP8" in r.notes[0]


# Lists of names


@pytest.mark.parametrize(
    "listed, inside, outside",
    [
        (["lm_head"], "lm_head", "model.layers.0.mlp.up_proj"),
        (["model.layers.1"], "model.layers.1.mlp.up_proj", "model.layers.11.mlp.up_proj"),
        (["model.layers.1*"], "model.layers.11.mlp.up_proj", "model.layers.2.mlp.up_proj"),
        (["language_model.model.layers.3.self_attn*"], "model.layers.3.self_attn.q_proj", "model.layers.3.mlp.up_proj"),
        (["model.language_model.layers.3.mlp.up_proj"], "model.layers.3.mlp.up_proj", "model.layers.3.mlp.down_proj"),
        (["backbone.layers.4.mixer.in_proj"], "model.layers.4.mixer.in_proj", "model.layers.5.mixer.in_proj"),
        (["model.layers.0.block_sparse_moe.gate"], "model.layers.0.mlp.gate", "model.layers.1.mlp.gate"),
        (["re:.*mlp\\.(gate|up|gate_up|down)_proj.*"], "model.layers.0.mlp.up_proj", "model.layers.0.mlp.experts.0.up_proj"),
        (["re:.*shared_experts.*"], "model.layers.0.mlp.shared_experts.up_proj", "model.layers.0.mlp.experts.up_proj"),
        (["re:^model\\.layers\\.[0-2]\\..*$"], "model.layers.2.mlp.up_proj", "model.layers.21.mlp.up_proj"),
        (["re:.*_proj$"], "model.layers.2.mlp.up_proj", "model.layers.2.mlp.gate"),
        (["re:visual.*", "mtp*"], "mtp.layers.0", "model.layers.0.mlp.up_proj"),
        (["re:.*\\d\\d\\.mlp\\.x?up.*"], "model.layers.12.mlp.up_proj", "model.layers.2.mlp.up_proj"),
    ],
)
def test_which_modules_a_list_means(listed, inside, outside):
    found = names(listed)
    assert found.means(inside) and not found.means(outside)


@pytest.mark.parametrize(
    "listed", [["re:(ab+)+$"], ["re:(?=a)"], ["re:a{3}"], ["re:["], ["re:(a"], ["re:\\1"], "x", [1], ["y" * 999]]
)
def test_expressions_that_are_not_read(listed):
    with pytest.raises(Unread):
        names(listed)


def test_a_list_made_to_take_for_ever_is_given_up():
    start = time.monotonic()
    stated = {"quant_method": "awq", "bits": 4, "modules_to_not_convert": [f"*{'a*' * 40}{i}" for i in range(1900)]}
    deep = {**LLAMA, "num_hidden_layers": 400}
    assert reading(stated, deep).unclear and time.monotonic() - start < 20


def test_expressions_mean_what_they_mean_elsewhere():
    """Against Python's own machine, on expressions of the kinds that are read."""
    texts = ["model.layers.0.mlp.up_proj", "lm_head", "model.layers.17.self_attn.k_proj", "a", "model.layers.3.mlp.gate"]
    for expression in (
        ".*mlp.*",
        "model.layers.1?7.*",
        "(lm_head|a)$",
        ".*[0-9]+.*gate",
        "[^m].*",
        "model(.layers)?.*k_proj",
        "",
    ):
        for text in texts:
            if expression:
                assert bool(re.match(expression, text)) == names([f"re:{expression}"]).fits(text), (expression, text)


# Dtypes


def test_a_dtype_may_be_a_number_of_bits():
    assert named("weight_dtype", "4.5") == named("weight_dtype", "4.5 bits") == "4.5 bits" and stored(16, "4.5 bits") == 9
    assert in_words("4.5 bits") == "4.5 bits a number, no block scales" and float(sum(per_number("nvfp4"))) * 8 == 4.5
    for wrong in ("0", "-3", "65", "four", "4.5.5", "", None, 4.5):
        with pytest.raises(SpecError):
            named("weight_dtype", wrong)


def stated_in(text):
    """What the examples of a docstring state."""
    for shown in doctest.DocTestParser().get_examples(text):
        call = ast.parse(shown.source.strip(), mode="eval").body
        if isinstance(call, ast.Call):
            yield ast.literal_eval(call.args[0])


def test_reading_never_fails_otherwise():
    """Every field of every example replaced by junk: understood, or a sentence."""
    junk = [None, -1, 0, 1.5, 10**9, "x", [], {}, True, [1], {"a": 1}]
    for reader in set(READERS.values()):
        for stated in stated_in(reader.__doc__):
            for field in stated:
                for value in junk:
                    try:
                        read({**stated, field: value})
                    except Unread:
                        continue


def test_experts_without_a_gate_are_found_by_their_name():
    """Nemotron 3's files name every expert's two matrices."""
    config = catalogue.entries()["nemotron-3-nano-30b-a3b"].config
    layers = [i for i, letter in enumerate(config["hybrid_override_pattern"]) if letter == "E"]
    listed = [f"backbone.layers.{i}.mixer.experts.{e}.{p}_proj" for i in layers for e in range(128) for p in ("up", "down")]
    stated = {"quant_algo": "MIXED_PRECISION", "quantized_layers": {key: {"quant_algo": "W4A16_NVFP4"} for key in listed}}
    found = {part.dtype: part.numbers for part in released.weights(reading(stated, config)).parts}
    assert found["nvfp4"] == len(layers) * 128 * 2 * 2688 * 1856
