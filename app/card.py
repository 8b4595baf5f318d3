"""A model's card: facts with their sources, the ladder of its layers, counts, cache against context, techniques."""

import html
from functools import partial

import streamlit as st

from app import live, panels, state, theme
from app.figures import frame, kinds, landscape
from app.figures.ladder import ladders
from core.count.dtypes import stored
from core.lessons import card as lesson
from core.model.registry import PAGES
from core.real import catalogue
from core.shape import ladder
from core.units import binary, count, decimal, power

FACTS = {"organisation": "built by", "released": "released", "licence": "licence"}
CONVENTION = (
    "Counted from the config for one sequence, weights and cache in the config's own dtypes. Cache is what grows with context; "
    "state is what does not. KiB, MiB and GiB are powers of 1024; MB and GB beside them powers of 1000."
)
PLAIN = (
    "The same model if every query head in every layer that mixes tokens kept a key and a value of its own. A layer without "
    "query heads counts as attention of the model's width."
)


def show(reading, entry: catalogue.Entry | None = None, key: str = "card") -> None:
    """The card of a config that was read; `entry` is its row of the catalogue, where it has one."""
    st.html(f"<style>{theme.sheet('card')}</style>")
    with st.container(key=f"cw-model-{key}"):
        heading(reading, entry)
        left, right = st.columns([1, 1], gap="large")
        with left:
            ladder_of(reading, key)
            techniques(reading.spec)
        with right:
            counts(reading)
            growth(reading, key)
        sources(reading, entry)


def heading(reading, entry) -> None:
    """The name, its family, whether it runs here, and where to go with it."""
    family, why = lesson.family(reading.spec), lesson.alive(reading.spec)
    hue = lesson.FAMILIES[family].hue if family else "soft"
    chip = f'<span class="cw-family" style="--cw-hue:var(--cw-{hue})">{html.escape(family)}</span>' if family else ""
    words = lesson.FAMILIES[family].words if family else ""
    lively = f"<b>Counted only:</b> {html.escape(why)}." if why else "Its structure runs here as a small live twin."
    st.html(
        f'<div class="cw-model-head"><h2>{html.escape(reading.spec.name)}</h2>{chip}<span>{html.escape(words)}</span></div>'
        f'<p class="cw-small">{lively}{onward(reading, entry)}</p>'
    )


def onward(reading, entry) -> str:
    """Links that take the model along to other pages."""
    there = {page.name for page in PAGES}
    targets = (
        ("What it costs to serve", "inference", "model"),
        ("Compare it", "compare", "a"),
        ("Open in the workbench", "workbench", "model"),
    )
    links = [panels.link(text, page, **{key: entry.name}) for text, page, key in targets if entry and page in there]
    return "".join(f' <span class="cw-onward">{link}</span>' for link in links)


# The ladder


def ladder_of(reading, key: str) -> None:
    """Every layer of the model, what repeats folded in words above."""
    spec = reading.spec
    with panels.card("Layers", f"ladder-{key}"):
        folded = ladder.blocks_text(ladder.folded(spec))
        live.small(f"{len(spec.layers)} layers: {folded}")
        rungs = ladder.rungs(spec, reading.context)
        table = {
            "layer": [r.index + 1 for r in rungs], "mixer": [r.mixer for r in rungs], "feed-forward": [r.ffn for r in rungs],
            "parameters": [r.params for r in rungs], "cached": [r.cache for r in rungs], "state": [r.state for r in rungs],
        }  # fmt: skip
        alt = f"The {len(spec.layers)} layers of {spec.name}, the first at the bottom: {folded}"
        fig = frame.drawn(partial(ladders, {spec.name: (rungs, ladder.folded(spec))}, titles=False), "ladder", reading)
        frame.figure(fig, key=f"ladder-{key}", alt=alt, table=table, config=about(reading))


def about(reading) -> dict:
    """What goes into an exported file."""
    return {"model": reading.spec.name, "context": reading.context, "link": state.here()}


# Numbers


def counts(reading) -> None:
    """Parameters, weights, cache at several contexts, state."""
    c, spec = lesson.longest_cost(reading), reading.spec
    rows = [("parameters", f"{c.params_total:,}", count(c.params_total))]
    if c.params_active != c.params_total:
        rows.append(("active in a token", f"{c.params_active:,}", count(c.params_active)))
    rows += weights(reading, c)
    if lesson.keeps(spec):
        for kept in lesson.caches(reading):
            said = ", its longest" if kept.own else ", longer than made for" if kept.beyond else ""
            rows.append((f"cache at {power(kept.context)}{said}", binary(kept.cache), decimal(kept.cache)))
        rows.append(growing(reading))
    else:
        rows.append(("cache", "none kept", ""))
    if c.state_bytes:
        rows.append((f"state, {kept_in(c)}", binary(c.state_bytes), decimal(c.state_bytes)))
    with panels.card("Counts", "counts"):
        figures(rows)
        convention = panels.term("How this is counted", CONVENTION)
        st.html(f'<p class="cw-small">{convention}{denoised(spec)}</p>')


