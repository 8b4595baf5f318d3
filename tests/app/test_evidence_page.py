"""Evidence: every claim a row, every control moved, links that open what they promise, another table another page."""

import shutil
from functools import partial
from urllib.parse import parse_qsl, urlsplit

import pytest
from streamlit.testing.v1 import AppTest

from core.lessons import evidence as lesson
from core.train import rules, zoo
from tests.app import opening
from tests.app.opening import fine, pictures, text

opened = partial(opening.opened, "evidence")


def listed(at: AppTest) -> int:
    """How many rows stand on the page."""
    return text(at).count('role="listitem"')


def test_one_row_a_claim_with_its_verdict_seeds_command_and_page():
    shown, found = text(opened()), lesson.rows()
    assert shown.count('role="listitem"') == len(found)
    for row in found:
        assert row.sentence in shown.replace("&#x27;", "'").replace("&amp;", "&") and row.command in shown
        assert f'href="/{row.mechanism}?section=Prove' in shown
    assert shown.count('class="cw-seeds') == sum(bool(row.compared) for row in found)
    assert all(f"<b>{n}</b> " in shown for n in lesson.tally(found).values())


def test_every_claim_opens_with_all_its_runs():
    at = opened()
    for row in lesson.rows():
        fine(at.select_slider(key="claim").set_value(row.id).run())
        if row.compared:
            kept = pictures(at)["seeds"]
            assert kept["config"]["claim"] == row.sentence and kept["config"]["command"] == row.command
            assert kept["table"]["value"] == pytest.approx(lesson.table(row, str)["value"], rel=1e-4, abs=1e-9)
        assert f".cw-claim-{row.id.replace(' ', '-')}::before" in text(at) and f": {row.id}</h3>" in text(at)


def test_filters_move_and_take_what_they_say():
    at = opened()
    for outcome in lesson.outcomes():
        fine(at.pills(key="verdict").set_value([outcome]).run())
        assert listed(at) == lesson.tally(lesson.rows())[outcome]
    fine(at.pills(key="verdict").set_value([]).run())
    for title in lesson.mechanisms():
        fine(at.selectbox(key="mechanism").set_value(title).run())
        assert listed(at) == len(lesson.chosen_rows(title, ()))


def test_filters_that_nothing_passes_leave_a_page():
    title = next(t for t in lesson.mechanisms()[1:] if not lesson.chosen_rows(t, (rules.NOT,)))
    at = opened(verdict=rules.NOT, mechanism=title)
    assert listed(at) == 0 and "No claim passes" in text(at) and pictures(at)["seeds"]


def test_the_link_of_the_picture_opens_the_same_state():
    row = lesson.rows()[-1]
    at = opened(claim=row.id, verdict=row.outcome, mechanism=row.title)
    again = opened(**dict(parse_qsl(urlsplit(pictures(at)["seeds"]["config"]["link"]).query)))
    assert pictures(at)["seeds"] == pictures(again)["seeds"] and listed(at) == listed(again) > 0


@pytest.mark.parametrize(
    "query", [{"claim": "gqa 999"}, {"claim": "<script>"}, {"verdict": "x" * 3000}, {"mechanism": "<b>"}, {"nonsense": "1"}]
)
def test_nonsense_in_a_link_shows_all_claims(query):
    at = opened(**query)
    assert listed(at) == len(lesson.rows()) and "<script>" not in text(at)
    assert "Not accepted from this link" in text(at) or "nonsense" in query


def test_what_papers_printed_stands_with_its_mechanism():
    shown = text(opened())
    for name in lesson.grouped(lesson.rows()):
        assert all(cells.split(";")[0].split(": ")[-1].split(" ")[0] in shown for _, _, cells in lesson.printed(name))
    assert "https://arxiv.org/abs/2305.13245" in shown


def test_another_table_is_another_page_and_a_missing_one_waits(tmp_path, monkeypatch):
    before = text(opened())
    folder = shutil.copytree(zoo.EVIDENCE, tmp_path / "evidence")
    swap = {"mha": "mqa", "mqa": "mha"}
    rows = [{**row, "variant": swap.get(row["variant"], row["variant"])} for row in zoo.table("gqa")]
    (folder / "gqa.csv").write_text(zoo.as_csv(rows))
    (folder / "sparse_attention.csv").unlink()
    monkeypatch.setattr(zoo, "EVIDENCE", folder)
    after = text(opened())
    assert lesson.rows()[0].outcome == rules.NOT and lesson.WAITING in after and lesson.WAITING not in before
    assert all(f"<b>{n}</b> " in after for n in lesson.tally(lesson.rows()).values())
    waiting = next(row for row in lesson.rows() if row.outcome == lesson.WAITING)
    assert "No runs yet." in text(opened(claim=waiting.id))


def test_two_visitors_interleaved_each_see_their_own():
    rows = lesson.rows()
    a, b = opened(claim=rows[1].id), opened(claim=rows[-1].id, verdict=rules.SHOWS)
    for i in (2, 3):
        a.select_slider(key="claim").set_value(rows[i].id)
        b.select_slider(key="claim").set_value(rows[-i].id)
        fine(a.run()), fine(b.run())
        assert pictures(a)["seeds"]["config"]["claim"] == rows[i].sentence and listed(a) == len(rows)
        assert pictures(b)["seeds"]["config"]["claim"] == rows[-i].sentence and listed(b) == lesson.tally(rows)[rules.SHOWS]
