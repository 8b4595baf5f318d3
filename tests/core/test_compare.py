"""How models differ: fields, counts and crossovers, against the calculator and a search token by token."""

import itertools
import json
import re
from dataclasses import replace

import pytest

from core.count import cost
from core.lessons import card
from core.lessons.compare import crossings as solved
from core.lessons.compare import fields, words
from core.lessons.compare import lesson as compare
from core.model.blocks import Chunk, Window
from core.model.mixers.compressed import Compressed
from core.model.mixers.delta import KimiDelta
from core.model.registry import BASE, EXAMPLES, FFN, MLA, small
from core.model.spec import Layer
from core.real import catalogue, intake

CONTEXT = 131072
KEYS = list(catalogue.entries())
PAIRS = [("llama3-8b", "gemma3-12b"), ("qwen3-30b-a3b", "qwen3-next-80b-a3b"), ("deepseek-v3", "deepseek-v3.2")]


def made(spec, **settings) -> compare.Side:
    """A side of a small model."""
    return compare.Side(spec.name, "", spec, 4096, "bfloat16", "bfloat16", "float32", **settings)


@pytest.mark.parametrize("key", KEYS)
def test_the_quick_counts_are_the_calculators(key):
    s = compare.side(key)
    for n in (1, 2, 129, 1000, 4097, CONTEXT) if s.keeps else ():
        c = cost.count(s.spec, n, 1, s.weight_dtype, s.cache_dtype, s.state_dtype)
        assert compare.sequence_bytes(s, n) == c.cache_bytes + c.state_bytes
        assert compare.arithmetic(s, n) == c.flops_per_token


# Crossovers


def swaps(a, b, quantity, highest) -> list[int]:
    """Every token from which on another one is strictly the cheaper, by looking at all of them."""
    f, found, last = compare.QUANTITIES[quantity], [], 0
    for n in range(1, highest + 1):
        sign = (f(a, n) > f(b, n)) - (f(a, n) < f(b, n))
        if sign and last and sign != last:
            found.append(n)
        last = sign or last
    return found


STEPPED = [
    made(small("windows", Layer(replace(BASE, reach=Window(300)), FFN), Layer(BASE, FFN))),
    made(small("chunks", *(Layer(replace(BASE, reach=Chunk(64), kv_heads=4), FFN),) * 3)),
    made(small("full", Layer(replace(BASE, kv_heads=1), FFN), Layer(BASE, FFN))),
    made(small("latent", *(Layer(MLA, FFN),) * 3)),
    made(small("packed", *(Layer(Compressed(4, 16, 8, 2, 8, 40, 16, True, 2, 4, 6), FFN),) * 2)),
    made(small("coarse", *(Layer(Compressed(4, 24, 8, 2, 8, 30, 32), FFN),) * 3)),
    *(made(spec) for spec in EXAMPLES if spec.name in ("gated-delta", "mamba-2", "falcon-like")),
]


@pytest.mark.parametrize("a, b", list(itertools.combinations(STEPPED, 2)), ids=lambda s: s.name)
@pytest.mark.parametrize("quantity", compare.QUANTITIES)
def test_a_crossover_is_found_where_a_search_of_every_token_finds_it(a, b, quantity):
    assert [n for n in solved.crossings(a, b, quantity) if n <= 3000] == swaps(a, b, quantity, 3000)


def test_a_window_between_powers_of_two_is_a_kink_of_its_own():
    """Both crossovers lie between 256 and 512 tokens, one on each side of the window of 300."""
    a = made(small("state", Layer(BASE, FFN), Layer(KimiDelta(13, 16), FFN)))
    b = made(small("window", Layer(replace(BASE, kv_heads=4, reach=Window(300)), FFN)))
    first, last = solved.crossings(a, b, "kept")
    assert 256 < first < 300 < last < 512 and [first, last] == swaps(a, b, "kept", 1000)
    assert words.cheaper(a, b, "kept") == (
        f"state takes less memory for a sequence from {first:,} to {last - 1:,} tokens, window below and above."
    )


@pytest.mark.parametrize("a, b", PAIRS)
@pytest.mark.parametrize("quantity", compare.QUANTITIES)
def test_before_a_crossover_one_is_cheaper_and_from_it_on_the_other(a, b, quantity):
    a, b, f = compare.side(a), compare.side(b), compare.QUANTITIES[quantity]
    found = solved.crossings(a, b, quantity)
    assert found == solved.crossings(b, a, quantity)
    for n in found:
        assert (f(a, n) < f(b, n)) != (f(a, n - 1) < f(b, n - 1)) or f(a, n - 1) == f(b, n - 1)


