"""What a sweep says, in one paragraph of plain words."""

from typing import Any

import numpy as np

from lindyn.solve.lanes import EVENTS
from lindyn.sweeps.outcome import ALIVE, COLLAPSED, CRITICAL, FAILED, FROZEN, NOT_GROWING, OUTCOMES, UNDECIDED, fields

AT_ONCE = 1 << 24  # points of the result looked at together
NAMES = {
    "eta": "weight decay eta", "eta_p": "predictor decay eta_p", "eta_s": "online decay eta_s", "beta": "EMA rate beta",
    "alpha_p": "predictor learning-rate ratio alpha_p", "x": "data variance x", "x_aug": "augmentation variance x_aug",
    "p0": "start p(0)", "s0": "start s(0)", "tau0": "start tau(0)",
}  # fmt: skip


def parts(ds: Any) -> Any:
    """Return a Dataset piece by piece along its first axis, so that one larger than memory can be read."""
    if not ds["outcome"].dims:
        yield ds
        return
    first = ds["outcome"].dims[0]
    rows = max(1, AT_ONCE // max(1, ds["outcome"].size // ds.sizes[first]))
    for k in range(0, ds.sizes[first], rows):
        yield ds.isel({first: slice(k, k + rows)})


def tally(ds: Any) -> dict[str, Any]:
    """Count a sweep of modes.

    Args:
        ds: its Dataset.

    Returns:
        counts (per outcome), at_risk (living runs with K < 0 at some time), escaped (median time of escape of living
        runs), certain and certain_seen (runs that theory condemns, and those of them whose s fell under 1e-6 of its
        start),
        below and below_collapsed (the rest), share (per axis: share collapsed at each of its values, of the points that
        are there; NaN where none is). Points that were not computed yet count nowhere.
    """
    counts, at_risk, times = np.zeros(len(OUTCOMES), int), 0, []
    sums: dict[str, np.ndarray] = {axis: np.zeros((2, ds.sizes[axis])) for axis in ds["outcome"].dims}
    certain = gone = seen = 0
    start = 0
    for piece in parts(ds):
        code = piece["outcome"].values
        there = (code >= 0) & (code < len(OUTCOMES))
        counts += np.bincount(code[there].ravel(), minlength=len(OUTCOMES))
        living = np.isin(code, (ALIVE, NOT_GROWING))
        at_risk += int((living & (piece["K_min"].values < 0)).sum())
        times.append(piece["t_event"].values[living])
        condemned = _condemned(piece) & there
        certain += int(condemned.sum())
        gone += int((condemned & (code == COLLAPSED)).sum())
        seen += int((condemned & (piece["event"].values == EVENTS.index("collapse"))).sum())
        for k, axis in enumerate(piece["outcome"].dims):
            others = tuple(j for j in range(code.ndim) if j != k)
            both = np.stack([(code == COLLAPSED).sum(axis=others), there.sum(axis=others)])
            if k == 0:
                sums[axis][:, start : start + both.shape[1]] += both
                start += both.shape[1]
            else:
                sums[axis] += both
    total = int(counts.sum())
    escaped = np.concatenate([np.ravel(part) for part in times])
    escaped = escaped[np.isfinite(escaped)]
    return {
        "total": total, "counts": counts, "at_risk": at_risk,
        "escaped": float(np.median(escaped)) if escaped.size else float("nan"),
        "certain": certain, "certain_seen": seen,
        "below": total - certain, "below_collapsed": int(counts[COLLAPSED]) - gone,
        "share": {axis: np.where(n > 0, lost / np.maximum(n, 1), np.nan) for axis, (lost, n) in sums.items()},
    }  # fmt: skip


def _condemned(piece: Any) -> np.ndarray:
    """Return where the parameters alone make collapse certain."""
    code = piece["outcome"]
    found = fields(piece)
    for name in (CRITICAL, FROZEN):
        if name in found:
            return np.asarray((found[name] + 0.0 * code).transpose(*code.dims) < 0)
    return np.zeros(code.shape, bool)


def paragraph(ds: Any) -> str:
    """Return what a sweep of modes says, in one paragraph.

    Args:
        ds: the Dataset of `sweep`.

    Returns:
        A few plain sentences.
    """
    return words(ds, tally(ds))


def words(ds: Any, told: dict[str, Any]) -> str:
    """Return the paragraph for what `tally` counted."""
    counts, total = told["counts"], told["total"]
    living = int(counts[ALIVE] + counts[NOT_GROWING])
    text = [f"Of {total:,} runs to t = {ds.attrs['t1']:g}, {percent(counts[COLLAPSED], total)} collapsed and "
            f"{percent(living, total)} are alive"]  # fmt: skip
    if counts[NOT_GROWING]:
        text[0] += f" ({percent(counts[NOT_GROWING], total)} alive without growing)"
    text[0] += "."
    if total < ds["outcome"].size:
        text.append(f"Not computed yet: {ds['outcome'].size - total:,} of {ds['outcome'].size:,} runs.")
    for code, words in (
        (UNDECIDED, "not decided by then (a longer t1 would tell)"),
        (FAILED, "not integrated to the end"),
    ):
        if counts[code]:
            text.append(f"{percent(counts[code], total)} were {words}.")
    text.append(_theory(ds, told))
    text += [_trend(ds, axis, share) for axis, share in told["share"].items() if len(share) > 1]
    if living:
        risk = percent(told["at_risk"], living)
        text.append(f"The eigenspaces' alignment was at risk (K < 0 at some time) in {risk} of the living runs.")
        if np.isfinite(told["escaped"]):
            text.append(f"Half of the living runs that had to escape did so by t = {told['escaped']:.3g}.")
    return " ".join(part for part in text if part)


def _theory(ds: Any, told: dict[str, Any]) -> str:
    if told["certain"] == 0:
        return ""
    what = "a frozen target too weak for the decays" if ds.attrs["target"] == "frozen" else "the decay alone"
    rest = f" of the others {percent(told['below_collapsed'], told['below'])} collapsed, from where they started." if (
        told["below"]) else ""  # fmt: skip
    every = "all" if told["certain_seen"] == told["certain"] else f"{told['certain_seen']:,}"
    return (
        f"{what.capitalize()} makes collapse certain for {told['certain']:,} runs (in {every} of them s had fallen "
        f"under 1e-6 of its start by the end);{rest}"
    )


def _trend(ds: Any, axis: str, share: np.ndarray) -> str:
    """Return how the collapsed share moves along one axis."""
    known = np.isfinite(share)  # where something was computed
    if not known.any():
        return ""
    values, share, name = ds[axis].values[known], share[known], NAMES.get(axis, axis)
    first, last = f"{100 * share[0]:.0f} %", f"{100 * share[-1]:.0f} %"
    low, high = value(values[0]), value(values[-1])
    slack = 0.005
    steps = np.diff(share)
    if np.ptp(share) < slack:
        return f"Along the {name} the collapsed share stays at {first}."
    if np.all(steps >= -slack) or np.all(steps <= slack):
        way = "grows" if share[-1] > share[0] else "falls"
        return f"Along the {name} the collapsed share {way} from {first} at {low} to {last} at {high}."
    worst, best = int(np.argmax(share)), int(np.argmin(share))
    return (
        f"Along the {name} the collapsed share is {first} at {low} and {last} at {high}, highest "
        f"({100 * share[worst]:.0f} %) at {value(values[worst])} and lowest ({100 * share[best]:.0f} %) at "
        f"{value(values[best])}."
    )


def value(at: Any) -> str:
    """Return a value of an axis as a sentence has it."""
    return f"{at:.3g}" if np.issubdtype(type(at), np.number) else f"'{at}'"


def percent(part: int, total: int) -> str:
    """Return a share; as numbers where it would be rounded to none or all."""
    share = 100 * part / total if total else 0.0
    if 0 < part < total and (share < 0.1 or share > 99.9):
        return f"{part:,} of {total:,}"
    return f"{share:.3g} %"
