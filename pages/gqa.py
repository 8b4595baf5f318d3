"""Grouped-query attention: what if heads share their keys and values?"""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from app import controls, live, panels, state, theme
from app.figures import frame, kinds, sharing
from app.figures.maps import Tape, encode_probability, maps
from core.lessons import gqa as lesson
from core.lessons.common import USUAL_CONTEXT, model_name
from core.lessons.recall import LENGTHS, Scene, checkpoint_scene, finder, live_cost, measured_cache_bytes
from core.model.registry import question
from core.shape import diagram
from core.train import evidence, zoo
from core.train.mechanism import Spelling, at_pairs
from core.train.recipes import gqa as recipes
from core.train.tasks import recall
from core.units import binary, decimal, power

QUESTION = question("gqa")
ANSWER = "The cache shrinks by exactly the sharing factor; each query head still looks where it wants."
CORRECTION = "Sharing saves memory traffic, not attention arithmetic: the maps stay one per query head."

PRESETS = {"GPT-2: 8 of 8": {"kv_heads": 8}, "Llama 3: 2 of 8": {"kv_heads": 2}, "Multi-query: 1": {"kv_heads": 1}}
EXAMPLES = {
    "8 pairs": "ann lamp bo kite cy drum dan rope eva coin fay bell gus boat hal book ? bo gus",
    "3 pairs": "ann lamp bo kite cy drum ? bo",
    "20 pairs": recall.surprise(20, seed=7, asked=5),
    "48 pairs": recall.surprise(48, seed=3, asked=10),
}
HELP_KV = "How many sets of keys and values the 8 query heads share. 8: each its own (MHA); 1: all the same one (MQA)."
HELP_POSITIONS = "Rope turns queries and keys by their position. On heads of eight numbers it gets in the way of matching words."
HELP_MODEL = (
    "One layer with a short convolution, which hands each token its neighbours; or two layers without it, where the first layer "
    "must learn to look at the previous token: trained with 8 KV heads only."
)
KV = controls.Slider("kv_heads", "KV heads", lesson.KV_HEADS, 2, "kv", HELP_KV)
POSITIONS = controls.Choice("positions", "Positions", lesson.POSITIONS, lesson.NONE, help=HELP_POSITIONS)
MODEL = controls.Choice("model", "Model", lesson.MODELS, lesson.SHORT, help=HELP_MODEL)
PROMPT = live.names_and_things(EXAMPLES)
SPELLED = {key: sharing.label for key, sharing in recipes.SHARINGS.items()}
CONTEXT = power(USUAL_CONTEXT)


def kv_heads(variant: str) -> int:
    """How many KV heads a variant has."""
    return zoo.recipe(variant).spec.layers[0].mixer.kv_heads


def label(variant: str) -> str:
    """A sharing by its name in papers; GQA-2 has 2 KV heads."""
    return recipes.NAMES[kv_heads(variant)]


@dataclass(frozen=True)
class Choice:
    """What the controls hold."""

    kv_heads: int
    positions: str
    model: str
    text: str


def choose() -> Choice:
    """The controls: KV heads with presets; prompt, positions and model folded."""
    model = MODEL.peek()
    positions = lesson.placed(POSITIONS.peek(), model)
    said = recipes.UNTURNED if positions == lesson.NONE else positions
    with controls.row():
        if lesson.trained(model) == lesson.KV_HEADS:
            kv_heads = KV.draw()
            controls.presets("shape", PRESETS, "kv")
        else:
            kv_heads = lesson.HEADS
            panels.caption(f"**KV heads: {kv_heads}, {said}.** The two-layer model was trained with nothing else.")
        with controls.more(f"{PROMPT.example()} · {said} · {model}"):
            prompt = PROMPT.draw()
            with controls.row("further"):
                if lesson.trained(model) == lesson.KV_HEADS:
                    positions = POSITIONS.draw()
                model = MODEL.draw()
    return Choice(kv_heads, positions, model, prompt)


# See


def see(choice: Choice) -> None:
    """The live model on the reader's prompt."""
    prompt = live.parsed(choice.text, EXAMPLES["8 pairs"])
    variant = lesson.variant(choice.kv_heads, choice.positions, choice.model)
    scene = checkpoint_scene(variant, prompt)
    layer = controls.choice("layer", "Layer", (1, 2), 2) - 1 if choice.model == lesson.INDUCTION else 0
    left, right = panels.beside()
    with left:
        whole = checkpoint_scene(lesson.variant(lesson.HEADS, choice.positions, choice.model), prompt)
        chosen = picture(choice.kv_heads, layer, variant, scene, whole, choice.text)
        panels.caption(
            f"**8 query heads, {choice.kv_heads} KV head{'s' * (choice.kv_heads > 1)}, {len(scene.words)} tokens.** "
            "Heads under one orange line read the same {keys}. Row = token asking, column = token read. "
            "Tap a head or a token to isolate it.",
            keys=panels.term(
                "keys and values", "What a token leaves behind for later ones: a key to be found by, a value to be read."
            ),
        )
        verdict(scene)
    with right:
        side(choice.kv_heads, variant, scene, whole, chosen["head"])


