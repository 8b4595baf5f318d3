"""Who has what: names paired with things, then some of the names asked again.

    ann lamp bo kite cy drum ? bo        ->  kite

This is multi-query associative recall (MQAR, Zoology, arXiv 2312.04927) in words that a reader can edit. A pair takes two
tokens, "?" ends the facts, after it every name is a question and the next token its answer.

Letters: B sequences, n pairs, T tokens of a sequence. The vocabulary is fixed for good: 8 function words, 64 names, 64
things, in this order; every recall model reads and writes the same 136 words.
"""

import re
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from core import lookalike
from core.errors import SpecError
from core.train.task import Task

FUNCTION = "? . , and then who has _".split()
NAMES = """ann bo cy dan eva fay gus hal ian jo kim leo mia ned ola pam quin ray sam tess uma vic wes xena yan zoe abe bea
carl dora eli finn gwen hugo ivy jack kate liam max nora otto pia ruth saul tina ulf vera walt yara zack amir bruno clara
devi emil faye greta hana igor juno kofi lena mark nils""".split()
THINGS = """lamp kite drum rope coin bell boat book bowl brush cake chair clock coat comb cup desk dice doll door fan flag
flute fork globe glove guitar hat horn jar key kettle knife ladder lemon lock map mask melon mirror mug nail net oar pear pen
piano pipe plate plum ring rug saw scarf shell shoe soap sock spoon stamp stone tent vase wheel""".split()
WORDS = tuple(FUNCTION + NAMES + THINGS)
INDEX = {word: i for i, word in enumerate(WORDS)}
ASK = INDEX["?"]
FIRST_NAME, FIRST_THING = len(FUNCTION), len(FUNCTION) + len(NAMES)
VOCABULARY = f"{len(NAMES)} names and {len(THINGS)} things"
MAX_PAIRS, MAX_TOKENS = 48, 128
PAIR_COUNTS = (4, 8, 16, 24, 32, 48)  # what recall is measured at
MAX_CHARACTERS = 1200


