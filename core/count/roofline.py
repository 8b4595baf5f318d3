"""The least time that a model on its devices can take: arithmetic at peak, bytes at full bandwidth, the longer of the two.

Letters and what is left out: hardware.py. s is a model's Shape, d its Deployment, n tokens of context.
"""

from dataclasses import dataclass, replace

from core.count import cost
from core.count.dtypes import named, stored
from core.count.hardware import Deployment, Shape, dynamic, rates, sequence, shape, weights
from core.count.split import mixture, on_one
from core.model.spec import ModelSpec


@dataclass(frozen=True)
class Phase:
    """One prefill or one decode step of the whole batch, as one device sees it: arithmetic and bytes moved."""

    flops: float
    weights: float
    cache: float
    state: float
    peak: int
    bandwidth: int

    @property
    def bytes(self) -> float:
        """All bytes that are moved."""
        return self.weights + self.cache + self.state

    @property
    def intensity(self) -> float:
        """FLOPs a byte."""
        return self.flops / self.bytes

    @property
    def compute_seconds(self) -> float:
        """The arithmetic alone, at peak."""
        return self.flops / self.peak

    @property
    def memory_seconds(self) -> float:
        """The traffic alone, at full bandwidth."""
        return self.bytes / self.bandwidth

    @property
    def seconds(self) -> float:
        """The bound: it cannot take less."""
        return max(self.compute_seconds, self.memory_seconds)

    @property
    def binds(self) -> str:
        """Which of the two takes longer."""
        return "memory" if self.memory_seconds > self.compute_seconds else "compute"


@dataclass(frozen=True)
class Bounds:
    """What no engine can beat. Seconds are of the whole batch; experts are those of one layer, on average over its layers."""

    prefill: Phase
    decode: Phase
    batch: int
    context: int
    devices: int
    experts: float
    experts_read: float

    @property
    def ridge(self) -> float:
        """FLOPs a byte from which on arithmetic binds."""
        return self.decode.peak / self.decode.bandwidth

    @property
    def tokens_per_second(self) -> float:
        """Decoded tokens a second of all users together, at most."""
        return self.batch / self.decode.seconds

    @property
    def tokens_per_second_each(self) -> float:
        """Decoded tokens a second of one user, at most."""
        return 1 / self.decode.seconds

    @property
    def device_seconds(self) -> float:
        """Device time of one decoded token, at least."""
        return self.devices * self.decode.seconds / self.batch


def unvisited(s: Shape, tokens: int) -> tuple[float, int]:
    """Weights that a batch of tokens is not expected to read: experts nobody picks, rows of the tables nobody asks for."""
    spec, idle = s.spec, 0.0
    for layer, times in s.layers:
        if moe := mixture(layer):
            idle += times * (moe.experts - moe.touched(tokens)) * moe.expert(spec.d_model)
    rows = 0 if spec.tied else max(spec.vocab - tokens, 0)
    return idle, (rows + max(spec.learned_positions - tokens, 0)) * spec.d_model


def experts(s: Shape, tokens: int) -> tuple[float, float]:
    """Routed experts of a layer, and those that so many tokens are expected to visit: means over the layers that have them."""
    mixed = [(moe, times) for layer, times in s.layers if (moe := mixture(layer))]
    layers = sum(times for _, times in mixed) or 1
    there = sum(times * moe.experts for moe, times in mixed) / layers
    return there, sum(times * moe.touched(tokens) for moe, times in mixed) / layers


def fed(s: Shape, d: Deployment, tokens: int) -> float:
    """Bytes of weights that one device reads when so many tokens pass at once."""
    sizes = rates(s, d)
    idle = sum(n * size for n, size in zip(unvisited(s, tokens), sizes))
    return weights(s, d) * (1 - idle / sum(n * size for n, size in zip((s.routed, s.tables, s.rest), sizes)))


def prompt_flops(s: Shape, context: int) -> int:
    """FLOPs that one prompt needs: what is counted, without masked pairs and without logits of any token but the last."""
    spec, whole_prompt = s.spec, cost.count(s.spec, context).prefill_flops
    if s.solver:
        return whole_prompt
    dropped = s.each(lambda mixer: mixer.masked(spec.d_model, context))
    return whole_prompt - dropped - 2 * spec.vocab * spec.d_model * (context - 1)


def bounds(spec: ModelSpec, deployment: Deployment, state_dtype: str = "float32") -> Bounds:
    """The least time that a prefill and a decode step take, and what they move; whether or not the model fits."""
    return sweep(spec, deployment, (deployment.batch,), state_dtype)[0]


def sweep(spec: ModelSpec, deployment: Deployment, batches: tuple[int, ...], state_dtype: str = "float32") -> tuple[Bounds, ...]:
    """The bounds at several batches."""
    named("state_dtype", state_dtype)
    s, n = shape(spec), deployment.context
    flops = cost.count(spec, n).flops_per_token, prompt_flops(s, n)
    looked = 0 if s.solver else s.each(lambda mixer: on_one(mixer, mixer.cache_read(n), deployment.sharing))
    elements = sequence(s, replace(deployment, page=1), n)
    return tuple(at_batch(s, replace(deployment, batch=batch), flops, looked, elements, state_dtype) for batch in batches)


def at_batch(
    s: Shape, d: Deployment, flops: tuple[int, int], looked: int, elements: tuple[int, int, int], state_dtype: str
) -> Bounds:
    """The bounds at one batch, from what one sequence computes, reads and keeps."""
    device = (d.device.peak(d.weight_dtype), d.device.bandwidth)
    kept, state = dynamic(elements, d, d.batch, state_dtype)
    step, prompt = (d.batch * f / d.devices for f in flops)
    tokens = d.batch * (d.context if s.solver else 1)
    decode = Phase(step, fed(s, d, tokens), stored(d.seats(d.batch) * looked, d.cache_dtype), 2 * state, *device)
    prefill = Phase(prompt, fed(s, d, d.batch * d.context), kept, state, *device)
    return Bounds(prefill, decode, d.batch, d.context, d.devices, *experts(s, tokens))
