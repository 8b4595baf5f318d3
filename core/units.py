"""Numbers as readers write them: bytes with binary and decimal units, counts with K, M, B, T."""

BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
DECIMAL = ("B", "kB", "MB", "GB", "TB", "PB")
COUNT = ("", "K", "M", "B", "T")


def binary(n: float) -> str:
    """Bytes in powers of 1024: 17179869184 -> "16.0 GiB"; below 10,000 bytes every byte: "3,072 B"."""
    return _scaled(n, 1024, BINARY, whole_below=10_000)


def decimal(n: float) -> str:
    """Bytes in powers of 1000: 17179869184 -> "17.2 GB"."""
    return _scaled(n, 1000, DECIMAL, whole_below=10_000)


def sized(n: float) -> str:
    """Bytes in powers of 1000 and of 1024 beside each other, three digits: "85.9 MB (81.9 MiB)"; GB is the largest unit."""
    if n < 10_000:
        return exact(n)
    powers = f"{rounded(n / 10**9)} GB" if n >= 10**9 else decimal(n)
    return f"{powers} ({f'{rounded(n / 2**30)} GiB' if n >= 2**30 else binary(n)})"


def exact(n: float) -> str:
    """Every byte: "68,719 B"."""
    return f"{n:,.0f} B"


def operations(n: float) -> str:
    """Operations in powers of 1000: 22300000 -> "22.3 MFLOP"."""
    return decimal(n).replace("B", "FLOP")


def rounded(x: float) -> str:
    """Three digits, or every digit before the point."""
    return f"{x:,.{0 if abs(x) >= 99.95 else 1 if abs(x) >= 9.995 else 2}f}"


def count(n: float) -> str:
    """A count with three digits: 8030261248 -> "8.03 B" (billions)."""
    return _scaled(n, 1000, COUNT, whole_below=10_000).strip()


def power(n: int) -> str:
    """A length in tokens as its power of two: 131072 -> "128k", 1048576 -> "1M"; any other number whole."""
    size = next((1 << 10 * k for k in (2, 1) if n >= 1 << 10 * k and n % (1 << 10 * k) == 0), 0)
    return f"{n // size}{'kM'[size > 1 << 10]}" if size else f"{n:,}"


def _scaled(n: float, base: int, units: tuple[str, ...], whole_below: int) -> str:
    if abs(n) < whole_below:
        return f"{n:,.0f} {units[0]}"
    power = 0
    while abs(n) >= base and power < len(units) - 1:
        n, power = n / base, power + 1
    return f"{rounded(n)} {units[power]}"
