"""Mixture of experts: how can 671 billion parameters cost 37 billion?"""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from app import controls, live, panels, state, theme
from app.figures import experts as figures
from app.figures import frame, kinds
from app.figures.maps import encode_probability, maps
from app.panels import Bar
from core.lessons.common import spec_of
from core.lessons.moe import evidence as runs
from core.lessons.moe import lesson
from core.lessons.moe.words import balance_said, model_said, number_said, trained_as, variant_said
from core.model.registry import question
from core.train import evidence, zoo
from core.train.recipes.moe import BALANCED, MECHANISM, Setting
from core.train.tasks import domains, experts
from core.units import count, decimal

QUESTION = question("moe")
ANSWER = "A router sends each token to a few of many experts, anew in every layer; all the others rest."
CORRECTION = "Resting is not absent: all of them must lie in memory, a large batch wakes nearly all, and experts are not topics."

EXAMPLES = domains.EXAMPLES
FIRST = next(iter(EXAMPLES.values()))
HELP_EXPERTS = (
    "Routed experts of a layer, all of one width: more of them add parameters, but a token still visits as many as before."
)
HELP_BALANCE = (
    "none: nothing keeps the experts busy. loss: an auxiliary loss that is least when all get the same (Mixtral). bias: a number "
    "an expert that only picks and never weighs, moved after every step against the load (DeepSeek-V3)."
)
HELP_TOP = "How many routed experts a token goes to."
HELP_SHARED = "One more expert, which every token passes."
HELP_GATE = "softmax: the experts compete for a token. sigmoid: each is judged by itself."
HELP_BATCH = "Tokens that are decoded together, each of another text."
HELP_CELLS = "weights: what the output of each picked expert is multiplied by. affinities: what the router gives every expert."
REAL = controls.Pick(
    "real", "Real model", list(lesson.mixture_names()), lesson.default_mixture(), name=lesson.mixture_names().get
)
BATCH = controls.Slider("batch", "Batch", lesson.BATCHES, 32, "routed", HELP_BATCH)
PROMPT = controls.Prompt(
    "prompt", "Any mix of the domains", EXAMPLES, lambda rng: domains.surprise(rng.randrange(1 << 30), sentences=3),
    domains.MAX_CHARACTERS,
)  # fmt: skip
CELLS = ("weights", "affinities")


# Controls


@dataclass(frozen=True)
class Choice:
    """What the controls hold."""

    setting: Setting
    key: str
    batch: int
    text: str


def choose() -> Choice:
    """The controls: experts, balancing and presets; prompt, the rest of the model, real model and batch folded."""
    said, chosen = summary(), {}
    with controls.row():
        chosen["experts"] = offer("experts", "Experts", chosen, HELP_EXPERTS)
        chosen["balance"] = offer("balance", "Balancing", chosen, HELP_BALANCE)
        with controls.presets_first("preset", lesson.presets(), "routed"), controls.more(said):
            prompt = PROMPT.draw()
            with controls.row("model"):
                chosen["top_k"] = offer("top_k", "Experts a token", chosen, HELP_TOP)
                chosen["shared"] = offer("shared", "Shared expert", chosen, HELP_SHARED)
                chosen["gate"] = offer("gate", "Gate", chosen, HELP_GATE)
            with controls.row("real"):
                key, batch = REAL.draw(), BATCH.draw()
    return Choice(Setting(**chosen), key, batch, prompt)


def offer(field: str, label: str, chosen: dict, help: str):
    """A control over what was trained together with the values chosen so far; none where only one value was."""
    options = lesson.offered(field, chosen)
    start = lesson.otherwise(field, options)
    if len(options) == 1:
        return options[0]
    controls.forget(field, options)
    if field == "shared":
        return controls.switch(field, label, start, "shared", help)
    if field == "experts":
        return controls.slider_choice(field, label, options, start, "routed", help)
    return controls.choice(field, label, options, start, "routed", help)


