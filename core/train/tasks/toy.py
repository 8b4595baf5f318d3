"""A toy language, a subset of Python: read by a whitelist, run by an interpreter of its own, one line at a time.

    a = 3                         a name holds a whole number, or a list of whole numbers
    b = a + 2 * xs[1]             + - *, brackets, a list's element, len(xs)
    if a < b:   else:             one comparison: < <= > >= == !=
    while a < 8:                  the same
    for i in range(2, 5):         range of one or two numbers
    xs = [1, 2]   xs[0] = a       lists of small numbers; also a += 1, -= and *=

A program is data: its characters, its length and the depth of its brackets and indents are bounded before Python's own parser
(`ast`, which only reads) sees it, every node of the tree must be on the whitelist, and what is left is walked here. Nothing is
ever handed to exec, eval or compile. A run ends after so many steps, at a value too large, or when time is up.

    Frame   one line that ran and the names as they were afterwards: what sys.settrace shows of Python itself
"""

import ast
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from core.errors import SpecError

MAX_CHARACTERS, MAX_LINES, MAX_WIDTH = 800, 24, 60
MAX_INDENTS, MAX_BRACKETS, MAX_OPERATIONS = 4, 6, 8
MAX_NAMES, MAX_NAME, MAX_ITEMS = 8, 12, 8
MAX_STEPS, MAX_VALUE, MAX_SECONDS = 64, 999, 0.5
ALLOWED = (
    "a line is an assignment of + - * on whole numbers, names and lists such as [1, 2], or an if, else, while, or for over range"
)
CHARACTERS = re.compile(r"[A-Za-z0-9_ \n+\-*<>=!()\[\],:]")
ARITHMETIC: dict[type, Callable[[int, int], int]] = {
    ast.Add: lambda x, y: x + y, ast.Sub: lambda x, y: x - y, ast.Mult: lambda x, y: x * y,
}  # fmt: skip
COMPARISONS: dict[type, Callable[[int, int], bool]] = {
    ast.Lt: lambda x, y: x < y, ast.LtE: lambda x, y: x <= y, ast.Gt: lambda x, y: x > y, ast.GtE: lambda x, y: x >= y,
    ast.Eq: lambda x, y: x == y, ast.NotEq: lambda x, y: x != y,
}  # fmt: skip
Value = int | list[int]


@dataclass(frozen=True)
class Program:
    """A program that was read: its text line by line (comments gone, nothing else changed) and the checked tree."""

    lines: tuple[str, ...]
    body: tuple[ast.stmt, ...]


@dataclass(frozen=True)
class Frame:
    """Line `line` (from 1) ran; `after` holds every name then, lists as tuples; `held` says whether a condition held or a for
    went on, None for an assignment."""

    line: int
    after: dict[str, int | tuple[int, ...]]
    held: bool | None = None


@dataclass(frozen=True)
class Run:
    """The frames of a run in order; `stopped` says in one sentence why it ended early, "" where it came to its end."""

    frames: tuple[Frame, ...]
    stopped: str = ""


# Reading


def parse(text: str) -> Program:
    """A reader's program. SpecError in one sentence with the line and what is allowed."""
    lines = bounded(text)
    try:
        tree = ast.parse("\n".join(lines))
    except SyntaxError as error:
        raise refused(min(error.lineno or 1, len(lines)), f"is not Python ({error.msg})") from None
    except (RecursionError, MemoryError, ValueError):
        raise SpecError(f"the program is too deeply nested or holds no Python: {ALLOWED}") from None
    if not tree.body:
        raise SpecError(f"the program is empty: {ALLOWED}")
    block(tree.body)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - {"range", "len"}
    if len(names) > MAX_NAMES:
        raise SpecError(f"the program must use at most {MAX_NAMES} names, not {len(names)}")
    return Program(tuple(lines), tuple(tree.body))


