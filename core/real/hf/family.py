"""What a family of models is: how its config is read, and how its files name and store tensors.

A family is one file of this folder that ends in `FAMILY = Family(...)`, and its name in `families`. One that differs from another
in a few places says so: `LLAMA.but("mistral", read=read, defaults={"sliding_window": 4096})`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from torch import Tensor

from core.model.spec import ModelSpec
from core.real.hf.fields import Fields
from core.real.hf.weights import Entry


@dataclass(frozen=True)
class Family:
    """Everything that is known of one family; most families state the first three or four.

    model_types  the values of a config's `model_type` that name it
    read         config -> spec; fields that it does not ask for are listed as not understood
    defaults     what the family's own class takes where a config leaves a field out
    table        (spec, our names) -> how released tensors map onto ours; None where that is not written down
    disk         tensors as files on the Hub hold them -> as the loaded model holds them
    ignored      ends of names in these files that are no weights
    wrapper      the `model_type` of the larger model (one that also sees) that holds this one in its `text_config`
    context      the field with the longest context
    state_dtype  the dtype of recurrent state; "own" is that of the model
    state_field  the field that may name another one
    unconverted  modules that its own fp8 files leave as they were, beside those that the config names
    single       names of tensors that these files hold in float32
    """

    model_types: tuple[str, ...]
    read: Callable[[Fields], ModelSpec]
    defaults: dict = field(repr=False)
    table: Callable[[ModelSpec, list[str]], list[Entry]] | None = None
    disk: Callable[[dict[str, Tensor]], dict[str, Tensor]] = dict
    ignored: tuple[str, ...] = ()
    wrapper: str = ""
    context: str = "max_position_embeddings"
    state_dtype: str = "float32"
    state_field: str = ""
    unconverted: tuple[str, ...] = ()
    single: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Every `model_type` that leads here, that of the larger model first."""
        return (self.wrapper, *self.model_types) if self.wrapper else self.model_types

    def but(self, *model_types: str, defaults: dict | None = None, **changes) -> "Family":
        """Another family, which differs in these defaults and attributes."""
        changes = {"wrapper": "", **changes, "defaults": {**self.defaults, **(defaults or {})}}
        return replace(self, model_types=model_types, **changes)
