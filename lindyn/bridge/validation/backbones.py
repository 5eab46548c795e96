"""Recognises backbones by their tensors and builds them: torchvision's ResNets, lindyn's `small` and `linear`."""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lindyn.bridge.training.needs import require
from lindyn.bridge.training.networks import LinearNet, SmallNet

STAGES = ("layer1", "layer2", "layer3", "layer4")
NAMES: dict[tuple[str, tuple[int, ...]], str] = {
    ("basic", (2, 2, 2, 2)): "ResNet-18",
    ("basic", (3, 4, 6, 3)): "ResNet-34",
    ("bottleneck", (3, 4, 6, 3)): "ResNet-50",
    ("bottleneck", (3, 4, 23, 3)): "ResNet-101",
    ("bottleneck", (3, 8, 36, 3)): "ResNet-152",
}


def backbone(found: Mapping[str, Tensor], name: str, stem_padding: int = 1, keep_fc: bool = False) -> Any:
    """Return the backbone that these tensors are, or None where lindyn does not know it.

    Args:
        found: tensors by name within the backbone.
        name: of the backbone, for messages.
        stem_padding: zeros around the image before a 3 x 3 first convolution (solo-learn: 2).
        keep_fc: whether a last layer `fc` belongs to the backbone; else it is left out.

    Returns:
        The module in eval mode without gradients, images to B x features, with its number of `features`; or None.

    Raises:
        ValueError: a tensor is missing or of a shape that does not fit.
    """
    for known in (linear, small, resnet):
        made = known(found, name, stem_padding, keep_fc)
        if made is not None:
            wide = any(value.dtype == torch.float64 for value in found.values())
            return (made.double() if wide else made).eval().requires_grad_(False)
    return None


def linear(found: Mapping[str, Tensor], name: str, *_: Any) -> nn.Module | None:
    """Return lindyn's linear network, or None."""
    if set(found) != {"linear.weight"}:
        return None
    n2, n1 = found["linear.weight"].shape
    return _filled(LinearNet(n1, n2), found, name)


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
    return _filled(SmallNet(channels, width, norm), found, name)


def resnet(found: Mapping[str, Tensor], name: str, stem_padding: int = 1, keep_fc: bool = False) -> nn.Module | None:
    """Return torchvision's ResNet with the stem that the first convolution shows, or None."""
    found, between = torchvision_names(found)
    if not any(re.match(r"layer1\.0\.conv\d\.", key) for key in found):
        return None
    require("torchvision", "torchvision", "building a ResNet")
    from torchvision.models import resnet as models

    bottleneck = any(".conv3." in key for key in found)
    blocks = tuple(len({key.split(".")[1] for key in found if key.startswith(stage + ".")}) for stage in STAGES)
    kind = ("bottleneck" if bottleneck else "basic", blocks)
    if kind not in NAMES:
        return None
    first = _shape(found, "conv1.weight", name)
    wide = _shape(found, "layer1.0.conv1.weight", name)[0] if bottleneck else 64
    net: Any = models.ResNet(models.Bottleneck if bottleneck else models.BasicBlock, list(blocks), width_per_group=wide)
    if first[2] == 3:
        net.conv1 = nn.Conv2d(first[1], first[0], 3, stride=1, padding=stem_padding, bias=False)
        net.maxpool = nn.Identity()
    elif first[1] != 3:
        net.conv1 = nn.Conv2d(first[1], first[0], 7, stride=2, padding=3, bias=False)
    if between is not None:  # in a Sequential what is not there does not act
        net.relu = net.relu if between > 0 else nn.Identity()
        net.maxpool = net.maxpool if between > 1 else nn.Identity()
    net.features = net.fc.in_features
    if keep_fc and "fc.weight" in found:
        net.fc = nn.Linear(net.features, _shape(found, "fc.weight", name)[0])
        net.features = net.fc.out_features
    else:
        net.fc = nn.Identity()
        found = {key: value for key, value in found.items() if not key.startswith("fc.")}
    _without_affine(net, found)
    return _filled(net, found, name)


def title(net: nn.Module) -> str:
    """Return what a backbone is, in words."""
    if isinstance(net, LinearNet):
        return "a linear network"
    if isinstance(net, SmallNet):
        return "lindyn's small convolutional network"
    from torchvision.models.resnet import Bottleneck

    stages: list[Any] = [getattr(net, stage) for stage in STAGES]
    kind = "bottleneck" if isinstance(stages[0][0], Bottleneck) else "basic"
    stem = " with a 3 x 3 first layer" if isinstance(net.maxpool, nn.Identity) else ""
    return NAMES[kind, tuple(map(len, stages))] + stem


def torchvision_names(found: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], int | None]:
    """Return the tensors under torchvision's names, where a Sequential has numbered a ResNet's children.

    The numbered children with tensors are, in order, conv1, bn1 and the four stages; lightly's own ResNet calls
    `downsample` "shortcut".

    Returns:
        The tensors, and how many children without tensors stand between bn1 and the first stage (2: ReLU and pooling;
        0 in lightly's CIFAR networks, whose ReLU is lost with the forward call); None where nothing is numbered.
    """
    between = None
    heads = sorted({key.split(".")[0] for key in found if key[0].isdigit()}, key=int)
    if len(heads) == 6 and all(key[0].isdigit() for key in found):
        names = dict(zip(heads, ("conv1", "bn1", *STAGES), strict=True))
        found = {".".join((names[key.split(".")[0]], *key.split(".")[1:])): value for key, value in found.items()}
        between = int(heads[2]) - int(heads[1]) - 1
    return {key.replace(".shortcut.", ".downsample."): value for key, value in found.items()}, between


def _shape(found: Mapping[str, Tensor], key: str, name: str) -> Any:
    if key not in found:
        raise ValueError(f"{name}.{key} is missing.")
    return found[key].shape


def _without_affine(net: nn.Module, found: Mapping[str, Tensor]) -> None:
    """Take scale and shift from the normalisations that have neither."""
    for place, module in net.named_modules():
        if isinstance(module, nn.BatchNorm2d) and not {f"{place}.weight", f"{place}.bias"} & set(found):
            module.affine = False
            module.register_parameter("weight", None)
            module.register_parameter("bias", None)


def _filled(net: nn.Module, found: Mapping[str, Tensor], name: str) -> nn.Module | None:
    """Load the tensors; None where there are more than the network has."""
    mine = net.state_dict()
    if set(found) - set(mine):
        return None
    for key, value in mine.items():
        if key not in found and not key.endswith("num_batches_tracked"):
            raise ValueError(f"{name}.{key} is missing.")
        if key in found and found[key].shape != value.shape:
            raise ValueError(f"{name}.{key} must have shape {tuple(value.shape)}; got {tuple(found[key].shape)}.")
    wide = any(value.dtype == torch.float64 for value in found.values())
    (net.double() if wide else net).load_state_dict(dict(found), strict=False)
    return net
