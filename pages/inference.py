"""Inference: why does memory decide the price?"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st

from app import card, controls, intake, live, panels, state, theme
from app.figures import frame
from app.figures import roofline as figures
from app.panels import Bar
from core.count import hardware
from core.count.hardware import SPLITS, Deployment
from core.lessons.common import CONTEXTS, model_names
from core.lessons.inference import lesson
from core.lessons.inference import words as in_words
from core.lessons.inference.techniques import effects
from core.real.hf.reader import Reading
from core.units import binary, decimal, sized

ANSWER = "Each new token reads the weights it needs and its user's whole cache; arithmetic mostly waits for that."
CORRECTION = (
    "Users decoded together share one read of the weights, until their caches fill the memory: there the price stops falling."
)

SECTIONS = ("See", "Count", "Who fits", "Read")
HELP_CONTEXT = "Tokens that every user has in the cache: prompt and answer so far."
HELP_USERS = "Sequences that are decoded together: each step gives every one of them a token."
HELP_SPLIT = (
    "heads: tensor parallelism, every device serves all users with its share of the heads, and what cannot be shared out is "
    "repeated. users: every device holds attention whole and serves users of its own (data-parallel attention), while the other "
    "weights are split."
)
HELP_RESERVE = "Share of each device's memory, in percent, that is left to activations, buffers and the runtime: an assumption."
HELP_PAGE = "Tokens that the cache is given out by: a user's last page is seldom full."
HELP_PRICE = "What one device costs you for an hour, in any currency. Nothing is filled in: prices change."
HELP_BOUND = (
    "No engine can be faster: every byte is moved once at full bandwidth, every unit is always busy, devices talk to each other "
    "in no time. Real engines reach a part of it."
)
MODEL = controls.Pick("model", "Model", list(model_names()), lesson.MODEL, name=model_names().__getitem__)
ACCELERATOR = controls.Pick("accelerator", "on", list(lesson.cards()), lesson.ACCELERATOR, name=lesson.cards().__getitem__)
DEVICES = controls.Slider("devices", "Devices", lesson.DEVICES, 1, "ink")
CONTEXT = controls.Slider("context", "Context", list(CONTEXTS), "8k", "kv", HELP_CONTEXT)
USERS = controls.Slider("users", "Users", lesson.USERS, 16, "kv", HELP_USERS)
WEIGHTS = controls.Choice("weights", "Weights", lesson.DTYPES, lesson.RELEASED, "shared")
CACHE = controls.Choice("cache", "Cache", lesson.DTYPES, lesson.RELEASED, "kv")
SPLIT = controls.Choice("split", "Attention is split by", SPLITS, SPLITS[0], help=HELP_SPLIT)
PAGING = controls.Choice("paging", "Tokens a page", lesson.PAGES, lesson.PAGE, help=HELP_PAGE)
RESERVE = controls.Choice("reserve", "Reserve, %", lesson.RESERVES, lesson.RESERVE, help=HELP_RESERVE)
PAPERS = ("2211.05102", "2309.06180", "1911.02150", "2405.04434")


# Controls


@dataclass(frozen=True)
class Choice:
    """What the controls hold."""

    reading: Reading
    d: Deployment
    settings: dict
    price: float

    @property
    def scene(self) -> lesson.Scene:
        """What follows from it."""
        return lesson.scene(self.reading, self.d)


def choose() -> Choice:
    """The controls: model, accelerator and how many; context, users, presets; the rest folded, a config of one's own included.
    Below them what follows."""
    with controls.row("where"):
        key, accelerator, devices = MODEL.draw(), ACCELERATOR.draw(), DEVICES.draw()
    with controls.row():
        slot = st.container(width="content", gap=None)  # a model handed in below decides whether there is a context
        users = USERS.draw()
        with controls.presets_first("preset", lesson.presets(), "kv"):
            with controls.more(summary()):
                settings, price = further()
                handed = intake.own("inference")
            reading = handed[0].reading if handed else lesson.reading(key)
            with slot:
                context = context_of(reading)
    choice = Choice(reading, lesson.deploy(reading, accelerator, devices, users, context, settings), settings, price)
    verdict(choice.reading, choice.d, choice.scene)
    return choice


def context_of(reading: Reading) -> int:
    """The context control; a solver has none, its board is as large as it is."""
    if lesson.boards(reading):
        panels.caption(f"**A board of {reading.context:,} positions:** this model has no context to choose.")
        return reading.context
    return CONTEXTS[CONTEXT.draw()]


def further() -> tuple[dict, float]:
    """Precision, split, pages, reserve, and a price."""
    with controls.row("precision"):
        chosen: dict[str, str | int] = {"weights": WEIGHTS.draw(), "cache": CACHE.draw()}
    with controls.row("memory"):
        chosen |= {"split": SPLIT.draw(), "page": PAGING.draw(), "reserve": RESERVE.draw()}
    return chosen, controls.amount("price", "Price of a device-hour", help=HELP_PRICE)


def summary() -> str:
    """What the folded controls are going to hold."""
    weights, cache = WEIGHTS.peek(), CACHE.peek()
    same = f"weights and cache {weights}" if weights == cache else f"weights {weights}, cache {cache}"
    return f"{same} · split by {SPLIT.peek()} · reserve {RESERVE.peek()}%"


def verdict(reading, d: Deployment, scene: lesson.Scene) -> None:
    """Does it fit, for how many users: the first sentence; the numbers and what to know about them below it."""
    m, uncached = scene.memory, card.denoised(reading.spec).strip()
    needs = f"weights {sized(m.weights_all)}, one user {sized(m.user_all)}; {sized(m.available)} usable on each device. "
    remarks = " ".join(in_words.remarks(reading, d, scene, uncached))
    kind, words = "" if m.fits else " no", panels.prose(f"{reading.spec.name}: {needs}{remarks}", {})
    st.html(f'<p class="cw-fit{kind}" role="status">{panels.prose(scene.verdict, {})}<small>{words}</small></p>')


# See


def about(scene: lesson.Scene) -> dict:
    """What goes into an exported file."""
    return {"verdict": scene.verdict, "link": state.here()}


def see(choice: Choice) -> None:
    """What fills one device, and where prefill and decode stand under the roofline."""
    left, right = panels.beside()
    with left:
        budget(choice.reading, choice.d, choice.scene)
        roofline(choice.reading, choice.d, choice.scene)
    with right:
        side(choice.reading, choice.d, choice.scene, choice.price)


def budget(reading, d: Deployment, scene: lesson.Scene) -> None:
    """The memory of one device."""
    m, kept = scene.memory, lesson.step_words(reading)[1]
    rows = tuple((part.name, part.bytes, part.hue) for part in scene.parts)
    make = partial(figures.budget, rows, m.available, m.installed, decimal)
    fig = frame.drawn(make, "budget", rows, m.available, m.installed)
    table = {"part": [p.name for p in scene.parts], "bytes on one device": [p.bytes for p in scene.parts]}
    alt = "Memory of one device: " + ", ".join(f"{p.name} {decimal(p.bytes)}" for p in scene.parts)
    frame.figure(fig, key="budget", alt=alt, table=table, config=about(scene))
    panels.caption(
        f"**{'One of ' * (d.devices > 1)}{d.named}, {d.batch:,} user{'s' * (d.batch > 1)} at {d.context:,} {kept}s.** "
        f"{in_words.listed(scene.parts, decimal)}{'; hatched: the reserve' * m.fits}."
    )


def roofline(reading, d: Deployment, scene: lesson.Scene) -> None:
    """Both phases under the roofline."""
    b, roof = scene.bounds, lesson.roof(reading, d)
    who = f"decode, {d.batch:,} user{'s' * (d.batch > 1)}"
    dots = (
        ("prefill", b.prefill.intensity, lesson.rate(b.prefill), "ink", "bottom center", "<br><b>prefill</b>"),
        (who, b.decode.intensity, lesson.rate(b.decode), scene.heaviest.hue, "middle right", f"\u2003<b>{who}</b>"),
    )
    given = roof, dots, scene.most_users, (b.ridge, b.decode.peak)
    fig = frame.drawn(partial(figures.roofline, *given), "roofline", *given)
    table = {"users": roof.users, "FLOPs a byte of a decode step": roof.path}
    alt = (
        f"Roofline of one {d.device.name}: decode at {b.decode.intensity:.3g} FLOPs a byte is bound by {b.decode.binds}, "
        f"prefill at {b.prefill.intensity:.3g} by {b.prefill.binds}"
    )
    frame.figure(fig, key="roofline", alt=alt, table=table, config=about(scene))
    panels.caption(
        f"**Decode is bound by {b.decode.binds}, prefill by {b.prefill.binds}.** On the slope the {{bound}} is bandwidth. "
        "Small dots: decode with 1, 2, 4, … users, hollow where they do not fit.",
        bound=panels.term("bound", HELP_BOUND),
    )


def side(reading, d: Deployment, scene: lesson.Scene, price: float) -> None:
    """What a decode step reads; how fast at best; how much fits."""
    b, (made, kept) = scene.bounds, lesson.step_words(reading)
    with panels.card("A decode step reads, on one device", "reads"):
        rows = [Bar(p.name, p.bytes, p.hue) for p in scene.reads]
        panels.bars(rows, "Bytes that a decode step reads", decimal, of=scene.heaviest.bytes)
        live.small(in_words.step_text(b))
    with panels.card("At best", "best"):
        panels.facts(in_words.best(b, price, made))
    with panels.card("Room for", "room"):
        panels.facts(in_words.room(scene, d, kept))


# Count


def count(choice: Choice) -> None:
    """The cost of a token against users; what techniques would change; the bound with the numbers put in."""
    colours, stroke = theme.colours(), theme.stroke()
    reading, d, scene = choice.reading, choice.d, choice.scene
    unit, factor = in_words.unit(choice.price)
    made, kept = lesson.step_words(reading)
    title = f"{unit} per million {made}s"
    p, rows = lesson.prices(reading, d), effects(reading, d)
    live.heading(f"{reading.spec.name}: what a million {made}s cost")
    fig = figures.price(p, d.batch, title, factor, colours, stroke)
    table = in_words.cost_table(p, unit, factor)
    alt = f"Cost of a million {made}s against users: it falls from {p.total[0]:.3g} device-hours; {p.most:,} users fit"
    frame.figure(fig, key="cost", alt=alt, table=table, config=about(scene))
    panels.caption(
        f"**{d.named}, {d.context:,} {kept}s each, decode alone.** The line is the larger of traffic and arithmetic; beyond the "
        "users that fit it is faint. Dotted: reading alone; dashed: arithmetic alone. Prompts come on top."
    )
    live.heading("What each technique would change here")
    marks = [(e.name, e.hours * factor, e.hue, f"{in_words.users_text(e.most)} fit") for e in rows[1:]]
    fig = figures.effects(marks, rows[0].hours * factor, f"{title}, memory full", colours, stroke)
    hours, alt = np.array([e.hours for e in rows]), f"Cost of a million tokens with {len(marks)} techniques"
    table = {"technique": [e.name for e in rows], "users that fit": [e.most for e in rows], unit: hours * factor}
    frame.figure(fig, key="effects", alt=alt, table=table, config=about(scene))
    techniques(rows, f"{made}s/s of a lone user", title, factor)
    formula(reading, d, scene)


def techniques(rows: tuple, alone: str, title: str, factor: float) -> None:
    """The same as a table, with links to the pages."""
    live.table(
        ("technique", "weights", "one user", "users that fit", alone, title),
        [
            (
                live.Link(panels.link(e.name, e.page)) if e.page else e.name, decimal(e.weights), decimal(e.user),
                f"{e.most:,}", f"{e.alone:,.0f}", in_words.cost_text(e.hours, factor),
            )
            for e in rows
        ],
    )  # fmt: skip
    panels.caption(
        "**The same model with one thing replaced, counted again.** It would have to be trained so; what that does to its "
        "answers is the business of the pages behind the links. Bytes are on all devices, the last column is for a full memory."
    )


def formula(reading, d: Deployment, scene: lesson.Scene) -> None:
    """The bound of a decode step with the numbers put in."""
    p = scene.bounds.decode
    live.heading("The bound of this decode step, on one device")
    moved = r"\underbrace{\frac{%s + %s + %s}{%s/\text{s}}}_{\text{weights + cache + state, over bandwidth: %s}}"
    worked = r"\underbrace{\frac{%s}{%s}}_{\text{arithmetic over peak: %s}}"
    st.latex((rf"t \ge \max\Big( {moved},\ {worked} \Big) = %s") % in_words.latex(p, r"\text{%s}", decimal))
    panels.caption(
        f"**Conventions.** GB and TB are powers of 1000 here; all together {binary(p.bytes)} in powers of 1024. Weights in "
        f"{in_words.weights_text(reading, d)}, cache in {d.cache_dtype}. A bound: traffic between devices, activations and idle "
        "units are left out; the glossary under Read has the rest."
    )


# Who fits, Read


def fits(choice: Choice) -> None:
    """Every model on these devices."""
    d, (unit, factor) = choice.d, in_words.unit(choice.price)
    rows = lesson.fits(d.device.key, d.devices, d.context, tuple(choice.settings.items()))
    live.heading(f"{d.named}, {d.context:,} tokens a user")
    live.table(
        ("model", "weights", "users that fit", "longest context of one user", f"{unit} per million tokens"),
        [
            (live.Link(panels.link(row.name, "inference", **state.values() | {"model": row.name, "section": "See"})),
             decimal(row.weights), f"{row.most:,}", in_words.longest_text(row.longest), in_words.cost_text(row.hours, factor))
            for row in rows
        ],
    )  # fmt: skip
    panels.caption(
        "**Precision, split and reserve as chosen above; the cheapest token first, with the memory full.** Whether or not a "
        "model was made for so long a context. Recursive solvers are left out: they have no tokens to pay for."
    )


def accelerators(_: Choice) -> None:
    """The accelerators with their sources."""
    live.heading("Accelerators")
    live.table(
        ("accelerator", "maker", "memory", "bandwidth a second", "bf16 FLOP/s", "fp8 FLOP/s", "source", "note"),
        [
            (a.name, a.vendor, sized(a.memory_bytes), decimal(a.bandwidth), in_words.peak_text(a.bf16_flops),
             in_words.peak_text(a.fp8_flops), live.anchor("source", a.source), a.note)
            for a in hardware.accelerators().values()
        ],
    )  # fmt: skip


st.html(f"<style>{theme.sheet('inference')}</style>")
reading = live.reading("core/count/hardware.py", "core/count/split.py", "core/count/roofline.py", listed=PAPERS)
live.page(ANSWER, CORRECTION, choose, see, count, fits, live.stacked(accelerators, reading), names=SECTIONS)
