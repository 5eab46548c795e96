"""Recognises backbones by their tensors and builds them: ResNets of any depth and width, lindyn's `small` and `linear`.

ResNets are torchvision's, and those of code that pads as TensorFlow and haiku do ("SAME"): torch pads strided layers
otherwise.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from lindyn._checks import require
from lindyn.bridge.checkpoints.heads import filled
from lindyn.bridge.training.networks import LinearNet, SmallNet
from lindyn.display.brief import Brief

STAGES = ("layer1", "layer2", "layer3", "layer4")
NAMES: dict[tuple[str, tuple[int, ...]], str] = {
    ("basic", (2, 2, 2, 2)): "ResNet-18",
    ("basic", (3, 4, 6, 3)): "ResNet-34",
    ("bottleneck", (3, 4, 6, 3)): "ResNet-50",
    ("bottleneck", (3, 4, 23, 3)): "ResNet-101",
    ("bottleneck", (3, 8, 36, 3)): "ResNet-152",
    ("bottleneck", (3, 24, 36, 3)): "ResNet-200",
}


@dataclass(frozen=True, repr=False)
class Form(Brief):
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
            return made.eval().requires_grad_(False)
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
    return _whole(LinearNet(n1, n2), found, name)


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
    return _whole(SmallNet(channels, width, norm), found, name)


def title(net: nn.Module) -> str:
    """Return what a backbone is, in words."""
    if isinstance(net, LinearNet):
        return "a linear network"
    return "lindyn's small convolutional network" if isinstance(net, SmallNet) else _resnet_title(net)


def said(net: nn.Module) -> str:
    """Return the sentence on what a backbone was taken to be."""
    return f"The backbone was taken to be {title(net)}, by its tensors."


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
    return _whole(net, found, name)


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


def _resnet_title(net: Any) -> str:
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


def _whole(net: nn.Module, found: Mapping[str, Tensor], name: str) -> nn.Module | None:
    """Return the network with these tensors; None where there are more than it has."""
    return None if set(found) - set(net.state_dict()) else filled(net, found, name)


def same_padding(size: Sequence[int], kernel: Sequence[int], stride: Sequence[int]) -> list[int]:
    """Return the padding of "SAME" in the order of `torch.nn.functional.pad`, the last axis first.

    An axis of n places gives ceil(n / stride) of them; what that needs is halved, and the odd one stands behind.

    Args:
        size: places of the axes.
        kernel: of the window, per axis.
        stride: of the window, per axis.
    """
    needed = [max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in zip(size, kernel, stride, strict=True)]
    return list(chain.from_iterable((total // 2, total - total // 2) for total in reversed(needed)))


class SameConv2d(nn.Conv2d):
    """A convolution with this padding, of no dilation."""

    def forward(self, input: Tensor) -> Tensor:
        """Return B x channels x ceil(height / stride) x ceil(width / stride)."""
        around = same_padding(input.shape[-2:], self.kernel_size, self.stride)
        return fn.conv2d(fn.pad(input, around), self.weight, self.bias, self.stride, groups=self.groups)


class SameMaxPool2d(nn.Module):
    """The largest number of each window, with this padding.

    Args:
        kernel: side of the window.
        stride: between windows.
    """

    def __init__(self, kernel: int, stride: int):
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, images: Tensor) -> Tensor:
        """Return B x channels x ceil(height / stride) x ceil(width / stride)."""
        around = same_padding(images.shape[-2:], (self.kernel,) * 2, (self.stride,) * 2)
        return fn.max_pool2d(fn.pad(images, around, value=-float("inf")), self.kernel, self.stride)


def pad_same(net: nn.Module) -> None:
    """Exchange the strided layers of a network for ones with this padding; the others pad alike in torch."""
    for name, module in list(net.named_modules()):
        parent = net.get_submodule(name.rpartition(".")[0])
        if isinstance(module, nn.Conv2d) and max(module.stride) > 1:
            shape: Any = {
                "kernel_size": module.kernel_size,
                "stride": module.stride,
                "bias": module.bias is not None,
                "groups": module.groups,
            }
            same = SameConv2d(module.in_channels, module.out_channels, **shape)
            setattr(parent, name.rpartition(".")[2], same)
        elif isinstance(module, nn.MaxPool2d):
            window: Any = module.kernel_size, module.stride
            setattr(parent, name.rpartition(".")[2], SameMaxPool2d(*window))
