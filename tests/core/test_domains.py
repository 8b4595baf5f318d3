"""Eight domains in one text: the grammars, the batches, the floor, the information in routing, the texts readers type."""

import hashlib
import math
import random
from collections import Counter

import pytest
import torch

from core.errors import SpecError
from core.train.tasks import domains, grammars

ENDS = (".", ";")  # what a sentence closes with


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def hash_of(parts):
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:8]


# The grammars


def test_the_vocabulary_is_fixed_for_good():
    """Checkpoints index into it: a changed word list would silently change what every model says."""
    assert len(domains.WORDS) == len(set(domains.WORDS)) == len(domains.INDEX)
    assert 320 <= len(domains.WORDS) <= 600
    assert hash_of(domains.WORDS) == "26ce9e70"


def test_what_goes_with_what_is_fixed_for_good():
    """The trained models learned these facts by heart, and these batches."""
    assert hash_of(sorted(" ".join((d, slot, *context)) for d, slot, context in grammars.facts())) == "dd271a64"
    tokens, _ = domains.batch(8, 64, seeded())
    assert hash_of(domains.WORDS[t] for t in tokens.flatten()) == "49a4774e"


@pytest.mark.parametrize("name", domains.DOMAINS)
def test_a_domain_has_words_of_its_own(name):
    d = domains.DOMAINS.index(name)
    own = [word for word in domains.WORDS if domains.domain_of(word) == d]
    said = set(grammars.GRAMMARS[d].words)
    assert len(own) >= 40 and set(own) < said and len(own) > 0.7 * len(said)
    assert not any(set(own) & set(g.words) for g in grammars.GRAMMARS if g.name != name)


def test_some_words_belong_to_no_domain_alone():
    shared = {word for word in domains.WORDS if domains.domain_of(word) == -1}
    assert {".", "basil", "icy", "check", "rocket"} <= shared and len(shared) < 40
    assert len(domains.DOMAINS) == 8


def test_every_word_is_said_and_every_sentence_ends():
    machine = grammars.machine()
    assert set(machine.word[len(domains.DOMAINS) :].tolist()) == set(range(len(domains.WORDS)))
    ends = {domains.WORDS[w] for w in machine.word[machine.ends]}
    others = {domains.WORDS[w] for w in machine.word[~machine.ends] if w >= 0}
    assert ends == set(ENDS) and not ends & others


def test_far_more_is_to_be_learned_by_heart_than_a_small_layer_holds():
    """Thousands of pairs of words that take a third, in every domain alike; two words of every three hang on both before."""
    facts = grammars.facts()
    assert 5000 <= len(facts) <= 20_000
    assert min(Counter(d for d, *_ in facts).values()) >= 800
    slots = [w for g in grammars.GRAMMARS for sentence in g.sentences for w in sentence]
    decided = sum(sum(w.isupper() for w in sentence) - grammars.ORDER for g in grammars.GRAMMARS for sentence in g.sentences)
    assert decided > 0.55 * len(slots)


@pytest.mark.parametrize("name", domains.DOMAINS)
def test_neither_word_of_a_pair_decides_alone(name):
    """Of all pairs with one word, the third is now this and now that word, as often as in a table without any rule."""
    taken: dict[tuple, list] = {}
    grammar = grammars.GRAMMARS[domains.DOMAINS.index(name)]
    for domain, slot, pair in grammars.facts():
        if domain == name:
            third = grammars.goes_with(grammar, slot, pair, frozenset())
            taken.setdefault((slot, 0, pair[0]), []).append(third)
            taken.setdefault((slot, 1, pair[1]), []).append(third)
    many = [thirds for thirds in taken.values() if len(thirds) >= 8]
    assert sum(max(Counter(t).values()) / len(t) for t in many) / len(many) < 0.45


@pytest.mark.parametrize("name", domains.DOMAINS)
def test_a_slot_says_only_words_of_its_list_and_none_twice(name):
    """Sentences spoken by the machine, read against the grammar itself."""
    grammar = grammars.GRAMMARS[domains.DOMAINS.index(name)]
    generator = seeded(1)
    for _ in range(50):
        words = domains.sentence(domains.DOMAINS.index(name), generator)
        assert any(spoken(grammar, sentence, words) for sentence in grammar.sentences), words


