"""Eight small languages that a reader can read, and the one machine that speaks all of them.

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

ORDER = 2  # slots that decide about the next one

SOURCE = """
# recipes
HOW: gently slowly briefly quickly twice evenly lightly overnight
VERB: whisk fry bake simmer knead roast grate blend
TEXTURE: smooth golden tender crispy thick soft brown fluffy
FOOD: eggs flour onions carrots dough tomatoes chicken rice
SPICE: sugar salt pepper garlic cinnamon ginger paprika basil
TOOL: pan bowl oven pot skillet tray saucepan dish
HOW VERB TEXTURE FOOD SPICE TOOL .
VERB FOOD SPICE HOW TOOL TEXTURE .
TOOL VERB SPICE FOOD HOW TEXTURE .
TEXTURE FOOD VERB HOW SPICE TOOL .
SPICE FOOD HOW VERB TOOL TEXTURE .
FOOD TOOL HOW VERB TEXTURE SPICE .
VERB TEXTURE SPICE FOOD TOOL HOW .
HOW TEXTURE FOOD TOOL VERB SPICE .

# chess
PIECE: knight bishop rook queen pawn king
SQUARE: e4 d5 f6 c3 g7 h2 b5 a1
MOVE: takes attacks defends skewers threatens guards captures blocks
STATE: passed isolated doubled pinned exposed trapped weak strong
THREAT: check checkmate fork gambit zugzwang stalemate sacrifice draw
OPENING: sicilian french english dutch scotch italian spanish catalan
PIECE SQUARE MOVE PIECE2 SQUARE2 THREAT .
PIECE MOVE STATE PIECE2 SQUARE THREAT .
STATE PIECE SQUARE MOVE PIECE2 THREAT .
OPENING PIECE SQUARE MOVE STATE PIECE2 .
OPENING THREAT PIECE MOVE PIECE2 SQUARE .
SQUARE PIECE MOVE STATE PIECE2 OPENING .
THREAT SQUARE STATE PIECE MOVE PIECE2 .
STATE PIECE THREAT MOVE SQUARE OPENING .

# weather
KIND: heavy light patchy scattered icy freezing mild thick
SKY: rain snow sleet hail drizzle fog mist frost
PLACE: north south east west coast hills valleys mountains
CHANGE: clearing easing turning spreading fading lifting thickening drifting
WHEN: noon dawn dusk midnight evening sunrise nightfall teatime
WIND: breeze gale gusts storm squall blizzard hurricane thunder
KIND SKY PLACE CHANGE WHEN WIND .
PLACE KIND SKY WHEN WIND CHANGE .
WHEN KIND WIND PLACE SKY CHANGE .
SKY CHANGE PLACE WHEN KIND WIND .
WIND PLACE WHEN CHANGE KIND SKY .
PLACE WIND CHANGE KIND SKY WHEN .
CHANGE WIND WHEN KIND SKY PLACE .
WHEN SKY PLACE WIND CHANGE KIND .

# code
CALL: append push insert write print copy parse check
ITEM: item row key line token node value user
LIST: list queue table stack file array dict buffer
RESULT: result output total index counter cache flag status
OP: == != < > <= >=
LITERAL: none true false null zero empty first last
CALL ITEM LIST RESULT OP LITERAL ;
if RESULT OP LITERAL CALL ITEM LIST ;
for ITEM LIST CALL RESULT OP LITERAL ;
if ITEM OP LITERAL LIST CALL RESULT ;
LITERAL ITEM LIST CALL LIST2 RESULT ;
CALL RESULT LIST ITEM OP LITERAL ;
RESULT LIST CALL LITERAL ITEM LIST2 ;
while LIST ITEM OP LITERAL CALL RESULT ;

# music
PLAYER: violin cello flute piano trumpet harp oboe drums
ACT: plays repeats echoes doubles answers carries sings opens
FORM: sonata waltz fugue scherzo rondo prelude nocturne march
PART: melody chord rhythm harmony bass theme refrain chorus
TOUCH: forte pianissimo crescendo staccato legato vibrato tremolo pizzicato
TEMPO: allegro adagio andante presto largo vivace lento moderato
PLAYER ACT FORM PART TOUCH TEMPO .
FORM PLAYER TOUCH PART TEMPO ACT .
TEMPO FORM PLAYER ACT PART TOUCH .
TOUCH PLAYER ACT TEMPO PART FORM .
PART TOUCH TEMPO FORM PLAYER ACT .
PLAYER TOUCH FORM TEMPO ACT PART .
FORM PART ACT PLAYER TEMPO TOUCH .
TEMPO PLAYER PART ACT TOUCH FORM .

