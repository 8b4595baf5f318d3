"""The page on text diffusion in a real Chromium: words appear pass by pass, ringed where they stay. The rest: test_pages.py."""

from playwright.sync_api import expect

from core.lessons.text_diffusion import lesson
from core.train.tasks import sentences
from tests.browser.driver import holds, settle

TEXT = "today _ who _ the potters shapes small _ . _ glazes his bowls in the _ . he is _ and calm ."
TAKEN, SOLID = ".rings rect[stroke-dasharray]", ".rings rect:not([stroke-dasharray])"


def drawn(tab, passes: int):
    """Until the grid stands at its last pass."""
    expect(tab.locator(".steps output")).to_contain_text(f"{passes} of {passes}", timeout=20_000)
    settle(tab)
    return tab


def words(tab) -> list[str]:
    """The strip of words."""
    return [word.strip() for word in tab.locator(".tok").all_inner_texts()]


def run(order: str, steps: int = 4, seed: int = 2) -> lesson.Denoised:
    """What the page should show."""
    return lesson.watch(sentences.parse(TEXT).words, lesson.sampler(steps, order, "whole text", 1.0), seed)


def test_stepping_shows_the_words_and_rings_of_every_pass_without_the_server(visit):
    made = run(lesson.SURE)
    tab = drawn(visit(f"text_diffusion?steps=4&seed=2&prompt={TEXT}"), made.passes)
    for step in range(made.passes, 0, -1):
        expect(tab.locator(".steps output")).to_contain_text(f"{step} of")
        said = list(made.words[step - 1])
        holds(tab, lambda said=said: words(tab) == said)
        expect(tab.locator(SOLID)).to_have_count(int(made.kept[:step].sum()))
        expect(tab.locator(TAKEN)).to_have_count(0)
        expect(tab.locator(".tok.on")).to_have_count(int(made.kept[step - 1].sum()))
        tab.get_by_role("button", name="Previous step").click()
    tab.get_by_role("button", name="Play").click()
    drawn(tab, made.passes)
    holds(tab, lambda: words(tab) == list(made.text))


def test_words_taken_back_have_dashed_rings_and_a_cell_says_what_it_drew(visit):
    made = run(lesson.AGAIN, steps=24)
    assert made.taken.any()
    tab = drawn(visit(f"text_diffusion?steps=24&order=any,+and+take+back&seed=2&prompt={TEXT}"), made.passes)
    expect(tab.locator(TAKEN)).to_have_count(int(made.taken.sum()))
    expect(tab.locator(SOLID)).to_have_count(int(made.kept.sum()))
    row, column = (int(i) for i in divmod(int(made.kept.argmax()), made.kept.shape[1]))
    box = tab.locator(".map").bounding_box()
    tab.mouse.move(
        box["x"] + (column + 0.5) * box["width"] / made.kept.shape[1], box["y"] + (row + 0.5) * box["height"] / made.passes
    )
    said = tab.locator(".readout")
    expect(said).to_contain_text(f"pass {row + 1}, place {column + 1}: ‘{made.drawn[row][column]}’")
    expect(said).to_contain_text(", kept")


def test_wrong_words_are_underlined_at_the_end_only(visit):
    made = lesson.watch((sentences.MASK,) * sentences.LENGTH, lesson.sampler(4, lesson.SURE, "whole text", 1.0), 0)
    assert made.wrong
    tab = drawn(visit("text_diffusion?steps=4"), 4)
    expect(tab.locator(".tok.wrong")).to_have_count(len(made.wrong))
    tab.get_by_role("button", name="Previous step").click()
    expect(tab.locator(".tok.wrong")).to_have_count(0)
