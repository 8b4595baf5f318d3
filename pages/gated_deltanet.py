"""Gated DeltaNet and Kimi Delta Attention: what if memory is a matrix you erase and write?"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from app import controls, live, panels, state, theme
from app.figures import delta, frame, kinds
from app.figures.maps import Tape, encode_probability, encode_signed
from core.lessons import gated_deltanet as lesson
from core.lessons.common import AXIS, USUAL_CONTEXT, USUAL_CONTEXT_TEXT, Kept, column, model_name, spec_of
from core.lessons.gated_deltanet import FULL, GATED, LEARNED, PURE, Setting, Shown
from core.lessons.recall import LENGTHS, measured_memory
from core.real import catalogue
from core.train import evidence, zoo
from core.train.recipes.gated_deltanet import MECHANISM
from core.train.tasks import recall
from core.units import binary, count, decimal, exact

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
NOTHING_GROWS = {"state": "no layer grows"}
READER = "the one that answers"
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

    @property
    def config(self) -> dict:
        """What goes into an exported figure of counts."""
        return live.about(self.setting.variant, model=self.name)


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
    setting, prompt = choice.setting, live.parsed(choice.text, PROMPT.default)
    shown = lesson.played_setting(setting, prompt)
    left, right = panels.beside()
    with left:
        if setting.mix == FULL:
            attention(choice, shown)
        else:
            layer, head = memory_of(setting, prompt)
            picture(choice, shown, layer, head)
            explain(setting, shown, layer, head)
        live.answers([(a, lesson.finding_head(shown, a)) for a in shown.scene.answers])
    with right:
        if setting.mix != FULL:
            made_of(setting, prompt, shown, layer, head)
        side(choice, shown)


def memory_of(setting: Setting, prompt: recall.Prompt) -> tuple[int, int]:
    """The memory that is drawn: the reader's choice, or the one that answers."""
    named = lesson.memories(setting)
    wanted = controls.Pick("matrix", "Memory", (READER, *named), READER).draw()
    return named.get(wanted) or lesson.reader(setting, prompt)


def picture(choice: Choice, shown: Shown, layer: int, head: int) -> None:
    """What stays, is erased, is written, and the memory, for each token; the cache beside it."""
    setting, last, n = choice.setting, shown.scene.answers[-1], len(shown.words)
    whole = lesson.lines(lesson.live_spec(setting), np.arange(1, n + 1), lesson.DTYPE)[0]
    attending = [i for i, layer in enumerate(shown.layers, 1) if not layer.implicit]
    parts, limit = shown.parts[layer][:, head], lesson.limit(shown, layer, head)
    live.picture(
        encode_signed(parts, limit),
        {"step": last.source + 1 or n},  # where the answer is written
        last,
        key="state",
        alt=f"The memory of head {head + 1} in layer {layer + 1} after each of {n} tokens: what stays, is erased, is written",
        scale="signed",
        limit=limit,
        tokens=shown.words,
        labels=PANELS,
        rows=[f"{i + 1}" for i in range(parts.shape[-2])],
        cols=[f"{i + 1}" for i in range(parts.shape[-1])],
        columns=4 if state.stage() else 2,
        verb="holds, at value",
        tape=live.memory_tape(attending, len(shown.layers), shown.scene.memory_bytes, whole, NOTHING_GROWS),
        aspect=1.5 if state.stage() else 1.7,
        hue="state",
        config=live.about(setting.variant, prompt=choice.text, decay=setting.decay, write=setting.write),
    )


def explain(setting: Setting, shown: Shown, layer: int, head: int) -> None:
    """What is drawn, and how to read it."""
    rows, columns = shown.parts[layer].shape[-2:]
    panels.caption(
        f"**{setting.rule}, {MIXED[setting.mix]}; {strengths_text(setting)}; layer {layer + 1}, head {head + 1}: {rows} × "
        f"{columns}.** "
        "It opens where the answer is written; step through the tokens: the matrix {decays}, what it held for the token's key is "
        "{erased}, the new value is {written}; their sum is the memory. Rows are "
        "channels of keys, columns of values; all four share one signed scale.",
        decays=panels.term("decays", HELP_DECAY),
        erased=panels.term("taken out", "Along one direction only, the token's key. What stands at other keys stays."),
        written=panels.term("put in", HELP_WRITE),
    )


