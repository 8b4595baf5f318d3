"""Recursive reasoning: can a 7M model out-think a big one on puzzles?"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st

from app import controls, live, panels, state, theme
from app.figures import frame, kinds, recursive
from app.figures.boards import boards
from core.lessons.common import measured_parameters
from core.lessons.recursive import evidence as proved
from core.lessons.recursive import lesson
from core.model.registry import question
from core.train.recipes.recursive import MECHANISM
from core.train.tasks import maze
from core.units import operations

ANSWER = "On the puzzles it was trained for, yes: it runs the same few layers again and again, and betters its own answer."
CORRECTION = (
    "Tiny is its parameters, not its arithmetic; and it is no language model: it solves one kind of puzzle, and no other."
)
PARAMETERS = {"6x6": "board", "9x9": "large", "4x4": "small", "maze": "maze"}
STEPS = tuple(2**k for k in range(5))
PRESETS = {"One step": {"steps": 1}, "As trained": {"steps": lesson.STAY}, "Twice as long": {"steps": 2 * lesson.STAY}}
HELP_STEPS = (
    "Steps of supervision: each runs all updates once, from the answer y and the thought z that the step before left. Training "
    "of TRM and HRM cuts the gradient between them; at most {most} of them were trained."
)
HELP_INNER = "Updates of the thought z before one of the answer y, with the weights as they are. {shapes}"
HELP_ROUNDS = (
    "Rounds in one step: n updates of z and one of y each. In training only the last has a gradient; on 9x9 and in mazes both "
    "have. {shapes}"
)
HELP_SOLVER = {
    "TRM": "TRM: one network for both updates, cells mixed by a layer across them.",
    "TRM, attention": "TRM, attention: the same, cells mixed by attention.",
    "HRM": "HRM: two networks, one for z, one for y.",
    "looped": "Looped: no z.",
    "run once": "Run once: the same layers without recursion.",
}
HELP_PUZZLE = (
    "Trained models for each: Sudoku on three sizes of board, and mazes. The models of one puzzle know nothing of another."
)
HELP_ALL = (
    "Run every solver on this puzzle for the figure beside it; otherwise the chosen one, the looped one, and one that runs once."
)
DEPTH = controls.Slider("steps", "Recursion steps", STEPS, lesson.STAY, "state", HELP_STEPS.format(most=lesson.STAY))
PUZZLE = controls.Choice("puzzle", "Puzzle", lesson.PUZZLES, lesson.PUZZLES[0], help=HELP_PUZZLE)
PATH = "core/model/decoding/recursion.py"
HUES = {"trm-mlp": "state", "trm-attention": "query", "hrm": "latent", "looped": "window"}


@dataclass(frozen=True)
class Choice:
    """What the controls hold."""

    steps: int
    name: str  # of the puzzle
    variant: str
    inner: int | str  # n and T: numbers, or as trained
    rounds: int | str
    text: str
    every: bool

    @property
    def config(self) -> dict:
        """What goes into an exported figure."""
        return live.about(self.variant, steps=self.steps, n=self.inner, T=self.rounds)

    @property
    def price(self) -> lesson.Price:
        """What the run costs."""
        return lesson.ours(self.variant, self.steps, self.inner, self.rounds)


def choose() -> Choice:
    """The controls: steps with presets, the puzzle; solver, n, T and the board folded."""
    with controls.row():
        steps, name = DEPTH.draw(), PUZZLE.draw()
        controls.presets("steps", PRESETS, "state")
        solvers = tuple(lesson.SOLVERS[name])
        solver = controls.Choice("solver", "Solver", solvers, solvers[0], help=" ".join(HELP_SOLVER[s] for s in solvers))
        label, fresh = "The maze" if name == "maze" else "The board", lambda rng: lesson.surprise(name, rng.randrange(1 << 30))
        board = controls.Prompt(PARAMETERS[name], label, lesson.EXAMPLES[name], fresh, 200, "state")
        with controls.more(f"{solver.peek()} · {board.example('your puzzle')}"):
            variant = lesson.trained(name, solver.offer(solvers, solvers[0]))
            inner, rounds = (
                controls.Choice(
                    key, label, lesson.INNERS, lesson.AS_TRAINED, help=help.format(shapes=lesson.shapes(variant))
                ).draw()
                for key, label, help in (("inner", "n", HELP_INNER), ("rounds", "T", HELP_ROUNDS))
            )
            every = controls.Switch("all", "Race all solvers", help=HELP_ALL).draw() if name == "6x6" else False
            text = board.draw()
    return Choice(steps, name, variant, inner, rounds, text, every)


# See


def see(choice: Choice) -> None:
    """The live model on the reader's puzzle."""
    first = next(iter(lesson.EXAMPLES[choice.name].values()))
    puzzle = live.attempt(partial(lesson.parse, choice.name), choice.text, first)
    if puzzle.problem:
        panels.error(f"{puzzle.problem}. The model tries all the same, and nothing here can be called right or wrong.")
    thought = lesson.think(choice.variant, puzzle.given, choice.steps, choice.inner, choice.rounds)
    written, solver = lesson.TASKS[choice.name].as_typed(puzzle.given, puzzle.size), lesson.solver_of(choice.variant)
    config = live.about(choice.variant, puzzle=written) | choice.config
    left, right = panels.beside()
    with left:
        chosen = picture(puzzle, thought, config)
        panels.caption(
            f"**{solver}, {choice.steps} step{'s' * (choice.steps != 1)} of {len(thought.order)} update"
            f"{'s' * (len(thought.order) != 1)}: "
            f"{len(thought.words)} passes through {lesson.layers(choice.variant)} layers.** Small boards: "
            "an {update} each, those of a step side by side, steps downwards; tap a cell of the large one to rewrite the puzzle.",
            update=panels.term(
                "update", "Of the thought z or of the answer y. After one of z stands what y would say if it were updated now."
            ),
        )
    with right:
        side(choice, puzzle, thought)
        if puzzle.truth:
            with panels.card("Solvers on this puzzle", "race"):
                runs = lesson.beside(puzzle, choice.steps, lesson.rivals(choice.name, solver, choice.every))
                fig = recursive.race(runs, chosen["step"], theme.colours(), theme.stroke())
                alt = f"Share of gaps that are right after each update of y, {len(runs)} solvers on the same puzzle"
                frame.figure(fig, key="race", alt=alt, table=lesson.race_table(runs), config=config)


