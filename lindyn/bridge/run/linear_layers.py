"""The layers that end a network, for which a deep linear projector W_L ... W_1 stands, and what is left out of it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from lindyn.bridge.layers import stacks
from lindyn.display.brief import Brief

NORMS = nn.modules.batchnorm._BatchNorm
ACTIVATIONS = tuple(kind for kind in stacks.ACTIVATIONS.values() if kind is not nn.Identity)
NOT_TREATED = (nn.LayerNorm, nn.GroupNorm, nn.modules.instancenorm._InstanceNorm)


@dataclass(frozen=True, eq=False, repr=False)
class LinearLayers(Brief):
    """The end of a network as the theory of a deep linear projector has it, z = W_L ... W_1 h.

    Args:
        before: images -> h, samples as rows: what the first of the layers sees.
        Ws: weights in the order in which they act, float64.
        normalise: "batchnorm" where a BatchNorm ends the network, else "none".
        centred: whether a BatchNorm among them takes the mean away.
        left_out: what stands between the layers, and the theory leaves out, in words.
    """

    before: Callable[[Tensor], Tensor]
    Ws: tuple[np.ndarray, ...]
    normalise: str
    centred: bool
    left_out: tuple[str, ...]

    @property
    def norm(self) -> float:
        """Norm of all layers together, sqrt(sum_l |W_l|^2)."""
        return math.sqrt(sum(float(np.sum(W**2)) for W in self.Ws))


def norm_and_depth(projector: nn.Module | None) -> tuple[float, int]:
    """Return the norm of the linear layers that end a projector, all together, and how many; (NaN, 0) without any.

    Args:
        projector: features -> z, a stack, or None.
    """
    try:
        layers = of_network(None, projector)
    except ValueError:
        return math.nan, 0
    return layers.norm, len(layers.Ws)


def of_network(backbone: nn.Module | None, projector: nn.Module | None, most: int | None = None) -> LinearLayers:
    """Return the layers from the first one after which all is linear, BatchNorm, or an activation that is left out.

    Args:
        backbone: images -> features; None: the projector is the whole network.
        projector: features -> z, a stack.
        most: linear layers at most, the last ones; None: all.

    Returns:
        The layers.

    Raises:
        ValueError: a network that does not end in linear layers, or ends in a norm that the theory does not treat.
    """
    layers = stacks.last_layers(backbone, projector)
    first = _first(layers, most)
    ends = layers[first:]
    linear = [layer for layer in ends if isinstance(layer, nn.Linear)]
    if not linear:
        last = type(layers[-1]).__name__ if layers else "no layer that is known"
        what = "a norm that the theory does not treat" if layers and isinstance(layers[-1], NOT_TREATED) else "no head"
        raise ValueError(
            f"The theory needs a network that ends in linear layers, BatchNorm last or not; got {last}, {what}. Give a "
            "projector of linear layers (model.projector=simsiam, byol or linear)."
        )
    Ws = tuple(layer.weight.detach().double().cpu().numpy() for layer in linear)
    centred = any(isinstance(layer, NORMS) for layer in ends)
    normalise = "batchnorm" if isinstance(ends[-1], NORMS) else "none"
    return LinearLayers(before(backbone, projector, layers[:first]), Ws, normalise, centred, _left_out(ends, centred))


def before(
    backbone: nn.Module | None, projector: nn.Module | None, earlier: Sequence[nn.Module]
) -> Callable[[Tensor], Tensor]:
    """Return images -> what the layer after `earlier`, the first layers of the end of a network, sees.

    Args:
        backbone: images -> features.
        projector: features -> z; where it is empty the backbone's one linear layer is the end.
        earlier: of `stacks.last_layers`.
    """
    whole = backbone is None or not stacks.flat(projector, wrapped=True)

    def seen(images: Tensor) -> Tensor:
        features = images.flatten(1) if whole else backbone(images).flatten(1)  # type: ignore[misc]
        for layer in earlier:
            features = layer(features)
        return features

    return seen


def _first(layers: Sequence[nn.Module], most: int | None) -> int:
    """Return where the end begins: the first linear layer after which nothing stands that is not known."""
    first, found = len(layers), 0
    for place in reversed(range(len(layers))):
        if not isinstance(layers[place], (nn.Linear, NORMS, *ACTIVATIONS)):
            break
        if isinstance(layers[place], nn.Linear):
            first, found = place, found + 1
            if found == most:
                break
    return first


def _left_out(ends: Sequence[nn.Module], centred: bool) -> tuple[str, ...]:
    """Return in words what is not in the product of the weights."""
    inside = ends[:-1] if isinstance(ends[-1], NORMS) else ends
    kinds = {type(layer).__name__ for layer in ends if isinstance(layer, ACTIVATIONS)}
    told = [f"{' and '.join(sorted(kinds))} between the layers of the projector"] if kinds else []
    if any(isinstance(layer, NORMS) for layer in inside):
        told.append("BatchNorm between the layers of the projector (but for the mean that it takes away)")
    last = ends[-1]
    if isinstance(last, NORMS) and last.affine:
        told.append("scale and shift of the last BatchNorm, as they are trained")
    if not centred and any(isinstance(layer, nn.Linear) and layer.bias is not None for layer in ends):
        told.append("the biases of the projector")
    return tuple(told)
