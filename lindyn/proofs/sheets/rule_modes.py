"""Closed-form rules mode by mode: where DirectSet, ridges and monotone rules rest, and what NS, Visser and NE do."""

from collections.abc import Iterator
from typing import Any

import sympy

from lindyn.equations import closed_form, modes, target, view_correlations
from lindyn.predictors.arrays import Modes
from lindyn.proofs.letters import *
from lindyn.proofs.sheets.tian_modes import gap, low, p_branch, scale
from lindyn.proofs.statement import statement
from lindyn.proofs.steps import ScalarIdentity, ScalarSign, Step

q, f, ridge = sympy.symbols("q f a", positive=True)
size = sympy.Symbol("s", positive=True)  # s of a mode that has not collapsed
v = x + x_aug


def drive() -> Any:
    """Return D = x tau - (x + x') p."""
    return modes.drive(p, tau, x, x_aug)


def growth() -> Any:
    """Return p D - eta_s, half the growth rate of s."""
    return modes.growth(p, drive(), eta_s)


def path(value: Any, variable: Any) -> Any:
    """Return dp/dt of a predictor value p(f), f = (x + x') s, along the library's ds/dt, in p and f."""
    ds = mode_rates(decay_s=eta_s, tau="constant")[s]
    df = view_correlations.isotropic_correlation(ds, x, x_aug)
    return sympy.diff(value, variable) * df.subs(s, variable / v)


@statement(
    "closed_form.direct_set",
    "DirectSet p = ((x+x') s)^q at fixed tau obeys dp/dt = 2 q p (p D - eta_s), D = x tau - (x+x') p, for every power "
    "q > 0: the trained flow on its parabola (Eq. 16) with time 2 q times as fast. So it rests at p = 0, p_- and p_+ "
    "whatever q, and 0 and p_+ attract, p_- repels; only s = p^(1/q)/(x+x') depends on q.",
    "derived; Tian 2021, Eqs. 16, 18; Wang et al. 2021 for other powers",
    ("tau fixed", "eta_s > 0, below the critical decay for p_+-"),
    {
        "the same speed for every power": {"speed": 1},
        "fixed points of the statistic, p_+-/(x+x')": {"rest": lambda root: root / v},
        "p_- attracts": {"signs": ("negative", "negative", "negative")},
        "s = p^q/(x+x')": {"inverse": lambda value: value**q},
    },
    beyond=True,
)
def direct_set(
    speed: Any = 2 * q,
    rest: Any = lambda root: root,
    signs: tuple[str, str, str] = ("negative", "positive", "negative"),
    inverse: Any = lambda value: value ** (1 / q),
) -> Iterator[Step]:
    """The path in p; its zeros; its slopes there; s at rest."""
    rule = closed_form.shifted_power(f, q, 0)
    line = speed * p * growth()
    yield ScalarIdentity("dp/dt = 2 q p (p D - eta_s)", path(rule, f).subs(p, rule), line.subs(p, rule))
    for sign, name in ((1, "p_+"), (-1, "p_-")):
        yield ScalarIdentity(f"at rest at {name}", sympy.expand(growth().subs(p, rest(p_branch(sign)))), 0)
    yield ScalarIdentity(
        "p D - eta_s = -(x+x') (p - p_-)(p - p_+)",
        growth().subs({x_aug: scale - x, eta_s: scale * low * (low + gap), tau: scale * (2 * low + gap) / x}),
        -scale * (p - low) * (p - low - gap),
    )
    roots = -2 * q * scale * p * (p - low) * (p - low - gap)
    shown = (-2 * q * scale * low * (low + gap), 2 * q * scale * low * gap, -2 * q * scale * (low + gap) * gap)
    for at, wanted, value, name in zip((0, low, low + gap), signs, shown, ("0", "p_-", "p_+"), strict=True):
        yield ScalarSign(f"slope of dp/dt at {name}", value, sympy.diff(roots, p).subs(p, at), wanted)
    at_p = sympy.Symbol("p", positive=True)
    yield ScalarIdentity("s = p^(1/q)/(x+x') gives back p", sympy.powdenest(rule.subs(f, inverse(at_p))), at_p)


