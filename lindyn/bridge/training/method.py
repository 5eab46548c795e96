"""The method: its loss and sides, the target that follows, optimiser groups with alpha_p, and every schedule."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from lindyn.bridge.training.config import TrainConfig


def cosine(q: Tensor, z: Tensor) -> Tensor:
    """Return 2 - 2 cos(q, z), the squared distance of the normalised vectors (Grill et al. 2020, Eq. 2)."""
    return 2 - 2 * cosine_similarity(q, z, dim=-1).mean()


def negative_cosine(q: Tensor, z: Tensor) -> Tensor:
    """Return -cos(q, z) (Chen and He 2021, Eq. 1; lightly's NegativeCosineSimilarity)."""
    return -cosine_similarity(q, z, dim=-1).mean()


def l2(q: Tensor, z: Tensor) -> Tensor:
    """Return |q - z|^2 / 2, summed over the outputs, averaged over samples (Tian et al. 2021, Eq. 1)."""
    return 0.5 * (q - z).square().sum(-1).mean()


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cosine": cosine,
    "negative-cosine": negative_cosine,
    "l2": l2,
}
OVER_J = {"cosine": 2.0, "negative-cosine": 1.0, "l2": 1.0}
"""Each loss over J of Eq. 1, for unit vectors: 2 - 2 cos = |q - z|^2."""
SIDES_OVER_J = {"one-sided": 1.0, "symmetrised": 2.0, "averaged": 1.0}
"""The loss of both directions over that of one."""
COMPARES_SIZES = ("l2",)
"""Losses of q and z themselves; the others compare directions: the gradient is 1/tr F times that of unit vectors."""


def both_sides(loss: Callable[[Tensor, Tensor], Tensor], sides: str, q: list[Tensor], z: list[Tensor]) -> Tensor:
    """Return the loss of the predictions q[k] of target outputs z[k], one or two directions.

    "symmetrised" sums the directions, as BYOL does; "averaged" takes their mean, as SimSiam does: half the gradient.
    """
    total = loss(q[0], z[0])
    if sides == "one-sided":
        return total
    total = total + loss(q[1], z[1])
    return total / 2 if sides == "averaged" else total


def start_target(online: nn.Module, fresh: Callable[[], nn.Module], how: str) -> nn.Module:
    """Return the target's network: a copy of the online one, newly drawn, or all zero; without gradient.

    Args:
        online: the online network.
        fresh: draws a network of the same form.
        how: "copy", "independent" or "zero".
    """
    target = fresh() if how == "independent" else copy.deepcopy(online)
    if how == "zero":
        with torch.no_grad():
            for parameter in target.parameters():
                parameter.zero_()
    return target.requires_grad_(False)


def ema_rate(config: TrainConfig, step: int, steps: int) -> float:
    """Return gamma_a at optimiser step `step` of `steps`; Grill et al. 2020: 1 - (1 - gamma_a)(cos(pi k/K) + 1)/2."""
    from lightly.utils.scheduler import cosine_schedule

    if config.method.ema_schedule == "constant":
        return config.method.ema
    return cosine_schedule(min(step, steps), steps, config.method.ema, 1.0)


@torch.no_grad()
def follow(online: nn.Module, target: nn.Module, rate: float) -> None:
    """Set the target's parameters to rate x target + (1 - rate) x online (lightly's update_momentum)."""
    from lightly.models.utils import update_momentum

    if next(online.parameters(), None) is not None:
        update_momentum(online, target, rate)


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
