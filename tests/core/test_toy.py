"""The toy language: it runs as Python itself runs it, and whatever is not of it gets one sentence. Programs here are executed by
Python in these tests alone, and only such as our own generator or our own parser let through."""

import random
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import SpecError
from core.train.tasks import programs, toy

LISTS = """
xs = [3, 1, 2]
ys = xs
n = len(xs)
best = xs[0]
for i in range(1, n):
    if xs[i] < best:
        best = xs[i]
    elif best != 1:
        best -= 1
    else:
        ys[i] += 2 * xs[-1]
k = -n + (best - 1) * 2
while n >= 1:
    n -= 1
    zs = [n, k, n * k]
for i in range(0):
    k = 99
"""


def traced(text: str) -> list[tuple[int, dict]]:
    """What Python does: the lines in their order, each with all names after it."""
    seen, lines, names = [], [], {}

    def local(frame, event, arg):
        if event == "line":
            seen.append({k: tuple(v) if isinstance(v, list) else v for k, v in names.items() if k != "__builtins__"})
            lines.append(frame.f_lineno)
        return local

    code = compile(text, "<toy>", "exec")
    sys.settrace(lambda frame, event, arg: local if frame.f_code is code else None)
    try:
        exec(code, names)
    finally:
        sys.settrace(None)
    last = {k: tuple(v) if isinstance(v, list) else v for k, v in names.items() if k != "__builtins__"}
    return list(zip(lines, [*seen[1:], last]))


def ran(text: str) -> list[tuple[int, dict]]:
    """What our interpreter does."""
    run = toy.run(toy.parse(text))
    assert not run.stopped
    return [(frame.line, frame.after) for frame in run.frames]


@pytest.mark.parametrize("kind", programs.KINDS)
def test_generated_programs_run_as_in_python(kind):
    rng = random.Random(kind)
    for lines in programs.LENGTHS:
        for _ in range(12 if programs.shortest(kind) <= lines else 0):
            text, run = programs.program(kind, lines, rng)
            assert ran(text) == traced(text), text
            assert len(text.split("\n")) == lines and len(run.frames) <= programs.PRACTISED


@pytest.mark.parametrize("text", [LISTS, "a = 1 # b\n\n# c\nb = a\n", "a=2\r\nb=a*-3\r\n", "if 1 < 2:\n\ta = 1\nb = 2"])
def test_the_whole_language_runs_as_in_python(text):
    assert ran(text) == traced(text.replace("\r\n", "\n"))


REFUSED = {
    "": "is empty", "# nothing": "is empty", "a = 1; b = 2": "line 1 holds “;”", "a = 'x'": "line 1 holds “'”",
    "a = 1\nb = é": "line 2 holds “é”", "a = \x00": "not text", "import os": "line 1 has an import",
    "a = 1\nprint(a)": "line 2 has an expression", "a = 1.5": "line 1 holds “.”", "a = 1e5": "100000.0", "a = 7 ** 2": "7 ** 2",
    "a = b if 1 < 2 else c": "b if 1 < 2 else c", "a = 1 < 2": "1 < 2", "if a: b = 1": "line 1 must have one comparison",
    "if 1 < 2: b = 1": "one statement on a line", "if 1 < 2 < 3:\n  a = 1": "one comparison", "a = b = 1": "several targets",
    "a, b = 1, 2": "line 1 must assign", "a = (1,\n2)": "without its other half", "a = 1\n  b = 2": "line 2 is not Python",
    "def f():\n  a = 1": "line 1 has a function", "while 1 < 2:\n  break": "line 2 has break", "for i in xs:\n  a = 1": "range",
    "for i in range(1, 2, 3):\n  a = 1": "range(stop)", "a = range(3)": "range(3)", "range = 3": "range and len as they are",
    "a = []": "1 to 8 numbers", "a = [[1]]": "[1]", "a = 1000": "above 999", "a = 9" + "9" * 50: "above 999",
    "a = " + "(" * 20 + "1" + ")" * 20: "brackets more than 6 deep", "a = " + "-" * 50 + "1": "more than 8 operations",
    "a = " + "1+" * 12 + "1": "more than 8 operations", "a = 1" + " " * 900 + "+ 1": "at most 800 characters",
    "a = 1\n" * 25: "at most 24 lines", "a = 1 + " + "1 + " * 20 + "1": "at most 60", "a = xs[0:1]": "0:1",
    "a: int = 1": "a type",
    "\n".join(" " * i + "if 1 < 2:" for i in range(7)) + "\n       a = 1": "more than 4 deep",
    "\n".join(f"n{i} = 1" for i in range(9)): "at most 8 names", "a" * 13 + " = 1": "at most 12 characters",
    "global a": "outside the language", "a = f(1)": "f(1)", "while 1 < 2:\n  a = 1\nelse:\n  a = 2": "while with an else",
}  # fmt: skip