def facts(pairs: int, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """`count` draws of `pairs` different names, each with a thing -> names, things (B, n) as tokens."""
    names = torch.rand(count, len(NAMES), generator=generator).argsort(-1)[:, :pairs] + FIRST_NAME
    things = torch.randint(len(THINGS), (count, pairs), generator=generator) + FIRST_THING
    return names, things


def retold(names: Tensor, things: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Facts (B, n) where every name is told twice, once if n is odd for the last: names and things in a random order of telling,
    then the different names (B, m) and the thing that each was last told with, m = n / 2 rounded up."""
    count, pairs = names.shape
    m = -(-pairs // 2)
    shift = torch.randint(1, len(THINGS), (count, pairs - m), generator=generator)
    others = (things[:, : pairs - m] - FIRST_THING + shift) % len(THINGS) + FIRST_THING  # never the thing of the first telling
    order = torch.rand(count, pairs, generator=generator).argsort(-1)
    told = order % m  # (B, n): which of the different names
    last = torch.where(told[:, None] == torch.arange(m)[:, None], torch.arange(pairs), -1).amax(-1)  # (B, m)
    things = torch.cat([things[:, :m], others], 1).gather(1, order)
    return names.gather(1, told), things, names[:, :m], things.gather(1, last)


def lately(pairs: int, asks: int, count: int, near: int, generator: torch.Generator) -> Tensor:
    """(B, asks): which pair each question asks for, where it picks any of the last `near` mentions (told or asked) alike."""
    back = torch.randint(1, near + 1, (count, asks), generator=generator)
    mentions = torch.arange(pairs + asks).repeat(count, 1)
    for at in range(pairs, pairs + asks):
        mentions[:, at] = mentions.gather(1, (at - back[:, at - pairs, None]).clamp(min=0))[:, 0]
    return mentions[:, pairs:]


def batch(
    pairs: int, count: int, length: int, generator: torch.Generator, retell: bool = False, near: int = 0
) -> tuple[Tensor, Tensor]:
    """tokens (B, T) and targets (B, T): the thing after each asked name, -100 elsewhere.

    Names are asked in random order, each once before any is asked again; with `near` only what was mentioned lately. With
    `retell` every name is told twice, with different things, and the later one is right.
    """
    names, things = facts(pairs, count, generator)
    subjects, latest = names, things
    if retell:
        names, things, subjects, latest = retold(names, things, generator)
    asks, each = (length - 2 * pairs) // 2, subjects.shape[1]
    rounds = -(-asks // each)
    order = torch.rand(count, rounds, each, generator=generator).argsort(-1).flatten(1)[:, :asks]  # (B, asks)
    if near:
        order = lately(pairs, asks, count, near, generator)
    asked, answers = subjects.gather(1, order), latest.gather(1, order)
    tokens = torch.full((count, 2 * pairs + 1 + 2 * asks), ASK)
    tokens[:, 0 : 2 * pairs : 2], tokens[:, 1 : 2 * pairs : 2] = names, things
    tokens[:, 2 * pairs + 1 :: 2], tokens[:, 2 * pairs + 2 :: 2] = asked, answers
    targets = torch.full_like(tokens, -100)
    targets[:, 2 * pairs + 1 :: 2] = answers
    return tokens[:, :length], targets[:, :length]


def training_batch(
    step: int, generator: torch.Generator, pairs: int, count: int, length: int, ramp=150, retell: bool = False, near: int = 0, **_
):
    """A batch whose number of pairs is drawn up to a bound that grows to `pairs` over `ramp` steps. With `near` every other
    batch asks only for what was mentioned lately."""
    bound = min(pairs, 3 + step * pairs // ramp)
    drawn = int(torch.randint(1, bound + 1, (), generator=generator))
    return batch(drawn, count, length, generator, retell, near if step % 2 else 0)


def loss(model, tokens: Tensor, targets: Tensor, **_) -> Tensor:
    """Mean cross-entropy in nats over the asked names."""
    logits, _ = model(tokens)
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100)


@torch.no_grad()
def evaluate(
    model, pairs: int, length: int, prompts=128, seed=2024, distances: tuple[int, ...] = (), retell: bool = False, **_
) -> dict:
    """Recall (share of asked names answered right) and loss (nats) at each number of pairs, on fixed fresh prompts.

    With `distances` also recall@1-8 and so on: how many names are answered right by how far back, in tokens, their thing lies.
    """
    result = {}
    for n in (n for n in PAIR_COUNTS if n <= pairs):
        generator = torch.Generator().manual_seed(seed + n)
        tokens, targets = batch(n, prompts, min(length, 4 * n + 1), generator, retell)  # every name once, as room allows
        logits, _ = model(tokens)
        asked = targets != -100
        result[f"recall@{n}"] = (logits.argmax(-1) == targets)[asked].double().mean().item()
        result[f"loss@{n}"] = F.cross_entropy(logits[asked].double(), targets[asked]).item()
    return result | by_distance(model, pairs, prompts, seed, distances)


def backwards(pairs: int, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Prompts that ask for the last pair first and the first pair last: tokens (B, 4n), answers (B, n). The thing that the
    j-th question asks for lies 4j + 2 tokens back, so one prompt measures every distance alike."""
    names, things = facts(pairs, count, generator)
    asked, answers = names.flip(1), things.flip(1)
    told = torch.stack([names, things], -1).flatten(1)
    return torch.cat([told, torch.full((count, 1), ASK), torch.stack([asked, answers], -1).flatten(1)[:, :-1]], 1), answers


def by_distance(model, pairs: int, prompts: int, seed: int, bounds: tuple[int, ...]) -> dict[str, float]:
    """Recall of the answers that lie beyond one bound and up to the next, on fixed fresh prompts: {"recall@9-16": ...}."""
    if not bounds:
        return {}
    tokens, answers = backwards(pairs, prompts, torch.Generator().manual_seed(seed))
    right = (model(tokens)[0][:, 2 * pairs + 1 :: 2].argmax(-1) == answers).double().mean(0)  # (n,)
    back, lows = 4 * torch.arange(pairs) + 2, (0, *bounds)
    return {f"recall@{low + 1}-{high}": right[(low < back) & (back <= high)].mean().item() for low, high in zip(lows, bounds)}


# Prompts that readers type


@dataclass(frozen=True)
class Prompt:
    """A prompt as words: facts in pairs, then the names asked. `problems` are (word, nearest known word)."""

    words: tuple[str, ...]
    asked: tuple[str, ...]
    problems: tuple[tuple[str, str], ...] = ()

    @property
    def tokens(self) -> list[int]:
        """The facts and the question mark, as tokens."""
        return [INDEX[word] for word in self.words]

    @property
    def truth(self) -> tuple[str, ...]:
        """The thing that each asked name was last paired with, or "" for a name that was never introduced."""
        has = dict(zip(self.words[0:-1:2], self.words[1:-1:2]))
        return tuple(has.get(name, "") for name in self.asked)


def parse(text: str) -> Prompt:
    """Read "ann lamp, bo kite ? bo". SpecError says in one sentence what is missing; unknown words go to `problems`."""
    if len(text) > MAX_CHARACTERS:
        raise SpecError(f"the prompt must be at most {MAX_CHARACTERS:,} characters, not {len(text):,}")
    words = [w for w in re.findall(r"[^\W\d_]+|\?", text.lower()) if w not in ("and", "then", "has", "who", "a", "the")]
    problems = tuple((w, nearest(w, i)) for i, w in enumerate(words) if w not in INDEX)
    if problems:
        return Prompt(tuple(words), (), problems)
    at = words.index("?") if "?" in words else len(words)
    facts_, asked = words[:at], [w for w in words[at:] if w in NAMES]
    check_pairs(facts_)
    if not asked:
        raise SpecError("the prompt must end in a question: “?” and a name, as in “ann lamp bo kite ? bo”")
    if len(facts_) + 1 + 2 * len(asked) > MAX_TOKENS:
        raise SpecError(f"the prompt must fit {MAX_TOKENS} tokens: ask fewer names or remove pairs")
    return Prompt((*facts_, "?"), tuple(asked))


def check_pairs(words: list[str]) -> None:
    """SpecError unless the words are 1 to 48 times a name and a thing."""
    for i, word in enumerate(words):
        wanted = (NAMES, "a name") if i % 2 == 0 else (THINGS, "a thing")
        if word not in wanted[0]:
            raise SpecError(
                f"word {i + 1}, “{word}”, must be {wanted[1]}: facts are pairs of a name and a thing, as in “ann lamp”"
            )
    if len(words) % 2 or not 2 <= len(words) <= 2 * MAX_PAIRS:
        raise SpecError(f"the facts must be 1 to {MAX_PAIRS} whole pairs of a name and a thing, as in “ann lamp bo kite”")


def nearest(word: str, position: int) -> str:
    """The known word most like an unknown one; by place a name or a thing where nothing is like it."""
    return lookalike.nearest(word, WORDS, (NAMES if position % 2 == 0 else THINGS)[sum(map(ord, word)) % 64])


def surprise(pairs: int, seed: int, asked: int = 1) -> str:
    """A random prompt that always parses."""
    generator = torch.Generator().manual_seed(seed)
    names, things = facts(pairs, 1, generator)
    picked = torch.randperm(pairs, generator=generator)[:asked]
    words = [WORDS[t] for pair in zip(names[0], things[0]) for t in pair]
    return " ".join([*words, "?", *(WORDS[t] for t in names[0][picked])])


TASK = Task("recall", training_batch, loss, evaluate, parse=parse, vocabulary=VOCABULARY)
