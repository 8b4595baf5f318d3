"""Files beside a config: python -m pytest tests/core/test_beside.py"""

import json

import pytest

from core.count import cost
from core.real import catalogue, intake, released
from core.real.beside import gathered, index_text, joined, kind_of
from core.real.rows import row
from tests.core.test_cases import CASES

LLAMA = catalogue.entries()["llama3-8b"].config
NANO = next(case["config"] for case in CASES if case["id"] == "nemotron-3-nano-nvfp4-no-quantization-config")
SIZE = 16_060_522_496
LEFT = ["lm_head", "backbone.layers.4.mixer.in_proj", "backbone.layers.4.mixer.out_proj", "backbone.layers.*.mixer.conv1d"]
MODELOPT = {"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "NVFP4", "group_size": 16, "exclude_modules": LEFT}}


def index(total, *names):
    return {"metadata": {"total_size": total}, "weight_map": dict.fromkeys(names, "model-00001.safetensors")}


def read(config, *files):
    given = [("model.json", json.dumps(config)), *((name, json.dumps(found)) for name, found in files)]
    (only,) = gathered(given)
    return intake.take(only[1], only[0]).reading


def test_how_weights_are_stored_may_stand_beside_the_config():
    r = read(NANO, ("hf_quant_config.json", MODELOPT))
    found = released.weights(r)
    assert r.weight_dtype == "nvfp4" and 4.5 < 8 * found.bytes / cost.count(r.spec, 1).params_total < 5.2
    alone = read(LLAMA, ("quantize_config.json", {"bits": 4, "group_size": 128, "desc_act": False}))
    assert (alone.quantisation.method, alone.weight_dtype) == ("gptq", "int4")
    other = read(LLAMA, ("quant_config.json", {"w_bit": 4, "q_group_size": 128, "zero_point": True, "version": "GEMM"}))
    assert other.quantisation.method == "awq"


def test_what_config_json_says_of_its_weights_goes_first():
    own = {**LLAMA, "quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}}
    assert read(own, ("hf_quant_config.json", MODELOPT)).weight_dtype == "fp8"


@pytest.mark.parametrize(
    "config, total, names, expected",
    [
        (LLAMA, SIZE, [], "the same"),
        (LLAMA, SIZE + 5, [], "5 more: less than a thousandth"),
        (LLAMA, SIZE + 10**9, ["model.visual.blocks.0.attn.qkv.weight", "mtp.fc.weight"], "mtp, visual stand beside"),
        (LLAMA, SIZE + 10**9, ["model.layers.32.eh_proj.weight"], "1 further layers, which predict further tokens"),
        (LLAMA, 2 * SIZE, [], "twice as many bytes a number"),
        (LLAMA, SIZE - 10**9, [], "1,000,000,000 fewer: not explained"),
        ({**LLAMA, "tie_word_embeddings": True}, SIZE, [], "the tied table stands in the files twice"),
    ],
)
def test_the_index_of_files_stands_beside_our_count(config, total, names, expected):
    r = read(config, ("model.safetensors.index.json", index(total, *names)))
    printed = row(r)
    assert printed["weight_bytes_of_files"] == total and expected in printed["weight_note"]
    assert expected in index_text(r, released.weights(r).bytes)
    assert row(read(config))["weight_bytes_of_files"] is None


@pytest.mark.parametrize("stated", [{}, {"total_size": "x"}, {"total_size": -1}, {"total_size": 1 << 70}, None, []])
def test_an_index_without_a_size_says_nothing(stated):
    assert read(LLAMA, ("i.json", {"metadata": stated, "weight_map": {"a": "b"}})).index is None


def test_a_folder_and_files_on_the_command_line(call, tmp_path):
    folder = tmp_path / "Some-Model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(NANO))
    quantised, files = folder / "hf_quant_config.json", tmp_path / "index.json"
    files.write_text(json.dumps(index(1000)))
    plain = json.loads(call("inspect", str(folder), "--json")[1])
    assert (plain["name"], plain["weight_dtype"]) == ("Some-Model", "bfloat16")
    quantised.write_text(json.dumps(MODELOPT))
    of_folder = json.loads(call("inspect", str(folder), "--json", "--beside", str(files))[1])
    assert (of_folder["weight_dtype"], of_folder["weight_bytes_of_files"]) == ("nvfp4", 1000)
    by_name = json.loads(call("inspect", str(folder / "config.json"), "--json", "--beside", str(quantised))[1])
    assert by_name["weight_bytes_as_released"] == of_folder["weight_bytes_as_released"]
    status, out, err = call("inspect", str(folder), "--beside", str(tmp_path / "none.json"))
    assert (status, out) == (2, "") and "none.json" in err


def test_a_folder_whose_name_speaks_of_fewer_bits(call, tmp_path):
    folder = tmp_path / "Llama-NVFP4"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(LLAMA))
    for source in (folder, folder / "config.json"):
        assert json.loads(call("inspect", str(source), "--json")[1])["weight_bytes_as_released"] is None


def test_files_go_with_the_config_before_them():
    given = [("a.json", json.dumps(LLAMA)), ("b.json", json.dumps(NANO)), ("hf.json", json.dumps(MODELOPT)), ("x", "no json")]
    found = gathered(given)
    assert [name for name, _ in found] == ["a.json", "b.json", "x"] and found[0] == given[0]
    assert "quantization_config" in json.loads(found[1][1])
    assert gathered([given[2], given[1]])[0][0] == "b.json" and gathered([given[2]]) == [given[2]]


def test_what_a_file_is():
    assert [kind_of(found) for found in (LLAMA, index(1), MODELOPT, {"bits": 4, "group_size": 1}, {})] == [
        "", "index", "modelopt", "grouped", ""
    ]  # fmt: skip
    assert joined(LLAMA, index(1), "x") != LLAMA
