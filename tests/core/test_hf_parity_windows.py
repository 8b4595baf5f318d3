"""Local and global layers in one model, against transformers: python -m pytest tests/core/test_hf_parity_windows.py -k llama4"""

import pytest
import torch
from safetensors.torch import load_file

from core.model.blocks import Chunk, Full, Window
from core.model.ffn.moe import MoE
from core.model.mixers.attention import Temperature
from core.model.rope import Linear, Llama3, NoScaling, Rope, Yarn
from core.real.hf import mimo_v2_flash, reader
from tests.core import test_hf_parity as shared
from tests.core.test_hf_parity import LLAMA3, SMALL, YARN, N, assert_close, ours_of, reference_of, stepped, tokens

GEMMA = {**SMALL, "num_hidden_layers": 3, "head_dim": 12, "sliding_window": 5, "query_pre_attn_scalar": 17, "rms_norm_eps": 1e-2}
GEMMA3 = {
    **GEMMA, "num_hidden_layers": 4, "sliding_window_pattern": 3, "rope_theta": 5000.0, "rope_local_base_freq": 300.0,
    "rope_scaling": {"rope_type": "linear", "factor": 8.0},
}  # fmt: skip
KEYED = {
    "full_attention": {"rope_type": "linear", "factor": 4.0, "rope_theta": 3000.0},
    "sliding_attention": {"rope_type": "default", "rope_theta": 200.0},
}
OLMO = {**SMALL, "num_hidden_layers": 5, "sliding_window": 5, "rope_theta": 500000.0, "rms_norm_eps": 1e-2}
CWM = {**SMALL, "num_hidden_layers": 5, "head_dim": 12, "sliding_window": 5, "rope_scaling": LLAMA3}
OSS = {
    **SMALL, "head_dim": 12, "num_hidden_layers": 3, "sliding_window": 5, "num_local_experts": 8, "num_experts_per_tok": 3,
    "intermediate_size": 14,
}  # fmt: skip
LLAMA4 = {
    **SMALL, "num_hidden_layers": 5, "head_dim": 12, "attention_chunk_size": 6, "num_local_experts": 4, "intermediate_size": 14,
    "intermediate_size_mlp": 20, "floor_scale": 4, "attn_scale": 0.3, "rms_norm_eps": 1e-2,
}  # fmt: skip
MIMO = {
    **SMALL, "num_attention_heads": 8, "head_dim": 12, "v_head_dim": 9, "num_hidden_layers": 7, "sliding_window": 5,
    "n_routed_experts": 8, "num_experts_per_tok": 3, "moe_intermediate_size": 14, "rope_theta": None,
}  # fmt: skip
THIRDS = {
    "full_attention": {"rope_type": "default", "rope_theta": 3000.0, "partial_rotary_factor": 0.334},
    "sliding_attention": {"rope_type": "default", "rope_theta": 200.0, "partial_rotary_factor": 0.5},
}
TYPES = ["full_attention", "sliding_attention", "sliding_attention"]

VARIANTS = {
    "gemma2": GEMMA,
    "gemma2 no caps": {**GEMMA, "final_logit_softcapping": None, "attn_logit_softcapping": None},
    "gemma2 low caps": {**GEMMA, "final_logit_softcapping": 2.0, "attn_logit_softcapping": 1.0, "attention_bias": True},
    "gemma2 layer_types": {**GEMMA, "layer_types": TYPES, "hidden_activation": "silu"},
    "gemma3_text": GEMMA3,
    "gemma3_text keyed": {**GEMMA3, "rope_scaling": None, "rope_parameters": KEYED},
    "gemma3_text layer_types": {**GEMMA3, "layer_types": [*TYPES, TYPES[0]], "final_logit_softcapping": 10.0},
    "olmo3": OLMO,
    "olmo3 yarn": {**OLMO, "rope_scaling": {**YARN, "rope_theta": 500000.0}, "attention_bias": True},
    "olmo3 keyed": {**OLMO, "rope_theta": None, "rope_parameters": KEYED, "tie_word_embeddings": True},
    "cwm": CWM,
    "cwm default rope": {**CWM, "rope_theta": None, "rope_scaling": None, "tie_word_embeddings": True, "mlp_bias": True},
    "cwm layer_types": {**CWM, "layer_types": TYPES, "num_hidden_layers": 3},
    "gpt_oss": OSS,
    "gpt_oss yarn": {**OSS, "rope_theta": None, "rope_parameters": {**YARN, "truncate": False}},
    "gpt_oss no biases": {**OSS, "attention_bias": False, "layer_types": TYPES, "tie_word_embeddings": True},
    "llama4_text": LLAMA4,
    "llama4_text no norm": {**LLAMA4, "use_qk_norm": False, "attn_temperature_tuning": False, "interleave_moe_layer_step": 2},
    "llama4_text two experts": {**LLAMA4, "num_experts_per_tok": 2, "moe_layers": [0, 3], "attention_bias": True},
    "llama4_text step": {**LLAMA4, "rope_scaling": {**LLAMA3, "high_freq_factor": 1.0, "rope_theta": 1000.0}},
    "llama4_text no_rope_layers": {**LLAMA4, "no_rope_layers": [0, 1, 1, 0, 1], "tie_word_embeddings": True},
    "llama4_text yarn": {**LLAMA4, "rope_theta": None, "rope_parameters": YARN, "no_rope_layer_interval": 2},
    "mimo_v2_flash": {**MIMO, "rope_parameters": THIRDS},
    "mimo_v2_flash released": {
        **MIMO, "sliding_window": 4, "sliding_window_size": 4, "routed_scaling_factor": None, "attention_value_scale": 0.5,
    },
    "mimo_v2_flash groups": {
        **MIMO, "n_group": 4, "topk_group": 2, "norm_topk_prob": False, "routed_scaling_factor": 2.0, "attention_bias": True,
        "num_hidden_layers": 3, "layer_types": TYPES, "mlp_layer_types": ["sparse", "dense", "sparse"],
        "attention_value_scale": None,
    },
}  # fmt: skip
NULLS = ("final_logit_softcapping", "attn_logit_softcapping", "routed_scaling_factor", "attention_value_scale")


