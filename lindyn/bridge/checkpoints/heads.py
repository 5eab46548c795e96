"""Builds projectors and predictors from their tensors: plain stacks of Linear, BatchNorm1d and ReLU in eval mode.

The names tell the structure: in a numbered stack every number that is left out is a layer without parameters, which
is a ReLU in all layouts known here; in `fc0, bn0, fc1` a ReLU stands before every `fc` but the first.
"""

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from lindyn.bridge.layers.stacks import widths

Made = TypeVar("Made", bound=nn.Module)
WRAPPERS = ("layers.", "net.", "mlp.")


def head(found: Mapping[str, Tensor], name: str, square: bool = False) -> nn.Sequential | None:
    """Return the stack that these tensors are, or None where there is none.

    Args:
        found: tensors by name within the head ("0.weight", "layers.1.bias", "fc0.weight", "W_p").
        name: of the head, for messages.
        square: whether it must give as many numbers as it takes (a predictor).

    Returns:
        The stack in eval mode, without gradients; float32 unless the tensors are float64.

    Raises:
        ValueError: a tensor is missing, not finite, or of a shape that does not fit.
    """
    if not found:
        return None
    if "W_p" in found:  # lindyn's closed-form predictors
        return stack([_linear({"weight": found["W_p"]}, f"{name}.W_p")])
    if "F_hat" in found:
        raise ValueError(f"{name}.W_p is missing, though {name} is a closed-form predictor of lindyn.")
    for wrapper in WRAPPERS:
        if all(key.startswith(wrapper) for key in found):
            return head(
                {key.removeprefix(wrapper): value for key, value in found.items()}, f"{name}.{wrapper[:-1]}", square
            )
    if set(found) <= {"weight", "bias"}:
        return stack([_linear(found, name)])
    if all(re.match(r"\d+\.", key) for key in found):
        return _numbered(found, name, square)
    if all(re.match(r"(fc|bn)\d+\.", key) for key in found):
        return _named(found, name, square)
    shown = ", ".join(sorted(found)[:4])
    raise ValueError(f"{name} is no stack of Linear, BatchNorm1d and ReLU that lindyn knows; its tensors are {shown}.")


def stack(modules: list[nn.Module]) -> nn.Sequential:
    """Return modules as a stack in eval mode without gradients."""
    return nn.Sequential(*modules).eval().requires_grad_(False)


def symmetric_linear(built: nn.Sequential) -> nn.Sequential:
    """Return the map of a `SymmetricLinearPredictor`, whose parameter V gives W_p = (V + V^T) / 2."""
    V = _weight(built[0])
    return stack([_linear({"weight": (V + V.T) / 2}, "the symmetric predictor")])


def symmetric_mlp(built: nn.Sequential) -> nn.Sequential:
    """Return the map of a `SymmetricMLPPredictor`: both layers use V = (A + B^T) / 2 of the two parameters."""
    V = (_weight(built[0]) + _weight(built[3]).T) / 2
    last: dict[str, Any] = {"weight": V.T} if built[3].bias is None else {"weight": V.T, "bias": built[3].bias}
    return stack([_linear({"weight": V}, "V"), built[1], built[2], _linear(last, "V^T")])


def _weight(module: nn.Module) -> Tensor:
    return module.weight.detach()  # type: ignore[union-attr, operator, return-value]


def _numbered(found: Mapping[str, Tensor], name: str, square: bool) -> nn.Sequential:
    """Return a stack whose layers are numbered from 0, numbers left out being ReLUs."""
    layers = _grouped(found)
    numbers = sorted(layers, key=int)
    if numbers[0] != "0":
        raise ValueError(f"{name}.0.weight is missing: the layers of {name} start at {numbers[0]}.")
    modules: list[nn.Module] = []
    for number in numbers:
        gap = int(number) - len(modules)
        if gap > 1:
            raise ValueError(
                f"{name} has {gap} layers without tensors before {number}, or {name}.{int(number) - gap + 1}.weight is "
                "missing; lindyn knows only single ReLUs there."
            )
        modules += [nn.ReLU()] * gap + [_layer(layers[number], f"{name}.{number}")]
    built = _chained(modules, name)
    if square:
        _check_end(built, f"{name}.{int(numbers[-1]) + 2}.weight")
    return built


