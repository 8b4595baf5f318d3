"""A click or a tap on a point of a Plotly figure, as a value.

Streamlit's own selection makes a figure catch the finger that wants to scroll the page, and no longer answers once the figure has
been animated; this listens to the drawing itself. What is handed over is the point's `customdata`.
"""

from collections.abc import Callable

import streamlit as st

_SCRIPT = """export default ({ data, setTriggerValue }) => {
  const find = () => document.querySelector(`.st-key-figure-${CSS.escape(data.figure)} .js-plotly-plot`);
  const told = (event) => {
    const chosen = event.points.map((p) => p.customdata).find((value) => value != null);
    if (chosen != null) setTriggerValue("chosen", String(chosen));
  };
  let heard = null;
  const attach = () => {
    const drawing = find();
    if (drawing === heard || !drawing?.on) return;
    heard?.removeListener?.("plotly_click", told);
    drawing.on("plotly_click", told);
    heard = drawing;
  };
  attach();
  const timer = setInterval(attach, 300);  // a drawing is put in place later, and anew after a change of page
  return () => {
    clearInterval(timer);
    heard?.removeListener?.("plotly_click", told);
  };
}"""
_component = st.components.v2.component("cutaway_clicks", html="<span hidden></span>", js=_SCRIPT)


def listen(figure: str, take: Callable[[str], None]) -> None:
    """Call `take` with the customdata of a point of that figure (its key) when it is clicked."""
    key = f"cw-clicks-{figure}"

    def told() -> None:
        chosen = st.session_state[key].get("chosen")
        if chosen is not None:
            take(str(chosen))

    with st.container(key=f"cw-listen-{figure}"):
        _component(key=key, data={"figure": figure}, on_chosen_change=told)
