"""Released weights <-> ours, by a table: their name, our names, what happens in between.

One entry is one of their tensors. `ops` are done to it one after another (and undone in reverse on the way back): turned
(GPT-2 keeps its matrices the other way round), one added (Gemma's norms multiply by 1 + w), pairs put apart (DeepSeek's rope).
Then `sizes` splits it along the first dimension (a fused qkv becomes three of ours). A tensor that is missing, left over or of
another shape is an error. Buffers that a router keeps are loaded as parameters are.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn


class WeightError(ValueError):
    """Released weights do not fit the model."""


class Op:
    """A change of one tensor that can be undone."""

    def load(self, x: Tensor) -> Tensor:
        """Theirs -> ours."""
        raise AssertionError

    def export(self, x: Tensor) -> Tensor:
        """Ours -> theirs."""
        raise AssertionError


@dataclass(frozen=True)
class Transpose(Op):
    """The last two dimensions change places."""

    def load(self, x):
        return x.transpose(-1, -2)

    export = load


@dataclass(frozen=True)
class AddOne(Op):
    """A norm that multiplies by 1 + w: ours multiplies by w."""

    def load(self, x):
        return x + 1

    def export(self, x):
        return x - 1


@dataclass(frozen=True)
class Deinterleave(Op):
    """Along dimension `dim`, blocks of `block` numbers end in `width` (or, with `leads`, begin with them) of which neighbours are
    a pair: first all firsts, then all seconds, as rope has them here; with block 0 the whole dimension is one block, and with
    width 0 all of it is paired."""

    width: int = 0
    block: int = 0
    dim: int = 0
    leads: bool = False

    def load(self, x):
        return self.moved(x, lambda pairs: pairs.unflatten(-1, (-1, 2)).transpose(-1, -2).flatten(-2))

    def export(self, x):
        return self.moved(x, lambda pairs: pairs.unflatten(-1, (2, -1)).transpose(-1, -2).flatten(-2))

    def moved(self, x: Tensor, change) -> Tensor:
        """x with `change` done to the paired end of every block."""
        last = x.movedim(self.dim, -1)
        blocks = last.unflatten(-1, (-1, self.block or last.shape[-1]))
        width = self.width or blocks.shape[-1]
        kept = blocks.shape[-1] - width
        if self.leads:
            pairs, rest = blocks.split([width, kept], dim=-1)
            return torch.cat([change(pairs), rest], dim=-1).flatten(-2).movedim(-1, self.dim)
        rest, pairs = blocks.split([kept, width], dim=-1)
        return torch.cat([rest, change(pairs)], dim=-1).flatten(-2).movedim(-1, self.dim)


@dataclass(frozen=True)
class Regroup(Op):
    """Along the first dimension, `groups` blocks hold parts of `sizes` rows each: first every block's first part, then every
    block's second (Qwen3-Next keeps queries, keys, values and gates of a key head together)."""

    groups: int
    sizes: tuple[int, ...]

    def load(self, x):
        return torch.cat([part.flatten(0, 1) for part in x.unflatten(0, (self.groups, -1)).split(self.sizes, dim=1)])

    def export(self, x):
        parts = x.split([self.groups * size for size in self.sizes])
        return torch.cat([part.unflatten(0, (self.groups, -1)) for part in parts], dim=1).flatten(0, 1)


@dataclass(frozen=True)
class Reshape(Op):
    """The same numbers in another shape."""

    theirs: tuple[int, ...]
    ours: tuple[int, ...]

    def load(self, x):
        return x.reshape(self.ours)

    def export(self, x):
        return x.reshape(self.theirs)


@dataclass(frozen=True)
class Entry:
    """One of their tensors and the one or more of ours that it holds."""

    theirs: str
    ours: tuple[str, ...]
    sizes: tuple[int, ...] = ()
    ops: tuple[Op, ...] = ()


Kind = TypeVar("Kind")


def as_part(kind: type[Kind], part: object) -> Kind:
    """A part of a layer as the class that its family's reader made it."""
    if not isinstance(part, kind):
        raise TypeError(f"{kind.__name__} expected, not {type(part).__name__}")
    return part


def outer(name: str, prefix: str = "model.") -> str:
    """Their name of a tensor that only gains the trunk's prefix; the output matrix has none."""
    return name if name.startswith("lm_head.") else prefix + name


