"""Eight small languages that a reader can read, and the one machine that speaks all of them.

A line "VERB: whisk stir" is a list, every other line a sentence. In a sentence a capital word is a slot. The first slot is any
word of its list, the second one of five that go with the first. Every later slot is one of two words: which two, the kinds of
the two slots before it decide together, and neither kind alone; four times of five it is the first of the two. Words, kinds
and what goes with what are drawn by a hash: fixed for good, without any rule, to be learned by heart. A slot named twice
is the same word twice; FOOD and FOOD2 are different words of one list; nothing goes with a number.

The machine is a Markov chain. A state is a place in a sentence with the words that still matter later; it speaks one word.
"""

import hashlib
import math
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

EARLY = (1, 1, 1, 1, 1)  # how often each of the words is said that go with one slot
SHARES = (4, 1)  # how often each of the words that go with two slots
ORDER, KINDS = 2, 5  # slots that decide about the next one; kinds of words in a language
ENDS = (".", ";")

SOURCE = """
# recipes
VERB: whisk stir chop fry bake simmer grate knead roast peel blend melt
FOOD: eggs flour butter onions garlic carrots cheese dough tomatoes chicken
SPICE: sugar salt pepper basil cinnamon ginger paprika vanilla mustard honey cream mint
TOOL: pan bowl oven pot skillet tray saucepan dish
TEXTURE: smooth golden tender crispy thick soft brown fluffy
VERB the FOOD with SPICE until TEXTURE .
VERB NUMBER FOOD with SPICE in a TEXTURE TOOL .
VERB FOOD and SPICE , then serve TEXTURE in the TOOL .
VERB TEXTURE FOOD in the TOOL , add SPICE .

# chess
PIECE: knight bishop rook queen pawn king
SQUARE: e4 d5 f6 c3 g7 h2 b5 a1 f3 d4 c6 e8
MOVE: takes attacks defends pins threatens guards captures blocks
THREAT: check checkmate fork skewer zugzwang stalemate sacrifice gambit
STATE: passed isolated doubled pinned exposed trapped weak strong
SIDE: white black
PIECE MOVE PIECE2 on SQUARE , THREAT .
SIDE castles , PIECE MOVE STATE PIECE2 on SQUARE , THREAT .
the STATE PIECE MOVE STATE2 PIECE2 with THREAT .
PIECE to SQUARE MOVE the STATE PIECE2 , THREAT , SIDE resigns .

# weather
KIND: heavy light patchy scattered icy freezing humid mild dense brisk
SKY: rain snow sleet hail drizzle fog mist thunder showers frost
PLACE: north south east west coast hills valleys mountains
CHANGE: clearing easing turning spreading fading lifting thickening drifting
WHEN: noon dawn dusk midnight evening sunrise nightfall teatime
WIND: breeze gale gusts storm squall blizzard hurricane
KIND SKY from the PLACE , CHANGE to SKY2 by WHEN .
KIND SKY in the PLACE , WIND by WHEN , NUMBER degrees .
SKY from the PLACE , CHANGE , then KIND WIND by WHEN .
WHEN warning : KIND WIND , PLACE SKY CHANGE .

# code
ITEM: item row key line token node value user
LIST: list queue table stack file array dict buffer
CALL: append push insert write print copy parse sort filter encode
RESULT: result output total index counter cache flag status
OP: == != < > <= >=
LITERAL: none true false null zero empty
for ITEM in LIST : CALL ITEM to RESULT ;
for ITEM in LIST : RESULT = CALL ( ITEM2 ) ;
def CALL ITEM LIST : return RESULT OP LITERAL ;
if ITEM OP LITERAL : RESULT = CALL ( LIST ) ;
while RESULT OP LITERAL : CALL LIST ITEM ;

# music
PLAYER: violin cello flute piano trumpet harp oboe drums clarinet guitar
ACT: plays repeats echoes doubles answers carries sings opens
PART: melody chord rhythm harmony bass theme refrain chorus cadence arpeggio
TOUCH: forte pianissimo crescendo staccato legato vibrato tremolo pizzicato
TEMPO: allegro adagio andante presto largo vivace
FORM: sonata waltz fugue scherzo rondo prelude nocturne march ballad chorale
SCALE: major minor dorian lydian phrygian
the PLAYER ACT the PART in SCALE , TOUCH .
PLAYER ACT TOUCH PART , TEMPO from bar NUMBER .
TEMPO FORM in SCALE for PLAYER , TOUCH PART .
the SCALE FORM for PLAYER and PLAYER2 ACT TEMPO .

# travel
GO: visit reach leave cross explore photograph book tour
CITY: paris rome lisbon oslo vienna cairo kyoto lima athens dublin
RIDE: train ferry bus flight taxi tram coach bicycle
DAY: monday tuesday wednesday thursday friday saturday sunday
SIGHT: hotel museum harbour station beach market airport hostel castle cathedral
BRING: passport ticket visa map suitcase luggage backpack camera
LOOK: crowded cheap scenic ancient famous remote
GO CITY by RIDE on DAY , bring a BRING .
GO the LOOK SIGHT in CITY by RIDE on DAY .
on DAY RIDE to CITY for NUMBER nights , GO the SIGHT .
LOOK CITY SIGHT , RIDE leaves DAY with BRING .

# garden
DO: plant water prune sow weed mulch trim harvest dig transplant
PLANT: roses tulips beans lavender ferns ivy tomatoes basil lettuce daisies pumpkins peas mint
SOIL: compost soil manure clay gravel peat straw bark
SPOT: pond shed fence greenhouse hedge lawn
SEASON: spring summer autumn winter
SPADE: spade hoe trowel shears hose wheelbarrow rake sickle
PEST: slugs aphids beetles moles snails caterpillars
SHAPE: young wilted ripe tall overgrown thirsty
DO the SHAPE PLANT with SOIL by the SPOT .
DO NUMBER PLANT in SOIL with a SPADE in SEASON .
in SEASON DO SHAPE PLANT near the SPOT with SPADE .
keep PEST and frost off SHAPE PLANT by SPOT with SOIL .

# space
BODY: mars venus jupiter saturn neptune moon comet asteroid pluto titan
CRAFT: probe rover telescope satellite lander capsule rocket orbiter
SEES: orbits scans approaches measures detects circles observes passes
LAND: crater rings crust core atmosphere poles dust clouds
RAY: gravity radiation plasma photons neutrinos helium hydrogen methane
STAR: galaxy nebula quasar pulsar supernova cluster
GLOW: distant faint massive glowing dark icy red
the CRAFT SEES GLOW LAND of BODY , RAY .
CRAFT SEES BODY at NUMBER kilometres , RAY in GLOW LAND .
the GLOW STAR SEES STAR2 , RAY from BODY .
BODY : CRAFT SEES RAY in the GLOW LAND .
"""
NUMBER = "two three four five six ten twelve twenty".split()


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
        if any("NUMBER" in sentence for sentence in sentences):
            lists["NUMBER"] = tuple(NUMBER)
        grammars.append(Grammar(name, lists, sentences))
    return tuple(grammars)


