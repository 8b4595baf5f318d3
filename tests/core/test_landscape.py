"""The landscape and the card: families, what a token adds, places and names that cover nothing, the states worth a visit."""

import math
from dataclasses import replace

import numpy as np
import pytest

from core.count import cost
from core.lessons import card, gqa
from core.lessons import landscape as lesson
from core.lessons.landscape import DESK, LEAST, PHONE, Filter
from core.model.registry import PAGES
from core.real import catalogue

ENTRIES = catalogue.entries()
DOTS = {d.key: d for d in lesson.dots()}
LAST = lesson.months()[-1]


def spec(key: str):
    return ENTRIES[key].reading.spec


# Families


@pytest.mark.parametrize(
    "key, name",
    [
        ("gpt2-small", "Multi-head"), ("llama2-7b", "Multi-head"), ("llama3-8b", "Grouped"), ("hunyuan-large", "Grouped"),
        ("deepseek-v3", "Latent"), ("kimi-k2", "Latent"), ("deepseek-v3.2", "Sparse"), ("deepseek-v4-flash", "Sparse"),
        ("mistral-7b-v0.1", "Windows"), ("gemma4-26b-a4b", "Windows"), ("llama4-scout", "Windows"), ("gpt-oss-20b", "Windows"),
        ("jamba-v0.1", "Hybrid"), ("falcon-h1-7b", "Hybrid"), ("kimi-linear-48b", "Hybrid"), ("lfm2-1.2b", "Hybrid"),
        ("mamba2-2.7b", "Recurrent"), ("rwkv7-2.9b", "Recurrent"), ("xlstm-7b", "Recurrent"),
    ],
)  # fmt: skip
def test_families(key, name):
    assert card.family(spec(key)) == name


def test_every_model_has_a_family_and_every_family_a_model():
    assert {d.family for d in DOTS.values()} == set(card.FAMILIES)


def test_sharing_decides_between_multi_head_and_grouped():
    """One field changed, the family follows."""
    own = spec("llama2-7b")
    shared = tuple(replace(layer, mixer=replace(layer.mixer, kv_heads=8)) for layer in own.layers)
    assert card.family(replace(own, layers=shared)) == "Grouped"


# What a token adds


@pytest.mark.parametrize(
    "key, elements",
    [
        ("llama3-8b", 2 * 32 * 8 * 128),  # layers x KV heads x width, keys and values
        ("deepseek-v3", 61 * (512 + 64)),  # arXiv 2412.19437: latent and rope key
        ("deepseek-v3.2", 61 * (512 + 64 + 128)),  # and the scorer's key
        ("kimi-linear-48b", 7 * (512 + 64)),  # only the latent layers grow
        ("gemma2-9b", 21 * 2 * 8 * 256),  # only the global layers grow
        ("qwen3-next-80b-a3b", 12 * 2 * 2 * 256),
        ("mistral-7b-v0.1", 0), ("mamba2-2.7b", 0), ("llada-8b", 0), ("trm-7m", 0),
    ],
)  # fmt: skip
def test_what_a_token_adds(key, elements):
    assert card.rate(spec(key)) == elements and DOTS[key].rate == 2 * elements


@pytest.mark.parametrize("key", [key for key in ENTRIES if card.keeps(spec(key))])
def test_what_a_token_adds_is_the_slope_of_the_counted_cache(key):
    """At other lengths, and by so many tokens that a compressed entry is whole."""
    near, far = (cost.count(spec(key), n).cache_elements for n in (1 << 25, (1 << 25) + 1024))
    assert far - near == 1024 * card.rate(spec(key))


def test_a_cache_in_other_dtypes_is_said_in_its_own_bytes():
    reading = ENTRIES["llama3-8b"].reading
    assert card.added(replace(reading, cache_dtype="fp8")) * 2 == card.added(reading) == DOTS["llama3-8b"].rate


def test_multi_head_is_what_the_page_on_sharing_counts():
    for key in ("llama3-8b", "gemma3-27b", "qwen3-32b", "gpt-oss-120b"):
        real = gqa.real_model(key, 1, context=64)
        assert 2 * 64 * card.multi_head(spec(key)) == real.multi_head
    assert card.multi_head(spec("llama2-7b")) == card.rate(spec("llama2-7b"))
    assert card.multi_head(spec("deepseek-v3")) == 61 * 128 * (128 + 64 + 128)
    assert card.multi_head(spec("mamba2-2.7b")) == 64 * 2 * 2560


