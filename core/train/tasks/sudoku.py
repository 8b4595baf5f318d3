"""Sudoku on 4x4, 6x6 and 9x9 boards: every row, column and box holds each digit once, and exactly one way of filling the gaps
works.

    6x6, boxes of 2 rows and 3 columns        4x4, boxes of 2 by 2        9x9, boxes of 3 by 3

All small full boards are known: 28,200,960 of 6x6 (Pettersen and Silver, 2006), which relabelling and the moves of rows,
columns, bands and stacks make into 49 classes. Training puzzles are moved and relabelled anew whenever they are drawn, so two
test sets say something: `unseen`, puzzles of the trained classes of which no training puzzle is a moved and relabelled copy, and
`held_out`, puzzles whose class (every fifth) no training puzzle has. Of the two classes of 4x4 none is held out. Of 9x9 there
are too many to list, 5,472,730,538 classes (Russell and Jarvis, 2006): a board made at random is of one that no training puzzle
is of.

Letters: B boards, n cells in a row, C = n * n cells, read row by row; 0 is a gap. A word of the model is a digit or the gap.
"""

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from core.errors import SpecError
from core.train.task import Task
from core.train.tasks.supervision import after, averaged, finish, lengths, loss, mean_of, outcome, prepare, rows_of, signs_of

BOXES = {4: (2, 2), 6: (2, 3), 9: (3, 3)}  # rows and columns of a box
CLASSES = {4: 2, 6: 49}  # of the sizes whose full boards are all listed
GAPS = {4: (6, 12), 6: (22, 28), 9: (36, 46)}  # fewest and most gaps of a puzzle
TRIES = 30_000  # digits that are tried at most before a reader's board is given up
ONE_IN = 5  # one class of so many is held out
GRADES = ("one candidate", "one place", "search")
NEEDS = dict(zip(GRADES, ("digits left", "places left", "a digit tried")))
MEANING = {
    "one candidate": "in every position some gap has one digit left",
    "one place": "sometimes a digit must be found the one place that a row, column or box leaves it",
    "search": "somewhere a digit must be tried",
}
MAX_CHARACTERS = 200
Peers = tuple[tuple[int, ...], ...]  # for each cell the cells that must differ from it


# All full boards, and the moves that make one of another


def moves(n: int, which: np.ndarray | None = None) -> np.ndarray:
    """Ways to reorder rows within bands, bands, columns within stacks and stacks (where boxes are square: and to transpose), all
    or those so numbered: (M, C) places from where each cell comes. Of 9x9 they are too many to ask for all."""
    lines = orders(n, BOXES[n][0]), orders(n, BOXES[n][1])
    which = np.arange(many_moves(n)) if which is None else which
    transposed, (row, column) = which // (per := len(lines[0]) * len(lines[1])), divmod(which % per, len(lines[1]))
    places = n * lines[0][row][:, :, None] + lines[1][column][:, None, :]  # (M, n, n)
    return np.where(transposed[:, None, None] == 1, places.transpose(0, 2, 1), places).reshape(-1, n * n)


def many_moves(n: int) -> int:
    """How many ways there are."""
    down, across = BOXES[n]
    return len(orders(n, down)) * len(orders(n, across)) * (2 if down == across else 1)


@lru_cache(maxsize=8)
def orders(n: int, size: int) -> np.ndarray:
    """Orders of n lines in which lines of the same block of `size` stay neighbours: (.., n)."""
    blocks = [list(itertools.permutations(range(start, start + size))) for start in range(0, n, size)]
    return np.array(
        [sum((line for line in chosen), ()) for order in itertools.permutations(blocks) for chosen in itertools.product(*order)]
    )


@lru_cache(maxsize=4)
def every_move(n: int) -> np.ndarray:
    """All moves of a size in CLASSES, kept."""
    return moves(n)


