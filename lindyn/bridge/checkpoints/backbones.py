"""Recognises backbones by their tensors and builds them: ResNets of any depth and width, lindyn's `small` and `linear`.

ResNets are torchvision's, and those of code that pads as TensorFlow and haiku do ("SAME"): torch pads strided layers
otherwise (`padding`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from lindyn._checks import require
from lindyn.bridge.checkpoints.padding import pad_same
from lindyn.bridge.checkpoints.single_layers import COUNTER, NotBuiltError, filled
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
        stem: "imagenet" (stride 2, pooling), "cifar" (stride 1, none), "": by the kernel, 3 x 3 or larger.
        stride: of the first convolution; 0: that of the stem.
        pool: "max" or "none" behind it, "stem": that of the stem.
        keep_fc: whether a last layer `fc` belongs to the backbone; else it is left out.
        same: whether strided layers pad as in TensorFlow and haiku ("SAME").
        eps: of BatchNorm.
    """

    stem_padding: int = 1
    keep_fc: bool = False
    same: bool = False
    eps: float = 1e-5
    stem: str = ""
    stride: int = 0
    pool: str = "stem"

    def told(self, said: Mapping[str, Any]) -> "Form":
        """Return the form with what keys of `lindyn validate` say of it."""
        keys = {"stem": "model.stem", "stride": "model.stem_stride", "pool": "model.pool", "eps": "model.eps"}
        return replace(self, **{name: said[key] for name, key in keys.items() if key in said})


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
    given = found
    found, between = torchvision_names(found)
    found = {_deep_name(key): value for key, value in found.items()} if "stem.0.weight" in found else found
    blocks = [len({key.split(".")[1] for key in found if key.startswith(stage + ".")}) for stage in STAGES]
    if not any(re.match(r"layer1\.0\.conv\d\.", key) for key in found) or 0 in blocks:
        return None
    require("torchvision", "torchvision", "building a ResNet")
    from torchvision.models import resnet as models

    if not any(key.endswith(("running_mean", "running_var", COUNTER)) for key in found) and "bn1.weight" in found:
        raise NotBuiltError(
            f"{name} is a ResNet whose normalisation has no running statistics (GroupNorm, LayerNorm, or BatchNorm by "
            "the batch), which lindyn does not build."
        )
    bottleneck = any(".conv3." in key for key in found)
    with torch.device("meta"):  # nothing is drawn for it: every part with weights is exchanged below
        net: Any = models.ResNet(models.Bottleneck if bottleneck else models.BasicBlock, [1, 1, 1, 1])
    net.conv1, net.features = _first_layers(found, name, form)
    net.bn1 = nn.BatchNorm2d(net.features)
    small = (form.stem or ("cifar" if stem_side(net) == 3 and not deep(net) else "imagenet")) == "cifar"
    if form.pool == "none" or (small and form.pool == "stem"):
        net.maxpool = nn.Identity()
    net.between, net.of_lightly = between, any(".shortcut." in key for key in given)
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


def _first_layers(found: Mapping[str, Tensor], name: str, form: Form) -> tuple[nn.Module, int]:
    """Return what stands in the place of conv1, one convolution or the deep stem of three, and its channels."""
    if "conv1.weight" in found or not any(re.match(r"conv1\.\d", key) for key in found):
        outer, inner, side, _ = _shape(found, "conv1.weight", name)
        stride = form.stride or (1 if (form.stem or ("cifar" if side == 3 else "")) == "cifar" else 2)
        padding = form.stem_padding if side == 3 else side // 2
        return nn.Conv2d(inner, outer, side, stride=stride, padding=padding, bias=False), outer
    layers: list[nn.Module] = []
    for number in (0, 3, 6):
        outer, inner, side, _ = _shape(found, f"conv1.{number}.weight", name)
        stride = 1 if number else form.stride or (1 if form.stem == "cifar" else 2)
        layers += [nn.Conv2d(inner, outer, side, stride=stride, padding=side // 2, bias=False)]
        layers += [nn.BatchNorm2d(outer), nn.ReLU()] if number < 6 else []
    return nn.Sequential(*layers), outer


def _deep_name(key: str) -> str:
    """Return what timm calls a tensor of mmpretrain's deep stem, whose last normalisation belongs to it."""
    return key.replace("stem.7.", "bn1.") if key.startswith("stem.7.") else re.sub(r"^stem\.", "conv1.", key)


def deep(net: Any) -> bool:
    """Return whether a ResNet begins with three convolutions."""
    return isinstance(net.conv1, nn.Sequential)


def stem_side(net: Any) -> int:
    """Return the side of a ResNet's first kernel."""
    first = net.conv1[0] if deep(net) else net.conv1
    return int(first.kernel_size[0])


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
        if f"{place}.downsample.2.running_mean" in found:  # ResNet-D: the mean of four places, then the convolution
            mean = nn.AvgPool2d(2, stride, ceil_mode=True, count_include_pad=False) if stride > 1 else nn.Identity()
            plain = nn.Conv2d(inner, outer, 1, bias=False)
            shortcut = nn.Sequential(mean, plain, nn.BatchNorm2d(outer))
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
    width = net.bn1.num_features
    words += "" if width == 64 else f" of width {width}"
    grouped = kind == "bottleneck" and net.layer1[0].conv2.groups > 1
    words += f" of {net.layer1[0].conv2.groups} groups (ResNeXt)" if grouped else ""
    first = " with a deep stem of three layers" if deep(net) else " with a 3 x 3 first layer"
    return words + (first if stem_side(net) == 3 else "")


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
