"""State space models: Mamba, Mamba-2 and the hybrids built on them."""

from dataclasses import dataclass

import numpy as np

from app import controls, live, panels, state, theme
from app.figures import delta, frame, kinds
from app.figures import ladder as ladder_figures
from app.figures import mamba as figures
from app.figures.maps import encode_probability, encode_signed
from core.lessons import mamba as lesson
from core.lessons.common import AXIS, column, memory_bytes, model_name, spec_of, totals
from core.lessons.recall import LENGTHS, live_bytes, live_curve, live_smaller, measured_memory
from core.lessons.recurrent import Watched, watch
from core.real import catalogue
from core.shape import ladder
from core.train.recipes.mamba import MECHANISM
from core.train.tasks import recall
from core.units import binary, exact

ANSWER = "A memory of fixed size that fades, and into which each token is added by an amount that the token itself decides."
CORRECTION = "It fades and adds; unlike a delta rule it never takes one thing out to put another in, so it fills up."

EXAMPLES = {
    "8 pairs": "ann lamp bo kite cy drum dan rope eva coin fay bell gus boat hal book ? bo gus",
    "3 pairs": "ann lamp bo kite cy drum ? bo",
    "one name twice": "ann lamp bo kite cy drum ann coin dan rope ? ann bo",
    "24 pairs": recall.surprise(24, seed=4, asked=3),
}
HELP_STATE = (
    "How many numbers each channel keeps, whatever the length of the text (N, d_state). Each size was trained on its own."
)
HELP_SHARE = "None: two layers of Mamba-2. 1 of 4: three layers of Mamba-2, then one of attention, trained with a state of 16."
HELP_MASK = (
    "What is left at a token's row of each token before it: the product of all decays between. 1 everywhere below the diagonal "
    "means that nothing fades; the decays come from the tokens themselves."
)
HELP_STEP = (
    "How much of a token enters, and at once how far the past fades: both grow with it. The model makes one a token and head."
)
STATE = controls.Slider("state", "State", lesson.STATES, lesson.TYPICAL, "state", HELP_STATE)
SHARE = controls.Choice("share", "Attention", lesson.SHARES, lesson.PURE, "kv", HELP_SHARE)
REAL = controls.Pick("real", "Real model", lesson.hybrids(), lesson.default_hybrid(), name=model_name)
PROMPT = live.names_and_things(EXAMPLES)
LOSS_TEXT = "Everything but layers, state and steps is equal."
MIXED_UP = (
    "**Input-dependent decay is not the delta rule.** Mamba-2 chooses how far everything fades; it does not erase along one key.",
    "**Jamba's layers are Mamba, the first of its kind,** with a decay for every number; the others here are Mamba-2.",
    "**A share of attention depends on what is counted.** Nemotron-H counts its feed-forward layers as well, which makes it "
    "small; among the layers that mix tokens it is larger. The table under Who uses it says both.",
    "**Falcon-H1 saves no cache by its Mamba-2:** it stands beside attention in every layer, not in its place.",
)


@dataclass(frozen=True)
class Choice:
    """What the controls hold."""

    share: str
    size: int
    key: str
    context: int
    text: str

    @property
    def variant(self) -> str:
        """The checkpoint that runs."""
        return lesson.variant(self.share, self.size)

    @property
    def config(self) -> dict:
        """What goes into an exported figure of counts."""
        return live.about(self.variant, model=model_name(self.key), context=self.context)


def choose() -> Choice:
    """The controls: state and share of attention with presets; real model, context and prompt folded."""
    with controls.row():
        if len(lesson.trained(SHARE.peek())) > 1:
            size = STATE.draw()
        else:
            size = lesson.TYPICAL
            panels.caption(f"**State: {size}.** The hybrid was trained with nothing else.")
        share = SHARE.draw()
        with controls.presets_first("model", presets(), "state"):
            key, context, prompt = live.model_and_prompt(REAL, "128k", PROMPT)
    return Choice(share, size, key, context, prompt)


def presets() -> dict[str, dict]:
    """Real hybrids: each sets the share of attention and the model that is counted."""
    names = {"Nemotron-H": "nemotron-h-8b", "Granite 4": "granite-4.0-h-small", "Jamba": "jamba-v0.1"}
    return {name: {"share": lesson.HYBRID, "real": key} for name, key in names.items() if key in lesson.hybrids()}


# See


