"""Programs as words and the trace task: what is written is what ran, a rollout is what a plain loop finds, nothing measured was
practised."""

import random

import pytest
import torch

from core.errors import SpecError
from core.model.model import build
from core.train.recipes import code_world_model as recipes
from core.train.tasks import frames, programs, toy, traces
from core.train.tasks.frames import INDEX, WORDS
from core.train.training import fresh

RECIPE = recipes.RECIPES[0]
MODEL = fresh(RECIPE, 3).eval()


def drawn(kind: str, lines: int, count: int) -> list[tuple[str, toy.Run]]:
    """Programs of a kind."""
    rng = random.Random(f"{kind} {lines}")
    return [programs.program(kind, lines, rng) for _ in range(count)]


def tokens(rows: list[list[int]]) -> torch.Tensor:
    """Rows of different lengths, padded."""
    longest = max(map(len, rows))
    return torch.tensor([row + [INDEX[frames.PAD]] * (longest - len(row)) for row in rows])


def test_a_program_is_written_as_the_glossary_shows_it():
    text = "a = 3\nb = a + 4\nif b > 5:\n    a = b\nelse:\n    a -= 1\n"
    source, trace = frames.traced(toy.parse(text), toy.run(toy.parse(text)))
    assert source[6:12] == ["line 2", "0>0", "b=", "a", "+", "4"] and source[12:18] == ["line 3", "0>1", "if", "b", ">", "5"]
    assert source[24:] == ["line 5", "0>1", "else", *"...", "line 6", "1>0", "a=", "a", "-", "1", ">>"]
    assert trace[:8] == ["a", "?", "b", "?", "c", "?", "d", "?"]
    assert trace[23:38] == ["line 2", "0>0", "b=", "a", "+", "4", ".", "a", "3", "b", "7", "c", "?", "d", "?"]
    assert (
        trace[38] == "line 3"
        and trace[44] == "yes"
        and trace[53] == "line 4"
        and trace[-1] == "end"
        and len(trace) == 8 + 4 * frames.FRAME + 1
    )


@pytest.mark.parametrize("kind", programs.KINDS)
def test_the_words_say_what_the_interpreter_did(kind):
    found = drawn(kind, 9, 12)
    true = traces.truth(tokens([traces.words("trace", *pair) for pair in found]))
    for b, (text, run) in enumerate(found):
        numbers = [i for i, line in enumerate(text.split("\n"), 1) if line]
        assert [numbers[i] for i in true.lines[b, : len(run.frames)]] == [frame.line for frame in run.frames]
        assert (true.lines[b, len(run.frames) :][:1] == len(numbers)).all()
        for s, frame in enumerate(run.frames):
            assert frame.held is None or bool(true.held[b, s]) == frame.held
            values = [int(WORDS[traces.CHOICES[i]]) if i < 10 else None for i in true.values[b, s]]
            assert values == [frame.after.get(name) for name in frames.NAMES]


@pytest.mark.parametrize(
    "text, why",
    [
        ("xs = [1]\n", "list"), ("a = 1\nif a < 2:\n  a = 2\nelif a < 3:\n  a = 3", "elif"), ("a = 1 + 2 + 3", "one operation"),
        ("a = 9\nb = a + 1", "from 0 to 9"), ("a = 12", "not for 12"), ("for i in range(1, 3):\n  a = i", "range with a start"),
        ("a=1\nb=1\nc=1\nd=1\ne=1", "room for 4 names"), ("a = 1\n" * 11, "room for 10 lines"),
        ("a = 0\nfor i in range(9):\n  a = 1\n  a = 2\n  a = 3", "room for 24 steps"),
    ],
)  # fmt: skip
def test_what_the_model_has_no_words_for_is_said(text, why):
    program = toy.parse(text)
    with pytest.raises(SpecError, match=why):
        frames.traced(program, toy.run(program))


def test_names_of_readers_are_the_models_in_order_of_appearance():
    assert frames.slots(toy.parse("total = 1\ni = total")) == {"total": "a", "i": "b"}
    assert frames.slots(toy.parse("d = 1\na = d")) == {"d": "d", "a": "a"}


