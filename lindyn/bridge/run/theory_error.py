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