def spoken(grammar, sentence, words):
    """Whether these words fill this sentence."""
    if len(sentence) != len(words):
        return False
    filled = {}
    for place, word in zip(sentence, words):
        wanted = grammar.lists[grammars.list_of(place)] if place.isupper() else (place,)
        if word not in wanted or filled.setdefault(place, word) != word:
            return False
    slots = [(grammars.list_of(slot), word) for slot, word in filled.items() if slot.isupper()]
    return len(slots) == len(set(slots))


def test_a_slot_is_the_one_word_that_goes_with_the_two_before():
    toy = grammars.read("# toy\nA: x y z\nB: p q\nA B A2 .\n")[0]
    sentence = toy.sentences[0]
    assert toy.lists == {"A": ("x", "y", "z"), "B": ("p", "q")}
    assert grammars.may_stand(toy, sentence, 0, {}) == ["x", "y", "z"] and grammars.may_stand(toy, sentence, 1, {"A": "x"}) == [
        "p",
        "q",
    ]
    third = {(a, b): grammars.may_stand(toy, sentence, 2, {"A": a, "B": b}) for a in "xyz" for b in "pq"}
    assert all(len(words) == 1 and words[0] in set("xyz") - {a} for (a, _), words in third.items())
    assert grammars.may_stand(toy, sentence, 3, {"A": "x", "B": "p", "A2": "y"}) == ["."]


def test_only_words_that_matter_later_are_remembered():
    sentence = tuple("A B C D .".split())
    wanted = [{"A"}, {"A", "B"}, {"B", "C"}, set(), set()]
    assert [grammars.needed(sentence, place) for place in range(5)] == wanted
    assert grammars.needed(tuple("A B C D A2 .".split()), 3) == {"A", "C", "D"}, "A2 is another word than A"


# Batches


@pytest.mark.parametrize("count, length", [(1, 1), (3, 7), (48, 64)])
def test_a_batch_is_the_same_for_the_same_generator(count, length):
    first, second = (domains.training_batch(9, seeded(5), count=count, length=length, experts=4) for _ in range(2))
    other = domains.training_batch(9, seeded(6), count=count, length=length)
    assert first[0].shape == first[1].shape == (count, length)
    assert all(torch.equal(a, b) for a, b in zip(first, second))
    assert count == 1 or not torch.equal(first[0], other[0])


def test_a_sequence_speaks_two_domains_a_sentence_at_a_time():
    tokens, where = domains.batch(200, 64, seeded())
    voices = [len(set(row)) for row in where.tolist()]
    assert max(voices) == 2 and sum(v == 2 for v in voices) > 150
    assert {d for row in where.tolist() for d in row} == set(range(8))
    for row, spots in zip(tokens.tolist(), where.tolist()):
        for i, (token, spot) in enumerate(zip(row, spots)):
            assert domains.domain_of(domains.WORDS[token]) in (-1, spot)
            assert i == 0 or spots[i - 1] == spot or domains.WORDS[row[i - 1]] in ENDS


# Loss and floor


class Unigram:
    """Knows how frequent each word is, and nothing else."""

    def __init__(self):
        tokens, _ = domains.batch(400, 64, seeded(77))
        self.logits = (tokens.flatten().bincount(minlength=len(domains.WORDS)).float() + 0.5).log()

    def __call__(self, tokens):
        return self.logits.expand(*tokens.shape, -1), ()


def test_the_loss_is_that_of_the_next_token():
    tokens = torch.tensor([[3, 5, 7]])
    logits = torch.zeros(1, 3, len(domains.WORDS))
    logits[0, 0, 5] = logits[0, 1, 7] = 50.0
    assert domains.language_loss(logits, tokens) < 1e-6
    assert domains.loss(lambda t: (logits, ()), tokens, tokens, balance=0.1) == domains.language_loss(logits, tokens)
    flat = torch.zeros(1, 3, len(domains.WORDS))
    assert domains.language_loss(flat, tokens).item() == pytest.approx(math.log(len(domains.WORDS)), rel=1e-6)


