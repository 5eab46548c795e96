"""What every predictor has, and the ways out of torch.compile and of autocast."""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from lindyn.bridge.layers import parameter_groups


class Predictor(nn.Module):
    """A predictor: `forward(z)` on [..., d]; optimiser groups with its own rate and decay."""

    input_dim: int

    def parameter_groups(
        self, lr: float, weight_decay: float = 0.0, alpha_p: float = 1.0, eta_p: float | None = None
    ) -> list[dict[str, Any]]:
        """Return the optimiser groups of the predictor alone; an empty list if it is parameter-free.

        See `lindyn.bridge.parameter_groups`, which takes the rest of the model too.
        """
        return parameter_groups.predictor_groups(self, lr, weight_decay, alpha_p, eta_p)


def outside_graph(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function as one that torch.compile leaves alone; unlike torch.compiler.disable this loads nothing."""
    lazily = getattr(torch, "_disable_dynamo", None)
    return functools.wraps(function)((lazily or torch.compiler.disable)(function))


def in_backward() -> bool:
    """Return whether autograd is running: then a forward call is activation checkpointing computing it again."""
    task = getattr(torch._C, "_current_graph_task_id", None)
    return task is not None and task() != -1


def full_precision(tensor: Tensor) -> Any:
    """Return a context with autocast off and no gradient on the tensor's device."""
    return _FullPrecision(tensor.device.type)


class _FullPrecision:
    """`torch.no_grad()` and autocast off, together."""

    def __init__(self, device: str) -> None:
        self.contexts = (torch.no_grad(), torch.autocast(device, enabled=False))

    def __enter__(self) -> None:
        for context in self.contexts:
            context.__enter__()

    def __exit__(self, *error: Any) -> None:
        for context in reversed(self.contexts):
            context.__exit__(*error)