def summary() -> str:
    """What the folded controls are going to hold."""
    every = {field: tuple(dict.fromkeys(getattr(s, field) for s in lesson.recipes.TRAINED)) for field in lesson.FIELDS}
    setting = lesson.settle({f: state.peek(f, getattr(lesson.DEFAULT, f), every[f]) for f in lesson.FIELDS})
    return f"{PROMPT.example()} · {model_said(setting)} · {lesson.mixture_names()[REAL.peek()]}, batch {BATCH.peek()}"


# See


def see(choice: Choice) -> None:
    """The live model on the reader's prompt."""
    prompt = live.parsed(choice.text, FIRST, experts.TASK)
    scene = lesson.scene(choice.setting.variant, tuple(prompt.tokens))
    left, right = panels.beside()
    with left:
        shown = picture(choice.setting, scene, choice.text)
        layer = shown["head"] if shown["head"] is not None else len(scene.picked) - 1
        panels.caption(
            said(choice.setting, scene), affinity=panels.term("affinity", HELP_CELLS), gate=panels.term("gate", HELP_GATE)
        )
        beside(choice.setting, choice.key)
        tasted(choice.setting, scene, layer)
        if controls.switch("flow", "Words as a flow to their experts", False, "routed"):
            flow(choice.setting, scene, shown["row"], choice.text)
    with right:
        side(choice.setting, scene, choice.key, choice.batch)


def picture(setting: Setting, scene: lesson.Scene, text: str) -> dict:
    """The routing: a panel a layer, a row a token, a column an expert."""
    cells = state.peek("cells", CELLS[0], CELLS)
    start = {"step": len(scene.words)}
    chosen = maps(
        encode_probability(scene.weights if cells == CELLS[0] else scene.affinity),
        key="routing",
        title=QUESTION,
        alt=f"Which of {setting.experts} experts each of {len(scene.words)} tokens goes to, in {len(scene.picked)} layers",
        tokens=scene.words,
        cols=[f"expert {e + 1}" for e in range(setting.experts)],
        labels=[f"layer {n + 1}" for n in range(len(scene.picked))],
        columns=len(scene.picked),
        hue="routed",
        verb="goes to" if cells == CELLS[0] else "likes",
        selected=state.selection(start),
        aspect=1.75 if state.stage() else 1.1,
        config=live.about(setting.variant, prompt=text),
        stage=state.stage(),
    )
    state.keep_selection(chosen, start)
    with controls.row("picture"):
        controls.choice("cells", "Cells", CELLS, CELLS[0], "routed", HELP_CELLS)
    return chosen


def said(setting: Setting, scene: lesson.Scene) -> str:
    """What the picture shows now."""
    idle = " and ".join(f"{n} in layer {i + 1}" for i, n in enumerate(lesson.idle(scene)))
    return (
        f"**{setting.experts} experts, {model_said(setting)}, {balance_said(setting)}; {len(scene.words)} tokens.** "
        "Row = token (little words are left out), column = expert. "
        f"Experts without a token here: {idle}. The pick follows the {{affinity}}, the weight the "
        "{gate}. Each layer picks anew."
    )


def beside(setting: Setting, key: str) -> None:
    """Where the mixture that runs differs from the real model that is chosen."""
    found = [f"{trait} {real} → {here}" for trait, real, here in lesson.trait_differences(key, setting)]
    name = lesson.real_model(key).name
    panels.caption(f"**Differs from {name} in:** {'; '.join(found)}." if found else f"**The same kind as {name}.**")


def tasted(setting: Setting, scene: lesson.Scene, layer: int) -> None:
    """Which experts each domain's words went to, whether domains share them, and what the fixed text says about it."""
    tastes, fixed = lesson.tastes(scene, layer), lesson.decides(setting.variant)[layer]
    if not tastes:
        return
    live.heading(f"Whose words go where, layer {layer + 1}")
    spread = [", ".join(f"{e + 1} ({n}×)" if n > 1 else f"{e + 1}" for e, n in taste.experts) for taste in tastes]
    live.table(("domain", "own words", "experts"), [(t.domain, f"{t.words}", e) for t, e in zip(tastes, spread)])
    panels.caption(
        f"**{len(lesson.common(tastes))} of {lesson.visited(tastes)} experts serve more than one domain here.** On the fixed "
        f"text the word itself decides {fixed['token']:.2f} of the choice, its domain {fixed['domain']:.2f} (0 nothing, 1 all)."
    )


