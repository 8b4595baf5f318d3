"""Recursive solvers on a reader's puzzle: every update of every step as a board, several solvers on the same board, what a
solution costs; how often test boards are solved.

Letters: C cells, F updates in all, n updates of z before one of y, T such rounds in a step.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch

from core import catalogue, cost, evidence, zoo
from core.decoding.recursion import State, answer, start, update
from core.model import Model, elements
from core.recipes import recursive as recipes
from core.spec import ModelSpec
from core.tasks import maze, sudoku
from core.tasks.supervision import ANSWERED, STEPS

PUZZLES = ("6x6", "4x4", "maze")
SIZES = {"6x6": 6, "4x4": 4, "maze": maze.SIZE}
TASKS = {"6x6": sudoku, "4x4": sudoku, "maze": maze}
SOLVERS = {
    "6x6": {
        "TRM": "trm-mlp", "TRM, attention": "trm-attention", "HRM": "hrm", "looped": "looped", "run once": "once",
    },
    "4x4": {"TRM": "trm-4x4"},
    "maze": {"TRM": "trm-maze"},
}  # fmt: skip
NAMES, QUICK = tuple(SOLVERS["6x6"]), ("looped", "run once")
AS_TRAINED = "as trained"
STAY = recipes.STAY
INNERS, ROUNDS = (AS_TRAINED, 1, 2, 3, 6), (AS_TRAINED, 1, 2, 3, 6)
TRM, HRM = "trm-7m", "hrm-27m"
WRITERS = ("llama3.2-1b", "llama3-8b", "deepseek-v3")  # models that would write the answer token by token
SUDOKU = 81  # cells of the board that they would write
MOST = 16  # steps of supervision of the real solvers
DTYPE = "float32"
KINDS = {"unseen": "puzzles never seen", "held out": "kinds of board never seen"}


# The reader's puzzle


@dataclass(frozen=True)
class Puzzle:
    """A board as the model reads it, (C,) words; its solution or None; what is wrong with it, "" where nothing is; what a
    conventional solver needs."""

    name: str
    given: tuple[int, ...]
    truth: tuple[int, ...] | None
    problem: str
    needs: str

    @property
    def size(self) -> int:
        """Cells in a row."""
        return SIZES[self.name]

    @property
    def open(self) -> np.ndarray:
        """(C,): cells that are left to say."""
        return np.array(self.given) == (maze.OPEN if self.name == "maze" else 0)

    @property
    def gaps(self) -> int:
        """How many they are."""
        return int(self.open.sum())


@lru_cache(maxsize=256)
def parse(name: str, text: str) -> Puzzle:
    """What a reader typed. SpecError where it is no board; a board that cannot be solved has a `problem`."""
    given = TASKS[name].parse(text, SIZES[name])
    wrong = TASKS[name].problem(given)
    if wrong:
        return Puzzle(name, given, None, wrong, "")
    if name == "maze":
        steps = len(maze.way(given)) - 1
        return Puzzle(name, given, maze.solved(given), "", f"The way is {steps} step{'s' * (steps != 1)} long")
    grade, rounds = sudoku.reasoned(given)
    said = sudoku.MEANING[grade]
    if grade != "search":
        said += f"; reasoned out in {rounds} round{'s' * (rounds != 1)}"
    return Puzzle(name, given, next(sudoku.solutions(given)), "", said[0].upper() + said[1:])


def surprise(name: str, seed: int) -> str:
    """A puzzle that always parses."""
    n = SIZES[name]
    if name == "maze":
        return maze.written(maze.make(n, 1, seed, held=True)[0][0], n)
    return sudoku.written(sudoku.another(n, seed), n)


def edited(puzzle: Puzzle, cell: int, word: int) -> str:
    """The text of a puzzle with one cell rewritten; start and goal of a maze stay, or move there."""
    board, ends = list(puzzle.given), (maze.START, maze.GOAL)
    if puzzle.name != "maze":
        board[cell] = word
    elif board[cell] not in ends:
        if word in ends:
            board[board.index(word)] = maze.OPEN
        board[cell] = word
    return TASKS[puzzle.name].written(board, puzzle.size)


def box(name: str) -> tuple[int, int]:
    """Rows and columns of a box; (0, 0) for a maze."""
    return sudoku.BOXES.get(SIZES[name], (0, 0))


# The live models


@dataclass(frozen=True)
class Thought:
    """A puzzle and a model after the run: what y says after each update, or would say if it were updated now: (F, C) words and
    their probabilities; (steps,) the halting value; the updates of one step; what is carried on."""

    words: np.ndarray
    sure: np.ndarray
    halt: np.ndarray | None
    order: str
    last: State

    @classmethod
    def nothing(cls, first: State, order: str) -> "Thought":
        """Before the first step."""
        cells = first.y.shape[1]
        return cls(np.zeros((0, cells), np.int64), np.zeros((0, cells), np.float32), np.zeros(0), order, first)

    def followed(self, words: np.ndarray, sure: np.ndarray, halts: list[float] | None, last: State) -> "Thought":
        """This and what came after it; without halting values for a solver that has none."""
        halt = None if halts is None else np.concatenate([self.halt, halts])
        return Thought(np.concatenate([self.words, words]), np.concatenate([self.sure, sure]), halt, self.order, last)

    @property
    def kept(self) -> int:
        """Numbers that are carried on, measured."""
        return sum(elements(vars(self.last)).values())

    def wrong(self, truth) -> np.ndarray:
        """(F,): cells that are wrong after each update."""
        return (self.words != np.array(truth)).sum(1)

    @property
    def steps(self) -> int:
        """Steps of supervision."""
        return len(self.words) // len(self.order)

    @property
    def stops(self) -> int:
        """The first step after which the halting head says that the answer is right; 0 where it never does."""
        return int(np.argmax(self.halt > 0.5)) + 1 if self.halt is not None and (self.halt > 0.5).any() else 0


def order(spec: ModelSpec, inner=AS_TRAINED, rounds=AS_TRAINED) -> str:
    """The updates of one step, with n and T as trained or others: "zyzy"."""
    r = reshaped(spec, inner, rounds).recursion
    return ("z" * r.inner + "y") * r.cycles


def reshaped(spec: ModelSpec, inner=AS_TRAINED, rounds=AS_TRAINED) -> ModelSpec:
    """The same weights with another n, where the model has a z, and another T."""
    r = spec.recursion
    n = r.inner if inner == AS_TRAINED or not r.inner else inner
    return replace(spec, recursion=replace(r, inner=n, cycles=r.cycles if rounds == AS_TRAINED else rounds))


@lru_cache(maxsize=512)
@torch.no_grad()
def think(variant: str, given: tuple[int, ...], steps: int, inner=AS_TRAINED, rounds=AS_TRAINED) -> Thought:
    """Run a trained solver on a board, update by update, from where half as many steps have left it."""
    model, half = zoo.load(variant), steps // 2
    turns, x = order(model.spec, inner, rounds), model.embed(torch.tensor([given]), 0)
    before = think(variant, given, half, inner, rounds) if half else Thought.nothing(start(model, 1, len(given)), turns)
    s, shares, halts = before.last, [], []
    for _ in range(steps - half):
        would = None  # the state after y is updated, where that was looked at already
        for what in turns:
            s = would if would and what == "y" else update(model, what, x, s)
            would = update(model, "y", x, s) if what == "z" else None
            shares.append(said(model, would or s))
        halts.append(torch.sigmoid(answer(model, s)[1]).item())
    sure, words = (part.numpy() for part in torch.stack(shares).max(-1))
    return before.followed(words, sure, halts if model.spec.recursion.halt else None, s)


def said(model: Model, s: State) -> torch.Tensor:
    """Probabilities (C, V) of every cell's word."""
    return model.logits(s.y)[0].softmax(-1)


