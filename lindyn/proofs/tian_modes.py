"""Tian et al. 2021, Eqs. 11-16: the decoupled modes, the integral of motion, the parabola and tau on it."""

from collections.abc import Iterator
from typing import Any

import sympy

from lindyn.equations import modes, parabola, target
from lindyn.proofs.algebra import Algebra
from lindyn.proofs.matrix_words import WordRates
from lindyn.proofs.statement import statement
from lindyn.proofs.steps import CommutingValue, Identity, ScalarIdentity, ScalarSign, Step
from lindyn.proofs.symbols import (
    HALF,
    F,
    W,
    W_a,
    W_p,
    X,
    X_aug,
    a,
    alpha_p,
    beta,
    correlation_rates,
    eta,
    eta_p,
    eta_s,
    mode_rates,
    mode_weight_rates,
    n1,
    n2,
    p,
    parabola_rates,
    rate_of,
    s,
    t,
    tau,
    w,
    weight_rates,
    x,
    x_aug,
)
from lindyn.proofs.tian_alignment import BOTH_SYMMETRIC, COMMUTING

U, V = sympy.MatrixSymbol("U", n2, n2), sympy.MatrixSymbol("V", n1, n2)
P_, w_, a_, x_, y_ = (sympy.MatrixSymbol(name, n2, n2) for name in ("diag_p", "diag_w", "diag_a", "diag_x", "diag_x'"))
_I = sympy.Identity(n2)
FRAMES = Algebra(
    symmetric=(P_, w_, a_, x_, y_, X, X_aug),
    rules=(
        (U.T * U, _I), (U * U.T, _I), (V.T * V, _I), (X * V, V * x_), (X_aug * V, V * y_),
        (W, U * w_ * V.T), (W_a, U * a_ * V.T), (W_p, U * P_ * U.T),
    ),
)  # fmt: skip


@statement(
    "tian.decoupled_modes",
    "Eqs. 11-13: for commuting W_p and F every eigen-direction obeys its own (p, s, tau) "
    "equations, and the eigenvectors stand still.",
    "Tian 2021, Eqs. 11-13",
    ("Assumptions 1 + 2 + 3", "[F, W_p] = 0"),
    {
        "a factor 2 left out of ds/dt": {"scalar": mode_rates(eta_p, eta_s).scalars[s] / 2},
        "F and W_p do not commute": {"algebra": BOTH_SYMMETRIC + Algebra(rules=())},
        "Assumption 1 with tau, not tau/2, before ds/dt": {"share": 1},
    },
)
def decoupled_modes(scalar: Any = None, algebra: Algebra = COMMUTING, share: Any = HALF) -> Iterator[Step]:
    """The (W_p, F) flow as functions of commuting letters, and tau from Assumption 1."""
    matrix, mode = correlation_rates(eta_p, eta_s, predictor="symmetrised"), mode_rates(eta_p, eta_s)
    for letter, name in ((W_p, "dW_p/dt"), (F, "dF/dt")):
        yield Identity(f"{name} commutes with W_p", matrix[letter] * W_p, W_p * matrix[letter], algebra, numeric=False)
        yield Identity(f"{name} commutes with F", matrix[letter] * F, F * matrix[letter], algebra, numeric=False)
    values = {W_p: p, F: s}
    yield CommutingValue("dp/dt", matrix[W_p], values, mode[p], algebra)
    yield CommutingValue("ds/dt", matrix[F], values, mode[s] if scalar is None else scalar, algebra)
    yield ScalarIdentity(
        "Eq. 13: s dtau/dt = beta (1 - tau) s - (tau/2) ds/dt",
        s * mode[tau],
        beta * (1 - tau) * s - share * tau * mode[s],
    )


