"""Traces of small programs: what a code world model reads and predicts.

    source      every line as its number, how deep it and the next one
                stand, and four words                                        2  0>0  b=  a  +  4
    >>          the trace starts; a state in which no name has a value
    frame       the line that runs, copied from the source; whether its
                condition holds (. where it has none); then the state        2  0>0  b=  a  +  4    .    a 3  b 7  c ?  d ?
    end         nothing runs any more

This is CWM's format (arXiv 2510.02387: state, action line, state, ...) made compact: four names, always all of them and in one
order, so that every frame has as many words. A trace model predicts all of it after ">>": which line runs next, and what every
name holds then. Its baseline reads the same source and predicts the last state alone.

Simplified: CWM writes text, and no word for a condition; here every number, name and sign is one word, a line has four of them,
and "yes" or "no" stands after every if, while and for. In a trial without that word a model of this size learned the values and
guessed the branches.
"""

import ast
from dataclasses import dataclass

from core.errors import SpecError
from core.train.tasks import toy

NAMES = ("a", "b", "c", "d")
LOW, HIGH = 0, 9
NUMBERS = tuple(str(n) for n in range(LOW, HIGH + 1))
MAX_LINES, MAX_STEPS, MAX_DEPTH = 10, 24, 2
LINES = tuple(f"line {n + 1}" for n in range(MAX_LINES))
DEPTHS = tuple(f"{n}>{then}" for n in range(MAX_DEPTH + 1) for then in range(min(n + 1, MAX_DEPTH) + 1))
SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*"}
TESTS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
UNSET, PAD, START, END, YES, NO = "?", ".", ">>", "end", "yes", "no"
WORDS = (
    PAD, START, END, UNSET, YES, NO, *LINES, *DEPTHS, "if", "else", "while", "for", "range", *SIGNS.values(), *TESTS.values(),
    *(f"{name}=" for name in NAMES), *NAMES, *NUMBERS,
)  # fmt: skip
OUTCOMES = {None: PAD, True: YES, False: NO}
INDEX = {word: i for i, word in enumerate(WORDS)}
SOURCE_LINE, STATE = 6, 2 * len(NAMES)
FRAME = SOURCE_LINE + 1 + STATE


# Programs as words


@dataclass(frozen=True)
class Line:
    """A source line as the model has it: its number in the text, how deep it stands, its four words."""

    number: int
    depth: int
    words: tuple[str, str, str, str]


def slots(program: toy.Program) -> dict[str, str]:
    """Every name of a program and the model's name for it: its own where all are the model's, else in order of appearance."""
    found = [n.id for part in program.body for n in ast.walk(part) if isinstance(n, ast.Name) and n.id not in ("range", "len")]
    names = dict.fromkeys(found)
    if set(names) <= set(NAMES):
        return {name: name for name in names}
    if len(names) > len(NAMES):
        raise SpecError(f"the model has room for {len(NAMES)} names, the program has {len(names)}")
    return dict(zip(names, NAMES))


def lines_of(program: toy.Program) -> list[Line]:
    """The program as the model reads it. SpecError where it has no words for it."""
    lines = list(_lines(program.body, program.lines, slots(program), 0))
    if len(lines) > MAX_LINES:
        raise SpecError(f"the model has room for {MAX_LINES} lines, the program has {len(lines)}")
    return lines


def _lines(body, text: tuple[str, ...], names: dict[str, str], depth: int):
    if depth > MAX_DEPTH:
        raise SpecError(f"line {body[0].lineno} stands deeper than the model has a word for")
    for node in body:
        yield Line(node.lineno, depth, _words(node, names))
        if isinstance(node, (ast.If, ast.While, ast.For)):
            yield from _lines(node.body, text, names, depth + 1)
        if isinstance(node, ast.If) and node.orelse:
            at = next(i for i in range(node.orelse[0].lineno, 0, -1) if text[i - 1].lstrip().startswith(("else", "elif")))
            if text[at - 1].lstrip().startswith("elif"):
                raise SpecError(f"the model has no word for elif (line {at})")
            yield Line(at, depth, ("else", PAD, PAD, PAD))
            yield from _lines(node.orelse, text, names, depth + 1)


def _words(node: ast.stmt, names: dict[str, str]) -> tuple[str, str, str, str]:
    if isinstance(node, ast.For):
        bounds = toy.bounds(node.iter, node.lineno)
        if len(bounds) > 1:
            raise SpecError(f"the model has no word for a range with a start (line {node.lineno})")
        return "for", names[toy.name_of(node.target)], "range", _atom(bounds[0], names)
    if isinstance(node, (ast.If, ast.While)):
        left, sign, right = toy.comparison(node.test, node.lineno)
        return "if" if isinstance(node, ast.If) else "while", _atom(left, names), TESTS[sign], _atom(right, names)
    assert isinstance(node, (ast.Assign, ast.AugAssign))  # all that is left of the language
    goal = node.target if isinstance(node, ast.AugAssign) else node.targets[0]
    if not isinstance(goal, ast.Name):
        raise SpecError(f"the model has no word for a list (line {node.lineno})")
    head = f"{names[goal.id]}="
    if isinstance(node, ast.AugAssign):
        return head, names[goal.id], SIGNS[type(node.op)], _atom(node.value, names)
    if isinstance(node.value, ast.BinOp):
        return head, _atom(node.value.left, names), SIGNS[type(node.value.op)], _atom(node.value.right, names)
    return head, _atom(node.value, names), PAD, PAD


def _atom(node: ast.expr, names: dict[str, str]) -> str:
    if isinstance(node, ast.Name):
        return names[node.id]
    if isinstance(node, (ast.List, ast.Subscript, ast.Call)):
        raise SpecError(f"the model has no word for a list (line {node.lineno})")
    number = node.operand if isinstance(node, ast.UnaryOp) else node
    if not isinstance(number, ast.Constant) or not isinstance(number.value, int):
        raise SpecError(f"the model has words for one operation a line (line {node.lineno} has more)")
    return spoken(number.value if number is node else -number.value)


def spoken(value) -> str:
    """A value as a word; None is no value yet."""
    if value is None:
        return UNSET
    if isinstance(value, tuple):
        raise SpecError("the model has no word for a list")
    if not LOW <= value <= HIGH:
        raise SpecError(f"the model has words for the numbers from {LOW} to {HIGH}, not for {value}")
    return str(value)


def line_words(lines: list[Line]) -> list[tuple[str, ...]]:
    """Every line as its six words: number, depth of it and of the next one, what stands on it."""
    then = [*(line.depth for line in lines[1:]), 0]
    return [(LINES[i], f"{line.depth}>{after}", *line.words) for i, (line, after) in enumerate(zip(lines, then))]


def state(after: dict, names: dict[str, str]) -> list[str]:
    """A state as words: every name and what it holds."""
    held = {names[name]: value for name, value in after.items()}
    return [w for name in NAMES for w in (name, spoken(held.get(name)))]


def traced(program: toy.Program, run: toy.Run) -> tuple[list[str], list[str]]:
    """A program and its run as words: the source up to ">>", and all that follows."""
    lines, names = lines_of(program), slots(program)
    if len(run.frames) > MAX_STEPS:
        raise SpecError(f"the model has room for {MAX_STEPS} steps, the run has {len(run.frames)}")
    text, at = line_words(lines), {line.number: i for i, line in enumerate(lines)}
    words = state({}, names)
    for frame in run.frames:
        words += [*text[at[frame.line]], OUTCOMES[frame.held], *state(frame.after, names)]
    return [*(word for line in text for word in line), START], [*words, END]
