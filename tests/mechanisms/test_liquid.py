"""What the page on liquid models shows as numbers: python -m pytest tests/mechanisms/test_liquid.py"""

import numpy as np
import pytest
import torch

from core.lessons import liquid as lesson
from core.lessons.common import model_name, spec_of, total_bytes
from core.lessons.recall import live_bytes
from core.model.mixers.attention import Attention
from core.model.mixers.shortconv import GatedConv
from core.model.trace import Trace
from core.train import evidence, zoo
from core.train.recipes.mixers import model as stack
from core.train.tasks import recall
from tests.mechanisms.page import PROMPTED, RECALL, Page, Screen, bad

PAGE = Page(
    "liquid",
    ends=({"attention": "none"}, {"attention": "last"}),
    controls=f"attention gates real context cw-pick-model {PROMPTED}",
    real=lesson.users(),
    preset=("LFM2 1.2B", {"attention": "third", "real": "LFM2 1.2B"}),
    links=("attention=none", "attention=second&head=1&row=12", "attention=first&prompt=zoe+wheel+leo+plum+%3F+leo&step=5"),
    prompts=RECALL,
    nonsense=bad(("attention", "fifth"), ("context", "12")),
    source=("class GatedConvModule", "arXiv 2511.23404"),
    users=lambda: [model_name(key) for key in (*lesson.users(), *lesson.others())],
    stated=False,
    screen=Screen(
        maps=4,
        last=3,
        figure="conveyor",
        moves=("layers", "impulse"),
        alt=("What each of 28 tokens takes up", "three tokens gated", "Tokens moved by"),
        linked="attention real context section prompt v",
    ),
)

PROMPT = recall.parse(recall.surprise(12, seed=4, asked=3))
PLACES = tuple(lesson.PLACES)


@pytest.mark.parametrize("place", PLACES)
def test_counted_bytes_are_measured_after_every_token(place):
    shown = lesson.watch(place, PROMPT).scene
    assert shown.memory_bytes.tolist() == [live_bytes(lesson.PLACES[place], n + 1) for n in range(len(shown.words))]


@pytest.mark.parametrize("place", PLACES)
def test_the_rungs_add_up_to_what_is_kept(place):
    rungs = lesson.rungs(place, 30)
    assert sum(kept for _, kept in rungs) == live_bytes(lesson.PLACES[place], 30)
    assert [what == "attention" for what, _ in rungs] == [i == lesson.attends(place) for i in range(lesson.DEPTH)]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("at", (0, 5, 20))
def test_a_changed_word_reaches_exactly_as_far_as_the_taps_say(place, at):
    seen = lesson.impulse(place, PROMPT, at)
    n = seen.moved.shape[1]
    assert seen.reach.tolist() == [lesson.expected(place, layers, n) for layers in range(lesson.DEPTH + 1)]
    assert all((row[:r] > 0).all() and (row[r:] == 0).all() for row, r in zip(seen.moved, seen.reach))


def test_gated_convolutions_alone_reach_k_minus_1_times_layers_plus_1():
    """The formula without the short convolution in front, on an untrained model that has none."""
    from dataclasses import replace

    from core.model.model import Model

    spec = stack("bare", *(lesson.recipes.CONV,) * lesson.DEPTH)
    torch.manual_seed(0)
    bare = Model(replace(spec, layers=tuple(replace(layer, input_conv=0) for layer in spec.layers))).requires_grad_(False)
    tokens = torch.arange(20, 52)[None]
    other = tokens.clone()
    other[0, 3] = 100
    moved = (bare(tokens)[0] - bare(other)[0]).abs().amax(-1)[0]
    assert int(moved.nonzero().max()) - 3 + 1 == lesson.plain() == 9


