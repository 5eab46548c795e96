"""DeepMind's BYOL (haiku): both networks with their heads, from a pickle through stand-ins."""

import re
from collections.abc import Mapping

from torch import Tensor, nn

from lindyn.bridge.checkpoints import backbones, heads
from lindyn.bridge.checkpoints.assembling import WITHOUT_BACKBONE, WITHOUT_PREDICTOR
from lindyn.bridge.checkpoints.backbones import Form
from lindyn.bridge.checkpoints.content import Content, Layout
from lindyn.bridge.records import Pieces
from lindyn.bridge.settings import Settings

NAME, TITLE = "deepmind", "DeepMind's BYOL (haiku)"
CODE = {
    "method.loss": "cosine",
    "method.sides": "symmetrised",
    "method.target": "ema",
    "method.ema_schedule": "cosine",
    "optim.name": "lars",
    "optim.schedule": "cosine",
    "optim.alpha_p": 1.0,
}
LAYERS = {
    "fc0": ("linear", {"w": "weight"}, {"b": "bias"}),
    "bn0": ("batch_norm", {"scale": "weight", "offset": "bias"}, {}),
    "fc1": ("linear_1", {"w": "weight"}, {"b": "bias"}),
}
MOMENTS = {"running_mean": "~/mean_ema", "running_var": "~/var_ema"}
FORM = Form(same=True)
_NET = re.compile(r"(online|target)_params\.(\w*res_net\w*)/~/")
_PARTS = {f"{part}{k + 1}": f"{its}_{k}" for k in range(3) for part, its in (("conv", "conv"), ("bn", "batchnorm"))}
_PARTS |= {"downsample.0": "shortcut_conv", "downsample.1": "shortcut_batchnorm"}
_NORM = {"weight": "scale", "bias": "offset"} | {key: f"{place}.average" for key, place in MOMENTS.items()}


def matches(content: Content) -> bool:
    """Return whether there is an online network in haiku's form."""
    return content.has(r"online_params\.")


def read(content: Content) -> Pieces:
    """Return the pieces."""
    predictor = head(content.weights, "online", "predictor")
    notes = [
        "The file holds no settings; none is asked for, since LARS has no rates in flow time.",
        "The target tree's own predictor plays no part in the method and is left out.",
    ]
    if predictor is None:
        notes.append(f"This file holds no predictor: {WITHOUT_PREDICTOR}")
    net = backbone(content.weights, "online")
    if net is not None:
        notes.append(backbones.said(net) + " Its strided layers pad as in haiku.")
    else:
        notes.append(f"The file holds no ResNet (v1) of DeepMind's code that lindyn builds: {WITHOUT_BACKBONE}")
    return Pieces(
        content.path, NAME, TITLE, backbone=net, projector=head(content.weights, "online", "projector"),
        predictor=predictor, target_backbone=backbone(content.weights, "target"),
        target_projector=head(content.weights, "target", "projector"), step=content.number("step"),
        settings=Settings.of(CODE, "DeepMind's code"), notes=tuple(notes),
    )  # fmt: skip


def backbone(found: Mapping[str, Tensor], side: str) -> nn.Module | None:
    """Return the ResNet of one side with haiku's padding, or None where there is none of version 1.

    Args:
        found: all tensors.
        side: "online" or "target".

    Raises:
        ValueError: a tensor is missing or of the wrong shape; it is named as in the file.
    """
    net = next((m[2] for key in found if (m := _NET.match(key)) and m[1] == side), None)
    if net is None or f"{side}_params.{net}/~/final_batchnorm.scale" in found:
        return None
    return backbones.translated(found, _names(found, side, net), FORM)


def _names(found: Mapping[str, Tensor], side: str, net: str) -> dict[str, str]:
    """Return what the tensors of this ResNet are called in the file, by torchvision's names."""
    modules = {"conv1": "initial_conv", "bn1": "initial_batchnorm"}
    for group in range(4):
        its = f"{net}/~/block_group_{group}/~/block_"
        numbers = {int(m[1]) for key in found if (m := re.match(rf"{side}_params\.{re.escape(its)}(\d+)/", key))}
        modules |= {f"layer{group + 1}.{k}.{part}": f"block_group_{group}/~/block_{k}/~/{its_part}"
                    for k in numbers for part, its_part in _PARTS.items()}  # fmt: skip
    names = {}
    for here, module in modules.items():
        for leaf, its_leaf in _NORM.items() if "batchnorm" in module else (("weight", "w"),):
            tree, glue = ("state", "/") if leaf in MOMENTS else ("params", ".")
            names[f"{here}.{leaf}"] = f"{side}_{tree}.{net}/~/{module}{glue}{its_leaf}"
    return names


def head(found: Mapping[str, Tensor], side: str, name: str) -> nn.Sequential | None:
    """Return one of the heads; haiku's kernels are [in, out] and its BatchNorm keeps its moments in the state tree.

    Args:
        found: all tensors.
        side: "online" or "target".
        name: "projector" or "predictor".

    Raises:
        ValueError: a tensor is missing or of the wrong shape.
    """
    params, state = f"{side}_params.{name}/", f"{side}_state.{name}/"
    if not any(key.startswith(params) for key in found):
        return None
    torch_names: dict[str, Tensor] = {}
    for layer, (module, mine, optional) in LAYERS.items():
        for its, here in mine.items():
            torch_names[f"{layer}.{here}"] = _need(found, f"{params}{module}.{its}")
        for its, here in optional.items():
            if f"{params}{module}.{its}" in found:
                torch_names[f"{layer}.{here}"] = found[f"{params}{module}.{its}"]
    for key, place in MOMENTS.items():
        torch_names[f"bn0.{key}"] = _need(found, f"{state}batch_norm/{place}.average")
    torch_names = {key: value.T if "fc" in key and value.ndim == 2 else value.flatten()
                   for key, value in torch_names.items()}  # fmt: skip
    return heads.head(torch_names, f"{side} {name}")


def _need(found: Mapping[str, Tensor], key: str) -> Tensor:
    if key not in found:
        raise ValueError(f"{key} is missing.")
    return found[key]


LAYOUT = Layout(NAME, TITLE, matches, read)
