"""Takes off what wrappers put around a network's names: containers, `module.`, `_orig_mod.`, `model.`, `learner.`."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

CONTAINERS = ("state_dict", "model", "model_state_dict", "experiment_state")
INNER = ("module", "_orig_mod")  # DistributedDataParallel and torch.compile wrap any part of a network
LEADING = ("model", "learner")  # a LightningModule or trainer around the whole network
_BESIDE = re.compile(r"optim|sched|callback|loops|scaler|loss|hyper_param|rng|hparam", re.IGNORECASE)


def weights(tree: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the network's tensors by name: out of their container, without the wrappers' prefixes.

    Args:
        tree: contents of a file.

    Returns:
        Tensors by dotted name; several state dicts in one file keep their names in front.
    """
    inside = container(tree)
    found: dict[str, Tensor] = {}
    _flatten(tree if inside is None else tree[inside], "", found)
    return strip(found)


def container(tree: Mapping[str, Any]) -> str | None:
    """Return the entry that the state dict is wrapped in, or None."""
    for name in CONTAINERS:
        if isinstance(tree.get(name), Mapping) and tree[name]:
            return name
    return None


def _flatten(value: Any, name: str, found: dict[str, Tensor]) -> None:
    if isinstance(value, Mapping):
        for key, entry in value.items():
            if not (name == "" and isinstance(entry, Mapping | list) and _BESIDE.search(str(key))):
                _flatten(entry, f"{name}.{key}" if name else str(key), found)
    elif isinstance(value, Tensor):
        found[name] = value.detach()
    elif isinstance(value, np.ndarray) and value.dtype.kind in "fiu":
        found[name] = torch.from_numpy(np.ascontiguousarray(value).copy())


def strip(found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors without `module.` and `_orig_mod.` anywhere and `model.` and `learner.` in front.

    Where two names would become one, the longer one stays as it is.
    """
    short = {name: stripped(name) for name in found}
    count: dict[str, int] = {}
    for new in short.values():
        count[new] = count.get(new, 0) + 1
    return {new if count[new] == 1 else name: found[name] for name, new in short.items()}


def stripped(name: str) -> str:
    """Return one name without the wrappers' prefixes."""
    parts = [part for part in name.split(".") if part not in INNER]
    while len(parts) > 1 and parts[0] in LEADING:
        parts = parts[1:]
    return ".".join(parts) or name


def below(found: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors under a prefix, which is taken off; a tensor of just this name is called "weight"."""
    if prefix in found:
        return {"weight": found[prefix]}
    start = prefix.rstrip(".") + "."
    return {name.removeprefix(start): tensor for name, tensor in found.items() if name.startswith(start)}
