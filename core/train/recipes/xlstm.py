"""xLSTM: how mLSTM, sLSTM and the classic LSTM are trained, and what their table should show."""

from core.model.mixers.xlstm import Lstm, MLstm, SLstm
from core.train.mechanism import Mechanism, Spelling, at_pairs
from core.train.recipes.mixers import LONG, METRIC, SOLVED, WIDTH, hybrid, learned
from core.train.rules import Claim, at_least, ordered

KEYS = (4, 8, 16)
HEADS, VALUES = 2, 32


def mlstm(keys: int = 16) -> MLstm:
    """The mLSTM with keys of some width."""
    return MLstm(HEADS, keys, VALUES)


RECIPES = (
    *(learned(f"mlstm-{keys}", mlstm(keys), mlstm(keys), steps=LONG, lr=1.2e-2) for keys in KEYS),
    learned("slstm", SLstm(4, 16), SLstm(4, 16), steps=LONG),
    learned("lstm", Lstm(WIDTH), Lstm(WIDTH), steps=LONG),
    hybrid("mlstm-3-1", mlstm()),
    hybrid("lstm-3-1", Lstm(WIDTH)),
)

CLAIMS = (
    Claim(
        "Three layers of an LSTM, with a matrix for memory or the classic one, to one of attention recall it all (at least .98)",
        at_least(METRIC, SOLVED, "mlstm-3-1", "lstm-3-1"),
    ),
    Claim("A matrix for memory recalls more than a number a channel: LSTM, then mLSTM", ordered(METRIC, "lstm", "mlstm-16")),
    Claim("Exponential gates alone recall more: LSTM, then sLSTM", ordered(METRIC, "lstm", "slstm")),
    Claim(
        "The wider the keys of an mLSTM, the more it recalls: 4, 8, 16 numbers",
        ordered(METRIC, *(f"mlstm-{keys}" for keys in KEYS)),
    ),
)

KINDS = {f"mlstm-{keys}": "mLSTM" for keys in KEYS} | {"slstm": "sLSTM", "lstm": "LSTM"}
HYBRIDS = {"mlstm-3-1": "mLSTM", "lstm-3-1": "LSTM"}
NAMES = {
    **KINDS, **{f"mlstm-{keys}": f"mLSTM, keys of {keys}" for keys in KEYS},
    "attention-2": "attention", "attention-4": "attention",
    **{variant: f"{kind} 3 : 1 attention" for variant, kind in HYBRIDS.items()},
}  # fmt: skip

MECHANISM = Mechanism(
    "xlstm",
    RECIPES,
    CLAIMS,
    papers=("2405.04517", "2503.13427", "2312.04927"),
    also=("mixers",),
    spelling=Spelling(NAMES, at_pairs),
)
