"""Grill et al. 2020 in the linear case: the optimal predictor and the gradient through it."""

from collections.abc import Iterator
from typing import Any

import sympy

from lindyn.equations import loss
from lindyn.proofs.algebra import Algebra
from lindyn.proofs.matrix_words import Along, WordRates
from lindyn.proofs.richemond import REGRESSION, Z2, P, R, Z
from lindyn.proofs.statement import statement
from lindyn.proofs.steps import Identity, Positivity, Step
from lindyn.proofs.symbols import W, W_a, W_p, X, X_aug, eta, n1, n2, weight_rates


@statement(
    "grill.optimal_predictor_batch",
    "The batch-optimal linear predictor is q* = (Z^T Z)^-1 Z^T Z': ||Z q - Z'||^2 = ||Z q* - "
    "Z'||^2 + ||Z (q - q*)||^2.",
    "Grill 2020, Appendix I",
    ("Z of full column rank",),
    {"(Z^T Z)^-1 Z'^T Z": {"best": R * Z2.T * Z}, "Z^T Z' without the inverse": {"best": Z.T * Z2}},
)
def optimal_predictor_batch(best: Any = R * Z.T * Z2) -> Iterator[Step]:
    """Pythagoras, exact; hence the minimum and its uniqueness."""
    error, least, step = Z * P - Z2, Z * best - Z2, Z * (P - best)
    norm = lambda M: sympy.Trace(M.T * M)  # noqa: E731
    yield Identity("Pythagoras", norm(error), norm(least) + norm(step), REGRESSION)
    yield Identity("the normal equations", Z.T * Z * best, Z.T * Z2, REGRESSION)


M, Qs, dW = sympy.MatrixSymbol("M", n2, n2), sympy.MatrixSymbol("Q", n1, n1), sympy.MatrixSymbol("delta_W", n2, n1)
COV = W * (X + X_aug) * W.T  # covariance of the online features
I2 = sympy.Identity(n2)


def _inverse_cov() -> Algebra:
    import numpy as np

    product = W * X * W.T
    return Algebra(
        symmetric=(X, X_aug, M),
        # M = (W (X+X') W^T)^-1: the longest word of the product is solved for
        rules=((W * X_aug * W.T * M, I2 - product * M), (M * W * X_aug * W.T, I2 - M * product)),
        samples={"M": lambda m, n: np.linalg.inv(m["W"] @ (m["X"] + m["X'"]) @ m["W"].T)},
    )


INVERSE = _inverse_cov()
BEST = W_a * X * W.T * M


@statement(
    "grill.optimal_predictor_population",
    "On the population W_p* = W_a X W^T (W (X+X') W^T)^-1 minimises the loss: J(W_p) = J(W_p*) + "
    "tr[(W_p - W_p*) W (X+X') W^T (W_p - W_p*)^T]/2, and Lemma 1's predictor gradient vanishes "
    "there.",
    "Grill 2020, Sec. 3.2 and Appendix I (linear case)",
    ("W (X+X') W^T invertible", "X, X' symmetric"),
    {
        "X + X' in the place of X": {"best": W_a * (X + X_aug) * W.T * M},
        "the inverse on the left": {"best": M * W_a * X * W.T},
    },
)
def optimal_predictor_population(best: Any = BEST) -> Iterator[Step]:
    """The gradient vanishes; the excess loss is a square."""
    rates = weight_rates(0, 0)
    at = INVERSE + Algebra(rules=((W_p, best),))
    yield Identity("dW_p/dt = 0 at W_p*", rates[W_p], sympy.ZeroMatrix(n2, n2), at, numeric=False)
    excess = W_p - best
    value = loss.loss(W, W_p, W_a, X, X_aug, trace=sympy.Trace)
    least = loss.loss(W, best, W_a, X, X_aug, trace=sympy.Trace)
    yield Identity("the loss above its minimum", value, least + sympy.Trace(excess * COV * excess.T) / 2, INVERSE)
    S = sympy.MatrixSymbol("Sigma_s", n1, n1)
    E = sympy.MatrixSymbol("E", n2, n2)
    yield Positivity(
        "which is >= 0 (X + X' = Q Q^T)",
        sympy.Trace(E * W * S * W.T * E.T),
        ((1, (E * W * Qs).T),),
        Algebra(rules=((S, Qs * Qs.T),)),
    )


@statement(
    "grill.envelope",
    "With the optimal predictor the online gradient is that of the linear expected conditional "
    "variance J*(W) = min over W_p: the dependence of W_p* on W drops out.",
    "Grill 2020, Sec. 3.2 (envelope argument)",
    ("linear networks", "W (X+X') W^T invertible", "W_a held"),
    {
        "a predictor that is not optimal": {"best": 2 * BEST},
        "the target moves too": {"moved": WordRates({"W": dW, "W_a": dW})},
        "the sign of the gradient": {"sign": 1},
    },
)
def envelope(best: Any = BEST, moved: WordRates | None = None, sign: int = -1) -> Iterator[Step]:
    """J* as a function of W alone, its full variation, and the flow at W_p*."""
    value = loss.loss(W, W_p, W_a, X, X_aug, trace=sympy.Trace)
    variance = sympy.Trace(W_a * (X + X_aug) * W_a.T) / 2 - sympy.Trace(W_a * X * W.T * M * W * X * W_a.T) / 2
    at = INVERSE + Algebra(rules=((W_p, best),))
    yield Identity("J(W_p*) = tr[W_a (X+X') W_a^T - W_a X W^T (W (X+X') W^T)^-1 W X W_a^T]/2", value, variance, at)
    change = moved or WordRates({"W": dW})
    d_cov = dW * (X + X_aug) * W.T + W * (X + X_aug) * dW.T
    full = WordRates({**change.matrices, "M": -M * d_cov * M})
    online = weight_rates(0, 0)[W]
    yield Identity(
        "delta J* = -tr[(dW/dt at W_p*)^T delta W]",
        Along(variance, full, "delta"),
        sign * sympy.Trace(online.T * dW),
        at,
    )


@statement(
    "grill.optimal_predictor_freezes",
    "While the predictor is optimal, W W^T obeys d(W W^T)/dt = -2 eta W W^T: the features' Gram "
    "matrix neither grows nor collapses by itself, whatever W_a does.",
    "Grill 2020, Appendix I, with Lemma 1",
    ("W_p = W_p* at all times", "W (X+X') W^T invertible"),
    {"a predictor that is not optimal": {"best": 2 * BEST}, "a rate eta": {"rate": 1}},
    beyond=True,
)
def optimal_predictor_freezes(best: Any = BEST, rate: int = 2) -> Iterator[Step]:
    """G W^T = 0 at the optimum, and d(W W^T)/dt = W_p^T (G W^T) + its transpose - 2 eta W W^T."""
    rates = weight_rates()
    at = INVERSE + Algebra(rules=((W_p, best),))
    yield Identity("d(W W^T)/dt", Along(W * W.T, rates), -rate * eta * W * W.T, at)


STATEMENTS = (optimal_predictor_batch, optimal_predictor_population, envelope, optimal_predictor_freezes)
