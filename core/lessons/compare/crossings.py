"""Which of two models is cheaper, and from which context on.

How it is solved stands in compare.py. A change is a token from which on the sign of the difference is another one, a crossing is
one from which on the other model is the cheaper. Letters: a, b the two sides, f a count, n tokens.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from core.errors import LONGEST
from core.lessons.common import CONTEXTS
from core.lessons.compare.lesson import QUANTITIES, Side, distinct
from core.model.part import Mixer, inside

LOWEST = 256  # tokens at which curves begin
FINEST = 10_000  # contexts that are looked at for one pair of models


@dataclass(frozen=True)
class Change:
    """From `tokens` on the first of two sides costs less (sign -1), the same (0) or more (1)."""

    tokens: int
    sign: int


def kinks(s: Side) -> tuple[set[int], set[int]]:
    """Contexts at which a count of this model bends, and the lengths of steps in which it goes up and down."""
    bends, steps = set(), set()
    for layer, _ in distinct(s):
        for mixer in inside(layer.mixer, Mixer):
            bends |= mixer.bends
            steps |= mixer.steps
    return bends, steps


def walk(points: list[int], sign: Callable[[int], int]) -> list[Change]:
    """Every change of a sign between neighbouring points, each found by bisection."""
    found = [Change(points[0], sign(points[0]))]
    for left, right in zip(points, points[1:]):
        while sign(right) != found[-1].sign:
            low, high = max(left, found[-1].tokens), right  # the sign is the last one at low, another one at high
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if sign(middle) == found[-1].sign else (low, middle)
            found.append(Change(high, sign(high)))
    return found


@lru_cache(maxsize=256)
def changes(a: Side, b: Side, quantity: str) -> tuple[Change, ...]:
    """Who costs less, from one token on and from every token on at which that changes, up to the longest context counted."""
    f = QUANTITIES[quantity]

    def sign(n: int) -> int:
        return (f(a, n) > f(b, n)) - (f(a, n) < f(b, n))

    bends, steps = (x | y for x, y in zip(kinks(a), kinks(b)))
    points = {n + d for n in bends | steps | {1 << k for k in range(31)} for d in (-1, 0, 1) if 1 <= n + d <= LONGEST}
    found = walk(sorted(points), sign)
    while steps and len(points) < FINEST:
        near = {c.tokens // p * p + k * p + d for c in found for p in steps for k in range(-2, 4) for d in (-1, 0, 1)}
        points |= {n for n in near if 1 <= n <= LONGEST}
        again = walk(sorted(points), sign)
        if again == found:
            break
        found = again
    return tuple(found)


def crossings(a: Side, b: Side, quantity: str) -> tuple[int, ...]:
    """The contexts from which on another side is the cheaper one; a tie on the way does not count."""
    clear = [c for c in changes(a, b, quantity) if c.sign]
    return tuple(after.tokens for before, after in zip(clear, clear[1:]) if before.sign != after.sign)


def pairs(sides: tuple[Side, ...]) -> list[tuple[Side, Side]]:
    """The first side with each of the others, where both keep something."""
    return [(sides[0], other) for other in sides[1:] if sides[0].keeps and other.keeps]


@dataclass(frozen=True)
class Curves:
    """One quantity against context for every side that keeps something, and where the first of them changes places with another:
    (context, value, name of the other)."""

    contexts: np.ndarray  # (n,)
    values: dict[str, np.ndarray]  # name -> (n,)
    crossings: tuple[tuple[int, int, str], ...]


def curves(sides: tuple[Side, ...], quantity: str, highest: int) -> Curves:
    """From 256 tokens to `highest`, at powers of two and between them, at every kink and at every crossing."""
    shown = tuple(s for s in sides if s.keeps)
    found = [(n, b) for a, b in pairs(sides) for n in crossings(a, b, quantity) if LOWEST <= n <= highest]
    bends = set().union(*(kinks(s)[0] | kinks(s)[1] for s in shown)) if shown else set()
    steps = np.geomspace(LOWEST, highest, 4 * (highest.bit_length() - LOWEST.bit_length()) + 1).round().astype(int)
    near = {n + d for n in bends for d in (0, 1)} | {n for n, _ in found}
    contexts = np.array(sorted({*steps.tolist(), *(n for n in near if LOWEST <= n <= highest)}))
    f = QUANTITIES[quantity]
    values = {s.name: np.array([f(s, int(n)) for n in contexts]) for s in shown}
    return Curves(contexts, values, tuple((n, f(b, n), b.name) for n, b in found))


def highest(sides: tuple[Side, ...], context: int) -> int:
    """Where curves end: at twice the context or at the longest of any config, never below 256k nor above 16M."""
    return min(max(2 * context, *(s.context for s in sides), CONTEXTS["256k"]), 1 << 24)
