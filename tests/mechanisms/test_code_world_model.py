"""What the page on code world models says of a program: the true run is the interpreter's, the model's is the task's, and what
was never practised is named."""

import random

import numpy as np
import pytest
import torch

from app import state
from core.count import cost
from core.errors import SpecError
from core.lessons.code_world_model import evidence as proved
from core.lessons.code_world_model import lesson
from core.train import evidence, zoo
from core.train.recipes import code_world_model as recipes
from core.train.rules import Level
from core.train.tasks import frames, programs, toy, traces
from tests.mechanisms.page import Page, Screen, bad

PAGE = Page(
    "code_world_model",
    ends=({"at": "0"}, {"at": "9", "reads": "true history"}),
    controls="at reads program cw-program-text cw-surprise-program cw-pick-programs",
    preset=("While", {"program": "while"}),
    links=(
        "at=3&reads=true+history",
        "program=while&at=5",
        "at=2&s=.ePkAaABFU8pTsFUwisnLBlJ5CtoKxjF55RmZOalAjo2CmVVMngIQ5EEl4ep0FbKVAL4hDrU",
    ),
    nonsense=bad(("at", "99"), ("at", "x"), ("program", "x"), ("reads", "x"), ("s", "x")),
    source=("def imagined", "arXiv 2510.02387"),
    users=lambda: [u.entry.name for u in proved.users(str)],
    stated=False,
    fresh=lambda n: {"s": state.pack(lesson.surprise(random.Random(n)), "")},
    screen=Screen(
        figure="trace",
        moves=("trace",),
        alt=("Lines and states of a program of 9 lines over 9 steps, marked after step 9",),
        linked="at reads program section v",
    ),
)

WHILE = lesson.EXAMPLES["while"]
READABLE = [name for name, text in lesson.EXAMPLES.items() if not lesson.read(text).problem]


def test_examples_are_read_and_presets_are_examples():
    assert set(lesson.PRESETS.values()) <= set(lesson.EXAMPLES)
    assert [name for name in lesson.EXAMPLES if lesson.read(lesson.EXAMPLES[name]).problem] == ["a list, never practised"]
    unseen = [name for name in READABLE if lesson.read(lesson.EXAMPLES[name]).unseen]
    assert unseen == ["times, never practised"]


@pytest.mark.parametrize("name", READABLE)
def test_the_true_history_gives_a_step_for_every_step_and_own_words_as_many_until_they_end(name):
    scene = lesson.read(lesson.EXAMPLES[name])
    for history in lesson.HISTORIES:
        told = lesson.model_trace(scene.source, history)
        assert len(told.right) == scene.steps and len(told.steps) <= scene.steps + 1
        assert told.parted == next((s for s, ok in enumerate(told.right, 1) if not ok), 0)
        assert all(0 <= p <= 1 for step in told.steps for p in (step.sure_line, *step.sure.values()))


def test_own_words_and_true_history_agree_up_to_the_first_wrong_step():
    for name in READABLE:
        own, true = (lesson.model_trace(lesson.EXAMPLES[name], history) for history in lesson.HISTORIES)
        upto = own.parted or own.scene.steps
        for a, b in zip(own.steps[:upto], true.steps):
            if a is own.steps[upto - 1] and own.parted:
                assert a.line == b.line  # the line is picked before anything was wrong
            else:
                assert (a.line, a.values) == (b.line, b.values)


def test_the_view_marks_what_changed_and_what_is_wrong():
    scene = lesson.read(WHILE)
    view = lesson.view(scene, lesson.model_trace(WHILE, lesson.TRUE))
    assert view.true_lines == tuple(frame.line for frame in scene.run.frames)
    assert all(row[0] == ("", None) for row in view.true_cells)
    first = view.true_cells[view.names.index("a")]
    assert first[1] == ("8", lesson.CHANGED) and first[2] == ("8", lesson.STAYS)
    wrong = lesson.cell([{}, {"a": 3}], 1, "a", [{}, {"a": 4}])
    assert wrong == ("3", lesson.WRONG) and lesson.cell([{}], 0, "a", [{}]) == ("", None)
    assert lesson.cell([{}, {}], 1, "a", [{}, {"a": 1}]) == ("–", lesson.WRONG)
    lengths = {len(values) for values in lesson.table(view).values()}
    assert lengths == {scene.steps + 1}


