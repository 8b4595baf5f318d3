"""The workbench: every section, edits, links, what is handed in: python -m pytest tests/app/test_workbench_page.py"""

import html
import json
import random
import re

import pytest

from app import bench, state
from app.figures.modules import Modules
from app.palette import PALETTE
from core import units
from core.__main__ import main
from core.count import hardware
from core.lessons import workbench as lesson
from core.lessons.inference import lesson as inference
from core.real import catalogue, oracles
from core.real.reference import count as reference
from core.shape import design
from tests.app.opening import fine, opened, text

SECTIONS = ("See", "Twin", "Cost", "Disagree", "Own weights", "Files")
LLAMA = catalogue.entries()["llama3-8b"]


def page(**query):
    return opened("workbench", **query)


def held(at) -> lesson.Design:
    return at.session_state[bench.DESIGN]


def errors(at) -> list[str]:
    return [re.sub("<[^>]+>", "", e.proto.body) for e in at.get("html") if 'class="cw-error' in e.proto.body]


def paint(at, pattern: str):
    return fine(at.text_input(key="cw-pattern").set_value(pattern).run())


def paste(at, value: str):
    return fine(at.text_area(key="own-text").set_value(value).run())


def letters(at) -> str:
    return design.letters(held(at).spec)["mixer"]


@pytest.mark.parametrize(
    "model", ["llama3-8b", "gemma4-26b-a4b", "trm-7m", "llada-8b", "falcon-h1-7b", "nemotron-3-nano-30b-a3b"]
)
@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_of_every_kind_of_model(section, model):
    at = page(model=catalogue.entries()[model].name, section=section)
    assert held(at).base == model and at.segmented_control(key="section").value == section
    assert not [e for e in errors(at) if "counted only" not in e]


def test_the_blank_page_and_its_sections():
    for section in SECTIONS:
        at = page(model=design.BLANK, section=section)
        assert held(at).spec == design.blank() and not errors(at)


def test_the_first_sentence_is_the_verdict_and_follows_the_controls():
    for devices in (1, 8):
        at = page(model="DeepSeek-V3", devices=str(devices), users="4", context="32k")
        place = inference.deploy(held(at).reading, inference.ACCELERATOR, devices, 4, 32 << 10)
        assert hardware.verdict_text(held(at).spec, place, held(at).reading.state_dtype) in text(at)


def test_a_pattern_paints_undo_and_start_over_take_back():
    at = page()
    paint(at, "LLLLLG")
    assert letters(at) == ("LLLLLG" * 6)[:32] and held(at).spec.name == "Llama 3 8B, painted"
    paint(at, "D")
    assert letters(at) == "D" * 32
    fine(at.button(key="cw-undo").click().run())
    assert letters(at) == ("LLLLLG" * 6)[:32]
    fine(at.button(key="cw-restart").click().run())
    assert held(at).spec == LLAMA.reading.spec


def test_a_pattern_that_is_none_is_refused_and_changes_nothing():
    at = page()
    paint(at, "QQ")
    assert len(errors(at)) == 1 and "letters" in errors(at)[0] and held(at).spec == LLAMA.reading.spec
    assert not errors(fine(at.run()))  # said once


def test_sizes_change_the_design_or_say_why_not():
    at = page()
    fine(at.number_input(key="cw-size-depth").set_value(40).run())
    assert len(held(at).spec.layers) == 40
    fine(at.selectbox(key="cw-size-kv").set_value(2).run())
    assert held(at).spec.layers[0].mixer.kv_heads == 2
    fine(at.number_input(key="cw-size-heads").set_value(33).run())
    assert "must divide" in errors(at)[0] and held(at).spec.layers[0].mixer.heads == 32
    assert at.number_input(key="cw-size-heads").value == 32


def test_another_model_begins_anew():
    at = page()
    paint(at, "D")
    fine(at.selectbox(key="model").set_value("gemma3-1b").run())
    assert held(at).base == "gemma3-1b" and not held(at).painted


