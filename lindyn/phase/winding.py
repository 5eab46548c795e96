"""The winding number of a plane flow around a box: how many fixed points must be inside, counted by index."""

from collections.abc import Callable
from typing import Any

import numpy as np

TURN = 0.5  # radians; neighbours on the box's edge whose directions differ more are refined
LEVELS = 60


def winding_number(rates: Callable[[np.ndarray], np.ndarray], box: Any, n: int = 400) -> int:
    """Return how often the flow's direction turns round along the edge of a box, counter-clockwise.

    It equals the sum of the indices of the fixed points inside: saddle -1, node or focus +1, fold 0.

    Args:
        rates: (2, n) -> (2, n).
        box: ((low, high), (low, high)), with no fixed point on its edge.
        n: first samples per side.

    Returns:
        A whole number.

    Raises:
        ValueError: a fixed point lies on the edge.
    """
    (left, right), (low, high) = box
    corners = np.array([[left, low], [right, low], [right, high], [left, high], [left, low]])

    def angle(at: np.ndarray) -> np.ndarray:
        side = np.minimum(at.astype(int), 3)
        y = corners[side] + (at - side)[:, None] * (corners[side + 1] - corners[side])
        u, v = rates(y.T)
        if np.any((u == 0) & (v == 0)):
            raise ValueError("A fixed point lies on the edge of the box; choose a slightly larger box.")
        return np.arctan2(v / abs(high - low), u / abs(right - left))

    at = np.linspace(0.0, 4.0, 4 * n + 1)
    theta = angle(at)
    for _ in range(LEVELS):
        coarse = np.flatnonzero(np.abs(_wrapped(np.diff(theta))) > TURN)
        if not len(coarse):
            return round(float(np.sum(_wrapped(np.diff(theta))) / (2 * np.pi)))
        middle = (at[coarse] + at[coarse + 1]) / 2
        at = np.insert(at, coarse + 1, middle)
        theta = np.insert(theta, coarse + 1, angle(middle))
    raise ValueError("A fixed point lies on the edge of the box; choose a slightly larger box.")


def _wrapped(angle: np.ndarray) -> np.ndarray:
    return (angle + np.pi) % (2 * np.pi) - np.pi
