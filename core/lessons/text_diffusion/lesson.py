"""Text diffusion on a reader's text: what each pass draws, how sure it is, what it keeps; what the checker says of it; what
our runs show.

Letters: S passes, L places of a text.
"""

from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
import torch

from core.count import cost
from core.lessons.text_diffusion import cost as text_cost
from core.model.decoding.diffusion import Sampler, denoise
from core.train import evidence, rules, zoo
from core.train.recipes import text_diffusion as recipes
from core.train.tasks import sentences, stories
from core.train.tasks.stories import INDEX, LENGTH, WORDS
from core.units import count

MODEL, TWIN = recipes.DENOISER, recipes.TWIN
SURE, ANY, AGAIN = recipes.ORDERS.values()
REMASKING = {SURE: ("confidence", 0.0), ANY: ("random", 0.0), AGAIN: ("random", sentences.REVISIT)}
STEPS = (1, 2, 4, 8, 12, 24, 48)
BLOCKS = {"whole text": 0, "12": 12, "6": 6, "1, left to right": 1}
TEMPERATURES = (0.0, 0.5, 1.0, 1.5)
SAMPLED = sentences.SAMPLES
SENTENCES = 3 * SAMPLED  # three a text, where it is right
MEASURES = ("grammatical", "valid", "distinct")
ORDERS = recipes.ORDERS


# A text, pass by pass


@dataclass(frozen=True)
class Denoised:
    """A canvas after its passes. words, drawn (S, L): the text after each, what was drawn at every place; p (S, L): how likely
    that was; open, kept, taken (S, L) bool: masked when the network looked, committed, masked before it; faults (L, 5)."""

    canvas: tuple[str, ...]
    words: tuple[tuple[str, ...], ...]
    drawn: tuple[tuple[str, ...], ...]
    p: np.ndarray
    open: np.ndarray
    kept: np.ndarray
    taken: np.ndarray
    faults: np.ndarray

    @property
    def passes(self) -> int:
        """How often the network ran."""
        return len(self.words)

    @property
    def text(self) -> tuple[str, ...]:
        """The text at the end."""
        return self.words[-1]

    @property
    def order(self) -> np.ndarray:
        """(L,) the pass that committed what stands at each place; 0 where the reader gave it."""
        return np.where(self.kept.any(0), self.passes - self.kept[::-1].argmax(0), 0)

    @property
    def wrong(self) -> tuple[int, ...]:
        """Places of wrong words."""
        return tuple(np.flatnonzero(self.faults.any(-1)).tolist())

    @property
    def together(self) -> int:
        """The most words that any one pass committed."""
        return int(self.kept.sum(-1).max())


def settings(how: Sampler) -> dict:
    """A sampler as it is written into exported files."""
    return {f.name: getattr(how, f.name) for f in fields(how)}


def sampler_text(how: Sampler) -> str:
    """A sampler in words, its passes apart."""
    stays = next(name for name, (order, revisit) in REMASKING.items() if (order, revisit) == (how.order, how.revisit))
    block = f", blocks of {how.block}" if how.block else ""
    return stays[0].upper() + stays[1:] + block + ("" if how.temperature == 1 else f", temperature {how.temperature:g}")


def sampler(steps: int, remasking: str, block: str, temperature: float) -> Sampler:
    """What the controls hold, as a sampler."""
    order, revisit = REMASKING[remasking]
    return Sampler(steps, order, BLOCKS[block], temperature, revisit)


@lru_cache(maxsize=256)
def watch(canvas: tuple[str, ...], how: Sampler, seed: int) -> Denoised:
    """Denoise a canvas and keep every pass. The same seed draws the same text."""
    tokens = torch.tensor([[INDEX[word] for word in canvas]])
    steps = list(denoise(zoo.load(MODEL), tokens, how, torch.Generator().manual_seed(seed)))
    words, drawn = (tuple(spelled_out(getattr(s, name)[0]) for s in steps) for name in ("tokens", "drawn"))
    p, masked, kept, taken = (np.stack([getattr(s, name)[0].numpy() for s in steps]) for name in ("p", "open", "kept", "taken"))
    return Denoised(canvas, words, drawn, p, masked, kept, taken, stories.checked(steps[-1].tokens)[0].numpy())


def spelled_out(tokens: torch.Tensor) -> tuple[str, ...]:
    """Tokens (L,) as words."""
    return tuple(WORDS[token] for token in tokens.tolist())


@dataclass(frozen=True)
class Said:
    """What the twin says, word by word, and its faults (L, 5)."""

    text: tuple[str, ...]
    faults: np.ndarray


@lru_cache(maxsize=64)
def twin(seed: int) -> Said:
    """A text of the model that reads from left to right."""
    tokens = sentences.left_to_right(zoo.load(TWIN), 1, torch.Generator().manual_seed(seed))
    return Said(spelled_out(tokens[0]), stories.checked(tokens)[0].numpy())


