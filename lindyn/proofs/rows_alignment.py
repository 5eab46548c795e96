"""Rows of the theorem x assumption table on Eq. 17, Obs. #4, #6, #7: each as steps that a setting decides."""

from collections.abc import Callable
from typing import Any

import sympy

from lindyn.equations import modes
from lindyn.proofs import rows_matrices, tian_alignment
from lindyn.proofs import tian_fixed_points as fixed
from lindyn.proofs.assumptions import Setting
from lindyn.proofs.steps import ScalarIdentity, ScalarSign, Step
from lindyn.proofs.symbols import HALF, alpha_p, eta_p, eta_s, p, s, tau, x, x_aug

e = sympy.Symbol("e", nonnegative=True)  # eta_s
ratio = sympy.Symbol("m", positive=True)  # eta_p / eta_s
margin_i, margin_j, missed = sympy.symbols("m_i m_j a", positive=True)


def _governs(at: Setting) -> Step:
    """The commutator's equation: without it K and Eq. 17 say nothing on alignment."""
    return rows_matrices.theorem_3(False)(at)[0]


def _k(at: Setting) -> Any:
    """Return K's eigenvalue of a mode with the setting's decays."""
    D = modes.drive(p, tau, x, x_aug)
    return modes.alignment_rate(p, s, D, alpha_p, at.decay_p, at.decay_s, x, x_aug)


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
    rate = sympy.sympify(tian_alignment._tilt_rate(pi, pj, si, sj)).subs(here)
    sums = sum(_k(at).subs({p: a, s: b}) for a, b in ((pi, si), (pj, sj)))
    return [_governs(at), ScalarIdentity("d/dt of the tilt = -(k_i + k_j) x it", rate, -sums.subs(at.scalars))]


def _at_living_point(at: Setting, expr: Any) -> Any:
    """Return an expression at p_+, s = (eta_p/eta_s) p_+^2/alpha_p, as a function of eta_s = e and alpha_p."""
    c = sympy.Symbol("c", positive=True)  # x tau
    same = at.decay_p == at.decay_s
    root = fixed.p_branch(1, e, fixed.scale, c)
    grown = sympy.sympify(expr).subs(s, (1 if same else ratio) * p**2 / alpha_p)
    return grown.subs({x_aug: fixed.scale - x, tau: c / x}).subs(p, root)


def _in_roots(expr: Any, at: Setting) -> Any:
    """Write e and x tau in the roots p_- = r, p_+ = r + h (r = 0 at eta = 0)."""
    low = sympy.S.Zero if at.decay_s == 0 else fixed.low
    c = sympy.Symbol("c", positive=True)
    back = {e: fixed.scale * low * (low + fixed.gap), c: fixed.scale * (2 * low + fixed.gap)}
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
    slope = _in_roots(sympy.diff(fixed.p_branch(-1, e, fixed.scale, c), e), at)
    return [ScalarSign("d p_-/d eta = 1/(v (p_+ - p_-)) > 0", 1 / (fixed.scale * fixed.gap), slope, "positive")]
