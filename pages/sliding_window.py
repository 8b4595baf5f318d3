"""Sliding-window attention: what if a token cannot look far back?"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from app import controls, live, panels, state, theme
from app.figures import frame, kinds, window
from app.figures.maps import Tape, encode_probability
from core.count import cost
from core.lessons import sliding_window as lesson
from core.lessons.common import AXIS, column, columns, model_name, spec_of
from core.lessons.recall import Answer
from core.real import catalogue
from core.train import evidence
from core.train.mechanism import Spelling
from core.train.recipes.sliding_window import MECHANISM
from core.train.tasks import recall
from core.units import binary, count, decimal, exact, operations

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
EXAMPLES = {
    "near and far": (
        "ann lamp bo kite cy drum dan rope eva coin fay bell gus boat hal book ivy cup jack mask kim pear leo tent ? leo ann"
    ),
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
WINDOW = controls.Slider("window", "Window", lesson.WINDOWS, lesson.TRAINED, "window", HELP_WINDOW)
PATTERN = controls.Choice("pattern", "Pattern", tuple(lesson.PATTERNS), "5:1", "window", HELP_PATTERN)
REAL = controls.Pick("real", "Real model", lesson.users(), lesson.reference(FIRST), name=model_name)
PROMPT = live.names_and_things(EXAMPLES, (6, 16))
LAYERS = {"full": "global", "sliding": "local", "chunked": "chunked"}
bars = partial(live.compare, "all global", hue="window")  # every layer global, and with windows
KEPT = {"full": "n", "sliding": "min(n, w)", "chunked": "min(n, chunk)"}


@dataclass(frozen=True)
class Choice:
    """What the controls hold."""

    size: int
    pattern: str
    key: str
    context: int
    text: str

    @property
    def variant(self) -> str:
        """The checkpoint that runs."""
        return lesson.PATTERNS[self.pattern]

    @property
    def config(self) -> dict:
        """What goes into an exported figure of counts."""
        return live.about(self.variant, window=self.size, model=model_name(self.key), context=self.context)

    @property
    def real(self) -> lesson.Windowed:
        """The real model at that context."""
        return lesson.real_model(self.key, self.context)


def choose() -> Choice:
    """The controls: window, pattern and presets; real model, context and prompt folded."""
    with controls.row():
        size, pattern = WINDOW.draw(), PATTERN.draw()
        with controls.presets_first("model", presets(), "window"):
            key, context, prompt = live.model_and_prompt(REAL, "128k", PROMPT)
    return Choice(size, pattern, key, context, prompt)


def presets() -> dict[str, dict]:
    """The real models that the catalogue has: each sets the pattern and the model that is counted."""
    return {name: {"pattern": pattern, "real": key} for name, (pattern, key) in MODELS.items() if key in lesson.users()}


# See


def see(choice: Choice) -> None:
    """The live model on the reader's prompt."""
    prompt = live.parsed(choice.text, PROMPT.default)
    scene = lesson.scene(choice.pattern, choice.size, prompt)
    left, right = panels.beside()
    with left:
        chosen = picture(choice, scene)
        panels.caption(
            f"**Window {choice.size}, {pattern_text(choice.pattern)}, {len(scene.words)} tokens.** {trained_text(choice.size)}"
            f"One map a layer, the mean of its {lesson.recipes.HEADS} heads; row = token asking, column = token read; what a "
            "{window} hides stays blank. The live cache holds the tokens of the ring; engines lay them out in its slots.",
            window=panels.term("window", HELP_WINDOW),
        )
        live.answers([(a, lesson.finding_head(scene, a)) for a in scene.answers])
    with right:
        side(choice, prompt, scene, chosen["row"])


def pattern_text(pattern: str) -> str:
    """A pattern by the layers it has here."""
    near, far = lesson.layers_by_reach(pattern)
    return f"{near} local, {far} global layer{'s' * (far > 1)}" if near and far else f"{near + far} {pattern} layers"


def trained_text(size: int) -> str:
    """Whether the window is the one that the weights learned with."""
    return "" if size == lesson.TRAINED else f"Trained with window {lesson.TRAINED}, run with {size}. "


