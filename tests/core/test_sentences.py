"""The grammar of little stories, its checker against the plainest form of the same rules, and what readers type."""

import itertools
import math
import re

import pytest
import torch

from core.errors import SpecError
from core.model.decoding import diffusion
from core.train.tasks import sentences, stories
from core.train.tasks.stories import FAULTS, INDEX, LENGTH, MASK, SEVERAL, THEY, WORDS, checked, grammar, texts, valid

GOOD = "yesterday anna the baker baked bread in the bakery . she was weary and baked her rolls . hugo thanked his kind mother ."


def tokens(text: str) -> torch.Tensor:
    """A text as (1, 24)."""
    return torch.tensor([[INDEX[word] for word in text.split()]])


def faults(text: str) -> set[tuple[int, str]]:
    """(place, fault) of a text."""
    found = checked(tokens(text))[0]
    return {(i, FAULTS[k]) for i, k in found.nonzero().tolist()}


def drawn(count: int, seed: int = 0) -> torch.Tensor:
    """Random texts."""
    return texts(count, torch.Generator().manual_seed(seed))


# The grammar


def test_every_text_is_right_24_words_long_and_ends_in_a_full_stop():
    made = drawn(2000)
    assert made.shape == (2000, LENGTH) and valid(checked(made)).all() and (made != INDEX[MASK]).all()
    assert (made[:, -1] == INDEX["."]).all() and ((made == INDEX["."]).sum(1) == 3).all()


def test_there_are_a_few_hundred_words_and_each_is_spoken():
    assert 200 <= len(WORDS) <= 400 and len(set(WORDS)) == len(WORDS)
    assert set(drawn(6000).flatten().tolist()) == set(range(1, len(WORDS)))


def test_every_plan_is_an_order_of_classes_of_its_own_and_is_spoken():
    g = grammar()
    assert len({tuple(row) for row in g.order.tolist()}) == len(g.plan) == len(stories.plans()) > 100
    spoken = {tuple(row) for row in g.kind[drawn(6000)].tolist()}
    assert spoken == {tuple(row) for row in g.order.tolist()}


def test_the_same_seed_gives_the_same_texts():
    assert torch.equal(drawn(8, 3), drawn(8, 3)) and not torch.equal(drawn(8, 3), drawn(8, 4))


@pytest.fixture(scope="module")
def every_way():
    """{(slot, context): the words that may stand there}, from the word lists alone."""
    fitting = {}
    for slot, context in itertools.product(grammar().slots, stories.CONTEXTS):
        fitting[slot, context] = frozenset(stories.fitting(slot, context))
    return fitting


def right(row: list[int], every_way: dict) -> bool:
    """Is there a plan and a context in which every word may stand where it stands?"""
    kinds = [stories.LEXICON[w].kind for w in row]
    for plan, number in stories.plans():
        if kinds != [stories.parts(slot)[0] for slot in plan]:
            continue
        for context in stories.CONTEXTS:
            fits = (number == SEVERAL) == (context[1] == THEY)
            if fits and all(w in every_way[slot, context] for w, slot in zip(row, plan)):
                return True
    return False


def test_the_checker_agrees_with_trying_every_plan_and_every_context(every_way):
    made, generator = drawn(150, 1), torch.Generator().manual_seed(2)
    pool = grammar().kind
    for row in made:  # a word of one or two places becomes another one, most often of its own class
        for _ in range(int(torch.randint(3, (), generator=generator))):
            at = int(torch.randint(LENGTH, (), generator=generator))
            alike = (pool == pool[row[at]]).nonzero().flatten()
            if torch.rand((), generator=generator) < 0.2:
                alike = torch.arange(1, len(WORDS))
            row[at] = alike[int(torch.randint(len(alike), (), generator=generator))]
    found = valid(checked(made)).tolist()
    assert found == [right(row, every_way) for row in made.tolist()]
    assert 30 < sum(found) < 120


@pytest.mark.parametrize(
    "before, after, found",
    [
        ("yesterday", "today", {(4, "tense"), (11, "tense"), (14, "tense"), (19, "tense")}),
        ("baked bread", "bakes bread", {(4, "tense")}),
        ("she was", "he was", {(10, "person")}),
        ("her rolls", "their rolls", {(15, "person")}),
        ("she was", "she were", {(11, "number")}),
        ("his kind", "her kind", {(20, "person")}),
        ("bread in", "beer in", {(5, "trade")}),
        ("baked bread", "brewed bread", {(3, "trade"), (5, "trade"), (8, "trade"), (14, "trade"), (16, "trade")}),
        ("the baker", "the bakers", {(3, "number")}),
        ("kind mother", "mother kind", {(21, "order"), (22, "order")}),
        ("weary and", "weary weary", {(13, "order")}),
        ("hugo thanked his", "anna thanked her", set()),
    ],
)
def test_each_fault_is_found_at_its_place(before, after, found):
    assert not faults(GOOD) and faults(GOOD.replace(before, after, 1)) == found


def test_grammatical_asks_for_order_and_number_only():
    for text, expected in ((GOOD, True), (GOOD.replace("she was", "he was"), True), (GOOD.replace("she was", "she were"), False)):
        found = checked(tokens(text))
        assert bool(stories.grammatical(found)) == expected and (not valid(found) or expected)


