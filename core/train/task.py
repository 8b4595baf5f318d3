"""A task: what models are trained on, how wrong they are, and what is measured of them."""

from collections.abc import Callable
from dataclasses import dataclass, field


def nothing(*_, **__) -> None:
    """What happens where a task has nothing to do."""


@dataclass(frozen=True)
class Task:
    """A task as its file in core/train/tasks defines it. Every function but `parse` gets the settings of the recipe as keywords.
    What a task remembers from step to step is buffers of the model."""

    name: str
    training_batch: Callable = field(repr=False)  # (step, generator) -> tensors
    loss: Callable = field(repr=False)  # (model, *tensors) -> a number to lower
    evaluate: Callable = field(repr=False)  # model -> {metric: value}
    prepare: Callable = field(default=nothing, repr=False)  # model, before the first step
    after: Callable = field(default=nothing, repr=False)  # (model, *tensors), once the optimiser has stepped
    finish: Callable = field(default=nothing, repr=False)  # model, after the last step
    parse: Callable | None = field(default=None, repr=False)  # a reader's text -> a prompt, where one may be written
    vocabulary: str = field(default="", repr=False)  # in words
