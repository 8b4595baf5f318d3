"""Home: every control moved, cards of every kind, links that open what they promise, nonsense answered, two visitors."""

from functools import partial
from urllib.parse import parse_qsl, urlsplit

import pytest
from streamlit.testing.v1 import AppTest

from core.lessons import card
from core.lessons import landscape as lesson
from core.model.registry import PAGES
from core.real import catalogue
from tests.app import opening
from tests.app.opening import ROOT, fine, pictures, text

KINDS = (  # one of every family, and of what keeps no cache
    "Llama 2 7B", "Llama 3 8B", "DeepSeek-V3", "DeepSeek-V3.2 (DSA)", "DeepSeek-V4-Flash", "Gemma 3 27B (text)",
    "Qwen3-Next 80B-A3B", "Falcon-H1 7B", "Mamba-2 2.7B", "LLaDA 8B", "TRM 7M", "Nemotron-H 8B",
)  # fmt: skip

opened = partial(opening.opened, "home")


def table(at: AppTest) -> dict[str, list]:
    """What lies behind the landscape."""
    return pictures(at)["landscape"]["table"]


def test_the_app_opens_on_home_and_says_what_it_is():
    shown = text(fine(AppTest.from_file(ROOT / "app" / "main.py", default_timeout=60).run()))
    assert "Who built what" in shown and f"{len(catalogue.entries())} real ones are counted" in shown


def test_every_control_moves():
    at = opened()
    for month in lesson.months()[::9]:
        fine(at.select_slider(key="month").set_value(month).run())
        assert len(table(at)["model"]) == len(lesson.out(month)) and f"until {month}" in text(at)
    at = opened()
    for family in card.FAMILIES:
        fine(at.pills(key="family").set_value([family]).run())
        assert set(table(at)["attention"]) == {family}
    fine(at.pills(key="family").set_value([]).run())
    for key, field, options in (("licence", "licence", lesson.LICENCES), ("size", "size", tuple(lesson.SIZES))):
        for option in (*options[1:], options[0]):
            fine(at.segmented_control(key=key).set_value(option).run())
            expected = lesson.chosen_dots(lesson.Filter(**{field: option}), lesson.months()[-1])
            assert table(at)["model"] == [d.name for d in expected]
    fine(at.selectbox(key="organisation").set_value("Liquid AI").run())
    assert set(table(at)["organisation"]) == {"Liquid AI"}


@pytest.mark.parametrize("name", KINDS)
def test_a_card_of_every_kind(name):
    at = opened(model=name)
    shown, key = text(at), lesson.key_of_name(name)
    entry = catalogue.entries()[key]
    counted = card.longest_cost(entry.reading)
    assert f"{counted.params_total:,}" in shown and entry.config_source.split(" ")[0] in shown
    assert all(source in shown for fact in catalogue.FACTS if (source := entry.facts[fact][1]))
    assert ("Counted only" in shown) == bool(card.alive(entry.reading.spec))
    assert all(name in shown for name, _ in card.techniques(entry.reading.spec))


def test_the_card_of_what_keeps_no_cache_says_so():
    assert "keeps no cache" in text(opened(model="LLaDA 8B")) and "no cache; its answer" in text(opened(model="TRM 7M"))


@pytest.mark.parametrize(
    "query",
    [
        {"model": "nobody"}, {"model": "<script>"}, {"month": "1999-01"}, {"month": "x"}, {"family": "Everything"},
        {"size": "-1"}, {"organisation": "x" * 3000}, {"licence": "9"}, {"v": "99", "nonsense": "1"},
    ],
)  # fmt: skip
def test_nonsense_in_a_link_shows_the_whole_picture(query):
    at = opened(**query)
    assert len(table(at)["model"]) == len(lesson.dots()) and "<script>" not in text(at)


def test_a_filter_that_nothing_passes_leaves_a_page():
    at = opened(family="Recurrent", organisation="OpenAI")
    assert table(at)["model"] == [] and f"0 of {len(lesson.dots())} models" in text(at)


def test_the_link_of_the_picture_opens_the_same_state():
    at = opened(family="Hybrid", month="2025-05", licence="Apache-2.0 or MIT")
    again = opened(**dict(parse_qsl(urlsplit(pictures(at)["landscape"]["config"]["link"]).query)))
    assert table(at) == table(again) and again.pills(key="family").value == ["Hybrid"]


def test_numbers_follow_the_catalogue(monkeypatch):
    few = lesson.dots()[:7]
    monkeypatch.setattr(lesson, "dots", lambda: few)
    shown = text(opened())
    assert "7 real ones are counted" in shown and "7 of 7 models" in shown


@pytest.mark.parametrize("key", lesson.tries())
def test_what_to_try_opens_what_it_promises(key):
    chosen, numbers = lesson.tries()[key], dict(lesson.tries()[key].numbers)
    home = text(opened())
    assert all(f"{n:,}" in home for n in numbers.values()) and f"/{chosen.page}?" in home
    at = opening.opened(chosen.page, **dict(chosen.query))
    shown = text(at)
    if key == "share":
        assert at.select_slider(key="kv_heads").value == 1 and f"{numbers['after']:,} = measured" in shown
        assert shown.count('class="yes"') == numbers["right"]
    if key == "order":
        assert at.toggle(key="rope_key").value is False and shown.count('class="yes">✓') == numbers["after"]
        fine(at.toggle(key="rope_key").set_value(True).run())
        assert text(at).count('class="yes">✓') == numbers["before"]
    if key == "route":
        assert "skillet" in at.text_input(key="prompt").value and f"{numbers['experts']} experts" in shown.lower()


def test_two_visitors_interleaved_each_see_their_own():
    a, b = opened(model="Kimi K2"), opened(model="GPT-2 small", family="Multi-head")
    for month in ("2025-08", "2026-02"):
        a.select_slider(key="month").set_value(month)
        b.select_slider(key="month").set_value("2019-11")
        fine(a.run()), fine(b.run())
        assert "<h2>Kimi K2</h2>" in text(a) and f"until {month}" in text(a)
        assert "<h2>GPT-2 small</h2>" in text(b) and "2 of " in text(b)


def test_a_control_of_the_same_name_on_another_page_is_not_believed():
    """The page on sharing has a control named model, too."""
    at = opened(model="Kimi K2")
    at.switch_page("../pages/gqa.py")
    assert fine(at.run()).select_slider(key="kv_heads").value == 2


def test_a_card_takes_its_model_along_to_other_pages():
    """Each link of the card opens a page whose list stands at this model."""
    shown, there = text(opened(model="Kimi K2")), {page.name for page in PAGES}
    for page, key in (("inference", "model"), ("compare", "a"), ("workbench", "model")):
        if page in there:
            assert f'href="/{page}?{key}=Kimi+K2' in shown
            at = opening.opened(page, **{key: "Kimi K2"})
            assert at.selectbox(key=key).value == "kimi-k2"
