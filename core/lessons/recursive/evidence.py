"""What runs of recursive solvers show: how often test boards are solved, after how many steps, by whom; what papers printed."""

import numpy as np

from core.lessons.recursive.lesson import ONCE, layers_a_step, order, ours
from core.train import evidence, zoo
from core.train.recipes import recursive as recipes
from core.train.tasks import maze, sudoku
from core.train.tasks.supervision import ANSWERED, STEPS

KINDS = {"unseen": "puzzles never seen", "held out": "kinds of board never seen"}
VARIANTS = recipes.NAMES
GRADED = {"6x6": "trm-mlp", "9x9": "trm-9x9"}
RECURSIVE = ("trm-mlp", "trm-attention", "hrm", "looped")


variant_label = recipes.MECHANISM.spelling.variant


def by_steps(name: str) -> dict[str, dict[int, list[float]]]:
    """{variant: {steps: share of boards solved, every seed}} of one of the two test sets."""
    return {v: {k: evidence.final("recursive", v, f"{name}@{k}") for k in STEPS} for v in RECURSIVE}


def all_runs() -> list[tuple]:
    """Every variant: parameters, how much it was trained, minutes a seed, what it solved of each test set, mean of the seeds."""
    rows = []
    for v in VARIANTS:
        seconds = evidence.final("recursive", v, "seconds")
        if not seconds:
            continue
        solved = [evidence.final("recursive", v, name) for name in KINDS]
        shares = [f"{np.mean(x):.1%}" if x else "—" for x in solved]
        steps, trained = f"{zoo.recipe(v).steps:,}", f"{trained_passes(v) / 1000:.0f}"
        rows.append((variant_label(v), f"{ours(v, 1).params:,}", steps, trained, f"{np.mean(seconds) / 60:.1f}", *shares))
    return rows


def by_grade() -> list[tuple[str, ...]]:
    """What a conventional solver needs, and the share of such boards of each size that TRM solves, mean of the seeds; — where no
    test board needs it."""
    rows = []
    for grade in sudoku.GRADES:
        found = [evidence.final("recursive", v, f"needs {grade}") for v in GRADED.values()]
        rows.append((sudoku.NEEDS[grade], *(f"{np.mean(x):.1%}" if x else "—" for x in found)))
    return [row for row in rows if set(row[1:]) != {"—"}]


def grades_text() -> str:
    """What the grades mean."""
    return " ".join(f"{sudoku.NEEDS[g].capitalize()}: {sudoku.MEANING[g]}." for g in sudoku.GRADES)


def solved_text(kind: str) -> str:
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
        f"Batches of {' or '.join(map(str, sorted(counts)))} boards; 9x9, 4x4 and mazes are other puzzles. HRM mixes cells as "
        "TRM does, by a layer across them; the published one has attention. On 9x9 and in mazes TRM has a "
        "gradient through both rounds of a step."
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


def footnotes() -> str:
    """What stands behind the printed numbers, with those numbers."""
    puzzles, _, _, audit = evidence.published("recursive")
    by_name = {row[0]: row[1:] for row in puzzles["rows"]}
    cells, attention = by_name["TRM, layer across cells"], by_name["TRM, attention"]
    claimed, audited = (row[1] for row in audit["rows"])
    fewest, most = sudoku.GAPS[9]
    return (
        f"**What stands behind them.** The {cells[1]} on Sudoku-Extreme are the variant that mixes cells by a layer across "
        f"them, {cells[0].split(' ')[0]} parameters; with attention, {attention[0]}, it is {attention[1]}, and of mazes the "
        f"first variant solves {cells[2]}. On ARC-AGI both learn an embedding for each puzzle, train on the demonstrations of "
        f"the evaluation tasks, and vote over many augmented copies. The audit found {audited} where {claimed} were claimed for "
        "HRM, that its two time scales add little over a plain transformer of the same size, and that running again and "
        "training on those demonstrations bring most of the score. Sudoku-Extreme's boards of 9×9 were picked for being hard, "
        f"Maze-Hard's mazes are 30×30. Here a 9×9 board has {fewest} to {most} gaps, and hardly any needs a digit to be tried; "
        f"mazes are {maze.SIZE}×{maze.SIZE}."
    )