@statement(
    "tian.modes_without_assumption_1",
    "Exact per-mode reduction: for commuting X, X' and decoupled initial values Lemma 1 splits "
    "into (p, w, a) systems with no Assumption 1; s = w^2, tau = a/w obey Eqs. 11-13.",
    "Tian 2021, Appendix D, generalised (any decays, any alpha_p, beta)",
    ("X, X' commute", "W = U diag(w) V^T, W_a = U diag(a) V^T, W_p = U diag(p) U^T at the start"),
    {
        "X and X' without common eigenvectors": {
            "algebra": Algebra(FRAMES.symmetric, FRAMES.rules[:4] + FRAMES.rules[5:])
        },
        "x' left out of the drive": {"values": {P_: p, w_: w, a_: a, x_: x, y_: 0}},
        "tau = w/a": {"ratio": w / a},
        "U not orthogonal": {"algebra": Algebra(FRAMES.symmetric, FRAMES.rules[2:])},
    },
    beyond=True,
)
def modes_without_assumption_1(algebra: Algebra = FRAMES, values: Any = None, ratio: Any = a / w) -> Iterator[Step]:
    """The rates of Lemma 1 in the two frames; that they stay there; the change to (p, s, tau)."""
    rates, scalar = weight_rates(eta_p, eta_s), mode_weight_rates(eta_p, eta_s)
    values = values or {P_: p, w_: w, a_: a, x_: x, y_: x_aug}
    for letter, symbol, right in ((W, w, V), (W_p, p, U), (W_a, a, V)):
        inner = U.T * rates[letter] * right
        yield Identity(
            f"d{letter.name}/dt stays in the frames", rates[letter], U * inner * right.T, algebra, numeric=False
        )
        yield CommutingValue(f"its entry is d{symbol}/dt of one mode", inner, values, scalar[symbol], algebra)
    mode = mode_rates(eta_p, eta_s)
    at = {s: w**2, tau: ratio}
    yield ScalarIdentity("dp/dt with s = w^2, tau = a/w", scalar[p], mode[p].subs(at))
    yield ScalarIdentity("ds/dt", rate_of(w**2, scalar), mode[s].subs(at))
    yield ScalarIdentity("dtau/dt: Eq. 13 is exact for one mode", rate_of(ratio, scalar), mode[tau].subs(at))


@statement(
    "tian.integral_of_motion",
    "Eq. 14: s - p^2/alpha_p = c exp(-2 eta t) along every mode.",
    "Tian 2021, Eq. 14",
    ("eta_p = eta_s",),
    {
        "unequal decays": {"rates": mode_rates(eta_p, eta_s)},
        "the rate is eta": {"rate": eta},
        "alpha_p p^2 in place of p^2/alpha_p": {"quantity": s - alpha_p * p**2},
    },
)
def integral_of_motion(rates: WordRates | None = None, rate: Any = 2 * eta, quantity: Any = None) -> Iterator[Step]:
    """One derivative; and the parabola c = 0 is invariant."""
    quantity = modes.integral_of_motion(p, s, alpha_p) if quantity is None else quantity
    rates = rates or mode_rates()
    yield ScalarIdentity("d/dt of s - p^2/alpha_p", rate_of(quantity, rates), -rate * quantity)
    yield ScalarIdentity("exp(2 eta t) times it does not move", rate_of(sympy.exp(rate * t) * quantity, rates), 0)


@statement(
    "tian.eq_16",
    "Eq. 16: on s = p^2/alpha_p one equation in p remains, dp/dt = p^2 [tau - (1+sigma^2) p] - eta p, free of alpha_p.",
    "Tian 2021, Eq. 16",
    ("eta_p = eta_s", "s = p^2/alpha_p"),
    {
        "p in place of p^2": {"claimed": p * modes.drive(p, tau, x, x_aug) - eta * p},
        "2 eta p": {"claimed": p**2 * modes.drive(p, tau, x, x_aug) - 2 * eta * p},
        "off the parabola": {"curve": p**2 / alpha_p + 1},
    },
)
def eq_16(claimed: Any = None, curve: Any = p**2 / alpha_p) -> Iterator[Step]:
    """Both equations of a mode restricted to the parabola."""
    rates, on = mode_rates(), {s: curve}
    line = parabola_rates()
    yield ScalarIdentity("dp/dt there", rates[p].subs(on), line[p] if claimed is None else claimed)
    yield ScalarIdentity("ds/dt there is that of p^2/alpha_p", rates[s].subs(on), rate_of(p**2 / alpha_p, line))
    yield ScalarIdentity("dtau/dt there", rates[tau].subs(on), line[tau])
    yield ScalarIdentity(
        "as the equations folder has it", line[p], parabola.dp(p, modes.growth(p, modes.drive(p, tau, x, x_aug), eta))
    )


