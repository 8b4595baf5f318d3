"""What is known of a release's quantised weights: how a matrix is stored, and which matrices are.

Letters: R rows and C columns of a matrix, as torch keeps it (R outputs, C inputs).
"""

import math
from dataclasses import dataclass
from fractions import Fraction

from core.count.dtypes import per_number
from core.real.quantisation.names import NO_NAMES, Names


@dataclass(frozen=True)
class Block:
    """Numbers that share something stored beside them, of so many bytes: `rows` x `columns` of a matrix, where 0 stands for the
    whole length, or with `flat` so many of the matrix as one long row."""

    bytes: Fraction
    rows: int = 0
    columns: int = 0
    flat: int = 0

    def size(self, rows: int, columns: int) -> Fraction:
        """Bytes that all blocks of a matrix take."""
        if self.flat:
            return math.ceil(rows * columns / self.flat) * self.bytes
        return math.ceil(rows / (self.rows or rows)) * math.ceil(columns / (self.columns or columns)) * self.bytes


@dataclass(frozen=True)
class Scheme:
    """How matrices are stored: the dtype of their numbers, and what stands beside them (scales, zero points, code books)."""

    dtype: str
    blocks: tuple[Block, ...] = ()

    def scales(self, rows: int, columns: int) -> Fraction:
        """Bytes of what stands beside the numbers of a matrix."""
        return sum((block.size(rows, columns) for block in self.blocks), Fraction(0))

    def size(self, rows: int, columns: int) -> Fraction:
        """Bytes of a matrix with all that stands beside it."""
        return rows * columns * per_number(self.dtype)[0] + self.scales(rows, columns)


def each_matrix(size: int | Fraction) -> Block:
    """So many bytes a matrix."""
    return Block(Fraction(size))


def each_row(size: int | Fraction) -> Block:
    """So many bytes a row."""
    return Block(Fraction(size), 1, 0)


def each_column(size: int | Fraction) -> Block:
    """So many bytes a column."""
    return Block(Fraction(size), 0, 1)


def group(size: int | Fraction, columns: int) -> Block:
    """So many bytes for so many numbers of a row; 0 or -1 stand for the whole row."""
    return Block(Fraction(size), 1, max(columns, 0))


MXFP4 = Scheme("mxfp4", (group(1, 32),))
NVFP4 = Scheme("nvfp4", (group(1, 16), each_matrix(4), each_matrix(4)))


@dataclass(frozen=True)
class Quantisation:
    """A release's weights. Matrices of layers are stored as `others` says, routed experts as `experts` says where they have a
    scheme of their own; absent: as they were. Modules that `kept` names are not converted; for those that `own` names, its scheme
    (or none) goes first. `head` and `table`: the output matrix and the table of words are converted as well."""

    method: str
    others: Scheme | None = None
    experts: Scheme | None = None
    kept: Names = NO_NAMES
    own: tuple[tuple[Names, Scheme | None], ...] = ()
    head: bool = False
    table: bool = False

    @property
    def dtype(self) -> str:
        """The dtype that the whole is called by: that of the experts, which are most of it, where they have one of their own."""
        among = [(names, scheme) for names, scheme in self.own if scheme]
        expert = next((scheme for names, scheme in among if names.mentions("experts")), None)
        first = next((scheme for _, scheme in among), None)
        found = self.experts or expert or self.others or first
        return found.dtype if found else ""

    @property
    def numbered(self) -> bool:
        """Does any name tell one layer from another?"""
        return self.kept.numbered or any(names.numbered for names, _ in self.own)
