"""What the RWKV page shows: the recurrence written out against the model, less erasing in a copy alone, arrows and eigenvalues
against numpy, games against the truth, the state against the calculator, and what Prove makes of a table of runs."""

import numpy as np
import pytest
import torch

from core.count import cost
from core.lessons import recurrent
from core.lessons import rwkv as lesson
from core.lessons.recall import live_bytes
from core.real.catalogue import entries
from core.train import evidence, zoo
from core.train.tasks import cups, recall
from tests.mechanisms.page import PROMPTED, RECALL, Page, Screen, bad

PAGE = Page(
    "rwkv",
    ends=({"removal": "0.0"}, {"removal": "1.0"}),
    controls=f"removal layer cw-pick-strength game cw-pick-game cw-surprise-game {PROMPTED}",
    real=("gpt2-xl", "gemma3-1b", "llama3.2-1b"),
    preset=("Decay alone", {"removal": "0.0"}),
    links=("removal=0.25&layer=2", "removal=0.5&head=2&step=6", "game=left+left-middle+wait&prompt=zoe+wheel+leo+plum+%3F+leo"),
    prompts=RECALL,
    nonsense=bad(("removal", "2"), ("removal", "x"), ("game", "left " * 400)),
    source=("class Rwkv7Module", "arXiv 2503.14456"),
    users=lambda: [u.entry.name for u in recurrent.keepers("RWKV-7")],
    stated=False,
    screen=Screen(
        maps=8,
        last=3,
        figure="arrows",
        moves=("memory", "arrows"),
        alt=("Memory of 4 heads in layer 1 after each of", "channels of 4 heads loses", "erases along one", "Where the ball is"),
        linked="removal layer game section prompt v",
    ),
)

PROMPT = recall.parse("ann lamp bo kite cy drum dan rope eva coin ? bo eva")
GAME = tuple("middle left-middle left-right wait middle-right left-right left-middle".split())


def replay(layer):
    """The recurrence written out on the recorded gates: (T, H, d, d) after each token."""
    memory, found = np.zeros_like(layer.memory[0]), []
    for t in range(layer.key.shape[1]):
        asked = np.einsum("hd,hdv->hv", layer.read[:, t], memory)
        memory = layer.stays[:, t, :, None] * memory - layer.erase[:, t, :, None] * asked[:, None]
        memory = memory + layer.key[:, t, :, None] * layer.value[:, t, None]
        found.append(memory)
    return np.stack(found)


@pytest.mark.parametrize("strength", lesson.STRENGTHS)
def test_the_recurrence_on_recorded_gates_is_the_models_memory(strength):
    for layer in lesson.watch(strength, PROMPT).layers:
        assert np.allclose(replay(layer), layer.memory, atol=1e-5 * max(1, layer.limit))


def test_as_trained_it_is_the_model_itself():
    watched, plain = lesson.watch(1.0, PROMPT), recurrent.watch(lesson.MODEL, PROMPT)
    lesson.weakened.cache_clear()  # checkpoints are remembered for a while only: both must have the same one
    assert lesson.weakened(lesson.MODEL, 1.0) is zoo.load(lesson.MODEL)
    assert [a.said for a in watched.scene.answers] == [a.said for a in plain.scene.answers]
    for layer, other in zip(watched.layers, plain.layers):
        assert np.allclose(layer.memory, other.memory, atol=1e-5 * layer.limit)
        assert np.allclose(layer.stays, np.exp(other.gates["decay"]), atol=1e-5)
        assert np.allclose(layer.erase, other.gates["erase"] * other.gates["write"], atol=1e-5)


def test_nothing_erased_is_plain_decay_and_the_shared_model_stays():
    before = {name: x.clone() for name, x in zoo.load(lesson.MODEL).state_dict().items()}
    layer = lesson.watch(0.0, PROMPT).layers[0]
    assert not layer.erase.any()
    memory = np.zeros_like(layer.memory[0])
    for t, found in enumerate(layer.memory):
        memory = layer.stays[:, t, :, None] * memory + layer.key[:, t, :, None] * layer.value[:, t, None]
        assert np.allclose(found, memory, atol=1e-5 * max(1, layer.limit))
    assert all(torch.equal(x, before[name]) for name, x in zoo.load(lesson.MODEL).state_dict().items())
    assert {m.removal for m in zoo.load(lesson.MODEL).modules() if hasattr(m, "removal")} == {1.0}
    assert np.abs(layer.memory - lesson.watch(1.0, PROMPT).layers[0].memory).max() > 0.1


