"""Sudoku and mazes: made right, kept apart, read, solved by a conventional solver: python -m pytest tests/core/test_puzzles.py"""

import itertools
import random
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import SpecError
from core.train.tasks import maze, sudoku

SIZES, LISTED = (4, 6, 9), (4, 6)
every_size, listed_size = (pytest.mark.parametrize("n", sizes) for sizes in (SIZES, LISTED))


def valid(board, n):
    """Every row, column and box of a full board holds each digit once, written out."""
    down, across = sudoku.BOXES[n]
    grid = np.array(board).reshape(n, n)
    boxes = [grid[r : r + down, c : c + across].ravel() for r in range(0, n, down) for c in range(0, n, across)]
    return all(sorted(line) == list(range(1, n + 1)) for line in (*grid.tolist(), *grid.T.tolist(), *map(list, boxes)))


def few(monkeypatch, request):
    """Few training puzzles, for as long as one test: making all of 9x9 takes ten seconds."""
    monkeypatch.setattr(sudoku, "TRAINING", 40)
    sudoku.practised.cache_clear()
    request.addfinalizer(sudoku.practised.cache_clear)


# All boards


def test_all_full_boards_are_known():
    """28,200,960 of 6x6 and 288 of 4x4; 49 and 2 classes (both known from the literature)."""
    assert len(sudoku.full_boards(6)) * 720 == 28_200_960 and len(sudoku.full_boards(4)) * 24 == 288
    assert [int(sudoku.classes(n).max()) + 1 for n in LISTED] == [2, 49] == [sudoku.CLASSES[n] for n in LISTED]
    assert all(valid(board, 6) for board in sudoku.full_boards(6)[::997])


@listed_size
def test_a_move_keeps_a_board_and_its_class(n):
    rng, boards, kinds = random.Random(1), sudoku.full_boards(n), sudoku.classes(n)
    place = {board.tobytes(): kinds[i] for i, board in enumerate(boards)}
    assert len(np.unique(sudoku.moves(n), axis=0)) == len(sudoku.moves(n)) == {4: 128, 6: 3456}[n]
    for i in rng.sample(range(len(boards)), min(12, len(boards))):
        moved = boards[i][sudoku.moves(n)]
        assert all(valid(board, n) for board in moved[::101])
        assert {place[image.tobytes()] for image in sudoku.renamed(moved)} == {kinds[i]}


