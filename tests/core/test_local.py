"""Checkpoints of the reader's own, as transformers writes them: python -m pytest tests/core/test_local.py -k gemma"""

import copy
import json
import os
import struct

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from core.count import cost
from core.errors import SpecError
from core.real import local
from core.real.hf.families import FAMILIES
from tests.core import test_hf_parity as plain
from tests.core import test_hf_parity_experts as experts
from tests.core import test_hf_parity_hybrids as hybrids
from tests.core import test_hf_parity_windows as windows
from tests.strategies import damaged

WORDS = "[PAD] who has what ann lamp bo kite cy drum dan rope eva coin fay bell gus boat hal book ? . and the of a".split()
PROMPT = "ann lamp bo kite cy drum dan rope eva coin fay bell gus boat hal book ? bo"

CONFIGS = {
    **{v: plain.config_of(v) for v in plain.VARIANTS if " " not in v},
    **{v: experts.config_of(v) for v in experts.VARIANTS if " " not in v and v != "kimi_k2"},
    **{v: windows.config_of(v) for v in windows.VARIANTS if " " not in v},
    **{v: {"model_type": v, **hybrids.VARIANTS[v]} for v in hybrids.VARIANTS if " " not in v},
    "qwen2 tied": plain.config_of("qwen2 tied"),
}


def tokenizer():
    """One token a word."""
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[PAD]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return made


def written(folder, variant, **how):
    """A checkpoint on disk, and the model of transformers that wrote it."""
    theirs = hybrids.redraw(plain.reference_of(copy.deepcopy(CONFIGS[variant])))
    theirs.save_pretrained(folder, **how)
    tokenizer().save(str(folder / "tokenizer.json"))
    return theirs


def said(folder, **fields):
    """Change what the config of a checkpoint says."""
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **fields}))


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A folder of models that the environment names."""
    monkeypatch.setattr(plain, "redraw", lambda model: model)
    monkeypatch.setenv(local.VARIABLE, str(tmp_path))
    yield tmp_path
    local._HELD.clear()


@pytest.fixture
def llama(root):
    """The folder of one checkpoint that is in order."""
    written(root / "tiny", "llama")
    return root / "tiny"


def ids(own):
    return torch.tensor([own.tokenizer.encode(PROMPT).ids])


def refused(name="tiny"):
    """The one sentence with which a model is refused."""
    with pytest.raises(SpecError) as error:
        local.look(name, PROMPT)
    sentence = str(error.value)
    assert "\n" not in sentence and len(sentence) < 600 and name in sentence
    return sentence


# What transformers wrote


@pytest.mark.parametrize("variant", CONFIGS)
def test_logits_are_those_of_transformers(variant, root):
    theirs = written(root / "tiny", variant)
    own = local.opened("tiny")
    expected = theirs(ids(own)).logits
    assert expected.std() >= 0.1
    assert (own.model(ids(own))[0] - expected).abs().max() <= 1e-4 * max(1.0, expected.abs().max().item())
    assert own.unknown == ()

    seen = local.look("tiny", PROMPT)
    n = len(seen.tokens)
    p = expected[0, -1].softmax(-1)
    assert [x for _, x in seen.likeliest] == pytest.approx(p.topk(5).values.tolist(), abs=1e-4)
    assert seen.memory.cache_counted == seen.memory.cache_measured and seen.memory.state_counted == seen.memory.state_measured
    assert seen.memory.cache_measured + seen.memory.state_measured > 0 and seen.memory.tokens == n == 18
    for layer, picture in zip(own.spec.layers, seen.pictures, strict=True):
        assert (picture is not None) == hasattr(local.attention(layer.mixer), "reach")
        if picture is not None:
            assert picture.weights.shape[1:] == picture.visible.shape == (n, n)
            assert not picture.weights[:, ~picture.visible].any() and np.isfinite(picture.weights).all()


def test_every_family_that_has_a_table_and_a_class_is_tried():
    """RWKV-7 has no class in transformers; a denoiser does not write from left to right; Gemma 4's weights are not loaded."""
    tried = {config["model_type"] for config in CONFIGS.values()}
    tables = {family.model_types for family in FAMILIES.values() if family.table}
    assert [types for types in tables if not tried & set(types)] == [("Dream",)]


