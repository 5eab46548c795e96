"""Networks as stacks of Linear, BatchNorm1d (eval mode) and ReLU: layers, BatchNorm folded, first and last weights.

The last linear layer stands for the theory's W where the features before it are frozen; it is found and read here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lindyn.display.brief import Brief

_PASSING = (nn.Identity, nn.Dropout)
ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh, "elu": nn.ELU, "leaky_relu": nn.LeakyReLU,
    "selu": nn.SELU, "softplus": nn.Softplus, "sigmoid": nn.Sigmoid, "mish": nn.Mish, "relu6": nn.ReLU6,
    "hardswish": nn.Hardswish, "none": nn.Identity,
}  # fmt: skip
"""What may stand between the layers of a head, by the words of `model.activation`; none of it has tensors."""


@dataclass(frozen=True, eq=False, repr=False)
class Affine(Brief):
    """h -> A h + b.

    Args:
        A: weights, out x in, float64.
        b: offset, length out.
    """

    A: Tensor
    b: Tensor

    def after(self, first: "Affine") -> "Affine":
        """Return this map after another one."""
        return Affine(self.A @ first.A, self.A @ first.b + self.b)


@dataclass(frozen=True, eq=False, repr=False)
class LastLayer(Brief):
    """The last linear layer of a network, z = W h, h what the layers before give, a constant 1 as last entry.

    Args:
        W: d x m, float64, a bias as last column; None where the network does not end in a linear layer.
        note: what is only approximate, or why there is no W; in words.
        is_all: whether it is the whole network, as the paper's is.
    """

    W: np.ndarray | None
    note: str = ""
    is_all: bool = False


def flat(module: nn.Module | None, wrapped: bool = False) -> list[nn.Module]:
    """Return the layers of a stack in order, nested stacks opened, what passes its input left out.

    Args:
        module: the stack; None has no layers.
        wrapped: open modules that do nothing but hold one other, too, as the heads of libraries are.
    """
    if isinstance(module, nn.Sequential):
        return [layer for part in module for layer in flat(part, wrapped)]
    if module is None or isinstance(module, _PASSING):
        return []
    inner = list(module.children())
    if wrapped and len(inner) == 1 and not list(module.parameters(recurse=False)):
        return flat(inner[0], wrapped)
    return [module]


def last_layers(backbone: nn.Module | None, projector: nn.Module | None) -> list[nn.Module]:
    """Return the layers that end a network: its projector's, or the one of a backbone that is nothing but linear."""
    layers = [layer for layer in flat(projector, wrapped=True) if not isinstance(layer, nn.Flatten)]
    if layers or backbone is None:
        return layers
    leaves = [module for module in backbone.modules() if not list(module.children())]
    working = [leaf for leaf in leaves if not isinstance(leaf, nn.Flatten | nn.Identity)]
    return working if len(working) == 1 and isinstance(working[0], nn.Linear) else []


def last_stack(backbone: nn.Module | None, projector: nn.Sequential | None) -> nn.Sequential | None:
    """Return the stack that ends a network: its projector, or the paper's W where a linear backbone has none."""
    W = getattr(backbone, "linear", None)
    if projector is not None and len(projector) == 0 and isinstance(W, nn.Linear):
        return nn.Sequential(W)
    return projector


def last_layer(backbone: nn.Module | None, projector: nn.Module | None) -> LastLayer:
    """Return the last linear layer of a network, a BatchNorm after it folded in with its running statistics.

    Args:
        backbone: of the network.
        projector: a stack of Linear, BatchNorm and ReLU, or None.
    """
    layers = last_layers(backbone, projector)
    norms = len(list(takewhile(lambda layer: isinstance(layer, nn.BatchNorm1d), reversed(layers))))
    ends: list[Any] = layers[len(layers) - 1 - norms :] if norms < len(layers) else []
    whole = _one(ends) if ends and isinstance(ends[0], nn.Linear) else None
    if whole is None:
        return LastLayer(
            None, "the network given does not end in a linear layer, so that there is no W whose size could be read"
        )
    note = (
        "BatchNorm after the last linear layer holds the size of z fixed, which the theory does not know (it is folded "
        "in by its running statistics)"
    )
    biased = bool(norms) or ends[0].bias is not None
    W = torch.cat([whole.A, whole.b[:, None]], dim=1) if biased else whole.A
    return LastLayer(W.numpy(), note if norms else "", not flat(projector, wrapped=True))


