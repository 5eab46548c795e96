"""What came of predictions that were made before each training: hits, ranks, baselines, and every row that was missed.

Read from a study whose runs carry `prediction` (`lindyn.bridge.studies.run_prediction`); nothing is typed by hand.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from lindyn.papers import study_files

MAIN = "surrogate"
"""What `lindyn predict` answers with, and is held against the others."""
THEORIES = {
    MAIN: "Gaussian surrogate of the last layers",
    "normalised": "deep linear theory",
    "with batch noise": "deep linear, minibatches drawn",
    "squared": "squared theory, one layer",
}
BASELINE = '"EMA lives, none collapses"'
GROUPS = {"all runs": ("EMA", "no EMA"), "EMA": ("EMA",), "no EMA": ("no EMA",)}
FEW = 3
"""Runs below which no rank correlation is told."""
Row = Mapping[str, Any]


def predicted(study: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what came of every predicted run of a study, with the row and the seed."""
    return [
        {"row": row["name"], "seed": run["seed"], **run["prediction"]}
        for row in study_files.rows(study)
        for run in row["runs"]
        if MAIN in run.get("prediction", {})
    ]


def has_ema(run: Row) -> bool:
    """Return whether a run's target is an average."""
    return ", no EMA" not in str(run["kind"])


def hits(runs: Sequence[Row], theory: str) -> int:
    """Return how many runs collapsed or lived as a theory said, or as `BASELINE` says."""
    return sum(_right(run, theory) for run in runs)


def _right(run: Row, theory: str) -> bool:
    """Return whether a run collapsed or lived as a theory said."""
    said = not has_ema(run) if theory == BASELINE else run[theory]["collapsed"]
    return bool(said == run["measured"])


def rank_correlation(runs: Sequence[Row], theory: str) -> float:
    """Return Spearman's rank correlation of predicted and measured effective rank at the end; NaN for few runs."""
    from scipy.stats import spearmanr

    told = [float(has_ema(run)) if theory == BASELINE else float(run[theory]["rank"]) for run in runs]
    if len(runs) < FEW or len(set(told)) < 2:
        return math.nan
    return float(spearmanr(told, [run["measured_rank"] for run in runs]).statistic)


def mean_error(runs: Sequence[Row], theory: str, name: str = "shape_error") -> float:
    """Return a theory's mean error of the spectrum's shape.

    Args:
        runs: of `predicted`.
        theory: one of `THEORIES`.
        name: "shape_error" (whole run) or "early_error" (the first 64 steps).
    """
    values = [run[theory][name] for run in runs if run[theory][name] is not None]
    return statistics.fmean(values) if values else math.nan


def missed(runs: Sequence[Row]) -> list[Row]:
    """Return the runs that were called wrong."""
    return [run for run in runs if run["predicted"] != run["measured"]]


def seen(study: Mapping[str, Any]) -> list[study_files.Seen]:
    """Return whether the theory did better than what it is held against: in its calls, and in the spectrum's shape.

    Each by the differences run by run: seen above 0 by two standard errors, not seen below by as much.

    Args:
        study: whose runs were predicted; none of another.
    """
    runs = predicted(study)
    if not runs:
        return []
    ours, theirs = ([_right(run, name) for run in runs] for name in (MAIN, BASELINE))
    calls = [int(mine) - int(other) for mine, other in zip(ours, theirs, strict=True)]
    errors = [(run[MAIN]["shape_error"], run["squared"]["shape_error"]) for run in runs]
    nearer = [other - mine for mine, other in errors if mine is not None and other is not None]
    shape = " against ".join(_told(mean_error(runs, name)) for name in (MAIN, "squared"))
    return [
        study_files.Seen(f"collapsed or living is called right more often than by {BASELINE}", _above(calls),
                         f"{sum(ours)} against {sum(theirs)} of {len(runs)}"),
        study_files.Seen("the spectrum's shape is nearer to the run's than that of the squared theory", _above(nearer),
                         shape),
    ]  # fmt: skip


def _above(values: Sequence[float]) -> str:
    """Return whether numbers are above 0 on average, by two standard errors."""
    if len(values) < 2:
        return "not run"
    mean, error = statistics.fmean(values), statistics.stdev(values) / math.sqrt(len(values))
    return "seen" if mean > 2 * error else "not seen" if mean < -2 * error else "undecided"


def markdown(study: Mapping[str, Any]) -> str:
    """Return the record of a study in Markdown; "" where nothing was predicted."""
    runs = predicted(study)
    if not runs:
        return ""
    lines = [
        f"{len(runs)} runs, each predicted before its first step (the digest of what was said stands with the run). "
        "Collapsed: effective rank of F below 2 at the end.",
        "",
        "| | collapsed or living called right | error of the spectrum's shape | of the first 64 steps |",
        "|---|---|---|---|",
    ]
    for theory, words in THEORIES.items():
        errors = " | ".join(_told(mean_error(runs, theory, name)) for name in ("shape_error", "early_error"))
        lines.append(f"| {words} | {hits(runs, theory)} of {len(runs)} | {errors} |")
    lines += [f"| baseline {BASELINE} | {hits(runs, BASELINE)} of {len(runs)} | - | - |", ""]
    lines += ["| rank correlation of the final effective rank | " + " | ".join(GROUPS) + " |", "|---|---|---|---|"]
    for theory in (*THEORIES, BASELINE):
        cells = [_told(rank_correlation(part, theory)) for part in _groups(runs)]
        lines.append(f"| {THEORIES.get(theory, f'baseline {theory}')} | {' | '.join(cells)} |")
    found = [f"- {one.verdict}: {one.text}. {one.numbers}" for one in seen(study)]
    return "\n".join([*lines, "", *_every_run(runs), "", *found])


def _groups(runs: Sequence[Row]) -> list[list[Row]]:
    return [[run for run in runs if ("EMA" if has_ema(run) else "no EMA") in names] for names in GROUPS.values()]


def _every_run(runs: Sequence[Row]) -> list[str]:
    """Return a line per run, what was missed marked, and the misses in a sentence."""
    heads = ("run", "measured rank", "surrogate", "linear", "minibatches", "squared", "shape error", "linear's",
             "squared's", "")  # fmt: skip
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for run in runs:
        ranks = " | ".join(f"{run[theory]['rank']:.2f}" for theory in THEORIES)
        errors = " | ".join(_told(run[theory]["shape_error"]) for theory in (MAIN, "normalised", "squared"))
        mark = "MISSED" if run["predicted"] != run["measured"] else ""
        lines.append(f"| {run['row']} | {run['measured_rank']:.2f} | {ranks} | {errors} | {mark} |")
    names = "; ".join(str(run["row"]) for run in missed(runs)) or "none"
    return [*lines, "", f"Missed: {names}."]


def _told(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.2f}"
