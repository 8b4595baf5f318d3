"""Multi-head latent attention: trained models whose cache is a summary, the same models with the summary cut down further, both
forms of the arithmetic counted, and what real models keep.

Letters: r numbers of the latent, R numbers of the rotated key, H heads, n tokens. A cut latent keeps the r directions in which
W_uk and W_uv together are largest: with W = U S V^T the latent passes V_r^T and W becomes U_r S_r.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch

from core import catalogue, cost, diagram, evidence, zoo
from core.lessons import recall
from core.lessons.recall import DTYPE, LENGTHS, Scene, finder  # noqa: F401
from core.mixers.attention import Attention
from core.mixers.latent import Latent
from core.mixers.sparse import Indexed
from core.model import Model
from core.recipes import mla as recipes
from core.rules import last
from core.spec import ModelSpec
from core.tasks import recall as task

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
CONTEXT = 131072  # "128k"
V2, V3 = "deepseek-v2", "deepseek-v3"
PREFILL = 4096  # context at which many tokens are answered at once
METRIC, PAIRS = recipes.METRIC, recipes.PAIRS
LOSS = f"loss at {PAIRS} pairs, nats"
SOLVED = 0.98


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
        tail = recipes.LATEST if self.task == LATEST else ""
        return f"mla-{FULL if self.cut else self.rank}-{recipes.KEY if self.key else 0}{tail}"

    @property
    def whole(self) -> "Choice":
        """The largest latent of the same kind."""
        return replace(self, rank=FULL)

    @property
    def spec(self) -> ModelSpec:
        """The description that runs: the checkpoint's, its latent cut where it is, in the chosen form."""
        spec = zoo.recipe(self.variant).spec
        layers = (
            replace(layer, mixer=replace(layer.mixer, form=self.form, cut=self.rank if self.cut else 0)) for layer in spec.layers
        )
        return replace(spec, layers=tuple(layers))

    @property
    def mixer(self) -> Latent:
        """The latent attention of its layer."""
        return self.spec.layers[0].mixer


# See


@lru_cache(maxsize=128)
def model(choice: Choice) -> Model:
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
    return recall.play(model(choice), prompt)


def kept_share(choice: Choice) -> float:
    """Share of the squared size of W_uk and W_uv of the largest latent that a cut to this rank keeps."""
    w = zoo.load(choice.whole.variant).layers[0].self_attn.kv_b_proj.weight
    squares = torch.linalg.svdvals(w.double()) ** 2
    return float(squares[: choice.rank].sum() / squares.sum())


def apart(a: Scene, b: Scene) -> np.ndarray:
    """Attention of `a` minus that of `b` over the words that both read, head by head (H, T, T); the model's own words may differ
    and then change what stands behind them."""
    return a.run.attention[0] - b.run.attention[0]


def moved(a: Scene, b: Scene) -> float:
    """Mean share of a token's attention that lies elsewhere in `a` than in `b`: half the summed absolute difference, 0 to 1."""
    return float(np.abs(apart(a, b)).sum(-1).mean() / 2)


@dataclass(frozen=True)
class Form:
    """One decode step in one of the two forms."""

    form: str
    flops: int  # of the mixer of one layer
    reads: int  # numbers of keys and values that attention reads


def forms(choice: Choice, tokens: int) -> tuple[Form, Form]:
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


def counted(choice: Choice, tokens: int) -> cost.Cost:
    """The live model of a setting, counted."""
    return cost.count(choice.spec, tokens, weight_dtype=DTYPE, cache_dtype=DTYPE, state_dtype=DTYPE)


def sizes(choice: Choice, tokens: int) -> dict[str, int]:
    """Cache bytes of one layer of each shape after so many tokens."""
    layer = zoo.recipe(choice.variant).spec.layers[0]
    specs = {name: replace(choice.spec, layers=(replace(layer, mixer=mixer),)) for name, mixer in shapes(choice.mixer).items()}
    return {name: cost.count(spec, tokens, cache_dtype=DTYPE).cache_bytes for name, spec in specs.items()}


def multi_head(choice: Choice, here: Scene) -> np.ndarray:
    """Cache bytes after each token (T,) if every head kept keys and values of its own: counted."""
    return sizes(choice, 1)["MHA"] * np.arange(1, len(here.words) + 1)


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
    logits, _ = model(choice)(tokens)
    return float((logits.argmax(-1) == targets)[targets != -100].double().mean())


# Count


