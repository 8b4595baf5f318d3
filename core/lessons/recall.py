"""Trained recall models on a reader's words: run token by token, answers compared with the truth, memory measured and counted.

Letters: T tokens, n tokens so far. Every page whose models learned "who has what" reads its pictures from here.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from core.count import cost
from core.count.dtypes import DTYPES
from core.lessons.common import first_context, measured_prompt
from core.model.decoding.autoregressive import Run, record
from core.model.model import Model
from core.train import zoo
from core.train.tasks import recall

DTYPE = "float32"  # the live models run in it
LENGTHS = (8, 24, 48, 80, 112)  # tokens at which the live cache is measured


@dataclass(frozen=True)
class Answer:
    """One question of the prompt: where it is asked, what the model says and with what probability, and what is true."""

    position: int
    name: str
    said: str
    probability: float
    truth: str
    source: int  # position of the true thing among the facts, -1 where the name was never introduced


@dataclass(frozen=True)
class Scene:
    """A prompt and a model after the run. Bytes are (T,), after each token of one sequence."""

    words: tuple[str, ...]
    answers: tuple[Answer, ...]
    run: Run
    cache_bytes: np.ndarray
    state_bytes: np.ndarray

    @property
    def memory_bytes(self) -> np.ndarray:
        """Cache and state together (T,)."""
        return self.cache_bytes + self.state_bytes


def script(prompt: recall.Prompt) -> list[int | None]:
    """The facts, then each asked name and room for the model's answer; the last answer is told, not read."""
    return (prompt.tokens + [token for name in prompt.asked for token in (recall.INDEX[name], None)])[:-1]


@lru_cache(maxsize=256)
def checkpoint_scene(name: str, prompt: recall.Prompt) -> Scene:
    """Run a checkpoint on a prompt, token by token with the cache."""
    return play(zoo.load(name), prompt)


def play(model: Model, prompt: recall.Prompt) -> Scene:
    """Run a model on a prompt, token by token with the cache."""
    run = record(model, script(prompt))
    words = tuple(recall.WORDS[t] for t in run.tokens)
    size = int(DTYPES[DTYPE][0])
    return Scene(words, tuple(answers(prompt, words, run)), run, run.cache * size, run.state * size)


def answers(prompt: recall.Prompt, words: tuple[str, ...], run: Run):
    """Every question with what the model made of it."""
    facts = len(prompt.words)
    for i, (name, truth) in enumerate(zip(prompt.asked, prompt.truth)):
        at = facts + 2 * i
        pairs = [j for j in range(0, facts - 1, 2) if words[j] == name]
        said, probability = (words[at + 1], run.probability[at + 1]) if at + 1 < len(words) else expected(run)
        yield Answer(at, name, said, float(probability), truth, pairs[-1] + 1 if pairs else -1)


def expected(run: Run) -> tuple[str, float]:
    """The word that the model holds likeliest after the last token, and its probability."""
    best = int(run.next.argmax())
    return recall.WORDS[best], float(run.next[best])


@dataclass(frozen=True)
class Finder:
    """The head that looks hardest at the true thing when a name is asked."""

    layer: int
    head: int
    weight: float


def finder(scene: Scene, answer: Answer) -> Finder:
    """Over all layers and heads, the largest weight from the asked name to the true thing."""
    weights = scene.run.attention[:, :, answer.position, answer.source]
    layer, head = np.unravel_index(weights.argmax(), weights.shape)
    return Finder(int(layer), int(head), float(weights.max()))


def live_cost(name: str, tokens: int) -> cost.Cost:
    """A live model counted at so many tokens."""
    return cost.count(zoo.recipe(name).spec, tokens, weight_dtype=DTYPE, cache_dtype=DTYPE, state_dtype=DTYPE)


@lru_cache(maxsize=8192)
def live_bytes(name: str, tokens: int) -> int:
    """Bytes that a live model keeps after so many tokens, counted: cache and state."""
    c = live_cost(name, tokens)
    return c.cache_bytes + c.state_bytes


def live_curve(name: str, lengths: np.ndarray) -> np.ndarray:
    """The same at each length."""
    return np.array([live_bytes(name, int(n)) for n in lengths])


@lru_cache(maxsize=256)
def live_smaller(name: str, than: str) -> int:
    """The first number of tokens after which a live model keeps less than another one."""
    return first_context(lambda n: live_bytes(name, n) < live_bytes(than, n))


@lru_cache(maxsize=64)
def measured_memory(name: str) -> np.ndarray:
    """Cache and state really kept by a live model after each of LENGTHS tokens of a random prompt."""
    return checkpoint_scene(name, measured_prompt()).memory_bytes[np.array(LENGTHS) - 1]


@lru_cache(maxsize=64)
def measured_cache_bytes(name: str, lengths: tuple[int, ...] = LENGTHS) -> np.ndarray:
    """Cache bytes really kept by a live model after each length of a random prompt."""
    kept = checkpoint_scene(name, measured_prompt()).cache_bytes
    return np.array([kept[n - 1] for n in lengths])
