"""The reader's own weights: a model of the folder that was named at the start, on the reader's prompt."""

import html

import numpy as np
import streamlit as st

from app import controls, live, panels, state, theme
from app.figures import frame, kinds
from app.figures.maps import encode_probability
from app.panels import Bar
from core.errors import SpecError
from core.real import local
from core.shape.ladder import HUES
from core.units import binary

EXAMPLES = {
    "A fact": "The capital of France is Paris. The capital of Italy is",
    "A pattern": "red blue red blue red blue red",
    "A name": "When Mary and John went to the shop, John gave a drink to",
    "A list": "1, 2, 3, 4, 5, 6,",
}
MORE = (0, 8, 16, local.NEW)
NEEDED = "Each model is a sub-folder with {config}, {tokenizer} and {weights}, as {save} writes it."
WORDS = {
    "config": "<code>config.json</code>", "tokenizer": "<code>tokenizer.json</code>", "weights": "<code>*.safetensors</code>",
    "save": "<code>save_pretrained</code>",
}  # fmt: skip


def show(key: str) -> None:
    """The panel: one short explanation where no folder was named, else a model, its pictures and what it writes. `key` begins the
    names of its controls."""
    live.heading("Your own weights")
    try:
        if local.folder() is None:
            return explain()
        found = local.models()
    except SpecError as error:
        return panels.error(str(error))
    usable = [name for name, problem in found.items() if not problem]
    if usable:
        chosen(key, usable)
    else:
        panels.caption(f"**The folder that {local.VARIABLE} names holds no model that can be read.** {NEEDED}", **WORDS)
    refused([problem for problem in found.values() if problem])


def explain() -> None:
    """How to start with a folder of models."""
    panels.caption(
        "**Start Cutaway with a folder of your own Hugging Face models,** and their attention maps, cache and words stand here: "
        "{command}. " + NEEDED + " Nothing is uploaded.",
        command=f"<code>{html.escape(local.COMMAND)}</code>",
        **WORDS,
    )


def refused(problems: list[str]) -> None:
    """Models of the folder that cannot be read, each with its reason."""
    if problems:
        lines = "".join(f"<li>{html.escape(problem)}</li>" for problem in problems)
        st.html(f'<p class="cw-small">Not read:</p><ul class="cw-small">{lines}</ul>')


def chosen(key: str, usable: list[str]) -> None:
    """The controls, then the model on the prompt; a model that does not fit says why."""
    with controls.row(f"{key}-local"):
        name = controls.Pick(f"{key}_model", "Model", usable, usable[0]).draw()
        new = controls.Choice(f"{key}_new", "New tokens", MORE, MORE[1], "kv").draw()
        box = controls.Prompt(f"{key}_prompt", "Prompt", EXAMPLES, max_chars=local.CHARACTERS)
        with controls.more(f"Prompt: {box.example()}", f"{key}-local"):
            prompt = box.draw()
    try:
        with st.spinner(f"{name} is loaded and run"):
            own, seen = local.opened(name), local.look(name, prompt)
    except SpecError as error:
        return panels.error(str(error))
    if own.unknown:
        panels.error(f"The config of {name} has fields that are not understood, its numbers may differ: {', '.join(own.unknown)}")
    left, right = panels.beside()
    with left:
        attention(key, name, prompt, own, seen)
    with right:
        side(key, own, seen)
    if new:
        write(key, name, prompt, new, own)


def about(key: str, name: str, prompt: str, own: local.Opened) -> dict:
    """What goes into an exported file."""
    link = state.here()
    return {"model": name, "model_type": own.reading.model_type, "prompt": prompt, "link": link}


