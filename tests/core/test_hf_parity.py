"""Eight families against transformers, with every weight redrawn: python -m pytest tests/core/test_hf_parity.py -k qwen3"""

import copy
from itertools import pairwise

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils import logging

from core.model.model import build
from core.real.hf import gpt2, reader, weights

logging.set_verbosity_error()

N, PREFILL, CHUNK = 23, 9, 4  # more than four windows; 9 tokens at once, then 4, then one by one
SMALL = {
    "vocab_size": 61, "hidden_size": 32, "intermediate_size": 44, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 64, "rope_theta": 1000.0, "pad_token_id": 0,
}  # fmt: skip
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
LLAMA3["original_max_position_embeddings"] = 32
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32, "beta_fast": 4.0, "rope_theta": 500.0}
LONG = {"type": "longrope", "short_factor": [1.0, 1.3, 2.0], "long_factor": [2.0, 3.0, 4.0]}

VARIANTS = {
    "llama": {},
    "llama mha": {"num_key_value_heads": 4},
    "llama mqa": {"num_key_value_heads": 1},
    "llama no kv_heads": {"num_key_value_heads": None},
    "llama head_dim": {"head_dim": 12},
    "llama biases": {"attention_bias": True, "mlp_bias": True},
    "llama tied": {"tie_word_embeddings": True},
    "llama gelu": {"hidden_act": "gelu"},
    "llama linear": {"rope_scaling": {"type": "linear", "factor": 3.0}},
    "llama llama3": {"rope_scaling": LLAMA3},
    "llama yarn": {"rope_theta": None, "rope_parameters": YARN},
    "llama dynamic": {"rope_scaling": {"type": "dynamic", "factor": 2.0}},
    "mistral": {"sliding_window": 5},
    "mistral full": {"sliding_window": None},
    "mistral one": {"sliding_window": 1},
    "qwen2": {},
    "qwen2 tied": {"tie_word_embeddings": True},
    "qwen2 window": {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1, "num_hidden_layers": 3},
    "qwen2 layer_types": {
        "use_sliding_window": True, "sliding_window": 5, "num_hidden_layers": 3,
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
    },
    "qwen3": {"head_dim": 12},
    "qwen3 tied": {"head_dim": 8, "tie_word_embeddings": True},
    "qwen3 biases": {"head_dim": 12, "attention_bias": True},
    "qwen3 window": {"head_dim": 8, "use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1},
    "phi3": {"sliding_window": None},
    "phi3 mha": {"num_key_value_heads": 4},
    "phi3 window": {"sliding_window": 5},
    "phi3 partial": {"partial_rotary_factor": 0.75},
    "phi3 longrope": {"partial_rotary_factor": 0.75, "rope_scaling": LONG, "original_max_position_embeddings": 48},
    "phi3 tied": {"tie_word_embeddings": True},
    "smollm3": {"num_hidden_layers": 5},
    "smollm3 no_rope_layers": {"num_hidden_layers": 3, "no_rope_layers": [0, 1, 0], "tie_word_embeddings": False},
    "smollm3 window": {"num_hidden_layers": 4, "no_rope_layer_interval": 2, "use_sliding_window": True, "sliding_window": 5},
    "smollm3 biases": {"attention_bias": True, "mlp_bias": True},
    "olmo2": {},
    "olmo2 biases": {"attention_bias": True, "tie_word_embeddings": True},
    "gpt2": {},
    "gpt2 untied": {"tie_word_embeddings": False},
    "gpt2 inner": {"n_inner": 40, "activation_function": "relu"},
    "gpt2 unscaled": {"scale_attn_weights": False},
    "gpt2 layer scale": {"scale_attn_by_inverse_layer_idx": True},
}  # fmt: skip
CONSTANT = ("inv_freq", "embed_scale")  # buffers that the config gives
CODE = {"kimi_k2": "deepseek_v3"}  # families whose code is another's
GPT2 = {"vocab_size": 61, "n_embd": 32, "n_head": 4, "n_layer": 2, "n_positions": 64}


def config_of(variant):
    family = variant.split()[0]
    config = {**(GPT2 if family == "gpt2" else SMALL), "model_type": family, **VARIANTS[variant]}
    return {name: value for name, value in config.items() if value is not None or name != "rope_theta"}


def reference_of(config):
    known = AutoConfig.for_model(**copy.deepcopy({**config, "model_type": CODE.get(config["model_type"], config["model_type"])}))
    model = AutoModelForCausalLM.from_config(known, attn_implementation="eager", experts_implementation="eager").eval()
    model.config.use_cache = False
    return redraw(model)


@torch.no_grad()
def redraw(model):
    """Every parameter anew, and every buffer that the config does not give."""
    generator = torch.Generator().manual_seed(7)
    for parameter in model.parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.copy_(noise * 0.25 + (1.0 if parameter.dim() == 1 else 0.0))
        assert parameter.std() >= 0.1
    for name, buffer in model.named_buffers():
        if not name.endswith(CONSTANT):
            buffer.copy_(torch.randn(buffer.shape, generator=generator) * 0.25)
            assert buffer.std() >= 0.1
    return model.requires_grad_(False)


def ours_of(config, tensors):
    reading = reader.read(config)
    assert reading.unknown_fields == ()
    model = build(reading.spec).requires_grad_(False)
    weights.load(model, reader.table(reading.model_type, model), tensors)
    return model


def assert_close(ours, theirs):
    assert theirs.std() >= 0.1
    assert (ours - theirs).abs().max() <= 1e-5 * max(1.0, theirs.abs().max().item())


@pytest.fixture(params=VARIANTS)
def pair(request):
    config = config_of(request.param)
    theirs = reference_of(config)
    return ours_of(config, theirs.state_dict()), theirs


def tokens(vocab=61):
    return torch.randint(vocab, (2, N), generator=torch.Generator().manual_seed(1))


def assert_same_model(ours, theirs):
    """All tokens at once, and step by step."""
    expected = theirs(tokens()).logits
    assert_close(ours(tokens())[0], expected)
    assert_close(stepped(ours, tokens(), ()), expected)


def exported(ours, theirs):
    """{name: (our tensor as it is exported, theirs)}, of the same names."""
    found, expected = weights.export(ours, reader.table(theirs.config.model_type, ours)), theirs.state_dict()
    assert set(found) == set(expected) - ({"lm_head.weight"} if ours.spec.tied else set())
    return {name: (tensor, expected[name]) for name, tensor in found.items()}


def test_whole_model_at_once_and_step_by_step(pair):
    assert_same_model(*pair)


def stepped(run, x, state):
    """Some tokens at once, then some more, then one by one."""
    outs = []
    for a, b in pairwise([0, PREFILL, PREFILL + CHUNK, *range(PREFILL + CHUNK + 1, N + 1)]):
        y, state = run(x[:, a:b], state)
        outs.append(y)
    return torch.cat(outs, dim=1)


def test_export_is_the_inverse_of_load(pair):
    ours, theirs = pair
    found = exported(ours, theirs)
    assert all(torch.equal(*both) for both in found.values())
    fresh = build(ours.spec, seed=5).requires_grad_(False)
    weights.load(fresh, reader.table(theirs.config.model_type, fresh), {name: mine for name, (mine, _) in found.items()})
    assert torch.equal(fresh(tokens())[0], ours(tokens())[0])


# One attention layer by itself


ATTENTION = [v for v in VARIANTS if v.split()[0] in ("llama", "qwen3", "phi3", "gpt2")]


@pytest.mark.parametrize("variant", ATTENTION)
@pytest.mark.parametrize("layer", [0, 1])
def test_attention_module(variant, layer):
    config = config_of(variant)
    theirs = reference_of(config)
    ours = ours_of(config, theirs.state_dict()).layers[layer].self_attn
    x = torch.randn(2, N, 32, generator=torch.Generator().manual_seed(2))
    expected = reference_attention(theirs, layer, x, ours.config.reach)
    assert_close(ours(x, {}, {})[0], expected)
    assert_close(stepped(lambda part, state: ours(part, state, {})[:2], x, {}), expected)


def reference_attention(model, layer, x, reach):
    """Their attention layer on x; the mask is written out here."""
    q, k = torch.arange(N)[:, None], torch.arange(N)[None, :]
    seen = (k <= q) & (k > q - getattr(reach, "size", N))
    mask = torch.zeros(N, N).masked_fill(~seen, torch.finfo(torch.float32).min)[None, None]
    if model.config.model_type == "gpt2":
        return model.transformer.h[layer].attn(x, attention_mask=mask)[0]
    where = model.model.rotary_emb(x, torch.arange(N)[None])
    return model.model.layers[layer].self_attn(x, position_embeddings=where, attention_mask=mask)[0]


# Weights that do not fit


def test_gpt2_as_stored_on_disk():
    config = config_of("gpt2")
    theirs = reference_of(config)
    stored = {n.removeprefix("transformer."): t for n, t in theirs.state_dict().items() if n != "lm_head.weight"}
    masks = {f"h.{i}.attn.{name}": torch.ones(1, 1, 64, 64) for i in range(2) for name in ("bias", "masked_bias")}
    model = build(reader.read(config).spec).requires_grad_(False)
    weights.load(model, reader.table("gpt2", model), gpt2.FAMILY.disk(stored | masks), gpt2.FAMILY.ignored)
    assert_close(model(tokens())[0], theirs(tokens()).logits)


def broken(change):
    config = config_of("phi3")
    tensors = reference_of(config).state_dict()
    change(tensors)
    return config, tensors


@pytest.mark.parametrize(
    "change, sentence",
    [
        (lambda t: t.pop("model.norm.weight"), "missing: model.norm.weight"),
        (lambda t: t.pop("model.layers.1.self_attn.qkv_proj.weight"), "missing: model.layers.1.self_attn.qkv_proj.weight"),
        (lambda t: t.update({"model.rotary.extra": torch.ones(1)}), "left over: model.rotary.extra"),
        (lambda t: t.update({"model.norm.weight": torch.ones(31)}), "norm.weight must have shape (32,), not (31,)"),
        (lambda t: t.update({"model.layers.0.mlp.gate_up_proj.weight": torch.ones(87, 32)}), "must split into (44, 44)"),
        (lambda t: t.update({"lm_head.weight": torch.ones(32, 61)}), "lm_head.weight must have shape (61, 32)"),
    ],
)
def test_weights_that_do_not_fit_are_refused(change, sentence):
    with pytest.raises(weights.WeightError) as error:
        ours_of(*broken(change))
    assert sentence in str(error.value)


def test_a_tied_table_given_twice_must_be_the_same():
    config = config_of("llama tied")
    tensors = reference_of(config).state_dict()
    tensors["lm_head.weight"] = tensors["lm_head.weight"] + 1
    with pytest.raises(weights.WeightError, match="tied"):
        ours_of(config, tensors)


def test_a_tied_model_needs_its_table_once():
    config = config_of("llama tied")
    tensors = reference_of(config).state_dict()
    del tensors["lm_head.weight"]
    assert ours_of(config, tensors).lm_head.weight is not None
    del tensors["model.embed_tokens.weight"]
    with pytest.raises(weights.WeightError, match="missing"):
        ours_of(config, tensors)
