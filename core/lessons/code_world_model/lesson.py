"""A code world model on a reader's program: what the trained model says each line does, beside what the interpreter finds; where
the two part; the same with the true history given; what answering without a trace gives.

Letters: S steps of a run, L lines, N names.
"""

import ast
import random
from dataclasses import dataclass
from functools import lru_cache

import torch

from core.errors import SpecError
from core.train import zoo
from core.train.recipes import code_world_model as recipes
from core.train.tasks import frames, programs, toy, traces

OWN, TRUE = "own words", "true history"
HISTORIES = (OWN, TRUE)


EXAMPLES = {
    "straight lines": "a = 3\nb = a + 2\nc = b - 1\na = c + 3\nd = a - 2\nb = d + 3\nc = b + 1\nd = c - 3\na = d + 2",
    "if and else": "a = 6\nb = 2\nif a > 4:\n    a = a - 3\n    b = b + 1\nelse:\n    b = 7\nc = a + b\nd = c - 2",
    "for": "a = 1\nb = 9\nfor i in range(3):\n    a = a + 2\n    b = b - 1\nc = b - 2\na = c - 3\nb = a + 1",
    "while": "a = 8\nb = 1\nc = 5\nwhile a > 3:\n    b = b + 2\n    a = a - 3\nc = b + 3\nb = c - 2",
    "if inside a loop": "a = 0\nb = 4\nfor i in range(3):\n    if b > 3:\n        b = b - 2\n    a = a + 3\nc = a - 1",
    "times, never practised": "a = 2\nb = a * 3\nc = b + 1\nd = c - a\nb = d * 1\na = b + 3",
    "a list, never practised": (
        "xs = [3, 1, 2]\nbest = xs[0]\nfor i in range(3):\n    if xs[i] < best:\n        best = xs[i]\nxs[0] = best"
    ),
}
PRESETS = {
    "Straight": "straight lines", "If": "if and else", "For": "for", "While": "while", "Nested": "if inside a loop",
    "Unseen": "times, never practised",
}  # fmt: skip


# A program and its true run


@dataclass(frozen=True)
class Scene:
    """A program as it was read and run. `lines` (L,) are the numbers of the text's lines that hold something, `text` those lines;
    `names` in order of appearance; `problem` says in one sentence why the model cannot read it, "" where it can; `unseen` what
    of it was in no program that the model was trained on."""

    source: str
    program: toy.Program
    run: toy.Run
    problem: str
    unseen: tuple[str, ...]

    @property
    def lines(self) -> tuple[int, ...]:
        """The numbers of the lines that hold something."""
        return tuple(i for i, line in enumerate(self.program.lines, 1) if line.strip())

    @property
    def text(self) -> tuple[str, ...]:
        """Those lines."""
        return tuple(self.program.lines[i - 1] for i in self.lines)

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that gets a value, first come first."""
        return tuple(dict.fromkeys(name for frame in self.run.frames for name in frame.after))

    @property
    def steps(self) -> int:
        """Lines that ran."""
        return len(self.run.frames)


@lru_cache(maxsize=256)
def read(source: str) -> Scene:
    """A reader's program, read and run. SpecError in one sentence where it is none."""
    program = toy.parse(source)
    run = toy.run(program)
    try:
        if run.stopped:
            raise SpecError(run.stopped)
        frames.traced(program, run)
        problem, unseen = "", unpractised(program, run)
    except SpecError as error:
        problem, unseen = str(error), ()
    return Scene(source, program, run, problem, unseen)


def read_program(text: str) -> tuple[Scene, str]:
    """The reader's program; where it cannot be read or does nothing, the first example and the sentence that says why."""
    try:
        scene = read(text)
        if not scene.steps:
            raise SpecError(scene.run.stopped)
        return scene, ""
    except SpecError as error:
        return read(next(iter(EXAMPLES.values()))), str(error)


