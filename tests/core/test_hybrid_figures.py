"""What others printed about hybrids, and what follows from their formulas: python -m pytest tests/core/test_hybrid_figures.py"""

import json
from dataclasses import replace

import pytest

from core.count import cost
from core.errors import CountedOnly
from core.model.ffn.beside import Beside
from core.model.ffn.dense import Dense
from core.model.ffn.hashed import Hashed
from core.model.ffn.moe import MoE
from core.model.mixers.attention import Attention
from core.model.mixers.borrowed import Borrowed
from core.model.mixers.compressed import Compressed
from core.model.mixers.delta import GatedDelta, KimiDelta
from core.model.mixers.linear import Lightning
from core.model.mixers.mamba import Mamba1, Mamba2
from core.model.mixers.parallel import Parallel
from core.model.mixers.rwkv import Rwkv7
from core.model.mixers.sparse import Indexed
from core.model.mixers.unified import Unified
from core.model.mixers.xlstm import MLstm
from core.model.model import build
from core.model.registry import MLA
from core.model.spec import Layer, ModelSpec
from core.real.hf import reader
from core.real.hf.weights import WeightError
from core.shape import twin
from tests.core.hybrids import LIVE, ROWS, count, read
from tests.core.shell import refused

# Figures that others printed


def a_token(key):
    """Bytes of cache a token, in bfloat16."""
    return count(key, 2).cache_bytes - count(key, 1).cache_bytes


@pytest.mark.parametrize(
    "key, size",
    [
        ("kimi-linear-48b", 8_064),
        ("qwen3-next-80b-a3b", 24_576),
        ("nemotron-h-8b", 16_384),
        ("lfm2-1.2b", 12_288),
        ("xlstm-7b", 0),
        ("qwen3.5-397b-a17b", 30 * 1024),
        ("nemotron-3-nano-30b-a3b", 6 * 1024),
    ],
)
def test_cache_a_token(key, size):
    assert a_token(key) == size


def test_kimi_linear_against_latent_attention_everywhere():
    spec = read("kimi-linear-48b").spec
    latent = next(layer.mixer for layer in spec.layers if layer.kind == "mla")
    everywhere = cost.count(replace(spec, layers=tuple(replace(layer, mixer=latent) for layer in spec.layers)), 1).cache_bytes
    assert everywhere == 31_104
    assert f"{1 - a_token('kimi-linear-48b') / everywhere:.2%}" == "74.07%"
    memory = sum(layer.state.get("memory", 0) for layer in count("kimi-linear-48b").layers)
    assert f"{memory / 1e6:.1f}" == "10.5" and f"{4 * memory / 1e6:.1f}" == "41.9"
    assert [i for i, layer in enumerate(spec.layers) if layer.kind == "mla"] == [3, 7, 11, 15, 19, 23, 26]


def test_the_state_of_qwen3_next():
    layers = count("qwen3-next-80b-a3b").layers
    memory = sum(layer.state.get("memory", 0) for layer in layers)
    assert f"{memory / 1e6:.1f}" == "18.9" and f"{4 * memory / 1e6:.1f}" == "75.5"
    attention = next(layer for layer in layers if layer.kind == "full")
    assert 4 * memory == 36 * 1024 * 2 * sum(attention.cache.values()) // 4096  # as 36 layers would keep for 1,024 tokens


def test_nemotron_h_breaks_even_with_llama():
    memory = sum(layer.state.get("memory", 0) for layer in count("nemotron-h-8b").layers)
    assert f"{memory / 1e6:.1f}" == "25.2" and f"{4 * memory / 1e6:.1f}" == "100.7"
    assert round(4 * memory / (131_072 - a_token("nemotron-h-8b")), -1) == 880
    counted = count("nemotron-h-56b")
    assert counted.layers_by_kind == {"full": 10, "state": 54, "none": 54}


def test_xlstm_state():
    memory = sum(layer.state["memory"] for layer in count("xlstm-7b").layers)
    assert f"{4 * memory / 1e6:.1f}" == "134.2"
    assert count("xlstm-7b", 1).cache_elements == count("xlstm-7b", 100_000).cache_elements == 0


