"""What the tests of pages share: a page opened with a query, what stands on it, every control of it moved."""

from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from app import state
from app.figures.frame import unpack
from core.paths import ROOT

KINDS = (
    "slider", "select_slider", "segmented_control", "pills", "selectbox", "multiselect", "radio", "checkbox", "toggle",
    "button", "download_button", "text_input", "text_area", "number_input", "date_input", "time_input", "file_uploader",
)  # fmt: skip


def opened(page: str, **query) -> AppTest:
    """The app at a page with a query."""
    at = AppTest.from_file(ROOT / "app" / "main.py", default_timeout=90)
    at.switch_page(str(ROOT / "pages" / f"{page}.py"))
    for key, value in query.items():
        at.query_params[key] = value
    fine(at.run())
    assert at.session_state["cw-notes"]["page"] == page
    return at


def fine(at: AppTest) -> AppTest:
    """The same, if its script ran to the end."""
    assert not at.exception, at.exception
    return at


def text(at: AppTest) -> str:
    """Everything that stands on the page as HTML, markdown or code."""
    html = "\n".join(str(e.proto.body) for e in at.get("html"))
    return html + "\n".join(m.value for m in at.markdown) + "\n".join(c.value for c in at.code)


def drawn(at: AppTest) -> dict:
    """All native controls by their keys, whatever their kind."""
    return {e.key: e for kind in KINDS for e in at.get(kind)}


def pictures(at: AppTest) -> dict[str, dict]:
    """The headers of all pictures on the page by name."""
    headers = [unpack(e.proto.bytes)[0] for e in at.get("bidi_component") if e.proto.bytes]
    return {header["name"]: header for header in headers}


def elements(at: AppTest) -> list[tuple[str, bytes]]:
    """Everything that stands on the page, as it is sent to the browser."""
    found, left = [], [at._tree]
    while left:
        node = left.pop()
        left += getattr(node, "children", {}).values()
        found += [] if hasattr(node, "children") else [(node.type, node.proto.SerializeToString(deterministic=True))]
    return found


def linked(at: AppTest) -> dict[str, str]:
    """What a link to this state says: every control, and what is isolated or packed."""
    values = at.session_state["cw-notes"]["values"]
    isolated = {key: at.query_params[key] for key in (*state.SELECTION, state.PAYLOAD) if key in at.query_params}
    return {key: state.word(value) for key, value in values.items()} | isolated


def every(values) -> tuple:
    """All of them."""
    return tuple(values)


def ends(values) -> tuple:
    """Both ends and one in the middle."""
    return tuple(dict.fromkeys((*values[:1], *values[len(values) // 2 :][:1], *values[-1:])))


def moved(at: AppTest, key: str, values: tuple | None = None, pick: Callable = every) -> None:
    """A control to each of its values in turn, or those picked of them, back from the last one; a button pressed once."""
    control = drawn(at)[key]
    if control.type == "button":
        fine(control.click().run())
        return
    options = (not control.value, control.value) if control.type == "toggle" else getattr(control, "options", ())
    for value in reversed(pick(options) if values is None else values):
        if control := drawn(at).get(key):  # what is chosen may leave no choice
            fine(control.set_value(value).run())
