"""Recursive solvers: naive versions, limit cases, gradients, training: python -m pytest tests/core/test_recursion.py"""

from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from core.count import cost
from core.errors import SpecError
from core.model.blocks import Everything, Norm
from core.model.decoding import recursion
from core.model.decoding.recursion import State, answer, solve, start, step
from core.model.ffn.dense import Dense
from core.model.mixers.attention import Attention
from core.model.mixers.cells import Cells
from core.model.model import build, elements
from core.model.spec import Layer, ModelSpec, Recursion
from core.real.hf import reader
from core.shape import twin
from core.train import training as train
from core.train.tasks import sudoku
from core.train.training import Recipe, fresh, run, train_step

CELLS, WIDTH, WORDS = 16, 24, 5
TRM, HRM, LOOPED = Recursion(3, 2, halt=1), Recursion(2, 2, low=2, halt=1), Recursion(2, 0)
FORMS = {"trm": TRM, "hrm": HRM, "looped": LOOPED}
MIXERS = {"attention": Attention(2, 2, 12, 12, reach=Everything()), "cells": Cells(CELLS, 20)}


def spec(form="trm", mixer="cells"):
    layers = (Layer(MIXERS[mixer], Dense(30), "outer"),) * (4 if form == "hrm" else 2)
    r = FORMS[form]
    return ModelSpec(
        form, WIDTH, WORDS, layers, Norm("rms", 1e-5, learned=False), learned_positions=CELLS, decoding="recursion", recursion=r
    )


def drawn(*which):
    return twin.draw(build(spec(*which)), 1).requires_grad_(False)


def boards(count=3):
    return torch.randint(WORDS, (count, CELLS), generator=torch.Generator().manual_seed(5))


every_form = pytest.mark.parametrize("form", FORMS)
every_mixer = pytest.mark.parametrize("mixer", MIXERS)


def net(model, layers, h):
    """Layers as TRM's code writes them: h <- norm(h + mix(h)), h <- norm(h + ffn(h))."""

    def rms(x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5)

    for layer in layers:
        h = rms(h + getattr(layer, layer.layer.mixer.name)(h, {}, {})[0])
        h = rms(h + layer.mlp(h, {}, {})[0])
    return h


@every_form
@every_mixer
def test_a_step_is_the_papers_loop(form, mixer):
    model, b = drawn(form, mixer), boards()
    r, layers = model.spec.recursion, list(model.layers)
    low, high = (layers[: r.low], layers[r.low :]) if r.low else (layers, layers)
    x = model.embed_tokens(b) + model.embed_positions.weight[:CELLS]
    y, z = (v.expand(3, CELLS, -1) for v in model.starts)
    for _ in range(r.cycles):
        for _ in range(r.inner):
            z = net(model, low, z + y + x)
        y = net(model, high, y + z) if r.inner else net(model, high, y + x)
    s = step(model, model.embed(b, 0), start(model, 3, CELLS))
    assert y.std() > 0.1 and torch.allclose(s.y, y, atol=1e-5)
    if r.inner:
        assert torch.allclose(s.z, z, atol=1e-5)


@every_form
def test_steps_at_once_are_steps_carried(form):
    model, b = drawn(form), boards()
    s = None
    for logits, q, _ in solve(model, b, 4):
        ((one, other, s),) = solve(model, b, 1, s)
        assert torch.equal(one, logits) and torch.equal(other, q)


def test_without_z_and_with_one_cycle_it_is_a_transformer_run_once():
    model = drawn("looped", "attention")
    model.spec = replace(model.spec, recursion=Recursion(1, 0))
    with torch.no_grad():
        model.starts.zero_()
    ((logits, q, _),) = solve(model, boards(), 1)
    x, _ = model.trunk(model.embed(boards(), 0), (), recursion.NOTHING)
    assert torch.allclose(logits, model.logits(x), atol=1e-6) and not q.any()


