"""Mixture of experts: how can 671 billion parameters cost 37 billion?"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from app import controls, live, panels, state, theme
from app.figures import experts as figures
from app.figures import frame, kinds
from app.figures.maps import encode_probability
from app.panels import Bar
from core.lessons.common import column, columns, measured_parameters, spec_of
from core.lessons.moe import evidence as runs
from core.lessons.moe import lesson
from core.lessons.moe.words import balance_text, model_text, number_text, trained_as, variant_text
from core.train import evidence, zoo
from core.train.recipes.moe import BALANCED, MECHANISM, Setting
from core.train.tasks import domains, experts
from core.units import count, decimal

ANSWER = "A router sends each token to a few of many experts, anew in every layer; all the others rest."
CORRECTION = "Resting is not absent: all of them must lie in memory, a large batch wakes nearly all, and experts are not topics."

EXAMPLES = domains.EXAMPLES
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


def control(kind, field: str, label: str, help: str, hue: str = "routed"):
    """A control over every value of a field of a mixture that was trained."""
    return kind(field, label, lesson.offered(field, {}), getattr(lesson.DEFAULT, field), hue, help)


MODEL = {
    "experts": control(controls.Slider, "experts", "Experts", HELP_EXPERTS),
    "balance": control(controls.Choice, "balance", "Balancing", HELP_BALANCE),
    "top_k": control(controls.Choice, "top_k", "Experts a token", HELP_TOP),
    "shared": control(controls.Switch, "shared", "Shared expert", HELP_SHARED, "shared"),
    "gate": control(controls.Choice, "gate", "Gate", HELP_GATE),
}
REAL = controls.Pick(
    "real", "Real model", list(lesson.mixture_names()), lesson.default_mixture(), name=lesson.mixture_names().__getitem__
)
BATCH = controls.Slider("batch", "Batch", lesson.BATCHES, 32, "routed", HELP_BATCH)
PROMPT = controls.Prompt(
    "prompt", "Any mix of the domains", EXAMPLES, lambda rng: domains.surprise(rng.randrange(1 << 30), sentences=3),
    domains.MAX_CHARACTERS,
)  # fmt: skip
CELLS = controls.Choice("cells", "Cells", ("weights", "affinities"), "weights", "routed", HELP_CELLS)
LAYER = controls.Choice("layer", "Layer", ("1", "2"), "1", "routed")
FLOW = controls.Switch("flow", "Words as a flow to their experts", hue="routed")


# Controls


@dataclass(frozen=True)
class Choice:
    """What the controls hold."""

    setting: Setting
    key: str  # of the real model
    batch: int
    text: str

    @property
    def variant(self) -> str:
        """The checkpoint that runs."""
        return self.setting.variant

    @property
    def real(self) -> lesson.RealModel:
        """The real model."""
        return lesson.counted_mixture(self.key)


def choose() -> Choice:
    """The controls: experts, balancing and presets; prompt, the rest of the model, real model and batch folded."""
    summary = f"{PROMPT.example()} · {model_text(asked())} · {lesson.mixture_names()[REAL.peek()]}, batch {BATCH.peek()}"
    chosen: dict[str, object] = {}
    with controls.row():
        offer(chosen, "experts", "balance")
        with controls.presets_first("preset", lesson.presets(), "routed"), controls.more(summary):
            prompt = PROMPT.draw()
            with controls.row("model"):
                offer(chosen, "top_k", "shared", "gate")
            with controls.row("real"):
                key, batch = REAL.draw(), BATCH.draw()
    return Choice(lesson.settle(chosen), key, batch, prompt)


def offer(chosen: dict, *fields: str) -> None:
    """Draw controls over what was trained together with the values that are chosen so far."""
    for field in fields:
        options = lesson.offered(field, chosen)
        chosen[field] = MODEL[field].offer(options, lesson.otherwise(field, options))


def asked() -> Setting:
    """The model that the controls are going to hold."""
    return lesson.settle({field: control.peek() for field, control in MODEL.items()})


# See


def see(choice: Choice) -> None:
    """The live model on the reader's prompt."""
    prompt = live.parsed(choice.text, PROMPT.default, experts.TASK)
    scene = lesson.scene(choice.variant, tuple(prompt.tokens))
    left, right = panels.beside()
    with left:
        shown = picture(choice, scene)
        layer = shown["head"] if shown["head"] is not None else len(scene.picked) - 1
        affinity, gate = panels.term("affinity", HELP_CELLS), panels.term("gate", HELP_GATE)
        panels.caption(scene_text(choice.setting, scene), affinity=affinity, gate=gate)
        beside(choice)
        tasted(choice.variant, scene, layer)
        if FLOW.draw():
            flow(choice, scene, shown["row"])
    with right:
        side(choice, scene)


