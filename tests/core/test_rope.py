"""Rotary frequencies at real sizes against transformers' own: python -m pytest tests/core/test_rope.py"""

import copy

import pytest
import torch
from transformers import AutoConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding
from transformers.models.phi3.modeling_phi3 import Phi3RotaryEmbedding
from transformers.utils import logging

from core.errors import SpecError
from core.model.rope import LongRope, Rope
from core.real import catalogue
from core.real.hf import reader

logging.set_verbosity_error()

SIZES = {
    "vocab_size": 64, "hidden_size": 1024, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 8,
    "num_key_value_heads": 8, "max_position_embeddings": 131072, "rope_theta": 500000.0,
}  # fmt: skip
YARN = {"rope_type": "yarn", "factor": 40.0, "original_max_position_embeddings": 4096}
LONG = {
    "rope_type": "longrope",
    "short_factor": [1 + i / 50 for i in range(48)],
    "long_factor": [2 + i for i in range(48)],
    "original_max_position_embeddings": 4096,
}

SCALINGS = {
    "default": {"rope_type": "default"},
    "linear": {"rope_type": "linear", "factor": 4.0},
    "dynamic": {"rope_type": "dynamic", "factor": 4.0},
    "llama3": {
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    },
    "llama3 step": {
        "rope_type": "llama3", "factor": 16.0, "low_freq_factor": 1.0, "high_freq_factor": 1.0,
        "original_max_position_embeddings": 8192,
    },
    "yarn": YARN,
    "yarn betas": {**YARN, "beta_fast": 16.0, "beta_slow": 2.0},
    "yarn untruncated": {**YARN, "truncate": False},
    "yarn mscale": {**YARN, "mscale": 1.0, "mscale_all_dim": 0.7},
    "yarn mscale alone": {**YARN, "mscale": 0.7},
    "yarn attention_factor": {**YARN, "attention_factor": 1.3},
    "yarn tiny original": {**YARN, "original_max_position_embeddings": 4},
}  # fmt: skip


def rope_of(config):
    return next(layer.mixer.rope for layer in reader.read(config).spec.layers if layer.mixer.rope.dim)


