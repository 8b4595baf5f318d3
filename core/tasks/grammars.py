"""Eight small languages that a reader can read, and the one machine that speaks all of them.

A line "VERB: whisk stir" is a list, every other line a sentence. In a sentence a capital word is a slot: the first slot is
any word of its list, every later one a word that goes with the (at most) two slots before it. SHARES says how often which:
of six sentences three take the first word that goes with them, two the second, one the third. What goes with what is
drawn by a hash, so it is fixed for good and must be learned by heart. A slot named twice is the same word twice; FOOD and
FOOD2 are different words of one list.

The machine is a Markov chain. A state is a place in a sentence with the words that still matter later; it speaks one word.
"""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

SHARES = (3, 2, 1)  # how often the first, second and third word that goes with a context is said
ENDS = (".", ";")

SOURCE = """
# recipes
VERB: whisk stir chop fry bake simmer grate knead roast peel blend melt
FOOD: eggs flour butter sugar onions garlic carrots cheese dough cream tomatoes chicken
SPICE: salt pepper basil cinnamon ginger paprika vanilla nutmeg mustard honey mint thyme
TOOL: pan bowl oven pot skillet tray saucepan dish
TEXTURE: smooth golden tender crispy thick soft brown fluffy
VERB NUMBER FOOD with SPICE until TEXTURE .
VERB FOOD and FOOD2 in the TOOL , then add SPICE .
season the TEXTURE FOOD with SPICE and VERB in a TOOL .
pour FOOD into the TOOL , VERB with SPICE until TEXTURE .
VERB the FOOD , serve TEXTURE with SPICE and SPICE2 .
VERB NUMBER cups of FOOD in a TEXTURE SPICE sauce .

# chess
PIECE: knight bishop rook queen pawn king
SQUARE: e4 d5 f6 c3 g7 h2 b5 a1 f3 d4 c6 e8
MOVE: takes attacks defends pins threatens guards captures blocks
THREAT: check checkmate fork skewer zugzwang stalemate sacrifice gambit
STATE: passed isolated doubled pinned exposed trapped weak strong
OPENING: sicilian slav pirc benoni catalan grunfeld
SIDE: white black
PIECE MOVE PIECE2 on SQUARE , THREAT .
SIDE PIECE to SQUARE , THREAT , SIDE2 resigns .
the STATE PIECE on SQUARE MOVE the PIECE2 , THREAT .
OPENING : SIDE plays PIECE to SQUARE and MOVE SQUARE2 .
PIECE to SQUARE , PIECE2 to SQUARE2 , then castles and THREAT .
in the OPENING the PIECE on SQUARE is STATE , THREAT .

# weather
SKY: rain snow sleet hail drizzle fog mist thunder showers frost
KIND: heavy light patchy scattered icy freezing humid mild dense brisk
WIND: breeze gale gusts storm squall blizzard front hurricane
PLACE: north south east west coast hills valleys mountains
CHANGE: clearing easing turning spreading fading lifting thickening drifting
WHEN: noon dawn dusk midnight evening sunrise nightfall teatime
KIND SKY from the PLACE , CHANGE by WHEN .
SKY from the PLACE , turning to KIND SKY2 by WHEN .
a KIND WIND over the PLACE , CHANGE at WHEN , then SKY .
SKY and SKY2 in the PLACE , highs of NUMBER degrees by WHEN .
forecast for WHEN : KIND SKY , WIND in the PLACE .
WIND warning for the PLACE until WHEN , KIND SKY CHANGE .

# code
ITEM: item row key line token node value user
LIST: list queue table stack file array dict buffer
CALL: append push insert write print copy parse sort filter encode
RESULT: result output total index counter cache flag status
OP: == != < > <= >=
LITERAL: none true false null zero empty
ERROR: typeerror keyerror valueerror ioerror
for ITEM in LIST : CALL ITEM to RESULT ;
if ITEM OP LITERAL : RESULT = CALL ( LIST ) ;
while RESULT OP LITERAL : CALL ( LIST , ITEM ) ;
def CALL ( ITEM , LIST ) : return RESULT OP LITERAL ;
try : RESULT = CALL ( LIST ) , except ERROR : return LITERAL ;
RESULT = CALL ( LIST , ITEM ) if ITEM OP LITERAL ;

# music
PLAYER: violin cello flute piano trumpet harp oboe drums clarinet guitar
FORM: sonata waltz fugue scherzo rondo prelude nocturne march ballad chorale
PART: melody chord rhythm harmony bass theme refrain chorus cadence arpeggio
ACT: plays repeats echoes doubles answers carries sings opens
TEMPO: allegro adagio andante presto largo vivace
TOUCH: forte pianissimo crescendo staccato legato vibrato tremolo pizzicato
SCALE: major minor dorian lydian phrygian
the PLAYER ACT the PART in SCALE , TOUCH .
a TEMPO FORM in SCALE for PLAYER and PLAYER2 .
PLAYER and PLAYER2 at bar NUMBER , the PART TOUCH .
TEMPO , then TOUCH : the PLAYER ACT the PART .
the SCALE FORM ACT with a TOUCH PART on PLAYER .
the PART of the FORM , PLAYER TOUCH , PLAYER2 TEMPO .

# travel
RIDE: train ferry bus flight taxi tram coach bicycle
CITY: paris rome lisbon oslo vienna cairo kyoto lima athens dublin
SIGHT: hotel museum harbour station beach market airport hostel castle cathedral
GO: visit reach leave cross explore photograph book tour
BRING: passport ticket visa map suitcase luggage backpack camera
DAY: monday tuesday wednesday thursday friday saturday sunday
LOOK: crowded cheap scenic ancient famous remote
take the RIDE from CITY to CITY2 on DAY with a BRING .
GO the LOOK SIGHT in CITY by RIDE .
bring a BRING to the SIGHT in CITY before DAY .
the LOOK RIDE to CITY leaves the SIGHT on DAY .
on DAY GO CITY , then GO2 the SIGHT by RIDE .
GO CITY by RIDE for NUMBER nights , BRING at the SIGHT .

# garden
PLANT: roses tulips beans lavender ferns ivy tomatoes basil lettuce daisies pumpkins peas mint
DO: plant water prune sow weed mulch trim harvest dig transplant
SPADE: spade hoe trowel shears hose wheelbarrow rake sickle
SOIL: compost soil manure clay gravel peat straw bark
SEASON: spring summer autumn winter
PEST: slugs aphids beetles moles snails caterpillars
SHAPE: young wilted ripe tall overgrown thirsty
SPOT: pond shed fence greenhouse hedge lawn
in SEASON DO the SHAPE PLANT with a SPADE .
DO PLANT and PLANT2 into SOIL by the SPOT .
keep PEST off the SHAPE PLANT with SOIL and frost off in SEASON .
DO the PLANT near the SPOT in SEASON , SOIL for PEST .
the SHAPE PLANT by the SPOT , DO with SPADE and SOIL .
DO NUMBER PLANT in SOIL with a SPADE before SEASON .

# space
BODY: mars venus jupiter saturn neptune moon comet asteroid pluto titan
CRAFT: probe rover telescope satellite lander capsule rocket orbiter
SEES: orbits scans approaches measures detects circles observes passes
LAND: crater rings crust core atmosphere poles dust clouds
STAR: galaxy nebula quasar pulsar supernova cluster
GLOW: distant faint massive glowing dark icy red
RAY: gravity radiation plasma photons neutrinos helium hydrogen methane
the CRAFT SEES the LAND of BODY at NUMBER kilometres .
a GLOW STAR SEES a GLOW2 STAR2 of RAY .
BODY SEES BODY2 , RAY from the LAND , GLOW .
CRAFT to BODY : RAY in the GLOW LAND .
the GLOW LAND of BODY , RAY over the STAR .
from BODY the CRAFT SEES RAY of a GLOW STAR .
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
        lists = {row[0][:-1]: tuple(row[1:]) for row in rows if row[0].endswith(":") and row[0] != ":"}
        sentences = tuple(tuple(row) for row in rows if row[0][:-1] not in lists)
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


def followers(grammar: Grammar, slot: str, context: tuple[str, ...], taken: frozenset[str]) -> tuple[str, ...]:
    """The words of a slot that go with the slots before it, the most frequent first; none that its list gave before."""

    def rank(word):
        return hashlib.sha256(" ".join((grammar.name, list_of(slot), *context, word)).encode()).digest()

    options = [word for word in grammar.lists[list_of(slot)] if word not in taken]
    return tuple(sorted(options, key=rank)[: len(SHARES)])


def opened(sentence: tuple[str, ...], place: int) -> list[str]:
    """The slots before a place, each once."""
    return list(dict.fromkeys(w for w in sentence[:place] if w.isupper()))


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
    found = followers(grammar, word, tuple(memory[slot] for slot in before[-2:]), taken)
    return [w for w, share in zip(found, SHARES) for _ in range(share)]


@lru_cache(maxsize=None)
def needed(sentence: tuple[str, ...], place: int) -> frozenset[str]:
    """The slots filled at or before a place whose words matter after it."""
    matter = set()
    for later in range(place + 1, len(sentence)):
        word, before = sentence[later], opened(sentence, later)
        if word.isupper():
            same = [slot for slot in before if list_of(slot) == list_of(word)]
            matter |= {word} if word in before else {*before[-2:], *same}
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


@lru_cache(maxsize=1)
def machine() -> Machine:
    """The machine of all grammars (about a second, once)."""
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
    return assemble(list(index), branches)


def assemble(places: list[Place], branches: list[list[int]]) -> Machine:
    """Tensors from places and where each leads."""
    count = torch.tensor([len(b) for b in branches])
    before = len(DOMAINS)
    word = torch.tensor([-1] * before + [INDEX[place[3]] for place in places])
    domain = torch.tensor([*range(before), *(place[0] for place in places)])
    targets = torch.tensor([target for branch in branches for target in branch])
    return Machine(word, domain, count == 0, count.cumsum(0) - count, count, targets)


def contexts() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Every fact to be learned once: domain, list, and the one or two words before that decide what may stand there."""
    raise NotImplementedError
