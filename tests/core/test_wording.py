"""Fields in words: python -m pytest tests/core/test_wording.py"""

import re
from dataclasses import replace

import pytest

from core.errors import SpecError
from core.model.ffn.moe import MoE
from core.model.spec import Layer
from core.paths import ROOT
from core.real import catalogue
from core.shape import wording


@pytest.mark.parametrize(
    "sentence, words",
    [
        ("attention.kv_heads must divide attention.heads (33)", "KV heads must divide query heads (33)"),
        ("moe.top_k must be at most 8", "the experts of a token must be at most 8"),
        ("attention.rope.dim must be even", "the numbers that rope turns must be even"),
        ("mamba.kernel must be at least 2", "taps of its convolution of Mamba must be at least 2"),
        ("heads must be at most 8 times kv_heads (4)", "heads must be at most 8 times KV heads (4)"),
        ("layer.mixer and layer.ffn are both absent", "the mixer and the feed-forward part are both absent"),
    ],
)
def test_fields_are_called_by_their_words(sentence, words):
    assert wording.readable(sentence) == words


@pytest.mark.parametrize(
    "sentence",
    [
        "num_key_value_heads must divide num_attention_heads", "text_config.rope_parameters.rope_theta must be a number",
        "'attention.md' is no config", "kinds.mixer.is must be one of Attention", "num_kv_heads must be 1",
        "(missing: model.norm.weight)", "(left over: layers.0.moe.gate.weight)",
    ],
)  # fmt: skip
def test_names_of_a_config_stay_as_they_are(sentence):
    assert wording.readable(sentence) == sentence


def test_every_part_that_an_error_names_has_a_word():
    named = set()
    alone = map(ROOT.joinpath, ("core/model/blocks.py", "core/model/spec.py", "core/model/rope.py"))
    for file in [*(ROOT / "core/model/mixers").glob("*.py"), *(ROOT / "core/model/ffn").glob("*.py"), *alone]:
        named |= set(re.findall(r'(?:whole|number|flag|one_of|divides|SpecError)\(f?"([a-z_0-9]+)\.', file.read_text()))
    assert named <= set(wording.PARTS), named - set(wording.PARTS)


def test_a_real_refusal():
    layer = catalogue.entries()["llama3-8b"].reading.spec.layers[0]
    with pytest.raises(SpecError) as refused:
        replace(layer, mixer=replace(layer.mixer, heads=33))
    assert wording.readable(str(refused.value)).startswith("KV heads must divide query heads (33)")
    with pytest.raises(SpecError) as refused:
        Layer(layer.mixer, MoE(8, 9, 64))
    assert "moe." not in wording.readable(str(refused.value))
