"""Liquid models (LFM2): gated short convolutions with a few layers of attention."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from app import controls, live, panels, state, theme
from app.figures import delta, frame, kinds
from app.figures import ladder as ladder_figures
from app.figures import liquid as figures
from app.figures.maps import encode_probability, encode_signed
from core.count import cost
from core.lessons import liquid as lesson
from core.lessons.common import AXIS, CONTEXTS, column, model_name, spec_of, totals
from core.lessons.recall import LENGTHS, live_bytes, live_curve, live_smaller, measured_memory
from core.lessons.recurrent import Watched
from core.model.mixers.attention import Attention
from core.model.mixers.shortconv import GatedConv
from core.real import catalogue
from core.shape import ladder
from core.train.recipes.liquid import MECHANISM
from core.train.tasks import recall
from core.units import binary, count, exact

ANSWER = "Most layers only mix a token with the two before it, behind two gates; a few layers of attention look back further."
CORRECTION = "No liquid network of differential equations is in it, and no recurrent state: three taps, and attention that grows."

EXAMPLES = {
    "near and far": (
        "ann lamp bo kite cy drum dan rope eva coin fay bell gus boat hal book ivy cup jack mask kim pear leo tent ? leo ann"
    ),
    "4 pairs": "ann lamp bo kite cy drum dan rope ? ann",
    "one name twice": "ann lamp bo kite cy drum ann coin dan rope ? ann bo",
    "24 pairs": recall.surprise(24, seed=2, asked=3),
}
HELP_PLACE = "Which of four layers attends; the others are gated convolutions. Each place was trained on its own."
HELP_GATE = (
    "A number made from the token itself that multiplies what passes: one before the taps says what a token puts in, one "
    "after them what comes out. No activation follows."
)
PLACE = controls.Slider("attention", "Attention", tuple(lesson.PLACES), lesson.LAST, "kv", HELP_PLACE)
REAL = controls.Pick("real", "Real model", lesson.users(), lesson.users()[0], name=model_name)
PROMPT = live.names_and_things(EXAMPLES, (8, 16))
GATES = controls.Switch("gates", "Both gates of every channel and token", hue="window")
LOSS_TEXT = "Everything but the layers, and the steps named at the left, is equal."
MIXED_UP = (
    "**Liquid is a name here, not a differential equation.** Liquid time-constant networks are another family; "
    "LFM2's operators are linear and vary with the input, and by that word attention is one of them too.",
    "**It is a hybrid.** Some of its layers attend in full, so its cache still grows with the text.",
    "**It is no state space model.** A convolution of three taps sees three tokens; nothing is carried on from further back.",
    "**A1B is rounded.** The active parameters of LFM2-8B-A1B are counted under Who uses it.",
)


@dataclass(frozen=True)
class Choice:
    """What the controls hold."""

    place: str
    key: str
    context: int
    text: str

    @property
    def variant(self) -> str:
        """The checkpoint that runs."""
        return lesson.PLACES[self.place]

    @property
    def config(self) -> dict:
        """What goes into an exported figure of counts."""
        return live.about(self.variant, model=model_name(self.key), context=self.context)


def choose() -> Choice:
    """The controls: where attention stands, with presets; real model, context and prompt folded."""
    presets = {model_name(key): {"attention": "third", "real": key} for key in lesson.users()}
    with controls.row():
        place = PLACE.draw()
        with controls.presets_first("model", presets, "kv"):
            key, context, prompt = live.model_and_prompt(REAL, "32k", PROMPT)
    return Choice(place, key, context, prompt)


# See


def see(choice: Choice) -> None:
    """The live model on the reader's prompt."""
    prompt = live.parsed(choice.text, PROMPT.default)
    shown = lesson.watch(choice.place, prompt)
    left, right = panels.beside()
    with left:
        chosen = picture(choice, shown)
        panels.caption(
            f"**{stack_text(choice.place)}, {len(shown.words)} tokens.** One map a layer; row = token asking, column = token "
            "taken up, "
            "shares of each row. A convolution is a band three wide, with {gates}; attention a triangle.",
            gates=panels.term("two gates", HELP_GATE),
        )
        live.answers([(a, lesson.finding_head(choice.place, shown.scene, a)) for a in shown.scene.answers])
        reach(choice.place, prompt, shown, chosen["row"])
        if GATES.draw():
            strips(choice.place, shown, chosen_layer(choice.place, chosen["head"]))
    with right:
        side(choice, prompt, shown, chosen)


def stack_text(place: str) -> str:
    """The layers in words."""
    if place == lesson.NONE:
        return f"{lesson.DEPTH} gated convolutions"
    return f"{lesson.DEPTH - 1} gated convolutions, attention {place}"


