"""Multi-head latent attention: what if we cache a summary instead?"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from app import controls, live, panels, state
from app.figures import frame, kinds, latent
from app.figures.maps import Tape, encode_probability, encode_signed
from app.panels import Bar
from core.lessons.common import USUAL_CONTEXT, USUAL_CONTEXT_TEXT, column, model_name
from core.lessons.mla import evidence as proved
from core.lessons.mla import lesson
from core.lessons.mla import real as models
from core.lessons.mla.lesson import Choice
from core.lessons.recall import LENGTHS, Scene, finder
from core.shape import diagram
from core.train.mechanism import Group, Spelling, at_pairs
from core.train.recipes.mla import MECHANISM
from core.train.tasks import recall
from core.units import binary, decimal, exact

ANSWER = "Every token keeps one short latent; each head makes its own keys and values from it."
CORRECTION = "The latent alone knows no order: a rotated key beside it, shared by all heads, tells earlier from later."

EXAMPLES = {
    "8 pairs": "ann lamp bo kite cy drum dan rope eva coin fay bell gus boat hal book ? bo gus",
    "told twice": "ann lamp bo kite cy drum bo rope dan coin ann bell dan boat cy book ? bo ann dan",
    "3 pairs": "ann lamp bo kite cy drum ? bo",
    f"{lesson.PAIRS} pairs": recall.surprise(lesson.PAIRS, seed=3, asked=5),
}
HELP_LATENT = (
    "How many numbers the latent of a token has. Below the largest, the latent of the trained model is cut to the directions "
    "that matter most (a singular value decomposition), or a model trained at that size runs. The presets are the same share of "
    "the width as in the model they are named after; a share does not carry over to a width of "
    f"{lesson.WIDTH}, where it is only a few numbers."
)
HELP_KEY = (
    f"Beside the latent {lesson.recipes.KEY} numbers a token are kept that rope has turned by position: one key for all heads."
)
HELP_FORM = (
    "Absorbed: the matrix that would make keys is multiplied into the query, so heads read the latents themselves. Expanded: "
    "every head's keys and values are made from the latents first. The same result."
)
HELP_MADE = "The largest latent cut down after training, or a model that learned with so many numbers from the start."
HELP_TASK = "What the models learned: every name is told once; or every name is told twice, and only the later thing is right."
LATENT = controls.Slider("latent", "Latent", lesson.RANKS, lesson.START, "latent", HELP_LATENT)
KEY = controls.Switch("rope_key", "Rope key", default=True, hue="kv", help=HELP_KEY)
FORM = controls.Choice("form", "Form", lesson.FORMS, lesson.ABSORBED, "latent", HELP_FORM)
MADE = controls.Choice("made", "This size", lesson.MADE, lesson.CUT, "latent", HELP_MADE)
TASK = controls.Choice("task", "Learned", lesson.TASKS, lesson.ONCE, help=HELP_TASK)
PROMPT = live.names_and_things(EXAMPLES)
SPELLING = Spelling({key: v.label for key, v in lesson.recipes.VARIANTS.items()}, at_pairs)
SHOWN = 1.0  # the ends of the scale of differences: fixed, so that pictures compare


def label(variant: str) -> str:
    """A variant as it is written: "MLA 28 + 4", "MQA 1 × 16, rope"."""
    return lesson.recipes.VARIANTS[variant].label


@dataclass(frozen=True)
class Asked:
    """What the controls hold."""

    choice: Choice
    text: str
    real: str = ""  # the real model that is counted

    def about(self, **more) -> dict:
        """What goes into an exported file, the cut of the latent among it."""
        mixer = self.choice.mixer
        return live.about(self.choice.variant, latent=mixer.kept, rope_key=mixer.rope_dim, form=self.choice.form, **more)


def choose() -> Asked:
    """The controls: the latent with presets, the rope key, the form; prompt, task and how the size came about folded."""
    with controls.row():
        rank = LATENT.draw()
        held = Choice(rank, KEY.peek(), FORM.peek(), MADE.peek(), TASK.peek())
        with (
            controls.presets_first("shape", models.presets(), "latent"),
            controls.more(f"{'' if held.key else 'no '}rope key · {held.form} · {held.task} · {PROMPT.example()}"),
        ):
            with controls.row("forms"):
                key, form = KEY.draw(), FORM.draw()
                made = MADE.draw() if held.trained and rank < lesson.FULL else held.made
            prompt = PROMPT.draw()
            task = TASK.draw()
    return Asked(Choice(rank, key, form, made, task), prompt)


# See


def see(asked: Asked) -> None:
    """The live model on the reader's prompt."""
    prompt = live.parsed(asked.text, PROMPT.default)
    here, whole = lesson.scene(asked.choice, prompt), lesson.scene(asked.choice.whole, prompt)
    left, right = panels.beside()
    with left:
        chosen = picture(asked, here, whole)
        explain(asked.choice, here, whole)
        live.answers([(a, finder(here, a) if a.source >= 0 else None) for a in here.answers])
        difference(asked, here, whole)
    with right:
        side(asked, prompt, here, chosen["head"])


