"""Certain collapse above the critical decay: with tau, in the full flow, with a moving target, for one output."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import sympy

from lindyn.equations import modes
from lindyn.proofs import lemmas
from lindyn.proofs.algebra import Algebra, Along
from lindyn.proofs.letters import *
from lindyn.proofs.sheets.tian_modes import v
from lindyn.proofs.statement import statement
from lindyn.proofs.steps import Identity, Positivity, ScalarIdentity, ScalarSign, Step
from lindyn.theory import certain_collapse, stationary_points

Q = sympy.MatrixSymbol("Q", n2, n2)


@statement(
    "tian.critical_decay",
    "Above eta_s = x^2 tau^2/(4(x+x')) collapse is certain from every initial value: s <= s(0) "
    "exp(-2 (eta_s - critical) t), whatever eta_p and alpha_p; likewise tr F under Assumptions 1 "
    "+ 2.",
    "Tian 2021, Sec. 3, Obs. #5",
    ("tau <= its largest value in `critical`", "Assumptions 1 + 2"),
    {
        "the critical decay is x^2 tau^2/(2(x+x'))/4": {"share": 8},
        "the condition is on eta_p": {"decay": eta_p},
        "the square completed at p = x tau/(x+x')": {"centre": 1},
    },
)
def critical_decay(share: int = 4, decay: Any = eta_s, centre: Any = HALF) -> Iterator[Step]:
    """Completing the square: p D = critical - v (p - x tau/(2 v))^2, for one mode and for matrices."""
    D = modes.drive(p, tau, x, x_aug)
    critical = 4 * stationary_points.critical_of(x * tau, v) / share
    excess = v * (p - centre * x * tau / v) ** 2
    yield ScalarIdentity(
        "growth = critical - eta_s - v (p - x tau/(2v))^2", modes.growth(p, D, eta_s), critical - decay - excess
    )
    yield ScalarIdentity("the discriminant of p_+- vanishes at eta_s = critical", (x * tau) ** 2 - 4 * v * critical, 0)
    rates = correlation_rates(eta_p, eta_s)
    trace = Along(sympy.Trace(F), rates)
    shifted = W_p - (centre * x * tau / v) * I2
    on = Algebra(rules=((F, Q * Q.T),))
    yield Identity(
        "d/dt tr F = -2 (eta_s - critical) tr F - 2 v ||(W_p - x tau/(2v)) Q||^2, F = Q Q^T, for any W_p",
        trace, -2 * (decay - critical) * sympy.Trace(F) - 2 * v * sympy.Trace(shifted.T * shifted * F), on,
    )  # fmt: skip
    yield Positivity("the last trace is a square", sympy.Trace(shifted.T * shifted * F), ((1, shifted * Q),), on)
    yield lemmas.groenwall("u = tr F (or s) with u' <= -2 (eta_s - critical) u", 2, 2)


S, R, P1 = (sympy.MatrixSymbol(name, n1, n1) for name in ("Sigma_s", "Sigma_s^-1", "P"))


@statement(
    "tian.critical_decay_full",
    "Full flow, target online, any X, X': collapse is certain when eta_s > lambda_max(X "
    "(X+X')^-1 X)/4, from every initial value and for any predictor.",
    "Tian 2021, Obs. #5 carried to Lemma 1 (no Assumption 1, 2 or 3)",
    ("W_a = W", "stop-gradient kept", "X + X' > 0"),
    {
        "a target that is not the online network": {"online": False},
        "a share of 1/8": {"share": 8},
        "the inverse of X' in place of X + X'": {
            "inverse": Algebra(rules=((X_aug * R, sympy.Identity(n1)), (R * X_aug, sympy.Identity(n1))))
        },
    },
    beyond=True,
)
def critical_decay_full(online: bool = True, share: int = 4, inverse: Algebra | None = None) -> Iterator[Step]:
    """Completing the square with Sigma_s = X + X' = P P^T in the full flow."""
    rates = weight_rates(eta_p, eta_s, target="online") if online else weight_rates(eta_p, eta_s)
    algebra = INVERSE_S if inverse is None else Algebra(symmetric=(X, X_aug, R)) + inverse
    shifted = W_p * W - W * X * R / 2
    rest = sympy.Trace(shifted * (X + X_aug) * shifted.T)
    bound = sympy.Trace(W * X * R * X * W.T)
    yield Identity(
        "d/dt ||W||^2 = -2 eta_s ||W||^2 + (1/2) tr(W X Sigma_s^-1 X W^T) - 2 tr(Z Sigma_s Z^T), "
            "Z = W_p W - W X Sigma_s^-1 / 2",
        Along(sympy.Trace(W.T * W), rates), -2 * eta_s * sympy.Trace(W.T * W) + 2 * bound / share - 2 * rest,
        algebra, numeric=inverse is None,
    )  # fmt: skip
    Z = sympy.MatrixSymbol("Z", n2, n1)
    yield Positivity(
        "tr(Z Sigma_s Z^T) is a square", sympy.Trace(Z * S * Z.T), ((1, (Z * P1).T),), Algebra(rules=((S, P1 * P1.T),))
    )
    yield lemmas.groenwall("u = ||W||^2 with u' <= -2 (eta_s - lambda_max/4) u", 2, 2)


