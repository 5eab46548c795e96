"""What a finished run measured: accuracies, collapse measures, norms, and the curves over training."""

import math
from typing import Any

import numpy as np
import torch
from torch import nn

from lindyn import statistics
from lindyn.bridge.training.run_folder import Run, read, step_of
from lindyn.bridge.watch.trace import read_trace

PARTS = ("network", "predictor")
PER_MODE = ("s", "spectrum_W_p", "alignment")  # kept over training


def measures_of(run: Run) -> dict[str, Any]:
    """Return accuracies, collapse measures, norms and the curves over training of a finished run."""
    result = run.result
    found: dict[str, Any] = {
        name: _number(result.get(name)) for name in ("linear", "knn", "linear_top1", "linear_top5")
    }
    found = {name: value for name, value in found.items() if value is not None}
    found["linear"] = found.pop("linear_top1", found.get("linear"))
    found["untrained"] = {name: _number(value) for name, value in result.get("untrained", {}).items()}
    found |= {"chance": result.get("chance"), "steps": result["steps"], "seconds": round(result["seconds"], 1)}
    found["loss"] = [_number(row["loss"]) for row in run.metrics]
    if run.trace is not None:
        found |= _of_trace(read_trace(run.trace))
    curves = found.get("curves", {}) | _of_epochs(run)
    norms = _of_checkpoints(run)
    found["network_norm"], found["predictor_norm"] = (_number(norms[f"{part}_norm"][-1]) for part in PARTS)
    if "knn" in curves:
        found["knn_mean"] = _number(np.mean(curves["knn"]))
    return {**found, "curves": curves | {name: _digits(np.array(values)) for name, values in norms.items()}}


def _of_epochs(run: Run) -> dict[str, list]:
    """Return k-NN against the step where it was measured over training."""
    rows = [row for row in run.metrics if "knn" in row]
    if not rows:
        return {}
    return {"knn_step": [row["step"] for row in rows], "knn": _digits(np.array([row["knn"] for row in rows]))}


def _of_checkpoints(run: Run) -> dict[str, list[float]]:
    """Return the norms of all weights of network and predictor at every checkpoint, the first untrained.

    A checkpoint of an interruption is left out, so that a resumed run measures what a whole one does.
    """
    found: dict[str, list[float]] = {"norm_step": [], **{f"{part}_norm": [] for part in PARTS}}
    module = run.module(0)  # built once: the images it is built for take longer to open than the weights
    parts = nn.ModuleList([module.backbone, module.projection_head]), module.prediction_head
    planned = {0, *(row["step"] for row in run.metrics)}
    for path in (path for path in run.checkpoints if step_of(path) in planned):
        module.load_state_dict(read(path)["state_dict"])
        found["norm_step"].append(step_of(path))
        for name, part in zip(PARTS, parts, strict=True):
            found[f"{name}_norm"].append(_norm(part))
    return found


@torch.no_grad()
def _norm(part: nn.Module) -> float:
    return math.sqrt(sum(float(weight.double().square().sum()) for weight in part.parameters()))


def _of_trace(trace: Any) -> dict[str, Any]:
    """Return the last reading's numbers, what changed since the first, and the curves over training."""
    last, first = trace.isel(step=-1), trace.isel(step=0)
    found: dict[str, Any] = {
        name: _number(last[name]) for name in ("effective_rank", "spread", "concentration", "asymmetry")
    }
    found["alignment"] = _number(last["alignment_top"])
    found["alarm"] = str(last["alarm"].values)
    found["alignment_growth"] = _number(last["alignment_top"] - first["alignment_top"])
    found["symmetry_growth"] = _number(first["asymmetry"] - last["asymmetry"])
    curves = {"step": trace["step"].values.tolist()}
    for name in ("alignment_top", "asymmetry", "effective_rank", *PER_MODE):
        curves[name] = _digits(trace[name].values)
    squares = (trace[name].values for name in ("s", "p", "alignment"))
    curves["prediction_square"] = _digits(statistics.prediction_square(*squares))
    return {**found, "curves": curves}


def _number(value: Any) -> float | None:
    if value is None or not math.isfinite(float(value)):
        return None
    return float(f"{float(value):.6g}")


def _digits(values: np.ndarray) -> Any:
    if values.ndim > 1:
        return [_digits(row) for row in values]
    return [None if not math.isfinite(v) else float(f"{v:.4g}") for v in values]
