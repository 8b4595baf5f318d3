"""A model on accelerators in words: times, costs and counts as the page on inference writes them."""

from core import units
from core.count import hardware
from core.count.hardware import Deployment
from core.count.roofline import Bounds
from core.errors import LONGEST
from core.lessons.card import limited
from core.lessons.inference.lesson import Part, Prices, Scene, as_released, boards, hours, underived
from core.real.intake import strange

# Numbers


def si(n: float) -> str:
    """A number with its SI prefix: 1978e12 -> "1.98 P"."""
    for power, prefix in ((15, "P"), (12, "T"), (9, "G"), (6, "M"), (3, "k")):
        if n >= 10**power:
            return f"{units.rounded(n / 10**power)} {prefix}"
    return f"{n:,.0f} "


def seconds(t: float) -> str:
    """A time in s, ms or µs."""
    for size, name in ((1, "s"), (1e-3, "ms")):
        if t >= size:
            return f"{units.rounded(t / size)} {name}"
    return f"{t * 1e6:.3g} µs"


def three(x: float) -> str:
    """A number with three digits, or every digit before the point."""
    return f"{x:,.0f}" if x >= 1000 else f"{x:.3g}"


def peak_text(flops: int) -> str:
    """A peak; none where there is none."""
    return si(flops).strip() if flops else "none"


def users_text(most: int) -> str:
    """How many users fit, in words where none or more than are counted."""
    return "none" if not most else f"{most:,}" + (" or more" if most >= hardware.MOST_USERS else "")


def longest_text(n: int) -> str:
    """The longest context, or that there is no bound."""
    return "any" if n >= LONGEST else f"{n:,}" if n else "none"


def unit(price: float) -> tuple[str, float]:
    """What costs are given in, and by how much device-hours are multiplied: the reader's price where there is one."""
    return ("your currency", price) if price else ("device-hours", 1.0)


def cost_text(hours: float, factor: float) -> str:
    """The cost of a million tokens with three digits."""
    return three(hours * factor) if hours else "—"


# Of a deployment


def weights_text(reading, d: Deployment) -> str:
    """The dtype of the weights, or how many of them a release has in which."""
    mixed = as_released(reading) if d.weight_bytes else None
    return f"the dtypes of the release ({mixed.amounts})" if mixed else d.weight_dtype


def listed(parts: tuple[Part, ...], said) -> str:
    """The parts of a whole with their bytes."""
    text = ", ".join(f"{part.name} {said(part.bytes)}" for part in parts)
    return text[:1].upper() + text[1:]


def step_text(b: Bounds) -> str:
    """How long a decode step takes at least, and how many experts it wakes."""
    woken = f"; it wakes {b.experts_read:.3g} of {b.experts:,.0f} experts a layer" if b.experts else ""
    return f"At least {seconds(b.decode.seconds)}, {three(b.decode.intensity)} FLOPs a byte, bound by {b.decode.binds}{woken}."


def best(b: Bounds, price: float, made: str) -> list[tuple[str, str]]:
    """How fast, at best, and what a million tokens cost; `made` is what a step makes."""
    name, factor = unit(price)
    return [
        (f"{made}s/s of one user", f"{b.tokens_per_second_each:,.4g}"),
        (f"{made}s/s of all users", f"{b.tokens_per_second:,.0f}"),
        (f"first {made} after", seconds(b.prefill.seconds)),
        (f"{name} a million {made}s", cost_text(hours(b), factor)),
    ]


def room(s: Scene, d: Deployment, held: str) -> list[tuple[str, str]]:
    """How much more fits; a board has no other length."""
    most = [(f"users at {d.context:,} {held}s", users_text(s.most_users))]
    return most + [(f"{held}s each for {d.batch:,} user{'s' * (d.batch > 1)}", longest_text(s.longest))] * (held == "token")


def latex(phase, text: str, bytes_said) -> tuple[str, ...]:
    """The terms of a phase's bound, in the order of the formula; `text` puts one into LaTeX."""
    moved = [bytes_said(n) for n in (phase.weights, phase.cache, phase.state, phase.bandwidth)]
    arithmetic = (f"{si(phase.flops)}FLOP", f"{si(phase.peak)}FLOP/s", seconds(phase.compute_seconds), seconds(phase.seconds))
    terms = [*moved, seconds(phase.memory_seconds), *arithmetic]
    plain_at = (4, 7)  # inside a text already
    return tuple(term if i in plain_at else text % term for i, term in enumerate(terms))


def remarks(reading, d: Deployment, scene: Scene, uncached: str) -> list[str]:
    """What to know about these numbers, where it applies; `uncached` says why a denoiser keeps no cache."""
    remarks = []
    if d.context > reading.context and limited(reading) and not boards(reading):
        remarks.append(f"The config goes to {reading.context:,} tokens only.")
    if scene.memory.replication > 1:
        remarks.append(f"Split by heads, every cached number is kept {scene.memory.replication:.3g} times.")
    if reading.spec.decoding == "diffusion":
        remarks.append(uncached)
    return [*remarks, *filter(None, (strange(reading.unknown_fields), underived(reading, d)))]


def cost_table(p: Prices, unit: str, factor: float) -> dict:
    """What a million tokens cost against users, as a table in some unit."""
    parts = {f"{unit}, at least": p.total, "weights": p.weights, "cache and state": p.memory}
    return {"users": p.users, **{name: values * factor for name, values in parts.items()}}