@lru_cache(maxsize=512)
@torch.no_grad()
def answers(variant: str, given: tuple[int, ...], steps: int) -> tuple[np.ndarray, State]:
    """Only what y says after each of its updates, (steps * rounds, C) words, and what is carried on."""
    model, half = zoo.load(variant), steps // 2
    before, s = answers(variant, given, half) if half else (None, start(model, 1, len(given)))
    x, words = model.embed(torch.tensor([given]), 0), []
    for what in order(model.spec) * (steps - half):
        s = update(model, what, x, s)
        if what == "y":
            words.append(model.logits(s.y)[0].argmax(-1))
    made = torch.stack(words).numpy()
    return made if before is None else np.concatenate([before, made]), s


@dataclass(frozen=True)
class Run:
    """One solver on the reader's board: the share of gaps that are right after each pass through its network, and the passes."""

    name: str
    passes: np.ndarray
    right: np.ndarray


def beside(puzzle: Puzzle, steps: int, names: tuple[str, ...]) -> list[Run]:
    """Some solvers of this puzzle, against passes through their networks."""
    runs = []
    for name in names:
        variant = SOLVERS[puzzle.name][name]
        times = 1 if variant in ONCE else steps
        said, _ = answers(variant, puzzle.given, times)
        passes = np.flatnonzero(np.array(list(order(zoo.recipe(variant).spec) * times)) == "y") + 1
        right = (said == np.array(puzzle.truth))[:, puzzle.open]
        runs.append(Run(name, passes, right.mean(1) if puzzle.gaps else np.ones(len(passes))))
    return runs