@pytest.mark.parametrize(
    "text, said",
    [
        ("a = 2\nb = a * 3\nc = b", "the sign *"), ("a = 2\nif a <= 3:\n    a = 1", "the sign <="), ("a = 2\nb = a", "2 lines"),
        ("a = 1\nb = 2\nif a < b:\n    a = 0", "with a name"), ("a = 1\nfor i in range(5):\n    a = 2", "range of other"),
        ("a = 0\nif a < 2:\n    a = 1\nif a < 2:\n    a = 2", "more than one block"),
        ("a = 0\nfor i in range(2):\n    for j in range(2):\n        a = 1", "nested in another way"),
        ("a = 0\nwhile a < 6:\n    a = a + 1\n    b = a", "steps (it practised"),
    ],
)  # fmt: skip
def test_what_was_never_practised_is_named(text, said):
    assert said in ", ".join(lesson.read(text).unseen)


def test_generated_programs_are_practised_ones():
    rng = random.Random(2)
    for _ in range(40):
        scene = lesson.read(lesson.surprise(rng))
        assert not scene.problem and not scene.unseen and programs.is_for_measuring(scene.source)


def test_names_of_the_reader_stand_in_what_the_model_says():
    text = "total = 4\nstep = 2\ntotal = total + step\nrest = total - 1\n"
    said = lesson.model_trace(text, lesson.OWN)
    assert set(said.steps[0].values) == {"total", "step", "rest"} and set(lesson.answer(text)[0]) == {"total", "step", "rest"}
    assert lesson.state_rows(said.scene, said, 3)[1][0][:3] == ("total", "4", "6")


def test_counted_is_measured_and_a_trace_costs_more_with_every_step():
    counted, measured = proved.counted_and_measured()
    assert counted == measured
    steps = np.arange(5)
    cached = proved.cache_by_steps(6, steps)
    spec = zoo.recipe(recipes.TRACE).spec
    tokens = 6 * frames.SOURCE_LINE + 1 + frames.STATE + 4 * frames.FRAME
    assert cached["trace, B"][4] == cost.count(spec, tokens, cache_dtype="float32").cache_bytes
    assert (np.diff(cached["trace, B"]) > 0).all() and len(set(cached["answer at once, B"])) == 1
    p = proved.prices(6, 8)
    assert p["trace"].tokens - p["answer"].tokens == 8 * frames.FRAME and p["trace"].flops > p["answer"].flops


def test_words_to_learn_from_are_those_of_the_loss():
    text, run = programs.program("straight", 9, random.Random(1))
    for mode in ("trace", "answer"):
        asked = traces.predicted(mode, rows := torch.tensor([traces.words(mode, text, run)]))
        learned = int((asked & (rows[0] != frames.INDEX[frames.PAD])).sum())
        assert learned == proved.supervised(len(run.frames))[mode]


def test_a_failed_kind_is_named_and_marked(monkeypatch):
    metrics = [f"{kind}@{n}" for kind in proved.KINDS for n in traces.MEASURED] + [f"steps@{n}" for n in traces.BUCKETS]
    metrics += ["own@8", "true@8"]
    rows = [
        {"variant": v, "seed": s, "step": "1"} | {m: "0.2" if m.startswith("for@") else "0.8" for m in metrics}
        for v in proved.MODELS
        for s in "012"
    ]
    monkeypatch.setattr(zoo, "tables", lambda name: rows)
    assert proved.failed() == ["for (20%)"] and "for (20%)" in proved.kinds_text()
    assert dict((row[0], row[1]) for row in proved.kind_rows()[1])["for"] == "0.20 failed"
    verdicts = {claim["claim"]: claim["verdict"] for claim in evidence.report("code_world_model")["claims"][:5]}
    assert verdicts[next(c for c in verdicts if c.startswith("No kind"))] == "unclear" or "does not show" in verdicts.values()
    monkeypatch.setattr(zoo, "tables", lambda name: [])
    assert not proved.failed() and not any(v for runs in proved.by_steps().values() for v in runs.values())


def test_metrics_and_variants_have_names():
    for variant in proved.MODELS:
        assert zoo.recipe(variant) and proved.variant_label(variant) != variant
    for row in evidence.report("code_world_model")["claims"]:
        for number in row["numbers"]:
            if isinstance(number, Level):
                assert "@" not in recipes.measure(number.metric)


def test_a_program_that_is_none_is_refused_in_one_sentence():
    for text in ("", "import os", "a = (", "x" * 5000):
        with pytest.raises(SpecError):
            lesson.read(text)
    stopped = lesson.read("a = 1\nwhile a > 0:\n    a = 1")
    assert stopped.problem.startswith("the run stops") and stopped.steps == toy.MAX_STEPS
