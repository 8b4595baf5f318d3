"""The header: wordmark, the groups of the talk with their pages, "Copy link" and "Stage".

One inline component in a shadow root. Its links change the page without a reload and keep what the link says; its
script is header.js beside this file, its style assets/css/header.css.
"""

from pathlib import Path

import streamlit as st

from app import state, theme
from app.javascript import module_text
from core.model.registry import GROUPS, Page

_SCRIPT = Path(__file__).with_suffix(".js")
_component = st.components.v2.component(
    "cutaway_header", html="<header></header>", css=theme.sheet("header"), js=module_text(_SCRIPT)
)


def menu(pages: list[Page]) -> list[dict]:
    """The groups that have pages, in the talk's order, as the script wants them."""
    entries = [
        {"name": group, "pages": [{"name": p.name, "title": p.title, "question": p.question} for p in pages if p.group == group]}
        for group in GROUPS
    ]
    return [entry for entry in entries if entry["pages"]]


def show(pages: list[Page], current: str) -> None:
    """Show the header with the current page marked."""
    with st.container(key="cw-header"):
        _component(
            key="cw-header-component",
            data={"groups": menu(pages), "current": current, "stage": state.stage()},
        )