@pytest.mark.parametrize("learned", [1, 2, 3, 6, 9])
def test_the_gradient_reaches_the_last_updates_only(learned):
    """By hand: what stands before the last updates is a constant, what follows is differentiated."""
    model = drawn("trm").requires_grad_(True)
    x = model.embed(boards(), 0).detach()
    order, s = recursion.updates(TRM), start(model, 3, CELLS)
    with torch.no_grad():
        for what in order[: len(order) - learned]:
            s = recursion.update(model, what, x, s)
    for what in order[len(order) - learned :]:
        s = recursion.update(model, what, x, s)
    weights = list(model.layers.parameters())
    expected = torch.autograd.grad(s.y.square().mean(), weights, allow_unused=True)
    found = torch.autograd.grad(step(model, x, start(model, 3, CELLS), learned).y.square().mean(), weights, allow_unused=True)
    whole = torch.autograd.grad(step(model, x, start(model, 3, CELLS)).y.square().mean(), weights)
    assert all(torch.allclose(a, b) for a, b in zip(expected, found))
    assert all(torch.allclose(a, b) for a, b in zip(found, whole)) == (learned == len(order))


def test_the_halting_head_starts_as_trms():
    model = build(spec("trm"))
    assert not model.halt.weight.any() and (model.halt.bias == -5).all()
    assert torch.equal(model.starts, build(spec("trm"), seed=9).starts), "where y and z start is not drawn by the seed"


@every_form
@every_mixer
def test_counted_is_measured(form, mixer):
    made = spec(form, mixer)
    model, counted = drawn(form, mixer), cost.count(made, CELLS)
    assert counted.params_total == sum(p.numel() for p in model.parameters())
    s = step(model, model.embed(boards(1), 0), start(model, 1, CELLS))
    assert (counted.cache_elements, counted.state_elements) == (0, sum(elements(vars(s)).values()))
    with FlopCounterMode(display=False) as flops:
        answer(model, step(model, model.embed(boards(1), 0), start(model, 1, CELLS)))
    assert flops.get_total_flops() == counted.flops_per_token


def test_a_layer_across_cells_reads_every_cell_and_no_other_channel():
    module = twin.draw(Cells(CELLS, 20).build(WIDTH), 1)
    x = torch.randn(1, CELLS, WIDTH, generator=torch.Generator().manual_seed(1))
    other = x.clone()
    other[0, 7, 3] += 1
    change = (module(x, {}, {})[0] - module(other, {}, {})[0]).abs()[0]
    assert (change[:, 3] > 1e-6).all() and not change[:, :3].any() and not change[:, 4:].any()
    expected = module.down_proj.weight @ (
        torch.nn.functional.silu(module.gate_proj.weight @ x[0]) * (module.up_proj.weight @ x[0])
    )
    assert torch.allclose(module(x, {}, {})[0][0], expected, atol=1e-5)
    with pytest.raises(SpecError, match="16"):
        module(x[:, :9], {}, {})


def test_a_recursion_that_cannot_be_is_refused():
    with pytest.raises(SpecError, match="inner"):
        Recursion(2, 0, low=2)
    with pytest.raises(SpecError, match="cycles"):
        Recursion(0, 1)


# The twins of the catalogue


@pytest.mark.parametrize("config", [{"H_layers": 0}, {"H_layers": 4, "L_layers": 4}, {"H_layers": 0, "mlp_t": True}])
def test_the_live_twin_of_a_solver(config):
    base = {"hidden_size": 64, "num_heads": 4, "L_layers": 2, "H_cycles": 3, "L_cycles": 6, "seq_len": 81, "puzzle_emb_len": 4}
    r = reader.read(base | config, "own")
    ran = twin.run_twin(r.spec)
    assert ran.params_counted == ran.params_measured and ran.decode_max_abs_diff <= 1e-5 and ran.logits_std >= 0.1
    assert (ran.cache_elements_counted, ran.cache_elements_measured) == (0, 0)
    assert ran.state_elements_counted == ran.state_elements_measured == 2 * ran.tokens * 48
    small = twin.shrink(r.spec)[0]
    assert small.recursion.low == (1 if config.get("L_layers") else 0) and len(small.layers) == 2
    if config.get("mlp_t"):
        assert r.spec.layers[0].mixer.cells == r.context == 85
        with pytest.raises(SpecError, match="25, the cells"):
            twin.run_twin(r.spec, tokens=24)


# Training

CARRIED = {"size": 4, "count": 6, "most": 3, "learned": 3, "ramp": 4, "ema": 0.9}
UNROLLED = {"size": 4, "count": 6, "depths": (1, 3), "ema": 0.9}