def config_of(variant):
    config = {"model_type": variant.split()[0], **VARIANTS[variant]}
    return {name: value for name, value in config.items() if value is not None or name in NULLS}


def pair_of(config):
    theirs = reference_of(config)
    return ours_of(config, theirs.state_dict()), theirs


@pytest.fixture(params=VARIANTS)
def pair(request):
    return pair_of(config_of(request.param))


def test_whole_model_at_once_and_step_by_step(pair):
    shared.assert_same_model(*pair)


def test_export_is_the_inverse_of_load(pair):
    for name, (tensor, expected) in shared.exported(*pair).items():  # adding one to a norm rounds
        assert (tensor - expected).abs().max() <= (1e-6 if "norm" in name else 0), name


@pytest.mark.parametrize("size", [1, 2, 9, 13, 22, 23, 24])
@pytest.mark.parametrize("variant, field", [("gemma2", "sliding_window"), ("gpt_oss", "sliding_window"), ("llama4_text", "")])
def test_windows_and_chunks_of_every_size(variant, field, size):
    """One token, the edges of the prompt and of its pieces (9, 13), and one more or less than the whole text."""
    config = {**config_of(variant), field or "attention_chunk_size": size}
    ours, theirs = pair_of(config)
    expected = theirs(tokens()).logits
    assert_close(ours(tokens())[0], expected)
    assert_close(stepped(ours, tokens(), ()), expected)


# The attention classes alone

ALONE = ("gemma3_text", "gemma2", "mistral", "llama4_text", "mimo_v2_flash", "gpt_oss")
REACHES = {"sliding": 5, "chunked": 6, "full": N}  # w keys, itself included; a chunk is the token's own block


def layers_of(family):
    """[(our attention, theirs as a function of x with the angles and the mask that their model hands it)] of every layer."""
    config = {**SMALL, "model_type": family, "sliding_window": 5} if family == "mistral" else config_of(family)
    ours, theirs = pair_of(config)
    given = []

    def keep(module, args, kwargs):
        given.append((module, kwargs))

    for layer in theirs.model.layers:
        layer.self_attn.register_forward_pre_hook(keep, with_kwargs=True)
    theirs(tokens())
    assert {type(module).__name__.removesuffix("Attention") for module, _ in given} <= {
        "Gemma3", "Gemma2", "Mistral", "Llama4Text", "MiMoV2Flash", "GptOss"
    }  # fmt: skip
    calls = [lambda x, m=m, k=dict(k): m(**{**k, "hidden_states": x})[0] for m, k in given]
    for layer in theirs.model.layers:
        layer.self_attn._forward_pre_hooks.clear()
    return list(zip((layer.self_attn for layer in ours.layers), calls, strict=True))


def whole(attention, x):
    return attention(x, {}, {})[0]


@pytest.mark.parametrize("family", ALONE)
def test_attention_alone_at_once_and_step_by_step(family):
    x = torch.randn(2, N, SMALL["hidden_size"], generator=torch.Generator().manual_seed(3))
    for attention, theirs in layers_of(family):
        expected = theirs(x)
        assert_close(whole(attention, x), expected)
        assert_close(stepped(lambda x, state, attention=attention: attention(x, state, {})[:2], x, {}), expected)


