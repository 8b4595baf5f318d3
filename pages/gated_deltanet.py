"""Gated DeltaNet and Kimi Delta Attention: what if memory is a matrix you erase and write?"""

from dataclasses import dataclass, replace

import numpy as np
import streamlit as st

from app import controls, live, panels, state, theme
from app.figures import delta, frame, kinds
from app.figures.maps import Tape, encode_probability, encode_signed, maps
from core.lessons import gated_deltanet as lesson
from core.lessons.common import AXIS, USUAL_CONTEXT, Kept, model_name, spec_of
from core.lessons.gated_deltanet import FULL, GATED, LEARNED, PURE, Setting, Shown
from core.lessons.recall import LENGTHS, measured_memory
from core.model.registry import question
from core.real import catalogue
from core.train import evidence, zoo
from core.train.recipes.gated_deltanet import MECHANISM
from core.train.tasks import recall
from core.units import binary, count, decimal, power

QUESTION = question("gated_deltanet")
ANSWER = "Memory stays one size: each token decays it, takes out what it held for a key, and writes the new value there."
CORRECTION = (
    "Constant is not zero: the state costs more than a short cache, and the hybrids that ship still grow, in one layer of four."
)

EXAMPLES = {
    "8 pairs": "ann lamp bo kite cy drum dan rope eva coin fay bell gus boat hal book ? bo gus",
    "one name twice": "ann lamp bo kite cy drum ann coin dan rope ? ann bo",
    "3 pairs": "ann lamp bo kite cy drum ? bo",
    "24 pairs": recall.surprise(24, seed=4, asked=2),
}
HELP_WRITE = (
    "How much of the new value is put in at a key, and how much of the old one is taken out there: 1 replaces it, 0 leaves the "
    "memory alone. Learned: the model says it for every token and head."
)
HELP_DECAY = (
    "What stays of the whole memory at each token: 1 forgets nothing by itself. Learned: the model says it for every token, one "
    "number a head (Gated DeltaNet) or one a row of the matrix (Kimi)."
)
HELP_MIX = (
    "Two layers that only recur; three of them to one of attention, as Qwen3-Next and Kimi Linear are built; attention alone."
)
HELP_RULE = "The same rule but for the decay: one number a head, or one for every row of the matrix."
HELP_KEYS = "Rows of the matrix of a head: how many keys it can tell apart. Trained for Gated DeltaNet alone."
WRITE = controls.Slider("write", "Write strength", lesson.WRITES, LEARNED, "state", HELP_WRITE)
DECAY = controls.Slider("decay", "What stays", lesson.DECAYS, LEARNED, "state", HELP_DECAY)
MIX = controls.Choice("mix", "Layers", lesson.MIXES, PURE, "state", HELP_MIX)
RULE = controls.Choice("rule", "Rule", lesson.RULES, GATED, "state", HELP_RULE)
KEYS = controls.Choice("keys", "Width of keys", lesson.KEYS, lesson.USUAL, "state", HELP_KEYS)
REAL = controls.Pick("real", "Real model", lesson.users(), lesson.FIRST, name=model_name)
PROMPT = live.names_and_things(EXAMPLES)
PANELS = ("memory before, decayed", "− erased", "+ written", "= memory")
MIXED = {PURE: "pure", lesson.HYBRID: "three to one", FULL: "attention alone"}
READER = "the one that answers"
CONTEXT = power(USUAL_CONTEXT)
MIXED_UP = (
    "**The delta rule is not decay.** Decay shrinks the whole matrix; the delta rule takes out what stands at one key and leaves "
    "the rest. A model may do either, both or neither at a token: set the two sliders apart and see.",
    "**A constant state is not a free one.** Below the crossover, under Count, attention keeps less.",
    "**A hybrid still grows.** Its layers of attention keep every token; three in four of the layers do not.",
    "**Write strength is one number a head** in the released models, whatever the decay: Kimi's rule changes what stays, not "
    "what is written. Teaching code that makes it one a channel is another model.",
    "**Not everyone has stayed.** MiniMax went back from a hybrid, of lightning attention, to attention in every layer (M2): its "
    "makers name answers that need several steps, agents, and caches shared between requests.",
)


