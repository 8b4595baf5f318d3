"""States too large for a control travel as `s=`: python -m pytest tests/app/test_pack.py"""

import base64
import json
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app import bench, state
from core.errors import SpecError
from core.lessons import workbench
from core.real import catalogue
from core.shape import design
from tests.strategies import JSON, TEXT, changed, damaged

EXAMPLE = catalogue.entries()["llama3-8b"].config


def packed(text: bytes) -> str:
    """Deflated as links were before they had a dictionary."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return base64.urlsafe_b64encode(deflate.compress(text) + deflate.flush()).decode().rstrip("=")


def worded(text: bytes, dictionary: bytes = state.compact(EXAMPLE)) -> str:
    """Deflated with a dictionary, as links are now."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, zdict=dictionary)
    return "." + base64.urlsafe_b64encode(deflate.compress(text) + deflate.flush()).decode().rstrip("=")


@pytest.mark.parametrize(
    "value",
    [EXAMPLE, {}, [], [1, 2], "text", None, 7, True, {**EXAMPLE, "hidden_size": 64}, {**EXAMPLE, "rope_scaling": {"type": "x"}},
     {"=": 1, ">": {"-": [2]}}, {"a": {"b": {"c": None}}}, {**EXAMPLE, "vocab_size": 128256.0}, ["=", 3]],
)  # fmt: skip
def test_what_goes_in_comes_out(value):
    back = state.unpack(state.pack(value, EXAMPLE), EXAMPLE)
    assert json.dumps(back, sort_keys=True) == json.dumps(value, sort_keys=True)


@pytest.mark.parametrize("key", ["deepseek-v3", "gemma3-4b", "nemotron-h-8b", "granite-4.0-h-small"])
def test_a_change_inside_is_small(key):
    config = catalogue.entries()[key].config
    text = state.pack({**config, "vocab_size": 1234}, config)
    assert len(text) < 80 and state.unpack(text, config) == {**config, "vocab_size": 1234}


OLD = (  # packed by the code before there was a dictionary
    ("q1ayVbKqVirLT05Mii_OrEpVsjI0MjbRUSrKL0iNL05OzMnMSwepAPNLKguACpRSUtMSS3NKlGprawE",
     {**EXAMPLE, "vocab_size": 1234, "rope_scaling": {"rope_type": "default"}}),
    ("q1ayVbKqVkpUsoo21MkrzcmJrdVR0gXylMrykxOT4oszq1KVYmsB",
     {**{key: value for key, value in EXAMPLE.items() if key != "vocab_size"}, "a": [1, None]}),
)  # fmt: skip


@pytest.mark.parametrize("text, value", OLD)
def test_links_of_before_still_open(text, value):
    assert state.unpack(text, EXAMPLE) == value


def test_a_painted_design_of_before_still_opens():
    """Packed by the code before there was a dictionary: Llama 3 8B with layers 3 to 6 painted."""
    text = (
        "zVDBagMhEP0VmeNiirqbEIQWEnrsqZccSllsnLDS6opKmnTZf-8IYdtzT52DM-_New91ggfQE-SIx9rv6xGMR9Dw9GG8YS3b7jmLxoWCFji8u2Az6JcJXK"
        "4ic8VEtHcX6vrG7krBUNwYaDOgqYZWkffc39CWQG-dBy0VzedfcxojLkHPFXD42b6ZTNu1qHUnZg5hTL7HSGKJK7Em5nQKi_8RQ64Bg7MWiZZd227mmf-X"
        "2yc0x2HRH-hvx09yZPdFOilU99cXvlJISS6SQjWCdY1katMImKm-AQ"
    )
    d = workbench.restored("llama3-8b", state.unpack(text, workbench.example("llama3-8b")))
    before = workbench.start("llama3-8b").spec.layers
    assert [i for i, (new, old) in enumerate(zip(d.spec.layers, before)) if new != old] == [2, 3, 4, 5]
    assert workbench.restored("llama3-8b", state.unpack(bench.pack(d), workbench.example("llama3-8b"))) == d


