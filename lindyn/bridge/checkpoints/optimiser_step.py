"""The last step of SGD as a checkpoint holds it: how far the projector's layers turn by their momentum buffers."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor

from lindyn.bridge.checkpoints.content import Content, kind_of, peak
from lindyn.bridge.readings import StepTaken

STATES = ("optimizer_states", "optimizer_state_dict", "optimizer")
BUFFERS = ("running_mean", "running_var", "num_batches_tracked")
FLOWING = "sgd"
NAMED = "projector"
"""Name of the optimiser's group that holds the projector's parameters, where groups have names."""


def of_content(content: Content, projector: str, target: Sequence[str] = ()) -> StepTaken | None:
    """Return the last step of a checkpoint's projector.

    Args:
        content: of the file.
        projector: how the names of its tensors start.
        target: how the names of the target's start, which the optimiser may not hold.

    Returns:
        The step; None where the file holds no SGD with momentum, or its buffers cannot be told from each other.
    """
    state, groups = _of_optimiser(content.tree)
    layers = {name: W for name, W in content.under(projector).items() if W.ndim == 2} if projector else {}
    if not groups or not layers:
        return None
    for group, buffers in _candidates(content, projector, target, state, groups, layers):
        found = _step(group, list(layers.values()), buffers)
        if found is not None:
            return found
    return None


def _of_optimiser(tree: Mapping[str, Any]) -> tuple[Mapping[Any, Any], list[Mapping[str, Any]]]:
    """Return the optimiser's state by parameter and its groups; nothing where there are none."""
    for name in STATES:
        value = tree.get(name)
        value = value[0] if isinstance(value, list) and value else value
        if isinstance(value, Mapping) and isinstance(value.get("state"), Mapping):
            groups = [group for group in value.get("param_groups", []) if isinstance(group, Mapping)]
            return value["state"], groups
    return {}, []


def _candidates(
    content: Content, projector: str, target: Sequence[str], state: Mapping[Any, Any],
    groups: Sequence[Mapping[str, Any]], layers: Mapping[str, Tensor],
) -> Iterator[tuple[Mapping[str, Any], list[Tensor | None]]]:  # fmt: skip
    """Yield (group, buffers of the layers) as the groups' names or the order of all parameters have them."""
    for group in groups:
        if group.get("name") == NAMED:
            buffers = [_buffer(state, index) for index in group.get("params", [])]
            yield group, [buffer for buffer in buffers if buffer is not None and buffer.ndim == 2]
    trained = [name for name in content.weights if name.rpartition(".")[2] not in BUFFERS]
    online = [name for name in trained if not any(first and name.startswith(f"{first}.") for first in target)]
    order = [index for group in groups for index in group.get("params", [])]
    for names in (trained, online):
        if len(names) == len(order) and len(groups) == 1:
            place = dict(zip(names, order, strict=True))
            yield groups[0], [_buffer(state, place.get(f"{projector}.{name}")) for name in layers]


def _buffer(state: Mapping[Any, Any], index: Any) -> Tensor | None:
    entry = state.get(index)
    buffer = entry.get("momentum_buffer") if isinstance(entry, Mapping) else None
    return buffer if isinstance(buffer, Tensor) else None


def _step(group: Mapping[str, Any], layers: Sequence[Tensor], buffers: Sequence[Tensor | None]) -> StepTaken | None:
    """Return the step W <- W - lr v of layers, what is along W left out; None where the buffers do not fit them."""
    numbers = [group.get(name) for name in ("lr", "momentum", "weight_decay")]
    if (
        kind_of(group) != FLOWING
        or group.get("nesterov")
        or not all(isinstance(value, int | float) for value in numbers)
    ):
        return None
    if [tuple(W.shape) for W in layers] != [None if v is None else tuple(v.shape) for v in buffers]:
        return None
    lr, momentum, decay = (float(value) for value in numbers)  # type: ignore[arg-type]
    parts = [_across(W.double(), v.double()) for W, v in zip(layers, buffers, strict=True) if v is not None]
    across, sizes = (sum(part) for part in zip(*parts, strict=True))
    if not math.isfinite(across + sizes) or not all(size > 0 for _, size in parts):
        return None
    angles = tuple(lr * math.sqrt(turned / size) for turned, size in parts)
    highest = peak(dict(group))
    return StepTaken(lr, lr if highest is None else highest, momentum, decay, lr * math.sqrt(across / sizes), angles)


def _across(W: Tensor, v: Tensor) -> tuple[float, float]:
    """Return |v across W|^2 and |W|^2."""
    size = float((W * W).sum())
    along = float((v * W).sum()) / size if size > 0 else 0.0
    return float(((v - along * W) ** 2).sum()), size