def _named(found: Mapping[str, Tensor], name: str, square: bool) -> nn.Sequential:
    """Return a stack of fc0, bn0, fc1, bn1, ...: a ReLU before each fc but the first."""
    layers = _grouped(found)
    count = 1 + max(int(key[2:]) for key in layers)
    modules: list[nn.Module] = []
    for k in range(count):
        if f"fc{k}" not in layers:
            raise ValueError(f"{name}.fc{k}.weight is missing.")
        modules += ([nn.ReLU()] if k else []) + [_linear(layers[f"fc{k}"], f"{name}.fc{k}")]
        if f"bn{k}" in layers:
            modules.append(batchnorm(layers[f"bn{k}"], f"{name}.bn{k}"))
    built = _chained(modules, name)
    if square:
        _check_end(built, f"{name}.fc{count}.weight")
    return built


def _check_end(built: nn.Sequential, after: str) -> None:
    """Raise ValueError where a predictor ends at the BatchNorm of its hidden layer."""
    takes, gives = widths(built)
    if takes != gives and isinstance(built[-1], nn.BatchNorm1d):
        raise ValueError(f"{after} is missing: the predictor takes {takes} numbers and ends at a BatchNorm of {gives}.")


def _grouped(found: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    layers: dict[str, dict[str, Tensor]] = {}
    for key, value in found.items():
        first, rest = key.split(".", 1)
        layers.setdefault(first, {})[rest] = value
    return layers


def _layer(found: Mapping[str, Tensor], name: str) -> nn.Module:
    """Return the layer that these tensors are."""
    moments = {"running_mean", "running_var", "num_batches_tracked"} & set(found)
    if moments or ("weight" in found and found["weight"].ndim == 1):
        return batchnorm(found, name)
    return _linear(found, name)


def _linear(found: Mapping[str, Tensor], name: str) -> nn.Linear:
    weight = _need(found, "weight", name)
    if weight.ndim != 2:
        raise ValueError(f"{name}.weight must be a matrix [out, in]; got shape {tuple(weight.shape)}.")
    made = nn.Linear(weight.shape[1], weight.shape[0], bias="bias" in found)
    return filled(made, found, name)


def batchnorm(found: Mapping[str, Tensor], name: str, eps: float = 1e-5) -> nn.BatchNorm1d:
    """Return a BatchNorm1d of these tensors, with or without scale and shift.

    Raises:
        ValueError: a tensor is missing or not finite.
    """
    mean = _need(found, "running_mean", name)
    _need(found, "running_var", name)
    affine = "weight" in found or "bias" in found
    if affine:
        _need(found, "weight", name), _need(found, "bias", name)
    return filled(nn.BatchNorm1d(len(mean), eps=eps, affine=affine), found, name)


def _need(found: Mapping[str, Tensor], key: str, name: str) -> Tensor:
    if key not in found:
        raise ValueError(f"{name}.{key} is missing: {name} has only {', '.join(sorted(found))}.")
    return found[key]


def filled(made: Made, found: Mapping[str, Tensor], name: str) -> Made:
    """Load the tensors of a module by name, in float64 where they are so; a count of batches may be missing.

    Args:
        made: the module.
        found: its tensors, and perhaps more.
        name: of the module, for messages.

    Raises:
        ValueError: a tensor is missing, not finite or of a shape that does not fit.
    """
    mine = made.state_dict()
    for key, value in mine.items():
        if key not in found:
            if key.endswith("num_batches_tracked"):
                continue
            raise ValueError(f"{name}.{key} is missing.")
        if found[key].shape != value.shape:
            raise ValueError(f"{name}.{key} must have shape {tuple(value.shape)}; got {tuple(found[key].shape)}.")
        if not bool(torch.isfinite(found[key]).all()):
            raise ValueError(f"{name}.{key} must be finite; it holds NaN or infinity, so the run had diverged.")
    known = {key: value for key, value in found.items() if key in mine}
    wide = any(value.dtype == torch.float64 for value in known.values())
    (made.double() if wide else made).load_state_dict(known, strict=False)
    return made


def _chained(modules: list[nn.Module], name: str) -> nn.Sequential:
    """Return the stack, or raise ValueError where a layer does not take what the one before gives."""
    wide = [(place, module) for place, module in enumerate(modules) if not isinstance(module, nn.ReLU)]
    for (_, first), (place, second) in pairwise(wide):
        gives, takes = widths(first)[1], widths(second)[0]
        if gives != takes and isinstance(second, nn.BatchNorm1d) and isinstance(modules[place - 1], nn.ReLU):
            raise ValueError(f"{name}.{place - 1}.weight is missing: a BatchNorm of {takes} follows {gives} numbers.")
        if gives != takes:
            raise ValueError(f"The layers of {name} do not fit: one gives {gives} numbers, the next takes {takes}.")
    return stack(modules)
