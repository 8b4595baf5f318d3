"""The shipped models and tables: replayed, complete, reproducible."""

import json

import pytest
import safetensors

from core.count import cost
from core.errors import SpecError
from core.model.spec import brief
from core.train import zoo
from core.train.mechanism import Mechanism
from core.train.training import Recipe
from tests.core import replays
from tests.core.replays import numbers

RECIPES = [r for m in zoo.MECHANISMS for r in m.recipes]
VARIANTS, SHIPPED = [r.variant for r in RECIPES], [r.variant for r in RECIPES if r.ships]
PASSED = {variant for variant, mark in replays.passed().items() if mark == replays.mark(variant)}


@pytest.mark.usefixtures("known_sudokus")
@pytest.mark.parametrize("variant", [pytest.param(v, marks=pytest.mark.slow) if v in PASSED else v for v in SHIPPED])
def test_a_checkpoint_reproduces_its_recorded_metrics(variant):
    replays.replay(variant)


def test_the_record_of_replays_is_of_this_code():
    now = {variant: replays.mark(variant) for variant in replays.DEAR}
    assert replays.passed() == now, "what dear replays rest on has changed: run python -m tests.core.replays"


def test_a_replay_rests_on_its_code_its_weights_and_torch(tmp_path, monkeypatch):
    paths = replays.rests_on("hrm")
    needed = {"core/model/model.py", "core/model/mixers/cells.py", "core/model/ffn/dense.py", "core/model/decoding/recursion.py"}
    assert paths >= needed | {"core/train/tasks/sudoku.py", "core/train/tasks/supervision.py", "core/model/blocks.py"}
    assert "core/model/mixers/attention.py" in replays.rests_on("denoiser") - paths
    for path in (*paths, "requirements.txt"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes((replays.ROOT / path).read_bytes())
    for kind in ("safetensors", "json"):
        (tmp_path / f"hrm.{kind}").write_bytes((zoo.ZOO / f"hrm.{kind}").read_bytes())
    before = replays.mark("hrm")
    monkeypatch.setattr(replays, "ROOT", tmp_path)
    monkeypatch.setattr(zoo, "ZOO", tmp_path)
    assert replays.mark("hrm") == before
    for path in (*paths, "requirements.txt", "hrm.safetensors", "hrm.json"):
        kept = (tmp_path / path).read_bytes()
        (tmp_path / path).write_bytes(kept.replace(b"torch==2", b"torch==3") if path.endswith(".txt") else kept + b"\nx = 1\n")
        assert replays.mark("hrm") != before, path
        (tmp_path / path).write_bytes(kept)
        if path.endswith(".py"):
            (tmp_path / path).write_bytes(b"# words\n" + kept.replace(b'"""', b'"""Words. ', 1))
            assert replays.mark("hrm") == before, path
            (tmp_path / path).write_bytes(kept)


@pytest.mark.parametrize("variant", SHIPPED)
def test_a_checkpoint_is_small_and_tells_where_it_comes_from(variant):
    record = zoo.checkpoint(variant)
    assert (zoo.ZOO / f"{variant}.safetensors").stat().st_size < 1_000_000
    assert record.seed == zoo.mechanism(variant).seeds[0] and record.steps == zoo.recipe(variant).steps
    assert record.command.startswith("python -m core train ") and set(record.versions) == {"torch", "python"}
    assert record.spec == brief(zoo.recipe(variant).spec)
    with safetensors.safe_open(zoo.ZOO / f"{variant}.safetensors", "pt") as file:
        assert {file.get_tensor(k).dtype.itemsize for k in file.keys()} == {4}


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_table_has_every_seed_of_every_variant(variant):
    rows = [row for row in zoo.table(zoo.mechanism(variant).name) if row["variant"] == variant]
    assert {int(row["seed"]) for row in rows} == set(zoo.mechanism(variant).seeds) and len(rows) >= 3
    assert {int(row["step"]) for row in rows} >= {zoo.recipe(variant).steps}
    counted = cost.count(zoo.recipe(variant).spec, 1)
    assert {int(row["params"]) for row in rows} == {counted.params_total}
    assert {int(row["cache_elements_per_token"]) for row in rows} == {counted.cache_elements}


@pytest.mark.parametrize("variant", SHIPPED)
def test_the_shipped_checkpoint_is_a_row_of_the_table(variant):
    rows = [
        r
        for r in zoo.table(zoo.mechanism(variant).name)
        if r["variant"] == variant and int(r["seed"]) == zoo.mechanism(variant).seeds[0]
    ]
    last = max(rows, key=lambda row: int(row["step"]))
    assert all(
        numbers(last[name]) == pytest.approx(numbers(value), rel=1e-4) for name, value in zoo.checkpoint(variant).metrics.items()
    )


def test_a_checkpoint_of_another_description_is_refused(monkeypatch):
    from dataclasses import replace

    mha, mqa = zoo.recipe("mha"), zoo.recipe("mqa")
    monkeypatch.setattr(zoo, "recipe", lambda variant: replace(mha, spec=mqa.spec))
    zoo.load.cache_clear()
    with pytest.raises(SpecError, match="trained for another description"):
        zoo.load("mha")
    zoo.load.cache_clear()


@pytest.fixture
def workshop(tmp_path, monkeypatch):
    """A zoo of one tiny recipe in a folder of its own."""
    from tests.core.test_train import RECIPE

    for name, folder in (("ZOO", "zoo"), ("EVIDENCE", "evidence"), ("RESUME", "zoo/.resume")):
        monkeypatch.setattr(zoo, name, tmp_path / folder)
    monkeypatch.setattr(zoo, "MECHANISMS", (Mechanism("toy", (RECIPE,), claims=(), papers=(), seeds=(0, 1)),))
    return tmp_path


def test_training_writes_checkpoint_table_and_nothing_else(workshop):
    zoo.train("toy")
    files = sorted(str(p.relative_to(workshop)) for p in workshop.rglob("*") if p.is_file())
    assert files == ["evidence/toy.csv", "zoo/t.json", "zoo/t.safetensors"]
    assert [(row["seed"], row["step"]) for row in zoo.table("toy")] == [(s, n) for s in "01" for n in ("5", "10", "12")]


def test_finished_runs_are_not_trained_again_and_one_seed_replaces_only_its_rows(workshop, monkeypatch):
    zoo.train("toy")
    before = zoo.table("toy")
    zoo.train_one("t", 1, "cpu")
    ran = []
    original = zoo.run
    monkeypatch.setattr(zoo, "run", lambda r, seed, *rest: ran.append(seed) or original(r, seed, *rest))
    zoo.train("toy")
    assert ran == [0], "seed 1 was found done"
    zoo.train("toy", seed=1)
    assert ran == [0, 1] and len(zoo.table("toy")) == len(before)


def test_a_table_is_read_again_when_its_file_has_changed(workshop):
    path = zoo.EVIDENCE / "toy.csv"
    zoo.write(path, b"seed,loss\n0,1.5\n")
    zoo.table("toy").append({})
    assert zoo.table("toy") == [{"seed": "0", "loss": "1.5"}]
    zoo.write(path, b"seed,loss\n0,2.5\n")
    assert zoo.table("toy") == [{"seed": "0", "loss": "2.5"}]


def test_a_changed_recipe_is_trained_again(workshop, monkeypatch):
    from dataclasses import replace

    zoo.train_one("t", 1, "cpu")
    changed = replace(zoo.named("toy").recipes[0], lr=1e-3)
    monkeypatch.setattr(zoo, "MECHANISMS", (replace(zoo.named("toy"), recipes=(changed,)),))
    zoo.train_one("t", 1, "cpu")
    assert json.loads((zoo.RESUME / "t-1.json").read_text())["recipe"] == repr(changed)


def test_names_and_seeds_are_checked():
    with pytest.raises(SpecError, match="gqa"):
        zoo.train("gqb")
    assert all(isinstance(m, Mechanism) and isinstance(r, Recipe) for m in zoo.MECHANISMS for r in m.recipes)
    for taken in ([m.name for m in zoo.MECHANISMS], VARIANTS):
        assert len(set(taken)) == len(taken)
