"""Random programs of the toy language, graded by their lines and by what is in them.

    straight   assignments of numbers, names, + and -
    if         and one if, with or without an else
    for        and a for over a short range
    while      and a while whose name moves towards its bound
    nested     and a loop with an if inside

Every program runs to its end within PRACTISED steps and stays within the numbers that the model has words for. A program whose
text, with its names in order of appearance, hashes to a multiple of HELD_OUT is for measuring, all others are for training.
"""

import random
import re
import zlib
from collections.abc import Callable

from core.errors import SpecError
from core.train.tasks import toy
from core.train.tasks.frames import HIGH, LOW, NAMES, traced

KINDS = ("straight", "if", "for", "while", "nested")
LENGTHS = tuple(range(3, 10))  # source lines that are practised
PRACTISED = 18  # most steps of a practised run
BLOCK_LINES = {"if": (2, 6), "for": (2, 4), "while": (2, 4), "nested": (4, 7)}  # lines of a block, from and to
COMPARED = ("<", ">")  # the comparisons that are practised, with a number on the right
HELD_OUT = 8


class Writer:
    """A program under way: names that have a value, names that have none, lines so far; `values`, None where unknown."""

    def __init__(self, rng: random.Random):
        self.rng, self.depth, self.free = rng, 0, rng.sample(NAMES, len(NAMES))
        self.lines: list[str] = []
        self.known: list[str] = []
        self.values: dict[str, int] | None = {}

    def write(self, line: str) -> None:
        """One line, as deep as the block that is open."""
        self.lines.append("    " * self.depth + line)

    def constant(self) -> None:
        """A new name gets a number."""
        self.known.append(self.free.pop())
        self.write(f"{self.known[-1]} = {self.note(self.known[-1], str(self.rng.randint(LOW, HIGH)))}")

    def operations(self, count: int, spared: str = "", keep: int = len(NAMES)) -> None:
        """Assignments that read what has a value; `spared` is not written; new names get one while more than `keep` are left."""
        for _ in range(count):
            fresh = len(self.free) > keep and self.rng.random() < 0.4
            goal = self.free[-1] if fresh else self.rng.choice([n for n in self.known if n != spared] or self.known)
            drawn = (self.right(goal) for _ in range(20))
            fits = (text for text in drawn if LOW <= self.worth(text) <= HIGH)
            self.write(f"{goal} = {self.note(goal, next(fits, str(LOW)))}")
            if fresh:
                self.known.append(self.free.pop())

    def worth(self, text: str) -> int:
        """What a right side gives where the values are known; something that fits where they are not."""
        if self.depth or self.values is None:
            return int(text) if text.isdigit() else LOW
        left, sign, right = (*text.split(), "+", "0")[:3]
        x, y = (int(w) if w.isdigit() else self.values[w] for w in (left, right))
        return x + y if sign == "+" else x - y

    def note(self, goal: str, text: str) -> str:
        """Remember what a name holds."""
        if not self.depth and self.values is not None:
            self.values[goal] = self.worth(text)
        return text

    def look(self) -> None:
        """What the names hold now, found by running the lines so far; unknown where they do not run to their end."""
        run = toy.run(toy.parse("\n".join(self.lines)), steps=PRACTISED + 1, seconds=60)
        after = {} if run.stopped else run.frames[-1].after
        numbers = {name: value for name, value in after.items() if isinstance(value, int) and LOW <= value <= HIGH}
        self.values = numbers if set(self.known) <= set(after) == set(numbers) else None

    def right(self, goal: str) -> str:
        """The right side of an assignment to `goal`."""
        rng, draw = self.rng, self.rng.random()
        x, others = rng.choice(self.known), [n for n in self.known if n != goal]
        if draw < 0.2 or (draw < 0.3 and not others):
            return str(rng.randint(LOW, HIGH))
        if draw < 0.3:
            return rng.choice(others)
        if draw < 0.75:
            return f"{x} {rng.choice('+-')} {rng.randint(1, 3)}"
        return f"{x} {rng.choice('+-')} {rng.choice(self.known)}"

    def conditional(self, size: int, spared: str = "") -> None:
        """if, and an else from four lines on."""
        self.write(f"if {self.rng.choice(self.known)} {self.rng.choice(COMPARED)} {self.rng.randint(1, 8)}:")
        yes = size - 1 if size < 4 else (size - 1) // 2
        self.inside(lambda: self.operations(yes, spared))
        if size >= 4:
            self.write("else:")
            self.inside(lambda: self.operations(size - 2 - yes, spared))

    def counted(self, size: int, inner: bool = False) -> None:
        """for over a range; its name is not written in the body."""
        name = self.free.pop()
        self.write(f"for {name} in range({self.rng.randint(2, 4)}):")
        self.known.append(name)
        self.inside(lambda: (self.conditional if inner else self.operations)(size - 1, name))

    def looped(self, size: int, inner: bool = False) -> None:
        """while, with a name that moves towards its bound."""
        name, up = self.rng.choice(self.known), self.rng.random() < 0.6
        self.write(f"while {name} {'<' if up else '>'} {self.rng.randint(4, 9) if up else self.rng.randint(0, 5)}:")
        self.inside(lambda: (self.conditional if inner else self.operations)(size - 2, name))
        self.inside(lambda: self.write(f"{name} = {name} {'+' if up else '-'} {self.rng.randint(1, 3)}"))

    def nested(self, size: int) -> None:
        """An if inside a loop."""
        self.rng.choice((self.counted, self.looped))(size, inner=True)

    def inside(self, body) -> None:
        """Write a body one step to the right."""
        self.depth += 1
        body()
        self.depth -= 1


def shortest(kind: str) -> int:
    """The fewest lines of a kind that are practised."""
    return max(LENGTHS[0], 1 + BLOCK_LINES.get(kind, (1, 1))[0])


def draft(kind: str, lines: int, rng: random.Random) -> str:
    """A random program of so many lines; it may fail to run."""
    writer = Writer(rng)
    low, high = BLOCK_LINES.get(kind, (1, 1))
    first = rng.randint(1, min(3, lines - low))
    for _ in range(first):
        writer.constant()
    if kind != "straight":
        size = rng.randint(low, min(high, lines - first))
        writer.operations(rng.randint(0, lines - first - size), keep=1)
        block: dict[str, Callable[[int], None]] = {"if": writer.conditional, "for": writer.counted, "while": writer.looped}
        block.get(kind, writer.nested)(size)
        writer.look()
    writer.operations(lines - len(writer.lines), keep=0)
    return "\n".join(writer.lines)


def program(kind: str, lines: int, rng: random.Random, held_out: bool = False) -> tuple[str, toy.Run]:
    """A random program that runs and that the model has words for, and its run."""
    while True:
        text = draft(kind, lines, rng)
        if is_for_measuring(text) != held_out:
            continue
        read = toy.parse(text)
        run = toy.run(read, steps=PRACTISED + 1, seconds=60)
        try:
            if not run.stopped:
                traced(read, run)
                return text, run
        except SpecError:
            continue


def is_for_measuring(text: str) -> bool:
    """Is this program, whatever its names are called, for measuring?"""
    names: dict[str, str] = {}
    plain = re.sub(r"\b[a-d]\b", lambda m: names.setdefault(m[0], f"v{len(names)}"), text)
    return zlib.crc32(plain.encode()) % HELD_OUT == 0
