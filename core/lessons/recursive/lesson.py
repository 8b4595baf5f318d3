"""Recursive solvers on a reader's puzzle: every update of every step as a board, several solvers on the same board, what a
solution costs. What runs show is in recursive_evidence.py.

Letters: C cells, F updates in all, n updates of z before one of y, T such rounds in a step.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch

from core.count import cost
from core.lessons.common import columns
from core.model.decoding.recursion import State, answer, start, update
from core.model.model import Model, elements
from core.model.spec import ModelSpec
from core.real import catalogue
from core.train import zoo
from core.train.recipes import recursive as recipes
from core.train.tasks import maze, sudoku

PUZZLES = ("6x6", "9x9", "4x4", "maze")
SIZES = {"6x6": 6, "9x9": 9, "4x4": 4, "maze": maze.SIZE}
TASKS = {"6x6": sudoku, "9x9": sudoku, "4x4": sudoku, "maze": maze}
SOLVERS = {
    "6x6": {
        "TRM": "trm-mlp", "TRM, attention": "trm-attention", "HRM": "hrm", "looped": "looped", "run once": "once",
    },
    "9x9": {"TRM": "trm-9x9", "looped": "looped-9x9"},
    "4x4": {"TRM": "trm-4x4"},
    "maze": {"looped": "looped-maze", "TRM": "trm-maze"},
}  # fmt: skip
NAMES, QUICK = tuple(SOLVERS["6x6"]), ("looped", "run once")
ONCE = ("once", "plain", "plain-8")  # variants that were trained to run once
AS_TRAINED = "as trained"
STAY = recipes.STAY
INNERS: tuple[int | str, ...] = (AS_TRAINED, 1, 2, 3, 6)
EXAMPLES = {
    "6x6": {
        "needs a search of places": "..4... ...61. ..25.. 65.... ....63 ....2.",
        "one candidate at a time": "3...14 6...52 2..1.5 .1.... ..5..3 46....",
        "a digit must be tried": "6.3.1. .5.... ...1.. ..2.3. 4..2.. ..54..",
        "a kind of board held out": "31..2. .4.15. 654... 13.... 56...4 ......",
    },
    "9x9": {
        "needs a search of places": "......... 5.82.1964 .79.84.51 1.49....3 .53..249. ...436..8 ...1.5... 91..47..2 .2.....45",
        "one candidate at a time": "62.58.31. ..1273... 835.1..42 .1.6..4.3 9.435.... .......76 273.95168 ..98..537 .8.7.12.4",
        "a digit must be tried": "39.5..18. ..4.13.95 1...89... 9..16..57 52.39..61 ...854... ..9..8... 68..25..9 ........8",
        "more gaps than trained": "26.8..5.. .......16 ..5.3.... ..81...2. .....5... 1..6...7. .4.7..... .3..5.... ...24.731",
    },
    "4x4": {"ten gaps": "24.1 ...2 .2.. ...3", "six gaps": "43.2 .2.. .431 .124"},
    "maze": {
        "a way of 24": "G..#... .#.#.## .#..... ######. S#...#. .#.#.#. ...#...",
        "a way of 20": "...#.#. .###.#. G..#... .###.#. .....#. ######. S......",
        "a way of 8": "..S.... ####.#. ...#.#. .###.## .....#. .###.#. .#..G..",
    },
}
TRM, HRM = "trm-7m", "hrm-27m"
WRITERS = ("llama3.2-1b", "llama3-8b", "deepseek-v3")  # models that would write the answer token by token
SUDOKU = 81  # cells of the board that they would write
MOST = 16  # steps of supervision of the real solvers
DTYPE = "float32"


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
    return Puzzle(name, given, sudoku.fillings(given)[0], "", said[0].upper() + said[1:])


def surprise(name: str, seed: int) -> str:
    """A puzzle that always parses."""
    n = SIZES[name]
    if name == "maze":
        return maze.as_typed(maze.make(n, 1, seed, held=True)[0][0], n)
    return sudoku.as_typed(sudoku.another(n, seed), n)


def edited(puzzle: Puzzle, cell: int, word: int) -> str:
    """The text of a puzzle with one cell rewritten; start and goal of a maze stay, or move there."""
    board, ends = list(puzzle.given), (maze.START, maze.GOAL)
    if puzzle.name != "maze":
        board[cell] = word
    elif board[cell] not in ends:
        if word in ends:
            board[board.index(word)] = maze.OPEN
        board[cell] = word
    return TASKS[puzzle.name].as_typed(board, puzzle.size)


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
        return cls(np.zeros((0, cells), np.uint8), np.zeros((0, cells), np.float32), np.zeros(0), order, first)

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
            shares.append(cell_probabilities(model, would or s))
        halts.append(torch.sigmoid(answer(model, s)[1]).item())
    sure, words = (part.numpy() for part in torch.stack(shares).max(-1))
    return before.followed(words.astype(np.uint8), sure, halts if model.spec.recursion.halt else None, s)


def cell_probabilities(model: Model, s: State) -> torch.Tensor:
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
    """The solver and those beside it: the quick ones, or all; all of few."""
    names = tuple(SOLVERS[puzzle])
    return names if all_of_them or len(names) <= len(QUICK) else tuple(name for name in names if name in (solver, *QUICK))


def race_table(runs: list[Run]) -> dict[str, list]:
    """The same as columns."""
    rows = [(run.name, int(n), float(share)) for run in runs for n, share in zip(run.passes, run.right)]
    return columns(("solver", "passes", "gaps right"), rows)


def mistakes(puzzle: Puzzle, thought: Thought) -> tuple[int, int]:
    """Gaps that are wrong in the end, and given cells that the model has written over."""
    wrong = thought.words[-1] != np.array(puzzle.truth)
    return int(wrong[puzzle.open].sum()), int(wrong[~puzzle.open].sum())


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


@lru_cache(maxsize=8)
def real_model(key: str, steps: int = MOST) -> Price:
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
    return [ours(variant, steps), *map(real_model, (TRM, HRM)), *map(writer, WRITERS)]


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
