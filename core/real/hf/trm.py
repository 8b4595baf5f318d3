"""TRM and HRM, recursive solvers of puzzles (no model_type: known by their cycles; here "trm" and "hrm").

The config says nothing about the puzzle, whose words and cells come with the data: Sudoku's are assumed, 11 words and 81 cells.
Embeddings of puzzles stand in front of the cells; they are learned apart from the network and are not counted as parameters, nor
are the starts of y and z. A board of n positions holds both.
"""

from core.errors import LONGEST, divides
from core.model.blocks import Everything, Norm
from core.model.ffn.dense import Dense
from core.model.mixers.attention import Attention
from core.model.mixers.cells import Cells
from core.model.rope import Rope
from core.model.spec import Layer, ModelSpec, Recursion
from core.real.hf import parts
from core.real.hf.family import Family
from core.real.hf.fields import Fields

DEFAULTS = {
    "vocab_size": 11, "seq_len": 81, "num_heads": 8, "expansion": 4.0, "H_layers": 0, "puzzle_emb_ndim": 0, "puzzle_emb_len": 0,
    "mlp_t": False, "pos_encodings": "rope", "rope_theta": 10000.0, "rms_norm_eps": 1e-5,
}  # fmt: skip

CONTEXT = "positions"
EACH = 256  # the inner width is a multiple of this
HOW = """name loss halt_max_steps halt_exploration_prob no_ACT_continue batch_size num_puzzle_identifiers forward_dtype
causal""".split()


def read(f: Fields) -> ModelSpec:
    """config -> spec. With layers of its own for y (HRM) the first ones update z, the others y; else all do both (TRM)."""
    f.seen.update(HOW)
    if f.has("forward_dtype") and not f.has("dtype"):
        f.take("dtype", f.config["forward_dtype"])
    low, high = f.whole("L_layers", high=64), f.whole("H_layers", low=0, high=64)
    hidden, norm = f.whole("hidden_size"), Norm("rms", f.number("rms_norm_eps", high=1.0), learned=False)
    cells = board(f, hidden)
    layers = (Layer(mixer(f, hidden, norm.eps, cells), Dense(inner(f, hidden)), "outer"),) * (low + high)
    steps = Recursion(f.whole("H_cycles", high=1024), f.whole("L_cycles", high=1024), low if high else 0, halt=2)
    words = parts.vocabulary(f)
    return ModelSpec("", hidden, words, layers, norm, embed_scale=hidden**0.5, decoding="recursion", recursion=steps)


def mixer(f: Fields, hidden: int, eps: float, cells: int) -> Attention | Cells:
    """Attention in both directions, or a feed-forward layer across the cells; learned positions have a table of their own, which
    is not counted here."""
    if f.flag("mlp_t"):
        f.seen.update(("num_heads", "pos_encodings", "rope_theta"))
        return Cells(cells, inner(f, cells))
    heads = f.whole("num_heads")
    divides("num_heads", heads, "hidden_size", hidden)
    width = hidden // heads
    f.choice("pos_encodings", {"rope": "rope"})
    return Attention(heads, heads, width, width, Rope(width, f.number("rope_theta", low=2)), Everything(), norm_eps=eps)


def inner(f: Fields, hidden: int) -> int:
    """Two thirds of `expansion` times the model's width, rounded up."""
    width = round(f.number("expansion", low=1 / 64, high=1024) * hidden * 2 / 3)
    return -(-width // EACH) * EACH


def board(f: Fields, hidden: int) -> int:
    """The context: cells and, in front of them, as many positions as a puzzle's embedding fills."""
    slots, numbers = f.whole("puzzle_emb_len", low=0), f.whole("puzzle_emb_ndim", low=0)
    slots = slots or -(-numbers // hidden)
    cells = f.whole("seq_len", high=LONGEST >> 1) + slots
    f.take(CONTEXT, cells)
    return cells


FAMILY = Family(("trm", "hrm"), read, DEFAULTS, context=CONTEXT, state_dtype="own")  # as the network has it
