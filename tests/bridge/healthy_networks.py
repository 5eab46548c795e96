"""Healthy networks, drawn by seed: at the start, or trained as BYOL, on images of digits; none of them has collapsed.

All are normalised as networks of this field are (BatchNorm, GroupNorm, LayerNorm, or BatchNorm in the head): without,
random ReLU layers give all images one direction, which is a collapse.
"""

import copy

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

NORMS = {"batch": nn.BatchNorm2d, "group": lambda n: nn.GroupNorm(4, n)}
FLAT_NORMS = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}


class Residual(nn.Module):
    """Two convolutions around a shortcut."""

    def __init__(self, width, norm):
        super().__init__()
        convolve = lambda: nn.Conv2d(width, width, 3, 1, 1, bias=False)  # noqa: E731
        self.inner = nn.Sequential(convolve(), norm(width), nn.ReLU(), convolve(), norm(width))

    def forward(self, x):
        return torch.relu(x + self.inner(x))


def _backbone(rng):
    kind, width = rng.choice(["mlp", "residual", "linear"], p=[0.5, 0.4, 0.1]), int(rng.choice([16, 32]))
    if kind == "linear":
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 64, bias=False)), 64, True
    if kind == "residual":
        norm, pooled = NORMS[rng.choice(["batch", "batch", "group"])], int(rng.choice([1, 2]))
        blocks = [Residual(width, norm) for _ in range(rng.integers(1, 3))]
        layers = [nn.Conv2d(1, width, 3, 2, 1, bias=False), norm(width), nn.ReLU(), *blocks]
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(pooled), nn.Flatten()), width * pooled**2, False
    layers, inner, norm = [nn.Flatten()], 64, FLAT_NORMS[rng.choice(["batch", "batch", "layer"])]
    for _ in range(rng.integers(1, 5)):
        layers += [nn.Linear(inner, 4 * width), norm(4 * width), nn.ReLU()]
        inner = 4 * width
    return nn.Sequential(*layers), inner, False


def _projector(rng, inner, linear):
    """Return a head: none, linear, BYOL's or SimSiam's, of d outputs."""
    d, hidden = int(rng.choice([8, 16, 32, 64, 128, 256])), int(rng.choice([64, 128, 256]))
    kind = rng.choice(["none", "linear"] if linear else ["none", "linear", "byol", "byol", "simsiam"])
    first = [nn.Linear(inner, hidden), nn.BatchNorm1d(hidden), nn.ReLU()]
    heads = {
        "none": [],
        "linear": [nn.Linear(inner, d)],
        "byol": [*first, nn.Linear(hidden, d)],
        "simsiam": [*first, nn.Linear(hidden, d), nn.BatchNorm1d(d)],
    }
    return nn.Sequential(*heads[kind]), inner if kind == "none" else d


def _view(x, generator):
    """Return a view: noise, a shift by a pixel, another brightness."""
    x = x + 0.15 * torch.randn(x.shape, generator=generator)
    shift = torch.randint(-1, 2, (2,), generator=generator)
    return torch.roll(x, (int(shift[0]), int(shift[1])), (2, 3)) * (
        0.7 + 0.6 * torch.rand(len(x), 1, 1, 1, generator=generator)
    )


def _train(net, d, images, steps, generator):
    """Train a network as BYOL, in few steps."""
    target, predictor = (
        copy.deepcopy(net),
        nn.Sequential(nn.Linear(d, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, d)),
    )
    optimizer = torch.optim.SGD([*net.parameters(), *predictor.parameters()], 0.03, momentum=0.9, weight_decay=4e-4)
    for _ in range(steps):
        batch = images[torch.randint(0, len(images), (128,), generator=generator)]
        a, b = _view(batch, generator), _view(batch, generator)
        with torch.no_grad():
            t_a, t_b = target(a), target(b)
        near = nn.functional.cosine_similarity
        loss = -(near(predictor(net(a)), t_b).mean() + near(predictor(net(b)), t_a).mean())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for slow, fast in zip(target.parameters(), net.parameters(), strict=True):
                slow.lerp_(fast, 0.02)


def draw(seed, steps=50):
    """Return (features, projector, whether it was trained) of one network; BatchNorm has the images' own statistics."""
    rng, generator = np.random.default_rng([seed, 0x4EA1]), torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    backbone, inner, linear = _backbone(rng)
    projector, d = _projector(rng, inner, linear)
    net, count = nn.Sequential(backbone, projector), int(rng.choice([300, 600, 1200]))
    images = torch.tensor(load_digits().images / 16, dtype=torch.float32)[:, None]
    images = images[torch.randperm(len(images), generator=generator)[:count]]
    trained = bool(seed % 2)
    if trained:
        _train(net, d, images, steps, generator)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.reset_running_stats()
                module.momentum = None
        for _ in range(4):
            net.train()(_view(images, generator))
        return net.eval()(_view(images, generator)), projector, trained
