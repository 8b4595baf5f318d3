"""Configs that were counted wrongly once, or refused, with their right values: python -m pytest tests/core/test_cases.py"""

import json
from pathlib import Path

import pytest

CASES = json.loads((Path(__file__).parents[1] / "data/cases.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_a_case_is_counted_rightly_or_refused_in_one_sentence(case, call, tmp_path):
    """What is not read yet names why (`refused`), and prints no number; the rest is exact."""
    path = tmp_path / f"{case['id']}.json"
    path.write_text(json.dumps(case.get("config", {})))
    status, out, err = call("inspect", case.get("key", str(path)), *case["args"], "--json")
    if "refused" in case:
        error = [line for line in err.splitlines() if not line.startswith("note: ")]
        assert (status, out, len(error)) == (2, "", 1)
        assert error[0].startswith("error: ") and case["refused"] in error[0]
        return
    assert status == 0, err
    row = json.loads(out)
    assert {field: row[field] for field in case["expect"]} == case["expect"]
    assert not any(row[field] == value for field, value in case.get("never", {}).items())
    assert row["weight_note"]