def picture(puzzle: lesson.Puzzle, thought: lesson.Thought, config: dict) -> dict:
    """Every board of the run."""
    frames, is_maze, digits = len(thought.words), puzzle.name == "maze", "123456789"[: puzzle.size]
    start, words = {"step": frames}, ("wall", "open", "start", "goal", "way") if is_maze else ("gap", *digits)

    def rewrite(cell: int, word: int) -> None:
        st.session_state[PARAMETERS[puzzle.name]] = lesson.edited(puzzle, cell, word)

    chosen = boards(
        thought.words,
        thought.sure,
        key=f"boards-{puzzle.size}",
        title=question(state.page()),
        alt=f"The answer after each of {frames} updates in {thought.steps} steps on a puzzle of {len(puzzle.given)} cells, "
        f"{puzzle.gaps} of them open",
        given=puzzle.given,
        truth=puzzle.truth,
        updates=thought.order,
        kind="maze" if is_maze else "sudoku",
        keys=maze.WORDS.upper() if is_maze else f".{digits}",
        names=words,
        halt=thought.halt,
        box=lesson.box(puzzle.name),
        gap=maze.OPEN if is_maze else 0,
        writes=maze.WAY if is_maze else len(words),
        selected={"step": state.selection(start)["step"]},
        edited=rewrite,
        config=config,
        stage=state.stage(),
    )
    state.keep_selection({"step": chosen["step"]}, start)
    return chosen


def side(choice: Choice, puzzle: lesson.Puzzle, thought: lesson.Thought) -> None:
    """How it ended, and what it cost."""
    price = choice.price
    with panels.card("The answer, and the truth", "truth"):
        verdict(puzzle, thought)
    with panels.card("What it took", "price"):
        live.small(
            f"{price.params:,} parameters · {price.layers:,} layers run, one after the other · {operations(price.flops)} · "
            f"carried between steps: {price.carried:,} numbers, no cache"
        )
        panels.check(price.params, measured_parameters(choice.variant))
        panels.check(price.carried, thought.kept)


def verdict(puzzle: lesson.Puzzle, thought: lesson.Thought) -> None:
    """What stands in the end, against the conventional solver."""
    if puzzle.truth is None:
        live.small(f"A conventional solver: {puzzle.problem}.")
        return
    gaps, given = lesson.mistakes(puzzle, thought)
    over = f", and {given} of the given cells written over" if given else ""
    sign = '<b class="yes">✓</b> every cell is right'
    if gaps or given:
        sign = f'<b class="no">✗</b> {gaps} of {puzzle.gaps} gaps are wrong{over}'
    first = lesson.solved_at(thought, puzzle.truth)
    since = f"; right since step {first}" if first else ""
    st.html(f'<div class="cw-answers" role="list"><div role="listitem">{sign}{since}</div></div>')
    if thought.halt is not None:
        when = f"first says at step {thought.stops}" if thought.stops else "never says"
        live.small(f"Its halting head {when} that the answer is right ({thought.halt[-1]:.2f} in the end).")
    live.small(f"A conventional solver finds the one solution at once. {puzzle.needs}.")


# Count


