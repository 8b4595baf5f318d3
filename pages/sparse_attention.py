"""Sparse attention: can a cheap scorer choose what to read?"""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from app import controls, live, panels, state, theme
from app.figures import frame, kinds, sparse
from app.figures.maps import Tape, encode_probability, maps
from core.lessons import sparse_attention as lesson
from core.lessons.common import AXIS, CONTEXTS, model_name, spec_of
from core.model.registry import question
from core.real import catalogue
from core.train import evidence
from core.train.mechanism import Spelling
from core.train.recipes.sparse_attention import MECHANISM
from core.train.tasks import recall
from core.units import binary, operations

QUESTION = question("sparse_attention")
ANSWER = "A small scorer learns to imitate attention and picks the few tokens; attention then reads those alone."
CORRECTION = "It saves reading, not looking: the scorer itself still looks at every token, and the cache grows by its keys."

EXAMPLES = {
    "10 pairs": "ann lamp bo kite cy drum dan rope eva coin fay bell gus boat hal book ivy cup jack mask ? bo hal",
    "3 pairs": "ann lamp bo kite cy drum ? bo",
    "16 pairs": recall.surprise(16, seed=5, asked=4),
    "24 pairs": recall.surprise(24, seed=3, asked=4),
}
FIRST = next(iter(EXAMPLES.values()))
HELP_K = (
    "How many tokens each query reads: those that the scorer likes best. 128 is more than a prompt holds, so everything is read."
)
HELP_CONTEXT = "Tokens so far, for the real model."
HELP_SCORER = (
    "The lightning indexer: a few narrow heads and one small key a token. A ReLU of each product, weighed by head and summed, is "
    "the score; the latent attention then reads only the tokens of the highest scores."
)
TOP_K = controls.Slider("top_k", "Top-k", lesson.TOP_K, 4, "latent", HELP_K)
REAL = controls.Pick("real", "Real model", lesson.users(), lesson.default_model(), name=model_name)
CONTEXT = controls.Slider("context", "Context", tuple(CONTEXTS), "128k", "ink", HELP_CONTEXT)
PROMPT = live.names_and_things(EXAMPLES, (6, 20))


@dataclass(frozen=True)
class Choice:
    """What the controls hold."""

    top_k: int
    key: str
    context: int
    text: str


def choose() -> Choice:
    """The controls: top-k with presets; real model, context and prompt folded."""
    with controls.row():
        top_k = TOP_K.draw()
        with controls.presets_first("model", lesson.presets(), "latent"):
            key, context, prompt = live.model_and_prompt(REAL, CONTEXT, PROMPT)
    return Choice(top_k, key, CONTEXTS[context], prompt)


# See


def see(choice: Choice) -> None:
    """The live model on the reader's prompt."""
    prompt = live.parsed(choice.text, FIRST)
    seen, shown = lesson.picked(choice.top_k, prompt), lesson.scene(choice.top_k, prompt)
    left, right = panels.beside()
    with left:
        chosen = picture(choice.top_k, seen, shown, choice.text)
        panels.caption(
            f"**{reads(choice.top_k)} by each query, {len(seen.words)} tokens.** Left: attention of the whole model, mean "
            "over heads. Middle: what the {scorer} guesses of it. Right: what is read now; what was not picked stays blank. "
            "Row = token asking, column = token read.",
            scorer=panels.term("scorer", HELP_SCORER),
        )
        answered(choice.top_k, prompt)
    with right:
        side(choice.top_k, choice.key, choice.context, seen, shown, chosen)


def reads(top_k: int) -> str:
    """How many tokens are read, in words."""
    return "Every token is read" if top_k == lesson.EVERYTHING else f"{top_k} token{'s' * (top_k > 1)} read"


def picture(top_k: int, seen: lesson.Picked, shown: lesson.Scene, text: str) -> dict:
    """Attention, scores and what is read, a row a layer; the prompt; the cache filling."""
    last, n = shown.answers[-1], len(seen.words)
    start = {"row": last.position, "step": n}
    visible = lesson.window(n, n)
    cells = [
        encode_probability(part[i], visible & mask[i])
        for i in range(len(lesson.LAYERS))
        for part, mask in ((seen.attention, visible[None]), (seen.scores, visible[None]), (seen.read, seen.chosen))
        for mask in (np.broadcast_to(mask, seen.read.shape),)
    ]
    chosen = maps(
        np.stack(cells),
        key="picked",
        title=QUESTION,
        alt=f"Attention, scores and the {top_k} tokens picked for each of {n} queries, in {len(lesson.LAYERS)} layers",
        tokens=seen.words,
        labels=[what for _ in lesson.LAYERS for what in ("attention", "scorer", f"read, k = {top_k}")],
        groups=[i for i in range(len(lesson.LAYERS)) for _ in range(3)],
        group_labels=[f"layer {i}" for i in lesson.LAYERS],
        hue="latent",
        columns=3,
        **live.pointed(last),
        tape=tape(shown),
        selected=state.selection(start),
        aspect=2.3 if state.stage() else 1.25,
        config=live.about(lesson.VARIANT, prompt=text, top_k=top_k),
        stage=state.stage(),
    )
    state.keep_selection(chosen, start)
    return chosen


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
    rows = [(a.name, a.truth or "never introduced", *(tick(s, a.truth) for s in (a.picked, a.window, a.whole))) for a in answers]
    live.table(("asked", "in truth", f"{top_k} picked", f"last {top_k}", "all read"), rows, narrow=True)