def test_evaluate_measures_every_domain_and_their_mean():
    result = domains.evaluate(Unigram(), count=48, length=64)
    assert list(result) == ["loss", *(f"loss:{name}" for name in domains.DOMAINS)] == list(domains.floor())
    _, where = domains.fresh()
    share = where[:, 1:].flatten().bincount(minlength=8).double() / where[:, 1:].numel()
    assert result["loss"] == pytest.approx(sum(float(s) * v for s, v in zip(share, list(result.values())[1:])), rel=1e-9)


def test_the_floor_is_below_a_unigram_model_in_every_domain():
    unigram, floor = domains.evaluate(Unigram()), domains.floor()
    assert all(0.2 < floor[key] < unigram[key] - 1 for key in floor)


def test_the_surprisal_is_a_probability():
    """Summed over every word that may come next, the probabilities are 1, wherever the text stands."""
    text = domains.batch(1, 24, seeded(3))[0][0].tolist()
    for n in (0, 1, 5, 12, 23):
        total = 0.0
        for token in range(len(domains.WORDS)):
            p = chance(text[:n], token)
            total += p
        assert total == pytest.approx(1, abs=1e-9), n


def chance(before, token):
    """p(token | before), 0 where it cannot be said."""
    try:
        return math.exp(-domains.surprisal([*before, token])[-1])
    except ValueError:
        return 0.0


def test_the_surprisal_agrees_with_counting():
    """Against frequencies in a large sample: the first two tokens of a sequence."""
    tokens, _ = domains.batch(40_000, 2, seeded(11))
    counted = Counter(map(tuple, tokens.tolist()))
    for pair, times in counted.most_common(12):
        p = math.exp(-sum(domains.surprisal(list(pair))))
        assert abs(times / 40_000 - p) < 5 * math.sqrt(p / 40_000), [domains.WORDS[t] for t in pair]


def test_the_oracle_learns_which_two_domains_are_spoken():
    """After a recipe and a chess sentence no third domain can begin."""
    text = domains.parse(domains.surprise(1, ("recipes", "chess"), 2)).tokens
    first = {name: domains.sentence(domains.DOMAINS.index(name), seeded(2))[0] for name in ("weather", "recipes")}
    assert chance(text, domains.INDEX[first["weather"]]) == 0 < chance(text, domains.INDEX[first["recipes"]])


# Who goes to which expert


def sample(n=128):
    tokens, where = domains.batch(n, 64, seeded(4))
    positions = torch.arange(64).expand_as(tokens)
    return tokens.flatten(), where.flatten(), positions.flatten()


def test_information_is_one_where_the_domain_decides():
    tokens, where, positions = sample()
    told = domains.information(where, tokens, where, positions, 8)
    assert told["domain"] == pytest.approx(1, abs=1e-9) and told["position"] < 0.01 and 0.3 < told["token"] < 1
    assert domains.information(tokens % 16, tokens, where, positions, 16)["token"] == pytest.approx(1, abs=1e-9)
    assert domains.information(positions % 16, tokens, where, positions, 16)["position"] == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("n", [4, 128])
def test_information_is_nothing_where_chance_decides(n):
    """Also in a small sample, where the plain estimate finds a great deal."""
    tokens, where, positions = sample(n)
    random_ = torch.randint(16, tokens.shape, generator=seeded(8))
    assert max(domains.information(random_, tokens, where, positions, 16).values()) < 0.06
    values = tokens.unique(return_inverse=True)[1]
    assert n > 4 or domains.mutual(random_[:, None], values, 16) > 0.5


def test_information_of_several_experts_a_token():
    """Two different experts that the domain decides; the same with one of the two at random."""
    tokens, where, positions = sample()
    both = torch.stack((where, where + 8), 1)
    assert domains.information(both, tokens, where, positions, 16)["domain"] == pytest.approx(1, abs=1e-9)
    half = torch.stack((where, 8 + torch.randint(8, where.shape, generator=seeded())), 1)
    assert 0.4 < domains.information(half, tokens, where, positions, 16)["domain"] < 0.6


def test_information_of_one_expert_or_all_is_nothing():
    tokens, where, positions = sample(4)
    always = torch.zeros_like(tokens)
    everyone = torch.arange(4).expand(len(tokens), 4)
    for picks, experts in ((always, 8), (everyone, 4), (always[:1], 8)):
        n = len(picks)
        told = domains.information(picks, tokens[:n], where[:n], positions[:n], experts)
        assert set(told.values()) == {0.0}


