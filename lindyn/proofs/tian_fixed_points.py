"""Tian et al. 2021, Sec. 3: fixed points of a mode at fixed tau, their stability, the critical decay."""

from collections.abc import Iterator
from typing import Any

import sympy

from lindyn.equations import modes
from lindyn.proofs.statement import statement
from lindyn.proofs.steps import ScalarIdentity, ScalarSign, Step
from lindyn.proofs.symbols import (
    alpha_p,
    eta,
    eta_p,
    eta_s,
    mode_rates,
    p,
    parabola_rates,
    s,
    tau,
    x,
    x_aug,
)

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


STATEMENTS = (fixed_points, stability, branches_eta_0, p_minus_monotone)
