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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

SHOWS, UNCLEAR, NOT = "shows", "unclear", "does not show"


@dataclass(frozen=True)
class Level:
    """A metric of one variant, one value a seed."""

    variant: str
    metric: str

    @property
    def key(self) -> str:
        """As a file names it."""
        return f"{self.variant}, {self.metric}"


@dataclass(frozen=True)
class Gap:
    """How far one level lies above another, seed by seed: of two variants, or of two metrics of one variant."""

    high: Level
    low: Level

    @property
    def ends(self) -> tuple[str, str]:
        """What tells the two levels from each other: their variants, or their metrics where the variant is the same."""
        if self.high.variant != self.low.variant:
            return self.high.variant, self.low.variant
        return self.high.metric, self.low.metric

    @property
    def key(self) -> str:
        """As a file names it."""
        return " - ".join(self.ends)


Number = TypeVar("Number", bound=Level | Gap)


@dataclass(frozen=True)
class Verdict:
    """The outcome of a rule, and the numbers it rests on: a summary of each level and gap."""

    outcome: str
    numbers: dict[Level | Gap, dict]


@dataclass(frozen=True)
class Rule:
    """A check of a table, and what it is called: "every, at least and at most"."""

    name: str
    check: Callable[[list[dict]], Verdict]

    def __call__(self, rows: list[dict]) -> Verdict:
        """What a table says."""
        return self.check(rows)


@dataclass(frozen=True)
class Claim:
    """One sentence of the talk or of a paper, and the check on our table."""

    sentence: str
    check: Rule

    @property
    def rule(self) -> str:
        """What the check is called."""
        return self.check.name


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
    found = summary(gaps)
    if len(gaps) < 2 or found["mean"] <= 0:
        return NOT if gaps and found["mean"] <= 0 else UNCLEAR
    return SHOWS if min(gaps) > 0 and found["mean"] > 2 * found["sd"] else UNCLEAR


def worst(outcomes: list[str]) -> str:
    """The weakest of several verdicts."""
    return max(outcomes, key=(SHOWS, UNCLEAR, NOT).index, default=UNCLEAR)


def values(rows: list[dict], level: Level, until: int = 0) -> list[float]:
    """A level, one value a seed."""
    return list(last(rows, level.variant, level.metric, until).values())


def differences(rows: list[dict], gap: Gap, until: int = 0) -> list[float]:
    """A gap, one value for each seed that both of its levels have."""
    low, high = (last(rows, level.variant, level.metric, until) for level in (gap.low, gap.high))
    return [high[seed] - low[seed] for seed in sorted(set(low) & set(high))]


def between(metric: str, low: str, high: str) -> Gap:
    """The gap of a metric between two variants."""
    return Gap(Level(high, metric), Level(low, metric))


def ordered(metric: str, *variants: str) -> Rule:
    """The metric rises along the variants."""

    def check(rows: list[dict]) -> Verdict:
        steps = (between(metric, low, high) for low, high in zip(variants, variants[1:]))
        gaps = {gap: differences(rows, gap) for gap in steps}
        levels = {level: values(rows, level) for level in (Level(v, metric) for v in variants)}
        return Verdict(worst([judge(each) for each in gaps.values()]), summaries(levels | gaps))

    return Rule("ordered", check)


def lower(by: float, low: tuple[str, str], high: tuple[str, str]) -> Rule:
    """The first (variant, metric) lies at least `by` below the second; with 0 simply below."""

    def check(rows: list[dict]) -> Verdict:
        gap = Gap(Level(*high), Level(*low))
        gaps = differences(rows, gap)
        levels = {level: values(rows, level) for level in (gap.low, gap.high)}
        return Verdict(judge([each - by for each in gaps]), summaries(levels | {gap: gaps}))

    return Rule("lower", check)


def at_least(metric: str, bound: float, *variants: str) -> Rule:
    """Every run of the variants reaches the bound."""
    return Rule("at least", bounded(metric, lambda value: value >= bound, variants))


def at_most(metric: str, bound: float, *variants: str) -> Rule:
    """Every run of the variants stays at or below the bound."""
    return Rule("at most", bounded(metric, lambda value: value <= bound, variants))


def bounded(metric: str, keeps: Callable[[float], bool], variants: tuple[str, ...]) -> Callable[[list[dict]], Verdict]:
    """Every run of the variants keeps a bound, and each variant has runs."""

    def check(rows: list[dict]) -> Verdict:
        runs = {level: values(rows, level) for level in (Level(v, metric) for v in variants)}
        passed = [keeps(value) for each in runs.values() for value in each]
        outcome = SHOWS if all(passed) and all(runs.values()) else NOT if passed and not any(passed) else UNCLEAR
        return Verdict(outcome, summaries(runs))

    return check


def every(*checks: Rule) -> Rule:
    """All of the checks: the weakest verdict and the numbers of each."""

    def check(rows: list[dict]) -> Verdict:
        verdicts = [c(rows) for c in checks]
        return Verdict(worst([v.outcome for v in verdicts]), {k: n for v in verdicts for k, n in v.numbers.items()})

    return Rule("every, " + " and ".join(dict.fromkeys(each.name for each in checks)), check)


def closes(metric: str, early: tuple[str, str], late: tuple[str, str]) -> Rule:
    """The gap of the pair `late` (low, high) is less than half of that of the pair `early`."""

    def check(rows: list[dict]) -> Verdict:
        gaps = {gap: differences(rows, gap) for gap in (between(metric, *early), between(metric, *late))}
        before, after = gaps.values()
        return Verdict(judge([b / 2 - a for b, a in zip(before, after)]), summaries(gaps))

    return Rule("closes", check)


def best(rows: list[dict], metric: str, variants: tuple[str, ...], until: int = 0) -> str:
    """The variant with the lowest mean; "" where none has run."""
    means = {v: statistics.fmean(found) for v in variants if (found := values(rows, Level(v, metric), until))}
    return min(means, key=lambda v: means[v], default="")


def beats(metric: str, ours: tuple[str, ...], rivals: tuple[str, ...], until: int = 0) -> Rule:
    """The best of `ours` is lower than the best of `rivals`, at the end or at step `until`."""

    def check(rows: list[dict]) -> Verdict:
        low, high = best(rows, metric, ours, until), best(rows, metric, rivals, until)
        gap = between(metric, low, high)
        gaps = differences(rows, gap, until) if low and high else []
        levels = {level: values(rows, level, until) for level in (gap.low, gap.high) if level.variant}
        return Verdict(judge(gaps), summaries(levels | ({gap: gaps} if gaps else {})))

    return Rule("beats", check)


def summaries(found: Mapping[Number, list[float]]) -> dict[Level | Gap, dict]:
    """The summary of each."""
    return {number: summary(each) for number, each in found.items()}


def summary(values: list[float]) -> dict:
    """Mean, standard deviation of a sample (divided by n - 1) and every value."""
    if not values:
        return {"mean": None, "sd": None, "values": []}
    sd = statistics.stdev(values) if len(values) > 1 else 0.0
    return {"mean": statistics.fmean(values), "sd": sd, "values": values}
