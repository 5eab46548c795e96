"""The flow of a deep linear projector: Lemma 1 with W = W_L ... W_1, for either loss, with or without BatchNorm."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from lindyn.equations import projector, weights
from lindyn.flows import choices, losses, rules
from lindyn.flows import from_settings as settings
from lindyn.flows.deep_states import DeepWeightState, product
from lindyn.flows.full import MapFlow, check_target


@dataclass(frozen=True, eq=False, repr=False)
class DeepFlow(MapFlow):
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

    def __call__(self, t: Any, y: DeepWeightState, args: Any = None) -> DeepWeightState:
        """Return the rates at the state y; with target="online" its layers are read as the online ones."""
        y = rules.complete(self, y)
        below = _products_below(y.Ws)
        W = y.Ws[-1] @ below[-1] if len(y.Ws) > 1 else y.Ws[0]
        at = losses.maps(self, W, None if self.target == "online" else product(y.W_as))
        G, branch = losses.moments(self, at, y.W_p)
        gradient = losses.rate_of_map(self, at, weights.dW(W, y.W_p, G, 0), branch)
        dWs = self._layer_rates(gradient, y.Ws, below)
        beta = choices.beta_of(self.target, self.hp.beta)
        online = self.target == "online"
        dW_as = dWs if online else tuple(weights.dW_a(W, W_a, beta) for W, W_a in zip(y.Ws, y.W_as, strict=True))
        return DeepWeightState._unchecked(Ws=dWs, W_p=self.predictor_rate(y.W_p, at.online, G), W_as=dW_as)

    def _layer_rates(self, gradient: Any, Ws: tuple[Any, ...], below: list[Any]) -> tuple[Any, ...]:
        """Return dW_l/dt of every layer: the gradient is taken down through what stands above, layer by layer."""
        rates: list[Any] = []
        over = (_Whole(), *Ws[:0:-1])  # the layer right above each, from the last one down
        for next_above, under, W_l in zip(over, below[::-1], Ws[::-1], strict=True):
            gradient = next_above.T @ gradient
            rates.append(projector.layer_rate(gradient, _Whole(), under, W_l, self.hp.eta_s))
        return tuple(rates[::-1])

    def check_state(self, y: DeepWeightState) -> None:
        """Raise ValueError if y cannot start this flow."""
        if y.Ws[0].shape[1] != self.data.n1:
            raise ValueError(f"W_1 must have n1 = {self.data.n1} columns, as X has; got shape {tuple(y.Ws[0].shape)}.")
        if self.target == "online":
            check_target(y.Ws, y.W_as)
        self.check_maps(y)


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


def _products_below(Ws: tuple[Any, ...]) -> list[Any]:
    """Return what stands below each layer, products of the layers there."""
    below = [_Whole()]
    for W in Ws[:-1]:
        below.append(W @ below[-1])
    return below
