"""What the page on recursive solvers shows as numbers, against the definitions."""

import numpy as np
import pytest
import torch

from core.count import cost
from core.errors import SpecError
from core.lessons.common import measured_parameters
from core.lessons.recursive import evidence as proved
from core.lessons.recursive import lesson
from core.model.decoding.recursion import solve
from core.real import catalogue
from core.train import zoo
from core.train.tasks import maze, sudoku
from tests.mechanisms.page import Page, Screen, bad

PAGE = Page(
    "recursive",
    ends=({"steps": "1"}, {"steps": "16", "puzzle": "maze"}),
    controls="steps puzzle cw-pick-steps solver inner rounds all board cw-pick-board cw-surprise-board",
    shy={"large": {"puzzle": "9x9"}, "small": {"puzzle": "4x4"}, "maze": {"puzzle": "maze"}},
    preset=("One step", {"steps": "1"}),
    links=("steps=4&step=6", "puzzle=maze&steps=2&step=1", "steps=16&solver=HRM&board=3...14+6...52+2..1.5+.1....+..5..3+46...."),
    nonsense=bad(
        ("steps", "3"),
        ("steps", "x"),
        ("puzzle", "8x8"),
        ("solver", "x"),
        ("inner", "99"),
        ("rounds", "0"),
        ("board", "x" * 5000),
        ("board", "<script>"),
        ("board", ""),
    ),
    source=("def solve", "arXiv 2510.04871"),
    users=lambda: [entry.name for entry, *_ in lesson.users()],
    fewest=2,
    fresh=lambda n: {"board": lesson.surprise("6x6", n)},
    screen=Screen(
        maps=1,
        figure="race",
        moves=("boards-6", "race"),
        alt=("The answer after each of 32 updates", "Share of gaps that are right after"),
        linked="steps puzzle inner rounds section v",
    ),
)

BOARD = "3...14 6...52 2..1.5 .1.... ..5..3 46...."
PUZZLE = lesson.parse("6x6", BOARD)
SOLVERS = [(puzzle, v) for puzzle, solvers in lesson.SOLVERS.items() for v in solvers.values()]
LARGE = "39.5..18. ..4.13.95 1...89... 9..16..57 52.39..61 ...854... ..9..8... 68..25..9 ........8"
MAZE = "..S.... ####.#. ...#.#. .###.## .....#. .###.#. .#..G.."
TEXTS = {"6x6": BOARD, "9x9": LARGE, "4x4": "24.1 ...2 .2.. ...3", "maze": MAZE}


@pytest.mark.parametrize("puzzle, variant", SOLVERS)
def test_a_thought_is_the_solvers_run_and_ends_each_step_with_its_answer(puzzle, variant):
    given, model = lesson.parse(puzzle, TEXTS[puzzle]).given, zoo.load(variant)
    thought = lesson.think(variant, given, 4)
    assert thought.steps == 4 and len(thought.words) == 4 * len(thought.order)
    for i, (logits, q, _) in enumerate(solve(model, torch.tensor([given]), 4)):
        last = (i + 1) * len(thought.order) - 1
        assert thought.words[last].tolist() == logits[0].argmax(-1).tolist()
        assert thought.sure[last] == pytest.approx(logits[0].softmax(-1).max(-1).values.numpy(), abs=1e-6)
        assert thought.halt is None or thought.halt[i] == pytest.approx(torch.sigmoid(q).item(), abs=1e-6)
    price = lesson.ours(variant, 4)
    assert (price.carried, price.params) == (thought.kept, measured_parameters(variant))


