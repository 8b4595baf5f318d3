"""No field of a config changes a count unsaid: python -m pytest tests/core/test_perturbations.py"""

import copy

import pytest

from core.count import cost
from core.errors import SpecError
from core.real import catalogue, intake

FIELDS = "params_total params_active cache_elements state_elements layers_by_kind buffers flops_per_token".split()
ROWS = catalogue.entries()


def counted(reading):
    """What must not change unsaid, at a context beyond every window."""
    c = cost.count(reading.spec, 50_000)
    return {field: getattr(c, field) for field in FIELDS}


def places(config):
    """Every field of a config and of the language model inside it: (object that holds it, name)."""
    inner = config.get("text_config")
    found = [("", name) for name in config if name != "text_config"]
    return found + [("text_config", name) for name in (inner if isinstance(inner, dict) else ())]


def changed(config, where, change):
    """A copy of a config with its object at `where` changed."""
    result = copy.deepcopy(config)
    change(result[where] if where else result)
    return result


def tried(config):
    """The reading of a changed config; None where it is refused in one sentence."""
    try:
        return intake.understood(config, "x").reading
    except SpecError as error:
        assert "\n" not in str(error) and str(error)
        return None


@pytest.mark.parametrize("key", ROWS)
def test_a_misspelt_field_gives_no_number(key):
    """Its name stands in the refusal, or that of a field which is then not understood."""
    config = ROWS[key].config
    for where, name in places(config):
        if where == "" and "text_config" in config:
            continue  # what stands outside a language model does not describe it

        def misspell(fields, name=name):
            fields[f"{name}_odd"] = fields.pop(name)

        if config.get(name, config.get(where, {}).get(name)) is None or name == "model_type":
            continue
        with pytest.raises(SpecError):
            intake.understood(changed(config, where, misspell), "x")


@pytest.mark.parametrize("key", ROWS)
def test_a_field_that_is_left_out_is_assumed_or_changes_nothing(key):
    config = ROWS[key].config
    before = counted(ROWS[key].reading)
    for where, name in places(config):
        after = tried(changed(config, where, lambda fields, name=name: fields.pop(name)))
        if (key, name) == ("mimo-v2-flash", "sliding_window_size"):
            continue  # `sliding_window`, which stands there too, counts one token less
        if after and counted(after) != before:
            assert set(after.assumed) - set(ROWS[key].reading.assumed), name


@pytest.mark.parametrize("key", ROWS)
def test_a_field_of_another_kind_is_refused_or_changes_nothing(key):
    config = ROWS[key].config
    before = counted(ROWS[key].reading)
    for where, name in places(config):
        for junk in ("x", -1, [{}], {"a": 1}, 10**13):
            after = tried(changed(config, where, lambda fields, name=name, junk=junk: fields.update({name: junk})))
            if after and counted(after) != before:
                assert set(after.assumed) - set(ROWS[key].reading.assumed), (name, junk)


@pytest.mark.parametrize("key", ["llama3-8b", "deepseek-v3", "gemma3-27b", "nemotron-h-8b"])
def test_a_field_that_nobody_knows_gives_its_name_and_no_number_unless_it_is_counted_without(key):
    config = ROWS[key].config
    before = counted(ROWS[key].reading)
    for value in (False, 0, "", [], {}, 1, 0.5, True, "x"):
        extended = changed(
            config, "text_config" if "text_config" in config else "", lambda f, v=value: f.update({"brand_new": v})
        )
        with pytest.raises(intake.NotUnderstood, match="brand_new") as told:
            intake.understood(extended)
        answers = {"without": list(told.value.fields)}
        assert counted(intake.understood({**extended, intake.ANSWERS: answers}).reading) == before