def picture(choice: Choice, shown: Watched) -> dict:
    """What each token takes up from which, a map a layer; the prompt; the cache."""
    last, n, attends = shown.scene.answers[-1], len(shown.words), lesson.attends(choice.place)
    whole, lanes = live_curve(lesson.ALONE, np.arange(1, n + 1)), [attends + 1] if attends >= 0 else []
    memory, otherwise = shown.scene.memory_bytes, {"window": "two columns a layer, no growth"}
    return live.picture(
        encode_probability(lesson.maps(shown), np.tri(n, dtype=bool)),
        {"row": last.position, "step": n},
        last,
        key="layers",
        alt=f"What each of {n} tokens takes up in {lesson.DEPTH} layers: bands {lesson.KERNEL} wide, all where one attends",
        tokens=shown.words,
        labels=[f"layer {i + 1}" for i in range(lesson.DEPTH)],
        groups=[int(i == attends) for i in range(lesson.DEPTH)],
        group_labels=["3 taps", "attends"],
        hue="window",
        columns=4,
        verb="takes up",
        tape=live.memory_tape(lanes, lesson.DEPTH, memory, whole, otherwise),
        aspect=1.45 if state.stage() else 1.0,
        config=live.about(choice.variant, prompt=choice.text),
    )


def reach(place: str, prompt: recall.Prompt, shown: Watched, row: int | None) -> None:
    """One word changed in the live model: which tokens notice, after each layer."""
    at, asked = lesson.changed(shown.scene, row)
    seen = lesson.impulse(place, prompt, at)
    n = seen.moved.shape[1]
    live.heading("Change one word: which tokens notice?")
    make = partial(figures.impulse, seen.moved, seen.reach, lesson.attends(place), asked, shown.words, at)
    fig = frame.drawn(make, "impulse", place, prompt, at, asked)
    table = {"token": np.arange(at + 1, at + n + 1), "word": shown.words[at:]}
    table |= {f"after layer {i}" if i else "word": moved for i, moved in enumerate(seen.moved)}
    alt = f"Tokens moved by a change of {shown.words[at]} after each layer: {', '.join(map(str, seen.reach))}"
    frame.figure(fig, key="impulse", alt=alt, table=table, config=live.about(lesson.PLACES[place]))
    distance = asked - at
    arrives = "notices" if distance < seen.reach[-1] else "does not notice"
    panels.caption(
        f"**“{shown.words[at]}” changed, {seen.reach[-1]} tokens moved; “{shown.words[asked]}”, {distance} tokens later, "
        f"{arrives}.** Measured in the live model: the number at the right counts the tokens, itself included. {{range}}.",
        range=panels.term("How far it can get", range_text()),
    )
    panels.check(lesson.expected(place, lesson.DEPTH, n), int(seen.reach[-1]))


def range_text() -> str:
    """The range of a stack of convolutions, with the numbers put in."""
    k, short, depth = lesson.KERNEL, lesson.SHORT, lesson.DEPTH
    return (
        f"Gated convolutions of {k} taps alone: ({k} − 1) · {depth} + 1 = {lesson.plain()} tokens through {depth} layers. Before "
        f"each mixer of ours stands a short convolution of {short} taps as well, which doubles a layer's step: "
        f"({k} − 1 + {short} − 1) · {depth} + 1 = {lesson.expected(lesson.NONE, depth, 1 << 20)}. Behind attention: every token."
    )


def side(choice: Choice, prompt: recall.Prompt, shown: Watched, chosen: dict) -> None:
    """One channel as a conveyor, the gates, the ladder, the cache here and in a real model."""
    place, variant, n = choice.place, choice.variant, len(shown.words)
    at = shown.scene.answers[-1].position if chosen["row"] is None else chosen["row"]
    layer = chosen_layer(place, chosen["head"])
    with panels.card(f"What layer {layer} does at “{shown.words[at]}”", "conveyor"):
        belt(place, prompt, shown, layer, at)
    with panels.card("Where attention stands, and what each layer keeps", "ladder"):
        our_ladder(place, n)
    mine, whole = live_bytes(variant, n), live_bytes(lesson.ALONE, n)
    with panels.card(f"Memory after {n} tokens", "cache"):
        both_bars(whole, mine, exact, "kv" if lesson.attends(place) >= 0 else "window")
        panels.check(mine, int(shown.scene.memory_bytes[-1]))
    r = lesson.real_model(choice.key, choice.context)
    with panels.card(f"{r.name}, {choice.context:,} tokens", "real"):
        both_bars(r.whole, r.total, binary, "kv")
        live.small(f"{attending(choice.key)} layers attend; the columns of the others are {binary(r.state)} of it")


