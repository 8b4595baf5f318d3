"""What the xLSTM page shows: gates and memories against the recurrence written out, the forget bias moved in a copy alone, memory
against the paper's table, and what Prove makes of a table of runs."""

import numpy as np
import pytest
import torch

from core.count import cost
from core.lessons import recurrent
from core.lessons import xlstm as lesson
from core.lessons.common import spec_of
from core.lessons.recall import checkpoint_scene, live_bytes, live_smaller
from core.real import catalogue
from core.train import evidence, zoo
from core.train.tasks import recall
from tests.mechanisms.page import PROMPTED, RECALL, Page, Screen, bad

PAGE = Page(
    "xlstm",
    ends=({"forget": "-16", "cell": "LSTM"}, {"forget": "4", "cell": "sLSTM"}),
    controls=f"forget cell keys heads layer cw-pick-bias {PROMPTED}",
    real=("gpt2-xl", "gemma3-1b", "llama3-8b"),
    preset=("Forgetful", {"forget": "-8"}),
    links=("forget=-2&cell=sLSTM", "keys=8&step=6&layer=1", "forget=4&cell=LSTM&heads=16&prompt=zoe+wheel+leo+plum+%3F+leo"),
    prompts=RECALL,
    nonsense=bad(("forget", "99"), ("forget", "x"), ("cell", "GRU"), ("keys", "5"), ("heads", "7")),
    source=("class MLstmModule", "arXiv 2503.13427"),
    users=lambda: [u.entry.name for u in recurrent.keepers("mLSTM")],
    stated=False,
    screen=Screen(
        maps=5,
        last=1,
        figure="left",
        moves=("gates", "left"),
        alt=("Memory of mLSTM, layer 2, after each of", "Forget, input and output gates", "Share of what each"),
        linked="forget cell keys heads layer section prompt v",
    ),
)

PROMPT = recall.parse("ann lamp bo kite cy drum dan rope eva coin ? bo eva")
VARIANTS = ("mlstm-16", "slstm", "lstm")


def traced(variant: str, shift: float = 0) -> tuple[dict, list[int]]:
    """The records of a whole pass over the words of a run -> {(layer, name): array}, tokens."""
    from core.model.trace import Trace

    tokens = lesson.watch(variant, shift, PROMPT).scene.run.tokens
    trace = Trace("query", "key", "value", "decay", "write", "output")
    with torch.no_grad():
        lesson.shifted(variant, shift)(torch.tensor(tokens)[None], trace=trace)
    return {place: x[0].double().numpy() for place, x in trace.records.items()}, tokens


@pytest.mark.parametrize("shift", [0, -4])
def test_memory_and_normaliser_are_the_sums_that_the_gates_make(shift):
    """C = sum of products of later forget gates x input gate x key x value, without any stabiliser."""
    records, tokens = traced("mlstm-16", shift)
    layer = lesson.watch("mlstm-16", shift, PROMPT).layers[0]
    k, v, f, i = (records[0, name] for name in ("key", "value", "decay", "write"))  # f: log sigmoid, i: exp
    for h in range(k.shape[0]):
        C, n, m = np.zeros((k.shape[2], v.shape[2])), np.zeros(k.shape[2]), 0.0
        for t in range(len(tokens)):
            C = np.exp(f[h, t]) * C + i[h, t] * np.outer(k[h, t], v[h, t])
            n = np.exp(f[h, t]) * n + i[h, t] * k[h, t]
            m = max(f[h, t, 0] + m, np.log(i[h, t, 0]))
            shown = layer.memory[t, h] * np.exp(m)  # pictures are relative to the largest gate so far
            assert np.allclose(shown[:, :-2], C, atol=2e-5 * max(1, np.abs(C).max()))
            assert np.allclose(shown[:, -1], n, atol=2e-5 * max(1, np.abs(n).max()))
            assert np.isnan(shown[:, -2]).all()
            assert layer.forget[h, t] == pytest.approx(np.exp(f[h, t, 0]), rel=1e-4)
            assert layer.write[h, t] == pytest.approx(i[h, t, 0] * np.exp(-m), rel=1e-4)
            assert layer.floor[h, t] == pytest.approx(np.exp(-m), rel=1e-4)


def test_the_cell_of_1997_is_rebuilt_from_its_gates():
    """The change of the cell is the input gate times something between -1 and 1; the output that the output gate lets out."""
    layer = lesson.watch("lstm", 0, PROMPT).layers[0]
    cell, hidden = layer.memory[:, 0].reshape(len(layer.memory), -1), layer.memory[:, 1].reshape(len(layer.memory), -1)
    before = np.vstack([np.zeros_like(cell[:1]), cell[:-1]])
    assert (np.abs(cell - layer.forget.T * before) <= layer.write.T + 1e-5).all()
    assert np.allclose(hidden, layer.output.T * np.tanh(cell), atol=1e-5)


def test_the_forget_gate_of_the_slstm_is_the_gate_itself():
    """Moved by a bias, the logit of the first token's gate moves by as much: nothing has come back from an output yet."""
    a, b = (lesson.watch("slstm", shift, PROMPT).layers[0].forget[:, 0] for shift in (0, -4))
    logit = lambda p: np.log(p.astype(np.float64)) - np.log1p(-p.astype(np.float64))
    open_ = (a < 0.999) & (b > 1e-3)
    assert open_.sum() > 10 and np.allclose(logit(a[open_]) - logit(b[open_]), 4, atol=0.05)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_shift_moves_a_copy_and_nothing_else(variant):
    lesson.shifted.cache_clear()  # checkpoints are remembered for a while only: all must have the same one
    before = {name: x.clone() for name, x in zoo.load(variant).state_dict().items()}
    moved = lesson.shifted(variant, -8)
    assert lesson.shifted(variant, 0) is zoo.load(variant) and moved is not zoo.load(variant)
    lesson.watch(variant, -8, PROMPT)
    assert all(torch.equal(x, before[name]) for name, x in zoo.load(variant).state_dict().items())
    changed = {name for name, x in moved.state_dict().items() if not torch.equal(x, before[name])}
    assert len(changed) == len(moved.spec.layers) and all("bias" in name for name in changed)
    delta = sum((moved.state_dict()[name] - before[name]).sum() for name in changed)
    gates = len(lesson.gate_rows(variant))
    assert delta.item() == pytest.approx(-8 * gates * len(changed))


