"""States too large for a control travel as `s=`: python -m pytest tests/app/test_pack.py"""

import base64
import contextlib
import json
import random
import zlib

import pytest

from app import state
from core.errors import SpecError
from core.real import catalogue

EXAMPLE = catalogue.entries()["llama3-8b"].config


def packed(text: bytes) -> str:
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return base64.urlsafe_b64encode(deflate.compress(text) + deflate.flush()).decode().rstrip("=")


@pytest.mark.parametrize(
    "value",
    [EXAMPLE, {}, [], [1, 2], "text", None, 7, True, {**EXAMPLE, "hidden_size": 64}, {**EXAMPLE, "rope_scaling": {"type": "x"}},
     {"=": 1, ">": {"-": [2]}}, {"a": {"b": {"c": None}}}, {**EXAMPLE, "vocab_size": 128256.0}, ["=", 3]],
)  # fmt: skip
def test_what_goes_in_comes_out(value):
    back = state.unpack(state.pack(value, EXAMPLE), EXAMPLE)
    assert json.dumps(back, sort_keys=True) == json.dumps(value, sort_keys=True)


@pytest.mark.parametrize("key", ["deepseek-v3", "gemma3-4b", "nemotron-h-8b", "granite-4.0-h-small"])
def test_a_change_inside_is_small(key):
    config = catalogue.entries()[key].config
    text = state.pack({**config, "vocab_size": 1234}, config)
    assert len(text) < 80 and state.unpack(text, config) == {**config, "vocab_size": 1234}


def test_every_config_of_the_catalogue_fits_beside_another():
    assert all(len(state.pack(entry.config, {})) <= state.PACKED for entry in catalogue.entries().values())


@pytest.mark.parametrize(
    "text",
    ["", "!", "AAAA", "a" * 5000, "é" * 8, packed(b"{"), packed(b'["=",1],"x":2'), packed(b'{"x": 1}'), packed(b"[]"),
     packed(b'{"=": 3}'), packed(b'["=",NaN]'), packed(b'["=",' + b"[" * 40 + b"]" * 40 + b"]"),
     packed(b'{">": {"model_type": {"=": {}}}}'), packed(b'["=", "' + b"a" * (1 << 20) + b'"]')],
)  # fmt: skip
def test_nonsense_is_one_sentence(text):
    with pytest.raises(SpecError) as error:
        state.unpack(text, EXAMPLE)
    assert "\n" not in str(error.value)


def test_random_bytes_never_do_more_than_a_sentence():
    rng, good = random.Random(0), state.pack({**EXAMPLE, "hidden_size": 64}, EXAMPLE)
    for _ in range(400):
        data = bytearray(base64.urlsafe_b64decode(good + "=" * (-len(good) % 4)))
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        with contextlib.suppress(SpecError):
            state.unpack(base64.urlsafe_b64encode(bytes(data)).decode(), EXAMPLE)
