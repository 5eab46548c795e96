"""A run on Gaussian inputs: the end of the untrained network, trained on nothing but the moments of what it sees.

Where `normalised_theory` leaves out activations, inner BatchNorm and the last convolution, this keeps them: the network
from its last convolution (or block) on takes the run's own steps on minibatches of Gaussian inputs with the mean, X and
X' of what that layer sees in the untrained network. What is left of the theory is its assumption on the data: two
moments say it all, and what stands before does not move.
"""

import copy
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lindyn import statistics
from lindyn.bridge.layers import stacks
from lindyn.bridge.run import linear_layers
from lindyn.bridge.run.normalised_theory import StepPlan, TheoryPath, effective_rank
from lindyn.bridge.training import method
from lindyn.bridge.training.config import TrainConfig
from lindyn.bridge.training.two_view_step import TwoViewStep
from lindyn.bridge.watch.find_predictor import map_kind, weight_map
from lindyn.display.brief import Brief

LARGEST = 4096
"""Numbers of an input up to which the surrogate starts before the last convolution; else before the projector."""
POOL = 4096
"""Gaussian images, and as many differences of views, of which minibatches are put together."""
READ = 512
"""Samples that F is read from."""
WEIGHTLESS = (nn.modules.batchnorm._BatchNorm, nn.Flatten, nn.AdaptiveAvgPool2d, nn.AvgPool2d, nn.MaxPool2d,
              *linear_layers.ACTIVATIONS)  # fmt: skip
"""What may stand between the last convolution and the projector."""


