"""The runs behind the fixtures as the training code itself builds them: what every reader is held against."""

import functools
from pathlib import Path

import torch

FIXTURES = Path(__file__).parent / "fixtures"


@functools.cache
def original(name, checkpoint=-1):
    """Return the run's module, built by the training code from the configuration inside, in eval mode."""
    from lindyn.bridge.training import checkpoints
    from lindyn.bridge.training.run import build
    from lindyn.bridge.training.sources import open_source

    path = checkpoints.every(FIXTURES / "lindyn" / name)[checkpoint]
    config = checkpoints.config_of(path)
    module = build(config, open_source(config))
    module.load_state_dict(checkpoints.read(path)["state_dict"])
    return module.eval().requires_grad_(False)


def images(count=64):
    """Return digits as the backbone takes them, B x 1 x 8 x 8."""
    from sklearn.datasets import load_digits

    return torch.as_tensor(load_digits().images[:count] / 16, dtype=torch.float32)[:, None]