def see(choice: Choice) -> None:
    """The live model on the reader's prompt."""
    prompt = live.parsed(choice.text, PROMPT.default)
    variant = choice.variant
    shown = watch(variant, prompt)
    left, right = panels.beside()
    with left:
        depth = tuple(range(1, len(shown.layers) + 1))
        number = controls.Choice("layer", "Layer", depth, lesson.opening(variant)).draw()
        layer = shown.layers[number - 1]
        chosen = (duality if layer.implicit else attention)(choice, number, shown)
        live.answers([(a, None) for a in shown.scene.answers])
    with right:
        if layer.implicit:
            head = lesson.strongest(layer) if chosen["head"] is None else chosen["head"] % len(layer.memory[0])
            remembered(variant, number, head, chosen["step"], shown)
        side(choice, shown)


def picture(choice: Choice, shown: Watched, cells: np.ndarray, start: dict, **content) -> dict:
    """What both pictures have in common."""
    n, attending = len(shown.words), [i for i, layer in enumerate(shown.layers, 1) if not layer.implicit]
    memory, whole = shown.scene.memory_bytes, live_curve(lesson.ATTENTION[choice.share], np.arange(1, n + 1))
    return live.picture(
        cells,
        {"step": n} | start,
        shown.scene.answers[-1],
        key="dual",
        tokens=shown.words,
        hue="state",
        columns=4,
        tape=live.memory_tape(attending, len(shown.layers), memory, whole, {"state": "no layer grows"}),
        aspect=2.1 if state.stage() else 1.25,
        config=live.about(choice.variant, prompt=choice.text),
        **content,
    )


def duality(choice: Choice, number: int, shown: Watched) -> dict:
    """The decay mask of each head, and below it the recurrence written out as attention."""
    layer, n = shown.layers[number - 1], len(shown.words)
    dual = lesson.dual(layer)
    heads, (low, high) = len(dual.mask), dual.left
    answer = {"head": heads + lesson.strongest(layer), "row": shown.scene.answers[-1].position}
    chosen = picture(
        choice,
        shown,
        encode_probability(np.concatenate([dual.mask, dual.strength]), np.tri(n, dtype=bool)),
        {} if state.stage() else answer,  # there all panels must fit one screen
        alt=f"Decay masks of {heads} heads in layer {number} on {n} tokens, and below each the attention that it amounts to",
        labels=[f"head {h + 1}" for h in range(heads)] * 2,
        groups=[0] * heads + [1] * heads,
        group_labels=["decay mask", "written out"],
        verb="holds",
    )
    panels.caption(
        f"**{lesson.described(choice.variant)}, layer {number}, {n} tokens.** Under the single line: {{mask}}. Under the double "
        "line "
        "that mask times how well what a token asks fits what another wrote, times its {step}: an attention matrix that the "
        "model never builds, as shares of each row without sign. Row = token asking, column = token held. "
        f"Of what the first token wrote, {low:.0%} to {high:.0%} is left at the last one, by head.",
        mask=panels.term("decay masks", HELP_MASK),
        step=panels.term("step size", HELP_STEP),
    )
    panels.near(
        "state, token by token, and matrix, all at once, give the same output: largest relative difference", dual.difference
    )
    return chosen


def attention(choice: Choice, number: int, shown: Watched) -> dict:
    """The layer of the hybrid that attends."""
    weights, n = shown.layers[number - 1].weights, len(shown.words)
    chosen = picture(
        choice,
        shown,
        encode_probability(weights, np.tri(n, dtype=bool)),
        {"row": shown.scene.answers[-1].position},
        alt=f"Attention maps of {len(weights)} heads in layer {number} on {n} tokens",
        labels=[f"head {h + 1}" for h in range(len(weights))],
    )
    panels.caption(
        f"**{lesson.described(choice.variant)}, layer {number}: attention, {n} tokens.** The one layer that keeps every token."
    )
    return chosen


def remembered(variant: str, number: int, head: int, step: int, shown: Watched) -> None:
    """What a head chose to remember, and its state after the token that is stepped to."""
    layer, words = shown.layers[number - 1], shown.words
    sizes = lesson.step_sizes(layer, head)
    with panels.card(f"What head {head + 1} chose to remember", "steps"):
        largest = sizes.largest(3)
        fig = figures.steps(words, sizes.size, sizes.left, largest, step - 1, theme.colours(), theme.stroke())
        table = {"token": np.arange(1, len(words) + 1), "word": words, "step size": sizes.size, "left at the end": sizes.left}
        alt = f"Step size of each of {len(words)} tokens in head {head + 1}; largest at {', '.join(words[t] for t in largest)}"
        frame.figure(fig, key="steps", alt=alt, table=table, config=live.about(variant))
        live.small("bar: step size of a token; its full colour: what is left of that at the end of the text")
    memory = layer.memory[:, head]  # (T, N, P)
    with panels.card(f"Its state: {memory.shape[1]} × {memory.shape[2]} numbers", "memory"):
        limit = float(np.abs(memory).max()) or 1.0
        live.second_picture(
            encode_signed(memory[:, None], limit),
            key="memory",
            title=f"State of head {head + 1}",
            alt=f"State of head {head + 1} in layer {number} after each of {len(words)} tokens",
            scale="signed",
            limit=limit,
            rows=[f"{i + 1}" for i in range(memory.shape[1])],
            cols=[f"{i + 1}" for i in range(memory.shape[2])],
            labels=["rows: numbers of a channel, columns: channels"],
            columns=1,
            aspect=1.7,
            hue="state",
            verb="holds, in channel",
            selected={"step": step},
            config=live.about(variant),
        )


