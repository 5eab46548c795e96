"""What a checkpoint file holds, ready for the readers of the layouts; what a layout is."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from torch import Tensor

from lindyn.bridge.checkpoints import checkpoint_files, prefixes
from lindyn.bridge.records import Pieces


@dataclass(frozen=True, eq=False)
class Content:
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
        return cls(Path(path), tree, prefixes.weights(tree))

    def under(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors under a prefix, without it."""
        return prefixes.below(self.weights, prefix)

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


@dataclass(frozen=True)
class Layout:
    """A way of writing checkpoints.

    Args:
        name: short.
        title: in words.
        matches: whether a file has it, by its keys; no file matches two.
        read: the pieces of such a file.
    """

    name: str
    title: str
    matches: Callable[[Content], bool]
    read: Callable[[Content], Pieces]