def test_the_reader_of_an_erasure_has_length_one_and_decay_its_bounds():
    for layer in lesson.watch(1.0, PROMPT).layers:
        assert np.allclose(np.linalg.norm(layer.read, axis=-1), 1, atol=1e-4)
        assert (np.linalg.norm(layer.erase, axis=-1) <= 1 + 1e-5).all()
        assert layer.lost.min() >= 0 and layer.lost.max() <= lesson.MOST_LOST + 1e-6
    assert round(1 - lesson.MOST_LOST, 3) == 0.545  # the bound of the paper


def test_a_deed_is_what_changed():
    layer = lesson.watch(1.0, PROMPT).layers[1]
    for step in (1, 4, 11):
        for head in range(lesson.HEADS):
            d, t = lesson.deed(layer, head, step), step - 1
            assert d.found == pytest.approx(np.linalg.norm(layer.before(step)[head]))
            assert d.written == pytest.approx(np.linalg.norm(layer.key[head, t]) * np.linalg.norm(layer.value[head, t]), rel=1e-4)
            change = np.linalg.norm(layer.memory[t, head] - layer.before(step)[head])
            assert change <= (d.faded + d.erased + d.written) * 1.001 and abs(d.cosine) <= 1.0001
    assert lesson.deed(layer, 0, 1).erased == lesson.deed(layer, 0, 1).faded == 0


def test_arrows_lie_in_the_plane_and_words_have_room():
    layer = lesson.watch(0.5, PROMPT).layers[1]
    p = lesson.plane(layer, 2, 9)
    assert p.written.shape == (9, 2) and 0 < p.share <= 1 and np.allclose(p.write, p.written[-1])
    for flat, full in ((p.read, layer.read[2, 8]), (p.erase, layer.erase[2, 8])):
        assert np.linalg.norm(flat) <= np.linalg.norm(full) + 1e-5
    whole = lesson.plane(lesson.watch(1.0, PROMPT).layers[0], 2, 9), lesson.plane(lesson.watch(0.5, PROMPT).layers[0], 2, 9)
    assert np.allclose(whole[0].erase, 2 * whole[1].erase, atol=1e-4)  # gates of the first layer do not depend on the strength
    kept = p.written[p.named]
    near = np.linalg.norm(kept[:, None] - kept[None], axis=-1) + 9 * np.eye(len(kept))
    assert p.named[-1] and near.min() >= 0.16


def test_eigenvalues_are_those_of_the_transition():
    rng = np.random.default_rng(0)
    stays, a = rng.uniform(0.55, 1, (6, 5)), rng.uniform(0, 1, (6, 5))
    read = rng.normal(size=(6, 5))
    read /= np.linalg.norm(read, axis=-1, keepdims=True)
    steps = [np.diag(w) - np.outer(x * c, c) for w, x, c in zip(stays, a, read)]
    assert lesson.lowest(stays, read, a * read) == pytest.approx(min(np.linalg.eigvals(m).real.min() for m in steps), abs=1e-9)
    c = np.array([1, -1, 0]) / np.sqrt(2)  # a removal strength of 2 swaps the first two
    swap = np.eye(3) - np.outer(lesson.SWAP * c, c)
    assert np.allclose(swap @ [1, 2, 3], [2, 1, 3])
    assert lesson.lowest(np.ones((1, 3)), c[None], lesson.SWAP * c[None]) == pytest.approx(-1)


