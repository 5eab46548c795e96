"""Backbones and projectors: the papers' networks from torchvision and lightly, and small ones for a CPU."""

import math
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from lindyn.bridge.training.config import TrainConfig


class SmallNet(nn.Module):
    """Three convolutions of stride 2 with normalisation and ReLU, then the mean over places.

    Args:
        channels: of the images.
        width: channels of the first layer; the output has 4 x width features.
        norm: "batch", "group" (four groups) or "none" (biases instead).
    """

    def __init__(self, channels: int, width: int, norm: str = "batch"):
        super().__init__()
        widths = (channels, width, 2 * width, 4 * width)
        blocks: list[nn.Module] = []
        for inner, outer in pairwise(widths):
            layer: dict[str, Any] = {"batch": nn.BatchNorm2d, "group": lambda n: nn.GroupNorm(math.gcd(4, n), n)}
            blocks.append(nn.Conv2d(inner, outer, 3, stride=2, padding=1, bias=norm == "none"))
            blocks += [layer[norm](outer)] if norm in layer else []
            blocks.append(nn.ReLU(inplace=True))
        self.layers = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.features = 4 * width

    def forward(self, images: Tensor) -> Tensor:
        """Return B x features."""
        return self.layers(images)


class LinearNet(nn.Module):
    """The paper's W: flattened images to n2 outputs, no bias; entries start as N(0, 1/n1).

    Args:
        n1: number of pixels.
        n2: number of outputs.
    """

    def __init__(self, n1: int, n2: int):
        super().__init__()
        self.linear = nn.Linear(n1, n2, bias=False)
        nn.init.normal_(self.linear.weight, std=n1**-0.5)
        self.features = n2

    def forward(self, images: Tensor) -> Tensor:
        """Return B x n2."""
        return self.linear(images.flatten(1))


def backbone(config: TrainConfig, shape: tuple[int, ...]) -> Any:
    """Return the backbone, with its number of `features`."""
    model, channels = config.model, shape[0]
    if model.backbone == "small":
        return SmallNet(channels, model.width, model.norm)
    if model.backbone == "linear":
        return LinearNet(shape[0] * shape[1] * shape[2], model.width)
    from torchvision import models

    net: Any = getattr(models, model.backbone)(weights=None)
    net.features = net.fc.in_features
    net.fc = nn.Identity()
    if model.stem == "cifar":
        net.conv1 = nn.Conv2d(channels, 64, 3, stride=1, padding=1, bias=False)
        net.maxpool = nn.Identity()
    elif channels != 3:
        net.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
    return net


def projector(config: TrainConfig, features: int) -> tuple[nn.Module, int]:
    """Return the projector and its output width."""
    from lightly.models.modules.heads import BYOLProjectionHead, SimSiamProjectionHead

    model = config.model
    if model.projector == "none":
        return nn.Identity(), features
    if model.projector == "linear":
        return nn.Linear(features, model.dim, bias=False), model.dim
    head = BYOLProjectionHead if model.projector == "byol" else SimSiamProjectionHead
    return head(features, model.hidden, model.dim), model.dim


def has_batchnorm(*modules: nn.Module) -> bool:
    """Return whether there is a BatchNorm in any of them."""
    return any(isinstance(m, nn.modules.batchnorm._BatchNorm) for net in modules for m in net.modules())
