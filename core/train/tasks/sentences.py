"""Stories of 24 words (stories.py), learned in two ways: by filling in masked words and by foretelling the next one.

    yesterday anna the old baker who met hugo baked fine bread . she sold ▢ rolls in the ▢ . she was tired .

The same text, the same number of words a batch, the same optimiser: what a model's `decoding` says decides what it is asked. A
denoiser sees all places and is measured by its samples at so many passes; its twin reads from left to right and makes a pass a
word. The checker of stories.py says which samples are right; the number of distinct sentences says whether they are all the same.

Letters: B texts, L = 24 words, V words of the vocabulary, the mask being the first of them. The twin starts from a mask.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from core.errors import SpecError
from core.lookalike import nearest
from core.model.decoding import diffusion
from core.model.decoding.diffusion import Sampler
from core.train.task import Task
from core.train.tasks import stories
from core.train.tasks.stories import INDEX, LENGTH, MASK, VOCABULARY, WORDS

STEPS = (1, 2, 4, 8, 12, 24)
SAMPLES, SEED, ROUNDS = 256, 2024, 4
REVISIT, PLACES = 0.2, 0.3
SAMPLERS: dict[str, Sampler] = {
    **{f"{steps}:{order}": Sampler(steps, order) for order in diffusion.ORDERS for steps in STEPS},
    "24:left": Sampler(24, block=1),
    **{f"{steps}:revisit": Sampler(steps, "random", revisit=REVISIT) for steps in (4, 8, 12, 24, 48)},
}
MAX_CHARACTERS = 400


@torch.no_grad()
def prepare(model, **_) -> None:
    """Before the first step: places start smaller than words, or what a word is drowns in where it stands, and agreement is
    learned late."""
    model.embed_positions.weight.mul_(PLACES)


def training_batch(step: int, generator: torch.Generator, count: int, **_) -> tuple[Tensor, Tensor, Tensor]:
    """Fresh texts (B, L), and for a denoiser what is hidden: t (B,), masked (B, L)."""
    return stories.texts(count, generator), *diffusion.noise(count, LENGTH, generator)


def loss(model, tokens: Tensor, t: Tensor, masked: Tensor, **_) -> Tensor:
    """Nats a word: the weighted bound of a denoiser, the cross-entropy of a model that reads from left to right."""
    if model.spec.decoding == "diffusion":
        return diffusion.loss(model, tokens, t, masked)
    return foretold(model, tokens)


def foretold(model, tokens: Tensor) -> Tensor:
    """Mean cross-entropy of every word, each from those before it; the first from a mask."""
    logits, _ = model(F.pad(tokens[:, :-1], (1, 0), value=diffusion.MASK))
    return F.cross_entropy(logits.transpose(1, 2), tokens)


@torch.no_grad()
def left_to_right(model, count: int, generator: torch.Generator) -> Tensor:
    """`count` texts, word by word with the cache -> (B, L)."""
    word, state, words = torch.full((count, 1), diffusion.MASK), (), []
    for _ in range(LENGTH):
        logits, state = model(word, state)
        drawn, _ = diffusion.draw(logits[:, -1], 1.0, generator)
        words.append(drawn)
        word = drawn[:, None]
    return torch.stack(words, 1)


# What is measured


@torch.no_grad()
def evaluate(model, count: int = 0, samples: int = SAMPLES, **_) -> dict:
    """nats: of fixed fresh texts, a bound for a denoiser; of `samples` texts made each way, the share that is grammatical, the
    share that is wholly right (valid), and how many distinct sentences there are: "valid@8:random" is 8 passes, random order."""
    tokens, generator = stories.texts(samples, torch.Generator().manual_seed(SEED)), torch.Generator().manual_seed(SEED + 1)
    if model.spec.decoding != "diffusion":
        return {"nats": foretold(model, tokens).item(), **measured("24:left", left_to_right(model, samples, generator))}
    result = {"nats": diffusion.bound(model, tokens, ROUNDS, generator)}
    for name, sampler in SAMPLERS.items():
        canvas = torch.full((samples, LENGTH), diffusion.MASK)
        result |= measured(name, diffusion.sample(model, canvas, sampler, torch.Generator().manual_seed(SEED)))
    return result


def measured(name: str, tokens: Tensor) -> dict[str, float]:
    """What the checker says of texts (B, L)."""
    faults = stories.checked(tokens)
    return {
        f"grammatical@{name}": stories.grammatical(faults).double().mean().item(),
        f"valid@{name}": stories.valid(faults).double().mean().item(),
        f"distinct@{name}": float(len(stories.sentences_of(tokens))),
    }


@lru_cache(maxsize=4)
def reference(samples: int = SAMPLES) -> dict[str, float]:
    """The same of the grammar's own texts, and the nats a word that no model can be below on average."""
    tokens = stories.texts(samples, torch.Generator().manual_seed(SEED))
    return {"nats": stories.surprisal(tokens).mean().item() / LENGTH, **measured("own", tokens)}


# Texts with gaps that readers make


@dataclass(frozen=True)
class Canvas:
    """24 words, the gaps being masks. `problems` are (word, nearest known word)."""

    words: tuple[str, ...]
    problems: tuple[tuple[str, str], ...] = ()

    @property
    def tokens(self) -> Tensor:
        """The canvas as one text (1, L)."""
        return torch.tensor([[INDEX[word] for word in self.words]])

    @property
    def gaps(self) -> tuple[int, ...]:
        """Where a word is missing."""
        return tuple(i for i, word in enumerate(self.words) if word == MASK)


def parse(text: str) -> Canvas:
    """Read "today _ the baker bakes": "_" is a gap, and so is all that is missing at the end. SpecError says in one sentence what
    is wrong; unknown words go to `problems`."""
    if len(text) > MAX_CHARACTERS:
        raise SpecError(f"the text must be at most {MAX_CHARACTERS} characters, not {len(text):,}")
    words = [MASK if word[0] in f"_{MASK}" else word for word in re.findall(rf"_+|{MASK}|\.|[^\W_]+", text.lower())]
    if len(words) > LENGTH:
        raise SpecError(f"the text must have at most {LENGTH} words, full stops and gaps counted, not {len(words)}")
    problems = tuple((word, nearest(word, WORDS[1:])) for word in words if word not in INDEX)
    if problems:
        return Canvas(tuple(words), problems)
    words += [MASK] * (LENGTH - len(words))
    if MASK not in words:
        raise SpecError("the text must have a gap: write _ in the place of a word")
    return Canvas(tuple(words))


def as_typed(words) -> str:
    """A canvas as a reader would type it."""
    return " ".join("_" if word == MASK else word for word in words)


def surprise(seed: int, gaps: int = 0) -> str:
    """A random text with so many gaps in random places, or with any number of them; it always parses."""
    generator = torch.Generator().manual_seed(seed)
    words = [WORDS[i] for i in stories.texts(1, generator)[0].tolist()]
    gaps = gaps or int(torch.randint(4, LENGTH - 2, (), generator=generator))
    hidden = set(torch.randperm(LENGTH, generator=generator)[:gaps].tolist())
    return as_typed(MASK if i in hidden else word for i, word in enumerate(words))


TASK = Task("sentences", training_batch, loss, evaluate, prepare, parse=parse, vocabulary=VOCABULARY)