def without_wrong(made: Denoised) -> str:
    """The text with gaps in the places of its wrong words, as a reader would type it."""
    return sentences.as_typed(stories.MASK if i in made.wrong else word for i, word in enumerate(made.text))


def judged(text: tuple[str, ...], faults: np.ndarray) -> str:
    """What the checker says, in one line."""
    found = [f"‘{text[i]}’ ({i + 1}): {', '.join(fault_names(faults[i]))}" for i in np.flatnonzero(faults.any(-1))]
    shown = "; ".join(found[:4]) + ("; …" if len(found) > 4 else "")
    return f"wrong: {shown}" if found else "grammatical, and all of it fits together"


def fault_names(faults: np.ndarray) -> list[str]:
    """The faults of a word (5,), by name."""
    return [stories.SPELLED[name] for name, wrong in zip(stories.FAULTS, faults) if wrong]


# Prove


variant_label = recipes.MECHANISM.spelling.variant


def by_steps(metric: str) -> dict[str, dict[int, list[float]]]:
    """{order: {passes: values of every seed}} of the denoiser, and the twin's under its own name."""
    found: dict[str, dict[int, list[float]]] = {name: {} for name in ORDERS.values()}
    for key in sentences.SAMPLERS:
        steps, order = key.split(":")
        if order in ORDERS:
            found[ORDERS[order]][int(steps)] = evidence.final("text_diffusion", MODEL, f"{metric}@{key}")
    found[variant_label(TWIN)] = {LENGTH: evidence.final("text_diffusion", TWIN, f"{metric}@{LENGTH}:left")}
    return {order: runs for order, runs in found.items() if any(runs.values())}


def cost_rows() -> list[tuple]:
    """Every way to make a text that was measured: what stays, passes, FLOPs, and what comes of it."""
    twin, rows = text_cost.word_by_word(), []
    ways = [("left to right, with a cache", twin, TWIN, f"{LENGTH}:left")]
    for key in sentences.SAMPLERS:
        steps, order = key.split(":")
        ways.append((ORDERS.get(order, "blocks of one word"), text_cost.denoising(int(steps)), MODEL, key))
    for how, price, variant, key in ways:
        found = [evidence.final("text_diffusion", variant, f"{what}@{key}") for what in MEASURES]
        if all(found):
            rows.append((how, price.passes, count(price.flops), *map(spread, found, (3, 3, 0))))
    return rows


def spread(values: list[float], digits: int) -> str:
    """Mean and standard deviation."""
    s = rules.summary(values)
    return f"{s['mean']:.{digits}f} ± {s['sd']:.{digits}f}"


def own() -> dict[str, float]:
    """The grammar's own texts, measured alike."""
    return {name.partition("@")[0]: value for name, value in sentences.reference().items()}


def nats(variant: str) -> list[float]:
    """Nats a word of every seed: a bound for the denoiser, exact for the twin."""
    return evidence.final("text_diffusion", variant, "nats")


def narrowed_text() -> str:
    """How many distinct sentences surest first and any order make at as many passes as words, and the grammar itself."""
    found, level = by_steps("distinct"), own()["distinct"]
    said = [f"{order} {np.mean(found[order][LENGTH]):.0f}" for order in (SURE, ANY) if found.get(order, {}).get(LENGTH)]
    return f"Distinct at {LENGTH} passes: {', '.join(said)}, the grammar’s own texts {level:.0f} of {SENTENCES}."


def nats_text() -> str:
    """How well each foretells fresh texts, and what no model can be below."""
    said = [f"{variant_label(v)} {'at most ' * (v == MODEL)}{spread(nats(v), 3)}" for v in (MODEL, TWIN) if nats(v)]
    return f"Nats a word on fresh texts: {', '.join(said)}; who knows the grammar itself: {own()['nats']:.3f}."


def trained_text() -> str:
    """How both were trained."""
    r, params = zoo.recipe(MODEL), cost.count(zoo.recipe(MODEL).spec, 1).params_total
    return f"Both models: {params:,} parameters, {r.steps:,} steps of {r.settings['count']} texts."


EXAMPLES = {
    "nothing given": "_",
    "the end is given": "_ " * 18 + "hugo thanks his kind mother .",
    "gaps in the middle": "yesterday anna the _ baked _ in the bakery . she was weary and _ her rolls . hugo thanked _ kind _ .",
    "who is it about": "today _ who _ the potters shapes small _ . _ glazes his bowls in the _ . he is _ and calm .",
}


def surprise(rng) -> str:
    """A random text with gaps that always parses."""
    return sentences.surprise(rng.randrange(1 << 30))
