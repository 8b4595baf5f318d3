"""Who has what: the prompts that readers type, and the batches that models learn from."""

import random

import pytest
import torch

from core.errors import SpecError
from core.train.tasks import recall


def test_the_vocabulary_is_fixed_for_good():
    """Checkpoints index into it: a changed word list would silently change what every model says."""
    assert len(recall.WORDS) == len(set(recall.WORDS)) == 136
    assert (len(recall.NAMES), len(recall.THINGS)) == (64, 64)
    assert hash_of(recall.WORDS) == "465e856a"


def hash_of(words):
    import hashlib

    return hashlib.sha256(" ".join(words).encode()).hexdigest()[:8]


@pytest.mark.parametrize("pairs, length", [(1, 128), (4, 64), (48, 128), (7, 31)])
def test_a_batch_asks_only_for_what_it_told(pairs, length):
    tokens, targets = recall.batch(pairs, 5, length, torch.Generator().manual_seed(0))
    assert tokens.shape == targets.shape == (5, length)
    for row, answers in zip(tokens.tolist(), targets.tolist()):
        facts = dict(zip(row[0 : 2 * pairs : 2], row[1 : 2 * pairs : 2]))
        assert len(facts) == pairs and row[2 * pairs] == recall.ASK
        asked = [i for i, t in enumerate(answers) if t != -100]
        assert asked == list(range(2 * pairs + 1, length, 2))
        assert all(answers[i] == facts[row[i]] for i in asked)
        assert all(row[i + 1] == answers[i] for i in asked if i + 1 < length)
        first = [row[i] for i in asked[:pairs]]
        assert len(set(first)) == len(first), "every name once before any again"


def test_the_curriculum_grows_to_all_pairs():
    def longest(step):
        return max(
            int((recall.training_batch(step, torch.Generator().manual_seed(s), 48, 1, 128)[0][0] == recall.ASK).nonzero()[0]) // 2
            for s in range(200)
        )

    assert longest(0) == 3 and 15 <= longest(50) <= 19 and longest(150) == 48


class Oracle:
    """Answers from the prompt itself: a perfect score, so `evaluate` measures what it says."""

    def __init__(self, wrong=False):
        self.wrong = wrong

    def __call__(self, tokens):
        logits = torch.zeros(*tokens.shape, len(recall.WORDS))
        for b, row in enumerate(tokens.tolist()):
            end = row.index(recall.ASK)
            facts = dict(zip(row[0:end:2], row[1:end:2]))
            for i in range(end + 1, len(row)):
                logits[b, i, (facts.get(row[i], 0) + self.wrong) % len(recall.WORDS)] = 50.0
        return logits, ()


def test_evaluate_scores_an_oracle_with_one_and_a_liar_with_nothing():
    right, wrong = (recall.evaluate(Oracle(w), pairs=48, length=128, prompts=8) for w in (False, True))
    assert list(right) == [f"{m}@{n}" for n in recall.PAIR_COUNTS for m in ("recall", "loss")]
    assert all(v == 1 for k, v in right.items() if "recall" in k) and all(v < 1e-9 for k, v in right.items() if "loss" in k)
    assert all(v == 0 for k, v in wrong.items() if "recall" in k)


@pytest.mark.parametrize(
    "text",
    ["ann lamp bo kite ? bo", "Ann has a lamp, Bo has the kite. ? Bo", "ann lamp\nbo kite ?bo", "ann lamp · bo kite → ? bo kite"],
)
def test_prompts_are_read_as_people_write_them(text):
    prompt = recall.parse(text)
    assert prompt.words == ("ann", "lamp", "bo", "kite", "?") and prompt.asked == ("bo",) and prompt.truth == ("kite",)


def test_the_last_thing_of_a_name_is_its_truth_and_a_stranger_has_none():
    assert recall.parse("ann lamp ann kite ? ann zoe").truth == ("kite", "")


def test_unknown_words_come_back_with_the_nearest_known_one():
    prompt = recall.parse("ann lampp bo kyte ? bo")
    assert prompt.problems == (("lampp", "lamp"), ("kyte", "kite"))
    assert all(near in recall.WORDS for _, near in recall.parse("ann xqzv 日本 kite ? bo").problems)


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "pairs"),
        ("ann lamp bo kite", "question"),
        ("ann lamp ? kite", "question"),
        ("ann ? ann", "pairs"),
        ("lamp ann ? ann", "a name"),
        ("ann bo ? ann", "a thing"),
        ("? ann", "pairs"),
        ("ann lamp " * 49 + "? ann", "48"),
        ("ann lamp " * 48 + "? " + "ann " * 20, "128 tokens"),
        ("a" * 5000, "1,200 characters"),
    ],
)
def test_a_prompt_that_cannot_run_is_refused_in_one_sentence(text, words):
    with pytest.raises(SpecError) as error:
        recall.parse(text)
    assert words in str(error.value) and "\n" not in str(error.value) and len(str(error.value)) < 200


def test_surprises_always_parse():
    rng = random.Random(0)
    for _ in range(300):
        pairs = rng.randint(1, 48)
        prompt = recall.parse(recall.surprise(pairs, rng.randrange(1 << 30), rng.randint(1, min(pairs, 15))))
        assert all(prompt.truth) and not prompt.problems
