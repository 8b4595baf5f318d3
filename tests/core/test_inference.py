"""What the page on inference shows: every number from the calculator, techniques that change what they say they change."""

from dataclasses import replace

import numpy as np
import pytest

from core.count import cost, hardware, roofline
from core.lessons.common import CONTEXTS
from core.lessons.inference import lesson, techniques
from core.lessons.inference import words as in_words
from core.model.blocks import Window
from core.model.ffn.moe import MoE
from core.model.mixers.attention import Attention
from core.model.mixers.latent import Latent
from core.real import catalogue


def deployed(key: str, devices: int = 8, users: int = 4, context: int = 32768, accelerator="h200-sxm", **settings):
    """A reading and its deployment."""
    r = lesson.reading(key)
    return r, lesson.deploy(r, accelerator, devices, users, context, settings)


@pytest.mark.parametrize("key", catalogue.entries())
def test_every_model_has_a_scene_a_roof_prices_and_effects(key):
    r, d = deployed(key)
    scene, roof, prices = lesson.scene(r, d), lesson.roof(r, d), lesson.prices(r, d)
    assert sum(part.bytes for part in scene.parts) == pytest.approx(scene.memory.used, rel=1e-6)
    assert sum(part.bytes for part in scene.reads) == pytest.approx(scene.bounds.decode.bytes, rel=1e-6)
    assert scene.heaviest in scene.reads
    assert (np.diff(roof.intensity) >= 0).all() and roof.roof.max() == scene.bounds.decode.peak
    assert (np.diff(prices.total) <= prices.total[:-1] * 1e-9).all()
    assert np.allclose(prices.total, np.maximum(prices.weights + prices.memory, prices.compute))
    first, *others = techniques.effects(r, d)
    assert first.most == scene.most_users and first.hours == 0 if not first.most else first.hours > 0
    assert all(e.numbers != first.numbers for e in others) and others


@pytest.mark.parametrize("key", catalogue.entries())
def test_weights_as_released_are_those_that_the_files_hold(key):
    r, d = deployed(key, devices=1)
    held = lesson.released_bytes(r) or cost.count(r.spec, 1, weight_dtype=r.weight_dtype).weight_bytes
    assert lesson.scene(r, d).memory.weights == held


def test_gpt_oss_keeps_all_but_its_experts_wide():
    r, d = deployed("gpt-oss-20b", devices=1, users=1)
    narrow = lesson.deploy(r, "h200-sxm", 1, 1, 32768, {"weights": "int4"})
    assert d.weight_dtype == "mxfp4" and d.weight_bytes > hardware.filled_memory(r.spec, narrow).weights
    parts = {part.name: part.bytes for part in lesson.scene(r, d).parts}
    moe = r.spec.layers[0].ffn
    experts = len(r.spec.layers) * moe.experts * moe.expert(r.spec.d_model)
    assert parts["routed experts"] == pytest.approx(experts * (0.5 + 1 / 32), rel=1e-6)
    total = cost.count(r.spec, 1).params_total
    assert parts["other weights"] == pytest.approx(2 * (total - experts), rel=2e-2)


def test_the_price_falls_with_users_until_memory_is_full_and_a_price_scales_it():
    r, d = deployed("llama3-8b", 1, 1, 8192, "h100-sxm")
    p = lesson.prices(r, d)
    assert p.most in p.users and p.most == hardware.largest_batch(r.spec, d)
    b = roofline.bounds(r.spec, replace(d, batch=int(p.users[3])))
    assert p.total[3] == pytest.approx(b.decode.seconds / p.users[3] * 1e6 / 3600)
    assert in_words.unit(0.0) == ("device-hours", 1.0) and in_words.unit(2.5) == ("your currency", 2.5)
    assert in_words.cost_text(2.0, 2.5) == "5" and in_words.cost_text(0.0, 2.5) == "—"


def named(key: str, **how) -> dict:
    """{technique: effect} and the changed spec."""
    return {e.name: e for e in techniques.effects(*deployed(key, **how))}


def changed(key: str, name: str):
    """The spec that a technique makes."""
    return next(t for t in techniques.TECHNIQUES if t.name == name).spec(lesson.reading(key).spec)