def our_ladder(place: str, tokens: int) -> None:
    """Our layers, the last one on top, each as long as what it keeps."""
    rungs = reversed(list(enumerate(lesson.rungs(place, tokens), 1)))
    rows = [
        panels.Bar(f"{i} {what}", size, "kv" if what == "attention" else "window", what == "attention")
        for i, (what, size) in rungs
    ]
    panels.bars(rows, f"Ladder of our {lesson.DEPTH} layers: {stack_text(place)}", exact)


def chosen_layer(place: str, panel: int | None) -> int:
    """The convolution whose gates are shown, from 1: the isolated one, or the first."""
    there = lesson.convolutions(place)
    return panel + 1 if panel is not None and panel + 1 in there else there[0]


def belt(place: str, prompt: recall.Prompt, shown: Watched, layer: int, at: int) -> None:
    """Two gates and three taps, with the numbers of the reader's tokens."""
    c = lesson.conveyor(place, shown, layer, at)
    alt = f"Channel {c.channel + 1} at {shown.words[at]}: three tokens gated, through three taps into a sum, gated: {c.out:+.2f}"
    table = {"word": [w or "before the text" for w in c.words], "enters": c.value, "gate before": c.before, "tap": c.taps}
    fig = frame.drawn(partial(figures.conveyor, c), "conveyor", place, prompt, layer, at)
    frame.figure(fig, key="conveyor", alt=alt, table=table, config=live.about(lesson.PLACES[place], channel=c.channel + 1))
    live.small(f"channel {c.channel + 1}, the one that gives most at this token")


def strips(place: str, shown: Watched, layer: int) -> None:
    """The gates of every channel and token."""
    live.heading(f"Both gates of layer {layer}: every channel, every token")
    values = lesson.gates(shown, layer)
    limit = float(np.abs(values).max()) or 1.0
    live.second_picture(
        encode_signed(values, limit),
        key="channels",
        title=f"Gates of layer {layer}",
        alt=f"Both gates of layer {layer} for {values.shape[1]} channels and {values.shape[2]} tokens",
        scale="signed",
        limit=limit,
        labels=["gate before the taps", "gate after them"],
        rows=[f"channel {i + 1}" for i in range(values.shape[1])],
        cols=[f"{word} {i + 1}" for i, word in enumerate(shown.words)],
        columns=2,
        aspect=1.5,
        hue="window",
        verb="at",
        stepping=False,
        config=live.about(lesson.PLACES[place]),
    )
    panels.caption(
        f"**{values.shape[1]} channels, {values.shape[2]} tokens.** Row = channel, column = token: each word opens "
        "channels of its own. Isolate a map above for the gates of its layer."
    )


def both_bars(whole: int, mine: int, write: Callable[[float], str], hue: str) -> None:
    """Attention in every layer, and as it is."""
    rows = [panels.Bar("all attention", whole), panels.Bar("as it is", mine, hue, True)]
    panels.bars(rows, "attention in every layer against as it is", write)


# Count


def ladders(choice: Choice) -> None:
    """Ladders of the released models."""
    live.heading(f"The released models, layer by layer, at {choice.context:,} tokens")
    models = ladder.ladders({model_name(key): spec_of(key) for key in lesson.users()}, choice.context)
    alt = f"Layers of {', '.join(models)}, first at the bottom; only those that attend keep a cache"
    fig = ladder_figures.ladders(models, theme.colours(), theme.stroke())
    frame.figure(fig, key="ladders", alt=alt, table=ladder.table(models), config=choice.config)
    panels.caption(
        "**A rung is a layer; the bar beside it is what it keeps.** A convolution keeps two columns, here "
        "under state, too little to be seen."
    )


def ours(choice: Choice) -> None:
    """The live model's memory against tokens."""
    lengths, points, variant = np.arange(1, 129), np.array(LENGTHS), choice.variant
    whole, own, values = live_curve(lesson.ALONE, lengths), live_curve(variant, lengths), measured_memory(variant)
    names, cross = ("attention in every layer", stack_text(choice.place)), live_smaller(variant, lesson.ALONE)
    words = f"**{names[1]}: less from {cross} tokens on.** Lines are counted; rings are bytes in the tensors of the live model."
    drawn = delta.growth(lengths, whole, own, points, values, cross, names, "window", "{}")
    live.growth("Our model: memory against tokens", drawn, choice.config, words)


