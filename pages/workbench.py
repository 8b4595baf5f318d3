"""The workbench: what would my design cost?"""

import html
import json
from functools import partial

import streamlit as st

from app import bench, card, controls, intake, live, local, panels, pictures, reference, theme
from app.figures import architecture as drawing
from app.figures import frame, roofline
from app.figures.strip import strip
from core.errors import SpecError
from core.lessons import workbench as lesson
from core.lessons.inference import lesson as inference
from core.lessons.inference import words as inference_words
from core.real import disagree, rows
from core.real.intake import report
from core.shape import architecture, ladder
from core.units import count, decimal, sized

QUESTION = "What would my design cost?"
SECTIONS = ("See", "Twin", "Cost", "Disagree", "Own weights", "Files")
HELP_PATTERN = (
    "Letters, repeated over all layers: LLLLLG is five windows and one full attention. Capitals paint mixers, small letters "
    "feed-forward parts; which letter is what stands on the brushes."
)


def page() -> None:
    """The verdict, the controls, the strip, and the section that is open."""
    st.html(f"<style>{theme.sheet('card')}{theme.sheet('workbench')}</style>")
    top = st.container(key="workbench-top")
    d, place, found = bench.current()
    if found is not None:
        answer, counted = reference.verdict(found, place)
        with top:
            panels.title(QUESTION, answer, counted)
        reference.show(found, place)
        panels.answer(answer, counted)
        return
    scene = inference.scene(d.reading, place)
    with top:
        panels.title(QUESTION, scene.verdict, summary(d, place))
    painting(d)
    section = controls.sections(SECTIONS)
    if section == "See":
        see(d, place, scene)
    elif section == "Twin":
        twin(d)
    elif section == "Cost":
        cost(d, place, scene)
    elif section == "Disagree":
        reasons(d, place)
    elif section == "Own weights":
        local.show("own")
    else:
        files(d, place)
    panels.answer(scene.verdict, summary(d, place))


def summary(d: lesson.Design, place) -> str:
    """What was counted, in one line."""
    c = lesson.counted(d, place.context, 1)
    active = f", {count(c.params_active)} of them active" if c.params_active != c.params_total else ""
    weights = place.weight_bytes or c.weight_bytes  # as the release mixes dtypes, where it does: as the verdict says
    verb = "would keep" if d.spec.decoding == "diffusion" else "keeps"
    said = f"{d.spec.name}: {count(c.params_total)} parameters{active}; weights {sized(weights)}; one sequence {verb} "
    kept = [f"{sized(n)} of {what}" for n, what in ((c.cache_bytes, "cache"), (c.state_bytes, "state")) if n]
    return f"{said}{' and '.join(kept) or 'nothing'}.{card.denoised(d.spec)}"


# The strip and the sizes


def painting(d: lesson.Design) -> None:
    """The strip, a pattern, the sizes; what an edit was refused for."""
    found, mixers, ffns = lesson.cells(d.spec)
    with panels.card("Paint the layers", "strip"):
        strip("strip", found, mixers, ffns, lesson.strip_text(d.spec), bench.paint)
        bench.tools(HELP_PATTERN)
    bench.refusal()


# See


def see(d: lesson.Design, place, scene: inference.Scene) -> None:
    """The diagram; memory, counts and growth beside it; what the config left open."""
    left, right = panels.beside()
    with left:
        diagram(d)
        card.growth(d.reading, "workbench")
    with right:
        with panels.card("Memory of one device", "budget"):
            budget(d, place, scene)
        card.counts(d.reading)
        card.techniques(d.spec)
        bench.understood(d)


def diagram(d: lesson.Design) -> None:
    """The architecture as SVG, its data as a table, and as a file."""
    graph, alt = architecture.graph(d.spec), architecture.alt(d.spec)
    drawing.show(graph, alt)
    each = "" if graph.graph["whole"] else " Every kind of layer is drawn once, with how many there are."
    panels.caption(f"**{len(d.spec.layers)} layers, the first at the bottom: {graph.graph['order']}.**{each}")
    with controls.row("diagram"):
        bench.download("SVG", drawing.svg(graph, alt, theme.colours()), f"{lesson.slug(d.spec.name)}.svg", "image/svg+xml")
        with st.expander("Data of the diagram", key="workbench-diagram-data"):
            table = architecture.as_columns(d.spec)
            live.table(table, zip(*table.values()))


