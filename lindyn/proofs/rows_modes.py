"""Rows of the theorem x assumption table on modes, Eq. 17, Obs. #4, #6, #7: steps that a set of assumptions decides."""

from collections.abc import Callable
from typing import Any

import sympy

from lindyn.equations import modes
from lindyn.proofs.letters import *
from lindyn.proofs.network_rates import PLAIN
from lindyn.proofs.rows_matrices import EXCESS, ISOTROPIC_V, POSITIVE_ETA, Setting, theorem_3
from lindyn.proofs.sheets.tian_correlation import eigenvalue_of_K, tilt_rate
from lindyn.proofs.sheets.tian_critical_decay import critical_decay_ema, critical_decay_full
from lindyn.proofs.sheets.tian_modes import gap, low, p_branch, scale
from lindyn.proofs.steps import ScalarIdentity, ScalarSign, Step
from lindyn.theory import stationary_points


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
            root = p_branch(sign, at.decay_s, ISOTROPIC_V, x * rest_tau)
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
    if at.network.loss == "cosine" or at.network.normalise != "none":
        return "there is no critical decay: the loss has no scale, and every norm falls as e^(-eta t) at any decay"
    return "its premise eta_s > critical > 0 cannot be fulfilled at eta_s = 0" if at.decay_s == 0 else ""


def saddle_of_eq_16(at: Setting) -> str:
    """Return why p_- says nothing on a flow, or ""."""
    return "" if at.network == PLAIN else "p_- is no rest point of this flow (row p_+-, s = p^2/alpha_p)"


def living_rest_of_layers(at: Setting) -> list[Step]:
    """Two equal layers, W = w_1^2, with p = alpha_p^(1/2) w_1: they rest at decays up to 27 x^4/(256 alpha_p v^3)."""
    c, v, k = sympy.symbols("x v k", positive=True)  # alpha_p = 1/k^2
    layer, decay = 3 * c * k / (4 * v), 27 * c**4 * k**2 / (256 * v**3)
    predictor, size = layer / k, sympy.Symbol("w", positive=True)
    rate, residual, _ = at.network._one_mode(size, size, decay)
    here = {size: layer**2, p: predictor, x: c, x_aug: v - c}
    residual = residual.subs(here)
    critical = stationary_points.critical_of(c, v)
    return [
        ScalarIdentity("dw_1/dt = 0", rate.subs(here), 0),
        ScalarIdentity("dp/dt = 0", modes.dp_weights(predictor, layer**2, residual, 1 / k**2, decay), 0),
        ScalarSign("the decay at which two layers live, less the critical one", decay - critical, decay - critical,
                   "nonpositive"),
    ]  # fmt: skip


def living_rest_of_frozen(at: Setting) -> list[Step]:
    """A frozen target a feeds its mode for ever: it rests at w = k p, k^2 = eta_p/(alpha_p eta_s)."""
    k = sympy.sqrt(at.decay_p / (alpha_p * at.decay_s))
    frozen = mode_weight_rates(at.decay_p, at.decay_s, target="frozen").scalars
    p2 = (x * a - at.decay_s * k) / (ISOTROPIC_V * k)
    out: list[Step] = []
    for symbol in (w, p):
        rate = sympy.expand(sympy.sympify(frozen[symbol]).subs(w, k * p) / p)
        out.append(ScalarIdentity(f"d{symbol}/dt = 0 at w = k p", sympy.expand(rate).subs(p, sympy.sqrt(p2)), 0))
    critical = stationary_points.critical_of(x, ISOTROPIC_V)
    above = p2.subs({eta: critical + EXCESS, eta_s: critical + EXCESS}).subs(at.scalars)
    return [*out, ScalarSign("above the critical decay nothing rests but 0: p^2 <= 0", above, above, "nonpositive")]


