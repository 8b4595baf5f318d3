"""The page on text diffusion: passes, what stays, gaps, two words at once. The rest is in test_pages.py."""

from functools import partial

import pytest

from app.figures import text_diffusion as figures
from app.palette import PALETTE
from core.lessons.text_diffusion import cost as text_cost
from core.lessons.text_diffusion import lesson
from core.lessons.text_diffusion import pairs as text_pairs
from core.train import zoo
from core.train.tasks import sentences
from tests.app import opening
from tests.app.opening import fine, text

GAPS = lesson.EXAMPLES["gaps in the middle"]

opened = partial(opening.opened, "text_diffusion")


@pytest.mark.parametrize("order", lesson.REMASKING)
@pytest.mark.parametrize("steps", [1, 8])
def test_the_verdict_is_that_of_the_run_that_the_controls_ask_for(order, steps):
    shown = text(opened(steps=str(steps), order=order, seed="3", prompt=GAPS))
    how = lesson.sampler(steps, order, "whole text", 1.0)
    made = lesson.watch(sentences.parse(GAPS).words, how, 3)
    passes = f"{made.passes} pass{'' if made.passes == 1 else 'es'}"
    assert f"{lesson.sampler_text(how)}, {passes}, draw 3: {lesson.judged(made.text, made.faults)}" in shown


def test_blocks_and_temperature_are_said():
    shown = text(opened(steps="24", block="6", temperature="0.5"))
    assert "blocks of 6, temperature 0.5, 24 passes" in shown


def test_presets_set_passes_and_blocks():
    at = opened()
    for option, steps, block in (("All at once", 1, "whole text"), ("Left to right", 24, "1, left to right")):
        fine(at.pills(key="cw-pick-sampler").set_value(option).run())
        assert at.select_slider(key="steps").value == steps and at.segmented_control(key="block").value == block


def test_counted_flops_are_measured_and_passes_are_priced():
    shown = text(opened(section="Count", steps="24"))
    assert f"counted {text_cost.a_pass():,} = measured {text_cost.measured_pass():,}" in shown and "cw-check differs" not in shown
    ratio = text_cost.denoising(24).flops / text_cost.word_by_word().flops
    assert f"24 passes take {ratio:.1f} times the arithmetic of 24 passes with a cache" in shown


@pytest.mark.parametrize("pair", text_pairs.PAIRS)
def test_two_words_at_once_are_judged_by_the_network(pair):
    found = text_pairs.joint(text_pairs.pair(text_pairs.PAIRS[pair]))
    shown = text(opened(pair=pair))
    assert f"Wrong in one pass: {found.apart_wrong:.1%}; one after the other: {found.after_wrong:.1%}" in shown
    assert (found.example in shown) and bool(found.example) == (found.apart_wrong > 0.01)


def test_a_text_without_gaps_or_with_strange_words_is_answered_in_words():
    assert "write _ in the place of a word" in text(opened(prompt="today the bakers bake bread . " * 4))
    shown = text(opened(prompt="today the <b>bakker</b> _"))
    assert "nearest: baker" in shown and "<b>bakker" not in shown


def test_what_is_shown_of_the_runs_is_the_tables(monkeypatch):
    columns = [f"{what}@{name}" for what in lesson.MEASURES for name in sentences.SAMPLERS]
    rows = [
        {"variant": v, "seed": str(s), "step": "1", "nats": "1.5"} | dict.fromkeys(columns, "0.25")
        for v in (lesson.MODEL, lesson.TWIN)
        for s in range(2)
    ]
    monkeypatch.setattr(zoo, "tables", lambda name: rows)
    shown = text(opened(section="Prove"))
    assert "0.250 ± 0.000" in shown and "1.500 ± 0.000" in shown and ">shows</span>" not in shown
    monkeypatch.setattr(zoo, "tables", lambda name: [])
    assert "No runs yet." in text(opened(section="Prove"))


def test_what_is_wrong_becomes_gaps_and_is_filled_again():
    at = opened()
    made = lesson.watch(sentences.parse("_").words, lesson.sampler(8, lesson.SURE, "whole text", 1.0), 0)
    assert made.wrong
    fine(at.button(key="cw-mend").click().run())
    assert at.text_input(key="prompt").value == lesson.without_wrong(made)
    assert sentences.parse(lesson.without_wrong(made)).gaps == made.wrong


def test_error_bars_are_deviations_of_a_sample():
    """Three seeds 1, 2, 3 deviate by 1, as captions, tables and rules say; a single one by nothing."""
    found = {"surest first": {4: [1.0, 2.0, 3.0], 8: [5.0]}}
    fig = figures.quality("Share", found, "share", "right").figure(PALETTE["light"])
    lines = next(t for t in fig.data if t.mode == "lines")
    assert list(lines.y) == [2.0, 5.0] and list(lines.error_y.array) == [1.0, 0.0]
    assert lesson.spread([1.0, 2.0, 3.0], 2) == "2.00 ± 1.00" and lesson.spread([5.0], 2) == "5.00 ± 0.00"
