"""Recurrent and hybrid families against transformers: python -m pytest tests/core/test_hf_parity_hybrids.py -k mamba

Every parameter and every buffer that is not given by the config is redrawn first. The bound is 1e-4 of the largest number: block
forms of recurrences add up in another order.
"""

import pytest
import torch

from core.model.model import build
from core.real.hf import reader, weights
from tests.core import test_hf_parity as shared
from tests.core.test_hf_parity import SMALL, N, reference_of, stepped, tokens

BARE = {"vocab_size": 61, "hidden_size": 32, "num_hidden_layers": 2, "pad_token_id": 0}
MOE = {"num_experts": 8, "num_experts_per_tok": 3, "moe_intermediate_size": 14}
DELTA = {
    **SMALL, "num_hidden_layers": 4, "head_dim": 16, "linear_key_head_dim": 6, "linear_value_head_dim": 5,
    "linear_num_key_heads": 2, "linear_num_value_heads": 4,
}  # fmt: skip
LATENT = {"kv_lora_rank": 20, "qk_nope_head_dim": 10, "qk_rope_head_dim": 8, "v_head_dim": 12, "num_key_value_heads": 4}
KIMI = {
    **SMALL, **LATENT, "num_hidden_layers": 4, "linear_head_dim": 6, "linear_num_heads": 5, "num_local_experts": 8,
    "num_experts_per_tok": 3, "moe_intermediate_size": 14, "layer_types": ["linear_attention"] * 3 + ["full_attention"],
}  # fmt: skip
DSA = {
    **SMALL, **LATENT, "q_lora_rank": 24, "first_k_dense_replace": 1, "moe_intermediate_size": 14, "n_routed_experts": 8,
    "num_experts_per_tok": 3, "n_group": 4, "topk_group": 2, "n_shared_experts": 1, "routed_scaling_factor": 2.5,
    "index_n_heads": 16, "index_head_dim": 12, "index_topk": 6, "rms_norm_eps": 1e-2,
}  # fmt: skip
MAMBA2 = {**BARE, "num_heads": 8, "head_dim": 8, "state_size": 6, "n_groups": 2, "chunk_size": 4}
H1 = {
    **SMALL, "head_dim": 8, "mamba_d_ssm": 24, "mamba_n_heads": 4, "mamba_d_head": 6, "mamba_n_groups": 2, "mamba_d_state": 5,
    "mamba_chunk_size": 4,
}  # fmt: skip
FACTORS = {
    "ssm_multipliers": [0.5, 2.0, 1.5, 0.8, 0.6], "mlp_multipliers": [0.7, 1.3], "key_multiplier": 0.6, "ssm_in_multiplier": 0.9,
    "ssm_out_multiplier": 1.2, "attention_out_multiplier": 0.8, "attention_in_multiplier": 1.1, "embedding_multiplier": 2.0,
    "lm_head_multiplier": 0.5,
}  # fmt: skip
GRANITE = {
    **SMALL, "num_hidden_layers": 3, "layer_types": ["mamba", "attention", "mamba"], "num_local_experts": 4,
    "num_experts_per_tok": 2, "shared_intermediate_size": 20, "mamba_n_heads": 8, "mamba_d_head": 8, "mamba_d_state": 6,
    "mamba_n_groups": 2, "mamba_chunk_size": 4, "position_embedding_type": "nope",
}  # fmt: skip
NEMOTRON = {
    **SMALL, "head_dim": 8, "hybrid_override_pattern": "M-*M", "num_hidden_layers": 4, "mamba_num_heads": 8, "mamba_head_dim": 8,
    "ssm_state_size": 6, "n_groups": 2, "chunk_size": 4,
}  # fmt: skip
JAMBA = {
    **{name: value for name, value in SMALL.items() if name != "rope_theta"}, "num_hidden_layers": 4, "num_experts": 4,
    "attn_layer_period": 4, "attn_layer_offset": 2, "mamba_dt_rank": 4, "mamba_d_state": 6, "use_mamba_kernels": False,
}  # fmt: skip
CONV = {**SMALL, "num_hidden_layers": 3, "layer_types": ["conv", "full_attention", "conv"]}
XLSTM = {
    **BARE,
    "num_heads": 2,
    "ffn_round_up_to_multiple_of": 8,
    "chunk_size": 8,
    "mode": "inference",
    "return_last_states": True,
}