@dataclass(frozen=True, eq=False, repr=False)
class GaussianInputs(Brief):
    """Views m + u + v and m + u - v of Gaussian inputs, u and v independent, with the moments of recorded views.

    u has the covariance of half the sum of two recorded views, v that of half their difference: a view has X + X', and
    two views of one image have X. Both are sums of the recorded ones with Gaussian weights; no matrix is formed.

    Args:
        common: m + u, POOL x shape of an input.
        apart: v, likewise.
    """

    common: Tensor
    apart: Tensor

    @classmethod
    def of(cls, first: Tensor, second: Tensor, generator: torch.Generator, pool: int = POOL) -> "GaussianInputs":
        """Return Gaussian inputs with the moments of two recorded views.

        Args:
            first: N x shape.
            second: the same images' other view.
            generator: of the weights.
            pool: how many.
        """
        mean = (first.mean(0) + second.mean(0)) / 2
        halves = (first + second) / 2 - mean, (first - second) / 2
        drawn = [
            (torch.randn(pool, len(half), generator=generator) @ half.flatten(1)).reshape(pool, *half.shape[1:])
            / math.sqrt(len(half))
            for half in halves
        ]
        return cls(mean + drawn[0], drawn[1])

    def batch(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return two views of `size` inputs."""
        pick, other = (torch.randint(len(self.common), (size,), generator=generator) for _ in range(2))
        u, v = self.common[pick], self.apart[other]
        return u + v, u - v


class EndOfNetwork(TwoViewStep, nn.Module):
    """The end of a network with the method's heads and target, as it is trained on Gaussian inputs.

    Args:
        config: the run.
        steps: optimiser steps of the whole run.
        parts: backbone (its end), projection_head, prediction_head, and those of the target or None.
    """

    def __init__(self, config: TrainConfig, steps: int, parts: Mapping[str, nn.Module | None]):
        super().__init__()
        self.config, self.steps = config, steps
        for name, part in parts.items():
            setattr(self, name, copy.deepcopy(part))  # each its own, where the target starts as the online network
        self.train()


@dataclass(frozen=True, eq=False, repr=False)
class GaussianSurrogate(Brief):
    """Where a run on Gaussian inputs starts.

    Args:
        end: the trained part of the network, untrained; it is copied before it takes a step.
        first: recorded inputs of its first layer, one view; N x shape.
        second: the other view.
        left_out: what is not of the network, in words.
    """

    end: EndOfNetwork
    first: Tensor
    second: Tensor
    left_out: tuple[str, ...]


def surrogate_of(
    network: nn.Module, config: TrainConfig, steps: int, views: Iterable[tuple[Tensor, Tensor]]
) -> GaussianSurrogate:
    """Return the start of a run on Gaussian inputs.

    Args:
        network: with backbone, projection_head, prediction_head and perhaps those of a target; it is left as it is.
        config: the run.
        steps: its optimiser steps.
        views: batches of two views.

    Raises:
        ValueError: no batch, inputs that are no numbers, or no parameter that is trained.
    """
    batches = [(one, other) for one, other in views]
    if not batches:
        raise ValueError("views must hold a batch at least; got none.")
    backbone = _online(network)
    place = _place(backbone, network.get_submodule("projection_head"), batches[0][0])
    front, end = _split(backbone, place)
    parts: dict[str, Any] = {
        "backbone": end, "projection_head": network.projection_head, "prediction_head": network.prediction_head,
        "teacher_backbone": None, "teacher_projection_head": None,
    }  # fmt: skip
    if config.method.target != "online":
        target, head = (getattr(network, name, None) for name in ("teacher_backbone", "teacher_projection_head"))
        parts["teacher_backbone"] = end if target is None else _split(target, place)[1]
        parts["teacher_projection_head"] = network.projection_head if head is None else head
    front = copy.deepcopy(front).train()
    with torch.no_grad():
        first, second = (torch.cat([front(pair[side]) for pair in batches]).float() for side in (0, 1))
    if not (torch.isfinite(first).all() and torch.isfinite(second).all()):
        raise ValueError("The features of the untrained network are NaN or infinite: look at the images first.")
    before = f"the training of what stands before {_name(end)}" if len(end) else "the training of the backbone"
    told = f"the images: Gaussian inputs have the mean, X and X' of {len(first)} of them"
    net = EndOfNetwork(config, steps, parts).float().cpu()
    online = (net.backbone, net.projection_head, net.prediction_head)
    if not any(weight.requires_grad for part in online for weight in part.parameters()):
        raise ValueError("There is nothing to train: every parameter is frozen (requires_grad is False).")
    return GaussianSurrogate(net, first.cpu(), second.cpu(), (told,) if place == 0 else (before, told))


def path_of(surrogate: GaussianSurrogate, plan: StepPlan, at: Sequence[int] | np.ndarray, seed: int = 0) -> TheoryPath:
    """Return readings along a run on Gaussian inputs.

    Args:
        surrogate: its start.
        plan: of the run, for the law of the angle.
        at: steps of the readings, increasing from 0.
        seed: of the inputs.

    Returns:
        The path, up to where it leaves the numbers; p is NaN for a predictor that is no linear map.
    """
    generator = torch.Generator().manual_seed(seed)
    views = GaussianInputs.of(surrogate.first, surrogate.second, generator)
    sample = views.batch(READ, generator)[0]
    net = copy.deepcopy(surrogate.end)
    o, steps = net.config.optim, net.steps
    groups = method.groups(net.config, net.backbone, net.projection_head, net.prediction_head, None)
    optim = method.optimiser(net.config, groups)
    schedule = method.schedule(net.config, optim, steps, plan.per_epoch)
    wanted, told = {int(step) for step in at}, _Readings()
    for step in range(steps + 1):
        if step in wanted and not told.read(step, net, sample):
            break
        if step == steps:
            break
        optim.zero_grad()
        for _ in range(o.accumulate):
            (net.compare(*views.batch(o.batch, generator))[0] / o.accumulate).backward()
        if o.clip:
            nn.utils.clip_grad_norm_([p for group in groups for p in group["params"]], o.clip)
        optim.step()
        schedule.step()
        net.follow(step)
        told.turned(net)
    return told.path(plan)


class _Readings:
    """What is read along the way; the angle of a reading is known a step later."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.rows: list[tuple[np.ndarray, np.ndarray, float, float]] = []
        self.angles: list[float] = []
        self.before: Tensor | None = None
        self.finite = True

    def read(self, step: int, net: EndOfNetwork, sample: Tensor) -> bool:
        """Read the outputs; return whether they are numbers."""
        with torch.no_grad():
            z = net.projection_head(net.forward(sample)).double()
        if not torch.isfinite(z).all():
            self.finite = False
            return False
        s, U = statistics.eigen((z.T @ z / len(z)).numpy())
        head = net.prediction_head
        W_p = None if map_kind(head) == "least squares" else weight_map(head).double().numpy()
        along = np.full(len(s), math.nan) if W_p is None else np.asarray(statistics.along(W_p, U))
        weights = [p for p in head.parameters() if p.ndim > 1]
        norm_p = math.sqrt(sum(float(p.detach().square().sum()) for p in weights)) if weights else math.nan
        self.before = _vector(net)
        self.steps.append(step)
        self.rows.append((np.maximum(s, 0.0), along, float(self.before.norm()), norm_p))
        self.angles.append(math.nan)
        return True

    def turned(self, net: EndOfNetwork) -> None:
        """Note the angle by which the step after a reading turned the layers."""
        if self.before is not None:
            here, there = (vector / vector.norm() for vector in (self.before, _vector(net)))
            self.angles[-1] = float(2 * torch.asin(((here - there).norm() / 2).clamp(max=1.0)))
            self.before = None

    def path(self, plan: StepPlan) -> TheoryPath:
        """Return the readings."""
        steps = np.array(self.steps)
        spectrum, along, norm, norm_p = (np.array(each) for each in zip(*self.rows, strict=True))
        return TheoryPath(
            steps, spectrum, along, effective_rank(spectrum), spectrum.sum(axis=1), norm, norm_p,
            np.array(self.angles), plan.angle_law(steps), self.finite,
        )  # fmt: skip


def _vector(net: EndOfNetwork) -> Tensor:
    """Return the weights of the projector's linear layers, of a network without any those of its end, as one vector."""
    parts = (net.projection_head, net.backbone)
    found = [[m.weight for m in part.modules() if isinstance(m, nn.Linear)] for part in parts]
    return torch.cat([weight.detach().double().flatten() for weight in found[0] or found[1]])


def _online(network: nn.Module) -> nn.Module:
    """Return the backbone; where the projector is the whole network, what flattens its images."""
    backbone: nn.Module | None = getattr(network, "backbone", None)
    return nn.Flatten() if backbone is None else backbone


def _split(backbone: nn.Module, place: int | None) -> tuple[nn.Sequential, nn.Sequential]:
    """Return what stays as it is, and what is trained on: from a layer on, all of it (0), or nothing (None)."""
    if place is None:
        return nn.Sequential(backbone), nn.Sequential()
    if place == 0:
        return nn.Sequential(), nn.Sequential(backbone)
    layers = nn.Sequential(*stacks.flat(backbone, wrapped=True))
    return layers[:place], layers[place:]


def _place(backbone: nn.Module, projector: nn.Module, images: Tensor) -> int | None:
    """Return which layer of a backbone is its last convolution or block; None where it cannot start there."""
    layers = stacks.flat(backbone, wrapped=True)
    place = next((k for k in reversed(range(len(layers))) if not isinstance(layers[k], WEIGHTLESS)), None)
    if not stacks.flat(projector, wrapped=True):
        place = 0  # the backbone is the projector
    if place is None:
        return None
    front, end = (copy.deepcopy(part).train() for part in _split(backbone, place))
    with torch.no_grad():
        seen = front(images)
        again, real = end(seen).flatten(1), copy.deepcopy(backbone).train()(images).flatten(1)
    same = again.shape == real.shape and torch.allclose(again, real, atol=1e-5)  # a module may do more than its child
    return place if same and seen[0].numel() <= LARGEST else None


def _name(end: nn.Sequential) -> str:
    """Return what the end begins with, in words."""
    first = end[0]
    kinds = ((nn.modules.conv._ConvNd, "the last convolution"), (nn.Linear, "the last linear layer of the backbone"))
    return next((words for kind, words in kinds if isinstance(first, kind)), f"the last {type(first).__name__}")
