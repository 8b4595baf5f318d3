"""A ball under one of three cups, and moves that swap two of them: where is it now?

    middle  left-middle  left-right  wait  middle-right        ->  after each move: left, right, right, middle

Nothing of it can be looked up: the answer is what all moves together have done (the permutations of three things, the smallest
group whose order of multiplication matters). RWKV-7's paper (arXiv 2503.14456, section 4.2) argues that its memory can follow any
such group and that attention of fixed depth can not, for texts of any length.

Letters: B sequences, T tokens: the place where the ball starts, then a move a token.
"""

import re

import torch
import torch.nn.functional as F
from torch import Tensor

from core.errors import SpecError
from core.lookalike import nearest
from core.train.task import Task

PLACES = ("left", "middle", "right")
MOVES = ("left-middle", "middle-right", "left-right", "wait")
WORDS = (*PLACES, *MOVES)
INDEX = {word: i for i, word in enumerate(WORDS)}
SWAPS = torch.tensor([[1, 0, 2], [0, 2, 1], [2, 1, 0], [0, 1, 2]])  # (move, place before) -> place after
LENGTHS = (8, 24, 48, 96)  # moves after which is measured
MAX_MOVES = 96
MAX_CHARACTERS = 1600
EXAMPLES_OF_WORDS = f"a place ({', '.join(PLACES)}), then moves ({', '.join(MOVES)})"


def games(moves: int, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """`count` random games of so many moves -> tokens (B, moves + 1), where the ball is after each token (B, moves + 1)."""
    at = torch.randint(len(PLACES), (count,), generator=generator)
    drawn = torch.randint(len(MOVES), (count, moves), generator=generator)
    places = [at]
    for move in drawn.unbind(1):
        at = SWAPS[move, at]
        places.append(at)
    return torch.cat([places[0][:, None], drawn + len(PLACES)], 1), torch.stack(places, 1)


def training_batch(step: int, generator: torch.Generator, moves: int, count: int, ramp: int, **_) -> tuple[Tensor, Tensor]:
    """Games whose length grows to `moves` over the first `ramp` steps."""
    return games(max(2, min(moves, 2 + step * moves // ramp)), count, generator)


def loss(model, tokens: Tensor, places: Tensor, **_) -> Tensor:
    """Mean cross-entropy in nats of the ball's place after every token."""
    return F.cross_entropy(model(tokens)[0][..., : len(PLACES)].flatten(0, 1), places.flatten())


@torch.no_grad()
def evaluate(model, prompts: int = 256, seed: int = 2024, **_) -> dict:
    """Share of right answers after so many moves, over the last eight of them; fresh games, also longer than any practised."""
    tokens, places = games(max(LENGTHS), prompts, torch.Generator().manual_seed(seed))
    right = (model(tokens)[0][..., : len(PLACES)].argmax(-1) == places).double().mean(0)
    return {f"right@{n}": right[n - 7 : n + 1].mean().item() for n in LENGTHS}


def parse(text: str) -> tuple[str, ...]:
    """Words of a game that a reader typed. SpecError says in one sentence what is accepted."""
    if len(text) > MAX_CHARACTERS:
        raise SpecError(f"the game must be at most {MAX_CHARACTERS:,} characters, not {len(text):,}")
    words = re.findall(r"[a-z]+(?:-[a-z]+)?", text.lower())
    if unknown := [word for word in words if word not in INDEX]:
        raise SpecError(f"“{unknown[0][:30]}” must be {EXAMPLES_OF_WORDS}: did you mean “{nearest(unknown[0], WORDS)}”?")
    if len(words) < 2 or words[0] not in PLACES or any(word in PLACES for word in words[1:]):
        raise SpecError(f"the game must be {EXAMPLES_OF_WORDS}, as in “left left-middle wait”")
    if len(words) > MAX_MOVES + 1:
        raise SpecError(f"the game must have at most {MAX_MOVES} moves, not {len(words) - 1}")
    return tuple(words)


def truth(words: tuple[str, ...]) -> list[str]:
    """Where the ball is after each word."""
    at = INDEX[words[0]]
    places = [at]
    for word in words[1:]:
        at = int(SWAPS[INDEX[word] - len(PLACES), at])
        places.append(at)
    return [PLACES[place] for place in places]


TASK = Task("cups", training_batch, loss, evaluate, parse=parse)
