"""Bytes of a number in each dtype, block scales included. Beside the named ones stands any number of bits: "4.5 bits"."""

import math
import re
from fractions import Fraction

from core.errors import SpecError, options_text, short

# Bytes of one number, and what its block scale adds to a weight: int4 shares one 16-bit scale among 128 numbers (GPTQ,
# AWQ group size 128), mxfp4 one 8-bit exponent among 32 (OCP Microscaling Formats 1.0, table 1), nvfp4 one 8-bit float among 16.
DTYPES = {
    "float32": (Fraction(4), Fraction(0)),
    "bfloat16": (Fraction(2), Fraction(0)),
    "float16": (Fraction(2), Fraction(0)),
    "fp8": (Fraction(1), Fraction(0)),
    "int8": (Fraction(1), Fraction(0)),
    "int4": (Fraction(1, 2), Fraction(2, 128)),
    "mxfp4": (Fraction(1, 2), Fraction(1, 32)),
    "nvfp4": (Fraction(1, 2), Fraction(1, 16)),
}
BITS = re.compile(r"(\d{1,2}(?:\.\d{1,4})?)(?: bits?)?")
MOST_BITS = 64


def per_number(dtype: str) -> tuple[Fraction, Fraction]:
    """Bytes of one number, and of its share of a block's scale."""
    if dtype in DTYPES:
        return DTYPES[dtype]
    found = BITS.fullmatch(dtype)
    if not found:
        raise SpecError(f"dtype must be one of {options_text(DTYPES)}, not {short(dtype)}")
    return Fraction(found[1]) / 8, Fraction(0)


def named(field: str, value: object) -> str:
    """A dtype by its name, or a number of bits as "4.5 bits"; SpecError for anything else."""
    if isinstance(value, str) and value in DTYPES:
        return value
    found = BITS.fullmatch(value) if isinstance(value, str) else None
    if not found or not 0 < float(found[1]) <= MOST_BITS:
        raise SpecError(f"{field} must be one of {options_text(DTYPES)} or bits a number such as 4.5, not {short(value)}")
    return f"{float(found[1]):g} bits"


def stored(elements: int, dtype: str, scales: bool = False) -> int:
    """Bytes of so many numbers, block scales included where asked for, rounded up to a whole byte."""
    size, scale = per_number(dtype)
    return math.ceil(elements * (size + scale * scales))


def in_words(dtype: str) -> str:
    """What a number takes, with its share of a block's scale, in bits."""
    size, scale = (float(8 * part) for part in per_number(dtype))
    if not scale:
        return f"{size:g} bits a number, no block scales"
    return f"{size:g} bits a number and {scale:g} for its share of a block's scale, {size + scale:g} in all"
