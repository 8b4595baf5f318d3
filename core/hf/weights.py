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


def outer(name: str, prefix: str = "model.") -> str:
    """Their name of a tensor that only gains the trunk's prefix; the output matrix has none."""
    return name if name.startswith("lm_head.") else prefix + name


def same(names: list[str]) -> list[Entry]:
    """Entries for tensors that only gain their prefix."""
    return [Entry(outer(name), (name,)) for name in names]


def load(model: nn.Module, table: list[Entry], tensors: dict[str, Tensor], ignore: tuple[str, ...] = ()) -> None:
    """Put their tensors into our model; names that end in one of `ignore` are no weights. WeightError names what does not fit."""
    tensors = {name: tensor for name, tensor in tensors.items() if not name.endswith(ignore)}
    if left := sorted(set(tensors) - {entry.theirs for entry in table}):
        raise WeightError(f"left over: {', '.join(left[:5])}")
    parameters = dict(model.named_parameters(remove_duplicate=False))
    loaded, missing = {}, {}
    for entry in table:
        if entry.theirs in tensors:
            loaded |= pieces(entry, tensors[entry.theirs])
        else:
            missing |= dict.fromkeys(entry.ours, entry.theirs)
    filled = {id(parameters[name]) for name in loaded}
    for name, parameter in parameters.items():
        if id(parameter) not in filled:
            raise WeightError(f"missing: {missing.get(name, f'an entry for {name}')}")
    put(parameters, loaded)


def pieces(entry: Entry, tensor: Tensor) -> dict[str, Tensor]:
    """One of their tensors as ours, by name."""
    tensor = tensor.T if entry.transpose else tensor
    if entry.sizes and tensor.shape[:1] != (sum(entry.sizes),):
        raise WeightError(f"{entry.theirs} must split into {entry.sizes}, which shape {tuple(tensor.shape)} does not")
    return dict(zip(entry.ours, tensor.split(entry.sizes) if entry.sizes else (tensor,), strict=True))


@torch.no_grad()
def put(parameters: dict[str, nn.Parameter], loaded: dict[str, Tensor]) -> None:
    """Copy every tensor into its parameter. A tied table may come twice, but not with two contents."""
    done = set()
    for name, tensor in loaded.items():
        parameter = parameters[name]
        if tensor.shape != parameter.shape:
            raise WeightError(f"{name} must have shape {tuple(parameter.shape)}, not {tuple(tensor.shape)}")
        if id(parameter) in done and not torch.equal(parameter, tensor.to(parameter)):
            raise WeightError(f"{name} is tied to another tensor but differs from it")
        parameter.copy_(tensor)
        done.add(id(parameter))


def export(model: nn.Module, table: list[Entry]) -> dict[str, Tensor]:
    """Our weights under their names, a tied table once: the inverse of `load`."""
    ours = dict(model.named_parameters())
    result = {}
    for entry in table:
        if set(entry.ours) <= set(ours):
            tensor = torch.cat([ours[name].detach() for name in entry.ours])
            result[entry.theirs] = (tensor.T if entry.transpose else tensor).contiguous()
    return result