def picture(choice: Choice, scene: lesson.Scene) -> dict:
    """A band mask a layer, the prompt, the cache of every layer filling, the ring of a local one."""
    last, near, n, size, stage = scene.answers[-1], lesson.local(choice.pattern), len(scene.words), choice.size, state.stage()
    return live.picture(
        encode_probability(*lesson.maps(scene)),
        {"row": last.position, "step": n},
        last,
        key="layers",
        alt=f"Attention of {len(near)} layers on {n} tokens: bands {size} wide in local layers, triangles in global ones",
        tokens=scene.words,
        labels=[f"layer {i}" for i in range(1, len(near) + 1)],
        groups=[0 if is_near else 1 for is_near in near],
        group_labels=[f"w = {size}", "all"] if stage else [f"window {size}", "everything"],
        hue="window",
        columns=6 if stage else 3,
        tape=tape(size, near, scene),
        aspect=1.0 if stage else 1.3,
        config=live.about(choice.variant, prompt=choice.text, window=size),
    )


def tape(size: int, near: tuple[bool, ...], scene: lesson.Scene) -> Tape:
    """The cache of every layer, a lane each; what a window let go stays as an outline."""
    legend = {"window": "local layers", "kv": "global layers"}
    hues = tuple("window" if is_near else "kv" for is_near in near)
    return Tape(
        tuple(f"layer {i}" for i in range(1, len(near) + 1)), scene.cache_bytes, len(near), lesson.whole(len(scene.words)),
        "all global", "window", windows=tuple(size if is_near else 0 for is_near in near), hues=hues,
        legend={hue: name for hue, name in legend.items() if hue in hues}, ring=size if any(near) else 0,
    )  # fmt: skip


def side(choice: Choice, prompt: recall.Prompt, scene: lesson.Scene, row: int | None) -> None:
    """What can reach the token that asks, the cache here, the cache of a real model."""
    ask = lesson.asks(scene, row)
    target = scene.answers[-1].position if row is None else row
    way = lesson.way(choice.pattern, choice.size, prompt, target, ask.source if ask else -1)
    with panels.card("What can still reach this token", "reach"):
        reach(choice, way, scene, ask)
    n = len(scene.words)
    here = lesson.live_cost(choice.pattern, choice.size, n)
    with panels.card(f"Cache after {n} tokens", "cache"):
        bars(int(lesson.whole(n)[-1]), lesson.pattern_text(choice.pattern), int(scene.cache_bytes[-1]), exact)
        panels.check(here.cache_bytes, int(scene.cache_bytes[-1]))
        live.small(f"plus {here.state_bytes:,} B of convolution columns, the same for every setting")
    r = choice.real
    with panels.card(f"{r.name}, {choice.context:,} tokens", "real"):
        bars(r.whole, f"window {r.window:,}", r.released, binary)
        live.small(f"{r.local} layers with a window, {r.full} without: the share goes to {r.limit:.1%} and no lower")


def reach(choice: Choice, way: lesson.Way, scene: lesson.Scene, ask: Answer | None) -> None:
    """The stack as a graph, with the strongest way of the answer's word."""
    words = scene.words
    cone, near = lesson.cone(choice.pattern, choice.size, len(words), way.target), lesson.local(choice.pattern)
    fig = window.reach(cone, way.nodes, near, words, way.source, way.target, theme.colours(), theme.stroke())
    alt = f"{len(cone)} places in the stack can still reach {words[way.target]}, token {way.target + 1}"
    table = columns(("after layer", "token", "word"), ((level, t + 1, words[t]) for level, t in way.nodes))
    frame.figure(fig, key="reach", alt=alt, table=table, config=live.about(choice.variant, window=choice.size))
    panels.caption(way_text(way, words, ask), range=panels.term("How far a stack sees", range_text(choice.size)))


def way_text(way: lesson.Way, words, ask) -> str:
    """Whether the word can get there, and whether the answer does."""
    lead = f"**{words[way.source]} ({way.source + 1}) → {words[way.target]} ({way.target + 1}), {way.distance} tokens back.** "
    if not way.nodes:
        return lead + f"No way: the first token that gets there is {words[way.earliest]} ({way.earliest + 1}). " + "{range}"
    weight = f"{way.weight:.2f}" if way.weight >= 0.01 else "below 0.01"
    lead += f"Reachable: the way of most attention ({weight}) moves on in {way.moves} of {len(way.nodes) - 1} layers"
    arrived = "" if ask is None else ", and the answer arrives" if ask.said == ask.truth else ", yet the answer does not arrive"
    return lead + arrived + ". {range}"


