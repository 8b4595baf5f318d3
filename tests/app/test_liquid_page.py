"""The page on liquid models: how far a change reaches, answers by placement, two visitors. The rest: test_pages.py."""

from functools import partial

from core.lessons import liquid as lesson
from core.lessons.common import model_name, spec_of
from core.train import zoo
from core.units import binary
from tests.app import opening
from tests.app.opening import text

opened = partial(opening.opened, "liquid")


def test_the_far_answer_is_found_with_attention_anywhere_and_lost_without():
    far = "<code>ann</code> → <code>lamp</code>"
    for place in lesson.PLACES:
        shown = text(opened(attention=place))
        assert (far in shown) == (place != lesson.NONE) and "≠" not in shown and shown.count("= measured") == 2
        said = "does not notice" if place == lesson.NONE else "tokens later, notices"
        assert said in shown


def test_the_range_is_said_with_and_without_the_short_convolution():
    shown = text(opened())
    assert "(3 − 1) · 4 + 1 = 9 tokens" in shown and "(3 − 1 + 3 − 1) · 4 + 1 = 17" in shown


def test_it_says_that_it_is_not_the_ode_network():
    assert "No liquid network of differential equations" in text(opened())
    assert "not a differential equation" in text(opened(section="Read"))


def test_an_isolated_convolution_shows_its_gates_and_attention_the_first_ones():
    assert "What layer 3 does at" in text(opened(attention="last", head="3"))
    assert "What layer 1 does at" in text(opened(attention="last", head="4"))
    assert "What layer 2 does at" in text(opened(attention="first"))


def test_the_gates_of_every_channel_are_shown_when_asked_for():
    assert "Both gates of layer 1" not in text(opened())
    shown = text(opened(gates="true", head="2"))
    assert "Both gates of layer 2: every channel, every token" in shown and "<b>64 channels, 28 tokens.</b>" in shown


def test_real_models_are_counted_where_the_reader_asks():
    for key in lesson.users():
        r = lesson.real_model(key, 16384)
        shown = text(opened(real=model_name(key), context="16k"))
        layers = f"{len(lesson.attending_layers(key))} of {len(spec_of(key).layers)} layers attend"
        assert layers in shown and binary(r.total) in shown and binary(r.whole) in shown


def rows(recall: dict[str, float]) -> list[dict]:
    """A table with one recall a variant, three seeds."""
    return [
        {"variant": v, "seed": s, "step": 9, **{f"recall@{n}": x for n in lesson.RUNS.counts}, lesson.RUNS.metric: 1.1 - x}
        for v, x in recall.items()
        for s in range(3)
    ]


def test_verdicts_and_pictures_follow_from_the_table(monkeypatch):
    good = {variant: 0.06 if place == lesson.NONE else 0.99 for place, variant in lesson.PLACES.items()}
    tables = {"liquid": rows(good)}
    monkeypatch.setattr(zoo, "table", lambda name: tables.get(name, []))
    at = opened(section="Prove")
    assert text(at).count('<span class="cw-verdict yes">shows</span>') == 3 and len(at.get("plotly_chart")) == 2
    tables["liquid"] = rows({**good, "conv-a1": 0.5})
    assert text(opened(section="Prove")).count('<span class="cw-verdict yes">shows</span>') == 2
    tables.clear()
    assert "No runs yet" in text(opened(section="Prove"))
