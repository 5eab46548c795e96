"""Alignment under the cosine loss: Theorem 3 with the closure's kappa and clock, on the lines that are integrated."""

from collections.abc import Iterator

import sympy

from lindyn.equations import cosine, matrices, weights
from lindyn.proofs.algebra import Algebra, Along
from lindyn.proofs.letters import *
from lindyn.proofs.network_rates import Network, kappa, pace
from lindyn.proofs.rows_matrices import means_in_F
from lindyn.proofs.statement import statement
from lindyn.proofs.steps import Identity, Step

_REDUCED = PROPORTIONAL + ISOTROPIC + GRAM
_COSINE = Network(loss="cosine")


@statement(
    "normalised.theorem_3",
    "Theorem 3 under the closure: dL/dt = -(L K + K L) with K = pace (kappa (x + x') (alpha_p F/2 + W_p^2) - x tau "
    "W_p) + (eta_s + eta_p/2) I, pace = 1/sqrt(Q T).",
    "Tian 2021, Theorem 3, for the cosine loss",
    ("Assumptions 1 + 2 + 3", "the closure"),
    {
        "kappa left out of K": {"share": 1},
        "K without the loss's clock": {"speed": 1},
        "the squared loss's K": {"share": 1, "speed": 1},
    },
    beyond=True,
)
def theorem_3(share: sympy.Expr = kappa, speed: sympy.Expr = pace) -> Iterator[Step]:
    """The closure is the squared loss of other moments; (W_p, F, tau) closes; the commutator's rate there."""
    A = W_p * W
    yield Identity(
        "G is the squared loss's at pace X and pace (kappa (X + X') - X)",
        cosine.closure_moment(A, W_a, X, X_aug, kappa, pace),
        weights.residual_moment(W, W_p, W_a, pace * X, pace * (kappa * (X + X_aug) - X)),
    )
    rates = _COSINE.weight_rates(eta_p, eta_s)
    reduced = correlation_rates(eta_p, eta_s, _COSINE.moments)
    yield Identity("dW_p/dt in W_p and F", rates[W_p], reduced[W_p], _REDUCED)
    yield Identity("d(W W^T)/dt in W_p and F", Along(W * W.T, rates), reduced[F], _REDUCED)
    yield from means_in_F(_REDUCED)
    moved = correlation_rates(eta_p, eta_s, _COSINE.moments, predictor="symmetrised")
    L = matrices.commutator(F, W_p)
    K = speed * (share * (x + x_aug) * (alpha_p / 2 * F + W_p * W_p) - x * tau * W_p) + (eta_s + eta_p / 2) * I2
    symmetric = Algebra(symmetric=(F, W_p))
    yield Identity("K is Theorem 3's at these moments", K, matrices.K(
        W_p, F, tau, alpha_p, eta_p, eta_s, *_COSINE.moments, I2), symmetric)  # fmt: skip
    yield Identity("dL/dt = -(L K + K L)", Along(L, moved), -(L * K + K * L), symmetric)


STATEMENTS = (theorem_3,)
