"""Designs: JSON and back, brushes, painting, patterns, sizes: python -m pytest tests/core/test_design.py"""

import copy
import json
import pickle
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.count import cost
from core.errors import SpecError
from core.lessons import card
from core.lessons import workbench as lesson
from core.model.blocks import Norm, Reach
from core.model.mixers.attention import Temperature
from core.model.registry import EXAMPLES, PARTS
from core.model.rope import NoScaling, Rope
from core.model.spec import Layer, ModelSpec, Recursion, Scales
from core.real import catalogue, intake
from core.real.hf import reader
from core.shape import design
from tests.strategies import JSON, WRONG, changed

ROWS = catalogue.entries()
LLAMA, DEEPSEEK, GEMMA = (ROWS[key].reading.spec for key in ("llama3-8b", "deepseek-v3", "gemma3-27b"))


def brush(spec, letter):
    return next(b for b in design.brushes(spec) if b.letter == letter)


def through_json(spec):
    return design.spec_of(json.loads(json.dumps(design.as_json(spec))))


@pytest.mark.parametrize("key", ROWS)
def test_every_model_is_the_same_after_json(key):
    assert through_json(ROWS[key].reading.spec) == ROWS[key].reading.spec


@pytest.mark.parametrize("spec", [s for s in EXAMPLES], ids=lambda s: s.name)
def test_every_example_is_the_same_after_json(spec):
    assert through_json(spec) == spec


@pytest.mark.parametrize("key", ROWS)
def test_brushes_have_letters_of_their_own_and_say_the_strip(key):
    spec = ROWS[key].reading.spec
    found = design.brushes(spec)
    assert len({(b.slot, b.letter) for b in found}) == len(found)
    assert "?" not in "".join(design.letters(spec).values())
    for slot in ("mixer", "ffn"):
        assert all(b.letter.isupper() == (slot == "mixer") for b in found if b.slot == slot)


def test_painting_changes_these_layers_alone():
    spec = design.paint(LLAMA, 4, 9, brush(LLAMA, "D"))
    assert design.letters(spec)["mixer"] == "G" * 4 + "D" * 6 + "G" * 22
    assert spec.layers[:4] == LLAMA.layers[:4] and spec.layers[10:] == LLAMA.layers[10:]
    assert all(layer.ffn == LLAMA.layers[0].ffn for layer in spec.layers)
    assert design.paint(LLAMA, 9, 4, brush(LLAMA, "D")) == spec


def test_painted_windows_shrink_the_cache_as_they_should():
    spec = design.pattern(LLAMA, "LLLLLG")
    window = brush(LLAMA, "L").part.reach.size
    kept = sum(8 * 256 * (min(100_000, window) if letter == "L" else 100_000) for letter in design.letters(spec)["mixer"])
    assert cost.count(spec, 100_000).cache_elements == kept


@pytest.mark.parametrize("text", ["GL", "LLLLLG", "D", "DDDG", "MMA"])
def test_patterns_repeat_and_are_cut(text):
    assert design.letters(design.pattern(LLAMA, text))["mixer"] == (text * 32)[:32]


def test_small_letters_paint_feed_forward_parts():
    spec = design.pattern(LLAMA, "ddde")
    assert design.letters(spec) == {"mixer": "G" * 32, "ffn": "ddde" * 8}


@pytest.mark.parametrize("text", ["", "?", "G?", "Gd", "1", "é", "LLLLLG " * 3])
def test_a_pattern_that_is_none_says_which_letters_there_are(text):
    with pytest.raises(SpecError, match="pattern must be made of the letters"):
        design.pattern(LLAMA, text)


def test_an_empty_layer_is_refused():
    without = design.pattern(LLAMA, "n")
    with pytest.raises(SpecError, match="layer 3 would be empty"):
        design.paint(without, 2, 2, brush(without, "N"))


def test_only_the_first_rwkv_layer_is_the_first():
    spec = design.paint(LLAMA, 3, 5, brush(LLAMA, "R"))
    assert [layer.mixer.first for layer in spec.layers[3:6]] == [True, False, False]
    spec = design.paint(spec, 1, 1, brush(LLAMA, "R"))
    assert [spec.layers[i].mixer.first for i in (1, 3, 4)] == [True, False, False]


def test_what_a_layer_takes_from_another_must_be_there():
    hunyuan = ROWS["hunyuan-large"].reading.spec
    with pytest.raises(SpecError, match="layer 2 borrows"):
        design.paint(hunyuan, 0, 0, brush(hunyuan, "D"))