INVERSE_S = Algebra(
    symmetric=(X, S, R),
    rules=((X_aug, S - X), (S * R, sympy.Identity(n1)), (R * S, sympy.Identity(n1))),
    samples={"Sigma_s^-1": lambda m, n: np.linalg.inv(m["Sigma_s"])},
)


@statement(
    "tian.critical_decay_ema",
    "The same with a moving target: when eta_s > lambda_max(X (X+X')^-1 X)/4, beta ||W||^2 + m ||W_a||^2 falls at the "
    "rate r > 0 or faster from every start (W_a = W too), so collapse is certain for target ema although tau may pass "
    "1 on the way; a frozen target escapes it.",
    "Tian 2021, Obs. #5 carried to Lemma 1 with EMA",
    ("beta > 0", "stop-gradient kept", "X + X' > 0"),
    {
        "a frozen target": {"target": "frozen"},
        "a share of 1/8": {"share": 8},
        "W in the place of W_a in the bound": {"source": W},
        "the two norms weighted alike": {"weights": (1, 1)},
        "a rate of 2 r": {"faster": 2},
        "the rate is positive at the critical decay": {"excess": sympy.Symbol("r", nonnegative=True)},
    },
    beyond=True,
)
def critical_decay_ema(
    target: str = "ema", share: int = 4, source: Any = W_a, weights: Any = None, faster: Any = 1, excess: Any = None
) -> Iterator[Step]:
    """Bounds on d/dt of both norms, a Metzler matrix: its left eigenvector is positive, Groenwall's lemma closes."""
    rates = weight_rates(eta_p, eta_s, target=target)
    shifted = W_p * W - source * X * R / 2
    rest = sympy.Trace(shifted * S * shifted.T)
    pull = sympy.Trace(source * X * R * X * source.T)
    yield Identity(
        "d/dt ||W||^2 = -2 eta_s ||W||^2 + (1/2) tr(W_a X Sigma_s^-1 X W_a^T) - 2 tr(Z Sigma_s "
            "Z^T), Z = W_p W - W_a X Sigma_s^-1 / 2",
        Along(sympy.Trace(W.T * W), rates), -2 * eta_s * sympy.Trace(W.T * W) + 2 * pull / share - 2 * rest, INVERSE_S,
    )  # fmt: skip
    yield Identity(
        "d/dt ||W_a||^2 = beta (||W||^2 - ||W_a||^2 - ||W - W_a||^2)",
        Along(sympy.Trace(W_a.T * W_a), rates),
        beta * (sympy.Trace(W.T * W) - sympy.Trace(W_a.T * W_a) - sympy.Trace((W - W_a).T * (W - W_a))),
    )
    yield from _squares_of_the_full_flow()
    r, y, z = sympy.symbols("r y z", positive=True)
    U, A_ = sympy.symbols("U A", nonnegative=True)
    r = r if excess is None else excess
    rate, decay, c_ = r + z, (r + y) / 2, y * z / (2 * (r + z))  # every beta, eta_s, c with a rate r
    found, m = certain_collapse.moving_target_decay(decay, c_, rate, lambda q: sympy.sqrt(sympy.factor(q)))
    yield ScalarIdentity("with beta = r + z, 2 eta_s = r + y and 2 c beta = y z, the rate is r", found, r)
    first, second = (rate, m) if weights is None else weights
    fallen = first * (-2 * decay * U + 2 * c_ * A_) + second * rate * (U - A_)
    yield ScalarIdentity(
        "beta U + m A falls at r: beta (-2 eta_s U + 2 c A) + m beta (U - A) = -r (beta U + m A)",
        fallen, -faster * r * (first * U + second * A_),
    )  # fmt: skip
    yield ScalarSign("its weight m is positive", y, m, "positive")
    yield ScalarSign(
        "r > 0 exactly where eta_s > c: eta_s - c = r (r + y + z)/(2 (r + z))",
        r * (r + y + z) / (2 * (r + z)), decay - c_, "positive",
    )  # fmt: skip
    yield lemmas.groenwall("u = beta ||W||^2 + m ||W_a||^2 with u' <= -r u", 1, 1)


def _squares_of_the_full_flow() -> Iterator[Step]:
    """What is dropped is a square; what is kept is at most lambda_max times the norm."""
    Z, top = sympy.MatrixSymbol("Z", n2, n1), sympy.Symbol("lambda_max", nonnegative=True)
    N = sympy.MatrixSymbol("N", n1, n1)
    yield Positivity(
        "tr(Z Sigma_s Z^T) is a square", sympy.Trace(Z * S * Z.T), ((1, (Z * P1).T),), Algebra(rules=((S, P1 * P1.T),))
    )
    yield Positivity(
        "lambda_max ||V||^2 - tr(V X Sigma_s^-1 X V^T) is a square, lambda_max I - X Sigma_s^-1 X = N N^T",
        top * sympy.Trace(Z * Z.T) - sympy.Trace(Z * (top * sympy.Identity(n1) - N * N.T) * Z.T), ((1, (Z * N).T),),
    )  # fmt: skip


