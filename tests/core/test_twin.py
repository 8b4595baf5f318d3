"""What the live twin keeps of a model: python -m pytest tests/core/test_twin.py"""

from dataclasses import replace

import pytest

from core.errors import SpecError
from core.model.blocks import Chunk, Full, Window
from core.model.ffn.dense import Dense
from core.model.ffn.moe import MoE
from core.model.mixers.attention import Attention, Temperature
from core.model.mixers.borrowed import Borrowed
from core.model.mixers.delta import GatedDelta, KimiDelta
from core.model.mixers.latent import Latent
from core.model.mixers.linear import Lightning
from core.model.mixers.mamba import Mamba1, Mamba2
from core.model.mixers.parallel import Parallel
from core.model.mixers.rwkv import ChannelMix, Rwkv7
from core.model.mixers.shortconv import GatedConv
from core.model.mixers.sparse import Indexed
from core.model.mixers.xlstm import MLstm
from core.model.rope import Linear, LongRope, Rope
from core.model.spec import Layer, ModelSpec
from core.real import catalogue
from core.shape import twin
from tests.core.shell import runs

BASE = Attention(32, 8, 128, 128, Rope(128, 5e5, Linear(2.0)))


def spec_of(*mixers, **changes):
    return ModelSpec("model", 4096, 32000, tuple(Layer(m, Dense(11008)) for m in mixers), **changes)


def shrunk(*mixers, **changes):
    return twin.shrink(spec_of(*mixers, **changes))


def mixers(spec):
    return [layer.mixer for layer in spec.layers]


SIZES = {
    Attention: ("heads", "kv_heads", "k_dim", "v_dim", "rope", "reach", "temperature"),
    Latent: ("heads", "kv_rank", "q_rank", "nope_dim", "rope_dim", "v_dim", "rope"),
    Dense: ("hidden",),
    MoE: ("experts", "top_k", "hidden", "shared", "groups", "top_groups"),
    GatedDelta: ("key_heads", "value_heads", "k_dim", "v_dim"),
    KimiDelta: ("heads", "width"),
    Lightning: ("heads", "width", "block"),
    Mamba1: ("inner", "state_size", "rank"),
    Mamba2: ("heads", "width", "state_size", "groups"),
    Rwkv7: ("heads", "width", "decay_rank", "erase_rank", "value_rank", "gate_rank"),
    ChannelMix: ("hidden",),
    MLstm: ("heads", "k_dim", "v_dim"),
    GatedConv: (),
    Indexed: ("latent", "heads", "width", "rope_dim", "top_k"),
    Borrowed: ("own",),
    Parallel: ("first", "second"),
}


def flags(part):
    """What shrinking leaves alone; of a size, whether it is there at all."""
    if part is None:
        return {}
    sizes = SIZES[type(part)]
    return {name: bool(value) if name in sizes else value for name, value in vars(part).items()}


def inner(mixer):
    """A mixer and those that it is made of."""
    made = [getattr(mixer, name, None) for name in ("first", "second", "own", "latent")]
    return [mixer, *(part for part in made if hasattr(part, "kind"))] if mixer else []


@pytest.mark.parametrize("key", list(filter(runs, catalogue.entries())))
def test_flags_ratio_and_kinds_of_real_models(key):
    spec = catalogue.entries()[key].reading.spec
    small, changed = twin.shrink(spec)
    alike = {replace(x, mixer=replace(x.mixer, fade=1)) if isinstance(x.mixer, Lightning) else x: x for x in spec.layers[::-1]}
    distinct = sorted(alike.values(), key=spec.layers.index)
    kept = distinct if len(distinct) > 1 else list(spec.layers[:2])
    assert len(small.layers) == len(kept)
    for before, after in zip(kept, small.layers):
        assert before.kind == after.kind and flags(before.mixer) == flags(after.mixer) and flags(before.ffn) == flags(after.ffn)
        for a, b in zip(inner(before.mixer), inner(after.mixer)):
            assert flags(a) == flags(b)
            if isinstance(a, Attention):
                assert a.heads * b.kv_heads == b.heads * a.kv_heads
                assert (b.kv_heads > 1) == (a.kv_heads > 1)
            if isinstance(a, GatedDelta):
                assert a.value_heads * b.key_heads == b.value_heads * a.key_heads
            if hasattr(a, "rope"):
                assert (a.rope.base, type(a.rope.scaling)) == (b.rope.base, type(b.rope.scaling))
                assert bool(a.rope.dim) == bool(b.rope.dim)
        assert (before.norms, before.scales) == (after.norms, after.scales)
    assert small.recursion == replace(spec.recursion, low=min(spec.recursion.low, 1)), "both networks of HRM are kept"
    sizes = {"d_model": 1, "vocab": 1, "learned_positions": 0, "recursion": spec.recursion}
    assert replace(small, layers=spec.layers, **sizes) == replace(spec, **sizes)
    assert {"field": "d_model", "from": spec.d_model, "to": 48} in changed