@pytest.mark.parametrize("variant", ["llama", "gemma2", "qwen3_next", "phi3", "gpt2", "qwen2"])
def test_attention_maps_are_those_of_transformers(variant, root):
    theirs = written(root / "tiny", variant)
    own = local.opened("tiny")
    expected = [a for a in theirs(ids(own), output_attentions=True).attentions if a is not None]
    pictures = [p for p in local.look("tiny", PROMPT).pictures if p is not None]
    assert len(pictures) == len(expected)
    for picture, weights in zip(pictures, expected):
        assert np.abs(picture.weights - weights[0].numpy()).max() < 1e-3


def test_heads_are_grouped_by_the_keys_that_they_read(llama):
    assert local.look("tiny", PROMPT).pictures[0].groups == (0, 0, 1, 1)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("variant", ["gemma2", "llama", "deepseek_v3", "gpt2"])
def test_half_precision_is_widened_before_anything_is_done_to_it(variant, dtype, root):
    theirs = hybrids.redraw(plain.reference_of(copy.deepcopy(CONFIGS[variant])))
    for tensor in [*theirs.parameters(), *(b for name, b in theirs.named_buffers() if name.endswith("bias"))]:
        tensor.copy_(tensor.to(dtype))
    copy.deepcopy(theirs).to(dtype).save_pretrained(root / "tiny")
    tokenizer().save(str(root / "tiny" / "tokenizer.json"))
    own = local.opened("tiny")
    expected = theirs(ids(own)).logits
    assert all(p.dtype == torch.float32 for p in own.model.parameters())
    assert (own.model(ids(own))[0] - expected).abs().max() <= 1e-4 * max(1.0, expected.abs().max().item())


@pytest.mark.parametrize("variant", ["llama", "mixtral", "gpt2"])
def test_shards_are_put_together(variant, root):
    theirs = written(root / "tiny", variant, max_shard_size="20KB")
    assert len(list((root / "tiny").glob("*.safetensors"))) > 1 and local.models() == {"tiny": ""}
    own = local.opened("tiny")
    assert (own.model(ids(own))[0] - theirs(ids(own)).logits).abs().max() < 1e-4


def test_a_model_that_also_sees_is_read_as_its_language_model(root):
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration

    inner = {k: v for k, v in CONFIGS["gemma3_text"].items() if k != "model_type"}
    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28}
    theirs = Gemma3ForConditionalGeneration._from_config(
        Gemma3Config(text_config=inner, vision_config={**vision, "patch_size": 14}, mm_tokens_per_image=4),
        attn_implementation="eager",
    )
    for parameter in theirs.eval().requires_grad_(False).parameters():
        parameter.normal_(0, 0.25)
    theirs.save_pretrained(root / "tiny")
    tokenizer().save(str(root / "tiny" / "tokenizer.json"))
    own = local.opened("tiny")
    assert (own.model(ids(own))[0] - theirs(ids(own)).logits).abs().max() < 1e-4


def test_a_shared_table_may_come_under_either_name_or_both(root):
    theirs = written(root / "tiny", "qwen2 tied")
    path, table = root / "tiny" / "model.safetensors", theirs.state_dict()["lm_head.weight"].clone()
    tensors = load_file(path)
    for change in ({"lm_head.weight": table, "model.embed_tokens.weight": None}, {"lm_head.weight": table}):
        save_file({k: v for k, v in {**tensors, **change}.items() if v is not None}, path)
        own = local.opened("tiny")
        assert (own.model(ids(own))[0] - theirs(ids(own)).logits).abs().max() < 1e-4
    save_file({**tensors, "lm_head.weight": table + 1}, path)
    assert "tied to another tensor but differs" in refused()


# What it writes


@pytest.mark.parametrize("variant", ["llama", "gemma2", "deepseek_v3", "mamba2", "gpt2"])
def test_it_writes_what_transformers_writes_and_its_cache_grows(variant, root):
    theirs = written(root / "tiny", variant)
    said(root / "tiny", eos_token_id=None)
    own = local.opened("tiny")
    text, expected = ids(own), []
    for _ in range(12):
        token = theirs(text).logits[0, -1].argmax()
        expected.append(local.piece(own.tokenizer, int(token)))
        text = torch.cat([text, token[None, None]], 1)
    made = local.generate("tiny", PROMPT, 12)
    assert list(made.tokens) == expected and not made.ended
    assert [m.tokens for m in made.memory] == list(range(18, 31))
    assert all(m.cache_counted == m.cache_measured and m.state_counted == m.state_measured for m in made.memory)
    grows = [m.cache_measured for m in made.memory]
    assert grows == sorted(grows) and (variant == "mamba2") == (grows[-1] == 0)
    assert all(0 < p <= 1 for p in made.probability)


