"""Eight domains in one text: what models with experts learn, so that experts have something to divide among themselves.

    slowly fry golden onions garlic skillet . knight e4 takes bishop f6 check .

Recipes, chess, weather, code, music, travel, garden and space are small languages of telegrams (grammars.py) with words of their
own and very few that several share. A sequence speaks two of them, a sentence of one after a sentence of either. Which word goes
with which two was drawn once and must be learned by heart: far more than a small feed-forward layer holds.

Letters: B sequences, T tokens of a sequence, N tokens in a row, K experts a token. The vocabulary is fixed for good.
"""

import difflib
import math
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache, lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from core.errors import SpecError, one_of
from core.train.tasks.grammars import DOMAINS, INDEX, PRIVATE, WORDS, machine

VOCABULARY = f"{len(WORDS)} words of {len(DOMAINS)} domains"
MAX_TOKENS, MAX_CHARACTERS = 64, 600
FRESH, FRESH_SEED = 128, 2024  # sequences of the text that models are measured on, and its seed
DRAWS = 1 << 31
SHUFFLES, SHUFFLE_SEED = 8, 0


def domain_of(word: str) -> int:
    """The domain whose word this is, or -1 for a word that several share."""
    return PRIVATE.get(word, -1)


def batch(count: int, length: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """`count` sequences of `length` tokens, each of sentences of its own two domains -> tokens, domains (B, T)."""
    speaker = machine()
    pair = torch.rand(count, len(DOMAINS), generator=generator).argsort(-1)[:, :2].T.contiguous()  # (2, B)
    draws = torch.randint(DRAWS, (2, length, count), generator=generator)
    chosen = torch.where(draws[0] % 2 == 0, pair[0], pair[1])  # (T, B): whose sentence, if one begins here
    state, states = chosen[0], []
    for i in range(length):
        state = speaker.follow(torch.where(speaker.ends[state], chosen[i], state), draws[1, i])
        states.append(state)
    path = torch.stack(states, 1)  # (B, T)
    return speaker.word[path], speaker.domain[path]


def training_batch(step: int, generator: torch.Generator, count: int, length: int, **_) -> tuple[Tensor, Tensor]:
    """Fresh text -> tokens, domains (B, T)."""
    return batch(count, length, generator)


def language_loss(logits: Tensor, tokens: Tensor) -> Tensor:
    """Mean cross-entropy in nats of every token but the first, each foretold from those before it."""
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())


def loss(model, tokens: Tensor, domains: Tensor | None = None, **_) -> Tensor:
    """The language loss of a model."""
    logits, _ = model(tokens)
    return language_loss(logits, tokens)


# What models are measured on, and the loss that none can beat


@lru_cache(maxsize=4)
def fresh(count: int = FRESH, length: int = MAX_TOKENS, seed: int = FRESH_SEED) -> tuple[Tensor, Tensor]:
    """The fixed text that models are measured on -> tokens, domains (B, T); training draws from other seeds."""
    return batch(count, length, torch.Generator().manual_seed(seed))


@torch.no_grad()
def evaluate(model, **_) -> dict[str, float]:
    """Loss in nats a token on the fixed fresh text: "loss" over all of it, "loss:recipes" over a domain's tokens."""
    tokens, domains = fresh()
    logits, _ = model(tokens)
    losses = F.cross_entropy(logits[:, :-1].flatten(0, 1).double(), tokens[:, 1:].flatten(), reduction="none")
    return by_domain(losses, domains[:, 1:].flatten())


def by_domain(losses: Tensor, domains: Tensor) -> dict[str, float]:
    """Losses of tokens and their domains (N,) -> the means, over all and over each domain."""
    parts = {f"loss:{name}": losses[domains == d].mean().item() for d, name in enumerate(DOMAINS)}
    return {"loss": losses.mean().item(), **parts}


@cache
def floor() -> dict[str, float]:
    """What `evaluate` gives to whoever knows the grammars, the shares, and how sequences are drawn: exact on the same text.

    No model is below it on average over all texts; on this one, by luck at most.
    """
    tokens, domains = fresh()
    losses = torch.tensor([loss for row in tokens.tolist() for loss in surprisal(row)[1:]], dtype=torch.float64)
    return by_domain(losses, domains[:, 1:].flatten())