def picture(kv_heads: int, layer: int, variant: str, scene: Scene, whole: Scene, text: str) -> dict:
    """Attention maps banded by group, the prompt, the cache filling beside that of the `whole` model without sharing."""
    last, share = scene.answers[-1], lesson.HEADS // kv_heads
    start = {"row": last.position, "step": len(scene.words)}
    chosen = maps(
        encode_probability(scene.run.attention[layer], scene.run.visible[layer]),
        key="attention",
        title=QUESTION,
        alt=f"Attention maps of 8 query heads in {kv_heads} groups on {len(scene.words)} tokens",
        tokens=scene.words,
        groups=[h // share for h in range(lesson.HEADS)],
        group_labels=[f"KV {g + 1}" for g in range(kv_heads)],
        **live.pointed(last),
        tape=Tape(tuple(f"KV {g + 1}" for g in range(kv_heads)), scene.cache_bytes, lesson.HEADS, whole.cache_bytes),
        selected=state.selection(start),
        aspect=1.45 if state.stage() else None,
        config=live.about(variant, prompt=text),
        stage=state.stage(),
    )
    state.keep_selection(chosen, start)
    return chosen


def verdict(scene: Scene) -> None:
    """What was asked, what the model said, which head found it."""
    live.answers([(a, finder(scene, a) if a.source >= 0 else None) for a in scene.answers])


def side(kv_heads: int, variant: str, scene: Scene, whole: Scene, head: int | None) -> None:
    """Wiring, the cache here, the cache of a real model."""
    colours, stroke, mixer = theme.colours(), theme.stroke(), zoo.recipe(variant).spec.layers[0].mixer
    with panels.card("Who reads whose keys", "wiring"):
        graph = diagram.wiring(mixer)
        table = {"query head": [n[1] + 1 for n, _ in graph.edges], "KV head": [g[1] + 1 for _, g in graph.edges]}
        alt = f"8 query heads above, each wired to one of {kv_heads} blocks of keys and values"
        frame.figure(sharing.wiring(graph, colours, head, stroke), key="wiring", alt=alt, table=table, config=live.about(variant))
    n = len(scene.words)
    here = live_cost(variant, n)
    with panels.card(f"Cache after {n} tokens", "cache"):
        live.compare("MHA", int(whole.cache_bytes[-1]), label(variant), here.cache_bytes)
        panels.check(here.cache_bytes, int(scene.cache_bytes[-1]))
        if here.state_bytes:
            live.small(f"plus {here.state_bytes:,} B of convolution columns, the same for every setting")
    real = lesson.real_model("llama3-8b", lesson.HEADS // kv_heads)
    with panels.card(f"The same move on {real.name}, {CONTEXT} tokens", "real"):
        live.compare("MHA", real.multi_head, f"{real.chosen} of {real.heads}", real.moved, binary)


# Count


def count(choice: Choice) -> None:
    """Memory and arithmetic against context, counted beside measured; then the real models."""
    variant, factor = lesson.variant(choice.kv_heads), lesson.HEADS // choice.kv_heads
    lengths, points = np.arange(1, 129), np.array(LENGTHS)
    lines, kept = lesson.cache_curves(lengths), measured_cache_bytes(variant)
    key = controls.pick("real", "Real model", lesson.dividing(factor), "llama3-8b", model_name)
    config = live.about(variant, kv_heads=choice.kv_heads, real_model=model_name(key))
    left, right = st.columns(2, gap="large")
    with left:
        live.heading("Our model: cache against tokens")
        drawn = kinds.lines(lines, variant, "kv", 2.6, label)
        growth = kinds.Growth(drawn, variant, lengths, points, kept, column="{} counted, B", height=300)
        kinds.show(growth, "growth", config)
        panels.caption(
            f"**{label(variant)}: {choice.kv_heads} of {lesson.HEADS} KV heads.** "
            "Lines are counted; rings are bytes in the tensors of the live model."
        )
        panels.check(int(lines[variant][points[-1] - 1]), int(kept[-1]))
    with right:
        live.heading(f"{model_name(key)}: arithmetic of one token")
        contexts = 2 ** np.arange(10, 18)
        full, shared = lesson.arithmetic(key, 1, contexts), lesson.arithmetic(key, factor, contexts)
        kinds.show(sharing.arithmetic(model_name(key), contexts, full, shared), "arithmetic", config)
        panels.caption(
            "**Attention is the same line, shared or not:** every query head still scores every token. "
            "Only the K and V projections shrink."
        )
    formula(key, factor)
    real_models(factor, config)


def formula(key: str, factor: int) -> None:
    """The cache formula with the numbers of this model put in."""
    f = lesson.formula(key, factor)
    live.heading(f"{f.name} at {f.context:,} tokens, 16-bit cache")
    st.latex(
        r"\begin{aligned} & \underbrace{2}_{K,V} \cdot \underbrace{%d}_{\text{layers}} \cdot "
        r"\underbrace{%d}_{\text{KV heads}} \cdot \underbrace{%d}_{\text{head width}} \cdot "
        r"\underbrace{%s}_{\text{tokens kept}} \cdot \underbrace{2\,\text{B}}_{\text{bf16}} \\ & = \text{%s} \end{aligned}"
        % (f.layers, f.kv_heads, f.width, live.digits(f.context), binary(f.bytes))
    )
    said = "gives the same" if f.bytes == f.released else f"counts the model as released, {binary(f.released)}"
    panels.caption(
        "**Convention.** Numbers kept for one sequence, in 16 bits; KiB, MiB and GiB are powers of 1024. "
        f"{decimal(f.bytes)} in powers of 1000. The command line {said}: " + "{code}.",
        code=f"<code>python -m core inspect {key} --context {f.context}</code>",
    )


def real_models(factor: int, config: dict) -> None:
    """Every model of the catalogue before and after."""
    rows = lesson.real_models(factor)
    live.heading(f"The same move on real models, {CONTEXT} tokens")
    names, sizes = (
        [r.name for r in rows],
        {f: np.array([getattr(r, f) for r in rows]) for f in ("multi_head", "moved", "released")},
    )
    subject = f"Cache of {len(rows)} real models at {CONTEXT} tokens, {factor} query heads a KV head"
    kinds.show(sharing.models(subject, names, **sizes, label=binary), "models", config)
    panels.caption(
        f"**{factor} query head{'s' * (factor > 1)} a KV head, one sequence of {USUAL_CONTEXT:,} tokens, 16-bit cache, "
        "whether or not the model was made for so long a context.** Log scale. "
        "Models whose heads do not divide by it, or that have other layers than attention, are left out."
    )


# Prove


def prove(_: Choice) -> None:
    """Our trained runs, the verdicts that follow from them, what papers printed."""
    report = evidence.report("gqa")
    command = {"command": report["command"]}
    live.verdicts(report, Spelling(SPELLED, at_pairs).number)
    groups = evidence.grouped("gqa", lesson.METRIC)
    left, right = st.columns(2, gap="large")
    with left:
        live.heading(f"Loss at {lesson.PAIRS} pairs: every seed")
        kinds.show(sharing.losses(groups, lambda v: str(kv_heads(v)), lesson.LOSS), "loss", command)
        sizes = ", ".join(f"{label(s.key)} {live_cost(s.key, 1).params_total:,}" for s in recipes.PLAIN)
        seeds = ", ".join(map(str, report["seeds"]))
        panels.caption(f"**Parameters: {sizes}.** Everything else is equal. Bars are means over seeds {seeds}.")
    with right:
        curves = {s.key: evidence.learning("gqa", s.key, lesson.METRIC) for s in recipes.PLAIN}
        hues = dict(zip(curves, ("soft", "kv", "kv", "kv")))
        live.learning(curves, label, hues, lesson.PAIRS, "sharings", command, written=str)
        panels.caption(f"**One line a seed, one dash a sharing.** The runs with {next(iter(groups))}.")
    live.published("gqa")


# Read


def read(_: Choice) -> None:
    """The glossary, the source that ran, papers."""
    live.reading("core/model/mixers/attention.py", listed=recipes.MECHANISM.papers)


# Who uses it


def users(_: Choice) -> None:
    """The catalogue's rows."""
    live.users(
        ("query heads", "KV heads", "sharing", "cache a token"),
        [(u["entry"], u["heads"], u["kv_heads"], u["sharing"], binary(u["token_bytes"])) for u in lesson.users()],
    )
    panels.caption(
        "**Every row is counted from the config as released**, 16-bit cache, all layers. Click a name for the model's own page."
    )


live.page(QUESTION, ANSWER, CORRECTION, choose, see, count, prove, read, users)
