"""The pictures of a live twin, layer by layer: its weights are random, what is drawn is who can read whom and what is kept."""

from app import bench, live, panels, state
from app.figures.maps import encode_probability, encode_signed, maps
from core.lessons import workbench as lesson

RANDOM = (
    "The twin's weights are random: it shows the structure, who can read whom, what is sent where and what is kept, and nothing "
    "that a trained model would have learned. Words become tokens by a hash."
)


def show(scene: lesson.Scene, at: int, text: str) -> None:
    """Attention, what a recurrence lets through, where tokens are sent, the memory."""
    p = scene.pictures[at]
    about = {"model": scene.spec.name, "prompt": text, "layer": p.label, "weights": "random", "link": bench.here()}
    shared = {"config": about, "stage": state.stage(), "report": False}
    first = p.attention if p.attention is not None else p.effective if p.effective is not None else p.gates
    prompt = {"tokens": scene.words}
    named = {"rows": scene.words, "cols": scene.words}
    if p.attention is not None:
        live.heading("Who reads whom")
        groups = {"groups": list(p.groups), "group_labels": [f"KV {g + 1}" for g in range(max(p.groups) + 1)]} if p.groups else {}
        maps(
            encode_probability(p.attention, p.visible), key=f"twin-attention-{at}", title=f"Attention of {p.label}",
            alt=f"Attention maps of {len(p.attention)} heads on {len(scene.words)} tokens, random weights", stepping=False,
            hue=p.hue if p.hue in ("kv", "latent", "window") else "kv", **groups, **prompt, **shared,
        )  # fmt: skip
    if p.effective is not None:
        live.heading("What the state lets through")
        limit = lesson.limit(p.effective)
        maps(
            encode_signed(p.effective, limit, lesson.below(p.effective)), key=f"twin-effective-{at}", stepping=False,
            title=f"What {p.label} lets through", scale="signed", limit=limit, hue="state", verb="takes", **shared,
            **(prompt if first is p.effective else named),
            alt=f"How much of each token's value is in each output, {len(p.effective)} heads, random weights",
        )  # fmt: skip
    if p.gates is not None:
        live.heading("Which experts each word goes to")
        maps(
            encode_probability(p.gates.T[None]), key=f"twin-routing-{at}", title="Routing", stepping=False, columns=1, aspect=3.2,
            rows=[f"expert {e + 1}" for e in range(p.gates.shape[1])], labels=["share of each expert"], hue="routed",
            verb="takes", alt=f"Which of {p.gates.shape[1]} experts each token goes to, and with which share", **shared,
            **(prompt if first is p.gates else {"cols": scene.words}),
        )  # fmt: skip
    if p.state is not None:
        live.heading("The memory after the last word")
        limit = lesson.limit(p.state)
        maps(
            encode_signed(p.state, limit), key=f"twin-state-{at}", title="Memory after the last token", scale="signed",
            limit=limit, stepping=False, rows=[f"k {i + 1}" for i in range(p.state.shape[1])], hue="state", verb="holds",
            cols=[f"v {i + 1}" for i in range(p.state.shape[2])], config=about, stage=state.stage(), report=False,
            alt=f"The memory of {len(p.state)} heads after the last token, {p.state.shape[1]} by {p.state.shape[2]} numbers each",
        )  # fmt: skip
    if lesson.still(p):
        panels.caption(f"**{p.label}.** This layer keeps and mixes nothing that a map could show: every token by itself.")
    lead = f"**Layer {at + 1} of the twin, {len(scene.words)} tokens, {{random}}.**"
    panels.caption(lead, random=panels.term("random weights", RANDOM))
