"""The one description: what it refuses, and in which words."""

import pytest

from core.errors import SpecError
from core.model import blocks, registry, rope
from core.model import spec as described
from core.model.blocks import Norm, Window
from core.model.ffn.dense import Dense
from core.model.mixers.attention import Attention
from core.model.registry import BASE, EXAMPLES, FFN
from core.model.rope import Rope
from core.model.spec import Layer, ModelSpec, brief, expand

LAYER = Layer(BASE, FFN)


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: Attention(8, 3, 8, 8), ["attention.kv_heads", "divide", "1, 2, 4, 8"]),
        (lambda: Attention(0, 1, 8, 8), ["attention.heads", "1"]),
        (lambda: Attention(True, 1, 8, 8), ["attention.heads"]),
        (lambda: Attention(8, 8, 8, 8, qk_norm="both"), ["attention.qk_norm", "none, head, full"]),
        (lambda: Attention(8, 8, 8, 8, rope=Rope(16)), ["rope.dim", "8"]),
        (lambda: Attention(8, 8, 8, 8, softcap=float("nan")), ["attention.softcap", "finite"]),
        (lambda: Rope(7), ["rope.dim", "7"]),
        (lambda: Window(0), ["reach.size"]),
        (lambda: Norm("batch"), ["norm.kind", "rms, layer"]),
        (lambda: Dense(24, "tanh"), ["ffn.activation", "silu"]),
        (lambda: Dense(24, gated="yes"), ["ffn.gated", "true or false"]),
        (lambda: Layer(None, None), ["layer.mixer", "layer.ffn"]),
        (lambda: Layer(BASE, FFN, norms="before"), ["layer.norms", "pre, post, sandwich"]),
        (lambda: Layer(BASE, FFN, input_conv=1), ["layer.input_conv"]),
        (lambda: Layer(None, FFN, input_conv=3), ["layer.input_conv"]),
        (lambda: ModelSpec("m", 16, 31, ()), ["layers", "1 to 4,096"]),
        (lambda: ModelSpec("m", 16, 10**12, (LAYER,)), ["vocab"]),
        (lambda: ModelSpec("m", 16, 31, (LAYER,), decoding="telepathy"), ["decoding", "diffusion"]),
        (lambda: expand("LX", {"L": LAYER}, 4), ["pattern", "L", "LX"]),
        (lambda: expand("L", {"L": LAYER}, 10**9), ["depth"]),
    ],
)
def test_an_error_names_the_field_and_what_is_accepted(make, words):
    with pytest.raises(SpecError) as error:
        make()
    assert all(word in str(error.value) for word in words), str(error.value)
    assert "\n" not in str(error.value)


def test_a_pattern_is_repeated_and_cut():
    kinds = {"L": Layer(BASE, None), "G": LAYER}
    assert [k for layer in expand("LLG", kinds, 7) for k, v in kinds.items() if v is layer] == list("LLGLLGL")


def test_descriptions_can_be_keys():
    assert len({spec: spec.name for spec in EXAMPLES}) == len(EXAMPLES)


def test_limit_cases_are_equal():
    """KV heads == heads is MHA; a window at least as long as the text is full attention."""
    from dataclasses import replace

    import torch

    from core.model.model import build
    from core.shape.twin import draw

    tokens = torch.randint(31, (2, 12), generator=torch.Generator().manual_seed(0))

    def run(**settings):
        spec = ModelSpec("m", 16, 31, (Layer(replace(BASE, **settings), FFN),) * 2)
        return draw(build(spec), 0)(tokens)[0]

    assert torch.equal(run(), run(reach=Window(12)))
    assert not torch.allclose(run(), run(reach=Window(11)))


def test_grouped_attention_is_multi_head_attention_with_copied_keys_and_values():
    """GQA equals MHA whose K and V projections repeat each group's head (arXiv 2305.13245, figure 2)."""
    import torch

    from core.model.mixers.attention import AttentionModule

    gqa = AttentionModule(Attention(6, 2, 4, 4, Rope(4)), 16)
    mha = AttentionModule(Attention(6, 6, 4, 4, Rope(4)), 16)
    state = gqa.state_dict()
    for name in ("k_proj.weight", "v_proj.weight"):
        state[name] = state[name].view(2, 4, 16).repeat_interleave(3, 0).reshape(24, 16)
    mha.load_state_dict(state)
    x = torch.randn(2, 9, 16, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(gqa(x, {}, {})[0], mha(x, {}, {})[0], atol=1e-6)


@pytest.mark.parametrize("spec", EXAMPLES, ids=lambda spec: spec.name)
def test_the_brief_text_makes_the_same_description(spec):
    names = {}
    for module in (blocks, rope, registry, described):
        names |= vars(module)
    assert eval(brief(spec), names) == spec and len(brief(spec)) < len(repr(spec))
