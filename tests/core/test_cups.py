"""The task of the ball under three cups: truth against three real cups, games, and what a reader may type."""

import random

import pytest
import torch

from core.errors import SpecError
from core.train.tasks import cups


def simulated(words) -> list[str]:
    """Where the ball is after each word, by moving three cups about."""
    table = ["ball" if place == words[0] else "" for place in cups.PLACES]
    places = [words[0]]
    for move in words[1:]:
        if move != "wait":
            i, j = (cups.PLACES.index(place) for place in move.split("-"))
            table[i], table[j] = table[j], table[i]
        places.append(cups.PLACES[table.index("ball")])
    return places


def test_truth_is_where_the_ball_ends_when_real_cups_are_moved():
    rng = random.Random(0)
    for _ in range(50):
        words = (rng.choice(cups.PLACES), *(rng.choice(cups.MOVES) for _ in range(rng.randint(1, cups.MAX_MOVES))))
        assert cups.truth(words) == simulated(words)


def test_games_are_their_own_truth_and_as_long_as_asked():
    tokens, places = cups.games(30, 40, torch.Generator().manual_seed(1))
    assert tokens.shape == places.shape == (40, 31)
    for row, at in zip(tokens.tolist(), places.tolist()):
        words = tuple(cups.WORDS[t] for t in row)
        assert words[0] in cups.PLACES and all(word in cups.MOVES for word in words[1:])
        assert [cups.PLACES[p] for p in at] == simulated(words)


def test_the_order_of_moves_matters_and_twice_is_nothing():
    assert cups.truth(("left", "left-middle", "middle-right"))[-1] != cups.truth(("left", "middle-right", "left-middle"))[-1]
    for move in cups.MOVES:
        for place in cups.PLACES:
            assert cups.truth((place, move, move))[-1] == place


def test_training_games_grow_to_their_length():
    sizes = [cups.training_batch(step, torch.Generator(), moves=24, count=2, ramp=400)[0].shape[1] for step in (0, 200, 400, 900)]
    assert sizes == sorted(sizes) and sizes[0] == 3 and sizes[-1] == 25


def test_a_model_that_knows_the_truth_is_always_right_and_a_guess_a_third_of_the_time():
    def oracle(tokens):
        games = ([cups.WORDS[t] for t in row] for row in tokens.tolist())
        places = torch.tensor([[cups.INDEX[place] for place in cups.truth(words)] for words in games])
        return torch.nn.functional.one_hot(places, len(cups.WORDS)).float(), ()

    assert set(cups.evaluate(oracle, prompts=16).values()) == {1.0}
    guess = cups.evaluate(lambda tokens: (torch.nn.functional.one_hot(0 * tokens, len(cups.WORDS)).float(), ()), prompts=256)
    assert all(abs(value - 1 / 3) < 0.06 for value in guess.values())


def test_a_game_is_read_as_it_is_typed():
    assert cups.parse("Left, left-middle; WAIT") == ("left", "left-middle", "wait")


@pytest.mark.parametrize(
    "text, said",
    [
        ("", "must be a place"),
        ("left", "must be a place"),
        ("left-middle left", "must be a place"),
        ("left wait right", "must be a place"),
        ("left left-midle", "did you mean “left-middle”"),
        ("lefft wait", "did you mean “left”"),
        ("<script>alert(1)</script>", "did you mean"),
        ("left " + "wait " * (cups.MAX_MOVES + 1), f"at most {cups.MAX_MOVES} moves"),
        ("left " * 500, f"at most {cups.MAX_CHARACTERS:,} characters"),
    ],
)
def test_what_is_no_game_is_refused_in_a_sentence(text, said):
    with pytest.raises(SpecError) as refused:
        cups.parse(text)
    assert said in str(refused.value)
