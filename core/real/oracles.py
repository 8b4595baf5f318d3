"""Figures that others published, beside ours: what agrees to the printed digit, and what differs and why.

A row of assets/evidence/oracles.json names a model (a key of the catalogue, a config, or a stack of equal layers), what is
measured and at which context, the figure as it was printed, its unit and its source. Ours is computed from the row and written
with as many digits. Where the two differ, `because` says why, and `theirs` is how their figure comes about: the same row with
other fields. Figures whose configs are not in the catalogue are left out.
"""

import json
from dataclasses import dataclass, replace
from functools import lru_cache

from core.count import cost
from core.model.blocks import Full, Norm, Window
from core.model.ffn.dense import Dense
from core.model.ffn.moe import MoE
from core.model.mixers.attention import Attention
from core.model.mixers.borrowed import Borrowed
from core.model.mixers.latent import Latent
from core.model.spec import Layer, ModelSpec
from core.paths import ASSETS
from core.real import catalogue

FILE = ASSETS / "evidence" / "oracles.json"
UNITS = {
    "GB": 1e9, "GiB": 2**30, "kB": 1e3, "KiB": 2**10, "B": 1, "parameters": 1, "elements": 1, "FLOPs": 1,
    "billion parameters": 1e9, "thousand elements": 1e3, "times": 1, "%": 0.01,
}  # fmt: skip


@dataclass(frozen=True)
class Oracle:
    """One published figure. `ours` is written like `published`; `agrees` is computed."""

    name: str
    what: str
    published: str
    ours: str
    unit: str
    source: str
    because: str
    theirs: str  # their figure as it comes about; "" where the two agree

    @property
    def agrees(self) -> bool:
        """The same to the printed digit."""
        return self.published == self.ours


@lru_cache(maxsize=1)
def rows() -> tuple[Oracle, ...]:
    """Every row, computed."""
    return tuple(map(oracle, json.loads(FILE.read_text())))


def oracle(row: dict) -> Oracle:
    """One row of the file, with our figure."""
    printed = [written(measured({**row, **more}), row) for more in ({}, row.get("theirs", {}))]
    theirs = printed[1] if row.get("theirs") else ""
    return Oracle(
        *(row[n] for n in ("name", "what", "value")), printed[0], row["unit"], row["source"], row.get("because", ""), theirs
    )


def written(value: float, row: dict) -> str:
    """A value in the row's unit, with as many digits as were printed."""
    digits = len(row["value"].partition(".")[2])
    return f"{value / UNITS[row['unit']]:.{digits}f}"


# What is measured


def measured(row: dict) -> float:
    """Our value of a row, in bytes, numbers or FLOPs; with `over` the ratio to that row, with `less` what is saved against it."""
    value = MEASURES.get(row["measure"], plain)(row) * row.get("multiply", 1)
    if "over" in row:
        return value / measured({**row, "over": None, **row["over"]}) if row["over"] else value
    if "less" in row:
        return 1 - value / measured({**row, "less": None, **row["less"]}) if row["less"] else value
    return value


def plain(row: dict) -> float:
    """A field of the count."""
    return getattr(counted(row), row["measure"])


def counted(row: dict) -> cost.Cost:
    """A row's model at its context, in bfloat16."""
    return cost.count(spec(row), row.get("context", 1), row.get("batch", 1))


def layer_params(row: dict) -> float:
    """Learned numbers of the first layer."""
    return counted(row).layers[0].params


def matrices(row: dict) -> float:
    """Bytes of what the layers multiply by, without norms and both tables, in 16 bits."""
    s, c = spec(row), counted(row)
    return 2 * (c.params_active_without_embeddings - (2 * len(s.layers) + 1) * s.d_model)


def palm(row: dict) -> float:
    """PaLM's rule for a training step over one context: 6 a parameter and 12 a layer, width and token that is read."""
    s, n = spec(row), row["context"]
    return n * (6 * counted(row).params_total + 12 * len(s.layers) * s.d_model * n)


def with_buffers(row: dict) -> float:
    """Learned numbers and routers' biases."""
    c = counted(row)
    return c.params_total + c.buffers


def latents(row: dict) -> float:
    """Bytes of latents and rotated keys alone, in 16 bits."""
    return 2 * sum(n for layer in counted(row).layers for name, n in layer.cache.items() if name in ("latent", "rope_key"))


def latent_twice(row: dict) -> float:
    """Elements of latents, once for keys and once for values, without the rotated key."""
    return 2 * sum(layer.cache.get("latent", 0) for layer in counted(row).layers)


