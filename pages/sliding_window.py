"""Sliding-window attention: what if a token cannot look far back?"""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from app import controls, live, panels, state, theme
from app.figures import frame, kinds, window
from app.figures.maps import Tape, encode_probability, maps
from core.lessons import sliding_window as lesson
from core.lessons.common import AXIS, CONTEXTS, model_name, spec_of
from core.model.registry import question
from core.real import catalogue
from core.train import evidence
from core.train.mechanism import Spelling
from core.train.recipes.sliding_window import MECHANISM
from core.train.tasks import recall
from core.units import binary, count, decimal

QUESTION = question("sliding_window")
ANSWER = "Its cache stops growing at the window; a few global layers bring back what lies farther."
CORRECTION = "A window does not cap the total: the global layers keep growing, so the saving ends at their share of the layers."

MODELS = {
    "Gemma 3 27B": ("5:1", "gemma3-27b"),
    "Gemma 2 9B": ("1:1", "gemma2-9b"),
    "gpt-oss-120b": ("1:1", "gpt-oss-120b"),
    "OLMo 3 32B": ("3:1", "olmo3-32b"),
    "Mistral 7B v0.1": (lesson.ALL_LOCAL, "mistral-7b-v0.1"),
}
FIRST = "gemma3-27b"
FAR = "ann lamp bo kite cy drum dan rope eva coin fay bell gus boat hal book ivy cup jack mask kim pear leo tent ? leo ann"
EXAMPLES = {
    "near and far": FAR,
    "4 pairs": "ann lamp bo kite cy drum dan rope ? ann",
    "16 pairs": recall.surprise(16, seed=5, asked=4),
    "30 pairs": recall.surprise(30, seed=2, asked=3),
}
HELP_WINDOW = (
    "How many tokens a local layer sees: the token itself and those just before it (w keys, itself included). The models were "
    f"trained with {lesson.TRAINED}; any other window runs the same weights."
)
HELP_PATTERN = (
    "Local layers to each global one, which sees everything. Each pattern was trained on its own, in six layers: 5:1 has five "
    "local and one global; 3:1 is the repeated pattern cut at six, which leaves four and two."
)
HELP_CONTEXT = "Tokens so far, for the real models."
WINDOW = controls.Slider("window", "Window", lesson.WINDOWS, lesson.TRAINED, "window", HELP_WINDOW)
PATTERN = controls.Choice("pattern", "Pattern", tuple(lesson.PATTERNS), "5:1", "window", HELP_PATTERN)
REAL = controls.Pick("real", "Real model", lesson.users(), lesson.reference(FIRST), name=model_name)
CONTEXT = controls.Slider("context", "Context", tuple(CONTEXTS), "128k", "ink", HELP_CONTEXT)
PROMPT = live.names_and_things(EXAMPLES, (6, 16))
LAYERS = {"full": "global", "sliding": "local", "chunked": "chunked"}
KEPT = {"full": "n", "sliding": "min(n, w)", "chunked": "min(n, chunk)"}


@dataclass(frozen=True)
class Choice:
    """What the controls hold."""

    size: int
    pattern: str
    key: str
    context: int
    text: str


def choose() -> Choice:
    """The controls: window, pattern and presets; real model, context and prompt folded."""
    with controls.row():
        size, pattern = WINDOW.draw(), PATTERN.draw()
        with controls.presets_first("model", presets(), "window"):
            key, context, prompt = live.model_and_prompt(REAL, CONTEXT, PROMPT)
    return Choice(size, pattern, key, CONTEXTS[context], prompt)


def presets() -> dict[str, dict]:
    """The real models that the catalogue has: each sets the pattern and the model that is counted."""
    return {name: {"pattern": pattern, "real": key} for name, (pattern, key) in MODELS.items() if key in lesson.users()}


# See


