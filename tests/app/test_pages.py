"""What every page must do, without a browser: what is expected of it, the tests of its mechanism say (tests/mechanisms).

Every section opens at both ends of the first slider, every control moves in every section, a preset sets what it says, a link
shows the page that it was made from, nonsense in a link shows the page and nonsense in the prompt gives a sentence, claims,
printed numbers, source and models stand where they belong. What is particular stands in test_<page>_page.py.
"""

from urllib.parse import parse_qsl

import pytest

from core.train import evidence
from tests.app.opening import drawn, elements, ends, every, fine, linked, moved, opened, pictures, text
from tests.mechanisms import PAGES

SECTIONS = ("See", "Count", "Prove", "Read", "Who uses it")
FRAME = {"section", "stage"}
LINKS = (
    {"section": "Nowhere"}, {"head": "999"}, {"row": "-1"}, {"row": "1"}, {"row": "999"}, {"step": "1e9"}, {"prompt": "x" * 5000},
    {"layer": "7"}, {"v": "99", "nonsense": "1"}, {"real": "nobody", "section": "Count"},
)  # fmt: skip
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def each(what: str):
    """A test for each item of a field of each page."""
    return pytest.mark.parametrize(
        "page, given", [pytest.param(p, item, id=f"{p.name}-{i}") for p in PAGES for i, item in enumerate(getattr(p, what))]
    )


@pytest.mark.parametrize("section", SECTIONS)
@each("ends")
def test_every_section_opens_at_both_ends_of_the_controls(page, given, section):
    at = opened(page.name, section=section, **given)
    assert at.segmented_control(key="section").value == section
    assert {key: str(drawn(at)[key].value) for key in given} == given


@pytest.mark.parametrize("section", SECTIONS)
@every_page
def test_every_control_moves_in_every_section(page, section):
    """To all of its values in the first section, in the others to both ends and one in the middle; two sections count models."""
    done, wanted = set(FRAME), set(page.controls.split())
    pick, real = every if section == "See" else ends, page.real if section in ("See", "Count") else ends(page.real)
    for query in ({}, *page.shy.values()):
        at = opened(page.name, section=section, **query)
        while left := [key for key in drawn(at) if key not in done]:
            moved(at, left[0], real if left[0] == "real" else None, pick)
            done.add(left[0])
    if section == "See":
        assert done - FRAME >= wanted


@every_page
def test_a_preset_sets_what_it_says(page):
    (label, wanted), at = page.preset, opened(page.name)
    row = next(key for key, control in drawn(at).items() if label in getattr(control, "options", ()) and key not in wanted)
    moved(at, row, (label,))
    assert wanted.items() <= linked(at).items()


@each("links")
def test_a_link_shows_the_page_that_it_was_made_from(page, given):
    asked = dict(parse_qsl(given))
    first = opened(page.name, **asked)
    link = linked(first)
    assert len(asked.items() & link.items()) == len(asked.keys() & link.keys()) > 0
    assert elements(opened(page.name, **link)) == elements(first)


@each("prompts")
def test_a_prompt_that_cannot_be_read_is_answered_in_words(page, given):
    prompt, words = given
    shown = text(opened(page.name, prompt=prompt))
    assert all(word in shown for word in words)
    assert "<script>" not in shown and "Traceback" not in shown


@pytest.mark.parametrize(
    "page, query",
    [pytest.param(p, q, id=f"{p.name}-{i}") for p in PAGES for i, q in enumerate((*LINKS, *p.nonsense))],
)
def test_nonsense_in_a_link_shows_the_page(page, query):
    at = opened(page.name, **query)
    key = next(iter(page.ends[0]))
    assert str(at.select_slider(key=key).value) in at.select_slider(key=key).options


@every_page
def test_claims_and_printed_numbers_stand_with_their_verdicts_and_sources(page):
    shown, tables = text(opened(page.name, section="Prove")), evidence.published(page.name)
    for claim in evidence.report(page.name)["claims"]:
        assert claim["claim"] in shown and f">{claim['verdict']}</span>" in shown
    assert tables
    for table in tables:
        assert table["paper"] in shown and table["table"] in shown
        assert all(f">{cell}</td>" in shown for row in table["rows"] for cell in row)


@every_page
def test_the_source_that_ran_is_shown(page):
    shown = text(opened(page.name, section="Read"))
    assert "Glossary" in shown and all(words in shown for words in page.source)


@every_page
def test_users_are_the_catalogue(page):
    shown, names = text(opened(page.name, section="Who uses it")), page.users()
    assert len(names) >= page.fewest and all(f">{name}<" in shown for name in names)
    assert "not stated" not in shown or not page.stated


def seen(at) -> str:
    """What a visitor reads, and the pictures on the page but for their links: those hold what was asked, not what is shown."""
    return text(at) + str([header | {"config": None} for header in pictures(at).values()])


@every_page
def test_two_visitors_interleaved_each_see_what_one_alone_sees(page):
    """Each with a prompt of their own at one end of the slider, then both at the other end: four different pages."""
    values = [end[page.control] for end in page.ends]
    visitors = [opened(page.name, **page.fresh(n), **{page.control: value}) for n, value in enumerate(values)]
    shown = [seen(at) for at in visitors]
    for at, value in zip(visitors, reversed(values)):
        at.select_slider(key=page.control).set_value(value)
    shown += [seen(fine(at.run())) for at in visitors]
    assert len(set(shown)) == 4
    assert shown[2:] == [seen(opened(page.name, **linked(at))) for at in visitors]
