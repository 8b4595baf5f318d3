"""What several tests let hypothesis draw: JSON, JSON with a place gone wrong, bytes that were damaged on their way."""

import copy

from hypothesis import strategies as st

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)  # no half of a pair of surrogates: what can be written
NUMBERS = st.integers(-(10**18), 10**18) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
WRONG = st.sampled_from([None, -1, 0, 1.5, 10**12, "x", [], {}, True, [1], 1e300]) | JSON


def places(value) -> list[tuple]:
    """Every list or dict inside a JSON value with each of its keys, the outermost first."""
    found, left = [], [value]
    while left:
        at = left.pop(0)
        keys = list(at) if isinstance(at, dict) else range(len(at))
        found += [(at, key) for key in keys]
        left += [at[key] for key in keys if isinstance(at[key], (dict, list))]
    return found


@st.composite
def changed(draw, value, wrong=WRONG, most: int = 1):
    """A JSON value with up to so many of its places replaced or left out."""
    value = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, most))):
        if spots := places(value):
            at, key = draw(st.sampled_from(range(len(spots))).map(spots.__getitem__))
            if draw(st.integers(0, 4)):
                at[key] = draw(wrong)
            else:
                del at[key]
    return value


@st.composite
def damaged(draw, data: bytes, within: int = 1 << 30):
    """Bytes, one to four of them replaced among the first so many."""
    broken = bytearray(data)
    at = st.integers(0, min(len(data), within) - 1)
    for place, byte in draw(st.dictionaries(at, st.integers(0, 255), min_size=1, max_size=4)).items():
        broken[place] = byte
    return bytes(broken)
