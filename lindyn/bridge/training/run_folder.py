"""The folder of a run: its checkpoints, whole or absent, its history, its picture and its summary."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from lindyn import _files
from lindyn.bridge.sections import TABLE
from lindyn.bridge.training.config import TrainConfig
from lindyn.bridge.training.image_batches import open_source
from lindyn.bridge.training.networks import PredictorKind
from lindyn.display.brief import Brief
from lindyn.stored import limits, lines, sums, torch_archives

if TYPE_CHECKING:  # Lightning takes seconds to load, and a foreign checkpoint needs none of it
    from lindyn.bridge.training.module import SelfSupervised

CHECKPOINTS, METRICS, TRACE, RESULT = "checkpoints", "metrics.jsonl", "trace.jsonl", "result.json"
SUMMARY = "summary.txt"
NAME = "step={step:08d}"
_STEP = re.compile(r"step=(\d+)")


def go_on(folder: Path) -> str:
    """Return how to go on with a run that could not write, and from where."""
    kept = latest(folder)
    whence = f"the last whole checkpoint is {kept}." if kept else "there is no earlier checkpoint."
    return f"Make room, then add --resume; {whence}"


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
        torch_archives.check_zip(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise ValueError(f"There is no checkpoint {path}.") from error
    except Exception as error:
        why = str(error).partition("\n")[0] or type(error).__name__
        raise ValueError(f"The checkpoint {path} cannot be read: {why}.") from error


def damage(path: Path) -> str:
    """Return what is wrong with a checkpoint, "" for a sound one: its checksum is looked at, and what is in it."""
    try:
        if not path.stat().st_size:
            return "it is empty"
    except OSError:  # another process of the run has set it aside
        return "it is gone"
    if sums.is_sound(path) is False:
        return f"it is not what was written, by its checksum in {sums.SUMS}"
    try:
        return "" if "state_dict" in read(path) else "it holds no weights"
    except ValueError as error:
        return str(error).partition(" cannot be read: ")[2].rstrip(".") or str(error)


def newest_sound(folder: Path) -> tuple[Path | None, list[str]]:
    """Return the furthest checkpoint that is whole, and what is wrong with those after it, a sentence each.

    Raises:
        ValueError: there are checkpoints, and none is whole.
    """
    said: list[str] = []
    for path in reversed(every(folder)):
        wrong = damage(path)
        if not wrong:
            return path, said
        said.append(f"{path.name} is damaged ({wrong}).")
    if said:
        raise ValueError(f"{folder} holds no whole checkpoint to go on from: {' '.join(said)} Add --overwrite.")
    return None, said


def config_of(path: str | Path) -> TrainConfig:
    """Return the configuration inside a checkpoint.

    Raises:
        ValueError: the file is damaged, or no checkpoint of `lindyn train`.
    """
    inside = read(path).get("lindyn")
    if inside is None:
        raise ValueError(f"{path} is no checkpoint of lindyn train: it holds no configuration.")
    return TrainConfig.of(TABLE.flat(limits.read_toml(inside["config"])))


def check_same(path: Path, config: TrainConfig) -> None:
    """Raise ValueError, with the differences, unless a checkpoint belongs to this configuration."""
    found = config_of(path).differences(config)
    if found:
        shown = "; ".join(f"{name}: {there!r} in the checkpoint, {here!r} now" for name, (there, here) in found.items())
        raise ValueError(
            f"{path} was written by another configuration ({shown}). Go on with the old values, or choose another "
            "run.folder."
        )


def read_history(path: Path) -> list[dict[str, Any]]:
    """Return the lines of metrics.jsonl; lines that were cut off or damaged are left out."""
    if not path.is_file():
        return []
    limits.check_size(path, limits.TRACE)
    return [row for _, _, row in lines.read(path) if isinstance(row, dict)]


def _check_sum(path: Path) -> None:
    """Raise ValueError where a file is not what the run wrote."""
    if sums.is_sound(path) is False:
        raise ValueError(
            f"{path} is not as lindyn train wrote it: its checksum in {sums.SUMS} differs. Copy it again; if you "
            f"changed it yourself, take its line out of {sums.SUMS}."
        )


@dataclass(frozen=True, repr=False)
class Run(Brief):
    """A finished (or stopped) training run on disk.

    Args:
        folder: where everything is.
        config: its configuration.
        first: whether this is the first of its processes, which writes.
    """

    folder: Path
    config: TrainConfig
    first: bool = True

    @classmethod
    def load(cls, folder: str | Path) -> "Run":
        """Return the run of a folder.

        Raises:
            ValueError: the folder holds no run.
        """
        folder = Path(folder)
        if not (folder / "run.toml").is_file():
            raise ValueError(f"{folder} holds no training run: there is no run.toml in it.")
        _check_sum(folder / "run.toml")
        return cls(folder, TrainConfig.read(folder / "run.toml"))

    @property
    def checkpoints(self) -> list[Path]:
        """The checkpoints in the order of training; the first is the untrained network."""
        return every(self.folder / CHECKPOINTS)

    @property
    def trace(self) -> Path | None:
        """The diagnostics' trace, for `lindyn.bridge.read_trace`; None if there is none."""
        path = self.folder / TRACE
        return path if path.is_file() else None

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """One record per epoch: loss, probe, knn, lr, ema."""
        return read_history(self.folder / METRICS)

    @cached_property
    def result(self) -> dict[str, Any]:
        """What the run ended with: accuracies, those of the untrained network, chance, seconds; {} before its end."""
        path = self.folder / RESULT
        if not path.is_file():
            return {}
        _check_sum(path)
        return limits.read_json(path)

    def module(self, checkpoint: int | Path = -1) -> "SelfSupervised":
        """Return the network as a checkpoint has it (an index into `checkpoints`, or a path), in eval mode."""
        from lindyn.bridge.training.module import build

        path = self.checkpoints[checkpoint] if isinstance(checkpoint, int) else checkpoint
        module = build(self.config, open_source(self.config))
        if self.config.run.precision == "64-true":
            module = module.double()
        module.load_state_dict(read(path)["state_dict"])
        return module.eval()


