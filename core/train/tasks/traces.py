"""Predicting the state after every line of a program: the trace model's task, and its baseline's.

    mode "trace"    after the source: a frame a step, each the line that runs and the state after it
    mode "answer"   after the source: the last state alone

Both read the same programs (programs.py) in the same words (frames.py), and are trained by plain
cross-entropy on all that follows the source. A program gives the trace model as many words to learn from as its run is long; it
gives the other one eight.

Letters: B sequences, T tokens, L source lines, S steps of a run.
"""

import itertools
import random
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from core.train.task import Task
from core.train.tasks import frames, programs, toy
from core.train.tasks.frames import END, FRAME, INDEX, NAMES, NO, PAD, SOURCE_LINE, START, STATE, YES

MEASURED = (5, 7, 9)  # source lines at which is measured
BUCKETS = (4, 6, 8, 10, 12, 15, 18)  # trace lengths, up to so many steps
DRIFT = (1, 2, 4, 6, 8, 10, 12, 14, 16)  # steps of a run at which is measured
EACH = 60  # programs of every kind and number of lines
SEED = 7919  # of the programs that are practised; those for measuring are drawn with another


@dataclass(frozen=True)
class Pool:
    """Programs of one number of lines, as tokens after which PAD follows (N, T), shortest run first."""

    tokens: Tensor
    lengths: Tensor


@lru_cache(maxsize=32)
def pool(mode: str, kinds: tuple[str, ...], lines: int, count: int) -> Pool:
    """`count` programs to practise, made once a process."""
    rng, rows = random.Random(f"{SEED} {lines} {kinds}"), []
    fitting = [kind for kind in kinds if programs.shortest(kind) <= lines]
    for i in range(count):
        text, run = programs.program(fitting[i % len(fitting)], lines, rng)
        rows.append(words(mode, text, run))
    rows.sort(key=len)  # stable: kinds of the same length stay mixed
    lengths = torch.tensor([len(row) for row in rows])
    tokens = torch.full((count, int(lengths.max())), INDEX[PAD])
    for row, line in zip(tokens, rows):
        row[: len(line)] = torch.tensor(line)
    return Pool(tokens, lengths)


def words(mode: str, text: str, run: toy.Run) -> list[int]:
    """Source and what follows it, as tokens."""
    source, trace = frames.traced(toy.parse(text), run)
    return [INDEX[word] for word in source + (trace if mode == "trace" else trace[-1 - STATE : -1])]


