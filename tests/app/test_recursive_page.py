"""The page on recursive solvers: boards, what is wrong with them, solvers, editing. The rest is in test_pages.py."""

import re
from functools import partial

import pytest

from app.figures import boards as figure
from app.figures.frame import unpack
from core.lessons.common import measured_parameters
from core.lessons.recursive import evidence as proved
from core.lessons.recursive import lesson
from core.train import evidence, zoo
from core.train.tasks import maze, sudoku
from tests.app import opening
from tests.app.opening import fine, text
from tests.core.test_puzzles import NAUGHTY

BOARD = "3...14 6...52 2..1.5 .1.... ..5..3 46...."
MAZE = "..S.... ####.#. ...#.#. .###.## .....#. .###.#. .#..G.."

opened = partial(opening.opened, "recursive")


@pytest.mark.parametrize("name", list(lesson.SOLVERS["6x6"]))
@pytest.mark.parametrize("steps", ["1", "8"])
def test_what_is_said_is_what_the_solver_does(name, steps):
    shown, variant = text(opened(board=BOARD, steps=steps, solver=name)), lesson.SOLVERS["6x6"][name]
    puzzle = lesson.parse("6x6", BOARD)
    thought = lesson.think(variant, puzzle.given, int(steps))
    wrong = int(thought.wrong(puzzle.truth)[-1])
    assert ("every cell is right" if not wrong else f"{wrong} of 22 gaps are wrong") in shown
    assert f"{len(thought.words)} passes through" in shown and "cw-check differs" not in shown
    assert shown.count("counted ") == 2


@pytest.mark.parametrize("puzzle, key", [("6x6", "board"), ("9x9", "large"), ("4x4", "small"), ("maze", "maze")])
def test_every_puzzle_has_a_solver_and_examples_that_can_be_solved(puzzle, key):
    at = opened(puzzle=puzzle)
    for label in at.pills(key=f"cw-pick-{key}").options:
        fine(at.pills(key=f"cw-pick-{key}").set_value(label).run())
        shown = text(at)
        assert 'class="cw-error"' not in shown
        wrong = re.search(r"(\d+) of (\d+) gaps are wrong", shown)
        assert int(wrong[1]) <= int(wrong[2]) if wrong else "every cell is right" in shown or "given cells written over" in shown
    fine(at.button(key=f"cw-surprise-{key}").click().run())
    assert 'class="cw-error"' not in text(at) and lesson.parse(puzzle, at.text_input(key=key).value).truth


@pytest.mark.parametrize(
    "query, words", [
        ({"board": "12"}, ("36 digits", "first example")), ({"board": "<script>" + "." * 28}, ("“&lt;”", "first example")),
        ({"board": "7" * 36}, ("“7”",)), ({"board": "11" + "." * 34}, ("row 1 holds 1 twice", "can be called right")),
        ({"board": "." * 36}, ("more than one solution", "can be called right")),
        ({"board": "12345............6.................."[:36]}, ("no solution",)),
        ({"puzzle": "maze", "maze": "S#G####" + "#" * 7 + "." * 35}, ("no way",)),
        ({"puzzle": "maze", "maze": "S" * 49}, ("49 S",)),
        ({"puzzle": "4x4", "small": "5" * 16}, ("“5”",)), ({"puzzle": "9x9", "large": "0" * 80}, ("81 digits", "80 signs")),
        ({"puzzle": "9x9", "large": "." * 81}, ("more than one solution",)), ({"puzzle": "8x8"}, ("Puzzle “8x8”",)),
        ({"puzzle": "9x9", "large": NAUGHTY}, ("did not come to an end", "can be called right")),
        ({"puzzle": "9x9", "solver": "HRM"}, ("Solver “HRM”",)),
    ],
)  # fmt: skip
def test_a_board_that_cannot_be_solved_is_answered_in_words(query, words):
    shown = text(opened(**query))
    assert all(word in shown for word in words) and "<script>" not in shown and "Traceback" not in shown


def test_examples_are_no_training_puzzles(known_sudokus):
    for n in (6, 9):
        for example in lesson.EXAMPLES[f"{n}x{n}"].values():
            assert not sudoku.is_copy(lesson.np.array(sudoku.parse(example, n), "uint8"), known_sudokus(n))
    for example in lesson.EXAMPLES["maze"].values():
        assert maze.is_for_tests(lesson.np.array(maze.parse(example, maze.SIZE), "uint8"))