def write_results(folder: Path, config: TrainConfig, trace: Path | None, metrics: list, result: dict[str, Any]) -> None:
    """Write result.json, training.png and summary.txt into the folder, together or not at all."""
    from lindyn.bridge.watch.trace import read_trace
    from lindyn.plotting import style
    from lindyn.plotting.training_run import draw_training

    readings = None if trace is None else read_trace(trace)
    figure = draw_training(readings, metrics, result, title(config))
    with _files.together(folder, what="the results") as fresh:
        style.write(figure, fresh / "training.png", "png")
        _files.write(fresh / SUMMARY, summary(config, readings, metrics, result, folder))
        _files.write_json(fresh / RESULT, result)
        _files.sum_together(fresh, folder, [RESULT])


def title(config: TrainConfig) -> str:
    """Return the run in one line."""
    m, method, o = config.model, config.method, config.optim
    target = {"ema": f"EMA {method.ema:g}", "online": "no EMA", "frozen": "frozen target"}[method.target]
    learned = PredictorKind.of(m.predictor).moves in ("trained", "symmetrised")
    parts = [config.data.name, m.backbone, f"predictor {m.predictor}", target]
    parts += [] if method.stop_gradient else ["no stop-gradient"]
    parts += [rf"$\alpha_p$ = {o.alpha_p:g}"] if learned and o.alpha_p != 1 else []
    parts.append(f"decay {o.weight_decay:g}")
    parts += [f"of the predictor {o.predictor_weight_decay:g}"] if learned and o.predictor_weight_decay >= 0 else []
    return ", ".join(parts)


def summary(config: TrainConfig, trace: Any, metrics: list, result: dict[str, Any], folder: Path) -> str:
    """Return the paragraph: what was trained, how good its features are, what the theory's eyes saw."""
    m, method = config.model, config.method
    sides = {"one-sided": "one-sided", "symmetrised": "symmetrised", "averaged": "symmetrised (mean)"}[method.sides]
    parts = [
        f"Trained {m.backbone} on {config.data.name} with {method.name} ({sides} {method.loss} loss, target "
        f"{method.target}, predictor {m.predictor}): {result['steps']} steps of {config.optim.batch} images in "
        f"{result['seconds']:.0f} s" + _on(result) + "."
    ]
    if "linear" in result:
        before = result["untrained"]
        parts.append(
            f"Linear evaluation on held-out images {_percent(result['linear'])}, k-NN {_percent(result['knn'])}; the "
            f"same network untrained {_percent(before['linear'])} and {_percent(before['knn'])}, chance "
            f"{_percent(result['chance'])}."
        )
    if metrics:
        probe = f", probe trained beside {_percent(metrics[-1]['probe'])}" if "probe" in metrics[-1] else ""
        parts.append(f"Last epoch: loss {metrics[-1]['loss']:.4f}{probe}.")
    if trace is not None and trace.sizes["step"]:
        parts.append(_seen(trace))
    parts.append(
        f"Wrote {folder}: training.png, summary.txt, result.json, checkpoints/, trace.jsonl, metrics.jsonl, run.toml."
    )
    return "\n".join(parts) + "\n"


def _on(result: dict[str, Any]) -> str:
    """Return on how many threads a run was, and why; "" of a run that did not keep it."""
    if "threads" not in result:
        return ""
    return f" on {result['threads']} CPU thread{'s' * (result['threads'] != 1)} ({result['threads_from']})"


def _seen(trace: Any) -> str:
    """Return the last diagnostics in words."""
    last = trace.isel(step=-1)
    leading = np.asarray(last["alignment"].values)[:8]
    top = float(np.nanmean(leading)) if np.any(np.isfinite(leading)) else float("nan")
    return (
        f"At the end F has effective rank {float(last['effective_rank']):.1f} of {int(last['d'])}, the 8 leading modes "
        f"align with W_p to a cosine of {top:.2f}, W_p has asymmetry {float(last['asymmetry']):.2f}; "
        f"alarm: {last['alarm'].values!s}."
    )


def _percent(share: float) -> str:
    return "not a number" if share != share else f"{100 * share:.1f} %"
