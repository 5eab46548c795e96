"""Tian et al. 2021 on the weights: Lemma 1, Theorems 1 and 2, the no-predictor remark."""

from collections.abc import Iterator
from typing import Any

import sympy

from lindyn.equations import descent, loss, matrices, weights
from lindyn.proofs import lemmas
from lindyn.proofs.algebra import Algebra, Along, WordRates
from lindyn.proofs.letters import *
from lindyn.proofs.statement import statement
from lindyn.proofs.steps import Identity, Positivity, Step

dW, dW_p = sympy.MatrixSymbol("delta_W", n2, n1), sympy.MatrixSymbol("delta_Wp", n2, n2)
A, B = sympy.MatrixSymbol("A", n1, n1), sympy.MatrixSymbol("B", n1, n1)
x1, x2 = sympy.MatrixSymbol("x_1", n1, 1), sympy.MatrixSymbol("x_2", n1, 1)
VIEWS = Algebra(
    symmetric=(X, X_aug),
    rules=((x1 * x1.T, X + X_aug), (x2 * x2.T, X + X_aug), (x1 * x2.T, X)),
)
ONLINE = Algebra(rules=((W_a, W),))
NO_PREDICTOR = Algebra(rules=((W_p, I2),))


def _loss(target: Any = W_a) -> Any:
    return loss.loss(W, W_p, target, X, X_aug, trace=sympy.Trace)


@statement(
    "tian.lemma_1",
    "Lemma 1: the negative gradient of the loss with the gradient stopped at W_a, plus decay, is Eqs. 2-4.",
    "Tian 2021, Lemma 1, Eqs. 1-4",
    ("views independent given the sample", "X, X' symmetric"),
    {
        "the gradient runs through the target too": {"stopped": False},
        "the sign of the gradient": {"sign": 1},
        "the predictor's order of products is W_p^T, not W_p, in dW/dt": {
            "rates": weight_rates(eta_p, eta_s).changed(
                W=W_p * weights.residual_moment(W, W_p, W_a, X, X_aug) - eta_s * W
            )
        },
        "the noise of the augmentation is left out": {
            "views": Algebra(rules=((x1 * x1.T, X), (x2 * x2.T, X), (x1 * x2.T, X)))
        },
        "the predictor's decay is multiplied by alpha_p": {"rates": weight_rates(alpha_p * eta_p, eta_s)},
    },
)
def lemma_1(
    stopped: bool = True, sign: int = -1, rates: WordRates | None = None, views: Algebra = VIEWS
) -> Iterator[Step]:
    """Expectation over views, then the two gradients as variations, then the target's moving average."""
    rates = rates or weight_rates(eta_p, eta_s)
    r = W_p * W * x1 - W_a * x2
    yield Identity(
        "the expectation of r r^T / 2 over two views is the loss matrix",
        r * r.T / 2, loss.loss_matrix(W, W_p, W_a, X, X_aug), views, numeric=False,
    )  # fmt: skip
    moved = WordRates({"W": dW} if stopped else {"W": dW, "W_a": dW})
    yield Identity(
        "varying W with W_a held, delta J = -tr[(dW/dt + eta_s W)^T delta W]",
        Along(_loss(), moved, "delta"), sign * sympy.Trace((rates[W] + eta_s * W).T * dW),
        MOMENTS_SYMMETRIC if stopped else MOMENTS_SYMMETRIC + ONLINE,
    )  # fmt: skip
    yield Identity(
        "varying W_p, alpha_p delta J = -tr[(dW_p/dt + eta_p W_p)^T delta W_p]",
        Along(alpha_p * _loss(), WordRates({"W_p": dW_p}), "delta"),
        sign * sympy.Trace((rates[W_p] + eta_p * W_p).T * dW_p),
        MOMENTS_SYMMETRIC,
    )  # fmt: skip
    step = sympy.Symbol("alpha", positive=True)
    yield Identity(
        "one moving-average step with gamma_a = 1 - alpha beta moves W_a by alpha dW_a/dt",
        descent.ema(W_a, W, 1 - step * beta) - W_a, step * rates[W_a],
    )  # fmt: skip


