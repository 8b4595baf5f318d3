"""A model of a family that is not read here, as its class in transformers counts it: parameters, cache, modules."""

import streamlit as st

from app import card, panels
from app.figures import kinds
from app.figures.modules import Modules
from core.count.dtypes import stored
from core.count.hardware import Deployment
from core.real import rows
from core.real.intake import Referenced
from core.units import binary, count, decimal, power, sized

CLASS = "The Python class that the library transformers loads this model's weights into. It is built here without any weights."
CONVENTION = (
    "Parameters of the language model, tied tables once. The cache is what the class holds after reading texts of three lengths "
    "without numbers: a layer with a window holds at most its window."
)


def verdict(found: Referenced, place: Deployment) -> tuple[str, str]:
    """Does it fit, as far as can be known; and what was counted."""
    row = rows.reference_row(found, place.context)
    said = f"{found.name}: {count(row['params_total'])} parameters"
    if row["params_active"] not in (None, row["params_total"]):
        said += f", {count(row['params_active'])} of them active"
    if row["cache_bytes"] is not None:
        said += f"; one sequence keeps {sized(row['cache_bytes'])} of cache"
    weights, cache = row["weight_bytes"], row["cache_bytes"]
    if weights is None or cache is None:
        missing = "how its weights are stored" if weights is None else "what it keeps of a text"
        return f"Whether it fits cannot be known: {missing} is not derived.", f"{said}."
    taken, room = weights + cache * place.batch, place.available * place.devices
    devices = f"{place.devices} × {place.device.name}"
    fits = f"fits on {devices}" if taken <= room else f"does not fit on {devices}"
    users = f"{place.batch:,} user{'s' * (place.batch > 1)}"
    return f"{found.name} for {users} {fits}: {sized(taken)} of {sized(room)}, if it is split evenly.", f"{said}."


def show(found: Referenced, place: Deployment) -> None:
    """Where the numbers come from, the counts, and the modules."""
    r = found.reference
    how = panels.term(r.kind, CLASS)
    panels.caption(
        f"**Counted by {{how}} of transformers {r.version}.** Cutaway does not run this family: no twin, no painting.", how=how
    )
    left, right = panels.beside()
    with left:
        kinds.show(Modules(r.kind, r.modules), "modules", {"model": found.name, "class": r.kind, "transformers": r.version})
        panels.caption(
            "**Each bar is as long as its share of the parameters.** What is inside a module stands to its right. "
            "Tap one to look into it."
        )
    with right:
        counts(found, place)
        if r.strange:
            panels.caption(f"**Fields that the class does not use:** {', '.join(r.strange[:12])}.")


def counts(found: Referenced, place: Deployment) -> None:
    """Parameters, bytes of weights, cache at the chosen context, state."""
    r, row = found.reference, rows.reference_row(found, place.context)
    lines = [("parameters", f"{r.parameters:,}", count(r.parameters))]
    if r.whole != r.parameters:
        lines.append(("with what sees or hears", f"{r.whole:,}", count(r.whole)))
    active = ("not stated", "") if r.active is None else (f"{r.active:,}", count(r.active))
    lines += [("active in a token", *active)] * (r.active != r.parameters)
    for label, size in (
        (f"weights, {row['weight_dtype']}", row["weight_bytes"]),
        (f"cache at {power(place.context)}", row["cache_bytes"]),
    ):
        lines.append((label, "not derived", "") if size is None else (label, binary(size), decimal(size)))
    if r.layers is not None:
        token = stored(sum(layer.token for layer in r.layers if not layer.window), row["cache_dtype"])
        lines.append(("a token adds", binary(token), decimal(token)) if token else ("a token adds", "nothing", ""))
    if r.state_elements:
        lines.append(("state", f"{r.state_elements:,} numbers", ""))
    with panels.card("Counts", "counts"):
        card.figures(lines)
        st.html(f'<p class="cw-small">{panels.term("How this is counted", CONVENTION)}</p>')
