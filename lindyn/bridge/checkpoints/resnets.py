"""ResNets from their tensors, of any depth and width: torchvision's, and those of code that pads as TensorFlow does."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lindyn.bridge.checkpoints.same_padding import pad_same
from lindyn.bridge.training.training_packages import require

STAGES = ("layer1", "layer2", "layer3", "layer4")
NAMES: dict[tuple[str, tuple[int, ...]], str] = {
    ("basic", (2, 2, 2, 2)): "ResNet-18",
    ("basic", (3, 4, 6, 3)): "ResNet-34",
    ("bottleneck", (3, 4, 6, 3)): "ResNet-50",
    ("bottleneck", (3, 4, 23, 3)): "ResNet-101",
    ("bottleneck", (3, 8, 36, 3)): "ResNet-152",
    ("bottleneck", (3, 24, 36, 3)): "ResNet-200",
}


@dataclass(frozen=True)
class Form:
    """What the tensors of a ResNet do not show.

    Args:
        stem_padding: zeros around the image before a 3 x 3 first convolution (solo-learn: 2).
        keep_fc: whether a last layer `fc` belongs to the backbone; else it is left out.
        same: whether strided layers pad as in TensorFlow and haiku ("SAME").
        eps: of BatchNorm.
    """

    stem_padding: int = 1
    keep_fc: bool = False
    same: bool = False
    eps: float = 1e-5


def resnet(found: Mapping[str, Tensor], name: str, form: Form) -> nn.Module | None:
    """Return the ResNet that these tensors are, or None.

    Raises:
        ValueError: a tensor is missing or of a shape that does not fit.
    """
    found, between = torchvision_names(found)
    blocks = [len({key.split(".")[1] for key in found if key.startswith(stage + ".")}) for stage in STAGES]
    if not any(re.match(r"layer1\.0\.conv\d\.", key) for key in found) or 0 in blocks:
        return None
    require("torchvision", "torchvision", "building a ResNet")
    from torchvision.models import resnet as models

    bottleneck = any(".conv3." in key for key in found)
    first = _shape(found, "conv1.weight", name)
    with torch.device("meta"):  # nothing is drawn for it: every part with weights is exchanged below
        net: Any = models.ResNet(models.Bottleneck if bottleneck else models.BasicBlock, [1, 1, 1, 1])
    net.conv1 = nn.Conv2d(first[1], first[0], first[2], stride=2, padding=first[2] // 2, bias=False)
    net.bn1, net.features = nn.BatchNorm2d(first[0]), first[0]
    if first[2] == 3:
        net.conv1 = nn.Conv2d(first[1], first[0], 3, stride=1, padding=form.stem_padding, bias=False)
        net.maxpool = nn.Identity()
    for stage, count in zip(STAGES, blocks, strict=True):
        layers = []
        for k in range(count):
            layers.append(_block(found, f"{stage}.{k}", net.features, name))
            net.features = _outputs(layers[-1])
        setattr(net, stage, nn.Sequential(*layers))
    if between is not None:  # in a Sequential what is not there does not act
        net.relu = net.relu if between > 0 else nn.Identity()
        net.maxpool = net.maxpool if between > 1 else nn.Identity()
    if form.keep_fc and "fc.weight" in found:
        net.fc = nn.Linear(net.features, _shape(found, "fc.weight", name, 2)[0])
        net.features = net.fc.out_features
    else:
        net.fc = nn.Identity()
        found = {key: value for key, value in found.items() if not key.startswith("fc.")}
    _set_norms(net, found, form.eps)
    if form.same:
        pad_same(net)
    return filled(net, found, name)


def _block(found: Mapping[str, Tensor], place: str, inner: int, name: str) -> nn.Module:
    """Return the block of the width that its first convolution shows, with a shortcut where its tensors have one."""
    from torchvision.models import resnet as models

    stage, number = place.split(".")
    stride = 2 if number == "0" and stage != "layer1" else 1
    width = _shape(found, f"{place}.conv1.weight", name)[0]
    bottleneck = any(key.startswith(place + ".conv3.") for key in found)
    planes = max(1, _shape(found, f"{place}.conv3.weight", name)[0] // 4) if bottleneck else width
    inputs = _shape(found, f"{place}.conv2.weight", name)[1]
    groups = width // inputs if bottleneck and inputs and width % inputs == 0 else 1  # ResNeXt: several
    outer = 4 * planes if bottleneck else planes
    shortcut = None
    if stride > 1 or inner != outer or any(key.startswith(place + ".downsample.") for key in found):
        shortcut = nn.Sequential(nn.Conv2d(inner, outer, 1, stride=stride, bias=False), nn.BatchNorm2d(outer))
    if not bottleneck:
        return models.BasicBlock(inner, planes, stride, shortcut)
    share: Any = (64 * (width // groups) + 0.5) / planes  # torchvision: width of a group = int(planes x share / 64)
    return models.Bottleneck(inner, planes, stride, shortcut, groups, share)


def _outputs(block: Any) -> int:
    return (block.conv3 if hasattr(block, "conv3") else block.conv2).out_channels


def title(net: Any) -> str:
    """Return what a ResNet is, in words."""
    kind = "bottleneck" if hasattr(net.layer1[0], "conv3") else "basic"
    counts = tuple(len(getattr(net, stage)) for stage in STAGES)
    words = NAMES.get((kind, counts), f"a ResNet of {' + '.join(map(str, counts))} {kind} blocks")
    width = net.conv1.out_channels
    words += "" if width == 64 else f" of width {width}"
    grouped = kind == "bottleneck" and net.layer1[0].conv2.groups > 1
    words += f" of {net.layer1[0].conv2.groups} groups (ResNeXt)" if grouped else ""
    return words + (" with a 3 x 3 first layer" if net.conv1.kernel_size == (3, 3) else "")


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


def _shape(found: Mapping[str, Tensor], key: str, name: str, axes: int = 4) -> Any:
    if key not in found:
        raise ValueError(f"{name}.{key} is missing.")
    if found[key].ndim != axes:
        raise ValueError(f"{name}.{key} must have {axes} axes; got shape {tuple(found[key].shape)}.")
    return found[key].shape


def _set_norms(net: nn.Module, found: Mapping[str, Tensor], eps: float) -> None:
    """Set eps; take scale and shift from the normalisations that have neither."""
    for place, module in net.named_modules():
        if not isinstance(module, nn.BatchNorm2d):
            continue
        module.eps = eps
        if not {f"{place}.weight", f"{place}.bias"} & set(found):
            module.affine = False
            module.register_parameter("weight", None)
            module.register_parameter("bias", None)


def filled(net: nn.Module, found: Mapping[str, Tensor], name: str) -> nn.Module | None:
    """Load the tensors; None where there are more than the network has.

    Raises:
        ValueError: a tensor is missing, not finite or of a shape that does not fit.
    """
    mine = net.state_dict()
    if set(found) - set(mine):
        return None
    for key, value in mine.items():
        if key not in found and not key.endswith("num_batches_tracked"):
            raise ValueError(f"{name}.{key} is missing.")
        if key in found and found[key].shape != value.shape:
            raise ValueError(f"{name}.{key} must have shape {tuple(value.shape)}; got {tuple(found[key].shape)}.")
        if key in found and not bool(torch.isfinite(found[key]).all()):
            raise ValueError(f"{name}.{key} must be finite; it holds NaN or infinity, so the run had diverged.")
    wide = any(value.dtype == torch.float64 for value in found.values())
    (net.double() if wide else net).load_state_dict(dict(found), strict=False)
    return net
