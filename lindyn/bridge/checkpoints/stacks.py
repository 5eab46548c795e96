"""Heads as stacks of Linear, BatchNorm1d (eval mode) and ReLU: layers, BatchNorm folded, first and last weights."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

_PASSING = (nn.Identity, nn.Dropout)


@dataclass(frozen=True, eq=False)
class Affine:
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


def flat(module: nn.Module) -> list[nn.Module]:
    """Return the layers of a stack in order, nested stacks opened, what passes its input left out."""
    if isinstance(module, nn.Sequential):
        return [layer for part in module for layer in flat(part)]
    return [] if isinstance(module, _PASSING) else [module]


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
    layers = flat(module) if module is not None else []
    return _copy(layers[0].weight) if layers and isinstance(layers[0], nn.Linear) else None


def last_weight(module: nn.Module | None) -> Tensor | None:
    """Return [V b] of a projector that ends in a Linear layer, d x inputs, its bias as a last column; None otherwise.

    A bias is one more weight, whose input is always 1.
    """
    layers = flat(module) if module is not None else []
    if not layers or not isinstance(layers[-1], nn.Linear):
        return None
    last = layers[-1]
    parts = [last.weight] if last.bias is None else [last.weight, last.bias[:, None]]
    return _copy(torch.cat(parts, dim=1))


def widths(module: nn.Module) -> tuple[int | None, int | None]:
    """Return (inputs, outputs) of a stack by its first and last layer with a width, None where it has none."""
    known = [layer for layer in flat(module) if isinstance(layer, nn.Linear | nn.BatchNorm1d)]
    if not known:
        return None, None
    first, last = known[0], known[-1]
    return (
        first.in_features if isinstance(first, nn.Linear) else first.num_features,
        last.out_features if isinstance(last, nn.Linear) else last.num_features,
    )


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