def range_text(size: int) -> str:
    """The range of a stack of local layers, with the numbers put in."""
    r = lesson.stack_range(size)
    return (
        f"Through {r.layers} local layers of window {r.window} something gets {r.layers} · ({r.window} − 1) + 1 = {r.plain} "
        f"tokens far, itself included. Our layers also have a short convolution, which hands each key {r.more} tokens more: "
        f"{r.layers} · ({r.window} − 1 + {r.more}) + 1 = {r.live}. A global layer has no limit."
    )


# Count


def ours(choice: Choice) -> None:
    """The live model's cache against tokens: the kink at the window."""
    lengths, points, name = np.arange(1, 129), np.array(lesson.LENGTHS), lesson.pattern_text(choice.pattern)
    setting = choice.pattern, choice.size
    lines, values = lesson.cache_curves(*setting, lengths), lesson.measured_cache(*setting)
    drawn, meets = kinds.lines(lines, name, "window", 2.8), (choice.size, f"window {choice.size}")
    words = (
        f"**Window {choice.size}, {pattern_text(choice.pattern)}.** Lines are counted; rings are bytes in the tensors of the "
        "live model."
    )
    grown = kinds.Growth(drawn, name, lengths, points, values, meets, column="{} counted, B")
    live.growth("Our model: cache against tokens", grown, choice.config, words)


def share(choice: Choice) -> None:
    """The share of an all-global cache, ours and a real model's, and the limits that they go to."""
    live.heading("How much of an all-global cache is kept")
    contexts, points = 2 ** np.arange(0, 21), np.array(lesson.LENGTHS)
    ours, real = lesson.live_spec(choice.pattern, choice.size), spec_of(choice.key)
    specs = {f"ours, {lesson.pattern_text(choice.pattern)}": ours, model_name(choice.key): real}
    lines, limits = (
        {name: f(spec) for name, spec in specs.items()} for f in (lambda s: lesson.cache_share(s, contexts), lesson.limit)
    )
    shares = lesson.measured_share(choice.pattern, choice.size)
    fig = window.shares(contexts, lines, limits, points, shares, AXIS, choice.context, theme.colours(), theme.stroke())
    ends = ", ".join(f"{limit:.1%} for {name}" for name, limit in limits.items())
    alt = f"Share of an all-global cache against context: it falls from 100% at the window to {ends}"
    frame.figure(fig, key="shares", alt=alt, table={"context": contexts, **lines}, config=choice.config)
    panels.caption(
        f"**It ends at {ends}.** With r local layers to each global one of equal width the share is "
        "(1 + r · min(w, n) / n) / (1 + r), which goes to 1 / (1 + r). Dashes: the limits. Rings: measured in our live model."
    )


def formula(choice: Choice) -> None:
    """The cache formula with the numbers of this model put in."""
    f = lesson.formula(choice.key, choice.context)
    terms = r" \\ & + \; ".join(
        r"\underbrace{%d}_{\text{%s layers}} \cdot \underbrace{%s}_{\text{%s}} \cdot \underbrace{%d}_{\text{KV heads}} \cdot "
        r"\underbrace{(%d + %d)}_{\text{key, value}} \cdot \underbrace{2\,\text{B}}_{\text{bf16}}"
        % (t.layers, LAYERS[t.kind], live.digits(t.tokens), KEPT[t.kind], t.kv_heads, t.k_dim, t.v_dim)
        for t in f.terms
    )
    live.formula(
        f"{f.name} at {f.context:,} tokens, 16-bit cache",
        r"\begin{aligned} & %s \\ & = \text{%s} \end{aligned}" % (terms, binary(f.bytes)),
        f"**Against {binary(f.whole)} with every layer global: {f.share:.1%}.** One sequence; KiB, MiB and GiB are powers of "
        f"1024. {decimal(f.bytes)} in powers of 1000. The command line gives the same: {{code}}.",
        f"{choice.key} --context {choice.context}",
    )


def memory(choice: Choice) -> None:
    """A real model's cache against context."""
    contexts, r = 2 ** np.arange(6, 21), choice.real
    live.heading(f"{r.name}: memory against context")
    whole, released = lesson.real_cache_curves(choice.key, contexts)
    drawn = window.memory(r.name, contexts, whole, released, AXIS, r.window, choice.context, binary)
    kinds.show(drawn, "memory", choice.config)
    panels.caption(
        f"**Window {r.window:,}: below it nothing is saved.** Beyond it the lower line rises on wherever a layer is global. "
        "A serving program that keeps the whole context for every layer pays the upper line."
    )


