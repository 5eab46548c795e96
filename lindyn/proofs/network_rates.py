"""Lemma 1 in letters under the cosine loss (its closure), BatchNorm or two layers: the last columns of the table.

In a proof kappa, 1/sqrt(Q T), BatchNorm's D^-1 and its row products are letters of which nothing is assumed; where
numbers are drawn they are what the drawn state makes of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from lindyn.display.brief import Brief
from lindyn.equations import batchnorm, cosine, modes, projector, target, weights
from lindyn.flows import choices
from lindyn.proofs.algebra import Algebra, WordRates, evaluate, expand
from lindyn.proofs.letters import *

kappa, kappa_a, pace = sympy.symbols("kappa kappa_a pace", positive=True)
N, N_a, ROWS = (sympy.MatrixSymbol(name, n2, n2) for name in ("D^-1", "D_a^-1", "rows"))
n_1 = sympy.Symbol("m", integer=True, positive=True)
W_1, W_2 = sympy.MatrixSymbol("W_1", n_1, n1), sympy.MatrixSymbol("W_2", n2, n_1)
ONE_OUTPUT = lambda A, B: (A * B.T)[0, 0]  # noqa: E731  BatchNorm's inner product of rows, one row


@dataclass(frozen=True, repr=False)
class Network(Brief):
    """What the loss and the network are: Tian's by default.

    Args:
        loss: "squared", or "cosine" by its closure.
        normalise: "none" or "batchnorm".
        layers: 1 or 2, W = W_2 W_1.
    """

    loss: str = "squared"
    normalise: str = "none"
    layers: int = 1

    @property
    def in_weights(self) -> bool:
        """Whether (W_p, F, tau) do not close, so that the letters are the weights at every level."""
        return self.normalise != "none" or self.layers > 1

    @property
    def W(self) -> Any:
        """The map of all layers."""
        return W if self.layers == 1 else W_2 * W_1

    @property
    def last(self) -> Any:
        """The last layer."""
        return W if self.layers == 1 else W_2

    @property
    def first(self) -> Any:
        """The first layer."""
        return W if self.layers == 1 else W_1

    @property
    def seen(self) -> Any:
        """The map to the outputs as the loss sees them, behind BatchNorm where there is one."""
        return N * self.W if self.normalise == "batchnorm" else self.W

    @property
    def moments(self) -> tuple[Any, Any]:
        """(x, x') of the squared loss whose residual is this loss's: pace x and pace (kappa (x + x') - x)."""
        return (x, x_aug) if self.loss == "squared" else (pace * x, pace * (kappa * (x + x_aug) - x))

    def push(self, stop_gradient: bool = True) -> tuple[Any, Any, Any]:
        """Return (G, the rate of the map to the outputs, that map), decay left out."""
        W_n, W_an = self.seen, N_a * W_a if self.normalise == "batchnorm" else W_a
        A = W_p * W_n
        if self.loss == "cosine":
            G = cosine.closure_moment(A, W_an, X, X_aug, kappa, pace)
            branch = cosine.closure_target_branch(A, W_an, X, X_aug, kappa_a, pace)
        else:
            G = weights.residual_moment(W_n, W_p, W_an, X, X_aug)
            branch = weights.target_branch(W_n, W_p, W_an, X, X_aug)
        rate = weights.dW(W_n, W_p, G, 0)
        return G, rate if stop_gradient else rate + branch, W_n

    def weight_rates(
        self, decay_p: Any, decay_s: Any, at_target: str = "ema", stop_gradient: bool = True, predictor: str = "trained"
    ) -> WordRates:
        """Return the rates of the layers and of W_p (of W_a where there is one layer)."""
        G, rate, W_n = self.push(stop_gradient)
        if self.normalise == "batchnorm":
            rate = batchnorm.row_map(rate, W_n, X, X_aug, N, rows=lambda A, B: ROWS)
        dW_p = weights.dW_p(W_n, W_p, G, alpha_p, decay_p)
        rates = {"W_p": weights.symmetric_part(dW_p) if predictor == "symmetrised" else dW_p}
        if self.layers == 1:
            rates["W"] = projector.layer_rate(rate, I2, I1, W, decay_s)
            rates["W_a"] = weights.dW_a(W, W_a, choices.beta_of(at_target, beta))
        else:
            rates["W_2"] = projector.layer_rate(rate, I2, W_1, W_2, decay_s)
            rates["W_1"] = projector.layer_rate(rate, W_2, I1, W_1, decay_s)
        return WordRates(rates)

    def drawn(self, stop_gradient: bool = True) -> Algebra:
        """Return how kappa, pace, D^-1 and the row products follow from a state that was drawn."""
        samples: dict[Any, Callable[..., Any]] = {}
        if self.normalise == "batchnorm":
            samples |= {N.name: lambda m, n: _inverse_deviation(self._map(m), m), N_a.name: _of_target}
        if self.loss == "cosine":
            samples |= {
                kappa: lambda m, n: _share(*self._means(m, n)), kappa_a: lambda m, n: _target_share(*self._means(m, n)),
                pace: lambda m, n: cosine.clock(*self._means(m, n)[:2]),
            }  # fmt: skip
        if self.normalise == "batchnorm":
            _, rate, W_n = self.push(stop_gradient)

            def rows(m: dict[str, np.ndarray], n: dict[Any, float]) -> np.ndarray:
                value = evaluate(expand(rate * W_n.T), m, n, len(m["W_p"]))[0]
                return np.diag(np.diag(value))

            samples[ROWS.name] = rows
        return Algebra(symmetric=(N, N_a, ROWS) if self.normalise == "batchnorm" else (), samples=samples)

    def _map(self, m: dict[str, np.ndarray]) -> np.ndarray:
        return m["W"] if self.layers == 1 else m["W_2"] @ m["W_1"]

    def _means(self, m: dict[str, np.ndarray], n: dict[Any, float]) -> tuple[float, float, float]:
        """Return (Q, T, M) of a drawn state, of (W_p, F, tau) where the letters are these."""
        if "W" not in m and self.layers == 1:
            root, one = np.linalg.cholesky(m["F"] + 1e-300 * np.eye(len(m["F"]))), np.eye(len(m["F"]))
            A, B, first, second = m["W_p"] @ root, n[tau] * root, n[x] * one, n[x_aug] * one
        else:
            A, B, first, second = m["W_p"] @ self._map(m), m["W_a"], m["X"], m["X'"]
        return (
            cosine.mean_square(A, first, second), cosine.mean_square(B, first, second), cosine.overlap(A, B, first)
        )  # fmt: skip

    def mode_rates(self, decay_p: Any, decay_s: Any, at_target: str) -> WordRates:
        """Return the rates of one mode (p, s, tau): a network of one output, its layers equal."""
        if not self.in_weights:
            return mode_rates(decay_p, decay_s, target=at_target, moments=self.moments)
        size = sympy.Symbol("w", positive=True)
        dw, residual, w_n = self._one_mode(size, tau * size, decay_s)
        followed = 0 if at_target == "online" else choices.beta_of(at_target, beta)
        per_layer = self.layers * followed * (tau ** (-sympy.S.One / self.layers) - 1)  # (da_l/dt)/a_l, summed
        dtau = 0 if at_target == "online" else tau * (per_layer - dw / size)
        if self.layers == 1 and at_target != "online":
            dtau = target.dtau(tau, dw / size, followed)
        moved = {
            p: modes.dp_weights(p, w_n, residual, alpha_p, decay_p), s: modes.ds(size**2, dw / size), tau: dtau,
        }  # fmt: skip
        back = {size: sympy.sqrt(s)}
        return WordRates(scalars={letter: sympy.expand(rate).subs(back) for letter, rate in moved.items()})

    def _one_mode(self, w: Any, a: Any, decay_s: Any, branches: bool = False) -> tuple[Any, Any, Any]:
        """Return (dw/dt, the residual, the map to the output) of a network of one mode with weight w > 0."""
        v = x + x_aug
        w_n, a_n = w, a
        if self.normalise == "batchnorm":
            row, first, second = (sympy.Matrix([[each]]) for each in (w, x, x_aug))
            scale = batchnorm.inverse_deviation(batchnorm.variance(row, first, second, ONE_OUTPUT), HALF)
            w_n = a_n = sympy.simplify(batchnorm.normalised(row, scale)[0, 0])
        m = p * w_n
        if self.loss == "cosine":
            Q, T, M = v * m * m, v * a_n * a_n, x * m * a_n
            residual = cosine.closure_drive(m, a_n, x, x_aug, M / Q, cosine.clock(Q, T, HALF))
            branch = cosine.closure_drive(a_n, m, x, x_aug, M / T, cosine.clock(Q, T, HALF))
        else:
            residual = modes.residual(p, w_n, a_n, x, x_aug)
            branch = modes.target_branch(p, x, x_aug) * w_n
        push = p * residual + (branch if branches else 0)
        if self.normalise == "batchnorm":
            gradient, normal = (sympy.Matrix([[each]]) for each in (push, w_n))
            push = batchnorm.row_map(gradient, normal, first, second, scale, ONE_OUTPUT)[0, 0]
        layer = w ** (sympy.S.One / self.layers)
        each = push * w / layer - decay_s * layer  # as `projector.layer_rate` of 1 x 1 layers
        return sympy.simplify(self.layers * each * w / layer), residual, w_n

    def decay_of_one_mode(self, decay_s: Any, branches: bool) -> Any:
        """Return -(dw/dt)/w of one mode at W_a = W, p = 1 (w = 1/8 in two layers), stopped or through both branches."""
        size = sympy.Symbol("w", positive=True)
        dw, _, _ = self._one_mode(size, size, decay_s, branches)
        at = {p: 1} | ({size: sympy.Rational(1, 8)} if self.layers > 1 else {})
        return sympy.expand(sympy.simplify(-dw / size).subs(at))


PLAIN = Network()


def _inverse_deviation(M: np.ndarray, m: dict[str, np.ndarray]) -> np.ndarray:
    return np.diag(batchnorm.inverse_deviation(batchnorm.variance(M, m["X"], m["X'"]))[:, 0])


def _of_target(m: dict[str, np.ndarray], n: dict[Any, float]) -> np.ndarray:
    return _inverse_deviation(m["W_a"], m)


def _share(Q: float, T: float, M: float) -> float:
    return M / Q


def _target_share(Q: float, T: float, M: float) -> float:
    return M / T