@statement(
    "closed_form.moving_target",
    "With the target's ratio tau moving (Eq. 13) DirectSet still rests at tau = 1, p = p_+-, and the sign of stability "
    "does not depend on the power: (trace, determinant) of the linearisation is (2 q p g_p - beta - x p, -2 q beta p "
    "g_p), g_p = x - 2 (x+x') p: p_+ attracts, p_- is a saddle.",
    "derived; Tian 2021, Eq. 13",
    ("beta > 0", "tau = 1 at rest"),
    {
        "g_p of the other sign": {"slope": -1},
        "the determinant without beta": {"rate": 1},
        "a frozen tau": {"moving": False},
    },
    beyond=True,
)
def moving_target(slope: int = 1, rate: Any = beta, moving: bool = True) -> Iterator[Step]:
    """The Jacobian of (p, tau) at g = 0."""
    fields = sympy.Matrix([2 * q * p * growth(), target.dtau(tau, growth(), beta) if moving else 0])
    rest = {eta_s: sympy.solve(growth(), eta_s)[0].subs(tau, 1), tau: 1}
    J = fields.jacobian([p, tau]).subs(rest)
    g_p = slope * (x - 2 * v * p)
    yield ScalarIdentity("nothing moves there", fields.subs(rest).applyfunc(sympy.expand).norm(), 0)
    yield ScalarIdentity("trace", J.trace(), 2 * q * p * g_p - beta - x * p)
    yield ScalarIdentity("determinant", J.det(), -2 * q * p * rate * g_p)


@statement(
    "closed_form.ridge",
    "With a ridge, p = ((x+x') s)^q + a, at fixed tau dp/dt = 2 q (p - a)(p D - eta_s): p_+- stay where they are and "
    "s = (p - a)^(1/q)/(x+x') shrinks; collapse rests at p = a and is repelling for p_- < a < p_+ (the basin of "
    "collapse is gone), attracting for a < p_- and for a > p_+, where p_+ > a is no state any more.",
    "derived; Richemond 2023's ridge, Eq. 18's epsilon max_j s_j where the largest mode is at rest",
    ("tau fixed", "0 < eta_s < critical", "a > 0 held"),
    {
        "the ridge moves p_+-": {"line": lambda: 2 * q * (p - ridge) * ((p - ridge) * (drive() + v * ridge) - eta_s)},
        "collapse stays attracting": {"inside": "negative"},
        "p stays the factor in front": {"line": lambda: 2 * q * p * growth()},
    },
    beyond=True,
)
def with_ridge(line: Any = None, inside: str = "positive") -> Iterator[Step]:
    """The path in p, its slope at p = a in the three cases, at p_+."""
    rule = closed_form.ridge(closed_form.shifted_power(f, q, 0), ridge, 1)
    wanted = 2 * q * (p - ridge) * growth() if line is None else line()
    yield ScalarIdentity("dp/dt = 2 q (p - a)(p D - eta_s)", path(rule, f).subs(p, rule), wanted.subs(p, rule))
    roots = -2 * q * scale * (p - ridge) * (p - low) * (p - low - gap)
    up, down = sympy.symbols("u d", positive=True)
    at_a = sympy.diff(roots, p).subs(p, ridge)
    between = at_a.subs({low: ridge - down, gap: down + up})
    yield ScalarSign("slope at p = a, p_- = a - d, p_+ = a + u", 2 * q * scale * down * up, between, inside)
    below = at_a.subs(low, ridge + down)
    yield ScalarSign("slope at p = a < p_-", -2 * q * scale * down * (down + gap), below, "negative")
    above = at_a.subs(ridge, low + gap + up)
    yield ScalarSign("slope at p = a > p_+", -2 * q * scale * up * (up + gap), above, "negative")
    at_plus = sympy.diff(roots, p).subs(p, low + gap).subs(low, ridge - gap + up)
    yield ScalarSign("slope at p_+ = a + u", -2 * q * scale * up * gap, at_plus, "negative")


