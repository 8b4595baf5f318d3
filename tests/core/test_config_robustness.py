"""Configs of both generations, and a thousand gone wrong: python -m pytest tests/core/test_config_robustness.py"""

import copy
import json
import random
import resource
import time

import pytest

from core.count import cost
from core.errors import SpecError, number, one_of, short, whole
from core.real import catalogue, released
from core.real.disagree import reasons
from core.real.hf import reader
from core.real.hf.source import parse
from core.shape import twin

LLAMA = {"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4, "rope_theta": 1e4}


def read(**changes):
    return reader.read({**LLAMA, **changes})


# What configs may say, and in which words


def test_both_names_of_the_dtype():
    assert read(dtype="float16").weight_dtype == read(torch_dtype="float16").weight_dtype == "float16"
    assert read(dtype="float16", torch_dtype="float32").cache_dtype == "float16"
    assert "dtype" in read().assumed and "dtype" in read(torch_dtype="auto").assumed
    assert "dtype" not in read(dtype="bfloat16").assumed


@pytest.mark.parametrize(
    "quantisation, dtype",
    [
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, "fp8"),
        ({"quant_method": "fbgemm_fp8"}, "fp8"),
        ({"quant_method": "mxfp4"}, "mxfp4"),
        ({"quant_method": "gptq", "bits": 4}, "int4"),
        ({"quant_method": "awq", "bits": 8}, "int8"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True, "load_in_8bit": False}, "int4"),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, "int8"),
        (
            {"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": {"num_bits": 8, "type": "float"}}}},
            "fp8",
        ),
        (
            {"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": {"num_bits": 4, "type": "int"}}}},
            "int4",
        ),
    ],
)
def test_the_config_s_own_quantisation(quantisation, dtype):
    r = read(quantization_config=quantisation, dtype="float16")
    assert (r.weight_dtype, r.cache_dtype, r.unknown_fields) == (dtype, "float16", ())


@pytest.mark.parametrize(
    "quantisation",
    [
        {"quant_method": "hieroglyphs"},
        {"quant_method": "gptq", "bits": 7},
        {"quant_method": "gptq", "bits": [4]},
        {"quant_method": ["fp8"]},
        {"bits": 4},
        {"quant_method": "compressed-tensors", "config_groups": [1]},
        {"quant_method": "compressed-tensors", "config_groups": {"a": {"weights": {"num_bits": {}, "type": []}}}},
    ],
)
def test_a_quantisation_that_is_not_understood_is_said_so(quantisation):
    r = read(quantization_config=quantisation, dtype="float16")
    assert (r.weight_dtype, r.cache_dtype, r.quantisation) == ("", "float16", None) and "not understood" in r.unclear


def kinds(**changes):
    return [layer.kind for layer in read(**changes).spec.layers]


@pytest.mark.parametrize("family", ["llama", "mistral", "qwen2", "qwen3", "phi3", "smollm3", "olmo2"])
def test_explicit_layer_types(family):
    types = ["sliding_attention", "full_attention", "full_attention", "sliding_attention"]
    changes = {"model_type": family, "num_key_value_heads": 2, "layer_types": types, "sliding_window": 16}
    assert kinds(**changes) == ["sliding", "full", "full", "sliding"]
    assert read(**changes).unknown_fields == ()


def test_windows_by_each_family_s_rule():
    mistral, qwen = {"model_type": "mistral", "num_key_value_heads": 4}, {"model_type": "qwen2", "num_key_value_heads": 4}
    assert kinds(**mistral, sliding_window=16) == ["sliding"] * 4
    assert kinds(**mistral, sliding_window=None) == ["full"] * 4
    assert kinds(**qwen, use_sliding_window=False, sliding_window=16, max_window_layers=2) == ["full"] * 4
    assert kinds(**qwen, use_sliding_window=True, sliding_window=16, max_window_layers=2) == [
        "full",
        "full",
        "sliding",
        "sliding",
    ]
    assert kinds(**qwen, use_sliding_window=True, sliding_window=None, max_window_layers=2) == ["full"] * 4
    smol = {"model_type": "smollm3", "num_key_value_heads": 4, "sliding_window": 16, "no_rope_layer_interval": 2}
    assert kinds(**smol, use_sliding_window=True) == ["full", "sliding"] * 2
    assert kinds(**smol, use_sliding_window=False) == ["full"] * 4