def collapse_above(at: Setting) -> list[Step]:
    """Return that nothing lives above the critical decay."""
    if at.network.layers > 1:
        return living_rest_of_layers(at)
    if at.target == "frozen":
        return living_rest_of_frozen(at)
    if at.level == "full":
        return list((critical_decay_ema if at.target == "ema" else critical_decay_full).steps())
    v, c, q, g, shift = sympy.symbols("v c p g y", positive=True)
    b = sympy.Symbol("beta", positive=True)
    held = sympy.S.One if at.target == "online" else 1 / (1 + g)
    critical = stationary_points.critical_of(c, v)
    here = {p: q, tau: held, x: c, x_aug: v - c, at.decay_s: critical + EXCESS}
    flow = at.network.mode_rates(at.decay_p, at.decay_s, at.target)
    growth = (sympy.sympify(flow[s]) / (2 * s)).subs(here)
    square = v * (q - c * held / (2 * v)) ** 2
    spare = sympy.S.Zero if at.target == "online" else critical * g * (2 + g) / (1 + g) ** 2
    out: list[Step] = [
        ScalarIdentity(
            "while tau <= 1, (ds/dt)/(2s) = -(eta_s - critical) - a square - critical (1 - tau^2)",
            growth,
            -EXCESS - spare - square,
        )
    ]
    if at.target == "ema":
        follows = sympy.sympify(mode_weight_rates(at.decay_p, at.decay_s, target=at.target)[a])
        moved = follows.subs({w: q, a: q * (1 + shift), beta: b})
        out.append(ScalarSign("while tau > 1 the target itself falls", sympy.expand(moved), moved, "negative"))
    return out


def p_minus(at: Setting) -> list[Step]:
    """Return the sign of d p_-/d tau."""
    c, v = sympy.symbols("c v", positive=True)
    decay = POSITIVE_ETA if at.decay_s != 0 else sympy.S.Zero
    root = p_branch(-1, decay, v, c)
    slope = (
        sympy.simplify(sympy.diff(root, c).subs({decay: v * low * (low + gap), c: v * (2 * low + gap)}))
        if decay != 0
        else sympy.simplify(sympy.diff(root, c))
    )
    shown = -low / (v * gap) if decay != 0 else slope
    return [rests_at_p_minus(at), ScalarSign("d p_-/d tau < 0", shown, slope, "negative")]


def rests_at_p_minus(at: Setting) -> Step:
    """Return that the flow's own growth is 0 at p_-, at held tau."""
    rates, _, _, _ = at.on_parabola()
    held = sympy.S.One if at.target == "online" else tau
    root = p_branch(-1, at.decay_s, ISOTROPIC_V, x * held).subs(at.scalars)
    if at.level == "full":
        grown = sympy.sympify(rates.scalars[w]).subs(a, held * w) / w
    else:
        grown = sympy.sympify(rates.scalars[s]) / (2 * s)
    return ScalarIdentity("nothing grows at p_-", sympy.expand(grown.subs(at.scalars)).subs(p, root), 0)


e = sympy.Symbol("e", nonnegative=True)  # eta_s
ratio = sympy.Symbol("m", positive=True)  # eta_p / eta_s
margin_i, margin_j, missed = sympy.symbols("m_i m_j a", positive=True)


def _governs(at: Setting) -> Step:
    """The commutator's equation: without it K and Eq. 17 say nothing on alignment."""
    return theorem_3(False)(at)[0]


def _k(at: Setting) -> Any:
    """Return K's eigenvalue of a mode with the setting's decays."""
    return eigenvalue_of_K(decay_p=at.decay_p, decay_s=at.decay_s)


def _printed_margin(at: Setting) -> Any:
    """Return Eq. 17's right side less its left side, its one eta taken for eta_s."""
    Delta = modes.growth(p, modes.drive(p, tau, x, x_aug), at.decay_s)
    return HALF * (alpha_p * (x + x_aug) * s + at.decay_s) - Delta


def eq_17_formula(at: Setting) -> list[Step]:
    """Return that Eq. 17's margin is the eigenvalue of K that governs the mode's alignment."""
    sides = [sympy.sympify(side).subs(at.scalars) for side in (_k(at), _printed_margin(at))]
    return [_governs(at), ScalarIdentity("K's eigenvalue is the margin of Eq. 17", *sides)]


def _tilt_decay(at: Setting) -> Any:
    """Return the decay rate k_i + k_j of a tilt, by the margins m_i, m_j of Eq. 17."""
    extra = sympy.expand(sympy.sympify(_k(at) - _printed_margin(at)))
    return margin_i + margin_j + 2 * extra


def eq_17_if(at: Setting) -> list[Step]:
    """Return that a tilt decays where Eq. 17 holds for both modes."""
    rate = _tilt_decay(at)
    return [_governs(at), ScalarSign("the tilt's decay rate, both margins positive", rate, rate, "positive")]


