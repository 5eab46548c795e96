"""Small runs, their pieces taken apart by hand, and a measurement by plain sums: what the tests here share."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from lindyn.bridge.records import Pieces, PredictorMap
from lindyn.bridge.settings import Settings
from lindyn.bridge.training import Run, TrainConfig, train
from lindyn.bridge.training.run_folder import step_of
from tests.bridge.training.helpers import TINY

QUIET = {
    "run.threads": 1,
    "run.progress": False,
    "run.evaluation": "none",
    "run.evaluate_every": 0,
    "run.probe": False,
    "run.theory": False,
    "run.accelerator": "cpu",
}
GAUSSIAN = QUIET | {
    "data.name": "gaussian",
    "data.size": 6,
    "data.count": 2000,
    "model.width": 8,
    "method.loss": "l2",
    "method.sides": "one-sided",
    "method.ema": 0.995,
    "optim.batch": 200,
    "optim.lr": 0.02,
    "optim.momentum": 0.0,
    "optim.weight_decay": 0.02,
    "optim.schedule": "constant",
    "run.precision": "64-true",
    "run.epochs": 12,
    "run.checkpoint_every": 3,
    "run.diagnostics_every": 10,
}
DIGITS = TINY | QUIET | {"run.epochs": 4, "run.checkpoint_every": 2, "run.diagnostics_every": 5}


def trained(folder: Path, given=GAUSSIAN, **more) -> Run:
    """Train with these keys (two underscores for the dot) into a folder."""
    changes = {name.replace("__", "."): value for name, value in more.items()}
    return train(TrainConfig.of({**given, "run.folder": str(folder), **changes}))


def settings_of(run: Run) -> Settings:
    """Return the run's own keys, the learning rate as it acted."""
    return Settings.of(run.config.flat() | {"optim.lr": run.config.learning_rate}, "run.toml")


def pieces_of(run: Run, checkpoint: int = -1) -> Pieces:
    """Return a checkpoint of a run in parts, heads as plain stacks."""
    module = run.module(checkpoint)
    path = run.checkpoints[checkpoint]
    return Pieces(
        path, "lindyn", "lindyn train", module.backbone, stack(module.projection_head), stack(module.prediction_head),
        module.teacher_backbone, stack(module.teacher_projection_head), None, step_of(path), None, settings_of(run),
    )  # fmt: skip


def stack(head):
    """Return a head as nn.Sequential, None for none and for the identity."""
    if head is None or isinstance(head, nn.Identity):
        return None
    if isinstance(head, nn.Linear):
        return nn.Sequential(head)
    if hasattr(head, "W_p"):
        layer = nn.Linear(*head.W_p.shape[::-1], bias=False, dtype=head.W_p.dtype)
        layer.weight.data = head.W_p.detach().clone()
        return nn.Sequential(layer)
    return nn.Sequential(*getattr(head, "layers", [head]))


@dataclass
class Measured:
    """What over-training curves read of a measurement."""

    F: np.ndarray
    X: np.ndarray | None
    X_aug: np.ndarray | None
    tau: np.ndarray | None
    samples: int
    maps: tuple = ()
    diagnosis: object = None


@torch.no_grad()
def measured(source, predictor) -> Measured:
    """Return the moments of a source's features, all at once, and the predictor's matrix (linear ones only)."""
    batches = list(source.batches())
    z1, z2 = (torch.cat([getattr(b, name) for b in batches]).double().numpy() for name in ("z1", "z2"))
    N = len(z1)
    cross, apart = z1.T @ z2 / N, (z1 - z2) / 2**0.5
    F = (z1.T @ z1 + z2.T @ z2) / (2 * N)
    tau = None
    if batches[0].target1 is not None:
        aim = torch.cat([b.target1 for b in batches]).double().numpy()
        s, U = np.linalg.eigh(F)
        s, U = s[::-1], U[:, ::-1]
        tau = np.sum(U * (aim.T @ z1 / N @ U), axis=0) / np.maximum(s, 1e-300)
        tau[s < 1e-9 * s[0]] = np.nan
    W_p = np.eye(z1.shape[1])
    for layer in predictor or ():
        W_p = layer.weight.double().numpy() @ W_p
    maps = (PredictorMap(W_p, "exact", 1.0),)
    return Measured(F, (cross + cross.T) / 2, apart.T @ apart / N, tau, N, maps)
