"""Verdicts follow from the table: another table, another verdict."""

import json
import re
from pathlib import Path

import pytest

from core.train import evidence, recipes, rules, zoo
from core.train.mechanism import Spelling, at_pairs
from core.train.rules import NOT, SHOWS, UNCLEAR, Gap, Level, at_least, closes, judge, last, ordered


def rows(**variants):
    """{variant: value of each seed} as a table with an earlier row that must not count."""
    return [
        {"variant": v.replace("_", "-"), "seed": str(seed), "step": str(step), "m": str(value * (1 if step == 20 else 100))}
        for v, values in variants.items()
        for seed, value in enumerate(values)
        for step in (10, 20)
    ]


@pytest.mark.parametrize(
    "gaps, verdict",
    [
        ([1.0, 1.1, 0.9], SHOWS),
        ([1.0, 0.1, 0.1], UNCLEAR),  # all ordered, but the mean gap is within 2 sd
        ([1.0, 1.1, -0.01], UNCLEAR),
        ([0.1, -0.2, 0.05], NOT),
        ([-1.0, -1.1, -0.9], NOT),
        ([0.0, 0.0, 0.0], NOT),
        ([1.0], UNCLEAR),
        ([], UNCLEAR),
    ],
)
def test_the_rule(gaps, verdict):
    assert judge(gaps) == verdict


def test_an_order_is_as_strong_as_its_weakest_step():
    check = ordered("m", "a", "b", "c")
    assert check(rows(a=[1, 1, 1], b=[2, 2.1, 1.9], c=[3, 3.2, 3])).outcome == SHOWS
    assert check(rows(a=[1, 1, 1], b=[2, 2.1, 1.9], c=[2, 2.2, 1.8])).outcome == UNCLEAR
    assert check(rows(a=[1, 1, 1], b=[2, 2.1, 1.9], c=[1, 1.2, 1])).outcome == NOT


def test_gaps_are_taken_seed_by_seed_at_the_last_step():
    verdict = ordered("m", "a", "b")(rows(a=[1, 5, 9], b=[2, 6.1, 9.9]))
    assert verdict.outcome == SHOWS, "the spread between seeds does not hide the order"
    assert verdict.numbers[Gap(Level("b", "m"), Level("a", "m"))]["mean"] == pytest.approx(1.0)


def test_the_deviation_is_that_of_a_sample_and_computed_in_one_place():
    assert rules.summary([1.0, 2.0, 3.0]) == {"mean": 2.0, "sd": 1.0, "values": [1.0, 2.0, 3.0]}
    assert rules.summary([4.0])["sd"] == 0.0 and rules.summary([])["sd"] is None
    root = Path(rules.__file__).parents[2]
    files = [p for folder in ("core/lessons", "core/train", "app", "pages") for p in (root / folder).rglob("*.py")]
    using = [p.name for p in files if re.search(r"\b(np|statistics)\.(nan)?p?st(d|dev)\b", p.read_text())]
    assert using == ["rules.py"]


def test_a_bound():
    check = at_least("m", 0.98, "a", "b")
    assert check(rows(a=[1, 0.99], b=[0.98, 1])).outcome == SHOWS
    assert check(rows(a=[1, 0.97], b=[1, 1])).outcome == UNCLEAR
    assert check(rows(a=[0.5, 0.97], b=[0.1, 0.2])).outcome == NOT
    assert check([]).outcome == UNCLEAR
    assert check(rows(a=[1, 1])).outcome == UNCLEAR, "nobody ran b"


def test_a_gap_that_closes():
    check = closes("m", ("a", "b"), ("a-long", "b-long"))
    assert check(rows(a=[1, 1, 1], b=[2, 2, 2.1], a_long=[1, 1, 1], b_long=[1.1, 1.1, 1.1])).outcome == SHOWS
    assert check(rows(a=[1, 1, 1], b=[2, 2, 2.1], a_long=[1, 1, 1], b_long=[1.6, 1.6, 1.6])).outcome == NOT, "half is left"


