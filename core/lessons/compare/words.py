"""How models differ in sentences, all of them made from counts: what each is, which is cheaper from where on, what it keeps."""

from collections import Counter
from dataclasses import replace

from core.count import cost
from core.lessons.compare.crossings import changes, crossings
from core.lessons.compare.lesson import QUANTITIES, Side, bytes_at, sequence_bytes, side_cost
from core.shape import ladder
from core.shape.ladder import Rung
from core.units import binary, count


def summary(sides: tuple[Side, ...], context: int) -> tuple[str, ...]:
    """Two models against each other; of more of them who is cheaper than the first, and then what each is. One alone: what to do
    about it, and what it is."""
    if len(sides) == 1:
        alone = f"{sides[0].name} stands alone: choose another one under Model B, or hand in a config."
        return (alone, portrait(sides[0], context))
    if len(sides) == 2:
        return tuple(filter(None, differences(*sides, context)))
    between = (cheaper(sides[0], other, quantity) for quantity in QUANTITIES for other in sides[1:])
    return tuple(filter(None, (*between, *(portrait(s, context) for s in sides))))


def portrait(s: Side, context: int) -> str:
    """What one model is, in a sentence or two."""
    c = side_cost(s, context)
    mixers, ffns = (parts_text(s, part) for part in ("mixer", "ffn"))
    keeps = (
        f"it keeps {binary(sequence_bytes(s, context))} at {context:,} tokens"
        if s.keeps
        else "it keeps nothing from token to token"
    )
    keeps = f"it {carried_text(s)}" if s.solver else keeps
    return (
        f"{s.name} stacks {stacked(s)}. It mixes tokens with {mixers}, channels with {ffns}. "
        f"A token visits {visited(c)} of its {count(c.params_total)} parameters; {keeps}."
    )


def differences(a: Side, b: Side, context: int) -> tuple[str, ...]:
    """What differs between two models, in plain sentences, what matters most first."""
    if a.spec == replace(b.spec, name=a.spec.name):
        return (f"{a.name} and {b.name} are built alike: every field that is counted is the same.",)
    return (
        cheaper(a, b, "kept"),
        cheaper(a, b, "arithmetic"),
        stack(a, b),
        mixed(a, b, "mixer", "mix tokens"),
        mixed(a, b, "ffn", "mix channels"),
        sized(a, b, context),
        memory(a, b, context),
    )


# Parts and sizes


def times(ratio: float) -> str:
    """A factor: "1.47 times", with one digit more where it is close to one."""
    return f"{ratio:,.0f} times" if ratio >= 1000 else f"{ratio:.{4 if 0.95 < ratio < 1.05 else 3}g} times"


def stack(a: Side, b: Side) -> str:
    """How many layers, in which blocks."""
    one, other = stacked(a), stacked(b)
    return f"Both stack {one}." if one == other else f"{a.name} stacks {one}; {b.name} stacks {other}."


def stacked(s: Side) -> str:
    """ "32 layers, all GQA 32/8" or "48 layers: 8 × (5 local + 1 global)" """
    blocks = ladder.folded(s.spec)
    alike = len(blocks) == 1 and len(blocks[0].parts) == 1
    return f"{s.depth} layers, all {blocks[0].parts[0][1]}" if alike else f"{s.depth} layers: {ladder.blocks_text(blocks)}"


def mixed(a: Side, b: Side, part: str, verb: str) -> str:
    """Which parts their layers have."""
    one, other = (parts_text(s, part) for s in (a, b))
    if one == other:
        return f"Both {verb} with {one}."
    return f"To {verb}, {a.name} has {one}; {b.name} has {other}."


def parts_text(s: Side, part: str) -> str:
    """ "GQA 16/8, window 1,024 (40 layers) and GQA 16/8 (8)" """
    found = Counter(labelled(r, part) for r in ladder.rungs(s.spec, 1))
    found.pop(ladder.NONE, None)
    if len(found) < 2:
        return next(iter(found), "nothing")
    every = [f"{label} ({n} layer{'s' * (n > 1)})" for label, n in found.items()]
    return f"{', '.join(every[:-1])} and {every[-1]}"


def labelled(r: Rung, part: str) -> str:
    """A part's label, with the size of its state."""
    return r.ffn if part == "ffn" else f"{r.mixer} ({r.size})" if r.size else r.mixer


