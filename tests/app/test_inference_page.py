"""The page on inference: every section opened, every control moved, every model shown."""

import json
from functools import partial

import pytest

from core.count import hardware
from core.lessons.inference import lesson
from core.real import catalogue
from tests.app import opening
from tests.app.opening import drawn, ends, every, fine, text

SECTIONS = ("See", "Count", "Who fits", "Read")

opened = partial(opening.opened, "inference")


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_opens_and_every_control_moves(section):
    """To all of its values in the first section, in the others to both ends and one in the middle."""
    at, pick = opened(section=section), every if section == "See" else ends
    assert at.segmented_control(key="section").value == section
    for key, values in {"devices": (64, 2), "users": (1, 4096, 16)}.items():
        for value in values:
            fine(at.select_slider(key=key).set_value(value).run())
    for value in ("1k", "1M", "8k"):
        fine(at.select_slider(key="context").set_value(value).run())
    for key, values in {
        "weights": lesson.DTYPES,
        "cache": lesson.DTYPES,
        "split": hardware.SPLITS,
        "paging": (1, 128),
        "reserve": (0, 30),
    }.items():
        for value in pick(tuple(values)):
            fine(at.segmented_control(key=key).set_value(value).run())
    for value in pick(tuple(lesson.cards())):
        fine(at.selectbox(key="accelerator").set_value(value).run())
    fine(at.number_input(key="price").set_value(2.5).run())
    for value in ("trm-7m", "xlstm-7b", "llada-8b"):
        fine(at.selectbox(key="model").set_value(value).run())


def test_no_control_is_without_a_test():
    known = {
        "model", "accelerator", "devices", "context", "users", "weights", "cache", "split", "paging", "reserve", "price",
        "cw-pick-preset", "section", "stage", "inference-file", "inference-text",
    }  # fmt: skip
    assert set(drawn(opened())) <= known


@pytest.mark.parametrize("section", ["See", "Count"])
def test_every_model_is_shown(section):
    at = opened(section=section)
    for key, entry in catalogue.entries().items():
        fine(at.selectbox(key="model").set_value(key).run())
        r = entry.reading
        d = lesson.deploy(r, lesson.ACCELERATOR, 1, 16, 8192)
        assert hardware.verdict_text(r.spec, d, r.state_dtype) in text(at), key


def test_presets_set_the_controls_and_the_verdict():
    at = opened()
    for name, values in lesson.presets().items():
        fine(at.pills(key="cw-pick-preset").set_value(name).run())
        assert at.selectbox(key="model").value == values["model"] and at.select_slider(key="devices").value == values["devices"]
        assert at.pills(key="cw-pick-preset").value == name and "Fits on" in text(at)


def test_a_price_turns_device_hours_into_money():
    at = opened(section="Count")
    assert "device-hours per million tokens" in text(at)
    fine(at.number_input(key="price").set_value(3.0).run())
    assert "your currency per million tokens" in text(at) and "device-hours per" not in text(at)


def test_what_the_reader_must_know_is_said_where_it_applies():
    at = opened(model="DeepSeek-V3", devices="8", context="1M")
    assert "every cached number is kept 8 times" in text(at) and "The config goes to 163,840 tokens only" in text(at)
    fine(at.segmented_control(key="split").set_value("users").run())
    assert "is kept 8 times" not in text(at)
    assert "keeps no cache" in text(opened(model="LLaDA 8B"))
    assert "A board of 97 positions" in text(opened(model="TRM 7M"))


def test_a_config_of_ones_own_is_taken_and_nonsense_refused():
    at = opened()
    config = '{"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 99}'
    fine(at.text_area(key="inference-text").set_value(config).run())
    assert "Weights 16.1 GB" not in text(at) and "Fits on 1 × H100 SXM" in text(at)
    fine(at.text_area(key="inference-text").set_value("{not json").run())
    assert "Weights 16.1 GB" in text(at) and 'role="alert"' in text(at)


@pytest.mark.parametrize(
    "query", [{"devices": "7"}, {"context": "9"}, {"model": "x"}, {"price": "abc"}, {"weights": "fp3"}, {"users": "-1"}]
)
def test_nonsense_in_a_link_means_the_defaults_and_is_said(query):
    shown = text(opened(**query))
    assert "57 users at 8,192 tokens each" in shown and f"“{next(iter(query.values()))}” (“" in shown
    assert "Not accepted" not in text(opened(devices="8"))


def test_no_number_of_the_verdict_is_typed_in(monkeypatch):
    monkeypatch.setattr(lesson.hardware, "verdict_text", lambda *asked: "Swapped sentence.")
    lesson.scene.cache_clear()
    assert "Swapped sentence." in text(opened())
    lesson.scene.cache_clear()


def test_a_config_of_ones_own_is_named_and_what_is_not_understood_stops_the_count():
    at = opened()
    config = {**catalogue.entries()["llama3-8b"].config, "fancy_window": 512, "_name_or_path": "me/mine"}
    fine(at.text_area(key="inference-text").set_value(json.dumps(config)).run())
    assert "fancy_window is not understood and may change every count" in text(at) and "mine:" not in text(at)
    fine(at.toggle(key="inference-0-without").set_value(True).run())
    assert "mine: weights 16.1 GB" in text(at) and "Not understood and not counted: fancy_window." in text(at)


def test_a_release_whose_bytes_are_not_known_asks_for_bits_a_weight():
    flash = catalogue.entries()["deepseek-v4-flash"].config
    unread = {**flash["quantization_config"], "modules_to_not_convert": ["re:(ab+)+$"]}
    config = {**flash, "quantization_config": unread, "_name_or_path": "me/mine"}
    at = opened()
    fine(at.text_area(key="inference-text").set_value(json.dumps(config)).run())
    assert (
        "in a way that is not understood" in text(at)
        and "Whether it fits cannot be known" in text(at)
        and "mine:" not in text(at)
    )
    fine(at.number_input(key="inference-0-bits").set_value(4.5).run())
    assert "mine: weights 160 GB" in text(at) and "Weights are taken to be in 4.5 bits, as you said" in text(at)
    assert "cannot be known" not in text(opened(model="DeepSeek-V3")) + text(opened(model="DeepSeek-V4-Flash"))


def test_a_release_of_several_dtypes_is_counted_in_them():
    at = opened(model="DeepSeek-V4-Flash", section="Count", accelerator="H200 SXM")
    assert "weights 156 GB (145 GiB)" in text(opened(model="DeepSeek-V4-Flash", devices="1"))
    assert "277 B in mxfp4, 5.86 B in fp8, 1.41 B in bfloat16, 35.3 M in float32; scales included" in text(at)
    assert "weights 284" not in text(opened(model="DeepSeek-V4-Flash", devices="1"))


def test_no_limit_is_told_that_the_config_does_not_tell():
    kimi = next(e for e in catalogue.entries().values() if e.key == "kimi-linear-48b")
    assert "The config goes to" not in text(opened(model=kimi.name, context="1M"))
    assert "The config goes to 8,192 tokens only" in text(opened(model="Llama 3 8B", context="1M"))
