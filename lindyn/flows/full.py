"""The flow of the weights themselves: Lemma 1 and its ablations."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from lindyn import _checks
from lindyn._records import static
from lindyn.equations import view_correlations as statistics
from lindyn.equations import weights
from lindyn.flows import choices, losses, rules
from lindyn.flows import from_settings as settings
from lindyn.hyperparameters import Hyperparameters
from lindyn.moments import Moments
from lindyn.states import WeightState


@dataclass(frozen=True, eq=False, repr=False)
class MapFlow(settings.Flow):
    """A flow of the maps W and W_a from data to outputs: its choices, for one layer (`WeightFlow`) or several."""

    hp: Hyperparameters
    data: Moments
    target: str = static(default="ema")
    stop_gradient: bool = static(default=True)
    predictor: Any = static(default="trained")
    statistics: str = static(default="views")
    loss: str = static(default="squared")
    normalise: str = static(default="none")

    def _check(self) -> None:
        if not isinstance(self.hp, Hyperparameters):
            raise ValueError(f"hp must be Hyperparameters; got {type(self.hp).__name__}.")
        if not isinstance(self.data, Moments):
            kind = type(self.data).__name__
            raise ValueError(f"data must be Moments; got {kind}. Wrap X and X' in Moments(X=, X_aug=).")
        self._set(predictor=choices.check(self.target, self.stop_gradient, self.predictor))
        rules.check_statistics(self)
        losses.check(self, (losses.SQUARED, losses.CLOSURE))

    def output_statistics(self, y: Any) -> tuple[Any, Any]:
        """Return (F, H) of the outputs as a rule sees them, each n2 x n2; H is None where it does not read it."""
        X, X_aug = rules.seen(self, self.data.X, self.data.X_aug)
        at = losses.maps(self, y.W, y.W_a)
        H = statistics.cross(at.online, at.target, X) if self.predictor.rule.reads_cross else None
        return statistics.correlation(at.online, X, X_aug), H

    def check_maps(self, y: Any) -> None:
        """Raise ValueError if the predictor or an output cannot start this flow."""
        check_predictor(self.predictor, y.W_p)
        losses.check_maps(self, y)

    def predictor_rate(self, W_p: Any, W_n: Any, G: Any) -> Any:
        """Return dW_p/dt; 0 where W_p is the identity or set by a rule."""
        if self.predictor == "identity" or rules.is_rule(self.predictor):
            return 0.0 * W_p
        rate = weights.dW_p(W_n, W_p, G, self.hp.alpha_p, self.hp.eta_p)
        return weights.symmetric_part(rate) if self.predictor == "symmetrised" else rate


@dataclass(frozen=True, eq=False, repr=False)
class WeightFlow(MapFlow):
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
        loss: "squared", or "cosine", J = -E cos(W_p W x_1, W_a x_2), by its closure (ratios of means: exact up to about
            1 / effective rank; a minibatch of `descend` can take the true one).
        normalise: "batchnorm" divides every output of W, and of W_a, by its standard deviation (no scale and shift;
            X and X' are then moments about the mean).

    Raises:
        ValueError: an unknown choice or a combination without meaning.
    """

    state_type = WeightState
    title = "(W, W_p, W_a) of Lemma 1"
    takes = settings.WEIGHT_SETTINGS

    @classmethod
    def from_settings(cls, given: settings.Settings) -> tuple[Self, WeightState]:
        """Return the flow and random weights."""
        flow = cls(settings.hyperparameters(given), settings.moments(given), **settings.ablations(cls, given))
        return flow, settings.weight_start(given, flow.data.n1, given["target_start"])

    def __call__(self, t: Any, y: WeightState, args: Any = None) -> WeightState:
        """Return (dW, dW_p, dW_a)/dt at the state y; with target="online" W_a is read as W, with a rule W_p is set."""
        y = rules.complete(self, y)
        at = losses.maps(self, y.W, y.W_a)
        G, branch = losses.moments(self, at, y.W_p)
        dW_p = self.predictor_rate(y.W_p, at.online, G)
        if at.scale is None:
            dW = weights.dW(y.W, y.W_p, G, self.hp.eta_s)
            dW = dW if branch is None else dW + branch
        else:
            dW = losses.rate_of_map(self, at, weights.dW(y.W, y.W_p, G, 0), branch) - self.hp.eta_s * y.W
        return self._rates(y, dW, dW_p)

    def _rates(self, y: WeightState, dW: Any, dW_p: Any) -> WeightState:
        online = self.target == "online"
        dW_a = dW if online else weights.dW_a(y.W, y.W_a, choices.beta_of(self.target, self.hp.beta))
        return WeightState._unchecked(W=dW, W_p=dW_p, W_a=dW_a)

    def spectrum(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Return the eigenvalues of X and X', of X' its diagonal in X's basis; None with another loss or BatchNorm."""
        return self.data.joint_spectrum()[:2] if losses.is_squared(self) else None

    def check_state(self, y: WeightState) -> None:
        """Raise ValueError if y cannot start this flow."""
        if y.W.shape[1] != self.data.n1:
            raise ValueError(f"W must have n1 = {self.data.n1} columns, as X has; got shape {tuple(y.W.shape)}.")
        if self.target == "online":
            check_target((y.W,), (y.W_a,))
        self.check_maps(y)


def check_target(online: tuple[Any, ...], target: tuple[Any, ...]) -> None:
    """Raise ValueError unless the target's matrices are the online ones."""
    if not all(_equal(W, W_a) for W, W_a in zip(online, target, strict=True)):
        raise ValueError("target='online' means W_a = W; got a W_a that differs. Leave W_a out, or use target='ema'.")


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
