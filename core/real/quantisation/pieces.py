"""What every reader of a method needs: fields within bounds, lists of modules, and a word on what is not understood."""

from fractions import Fraction

from core.real.quantisation.names import Names, Unread, names
from core.real.quantisation.scheme import Block

LARGEST = 1 << 20  # of a group or a block
WIDTHS = (2, 3, 4, 5, 6, 8)
LISTS = ("modules_to_not_convert", "ignored_layers", "ignore", "exclude_modules", "llm_int8_skip_modules", "exclude")


def word(value: object) -> str:
    """A text; "" for anything else."""
    return value if isinstance(value, str) else ""


def whole_number(stated: dict, *fields: str, usual: int | None = None, low: int = 1, high: int = LARGEST) -> int:
    """The first of these fields that is there, within bounds."""
    value = next((stated[field] for field in fields if stated.get(field) is not None), usual)
    if type(value) is not int or not low <= value <= high:
        raise Unread(f"{fields[0]} {value!r}")
    return value


def bits_of(stated: dict, *fields: str, usual: int | None = None) -> int:
    """How many bits a number has."""
    value = whole_number(stated, *fields, usual=usual, high=8)
    if value not in WIDTHS:
        raise Unread(f"{fields[0]} {value}")
    return value


def integers(bits: int) -> str:
    """The dtype of whole numbers of so many bits."""
    return f"int{bits}" if bits in (4, 8) else f"{bits} bits"


def left_out(stated: dict, *more: str) -> Names:
    """Modules that are not converted, by whatever name the list goes."""
    listed: list = []
    for field in (*LISTS, *more):
        if (value := stated.get(field)) is not None:
            names(value)  # a list of names, or not understood
            listed += value
    return names(listed)


def size_of_group(stated: dict, *fields: str, usual: int) -> int:
    """Numbers of a row that share a scale; -1 stands for the whole row."""
    return whole_number(stated, *fields, usual=usual, low=-1)


def block(size: object, scale: int) -> Block:
    """A block of two sides."""
    if not isinstance(size, list) or len(size) != 2 or not all(type(n) is int and 1 <= n <= LARGEST for n in size):
        raise Unread(f"a block of {size!r}")
    return Block(Fraction(scale), *size)
