"""Optimiser groups with the predictor's own rate (alpha_p) and decay, and their schedules."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from lindyn.bridge.training.config import TrainConfig


def groups(
    config: TrainConfig, online: nn.Module, projector: nn.Module, predictor: nn.Module, probe: nn.Module | None
) -> list[dict[str, Any]]:
    """Return the optimiser groups, each with a name, learning rate and decay.

    A step of SGD takes lr_p x decay x W_p off the predictor: in flow time eta_p = alpha_p x decay (Lemma 1;
    `Hyperparameters.from_training(decay="sgd")`).
    """
    o, lr = config.optim, config.learning_rate
    parts = (
        ("backbone", online, lr, o.weight_decay),
        ("projector", projector, lr * o.projector_multiplier, o.weight_decay),
        ("predictor", predictor, lr * o.alpha_p, config.predictor_decay),
    )
    found: list[dict[str, Any]] = []
    for name, module, rate, decay in parts:
        found += _group(name, module, rate, decay, o.exclude_bias_norm)
    if probe is not None:
        found += _group("probe", probe, config.run.probe_lr, 0.0, False)
    return found


def _group(name: str, module: nn.Module, lr: float, decay: float, exclude: bool) -> list[dict[str, Any]]:
    from lightly.models.utils import get_weight_decay_parameters

    if not exclude:
        parts = {name: (list(module.parameters()), decay)}
    else:
        decayed, bare = get_weight_decay_parameters([module])
        parts = {name: (decayed, decay), f"{name} (bias, norm)": (bare, 0.0)}
    return [{"params": params, "lr": lr, "weight_decay": own, "name": title}
            for title, (params, own) in parts.items() if params]  # fmt: skip


def optimiser(config: TrainConfig, found: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """Return SGD, or lightly's LARS, over the groups.

    Raises:
        ValueError: there is nothing to train.
    """
    if not found:
        raise ValueError("There is nothing to train: neither backbone, projector nor predictor has parameters.")
    o = config.optim
    if o.name == "sgd":
        return torch.optim.SGD(found, lr=config.learning_rate, momentum=o.momentum)
    from lightly.utils.lars import LARS

    return LARS(found, lr=config.learning_rate, momentum=o.momentum, trust_coefficient=o.trust)


def schedule(config: TrainConfig, optim: torch.optim.Optimizer, steps: int, per_epoch: int) -> Any:
    """Return the scheduler: linear warm-up, then cosine to 0 or constant; the predictor may stay constant.

    Args:
        config: the run.
        optim: its optimiser.
        steps: optimiser steps of the whole run.
        per_epoch: optimiser steps of an epoch.
    """
    main = factor(config.optim.schedule, round(config.optim.warmup_epochs * per_epoch), steps)
    flat = factor("constant", 0, steps)
    steady = config.optim.predictor_schedule == "constant"
    chosen = [flat if steady and group["name"].startswith("predictor") else main for group in optim.param_groups]
    return torch.optim.lr_scheduler.LambdaLR(optim, chosen)


def factor(kind: str, warmup: int, steps: int) -> Callable[[int], float]:
    """Return the share of the peak learning rate at a step: linear over `warmup` steps, then cosine or constant."""
    from lightly.utils.scheduler import cosine_warmup_schedule

    warmup = min(warmup, steps)

    def share(step: int) -> float:
        if kind == "constant":
            return min(1.0, (step + 1) / warmup) if warmup else 1.0
        return cosine_warmup_schedule(min(step, steps), steps, 1.0, 0.0, warmup, 0.0)

    return share
