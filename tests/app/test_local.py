"""The panel for the reader's own weights: python -m pytest tests/app/test_local.py"""

import json

import pytest
from safetensors.torch import load_file, save_file
from streamlit.testing.v1 import AppTest

from core.real import local
from tests.app.opening import fine, pictures, text
from tests.core import test_hf_parity as parity
from tests.core.test_local import PROMPT, said, written


def page():
    """A page that shows the panel and nothing else."""
    from app import local, state

    state.begin("workbench", "workbench")
    local.show("own")


def opened(**query) -> AppTest:
    at = AppTest.from_function(page, default_timeout=60)
    for key, value in query.items():
        at.query_params[key] = value
    return fine(at.run())


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder with models of three kinds, and one that cannot be read."""
    keep, parity.redraw = parity.redraw, lambda model: model
    place = tmp_path_factory.mktemp("models")
    for name, variant in (("tiny-llama", "llama"), ("deep", "qwen3_next"), ("stateful", "mamba2")):
        written(place / name, variant)
    (place / "pickled").mkdir()
    (place / "pickled/config.json").write_text("{}")
    (place / "pickled/pytorch_model.bin").write_text("")
    parity.redraw = keep
    return place


@pytest.fixture
def named(root, monkeypatch):
    """The folder, named in the environment."""
    monkeypatch.setenv(local.VARIABLE, str(root))
    return root


def test_without_a_folder_it_says_how_to_start_and_nothing_else(monkeypatch):
    monkeypatch.delenv(local.VARIABLE, raising=False)
    at = opened()
    assert "CUTAWAY_MODELS=/path/to/models python -m streamlit run app/main.py" in text(at)
    assert not pictures(at) and not at.selectbox and not at.text_input and not at.get("file_uploader")


def test_a_model_shows_its_maps_its_bytes_and_what_it_writes(named):
    at = opened(own_model="tiny-llama", own_prompt=PROMPT)
    shown, drawn = text(at), pictures(at)
    seen = local.look("tiny-llama", PROMPT)
    assert drawn["own-attention"]["shape"] == [4, 18, 18] and drawn["own-attention"]["tokens"] == list(seen.tokens)
    assert drawn["own-attention"]["groups"] == [0, 0, 1, 1]
    assert f"counted {seen.memory.cache_counted:,} = measured" in shown and "≠" not in shown
    assert all(f">{p:.3f}<" in shown.replace("<b>", "").replace("</b>", "") for _, p in seen.likeliest)
    assert drawn["own-growth"]["table"]["cache counted, B"] == drawn["own-growth"]["table"]["cache measured, B"]
    assert local.generate("tiny-llama", PROMPT, 8).tokens[0] in shown
    assert drawn["own-attention"]["config"]["prompt"] == PROMPT
    assert "own_model=tiny-llama" in drawn["own-attention"]["config"]["link"]
    assert "pickled has pickled weights alone" in shown


def test_every_control_moves_for_every_model(named):
    at = opened()
    for name in at.selectbox(key="own_model").options:
        fine(at.selectbox(key="own_model").set_value(name).run())
        assert not at.get("alert") and "cw-error" not in text(at)
        for layer in at.selectbox(key="own_layer").options if name != "stateful" else ():
            fine(at.selectbox(key="own_layer").set_value(int(layer.split()[1])).run())
            assert f"layer {layer.split()[1]}" in pictures(at)["own-attention"]["title"]
        for new in (0, 32):
            fine(at.segmented_control(key="own_new").set_value(new).run())
            assert ("What it writes" in text(at)) == (new > 0)
    for example in at.pills(key="cw-pick-own_prompt").options:
        fine(at.pills(key="cw-pick-own_prompt").set_value(example).run())


def test_layers_that_do_not_attend_are_not_offered(named):
    assert opened(own_model="deep").selectbox(key="own_layer").options == ["layer 4 of 4"]
    assert "No layer of stateful attends" in text(opened(own_model="stateful"))


@pytest.mark.parametrize("prompt, words", [("", "no token"), ("<script>alert(1)</script> {command} **x**", "&lt;script&gt;")])
def test_any_prompt_is_answered(prompt, words, named):
    shown = text(opened(own_prompt=prompt))
    assert words in shown and "<script>" not in shown


@pytest.mark.parametrize("query", [{"own_model": "../deep"}, {"own_layer": "99"}, {"own_new": "1e9"}, {"own_model": "pickled"}])
def test_nonsense_in_a_link_shows_the_panel(query, named):
    assert opened(**query).selectbox(key="own_model").value in ("deep", "stateful", "tiny-llama")


def test_a_model_that_does_not_fit_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(parity, "redraw", lambda model: model)
    monkeypatch.setenv(local.VARIABLE, str(tmp_path))
    written(tmp_path / "tiny", "llama")
    tensors = load_file(tmp_path / "tiny/model.safetensors")
    norm = tensors.pop("model.norm.weight")
    save_file(tensors, tmp_path / "tiny/model.safetensors")
    shown = text(opened())
    assert "(missing: model.norm.weight)" in shown and "cw-error" in shown
    save_file({**tensors, "model.norm.weight": norm}, tmp_path / "tiny/model.safetensors")
    said(tmp_path / "tiny", twist=1)
    assert "not understood, its numbers may differ: twist" in text(opened())


def test_a_folder_that_is_none_or_holds_no_model(tmp_path, monkeypatch):
    monkeypatch.setenv(local.VARIABLE, str(tmp_path))
    assert "holds no model that can be read" in text(opened())
    monkeypatch.setenv(local.VARIABLE, str(tmp_path / "nowhere"))
    assert "CUTAWAY_MODELS must name a folder" in text(opened())
    (tmp_path / "a<b>").mkdir()
    (tmp_path / "a<b>/config.json").write_text(json.dumps({}))
    monkeypatch.setenv(local.VARIABLE, str(tmp_path))
    assert "a&lt;b&gt; has no safetensors" in text(opened())


def test_two_visitors_interleaved_each_see_their_own(named):
    a, b = opened(own_model="deep"), opened(own_model="tiny-llama")
    for layer in (1, 2):
        fine(b.selectbox(key="own_layer").set_value(layer).run())
        fine(a.run())
        assert pictures(a)["own-attention"]["title"] == "deep, layer 4"
        assert pictures(b)["own-attention"]["title"] == f"tiny-llama, layer {layer}"
