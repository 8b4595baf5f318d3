"""Rules by which a table of our own runs supports a claim, or does not.

Rules
    ordered     a metric rises from variant to variant, compared seed by seed: "shows" if every seed is ordered as claimed and
                every mean gap is beyond 2 standard deviations of the gaps; "does not show" if a mean gap is not in the claimed
                direction; else "unclear"
    at least    every run reaches a bound: "shows" if all do, "does not show" if no run does, else "unclear"
    at most     the same for a bound that no run may pass
    every       several rules at once: the weakest of their verdicts
    lower       a metric lies at least so far below that of another variant, seed by seed, by the rule of "ordered"
    closes      less than half of the gap between two variants is left in another pair, seed by seed, by the rule of "ordered"
    beats       the best of our variants (lowest mean) lies below the best of its rivals, seed by seed, by the rule of "ordered"
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

SHOWS, UNCLEAR, NOT = "shows", "unclear", "does not show"


@dataclass(frozen=True)
class Verdict:
    """The outcome of a rule, and the numbers it rests on."""

    outcome: str
    numbers: dict


@dataclass(frozen=True)
class Claim:
    """One sentence of the talk or of a paper, and the check on our table."""

    sentence: str
    rule: str
    check: Callable[[list[dict]], Verdict]


def last(rows: list[dict], variant: str, metric: str, until: int = 0) -> dict[int, float]:
    """The metric at a variant's last step, or the last one up to step `until`, by seed."""
    final: dict[int, tuple[int, float]] = {}
    for row in rows:
        if row["variant"] == variant and row[metric] != "" and int(row["step"]) <= (until or int(row["step"])):
            seed, step = int(row["seed"]), int(row["step"])
            if seed not in final or step > final[seed][0]:
                final[seed] = step, float(row[metric])
    return {seed: value for seed, (_, value) in sorted(final.items())}


def judge(gaps: list[float]) -> str:
    """Gaps that should be positive, one a seed -> a verdict by the rule of "ordered"."""
    if len(gaps) < 2 or statistics.fmean(gaps) <= 0:
        return NOT if gaps and statistics.fmean(gaps) <= 0 else UNCLEAR
    clear = all(gap > 0 for gap in gaps) and statistics.fmean(gaps) > 2 * statistics.stdev(gaps)
    return SHOWS if clear else UNCLEAR


def worst(outcomes: list[str]) -> str:
    """The weakest of several verdicts."""
    return max(outcomes, key=(SHOWS, UNCLEAR, NOT).index, default=UNCLEAR)


def differences(rows: list[dict], low: str, high: str, metric: str, until: int = 0) -> list[float]:
    """high - low, seed by seed."""
    a, b = last(rows, low, metric, until), last(rows, high, metric, until)
    return [b[seed] - a[seed] for seed in sorted(set(a) & set(b))]


def ordered(metric: str, *variants: str) -> Callable[[list[dict]], Verdict]:
    """The metric rises along the variants."""

    def check(rows: list[dict]) -> Verdict:
        gaps = {f"{high} - {low}": differences(rows, low, high, metric) for low, high in zip(variants, variants[1:])}
        numbers = {
            **{f"{v}, {metric}": summary(list(last(rows, v, metric).values())) for v in variants},
            **{name: summary(values) for name, values in gaps.items()},
        }
        return Verdict(worst([judge(values) for values in gaps.values()]), numbers)

    return check


def lower(by: float, low: tuple[str, str], high: tuple[str, str]) -> Callable[[list[dict]], Verdict]:
    """The first (variant, metric) lies at least `by` below the second; with 0 simply below."""

    def check(rows: list[dict]) -> Verdict:
        a, b = last(rows, *low), last(rows, *high)
        gaps = [b[seed] - a[seed] for seed in sorted(set(a) & set(b))]
        numbers = {f"{variant}, {metric}": summary(list(last(rows, variant, metric).values())) for variant, metric in (low, high)}
        between = f"{high[0]} - {low[0]}" if low[0] != high[0] else f"{high[1]} - {low[1]}"
        return Verdict(judge([gap - by for gap in gaps]), numbers | {between: summary(gaps)})

    return check


def at_least(metric: str, bound: float, *variants: str) -> Callable[[list[dict]], Verdict]:
    """Every run of the variants reaches the bound."""
    return bounded(metric, lambda value: value >= bound, variants)


def at_most(metric: str, bound: float, *variants: str) -> Callable[[list[dict]], Verdict]:
    """Every run of the variants stays at or below the bound."""
    return bounded(metric, lambda value: value <= bound, variants)


def bounded(metric: str, keeps: Callable[[float], bool], variants: tuple[str, ...]) -> Callable[[list[dict]], Verdict]:
    """Every run of the variants keeps a bound, and each variant has runs."""

    def check(rows: list[dict]) -> Verdict:
        runs = {v: list(last(rows, v, metric).values()) for v in variants}
        values = [value for each in runs.values() for value in each]
        kept = sum(keeps(value) for value in values)
        outcome = SHOWS if kept == len(values) and all(runs.values()) else NOT if values and kept == 0 else UNCLEAR
        return Verdict(outcome, {f"{v}, {metric}": summary(each) for v, each in runs.items()})

    return check


def every(*checks: Callable[[list[dict]], Verdict]) -> Callable[[list[dict]], Verdict]:
    """All of the checks: the weakest verdict and the numbers of each."""

    def check(rows: list[dict]) -> Verdict:
        verdicts = [c(rows) for c in checks]
        return Verdict(worst([v.outcome for v in verdicts]), {k: n for v in verdicts for k, n in v.numbers.items()})

    return check


def closes(metric: str, early: tuple[str, str], late: tuple[str, str]) -> Callable[[list[dict]], Verdict]:
    """The gap of the pair `late` (low, high) is less than half of that of the pair `early`."""

    def check(rows: list[dict]) -> Verdict:
        before, after = differences(rows, *early, metric), differences(rows, *late, metric)
        gaps = [b / 2 - a for b, a in zip(before, after)]
        numbers = {f"{pair[1]} - {pair[0]}": summary(values) for pair, values in ((early, before), (late, after))}
        return Verdict(judge(gaps), numbers)

    return check


def best(rows: list[dict], metric: str, variants: tuple[str, ...], until: int = 0) -> str:
    """The variant with the lowest mean; "" where none has run."""
    means = {v: statistics.fmean(values.values()) for v in variants if (values := last(rows, v, metric, until))}
    return min(means, key=means.get, default="")


def beats(metric: str, ours: tuple[str, ...], rivals: tuple[str, ...], until: int = 0) -> Callable[[list[dict]], Verdict]:
    """The best of `ours` is lower than the best of `rivals`, at the end or at step `until`."""

    def check(rows: list[dict]) -> Verdict:
        low, high = best(rows, metric, ours, until), best(rows, metric, rivals, until)
        gaps = differences(rows, low, high, metric, until) if low and high else []
        numbers = {f"{v}, {metric}": summary(list(last(rows, v, metric, until).values())) for v in (low, high) if v}
        return Verdict(judge(gaps), numbers | ({f"{high} - {low}": summary(gaps)} if gaps else {}))

    return check


def summary(values: list[float]) -> dict:
    """Mean, standard deviation and every value."""
    if not values:
        return {"mean": None, "sd": None, "values": []}
    sd = statistics.stdev(values) if len(values) > 1 else 0.0
    return {"mean": statistics.fmean(values), "sd": sd, "values": values}