@pytest.mark.parametrize(
    "key", ["llama3-8b", "deepseek-v3", "gemma3-27b", "gpt-oss-20b", "nemotron-3-nano-30b-a3b", "deepseek-v3.2"]
)
def test_every_painted_design_is_counted_as_its_twin_measures(key):
    spec = ROWS[key].reading.spec
    for letter in "GLADMRC":
        painted = design.paint(spec, len(spec.layers) // 2, len(spec.layers) - 1, brush(spec, letter))
        ran = lesson.scene(painted, lesson.EXAMPLES["Story"]).live
        assert ran.params_counted == ran.params_measured and ran.decode_max_abs_diff <= lesson.BOUND
        assert ran.cache_elements_counted == ran.cache_elements_measured
        assert ran.state_elements_counted == ran.state_elements_measured


# Sizes


@pytest.mark.parametrize("key", ROWS)
def test_a_size_that_stays_changes_nothing(key):
    spec = ROWS[key].reading.spec
    assert all(design.resize(spec, size, n) == spec for size, n in design.sizes(spec).items())


@pytest.mark.parametrize(
    "size, n, config",
    [("kv", 4, {"num_key_value_heads": 4}), ("width", 2048, {"hidden_size": 2048, "head_dim": 128}),
     ("vocab", 1000, {"vocab_size": 1000}), ("hidden", 512, {"intermediate_size": 512}),
     ("depth", 40, {"num_hidden_layers": 40}), ("depth", 3, {"num_hidden_layers": 3}),
     ("heads", 64, {"num_attention_heads": 64, "head_dim": 128}), ("head", 64, {"head_dim": 64})],
)  # fmt: skip
def test_a_size_does_what_the_config_s_field_would(size, n, config):
    entry = ROWS["llama3-8b"]
    assert design.resize(LLAMA, size, n) == reader.read({**entry.config, **config}, entry.name).spec


@pytest.mark.parametrize(
    "size, n, config",
    [("rank", 256, {"kv_lora_rank": 256}), ("experts", 512, {"n_routed_experts": 512}), ("top_k", 4, {"num_experts_per_tok": 4}),
     ("expert", 1024, {"moe_intermediate_size": 1024}), ("depth", 70, {"num_hidden_layers": 70})],
)  # fmt: skip
def test_the_same_on_latents_and_experts(size, n, config):
    entry = ROWS["deepseek-v3"]
    expected = reader.read({**entry.config, **config}, entry.name).spec
    found = design.resize(DEEPSEEK, size, n)
    if size == "expert":  # the config's field widens the shared expert as well, which has a field of its own here
        found = design.resize(found, "shared", n)
    assert found == expected


def test_depth_goes_on_in_the_rhythm_of_the_layers():
    entry = ROWS["gemma3-27b"]
    longer = design.letters(design.resize(GEMMA, "depth", 70))["mixer"]
    assert longer == (("LLLLLG") * 12)[:70]
    assert design.resize(design.resize(GEMMA, "depth", 70), "depth", 62) == GEMMA == entry.reading.spec


@pytest.mark.parametrize(
    "size, n, said",
    [("kv", 5, "kv_heads must divide"), ("width", 0, "width"), ("heads", 33, "kv_heads must divide"), ("depth", 10**6, "layers"),
     ("vocab", 10**9, "vocab")],
)  # fmt: skip
def test_a_size_that_cannot_be_is_refused_in_the_spec_s_own_words(size, n, said):
    with pytest.raises(SpecError, match=said):
        design.resize(LLAMA, size, n)


# JSON gone wrong


PLAIN = [
    design.as_json(ROWS[key].reading.spec)
    for key in ("llama3-8b", "deepseek-v3.2", "falcon-h1-7b", "gemma4-26b-a4b", "nemotron-h-8b")
]
ODD = st.integers(1, 64) | WRONG | st.sampled_from([{"is": "Full"}, {"is": "os.system"}, [1, 2], "9999*0"])


@given(JSON)
def test_what_is_no_design_is_one_sentence(value):
    with pytest.raises(SpecError) as error:
        design.spec_of(value)
    assert len(str(error.value).splitlines()) == 1


@settings(max_examples=500)
@given(st.sampled_from(PLAIN).flatmap(lambda start: changed(start, ODD)))
def test_a_design_with_a_place_gone_wrong_is_a_spec_or_a_sentence(text):
    try:
        spec = design.spec_of(text)
    except SpecError as error:
        assert len(str(error).splitlines()) == 1 and len(str(error)) < 400
    else:
        cost.count(spec, 1000)
        card.alive(spec)


# Configs


@pytest.mark.parametrize("key", ["llama3-8b", "deepseek-v3", "gemma3-27b", "qwen3-30b-a3b", "mixtral-8x7b", "qwen3.5-397b-a17b"])
def test_a_config_that_is_offered_reads_back_as_the_design(key):
    start = lesson.start(key)
    for size, n in (("depth", 40), ("vocab", 50_000)):
        d = lesson.repainted(start, design.resize(start.spec, size, n))
        config, _ = lesson.config(d)
        assert config is not None and reader.read(config, d.spec.name).spec == d.spec


def test_no_config_is_offered_where_no_family_can_say_it():
    start = lesson.start("llama3-8b")
    config, said = lesson.config(lesson.repainted(start, design.pattern(start.spec, "DDDG")))
    assert config is None and "no family" in said


@pytest.mark.parametrize("key", ["llama3-8b", "deepseek-v3", "nemotron-h-8b", "minimax-m1"])
def test_the_printed_call_makes_the_spec(key):
    spec = ROWS[key].reading.spec
    above = (Layer, ModelSpec, Recursion, Scales, Norm, Rope, Temperature)
    names = {c.__name__: c for c in (*PARTS, *design.accepted(Reach), *design.accepted(NoScaling), *above)}
    exec(lesson.call(spec), names)
    assert names["spec"] == spec


def test_a_cutaway_file_opens_again_and_a_config_is_none():
    start = lesson.start("gemma3-27b")
    d = lesson.repainted(start, design.pattern(start.spec, "DDDG"))
    assert lesson.cutaway(lesson.cutaway_file(d)) == d.spec
    assert lesson.cutaway(json.dumps(start.config)) is None
    with pytest.raises(SpecError):
        lesson.cutaway('{"cutaway": "0.1", "kinds": [], "strip": ""}')


# Deep designs


def test_layers_alike_stay_one_object_whatever_is_done():
    deep = design.resize(design.blank(), "depth", 600)
    b = {b.letter: b for b in design.brushes(deep)}
    painted, patterned = design.paint(deep, 10, 500, b["R"]), design.pattern(deep, "LLLG")
    for spec in (deep, painted, patterned, design.resize(deep, "hidden", 4096), deep.causal()):
        assert len(set(map(id, spec.layers))) == len(set(spec.layers)) <= 4


def test_a_hash_is_computed_once_and_does_not_leave_the_process():
    spec = design.resize(design.blank(), "depth", 600)
    again = pickle.loads(pickle.dumps(spec))
    assert hash(spec) == hash(again) and spec == again and "_hash" in vars(spec) and "_hash" not in spec.__getstate__()
    assert repr(spec) == repr(again) and replace(spec, name="b") != spec and "_hash" not in vars(replace(spec, name="b"))
    assert copy.deepcopy(spec) == spec


OTHER = "qwen3-8b"
OWN = intake.understood({**catalogue.entries()[OTHER].config, "num_hidden_layers": 7}, "mine")
PAINTED = lesson.repainted(lesson.start("llama3-8b"), design.pattern(lesson.start("llama3-8b").spec, "DDDG"))
LINKED = lesson.repainted(lesson.start("llama3-8b"), design.pattern(lesson.start("llama3-8b").spec, "DG"))
BASE, HIS, SPEC = lesson.start("llama3-8b"), lesson.start("llama3-8b", OWN), lesson.Design("llama3-8b", PAINTED.spec)


@pytest.mark.parametrize(
    "held, base, handed, is_new, link, is_cleared, expected",
    [
        (None, "llama3-8b", None, False, None, False, BASE),  # a session begins
        (PAINTED, "llama3-8b", None, False, None, False, PAINTED),  # nothing happened
        (PAINTED, OTHER, None, False, None, False, lesson.start(OTHER)),  # another base was chosen
        (PAINTED, "llama3-8b", OWN, True, None, False, HIS),  # a config was handed in
        (HIS, "llama3-8b", PAINTED.spec, True, None, False, SPEC),  # a Cutaway file was handed in
        (PAINTED, "llama3-8b", OWN, False, None, False, PAINTED),  # it was painted on since
        (HIS, OTHER, OWN, False, None, False, lesson.start(OTHER)),  # a base was chosen after that
        (HIS, "llama3-8b", None, True, None, False, BASE),  # the config was taken away
        (PAINTED, "llama3-8b", OWN, True, LINKED, False, LINKED),  # a link was opened: it goes before everything
        (None, "llama3-8b", None, False, LINKED, False, LINKED),
        (PAINTED, "llama3-8b", None, False, None, True, BASE),  # an address without a design was opened
    ],
)
def test_what_a_session_shows_next(held, base, handed, is_new, link, is_cleared, expected):
    assert lesson.next_design(held, base, handed, is_new, link, is_cleared) == expected