@pytest.mark.parametrize("family", ALONE)
def test_the_edge_of_the_window_is_theirs(family):
    """Another token in one place: the last token of the text, and the last of a chunk, read it or do not, in both alike."""
    x = torch.randn(1, N, SMALL["hidden_size"], generator=torch.Generator().manual_seed(4)).expand(2, -1, -1)
    seen = set()
    for attention, theirs in layers_of(family):
        kind = attention.config.reach.kind
        for at in (N - 1, 17):
            oldest = max(0, at - REACHES[kind] + 1) if kind != "chunked" else at - at % REACHES[kind]
            for place in {oldest, max(0, oldest - 1)}:
                other = x.clone()
                other[:, place] += 1
                ours = whole(attention, other) - whole(attention, x)
                read = [bool(moved[0, at].abs().max() > 1e-6) for moved in (ours, theirs(other) - theirs(x))]
                assert read == [place >= oldest] * 2, (kind, at, place)
        seen.add(kind)
    assert seen & {"sliding", "chunked"}


def test_the_cut_of_gpt_oss_bites():
    config = {**config_of("gpt_oss"), "hidden_size": 32}
    theirs = reference_of(config)
    for name, parameter in theirs.named_parameters():
        if "gate_up_proj" in name:
            parameter *= 8
    inner = theirs.model.embed_tokens(tokens()) @ theirs.model.layers[0].mlp.experts.gate_up_proj[0]
    assert (inner.abs() > 7).any()
    assert_close(ours_of(config, theirs.state_dict())(tokens())[0], theirs(tokens()).logits)


def test_files_of_mimo_keep_a_tensor_an_expert(tmp_path):
    theirs = reference_of(config_of("mimo_v2_flash"))
    theirs.save_pretrained(tmp_path)
    stored = load_file(tmp_path / "model.safetensors") | {"model.mtp.layers.0.norm.weight": torch.ones(1)}
    assert any(name.endswith(".attention_sink_bias") for name in stored) and any(".experts.7.up_proj." in name for name in stored)
    found = mimo_v2_flash.disk(stored)
    assert set(found) == set(theirs.state_dict())
    assert all(torch.equal(found[name], tensor) for name, tensor in theirs.state_dict().items())


# What configs may say


def read(variant, **changes):
    return reader.read({**config_of(variant), **changes})


def kinds(r):
    return "".join({Window: "L", Chunk: "C", Full: "G"}[type(layer.mixer.reach)] for layer in r.spec.layers)


def test_which_layers_are_local():
    assert kinds(read("gemma2", num_hidden_layers=5)) == kinds(read("gpt_oss", num_hidden_layers=5)) == "LGLGL"
    gemma3 = {k: v for k, v in config_of("gemma3_text").items() if k != "sliding_window_pattern"}
    assert kinds(reader.read({**gemma3, "num_hidden_layers": 7})) == "LLLLLGL"
    assert kinds(read("olmo3", num_hidden_layers=5)) == "LLLGL"
    assert kinds(read("cwm", num_hidden_layers=5)) == "GLLLG"
    assert kinds(read("llama4_text")) == "CCCGC" and kinds(read("llama4_text no_rope_layers")) == "GCCGC"
    assert kinds(read("llama4_text", no_rope_layers=[])) == "CCCGC"
    assert kinds(read("mimo_v2_flash")) == "GLLLLGL"
    assert kinds(read("mimo_v2_flash", hybrid_layer_pattern=[1, 0, 0, 1, 1, 1, 1])) == "LGGLLLL"


def test_context_extension_is_for_global_layers_alone():
    for variant, scaling in (("gemma3_text", Linear), ("olmo3 yarn", Yarn)):
        for layer in read(variant).spec.layers:
            assert type(layer.mixer.rope.scaling) is (NoScaling if layer.kind == "sliding" else scaling)
    assert {type(layer.mixer.rope.scaling) for layer in read("cwm").spec.layers} == {Llama3}
    local, whole = (read("gemma3_text").spec.layers[i].mixer.rope.base for i in (0, 2))
    assert (local, whole) == (300.0, 5000.0)


def test_a_base_stated_beside_the_scaling_is_that_of_all_layers_of_olmo_3():
    yarn = {**YARN, "rope_theta": 700.0}
    ropes = [layer.mixer.rope for layer in read("olmo3", rope_scaling=yarn).spec.layers]
    assert [rope.base for rope in ropes] == [700.0] * 5 and isinstance(ropes[3].scaling, Yarn) and ropes[0].scaling == NoScaling()


def test_both_generations_of_gemma_3_say_the_same():
    old = config_of("gemma3_text")
    new = {k: v for k, v in old.items() if not k.startswith("rope_")}
    new["rope_parameters"] = {
        "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 5000.0},
        "sliding_attention": {"rope_type": "default", "rope_theta": 300.0},
    }
    assert reader.read(old).spec == reader.read(new).spec
    assert reader.read(old).assumed == reader.read(new).assumed