def unpractised(program: toy.Program, run: toy.Run) -> tuple[str, ...]:
    """What of a program no practised program had, in words."""
    words = {word for line in frames.lines_of(program) for word in line.words}
    signs = [sign for sign in (*frames.SIGNS.values(), *frames.TESTS.values()) if sign in words]
    strange = [sign for sign in signs if sign not in ("+", "-", *programs.COMPARED)]
    found = [f"the sign {sign}" for sign in strange]
    lines, low, high = len(frames.lines_of(program)), programs.LENGTHS[0], programs.LENGTHS[-1]
    if not low <= lines <= high:
        found.append(f"{lines} line{'s' * (lines != 1)} (it practised {low} to {high})")
    if len(run.frames) > programs.PRACTISED:
        found.append(f"{len(run.frames)} steps (it practised up to {programs.PRACTISED})")
    return (*found, *shapes(program.body))


def shapes(body: tuple[ast.stmt, ...]) -> list[str]:
    """Blocks that stand as no practised blocks did: there one block stood alone, or an if inside a loop."""
    blocks = [node for node in body if isinstance(node, (ast.If, ast.While, ast.For))]
    found = ["more than one block"] if len(blocks) > 1 else []
    for node in blocks:
        inner = [n for n in (*node.body, *getattr(node, "orelse", ())) if isinstance(n, (ast.If, ast.While, ast.For))]
        deeper = any(isinstance(n, (ast.If, ast.While, ast.For)) for part in inner for n in (*part.body, *part.orelse))
        if deeper or len(inner) > 1 or any(isinstance(node, ast.If) or not isinstance(n, ast.If) for n in inner):
            found.append("blocks nested in another way than an if inside a loop")
        test = node.test if isinstance(node, (ast.If, ast.While)) else None
        if isinstance(test, ast.Compare) and not isinstance(test.comparators[0], ast.Constant):
            found.append("a comparison with a name")
        times = node.iter.args[0] if isinstance(node, ast.For) and isinstance(node.iter, ast.Call) else ast.Constant(2)
        if not (isinstance(times, ast.Constant) and isinstance(times.value, int) and 2 <= times.value <= 4):
            found.append("a range of other than 2 to 4")
    return found


# What a model says


@dataclass(frozen=True)
class Step:
    """One step as said: the line's number in the text (0 where the program is over), each name's value, None where it has none,
    and how sure the model was of the line and of each value."""

    line: int
    values: dict[str, int | None]
    sure_line: float
    sure: dict[str, float]


@dataclass(frozen=True)
class Told:
    """A model's trace beside the true one. `right` (S,): line and every value are as they truly are; `parted`: the first step,
    from 1, at which they are not, 0 where there is none."""

    scene: Scene
    history: str
    steps: tuple[Step, ...]
    right: tuple[bool, ...]

    @property
    def parted(self) -> int:
        """The first wrong step, from 1; 0 where there is none."""
        return next((s for s, ok in enumerate(self.right, 1) if not ok), 0)

    @property
    def final(self) -> bool:
        """Is the last state right, and the end where it should be?"""
        ended = [s for s in self.steps if s.line]
        last = self.scene.run.frames[-1].after
        return len(ended) < len(self.steps) and bool(ended) and with_values(ended[-1].values) == last


def with_values(values: dict) -> dict:
    """The names that have a value, with it."""
    return {name: value for name, value in values.items() if value is not None}


@lru_cache(maxsize=256)
def model_trace(source: str, history: str, variant: str = recipes.TRACE) -> Told:
    """The model's trace of a program it has words for."""
    scene = read(source)
    rows = torch.tensor([traces.words("trace", source, scene.run)])
    model, lines = zoo.load(variant), len(scene.lines)
    if history == OWN:
        trace = traces.imagined(model, rows[:, : lines * frames.SOURCE_LINE + 1], scene.steps + 1)
    else:
        trace = traces.forced(model, rows)
    steps = tuple(trace_step(scene, trace, s) for s in range(trace.lines.shape[1]))
    right = tuple(
        s < len(steps) and steps[s].line == frame.line and with_values(steps[s].values) == frame.after
        for s, frame in enumerate(scene.run.frames)
    )
    return Told(scene, history, steps, right)