def test_mutual_information_agrees_with_its_definition():
    joint = torch.tensor([[30, 10], [5, 55]])
    pairs = [(x, e) for x in range(2) for e in range(2) for _ in range(int(joint[x, e]))]
    values, picks = (torch.tensor(column) for column in zip(*pairs))
    p = joint / joint.sum()
    wanted = sum(
        float(p[x, e]) * math.log(float(p[x, e]) / float(p[x].sum() * p[:, e].sum())) for x in range(2) for e in range(2)
    )
    assert domains.mutual(picks[:, None], values, 2) == pytest.approx(wanted, rel=1e-6)


# Texts


@pytest.mark.parametrize(
    "text",
    [
        "roast eggs pepper .",
        "Roast the eggs, with PEPPER!",
        "roast\nthe eggs, (with) pepper?",
        "roast the “eggs” with: pepper.",
    ],
)
def test_texts_are_read_as_people_write_them(text):
    assert domains.parse(text).words == ("roast", "eggs", "pepper", ".")


def test_little_words_are_left_out_but_never_words_of_a_language():
    assert domains.LITTLE & set(domains.WORDS) == {"for"}, "which code says"
    assert domains.parse("for the key in the queue").words == ("for", "key", "queue")


def test_code_keeps_its_signs():
    prompt = domains.parse("if key!=none: cache=push(queue);")
    assert prompt.words == ("if", "key", "!=", "none", "cache", "push", "queue", ";")
    assert not prompt.problems and len(prompt.tokens) == 8


def test_every_word_reads_as_itself():
    for word in domains.WORDS:
        assert domains.parse(word).words == (word,) and not domains.parse(word).problems


def test_words_know_their_domain():
    prompt = domains.parse("the knight and the oven .")
    assert prompt.domains == [domains.DOMAINS.index("chess"), domains.DOMAINS.index("recipes"), -1]


def test_unknown_words_come_back_with_the_nearest_known_one():
    prompt = domains.parse("whisc the peper in a skilet , don't")
    assert dict(prompt.problems) | {"don't": ""} == {"whisc": "whisk", "peper": "pepper", "skilet": "skillet", "don't": ""}
    assert prompt.words[-1] == "don't"
    chess = domains.parse("knight takes xqzv on f6 日本").problems
    assert [domains.domain_of(near) for _, near in chess] == [domains.DOMAINS.index("chess")] * 2
    assert all(near in domains.WORDS for _, near in domains.parse("xqzv 日本 ½").problems)


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "1 to 64 words"),
        (" – \n", "not 0"),
        ("the pan " * 65, "not 65"),
        ("in the", "not 0"),
        ("a" * 601, "600 characters"),
        ("٣" * 601, "not 601"),
    ],
)
def test_a_text_that_cannot_run_is_refused_in_one_sentence(text, words):
    with pytest.raises(SpecError) as error:
        domains.parse(text)
    assert words in str(error.value) and "\n" not in str(error.value) and len(str(error.value)) < 200


def test_examples_parse_and_one_mixes_domains_in_a_sentence():
    for text in domains.EXAMPLES.values():
        prompt = domains.parse(text)
        assert not prompt.problems and len({d for d in prompt.domains if d >= 0}) == 2
    sentences = [s for text in domains.EXAMPLES.values() for s in text.replace(";", ".").split(".") if s.strip()]
    assert any(len({d for d in domains.parse(s).domains if d >= 0}) == 2 for s in sentences)


def test_surprises_always_parse():
    rng = random.Random(0)
    for _ in range(200):
        chosen = tuple(rng.sample(domains.DOMAINS, rng.randint(0, 8)))
        prompt = domains.parse(domains.surprise(rng.randrange(1 << 30), chosen, rng.randint(1, 12)))
        heard = {domains.DOMAINS[d] for d in prompt.domains if d >= 0}
        assert not prompt.problems and prompt.words[-1] in ENDS
        assert heard <= set(chosen or domains.DOMAINS) and (chosen or len(heard) <= 2)


def test_a_surprise_about_nothing_known_is_refused():
    with pytest.raises(SpecError, match="recipes, chess"):
        domains.surprise(0, ("football",))
