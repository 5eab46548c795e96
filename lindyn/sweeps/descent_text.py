"""What a sweep of descents says, in one paragraph of plain words."""

from typing import Any

import numpy as np

from lindyn.sweeps.descent_reading import COMPLETE, HEALTHY, NOT_FINITE, OUTCOMES, PARTIAL
from lindyn.sweeps.sweep_text import NAMES, parts, percent, value

DESCENT_NAMES = NAMES | {
    "learning_rate": "learning rate", "gamma_a": "EMA parameter gamma_a", "momentum": "momentum", "depth": "depth L",
    "batch": "batch", "x": "spectrum of X", "x_power": "power x_power of the spectrum of X", "scale": "start scale",
    "scale_p": "start scale_p", "seed": "seed",
}  # fmt: skip
WORDS = {"complete": "complete collapse", "partial": "partial collapse", "healthy": "healthy",
         "not_finite": "blew up"}  # fmt: skip
ANGLE = 0.1
"""How far from the angle of theory a measured one may be to count as settled, as a share."""


def tally_descents(ds: Any) -> dict[str, Any]:
    """Count a sweep of descents.

    Args:
        ds: its Dataset.

    Returns:
        counts (per outcome), rank (smallest, median and largest effective rank of what is finite), means (per axis: the
        mean rank at each value), settled (models whose angle is that of theory within `ANGLE`), turning (all that
        turn).
    """
    counts, ranks, settled, turning = np.zeros(len(OUTCOMES), int), [], 0, 0
    sums: dict[str, list[np.ndarray]] = {axis: [] for axis in ds["outcome"].dims}
    for piece in parts(ds):
        code, rank = piece["outcome"].values, piece["effective_rank"].values
        there = (code >= 0) & (code < len(OUTCOMES))
        counts += np.bincount(code[there].ravel(), minlength=len(OUTCOMES))
        ranks.append(rank[np.isfinite(rank)])
        angle, theory = piece["angle"].values, piece["angle_rest"].values
        moving = np.isfinite(angle) & (theory > 0)
        turning += int(moving.sum())
        settled += int((np.abs(angle - theory)[moving] <= ANGLE * theory[moving]).sum())
        for k, axis in enumerate(piece["outcome"].dims):
            others = tuple(j for j in range(code.ndim) if j != k)
            sums[axis].append(np.stack([np.nansum(rank, axis=others), np.isfinite(rank).sum(axis=others)]))
    found = np.concatenate(ranks) if ranks else np.zeros(0)
    means = {}
    for k, (axis, each) in enumerate(sums.items()):
        total, n = np.concatenate(each, axis=1) if k == 0 else np.sum(each, axis=0)
        means[axis] = np.where(n > 0, total / np.maximum(n, 1), np.nan)
    ends = [float(end(found)) for end in (np.min, np.median, np.max)] if found.size else [float("nan")] * 3
    return {"total": int(counts.sum()), "counts": counts, "rank": ends, "means": means,
            "settled": settled, "turning": turning}  # fmt: skip


def describe_descents(ds: Any, told: dict[str, Any]) -> str:
    """Return the paragraph for what `tally_descents` counted."""
    counts, total, (low, middle, high) = told["counts"], told["total"], told["rank"]
    shares = [f"{percent(counts[code], total)} {words}" for code, words in (
        (COMPLETE, "collapsed to one direction or nothing"), (PARTIAL, "collapsed in part"),
        (HEALTHY, "are healthy"), (NOT_FINITE, "blew up")) if counts[code]]  # fmt: skip
    text = [f"Of {total:,} model{'s' if total != 1 else ''} after {ds.attrs['steps']:,} steps, {', '.join(shares)}."]
    if total < ds["outcome"].size:
        text.append(f"Not computed yet: {ds['outcome'].size - total:,} of {ds['outcome'].size:,} models.")
    if np.isfinite(middle):
        text.append(f"The final effective rank of the {ds.attrs['n2']} outputs has the median {middle:.3g}, "
                    f"from {low:.3g} to {high:.3g}.")  # fmt: skip
    text += [_trend(ds, axis, means) for axis, means in told["means"].items() if axis != "seed" and len(means) > 1]
    if told["turning"]:
        share = percent(told["settled"], told["turning"])
        text.append(f"{share} of the models turn per step as scale-free weights do whose norm has settled, by "
                    f"sqrt(2 lr eta / (1 + momentum)) within {100 * ANGLE:.0f} %.")  # fmt: skip
    return " ".join(part for part in text if part)


def _trend(ds: Any, axis: str, means: np.ndarray) -> str:
    """Return how the mean effective rank moves along one axis."""
    known = np.isfinite(means)
    if known.sum() < 2:
        return ""
    at, means, name = ds[axis].values[known], means[known], DESCENT_NAMES.get(axis, axis)
    low, high = value(at[0]), value(at[-1])
    if np.ptp(means) < 0.01 * means.max():
        return f"Along the {name} it stays at {means.mean():.3g} on average."
    steps, slack = np.diff(means), 0.03 * means.max()
    if np.all(steps >= -slack) or np.all(steps <= slack):
        way = "grows" if means[-1] > means[0] else "falls"
        return f"Along the {name} its mean {way} from {means[0]:.3g} at {low} to {means[-1]:.3g} at {high}."
    ends = (0, len(means) - 1)
    told = [
        f"{word} ({means[k]:.3g}) at {value(at[k])}"
        for word, k in (("highest", int(np.argmax(means))), ("lowest", int(np.argmin(means))))
        if k not in ends
    ]
    return f"Along the {name} its mean is {means[0]:.3g} at {low} and {means[-1]:.3g} at {high}, {' and '.join(told)}."
