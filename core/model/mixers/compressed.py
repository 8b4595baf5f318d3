"""DeepSeek-V4's attention: the last tokens as they are, and everything before in compressed entries, one for every few tokens.

Glossary
    H   heads       query heads; all of them read one head of keys, which are the values too
    d   width       width of that head
    w   window      tokens that are read uncompressed
    m   ratio       tokens that become one entry; 0: the layer has its window only
    o   overlap     entries also draw on the block before theirs; such layers have a scorer (h heads of u numbers, `top_k` picks)
    r'  q_rank      width of the compressed query; `o_groups` groups of heads leave through `o_rank` numbers each
    D   d_model     width of the residual stream

    k_t = rotate(norm(x_t W_kv))                          kept for the last w tokens, key and value in one
    e_j = norm(sum over the block of softmax(x W_g + p) * x W_c)      (d, kept), one after every m tokens; p learned
    scorer: as in DeepSeek-V3.2, on entries of its own (u, kept)
    y = attention over window and entries (or the picked ones), with sinks;  out = W_b(W_a y), W_a group by group

Kept after n tokens: min(n, w) keys, n // m entries, the n mod m tokens that wait for their block, twice (W_c and W_g), and where
blocks overlap the last whole block likewise.

Papers: DeepSeek-V4 (technical report, no arXiv number known to us), DeepSeek-V3.2 (arXiv 2512.02556). Simplified: formulas only;
the module follows.
"""

from dataclasses import dataclass

from core.errors import SpecError, divides
from core.model.blocks import unmasked, up
from core.model.part import SLIDING, Mixer, Words


