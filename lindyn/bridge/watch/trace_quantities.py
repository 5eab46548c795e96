"""What a trace holds: every number with its axes, its unit and what it is."""

from typing import NamedTuple

from lindyn.bridge.watch.slopes import OTHER_WINDOWS

SQUARED = "features^2"
NONE = "1"


class Quantity(NamedTuple):
    """One variable of a trace: axes beside `step`, unit, meaning."""

    dims: tuple[str, ...]
    unit: str
    meaning: str


QUANTITIES = {
    "s": Quantity(("mode",), SQUARED, "eigenvalues of F = E[z z^T], largest first"),
    "p": Quantity(("mode",), NONE, "u_j^T W_p u_j for the eigenvectors u_j of F"),
    "alignment": Quantity(("mode",), NONE, "cosine between u_j and W_p u_j"),
    "spectrum_W_p": Quantity(("mode",), NONE, "eigenvalues of the symmetric part of W_p, largest first"),
    "alignment_top": Quantity((), NONE, "mean cosine of the 16 largest modes"),
    "asymmetry": Quantity((), NONE, "||W_p - W_p^T|| / ||W_p||"),
    "commutator_norm": Quantity((), SQUARED, "||[F, W_p]||"),
    "commutator_share": Quantity((), NONE, "||[F, W_p]|| / (||F|| ||W_p||)"),
    "balance_c": Quantity((), SQUARED, "c of the c W_p^T W_p nearest to F"),
    "balance_residual": Quantity((), NONE, "||F - c W_p^T W_p|| / ||F||"),
    "slope": Quantity((), NONE, "slope of log p against log s"),
    "slope_low": Quantity((), NONE, "lower end of the slope's 95 % interval"),
    "slope_high": Quantity((), NONE, "upper end of the slope's 95 % interval"),
    "slope_modes": Quantity((), NONE, "modes fitted"),
    "slope_s_low": Quantity((), SQUARED, "smallest s of the fit window"),
    "slope_s_high": Quantity((), SQUARED, "largest s of the fit window"),
    "slope_verdict": Quantity((), "", "fitted, or not testable and why"),
    "slope_by_window": Quantity(("window",), NONE, "slope in other windows, shares of the largest s"),
    "trace_F": Quantity((), SQUARED, "tr F"),
    "effective_rank": Quantity((), NONE, "exp of the entropy of F's eigenvalues"),
    "effective_rank_share": Quantity((), NONE, "effective rank over min(N - 1, d)"),
    "rankme": Quantity((), NONE, "exp of the entropy of the features' singular values"),
    "rankme_share": Quantity((), NONE, "RankMe over min(N - 1, d)"),
    "concentration": Quantity((), NONE, "largest eigenvalue of F over tr F"),
    "std": Quantity((), NONE, "mean standard deviation of l2-normalised features, 1/sqrt(d) if isotropic"),
    "spread": Quantity((), NONE, "std sqrt(d)"),
    "scale": Quantity((), NONE, "tr F over its start"),
    "alarm": Quantity((), "", "healthy, at risk, collapsed, or unknown where nothing could be read"),
    "reason": Quantity((), "", "of the alarm"),
    "d": Quantity((), NONE, "dimension of the features"),
    "samples": Quantity((), NONE, "features that F was gathered from"),
    "start": Quantity((), SQUARED, "tr F of the first step watched"),
    "linear_share": Quantity((), NONE, "share of the outputs' variance that the nearest affine map explains"),
}
"""Every variable that a record may hold; other numbers a user adds (a loss) have no unit."""

COORDINATES = {"window": list(OTHER_WINDOWS)}
WORDS = ("alarm", "reason", "slope_verdict")
COUNTS = ("slope_modes", "d", "samples")
