"""The command line, as a shell sees it: python -m pytest tests/core/test_cli.py"""

import csv
import io
import json
import os
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest

from core import catalogue
from core.__main__ import main

ROOT = Path(__file__).resolve().parents[2]
CONFIG = {
    "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "intermediate_size": 96, "vocab_size": 100, "max_position_embeddings": 512, "torch_dtype": "float16", "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0, "tie_word_embeddings": False, "attention_bias": False, "mlp_bias": False, "head_dim": 16,
    "hidden_act": "silu",
}  # fmt: skip
INSPECT = """name model_type context batch weight_dtype cache_dtype params_total params_active params_active_without_input_embedding
params_active_without_embeddings buffers cache_elements state_elements cache_bytes state_bytes state_dtype weight_bytes
flops_per_token prefill_flops layers assumed unknown_fields""".split()
LIVE = """name model_type tokens shrunk logits_std params_counted params_measured cache_elements_counted cache_elements_measured
state_elements_counted state_elements_measured decode_max_abs_diff""".split()


def shell(*arguments, stdin=b"", **options):
    """Run as a process: (status, stdout, stderr, seconds)."""
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-m", "core", *arguments], input=stdin, capture_output=True, cwd=ROOT, timeout=60, **options)
    return done.returncode, done.stdout.decode(), done.stderr.decode(), time.monotonic() - start


@pytest.fixture
def call(capsys):
    """Run in this process: (status, stdout, stderr)."""

    def run(*arguments):
        try:
            status = main(list(arguments))
        except SystemExit as stop:
            status = stop.code
        out, err = capsys.readouterr()
        return status, out, err

    return run


@pytest.fixture
def write(tmp_path):
    def to_file(config, name="config.json"):
        path = tmp_path / name
        path.write_text(config if isinstance(config, str) else json.dumps(config))
        return str(path)

    return to_file


def refused(result, *words):
    status, out, err = result[:3]
    assert (status, out) == (2, "")
    assert err.startswith("error: ") and err.count("\n") == 1 and len(err) < 300 and "Traceback" not in err
    for word in words:
        assert word in err, err


# inspect


def test_key_path_and_standard_input_in_one_process(write):
    status, out, err, _ = shell("inspect", "qwen3-0.6b", write(CONFIG), "-", "--json", stdin=json.dumps(CONFIG).encode())
    assert (status, err) == (0, "")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["name"] for row in rows] == ["Qwen3 0.6B", "config.json", "standard input"]
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
    command = f"{sys.executable} -m core models | head -c 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, cwd=ROOT, timeout=60)
    assert done.stderr == b""


# live and models


@pytest.mark.parametrize("key", catalogue.entries())
def test_every_row_of_the_catalogue_lives(call, key):
    status, out, err = call("live", key, "--json")
    row = json.loads(out)
    assert (status, err, list(row)) == (0, "", LIVE)
    for name in ("params", "cache_elements", "state_elements"):
        assert row[f"{name}_counted"] == row[f"{name}_measured"]
    assert row["cache_elements_counted"] > 0
    assert row["decode_max_abs_diff"] <= 1e-4 and row["logits_std"] >= 0.1
    assert {"field", "from", "to"} == set(row["shrunk"][0])


def test_live_options(call, write):
    one, again, other = (json.loads(call("live", write(CONFIG), "--json", "--tokens", "5", "--seed", seed)[1]) for seed in "778")
    assert one == again != other
    assert one["tokens"] == 5
    text = call("live", write(CONFIG))[1]
    assert all(field in text for field in LIVE) and "vocab" not in text and "d_model 64 -> 48" in text


def test_models(call):
    status, out, _ = call("models", "--json")
    rows = json.loads(out)
    assert status == 0 and [row["key"] for row in rows] == list(catalogue.entries())
    assert all({"key", "name", "model_type", "params_total", "organisation", "released", "licence", "link"} == set(row) for row in rows)
    assert len(call("models")[1].splitlines()) == len(rows)


# Bad arguments: refused before torch is imported