# The live twin


def twin(d: lesson.Design) -> None:
    """The same structure shrunk and run on the reader's prompt, counted beside measured."""
    if why := lesson.alive(d.spec):
        panels.error(f"{d.spec.name} is counted only, no twin runs: {why}.")
        return
    text = controls.Prompt("prompt", "Prompt", lesson.EXAMPLES, max_chars=lesson.CHARACTERS).draw()
    try:
        scene = lesson.scene(d.spec, text)
    except SpecError as error:
        panels.error(f"{error}. The picture shows the first example meanwhile.")
        scene = lesson.scene(d.spec, next(iter(lesson.EXAMPLES.values())))
    labels = [f"{i + 1}: {p.label}" for i, p in enumerate(scene.pictures)]
    at = labels.index(controls.Pick("layer", "Layer of the twin", labels, labels[0]).draw()) if len(labels) > 1 else 0
    left, right = panels.beside()
    with left:
        pictures.show(scene, at, text)
    with right:
        measured(scene)


def measured(scene: lesson.Scene) -> None:
    """Counted beside measured, and what was shrunk."""
    ran = scene.live
    with panels.card("Counted and measured", "measured"):
        for name, counted, found in lesson.checks(ran):
            live.small(name)
            panels.check(counted, found)
        live.small(f"{ran.tokens} tokens: half of them at once, the rest one by one, against all at once")
        panels.near("largest difference of a logit", ran.decode_max_abs_diff, lesson.BOUND)
    with st.expander(f"What was shrunk: {len(scene.shrunk)} fields", key="workbench-shrunk"):
        live.small("Every distinct layer in order, every flag and the ratio of heads are kept.")
        live.table(("field", "from", "to"), [(s["field"], s["from"], s["to"]) for s in scene.shrunk])


# Cost


def cost(d: lesson.Design, place, scene: inference.Scene) -> None:
    """Memory of one device, the roofline, and this design beside other models."""
    left, right = st.columns(2, gap="large")
    with left:
        live.heading("Memory of one device")
        budget(d, place, scene)
    with right:
        live.heading("The roofline")
        roof_of(d, place, scene)
    beside(d, place)


def budget(d: lesson.Design, place, scene: inference.Scene) -> None:
    """What fills one device."""
    m, parts = scene.memory, tuple((part.name, part.bytes, part.hue) for part in scene.parts)
    alt = "Memory of one device: " + ", ".join(f"{p.name} {decimal(p.bytes)}" for p in scene.parts)
    table = {"part": [p.name for p in scene.parts], "bytes": [p.bytes for p in scene.parts]}
    make = partial(roofline.budget, parts, m.available, m.installed, decimal)
    fig = frame.drawn(make, "budget", parts, m.available, m.installed)
    frame.figure(fig, key="budget", alt=alt, table=table, config=bench.about(d))
    users = f"{place.batch:,} user{'s' * (place.batch > 1)}"
    length = f"{place.context:,} {inference.step_words(d.reading)[1]}s"
    panels.caption(f"**{place.named}, {users} at {length}.** {inference_words.listed(scene.parts, decimal)}.")


