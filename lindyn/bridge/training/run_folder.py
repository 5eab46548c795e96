"""Checkpoints that are whole or absent, and the folder of a run."""

import re
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins import TorchCheckpointIO

from lindyn import _files
from lindyn.bridge.training.config import TrainConfig
from lindyn.bridge.training.sections import TABLE

NAME = "step={step:08d}"
_STEP = re.compile(r"step=(\d+)")


class SafeFiles(TorchCheckpointIO):
    """Writes a checkpoint beside its place and moves it there when it is complete."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write the checkpoint.

        Raises:
            OSError: it could not be written (a full disk, no permission); earlier checkpoints are untouched.
        """
        file = Path(path)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with _files.draft(file, sync=True) as beside, beside.open("wb") as opened:
                torch.save(checkpoint, opened)
        except (OSError, RuntimeError) as error:  # torch turns a short write into a RuntimeError
            reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
            kept = latest(file.parent)
            raise OSError(
                f"Cannot write the checkpoint {file}: {reason}. Make room, then add --resume; "
                + (f"the last whole checkpoint is {kept}." if kept else "there is no earlier checkpoint.")
            ) from error


def step_of(path: Path) -> int:
    """Return the optimiser step of a checkpoint, from its name."""
    found = _STEP.search(path.name)
    return int(found.group(1)) if found else -1


def every(folder: Path) -> list[Path]:
    """Return the checkpoints of a folder in the order of training."""
    found = [path for path in folder.glob("*.ckpt") if not path.name.startswith(".")] if folder.is_dir() else []
    return sorted(found, key=lambda path: (step_of(path), path.name))


def latest(folder: Path) -> Path | None:
    """Return the furthest checkpoint, or None."""
    found = every(folder)
    return found[-1] if found else None


def read(path: str | Path) -> dict[str, Any]:
    """Return a checkpoint's contents; nothing in it is executed.

    Raises:
        ValueError: the file is missing or damaged.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise ValueError(f"There is no checkpoint {path}.") from error
    except Exception as error:
        raise ValueError(f"The checkpoint {path} cannot be read: {str(error).splitlines()[0]}") from error


def config_of(path: str | Path) -> TrainConfig:
    """Return the configuration inside a checkpoint.

    Raises:
        ValueError: the file is damaged, or no checkpoint of `lindyn train`.
    """
    import tomllib

    inside = read(path).get("lindyn")
    if inside is None:
        raise ValueError(f"{path} is no checkpoint of lindyn train: it holds no configuration.")
    return TrainConfig.of(TABLE.flat(tomllib.loads(inside["config"])))


def check_same(path: Path, config: TrainConfig) -> None:
    """Raise ValueError, with the differences, unless a checkpoint belongs to this configuration."""
    found = config_of(path).differences(config)
    if found:
        shown = "; ".join(f"{name}: {there!r} in the checkpoint, {here!r} now" for name, (there, here) in found.items())
        raise ValueError(
            f"{path} was written by another configuration ({shown}). Go on with the old values, or choose another "
            "run.folder."
        )
