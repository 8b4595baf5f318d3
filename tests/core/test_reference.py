"""Counted by the class of transformers: against what is counted natively, against published counts, and what is refused."""

import os
import signal

import pytest

from core.count import cost
from core.errors import SpecError
from core.real import catalogue
from core.real.reference import count as reference

SMALL = {"hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 512}
GRANITE = {**SMALL, "model_type": "granite", "num_hidden_layers": 5, "tie_word_embeddings": False}
RELEASED = "gpt2-small llama3.2-1b gemma3-1b gemma3-12b mixtral-8x7b deepseek-v2-lite qwen3-next-80b-a3b gpt-oss-20b".split()


@pytest.mark.parametrize("key", RELEASED)
def test_two_ways_of_counting_agree(key):
    """A family that is read here and run against its reference is counted by the class to the same digit, its cache below and
    beyond every window."""
    entry = catalogue.entries()[key]
    found = reference.count(entry.config)
    for context in (100, 1000, 100_000):
        own = cost.count(entry.reading.spec, context)
        assert (found.parameters, found.active) == (own.params_total, own.params_active)
        assert found.cache_elements(context) == own.cache_elements


def test_a_model_that_sees_is_counted_for_its_language_model():
    """Gemma 3 12B: what sees is told beside it."""
    found = reference.count(catalogue.entries()["gemma3-12b"].config)
    assert found.whole > found.parameters
    assert found.modules.parameters == found.whole


def test_granite_by_hand():
    """A family that is not read here: every matrix of a small one, tied and untied."""
    layer = 64 * 64 * 2 + 64 * 32 * 2 + 3 * 64 * 128 + 2 * 64
    found = reference.count(GRANITE)
    assert found.parameters == 2 * 512 * 64 + 5 * layer + 64
    assert reference.count({**GRANITE, "tie_word_embeddings": True}).parameters == found.parameters - 512 * 64
    assert (found.cache_elements(1000), found.state_elements) == (5 * 2 * 32 * 1000, 0)
    assert found.kind == "GraniteForCausalLM"


def test_equal_modules_are_folded_and_nothing_is_lost():
    """Five equal layers are one line, five times; the tree sums to the whole."""

    def summed(module) -> int:
        return max(module.parameters, sum(part.times * summed(part) for part in module.inside))

    found = reference.count(GRANITE)
    assert summed(found.modules) == found.modules.parameters == found.whole
    layers = next(part for part in found.modules.inside[0].inside if part.name == "layers")
    assert [(part.kind, part.times) for part in layers.inside] == [("GraniteDecoderLayer", 5)]


def test_experts_that_are_not_chosen_are_not_active():
    """Of eight experts two are chosen: six of them are not passed through."""
    config = {**SMALL, "model_type": "granitemoe", "num_hidden_layers": 2, "num_local_experts": 8, "num_experts_per_tok": 2}
    found = reference.count(config)
    assert found.parameters - found.active == 2 * 6 * 3 * 64 * 128


@pytest.mark.parametrize(
    "config, words",
    [
        ({"model_type": "nonsense"}, "has no class"),
        ({"model_type": "nonsense", "auto_map": {"AutoConfig": "x.Y"}}, "has no class"),
        ({}, "has no class"),
        ({**GRANITE, "hidden_size": "wide"}, "refuses this config"),
        ({**GRANITE, "hidden_size": 1 << 60}, "refuses this config"),
        ({**GRANITE, "hidden_size": 1 << 80}, "refuses this config"),
        ({**GRANITE, "num_hidden_layers": 4096}, "at most 1,024"),
        ({"model_type": "mllama", "text_config": {"num_hidden_layers": 4096}}, "at most 1,024"),
        ({**GRANITE, "num_hidden_layers": -1, "layer_types": [[]] * 9}, ""),
        ({"model_type": "mamba", "num_hidden_layers": 900, "state_size": 1 << 20}, ""),
    ],
    ids=str,
)
def test_what_cannot_be_counted_is_refused_in_one_sentence(config, words):
    """Whatever a config asks for, an answer or a sentence comes back, and the next config is counted."""
    try:
        found = reference.count(config)
        assert not words and found.parameters >= 0
    except SpecError as error:
        assert words in str(error) and "\n" not in str(error) and len(str(error)) < 300
    assert reference.count(GRANITE).kind == "GraniteForCausalLM"


def test_a_model_that_is_too_slow_to_build_is_given_up():
    """A thousand layers with every feature: the process ends the attempt and goes on."""
    with pytest.raises(SpecError, match="takes longer than"):
        reference.count({"model_type": "jamba", "num_hidden_layers": 1024})
    assert reference.count(GRANITE).parameters


def test_nothing_of_a_config_chooses_code():
    """Kernels, remote classes, quantisation and private fields change neither what is run nor the count."""
    strange = {
        "auto_map": {"AutoModelForCausalLM": "evil--modeling.Evil"},
        "_attn_implementation": "somebody/kernels",
        "attn_implementation": "somebody/kernels",
        "experts_implementation": "somebody/kernels",
        "quantization_config": {"quant_method": "somebody"},
        "_name_or_path": "somebody/model",
    }
    assert reference.count({**GRANITE, **strange}).parameters == reference.count(GRANITE).parameters


def test_a_field_that_the_class_does_not_know_is_named(call, write):
    """Neither a model inside nor one alone is counted as if such a field said nothing: it is listed; and where the family is read
    here, the refusal stands unless the class knows the field."""
    assert reference.count({**GRANITE, "moe_latent": 3, "rope_theta": 1e6}).strange == ("moe_latent",)
    gemma = catalogue.entries()["gemma3-12b"].config
    assert "text_config.fancy" in reference.count({**gemma, "text_config": {**gemma["text_config"], "fancy": 1}}).strange
    llama = catalogue.entries()["llama3-8b"].config
    status, _, error = call("inspect", write({**llama, "fancy_heads": 3}))
    assert status == 2 and "fancy_heads is not understood" in error


def test_a_process_that_died_is_started_again():
    """Killed between two questions, the worker is replaced; in the middle of one, a sentence says so."""
    reference.count(GRANITE)
    os.kill(reference.WORKER.process.pid, signal.SIGKILL)
    reference.WORKER.process.wait()
    assert reference.count({**GRANITE, "vocab_size": 600}).parameters


def test_the_worker_reads_nothing_from_the_network():
    """Its environment says so to every library it imports."""
    from core.real.reference.worker import OFFLINE

    assert {OFFLINE["HF_HUB_OFFLINE"], OFFLINE["TRANSFORMERS_OFFLINE"]} == {"1"}
