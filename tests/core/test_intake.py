"""What readers hand in: python -m pytest tests/core/test_intake.py"""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.count import cost
from core.errors import SpecError
from core.real import catalogue, intake
from core.real.hf.fields import INSIDE
from core.real.hf.source import MAX_BYTES
from core.real.rows import row
from tests.strategies import JSON, changed

ROWS = catalogue.entries()
LLAMA = ROWS["llama3-8b"].config


def refusal(data) -> str:
    with pytest.raises(SpecError) as error:
        intake.take(data, "x")
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("key", ["llama3-8b", "deepseek-v3", "gemma3-4b", "qwen3.5-397b-a17b", "mamba2-2.7b", "trm-7m"])
def test_text_and_bytes_give_what_the_catalogue_gives(key):
    text = json.dumps(ROWS[key].config)
    for data in (text, text.encode()):
        assert intake.take(data, ROWS[key].name + ".json").reading.spec == ROWS[key].reading.spec


@pytest.mark.parametrize(
    "typed",
    ["meta-llama/Meta-Llama-3-8B", "https://huggingface.co/meta-llama/Meta-Llama-3-8B", " hf.co/meta-llama/Meta-Llama-3-8B ",
     "https://huggingface.co/meta-llama/Meta-Llama-3-8B/blob/main/config.json"],
)  # fmt: skip
def test_a_hub_id_says_how_to_get_the_config(typed):
    said = refusal(typed)
    assert "https://huggingface.co/meta-llama/Meta-Llama-3-8B/raw/main/config.json" in said and "fetches nothing" in said
    assert ("choose Llama 3 8B" in said) == ROWS["llama3-8b"].fact("link").endswith("meta-llama/Meta-Llama-3-8B")


def test_names_and_addresses_are_pointed_elsewhere():
    assert "choose Llama 3 8B from the list" in refusal("llama3-8b")
    assert "upload or paste" in refusal("https://example.org/config.json")


@pytest.mark.parametrize(
    "data", ["", "{", "[]", "12", "null", "hello there", b"\xff\xfe\x00", '{"model_type": []}', '{"a":1,"a":2}']
)
def test_nonsense_is_one_sentence(data):
    refusal(data)


def test_size_is_checked_before_anything_is_parsed(monkeypatch):
    monkeypatch.setattr(intake, "parse", lambda data: pytest.fail("parsed"))
    assert "8 MiB" in refusal(b" " * (MAX_BYTES + 1))


def test_a_wrapper_of_an_unknown_family_is_read_for_its_language_model():
    config = {
        "model_type": "mistral3",
        "text_config": ROWS["mistral-small-3.1-24b"].config,
        "vision_config": {"depth": 4},
        "odd": 7,
    }
    with pytest.raises(intake.NotUnderstood, match="odd is not understood"):
        intake.understood(config)
    taken = intake.take(json.dumps(config), "", {"without": ["odd"]})
    assert taken.reading.spec.layers == ROWS["mistral-small-3.1-24b"].reading.spec.layers
    assert taken.reading.unknown_fields == ("odd",) and "mistral3 is not known" in taken.note


def test_what_is_said_about_a_wrapper_holds_inside():
    inner = {key: value for key, value in LLAMA.items() if key not in ("torch_dtype", "dtype", "tie_word_embeddings")}
    taken = intake.understood({"model_type": "seer", "text_config": inner, "dtype": "float16", "tie_word_embeddings": True})
    assert taken.reading.cache_dtype == "float16" and taken.reading.spec.tied


def renamed(key: str, model_type: str = "brandnew") -> dict:
    """A config of a known family under a name that is not known."""
    return {**ROWS[key].config, "model_type": model_type}


@pytest.mark.parametrize("key", ["qwen3-8b", "llama3-8b", "deepseek-v3", "gpt-oss-20b", "falcon-mamba-7b"])
def test_an_unknown_family_is_refused_whatever_it_looks_like(key):
    said = refusal(json.dumps(renamed(key)))
    assert said.startswith("model_type must be one of gpt2, llama") and said.endswith("not 'brandnew'")


@pytest.mark.parametrize(
    "config", [renamed("qwen3-8b"), {"model_type": "seer", "text_config": renamed("qwen3-8b")}, {}, renamed("qwen3-8b", 3)]
)
def test_command_line_and_pages_refuse_an_unknown_family_in_one_sentence(call, write, config):
    said = refusal(json.dumps(config))
    assert call("inspect", write(config), "--json") == call("live", write(config)) == (2, "", f"error: {said}\n")


