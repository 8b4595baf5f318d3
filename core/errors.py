"""What is wrong with an architecture, in one sentence that names the field and what is accepted."""

import math

WIDEST = 1 << 20  # widths, head counts, kernels
LONGEST = 1 << 30  # tokens
DEEPEST = 4096  # layers
LARGEST_VOCABULARY = 1 << 24


class SpecError(ValueError):
    """A description that cannot be an architecture. The message is shown to the reader as it stands."""


def whole(field: str, value, low: int = 1, high: int = WIDEST) -> int:
    """`value` if it is a whole number in [low, high]; SpecError otherwise (booleans are not numbers)."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise SpecError(f"{field} must be a whole number from {low:,} to {high:,}, not {short(value)}")
    return value


def number(field: str, value, low: float = 0.0, high: float = 1e12) -> float:
    """`value` if it is a finite number in [low, high]; SpecError otherwise."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or not low <= value <= high:
        raise SpecError(f"{field} must be a finite number from {low:g} to {high:g}, not {short(value)}")
    return float(value)


def flag(field: str, value) -> bool:
    """`value` if it is true or false; SpecError otherwise."""
    if not isinstance(value, bool):
        raise SpecError(f"{field} must be true or false, not {short(value)}")
    return value


def one_of(field: str, value, accepted) -> str:
    """`value` if it is one of `accepted`; SpecError otherwise."""
    if not isinstance(value, str) or value not in accepted:
        raise SpecError(f"{field} must be one of {', '.join(accepted)}, not {short(value)}")
    return value


def divides(part_field: str, part: int, whole_field: str, total: int) -> None:
    """SpecError unless `part` divides `total`."""
    if total % part:
        options = ", ".join(str(n) for n in range(1, min(total, 256) + 1) if total % n == 0)
        raise SpecError(f"{part_field} must divide {whole_field} ({total}): {options}, not {part}")


def short(value, limit: int = 60) -> str:
    """A value as text, cut so that an error stays one line."""
    text = repr(value).replace("\n", " ")
    return text if len(text) <= limit else text[: limit - 1] + "…"