def test_a_local_layer_of_mimo_has_heads_of_its_own():
    full, local = (read("mimo_v2_flash").spec.layers[i].mixer for i in (0, 1))
    assert (full.kv_heads, full.sinks, full.rope.dim, full.rope.base) == (2, False, 4, 3000.0)
    assert (local.kv_heads, local.sinks, local.rope.dim, local.rope.base, local.reach) == (4, True, 6, 200.0, Window(5))
    assert full.v_scale == local.v_scale == 0.707 and full.v_dim == 9
    released = {"swa_num_key_value_heads": 8, "add_full_attention_sink_bias": True, "add_swa_attention_sink_bias": False}
    full, local = (read("mimo_v2_flash released", **released).spec.layers[i].mixer for i in (0, 1))
    assert (full.sinks, local.sinks, local.kv_heads, local.reach) == (True, False, 8, Window(5))


def test_layers_of_llama_4():
    turned, still = (read("llama4_text").spec.layers[i].mixer for i in (0, 3))
    assert (turned.qk_norm, turned.temperature, turned.reach) == ("bare", Temperature(), Chunk(6))
    assert (still.qk_norm, still.temperature, still.rope) == ("none", Temperature(4, 0.3), Rope())
    assert read("llama4_text", attn_temperature_tuning=4).spec == read("llama4_text").spec
    ffns = [isinstance(layer.ffn, MoE) for layer in read("llama4_text", interleave_moe_layer_step=2).spec.layers]
    assert ffns == [False, True, False, True, False]


WRAPPED = {"gemma3": "gemma3_text", "llama4": "llama4_text"}


@pytest.mark.parametrize("outer", WRAPPED)
def test_a_model_that_also_sees_is_read_by_its_text_config(outer):
    inner = config_of(WRAPPED[outer])
    whole = {"model_type": outer, "text_config": inner, "vision_config": {"depth": 3}, "torch_dtype": "float16"}
    bare, wrapped = reader.read(inner, "one"), reader.read(whole, "one")
    assert bare.spec == wrapped.spec and wrapped.unknown_fields == () and wrapped.context == bare.context
    assert wrapped.cache_dtype == "float16" and bare.assumed[-1] == "dtype"
    assert wrapped.assumed == tuple(f"text_config.{name}" for name in bare.assumed[:-1])
    strange = reader.read({**whole, "twist": 1, "text_config": {**inner, "turn": 2}})
    assert strange.unknown_fields == ("text_config.turn", "twist")
    tied = reader.read({**whole, "tie_word_embeddings": outer == "llama4"})
    assert tied.spec.tied != bare.spec.tied and "text_config.tie_word_embeddings" not in tied.assumed
    nearer = reader.read({**whole, "text_config": {**inner, "torch_dtype": "float32"}})
    assert nearer.cache_dtype == "float32"


def test_a_released_gemma_3_leaves_most_to_its_class():
    text = {"hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 34, "sliding_window": 1024}
    text["rope_scaling"] = {"factor": 8.0, "rope_type": "linear"}
    r = reader.read({"model_type": "gemma3", "text_config": text, "torch_dtype": "bfloat16"})
    attention = r.spec.layers[5].mixer
    assert (attention.heads, attention.kv_heads, attention.k_dim, attention.rope.base) == (8, 4, 256, 1e6)
    assert (r.spec.vocab, r.context, r.spec.tied, kinds(r)[:7]) == (262208, 131072, True, "LLLLLGL")
    taken = ("num_attention_heads", "num_key_value_heads", "head_dim", "vocab_size", "max_position_embeddings", "rope_theta")
    assert {f"text_config.{name}" for name in taken} <= set(r.assumed)


@pytest.mark.parametrize(
    "variant, changes",
    [
        ("gemma2", {"use_bidirectional_attention": True}),
        ("gemma3_text", {"attn_logit_softcapping": 5.0}),
        ("gpt_oss", {"swiglu_limit": 5.0}),
        ("gpt_oss", {"swiglu_alpha": 1.0}),
        ("mimo_v2_flash", {"swa_head_dim": 16}),
        ("mimo_v2_flash", {"n_shared_experts": 1}),
        ("cwm", {"attention_bias": True}),
    ],
)
def test_what_would_change_the_arithmetic_and_is_not_known_is_said(variant, changes):
    assert read(variant).unknown_fields == ()
    assert read(variant, **changes).unknown_fields == tuple(changes)


def test_a_quantisation_that_is_not_known_is_said():
    r = read("gpt_oss", quantization_config={"quant_method": "twist"})
    assert r.unknown_fields == () and "'twist'" in r.unclear and not r.weight_dtype


def test_a_weight_dtype_of_four_bits():
    r = read("gpt_oss", quantization_config={"quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"]}, dtype="bfloat16")
    assert (r.weight_dtype, r.cache_dtype, r.unknown_fields) == ("mxfp4", "bfloat16", ())