@pytest.mark.parametrize("key", ENTRIES)
def test_the_curve_ends_at_what_is_counted(key):
    reading = ENTRIES[key].reading
    line, kept = card.curve(reading), {k.context: k for k in card.caches(reading)}
    assert line.contexts[-1] == max(reading.context, card.CONTEXTS[-1]) and (np.diff(line.contexts) > 0).all()
    assert line.cache[-1] == kept[line.contexts[-1]].cache and (np.diff(line.cache) >= 0).all()
    assert [k.context for k in kept.values() if k.own] == [reading.context] * card.limited(reading)
    assert card.longest_cost(reading).context == reading.context
    assert (line.cache > 0).any() == (card.keeps(reading.spec) and card.family(reading.spec) != "Recurrent")


# What it is made of


def test_techniques_lead_to_pages_that_are_there():
    there, found = {page.name for page in PAGES}, set()
    for entry in ENTRIES.values():
        made = card.techniques(entry.reading.spec)
        assert made and len(dict(made)) == len(made), entry.key
        found |= {page for _, page in made}
    assert found - {""} <= there and {"gqa", "mla", "sliding_window", "moe"} <= found


def test_techniques_of_well_known_models():
    assert [name for name, _ in card.techniques(spec("deepseek-v3"))] == [
        "Multi-head latent attention", "Mixture of experts", "Shared expert",
    ]  # fmt: skip
    assert dict(card.techniques(spec("gpt-oss-20b")))["Sliding window"] == "sliding_window"
    assert {"Text diffusion", "Multi-head attention"} == {name for name, _ in card.techniques(spec("llada-8b"))}


def test_the_page_on_sharing_opens_as_near_to_the_model_as_it_can():
    assert card.near(spec("llama3-8b"), "gqa") == {"kv_heads": 2} and card.near(spec("llama2-7b"), "gqa") == {"kv_heads": 8}
    assert card.near(spec("glm-4.5"), "gqa") == {"kv_heads": 1} and card.near(spec("deepseek-v3"), "gqa") == {}
    assert card.near(spec("llama3-8b"), "mla") == {}
    states = [card.near(entry.reading.spec, "gqa") for entry in ENTRIES.values()]
    assert all(s == {} or s["kv_heads"] in gqa.KV_HEADS for s in states)


def test_what_cannot_run_says_why():
    assert card.alive(spec("llama3-8b")) == "" and "counted only" in card.alive(spec("deepseek-v4-flash"))
    assert card.alive(spec("trm-7m")) == card.alive(spec("hrm-27m")) == ""


def test_where_configs_come_from():
    kinds = {key: card.origin(entry.config_source) for key, entry in ENTRIES.items()}
    assert kinds["deepseek-v3"] == kinds["trm-7m"] == "the released config, as another repository keeps it"
    assert kinds["jamba-v0.1"] == "the class default of transformers"
    assert kinds["llama3-8b"].startswith("another project's description")


# The picture


def test_every_model_of_the_catalogue_is_a_dot():
    assert set(DOTS) == set(ENTRIES) == {d.key for d in lesson.out(LAST)}
    for key, d in DOTS.items():
        counted = cost.count(spec(key), 1)
        assert (d.total, d.active) == (counted.params_total, counted.params_active)


def test_the_picture_at_a_month_holds_what_was_out():
    seen = [len(lesson.out(month)) for month in lesson.months()]
    assert seen == sorted(seen) and len(set(seen)) == len(seen) and seen[0] == 1
    assert all(d.month <= "2023-12" for d in lesson.out("2023-12"))
    undated = [d for d in DOTS.values() if not d.month]
    assert len(undated) == lesson.undated() and not any(d in lesson.out(lesson.months()[-2]) for d in undated)


def test_filters():
    every = lesson.chosen_dots(Filter(), LAST)
    assert len(every) == len(DOTS)
    parts = [len(lesson.chosen_dots(Filter((name,)), LAST)) for name in card.FAMILIES]
    assert sum(parts) == len(every) and len(lesson.chosen_dots(Filter(tuple(card.FAMILIES)), LAST)) == len(every)
    for field, options in (
        ("licence", lesson.LICENCES),
        ("size", tuple(lesson.SIZES)),
        ("organisation", (lesson.EVERY, *lesson.organisations())),
    ):
        counts = [len(lesson.chosen_dots(Filter(**{field: option}), LAST)) for option in options]
        assert counts[0] == len(every) == sum(counts[1:]) and all(counts), field
    assert {d.key for d in lesson.chosen_dots(Filter(("Latent",), "DeepSeek-AI", "other"), LAST)} == {
        "deepseek-v2",
        "deepseek-v2-lite",
        "deepseek-v3",
    }