def see(choice: Choice) -> None:
    """The live model on the reader's prompt."""
    prompt = live.parsed(choice.text, FAR)
    scene = lesson.scene(choice.pattern, choice.size, prompt)
    left, right = panels.beside()
    with left:
        chosen = picture(choice.size, choice.pattern, scene, choice.text)
        panels.caption(
            f"**Window {choice.size}, {pattern_said(choice.pattern)}, {len(scene.words)} tokens.** {trained_said(choice.size)}"
            f"One map a layer, the mean of its {lesson.recipes.HEADS} heads; row = token asking, column = token read; what a "
            "{window} hides stays blank. The live cache holds the tokens of the ring; engines lay them out in its slots.",
            window=panels.term("window", HELP_WINDOW),
        )
        live.answers([(a, lesson.finding_head(scene, a)) for a in scene.answers])
    with right:
        side(choice.size, choice.pattern, choice.key, choice.context, prompt, scene, chosen["row"])


def pattern_said(pattern: str) -> str:
    """A pattern by the layers it has here."""
    near, far = lesson.layers_by_reach(pattern)
    return f"{near} local, {far} global layer{'s' * (far > 1)}" if near and far else f"{near + far} {pattern} layers"


def trained_said(size: int) -> str:
    """Whether the window is the one that the weights learned with."""
    return "" if size == lesson.TRAINED else f"Trained with window {lesson.TRAINED}, run with {size}. "


def picture(size: int, pattern: str, scene: lesson.Scene, text: str) -> dict:
    """A band mask a layer, the prompt, the cache of every layer filling, the ring of a local one."""
    last, near, n = scene.answers[-1], lesson.local(pattern), len(scene.words)
    start = {"row": last.position, "step": n}
    attention, visible = lesson.maps(scene)
    chosen = maps(
        encode_probability(attention, visible),
        key="layers",
        title=QUESTION,
        alt=f"Attention of {len(near)} layers on {n} tokens: bands {size} wide in local layers, triangles in global ones",
        tokens=scene.words,
        labels=[f"layer {i}" for i in range(1, len(near) + 1)],
        groups=[0 if is_near else 1 for is_near in near],
        group_labels=[f"w = {size}", "all"] if state.stage() else [f"window {size}", "everything"],
        hue="window",
        columns=6 if state.stage() else 3,
        **live.pointed(last),
        tape=tape(size, near, scene),
        selected=state.selection(start),
        aspect=1.0 if state.stage() else 1.3,
        config=live.about(lesson.PATTERNS[pattern], prompt=text, window=size),
        stage=state.stage(),
    )
    state.keep_selection(chosen, start)
    return chosen


def tape(size: int, near: tuple[bool, ...], scene: lesson.Scene) -> Tape:
    """The cache of every layer, a lane each; what a window let go stays as an outline."""
    legend = {"window": "local layers", "kv": "global layers"}
    hues = tuple("window" if is_near else "kv" for is_near in near)
    return Tape(
        tuple(f"layer {i}" for i in range(1, len(near) + 1)), scene.cache_bytes, len(near), lesson.whole(len(scene.words)),
        "all global", "window", windows=tuple(size if is_near else 0 for is_near in near), hues=hues,
        legend={hue: name for hue, name in legend.items() if hue in hues}, ring=size if any(near) else 0,
    )  # fmt: skip


def side(size: int, pattern: str, key: str, context: int, prompt: recall.Prompt, scene: lesson.Scene, row: int | None) -> None:
    """What can reach the token that asks, the cache here, the cache of a real model."""
    ask = lesson.asks(scene, row)
    target = scene.answers[-1].position if row is None else row
    way = lesson.way(pattern, size, prompt, target, ask.source if ask else -1)
    with panels.card("What can still reach this token", "reach"):
        reach(size, pattern, way, scene, ask)
    n = len(scene.words)
    here = lesson.live_cost(pattern, size, n)
    with panels.card(f"Cache after {n} tokens", "cache"):
        bars("all global", int(lesson.whole(n)[-1]), lesson.pattern_text(pattern), int(scene.cache_bytes[-1]))
        panels.check(here.cache_bytes, int(scene.cache_bytes[-1]))
        live.small(f"plus {here.state_bytes:,} B of convolution columns, the same for every setting")
    r = lesson.real_model(key, context)
    with panels.card(f"{r.name}, {context:,} tokens", "real"):
        bars("all global", r.whole, f"window {r.window:,}", r.released, binary)
        live.small(f"{r.local} layers with a window, {r.full} without: the share goes to {r.limit:.1%} and no lower")


