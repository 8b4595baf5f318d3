"""Every figure's frame: its data as a table, and PNG, SVG and CSV files that carry the configuration.

drawn()   a figure by its name, drawn once for all visitors
load()    call once in every full run, before the page: hands the drawing code to the browser. It is one unchanging
          message, so Streamlit sends it once a session; a figure itself then costs only its data.
figure()  a Plotly figure in the frame. maps.py draws the canvas figures in the same frame.
pack()    a figure's data on the wire: one block, JSON first, raw bytes after it; deflated where it is large.
"""

import json
import struct
import zlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from app import theme
from app.javascript import module_text

ENTRIES = Path(__file__).parent / "js" / "entry"
PLAIN = 1 << 15  # bytes of a block up to which it travels as it is
MOST = 512  # figures that are remembered
PLOTLY_CONFIG = {"displayModeBar": False, "scrollZoom": False, "responsive": True}

_CODE, _MAPS, _BOARDS, _FRAME = (
    st.components.v2.component(f"cutaway_{name}", js=module_text(ENTRIES / f"{name}.js"))
    for name in ("code", "maps", "boards", "frame")
)


DRAWN: dict[Hashable, Any] = {}


def remembered(key: Hashable, make: Callable[[], Any]) -> Any:
    """What `make` makes, once for all visitors; `key` holds all that it depends on. Nobody may alter it."""
    if (found := DRAWN.get(key)) is None:
        while len(DRAWN) >= MOST:
            DRAWN.pop(next(iter(DRAWN)), None)
        found = DRAWN[key] = make()
    return found


def drawn(make: Callable[[dict[str, str], float], go.Figure], *name: Hashable) -> go.Figure:
    """What `make` draws in the theme that the reader sees, remembered under a name that holds all that it depends on."""
    return remembered((*name, theme.mode(), theme.stroke()), lambda: make(theme.colours(), theme.stroke()))


def load() -> None:
    """Give the browser the drawing code (about 90 KB, once a session). Takes no room on the page."""
    _CODE(key="cutaway-code")


def pack(header: Mapping[str, Any], blob: bytes = b"") -> bytes:
    """One block: header length (uint32, little-endian), header as JSON, then the raw bytes. Before it a 0, or a 1 where it is
    deflated: a browser inflates only between other work, so what is small is drawn sooner as it is."""
    write = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=lambda array: array.tolist())
    text = write.encode(header).encode()
    block = struct.pack("<I", len(text)) + text + blob
    return b"\0" + block if len(block) <= PLAIN else b"\1" + zlib.compress(block, 6)


def unpack(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The browser's side of pack()."""
    block = zlib.decompress(data[1:]) if data[0] else data[1:]
    (size,) = struct.unpack("<I", block[:4])
    return json.loads(block[4 : 4 + size]), block[4 + size :]


def column(values: Sequence[Any] | np.ndarray) -> list[Any]:
    """One table column (n,) as JSON values: floats to six significant digits, NaN and infinity as empty cells."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"a table column has one dimension, not {array.ndim}")
    if array.dtype.kind == "f":
        return [float(f"{x:.6g}") if np.isfinite(x) else None for x in array.tolist()]
    if array.dtype.kind in "iub":
        return array.tolist()
    return [x if x is None or isinstance(x, int | str) else _cell(x) for x in array.tolist()]


def _cell(value: Any) -> float | str | None:
    """One value of a mixed column."""
    if isinstance(value, float):
        return float(f"{value:.6g}") if np.isfinite(value) else None
    return str(value)


def columns(table: Mapping[str, Any]) -> dict[str, list[Any]]:
    """A table {heading: (n,)} as JSON values; all columns must have the same length."""
    ready = {str(name): column(values) for name, values in table.items()}
    if len({len(values) for values in ready.values()}) > 1:
        raise ValueError(f"table columns differ in length: { {name: len(v) for name, v in ready.items()} }")
    return ready


def plain(config: Mapping[str, Any] | None) -> dict[str, str | int | float]:
    """A configuration as it is written into exported files: text, whole numbers, numbers."""
    return {str(k): v if isinstance(v, str | int | float) else str(v) for k, v in (config or {}).items()}


def figure(
    fig: Any,
    *,
    key: str,
    alt: str,
    table: Mapping[str, Any],
    config: Mapping[str, Any] | None = None,
    height: int | None = None,
    caption: str = "",
    stage: bool = False,
    **chart: Any,
) -> Any:
    """Draw a Plotly figure with its caption, data table and exports; returns what st.plotly_chart returns.

    table    {heading: values (n,)}: the numbers the figure shows, in their units
    config   what made the picture (values of the controls, prompt, checkpoint, command, link); written into every file
    caption  names the current values; **bold** is understood
    height   in px; chart: further arguments of st.plotly_chart, such as on_select
    """
    header = {"name": key, "alt": alt, "caption": caption, "config": plain(config), "stage": stage}
    with st.container(key=f"figure-{key}", gap=None):
        result = st.plotly_chart(fig, key=key, alt=alt, theme=None, config=PLOTLY_CONFIG, height=height or "content", **chart)
        _FRAME(key=f"{key}-frame", data=pack(header | {"table": columns(table)}))
    return result


def canvas(key: str, data: bytes, **callbacks: Any) -> Mapping[str, Any]:
    """Mount the canvas component (maps.py prepares the data); returns its state."""
    return _MAPS(key=key, data=data, **callbacks)


def boards(key: str, data: bytes, **callbacks: Any) -> Mapping[str, Any]:
    """Mount the component of puzzles (boards.py prepares the data); returns its state."""
    return _BOARDS(key=key, data=data, **callbacks)