# travel
GO: visit reach leave cross explore photograph book tour
CITY: paris rome lisbon oslo vienna cairo kyoto lima
RIDE: train ferry bus flight taxi tram coach bicycle
DAY: monday tuesday wednesday thursday friday saturday sunday today
SIGHT: hotel museum harbour station beach market airport castle
BRING: passport ticket visa map suitcase luggage backpack camera
DAY RIDE CITY GO SIGHT BRING .
GO CITY SIGHT DAY RIDE BRING .
BRING RIDE DAY GO SIGHT CITY .
CITY SIGHT GO RIDE BRING DAY .
RIDE CITY DAY BRING GO SIGHT .
DAY GO CITY RIDE SIGHT BRING .
SIGHT BRING CITY RIDE GO DAY .
GO SIGHT RIDE CITY BRING DAY .

# garden
DO: plant water prune sow weed mulch trim harvest
SHAPE: young wilted ripe tall overgrown thirsty drooping leafy
PLANT: roses tulips beans lavender ferns basil lettuce rocket
SOIL: compost soil manure clay gravel peat straw bark
SPOT: pond shed fence greenhouse hedge lawn wall gate
SPADE: spade hoe trowel shears hose wheelbarrow rake sickle
DO SHAPE PLANT SOIL SPOT SPADE .
SPOT PLANT DO SOIL SPADE SHAPE .
SHAPE PLANT SPOT DO SPADE SOIL .
SPADE DO PLANT SPOT SHAPE SOIL .
SOIL SPOT DO PLANT SHAPE SPADE .
PLANT SOIL SPADE DO SPOT SHAPE .
SPOT SPADE SHAPE PLANT DO SOIL .
DO SPOT SOIL PLANT SPADE SHAPE .

# space
CRAFT: probe rover telescope satellite lander capsule rocket orbiter
SEES: orbits scans approaches measures detects circles observes passes
GLOW: distant faint massive glowing dark dusty red icy
BODY: mars venus jupiter saturn neptune moon comet asteroid
LAND: crater rings crust core atmosphere poles dust clouds
RAY: gravity radiation plasma photons neutrinos helium hydrogen methane
CRAFT SEES GLOW BODY LAND RAY .
BODY GLOW LAND CRAFT SEES RAY .
GLOW BODY RAY LAND CRAFT SEES .
RAY CRAFT BODY SEES GLOW LAND .
LAND RAY GLOW BODY CRAFT SEES .
CRAFT BODY SEES RAY LAND GLOW .
SEES BODY LAND GLOW RAY CRAFT .
BODY CRAFT LAND SEES RAY GLOW .
"""


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


def opened(sentence: tuple[str, ...], place: int) -> list[str]:
    """The slots before a place."""
    return [word for word in sentence[:place] if word.isupper()]


def goes_with(grammar: Grammar, slot: str, pair: tuple[str, ...], taken: frozenset[str]) -> str:
    """The one word of a slot's list that goes with the words in the two slots before; none that the list gave before."""

    def rank(word):
        return hashlib.sha256(" ".join((grammar.name, list_of(slot), *pair, word)).encode()).digest()

    return min((word for word in grammar.lists[list_of(slot)] if word not in taken), key=rank)


def said(grammar: Grammar, sentence: tuple[str, ...], place: int, memory: dict[str, str]) -> list[str]:
    """The words that may stand at a place, all equally likely, given the slots so far."""
    word, before = sentence[place], opened(sentence, place)
    if not word.isupper():
        return [word]
    taken = frozenset(memory[slot] for slot in before if list_of(slot) == list_of(word))
    if len(before) >= ORDER:
        return [goes_with(grammar, word, tuple(memory[slot] for slot in before[-ORDER:]), taken)]
    return [option for option in grammar.lists[list_of(word)] if option not in taken]


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
    """What is to be learned by heart: (domain, list, the pair of words that decides) for every choice there is none about."""
    found = set()
    for domain, number, at, _, memory in places()[0]:
        sentence, known = GRAMMARS[domain].sentences[number], dict(memory)
        before = opened(sentence, at + 1)
        if at + 1 < len(sentence) and sentence[at + 1].isupper() and len(before) >= ORDER:
            pair = tuple(known[slot] for slot in before[-ORDER:])
            found.add((DOMAINS[domain], list_of(sentence[at + 1]), pair))
    return found