def bars(before: str, whole: int, now: str, part: int, text=lambda n: f"{n:,} B") -> None:
    """Every layer global, and with windows; one bar where that is the same."""
    rows = [panels.Bar(before, 1.0, text(whole)), panels.Bar(now, part / whole, text(part), "window", changed=True)]
    panels.bars(rows[before == now :], f"{before} against {now}")


def reach(size: int, pattern: str, way: lesson.Way, scene: lesson.Scene, ask) -> None:
    """The stack as a graph, with the strongest way of the answer's word."""
    words = scene.words
    cone = lesson.cone(pattern, size, len(words), way.target)
    fig = window.reach(cone, way.nodes, lesson.local(pattern), words, way.source, way.target, theme.colours(), theme.stroke())
    alt = f"{len(cone)} places in the stack can still reach {words[way.target]}, token {way.target + 1}"
    steps = [(level, t + 1, words[t]) for level, t in way.nodes]
    table = {name: [step[i] for step in steps] for i, name in enumerate(("after layer", "token", "word"))}
    frame.figure(fig, key="reach", alt=alt, table=table, config=live.about(lesson.PATTERNS[pattern], window=size))
    panels.caption(way_said(way, words, ask), range=panels.term("How far a stack sees", range_said(size)))


def way_said(way: lesson.Way, words, ask) -> str:
    """Whether the word can get there, and whether the answer does."""
    lead = f"**{words[way.source]} ({way.source + 1}) → {words[way.target]} ({way.target + 1}), {way.distance} tokens back.** "
    if not way.nodes:
        return lead + f"No way: the first token that gets there is {words[way.earliest]} ({way.earliest + 1}). " + "{range}"
    weight = f"{way.weight:.2f}" if way.weight >= 0.01 else "below 0.01"
    lead += f"Reachable: the way of most attention ({weight}) moves on in {way.moves} of {len(way.nodes) - 1} layers"
    arrived = "" if ask is None else ", and the answer arrives" if ask.said == ask.truth else ", yet the answer does not arrive"
    return lead + arrived + ". {range}"


def range_said(size: int) -> str:
    """The range of a stack of local layers, with the numbers put in."""
    r = lesson.stack_range(size)
    return (
        f"Through {r.layers} local layers of window {r.window} something gets {r.layers} · ({r.window} − 1) + 1 = {r.plain} "
        f"tokens far, itself included. Our layers also have a short convolution, which hands each key {r.more} tokens more: "
        f"{r.layers} · ({r.window} − 1 + {r.more}) + 1 = {r.live}. A global layer has no limit."
    )


# Count


def counts(choice: Choice) -> None:
    """Memory against context, counted beside measured; then the real models."""
    config = live.about(lesson.PATTERNS[choice.pattern], window=choice.size, model=model_name(choice.key), context=choice.context)
    left, right = st.columns(2, gap="large")
    with left:
        ours(choice.size, choice.pattern, config)
    with right:
        kept(choice.size, choice.pattern, choice.key, choice.context, config)
    formula(choice.key, choice.context)
    left, right = st.columns(2, gap="large")
    with left:
        memory(choice.key, choice.context, config)
    with right:
        savings(choice.key, choice.context)
    real_models(choice.key, choice.context, config)


def ours(size: int, pattern: str, config: dict) -> None:
    """The live model's cache against tokens: the kink at the window."""
    live.heading("Our model: cache against tokens")
    lengths, points, name = np.arange(1, 129), np.array(lesson.LENGTHS), lesson.pattern_text(pattern)
    lines, values = lesson.cache_curves(pattern, size, lengths), lesson.measured_cache(pattern, size)
    drawn, meets = kinds.lines(lines, name, "window", 2.8), (size, f"window {size}")
    kinds.show(kinds.Growth(drawn, name, lengths, points, values, meets, column="{} counted, B"), "growth", config)
    panels.caption(
        f"**Window {size}, {pattern_said(pattern)}.** Lines are counted; rings are bytes in the tensors of the live model."
    )
    panels.check(int(lines[name][points[-1] - 1]), int(values[-1]))