@statement(
    "closed_form.monotone_rule",
    "For any rule p = r((x+x') s) of one mode dp/dt = 2 f r'(f) (p D - eta_s), f = (x+x') s: a rule that rises rests "
    "where DirectSet does and with the same signs; where r falls, the signs change over. Eq. 18 of the largest mode, "
    "r = sqrt(f) + eps f, rises.",
    "derived",
    ("tau fixed", "the other modes' part in r held"),
    {"without the factor f": {"front": 1}, "with r in place of r'": {"derivative": False}},
    beyond=True,
)
def monotone_rule(front: Any = f, derivative: bool = True) -> Iterator[Step]:
    """The chain rule on the library's ds/dt; Eq. 18's slope."""
    r = sympy.Function("r")(f)
    factor = sympy.diff(r, f) if derivative else r
    yield ScalarIdentity("dp/dt", path(r, f).subs(p, r), (2 * front * factor * growth()).subs(p, r))
    eps = sympy.Symbol("epsilon", positive=True)
    rule = closed_form.shifted_power(f, HALF, eps * f)
    yield ScalarSign("d/df of sqrt(f) + eps f", 1 / (2 * sympy.sqrt(f)) + eps, sympy.diff(rule, f), "positive")


@statement(
    "closed_form.neumann_mode",
    "NE, p = 2 h - h f with h = x tau s and f = (x+x') s, leaves D = x tau (1 - f)^2: p <= x tau/(x+x'), its largest "
    "value, at f = 1, so it rises below f = 1 and falls above: at eta_s = 0 modes grow to f = 1, which repels "
    "above, and from there to f = 2, p = 0; with decay p_- repels and p_+ attracts below f = 1, the reverse above.",
    "derived; Richemond 2023, NE",
    ("tau fixed",),
    {
        "h f - 2 h": {"sign": -1},
        "D = x tau (1 - f)": {"power": 1},
        "monotone in s": {"slope_factor": lambda u: 1 + u},
    },
    beyond=True,
)
def neumann_mode(sign: int = 1, power: int = 2, slope_factor: Any = lambda u: 1 - u) -> Iterator[Step]:
    """The map, D, the slope, the growth at eta = 0, and why p_+- keep their names."""
    second, cross = view_correlations.isotropic_correlation(s, x, x_aug), view_correlations.isotropic_cross(tau * s, x)
    value = sign * closed_form.neumann(Modes(second), Modes(cross)).values
    yield ScalarIdentity("p = x tau s (2 - f)", value, x * tau * s * (2 - second))
    yield ScalarIdentity("D = x tau (1 - f)^2", drive().subs(p, value), x * tau * (1 - second) ** power)
    yield ScalarIdentity("dp/ds = 2 x tau (1 - f)", sympy.diff(value, s), 2 * x * tau * slope_factor(second))
    rate = mode_rates(decay_s=eta_s, tau="constant")[s].subs(p, value).subs(eta_s, 0)
    yield ScalarIdentity(
        "ds/dt = 2 x^2 tau^2 s^2 (2 - f)(1 - f)^2 at eta_s = 0",
        rate,
        2 * x**2 * tau**2 * s**2 * (2 - second) * (1 - second) ** 2,
    )
    yield ScalarIdentity(
        "x tau/(x+x') - p = (x tau/(x+x'))(1 - f)^2", x * tau / v - value, x * tau / v * (1 - second) ** 2
    )


a, r, u = sympy.symbols("a r u", positive=True)
part = sympy.Symbol("e", nonnegative=True)  # 1 - u, or 1/(2h) - p