def naming(rules: dict[str, str] | None = None, ops: Callable = lambda spec, name: ()) -> Callable[..., list[Entry]]:
    """A family's table, (spec, our names) -> entries. Their names are ours behind `model.`, changed by patterns one after
    another; `ops(spec, name)` says what is done to a tensor."""

    def table(spec, names: list[str]) -> list[Entry]:
        return [Entry(renamed(name, rules or {}), (name,), ops=ops(spec, name)) for name in names]

    return table


def renamed(name: str, rules: dict[str, str]) -> str:
    """Their name of a tensor, which follows from ours by patterns."""
    theirs = outer(name)
    for pattern, word in rules.items():
        theirs = re.sub(pattern, word, theirs)
    return theirs


def stacked(
    tensors: dict[str, Tensor], gate: str = "gate_proj", up: str = "up_proj", down: str = "down_proj"
) -> dict[str, Tensor]:
    """Files keep a tensor an expert (experts.0.gate_proj.weight); here all experts' gates and ups are one, all downs another."""
    result: dict[str, Tensor] = {}
    parts: dict[str, dict[tuple[int, str], Tensor]] = {}
    for name, tensor in tensors.items():
        found = re.fullmatch(rf"(.*\.experts)\.(\d+)\.({gate}|{up}|{down})\.weight", name)
        if found:
            parts.setdefault(found[1], {})[int(found[2]), found[3]] = tensor
        else:
            result[name] = tensor
    for experts, own in parts.items():
        count = max(e for e, _ in own) + 1
        if missing := [f"{experts}.{e}.{p}.weight" for e in range(count) for p in (gate, up, down) if (e, p) not in own]:
            raise WeightError(f"missing: {', '.join(missing[:5])}")
        both = [torch.cat([own[e, gate], own[e, up]]) for e in range(count)]
        result |= {f"{experts}.gate_up_proj": torch.stack(both)}
        result |= {f"{experts}.down_proj": torch.stack([own[e, down] for e in range(count)])}
    return result


def without_predictors(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Files of some models hold further layers that predict the token after next; they are known by their eh_proj."""
    extra = tuple(name.removesuffix("eh_proj.weight") for name in tensors if name.endswith(".eh_proj.weight"))
    return {name: tensor for name, tensor in tensors.items() if not (extra and name.startswith(extra))}


def load(model: nn.Module, table: list[Entry], tensors: dict[str, Tensor], ignore: tuple[str, ...] = ()) -> None:
    """Put their tensors into our model; names that end in one of `ignore` are no weights. WeightError names what does not fit."""
    tensors = {name: tensor for name, tensor in tensors.items() if not name.endswith(ignore)}
    if left := sorted(set(tensors) - {entry.theirs for entry in table}):
        raise WeightError(f"left over: {', '.join(left[:5])}")
    parameters = numbers(model)
    loaded: dict[str, Tensor] = {}
    missing: dict[str, str] = {}
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


def numbers(model: nn.Module) -> dict[str, Tensor]:
    """Every parameter and kept buffer by name, a tied one under both its names."""
    return dict(model.named_parameters(remove_duplicate=False)) | dict(model.named_buffers())


def pieces(entry: Entry, tensor: Tensor) -> dict[str, Tensor]:
    """One of their tensors as ours, by name."""
    for op in entry.ops:
        tensor = op.load(tensor)
    if entry.sizes and tensor.shape[:1] != (sum(entry.sizes),):
        raise WeightError(f"{entry.theirs} must split into {entry.sizes}, which shape {tuple(tensor.shape)} does not")
    return dict(zip(entry.ours, tensor.split(entry.sizes) if entry.sizes else (tensor,), strict=True))


@torch.no_grad()
def put(parameters: dict[str, Tensor], loaded: dict[str, Tensor]) -> None:
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
    ours = dict(model.named_parameters()) | dict(model.named_buffers())
    result = {}
    for entry in table:
        if set(entry.ours) <= set(ours):
            tensor = torch.cat([ours[name].detach() for name in entry.ours])
            for op in reversed(entry.ops):
                tensor = op.export(tensor)
            result[entry.theirs] = tensor.contiguous()
    return result