def savings(choice: Choice) -> None:
    """What a window saves, and what it does not."""
    r, weights = choice.real, cost.count(spec_of(choice.key), 1).params_total
    live.heading("What a window saves, and what it does not")
    with panels.card(f"Cache of {r.name} at {choice.context:,} tokens", "saved"):
        bars(r.whole, "as released", r.released, binary)
    with panels.card("Attention arithmetic of the next token", "flops"):
        bars(r.whole_flops, "as released", r.flops, operations)
    with panels.card("Parameters", "parameters"):
        bars(weights, "as released", weights, count)
        live.small("A window has no weights of its own.")


def real_models(choice: Choice) -> None:
    """Every model of the catalogue with windows."""
    rows, context = lesson.real_models(choice.context), choice.context
    live.heading(f"Real models at {context:,} tokens")
    names, chosen = [r.name for r in rows], [r.key for r in rows].index(choice.key)
    sizes = column(rows, "whole"), column(rows, "released")
    kinds.show(window.models(context, names, *sizes, binary, chosen), "models", choice.config)
    panels.caption(
        f"**One sequence of {context:,} tokens, 16-bit cache, whether or not the model was made for so long a context.** "
        "Log scale; the model chosen above is in bold."
    )


# Prove


def distances(choice: Choice) -> None:
    """Recall by the distance of the answer."""
    live.heading("Recall by distance: every seed")
    drawn = window.distances(lesson.by_distance(), choice.pattern, lesson.recipes.BOUNDS, lesson.pattern_text)
    kinds.show(drawn, "distances", live.again(MECHANISM))
    every = {lesson.live_cost(p, lesson.TRAINED, 1).params_total for p in lesson.PATTERNS}  # one: a window has none
    params = ", ".join(f"{n:,}" for n in sorted(every))
    panels.caption(
        f"**Window {lesson.TRAINED}, {lesson.recipes.DEPTH} layers, {params} parameters whatever the pattern.** Lines join "
        f"the means of seeds {evidence.seeds_text(MECHANISM.name)}; grey dashes are the bounds of the claims. One local layer "
        f"with its convolution reaches {lesson.NEAREST} tokens back."
    )


def learning(_: Choice) -> None:
    """Loss while training."""
    curves = {p: evidence.learning("sliding_window", v, lesson.METRIC) for p, v in lesson.PATTERNS.items()}
    hues = {p: style.hue for p, style in zip(lesson.PATTERNS, window.STYLES)}
    config = live.again(MECHANISM)
    live.learning(curves, lesson.pattern_text, hues, lesson.PAIRS, "patterns", config, head="pattern", written=str)
    panels.caption("**One line a seed, one dash a pattern.** Everything but the pattern is equal.")


def distance_text(metric: str) -> str:
    """A bucket of distances: "recall@9-16" in words."""
    return f"{metric.removeprefix('recall@').replace('-', '–')} back"


def gemma(_: Choice) -> None:
    """Which ratio the printed figures of Gemma 3 belong to."""
    base, context, left = lesson.overheads()
    live.heading(f"Which ratio is “{' to '.join(row[1] for row in lesson.gemma()['rows'])}”?")
    shares = " and ".join(f"{o.share:.1%} at {o.ratio}:1" for o in left)
    panels.caption(
        "**Three local layers to one global, not the five that Gemma 3 ships with.** The report compares a 2B model at "
        f"{context:,} tokens; its text gives {base:.0%} for global layers only. From that number the formula "
        f"(1 + r · w / n) / (1 + r) with w = {left[0].window:,} leaves {shares}. "
        "The printed numbers are rounded, and layers need not divide evenly."
    )


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
        f"**Every row is counted from the config as released**, 16-bit cache, {choice.context:,} tokens. A window is the last w "
        "tokens, itself included (MiMo's config counts the others only); a chunk is a token's own block, of which engines keep "
        "one. Share and limit: of a cache with every layer global. Click a name for the model's own page.",
    )  # fmt: skip


spelling = Spelling({v: lesson.pattern_text(pattern) for pattern, v in lesson.PATTERNS.items()}, distance_text)
live.page(
    ANSWER, CORRECTION, choose, see, live.stacked((ours, share), formula, (memory, savings), real_models),
    live.stacked(live.proof(MECHANISM, (distances, learning), name=spelling.number), gemma),
    live.reading("core/model/mixers/attention.py", "core/model/blocks.py", listed=MECHANISM.papers), users,
)  # fmt: skip