def picture(asked: Asked, here: Scene, whole: Scene) -> dict:
    """Attention of every head at this latent above, at the largest below; the cache filling beside a multi-head one."""
    last, rank = here.answers[-1], asked.choice.rank
    return live.picture(
        encode_probability(np.concatenate([here.run.attention[0], whole.run.attention[0]]), here.run.visible[0]),
        {"row": last.position, "step": len(here.words)},
        last,
        key="attention",
        alt=f"Attention of {lesson.HEADS} heads from a latent of {rank} numbers above, of {lesson.FULL} below, "
        f"on {len(here.words)} tokens",
        tokens=here.words,
        groups=[0] * lesson.HEADS + [1] * lesson.HEADS,
        group_labels=[f"r = {rank}", f"r = {lesson.FULL}"],
        labels=[f"head {h + 1}" for h in range(lesson.HEADS)] * 2,
        tape=tape(asked.choice, here),
        hue="latent",
        aspect=1.45 if state.stage() else None,
        config=asked.about(prompt=asked.text),
    )


def tape(choice: Choice, here: Scene) -> Tape:
    """What is kept after each token, beside keys and values of every head."""
    hues = {"latent": f"latent of {choice.rank}"} | ({"kv": f"rope key of {choice.mixer.rope_dim}"} if choice.key else {})
    lanes = tuple(hues.values())
    return Tape(lanes, here.cache_bytes, 2 * lesson.HEADS, lesson.multi_head(choice, here), hues=tuple(hues), legend=hues)


def explain(choice: Choice, here: Scene, whole: Scene) -> None:
    """The caption: what runs, how much of the largest latent is left, how far attention moved."""
    if choice.cut:
        how = f"the largest latent cut to {lesson.kept_share(choice):.0%} of what its matrices hold"
    else:
        how = "the largest one trained" if choice.rank == lesson.FULL else "trained at this size, so its heads are others"
    panels.caption(
        f"**Latent of {choice.rank} numbers with{'' if choice.key else 'out'} a rope key, {len(here.words)} tokens:** {how}. "
        f"Upper row: attention at this size (r); lower row: at {lesson.FULL}. {{moved}} of a token's attention lies "
        f"elsewhere.{share_text(choice)}",
        moved=panels.term(
            f"{lesson.moved(here, whole):.1%}",
            "Half the summed absolute difference of the two rows of weights, averaged over heads and tokens.",
        ),
    )


def share_text(choice: Choice) -> str:
    """Whose share of the width this latent is, where a preset says so, and why that is harder here."""
    label = next((label for label, values in models.presets().items() if values["latent"] == choice.rank), "")
    if not label:
        return ""
    here = f"of a width of {lesson.WIDTH} that is {choice.rank} numbers, in the real model hundreds"
    return f" {label}; {here}: a share does not carry over."