def test_every_distinct_layer_is_kept_in_order():
    local, wide, nope = replace(BASE, reach=Window(4096)), replace(BASE, reach=Window(512)), replace(BASE, rope=Rope())
    small, changed = shrunk(local, local, BASE, local, nope, BASE, wide)
    assert [m.kind for m in mixers(small)] == ["sliding", "full", "full", "sliding"]
    assert [m.rope.dim for m in mixers(small)] == [8, 8, 0, 8]
    assert {"field": "layers", "from": 7, "to": 4} in changed


def test_what_became_smaller_is_listed_from_and_to():
    _, changed = shrunk(replace(BASE, reach=Window(4096)), BASE)
    rows = {row["field"]: (row["from"], row["to"]) for row in changed}
    heads = {"heads": (32, 8), "kv_heads": (8, 2), "k_dim": (128, 8), "v_dim": (128, 8), "rope.dim": (128, 8)}
    assert rows == {
        "d_model": (4096, 48), "vocab": (32000, 211),
        **{f"layers.{i}.mixer.{name}": size for i in (0, 1) for name, size in heads.items()},
        **{f"layers.{i}.ffn.hidden": (11008, 96) for i in (0, 1)},
        "layers.0.mixer.reach.size": (4096, 6),
    }  # fmt: skip


def test_a_temperature_keeps_its_growth_and_is_felt_within_the_twin():
    heat = mixers(shrunk(replace(BASE, temperature=Temperature(8192, 0.1)))[0])[0].temperature
    assert heat.growth == 0.1 and 2 * heat.every < twin.run_twin(spec_of(BASE)).tokens


def test_a_small_model_is_its_own_twin():
    small = ModelSpec("small", 32, 61, (Layer(Attention(2, 1, 8, 8, Rope(8)), Dense(40)),))
    assert twin.shrink(small) == (small, [])
    mha = replace(small, layers=(Layer(Attention(2, 2, 8, 8), Dense(40)),))
    assert twin.shrink(mha) == (mha, [])


@pytest.mark.parametrize(
    "heads, kv_heads, becomes", [(32, 32, (4, 4)), (32, 8, (8, 2)), (71, 1, (71, 1)), (48, 16, (6, 2)), (2, 2, (2, 2))]
)
def test_heads_per_kv_head(heads, kv_heads, becomes):
    mixer = mixers(shrunk(replace(BASE, heads=heads, kv_heads=kv_heads))[0])[0]
    assert (mixer.heads, mixer.kv_heads) == becomes


def test_partial_rotation_and_longrope_shrink_along():
    long = LongRope(tuple(1 + i / 10 for i in range(48)), 1.2)
    rope = mixers(shrunk(replace(BASE, rope=Rope(96, 1e4, long)))[0])[0].rope
    assert rope.dim == 6 and rope.scaling.magnitude == 1.2
    assert rope.scaling.short == (long.short[0], long.short[16], long.short[32])


@pytest.mark.parametrize(
    "reaches",
    [[Full()], [Window(4096)], [Window(1)], [Window(2), Window(3)], [Window(5), Full()], [Chunk(8192)], [Chunk(4), Window(6)]],
)
def test_default_tokens_wrap_every_ring(reaches):
    spec = spec_of(*(replace(BASE, reach=r) for r in reaches))
    small = twin.shrink(spec)[0]
    n = twin.default_tokens(small)
    sizes = [m.reach.size for m in mixers(small) if isinstance(m.reach, Window)]
    assert all(n > 2 * size for size in sizes)
    assert all(n % size for size in sizes if size > 1)
    row = twin.run_twin(spec)
    assert row.tokens == n and row.decode_max_abs_diff <= 1e-4
    assert row.cache_elements_counted == row.cache_elements_measured


def test_default_tokens_with_a_convolution_and_with_few_positions():
    spec = replace(spec_of(BASE), layers=(Layer(BASE, Dense(64), input_conv=19),))
    assert twin.default_tokens(twin.shrink(spec)[0]) == 39
    assert twin.run_twin(spec).state_elements_measured == 18 * 48
    assert twin.run_twin(replace(spec_of(BASE), learned_positions=9)).tokens == 9


@pytest.mark.parametrize(
    "spec, sentence",
    [
        (spec_of(replace(BASE, heads=4096, kv_heads=8)), "heads must be at most 256 times kv_heads"),
        (spec_of(*(replace(BASE, scale=1 / i) for i in range(1, 300))), "at most 256 different ones, not 299"),
    ],
)
def test_what_would_not_run_at_once_is_refused(spec, sentence):
    with pytest.raises(SpecError, match=sentence):
        twin.run_twin(spec)


@pytest.mark.parametrize(
    "options", [{"tokens": 1}, {"tokens": -3}, {"tokens": 4096}, {"tokens": 2.5}, {"seed": -1}, {"seed": "x"}]
)
def test_options_out_of_bounds(options):
    with pytest.raises(SpecError, match=next(iter(options))):
        twin.run_twin(spec_of(BASE), **options)
    with pytest.raises(SpecError, match="tokens must be at most 9"):
        twin.run_twin(spec_of(BASE, learned_positions=9), tokens=10)
