"""Released weights <-> ours, by a table: their name, our names, what happens in between.

One entry is one of their tensors. `sizes` splits it along the output dimension (a fused qkv becomes three of ours);
`transpose` turns it first (GPT-2 keeps its matrices the other way round). A tensor that is missing, left over or of another
shape is an error.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


class WeightError(ValueError):
    """Released weights do not fit the model."""


@dataclass(frozen=True)
class Entry:
    """One of their tensors and the one or more of ours that it holds."""

    theirs: str
    ours: tuple[str, ...]
    sizes: tuple[int, ...] = ()
    transpose: bool = False


def same(names) -> list[Entry]:
    """Entries for tensors that only gain their `model.` prefix."""
    return [Entry(name if name.startswith("lm_head.") else f"model.{name}", (name,)) for name in names]


def load(model: nn.Module, table: list[Entry], tensors: dict[str, Tensor], ignore=()) -> None:
    """Put their tensors into our model. WeightError names the first tensor that does not fit."""
    ours = dict(model.named_parameters(remove_duplicate=True))
    table = [e for e in table if set(e.ours) & set(ours)]
    left = set(tensors) - {e.theirs for e in table}
    left = {name for name in left if not name.endswith(tuple(ignore))} if ignore else left
    if left:
        raise WeightError(f"left over: {', '.join(sorted(left)[:5])}")
    loaded = {}
    for entry in table:
        if entry.theirs not in tensors:
            raise WeightError(f"missing: {entry.theirs}")
        tensor = tensors[entry.theirs].T if entry.transpose else tensors[entry.theirs]
        pieces = tensor.split(entry.sizes) if entry.sizes else (tensor,)
        loaded.update(zip(entry.ours, pieces, strict=True))
    put(ours, loaded)


@torch.no_grad()
def put(ours: dict[str, nn.Parameter], loaded: dict[str, Tensor]) -> None:
    """Copy every tensor into its parameter."""
    if absent := set(ours) - set(loaded):
        raise WeightError(f"no entry for: {', '.join(sorted(absent)[:5])}")
    for name, parameter in ours.items():
        if loaded[name].shape != parameter.shape:
            raise WeightError(f"{name} must have shape {tuple(parameter.shape)}, not {tuple(loaded[name].shape)}")
        parameter.copy_(loaded[name])


def export(model: nn.Module, table: list[Entry]) -> dict[str, Tensor]:
    """Our weights under their names: the inverse of `load`."""
    ours = dict(model.named_parameters(remove_duplicate=True))
    result = {}
    for entry in table:
        if set(entry.ours) <= set(ours):
            tensor = torch.cat([ours[name].detach() for name in entry.ours])
            result[entry.theirs] = (tensor.T if entry.transpose else tensor).contiguous()
    return result
