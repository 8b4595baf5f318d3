"""Sparse attention: can a cheap scorer choose what to read?"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from app import controls, live, panels, state, theme
from app.figures import frame, kinds, sparse
from app.figures.maps import Tape, encode_probability
from core.lessons import sparse_attention as lesson
from core.lessons.common import AXIS, CONTEXTS, column, model_name, spec_of
from core.lessons.recall import LENGTHS, measured_cache_bytes
from core.model.spec import ModelSpec
from core.real import catalogue
from core.train import evidence
from core.train.mechanism import Spelling
from core.train.recipes.sparse_attention import MECHANISM
from core.train.tasks import recall
from core.units import binary, exact, operations

ANSWER = "A small scorer learns to imitate attention and picks the few tokens; attention then reads those alone."
CORRECTION = "It saves reading, not looking: the scorer itself still looks at every token, and the cache grows by its keys."

EXAMPLES = {
    "10 pairs": "ann lamp bo kite cy drum dan rope eva coin fay bell gus boat hal book ivy cup jack mask ? bo hal",
    "3 pairs": "ann lamp bo kite cy drum ? bo",
    "16 pairs": recall.surprise(16, seed=5, asked=4),
    "24 pairs": recall.surprise(24, seed=3, asked=4),
}
HELP_K = (
    "How many tokens each query reads: those that the scorer likes best. 128 is more than a prompt holds, so everything is read."
)
HELP_SCORER = (
    "The lightning indexer: a few narrow heads and one small key a token. A ReLU of each product, weighed by head and summed, is "
    "the score; the latent attention then reads only the tokens of the highest scores."
)
TOP_K = controls.Slider("top_k", "Top-k", lesson.TOP_K, 4, "latent", HELP_K)
REAL = controls.Pick("real", "Real model", lesson.users(), lesson.default_model(), name=model_name)
PROMPT = live.names_and_things(EXAMPLES, (6, 20))


@dataclass(frozen=True)
class Choice:
    """What the controls hold."""

    top_k: int
    key: str
    context: int
    text: str

    @property
    def config(self) -> dict:
        """What goes into an exported figure of counts."""
        return live.about(lesson.VARIANT, top_k=self.top_k, model=model_name(self.key), context=self.context)

    @property
    def real(self) -> lesson.RealModel:
        """The real model at that context."""
        return lesson.real_model(self.key, self.context)


def choose() -> Choice:
    """The controls: top-k with presets; real model, context and prompt folded."""
    with controls.row():
        top_k = TOP_K.draw()
        with controls.presets_first("model", lesson.presets(), "latent"):
            key, context, prompt = live.model_and_prompt(REAL, "128k", PROMPT, "Tokens so far, for the real model.")
    return Choice(top_k, key, context, prompt)


# See


def see(choice: Choice) -> None:
    """The live model on the reader's prompt."""
    prompt = live.parsed(choice.text, PROMPT.default)
    seen, shown = lesson.picked(choice.top_k, prompt), lesson.scene(choice.top_k, prompt)
    left, right = panels.beside()
    with left:
        chosen = picture(choice, seen, shown)
        panels.caption(
            f"**{reads_text(choice.top_k)} by each query, {len(seen.words)} tokens.** Left: attention of the whole model, mean "
            "over heads. Middle: what the {scorer} guesses of it. Right: what is read now; what was not picked stays blank. "
            "Row = token asking, column = token read.",
            scorer=panels.term("scorer", HELP_SCORER),
        )
        answered(choice.top_k, prompt)
    with right:
        side(choice, seen, shown, chosen)


def reads_text(top_k: int) -> str:
    """How many tokens are read, in words."""
    return "Every token is read" if top_k == lesson.EVERYTHING else f"{top_k} token{'s' * (top_k > 1)} read"


def picture(choice: Choice, seen: lesson.Picked, shown: lesson.Scene) -> dict:
    """Attention, scores and what is read, a row a layer; the prompt; the cache filling."""
    last, n, top_k = shown.answers[-1], len(seen.words), choice.top_k
    visible = lesson.window(n, n)
    parts = zip(seen.attention, seen.scores, seen.read, seen.chosen)
    cells = [
        encode_probability(part, mask)
        for attention, scores, read, picked in parts
        for part, mask in ((attention, visible), (scores, visible), (read, visible & picked))
    ]
    return live.picture(
        np.stack(cells),
        {"row": last.position, "step": n},
        last,
        key="picked",
        alt=f"Attention, scores and the {top_k} tokens picked for each of {n} queries, in {len(lesson.LAYERS)} layers",
        tokens=seen.words,
        labels=["attention", "scorer", f"read, k = {top_k}"] * len(lesson.LAYERS),
        groups=[i for i in range(len(lesson.LAYERS)) for _ in range(3)],
        group_labels=[f"layer {i}" for i in lesson.LAYERS],
        hue="latent",
        columns=3,
        tape=tape(shown),
        aspect=2.3 if state.stage() else 1.25,
        config=live.about(lesson.VARIANT, prompt=choice.text, top_k=top_k),
    )