def difference(asked: Asked, here: Scene, whole: Scene) -> None:
    """Where the two rows of maps differ, head by head."""
    rank = asked.choice.rank
    same = "nowhere, this is the largest latent" if rank == lesson.FULL else f"r = {rank} minus r = {lesson.FULL}"
    live.heading(f"Where they differ: {same}")
    live.second_picture(
        encode_signed(lesson.attention_difference(here, whole), SHOWN, here.run.visible[0]),
        key="difference",
        title="Attention at this size minus attention of the largest latent",
        alt=f"Difference of the attention of {lesson.HEADS} heads, latent of {rank} minus {lesson.FULL}",
        rows=here.words,
        cols=here.words,
        scale="signed",
        limit=SHOWN,
        verb="at",
        stepping=False,
        hue="latent",
        aspect=1.45 if state.stage() else None,
        config=asked.about(prompt=asked.text),
    )


def side(asked: Asked, prompt: recall.Prompt, here: Scene, head: int | None) -> None:
    """The bottleneck, the cache beside other shapes, the two forms."""
    choice = asked.choice
    with panels.card("From x to what is kept to the heads", "bottleneck"):
        bottleneck(asked, None if head is None else head % lesson.HEADS)
    n = len(here.words)
    counted = lesson.choice_cost(choice, n)
    with panels.card(f"Cache after {n} tokens, equal heads", "cache"):
        cache_bars(lesson.cache_sizes(choice, n))
        panels.check(counted.cache_bytes, int(here.cache_bytes[-1]))
        if counted.state_bytes:
            live.small(f"plus {counted.state_bytes:,} B of convolution columns, the same for every shape")
    with panels.card(f"One more token at {n}: two forms", "forms"):
        two_forms(choice, prompt, n)
    with panels.card(f"Names answered right, {lesson.PAIRS} pairs", "recall"):
        recall_card(asked)
    if models.V2 in models.keys():
        real = models.real_model(models.V2)
        with panels.card(f"{real.name}, {USUAL_CONTEXT_TEXT} tokens", "real"):
            released = Bar(f"{real.latent} + {real.rope_key}", real.released, "latent", True)
            rows = [Bar("MHA", real.multi_head), Bar("8 KV heads", real.grouped, "kv"), released]
            panels.bars(rows, "cache if multi-head, with 8 KV heads, and as released", binary)


def bottleneck(asked: Asked, head: int | None) -> None:
    """The graph with true widths."""
    choice = asked.choice
    graph = diagram.bottleneck(choice.mixer, lesson.WIDTH)
    nodes = [d for _, d in graph.nodes(data=True)]
    table = {"part": [d["kind"] for d in nodes], "head": [d["head"] + 1 for d in nodes], "numbers": [d["width"] for d in nodes]}
    beside = f" and a rope key of {choice.mixer.rope_dim}" if choice.key else ""
    use = "read directly" if choice.form == lesson.ABSORBED else "expand to keys and values"
    alt = f"{lesson.WIDTH} numbers of x become a latent of {choice.rank}{beside}, which {lesson.HEADS} heads {use}"

    def make(colours: dict, stroke: float):
        whole = diagram.bottleneck(choice.whole.mixer, lesson.WIDTH)
        return latent.bottleneck(graph, whole, lesson.widest(), head, colours, stroke)

    fig = frame.drawn(make, "bottleneck", choice, head)
    frame.figure(fig, key="bottleneck", alt=alt, table=table, config=asked.about())


def recall_card(asked: Asked) -> None:
    """Recall against the size of the latent: cut down after training, and trained so small."""
    choice = asked.choice
    curves, here = lesson.by_rank(choice.key, choice.task), lesson.recalled(choice)
    table = {
        "latent": [r for made in lesson.MADE for r in curves[made][0]],
        "how": [made for made in lesson.MADE for _ in curves[made][0]],
        "recall": [x for made in lesson.MADE for x in curves[made][1]],
    }
    make = partial(latent.ranks, curves[lesson.CUT], curves[lesson.TRAINED])
    fig = frame.drawn(make, "ranks", choice.key, choice.task)
    alt = "Share of names answered right against the size of the latent, cut down after training and trained so small"
    frame.figure(fig, key="recall", alt=alt, table=table, config=asked.about())
    panels.caption(f"**Here, at {choice.rank}: {here:.2f}.** Line: {lesson.CUT}; diamonds: {lesson.TRAINED}.")