def picture(choice: Choice, scene: lesson.Scene) -> dict:
    """The routing: a panel a layer, a row a token, a column an expert."""
    has_weights, many = CELLS.peek() == CELLS.default, choice.setting.experts
    chosen = live.picture(
        encode_probability(scene.weights if has_weights else scene.affinity),
        {"step": len(scene.words)},
        key="routing",
        alt=f"Which of {many} experts each of {len(scene.words)} tokens goes to, in {len(scene.picked)} layers",
        tokens=scene.words,
        cols=[f"expert {e + 1}" for e in range(many)],
        labels=[f"layer {n + 1}" for n in range(len(scene.picked))],
        columns=len(scene.picked),
        hue="routed",
        verb="goes to" if has_weights else "likes",
        aspect=1.75 if state.stage() else 1.1,
        config=live.about(choice.variant, prompt=choice.text),
    )
    with controls.row("picture"):
        CELLS.draw()
    return chosen


def scene_text(setting: Setting, scene: lesson.Scene) -> str:
    """What the picture shows now."""
    idle = " and ".join(f"{n} in layer {i + 1}" for i, n in enumerate(lesson.idle(scene)))
    return (
        f"**{setting.experts} experts, {model_text(setting)}, {balance_text(setting)}; {len(scene.words)} tokens.** "
        "Row = token (little words are left out), column = expert. "
        f"Experts without a token here: {idle}. The pick follows the {{affinity}}, the weight the "
        "{gate}. Each layer picks anew."
    )


def beside(choice: Choice) -> None:
    """Where the mixture that runs differs from the real model that is chosen."""
    found = [f"{trait} {real} → {here}" for trait, real, here in lesson.trait_differences(choice.key, choice.setting)]
    name = choice.real.name
    panels.caption(f"**Differs from {name} in:** {'; '.join(found)}." if found else f"**The same kind as {name}.**")


def tasted(variant: str, scene: lesson.Scene, layer: int) -> None:
    """Which experts each domain's words went to, whether domains share them, and what the fixed text says about it."""
    tastes, fixed = lesson.tastes(scene, layer), lesson.decides(variant)[layer]
    if not tastes:
        return
    live.heading(f"Whose words go where, layer {layer + 1}")
    spread = [", ".join(f"{e + 1} ({n}×)" if n > 1 else f"{e + 1}" for e, n in taste.experts) for taste in tastes]
    live.table(("domain", "own words", "experts"), [(t.domain, f"{t.words}", e) for t, e in zip(tastes, spread)])
    panels.caption(
        f"**{len(lesson.common(tastes))} of {lesson.visited(tastes)} experts serve more than one domain here.** On the fixed "
        f"text the word itself decides {fixed['token']:.2f} of the choice, its domain {fixed['domain']:.2f} (0 nothing, 1 all)."
    )


def flow(choice: Choice, scene: lesson.Scene, row: int | None) -> None:
    """Words to experts of both layers."""
    live.heading("From words to experts to experts")
    names, links, columns = lesson.flow(scene)
    hot = {names.index(scene.words[row])} if row is not None else set()
    fig = figures.flow(names, links, columns, hot, theme.colours(), theme.stroke())
    table = {"from": [names[a] for a, _, _ in links], "to": [names[b] for _, b, _ in links], "tokens": [n for *_, n in links]}
    alt = f"{len(set(scene.words))} words flow to the experts of layer 1 and on to those of layer 2"
    frame.figure(fig, key="paths", alt=alt, table=table, config=live.about(choice.variant, prompt=choice.text))
    panels.caption("**Width = tokens.** A node 1.5 is expert 5 of layer 1. Tap a token above to follow its word.")


