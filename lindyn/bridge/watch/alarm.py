"""The collapse alarm: one word with its reason, from three numbers that the loss does not show.

concentration   share of tr F that one direction carries. Features that are all the same vector, and features that
                vary along one line, both end at 1. A healthy spectrum of k equal modes has 1/k.
spread          sqrt(d) times the mean standard deviation of l2-normalised features: 1 for isotropic features, 0 where
                all point the same way. For features of mean direction m it is at most sqrt(1 - |m|^2), so that a
                spread of 0.1 means that the constant part carries 0.99 of the normalised features: the two
                thresholds below are one, read off F or off the features.
scale           tr F over tr F at the start: the linear theory's own collapse is p = s = 0, approached as exp(-2 eta t)
                with the shape of F kept, which neither of the other two sees. A mode that lives has p_+ between one
                half and one of tau / (1 + sigma^2) (0 < eta < critical), hence s_+ >= tau^2 / (4 alpha_p (1 +
                sigma^2)^2): from a start of order one a thousandth lies below every living mode up to alpha_p of
                some hundred, and a millionth, a thousandth of the features' length, is reached only by decay.
"""

import math

CONCENTRATION_AT_RISK, CONCENTRATION_COLLAPSED = 0.9, 0.99
SPREAD_AT_RISK, SPREAD_COLLAPSED = math.sqrt(1 - 0.9), 0.1  # sqrt(1 - share of the constant part), as above
SCALE_AT_RISK, SCALE_COLLAPSED = 1e-3, 1e-6

WORDS = ("healthy", "at risk", "collapsed")
UNKNOWN = "unknown"


def collapse_alarm(
    concentration: float, spread: float = math.nan, scale: float = math.nan, d: int = 2
) -> tuple[str, str]:
    """Return ("healthy" | "at risk" | "collapsed", the reason in one sentence).

    Args:
        concentration: largest eigenvalue of F over tr F, between 1/d and 1; NaN where F = 0.
        spread: sqrt(d) x the mean standard deviation of l2-normalised features; NaN if not measured.
        scale: tr F over tr F at the start; NaN if there is no start.
        d: dimension of the features; with d = 1 the concentration says nothing.

    Returns:
        The worst word that any of the three gives, and its reason.
    """
    if math.isnan(concentration):
        return "collapsed", "All features are zero."
    found = [_scale(scale), _spread(spread)] + ([_concentration(concentration)] if d > 1 else [])
    level, reason = max(found, key=lambda pair: pair[0])
    if level == 0:
        reason = f"The largest of {d} directions carries {concentration:.2g} of tr F."
    return WORDS[level], reason


def _concentration(value: float) -> tuple[int, str]:
    level = (value > CONCENTRATION_AT_RISK) + (value > CONCENTRATION_COLLAPSED)
    return level, f"One direction carries {value:.4g} of tr F (at risk above {CONCENTRATION_AT_RISK:g})."


def _spread(value: float) -> tuple[int, str]:
    level = (value < SPREAD_AT_RISK) + (value < SPREAD_COLLAPSED)
    return level, f"Normalised features spread {value:.3g} of isotropic ones (at risk below {SPREAD_AT_RISK:.2g})."


def _scale(value: float) -> tuple[int, str]:
    level = (value < SCALE_AT_RISK) + (value < SCALE_COLLAPSED)
    return level, f"tr F fell to {value:.3g} of its start (at risk below {SCALE_AT_RISK:g})."