def tape(shown: lesson.Scene) -> Tape:
    """The cache of both layers: the latent, and the scorer's key beside it."""
    lanes = [(f"layer {i} {what}", hue) for i in lesson.LAYERS for what, hue in (("latent", "latent"), ("key", sparse.SCORER))]
    names, hues = zip(*lanes)
    return Tape(
        names, shown.cache_bytes, hues=hues, legend={"latent": "latents, read where picked", sparse.SCORER: "scorer's keys"}
    )


def answered(top_k: int, prompt: recall.Prompt) -> None:
    """Each question with what is said by the picked tokens, by the last ones, by all."""
    answers = lesson.answers_by_choice(top_k, prompt)
    rows = [
        (a.name, a.truth or "never introduced", *(ticked(s, a.truth) for s in (a.picked, a.window, a.whole))) for a in answers
    ]
    live.table(("asked", "in truth", f"{top_k} picked", f"last {top_k}", "all read"), rows, narrow=True)


def ticked(word: str, truth: str) -> live.Link:
    """A word of the model with its sign; both words are from the vocabulary."""
    sign, hue = ("✓", "saved") if word == truth else ("✗", "routed")
    return live.Link(f'<span style="color:var(--cw-{hue})">{sign}</span> <code>{word}</code>')


def side(choice: Choice, seen: lesson.Picked, shown: lesson.Scene, chosen: dict) -> None:
    """One query, what is kept of attention, the cache here, a real model."""
    top_k, n = choice.top_k, len(seen.words)
    at = shown.answers[-1].position if chosen["row"] is None else chosen["row"]
    layer = lesson.LAYERS[-1] - 1 if chosen["head"] is None else chosen["head"] // 3
    with panels.card(f"What “{seen.words[at]}” reads in layer {layer + 1}", "row"):
        query(top_k, seen, at, layer)
    shares = lesson.shares(seen, top_k)
    with panels.card("Share of whole attention that is kept", "kept"):
        rows = [
            panels.Bar("picked", shares.picked, "latent", True),
            panels.Bar(f"the last {top_k}", shares.window, "window"),
            panels.Bar("best possible", shares.best),
        ]
        panels.bars(rows, "Share kept", "{:.1%}".format, of=1)
        live.small(f"mean over {n} tokens and {len(lesson.LAYERS)} layers; each way reads {top_k} at most")
    size = lesson.cache(lesson.live_cost(top_k, n))
    with panels.card(f"Cache after {n} tokens", "cache"):
        cached(size, exact)
        panels.check(size.total, int(shown.cache_bytes[-1]))
    with panels.card(f"{choice.real.name}, {choice.context:,} tokens: FLOPs of one token", "real"):
        flops(choice.real)


def query(top_k: int, seen: lesson.Picked, at: int, layer: int) -> None:
    """The row of the token that asks."""
    parts = seen.attention[layer, at], seen.scores[layer, at], seen.chosen[layer, at]
    fig = sparse.row(seen.words, at, *parts, top_k, theme.colours(), theme.stroke())
    table = {
        "token": np.arange(at + 1) + 1,
        "word": seen.words[: at + 1],
        **dict(zip(("attention", "score"), (p[: at + 1] for p in parts))),
    }
    table["picked"] = parts[2][: at + 1].astype(int)
    alt = f"Attention of {seen.words[at]} to the {at + 1} tokens so far, the scorer's guess, and which {top_k} were picked"
    frame.figure(fig, key="row", alt=alt, table=table, config=live.about(lesson.VARIANT, top_k=top_k))
    live.small("bars: whole attention, filled where picked · diamonds: the scorer's guess")


def cached(size: lesson.Cache, write: Callable[[float], str]) -> None:
    """What the latents take, and the scorer's keys on top."""
    keys = size.total - size.latent
    rows = [panels.Bar("latents", size.latent, "latent")]
    rows.append(panels.Bar("scorer’s keys", keys, sparse.SCORER, True, f"+ {write(keys)}"))
    panels.bars(rows, "the two parts of the cache", write, of=size.total)