@pytest.mark.parametrize("variant", VARIANTS)
def test_closed_gates_leave_nothing_and_open_ones_all(variant):
    closed, open_ = (lesson.watch(variant, shift, PROMPT).layers[0].left for shift in (-60, 60))
    assert np.tril(closed, -1).max() < 1e-3 and np.allclose(np.diagonal(closed, axis1=1, axis2=2), 1)
    assert np.tril(open_).sum() == pytest.approx(open_.shape[0] * np.tril(np.ones(open_.shape[1:])).sum(), rel=1e-3)


@pytest.mark.parametrize("variant", VARIANTS)
def test_answers_are_those_of_the_model_and_pictures_have_labels(variant):
    watched = lesson.watch(variant, 0, PROMPT)
    assert [a.said for a in watched.scene.answers] == [a.said for a in checkpoint_scene(variant, PROMPT).answers]
    names, rows, cols = lesson.labels(variant)
    for layer in watched.layers:
        assert layer.memory.shape == (len(watched.words), len(names), len(rows), len(cols))
        assert (
            layer.forget.shape == layer.write.shape == layer.output.shape == (len(lesson.gate_rows(variant)), len(watched.words))
        )
        for gate in (layer.forget, layer.write, layer.output):
            assert gate.min() >= 0 and gate.max() <= 1 + 1e-5


def test_three_cells_stand_side_by_side_with_what_they_keep():
    rows = lesson.side_by_side(0, 16, PROMPT)
    assert [s.cell for s in rows] == list(lesson.CELLS)
    assert rows[0].kept == 2 * (2 * 16 * 32 + 2 * 16 + 2) and rows[2].kept == 2 * 2 * 64 and rows[0].asked == 2


def test_kept_bytes_are_measured_bytes_and_attention_overtakes():
    for variant in VARIANTS:
        assert recurrent.measured_state(variant).tolist() == [live_bytes(variant, n) for n in recurrent.LENGTHS]
    n, kept, attention = live_smaller("mlstm-16", recurrent.ATTENTION), live_bytes, recurrent.ATTENTION
    assert kept(attention, n) > kept("mlstm-16", n) >= kept(attention, n - 1)


def test_memory_of_xlstm_7b_is_that_of_the_papers_table():
    table = evidence.published("xlstm")[0]
    assert [row[0] for row in table["rows"]] == list(lesson.HEADS)
    for heads, size, tokens, _ in table["rows"]:
        m = lesson.memory(heads)
        assert f"{m.matrices / 1e6:.1f} MB" == size and m.tokens == tokens
        assert m.bytes - m.matrices == m.blocks * heads * (m.k_dim + 1) * 4
    assert lesson.memory(8).bytes == cost.count(spec_of(lesson.XLSTM), 1, state_dtype="float32").state_bytes


@pytest.mark.parametrize("key", ["llama3-8b", "gemma3-1b"])
def test_the_crossover_is_the_first_token_at_which_the_cache_is_as_large(key):
    size = lesson.memory(8).bytes
    at = recurrent.reached(key, size)
    assert recurrent.cached(key, at) >= size > recurrent.cached(key, at - 1)


def test_growing_models_have_no_state_and_keepers_have():
    grown, kept = set(recurrent.growing()), {k.entry.key for k in recurrent.keepers("mLSTM")}
    assert not grown & kept and {"llama3-8b", "deepseek-v3"} <= grown and {"xlstm-7b", "rwkv7-2.9b", "jamba-v0.1"} <= kept
    assert recurrent.keepers("mLSTM")[0].entry.key == "xlstm-7b" and len(grown | kept) <= len(catalogue.entries())


def test_prove_follows_the_table(monkeypatch):
    """A table of runs made by hand: verdicts, both figures' numbers; without runs nothing is claimed."""
    good = {"mlstm-4": 0.3, "mlstm-8": 0.5, "mlstm-16": 0.8, "slstm": 0.2, "lstm": 0.1, "mlstm-3-1": 0.99, "lstm-3-1": 0.99}
    rows = [
        {"variant": v, "seed": str(s), "step": "600"} | {f"recall@{n}": str(round(x + s / 1000, 3)) for n in lesson.RUNS.counts}
        for v, x in good.items()
        for s in range(3)
    ]
    monkeypatch.setattr(zoo, "tables", lambda name: rows)
    assert {c["verdict"] for c in evidence.report("xlstm")["claims"]} == {"shows"}
    assert lesson.RUNS.recalled()["mlstm-8"][24] == {0: 0.5, 1: 0.501, 2: 0.502}
    assert lesson.by_size()["lstm"] == (256, {0: 0.1, 1: 0.101, 2: 0.102})
    assert recurrent.ATTENTION not in lesson.RUNS.recalled()
    monkeypatch.setattr(zoo, "tables", lambda name: [])
    assert {c["verdict"] for c in evidence.report("xlstm")["claims"]} == {"unclear"}
