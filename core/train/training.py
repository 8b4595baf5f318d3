"""One deterministic training loop for every recipe: the same seed gives the same weights, interrupted or not.

Data are drawn from a generator seeded by (seed, step), so a run continues from its snapshot exactly where it stood. Files
are written beside their place and renamed, so there is never half a file. Nothing is pickled: snapshots and checkpoints
are safetensors with json inside or beside them.
"""

import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import safetensors.torch
import torch
from torch import nn

from core.model.model import Model
from core.model.spec import ModelSpec
from core.train.task import Task

SNAPSHOT_SECONDS = 10.0


@dataclass(frozen=True)
class Recipe:
    """How one variant is trained. `settings` go to the task's `training_batch`; steps are optimiser steps."""

    variant: str
    spec: ModelSpec
    task: Task
    steps: int
    lr: float
    settings: dict = field(default_factory=dict, hash=False)
    embed_std: float = 1.0
    warmup: float = 0.05
    weight_decay: float = 0.01
    evaluate_every: int = 65
    ships: bool = True  # whether the first seed's weights are kept; runs that only fill a table need none


def fresh(recipe: Recipe, seed: int) -> Model:
    """The model before its first step, the same for the same seed on every device."""
    torch.manual_seed(seed)
    model = Model(recipe.spec)
    nn.init.normal_(model.embed_tokens.weight, std=recipe.embed_std)
    recipe.task.prepare(model, **recipe.settings)
    return model


def learning_rate(recipe: Recipe, step: int) -> float:
    """Linear warm-up, then a half cosine down to 0."""
    warm = max(1, int(recipe.warmup * recipe.steps))
    if step < warm:
        return recipe.lr * (step + 1) / warm
    return recipe.lr * 0.5 * (1 + math.cos(math.pi * (step - warm) / (recipe.steps - warm)))


def optimiser(recipe: Recipe, model: nn.Module) -> torch.optim.Optimizer:
    """AdamW as in every run here."""
    return torch.optim.AdamW(model.parameters(), lr=recipe.lr, betas=(0.9, 0.98), weight_decay=recipe.weight_decay)


def run(recipe: Recipe, seed: int, device="cpu", snapshot: Path | None = None, tick: Callable[[int], None] = lambda steps: None):
    """Train -> the model on the CPU, and one row of metrics an evaluation. `tick` is told how many steps were done."""
    torch.set_num_threads(1)
    model = fresh(recipe, seed).to(device)
    adam = optimiser(recipe, model)
    start, rows, spent = resume(snapshot, recipe, model, adam)
    tick(start)
    began = saved = time.perf_counter()
    for step in range(start, recipe.steps):
        train_step(recipe, model, adam, seed, step, device)
        now = time.perf_counter()
        if (step + 1) % recipe.evaluate_every == 0 or step + 1 == recipe.steps:
            rows.append({"step": step + 1, **evaluate(recipe, model), "seconds": round(spent + now - began, 1)})
        if snapshot and now - saved > SNAPSHOT_SECONDS:
            progress = {"recipe": repr(recipe), "step": step + 1, "rows": rows, "seconds": spent + now - began}
            save_snapshot(snapshot, model, adam, progress)
            saved = now
        tick(1)
    recipe.task.finish(model, **recipe.settings)
    return model.cpu().eval(), rows


def train_step(recipe: Recipe, model: nn.Module, adam: torch.optim.Optimizer, seed: int, step: int, device: str) -> None:
    """One optimiser step on the batch that (seed, step) gives."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
    task, settings = recipe.task, recipe.settings
    data = [t.to(device) for t in task.training_batch(step, generator, **settings)]
    for group in adam.param_groups:
        group["lr"] = learning_rate(recipe, step)
    adam.zero_grad()
    task.loss(model, *data, **settings).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    adam.step()
    task.after(model, *data, **settings)


def evaluate(recipe: Recipe, model: nn.Module) -> dict:
    """The task's metrics on the CPU, where every reader can reproduce them."""
    device = next(model.parameters()).device
    metrics = recipe.task.evaluate(model.cpu().eval(), **recipe.settings)
    model.to(device).train()
    return metrics


# Files


def write(path: Path, data: bytes) -> None:
    """Write a whole file or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.part")
    draft.write_bytes(data)
    os.replace(draft, path)


def save_snapshot(path: Path, model: nn.Module, adam: torch.optim.Optimizer, progress: dict) -> None:
    """Weights and buffers, both moments of AdamW, and how far the run is."""
    tensors = {f"model.{name}": p.detach().cpu().contiguous() for name, p in tensors_of(model).items()}
    for name, p in model.named_parameters():
        for moment in ("exp_avg", "exp_avg_sq"):
            tensors[f"{moment}.{name}"] = adam.state[p][moment].cpu().contiguous()
    write(path, safetensors.torch.save(tensors, metadata={"progress": json.dumps(progress)}))


def tensors_of(model: nn.Module) -> dict[str, torch.Tensor]:
    """Every parameter, once, and every buffer, by name."""
    return dict(model.named_parameters()) | dict(model.named_buffers())


@torch.no_grad()
def resume(path: Path | None, recipe: Recipe, model: nn.Module, adam: torch.optim.Optimizer) -> tuple[int, list, float]:
    """Go on from a snapshot of the same recipe -> steps done, rows so far, seconds spent; (0, [], 0.0) without one."""
    if path is None or not path.exists():
        return 0, [], 0.0
    with safetensors.safe_open(path, "pt") as file:
        progress = json.loads(file.metadata()["progress"])
        if progress["recipe"] != repr(recipe):
            return 0, [], 0.0
        for name, p in tensors_of(model).items():
            p.copy_(file.get_tensor(f"model.{name}"))
        for name, p in model.named_parameters():
            moments = {moment: file.get_tensor(f"{moment}.{name}").to(p.device) for moment in ("exp_avg", "exp_avg_sq")}
            adam.state[p] = {"step": torch.tensor(float(progress["step"])), **moments}
    return progress["step"], progress["rows"], progress["seconds"]