def kept(size: int, pattern: str, key: str, context: int, config: dict) -> None:
    """The share of an all-global cache, ours and a real model's, and the limits that they go to."""
    live.heading("How much of an all-global cache is kept")
    contexts, points = 2 ** np.arange(0, 21), np.array(lesson.LENGTHS)
    specs = {f"ours, {lesson.pattern_text(pattern)}": lesson.live_spec(pattern, size), model_name(key): spec_of(key)}
    lines, limits = (
        {name: f(spec) for name, spec in specs.items()} for f in (lambda s: lesson.cache_share(s, contexts), lesson.limit)
    )
    shares = lesson.measured_share(pattern, size)
    fig = window.shares(contexts, lines, limits, points, shares, AXIS, context, theme.colours(), theme.stroke())
    said = ", ".join(f"{limit:.1%} for {name}" for name, limit in limits.items())
    alt = f"Share of an all-global cache against context: it falls from 100% at the window to {said}"
    frame.figure(fig, key="shares", alt=alt, table={"context": contexts, **lines}, config=config)
    panels.caption(
        f"**It ends at {said}.** With r local layers to each global one of equal width the share is "
        "(1 + r · min(w, n) / n) / (1 + r), which goes to 1 / (1 + r). Dashes: the limits. Rings: measured in our live model."
    )


def formula(key: str, context: int) -> None:
    """The cache formula with the numbers of this model put in."""
    f = lesson.formula(key, context)
    live.heading(f"{f.name} at {f.context:,} tokens, 16-bit cache")
    terms = r" \\ & + \; ".join(
        r"\underbrace{%d}_{\text{%s layers}} \cdot \underbrace{%s}_{\text{%s}} \cdot \underbrace{%d}_{\text{KV heads}} \cdot "
        r"\underbrace{(%d + %d)}_{\text{key, value}} \cdot \underbrace{2\,\text{B}}_{\text{bf16}}"
        % (t.layers, LAYERS[t.kind], live.digits(t.tokens), KEPT[t.kind], t.kv_heads, t.k_dim, t.v_dim)
        for t in f.terms
    )
    st.latex(r"\begin{aligned} & %s \\ & = \text{%s} \end{aligned}" % (terms, binary(f.bytes)))
    panels.caption(
        f"**Against {binary(f.whole)} with every layer global: {f.share:.1%}.** One sequence; KiB, MiB and GiB are powers of "
        f"1024. {decimal(f.bytes)} in powers of 1000. The command line gives the same: " + "{code}.",
        code=f"<code>python -m core inspect {key} --context {context}</code>",
    )


def memory(key: str, context: int, config: dict) -> None:
    """A real model's cache against context."""
    live.heading(f"{model_name(key)}: memory against context")
    contexts, r = 2 ** np.arange(6, 21), lesson.real_model(key, context)
    whole, released = lesson.real_cache_curves(key, contexts)
    drawn = window.memory(r.name, contexts, whole, released, AXIS, r.window, context, binary)
    kinds.show(drawn, "memory", config)
    panels.caption(
        f"**Window {r.window:,}: below it nothing is saved.** Beyond it the lower line rises on wherever a layer is global. "
        "A serving program that keeps the whole context for every layer pays the upper line."
    )


def savings(key: str, context: int) -> None:
    """What a window saves, and what it does not."""
    r, weights = lesson.real_model(key, context), lesson.parameters_of(key)
    live.heading("What a window saves, and what it does not")
    with panels.card(f"Cache of {r.name} at {context:,} tokens", "saved"):
        bars("all global", r.whole, "as released", r.released, binary)
    with panels.card("Attention arithmetic of the next token", "flops"):
        bars("all global", r.whole_flops, "as released", r.flops, flops)
    with panels.card("Parameters", "parameters"):
        bars("all global", weights, "as released", weights, count)
        live.small("A window has no weights of its own.")


def flops(n: float) -> str:
    """Operations: "22.3 GFLOP"."""
    return decimal(n).replace("B", "FLOP")