def cache_bars(sizes: dict[str, int]) -> None:
    """Bytes of the four shapes."""
    hues = {"MHA": None, "MLA": "latent"}
    rows = [Bar(name, size, hues.get(name, "kv"), name == "MLA") for name, size in sizes.items()]
    panels.bars(rows, "Cache of four shapes", exact)


def two_forms(choice: Choice, prompt: recall.Prompt, tokens: int) -> None:
    """Arithmetic and numbers read in either form, and how far the results are apart."""
    forms = lesson.forms(choice, tokens)
    for what, values in (("FLOPs", [f.flops for f in forms]), ("numbers read", [f.reads for f in forms])):
        rows = [Bar(f.form, v, "latent" if f.form == choice.form else None, f.form == choice.form) for f, v in zip(forms, values)]
        live.small(what)
        panels.bars(rows, f"{what} of one more token", "{:,}".format)
    panels.near("same output: largest difference of any weight or probability", lesson.forms_differ(choice, prompt))


# Count


def count(asked: Asked) -> None:
    """Memory against context, counted beside measured; both forms' arithmetic and reads; real models; one percentage, three
    ways."""
    if not models.keys():
        growth(asked)
        return
    real = controls.Pick("real", "Real model", models.keys(), models.default(), name=model_name).draw()
    parts = (growth, reads), (arithmetic, at_once), formula, real_models, three_answers, mistakes
    live.stacked(*parts)(replace(asked, real=real))


def growth(asked: Asked) -> None:
    """Cache of our model against tokens."""
    choice = asked.choice
    lengths, points = np.arange(1, 129), np.array(LENGTHS)
    lines, kept = lesson.cache_curves(choice, lengths), lesson.measured_cache(choice)
    drawn = kinds.lines(lines, "MLA", "latent", 2.6)
    words = (
        f"**Latent {choice.rank}{f' and a rope key of {choice.mixer.rope_dim}' * choice.key}; {lesson.HEADS} heads of "
        f"{choice.mixer.nope_dim}.** Lines are counted; rings are bytes in the tensors of the live model."
    )
    grown = kinds.Growth(drawn, "MLA", lengths, points, kept, column="{} counted, B", height=300)
    live.growth("Our model: cache against tokens", grown, asked.about(), words)


def reads(asked: Asked) -> None:
    """Numbers that attention reads for one token of a real model."""
    key, contexts = asked.real, 2 ** np.arange(10, 18)
    values, f = models.decode_curves(key, contexts)["reads"], models.facts(key)
    live.heading(f"{model_name(key)}: numbers read for one token")
    drawn = latent.lines(model_name(key), contexts, values, "numbers read in one layer", "numbers", "numbers")
    kinds.show(drawn, "reads", asked.about(real_model=model_name(key)))
    panels.caption(
        f"**Absorbed reads {f.fewer_reads:.0f} times less:** {f.kept} numbers a token, whatever the number of heads. "
        "Expanded reads every head's own keys and values."
    )


def arithmetic(asked: Asked) -> None:
    """FLOPs of one decode step of a real model."""
    key, contexts = asked.real, 2 ** np.arange(10, 18)
    values, f = models.decode_curves(key, contexts)["flops"], models.facts(key)
    live.heading(f"{model_name(key)}: arithmetic of one token")
    drawn = latent.lines(model_name(key), contexts, values, "FLOPs of one layer", "FLOP", "FLOPs")
    kinds.show(drawn, "arithmetic", asked.about(real_model=model_name(key)))
    panels.caption(
        f"**For one query and one key the absorbed form costs {f.more_flops:.1f} times the arithmetic,** but makes nothing anew. "
        "Expanded makes the keys and values of the whole context for every token, unless all are kept, as in multi-head "
        "attention (dotted)."
    )


def at_once(asked: Asked) -> None:
    """Which form is cheaper, by how many tokens are answered at once."""
    key, context = asked.real, models.PREFILL
    queries = np.unique(np.geomspace(1, context, 40).astype(int))
    values, at = models.together(key, context, queries), models.crossing(key, context)
    height = models.together(key, context, np.array([max(at, 1)]))[lesson.ABSORBED][0]
    live.heading(f"{model_name(key)}: many tokens at once, the last of {context:,}")
    kinds.show(latent.crossing(model_name(key), queries, values, at, height), "at-once", asked.about(real_model=model_name(key)))
    panels.caption(
        f"**From {at:,} tokens at once the expanded form is cheaper.** So prompts are read expanded and answers written "
        "absorbed, with the same weights."
    )


