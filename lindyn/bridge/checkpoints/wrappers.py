"""What wrappers put around a network's tensors: containers, prefixes, a second set of averaged weights.

Names lose `module.` (DistributedDataParallel), `_orig_mod.` (torch.compile), `_fsdp_wrapped_module.` and its like
anywhere, `model.` and `learner.` in front; weights written as products are multiplied out (`single_layers`).
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lindyn.bridge.checkpoints.single_layers import MOMENTS, multiplied_out
from lindyn.bridge.records import Assumption

CONTAINERS = ("state_dict", "model", "model_state_dict", "experiment_state")
AVERAGED = ("model_ema", "state_dict_ema", "ema_state_dict", "ema_model", "model_state_dict_ema", "ema", "swa_model",
            "averaged_model", "model_averaged", "average_model", "swa_state_dict")  # fmt: skip
CURRENT_OF_LIGHTNING = "current_model_state"  # beside `state_dict`, which then holds the average
ONLINE_OF_EMA = "online_model"  # of ema-pytorch, beside `ema_model`
COUNT = "n_averaged"  # of torch.optim.swa_utils.AveragedModel
INNER = ("module", "_orig_mod", "_fsdp_wrapped_module", "_forward_module", "_checkpoint_wrapped_module", "_fpw_module",
         "_dp_wrapped_module", "_module", "_orig_module")  # fmt: skip
"""What wraps any part of a network: parallel and compiled modules, FSDP, Lightning's Fabric, recomputation, Opacus."""
LEADING = ("model", "learner")  # a LightningModule or trainer around the whole network
_BESIDE = re.compile(r"optim|sched|callback|loops|scaler|loss|hyper_param|rng|hparam", re.IGNORECASE)
_NOT_FIRST = re.compile(r"online|student|target|teacher|momentum|ema|average|swa|shadow|\d", re.IGNORECASE)


def chosen(tree: Mapping[str, Any], which: str = "current") -> tuple[dict[str, Tensor], tuple[Assumption, ...]]:
    """Return the network's tensors by name, and what was taken for granted where a file holds two sets of them.

    Args:
        tree: contents of a file.
        which: "current", the weights that were trained, or "average", their average over training.

    Raises:
        ValueError: the average is asked for, and there is none.
    """
    current, average = _two_sets(tree)
    if current is None or average is None:
        found = weights_of(tree) if average is None else unwrapped(average)
        counted = average is not None or any(name.rpartition(".")[2] == COUNT for name in found)
        if which == "average" and not counted:
            raise ValueError("model.weights=average asks for averaged weights, but the file holds one set of weights.")
        what = "they are an average over training; the weights that were trained are not in the file"
        found = {name: value for name, value in found.items() if name.rpartition(".")[2] != COUNT}
        return found, (Assumption("weights", what),) * counted
    words = {"current": "the weights that were trained were read, not their average over training",
             "average": "the average over training was read, not the weights that were trained"}  # fmt: skip
    other = {"current": "average", "average": "current"}[which]
    assumed = Assumption("weights", words[which], f"model.weights={other}", changed=f"the {other} weights")
    return unwrapped(current if which == "current" else average), (assumed,)


def _two_sets(tree: Mapping[str, Any]) -> tuple[dict[str, Tensor] | None, dict[str, Tensor] | None]:
    """Return (the weights that were trained, their average), None where a file holds no set that is known as such."""
    inside = container(tree)
    whole = _leaves(tree if inside is None else tree[inside])
    if isinstance(tree.get(CURRENT_OF_LIGHTNING), Mapping):
        return _leaves(tree[CURRENT_OF_LIGHTNING]), whole
    beside = next((name for name in AVERAGED if isinstance(tree.get(name), Mapping) and name != inside), None)
    if beside is not None:
        return _sorted(whole if inside is not None else {}, _leaves(tree[beside]))
    for first in (*AVERAGED, *(f"{lead}.{name}" for lead in LEADING for name in AVERAGED)):
        average = _under(whole, first)
        if average:
            rest = {name: value for name, value in whole.items() if not name.startswith(f"{first}.")}
            return _sorted(_under(rest, ONLINE_OF_EMA) or rest, average)
    return None, None


def _sorted(
    current: dict[str, Tensor], average: dict[str, Tensor]
) -> tuple[dict[str, Tensor] | None, dict[str, Tensor] | None]:
    """Return both where they are of one network, the average alone where there is no other; else neither.

    A network beside its target is not meant: a target has no predictor. An average of parameters alone takes the
    running statistics of the network that was trained.
    """
    if not any(value.ndim > 1 for value in current.values()):
        return None, {name: value for name, value in average.items() if name != COUNT}
    mine = {stripped(name): value for name, value in current.items()}
    its = {stripped(name): value for name, value in average.items() if name != COUNT}
    lacks = [name for name in set(mine) - set(its) if name.rpartition(".")[2] not in MOMENTS]
    return (None, None) if lacks else (current, mine | its)


def _under(found: Mapping[str, Tensor], first: str) -> dict[str, Tensor]:
    start = f"{first}."
    return {name.removeprefix(start): value for name, value in found.items() if name.startswith(start)}


def _leaves(value: Any) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    _flatten(value, "", found)
    return found


def weights_of(tree: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the network's tensors by name: out of their container, without the wrappers' prefixes.

    Args:
        tree: contents of a file.

    Returns:
        Tensors by dotted name; several state dicts in one file keep their names in front.
    """
    inside = container(tree)
    return unwrapped(_leaves(tree if inside is None else tree[inside]))


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


def unwrapped(found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors without wrappers' names, products multiplied out.

    Where two names would become one, the longer one stays as it is.
    """
    short = {name: stripped(name) for name in found}
    count = Counter(short.values())
    return multiplied_out({new if count[new] == 1 else name: found[name] for name, new in short.items()})


def stripped(name: str) -> str:
    """Return one name without the wrappers' prefixes."""
    parts = [part for part in name.split(".") if part not in INNER]
    while len(parts) > 1 and parts[0] in LEADING:
        parts = parts[1:]
    return ".".join(parts) or name


def first_names(found: Mapping[str, Tensor]) -> Iterator[str]:
    """Yield the names that a whole network may stand under, those with most tensors first; no target's, no number."""
    firsts = Counter(name.partition(".")[0] for name in found if "." in name)
    for first, _ in firsts.most_common():
        if not _NOT_FIRST.search(first):
            yield first
