"""Grouped-query attention: what if heads share their keys and values?"""

from dataclasses import dataclass, replace

import numpy as np

from app import controls, live, panels, state, theme
from app.figures import frame, kinds, sharing
from app.figures.maps import Tape, encode_probability
from core.lessons import gqa as lesson
from core.lessons.common import USUAL_CONTEXT, USUAL_CONTEXT_TEXT, column, model_name
from core.lessons.recall import LENGTHS, Scene, checkpoint_scene, finder, live_cost, measured_cache_bytes
from core.shape import diagram
from core.train import evidence, zoo
from core.train.mechanism import Spelling, at_pairs
from core.train.recipes import gqa as recipes
from core.train.tasks import recall
from core.units import binary, decimal, exact

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
LAYER = controls.Choice("layer", "Layer", (1, 2), 2)
SPELLING = Spelling({key: sharing.label for key, sharing in recipes.SHARINGS.items()}, at_pairs)


def label(variant: str) -> str:
    """A sharing by its name in papers; GQA-2 has 2 KV heads."""
    return recipes.NAMES[recipes.SHARINGS[variant].kv_heads]


@dataclass(frozen=True)
class Choice:
    """What the controls hold."""

    kv_heads: int
    positions: str
    model: str
    text: str
    real: str = ""  # the real model that is counted

    @property
    def variant(self) -> str:
        """The checkpoint that runs."""
        return lesson.variant(self.kv_heads, self.positions, self.model)

    @property
    def whole(self) -> str:
        """The same without sharing."""
        return lesson.variant(lesson.HEADS, self.positions, self.model)

    @property
    def factor(self) -> int:
        """Query heads that share a KV head."""
        return lesson.HEADS // self.kv_heads

    @property
    def config(self) -> dict:
        """What goes into an exported figure of counts."""
        return live.about(self.variant, kv_heads=self.kv_heads, real_model=model_name(self.real))


def choose() -> Choice:
    """The controls: KV heads with presets; prompt, positions and model folded."""
    model = MODEL.peek()
    positions = lesson.placed(POSITIONS.peek(), model)
    words = recipes.UNTURNED if positions == lesson.NONE else positions
    with controls.row():
        if lesson.trained(model) == lesson.KV_HEADS:
            kv_heads = KV.draw()
            controls.presets("shape", PRESETS, "kv")
        else:
            kv_heads = lesson.HEADS
            panels.caption(f"**KV heads: {kv_heads}, {words}.** The two-layer model was trained with nothing else.")
        with controls.more(f"{PROMPT.example()} · {words} · {model}"):
            prompt = PROMPT.draw()
            with controls.row("further"):
                if lesson.trained(model) == lesson.KV_HEADS:
                    positions = POSITIONS.draw()
                model = MODEL.draw()
    return Choice(kv_heads, positions, model, prompt)


# See


def see(choice: Choice) -> None:
    """The live model on the reader's prompt."""
    prompt = live.parsed(choice.text, PROMPT.default)
    scene = checkpoint_scene(choice.variant, prompt)
    layer = LAYER.draw() - 1 if choice.model == lesson.INDUCTION else 0
    left, right = panels.beside()
    with left:
        whole = checkpoint_scene(choice.whole, prompt)
        chosen = picture(choice, layer, scene, whole)
        panels.caption(
            f"**8 query heads, {choice.kv_heads} KV head{'s' * (choice.kv_heads > 1)}, {len(scene.words)} tokens.** "
            "Heads under one orange line read the same {keys}. Row = token asking, column = token read. "
            "Tap a head or a token to isolate it.",
            keys=panels.term(
                "keys and values", "What a token leaves behind for later ones: a key to be found by, a value to be read."
            ),
        )
        live.answers([(a, finder(scene, a) if a.source >= 0 else None) for a in scene.answers])
    with right:
        side(choice, scene, whole, chosen["head"])