def eq_17_only_if(at: Setting) -> list[Step]:
    """Return that no tilt decays where Eq. 17 is missed for one mode."""
    rate = _tilt_decay(at).subs(margin_i, -missed)
    return [_governs(at), ScalarSign("the tilt's decay rate, one margin -a < 0", rate, rate, "nonpositive")]


def eq_17_pairs(at: Setting) -> list[Step]:
    """Return the linearised rate of a tilt, k_i + k_j."""
    pi, pj, si, sj = sympy.symbols("p_i p_j s_i s_j", real=True)
    here = {eta_p: at.decay_p, eta_s: at.decay_s} | at.scalars
    rate = sympy.sympify(tilt_rate(pi, pj, si, sj)).subs(here)
    sums = sum(_k(at).subs({p: a, s: b}) for a, b in ((pi, si), (pj, sj)))
    return [_governs(at), ScalarIdentity("d/dt of the tilt = -(k_i + k_j) x it", rate, -sums.subs(at.scalars))]


def _at_living_point(at: Setting, expr: Any) -> Any:
    """Return an expression at p_+, s = (eta_p/eta_s) p_+^2/alpha_p, as a function of eta_s = e and alpha_p."""
    c = sympy.Symbol("c", positive=True)  # x tau
    same = at.decay_p == at.decay_s
    root = p_branch(1, e, scale, c)
    grown = sympy.sympify(expr).subs(s, (1 if same else ratio) * p**2 / alpha_p)
    return grown.subs({x_aug: scale - x, tau: c / x}).subs(p, root)


def _in_roots(expr: Any, at: Setting) -> Any:
    """Write e and x tau in the roots p_- = r, p_+ = r + h (r = 0 at eta = 0)."""
    lower = sympy.S.Zero if at.decay_s == 0 else low
    c = sympy.Symbol("c", positive=True)
    back = {e: scale * lower * (lower + gap), c: scale * (2 * lower + gap)}
    return sympy.simplify(expr.subs(back))


def _one_eta(at: Setting) -> Any:
    """Return K's eigenvalue with eta_s = e, eta_p = e or m e."""
    varied = at.having(decay_s=e, decay_p=e if at.decay_p == at.decay_s else ratio * e)
    return _k(varied)


def obs_6(at_rest: bool) -> Callable[[Setting], list[Step]]:
    """Return that a larger alpha_p loosens Eq. 17, at a given state or at the living point."""

    def steps(at: Setting) -> list[Step]:
        if at_rest:
            slope = sympy.simplify(sympy.diff(_at_living_point(at, _one_eta(at)), alpha_p))
            return [_governs(at), ScalarSign("d k(p_+)/d alpha_p > 0", slope, slope, "positive")]
        size = sympy.Symbol("s", positive=True)
        slope = sympy.factor(sympy.diff(_k(at), alpha_p)).subs(s, size)
        total = {x: sympy.Symbol("x", positive=True)} | ({x_aug: sympy.S.Zero} if at.singular else {})
        slope = sympy.sympify(slope).subs(total)
        return [_governs(at), ScalarSign("d k/d alpha_p > 0 at given (p, s, tau)", slope, slope, "positive")]

    return steps


def obs_7(at_rest: bool) -> Callable[[Setting], list[Step]]:
    """Return that a larger eta loosens Eq. 17, at a given state or at the living point."""

    def steps(at: Setting) -> list[Step]:
        k = _one_eta(at)
        if at_rest:
            slope = _in_roots(sympy.diff(_at_living_point(at, k), e), at)
            return [_governs(at), ScalarSign("d k(p_+)/d eta > 0", slope, slope, "positive")]
        slope = sympy.simplify(sympy.diff(k, e))
        return [_governs(at), ScalarSign("d k/d eta > 0 at given (p, s, tau)", slope, slope, "positive")]

    return steps


def p_minus_with_eta(at: Setting) -> list[Step]:
    """Return the sign of d p_-/d eta_s."""
    c = sympy.Symbol("c", positive=True)
    slope = _in_roots(sympy.diff(p_branch(-1, e, scale, c), e), at)
    return [
        rests_at_p_minus(at), ScalarSign("d p_-/d eta = 1/(v (p_+ - p_-)) > 0", 1 / (scale * gap), slope, "positive"),
    ]  # fmt: skip