def assert_same(ours, theirs):
    frequencies, magnitude = ours.frequencies()
    torch.testing.assert_close(frequencies, theirs.inv_freq, rtol=2e-6, atol=0)
    assert magnitude == pytest.approx(theirs.attention_scaling, rel=1e-6)
    positions = torch.tensor([0, 1, 17, 4095])
    cos, sin = theirs(torch.zeros(1), positions[None])
    for mine, other in zip(ours.angles(positions), (cos, sin)):
        assert (mine - other[0, :, : ours.dim // 2]).abs().max() <= 2e-3  # 4095 radians in float32


def reference(config, rotary=LlamaRotaryEmbedding):
    return rotary(AutoConfig.for_model(**copy.deepcopy(config)))


@pytest.mark.parametrize("name", SCALINGS)
@pytest.mark.parametrize("generation", ["rope_scaling", "rope_parameters"])
def test_frequencies_are_those_of_transformers(name, generation):
    config = {**SIZES, "model_type": "llama", generation: SCALINGS[name]}
    if generation == "rope_parameters":
        config["rope_parameters"] = {**SCALINGS[name], "rope_theta": config.pop("rope_theta")}
    ours = rope_of(config)
    assert ours.dim == 128
    assert_same(ours, reference(config))


@pytest.mark.parametrize("factor", [None, 16.0])
def test_longrope_short_factors_with_partial_rotation(factor):
    scaling = LONG if factor is None else {**LONG, "factor": factor}
    config = {**SIZES, "model_type": "phi3", "partial_rotary_factor": 0.75, "rope_scaling": scaling, "pad_token_id": 0}
    config["original_max_position_embeddings"] = 4096
    ours = rope_of(config)
    assert ours.dim == 96
    assert_same(ours, reference(config, Phi3RotaryEmbedding))


@pytest.mark.parametrize("key", ["llama3.1-405b", "llama3.2-1b", "qwen3-0.6b", "smollm3-3b", "phi-4"])
def test_frequencies_of_real_models(key):
    config = catalogue.entries()[key].config
    assert_same(rope_of(config), reference(config, Phi3RotaryEmbedding if key == "phi-4" else LlamaRotaryEmbedding))


def read_scaling(scaling, **more):
    return rope_of({**SIZES, "model_type": "phi3", "partial_rotary_factor": 0.75, "rope_scaling": scaling, **more})


def test_old_words_for_longrope():
    named = {name: read_scaling({**LONG, "rope_type": name}) for name in ("longrope", "su", "yarn")}
    assert isinstance(named["longrope"].scaling, LongRope)
    assert named["longrope"] == named["su"] == named["yarn"]
    assert read_scaling({"type" if k == "rope_type" else k: v for k, v in LONG.items()}) == named["longrope"]


def test_both_generations_say_the_same():
    old = {**SIZES, "model_type": "llama", "rope_scaling": SCALINGS["llama3"]}
    new = {k: v for k, v in old.items() if not k.startswith("rope_")}
    new["rope_parameters"] = {**SCALINGS["llama3"], "rope_theta": 500000.0}
    assert reader.read(old).spec == reader.read(new).spec
    assert reader.read(new).assumed == reader.read(old).assumed


def test_what_a_nested_object_assumes_and_holds_beyond_is_listed():
    r = reader.read({**SIZES, "model_type": "llama", "rope_scaling": {"rope_type": "yarn", "factor": 2.0, "twist": 3}})
    assert "rope_scaling.twist" in r.unknown_fields
    assert "rope_scaling.original_max_position_embeddings" in r.assumed


@pytest.mark.parametrize(
    "scaling, field",
    [
        ({"rope_type": "spiral"}, "rope_scaling.rope_type"),
        ({"rope_type": 3}, "rope_scaling.rope_type"),
        ({"rope_type": "linear"}, "rope_scaling.factor"),
        ({"rope_type": "linear", "factor": 0}, "rope_scaling.factor"),
        ({**SCALINGS["llama3"], "high_freq_factor": 0.5}, "rope_scaling.high_freq_factor"),
        ({**YARN, "factor": "two"}, "rope_scaling.factor"),
        ({**YARN, "truncate": 1}, "rope_scaling.truncate"),
        ({**LONG, "short_factor": [1.0] * 47}, "rope_scaling.short_factor"),
        ({**LONG, "short_factor": [1.0] * 47 + ["x"]}, "rope_scaling.short_factor"),
        ({**LONG, "short_factor": [1.0] * 47 + [0]}, "rope_scaling.short_factor"),
        ([1], "rope_scaling"),
    ],
)
def test_bad_scaling_is_named(scaling, field):
    with pytest.raises(SpecError, match=rf"^{field} must be"):
        read_scaling(scaling)


# What rotation means


def test_scores_depend_on_distance_alone():
    rope, generator = Rope(16, 100.0), torch.Generator().manual_seed(0)
    q, k = (torch.randn(1, 1, 1, 16, generator=generator).expand(1, 1, 9, 16) for _ in "qk")
    scores = rope.rotate(q, torch.arange(9)) @ rope.rotate(k, torch.arange(9)).transpose(-1, -2)
    for distance in range(-8, 9):
        diagonal = scores[0, 0].diagonal(distance)
        assert (diagonal - diagonal[0]).abs().max() < 1e-5
    assert scores.std() > 0.1


def test_no_rope_and_partial_rope_leave_the_rest_alone():
    x = torch.randn(1, 2, 5, 16, generator=torch.Generator().manual_seed(0))
    assert torch.equal(Rope().rotate(x, torch.arange(5)), x)
    turned = Rope(6).rotate(x, torch.arange(5))
    assert torch.equal(turned[..., 6:], x[..., 6:])
    assert not torch.allclose(turned[..., 1:, :6], x[..., 1:, :6])


def test_an_odd_width_is_refused():
    with pytest.raises(SpecError, match=r"rope\.dim must be even, not 7"):
        Rope(7)
