"""The trained models: how each was trained, where its checkpoint lies, and how to train all of it again.

`python -m core train gqa` runs every recipe of a mechanism with every seed of the published table. A finished run leaves a
note under assets/zoo/.resume, a running one its snapshot; the same command goes on from there. When all runs are in, the
table under assets/evidence is rewritten as a whole. The checkpoint of the first seed ships, whatever its result.
"""

import csv
import io
import json
import multiprocessing
import platform
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path

import safetensors.torch
import torch

from core.count import cost
from core.errors import SpecError, one_of
from core.model.model import Model
from core.model.registry import PAGES
from core.model.spec import brief
from core.paths import ASSETS
from core.train import recipes
from core.train.mechanism import Mechanism
from core.train.training import Recipe, run, write

ZOO, EVIDENCE, RESUME = ASSETS / "zoo", ASSETS / "evidence", ASSETS / "zoo" / ".resume"

# What the files of core/train/recipes say, in the order of the pages
MECHANISMS: tuple[Mechanism, ...] = tuple(
    import_module(f"{recipes.__name__}.{page.name}").MECHANISM
    for page in PAGES
    if Path(recipes.__file__).with_name(f"{page.name}.py").exists()
)


def named(name: str) -> Mechanism:
    """A mechanism by its name."""
    return {m.name: m for m in MECHANISMS}[one_of("name", name, tuple(m.name for m in MECHANISMS))]


def mechanism(variant: str) -> Mechanism:
    """The mechanism that a variant belongs to."""
    return next(m for m in MECHANISMS if any(r.variant == variant for r in m.recipes))


def recipe(variant: str) -> Recipe:
    """The recipe of a variant."""
    by_name = {r.variant: r for m in MECHANISMS for r in m.recipes}
    return by_name[one_of("variant", variant, tuple(by_name))]


# Checkpoints


@dataclass(frozen=True)
class Checkpoint:
    """What the json beside the weights says."""

    variant: str
    mechanism: str
    spec: str
    seed: int
    steps: int
    metrics: dict
    command: str
    versions: dict


def checkpoint(variant: str) -> Checkpoint:
    """The record of a shipped checkpoint."""
    return Checkpoint(**json.loads((ZOO / f"{recipe(variant).variant}.json").read_text()))


@lru_cache(maxsize=64)
def load(variant: str) -> Model:
    """A trained model, shared by everybody: in evaluation mode, without gradients. SpecError if it is of another recipe."""
    r = recipe(variant)
    if checkpoint(variant).spec != brief(r.spec):
        raise SpecError(f"checkpoint {variant} was trained for another description: run {mechanism(variant).command}")
    model = Model(r.spec)
    model.load_state_dict(safetensors.torch.load_file(ZOO / f"{variant}.safetensors"))
    return model.eval().requires_grad_(False)


def save(r: Recipe, seed: int, model: Model, metrics: dict) -> None:
    """Weights and record of one run, each whole or not at all."""
    made_by = mechanism(r.variant)
    command = f"{made_by.command} --seed {seed}"
    versions = {"torch": torch.__version__, "python": platform.python_version()}
    record = Checkpoint(r.variant, made_by.name, brief(r.spec), seed, r.steps, metrics, command, versions)
    tensors = {key: value.contiguous() for key, value in model.state_dict().items()}
    write(ZOO / f"{r.variant}.safetensors", safetensors.torch.save(tensors))
    write(ZOO / f"{r.variant}.json", (json.dumps(asdict(record), indent=1) + "\n").encode())


# Training


def train(name: str, seed: int | None = None, device: str = "cpu", jobs: int = 1) -> None:
    """Train one mechanism or "all", with one seed or every published one; progress and time left go to standard error."""
    one_of("name", name, (*(m.name for m in MECHANISMS), "all"))
    chosen = [m for m in MECHANISMS if name in (m.name, "all")]
    wanted = [(s, r) for m in chosen for r in m.recipes for s in (m.seeds if seed is None else (seed,))]
    work = [(r.variant, s, device) for s, r in sorted(wanted, key=lambda item: item[0])]
    with progress(sum(recipe(variant).steps for variant, _, _ in work)) as bar:
        if jobs == 1:
            for item in work:
                train_one(*item, bar.update)
        else:
            in_parallel(work, jobs, bar)
    publish({item[:2] for item in work})


