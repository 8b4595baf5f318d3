"""Mixture of experts: the trained models route the reader's words, loads and parameters counted and measured, real models.

Letters: E routed experts, K experts a token, T tokens, L layers with experts, B tokens in a batch.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from core.count import cost
from core.count.dtypes import stored
from core.lessons.moe import evidence as runs
from core.model.ffn.moe import MoE
from core.model.spec import ModelSpec
from core.model.trace import Trace
from core.real import catalogue
from core.train import zoo
from core.train.recipes import moe as recipes
from core.train.recipes.moe import Setting
from core.train.tasks import domains, experts

FIELDS = ("experts", "balance", "top_k", "shared", "gate")
DEFAULT = recipes.DEFAULT
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)  # tokens that are decoded together
PLACES = 24  # of each sequence of the fixed text, where a batch is measured
REAL_BATCHES = tuple(2**i for i in range(11))
# what stands for a real model: its gate, shared expert and balancing where known, its shape made small
NEAREST: dict[str, tuple[str, dict]] = {
    "mixtral-8x7b": ("Mixtral", {"experts": 8, "top_k": 2}),
    "qwen3-235b-a22b": ("Qwen3-235B", {"experts": 16}),
    "deepseek-v3": ("DeepSeek-V3", {"experts": 16, "gate": "sigmoid", "balance": "bias", "shared": True}),
    "kimi-k2": ("Kimi K2", {"experts": 16, "gate": "sigmoid", "balance": "bias", "shared": True}),
    "gpt-oss-120b": ("gpt-oss-120b", {"experts": 8, "top_k": 2}),
}
FIRST = "deepseek-v3"


# Settings


def offered(field: str, chosen: dict) -> tuple:
    """What a control can offer: every value that was trained together with those chosen before it."""
    fit = [s for s in recipes.TRAINED if all(getattr(s, name) == value for name, value in chosen.items())]
    found = dict.fromkeys(getattr(s, field) for s in fit)
    return tuple(found) if field in ("balance", "gate") else tuple(sorted(found))


def otherwise(field: str, options: tuple):
    """The value a control starts with."""
    usual = getattr(DEFAULT, field)
    return usual if usual in options else options[0]


def settle(wanted: dict) -> Setting:
    """The trained setting that follows what is wanted, field after field, as far as it was trained."""
    chosen: dict = {}
    for field in FIELDS:
        options = offered(field, chosen)
        value = wanted.get(field, getattr(DEFAULT, field))
        chosen[field] = value if value in options else otherwise(field, options)
    return Setting(**chosen)


@lru_cache(maxsize=1)
def presets() -> dict[str, dict]:
    """{name: what the controls then hold}, of the real models that are there."""
    there = {key: value for key, value in NEAREST.items() if key in mixture_names()}
    return {name: {"real": key, **control_values(settle(wanted))} for key, (name, wanted) in there.items()}


def control_values(setting: Setting) -> dict:
    """The fields of a setting that have a control: more than one value was trained with those before."""
    values = {field: getattr(setting, field) for field in FIELDS}
    return {f: v for i, (f, v) in enumerate(values.items()) if len(offered(f, dict(list(values.items())[:i]))) > 1}


def traits(ffn: MoE) -> dict[str, str]:
    """What makes one mixture of experts another kind than the next, in words."""
    yes = {True: "yes", False: "no"}
    return {
        "routed experts": f"{ffn.experts}",
        "picked": f"{ffn.top_k}",
        "shared experts": f"{round(ffn.shared / ffn.hidden)}",
        "width of an expert": f"{ffn.hidden:,}",
        "gate": ffn.scores,
        "weights add up to one": yes[ffn.normalise],
        "weights times": f"{ffn.scale:g}",
        "bias that picks": yes[ffn.bias],
        "groups picked from": "all" if ffn.groups == ffn.top_groups else f"{ffn.top_groups} of {ffn.groups}",
        "activation": ffn.activation,
        "router's learned bias": yes[ffn.router_bias],
        "experts' learned biases": yes[ffn.expert_bias],
        "gate on the shared expert": yes[ffn.shared_gate],
        "weights multiply": "what it reads" if ffn.weigh_input else "what it writes",
        "expert has a gate": yes[ffn.gated],
    }


def trait_differences(key: str, setting: Setting) -> list[tuple[str, str, str]]:
    """Where the mixture that runs differs from a real model's: (trait, real, here); empty where it is the same."""
    r, here = counted_mixture(key), traits(setting.ffn)
    dense = ("dense layers", f"{r.layers - r.mixed} of {r.layers}", "0 of %d" % recipes.LAYERS)
    rows = [(name, value, here[name]) for name, value in traits(r.ffn).items() if value != here[name]]
    return rows + [dense] * (r.layers > r.mixed)


