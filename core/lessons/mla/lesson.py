"""Multi-head latent attention: trained models whose cache is a summary, the same models with the summary cut down further, both
forms of the arithmetic counted.

Letters: r numbers of the latent, R numbers of the rotated key, H heads, n tokens. A cut latent keeps the r directions in which
W_uk and W_uv together are largest: with W = U S V^T the latent passes V_r^T and W becomes U_r S_r.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch

from core.count import cost
from core.lessons import recall
from core.lessons.common import measured_prompt
from core.lessons.recall import DTYPE, LENGTHS, Scene
from core.model.mixers.attention import Attention
from core.model.mixers.latent import Latent
from core.model.model import Model
from core.model.spec import ModelSpec
from core.shape import diagram
from core.train import zoo
from core.train.recipes import mla as recipes
from core.train.tasks import recall as task

HEADS, WIDTH = recipes.HEADS, recipes.WIDTH
FULL = max(recipes.LATENTS)
RANKS = (1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, FULL)
START = 16  # where the slider stands at first
CUT, TRAINED = "cut from the largest", "trained at this size"
MADE = (CUT, TRAINED)
EXPANDED, ABSORBED = "expanded", "absorbed"
FORMS = (ABSORBED, EXPANDED)
ONCE, LATEST = "each name once", "the later thing counts"
TASKS = (ONCE, LATEST)
PAIRS = recipes.PAIRS


@dataclass(frozen=True)
class Choice:
    """A setting of the controls."""

    rank: int
    key: bool = True
    form: str = ABSORBED
    made: str = CUT
    task: str = ONCE

    @property
    def trained(self) -> bool:
        """Is there a model that was trained at this size?"""
        return self.rank == FULL or (self.rank in recipes.LATENTS and self.task == ONCE)

    @property
    def cut(self) -> bool:
        """Is the latent of the largest model cut down?"""
        return self.rank < FULL and not (self.made == TRAINED and self.trained)

    @property
    def variant(self) -> str:
        """The checkpoint that runs, cut or not."""
        mixer = recipes.latent(FULL if self.cut else self.rank, recipes.KEY if self.key else 0)
        return recipes.Variant(mixer, latest=self.task == LATEST).key

    @property
    def whole(self) -> "Choice":
        """The largest latent of the same kind."""
        return replace(self, rank=FULL)

    @property
    def spec(self) -> ModelSpec:
        """The description that runs: the checkpoint's, its latent cut where it is, in the chosen form."""
        spec = zoo.recipe(self.variant).spec
        return spec.remixed(Latent, lambda m: replace(m, form=self.form, cut=self.rank if self.cut else 0))

    @property
    def mixer(self) -> Latent:
        """The latent attention of its layer."""
        return next(self.spec.parts(Latent))


# See


@lru_cache(maxsize=128)
def live_model(choice: Choice) -> Model:
    """The trained model of a setting, its latent cut down where it was not trained at that size."""
    trained = zoo.load(choice.variant)
    weights = dict(trained.state_dict())
    if choice.cut:
        for name in [name for name in weights if name.endswith("kv_b_proj.weight")]:
            weights |= truncated(name, weights[name], choice.rank)
    copy = Model(choice.spec)
    copy.load_state_dict(weights)
    return copy.eval().requires_grad_(False)


def truncated(name: str, w: torch.Tensor, rank: int) -> dict[str, torch.Tensor]:
    """W (H (d + v), r) -> the two matrices of a latent in `rank` directions, under their names."""
    u, s, vt = torch.linalg.svd(w.double(), full_matrices=False)
    return {
        name: (u[:, :rank] * s[:rank]).to(w.dtype),
        name.replace("kv_b_proj", "kv_cut_proj"): vt[:rank].to(w.dtype),
    }


@lru_cache(maxsize=256)
def scene(choice: Choice, prompt: task.Prompt) -> Scene:
    """Run a setting on a prompt, token by token with the cache."""
    return recall.play(live_model(choice), prompt)


def kept_share(choice: Choice) -> float:
    """Share of the squared size of W_uk and W_uv of the largest latent that a cut to this rank keeps."""
    w = zoo.load(choice.whole.variant).get_parameter("layers.0.self_attn.kv_b_proj.weight")
    squares = torch.linalg.svdvals(w.double()) ** 2
    return float(squares[: choice.rank].sum() / squares.sum())


def attention_difference(a: Scene, b: Scene) -> np.ndarray:
    """Attention of `a` minus that of `b` over the words that both read, head by head (H, T, T); the model's own words may differ
    and then change what stands behind them."""
    return a.run.attention[0] - b.run.attention[0]


