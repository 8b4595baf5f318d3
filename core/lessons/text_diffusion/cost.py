"""What a denoised text costs beside one read from left to right with a cache: passes one after another, FLOPs, seconds at best.

Letters: S passes, n words of prompt and answer. A pass of a denoiser runs the network over all n words, so S passes take S times
its FLOPs. A model that reads from left to right makes a pass a word, over that word alone, and finds the others in its cache.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from core.count import cost, hardware
from core.lessons.common import keys_where, spec_of
from core.model.decoding.diffusion import MASK
from core.model.mixers.attention import Attention
from core.real import catalogue
from core.real.catalogue import Entry
from core.train import zoo
from core.train.recipes.text_diffusion import DENOISER, TWIN
from core.train.tasks.stories import LENGTH

REAL, CHIP = "llada-8b", "h100-sxm"
GIVEN, ANSWER = 1024, 1024
REAL_STEPS = (16, 32, 64, 128, 256, 512, 1024)
BATCHES = 2 ** np.arange(11)


@dataclass(frozen=True)
class Price:
    """Passes one after another, and FLOPs of all of them."""

    passes: int
    flops: int


# Ours


def denoising(passes: int) -> Price:
    """Our denoiser: every pass is over a whole text."""
    return Price(passes, passes * a_pass())


@lru_cache(maxsize=1)
def a_pass() -> int:
    """FLOPs of one pass of our denoiser, counted."""
    return cost.count(zoo.recipe(DENOISER).spec, LENGTH).prefill_flops


@lru_cache(maxsize=1)
def measured_pass() -> int:
    """FLOPs of one pass of the live model, as torch counts them."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        zoo.load(DENOISER)(torch.full((1, LENGTH), MASK))
    return counter.get_total_flops()


@lru_cache(maxsize=1)
def word_by_word() -> Price:
    """The twin with its cache: a pass a word."""
    spec = zoo.recipe(TWIN).spec
    return Price(LENGTH, sum(cost.count(spec, n).flops_per_token for n in range(1, LENGTH + 1)))


# Real models


@lru_cache(maxsize=1)
def denoisers() -> tuple[str, ...]:
    """Keys of the catalogue's denoisers."""
    return keys_where(lambda spec: spec.decoding == "diffusion")


@lru_cache(maxsize=64)
def real_pass(key: str, words: int = GIVEN + ANSWER) -> int:
    """FLOPs of one pass of a real denoiser over prompt and answer."""
    return cost.count(spec_of(key), words).prefill_flops


@lru_cache(maxsize=64)
def real_cached(key: str) -> int:
    """FLOPs of the same layers reading from left to right: the prompt at once, then a word at a time with the cache."""
    first, last = (cost.count(spec_of(key), n).flops_per_token for n in (GIVEN + 1, GIVEN + ANSWER))
    return real_pass(key, GIVEN) + ANSWER * (first + last) // 2  # a word's FLOPs grow evenly with the words before it


@dataclass(frozen=True)
class Wait:
    """Seconds for answers at each number of texts made at once, by the roofline: the best that a device allows; and ms of reading
    and of arithmetic of one pass over all words, and over one word, of one text."""

    batches: np.ndarray
    denoiser: np.ndarray
    cached: np.ndarray
    pass_reads: float
    pass_works: float
    word_reads: float
    word_works: float

    @property
    def turn(self) -> int:
        """The first number at which the denoiser is the slower one; 0 where it never is."""
        slower = np.flatnonzero(self.denoiser > self.cached)
        return int(self.batches[slower[0]]) if len(slower) else 0


@lru_cache(maxsize=64)
def wait(key: str, steps: int) -> Wait:
    """One device, weights and cache in 16 bits: a pass takes as long as reading its weights and cache, or as its arithmetic. Of
    the words made one by one the last, with the fullest cache, stands for all."""
    device, c = hardware.accelerators()[CHIP], cost.count(spec_of(key), GIVEN + ANSWER)

    def seconds(read, work):
        return read / device.bandwidth, work / device.bf16_flops

    a_pass = seconds(c.weight_bytes, BATCHES * float(real_pass(key)))
    prompt = seconds(c.weight_bytes, BATCHES * float(real_pass(key, GIVEN)))
    word = seconds(c.weight_bytes + BATCHES * c.cache_bytes, BATCHES * float(c.flops_per_token))
    cached = np.maximum(*prompt) + ANSWER * np.maximum(*word)
    each = (a_pass[0], a_pass[1][0], word[0][0], word[1][0])
    return Wait(BATCHES, steps * np.maximum(*a_pass), cached, *(1000 * float(s) for s in each))


def power(n: int) -> str:
    """A large number for LaTeX: 70214125355008 -> 7.02 \\cdot 10^{13}."""
    digits, exponent = f"{n:.2e}".split("e")
    return rf"{digits} \cdot 10^{{{int(exponent)}}}"


@dataclass(frozen=True)
class User:
    """A denoiser of the catalogue."""

    entry: Entry
    heads: str
    cached: int
    parameters: int


def users() -> list[User]:
    """Every denoiser of the catalogue: heads, what a cache would keep a word if it had one, parameters."""
    found = []
    for key in denoisers():
        m, counted = next(spec_of(key).parts(Attention)), cost.count(spec_of(key), 1)
        heads = f"{m.heads} : {m.kv_heads}"
        found.append(User(catalogue.entries()[key], heads, counted.cache_bytes, counted.params_total))
    return found