def test_a_missing_window_takes_the_class_default_and_says_so():
    r = read(model_type="mistral", num_key_value_heads=4)
    assert "sliding_window" in r.assumed
    assert r.spec.layers[0].mixer.reach.size == 4096


def test_fields_that_could_matter_are_listed_and_others_are_not():
    r = read(
        attention_multiplier=0.5,
        num_experts=8,
        initializer_range=0.1,
        eos_token_id=[1, 2],
        _name_or_path="x",
        sliding_window=None,
    )
    assert r.unknown_fields == ("attention_multiplier", "num_experts")
    assert (
        read(model_type="gpt2", n_embd=64, n_head=4, n_layer=2, add_cross_attention=True).unknown_fields[0]
        == "add_cross_attention"
    )
    assert read(sliding_window=16).unknown_fields == ("sliding_window",)  # Llama's code reads none
    assert read(model_type="phi3", attention_bias=True).unknown_fields == ("attention_bias",)
    assert read(model_type="phi3", attention_bias=False).unknown_fields == ()


def test_null_is_not_absence():
    assert "num_key_value_heads" in read(model_type="mistral", num_attention_heads=8).assumed
    r = read(model_type="mistral", num_attention_heads=16, num_key_value_heads=None)
    assert r.spec.layers[0].mixer.kv_heads == 16 and "num_key_value_heads" not in r.assumed
    qwen = read(model_type="qwen3", num_key_value_heads=4)
    assert qwen.spec.layers[0].mixer.k_dim == 128 and "head_dim" in qwen.assumed


def test_an_unknown_family_is_refused_and_what_is_accepted_is_said():
    for config in (LLAMA, catalogue.entries()["glm-5"].config, {**LLAMA, "something_that_matters": 3}):
        with pytest.raises(SpecError, match=r"^model_type must be one of gpt2, llama, .*, not 'a_new_family'$"):
            reader.read({**config, "model_type": "a_new_family"})


def test_a_known_language_model_inside_an_unknown_larger_one():
    inner = catalogue.entries()["qwen3-8b"].config
    r = reader.read({"model_type": "qwen3_that_sees", "text_config": inner, "vision_config": {"depth": 3}, "odd": 1})
    assert r.spec.layers == catalogue.entries()["qwen3-8b"].reading.spec.layers
    assert (r.model_type, r.unknown_fields) == ("qwen3", ("odd",))  # what is about pictures is left aside


def test_nothing_is_assumed_twice():
    r = reader.read({"model_type": "qwen3", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 32})
    assert len(set(r.assumed)) == len(r.assumed)


def test_reading_leaves_the_config_as_it_was():
    for row in catalogue.entries().values():
        before = copy.deepcopy(row.config)
        assert reader.read(row.config, row.name) == row.reading
        assert row.config == before


# Values in messages


ODD = [10**400, -(10**5000), float("inf"), float("nan"), None, True, "x" * 9999, "a\nb\u2028c", [[[[[]]]]] * 99]


@pytest.mark.parametrize("value", ODD, ids=range(len(ODD)))
def test_any_value_fits_one_short_line(value):
    deep = []
    for _ in range(5000):
        deep = [deep]
    for each in (value, [value], {"a": value}, deep):
        assert len(short(each)) <= 60 and len(short(each).splitlines()) == 1
        for check in (whole, number):
            with pytest.raises(SpecError) as error:
                check("field", each)
            assert len(str(error.value)) < 300
        with pytest.raises(SpecError):
            one_of("field", each, ("a", "b"))


# A thousand configs gone wrong

DEEP = json.loads("[" * 12 + "]" * 12)
POOL = [
    None, True, False, 0, 1, -1, 2, 3, 7, 0.5, -0.0, 1e-300, 1e300, 10**12, 10**18, 10**400, float("nan"), float("inf"),
    "", "32", "silu", "\n", "\u2028x", "x" * 3000, "NaN", [], [1], [None], [0] * 200, DEEP, ["full_attention"],
    ["sliding_attention"] * 200, {}, {"a": 1}, {"rope_type": "yarn"}, {"type": "linear"},
    {"rope_type": "longrope", "short_factor": [1]}, {"quant_method": "gptq", "bits": 4}, "a_new_family",
    {"quant_method": "fp8", "weight_block_size": [128, 128], "modules_to_not_convert": ["re:(a+)+$", "*a*", "lm_head"]},
]  # fmt: skip
EXTRA = (
    "rope_scaling",
    "rope_parameters",
    "layer_types",
    "sliding_window",
    "head_dim",
    "dtype",
    "quantization_config",
    "use_sliding_window",
    "model_type",
    "text_config",
)