def side(choice: Choice, scene: lesson.Scene) -> None:
    """Loads, parameters, experts that a batch touches, what decides the choice."""
    variant = choice.variant
    with panels.card("Load of each expert", "load"):
        load(variant, scene)
    with panels.card("Its parameters", "areas"):
        counted = lesson.variant_cost(variant)
        rows = [Bar("all of them", counted.params_total), Bar("for one token", counted.params_active, "routed", True)]
        panels.bars(rows, "Parameters in all, and those that one token visits", "{:,}".format)
        panels.check(counted.params_total, measured_parameters(variant))
        live.small("As areas under Count.")
    with panels.card(f"A batch of {choice.batch} wakes", "touched"):
        batch_bars(choice)
    with panels.card("What decides which expert?", "decides"):
        for n, features in enumerate(lesson.decides(variant), 1):
            rows = [Bar(f"{name}, layer {n}", v, "routed" if name == "domain" else None) for name, v in features.items()]
            panels.bars(rows, write="{:.2f}".format, of=1)
        live.small("0: nothing, 1: all of it; chance taken off, on the fixed text. A word also gives away its domain.")


def load(variant: str, scene: lesson.Scene) -> None:
    """How much each expert gets, here and on the fixed text."""
    here, fixed = lesson.expert_load(scene), lesson.trained_load(variant)
    where = np.indices(here.shape).reshape(2, -1) + 1
    table = dict(zip(("layer", "expert"), where)) | {"here, times the mean": here.ravel(), "fixed text": fixed.ravel()}
    alt = f"Load of {here.shape[1]} experts in {len(here)} layers on this text and on the fixed text, against the fair share"
    fig = figures.loads(here, fixed, theme.colours(), theme.stroke())
    frame.figure(fig, key="load", alt=alt, table=table, config=live.about(variant))
    busiest = ", ".join(f"{row.max():.1f}" for row in fixed)
    live.small(
        f"Bars: your {len(scene.words)} tokens. Lines: {lesson.fixed_tokens():,} tokens, busiest {busiest} times the mean."
    )


def batch_bars(choice: Choice) -> None:
    """Distinct experts for a batch, by the formula and measured; the real model's by the formula."""
    ffn, at, real = choice.setting.ffn, lesson.BATCHES.index(choice.batch), choice.real
    evenly, hit = lesson.predicted(ffn)[at], real.ffn.touched(choice.batch)
    measured = enumerate(lesson.touched(choice.variant)[:, at], 1)
    rows = [
        Bar("formula", evenly / ffn.experts, text=f"{evenly:.1f} of {ffn.experts}"),
        *(Bar(f"layer {n}", v / ffn.experts, "routed", True, f"{v:.1f}") for n, v in measured),
        Bar(real.name, hit / real.ffn.experts, text=f"{hit:.0f} of {real.ffn.experts}"),
    ]
    panels.bars(rows, "Distinct experts that a batch touches", of=1)
    live.small("Even picks assumed by the formula, measured in our model. All of them are read from memory.")


# Count


def areas(choice: Choice) -> None:
    """The parameters of the real model and of ours as areas."""
    r, variant = choice.real, choice.variant
    live.heading(f"{r.name}: {count(r.total)} parameters, {count(r.active)} active")
    alt = f"{r.name}: {count(r.total)} parameters as areas, of which a token visits {count(r.active)}"
    area(lesson.blocks(spec_of(choice.key)), "real-areas", alt, {"model": choice.key}, height=290)
    panels.caption(f"**{r.share:.1%} are active for a token.** Solid: visited by every token. Faint: experts that rest.")
    live.heading("Our model, the same picture")
    counted = lesson.variant_cost(variant)
    alt = f"{counted.params_total:,} parameters as areas, of which a token visits {counted.params_active:,}"
    area(lesson.blocks(zoo.recipe(variant).spec), "areas", alt, live.about(variant))
    panels.caption(f"**{variant_text(variant)}: {counted.params_active:,} of {counted.params_total:,} are active for a token.**")