def flow(setting: Setting, scene: lesson.Scene, row: int | None, text: str) -> None:
    """Words to experts of both layers."""
    live.heading("From words to experts to experts")
    names, links, columns = lesson.flow(scene)
    hot = {names.index(scene.words[row])} if row is not None else set()
    fig = figures.flow(names, links, columns, hot, theme.colours(), theme.stroke())
    table = {"from": [names[a] for a, _, _ in links], "to": [names[b] for _, b, _ in links], "tokens": [n for *_, n in links]}
    alt = f"{len(set(scene.words))} words flow to the experts of layer 1 and on to those of layer 2"
    frame.figure(fig, key="paths", alt=alt, table=table, config=live.about(setting.variant, prompt=text))
    panels.caption("**Width = tokens.** A node 1.5 is expert 5 of layer 1. Tap a token above to follow its word.")


def side(setting: Setting, scene: lesson.Scene, key: str, batch: int) -> None:
    """Loads, parameters, experts that a batch touches, what decides the choice."""
    colours, stroke, variant = theme.colours(), theme.stroke(), setting.variant
    config = live.about(variant)
    here, fixed = lesson.expert_load(scene), lesson.trained_load(variant)
    with panels.card("Load of each expert", "load"):
        where = [(n + 1, e + 1) for n in range(len(here)) for e in range(setting.experts)]
        table = {
            "layer": [n for n, _ in where],
            "expert": [e for _, e in where],
            "here, times the mean": here.ravel(),
            "fixed text": fixed.ravel(),
        }
        alt = (
            f"Load of {setting.experts} experts in {len(here)} layers on this text and on the fixed text, against the fair share"
        )
        frame.figure(figures.loads(here, fixed, colours, stroke), key="load", alt=alt, table=table, config=config)
        busiest = ", ".join(f"{row.max():.1f}" for row in fixed)
        live.small(
            f"Bars: your {len(scene.words)} tokens. Lines: {lesson.fixed_tokens():,} tokens, busiest {busiest} times the mean."
        )
    with panels.card("Its parameters", "areas"):
        counted = lesson.variant_cost(variant)
        total, active = counted.params_total, counted.params_active
        panels.bars(
            [
                Bar("all of them", 1.0, f"{total:,}"),
                Bar("for one token", lesson.active_share(variant), f"{active:,}", "routed", True),
            ],
            "Parameters in all, and those that one token visits",
        )
        panels.check(total, lesson.measured_parameters(variant))
        live.small("As areas under Count.")
    with panels.card(f"A batch of {batch} wakes", "touched"):
        batch_bars(variant, batch, key)
    with panels.card("What decides which expert?", "decides"):
        for n, features in enumerate(lesson.decides(variant)):
            panels.bars(
                [
                    Bar(f"{name}, layer {n + 1}", v, f"{v:.2f}", "routed" if name == "domain" else None)
                    for name, v in features.items()
                ]
            )
        live.small("0: nothing, 1: all of it; chance taken off, on the fixed text. A word also gives away its domain.")


def batch_bars(variant: str, batch: int, key: str) -> None:
    """Distinct experts for a batch, by the formula and measured; the real model's by the formula."""
    ffn, at = zoo.recipe(variant).spec.layers[0].ffn, lesson.BATCHES.index(batch)
    evenly, r = lesson.predicted(ffn)[at], lesson.real_model(key)
    rows = [Bar("formula", evenly / ffn.experts, f"{evenly:.1f} of {ffn.experts}")]
    rows += [
        Bar(f"layer {n + 1}", v / ffn.experts, f"{v:.1f}", "routed", True) for n, v in enumerate(lesson.touched(variant)[:, at])
    ]
    hit = r.ffn.touched(batch)
    rows.append(Bar(r.name, hit / r.ffn.experts, f"{hit:.0f} of {r.ffn.experts}"))
    panels.bars(rows, "Distinct experts that a batch touches")
    live.small("Even picks assumed by the formula, measured in our model. All of them are read from memory.")


