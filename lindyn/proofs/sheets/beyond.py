"""What the papers leave out and the derivation gives; the closed forms are those of `lindyn/theory/`."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import sympy

from lindyn.equations import matrices, weights
from lindyn.proofs import lemmas
from lindyn.proofs.algebra import Along, WordRates
from lindyn.proofs.letters import *
from lindyn.proofs.statement import statement
from lindyn.proofs.steps import Identity, ScalarIdentity, ScalarSign, Step
from lindyn.theory import jacobians, stationary_points, transit

FUNCTIONS = SimpleNamespace(log=sympy.log, sqrt=sympy.sqrt, arctan=sympy.atan, pi=sympy.pi)
c, v, decay = sympy.symbols("c v eta", positive=True)


@statement(
    "beyond.symmetrised_balance",
    "The law in Theorem 1's place for a symmetrised predictor: dB/dt = -2 eta B + [W_p, (M - "
    "M^T)/2], M = G W^T, B = W W^T - W_p^2/alpha_p; so tr B decays exactly, and under 1+2+3 the "
    "rest is ((x+x')/2)[W_p, [F, W_p]].",
    "replaces Tian 2021, Eq. 5 under Assumption 3",
    ("predictor symmetrised", "eta_p = eta_s"),
    {
        "Theorem 1 unchanged": {"share": 0},
        "the sign of the commutator": {"share": -1},
        "unequal decays": {"decays": (eta_p, eta_s)},
        "the print's 1 + sigma^2 without 1/2": {"half": 1},
    },
    beyond=True,
)
def symmetrised_balance(share: int = 1, decays: tuple[Any, Any] = (eta, eta), half: Any = HALF) -> Iterator[Step]:
    """The balance along the symmetrised full flow, its trace, and its form in W_p and F."""
    rates = weight_rates(*decays, predictor="symmetrised")
    algebra = MOMENTS_SYMMETRIC + SYMMETRIC_PREDICTOR
    B = matrices.balance(W, W_p, alpha_p)
    M = weights.residual_moment(W, W_p, W_a, X, X_aug) * W.T
    drift = share * matrices.commutator(W_p, weights.antisymmetric_part(M))
    yield Identity("dB/dt in the full flow", Along(B, rates), -2 * eta * B + drift, algebra)
    yield Identity("the trace of B decays exactly", Along(sympy.Trace(B), rates), -2 * eta * sympy.Trace(B), algebra)
    reduced = correlation_rates(*decays, predictor="symmetrised")
    B = F - W_p * W_p / alpha_p
    inner = half * (x + x_aug) * matrices.commutator(W_p, matrices.commutator(F, W_p))
    yield Identity("dB/dt under Assumptions 1 + 2 + 3", Along(B, reduced), -2 * eta * B + share * inner, BOTH_SYMMETRIC)


@statement(
    "beyond.time_on_the_parabola",
    "The exact time t(p) on s = p^2/alpha_p at fixed tau: T(p) - T(p(0)), with T in closed form "
    "below, at and above the critical decay, and at eta = 0.",
    "from Tian 2021, Eq. 16",
    ("eta_p = eta_s", "tau fixed"),
    {
        "the formula below the critical decay used with the wrong sign of eta": {"scale": -1},
        "the critical formula used elsewhere": {"swap": {"below": "critical"}},
        "the rate of p off by a factor": {"rate": 2},
    },
    beyond=True,
)
def time_on_the_parabola(scale: int = 1, swap: Any = None, rate: int = 1) -> Iterator[Step]:
    """dT/dp times dp/dt is 1 in every regime, for the very function that computes numbers."""
    line = parabola_rates(tau="constant")[p].subs({x_aug: v - x}).subs(tau, c / x)
    low, gap = sympy.symbols("r h", positive=True)
    at = {
        "below": {decay: v * low * (low + gap), c: v * (2 * low + gap)},
        "critical": {decay: stationary_points.critical_of(c, v)},
        "above": {},
        "no_decay": {decay: 0},
        "no_drive": {decay: 0, c: 0},
    }
    for kind, values in at.items():
        if kind == "below":  # in the roots the square root of the discriminant is v h
            T = transit.antiderivative((swap or {}).get(kind, kind), p, decay * scale, c, v, FUNCTIONS)
            slope = sympy.simplify(sympy.diff(T, p).subs(values))
        else:
            slope = sympy.diff(transit.antiderivative(kind, p, decay * scale, c, v, FUNCTIONS).subs(values), p)
        field = sympy.sympify(line).subs(eta, decay).subs(values)
        yield ScalarIdentity(f"dT/dp dp/dt = 1, {kind.replace('_', ' ')}", slope * rate * field, 1)


@statement(
    "beyond.time_past_the_critical_decay",
    "Just above the critical decay the passage near p = x tau/(2(x+x')) takes pi c/(eta sqrt(4 v "
    "eta - c^2)), which diverges as 2 pi sqrt(v)/(c sqrt(eta - eta_c)), c = x tau, v = x + x'.",
    "from Tian 2021, Eq. 16",
    ("eta_p = eta_s", "tau fixed", "eta > eta_c = c^2/(4v)"),
    {"half of the swing": {"swing": HALF}, "it diverges as 1/(eta - eta_c)": {"power": 1}},
    beyond=True,
    no_equation="a limit of the time that beyond.time_on_the_parabola derives",
)
def time_past_critical(swing: Any = 1, power: Any = HALF) -> Iterator[Step]:
    """The swing of the arctangent in T; its leading term."""
    excess = sympy.Symbol("delta", positive=True)
    critical = stationary_points.critical_of(c, v)
    time = swing * transit.bottleneck_time(critical + excess, 1, c, v - c, FUNCTIONS)
    T = transit.antiderivative("above", p, critical + excess, c, v, FUNCTIONS)
    far, near = 2 * c / v, c / (8 * v)  # any two points on both sides of the bottleneck
    passage = T.subs(p, near) - T.subs(p, far)
    yield lemmas.limit(
        "the passage, times sqrt(delta), tends to the bottleneck's", (passage - time) * sympy.sqrt(excess), excess, 0, 0
    )
    yield lemmas.limit("its leading term", time * excess**power, excess, 0, 2 * sympy.pi * sympy.sqrt(v) / c)


@statement(
    "beyond.basin_without_decay",
    "At eta = 0 and fixed tau a mode collapses exactly when s = 0, or p < 0 and alpha_p s <= "
    "p^2, or p > 0 and alpha_p s <= p^2 - (x tau/(x+x'))^2.",
    "from Tian 2021, Eqs. 11, 12, 14",
    ("eta = 0", "tau fixed"),
    {
        "alpha_p s - p^2 conserved with weight decay": {"rates": mode_rates(tau="constant")},
        "the field with p + x tau/(x+x')": {"mirror": -1},
        "p < -q escapes": {"left": "negative"},
    },
    beyond=True,
)
def basin_without_decay(rates: WordRates | None = None, mirror: int = 1, left: str = "positive") -> Iterator[Step]:
    """What is conserved, the field on a level curve, its sign between its zeros."""
    rates = rates or mode_rates(0, 0, tau="constant")
    level = alpha_p * s - p**2
    moved = sum(sympy.diff(level, symbol) * rates[symbol] for symbol in (p, s))
    yield ScalarIdentity("alpha_p s - p^2 = C is conserved", moved, 0)
    C, q, far, alive = (sympy.Symbol(name, positive=True) for name in ("C", "q", "d", "P"))
    on = sympy.sympify(mode_rates(0, 0, tau="constant")[p]).subs({x_aug: v - x}).subs(tau, mirror * v * alive / x)
    yield from _shipped_basin(C, q, alive)
    field = on.subs(s, (p**2 - q**2) / alpha_p)
    yield ScalarIdentity(
        "on C = -q^2: dp/dt = v (p^2 - q^2)(P - p), P = x tau/(x+x')", field, v * (p**2 - q**2) * (alive - p)
    )
    yield ScalarSign(
        "p < -q moves up to -q, where s = 0: collapse",
        v * far * (far + 2 * q) * (alive + q + far),
        field.subs(p, -q - far),
        left,
    )
    above = {q: alive + C, p: alive + C + far}
    yield ScalarSign(
        "p > q >= P moves down to q, where s = 0: collapse",
        -v * far * (far + 2 * (alive + C)) * (C + far),
        field.subs(above),
        "negative",
    )
    between = field.subs({alive: q + C + far, p: q + far})
    yield ScalarSign("q < p < P moves up, away from s = 0, to P", v * far * (far + 2 * q) * C, between, "positive")
    positive = on.subs(s, (p**2 + C) / alpha_p)
    yield ScalarIdentity(
        "on C > 0, s >= C/alpha_p for all time and only P rests", positive, v * (p**2 + C) * (alive - p)
    )


def _shipped_basin(C: Any, q: Any, alive: Any) -> Iterator[Step]:
    """`stationary_points.ends_dead` on symbols, in every region of the (p, s) plane."""
    h, zero = sympy.Symbol("h", positive=True), sympy.S.Zero

    def at(p_: Any, u: Any, P: Any = alive) -> Any:
        found = sympy.sympify(stationary_points.ends_dead(p_, u / alpha_p, alpha_p, v * P, v))
        relations = found.atoms(sympy.core.relational.Relational)
        return found.xreplace({one: one.func(sympy.expand(one.lhs - one.rhs), 0) for one in relations})

    regions = (
        ("s = 0", lambda: at(-h, zero), True),
        ("p < 0 on C = -q^2", lambda: at(-h, h**2 - q**2), True),
        ("p < 0 on C = 0", lambda: at(-h, h**2), True),
        ("p > 0 on C = -q^2, q > P", lambda: at(h, h**2 - (alive + C) ** 2), True),
        ("p > 0 on C = -q^2, q = P", lambda: at(h, h**2 - alive**2), True),
        ("p > 0 on C = -q^2, q < P", lambda: at(h, h**2 - q**2, q + C), False),
        ("p < 0 on C > 0", lambda: at(-q, q**2 + C), False),
        ("p > 0 on C > 0", lambda: at(q, q**2 + C), False),
        ("p = 0 < s", lambda: at(zero, C), False),
    )
    for name, decided, dead in regions:
        yield lemmas.decided(f"{name}: {'collapses' if dead else 'lives'}, as the closed form says", decided, dead)


def _characteristic(field: list[Any], names: list[Any], at: Any) -> list[Any]:
    lam = sympy.Symbol("lambda")
    J = sympy.Matrix(field).jacobian(names).subs(at)
    return sympy.Poly(sympy.expand((lam * sympy.eye(len(names)) - J).det()), lam).all_coeffs()


@statement(
    "beyond.jacobians",
    "The characteristic polynomial of the mode flow at every fixed point, tau held or moving, "
    "for eta_p != eta_s; for equal decays -2 eta is one eigenvalue; at p = s = 0 a moving tau "
    "rests at beta/(beta - eta_s), not at 1.",
    "from Tian 2021, Eqs. 11-13",
    ("tau held, or target ema",),
    {
        "tau rests at 1 on the collapsed fixed point": {"resting": sympy.S.One},
        "s = p^2/alpha_p at the alive point with unequal decays": {"ratio": sympy.S.One},
        "the decays exchanged": {"exchange": True},
    },
    beyond=True,
)
def jacobian_eigenvalues(resting: Any = None, ratio: Any = eta_p / eta_s, exchange: bool = False) -> Iterator[Step]:
    """Determinants of the flow's own Jacobian against the closed forms of theory/jacobians."""
    held, moving = mode_rates(eta_p, eta_s, tau="constant"), mode_rates(eta_p, eta_s)
    pairs = {
        "held": ([held[p], held[s]], [p, s], None),
        "moving": ([moving[p], moving[s], moving[tau]], [p, s, tau], beta),
    }
    given = (eta_s, eta_p) if exchange else (eta_p, eta_s)
    live = {s: ratio * p**2 / alpha_p}
    for name, (field, names, rate) in pairs.items():
        drive = eta_s / p + (x + x_aug) * p  # x tau at p_+-
        zero = {p: 0, s: 0} | (
            {} if rate is None else {tau: jacobians.tau_at_collapse(eta_s, beta) if resting is None else resting}
        )
        yield from _same(
            f"p = s = 0, tau {name}",
            field,
            names,
            zero,
            jacobians.characteristic("zero", p, *given, x, x_aug, beta=rate),
        )
        J_at = list(live.items())
        alive = jacobians.characteristic("alive", p, *given, x, x_aug, beta=rate)
        if rate is None:
            yield from _same("p_+-, tau held", field, names, [*J_at, (tau, drive / x)], alive)
        else:
            J_at = [*J_at, (tau, 1)]
            back = {x_aug: (x * p - eta_s) / p**2 - x}  # p D = eta_s at tau = 1
            yield from _same("p_+-, tau moving", field, names, J_at, alive, back)
        if rate is not None:
            yield ScalarIdentity("dtau/dt = 0 at p = s = 0", sympy.sympify(moving[tau]).subs(zero), 0)
    for point in ("zero", "alive"):
        for name, rate in (("held", None), ("moving", beta)):
            polynomial = sympy.Poly(jacobians.characteristic(point, p, eta, eta, x, x_aug, beta=rate), sympy.Dummy())
            back = {x_aug: (x * p - eta) / p**2 - x} if rate is not None else {}
            value = polynomial.eval(-2 * eta).subs(back)
            yield ScalarIdentity(f"-2 eta is an eigenvalue for equal decays: {point}, tau {name}", value, 0)
    free, both = mode_rates(0, 0, tau="constant"), mode_rates(0, 0)
    on_dead = jacobians.characteristic("dead_branch", p, 0, 0, x, x_aug, tau)
    yield from _same("eta = 0, s = 0, tau held", [free[p], free[s]], [p, s], {s: 0}, on_dead)
    on_alive = jacobians.characteristic("alive_branch", p, 0, 0, x, x_aug, tau, alpha_p, s)
    yield from _same(
        "eta = 0, p = x tau/(x+x'), tau held", [free[p], free[s]], [p, s], {p: x * tau / (x + x_aug)}, on_alive
    )
    moving_dead = jacobians.characteristic("dead_branch", p, 0, 0, x, x_aug, tau, beta=beta)
    yield from _same("eta = 0, s = 0, tau moving", [both[p], both[s], both[tau]], [p, s, tau], {s: 0}, moving_dead)
    moving_alive = jacobians.characteristic("alive_branch", p, 0, 0, x, x_aug, 1, alpha_p, s, beta)
    yield from _same(
        "eta = 0, p = x/(x+x'), tau = 1 moving",
        [both[p], both[s], both[tau]],
        [p, s, tau],
        {p: x / (x + x_aug), tau: 1},
        moving_alive,
    )


