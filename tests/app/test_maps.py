"""The figures' Python half: what bytes mean, what goes over the wire, what comes back."""

import numpy as np
import pytest

from app import javascript
from app.figures import frame, maps

T, HEADS = 128, 8


def attention(heads: int = HEADS, tokens: int = T) -> tuple[np.ndarray, np.ndarray]:
    """Random causal attention (heads, tokens, tokens) and its mask."""
    visible = np.tril(np.ones((tokens, tokens), bool))
    scores = np.where(visible, np.random.default_rng(0).normal(size=(heads, tokens, tokens)) * 2, -np.inf)
    p = np.exp(scores - scores.max(-1, keepdims=True))
    return p / p.sum(-1, keepdims=True), visible


def draw(**changes) -> tuple[dict, np.ndarray]:
    """A payload as the browser reads it."""
    p, visible = attention(2, 4)
    given = {"key": "k", "title": "t", "alt": "a", "tokens": list("abcd")} | changes
    panels = given.pop("panels", maps.encode_probability(p, visible))
    header, blob = frame.unpack(maps.payload(panels, **given))
    return header, np.frombuffer(blob, np.uint8)


def test_probability_uses_the_whole_byte_on_a_square_root_scale():
    assert maps.encode_probability([0.0, 0.25, 1.0]).tolist() == [0, 127, 254]
    assert maps.encode_probability([-0.1, 1.1, np.nan]).tolist() == [0, 254, 0]


def test_masked_is_255_and_zero_is_not_masked():
    assert maps.encode_probability([[0.0, 1.0]], [[True, False]]).tolist() == [[0, 255]]
    assert maps.encode_signed([[0.0, 9.0]], 3, [[False, True]]).tolist() == [[255, 254]]


def test_small_probabilities_stay_visible():
    assert maps.encode_probability(0.0001) >= 2


def test_probability_is_recovered_within_the_resolution():
    p = np.linspace(0, 1, 1001)
    back = (maps.encode_probability(p) / 254.0) ** 2
    assert np.all(np.abs(back - p) <= np.sqrt(p) / 254 + 1 / 254**2)


def test_signed_is_symmetric_and_clipped():
    assert maps.encode_signed([-6.0, -3.0, 0.0, 3.0, 6.0], 3.0).tolist() == [0, 0, 127, 254, 254]
    with pytest.raises(ValueError, match="positive"):
        maps.encode_signed([1.0], 0.0)


def test_a_mask_applies_to_every_head():
    p, visible = attention(3, 5)
    assert ((maps.encode_probability(p, visible) == 255) == ~visible).all()


def test_eight_panels_of_128_tokens_fit_the_wire():
    p, visible = attention()
    data = maps.payload(maps.encode_probability(p, visible), key="k", title="t", alt="a", tokens=["word"] * T)
    assert len(data) < 60_000


def test_the_payload_carries_the_bytes_unchanged():
    p, visible = attention(2, 4)
    header, blob = draw()
    assert header["shape"] == [2, 4, 4] and header["frames"] == 0 and header["steps"] == 4
    assert (blob.reshape(2, 4, 4) == maps.encode_probability(p, visible)).all()


def test_token_names_are_sent_once():
    header, _ = draw()
    assert header["rows"] is None and header["cols"] is None and header["tokens"] == list("abcd")


def test_rows_that_are_not_tokens_get_names_and_no_steps():
    header, _ = draw(panels=np.zeros((1, 2, 4), np.uint8), rows=["e1", "e2"])
    assert header["rows"] == ["e1", "e2"] and header["steps"] == 0


def test_a_state_that_is_written_has_one_frame_a_step():
    header, blob = draw(panels=np.zeros((7, 3, 2, 5), np.uint8), tokens=list("abcdefg"))
    assert (header["frames"], header["shape"], header["steps"], blob.size) == (7, [3, 2, 5], 7, 7 * 3 * 2 * 5)


def test_the_step_control_can_be_left_out():
    assert draw(stepping=False)[0]["steps"] == 0


