"""Latent attention and mixtures of experts against transformers: python -m pytest tests/core/test_hf_parity_experts.py -k v3"""

import copy
from dataclasses import replace
from importlib import import_module

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig
from transformers.models.gpt_oss.configuration_gpt_oss import GptOssConfig
from transformers.models.gpt_oss.modeling_gpt_oss import GptOssMLP

from core.model.ffn.moe import MoE
from core.model.mixers.latent import Latent
from core.model.model import build
from core.real import catalogue
from core.real.hf import reader, weights
from tests.core.test_hf_parity import (
    CODE,
    SMALL,
    N,
    assert_close,
    assert_same_model,
    exported,
    ours_of,
    redraw,
    reference_attention,
    reference_of,
    stepped,
    tokens,
)

YARN = {
    "type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16, "beta_fast": 8, "beta_slow": 1, "mscale": 1.0,
    "mscale_all_dim": 0.7,
}  # fmt: skip
MLA = {
    **SMALL, "num_key_value_heads": 4, "kv_lora_rank": 20, "q_lora_rank": 24, "qk_nope_head_dim": 10, "qk_rope_head_dim": 8,
    "v_head_dim": 12, "first_k_dense_replace": 1, "moe_intermediate_size": 14, "n_routed_experts": 8, "num_experts_per_tok": 3,
    "rms_norm_eps": 1e-2,
}  # fmt: skip
V2 = {**MLA, "n_shared_experts": 2, "routed_scaling_factor": 1.7}
LITE = {**V2, "q_lora_rank": None, "topk_method": "greedy"}
LIMITED = {**V2, "topk_method": "group_limited_greedy", "n_group": 4, "topk_group": 2}
V3 = {**MLA, "n_group": 4, "topk_group": 2, "n_shared_experts": 1, "routed_scaling_factor": 2.5}
QWEN = {**SMALL, "head_dim": 12, "num_experts": 8, "num_experts_per_tok": 3, "moe_intermediate_size": 14}
GLM = {
    **SMALL, "head_dim": 12, "partial_rotary_factor": 0.5, "first_k_dense_replace": 1, "moe_intermediate_size": 14,
    "n_routed_experts": 8, "num_experts_per_tok": 3, "n_shared_experts": 2, "routed_scaling_factor": 1.5,
}  # fmt: skip
MINIMAX = {**SMALL, "head_dim": 12, "num_local_experts": 8, "num_experts_per_tok": 3, "rotary_dim": 6}
HUNYUAN = {**SMALL, "head_dim": 12, "num_experts": 8, "moe_topk": [3, 2], "num_shared_expert": [1, 1], "rms_norm_eps": 1e-2}
NTK = {"type": "dynamic", "alpha": 50.0, "factor": 1.0}