GRAMMARS = read(SOURCE)
DOMAINS = tuple(grammar.name for grammar in GRAMMARS)


def vocabulary() -> tuple[tuple[str, ...], dict[str, int]]:
    """All words, those that several languages share first, then those of each -> words, {private word: domain}."""
    users: dict[str, list[int]] = {}
    for d, grammar in enumerate(GRAMMARS):
        for word in grammar.words:
            users.setdefault(word, []).append(d)
    private = {word: d[0] for word, d in users.items() if len(d) == 1}
    shared = [word for word in users if word not in private]
    return (*shared, *sorted(private, key=private.get)), private


WORDS, PRIVATE = vocabulary()
INDEX = {word: i for i, word in enumerate(WORDS)}


# What goes with what


def list_of(slot: str) -> str:
    """FOOD2 is a word of the list FOOD."""
    return slot.rstrip("0123456789")


def kind(grammar: Grammar, word: str) -> str:
    """Which of the kinds of its language a word is."""
    return str(hashlib.sha256(f"{grammar.name} {word}".encode()).digest()[0] % KINDS)


def opened(sentence: tuple[str, ...], place: int) -> list[str]:
    """The slots before a place that others go with, each once; nothing goes with a number."""
    return list(dict.fromkeys(w for w in sentence[:place] if w.isupper() and w != "NUMBER"))


def deciding(slot: str, before: list[str]) -> list[str]:
    """Of the slots before a slot those that decide about it: for a number the last."""
    return before[-1:] if slot == "NUMBER" else before[-ORDER:]


def context(grammar: Grammar, slot: str, before: list[str], memory: dict[str, str]) -> tuple[str, ...]:
    """What decides about a slot: the kinds of the words in several slots, or the word in a single one."""
    words = tuple(memory[other] for other in deciding(slot, before))
    return tuple(kind(grammar, word) for word in words) if len(words) > 1 else words


def followers(grammar: Grammar, slot: str, decided_by: tuple[str, ...], taken: frozenset[str]) -> list[str]:
    """The words that go with a context, each as often as its share; none that the list gave before."""

    def rank(word):
        return hashlib.sha256(" ".join((grammar.name, list_of(slot), *decided_by, word)).encode()).digest()

    options = sorted((word for word in grammar.lists[list_of(slot)] if word not in taken), key=rank)
    shares = SHARES if len(decided_by) > 1 else EARLY
    return [word for word, share in zip(options, shares) for _ in range(share)]


def said(grammar: Grammar, sentence: tuple[str, ...], place: int, memory: dict[str, str]) -> list[str]:
    """The words that may stand at a place, each as often as its share, given the slots so far."""
    word = sentence[place]
    before = opened(sentence, place)
    if not word.isupper():
        return [word]
    if word in before:
        return [memory[word]]
    if not before:
        return list(grammar.lists[list_of(word)])
    taken = frozenset(memory[slot] for slot in before if list_of(slot) == list_of(word))
    return followers(grammar, word, context(grammar, word, before, memory), taken)


@cache
def needed(sentence: tuple[str, ...], place: int) -> frozenset[str]:
    """The slots filled at or before a place whose words matter after it."""
    matter = set()
    for later in range(place + 1, len(sentence)):
        word, before = sentence[later], opened(sentence, later)
        if word.isupper():
            same = [slot for slot in before if list_of(slot) == list_of(word)]
            matter |= {word} if word in before else {*deciding(word, before), *same}
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
    """The places that may follow, each as often as its share; none after the end of a sentence."""
    domain, number, at, _, memory = place
    grammar = GRAMMARS[domain]
    sentence = grammar.sentences[number]
    if at + 1 == len(sentence):
        return []
    known, keep = dict(memory), needed(sentence, at + 1)
    places = []
    for word in said(grammar, sentence, at + 1, known):
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
    """What is to be learned by heart: (domain, list, the word or the kinds that decide) for every choice."""
    found = set()
    for domain, number, at, _, memory in places()[0]:
        sentence = GRAMMARS[domain].sentences[number]
        slot = sentence[at + 1] if at + 1 < len(sentence) else ""
        before = opened(sentence, at + 1)
        if slot.isupper() and before and slot not in before:
            found.add((DOMAINS[domain], list_of(slot), context(GRAMMARS[domain], slot, before, dict(memory))))
    return found
