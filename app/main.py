"""The frame around every page. Start it with `streamlit run app/main.py`."""

import gc
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # `streamlit run` puts app/ there, not the repository
    sys.path.insert(0, str(ROOT))
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny models run faster on one thread

import streamlit as st  # noqa: E402

from app import header, panels, state, theme  # noqa: E402
from app.figures import frame  # noqa: E402
from core.model.registry import PAGES, Page  # noqa: E402

HOME = "home"


@st.cache_resource(show_spinner=False)
def settle() -> None:
    """Once a process: one torch thread, and nothing imported so far is ever searched for garbage."""
    import torch

    torch.set_num_threads(1)
    gc.freeze()


def existing() -> list[Page]:
    """The pages of the registry whose file is there."""
    return [page for page in PAGES if (ROOT / "pages" / f"{page.name}.py").is_file()]


def router(pages: list[Page]):
    """Streamlit's navigation: every page at its own address, and the first one (or home) at `/` as well.

    The default page of Streamlit has no address of its own: `/gqa` would fall back to `/` with an error.
    """
    first = next((page for page in pages if page.name == HOME), pages[0])
    entries = [st.Page(ROOT / "pages" / f"{p.name}.py", title=f"{p.title} · Cutaway", url_path=p.name) for p in pages]
    root = st.Page(ROOT / "pages" / f"{first.name}.py", title="Cutaway", url_path="start", default=True)
    chosen = st.navigation([root, *entries], position="hidden")
    return chosen, chosen.url_path or first.name


def main() -> None:
    """Run the page that the address names, inside the frame."""
    st.set_page_config(layout="wide", page_icon=str(ROOT / "app" / "static" / "icon.svg"))
    theme.inject()  # first, so that nothing is seen without it
    settle()
    state.stage_control()
    pages = existing()
    if not pages:
        st.info("There is no page yet: pages/ is empty.")
        return
    page, name = router(pages)
    state.begin(name, page.url_path)
    header.show(pages, name)
    frame.load()
    above = st.empty()
    try:
        page.run()
    finally:  # also where a page stops early
        state.publish()
        if said := state.refused():
            with above:
                panels.notice(said)


main()