@pytest.mark.parametrize(
    "arguments, words",
    [
        ([], ["command"]),
        (["explain"], ["explain", "inspect"]),
        (["inspect"], ["source"]),
        (["inspect", "qwen3-0.6b", "--json", "--csv"], ["--csv"]),
        (["inspect", "qwen3-0.6b", "--frobnicate"], ["--frobnicate"]),
        (["inspect", "qwen3-0.6b", "--wide\nline"], ["--wide line"]),
        (["inspect", "qwen3-0.6b", "--context", "0"], ["context", "1 to 1,073,741,824"]),
        (["inspect", "qwen3-0.6b", "--context", "-5"], ["context", "-5"]),
        (["inspect", "qwen3-0.6b", "--context", "1e9999"], ["context", "1e9999"]),
        (["inspect", "qwen3-0.6b", "--context", "abc"], ["context", "abc"]),
        (["inspect", "qwen3-0.6b", "--context", ""], ["context"]),
        (["inspect", "qwen3-0.6b", "--context", "9" * 5000], ["context"]),
        (["inspect", "qwen3-0.6b", "--context", "2000000000"], ["context"]),
        (["inspect", "qwen3-0.6b", "--batch", "0"], ["batch"]),
        (["inspect", "qwen3-0.6b", "--batch", "1.5"], ["batch"]),
        (["inspect", "qwen3-0.6b", "--weight-dtype", "int3"], ["weight_dtype", "mxfp4", "int3"]),
        (["inspect", "qwen3-0.6b", "--cache-dtype", "Float32"], ["cache_dtype", "float32"]),
        (["live", "qwen3-0.6b", "--tokens", "1"], ["tokens", "2 to 2,048"]),
        (["live", "qwen3-0.6b", "--tokens", "100000"], ["tokens"]),
        (["live", "qwen3-0.6b", "--seed", "-1"], ["seed"]),
        (["inspect", "nope"], ["nope", "catalogue key"]),
        (["inspect", "x" * 5000], ["xxx"]),
        (["inspect", "nul\0byte"], ["source"]),
        (["inspect", "."], ["directory"]),
        (["live", "no/such/config.json"], ["no such file"]),
    ],
)
def test_bad_arguments(call, arguments, words):
    refused(call(*arguments), *words)


@pytest.mark.parametrize("arguments", [[], ["inspect"], ["inspect", "nope"], ["inspect", "-"], ["inspect", "qwen3-0.6b", "--context", "x"]])
def test_refused_without_waiting_for_torch(arguments):
    """A process that imports torch needs more than 150 MiB and seconds; this one must not."""
    code = "import sys; from core.__main__ import main\ntry: s = main(sys.argv[1:])\nexcept SystemExit as e: s = e.code\nassert 'torch' not in sys.modules\nsys.exit(s)"
    done = subprocess.run([sys.executable, "-c", code, *arguments], input=b"{", capture_output=True, cwd=ROOT, timeout=60)
    refused((done.returncode, done.stdout.decode(), done.stderr.decode()))


# Bad sources


@pytest.mark.parametrize(
    "content, words",
    [
        ("", ["empty"]),
        ("  \n", ["empty"]),
        ("not json", ["JSON"]),
        ("{", ["JSON"]),
        ('{"a": 1}}', ["JSON"]),
        ("[]", ["JSON object", "[]"]),
        ("3", ["JSON object"]),
        ("null", ["JSON object", "null"]),
        ('"llama"', ["JSON object", "llama"]),
        ("[" * 100_000, ["JSON"]),
        ("[" * 500 + "]" * 500, ["JSON object"]),
        ('{"a":' * 100_000, ["JSON"]),
        ('{"a":' * 300 + "1" + "}" * 300, ["a.a.a", "16 deep"]),
        ('{"model_type": "llama", "model_type": "gpt2"}', ["model_type", "once"]),
        ('{"rope_theta": NaN}', ["rope_theta", "finite"]),
        ('{"rope_scaling": {"factor": -Infinity}}', ["rope_scaling.factor", "finite"]),
        ('{"x": [0, 1e999]}', ["x", "finite"]),
        ('{"x\\ny": NaN}', ["x\\ny", "finite"]),
        ("{" + " " * (1 << 20) + "}", ["1 MiB"]),
        ("{}", ["model_type", "llama", "absent"]),
        ('{"model_type": "clippy"}', ["model_type", "gpt2", "clippy"]),
        ('{"model_type": ["llama"]}', ["model_type"]),
        ('{"model_type": null}', ["model_type", "null"]),
    ],
)
def test_bad_text(call, write, content, words):
    refused(call("inspect", write(content), "--json"), *words)


def test_bad_files(call, write, tmp_path):
    huge = tmp_path / "huge.json"
    with open(huge, "wb") as file:
        file.truncate(100 << 20)
    start = time.monotonic()
    refused(call("inspect", str(huge)), "huge.json", "1 MiB")
    assert time.monotonic() - start < 1
    (tmp_path / "binary.json").write_bytes(bytes(range(256)) * 64)
    refused(call("inspect", str(tmp_path / "binary.json")), "JSON")
    refused(call("inspect", str(tmp_path)), "directory")
    refused(call("inspect", "qwen3-0.6b", str(tmp_path / "none.json")), "none.json", "no such file")


def test_bad_standard_input():
    for stdin, word in ((b"", "empty"), (b"\x00\xff\xfe", "JSON"), (b"[" * 100_000, "JSON"), (b"x" * (2 << 20), "1 MiB")):
        result = shell("inspect", "-", stdin=stdin)
        refused(result, word)
        assert result[3] < 5
    refused(shell("inspect", "-", "-", stdin=json.dumps(CONFIG).encode()), "empty")
    done = subprocess.run(["bash", "-c", f"{sys.executable} -m core inspect - <&-"], capture_output=True, cwd=ROOT, timeout=60)
    refused((done.returncode, done.stdout.decode(), done.stderr.decode()), "standard input")


