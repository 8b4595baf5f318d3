"""What the page on all mixers shows as numbers, against the live models, naive gradients and tables made by hand."""

import numpy as np
import pytest
import torch

from core.count import cost
from core.lessons import mixers as lesson
from core.lessons.common import USUAL_CONTEXT
from core.lessons.recall import live_bytes, script
from core.model.decoding.autoregressive import record
from core.model.model import build
from core.train import zoo
from core.train.tasks import recall
from tests.mechanisms.page import PROMPTED, RECALL, Page, Screen, bad

PAGE = Page(
    "mixers",
    ends=({"pairs": "4"}, {"pairs": "24", "mixers": "all"}),
    controls=f"pairs mixers cw-pick-facts {PROMPTED}",
    preset=("All they learned", {"pairs": "24", "mixers": "alone"}),
    links=("pairs=4", "pairs=20&head=3&step=9", "pairs=8&prompt=zoe+wheel+leo+plum+%3F+leo&row=3"),
    prompts=RECALL,
    nonsense=bad(("pairs", "5"), ("pairs", "x"), ("mixers", "x")),
    source=("class AttentionModule", "class GatedDeltaModule"),
    users=lambda: [r.name for r in lesson.real_models()],
    stated=False,
    screen=Screen(
        maps=10,
        last=2,
        figure="pareto",
        moves=("looks",),
        alt=("Where 10 mixers look", "against bytes"),
        linked="pairs mixers section prompt v",
    ),
)

PROMPT = recall.parse("ann lamp bo kite cy drum ? bo ann")
VARIANTS = [m.variant for m in lesson.SETS[lesson.EVERY]]


def mixer(variant: str) -> lesson.Mixer:
    """A mixer by its variant."""
    return next(m for m in lesson.SETS[lesson.EVERY] if m.variant == variant)


@pytest.fixture(scope="module")
def played():
    """Every mixer, untrained, on the same prompt."""
    models = {v: build(zoo.recipe(v).spec, seed=5).requires_grad_(False) for v in VARIANTS}
    return {v: (models[v], lesson.run(mixer(v), models[v], PROMPT)) for v in VARIANTS}


@pytest.mark.parametrize("variant", VARIANTS)
def test_all_at_once_is_what_token_by_token_gives(played, variant):
    model, all_at_once = played[variant]
    run = record(model, script(PROMPT))
    assert [recall.WORDS[t] for t in run.tokens] == list(all_at_once.words)
    first, last = all_at_once.answers
    assert first.said == all_at_once.words[first.position + 1] and last.said == recall.WORDS[int(run.next.argmax())]
    assert last.probability == pytest.approx(float(run.next.max()), abs=1e-5)
    assert first.probability == pytest.approx(float(run.probability[first.position + 1]), abs=1e-5)
    assert (first.truth, first.source, last.truth, last.source) == ("kite", 3, "lamp", 1)


@pytest.mark.parametrize("variant", VARIANTS)
def test_bytes_counted_are_bytes_held(played, variant):
    model, p = played[variant]
    run = record(model, script(PROMPT))
    assert p.counted == p.measured == 4 * int((run.cache + run.state)[-1])


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_map_is_shares_of_what_came_before(played, variant):
    _, p = played[variant]
    assert p.map.shape == (len(p.words),) * 2 and (p.map >= 0).all()
    assert (np.triu(p.map, 1) == 0).all()
    assert np.allclose(p.map.sum(1)[1:], 1, atol=1e-3)
    wanted = {"attention": lesson.ATTENDS, "latent": lesson.ATTENDS, "window": lesson.ATTENDS}.get(
        variant.split("-")[0], lesson.WRITTEN
    )
    assert p.how == (lesson.GRADIENT if variant in ("lstm", "slstm") else wanted) or variant.endswith("3-1")


def test_the_head_shown_holds_most_of_the_answers(played):
    model, p = played["attention-2"]
    run = record(model, script(PROMPT))
    held = np.mean([run.attention[:, :, a.position, a.source : a.source + 3].sum(-1) for a in p.answers], 0)
    assert held[p.layer, p.head] == pytest.approx(held.max(), abs=1e-6)
    assert np.allclose(p.map, run.attention[p.layer, p.head], atol=1e-5)


@pytest.mark.parametrize("variant", ["lstm", "slstm", "attention-2"])
def test_influence_is_the_gradient_row_by_row(played, variant):
    model, tokens = played[variant][0], [*PROMPT.tokens, recall.INDEX["bo"]]
    got = lesson.influence(model, tokens)
    for row in (0, 3, len(tokens) - 1):
        x = model.embed(torch.tensor(tokens)[None], 0).detach().requires_grad_()
        logits = model.logits(model.trunk(x, (), lesson.NOTHING)[0])[0, row]
        (gradient,) = torch.autograd.grad(logits.max(), x)
        long = gradient[0].norm(dim=-1).numpy()
        assert np.allclose(got[row], long / long.sum(), atol=1e-5) and (got[row, row + 1 :] == 0).all()


