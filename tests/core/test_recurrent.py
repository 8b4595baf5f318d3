"""What defines each recurrence: limit cases, and written-out attention: python -m pytest tests/core/test_recurrent.py"""

from dataclasses import replace

import pytest
import torch

from core.model.mixers.delta import GatedDelta, KimiDelta
from core.model.mixers.latent import Latent
from core.model.mixers.linear import Lightning
from core.model.mixers.mamba import Mamba1, Mamba2
from core.model.mixers.rwkv import Rwkv7
from core.model.mixers.shortconv import GatedConv
from core.model.mixers.sparse import Indexed
from core.model.mixers.xlstm import Lstm, MLstm, SLstm
from core.model.rope import Rope
from core.model.trace import Trace
from core.shape.twin import draw

D, N = 16, 70  # more tokens than a block
MATRIX = {
    "delta": GatedDelta(2, 4, 6, 5), "kimi": KimiDelta(3, 6), "lightning": Lightning(3, 6), "mamba-1": Mamba1(24, 5, 3),
    "mamba-2": Mamba2(4, 6, 5, 2), "rwkv": Rwkv7(2, 8, 3, 4, 2, 5, first=True),
}  # fmt: skip


def module_of(mixer, seed=3):
    torch.manual_seed(seed)
    return draw(mixer.build(D), seed).requires_grad_(False)


def text(n=N, batch=2):
    return torch.randn(batch, n, D, generator=torch.Generator().manual_seed(1))


def run(module, x, *names):
    trace = Trace(*names)
    y, state, _ = module(x, {}, {}, trace)
    return y, state, {name: trace[0, name] for name in names if (0, name) in trace.records}


@pytest.mark.parametrize("name", MATRIX)
def test_written_out_attention_gives_the_same_output(name):
    """The memory's answer is a weighted sum of values: the weights are what "effective" records."""
    module, x = module_of(MATRIX[name]), text()
    _, state, seen = run(module, x, "effective", "value", "query")
    weights = seen["effective"]
    assert torch.equal(weights, weights.tril())
    values = seen["value"]
    step = torch.einsum("bhs,bhsv->bhv", weights[:, :, -1], values.expand(-1, weights.shape[1], -1, -1))
    read = torch.einsum("bhd,bhdv->bhv", seen["query"][:, :, -1].expand(-1, weights.shape[1], -1), state["memory"])
    assert step.std() >= 1e-3
    assert (step - read).abs().max() <= 1e-4 * max(1, read.abs().max())


def test_decay_1_and_write_0_leave_the_memory_alone():
    for mixer in (GatedDelta(2, 4, 6, 5), KimiDelta(3, 6)):
        module, x = module_of(mixer), text()
        _, state, _ = module(x, {}, {})
        module.A_log.fill_(-60.0)
        closed = module.in_proj_b if isinstance(mixer, GatedDelta) else module.b_proj
        closed.weight.zero_()
        closed.bias = torch.nn.Parameter(torch.full((closed.out_features,), -60.0), requires_grad=False)
        _, after, _ = module(text(5), {**state, "position": N}, {})
        assert torch.allclose(after["memory"], state["memory"], atol=1e-6) and state["memory"].std() >= 0.01


def test_write_1_replaces_what_the_key_held():
    """The delta rule proper: after a full write along a key, the key reads what was written, whatever was there."""
    from core.model.scan import scan, unit

    torch.manual_seed(0)
    k, v, memory = unit(torch.randn(1, 1, 1, 6)), torch.randn(1, 1, 1, 4), torch.randn(1, 1, 6, 4)
    out, _ = scan(k, k, v, torch.zeros(1, 1, 1, 1), memory, k)
    assert torch.allclose(out, v, atol=1e-5)


def test_one_decay_for_all_rows_makes_kimis_net_the_scalar_one():
    from core.model.scan import scan

    torch.manual_seed(0)
    q, k, v = torch.randn(2, 3, N, 6), torch.nn.functional.normalize(torch.randn(2, 3, N, 6), dim=-1), torch.randn(2, 3, N, 4)
    g, memory, beta = -torch.rand(2, 3, N, 1), torch.zeros(2, 3, 6, 4), torch.rand(2, 3, N, 1)
    one, wide = (scan(q, beta * k, v, decay, memory, k) for decay in (g, g.expand(-1, -1, -1, 6).contiguous()))
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(one, wide))


def test_mamba_2_as_masked_attention():
    """The dual form, written out: (mask of decays * C B^T) (dt x), equal to the recurrence."""
    module, x = module_of(Mamba2(4, 6, 5, 2)), text()
    _, _, seen = run(module, x, "effective", "query", "key", "decay", "write")
    total = seen["decay"][..., 0].cumsum(-1)
    mask = (total[..., :, None] - total[..., None, :]).tril().exp().tril()
    dual = mask * (seen["query"] @ (seen["write"] * seen["key"]).transpose(-1, -2))
    assert (dual - seen["effective"]).abs().max() <= 1e-5 * max(1, dual.abs().max())