def rivals(puzzle: str, solver: str, all_of_them: bool) -> tuple[str, ...]:
    """The solver and those beside it: the quick ones, or all."""
    names = tuple(SOLVERS[puzzle])
    return names if all_of_them else tuple(name for name in names if name in (solver, *QUICK))


def race_table(runs: list[Run]) -> dict[str, list]:
    """The same as columns."""
    rows = [(run.name, int(n), float(share)) for run in runs for n, share in zip(run.passes, run.right)]
    return dict(zip(("solver", "passes", "gaps right"), map(list, zip(*rows))))


def solved_at(thought: Thought, truth) -> int:
    """The step from which on every cell stays right; 0 where it is not in the end."""
    right = thought.wrong(truth)[len(thought.order) - 1 :: len(thought.order)] == 0
    wrong = np.flatnonzero(~right)
    return 0 if not right[-1] else int(wrong[-1]) + 2 if len(wrong) else 1


def trained(puzzle: str, solver: str) -> str:
    """The variant behind a choice; the first one where the puzzle has no such solver."""
    return SOLVERS[puzzle].get(solver) or next(iter(SOLVERS[puzzle].values()))


def solver_of(variant: str) -> str:
    """How the page writes a solver."""
    return next((name for solvers in SOLVERS.values() for name, v in solvers.items() if v == variant), variant)


# Count


@dataclass(frozen=True)
class Price:
    """What an answer takes: parameters, layers that are run, FLOPs of all steps, numbers carried between them; whether it is a
    solver that answers with the whole board."""

    name: str
    params: int
    layers: int
    flops: int
    carried: int
    steps: int
    solver: bool = True


def price(spec: ModelSpec, cells: int, steps: int, name: str) -> Price:
    """Counted for so many steps on a board."""
    counted = cost.count(spec, cells, weight_dtype=DTYPE, state_dtype=DTYPE)
    return Price(
        name, counted.params_total, layers_a_step(spec) * steps, counted.flops_per_token * steps, counted.state_elements, steps
    )


@lru_cache(maxsize=256)
def ours(variant: str, steps: int, inner=AS_TRAINED, rounds=AS_TRAINED) -> Price:
    """One of our solvers on its own board."""
    r = zoo.recipe(variant)
    return price(reshaped(r.spec, inner, rounds), r.settings["size"] ** 2, steps, solver_of(variant))


def layers(variant: str) -> int:
    """Layers that one pass runs, on average of z and y."""
    spec = zoo.recipe(variant).spec
    return len(spec.layers) // (2 if spec.recursion.low else 1)


def shapes(variant: str) -> str:
    """n and T of the real TRM and HRM, and of one of ours."""
    ours = zoo.recipe(variant)
    named = [(catalogue.entries()[k].name, catalogue.entries()[k].reading.spec) for k in (TRM, HRM)] + [("here", ours.spec)]
    return "; ".join(f"{who}: n = {spec.recursion.inner}, T = {spec.recursion.cycles}" for who, spec in named) + "."


def measured(variant: str) -> int:
    """Parameters of the checkpoint itself."""
    return sum(p.numel() for p in zoo.load(variant).parameters())


@lru_cache(maxsize=8)
def real(key: str, steps: int = MOST) -> Price:
    """A solver of the catalogue on the board that its config says."""
    reading = catalogue.entries()[key].reading
    return price(reading.spec, reading.context, steps, catalogue.entries()[key].name)


@lru_cache(maxsize=8)
def writer(key: str) -> Price:
    """A language model that reads a board of SUDOKU cells and writes its answer, a token a cell, without a word of thought."""
    entry = catalogue.entries()[key]
    counted = cost.count(entry.reading.spec, 2 * SUDOKU)
    prompt = cost.count(entry.reading.spec, SUDOKU).prefill_flops
    flops = prompt + SUDOKU * counted.flops_per_token
    return Price(
        entry.name, counted.params_total, len(entry.reading.spec.layers) * 2 * SUDOKU, flops, counted.cache_elements, 1, False
    )