def test_more_steps_go_on_from_fewer():
    for steps in (2, 4, 16):
        more, fewer = (lesson.think("trm-mlp", PUZZLE.given, n) for n in (steps, steps // 2))
        assert (more.words[: len(fewer.words)] == fewer.words).all() and more.steps == 2 * fewer.steps == len(more.halt)
        assert more.last.y is not fewer.last.y


def test_after_an_update_of_z_stands_what_y_would_say():
    """The answer of a step whose last update is left out, and made once more by hand."""
    from core.model.decoding.recursion import answer, start, update

    model, thought = zoo.load("trm-mlp"), lesson.think("trm-mlp", PUZZLE.given, 1)
    with torch.no_grad():
        x = model.embed(torch.tensor([PUZZLE.given]), 0)
        s = update(model, "z", x, start(model, 1, 36))
        said = answer(model, update(model, "y", x, s))[0][0].argmax(-1)
    assert thought.order == "zyzy" and thought.words[0].tolist() == thought.words[1].tolist() == said.tolist()


def test_n_and_t_change_how_often_and_not_what_runs():
    spec = zoo.recipe("trm-mlp").spec
    assert lesson.order(spec, 3, 2) == "zzzyzzzy" and lesson.order(zoo.recipe("looped").spec, 3, 2) == "yy"
    usual, more = lesson.ours("trm-mlp", 8), lesson.ours("trm-mlp", 8, 3, 2)
    assert more.params == usual.params and more.layers == 2 * usual.layers == 8 * 8 * 2
    head = 8 * (2 * 7 * 64 * 36 + 2 * 64)
    assert more.flops - head == 2 * (usual.flops - head)


def test_the_race_counts_gaps_only():
    for run in lesson.beside(PUZZLE, 2, lesson.NAMES):
        assert len(run.passes) == len(run.right) and run.right.min() >= 0 and run.right.max() <= 1
    (trm,) = lesson.beside(PUZZLE, 2, ("TRM",))
    thought = lesson.think("trm-mlp", PUZZLE.given, 2)
    triples = [zip(words, PUZZLE.truth, PUZZLE.given) for words in thought.words[1::2].tolist()]
    right = [sum(said == true for said, true, given in cells if not given) / 22 for cells in triples]
    assert trm.passes.tolist() == [2, 4, 6, 8] and trm.right == pytest.approx(right)
    full = lesson.parse("6x6", sudoku.as_typed(PUZZLE.truth, 6))
    assert full.gaps == 0 and lesson.beside(full, 1, ("TRM",))[0].right.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("name", lesson.NAMES)
def test_the_race_is_run_by_the_same_solvers(name):
    steps = 1 if name == "run once" else 3
    thought, (run,) = lesson.think(lesson.SOLVERS["6x6"][name], PUZZLE.given, steps), lesson.beside(PUZZLE, 3, (name,))
    ends = [i for i, what in enumerate(thought.order * steps) if what == "y"]
    assert run.passes.tolist() == [i + 1 for i in ends]
    right = (thought.words[ends] == np.array(PUZZLE.truth))[:, PUZZLE.open].mean(1)
    assert run.right == pytest.approx(right)
    assert lesson.rivals("6x6", "HRM", False) == ("HRM", "looped", "run once")
    assert lesson.rivals("6x6", "HRM", True) == lesson.NAMES


def test_gaps_that_are_wrong_and_given_cells_that_are_written_over_are_counted_apart():
    """On a board of more gaps than it practised TRM rewrites much of what was given."""
    puzzle = lesson.parse("9x9", "26.8..5.. .......16 ..5.3.... ..81...2. .....5... 1..6...7. .4.7..... .3..5.... ...24.731")
    thought = lesson.think("trm-9x9", puzzle.given, 8)
    said = thought.words[-1].tolist()
    gaps = sum(s != t for s, t, g in zip(said, puzzle.truth, puzzle.given) if not g)
    given = sum(s != g for s, g in zip(said, puzzle.given) if g)
    assert lesson.mistakes(puzzle, thought) == (gaps, given) and gaps + given == thought.wrong(puzzle.truth)[-1]
    assert given > 0 and puzzle.gaps == 57
    assert lesson.mistakes(PUZZLE, lesson.think("trm-mlp", PUZZLE.given, 8)) == (0, 0)


def thought_of(words):
    return lesson.Thought(np.array(words), np.ones((len(words), 1)), np.array([0.1, 0.6, 0.4, 0.9]), "zy", None)


def test_every_puzzle_is_raced_by_its_own_solvers():
    assert lesson.rivals("9x9", "TRM", False) == lesson.rivals("9x9", "looped", False) == ("TRM", "looped")
    runs = lesson.beside(lesson.parse("9x9", LARGE), 2, ("TRM", "looped"))
    assert [run.passes.tolist() for run in runs] == [[2, 4, 6, 8], [1, 2]]


def test_when_it_is_solved_and_when_it_says_so():
    assert lesson.solved_at(thought_of([[0], [1]] * 4), (1,)) == 1
    assert lesson.solved_at(thought_of([[1], [0], [0], [1], [1], [0], [1], [1]]), (1,)) == 4, "it must stay right"
    assert lesson.solved_at(thought_of([[1], [0]] * 4), (1,)) == 0
    assert thought_of([[0], [1]] * 4).stops == 2
    never = lesson.Thought(np.ones((2, 1)), np.ones((2, 1)), np.array([0.1, 0.2]), "y", None)
    assert never.stops == 0


@pytest.mark.parametrize("key, layers", [(lesson.TRM, 16 * 42), (lesson.HRM, 16 * 2 * (2 * 4 + 4))])
def test_the_real_solvers_run_as_many_layers_as_their_papers_say(key, layers):
    price, reading = lesson.real_model(key), catalogue.entries()[key].reading
    assert price.layers == layers == dict(zip((lesson.TRM, lesson.HRM), lesson.real_formulas()))[key][1][2]
    assert price.flops == 16 * cost.count(reading.spec, reading.context).flops_per_token


def test_a_writer_reads_the_board_and_writes_as_many_words():
    for key in lesson.WRITERS:
        spec, price = catalogue.entries()[key].reading.spec, lesson.writer(key)
        assert price.flops == cost.count(spec, 81).prefill_flops + 81 * cost.count(spec, 162).flops_per_token and not price.solver


def test_what_was_trained_is_counted_by_hand():
    """TRM: 1,500 steps of 8 layers forwards, 4 of them backwards at twice the price."""
    assert proved.trained_passes("trm-mlp") == 1500 * (8 + 2 * 4) and proved.trained_passes("hrm") == 1500 * (12 + 2 * 4)
    assert proved.trained_passes("once") == 4000 * 6 and proved.trained_passes("looped") == 1200 * 3 * 2 * 5
    for plain in ("plain", "plain-8"):
        assert proved.trained_passes(plain) == pytest.approx(proved.trained_passes("trm-attention"), rel=1e-3)


def test_users_are_both_solvers():
    rows = {entry.key: numbers for entry, *numbers in lesson.users()}
    assert rows == {"hrm-27m": [27_275_266, 2, 2, 2, 24, 83968], "trm-7m": [6_828_034, 1, 6, 3, 42, 99328]}


@pytest.mark.parametrize("name", lesson.PUZZLES)
def test_surprises_always_parse(name):
    assert all(lesson.parse(name, lesson.surprise(name, seed)).truth for seed in range(12))


def test_puzzles_that_cannot_be_solved_have_no_truth_and_what_is_no_board_is_refused():
    assert lesson.parse("6x6", "." * 36).truth is None and "more than one" in lesson.parse("6x6", "." * 36).problem
    with pytest.raises(SpecError, match="36 digits"):
        lesson.parse("6x6", "1")
    m = lesson.parse("maze", TEXTS["maze"])
    assert m.gaps == m.given.count(maze.OPEN) and m.needs == "The way is 8 steps long"


def test_sentences_follow_the_table(monkeypatch):
    shares = {f"{kind}@{k}": x for kind in proved.KINDS for k, x in ((1, 0.25), (8, 0.6), ("halt", 0.5))}
    shares |= {f"{kind}, steps": 3 for kind in proved.KINDS} | {f"needs {g}": 0.5 for g in sudoku.GRADES}
    monkeypatch.setattr(zoo, "tables", lambda name: [{"variant": "trm-mlp", "seed": s, "step": 1} | shares for s in "01"])
    assert "25.0% in one step and 60.0% in 8" in proved.solved_text("unseen")
    assert "first says so: 50.0%, after 3.0 steps" in proved.solved_text("unseen")
    assert "10 of the 49 classes" in proved.solved_text("held out")
    assert proved.by_grade() == [(what, "50.0%", "—") for what in sudoku.NEEDS.values()]
    monkeypatch.setattr(zoo, "tables", lambda name: [])
    assert "TRM solves" not in proved.solved_text("unseen") and proved.all_runs() == proved.by_grade() == []


def test_hardly_a_9x9_board_needs_a_digit_to_be_tried():
    """As the footnotes say of our boards beside Sudoku-Extreme's: of a hundred made as the training puzzles are."""
    grades = [sudoku.grade(tuple(board)) for board in sudoku.make(9, 100, 5).boards.tolist()]
    assert grades.count("search") <= 3 and "36 to 46 gaps" in proved.footnotes()


def test_every_variant_has_a_name_and_the_printed_numbers_are_the_tables():
    assert set(proved.VARIANTS) == {r.variant for r in zoo.named("recursive").recipes}
    assert set(proved.RECURSIVE + lesson.ONCE) <= set(proved.VARIANTS)
    said = proved.footnotes()
    assert all(number in said for number in ("87.4%", "5M", "74.7%", "7M", "0.0%", "41%", "32%"))