def trace_step(scene: Scene, trace: traces.Trace, s: int) -> Step:
    """Step `s` of a trace of one program, in the reader's own names and line numbers."""
    mine = {slot: name for name, slot in frames.slots(scene.program).items()}
    line, sure = int(trace.lines[0, s]), trace.sure[0, s].tolist()
    values = {mine[slot]: number(int(trace.values[0, s, i])) for i, slot in enumerate(frames.NAMES) if slot in mine}
    chances = {mine[slot]: sure[2 + i] for i, slot in enumerate(frames.NAMES) if slot in mine}
    return Step(scene.lines[line] if line < len(scene.lines) else 0, values, sure[0], chances)


def number(at: int) -> int | None:
    """A place among the values as the number it is; None is no value."""
    return None if at == len(frames.NUMBERS) else frames.LOW + at


@lru_cache(maxsize=256)
def answer(source: str) -> tuple[dict[str, int | None], float]:
    """The last state by the model that gives no trace, in the reader's names, and how sure it is of all of it."""
    scene = read(source)
    row = torch.tensor([traces.words("trace", source, scene.run)[: len(scene.lines) * frames.SOURCE_LINE + 1]])
    at, sure = traces.answered(zoo.load(recipes.ANSWER), row)
    mine = {slot: name for name, slot in frames.slots(scene.program).items()}
    values = {mine[slot]: number(int(at[0, i])) for i, slot in enumerate(frames.NAMES) if slot in mine}
    return values, float(sure[0].prod())


# The picture


STAYS, CHANGED, WRONG = 0, 1, 2
Cell = tuple[str, int | None]  # what is written, and what it is: None where a name has no value


@dataclass(frozen=True)
class View:
    """What is drawn: the program's lines and their numbers; the line of each step, in truth and as said (empty without a model);
    a row of cells a name, the first cell before any step; the first wrong step, 0 for none."""

    names: tuple[str, ...]
    text: tuple[str, ...]
    lines: tuple[int, ...]
    true_lines: tuple[int, ...]
    said_lines: tuple[int, ...]
    true_cells: tuple[tuple[Cell, ...], ...]
    said_cells: tuple[tuple[Cell, ...], ...]
    parted: int


def view(scene: Scene, said: Told | None) -> View:
    """A program's run, beside a model's trace where there is one."""
    true = [{}, *(frame.after for frame in scene.run.frames)]
    true_cells = tuple(tuple(cell(true, s, name) for s in range(len(true))) for name in scene.names)
    lines = tuple(frame.line for frame in scene.run.frames)
    if said is None:
        return View(scene.names, scene.text, scene.lines, lines, (), true_cells, (), 0)
    states = [{}, *(with_values(step.values) for step in said.steps if step.line)]
    said_cells = tuple(tuple(cell(states, s, name, true) for s in range(len(states))) for name in scene.names)
    said_lines = tuple(step.line for step in said.steps if step.line)
    return View(scene.names, scene.text, scene.lines, lines, said_lines, true_cells, said_cells, said.parted)


def cell(states: list[dict], s: int, name: str, true: list[dict] | None = None) -> Cell:
    """A name after step `s` of a run: wrong where it is not as it truly is, changed where it was not so before."""
    value = states[s].get(name)
    if true is not None and (s >= len(true) or value != true[s].get(name)):
        return value_text(value), WRONG
    if value is None:
        return "", None
    return value_text(value), CHANGED if s and value != states[s - 1].get(name) else STAYS


def value_text(value) -> str:
    """A value as Python writes it, lists without spaces; "–" where there is none."""
    return "–" if value is None else f"[{','.join(map(str, value))}]" if isinstance(value, tuple) else str(value)


def alt(scene: Scene, told_: Told | None, at: int) -> str:
    """What the picture shows, for who cannot see it."""
    beside = "" if told_ is None else f", and what the model says on {told_.history}"
    return f"Lines and states of a program of {len(scene.lines)} lines over {scene.steps} steps, marked after step {at}{beside}"