def flops(r: lesson.RealModel) -> None:
    """Attention to everything, and the two parts that take its place."""
    rows = [
        panels.Bar("read all", r.dense),
        panels.Bar("scorer", r.scorer, sparse.SCORER, True),
        panels.Bar(f"read {r.top_k:,}", r.attention, "latent", True),
    ]
    panels.bars(rows, "FLOPs of one token", operations, of=max(r.dense, r.scorer + r.attention))
    times = f"{r.fewer:.1f} times fewer" if r.fewer > 1 else f"{1 / r.fewer:.2f} times as many"
    live.small(f"{times}; {r.share:.0%} of what is left is the scorer, and the cache is {r.more:.0%} larger")


# Count


def ours(choice: Choice) -> None:
    """The arithmetic of our model."""
    live.heading("Our model: FLOPs of one token")
    name = f"our model with top-k {choice.top_k}"
    arithmetic(lesson.picking_model(choice.top_k).spec, 2 ** np.arange(3, 15), name, "ours", choice.config)


def theirs(choice: Choice) -> None:
    """The arithmetic of a real model."""
    name = model_name(choice.key)
    live.heading(f"{name}: FLOPs of one token")
    arithmetic(spec_of(choice.key), 2 ** np.arange(10, 21), name, "theirs", choice.config)


def arithmetic(spec: ModelSpec, contexts: np.ndarray, who: str, name: str, config: dict) -> None:
    """Scorer, attention to what is picked, and attention to everything, with where they cross."""
    s, pays, over = lesson.flops_split(spec, contexts), lesson.pays(spec), lesson.overtakes(spec)
    there = {"fewer FLOPs from": pays, "more of them the scorer's from": over}
    marks = {what: n for what, n in there.items() if contexts[0] <= n <= contexts[-1]}
    fig = sparse.split(contexts, s, marks, AXIS, theme.colours(), theme.stroke())
    table = {"context": contexts, "scorer": s.scorer, "attention to the picked": s.attention, "attention to everything": s.dense}
    alt = f"FLOPs of one token of {who} against context: the scorer's line rises for ever, attention to the picked ends at top-k"
    frame.figure(fig, key=name, alt=alt, table=table, config=config)
    saves = f"Scorer and attention together need fewer from {pays:,} tokens on." if pays else "It never saves anything here."
    larger = f" From {over:,} on the scorer is the larger part." if over else ""
    panels.caption(
        f"**{saves}**{larger} One token looks at n keys and a text of n tokens at n², with the scorer as without: its line "
        "is lower, not flatter. Projections are left out, except the scorer's own."
    )


def formula(choice: Choice) -> None:
    """One layer's arithmetic with the numbers put in."""
    f = lesson.formula(choice.key, choice.context)
    live.formula(
        f"{f.name} at {choice.context:,} tokens: one token, one layer",
        r"\begin{aligned} & \text{scorer: } 2 \, (\underbrace{%s}_{\text{weights}} + \underbrace{%s}_{\text{heads}} \cdot "
        r"\underbrace{%s}_{\text{width}} \cdot \underbrace{%s}_{\text{all tokens}}) \\ & = %s \\ & \text{attention: } 2 \cdot "
        r"\underbrace{%s}_{\text{heads}} \cdot (2 \cdot \underbrace{%s}_{\text{latent}} + \underbrace{%s}_{\text{rope}}) \cdot "
        r"\underbrace{%s}_{\text{picked}} \\ & = %s \end{aligned}"
        % tuple(
            map(
                live.digits,
                (f.weights, f.heads, f.width, f.context, f.scorer, f.readers, f.latent, f.rope, f.picked, f.attention),
            )
        ),
        "**A multiply-add is 2 FLOPs.** The latent attention is counted in the absorbed form, as decoding runs it. "
        "The command line gives all layers: {code}.",
        f"{choice.key} --context {choice.context}",
    )


def growth(choice: Choice) -> None:
    """Our cache against tokens, counted beside measured."""
    lengths, points, values = np.arange(1, 129), np.array(LENGTHS), measured_cache_bytes(lesson.VARIANT)
    sizes = [lesson.cache(lesson.live_cost(choice.top_k, int(n))) for n in lengths]
    latent, total = column(sizes, "latent"), column(sizes, "total")
    drawn = sparse.growth(lengths, latent, total, points, values)
    words = "**Top-k changes nothing here:** what is not read now may be read next, so all of it is kept."
    live.growth("Our model: cache against tokens", drawn, choice.config, words)


