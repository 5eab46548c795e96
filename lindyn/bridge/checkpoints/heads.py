"""Builds projectors and predictors from their tensors: plain stacks of layers with activations between, in eval mode.

The names tell the structure. In a numbered stack every number that is left out is a layer without tensors: one
activation, whichever `model.activation` says (ReLU where nothing does). In `fc0, bn0, fc1`, or `layer1.0, layer1.1,
layer2.0`, one stands before every Linear but the first.
"""

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from lindyn.bridge.checkpoints.single_layers import NotBuiltError, layer, linear
from lindyn.bridge.layers.stacks import ACTIVATIONS, widths

SAID: Mapping[str, Any] = {}
_PARTS = re.compile(r"[A-Za-z_]+\d+(\.\d+)?\.")
_RULE = ("F_hat", "counters", "tally", "_extra_state")  # beside W_p, of lindyn's closed-form predictors


def head(
    found: Mapping[str, Tensor], name: str, square: bool = False, said: Mapping[str, Any] = SAID, activation: str = ""
) -> nn.Sequential | None:
    """Return the stack that these tensors are, or None where there is none.

    Args:
        found: tensors by name within the head ("0.weight", "layers.1.bias", "fc0.weight", "W_p").
        name: of the head, for messages.
        square: whether it must give as many numbers as it takes (a predictor).
        said: keys of `lindyn validate` that say what tensors do not (`model.head_norm`, `model.eps`, ...).
        activation: what stands in its gaps, a word of `model.activation`; "": a ReLU.

    Returns:
        The stack in eval mode, without gradients; float32 unless the tensors are float64.

    Raises:
        NotBuiltError: it is no stack that lindyn builds.
        ValueError: a tensor is missing, not finite, or of a shape that does not fit.
    """
    if not found:
        return None
    if "W_p" in found:  # lindyn's closed-form predictors
        return stack([linear({"weight": found["W_p"]}, f"{name}.W_p")])
    if "F_hat" in found:
        raise ValueError(f"{name}.W_p is missing, though {name} is a closed-form predictor of lindyn.")
    whole, prefix = opened(found)
    name = f"{name}.{prefix}" if prefix else name
    if prefix and ("W_p" in whole or "F_hat" in whole):
        return head(whole, name, square, said, activation)
    if set(whole) <= {"weight", "bias"}:
        return stack([layer(whole, name, said)])
    gap = ACTIVATIONS[activation or "relu"]
    if all(re.match(r"\d+\.", key) for key in whole):
        return _numbered(whole, name, square, said, gap)
    if all(re.match(r"(fc|bn)\d+\.", key) for key in whole) and any(key.startswith("fc0.") for key in whole):
        return _named(whole, name, square, said, gap)
    if all(_PARTS.match(key) for key in whole):
        return _in_parts(whole, name, square, said, gap)
    shown = ", ".join(sorted(whole)[:4])
    raise NotBuiltError(
        f"{name} is no stack of Linear, BatchNorm1d and ReLU that lindyn knows; its tensors are {shown}."
    )


