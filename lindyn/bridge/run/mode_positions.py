"""Where the modes of a network stand, in the variables of the mode flow."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn import _checks

MOST = 512  # modes kept, the largest s first


@dataclass(frozen=True, eq=False)
class ModeReading:
    """Where the modes of a network stand, in the mode flow's own variables, one entry per mode, largest s first.

    Args:
        p: predictor along the mode.
        s: eigenvalue of W W^T, > 0.
        tau: target over online.
        x: eigenvalue of X, >= 0.
        x_aug: eigenvalue of X', >= 0.
        words: what the reading is, for the answer ("the first checkpoint", "this checkpoint").
        notes: what is only approximate in it, in words.

    Raises:
        ValueError: arrays of different lengths.
    """

    p: np.ndarray
    s: np.ndarray
    tau: np.ndarray
    x: np.ndarray
    x_aug: np.ndarray
    words: str = "this checkpoint"
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("s", "tau", "x", "x_aug"):
            _checks.as_array(name, getattr(self, name), shape=np.shape(self.p))

    @classmethod
    def of(
        cls, p: Any, s: Any, tau: Any, x: Any, x_aug: Any, words: str = "this checkpoint", notes: tuple[str, ...] = ()
    ) -> "ModeReading":
        """Return the reading of those modes in which every number is known and s > 0, at most `MOST` of them."""
        names = ("p", "s", "tau", "x", "x_aug")
        shape = np.shape(p)
        values = [np.broadcast_to(np.asarray(value, dtype=float), shape) for value in (p, s, tau, x, x_aug)]
        good = np.all(np.isfinite(values), axis=0) & (values[1] > 0) & (values[3] >= 0) & (values[4] >= 0)
        good &= values[3] + values[4] > 0
        order = np.argsort(-values[1][good], kind="stable")[:MOST]
        return cls(
            **{name: value[good][order].copy() for name, value in zip(names, values, strict=True)},
            words=words,
            notes=notes,
        )

    def __len__(self) -> int:
        return len(self.p)