def folded(module: nn.Module) -> list[Affine] | None:
    """Return the affine maps between the ReLUs of a stack, BatchNorm folded by its running statistics.

    A stack with L ReLUs gives L + 1 maps; the whole is map_L(relu(... relu(map_0(z)))).

    Args:
        module: a stack of Linear, BatchNorm1d and ReLU, in eval mode.

    Returns:
        The maps, or None where another layer stands in the stack, a BatchNorm has no running statistics, or a part
        between two ReLUs has no Linear layer to give its width.
    """
    groups: list[list[nn.Module]] = [[]]
    for layer in flat(module):
        if isinstance(layer, nn.ReLU):
            groups.append([])
        elif isinstance(layer, nn.Linear | nn.BatchNorm1d):
            groups[-1].append(layer)
        else:
            return None
    maps = [_one(group) for group in groups]
    return None if any(m is None for m in maps) else maps  # type: ignore[return-value]


def first_weight(module: nn.Module | None) -> Tensor | None:
    """Return W_1 of a predictor that starts with a Linear layer, hidden x d, float64; None otherwise."""
    layers = flat(module)
    return _copy(layers[0].weight) if layers and isinstance(layers[0], nn.Linear) else None


def last_weight(module: nn.Module | None) -> Tensor | None:
    """Return [V b] of a projector that ends in a Linear layer, d x inputs, its bias as a last column; None otherwise.

    A bias is one more weight, whose input is always 1.
    """
    layers = flat(module)
    return weight_and_bias(layers[-1]) if layers and isinstance(layers[-1], nn.Linear) else None


def weight_and_bias(layer: nn.Linear) -> Tensor:
    """Return the weight of a linear layer, its bias as a last column, out x inputs, float64."""
    return _copy(layer.weight if layer.bias is None else torch.cat([layer.weight, layer.bias[:, None]], dim=1))


def with_activation(module: nn.Module, name: str) -> nn.Module:
    """Return the module with another activation in the place of each ReLU in it."""
    for place, part in list(module.named_modules()):
        if isinstance(part, nn.ReLU) and name != "relu":
            parent, _, leaf = place.rpartition(".")
            setattr(module.get_submodule(parent), leaf, ACTIVATIONS[name]())
    return module


def widths(module: nn.Module) -> tuple[int | None, int | None]:
    """Return (inputs, outputs) of a stack by its first and last layer with a width, None where it has none."""
    known = [width for layer in flat(module) if (width := _width(layer)) is not None]
    return (known[0][0], known[-1][1]) if known else (None, None)


def _width(layer: Any) -> tuple[int, int] | None:
    """Return (inputs, outputs) of one layer, or None where it takes any number."""
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    if isinstance(layer, nn.LayerNorm):
        return (layer.normalized_shape[-1],) * 2
    if isinstance(layer, nn.GroupNorm):
        return layer.num_channels, layer.num_channels
    features = getattr(layer, "num_features", None) if isinstance(layer, nn.modules.batchnorm._NormBase) else None
    return None if features is None else (features, features)


def rank_limit(module: nn.Module | None) -> int | None:
    """Return the narrowest width that the linear layers ending a stack take in; None where it does not end in one.

    The centred features have no more directions than that, however the network is trained.
    """
    ends = takewhile(
        lambda layer: isinstance(layer, nn.Linear | nn.modules.batchnorm._BatchNorm), reversed(flat(module, True))
    )
    return min((layer.in_features for layer in ends if isinstance(layer, nn.Linear)), default=None)


def _one(layers: Sequence[nn.Module]) -> Affine | None:
    """Return one affine map for Linear and BatchNorm layers in a row."""
    found: Affine | None = None
    for layer in layers:
        new = _affine(layer)
        if new is None:
            return None
        found = new if found is None else new.after(found)
    return found


def _affine(layer: nn.Module) -> Affine | None:
    if isinstance(layer, nn.Linear):
        A = _copy(layer.weight)
        return Affine(A, torch.zeros(len(A), dtype=A.dtype) if layer.bias is None else _copy(layer.bias))
    if not isinstance(layer, nn.BatchNorm1d) or layer.running_mean is None or layer.running_var is None:
        return None
    scale = (_copy(layer.running_var) + layer.eps).rsqrt()
    shift = torch.zeros_like(scale)
    if layer.affine:
        scale, shift = scale * _copy(layer.weight), _copy(layer.bias)
    return Affine(torch.diag(scale), shift - scale * _copy(layer.running_mean))


def _copy(values: Tensor) -> Tensor:
    """Return numbers that no later training step changes."""
    return values.detach().to(device="cpu", dtype=torch.float64, copy=True)
