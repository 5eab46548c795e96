"""What a checkpoint file holds, ready for the readers of the layouts; what a layout is.

Here the names of tensors lose what wrappers put around them (containers, `module.`, `_orig_mod.`, `model.`,
`learner.`), and an optimiser's state tells the settings that it keeps.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from lindyn.bridge.checkpoints import checkpoint_files
from lindyn.bridge.records import Pieces
from lindyn.display.brief import Brief

OWN = "lindyn"
CONTAINERS = ("state_dict", "model", "model_state_dict", "experiment_state")
INNER = ("module", "_orig_mod")  # DistributedDataParallel and torch.compile wrap any part of a network
LEADING = ("model", "learner")  # a LightningModule or trainer around the whole network
_BESIDE = re.compile(r"optim|sched|callback|loops|scaler|loss|hyper_param|rng|hparam", re.IGNORECASE)
NO_NETWORK = ("classifier", "probe", "linear")  # parameter groups of what is trained beside the network


@dataclass(frozen=True, eq=False, repr=False)
class Content(Brief):
    """A file's contents.

    Args:
        path: of the file.
        tree: everything in it.
        weights: its tensors by name, out of their container and without wrappers' prefixes.
    """

    path: Path
    tree: Mapping[str, Any]
    weights: Mapping[str, Tensor]

    @classmethod
    def of(cls, path: str | Path, unsafe: bool = False) -> Self:
        """Read a file; see `lindyn.bridge.checkpoints.checkpoint_files.read`."""
        tree = checkpoint_files.read(path, unsafe)
        return cls(Path(path), tree, weights_of(tree))

    def under(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors under a prefix, which is taken off; a tensor of just this name is called "weight"."""
        if prefix in self.weights:
            return {"weight": self.weights[prefix]}
        start = prefix.rstrip(".") + "."
        return {name.removeprefix(start): value for name, value in self.weights.items() if name.startswith(start)}

    def has(self, pattern: str) -> bool:
        """Return whether a tensor's name starts with this pattern."""
        return any(re.match(pattern, name) for name in self.weights)

    def number(self, *names: str) -> int | None:
        """Return the first of these top entries that is a whole number, or what the file's name says, or None."""
        for name in names:
            value = self.tree.get(name)
            if isinstance(value, Tensor) and value.numel() == 1:
                value = value.item()
            if isinstance(value, int | float) and not isinstance(value, bool):
                return int(value)
        found = [re.search(rf"\b{name}[=_-](\d+)", self.path.name) for name in names]
        return next((int(match[1]) for match in found if match), None)

    def groups(self, *names: str) -> list[dict[str, Any]]:
        """Return the parameter groups of the optimiser states under one of these names."""
        for name in names:
            value = self.tree.get(name)
            value = value[0] if isinstance(value, list) and value else value
            if isinstance(value, Mapping) and isinstance(value.get("param_groups"), list):
                return [dict(group) for group in value["param_groups"] if isinstance(group, Mapping)]
        return []

    def beside(self, name: str) -> tuple[Any, str]:
        """Return what a JSON file in the same folder holds ({} without it) and a note where it cannot be read."""
        path = self.path.parent / name
        if not path.is_file():
            return {}, ""
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, OSError):
            return {}, f"{name} beside the checkpoint is no JSON file, so nothing was read from it."
        return (value, "") if isinstance(value, dict) else ({}, f"{name} beside the checkpoint holds no settings.")


