"""What our own runs show: their tables, the claims with their verdicts, and what papers printed. The rules stand in rules.py."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

import numpy as np

from core.real.catalogue import bibliography
from core.train import zoo
from core.train.rules import last

K = TypeVar("K")


def report(name: str, rows: list[dict] | None = None) -> dict:
    """The table of a mechanism, its claims with their verdicts, the command that makes the table again."""
    mechanism, rows = zoo.named(name), zoo.tables(name) if rows is None else rows
    claims = []
    for claim in mechanism.claims:
        verdict = claim.check(rows)
        claims.append({"claim": claim.sentence, "rule": claim.rule, "verdict": verdict.outcome, "numbers": verdict.numbers})
    seeds = sorted({int(row["seed"]) for row in rows})
    return {"name": name, "command": mechanism.command, "seeds": seeds, "claims": claims, "rows": rows}


def seeds_text(name: str) -> str:
    """The seeds of a mechanism's runs: "0, 1, 2"."""
    return ", ".join(map(str, sorted({int(row["seed"]) for row in zoo.tables(name)})))


def reports(name: str | None = None) -> list[dict]:
    """One mechanism's report, or all."""
    return [report(m.name) for m in (zoo.MECHANISMS if name is None else (zoo.named(name),))]


def as_text(r: dict) -> str:
    """A report for a terminal."""
    lines = [f"{r['name']}: {len(r['rows'])} rows, seeds {', '.join(map(str, r['seeds']))} ({r['command']})"]
    for claim in r["claims"]:
        lines.append(f"  {claim['verdict'].upper():<14} {claim['claim']}  [{claim['rule']}]")
        for number, s in claim["numbers"].items():
            value = "no runs" if s["mean"] is None else f"{s['mean']:.4f} sd {s['sd']:.4f} of {len(s['values'])}"
            lines.append(f"      {number.key:<28} {value}")
    return "\n".join(lines)


def as_json(r: dict) -> dict:
    """A report for a file: every number under a name of its own."""
    claims = [{**claim, "numbers": {n.key: s for n, s in claim["numbers"].items()}} for claim in r["claims"]]
    return {**r, "claims": claims}


def published(name: str) -> list[dict]:
    """Tables that papers printed about a mechanism: title, source, date, link, columns, rows."""
    return [table for table in bibliography()["tables"] if table["mechanism"] == name]


def by_seed(name: str, variant: str, metric: str) -> dict[int, float]:
    """A metric at a variant's last step, {seed: value}; {} without runs."""
    return last(zoo.tables(name), variant, metric)


def final(name: str, variant: str, metric: str) -> list[float]:
    """The same without the seeds."""
    return list(by_seed(name, variant, metric).values())


def finals(name: str, variants: Iterable[str], metrics: Mapping[K, str]) -> dict[str, dict[K, dict[int, float]]]:
    """{variant: {what it was measured at: {seed: value}}} of the variants that have runs; `metrics` as the table has them."""
    every = {v: {at: by_seed(name, v, metric) for at, metric in metrics.items()} for v in variants}
    return {v: runs for v, runs in every.items() if any(runs.values())}


def grouped(name: str, metric: str) -> dict[str, dict[str, dict[int, float]]]:
    """{title of a group of runs: {variant: {seed: value}}} of the variants that have runs."""
    groups = {g.title: {v: by_seed(name, v, metric) for v in g.variants} for g in zoo.named(name).groups}
    return {title: {v: seeds for v, seeds in runs.items() if seeds} for title, runs in groups.items()}


def learning(name: str, variant: str, metric: str) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Learning curves of a variant: {seed: (steps, values)}."""
    curves: dict[int, list] = {}
    for row in zoo.tables(name):
        if row["variant"] == variant and row.get(metric):
            curves.setdefault(int(row["seed"]), []).append((int(row["step"]), float(row[metric])))
    return {seed: (np.array([s for s, _ in points]), np.array([x for _, x in points])) for seed, points in curves.items()}
