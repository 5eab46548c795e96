"""One step of BYOL and SimSiam on two views of the same images: the loss, and what follows the weights after a step."""

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from lindyn.bridge.training import method
from lindyn.bridge.training.config import TrainConfig


class TwoViewStep:
    """What a module does with two views; its parts are named as lightly's benchmarks name them.

    Args:
        config: the run.
        steps: optimiser steps of the whole run.
        backbone: images -> features.
        projection_head: features -> z.
        prediction_head: z -> q.
        teacher_backbone: of the target, None where it is the online network itself.
        teacher_projection_head: likewise.
    """

    config: TrainConfig
    steps: int
    backbone: Any
    projection_head: Any
    prediction_head: Any
    teacher_backbone: Any
    teacher_projection_head: Any

    def forward(self, images: Tensor) -> Tensor:
        """Return the backbone's features."""
        return self.backbone(images).flatten(1)  # type: ignore[no-any-return]

    def compare(self, v1: Tensor, v2: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the method's loss of two views, and what diagnostics look at: features, z, z_target."""
        sides = self.config.method.sides
        two = sides != "one-sided"
        features = self.forward(v1)
        z = [self.projection_head(features)]
        shared = self.config.method.target == "online"
        if two:
            z.append(self.projection_head(self.forward(v2)))
        aims = [z[1], z[0]] if shared and two else [self._aim(v2), *([self._aim(v1)] if two else [])]
        if self.config.method.stop_gradient:
            aims = [aim.detach() for aim in aims]
        q = [self._predict(z[k], aims[k]) for k in range(len(z))]
        loss = method.both_sides(method.LOSSES[self.config.method.loss], sides, q, aims)
        return loss, {"features": features, "z": z[0].detach(), "z_target": aims[0].detach()}

    def _aim(self, view: Tensor) -> Tensor:
        """Return the target's output for a view."""
        quiet = self.config.method.stop_gradient or self.config.method.target != "online"
        with torch.no_grad() if quiet else nullcontext():
            if self.teacher_backbone is None:
                return self.projection_head(self.forward(view))  # type: ignore[no-any-return]
            return self.teacher_projection_head(self.teacher_backbone(view).flatten(1))  # type: ignore[no-any-return]

    def _predict(self, z: Tensor, aim: Tensor) -> Tensor:
        if getattr(self.prediction_head, "cross_from", None) == "target":
            return self.prediction_head(z, aim.detach())  # type: ignore[no-any-return]
        return self.prediction_head(z)  # type: ignore[no-any-return]

    def follow(self, step: int) -> None:
        """Set what follows the weights: the closed-form predictor and the target (Grill et al. 2020, App. J).

        Args:
            step: the step that was taken, the first is 0.
        """
        update = getattr(self.prediction_head, "update", None)
        if update is not None and self.prediction_head.recipe.update == "step":
            update()
        if self.config.method.target == "ema":
            rate = method.ema_rate(self.config, step, self.steps)
            method.follow(self.backbone, self.teacher_backbone, rate)
            method.follow(self.projection_head, self.teacher_projection_head, rate)
