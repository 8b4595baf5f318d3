"""The look, in one place: colours and type as CSS custom properties, and every stylesheet of assets/css.

In CSS, canvas and SVG use `var(--cw-kv)`, `var(--cw-serif)`, ...: they follow the theme by themselves.
In Plotly use `theme.colours()["kv"]`, and `theme.stroke()` for line widths.
"""

import re
from functools import cache

import streamlit as st

from app import state
from app.palette import PALETTE
from core.paths import ASSETS

CSS = ASSETS / "css"
FONTS = {
    "serif": "SourceSerif, Georgia, serif",
    "sans": "Inter, system-ui, sans-serif",
    "mono": "JetBrainsMono, ui-monospace, monospace",
}
STAGE_SIZE = "20px"  # the root font size on stage; every size of ours is in rem, Streamlit's too
STAGE_STROKE = 1.8


def mode() -> str:
    """The theme the reader sees now: "light" or "dark"."""
    return "dark" if st.context.theme.type == "dark" else "light"


def colours() -> dict[str, str]:
    """The palette of the theme the reader sees now."""
    return PALETTE[mode()]


def stroke(width: float = 1.0) -> float:
    """A line width: thicker on stage."""
    return width * (STAGE_STROKE if state.stage() else 1.0)


@cache
def sheet(name: str) -> str:
    """One stylesheet of assets/css, without its comments (the HTML sanitiser drops a style that holds a `<`)."""
    text = (CSS / f"{name}.css").read_text(encoding="utf-8")
    return re.sub(r"/\*.*?\*/\s*", "", text, flags=re.DOTALL)


@cache
def variables() -> str:
    """The palette and the fonts as custom properties.

    Registered as colours, so that a canvas reads `rgb(...)` from getComputedStyle; `\\3c` is `<`, which the HTML
    sanitiser would take for a tag. `.stApp` carries Streamlit's own color-scheme; what floats above it uses :root.
    """
    light, dark = PALETTE["light"], PALETTE["dark"]
    typed = "".join(f"@property --cw-{key}{{syntax:'\\3c color>';inherits:true;initial-value:{light[key]}}}" for key in light)
    colour = "".join(f"--cw-{key}:light-dark({light[key]},{dark[key]});" for key in light)
    font = "".join(f"--cw-{key}:{value};" for key, value in FONTS.items())
    return f"{typed}:root,.stApp{{{colour}}}:root{{{font}--cw-stroke:1}}"


@cache
def css() -> str:
    """All of our CSS that lives in the page itself (the header has its own, in its shadow root)."""
    sheets = (sheet(name) for name in ("frame", "controls", "panels"))
    return variables() + "".join(sheets)


def inject() -> None:
    """Emit the CSS; once a run, before anything is shown."""
    st.html(f"<style>{css()}</style>")
    on_stage = f"html:root{{font-size:{STAGE_SIZE};--cw-stroke:{STAGE_STROKE}}}{sheet('stage')}" if state.stage() else ""
    st.html(f"<style>:root{{color-scheme:{mode()}}}{on_stage}</style>")