@pytest.mark.parametrize("mode", ["trace", "answer"])
def test_only_lines_and_values_are_learned(mode):
    batch = tokens([traces.words(mode, *pair) for pair in drawn("while", 6, 8)])
    asked = traces.predicted(mode, batch)
    found = {WORDS[t] for t in batch[:, asked].flatten().tolist()} - {frames.PAD}
    allowed = {*frames.NUMBERS, frames.UNSET} | ({*frames.LINES, frames.END, frames.YES, frames.NO} if mode == "trace" else set())
    assert found <= allowed and frames.NUMBERS[0] in found
    assert int(asked.sum()) == (4 if mode == "answer" else len(asked[37 + 8 :]) // frames.FRAME * 6 + 1)


@torch.no_grad()
def likeliest(words: list[str], among) -> str:
    """The word that stands most likely next."""
    logits = MODEL(torch.tensor([[INDEX[w] for w in words]]))[0][0, -1]
    return max(among, key=lambda word: logits[INDEX[word]])


def test_a_rollout_is_what_a_loop_without_a_cache_finds():
    m = traces.held_out("if", 5, 4)
    said = traces.imagined(MODEL, m.source, 3)
    numbers = [*(f"line {i + 1}" for i in range(5)), frames.END]
    for b in range(4):
        words = [WORDS[t] for t in m.source[b].tolist()] + ["a", "?", "b", "?", "c", "?", "d", "?"]

        for s in range(said.lines.shape[1]):
            line = likeliest(words, numbers)
            assert numbers.index(line) == said.lines[b, s]
            at = min(numbers.index(line), 4)
            words += [line, *(WORDS[t] for t in m.source[b, 6 * at + 1 : 6 * at + 6].tolist())]
            holds = likeliest(words, [frames.NO, frames.YES])
            assert holds == (frames.NO, frames.YES)[said.held[b, s]]
            words.append(holds if words[-4] in ("if", "while", "for") else frames.PAD)
            for i, name in enumerate(frames.NAMES):
                words.append(name)
                words.append(likeliest(words, [*frames.NUMBERS, frames.UNSET]))
                assert WORDS[traces.CHOICES[said.values[b, s, i]]] == words[-1]


def test_the_true_history_gives_the_first_step_that_own_words_give():
    m = traces.held_out("for", 5, 8)
    own, true = traces.imagined(MODEL, m.source, 2), traces.forced(MODEL, m.tokens)
    assert (own.lines[:, 0] == true.lines[:, 0]).all()
    same = own.lines[:, 0] == traces.truth(m.tokens).lines[:, 0]
    assert (own.values[same, 0, 0] == true.values[same, 0, 0]).all()


def test_the_truth_is_right_and_a_changed_value_is_not():
    m = traces.held_out("nested", 7, 8)
    true = traces.truth(m.tokens)
    assert traces.right_at_the_end(true, true, 7).all() and traces.agreed(true, true, m.steps).sum() >= m.steps.sum()
    wrong = traces.Trace(true.lines, true.held, (true.values + 1) % 11, true.sure)
    assert not traces.right_at_the_end(wrong, true, 7).any() and not traces.agreed(wrong, true, m.steps)[:, 0].any()
    endless = traces.Trace(true.lines.clamp(max=6), true.held, true.values, true.sure)
    assert not traces.right_at_the_end(endless, true, 7).any()


def test_batches_follow_from_the_step_and_the_seed_alone():
    settings = dict(RECIPE.settings, stock=60, count=5, ramp=10)
    first = [traces.training_batch(s, torch.Generator().manual_seed(s), **settings)[0] for s in (0, 3, 40)]
    traces.pool.cache_clear()
    again = [traces.training_batch(s, torch.Generator().manual_seed(s), **settings)[0] for s in (40, 0, 3)]
    assert all(torch.equal(a, b) for a, b in zip(first, [again[1], again[2], again[0]]))
    assert (first[0][:, 18] == INDEX[">>"]).any() or (first[0][:, 24] == INDEX[">>"]).any()


def test_nothing_that_is_measured_was_practised():
    for kind in programs.KINDS:
        practised = {tuple(row) for row in traces.pool("trace", (kind,), 6, 120).tokens[:, :37].tolist()}
        assert not practised & {tuple(row) for row in traces.held_out(kind, 6).source.tolist()}


def test_evaluation_says_all_that_the_table_has():
    small = build(RECIPE.spec)
    metrics = traces.evaluate(small, "answer", ("straight",))
    assert {f"{kind}@{n}" for kind in programs.KINDS for n in traces.MEASURED} <= set(metrics)
    assert metrics[f"steps@{traces.BUCKETS[-1]}"] == "" and all(0 <= v <= 1 for v in metrics.values() if v != "")
