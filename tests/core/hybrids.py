"""Configs of recurrent, hybrid, sparse and recursive models and their true counts, for the tests beside this file."""

import copy
import json
from pathlib import Path

from core.count import cost
from core.real import catalogue
from core.real.hf import reader

FOLDER = Path(__file__).resolve().parents[2]
TOLD = json.loads((FOLDER / "tests" / "data" / "truth_hybrids.json").read_text())
ROWS = {row["key"]: json.loads((catalogue.FOLDER / f"{row['key']}.json").read_text()) for row in TOLD}
SOURCES = {row["key"]: row["config_source"] for row in TOLD}
TRUTH = {row["key"]: row["truth"] for row in TOLD if row["truth"]}
LIVE = ("llada-8b", "dream-7b")
THEIRS = [key for key, row in ROWS.items() if row["reference_class"] and key not in LIVE]


def config(key, **changes):
    """A row's config with fields changed, those of a language model inside a larger one there; ... takes one out."""
    told = ROWS[key]["config"]
    if "text_config" in told and "text_config" not in changes:
        changes = {"text_config": {**told["text_config"], **changes}}
    return {name: value for name, value in {**told, **changes}.items() if value is not ...}


def read(key, **changes):
    """Such a config, read."""
    return reader.read(copy.deepcopy(config(key, **changes)), key)


def count(key, context=4096, **options):
    """A row, counted."""
    return cost.count(read(key).spec, context, **options)
