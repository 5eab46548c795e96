"""Decay bounds against the decay that was measured, step by step between saved times."""

from typing import Any

import numpy as np

SMALL = 1e-12  # share of its largest value below which a decaying quantity is round-off


def against_bound(
    name: str,
    title: str,
    ts: np.ndarray,
    size: np.ndarray,
    rate: np.ndarray,
    premise: np.ndarray,
    tolerance: float = 1e-6,
) -> Any:
    """Return the row of a statement `d log(size)/dt <= -rate` at every time.

    The measured rate between two times is compared with the smaller of the bounds at its ends, less what the bound
    itself changes between them (it is only known at the saved times).

    Args:
        name: the statement.
        title: a few words.
        ts: times.
        size: what decays, over time.
        rate: the bound on its rate, over time.
        premise: where the premise is fulfilled, over time.
        tolerance: relative excess that still counts as holding.

    Returns:
        The `VerificationRow`.
    """
    from lindyn.verification.record import VerificationRow

    start = float(size[0])
    if start <= 0:
        return VerificationRow(
            name, title, "premise not fulfilled", "it is 0 from the start, nothing decays", premise=premise
        )
    share = size / start
    level = share > SMALL
    log = np.log(np.maximum(share, np.finfo(float).tiny))
    step = np.diff(ts)
    measured = -np.diff(log) / step
    low = np.minimum(rate[1:], rate[:-1]) - np.abs(np.diff(rate))
    excess = np.where(level[1:] & level[:-1], np.maximum(low - measured, 0.0) * step, 0.0)
    average = (rate[1:] + rate[:-1]) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        sharp = np.where(level[1:] & (average > 0), measured / average, np.nan)
    residual = np.concatenate([[0.0], excess])
    bound = np.exp(-np.concatenate([[0.0], np.cumsum(average * step)]))
    checked = premise[1:] & premise[:-1]
    failed = bool(np.any(residual[1:][checked] > tolerance))
    verdict = "fails" if failed else "holds" if checked.any() else "premise not fulfilled"
    return VerificationRow(
        name, title, verdict, "", residual, premise, share, bound, np.concatenate([[np.nan], sharp]), tolerance
    )  # fmt: skip
