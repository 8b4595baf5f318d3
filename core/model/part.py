"""What every part of a layer answers: the base classes of mixers and of feed-forward parts.

A part is a frozen description of one mechanism, in a file of its own: what it is built from, what it counts, what it is called,
how it shrinks. All that the rest asks about a mechanism is asked here, so nothing outside has to know its class. Numbers are
elements; bytes and dtypes exist in cost.py alone.

`build(d_model)` gives a pure module: forward(x, state, shared, trace) -> (y, state, shared). `state` is a dict of tensors (and
the position) that the module reads and never writes in place; {} is the start. Its tensors carry the names that `cache` and
`state` count. `shared` goes from layer to layer within one pass.

Letters: n tokens of one sequence.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import ClassVar, Self

from torch import nn
from typing_extensions import TypeVar

from core.errors import WIDEST, CountedOnly, flag, number, whole
from core.model.blocks import up

# Sizes of a small version: widths, and how much of what is counted
D_MODEL, HEAD, HIDDEN, WINDOW = 48, 8, 96, 6
RANK, EXPERTS = 20, 8
STATE, PICKED, SMALL_BLOCK, CELLS = 12, 5, 16, 25
MAX_RATIO = 256

SLIDING = ("Sliding window", "sliding_window")  # the technique
BRIEF_ATTENTION = "attention"  # the brief name of attention to every token; where other layers have a window it is called global


Limits = dict[str, tuple[float, float | str]]  # of numbers, lowest and highest: a number, or another field's


@dataclass(frozen=True)
class Words:
    """What a part is called. `label` in a few words; `brief` in a folded block of layers; `size` of what it keeps whatever the
    context ("" where the label says all); `detail` its insides in one line; `techniques` as (name, the page about it or "")."""

    label: str
    brief: str
    detail: str = ""
    size: str = ""
    techniques: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Part(ABC):
    """What mixers and feed-forward parts have in common. Numbers and flags are checked by the types of their fields."""

    name: ClassVar[str]  # what the module is called inside its layer, and so in every parameter name
    family: ClassVar[str]  # the mechanism in a sentence about it
    prefix: ClassVar[str]  # what errors write before the dot
    called: ClassVar[str]  # the same in words
    limits: ClassVar[Limits] = {}

    def __post_init__(self):
        for f in fields(self):
            field, value = f"{self.prefix}.{f.name}", getattr(self, f.name)
            low, high = self.limits.get(f.name, (1, WIDEST) if f.type is int else (0.0, 1e12))
            if f.type is int:
                whole(field, value, int(low), getattr(self, high) if isinstance(high, str) else int(high))
            elif f.type is float:
                number(field, value, low, float(high))
            elif f.type is bool:
                flag(field, value)

    # What it computes and keeps

    @property
    @abstractmethod
    def kind(self) -> str:
        """How the memory of a mixer grows, one of cost.KINDS; whether a router picks what a token visits."""

    def build(self, d_model: int) -> nn.Module:
        """The torch module. A part without one is counted only."""
        raise CountedOnly(self.family)

    @abstractmethod
    def params(self, d_model: int) -> int:
        """Learned numbers."""

    def state(self, d_model: int) -> dict[str, int]:
        """Elements of one sequence that do not grow with context."""
        return {}

    def buffers(self) -> int:
        """Numbers kept beside the weights that no gradient reaches: a router's bias, tables of decay."""
        return sum(part.buffers() for part in self.made_of().values())

    # What it is called

    @abstractmethod
    def in_words(self) -> Words:
        """Everything that a reader is told of it."""

    # What it is made of, and other versions of it

    def made_of(self) -> dict[str, "Part"]:
        """The parts that it is made of, by field."""
        held = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: part for name, part in held.items() if isinstance(part, Part)}

    def remade(self, change: Callable[["Part"], "Part"]) -> Self:
        """The same with a change made to each part that it is made of; itself where that changes nothing."""
        made = {name: (part, change(part)) for name, part in self.made_of().items()}
        changed = {name: after for name, (before, after) in made.items() if after is not before}
        return replace(self, **changed) if changed else self

    def small(self) -> Self:
        """The same mechanism in sizes that run at once, every flag and ratio as before."""
        raise CountedOnly(self.family)

    @property
    def is_runnable(self) -> bool:
        """Has it a module, and all that it is made of?"""
        return type(self).small is not Part.small and all(part.is_runnable for part in self.made_of().values())

    def at_any_depth(self) -> Self:
        """The same without what depends on how deep in the model its layer stands."""
        return self

    def anywhere(self) -> Self:
        """The same without what depends on the layers around it."""
        return self.at_any_depth()

    def is_akin(self, other: "Part | None") -> bool:
        """Does one letter stand for both?"""
        return type(self) is type(other)