def formula(asked: Asked) -> None:
    """The cache formula with the numbers of this model put in."""
    f = models.real_model(asked.real)
    live.formula(
        f"{f.name} at {USUAL_CONTEXT:,} tokens, 16-bit cache",
        r"\begin{aligned} & \underbrace{%d}_{\text{layers}} \cdot (\underbrace{%d}_{\text{latent}} + "
        r"\underbrace{%d}_{\text{rope key}}) \cdot \underbrace{%s}_{\text{tokens}} \cdot "
        r"\underbrace{2\,\text{B}}_{\text{bf16}} \\ & = \text{%s} \end{aligned}"
        % (f.layers, f.latent, f.rope_key, live.digits(USUAL_CONTEXT), binary(f.released)),
        "**Convention.** Numbers kept for one sequence, in 16 bits; KiB, MiB and GiB are powers of 1024. "
        f"{decimal(f.released)} in powers of 1000. The command line gives the same: {{code}}.",
        f"{asked.real} --context {USUAL_CONTEXT} --cache-dtype bfloat16",
    )


def real_models(asked: Asked) -> None:
    """Every model of the catalogue with a latent, beside other caches of its shape."""
    rows = models.real_models()
    live.heading(f"Real models at {USUAL_CONTEXT_TEXT} tokens")
    sizes = {part: column(rows, part) for part in ("multi_head", "grouped", "released")}
    subject = f"Cache of {len(rows)} real models at {USUAL_CONTEXT_TEXT} tokens"
    kinds.show(latent.models(subject, [r.name for r in rows], **sizes, label=binary), "models", asked.about())
    panels.caption(
        f"**One sequence of {USUAL_CONTEXT:,} tokens, 16-bit cache, whether or not the model was made for so long a context.** "
        "Log scale. Ring and square keep keys and values as wide as the model's heads."
    )


def three_answers(_: Asked) -> None:
    """How much smaller is the cache? Against what, and in how many bits."""
    savings = models.savings()
    if not savings:
        return
    live.heading(f"“{savings[-1].share:.1%} smaller”: three true answers for {model_name(models.V2)}")
    live.table(
        ("compared with", "smaller by", "numbers a token", "bits each", "a token", "latent: numbers", "bits each", "a token"),
        [
            (
                s.against, f"{s.share:.2%}", f"{s.before:,}", s.before_bits, f"{s.bytes[0]:,} B",
                f"{s.after:,}", s.after_bits, f"{s.bytes[1]:,} B",
            )
            for s in savings
        ],
    )  # fmt: skip
    panels.caption(
        "**Only the last is the figure that is quoted.** It compares the cache as deployed, about "
        f"{savings[-1].after_bits} bits a number ({{paper}}, section 3.2.3), with another model's 16-bit cache; the same "
        f"precision and the same shape give other numbers. DeepSeek 67B keeps {models.OLDER.kv_heads} KV heads of "
        f"{models.OLDER.k_dim} in {models.OLDER_LAYERS} layers ({{older}}).",
        paper=live.paper("2405.04434"),
        older=live.paper(lesson.recipes.OLDER_PAPER),
    )


def mistakes(asked: Asked) -> None:
    """Common mistakes, each with what is counted."""
    f = models.facts(asked.real)
    live.heading(f"Often said, counted for {f.name}")
    query = (
        f"It does not touch the cache: {f.kept} numbers with it, {f.kept_without_query_rank} without. It runs in use as well; "
        "its purpose is less activation memory in training."
        if f.query_rank
        else f"{f.name} has none, and keeps {f.kept} numbers like the models that do."
    )
    for said, counted in (
        (
            f"“The cache is {f.latent} numbers a token and layer.”",
            f"{f.latent} of the latent and {f.rope_key} of the rope key: {f.kept}. Multi-head attention: {f.multi_head:,}.",
        ),
        (
            "“Keys and values are rebuilt at every step.”",
            f"Only in the expanded form. Absorbed, heads read the latents themselves: {f.fewer_reads:.0f} times fewer numbers, "
            f"{f.more_flops:.1f} times the arithmetic a query and key.",
        ),
        ("“Compressing the queries saves cache.”", query),
        (
            "“The report shows that MLA beats GQA.”",
            "It compares MLA with MHA in one table and GQA with MHA in another, at other sizes. None has both at equal cache.",
        ),
    ):
        panels.caption(f"**{said}** {counted}")


