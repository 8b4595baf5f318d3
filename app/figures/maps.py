"""Attention, routing and state maps: one canvas component for every page.

    panels (P, R, C)     P pictures of R rows and C columns; attention: P heads, row = token asking, column = token read
    panels (T, P, R, C)  the same for each of T steps; the step control then changes the picture (a state that is written)
    byte                 probability: 254 * sqrt(p); signed: 127 + 127 * x / limit; 255 = not visible (masked)

Pointing, isolating, stepping and scrubbing happen in the browser, without the server. What is isolated comes back after
a click, so that a link can carry it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from app.figures import frame

MASKED = 255
SCALES = ("probability", "signed")


def encode_probability(p: Any, visible: Any = None) -> np.ndarray:
    """Probabilities in [0, 1], any shape, as uint8 on a square-root scale 0..254; 255 where visible (broadcast) is false."""
    root = np.sqrt(np.clip(np.nan_to_num(np.asarray(p, dtype=np.float32)), 0.0, 1.0))
    return _masked(np.rint(254 * root), visible)


def encode_signed(x: Any, limit: float, visible: Any = None) -> np.ndarray:
    """Values in [-limit, limit] (clipped), any shape, as uint8 0..254 with 127 = 0; 255 where visible is false."""
    if not limit > 0:
        raise ValueError(f"limit must be positive, got {limit}")
    share = np.clip(np.nan_to_num(np.asarray(x, dtype=np.float32)) / limit, -1.0, 1.0)
    return _masked(np.rint(127 + 127 * share), visible)


def _masked(byte: np.ndarray, visible: Any) -> np.ndarray:
    """Bytes with 255 where visible is false."""
    if visible is None:
        return byte.astype(np.uint8)
    return np.where(np.asarray(visible, dtype=bool), byte, MASKED).astype(np.uint8)


@dataclass(frozen=True)
class Tape:
    """What memory holds after each token, one cell a token and lane.

    lanes           names of the lanes that are kept, e.g. ("KV 1", "KV 2")
    bytes_at        (T,) measured bytes after each step
    ghost           how many lanes the comparison would keep (drawn as outlines); ghost_label names it
    ghost_bytes_at  (T,) measured bytes of the comparison
    window          a lane forgets what is older than this many tokens; 0 = never
    windows, hues   the same, and the palette key, of each lane where lanes differ; legend: {palette key: its name}
    ring            slots of a ring that is drawn below with the words in it: token t takes slot t mod ring; 0 = none
    """

    lanes: tuple[str, ...]
    bytes_at: np.ndarray
    ghost: int = 0
    ghost_bytes_at: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    ghost_label: str = "MHA"
    hue: str = "kv"
    window: int = 0
    title: str = "Cache"
    windows: tuple[int, ...] = ()
    hues: tuple[str, ...] = ()
    legend: Mapping[str, str] = field(default_factory=dict)
    ring: int = 0

    def header(self) -> dict[str, Any]:
        """The tape as the browser reads it."""
        bytes_at, ghost_bytes = (np.asarray(values).astype(int) for values in (self.bytes_at, self.ghost_bytes_at))
        return {
            "lanes": self.lanes, "bytes": bytes_at, "ghost": self.ghost, "ghostBytes": ghost_bytes, "title": self.title,
            "ghostLabel": self.ghost_label, "hue": self.hue, "ring": self.ring, "legend": dict(self.legend),
            "windows": self.windows or [self.window] * len(self.lanes), "hues": self.hues or [self.hue] * len(self.lanes),
        }  # fmt: skip


@dataclass(frozen=True)
class Passes:
    """A text that changes from row to row: row r of the one panel is pass r + 1, columns are places.

    words, drawn    (R, C) the text after each pass, with `mask` where nothing stands; what was drawn at every place
    kept, taken     (row, column) of what a pass committed (drawn as rings), and of what was masked again before it (dashed)
    wrong           columns whose last word is wrong
    """

    words: Sequence[Sequence[str]]
    drawn: Sequence[Sequence[str]]
    kept: Sequence[tuple[int, int]]
    taken: Sequence[tuple[int, int]] = ()
    wrong: Sequence[int] = ()
    mask: str = "▢"


def _names(names: Sequence[str] | None, count: int, fallback: Sequence[str], what: str) -> list[str] | None:
    """Labels for one axis; None means "the tokens", which the browser already has."""
    if names is None and len(fallback) == count:
        return None
    names = [f"{i + 1}" for i in range(count)] if names is None else [str(n) for n in names]
    if len(names) != count:
        raise ValueError(f"{what}: {len(names)} labels for {count} {what}")
    return names


def _checked(panels: Any) -> np.ndarray:
    """panels as contiguous uint8 (P, R, C) or (T, P, R, C)."""
    cells = np.ascontiguousarray(panels)
    if cells.dtype != np.uint8 or cells.ndim not in (3, 4):
        raise ValueError(f"panels must be uint8 (P, R, C) or (T, P, R, C), got {cells.dtype} {cells.shape}")
    return cells


def _steps(cells: np.ndarray, tokens: Sequence[str], tape: Tape | None, stepping: bool, passes: Passes | None = None) -> int:
    """How many steps the step control has; 0 = none."""
    if not stepping:
        return 0
    if passes:
        return cells.shape[-2]
    if cells.ndim == 4:
        return cells.shape[0]
    rows_are_tokens = bool(tokens) and cells.shape[-2] == len(tokens)
    return len(tokens) if rows_are_tokens else (len(tape.bytes_at) if tape else 0)


def payload(
    panels: Any,
    *,
    key: str,
    title: str,
    alt: str,
    tokens: Sequence[str] = (),
    rows: Sequence[str] | None = None,
    cols: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    groups: Sequence[int] | None = None,
    group_labels: Sequence[str] = (),
    roles: Mapping[int, str] | None = None,
    answer: tuple[str, float] | None = None,
    tape: Tape | None = None,
    passes: Passes | None = None,
    stepping: bool = True,
    selected: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
    **look: Any,
) -> bytes:
    """The bytes for the browser; see maps() for the arguments."""
    cells = _checked(panels)
    count, height, width = cells.shape[-3:]
    if groups is not None and len(groups) != count:
        raise ValueError(f"groups: {len(groups)} for {count} panels")
    header = {
        "name": key, "title": title, "alt": alt, "shape": [count, height, width],
        "frames": cells.shape[0] if cells.ndim == 4 else 0,
        "tokens": [str(t) for t in tokens],
        "rows": _names(rows, height, tokens, "rows"), "cols": _names(cols, width, tokens, "columns"),
        "labels": _names(labels or [f"head {i + 1}" for i in range(count)], count, (), "panels"),
        "groups": None if groups is None else [int(g) for g in groups],
        "groupLabels": [str(g) for g in group_labels],
        "roles": {str(int(i)): role for i, role in (roles or {}).items()},
        "answer": None if answer is None else [str(answer[0]), float(answer[1])],
        "tape": tape.header() if tape else None, "steps": _steps(cells, tokens, tape, stepping, passes),
        "passes": asdict(passes) if passes else None,
        "selected": dict(selected or {}), "config": frame.plain(config), **look,
    }  # fmt: skip
    return frame.pack(header, cells.tobytes())


def maps(
    panels: Any,
    *,
    key: str,
    title: str,
    alt: str,
    scale: str = "probability",
    limit: float = 1.0,
    columns: int = 4,
    aspect: float | None = None,
    hue: str = "kv",
    verb: str = "reads",
    caption: str = "",
    stage: bool = False,
    report: bool = True,
    on_change: Callable[[], None] | None = None,
    **content: Any,
) -> dict[str, int | None]:
    """Draw the panels; returns what the visitor isolated: {"head", "row", "step"} (head and row count from 0 or None).

    panels          uint8 (P, R, C) or (T, P, R, C) from encode_probability or encode_signed
    title, alt      the picture's name (in exports), and what it shows in one sentence (for those who cannot see it)
    tokens          the prompt (T,); its strip is shown, and labels rows and columns where their number is T
    rows, cols      labels (R,), (C,) where they are not the tokens; labels (P,): "head 1" ... if left out
    groups          (P,) group of each panel, counted from 0, and group_labels: ("KV 1", ...); hue: their palette key
    roles           {token: "query" | "key" | "answer"}; answer: (text, probability) after the arrow
    scale, limit    "probability", or "signed" with the value at the ends of the scale
    columns         panels side by side; aspect: width by height of one (square cells, within reason, if left out)
    verb            "reads": head 3: 'bo' (17) reads 'kite' (4): 0.93
    tape            a Tape under the step control; stepping=False leaves the step control out
    passes          Passes: rows are passes over a text, and the step control goes through them
    selected        what to start with, same form as the result; a new value moves the picture there
    config          written into every exported file; caption: under the picture, **bold** is understood
    report          tell Python about clicks (a rerun); False keeps everything in the browser
    """
    if scale not in SCALES:
        raise ValueError(f"scale must be one of {SCALES}, got {scale!r}")
    cells = _checked(panels)
    data = payload(
        cells, key=key, title=title, alt=alt, **content, scale=scale, limit=float(limit), columns=int(columns), aspect=aspect,
        hue=hue, verb=verb, caption=caption, stage=stage, report=report,
    )  # fmt: skip
    state = frame.canvas(key, data, on_selected_change=on_change or (lambda: None))
    tape, passes = content.get("tape"), content.get("passes")
    steps = _steps(cells, content.get("tokens", ()), tape, content.get("stepping", True), passes)
    return valid(state.get("selected") or content.get("selected"), cells.shape[-3], cells.shape[-2], steps)


def valid(selected: Any, panels: int, rows: int, steps: int) -> dict[str, int | None]:
    """A selection from the browser or a link, kept only where it fits the picture."""
    chosen = selected if isinstance(selected, Mapping) else {}

    def within(name: str, low: int, high: int) -> int | None:
        value = chosen.get(name)
        return value if type(value) is int and low <= value <= high else None

    return {"head": within("head", 0, panels - 1), "row": within("row", 0, rows - 1), "step": within("step", 1, steps) or steps}