@statement(
    "tian.eq_15",
    "Eq. 15 with its missing term: tau(t) p(t) = exp(-beta t) [tau(0) p(0) + beta Int p exp(beta t')], for p(0) != 0.",
    "Tian 2021, Eq. 15",
    ("on the parabola", "eta_p = eta_s", "p(0) != 0 (p = 0 stays 0, and the ratio is 0/0)"),
    {
        "the printed form, tau(0) = 0, used at tau(0) != 0": {"start": 0},
        "exp(-beta t') under the integral": {"sign": -1},
        "off the parabola, with p in place of sqrt(s)": {"growth_of": mode_rates()},
    },
)
def eq_15(start: Any = None, sign: int = 1, growth_of: WordRates | None = None) -> Iterator[Step]:
    """Tau p obeys a linear equation; its solution by variation of constants; the same with sqrt(s) off the parabola."""
    line = growth_of or parabola_rates()
    yield ScalarIdentity("d(tau p)/dt = beta (p - tau p)", rate_of(tau * p, line), beta * (p - tau * p))
    full = mode_rates(eta_p, eta_s)
    yield ScalarIdentity(
        "off the parabola: d(tau sqrt s)/dt = beta (sqrt s - tau sqrt s)",
        rate_of(tau * sympy.sqrt(s), full),
        beta * sympy.sqrt(s) * (1 - tau),
    )
    tau0, p0 = sympy.symbols("tau_0 p_0", positive=True)
    r, path = sympy.Symbol("r", nonnegative=True), sympy.Function("p")
    first = tau0 * p0 if start is None else start
    y = sympy.exp(-beta * t) * (first + beta * sympy.Integral(path(r) * sympy.exp(sign * beta * r), (r, 0, t)))
    yield ScalarIdentity("the printed integral solves it", sympy.diff(y, t).doit(), beta * (path(t) - y))
    yield ScalarIdentity("and starts at tau(0) p(0)", y.subs(t, 0).doit(), tau0 * p0)
    yield ScalarIdentity(
        "p = 0 stays 0, where the ratio tau = (tau p)/p has no value", parabola_rates()[p].subs(p, 0), 0
    )


@statement(
    "tian.tau_bounds",
    "Obs. #8: with tau(0) = 0, tau(t) <= 1 - exp(-beta t) while p does not fall (the "
    "curriculum), and >= while it does not rise.",
    "Tian 2021, Eq. 15 and Obs. #8",
    ("on the parabola or with sqrt(s) for p", "p monotone so far"),
    {
        "tau itself rises for any growth": {"always": True},
        "the bound 1 - exp(-2 beta t)": {"factor": 2},
    },
)
def tau_bounds(always: bool = False, factor: int = 1) -> Iterator[Step]:
    """U = tau - (1 - exp(-beta t)) obeys u' = -beta u - tau g: it cannot become positive while the growth g >= 0."""
    g, past = sympy.symbols("g h", nonnegative=True)  # past: exp(beta t) - 1
    bound, u = 1 - sympy.exp(-factor * beta * t), sympy.Symbol("u", real=True)
    rate = target.dtau(u + bound, g, beta) - sympy.diff(bound, t)
    yield ScalarIdentity("u' = -beta u - (u + bound) g", rate, -beta * u - (u + bound) * g)
    at_bound = rate.subs(u, 0).subs(sympy.exp(-beta * t), 1 / (1 + past))
    yield ScalarSign(
        "at u = 0 the rate is <= 0: the bound is a barrier (g <= 0: a barrier from below)",
        -g * past / (1 + past),
        at_bound,
        "nonpositive",
    )
    if always:
        moving = target.dtau(tau, g, beta)
        yield ScalarSign("dtau/dt >= 0 for every g >= 0", moving, moving, "nonnegative")


STATEMENTS = (decoupled_modes, modes_without_assumption_1, integral_of_motion, eq_16, eq_15, tau_bounds)