def moved(a: Scene, b: Scene) -> float:
    """Mean share of a token's attention that lies elsewhere in `a` than in `b`: half the summed absolute difference, 0 to 1."""
    return float(np.abs(attention_difference(a, b)).sum(-1).mean() / 2)


@dataclass(frozen=True)
class Form:
    """One decode step in one of the two forms."""

    form: str
    flops: int  # of the mixer of one layer
    reads: int  # numbers of keys and values that attention reads


def forms(choice: Choice, tokens: int) -> tuple[Form, ...]:
    """Absorbed and expanded at so many tokens."""
    return tuple(
        Form(form, sum(replace(choice.mixer, form=form).flops(WIDTH, 1, tokens).values()), reads(choice.mixer, form, tokens))
        for form in FORMS
    )


def reads(mixer: Latent, form: str, tokens: int) -> int:
    """Numbers that attention reads in one decode step of one form."""
    return replace(mixer, form=form).reads(tokens)


def forms_differ(choice: Choice, prompt: task.Prompt) -> float:
    """Largest difference between the two forms over all attention weights and probabilities of the run."""
    a, b = (scene(replace(choice, form=form), prompt).run for form in FORMS)
    pairs = ((a.attention, b.attention), (a.probability, b.probability), (a.next, b.next))
    return float(max(np.abs(x - y).max() for x, y in pairs))


def shapes(mixer: Latent) -> dict[str, Attention | Latent]:
    """The same heads with other caches: multi-head, two heads sharing, all sharing; then the latent itself."""
    h, d, v = mixer.heads, mixer.nope_dim, mixer.v_dim
    return {
        "MHA": Attention(h, h, d, v),
        f"GQA-{h // 2}": Attention(h, h // 2, d, v),
        "MQA": Attention(h, 1, d, v),
        "MLA": mixer,
    }


def choice_cost(choice: Choice, tokens: int) -> cost.Cost:
    """The live model of a setting, counted."""
    return cost.count(choice.spec, tokens, weight_dtype=DTYPE, cache_dtype=DTYPE, state_dtype=DTYPE)


def cache_sizes(choice: Choice, tokens: int) -> dict[str, int]:
    """Cache bytes of one layer of each shape after so many tokens."""
    layer = zoo.recipe(choice.variant).spec.layers[0]
    specs = {name: replace(choice.spec, layers=(replace(layer, mixer=mixer),)) for name, mixer in shapes(choice.mixer).items()}
    return {name: cost.count(spec, tokens, cache_dtype=DTYPE).cache_bytes for name, spec in specs.items()}


def multi_head(choice: Choice, here: Scene) -> np.ndarray:
    """Cache bytes after each token (T,) if every head kept keys and values of its own: counted."""
    return cache_sizes(choice, 1)["MHA"] * np.arange(1, len(here.words) + 1)


def widest() -> int:
    """Numbers of the widest row of any bottleneck, gaps included: what all pictures of it are scaled to."""
    rows = (diagram.bottleneck(Choice(FULL, form=form).mixer, WIDTH) for form in FORMS)
    ends = [(d["pos"][0] - d["width"] / 2, d["pos"][0] + d["width"] / 2) for g in rows for _, d in g.nodes(data=True)]
    return int(max(right for _, right in ends) - min(left for left, _ in ends))


@lru_cache(maxsize=8)
def by_rank(key: bool, what: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Share of names answered right at 24 pairs, on fresh prompts: {CUT and TRAINED: (latent sizes, recall)}."""
    settings = {
        made: [c for rank in RANKS if (c := Choice(rank, key, ABSORBED, made, what)).trained or made == CUT] for made in MADE
    }
    return {
        made: (np.array([c.rank for c in choices]), np.array([recalled(c) for c in choices]))
        for made, choices in settings.items()
    }


@lru_cache(maxsize=256)
def recalled(choice: Choice, prompts: int = 48) -> float:
    """Recall of one setting at 24 pairs."""
    settings = zoo.recipe(choice.variant).settings
    generator = torch.Generator().manual_seed(PAIRS)
    tokens, targets = task.batch(PAIRS, prompts, settings["length"], generator, settings.get("retell", False))
    logits, _ = live_model(choice)(tokens)
    return float((logits.argmax(-1) == targets)[targets != -100].double().mean())


# Count


def cache_curves(choice: Choice, lengths: np.ndarray) -> dict[str, np.ndarray]:
    """Cache bytes of each shape at each length, counted."""
    rows = [cache_sizes(choice, int(n)) for n in lengths]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


@lru_cache(maxsize=64)
def measured_cache(choice: Choice, lengths: tuple[int, ...] = LENGTHS) -> np.ndarray:
    """Cache bytes really kept by the live model after each length of a random prompt."""
    kept = scene(choice, measured_prompt()).cache_bytes
    return np.array([kept[n - 1] for n in lengths])
