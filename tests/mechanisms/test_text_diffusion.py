"""What the page on text diffusion shows as numbers, against the definitions."""

import numpy as np
import pytest
import torch

from core.count import cost
from core.lessons.common import model_name
from core.lessons.text_diffusion import cost as text_cost
from core.lessons.text_diffusion import lesson
from core.lessons.text_diffusion import pairs as text_pairs
from core.model.decoding.diffusion import Sampler
from core.real import catalogue
from core.train import evidence, zoo
from core.train.tasks import sentences, stories
from core.train.tasks.stories import INDEX, LENGTH, MASK, WORDS
from tests.mechanisms.page import PROMPTED, Page, Screen, bad

PAGE = Page(
    "text_diffusion",
    ends=({"steps": "1", "order": "any order"}, {"steps": "48", "order": "any, and take back"}),
    controls=f"steps order block temperature seed pair cw-pick-sampler {PROMPTED}",
    real=text_cost.denoisers(),
    preset=("All at once", {"steps": "1"}),
    links=("steps=4&seed=3", "order=any+order&step=2&block=6", "steps=12&prompt=today+_+who+_+the+potters+shapes+small+_"),
    prompts=(
        ("today the bakker bakes", ("bakker", "nearest: baker")),
        ("the " * 25, ("24 words",)),
        ("<script>x</script>", ("nearest",)),
        ("today the bakers bake bread . " * 4, ("gap",)),
    ),
    nonsense=bad(
        ("steps", "3"), ("steps", "x"), ("order", "x"), ("block", "5"), ("temperature", "9"), ("seed", "99"), ("pair", "x")
    ),
    source=("def denoise", "arXiv 2502.09992"),
    users=lambda: [model_name(key) for key in text_cost.denoisers()],
    fewest=2,
    fresh=lambda n: {"prompt": sentences.surprise(n, gaps=18)},
    screen=Screen(
        maps=1,
        figure="committed",
        moves=("grid", "committed"),
        alt=("Confidence at 24 places in each of 8 passes", "committed each of 24 places"),
        linked="steps order block temperature seed section prompt v",
        stage="work",
    ),
)

BLANK = (MASK,) * LENGTH
SOME = sentences.parse(lesson.EXAMPLES["gaps in the middle"]).words


@pytest.mark.parametrize("canvas", [BLANK, SOME], ids=["blank", "some"])
@pytest.mark.parametrize("how", [Sampler(8), Sampler(4, "random"), Sampler(24, block=1), Sampler(48, "random", revisit=0.2)])
def test_a_run_tells_one_story(canvas, how):
    made = lesson.watch(canvas, how, 3)
    before = np.array(canvas)
    for words, drawn, opened, kept, taken in zip(made.words, made.drawn, made.open, made.kept, made.taken):
        words, drawn = np.array(words), np.array(drawn)
        assert (opened == ((before == MASK) | taken)).all() and (kept <= opened).all()
        assert (words[kept] == drawn[kept]).all() and (words[opened & ~kept] == MASK).all()
        assert (words[~opened] == before[~opened]).all() and not (drawn == MASK)[opened].any()
        before = words
    assert MASK not in made.text and all(a == b for a, b in zip(canvas, made.text) if a != MASK)
    assert ((made.order > 0) == (np.array(canvas) == MASK)).all() and made.order.max() <= made.passes
    assert made.p.min() >= 0 and made.p.max() <= 1


def test_blocks_of_one_word_are_the_stairs():
    assert lesson.watch(BLANK, Sampler(24, block=1), 0).order.tolist() == list(range(1, LENGTH + 1))


def test_one_pass_commits_all_and_a_seed_is_a_text():
    one = lesson.watch(BLANK, Sampler(1), 0)
    assert one.passes == 1 and one.together == LENGTH and one.kept.all()
    a, b = (lesson.watch.__wrapped__(BLANK, Sampler(8), 5) for _ in range(2))
    assert a.text == b.text != lesson.watch(BLANK, Sampler(8), 6).text


def test_the_examples_parse_and_can_be_filled_right():
    for name, text in lesson.EXAMPLES.items():
        canvas = sentences.parse(text)
        assert not canvas.problems, name
        found = [lesson.watch(canvas.words, Sampler(24), seed) for seed in range(4)]
        assert any(not made.wrong for made in found), name


def test_the_verdict_names_each_fault():
    text = (
        "yesterday anna the baker bakes bread in the bakery . he was weary and baked her rolls . hugo thanked his kind mother ."
    )
    words = tuple(text.split())
    faults = stories.checked(torch.tensor([[INDEX[w] for w in words]]))[0].numpy()
    said = lesson.judged(words, faults)
    assert "‘bakes’ (5): tense" in said and "‘he’ (11): who it is about" in said and said.startswith("wrong")
    assert lesson.judged(words, np.zeros_like(faults)).startswith("grammatical")


def test_the_twin_says_mostly_right_texts():
    assert sum(not lesson.twin(seed).faults.any() for seed in range(20)) >= 14


# Two words at once


def test_in_one_pass_probabilities_multiply_and_dependent_words_go_wrong():
    found = text_pairs.joint(text_pairs.pair(text_pairs.PAIRS["who, and whose"]))
    assert {"a man", "a woman"} <= set(found.groups[0]) and {"his", "her"} <= set(found.groups[1])
    for table in (found.apart, found.after):
        assert table.sum() == pytest.approx(1, abs=0.02) and (table >= 0).all()
    assert np.linalg.svd(found.apart)[1][1] < 1e-9, "of rank one"
    row, column = (g.index for g in found.groups)
    assert found.apart[row("a man"), column("her")] > 0.15 > 10 * found.after[row("a man"), column("her")]
    assert found.apart_wrong > 0.4 and found.after_wrong < 0.05 and " … " in found.example


