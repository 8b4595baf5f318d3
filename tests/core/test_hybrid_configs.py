"""Bad configs of hybrids: refused in a sentence, listed, or counted: python -m pytest tests/core/test_hybrid_configs.py"""

import copy
import json
import math
import random
import time
from dataclasses import replace

import pytest

from core.count import cost
from core.errors import SpecError
from core.model.ffn.beside import Beside
from core.model.ffn.hashed import Hashed
from core.model.ffn.moe import MoE
from core.model.mixers.attention import Attention
from core.model.mixers.borrowed import Borrowed
from core.model.mixers.compressed import Compressed
from core.model.mixers.delta import GatedDelta, KimiDelta
from core.model.mixers.linear import Lightning
from core.model.mixers.mamba import Mamba1, Mamba2
from core.model.mixers.parallel import Parallel
from core.model.mixers.rwkv import ChannelMix, Rwkv7
from core.model.mixers.shortconv import GatedConv
from core.model.mixers.sparse import Indexed
from core.model.mixers.unified import Unified
from core.model.mixers.xlstm import MLstm
from core.model.registry import MLA
from core.model.spec import Layer, ModelSpec, Recursion
from core.real.hf import reader
from core.real.hf.source import parse
from tests.core.hybrids import ROWS, config, read
from tests.core.test_config_robustness import mutate

# Bad configs


