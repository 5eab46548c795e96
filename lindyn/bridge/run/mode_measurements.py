"""The modes of a measured checkpoint in the variables of the mode flow, for the questions "what if".

Of projections z = W h, s_j = k_j w_j^2 and r_j = x_j / k_j are measured, and k_j = s_j / |W^T u_j|^2 is read off the
last linear layer (`started`). A loss of directions moves the gradient 1/tr F times as fast, decay and EMA not, which is
x and x' times 1/tr F. So a mode stands at (p, w^2, tau) with x = g k r, x' = g k (1 - r), w^2 = s / k.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lindyn.bridge.measure.measuring import ABOVE_NOISE
from lindyn.bridge.records import ModeReading, Pieces
from lindyn.bridge.run import flow
from lindyn.bridge.run import start as beginnings
from lindyn.bridge.run.description import describe
from lindyn.bridge.settings import Rates

ALIGNED = 0.5**0.5
"""Mean cosine of the leading modes from which they count as aligned, as in the law on alignment."""


def of(readings: Sequence[tuple[Pieces, Any]], rates: Rates) -> ModeReading | None:
    """Return where the modes of a run stood at the first of its checkpoints in which they mean something.

    Decoupled modes are those of a predictor that shares F's eigenvectors, which a random start does not.

    Args:
        readings: (pieces, measured) in the order of training.
        rates: of the run.

    Returns:
        The reading of the first aligned checkpoint, without one of the first that can be read; None where p, s, tau or
        x are not known.
    """
    place = first_aligned(readings)
    order = range(len(readings)) if place is None else [place, *range(len(readings))]
    for k in order:
        pieces, measured = readings[k]
        if measured.F is None or not measured.samples or not np.trace(measured.F) > 0:
            continue
        try:
            return _reading(pieces, measured, rates, _words(pieces, len(readings), k, place))
        except (beginnings.NotPossible, ArithmeticError):
            continue
    return None


def first_aligned(readings: Sequence[tuple[Pieces, Any]]) -> int | None:
    """Return which reading is the first whose leading modes are aligned; None where none is."""
    return next((place for place, (_, measured) in enumerate(readings) if _alignment(measured) >= ALIGNED), None)


def _alignment(measured: Any) -> float:
    """Return the mean cosine of the modes that stand out of the noise; -1 where it is not known."""
    if measured.diagnosis is None or not measured.leading:
        return -1.0
    return float(np.nan_to_num(np.mean(measured.diagnosis.alignment[: measured.leading]), nan=-1.0))


def _words(pieces: Pieces, count: int, place: int, aligned: int | None) -> str:
    if count == 1:
        return "this checkpoint"
    where = f"step {pieces.step:,}" if pieces.step is not None else pieces.path.name
    return f"the first aligned checkpoint ({where})" if place == aligned else f"a checkpoint not yet aligned ({where})"


def _reading(pieces: Pieces, measured: Any, rates: Rates, words: str) -> ModeReading:
    start, notes = beginnings.start_of(pieces, measured, rates)
    found = flow.modes_of(start)
    known = measured.samples * found.s >= ABOVE_NOISE * found.s.sum()  # of the others u_j, p_j and x_j are not known
    gain = describe(pieces.settings).loss.gain(start.F)
    with np.errstate(invalid="ignore"):
        values = (found.p, found.s / found.k, found.tau, gain * found.k * found.r, gain * found.k * (1 - found.r))
    p, s, tau, x, x_aug = (value[known] for value in values)
    return ModeReading.of(p, s, tau, x, x_aug, words, tuple(notes))
