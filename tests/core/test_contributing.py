"""CONTRIBUTING.md and README.md name files that exist: python -m pytest tests/core/test_contributing.py"""

import re
import tomllib
from pathlib import Path

import pytest

from core.model.registry import GROUPS, PAGES
from core.paths import ROOT

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
    assert 3 <= len(re.findall(r"^\d\. `", steps(), re.MULTILINE)) <= 7


def steps() -> str:
    """What CONTRIBUTING says of adding a mechanism."""
    return (ROOT / "CONTRIBUTING.md").read_text().partition("## Add a mechanism")[2].partition("\n## ")[0]


FILES = [path for path in dict.fromkeys(PATH.findall(steps())) if "<name>" in path and "/model/" not in path]
HELPERS = {"card", "common", "recall", "recurrent", "landscape"}  # what several lessons share, and the lesson of the first page
MECHANISMS = [page.name for page in PAGES if page.group != GROUPS[-1]]


@pytest.mark.fast
@pytest.mark.parametrize("name", MECHANISMS)
def test_every_mechanism_has_every_file_that_adding_one_asks_for(name):
    assert len(FILES) == 4
    paths = [ROOT / path.replace("<name>", name) for path in FILES]
    missing = [str(path.relative_to(ROOT)) for path in paths if not path.exists() and not path.with_suffix("").is_dir()]
    assert missing == [], f"{', '.join(missing)}: missing, as core/model/registry.py has a page {name}"


@pytest.mark.fast
@pytest.mark.parametrize("name", [page.name for page in PAGES])
def test_every_page_of_the_registry_is_there_and_has_tests(name):
    assert (ROOT / "pages" / f"{name}.py").exists(), f"pages/{name}.py: missing"
    tests = ("tests/mechanisms/test_{}.py", "tests/app/test_{}_page.py")
    assert any((ROOT / path.format(name)).exists() for path in tests), f"{tests[1].format(name)}: missing"


@pytest.mark.fast
@pytest.mark.parametrize("path", FILES)
def test_every_file_of_a_mechanism_has_a_page_in_the_registry(path):
    there = {file.stem.removeprefix("test_") for file in ROOT.glob(path.replace("<name>", "*"))} - {"__init__"}
    helpers = {"lessons": HELPERS}.get(Path(path).parent.name, set())
    assert there - helpers <= {page.name for page in PAGES}, "core/model/registry.py has no line for it in PAGES"


def test_an_installation_brings_what_cutaway_needs():
    """`pip install .` takes its dependencies from requirements.txt, and no folder for a package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["dependencies"]
    assert project["tool"]["setuptools"] == {"packages": [], "dynamic": {"dependencies": {"file": ["requirements.txt"]}}}


def test_the_makefile_has_a_word_for_every_day():
    targets = re.findall(r"^(\w+):$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets == "run test fast browser serve train".split()
