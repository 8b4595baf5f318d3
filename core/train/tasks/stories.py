"""Little stories of 24 words about somebody at work: readable, with agreement over long distances, and a checker.

    yesterday anna the baker who met the potters baked bread . hugo thanked his kind mother . she sold ...

The first word says when, and every verb of every sentence has that tense. The first sentence says who, and every later "he",
"she" or "they", every "his" and every verb agrees with it, whoever stands in between. The first verb says which trade, and all
that is made, where and with what belongs to it. Another person may do something to a relative: "hugo thanks his mother".

Letters: B texts, L = 24 words, V words of the vocabulary, P plans, S slots. A plan is the kind of word at every place: an order
of words that the grammar allows. Order, number, person, tense and trade are checked apart: a fault has a place and a name.
"""

import itertools
import math
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

LENGTH = 24
MASK = "▢"

# trade: one, several; two verbs (base, -s, past); three things; a place; two tools
TRADES = """
baker bakers; bake bakes baked, knead kneads kneaded; bread dough rolls; bakery; oven tray
fisher fishers; catch catches caught, sell sells sold; trout herring crabs; harbour; net boat
tailor tailors; sew sews sewed, mend mends mended; coats shirts trousers; workshop; needle thread
painter painters; paint paints painted, sketch sketches sketched; portraits landscapes murals; studio; brush easel
farmer farmers; plant plants planted, harvest harvests harvested; wheat barley turnips; field; plough tractor
potter potters; shape shapes shaped, glaze glazes glazed; bowls jugs vases; pottery; wheel kiln
doctor doctors; treat treats treated, bandage bandages bandaged; wounds burns fevers; hospital; syringe thermometer
singer singers; sing sings sang, rehearse rehearses rehearsed; songs ballads hymns; theatre; microphone piano
brewer brewers; brew brews brewed, bottle bottles bottled; beer cider ale; brewery; barrel kettle
writer writers; write writes wrote, revise revises revised; novels poems letters; library; pen typewriter
"""
TIMES = ("today now nowadays currently", "yesterday once formerly previously")  # present, past
MEN = "hugo otto felix ivan karim pedro tom simon victor walter"
WOMEN = "anna clara emma irene lucia maria nina olga rosa vera"
OTHERS = """know knows knew; meet meets met; thank thanks thanked; follow follows followed; help helps helped;
visit visits visited; call calls called; admire admires admired"""  # what one does to somebody
PEOPLE = "old young tall tired quiet happy clever brave kind lonely"
THINGS = "fine new heavy small large cheap strange plain pretty rare"
MOODS = "proud hungry busy glad sleepy weary calm cheerful"
KIN = "brother sister uncle aunt cousin friend mother father"

PRESENT, PAST = 0, 1
HE, SHE, THEY = 0, 1, 2
ONE, SEVERAL = 0, 1
FEATURES = ("tense", "number", "person", "trade")
ANY = -1
FAULTS = ("order", *FEATURES)
SPELLED = {"order": "word order", "number": "number", "person": "who it is about", "tense": "tense", "trade": "trade"}


@dataclass(frozen=True)
class Word:
    """A word: its class, and the features that it shows (ANY where it shows none)."""

    text: str
    kind: str
    tense: int = ANY
    number: int = ANY
    person: int = ANY
    trade: int = ANY


def forms(kind: str, base: str, trade: int = ANY) -> list[Word]:
    """The three forms of a verb: "bake bakes baked"."""
    several, one, past = base.split()
    return [Word(several, kind, PRESENT, SEVERAL, trade=trade), Word(one, kind, PRESENT, ONE, trade=trade),
            Word(past, kind, PAST, trade=trade)]  # fmt: skip