def bounded(text: str) -> list[str]:
    """The lines of a text whose size, characters, indents and brackets keep the bounds. Nothing is parsed yet."""
    if len(text) > MAX_CHARACTERS:
        raise SpecError(f"the program must be at most {MAX_CHARACTERS} characters, not {len(text):,}")
    lines = [line.partition("#")[0].rstrip() for line in text.replace("\r\n", "\n").replace("\t", "    ").split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    if len(lines) > MAX_LINES:
        raise SpecError(f"the program must have at most {MAX_LINES} lines, not {len(lines)}")
    indents = [0]
    for number, line in enumerate(lines, 1):
        if odd := CHARACTERS.sub("", line):
            raise refused(number, f"holds “{odd[0]}”" if odd[0].isprintable() else "holds a character that is not text")
        if len(line) > MAX_WIDTH:
            raise refused(number, f"has {len(line)} characters, at most {MAX_WIDTH} are read")
        if line:
            indented(number, len(line) - len(line.lstrip()), indents)
            bracketed(number, line)
    return lines


def indented(number: int, width: int, indents: list[int]) -> None:
    """Keep the open indents up to date; SpecError where they are too many."""
    while indents[-1] > width:
        indents.pop()
    if indents[-1] < width:
        indents.append(width)
    if len(indents) > MAX_INDENTS + 1:
        raise refused(number, f"is indented more than {MAX_INDENTS} deep")


def bracketed(number: int, line: str) -> None:
    """Brackets close on their own line and are not too deep."""
    depth = 0
    for sign in line:
        depth += (sign in "([") - (sign in ")]")
        if depth > MAX_BRACKETS:
            raise refused(number, f"has brackets more than {MAX_BRACKETS} deep")
        if depth < 0:
            break
    if depth:
        raise refused(number, "has a bracket without its other half")


def refused(line: int, what: str) -> SpecError:
    """Why a line is not in the language."""
    return SpecError(f"line {line} {what}; {ALLOWED}")


# The whitelist


def block(body: list[ast.stmt], header: int = 0) -> None:
    """Every statement of a block, each on a line of its own."""
    last = header
    for node in body:
        if node.lineno == last or (isinstance(node, (ast.Assign, ast.AugAssign)) and node.end_lineno != node.lineno):
            raise refused(node.lineno, "must be one statement on a line of its own")
        last = node.end_lineno or node.lineno
        statement(node)


def statement(node: ast.stmt) -> None:
    """One statement and all that is inside."""
    line = node.lineno
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target(node.targets[0], line)
        items(node.value, line) if isinstance(node.value, ast.List) else expression(node.value, line)
    elif isinstance(node, ast.AugAssign) and type(node.op) in ARITHMETIC:
        target(node.target, line)
        expression(node.value, line)
    elif isinstance(node, (ast.If, ast.While)):
        left, _, right = comparison(node.test, line)
        expression(left, line)
        expression(right, line)
        block(node.body, line)
        if node.orelse and isinstance(node, ast.While):
            raise refused(line, "has a while with an else")
        block(node.orelse, node.body[-1].end_lineno or line)
    elif isinstance(node, ast.For) and not node.orelse and isinstance(node.target, ast.Name):
        target(node.target, line)
        for part in bounds(node.iter, line):
            expression(part, line)
        block(node.body, line)
    else:
        raise refused(line, f"has {KINDS.get(type(node), 'a statement outside the language')}")


KINDS = {
    ast.Import: "an import", ast.ImportFrom: "an import", ast.FunctionDef: "a function", ast.ClassDef: "a class",
    ast.Expr: "an expression that is not assigned", ast.Assign: "several targets", ast.For: "a for with several names or an else",
    ast.Pass: "pass", ast.Break: "break", ast.Continue: "continue", ast.Delete: "del", ast.AnnAssign: "a type",
}  # fmt: skip


def target(node: ast.expr, line: int) -> None:
    """A name, or one element of a list."""
    if isinstance(node, ast.Subscript):
        return expression(node, line)
    if not isinstance(node, ast.Name):
        raise refused(line, "must assign to one name or one element of a list")
    return name(node, line)


def name(node: ast.Name, line: int) -> None:
    """A short name that is not one of Python's own that are used here."""
    if node.id in ("range", "len") or len(node.id) > MAX_NAME:
        raise refused(line, f"must use names of at most {MAX_NAME} characters, and range and len as they are")


def comparison(node: ast.expr, line: int) -> tuple[ast.expr, type[ast.cmpop], ast.expr]:
    """One comparison of two numbers: the left side, the sign, the right side."""
    if not isinstance(node, ast.Compare) or len(node.ops) != 1 or type(node.ops[0]) not in COMPARISONS:
        raise refused(line, "must have one comparison after if or while, such as a < 3")
    return node.left, type(node.ops[0]), node.comparators[0]


def bounds(node: ast.expr, line: int) -> list[ast.expr]:
    """What stands in range(stop) or range(start, stop)."""
    parts = arguments(node, "range")
    if not 1 <= len(parts) <= 2:
        raise refused(line, "must have for over range(stop) or range(start, stop)")
    return parts


def arguments(node: ast.expr, function: str) -> list[ast.expr]:
    """What a call of range or len is given; nothing where it is no such call."""
    called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function and not node.keywords
    return node.args if isinstance(node, ast.Call) and called else []


def name_of(node: ast.expr) -> str:
    """A name as it is written; "" where it is none."""
    return node.id if isinstance(node, ast.Name) else ""


def items(node: ast.List, line: int) -> None:
    """A list of numbers."""
    if not 1 <= len(node.elts) <= MAX_ITEMS:
        raise refused(line, f"must have 1 to {MAX_ITEMS} numbers in a list")
    for part in node.elts:
        expression(part, line)


def expression(node: ast.expr, line: int, room: int = MAX_OPERATIONS) -> None:
    """Numbers, names, + - *, a list's element, len of a list; `room` operations may still be inside one another."""
    if room == 0:
        raise refused(line, f"has more than {MAX_OPERATIONS} operations inside one another")
    if isinstance(node, ast.Constant) and type(node.value) is int:
        if node.value > MAX_VALUE:
            raise refused(line, f"has a number above {MAX_VALUE}")
    elif isinstance(node, ast.Name):
        name(node, line)
    elif isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        expression(node.left, line, room - 1)
        expression(node.right, line, room - 1)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        expression(node.operand, line, room - 1)
    elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        name(node.value, line)
        expression(node.slice, line, room - 1)
    elif [bool(name_of(part)) for part in arguments(node, "len")] != [True]:
        raise refused(line, f"has {ast.unparse(node)[:30]!r}")


# Running


class Stopped(Exception):
    """A run that cannot go on, and why."""


def run(program: Program, steps: int = MAX_STEPS, seconds: float = MAX_SECONDS) -> Run:
    """Every line in the order in which it runs, with the names after it."""
    names: dict[str, Value] = {}
    frames, deadline = [], time.monotonic() + seconds
    try:
        for line, held in execute(program.body, names):
            after = {key: tuple(value) if isinstance(value, list) else value for key, value in names.items()}
            frames.append(Frame(line, after, held))
            if len(frames) >= steps:
                raise Stopped(f"the run stops after {steps} steps")
            if time.monotonic() > deadline:
                raise Stopped(f"the run stops after {seconds:g} seconds")
    except Stopped as stop:
        return Run(tuple(frames), str(stop))
    return Run(tuple(frames))


def execute(body, names: dict[str, Value]) -> Iterator[tuple[int, bool | None]]:
    """Run statements on `names`; yields each line's number when it is done (a loop's head after
    each test), and whether its condition held."""
    for node in body:
        if isinstance(node, ast.Assign):
            assign(node.targets[0], made(node.value, names, node.lineno), names, node.lineno)
            yield node.lineno, None
        elif isinstance(node, ast.AugAssign):
            old, new = amount(node.target, names, node.lineno), amount(node.value, names, node.lineno)
            assign(node.target, fits(ARITHMETIC[type(node.op)](old, new), node.lineno), names, node.lineno)
            yield node.lineno, None
        elif isinstance(node, ast.For):
            yield from repeated(node, names)
        elif isinstance(node, ast.While):
            while is_true(node.test, names, node.lineno):
                yield node.lineno, True
                yield from execute(node.body, names)
            yield node.lineno, False
        else:
            held = is_true(node.test, names, node.lineno)
            yield node.lineno, held
            yield from execute(node.body if held else node.orelse, names)


def repeated(node: ast.For, names: dict[str, Value]) -> Iterator[tuple[int, bool | None]]:
    """A for loop: its head runs once more than its body."""
    for value in range(*(amount(part, names, node.lineno) for part in bounds(node.iter, node.lineno))):
        names[name_of(node.target)] = value
        yield node.lineno, True
        yield from execute(node.body, names)
    yield node.lineno, False


def is_true(node: ast.expr, names: dict[str, Value], line: int) -> bool:
    """A comparison."""
    left, sign, right = comparison(node, line)
    return COMPARISONS[sign](amount(left, names, line), amount(right, names, line))


def assign(node: ast.expr, value: Value, names: dict[str, Value], line: int) -> None:
    """Put a value into a name or into an element of a list."""
    if not isinstance(node, ast.Subscript):
        names[name_of(node)] = value
        return
    values, index = element(node, names, line)
    if isinstance(value, list):
        raise Stopped(f"line {line} puts a list into a list: a list holds whole numbers")
    values[index] = value


def made(node: ast.expr, names: dict[str, Value], line: int) -> Value:
    """What the right side of an assignment gives: a number, a new list, or a list that has a name already."""
    if isinstance(node, ast.List):
        return [amount(part, names, line) for part in node.elts]
    if isinstance(node, ast.Name):
        return known(node.id, names, line)
    return amount(node, names, line)


def known(name: str, names: dict[str, Value], line: int) -> Value:
    """What a name holds."""
    if name not in names:
        raise Stopped(f"line {line} reads {name}, which has no value yet")
    return names[name]


def element(node: ast.Subscript, names: dict[str, Value], line: int) -> tuple[list[int], int]:
    """A list and a place in it."""
    values, index = known(name_of(node.value), names, line), amount(node.slice, names, line)
    if not isinstance(values, list):
        raise Stopped(f"line {line} asks for an element of {name_of(node.value)}, which is a number")
    if not -len(values) <= index < len(values):
        raise Stopped(f"line {line} asks for element {index} of a list of {len(values)}")
    return values, index


def amount(node: ast.expr, names: dict[str, Value], line: int) -> int:
    """The whole number that an expression gives."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return node.value
    if isinstance(node, ast.Name):
        value = known(node.id, names, line)
        if isinstance(value, list):
            raise Stopped(f"line {line} computes with {node.id}, which is a list: only its elements are numbers")
        return value
    if isinstance(node, ast.BinOp):
        return fits(ARITHMETIC[type(node.op)](amount(node.left, names, line), amount(node.right, names, line)), line)
    if isinstance(node, ast.UnaryOp):
        return -amount(node.operand, names, line)
    if isinstance(node, ast.Subscript):
        values, index = element(node, names, line)
        return values[index]
    (part,) = arguments(node, "len")
    measured = known(name_of(part), names, line)
    if not isinstance(measured, list):
        raise Stopped(f"line {line} asks for the length of {name_of(part)}, which is a number")
    return len(measured)


def fits(value: int, line: int) -> int:
    """A value that is not too large."""
    if abs(value) > MAX_VALUE:
        raise Stopped(f"line {line} gives {value:,}: values stay between -{MAX_VALUE} and {MAX_VALUE}")
    return value