def unified_once(row: dict) -> float:
    """Bytes where keys and values of one projection are counted once, in 16 bits."""
    layers = zip(counted(row).layers, spec(row).layers)
    return 2 * sum(sum(c.cache.values()) // (2 if getattr(layer.mixer, "one", False) else 1) for c, layer in layers)


def moe(field: str):
    """A measure of a mixture of experts alone: `field` is one of its formulas."""

    def measure(row: dict) -> float:
        return getattr(MoE(*row["moe"]), field)(row["d_model"])

    return measure


def as_released(row: dict) -> float:
    """Bytes of the release's files."""
    from core.real import released  # brings torch

    return released.weights(catalogue.entries()[row["model"]].reading).bytes


def whole_files(row: dict) -> float:
    """The same with what is not counted as the model's: a last layer that predicts one token further and what leads into it (two
    matrices, three norms, the streams made one), routers' biases in float32, the words' table in 64 bits."""
    from core.model.ffn.hashed import Hashed
    from core.real import released  # brings torch
    from core.real.hf import reader

    config = catalogue.entries()[row["model"]].config
    longer = reader.read({**config, "num_hidden_layers": config["num_hidden_layers"] + 1})
    d, n, ffns = longer.spec.d_model, longer.spec.streams, [layer.ffn for layer in longer.spec.layers]
    lead = 2 * (d * d + longer.quantisation.others.scales(d, d)) + 2 * 3 * d + 4 * (n * (n * d + 1) + 1)
    beside = sum(ffn.buffers() * (8 if isinstance(ffn, Hashed) else 4) for ffn in ffns)
    return released.weights(longer).bytes + int(lead) + beside


MEASURES = {
    "layer_params": layer_params, "matrix_bytes": matrices, "palm_flops": palm, "params_and_buffers": with_buffers,
    "latent_bytes": latents, "latent_twice": latent_twice, "unified_once": unified_once, "released_bytes": as_released,
    "file_bytes": whole_files,
    "three_of_four": lambda row: 3 / 4,
    "moe_params": moe("params"), "moe_active": moe("active"), "moe_expert": moe("expert"), "moe_router": moe("always"),
    "dense_params": lambda row: Dense(row["hidden"]).params(row["d_model"]),
    "attention_params": lambda row: sum(layer.mixer.params(spec(row).d_model) for layer in spec(row).layers if layer.mixer),
    "ffn_params": lambda row: sum(layer.ffn.params(spec(row).d_model) for layer in spec(row).layers if layer.ffn),
    "table_params": lambda row: spec(row).vocab * spec(row).d_model * (2 - spec(row).tied),
}  # fmt: skip


# Of which model


def spec(row: dict) -> ModelSpec:
    """The row's model."""
    if "stack" in row:
        return stack(**row["stack"])
    if "config" in row:
        from core.real.hf import reader  # brings torch

        found = reader.read(row["config"]).spec
    else:
        found = catalogue.entries()[row["model"]].reading.spec
    found = replace(found, tied=row["tied"]) if "tied" in row else found
    return all_latent(found) if row.get("every_layer_latent") else found


def all_latent(found: ModelSpec) -> ModelSpec:
    """The same model with latent attention in every layer."""
    latent = next(layer.mixer for layer in found.layers if layer.kind == "mla")
    return replace(found, layers=tuple(replace(layer, mixer=latent) for layer in found.layers))


def stack(
    layers: int, d_model: int, heads: int, kv_heads: int = 0, width: int = 0, window: int = 0, sliding: int = 0, rank: int = 0,
    making: int = 0, hidden: int = 1, vocab: int = 2, positions: int = 0,
) -> ModelSpec:  # fmt: skip
    """Equal layers of attention: the first `sliding` of them with a window, those after the first `making` (0: all) without keys
    and values of their own, all with a latent of `rank` numbers where that is given."""
    width = width or d_model // heads
    own = Attention(heads, kv_heads or heads, width, width)
    kinds = [replace(own, reach=Window(window) if i < sliding else Full()) for i in range(layers)]
    made = [mixer if i < (making or layers) else Borrowed(mixer, i + 1 - making) for i, mixer in enumerate(kinds)]
    if rank:
        made = [Latent(heads, rank, width, 0, width)] * layers
    ffn = Dense(hidden, "gelu", gated=False)
    stacked = tuple(Layer(mixer, ffn) for mixer in made)
    return ModelSpec("stack", d_model, vocab, stacked, Norm("rms"), tied=positions > 0, learned_positions=positions)
