"""BYOL and SimSiam with any predictor, as a LightningModule."""

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from lindyn.bridge.training import method
from lindyn.bridge.training.config import TrainConfig
from lindyn.bridge.training.image_batches import Source
from lindyn.bridge.training.image_order import Order
from lindyn.bridge.training.two_view_network import TwoViewNetwork, seeded


class Probe(nn.Module):
    """lightly's online linear classifier on features standardised by a BatchNorm without parameters (He et al. 2022).

    Features of a small network differ in scale by orders of magnitude; without it the probe sees the largest alone.
    """

    def __init__(self, features: int, classes: int, classifier: Any):
        super().__init__()
        self.norm = nn.BatchNorm1d(features, eps=1e-10, affine=False)  # features of a collapse are tiny
        self.classifier = classifier(features, classes, topk=(1,))

    def forward(self, features: Tensor) -> Tensor:
        """Return one score per class."""
        return self.classifier(self.norm(features))

    def learn(self, features: Tensor, labels: Tensor, batch_idx: int, step: int) -> tuple[Tensor, Tensor]:
        """Return loss and accuracy of a training batch; the running statistics start from the first ones."""
        self.norm.momentum = max(0.1, 1 / (step + 1))
        loss, logs = self.classifier.training_step((self.norm(features), labels), batch_idx)
        return loss, logs["train_online_cls_top1"]


class SelfSupervised(TwoViewNetwork, pl.LightningModule):
    """A run's network as Lightning trains it, with a probe beside it.

    Args:
        config: the run.
        source: where its batches come from.
        steps: optimiser steps of the whole run.
        per_epoch: optimiser steps of an epoch.
    """

    def __init__(self, config: TrainConfig, source: Source, steps: int, per_epoch: int):
        super().__init__(config, source, steps, per_epoch)
        self.probe = self._probe()
        self.alarm = ""
        self._extra: dict[str, Any] = {}
        self.bad_step: Tensor
        self.register_buffer("bad_step", torch.tensor(-1), persistent=False)

    def _probe(self) -> Any:
        if not self.config.run.probe or not self.source.classes:
            return None
        from lightly.utils.benchmarking import OnlineLinearClassifier

        return Probe(self.backbone.features, self.source.classes, OnlineLinearClassifier)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Return the loss of one batch; the probe's own loss is added, its gradient stops at the features."""
        v1, v2, labels = self.source.views(batch, self.device, self.dtype)
        loss, parts = self.compare(v1, v2)
        self._look(loss)
        self.log("loss", loss.detach(), prog_bar=True)
        self._extra = {"loss": loss.detach(), **parts}
        if self.probe is not None and labels is not None:
            probe_loss, accuracy = self.probe.learn(parts["features"].detach(), labels, batch_idx, self.global_step)
            self.log("train_probe", accuracy)
            loss = loss + probe_loss
        return loss

    def _look(self, loss: Tensor) -> None:
        """Remember the first step whose loss was NaN or infinite; nothing waits for the device."""
        now = torch.where(torch.isfinite(loss), -1, self.global_step)
        self.bad_step = torch.where(self.bad_step >= 0, self.bad_step, now)

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Step, then what follows the weights: the closed-form predictor and the target (Grill et al. 2020, App. J)."""
        super().optimizer_step(*args, **kwargs)
        self.follow(self.global_step)

    def train_dataloader(self) -> Any:
        """Return the loader of this process's share of the batches, which goes on from the step count."""
        o, trainer = self.config.optim, self.trainer
        order = Order(
            self.source.count, o.batch, o.accumulate, self.config.run.seed, trainer.global_rank, trainer.world_size
        )
        return self.source.loader(order, lambda: self.trainer.global_step * o.accumulate)

    def configure_optimizers(self) -> Any:
        """Return optimiser and schedule, stepped with it."""
        found = method.groups(self.config, self.backbone, self.projection_head, self.prediction_head, self.probe)
        optim = method.optimiser(self.config, found)
        plan = method.schedule(self.config, optim, self.steps, self.per_epoch)
        return {"optimizer": optim, "lr_scheduler": {"scheduler": plan, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Put the configuration into the checkpoint."""
        checkpoint["lindyn"] = {"config": self.config.to_toml(), "step": self.global_step}


def build(config: TrainConfig, source: Source, world: int = 1) -> SelfSupervised:
    """Return the untrained module; the same weights for the same seed, whatever was drawn before."""
    return seeded(SelfSupervised, config, source, world)
