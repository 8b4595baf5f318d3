"""Training: the same seed gives the same weights, interrupted or not; files are whole or absent."""

import json
from dataclasses import replace

import pytest
import torch

from core.model.mixers.attention import Attention
from core.model.spec import Layer, ModelSpec
from core.train import training as train
from core.train.tasks import recall
from core.train.training import Recipe, learning_rate, run

SPEC = ModelSpec("t", 16, len(recall.WORDS), (Layer(Attention(2, 1, 4, 4), None, input_conv=3),))
RECIPE = Recipe("t", SPEC, recall.TASK, 12, 4e-3, {"pairs": 6, "count": 4, "length": 20, "ramp": 6}, 0.125, evaluate_every=5)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


class Stop(Exception):
    pass


def interrupted_at(step, snapshot):
    """Run until a tick raises, as Ctrl-C would."""
    done = 0

    def tick(n):
        nonlocal done
        done += n
        if done >= step:
            raise Stop

    with pytest.raises(Stop):
        run(RECIPE, 3, snapshot=snapshot, tick=tick)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    (a, rows), (b, _), (c, _) = run(RECIPE, 3), run(RECIPE, 3), run(RECIPE, 4)
    assert torch.equal(weights(a), weights(b)) and not torch.equal(weights(a), weights(c))
    assert [row["step"] for row in rows] == [5, 10, 12] and "recall@4" in rows[-1]


@pytest.mark.parametrize("step", [1, 7, 11])
def test_a_run_interrupted_and_resumed_ends_where_it_would_have(step, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "SNAPSHOT_SECONDS", 0.0)
    whole, rows = run(RECIPE, 3)
    snapshot = tmp_path / "s.safetensors"
    interrupted_at(step, snapshot)
    assert snapshot.exists()
    steps = []
    again, resumed = run(RECIPE, 3, snapshot=snapshot, tick=steps.append)
    assert torch.equal(weights(whole), weights(again))
    assert sum(steps) == RECIPE.steps and len(steps) < RECIPE.steps + 1 and steps[0] > 0, "it went on, it did not start anew"
    assert [{k: v for k, v in row.items() if k != "seconds"} for row in resumed] == [
        {k: v for k, v in row.items() if k != "seconds"} for row in rows
    ]


def test_a_snapshot_of_another_recipe_is_not_resumed(tmp_path, monkeypatch):
    monkeypatch.setattr(train, "SNAPSHOT_SECONDS", 0.0)
    snapshot = tmp_path / "s.safetensors"
    interrupted_at(7, snapshot)
    other, steps = replace(RECIPE, lr=1e-3), []
    model, _ = run(other, 3, snapshot=snapshot, tick=steps.append)
    assert steps[0] == 0 and torch.equal(weights(model), weights(run(other, 3)[0]))


def test_the_rate_warms_up_and_falls_to_nothing():
    rates = [learning_rate(replace(RECIPE, steps=100), s) for s in range(100)]
    assert rates[0] == pytest.approx(RECIPE.lr / 5) and max(rates) == RECIPE.lr and rates[-1] < RECIPE.lr / 1000
    assert rates[5:] == sorted(rates[5:], reverse=True)


def test_a_file_is_whole_or_absent(tmp_path, monkeypatch):
    path = tmp_path / "deep" / "file.json"
    train.write(path, b"first")
    monkeypatch.setattr(train.os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError):
        train.write(path, b"second")
    assert path.read_bytes() == b"first"


def test_snapshots_hold_no_pickle(tmp_path, monkeypatch):
    monkeypatch.setattr(train, "SNAPSHOT_SECONDS", 0.0)
    snapshot = tmp_path / "s.safetensors"
    interrupted_at(7, snapshot)
    head = snapshot.read_bytes()
    assert json.loads(head[8 : 8 + int.from_bytes(head[:8], "little")])


def test_a_recipe_is_written_alike_in_every_process():
    """Notes and snapshots hold a recipe as text: what differs from process to process must not stand in it."""
    assert "task=Task(name='recall')" in repr(RECIPE) and " at 0x" not in repr(RECIPE)


def test_a_task_is_called_before_the_first_step_after_each_and_after_the_last():
    calls = []

    def noted(name):
        return lambda model, *_, **settings: calls.append((name, settings["pairs"]))

    task = replace(recall.TASK, **{name: noted(name) for name in ("prepare", "after", "finish")})
    run(replace(RECIPE, task=task, steps=2), 3)
    assert calls == [(name, 6) for name in ("prepare", "after", "after", "finish")]