@dataclass(frozen=True)
class Choice:
    """What the controls hold."""

    setting: Setting
    key: str  # of the real model
    text: str

    @property
    def name(self) -> str:
        """The real model's name."""
        return model_name(self.key)


def choose() -> Choice:
    """The controls: write strength, decay and presets; mix, rule, keys, real model and prompt folded."""
    with controls.row():
        write, decay = WRITE.draw(), DECAY.draw()
        with (
            controls.presets_first("model", presets(), "state"),
            controls.more(f"{RULE.peek()}, {MIX.peek()} · {PROMPT.example()}"),
        ):
            with controls.row("model"):
                mix, rule = MIX.draw(), RULE.draw()
                keys = KEYS.draw() if (mix, rule) == (PURE, GATED) else lesson.USUAL
            key, prompt = REAL.draw(), PROMPT.draw()
    return Choice(Setting(mix, rule, keys, decay, write), key, prompt)


def presets() -> dict[str, dict]:
    """The real models: each sets layers, rule and the model that is counted."""
    hybrid = lesson.HYBRID
    return {f"{name} {hybrid}": {"mix": hybrid, "rule": rule, "real": key} for key, (name, rule) in lesson.REAL.items()}


# See


def see(choice: Choice) -> None:
    """The live model on the reader's prompt."""
    prompt = live.parsed(choice.text, EXAMPLES["8 pairs"])
    shown = lesson.played_setting(choice.setting, prompt)
    left, right = panels.beside()
    with left:
        if choice.setting.mix == FULL:
            attention(choice.setting, shown, choice.text)
        else:
            layer, head = memory_of(choice.setting, prompt)
            picture(choice.setting, shown, layer, head, choice.text)
            said(choice.setting, shown, layer, head)
        live.answers([(a, lesson.finding_head(shown, a)) for a in shown.scene.answers])
    with right:
        if choice.setting.mix != FULL:
            made_of(choice.setting, prompt, shown, layer, head)
        side(choice.setting, shown, choice.key)


def memory_of(setting: Setting, prompt: recall.Prompt) -> tuple[int, int]:
    """The memory that is drawn: the reader's choice, or the one that answers."""
    named = lesson.memories(setting)
    wanted = controls.pick("matrix", "Memory", (READER, *named), READER)
    return named.get(wanted) or lesson.reader(setting, prompt)


def picture(setting: Setting, shown: Shown, layer: int, head: int, text: str) -> None:
    """What stays, is erased, is written, and the memory, for each token; the cache beside it."""
    last, n = shown.scene.answers[-1], len(shown.words)
    parts, limit = shown.parts[layer][:, head], lesson.limit(shown, layer, head)
    start = {"step": last.source + 1 or n}  # where the answer is written
    chosen = maps(
        encode_signed(parts, limit),
        key="state",
        title=QUESTION,
        alt=f"The memory of head {head + 1} in layer {layer + 1} after each of {n} tokens: what stays, is erased, is written",
        scale="signed",
        limit=limit,
        tokens=shown.words,
        labels=PANELS,
        rows=[f"{i + 1}" for i in range(parts.shape[-2])],
        cols=[f"{i + 1}" for i in range(parts.shape[-1])],
        columns=4 if state.stage() else 2,
        verb="holds, at value",
        **live.pointed(last),
        tape=tape(setting, shown),
        selected=state.selection(start),
        aspect=1.5 if state.stage() else 1.7,
        hue="state",
        config=live.about(setting.variant, prompt=text, decay=setting.decay, write=setting.write),
        stage=state.stage(),
    )
    state.keep_selection(chosen, start)


def tape(setting: Setting, shown: Shown) -> Tape:
    """The cache that grows: a lane for each layer of attention, outlines for what the others would cache as attention."""
    n, kinds = len(shown.words), [layer.implicit for layer in shown.layers]
    lanes = tuple(f"layer {i}" for i, implicit in enumerate(kinds, 1) if not implicit)
    legend = {"kv": ", ".join(lanes)} if lanes else {"state": "no layer grows"}
    kept, whole = shown.scene.memory_bytes, lesson.lines(lesson.live_spec(setting), np.arange(1, n + 1), lesson.DTYPE)[0]
    return Tape(lanes, kept, len(kinds), whole, "attention in every layer", title="Memory", legend=legend)


