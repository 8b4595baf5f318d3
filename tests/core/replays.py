"""Nine checkpoints of eighty-six take four fifths of the time of all replays. Each is replayed only when something has changed
since it last passed: the code that it runs through, its recipe, its weights and record, the version of torch or numpy.

    python -m tests.core.replays      # replay those, and note what they passed with in tests/data/replays.json
    python -m pytest -m slow          # replay those that have passed
"""

import ast
import hashlib
import io
import json
import re
import tokenize
from functools import lru_cache

import pytest

from core.model.model import Model
from core.paths import ROOT
from core.train import zoo

RECORD = ROOT / "tests" / "data" / "replays.json"
DEAR = ("code-trace", "code-trace-straight", "denoiser", "trm-9x9", "trm-mlp", "trm-attention", "trm-maze", "hrm", "indexed")


def replay(variant: str) -> None:
    """A checkpoint is measured again and gives the metrics of its record."""
    r, record = zoo.recipe(variant), zoo.checkpoint(variant)
    metrics = r.task.evaluate(zoo.load(variant), **r.settings)
    assert set(metrics) == set(record.metrics)
    for name, value in record.metrics.items():
        assert numbers(metrics[name]) == pytest.approx(numbers(value), abs=2e-3, rel=2e-2), name


def numbers(value) -> list[float]:
    """A metric as numbers: one, or several in words (the load of every expert)."""
    return [float(word) for word in str(value).split()]


def rests_on(variant: str) -> set[str]:
    """Files of core, as paths below the repository, that a replay runs through: those of the model's modules and of the task, and
    all that they import."""
    r = zoo.recipe(variant)
    left, found = [r.task.evaluate.__module__, *(type(module).__module__ for module in Model(r.spec).modules())], set()
    while left:
        path = f"{left.pop().replace('.', '/')}.py"
        if path.startswith("core/") and path not in found and (ROOT / path).exists():
            found.add(path)
            left += imports((ROOT / path).read_text())
    return found


@lru_cache(maxsize=64)
def imports(text: str) -> list[str]:
    """Names that a file may import as modules."""
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom) and node.module]
    plain = [alias.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import) for alias in node.names]
    return plain + [name for node in nodes for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))]


@lru_cache(maxsize=64)
def code(text: str) -> str:
    """A file without comments, docstrings and empty lines: what makes no difference to what it computes."""
    lines = text.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            lines[token.start[0] - 1] = lines[token.start[0] - 1][: token.start[1]]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines[node.lineno - 1 : node.end_lineno] = [""] * (node.end_lineno - node.lineno + 1)
    return "\n".join(line.rstrip() for line in lines if line.strip())


def mark(variant: str) -> str:
    """The same for as long as nothing has changed that a replay rests on."""
    told = hashlib.sha256(repr(zoo.recipe(variant)).encode())
    for pin in re.findall(r"^(?:torch|numpy)==\S+$", (ROOT / "requirements.txt").read_text(), re.M):
        told.update(pin.encode())
    for path in sorted(rests_on(variant)):
        told.update(f"\n{path}\n{code((ROOT / path).read_text())}".encode())
    for kind in ("safetensors", "json"):
        told.update((zoo.ZOO / f"{variant}.{kind}").read_bytes())
    return told.hexdigest()[:16]


def passed() -> dict[str, str]:
    """The marks with which replays have passed, by variant."""
    return json.loads(RECORD.read_text())


def main() -> None:
    """Replay what has changed, and note the marks of what passes."""
    record = passed() if RECORD.exists() else {}
    for variant in DEAR:
        if record.get(variant) != (now := mark(variant)):
            replay(variant)
            record[variant] = now
            RECORD.write_text(json.dumps({v: record[v] for v in DEAR if v in record}, indent=1) + "\n")
            print(f"{variant}: passed")


if __name__ == "__main__":
    main()