def area(blocks: list, key: str, alt: str, config: dict, height: int = 190) -> None:
    """The parts of a model as areas."""
    fig = frame.drawn(partial(figures.areas, blocks, count, height), "areas", height, *map(tuple, blocks))
    frame.figure(fig, key=key, alt=alt, table=columns(("part", "parameters"), (b[:2] for b in blocks)), config=config)


def reading(choice: Choice) -> None:
    """Bytes of weights that a decode step of the real model reads."""
    r, batch, curve = choice.real, choice.batch, lesson.reading(choice.key)
    live.heading(f"{r.name}: weights read a step")
    lines = curve["batch"], curve["step"], curve["token"]
    fig = figures.reading(*lines, r.weight_bytes, batch, decimal, theme.colours(), theme.stroke())
    heads = {
        "batch": "tokens in the batch", "touched": "experts touched", "step": "bytes a step", "token": "bytes a token",
    }  # fmt: skip
    table = {head: curve[key] for key, head in heads.items()}
    alt = f"Bytes of weights that a decode step of {r.name} reads against the batch, up to all of them"
    frame.figure(fig, key="reading", alt=alt, table=table, config={"model": choice.key, "batch": batch})
    panels.caption(
        f"**Batch {batch}: {decimal(r.read(batch))} of {decimal(r.weight_bytes)} in {r.dtype}.** "
        "If every token picks evenly and alone."
    )


def spelled_out(choice: Choice) -> None:
    """What "9 experts active" means, and that memory holds them all."""
    r = choice.real
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


def formula(choice: Choice) -> None:
    """The formulas with the numbers of this model put in."""
    r, batch, digits = choice.real, choice.batch, live.digits
    E, K, expert, always = r.ffn.experts, r.ffn.top_k, r.ffn.expert(r.d_model), lesson.shared_size(r.ffn, r.d_model)
    one = r"3 \cdot %s \cdot %s" % (digits(r.d_model), digits(r.ffn.hidden))
    biases = r"\text{, and biases}" if r.ffn.expert_bias else ""
    plus = r"+ \underbrace{\text{%s}}_{\text{shared}}" % count(always) if always else ""
    lines = (
        r"\text{total} &= \underbrace{%d}_{E} \cdot \underbrace{%s}_{\text{an expert}%s} %s = \text{%s}"
        % (E, one, biases, plus, count(E * expert + always)),
        r"\text{active} &= \underbrace{%d}_{K} \cdot %s %s = \text{%s}" % (K, one, plus, count(K * expert + always)),
        r"\text{awake} &= E \left(1 - \left(1 - \tfrac{K}{E}\right)^{B}\right)",
        r"&= %d \left(1 - \left(1 - \tfrac{%d}{%d}\right)^{%d}\right) = %s" % (E, K, E, batch, f"{r.ffn.touched(batch):.1f}"),
    )
    live.formula(
        "Parameters of a layer's experts, and how many a batch wakes",
        r"\begin{aligned} %s \end{aligned}" % r" \\ ".join(lines),
        f"**One layer of {r.name}, {batch} tokens decoded together**, router left out. The formula assumes that tokens "
        "pick evenly and independently; picks that agree wake fewer. The command line counts the whole model: {code}.",
        r.key,
    )


def ours(choice: Choice) -> None:
    """The live model: formula and measurement of what a batch wakes."""
    ffn, measured, setting = choice.setting.ffn, lesson.touched(choice.variant), choice.setting
    live.heading("Our model: experts that a batch wakes, counted and measured")
    evenly = lesson.predicted(ffn)
    fig = figures.touched(lesson.BATCHES, evenly, measured, ffn.experts, theme.colours(), theme.stroke())
    table = {"tokens": lesson.BATCHES, "formula": evenly, **{f"measured, layer {n + 1}": row for n, row in enumerate(measured)}}
    alt = f"Distinct experts of {ffn.experts} that a batch touches: the formula as a line, each layer of the live model as rings"
    frame.figure(fig, key="touched", alt=alt, table=table, config=live.about(choice.variant))
    panels.caption(
        f"**{setting.experts} experts, {model_text(setting)}, {balance_text(setting)}.** Rings below the line: the load is "
        "uneven, or tokens at the same place of their sentences like the same experts."
    )


