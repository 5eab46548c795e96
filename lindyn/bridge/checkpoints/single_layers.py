"""One layer from its tensors: Linear, the normalisations, PReLU; weights written as products are multiplied out."""

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

Made = TypeVar("Made", bound=nn.Module)
EPS = 1e-5
COUNTER = "num_batches_tracked"
MOMENTS = {"running_mean", "running_var", COUNTER}
_WRITTEN = re.compile(r"^(?:(?P<place>.*)\.)?(?:parametrizations\.(?P<name>\w+)\.|(?P<old>\w+?)_)"
                      r"(?P<part>original[01]?|g|v|u|orig|mask|0\._u|0\._v|0\.base)$")  # fmt: skip


class NotBuiltError(ValueError):
    """These tensors are whole, but of a network that lindyn does not build."""


def multiplied_out(found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors with weight norm, spectral norm and pruning masks multiplied out, as they act in eval mode.

    Both ways in which torch writes them: `weight_g`, `weight_v`; `weight_orig`, `weight_u`, `weight_v`;
    `weight_orig`, `weight_mask`; and `parametrizations.weight.original...`. Others stay as they are.
    """
    out, parts = dict(found), dict[str, dict[str, str]]()
    for key in found:
        match = _WRITTEN.match(key)
        if match is not None:
            place = f"{match['place']}." if match["place"] else ""
            parts.setdefault(f"{place}{match['name'] or match['old']}", {})[match["part"].removeprefix("0._")] = key
    for name, keys in parts.items():
        made = _product({part: found[key] for part, key in keys.items()})
        if made is not None and name not in found:
            out = {key: value for key, value in out.items() if key not in keys.values()} | {name: made}
    return out


def _product(parts: Mapping[str, Tensor]) -> Tensor | None:
    """Return the weight that these parts stand for, None where they are none that is known; never in half precision."""
    parts = {name: value.float() if value.itemsize < 4 and value.is_floating_point() else value
             for name, value in parts.items()}  # fmt: skip
    g, v = parts.get("g", parts.get("original0")), parts.get("v", parts.get("original1"))
    whole = parts.get("orig", parts.get("original"))
    if g is not None and v is not None and set(parts) in ({"g", "v"}, {"original0", "original1"}):
        axes = [axis for axis in range(v.ndim) if g.ndim != v.ndim or g.shape[axis] == 1]
        return v * (g / v.square().sum(axes, keepdim=g.ndim == v.ndim).sqrt())
    if whole is not None and set(parts) == {"orig", "mask"}:
        return whole * parts["mask"]
    if whole is None or not {"u", "v"} <= set(parts) <= {"orig", "original", "u", "v"} or whole.ndim < 2:
        return None
    u, v = parts["u"].double(), parts["v"].double()
    for axis in range(whole.ndim):  # the axis of u is the one that the matrix has its rows along
        rows = whole.movedim(axis, 0).flatten(1).double()
        if rows.shape == (len(u), len(v)):
            return (whole.double() / (u @ rows @ v)).to(whole.dtype)
    return None


def layer(found: Mapping[str, Tensor], name: str, said: Mapping[str, Any]) -> nn.Module:
    """Return the layer that these tensors are.

    Args:
        found: its tensors.
        name: of the layer, for messages.
        said: keys of `lindyn validate` that say what tensors do not (`model.head_norm`, `model.eps`, ...).

    Raises:
        NotBuiltError: none that lindyn builds.
        ValueError: a tensor is missing, not finite or of the wrong shape.
    """
    weight = found.get("weight")
    if MOMENTS & set(found):
        return batchnorm(found, name, said.get("model.eps", EPS))
    if weight is None or weight.ndim != 1:
        return linear(found, name)
    if set(found) == {"weight", "bias"}:
        return by_rows(found, name, said)
    if set(found) == {"weight"} and len(weight) == 1:
        return filled(nn.PReLU(), found, name)
    what = "a PReLU, an RMSNorm or a LayerNorm without shift" if set(found) == {"weight"} else "no layer it knows"
    raise NotBuiltError(
        f"{name} is {what}, which lindyn does not build; its tensors are {', '.join(sorted(found)[:4])}."
    )


def by_rows(found: Mapping[str, Tensor], name: str, said: Mapping[str, Any]) -> nn.Module:
    """Return a normalisation that has scale and shift, and no running statistics."""
    width, eps, kind = len(found["weight"]), said.get("model.eps", EPS), said.get("model.head_norm", "layer")
    if kind == "batch":
        return filled(nn.BatchNorm1d(width, eps=eps, track_running_stats=False), found, name)
    if kind == "group":
        groups = int(said.get("model.head_groups", 32))
        if width % groups:
            raise ValueError(f"model.head_groups must divide the {width} numbers of {name}; got {groups}.")
        return filled(nn.GroupNorm(groups, width, eps=eps), found, name)
    return filled(nn.LayerNorm(width, eps=eps), found, name)


def linear(found: Mapping[str, Tensor], name: str) -> nn.Linear:
    """Return a Linear of these tensors.

    Raises:
        NotBuiltError: they are those of something else.
        ValueError: the weight is missing, no matrix, or not finite.
    """
    foreign = sorted(set(found) - {"weight", "bias"})
    if foreign and not (set(found) & {"weight"} and all(key.startswith("weight_") for key in foreign)):
        shown = ", ".join(sorted(found)[:4])
        raise NotBuiltError(
            f"{name} is no Linear, BatchNorm1d or LayerNorm that lindyn builds; its tensors are {shown}."
        )
    weight = _need(found, "weight", name)
    if weight.ndim != 2:
        raise ValueError(f"{name}.weight must be a matrix [out, in]; got shape {tuple(weight.shape)}.")
    return filled(nn.Linear(weight.shape[1], weight.shape[0], bias="bias" in found), found, name)


def batchnorm(found: Mapping[str, Tensor], name: str, eps: float = EPS) -> nn.BatchNorm1d:
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
            if key.endswith(COUNTER):
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
