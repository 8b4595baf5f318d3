"""The page on delta nets in a real Chromium: the memory stepped, write strength set. The rest is in test_pages.py."""

from playwright.sync_api import expect

from tests.browser.driver import canvases, drawn, holds, parameters, press, settle
from tests.mechanisms.test_gated_deltanet import PAGE

PARTS = 4


def test_stepping_writes_into_the_memory_without_the_server(visit):
    tab = drawn(visit("gated_deltanet?step=1"), PAGE)
    seen = [canvases(tab)]
    stays, erased, _, _ = seen[0]
    assert stays == erased, "before the first token there is nothing to keep or to erase"
    for _ in range(3):
        tab.get_by_role("button", name="Next step").click()
        holds(tab, lambda: all(canvases(tab)[part] not in {frames[part] for frames in seen} for part in (0, 2, 3)))
        seen.append(canvases(tab))


def test_write_strength_0_leaves_it_empty_and_1_does_not(visit):
    tab = drawn(visit("gated_deltanet?write=0"), PAGE)
    empty = canvases(tab)
    assert len(set(empty)) == 1
    expect(tab.locator(".cw-answers .yes")).to_have_count(0)
    press(tab, "write", "End")
    expect(tab.locator(".cw-caption").filter(has_text="Step through")).to_contain_text("write strength 1,", timeout=15_000)
    settle(tab)
    holds(tab, lambda: canvases(tab) != empty and parameters(tab)["write"] == "1")