@lru_cache(maxsize=1)
def mixture_names() -> dict[str, str]:
    """Key and name of the catalogue's mixtures."""
    return {key: entry.name for key, entry in catalogue.entries().items() if real_model(key)}


def default_mixture() -> str:
    """The real model that is counted at first."""
    return FIRST if FIRST in mixture_names() else next(iter(mixture_names()))


# See


@dataclass(frozen=True)
class Scene:
    """A text and a model after one pass. Arrays are (L, T, ...)."""

    words: tuple[str, ...]
    domains: tuple[str, ...]  # of each word, "" where several share it
    affinity: np.ndarray  # (L, T, E)
    picked: np.ndarray  # (L, T, K), best first
    gates: np.ndarray  # (L, T, K)

    @property
    def weights(self) -> np.ndarray:
        """What each expert's output is multiplied by, 0 where it was not picked: (L, T, E)."""
        w = np.zeros_like(self.affinity)
        np.put_along_axis(w, self.picked, self.gates, -1)
        return w


@lru_cache(maxsize=128)
def scene(variant: str, text: tuple[int, ...]) -> Scene:
    """Run a checkpoint on a text, all tokens at once."""
    trace = Trace("affinity", "routing", "gates")
    zoo.load(variant)(torch.tensor([text]), trace=trace)
    stacked = (torch.stack(trace.every(name))[:, 0].numpy() for name in ("affinity", "routing", "gates"))
    words = tuple(domains.WORDS[t] for t in text)
    return Scene(words, tuple(spoken(domains.domain_of(w)) for w in words), *stacked)


def spoken(domain: int) -> str:
    """A domain's name; "" for none."""
    return domains.DOMAINS[domain] if domain >= 0 else ""


def expert_load(scene: Scene) -> np.ndarray:
    """The load of each expert over the fair share, (L, E), on the reader's text."""
    E = scene.affinity.shape[-1]
    return np.stack([experts.loads(torch.tensor(layer), E).numpy() for layer in scene.picked])


def trained_load(variant: str) -> np.ndarray:
    """The same on the long fixed text at the end of training, (L, E), of the seed whose weights run here."""
    return runs.loads_over_time(variant, runs.shown_seed())[1][:, -1]


def idle(scene: Scene) -> list[int]:
    """How many experts of each layer none of these words went to."""
    return [scene.affinity.shape[-1] - len(np.unique(layer)) for layer in scene.picked]


@dataclass(frozen=True)
class Taste:
    """Which experts of one layer the words of one domain went to, most often first: (expert, how often)."""

    domain: str
    words: int
    experts: tuple[tuple[int, int], ...]


def tastes(scene: Scene, layer: int) -> list[Taste]:
    """Every domain of the text with the experts of a layer that its own words went to."""
    found: dict[str, list[list[int]]] = {}
    for domain, picked in zip(scene.domains, scene.picked[layer]):
        if domain:
            found.setdefault(domain, []).append(picked.tolist())
    return [Taste(d, len(rows), tuple(Counter(e for row in rows for e in row).most_common())) for d, rows in found.items()]


def visited(tastes: list[Taste]) -> int:
    """How many experts the words of these domains went to."""
    return len({e for taste in tastes for e, _ in taste.experts})


def common(tastes: list[Taste]) -> list[int]:
    """Experts that the words of more than one domain went to."""
    count = Counter(e for taste in tastes for e, _ in taste.experts)
    return sorted(e for e, n in count.items() if n > 1)


def decides(variant: str) -> list[dict[str, float]]:
    """For each layer how much of the choice of experts the token, its domain, its position decide on the fixed text, 0 to 1."""
    row = runs.final_row(variant, runs.shown_seed())
    return [{name: float(row[f"{name}:{layer}"]) for name in recipes.FEATURES} for layer in runs.layers(variant)]


