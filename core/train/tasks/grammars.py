"""Eight small languages that a reader can read (assets/domains.txt), and the one machine that speaks all of them.

A line "VERB: whisk stir" is a list, every other line a sentence in the style of a telegram. In a sentence a capital word is a
slot. The first slot is any word of its list and the second one too; every later slot is the one word that goes with the two
slots before it: this verb and this food take this spice. Which word that is a hash draws: fixed for good, without any rule, to
be learned by heart, pair by pair. FOOD and FOOD2 are different words of one list.

The machine is a Markov chain. A state is a place in a sentence with the words that still matter later; it speaks one word.
"""

import hashlib
import math
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from core.paths import ASSETS

ORDER = 2  # slots that decide about the next one


@dataclass(frozen=True)
class Grammar:
    """One language: its lists of words by name, and its sentences as words and slots."""

    name: str
    lists: dict[str, tuple[str, ...]]
    sentences: tuple[tuple[str, ...], ...]

    @property
    def words(self) -> list[str]:
        """Every word that it may say, as they come in the text."""
        literal = [w for sentence in self.sentences for w in sentence if not w.isupper()]
        return list(dict.fromkeys([w for words in self.lists.values() for w in words] + literal))


def read(source: str) -> tuple[Grammar, ...]:
    """The grammars of a text in the notation above."""
    grammars = []
    for block in source.split("#")[1:]:
        name, *lines = block.strip().splitlines()
        rows = [line.split() for line in lines]
        lists = {row[0][:-1]: tuple(row[1:]) for row in rows if row[0].endswith(":")}
        sentences = tuple(tuple(row) for row in rows if not row[0].endswith(":"))
        grammars.append(Grammar(name, lists, sentences))
    return tuple(grammars)


GRAMMARS = read((ASSETS / "domains.txt").read_text())
DOMAINS = tuple(grammar.name for grammar in GRAMMARS)


def vocabulary() -> tuple[tuple[str, ...], dict[str, int]]:
    """All words, those that several languages share first, then those of each -> words, {private word: domain}."""
    users: dict[str, list[int]] = {}
    for d, grammar in enumerate(GRAMMARS):
        for word in grammar.words:
            users.setdefault(word, []).append(d)
    private = {word: d[0] for word, d in users.items() if len(d) == 1}
    shared = [word for word in users if word not in private]
    return (*shared, *sorted(private, key=lambda word: private[word])), private


WORDS, PRIVATE = vocabulary()
INDEX = {word: i for i, word in enumerate(WORDS)}


# What goes with what


def list_of(slot: str) -> str:
    """FOOD2 is a word of the list FOOD."""
    return slot.rstrip("0123456789")


def opened(sentence: tuple[str, ...], place: int) -> list[str]:
    """The slots before a place."""
    return [word for word in sentence[:place] if word.isupper()]


def goes_with(grammar: Grammar, slot: str, pair: tuple[str, ...], used: frozenset[str]) -> str:
    """The one word of a slot's list that goes with the words in the two slots before; none that the list gave before."""

    def rank(word):
        return hashlib.sha256(" ".join((grammar.name, list_of(slot), *pair, word)).encode()).digest()

    return min((word for word in grammar.lists[list_of(slot)] if word not in used), key=rank)


def may_stand(grammar: Grammar, sentence: tuple[str, ...], place: int, memory: dict[str, str]) -> list[str]:
    """The words that may stand at a place, all equally likely, given the slots so far."""
    word, before = sentence[place], opened(sentence, place)
    if not word.isupper():
        return [word]
    used = frozenset(memory[slot] for slot in before if list_of(slot) == list_of(word))
    if len(before) >= ORDER:
        return [goes_with(grammar, word, tuple(memory[slot] for slot in before[-ORDER:]), used)]
    return [option for option in grammar.lists[list_of(word)] if option not in used]


