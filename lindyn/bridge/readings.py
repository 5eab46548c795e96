"""What one reading of a network is: its diagnosis, with the slope of p against s."""

import dataclasses
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn.display.brief import Brief


@dataclass(frozen=True, repr=False)
class SlopeFit(Brief):
    """log p = slope log s + intercept over the modes of a window.

    Args:
        slope: 1/2 where p_j ~ sqrt(s_j), as balance has it (Eq. 14 with c = 0) and DirectPred sets it (Eq. 18).
        low: lower end of the 95 % interval of least squares (independent scatter of log p).
        high: its upper end.
        modes: number of modes fitted.
        s_low: smallest s of the window.
        s_high: largest s of the window.
        verdict: "fitted", or "not testable: ..." with the reason; the slope is NaN then.
    """

    slope: float
    low: float
    high: float
    modes: int
    s_low: float
    s_high: float
    verdict: str


@dataclass(frozen=True, eq=False, repr=False)
class Diagnosis(Brief):
    """The numbers of one reading; arrays have one entry per eigenvector u_j of F, largest eigenvalue first.

    Args:
        s: eigenvalues of F, [features]^2.
        p: u_j^T W_p u_j.
        alignment: cosine between u_j and W_p u_j, sign kept; NaN where W_p u_j = 0 (Fig. 2).
        spectrum_W_p: eigenvalues of the symmetric part of W_p, largest first.
        alignment_top: mean of the first min(16, d) cosines.
        asymmetry: ||W_p - W_p^T|| / ||W_p||, 0 to 2.
        commutator_norm: ||[F, W_p]|| (Theorem 3), [features]^2.
        commutator_share: the same over ||F|| ||W_p||, free of scale, 0 to 2.
        balance_c: the c that brings c W_p^T W_p nearest to F (Theorem 1 with c = 1/alpha_p; of a network neither
            alpha_p nor W W^T is known: c also holds the scale of the data and of the loss).
        balance_residual_fitted: ||F - c W_p^T W_p|| / (||F|| + c ||W_p^T W_p||), 0 (balanced) to 0.71; what is told
            is its trend.
        slope: of log p against log s with window and interval.
        slope_by_window: the slope in `watch.diagnosis.OTHER_WINDOWS`.
        trace_F: tr F, [features]^2.
        effective_rank: exp of the entropy of F's eigenvalues.
        effective_rank_share: the same over min(N - 1, d).
        rankme: exp of the entropy of the features' singular values, sqrt(s).
        rankme_share: the same over min(N - 1, d).
        concentration: largest eigenvalue over tr F.
        std: mean over dimensions of the standard deviation of l2-normalised features, 1/sqrt(d) if isotropic.
        spread: std sqrt(d).
        scale: tr F over its start.
        alarm: "healthy", "at risk" or "collapsed".
        reason: of the alarm, one sentence.
    """

    s: np.ndarray
    p: np.ndarray
    alignment: np.ndarray
    spectrum_W_p: np.ndarray
    alignment_top: float
    asymmetry: float
    commutator_norm: float
    commutator_share: float
    balance_c: float
    balance_residual_fitted: float
    slope: SlopeFit
    slope_by_window: np.ndarray
    trace_F: float
    effective_rank: float
    effective_rank_share: float
    rankme: float
    rankme_share: float
    concentration: float
    std: float
    spread: float
    scale: float
    alarm: str
    reason: str

    @property
    def balance_residual(self) -> float:
        """The former name of `balance_residual_fitted` (it was ||F - c W_p^T W_p|| / ||F||, about twice that)."""
        warnings.warn(
            "Diagnosis.balance_residual is now balance_residual_fitted; the old name goes with the next version.",
            DeprecationWarning, stacklevel=2,
        )  # fmt: skip
        return self.balance_residual_fitted

    def flat(self) -> dict[str, Any]:
        """Return every number under a name of its own: the slope's fields become slope, slope_low, ..."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        slope = dataclasses.asdict(values.pop("slope"))
        return {**values, "slope": slope.pop("slope"), **{f"slope_{name}": value for name, value in slope.items()}}
