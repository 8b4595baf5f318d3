"""The text of eight domains, learned by models that have to share it out among experts: balancing while they learn, and
what became of it.

    none    nothing keeps the experts busy
    loss    a loss that is least when all are: alpha E sum_i f_i P_i a layer (Switch, arXiv 2101.03961; Mixtral)
    bias    no loss. After every step the bias that picks falls by gamma at experts with more than their share of the batch and
            rises by gamma at those with less; it never weighs (arXiv 2408.15664, DeepSeek-V3)

Letters: B sequences, T tokens of a sequence, N = B T tokens, E experts, K experts a token; f_i the share of all picks that went
to expert i, P_i the mean of its affinity, each token's affinities adding up to one.
"""

import torch
from torch import Tensor

from core.model.ffn.moe import MoEModule
from core.model.trace import Trace
from core.train.task import Task
from core.train.tasks import domains
from core.train.tasks.domains import training_batch

DEAD = 0.01  # of its fair share: an expert with less is called dead


def loss(model, tokens: Tensor, about: Tensor, balance: str = "none", alpha: float = 0.01, **_) -> Tensor:
    """The language loss, and with "loss" the balancing loss of every layer."""
    trace = Trace("affinity", "routing", differentiable=True) if balance == "loss" else Trace()
    logits, _ = model(tokens, trace=trace)
    layers = zip(trace.every("affinity"), trace.every("routing"))
    return domains.language_loss(logits, tokens) + sum(alpha * unevenness(*layer) for layer in layers)


def unevenness(affinity: Tensor, routing: Tensor) -> Tensor:
    """E sum_i f_i P_i of one layer: 1 where all experts get the same, E / K where the same K get everything."""
    experts = affinity.shape[-1]
    share = picks(routing, experts).to(affinity) / routing.numel()  # (E,)
    belief = (affinity / affinity.sum(-1, keepdim=True)).flatten(0, -2).mean(0)  # (E,)
    return experts * (share * belief).sum()


def picks(routing: Tensor, experts: int) -> Tensor:
    """How often each expert was picked: routing (..., K) -> (E,)."""
    return routing.flatten().bincount(minlength=experts)


@torch.no_grad()
def after(model, tokens: Tensor, about: Tensor, balance: str = "none", gamma: float = 0.01, **_) -> None:
    """With "bias": move every layer's bias one step towards an even load of this batch."""
    if balance != "bias":
        return
    trace = Trace("routing")
    model.trunk(model.embed(tokens, 0), (), trace)
    for routing, ffn in zip(trace.every("routing"), mixtures(model)):
        nudge(ffn.gate.e_score_correction_bias, picks(routing, ffn.config.experts), gamma)


def nudge(bias: Tensor, load: Tensor, gamma: float) -> None:
    """The rule itself, in place: up by gamma where an expert got less than the mean, down where it got more."""
    bias += gamma * torch.sign(load.double().mean() - load).to(bias)


def mixtures(model) -> list[MoEModule]:
    """The mixtures of experts of a model, layer after layer."""
    return [part for part in model.modules() if isinstance(part, MoEModule)]


@torch.no_grad()
def evaluate(model, **_) -> dict[str, float | str]:
    """On the fixed fresh text: losses as in `domains.evaluate`, and of every layer with experts

    busiest:1     the load of its busiest expert over the mean (1 = all the same), and dead:1, how many have next to nothing;
    dead          these of all layers together
    load:1        the load of each expert over the mean, as words
    token:1 ...   how much of the choice the token itself, its domain, its position decides (`domains.information`)
    """
    tokens, about = domains.fresh()
    trace = Trace("routing")
    model.trunk(model.embed(tokens, 0), (), trace)
    metrics: dict[str, float | str] = {**domains.evaluate(model)}
    dead = 0
    for number, (routing, ffn) in enumerate(zip(trace.every("routing"), mixtures(model)), 1):
        divided = division(routing, tokens, about, ffn.config.experts)
        metrics |= {f"{name}:{number}": value for name, value in divided.items()}
        dead += int(divided["dead"])
        metrics["dead"] = dead
    return metrics


def division(routing: Tensor, tokens: Tensor, about: Tensor, experts: int) -> dict[str, float | str]:
    """What one layer's experts share out among themselves, on tokens and their domains (B, T)."""
    load = loads(routing, experts)
    positions = torch.arange(tokens.shape[1]).expand_as(tokens)
    features = (tokens.flatten(), about.flatten(), positions.flatten())
    return {
        "busiest": load.max().item(),
        "dead": int((load < DEAD).sum()),
        "load": " ".join(f"{share:.3f}" for share in load.tolist()),
        **domains.information(routing.flatten(0, 1), *features, experts),
    }


def loads(routing: Tensor, experts: int) -> Tensor:
    """The load of each expert over the mean (E,): all ones where every expert gets the same."""
    count = picks(routing, experts).double()
    return count / count.mean()


TASK = Task("experts", training_batch, loss, evaluate, after=after, parse=domains.parse, vocabulary=domains.VOCABULARY)