def said(setting: Setting, shown: Shown, layer: int, head: int) -> None:
    """What is drawn, and how to read it."""
    rows, columns = shown.parts[layer].shape[-2:]
    panels.caption(
        f"**{setting.rule}, {MIXED[setting.mix]}; {told(setting)}; layer {layer + 1}, head {head + 1}: {rows} × {columns}.** "
        "It opens where the answer is written; step through the tokens: the matrix {decays}, what it held for the token's key is "
        "{erased}, the new value is {written}; their sum is the memory. Rows are "
        "channels of keys, columns of values; all four share one signed scale.",
        decays=panels.term("decays", HELP_DECAY),
        erased=panels.term("taken out", "Along one direction only, the token's key. What stands at other keys stays."),
        written=panels.term("put in", HELP_WRITE),
    )


def told(setting: Setting) -> str:
    """Decay and write strength in words."""
    write = "as learned" if setting.write == LEARNED else setting.write
    decay = "as learned" if setting.decay == LEARNED else setting.decay
    return f"write strength {write}, what stays {decay}"


def attention(setting: Setting, shown: Shown, text: str) -> None:
    """Attention in every layer: nothing is erased, everything is kept."""
    last, n, kept = shown.scene.answers[-1], len(shown.words), len(shown.layers)
    start = {"row": last.position, "step": n}
    chosen = maps(
        encode_probability(shown.scene.run.attention.mean(1), shown.scene.run.visible),
        key="attention",
        title=QUESTION,
        alt=f"Attention of {kept} layers on {n} tokens, which keep every key and value",
        tokens=shown.words,
        labels=[f"layer {i + 1}" for i in range(kept)],
        columns=4 if state.stage() else 2,
        **live.pointed(last),
        tape=Tape(tuple(f"layer {i + 1}" for i in range(kept)), shown.scene.cache_bytes, title="Cache"),
        selected=state.selection(start),
        aspect=1.5,
        config=live.about(setting.variant, prompt=text),
        stage=state.stage(),
    )
    state.keep_selection(chosen, start)
    panels.caption(
        f"**Attention in all {kept} layers, the mean of each layer's heads.** No matrix: every key and value stays, nothing is "
        "erased. Write strength and decay set nothing here."
    )


def made_of(setting: Setting, prompt: recall.Prompt, shown: Shown, layer: int, head: int) -> None:
    """What the memory answers to the last question, beside the model as it learned."""
    last = shown.scene.answers[-1]
    shares = lesson.readout(shown, layer, head, last.position)
    plain = lesson.played_setting(replace(setting, decay=LEARNED, write=LEARNED), prompt) if setting.changed else None
    learned = plain and lesson.readout(plain, layer, head, last.position)
    with panels.card(f"What this memory answers for “{last.name}”", "readout"):
        fig = delta.readout(shown.words, shares, learned, last.source, last.position, theme.colours(), theme.stroke())
        held = f", of “{shown.words[last.source]}” {shares[last.source]:+.2f}" if last.source >= 0 else ""
        alt = f"Share of each token's value in the read-out for {last.name}{held}"
        table = {"token": np.arange(1, len(shown.words) + 1), "word": shown.words, "share": shares}
        if learned is not None:
            table["as learned"] = learned
        config = live.about(setting.variant, decay=setting.decay, write=setting.write)
        frame.figure(fig, key="readout", alt=alt, table=table, config=config)
        marks = " Grey marks: as learned." if learned is not None else ""
        live.small(f"Share of each token's value in it, signed{held}.{marks}")


def side(setting: Setting, shown: Shown, key: str) -> None:
    """The memory here, the memory of a real model."""
    n = len(shown.words)
    here, kept = lesson.ours(setting, n), int((shown.scene.memory_bytes)[-1])
    with panels.card(f"Memory after {n} tokens", "cache"):
        bars(here, lambda v: f"{v:,} B", setting.mix != FULL)
        panels.check(here.total, kept)
        if here.crossover:
            live.small(f"less than attention from {here.crossover:,} tokens on")
    real = lesson.real_model(key)
    with panels.card(f"{real.name}, {CONTEXT} tokens", "real"):
        bars(real, binary)
        live.small(f"{deltas(key)} layers keep a matrix: less than attention from {real.crossover:,} tokens on")