# Count


def counts(choice: Choice) -> None:
    """Parameters in all and active, what a batch touches and reads, the formula with the numbers, all real models."""
    r, colours, stroke = lesson.real_model(choice.key), theme.colours(), theme.stroke()
    spell(r)
    left, right = st.columns(2, gap="large")
    with left:
        live.heading(f"{r.name}: {count(r.total)} parameters, {count(r.active)} active")
        blocks = lesson.blocks(spec_of(choice.key))
        table = {"part": [b[0] for b in blocks], "parameters": [b[1] for b in blocks]}
        alt = f"{r.name}: {count(r.total)} parameters as areas, of which a token visits {count(r.active)}"
        frame.figure(
            figures.areas(blocks, count, colours, stroke, 290),
            key="real-areas",
            alt=alt,
            table=table,
            config={"model": choice.key},
        )
        panels.caption(f"**{r.share:.1%} are active for a token.** Solid: visited by every token. Faint: experts that rest.")
        own_areas(choice.setting, colours, stroke)
    with right:
        live.heading(f"{r.name}: weights read a step")
        curve = lesson.reading(choice.key)
        fig = figures.reading(
            curve["batch"], curve["step"], curve["token"], r.weight_bytes, choice.batch, decimal, colours, stroke
        )
        table = {
            "tokens in the batch": curve["batch"],
            "experts touched": curve["touched"],
            "bytes a step": curve["step"],
            "bytes a token": curve["token"],
        }
        alt = f"Bytes of weights that a decode step of {r.name} reads against the batch, up to all of them"
        frame.figure(fig, key="reading", alt=alt, table=table, config={"model": choice.key, "batch": choice.batch})
        panels.caption(
            f"**Batch {choice.batch}: {decimal(r.read(choice.batch))} of {decimal(r.weight_bytes)} in {r.dtype}.** "
            "If every token picks evenly and alone."
        )
    formula(r, choice.batch)
    ours(choice.setting, colours, stroke)
    real_models(choice.key)


def own_areas(setting: Setting, colours: dict, stroke: float) -> None:
    """The parameters of our model as areas."""
    live.heading("Our model, the same picture")
    variant = setting.variant
    blocks, counted = lesson.blocks(zoo.recipe(variant).spec), lesson.variant_cost(variant)
    table = {"part": [b[0] for b in blocks], "parameters": [b[1] for b in blocks]}
    alt = f"{counted.params_total:,} parameters as areas, of which a token visits {counted.params_active:,}"
    frame.figure(figures.areas(blocks, count, colours, stroke), key="areas", alt=alt, table=table, config=live.about(variant))
    panels.caption(f"**{variant_said(variant)}: {counted.params_active:,} of {counted.params_total:,} are active for a token.**")


def spell(r: lesson.RealModel) -> None:
    """What "9 experts active" means, and that memory holds them all."""
    dense = r.layers - r.mixed
    active = r.ffn.top_k + r.shared
    where = f"in each of {r.mixed} layers" + (f"; the other {dense} are dense" if dense else "")
    panels.caption(
        f"**{r.name}: {active} active expert{'s' * (active > 1)} = {lesson.active_experts_text(r)}, {where}.** "
        "Chosen anew for every token in "
        f"every layer, so these are no {active} small models. Memory holds all {decimal(r.weight_bytes)} of weights; "
        f"the {count(r.active)} active parameters set the arithmetic of a token, not the memory. {without_lookup(r)}"
    )


def without_lookup(r: lesson.RealModel) -> str:
    """The active parameters as makers often count them; "" where no table is left out."""
    if not r.lookup:
        return ""
    return (
        f"Without the table of input embeddings, of which a token reads one row, {count(r.active - r.lookup)} are active: "
        "makers round such counts, and the 37B of the question is DeepSeek-V3's own."
        if r.key == lesson.FIRST
        else f"Without the table of input embeddings, of which a token reads one row, {count(r.active - r.lookup)} are active."
    )


