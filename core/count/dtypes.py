"""Bytes of a number in each dtype, block scales included."""

import math
from fractions import Fraction

# Bytes of one number, and what its block scale adds to a weight: int4 shares one 16-bit scale among 128 numbers (GPTQ,
# AWQ group size 128), mxfp4 one 8-bit exponent among 32 (OCP Microscaling Formats 1.0, table 1).
DTYPES = {
    "float32": (Fraction(4), Fraction(0)),
    "bfloat16": (Fraction(2), Fraction(0)),
    "float16": (Fraction(2), Fraction(0)),
    "fp8": (Fraction(1), Fraction(0)),
    "int8": (Fraction(1), Fraction(0)),
    "int4": (Fraction(1, 2), Fraction(2, 128)),
    "mxfp4": (Fraction(1, 2), Fraction(1, 32)),
}


def stored(elements: int, dtype: str, scales: bool = False) -> int:
    """Bytes of so many numbers, block scales included where asked for, rounded up to a whole byte."""
    size, scale = DTYPES[dtype]
    return math.ceil(elements * (size + scale * scales))


def in_words(dtype: str) -> str:
    """What a number takes, with its share of a block's scale, in bits."""
    size, scale = (float(8 * part) for part in DTYPES[dtype])
    if not scale:
        return f"{size:g} bits a number, no block scales"
    return f"{size:g} bits a number and {scale:g} for its share of a block's scale, {size + scale:g} in all"
