"""requirements.lock names every package with its version, those that others bring along too: all that runs and tests Cutaway.

pip install -r requirements.txt -r tests/requirements.txt && python -m tests.core.test_lock    # write it anew
"""

from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from core.paths import ROOT

LOCK = ROOT / "requirements.lock"
ASKED = ("requirements.txt", "tests/requirements.txt")
HEAD = f"""\
# Every package of requirements.txt and tests/requirements.txt and what those need, as tested on Linux with Python 3.11 and
# the CPU build of torch. After a change of either file: {__doc__.strip().splitlines()[-1].partition("#")[0].strip()}
"""


def stated(file: str) -> list[Requirement]:
    """What a file of requirements asks for."""
    lines = (line.partition("#")[0].strip() for line in (ROOT / file).read_text().splitlines())
    return [Requirement(line) for line in lines if line]


def needed(requirement: Requirement) -> list[Requirement]:
    """What an installed package needs here, with the extras that are asked for."""
    extras = requirement.extras or {""}
    every = map(Requirement, metadata.requires(requirement.name) or ())
    return [r for r in every if r.marker is None or any(r.marker.evaluate({"extra": extra}) for extra in extras)]


def installed() -> dict[str, str]:
    """The version here of everything that is asked for, of what that needs, and so on."""
    left, found = [r for file in ASKED for r in stated(file)], {}
    seen: set[str] = set()
    while left:
        requirement = left.pop()
        if str(requirement) in seen:
            continue
        seen.add(str(requirement))
        found[canonicalize_name(requirement.name)] = metadata.version(requirement.name).partition("+")[0]
        left += needed(requirement)
    return dict(sorted(found.items()))


def pins(requirements: list[Requirement]) -> dict[str, str]:
    """Exact versions by name."""
    return {canonicalize_name(r.name): str(r.specifier).removeprefix("==") for r in requirements}


@pytest.mark.parametrize("file", ASKED)
def test_the_lock_has_every_version_that_is_asked_for(file):
    assert all(str(r.specifier).startswith("==") for r in stated(file))
    differing = pins(stated(file)).items() - pins(stated(LOCK.name)).items()
    assert not differing, f"{file} and requirements.lock differ: its head says how to write it anew"


def test_the_lock_has_what_every_locked_package_needs():
    locked = {canonicalize_name(r.name): r for r in stated(LOCK.name)}
    assert list(locked) == sorted(locked) and all(str(r.specifier).startswith("==") for r in locked.values())
    here = [r for r in locked.values() if r.specifier.contains(metadata.version(r.name), prereleases=True)]
    assert len(here) > 40, "hardly any locked version is installed: pip install -r requirements.lock"
    for package in here:
        for r in needed(package):
            if not r.name.startswith(("nvidia", "cuda", "triton")):  # what the CUDA build of torch brings along is not locked
                pin = str(locked[canonicalize_name(r.name)].specifier).removeprefix("==")
                assert r.specifier.contains(pin, prereleases=True), f"{package.name} needs {r}, locked is {pin}"


if __name__ == "__main__":
    LOCK.write_text(HEAD + "".join(f"{name}=={version}\n" for name, version in installed().items()))