def prices(variant: str, steps: int) -> list[Price]:
    """Ours, the real solvers, the writers."""
    return [ours(variant, steps), *map(real, (TRM, HRM)), *map(writer, WRITERS)]


def growth(puzzle: str, along: np.ndarray, inner=AS_TRAINED, rounds=AS_TRAINED) -> dict[str, np.ndarray]:
    """FLOPs against steps of every solver of a puzzle that takes more than one."""
    solvers = {name: v for name, v in SOLVERS[puzzle].items() if v not in ONCE}
    return {name: np.array([ours(v, int(n), inner, rounds).flops for n in along]) for name, v in solvers.items()}


def users() -> list[tuple]:
    """Solvers of the catalogue: entry, parameters, networks, n, T, layers a step, numbers carried."""
    rows = []
    for entry in catalogue.entries().values():
        spec = entry.reading.spec
        if spec.decoding != "recursion":
            continue
        counted, r = cost.count(spec, entry.reading.context), spec.recursion
        nets, run = 2 if r.low else 1, layers_a_step(spec)
        rows.append((entry, counted.params_total, nets, r.inner, r.cycles, run, counted.state_elements))
    return rows


# Prove


def report() -> dict:
    """The claims with their verdicts."""
    return evidence.report("recursive")


VARIANTS = {
    "trm-mlp": "TRM", "trm-attention": "TRM, attention", "hrm": "HRM", "looped": "looped", "once": "run once",
     "plain": "transformer", "plain-8": "transformer, 8 layers", "trm-4x4": "TRM on 4x4",
    "trm-maze": "TRM on mazes",
}  # fmt: skip
RECURSIVE = ("trm-mlp", "trm-attention", "hrm", "looped")
ONCE = ("once", "plain", "plain-8")


def spelled(variant: str) -> str:
    """A variant as the page writes it."""
    return VARIANTS.get(variant, variant)


def measure(metric: str) -> str:
    """A metric as the page writes it."""
    what, _, after = metric.partition("@")
    shown = {"unseen": "unseen boards solved", "held out": "boards of held-out classes solved", "long": "long mazes solved"}.get(
        what, what
    )
    return f"{shown} after {after} step{'s' * (after != '1')}" if after else shown


def by_steps(name: str) -> dict[str, dict[int, list[float]]]:
    """{variant: {steps: share of boards solved, every seed}} of one of the two test sets."""
    return {v: {k: evidence.final("recursive", v, f"{name}@{k}") for k in STEPS} for v in RECURSIVE}


def as_table(found: dict[str, dict[int, list[float]]]) -> dict[str, list]:
    """The same as columns, one row a run."""
    rows = [(spelled(v), k, i, x) for v, runs in found.items() for k, values in runs.items() for i, x in enumerate(values)]
    return dict(zip(("solver", "steps", "seed", "solved"), map(list, zip(*rows)))) or {"solver": [], "steps": []}


def all_runs() -> list[tuple]:
    """Every variant: parameters, how much it was trained, minutes a seed, what it solved of each test set, mean of the seeds."""
    rows = []
    for v in VARIANTS:
        seconds = evidence.final("recursive", v, "seconds")
        if not seconds:
            continue
        solved = [evidence.final("recursive", v, name) for name in KINDS]
        shares = [f"{np.mean(x):.1%}" if x else "—" for x in solved]
        trained = f"{trained_passes(v) / 1000:.0f}"
        rows.append(
            (spelled(v), f"{ours(v, 1).params:,}", f"{zoo.recipe(v).steps:,}", trained, f"{np.mean(seconds) / 60:.1f}", *shares)
        )
    return rows


def by_grade() -> list[tuple[str, str]]:
    """What a conventional solver needs, and the share of such boards that TRM solves, mean and spread of the seeds."""
    found = [(grade, evidence.final("recursive", "trm-mlp", f"needs {grade}")) for grade in sudoku.GRADES]
    return [(sudoku.NEEDS[grade], f"{np.mean(x):.1%}") for grade, x in found if x]


def grades_said() -> str:
    """What the grades mean."""
    return " ".join(f"{sudoku.NEEDS[g].capitalize()}: {sudoku.MEANING[g]}." for g in sudoku.GRADES)


