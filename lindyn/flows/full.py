"""The flow of the weights themselves: Lemma 1 and its ablations."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from lindyn import _checks
from lindyn._records import static
from lindyn.equations import view_correlations as statistics
from lindyn.equations import weights
from lindyn.flows import choices, rules
from lindyn.flows import from_settings as settings
from lindyn.hyperparameters import Hyperparameters
from lindyn.moments import Moments
from lindyn.states import WeightState


@dataclass(frozen=True, eq=False, repr=False)
class WeightFlow(settings.Flow):
    """Lemma 1 (Eqs. 2-4) for any X and X'.

        dW_p/dt = alpha_p (W_a X - W_p W (X + X')) W^T - eta_p W_p
        dW/dt   = W_p^T (W_a X - W_p W (X + X')) - eta_s W
        dW_a/dt = beta (W - W_a)

    With a closed-form predictor the first line is replaced by W_p = rule(F, H) at every instant, F = E[f1 f1^T] =
    W (X + X') W^T and H = E[f2a f1^T] = W_a X W^T: what a layer gathers from its outputs in the limit of small steps
    and large batches, where the recipe's averages (rho, rho_p), freq and start no longer matter. W_p of the state is
    then a slave: its rate is 0, and `simulate` and `descend` store its true value.

    Args:
        hp: the rates.
        data: X and X', n1 x n1.
        target: "ema", "online" (SimSiam, W_a = W) or "frozen".
        stop_gradient: False adds the gradient through the target branch (Theorem 2); needs target="online".
        predictor: "trained", "symmetrised", "identity", or a closed-form rule: a `lindyn.predictors.Rule` or
            `Recipe`, or the name of a rule or preset. With stop_gradient=False the rule itself stays cut from the
            gradient of the loss, as the layers do it.
        statistics: what a rule sees. "views": the outputs of the augmented data, as any layer does. "weights":
            F = W W^T and H = W_a W^T, the paper's F, which is what a layer sees of white data without augmentation
            only; Tian et al. derive p_j = sqrt(s_j) for these s_j and estimate them by the outputs' correlation.

    Raises:
        ValueError: an unknown choice or a combination without meaning.
    """

    hp: Hyperparameters
    data: Moments
    target: str = static(default="ema")
    stop_gradient: bool = static(default=True)
    predictor: Any = static(default="trained")
    statistics: str = static(default="views")

    state_type = WeightState
    title = "(W, W_p, W_a) of Lemma 1"
    takes = settings.WEIGHT_SETTINGS

    @classmethod
    def from_settings(cls, given: settings.Settings) -> tuple[Self, WeightState]:
        """Return the flow and random weights."""
        flow = cls(settings.hyperparameters(given), settings.moments(given), **settings.ablations(cls, given))
        return flow, settings.weight_start(given, flow.data.n1, given["target_start"])

    def _check(self) -> None:
        if not isinstance(self.hp, Hyperparameters):
            raise ValueError(f"hp must be Hyperparameters; got {type(self.hp).__name__}.")
        if not isinstance(self.data, Moments):
            raise ValueError(
                f"data must be Moments; got {type(self.data).__name__}. Wrap X and X' in Moments(X=, X_aug=)."
            )
        self._set(predictor=choices.check(self.target, self.stop_gradient, self.predictor))
        rules.check_statistics(self)

    def __call__(self, t: Any, y: WeightState, args: Any = None) -> WeightState:
        """Return (dW, dW_p, dW_a)/dt at the state y; with target="online" W_a is read as W, with a rule W_p is set."""
        y = rules.complete(self, y)
        X, X_aug, online = self.data.X, self.data.X_aug, self.target == "online"
        W_a = y.W if online else y.W_a
        G = weights.residual_moment(y.W, y.W_p, W_a, X, X_aug)
        dW = weights.dW(y.W, y.W_p, G, self.hp.eta_s)
        if not self.stop_gradient:
            dW = dW + weights.target_branch(y.W, y.W_p, X, X_aug)
        dW_a = dW if online else weights.dW_a(y.W, W_a, choices.beta_of(self.target, self.hp.beta))
        return WeightState._unchecked(W=dW, W_p=self._predictor_rate(y, G), W_a=dW_a)

    def _predictor_rate(self, y: WeightState, G: Any) -> Any:
        if self.predictor == "identity" or rules.is_rule(self.predictor):
            return 0.0 * y.W_p
        rate = weights.dW_p(y.W, y.W_p, G, self.hp.alpha_p, self.hp.eta_p)
        return weights.symmetric_part(rate) if self.predictor == "symmetrised" else rate

    def output_statistics(self, y: WeightState) -> tuple[Any, Any]:
        """Return (F, H) as a rule sees them, each n2 x n2; H is None where it does not read it."""
        X, X_aug = rules.seen(self, self.data.X, self.data.X_aug)
        W_a = y.W if self.target == "online" else y.W_a
        H = statistics.cross(y.W, W_a, X) if self.predictor.rule.reads_cross else None
        return statistics.correlation(y.W, X, X_aug), H

    def spectrum(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the eigenvalues of X and X', of X' its diagonal in X's basis where they do not commute."""
        return self.data.joint_spectrum()[:2]

    def check_state(self, y: WeightState) -> None:
        """Raise ValueError if y cannot start this flow."""
        if y.W.shape[1] != self.data.n1:
            raise ValueError(f"W must have n1 = {self.data.n1} columns, as X has; got shape {tuple(y.W.shape)}.")
        check_predictor(self.predictor, y.W_p)
        if self.target == "online" and not _equal(y.W, y.W_a):
            raise ValueError(
                "target='online' means W_a = W; got a W_a that differs. Leave W_a out, or use target='ema'."
            )


def _equal(a: Any, b: Any) -> bool:
    return a is b or _checks.is_traced(a) or _checks.is_traced(b) or bool((a == b).all())


def check_predictor(predictor: Any, W_p: Any) -> None:
    """Raise ValueError if W_p does not fit the choice of predictor (traced values pass; a rule sets its own)."""
    if predictor == "trained" or rules.is_rule(predictor) or _checks.is_traced(W_p):
        return
    W_p = _checks.to_numpy(W_p)
    if predictor == "identity" and not np.array_equal(W_p, np.eye(len(W_p))):
        raise ValueError("predictor='identity' needs W_p = I at the start; got another W_p. Leave W_p out.")
    asymmetry = float(np.max(np.abs(W_p - W_p.T)))
    if asymmetry > _checks.RELATIVE * float(np.max(np.abs(W_p))):
        raise ValueError(
            f"predictor='symmetrised' needs a symmetric W_p at the start; got max |W_p - W_p^T| = {asymmetry:.3g}. "
            "Start from (W_p + W_p^T) / 2."
        )