def real_models(key: str, context: int, config: dict) -> None:
    """Every model of the catalogue with windows."""
    rows = lesson.real_models(context)
    live.heading(f"Real models at {context:,} tokens")
    names, whole, released = [r.name for r in rows], np.array([r.whole for r in rows]), np.array([r.released for r in rows])
    chosen = [r.key for r in rows].index(key)
    kinds.show(window.models(context, names, whole, released, binary, chosen), "models", config)
    panels.caption(
        f"**One sequence of {context:,} tokens, 16-bit cache, whether or not the model was made for so long a context.** "
        "Log scale; the model chosen above is in bold."
    )


# Prove


def prove(choice: Choice) -> None:
    """Our trained runs, the verdicts that follow from them, what papers printed."""
    report = evidence.report("sliding_window")
    live.verdicts(report, Spelling({v: variant_said(v) for v in lesson.PATTERNS.values()}, distance_said).number)
    left, right = st.columns(2, gap="large")
    command = {"command": report["command"]}
    with left:
        live.heading("Recall by distance: every seed")
        drawn = window.distances(lesson.by_distance(), choice.pattern, lesson.recipes.BOUNDS, lesson.pattern_text)
        kinds.show(drawn, "distances", command)
        params = ", ".join(f"{n:,}" for n in sorted(lesson.parameters()))
        seeds = ", ".join(map(str, report["seeds"]))
        panels.caption(
            f"**Window {lesson.TRAINED}, {lesson.recipes.DEPTH} layers, {params} parameters whatever the pattern.** Lines join "
            f"the means of seeds {seeds}; grey dashes are the bounds of the claims. One local layer with its convolution reaches "
            f"{lesson.NEAREST} tokens back."
        )
    with right:
        curves = {p: lesson.learning(p) for p in lesson.PATTERNS}
        hues = {p: style.hue for p, style in zip(lesson.PATTERNS, window.STYLES)}
        live.learning(curves, lesson.pattern_text, hues, lesson.PAIRS, "patterns", command, head="pattern", written=str)
        panels.caption("**One line a seed, one dash a pattern.** Everything but the pattern is equal.")
    live.published("sliding_window")
    gemma()


def variant_said(variant: str) -> str:
    """A trained variant by its pattern."""
    names = {v: lesson.pattern_text(pattern) for pattern, v in lesson.PATTERNS.items()}
    return names.get(variant, variant)


def distance_said(metric: str) -> str:
    """A bucket of distances: "recall@9-16" in words."""
    return f"{metric.removeprefix('recall@').replace('-', '–')} back"


def gemma() -> None:
    """Which ratio the printed figures of Gemma 3 belong to."""
    base, context, left = lesson.overheads()
    live.heading(f"Which ratio is “{' to '.join(lesson.printed())}”?")
    said = " and ".join(f"{o.share:.1%} at {o.ratio}:1" for o in left)
    panels.caption(
        "**Three local layers to one global, not the five that Gemma 3 ships with.** The report compares a 2B model at "
        f"{context:,} tokens; its text gives {base:.0%} for global layers only. From that number the formula "
        f"(1 + r · w / n) / (1 + r) with w = {left[0].window:,} leaves {said}. "
        "The printed numbers are rounded, and layers need not divide evenly."
    )


# Read


def read(_: Choice) -> None:
    """The glossary, the source that ran, papers."""
    live.reading("core/model/mixers/attention.py", "core/model/blocks.py", listed=MECHANISM.papers)


# Who uses it


def users(choice: Choice) -> None:
    """The catalogue's rows."""
    rows = [(lesson.real_model(k, choice.context), catalogue.entries()[k]) for k in lesson.users()]
    live.users(
        ("local : global", "window", f"cache at {choice.context:,}", "share", "limit"),
        [
            (
                e, f"{r.local} : {r.full}", f"{r.window:,}{' chunk' * (r.kind == 'chunked')}",
                binary(r.released), f"{r.share:.1%}", f"{r.limit:.1%}",
            )
            for r, e in rows
        ],
    )  # fmt: skip
    panels.caption(
        f"**Every row is counted from the config as released**, 16-bit cache, {choice.context:,} tokens. A window is the last w "
        "tokens, itself included (MiMo's config counts the others only); a chunk is a token's own block, of which engines keep "
        "one. Share and limit: of a cache with every layer global. Click a name for the model's own page."
    )


live.page(QUESTION, ANSWER, CORRECTION, choose, see, counts, prove, read, users)