def opened(found: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    """Return the tensors without the names that all of them begin with (`layers.`, `net.`, `model.`), and these."""
    taken: list[str] = []
    rest = dict(found)
    while rest:
        firsts = {key.partition(".")[0] for key in rest if "." in key}
        first = next(iter(firsts), "")
        alone = len(firsts) == 1 and all("." in key for key in rest)
        if not alone or re.fullmatch(r"\d+|(fc|bn)\d+", first) or first == "parametrizations":
            break
        rest = {key.partition(".")[2]: value for key, value in rest.items()}
        taken.append(first)
    return rest, ".".join(taken)


def by_rule(found: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """Return the tensors of a closed-form predictor of lindyn, wherever it lies in a head, or None."""
    inner, _ = opened(found)
    return inner if "W_p" in inner and any(key in inner for key in _RULE) else None


def is_numbered(found: Mapping[str, Tensor]) -> bool:
    """Return whether the layers of a head are numbered, as those of an nn.Sequential."""
    inner, _ = opened(found)
    return bool(inner) and all(re.match(r"\d+\.", key) for key in inner)


def has_gaps(built: nn.Module | None) -> bool:
    """Return whether an activation without tensors stands in a stack."""
    kinds = tuple(kind for kind in ACTIVATIONS.values() if kind is not nn.Identity)
    return built is not None and any(isinstance(module, kinds) for module in built.children())


def stack(modules: list[nn.Module]) -> nn.Sequential:
    """Return modules as a stack in eval mode without gradients."""
    return nn.Sequential(*modules).eval().requires_grad_(False)


def symmetric_linear(built: nn.Sequential) -> nn.Sequential:
    """Return the map of a `SymmetricLinearPredictor`, whose parameter V gives W_p = (V + V^T) / 2."""
    V = _weight(built[0])
    return stack([linear({"weight": (V + V.T) / 2}, "the symmetric predictor")])


def symmetric_mlp(built: nn.Sequential) -> nn.Sequential:
    """Return the map of a `SymmetricMLPPredictor`: both layers use V = (A + B^T) / 2 of the two parameters."""
    V = (_weight(built[0]) + _weight(built[3]).T) / 2
    last: dict[str, Any] = {"weight": V.T} if built[3].bias is None else {"weight": V.T, "bias": built[3].bias}
    return stack([linear({"weight": V}, "V"), built[1], built[2], linear(last, "V^T")])


def _weight(module: nn.Module) -> Tensor:
    return module.weight.detach()  # type: ignore[union-attr, operator, return-value]


def _numbered(
    found: Mapping[str, Tensor], name: str, square: bool, said: Mapping[str, Any], gap: type[nn.Module]
) -> nn.Sequential:
    """Return a stack whose layers are numbered from 0; numbers left out have no tensors."""
    layers = _grouped(found)
    numbers = sorted(layers, key=int)
    made = {number: layer(layers[number], f"{name}.{number}", said) for number in numbers}
    if numbers[0] != "0" and not (numbers[0] == "1" and isinstance(made["1"], nn.Linear)):
        raise ValueError(f"{name}.0.weight is missing: the layers of {name} start at {numbers[0]}.")
    modules: list[nn.Module] = [nn.Identity()] * int(numbers[0])
    for number in numbers:
        missing = int(number) - len(modules)
        free = isinstance(made[number], nn.Linear)
        if missing > 2 or (missing == 2 and not free):
            raise (NotBuiltError if free else ValueError)(
                f"{name} has {missing} layers without tensors before {number}, or "
                f"{name}.{int(number) - missing + 1}.weight is missing; lindyn knows only single activations there, or "
                "one and a Dropout."
            )
        acts = min(missing, 1) if not (modules and isinstance(modules[-1], nn.PReLU)) else 0  # else it is there already
        modules += [gap() for _ in range(acts)] + [nn.Identity() for _ in range(missing - acts)] + [made[number]]
    built = _chained(modules, name)
    if square:
        _check_end(built, f"{name}.{int(numbers[-1]) + 2}.weight")
    return built


def _named(
    found: Mapping[str, Tensor], name: str, square: bool, said: Mapping[str, Any], gap: type[nn.Module]
) -> nn.Sequential:
    """Return a stack of fc0, bn0, fc1, bn1, ...: an activation before each fc but the first."""
    layers = _grouped(found)
    count = 1 + max(int(key[2:]) for key in layers)
    modules: list[nn.Module] = []
    for k in range(count):
        if f"fc{k}" not in layers:
            raise ValueError(f"{name}.fc{k}.weight is missing.")
        modules += ([gap()] if k else []) + [linear(layers[f"fc{k}"], f"{name}.fc{k}")]
        if f"bn{k}" in layers:
            modules.append(layer(layers[f"bn{k}"], f"{name}.bn{k}", said))
    built = _chained(modules, name)
    if square:
        _check_end(built, f"{name}.fc{count}.weight")
    return built


def _in_parts(
    found: Mapping[str, Tensor], name: str, square: bool, said: Mapping[str, Any], gap: type[nn.Module]
) -> nn.Sequential:
    """Return a stack of fc1, bn1, fc2 or layer1.0, layer1.1, layer2.0: an activation before each Linear but the first.

    Layers act in the order of their numbers, a Linear before the normalisation of the same number.
    """
    parts: dict[tuple[int, int], list[tuple[str, nn.Module]]] = {}
    groups: dict[str, dict[str, Tensor]] = {}
    for key, value in found.items():
        place, leaf = key.rsplit(".", 1)
        groups.setdefault(place, {})[leaf] = value
    for place, tensors in groups.items():
        numbers = [int(number) for number in re.findall(r"\d+", place)]
        made = layer(tensors, f"{name}.{place}", said)
        parts.setdefault((numbers[0], numbers[1] if len(numbers) > 1 else 0), []).append((place, made))
    modules: list[nn.Module] = []
    for _, here in sorted(parts.items()):
        kinds = [isinstance(module, nn.Linear) for _, module in here]
        if sum(kinds) > 1 or len(here) > 2:
            raise NotBuiltError(
                f"{name} has layers whose order its names do not tell: {', '.join(p for p, _ in here)}."
            )
        for _, module in sorted(here, key=lambda each: not isinstance(each[1], nn.Linear)):
            modules += [gap()] * (bool(modules) and isinstance(module, nn.Linear)) + [module]
    built = _chained(modules, name)
    if square:
        _check_end(built, f"{name}'s last weight")
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


def _chained(modules: list[nn.Module], name: str) -> nn.Sequential:
    """Return the stack, or raise ValueError where a layer does not take what the one before gives."""
    kinds = tuple(ACTIVATIONS.values())
    wide = [(place, module) for place, module in enumerate(modules) if widths(module) != (None, None)]
    for (_, first), (place, second) in pairwise(wide):
        gives, takes = widths(first)[1], widths(second)[0]
        if gives != takes and isinstance(second, nn.BatchNorm1d) and isinstance(modules[place - 1], kinds):
            raise ValueError(f"{name}.{place - 1}.weight is missing: a BatchNorm of {takes} follows {gives} numbers.")
        if gives != takes:
            raise ValueError(f"The layers of {name} do not fit: one gives {gives} numbers, the next takes {takes}.")
    double = any(p.dtype.itemsize == 8 and p.dtype.is_floating_point for module in modules for p in module.parameters())
    built = stack(modules)
    return built.double() if double else built
