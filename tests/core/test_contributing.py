"""CONTRIBUTING.md and README.md name files that exist: python -m pytest tests/core/test_contributing.py"""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATH = re.compile(r"`((?:core|app|pages|assets|tests)(?:/[\w.<>-]+)+)`")


def named(document: str) -> list[str]:
    """Paths that a document names; a step for a new file, `<name>`, stands for the file of an existing mechanism."""
    return sorted(set(PATH.findall((ROOT / document).read_text())))


def an_example_of(path: str) -> bool:
    """Does the file exist, or one of its kind where the path is a pattern?"""
    return any(ROOT.glob(re.sub(r"<\w+>", "*", path)))


@pytest.mark.parametrize("document", ["CONTRIBUTING.md", "README.md"])
def test_every_file_that_is_named_exists(document):
    paths = named(document)
    assert len(paths) > 5
    assert [path for path in paths if not an_example_of(path)] == []


def test_a_mechanism_is_added_in_seven_steps_that_name_their_files():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    steps = re.findall(r"^\d\. `", text.partition("## Add a mechanism")[2].partition("\n## ")[0], re.MULTILINE)
    assert 3 <= len(steps) <= 7


def test_an_installation_brings_what_cutaway_needs():
    """`pip install .` takes its dependencies from requirements.txt, and no folder for a package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["dependencies"]
    assert project["tool"]["setuptools"] == {"packages": [], "dynamic": {"dependencies": {"file": ["requirements.txt"]}}}


def test_the_makefile_has_a_word_for_every_day():
    targets = re.findall(r"^(\w+):$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets == "run test fast browser serve train".split()