@lru_cache(maxsize=4)
def full_boards(n: int) -> np.ndarray:
    """All full boards whose first row is 1 2 3 ...; relabelling makes every other: (G, C)."""
    first = list(range(1, n + 1)) + [0] * (n * n - n)
    return np.array(list(solutions(tuple(first))), np.uint8)


@lru_cache(maxsize=4)
def classes(n: int) -> np.ndarray:
    """The class of each of `full_boards`, counted from 0 in the order in which they first appear: (G,)."""
    boards = full_boards(n)
    place = {board.tobytes(): i for i, board in enumerate(boards)}
    found, count = np.full(len(boards), -1), 0
    for i, board in enumerate(boards):
        if found[i] < 0:
            for image in np.unique(renamed(board[every_move(n)]), axis=0):
                found[place[image.tobytes()]] = count
            count += 1
    return found


def renamed(boards: np.ndarray) -> np.ndarray:
    """(B, C) -> the same with digits named in the order in which they appear, gaps left: (B, C)."""
    n = int(boards.shape[1] ** 0.5)
    appears = np.stack([np.where((boards == d).any(1), (boards == d).argmax(1), n * n + d) for d in range(1, n + 1)], 1)
    name = np.zeros((len(boards), n + 1), np.uint8)
    np.put_along_axis(name, 1 + appears.argsort(1), np.arange(1, n + 1, dtype=np.uint8)[None], 1)
    return np.take_along_axis(name, boards.astype(np.int64), 1)


def canonical(board: np.ndarray) -> bytes:
    """The same for every moved and relabelled copy of a puzzle (C,) of a size in CLASSES, and for nothing else."""
    images = renamed(board[every_move(int(len(board) ** 0.5))])
    return np.sort(images.view(f"S{len(board)}").ravel())[0].ljust(len(board), b"\0")


def fingerprint(board: np.ndarray) -> tuple:
    """The same for every copy of a puzzle, and nearly always for nothing else: how often each digit stands, gaps by line."""
    n = int(len(board) ** 0.5)
    gaps = board.reshape(n, n) == 0
    lines = [tuple(sorted(gaps.sum(axis).tolist())) for axis in (0, 1)]
    square = BOXES[n][0] == BOXES[n][1]  # such a board may be transposed
    return tuple(sorted(np.bincount(board, minlength=n + 1)[1:].tolist())), tuple(sorted(lines) if square else lines)


def is_copy(board: np.ndarray, others: dict[tuple, list[np.ndarray]]) -> bool:
    """Is a puzzle a copy of one of many, kept by fingerprint? Where moves are too many to try, the same fingerprint is enough."""
    alike = others.get(fingerprint(board), [])
    return bool(alike) and (int(len(board) ** 0.5) not in CLASSES or canonical(board) in map(canonical, alike))


# The conventional solver


