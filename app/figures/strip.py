"""The layer strip: a small component that paints. What was painted comes back as (first, last, slot, letter)."""

from collections.abc import Callable, Sequence
from pathlib import Path

import streamlit as st

from app.javascript import module_text
from core.shape.design import Brush

HERE = Path(__file__).parent
_component = st.components.v2.component(
    "cutaway_strip", html='<div class="strip"></div>', css=(HERE / "strip.css").read_text(encoding="utf-8"),
    js=module_text(HERE / "js" / "strip.js"),
)  # fmt: skip


def strip(
    key: str, brushes: Sequence[Brush], mixers: Sequence[int], ffns: Sequence[int], said: str, take: Callable[[tuple], None]
) -> None:
    """Draw the strip; `mixers` and `ffns` say by number which brush each layer has. `take` is called with what was painted."""
    kinds = [{"letter": b.letter, "label": b.label, "slot": b.slot, "hue": b.hue, "live": b.live, "own": b.own} for b in brushes]

    def on_paint() -> None:
        if (painted := checked(st.session_state[key].get("painted"), len(mixers))) is not None:
            take(painted)

    data = {"brushes": kinds, "mixer": list(mixers), "ffn": list(ffns), "said": said}
    with st.container(key=f"cw-strip-{key}"):
        _component(key=key, data=data, on_painted_change=on_paint)


def checked(painted, depth: int) -> tuple[int, int, str, str] | None:
    """What a browser says was painted, where it can be true."""
    if not isinstance(painted, dict):
        return None
    layers = [n for name in ("first", "last") if type(n := painted.get(name)) is int and 0 <= n < depth]
    slot, letter = painted.get("slot"), painted.get("letter")
    if len(layers) < 2 or slot not in ("mixer", "ffn") or not isinstance(letter, str) or len(letter) != 1:
        return None
    return layers[0], layers[1], slot, letter
