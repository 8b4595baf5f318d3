"""What the command line refuses, in one line: python -m pytest tests/core/test_cli_refuses.py"""

import json
import sys
import time
import tracemalloc

import pytest

from tests.core.shell import CONFIG, process, refused, shell

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


@pytest.mark.parametrize("arguments", [["inspect", "nope"], ["inspect", "-"], ["inspect", "qwen3-0.6b", "--context", "x"]])
def test_refused_without_waiting_for_torch(arguments):
    watch = "import sys, core.__main__ as m\nstatus = m.main(sys.argv[1:])\nassert 'torch' not in sys.modules\nsys.exit(status)"
    refused(process(sys.executable, "-c", watch, *arguments, input=b"{"))


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
        ('"llama"', ["llama is a name and no config", "config.json"]),
        ("meta-llama/Meta-Llama-3-8B", ["a name on the Hugging Face Hub", "fetches nothing"]),
        ('{"peft_type": "LORA"}', ["the config of an adapter"]),
        ("[" * 100_000, ["JSON"]),
        ("[" * 500 + "]" * 500, ["JSON object"]),
        ('{"a":' * 100_000, ["JSON"]),
        ('{"a":' * 300 + "1" + "}" * 300, ["a.a.a", "16 deep"]),
        ('{"model_type": "llama", "model_type": "gpt2"}', ["model_type", "once"]),
        ('{"rope_theta": NaN}', ["rope_theta", "finite"]),
        ('{"rope_scaling": {"factor": -Infinity}}', ["rope_scaling.factor", "finite"]),
        ('{"x": [0, 1e999]}', ["x", "finite"]),
        ('{"x\\ny": NaN}', ["x\\ny", "finite"]),
        ("{" + " " * (8 << 20) + "}", ["8 MiB"]),
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
    start = time.process_time()
    refused(call("inspect", str(huge)), "huge.json", "8 MiB")
    assert time.process_time() - start < 1
    (tmp_path / "binary.json").write_bytes(bytes(range(256)) * 64)
    refused(call("inspect", str(tmp_path / "binary.json")), "JSON")
    refused(call("inspect", str(tmp_path)), "directory")
    refused(call("inspect", "qwen3-0.6b", str(tmp_path / "none.json")), "none.json", "no such file")


def test_bad_standard_input():
    for stdin, word in ((b"", "empty"), (b"\x00\xff\xfe", "JSON"), (b"[" * 100_000, "JSON"), (b"x" * (9 << 20), "8 MiB")):
        result = shell("inspect", "-", stdin=stdin)
        refused(result, word)
        assert result[3] < 5
    refused(shell("inspect", "-", "-", stdin=json.dumps(CONFIG).encode()), "empty")
    refused(process("bash", "-c", f"{sys.executable} -m core inspect - <&-"), "standard input")


WRONG = [None, "32", 0, -1, 0.5, True, [32], {}, 10**12, 10**400, 1e300, "x" * 5000]
NUMBERS = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size")


@pytest.mark.parametrize("field", NUMBERS)
@pytest.mark.parametrize("value", WRONG, ids=lambda v: repr(v)[:12])
def test_bad_numbers(call, write, field, value):
    refused(call("inspect", write({**CONFIG, field: value}), "--json"), f"error: {field} must be a whole number from 1 to ")


@pytest.mark.parametrize("field", ("hidden_size", "num_hidden_layers", "num_attention_heads"))
def test_what_no_default_can_replace(call, write, field):
    refused(
        call("live", write({k: v for k, v in CONFIG.items() if k != field})), f"error: {field} must be a whole number", "absent"
    )


@pytest.mark.parametrize(
    "change, words",
    [
        ({"num_key_value_heads": 3}, ["num_key_value_heads must divide num_attention_heads (4): 1, 2, 4, not 3"]),
        ({"num_key_value_heads": 8}, ["num_key_value_heads must divide"]),
        (
            {"num_attention_heads": 6, "num_key_value_heads": 6, "head_dim": None},
            ["num_attention_heads must divide hidden_size (64)"],
        ),
        ({"num_key_value_heads": "2"}, ["num_key_value_heads must be a whole number"]),
        ({"head_dim": 15}, ["head_dim (15)", "even"]),
        ({"head_dim": True}, ["head_dim must be a whole number", "true"]),
        ({"hidden_act": "mish"}, ["hidden_act must be one of silu", "mish"]),
        ({"hidden_act": 3}, ["hidden_act must be one of"]),
        ({"rms_norm_eps": -1e-5}, ["rms_norm_eps must be a finite number"]),
        ({"rms_norm_eps": 10**400}, ["rms_norm_eps must be a finite number"]),
        ({"rms_norm_eps": "1e-5"}, ["rms_norm_eps must be a finite number"]),
        ({"rms_norm_eps": True}, ["rms_norm_eps must be a finite number", "true"]),
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
    for change in (
        {"num_hidden_layers": 10**12},
        {"vocab_size": 10**15},
        {"max_position_embeddings": 10**18},
        {"head_dim": 10**9},
    ):
        path = write({**CONFIG, **change})
        tracemalloc.start()
        start = time.process_time()
        refused(call("inspect", path), next(iter(change)))
        assert time.process_time() - start < 1
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
        tracemalloc.stop()


def test_the_largest_accepted_sizes_are_counted_and_their_twins_stay_small(call, write):
    largest = {
        "hidden_size": 1 << 20, "num_hidden_layers": 4096, "num_attention_heads": 1 << 20, "num_key_value_heads": 1 << 12,
        "intermediate_size": 1 << 24, "vocab_size": 1 << 24, "max_position_embeddings": 1 << 30, "head_dim": 1 << 20,
    }  # fmt: skip
    path = write({**CONFIG, **largest})
    start = time.process_time()
    assert json.loads(call("inspect", path, "--json")[1])["params_total"] > 10**20
    assert json.loads(call("live", path, "--json")[1])["params_measured"] < 10**6
    refused(call("live", write({**CONFIG, **largest, "num_key_value_heads": 1})), "256 times kv_heads")
    assert time.process_time() - start < 5
