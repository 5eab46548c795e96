"""Which module of a network is its predictor, and what linear map it is."""

import re
from typing import Any

import torch
from torch import Tensor, nn

from lindyn.bridge.layers.stacks import rank_limit

NAMES = ("prediction_head", "predictor", "online_predictor")
"""What lightly; solo-learn, stable-pretraining, mmpretrain, SimSiam; and byol-pytorch call it."""
PROJECTORS = ("projection_head", "projector", "projection", "neck")
"""What they call the projector before it."""
_OF_THE_TARGET = ("target", "momentum", "teacher", "ema")
_PARTS_OF_AN_MLP = (nn.Linear, nn.Identity, nn.Dropout, nn.LayerNorm, nn.modules.batchnorm._BatchNorm)
_SHOWN = 8


def find_predictor(module: nn.Module, predictor: str | nn.Module | None = None) -> tuple[str, nn.Module]:
    """Return (name, module) of the predictor inside a network, or the module itself where it is one.

    Args:
        module: a network with a predictor of a usual name, or a predictor (Linear, MLP, closed form).
        predictor: its dotted name inside `module`, or the module itself, where it has another name.

    Returns:
        Its dotted name ("" for `module` itself) and the module.

    Raises:
        ValueError: none found, or several; the message lists candidates.
    """
    named = dict(module.named_modules())
    if isinstance(predictor, nn.Module):
        return next((name for name, part in named.items() if part is predictor), ""), predictor
    if predictor is not None:
        if predictor not in named:
            raise ValueError(
                f"predictor must name a module of {_kind(module)}; got {predictor!r}. {_candidates(named)}"
            )
        return _unwrapped(predictor, named[predictor])
    found = [name for name in named if name.split(".")[-1] in NAMES and not _is_of_the_target(name)]
    found = [name for name in found if not any(name.startswith(f"{outer}.") for outer in found)]
    if len(found) > 1:
        raise ValueError(f"{_kind(module)} has {len(found)} predictors, {', '.join(found)}; say which with predictor=.")
    if found:
        return _unwrapped(found[0], named[found[0]])
    if _is_a_predictor(module):
        return "", module
    raise ValueError(
        f"No predictor found in {_kind(module)}: none of its modules is called {', '.join(NAMES)}. {_candidates(named)}"
    )


def width_before(module: nn.Module, name: str) -> int | None:
    """Return the width that limits the rank of a predictor's inputs, by the projector beside it; None without one.

    Args:
        module: the network.
        name: of its predictor, dotted.
    """
    place, _, _ = name.rpartition(".")
    beside = module.get_submodule(place)
    projector = next((getattr(beside, each) for each in PROJECTORS if hasattr(beside, each)), None)
    return rank_limit(projector) if name and isinstance(projector, nn.Module) else None


def map_kind(predictor: nn.Module) -> str:
    """Return how the linear map is read: "W_p", "weights" (product of Linear layers) or "least squares"."""
    if _has_W_p(predictor):
        return "W_p"
    return "weights" if _linear_layers(predictor) else "least squares"


@torch.no_grad()
def weight_map(predictor: nn.Module) -> Tensor:
    """Return the W_p of a predictor that is linear: its W_p, or the product of its Linear layers' weights."""
    if map_kind(predictor) == "W_p":
        return predictor.W_p.detach()  # type: ignore[union-attr,operator]
    layers = _linear_layers(predictor)
    W_p = layers[0].weight
    for layer in layers[1:]:
        W_p = layer.weight @ W_p
    return W_p.detach()


def _linear_layers(predictor: nn.Module) -> list[nn.Linear]:
    """Return the Linear layers of a plain stack of them, or none if anything else stands between."""
    if type(predictor) is nn.Linear:
        return [predictor]
    if type(predictor) is not nn.Sequential:
        return []
    layers: list[nn.Linear] = []
    for part in predictor:
        if type(part) is nn.Identity:
            continue
        inner = _linear_layers(part)
        if not inner:
            return []
        layers += inner
    return layers


def _unwrapped(name: str, module: nn.Module) -> tuple[str, nn.Module]:
    """Return what a wrapper wraps, where that is one module with a W_p to read."""
    parts = dict(module.named_children())
    if not _has_W_p(module) and len(parts) == 1:
        inner, part = next(iter(parts.items()))
        if _has_W_p(part):
            return f"{name}.{inner}", part
    return name, module


def _has_W_p(module: nn.Module) -> bool:
    return isinstance(getattr(module, "W_p", None), Tensor)


def _is_a_predictor(module: nn.Module) -> bool:
    """Return whether a module is one of itself: it has a W_p, or is one stack of an MLP's parts, perhaps wrapped."""
    if _has_W_p(module):
        return True
    parts = list(module.children())
    if not isinstance(module, nn.Linear | nn.Sequential) and len(parts) == 1:
        return _is_a_predictor(parts[0])
    leaves = [part for part in module.modules() if not list(part.children())]
    known = [isinstance(part, _PARTS_OF_AN_MLP) or type(part).__module__ == nn.ReLU.__module__ for part in leaves]
    stack = isinstance(module, nn.Linear | nn.Sequential)
    return stack and all(known) and any(isinstance(part, nn.Linear) for part in leaves)


def _is_of_the_target(name: str) -> bool:
    return bool(set(re.split(r"[._]", name.lower())) & set(_OF_THE_TARGET))


def _candidates(named: dict[str, nn.Module]) -> str:
    heads = [name for name, part in named.items() if name and not _is_of_the_target(name) and _is_a_predictor(part)]
    outer = [name for name in heads if not any(name.startswith(f"{other}.") for other in heads)]
    if not outer:
        return "Give predictor=, the module that maps features to features."
    more = f" and {len(outer) - _SHOWN} more" if len(outer) > _SHOWN else ""
    return f"Name one with predictor=; candidates: {', '.join(map(repr, outer[:_SHOWN]))}{more}."


def _kind(module: Any) -> str:
    return type(module).__name__
