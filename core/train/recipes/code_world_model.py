"""Code world models: how its models are trained, and what their table should show: a model that predicts the state after every
line, against one of the same size that is asked for the last state alone."""

from core.model.blocks import Window
from core.model.ffn.dense import Dense
from core.model.mixers.attention import Attention
from core.model.rope import Rope
from core.model.spec import Layer, ModelSpec
from core.train.mechanism import Mechanism, Spelling
from core.train.rules import Claim, Level, Rule, Verdict, at_least, every, lower, ordered
from core.train.tasks import frames, programs, traces
from core.train.training import Recipe

WIDTH, HEADS, HEAD, HIDDEN = 64, 4, 16, 128
NEAR, FAR = 4, 16  # taps of the convolutions: of one line, and of one frame
BOUND, GAP, FAILED = 0.9, 0.3, 0.5
LONGEST = 9  # lines of the programs that claims are about
MIXED = programs.KINDS
STRAIGHT = ("straight",)
WIDE = Layer(Attention(HEADS, HEADS, HEAD, HEAD, Rope(HEAD)), Dense(HIDDEN), input_conv=FAR)
LOCAL = Layer(Attention(HEADS, HEADS, HEAD, HEAD, reach=Window(frames.FRAME)), Dense(HIDDEN), input_conv=NEAR)
FULL = Layer(Attention(HEADS, HEADS, HEAD, HEAD, Rope(HEAD)), Dense(HIDDEN), input_conv=NEAR)
# two layers that see one frame and one that sees everything, as CWM alternates; the model without a trace sees all its source
LAYERS = {"trace": (LOCAL, LOCAL, WIDE), "answer": (FULL, FULL, WIDE)}

STOCK = {"trace": 4000, "answer": 10_000}  # programs of each length: no model sees many of its programs twice


def practised(variant: str, mode: str, kinds: tuple[str, ...], steps: int, count: int) -> Recipe:
    """A model for programs of these kinds; `mode` says whether it gives the whole trace or the last state."""
    spec = ModelSpec(variant, WIDTH, len(frames.WORDS), LAYERS[mode])
    settings = {"mode": mode, "kinds": kinds, "count": count, "ramp": steps // 3, "stock": STOCK[mode]}
    return Recipe(variant, spec, traces.TASK, steps, 4e-3, settings, embed_std=0.5, evaluate_every=steps)


TRACE, ANSWER = "code-trace", "code-answer"
TRACE_STRAIGHT, ANSWER_STRAIGHT = "code-trace-straight", "code-answer-straight"
RECIPES = (
    practised(TRACE, "trace", MIXED, 1500, 16),
    practised(ANSWER, "answer", MIXED, 1500, 48),
    practised(TRACE_STRAIGHT, "trace", STRAIGHT, 1500, 16),
    practised(ANSWER_STRAIGHT, "answer", STRAIGHT, 1500, 48),
)


def at_longest(kind: str) -> str:
    """The metric of a kind of program at the longest length."""
    return f"{kind}@{LONGEST}"


def levels(check: Rule) -> Rule:
    """A check without its gaps, which are named by their variants and so alike for every kind of program."""

    def checked(rows: list[dict]) -> Verdict:
        verdict = check(rows)
        return Verdict(verdict.outcome, {n: s for n, s in verdict.numbers.items() if isinstance(n, Level)})

    return Rule(check.name, checked)


CLAIMS = (
    Claim(
        f"A model trained on straight lines alone has the last state of {LONGEST} lines right at least .9 of the time on its own "
        "words",
        at_least(at_longest("straight"), BOUND, TRACE_STRAIGHT),
    ),
    Claim(
        f"It is ahead of the model that reads the source and answers at once by at least .3 at {LONGEST} lines",
        lower(GAP, (ANSWER_STRAIGHT, at_longest("straight")), (TRACE_STRAIGHT, at_longest("straight"))),
    ),
    Claim(
        f"Trained on branches and loops as well, it still has {LONGEST} straight lines right at least .9 of the time",
        at_least(at_longest("straight"), BOUND, TRACE),
    ),
    Claim(
        "With branches and loops tracing still beats answering at once, on every kind of program",
        levels(every(*(ordered(at_longest(kind), ANSWER, TRACE) for kind in MIXED))),
    ),
    Claim(
        f"No kind of program fails: each is right at least half of the time at {LONGEST} lines",
        every(*(at_least(at_longest(kind), FAILED, TRACE) for kind in MIXED)),
    ),
    Claim(
        "Errors add up: at step 8 a model that reads the true history is right more often than one that reads its own words",
        lower(0.0, (TRACE, "own@8"), (TRACE, "true@8")),
    ),
)

NAMES = {
    TRACE: "trace", ANSWER: "answer at once", TRACE_STRAIGHT: "trace, straight lines only",
    ANSWER_STRAIGHT: "answer at once, straight lines only",
}  # fmt: skip
KINDS = {
    "straight": "straight lines", "if": "if and else", "for": "for", "while": "while", "nested": "if inside a loop",
}  # fmt: skip


def measure(name: str) -> str:
    """A metric as it is written."""
    what, _, n = name.partition("@")
    steps = {"own": "step {} on its own words", "true": "step {} after the true history", "steps": "runs of up to {} steps"}
    return steps[what].format(n) if what in steps else f"{KINDS[what]}, {n} lines"


MECHANISM = Mechanism(
    "code_world_model",
    RECIPES,
    CLAIMS,
    papers=("2510.02387",),
    spelling=Spelling(NAMES, measure),
)