class Mixer(Part):
    """Mixes tokens."""

    @abstractmethod
    def cache(self, n: int) -> dict[str, int]:
        """Elements of one sequence kept after n tokens."""

    @abstractmethod
    def flops(self, d_model: int, queries: int, context: int) -> dict[str, int]:
        """2 x multiply-adds for the last `queries` of `context` tokens."""

    def unseen(self, d_model: int, queries: int, context: int) -> int:
        """FLOPs that torch's counter takes for 0 on a CPU."""
        return sum(mixer.unseen(d_model, queries, context) for mixer in self.wrapped())

    def causal(self) -> Self:
        """The same, reading backwards only."""
        return self

    @property
    def has_rope(self) -> bool | None:
        """Does it turn queries and keys by their positions? None where it has none."""
        return next((mixer.has_rope for mixer in self.wrapped() if mixer.has_rope is not None), None)

    @property
    def unshared(self) -> int:
        """Numbers a token if every query head kept a key and a value of its own; 0 where it has no query heads."""
        return next((n for mixer in self.wrapped() if (n := mixer.unshared)), 0)

    @property
    def bends(self) -> set[int]:
        """Contexts at which what it keeps or computes begins to grow in another way; those of inner mixers are theirs."""
        return set()

    @property
    def steps(self) -> set[int]:
        """Lengths of steps in which what it keeps or computes goes up and down."""
        return set()

    def spans(self) -> tuple[int, ...]:
        """Sizes that a text must outgrow before its memory is seen to drop something."""
        return tuple(size for mixer in self.wrapped() for size in mixer.spans())

    def wrapped(self) -> list["Mixer"]:
        """The mixers that it is made of."""
        return [part for part in self.made_of().values() if isinstance(part, Mixer)]

    def side_by_side(self) -> tuple["Mixer", ...]:
        """The mixers that stand beside each other in it: itself, if it is one."""
        return (self,)

    # What it takes from the layers before it, and gives to those after

    @property
    def gives(self) -> str:
        """What later layers may take from it."""
        return ""

    @property
    def takes(self) -> tuple[str, str]:
        """What a layer before must give, and what to say where none does."""
        return "", ""

    def placed(self, given: frozenset[str]) -> Self:
        """The same in a layer where those before it give so much."""
        return self

    # Split among devices: what one of them keeps and reads

    @property
    def cached_heads(self) -> int:
        """Heads that its cache can be dealt out by; 1 where all queries read the same."""
        return 1

    @property
    def state_heads(self) -> int:
        """Heads that its state can be dealt out by; 0 where it is split evenly."""
        return 0

    @property
    def repeated_state(self) -> tuple[str, ...]:
        """What every device keeps whole, by name."""
        return ()

    def tokens_kept(self, n: int) -> int:
        """Tokens that stand in its cache after n of them."""
        return n

    def tokens_read(self, n: int) -> int:
        """Tokens that the n-th reads, itself included."""
        return n

    def paged(self, n: int, page: int) -> int:
        """Elements that its cache takes up after n tokens, in whole pages."""
        elements, tokens = sum(self.cache(n).values()), self.tokens_kept(n)
        return elements * up(tokens, page) // tokens if elements else 0

    def cache_read(self, n: int) -> int:
        """Elements that the n-th token reads of the cache, its own included."""
        elements = sum(self.cache(n).values())
        return elements * self.tokens_read(n) // self.tokens_kept(n) if elements else 0

    def repeated_weights(self, d_model: int, devices: int) -> int:
        """Weights that stand on more than one device, beyond their first copy."""
        return 0

    def masked(self, d_model: int, n: int) -> int:
        """FLOPs of a prompt of n that are counted and that no kernel needs: tokens not yet written."""
        return 0


class Recurrent(Mixer):
    """A mixer with a memory of fixed size instead of a cache: a step costs the same whatever came before."""

    kind = "state"

    def cache(self, n: int) -> dict[str, int]:
        return {}

    @abstractmethod
    def multiply_adds(self, d_model: int) -> dict[str, int]:
        """Multiply-adds for one token, by name."""

    @property
    def elementwise(self) -> int:
        """Those of a step that are no matrix products, its decay for one: torch's counter takes them for 0."""
        return 0

    def flops(self, d_model: int, queries: int, context: int) -> dict[str, int]:
        return {name: 2 * queries * n for name, n in self.multiply_adds(d_model).items()}

    def unseen(self, d_model: int, queries: int, context: int) -> int:
        return 2 * queries * self.elementwise


class Convolved(Recurrent):
    """One behind a short causal convolution of `kernel` taps."""

    kernel: int
    limits: ClassVar[Limits] = {"kernel": (2, 64)}

    def spans(self) -> tuple[int, ...]:
        return (self.kernel,)


class Ffn(Part):
    """Mixes channels."""

    @property
    def kind(self) -> str:
        return "routed" if self.routed else "dense"

    def active(self, d_model: int) -> int:
        """Learned numbers that one token visits: all, where no router picks."""
        return self.params(d_model)

    @abstractmethod
    def flops(self, d_model: int, queries: int) -> dict[str, int]:
        """2 x multiply-adds for `queries` tokens."""

    @property
    def routed(self) -> "Ffn | None":
        """The routed experts in it, where it has them."""
        return next((found for part in self.made_of().values() if isinstance(part, Ffn) and (found := part.routed)), None)


Kind = TypeVar("Kind", bound=Part, default=Part)


def inside(part: Part | None, kind: type[Kind] | tuple[type[Kind], ...] = Part) -> Iterator[Kind]:  # type: ignore[assignment]
    """A part and all that it is made of, those of one class or of several."""
    if part is None:
        return
    if isinstance(part, kind):
        yield part
    for held in part.made_of().values():
        yield from inside(held, kind)


def product_text(*sizes: int) -> str:
    """ "32 × 128"."""
    return " × ".join(f"{n:,}" for n in sizes)


def narrow(width: int, head: int) -> int:
    """A width of a head so that the key's becomes HEAD and others keep their ratio to it."""
    return width if head <= HEAD else max(1, round(HEAD * width / head))