def roof_of(d: lesson.Design, place, scene: inference.Scene) -> None:
    """Prefill and decode under the roof of the device."""
    b, roof = scene.bounds, inference.roof(d.reading, place)
    dots = (
        ("prefill", b.prefill.intensity, inference.rate(b.prefill), "ink", "bottom center", "<br><b>prefill</b>"),
        ("decode", b.decode.intensity, inference.rate(b.decode), scene.heaviest.hue, "middle right", "\u2003<b>decode</b>"),
    )
    given = roof, dots, scene.most_users, (b.ridge, b.decode.peak)
    fig = frame.drawn(partial(roofline.roofline, *given), "roofline", *given)
    alt = f"Roofline: decode is bound by {b.decode.binds}, prefill by {b.prefill.binds}"
    table = {"users": roof.users, "FLOPs a byte of a decode step": roof.path}
    frame.figure(fig, key="roofline", alt=alt, table=table, config=bench.about(d))
    more = panels.link("inference page", "inference", **bench.deployed(d))
    panels.caption(
        f"**At most {b.tokens_per_second:,.0f} tokens a second, decode bound by {b.decode.binds}.** Bounds, not predictions: the "
        "{more} takes them apart.",
        more=more,
    )


def beside(d: lesson.Design, place) -> None:
    """Several configs in one table, and as CSV."""
    live.heading("Beside other models")
    others = intake.show("beside", "Models", "llama3-8b")
    readings = lesson.distinct([d.reading, *(taken.reading for taken in others)])
    found = [rows.row(r, place.context, place.batch) for r in readings]
    live.table(*lesson.beside(found))
    panels.caption(
        f"**{place.context:,} tokens, {place.batch:,} sequence{'s' * (place.batch > 1)}, weights as released, cache in the "
        "config's own dtype.** The CSV has the same rows as {code}.",
        code="<code>python -m core inspect --csv</code>",
    )
    bench.download("CSV", rows.to_csv(found), "cutaway.csv", "text/csv")


# Why calculators disagree


def reasons(d: lesson.Design, place) -> None:
    """What other ways of counting would say of this very model."""
    live.heading(f"Why calculators disagree about {d.spec.name}")
    found = disagree.reasons(d.reading, place.context, place.batch)
    if not found:
        panels.caption("**Nothing to disagree about.** Every mistake and convention that is checked gives the same numbers here.")
    else:
        with st.container(key="cw-reasons"):
            live.table(*lesson.reasons(found))
        panels.caption(
            f"**{place.context:,} tokens, {place.batch:,} sequence{'s' * (place.batch > 1)}.** Each mistake is made on purpose, "
            "on this description, and counted like everything else; a convention is no mistake, it answers another question."
        )
    bench.understood(d)
    columns, printed, differ = lesson.published()
    with st.expander(f"{len(printed)} published figures beside ours, {differ} of them differ", key="workbench-published"):
        live.table(
            columns,
            [[live.Link(f'<span style="white-space:normal">{html.escape(cell)}</span>') for cell in row] for row in printed],
        )
        live.small("Ours are computed from each model's config and written with as many digits as were printed.")
    live.heading("Report a wrong count")
    panels.caption("**Copy this, and add what the number should be, with the source.** It holds the config and our version.")
    st.code(report(bench.as_taken(d), place.context, place.batch), language="text", height=260)


# Files


def files(d: lesson.Design, place) -> None:
    """The design as config, as this program's own file, as a call, as CSV, as a link."""
    name = lesson.slug(d.spec.name)
    config, note = lesson.config(d)
    live.heading("Take it along")
    with controls.row("files"):
        if config:
            bench.download("config.json", json.dumps(config, indent=2), "config.json", "application/json")
        bench.download("Cutaway file", lesson.cutaway_file(d), f"{name}.cutaway.json", "application/json")
        row = rows.to_csv([rows.row(d.reading, place.context, place.batch)])
        bench.download("CSV", row, f"{name}.csv", "text/csv")
    panels.caption(f"**config.json: {note}.** The Cutaway file opens here again; paste or upload it as you would a config.")
    link = bench.here()
    live.heading("The link")
    if why := bench.too_large(d):
        panels.caption(f"**No link.** {why}")
    else:
        st.code(link, language=None, wrap_lines=True)
        panels.caption("**Below this server's address.** Copy link, above, puts the whole address into the clipboard.")
    live.heading("The call that makes it")
    st.code(lesson.call(d.spec), language="python", wrap_lines=True)
    panels.caption(
        f"**{html.escape(ladder.blocks_text(ladder.folded(d.spec)))}.** One description: this is what is counted, run and drawn."
    )


page()