VARIANTS = {
    "mixtral": {**SMALL, "num_local_experts": 8, "num_experts_per_tok": 3},
    "mixtral window": {**SMALL, "sliding_window": 5},
    "qwen3_moe": {**QWEN, "norm_topk_prob": True},
    "qwen3_moe not normalised": {**QWEN, "num_hidden_layers": 3, "decoder_sparse_step": 2, "attention_bias": True},
    "qwen3_moe dense layer": {**QWEN, "num_hidden_layers": 3, "mlp_only_layers": [1], "norm_topk_prob": True},
    "qwen3_moe window": {**QWEN, "use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1},
    "glm4_moe": GLM,
    "glm4_moe norms": {**GLM, "use_qk_norm": True, "attention_bias": True, "n_group": 2, "topk_group": 1},
    "glm4_moe default rotation": {**GLM, "partial_rotary_factor": None, "norm_topk_prob": False},
    "minimax_m2": MINIMAX,
    "minimax_m2 fully turned": {**MINIMAX, "rotary_dim": None},
    "hunyuan_v1_moe": HUNYUAN,
    "hunyuan_v1_moe alpha": {**HUNYUAN, "rope_scaling": NTK, "attention_bias": True, "tie_word_embeddings": True},
    "deepseek_v2": V2,
    "deepseek_v2 lite": {**LITE, "rope_scaling": {**YARN, "mscale": 0.7}},
    "deepseek_v2 groups": {**LIMITED, "attention_bias": True, "rope_scaling": YARN},
    "deepseek_v3": V3,
    "deepseek_v3 yarn": {**V3, "rope_scaling": YARN, "attention_bias": True},
    "deepseek_v3 plain queries": {**V3, "q_lora_rank": None, "n_group": 1, "topk_group": 1, "norm_topk_prob": False},
    "kimi_k2": {**V3, "n_group": 1, "topk_group": 1, "rope_scaling": {**YARN, "beta_fast": 1.0, "mscale_all_dim": 1.0}},
}  # fmt: skip
LATENT = [variant for variant in VARIANTS if variant.startswith(("deepseek", "kimi"))]


def config_of(variant):
    config = {"model_type": variant.split()[0], **VARIANTS[variant]}
    return {name: value for name, value in config.items() if value is not None or name == "q_lora_rank"}


def pair_of(variant):
    config = config_of(variant)
    theirs = reference_of(config)
    return ours_of(config, theirs.state_dict()), theirs


@pytest.fixture(params=VARIANTS)
def pair(request):
    return pair_of(request.param)


def test_whole_model_at_once_and_step_by_step(pair):
    assert_same_model(*pair)


def test_export_is_the_inverse_of_load(pair):
    assert all(torch.equal(*both) for both in exported(*pair).values())


def inputs():
    return torch.randn(2, N, 32, generator=torch.Generator().manual_seed(2))


def test_every_mixture_of_experts_by_itself(pair):
    ours, theirs = pair
    blocks = [i for i, layer in enumerate(ours.spec.layers) if isinstance(layer.ffn, MoE)]
    assert blocks
    for i in blocks:
        assert_close(ours.layers[i].mlp(inputs(), {}, {})[0], theirs.model.layers[i].mlp(inputs()))


def test_every_attention_layer_by_itself(pair):
    ours, theirs = pair
    for i, layer in enumerate(ours.layers):
        expected = reference_attention(theirs, i, inputs(), layer.self_attn.config.reach)
        assert_close(layer.self_attn(inputs(), {}, {})[0], expected)
        assert_close(stepped(lambda x, state, a=layer.self_attn: a(x, state, {})[:2], inputs(), {}), expected)


@pytest.mark.parametrize("variant", LATENT)
def test_both_forms_of_latent_attention(variant):
    model, theirs = pair_of(variant)
    expected = reference_attention(theirs, 1, inputs(), model.spec.layers[1].mixer.reach)
    outs = []
    for form in ("expanded", "absorbed"):
        layers = tuple(replace(layer, mixer=replace(layer.mixer, form=form)) for layer in model.spec.layers)
        ours = build(replace(model.spec, layers=layers)).requires_grad_(False)
        ours.load_state_dict(model.state_dict())
        attention = ours.layers[1].self_attn
        outs.append(attention(inputs(), {}, {})[0])
        assert_close(outs[-1], expected)
        assert_close(stepped(lambda x, state, a=attention: a(x, state, {})[:2], inputs(), {}), expected)
    assert_close(*outs)


def test_gpt_oss_experts_by_themselves():
    sizes = {"hidden_size": 32, "intermediate_size": 14, "num_local_experts": 8, "num_experts_per_tok": 3}
    theirs = redraw(GptOssMLP(GptOssConfig(**sizes)))
    config = MoE(8, 3, 14, activation="clamped", router_bias=True, expert_bias=True)
    ours = config.build(32).requires_grad_(False)
    turned, pairs = weights.Transpose(), weights.Deinterleave(dim=1)
    ops = {"experts.gate_up_proj": (turned, pairs), "experts.gate_up_proj_bias": (pairs,), "experts.down_proj": (turned,)}
    names = weights.numbers(ours)
    table = [weights.Entry(name.replace("gate.", "router."), (name,), ops=ops.get(name, ())) for name in names]
    weights.load(ours, table, theirs.state_dict())
    x = 8 * inputs()  # large enough that the clamps bite
    inner = torch.einsum("btd,edf->btef", x, theirs.experts.gate_up_proj)
    assert (inner > 7).any() and (inner < -7).any()
    expected = theirs(x)
    assert_close(ours(x, {}, {})[0], expected[0] if isinstance(expected, tuple) else expected)


@pytest.mark.parametrize("variant", ["deepseek_v3", "glm4_moe norms"])
def test_a_bias_below_zero_lets_no_other_group_in(variant):
    """Where the picked groups' own biased scores are below zero, experts outside them still stay out."""
    ours, theirs = pair_of(variant)
    mine, other = ours.layers[1].mlp, theirs.model.layers[1].mlp
    for gate in (mine.gate, other.gate):
        gate.e_score_correction_bias.sub_(1.5)
    scores = mine.gate(inputs())[0] + mine.gate.e_score_correction_bias
    assert (scores.topk(3).values.amin(-1) < 0).all()
    assert_close(mine(inputs(), {}, {})[0], other(inputs()))


# As files keep them


def apart(tensors, gate, up, down):
    """One tensor an expert, as older files have them."""
    result = {}
    for name, tensor in tensors.items():
        stem, _, leaf = name.rpartition(".experts.")
        for e, own in enumerate(tensor if stem and leaf in ("gate_up_proj", "down_proj") else ()):
            halves = zip((gate, up), own.chunk(2)) if leaf == "gate_up_proj" else ((down, own),)
            result |= {f"{stem}.experts.{e}.{part}.weight": half.clone() for part, half in halves}
        if not stem:
            result[name] = tensor
    return result


def test_as_stored_on_disk(pair):
    _, theirs = pair
    family = reader.FAMILIES[theirs.config.model_type]
    w = theirs.config.model_type in ("mixtral", "minimax_m2")
    stored = apart(theirs.state_dict(), *(("w1", "w3", "w2") if w else ("gate_proj", "up_proj", "down_proj")))
    stored = {name.replace(".mlp.", ".block_sparse_moe.") if w else name: t for name, t in stored.items()}
    found = family.disk(stored)
    assert len(stored) > len(found) and set(found) == set(theirs.state_dict())
    assert all(torch.equal(found[name], tensor) for name, tensor in theirs.state_dict().items())

    lost = next(name for name in stored if ".experts.1." in name)
    with pytest.raises(weights.WeightError, match=f"missing: {lost}"):
        family.disk({name: t for name, t in stored.items() if name != lost})


@pytest.mark.parametrize(
    "variant", ["mixtral", "qwen3_moe", "glm4_moe", "minimax_m2", "hunyuan_v1_moe", "deepseek_v2", "deepseek_v3"]
)
def test_files_that_transformers_writes(variant, tmp_path):
    ours, theirs = pair_of(variant)
    theirs.save_pretrained(tmp_path)
    found = reader.FAMILIES[theirs.config.model_type].disk(load_file(tmp_path / "model.safetensors"))
    fresh = build(ours.spec, seed=5).requires_grad_(False)
    weights.load(fresh, reader.table(theirs.config.model_type, fresh), found)
    assert torch.equal(fresh(tokens())[0], ours(tokens())[0])


@pytest.mark.parametrize("variant", ["deepseek_v3", "glm4_moe"])
def test_layers_that_predict_further_tokens_are_left_out(variant):
    _, theirs = pair_of(variant)
    tensors = theirs.state_dict()
    further = {f"model.layers.2.{name}.weight": torch.ones(1) for name in ("eh_proj", "enorm", "mlp.gate", "shared_head.head")}
    assert set(reader.FAMILIES[variant].disk(tensors | further)) == set(tensors)


# Rope at real sizes


@pytest.mark.parametrize(
    "key", ["deepseek-v2", "deepseek-v2-lite", "deepseek-v3", "kimi-k2", "hunyuan-a13b", "glm-4.5", "minimax-m2"]
)
def test_frequencies_of_real_models(key):
    config = catalogue.entries()[key].config
    known = AutoConfig.for_model(**copy.deepcopy({**config, "model_type": CODE.get(config["model_type"], config["model_type"])}))
    module = import_module(f"transformers.models.{known.model_type}.modeling_{known.model_type}")
    theirs = next(v for name, v in vars(module).items() if name.endswith("RotaryEmbedding"))(known)
    mixer = catalogue.entries()[key].reading.spec.layers[0].mixer
    frequencies, magnitude = mixer.rope.frequencies()
    torch.testing.assert_close(frequencies, theirs.inv_freq, rtol=2e-6, atol=0)
    assert magnitude == pytest.approx(theirs.attention_scaling, rel=1e-6)
    if isinstance(mixer, Latent):
        usual = (config["qk_nope_head_dim"] + config["qk_rope_head_dim"]) ** -0.5
        assert mixer.scale == pytest.approx(module.yarn_apply_mscale(known.rope_parameters, usual), rel=1e-6)
        assert mixer.scale > usual


# What configs may say


def read(variant, **changes):
    return reader.read({**config_of(variant), **changes})


def test_latent_attention_is_what_is_built():
    mixer = read("deepseek_v3 yarn").spec.layers[0].mixer
    assert isinstance(mixer, Latent) and (mixer.kv_rank, mixer.rope_dim, mixer.q_rank, mixer.bias) == (20, 8, 24, True)
    assert read("deepseek_v2 lite").spec.layers[0].mixer.q_rank == 0


def test_which_layers_hold_experts():
    def kinds(variant, **changes):
        return "".join("E" if isinstance(x.ffn, MoE) else "D" for x in read(variant, num_hidden_layers=6, **changes).spec.layers)

    assert kinds("deepseek_v3") == kinds("glm4_moe") == "DEEEEE"
    assert kinds("deepseek_v2", first_k_dense_replace=2, moe_layer_freq=2) == "DDEDED"
    assert kinds("qwen3_moe", decoder_sparse_step=2) == "DEDEDE"
    assert kinds("qwen3_moe", mlp_only_layers=[0, 3]) == "DEEDEE"
    assert kinds("qwen3_moe", num_experts=0) == "DDDDDD"


def test_lists_with_a_number_for_each_layer():
    ffns = [layer.ffn for layer in read("hunyuan_v1_moe", moe_intermediate_size=[20, 24], num_shared_expert=[2, 0]).spec.layers]
    assert [(f.top_k, f.hidden, f.shared) for f in ffns] == [(3, 20, 88), (2, 24, 0)]


def test_what_would_change_the_arithmetic_and_is_not_known_is_said():
    assert read("deepseek_v3", rope_interleave=True, num_nextn_predict_layers=1).unknown_fields == ()
    assert read("deepseek_v3", rope_interleave=False).unknown_fields == ("rope_interleave",)
    assert read("deepseek_v2", norm_topk_prob=True, mlp_bias=True).unknown_fields == ("mlp_bias", "norm_topk_prob")
    assert read("hunyuan_v1_moe", use_cla=True).unknown_fields == ("use_cla",)
    assert read("minimax_m2", shared_intermediate_size=8).unknown_fields == ("shared_intermediate_size",)


def test_weights_that_a_config_says_are_fp8():
    fp8 = {"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8", "weight_block_size": [128, 128]}
    r = read("deepseek_v3", quantization_config=fp8, torch_dtype="bfloat16")
    assert (r.weight_dtype, r.cache_dtype, r.unknown_fields) == ("fp8", "bfloat16", ())
