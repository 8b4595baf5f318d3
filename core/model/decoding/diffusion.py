"""Masked diffusion: a whole text at once, from nothing but masks, in as many passes as one likes (LLaDA, arXiv 2502.09992).

Glossary
    L   LENGTH      places of a text; l of them are masked
    t               the share that is masked: every word is hidden with probability t, t uniform in (0, 1]
    M   MASK        the word that hides another one (index 0)
    S   steps       passes over the whole text; in each the network sees all L places, in both directions
    p_i             what the network gives to each word at place i, all places at once and apart from one another
    B   batch       texts; V words

    training        loss = -E[ 1/(t L) * sum over masked i of log p_i(x_i) ]: 1/t makes it a bound on -log p(x) / L, and is what
                    BERT has not. Each batch takes its t's evenly from (0, 1], which has the same mean and less noise.
    likelihood      l uniform in 1..L, exactly l masked, weight L / l: the same bound with less noise
    sampling        all masked. Each pass draws a word for every masked place, keeps k of them and masks the others again. Which:
                    "confidence" keeps those with the largest p, "random" any. With S steps k is L / S, remainders first.
    blocks          left to right, each denoised alone: blocks of one word are the order of an autoregressive model
    revisit         before a pass, so large a share of the words that stand is masked again, the least sure first

Simplified: texts of one length, no guidance. In LLaDA's own sampler what stands is never looked at again; `revisit` is
ours, after ReMDM (arXiv 2503.00307). Words drawn in one pass do not know of each other: that, not the order, is what goes wrong
when several depend on one another.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from core.errors import number, one_of, whole

MASK = 0
ORDERS = ("confidence", "random")
LEAST = 1e-3  # no text is masked less than so


# Training


def noise(count: int, length: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """-> how much of each text is masked, t (B,), and where (B, L)."""
    t = (torch.arange(count) + torch.rand(count, generator=generator)) / count
    t = t * (1 - LEAST) + LEAST
    return t, torch.rand(count, length, generator=generator) < t[:, None]


def loss(model, tokens: Tensor, t: Tensor, masked: Tensor) -> Tensor:
    """The bound in nats a word, by weights 1 / t: tokens, masked (B, L), t (B,)."""
    logits, _ = model(tokens.masked_fill(masked, MASK))
    missed = F.cross_entropy(logits.transpose(1, 2), tokens, reduction="none")  # (B, L)
    return (missed * masked / t[:, None]).mean()


@torch.no_grad()
def bound(model, tokens: Tensor, rounds: int, generator: torch.Generator) -> float:
    """An upper bound on -log p(x) / L in nats, over texts (B, L): exactly l masked, weight L / l, `rounds` draws a text."""
    count, length = tokens.shape
    total = 0.0
    for _ in range(rounds):
        hidden = torch.randint(1, length + 1, (count, 1), generator=generator)  # l
        masked = torch.rand(count, length, generator=generator).argsort(-1).argsort(-1) < hidden
        logits, _ = model(tokens.masked_fill(masked, MASK))
        missed = F.cross_entropy(logits.transpose(1, 2), tokens, reduction="none").double()
        total += (missed * masked / hidden).sum(-1).mean().item()
    return total / rounds


# Sampling


@dataclass(frozen=True)
class Sampler:
    """How a text is denoised. temperature 0 takes the likeliest word; block 0 is one block, the whole text."""

    steps: int = 8
    order: str = "confidence"
    block: int = 0
    temperature: float = 1.0
    revisit: float = 0.0

    def __post_init__(self):
        whole("steps", self.steps, high=1024)
        one_of("order", self.order, ORDERS)
        whole("block", self.block, low=0, high=1024)
        number("temperature", self.temperature, high=10)
        number("revisit", self.revisit, high=0.9)


@dataclass(frozen=True)
class Pass:
    """One pass, all (B, L). tokens: after it; drawn, p: the word drawn at every masked place, and the probability it had; kept:
    what was committed now; taken: what stood before and was masked again for this pass; open: what was masked when the network
    looked."""

    tokens: Tensor
    drawn: Tensor
    p: Tensor
    kept: Tensor
    taken: Tensor
    open: Tensor


def split(count: int, parts: int) -> list[int]:
    """`count` things over so many steps as evenly as it goes, the remainder first."""
    return [count // parts + (i < count % parts) for i in range(parts)]


def blocks(gaps: list[int], length: int, sampler: Sampler) -> list[tuple[list[int], list[int]]]:
    """The blocks that have gaps: their gaps, and how many words each pass commits. A block takes one pass at least, and no
    more than it has gaps unless words are revisited."""
    size = sampler.block or length
    parts = [part for start in range(0, length, size) if (part := [g for g in gaps if start <= g < start + size])]
    if not parts:
        return []
    shares = [max(1, steps) for steps in split(sampler.steps, len(parts))]
    if not sampler.revisit:
        shares = [min(steps, len(part)) for steps, part in zip(shares, parts)]
    return [(part, split(len(part), steps)) for part, steps in zip(parts, shares)]


@torch.no_grad()
def denoise(model, canvas: Tensor, sampler: Sampler, generator: torch.Generator) -> Iterator[Pass]:
    """Fill the gaps of a canvas (B, L); every text has its gaps (MASK) in the same places."""
    tokens, sure = canvas.clone(), torch.full(canvas.shape, 2.0)
    gaps = (canvas[0] == MASK).nonzero().flatten().tolist()
    for part, plan in blocks(gaps, canvas.shape[1], sampler):
        inside = torch.zeros(canvas.shape[1], dtype=torch.bool)
        inside[part] = True
        standing = 0
        for commits in plan:
            # 1. the least sure of the words that stand are masked again
            back = int(sampler.revisit * standing)
            taken = smallest(sure.masked_fill(~inside | (tokens == MASK), 9.0), back)
            tokens = tokens.masked_fill(taken, MASK)

            # 2. a word for every masked place, each drawn without knowing of the others
            masked = tokens == MASK
            drawn, p = tokens.clone(), torch.ones(tokens.shape)
            drawn[masked], p[masked] = draw(model(tokens)[0][masked], sampler.temperature, generator)

            # 3. the surest of them, or any, are committed
            score = p if sampler.order == "confidence" else torch.rand(p.shape, generator=generator)
            kept = smallest(-score.masked_fill(~(masked & inside), -1.0), commits + back)
            tokens, sure = torch.where(kept, drawn, tokens), torch.where(kept, p, sure)
            standing += commits
            yield Pass(tokens, drawn, p, kept, taken, masked)


def smallest(score: Tensor, count: int) -> Tensor:
    """Where the `count` smallest of each row are: (B, L) bool."""
    chosen = torch.zeros_like(score, dtype=torch.bool)
    return chosen.scatter(1, score.argsort(dim=-1, stable=True)[:, :count], True)


def draw(logits: Tensor, temperature: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """logits (N, V) -> a word for each row, never the mask, and its probability at temperature 1: both (N,)."""
    logits = logits.double().index_fill(-1, torch.tensor([MASK]), float("-inf"))
    p = logits.softmax(-1)
    if temperature == 0:
        drawn = p.argmax(-1)
    else:
        up_to = (p if temperature == 1 else (logits / temperature).softmax(-1)).cumsum(-1)
        at = torch.rand(len(p), 1, generator=generator, dtype=torch.float64)
        drawn = (up_to < at * up_to[:, -1:]).sum(-1)
    return drawn, p.gather(-1, drawn[:, None])[:, 0].float()


def sample(model, canvas: Tensor, sampler: Sampler, generator: torch.Generator) -> Tensor:
    """The canvas (B, L) with its gaps filled."""
    tokens = canvas
    for step in denoise(model, canvas, sampler, generator):
        tokens = step.tokens
    return tokens


def passes(sampler: Sampler, gaps: list[int], length: int) -> int:
    """How often the network runs over the whole text."""
    return sum(len(plan) for _, plan in blocks(gaps, length, sampler))