def test_a_link_opens_the_same_design():
    at = page()
    paint(at, "LLLLLG")
    d = held(at)
    again = page(model=LLAMA.name, s=bench.pack(d), v="1")
    assert held(again) == d and not errors(again)
    paint(again, "D")  # and goes on from there
    assert letters(again) == "D" * 32


@pytest.mark.parametrize(
    "s", ["nonsense", "AAAA", "a" * 5000, state.pack({"config": 3}, {}), state.pack({"spec": {"kinds": []}}, {})]
)
def test_a_link_gone_wrong_is_one_sentence(s):
    at = page(s=s)
    assert len(errors(at)) == 1 and held(at).spec == LLAMA.reading.spec


def test_a_pasted_config_is_counted_and_travels_in_the_link():
    at = page()
    paste(at, json.dumps({**LLAMA.config, "num_hidden_layers": 7, "_name_or_path": "org/seven", "odd_field": 3}))
    assert held(at).taken is None and "odd_field is not understood" in text(at)
    fine(at.toggle(key="own-0-without").set_value(True).run())
    d = held(at)
    assert d.spec.name == "seven" and len(d.spec.layers) == 7 and "odd_field" in text(at)
    again = page(s=bench.pack(d))
    assert held(again).spec == d.spec and held(again).config == d.config


def test_a_pasted_cutaway_file_is_the_design_again():
    at = page()
    paint(at, "DDDG")
    d = held(at)
    other = page()
    paste(other, lesson.cutaway_file(d))
    assert held(other).spec == d.spec


@pytest.mark.parametrize(
    "nonsense", ["{", "[]", "hello", "meta-llama/Llama-3.1-8B", '{"model_type": "x"}', '{"cutaway": 1, "kinds": 3}']
)
def test_nonsense_is_one_sentence_and_the_page_stays(nonsense):
    at = page()
    paste(at, nonsense)
    assert len(errors(at)) == 1 and held(at).spec == LLAMA.reading.spec and "Fits on" in text(at)


def test_an_unknown_family_is_refused_in_the_words_of_the_command_line(capsys, tmp_path):
    """A renamed Qwen3 8B reads like several known families: there is one sentence, and no number, in both places."""
    renamed = json.dumps({**catalogue.entries()["qwen3-8b"].config, "model_type": "qwen3_next_big_thing"})
    (tmp_path / "config.json").write_text(renamed)
    assert main(["inspect", str(tmp_path / "config.json")]) == 2
    out, err = capsys.readouterr()
    at = page()
    paste(at, renamed)
    assert errors(at) == [html.escape(err.removeprefix("error: ").strip() + ".")] and not out
    assert held(at).spec == LLAMA.reading.spec


def test_a_design_too_large_for_a_link_says_so_and_offers_the_file():
    rng = random.Random(0)
    at = page(section="Files")
    labels = {f"{rng.getrandbits(80):x}": f"{rng.getrandbits(80):x}" for _ in range(200)}
    paste(at, json.dumps({**LLAMA.config, "id2label": labels}))
    assert held(at).taken and "data-refused" in text(at) and "No link." in text(at) and "s" not in at.query_params
    paste(at, "")
    assert "data-refused" not in text(at)


def test_the_twin_says_that_its_weights_are_random_and_measures_what_is_counted():
    at = page(model="Qwen3-Next 80B-A3B", section="Twin")
    said = text(at)
    assert "random weights" in said and said.count("measured") >= 3 and "cw-check differs" not in said
    fine(at.text_input(key="prompt").set_value("one").run())
    assert "at least two words" in errors(at)[0]


def test_a_layer_that_is_painted_over_leaves_the_picture():
    at = page(model="Qwen3-Next 80B-A3B", section="Twin")
    last = at.selectbox(key="layer").options[-1]
    fine(at.selectbox(key="layer").set_value(last).run())
    paint(at, "M")
    assert not errors(at) and last not in (at.selectbox(key="layer").options if held(at).painted else ())


def test_what_has_no_module_says_counted_only():
    assert "counted only" in errors(page(model=catalogue.entries()["deepseek-v4-flash"].name, section="Twin"))[0]