@statement(
    "tian.theorem_1",
    "Theorem 1: W W^T - W_p^T W_p / alpha_p decays exactly as exp(-2 eta t), whatever W_a does.",
    "Tian 2021, Theorem 1, Eq. 5",
    ("eta_p = eta_s", "predictor trained, not symmetrised"),
    {
        "the rate is eta, not 2 eta": {"rate": eta},
        "W_p W_p^T in place of W_p^T W_p": {"balance": W * W.T - W_p * W_p.T / alpha_p},
        "the factor 1/alpha_p left out": {"balance": W * W.T - W_p.T * W_p},
        "unequal decays": {"rates": weight_rates(eta_p, eta_s)},
        "a symmetrised predictor": {"rates": weight_rates(predictor="symmetrised")},
        "the gradient runs through the target": {"rates": weight_rates(target="online", stop_gradient=False)},
    },
)
def theorem_1(rate: Any = 2 * eta, balance: Any = None, rates: WordRates | None = None) -> Iterator[Step]:
    """The flow of the balance, with an arbitrary target V(t) in W_a's place."""
    balance = matrices.balance(W, W_p, alpha_p) if balance is None else balance
    rates = rates or weight_rates()
    yield Identity(
        "d/dt of the balance is -2 eta times it; dW_a/dt does not enter",
        Along(balance, WordRates({"W": rates[W], "W_p": rates[W_p]})), -rate * balance, MOMENTS_SYMMETRIC,
    )  # fmt: skip
    yield Identity("the balance is symmetric, hence C is", balance, balance.T)
    factor = sympy.Symbol("E", positive=True)  # exp(2 eta t)
    grown = WordRates({"W": rates[W], "W_p": rates[W_p]}, {factor: rate * factor})
    yield Identity(
        "exp(2 eta t) times the balance does not move, so it is C",
        Along(factor * balance, grown),
        0 * balance,
        MOMENTS_SYMMETRIC,
    )


_GRAM_MOMENTS = Algebra(rules=((X, A * A.T), (X_aug, B * B.T)))


@statement(
    "tian.theorem_2",
    "Theorem 2: without stop-gradient and with W_a = W, d vec(W)/dt = -H vec(W) with H >= (lambda_min(X') + eta) I.",
    "Tian 2021, Theorem 2, Eq. 6",
    ("target online", "no stop-gradient", "X, X' positive semi-definite", "vec stacks columns"),
    {
        "stop-gradient is kept": {"rates": weight_rates(eta_p, eta_s, target="online")},
        "W_p^T W_p - I in the factor of X'": {"first": W_p.T * W_p - I2},
        "(W_p + I) in the factor of X": {"second": (W_p + I2).T * (W_p + I2)},
        "W_p W_p^T in the factor of X'": {"first": W_p * W_p.T + I2},
        "vec stacks rows": {"stack": lemmas.row_stack},
        "the Kronecker factors swapped": {"swap": True},
        "a decay rate of 3/2 lambda": {"exponent": 3},
        "a lower bound of 2 lambda_min(X') + eta": {"share": 2},
    },
)
def theorem_2(
    rates: WordRates | None = None,
    first: Any = None,
    second: Any = None,
    stack: Any = lemmas.column_stack,
    swap: bool = False,
    exponent: int = 2,
    share: int = 1,
) -> Iterator[Step]:
    """The flow as the gradient through both branches, its matrix form, the Gram form of H, the bound."""
    rates = rates or weight_rates(eta_p, eta_s, target="online", stop_gradient=False)
    on_aug, on_mean = matrices.H_factors(W_p, I2)
    action = matrices.H_action(W, W_p, X, X_aug, eta_s, I2)
    if first is not None or second is not None:
        action = (
            (on_aug if first is None else first) * W * X_aug
            + (on_mean if second is None else second) * W * X
            + eta_s * W
        )
    yield Identity(
        "varying W in both branches, delta J = -tr[(dW/dt + eta_s W)^T delta W]",
        Along(_loss(W), WordRates({"W": dW}), "delta"), -sympy.Trace((rates[W] + eta_s * W).T * dW), MOMENTS_SYMMETRIC,
    )  # fmt: skip
    yield Identity("dW/dt = -(matrix form of H vec W)", rates[W], -action, MOMENTS_SYMMETRIC)
    yield lemmas.kronecker_H(stack, swap)
    yield Positivity(
        "vec(W)^T H vec(W) is a sum of squares, so H is positive semi-definite (X = A A^T, X' = B B^T)",
        sympy.Trace(W.T * action), ((1, W_p * W * B), (1, W * B), (1, (W_p - I2) * W * A), (eta_s, W)), _GRAM_MOMENTS,
    )  # fmt: skip
    lowest = sympy.Symbol("m", nonnegative=True)  # lambda_min(X')
    above = Algebra(rules=((X, A * A.T), (X_aug, B * B.T + lowest * I1)))
    yield Positivity(
        "H - (lambda_min(X') + eta_s) I is positive semi-definite: lambda_0 > 0 is certain when X' > 0 or eta_s > 0",
        sympy.Trace(W.T * action) - (share * lowest + eta_s) * sympy.Trace(W.T * W),
        ((1, W_p * W * B), (1, W * B), (1, (W_p - I2) * W * A), (lowest, W_p * W)), above,
    )  # fmt: skip
    yield Identity(
        "d/dt ||W||^2 = -2 vec(W)^T H vec(W)",
        Along(sympy.Trace(W.T * W), rates),
        -2 * sympy.Trace(W.T * action),
        MOMENTS_SYMMETRIC,
    )
    yield lemmas.groenwall("u = ||W||^2 with u' <= -2 lambda_0 u gives ||W|| <= exp(-lambda_0 t) ||W(0)||", 2, exponent)


