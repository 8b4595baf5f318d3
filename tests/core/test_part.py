"""What every class of part answers, and that a question about a part looks into all that it is made of."""

from dataclasses import replace

import pytest

from core.errors import CountedOnly
from core.lessons import card
from core.model.mixers.cells import Cells
from core.model.part import D_MODEL, Ffn, Mixer, Part, inside
from core.model.registry import BASE, EXAMPLES, FFN, MAMBA2, MLA, PAGES, PARTS, small
from core.model.rope import Rope
from core.model.spec import Layer
from core.real import catalogue
from core.shape import design, ladder, wording

ASIDE = replace(MAMBA2, norm=False)
PARALLEL = next(kind for kind in PARTS if kind.__name__ == "Parallel")


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


@pytest.fixture(scope="module")
def found():
    """A part of every class, from the examples and the catalogue."""
    board = small("board", Layer(Cells(25, 40), FFN))  # no example, as it takes one length only
    specs = [board, *EXAMPLES, *(row.reading.spec for row in catalogue.entries().values())]
    return {type(part): part for spec in specs for layer in dict.fromkeys(spec.layers) for part in layer.parts()}


@pytest.mark.parametrize("kind", PARTS, ids=lambda kind: kind.__name__)
def test_a_part_says_all_that_is_asked_of_it(kind, found):
    """Words, a name in errors, a place in designs, and how it shrinks; a part that has a module but does not shrink, or the other
    way round, would be called counted only, or fail to run."""
    assert kind in found, f"no example and no row of the catalogue has {kind.__name__}"
    part, base = found[kind], Mixer if issubclass(kind, Mixer) else Ffn
    words = part.in_words()
    assert words.label and words.brief and words.detail
    assert all(page in {"", *(page.name for page in PAGES)} for _, page in words.techniques)
    assert kind.family and wording.PARTS[kind.prefix] == kind.called
    assert design.made(design.value_as_json(part), base, "part") == part
    if kind.build is Part.build:
        assert kind.small is Part.small and not part.is_runnable
        with pytest.raises(CountedOnly, match=kind.family):
            part.small()
    else:
        assert kind.small is not Part.small, f"{kind.__name__} has a module and does not say how it shrinks"
        assert sum(p.numel() for p in part.small().build(D_MODEL).parameters()) == part.small().params(D_MODEL)


def test_everything_inside_a_part_is_found():
    part = PARALLEL(MLA, ASIDE)
    assert list(inside(part)) == [part, MLA, ASIDE]
    assert list(inside(part, type(MLA))) == [MLA]
    assert list(inside(None)) == []
