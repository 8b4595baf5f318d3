"""Mazes: the one way from a start to a goal, through rooms on a grid that are joined by corridors without a loop.

    S.#..        S start   G goal   # wall   . open   o the way
    #.#.#
    ..#..        A board of size n (odd) has (n + 1) / 2 rooms a side, at even rows and columns; the cells between two rooms are
    .###.        open where they are joined. Every room can be reached and there is no loop, so there is exactly one way.
    ....G

A maze and what turning and mirroring make of it are one maze: of every five such, one is kept for tests, by a hash of its
canonical form, so no test maze equals a training maze in any of its eight positions.

Letters: B boards, n cells in a row, C = n * n cells, read row by row.
"""

import zlib
from collections import deque
from functools import lru_cache

import numpy as np
import torch

from core.errors import SpecError
from core.train.task import Task
from core.train.tasks.supervision import after, averaged, finish, lengths, loss, mean_of, outcome, prepare, rows_of, signs_of

WORDS = "#.SGo"
WALL, OPEN, START, GOAL, WAY = range(5)
SIZE = 7
ONE_IN = 5  # one maze of so many is kept for tests
TRAINING, TESTS = 20_000, 200
LONG = 9  # cells of the way, ends included: longer ones are graded as long
MAX_CHARACTERS = 400


