"""The real models: one json file each under assets/models, with the config as released and where every fact comes from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from core.paths import ASSETS

if TYPE_CHECKING:
    from core.real.hf.reader import Reading

FOLDER = ASSETS / "models"
FACTS = ("organisation", "released", "licence", "link")


@dataclass(frozen=True)
class Entry:
    """A row of the catalogue. `facts` maps organisation, released, licence, link to (value, source); "not stated" is a value."""

    key: str
    name: str
    config: dict
    config_source: str
    facts: dict[str, tuple[str, str]]
    checked: str = "computed here"  # or "reference": its counts were taken from the reference implementation, and ours equal them

    def __hash__(self):
        return hash(self.key)

    def fact(self, name: str) -> str:
        """One fact without its source."""
        return self.facts[name][0]

    @property
    def reading(self) -> Reading:
        """The config, read."""
        return _read(self.key)


@lru_cache(maxsize=1)
def entries() -> dict[str, Entry]:
    """Every row by key, oldest release first."""
    rows = [load(path) for path in sorted(FOLDER.glob("*.json"))]
    return {row.key: row for row in sorted(rows, key=lambda row: (row.fact("released"), row.key))}


def load(path: Path) -> Entry:
    """One file -> one row."""
    row = json.loads(path.read_text())
    facts = {name: (row[name]["value"], row[name]["source"]) for name in FACTS}
    return Entry(row["key"], row["name"], row["config"], row["config_source"], facts, row["checked"])


@lru_cache(maxsize=512)
def _read(key: str) -> Reading:
    from core.real.hf import reader  # brings torch, which a list of names does not need

    row = entries()[key]
    return reader.read(row.config, row.name)


@lru_cache(maxsize=1)
def bibliography() -> dict:
    """The papers that pages name, and the tables that they printed."""
    return json.loads((ASSETS / "papers.json").read_text())


def papers() -> dict[str, dict]:
    """Title, authors, first date and link of every paper that a page names, by arXiv number."""
    return bibliography()["papers"]