def test_it_stops_at_its_end_and_at_its_last_position(root):
    theirs = written(root / "tiny", "gpt2")
    own = local.opened("tiny")
    first = int(theirs(ids(own)).logits[0, -1].argmax())
    said(root / "tiny", eos_token_id=[first])
    made = local.generate("tiny", PROMPT, 9)
    assert made.ended and len(made.tokens) == 1
    long = " ".join(["ann"] * 70)
    said(root / "tiny", eos_token_id=None)
    assert len(local.look("tiny", long).tokens) == 64 and local.look("tiny", long).total == 70
    assert local.generate("tiny", long, 9).tokens == ()


def test_a_prompt_is_bounded(llama):
    seen = local.look("tiny", "ann " * 200)
    assert (len(seen.tokens), seen.total) == (local.TOKENS, 200)
    for prompt, words in (("", "no token"), ("a" * (local.CHARACTERS + 1), "characters"), ([], "characters")):
        with pytest.raises(SpecError, match=words):
            local.look("tiny", prompt)
    for n in (0, local.NEW + 1, "x"):
        with pytest.raises(SpecError, match="n must be a whole number"):
            local.generate("tiny", PROMPT, n)


def test_every_visitor_shares_the_model_and_a_changed_file_is_read_again(llama):
    before = local.opened("tiny")
    assert local.opened("tiny") is before and not any(p.requires_grad for p in before.model.parameters())
    path = llama / "model.safetensors"
    tensors = {k: v * 1.5 if k == "lm_head.weight" else v for k, v in load_file(path).items()}
    save_file(tensors, path)
    assert not torch.equal(local.opened("tiny").model(ids(before))[0], before.model(ids(before))[0])


def test_models_make_room_for_others(root, monkeypatch):
    for name in ("a", "b", "c"):
        written(root / name, "llama")
    size = cost.count(local.opened("a").spec, 1).params_total
    monkeypatch.setattr(local, "PARAMETERS", 2 * size)
    for name in ("b", "c", "a"):
        local.opened(name)
    assert [own.name for own in local._HELD] == ["c", "a"]


# What is refused, each in one sentence


def rewrite(folder, change):
    """The weights after a change of the dict of tensors."""
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


@pytest.mark.parametrize(
    "change, sentence",
    [
        (lambda t: t.pop("model.norm.weight"), "(missing: model.norm.weight)"),
        (lambda t: t.update({"model.extra.weight": torch.ones(2)}), "(left over: model.extra.weight)"),
        (lambda t: t.update({"model.norm.weight": torch.ones(31)}), "model.norm.weight is (31,) instead of (32,)"),
        (lambda t: t.update({"lm_head.weight": torch.ones(32, 61)}), "lm_head.weight is (32, 61) instead of (61, 32)"),
        (lambda t: [t.pop(n) for n in list(t) if ".mlp." in n], "model.layers.0.mlp.gate_proj.weight, "),
        (lambda t: t.update({"model.norm.weight": torch.ones(32, dtype=torch.int64)}), "stored as I64: BF16, F16, F32 are read"),
        (lambda t: t.update({"model.norm.weight": torch.full((32,), torch.nan)}), "not finite"),
    ],
)
def test_tensors_that_do_not_fit(change, sentence, llama):
    rewrite(llama, change)
    assert sentence in refused()


def test_everything_wrong_is_said_at_once(llama):
    def change(tensors):
        del tensors["model.norm.weight"]
        tensors |= {"x": torch.ones(1), "lm_head.weight": torch.ones(3)}

    rewrite(llama, change)
    assert "missing: model.norm.weight; left over: x; of another shape: lm_head.weight is (3,) instead of (61, 32)" in refused()