def test_command_line_and_pages_read_a_larger_model_alike(call, write):
    config = {"model_type": "seer", "text_config": ROWS["qwen3-8b"].config, "vision_config": {"depth": 4}, "image_size": 7}
    taken = intake.take(json.dumps(config), "seer.json")
    status, out, err = call("inspect", write(config, "seer.json"), "--json")
    assert (status, err) == (0, f"note: {taken.note}\n") and json.loads(out) == row(taken.reading)
    assert taken.note.startswith("seer is not known here; the language model in its text_config (qwen3) is counted")


def test_a_language_model_may_stand_two_levels_down():
    """As Qwen's omni models have it: a thinker, which also hears, around the language model."""
    inner = {key: value for key, value in ROWS["qwen3-8b"].config.items() if key != "torch_dtype"}
    thinker = {"model_type": "omni_thinker", "text_config": {**inner, "odd": 1}, "hears": 2, "dtype": "float16"}
    unknown = ("talks", "thinker_config.hears", "thinker_config.text_config.odd")
    config = {"model_type": "omni", "thinker_config": thinker, "talks": 3, intake.ANSWERS: {"without": list(unknown)}}
    taken = intake.understood(config)
    assert taken.reading.spec.layers == ROWS["qwen3-8b"].reading.spec.layers and taken.reading.cache_dtype == "float16"
    assert taken.reading.unknown_fields == unknown
    assert "its thinker_config.text_config (qwen3)" in taken.note


@pytest.mark.parametrize("where", INSIDE)
def test_wrappers_keep_their_language_model_under_several_names(where):
    config = {"model_type": "seer", where: {**LLAMA, "odd": 1}, "vision_config": {}}
    taken = intake.take(json.dumps(config), "", {"without": [f"{where}.odd"]})
    assert taken.reading.spec.layers == ROWS["llama3-8b"].reading.spec.layers
    assert where in taken.note and taken.reading.unknown_fields == (f"{where}.odd",)


@pytest.mark.parametrize(
    "config, file",
    [({"weight_map": {}, "metadata": {}}, "model.safetensors.index.json"), ({"peft_type": "LORA", "r": 8}, "adapter_config"),
     ({"eos_token_id": 2, "transformers_version": "5"}, "generation_config"), ({"dim": 4096, "n_layers": 32}, "params.json"),
     ({"tokenizer_class": "T", "model_max_length": 9}, "tokenizer_config"),
     ({"model": {}, "added_tokens": []}, "tokenizer.json")],
)  # fmt: skip
def test_another_file_of_a_model_is_called_what_it_is(config, file):
    said = refusal(json.dumps(config))
    assert file in said and "config.json" in said


def test_a_web_page_and_a_name_in_quotes():
    assert "web page" in refusal("\n<!DOCTYPE html>\n<html>" + "x" * 500)
    assert "raw/main/config.json" in refusal('"meta-llama/Meta-Llama-3-8B"')


def test_a_cache_that_a_release_quantises_is_not_passed_over():
    group = {"weights": {"type": "float", "num_bits": 8, "strategy": "channel"}}
    told = {"quant_method": "compressed-tensors", "config_groups": {"group_0": group}, "kv_cache_scheme": {"num_bits": 8}}
    for scheme in (told["kv_cache_scheme"], None):
        r = intake.understood({**LLAMA, "quantization_config": {**told, "kv_cache_scheme": scheme}}).reading
        assert r.weight_dtype == "fp8" and ("asks for a cache in 8 bits" in " ".join(r.notes)) == bool(scheme)


def test_models_of_one_name_get_numbers():
    found = intake.numbered([intake.understood(LLAMA), intake.understood(LLAMA), intake.understood(LLAMA, "mine.json")])
    assert [taken.name for taken in found] == ["llama (1)", "llama (2)", "mine"]


@pytest.mark.parametrize(
    "name, own, expected",
    [("my-model.json", None, "my-model"), ("config.json", "org/Best-7B", "Best-7B"), ("config (2).json", None, "llama"),
     ("pasted", "", "llama"), ("x" * 200 + ".json", None, "x" * intake.LONGEST_NAME), ("../a\n b.json", None, "a b")],
)  # fmt: skip
def test_names(name, own, expected):
    config = {**LLAMA, **({} if own is None else {"_name_or_path": own})}
    assert intake.understood(config, name).name == expected


def test_a_report_holds_the_config_the_version_and_the_numbers():
    taken = intake.understood(LLAMA, "mine.json")
    text = intake.report(taken, 1000, 2)
    counted = cost.count(taken.reading.spec, 1000, 2)
    for part in (
        intake.version(),
        str(counted.params_total),
        str(counted.cache_elements),
        "context 1000, batch 2",
        '"hidden_size": 4096',
    ):
        assert part in text