def attention(key: str, name: str, prompt: str, own: local.Opened, seen: local.Look) -> None:
    """The attention maps of one layer, its query heads banded by the keys that they read."""
    attending = {i: picture for i, picture in enumerate(seen.pictures, 1) if picture is not None}
    if not attending:
        return panels.caption(f"**No layer of {name} attends:** each keeps a state, which its bytes beside count.")
    layer = controls.Pick(
        f"{key}_layer", "Layer", tuple(attending), max(attending), name=lambda i: f"layer {i} of {len(seen.pictures)}"
    ).draw()
    picture, hue = attending[layer], HUES.get(own.spec.layers[layer - 1].kind, "kv")
    shared = len(set(picture.groups)) or 1
    likeliest, probability = seen.likeliest[0]
    live.second_picture(
        encode_probability(picture.weights, picture.visible),
        key=f"{key}-attention",
        title=f"{name}, layer {layer}",
        alt=f"Attention maps of the {len(picture.weights)} query heads of layer {layer} of {name} on {len(seen.tokens)} tokens",
        tokens=seen.tokens,
        groups=picture.groups or None,
        group_labels=[f"KV {g + 1}" for g in range(shared)] if picture.groups else (),
        answer=(likeliest, probability),
        hue=hue,
        config={**about(key, name, prompt, own), "layer": layer},
    )
    cut = f" The first {len(seen.tokens)} of {seen.total} tokens are read." if seen.total > len(seen.tokens) else ""
    panels.caption(
        f"**{name}, layer {layer}: {len(picture.weights)} query heads, {len(seen.tokens)} tokens.**{cut} "
        "Row = token asking, column = token read. Tap a head or a token to isolate it."
    )


def side(key: str, own: local.Opened, seen: local.Look) -> None:
    """What it expects next; what is kept, counted beside measured."""
    kept = seen.memory
    with panels.card("What it expects next", f"{key}-next"):
        rows = [Bar(text, p, "query", changed=not i) for i, (text, p) in enumerate(seen.likeliest)]
        panels.bars(rows, "Likeliest", "{:.3f}".format, of=1)
    with panels.card(f"Kept after {kept.tokens} tokens, in bytes", f"{key}-kept"):
        if kept.cache_counted:
            panels.check(kept.cache_counted, kept.cache_measured)
        if kept.state_counted:
            live.small("state, which does not grow")
            panels.check(kept.state_counted, kept.state_measured)
        here, dtype = "float32, as it runs", own.reading.cache_dtype
        released = here if dtype == "float32" else f"{dtype}, as its config says"
        live.compare(here, kept.measured, released, kept.released, binary)


def write(key: str, name: str, prompt: str, new: int, own: local.Opened) -> None:
    """What it writes, always the likeliest token, and its cache while it writes."""
    try:
        with st.spinner(f"{name} writes"):
            made = local.generate(name, prompt, new)
    except SpecError as error:
        return panels.error(str(error))
    live.heading("What it writes")
    end = " It ended there." if made.ended else ""
    st.html(f'<pre class="cw-source">{html.escape(prompt)}<b>{html.escape(made.text)}</b></pre>')
    panels.caption(f"**{len(made.tokens)} new tokens, each the likeliest.**{end}")
    if not made.cache.any():
        return
    lengths = np.arange(1, made.lengths[-1] + 1)
    line = kinds.Line(name, local.counted(own.spec, lengths), "kv", 2.6, "counted")
    growth = kinds.Growth((line,), name, lengths, made.lengths, made.cache, height=300)
    table = {
        "tokens": made.lengths, "new token": ("", *made.tokens), "probability": ("", *made.probability),
        "cache counted, B": local.counted(own.spec, made.lengths), "cache measured, B": made.cache,
    }  # fmt: skip
    alt = f"Cache bytes of {name} against tokens: the bytes measured while it writes lie on the counted line"
    fig = growth.figure(theme.colours(), theme.stroke())
    frame.figure(fig, key=f"{key}-growth", alt=alt, table=table, config=about(key, name, prompt, own))
    panels.caption("**The line is counted, rings are bytes in the tensors of the live model,** in float32 as it runs.")