def curve(choice: Choice, lengths: np.ndarray) -> dict[str, np.ndarray]:
    """Cache bytes of each shape at each length, counted."""
    rows = [sizes(choice, int(n)) for n in lengths]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


@lru_cache(maxsize=64)
def measured(choice: Choice, lengths: tuple[int, ...] = LENGTHS) -> np.ndarray:
    """Cache bytes really kept by the live model after each length of a random prompt."""
    kept = scene(choice, task.parse(task.surprise(task.MAX_PAIRS, seed=0, asked=15))).cache_bytes
    return np.array([kept[n - 1] for n in lengths])


def latents(spec: ModelSpec) -> list[Latent]:
    """The latent attention of every layer; [] where a layer mixes tokens in another way, or not at all."""
    mixers = [layer.mixer for layer in spec.layers]
    return mixers if all(isinstance(m, Latent) for m in mixers) else []


def keys() -> list[str]:
    """Models of the catalogue whose every layer is latent attention, oldest first."""
    return [key for key, entry in catalogue.entries().items() if latents(entry.reading.spec)]


def default() -> str:
    """The model that stands first in the list of real models."""
    return V3 if V3 in keys() else keys()[0]


def name(key: str) -> str:
    """A model's name."""
    return catalogue.entries()[key].name


def mixer(key: str) -> Latent:
    """The latent attention of a real model's first layer."""
    return catalogue.entries()[key].reading.spec.layers[0].mixer


def reshaped(spec: ModelSpec, kv_heads) -> ModelSpec:
    """The same model with `kv_heads(latent)` heads of keys and values kept instead of the latent."""

    def other(m: Latent) -> Attention:
        return Attention(m.heads, kv_heads(m), m.nope_dim, m.v_dim)

    return replace(spec, layers=tuple(replace(layer, mixer=other(layer.mixer)) for layer in spec.layers))


@dataclass(frozen=True)
class Real:
    """A real model as released and with other caches: numbers of one sequence in its context, bytes in 16 bits."""

    key: str
    name: str
    latent: int
    rope_key: int
    heads: int
    layers: int
    released: int
    multi_head: int
    grouped: int
    multi_query: int


@lru_cache(maxsize=64)
def real(key: str, context: int = CONTEXT, dtype: str = "bfloat16") -> Real:
    """One model, and what it would keep with keys and values of its heads' width: all of them, 8 of them, one."""
    spec = catalogue.entries()[key].reading.spec
    m = latents(spec)[0]

    def size(other: ModelSpec) -> int:
        return cost.count(other, context, cache_dtype=dtype).cache_bytes

    return Real(
        key, name(key), m.kv_rank, m.rope_dim, m.heads, len(spec.layers), size(spec),
        *(size(reshaped(spec, kv_heads)) for kv_heads in (lambda m: m.heads, lambda m: 8, lambda m: 1)),
    )  # fmt: skip


def reals(context: int = CONTEXT) -> list[Real]:
    """Every model of the catalogue with latent attention, the largest multi-head cache first."""
    return sorted((real(key, context) for key in keys()), key=lambda row: (-row.multi_head, row.name))