def fixed_tokens() -> int:
    """Tokens of the long fixed text."""
    return domains.fresh()[0].numel()


def flow(scene: Scene) -> tuple[list[str], list[tuple[int, int, float]], list[int]]:
    """Words to experts of the first layer to experts of the last -> node names, (from, to, tokens), column of each node."""
    words = list(dict.fromkeys(scene.words))
    E, first, last = scene.affinity.shape[-1], scene.picked[0], scene.picked[-1]
    edges: dict[tuple[str, int, int], float] = defaultdict(float)
    for word, a, b in zip(scene.words, first, last):
        for e in a:
            edges["word", words.index(word), int(e)] += 1 / len(a)
            for f in b:
                edges["expert", int(e), int(f)] += 1 / len(a) / len(b)
    names = [*words, *(f"1.{e + 1}" for e in range(E)), *(f"2.{e + 1}" for e in range(E))]
    start = {"word": 0, "expert": len(words)}
    links = [(start[kind] + a, start[kind] + (len(words) if kind == "word" else E) + b, n) for (kind, a, b), n in edges.items()]
    return names, links, [0] * len(words) + [1] * E + [2] * E


# Count


@dataclass(frozen=True)
class Part:
    """Parameters of one part of a model: all of them, and those that one token visits."""

    name: str
    total: int
    active: int


def mixture(ffn) -> MoE | None:
    """The mixture of experts in a feed-forward part, also where words instead of a router choose; None where it is dense."""
    return ffn.routed if ffn else None


def mixtures(spec: ModelSpec) -> list[MoE]:
    """The mixtures of experts of a model, layer after layer."""
    return [ffn for layer in spec.layers if (ffn := mixture(layer.ffn))]


def shared_size(ffn: MoE, d_model: int) -> int:
    """Learned numbers of the shared expert and its gate."""
    return (ffn.inner + 1) * d_model * ffn.shared + ffn.shared_gate * d_model


def parts(spec: ModelSpec) -> list[Part]:
    """A model's parameters by part; they add up to what the calculator counts."""
    counted, d, mixed = cost.count(spec, 1), spec.d_model, mixtures(spec)
    routed = sum(ffn.experts * ffn.expert(d) for ffn in mixed)
    visited = sum(ffn.top_k * ffn.expert(d) for ffn in mixed)
    shared = sum(shared_size(ffn, d) for ffn in mixed)
    routers = sum(ffn.always(d) for ffn in mixed) - shared
    dense = sum(layer.ffn.params(d) for layer in spec.layers if layer.ffn and not mixture(layer.ffn))
    mixers = sum(layer.mixer.params(d) for layer in spec.layers if layer.mixer)
    rest = counted.params_total - routed - shared - routers - dense - mixers
    rows = (
        Part("routed experts", routed, visited), Part("shared expert", shared, shared), Part("router", routers, routers),
        Part("dense layers", dense, dense), Part("attention", mixers, mixers), Part("embeddings, norms", rest, rest),
    )  # fmt: skip
    return [row for row in rows if row.total]


def blocks(spec: ModelSpec) -> list[tuple[str, int, str]]:
    """The same as areas: (name, parameters, hue), with the routed experts cut into those a token visits and the others."""
    found = []
    for part in parts(spec):
        hue = {"routed experts": "routed", "shared expert": "shared"}.get(part.name, "neutral")
        found.append((part.name if part.active == part.total else "routed, visited", part.active, hue))
        if part.total > part.active:
            found.append(("routed, not visited", part.total - part.active, "idle"))
    return found


def active_share(variant: str) -> float:
    """Active over total parameters of our model."""
    c = variant_cost(variant)
    return c.params_active / c.params_total


def variant_cost(variant: str) -> cost.Cost:
    """A live model counted."""
    return cost.count(zoo.recipe(variant).spec, 1)


@lru_cache(maxsize=64)
def touched(variant: str) -> np.ndarray:
    """Distinct experts that B tokens of different texts go to, measured: (L, BATCHES), a mean over its first places."""
    tokens = domains.fresh()[0][:, :PLACES]
    model, trace = zoo.load(variant), Trace("routing")
    model.trunk(model.embed(tokens, 0), (), trace)
    return np.stack([[distinct_experts(routing, b) for b in BATCHES] for routing in trace.every("routing")])


