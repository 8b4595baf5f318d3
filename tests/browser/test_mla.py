"""The page on latent attention in a real Chromium: the slider moved, the forms, the rope key. The rest is in test_pages.py."""

from playwright.sync_api import expect

from core.lessons.mla import lesson
from tests.browser.driver import canvases, card, drawn, holds, parameters, press, settle
from tests.mechanisms.test_mla import PAGE

PANELS = 3 * lesson.HEADS  # at this size, at the largest, and their difference


def boxes(tab) -> list[str]:
    """The bars of the bottleneck, as paths."""
    return tab.locator(".st-key-figure-bottleneck .shapelayer path").evaluate_all("all => all.map(p => p.getAttribute('d'))")


def latent(tab, rank: int) -> None:
    """Until the page says so."""
    expect(tab.locator(".cw-caption").filter(has_text="Latent of")).to_contain_text(f"Latent of {rank} numbers", timeout=15_000)
    settle(tab)


def test_moving_the_slider_redraws_maps_bottleneck_and_cache(visit):
    tab = drawn(visit("mla?latent=28"), PAGE)
    maps, bars = [canvases(tab)], [boxes(tab)]
    for rank in (24, 20, 16):
        press(tab, "latent", "ArrowLeft")
        latent(tab, rank)
        size = lesson.choice_cost(lesson.Choice(rank), 20).cache_bytes
        expect(card(tab, "cache")).to_contain_text(f"counted {size:,} = measured {size:,}")
        holds(tab, lambda rank=rank: parameters(tab).get("latent", "16") == str(rank))
        holds(tab, lambda: canvases(tab) not in maps and boxes(tab) not in bars)
        maps.append(canvases(tab))
        bars.append(boxes(tab))


def test_the_form_changes_the_bottleneck_and_not_the_maps(visit):
    absorbed, expanded = drawn(visit("mla?form=absorbed"), PAGE), drawn(visit("mla?form=expanded"), PAGE)
    assert len(boxes(absorbed)) < len(boxes(expanded)), "a key, a rope key and a value a head"
    for tab in (absorbed, expanded):
        expect(card(tab, "forms")).to_contain_text("same output")
    shown = absorbed.locator(".cw-answers").inner_text()
    assert shown == expanded.locator(".cw-answers").inner_text()


def test_the_rope_key_is_a_switch(visit):
    tab = drawn(visit("mla"), PAGE)
    before = len(boxes(tab))
    tab.locator(".st-key-cw-more-more summary").click()
    tab.locator(".st-key-rope_key label").first.click()
    tab.wait_for_function("new URL(location).searchParams.get('rope_key') === 'false'")
    settle(tab)
    expect(tab.locator(".cw-caption").filter(has_text="Latent of")).to_contain_text("without a rope key")
    holds(tab, lambda: len(boxes(tab)) < before)
