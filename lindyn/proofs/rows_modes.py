"""Rows of the theorem x assumption table that speak of modes: each as steps that a setting decides."""

from collections.abc import Callable
from typing import Any

import sympy

from lindyn.equations import modes
from lindyn.proofs import tian_critical as critical
from lindyn.proofs import tian_fixed_points as fixed
from lindyn.proofs.assumptions import EXCESS, ISOTROPIC_V, POSITIVE_ETA, Setting
from lindyn.proofs.steps import ScalarIdentity, ScalarSign, Step
from lindyn.proofs.symbols import (
    a,
    alpha_p,
    beta,
    eta,
    eta_s,
    mode_weight_rates,
    p,
    rate_of,
    tau,
    w,
    x,
    x_aug,
)


def integral(at: Setting) -> list[Step]:
    """Return Eq. 14 as a rate."""
    rates, _, size, _ = at.on_parabola()
    quantity = size - p**2 / alpha_p
    return [
        ScalarIdentity(
            "d/dt (s - p^2/alpha_p) = -2 eta x it",
            rate_of(quantity, rates).subs(at.scalars),
            -2 * at.decay_s * quantity,
        )
    ]


def parabola_kept(at: Setting) -> Step:
    """Return that the parabola is invariant."""
    rates, on, size, _ = at.on_parabola()
    moved = rate_of(size - p**2 / alpha_p, rates)
    return ScalarIdentity("the parabola s = p^2/alpha_p is kept", moved.subs(on).subs(at.scalars), 0)


def eq_15(at: Setting) -> list[Step]:
    """Return the rate of tau sqrt(s), and that the parabola is kept."""
    rates, on, size, ratio = at.on_parabola()
    moved = rate_of(ratio * sympy.sqrt(size), rates)
    claimed = beta * (1 - ratio) * sympy.sqrt(size)
    positive = {p: sympy.Symbol("p", positive=True)}
    sides = [side.subs(on).subs(at.scalars).subs(positive) for side in (moved, claimed)]
    return [ScalarIdentity("d(tau sqrt s)/dt = beta (1 - tau) sqrt s", *sides), parabola_kept(at)]


def eq_16(at: Setting) -> list[Step]:
    """Return dp/dt on the parabola, and that it is kept."""
    rates, on, _, _ = at.on_parabola()
    D = modes.drive(p, tau, x, x_aug).subs(at.scalars)
    found = sympy.sympify(rates.scalars[p]).subs(on).subs(at.scalars)
    return [ScalarIdentity("dp/dt = p^2 D - eta p on it", found, p**2 * D - at.decay_s * p), parabola_kept(at)]


def fixed_points(printed: bool) -> Callable[[Setting], list[Step]]:
    """Return the rates at p_+- as a function of the setting; s as printed, or with eta_p/eta_s."""

    def steps(at: Setting) -> list[Step]:
        rates, _, size, _ = at.on_parabola()
        rest_tau = tau if at.target == "frozen" else 1
        ratio = 1 if printed or at.decay_s == 0 else at.decay_p / at.decay_s
        k, m = sympy.symbols("k m", positive=True)  # alpha_p = 1/k^2, eta_p/eta_s = m^2: no roots but the one of p_+-
        units = {alpha_p: 1 / k**2} | ({} if ratio in (0, 1) else {at.decay_p: m**2 * at.decay_s})
        strength = k if ratio == 1 else k * m
        out: list[Step] = []
        for sign, name in ((1, "p_+"), (-1, "p_-")):
            root = fixed.p_branch(sign, at.decay_s, ISOTROPIC_V, x * rest_tau)
            for symbol, rate in rates.scalars.items():
                if at.level == "full":
                    rest = {letter(rates, "a"): rest_tau * strength * p, letter(rates, "w"): strength * p}
                else:
                    rest = {size: strength**2 * p**2, tau: rest_tau}
                value = sympy.sympify(rate).subs(units).subs(rest).subs(p, root).subs(at.scalars)
                text = f"d{symbol}/dt = 0 at {name}, s = {'' if ratio == 1 else 'eta_p/eta_s '}p^2/alpha_p"
                out.append(ScalarIdentity(text, value, 0))
        return out

    return steps


def letter(rates: Any, name: str) -> Any:
    """Return the symbol of this name in scalar rates."""
    return next(symbol for symbol in rates.scalars if symbol.name == name)


def above_critical(at: Setting) -> str:
    """Return why there is no critical decay to be above of, or ""."""
    return "its premise eta_s > critical > 0 cannot be fulfilled at eta_s = 0" if at.decay_s == 0 else ""


def living_rest_of_frozen(at: Setting) -> list[Step]:
    """A frozen target a feeds its mode for ever: it rests at w = k p, k^2 = eta_p/(alpha_p eta_s)."""
    k = sympy.sqrt(at.decay_p / (alpha_p * at.decay_s))
    frozen = mode_weight_rates(at.decay_p, at.decay_s, target="frozen").scalars
    p2 = (x * a - at.decay_s * k) / (ISOTROPIC_V * k)
    out: list[Step] = []
    for symbol in (w, p):
        rate = sympy.expand(sympy.sympify(frozen[symbol]).subs(w, k * p) / p)
        out.append(ScalarIdentity(f"d{symbol}/dt = 0 at w = k p", sympy.expand(rate).subs(p, sympy.sqrt(p2)), 0))
    critical = x**2 / (4 * ISOTROPIC_V)
    above = p2.subs({eta: critical + EXCESS, eta_s: critical + EXCESS}).subs(at.scalars)
    return [*out, ScalarSign("above the critical decay nothing rests but 0: p^2 <= 0", above, above, "nonpositive")]


def collapse_above(at: Setting) -> list[Step]:
    """Return that nothing lives above the critical decay."""
    if at.target == "frozen":
        return living_rest_of_frozen(at)
    if at.level == "full":
        return list((critical.critical_decay_ema if at.target == "ema" else critical.critical_decay_full).steps())
    v, c, q, g, shift = sympy.symbols("v c p g y", positive=True)
    b = sympy.Symbol("beta", positive=True)
    held = sympy.S.One if at.target == "online" else 1 / (1 + g)
    drive = modes.drive(q, held, c, v - c)
    growth = modes.growth(q, drive, c**2 / (4 * v) + EXCESS)
    square = v * (q - c * held / (2 * v)) ** 2
    spare = sympy.S.Zero if at.target == "online" else c**2 / (4 * v) * g * (2 + g) / (1 + g) ** 2
    out: list[Step] = [
        ScalarIdentity(
            "while tau <= 1, (ds/dt)/(2s) = -(eta_s - critical) - a square - critical (1 - tau^2)",
            growth,
            -EXCESS - spare - square,
        )
    ]
    if at.target == "ema":
        moved = modes.da(q, q * (1 + shift), b)
        out.append(ScalarSign("while tau > 1 the target itself falls", sympy.expand(moved), moved, "negative"))
    return out


def p_minus(at: Setting) -> list[Step]:
    """Return the sign of d p_-/d tau."""
    c, v = sympy.symbols("c v", positive=True)
    decay = POSITIVE_ETA if at.decay_s != 0 else sympy.S.Zero
    root = fixed.p_branch(-1, decay, v, c)
    low, gap = fixed.low, fixed.gap
    slope = (
        sympy.simplify(sympy.diff(root, c).subs({decay: v * low * (low + gap), c: v * (2 * low + gap)}))
        if decay != 0
        else sympy.simplify(sympy.diff(root, c))
    )
    shown = -low / (v * gap) if decay != 0 else slope
    return [ScalarSign("d p_-/d tau < 0", shown, slope, "negative")]
