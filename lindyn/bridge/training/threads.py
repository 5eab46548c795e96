"""How many CPU threads a run takes: by the size of its layers, unless the user or the environment has said so.

Threads of one layer wait for each other at its end. In a small layer that costs what they gain, and on a machine with
other work all of them wait for the one that has to wait for its turn. So a network of small layers gets one thread, any
other all that torch would take. The count depends on network, batch and machine alone, not on the load: a run that is
resumed, or made again, has the same threads and with them the same sums to the last bit.
"""

import contextlib
import os
from typing import Any, NamedTuple

import torch
from torch import nn

from lindyn.bridge.training.config import TrainConfig
from lindyn.bridge.training.two_view_network import TwoViewNetwork

SMALL = 2e7  # multiplications of a layer and batch, a millisecond of one thread, up to which a second gains nothing
NAMED = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")  # set by a user, a scheduler or torchrun
TRIED = 2  # images that are sent through to count


class Threads(NamedTuple):
    """A number of threads and where it comes from, in words."""

    number: int
    source: str

    def __str__(self) -> str:
        return f"{self.number} CPU thread{'s' * (self.number != 1)} ({self.source})"


def threads_of(config: TrainConfig, module: TwoViewNetwork, on_cpu: bool = True, world: int = 1) -> Threads:
    """Return the threads of a run.

    Args:
        config: the run; its run.threads goes first, then an inherited OMP_NUM_THREADS.
        module: its network.
        on_cpu: whether the network is trained on the CPU.
        world: processes that share a batch.
    """
    if config.run.threads:
        return Threads(config.run.threads, "run.threads")
    for name in NAMED:
        if os.environ.get(name, "").split(",")[0].strip().isdigit():
            return Threads(torch.get_num_threads(), f"{name} is set")
    most = torch.get_num_threads()
    if not on_cpu:
        return Threads(most, "as torch chooses")
    work = layer_work(module, config.optim.batch / world)
    if work > SMALL or most == 1:
        return Threads(most, "as torch chooses")
    return Threads(1, f"of {most}: a layer has {work:.1g} multiplications a batch; run.threads sets it")


def layer_work(module: TwoViewNetwork, batch: float) -> float:
    """Return the multiplications of a forward pass per layer that has any, in the mean; the module stays as it is."""
    counts: list[float] = []

    def count(layer: nn.Module, _: Any, out: torch.Tensor) -> None:
        weight = layer.weight
        counts.append(out.numel() * weight[0].numel() * batch / TRIED)  # type: ignore[index,operator,union-attr]

    parts = (module.backbone, module.projection_head)
    layers = [one for part in parts for one in part.modules() if isinstance(one, nn.Linear | nn.modules.conv._ConvNd)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    modes = [(one, one.training) for one in module.modules()]
    try:
        with torch.no_grad():
            module.eval()
            first = next(module.parameters())
            module.projection_head(module(first.new_zeros((TRIED, *module.source.shape))))
    finally:
        for hook in hooks:
            hook.remove()
        for one, mode in modes:
            one.training = mode
    return sum(counts) / max(1, len(counts))


@contextlib.contextmanager
def limited(threads: Threads) -> Any:
    """Run torch and numpy's BLAS with so many threads, and as before afterwards."""
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(threads.number)
    try:
        with threadpool_limits(threads.number, user_api="blas"):
            yield
    finally:
        torch.set_num_threads(before)