def test_the_tape_is_measured_bytes():
    tape = maps.Tape(("KV 1",), np.arange(1, 5) * 64, 2, np.arange(1, 5) * 128)
    sent = draw(tape=tape)[0]["tape"]
    assert sent["bytes"] == [64, 128, 192, 256] and sent["ghostBytes"][-1] == 512 and sent["ghost"] == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"panels": np.zeros((2, 4, 4))}, "uint8"),
        ({"panels": np.zeros((4, 4), np.uint8)}, "uint8"),
        ({"labels": ["one"]}, "1 labels for 2 panels"),
        ({"rows": ["x"]}, "1 labels for 4 rows"),
        ({"groups": [0]}, "1 for 2 panels"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        draw(**change)


def test_an_unknown_scale_is_refused():
    with pytest.raises(ValueError, match="scale"):
        maps.maps(np.zeros((1, 2, 2), np.uint8), key="k", title="t", alt="a", scale="rainbow")


def test_a_selection_is_kept_only_where_it_fits():
    assert maps.valid({"head": 1, "row": 3, "step": 2}, 2, 4, 4) == {"head": 1, "row": 3, "step": 2}
    nothing = {"head": None, "row": None, "step": 4}
    assert maps.valid({"head": 2, "row": -1, "step": 9}, 2, 4, 4) == nothing
    assert maps.valid({"head": "1", "row": True, "step": None}, 2, 4, 4) == nothing
    assert maps.valid("nonsense", 2, 4, 4) == nothing


def test_table_columns_are_json_values():
    table = frame.columns({"n": np.array([1, 2]), "x": [1 / 3, np.nan], "name": ["a", None], "mixed": np.array([1, 2.5], object)})
    assert table == {"n": [1, 2], "x": [0.333333, None], "name": ["a", None], "mixed": [1, 2.5]}


def test_a_ragged_table_is_refused():
    with pytest.raises(ValueError, match="length"):
        frame.columns({"a": [1], "b": [1, 2]})
    with pytest.raises(ValueError, match="one dimension"):
        frame.columns({"a": [[1]]})


def test_configuration_is_plain():
    assert frame.plain({"kv": 2, "p": 0.5, "window": (1, 2), "prompt": "bo"}) == {
        "kv": 2, "p": 0.5, "window": "(1, 2)", "prompt": "bo",
    }  # fmt: skip
    assert frame.plain(None) == {}


@pytest.mark.parametrize("size, first", [(0, 0), (2, 0), (frame.PLAIN - 100, 0), (frame.PLAIN, 1), (1 << 18, 1)])
def test_pack_and_unpack(size, first):
    blob = bytes(size)
    data = frame.pack({"word": "é"}, blob)
    assert frame.unpack(data) == ({"word": "é"}, blob) and data[0] == first
    assert len(data) < 30 + (size if first == 0 else size // 100)


def test_a_figure_sends_no_drawing_code():
    code, maps_only = (javascript.module_text(frame.ENTRIES / name) for name in ("code.js", "maps.js"))
    assert len(maps_only) < 700 and "class Maps" in code and ".cw" in code


def test_a_text_that_changes_has_a_step_for_each_row_and_its_rings():
    passes = maps.Passes([["a", "▢"], ["a", "b"]], [["a", "c"], ["a", "b"]], [(0, 0), (1, 1)], taken=[(1, 0)], wrong=[1])
    header, _ = draw(panels=maps.encode_probability(np.ones((1, 2, 2))), tokens=["a", "b"], rows=["1", "2"], passes=passes)
    assert header["steps"] == 2 and header["passes"]["words"] == [["a", "▢"], ["a", "b"]]
    assert header["passes"]["kept"] == [[0, 0], [1, 1]] and header["passes"]["taken"] == [[1, 0]]
    assert header["passes"]["wrong"] == [1] and header["passes"]["mask"] == "▢"
    assert draw()[0]["passes"] is None