def tick(said: str, truth: str) -> live.Link:
    """A word of the model with its sign; both words are from the vocabulary."""
    sign, hue = ("✓", "saved") if said == truth else ("✗", "routed")
    return live.Link(f'<span style="color:var(--cw-{hue})">{sign}</span> <code>{said}</code>')


def side(top_k: int, key: str, context: int, seen: lesson.Picked, shown: lesson.Scene, chosen: dict) -> None:
    """One query, what is kept of attention, the cache here, a real model."""
    at = shown.answers[-1].position if chosen["row"] is None else chosen["row"]
    layer = lesson.LAYERS[-1] - 1 if chosen["head"] is None else chosen["head"] // 3
    with panels.card(f"What “{seen.words[at]}” reads in layer {layer + 1}", "row"):
        query(top_k, seen, at, layer)
    kept = lesson.shares(seen, top_k)
    with panels.card("Share of whole attention that is kept", "kept"):
        rows = [
            ("picked", kept.picked, "latent"),
            (f"the last {top_k}", kept.window, "window"),
            ("best possible", kept.best, None),
        ]
        panels.bars([panels.Bar(name, share, f"{share:.1%}", hue, hue == "latent") for name, share, hue in rows], "Share kept")
        live.small(f"mean over {len(seen.words)} tokens and {len(lesson.LAYERS)} layers; each way reads {top_k} at most")
    n = len(seen.words)
    size = lesson.cache(lesson.live_cost(top_k, n))
    with panels.card(f"Cache after {n} tokens", "cache"):
        cached(size, lambda b: f"{b:,} B")
        panels.check(size.total, int(shown.cache_bytes[-1]))
    r = lesson.real_model(key, context)
    with panels.card(f"{r.name}, {context:,} tokens: FLOPs of one token", "real"):
        flops(r)


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


def cached(size: lesson.Cache, text) -> None:
    """What the latents take, and the scorer's keys on top."""
    keys = size.total - size.latent
    rows = [panels.Bar("latents", size.latent / size.total, text(size.latent), "latent")]
    rows.append(panels.Bar("scorer’s keys", keys / size.total, f"+ {text(keys)}", sparse.SCORER, changed=True))
    panels.bars(rows, "the two parts of the cache")


def flops(r: lesson.RealModel) -> None:
    """Attention to everything, and the two parts that take its place."""
    longest = max(r.dense, r.scorer + r.attention)
    rows = [("read all", r.dense, None), ("scorer", r.scorer, sparse.SCORER), (f"read {r.top_k:,}", r.attention, "latent")]
    panels.bars(
        [panels.Bar(name, n / longest, operations(n), hue, hue is not None) for name, n, hue in rows], "FLOPs of one token"
    )
    said = f"{r.fewer:.1f} times fewer" if r.fewer > 1 else f"{1 / r.fewer:.2f} times as many"
    live.small(f"{said}; {r.share:.0%} of what is left is the scorer, and the cache is {r.more:.0%} larger")


# Count


def count(choice: Choice) -> None:
    """Arithmetic and memory against context, ours and a real model's; then all models with a scorer."""
    config = live.about(lesson.VARIANT, top_k=choice.top_k, model=model_name(choice.key), context=choice.context)
    left, right = st.columns(2, gap="large")
    with left:
        live.heading("Our model: FLOPs of one token")
        arithmetic(lesson.ours(choice.top_k), 2 ** np.arange(3, 15), f"our model with top-k {choice.top_k}", "ours", config)
    with right:
        live.heading(f"{model_name(choice.key)}: FLOPs of one token")
        arithmetic(spec_of(choice.key), 2 ** np.arange(10, 21), model_name(choice.key), "theirs", config)
    formula(choice.key, choice.context)
    left, right = st.columns(2, gap="large")
    with left:
        growth(choice.top_k, config)
    with right:
        memory(choice.key, choice.context)
    real_models(config)


def arithmetic(spec, contexts, who: str, name: str, config: dict) -> None:
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


def formula(key: str, context: int) -> None:
    """One layer's arithmetic with the numbers put in."""
    f, d = lesson.formula(key, context), live.digits
    live.heading(f"{f.name} at {context:,} tokens: one token, one layer")
    st.latex(
        r"\begin{aligned} & \text{scorer: } 2 \, (\underbrace{%s}_{\text{weights}} + \underbrace{%s}_{\text{heads}} \cdot "
        r"\underbrace{%s}_{\text{width}} \cdot \underbrace{%s}_{\text{all tokens}}) \\ & = %s \\ & \text{attention: } 2 \cdot "
        r"\underbrace{%s}_{\text{heads}} \cdot (2 \cdot \underbrace{%s}_{\text{latent}} + \underbrace{%s}_{\text{rope}}) \cdot "
        r"\underbrace{%s}_{\text{picked}} \\ & = %s \end{aligned}"
        % tuple(map(d, (f.weights, f.heads, f.width, f.context, f.scorer, f.readers, f.latent, f.rope, f.picked, f.attention)))
    )
    panels.caption(
        "**A multiply-add is 2 FLOPs.** The latent attention is counted in the absorbed form, as decoding runs it. "
        "The command line gives all layers: {code}.",
        code=f"<code>python -m core inspect {key} --context {context}</code>",
    )