@pytest.mark.parametrize(
    "variant, change, sentence",
    [
        ("mixtral", lambda t: t.pop("model.layers.0.block_sparse_moe.experts.1.w1.weight"), "missing: "),
        ("mixtral", lambda t: t.update({"model.layers.0.block_sparse_moe.experts.1.w1.weight": torch.ones(3, 5)}), "experts"),
        (
            "deepseek_v3",
            lambda t: t.update({"model.layers.0.self_attn.q_b_proj.weight": torch.ones(3, 24)}),
            "is (3, 24) instead",
        ),
        ("phi3", lambda t: t.update({"model.layers.0.mlp.gate_up_proj.weight": torch.ones(87, 32)}), "is (87, 32) instead"),
        ("gpt2", lambda t: t.update({"transformer.h.0.attn.c_attn.weight": torch.ones(96)}), "is (96,) instead"),
    ],
)
def test_tensors_that_are_stacked_split_or_turned_do_not_fit(variant, change, sentence, root):
    written(root / "tiny", variant)
    rewrite(root / "tiny", change)
    assert sentence in refused()


def test_a_tensor_that_two_shards_hold(root):
    written(root / "tiny", "llama", max_shard_size="20KB")
    first, second = sorted((root / "tiny").glob("*.safetensors"))[:2]
    save_file(load_file(second) | dict([next(iter(load_file(first).items()))]), second)
    assert "is stored twice" in refused()


def grow(monkeypatch, **limits):
    for name, value in limits.items():
        monkeypatch.setattr(local, name, value)


def test_sizes_are_refused_before_anything_is_allocated(llama, monkeypatch):
    monkeypatch.setattr(local, "room", lambda model: pytest.fail("allocated"))
    monkeypatch.setattr(local, "safe_open", lambda *_, **__: pytest.fail("opened"))
    grow(monkeypatch, PARAMETERS=1000)
    assert "parameters, at most 1,000 are loaded" in refused()
    grow(monkeypatch, PARAMETERS=1 << 40, BYTES=1000)
    assert "at most 1,000" in refused()
    grow(monkeypatch, BYTES=1 << 40)
    said(llama, vocab_size=1 << 24, hidden_size=1 << 20)
    assert "at most" in refused()
    (llama / "config.json").write_text(" " * (9 << 20))
    assert "config.json has 9,437,184 bytes, at most 8,388,608 are read" in refused()


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("{", "config.json is not JSON (line 1, column 2)"),
        ("[" * 100_000, "config.json is not JSON"),
        ("[]", "must be a JSON object"),
        ('{"model_type": "elephant"}', "model_type must be one of"),
        ('{"model_type": "llama"}', "num_hidden_layers must be a whole number"),
        ('{"model_type": "llama", "num_hidden_layers": "many"}', "num_hidden_layers must be a whole number"),
    ],
)
def test_a_config_that_cannot_be_read(text, sentence, llama):
    (llama / "config.json").write_text(text)
    assert sentence in refused()


def test_files_cut_short_or_broken(llama):
    path = llama / "model.safetensors"
    whole = path.read_bytes()
    for broken in (whole[:-100], whole[:5], b"", struct.pack("<Q", 1 << 60) + whole[8:], b"x" * 200):
        path.write_bytes(broken)
        assert "model.safetensors is not a whole safetensors file" in refused()
    path.write_bytes(whole)
    (llama / "tokenizer.json").write_text("{}")
    assert "tokenizer.json cannot be read" in refused()


