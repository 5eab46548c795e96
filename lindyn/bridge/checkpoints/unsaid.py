"""What the tensors of a checkpoint do not say, as assumptions: activations, first layers, normalisations, eps.

Whatever is taken for granted can be said otherwise by a key of `lindyn validate`; where the key is given, or the code
that wrote the file fixes it, nothing is assumed.
"""

from collections.abc import Container, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lindyn.bridge.assumptions import EVERYTHING, LAWS_ONLY, Assumption
from lindyn.bridge.checkpoints import backbones, heads
from lindyn.bridge.checkpoints.single_layers import EPS
from lindyn.bridge.settings import Settings

OTHER_EPS, VISIBLE = 1e-3, 0.01
"""The other eps in use (Keras, some of timm), and the relative change of a scale from which on it is worth a word."""
BY_HEAD = {"predictor": "model.predictor_activation", "projector": "model.activation"}


def activation_of(piece: str, said: Mapping[str, Any]) -> str:
    """Return the word of `model.activation` for a head, "" where nothing says it."""
    own = str(said.get("model.predictor_activation", "same")) if piece == "predictor" else "same"
    return str(said.get("model.activation", "")) if own == "same" else own


def of_heads(parts: Mapping[str, Any], said: Mapping[str, Any], numbered: Container[str] = ()) -> Iterator[Assumption]:
    """Yield what was taken for granted of projector and predictor.

    Args:
        parts: the pieces that were built, by name.
        said: keys that say otherwise, of the user or of the code that wrote the file.
        numbered: the heads whose layers are numbered: in such a stack something may stand behind the last.
    """
    for piece, key in BY_HEAD.items():
        built = parts.get(piece) if parts.get(piece) is not None else parts.get(f"target_{piece}")
        if built is None:
            continue
        said_of_it, reach = activation_of(piece, said), LAWS_ONLY if piece == "predictor" else EVERYTHING
        if heads.has_gaps(built) and not said_of_it:
            taken = f"a ReLU stands in each gap between the layers of the {piece}, and none behind its last layer"
            yield Assumption("activation", taken, f"{key}=gelu", changed=f"a GELU in the {piece}", reach=reach)
        elif not said_of_it and piece in numbered:
            taken = f"nothing without tensors stands behind the last layer of the {piece}"
            yield Assumption("activation", taken, reach=reach)
        if any(isinstance(module, nn.Identity) for module in built) and said_of_it != "none":
            taken = (
                f"layers of the {piece} without tensors, beside its activations, pass what they get (Dropout, Flatten)"
            )
            yield Assumption("activation", taken, reach=reach)
        norms = [module for module in built if _by_rows(module)]
        if norms and "model.head_norm" not in said:
            yield Assumption(
                "BatchNorm",
                f"what normalises in the {piece} has no running statistics and was taken for a LayerNorm",
                "model.head_norm=batch",
                changed="BatchNorm by the batch",
                reach=reach,
            )
    yield from _of_eps([parts.get("predictor"), parts.get("projector"), parts.get("backbone")], said)


def _by_rows(module: nn.Module) -> bool:
    """Return whether a layer normalises by what is before it: it has no running statistics."""
    batch = isinstance(module, nn.BatchNorm1d) and not module.track_running_stats
    return batch or isinstance(module, nn.LayerNorm | nn.GroupNorm)


def _of_eps(nets: list[Any], said: Mapping[str, Any]) -> Iterator[Assumption]:
    """Yield that eps was taken to be torch's, where another in use would be seen in the outputs."""
    if "model.eps" in said:
        return
    for module in [module for net in nets if net is not None for module in net.modules()]:
        var = getattr(module, "running_var", None)
        if isinstance(var, Tensor) and module.eps == EPS and _share(var) > VISIBLE:
            taken = f"{EPS:g}, torch's own, is added to the variances of BatchNorm, some of which are small"
            yield Assumption("eps", taken, f"model.eps={OTHER_EPS:g}", changed=f"eps {OTHER_EPS:g}")
            return


def _share(var: Tensor) -> float:
    """Return the mean change of BatchNorm's scales from one eps to the other; channels that never varied left out."""
    var = var.double()[var > 1e-12]
    return float(((var + OTHER_EPS) / (var + EPS)).sqrt().sub(1).mean()) if len(var) else 0.0


def of_backbone(net: Any, said: Mapping[str, Any]) -> Iterator[Assumption]:
    """Yield what was taken for granted of a backbone's first layers.

    Args:
        net: as it was built, or None.
        said: as of `of_heads`.
    """
    if net is None or not hasattr(net, "layer4") or net.of_lightly or "model.stem" in said:
        return
    side, small = backbones.stem_side(net), backbones.stem_side(net) == 3 and not backbones.deep(net)
    if small and "model.stem_stride" not in said:
        taken = "the 3 x 3 first layer of the backbone has stride 1, as on CIFAR"
        yield Assumption("stem", taken, "model.stem_stride=2", changed="stride 2")
    if "model.pool" in said or net.between in (0, 1):
        return
    if small:
        taken = "no pooling stands behind the 3 x 3 first layer of the backbone"
        yield Assumption("pooling", taken, "model.pool=max", changed="a pooling of 3 x 3")
    else:
        stem = "deep stem" if backbones.deep(net) else f"{side} x {side} first layer"
        taken = f"the {stem} of the backbone has stride 2 and a pooling of 3 x 3 behind it, as torchvision's ResNets"
        yield Assumption("pooling", taken, "model.pool=none", changed="no pooling")


def by_code(found: Mapping[str, Tensor], source: str, activation: str = "relu", small: bool = True) -> Settings:
    """Return what the code of a layout fixes of its networks: the activations of its heads, the first layers.

    Args:
        found: tensors of the backbone.
        source: in words ("solo-learn's code").
        activation: of its heads, "" where the code leaves it open.
        small: whether it also fixes what a 3 x 3 first layer is (stride 1, no pooling).
    """
    first = found.get("conv1.weight")
    stem = None
    if isinstance(first, torch.Tensor) and first.ndim == 4:
        stem = ("cifar" if small else None) if first.shape[-1] == 3 else "imagenet"
    return Settings.of({"model.activation": activation or None, "model.stem": stem, "model.eps": EPS}, source)