def test_mlstm_against_the_equations_without_stabiliser():
    mixer = MLstm(2, 5, 7)
    module, x = module_of(mixer), text(60)
    _, state, seen = run(module, x, "query", "key", "value", "decay", "write", "effective")
    C, n, out = 0, 0, []
    for t in range(60):
        f, i = seen["decay"][:, :, t].exp(), seen["write"][:, :, t]
        k, v, q = (seen[name][:, :, t] for name in ("key", "value", "query"))
        C = f[..., None] * C + i[..., None] * torch.einsum("bhk,bhv->bhkv", k, v)
        n = f * n + i * k
        size = torch.einsum("bhk,bhk->bh", q, n).abs().clamp(min=1.0)
        out.append(torch.einsum("bhk,bhkv->bhv", q, C) / size[..., None])
    written = torch.einsum("bhts,bhsv->bhtv", seen["effective"], seen["value"])
    assert (written - torch.stack(out, 2)).abs().max() <= 1e-3 * max(1, written.abs().max())
    assert torch.allclose(state["memory"] * state["largest"].exp(), C, rtol=1e-3, atol=1e-4)


def test_mlstm_gates_may_be_extreme():
    module = module_of(MLstm(2, 5, 7, gate_cap=1e4))
    module.igate_preact.bias.fill_(500.0)
    y, *_ = module(text(), {}, {})
    assert y.isfinite().all()


def test_slstm_against_the_papers_equations():
    mixer = SLstm(2, 6)
    module, x = module_of(mixer), text(25)
    made, h = module.w(x).unflatten(-1, (4, 2, 6)), torch.zeros(2, 2, 6)
    c, n, out = torch.zeros(2, 2, 6), torch.zeros(2, 2, 6), []
    for t in range(25):
        i, f, z, o = (made[:, t, g] + torch.einsum("bhw,hwv->bhv", h, module.r[g]) for g in range(4))
        c = f.sigmoid() * c + i.exp() * torch.tanh(z)
        n = f.sigmoid() * n + i.exp()
        h = o.sigmoid() * c / n
        out.append(h)
    expected = module.out_proj(module.multihead_norm(torch.stack(out, 1)).flatten(2))
    assert torch.allclose(module(x, {}, {})[0], expected, atol=1e-4)


def test_lstm_is_torchs():
    module, x = module_of(Lstm(12)), text()
    expected = module.out_proj(module.cell(x)[0])
    assert torch.allclose(module(x, {}, {})[0], expected, atol=1e-6)
    watched, *_ = module(x, {}, {}, Trace("write", "decay"))
    assert torch.allclose(watched, expected, atol=1e-5)


def test_a_short_convolution_reaches_as_far_as_its_taps():
    module, x = module_of(GatedConv(3)), text(20, 1)
    moved = x.clone()
    moved[:, 5] += 1.0
    felt = (module(x, {}, {})[0] - module(moved, {}, {})[0]).abs().amax(-1)[0] > 1e-6
    assert felt.nonzero().flatten().tolist() == [5, 6, 7]
    _, _, seen = run(module, x, "effective")
    band = seen["effective"][0, 0] > 0
    assert band.sum(-1).tolist() == [min(t + 1, 3) for t in range(20)]


def test_a_kernel_of_one_tap_looks_at_its_own_token_alone():
    """Two taps of which the older is 0."""
    module, x = module_of(GatedConv(2)), text(8, 1)
    module.conv.weight[:, 0, 0] = 0.0
    alone = torch.cat([module(x[:, t : t + 1], {}, {})[0] for t in range(8)], 1)
    assert torch.allclose(module(x, {}, {})[0], alone, atol=1e-6)


MLA = Latent(heads=4, kv_rank=10, nope_dim=8, rope_dim=4, v_dim=6, q_rank=12, rope=Rope(4))


@pytest.mark.parametrize("step", [False, True])
def test_picking_everything_is_dense(step):
    dense, sparse = module_of(MLA), module_of(Indexed(MLA, 3, 6, 4, top_k=N))
    sparse.load_state_dict(dense.state_dict(), strict=False)
    x = text()
    if not step:
        assert torch.allclose(sparse(x, {}, {})[0], dense(x, {}, {})[0], atol=1e-5)
        return
    a, b = ((m(x[:, :-1], {}, {})[1], m) for m in (sparse, dense))
    assert torch.allclose(a[1](x[:, -1:], a[0], {})[0], b[1](x[:, -1:], b[0], {})[0], atol=1e-5)


def test_the_scorer_gets_no_gradient_from_the_output_and_gives_none_to_the_model():
    module = module_of(Indexed(MLA, 3, 6, 4, top_k=N)).requires_grad_(True)
    x, trace = text(12), Trace("indexer", differentiable=True)
    y, *_ = module(x, {}, {}, trace)
    y.sum().backward()
    assert all(p.grad is None for p in module.indexer.parameters())
    module.zero_grad(set_to_none=True)
    scores = trace[0, "indexer"]
    scores.masked_fill(scores == -torch.inf, 0).sum().backward()
    own = {id(p) for p in module.indexer.parameters()}
    assert all((p.grad is not None) == (id(p) in own) for p in module.parameters() if id(p) in own or p.grad is not None)


def test_lightning_fades_by_a_fixed_rate():
    mixer = Lightning(4, 6, fade=0.5)
    _, _, seen = run(module_of(mixer), text(5), "decay")
    expected = -0.5 * torch.tensor([2.0**-2, 2.0**-4, 2.0**-6, 2.0**-8])
    assert torch.allclose(seen["decay"][0, :, 0, 0], expected)
    assert torch.equal(seen["decay"][0, :, 0], seen["decay"][0, :, 4])


def test_a_value_that_the_first_layer_shares_is_only_read():
    shared = {"first_value": torch.randn(2, N, 16)}
    before = shared["first_value"].clone()
    module_of(replace(MATRIX["rwkv"], first=False))(text(), {}, shared)
    assert torch.equal(shared["first_value"], before)
