"""Tiny runs that the tests share."""

from pathlib import Path

import torch

TINY = {
    "data.name": "digits",
    "model.width": 4,
    "model.hidden": 16,
    "model.dim": 8,
    "model.projector": "byol",
    "optim.batch": 240,
    "run.epochs": 2,
    "run.threads": 1,
    "run.progress": False,
    "run.evaluation": "none",
    "run.evaluate_every": 0,
    "run.diagnostics_every": 0,
}  # 1438 training images: 5 batches an epoch
LINEAR = TINY | {
    "data.augmentation": "none",
    "model.backbone": "linear",
    "model.width": 6,
    "model.projector": "none",
    "method.loss": "l2",
    "method.sides": "one-sided",
    "optim.batch": 1438,
    "optim.lr": 0.02,
    "optim.momentum": 0.0,
    "optim.weight_decay": 0.01,
    "optim.schedule": "constant",
    "run.precision": "64-true",
    "run.probe": False,
}


def run(folder: Path, given=TINY, **more):
    """Train with these keys (two underscores for the dot) into a folder."""
    from lindyn.bridge import train
    from lindyn.bridge.training import TrainConfig

    resume = more.pop("resume", False)
    changes = {name.replace("__", "."): value for name, value in more.items()}
    return train(TrainConfig.of({**given, "run.folder": str(folder), **changes}), resume=resume)


def in_words(given: dict) -> list[str]:
    """Return keys as one types them after `lindyn train`."""
    return [f"{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in given.items()]


def weights(done, checkpoint=-1):
    """Return the state dict of a checkpoint."""
    return torch.load(done.checkpoints[checkpoint], weights_only=True)["state_dict"]


def differing(a: dict, b: dict) -> list[str]:
    """Return the names of the tensors that are not equal to the last bit."""
    assert a.keys() == b.keys()
    return [name for name in a if not torch.equal(a[name], b[name])]
