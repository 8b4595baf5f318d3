"""RWKV-7 against the package of its authors, on a CPU in float32: python -m pytest tests/core/test_rwkv.py"""

import os
import sys

import pytest
import torch

from core.model.blocks import Norm
from core.model.mixers.rwkv import SLOWEST, ChannelMix, Rwkv7
from core.model.model import build
from core.model.spec import Layer, ModelSpec

HEADS, WIDTH, VOCABULARY, N = 2, 8, 31, 23
D = HEADS * WIDTH
MIX = Rwkv7(HEADS, WIDTH, decay_rank=3, erase_rank=4, value_rank=2, gate_rank=5)
LAYERS = (Rwkv7(HEADS, WIDTH, 3, 4, 2, 5, first=True), MIX, MIX)
SPEC = ModelSpec("rwkv", D, VOCABULARY, tuple(Layer(m, ChannelMix(20)) for m in LAYERS), Norm("layer", 1e-5), embed_norm=True)
WORDS = {
    "embed_tokens.": "emb.", "embed_norm.": "blocks.0.ln0.", "lm_head.": "head.", "layers.": "blocks.",
    ".input_layernorm.": ".ln1.", ".post_attention_layernorm.": ".ln2.", ".attn.": ".att.",
}  # fmt: skip


def theirs_of(name):
    """Our name of a tensor -> theirs."""
    if name.startswith("norm."):
        return "ln_out." + name.removeprefix("norm.")
    for word, other in WORDS.items():
        name = name.replace(word, other)
    return name


@torch.no_grad()
def drawn():
    """A model with every parameter redrawn."""
    model, generator = build(SPEC), torch.Generator().manual_seed(7)
    for parameter in model.parameters():
        noise = torch.randn(parameter.shape, generator=generator) * 0.25
        parameter.copy_(noise + (1.0 if parameter.dim() == 1 else 0.0))
        assert parameter.std() >= 0.1
    for layer in model.layers:
        layer.attn.ln_x.eps = 64e-5  # what the package has for every width, ours for its 64
    return model.requires_grad_(False)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Ours, and the package's with the same weights; it reads them from a file and takes its options from the environment."""
    before = dict(os.environ)
    os.environ.update(RWKV_V7_ON="1", RWKV_JIT_ON="0", RWKV_CUDA_ON="0")
    try:
        sys.modules.pop("rwkv.model", None)
        from rwkv.model import RWKV
    finally:
        os.environ.clear()
        os.environ.update(before)
    model = drawn()
    tensors = {theirs_of(name): tensor.clone() for name, tensor in model.state_dict().items()}
    for part in ("v0", "v1", "v2"):  # the package deletes what the first layer does not have
        tensors[f"blocks.0.att.{part}"] = torch.zeros(1)
    path = tmp_path_factory.mktemp("rwkv") / "small"
    torch.save(tensors, f"{path}.pth")
    return model, RWKV(model=str(path), strategy="cpu fp32")


def text():
    return torch.randint(VOCABULARY, (1, N), generator=torch.Generator().manual_seed(1))


def close(ours, theirs):
    assert theirs.std() >= 0.1
    return (ours - theirs).abs().max() <= 1e-4 * max(1.0, theirs.abs().max().item())


def test_a_whole_text_at_once(pair):
    ours, theirs = pair
    expected, _ = theirs.forward(text()[0].tolist(), None, full_output=True)
    assert close(ours(text())[0][0], expected)


def test_token_by_token(pair):
    ours, theirs = pair
    kept, state = None, ()
    for token in text()[0]:
        expected, kept = theirs.forward([int(token)], kept)
        logits, state = ours(token.view(1, 1), state)
        assert close(logits[0, 0], expected)
    for i, (mine, layer) in enumerate(zip(state, range(len(LAYERS)))):
        assert close(mine["mixer"]["memory"][0].transpose(-1, -2), kept[3 * layer + 1]), i  # they keep values by keys


def test_decay_0_and_erasure_0_leave_the_memory_to_what_is_written():
    """Limit: with the slowest decay and nothing erased, every write stays."""
    model = drawn()
    mixer = model.layers[0].attn
    for name, value in (("w0", -40.0), ("w1", 0.0), ("a0", -40.0), ("a1", 0.0)):
        getattr(mixer, name).fill_(value)
    x = torch.randn(1, N, D, generator=torch.Generator().manual_seed(2))
    _, state, _ = mixer(x, {}, {})
    past = torch.cat([x.new_zeros(1, 1, D), x[:, :-1]], 1) - x
    k = (mixer.key(x + past * mixer.x_k) * (1 - mixer.k_a)).unflatten(-1, (HEADS, -1))
    v = mixer.value(x + past * mixer.x_v).unflatten(-1, (HEADS, -1))
    assert torch.allclose(state["memory"], torch.einsum("bthk,bthv->bhkv", k, v), atol=1e-4)


def test_the_norm_of_heads_of_64_is_theirs():
    assert Rwkv7(2, 64, 3, 4, 2, 5).build(128).ln_x.eps == pytest.approx(64e-5)


def test_no_channel_loses_more_than_about_half_a_token():
    assert 0.545 < torch.tensor(-SLOWEST).exp() < 0.546
