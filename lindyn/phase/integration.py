"""Many trajectories of a small system at once, by the method of order 8 on arrays; a point inside a step by a step."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn.display.brief import Brief
from lindyn.solve.lanes import methods

FIRST, GROW, SHRINK, SAFETY = 1e-4, 6.0, 0.2, 0.9  # first step as a share of the whole; limits of its change
HALVINGS = 45  # of the step in which a trajectory leaves
ROUNDS = 20_000

Rates = Callable[[np.ndarray], np.ndarray]
"""From states (3, m) to their velocities."""


@dataclass(frozen=True, repr=False)
class IntegratedPaths(Brief):
    """Trajectories, as the steps that were taken.

    Args:
        rates: the velocities.
        end: (m,), where each ends: the end asked for, or where it leaves.
        steps: of each trajectory, rows (time, length, state (3), velocity (3)), by increasing time.
    """

    rates: Rates
    end: np.ndarray
    steps: tuple[np.ndarray, ...]

    def at(self, times: np.ndarray) -> np.ndarray:
        """Return the states (3, m, n) at times (m, n), each by one step from the start of the step in which it lies."""
        found = [rows[np.clip(np.searchsorted(rows[:, 0], t, "right") - 1, 0, len(rows) - 1)]
                 for rows, t in zip(self.steps, times, strict=True)]  # fmt: skip
        rows = np.stack(found)
        z, k = (np.moveaxis(rows[..., part], -1, 0) for part in (slice(2, 5), slice(5, 8)))
        size = (times - rows[..., 0]).ravel()
        return _step(self.rates, z.reshape(3, -1), k.reshape(3, -1), size)[0].reshape(z.shape)


def _row(coefficients: tuple[float, ...], stages: int) -> np.ndarray:
    """Return a row of the method with its zeros, which lie behind the first entry."""
    return np.concatenate([coefficients[:1], np.zeros(stages - len(coefficients)), coefficients[1:]])


A = [_row(row, stages) for stages, row in enumerate(methods.DOP853_A, 1)]
ENDS = np.stack([_row(row, 12) for row in (methods.DOP853_B, methods.DOP853_E5, methods.DOP853_E3)])


def _step(rates: Rates, z: np.ndarray, k: np.ndarray, h: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the states (3, m) after one step, and its error estimates of order 5 and 3 (`methods.make_dop853`)."""
    stages = np.empty((12, z.size))
    stages[0] = k.ravel()
    for i, row in enumerate(A, 1):
        stages[i] = rates(z + h * (row @ stages[:i]).reshape(z.shape)).ravel()
    high, fifth, third = (h * each.reshape(z.shape) for each in ENDS @ stages)
    return z + high, fifth, 0.1 * third


def integrate(
    rates: Rates, start: np.ndarray, end: float, rtol: float, atol: np.ndarray, room: Callable[[np.ndarray], np.ndarray]
) -> IntegratedPaths:
    """Integrate trajectories, each with its own steps, from 0 to `end` or until it has no room left.

    Args:
        rates: the velocities.
        start: states (3, m).
        end: of the independent variable, > 0.
        rtol: relative tolerance of a step.
        atol: absolute tolerance, (3, m).
        room: states (3, m) -> (m,), positive inside; a trajectory ends where it is 0.

    Returns:
        `IntegratedPaths`.
    """
    z, m = np.array(start, dtype=float), start.shape[1]
    k, t, h = rates(z), np.zeros(m), np.full(m, FIRST * end)
    stop, live = np.full(m, end), np.flatnonzero(room(z) > 0.0)
    steps = [[np.concatenate([[0.0, 0.0], z[:, lane], k[:, lane]])] for lane in range(m)]
    for _ in range(ROUNDS):
        if not len(live):
            break
        size = np.minimum(h[live], end - t[live])
        y, v = z[:, live], k[:, live]
        with np.errstate(all="ignore"):
            new, fifth, third = _step(rates, y, v, size)
            error = _error(fifth, third, atol[:, live] + rtol * np.maximum(np.abs(y), np.abs(new)))
            h[live] = size * np.clip(SAFETY * error**-0.125, SHRINK, GROW)
        good = error <= 1.0
        for lane, row in zip(live[good], np.concatenate([t[live][None], size[None], y, v])[:, good].T, strict=True):
            steps[lane].append(row)
        on = live[good]
        z[:, on], t[on] = new[:, good], t[on] + size[good]
        k[:, on] = rates(z[:, on])
        left = room(z) <= 0.0
        live = live[(t[live] < end) & ~left[live]]
    rows = tuple(np.array(each) for each in steps)
    _leave(rates, rows, np.flatnonzero(room(z) <= 0.0), stop, room)
    return IntegratedPaths(rates, np.where(stop < t, stop, t), rows)


def _error(fifth: np.ndarray, third: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return the error of a step over what it may be, from both estimates; infinite where it is no number."""
    five, three = np.sum((fifth / scale) ** 2, axis=0), np.sum((third / scale) ** 2, axis=0)
    error = five / np.sqrt(3.0 * (five + three) + 1e-300)
    return np.where(np.isfinite(error), np.maximum(error, 1e-12), 1e12)


def _leave(rates: Rates, rows: tuple[np.ndarray, ...], left: np.ndarray, stop: np.ndarray, room: Any) -> None:
    """Write the times at which some trajectories leave, by halving their last step."""
    if not len(left):
        return
    last = np.stack([rows[lane][-1] for lane in left], axis=1)
    z, k = last[2:5], last[5:8]
    low, high = np.zeros(len(left)), last[1].copy()
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        inside = room(_step(rates, z, k, middle)[0]) > 0.0
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    stop[left] = last[0] + low
