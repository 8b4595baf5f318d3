"""What the page on sparse attention shows as numbers: python -m pytest tests/mechanisms/test_sparse_attention.py"""

import numpy as np
import pytest
import torch

from core.lessons import sparse_attention as lesson
from core.lessons.common import CONTEXTS, model_name, spec_of
from core.model.trace import Trace
from core.train import evidence, zoo
from core.train.tasks import recall, selection
from tests.mechanisms.page import PROMPTED, RECALL, Page, Screen, bad

PAGE = Page(
    "sparse_attention",
    ends=({"top_k": "1"}, {"top_k": "128"}),
    controls=f"top_k real context cw-pick-model {PROMPTED}",
    real=lesson.users(),
    preset=("GLM-5: 2,048 of 128k", {"real": "GLM-5", "context": "128k", "top_k": "1"}),
    links=("top_k=2", "top_k=8&head=5&row=12&context=4k", "top_k=1&prompt=zoe+wheel+leo+plum+%3F+leo&step=5"),
    prompts=RECALL,
    nonsense=bad(("top_k", "3"), ("top_k", "x"), ("context", "12")),
    source=("class IndexedModule", "arXiv 2512.02556"),
    users=lambda: [model_name(key) for key in (*lesson.users(), *dict(lesson.others()))],
    stated=False,
    screen=Screen(
        maps=6,
        last=5,
        figure="row",
        moves=("picked", "row"),
        alt=("Attention, scores and the 4 tokens picked", "Attention of hal to the 24"),
        linked="top_k real context section prompt v",
        stage="theirs",
    ),
)

PROMPT = recall.parse(recall.surprise(16, seed=4, asked=3))


@pytest.mark.parametrize("top_k", lesson.TOP_K)
def test_counted_bytes_are_measured_bytes_and_the_keys_are_their_own_part(top_k):
    scene = lesson.scene(top_k, PROMPT)
    for n, kept in enumerate(scene.cache_bytes.tolist(), 1):
        size = lesson.cache(lesson.live_cost(top_k, n))
        assert size.total == kept and size.keys == n * len(lesson.LAYERS) * lesson.recipes.SPEC.layers[0].mixer.width * 4


def test_everything_picked_is_the_whole_attention():
    p = lesson.picked(lesson.EVERYTHING, PROMPT)
    assert np.allclose(p.read, p.attention, atol=1e-6) and np.array_equal(p.chosen[0], lesson.window(len(p.words), len(p.words)))
    shares = lesson.shares(p, lesson.EVERYTHING)
    assert (shares.picked, shares.window, shares.best) == pytest.approx((1, 1, 1), abs=1e-6)


@pytest.mark.parametrize("top_k", (1, 2, 4, 8))
def test_nobody_keeps_more_than_the_best_choice_and_no_query_reads_more_than_k(top_k):
    p = lesson.picked(top_k, PROMPT)
    shares = lesson.shares(p, top_k)
    assert shares.picked <= shares.best + 1e-6 and shares.window <= shares.best + 1e-6
    assert np.array_equal(p.chosen.sum(-1), np.minimum(np.arange(len(p.words)) + 1, top_k)[None].repeat(2, 0))
    assert (p.read[~p.chosen] == 0).all() and p.read.sum(-1) == pytest.approx(1, abs=1e-5)


def test_the_share_kept_is_that_of_the_evidence_table():
    """The page's mean over layers and tokens, and core/train/tasks/selection.py's over heads as well, are one number."""
    p, model = lesson.picked(4, PROMPT), zoo.load(lesson.VARIANT)
    tokens, trace = torch.tensor(lesson.whole(PROMPT).run.tokens)[None], Trace("picked")
    lesson.picking_model(4)(tokens, trace=trace)
    assert lesson.shares(p, 4).picked == pytest.approx(selection.on_picked(model, tokens, trace.every("picked")), abs=1e-6)


def test_scores_are_what_the_scorer_was_trained_to_guess():
    p = lesson.picked(4, PROMPT)
    assert p.scores.sum(-1) == pytest.approx(1, abs=1e-5) and (np.triu(p.scores[0], 1) == 0).all()
    read, guessed = p.attention, np.log(np.maximum(p.scores, 1e-30))
    divergence = (read * (np.log(read + selection.TINY) - guessed)).sum(-1).mean()
    uniform = (read * np.log((read + selection.TINY) * (np.arange(read.shape[-1])[:, None] + 1))).sum(-1).mean()
    assert divergence < uniform / 2


def test_the_trained_scorer_finds_the_answers_and_as_many_last_tokens_do_not():
    answers = lesson.answers_by_choice(8, PROMPT)
    right = {way: sum(getattr(a, way) == a.truth for a in answers) for way in ("picked", "whole", "window")}
    assert right["picked"] == right["whole"] == len(answers) > right["window"]


def test_a_window_holds_the_token_itself_and_those_just_before():
    assert lesson.window(5, 2).astype(int).tolist() == [
        [1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [0, 1, 1, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 1, 1]
    ]  # fmt: skip


def test_a_window_as_long_as_the_text_is_the_whole_attention():
    assert all(a.window == a.whole for a in lesson.answers_by_choice(lesson.EVERYTHING, PROMPT))


def test_deepseeks_arithmetic_is_the_published_formula():
    """16,384 n for the scorer and 278,528 min(n, 2048) for attention, a layer; the scorer has matrices as well."""
    r, f = lesson.real_model("deepseek-v3.2", 131072), lesson.formula("deepseek-v3.2", 131072)
    assert f.scorer == 2 * f.weights + 16384 * 131072 and f.attention == 278528 * 2048
    assert (r.scorer, r.attention, r.dense) == (61 * f.scorer, 61 * f.attention, 61 * 278528 * 131072)
    assert 13.2 < r.fewer < 13.4 and round(r.share, 2) == 0.79
    assert r.cache.keys == 61 * 128 * 2 * 131072 and r.cache.latent == 61 * 576 * 2 * 131072


def test_where_it_pays_is_where_the_counts_change_places():
    for spec in (spec_of("glm-5"), lesson.picking_model(4).spec, lesson.picking_model(16).spec):
        for found, above in (
            (lesson.pays(spec), lambda s: s.total < s.dense),
            (lesson.overtakes(spec), lambda s: s.scorer > s.attention),
        ):
            at = lesson.flops_split(spec, [found - 1, found])
            assert above(at)[1]
        before = lesson.flops_split(spec, [lesson.pays(spec) - 1])
        assert before.total[0] >= before.dense[0]


def test_presets_are_the_same_share_of_a_text():
    for values in lesson.presets().values():
        k = spec_of(values["real"]).layers[0].mixer.top_k
        assert values["top_k"] in lesson.TOP_K and values["context"] in CONTEXTS
        assert values["top_k"] <= max(1, 2 * 42 * k / CONTEXTS[values["context"]])


def test_without_runs_there_is_nothing_to_draw(monkeypatch):
    monkeypatch.setattr(zoo, "table", lambda name: [])
    assert (
        not any(lesson.by_top_k().values())
        and not any(lesson.learning().values())
        and evidence.report("sparse_attention")["rows"] == []
    )
