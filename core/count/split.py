"""A layer split among devices: what one of them keeps and reads of it, what is repeated, what a prompt need not compute.

All are elements of one sequence (in `masked`: FLOPs), whatever their dtype; hardware.py makes bytes of them.
Letters: n tokens, E compressed entries. `devices` are those among which the heads are dealt out.
"""

from collections import Counter

from core.count.cost import COLUMNS
from core.model.ffn.moe import MoE
from core.model.mixers.attention import Attention
from core.model.mixers.borrowed import Borrowed
from core.model.mixers.compressed import Compressed
from core.model.mixers.latent import Latent
from core.model.mixers.parallel import Parallel
from core.model.mixers.sparse import Indexed
from core.model.mixers.unified import Unified
from core.model.spec import Layer

# The parts of a layer


def mixers(layer: Layer) -> tuple:
    """The mixers of a layer: none, one, or two side by side."""
    if isinstance(layer.mixer, Parallel):
        return layer.mixer.first, layer.mixer.second
    return (layer.mixer,) if layer.mixer else ()


def mixture(layer: Layer) -> MoE | None:
    """The routed experts of a layer, where it has them."""
    ffn = layer.ffn
    found = ffn if isinstance(ffn, MoE) else getattr(ffn, "experts", None)
    return found if isinstance(found, MoE) else None


def inner(mixer):
    """What another mixer stands in front of: its attention, or its latent."""
    if isinstance(mixer, (Borrowed, Unified)):
        return mixer.own
    return mixer.latent if isinstance(mixer, Indexed) else mixer


# What is kept


def up(n: int, page: int) -> int:
    """n in whole pages."""
    return -(-n // page) * page


def here(elements: int, heads: int, devices: int) -> int:
    """Elements on the fullest device when whole heads are dealt out; 0 heads: split evenly."""
    return elements * -(-heads // devices) // heads if heads else -(-elements // devices)


def held(mixer, n: int, page: int) -> int:
    """Elements that the cache takes up after n tokens, in whole pages, on a single device."""
    if isinstance(mixer, Compressed):
        kept = up(min(n, mixer.window), page) * mixer.width + up(mixer.entries(n), page) * (mixer.width + mixer.index_width)
        return kept + 2 * min(n, max(mixer.ratio - 1, 0)) * mixer.made  # room for the tokens of a block that is not whole yet
    elements = sum(mixer.cache(n).values())
    return elements * up(tokens := inner(mixer).reach.kept(n), page) // tokens if elements else 0


def kv_heads(mixer) -> int:
    """Key/value heads that can be dealt out to devices; 1 where all heads read the same (latents, compressed entries)."""
    return getattr(inner(mixer), "kv_heads", 1)


def on_one(mixer, elements: int, devices: int) -> int:
    """Of so many cached elements those on one device."""
    return here(elements, kv_heads(mixer), devices)


def remembered(layer: Layer, d_model: int, devices: int) -> tuple[int, int]:
    """State of a layer on one device that is kept in the cache's dtype, and in the state's own."""
    kept = Counter()
    for mixer in mixers(layer):
        heads = getattr(mixer, "value_heads", 0) or getattr(mixer, "heads", 0)
        for name, elements in mixer.state(d_model).items():
            repeated = name == "shift" or isinstance(mixer, Compressed)
            kept[name in COLUMNS] += elements if repeated else here(elements, heads, devices)
    for elements in (layer.ffn.state(d_model) if layer.ffn else {}).values():
        kept[True] += elements
    if layer.input_conv:
        kept[True] += here((layer.input_conv - 1) * d_model, 0, devices)
    return kept[True], kept[False]


# What is read


def read(mixer, n: int) -> int:
    """Elements that the n-th token reads of the cache, its own included, on a single device. Borrowed ones are read as well."""
    if isinstance(mixer, Compressed):
        entries = mixer.entries(n)
        picked = min(entries, mixer.top_k) if mixer.overlap else entries
        return (min(n, mixer.window) + picked) * mixer.width + entries * mixer.index_width
    if isinstance(mixer, Indexed):
        return sum(mixer.latent.cache(min(n, mixer.top_k)).values()) + n * mixer.kept
    own, elements = inner(mixer), sum(inner(mixer).cache(n).values())
    return elements * own.reach.reads(n) // own.reach.kept(n) if elements else 0


# What is repeated


def repeated(mixer, d_model: int, devices: int) -> int:
    """Weights that stand on more than one device, beyond their first copy."""
    own, copies = inner(mixer), devices - 1
    if isinstance(mixer, Compressed):
        lead = mixer.q_rank + mixer.width + 2 * mixer.made + mixer.index_heads
        return copies * (d_model * lead + mixer.q_rank * mixer.scorer)
    if isinstance(own, Latent):
        scorer = mixer.weights(d_model) if isinstance(mixer, Indexed) else 0
        return copies * (d_model * (own.kv_rank + own.rope_dim + own.q_rank) + scorer)
    if not isinstance(own, Attention) or isinstance(mixer, Borrowed):
        return 0
    width = own.k_dim + own.v_dim - (own.v_dim if isinstance(mixer, Unified) and mixer.one else 0)
    return (here(own.kv_heads, own.kv_heads, devices) * devices - own.kv_heads) * width * (d_model + own.qkv_bias)


def whole_copies(mixer, d_model: int, devices: int) -> int:
    """The same where every device holds the whole mixer."""
    return (devices - 1) * mixer.params(d_model)


# What a prompt need not compute


def unmasked(n: int, most: int) -> int:
    """Pairs of tokens in a prompt of n where each reads itself and those before it, at most so many."""
    grown = min(n, most)
    return grown * (grown + 1) // 2 + (n - grown) * most


def pairs(reach, n: int) -> int:
    """Pairs of tokens that attention visits in a prompt of n."""
    if reach.kind == "chunked":
        return n // reach.size * unmasked(reach.size, reach.size) + unmasked(n % reach.size, reach.size)
    return n * n if reach.kept(n) == 0 else unmasked(n, reach.kept(n))


def masked(mixer, d_model: int, n: int) -> int:
    """FLOPs of a prompt of n that are counted and that no kernel needs: tokens not yet written."""
    flops = mixer.flops(d_model, n, n)
    if isinstance(mixer, Compressed):
        E, most = mixer.entries(n), mixer.top_k if mixer.overlap else n
        read = min(n, mixer.window) + min(E, most)
        visited = unmasked(n, mixer.window)
        if E:
            visited += mixer.ratio * unmasked(E - 1, most) + (n - E * mixer.ratio + 1) * min(E, most)
        return flops["attention"] - flops["attention"] * visited // (n * read)
    if isinstance(mixer, Indexed):
        most = min(n, mixer.top_k)
        scan = 2 * mixer.heads * mixer.kept * (n * n - unmasked(n, n))
        return flops["attention"] - flops["attention"] * unmasked(n, most) // (n * most) + scan
    reach = getattr(inner(mixer), "reach", None)
    if reach is None:
        return 0
    return flops["attention"] - flops["attention"] * pairs(reach, n) // (n * reach.span(n))
