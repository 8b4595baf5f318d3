"""Memory and time on accelerators: published figures, limit cases, bounds that are exact, the table itself."""

import random
from dataclasses import replace

import pytest

from core import units
from core.count import cost, hardware, roofline, split
from core.count.hardware import Accelerator, Deployment, accelerators, filled_memory, largest_batch, largest_context, verdict_text
from core.count.roofline import bounds
from core.errors import LONGEST, SpecError
from core.model.blocks import Window
from core.model.ffn.dense import Dense
from core.model.ffn.moe import MoE
from core.model.mixers.attention import Attention
from core.model.rope import Rope
from core.model.spec import Layer, ModelSpec
from core.real import catalogue

READINGS = {key: entry.reading for key, entry in catalogue.entries().items()}
SEVERAL = (
    "llama3-8b deepseek-v3 gemma3-27b qwen3-next-80b-a3b xlstm-7b rwkv7-2.9b deepseek-v4-flash trm-7m falcon-h1-7b glm-5 "
    "hunyuan-large llama4-scout llada-8b gpt-oss-20b"
).split()
A6000 = Accelerator("a6000", "RTX A6000", "NVIDIA", 48 * 2**30, 768 * 10**9, 155 * 10**12, 0, "", "")


def llama(layers: int, heads: int, ffn: int = 11008) -> ModelSpec:
    """A first-generation LLaMA: heads of 128 numbers, none shared."""
    layer = Layer(Attention(heads, heads, 128, 128, rope=Rope(128)), Dense(ffn))
    return ModelSpec("llama", heads * 128, 32000, (layer,) * layers)


def deployed(key: str, accelerator="h100-sxm", **settings) -> tuple:
    """spec, deployment and state dtype of a model of the catalogue."""
    r = READINGS[key]
    return r.spec, Deployment(accelerator, **{"context": min(r.context, 8192)} | settings), r.state_dtype


# Published figures


@pytest.mark.parametrize(
    "layers, heads, tokens, devices, each",
    [
        (32, 32, 544, 1, 285_212_672),
        (40, 40, 544, 1, 445_644_800),
        (60, 52, 544, 1, 869_007_360),
        (80, 64, 544, 2, 713_031_680),
        (40, 40, 522, 1, 427_622_400),
        (40, 40, 522, 2, 213_811_200),
    ],
)
def test_cache_on_one_device_as_llm_analysis_prints_it(layers, heads, tokens, devices, each):
    d = Deployment("a100-sxm-80gb", devices, context=tokens, page=1, weight_dtype="float16", cache_dtype="float16")
    assert filled_memory(llama(layers, heads), d).cache == each
    if tokens % 16 == 0:
        assert filled_memory(llama(layers, heads), replace(d, page=16)).cache == each