def kept_in(c) -> str:
    """The dtypes of a state: recurrent matrices have one of their own, columns of convolutions that of the cache."""
    found = [dtype for dtype in (c.state_dtype, c.cache_dtype) if c.state_bytes == stored(c.state_elements, dtype)]
    return found[0] if found else f"{c.state_dtype} and {c.cache_dtype}"


def weights(reading, c) -> list[tuple[str, str, str]]:
    """Weights in one dtype, and as the release mixes them where that is something else."""
    own = lesson.weights(reading)
    rows = [(f"weights as released, {own.mix}", own.bytes)] if own and own.bytes != c.weight_bytes else []
    rows += [(f"weights, {'all in ' * bool(rows)}{c.weight_dtype}", c.weight_bytes)]
    unknown = [("weights as released", "not derived", "")] if own is None and reading.unclear else []
    return [(label, binary(n), decimal(n)) for label, n in rows] + unknown


def growing(reading) -> tuple[str, str, str]:
    """What one more token adds once every window is full."""
    added = lesson.added(reading)
    return ("a token adds", binary(added), decimal(added)) if added else ("a token adds", "nothing", "")


def figures(rows) -> None:
    """Label, number, the same in another unit."""
    lines = "".join(
        f'<tr><th scope="row">{html.escape(a)}</th><td>{html.escape(b)}</td><td>{html.escape(c)}</td></tr>' for a, b, c in rows
    )
    st.html(f'<table class="cw-counts"><tbody>{lines}</tbody></table>')


UNCACHED = {
    "diffusion": " It denoises whole texts, reads both ways, and its released code keeps no cache.",
    "recursion": " It solves boards in steps over all places at once: no cache; its answer and its thought are the state.",
}


def denoised(spec) -> str:
    """Why a model that does not decode token by token keeps no cache."""
    return html.escape(UNCACHED.get(spec.decoding, ""))


def growth(reading, key: str) -> None:
    """Cache and state against context."""
    if not lesson.keeps(reading.spec):
        return
    line = lesson.curve(reading)
    if not (line.cache.any() or line.state.any() or line.multi_head.any()):  # a design in which no layer mixes tokens
        return
    with panels.card("Memory against context", f"growth-{key}"):
        family = lesson.family(reading.spec)
        drawn = landscape.growth(reading.spec.name, line, lesson.FAMILIES[family].hue if family else "soft")
        table = {"context": line.contexts, "cache, B": line.cache, "state, B": line.state, "multi-head, B": line.multi_head}
        kinds.show(drawn, f"growth-{key}", about(reading), table)
        end = power(int(line.contexts[-1]))
        panels.caption(
            f"**One sequence, {reading.cache_dtype}, both axes logarithmic.** At {end} tokens "
            f"{binary(line.cache[-1] + line.state[-1])}; {{plain}} would keep {binary(line.multi_head[-1])}.",
            plain=panels.term("multi-head attention, nothing shared,", PLAIN),
        )


def techniques(spec) -> None:
    """What it is made of; what has a page of ours leads there."""
    parts = [
        panels.link(name, page, **lesson.near(spec, page)) if page else f"<span>{html.escape(name)}</span>"
        for name, page in lesson.techniques(spec)
    ]
    with panels.card("Made of", "techniques"):
        st.html(f'<p class="cw-techniques">{"".join(parts)}</p>')


# Sources


def sources(reading, entry) -> None:
    """Facts with their sources, where the config comes from, what was assumed."""
    assumed, unknown = (", ".join(fields) or "nothing" for fields in (reading.assumed, reading.unknown_fields))
    rows = [("assumed, by class default", html.escape(assumed), ""), ("not understood", html.escape(unknown), "")]
    if entry:
        facts = [(label, html.escape(entry.fact(name)), source(entry.facts[name][1])) for name, label in FACTS.items()]
        link = live.anchor(entry.fact("link").removeprefix("https://"), entry.fact("link"))
        config = f"{html.escape(lesson.origin(entry.config_source))}: <code>{html.escape(entry.config_source)}</code>"
        page = "model page", str(link), source(entry.facts["link"][1])
        rows = [*facts, page, ("config", config, ""), ("counts", CHECKED[entry.checked == "reference"], ""), *rows]
    lines = "".join(f'<tr><th scope="row">{a}</th><td>{b} {c}</td></tr>' for a, b, c in rows)
    st.html(f'<table class="cw-facts"><tbody>{lines}</tbody></table>')


CHECKED = {True: "equal to those of the reference implementation", False: "computed here"}


def source(address: str) -> str:
    """A small link to where a fact stands."""
    return f"<small>{live.anchor('source', address)}</small>" if address.startswith("https://") else ""