def distinct_experts(routing: torch.Tensor, batch: int) -> float:
    """Mean number of different experts in groups of `batch` sequences at the same place: routing (B, T, K)."""
    groups = routing[: len(routing) // batch * batch].unflatten(0, (-1, batch))  # (groups, batch, T, K)
    rows = groups.permute(0, 2, 1, 3).flatten(0, 1).flatten(1)  # (groups * T, batch * K)
    hit = torch.zeros(len(rows), int(routing.max()) + 1).scatter_(1, rows, 1.0)
    return hit.sum(1).mean().item()


def predicted(ffn: MoE, batches=BATCHES) -> np.ndarray:
    """The same if every token picked evenly and alone: E (1 - (1 - K/E)^B)."""
    return np.array([ffn.touched(b) for b in batches])


@dataclass(frozen=True)
class RealModel:
    """A mixture of the catalogue, counted from its config. Parameters of the whole model; experts of one layer."""

    key: str
    name: str
    ffn: MoE
    d_model: int
    mixed: int  # layers with experts
    layers: int
    total: int
    active: int
    dtype: str
    weight_bytes: int
    lookup: int  # the table of input embeddings where it is not also the output's: a token reads one row of it

    def fact(self, name: str) -> str:
        """A fact of the catalogue."""
        return catalogue.entries()[self.key].fact(name)

    @property
    def shared(self) -> int:
        """How many experts of the routed ones' width the shared part makes; 0 where there is none."""
        return round(self.ffn.shared / self.ffn.hidden)

    @property
    def share(self) -> float:
        """Active over total parameters."""
        return self.active / self.total

    def read(self, batch: int, evenly: float | None = None) -> int:
        """Bytes of weights that a step reads for a batch: all but the routed experts, and of these the distinct ones."""
        hit = self.ffn.touched(batch) if evenly is None else evenly
        unread = self.mixed * (self.ffn.experts - hit) * self.ffn.expert(self.d_model)
        return stored(round(self.total - unread), self.dtype, scales=True)


@lru_cache(maxsize=512)
def real_model(key: str) -> RealModel | None:
    """One model of the catalogue; None where it has no experts."""
    entry = catalogue.entries()[key]
    spec, dtype = entry.reading.spec, entry.reading.weight_dtype
    mixed = mixtures(spec)
    if not mixed:
        return None
    c = cost.count(spec, 1, weight_dtype=dtype)
    lookup = 0 if spec.tied else spec.vocab * spec.d_model
    sizes = (c.params_total, c.params_active, dtype, c.weight_bytes, lookup)
    return RealModel(key, entry.name, mixed[0], spec.d_model, len(mixed), len(spec.layers), *sizes)


def counted_mixture(key: str) -> RealModel:
    """A model that is known to be a mixture."""
    real = real_model(key)
    assert real is not None, key
    return real


def real_models() -> list[RealModel]:
    """Every mixture of the catalogue, the largest first; equal configs of several releases each."""
    rows = [real_model(key) for key in catalogue.entries()]
    return sorted((row for row in rows if row), key=lambda row: -row.total)


def active_experts_text(r: RealModel) -> str:
    """What a count such as "9 experts active" means: 8 of 256 routed + 1 shared."""
    routed = f"{r.ffn.top_k} of {r.ffn.experts} routed"
    return f"{routed} + {r.shared} shared" if r.shared else routed


def reading(key: str) -> dict[str, np.ndarray]:
    """Weights read a step against the batch: in all, and for each token of it, with the share of experts touched."""
    r = counted_mixture(key)
    step = np.array([r.read(b) for b in REAL_BATCHES])
    return {
        "batch": np.array(REAL_BATCHES),
        "touched": predicted(r.ffn, REAL_BATCHES),
        "step": step,
        "token": step // REAL_BATCHES,
    }


# Read


def has_paper(paper: str) -> bool:
    """Is this paper among those with a title and a date?"""
    return paper in catalogue.papers()


# Who uses it


def users() -> list[RealModel]:
    """The catalogue's mixtures, newest release last."""
    return [r for key in catalogue.entries() if (r := real_model(key))]