def steps(key: str, contexts: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    """One decode step of one layer at each context: {"flops" and "reads": {form: values}}. "kept" is expanded with every head's
    keys and values kept, as multi-head attention would."""
    m, d = mixer(key), catalogue.entries()[key].reading.spec.d_model

    def of(form: str, part=None):
        flops = [replace(m, form=form).flops(d, 1, int(n)) for n in contexts]
        return np.array([sum(f.values()) if part is None else f[part] for f in flops])

    read = {form: np.array([reads(m, form, int(n)) for n in contexts]) for form in FORMS}
    made = of(EXPANDED, "latent")
    once = replace(m, form=EXPANDED).flops(d, 1, 1)["latent"]  # its own token's keys and values
    flops = {EXPANDED: of(EXPANDED), "kept": of(EXPANDED) - made + once, ABSORBED: of(ABSORBED)}
    return {"flops": flops, "reads": read}


def together(key: str, context: int, queries: np.ndarray) -> dict[str, np.ndarray]:
    """FLOPs of one layer when so many of the last tokens are answered at once, by form."""
    m, d = mixer(key), catalogue.entries()[key].reading.spec.d_model
    return {form: np.array([sum(replace(m, form=form).flops(d, int(q), context).values()) for q in queries]) for form in FORMS}


def crossing(key: str, context: int) -> int:
    """The fewest tokens at once for which the expanded form is no more arithmetic than the absorbed one; 0 if there are none."""
    low, high = 1, context

    def dearer(q: int) -> bool:
        both = together(key, context, np.array([q]))
        return bool(both[EXPANDED][0] > both[ABSORBED][0])

    if dearer(high):
        return 0
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if dearer(middle) else (low, middle)
    return low


@dataclass(frozen=True)
class Formula:
    """The factors of a latent cache: layers x (latent + rope key) x tokens x 2 bytes."""

    name: str
    layers: int
    latent: int
    rope_key: int
    context: int
    bytes: int


def formula(key: str) -> Formula:
    """The cache formula of a real model, with the number that the calculator gives."""
    r = real(key)
    return Formula(r.name, r.layers, r.latent, r.rope_key, CONTEXT, r.released)


# Three answers behind one percentage

OLDER, OLDER_LAYERS = Attention(heads=64, kv_heads=8, k_dim=128, v_dim=128), 95  # DeepSeek 67B
OLDER_PAPER = "2401.02954"
BITS, QUANTISED = 16, 6  # 6 bits a number on average: the cache of DeepSeek-V2 as deployed (arXiv 2405.04434, section 3.2.3)


@dataclass(frozen=True)
class Saving:
    """One way to say how much smaller the cache is: numbers of one token and bits of one number, before and after."""

    against: str
    before: int
    before_bits: int
    after: int
    after_bits: int

    @property
    def share(self) -> float:
        """What is saved, 0 to 1."""
        return 1 - self.after * self.after_bits / (self.before * self.before_bits)

    @property
    def bytes(self) -> tuple[int, int]:
        """Bytes of one token before and after."""
        return self.before * self.before_bits // 8, self.after * self.after_bits // 8


def savings() -> tuple[Saving, ...]:
    """Three true answers to "how much smaller is the cache of DeepSeek-V2?"; () where the catalogue lacks it."""
    if V2 not in keys():
        return ()
    spec = catalogue.entries()[V2].reading.spec
    now, alike = (cost.count(s, 2).cache_elements // 2 for s in (spec, reshaped(spec, lambda m: m.heads)))
    older = OLDER_LAYERS * sum(OLDER.cache(1).values())
    return (
        Saving("multi-head attention of its own shape", alike, BITS, now, BITS),
        Saving("DeepSeek 67B, both in 16 bits", older, BITS, now, BITS),
        Saving("DeepSeek 67B, the new cache in 6 bits", older, BITS, now, QUANTISED),
    )


@dataclass(frozen=True)
class Facts:
    """Numbers of one real model that common mistakes get wrong: of one token in one layer."""

    name: str
    latent: int
    rope_key: int
    kept: int
    multi_head: int
    query_rank: int
    kept_without_query_rank: int
    more_flops: float  # absorbed against expanded, for one query and one key
    fewer_reads: float


def facts(key: str) -> Facts:
    """What is counted for one model."""
    m = mixer(key)
    kept, plain = (sum(x.cache(1).values()) for x in (m, replace(m, q_rank=0)))
    pair = {form: replace(m, form=form).flops(1, 1, 1)["attention"] for form in FORMS}
    read = {form: reads(m, form, 1) for form in FORMS}
    multi_head = sum(shapes(m)["MHA"].cache(1).values())
    return Facts(
        name(key), m.kv_rank, m.rope_dim, kept, multi_head, m.q_rank, plain,
        pair[ABSORBED] / pair[EXPANDED], read[EXPANDED] / read[ABSORBED],
    )  # fmt: skip


def presets() -> dict[str, dict]:
    """Slider settings named after real models: the latent that is the same share of the width as theirs, as near as the slider
    comes, the largest first; {label: {"latent": rank, "rope_key": bool}}."""
    found: dict[tuple, str] = {}
    for key in keys():
        m, d = mixer(key), catalogue.entries()[key].reading.spec.d_model
        setting = min(RANKS, key=lambda rank: abs(rank / WIDTH - m.kv_rank / d)), bool(m.rope.dim)
        found.setdefault(setting, f"{name(key).removeprefix('DeepSeek-')}'s share: 1/{round(d / m.kv_rank)}")
    return {label: {"latent": rank, "rope_key": turned} for (rank, turned), label in sorted(found.items(), reverse=True)}


# Prove


def report() -> dict:
    """The claims with their verdicts."""
    return evidence.report("mla")


@dataclass(frozen=True)
class Group:
    """Runs that are compared: ours and their rivals at equal numbers a token."""

    title: str
    ours: tuple[str, ...]
    rivals: tuple[str, ...]
    early: int  # steps


GROUPS = (
    *(
        Group(
            f"{budget} numbers a token",
            recipes.names(recipes.OURS[budget]),
            recipes.names(recipes.rivals(budget)),
            recipes.EARLY[""],
        )
        for budget in recipes.BUDGETS
    ),
    Group(
        f"{recipes.BUDGETS[0]} numbers a token, the later of two things counts",
        (*recipes.names(recipes.LATEST_OURS), f"mla-{FULL}-0{recipes.LATEST}"),
        recipes.names(recipes.LATEST_RIVALS),
        recipes.EARLY[recipes.LATEST],
    ),
)


@dataclass(frozen=True)
class Runs:
    """All seeds of one variant at one rate, at one time: {seed: loss}."""

    variant: str  # without the mark of the faster rate
    fast: bool
    early: bool
    seeds: dict[int, float]


def runs(group: Group) -> tuple[Runs, ...]:
    """Every run of a group that is in the table."""
    rows = zoo.table("mla")
    found = (
        Runs(v.removesuffix(recipes.FAST), v.endswith(recipes.FAST), early, last(rows, v, METRIC, group.early * early))
        for v in (*group.ours, *group.rivals)
        for early in (True, False)
    )
    return tuple(r for r in found if r.seeds)


def runs_table(group: Group) -> dict[str, list]:
    """The same as columns."""
    rows = [
        (r.variant, "faster" if r.fast else "slower", "early" if r.early else "end", seed, value)
        for r in runs(group)
        for seed, value in r.seeds.items()
    ]
    return dict(zip(("variant", "rate", "when", "seed", LOSS), map(list, zip(*rows))))


def rates(group: Group) -> tuple[float, ...]:
    """The learning rates of a group, the slower first."""
    return tuple(sorted({zoo.recipe(v).lr for v in (*group.ours, *group.rivals)}))


def learning(variant: str) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Learning curves of a variant: {seed: (steps, values)}."""
    return evidence.learning("mla", variant, METRIC)


def learning_table(variants) -> dict[str, list]:
    """The same as columns."""
    return evidence.learning_table("mla", {v: v for v in variants}, METRIC, LOSS)


@dataclass(frozen=True)
class Grid:
    """What was run: variants, runs, minutes of one thread on a shared machine, and how near the sizes of rivals are."""

    variants: int
    runs: int
    minutes: float
    parameters: dict[str, tuple[int, int, int]]  # {group: (largest of ours, smallest and largest of its rivals)}
    told_once: int  # runs on names that are told once, and how many of them recall SOLVED of all in the end
    solved: int


def grid() -> Grid:
    """The whole table in numbers."""
    ends: dict[tuple[str, str], float] = {}
    for row in zoo.table("mla"):
        ends[row["variant"], row["seed"]] = max(float(row["seconds"]), ends.get((row["variant"], row["seed"]), 0.0))

    def sized(variants) -> list[int]:
        return [cost.count(zoo.recipe(v).spec, 1).params_total for v in variants]

    parameters = {g.title: (max(sized(g.ours)), min(sized(g.rivals)), max(sized(g.rivals))) for g in GROUPS}
    once = [r.variant for r in recipes.RECIPES if recipes.LATEST not in r.variant]
    recalled = [value for v in once for value in evidence.final("mla", v, recipes.METRIC.replace("loss", "recall"))]
    solved = sum(value >= SOLVED for value in recalled)
    return Grid(len({v for v, _ in ends}), len(ends), sum(ends.values()) / 60, parameters, len(recalled), solved)


# Who uses it


def users() -> list[dict]:
    """The catalogue's models with latent attention, behind a scorer too, with numbers and bytes a token in 16 bits."""
    rows = []
    for entry in catalogue.entries().values():
        mixers = [layer.mixer.latent if isinstance(layer.mixer, Indexed) else layer.mixer for layer in entry.reading.spec.layers]
        m = next((m for m in mixers if isinstance(m, Latent)), None)
        if m:
            token = cost.count(entry.reading.spec, 2, cache_dtype="bfloat16").cache_bytes // 2
            rows.append({"entry": entry, "mixer": m, "token_bytes": token})
    return rows


def rope_key(m: Latent) -> str:
    """The width of a model's rope key; some keep one that is not turned."""
    return f"{m.rope_dim}" if m.rope.dim or not m.rope_dim else f"{m.rope_dim}, not turned"