def test_a_solver_that_another_puzzle_lacks_is_let_go():
    at = opened(solver="HRM")
    assert "HRM, 8 steps of" in text(at)
    at = fine(at.segmented_control(key="puzzle").set_value("9x9").run())
    assert "solver" not in at.query_params and at.segmented_control(key="solver").options == ["TRM", "looped"]
    assert "TRM, 8 steps of" in text(at)
    at = fine(at.segmented_control(key="solver").set_value("looped").run())
    assert "looped, 8 steps of" in text(at) and "cw-check differs" not in text(at)
    at = fine(at.segmented_control(key="puzzle").set_value("maze").run())
    assert "looped, 8 steps of" in text(at) and "Not accepted" not in text(at)
    at = fine(at.segmented_control(key="puzzle").set_value("4x4").run())
    assert "TRM, 8 steps of" in text(at) and "solver" not in at.query_params


def test_n_and_t_change_the_passes_and_not_the_parameters():
    usual, long = text(opened()), text(opened(inner="3", rounds="6"))
    assert "32 passes" in usual and f"{8 * 6 * 4} passes" in long
    assert f"{measured_parameters('trm-mlp'):,} parameters" in usual and f"{measured_parameters('trm-mlp'):,} parameters" in long


def test_a_cell_that_a_reader_writes_is_in_the_text_and_nonsense_is_not():
    puzzle = lesson.parse("6x6", BOARD)
    assert lesson.edited(puzzle, 1, 5).startswith("35..14 ") and lesson.edited(puzzle, 0, 0).startswith("....14 ")
    m = lesson.parse("maze", MAZE)
    assert lesson.edited(m, 46, maze.WALL) == MAZE, "the goal stays"
    assert lesson.edited(m, 42, maze.GOAL) == MAZE.replace(".#..G..", "G#.....")
    assert lesson.edited(m, 0, maze.WALL) == MAZE.replace("..S....", "#.S....")
    assert figure.checked({"cell": 3, "word": 2, "size": 6}, 36, 7) == (3, 2)
    good, wrong = {"cell": 1, "word": 1, "size": 6}, ({"cell": 36}, {"word": 7}, {"cell": True}, {"size": 5}, {"cell": "1"})
    for bad in (None, {}, *(good | change for change in wrong)):
        assert figure.checked(bad, 36, 7) is None


def test_the_bytes_of_the_picture():
    words, sure = lesson.np.arange(12).reshape(3, 4) % 5, lesson.np.full((3, 4), 0.5)
    look = {"title": "t", "alt": "a", "config": {"x": 1}, "selected": {}}
    header, cells = unpack(figure.payload(words, sure, key="k", given=[0, 1, 2, 3], truth=None, updates="zzy", **look))
    assert (header["steps"], header["size"], header["truth"]) == (1, 2, None) and list(cells) == [*words.ravel(), *[128] * 12]
    with pytest.raises(ValueError, match="words"):
        figure.payload(words, sure, key="k", given=[0, 1], truth=None, updates="zzy", **look)
    assert figure.valid({"step": 2}, 3) == 2 and figure.valid({"step": 9}, 3) == figure.valid(None, 3) == 3


def test_verdicts_and_numbers_are_the_tables(monkeypatch):
    monkeypatch.setattr(zoo, "tables", lambda name: [])
    shown = text(opened(section="Prove"))
    assert "No runs yet." in shown and "with the same weights.** " not in shown
    metrics = {
        f"{k}{after}": "0.95"
        for k in ("unseen", "held out")
        for after in ("", "@halt", ", steps", *(f"@{n}" for n in proved.STEPS))
    }
    metrics |= {f"needs {grade}": "0.9" for grade in sudoku.GRADES}
    rows = [{"variant": v, "seed": str(s), "step": "1", "seconds": "60"} | metrics for v in proved.VARIANTS for s in (0, 1)]
    monkeypatch.setattr(zoo, "tables", lambda name: rows)
    shown = text(opened(section="Prove"))
    assert "95.0% in one step and 95.0% in 8" in shown and "No runs yet." not in shown
    verdict = evidence.report("recursive")["claims"][0]["verdict"]
    assert f">{verdict}</span>" in shown