def formula(r: lesson.RealModel, batch: int) -> None:
    """The formulas with the numbers of this model put in."""
    live.heading("Parameters of a layer's experts, and how many a batch wakes")
    E, K, expert, always = r.ffn.experts, r.ffn.top_k, r.ffn.expert(r.d_model), lesson.shared_size(r.ffn, r.d_model)
    one = r"3 \cdot %s \cdot %s" % (thousands(r.d_model), thousands(r.ffn.hidden))
    biases = r"\text{, and biases}" if r.ffn.expert_bias else ""
    lines = (
        r"\text{total} &= \underbrace{%d}_{E} \cdot \underbrace{%s}_{\text{an expert}%s} %s = \text{%s}"
        % (E, one, biases, plus(always), count(E * expert + always)),
        r"\text{active} &= \underbrace{%d}_{K} \cdot %s %s = \text{%s}" % (K, one, plus(always), count(K * expert + always)),
        r"\text{awake} &= E \left(1 - \left(1 - \tfrac{K}{E}\right)^{B}\right)",
        r"&= %d \left(1 - \left(1 - \tfrac{%d}{%d}\right)^{%d}\right) = %s" % (E, K, E, batch, f"{r.ffn.touched(batch):.1f}"),
    )
    st.latex(r"\begin{aligned} %s \end{aligned}" % r" \\ ".join(lines))
    panels.caption(
        f"**One layer of {r.name}, {batch} tokens decoded together**, router left out. The formula assumes that tokens "
        "pick evenly and independently; picks that agree wake fewer. The command line counts the whole model: {code}.",
        code=f"<code>python -m core inspect {r.key}</code>",
    )


def thousands(n: int) -> str:
    """A whole number in LaTeX."""
    return f"{n:,}".replace(",", r"{,}")


def plus(shared: int) -> str:
    """The shared expert's term; nothing where there is none."""
    return r"+ \underbrace{\text{%s}}_{\text{shared}}" % count(shared) if shared else ""


def ours(setting: Setting, colours: dict, stroke: float) -> None:
    """The live model: formula and measurement of what a batch wakes."""
    ffn, measured = zoo.recipe(setting.variant).spec.layers[0].ffn, lesson.touched(setting.variant)
    live.heading("Our model: experts that a batch wakes, counted and measured")
    evenly = lesson.predicted(ffn)
    fig = figures.touched(lesson.BATCHES, evenly, measured, ffn.experts, colours, stroke)
    table = {"tokens": lesson.BATCHES, "formula": evenly, **{f"measured, layer {n + 1}": row for n, row in enumerate(measured)}}
    alt = f"Distinct experts of {ffn.experts} that a batch touches: the formula as a line, each layer of the live model as rings"
    frame.figure(fig, key="touched", alt=alt, table=table, config=live.about(setting.variant))
    panels.caption(
        f"**{setting.experts} experts, {model_said(setting)}, {balance_said(setting)}.** "
        "Rings below the line: the load is uneven, or "
        "tokens at the same place of their sentences like the same experts."
    )


def real_models(key: str) -> None:
    """Total against active parameters of every mixture of the catalogue."""
    rows = lesson.real_models()
    live.heading("Total and active parameters of real models")
    names, totals, actives = [r.name for r in rows], np.array([r.total for r in rows]), np.array([r.active for r in rows])
    chosen = [r.key for r in rows].index(key)
    kinds.show(figures.models(names, totals, actives, chosen, count), "models", {"model": key})
    panels.caption(
        "**Counted from each config, log scale.** Active includes the embedding tables, which makers sometimes leave out."
    )


# Prove


