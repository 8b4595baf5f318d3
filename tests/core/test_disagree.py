"""What naive calculators would say, and that it is named only where it makes a difference: tests/core/test_disagree.py"""

import pytest

from core.count import cost
from core.real import catalogue
from core.real.disagree import reasons
from core.real.hf import reader


def told(key, context=131_072, batch=1):
    return {reason.name: reason for reason in reasons(catalogue.entries()[key].reading, context, batch)}


def test_a_plain_model_has_no_mistakes_to_make():
    config = {
        "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4,
        "torch_dtype": "bfloat16",
    }  # fmt: skip
    assert all(reason.convention for reason in reasons(reader.read(config), 1000))


@pytest.mark.parametrize(
    "key, name, ratio",
    [
        ("qwen3-0.6b", "head width guessed", 1024 / 16 / 128),
        ("gemma3-27b", "head width guessed", 5376 // 32 / 128),
        ("llama3-8b", "sharing ignored", 4),
        ("deepseek-v3", "latents expanded", 128 * (192 + 128) / 576),
        ("deepseek-v3", "latents counted twice", 1024 / 576),
        ("deepseek-v3.2", "scorer forgotten", 576 / 704),
        ("hunyuan-large", "borrowing ignored", 2),
        ("qwen3-next-80b-a3b", "every layer attends", 4),
        ("nemotron-h-8b", "every layer attends", 13),
    ],
)
def test_mistakes_with_the_cache(key, name, ratio):
    assert told(key)[name].ratio == pytest.approx(ratio)


def test_windows_matter_beyond_their_length_only():
    assert "windows ignored" not in told("gpt-oss-20b", 128)
    full, local = 12 * 131_072, 12 * 128
    assert told("gpt-oss-20b")["windows ignored"].ratio == pytest.approx(2 * full / (full + local))


def test_state_is_forgotten_or_halved():
    found = told("qwen3-next-80b-a3b", 4096, batch=2)
    counted = cost.count(catalogue.entries()["qwen3-next-80b-a3b"].reading.spec, 4096, 2)
    assert found["state forgotten"].ours - found["state forgotten"].theirs == counted.state_bytes
    assert found["state in the cache's dtype"].theirs == 2 * counted.state_elements
    assert "state in the cache's dtype" not in told("minimax-m1") and "state forgotten" not in told("llama3-8b")
    assert told("xlstm-7b")["state forgotten"].theirs == 0


def test_weights():
    found = told("deepseek-v3")
    assert found["every expert runs"].theirs == 671_026_404_352
    assert found["buffers counted"].theirs - found["buffers counted"].ours == 58 * 256
    assert told("qwen3-0.6b")["tied table twice"].theirs == 751_632_384
    assert told("gpt-oss-20b")["one dtype for all"].ours == 13_761_264_768
    flash = told("deepseek-v4-flash")["one dtype for all"]
    assert (flash.theirs, flash.ours) == (284_332_230_231, 155_997_040_860) and "to be in fp8" in flash.what
    assert told("deepseek-v4-flash")["GiB written as GB"].ours == flash.ours
    assert "one dtype for all" not in told("llama3-8b") and "every expert runs" not in told("llama3-8b")


def test_what_keeps_no_cache_is_said_to_keep_none():
    assert told("llada-8b")["a cache that is not kept"].ours == 0
    assert not any(reason.subject == "cache" for reason in told("trm-7m").values())


def test_mistakes_come_first_and_the_largest_of_them_first():
    for key in catalogue.entries():
        found = reasons(catalogue.entries()[key].reading, 8192)
        assert [r.convention for r in found] == sorted(r.convention for r in found)
        assert all(r.theirs != r.ours and r.what and r.name for r in found)
    first, second = list(told("deepseek-v3").values())[:2]
    assert first.ratio > second.ratio > 1


def test_a_thousand_tokens_or_1024():
    found = told("llama3-8b")["K is a thousand"]
    assert found.convention and found.ratio == pytest.approx(1000 / 1024)
    assert "K is a thousand" not in told("llama3-8b", 128_000 - 1)