def _no_predictor_rates(stop_gradient: bool) -> WordRates:
    return weight_rates(eta_p, eta_s, target="online", predictor="identity", stop_gradient=stop_gradient)


@statement(
    "tian.no_predictor",
    "Without predictor and with W_a = W, dW/dt = -W (c X' + eta), c = 1 with and 2 without "
    "stop-gradient: W -> 0 on the range of X' + eta.",
    "Tian 2021, remark after Theorem 2",
    ("target online", "W_p = I", "W -> 0 in full only when eta > 0 or X' > 0"),
    {
        "the same rate with and without stop-gradient": {"factors": (1, 1)},
        "the predictor is not the identity": {"algebra": MOMENTS_SYMMETRIC},
        "everything decays although the rows of W lie in the kernel of X' and eta = 0": {"kernel": 1},
    },
)
def no_predictor(factors: tuple[int, int] = (1, 2), algebra: Algebra | None = None, kernel: Any = 0) -> Iterator[Step]:
    """Both flows, the Gram form of the decay, and what stands still when X' is singular."""
    algebra = NO_PREDICTOR + MOMENTS_SYMMETRIC if algebra is None else algebra
    for stopped, factor in zip((True, False), factors, strict=True):
        rates = _no_predictor_rates(stopped)
        word = "with" if stopped else "without"
        yield Identity(
            f"{word} stop-gradient dW/dt = -{factor} W X' - eta_s W",
            rates[W],
            -factor * W * X_aug - eta_s * W,
            algebra + ONLINE,
        )
        yield Positivity(
            f"{word} stop-gradient -d/dt ||W||^2 is a sum of squares (X' = B B^T)",
            -sympy.Trace(rates[W].T * W) * 2, ((2 * factor, W * B), (2 * eta_s, W)),
            algebra + ONLINE + Algebra(rules=((X_aug, B * B.T),)),
        )  # fmt: skip
    still = (
        NO_PREDICTOR
        + ONLINE
        + Algebra(symmetric=(X, X_aug), rules=((W * X_aug, sympy.ZeroMatrix(n2, n1)),), scalars={eta_s: 0})
    )
    yield Identity(
        "rows of W in the kernel of X' stand still at eta_s = 0: they do not collapse",
        _no_predictor_rates(True)[W], -kernel * W, still, numeric=False,
    )  # fmt: skip
    yield lemmas.groenwall("||W|| <= exp(-(lambda_min(X') + eta_s) t) ||W(0)||")


STATEMENTS = (lemma_1, theorem_1, theorem_2, no_predictor)
