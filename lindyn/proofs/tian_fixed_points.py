"""Tian et al. 2021, Sec. 3: fixed points of a mode at fixed tau, their stability, the critical decay."""

from collections.abc import Iterator
from typing import Any

import sympy

from lindyn.equations import modes
from lindyn.proofs import lemmas
from lindyn.proofs.algebra import Algebra
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
    alpha_p,
    beta,
    correlation_rates,
    eta,
    eta_p,
    eta_s,
    mode_rates,
    n1,
    n2,
    p,
    parabola_rates,
    s,
    tau,
    weight_rates,
    x,
    x_aug,
)
from lindyn.proofs.words import Along

v = x + x_aug
low, gap = sympy.symbols("r h", positive=True)  # p_- = r, p_+ = r + h
scale = sympy.Symbol("v", positive=True)
positive_x, positive_x_aug, positive_eta, positive_tau = sympy.symbols("x x' eta tau", positive=True)


def p_branch(sign: int, decay: Any = eta_s, total: Any = v, drive: Any = x * tau) -> Any:
    """Return p_+-, the roots of v p^2 - x tau p + eta_s: [x tau +- sqrt(x^2 tau^2 - 4 eta_s v)] / (2 v), v = x + x'."""
    q = sympy.Symbol("q")
    roots = sympy.Poly(total * q**2 - drive * q + decay, q)
    a2, a1, a0 = roots.all_coeffs()
    return (-a1 + sign * sympy.sqrt(a1**2 - 4 * a2 * a0)) / (2 * a2)


def at_roots(expr: Any) -> Any:
    """Return an expression with x tau and eta written in the roots: x tau = v (2 r + h), eta = v r (r + h)."""
    return sympy.sympify(expr).subs(
        {x_aug: scale - x, eta: scale * low * (low + gap), tau: scale * (2 * low + gap) / x}
    )


@statement(
    "tian.fixed_points",
    "At fixed tau a mode rests at p = s = 0 and, for 0 < eta_s <= x^2 tau^2/(4(x+x')), at p_+-, "
    "s = (eta_p/eta_s) p^2/alpha_p: eta_s places p, the ratio eta_p/eta_s sets s.",
    "Tian 2021, Sec. 3, Fig. 4; with eta_p != eta_s (Table 5)",
    ("tau fixed", "0 < eta_s <= critical for p_+-"),
    {
        "eta_p in the place of eta_s under the root": {"decay": eta_p},
        "s = p^2/alpha_p with unequal decays": {"ratio": 1},
        "4 eta in the place of 4 eta (1+sigma^2)": {"root_total": sympy.S.One},
    },
)
def fixed_points(decay: Any = eta_s, ratio: Any = eta_p / eta_s, root_total: Any = None) -> Iterator[Step]:
    """The rates factor; the roots make them vanish; nothing else does."""
    rates = mode_rates(eta_p, eta_s, tau="constant")
    D = modes.drive(p, tau, x, x_aug)
    yield ScalarIdentity(
        "ds/dt = 2 s (p D - eta_s): either s = 0 or p D = eta_s", rates[s], 2 * s * modes.growth(p, D, eta_s)
    )
    yield ScalarIdentity("with s = 0, dp/dt = -eta_p p: then p = 0", rates[p].subs(s, 0), -eta_p * p)
    yield ScalarIdentity(
        "with s = c p^2/alpha_p, p dp/dt = c p^2 (p D - eta_s) + (c "
            "eta_s - eta_p) p^2", (rates[p] * p).subs(s, ratio * p**2 / alpha_p),
        ratio * p**2 * (p * D - eta_s) + (ratio * eta_s - eta_p) * p**2,
    )  # fmt: skip
    yield ScalarIdentity("so p D = eta_s leaves c = eta_p/eta_s only", (ratio * eta_s - eta_p) * p**2, 0)
    for sign, name in ((1, "p_+"), (-1, "p_-")):
        root = p_branch(sign, decay, v if root_total is None else root_total)
        yield ScalarIdentity(
            f"p D = eta_s at {name}", sympy.expand(modes.growth(root, modes.drive(root, tau, x, x_aug), eta_s)), 0
        )


