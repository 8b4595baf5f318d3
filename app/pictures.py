"""The pictures of a live twin, layer by layer: its weights are random, what is drawn is who can read whom and what is kept."""

import numpy as np

from app import bench, live, panels
from app.figures.maps import encode_probability, encode_signed
from core.lessons import workbench as lesson

RANDOM = (
    "The twin's weights are random: it shows the structure, who can read whom, what is sent where and what is kept, and nothing "
    "that a trained model would have learned. Words become tokens by a hash."
)


def show(scene: lesson.Scene, at: int, text: str) -> None:
    """Attention, what a recurrence lets through, where tokens are sent, the memory."""
    p, words = scene.pictures[at], scene.words
    about = {"model": scene.spec.name, "prompt": text, "layer": p.label, "weights": "random", "link": bench.here()}

    def picture(kind: str, cells: np.ndarray, **content) -> None:
        live.second_picture(cells, key=f"twin-{kind}-{at}", config=about, stepping=False, **content)

    if p.attention is not None:
        live.heading("Who reads whom")
        groups = {"groups": list(p.groups), "group_labels": [f"KV {g + 1}" for g in range(max(p.groups) + 1)]} if p.groups else {}
        picture(
            "attention", encode_probability(p.attention, p.visible), title=f"Attention of {p.label}", tokens=words, **groups,
            alt=f"Attention maps of {len(p.attention)} heads on {len(words)} tokens, random weights",
            hue=p.hue if p.hue in ("kv", "latent", "window") else "kv",
        )  # fmt: skip
    if p.effective is not None:
        live.heading("What the state lets through")
        limit = lesson.limit(p.effective)
        picture(
            "effective", encode_signed(p.effective, limit, lesson.below(p.effective)), title=f"What {p.label} lets through",
            alt=f"How much of each token's value is in each output, {len(p.effective)} heads, random weights",
            scale="signed", limit=limit, hue="state", verb="takes",
            **({"tokens": words} if p.attention is None else {"rows": words, "cols": words}),
        )  # fmt: skip
    if p.gates is not None:
        live.heading("Which experts each word goes to")
        many = p.gates.shape[1]
        picture(
            "routing", encode_probability(p.gates.T[None]), title="Routing", columns=1, aspect=3.2, hue="routed", verb="takes",
            alt=f"Which of {many} experts each token goes to, and with which share", labels=["share of each expert"],
            rows=[f"expert {e + 1}" for e in range(many)],
            **({"tokens": words} if p.attention is None and p.effective is None else {"cols": words}),
        )  # fmt: skip
    if p.state is not None:
        live.heading("The memory after the last word")
        limit, (heads, height, width) = lesson.limit(p.state), p.state.shape
        picture(
            "state", encode_signed(p.state, limit), title="Memory after the last token", scale="signed", limit=limit,
            alt=f"The memory of {heads} heads after the last token, {height} by {width} numbers each", hue="state",
            rows=[f"k {i + 1}" for i in range(height)], cols=[f"v {i + 1}" for i in range(width)], verb="holds",
        )  # fmt: skip
    if lesson.still(p):
        panels.caption(f"**{p.label}.** This layer keeps and mixes nothing that a map could show: every token by itself.")
    lead = f"**Layer {at + 1} of the twin, {len(words)} tokens, {{random}}.**"
    panels.caption(lead, random=panels.term("random weights", RANDOM))
