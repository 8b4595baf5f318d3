"""What a test may expect of a mechanism's page: the file of its tests, test_<name>.py, says it as PAGE."""

from collections.abc import Callable
from dataclasses import dataclass, field

from core.train.tasks import recall


def pairs(number: int) -> dict[str, str]:
    """A link with a prompt of eight pairs that no other number has."""
    return {"prompt": recall.surprise(8, seed=number, asked=2)}


@dataclass(frozen=True)
class Screen:
    """What is expected in a browser; what is empty is not asked of it."""

    figure: str  # a Plotly figure beside the canvas figures
    moves: tuple[str, ...]  # the pictures that its slider repaints
    alt: tuple[str, ...]  # what the figures of the first section say they show
    linked: str  # parameters that every copied link has
    maps: int = 0  # panels of the canvas figures
    last: int = 0  # the panel that must still be on the first screen
    stage: str = "growth"  # the figure that the key 2 shows on stage
    beside: tuple[str, ...] = ()  # further controls that must be on the first screen of a phone


@dataclass(frozen=True)
class Page:
    """What is expected of one page; what is empty is not asked of it."""

    name: str
    ends: tuple[dict[str, str], ...]  # links with both ends of its controls, its slider first
    controls: str  # all of them, in the first section
    preset: tuple[str, dict[str, str]]  # its label, and what a link says then
    links: tuple[str, ...]  # states that a link takes to another reader; the last is copied in a browser
    nonsense: tuple[dict[str, str], ...]  # links
    source: tuple[str, ...]  # what stands under Read
    users: Callable[[], list[str]]  # names that stand under Who uses it
    screen: Screen
    shy: dict[str, dict[str, str]] = field(default_factory=dict)  # controls that only some links show
    real: tuple[str, ...] = ()  # keys of the real models that are picked from the list
    prompts: tuple[tuple[str, tuple[str, ...]], ...] = ()  # they cannot be read; words of the answer, an unknown one first
    fresh: Callable[[int], dict[str, str]] = pairs  # a link for each number, of which the page has worked out nothing yet
    stated: bool = True  # every fact of the table of users is known
    fewest: int = 5  # rows of it

    @property
    def control(self) -> str:
        """Its slider."""
        return next(iter(self.ends[0]))


PROMPTED = "prompt cw-pick-prompt cw-surprise-prompt"  # controls of a page with a prompt of pairs
RECALL = (
    ("ann lampp ? ann", ("lampp", "nearest: lamp")),
    ("ann lamp", ("question",)),
    ("", ("pairs",)),
    ("<script>alert(1)</script>", ("nearest",)),
    ("ann lamp " * 60 + "? ann", (str(recall.MAX_PAIRS),)),
    ("ann lamp ? zoe", ("never introduced",)),
)


def bad(*pairs: tuple[str, str]) -> tuple[dict[str, str], ...]:
    """Links with one parameter that is none."""
    return tuple({key: value} for key, value in pairs)
