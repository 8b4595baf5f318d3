"""Types may only get better: mypy finds no more errors in a room than tests/data/types.json says.

    python -m mypy                     # all errors; pyproject.toml says where it looks
    python -m tests.core.test_types    # note that there are fewer

A file may have more errors than it is noted with if its room has no more in all: code moves. Where a room has too many, the files
that gained are named with their errors. Fewer errors pass, so that two people who mend types do not stand in each other's way.
"""

import json
import re
import subprocess
import sys
from collections import Counter

from core.paths import ROOT

RECORD = ROOT / "tests" / "data" / "types.json"


def errors() -> list[str]:
    """What mypy says, a line for each error; its cache makes the second run short."""
    run = subprocess.run([sys.executable, "-m", "mypy"], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode in (0, 1) and re.search("^(Found|Success)", run.stdout, re.MULTILINE), run.stdout + run.stderr
    return [line for line in run.stdout.splitlines() if ": error: " in line]


def room_of(file: str) -> str:
    """`core/model` of core/model/ffn/moe.py, `app` of all of app, `core` of what lies loose in core."""
    folders = file.split("/")[:-1]
    return "/".join(folders[:2] if folders[0] == "core" else folders[:1])


def by_room(files: dict[str, int]) -> Counter:
    """Errors of files -> errors of rooms."""
    rooms: Counter = Counter()
    for file, count in files.items():
        rooms[room_of(file)] += count
    return rooms


def gained(now: dict[str, int], noted: dict[str, int]) -> list[str]:
    """Files with more errors than noted, in rooms that have more in all."""
    crowded = by_room(now) - by_room(noted)
    return [file for file, count in now.items() if count > noted.get(file, 0) and room_of(file) in crowded]


def counted(lines: list[str]) -> dict[str, int]:
    """How many errors each file has."""
    return dict(sorted(Counter(line.partition(":")[0] for line in lines).items()))


def test_a_room_with_more_errors_names_the_files_that_gained():
    noted = {"core/model/a.py": 2, "core/model/ffn/b.py": 1, "app/c.py": 1}
    assert gained({"core/model/a.py": 1, "core/model/ffn/b.py": 2, "app/c.py": 1}, noted) == []
    assert gained({"core/model/a.py": 2, "core/model/ffn/b.py": 2}, noted) == ["core/model/ffn/b.py"]
    assert gained({"core/model/a.py": 3, "pages/d.py": 1}, noted) == ["pages/d.py"]


def test_no_room_has_more_type_errors_than_noted():
    lines = errors()
    files = gained(counted(lines), json.loads(RECORD.read_text()))
    new = [line for line in lines if line.partition(":")[0] in files]
    assert not new, "\n".join(["more type errors than tests/data/types.json notes, one of these is new:", *new])


if __name__ == "__main__":
    found = counted(errors())
    if RECORD.exists() and (more := gained(found, json.loads(RECORD.read_text()))):
        sys.exit(f"More errors than before, nothing noted: {', '.join(more)}")
    RECORD.write_text(json.dumps(found, indent=1) + "\n")
    print(sum(found.values()), dict(by_room(found)))
