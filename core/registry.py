"""What there is: the pages, in the order and the groups of the talk."""

from dataclasses import dataclass

GROUPS = ("Cheaper inference", "Beyond attention", "Beyond next-token", "Models")


@dataclass(frozen=True)
class Page:
    """One page: `pages/<name>.py` at the address `/<name>`."""

    name: str
    title: str
    group: str
    question: str


PAGES = (
    Page("gqa", "Grouped-query attention", "Cheaper inference", "What if heads share their keys and values?"),
)