def growing(choice: Choice) -> None:
    """What more steps cost."""
    live.heading("FLOPs against steps: our solvers on this puzzle")
    along, steps, price = np.arange(1, lesson.MOST + 1), choice.steps, choice.price
    lines = lesson.growth(choice.name, along, choice.inner, choice.rounds)
    fig = recursive.growth(along, lines, steps, theme.colours(), theme.stroke())
    alt, table = (
        "FLOPs of one answer against steps, a straight line for each solver",
        {f"{n}, FLOPs": v for n, v in lines.items()},
    )
    frame.figure(fig, key="growth", alt=alt, table={"steps": along, **table}, config=choice.config)
    panels.caption(
        f"**{price.name}: {operations(price.flops)} for {steps} step{'s' * (steps != 1)}.** Every step costs the same, and "
        "parameters stay what they are. Matrix products, attention and the output matrix are counted, as everywhere here."
    )
    panels.check(price.params, measured_parameters(choice.variant))


def theirs(choice: Choice) -> None:
    """Ours, TRM and HRM, and language models that would only write the answer."""
    live.heading("Parameters against arithmetic, real models")
    prices = lesson.prices(choice.variant, choice.steps)
    fig = recursive.models(prices, prices[0].name, theme.colours(), theme.stroke())
    table = {"model": [p.name for p in prices], **{f: [getattr(p, f) for p in prices] for f in ("params", "layers", "flops")}}
    alt = "FLOPs of one answer against parameters, log axes"
    frame.figure(fig, key="models", alt=alt, table=table, config=choice.config)
    trm, writer = lesson.real_model(lesson.TRM), lesson.writer(lesson.WRITERS[0])
    panels.caption(
        f"**{trm.name} runs {trm.layers:,} layers for one board, {operations(trm.flops)}; {writer.name} writes {lesson.SUDOKU} "
        f"cells with {operations(writer.flops)}.** Circles: all {lesson.MOST} steps on the board of their configs. Squares: "
        "reading a 9x9 board and writing its answer, a token a cell, with no word of thought."
    )


def formula(choice: Choice) -> None:
    """Layers that run, with the numbers put in."""
    own = lesson.formula(choice.variant, choice.steps, choice.inner, choice.rounds)
    rows = r" \\ ".join(
        r"\text{%s} &: \underbrace{%d}_{\text{steps}} \cdot %s = %s" % (who, n, how, live.digits(total))
        for who, (n, how, total) in [(lesson.solver_of(choice.variant), own), *lesson.real_formulas()]
    )
    live.formula(
        "Layers that run for one answer",
        r"\begin{aligned} %s \end{aligned}" % rows,
        "**T rounds of n updates of z and one of y, each through the layers of its network.** "
        f"A language model of {lesson.real_model(lesson.TRM).layers:,} layers would be as deep. The command line: {{code}}.",
        f"{lesson.TRM} {lesson.HRM}",
    )


# Prove


def solved(kind: str, _: Choice) -> None:
    """Boards solved against steps, every seed."""
    live.heading(f"6x6 boards solved, {proved.KINDS[kind]}: every seed")
    found, heads = proved.by_steps(kind), ("solver", "steps", "seed", "solved")
    subject = f"Share of boards solved against recursion steps, {proved.KINDS[kind]}"
    drawn = kinds.ByCount(subject, found, proved.variant_label, "steps", "boards solved", HUES, heads)
    kinds.show(drawn, kind.replace(" ", "-"), live.again(MECHANISM))
    panels.caption(proved.solved_text(kind))


def every_seed(_: Choice) -> None:
    """All runs as a table, and what hard boards need."""
    left, right = st.columns([1.7, 1], gap="large")
    with left:
        live.heading("All runs")
        live.table(("solver", "parameters", "steps", "trained", "min a seed", *proved.KINDS), proved.all_runs())
        panels.caption(proved.fairness())
    with right:
        live.heading("TRM by what a solver needs")
        live.table(("a conventional solver needs", *proved.GRADED), proved.by_grade())
        panels.caption("**Boards of all test sets solved, mean of the seeds.** " + proved.grades_text())


# Who uses it


def users(_: Choice) -> None:
    """The catalogue's solvers."""
    live.users(
        ("parameters", "networks", "n", "T", "layers a step", "carried"),
        [(entry, *(f"{n:,}" for n in numbers)) for entry, *numbers in lesson.users()],
        "**Neither is a language model: each is trained for one family of puzzles.** Counted from the config as released; "
        "carried are the numbers of y and z on one board. Click a name for its own page.",
    )


proof = live.proof(MECHANISM, tuple(partial(solved, kind) for kind in proved.KINDS), every_seed)
live.page(
    ANSWER, CORRECTION, choose, see, live.stacked((growing, theirs), formula),
    live.stacked(proof, lambda _: panels.caption(proved.footnotes())),
    live.reading(PATH, listed=MECHANISM.papers), users,
)  # fmt: skip