def surprisal(tokens: list[int]) -> list[float]:
    """-log p(token | those before it) in nats, for each token of a sequence, by summing over every way to have said it.

    `pairs` holds how likely each pair of domains is, `belief` the joint probability of the sentence so far and each state.
    """
    ends = machine().ends.tolist()
    pairs = {(a, b): 1.0 for a in range(len(DOMAINS)) for b in range(a)}
    belief, result = begin(pairs), []
    for token in tokens:
        before, belief = sum(belief.values()), advance(belief, token)
        result.append(math.log(before) - math.log(sum(belief.values())))
        if any(ends[state] for state in belief):
            spoken: dict[int, float] = {}
            for state, p in belief.items():
                domain = int(machine().domain[state])
                spoken[domain] = spoken.get(domain, 0) + p
            share = begin(pairs)
            pairs = {pair: w * sum(spoken[d] / share[d] for d in pair if d in spoken) for pair, w in pairs.items()}
            pairs = {pair: w for pair, w in pairs.items() if w}
            belief = begin(pairs)
    return result


def begin(pairs: dict[tuple[int, int], float]) -> dict[int, float]:
    """Whose sentence may begin here: the state before a sentence of each domain, with its probability."""
    share: dict[int, float] = {}
    for pair, weight in pairs.items():
        for domain in pair:
            share[domain] = share.get(domain, 0) + weight / 2 / sum(pairs.values())
    return share


def advance(belief: dict[int, float], token: int) -> dict[int, float]:
    """The states that may have spoken this token, with the joint probability of all tokens so far."""
    new: dict[int, float] = {}
    for state, p in belief.items():
        for target, chance in ways(state).get(token, ()):
            new[target] = new.get(target, 0) + p * chance
    return new


@cache
def ways(state: int) -> dict[int, list[tuple[int, float]]]:
    """{token: the next states that speak it, each with its probability}."""
    speaker = machine()
    first, count = int(speaker.first[state]), int(speaker.count[state])
    found: dict[int, list] = {}
    for target, times in Counter(speaker.targets[first : first + count].tolist()).items():
        found.setdefault(int(speaker.word[target]), []).append((target, times / count))
    return found


# Who goes to which expert


def information(assignments: Tensor, tokens: Tensor, domains: Tensor, positions: Tensor, experts: int) -> dict[str, float]:
    """How much of the choice of experts is decided by the token itself, by its domain, by its position: 0 none, 1 all.

        (I(E; X) - I0) / (H(E) - log K - I0)        I(E; X) = H(E) + H(X) - H(E, X)

    E is one of a token's K different experts at random, X the token, domain or position. H(E) - log K is the most that X can
    tell, as it never tells which of the K was drawn. I0 is the mean of I over shuffled X: what chance alone shows.
    Where chance shows as much as there is, the answer is 0; negative values are chance and also shown as 0.
    Domain and token overlap (a private word gives its domain away), so the three do not add up.
    """
    picks = assignments.reshape(len(tokens), -1)  # (N, K)
    features = {"token": tokens, "domain": domains, "position": positions}
    return {name: decided(picks, feature, experts) for name, feature in features.items()}


def decided(picks: Tensor, feature: Tensor, experts: int) -> float:
    """Picks (N, K) and one feature (N,) -> the normalised, chance-corrected information above."""
    values = feature.unique(return_inverse=True)[1]
    generator = torch.Generator().manual_seed(SHUFFLE_SEED)
    shuffled = [values[torch.randperm(len(values), generator=generator)] for _ in range(SHUFFLES)]
    chance = sum(mutual(picks, x, experts) for x in shuffled) / SHUFFLES
    most = entropy(picks.flatten().bincount(minlength=experts)) - math.log(picks.shape[1]) - chance
    return min(1.0, max(0.0, (mutual(picks, values, experts) - chance) / most)) if most > 1e-9 else 0.0