@dataclass(frozen=True, repr=False)
class Layout(Brief):
    """A way of writing checkpoints; a module that holds one as LAYOUT.

    Args:
        name: short, one word.
        title: in words.
        matches: whether a file has it, by its keys; no file should match two.
        read: the pieces of such a file; where a tensor is missing, not finite or of the wrong shape, a ValueError says
            so in one sentence that names it.
        last: whether it is a last resort, for a file that no other layout matches.
        aside: whether a file's name says that it goes beside checkpoints and holds no network; such files are left
            out where the checkpoints of a folder are listed.
        package: that it comes from; set where it is found.

    Raises:
        ValueError: a name that is empty or has spaces; functions that cannot be called.
    """

    name: str
    title: str
    matches: Callable[[Content], bool]
    read: Callable[[Content], Pieces]
    last: bool = False
    aside: Callable[[Path], bool] = lambda path: False
    package: str = OWN

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(r"\S+", self.name):
            raise ValueError(f"name of a layout must be one word; got {self.name!r}.")
        for name in ("matches", "read", "aside"):
            if not callable(getattr(self, name)):
                raise ValueError(f"{name} of layout {self.name} must be a function; got {getattr(self, name)!r}.")


def weights_of(tree: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the network's tensors by name: out of their container, without the wrappers' prefixes.

    Args:
        tree: contents of a file.

    Returns:
        Tensors by dotted name; several state dicts in one file keep their names in front.
    """
    inside = container(tree)
    found: dict[str, Tensor] = {}
    _flatten(tree if inside is None else tree[inside], "", found)
    return unwrapped(found)


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
    """Return the tensors without `module.` and `_orig_mod.` anywhere and `model.` and `learner.` in front.

    Where two names would become one, the longer one stays as it is.
    """
    short = {name: stripped(name) for name in found}
    count = Counter(short.values())
    return {new if count[new] == 1 else name: found[name] for name, new in short.items()}


def stripped(name: str) -> str:
    """Return one name without the wrappers' prefixes."""
    parts = [part for part in name.split(".") if part not in INNER]
    while len(parts) > 1 and parts[0] in LEADING:
        parts = parts[1:]
    return ".".join(parts) or name


def group_settings(groups: Sequence[dict[str, Any]], has_predictor: bool = True) -> dict[str, Any]:
    """Return the keys of `lindyn train` that parameter groups tell.

    The learning rate is the one the schedule starts from (`initial_lr`), or the current one where no schedule of torch
    has written that. The online network's group is the one with the largest decay among those that are neither the
    predictor's nor a classifier's.

    Args:
        groups: the `param_groups` of a torch optimiser's state.
        has_predictor: whether the predictor is in the checkpoint, so that a single group is its group too.
    """
    mine = [group for group in groups if not any(word in str(group.get("name", "")) for word in NO_NETWORK)]
    predictor = next((group for group in mine if group.get("name") == "predictor" or group.get("fix_lr") is True), None)
    online = [group for group in mine if group is not predictor]
    if not online:
        return {}
    main = max(online, key=lambda group: _number(group, "weight_decay") or 0.0)
    rate, decay = peak(main), _number(main, "weight_decay")
    found = {
        "optim.name": _kind(main),
        "optim.lr": rate,
        "optim.momentum": _number(main, "momentum"),
        "optim.weight_decay": decay,
    }
    if predictor is not None and rate and peak(predictor) is not None:
        own = _number(predictor, "weight_decay")
        found |= {"optim.alpha_p": peak(predictor) / rate, "optim.predictor_weight_decay": own}  # type: ignore[operator]
    elif has_predictor and len({peak(group) for group in online}) == 1 and all("name" not in g for g in online):
        found |= {"optim.alpha_p": 1.0}
        found |= {"optim.predictor_weight_decay": decay} if len(online) == 1 else {}
    return found


def _kind(group: dict[str, Any]) -> str | None:
    """Return what optimiser a group belongs to, by what it keeps."""
    if "betas" in group:
        return "adam"
    if "trust_coefficient" in group or "trust_coeff" in group or ("eta" in group and "momentum" in group):
        return "lars"
    return "sgd" if "momentum" in group else None


def peak(group: dict[str, Any]) -> float | None:
    """Return the learning rate that a group's schedule starts from."""
    return _number(group, "initial_lr") if "initial_lr" in group else _number(group, "lr")


def _number(group: dict[str, Any], name: str) -> float | None:
    value = group.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