def growth(top_k: int, config: dict) -> None:
    """Our cache against tokens, counted beside measured."""
    live.heading("Our model: cache against tokens")
    lengths, points, values = np.arange(1, 129), np.array(lesson.LENGTHS), lesson.measured_cache()
    sizes = [lesson.cache(lesson.live_cost(top_k, int(n))) for n in lengths]
    latent, total = (np.array([getattr(s, part) for s in sizes]) for part in ("latent", "total"))
    kinds.show(sparse.growth(lengths, latent, total, points, values), "growth", config)
    panels.caption("**Top-k changes nothing here:** what is not read now may be read next, so all of it is kept.")
    panels.check(int(total[points[-1] - 1]), int(values[-1]))


def memory(key: str, context: int) -> None:
    """What the scorer adds to a real model's cache."""
    r = lesson.real_model(key, context)
    live.heading(f"{r.name}: cache at {context:,} tokens")
    with panels.card(f"{r.name}, 16-bit cache, one sequence", "memory"):
        cached(r.cache, binary)
        live.small(f"{r.width} numbers a token and layer on top: {r.more:.1%} more")
    panels.caption(
        "**Sparse attention does not shrink the cache.** It reads less of it. Counted in 16 bits, as everything here; an engine "
        "that stores the keys in 8 bits adds half of that."
    )


def real_models(config: dict) -> None:
    """Every model with a scorer, at several contexts."""
    contexts = tuple(CONTEXTS[name] for name in ("1k", "4k", "16k", "128k", "1M"))
    rows = [r for n in contexts for r in lesson.real_models(n)]
    rows.sort(key=lambda r: (lesson.users().index(r.key), r.context))
    live.heading("Real models: what is left of the arithmetic")
    labels, dense = [f"{r.name}, {r.context:,}" for r in rows], np.array([r.dense for r in rows])
    scorer, attention = (np.array([getattr(r, part) for r in rows]) / dense for part in ("scorer", "attention"))
    fig = sparse.models(labels, scorer, attention, theme.colours(), theme.stroke())
    table = {"model, context": labels, "scorer, share": scorer, "attention, share": attention, "everything, FLOPs": dense}
    alt = (
        f"Scorer and attention of {len(lesson.users())} models at {len(contexts)} contexts, as a share of attention to everything"
    )
    frame.figure(fig, key="models", alt=alt, table=table, config=config)
    panels.caption(
        "**One token, all layers, against latent attention to every token.** Beyond the dotted line the scorer costs more than "
        "it saves: a short text is better read whole."
    )


# Prove


def prove(_: Choice) -> None:
    """Our trained runs, the verdicts that follow from them, what papers printed."""
    report = evidence.report("sparse_attention")
    live.verdicts(report, Spelling({lesson.VARIANT: "scorer beside MLA"}, metric_said).number)
    if live.ran(report):
        drawn(report)
    live.published("sparse_attention")


def metric_said(metric: str) -> str:
    """ "recall@24" in words; the other names are words already."""
    return metric.replace("recall@", "recall of all at ") + " pairs" * metric.startswith("recall@")


def drawn(report: dict) -> None:
    """Recall against what is read, and while training."""
    command = {"command": report["command"]}
    left, right = st.columns(2, gap="large")
    seeds = ", ".join(map(str, report["seeds"]))
    with left:
        live.heading(f"Recall at {lesson.PAIRS} pairs by tokens read: every seed")
        kinds.show(sparse.recalled(lesson.by_top_k(), lesson.recipes.SOLVED), "recalled", command)
        panels.caption(
            f"**The same weights, seeds {seeds}, in texts of {lesson.recipes.LENGTH} tokens.** On this task attention is nearly "
            "one-hot: it looks for one word, which favours picking few. A text that needs many words at once is less kind."
        )
    with right:
        live.heading(f"Recall at {lesson.PAIRS} pairs while training")
        kinds.show(sparse.learning(lesson.learning()), "learning", command)
        panels.caption(
            "**Attention learns from the answers, the scorer from attention:** no gradient of the one reaches the other."
        )


# Read


def read(_: Choice) -> None:
    """The glossary, the source that ran, papers."""
    live.reading("core/model/mixers/sparse.py", "core/train/tasks/selection.py", listed=MECHANISM.papers)


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
    )
    panels.caption(
        f"**Counted from the configs as released**, {choice.context:,} tokens; FLOPs of one token against attention to "
        "everything."
    )
    live.heading("Latent attention that reads everything, or compressed entries")
    live.users(("what is kept",), [(catalogue.entries()[k], kept) for k, kept in lesson.others()])


live.page(QUESTION, ANSWER, CORRECTION, choose, see, count, prove, read, users)