@lru_cache(maxsize=4)
def units(n: int) -> np.ndarray:
    """The cells of every row, column and box: (3 n, n)."""
    down, across = BOXES[n]
    cells = np.arange(n * n).reshape(n, n)
    boxes = cells.reshape(n // down, down, n // across, across).transpose(0, 2, 1, 3).reshape(n, n)
    return np.concatenate([cells, cells.T, boxes])


@lru_cache(maxsize=4)
def peers(n: int) -> Peers:
    """For each cell the cells that must differ from it."""
    return tuple(tuple(sorted({int(c) for unit in units(n) if cell in unit for c in unit} - {cell})) for cell in range(n * n))


def candidates(board, cell: int) -> list[int]:
    """Digits that a gap could hold as far as its row, column and box say."""
    n = int(len(board) ** 0.5)
    taken = {board[p] for p in peers(n)[cell]}
    return [d for d in range(1, n + 1) if d not in taken]


def solutions(board: tuple[int, ...], banned: tuple[int, int] = (-1, 0)):
    """Every way to fill a board that breaks no rule so far, one by one; `banned` is a cell and a digit that it must not hold."""
    yield from search(*opening(board, banned))


@lru_cache(maxsize=256)
def fillings(board: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """The first two ways to fill a reader's board; SpecError once TRIES digits were tried."""
    lines = tuple(map(tuple, units(int(len(board) ** 0.5)).tolist()))
    return tuple(itertools.islice(search(*opening(board), lines=lines, tries=itertools.repeat(None, TRIES)), 2))


def opening(board: tuple[int, ...], banned: tuple[int, int] = (-1, 0)) -> tuple[list[int], list[int], set[int], Peers]:
    """What `search` starts from: the digits held, those left to each cell as bits, the gaps, the cells that must differ."""
    n = int(len(board) ** 0.5)
    near, held = peers(n), list(board)
    left = [(1 << n) - 1] * (n * n)  # digits that each cell could hold, as bits
    for cell, digit in enumerate(board):
        for p in near[cell] if digit else ():
            left[p] &= ~(1 << digit - 1)
    if banned[0] >= 0:
        left[banned[0]] &= ~(1 << banned[1] - 1)
    gaps = {cell for cell, digit in enumerate(board) if not digit}
    return held, left, gaps, near


def search(held: list[int], left: list[int], gaps: set[int], near: Peers, lines=(), tries=None) -> Iterator[tuple[int, ...]]:
    """Fill the gap with the fewest digits left, each in turn, and go on. With `lines` (the cells of every row, column and box) a
    digit that has one place left in one of them comes before a choice: far fewer tries on hard boards, another order."""
    if not gaps:
        yield tuple(held)
        return
    cell = min(gaps, key=lambda c: left[c].bit_count())
    options = left[cell]
    if lines and options.bit_count() > 1:
        cell, options = only_place(held, left, lines) or (cell, options)
    if not options:
        return
    gaps.remove(cell)
    while options:
        if tries and next(tries, True):
            raise SpecError(f"A conventional solver did not come to an end on this board within {TRIES:,} tries")
        bit = options & -options
        options ^= bit
        touched = [p for p in near[cell] if p in gaps and left[p] & bit]
        for p in touched:
            left[p] ^= bit
        held[cell] = bit.bit_length()
        if all(left[p] for p in touched):
            yield from search(held, left, gaps, near, lines, tries)
        for p in touched:
            left[p] |= bit
    held[cell] = 0
    gaps.add(cell)


def only_place(held: list[int], left: list[int], lines) -> tuple[int, int] | None:
    """A cell and the digit, as a bit, that has no other place in some row, column or box; no digit where one has no place at all;
    None where every digit has several."""
    for line in lines:
        once = twice = 0
        for cell in line:
            has = 1 << held[cell] - 1 if held[cell] else left[cell]
            once, twice = once | has, twice | once & has
        if once != (1 << len(line)) - 1:
            return line[0], 0
        for cell in line:
            if not held[cell] and (bit := left[cell] & ~twice):
                return cell, bit & -bit
    return None


def grade(board: tuple[int, ...]) -> str:
    """What a solver needs that looks no further than it must: one of GRADES."""
    return reasoned(board)[0]


def reasoned(board: tuple[int, ...]) -> tuple[str, int]:
    """The grade of a board, and how many rounds it takes to reason it out, as far as that goes without trying."""
    held, hardest, rounds = list(board), 0, 0
    while 0 in held:
        step, how = next_move(held)
        if not step:
            return GRADES[2], rounds
        hardest, rounds = max(hardest, how), rounds + 1
        for cell, digit in step.items():
            held[cell] = digit
    return GRADES[hardest], rounds


def next_move(held: list[int]) -> tuple[dict[int, int], int]:
    """All gaps with one candidate (0); where there are none, digits with one place in a row, column or box (1)."""
    n = int(len(held) ** 0.5)
    left = {cell: candidates(held, cell) for cell, digit in enumerate(held) if not digit}
    single = {cell: digits[0] for cell, digits in left.items() if len(digits) == 1}
    if single:
        return single, 0
    for unit in units(n).tolist():
        for digit in range(1, n + 1):
            places = [cell for cell in unit if digit in left.get(cell, ())]
            if len(places) == 1:
                return {places[0]: digit}, 1
    return {}, 2


# Puzzles


@dataclass(frozen=True)
class Puzzles:
    """Boards with gaps and their solutions, both (B, C) uint8, and the class of each."""

    boards: np.ndarray
    solved: np.ndarray
    kinds: np.ndarray


def held_out(n: int) -> np.ndarray:
    """The classes that training never sees, of those that are listed."""
    return np.arange(0, classes(n).max() + 1, ONE_IN) if n == 6 else np.zeros(0, np.int64)


def filled(n: int, rng: random.Random) -> tuple[int, ...]:
    """A full board made on the spot, of any class: boxes that share no line filled at random, the rest searched, all moved and
    named anew."""
    down, across = BOXES[n]
    board, full = np.zeros(n * n, np.int64), None
    while full is None:
        for i in range(min(down, across)):  # the box of band i and stack i
            board[units(n)[2 * n + i * down + i]] = rng.sample(range(1, n + 1), n)
        full = next(solutions(tuple(board.tolist())), None)
    moved = np.array(full, np.uint8)[moves(n, np.array([rng.randrange(many_moves(n))]))[0]]
    return renamed_by(moved, rng.sample(range(1, n + 1), n))


def dig(full: tuple[int, ...], gaps: int, rng: random.Random) -> tuple[int, ...]:
    """Take digits out of a full board in random order as long as nothing else fits, up to so many gaps."""
    board = list(full)
    for cell in rng.sample(range(len(full)), len(full)):
        if gaps == 0:
            break
        digit, board[cell] = board[cell], 0
        if candidates(board, cell) == [digit] or next(solutions(tuple(board), (cell, digit)), None) is None:
            gaps -= 1
        else:
            board[cell] = digit
    return tuple(board)


def make(n: int, count: int, seed: int, held: bool = False, unlike: dict | None = None) -> Puzzles:
    """`count` puzzles of the trained classes, or of those held out (of any, called -1, where they are not listed); none a copy of
    one of `unlike`, kept by fingerprint."""
    rng, chosen = random.Random(f"sudoku {n} {seed}"), []
    boards: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
    while len(boards) < count:
        kind, full = known_board(n, rng, held) if n in CLASSES else (-1, filled(n, rng))
        board = dig(full, rng.randint(*GAPS[n]), rng)
        if not is_copy(np.array(board, np.uint8), unlike or {}):
            boards.append((board, full))
            chosen.append(kind)
    dug, solved = (np.array(part, np.uint8) for part in zip(*boards))
    return Puzzles(dug, solved, np.array(chosen))


def known_board(n: int, rng: random.Random, held: bool) -> tuple[int, tuple[int, ...]]:
    """One of the full boards that are listed, named anew, with its class: a trained one, or one held out."""
    allowed = choices(n, held)
    i = int(allowed[rng.randrange(len(allowed))])
    return int(classes(n)[i]), renamed_by(full_boards(n)[i], rng.sample(range(1, n + 1), n))


@lru_cache(maxsize=8)
def choices(n: int, held: bool) -> np.ndarray:
    """Which of `full_boards` are of trained classes, or of those held out."""
    return np.flatnonzero(np.isin(classes(n), held_out(n)) == held)


# What a reader writes


def parse(text: str, n: int) -> tuple[int, ...]:
    """A board as typed: digits, a point or 0 for a gap."""
    signs = signs_of(text, "board", MAX_CHARACTERS)
    accepted = f"{n * n} digits from 1 to {n}, row by row, with a point for a gap"
    for sign in signs:
        if sign not in ".0_" and sign not in "123456789"[:n]:
            raise SpecError(f"the board must be {accepted}: “{sign}” is none")
    if len(signs) != n * n:
        raise SpecError(f"the board must be {accepted}, not {len(signs)} signs")
    return tuple(int(sign) if sign.isdigit() else 0 for sign in signs)


def as_typed(board, n: int) -> str:
    """A board as it is typed: rows of digits and points."""
    return rows_of(["." if not word else str(int(word)) for word in board], n)


def problem(board: tuple[int, ...]) -> str:
    """What is wrong with a board, in one sentence; "" where exactly one solution fits."""
    n = int(len(board) ** 0.5)
    names = [f"row {i + 1}" for i in range(n)] + [f"column {i + 1}" for i in range(n)] + [f"box {i + 1}" for i in range(n)]
    for name, unit in zip(names, units(n).tolist()):
        held = [board[cell] for cell in unit if board[cell]]
        if twice := [digit for digit in held if held.count(digit) > 1]:
            return f"This board breaks the rules: {name} holds {twice[0]} twice"
    try:
        found = fillings(tuple(board))
    except SpecError as error:
        return str(error)
    if not found:
        return "This board has no solution: no digit is out of place, and yet the gaps cannot be filled"
    return "" if len(found) == 1 else "This board has more than one solution: a puzzle needs enough digits to leave exactly one"


def another(n: int, seed: int) -> tuple[int, ...]:
    """A puzzle made on the spot, of any class."""
    rng = random.Random(seed)
    return dig(filled(n, rng), rng.randint(*GAPS[n]), rng)


def renamed_by(board: np.ndarray, names: list[int]) -> tuple[int, ...]:
    """A board with digit d written as names[d - 1]."""
    return tuple(names[d - 1] if d else 0 for d in board.tolist())


# What models learn and are measured on

TRAINING, TESTS = 3000, 200


@lru_cache(maxsize=4)
def practised(n: int) -> Puzzles:
    """The training puzzles."""
    return make(n, TRAINING, 1)


@lru_cache(maxsize=4)
def known(n: int) -> dict[tuple, list[np.ndarray]]:
    """What no test puzzle may be a copy of."""
    found: dict[tuple, list] = {}
    for board in practised(n).boards:
        found.setdefault(fingerprint(board), []).append(board)
    return found


@lru_cache(maxsize=8)
def tests(n: int, held: bool = False) -> Puzzles:
    """The test puzzles: of the trained classes (9x9: of any) and unlike every training puzzle, or of the classes held out."""
    return make(n, TESTS, 2, held, {} if held else known(n))


def training_batch(step: int, generator: torch.Generator, size: int, count: int, **settings):
    """Training puzzles, each moved and relabelled anew: boards and solutions (B, C), and what supervision.loss is told."""
    p = practised(size)
    which = torch.randint(len(p.boards), (count,), generator=generator)
    places = torch.from_numpy(moves(size, torch.randint(many_moves(size), (count,), generator=generator).numpy()))  # (B, C)
    names = torch.rand(count, size, generator=generator).argsort(1) + 1
    names = torch.cat([torch.zeros(count, 1, dtype=torch.long), names], 1)  # (B, n + 1), the gap stays
    both = (names.gather(1, torch.from_numpy(part)[which].long().gather(1, places)) for part in (p.boards, p.solved))
    return *both, lengths(step, generator, count, **settings)


def evaluate(model, size: int, **settings) -> dict:
    """Share of test boards solved after so many steps, of both sets, and of all boards by what a conventional solver needs."""
    sets = {"unseen": False} | ({"held out": True} if len(held_out(size)) else {})
    shares: dict[str, float] = {}
    answered, grades = [], []
    with averaged(model):
        for name, held in sets.items():
            p = tests(size, held)
            o = outcome(model, *(torch.from_numpy(part).long() for part in (p.boards, p.solved)), **settings)
            shares |= o.shares(name)
            answered.append(o.answered)
            grades += [grade(tuple(board)) for board in p.boards.tolist()]
    right = torch.cat(answered)
    marks = {g: torch.tensor([g == other for other in grades]) for g in GRADES}
    return shares | {f"needs {g}": mean_of(right[at]) for g, at in marks.items() if at.any()}


TASK = Task("sudoku", training_batch, loss, evaluate, prepare, after, finish)