def agreement_text(scene: Scene, told_: Told | None) -> str:
    """One sentence: how far the model's trace is the true one."""
    steps = f"{scene.steps} steps of {len(scene.lines)} lines"
    if told_ is None:
        return f"{steps}, as our interpreter runs them."
    if told_.history == TRUE:
        return f"{steps}, each predicted from the true history: {sum(told_.right)} of {scene.steps} right."
    if not told_.parted:
        return f"{steps}: on its own words the model is right to the end." if told_.final else f"{steps}, all right, but no end."
    return f"{steps}: on its own words the model parts from the truth at step {told_.parted}."


def step_title(scene: Scene, at: int) -> str:
    """What the state card is called."""
    if not 1 <= at <= scene.steps:
        return "Before the first line"
    frame = scene.run.frames[at - 1]
    held = {None: "", True: " yes", False: " no"}[frame.held]
    return f"After step {at}: {scene.program.lines[frame.line - 1].strip()}{held}"


def state_rows(scene: Scene, told_: Told | None, at: int) -> tuple[tuple[str, ...], list[tuple]]:
    """The state after a step, name by name: before, after, as said and how surely."""
    true = [{}, *(frame.after for frame in scene.run.frames)]
    at = min(at, scene.steps)
    before, after = true[max(at - 1, 0)], true[at]
    step_ = told_.steps[at - 1] if told_ is not None and 1 <= at <= len(told_.steps) else None
    rows = []
    for name in scene.names:
        row: tuple[str, ...] = (name, value_text(before.get(name)), value_text(after.get(name)))
        if told_ is not None:
            ok = step_ is not None and step_.line and step_.values.get(name) == after.get(name)
            row += (f"{value_text(step_.values.get(name)) if step_ else '–'} {'✓' if ok or not at else '✗'}",)
        rows.append(row)
    return ("name", "before", "after", "model")[: 3 + (told_ is not None)], rows


def sure_text(scene: Scene, told_: Told, at: int) -> str:
    """How sure the model was at a step."""
    if not 1 <= at <= len(told_.steps):
        return "nothing has been predicted yet"
    now = told_.steps[at - 1]
    line = f"line {now.line}" if now.line else "the end"
    values = ", ".join(f"{name} {p:.2f}" for name, p in now.sure.items())
    return f"how sure it was: {line} {now.sure_line:.2f}; {values}"


def final_rows(scene: Scene) -> tuple[tuple[str, ...], list[tuple]]:
    """The last state in truth, by the trace model on its own words, and by the model that answers at once."""
    last = scene.run.frames[-1].after
    traced = [step for step in model_trace(scene.source, OWN).steps if step.line]
    values = {"trace": traced[-1].values if traced else {}, "at once": answer(scene.source)[0]}
    rows = []
    for name in scene.names:
        marked = (f"{value_text(v.get(name))} {'✓' if v.get(name) == last.get(name) else '✗'}" for v in values.values())
        rows.append((name, value_text(last.get(name)), *marked))
    return ("name", "truth", *values), rows


def final_text(scene: Scene) -> str:
    """How sure the model that answers at once was."""
    return f"at once: source in, last state out, {answer(scene.source)[1]:.2f} sure of all of it; as many parameters"


def table(v: View) -> dict[str, list]:
    """The picture as columns: a row a step."""
    steps = max(len(v.true_lines), len(v.said_lines))
    columns: dict[str, list] = {"step": list(range(steps + 1)), "line": [None, *v.true_lines]}
    columns |= {name: [text for text, _ in row] for name, row in zip(v.names, v.true_cells)}
    if v.said_lines:
        columns["model: line"] = [None, *v.said_lines]
        columns |= {f"model: {name}": [text for text, _ in row] for name, row in zip(v.names, v.said_cells)}
    return {key: [*values, *[None] * (steps + 1 - len(values))] for key, values in columns.items()}


def surprise(rng: random.Random) -> str:
    """A program of any practised kind that the model was not trained on."""
    kind = rng.choice(programs.KINDS)
    return programs.program(kind, rng.randint(max(6, programs.shortest(kind)), programs.LENGTHS[-1]), rng, held_out=True)[0]


def programs_text() -> str:
    """What our own programs are."""
    return f"Ours practised {len(programs.KINDS)} kinds of program with {programs.LENGTHS[0]} to {programs.LENGTHS[-1]} lines."
