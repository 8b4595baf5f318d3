"""Published figures, reproduced or explained: python -m pytest tests/core/test_oracles.py"""

import json

import pytest

from core.real import oracles

ROWS = oracles.rows()
IDS = [f"{i}-{row.name}-{row.unit}" for i, row in enumerate(ROWS)]


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_it_agrees_to_the_printed_digit_or_says_why_not(row):
    assert row.agrees == (row.because == ""), (row.published, row.ours)
    assert row.theirs in ("", row.published)  # how the other figure comes about
    assert row.source and row.what and (row.because or not row.theirs)


def test_a_figure_is_written_with_as_many_digits_as_were_printed():
    row = {"value": "4.29", "unit": "GB"}
    assert oracles.written(4_294_967_296, row) == "4.29"
    assert oracles.written(4_294_967_296, {**row, "value": "4"}) == "4"
    assert oracles.written(0.7519, {"value": "75.2", "unit": "%"}) == "75.2"


def test_a_wrong_figure_would_be_seen():
    row = next(row for row in json.loads(oracles.FILE.read_text()) if row["value"] == "17.18")
    assert oracles.oracle(row).agrees
    assert not oracles.oracle({**row, "value": "17.19"}).agrees
    assert not oracles.oracle({**row, "context": row["context"] - 64}).agrees


def test_every_kind_of_disagreement_is_held():
    differing = [row for row in ROWS if not row.agrees]
    assert len(ROWS) > 80 and 5 <= len(differing) <= 10
    assert {row.name for row in differing} >= {"Llama 3.1 405B", "DeepSeek-V3", "GLM-5", "Gemma 4 26B-A4B"}
