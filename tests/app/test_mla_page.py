"""The page on latent attention: numbers and verdicts that follow from what was run. The rest is in test_pages.py."""

from dataclasses import replace
from functools import partial
from urllib.parse import parse_qsl, urlsplit

import pytest

from app.figures import latent
from core.lessons.common import model_name
from core.lessons.mla import evidence as proved
from core.lessons.mla import lesson
from core.lessons.mla import real as models
from core.lessons.mla.lesson import Choice
from core.real import catalogue
from core.train import zoo
from tests.app import opening
from tests.app.opening import fine, pictures, text

SECTIONS = ("See", "Count", "Prove", "Read", "Who uses it")
TWICE = "ann lamp bo kite cy drum bo rope dan coin ann bell dan boat cy book ? bo ann dan"

opened = partial(opening.opened, "mla")


@pytest.mark.parametrize("rank", lesson.RANKS)
@pytest.mark.parametrize("key", ["true", "false"])
def test_counted_bytes_stand_beside_equal_measured_ones(rank, key):
    shown = text(opened(latent=str(rank), rope_key=key))
    counted = lesson.choice_cost(Choice(rank, key == "true"), 20).cache_bytes
    assert f"counted {counted:,} = measured {counted:,}" in shown and "≠" not in shown


@pytest.mark.parametrize("form", lesson.FORMS)
def test_both_forms_give_the_same_answers_at_another_price(form):
    at = opened(form=form, latent="28")
    shown = text(at)
    for f in lesson.forms(Choice(28, form=form), 20):
        assert f"{f.flops:,}" in shown and f"{f.reads:,}" in shown
    assert "same output" in shown and "<code>bo</code> → <code>kite</code>" in shown


def test_without_the_rope_key_the_later_thing_is_not_told_from_the_earlier():
    """Both models were trained where the later thing counts; only one of them knows which came later."""
    answers = [
        text(opened(task=lesson.LATEST, latent="28", rope_key=key, prompt=TWICE)).count('<b class="yes">✓</b> <code>')
        for key in ("true", "false")
    ]
    assert answers[0] == 3 > answers[1]


def test_a_size_that_was_trained_can_be_run_as_trained():
    cut, trained = (opened(latent="12", made=made) for made in lesson.MADE)
    assert "largest latent cut to" in text(cut) and "trained at this size" in text(trained)
    assert "made" not in [c.key for c in opened(latent="10").segmented_control], "no model was trained at ten"


def test_the_link_of_a_figure_opens_the_same_state():
    at = opened(section="Count", latent="6", rope_key="false")
    fine(at.selectbox(key="real").set_value("kimi-k2").run())
    configs = [header["config"] for header in pictures(at).values()]
    assert len(configs) == 5
    for config in configs:
        again = opened(**dict(parse_qsl(urlsplit(config["link"]).query)))
        assert model_name(again.selectbox(key="real").value) == "Kimi K2"
        assert again.select_slider(key="latent").value == 6 == config["latent"] and config["rope_key"] == 0
        assert again.toggle(key="rope_key").value is False


def test_presets_set_the_slider():
    at = opened()
    for option, values in models.presets().items():
        fine(at.pills(key="cw-pick-shape").set_value(option).run())
        assert at.select_slider(key="latent").value == values["latent"]


def test_three_answers_and_what_is_often_said_are_counted():
    shown = text(opened(section="Count"))
    assert all(f"{s.share:.2%}" in shown for s in models.savings())
    f = models.facts(models.default())
    assert f"{f.kept}" in shown and f"{f.multi_head:,}" in shown and f"{f.fewer_reads:.0f} times fewer" in shown


def test_verdicts_and_numbers_follow_from_the_table(monkeypatch):
    """Swap the variants with and without the rope key in the table: the page must say otherwise."""
    before = text(opened(section="Prove"))
    names = ("mla-28-4-latest", "mla-28-0-latest")
    swap = dict(zip(names, reversed(names)))
    rows = [{**r, "variant": swap.get(r["variant"], r["variant"])} for r in zoo.table("mla")]
    monkeypatch.setattr(zoo, "table", lambda name: rows)
    after = text(opened(section="Prove"))
    assert before.count('cw-verdict no">') < after.count('cw-verdict no">')
    assert before.count('cw-verdict yes">') > after.count('cw-verdict yes">')


def test_a_catalogue_without_such_models_breaks_nothing(monkeypatch):
    entries = {key: e for key, e in catalogue.entries().items() if key not in models.keys()}
    monkeypatch.setattr(catalogue, "entries", lambda: entries)
    models.real_model.cache_clear()
    for section in SECTIONS:
        opened(section=section)


def test_the_tables_behind_the_figures_are_complete():
    for group in zoo.named("mla").groups:
        table = latent.versus("", proved.runs(group), set(group.variants), str, proved.LOSS).table
        variants = {*group.variants, *group.rivals}
        fast = {
            replace(lesson.recipes.VARIANTS[v], fast=rate == "faster").key for v, rate in zip(table["variant"], table["rate"])
        }
        assert fast == variants and set(table["seed"]) == set(zoo.named("mla").seeds)
        assert len(table["seed"]) == 2 * len(variants) * len(zoo.named("mla").seeds)
