"""Code world models in a real Chromium: a program is written, travels in the link, and what is none gets a sentence."""

from playwright.sync_api import expect

from tests.browser.driver import copied, parameters, settle

OWN = "n = 2\nk = n + 3\nwhile n < 6:\n    n = n + 2\nk = n - k"
TRACE = ".st-key-figure-trace .stPlotlyChart"


def write(tab, text: str) -> None:
    """Put a program into the box, as a reader does."""
    box = tab.get_by_label("Program", exact=True)
    if not box.is_visible():
        tab.locator(".st-key-cw-more-more summary").click()
    box.fill(text)
    box.press("Control+Enter")


def test_a_written_program_is_drawn_and_travels_in_the_link(visit):
    tab = visit("code_world_model")
    expect(tab.locator(TRACE)).to_be_visible(timeout=20_000)
    write(tab, OWN)
    expect(tab.get_by_text("8 steps of 5 lines")).to_be_visible(timeout=20_000)
    settle(tab)
    link = copied(tab)
    assert parameters(link)["s"]
    second = visit(link)
    expect(second.get_by_text("8 steps of 5 lines")).to_be_visible(timeout=20_000)
    expect(second.locator(f"{TRACE} .ytick text").filter(has_text="while")).to_have_count(1)


def test_what_is_no_program_gets_a_sentence_and_is_never_run(visit):
    tab = visit("code_world_model")
    expect(tab.locator(TRACE)).to_be_visible(timeout=20_000)
    write(tab, "import os\nos.system('true')")
    expect(tab.locator(".cw-error")).to_contain_text("Line 2 holds", timeout=20_000)
    expect(tab.locator(TRACE)).to_be_visible()


def test_the_model_reads_the_true_history_on_demand(visit):
    tab = visit("code_world_model?program=if+inside+a+loop")
    expect(tab.locator(TRACE)).to_be_visible(timeout=20_000)
    tab.get_by_role("radio", name="true history").click()
    expect(tab.get_by_text("each predicted from the true history")).to_be_visible(timeout=20_000)