@pytest.mark.parametrize("heads, megabytes", [(4, "268.4"), (8, "134.2"), (16, "67.1"), (32, "33.6")])
def test_xlstm_state_by_number_of_heads(heads, megabytes):
    mixer = MLstm(heads, 2048 // heads, 4096 // heads)
    assert f"{32 * 4 * mixer.state(4096)['memory'] / 1e6:.1f}" == megabytes


def test_lfm2():
    assert count("lfm2-1.2b").state_elements == 40_960
    mixer = read("lfm2-1.2b").spec.layers[0].mixer
    assert sum(mixer.flops(2048, 1, 1).values()) == 8 * 2048**2 + 2 * 3 * 2048
    assert mixer.params(2048) == 4 * 2048**2 + 3 * 2048
    assert read("lfm2-1.2b").spec.layers[0].ffn.hidden == 8192  # and not the 12,288 of block_ff_dim


def test_jamba_needs_4_gib_at_256k_and_mixtral_32():
    assert count("jamba-v0.1", 262_144).cache_bytes == 4 * 2**30
    assert 8 * count("jamba-v0.1", 262_144).cache_bytes == 32 * 2 * 8 * 128 * 2 * 262_144


def test_rwkv_state():
    assert f"{count('rwkv7-2.9b').state_elements / 1e6:.1f}" == "5.4"
    assert count("rwkv7-2.9b").state_elements == 32 * (2560 * 64 + 2 * 2560)


def test_sparse_attention_adds_128_and_reads_fewer():
    spec = read("deepseek-v3.2").spec
    mixer = spec.layers[0].mixer
    assert cost.count(spec, 1).cache_elements == 61 * (512 + 64 + 128)
    assert f"{a_token('glm-5') / 1024:.2f}" == "107.25"
    assert f"{78 * 2 * (512 + 64) / 1024:.1f}" == "87.8"  # as a gallery printed it: without the scorer's keys

    def grows(n):  # what depends on the context, in one decode step
        now, none = mixer.flops(7168, 1, n), mixer.flops(7168, 1, 1)
        scorer = 2 * 64 * 128
        return now["attention"] + now["indexer"] - none["indexer"] + scorer

    for n in (100, 2048, 131_072):
        assert grows(n) == 16_384 * n + 278_528 * min(n, 2048)
    dense = mixer.latent.flops(7168, 1, 131_072)["attention"]
    assert f"{dense / grows(131_072):.1f}" == "13.4"
    assert f"{16_384 * 131_072 / grows(131_072):.0%}" == "79%"


def test_sparse_attention_is_dense_where_all_are_picked():
    mixer = Indexed(MLA, 2, 8, 4, 16) if MLA.q_rank else Indexed(replace(MLA, q_rank=12), 2, 8, 4, 16)
    for n in (1, 15, 16):
        assert {**mixer.flops(32, n, n), "indexer": 0} == {**mixer.latent.flops(32, n, n), "indexer": 0}


def test_a_state_space_step_costs_six_a_number_of_state():
    """Papers' rules of thumb: 2 a parameter and 6 a number of state (Mamba-2, mLSTM), 10 for RWKV-7."""
    for mixer, factor in (
        (Mamba1(64, 16, 4), 6),
        (Mamba2(8, 16, 32), 6),
        (Lightning(4, 16), 6),
        (Rwkv7(4, 8, 2, 2, 2, 2), 10),
        (GatedDelta(2, 4, 8, 8), 8),
        (KimiDelta(2, 8), 8),
    ):
        assert mixer.flops(32, 1, 1)["recurrence"] == factor * mixer.state(32)["memory"]
        assert mixer.flops(32, 9, 9)["recurrence"] == 9 * factor * mixer.state(32)["memory"]
    mixer = MLstm(2, 8, 16)
    assert mixer.flops(32, 1, 1)["recurrence"] == 6 * (mixer.state(32)["memory"] + mixer.state(32)["normaliser"])


RULE = ["mamba2-2.7b", "falcon-mamba-7b", "rwkv7-2.9b", "xlstm-7b", "nemotron-h-8b", "falcon-h1-7b", "lfm2-1.2b"]


@pytest.mark.parametrize("key", RULE)
def test_a_decode_step_costs_about_two_a_parameter(key):
    counted = count(key, 1)
    assert counted.flops_per_token == pytest.approx(2 * counted.params_active_without_input_embedding, rel=0.05)


# Recursive solvers


def test_solvers_carry_two_boards_and_keep_no_cache():
    for key, positions in (("trm-7m", 97), ("hrm-27m", 82)):
        reading = read(key)
        assert reading.context == positions and reading.model_type == key[:3] and "vocab_size" in reading.assumed
        counted = cost.count(reading.spec, positions)
        assert (counted.cache_elements, counted.state_elements) == (0, 2 * positions * 512)


def test_trm_passes_42_layers_a_step():
    spec = read("trm-7m").spec
    assert sum(spec.recursion.passes(i) for i in range(2)) == 42
    counted = cost.count(spec, 97)
    a_layer = sum(counted.layers[0].prefill.values())
    assert counted.flops_per_token == counted.prefill_flops == 42 * a_layer + 2 * 512 * 11 * 97 + 2 * 2 * 512


def test_hrm_passes_its_two_halves_apart():
    spec = read("hrm-27m").spec
    assert [spec.recursion.passes(i) for i in range(8)] == [4] * 4 + [2] * 4
    assert read("trm-7m", H_layers=2).model_type == "hrm"
    assert {**read("trm-7m").__dict__, "spec": 0} == {**read("trm-7m", model_type="trm").__dict__, "spec": 0}


def test_denoisers_are_counted_backwards_and_run(call, write):
    for key in LIVE:
        reading = read(key)
        assert reading.spec.decoding == "diffusion"
        status, out, _ = call("live", write(ROWS[key]["config"]), "--json")
        told = json.loads(out)
        assert status == 0 and told["decoding"] == "diffusion" and "no cache" in told["cache_note"]
        assert told["cache_elements_counted"] == told["cache_elements_measured"] > 0
        assert told["decode_max_abs_diff"] <= 1e-4


def test_weights_that_are_not_mapped_are_said_so():
    spec = twin.shrink(read("llada-8b").spec)[0]
    with pytest.raises(WeightError, match="llada"):
        reader.table("llada", build(spec))


# Borrowed keys and values


def test_a_borrowing_layer_has_no_keys_and_values():
    own = Attention(8, 2, 4, 4, qk_norm="head", qkv_bias=True)
    spec = ModelSpec("cla", 32, 31, (Layer(own, None), Layer(Borrowed(own), None)))
    counted = cost.count(spec, 10)
    assert counted.layers_by_kind == {"full": 1, "shared": 1}
    assert counted.cache_elements == 10 * 2 * 8
    gone = 2 * 2 * 4 * 33 + 4  # both matrices with their biases, the keys' norm
    assert counted.layers[0].params - counted.layers[1].params == gone
    assert sum(counted.layers[0].flops.values()) - sum(counted.layers[1].flops.values()) == 2 * 2 * 2 * 4 * 32


def test_layers_share_in_groups():
    spec = read("hunyuan-large", cla_share_factor=4).spec
    assert [layer.kind for layer in spec.layers[:8]] == ["full", "shared", "shared", "shared"] * 2
    assert [layer.mixer.ago for layer in spec.layers[1:4]] == [1, 2, 3]
    assert {layer.kind for layer in read("hunyuan-large", use_cla=False).spec.layers} == {"full"}


# Counted only


@pytest.mark.parametrize("key", [key for key in ROWS if key.startswith(("gemma4", "deepseek-v4"))])
def test_live_says_counted_only(key, call, write):
    result = call("live", write(ROWS[key]["config"]))
    refused(result)
    assert result[2] == f"error: {read(key).model_type} is counted only\n"
    with pytest.raises(CountedOnly):
        twin.shrink(read(key).spec)


ATTENTION, MAMBA = Attention(4, 2, 8, 8), Mamba2(4, 8, 16)
PARTS = [
    Unified(ATTENTION), Compressed(4, 8, 12, 2, 6, 5, 4, True, 2, 8, 3),
    Beside(Dense(32), MoE(4, 2, 8)), Hashed(MoE(4, 2, 8), 31),
]  # fmt: skip


@pytest.mark.parametrize("part", PARTS, ids=lambda part: type(part).__name__)
def test_a_part_without_a_module_says_so(part):
    with pytest.raises(CountedOnly, match="is counted only"):
        part.build(32)
    assert part.params(32) > 0 and part.buffers() >= 0 and hash(part) == hash(replace(part))


def test_two_mixers_side_by_side_cost_both():
    both = Parallel(ATTENTION, MAMBA)
    assert both.kind == "full+state" and both.cache(9) == ATTENTION.cache(9) and both.state(32) == MAMBA.state(32)
    assert both.params(32) == ATTENTION.params(32) + MAMBA.params(32)
    assert sum(both.flops(32, 1, 9).values()) == sum(sum(m.flops(32, 1, 9).values()) for m in (ATTENTION, MAMBA))
