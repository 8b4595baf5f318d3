"""The page on code world models: a reader's program, the true trace beside the model's. The rest is in test_pages.py."""

import base64
import html
import zlib
from functools import partial

import pytest

from app import state
from core.lessons.code_world_model import evidence as proved
from core.lessons.code_world_model import lesson
from core.train import evidence, zoo
from core.train.recipes import code_world_model as recipes
from core.train.tasks import toy
from tests.app import opening
from tests.app.opening import drawn, fine, text

OWN = "n = 2\nk = n + 3\nwhile n < 6:\n    n = n + 2\nk = n - k\n"

opened = partial(opening.opened, "code_world_model")


def linked(program: str):
    """The page of a link that carries a program."""
    return opened(s=state.pack(program, ""))


def carried(at):
    """The program in the address."""
    given = at.query_params["s"]
    return state.unpack(given if isinstance(given, str) else given[0], "")


@pytest.mark.parametrize("name", lesson.EXAMPLES)
@pytest.mark.parametrize("reads", lesson.HISTORIES)
def test_every_example_says_what_the_model_says(name, reads):
    shown, scene = text(opened(program=name, reads=reads)), lesson.read(lesson.EXAMPLES[name])
    said = None if scene.problem else lesson.model_trace(scene.source, reads)
    assert lesson.agreement_text(scene, said) in shown
    last = scene.run.frames[-1].after
    assert all(f"<td>{key}</td>" in shown for key in last)


def test_lists_show_the_true_run_and_that_no_model_has_seen_them():
    shown = text(opened(program="a list, never practised"))
    assert "The true run alone" in shown and "[1,1,2]" in shown and "Asked for the last state" not in shown
    assert "never saw this in training: the sign *" in text(opened(program="times, never practised"))


def test_a_program_travels_in_the_link_and_a_slider_marks_its_step():
    at = linked(OWN)
    scene = lesson.read(OWN)
    assert at.text_area(key="cw-program-text").value == OWN
    assert lesson.agreement_text(scene, lesson.model_trace(OWN, lesson.OWN)) in text(at)
    assert at.select_slider(key="at").value == scene.steps == len(at.select_slider(key="at").options) - 1
    fine(at.select_slider(key="at").set_value(3).run())
    assert html.escape(lesson.step_title(scene, 3)) in text(at) and "while n &lt; 6: yes" in text(at)


def test_writing_a_program_writes_the_address_and_choosing_an_example_takes_it_back():
    at = opened()
    fine(at.text_area(key="cw-program-text").set_value(OWN).run())
    assert carried(at) == OWN and lesson.agreement_text(lesson.read(OWN), lesson.model_trace(OWN, lesson.OWN)) in text(at)
    fine(at.selectbox(key="program").set_value("for").run())
    assert at.text_area(key="cw-program-text").value == lesson.EXAMPLES["for"] and "s" not in at.query_params


WRONG = {
    "import os": "Line 1 has an import", "a = 1\nb = __import__('os')": "Line 2 holds", "a = b": "Line 1 reads b", "": "is empty",
    "a = 1\nif a:\n  a = 2": "Line 2 must have one comparison", "x = " + "(" * 20 + ")" * 20: "brackets more than",
    "é": "Line 1 holds",
    "<script>alert(1)</script>": "Line 1 holds “/”",
}  # fmt: skip


@pytest.mark.parametrize("program", WRONG, ids=range(len(WRONG)))
def test_what_is_no_program_gets_one_sentence_and_the_first_example_stands(program):
    shown = text(linked(program))
    assert WRONG[program] in shown and "first example meanwhile" in shown and "<script>" not in shown


@pytest.mark.parametrize("s", ["x", "!!!!", "A" * 5000, state.pack({"a": 1}, ""), state.pack("a = 1\n" * 400, "")])
def test_a_damaged_link_shows_the_example(s):
    shown, first = text(opened(s=s)), lesson.read(next(iter(lesson.EXAMPLES.values())))
    assert 'class="cw-error"' in shown and lesson.agreement_text(first, lesson.model_trace(first.source, lesson.OWN)) in shown


def test_a_run_that_stops_shows_what_ran_and_why():
    shown = text(linked("a = 1\nwhile a > 0:\n    a = a + 1\n    a = a - 1"))
    assert f"The run stops after {toy.MAX_STEPS} steps" in shown and f"{toy.MAX_STEPS} steps of 4 lines" in shown


def test_a_shorter_program_pulls_the_slider_back():
    at = linked(OWN)
    fine(at.select_slider(key="at").set_value(lesson.read(OWN).steps).run())
    fine(at.text_area(key="cw-program-text").set_value("a = 1\nb = a").run())
    assert at.select_slider(key="at").value == 2


def test_surprises_always_parse_and_the_model_can_read_them():
    at = opened()
    for _ in range(3):
        fine(drawn(at)["cw-surprise-program"].click().run())
        scene = lesson.read(at.text_area(key="cw-program-text").value)
        assert not scene.problem and not scene.unseen


def test_count_has_the_formula_with_cwms_numbers():
    at = opened(section="Count")
    formula = "\n".join(str(m.value) for m in at.get("latex"))
    counted = proved.sliding_window.formula(proved.CWM, proved.context())
    assert all(f"{n:,}".replace(",", "{,}") in formula for n in (16, 48, 8, 8192, 131072)) and counted.bytes == 10_200_547_328
    assert "cw-check differs" not in text(at)


def test_the_two_numbers_of_cwm_are_explained_with_their_source():
    shown = text(opened(section="Prove"))
    assert "53.9" in shown and "65.8" in shown and html.escape(proved.scaling_text()) in shown and proved.GUIDE in shown
    assert "477 of the 500" in shown and html.escape(proved.budget_text()) in shown


def test_verdicts_and_failures_are_the_tables(monkeypatch):
    rows = zoo.tables("code_world_model")
    bad = [{k: "0.1" if k.startswith("while@") else v for k, v in row.items()} for row in rows]
    monkeypatch.setattr(zoo, "tables", lambda name: bad)
    shown = text(opened(section="Prove"))
    assert "while (10%)" in shown and "0.10 failed" in shown
    monkeypatch.setattr(zoo, "tables", lambda name: [])
    assert "No runs yet." in text(opened(section="Prove")) and "against the steps of the run" not in text(opened())


def test_the_table_has_every_kind_at_every_length():
    for variant in proved.MODELS:
        for kind in proved.KINDS:
            assert len(evidence.final("code_world_model", variant, f"{kind}@{recipes.LONGEST}")) == len(recipes.MECHANISM.seeds)


def test_a_link_that_holds_half_a_character_gets_a_sentence():
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = deflate.compress(b'["=", "a = \\ud800"]') + deflate.flush()
    at = opened(s=base64.urlsafe_b64encode(data).decode().rstrip("="))
    assert "The s of this link is damaged" in text(at)