def picture(choice: Choice, layer: int, scene: Scene, whole: Scene) -> dict:
    """Attention maps banded by group, the prompt, the cache filling beside that of the `whole` model without sharing."""
    last, names = scene.answers[-1], tuple(f"KV {g + 1}" for g in range(choice.kv_heads))
    return live.picture(
        encode_probability(scene.run.attention[layer], scene.run.visible[layer]),
        {"row": last.position, "step": len(scene.words)},
        last,
        key="attention",
        alt=f"Attention maps of 8 query heads in {choice.kv_heads} groups on {len(scene.words)} tokens",
        tokens=scene.words,
        groups=[h // choice.factor for h in range(lesson.HEADS)],
        group_labels=names,
        tape=Tape(names, scene.cache_bytes, lesson.HEADS, whole.cache_bytes),
        aspect=1.45 if state.stage() else None,
        config=live.about(choice.variant, prompt=choice.text),
    )


def side(choice: Choice, scene: Scene, whole: Scene, head: int | None) -> None:
    """Wiring, the cache here, the cache of a real model."""
    colours, stroke, variant = theme.colours(), theme.stroke(), choice.variant
    with panels.card("Who reads whose keys", "wiring"):
        graph = diagram.wiring(lesson.attentions(zoo.recipe(variant).spec)[0])
        table = {"query head": [n[1] + 1 for n, _ in graph.edges], "KV head": [g[1] + 1 for _, g in graph.edges]}
        alt = f"8 query heads above, each wired to one of {choice.kv_heads} blocks of keys and values"
        frame.figure(sharing.wiring(graph, colours, head, stroke), key="wiring", alt=alt, table=table, config=live.about(variant))
    n = len(scene.words)
    here = live_cost(variant, n)
    with panels.card(f"Cache after {n} tokens", "cache"):
        live.compare("MHA", int(whole.cache_bytes[-1]), recipes.NAMES[choice.kv_heads], here.cache_bytes, exact)
        panels.check(here.cache_bytes, int(scene.cache_bytes[-1]))
        if here.state_bytes:
            live.small(f"plus {here.state_bytes:,} B of convolution columns, the same for every setting")
    real = lesson.dividing_model("llama3-8b", choice.factor)
    with panels.card(f"The same move on {real.name}, {USUAL_CONTEXT_TEXT} tokens", "real"):
        live.compare("MHA", real.multi_head, f"{real.chosen} of {real.heads}", real.moved, binary)


# Count


def count(choice: Choice) -> None:
    """Memory and arithmetic against context, counted beside measured; then the real models. The live model has no positions."""
    real = controls.Pick("real", "Real model", lesson.dividing(choice.factor), "llama3-8b", name=model_name).draw()
    plain = replace(choice, positions=lesson.NONE, model=lesson.SHORT, real=real)
    live.stacked((growth, arithmetic), formula, real_models)(plain)


def growth(choice: Choice) -> None:
    """The live model's cache against tokens."""
    lengths, points = np.arange(1, 129), np.array(LENGTHS)
    lines = {s.key: np.array([live_cost(s.key, int(n)).cache_bytes for n in lengths]) for s in recipes.PLAIN}
    measured = measured_cache_bytes(choice.variant)
    drawn = kinds.lines(lines, choice.variant, "kv", 2.6, label)
    words = (
        f"**{label(choice.variant)}: {choice.kv_heads} of {lesson.HEADS} KV heads.** "
        "Lines are counted; rings are bytes in the tensors of the live model."
    )
    grown = kinds.Growth(drawn, choice.variant, lengths, points, measured, column="{} counted, B", height=300)
    live.growth("Our model: cache against tokens", grown, choice.config, words)


def arithmetic(choice: Choice) -> None:
    """FLOPs of one decode step of the real model, shared and not."""
    live.heading(f"{model_name(choice.real)}: arithmetic of one token")
    contexts = 2 ** np.arange(10, 18)
    full, shared = lesson.arithmetic(choice.real, 1, contexts), lesson.arithmetic(choice.real, choice.factor, contexts)
    kinds.show(sharing.arithmetic(model_name(choice.real), contexts, full, shared), "arithmetic", choice.config)
    panels.caption(
        "**Attention is the same line, shared or not:** every query head still scores every token. "
        "Only the K and V projections shrink."
    )


def formula(choice: Choice) -> None:
    """The cache formula with the numbers of this model put in."""
    f = lesson.formula(choice.real, choice.factor)
    same = "gives the same" if f.bytes == f.released else f"counts the model as released, {binary(f.released)}"
    live.formula(
        f"{f.name} at {f.context:,} tokens, 16-bit cache",
        r"\begin{aligned} & \underbrace{2}_{K,V} \cdot \underbrace{%d}_{\text{layers}} \cdot "
        r"\underbrace{%d}_{\text{KV heads}} \cdot \underbrace{%d}_{\text{head width}} \cdot "
        r"\underbrace{%s}_{\text{tokens kept}} \cdot \underbrace{2\,\text{B}}_{\text{bf16}} \\ & = \text{%s} \end{aligned}"
        % (f.layers, f.kv_heads, f.width, live.digits(f.context), binary(f.bytes)),
        "**Convention.** Numbers kept for one sequence, in 16 bits; KiB, MiB and GiB are powers of 1024. "
        f"{decimal(f.bytes)} in powers of 1000. The command line {same}: {{code}}.",
        f"{choice.real} --context {f.context}",
    )


def real_models(choice: Choice) -> None:
    """Every model of the catalogue before and after."""
    rows = lesson.real_models(choice.factor)
    live.heading(f"The same move on real models, {USUAL_CONTEXT_TEXT} tokens")
    sizes = {part: column(rows, part) for part in ("multi_head", "moved", "released")}
    subject = f"Cache of {len(rows)} real models at {USUAL_CONTEXT_TEXT} tokens, {choice.factor} query heads a KV head"
    kinds.show(sharing.models(subject, [r.name for r in rows], **sizes, label=binary), "models", choice.config)
    panels.caption(
        f"**{choice.factor} query head{'s' * (choice.factor > 1)} a KV head, one sequence of {USUAL_CONTEXT:,} tokens, 16-bit "
        "cache, whether or not the model was made for so long a context.** Log scale. "
        "Models whose heads do not divide by it, or that have other layers than attention, are left out."
    )


# Prove


def losses(_: Choice) -> None:
    """Loss of every run at the end."""
    live.heading(f"Loss at {lesson.PAIRS} pairs: every seed")
    groups, number = evidence.grouped("gqa", lesson.METRIC), lambda v: str(recipes.SHARINGS[v].kv_heads)
    kinds.show(sharing.losses(groups, number, lesson.LOSS), "loss", live.again(recipes.MECHANISM))
    sizes = ", ".join(f"{label(s.key)} {live_cost(s.key, 1).params_total:,}" for s in recipes.PLAIN)
    panels.caption(f"**Parameters: {sizes}.** Everything else is equal. Bars are means over seeds {evidence.seeds_text('gqa')}.")


def learning(_: Choice) -> None:
    """Loss while training."""
    curves = {s.key: evidence.learning("gqa", s.key, lesson.METRIC) for s in recipes.PLAIN}
    hues = dict(zip(curves, ("soft", "kv", "kv", "kv")))
    config = live.again(recipes.MECHANISM)
    live.learning(curves, label, hues, lesson.PAIRS, "sharings", config, written=str)
    panels.caption(
        f"**One line a seed, one dash a sharing.** The runs with {next(iter(evidence.grouped('gqa', lesson.METRIC)))}."
    )


# Who uses it


def users(_: Choice) -> None:
    """The catalogue's rows."""
    live.users(
        ("query heads", "KV heads", "sharing", "cache a token"),
        [(u["entry"], u["heads"], u["kv_heads"], u["sharing"], binary(u["token_bytes"])) for u in lesson.users()],
        "**Every row is counted from the config as released**, 16-bit cache, all layers. Click a name for the model's own page.",
    )


live.page(
    ANSWER, CORRECTION, choose, see, count, live.proof(recipes.MECHANISM, (losses, learning), name=SPELLING.number),
    live.reading("core/model/mixers/attention.py", listed=recipes.MECHANISM.papers), users,
)  # fmt: skip
