"""How far the theory of a run is from its network, reading by reading, and whether it starts where the network does."""

from collections.abc import Mapping

import numpy as np

from lindyn.bridge.watch.diagnosis import WINDOW

OFF = 0.05
"""Relative error of p at the first reading above which the start does not fit and the answer says so."""


def relative_errors(curves: dict[str, np.ndarray], theory: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the relative error per reading, by the names of the theory's s and p."""
    s = np.nan_to_num(curves["s"], nan=-1.0)
    counted = (s > 0) & (s >= WINDOW * s.max(axis=1, keepdims=True))
    return {
        name: _relative(curves[name[0]], values, counted)
        for name, values in theory.items()
        if not name.startswith("tau")
    }


def _relative(here: np.ndarray, there: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Return |here - there| / max(|here|, |there|) over the modes that count and both know; NaN without any."""
    both = counted & np.isfinite(here) & np.isfinite(there)
    sizes = [np.linalg.norm(np.where(both, values, 0.0), axis=1) for values in (here - there, here, there)]
    size = np.maximum(sizes[1], sizes[2])
    error = np.divide(sizes[0], size, out=np.zeros(len(size)), where=size > 0)
    return np.where(both.any(axis=1), error, np.nan)


def shape_error(measured: np.ndarray, predicted: np.ndarray, size: np.ndarray | None = None) -> np.ndarray:
    """Return |s - s'| / max(|s|, |s'|) per reading, scaled to equal tr F: how far the spectra's shapes are apart.

    Modes above `WINDOW` of the largest in either count, as far as both are known.

    Args:
        measured: eigenvalues of F, largest first, K x d; or the leading ones.
        predicted: the same of the theory, at the same steps, all of them.
        size: tr F of what was measured, K; default the sum of `measured`.
    """
    total = np.sum(measured, axis=1) if size is None else np.asarray(size, float)
    return absolute_error(_over(measured, total), _over(predicted, np.sum(predicted, axis=1)))


def absolute_error(measured: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return `shape_error` without the scaling: of size and shape."""
    width = min(np.shape(measured)[1], np.shape(predicted)[1])
    s, other = (np.maximum(np.asarray(each, float)[:, :width], 0.0) for each in (measured, predicted))
    larger = np.maximum(s, other)
    return _relative(s, other, larger >= WINDOW * larger.max(axis=1, keepdims=True))


def _over(s: np.ndarray, total: np.ndarray) -> np.ndarray:
    s, total = np.asarray(s, float), total[:, None]
    return np.asarray(np.divide(s, total, out=np.zeros_like(s), where=total > 0))


def off_at_the_start(error: Mapping[str, np.ndarray]) -> str:
    """Return in words how far the theory's start is from the first reading, or nothing where it fits."""
    p = error.get("p", np.zeros(1))
    known = p[np.isfinite(p)]
    if not len(known) or known[0] <= OFF:
        return ""
    return (
        f"; the start itself is off by {known[0]:.2g} in p: what sets W_p, or the directions that W sees, "
        "are not those of the network at that reading"
    )