def test_areas_are_caches():
    whole, quarter = lesson.size(1 << 19), lesson.size(1 << 17)
    assert math.isclose(whole, 2 * quarter) and lesson.size(lesson.largest()) == lesson.LARGEST and lesson.size(0) == lesson.RING
    assert lesson.size_legend()[0] == (lesson.largest(), lesson.LARGEST) and lesson.size_legend()[-1] == (0, lesson.RING)


def test_dots_stand_where_their_numbers_say_or_are_stacked():
    """Dense ones are exact across, and at their height or above; the others exact upwards, and at most a little to the right."""
    for d in DOTS.values():
        (x, y), (tx, ty) = lesson.dot_places()[d.key], lesson.decades(d)
        moved = (y - ty, abs(x - tx)) if d.dense else (x - tx, abs(y - ty))
        assert moved[0] > -1e-9 and moved[1] < 1e-9, d.key
        assert d.dense or moved[0] < 0.12
    assert sum(lesson.dot_places()[k] == pytest.approx(lesson.decades(d)) for k, d in DOTS.items()) > len(DOTS) / 2


def test_no_dot_covers_another():
    discs = [(*DESK.pixels(*lesson.dot_places()[k]), lesson.size(d.rate) / 2) for k, d in DOTS.items()]
    near = [(a, b) for i, a in enumerate(discs) for b in discs[:i] if math.dist(a[:2], b[:2]) < 0.59 * (a[2] + b[2])]
    assert not [pair for pair in near if abs(pair[0][2] - pair[1][2]) < 3], "two dots of one size at one place"


@pytest.mark.parametrize("screen, most", [(DESK, 30), (PHONE, 9)])
@pytest.mark.parametrize("month", ["2019-02", "2024-12", LAST])
def test_names_cover_neither_dots_nor_names(screen, most, month):
    shown = lesson.chosen_dots(Filter(), month)
    found = lesson.labels(shown, screen, most)
    discs = {d.key: (*screen.pixels(*lesson.dot_places()[d.key]), lesson.size(d.rate) / 2) for d in shown}
    boxes = [lesson.boxed(discs[f.key], f.text, *lesson.SIDES[f.side], screen) for f in found]
    assert found and all(lesson.inside(box, screen) for box in boxes)
    assert not any(lesson.meets(a, b) for i, a in enumerate(boxes) for b in boxes[:i])
    for f, box in zip(found, boxes):
        assert not any(box[0] < x < box[1] and box[2] < y < box[3] for key, (x, y, _) in discs.items() if key != f.key)


def test_the_smallest_stand_at_the_edge_and_say_so():
    small = [d for d in DOTS.values() if d.total < 10**LEAST]
    assert {d.key for d in small} == {"trm-7m", "hrm-27m"}
    told = {label.key: label.text for label in lesson.labels(lesson.dots(), DESK, 30)}
    assert all(told[d.key].endswith("↙") for d in small)


def test_the_summary_follows_from_what_is_shown():
    every, few = lesson.summary(lesson.dots()), lesson.summary(lesson.chosen_dots(Filter(("Recurrent",)), LAST))
    assert every.count == len(DOTS) and every.sparse == sum(d.total > d.active for d in DOTS.values())
    assert every.most.rate == max(d.rate for d in DOTS.values()) and every.least.rate > 0
    assert few.count == few.ringed and few.most is None and lesson.summary(()).count == 0


def test_the_table_is_the_picture():
    table = lesson.table(lesson.chosen_dots(Filter(("Sparse",)), LAST))
    assert table["attention"] == ["Sparse"] * 3 and {len(column) for column in table.values()} == {3}


def test_names_are_keys_to_the_models():
    assert all(lesson.key_of_name(name) in DOTS for name in lesson.sorted_names()) and len(set(lesson.sorted_names())) == len(
        DOTS
    )
    assert lesson.key_of_name("nobody") == ""


def test_what_to_try_shows_what_it_promises():
    numbers = {key: dict(t.numbers) for key, t in lesson.tries().items()}
    share, order = numbers["share"], numbers["order"]
    assert share["before"] == share["heads"] * share["after"] and share["right"] == share["asked"] > 0
    assert order["before"] == order["asked"] > order["after"]
    assert {t.page for t in lesson.tries().values()} <= {page.name for page in PAGES}


def test_a_config_that_says_no_longest_context_has_none():
    told, untold = (catalogue.entries()[key].reading for key in ("llama3-8b", "kimi-linear-48b"))
    assert card.limited(told) and [k.context for k in card.caches(told) if k.own] == [told.context]
    assert "context" in untold.assumed and not card.limited(untold)
    assert not any(k.own or k.beyond for k in card.caches(untold))