def trade_words(line: str, trade: int) -> list[Word]:
    """The words of one trade."""
    people, verbs, things, place, tools = (part.strip() for part in line.split(";"))
    one, several = people.split()
    words = [Word(one, "worker", number=ONE, trade=trade), Word(several, "worker", number=SEVERAL, trade=trade)]
    words += [word for verb in verbs.split(",") for word in forms("makes", verb, trade)]
    return words + [
        Word(word, kind, trade=trade)
        for kind, group in (("thing", things), ("place", place), ("tool", tools))
        for word in group.split()
    ]


def lexicon() -> list[Word]:
    """Every word, the mask first."""
    words = [Word(MASK, "mask")]
    words += [Word(word, word) for word in (".", "the", "who", "and", "in", "with")]
    words += [Word(word, "when", tense) for tense, group in enumerate(TIMES) for word in group.split()]
    words += [Word(word, "name", person=person) for person, group in enumerate((MEN, WOMEN)) for word in group.split()]
    words += [Word(word, "pronoun", person=person) for person, word in enumerate(("he", "she", "they"))]
    words += [Word(word, "own", person=person) for person, word in enumerate(("his", "her", "their"))]
    words += [Word("is", "is", PRESENT, ONE), Word("are", "is", PRESENT, SEVERAL)]
    words += [Word("was", "is", PAST, ONE), Word("were", "is", PAST, SEVERAL)]
    words += [word for verb in OTHERS.split(";") for word in forms("does", verb)]
    free = (("looks", PEOPLE), ("quality", THINGS), ("mood", MOODS), ("kin", KIN))
    words += [Word(word, kind) for kind, group in free for word in group.split()]
    return words + [word for i, line in enumerate(TRADES.strip().splitlines()) for word in trade_words(line, i)]


LEXICON = lexicon()
WORDS = tuple(word.text for word in LEXICON)
INDEX = {word: i for i, word in enumerate(WORDS)}
KINDS = tuple(dict.fromkeys(word.kind for word in LEXICON))
TRADE_COUNT = len(TRADES.strip().splitlines())
VOCABULARY = f"{len(WORDS) - 1} words"

# Plans. A slot is a class with a scope: "name:1" belongs to the one the text is about, "name:2" to another person whose sentence
# it is, "name" to anybody.

OPENINGS = {
    ONE: (
        "when:1 name:1 the worker:1 who does:1 name makes:1 thing:1 .",
        "when:1 name:1 the worker:1 makes:1 thing:1 in the place:1 .",
        "when:1 name:1 who does:1 the worker makes:1 quality thing:1 .",
    ),
    SEVERAL: (
        "when:1 the worker:1 who does:1 the worker makes:1 thing:1 .",
        "when:1 the looks worker:1 who does:1 name makes:1 thing:1 .",
        "when:1 the worker:1 makes:1 quality thing:1 in the place:1 .",
        "when:1 name:m and name:f the worker:1 makes:1 quality thing:1 .",
    ),
}
MIDDLES = (
    "pronoun:1 makes:1 own:1 thing:1 in the place:1 .",
    "pronoun:1 makes:1 quality thing:1 with own:1 tool:1 .",
    "pronoun:1 is:1 mood and makes:1 own:1 thing:1 .",
)
CLOSINGS = ("name:2 does:2 own:2 looks kin .", "pronoun:1 is:1 mood and mood .", "pronoun:1 makes:1 own:1 quality thing:1 .")


@cache
def plans() -> tuple[tuple[tuple[str, ...], int], ...]:
    """Every order of 24 slots, and the number (ONE or SEVERAL) of whom it is about: an opening, then two more in either order."""
    return tuple(
        (tuple(" ".join((opening, *pair)).split()), number)
        for number, openings in OPENINGS.items()
        for opening in openings
        for two in itertools.product(MIDDLES, CLOSINGS)
        for pair in (two, two[::-1])
    )


def parts(slot: str) -> tuple[str, str]:
    """A slot's class and scope."""
    kind, _, scope = slot.partition(":")
    return kind, scope


