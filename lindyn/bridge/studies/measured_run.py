"""What a finished run measured, and what the linear theory says of it from the statistics it started with."""

import math
from typing import Any

import numpy as np

from lindyn.bridge.run import training_theory
from lindyn.bridge.training.run_folder import Run
from lindyn.bridge.watch.trace import read_trace

FIGURE_2 = ("s", "spectrum_W_p", "alignment")  # per mode, kept over training


def of_run(run: Run) -> dict[str, Any]:
    """Return accuracies, collapse measures and the curves of Fig. 2 of a finished run."""
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
        found |= of_trace(read_trace(run.trace))
    return found


def of_trace(trace: Any) -> dict[str, Any]:
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
    for name in ("alignment_top", "asymmetry", "effective_rank", *FIGURE_2):
        curves[name] = _digits(trace[name].values)
    return {**found, "curves": curves}


def theory_of(run: Run) -> dict[str, str | float]:
    """Return the linear theory's verdict from the untrained network (`training_theory.prediction`)."""
    from lindyn.bridge.training.image_batches import open_source

    module, source = run.module(0), open_source(run.config)
    try:
        return training_theory.prediction(run.config, module, source)
    except (ValueError, ArithmeticError) as error:
        return {"verdict": "none", "reason": str(error)}


def _number(value: Any) -> float | None:
    if value is None or not math.isfinite(float(value)):
        return None
    return float(f"{float(value):.6g}")


def _digits(values: np.ndarray) -> Any:
    if values.ndim > 1:
        return [_digits(row) for row in values]
    return [None if not math.isfinite(v) else float(f"{v:.4g}") for v in values]
