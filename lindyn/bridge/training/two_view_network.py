"""The network of a run: online network, predictor and target, with the weights of its seed; nothing of a trainer."""

from typing import Any, TypeVar

import torch
from torch import nn

from lindyn.bridge.training import method, networks
from lindyn.bridge.training.config import TrainConfig
from lindyn.bridge.training.image_batches import Source
from lindyn.bridge.training.image_order import Order
from lindyn.bridge.training.two_view_step import TwoViewStep


class TwoViewNetwork(TwoViewStep, nn.Module):
    """Online network, predictor, target; one step of the method. Parts are named as lightly's benchmarks name them.

    Args:
        config: the run.
        source: where its batches come from.
        steps: optimiser steps of the whole run.
        per_epoch: optimiser steps of an epoch.
    """

    def __init__(self, config: TrainConfig, source: Source, steps: int, per_epoch: int):
        super().__init__()
        self.config, self.source, self.steps, self.per_epoch = config, source, steps, per_epoch
        self.backbone, self.projection_head = self._online()
        self.dim = self.width
        self.prediction_head = networks.predictor(config, self.dim)
        networks.cut(self.prediction_head, config.model.cut)
        self.teacher_backbone = self.teacher_projection_head = None
        if config.method.target != "online":
            how, fresh = config.method.target_start, {}  # type: ignore[var-annotated]

            def again(part: int) -> nn.Module:
                if not fresh:
                    fresh[0], fresh[1] = self._online()
                return fresh[part]

            self.teacher_backbone = method.start_target(self.backbone, lambda: again(0), how)
            self.teacher_projection_head = method.start_target(self.projection_head, lambda: again(1), how)

    def _online(self) -> tuple[Any, nn.Module]:
        backbone = networks.backbone(self.config, self.source.shape)
        projector, self.width = networks.projector(self.config, backbone.features)
        for part in (backbone, projector):
            networks.cut(part, self.config.model.cut)
        return backbone, projector


Network = TypeVar("Network", bound=TwoViewNetwork)


def seeded(kind: type[Network], config: TrainConfig, source: Source, world: int = 1) -> Network:
    """Return the untrained network of a run; the same weights for the same seed, whatever was drawn before.

    Args:
        kind: `TwoViewNetwork`, or what a trainer makes of it.
        config: the run.
        source: where its batches come from.
        world: processes that share a batch.
    """
    order = Order(source.count, config.optim.batch, config.optim.accumulate, config.run.seed, 0, world)
    per_epoch = len(order) // config.optim.accumulate
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.run.seed)
        return kind(config, source, per_epoch * config.run.epochs, per_epoch)