def theirs(choice: Choice) -> None:
    """A released model's memory against context."""
    contexts, r, s = 2 ** np.arange(0, 18), lesson.real_model(choice.key, 1), spec_of(choice.key)
    live.heading(f"{r.name}: memory against context")
    whole, own = totals(lesson.everywhere(choice.key), contexts), totals(s, contexts)
    kinds.show(delta.memory(r.name, contexts, whole, own, AXIS, r.crossover, binary, "window"), "memory", choice.config)
    conv, attention = next(s.parts(GatedConv)).weights(s.d_model), next(s.parts(Attention)).weights(s.d_model)
    panels.caption(
        f"**The columns are paid back after {r.crossover} tokens.** Far out what is left is the share of layers that attend, "
        f"{attending(choice.key)}. A convolution has {conv / attention:.2f} times the weights of this attention: memory is "
        "saved, not parameters."
    )


def attending(key: str) -> str:
    """How many layers of a released model attend."""
    return f"{len(lesson.attending_layers(key))} of {len(spec_of(key).layers)}"


def formula(choice: Choice) -> None:
    """What a released model keeps, with its numbers put in."""
    f, d = lesson.formula(choice.key, choice.context), live.digits
    live.formula(
        f"{f.name} at {choice.context:,} tokens",
        r"\begin{aligned} \text{cache} = {} & \underbrace{%s}_{\text{attention}} \cdot 2 \cdot \underbrace{%s}_{\text{KV heads}} "
        r"\cdot \underbrace{%s}_{\text{width}} \cdot \underbrace{%s}_{\text{tokens}} \\ "
        r"{} & \cdot 2\,\text{B} = \text{%s} \\ \text{columns} = {} & "
        r"\underbrace{%s}_{\text{convolutions}} \cdot \underbrace{%s}_{K - 1} \cdot "
        r"\underbrace{%s}_{D} \cdot 2\,\text{B} \\ = {} & \text{%s} \end{aligned}"
        % (
            d(f.attention), d(f.kv_heads), d(f.width), d(f.context), binary(f.cache_bytes),
            d(f.convolutions), d(f.columns), d(f.d_model), binary(f.state_bytes),
        ),
        "**Convention.** One sequence, 16 bits; K − 1 columns are needed, though some programs keep K. KiB, MiB and GiB are "
        "powers of 1024. The command line gives the same: {code}.",
        f"{choice.key} --context {choice.context}",
    )  # fmt: skip


def real_models(choice: Choice) -> None:
    """The released models at several contexts."""
    contexts = [CONTEXTS[name] for name in ("8k", "16k", "32k")]
    at = [(n, lesson.real_model(key, n)) for key in lesson.users() for n in contexts]
    live.heading("The released models at several contexts")
    names, rows = [f"{r.name}, {n:,}" for n, r in at], [r for _, r in at]
    whole, cache, columns = (column(rows, part) for part in ("whole", "cache", "state"))
    fig = delta.models(names, whole, columns, cache, binary, theme.colours(), theme.stroke(), ("columns", "window"))
    alt = f"Columns and cache of {len(lesson.users())} released models at three contexts, beside attention in every layer"
    table = {"model, context": names, "attention in every layer, B": whole, "cache, B": cache, "columns, B": columns}
    frame.figure(fig, key="models", alt=alt, table=table, config=choice.config)
    panels.caption("**One sequence.** A ring is the same model with its attention in the place of every convolution.")


# Prove


def recall_text() -> str:
    """How long the models were trained."""
    return f"Training steps: {', '.join(f'{n} {name}' for name, n in lesson.training_steps().items())}."


# Who uses it


def users(choice: Choice) -> None:
    """The catalogue's rows, and models of a phone's size that attend in every layer."""
    rows = [(k, lesson.real_model(k, choice.context), cost.count(spec_of(k), choice.context)) for k in lesson.users()]
    others = [(k, cost.count(spec_of(k), choice.context)) for k in lesson.others()]
    live.users(
        ("parameters", "active", "attend", "at layers", f"cache at {choice.context:,}", "columns"),
        [
            (
                catalogue.entries()[k], count(c.params_total), count(c.params_active), attending(k),
                ", ".join(map(str, lesson.attending_layers(k))), binary(r.cache), binary(r.state),
            )
            for k, r, c in rows
        ],
    )  # fmt: skip
    panels.caption(f"**Every row is counted from the config as released**, {choice.context:,} tokens, 16 bits.")
    live.heading("Of a phone's size, with attention in every layer, whether or not made for so long a context")
    live.users(
        ("parameters", f"cache at {choice.context:,}"),
        [(catalogue.entries()[k], count(c.params_total), binary(c.cache_bytes)) for k, c in others],
    )


live.page(
    ANSWER, CORRECTION, choose, see, live.stacked(ladders, (ours, theirs), formula, real_models),
    live.proof(MECHANISM, live.recall_and_loss(lesson.RUNS, "window", recall_text, LOSS_TEXT)),
    live.reading("core/model/mixers/shortconv.py", listed=MECHANISM.papers, mixed_up=MIXED_UP), users,
)  # fmt: skip