def mutual(picks: Tensor, values: Tensor, experts: int) -> float:
    """I(E; X) in nats of picks (N, K) and values (N,) counted from 0."""
    size = int(values.max()) + 1
    joint = (values[:, None] * experts + picks).flatten().bincount(minlength=size * experts).view(size, experts)
    return entropy(joint.sum(0)) + entropy(joint.sum(1)) - entropy(joint.flatten())


def entropy(counts: Tensor) -> float:
    """Entropy in nats of what was counted."""
    p = counts[counts > 0].double() / counts.sum()
    return -(p * p.log()).sum().item()


# Text that readers type


EXAMPLES = {
    "Recipe and chess": "slowly fry the golden onions with garlic in a skillet . knight e4 takes the bishop on f6 , check .",
    "Chess in the pan": "gently fry the passed pawn with garlic in a skillet . the weak queen d5 captures carrots , checkmate .",
    "Weather and code": "heavy rain on the coast , easing by noon , gale . append key to the queue , status == zero ;",
    "Music and space": "the cello plays a sonata , melody legato andante . the probe orbits dusty mars , crater radiation .",
    "Basil in two worlds": "evenly bake tender tomatoes with basil in a dish . in the greenhouse sow thirsty basil in compost .",
}
# what no telegram says: left out of what readers type, as are commas and the like
LITTLE = frozenset(
    "a an and are as at by for from in into is it its of on onto or over the then to until up when with , : ( ) =".split()
)


@dataclass(frozen=True)
class Prompt:
    """A text as words. `problems` are (word, nearest known word)."""

    words: tuple[str, ...]
    problems: tuple[tuple[str, str], ...] = ()

    @property
    def tokens(self) -> list[int]:
        """The words as tokens."""
        return [INDEX[word] for word in self.words]

    @property
    def domains(self) -> list[int]:
        """Whose word each is, -1 where several share it."""
        return [domain_of(word) for word in self.words]


def parse(text: str) -> Prompt:
    """Read a text of any domains without its little words. SpecError says in one sentence what is wrong; unknown words go to
    `problems`."""
    if len(text) > MAX_CHARACTERS:
        raise SpecError(f"the text must be at most {MAX_CHARACTERS:,} characters, not {len(text):,}")
    found = re.findall(r"[=!<>]=|[^\W_]+(?:['’][^\W_]+)*|[=<>().,:;!?]", text.lower())
    words = tuple("." if word in "!?" else word for word in found if word in INDEX or word not in LITTLE)
    if not 1 <= len(words) <= MAX_TOKENS:
        raise SpecError(f"the text must be 1 to {MAX_TOKENS} words, punctuation counted, not {len(words):,}")
    own = Counter(domain_of(word) for word in words if word in PRIVATE)
    most = own.most_common(1)[0][0] if own else -1
    return Prompt(words, tuple((word, nearest(word, most)) for word in words if word not in INDEX))


def nearest(word: str, domain: int = -1) -> str:
    """The known word most like an unknown one; where nothing is like it, some word of the domain (-1: of any)."""
    close = difflib.get_close_matches(word, WORDS, n=1, cutoff=0.5)
    options = [w for w in WORDS if domain_of(w) == domain]
    return close[0] if close else options[sum(map(ord, word)) % len(options)]


def surprise(seed: int, domains: tuple[str, ...] = (), sentences: int = 4) -> str:
    """Random sentences of the domains in turn (of two random ones where none is named) that always parse."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randperm(len(DOMAINS), generator=generator)[:2].tolist()
    chosen = [DOMAINS.index(one_of("domain", name, DOMAINS)) for name in domains] or drawn
    words: list[str] = []
    for i in range(max(sentences, len(chosen))):
        more = sentence(chosen[i % len(chosen)], generator)
        if len(words) + len(more) > MAX_TOKENS:
            break
        words += more
    return " ".join(words)


def sentence(domain: int, generator: torch.Generator) -> list[str]:
    """A random sentence of a domain."""
    speaker, state, words = machine(), torch.tensor(domain), []
    while not speaker.ends[state]:
        state = speaker.follow(state, torch.randint(DRAWS, (), generator=generator))
        words.append(WORDS[speaker.word[state]])
    return words