def deltas(key: str) -> str:
    """How many layers of a real model keep a matrix."""
    return f"{len(lesson.delta_layers(spec_of(key)))} of {len(spec_of(key).layers)}"


def bars(kept: Kept, text, has_deltas: bool = True) -> None:
    """Attention in every layer; then what is kept: state and cache."""
    if not has_deltas:
        panels.bars([panels.Bar("cache", 1.0, text(kept.cache), "kv", changed=True)], "what is kept")
        return
    top = max(kept.whole, kept.total)
    rows = [
        panels.Bar("all attention", kept.whole / top, text(kept.whole)),
        panels.Bar("state", kept.state / top, text(kept.state), "state", changed=True),
    ]
    if kept.cache:
        rows.append(panels.Bar("cache", kept.cache / top, text(kept.cache), "kv", changed=True))
    panels.bars(rows, "attention in every layer against what is kept")


# Count


def counts(choice: Choice) -> None:
    """Memory against tokens, counted beside measured; then the real models."""
    config = live.about(choice.setting.variant, model=choice.name)
    left, right = st.columns(2, gap="large")
    with left:
        ours(choice.setting, config)
    with right:
        real(choice.key, choice.name, config)
    formula(choice.key)
    real_models(config)


def ours(setting: Setting, config: dict) -> None:
    """The live model's memory against tokens."""
    live.heading("Our model: memory against tokens")
    lengths = np.arange(1, 129)
    whole, own = lesson.lines(lesson.live_spec(setting), lengths, lesson.DTYPE)
    points, values = np.array(LENGTHS), measured_memory(setting.variant)
    crossing, names = lesson.ours(setting, 1).crossover, ("attention in every layer", f"{setting.rule}, {setting.mix}")
    kinds.show(delta.growth(lengths, whole, own, points, values, crossing, names), "growth", config)
    panels.caption(
        f"**{setting.rule}, {MIXED[setting.mix]}{f': less than attention from {crossing} tokens on' if crossing else ''}.** "
        "Lines are counted, cache and state together; rings are bytes in the tensors of the live model, all in 32 bits."
    )
    panels.check(int(own[points[-1] - 1]), int(values[-1]))


def real(key: str, name: str, config: dict) -> None:
    """A real model's memory against context."""
    live.heading(f"{name}: memory against context")
    contexts, spec = 2 ** np.arange(6, 21), spec_of(key)
    whole, own = lesson.lines(spec, contexts)
    crossing = lesson.real_model(key).crossover
    kinds.show(delta.memory(name, contexts, whole, own, AXIS, crossing, binary), "memory", config)
    panels.caption(
        f"**Below {crossing:,} tokens the constant state is the larger memory.** Far beyond, what grows are the layers of "
        "attention that are left, and the saving ends at their share. Both axes are logarithmic."
    )


def formula(key: str) -> None:
    """The state of a real model with its numbers put in, and where it pays."""
    f = lesson.formula(key)
    live.heading(f"{f.name}: the state of its delta layers")
    st.latex(
        r"\begin{aligned} & \underbrace{%d}_{\text{layers}} \cdot \big( \underbrace{%d}_{\text{heads}} \cdot "
        r"\underbrace{%d \cdot %d}_{\text{keys} \times \text{values}} \cdot \underbrace{4\,\text{B}}_{\text{float32}} \\ & \quad "
        r"+ \underbrace{%s}_{\text{columns}} \cdot \underbrace{2\,\text{B}}_{\text{bf16}} \big) = \text{%s} \\ & "
        r"\frac{\text{%s}}{\underbrace{%s\,\text{B}}_{\text{a token, as attention}}} = %s "
        r"\text{ tokens} \end{aligned}"
        % (
            f.layers, f.heads, f.k_dim, f.v_dim, live.digits(f.columns), binary(f.bytes), binary(f.bytes),
            live.digits(f.per_token), live.digits(f.crossover),
        )
    )  # fmt: skip
    panels.caption(
        f"**Convention.** One sequence; matrices in 32 bits, cache and columns of the convolution in 16; KiB, MiB and GiB "
        f"are powers of 1024. The state is {decimal(f.bytes)} in powers of 1000; tokens are rounded up to the first that pays. "
        "The command line gives the same: {code}.",
        code=f"<code>python -m core inspect {key} --context {USUAL_CONTEXT}</code>",
    )