@pytest.mark.parametrize("text", REFUSED, ids=range(len(REFUSED)))
def test_what_is_not_in_the_language_gets_one_sentence(text):
    with pytest.raises(SpecError) as error:
        toy.parse(text)
    assert REFUSED[text] in str(error.value) and "\n" not in str(error.value) and len(str(error.value)) < 260


STOPPED = {
    "a = 1\nwhile a > 0:\n  a = 1": "after 64 steps", "a = b": "line 1 reads b", "a = 999 * 999": "gives 998,001",
    "a = [1]\nb = a + 1": "line 2 computes with a, which is a list", "a = 1\nb = a[0]": "which is a number",
    "a = [1]\nb = a[1]": "element 1 of a list of 1", "a = 1\nb = len(a)": "the length of a", "a = [1]\na[0] = a": "list",
    "a = 900\na += a": "gives 1,800", "a = [1]\nif a < 2:\n  b = 1": "is a list",
}  # fmt: skip


@pytest.mark.parametrize("text", STOPPED, ids=range(len(STOPPED)))
def test_a_run_that_cannot_go_on_says_why(text):
    run = toy.run(toy.parse(text))
    assert STOPPED[text] in run.stopped and len(run.frames) <= toy.MAX_STEPS


def test_time_is_bounded():
    run = toy.run(toy.parse("a = 1\nwhile a > 0:\n  a = 1"), steps=10**9, seconds=0.05)
    assert "after 0.05 seconds" in run.stopped


LETTERS = st.sampled_from("abxy019 \n\t+-*<>=!()[]:,#.;'\"\\{}@~\x00\x0cé\u2028\ud7ff")
PIECES = "if else while for in range len ( ) [ ] : = == < - + * a b 1 2 \n \n  \n    lambda yield await not : = , **".split(" ")
GOOD = [programs.draft(kind, 9, random.Random(kind)) for kind in programs.KINDS] + [LISTS.strip()]


@st.composite
def slips(draw) -> str:
    """A good program with a character replaced by another one of its own, or by any."""
    text = draw(st.sampled_from(GOOD))
    at, sign = draw(st.integers(0, len(text) - 1)), draw(st.sampled_from(sorted(set(text))) | LETTERS)
    return text[:at] + sign + text[at + 1 :]


NONSENSE = st.text(LETTERS, max_size=60) | st.lists(st.sampled_from(PIECES), max_size=25).map(" ".join) | st.text()


def is_run(text: str) -> bool:
    """Whether a text is of the language and comes to its end; one sentence says that it is none."""
    try:
        return not toy.run(toy.parse(text)).stopped
    except SpecError as error:
        assert len(str(error).splitlines()) == 1
        return False


@settings(max_examples=300)
@given(NONSENSE)
def test_nonsense_is_one_sentence(text):
    is_run(text)


@settings(max_examples=300)
@given(slips())
def test_a_program_with_a_slip_runs_as_in_python_or_is_one_sentence(text):
    if is_run(text):
        assert ran(text) == traced(text)


@pytest.mark.parametrize(
    "sign", ["(", "[", "((((((((", "-", "not ", "a[", "lambda:", "if 1<2:\n", "\t", "~", "\n", "1+", "else:"]
)
def test_depth_is_bounded_before_anything_is_parsed(sign):
    for text in (sign * 10_000, sign * 90, "a = " + sign * 50 + "1"):
        with pytest.raises(SpecError):
            toy.parse(text)


def test_nothing_is_executed(monkeypatch):
    """Neither exec nor eval nor compile-to-code is reached; ast.parse asks compile for a tree and nothing else."""
    import builtins

    real = builtins.compile
    monkeypatch.setattr(builtins, "exec", None)
    monkeypatch.setattr(builtins, "eval", None)
    monkeypatch.setattr(builtins, "compile", lambda *a, **k: real(*a, **k) if a[3] & 0x400 else pytest.fail("code was compiled"))
    assert toy.run(toy.parse(LISTS)).frames


def test_held_out_programs_are_never_practised():
    rng = random.Random(5)
    for held in (True, False):
        texts = [programs.program("for", 6, rng, held_out=held)[0] for _ in range(20)]
        assert all(programs.is_for_measuring(text) == held for text in texts)
    renamed = str.maketrans("abcd", "bcda")
    assert all(
        programs.is_for_measuring(text) == programs.is_for_measuring(text.translate(renamed))
        for text in texts
        if "range" not in text
    )