@cache
def needed(sentence: tuple[str, ...], place: int) -> frozenset[str]:
    """The slots filled at or before a place whose words matter after it."""
    matter: set[str] = set()
    for later in range(place + 1, len(sentence)):
        word, before = sentence[later], opened(sentence, later)
        if word.isupper():
            matter |= {*before[-ORDER:], *(slot for slot in before if list_of(slot) == list_of(word))}
    return frozenset(matter & set(opened(sentence, place + 1)))


# The machine


@dataclass(frozen=True)
class Machine:
    """S states. From state s the next is one of targets[first[s] : first[s] + count[s]], all equally likely.

    The first states speak nothing: state d stands before a sentence of domain d.
    """

    word: Tensor  # (S,) what it speaks
    domain: Tensor  # (S,)
    ends: Tensor  # (S,) true where a sentence ends
    first: Tensor  # (S,)
    count: Tensor  # (S,)
    targets: Tensor

    @property
    def size(self) -> int:
        """How many states."""
        return len(self.word)

    def follow(self, state: Tensor, draw: Tensor) -> Tensor:
        """The next states, where `draw` holds large random whole numbers."""
        return self.targets[self.first[state] + draw % self.count[state]]


Place = tuple[int, int, int, str, tuple]  # domain, sentence, place, word, the slots that matter later


def after(place: Place) -> list[Place]:
    """The places that may follow, all equally likely; none after the end of a sentence."""
    domain, number, at, _, memory = place
    grammar = GRAMMARS[domain]
    sentence = grammar.sentences[number]
    if at + 1 == len(sentence):
        return []
    known, keep = dict(memory), needed(sentence, at + 1)
    places = []
    for word in may_stand(grammar, sentence, at + 1, known):
        slots = {**known, sentence[at + 1]: word}
        places.append((domain, number, at + 1, word, tuple(sorted((s, w) for s, w in slots.items() if s in keep))))
    return places


def openings(domain: int) -> list[Place]:
    """The first places of a domain's sentences, each sentence as often as any other."""
    groups = [after((domain, number, -1, "", ())) for number in range(len(GRAMMARS[domain].sentences))]
    even = math.lcm(*map(len, groups))
    return [place for group in groups for place in group for _ in range(even // len(group))]


@cache
def places() -> tuple[list[Place], list[list[int]]]:
    """All places, and where each leads: first the one before a sentence of each domain, then all places in order."""
    index: dict[Place, int] = {}
    branches: list[list[int]] = []
    waiting: list[Place] = []

    def number(place: Place) -> int:
        if place not in index:
            index[place] = len(DOMAINS) + len(index)
            waiting.append(place)
        return index[place]

    for domain in range(len(DOMAINS)):
        branches.append([number(place) for place in openings(domain)])
    for place in waiting:  # grows while it is read
        branches.append([number(following) for following in after(place)])
    return waiting, branches


@cache
def machine() -> Machine:
    """The machine of all grammars (built once, in well under a second)."""
    known, branches = places()
    before = len(DOMAINS)
    count = torch.tensor([len(b) for b in branches])
    word = torch.tensor([-1] * before + [INDEX[place[3]] for place in known])
    domain = torch.tensor([*range(before), *(place[0] for place in known)])
    targets = torch.tensor([target for branch in branches for target in branch])
    return Machine(word, domain, count == 0, count.cumsum(0) - count, count, targets)


def facts() -> set[tuple[str, str, tuple[str, ...]]]:
    """What is to be learned by heart: (domain, list, the pair of words that decides) for every choice there is none about."""
    found = set()
    for domain, number, at, _, memory in places()[0]:
        sentence, known = GRAMMARS[domain].sentences[number], dict(memory)
        before = opened(sentence, at + 1)
        if at + 1 < len(sentence) and sentence[at + 1].isupper() and len(before) >= ORDER:
            pair = tuple(known[slot] for slot in before[-ORDER:])
            found.add((DOMAINS[domain], list_of(sentence[at + 1]), pair))
    return found
