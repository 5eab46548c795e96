"""Assumption 2 (X = I, X' = sigma^2 I), as far as projections show it.

The theory's W maps inputs h to z = W h, F = W (X + X') W^T and E[sym z_1 z_2^T] = W X W^T. Projections alone tell two
things. Where W = [V b] is the projector's last layer, F^(-1/2) W W^T F^(-1/2) is a multiple of the identity if and only
if X + X' is one on the row space of W, as far as the leading modes reach (`isotropy`). Without W only the ratio can be
tested: F^(-1/2) (W X W^T) F^(-1/2) is x/(x + x') I if both are isotropic (`isotropy_views`).
"""

from typing import Any

import numpy as np

from lindyn.bridge.laws.verdicts import FEWEST_MODES, held, untestable
from lindyn.bridge.measure.measuring import MeasuredNetwork
from lindyn.bridge.records import Finding


def findings(measured: MeasuredNetwork) -> tuple[Finding, ...]:
    """Return `isotropy` and `isotropy_views`."""
    return (
        _spread(
            measured, "isotropy", "inputs_sq", "The projector does not end in a Linear layer whose weights are here."
        ),
        _spread(measured, "isotropy_views", "views_sq", "There is no second view."),
    )


def _spread(measured: MeasuredNetwork, law: str, name: str, without: str) -> Finding:
    square = measured.readings.get(name)
    if square is None:
        return untestable(law, without if measured.readings else "There are no features.")
    if law == "isotropy_views" and measured.X_aug is not None and not np.any(measured.X_aug):
        return untestable(law, "The two views are the same numbers: X' = 0, and nothing is told of the augmentation.")
    if measured.window < FEWEST_MODES:
        return untestable(law, f"Only {measured.window} modes stand above the noise, {FEWEST_MODES} are needed.")
    details: dict[str, Any] = {"modes": measured.window}
    if law == "isotropy_views":
        details["rho"] = measured.readings["rho"].full[: measured.window]
    return held(law, square.interval(0.0).root(), "", **details)
