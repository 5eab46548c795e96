"""The flow of a deep linear projector: Lemma 1 with W = W_L ... W_1, for either loss, with or without BatchNorm."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from lindyn._records import static
from lindyn.equations import projector, weights
from lindyn.flows import choices, losses, rules
from lindyn.flows import from_settings as settings
from lindyn.flows.deep_states import DeepWeightState, product
from lindyn.flows.full import WeightFlow, check_flow, check_target, matrix_statistics, predictor_rate
from lindyn.hyperparameters import Hyperparameters
from lindyn.moments import Moments


@dataclass(frozen=True, eq=False, repr=False)
class DeepFlow(settings.Flow):
    """Lemma 1 of a projector with L linear layers, W = W_L ... W_1.

        dW_l/dt  = (W_L ... W_(l+1))^T W_p^T G (W_(l-1) ... W_1)^T - eta_s W_l
        dW_p/dt  = alpha_p G W^T - eta_p W_p
        dW_al/dt = beta (W_l - W_al)

    G is the residual moment of the loss; under BatchNorm (at the end of the projector) W_p^T G goes through it first.
    L = 1 is `WeightFlow`.

    Args:
        hp: the rates.
        data: X and X', n1 x n1.
        target: "ema", "online" (the target's layers are the online ones) or "frozen".
        stop_gradient: False adds the gradient through the target branch; needs target="online".
        predictor: "trained", "symmetrised", "identity", or a closed-form rule, see `WeightFlow`.
        statistics: what a rule sees, "views" or "weights", see `WeightFlow`.
        loss: "squared", or "cosine" by its closure.
        normalise: "none" or "batchnorm".

    Raises:
        ValueError: an unknown choice or a combination without meaning.
    """

    hp: Hyperparameters
    data: Moments
    target: str = static(default="ema")
    stop_gradient: bool = static(default=True)
    predictor: Any = static(default="trained")
    statistics: str = static(default="views")
    loss: str = static(default="squared")
    normalise: str = static(default="none")

    state_type = DeepWeightState
    title = "(W_1 ... W_L, W_p, target) of a deep projector"
    takes = settings.WEIGHT_SETTINGS | {"depth", "hidden"}

    @classmethod
    def from_settings(cls, given: settings.Settings) -> tuple[Self, DeepWeightState]:
        """Return the flow and random layers."""
        flow = cls(settings.hyperparameters(given), settings.moments(given), **settings.ablations(cls, given))
        y0 = DeepWeightState.random(
            given["n2"], flow.data.n1, given["depth"], given["hidden"], given["seed"], given["scale"], given["scale_p"],
            given["target_start"], symmetric_predictor=given["predictor"] == "symmetrised",
        )  # fmt: skip
        return flow, y0._replace(W_p=np.eye(given["n2"])) if given["predictor"] == "identity" else y0

    def _check(self) -> None:
        check_flow(self)

    def __call__(self, t: Any, y: DeepWeightState, args: Any = None) -> DeepWeightState:
        """Return the rates at the state y; with target="online" its layers are read as the online ones."""
        y = rules.complete(self, y)
        below, above = _products(y.Ws)
        W = y.Ws[-1] @ below[-1] if len(y.Ws) > 1 else y.Ws[0]
        at = losses.maps(self, W, None if self.target == "online" else product(y.W_as))
        G, branch = losses.moments(self, at, y.W_p)
        gradient = losses.rate_of_map(self, at, weights.dW(W, y.W_p, G, 0), branch)
        dWs = tuple(
            projector.layer_rate(gradient, over, under, W_l, self.hp.eta_s)
            for over, under, W_l in zip(above, below, y.Ws, strict=True)
        )
        beta = choices.beta_of(self.target, self.hp.beta)
        online = self.target == "online"
        dW_as = dWs if online else tuple(weights.dW_a(W, W_a, beta) for W, W_a in zip(y.Ws, y.W_as, strict=True))
        return DeepWeightState._unchecked(Ws=dWs, W_p=predictor_rate(self, y.W_p, at.online, G), W_as=dW_as)

    def output_statistics(self, y: DeepWeightState) -> tuple[Any, Any]:
        """Return (F, H) as a rule sees them, each n2 x n2; H is None where it does not read it."""
        return matrix_statistics(self, y)

    def check_state(self, y: DeepWeightState) -> None:
        """Raise ValueError if y cannot start this flow."""
        if y.Ws[0].shape[1] != self.data.n1:
            raise ValueError(f"W_1 must have n1 = {self.data.n1} columns, as X has; got shape {tuple(y.Ws[0].shape)}.")
        if self.target == "online":
            check_target(y.Ws, y.W_as)
        WeightFlow.check_maps(self, y)  # type: ignore[arg-type]


class _Whole:
    """The identity of a product that has no factor: it stands above the last layer and below the first."""

    @property
    def T(self) -> "_Whole":
        return self

    def __matmul__(self, other: Any) -> Any:
        return other

    def __rmatmul__(self, other: Any) -> Any:
        return other

    __array_ufunc__ = None


def _products(Ws: tuple[Any, ...]) -> tuple[list[Any], list[Any]]:
    """Return (what stands below each layer, what stands above it), products of the layers around it."""
    below, above = [_Whole()], [_Whole()]
    for W in Ws[:-1]:
        below.append(W @ below[-1])
    for W in reversed(Ws[1:]):
        above.append(above[-1] @ W)
    return below, above[::-1]
