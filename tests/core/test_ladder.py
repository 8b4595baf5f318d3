"""Layers as rungs and as repeated blocks, against the calculator and a slow search."""

import itertools
import time
from dataclasses import replace

import numpy as np
import pytest

from app.palette import HUES
from core.count import cost
from core.model.blocks import Window
from core.model.registry import BASE, EXAMPLES, EXPERTS, FFN, small
from core.model.spec import Layer
from core.real import catalogue
from core.shape import ladder

KEYS = list(catalogue.entries())
CONTEXT = 5000


def spec(key):
    return catalogue.entries()[key].reading.spec


@pytest.mark.parametrize("key", KEYS)
def test_rungs_add_up_to_the_model(key):
    s, counted = spec(key), cost.count(spec(key), CONTEXT)
    rungs = ladder.rungs(s, CONTEXT)
    assert [r.index for r in rungs] == list(range(len(s.layers)))
    assert [r.kind for r in rungs] == [c.kind for c in counted.layers]
    for field in ("params", "active"):
        assert [getattr(r, field) for r in rungs] == [getattr(c, field) for c in counted.layers]
    if s.decoding != "recursion":
        assert sum(r.cache for r in rungs) == counted.cache_elements
        assert sum(r.state for r in rungs) == counted.state_elements
        assert sum(r.written for r in rungs) == cost.count(s, 1).cache_elements


@pytest.mark.parametrize("s", [*(spec(key) for key in KEYS), *EXAMPLES], ids=lambda s: s.name)
def test_every_layer_has_labels_and_hues_and_stands_in_one_block(s):
    rungs = ladder.rungs(s, CONTEXT)
    for r, layer in zip(rungs, s.layers):
        assert r.mixer == "none" if layer.mixer is None else r.mixer not in ("", "none", type(layer.mixer).__name__)
        assert r.ffn == "none" if layer.ffn is None else r.ffn not in ("", "none")
        assert r.hue in (*HUES, "soft") and r.ffn_hue in (*HUES, "soft", "")
    blocks, names = ladder.folded(s), ladder.names(s)
    assert unfolded(blocks) == names
    assert [b.start for b in blocks] == [0, *itertools.accumulate(b.size * b.times for b in blocks)][:-1]


def unfolded(blocks) -> list[str]:
    """The layers that blocks stand for, one by one."""
    return [name for b in blocks for _ in range(b.times) for count, name in b.parts for _ in range(count)]


@pytest.mark.parametrize(
    "key, said",
    [
        ("gemma3-27b", "10 × (5 local + 1 global) + 2 local"),
        ("qwen3-next-80b-a3b", "12 × (3 delta + 1 attention)"),
        ("deepseek-v3", "3 dense + 58 MoE"),
        ("llama3-8b", "32 × GQA 32/8"),
        ("mistral-7b-v0.1", "32 × GQA 32/8, window 4,096"),
        ("smollm3-3b", "9 × (3 attention + 1 attention without rope)"),
        ("hunyuan-large", "32 × (1 attention + 1 shared K/V)"),
        ("falcon-h1-7b", "44 × GQA 12/2 ∥ Mamba-2"),
        ("kimi-k2", "1 dense + 60 MoE"),
        ("minimax-m1", "10 × (7 lightning + 1 attention)"),
        ("mimo-v2-flash", "1 global dense + 4 local MoE + 1 global MoE + 7 × (5 local MoE + 1 global MoE)"),
    ],
)
def test_models_fold_as_their_papers_describe_them(key, said):
    assert ladder.blocks_text(ladder.folded(spec(key))) == said


@pytest.mark.parametrize(
    "key, mixer, ffn",
    [
        ("llama3-8b", "GQA 32/8", "SwiGLU 14,336"),
        ("gpt2-small", "MHA 12", "GELU 3,072"),
        ("gemma3-1b", "MQA 4/1, window 512", "GeGLU 6,912"),
        ("deepseek-v3", "MLA 512+64", "MoE 8 of 256 + 1"),
        ("deepseek-v3.2", "MLA 512+64, top 2,048", "MoE 8 of 256 + 1"),
        ("qwen3-next-80b-a3b", "Gated DeltaNet", "MoE 10 of 512 + 1"),
        ("mamba2-2.7b", "Mamba-2", "none"),
        ("hunyuan-large", "shared K/V, GQA 80/8", "MoE 1 of 16 + 1"),
        ("llama4-scout", "GQA 40/8, no rope", "MoE 1 of 16 + 1"),
    ],
)
def test_a_layer_is_labelled_by_what_it_is(key, mixer, ffn):
    assert (mixer, ffn) in {(r.mixer, r.ffn) for r in ladder.rungs(spec(key), 1)}


def test_layers_that_differ_in_size_alone_are_told_apart():
    wide, narrow = Layer(BASE, FFN), Layer(replace(BASE, kv_heads=1), replace(FFN, hidden=48))
    assert ladder.blocks_text(ladder.folded(small("two", wide, narrow))) == "1 GQA 4/2 + 1 MQA 4/1"
    windows = small("windows", Layer(replace(BASE, reach=Window(5)), EXPERTS), Layer(replace(BASE, reach=Window(7)), EXPERTS))
    assert ladder.blocks_text(ladder.folded(windows)) == "1 GQA 4/2, window 5 + 1 GQA 4/2, window 7"


def price(found, codes):
    """Cost of a description: runs of equal layers in each block, and one for repeating a block of more than one layer."""
    total, at = 0, 0
    for period, times in found:
        block = codes[at : at + period]
        assert (np.tile(block, times) == codes[at : at + period * times]).all()
        total += 1 + int((block[1:] != block[:-1]).sum()) + (times > 1)
        at += period * times
    assert at == len(codes)
    return total


def cheapest(codes) -> int:
    """The same by trying every block at every place."""
    best = [0] * (len(codes) + 1)
    for i in range(len(codes) - 1, -1, -1):
        options = []
        for period in range(1, len(codes) - i + 1):
            block, times = codes[i : i + period], 1
            while True:
                runs = 1 + sum(a != b for a, b in zip(block, block[1:]))
                options.append(runs + (times > 1 and period > 1) + best[i + period * times])
                if codes[i + period * times : i + period * (times + 1)] != block:
                    break
                times += 1
        best[i] = min(options)
    return best[0]


def test_the_description_is_as_short_as_an_exhaustive_search_finds():
    rng = np.random.default_rng(0)
    worse = 0
    for _ in range(200):
        codes = rng.integers(0, 2 + rng.integers(2), rng.integers(1, 15))
        mine, best = price(ladder.shortest(codes), codes), cheapest(codes.tolist())
        assert mine >= best
        worse += mine > best
    assert worse <= 4, "a block repeats as often as it can, which may cost one part more"


def test_repeats_are_counted_as_by_hand():
    codes = np.array([0, 1, 0, 1, 0, 2, 2])
    assert ladder.repeated(codes, 2).tolist() == [2, 2, 1, 1, 1, 1]
    assert ladder.repeated(codes, 1).tolist() == [1, 1, 1, 1, 1, 2, 1]
    assert ladder.repeated(codes, 7).tolist() == [1]


def test_the_deepest_model_folds_quickly():
    start = time.perf_counter()
    blocks = ladder.folded(small("deep", *((Layer(BASE, EXPERTS), Layer(BASE, FFN)) * 2048)))
    assert ladder.blocks_text(blocks) == "2048 × (1 MoE + 1 dense)" and time.perf_counter() - start < 20