def test_no_step_of_a_game_is_a_swap():
    """With strengths up to 1 no eigenvalue lies below the least decay minus 1."""
    assert lesson.eigenvalue(GAME, 0.0) >= 1 - lesson.MOST_LOST - 1e-6
    assert -lesson.MOST_LOST - 1e-6 <= lesson.eigenvalue(GAME, 1.0) < lesson.eigenvalue(GAME, 0.0)


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_at_once_is_one_by_one(strength):
    assert lesson.forms_difference(strength, PROMPT) < 1e-4


def test_a_game_is_judged_by_the_truth_and_read_at_once_as_step_by_step():
    game = lesson.played(GAME, 1.0)
    assert list(game.truth) == cups.truth(GAME) and set(game.said) == set(lesson.TRACKING)
    for variant in lesson.TRACKING:
        state, said = (), []
        for word in GAME:
            logits, state = zoo.load(variant)(torch.tensor([[cups.INDEX[word]]]), state)
            said.append(cups.PLACES[int(logits[0, -1, : len(cups.PLACES)].argmax())])
        assert tuple(said) == game.said[variant]
        wrong = [i for i, right in enumerate(game.right(variant)) if not right]
        assert game.lost(variant) == (wrong[0] if wrong else 0)
    assert all(game.right("cups-lstm"))
    assert all(cups.parse(lesson.game(n, 3)) for n in (1, 8, cups.MAX_MOVES))


def test_the_state_of_the_released_model_is_counted():
    s, spec = lesson.state(), entries()[lesson.RWKV].reading.spec
    assert s.elements == s.layers * (s.heads * s.width**2 + 2 * s.d_model) == 5_406_720
    assert s.bytes == cost.count(spec, 1, state_dtype="float32").state_bytes
    assert s.bytes == s.layers * (s.heads * s.width**2 * 4 + 2 * s.d_model * 2)
    at = recurrent.reached("llama3.2-1b", s.bytes)
    assert recurrent.cached("llama3.2-1b", at) >= s.bytes > recurrent.cached("llama3.2-1b", at - 1)
    assert recurrent.measured_state(lesson.MODEL).tolist() == [live_bytes(lesson.MODEL, n) for n in recurrent.LENGTHS]
    assert recurrent.keepers("RWKV-7")[0].entry.key == lesson.RWKV


def runs(values: dict[str, dict[str, float]]) -> list[dict]:
    """A table made by hand, three seeds."""
    columns = {metric for metrics in values.values() for metric in metrics}
    rows = [(v, s, metrics) for v, metrics in values.items() for s in range(3)]
    return [
        {"variant": v, "seed": str(s), "step": "600"} | {c: str(round(m[c] + s / 1000, 3)) if c in m else "" for c in columns}
        for v, s, m in rows
    ]


def test_prove_says_what_the_table_says(monkeypatch):
    follows = {f"right@{n}": 0.99 for n in lesson.MOVES}
    loses = {"right@8": 0.98, "right@24": 0.45, "right@48": 0.33, "right@96": 0.32}
    never = {f"right@{n}": 0.4 for n in lesson.MOVES}
    rows = runs({"cups-lstm": follows, "cups-rwkv": loses, "cups-attention": never})
    for row in rows:
        row["recall@24"] = ""
    monkeypatch.setattr(zoo, "tables", lambda name: rows)
    said = dict(sentence.split(": ", 1) for sentence in lesson.tracking_text())
    assert said["LSTM"].startswith("follows the ball at every length")
    assert said["RWKV-7"].startswith(f"follows it for {lesson.MOVES[0]} moves and has lost it after {lesson.MOVES[1]}")
    assert "45% after 24" in said["RWKV-7"] and said["Attention"].startswith("does not follow it")
    verdicts = [c["verdict"] for c in evidence.report("rwkv")["claims"]]
    assert verdicts[0] == verdicts[1] == "unclear" and verdicts[3] == "does not show"
    assert {lesson.RUNS.label(variant) for variant in lesson.by_moves()} == set(lesson.TRACKING.values())
    assert {len(values) for runs in lesson.by_moves().values() for values in runs.values()} == {3}
    monkeypatch.setattr(zoo, "tables", lambda name: [])
    assert lesson.tracking_text() == [] and lesson.RUNS.recalled() == {}
