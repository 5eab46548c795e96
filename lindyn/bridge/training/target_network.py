"""The target network: how it starts, and how it follows."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from lindyn.bridge.training.config import TrainConfig


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


def rates(config: TrainConfig, steps: int) -> dict[str, Any]:
    """Return what the target does, in words and numbers, for the summary."""
    if config.method.target != "ema":
        return {"target": config.method.target}
    return {"target": "ema", "first": ema_rate(config, 0, steps), "last": ema_rate(config, steps - 1, steps)}