@dataclass(frozen=True)
class Compressed(Mixer):
    """Configuration and formulas, in elements."""

    heads: int
    width: int
    q_rank: int
    o_groups: int
    o_rank: int
    window: int
    ratio: int = 0
    overlap: bool = False
    index_heads: int = 0
    index_width: int = 0
    top_k: int = 0
    norm_eps: float = 1e-6

    name = "self_attn"
    family = "compressed attention"
    prefix, called = "compressed", "compressed attention"
    limits = {"window": (1, 1 << 30), **dict.fromkeys(("ratio", "index_heads", "index_width", "top_k"), (0, 1 << 30))}
    repeated_state = ("columns",)

    def __post_init__(self):
        super().__post_init__()
        divides("compressed.o_groups", self.o_groups, "compressed.heads", self.heads)
        if not self.overlap == bool(self.index_heads) == bool(self.index_width) == bool(self.top_k):
            raise SpecError("compressed.overlap must go with index_heads, index_width and top_k, all or none")
        if self.overlap and not self.ratio:
            raise SpecError("compressed.ratio must be at least 1 where blocks overlap")

    @property
    def kind(self) -> str:
        """sliding where there are no entries."""
        return "compressed" if self.ratio else "sliding"

    @property
    def made(self) -> int:
        """Numbers that a token gives to entries: to its own block's, to the next one's, to the scorer's."""
        return (self.ratio > 0) * (1 + self.overlap) * (self.width + self.index_width)

    @property
    def scorer(self) -> int:
        """Numbers of all the scorer's heads."""
        return self.index_heads * self.index_width

    def weights(self, d_model: int) -> int:
        """Elements of the matrices: queries in two steps, keys, output in two steps; entries and their gates; the scorer."""
        queries = self.q_rank * (d_model + self.heads * self.width + self.scorer)
        output = self.o_rank * (self.heads * self.width + self.o_groups * d_model)
        return queries + output + d_model * (self.width + 2 * self.made + self.index_heads)

    def params(self, d_model: int) -> int:
        """Learned numbers: matrices, sinks, norms of query, keys and entries, a place's share in a block."""
        entries = self.ratio * self.made + (self.ratio > 0) * (self.width + self.index_width)
        return self.weights(d_model) + self.heads + self.q_rank + self.width + entries

    def shapes(self, d_model: int) -> dict[str, tuple[int, ...]]:
        """Every learned tensor, by the name that transformers gives it: what a module would hold, to see how a file stores it."""
        wide, low = self.heads * self.width, self.o_groups * self.o_rank
        found = {
            "q_a_proj.weight": (self.q_rank, d_model), "q_a_norm.weight": (self.q_rank,), "q_b_proj.weight": (wide, self.q_rank),
            "kv_proj.weight": (self.width, d_model), "kv_norm.weight": (self.width,), "sinks": (self.heads,),
            "o_a_proj.weight": (low, wide // self.o_groups), "o_b_proj.weight": (d_model, low),
        }  # fmt: skip
        if self.ratio:
            found |= self.making("compressor", self.width, d_model)
        if self.overlap:
            found |= self.making("compressor.indexer", self.index_width, d_model)
            found["compressor.indexer.q_b_proj.weight"] = (self.scorer, self.q_rank)
            found["compressor.indexer.scorer.weights_proj.weight"] = (self.index_heads, d_model)
        return found

    def making(self, name: str, width: int, d_model: int) -> dict[str, tuple[int, ...]]:
        """The tensors that make entries of a width: W_c, W_g, p and the norm."""
        both = (1 + self.overlap) * width
        return {
            f"{name}.kv_proj.weight": (both, d_model), f"{name}.gate_proj.weight": (both, d_model),
            f"{name}.position_bias": (self.ratio, both), f"{name}.kv_norm.weight": (width,),
        }  # fmt: skip

    def entries(self, n: int) -> int:
        """Compressed entries after n tokens."""
        return n // self.ratio if self.ratio else 0

    def cache(self, n: int) -> dict[str, int]:
        waiting = n % self.ratio if self.ratio else 0
        return {
            "window": min(n, self.window) * self.width,
            "entries": self.entries(n) * self.width,
            "index_entries": self.entries(n) * self.index_width,
            "waiting": 2 * waiting * self.made,
        }

    def state(self, d_model: int) -> dict[str, int]:
        """Elements kept that do not grow: what the last whole block's tokens give to the next one's entry."""
        return {"columns": 2 * self.ratio * (self.width + self.index_width)} if self.overlap else {}

    def flops(self, d_model: int, queries: int, context: int) -> dict[str, int]:
        entries = self.entries(context)
        read = min(context, self.window) + (min(entries, self.top_k) if self.overlap else entries)
        return {
            "projections": 2 * queries * self.weights(d_model),
            "attention": 2 * queries * self.heads * 2 * self.width * read,
            "compression": 2 * queries * self.made,
            "indexer": 2 * queries * self.scorer * entries,
        }

    def in_words(self) -> Words:
        entries = f"1 entry for {self.ratio}" if self.ratio else ""
        label = f"window {self.window:,}" + (f", {entries}" + (f", top {self.top_k:,}" if self.top_k else "")) * bool(self.ratio)
        detail = f"{self.heads} heads of {self.width} · window {self.window}" + f" · {entries}" * bool(self.ratio)
        made, picked = ("Compressed entries", "sparse_attention"), ("Sparse reading", "sparse_attention")
        techniques = (SLIDING, *[made] * bool(self.ratio), *[picked] * bool(self.top_k))
        return Words(label, f"entries/{self.ratio}" if self.ratio else "local", detail, techniques=techniques)

    @property
    def unshared(self) -> int:
        return 2 * self.heads * self.width

    @property
    def bends(self) -> set[int]:
        return {self.window, max(1, self.ratio * self.top_k)}

    @property
    def steps(self) -> set[int]:
        return {self.ratio} if self.ratio else set()

    def paged(self, n: int, page: int) -> int:
        kept = up(min(n, self.window), page) * self.width + up(self.entries(n), page) * (self.width + self.index_width)
        return kept + 2 * min(n, max(self.ratio - 1, 0)) * self.made  # room for the tokens of a block that is not whole yet

    def picked(self, entries: int) -> int:
        """Of so many entries those that a token reads."""
        return min(entries, self.top_k) if self.overlap else entries

    def cache_read(self, n: int) -> int:
        entries = self.entries(n)
        return (min(n, self.window) + self.picked(entries)) * self.width + entries * self.index_width

    def repeated_weights(self, d_model: int, devices: int) -> int:
        lead = self.q_rank + self.width + 2 * self.made + self.index_heads
        return (devices - 1) * (d_model * lead + self.q_rank * self.scorer)

    def masked(self, d_model: int, n: int) -> int:
        flops, entries, most = self.flops(d_model, n, n)["attention"], self.entries(n), self.top_k if self.overlap else n
        read, visited = min(n, self.window) + self.picked(entries), unmasked(n, self.window)
        if entries:
            visited += self.ratio * unmasked(entries - 1, most) + (n - entries * self.ratio + 1) * min(entries, most)
        return flops - flops * visited // (n * read)