def trees(n: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Rooms joined without a loop, by random weights of the corridors (Kruskal): (B, C) of WALL and OPEN."""
    side = (n + 1) // 2
    rooms = np.arange(side * side).reshape(side, side)
    joins = [(a, b) for a, b in zip(rooms[:, :-1].ravel().tolist(), rooms[:, 1:].ravel().tolist())]
    joins += [(a, b) for a, b in zip(rooms[:-1].ravel().tolist(), rooms[1:].ravel().tolist())]
    boards = np.full((count, n, n), WALL, np.uint8)
    boards[:, ::2, ::2] = OPEN
    for board, order in zip(boards, rng.random((count, len(joins))).argsort(1)):
        group = list(range(side * side))
        for a, b in (joins[j] for j in order):
            if group[a] != group[b]:
                old, new = group[a], group[b]
                group = [new if g == old else g for g in group]
                board[a // side + b // side, a % side + b % side] = OPEN
    return boards.reshape(count, -1)


def way(board) -> tuple[int, ...]:
    """The shortest way from start to goal, ends included, cell by cell; () where there is none."""
    cells = list(board)
    n, first = int(len(cells) ** 0.5), cells.index(START)
    came, queue = {first: first}, deque([first])
    while queue and cells[queue[0]] != GOAL:
        at = queue.popleft()
        for to in around(at, n):
            if cells[to] != WALL and to not in came:
                came[to] = at
                queue.append(to)
    if not queue:
        return ()
    path = [queue[0]]
    while path[-1] != first:
        path.append(came[path[-1]])
    return tuple(reversed(path))


def around(at: int, n: int) -> list[int]:
    """Cells beside a cell."""
    row, column = divmod(at, n)
    found = [(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)]
    return [r * n + c for r, c in found if 0 <= r < n and 0 <= c < n]


def solved(board) -> tuple[int, ...]:
    """The board with its way."""
    path = set(way(board))
    return tuple(WAY if i in path and word == OPEN else word for i, word in enumerate(board))


def has_loops(board) -> bool:
    """Is there a second way somewhere: more corridors than it takes to join what is open?"""
    cells, n = list(board), int(len(board) ** 0.5)
    open_ = {i for i, word in enumerate(cells) if word != WALL}
    edges = sum(to in open_ for at in open_ for to in around(at, n)) // 2
    return edges > len(open_) - pieces(open_, n)


def pieces(open_: set[int], n: int) -> int:
    """How many parts the open cells fall into."""
    left, count = set(open_), 0
    while left:
        count, queue = count + 1, [left.pop()]
        while queue:
            found = [to for to in around(queue.pop(), n) if to in left]
            left.difference_update(found)
            queue += found
    return count


@lru_cache(maxsize=4)
def positions(n: int) -> np.ndarray:
    """A board turned and mirrored: (8, C) places from where each cell comes."""
    cells = np.arange(n * n).reshape(n, n)
    turned = [np.rot90(side, k) for side in (cells, cells.T) for k in range(4)]
    return np.array([board.ravel() for board in turned])


def canonical(board: np.ndarray) -> bytes:
    """The same for a maze in all its positions, and for nothing else."""
    return min(image.tobytes() for image in board.astype(np.uint8)[positions(int(len(board) ** 0.5))])


def is_for_tests(board: np.ndarray) -> bool:
    """Is a maze kept for tests?"""
    return zlib.crc32(canonical(board)) % ONE_IN == 0


def make(n: int, count: int, seed: int, held: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """`count` mazes and their ways, (B, C) each: those kept for tests, or the others."""
    rng = np.random.default_rng(seed)
    found: list[np.ndarray] = []
    while len(found) < count:
        for board in trees(n, 256, rng):
            rooms = np.flatnonzero(board.reshape(n, n)[::2, ::2].ravel() == OPEN)
            for room, word in zip(rng.choice(rooms, 2, replace=False), (START, GOAL)):
                side = (n + 1) // 2
                board[room // side * 2 * n + room % side * 2] = word
            if is_for_tests(board) == held:
                found.append(board)
    boards = np.array(found[:count])
    return boards, np.array([solved(board.tolist()) for board in boards], np.uint8)


# What a reader writes


def parse(text: str, n: int) -> tuple[int, ...]:
    """A maze as typed: # walls, points, one S and one G."""
    signs = [sign.upper() for sign in signs_of(text, "maze", MAX_CHARACTERS)]
    accepted = f"{n * n} signs, row by row: # for a wall, a point for an open cell, one S and one G"
    for sign in signs:
        if sign not in WORDS[:WAY]:
            raise SpecError(f"the maze must be {accepted}: “{sign}” is none")
    if len(signs) != n * n or signs.count("S") != 1 or signs.count("G") != 1:
        raise SpecError(f"the maze must be {accepted}, not {len(signs)} signs with {signs.count('S')} S and {signs.count('G')} G")
    return tuple(map(WORDS.index, signs))


def as_typed(board, n: int) -> str:
    """A maze as it is typed."""
    return rows_of([WORDS[word] for word in board], n)


def problem(board: tuple[int, ...]) -> str:
    """What is wrong with a maze, in one sentence; "" where there is exactly one way."""
    if not way(board):
        return "This maze has no way from S to G: every way is walled off"
    if has_loops(board):
        return "This maze has a loop or an open square: a maze must have one way between any two open cells"
    return ""


# What models learn and are measured on


@lru_cache(maxsize=2)
def practised(n: int) -> tuple[np.ndarray, np.ndarray]:
    """The training mazes."""
    return make(n, TRAINING, 1)


@lru_cache(maxsize=2)
def tests(n: int) -> tuple[np.ndarray, np.ndarray]:
    """The test mazes."""
    return make(n, TESTS, 2, held=True)


def training_batch(step: int, generator: torch.Generator, size: int, count: int, **settings):
    """Training mazes, each turned or mirrored anew: boards and ways (B, C), and what supervision.loss is told."""
    boards, ways = practised(size)
    which = torch.randint(len(boards), (count,), generator=generator)
    places = torch.from_numpy(positions(size))[torch.randint(8, (count,), generator=generator)]
    both = (torch.from_numpy(part)[which].long().gather(1, places) for part in (boards, ways))
    return *both, lengths(step, generator, count, **settings)


@torch.no_grad()
def evaluate(model, size: int, **settings) -> dict:
    """Share of test mazes whose whole way is right after so many steps, of all and of those with a long way."""
    board, ways = (torch.from_numpy(part).long() for part in tests(size))
    long = (ways == WAY).sum(1) + 2 > LONG
    with averaged(model):
        o = outcome(model, board, ways, **settings)
    return o.shares("unseen") | {"long": mean_of(o.answered[long])}


TASK = Task("maze", training_batch, loss, evaluate, prepare, after, finish)