def places(value, path=()):
    """Paths to everything inside, containers included."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def mutate(config, rng):
    """One change: dropped, null, another type, scaled, nested, or a field that was not there. The result is JSON text."""
    path = rng.choice([*places(config), *((name,) for name in EXTRA)])
    holder = config
    for key in path[:-1]:
        holder = holder[key]
    key, old = path[-1], holder.get(path[-1]) if isinstance(holder, dict) else holder[path[-1]]
    way = rng.choice(["drop", "null", "retype", "retype", "scale", "nest", "twice"])
    if way == "drop":
        holder.pop(key, None) if isinstance(holder, dict) else holder.pop(key)
    elif way == "scale" and isinstance(old, (int, float)):
        factor = rng.choice([-1, 0, 2, 3, 1000, 10**9, 10**400, 0.3, 1e30])
        small = abs(old) < 1e30 and (isinstance(old, int) or factor != 10**400)
        holder[key] = old * factor if small else factor
    elif way == "nest":
        holder[key] = rng.choice([[old], {"value": old}, [[old]] * 3])
    elif way == "twice" and isinstance(holder, dict) and holder is config and key in config:
        return json.dumps(config)[:-1] + f", {json.dumps(key)}: {json.dumps(rng.choice(POOL))}}}"
    else:
        holder[key] = None if way == "null" else rng.choice(POOL)
    return json.dumps(config)


# families whose configs the catalogue holds under another name, or inside a larger model
ALIASES = set(reader.FAMILIES) - {"trm", "hrm"}


def bases():
    scaled = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 512, "beta_fast": 32, "truncate": True}
    long = {"type": "longrope", "short_factor": [1.0] * 8, "long_factor": [2.0] * 8}
    types = ["full_attention", "sliding_attention"] * 2
    rows = [row.config for row in catalogue.entries().values()]
    told = {config.get("model_type", reader.solver(config)) for config in rows}
    text = next(config for config in rows if config.get("model_type") == "qwen3_next")
    spare = [{**text, "model_type": kind} for kind in ALIASES if kind not in told]
    return (
        rows
        + spare
        + [
            {"model_type": "sees_too", "text_config": {**LLAMA}, "vision_config": {"depth": 3}},
            {**LLAMA, "rope_parameters": scaled},
            {**LLAMA, "model_type": "phi3", "rope_scaling": long, "original_max_position_embeddings": 512},
            {
                **LLAMA,
                "model_type": "qwen3",
                "layer_types": types,
                "use_sliding_window": True,
                "sliding_window": 8,
                "num_key_value_heads": 2,
            },
            {**LLAMA, "model_type": "smollm3", "no_rope_layers": [1, 1, 0, 1], "quantization_config": {"quant_method": "fp8"}},
        ]
    )


def outcome(text, run):
    """The reading, or the one sentence that says what is wrong."""
    try:
        r = reader.read(parse(text))
        counted = cost.count(r.spec, r.context, 1, r.weight_dtype, r.cache_dtype)
        assert counted.params_total > 0 and json.dumps([*r.assumed, *r.unknown_fields])
        stored = released.weights(r)
        assert stored is None or sum(part.numbers for part in stored.parts) == counted.params_total
        assert all(reason.theirs != reason.ours for reason in reasons(r, r.context))
        if run:
            assert twin.run_twin(r.spec).decode_max_abs_diff <= 1e-3
        else:
            twin.shrink(r.spec)
        return r
    except SpecError as error:
        sentence = str(error)
        assert 10 < len(sentence) < 300 and len(sentence.splitlines()) == 1
        return sentence


@pytest.mark.parametrize("seed", range(10))
def test_a_hundred_mutations_each_give_a_result_or_one_sentence(seed):
    rng, configs, read, refused = random.Random(seed), bases(), 0, 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB
    for i in range(100):
        text = mutate(copy.deepcopy(rng.choice(configs)), rng)
        for _ in range(rng.choice([0, 0, 1, 3])):
            try:
                text = mutate(parse(text), rng)
            except SpecError:
                break
        start = time.process_time()
        found = outcome(text, run=i % 10 == 0)
        assert time.process_time() - start < 2, text[:500]
        read, refused = read + (not isinstance(found, str)), refused + isinstance(found, str)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 19  # half a GiB, torch's own loading included
    assert min(read, refused) >= 10  # or the mutations prove nothing; a recurrent config has more fields to break