@statement(
    "closed_form.newton_schulz_mode",
    "Newton-Schulz on one mode of F/||F||, r in (0, 1]: a = r b all along, and u = a^2/r -> u (3 - u)^2/4 rises "
    "from r to 1 with 1 - u -> (1 - u)^2 (4 - u)/4 (quadratic); u_n never falls as r rises, so p = sqrt(r u_n ||F||) "
    "rises with s at held ||F||; a mode far below the norm has only grown by 3/2 a step.",
    "derived; Richemond 2023, NS",
    ("||F|| held",),
    {
        "T = 2 I - B A": {"step": lambda A, B, I: (A @ (2 * I - B @ A), (2 * I - B @ A) @ B)},
        "the error falls linearly": {"error": lambda w: (1 - w) / 4},
        "a small mode doubles": {"start": 2},
    },
    beyond=True,
)
def newton_schulz_mode(
    step: Any = closed_form.newton_schulz_step,
    error: Any = lambda w: (1 - w) ** 2 * (4 - w) / 4,
    start: Any = THREE_HALVES,
) -> Iterator[Step]:
    """One step on symbols; the map of u; its fixed point; its slope; its start."""
    A, B = (M.values for M in step(Modes(a), Modes(a / r), Modes(sympy.S.One)))
    yield ScalarIdentity("a = r b again", A, r * B)
    u_next = sympy.expand((A**2 / r).subs(a, sympy.sqrt(r * u)))
    yield ScalarIdentity("u -> u (3 - u)^2/4", u_next, u * (3 - u) ** 2 / 4)
    yield ScalarIdentity("1 - u -> (1 - u)^2 (4 - u)/4", 1 - u_next, error(u))
    inside = {u: 1 / (1 + part)}  # every u in (0, 1]
    yield ScalarSign(
        "u does not fall",
        sympy.factor((u * (1 - u) * (5 - u) / 4).subs(inside)),
        (u_next - u).subs(inside),
        "nonnegative",
    )
    yield ScalarSign(
        "the map rises on (0, 1]",
        sympy.factor((3 * (3 - u) * (1 - u) / 4).subs(inside)),
        sympy.diff(u_next, u).subs(inside),
        "nonnegative",
    )
    yield ScalarIdentity("da_next/da at a = 0", sympy.diff(A, a).subs(a, 0), start)


@statement(
    "closed_form.visser_mode",
    "Visser's iteration on one mode from p_0 = 1/(2h): the error falls by the factor 1 - h (p + sqrt(s)); for h "
    "sqrt(s) <= 1/2 (true of the default h = 1/(2 sqrt||F||)) p stays in [0, 1/(2h)], and there p_{k+1} rises with p_k "
    "and with s, so that p_n rises with s.",
    "derived; Richemond 2023, Visser",
    ("h sqrt(s) <= 1/2",),
    {
        "F + P^2": {"step": lambda P, F, h: P + h * (F + P @ P)},
        "the factor 1 - 2 h sqrt(s)": {"factor": lambda h, value, root: 1 - 2 * h * root},
        "h sqrt(s) up to 1": {"reach": 1},
    },
    beyond=True,
)
def visser_mode(
    step: Any = closed_form.visser_step,
    factor: Any = lambda h, value, root: 1 - h * (value + root),
    reach: Any = HALF,
) -> Iterator[Step]:
    """One step on symbols; the error; that it stays in its interval; monotone there."""
    h, root = sympy.symbols("h r", positive=True)
    new = step(Modes(p), Modes(s), h).values
    yield ScalarIdentity(
        "p - sqrt(s) shrinks by 1 - h (p + sqrt(s))",
        new.subs(s, root**2) - root,
        (p - root) * factor(h, p, root),
    )
    inside = {p: 1 / (2 * h) - part}
    yield ScalarSign("dp_{k+1}/dp_k for p = 1/(2h) - e", 2 * h * part, sympy.diff(new, p).subs(inside), "nonnegative")
    yield ScalarSign("dp_{k+1}/ds", h, sympy.diff(new, s), "positive")
    left = reach**2 / h**2 - part  # s <= (reach/h)^2
    other = sympy.Symbol("c", nonnegative=True)
    yield ScalarSign(
        "1/(2h) - p_{k+1} >= 0 for s = 1/(4h^2) - e, p = 1/(2h) - c",
        h * other**2 + h * part,
        (1 / (2 * h) - new).subs(p, 1 / (2 * h) - other).subs(s, left),
        "nonnegative",
    )


STATEMENTS = (direct_set, moving_target, with_ridge, monotone_rule, neumann_mode, newton_schulz_mode, visser_mode)
