"""The steps that decide the entries of Tian et al. 2021 in the audit."""

from typing import Any

import sympy

from lindyn.equations import closed_form, matrices
from lindyn.hyperparameters import Hyperparameters
from lindyn.proofs import numbers_tian as numbers
from lindyn.proofs import (
    printed,
    tian_alignment,
    tian_fixed_points,
    tian_observations,
    tian_scrambling,
)
from lindyn.proofs.algebra import Algebra
from lindyn.proofs.lemmas import counted
from lindyn.proofs.matrix_words import Along
from lindyn.proofs.steps import Identity, ScalarIdentity, ScalarSign, Step
from lindyn.proofs.symbols import (
    HALF,
    MOMENTS_SYMMETRIC,
    F,
    W,
    W_a,
    W_p,
    alpha_p,
    correlation_rates,
    eta,
    mode_rates,
    p,
    parabola_rates,
    s,
    tau,
    weight_rates,
    x,
    x_aug,
)

PAPER_UNITS = Algebra(scalars={x: 1, x_aug: printed.sigma2})
UNITS = {x: 1, x_aug: printed.sigma2}


def lemma_1() -> list[Step]:
    """Return Eqs. 2-4 against the flow."""
    rates = weight_rates()
    return [Identity(f"d{q.name}/dt", rates[q], printed.lemma_1()[q], MOMENTS_SYMMETRIC) for q in (W, W_p, W_a)]


def appendix_flow() -> list[Step]:
    """Return the printed flow under 1 + 2 against the library's."""
    rates = correlation_rates()
    return [
        Identity(f"d{q.name}/dt", rates[q], printed.appendix_flow()[q], Algebra(symmetric=(F,)) + PAPER_UNITS)
        for q in (W_p, F)
    ]


def theorem_3(decay_p: Any, decay_s: Any, one: Any, K: Any) -> list[Step]:
    """The commutator with the printed K; `one` is what the print's eta becomes."""
    rates = correlation_rates(decay_p, decay_s, predictor="symmetrised")
    L = matrices.commutator(F, W_p)
    algebra = tian_alignment.BOTH_SYMMETRIC + Algebra(scalars=UNITS | {eta: one})
    return [Identity("dL/dt = -(L K + K L)", Along(L, rates), -(L * K + K * L), algebra)]


def modes() -> list[Step]:
    """Return Eqs. 11-13 against the flow."""
    rates = mode_rates()
    found = {q: sympy.sympify(rates[q]).subs(UNITS) for q in (p, s, tau)}
    return [ScalarIdentity(f"d{q}/dt", found[q], printed.eqs_11_to_13()[q]) for q in (p, s, tau)]


def points(decay_p: Any, decay_s: Any) -> list[Step]:
    """Return the printed fixed points put into the flow."""
    rates = mode_rates(decay_p, decay_s, tau="constant")
    out: list[Step] = []
    for sign, name in ((1, "p_+"), (-1, "p_-")):
        root = printed.p_branch(sign).subs(eta, decay_s)
        at = {s: root**2 / alpha_p, p: root}
        out += [
            ScalarIdentity(f"d{q}/dt at {name}", sympy.expand(sympy.sympify(rates[q]).subs(UNITS).subs(at)), 0)
            for q in (p, s)
        ]
    return out


def slopes(gap_sign: str) -> list[Step]:
    """Stability of p_+ with p_+ - p_- > 0 ("positive") or >= 0 ("nonnegative", the printed range)."""
    low, gap = sympy.Symbol("r", positive=True), sympy.Symbol("h", **{gap_sign: True})
    line = tian_fixed_points.at_roots(parabola_rates(tau="constant")[p]).subs(
        {tian_fixed_points.low: low, tian_fixed_points.gap: gap}
    )
    v = tian_fixed_points.scale
    plus = sympy.diff(line, p).subs(p, low + gap)
    minus = sympy.diff(line, p).subs(p, low)
    return [
        ScalarSign("slope at p_+ < 0", -v * (low + gap) * gap, plus, "negative"),
        ScalarSign("slope at p_- > 0", v * low * gap, minus, "positive"),
    ]


def remark(lowest: Any, decay: Any) -> list[Step]:
    """Return the sign of the certain decay rate of the no-predictor remark."""
    return [ScalarSign("the rate lambda_min(X') + eta is positive", lowest + decay, lowest + decay, "positive")]


def eq_17_iff() -> list[Step]:
    """Return the search for states that align although Eq. 17 fails."""
    return [counted("unstable whenever Eq. 17 fails for a mode", numbers.stable_although_eq_17_fails, 0.0)]


def obs_7(at_rest: bool) -> list[Step]:
    """Return Obs. #7 at a given state, or at the living fixed point."""
    steps = list(tian_observations.obs_7.steps(sign="positive" if at_rest else "negative"))
    return steps[1:2] if at_rest else steps[:1]


def obs_8_always() -> list[Step]:
    """Return the claim that tau never falls while p rises."""
    return [counted("tau never falls while p rises from tau(0) = 0", numbers.deepest_fall_of_tau, 0.0)]


def scrambling(condition: bool) -> list[Step]:
    """Return Sigma^s = Sigma^x with or without its condition."""
    changes = {} if condition else {"commutes": Algebra()}
    return [list(tian_scrambling.multiplicative_scrambling.steps(**changes))[2]]


def assumption_1(one_mode: bool) -> list[Step]:
    """Return the claim that the flow keeps W_a = tau W, for one mode or for several."""
    return [
        counted(
            "dW/dt is a multiple of W where W_a = tau W", lambda: numbers.bend_of_growth(1 if one_mode else 3), 1e-12
        )
    ]


def per_step() -> list[Step]:
    """Return etabar = alpha eta for decay per step."""
    hp = Hyperparameters.from_training(0.03, weight_decay=4e-4, decay="per_step")
    return [
        same_number("alpha eta = etabar when each step takes etabar of the weights away", 0.03 * float(hp.eta_s), 4e-4)
    ]


def sgd(decay: str) -> list[Step]:
    """The flow's eta for the paper's training numbers, against what one SGD step takes away."""
    hp = Hyperparameters.from_training(0.03, weight_decay=4e-4, decay=decay)
    text = "alpha eta is the share of W that one step of SGD (lr 0.03, weight decay 4e-4) takes away"
    return [same_number(text, 0.03 * float(hp.eta_s), numbers.share_taken_by_sgd_step(0.03, 4e-4))]


def same_number(text: str, a: float, b: float) -> Step:
    """Return the identity of two numbers."""
    return ScalarIdentity(text, sympy.nsimplify(round(a, 12)), sympy.nsimplify(round(b, 12)))


def direct_pred_released(largest: Any, power: Any = 1) -> list[Step]:
    """Hold the released code's p_j sqrt(max_j s_j) against sqrt(s_j) + epsilon (max_j s_j)^power, Eq. 18 at power 1.

    Args:
        largest: max_j s_j.
        power: of max_j s_j in the shift.

    Returns:
        The step.
    """
    eps, one = sympy.symbols("epsilon s_j", positive=True)
    released = closed_form.shifted_power(one / largest, HALF, eps) * sympy.sqrt(largest)
    return [ScalarIdentity("p_j up to scale", released, closed_form.shifted_power(one, HALF, eps * largest**power))]