def test_llama2_on_an_a6000_beside_llm_viewer():
    """LLM-Viewer's numbers, and where its conventions are others: it counts softmax, norms and the traffic of activations; one
    operation instead of two for each product of the output matrix; none of that matrix in a prefill, but the masked half."""
    spec = READINGS["llama2-7b"].spec
    b = bounds(spec, Deployment(A6000, context=2048, weight_dtype="float16", cache_dtype="float16"))
    assert b.decode.cache == 1_073_741_824 and b.prefill.cache == 1_073_741_824
    head = 2 * spec.vocab * spec.d_model  # bytes of the output matrix, and also its FLOPs
    rows = 2 * spec.d_model
    norms = 2 * (2 * 32 + 1) * spec.d_model
    assert b.decode.weights - head - rows - norms == pytest.approx(12_952_010_752, abs=1)
    assert b.decode.bytes == pytest.approx(14_313_150_976, rel=2e-3) and b.decode.bytes < 14_313_150_976
    assert b.decode.seconds == pytest.approx(0.018637, rel=2e-3) and b.decode.binds == "memory"
    assert b.decode.flops - head / 2 == pytest.approx(14_169_669_632, rel=1e-3)
    whole_square = cost.count(spec, 2048).prefill_flops - 2048 * head
    assert whole_square == pytest.approx(28_751_179_022_336, rel=1e-3)
    half = 2 * 32 * 32 * 256 * (2048 * 2047 // 2)
    assert b.prefill.flops == whole_square - half + head
    assert b.prefill.seconds < 0.22688 and b.prefill.binds == "compute"
    assert A6000.bandwidth * 0.018637 == pytest.approx(14_313_150_976, rel=1e-4)


def test_cache_a_token_as_deepseek_prints_it():
    for key, each in (("deepseek-v3", 70_272), ("qwen2.5-72b", 327_680), ("llama3.1-405b", 516_096)):
        d = Deployment("h200-sxm", context=1600)
        assert filled_memory(READINGS[key].spec, d).cache == 1600 * each


# The count itself


@pytest.mark.parametrize("key", READINGS)
def test_one_device_and_pages_of_one_token_hold_what_is_counted(key):
    spec, d, state = deployed(key, batch=3, page=1, context=1000)
    m, c = filled_memory(spec, d, state), cost.count(spec, 1000, 3, state_dtype=state)
    assert (m.weights, m.state) == (c.weight_bytes, c.state_bytes)
    if key == "deepseek-v4-flash":  # room for the tokens of a block that is not whole yet
        assert 0 < m.cache - c.cache_bytes < 0.1 * c.cache_bytes
    else:
        assert m.cache == c.cache_bytes
    assert m.replication == 1 and m.per_user * 3 == m.cache + m.state


@pytest.mark.parametrize("key", READINGS)
@pytest.mark.parametrize("devices", [1, 3, 8])
def test_every_model_gets_a_verdict_and_bounds(key, devices):
    spec, d, state = deployed(key, devices=devices)
    m, b, said = filled_memory(spec, d, state), bounds(spec, d, state), verdict_text(spec, d, state)
    assert said.startswith("Fits on" if m.fits else "Does not fit on") and said.endswith(".") and f"{devices} × H100 SXM" in said
    assert m.fits == (largest_batch(spec, d, state) >= 1)
    c = cost.count(spec, d.context, state_dtype=state)
    for phase in (b.prefill, b.decode):
        assert phase.flops > 0 and phase.bytes > 0 and phase.seconds == max(phase.compute_seconds, phase.memory_seconds)
    assert b.decode.flops * devices == pytest.approx(c.flops_per_token)
    assert b.prefill.flops * devices <= c.prefill_flops
    assert b.decode.weights <= m.weights


@pytest.mark.parametrize("key", ["llama3-8b", "gemma3-27b", "llama4-scout", "hunyuan-large", "glm-5"])
@pytest.mark.parametrize("n", [1, 5, 40])
def test_a_prompt_needs_the_arithmetic_of_its_tokens_one_by_one(key, n):
    """Without masked pairs, attention of a prompt is the sum of what each token reads (windows and chunks shrunk to bite)."""
    spec = shrunk(READINGS[key].spec)
    s = hardware.shape(spec)
    for layer, _ in s.layers:
        for mixer in split.mixers(layer):
            latent = getattr(mixer, "latent", None)
            alone = replace(mixer, latent=replace(latent, form="expanded")) if latent else mixer
            own = alone.flops(spec.d_model, n, n)
            needed = sum(own[name] for name in ("attention", "indexer") if name in own) - alone.masked(spec.d_model, n)
            steps = [alone.flops(spec.d_model, 1, t) for t in range(1, n + 1)]
            assert needed == sum(f[name] for f in steps for name in ("attention", "indexer") if name in f)


def shrunk(spec: ModelSpec) -> ModelSpec:
    """The same with windows and chunks of 7, top-k of 6."""

    def smaller(mixer):
        if hasattr(mixer, "top_k"):
            return replace(mixer, top_k=6)
        if hasattr(mixer, "own"):
            return replace(mixer, own=smaller(mixer.own))
        return replace(mixer, reach=replace(mixer.reach, size=7)) if hasattr(mixer.reach, "size") else mixer

    return replace(spec, layers=tuple(replace(layer, mixer=smaller(layer.mixer)) for layer in spec.layers))


# Limit cases


def test_key_value_heads_are_repeated_where_devices_outnumber_them():
    spec = READINGS["llama3-8b"].spec  # 8 KV heads
    one = filled_memory(spec, Deployment("h100-sxm", 1, context=4096))
    for devices, each, times in ((2, 2, 1), (8, 8, 1), (16, 8, 2), (64, 8, 8), (3, 8 / 3, 9 / 8), (5, 4, 10 / 8)):
        m = filled_memory(spec, Deployment("h100-sxm", devices, context=4096))
        assert m.cache == one.cache / each and m.replication == pytest.approx(times)
    more = filled_memory(spec, Deployment("h100-sxm", 16, context=4096)).weights_all - one.weights
    assert more == pytest.approx(32 * 8 * 256 * 4096 * 2, abs=32)  # the projections of the repeated heads


def test_latents_and_index_keys_stand_on_every_device():
    for key in ("deepseek-v3", "glm-5", "deepseek-v4-flash"):
        spec = READINGS[key].spec
        caches = [filled_memory(spec, Deployment("h200-sxm", devices, context=4096)).cache for devices in (1, 2, 8)]
        assert len(set(caches)) == 1
        assert filled_memory(spec, Deployment("h200-sxm", 8, context=4096)).replication == 8


def test_recurrent_heads_are_split_and_never_below_one():
    spec = READINGS["xlstm-7b"].spec  # 8 heads
    states = [filled_memory(spec, Deployment("h100-sxm", devices), "bfloat16").state for devices in (1, 2, 8, 16)]
    assert states[0] == 2 * states[1] == 8 * states[2] == 8 * states[3]
    assert filled_memory(spec, Deployment("h100-sxm", 1)).cache == 0


def test_pages_round_up_what_grows_and_what_a_window_keeps():
    spec = READINGS["llama3-8b"].spec
    size = {n: filled_memory(spec, Deployment("h100-sxm", context=n)).cache for n in (1, 16, 17, 32)}
    assert size[1] == size[16] and size[17] == size[32] == 2 * size[16]
    window = ModelSpec("w", 16, 31, (Layer(Attention(2, 2, 8, 8, reach=Window(20)), Dense(8)),))
    assert filled_memory(window, Deployment("l4", context=1000)).cache == 32 * 2 * 16 * 2
    assert filled_memory(window, Deployment("l4", context=1000, page=1)).cache == 20 * 2 * 16 * 2


def exactly(key: str, batch: int, context: int, spare: int = 0) -> tuple:
    """A device whose memory is full to the byte with this batch, and `spare` bytes more."""
    spec, d, state = deployed(key, batch=batch, context=context, reserve=0.0)
    m = filled_memory(spec, d, state)
    return spec, replace(d, accelerator=replace(A6000, memory_bytes=m.used + spare)), state


@pytest.mark.parametrize("key", SEVERAL)
def test_memory_full_to_the_byte_fits_and_one_byte_less_does_not(key):
    spec, d, state = exactly(key, 7, 999)
    assert filled_memory(spec, d, state).free == 0 and filled_memory(spec, d, state).fits
    assert largest_batch(spec, d, state) == 7
    spec, d, state = exactly(key, 7, 999, spare=-1)
    assert not filled_memory(spec, d, state).fits and largest_batch(spec, d, state) == 6


@pytest.mark.parametrize("key", SEVERAL)
def test_one_user_or_one_token_more_than_the_largest_does_not_fit(key):
    draw = random.Random(key)
    for _ in range(12):
        batch, devices = draw.choice((1, 3, 16)), draw.choice((1, 2, 5, 8, 16))
        spec, d, state = deployed(
            key, draw.choice(("h100-sxm", "h200-sxm", "mi355x", "tpu-v5p")), devices=devices, batch=batch,
            context=draw.randint(1, 60_000), page=draw.choice((1, 16, 64)), reserve=draw.choice((0.0, 0.1, 0.3)),
            weight_dtype=draw.choice(("bfloat16", "fp8", "int4")), cache_dtype=draw.choice(("bfloat16", "fp8", "int4")),
        )  # fmt: skip
        most = largest_batch(spec, d, state)
        if most:
            assert filled_memory(spec, replace(d, batch=most), state).fits
        if most < hardware.MOST_USERS:
            assert not filled_memory(spec, replace(d, batch=most + 1), state).fits
        longest = largest_context(spec, d, state)
        if longest:
            assert filled_memory(spec, replace(d, context=longest), state).fits
        if longest < LONGEST:
            assert not filled_memory(spec, replace(d, context=longest + 1), state).fits
        assert filled_memory(spec, d, state).fits == (most >= batch) == (longest >= d.context)


@pytest.mark.parametrize("key", SEVERAL)
def test_more_of_anything_never_costs_less(key):
    spec, d, state = deployed(key)

    def used(**settings):
        return filled_memory(spec, replace(d, **settings), state).used

    for field, values in {"batch": (1, 2, 9), "context": (1, 15, 16, 17, 127, 128, 129, 5000), "page": (1, 16, 256)}.items():
        sizes = [used(**{field: value}) for value in values]
        assert sizes == sorted(sizes)
    sizes = [used(devices=n) for n in (1, 2, 3, 4, 7, 8, 9, 16, 64)]
    assert sizes == sorted(sizes, reverse=True)
    times = [bounds(spec, replace(d, batch=b), state).decode.seconds for b in (1, 2, 8, 64, 512)]
    assert times == sorted(times)
    spent = [bounds(spec, replace(d, batch=b), state).device_seconds for b in (1, 2, 8, 64, 512)]
    assert all(after <= before * (1 + 1e-9) for before, after in zip(spent, spent[1:]))


def test_fewest_devices_is_the_fewest():
    spec, d, state = deployed("deepseek-v3", context=32768, batch=4)
    need = hardware.fewest_devices(spec, d, state)
    assert (
        filled_memory(spec, replace(d, devices=need), state).fits
        and not filled_memory(spec, replace(d, devices=need - 1), state).fits
    )
    assert f"{need} × H100 SXM would hold them" in verdict_text(spec, d, state)
    assert hardware.fewest_devices(spec, replace(d, batch=1 << 20, context=LONGEST), state) == 0
    assert "no number of these devices" in verdict_text(spec, replace(d, batch=1 << 20, context=LONGEST), state)


# Reading


def test_a_batch_reads_the_experts_that_it_is_expected_to_visit():
    spec = READINGS["deepseek-v3"].spec
    for batch, read in ((1, 8), (8, 57), (32, 163), (128, 252)):
        b = bounds(spec, Deployment("h200-sxm", 8, batch, 4096))
        assert b.experts == 256 and round(b.experts_read) == read
        assert b.experts_read == MoE(256, 8, 4).touched(batch)
    one = bounds(spec, Deployment("h200-sxm", 1, 1, 4096)).decode
    c = cost.count(spec, 4096)
    assert one.weights == pytest.approx(2 * (c.params_active_without_input_embedding + spec.d_model), rel=1e-9)


def test_a_dense_model_reads_all_but_the_embedding_and_of_it_a_row_a_sequence():
    spec = READINGS["llama3-8b"].spec
    b, c = bounds(spec, Deployment("h100-sxm", batch=5)), cost.count(spec, 4096)
    assert b.experts == b.experts_read == 0
    assert b.decode.weights == pytest.approx(2 * (c.params_active_without_input_embedding + 5 * spec.d_model), rel=1e-12)
    tied = READINGS["llama3.2-1b"].spec  # the table is read whole, as the output matrix
    assert bounds(tied, Deployment("h100-sxm")).decode.weights == cost.count(tied, 1).weight_bytes


def test_layers_read_what_they_may_and_no_more():
    long = Deployment("h200-sxm", context=100_000)
    v3, v32 = (bounds(READINGS[key].spec, long).decode.cache for key in ("deepseek-v3", "deepseek-v3.2"))
    assert v3 == 2 * 61 * 576 * 100_000 and v32 == 2 * 61 * (576 * 2048 + 128 * 100_000)
    borrowing = READINGS["hunyuan-large"].spec  # every second layer keeps nothing and still reads
    assert bounds(borrowing, long).decode.cache == 2 * filled_memory(borrowing, long).cache
    scout = READINGS["llama4-scout"].spec  # the first token of a new chunk reads itself
    few, many = (bounds(scout, Deployment("h200-sxm", context=n)).decode.cache for n in (8193, 8192))
    assert few < many


def test_state_is_read_and_written():
    spec, d, state = deployed("rwkv7-2.9b", batch=6)
    b, m = bounds(spec, d, state), filled_memory(spec, d, state)
    assert b.decode.state == 2 * m.state and b.decode.cache == m.cache == 0


def test_the_fp8_peak_needs_narrow_weights_and_a_unit_for_them():
    cards = accelerators()
    assert cards["h100-sxm"].peak("fp8") == cards["h100-sxm"].peak("mxfp4") == 1978 * 10**12
    assert cards["h100-sxm"].peak("bfloat16") == cards["h100-sxm"].peak("int8") == 989 * 10**12
    assert cards["a100-sxm-80gb"].peak("fp8") == 312 * 10**12


@pytest.mark.parametrize(
    "n, said",
    [
        (512, "512 B"), (85_930_000, "85.9 MB (81.9 MiB)"), (123_456_789, "123 MB (118 MiB)"),
        (1_020_000_000, "1.02 GB (973 MiB)"), (9_996_000_000, "10.0 GB (9.31 GiB)"), (1_341_000_000_000, "1,341 GB (1,249 GiB)"),
    ],
)  # fmt: skip
def test_bytes_have_three_digits_in_both_units(n, said):
    assert units.sized(n) == said


def test_a_batch_moves_decode_from_memory_to_compute():
    spec = READINGS["llama3-8b"].spec
    binds = [bounds(spec, Deployment("h100-sxm", batch=b, context=128)).decode.binds for b in (1, 64, 4096)]
    assert binds[0] == "memory" and binds[-1] == "compute"
    b = bounds(spec, Deployment("h100-sxm", 4, 16, 2048))
    assert b.tokens_per_second == pytest.approx(16 * b.tokens_per_second_each) == pytest.approx(4 / b.device_seconds)
    assert b.ridge == pytest.approx(989e12 / 3.35e12)


# The table, the words, bad input


def test_every_accelerator_is_plausible_and_sourced():
    rows = accelerators()
    assert len(rows) >= 17
    for key, a in rows.items():
        assert a.key == key and a.source.startswith("https://") and a.note and a.vendor
        assert 8e9 < a.memory_bytes < 1e12 and 2e11 < a.bandwidth < 2e13 and 5e13 < a.bf16_flops < 1e16
        assert a.fp8_flops == 0 or 1.9 < a.fp8_flops / a.bf16_flops < 2.1
        assert 50 < a.bf16_flops / a.bandwidth < 1000
    assert len({a.name for a in rows.values()}) == len(rows)


def test_the_sentence():
    spec, d, _ = deployed("llama3-8b", context=8192)
    assert verdict_text(spec, d) == f"Fits on 1 × H100 SXM: {largest_batch(spec, d):,} users at 8,192 tokens each."
    d = replace(d, batch=10**4)
    assert "10,000 users at 8,192 tokens each need" in verdict_text(spec, d)
    assert f"{largest_batch(spec, d)} users" in verdict_text(spec, d)
    small = replace(d, accelerator="tpu-v5e", batch=1)
    assert "weights alone need 16.1 GB (15.0 GiB), and 14.4 GB (13.4 GiB) can be used" in verdict_text(spec, small)
    assert "would hold them and 1 user at 8,192 tokens" in verdict_text(spec, small)
    assert "positions" in verdict_text(READINGS["trm-7m"].spec, Deployment("l4", context=97))


@pytest.mark.parametrize(
    "field, value",
    [
        ("accelerator", "h9000"), ("accelerator", None), ("devices", 0), ("devices", 10**12), ("batch", -1), ("batch", 1.5),
        ("context", 0), ("context", 10**18), ("weight_dtype", "fp3"), ("cache_dtype", 8), ("page", 0), ("reserve", 1.0),
        ("reserve", float("nan")), ("reserve", "half"), ("batch", True),
    ],
)  # fmt: skip
def test_nonsense_gets_a_sentence(field, value):
    with pytest.raises(SpecError, match=field):
        Deployment(**{"accelerator": "l4", field: value})


# Split by users, weights of mixed dtypes


def test_split_by_users_nothing_cached_is_repeated_and_attention_is():
    spec = READINGS["deepseek-v3"].spec
    heads = Deployment("h200-sxm", 8, 64, 32768, "fp8")
    users = replace(heads, split="users")
    a, b = filled_memory(spec, heads), filled_memory(spec, users)
    assert a.cache == 8 * b.cache and a.replication == 8 and b.replication == 1 and b.cache_all == b.cache * 8
    attention = sum(layer.mixer.params(spec.d_model) for layer in spec.layers)
    assert b.weights_all - filled_memory(spec, replace(heads, devices=1)).weights == pytest.approx(7 * attention, abs=64)
    assert largest_batch(spec, users) > 4 * largest_batch(spec, heads) and largest_batch(spec, users) % 8 == 0
    one = replace(heads, devices=1)
    assert filled_memory(spec, one) == replace(filled_memory(spec, replace(one, split="users")))


def test_a_release_of_mixed_dtypes_is_as_large_as_its_files():
    spec = READINGS["gpt-oss-20b"].spec
    d = Deployment("h100-sxm", context=4096, weight_dtype="mxfp4", weight_bytes=13_761_264_768)
    assert filled_memory(spec, d).weights == 13_761_264_768
    s = hardware.shape(spec)
    narrow, table, rest = hardware.rates(s, d)
    assert narrow == 0.53125 and table == 2 and rest == pytest.approx(2, rel=0.05)
    read = bounds(spec, replace(d, batch=4096)).decode.weights  # all experts, all but the rows of the embedding
    assert read == pytest.approx(13_761_264_768 - (spec.vocab - 4096) * spec.d_model * 2, rel=1e-6)
    assert hardware.rates(s, replace(d, weight_bytes=0)) == (0.53125,) * 3


def test_a_sweep_gives_what_each_batch_gives_alone():
    spec, d, state = deployed("qwen3-next-80b-a3b", devices=4)
    assert roofline.sweep(spec, d, (1, 7, 300), state) == tuple(bounds(spec, replace(d, batch=b), state) for b in (1, 7, 300))
