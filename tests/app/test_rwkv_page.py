"""The page on RWKV-7: removal strength, arrows, the ball under three cups. The rest is in test_pages.py."""

from functools import partial

import pytest

from core.lessons import rwkv as lesson
from core.train import zoo
from core.train.tasks import cups, recall
from tests.app import opening
from tests.app.opening import fine, text

PROMPT = "zoe wheel leo plum ? leo"
GAME = "left left-middle wait middle-right"

opened = partial(opening.opened, "rwkv")


@pytest.mark.parametrize("removal", lesson.STRENGTHS)
def test_the_answers_are_those_of_the_copy_that_erases_less(removal):
    shown = text(opened(removal=str(removal), prompt=PROMPT))
    answer = lesson.watch(removal, recall.parse(PROMPT)).scene.answers[-1]
    assert f"<code>{answer.name}</code> → <code>{answer.said}</code> {answer.probability:.3f}" in shown
    assert f"removal strength {removal:g}, after 6 of 6 tokens" in shown


def test_all_at_once_is_one_by_one_and_the_arrows_follow_the_head():
    shown = text(opened(prompt=PROMPT, head="3", step="4"))
    assert "all tokens at once = one by one" in shown and "cw-check differs" not in shown
    assert "“plum” (4) at head 3" in shown


def test_every_model_is_judged_on_the_readers_game():
    shown, game = text(opened(game=GAME)), lesson.played(cups.parse(GAME), 1.0)
    for variant, name in lesson.TRACKING.items():
        assert f"{name} {sum(game.right(variant))} of {len(game.truth)}" in shown


@pytest.mark.parametrize(
    "game, said", [("left lefft", "did you mean"), ("", "must be a place"), ("<script>x</script>", "did you mean")]
)
def test_what_is_no_game_is_answered_in_words(game, said):
    shown = text(opened(game=game))
    assert said in shown and "first example meanwhile" in shown and "<script>" not in shown


def test_presets_move_the_strength():
    at = opened()
    for option, removal in zip(at.pills(key="cw-pick-strength").options, (1.0, 0.0)):
        fine(at.pills(key="cw-pick-strength").set_value(option).run())
        assert at.select_slider(key="removal").value == removal


def test_the_verdict_on_the_ball_is_the_tables(monkeypatch):
    monkeypatch.setattr(zoo, "tables", lambda name: [])
    assert "No runs yet." in text(opened(section="Prove")) and "Over all runs" not in text(opened())
    metrics = [f"right@{n}" for n in lesson.MOVES] + ["recall@24"]
    rows = [{"variant": v, "seed": "0", "step": "1"} | dict.fromkeys(metrics, "0.97") for v in lesson.TRACKING]
    monkeypatch.setattr(zoo, "tables", lambda name: rows)
    shown = text(opened(section="Prove"))
    assert shown.count("follows the ball at every length measured") == 3 and "No runs yet." not in shown
    assert "follows the ball at every length measured" in text(opened())
