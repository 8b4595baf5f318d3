"""Evidence in a real Chromium: a row's link opens its claim on top, filters stay, nothing is wider than a phone."""

from playwright.sync_api import expect

from core.lessons import evidence as lesson
from core.train import rules
from tests.browser.driver import parameters, settle, sideways

FIGURE = ".st-key-figure-seeds .main-svg"


def test_a_row_opens_its_claim_and_the_filters_stay(visit):
    row = lesson.chosen_rows(lesson.EVERY, (rules.UNCLEAR,))[-1]
    tab = visit(f"evidence?verdict={rules.UNCLEAR}")
    expect(tab.locator(FIGURE).first).to_be_visible(timeout=20_000)
    tab.get_by_role("link", name=row.id, exact=True).click()
    expect(tab.locator(".cw-opened p").first).to_have_text(row.sentence, timeout=10_000)
    expect(tab.locator(".cw-claim")).to_have_count(lesson.tally(lesson.rows())[rules.UNCLEAR])
    settle(tab)
    said = parameters(tab)
    assert said["claim"] == row.id and said["verdict"] == rules.UNCLEAR
    tab.go_back()
    expect(tab.locator(".cw-opened p").first).to_have_text(lesson.rows()[0].sentence, timeout=10_000)


def test_a_phone_shows_question_control_and_picture_first_and_nothing_is_too_wide(visit):
    tab = visit(f"evidence?claim={lesson.rows()[-1].id}", 390, 844, dark=True)
    expect(tab.locator(FIGURE).first).to_be_visible(timeout=20_000)
    settle(tab)
    assert sideways(tab) <= 0
    for what in ("h1", ".st-key-claim", ".cw-tally", ".st-key-figure-seeds"):
        assert tab.locator(what).first.bounding_box()["y"] < 844, what
    wide = "els => els.filter(e => e.getBoundingClientRect().right > 391).length"
    assert tab.locator(".cw-claim, .cw-claim *, .cw-opened *").evaluate_all(wide) == 0
