"""What a checkpoint file holds, ready for the readers of the layouts; what a layout is.

What wrappers put around names is gone by then (`wrappers`); an optimiser's state tells the settings that it keeps.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from torch import Tensor

from lindyn.bridge.checkpoints import checkpoint_files, wrappers
from lindyn.bridge.records import Assumption, Pieces
from lindyn.display.brief import Brief
from lindyn.stored import limits

OWN = "lindyn"
NO_NETWORK = ("classifier", "probe", "linear")  # parameter groups of what is trained beside the network


@dataclass(frozen=True, eq=False, repr=False)
class Content(Brief):
    """A file's contents.

    Args:
        path: of the file.
        tree: everything in it.
        weights: its tensors by name, out of their container and without wrappers' prefixes.
        said: keys of `lindyn validate` that say what tensors do not ("model.activation"), as the user gave them.
        assumptions: what was taken for granted while the tensors were found.
        notes: one sentence each on what was left out.
    """

    path: Path
    tree: Mapping[str, Any]
    weights: Mapping[str, Tensor]
    said: Mapping[str, Any] = field(default_factory=dict)
    assumptions: tuple[Assumption, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, path: str | Path, unsafe: bool = False, said: Mapping[str, Any] | None = None) -> Self:
        """Read a file; see `lindyn.bridge.checkpoints.checkpoint_files.read`."""
        tree = checkpoint_files.read(path, unsafe)
        found, assumed = wrappers.chosen(tree, str((said or {}).get("model.weights", "current")))
        return cls(Path(path), tree, found, dict(said or {}), assumed)

    def inside(self, depth: int = 1) -> Iterator["Content"]:
        """Yield the contents under each name that a network may have been put under ("byol.", "net.byol.")."""
        for name in wrappers.first_names(self.weights):
            inner = wrappers.unwrapped(self.under(name))
            left = sorted({key.partition(".")[0] for key in self.weights} - {name})
            note = f"Read was what lies under {name}.; left out: {', '.join(left[:6])}." if left else ""
            here = replace(self, weights=inner, notes=(*self.notes, *([note] if note else [])))
            if depth == 1:
                yield here
            else:
                yield from here.inside(depth - 1)

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
            value = limits.read_json(path)
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
        "optim.name": kind_of(main),
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


def kind_of(group: Mapping[str, Any]) -> str | None:
    """Return what optimiser a group belongs to, by what it keeps.

    Args:
        group: one of its parameter groups.
    """
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