def _same(
    text: str, field: list[Any], names: list[Any], at: Any, claimed: list[Any], back: Any = None
) -> Iterator[Step]:
    for k, (found, closed) in enumerate(zip(_characteristic(field, names, at), claimed, strict=True)):
        if k:
            left, right = (sympy.sympify(side).subs(back or {}) for side in (found, closed))
            yield ScalarIdentity(f"{text}: coefficient {k}", left, right)


@statement(
    "beyond.no_oscillations",
    "No Hopf point: with a moving target a pair of eigenvalues never lies on the imaginary axis at p_+ or p_-, for any "
    "alpha_p, beta, eta_p, eta_s > 0; p_+ attracts, p_- has one positive eigenvalue, and at p = s = 0 and on the "
    "branches of eta = 0 all are real. Complex pairs occur for eta_p != eta_s, and decay.",
    "from Tian 2021, Eqs. 11-13",
    ("target ema", "alpha_p, beta, eta_p, eta_s > 0"),
    {
        "a_1 a_2 < a_0": {"sign": "negative"},
        "the constant term of the other sign": {"turn": -1},
        "tau held at p_-: attracting": {"held": "positive"},
    },
    beyond=True,
    no_equation="the closed forms of theory/jacobians, which beyond.jacobians derives from the flow",
)
def no_oscillations(sign: str = "positive", turn: int = 1, held: str = "negative") -> Iterator[Step]:
    """Hurwitz's determinant of the closed form's cubic, with y = (x+x') p^2/eta_s: above 1 at p_+, below at p_-."""
    B, dp_, ds_, y, q, more = sympy.symbols("beta eta_p eta_s y p e", positive=True)
    total = y * ds_ / q**2
    at = lambda rate: jacobians.characteristic("alive", q, dp_, ds_, ds_ * (1 + y) / q, total - ds_ * (1 + y) / q,  # noqa: E731
                                               beta=rate)  # fmt: skip
    _, a2, a1, a0 = (sympy.expand(sympy.sympify(each)) for each in at(B))
    a0 = turn * a0
    yield ScalarSign("a_2 > 0", B + (1 + y) * (dp_ + ds_), a2, "positive")
    yield ScalarSign("a_1 > 0", dp_ * ((1 + y) * B + 4 * ds_ * y), a1, "positive")
    yield ScalarIdentity("a_0 = 2 beta eta_p eta_s (y - 1)", a0, 2 * B * dp_ * ds_ * (y - 1))
    spare = B + (1 + y) * (dp_ + ds_)
    shown = dp_ * ((1 + y) * B * spare + 4 * ds_ * y * (1 + y) * (dp_ + ds_) + 2 * B * ds_ * (1 + y))
    yield ScalarSign("a_1 a_2 - a_0 > 0 for every y > 0: no pair on the axis", shown, a1 * a2 - a0, sign)
    yield ScalarSign("at p_+, y = 1 + e: a_0 > 0, so that all three decay", 2 * B * dp_ * ds_ * more,
                     sympy.expand(a0.subs(y, 1 + more)), "positive")  # fmt: skip
    below = {y: 1 / (1 + more)}
    yield ScalarSign("at p_-, y = 1/(1 + e): a_0 < 0, one positive eigenvalue", -2 * B * dp_ * ds_ * more / (1 + more),
                     a0.subs(below), "negative")  # fmt: skip
    _, b1, b0 = at(None)
    yield ScalarSign("tau held: the trace is negative, no pair either", dp_ * (1 + y), sympy.expand(b1), "positive")
    yield ScalarSign("and at p_- the determinant is negative: a saddle", -2 * dp_ * ds_ * more / (1 + more),
                     sympy.simplify(sympy.expand(b0).subs(below)), held)  # fmt: skip
    lam = sympy.Symbol("lambda")
    for point in ("zero", "dead_branch"):
        polynomial = sympy.Poly(jacobians.characteristic(point, p, eta_p, eta_s, x, x_aug, tau, beta=beta), lam)
        factors = sympy.factor_list(polynomial.as_expr())[1]
        degree = sum(sympy.degree(factor, lam) * power for factor, power in factors if sympy.degree(factor, lam) == 1)
        yield ScalarIdentity(f"{point}: the cubic is three real linear factors", degree, 3)


STATEMENTS = (
    symmetrised_balance, time_on_the_parabola, time_past_critical, basin_without_decay, jacobian_eigenvalues,
    no_oscillations,
)  # fmt: skip