REFUSALS = [
    ("mamba2-2.7b", {"num_heads": 79}, ["num_heads x head_dim (5,056) must equal expand x hidden_size (5,120)"]),
    ("mamba2-2.7b", {"n_groups": 3}, ["n_groups", "num_heads"]),
    ("mamba2-2.7b", {"conv_kernel": 1}, ["conv_kernel", "2 to 64"]),
    ("mamba2-2.7b", {"hidden_size": ...}, ["hidden_size", "absent"]),
    ("falcon-mamba-7b", {"time_step_rank": "big"}, ["time_step_rank", "big"]),
    ("falcon-mamba-7b", {"num_hidden_layers": 10**12}, ["num_hidden_layers", "4,096"]),
    ("jamba-v0.1", {"attn_layer_offset": 8}, ["attn_layer_offset must be smaller than attn_layer_period (8), not 8"]),
    ("jamba-v0.1", {"expert_layer_period": 0}, ["expert_layer_period"]),
    ("jamba-v0.1", {"num_experts_per_tok": 17}, ["num_experts_per_tok", "16"]),
    ("granite-4.0-h-tiny", {"layer_types": ["mamba"] * 39}, ["layer_types", "40"]),
    ("granite-4.0-h-tiny", {"layer_types": ["rnn"] * 40}, ["layer_types", "mamba", "attention", "rnn"]),
    ("granite-4.0-h-tiny", {"mamba_d_head": 65}, ["mamba_n_heads x mamba_d_head (3,120)", "(3,072)"]),
    ("granite-4.0-h-tiny", {"position_embedding_type": "alibi"}, ["position_embedding_type", "alibi"]),
    ("granite-4.0-h-tiny", {"logits_scaling": 0}, ["logits_scaling"]),
    ("nemotron-h-8b", {"hybrid_override_pattern": "MXM"}, ["hybrid_override_pattern", "M * - E"]),
    ("nemotron-h-8b", {"hybrid_override_pattern": "M-*"}, ["hybrid_override_pattern", "num_hidden_layers (52)", "3"]),
    ("nemotron-h-8b", {"hybrid_override_pattern": ...}, ["layers_block_type", "absent"]),
    ("nemotron-h-8b", {"mlp_hidden_act": "sine"}, ["mlp_hidden_act", "sine"]),
    ("nemotron-3-nano-30b-a3b", {"num_experts_per_tok": 129}, ["num_experts_per_tok", "128"]),
    ("falcon-h1-7b", {"mamba_n_heads": 25}, ["mamba_n_heads", "mamba_d_ssm (3072)"]),
    ("falcon-h1-7b", {"mlp_multipliers": [1.0]}, ["mlp_multipliers", "2 numbers"]),
    ("falcon-h1-7b", {"ssm_multipliers": [1, 1, 1, 1, "x"]}, ["ssm_multipliers", "x"]),
    ("lfm2-1.2b", {"full_attn_idxs": [2, 16]}, ["full_attn_idxs", "0 to 15"]),
    ("lfm2-1.2b", {"full_attn_idxs": 3}, ["full_attn_idxs"]),
    ("lfm2-1.2b", {"block_multiple_of": 0}, ["block_multiple_of"]),
    ("lfm2-8b-a1b", {"layer_types": ["conv", "attention"] * 12}, ["layer_types", "full_attention, conv"]),
    ("xlstm-7b", {"num_heads": 7}, ["num_heads", "qk_dim_factor x hidden_size"]),
    ("xlstm-7b", {"v_dim_factor": 0}, ["v_dim_factor x hidden_size must be at least 1"]),
    ("rwkv7-2.9b", {"head_size": 63}, ["head_size", "hidden_size"]),
    ("rwkv7-2.9b", {"num_attention_heads": 41}, ["num_attention_heads", "hidden_size"]),
    ("rwkv7-2.9b", {"intermediate_size": None, "hidden_ratio": None}, ["hidden_ratio"]),
    ("qwen3-next-80b-a3b", {"linear_num_key_heads": 15}, ["linear_num_key_heads", "linear_num_value_heads"]),
    ("qwen3-next-80b-a3b", {"layer_types": ["sliding_attention"] * 48}, ["layer_types", "linear_attention"]),
    ("qwen3-next-80b-a3b", {"full_attention_interval": 0}, ["full_attention_interval"]),
    ("qwen3.5-397b-a17b", {"text_config": 3}, ["text_config must be an object"]),
    ("kimi-linear-48b", {"mla_use_nope": False}, ["mla_use_nope must be true"]),
    ("kimi-linear-48b", {"linear_attn_config": {"full_attn_layers": [1], "kda_layers": [1]}}, ["each layer from 1 to 27 once"]),
    ("kimi-linear-48b", {"linear_attn_config": {"full_attn_layers": "all", "kda_layers": []}}, ["full_attn_layers", "list"]),
    ("kimi-linear-48b", {"moe_router_activation_func": "softmax"}, ["moe_router_activation_func", "sigmoid"]),
    ("minimax-m1", {"attn_type_list": [0, 2] * 40}, ["attn_type_list", "not 2"]),
    ("minimax-m1", {"attn_type_list": [True] * 80}, ["attn_type_list", "true"]),
    ("minimax-m1", {"postnorm": False}, ["postnorm must be true"]),
    ("deepseek-v3.2", {"q_lora_rank": None}, ["q_lora_rank", "null"]),
    ("deepseek-v3.2", {"index_head_dim": 32}, ["index_head_dim", "64"]),
    ("deepseek-v3.2", {"mlp_layer_types": ["dense", "thin"] * 40}, ["mlp_layer_types", "dense, sparse", "thin"]),
    ("glm-5", {"index_topk_pattern": "FX"}, ["index_topk_pattern", "78"]),
    ("glm-5", {"indexer_types": ["none"] * 78}, ["indexer_types", "full, shared"]),
    ("hunyuan-large", {"cla_share_factor": 0}, ["cla_share_factor"]),
    ("llada-8b", {"n_heads": 33}, ["n_heads", "d_model (4096)"]),
    ("llada-8b", {"d_model": ...}, ["d_model", "absent"]),
    ("gemma4-26b-a4b", {"text_config": {"hidden_size": 8, "num_hidden_layers": 2}}, ["hidden_size_per_layer_input must be 0"]),
    ("deepseek-v4-flash", {"compress_ratios": [0, 5] * 22}, ["compress_ratios", "0, 4, 128", "not 5"]),
    ("deepseek-v4-flash", {"num_key_value_heads": 2}, ["num_key_value_heads must be 1"]),
    ("deepseek-v4-flash", {"o_groups": 7}, ["o_groups", "num_attention_heads"]),
    ("deepseek-v4-flash", {"scoring_func": "hard"}, ["scoring_func", "sqrtsoftplus"]),
    ("trm-7m", {"mlp_t": 1}, ["mlp_t must be true or false"]),
    ("trm-7m", {"pos_encodings": "learned"}, ["pos_encodings", "learned"]),
    ("trm-7m", {"num_heads": 7}, ["num_heads", "hidden_size (512)"]),
    ("trm-7m", {"L_layers": ...}, ["model_type", "absent"]),
]  # fmt: skip


@pytest.mark.parametrize("key, changes, words", REFUSALS, ids=[f"{key}-{next(iter(changes))}" for key, changes, _ in REFUSALS])
def test_a_bad_config_is_refused_in_a_sentence(key, changes, words):
    with pytest.raises(SpecError) as error:
        read(key, **changes)
    sentence = str(error.value)
    assert len(sentence) < 300 and len(sentence.splitlines()) == 1
    for word in words:
        assert word in sentence, sentence