def solved_said(kind: str) -> str:
    """How often TRM is right after one step and after ANSWERED, and what was kept apart."""
    one, many = (evidence.final("recursive", "trm-mlp", f"{kind}@{k}") for k in (1, ANSWERED))
    classes, kept = sudoku.CLASSES[6], len(sudoku.held_out(6))
    apart = {
        "unseen": "None is a moved or relabelled copy of a training puzzle.",
        "held out": f"{kept} of the {classes} classes that 6x6 boards fall into are in no training puzzle.",
    }[kind]
    shares = f"{np.mean(one):.1%} in one step and {np.mean(many):.1%} in {ANSWERED}" if one else ""
    said = f"**TRM solves {shares}, with the same weights.** " if one else ""
    stopped, took = (evidence.final("recursive", "trm-mlp", f"{kind}{what}") for what in ("@halt", ", steps"))
    halts = (
        f" Stopped where its halting head first says so: {np.mean(stopped):.1%}, after {np.mean(took):.1f} steps." if took else ""
    )
    return f"{said}{apart}{halts} Marks are seeds, lines join their means."


def fairness() -> str:
    """What was matched between the runs, and what was not."""
    counts = {zoo.recipe(v).settings["count"] for v in VARIANTS if v in RECURSIVE + ONCE}
    return (
        f"**Solved after {ANSWERED} steps; run once: after that one.** Trained: passes of a batch through a layer, in thousands; "
        "backwards counts twice; what runs once was given as much as the TRM that mixes cells alike. "
        f"Batches of {' or '.join(map(str, sorted(counts)))} boards; 4x4 and mazes are other puzzles. HRM mixes cells as "
        "TRM does, by a layer across them; the published one has attention."
    )


def trained_passes(variant: str) -> int:
    """Passes of a batch through a layer in all of a training: one forwards, two more backwards where there is a gradient."""
    r = zoo.recipe(variant)
    runs, rec = layers_a_step(r.spec), r.spec.recursion
    if "most" not in r.settings:
        return round(r.steps * 3 * runs * sum(r.settings["depths"]) / 2)
    turns = order(r.spec)[-r.settings["learned"] :]
    low, high = (rec.low, len(r.spec.layers) - rec.low) if rec.low else (len(r.spec.layers),) * 2
    return r.steps * (runs + 2 * sum(low if what == "z" else high for what in turns))


def formula(variant: str, steps: int, inner=AS_TRAINED, rounds=AS_TRAINED) -> tuple[int, str, int]:
    """Layers of one answer: steps, how one step is made up, in LaTeX, and all of them."""
    return made_up(reshaped(zoo.recipe(variant).spec, inner, rounds), steps)


def real_formulas() -> list[tuple[str, tuple[int, str, int]]]:
    """The same of the catalogue's solvers."""
    entries = catalogue.entries()
    return [(entries[key].name, made_up(entries[key].reading.spec, MOST)) for key in (TRM, HRM)]


def made_up(spec: ModelSpec, steps: int) -> tuple[int, str, int]:
    """Steps, one step in LaTeX, layers in all."""
    r, depth = spec.recursion, len(spec.layers)
    rounds = r"\underbrace{%d}_{T} \cdot " % r.cycles
    if r.low:
        how = r"(\underbrace{%d}_{n} \cdot %d + %d)" % (r.inner, r.low, depth - r.low)
    else:
        how = r"(\underbrace{%d}_{n} + 1) \cdot \underbrace{%d}_{\text{layers}}" % (r.inner, depth)
    return steps, rounds + how, steps * layers_a_step(spec)


def layers_a_step(spec: ModelSpec) -> int:
    """How many layers run in one step."""
    return sum(spec.recursion.passes(i) for i in range(len(spec.layers)))


def footnotes() -> str:
    """What stands behind the printed numbers, with those numbers."""
    puzzles, _, _, audit = evidence.published("recursive")
    by_name = {row[0]: row[1:] for row in puzzles["rows"]}
    cells, attention = by_name["TRM, layer across cells"], by_name["TRM, attention"]
    claimed, audited = (row[1] for row in audit["rows"])
    return (
        f"**What stands behind them.** The {cells[1]} on Sudoku-Extreme are the variant that mixes cells by a layer across "
        f"them, {cells[0].split(' ')[0]} parameters; with attention, {attention[0]}, it is {attention[1]}, and of mazes the "
        f"first variant solves {cells[2]}. On ARC-AGI both learn an embedding for each puzzle, train on the demonstrations of "
        f"the evaluation tasks, and vote over many augmented copies. The audit found {audited} where {claimed} were claimed for "
        "HRM, that its two time scales add little over a plain transformer of the same size, and that running again and "
        "training on those demonstrations bring most of the score. Sudoku-Extreme has boards of 9×9, Maze-Hard mazes of 30×30: "
        "neither was trained here."
    )