def test_gemma_3_keeps_less_than_llama_3_from_5121_tokens_on():
    """Llama 3 8B: 131,072 B a token. Gemma 3 12B: 8,192 B a token and layer, 40 layers of which stop at 1,024 tokens."""
    assert 131072 * 5120 == 8192 * (40 * 1024 + 8 * 5120)
    a, b = compare.side("llama3-8b"), compare.side("gemma3-12b")
    assert solved.crossings(a, b, "kept") == (5121,)
    assert compare.sequence_bytes(a, 5120) == compare.sequence_bytes(b, 5120) == 131072 * 5120
    assert "from 5,121 tokens on; Llama 3 8B does below that, and at 5,120 both" in words.cheaper(a, b, "kept")


def test_qwen3_next_pays_its_state_back_within_1049_tokens():
    """Qwen3 30B-A3B: 48 layers x 2 x 4 x 128 numbers; Qwen3-Next: 12 x 2 x 2 x 256 and a state, at 2 bytes a number."""
    a, b = compare.side("qwen3-30b-a3b"), compare.side("qwen3-next-80b-a3b")
    state = cost.count(b.spec, 1).state_bytes
    assert solved.crossings(a, b, "kept") == (state // (98304 - 24576) + 1,) == (1049,)


def test_the_scorer_costs_cache_always_and_saves_arithmetic_from_somewhere_on():
    a, b = compare.side("deepseek-v3"), compare.side("deepseek-v3.2")
    assert solved.crossings(a, b, "kept") == () and "at every context" in words.cheaper(a, b, "kept")
    (n,) = solved.crossings(a, b, "arithmetic")
    assert n > 2048 and compare.arithmetic(b, n) < compare.arithmetic(a, n)


def test_a_model_against_itself_changes_places_nowhere():
    a = compare.side("gemma3-12b")
    b = replace(a, name="other")
    assert solved.crossings(a, b, "kept") == () and "same memory at every context" in words.cheaper(a, b, "kept")
    assert words.differences(a, b, CONTEXT) == (
        "Gemma 3 12B (text) and other are built alike: every field that is counted is the same.",
    )
    assert not [row for row in fields.table((a, b)) if row.differs]


def test_curves_stand_on_the_counts_and_hold_the_crossing():
    sides = tuple(map(compare.side, PAIRS[0]))
    c = solved.curves(sides, "kept", solved.highest(sides, CONTEXT))
    assert c.crossings == ((5121, compare.sequence_bytes(sides[1], 5121), sides[1].name),) and 5121 in c.contexts
    for s in sides:
        assert c.values[s.name].tolist() == [compare.sequence_bytes(s, int(n)) for n in c.contexts]


# Fields and deltas


@pytest.mark.parametrize("key", KEYS)
def test_a_model_differs_from_itself_in_nothing_and_every_field_is_in_words(key):
    s = compare.side(key)
    rows = fields.table((s, s))
    assert not [row for row in rows if row.differs] and len(rows) > 25
    assert not [row for row in rows if "_" in row.name or "<" in row.values[0] or row.values[0] == ""]


@pytest.mark.parametrize("key", KEYS)
def test_no_part_stands_in_more_layers_than_there_are_and_no_value_is_endless(key):
    s = compare.side(key)
    for row in fields.table((s,)):
        if row.name == "layers" and row.group != "model":
            assert int(row.values[0].split(" of ")[0]) <= s.depth
        assert row.shown == row.values or len(row.shown[0]) < len(row.values[0])
        assert len(re.findall(r" in \d+(?:,|$)", row.shown[0])) <= 6


def test_many_values_are_shortened_and_still_compared():
    many = ", ".join(f"{i / 8} in 1" for i in range(70))
    assert fields.shortened(many) == "70 values: 0.0 in 1, 0.125 in 1, … 8.625 in 1"
    assert fields.shortened("1, 1 in 3, 2, 2 in 4") == "1, 1 in 3, 2, 2 in 4"
    assert fields.Field("", "", (many, many.replace("4.5", "4.6"))).differs


def test_v3_and_v3_2_differ_in_the_scorer_alone():
    rows = fields.table(tuple(map(compare.side, PAIRS[2])))
    assert {row.group for row in rows if row.differs} == {"DeepSeek sparse attention"}


def test_a_changed_field_is_found_and_nothing_else():
    a = compare.side("llama3-8b")
    layers = tuple(replace(x, mixer=replace(x.mixer, kv_heads=1)) if i < 4 else x for i, x in enumerate(a.spec.layers))
    rows = fields.table((a, replace(a, name="b", spec=replace(a.spec, layers=layers))))
    found = {(row.group, row.name): row.values for row in rows if row.differs}
    assert found == {
        ("model", "in blocks"): ("32 × GQA 32/8", "4 MQA 32/1 + 28 GQA 32/8"),
        ("attention", "KV heads"): ("8", "1 in 4, 8 in 28"),
    }


@pytest.mark.parametrize("a, b", PAIRS)
def test_deltas_are_the_calculators_numbers(a, b):
    sides = tuple(map(compare.side, (a, b)))
    costs = [compare.side_cost(s, CONTEXT) for s in sides]
    rows = {row.name: row for row in compare.deltas(sides, CONTEXT)}
    assert rows["parameters"].values == tuple(c.params_total for c in costs)
    for row in rows.values():
        assert row.differences == (row.values[1] - row.values[0],)
        assert row.ratios == ((row.values[1] / row.values[0]) if row.values[0] else None,)


def test_other_dtypes_change_the_bytes():
    own, small8 = compare.side("llama3-8b"), compare.side("llama3-8b", "int8", "fp8")
    assert compare.sequence_bytes(own, 1000) == 2 * compare.sequence_bytes(small8, 1000)
    assert compare.side_cost(small8, 1).weight_bytes * 2 == compare.side_cost(own, 1).weight_bytes


# Sentences


@pytest.mark.parametrize("a, b", [*PAIRS, ("llada-8b", "trm-7m"), ("llama3-8b", "llada-8b"), ("mamba2-2.7b", "gpt2-small")])
def test_the_summary_is_made_of_whole_sentences_and_names_both(a, b):
    sides = tuple(map(compare.side, (a, b)))
    said = words.summary(sides, CONTEXT)
    assert all(text[0].isupper() and text.endswith(".") and "None" not in text and "  " not in text for text in said)
    assert all(any(s.name in text for text in said) for s in sides)


def test_of_more_models_each_is_described_once():
    sides = tuple(map(compare.side, ("llama3-8b", "gemma3-12b", "deepseek-v3")))
    said = words.summary(sides, CONTEXT)
    assert [sum(text.startswith(f"{s.name} stacks") for text in said) for s in sides] == [1, 1, 1] and len(said) == 7


def test_a_config_of_the_readers_is_a_side_like_any_other():
    entry = catalogue.entries()["llama3-8b"]
    taken = intake.take(json.dumps(entry.config), "mine.json")
    mine = compare.of(taken.reading, taken.name)
    assert words.summary((compare.side("llama3-8b"), mine), CONTEXT)[0].endswith("every field that is counted is the same.")


def test_sides_of_one_name_are_told_apart():
    one = compare.side("llama3-8b")
    assert [s.name for s in compare.with_distinct_names((one, one))] == [
        "Llama 3 8B",
        "Llama 3 8B, 2",
    ] and compare.with_distinct_names((one,)) == (one,)


def test_a_model_alone_is_described_behind_what_to_do():
    one = (compare.side("llama3-8b"),)
    said = words.summary(one, CONTEXT)
    assert said[0] == "Llama 3 8B stands alone: choose another one under Model B, or hand in a config."
    assert said[1].startswith("Llama 3 8B stacks 32 layers") and len(said) == 2
    assert all(len(row.values) == 1 and not row.differences for row in compare.deltas(one, CONTEXT))


@pytest.mark.parametrize("key", ["trm-7m", "hrm-27m"])
def test_a_solver_carries_its_board_as_its_card_says(key):
    s, r = compare.side(key), catalogue.entries()[key].reading
    carried = card.longest_cost(r).state_bytes
    assert compare.bytes_at(s, 1) == compare.bytes_at(s, CONTEXT) == carried > 0
    rows = {row.name: row.values[0] for row in compare.deltas((s, s), CONTEXT)}
    assert rows["state"] == carried and rows["FLOPs of a token"] == card.longest_cost(r).flops_per_token
    assert f"over its board of {r.context:,} positions" in " ".join(words.summary((s, compare.side("llada-8b")), CONTEXT))
    assert compare.bytes_at(compare.side("llada-8b"), CONTEXT) == 0
