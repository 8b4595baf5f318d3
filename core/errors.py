"""What is wrong with an architecture, in one sentence that names the field and what is accepted."""

import reprlib

WIDEST = 1 << 20  # widths, head counts, kernels
LONGEST = 1 << 30  # tokens
DEEPEST = 4096  # layers
LARGEST_VOCABULARY = 1 << 24


class SpecError(ValueError):
    """A description that cannot be an architecture. The message is shown to the reader as it stands."""


class CountedOnly(SpecError):
    """A mechanism or a family that has formulas and no module yet."""

    def __init__(self, what: str):
        super().__init__(f"{what} is counted only")


class NotRead(SpecError):
    """A config of a family, or of a kind within one, that is not read here."""


def whole(field: str, value, low: int = 1, high: int = WIDEST) -> int:
    """`value` if it is a whole number in [low, high]; SpecError otherwise (booleans are not numbers)."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise SpecError(f"{field} must be a whole number from {low:,} to {high:,}, not {short(value)}")
    return value


def number(field: str, value, low: float = 0.0, high: float = 1e12) -> float:
    """`value` if it is a finite number in [low, high]; SpecError otherwise."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
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
        raise SpecError(f"{field} must be one of {options_text(accepted)}, not {short(value)}")
    return value


def divides(part_field: str, part: int, whole_field: str, total: int) -> None:
    """SpecError unless `part` divides `total`."""
    if total % part:
        options = [n for n in range(1, min(total, 256) + 1) if total % n == 0]
        raise SpecError(f"{part_field} must divide {whole_field} ({total}): {options_text(options)}, not {part}")


def options_text(options, limit: int = 150) -> str:
    """Options side by side, cut so that an error stays one short line."""
    text = ", ".join(str(option) for option in options)
    return text if len(text) <= limit else text[:limit].rpartition(",")[0] + ", …"


def short(value, limit: int = 60) -> str:
    """A value as JSON would write it, cut so that an error stays one short line, however large or deep the value is."""
    text = _BRIEF.repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


class _Brief(reprlib.Repr):
    """repr with bounds on depth, entries and digits; null, true and false as JSON has them."""

    def __init__(self):
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother = 3, 60, 60

    def repr_int(self, value, level):
        if value.bit_length() > 128:
            return f"a number of about {value.bit_length() * 3 // 10:,} digits"
        return repr(value)

    def repr_bool(self, value, level):
        return "true" if value else "false"

    def repr_NoneType(self, value, level):
        return "null"


_BRIEF = _Brief()
