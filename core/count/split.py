"""A layer split among devices: what one of them keeps and reads of it.

Mixers say themselves what they keep in pages, what they read and what of them is repeated; here it
is dealt out. All are elements of one sequence, whatever their dtype; hardware.py makes bytes of them. `devices` are those among
which the heads are dealt out.
"""

from collections import Counter

from core.count.cost import COLUMNS
from core.model.part import Mixer
from core.model.spec import Layer


def mixers(layer: Layer) -> tuple[Mixer, ...]:
    """The mixers of a layer: none, one, or two side by side."""
    return layer.mixer.side_by_side() if layer.mixer else ()


def mixture(layer: Layer):
    """The routed experts of a layer, where it has them."""
    return layer.ffn.routed if layer.ffn else None


def here(elements: int, heads: int, devices: int) -> int:
    """Elements on the fullest device when whole heads are dealt out; 0 heads: split evenly."""
    return elements * -(-heads // devices) // heads if heads else -(-elements // devices)


def on_one(mixer: Mixer, elements: int, devices: int) -> int:
    """Of so many cached elements those on one device."""
    return here(elements, mixer.cached_heads, devices)


def remembered(layer: Layer, d_model: int, devices: int) -> tuple[int, int]:
    """State of a layer on one device that is kept in the cache's dtype, and in the state's own."""
    kept: Counter = Counter()
    for mixer in mixers(layer):
        for name, elements in mixer.state(d_model).items():
            whole = name in mixer.repeated_state
            kept[name in COLUMNS] += elements if whole else here(elements, mixer.state_heads, devices)
    for elements in (layer.ffn.state(d_model) if layer.ffn else {}).values():
        kept[True] += elements
    if layer.input_conv:
        kept[True] += here((layer.input_conv - 1) * d_model, 0, devices)
    return kept[True], kept[False]


def whole_copies(mixer: Mixer, d_model: int, devices: int) -> int:
    """Weights beyond their first copy where every device holds the whole mixer."""
    return (devices - 1) * mixer.params(d_model)
