"""What every class of part answers, and that a question about a part looks into all that it is made of."""

from dataclasses import replace
from importlib import import_module
from inspect import isabstract
from pkgutil import iter_modules

import pytest

from core.lessons import card
from core.model import ffn, mixers
from core.model.part import Part, inside
from core.model.parts import PARTS
from core.model.registry import BASE, FFN, MAMBA2, MLA, small
from core.model.rope import Rope
from core.model.spec import Layer
from core.shape import ladder

ASIDE = replace(MAMBA2, norm=False)
PARALLEL = next(kind for kind in PARTS if kind.__name__ == "Parallel")


def classes():
    """Every class of part that a file of mixers or ffn defines."""
    for package in (mixers, ffn):
        for module in iter_modules(package.__path__):
            found = vars(import_module(f"{package.__name__}.{module.name}")).values()
            yield from (c for c in found if isinstance(c, type) and issubclass(c, Part) and not isabstract(c))


def test_the_list_of_parts_has_every_class():
    assert set(classes()) == set(PARTS)


@pytest.mark.parametrize("first", [replace(BASE, rope=Rope()), replace(MLA, rope=Rope())], ids=("attention", "latent"))
@pytest.mark.parametrize("swapped", [False, True])
def test_attention_without_rope_is_marked_beside_a_state_as_well(first, swapped):
    pair = (ASIDE, first) if swapped else (first, ASIDE)
    spec = small("side by side", Layer(BASE, FFN), Layer(PARALLEL(*pair), FFN))
    turned, still = ladder.labels(spec)
    assert not turned[0].endswith(ladder.STILL) and still[0].endswith(ladder.STILL)


@pytest.mark.parametrize("swapped", [False, True])
def test_a_latent_beside_a_state_counts_with_its_own_heads(swapped):
    pair = (ASIDE, MLA) if swapped else (MLA, ASIDE)
    alone, beside = (small("one", Layer(mixer, FFN)) for mixer in (MLA, PARALLEL(*pair)))
    assert card.multi_head(beside) == card.multi_head(alone) == 4 * (8 + 4 + 6) == 72


def test_everything_inside_a_part_is_found():
    part = PARALLEL(MLA, ASIDE)
    assert list(inside(part)) == [part, MLA, ASIDE]
    assert list(inside(part, type(MLA))) == [MLA]
    assert list(inside(None)) == []