def test_a_prompt_is_filled_up_after_its_own_facts():
    assert lesson.padded(PROMPT, 3) == PROMPT and lesson.padded(PROMPT, 2) == PROMPT
    for pairs in lesson.PAIRS:
        longer = lesson.padded(PROMPT, pairs)
        assert longer.words[:6] == PROMPT.words[:6] and longer.words[-1] == "?" and len(longer.words) == 2 * pairs + 1
        assert (longer.asked, longer.truth) == (PROMPT.asked, PROMPT.truth)
        assert len(set(longer.words)) == 2 * pairs + 1  # every name and every thing once
        assert recall.parse(" ".join([*longer.words, *longer.asked])) == longer
    assert lesson.padded(PROMPT, 24).words[:17] == lesson.padded(PROMPT, 8).words[:-1] + lesson.padded(PROMPT, 24).words[16:17]


def test_a_name_never_told_stays_unknown():
    asked = recall.parse("ann lamp bo kite ? zoe")
    assert lesson.padded(asked, 24).truth == ("",) and "zoe" not in lesson.padded(asked, 24).words


def test_differing_answers_on_the_way_are_blanks(played):
    both = [played[v][1] for v in ("attention-2", "lstm", "mamba-16")]
    shown, at = lesson.words(both), both[0].answers[0].position + 1
    told = {p.words[at] for p in both}
    assert shown[:at] == both[0].words[:at] and shown[at] == (told.pop() if len(told) == 1 else "…")
    weights, visible = lesson.maps(both)
    assert weights.shape == (3, len(shown), len(shown)) and visible.sum() == len(shown) * (len(shown) + 1) // 2


def test_every_variant_has_a_name_of_its_own():
    names = [lesson.variant_label(v) for v in lesson.variants()]
    assert len(set(names)) == len(names)
    assert lesson.variant_label("delta-3-1") == "Gated DeltaNet 3:1" and lesson.variant_label("mamba-32") == "Mamba-2, 32"


def test_the_first_mixers_hold_what_their_formula_says():
    n, conv = 50, 2 * 2 * 64 * 4
    assert live_bytes("attention-2", n) == 2 * n * 4 * (16 + 16) * 4 + conv
    assert live_bytes("latent-2", n) == 2 * n * (28 + 4) * 4 + conv
    assert live_bytes("window-2", n) == 2 * 8 * 4 * (16 + 16) * 4 + conv
    assert live_bytes("lstm", n) == live_bytes("lstm", 2 * n) == 2 * 2 * 64 * 4 + conv


# Real models


def test_models_that_recur_are_counted():
    rows = lesson.real_models()
    assert [r.state + r.cache for r in rows] == sorted(r.state + r.cache for r in rows) and len(rows) >= 5
    for r in rows:
        made = cost.count(lesson.catalogue.entries()[r.key].reading.spec, USUAL_CONTEXT)
        assert (r.state, r.cache) == (made.state_bytes, made.cache_bytes) and (r.attends == 0) == (r.cache == 0)


# Prove


def test_the_frontier_is_beaten_by_none():
    rows = [(10, 0.2), (10, 0.3), (20, 0.3), (30, 0.9), (40, 0.9), (50, 1.0), (5, 0.1)]
    assert lesson.frontier(rows) == {1, 3, 5, 6}
    assert lesson.frontier([]) == set() and lesson.frontier([(1, 1.0), (1, 1.0)]) == {0, 1}


def test_points_come_from_the_table_and_are_none_without_one(monkeypatch):
    monkeypatch.setattr(zoo, "table", lambda name: [])
    assert lesson.points() == () and lesson.table() == []
    recalls = {"attention-2": 0.9, "delta-16": 0.5, "lstm": 0.4, "mamba-16": 0.45}
    rows = [
        {"variant": v, "seed": str(s), "step": "100", **{f"recall@{n}": str(x + s / 100) for n in lesson.COUNTS}}
        for v, x in recalls.items()
        for s in range(3)
    ]
    monkeypatch.setattr(zoo, "table", lambda name: rows if name == "mixers" else [])
    points = {p.variant: p for p in lesson.points()}
    assert points.keys() == recalls.keys() and points["lstm"].recall == pytest.approx((0.4, 0.41, 0.42))
    assert points["attention-2"].best and points["lstm"].best
    assert points["delta-16"].bytes == live_bytes("delta-16", 64)
    assert [row[0] for row in lesson.table()] == [lesson.variant_label(v) for v in lesson.variants() if v in recalls]