def test_two_visitors_do_not_meet():
    one, two = page(), page()
    paint(one, "D")
    paint(two, "M")
    fine(one.run())
    assert (letters(one), letters(two)) == ("D" * 32, "M" * 32)


def test_a_design_in_which_no_layer_mixes_tokens_is_shown():
    for section in SECTIONS:
        at = page(section=section)
        paint(at, "N")
        assert letters(at) == "N" * 32 and "keeps nothing" in text(at)


def test_the_first_lines_agree_on_the_weights_of_a_release():
    said = text(page(model="gpt-oss-120b"))
    both = units.sized(inference.released_bytes(catalogue.entries()["gpt-oss-120b"].reading))
    assert f"weights {both}" in said and "weights 62.1 GB" not in said


def test_the_report_of_a_painted_design_holds_the_design():
    at = page(section="Disagree")
    assert '"cutaway"' not in text(at)
    paint(at, "LLLLLG")
    assert '"cutaway"' in text(at)


def test_a_file_beside_a_text_says_which_is_used():
    at = page()
    fine(at.file_uploader(key="own-file").set_value(("mine.json", json.dumps(LLAMA.config).encode(), "application/json")).run())
    paste(at, json.dumps(catalogue.entries()["qwen3-8b"].config))
    assert held(at).spec.name == "mine" and "mine, the file, is used." in text(at)


def test_published_figures_stand_beside_ours_and_those_that_differ_say_why():
    columns, printed, differ = lesson.published()
    assert len(printed) == len(oracles.rows()) and differ == sum(not o.agrees for o in oracles.rows()) > 0
    assert all(bool(row[3]) == (row[1] != row[2]) for row in printed)
    said = text(page(section="Disagree"))
    assert all(word in said for word in columns) and printed[0][1] in said


GRANITE = {
    "model_type": "granite", "_name_or_path": "ibm-granite/granite-3.0-8b-base", "hidden_size": 4096, "num_hidden_layers": 40,
    "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 12800, "vocab_size": 49155,
    "tie_word_embeddings": True, "torch_dtype": "bfloat16", "odd_field": 3,
}  # fmt: skip


def test_a_family_that_is_not_read_is_counted_by_its_class(capsys, tmp_path):
    """The same numbers as on the command line, and the field that the class does not use; taken away, the design is back."""
    at = page(context="8k")
    before = held(at)
    paste(at, json.dumps(GRANITE))
    said = text(at)
    assert "8,170,848,256" in said and "GraniteForCausalLM" in said and "odd_field" in said and not errors(at)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(GRANITE))
    assert main(["inspect", str(path), "--context", "8192", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert units.binary(row["cache_bytes"]) in said and units.binary(row["weight_bytes"]) in said
    assert "does not fit" not in said and "fits on" in said
    paste(at, "")
    assert held(at) == before and "GraniteForCausalLM" not in text(at)


def test_what_stores_weights_in_another_way_is_not_said_to_fit():
    at = page()
    paste(at, json.dumps({**GRANITE, "quantization_config": {"quant_method": "gptq", "bits": 4}}))
    assert "cannot be known" in text(at) and "not derived" in text(at)


def test_other_pages_say_where_such_a_model_is_counted():
    at = opened("compare")
    fine(at.text_area(key="config-text").set_value(json.dumps(GRANITE)).run())
    assert "Counted by GraniteForCausalLM" in text(at) and "workbench" in text(at)


def test_modules_are_as_long_as_their_share():
    """No bar is shorter than what is inside it, tied tables included; the table sums up what stands beside each other."""
    tied = reference.count(GRANITE)
    drawn = Modules("granite", tied.modules)
    bars = drawn.figure(PALETTE["light"]).data[0]
    values = dict(zip(bars.ids, bars.values))
    for path, value in values.items():
        assert value >= sum(v for other, v in values.items() if dict(zip(bars.ids, bars.parents))[other] == path)
    layers = next(size for _, _, name, size in drawn.lines() if name == "layers ModuleList")
    assert ("40 × GraniteDecoderLayer", layers) in [(name, size) for _, _, name, size in drawn.lines()]
    assert drawn.table["parameters"][0] == tied.whole and "8.17 B" in drawn.alt