def side(choice: Choice, shown: Watched) -> None:
    """What is kept here and by a real model."""
    n = len(shown.words)
    mine, whole = live_bytes(choice.variant, n), live_bytes(lesson.ATTENTION[choice.share], n)
    with panels.card(f"Memory after {n} tokens", "cache"):
        rows = [panels.Bar("attention alone", whole), panels.Bar("this model", mine, "state", True)]
        panels.bars(rows, "attention in every layer against this model", exact)
        panels.check(mine, int(shown.scene.memory_bytes[-1]))
        live.small(f"less than attention from {live_smaller(choice.variant, lesson.ATTENTION[choice.share])} tokens on")
    r = lesson.real_model(choice.key, choice.context)
    with panels.card(f"{r.name}, {choice.context:,} tokens", "real"):
        parts = panels.Bar("its cache", r.cache, "kv", True), panels.Bar("its state", r.state, "state", True)
        whole = max(r.whole, r.total)
        panels.bars([panels.Bar("attention alone", r.whole), *parts], "attention alone against as released", binary, whole)
        live.small(
            f"less than attention alone from {r.crossover:,} tokens on"
            if r.crossover
            else "every layer attends as well: no cache is saved"
        )


# Count


def ladders(choice: Choice) -> None:
    """Real hybrids layer by layer, and a layout whose weights nobody has."""
    live.heading(f"Real hybrids, layer by layer, at {choice.context:,} tokens")
    shown = {model_name(key): spec_of(key) for key in lesson.LADDERS if key in lesson.hybrids()}
    models = ladder.ladders(shown, choice.context)
    fig = ladder_figures.ladders(models, theme.colours(), theme.stroke())
    alt = f"Layers of {', '.join(models)}, first at the bottom: what each is and keeps; only layers that attend have a cache"
    frame.figure(fig, key="ladders", alt=alt, table=ladder.table(models), config=choice.config)
    panels.caption(
        "**A rung is a layer; the bar beside it is what it keeps.** Only rungs that attend have a cache that grows with context; "
        "a state's bar stays as it is."
    )
    found = lesson.layout()
    total, hues = sum(found.values()), {"Mamba-2": "state", "attention": "kv", "MoE": "routed"}
    with panels.card("Hunyuan-TurboS, base of Hunyuan-T1: a published layout, no weights", "layout"):
        rows = [panels.Bar(kind, n, hues[kind]) for kind, n in found.items()]
        panels.bars(rows, "layers by kind", lambda n: f"{n} of {total} layers", total)
        live.small("Counts of layers as its paper prints them. Without a config nothing here can be counted, run or checked.")


def ours(choice: Choice) -> None:
    """The live model's memory against tokens."""
    lengths, points = np.arange(1, 129), np.array(LENGTHS)
    variant, alone = choice.variant, lesson.ATTENTION[choice.share]
    whole, own, values = live_curve(alone, lengths), live_curve(variant, lengths), measured_memory(variant)
    names, cross = ("attention in every layer", lesson.described(variant)), live_smaller(variant, alone)
    words = (
        f"**{names[1]}: less from {cross} tokens on.** Lines are counted, cache and state together; rings are bytes in the "
        "tensors of the live model, all in 32 bits."
    )
    live.growth(
        "Our model: memory against tokens", delta.growth(lengths, whole, own, points, values, cross, names), choice.config, words
    )