def memory(choice: Choice) -> None:
    """What the scorer adds to a real model's cache."""
    r = choice.real
    live.heading(f"{r.name}: cache at {choice.context:,} tokens")
    with panels.card(f"{r.name}, 16-bit cache, one sequence", "memory"):
        cached(r.cache, binary)
        live.small(f"{r.width} numbers a token and layer on top: {r.more:.1%} more")
    panels.caption(
        "**Sparse attention does not shrink the cache.** It reads less of it. Counted in 16 bits, as everything here; an engine "
        "that stores the keys in 8 bits adds half of that."
    )


def real_models(choice: Choice) -> None:
    """Every model with a scorer, at several contexts."""
    contexts = tuple(CONTEXTS[name] for name in ("1k", "4k", "16k", "128k", "1M"))
    rows = [r for n in contexts for r in (lesson.real_model(key, n) for key in lesson.users())]
    rows.sort(key=lambda r: (lesson.users().index(r.key), r.context))
    live.heading("Real models: what is left of the arithmetic")
    labels, dense = [f"{r.name}, {r.context:,}" for r in rows], column(rows, "dense")
    scorer, attention = column(rows, "scorer") / dense, column(rows, "attention") / dense
    fig = sparse.models(labels, scorer, attention, theme.colours(), theme.stroke())
    table = {"model, context": labels, "scorer, share": scorer, "attention, share": attention, "everything, FLOPs": dense}
    alt = (
        f"Scorer and attention of {len(lesson.users())} models at {len(contexts)} contexts, as a share of attention to everything"
    )
    frame.figure(fig, key="models", alt=alt, table=table, config=choice.config)
    panels.caption(
        "**One token, all layers, against latent attention to every token.** Beyond the dotted line the scorer costs more than "
        "it saves: a short text is better read whole."
    )


# Prove


def metric_text(metric: str) -> str:
    """ "recall@24" in words; the other names are words already."""
    return metric.replace("recall@", "recall of all at ") + " pairs" * metric.startswith("recall@")


def recalled(_: Choice) -> None:
    """Recall against what is read."""
    live.heading(f"Recall at {lesson.PAIRS} pairs by tokens read: every seed")
    kinds.show(sparse.recalled(lesson.by_top_k(), lesson.recipes.SOLVED), "recalled", live.again(MECHANISM))
    panels.caption(
        f"**The same weights, seeds {evidence.seeds_text(MECHANISM.name)}, in texts of {lesson.recipes.LENGTH} tokens.** On this "
        "task attention is nearly one-hot: it looks for one word, which favours picking few. A text that needs many words at "
        "once is less kind."
    )


def learned(_: Choice) -> None:
    """Recall while training."""
    live.heading(f"Recall at {lesson.PAIRS} pairs while training")
    kinds.show(sparse.learning(lesson.learning()), "learning", live.again(MECHANISM))
    panels.caption("**Attention learns from the answers, the scorer from attention:** no gradient of the one reaches the other.")


# Who uses it


def users(choice: Choice) -> None:
    """The catalogue's rows that score, and those that could: their latent attention reads everything."""
    rows = [(lesson.real_model(k, choice.context), catalogue.entries()[k]) for k in lesson.users()]
    live.users(
        ("picked", "scorer", f"FLOPs at {choice.context:,}", "the scorer's part", "cache"),
        [
            (e, f"{r.top_k:,}", f"{r.heads} × {r.width}", f"÷ {r.fewer:.1f}", f"{r.share:.0%}", binary(r.cache.total))
            for r, e in rows
        ],
        f"**Counted from the configs as released**, {choice.context:,} tokens; FLOPs of one token against attention to "
        "everything.",
    )
    live.heading("Latent attention that reads everything, or compressed entries")
    live.users(("what is kept",), [(catalogue.entries()[k], kept) for k, kept in lesson.others()])


spelling = Spelling({lesson.VARIANT: "scorer beside MLA"}, metric_text)
live.page(
    ANSWER, CORRECTION, choose, see, live.stacked((ours, theirs), formula, (growth, memory), real_models),
    live.proof(MECHANISM, (recalled, learned), name=spelling.number),
    live.reading("core/model/mixers/sparse.py", "core/train/tasks/selection.py", listed=MECHANISM.papers), users,
)  # fmt: skip
