"""What a finished run says: one picture and one paragraph."""

from pathlib import Path
from typing import Any

import numpy as np

from lindyn import _files
from lindyn.bridge.training.config import TrainConfig

SUMMARY = "summary.txt"


def write_report(folder: Path, config: TrainConfig, trace: Path | None, metrics: list, result: dict[str, Any]) -> str:
    """Write training.png and summary.txt into the folder; return the summary."""
    from lindyn.bridge.watch.trace import read_trace
    from lindyn.plotting import style
    from lindyn.plotting.training_run import draw_training

    readings = None if trace is None else read_trace(trace)
    figure = draw_training(readings, metrics, result, title(config))
    style.write(figure, folder / "training.png", "png")
    text = summary(config, readings, metrics, result, folder)
    _files.write(folder / SUMMARY, text)
    return text


def title(config: TrainConfig) -> str:
    """Return the run in one line."""
    m, method, o = config.model, config.method, config.optim
    target = {"ema": f"EMA {method.ema:g}", "online": "no EMA", "frozen": "frozen target"}[method.target]
    alpha = "" if o.alpha_p == 1 else rf", $\alpha_p$ = {o.alpha_p:g}"
    return f"{config.data.name}, {m.backbone}, predictor {m.predictor}, {target}{alpha}, decay {o.weight_decay:g}"


def summary(config: TrainConfig, trace: Any, metrics: list, result: dict[str, Any], folder: Path) -> str:
    """Return the paragraph: what was trained, how good its features are, what the theory's eyes saw."""
    m, method = config.model, config.method
    sides = {"one-sided": "one-sided", "symmetrised": "symmetrised", "averaged": "symmetrised (mean)"}[method.sides]
    parts = [
        f"Trained {m.backbone} on {config.data.name} with {method.name} ({sides} {method.loss} loss, target "
        f"{method.target}, predictor {m.predictor}): {result['steps']} steps of {config.optim.batch} images in "
        f"{result['seconds']:.0f} s."
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