# Prove


def limits(_: Asked) -> None:
    """What so small a test can say."""
    grid = proved.grid()
    sizes = "; ".join(
        f"{title}: {ours:,} against {low:,}{f' to {high:,}' * (high > low)}"
        for title, (ours, low, high) in grid.parameters.items()
    )
    panels.caption(
        f"**What so small a test can say.** {grid.variants} variants, {grid.runs} runs, {grid.minutes:.0f} minutes of one "
        f"thread. Parameters, the largest of ours against the rivals: {sizes}. Rivals are several head sizes of that cache, "
        "without positions and with rope, and where order counts with partial rope; the best of ours meets the best of theirs. "
        "Contestants ran at two learning rates; those without any positions where order counts, only for comparison, at one. "
        f"{grid.solved} of the {grid.told_once} runs on names told once recall at least {proved.SOLVED:.0%} in the end, so "
        "there a lower loss is hardly better recall. The test can "
        "show that a latent holds what the heads need, and what the rope key is for. Whether a latent is better than shared keys "
        "and values at the size of real models it cannot show: for that stand the tables below."
    )


def equal_cache(i: int, group: Group, _: Asked) -> None:
    """One comparison at equal numbers a token: every seed, early and at the end."""
    live.heading(group.title)
    slower, faster = proved.rates(group)
    subject = f"Loss with {group.title}: latent attention and {len(group.rivals)} rivals, early and at the end"
    drawn = latent.versus(subject, proved.runs(group), set(group.variants), label, proved.LOSS)
    kinds.show(drawn, f"versus-{i}", live.again(MECHANISM))
    panels.caption(
        f"**Open: after {group.early} steps. Filled: at the end.** One mark a seed, a bar at each mean. Circles: learning rate "
        f"{slower:g}; diamonds: {faster:g}."
    )


def by_size(_: Asked) -> None:
    """Learning curves of the trained latents."""
    live.heading(f"Loss at {lesson.PAIRS} pairs while training, by latent")
    variants = [lesson.Choice(rank, made=lesson.TRAINED).variant for rank in lesson.recipes.LATENTS]
    curves = {v: c for v in variants if (c := proved.learning(v))}
    subject, hues = f"Loss against training steps for {len(curves)} sizes of the latent", dict.fromkeys(curves, "latent")
    drawn = kinds.Learning(subject, curves, label, hues, ("variant", "seed", "step", proved.LOSS), written=str)
    kinds.show(drawn, "learning", live.again(MECHANISM))
    panels.caption("**One line a seed, one dash a size.** All with a rope key.")


# Who uses it


def users(_: Asked) -> None:
    """The catalogue's rows."""
    rows = [(u["entry"], u["mixer"], u["token_bytes"]) for u in models.users()]
    live.users(
        ("heads", "latent", "rope key", "query latent", "cache a token"),
        [(e, m.heads, m.kv_rank, models.rope_key(m), m.q_rank or "none", binary(size)) for e, m, size in rows],
        "**Every row is counted from the config as released**, 16-bit cache, all layers. Click a name for the model's own page.",
    )


versus = [partial(equal_cache, i, group) for i, group in enumerate(MECHANISM.groups)]
columns = live.stacked(*versus[::2]), live.stacked(*versus[1::2], by_size)
live.page(
    ANSWER, CORRECTION, choose, see, count, live.proof(MECHANISM, columns, limits, name=SPELLING.number),
    live.reading("core/model/mixers/latent.py", listed=MECHANISM.papers), users,
)  # fmt: skip