VARIANTS = {
    "qwen3_next": {**DELTA, **MOE, "shared_expert_intermediate_size": 10},
    "qwen3_next dense layer": {**DELTA, **MOE, "shared_expert_intermediate_size": 10, "mlp_only_layers": [1]},
    "qwen3_5_text": DELTA,
    "qwen3_5_moe_text": {**DELTA, **MOE, "shared_expert_intermediate_size": 10},
    "kimi_linear": KIMI,
    "minimax": {
        **SMALL, "num_hidden_layers": 4, "head_dim": 8, "num_local_experts": 8, "num_experts_per_tok": 3, "block_size": 5,
        "full_attn_alpha_factor": 1.5, "linear_attn_beta_factor": 0.7, "mlp_alpha_factor": 1.2,
    },
    "mamba2": MAMBA2,
    "mamba2 biases": {**MAMBA2, "use_bias": True, "use_conv_bias": False, "n_groups": 1},
    "falcon_mamba": {**BARE, "state_size": 6, "time_step_rank": 5, "expand": 2, "intermediate_size": 64},
    "jamba": JAMBA,
    "jamba biases": {**JAMBA, "mamba_proj_bias": True, "mamba_conv_bias": False, "num_experts": 1},
    "falcon_h1": {**H1, **FACTORS},
    "falcon_h1 normed": {**H1, "mamba_rms_norm": True, "mamba_norm_before_gate": False},
    "granitemoehybrid": {**GRANITE, "residual_multiplier": 0.5, "embedding_multiplier": 3.0, "logits_scaling": 2.0},
    "granitemoehybrid dense": {**GRANITE, "num_local_experts": 0, "position_embedding_type": "rope"},
    "nemotron_h": NEMOTRON,
    "lfm2": {**CONV, "block_auto_adjust_ff_dim": False},
    "lfm2 biases": {**CONV, "conv_bias": True, "conv_L_cache": 4},
    "lfm2_moe": {**CONV, **MOE, "num_dense_layers": 1},
    "xlstm": XLSTM,
    "deepseek_v32": DSA,
    "glm_moe_dsa": DSA,
}  # fmt: skip
GIVEN = ("inv_freq", "embed_scale", "mup_vector", "slope_rate", "query_decay", "key_decay", "diagonal_decay")


@torch.no_grad()
def redraw(model):
    """Every parameter anew, and every buffer that the config does not give; a few numbers until they differ enough."""
    generator = torch.Generator().manual_seed(7)
    buffers = [(name, buffer) for name, buffer in model.named_buffers() if not name.endswith(GIVEN)]
    for _, tensor in [*model.named_parameters(), *buffers]:
        while True:
            noise = torch.randn(tensor.shape, generator=generator)
            tensor.copy_(noise * 0.25 + (1.0 if tensor.dim() == 1 else 0.0))
            if tensor.std() >= 0.1:
                break
    return model.requires_grad_(False)


@pytest.fixture(params=VARIANTS)
def pair(request, monkeypatch):
    monkeypatch.setattr(shared, "redraw", redraw)
    config = {"model_type": request.param.split()[0], **VARIANTS[request.param]}
    theirs = reference_of(config)
    return ours_of(config, theirs.state_dict()), theirs


def ours_of(config, tensors):
    reading = reader.read(config)
    assert reading.unknown_fields == ()
    model = build(reading.spec).requires_grad_(False)
    tensors = {name: tensor for name, tensor in tensors.items() if not name.endswith(GIVEN)}
    weights.load(model, reader.table(reading.model_type, model), tensors)
    return model


def assert_close(ours, theirs):
    assert theirs.std() >= 0.1
    assert (ours - theirs).abs().max() <= 1e-4 * max(1.0, theirs.abs().max().item())


def test_whole_model_at_once_and_step_by_step(pair):
    ours, theirs = pair
    text = tokens()
    expected = theirs(text).logits
    assert_close(ours(text)[0], expected)
    assert_close(stepped(ours, text, ()), expected)


def test_export_is_the_inverse_of_load(pair):
    ours, theirs = pair
    exported = weights.export(ours, reader.table(reader_name(theirs), ours))
    expected = {name: tensor for name, tensor in theirs.state_dict().items() if not name.endswith(GIVEN)}
    if ours.spec.tied:
        del expected["lm_head.weight"]
    assert set(exported) == set(expected)
    assert all(torch.allclose(exported[name], expected[name], atol=1e-6) for name in expected)  # 1 + w - 1 is w but for rounding


def reader_name(theirs):
    return theirs.config.model_type


def test_the_text_is_longer_than_everything_that_could_hide_an_error():
    assert 2 * max(DSA["index_topk"], MAMBA2["chunk_size"], XLSTM["chunk_size"], 4) < N