@pytest.mark.parametrize("key", ["llama3-8b", "deepseek-v3", "gemma3-27b", "jamba-v0.1", "qwen3-next-80b-a3b"])
def test_a_painted_design_is_a_short_link(key):
    """Two strokes of four layers: a third of what a link of a difference took (344 to 510 characters)."""
    d = workbench.start(key)
    first, second = design.brushes(d.spec)[1:3]
    painted = design.paint(design.paint(d.spec, 2, 5, first), 8, 11, second)
    assert len(bench.pack(workbench.repainted(d, painted))) < 180


def test_every_config_of_the_catalogue_fits_beside_another():
    assert all(len(state.pack(entry.config, {})) <= state.PACKED for entry in catalogue.entries().values())


@pytest.mark.parametrize(
    "text",
    ["", "!", "AAAA", "a" * 5000, "é" * 8, packed(b"{"), packed(b'["=",1],"x":2'), packed(b'{"x": 1}'), packed(b"[]"),
     packed(b'{"=": 3}'), packed(b'["=",NaN]'), packed(b'["=",' + b"[" * 40 + b"]" * 40 + b"]"),
     packed(b'{">": {"model_type": {"=": {}}}}'), packed(b'["=", "' + b"a" * (1 << 20) + b'"]'),
     ".", ".!", ".AAAA", worded(b"{"), worded(b"NaN"), worded(b'1,"x":2'), worded(b"[" * 40 + b"]" * 40),
     worded(b'"' + b"a" * (1 << 20) + b'"'), worded(b"{}", b"another example"), "~" + worded(b"{}")[1:]],
)  # fmt: skip
def test_nonsense_is_one_sentence(text):
    with pytest.raises(SpecError) as error:
        state.unpack(text, EXAMPLE)
    assert "\n" not in str(error.value)


@given(JSON)
def test_every_value_comes_out_as_it_went_in(value):
    assert json.dumps(state.unpack(state.pack(value, EXAMPLE), EXAMPLE)) == json.dumps(value)


KEYS = st.sampled_from(list(EXAMPLE)) | TEXT
CHANGES = st.fixed_dictionaries({}, optional={"=": st.dictionaries(KEYS, JSON, max_size=3), "-": st.lists(KEYS, max_size=3)})


@given(CHANGES)
def test_a_change_of_before_replaces_leaves_out_and_goes_inside(change):
    value = {key: item for key, item in EXAMPLE.items() if key not in change.get("-", ())} | change.get("=", {})
    assert state.unpack(packed(json.dumps(change).encode()), EXAMPLE) == value
    assert state.unpack(packed(json.dumps({">": {"a": change}}).encode()), {"a": EXAMPLE, "b": 1}) == {"a": value, "b": 1}


@given(changed({"=": {"a": 1}, "-": ["vocab_size"], ">": {"rope_scaling": ["=", {}]}}, most=3))
def test_what_is_no_change_of_before_is_a_sentence(change):
    try:
        json.dumps(state.unpack(packed(json.dumps(change).encode()), EXAMPLE))
    except SpecError as error:
        assert len(str(error).splitlines()) == 1


GOOD = {"": OLD[0][0], ".": state.pack({**EXAMPLE, "hidden_size": 64}, EXAMPLE)[1:]}
BYTES = {mark: base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) for mark, text in GOOD.items()}


@settings(max_examples=400)
@given(st.sampled_from(sorted(BYTES)).flatmap(lambda mark: st.tuples(st.just(mark), damaged(BYTES[mark]))))
def test_damaged_links_never_do_more_than_a_sentence(link):
    """With a dictionary the checksum finds damage: such a link says so, or opens what it was copied from."""
    mark, data = link
    try:
        value = state.unpack(mark + base64.urlsafe_b64encode(data).decode(), EXAMPLE)
        assert not mark or value == {**EXAMPLE, "hidden_size": 64}
    except SpecError as error:
        assert len(str(error).splitlines()) == 1