def recipe(settings, steps=9):
    made = replace(spec("trm" if "most" in settings else "looped"), vocab=5)
    return Recipe("t", made, sudoku.TASK, steps, 4e-3, settings, evaluate_every=100)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Few puzzles: they are made once a process."""
    monkeypatch.setattr(sudoku, "TRAINING", 40)
    monkeypatch.setattr(sudoku, "TESTS", 10)
    for made in (sudoku.practised, sudoku.known, sudoku.tests):
        made.cache_clear()
    yield
    for made in (sudoku.practised, sudoku.known, sudoku.tests):
        made.cache_clear()


@pytest.mark.parametrize("settings", [CARRIED, UNROLLED], ids=["carried", "unrolled"])
def test_a_run_interrupted_and_resumed_ends_where_it_would_have(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "SNAPSHOT_SECONDS", 0.0)
    whole, rows = run(recipe(settings), 3)
    seen = []

    def tick(n):
        seen.append(n)
        if sum(seen) >= 5:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        run(recipe(settings), 3, snapshot=tmp_path / "s", tick=tick)
    steps = []
    again, resumed = run(recipe(settings), 3, snapshot=tmp_path / "s", tick=steps.append)
    assert steps[0] > 0 and torch.equal(weights(whole), weights(again))
    assert [{**row, "seconds": 0} for row in rows] == [{**row, "seconds": 0} for row in resumed]


def test_what_is_shipped_is_the_average_and_nothing_else():
    r = recipe(CARRIED)
    model = fresh(r, 3)
    adam, seen = train.optimiser(r, model), [weights(model)]
    for i in range(r.steps):
        train_step(r, model, adam, 3, i, "cpu")
        rate = min(0.9, (2 + i) / (11 + i))
        seen.append(rate * seen[-1] + (1 - rate) * weights(model))
    shipped, _ = run(r, 3)
    assert torch.allclose(weights(shipped), seen[-1], atol=1e-6) and not torch.allclose(weights(model), seen[-1], atol=1e-4)
    assert set(shipped.state_dict()) == set(build(r.spec).state_dict())


def test_boards_stay_until_they_are_done_and_are_carried_cut_off_from_the_gradient():
    r = recipe(CARRIED | {"ramp": 0}, steps=20)
    model = fresh(r, 3)
    adam, w = train.optimiser(r, model), model.under_way
    for i in range(7):
        before = w.board.clone(), w.over.clone()
        train_step(r, model, adam, 3, i, "cpu")
        assert not (w.y.requires_grad or w.z.requires_grad)
        assert torch.equal(w.board[~before[1]], before[0][~before[1]]), "a board that is not done with is the same one"
        assert (w.at >= 1).all() and (w.at <= 3).all() and (w.over == (w.at == 3)).all(), "q starts far below 0"
    with torch.no_grad():
        model.halt.bias.fill_(50)
    train_step(r, model, adam, 3, 7, "cpu")
    assert w.over.float().mean() > 0.5, "a board leaves when the halting head says so"


def test_the_longest_stay_grows():
    from core.train.tasks.supervision import lengths

    most = [lengths(i, torch.Generator().manual_seed(1), 8, most=8, ramp=100)[:, 1].tolist() for i in (0, 50, 99, 100, 500)]
    assert [m[0] for m in most] == [1, 5, 8, 8, 8] and all(len(set(m)) == 1 for m in most)


def test_the_halting_heads_target_is_whether_all_is_right():
    from core.train.tasks.supervision import wrong

    solved = torch.tensor([[1, 2], [1, 2]])
    logits = torch.full((2, 2, 3), -20.0)
    logits[0, 0, 1] = logits[0, 1, 2] = logits[1, 0, 1] = logits[1, 1, 1] = 20.0
    sure = wrong(logits, torch.tensor([9.0, -9.0], requires_grad=True), solved)
    unsure = wrong(logits, torch.tensor([-9.0, 9.0], requires_grad=True), solved)
    assert (unsure - sure).item() == pytest.approx(0.5 * 9.0, abs=0.01)


def test_a_state_is_never_written_in_place():
    model, b = drawn("trm"), boards()
    s = State(torch.randn(3, CELLS, WIDTH), torch.randn(3, CELLS, WIDTH))
    kept = s.y.clone(), s.z.clone()
    step(model, model.embed(b, 0), s)
    assert torch.equal(s.y, kept[0]) and torch.equal(s.z, kept[1])