@pytest.mark.parametrize("told", [[], {}, 3, None])
def test_a_wrapper_whose_own_family_is_no_word_is_read_by_the_one_inside(told):
    taken = intake.take(json.dumps({"model_type": told, "text_config": LLAMA}))
    assert taken.reading.spec.layers == ROWS["llama3-8b"].reading.spec.layers and "model_type" in taken.reading.assumed


def wrapped(config: dict) -> dict:
    """A larger model of an unknown family around it."""
    return {"model_type": "wrapper", "text_config": config, "vision_config": {}}


CONFIGS = st.sampled_from([row.config for row in ROWS.values()])
RENAMED = st.builds(lambda config, name: {**config, "model_type": name}, CONFIGS, st.sampled_from(["brandnew", "llama", 3, None]))
GONE_WRONG = st.one_of(CONFIGS, RENAMED, CONFIGS.map(wrapped)).flatmap(lambda config: changed(config, most=3)).map(json.dumps)


@settings(max_examples=200)
@given(GONE_WRONG | JSON.map(json.dumps) | st.text() | st.binary())
def test_whatever_is_handed_in_gives_a_model_or_a_sentence(data):
    try:
        assert intake.version() in intake.report(intake.take(data))
    except SpecError as error:
        assert len(str(error).splitlines()) == 1


# Tables tied outside and inside, and other narrow gates


@pytest.mark.parametrize("version, tied", [("5.2.0", False), ("4.57.1", True), (None, True)])
def test_whether_tables_are_tied_is_said_outside_by_transformers_5_and_inside_before(version, tied):
    inner = {**LLAMA, "tie_word_embeddings": True}
    config = {"model_type": "seer", "text_config": inner, "tie_word_embeddings": False, "transformers_version": version}
    reading = intake.understood(config).reading
    assert reading.spec.tied == tied and "outside and inside and differs" in " ".join(reading.notes)
    assert not intake.understood({**config, "tie_word_embeddings": True}).reading.notes


def test_words_that_files_have_for_what_is_known():
    """The dtype as torch writes it, rope in three directions, activations of two names, the fields of a model that sees."""
    qwen = {**ROWS["qwen2.5-72b"].config, "model_type": "qwen2_vl", "vision_config": {"depth": 3}, "image_token_id": 5}
    qwen |= {"rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]}, "torch_dtype": "torch.bfloat16"}
    reading = intake.understood(qwen | {"hidden_act": "silu"}).reading
    assert (reading.spec.layers, reading.cache_dtype) == (ROWS["qwen2.5-72b"].reading.spec.layers, "bfloat16")
    assert intake.understood({**LLAMA, "hidden_act": "gelu_python"}).reading.spec.layers[0].ffn.activation == "gelu"


def test_infinity_may_stand_inside_a_larger_model():
    inner = json.dumps({**ROWS["nemotron-h-8b"].config, "time_step_limit": [0.0, float("inf")]})
    assert intake.take(f'{{"model_type": "hearer", "text_config": {inner}}}').reading.spec.layers
    assert "finite" in refusal(f'{{"model_type": "hearer", "text_config": {{"{"rms_norm_eps"}": Infinity}}}}')


def test_command_line_and_pages_say_alike_what_is_not_understood(call, write):
    config = {**LLAMA, "fancy_window": 512, "fancy_heads": 3}
    said = refusal(json.dumps(config))
    status, out, err = call("inspect", write(config), "--json")
    assert (status, out) == (2, "") and err.startswith(f"error: {said}")
    assert "fancy_heads, fancy_window are not understood" in said
    row = json.loads(call("inspect", write(config), "--json", "--without", "fancy_heads", "--without", "fancy_window")[1])
    assert (row["params_total"], row["unknown_fields"]) == (8_030_261_248, ["fancy_heads", "fancy_window"])
    assert call("inspect", write(config), "--without", "fancy_heads")[0] == 2
    assert call("live", write(config), "--without", "fancy_heads", "--without", "fancy_window")[0] == 0


def test_what_a_reader_answered_travels_with_the_config():
    """As it does in a link: what was counted without, and bits a weight."""
    config = {**LLAMA, "fancy": 1, "quantization_config": {"quant_method": "new"}}
    taken = intake.take(json.dumps(config), "", {"without": ["fancy"], "weight_dtype": "4.5"})
    again = intake.understood(json.loads(json.dumps(taken.config)))
    assert again.reading == taken.reading and again.reading.weight_dtype == "4.5 bits"
    with pytest.raises(SpecError):
        intake.understood({**config, intake.ANSWERS: {"without": "fancy", "weight_dtype": 5}})
