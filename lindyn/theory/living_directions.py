"""When a direction of the outputs lives, and when those that do are a collapse: one definition for networks and sweeps.

A direction lives where its variance is at least a hundredth of an equal share, c_j >= tr C / (100 D), c_j the
eigenvalues of the covariance C and D what could live. All that do not live hold less than 1 % of the variance
together. Spectra that fall by a power law, or exponentially, have no cliff.
"""

from typing import Any

import numpy as np

DEAD = 0.01
"""What the directions that do not live may hold together; an equal share of it is where a direction stops living."""
CLIFF = 10.0
"""c_j over c_(j+1) at a cliff; in a power law j^-a the ratio is (1 + 1/j)^a, in a fall of a factor e per mode e."""
ROUND_OFF = 1e-10
"""Of a spectrum, relative to its largest eigenvalue."""
SCALE_COLLAPSED = 1e-6
"""tr F over tr F at the start, below which the size is gone."""
COMPLETE, PARTIAL, NONE = range(3)
_TINY = float(np.finfo(float).tiny)


def living(spectrum: Any, total: Any, D: int, share: float = 1.0) -> np.ndarray:
    """Return how many eigenvalues (..., n) are at least `share` of a hundredth of an equal share of `total` (...)."""
    edge = share * DEAD * np.asarray(total, dtype=float)[..., None] / D
    return np.asarray(np.sum((np.asarray(spectrum) >= edge) & (np.asarray(spectrum) > 0), axis=-1))


def cliff(c: np.ndarray, live: Any, D: int, floor: Any = 0.0) -> np.ndarray:
    """Return whether spectra, largest first, fall off at the last living direction or behind it, by the middle.

    Args:
        c: eigenvalues, (..., n).
        live: how many live, (...).
        D: how many could live.
        floor: eigenvalues below are round-off, (...).
    """
    held = np.maximum(c, np.maximum(np.asarray(floor), _TINY)[..., None])
    place = np.arange(1, c.shape[-1])
    looked_at = (place >= np.asarray(live)[..., None]) & (place <= (D + 1) // 2)
    return np.asarray(np.any(looked_at & (held[..., :-1] > CLIFF * held[..., 1:]), axis=-1))


def collapse(c: Any, D: int, scale: Any = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return (`COMPLETE`, `PARTIAL` or `NONE`; how many directions live) of spectra.

    Complete: one direction holds more than 0.99 of the variance, or the size is gone. Partial: at most half of the D
    directions live, and behind them the spectrum falls off a cliff.

    Args:
        c: eigenvalues of the covariance, largest first, (..., n).
        D: how many directions could live.
        scale: tr F over tr F at the start, (...); 1 where the size says nothing.
    """
    c = np.maximum(np.asarray(c, dtype=float), 0.0)
    total, floor = c.sum(axis=-1), ROUND_OFF * c[..., 0]
    c = np.where(c > floor[..., None], c, 0.0)
    live = living(c, total, D)
    complete = (c[..., 0] > (1 - DEAD) * total) & (D > 1) | (total <= 0) | (np.asarray(scale) < SCALE_COLLAPSED)
    partial = (live > 1) & cliff(c, live, D, floor)
    return np.where(complete, COMPLETE, np.where(partial, PARTIAL, NONE)), live