def real_models(choice: Choice) -> None:
    """Total against active parameters of every mixture of the catalogue."""
    rows = lesson.real_models()
    live.heading("Total and active parameters of real models")
    names, chosen = [r.name for r in rows], [r.key for r in rows].index(choice.key)
    drawn = figures.models(names, column(rows, "total"), column(rows, "active"), chosen, count)
    kinds.show(drawn, "models", {"model": choice.key})
    panels.caption(
        "**Counted from each config, log scale.** Active includes the embedding tables, which makers sometimes leave out."
    )


# Prove


def losses(_: Choice) -> None:
    """Loss of every run at the end."""
    live.heading("Loss at the end: every seed")
    drawn = figures.losses(evidence.grouped("moe", "loss"), variant_text, runs.floor())
    kinds.show(drawn, "loss", live.again(MECHANISM), runs.final_table())
    sizes = "; ".join(f"{variant_text(v)} {total:,}, {active:,} active" for v, (total, active) in runs.sizes().items())
    panels.caption(f"**Parameters.** {sizes}. Attention, data, steps and learning rate are equal; gates and balancing as named.")


def trained(choice: Choice) -> None:
    """Loads over training and what decides the choice, for the chosen model."""
    layer = int(LAYER.draw())
    live.stacked(partial(shares, layer), partial(busiest, layer), decided)(choice)


def shares(layer: int, choice: Choice) -> None:
    """The load of each expert over training."""
    live.heading(f"Load over training, layer {layer}")
    steps, loads = runs.loads_over_time(choice.variant, runs.shown_seed())
    table = {"step": steps} | {f"expert {e + 1}, times the mean": column for e, column in enumerate(loads[layer - 1].T)}
    alt = f"Share of tokens of each of {choice.setting.experts} experts while training, as bands"
    fig = figures.shares(steps, loads[layer - 1], theme.colours(), theme.stroke())
    frame.figure(fig, key="shares", alt=alt, table=table, config=live.again(MECHANISM))
    panels.caption(
        f"**{variant_text(choice.variant)}, seed {runs.shown_seed()}.** One band an expert; even bands mean an even load."
    )


def busiest(layer: int, choice: Choice) -> None:
    """The largest load over training, for each way to balance; how hard, and what no balancing can even out where a layer goes by
    the word alone."""
    setting = choice.setting
    live.heading("The busiest expert, times the mean")
    (alpha, gamma), (word, times) = runs.strengths(setting), runs.commonest(setting)
    drawn = figures.busiest(runs.busiest(setting, layer), lambda v: BALANCED[trained_as(v).balance])
    kinds.show(drawn, "busiest", live.again(MECHANISM))
    panels.caption(
        f"**{setting.experts} experts, {model_text(setting)}.** "
        f"1 is an even load; {setting.experts / setting.top_k:.0f} means that the same few get everything. "
        f"The loss weighs {alpha:g}, a step of the bias is {gamma:g}: chosen on seeds that are not shown. "
        f"The word “{word}” alone makes {times:.1f} fair shares: an expert that gets all of them is above even."
    )


def decided(choice: Choice) -> None:
    """What the choice of experts depends on."""
    live.heading("What decides which expert a token gets")
    kinds.show(figures.decides(runs.learned(choice.variant)), "decided", live.again(MECHANISM))
    panels.caption(
        f"**{variant_text(choice.variant)}.** {{information}} of expert and word, domain, position, on the fixed text.",
        information=panels.term("Mutual information", runs.INFORMATION),
    )


# Read


def balanced(_: Choice) -> None:
    """How the models were balanced."""
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


papers = tuple(filter(lesson.has_paper, MECHANISM.papers))
live.page(
    ANSWER, CORRECTION, choose, see, live.stacked(spelled_out, (areas, reading), formula, ours, real_models),
    live.proof(MECHANISM, (losses, trained), name=number_text),
    live.stacked(live.reading("core/model/ffn/moe.py", listed=papers), balanced), users,
)  # fmt: skip