def test_a_swapped_table_changes_the_report():
    table = zoo.table("gqa")
    swap = {"mha": "mqa", "mqa": "mha"}
    swapped = [{**row, "variant": swap.get(row["variant"], row["variant"])} for row in table]
    first = [evidence.report("gqa", t)["claims"][0]["verdict"] for t in (table, swapped)]
    assert first[1] == NOT and first[0] != NOT


def test_the_aims_of_the_gqa_runs_are_met():
    """GQA-4 and GQA-2 recall at least .98 of 48 pairs; loss MHA < GQA-2 < MQA on every seed."""
    table = zoo.table("gqa")
    for variant in ("gqa-4", "gqa-2"):
        assert min(last(table, variant, "recall@48").values()) >= 0.98
    losses = [last(table, v, "loss@48") for v in ("mha", "gqa-2", "mqa")]
    for seed in zoo.named("gqa").seeds:
        assert losses[0][seed] < losses[1][seed] < losses[2][seed]


def test_reports_are_json_with_command_and_seeds():
    for report in evidence.reports():
        assert report["command"] == f"python -m core train {report['name']}" and len(report["seeds"]) >= 3
        assert {c["verdict"] for c in report["claims"]} <= {SHOWS, UNCLEAR, NOT} and report["rows"]
        assert all(c["verdict"].upper() in evidence.as_text(report) for c in report["claims"])
        file = json.loads(json.dumps(evidence.as_json(report)))
        for claim, filed in zip(report["claims"], file.pop("claims"), strict=True):
            assert list(filed["numbers"].values()) == list(claim["numbers"].values()), "no two numbers bear one name"
            assert {n.key: s for n, s in claim["numbers"].items()} == filed["numbers"]
        assert file == {k: v for k, v in report.items() if k != "claims"}


def test_a_gap_is_named_by_what_tells_its_ends_apart():
    mha, mqa, early = Level("mha", "loss@48"), Level("mqa", "loss@48"), Level("mha", "loss@4")
    assert (mha.key, Gap(mqa, mha).key, Gap(mha, early).key) == ("mha, loss@48", "mqa - mha", "loss@48 - loss@4")
    spelling = Spelling({"mha": "MHA", "mqa": "MQA"}, at_pairs)
    written = [spelling.number(n) for n in (mha, Gap(mqa, mha), Gap(mha, early))]
    assert written == ["MHA, loss at 48 pairs", "MQA minus MHA", "loss at 48 pairs minus loss at 4 pairs"]
    assert spelling.number(mha, ": ") == "MHA: loss at 48 pairs"


def test_every_file_of_recipes_is_a_mechanism_and_what_it_names_is_there():
    from core.real import catalogue

    files = {p.stem for p in Path(recipes.__file__).parent.glob("*.py")} - {"__init__"}
    assert {m.name for m in zoo.MECHANISMS} == files, "core/model/registry.py has no line in PAGES for one of them"
    for m in zoo.MECHANISMS:
        assert set(m.also) <= files and m.seeds and m.papers, m.name
        missing = set(m.papers) - set(catalogue.papers())
        assert not missing, f"assets/papers.json has no line for {missing}, which core/train/recipes/{m.name}.py names"


def test_published_tables_have_a_paper_with_a_date_and_a_link():
    from core.real import catalogue

    for mechanism in zoo.MECHANISMS:
        assert evidence.published(mechanism.name), f"assets/papers.json has no table that a paper printed about {mechanism.name}"
        for table in evidence.published(mechanism.name):
            paper = catalogue.papers()[table["paper"]]
            own = (
                "https://arxiv.org/abs/",
                "https://github.com/deepseek-ai/",
                "https://github.com/arcprize/",
                "https://huggingface.co/Qwen/",
                "https://deepmind.google/models/",
            )  # where it was published
            assert paper["link"].startswith(own) and len(paper["date"]) == 10
            assert all(len(row) == len(table["columns"]) for row in table["rows"])
