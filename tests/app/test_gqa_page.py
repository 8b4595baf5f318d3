"""The page on grouped-query attention: what is counted and measured, links, two visitors. The rest is in test_pages.py."""

import csv
import io
from functools import partial
from urllib.parse import parse_qsl, urlsplit

import pytest

from app import live
from app.figures import sharing
from core.lessons import gqa as lesson
from core.lessons.common import model_name
from core.lessons.recall import live_cost
from core.train import evidence, zoo
from tests.app import opening
from tests.app.opening import fine, pictures, text

pytestmark = pytest.mark.fast

opened = partial(opening.opened, "gqa")


@pytest.mark.parametrize("kv_heads", lesson.KV_HEADS)
def test_counted_bytes_stand_beside_equal_measured_ones(kv_heads):
    shown = text(opened(kv_heads=str(kv_heads)))
    assert "= measured" in shown and "≠" not in shown
    assert f"counted {live_cost(lesson.variant(kv_heads), 20).cache_bytes:,} = measured" in shown


def test_the_link_of_a_figure_opens_the_same_state():
    """The real model is written in the link as it is shown, which is what a link is checked against."""
    at = opened(section="Count", kv_heads="4")
    fine(at.selectbox(key="real").set_value("mistral-7b-v0.1").run())
    configs = [header["config"] for header in pictures(at).values()]
    assert len(configs) == 3
    for config in configs:
        again = opened(**dict(parse_qsl(urlsplit(config["link"]).query)))
        assert config["real_model"] == model_name(again.selectbox(key="real").value) == "Mistral 7B v0.1"
        assert again.select_slider(key="kv_heads").value == 4


def test_a_real_model_that_cannot_share_so_far_gives_way():
    at = opened(section="Count", kv_heads="8")
    fine(at.selectbox(key="real").set_value("gpt2-xl").run())
    fine(at.select_slider(key="kv_heads").set_value(2).run())
    assert at.selectbox(key="real").value == "llama3-8b"


def test_the_two_layer_model_is_said_to_run_as_it_was_trained():
    at = opened(model=lesson.INDUCTION, positions=lesson.NONE)
    assert "KV heads: 8, rope." in text(at) and "positions" not in [c.key for c in at.segmented_control]
    assert any(f"8 pairs · rope · {lesson.INDUCTION}" in e.label for e in at.expander)


def test_the_formula_says_what_the_command_line_counts():
    assert "counts the model as released, 16.0 GiB" in text(opened(section="Count", kv_heads="8"))
    assert "command line gives the same" in text(opened(section="Count", kv_heads="2"))


def test_presets_set_the_slider():
    at = opened()
    pick = at.pills(key="cw-pick-shape")
    for option, kv_heads in zip(pick.options, (8, 2, 1)):
        fine(at.pills(key="cw-pick-shape").set_value(option).run())
        assert at.select_slider(key="kv_heads").value == kv_heads


def test_a_prompt_of_the_readers_own_is_run():
    at = opened(prompt="zoe wheel leo plum ? zoe leo")
    assert "<code>zoe</code> → <code>wheel</code>" in text(at) and "<code>leo</code> → <code>plum</code>" in text(at)


def test_verdicts_and_numbers_follow_from_the_table(monkeypatch):
    """Swap MHA and MQA in the table: the page must say otherwise."""
    before = text(opened(section="Prove"))
    rows = [{**r, "variant": {"mha": "mqa", "mqa": "mha"}.get(r["variant"], r["variant"])} for r in zoo.table("gqa")]
    monkeypatch.setattr(zoo, "table", lambda name: rows)
    after = text(opened(section="Prove"))
    assert 'cw-verdict yes">shows' in before and 'cw-verdict no">does not show' in after
    assert 'cw-verdict no">does not show' not in before


def test_a_table_escapes_what_it_is_given_and_stands_numbers_right():
    assert not live.numeric("Llama") and live.numeric("128 KiB") and live.numeric(3)


def test_the_tables_behind_the_figures_are_complete():
    loss, seeds = sharing.losses(evidence.grouped("gqa", lesson.METRIC), str, lesson.LOSS).table, zoo.named("gqa").seeds
    assert len(loss["variant"]) == len(seeds) * 12 and set(loss["seed"]) == set(seeds)
    assert list(csv.reader(io.StringIO("\n".join(map(str, loss["seed"]))))), "seeds are plain numbers"
