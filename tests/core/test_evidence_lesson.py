"""The claims of all mechanisms: counted, filtered, placed and worded from the tables alone; another table, another page."""

import shutil

import pytest

from app.figures import seeds
from core.lessons import evidence as lesson
from core.model import registry
from core.train import evidence, rules, zoo


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """The tables, copied to where a test may change them."""
    folder = shutil.copytree(zoo.EVIDENCE, tmp_path / "evidence")
    monkeypatch.setattr(zoo, "EVIDENCE", folder)
    return folder


def test_every_claim_of_every_report_is_there_with_its_verdict():
    reports = evidence.reports()
    expected = [(r["name"], c["claim"], c["rule"], c["verdict"], r["command"]) for r in reports for c in r["claims"]]
    there = [row for row in lesson.rows() if row.outcome != lesson.WAITING]
    told = [(row.mechanism, row.sentence, row.rule, row.outcome, row.command) for row in lesson.rows()]
    assert [t[:3] for t in told] == [e[:3] for e in expected] and set(told) & set(expected) == {
        (row.mechanism, row.sentence, row.rule, row.outcome, row.command) for row in there
    }
    assert len({row.id for row in lesson.rows()}) == len(expected)


def test_the_tally_adds_up_and_filters_take_what_they_say():
    found = lesson.rows()
    assert sum(lesson.tally(found).values()) == len(found) == len(lesson.chosen_rows(lesson.EVERY, ()))
    for outcome in lesson.outcomes():
        assert len(lesson.chosen_rows(lesson.EVERY, (outcome,))) == lesson.tally(found)[outcome]
    for title in lesson.mechanisms()[1:]:
        assert {row.title for row in lesson.chosen_rows(title, ())} == {title}
    assert sum(len(rows) for rows in lesson.grouped(found).values()) == len(found)


def test_every_seed_is_placed_on_the_scale():
    for row in lesson.rows():
        low, high = lesson.span(row)
        for side, at in zip(row.compared, lesson.places(row), strict=True):
            assert len(at) == len(side.values) == len(lesson.runs(row, side)) and all(0 <= p <= 1 for p in at)
            assert all(low <= v <= high for v in side.values)
            if high > low:
                assert [low + p * (high - low) for p in at] == pytest.approx(list(side.values))


def test_the_table_of_a_claim_has_every_value_of_its_verdict():
    for row in lesson.rows():
        numbers = evidence.report(row.mechanism)["claims"][int(row.id.split()[-1]) - 1]["numbers"]
        expected = sorted((number.key, v) for number, s in numbers.items() for v in s["values"])
        table = lesson.table(row, lambda number: number.key)
        assert sorted(zip(table["side"], table["value"])) == expected


def test_every_side_has_a_name_and_every_rule_its_words():
    for row in lesson.rows():
        spelling = lesson.spelling(row.mechanism)
        for side in row.sides:
            assert spelling.variant(side.number.variant) and spelling.metric(side.number.metric)
        assert all(" minus " in spelling.number(gap.number) for gap in row.gaps)
        words = dict(lesson.in_words(row.rule))
        assert words and set(words) <= set(lesson.written()) and all(n in rules.__doc__ for n in words)
    assert [name for name, _ in lesson.in_words("every, at least and at most")] == ["every", "at least", "at most"]
    assert [name for name, _ in lesson.in_words("closes")] == ["closes", "ordered"]
    assert [name for name, _ in lesson.in_words("at most")] == ["at least", "at most"], "the same as what?"


def test_what_names_share_is_said_once():
    assert seeds.own_and_shared(["a, loss", "b, loss"]) == (["a", "b"], "loss")
    assert seeds.own_and_shared(["d, right, 4", "d, right, 8"]) == (["4", "8"], "d, right")
    assert seeds.own_and_shared(["a, loss"]) == (["a, loss"], "") and seeds.own_and_shared([]) == ([], "")
    assert seeds.own_and_shared(["a", "a"]) == (["a", "a"], "")


def test_a_swapped_table_changes_counts_and_places(elsewhere):
    before = lesson.rows()[0]
    swap = {"mha": "mqa", "mqa": "mha"}
    rows = [{**row, "variant": swap.get(row["variant"], row["variant"])} for row in zoo.table("gqa")]
    (elsewhere / "gqa.csv").write_text(zoo.as_csv(rows))
    after = lesson.rows()[0]
    assert before.outcome == rules.SHOWS and after.outcome == rules.NOT
    assert after.sides[0].values == before.sides[-1].values and lesson.places(after) != lesson.places(before)


@pytest.mark.parametrize("name", [m.name for m in zoo.MECHANISMS])
def test_a_mechanism_without_a_table_waits(elsewhere, name):
    """Also where a rule finds the other side in another table and is content with it."""
    own = {r.variant for r in zoo.named(name).recipes}
    numbers = {f"{name.replace('_', ' ')} {i}": c["numbers"] for i, c in enumerate(evidence.report(name)["claims"], 1)}
    (elsewhere / f"{name}.csv").unlink(missing_ok=True)
    found = [row for row in lesson.rows() if row.mechanism == name]
    assert found
    for row in found:
        if any(isinstance(n, rules.Level) and n.variant in own for n in numbers[row.id]):
            assert row.outcome == lesson.WAITING, row.id
        assert not any(side.number.variant in own for side in row.sides), "a run of a table that is not there"


def test_without_any_table_every_claim_waits(elsewhere):
    for path in elsewhere.glob("*.csv"):
        path.unlink()
    found = lesson.rows()
    assert found and {row.outcome for row in found} == {lesson.WAITING} and lesson.outcomes()[-1] == lesson.WAITING
    assert all(lesson.places(row) == [] and lesson.span(row) == (0.0, 0.0) for row in found)
    assert lesson.table(found[0], str) == {"side": [], "run": [], "value": []}


def test_printed_numbers_are_those_of_the_file():
    for name in (m.name for m in zoo.MECHANISMS):
        for (paper, what, cells), t in zip(lesson.printed(name), evidence.published(name), strict=True):
            assert paper == t["paper"] and t["what"] in what
            assert all(str(cell) in cells for row in t["rows"] for cell in row)


def test_a_mechanism_links_to_its_page_where_there_is_one(monkeypatch):
    assert all(lesson.proof(row.mechanism) == {"section": "Prove"} for row in lesson.rows() if row.mechanism == "gqa")
    monkeypatch.setattr(registry, "PAGES", tuple(p for p in registry.PAGES if p.name != "gqa"))
    assert lesson.proof("gqa") == {} and lesson.titled("gqa") == "gqa"
