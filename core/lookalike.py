"""The known word most like an unknown one."""

import difflib
from collections.abc import Sequence


def nearest(word: str, words: Sequence[str], otherwise: str = "") -> str:
    """The most similar of `words`; `otherwise` (or the first of them) where nothing is like it."""
    close = difflib.get_close_matches(word[:40], words, n=1, cutoff=0.5)
    return close[0] if close else otherwise or words[0]