def test_a_tokenizer_of_another_model(llama):
    made = Tokenizer(models.WordLevel({"ann": 61, "[UNK]": 0}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.save(str(llama / "tokenizer.json"))
    assert "gives token 61, the model knows 61" in refused()
    made = Tokenizer(models.WordLevel({"bob": 1}, unk_token="[UNK]"))
    made.save(str(llama / "tokenizer.json"))
    assert "cannot read this prompt" in refused()


@pytest.mark.parametrize("gone", ["tokenizer.json", "model.safetensors"])
def test_a_file_that_is_not_there(gone, llama):
    (llama / gone).unlink()
    assert local.models()["tiny"] == refused() == f"tiny has no {gone.removeprefix('model.')}"


def test_pickled_weights_are_never_opened(llama):
    (llama / "model.safetensors").rename(llama / "pytorch_model.bin")
    assert local.models()["tiny"] == refused()
    assert "pickled weights alone, which are never opened" in refused()


def test_nothing_outside_the_folder_is_read(llama, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        (llama / name).rename(outside / name)
        (llama / name).symlink_to(outside / name)
        assert f"tiny/{name} leads out of the folder of models" in refused()
        (llama / name).unlink()
        (outside / name).rename(llama / name)
    (llama.parent / "linked").symlink_to(outside)
    (outside / "config.json").write_text("{}")
    (outside / "model.safetensors").write_text("")
    assert "leads out" in refused("linked")
    for name in ("..", "../outside", ".", "", "tiny/", str(outside), "tiny/../tiny", None):
        with pytest.raises(SpecError, match="model must be one of"):
            local.files(name)


def test_what_goes_in_circles_or_may_not_be_read(llama, monkeypatch):
    (llama.parent / "round").symlink_to(llama.parent / "round")
    (llama / "config.json").rename(llama / "kept.json")
    (llama / "config.json").symlink_to(llama / "config.json")
    assert "config.json is not a plain file" in refused() and list(local.models()) == ["tiny"]
    (llama / "config.json").unlink()
    (llama / "kept.json").rename(llama / "config.json")

    def closed(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(local.Path, "read_bytes", closed)
    assert "config.json cannot be read: Permission denied" in refused()
    monkeypatch.setattr(local.Path, "iterdir", closed)
    with pytest.raises(SpecError, match="cannot be read: Permission denied"):
        local.models()


FILES = ("model.safetensors", "tokenizer.json", "config.json")


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_file_with_a_few_bytes_changed_is_answered_in_one_sentence_or_runs(llama, data):
    """Headers, tokenizers and configs: none is a crash. Each is put back as it was."""
    path = llama / data.draw(st.sampled_from(FILES))
    whole = path.read_bytes()
    path.write_bytes(data.draw(damaged(whole, within=2000)))
    try:
        local.look("tiny", PROMPT)
    except SpecError as error:
        assert len(str(error).splitlines()) == 1 and len(str(error)) < 700
    finally:
        path.write_bytes(whole)


def test_parts_of_a_letter_are_shown_as_the_letter(llama):
    alphabet = {letter: i for i, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    made = Tokenizer(models.BPE(alphabet, []))
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    made.save(str(llama / "tokenizer.json"))
    said(llama, vocab_size=256, tie_word_embeddings=True)
    table = torch.randn(256, 32) * 0.25
    rewrite(llama, lambda t: t.update({"model.embed_tokens.weight": table, "lm_head.weight": table.clone()}))
    assert local.look("tiny", "aë b\n").tokens == ("a", "ë", "ë", "␣", "b", "⏎")


@pytest.mark.parametrize("shard", ["../x.safetensors", "/etc/passwd", "x.bin", "sub/x.safetensors"])
def test_an_index_that_leads_elsewhere(shard, llama):
    (llama / local.INDEX).write_text(json.dumps({"weight_map": {"model.norm.weight": shard}}))
    assert "only safetensors beside it are read" in refused()


@pytest.mark.parametrize("index", [{}, {"weight_map": []}, {"weight_map": {"a": 1}}, {"weight_map": {}}])
def test_an_index_that_names_no_files(index, llama):
    (llama / local.INDEX).write_text(json.dumps(index))
    assert "must name a file for every tensor" in refused()


def test_several_files_without_an_index_and_a_folder_in_place_of_a_file(llama):
    (llama / "more.safetensors").write_bytes(b"")
    assert "2 safetensors and no model.safetensors.index.json" in refused()
    (llama / "more.safetensors").unlink()
    os.remove(llama / "tokenizer.json")
    (llama / "tokenizer.json").mkdir()
    assert "tokenizer.json is not a plain file" in refused()


def test_a_denoiser_is_not_run_from_left_to_right(llama):
    (llama / "config.json").write_text(json.dumps({**CONFIGS["qwen2"], "model_type": "Dream"}))
    assert "answers by diffusion" in refused()


def test_the_folder_itself(root, monkeypatch):
    (root / "empty").mkdir()
    (root / "file").write_text("")
    assert local.models() == {} and local.folder() == root.resolve()
    monkeypatch.setenv(local.VARIABLE, str(root / "file"))
    with pytest.raises(SpecError, match="must name a folder"):
        local.models()
    monkeypatch.delenv(local.VARIABLE)
    assert local.folder() is None and local.models() == {}
    with pytest.raises(SpecError):
        local.files("tiny")
