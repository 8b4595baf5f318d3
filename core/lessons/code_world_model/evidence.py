"""What a trace costs, in our model and in CWM 32B; what our runs show of tracing against answering at once; what was printed.

Letters: S steps of a run, L lines.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from core.count import cost
from core.lessons import sliding_window
from core.lessons.code_world_model.lesson import OWN, TRUE
from core.model.blocks import Window
from core.model.decoding.autoregressive import elements
from core.model.mixers.attention import Attention
from core.real import catalogue
from core.train import evidence, zoo
from core.train.recipes import code_world_model as recipes
from core.train.tasks import frames, traces

CWM = "cwm-32b"
FACTS = "code_world_model"
MODELS, KINDS = recipes.NAMES, recipes.KINDS


# Count


@dataclass(frozen=True)
class Price:
    """What reading and writing a number of tokens takes: tokens, cache bytes in float32, FLOPs of all of them."""

    tokens: int
    bytes: int
    flops: int


def price(variant: str, tokens: int) -> Price:
    """So many tokens by a model, each read once with the cache."""
    spec = zoo.recipe(variant).spec
    counted = cost.count(spec, tokens, cache_dtype="float32")
    flops = sum(cost.count(spec, n).flops_per_token for n in range(1, tokens + 1))
    return Price(tokens, counted.cache_bytes, flops)


@lru_cache(maxsize=256)
def prices(lines: int, steps: int) -> dict[str, Price]:
    """A program answered at once, and traced."""
    source = lines * frames.SOURCE_LINE + 1
    return {
        "answer": price(recipes.ANSWER, source + frames.STATE),
        "trace": price(recipes.TRACE, source + frames.STATE + steps * frames.FRAME),
    }


def cache_by_steps(lines: int, steps: np.ndarray) -> dict[str, np.ndarray]:
    """Cache bytes of our model after a program of so many lines and each number of steps, traced and answered at once."""
    start = lines * frames.SOURCE_LINE + 1 + frames.STATE
    kept = {n: cached(start + int(n) * frames.FRAME) for n in steps}
    at_once = cached(start, recipes.ANSWER)
    return {"trace, B": np.array([kept[n] for n in steps]), "answer at once, B": np.full(len(steps), at_once)}


def cached(tokens: int, variant: str = recipes.TRACE) -> int:
    """Cache bytes of a model of ours after so many tokens, float32."""
    return cost.count(zoo.recipe(variant).spec, tokens, cache_dtype="float32").cache_bytes


def windows_text() -> str:
    """Which layers of our models keep what."""
    spec = zoo.recipe(recipes.TRACE).spec
    near = [m.reach.size for m in spec.parts(Attention) if isinstance(m.reach, Window)]
    return (
        f"{len(near)} of the trace model's {len(spec.layers)} layers keep the last {near[0]} words, one frame, "
        "as CWM's windows do; the model that answers at once keeps its whole source in all layers."
    )


@lru_cache(maxsize=1)
def counted_and_measured() -> tuple[int, int]:
    """Cache bytes after MEASURED_AT words: as counted, and in the tensors of the live model."""
    model = zoo.load(recipes.TRACE)
    with torch.no_grad():
        kept = elements(model(torch.zeros(1, MEASURED_AT, dtype=torch.long))[1])
    return cached(MEASURED_AT), 4 * sum(kept[name] for name in model.spec.cache_names())


MEASURED_AT = 200
LINE_WORDS, FRAME_WORDS = frames.SOURCE_LINE, frames.FRAME


def context() -> int:
    """The longest context that CWM was made for."""
    return catalogue.entries()[CWM].reading.context


def latex(f: sliding_window.Formula, digits, text) -> str:
    """The cache of CWM with its numbers put in; `digits` writes a whole number, `text` bytes."""
    full, local = (next(t for t in f.terms if t.kind == kind) for kind in ("full", "sliding"))
    return (
        r"\begin{aligned} & \underbrace{%d}_{\text{KV heads}} \cdot \underbrace{(%d + %d)}_{\text{key, value}} \cdot "
        r"\underbrace{2\,\text{B}}_{\text{bf16}} \\ & \cdot \Big( \underbrace{%d \cdot %s}_{\text{full layers}} + "
        r"\underbrace{%d \cdot %s}_{\text{windows: } \min(n,\, w)} \Big) \\ & = \text{%s} \end{aligned}"
        % (
            full.kv_heads, full.k_dim, full.v_dim, full.layers, digits(full.tokens), local.layers, digits(local.tokens),
            text(f.bytes),
        )
    )  # fmt: skip


def supervised(steps: int) -> dict[str, int]:
    """Words of one program of so many steps that a model is trained on, conditions left out: {answer, trace}."""
    return {"answer": len(frames.NAMES), "trace": steps * (1 + len(frames.NAMES)) + 1}


# Prove


variant_label = recipes.MECHANISM.spelling.variant


def by_kind(variant: str) -> dict[str, dict[int, list[float]]]:
    """{kind: {lines: share of right last states, one a seed}} of a variant."""
    return {kind: {n: evidence.final(FACTS, variant, f"{kind}@{n}") for n in traces.MEASURED} for kind in KINDS}


def by_lines(kind: str, variants: tuple[str, ...]) -> dict[str, dict[int, list[float]]]:
    """{variant: {lines: share of right last states}} on one kind of program."""
    return {v: {n: evidence.final(FACTS, v, f"{kind}@{n}") for n in traces.MEASURED} for v in variants}


def by_steps() -> dict[str, dict[int, list[float]]]:
    """{variant: {up to so many steps: share of right last states}} over all kinds of program, tracing and answering."""
    return {v: {n: evidence.final(FACTS, v, f"steps@{n}") for n in traces.BUCKETS} for v in (recipes.TRACE, recipes.ANSWER)}


def drift() -> dict[str, dict[int, list[float]]]:
    """{history: {step: share of right steps}}."""
    return {
        history: {s: evidence.final(FACTS, recipes.TRACE, f"{key}@{s}") for s in traces.DRIFT}
        for history, key in ((OWN, "own"), (TRUE, "true"))
    }


def failed() -> list[str]:
    """Kinds of program that the shipped model has right less than half of the time at the longest length, with their mean."""
    means = {kind: np.mean(runs[recipes.LONGEST]) for kind, runs in by_kind(recipes.TRACE).items() if runs[recipes.LONGEST]}
    return [f"{KINDS[kind]} ({mean:.0%})" for kind, mean in means.items() if mean < recipes.FAILED]


def length_text() -> str:
    """How often the last state of short and of long runs is right, by both ways."""
    parts = []
    for variant, runs in by_steps().items():
        means = [(n, np.mean(values)) for n, values in runs.items() if values]
        if means:
            (short, first), (long, last) = means[0], means[-1]
            parts.append(f"{variant_label(variant)}: {first:.0%} of runs of up to {short} steps, {last:.0%} of up to {long}")
    return "; ".join(parts).capitalize() + "."


def kinds_text() -> str:
    """Which kinds of program fail."""
    lost = failed()
    bound = f"right less than {recipes.FAILED:.0%} of the time at {recipes.LONGEST} lines"
    return f"Failed, {bound}: {', '.join(lost)}." if lost else f"No kind is {bound}."


def kind_rows() -> tuple[tuple[str, ...], list[tuple]]:
    """Every kind of program and every model: mean share of right last states at the longest length; failures are marked."""
    rows = []
    for kind, name in KINDS.items():
        cells = [evidence.final(FACTS, v, f"{kind}@{recipes.LONGEST}") for v in MODELS]
        rows.append((name, *(share_text(float(np.mean(values))) if values else "—" for values in cells)))
    return ("kind", *MODELS.values()), rows


def share_text(mean: float) -> str:
    """A share in words; below FAILED it is a failure."""
    return f"{mean:.2f}" if mean >= recipes.FAILED else f"{mean:.2f} failed"


def budget_rows() -> tuple[tuple[str, ...], list[tuple]]:
    """What each model was trained on: steps, programs, words read, words to learn from."""
    rows = []
    for variant, name in MODELS.items():
        recipe = zoo.recipe(variant)
        programs_ = recipe.steps * recipe.settings["count"]
        words = supervised(TYPICAL)[recipe.settings["mode"]]
        rows.append((name, f"{recipe.steps:,}", f"{programs_:,}", f"{words}"))
    return ("model", "steps", "programs", f"words to learn from in a run of {TYPICAL} steps"), rows


TYPICAL = 9


def budget_text() -> str:
    """The caution that belongs to the comparison."""
    few, many = (supervised(TYPICAL)[mode] for mode in ("answer", "trace"))
    more = zoo.recipe(recipes.ANSWER).settings["count"] / zoo.recipe(recipes.TRACE).settings["count"]
    return (
        f"The model that answers at once gets far fewer words to learn from: {few} a program, against {many} of a trace of "
        f"{TYPICAL} steps. It sees {more:g} times as many programs, each of which is about as much shorter; so the gap is one of "
        "supervision as well as of reading its own intermediate states."
    )


GUIDE = "https://github.com/facebookresearch/cwm/blob/7930e0298bf32aae28cc0e35e18a54c772603364/evals/README.md"


def scaling_text() -> str:
    """What stands between CWM's two numbers on SWE-bench Verified."""
    scores, how = evidence.published(FACTS)[:2]
    alone, scaled = (row[1] for row in scores["rows"][:2])
    counts = "; ".join(f"{what} {number}" for what, number in how["rows"])
    return (
        f"{alone} is the model's answer as it comes; {scaled} is one picked from many. For each problem: {counts}. Compare "
        f"{alone} with what other models score alone."
    )


@dataclass(frozen=True)
class User:
    """A model of the catalogue: its layers in words, its cache at CWM's longest context."""

    entry: catalogue.Entry
    layers: str
    cache: str


def users(text) -> list[User]:
    """CWM first, then the other models that alternate windows with full attention; `text` writes bytes."""
    keys = [CWM, *(key for key in sliding_window.users() if key != CWM)]
    found = (sliding_window.real_model(key, context()) for key in keys)
    return [
        User(catalogue.entries()[r.key], f"{r.local} windows of {r.window:,}, {r.full} full", text(r.released))
        for r in found
        if r.full
    ]