@dataclass(frozen=True)
class Grammar:
    """The grammar as tables. S slots, P plans, C contexts (tense, person, last person, trade), V words.

    kind (V,) and shows (V, 4): every word's class and features, ANY where it shows none. plan (P, 24): slots; order (P, 24):
    their classes; number (P,); first (P, 4): where a plan says when, whose name, first which trade, and the other person's name,
    ANY for none. words (S, C, most) with how many (S, C): what may stand in a slot.
    """

    kind: Tensor
    shows: Tensor
    slots: tuple[str, ...]
    plan: Tensor
    order: Tensor
    number: Tensor
    first: Tensor
    words: Tensor
    many: Tensor


SAYS = ("when:1", "name:1", "makes:1", "name:2")
CONTEXTS = tuple(itertools.product((PRESENT, PAST), (HE, SHE, THEY), (HE, SHE), range(TRADE_COUNT)))


OWN = ("tense", "number", "person", "trade", "one", "last", "he", "she", "any")  # features that a text has, as `features` says
SCOPES = {  # which of them a slot of a scope asks of its word, in the order of FEATURES
    "1": ("tense", "number", "person", "trade"), "2": ("tense", "one", "last", "any"), "m": ("any", "any", "he", "any"),
    "f": ("any", "any", "she", "any"), "": ("any",) * len(FEATURES),
}  # fmt: skip


def expected(scope: str, context: tuple[int, int, int, int]) -> tuple[int, ...]:
    """The features that a slot of a scope asks of its word, in the order of FEATURES; ANY where it asks nothing."""
    tense, person, last, trade = context
    own = dict(zip(OWN, (tense, SEVERAL if person == THEY else ONE, person, trade, ONE, last, HE, SHE, ANY)))
    return tuple(own[name] for name in SCOPES[scope])


def fitting(slot: str, context: tuple[int, int, int, int]) -> list[int]:
    """The words that may stand in a slot."""
    kind, scope = parts(slot)
    asked = expected(scope, context)
    return [
        i
        for i, word in enumerate(LEXICON)
        if word.kind == kind and all(ANY in (a, getattr(word, f)) or a == getattr(word, f) for a, f in zip(asked, FEATURES))
    ]


@cache
def grammar() -> Grammar:
    """The tables, made once."""
    kind = torch.tensor([KINDS.index(word.kind) for word in LEXICON])
    shows = torch.tensor([[getattr(word, f) for f in FEATURES] for word in LEXICON])
    slots = tuple(dict.fromkeys(slot for plan, _ in plans() for slot in plan))
    plan = torch.tensor([[slots.index(slot) for slot in plan] for plan, _ in plans()])
    order = torch.tensor([KINDS.index(parts(slot)[0]) for slot in slots])[plan]
    first = torch.tensor([[plan.index(s) if s in plan else ANY for s in SAYS] for plan, _ in plans()])
    lists = [[fitting(slot, context) for context in CONTEXTS] for slot in slots]
    most = max(len(words) for row in lists for words in row)
    words = torch.tensor([[words + [0] * (most - len(words)) for words in row] for row in lists])
    many = torch.tensor([[len(words) for words in row] for row in lists])
    return Grammar(kind, shows, slots, plan, order, torch.tensor([n for _, n in plans()]), first, words, many)


def texts(count: int, generator: torch.Generator) -> Tensor:
    """`count` random texts -> tokens (B, 24)."""
    g = grammar()
    chosen = torch.randint(len(g.plan), (count,), generator=generator)
    draws = torch.rand(count, 4, generator=generator)
    tense, gender, last, trade = (draws * torch.tensor([2, 2, 2, TRADE_COUNT])).long().unbind(1)
    person = torch.where(g.number[chosen] == SEVERAL, THEY, gender)
    context = ((tense * 3 + person) * 2 + last) * TRADE_COUNT + trade  # (B,) in CONTEXTS
    slots = g.plan[chosen]  # (B, 24)
    at = (torch.rand(count, LENGTH, generator=generator) * g.many[slots, context[:, None]]).long()
    return g.words[slots, context[:, None], at]