@every_size
def test_moves_are_counted_and_made_one_by_one(n):
    """So many reorderings of rows, of columns, and where boxes are square transposing: (3!)^8 * 2 of 9x9."""
    many = sudoku.many_moves(n)
    assert many == {4: 128, 6: 3456, 9: 6**8 * 2}[n]
    which = np.random.default_rng(1).choice(many, 100, replace=False)
    made, full = sudoku.moves(n, which), np.array(sudoku.filled(n, random.Random(4)))
    assert len(np.unique(made, axis=0)) == 100 and all(valid(full[places], n) for places in made)
    assert sudoku.moves(n, np.array([0]))[0].tolist() == list(range(n * n))
    if n != 6:
        assert sudoku.moves(n, np.array([many // 2]))[0].tolist() == np.arange(n * n).reshape(n, n).T.ravel().tolist()
    if n in LISTED:
        assert (sudoku.moves(n)[which] == made).all()


@every_size
def test_a_board_made_on_the_spot_is_full_and_another_every_time(n):
    boards = {sudoku.filled(n, random.Random(seed)) for seed in range(30)}
    assert len(boards) > (10 if n == 4 else 29) and all(valid(board, n) for board in boards)


def test_ten_of_49_classes_are_held_out_and_training_has_none_of_them():
    held = sudoku.held_out(6)
    assert len(held) == 10 and len(sudoku.held_out(4)) == 0
    trained, apart = sudoku.make(6, 40, 5), sudoku.make(6, 40, 5, held=True)
    assert not set(trained.kinds) & set(held) and set(apart.kinds) <= set(held)
    place = {board.tobytes(): kind for board, kind in zip(sudoku.full_boards(6), sudoku.classes(6))}
    for p in (trained, apart):
        named = sudoku.renamed(p.solved)
        assert [place[board.tobytes()] for board in named] == p.kinds.tolist()


@every_size
def test_puzzles_have_one_solution_and_are_as_open_as_asked(n):
    p = sudoku.make(n, 25, 9)
    for board, full in zip(p.boards.tolist(), p.solved.tolist()):
        assert list(itertools.islice(sudoku.solutions(tuple(board)), 2)) == [tuple(full)] and valid(full, n)
        assert all(a in (0, b) for a, b in zip(board, full))
    gaps = (p.boards == 0).sum(1)
    assert gaps.max() <= sudoku.GAPS[n][1] and np.mean(gaps) >= sudoku.GAPS[n][0]
    assert sudoku.problem(sudoku.another(n, 3)) == "" and sudoku.another(n, 3) == sudoku.another(n, 3) != sudoku.another(n, 4)


@listed_size
def test_a_copy_of_a_puzzle_is_known_and_another_puzzle_is_not(n):
    p, rng = sudoku.make(n, 12, 9), random.Random(2)
    known = {}
    for board in p.boards[:6]:
        known.setdefault(sudoku.fingerprint(board), []).append(board)
    for board in p.boards[:6]:
        moved = board[rng.choice(sudoku.moves(n))]
        copy = np.array(sudoku.renamed_by(moved, rng.sample(range(1, n + 1), n)), np.uint8)
        assert sudoku.canonical(copy) == sudoku.canonical(board) and sudoku.is_copy(copy, known)
    forms = {sudoku.canonical(board) for board in p.boards[:6]}
    for board in p.boards[6:]:
        assert sudoku.is_copy(board, known) == (sudoku.canonical(board) in forms)


def test_of_9x9_the_same_fingerprint_is_enough_to_be_a_copy():
    p, rng, known = sudoku.make(9, 12, 9), random.Random(2), {}
    for board in p.boards[:6]:
        known.setdefault(sudoku.fingerprint(board), []).append(board)
    for board in p.boards[:6]:
        moved = board[sudoku.moves(9, np.array([rng.randrange(sudoku.many_moves(9))]))[0]]
        assert sudoku.is_copy(np.array(sudoku.renamed_by(moved, rng.sample(range(1, 10), 9)), np.uint8), known)
    assert not any(sudoku.is_copy(board, known) for board in p.boards[6:])
    again = sudoku.make(9, 6, 9, unlike=known)
    assert not {board.tobytes() for board in again.boards} & {board.tobytes() for board in p.boards[:6]}


def test_no_test_puzzle_is_a_copy_of_a_training_puzzle(known_sudokus):
    """All of them, by the slow definition where the quick one finds something to compare."""
    known = known_sudokus(6)
    assert sum(map(len, known.values())) == len(sudoku.practised(6).boards) == sudoku.TRAINING
    for held in (False, True):
        p = sudoku.tests(6, held)
        assert len(p.boards) == sudoku.TESTS and not any(sudoku.is_copy(board, known) for board in p.boards)
    assert not any(sudoku.is_copy(board, known_sudokus(4)) for board in sudoku.tests(4).boards)


@every_size
def test_a_batch_is_training_puzzles_moved_and_named_anew(n, request):
    if n == 9:
        few(request.getfixturevalue("monkeypatch"), request)
    board, solved, _ = sudoku.training_batch(0, torch.Generator().manual_seed(1), n, 8, most=4)
    forms = {sudoku.fingerprint(b) for b in sudoku.practised(n).boards}
    for b, s in zip(board.numpy(), solved.tolist()):
        assert valid(s, n) and all(x in (0, y) for x, y in zip(b.tolist(), s))
        assert sudoku.fingerprint(b.astype(np.uint8)) in forms


# Grades, reading


@pytest.mark.parametrize(
    "text, grade", [
        ("3...14 6...52 2..1.5 .1.... ..5..3 46....", "one candidate"),
        ("..4... ...61. ..25.. 65.... ....63 ....2.", "one place"),
        ("6.3.1. .5.... ...1.. ..2.3. 4..2.. ..54..", "search"),
    ],
)  # fmt: skip
def test_grades(text, grade):
    board = sudoku.parse(text, 6)
    assert sudoku.reasoned(board)[0] == sudoku.grade(board) == grade and sudoku.as_typed(board, 6) == text
    assert set(sudoku.GRADES) == set(sudoku.MEANING) == set(sudoku.NEEDS)


@pytest.mark.parametrize(
    "text, words", [
        ("1" * 300, ("200", "300")), ("12", ("36 digits", "2 signs")), ("7" * 36, ("“7”",)), ("x" * 36, ("“x”",)),
        ("<script>", ("“<”",)), ("." * 35, ("35",)), ("", ("36", "0 signs")), ("１" * 36, ("“１”",)),
    ],
)  # fmt: skip
def test_what_is_no_board_is_refused_in_one_sentence(text, words):
    with pytest.raises(SpecError) as error:
        sudoku.parse(text, 6)
    assert all(word in str(error.value) for word in words) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text, words", [
        ("11.... " + "...... " * 5, "row 1 holds 1 twice"), ("1..... ...... 1..... " + "...... " * 3, "column 1 holds 1 twice"),
        ("1..... .1.... " + "...... " * 4, "box 1 holds 1 twice"), ("......" * 6, "more than one"),
        ("12345. ...... .....6 " + "...... " * 3, "no solution"),
    ],
)  # fmt: skip
def test_boards_that_cannot_be_solved_say_why(text, words):
    assert words in sudoku.problem(sudoku.parse(text, 6))
    assert sudoku.problem(sudoku.parse("24.1 ...2 .2.. ...3", 4)) == ""


@given(
    st.sampled_from(SIZES).flatmap(lambda n: st.tuples(*[st.integers(0, n)] * n**2)), st.sampled_from(["", " ", "/", "\n", ", "])
)
def test_every_board_is_read_as_it_is_written(board, between):
    n = round(len(board) ** 0.5)
    assert sudoku.parse(sudoku.as_typed(board, n).replace(" ", between), n) == board


@given(st.text(max_size=40) | st.text(".0_12345 /²", min_size=16, max_size=18))
def test_a_text_is_a_board_or_one_sentence(text):
    try:
        board = sudoku.parse(text, 4)
        assert len(board) == 16 and set(board) <= set(range(5))
    except SpecError as error:
        assert len(str(error).splitlines()) == 1


@st.composite
def boards(draw):
    """A full 4x4 board with some cells empty, and up to two that hold any digit."""
    full = draw(st.sampled_from(sudoku.full_boards(4).tolist()))
    cells = st.integers(0, 15)
    emptied = dict.fromkeys(draw(st.sets(cells, max_size=12)), 0)
    return tuple({**dict(enumerate(full)), **emptied, **draw(st.dictionaries(cells, st.integers(0, 4), max_size=2))}.values())


@settings(max_examples=300)
@given(boards())
def test_a_board_says_whether_exactly_one_solution_fits(board):
    every = [np.array((0, *names), np.uint8)[sudoku.full_boards(4)] for names in itertools.permutations(range(1, 5))]
    fit = ((np.concatenate(every) == board) | (np.array(board) == 0)).all(1).sum()
    assert re.match(
        ("This board (breaks the rules|has no solution)", "$", "This board has more than one")[min(fit, 2)], sudoku.problem(board)
    )


NAUGHTY = ".....5.8. ...6.1.43 ......... .1.5..... ...1.6... 3.......5 53.....61 ........4 ........."
HARD = "8........ ..36..... .7..9.2.. .5...7... ....457.. ...1...3. ..1....68 ..85...1. .9....4.."


FEWEST = "......52. .8.4..... .3...9... 5.1...6.. 2..7..... ...3..... 6...1.... ......7.4 .......3."  # 17 digits


def turned(board, rng):
    """A copy of a 9x9 board, moved and named anew."""
    places = sudoku.moves(9, np.array([rng.randrange(sudoku.many_moves(9))]))[0]
    return sudoku.renamed_by(np.array(board, np.uint8)[places], rng.sample(range(1, 10), 9))


def test_hard_boards_are_solved_however_they_are_turned_and_a_search_without_an_end_is_given_up(monkeypatch):
    rng = random.Random(6)
    for text in (HARD, FEWEST):
        board = sudoku.parse(text, 9)
        assert sudoku.grade(board) == "search" and not any(sudoku.problem(turned(board, rng)) for _ in range(12))
    assert "did not come to an end" in sudoku.problem(sudoku.parse(NAUGHTY, 9))
    monkeypatch.setattr(sudoku, "TRIES", 20)
    sudoku.fillings.cache_clear()
    assert "within 20 tries" in sudoku.problem(sudoku.parse(FEWEST, 9))
    sudoku.fillings.cache_clear()


@every_size
def test_both_searches_find_the_same(n):
    """The one that fills puzzles and the one for readers' boards, on boards with one solution, several and none."""
    rng, counts = random.Random(n), set()
    for seed in range(60):
        board = list(sudoku.another(n, seed))
        for cell in rng.sample(range(n * n), rng.randint(0, 3)):
            board[cell] = 0
        if seed % 3 == 0:
            gap = rng.choice([cell for cell in range(n * n) if not board[cell]])
            board[gap] = rng.choice(sudoku.candidates(board, gap) or [0])
        found = set(itertools.islice(sudoku.solutions(tuple(board)), 3))
        quick = sudoku.fillings(tuple(board))
        assert len(quick) == min(len(found), 2) and (len(found) > 2 or set(quick) <= found)
        counts.add(len(quick))
    assert counts == {0, 1, 2}


# Mazes


def test_mazes_join_all_rooms_without_a_loop_and_have_one_way():
    boards, ways = maze.make(maze.SIZE, 60, 3)
    n, side = maze.SIZE, (maze.SIZE + 1) // 2
    for board, full in zip(boards.tolist(), ways.tolist()):
        open_ = {i for i, word in enumerate(board) if word != maze.WALL}
        assert maze.pieces(open_, n) == 1 and len(open_) == 2 * side * side - 1 and not maze.has_loops(board)
        assert board.count(maze.START) == board.count(maze.GOAL) == 1 and maze.problem(tuple(board)) == ""
        path = maze.way(board)
        assert board[path[0]] == maze.START and board[path[-1]] == maze.GOAL
        assert all(b in maze.around(a, n) for a, b in zip(path, path[1:]))
        marked = {i for i, word in enumerate(full) if word == maze.WAY} | {path[0], path[-1]}
        assert marked == set(path) and sum(a != b for a, b in zip(board, full)) == len(path) - 2


def test_no_test_maze_is_a_training_maze_in_any_position():
    trained, tests = (maze.practised(maze.SIZE)[0], maze.tests(maze.SIZE)[0])
    positions = {image.tobytes() for board in trained for image in board[maze.positions(maze.SIZE)]}
    assert len(np.unique(maze.positions(maze.SIZE), axis=0)) == 8
    assert not any(board.tobytes() in positions for board in tests) and len(tests) == maze.TESTS


def test_a_batch_is_training_mazes_turned():
    board, ways, _ = maze.training_batch(0, torch.Generator().manual_seed(1), maze.SIZE, 8, most=4)
    forms = {maze.canonical(b) for b in maze.practised(maze.SIZE)[0]}
    for b, w in zip(board.numpy(), ways.tolist()):
        assert maze.canonical(b.astype(np.uint8)) in forms and list(maze.solved(b.tolist())) == w


@pytest.mark.parametrize(
    "text, words", [
        ("S", ("25 signs",)), ("." * 25, ("0 S",)), ("S" * 25, ("25 S",)), ("S....G" + "?" * 19, ("“?”",)), ("#" * 500, ("400",)),
        ("SG" + "o" * 23, ("“O”",)),
    ],
)  # fmt: skip
def test_what_is_no_maze_is_refused_in_one_sentence(text, words):
    with pytest.raises(SpecError) as error:
        maze.parse(text, 5)
    assert all(word in str(error.value) for word in words)


def test_mazes_that_cannot_be_solved_say_why():
    assert "no way" in maze.problem(maze.parse("S#G.. ##... ..... ..... .....", 5))
    assert "loop" in maze.problem(maze.parse("S.... ..... ..... ..... ....G", 5))
    text = "S.#.. #.#.# ..#.. .###. ....G"
    board = maze.parse(text, 5)
    assert (
        maze.problem(board) == "" and maze.as_typed(board, 5) == text and maze.parse(text.replace(" ", "/").lower(), 5) == board
    )
