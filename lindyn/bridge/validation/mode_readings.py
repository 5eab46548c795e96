"""The modes of a measured checkpoint in the variables of the mode flow, for the questions "what if".

Of projections z = W h, s_j = k_j w_j^2 and r_j = x_j / k_j are measured, and k_j = s_j / |W^T u_j|^2 is read off the
last linear layer (`started`). A loss of directions moves the gradient 1/tr F times as fast, decay and EMA not, which is
x and x' times 1/tr F. So a mode stands at (p, w^2, tau) with x = g k r, x' = g k (1 - r), w^2 = s / k.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lindyn.bridge.validation import beginnings, loss_scale, started
from lindyn.bridge.validation.measuring import ABOVE_NOISE
from lindyn.bridge.validation.modes import ModeReading
from lindyn.bridge.validation.records import Pieces
from lindyn.bridge.validation.settings import Rates


def of(readings: Sequence[tuple[Pieces, Any]], rates: Rates) -> ModeReading | None:
    """Return where the modes of a run stood at the first of its checkpoints that can be read.

    Args:
        readings: (pieces, measured) in the order of training.
        rates: of the run.

    Returns:
        The reading; None where p, s, tau or x are not known.
    """
    for place, (pieces, measured) in enumerate(readings):
        if measured.F is None or not measured.samples:
            continue
        words = (
            "this checkpoint" if len(readings) == 1 else ("the first checkpoint" if place == 0 else pieces.path.name)
        )
        try:
            return _reading(pieces, measured, rates, words)
        except (beginnings.NotPossible, ArithmeticError):
            continue
    return None


def _reading(pieces: Pieces, measured: Any, rates: Rates, words: str) -> ModeReading:
    start, notes = beginnings.start_of(pieces, measured, rates)
    found = started.modes_of(start)
    known = measured.samples * found.s >= ABOVE_NOISE * found.s.sum()  # of the others u_j, p_j and x_j are not known
    gain = loss_scale.gain(pieces.settings, start.F)
    with np.errstate(invalid="ignore"):
        values = (found.p, found.s / found.k, found.tau, gain * found.k * found.r, gain * found.k * (1 - found.r))
    p, s, tau, x, x_aug = (value[known] for value in values)
    return ModeReading.of(p, s, tau, x, x_aug, words, tuple(notes))