@pytest.mark.parametrize("place, layer", [("none", 1), ("none", 4), ("last", 2), ("first", 3)])
def test_the_conveyor_is_the_layers_own_output(place, layer):
    """The channel's number that leaves, for every channel, put through the output matrix, is what the module gives."""
    shown, model = lesson.watch(place, PROMPT), zoo.load(lesson.PLACES[place])
    module, trace = model.layers[layer - 1].conv, Trace("write", "query", "value")
    given = {}
    handle = module.register_forward_hook(lambda m, args, out: given.update(y=out[0]))
    with torch.no_grad():
        model(torch.tensor(shown.scene.run.tokens)[None], trace=trace)
    handle.remove()
    before, after, value = (trace[layer - 1, name][0, 0].numpy() for name in ("write", "query", "value"))
    taps = lesson.taps_of(place, layer)
    for at in (0, 1, 9):
        total = sum(taps[:, -1 - k] * before[at - k] * value[at - k] for k in range(lesson.KERNEL) if at >= k)
        want = module.out_proj(torch.tensor(after[at] * total)).detach().numpy()
        assert np.allclose(given["y"][0, at].numpy(), want, atol=1e-4)
        c = lesson.conveyor(place, shown, layer, at)
        assert c.out == pytest.approx((after[at] * total)[c.channel], rel=1e-4, abs=1e-6)
        assert abs(c.out) == pytest.approx(np.abs(after[at] * total).max(), rel=1e-4)
        assert c.total == pytest.approx(float((c.gated * c.taps).sum()), rel=1e-4, abs=1e-6)


def test_maps_are_bands_three_wide_and_a_triangle_where_one_attends():
    for place in PLACES:
        found = lesson.maps(lesson.watch(place, PROMPT))
        back = np.subtract.outer(np.arange(found.shape[1]), np.arange(found.shape[1]))
        for i, cells in enumerate(found):
            assert cells.sum(-1) == pytest.approx(1, abs=1e-4)
            assert (cells[(back < 0) | ((back >= lesson.KERNEL) if i != lesson.attends(place) else False)] == 0).all()


def test_one_layer_of_attention_answers_and_none_does_not():
    right = {p: [a.said == a.truth for a in lesson.watch(p, PROMPT).scene.answers] for p in PLACES}
    assert not any(right[lesson.NONE]) and all(all(right[p]) for p in PLACES if p != lesson.NONE)


def test_lfm2_keeps_what_is_published():
    """10 convolutions and 6 layers of attention of 8 KV heads x 64: 12,288 B a token and 40,960 numbers of columns."""
    r, f = lesson.real_model("lfm2-1.2b", 1000), lesson.formula("lfm2-1.2b", 1000)
    assert r.cache == 12288 * 1000 and r.state == 40960 * 2 and r.whole == 32768 * 1000
    assert lesson.attending_layers("lfm2-1.2b") == (3, 6, 9, 11, 13, 15)  # 2, 5, 8, 10, 12, 14 counted from 0
    assert f.attention * 2 * f.kv_heads * f.width * f.context * 2 == r.cache
    assert f.convolutions * f.columns * f.d_model * 2 == r.state
    s = spec_of("lfm2-1.2b")
    weights = [next(s.parts(kind)).weights(s.d_model) for kind in (GatedConv, Attention)]
    assert weights == [4 * 2048**2, 5 * 2048**2 // 2]


def test_crossovers_are_where_the_counts_change_places():
    for key in lesson.users():
        n, s = lesson.real_model(key, 1).crossover, spec_of(key)
        whole = lesson.everywhere(key)
        assert total_bytes(s, n) < total_bytes(whole, n) and total_bytes(s, n - 1) >= total_bytes(whole, n - 1)


def test_the_word_that_is_changed_is_the_answer_that_is_asked_for():
    shown = lesson.watch("last", PROMPT).scene
    a, last = shown.answers[0], shown.answers[-1]
    assert lesson.changed(shown, None) == (last.source, last.position)
    assert lesson.changed(shown, a.position) == (a.source, a.position) and lesson.changed(shown, 4) == (4, last.position)
    stranger = lesson.watch("last", recall.parse("ann lamp bo kite ? zoe")).scene
    assert lesson.changed(stranger, None) == (0, 5)


def test_without_runs_there_is_nothing_to_draw(monkeypatch):
    monkeypatch.setattr(zoo, "table", lambda name: [])
    assert lesson.RUNS.recalled() == {} and lesson.RUNS.learning() == {} and evidence.report("liquid")["rows"] == []
