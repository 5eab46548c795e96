"""The last linear layer of an online network: what stands for the theory's W where features before it are frozen."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lindyn.bridge.records import Pieces


def last_map(backbone: nn.Module | None, projector: nn.Module | None) -> tuple[np.ndarray | None, str]:
    """Return (W, what is only approximate) with z = W h, h what the layers before give, a constant 1 as last entry.

    A BatchNorm after the layer is folded in with its running statistics; a bias is the last column.

    Args:
        backbone: of the online network.
        projector: a stack of Linear, BatchNorm and ReLU, or None.

    Returns:
        W, d x m, float64; None where the network does not end in a linear layer, with the reason in place of the note.
    """
    layers = [part for part in _flat(projector) if not isinstance(part, nn.Identity | nn.Flatten)]
    if not layers:
        layers = _linear_backbone(backbone)
    norms: list[Any] = []
    while layers and isinstance(layers[-1], nn.modules.batchnorm._BatchNorm):
        norms.append(layers.pop())
    if not layers or not isinstance(layers[-1], nn.Linear):
        return None, "the network given does not end in a linear layer, so that there is no W whose size could be read"
    with torch.no_grad():
        W = _folded(layers[-1], norms[::-1])
    note = (
        "BatchNorm after the last linear layer holds the size of z fixed, which the theory does not know (it is folded "
        "in by its running statistics)"
    )
    return W.numpy(), note if norms else ""


@dataclass(frozen=True, eq=False)
class LastLayer:
    """The last linear layer of a run's online network, see `last_map`.

    Args:
        W: d x m, None where there is none.
        note: what is only approximate, or why there is none.
        is_all: whether it is the whole online network, as in the paper.
    """

    W: np.ndarray | None
    note: str
    is_all: bool


def of_online(pieces: Pieces) -> LastLayer:
    """Return the last layer of a checkpoint's online network."""
    return LastLayer(*last_map(pieces.backbone, pieces.projector), is_linear(pieces))


def is_linear(pieces: Pieces) -> bool:
    """Return whether the whole online network is one linear layer, as the paper's is."""
    return not any(True for _ in _flat(pieces.projector)) and bool(_linear_backbone(pieces.backbone))


def _flat(module: nn.Module | None) -> list[nn.Module]:
    """Return the layers of nested stacks in order."""
    if module is None:
        return []
    if isinstance(module, nn.Sequential):
        return [inner for part in module for inner in _flat(part)]
    children = list(module.children())
    return _flat(children[0]) if len(children) == 1 and not list(module.parameters(recurse=False)) else [module]


def _linear_backbone(backbone: nn.Module | None) -> list[nn.Module]:
    """Return the one layer of a backbone that is nothing but a linear layer, else nothing."""
    if backbone is None:
        return []
    leaves = [module for module in backbone.modules() if not list(module.children())]
    working = [leaf for leaf in leaves if not isinstance(leaf, nn.Flatten | nn.Identity)]
    return working if len(working) == 1 and isinstance(working[0], nn.Linear) else []


def _folded(layer: nn.Linear, norms: list[Any]) -> Tensor:
    """Return weight and bias as one matrix, BatchNorm by its running statistics folded in."""
    W = layer.weight.detach().double().cpu()
    shift = torch.zeros(len(W), dtype=torch.float64) if layer.bias is None else layer.bias.detach().double().cpu()
    biased = layer.bias is not None or bool(norms)
    for norm in norms:
        scale = (norm.running_var.double().cpu() + norm.eps).rsqrt()
        scale = scale if norm.weight is None else scale * norm.weight.detach().double().cpu()
        shift = (shift - norm.running_mean.double().cpu()) * scale
        shift = shift if norm.bias is None else shift + norm.bias.detach().double().cpu()
        W = W * scale[:, None]
    return torch.cat([W, shift[:, None]], dim=1) if biased else W
