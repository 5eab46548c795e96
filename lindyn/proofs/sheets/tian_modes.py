"""Tian et al. 2021, Eqs. 11-16 and Sec. 3: the decoupled modes, the parabola, tau on it, where a mode rests."""

from collections.abc import Iterator
from typing import Any

import sympy

from lindyn.equations import modes, parabola, target
from lindyn.proofs.algebra import Algebra, WordRates
from lindyn.proofs.letters import *
from lindyn.proofs.statement import statement
from lindyn.proofs.steps import CommutingValue, Identity, ScalarIdentity, ScalarSign, Step
from lindyn.theory import stationary_points

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
    tau0, p0 = (sympy.Symbol(name, positive=True) for name in ("tau(0)", "p(0)"))
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


v = x + x_aug
low, gap = sympy.symbols("r h", positive=True)  # p_- = r, p_+ = r + h
scale = sympy.Symbol("v", positive=True)


def p_branch(sign: int, decay: Any = eta_s, total: Any = v, drive: Any = x * tau) -> Any:
    """Return p_+-, where a mode does not grow, as `lindyn.theory` has them: p (drive - total p) = decay."""
    return stationary_points.roots_of(decay, drive, total, sympy.sqrt)[sign > 0]


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
            "eta_s - eta_p) p^2", (rates[p] * p).subs(s, stationary_points.size_of(p, ratio, alpha_p)),
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
    plane = mode_rates(eta_p, eta_s, tau="constant")
    J = sympy.Matrix([plane[p], plane[s]]).jacobian([p, s])
    shipped = stationary_points.jacobian_of(p, s, eta_p, eta_s, x * tau, v, alpha_p)
    for k, entry in enumerate(J):
        yield ScalarIdentity(f"entry {k + 1} of the Jacobian in (p, s)", entry, shipped[k // 2][k % 2])
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
    yield ScalarIdentity(
        "nothing grows there", modes.growth(root, modes.drive(root, 1, c, scale - c), eta), 0
    )  # fmt: skip
    yield ScalarIdentity("the branch in the roots", sympy.simplify(root.subs(back)), low if branch < 0 else low + gap)
    by_eta, by_tau = (sympy.simplify(sympy.diff(root, q).subs(back)) for q in (eta, c))
    yield ScalarSign("d p_-/d eta = 1/(v (p_+ - p_-))", 1 / (scale * gap), by_eta, signs[0])
    yield ScalarSign("d p_-/d (x tau) = -p_-/(v (p_+ - p_-))", -low / (scale * gap), by_tau, signs[1])
    yield ScalarIdentity("at eta = 0 it is 0 for every tau", root.subs(eta, 0), 0 if branch < 0 else c / scale)


STATEMENTS = (
    decoupled_modes,
    modes_without_assumption_1,
    integral_of_motion,
    eq_16,
    eq_15,
    tau_bounds,
    fixed_points,
    stability,
    branches_eta_0,
    p_minus_monotone,
)