a_, b_ = sympy.symbols("a b", positive=True)  # w X w^T and w Sigma_s w^T of a row w of length 1


@statement(
    "tian.critical_decay_one_output",
    "One output, any X, X', W_a = W: collapse is certain above sup_w (w X w^T)^2/(4 w Sigma_s w^T w w^T), and at this "
    "decay a living state rests: no smaller number will do. It is at most lambda_max(X (X+X')^-1 X)/4, with equality "
    "where X and X' commute.",
    "Tian 2021, Obs. #5 carried to Lemma 1, n2 = 1",
    ("n2 = 1, so that W_p = p I", "W_a = W", "stop-gradient kept", "X + X' > 0"),
    {
        "a share of 1/2": {"share": 2},
        "the target is not the online network": {"target": "ema"},
        "it rests at p = a/b": {"resting": a_ / b_},
        "the decay of the predictor in the place of that of W": {"decay": eta_p},
    },
    beyond=True,
)
def critical_decay_one_output(
    share: int = 4, target: str = "online", resting: Any = a_ / (2 * b_), decay: Any = eta_s
) -> Iterator[Step]:
    """The square completed in p; the stationary direction of the quotient rests."""
    rates = weight_rates(eta_p, eta_s, target=target)
    bare = MOMENTS_SYMMETRIC + Algebra(rules=((W_p, p * I2),))
    norm, aa, bb = (sympy.Trace(M) for M in (W * W.T, W * X * W.T, W * (X + X_aug) * W.T))
    yield Identity(
        "d/dt |w|^2 = 2 (p w X w^T - p^2 w Sigma_s w^T - eta_s |w|^2)",
        Along(norm, rates), 2 * (p * aa - p**2 * bb - decay * norm), bare,
    )  # fmt: skip
    yield ScalarIdentity(
        "p a - p^2 b = a^2/(4 b) - b (p - a/(2 b))^2", p * a_ - p**2 * b_,
        a_**2 / (share * b_) - b_ * (p - a_ / (2 * b_)) ** 2,
    )  # fmt: skip
    yield lemmas.groenwall("u = |w|^2 with u' <= -2 (eta_s - threshold) u", 2, 2)
    # where the quotient is stationary: 2 w X/a - w Sigma_s/b - w = 0
    steepest = INVERSE_S + Algebra(rules=((W * S, 2 * b_ / a_ * W * X - b_ * W), (W_a, W), (W_p, resting * I2)))
    threshold = a_**2 / (share * b_)
    here = steepest + Algebra(scalars={eta_s: threshold})
    yield Identity("there dw/dt = 0 at p = a/(2 b) and eta_s = a^2/(4 b)", rates[W], 0 * W, here, numeric=False)
    size = sympy.Symbol("n", positive=True)  # |w|^2
    moved = modes.dp_weights(resting, 1, size * (a_ - resting * b_), alpha_p, eta_p)
    living = eta_p / (alpha_p * b_)
    yield ScalarIdentity("and dp/dt = 0 where |w|^2 = eta_p/(alpha_p b)", moved.subs(size, living), 0)
    w_ = sympy.MatrixSymbol("w", 1, n1)
    yield Positivity(
        "it is at most the threshold of many outputs: w X S^-1 X w^T - a^2/b = |z|^2_S, z = w X S^-1 - (a/b) w",
        sympy.Trace(w_ * X * R * X * w_.T) - 2 * (a_ / b_) * sympy.Trace(w_ * X * w_.T)
        + (a_ / b_) ** 2 * sympy.Trace(w_ * S * w_.T),
        ((1, ((w_ * X * R - (a_ / b_) * w_) * P1).T),),
        INVERSE_S + Algebra(rules=((P1 * P1.T, S),)),
    )  # fmt: skip
    yield ScalarIdentity(
        "with a and b put in: -2 (a/b) a + (a/b)^2 b = -a^2/b", -2 * a_ / b_ * a_ + (a_ / b_) ** 2 * b_, -(a_**2) / b_
    )
    x_, v_ = sympy.symbols("x_j v_j", positive=True)
    shared = Algebra(symmetric=(X, R), rules=((w_ * X, x_ * w_), (w_ * R, w_ / v_)))
    yield Identity(
        "along a common eigenvector w X S^-1 X w^T is a^2/b too, a = x_j w w^T, b = v_j w w^T",
        w_ * X * R * X * w_.T, x_**2 / v_ * w_ * w_.T, shared, numeric=False,
    )  # fmt: skip


STATEMENTS = (critical_decay, critical_decay_full, critical_decay_ema, critical_decay_one_output)