def theirs(choice: Choice) -> None:
    """A real hybrid's memory against context, and where it meets attention alone."""
    contexts, r = 2 ** np.arange(6, 21), lesson.real_model(choice.key, 1)
    name, cross = r.name, r.crossover
    live.heading(f"{name}: memory against context")
    whole, own = totals(lesson.attentive(choice.key), contexts), totals(spec_of(choice.key), contexts)
    heads, more = ("attention alone, B", "as released, B"), {"its state, B": np.full(len(contexts), r.state)}
    drawn = delta.memory(name, contexts, whole, own, AXIS, cross, binary, columns=heads, more=more)
    kinds.show(drawn, "memory", choice.config)
    below = f"Below {cross:,} tokens its state is the larger memory."
    panels.caption(
        f"**{below if cross else 'It always keeps more: every layer attends as well.'}** Compared with its own attention in the "
        "place of every Mamba layer. Both axes are logarithmic."
    )


def formula(choice: Choice) -> None:
    """What a real hybrid keeps, with its numbers put in."""
    f, d = lesson.formula(choice.key, choice.context), live.digits
    live.formula(
        f"{f.name} at {choice.context:,} tokens",
        r"\begin{aligned} \text{cache} = {} & \underbrace{%s}_{\text{attention}} \cdot 2 \cdot \underbrace{%s}_{\text{KV heads}} "
        r"\cdot \underbrace{%s}_{\text{width}} \cdot \underbrace{%s}_{\text{tokens}} \\ "
        r"{} & \cdot 2\,\text{B} = \text{%s} \\ \text{state} = {} & "
        r"\underbrace{%s}_{\text{Mamba}} \cdot \underbrace{%s}_{\text{channels}} \cdot \underbrace{%s}_{N} \cdot 4\,\text{B} \\ "
        r"{} & + \underbrace{%s}_{\text{columns}} \cdot 2\,\text{B} \\ = {} & \text{%s} \end{aligned}"
        % (
            d(f.attention), d(f.kv_heads), d(f.width), d(f.context), binary(f.cache_bytes),
            d(f.mamba), d(f.inner), d(f.state), d(f.columns), binary(f.state_bytes),
        ),
        "**Convention.** One sequence; recurrent state in 32 bits, cache and columns of the convolution in 16; KiB, MiB and GiB "
        "are powers of 1024. The command line gives the same: {code}.",
        f"{choice.key} --context {choice.context}",
    )  # fmt: skip


def real_models(choice: Choice) -> None:
    """Every hybrid of the catalogue."""
    rows, context = lesson.real_models(choice.context), choice.context
    live.heading(f"Real hybrids at {context:,} tokens")
    names = [r.name for r in rows]
    whole, cache, states = (column(rows, part) for part in ("whole", "cache", "state"))
    fig = delta.models(names, whole, states, cache, binary, theme.colours(), theme.stroke())
    alt = f"State and cache of {len(rows)} real hybrids at {context:,} tokens, beside attention in the place of Mamba"
    table = {"model": names, "attention alone, B": whole, "cache, B": cache, "state, B": states}
    frame.figure(fig, key="models", alt=alt, table=table, config=choice.config)
    panels.caption(
        f"**One sequence of {context:,} tokens, whether or not the model was made for so long a context.** A ring is the same "
        "model with its attention in the place of every Mamba layer."
    )


# Prove


def recall_text() -> str:
    """How the models were trained, and what their gaps mean."""
    return (
        f"Two layers of Mamba-2 with a state of N numbers a channel, {lesson.trained_steps()}. Seeds differ: some of a gap is "
        "how "
        "well a run learned, not what fits."
    )


# Who uses it


def users(choice: Choice) -> None:
    """The catalogue's rows."""
    rows = [(catalogue.entries()[k], lesson.layer_counts(k), memory_bytes(spec_of(k), choice.context)) for k in lesson.users()]
    live.users(
        ("layers", "of which", "attend", "of all", "of those that mix", "state", f"cache at {choice.context:,}"),
        [
            (
                e, n.total, f"{n.mamba} {n.kind}", n.attention, f"{n.of_layers:.0%}", f"{n.of_mixers:.0%}", binary(state_),
                binary(cache) if cache else "none",
            )
            for e, n, (cache, state_) in rows
        ],
        f"**Every row is counted from the config as released**, {choice.context:,} tokens, 16-bit cache, recurrent state in "
        "32 bits. "
        "Layers that stand side by side count in both columns. Click a name for the model's own page.",
    )  # fmt: skip


live.page(
    ANSWER, CORRECTION, choose, see, live.stacked(ladders, (ours, theirs), formula, real_models),
    live.proof(MECHANISM, live.recall_and_loss(lesson.RUNS, "state", recall_text, LOSS_TEXT)),
    live.reading("core/model/mixers/mamba.py", "core/model/scan.py", listed=MECHANISM.papers, mixed_up=MIXED_UP), users,
)  # fmt: skip
