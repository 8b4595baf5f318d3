"""The recursive page in a real Chromium: a cell is rewritten by tap and by key, the boards are stepped through and played."""

from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from core.lessons.recursive import lesson
from tests.browser.driver import copied, holds, parameters, settle

MAZE = "..S.... ####.#. ...#.#. .###.## .....#. .###.#. .#..G.."
BOARD = "3...14+6...52+2..1.5+.1....+..5..3+46...."


@pytest.fixture
def tab(visit):
    """The page with a board that has one solution."""
    tab = visit(f"recursive?board={BOARD}")
    expect(tab.locator(".boards .cell")).to_have_count(36, timeout=20_000)
    settle(tab)
    return tab


def test_a_cell_is_rewritten_by_a_tap_and_a_key_and_travels_in_the_link(tab):
    cell = tab.locator(".boards .cell").nth(1)
    cell.click()
    tab.locator(".boards .words button", has_text="3").click()
    expect(tab.locator(".cw-error")).to_contain_text("row 1 holds 3 twice", timeout=15_000)
    expect(cell).to_have_class("cell given")
    settle(tab)
    assert parameters(copied(tab))["board"].startswith("33..14 ")
    cell.focus()
    tab.keyboard.press("Backspace")
    expect(tab.locator(".cw-error")).to_have_count(0, timeout=15_000)
    settle(tab)
    assert parameters(copied(tab))["board"] == BOARD.replace("+", " ")


def test_what_is_shown_is_what_the_solver_said_at_every_update(tab):
    puzzle = lesson.parse("6x6", BOARD.replace("+", " "))
    thought = lesson.think("trm-mlp", puzzle.given, lesson.STAY)
    slider = tab.locator(".boards input[type=range]")
    for update in (1, 6, len(thought.words)):
        slider.fill(str(update))
        said = "".join(map(str, thought.words[update - 1])).replace("0", "")
        holds(tab, lambda said=said: "".join(tab.locator(".boards .cell span").all_inner_texts()) == said)
        expect(tab.locator(".boards .cell.wrong")).to_have_count(int(thought.wrong(puzzle.truth)[update - 1]))
    slider.fill("1")
    tab.get_by_role("button", name="Play").click()
    expect(tab.locator(".boards output")).to_contain_text(f"step {lesson.STAY}", timeout=15_000)


def test_a_tap_on_a_small_board_shows_it_and_the_link_remembers(tab):
    tiles = tab.locator(".boards canvas.tiles")
    tiles.click(position={"x": 40, "y": 100})
    output = tab.locator(".boards output")
    expect(output).to_contain_text("step 2")
    holds(tab, lambda: parameters(copied(tab)).get("step") == "5")


def test_a_maze_is_drawn_and_its_start_moves(visit):
    tab = visit(f"recursive?puzzle=maze&maze={quote(MAZE)}")
    cells = tab.locator(".boards .cell")
    expect(cells).to_have_count(49, timeout=20_000)
    settle(tab)
    cells.nth(14).click()
    tab.locator(".boards .words button", has_text="S").click()
    expect(cells.nth(14)).to_have_text("S", timeout=15_000)
    settle(tab)
    assert parameters(copied(tab))["maze"] == MAZE.replace("..S....", ".......").replace(" ...#.#.", " S..#.#.")


def test_a_trail_of_one_update_a_step_stands_in_columns(visit):
    """Sixteen steps in two columns of eight: a tap at the head of the second shows the ninth."""
    tab = visit("recursive?puzzle=9x9&solver=looped&steps=16")
    expect(tab.locator(".boards .cell")).to_have_count(81, timeout=20_000)
    settle(tab)
    tiles = tab.locator(".boards canvas.tiles")
    tiles.click(position={"x": tiles.bounding_box()["width"] / 2 + 34, "y": 30})
    expect(tab.locator(".boards output")).to_contain_text("step 9 of 16")
    tiles.click(position={"x": 34, "y": 30})
    expect(tab.locator(".boards output")).to_contain_text("step 1 of 16")
    cell = tab.locator(".boards .cell").nth(0)
    cell.focus()
    tab.keyboard.press("5")
    expect(tab.locator(".cw-error")).to_contain_text("column 1 holds 5 twice", timeout=15_000)
    settle(tab)
    assert parameters(copied(tab))["large"].startswith("5........ ")