def progress(steps: int):
    """A bar over optimiser steps, with time left."""
    from tqdm import tqdm

    return tqdm(total=steps, unit="step", smoothing=0.05, file=sys.stderr)


def in_parallel(work: list, jobs: int, bar) -> None:
    """Runs in `jobs` processes of one thread each; the bar moves as each run ends."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        futures = [pool.submit(train_one, *item) for item in work]
        try:
            for future in as_completed(futures):
                bar.update(future.result())
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def train_one(variant: str, seed: int, device: str, tick: Callable[[int], None] = lambda steps: None) -> int:
    """Train one run, or find it done -> its steps. Leaves a note with its rows, and the checkpoint where it ships."""
    r, note = recipe(variant), RESUME / f"{variant}-{seed}.json"
    if note.exists() and json.loads(note.read_text())["recipe"] == repr(r):
        tick(r.steps)
        return r.steps
    snapshot = RESUME / f"{variant}-{seed}.safetensors"
    model, rows = run(r, seed, device, snapshot, tick)
    if r.ships and seed == mechanism(variant).seeds[0]:
        save(r, seed, model, {k: v for k, v in rows[-1].items() if k not in ("step", "seconds")})
    write(note, json.dumps({"recipe": repr(r), "rows": rows}).encode())
    snapshot.unlink(missing_ok=True)
    return r.steps


def publish(done: set[tuple[str, int]]) -> None:
    """Move the rows of finished runs into the tables, replacing earlier runs of the same variant and seed."""
    for m in MECHANISMS:
        fresh = [row for r in m.recipes for v, s in sorted(done) if v == r.variant for row in noted(r, s)]
        if not fresh:
            continue
        kept = [row for row in table(m.name) if (row["variant"], int(row["seed"])) not in done]
        order = [r.variant for r in m.recipes]
        rows = sorted(
            (row for row in kept + fresh if row["variant"] in order),
            key=lambda row: (order.index(row["variant"]), int(row["seed"]), int(row["step"])),
        )
        write(EVIDENCE / f"{m.name}.csv", as_csv(rows).encode())
    for variant, seed in done:
        (RESUME / f"{variant}-{seed}.json").unlink(missing_ok=True)


def noted(r: Recipe, seed: int) -> list[dict]:
    """The rows of one finished run, as the table has them."""
    counted = cost.count(r.spec, 1)
    about = {
        "variant": r.variant,
        "seed": seed,
        "params": counted.params_total,
        "cache_elements_per_token": counted.cache_elements,
    }
    note = json.loads((RESUME / f"{r.variant}-{seed}.json").read_text())
    return [{**about, **row} for row in note["rows"]]


def as_csv(rows: list[dict]) -> str:
    """Rows whose columns may differ, as one CSV."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows)
    return out.getvalue()


def tables(name: str) -> list[dict]:
    """The rows of a mechanism and of those that its claims compare it with, every row with every column."""
    rows = [row for each in (name, *named(name).also) for row in table(each)]
    columns = dict.fromkeys(column for row in rows for column in row)
    return [{column: row.get(column, "") for column in columns} for row in rows]


def table(name: str) -> list[dict]:
    """The published table of a mechanism, one dict of text a row; [] where there is none yet. Rows are shared by all that ask,
    who read them and don't write."""
    path = EVIDENCE / f"{name}.csv"
    if not path.exists():
        return []
    about = path.stat()
    return list(read(path, (about.st_mtime_ns, about.st_size, about.st_ino)))


@lru_cache(maxsize=64)
def read(path: Path, stamp: tuple[int, ...]) -> tuple[dict, ...]:
    """A table's rows, read once for every stamp that tells a file from the one before."""
    return tuple(csv.DictReader(io.StringIO(path.read_text())))