def test_a_mask_is_a_fault_of_order():
    assert faults(GOOD.replace("bread", MASK)) == {(5, "order")}


def test_surprisal_is_the_number_of_ways_to_have_said_it(every_way):
    row, g = tokens(GOOD), grammar()
    ways = len(g.plan) * 2 * 2 * 2 * stories.TRADE_COUNT  # plan, tense, her, his, trade
    kinds = [stories.LEXICON[w].kind for w in row[0]]
    plan = next(p for p, _ in stories.plans() if [stories.parts(slot)[0] for slot in p] == kinds)
    context = (stories.PAST, stories.SHE, stories.HE, 0)
    words = [len(every_way[slot, context]) for slot in plan]
    assert stories.surprisal(row).item() == pytest.approx(math.log(ways) + sum(map(math.log, words)))


def test_sentences_are_told_apart_by_their_full_stops():
    assert len(stories.sentences_of(tokens(GOOD))) == 3
    assert len(stories.sentences_of(torch.cat([tokens(GOOD), tokens(GOOD)]))) == 3
    assert len(stories.sentences_of(tokens(GOOD.replace("hugo", "ivan")).repeat(2, 1))) == 3
    assert len(stories.sentences_of(torch.full((2, LENGTH), INDEX["the"]))) == 1


# The task


class Oracle:
    """A model that gives every word of one text all the probability."""

    def __init__(self, decoding: str, row: torch.Tensor):
        self.spec, self.row = type("Spec", (), {"decoding": decoding}), row

    def __call__(self, given, state=()):
        at = state if isinstance(state, int) else 0
        row = self.row[at : at + given.shape[1]]
        logits = torch.nn.functional.one_hot(row, len(WORDS)).double() * 1e3
        return logits.expand(len(given), *logits.shape), at + given.shape[1]


@pytest.mark.parametrize("decoding", ["diffusion", "autoregressive"])
def test_who_always_says_one_right_text_is_right_and_says_three_sentences(decoding):
    found = sentences.evaluate(Oracle(decoding, tokens(GOOD)[0]), samples=8)
    assert all(v == 1 for name, v in found.items() if name.startswith(("valid", "grammatical")))
    assert all(v == 3 for name, v in found.items() if name.startswith("distinct"))
    assert {name for name in found if name.startswith("valid")} == (
        {f"valid@{name}" for name in sentences.SAMPLERS} if decoding == "diffusion" else {"valid@24:left"}
    )


def test_what_is_learned_depends_on_how_the_model_decodes():
    batch = sentences.training_batch(0, torch.Generator().manual_seed(0), 16)
    assert batch[0].shape == batch[2].shape == (16, LENGTH) and valid(checked(batch[0])).all()
    row = tokens(GOOD)
    t, masked = torch.tensor([0.5]), torch.zeros(1, LENGTH, dtype=torch.bool)
    for decoding in ("diffusion", "autoregressive"):
        assert sentences.loss(Oracle(decoding, row[0]), row, t, masked).item() == pytest.approx(0)
    wrong = tokens(GOOD.replace("bread", "rolls"))
    assert sentences.loss(Oracle("diffusion", row[0]), wrong, t, masked).item() == 0, "nothing is masked"
    assert sentences.loss(Oracle("autoregressive", row[0]), wrong, t, masked).item() > 1


def test_the_grammars_own_texts_are_all_right():
    found = sentences.reference()
    assert found["valid@own"] == found["grammatical@own"] == 1 and 1.0 < found["nats"] < 1.2


# What readers type


def test_gaps_are_underscores_and_what_is_missing_at_the_end():
    canvas = sentences.parse("Today _ the BAKER bakes ___ bread.")
    assert canvas.words[:8] == ("today", MASK, "the", "baker", "bakes", MASK, "bread", ".")
    assert canvas.gaps == (1, 5, *range(8, LENGTH)) and len(canvas.words) == LENGTH
    assert sentences.parse("").gaps == tuple(range(LENGTH)) and sentences.parse(f"{MASK} ▢").words == (MASK,) * LENGTH


def test_unknown_words_are_named_with_the_nearest_known_one():
    assert dict(sentences.parse("today the bakker bakes").problems) == {"bakker": "baker"}


@pytest.mark.parametrize("text, said", [("the " * 25, "24"), (GOOD, "gap"), ("x" * 5000, "400 characters")])
def test_what_cannot_be_a_canvas_is_refused_in_one_sentence(text, said):
    with pytest.raises(SpecError, match=said) as caught:
        sentences.parse(text)
    assert len(str(caught.value)) < 200 and "\n" not in str(caught.value)


def test_every_surprise_parses_and_comes_back_as_it_was_written():
    assert len(sentences.parse(sentences.surprise(3, 18)).gaps) == 18
    for seed in range(60):
        canvas = sentences.parse(sentences.surprise(seed))
        assert not canvas.problems and canvas.gaps and sentences.parse(sentences.as_typed(canvas.words)) == canvas
        assert re.fullmatch(r"[a-z_. ]+", sentences.as_typed(canvas.words))
        assert canvas.tokens.shape == (1, LENGTH) and (canvas.tokens[0, list(canvas.gaps)] == diffusion.MASK).all()