def real_models(config: dict) -> None:
    """Every model of the catalogue with delta layers."""
    rows = [lesson.real_model(key) for key in lesson.users()]
    live.heading(f"Real models, {CONTEXT} tokens")
    names = [r.name for r in rows]
    sizes = {field: np.array([getattr(r, field) for r in rows]) for field in ("whole", "state", "cache")}
    fig = delta.models(names, **sizes, label=binary, colours=theme.colours(), stroke=theme.stroke())
    alt = f"State and cache of {len(rows)} real models at {CONTEXT} tokens, beside attention in every layer"
    frame.figure(fig, key="models", alt=alt, table={"model": names, **{f"{k}, B": v for k, v in sizes.items()}}, config=config)
    panels.caption(
        f"**One sequence of {USUAL_CONTEXT:,} tokens.** At this length the state is a sliver; the cache of the layers of "
        "attention is what is left."
    )


# Prove


def prove(_: Choice) -> None:
    """Our trained runs, the verdicts that follow from them, what papers printed."""
    report = evidence.report("gated_deltanet")
    live.verdicts(report, MECHANISM.spelling.number)
    found, config = lesson.RUNS.recalled(), {"command": report["command"]}
    if found:
        left, right = st.columns(2, gap="large")
        with left:
            recalled(found, report, config)
        with right:
            learned(config)
    else:
        panels.caption("**No runs in the table yet.** The command above makes it.")
    live.published("gated_deltanet")


def recalled(found: dict, report: dict, config: dict) -> None:
    """Recall against the number of stored pairs."""
    live.heading("Recall against pairs to remember: every seed")
    kinds.show(delta.recall(found, lesson.RUNS.label, lesson.styles()), "recall", config)
    sizes = ", ".join(f"{lesson.RUNS.label(v)} {n:,}" for v, n in lesson.memory_numbers().items() if n and v in found)
    panels.caption(
        f"**Lines join the means of seeds {', '.join(map(str, report['seeds']))}; the number after a name is the "
        f"width of its keys.** Numbers in the matrices of all layers: {sizes}."
    )


def learned(config: dict) -> None:
    """Learning curves."""
    hues, ours = {v: hue for v, (hue, _) in lesson.styles().items()}, lesson.RUNS
    live.learning(ours.learning(), ours.label, hues, ours.pairs, "models", config, head="model", room=150)
    steps = ", ".join(f"{ours.label(v)} {zoo.recipe(v).steps:,}" for v in ours.recalled())
    panels.caption(f"**One line a seed.** Steps: {steps}.")


# Read


def read(_: Choice) -> None:
    """What is often mixed up, the glossary, the source that ran, papers."""
    live.reading("core/model/mixers/delta.py", "core/model/scan.py", listed=MECHANISM.papers, mixed_up=MIXED_UP)


# Who uses it


def users(_: Choice) -> None:
    """The catalogue's rows."""
    rows = [(k, lesson.real_model(k)) for k in lesson.users()]
    live.users(
        ("rule", "layers with a matrix", "state", f"cache at {CONTEXT}", "pays from"),
        [
            (catalogue.entries()[k], lesson.rule(k), deltas(k), binary(r.state), binary(r.cache), f"{count(r.crossover)} tokens")
            for k, r in rows
        ],
    )
    panels.caption(
        f"**Every row is counted from the config as released**, {USUAL_CONTEXT:,} tokens, cache in 16 bits, matrices in 32. "
        "Pays from: the first length at which it keeps less than with attention in every layer. Click a name for its own page."
    )


live.page(QUESTION, ANSWER, CORRECTION, choose, see, counts, prove, read, users)