def sized(a: Side, b: Side, context: int) -> str:
    """Parameters, and those that a token visits."""
    x, y = (side_cost(s, context) for s in (a, b))
    small, large = sorted(((x, a), (y, b)), key=lambda pair: pair[0].params_total)
    ratio = large[0].params_total / small[0].params_total
    sizes = f"{count(large[0].params_total)} against {count(small[0].params_total)}"
    total = f"{large[1].name} has {times(ratio)} the parameters of {small[1].name}, {sizes}"
    if ratio == 1:
        total = f"Both have {count(x.params_total)} parameters"
    if visited(x) == visited(y) == "all":
        return f"{total}; a token visits all of them."
    return f"{total}; a token visits {visited(x)} of {a.name} and {visited(y)} of {b.name}."


def visited(c: cost.Cost) -> str:
    """How many parameters a token visits."""
    return "all" if c.params_active == c.params_total else f"{count(c.params_active)} ({c.params_active / c.params_total:.1%})"


def memory(a: Side, b: Side, context: int) -> str:
    """What one sequence keeps at the context."""
    if not (a.keeps and b.keeps):
        return " ".join(
            f"{s.name} {carried_text(s) if s.solver else 'reads both ways and keeps nothing from token to token'}."
            for s in (a, b)
            if not s.keeps
        )
    x, y = (sequence_bytes(s, context) for s in (a, b))
    parts = " ".join(state_text(s, context) for s in (a, b)).strip()
    if x == y:
        return f"At {context:,} tokens one sequence keeps {binary(x)} in both. {parts}".strip()
    both = f"At {context:,} tokens one sequence keeps {binary(x)} in {a.name} and {binary(y)} in {b.name}"
    return f"{both}, {times(y / x)} as much. {parts}".strip() if x else f"{both}. {parts}".strip()


def carried_text(s: Side) -> str:
    """What a solver keeps from step to step."""
    return f"carries {binary(bytes_at(s, s.context))} from step to step over its board of {s.context:,} positions"


def state_text(s: Side, context: int) -> str:
    """How much of it does not grow."""
    state = side_cost(s, context).state_bytes
    return f"In {s.name} {binary(state)} of it is state that does not grow with context." if state else ""


# Who is cheaper

COSTS = {"kept": "takes less memory for a sequence", "arithmetic": "takes less arithmetic for a token"}
TIES = {"kept": "both take the same memory", "arithmetic": "both take the same arithmetic"}


def cheaper(a: Side, b: Side, quantity: str) -> str:
    """Who costs less, and from which context on."""
    if not (a.keeps and b.keeps):
        return ""
    found, less = changes(a, b, quantity), COSTS[quantity]
    clear = [c for c in found if c.sign]
    if not clear:
        return f"{a.name} and {b.name}: {TIES[quantity]} at every context."
    first, last = (a.name if c.sign < 0 else b.name for c in (clear[0], clear[-1]))
    other = b.name if first == a.name else a.name
    swaps = crossings(a, b, quantity)
    if not swaps:
        since = f"from {clear[0].tokens:,} tokens on; up to there {TIES[quantity]}" if clear[0].tokens > 1 else "at every context"
        return f"{first} {less} than {other} {since}."
    if len(swaps) == 1:
        tie = next((c.tokens for c in found if not c.sign and c.tokens < swaps[0]), 0)
        same = f", and at {tie:,} {TIES[quantity]}" if tie == swaps[0] - 1 else ""
        return f"{last} {less} from {swaps[0]:,} tokens on; {first} does below that{same}."
    if len(swaps) == 2:
        return f"{other} {less} from {swaps[0]:,} to {swaps[1] - 1:,} tokens, {first} below and above."
    often = f"then they change places {len(swaps)} times, {last} for good from {swaps[-1]:,} on"
    return f"{first} {less} up to {swaps[0] - 1:,} tokens; {often}."


def crossed(sides: tuple[Side, ...], quantity: str) -> str:
    """Who costs less from where on: the first model against each of the others."""
    return " ".join(sentence for other in sides[1:] if (sentence := cheaper(sides[0], other, quantity)))


# For captions


def dtypes(sides: tuple[Side, ...]) -> str:
    """The dtypes of all, once where they agree."""
    each = {s.name: f"weights {s.mix or s.weight_dtype}, cache {s.cache_dtype}, state {s.state_dtype}" for s in sides}
    return (
        next(iter(each.values())) if len(set(each.values())) == 1 else "; ".join(f"{name}: {text}" for name, text in each.items())
    )


def listed(words: tuple[str, ...]) -> str:
    """ "a against b", or "a, b and c" """
    return " against ".join(words) if len(words) < 3 else f"{', '.join(words[:-1])} and {words[-1]}"