def prove(choice: Choice) -> None:
    """Our trained runs, the verdicts that follow from them, what papers printed."""
    colours, stroke, report = theme.colours(), theme.stroke(), evidence.report("moe")
    command = {"command": report["command"]}
    live.verdicts(report, number_said)
    left, right = st.columns(2, gap="large")
    with left:
        live.heading("Loss at the end: every seed")
        kinds.show(
            figures.losses(evidence.grouped("moe", "loss"), variant_said, runs.floor()), "loss", command, runs.final_table()
        )
        sizes = "; ".join(f"{variant_said(v)} {total:,}, {active:,} active" for v, (total, active) in runs.sizes().items())
        panels.caption(
            f"**Parameters.** {sizes}. Attention, data, steps and learning rate are equal; gates and balancing as named."
        )
    with right:
        trained(choice.setting, colours, stroke, command)
    live.published("moe")


def strengths(setting: Setting) -> str:
    """How hard the models beside each other are balanced."""
    alpha, gamma = runs.strengths(setting)
    return f"The loss weighs {alpha:g}, a step of the bias is {gamma:g}: chosen on seeds that are not shown."


def heaviest(setting: Setting) -> str:
    """What no balancing can even out where a layer goes by the word alone."""
    word, times = runs.commonest(setting)
    return f"The word “{word}” alone makes {times:.1f} fair shares: an expert that gets all of them is above even."


def trained(setting: Setting, colours: dict, stroke: float, command: dict) -> None:
    """Loads over training and what decides the choice, for the chosen model."""
    variant = setting.variant
    layer = int(controls.choice("layer", "Layer", ("1", "2"), "1", "routed"))
    live.heading(f"Load over training, layer {layer}")
    steps, loads = runs.loads_over_time(variant, runs.shown_seed())
    table = {"step": steps} | {f"expert {e + 1}, times the mean": column for e, column in enumerate(loads[layer - 1].T)}
    alt = f"Share of tokens of each of {setting.experts} experts while training, as bands"
    frame.figure(figures.shares(steps, loads[layer - 1], colours, stroke), key="shares", alt=alt, table=table, config=command)
    panels.caption(f"**{variant_said(variant)}, seed {runs.shown_seed()}.** One band an expert; even bands mean an even load.")
    live.heading("The busiest expert, times the mean")
    kinds.show(figures.busiest(runs.busiest(setting, layer), lambda v: BALANCED[trained_as(v).balance]), "busiest", command)
    panels.caption(
        f"**{setting.experts} experts, {model_said(setting)}.** "
        f"1 is an even load; {setting.experts / setting.top_k:.0f} means that the same few get everything. "
        f"{strengths(setting)} {heaviest(setting)}"
    )
    live.heading("What decides which expert a token gets")
    kinds.show(figures.decides(runs.learned(variant)), "decided", command)
    panels.caption(
        f"**{variant_said(variant)}.** {{information}} of expert and word, domain, position, on the fixed text.",
        information=panels.term("Mutual information", runs.INFORMATION),
    )


# Read


def read(_: Choice) -> None:
    """The glossary, the source that ran, papers."""
    live.reading("core/model/ffn/moe.py", listed=filter(lesson.has_paper, MECHANISM.papers))
    live.heading("How they were balanced")
    live.source("core/train/tasks/experts.py")


# Who uses it


def users(_: Choice) -> None:
    """The catalogue's rows."""
    live.table(
        ("model", "experts", "total", "active", "share", "gate", "bias", "released", "organisation", "licence"),
        [
            (
                live.anchor(r.name, r.fact("link")), lesson.active_experts_text(r), count(r.total), count(r.active),
                f"{r.share:.1%}",
                r.ffn.scores, "yes" if r.ffn.bias else "no", r.fact("released"), r.fact("organisation"), r.fact("licence"),
            )
            for r in lesson.users()
        ],
    )  # fmt: skip
    panels.caption(
        "**Every row is counted from the config as released.** Experts of one layer; active counts everything a token visits, "
        "embedding tables included. Bias: a buffer that picks. Click a name for the model's own page."
    )


live.page(QUESTION, ANSWER, CORRECTION, choose, see, counts, prove, read, users)