def training_batch(step: int, generator, mode: str, kinds: tuple, count: int, ramp: int, stock: int, **_) -> tuple[Tensor]:
    """Programs of one number of lines, which grows over the first `ramp` steps; runs of about the same length: (B, T)."""
    low, high = programs.LENGTHS[0], programs.LENGTHS[-1]
    longest = min(high, low + 1 + step * (high - low) // ramp)
    lines = int(torch.randint(low, longest + 1, (1,), generator=generator))
    found = pool(mode, kinds, lines, stock)
    window = stock // 2
    start = int(torch.randint(stock - window + 1, (1,), generator=generator))
    rows = start + torch.randint(window, (count,), generator=generator)
    return (found.tokens[rows, : int(found.lengths[rows].max())],)


def loss(model, tokens: Tensor, mode: str, **_) -> Tensor:
    """Mean cross-entropy in nats of the values that are predicted and, in a trace, of the next lines as well."""
    target, logits = tokens[:, 1:], model(tokens[:, :-1])[0]
    asked = predicted(mode, tokens)[1:] & (target != INDEX[PAD])
    value = torch.isin(target, CHOICES)
    parts = [part for part in (asked & value, asked & ~value) if part.any()]
    return torch.stack([F.cross_entropy(logits[part], target[part]) for part in parts]).sum()


def predicted(mode: str, tokens: Tensor) -> Tensor:
    """Which places of a batch (B, T), all of one number of source lines, hold words that a model must find: (T,) bool."""
    after = torch.arange(tokens.shape[1]) - int((tokens[0] == INDEX[START]).nonzero()[0, 0]) - 1
    if mode == "answer":
        return (after > 0) & (after % 2 == 1)
    place = (after - STATE) % FRAME
    return (after >= STATE) & ((place == 0) | ((place >= SOURCE_LINE) & ((place - SOURCE_LINE) % 2 == 0)))


# A program in a model's head

CHOICES = torch.tensor([INDEX[w] for w in (*frames.NUMBERS, frames.UNSET)])
NAMED = torch.tensor([INDEX[name] for name in NAMES])
NUMBERED = torch.tensor([INDEX[w] for w in frames.LINES])
HEADS = torch.tensor([INDEX[w] for w in ("if", "while", "for")])  # lines that hold or do not
HELD = torch.tensor([INDEX[w] for w in (NO, YES)])


@dataclass(frozen=True)
class Trace:
    """What B programs of L lines do, step by step, as a model says or in truth: `lines` (B, S) the line that runs, from 0, and L
    where the program has ended; `held` (B, S) whether its condition holds, which means nothing at an assignment; `values`
    (B, S, 4) the places in CHOICES of what the names hold after it; `sure` (B, S, 6) the probability of each, 1 in truth."""

    lines: Tensor
    held: Tensor
    values: Tensor
    sure: Tensor


def likeliest(logits: Tensor, among: Tensor) -> tuple[Tensor, Tensor]:
    """The likeliest of some tokens, logits (..., V) -> its place among them, its probability."""
    sure, at = logits[..., among].softmax(-1).max(-1)
    return at, sure


def next_lines(lines: int) -> Tensor:
    """The words that may stand where a frame begins: every line of the program, or the end."""
    return torch.cat([NUMBERED[:lines], torch.tensor([INDEX[END]])])


@torch.no_grad()
def imagined(model, source: Tensor, steps: int) -> Trace:
    """Run programs, source (B, T) up to ">>", on the model's own words, for at most so many steps. The model picks which line is
    next, whether its condition holds, and every value; the text of that line and the names are filled in: they are no choice."""
    B, lines = len(source), source.shape[1] // SOURCE_LINE
    table, numbers = source[:, :-1].reshape(B, lines, SOURCE_LINE), next_lines(lines)
    unset = CHOICES[-1:].expand(B, 1)
    read = torch.cat([source, *(word for name in NAMED for word in (name.expand(B, 1), unset))], 1)
    state, ended = (), torch.zeros(B, dtype=torch.bool)
    found: list[tuple[Tensor, ...]] = []
    while len(found) < steps and not ended.all():
        logits, state = model(read, state)
        line, sure = likeliest(logits[:, -1], numbers)
        ended = ended | (line == lines)
        text = table[torch.arange(B), line.clamp(max=lines - 1), 1:]
        logits, state = model(torch.cat([numbers[line][:, None], text], 1), state)
        held, sure_held = likeliest(logits[:, -1], HELD)
        word = torch.where(torch.isin(text[:, 1], HEADS), HELD[held], INDEX[PAD])[:, None]
        values, chances, state, read = filled(model, word, state)
        found.append((line, held, values, torch.cat([sure[:, None], sure_held[:, None], chances], 1)))
    return Trace(*(torch.stack(part, 1) for part in zip(*found)))


def filled(model, before: Tensor, state: tuple) -> tuple[Tensor, Tensor, tuple, Tensor]:
    """After the words `before` (B, T) name after name gets its likeliest value -> values (B, 4), their probabilities, the state,
    and the last value, which is still to be read."""
    values, chances, read = [], [], before
    for name in NAMED:
        logits, state = model(torch.cat([read, name.expand(len(read), 1)], 1), state)
        at, sure = likeliest(logits[:, -1], CHOICES)
        values.append(at)
        chances.append(sure)
        read = CHOICES[at][:, None]
    return torch.stack(values, 1), torch.stack(chances, 1), state, read


@torch.no_grad()
def answered(model, source: Tensor) -> tuple[Tensor, Tensor]:
    """The last state of programs by a model that gives no trace: values (B, 4), their probabilities."""
    return filled(model, source, ())[:2]


@torch.no_grad()
def forced(model, tokens: Tensor) -> Trace:
    """What a model predicts at every step of true traces (B, T): it reads what really happened before."""
    lines, begins, held, values = places(tokens)
    logits = model(tokens)[0]
    line, sure = likeliest(logits[:, begins - 1], next_lines(lines))
    outcome, sure_held = likeliest(logits[:, held - 1], HELD)
    value, chances = likeliest(logits[:, values - 1], CHOICES)
    return Trace(line, outcome, value, torch.cat([sure[..., None], sure_held[..., None], chances], -1))


def truth(tokens: Tensor) -> Trace:
    """What true traces (B, T) say themselves."""
    lines, begins, held, values = places(tokens)
    at = (tokens[:, begins, None] == NUMBERED[:lines]).long()
    line = torch.where(at.any(-1), at.argmax(-1), lines)
    value = (tokens[:, values, None] == CHOICES).long().argmax(-1)
    return Trace(line, (tokens[:, held] == HELD[1]).long(), value, torch.ones(*line.shape, 2 + len(NAMES)))


def places(tokens: Tensor) -> tuple[int, Tensor, Tensor, Tensor]:
    """Traces (B, T) of one number of lines -> lines, and where frames begin (S,), say what held (S,), and values (S, 4); the end
    counts as a frame, of which only the first place means anything."""
    lines = int((tokens[0] == INDEX[START]).nonzero()[0, 0]) // SOURCE_LINE
    begins = torch.arange(lines * SOURCE_LINE + 1 + STATE, tokens.shape[1], FRAME)
    last = tokens.shape[1] - 1
    values = begins[:, None] + SOURCE_LINE + 2 * torch.arange(1, 1 + len(NAMES))
    return lines, begins, (begins + SOURCE_LINE).clamp(max=last), values.clamp(max=last)


# Measuring


@dataclass(frozen=True)
class Measured:
    """Programs of one kind and number of lines that no model was trained on: `source` (B, T), `tokens` (B, T) with the trace and
    PAD after it, `steps` (B,) of each."""

    source: Tensor
    tokens: Tensor
    steps: Tensor


@lru_cache(maxsize=32)
def held_out(kind: str, lines: int, each: int = EACH) -> Measured:
    """So many programs for measuring, the same in every process."""
    rng = random.Random(f"held out {kind} {lines}")
    drawn = [programs.program(kind, lines, rng, held_out=True) for _ in range(each)]
    rows = [words("trace", text, run) for text, run in drawn]
    longest = max(map(len, rows))
    tokens = torch.tensor([row + [INDEX[PAD]] * (longest - len(row)) for row in rows])
    return Measured(tokens[:, : lines * SOURCE_LINE + 1], tokens, torch.tensor([len(run.frames) for _, run in drawn]))


def right_at_the_end(said: Trace, true: Trace, lines: int) -> Tensor:
    """Does what is said end, with every name as it truly is in the end? (B,) bool."""
    ended = (said.lines == lines).any(1)
    return ended & (last_values(said, lines) == last_values(true, lines)).all(1)


def last_values(trace: Trace, lines: int) -> Tensor:
    """What the names hold when a program ends, or at the last step there is: (B, 4)."""
    over = trace.lines == lines
    last = torch.where(over.any(1), over.long().argmax(1) - 1, trace.lines.shape[1] - 1).clamp(min=0)
    return trace.values[torch.arange(len(last)), last]


def agreed(said: Trace, true: Trace, steps: Tensor) -> Tensor:
    """Which steps of a run are right, line and all values: (B, S) bool, S the longest true run; False where nothing is said."""
    S = int(steps.max())
    right = torch.zeros(len(steps), S, dtype=torch.bool)
    n = min(S, said.lines.shape[1])
    right[:, :n] = (said.lines[:, :n] == true.lines[:, :n]) & (said.values[:, :n] == true.values[:, :n]).all(-1)
    return right


@torch.no_grad()
def evaluate(model, mode: str, kinds: tuple[str, ...], **_) -> dict:
    """On programs that nobody was trained on: how often the last state is right, by kind and lines, and by the steps of the run
    over the kinds that were practised; for a trace model also each step, on its own words and after the true history."""
    finals, practised, by_step = {}, [], []
    for kind, lines in itertools.product(programs.KINDS, MEASURED):
        m = held_out(kind, lines)
        true = truth(m.tokens)
        if mode == "answer":
            final = (answered(model, m.source)[0] == last_values(true, lines)).all(1)
        else:
            said = imagined(model, m.source, int(m.steps.max()) + 1)
            final = right_at_the_end(said, true, lines)
            by_step += [(m.steps, agreed(said, true, m.steps), agreed(forced(model, m.tokens), true, m.steps))] * (kind in kinds)
        finals[f"{kind}@{lines}"] = right_share(final)
        practised += [(m.steps, final)] * (kind in kinds)
    steps, final = (torch.cat(part) for part in zip(*practised))
    lengths = {f"steps@{n}": right_share(final[(low < steps) & (steps <= n)]) for low, n in zip((0, *BUCKETS), BUCKETS)}
    return finals | lengths | (drift(by_step) if by_step else {})


def right_share(right: Tensor) -> float | str:
    """The share of right ones, "" of none."""
    return right.double().mean().item() if len(right) else ""


def drift(by_step: list[tuple[Tensor, Tensor, Tensor]]) -> dict:
    """How often step s is right, of runs that have so many: on the model's own words, and after the true history."""
    metrics = {}
    for s in DRIFT:
        for name, which in (("own", 1), ("true", 2)):
            parts = [found[which][found[0] >= s, s - 1] for found in by_step if found[which].shape[1] >= s]
            metrics[f"{name}@{s}"] = right_share(torch.cat([*parts, torch.zeros(0, dtype=torch.bool)]))
    return metrics


TASK = Task("traces", training_batch, loss, evaluate)
