"""Two gaps in a text, filled in one pass or one after the other: words drawn in one pass do not know of each other.

Letters: A words that may stand in the first gap, V words of the vocabulary, L places. Both tables are worked out from what the
network gives, none is sampled: p(a) p(b) against p(a) p(b given a).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from core.model.decoding.diffusion import MASK as HIDDEN
from core.model.model import Model
from core.train import zoo
from core.train.recipes.text_diffusion import DENOISER
from core.train.tasks import sentences, stories
from core.train.tasks.stories import INDEX, WORDS

STORY = "today the bakers bake {} bread in the bakery . they are sleepy and bake their rolls . {} thanks {} {} mother ."
PAIRS = {"who, and whose": STORY.format("fine", "_", "_", "kind"), "two looks": STORY.format("_", "anna", "her", "_")}
GROUPS, SEEN = 8, 0.005  # so many groups are shown, those that are likely enough
LEAST = 1e-4


@dataclass(frozen=True)
class Joint:
    """Two gaps: at[0] before at[1]. groups: what may stand there, by whom it is about where a word shows that. apart (A, B): the
    probabilities of both drawn in one pass; after (A, B): the first drawn, then the second by a network that has seen it.
    apart_wrong, after_wrong: the share that the checker rejects. example: the likeliest rejected pair of the first, or ""."""

    at: tuple[int, int]
    groups: tuple[tuple[str, ...], tuple[str, ...]]
    apart: np.ndarray
    after: np.ndarray
    apart_wrong: float
    after_wrong: float
    example: str


@lru_cache(maxsize=64)
def joint(canvas: tuple[str, ...]) -> Joint:
    """What happens to the two gaps of a canvas: both in one pass, or one after the other."""
    tokens = torch.tensor([[INDEX[word] for word in canvas]])
    first, second = (tokens[0] == HIDDEN).nonzero().flatten().tolist()
    model = zoo.load(DENOISER)
    p = chances(model, tokens)[0]  # (L, V)
    heads = (p[first] > LEAST).nonzero().flatten()
    given = tokens.repeat(len(heads), 1)
    given[:, first] = heads
    once = p[first][heads][:, None] * p[second]  # (A, V)
    then = p[first][heads][:, None] * chances(model, given)[:, second]
    bad = rejected(given, second)
    wrong = [float((q * bad).sum()) for q in (once, then)]
    worst = divmod(int((once * bad).argmax()), len(WORDS))
    example = f"{WORDS[heads[worst[0]]]} … {WORDS[worst[1]]}" if wrong[0] > 0.01 else ""
    rows, columns = grouped(WORDS[h] for h in heads.tolist()), grouped(WORDS)
    apart, after = (gathered(q.numpy(), rows, columns) for q in (once, then))
    keep = [likeliest_groups(apart.sum(axis)) for axis in (1, 0)]
    names = tuple(list(rows)[i] for i in keep[0]), tuple(list(columns)[i] for i in keep[1])
    return Joint((first, second), names, apart[np.ix_(*keep)], after[np.ix_(*keep)], wrong[0], wrong[1], example)


def likeliest_groups(p: np.ndarray) -> np.ndarray:
    """Which groups are shown: the likeliest first, two at least."""
    order = np.argsort(-p, kind="stable")[:GROUPS]
    return order[: max(2, int((p[order] >= SEEN).sum()))]


@torch.no_grad()
def chances(model: Model, tokens: torch.Tensor) -> torch.Tensor:
    """tokens (B, L) -> (B, L, V), never the mask."""
    logits = model(tokens)[0].double()
    logits[..., HIDDEN] = float("-inf")
    return logits.softmax(-1)


def rejected(given: torch.Tensor, at: int) -> torch.Tensor:
    """given (A, L) with a gap at one place -> (A, V): whether the checker finds a fault with each word there."""
    every = given[:, None].repeat(1, len(WORDS), 1)
    every[..., at] = torch.arange(len(WORDS))
    return stories.checked(every.flatten(0, 1)).any(-1).any(-1).view(len(given), -1).double()


def grouped(words) -> dict[str, list[int]]:
    """{group: places in `words`}: names, pronouns and "his" by person, every other word by itself."""
    found: dict[str, list[int]] = {}
    for i, word in enumerate(words):
        entry = stories.LEXICON[INDEX[word]]
        whom = {"name": ("a man", "a woman"), "own": ("his", "her", "their"), "pronoun": ("he", "she", "they")}.get(entry.kind)
        found.setdefault(whom[entry.person] if whom else word, []).append(i)
    return found


def gathered(p: np.ndarray, rows: dict[str, list[int]], columns: dict[str, list[int]]) -> np.ndarray:
    """Probabilities (A, V) summed over groups."""
    return np.array([[p[np.ix_(r, c)].sum() for c in columns.values()] for r in rows.values()])


def pair(text: str) -> tuple[str, ...]:
    """A text with two gaps, as a canvas."""
    return sentences.parse(text).words
