"""A puzzle being thought over: one board large, every board so far small, the updates of a step of supervision side by side.

    words (F, C)   what stands in each of C cells after each of F = steps * updates updates, as numbers of words
    sure  (F, C)   the probability of that word, 0 to 1

Scrubbing, playing and pointing happen in the browser; where it stands comes back after a click, so that a link can carry it, and
so does what a reader writes into the puzzle.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st

from app.figures import frame


def payload(
    words: Any, sure: Any, *, key: str, given: Sequence[int], truth: Sequence[int] | None, updates: str, **look: Any
) -> bytes:
    """The bytes for the browser; see boards() for the arguments."""
    cells, share = np.asarray(words, np.uint8), np.rint(255 * np.clip(np.asarray(sure), 0, 1)).astype(np.uint8)
    if cells.shape != share.shape or cells.shape[1] != len(given) or len(cells) % len(updates):
        raise ValueError(f"words {cells.shape} and sure {share.shape} must be (steps * {len(updates)}, {len(given)})")
    header = {
        "name": key, "given": [int(w) for w in given], "truth": None if truth is None else [int(w) for w in truth],
        "size": int(len(given) ** 0.5), "steps": len(cells) // len(updates), "updates": updates,
        **look, "config": frame.plain(look.get("config")),
    }  # fmt: skip
    return frame.pack(header, cells.tobytes() + share.tobytes())


def boards(
    words: Any,
    sure: Any,
    *,
    key: str,
    title: str,
    alt: str,
    given: Sequence[int],
    truth: Sequence[int] | None,
    updates: str,
    kind: str,
    keys: Sequence[str],
    names: Sequence[str],
    halt: np.ndarray | None = None,
    box: tuple[int, int] = (0, 0),
    gap: int = 0,
    writes: int = 0,
    selected: Mapping[str, Any] | None = None,
    edited: Callable[[int, int], None] = lambda cell, word: None,
    **look: Any,
) -> dict[str, int]:
    """Draw them; returns {"step"}: the update that is shown, counted from 1.

    given, truth    the puzzle and its solution as numbers of words (C,); truth None: there is none, nothing is called wrong
    updates         the updates of one step: "zzyzzy"
    kind            "sudoku" or "maze"; box: rows and columns between thick lines
    keys, names     how a word is typed and called; the first `writes` of them can be written into a puzzle
    halt            (steps,) the halting value after each step, 0 to 1; None without a halting head
    gap             the word of what is not given
    edited          called with a cell and the word that a reader wrote there
    look            caption, config, stage
    """
    halts = None if halt is None else [float(f"{x:.4g}") for x in halt]
    shape = {"down": box[0], "across": box[1], "gap": gap, "writes": writes, "kind": kind, "keys": [*keys], "names": names}
    look = {"caption": "", "stage": False, "selected": dict(selected or {}), **look}
    data = payload(
        words, sure, key=key, given=given, truth=truth, updates=updates, title=title, alt=alt, halt=halts, **shape, **look
    )

    def on_edit() -> None:
        if (written := checked(st.session_state[key].get("edited"), len(given), writes)) is not None:
            edited(*written)

    state = frame.boards(key, data, on_selected_change=lambda: None, on_edited_change=on_edit)
    return {"step": valid(state.get("selected") or look["selected"], len(np.asarray(words)))}


def valid(selected: Any, frames: int) -> int:
    """The update to show, from the browser or a link, where it is one; else the last."""
    step = selected.get("step") if isinstance(selected, Mapping) else None
    return step if type(step) is int and 1 <= step <= frames else frames


def checked(edited: Any, cells: int, writes: int) -> tuple[int, int] | None:
    """What a browser says was written, where it can be true."""
    if not isinstance(edited, Mapping) or edited.get("size") != int(cells**0.5):
        return None
    cell, word = edited.get("cell"), edited.get("word")
    return (cell, word) if type(cell) is int and 0 <= cell < cells and type(word) is int and 0 <= word < writes else None
