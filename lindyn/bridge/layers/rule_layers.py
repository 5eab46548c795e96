"""A layer for each closed-form rule, with the values of its source."""

from typing import Any, ClassVar

from lindyn.bridge.layers.closed_form_predictor import ClosedFormPredictor


class DirectPredPredictor(ClosedFormPredictor):
    """DirectPred: W_p = U diag(sqrt(s) + eps max s) U^T, eps 0.1, rho 0.3 (Tian et al. 2021, Eq. 18, Table 6).

    rule="luckmatters" takes the values of the released code. Arguments: see `ClosedFormPredictor`.
    """

    source = "paper"


class DirectSetPredictor(ClosedFormPredictor):
    """DirectSet: W_p = U diag(s^power) U^T, power 1/2, rho 0.3 as DirectPred (Wang, Chen, Du, Tian 2021).

    rule="implicit_var_reg" takes that code's values. Arguments: see `ClosedFormPredictor`.
    """

    source = "direct_set"
    changed: ClassVar[dict[str, Any]] = {"rho": 0.3}


class DirectCopyPredictor(ClosedFormPredictor):
    """DirectCopy: W_p = F / ||F||_F + 0.3 I, rho 0.5 (Wang et al. 2021; values of Hoeppe et al. 2022).

    Arguments: see `ClosedFormPredictor`.
    """

    source = "directcopy"


class LinearRegressionPredictor(ClosedFormPredictor):
    """LRP: W_p = H F^-1 of the last step's batch (Grill et al. 2020; Richemond et al. 2023).

    Richemond et al. set it from the batch it is used on, which needs both views at the first call: update="call" with
    cross_from="target" or views=2. Arguments: see `ClosedFormPredictor`.
    """

    source = "linear_regression"


class NeumannPredictor(ClosedFormPredictor):
    """NE: W_p = 2 H - H F of the last step's batch (Richemond et al. 2023); batchwise as `LinearRegressionPredictor`.

    Meaningful only where F's eigenvalues lie in (0, 2); normalise="fro" is safe. Arguments: see `ClosedFormPredictor`.
    """

    source = "neumann"


class VisserPredictor(ClosedFormPredictor):
    """Visser's iteration towards F^(1/2), one product a step, from the batch it is used on (Richemond et al. 2023).

    Arguments: see `ClosedFormPredictor`.
    """

    source = "richemond"
    changed: ClassVar[dict[str, Any]] = {"rule": "visser"}


class NewtonSchulzPredictor(ClosedFormPredictor):
    """NS: Newton-Schulz towards F^(1/2), 9 steps, from the batch it is used on (Richemond et al. 2023).

    Arguments: see `ClosedFormPredictor`.
    """

    source = "richemond"


class NewtonSchulzTwicePredictor(ClosedFormPredictor):
    """NS^2: towards F^(1/4), 7 steps of each, from the batch it is used on (Richemond et al. 2023).

    Arguments: see `ClosedFormPredictor`.
    """

    source = "richemond"
    changed: ClassVar[dict[str, Any]] = {"rule": "newton_schulz_twice"}


class StiefelPredictor(ClosedFormPredictor):
    """Towards the polar factor of H of the last step's batch (Richemond et al. 2023).

    cross_from="none" takes F instead of H, as printed. Batchwise as `LinearRegressionPredictor`.
    Arguments: see `ClosedFormPredictor`.
    """

    source = "stiefel"
