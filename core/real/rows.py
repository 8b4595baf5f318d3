"""What `inspect` prints of a model, and what the pages hand out as CSV: one row a model, the same names and numbers."""

import csv
import io
import json

from core.count import cost
from core.count.dtypes import in_words, stored
from core.real import released
from core.real.beside import index_text
from core.real.hf.reader import DEFAULT_CONTEXT
from core.real.quantisation.stated import ASK

ECHOED = ("name", "model_type", "context", "batch", "weight_dtype", "cache_dtype")
COUNTED = """params_total params_active params_active_without_input_embedding params_active_without_embeddings buffers
cache_elements state_elements cache_bytes state_bytes state_dtype weight_bytes flops_per_token prefill_flops""".split()


def row(r, context: int = 0, batch: int = 1, weight_dtype: str = "", cache_dtype: str = "") -> dict:
    """One object: what was asked, what was counted, what was assumed. What is not given is the config's own; where the config's
    own dtype of the weights is not known and none is given, their bytes are null."""
    weights = weight_dtype or r.weight_dtype
    c = cost.count(r.spec, context or r.context, batch, weights or r.cache_dtype, cache_dtype or r.cache_dtype, r.state_dtype)
    echoed = dict(zip(ECHOED, (r.spec.name, r.model_type, c.context, c.batch, weights or None, c.cache_dtype)))
    counted = {field: getattr(c, field) for field in COUNTED} | ({} if weights else {"weight_bytes": None})
    own = released.weights(r)
    counted |= {"weight_bytes_as_released": own.bytes if own else None, "weight_bytes_of_files": r.index and r.index.total}
    counted |= {"weight_note": note_text(weights, own, r)}
    return {**echoed, **counted, "layers": c.layers_by_kind, "assumed": list(r.assumed), "unknown_fields": list(r.unknown_fields)}


def reference_row(found, context: int = 0, batch: int = 1, weight_dtype: str = "", cache_dtype: str = "") -> dict:
    """The same object for a model that its class in transformers counts: what that class does not say is null."""
    r, own = found.reference, found.dtype
    weights, cached = (dtype or own or "bfloat16" for dtype in (weight_dtype, cache_dtype))
    context = context or r.context or DEFAULT_CONTEXT
    is_clear = weight_dtype or not found.is_quantised
    elements, state = (None if n is None else n * batch for n in (r.cache_elements(context), r.state_elements))
    counted = dict.fromkeys(COUNTED) | {
        "params_total": r.parameters,
        "params_active": r.active,
        "cache_elements": elements,
        "state_elements": state,
        "cache_bytes": None if elements is None else stored(elements, cached),
        "state_bytes": 0 if state == 0 else None,
        "weight_bytes": stored(r.parameters, weights, scales=True) if is_clear else None,
        "weight_note": f"{weights}: {in_words(weights)}; as released: not derived; {found.note}"
        if is_clear
        else f"no dtype: {ASK}; {found.note}",
    }
    echoed = dict(zip(ECHOED, (found.name, r.model_type, context, batch, weights if is_clear else None, cached)))
    assumed = ["dtype"] * (not own) + ["context"] * (not r.context)
    return {**echoed, **counted, "layers": r.layers_by_kind, "assumed": assumed, "unknown_fields": list(r.strange)}


def note_text(dtype: str, own, r) -> str:
    """What `weight_bytes` takes a number for, what the release's files hold, and what else a reader should know."""
    files = f"as released: {own.note if own else f'not known: {r.unclear}' if r.unclear else 'not derived'}"
    first = f"{dtype}: {in_words(dtype)}" if dtype else f"no dtype: {ASK}"
    return "; ".join(filter(None, (first, files, index_text(r, own.bytes if own else None), *r.notes)))


def to_csv(rows: list[dict]) -> str:
    """Rows as CSV; nested values as JSON."""
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: json.dumps(v) if isinstance(v, (dict, list)) else v for k, v in row.items()} for row in rows)
    return out.getvalue()
