"""What is known of a mechanism's runs, in one place: a file of core/train/recipes ends in it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from core.train.rules import Claim, Gap, Level
from core.train.training import Recipe


def at(metric: str) -> str:
    """A metric as its table has it, with a word for the sign: "loss@48" is the loss at 48."""
    return metric.replace("@", " at ")


def at_pairs(metric: str) -> str:
    """The same where what it was measured at is a number of pairs."""
    return f"{at(metric)} pairs"


@dataclass(frozen=True)
class Spelling:
    """How variants and metrics are written for readers."""

    variants: dict[str, str] = field(default_factory=dict, hash=False)  # the others are written as in their table
    metric: Callable[[str], str] = at

    def variant(self, variant: str) -> str:
        """A variant as a reader knows it."""
        return self.variants.get(variant, variant)

    def level(self, level: Level, joint: str = ", ") -> str:
        """A metric of a variant."""
        return f"{self.variant(level.variant)}{joint}{self.metric(level.metric)}"

    def gap(self, gap: Gap) -> str:
        """A gap by what tells its ends from each other."""
        written = self.metric if gap.high.variant == gap.low.variant else self.variant
        return " minus ".join(map(written, gap.ends))

    def number(self, number: Level | Gap, joint: str = ", ") -> str:
        """A number that a verdict rests on."""
        return self.gap(number) if isinstance(number, Gap) else self.level(number, joint)


@dataclass(frozen=True)
class Group:
    """Variants whose runs stand side by side; with `rivals` those that they are held against, at step `early` and at the end."""

    title: str
    variants: tuple[str, ...]
    rivals: tuple[str, ...] = ()
    early: int = 0


@dataclass(frozen=True)
class Mechanism:
    """One page's runs: how they are trained, what their table should show, how both are written."""

    name: str  # of its file, of its page and of its table
    recipes: tuple[Recipe, ...]
    claims: tuple[Claim, ...]
    papers: tuple[str, ...]  # that its page lists, by their keys in assets/papers.json
    seeds: tuple[int, ...] = (0, 1, 2)  # of the published table; the checkpoints of the first one ship
    also: tuple[str, ...] = ()  # mechanisms whose tables are read along, because claims compare with their variants
    spelling: Spelling = field(default_factory=Spelling)
    groups: tuple[Group, ...] = ()  # as its page shows their ends

    @property
    def command(self) -> str:
        """What makes its table again."""
        return f"python -m core train {self.name}"
