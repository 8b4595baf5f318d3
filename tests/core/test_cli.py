"""The command line, as a shell sees it: python -m pytest tests/core/test_cli.py"""

import csv
import io
import json
import os
import sys

import pytest

from core.__main__ import BOUNDS
from core.real import catalogue
from core.shape import twin
from tests.core.shell import CONFIG, process, runs, shell

INSPECT = """name model_type context batch weight_dtype cache_dtype params_total params_active
params_active_without_input_embedding params_active_without_embeddings buffers cache_elements state_elements
cache_bytes state_bytes state_dtype weight_bytes flops_per_token prefill_flops weight_bytes_as_released weight_bytes_of_files
weight_note
layers assumed unknown_fields""".split()
LIVE = """name model_type tokens shrunk logits_std params_counted params_measured cache_elements_counted cache_elements_measured
state_elements_counted state_elements_measured decode_max_abs_diff assumed unknown_fields""".split()


# inspect


def test_key_path_and_standard_input_in_one_process(write):
    status, out, err, _ = shell("inspect", "qwen3-0.6b", write(CONFIG), "-", "--json", stdin=json.dumps(CONFIG).encode())
    assert (status, err) == (0, "")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["name"] for row in rows] == ["Qwen3 0.6B", "llama", "standard input"]
    assert all(list(row) == INSPECT for row in rows)
    assert {k: v for k, v in rows[1].items() if k != "name"} == {k: v for k, v in rows[2].items() if k != "name"}


def test_numbers_of_a_small_config(call, write):
    row = json.loads(call("inspect", write(CONFIG), "--json", "--context", "10", "--batch", "3")[1])
    assert (row["context"], row["batch"], row["weight_dtype"], row["cache_dtype"]) == (10, 3, "float16", "float16")
    layer = 64 * 64 * 2 + 64 * 32 * 2 + 3 * 64 * 96 + 2 * 64
    assert row["params_total"] == row["params_active"] == 2 * layer + 2 * 100 * 64 + 64
    assert row["params_active_without_input_embedding"] == row["params_total"] - 6400
    assert row["params_active_without_embeddings"] == row["params_total"] - 12800
    assert row["cache_elements"] == 3 * 10 * 2 * 2 * 32
    assert row["cache_bytes"] == 2 * row["cache_elements"]
    assert (row["state_elements"], row["state_bytes"], row["buffers"], row["layers"]) == (0, 0, 0, {"full": 2})
    matrices = 2 * (layer - 2 * 64) + 6400
    assert row["flops_per_token"] == 2 * matrices + 2 * 2 * 4 * 32 * 10
    assert row["prefill_flops"] == 10 * row["flops_per_token"]
    assert (row["assumed"], row["unknown_fields"]) == ([], [])


def test_csv_and_table(call, write):
    path = write(CONFIG)
    rows = list(csv.DictReader(io.StringIO(call("inspect", path, "llama3-8b", "--csv")[1])))
    assert [list(row) for row in rows] == [INSPECT, INSPECT]
    assert rows[1]["params_total"] == "8030261248" and json.loads(rows[1]["layers"]) == {"full": 32}
    out = call("inspect", "llama3-8b")[1]
    assert "16,060,522,496 B  =  15.0 GiB  =  16.1 GB" in out
    assert all(field in out for field in INSPECT)


@pytest.mark.parametrize("dtype, size", [("float32", 4), ("bfloat16", 2), ("float16", 2), ("fp8", 1), ("int8", 1)])
def test_dtypes(call, write, dtype, size):
    row = json.loads(call("inspect", write(CONFIG), "--json", "--weight-dtype", dtype, "--cache-dtype", dtype)[1])
    assert (row["weight_dtype"], row["cache_dtype"]) == (dtype, dtype)
    assert row["weight_bytes"] == size * row["params_total"] and row["cache_bytes"] == size * row["cache_elements"]


def test_context_and_dtype_where_the_config_states_none(call, write):
    bare = {k: CONFIG[k] for k in ("model_type", "hidden_size", "num_hidden_layers", "num_attention_heads")}
    row = json.loads(call("inspect", write(bare), "--json")[1])
    assert (row["context"], row["weight_dtype"], row["cache_dtype"]) == (4096, "bfloat16", "bfloat16")
    expected = set(CONFIG) - set(bare) - {"max_position_embeddings", "torch_dtype"} | {"context", "dtype"}
    assert set(row["assumed"]) == expected and len(row["assumed"]) == len(expected)


def test_a_pipe_that_closes_early_is_no_error():
    assert process("bash", "-c", f"{sys.executable} -m core models | head -c 1")[2] == ""


# live and models


@pytest.mark.parametrize("key", list(filter(runs, catalogue.entries())))
def test_every_row_of_the_catalogue_lives(call, key):
    status, out, err = call("live", key, "--json")
    row = json.loads(out)
    other = catalogue.entries()[key].reading.spec.decoding != "autoregressive"
    assert (status, err, list(row)) == (0, "", LIVE + ["decoding", "cache_note"] * other)
    for name in ("params", "cache_elements", "state_elements"):
        assert row[f"{name}_counted"] == row[f"{name}_measured"]
    assert row["cache_elements_counted"] + row["state_elements_counted"] > 0
    assert row["decode_max_abs_diff"] <= 1e-4 and row["logits_std"] >= 0.1
    assert {"field", "from", "to"} == set(row["shrunk"][0])


def test_a_row_without_live_modules_says_so(call):
    rest = [key for key in catalogue.entries() if not runs(key)]
    assert rest
    for key in rest:
        status, out, err = call("live", key)
        assert (status, out, err) == (2, "", f"error: {catalogue.entries()[key].reading.model_type} is counted only\n")


def test_live_options(call, write):
    assert BOUNDS["tokens"] == (2, twin.MAX_TOKENS)
    one, again, other = (json.loads(call("live", write(CONFIG), "--json", "--tokens", "5", "--seed", seed)[1]) for seed in "778")
    assert one == again != other
    assert one["tokens"] == 5
    text = call("live", write(CONFIG))[1]
    assert all(field in text for field in LIVE) and "vocab" not in text and "d_model 64 -> 48" in text


def test_models(call):
    status, out, _ = call("models", "--json")
    rows = json.loads(out)
    assert status == 0 and [row["key"] for row in rows] == list(catalogue.entries())
    assert all(
        {"key", "name", "model_type", "params_total", "checked", "organisation", "released", "licence", "link"} == set(row)
        for row in rows
    )
    assert len(call("models")[1].splitlines()) == len(rows)


def test_a_name_that_the_terminal_cannot_show(write):
    path = write(CONFIG, "модель.json")
    status, out, err, _ = shell("inspect", path, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (status, err) == (0, "") and "\\u043c" in out
