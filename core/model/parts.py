"""Every class of part there is: the one list of mixers and of feed-forward parts."""

from core.model.ffn.beside import Beside
from core.model.ffn.dense import Dense
from core.model.ffn.hashed import Hashed
from core.model.ffn.moe import MoE
from core.model.mixers.attention import Attention
from core.model.mixers.borrowed import Borrowed
from core.model.mixers.cells import Cells
from core.model.mixers.compressed import Compressed
from core.model.mixers.delta import GatedDelta, KimiDelta
from core.model.mixers.latent import Latent
from core.model.mixers.linear import Lightning
from core.model.mixers.mamba import Mamba1, Mamba2
from core.model.mixers.parallel import Parallel
from core.model.mixers.rwkv import ChannelMix, Rwkv7
from core.model.mixers.shortconv import GatedConv
from core.model.mixers.sparse import Indexed
from core.model.mixers.unified import Unified
from core.model.mixers.xlstm import Lstm, MLstm, SLstm
from core.model.part import Ffn, Mixer, Part

MIXERS: tuple[type[Mixer], ...] = (
    Attention, Borrowed, Cells, Compressed, GatedDelta, KimiDelta, Latent, Lightning, Mamba1, Mamba2, Parallel, Rwkv7, GatedConv,
    Indexed, Unified, Lstm, MLstm, SLstm,
)  # fmt: skip
FFNS: tuple[type[Ffn], ...] = (Dense, MoE, ChannelMix, Beside, Hashed)
PARTS: tuple[type[Part], ...] = (*MIXERS, *FFNS)