@pytest.mark.parametrize(
    "key, changes, unknown",
    [
        ("nemotron-h-8b", {"moe_latent_size": 512}, "moe_latent_size"),
        ("nemotron-h-8b", {"time_step_limit": [0.0, 1.0]}, "time_step_limit"),
        ("xlstm-7b", {"add_out_norm": False}, "add_out_norm"),
        ("xlstm-7b", {"use_bias": True}, "use_bias"),
        ("rwkv7-2.9b", {"attn": {"layers": [1]}}, "attn"),
        ("rwkv7-2.9b", {"norm_bias": False}, "norm_bias"),
        ("llada-8b", {"alibi": True}, "alibi"),
        ("minimax-m1", {"shared_intermediate_size": 64}, "shared_intermediate_size"),
        ("hunyuan-large", {"moe_layer_num_skipped": 2}, "moe_layer_num_skipped"),
    ],
)
def test_what_is_not_built_is_listed(key, changes, unknown):
    assert unknown in read(key, **changes).unknown_fields


def test_infinity_may_stand_for_no_limit_and_nowhere_else():
    text = json.dumps(ROWS["nemotron-h-8b"]["config"])
    assert "Infinity" in text and parse(text)["time_step_limit"][1] == math.inf
    for wrong in ('{"time_step_limit": [-Infinity, 0]}', '{"time_step_limit": [NaN, 1]}', '{"time_step_max": Infinity}'):
        with pytest.raises(SpecError, match="finite"):
            parse(wrong)


ATTENTION, MAMBA = Attention(4, 2, 8, 8), Mamba2(4, 8, 16)
WRONG = [
    lambda: GatedDelta(3, 4, 8, 8),
    lambda: GatedDelta(2, 4, 8, 8, kernel=1),
    lambda: KimiDelta(0, 8),
    lambda: Mamba1(64, 16, 4, norms="some"),
    lambda: Mamba2(6, 8, 16, groups=4),
    lambda: Mamba2(4, 8, 16, scales=(1.0,)),
    lambda: MLstm(2, 4, 0),
    lambda: Rwkv7(4, 8, 2, 2, 2, 2, first=1),
    lambda: ChannelMix(-1),
    lambda: GatedConv(1),
    lambda: Lightning(2, 8, block=0),
    lambda: Parallel(ATTENTION, MAMBA, reads=(1.0,)),
    lambda: Borrowed(MAMBA),
    lambda: Indexed(ATTENTION, 2, 8, 4, 16),
    lambda: Indexed(replace(MLA, q_rank=0), 2, 8, 4, 16),
    lambda: Recursion(cycles=0),
    lambda: Unified(replace(ATTENTION, v_dim=4)),
    lambda: Compressed(4, 8, 12, 3, 6, 5),
    lambda: Compressed(4, 8, 12, 2, 6, 5, 0, True, 2, 8, 3),
    lambda: Compressed(4, 8, 12, 2, 6, 5, 4, True),
    lambda: Beside(MoE(4, 2, 8), MoE(4, 2, 8)),
    lambda: Hashed(MoE(4, 2, 8, bias=True), 31),
    lambda: ModelSpec("many", 8, 8, (Layer(ATTENTION, None),), streams=0),
]


@pytest.mark.parametrize("make", WRONG, ids=range(len(WRONG)))
def test_a_part_that_cannot_be_is_refused(make):
    with pytest.raises(SpecError):
        make()


def outcome(text):
    """Whether a text was read and counted, or refused in one sentence."""
    try:
        r = reader.read(parse(text))
        counted = cost.count(r.spec, r.context, 1, r.weight_dtype, r.cache_dtype, r.state_dtype)
        assert counted.params_total > 0 and json.dumps([*r.assumed, *r.unknown_fields])
        return True
    except SpecError as error:
        assert 10 < len(str(error)) < 300 and len(str(error).splitlines()) == 1
        return False


@pytest.mark.parametrize("seed", range(5))
def test_a_hundred_mutations_each_give_a_result_or_one_sentence(seed):
    rng, outcomes, keys = random.Random(seed), [], list(ROWS)
    for _ in range(100):
        text = mutate(copy.deepcopy(config(rng.choice(keys))), rng) if rng.random() < 0.5 else twice(rng, keys)
        start = time.monotonic()
        outcomes.append(outcome(text))
        assert time.monotonic() - start < 1, text[:500]
    assert 10 < sum(outcomes) < 90  # or the mutations prove nothing


def twice(rng, keys):
    """A config with two things wrong, where the first leaves it readable."""
    text = mutate(copy.deepcopy(config(rng.choice(keys))), rng)
    try:
        return mutate(parse(text), rng)
    except SpecError:
        return text
