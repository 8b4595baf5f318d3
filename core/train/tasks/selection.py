"""Recall with latent attention, and beside it a scorer that learns which tokens that attention reads.

The loss has two parts that do not touch: the answers (core/train/tasks/recall.py) train the model, and the divergence from what
attention reads, summed over heads, to the softmax of the scores trains the scorer (DeepSeek-V3.2, arXiv 2512.02556, equation 3).
The scorer's input is cut off from the gradient, so the language loss never reaches it, nor its loss the model.

Measured afterwards, on the same prompts: recall where only the tokens of the highest scores are read; where only the last few
are; where a random choice is; and the share of attention that lies on the picked tokens.
"""

from dataclasses import replace

import torch
from torch import Tensor

from core.model.mixers.sparse import Indexed, IndexedModule, IndexerModule
from core.model.model import Model
from core.model.trace import Trace
from core.train.task import Task
from core.train.tasks import recall

TINY = 1e-9


def loss(model: Model, tokens: Tensor, targets: Tensor, **_) -> Tensor:
    """Nats: cross-entropy of the asked names, plus the mean divergence of every layer's scorer."""
    trace = Trace("attention", "indexer", differentiable=True)
    logits, _ = model(tokens, trace=trace)
    answers = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100)
    pairs = zip(trace.every("attention"), trace.every("indexer"), strict=True)
    return answers + sum(divergence(attention, scores) for attention, scores in pairs)


def divergence(attention: Tensor, scores: Tensor) -> Tensor:
    """KL from what heads (B, H, T, S) read together to the softmax of the scores (B, T, S), mean over tokens, in nats."""
    read = attention.detach().mean(1)  # (B, T, S)
    guessed = scores.log_softmax(-1).masked_fill(read == 0, 0.0)
    return (read * ((read + TINY).log() - guessed)).sum(-1).mean()


@torch.no_grad()
def evaluate(
    model: Model, pairs: int, length: int, picks: tuple[int, ...], window: int, random: int, prompts=128, seed=2024, **_
):
    """Recall at every number of pairs with whole attention, and at the largest with each way to choose tokens."""
    result = recall.evaluate(model, pairs, length, prompts, seed)
    generator = torch.Generator().manual_seed(seed + pairs)
    tokens, targets = recall.batch(pairs, prompts, min(length, 4 * pairs + 1), generator)
    for k in picks:
        few, trace = picking(model, k), Trace("picked")
        result[f"recall, {k} picked"] = recalled(few(tokens, trace=trace)[0], targets)
        result[f"kept, {k} picked"] = on_picked(model, tokens, trace.every("picked"))
    n = tokens.shape[1]
    result[f"recall, last {window}"] = recalled(reading(model, window, latest(n))(tokens)[0], targets)
    result[f"recall, {random} at random"] = recalled(reading(model, random, anywhere(n, generator))(tokens)[0], targets)
    return result


def picking(model: Model, top_k: int) -> Model:
    """The same weights, reading so many tokens."""
    scorers = (next(layer.parts(Indexed)) for layer in model.spec.layers)
    layers = tuple(replace(layer, mixer=replace(m, top_k=top_k)) for layer, m in zip(model.spec.layers, scorers))
    few = Model(replace(model.spec, layers=layers)).eval().requires_grad_(False)
    few.load_state_dict(model.state_dict())
    return few


def recalled(logits: Tensor, targets: Tensor) -> float:
    """Share of the asked names that are answered right."""
    return (logits.argmax(-1) == targets)[targets != -100].double().mean().item()


def on_picked(model: Model, tokens: Tensor, picked: list[Tensor]) -> float:
    """Share of whole attention that lies on the picked tokens, mean over layers, heads and tokens."""
    trace = Trace("attention")
    model(tokens, trace=trace)
    shares = [(a * p[:, None]).sum(-1).mean().item() for a, p in zip(trace.every("attention"), picked, strict=True)]
    return sum(shares) / len(shares)


class Given(IndexerModule):
    """A scorer that likes what it is told: scores (n, n) for the first n tokens, whatever they are."""

    def __init__(self, scores: Tensor, config: Indexed):
        torch.nn.Module.__init__(self)
        self.scores, self.width = scores, config.width

    def forward(self, x: Tensor, made: Tensor, state: dict) -> tuple[Tensor, Tensor]:
        """x (B, T, D) -> scores (B, T, T), keys (B, T, w)."""
        n = x.shape[1]
        return self.scores[:n, :n].expand(len(x), n, n), x.new_zeros(len(x), n, self.width)


def reading(model: Model, top_k: int, scores: Tensor) -> Model:
    """The same weights, reading the `top_k` tokens that `scores` (n, n) likes best."""
    few = picking(model, top_k)
    for module in few.modules():
        if isinstance(module, IndexedModule):
            module.indexer = Given(scores, module.scorer)
    return few


def latest(n: int) -> Tensor:
    """Scores (n, n) that like the latest tokens best."""
    return torch.arange(n, dtype=torch.float32).expand(n, n)


def anywhere(n: int, generator: torch.Generator) -> Tensor:
    """Scores (n, n) at random, but for the token itself, which comes first."""
    return torch.rand(n, n, generator=generator).fill_diagonal_(2.0)


TASK = Task("selection", recall.training_batch, loss, evaluate)