# The checker


def checked(tokens: Tensor) -> Tensor:
    """tokens (B, 24) -> faults (B, 24, 5): is there a word whose class the nearest plan does not allow, or whose tense, number,
    person or trade is not that of what it belongs to."""
    g = grammar()
    wrong = g.kind[tokens][:, None] != g.order  # (B, P, 24)
    nearest_plan = wrong.sum(-1).argmin(-1)  # (B,)
    order = wrong[torch.arange(len(tokens)), nearest_plan]  # (B, 24)
    asked = asks()[g.plan[nearest_plan]]  # (B, 24, 4): which of the text's own features each slot asks for
    own = features(tokens, nearest_plan)  # (B, features of a text + 1)
    expect = own.gather(1, asked.flatten(1)).view(asked.shape)
    shown = g.shows[tokens]
    clash = (expect != ANY) & (shown != ANY) & (expect != shown) & ~order[..., None]
    return torch.cat([order[..., None], clash], -1)


@cache
def asks() -> Tensor:
    """(S, 4): for each slot and feature, which of a text's own features (an index into OWN) it must show."""
    return torch.tensor([[OWN.index(name) for name in SCOPES[parts(slot)[1]]] for slot in grammar().slots])


def features(tokens: Tensor, plan: Tensor) -> Tensor:
    """The features that a text has by the words that say them: tokens (B, 24), plan (B,) -> (B, OWN)."""
    g = grammar()
    where = g.first[plan]  # (B, 4)
    shown = g.shows[tokens.gather(1, where.clamp(min=0))]  # (B, 4, features)
    shown = torch.where(where[..., None] < 0, ANY, shown)
    number = g.number[plan]
    tense, person, trade, last = shown[:, 0, 0], shown[:, 1, 2], shown[:, 2, 3], shown[:, 3, 2]
    person = torch.where(number == SEVERAL, THEY, person)
    fixed = [torch.full_like(tense, value) for value in (HE, SHE, ANY)]
    return torch.stack([tense, number, person, trade, torch.full_like(tense, ONE), last, *fixed], 1)


def grammatical(faults: Tensor) -> Tensor:
    """Texts in which every word is in its place and every verb has the number of its subject: (B, 24, 5) -> (B,) bool."""
    return ~faults[..., [FAULTS.index("order"), FAULTS.index("number")]].any(-1).any(-1)


def valid(faults: Tensor) -> Tensor:
    """Texts without any fault: grammatical, and one tense, one person and one trade all through: (B, 24, 5) -> (B,) bool."""
    return ~faults.any(-1).any(-1)


def sentences_of(tokens: Tensor) -> set[tuple[int, ...]]:
    """The distinct sentences of texts (B, 24), each with its full stop."""
    stop, found = INDEX["."], set()
    for row in tokens.tolist():
        start = 0
        for i, token in enumerate(row):
            if token == stop or i == len(row) - 1:
                found.add(tuple(row[start : i + 1]))
                start = i + 1
    return found


def surprisal(tokens: Tensor) -> Tensor:
    """-log p of whole valid texts (B, 24) under the grammar, in nats: the choice of a plan, of what the text is about, of a word
    for every slot."""
    g = grammar()
    plan = (g.kind[tokens][:, None] != g.order).sum(-1).argmin(-1)  # (B,)
    tense, _, person, trade, _, last, *_ = features(tokens, plan).unbind(1)
    context = ((tense * 3 + person) * 2 + last.clamp(min=0)) * TRADE_COUNT + trade
    words = g.many[g.plan[plan], context[:, None]].double().log().sum(-1)
    said = math.log(len(g.plan) * 2 * TRADE_COUNT) + math.log(2) * ((person != THEY).double() + (last != ANY).double())
    return said + words