def test_words_that_do_not_depend_on_each_other_may_be_drawn_at_once():
    found = text_pairs.joint(text_pairs.pair(text_pairs.PAIRS["two looks"]))
    assert np.abs(found.apart - found.after).sum() / 2 < 0.05
    assert found.apart_wrong < 0.05 and found.after_wrong < 0.05


def test_both_tables_are_what_the_network_says_word_by_word():
    canvas = text_pairs.pair(text_pairs.PAIRS["who, and whose"])
    tokens = torch.tensor([[INDEX[word] for word in canvas]])
    a, b = (tokens[0] == 0).nonzero().flatten().tolist()
    model, apart, after = zoo.load(lesson.MODEL), 0.0, 0.0
    first = text_pairs.chances(model, tokens)[0]
    for name in stories.MEN.split():
        given = tokens.clone()
        given[0, a] = INDEX[name]
        apart += (first[a, INDEX[name]] * first[b, INDEX["her"]]).item()
        after += (first[a, INDEX[name]] * text_pairs.chances(model, given)[0, b, INDEX["her"]]).item()
    found = text_pairs.joint(canvas)
    row, column = found.groups[0].index("a man"), found.groups[1].index("her")
    assert found.apart[row, column] == pytest.approx(apart, abs=1e-4)
    assert found.after[row, column] == pytest.approx(after, abs=1e-4)


# What it costs


def test_counted_flops_of_a_pass_are_measured():
    assert text_cost.a_pass() == text_cost.measured_pass() == text_cost.denoising(1).flops


def test_a_pass_a_word_with_a_cache_is_the_arithmetic_of_about_one_whole_pass():
    price = text_cost.word_by_word()
    assert price.passes == LENGTH and price.flops == pytest.approx(text_cost.a_pass(), rel=0.05)
    assert text_cost.denoising(8).flops == 8 * text_cost.a_pass()


@pytest.mark.parametrize("key", text_cost.denoisers())
def test_a_real_denoiser_is_counted_as_inspect_counts_it(key):
    spec, n = catalogue.entries()[key].reading.spec, text_cost.GIVEN + text_cost.ANSWER
    assert text_cost.real_pass(key) == cost.count(spec, n).prefill_flops
    words = [cost.count(spec, text_cost.GIVEN + i).flops_per_token for i in range(1, text_cost.ANSWER + 1)]
    assert text_cost.real_cached(key) == pytest.approx(cost.count(spec, text_cost.GIVEN).prefill_flops + sum(words), rel=1e-9)


def test_with_more_texts_at_once_the_cache_wins():
    w = text_cost.wait("llada-8b", 64)
    assert w.denoiser[0] < w.cached[0] and w.denoiser[-1] > w.cached[-1] and 1 < w.turn < 1024
    assert (np.diff(w.denoiser) >= 0).all() and (np.diff(w.cached) >= 0).all()
    assert text_cost.wait("llada-8b", 1024).turn == 1, "as many passes as words: never faster"


def test_the_denoisers_are_llada_and_dream():
    assert set(text_cost.denoisers()) == {"llada-8b", "dream-7b"}
    assert {u.entry.name: u.heads for u in text_cost.users()} == {"LLaDA 8B": "32 : 32", "Dream 7B": "28 : 4"}


# Prove


def test_metrics_are_spelled_for_readers():
    assert lesson.recipes.measure("valid@8:random") == "right, 8 passes, any order"
    assert lesson.recipes.measure("distinct@24:confidence") == "distinct sentences, 24 passes, surest first"
    assert lesson.variant_label(lesson.MODEL) == "diffusion" and lesson.recipes.measure("nats") == "nats a word"


def test_every_claim_names_columns_of_the_table():
    rows = zoo.table("text_diffusion")
    for claim in evidence.report("text_diffusion")["claims"]:
        assert all(s["values"] for s in claim["numbers"].values()), claim["claim"]
    assert {f"valid@{name}" for name in sentences.SAMPLERS} <= set(rows[0])


def test_what_is_said_of_the_runs_follows_the_table(monkeypatch):
    columns = [f"{what}@{name}" for what in lesson.MEASURES for name in sentences.SAMPLERS]
    rows = [
        {"variant": v, "seed": "0", "step": "1", "nats": "1.5"} | dict.fromkeys(columns, "0.25")
        for v in (lesson.MODEL, lesson.TWIN)
    ]
    monkeypatch.setattr(zoo, "tables", lambda name: rows)
    assert "1.500" in lesson.nats_text() and "surest first 0, any order 0" in lesson.narrowed_text()
    assert len(lesson.cost_rows()) == 1 + len(sentences.SAMPLERS) and "0.250 ± 0.000" in lesson.cost_rows()[0]
    monkeypatch.setattr(zoo, "tables", lambda name: [])
    assert lesson.by_steps("valid") == {} and lesson.cost_rows() == []


def test_the_vocabulary_of_both_models_is_the_grammars():
    assert all(zoo.recipe(v).spec.vocab == len(WORDS) for v in (lesson.MODEL, lesson.TWIN))
