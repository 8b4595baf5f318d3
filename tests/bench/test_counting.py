"""Counting one model against instantiating it in transformers without memory: python -m pytest tests/bench/test_counting.py -s

Both start from the same config in the same process, in turn; the ratio of the medians is bounded. No round
finds what an earlier one counted.
"""

import copy
import time
from statistics import median

import pytest
import torch

from core.count import cost
from core.real import catalogue
from core.real.hf import reader
from tests.core.test_hf_parity import CODE

ROUNDS, RATIO = 5, 1 / 5  # ours takes a fifth of theirs at most
KEYS = ("llama3-8b", "qwen3-235b-a22b", "deepseek-v3", "gemma3-27b")


def ours(config) -> int:
    """Read, and count everything."""
    cost.layer_cost.cache_clear()
    return cost.count(reader.read(copy.deepcopy(config)).spec, 32_768).params_total


def theirs(config) -> int:
    """Instantiate on the meta device, and count parameters alone."""
    from transformers import AutoConfig, AutoModelForCausalLM

    own = copy.deepcopy(config.get("text_config", config))
    own = {**own, "model_type": CODE.get(own["model_type"], own["model_type"])}
    own.pop("quantization_config", None)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**own))
    return sum(p.numel() for p in model.parameters())


def clocked(count, config) -> tuple[float, int]:
    """Seconds, and what was counted."""
    start = time.perf_counter()
    found = count(config)
    return time.perf_counter() - start, found


@pytest.mark.parametrize("key", KEYS)
def test_counting_is_faster_than_instantiating_without_memory(key):
    config = catalogue.entries()[key].config
    assert ours(config) == theirs(config)  # and everything is imported
    rounds = [(clocked(ours, config)[0], clocked(theirs, config)[0]) for _ in range(ROUNDS)]
    mine, reference = (median(column) for column in zip(*rounds))
    print(f"\n{key}: {1e3 * mine:.1f} ms against {1e3 * reference:.1f} ms, ratio {mine / reference:.4f}")
    assert mine < RATIO * reference