@statement(
    "tian.stability",
    "On the parabola at fixed tau 0 < eta < critical: p = 0 and p_+ are stable, p_- is unstable; "
    "at eta = critical p_- = p_+ is stable from one side only.",
    "Tian 2021, Sec. 3, Fig. 4",
    ("tau fixed", "0 < eta < x^2 tau^2/(4(x+x')), strictly"),
    {
        "p_- stable": {"signs": ("negative", "negative", "negative")},
        "p_+ unstable": {"signs": ("negative", "positive", "positive")},
        "the slope's factor p left out": {"slope": lambda q: -scale * gap},
    },
)
def stability(signs: tuple[str, str, str] = ("negative", "positive", "negative"), slope: Any = None) -> Iterator[Step]:
    """dp/dt in its roots, and its slope at each of them."""
    line = at_roots(parabola_rates(tau="constant")[p])
    yield ScalarIdentity("dp/dt = -v p (p - p_-)(p - p_+)", line, -scale * p * (p - low) * (p - low - gap))
    shown = (-scale * low * (low + gap), scale * low * gap, -scale * (low + gap) * gap)
    for at, sign, value, name in zip((0, low, low + gap), signs, shown, ("0", "p_-", "p_+"), strict=True):
        value = slope(at) if slope is not None else value
        yield ScalarSign(f"slope at {name}", value, sympy.diff(line, p).subs(p, at), sign)
    fold = line.subs(gap, 0)
    yield ScalarIdentity(
        "at the critical decay dp/dt = -v p (p - p_-)^2: half-stable, no p_+ apart from p_-",
        fold,
        -scale * p * (p - low) ** 2,
    )


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


@statement(
    "tian.branches_eta_0",
    "At eta = 0 and fixed tau every point of s = 0 (p any) and of p = x tau/(x+x') (s any) "
    "rests; s = 0 is repelling for 0 < p < x tau/(x+x'), attracting outside; the other branch "
    "attracts at alpha_p (x+x') s.",
    "Tian 2021, Sec. 3, Fig. 3 (left)",
    ("eta = 0", "tau fixed"),
    {
        "the branch s = 0 at eta > 0": {"decay": eta},
        "the branch p = tau": {"alive": tau},
        "the eigenvalue with alpha_p s only": {"rate": alpha_p * s},
    },
)
def branches_eta_0(decay: Any = 0, alive: Any = x * tau / v, rate: Any = alpha_p * v * s) -> Iterator[Step]:
    """Rates on both branches and the eigenvalues of the Jacobian there."""
    rates = mode_rates(decay, decay, tau="constant")
    field = sympy.Matrix([rates[p], rates[s]])
    yield ScalarIdentity("dp/dt on s = 0", rates[p].subs(s, 0), 0)
    yield ScalarIdentity("ds/dt on s = 0", rates[s].subs(s, 0), 0)
    yield ScalarIdentity("dp/dt on p = x tau/(x+x')", rates[p].subs(p, alive), 0)
    yield ScalarIdentity("ds/dt there", rates[s].subs(p, alive), 0)
    J = field.jacobian([p, s])
    dead, live = J.subs(s, 0), J.subs(p, alive)
    D = modes.drive(p, tau, x, x_aug)
    yield ScalarIdentity("eigenvalues on s = 0: their sum is 2 p D", dead.trace(), 2 * p * D)
    yield ScalarIdentity("and their product 0 (one along the branch)", dead.det(), 0)
    yield ScalarIdentity("on the other branch: the sum is -alpha_p (x+x') s", live.trace(), -rate)
    yield ScalarIdentity("and the product 0", live.det(), 0)


@statement(
    "tian.p_minus_monotone",
    "Obs. #4, #10: p_- rises with eta and falls with tau (strictly for eta > 0; at eta = 0, p_- = 0 for every tau).",
    "Tian 2021, Sec. 3, Obs. #4 and #10",
    ("0 < eta < critical",),
    {
        "p_- falls with eta": {"signs": ("negative", "negative")},
        "p_- rises with tau": {"signs": ("positive", "positive")},
        "p_+ in place of p_-": {"branch": 1},
    },
)
def p_minus_monotone(signs: tuple[str, str] = ("positive", "negative"), branch: int = -1) -> Iterator[Step]:
    """Derivatives of the branch, written in the roots."""
    root = p_branch(branch, eta, scale, sympy.Symbol("c", positive=True))
    c = sympy.Symbol("c", positive=True)  # x tau
    back = {eta: scale * low * (low + gap), c: scale * (2 * low + gap)}
    yield ScalarIdentity("the branch in the roots", sympy.simplify(root.subs(back)), low if branch < 0 else low + gap)
    by_eta, by_tau = (sympy.simplify(sympy.diff(root, q).subs(back)) for q in (eta, c))
    yield ScalarSign("d p_-/d eta = 1/(v (p_+ - p_-))", 1 / (scale * gap), by_eta, signs[0])
    yield ScalarSign("d p_-/d (x tau) = -p_-/(v (p_+ - p_-))", -low / (scale * gap), by_tau, signs[1])
    yield ScalarIdentity("at eta = 0 it is 0 for every tau", root.subs(eta, 0), 0 if branch < 0 else c / scale)


STATEMENTS = (
    fixed_points,
    stability,
    critical_decay,
    critical_decay_full,
    critical_decay_ema,
    branches_eta_0,
    p_minus_monotone,
)