def test_techniques_change_what_they_say():
    spec = lesson.reading("llama3-8b").spec
    assert {layer.mixer.kv_heads for layer in changed("llama3-8b", "keys and values for every head").layers} == {32}
    assert {layer.mixer.kv_heads for layer in changed("llama3-8b", "one KV head for all query heads").layers} == {1}
    assert changed("llama3-8b", "8 query heads share one KV head") is None  # four do already
    assert {layer.mixer.kv_heads for layer in changed("llama2-7b", "8 query heads share one KV head").layers} == {4}
    latent = changed("llama3-8b", "a latent instead of keys and values").layers[0].mixer
    assert isinstance(latent, Latent) and sum(latent.cache(1).values()) == 4 * 128 + 64
    windows = [layer.mixer.reach for layer in changed("llama3-8b", "a window of 1,024 on 5 of 6 layers").layers]
    assert windows.count(Window(1024)) == 27 and not isinstance(windows[5], Window)
    mixed = changed("llama3-8b", "8 experts, 2 a token, of the same total")
    total, routers = cost.count(spec, 1).params_total, 32 * 8 * 4096
    assert cost.count(mixed, 1).params_total == total + routers and isinstance(mixed.layers[0].ffn, MoE)


def test_techniques_go_back_as_well():
    kinds = {layer.kind for layer in changed("gemma3-27b", "no windows").layers}
    assert kinds == {"full"}
    multi = changed("deepseek-v3", "keys and values for every head").layers[0].mixer
    assert multi == Attention(128, 128, 192, 128, rope=lesson.reading("deepseek-v3").spec.layers[0].mixer.rope)
    dense, spec = changed("deepseek-v3", "dense, of the same total"), lesson.reading("deepseek-v3").spec
    routers = 58 * 256 * 7168
    assert cost.count(dense, 1).params_total == cost.count(spec, 1).params_total - routers
    assert {layer.kind for layer in changed("qwen3-next-80b-a3b", "attention in every layer").layers} == {"full"}
    assert {layer.kind for layer in changed("deepseek-v3.2", "no scorer: all is read").layers} == {"mla"}
    assert {layer.kind for layer in changed("deepseek-v3", "a scorer picks 2,048 tokens to read").layers} == {"mla+indexer"}


def test_effects_are_ordered_as_the_talk_has_them():
    e = named("llama3-8b", devices=1, users=16, context=8192, accelerator="h100-sxm")
    base = e["as chosen"]
    assert e["keys and values for every head"].user == 4 * base.user and e["keys and values for every head"].hours > base.hours
    assert base.user == 8 * e["one KV head for all query heads"].user
    assert e["cache in 8 bits"].user * 2 == base.user == e["cache in 4 bits"].user * 4
    assert e["cache in 8 bits"].hours < base.hours and e["weights in 4 bits"].alone > 2 * base.alone
    experts = e["8 experts, 2 a token, of the same total"]
    assert experts.alone > 2 * base.alone and experts.hours == pytest.approx(base.hours, rel=0.01)  # a full batch wakes all
    assert all(x.page in ("", "gqa", "mla", "sliding_window", "moe", "sparse_attention", "gated_deltanet") for x in e.values())


def test_solvers_have_no_context_and_denoisers_keep_their_dtypes_alone():
    r, d = deployed("trm-7m", context=1 << 20)
    assert d.context == r.context == 97 and lesson.step_words(r) == ("step", "position")
    assert {e.name for e in techniques.effects(*deployed("llada-8b"))} <= {"as chosen"} | {
        t.name for t in techniques.TECHNIQUES if t.dtypes
    }


def test_who_fits_lists_every_model_with_tokens_and_the_cheapest_first():
    rows = lesson.fits("h100-sxm", 8, 32768, ())
    assert len(rows) == sum(not lesson.boards(lesson.reading(key)) for key in catalogue.entries())
    costs = [row.hours for row in rows if row.most]
    assert costs == sorted(costs) and all(not row.hours for row in rows[len(costs) :])
    row = next(row for row in rows if row.key == "llama3-8b")
    r, d = deployed("llama3-8b", 8, 1, 32768, "h100-sxm")
    assert row.most == hardware.largest_batch(r.spec, d) and row.longest == hardware.largest_context(r.spec, d)


def test_presets_name_models_accelerators_and_settings_that_exist_and_fit():
    for values in lesson.presets().values():
        assert values["accelerator"] in lesson.cards() and values["devices"] in lesson.DEVICES and values["users"] in lesson.USERS
        r, d = deployed(
            values["model"], values["devices"], values["users"], CONTEXTS[values["context"]], values["accelerator"],
            split=values["split"],
        )  # fmt: skip
        assert lesson.scene(r, d).memory.fits


def test_numbers_in_words():
    assert [in_words.si(x) for x in (1978e12, 2e15, 999, 1500)] == ["1.98 P", "2.00 P", "999 ", "1.50 k"]
    assert [in_words.seconds(t) for t in (2.5, 0.00961, 3e-6)] == ["2.50 s", "9.61 ms", "3 µs"]
    assert in_words.longest_text(1 << 30) == "any" and in_words.longest_text(0) == "none" and in_words.users_text(0) == "none"