WRONG = [None, "32", 0, -1, 0.5, True, [32], {}, 10**12, 10**400, 1e300, "x" * 5000]
NUMBERS = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size")


@pytest.mark.parametrize("field", NUMBERS)
@pytest.mark.parametrize("value", WRONG, ids=lambda v: repr(v)[:12])
def test_bad_numbers(call, write, field, value):
    refused(call("inspect", write({**CONFIG, field: value}), "--json"), f"error: {field} must be a whole number from 1 to ")


@pytest.mark.parametrize("field", ("hidden_size", "num_hidden_layers", "num_attention_heads"))
def test_what_no_default_can_replace(call, write, field):
    refused(call("live", write({k: v for k, v in CONFIG.items() if k != field})), f"error: {field} must be a whole number", "absent")


@pytest.mark.parametrize(
    "change, words",
    [
        ({"num_key_value_heads": 3}, ["num_key_value_heads must divide num_attention_heads (4): 1, 2, 4, not 3"]),
        ({"num_key_value_heads": 8}, ["num_key_value_heads must divide"]),
        ({"num_attention_heads": 6, "num_key_value_heads": 6, "head_dim": None}, ["num_attention_heads must divide hidden_size (64)"]),
        ({"num_key_value_heads": "2"}, ["num_key_value_heads must be a whole number"]),
        ({"head_dim": 15}, ["head_dim (15)", "even"]),
        ({"head_dim": True}, ["head_dim must be a whole number", "true"]),
        ({"hidden_act": "mish"}, ["hidden_act must be one of silu", "mish"]),
        ({"hidden_act": 3}, ["hidden_act must be one of"]),
        ({"rms_norm_eps": -1e-5}, ["rms_norm_eps must be a finite number"]),
        ({"rms_norm_eps": 10**400}, ["rms_norm_eps must be a finite number"]),
        ({"rms_norm_eps": "1e-5"}, ["rms_norm_eps must be a finite number"]),
        ({"rope_theta": 0}, ["rope_theta must be a finite number"]),
        ({"rope_theta": False}, ["rope_theta must be a finite number", "false"]),
        ({"partial_rotary_factor": 1.5}, ["partial_rotary_factor must be a finite number from 0 to 1"]),
        ({"attention_bias": "yes"}, ["attention_bias must be true or false"]),
        ({"tie_word_embeddings": 1}, ["tie_word_embeddings must be true or false"]),
        ({"max_position_embeddings": 0}, ["max_position_embeddings must be a whole number"]),
        ({"max_position_embeddings": 10**12}, ["max_position_embeddings must be a whole number"]),
        ({"torch_dtype": "float3"}, ["torch_dtype must be one of float32"]),
        ({"dtype": 16}, ["dtype must be one of"]),
        ({"quantization_config": "fp8"}, ["quantization_config must be an object"]),
        ({"layer_types": ["full_attention"]}, ["layer_types must be a list of 2 entries"]),
        ({"layer_types": "full"}, ["layer_types must be a list of 2 entries"]),
        ({"layer_types": ["full_attention", "sideways"]}, ["layer_types must be one of", "sideways"]),
        ({"layer_types": ["sliding_attention"] * 2}, ["sliding_window must be a whole number"]),
    ],
)
def test_bad_fields(call, write, change, words):
    refused(call("inspect", write({**CONFIG, **change})), *words)


def test_absurd_sizes_allocate_nothing(call, write):
    call("inspect", "qwen3-0.6b")  # imports
    for change in ({"num_hidden_layers": 10**12}, {"vocab_size": 10**15}, {"max_position_embeddings": 10**18}, {"head_dim": 10**9}):
        path = write({**CONFIG, **change})
        tracemalloc.start()
        start = time.monotonic()
        refused(call("inspect", path), next(iter(change)))
        assert time.monotonic() - start < 1
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
        tracemalloc.stop()


def test_the_largest_accepted_sizes_are_counted_and_their_twins_stay_small(call, write):
    largest = {
        "hidden_size": 1 << 20, "num_hidden_layers": 4096, "num_attention_heads": 1 << 20, "num_key_value_heads": 1 << 12,
        "intermediate_size": 1 << 24, "vocab_size": 1 << 24, "max_position_embeddings": 1 << 30, "head_dim": 1 << 20,
    }  # fmt: skip
    path = write({**CONFIG, **largest})
    start = time.monotonic()
    assert json.loads(call("inspect", path, "--json")[1])["params_total"] > 10**20
    assert json.loads(call("live", path, "--json")[1])["params_measured"] < 10**6
    refused(call("live", write({**CONFIG, **largest, "num_key_value_heads": 1})), "256 times kv_heads")
    assert time.monotonic() - start < 5


def test_a_name_that_the_terminal_cannot_show(write):
    path = write(CONFIG, "модель.json")
    status, out, err, _ = shell("inspect", path, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (status, err) == (0, "") and "\\u043c" in out
