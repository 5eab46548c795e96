"""Recognises backbones by their tensors and builds them: ResNets, lindyn's `small` and `linear`."""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lindyn.bridge.checkpoints import resnets
from lindyn.bridge.checkpoints.resnets import Form, filled, resnet
from lindyn.bridge.training.networks import LinearNet, SmallNet

TORCHVISION = Form()


def backbone(found: Mapping[str, Tensor], name: str, form: Form = TORCHVISION) -> Any:
    """Return the backbone that these tensors are, or None where lindyn does not know it.

    Args:
        found: tensors by name within the backbone.
        name: of the backbone, for messages.
        form: what the tensors of a ResNet do not show.

    Returns:
        The module in eval mode without gradients, images to B x features, with its number of `features`; or None.

    Raises:
        ValueError: a tensor is missing or of a shape that does not fit.
    """
    for known in (linear, small, resnet):
        made = known(found, name, form)
        if made is not None:
            wide = any(value.dtype == torch.float64 for value in found.values())
            return (made.double() if wide else made).eval().requires_grad_(False)
    return None


def translated(found: Mapping[str, Tensor], names: Mapping[str, str], form: Form) -> Any:
    """Return the ResNet whose tensors a file of another framework holds, kernels as height x width x in x out.

    Args:
        found: tensors by the file's names.
        names: the file's name of every tensor, by torchvision's.
        form: what the tensors of a ResNet do not show.

    Raises:
        ValueError: a tensor is missing, not finite or of the wrong shape; it is named as in the file.
    """
    tensors = {}
    for here, name in names.items():
        kernel = here.endswith((".0.weight", "conv1.weight", "conv2.weight", "conv3.weight"))
        if name in found and kernel and found[name].ndim != 4:
            raise ValueError(f"{name} must be height x width x in x out; got shape {tuple(found[name].shape)}.")
        if name in found:
            tensors[here] = found[name].permute(3, 2, 0, 1) if kernel else found[name].flatten()
    try:
        return backbone(tensors, "", form)
    except ValueError as error:
        here, _, what = str(error).removeprefix(".").partition(" ")
        raise ValueError(f"{names.get(here, here)} {what}") from error


def linear(found: Mapping[str, Tensor], name: str, *_: Any) -> nn.Module | None:
    """Return lindyn's linear network, or None."""
    if set(found) != {"linear.weight"}:
        return None
    n2, n1 = found["linear.weight"].shape
    return filled(LinearNet(n1, n2), found, name)


def small(found: Mapping[str, Tensor], name: str, *_: Any) -> nn.Module | None:
    """Return lindyn's small convolutional network, or None."""
    convolutions = sorted(int(m[1]) for k, v in found.items() if (m := re.fullmatch(r"layers\.(\d+)\.weight", k))
                          and v.ndim == 4)  # fmt: skip
    if not convolutions or not all(key.startswith("layers.") for key in found):
        return None
    batch = any(key.endswith("running_mean") for key in found)
    norm = (
        "batch" if batch else "group" if "layers.1.weight" in found and found["layers.1.weight"].ndim == 1 else "none"
    )
    places = (0, 2, 4) if norm == "none" else (0, 3, 6)
    for place in places:
        if place not in convolutions:
            raise ValueError(f"{name}.layers.{place}.weight is missing.")
    width, channels = found["layers.0.weight"].shape[:2]
    return filled(SmallNet(channels, width, norm), found, name)


def title(net: nn.Module) -> str:
    """Return what a backbone is, in words."""
    if isinstance(net, LinearNet):
        return "a linear network"
    return "lindyn's small convolutional network" if isinstance(net, SmallNet) else resnets.title(net)


def said(net: nn.Module) -> str:
    """Return the sentence on what a backbone was taken to be."""
    return f"The backbone was taken to be {title(net)}, by its tensors."
