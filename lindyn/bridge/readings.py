"""What one reading of a network is: its diagnosis, with the slope of p against s and the word on collapse."""

import dataclasses
import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn.display.brief import Brief

COMPLETE, PARTIAL, NONE = "complete", "partial", "none"
COLLAPSE_WORDS = (NONE, PARTIAL, COMPLETE)


@dataclass(frozen=True, repr=False)
class Collapse(Brief):
    """The word on collapse with its numbers (`watch.collapse_words`, docs/layers.md).

    Args:
        word: "complete", "partial", "none", "" where nothing could be read.
        alarm: "healthy", "at risk", "collapsed" or "unknown": partial collapse is "at risk" at least.
        reason: of word and alarm, one sentence.
        live: directions that live: c_j >= tr C / (100 D), C the centred covariance; NaN where not known.
        live_low: lower end of its 99 % interval.
        live_high: upper end.
        live_uncentred: the same count of F's eigenvalues.
        directions: D, how many could live.
        limit: what limits D where it is not d, in words.
        concentration: largest share of tr F in one direction.
        concentration_centred: of tr C.
        shape: of a complete collapse: "a point", "a line beside the origin", ...; of a partial one, where it is not
            directions that are missing.
        centred: whether the mean was known; else F's eigenvalues stand for C's.
    """

    word: str
    alarm: str = "unknown"
    reason: str = ""
    live: float = math.nan
    live_low: float = math.nan
    live_high: float = math.nan
    live_uncentred: float = math.nan
    directions: float = math.nan
    limit: str = ""
    concentration: float = math.nan
    concentration_centred: float = math.nan
    shape: str = ""
    centred: bool = True

    @property
    def told(self) -> str:
        """The word and its number: "partial: 2 of 32 directions live, 2 not centred"."""
        if not self.word or math.isnan(self.live):
            return self.word
        if self.shape == "a point":
            return f"{self.word}: a point, {self._count(self.live_uncentred)} not centred"
        ends = "" if self.live_low == self.live_high else f" [{self.live_low:.0f}, {self.live_high:.0f}]"
        beside = f", {self.live_uncentred:.0f} not centred" if self.centred and self.word != NONE else ""
        shape = f"{self.shape}, " if self.shape else ""
        limit = f", no more with {self.limit}" if self.limit else ""
        return f"{self.word}: {shape}{self._count(self.live, ends)}{beside}{limit}"

    @property
    def short(self) -> str:
        """The word, with its number where there is collapse; as it stands in a comparison."""
        if self.word in ("", NONE) or math.isnan(self.live):
            return self.word
        point = self.shape == "a point"
        return f"{self.word} ({self._count(self.live_uncentred if point else self.live)}{' not centred' * point})"

    def _count(self, live: float, ends: str = "") -> str:
        verb = "lives" if live == 1 else "live"
        return f"{live:.0f}{ends} of {self.directions:.0f} direction{'s' * (self.directions != 1)} {verb}"

    @property
    def severity(self) -> tuple[int, int]:
        """What a worse reading has more of: word, then alarm."""
        alarms = ("unknown", "healthy", "at risk", "collapsed")
        return (COLLAPSE_WORDS.index(self.word) if self.word else -1, alarms.index(self.alarm))

    def flat(self) -> dict[str, Any]:
        """Return what a trace holds of it."""
        names = ("live", "live_low", "live_high", "live_uncentred", "directions", "concentration_centred")
        return {"collapse": self.word, **{name: getattr(self, name) for name in names}}


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


@dataclass(frozen=True, repr=False)
class StepTaken(Brief):
    """The last step of SGD with momentum that a checkpoint holds, of the projector's linear layers.

    Args:
        learning_rate: at the checkpoint.
        peak: that its schedule starts from.
        momentum: of SGD.
        decay: weight decay, as it is added to the gradient.
        angle: by which the layers together turn, sqrt(sum |step across W_l|^2 / sum |W_l|^2), in radians.
        angles: of each layer.
    """

    learning_rate: float
    peak: float
    momentum: float
    decay: float
    angle: float
    angles: tuple[float, ...]

    @property
    def told(self) -> bool:
        """Whether the learning rate is still half of its peak or more, so that the step is one of training."""
        return self.learning_rate >= self.peak / 2 > 0


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
        collapse: the word with its numbers; of a reading made before there was one, by what it holds.
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
    collapse: Collapse = Collapse("")

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
        slope, collapse = dataclasses.asdict(values.pop("slope")), values.pop("collapse").flat()
        return {
            **values,
            **collapse,
            "slope": slope.pop("slope"),
            **{f"slope_{name}": value for name, value in slope.items()},
        }
