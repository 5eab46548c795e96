"""Tian et al. 2021, Obs. #5: certain collapse above the critical decay, per mode and in the full flow."""

from collections.abc import Iterator
from typing import Any

import sympy

from lindyn.equations import modes
from lindyn.proofs import lemmas
from lindyn.proofs.algebra import Algebra
from lindyn.proofs.matrix_words import Along
from lindyn.proofs.statement import statement
from lindyn.proofs.steps import Identity, Positivity, ScalarIdentity, ScalarSign, Step
from lindyn.proofs.symbols import (
    HALF,
    I2,
    F,
    W,
    W_a,
    W_p,
    X,
    X_aug,
    beta,
    correlation_rates,
    eta_p,
    eta_s,
    n1,
    n2,
    p,
    tau,
    weight_rates,
    x,
    x_aug,
)
from lindyn.proofs.tian_fixed_points import v

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
    critical = x**2 * tau**2 / (share * v)
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
    samples={"Sigma_s^-1": lambda m, n: _inverse(m["Sigma_s"])},
)


@statement(
    "tian.critical_decay_ema",
    "The same with a moving target: when eta_s > lambda_max(X (X+X')^-1 X)/4 the larger of "
    "||W||, ||W_a|| falls at all times, so collapse is certain for target ema (beta > 0) "
    "although tau may pass 1 on the way; a frozen target escapes it.",
    "Tian 2021, Obs. #5 carried to Lemma 1 with EMA",
    ("beta > 0", "stop-gradient kept", "X + X' > 0"),
    {
        "a frozen target": {"target": "frozen"},
        "a share of 1/8": {"share": 8},
        "W in the place of W_a in the bound": {"source": W},
    },
    beyond=True,
)
def critical_decay_ema(target: str = "ema", share: int = 4, source: Any = W_a) -> Iterator[Step]:
    """||W|| falls while ||W_a|| <= ||W||; ||W_a|| falls while ||W|| <= ||W_a||; one of the two is always the larger."""
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
        "d/dt ||W_a||^2 = 2 beta (<W, W_a> - ||W_a||^2)",
        Along(sympy.Trace(W_a.T * W_a), rates), 2 * beta * (sympy.Trace(W.T * W_a) - sympy.Trace(W_a.T * W_a)),
    )  # fmt: skip
    small, spare, critical, excess, rate = sympy.symbols("A g c d b", positive=True)
    yield ScalarSign(
        "with ||W||^2 = A + g >= ||W_a||^2 = A: -2 (c + d)(A + g) + 2 c A < 0",
        -2 * (critical * spare + excess * (small + spare)),
        -2 * (critical + excess) * (small + spare) + 2 * critical * small, "negative",
    )  # fmt: skip
    yield ScalarSign(
        "with ||W_a|| = ||W|| + g: <W, W_a> - ||W_a||^2 <= -g ||W_a|| < 0 by Cauchy-Schwarz",
        -rate * spare * (small + spare), rate * (small * (small + spare) - (small + spare) ** 2), "negative",
    )  # fmt: skip


def _inverse(M: Any) -> Any:
    import numpy as np

    return np.linalg.inv(M)


STATEMENTS = (critical_decay, critical_decay_full, critical_decay_ema)