def strengths_text(setting: Setting) -> str:
    """Decay and write strength in words."""
    write = "as learned" if setting.write == LEARNED else setting.write
    decay = "as learned" if setting.decay == LEARNED else setting.decay
    return f"write strength {write}, what stays {decay}"


def attention(choice: Choice, shown: Shown) -> None:
    """Attention in every layer: nothing is erased, everything is kept."""
    last, n, depth = shown.scene.answers[-1], len(shown.words), len(shown.layers)
    layers = tuple(f"layer {i + 1}" for i in range(depth))
    live.picture(
        encode_probability(shown.scene.run.attention.mean(1), shown.scene.run.visible),
        {"row": last.position, "step": n},
        last,
        key="attention",
        alt=f"Attention of {depth} layers on {n} tokens, which keep every key and value",
        tokens=shown.words,
        labels=list(layers),
        columns=4 if state.stage() else 2,
        tape=Tape(layers, shown.scene.cache_bytes, title="Cache"),
        aspect=1.5,
        config=live.about(choice.setting.variant, prompt=choice.text),
    )
    panels.caption(
        f"**Attention in all {depth} layers, the mean of each layer's heads.** No matrix: every key and value stays, nothing is "
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


def side(choice: Choice, shown: Shown) -> None:
    """The memory here, the memory of a real model."""
    n = len(shown.words)
    here = lesson.ours(choice.setting, n)
    with panels.card(f"Memory after {n} tokens", "cache"):
        kept_bars(here, exact, choice.setting.mix != FULL)
        panels.check(here.total, int(shown.scene.memory_bytes[-1]))
        if here.crossover:
            live.small(f"less than attention from {here.crossover:,} tokens on")
    real = lesson.real_model(choice.key)
    with panels.card(f"{real.name}, {USUAL_CONTEXT_TEXT} tokens", "real"):
        kept_bars(real, binary)
        live.small(f"{deltas(choice.key)} layers keep a matrix: less than attention from {real.crossover:,} tokens on")


def deltas(key: str) -> str:
    """How many layers of a real model keep a matrix."""
    return f"{len(lesson.delta_layers(spec_of(key)))} of {len(spec_of(key).layers)}"


def kept_bars(kept: Kept, write: Callable[[float], str], has_deltas: bool = True) -> None:
    """Attention in every layer; then what is kept: state and cache."""
    rows = [panels.Bar("all attention", kept.whole), panels.Bar("state", kept.state, "state", True)] if has_deltas else []
    cache = [panels.Bar("cache", kept.cache, "kv", True)] if kept.cache or not has_deltas else []
    name = "attention in every layer against what is kept" if has_deltas else "what is kept"
    panels.bars([*rows, *cache], name, write, of=max(kept.whole, kept.total) if has_deltas else None)


# Count


def ours(choice: Choice) -> None:
    """The live model's memory against tokens."""
    setting, lengths, points = choice.setting, np.arange(1, 129), np.array(LENGTHS)
    whole, own = lesson.lines(lesson.live_spec(setting), lengths, lesson.DTYPE)
    values, crossing = measured_memory(setting.variant), lesson.ours(setting, 1).crossover
    names = "attention in every layer", f"{setting.rule}, {setting.mix}"
    words = (
        f"**{setting.rule}, {MIXED[setting.mix]}{f': less than attention from {crossing} tokens on' if crossing else ''}.** "
        "Lines are counted, cache and state together; rings are bytes in the tensors of the live model, all in 32 bits."
    )
    drawn = delta.growth(lengths, whole, own, points, values, crossing, names)
    live.growth("Our model: memory against tokens", drawn, choice.config, words)


def theirs(choice: Choice) -> None:
    """A real model's memory against context."""
    live.heading(f"{choice.name}: memory against context")
    contexts, spec = 2 ** np.arange(6, 21), spec_of(choice.key)
    crossing, (whole, own) = lesson.real_model(choice.key).crossover, lesson.lines(spec, contexts)
    kinds.show(delta.memory(choice.name, contexts, whole, own, AXIS, crossing, binary), "memory", choice.config)
    panels.caption(
        f"**Below {crossing:,} tokens the constant state is the larger memory.** Far beyond, what grows are the layers of "
        "attention that are left, and the saving ends at their share. Both axes are logarithmic."
    )


def formula(choice: Choice) -> None:
    """The state of a real model with its numbers put in, and where it pays."""
    f, d = lesson.formula(choice.key), live.digits
    live.formula(
        f"{f.name}: the state of its delta layers",
        r"\begin{aligned} & \underbrace{%d}_{\text{layers}} \cdot \big( \underbrace{%d}_{\text{heads}} \cdot "
        r"\underbrace{%d \cdot %d}_{\text{keys} \times \text{values}} \cdot \underbrace{4\,\text{B}}_{\text{float32}} \\ & \quad "
        r"+ \underbrace{%s}_{\text{columns}} \cdot \underbrace{2\,\text{B}}_{\text{bf16}} \big) = \text{%s} \\ & "
        r"\frac{\text{%s}}{\underbrace{%s\,\text{B}}_{\text{a token, as attention}}} = %s "
        r"\text{ tokens} \end{aligned}"
        % (
            f.layers, f.heads, f.k_dim, f.v_dim, d(f.columns), binary(f.bytes), binary(f.bytes), d(f.per_token), d(f.crossover),
        ),
        f"**Convention.** One sequence; matrices in 32 bits, cache and columns of the convolution in 16; KiB, MiB and GiB "
        f"are powers of 1024. The state is {decimal(f.bytes)} in powers of 1000; tokens are rounded up to the first that pays. "
        "The command line gives the same: {code}.",
        f"{choice.key} --context {USUAL_CONTEXT}",
    )  # fmt: skip


def real_models(choice: Choice) -> None:
    """Every model of the catalogue with delta layers."""
    rows = [lesson.real_model(key) for key in lesson.users()]
    live.heading(f"Real models, {USUAL_CONTEXT_TEXT} tokens")
    names, (whole, states, caches) = [r.name for r in rows], (column(rows, part) for part in ("whole", "state", "cache"))
    fig = delta.models(names, whole, states, caches, binary, theme.colours(), theme.stroke())
    alt = f"State and cache of {len(rows)} real models at {USUAL_CONTEXT_TEXT} tokens, beside attention in every layer"
    table = {"model": names, "whole, B": whole, "state, B": states, "cache, B": caches}
    frame.figure(fig, key="models", alt=alt, table=table, config=choice.config)
    panels.caption(
        f"**One sequence of {USUAL_CONTEXT:,} tokens.** At this length the state is a sliver; the cache of the layers of "
        "attention is what is left."
    )


# Prove


def recalled(_: Choice) -> None:
    """Recall against the number of stored pairs."""
    live.heading("Recall against pairs to remember: every seed")
    found, ours = lesson.RUNS.recalled(), lesson.RUNS
    kinds.show(delta.recall(found, ours.label, lesson.styles()), "recall", live.again(MECHANISM))
    sizes = ", ".join(f"{ours.label(v)} {n:,}" for v, n in lesson.memory_numbers().items() if n and v in found)
    panels.caption(
        f"**Lines join the means of seeds {evidence.seeds_text(MECHANISM.name)}; the number after a name is the "
        f"width of its keys.** Numbers in the matrices of all layers: {sizes}."
    )


def learned(_: Choice) -> None:
    """Learning curves."""
    hues, ours, config = {v: hue for v, (hue, _) in lesson.styles().items()}, lesson.RUNS, live.again(MECHANISM)
    live.learning(ours.learning(), ours.label, hues, ours.pairs, "models", config, head="model", room=150)
    steps = ", ".join(f"{ours.label(v)} {zoo.recipe(v).steps:,}" for v in ours.recalled())
    panels.caption(f"**One line a seed.** Steps: {steps}.")


# Who uses it


def users(_: Choice) -> None:
    """The catalogue's rows."""
    rows = [(k, lesson.real_model(k)) for k in lesson.users()]
    live.users(
        ("rule", "layers with a matrix", "state", f"cache at {USUAL_CONTEXT_TEXT}", "pays from"),
        [
            (catalogue.entries()[k], lesson.rule(k), deltas(k), binary(r.state), binary(r.cache), f"{count(r.crossover)} tokens")
            for k, r in rows
        ],
        f"**Every row is counted from the config as released**, {USUAL_CONTEXT:,} tokens, cache in 16 bits, matrices in 32. "
        "Pays from: the first length at which it keeps less than with attention in every layer. Click a name for its own page.",
    )


live.page(
    ANSWER, CORRECTION, choose, see, live.stacked((ours, theirs), formula, real_models),
    live.proof(MECHANISM, (recalled, learned)),
    live.reading("core/model/mixers/delta.py", "core/model/scan.py", listed=MECHANISM.papers, mixed_up=MIXED_UP), users,
)  # fmt: skip
