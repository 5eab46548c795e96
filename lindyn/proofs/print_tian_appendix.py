"""Tian et al. 2021: slips of the print beside its theorems, and what its appendix states; read in the paper's text."""

from typing import Any

import numpy as np
import sympy

from lindyn import observables
from lindyn.equations import matrices, modes, target
from lindyn.flows import CorrelationFlow
from lindyn.hyperparameters import Hyperparameters
from lindyn.proofs.algebra import Algebra, Along
from lindyn.proofs.lemmas import counted, entries
from lindyn.proofs.letters import *
from lindyn.proofs.printed import READ, Printed, first_steps
from lindyn.proofs.sheets import (
    beyond,
    tian_appendix,
    tian_appendix_d,
    tian_correlation,
    tian_modes,
    tian_weights,
)
from lindyn.proofs.steps import Identity, ScalarIdentity, ScalarSign, Step
from lindyn.solve.ode import simulate
from lindyn.states import CorrelationState

ONE_RATE = Algebra(scalars={alpha_p: 1})


def constant_of_eq_14(sign: int) -> list[Step]:
    """Return s(0) = p(0)^2/alpha_p + c with c = sign (s(0) - p(0)^2/alpha_p)."""
    c = sign * modes.integral_of_motion(p, s, alpha_p)
    return [ScalarIdentity("at t = 0, s(0) = p(0)^2/alpha_p + c", p**2 / alpha_p + c, s)]


def parabolas(constant: Any) -> list[Step]:
    """Return that s - p^2/constant does not move at eta = 0."""
    rates = mode_rates(0, 0, tau="constant")
    return [ScalarIdentity("d/dt (s - p^2) = 0 at eta = 0", rate_of(s - p**2 / constant, rates), 0)]


def caption_of_fig_4(factor: Any) -> list[Step]:
    """Return dp/dt = -factor p (p - p_-)(p - p_+) on the parabola."""
    line = tian_modes.at_roots(parabola_rates(tau="constant")[p])
    low, high = tian_modes.low, tian_modes.low + tian_modes.gap
    return [ScalarIdentity("dp/dt", line, -factor * p * (p - low) * (p - high))]


def appendix_theorem_1(ratio: Any, algebra: Algebra = MOMENTS_SYMMETRIC) -> list[Step]:
    """Return the decay of W W^T - W_p^T W_p/ratio."""
    B = matrices.balance(W, W_p, ratio)
    return [Identity("d/dt of it = -2 eta x it", Along(B, weight_rates()), -2 * eta * B, algebra)]


def appendix_lemma_1(algebra: Algebra) -> list[Step]:
    """Return the appendix's dW_p/dt = [-W_p W (X+X') + W_a X] W^T - eta W_p."""
    inner = -W_p * W * (X + X_aug) + W_a * X
    return [Identity("dW_p/dt", weight_rates()[W_p], inner * W.T - eta * W_p, algebra + MOMENTS_SYMMETRIC)]


def appendix_theorem_2(decay: Any) -> list[Step]:
    """Return dW/dt = -(H W) with the appendix statement's H, which has no decay."""
    rates = weight_rates(eta, decay, target="online", stop_gradient=False)
    claimed = -matrices.H_action(W, W_p, X, X_aug, 0, I2)
    return [Identity("dW/dt", rates[W], claimed, MOMENTS_SYMMETRIC + Algebra(rules=((W_a, W),)))]


def order_of_the_remark(left: bool) -> list[Step]:
    """Return dW/dt without predictor as (X' + eta) W, or as W (X' + eta), entry 1, 2 of 2 x 2 matrices."""
    rows = entries("w", 2, 2)
    noise = sympy.Matrix(2, 2, lambda i, j: sympy.Symbol(f"y{min(i, j)}{max(i, j)}", real=True))
    whole = noise + eta * sympy.eye(2)
    rate = -rows * whole
    claimed = -(whole * rows) if left else rate
    word = Identity(
        "dW/dt = -W (X' + eta I)", weight_rates()[W], -W * (X_aug + eta * sympy.Identity(n1)),
        MOMENTS_SYMMETRIC + Algebra(rules=((W_a, W), (W_p, I2))),
    )  # fmt: skip
    return [word, ScalarIdentity("entry 1, 2 of dW/dt", rate[0, 1], claimed[0, 1], "2 x 2")]


def _spiral() -> tuple[float, float, float, float]:
    """Return (largest and smallest lambda_min(K) along a run, largest growth of ||L||, its time)."""
    turn = 0.05
    Q = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    y0 = CorrelationState(np.diag([0.2, 0.25]), Q @ np.diag([0.02, 0.04]) @ Q.T, 1.0)
    flow = CorrelationFlow(Hyperparameters(1.0, 0.0, 0.0), sigma2=0.25, symmetrised=True, tau="constant")
    traj = simulate(flow, y0, ts=np.linspace(0, 40, 401), engine="scipy")
    lowest, size = observables.lambda_min_K(traj), observables.commutator_norm(traj)
    at = int(np.argmax(size))
    return float(lowest.max()), float(lowest.min()), float(size[at] / size[0]), float(traj.ts[at])


def max_in_theorem_3() -> list[Step]:
    """Return the bound with the largest lambda_min(K) of a run in the place of the smallest."""
    return [counted("||L(t)|| <= ||L(0)|| on a run with max_t lambda_min[K(t)] > 0", lambda: _spiral()[2], 1 + 1e-9)]


def max_in_theorem_3_example() -> str:
    """The run in words."""
    high, low, growth, t_ = _spiral()
    return (
        f"alpha_p = 1, sigma^2 = 0.25, eta = 0, tau = 1, p = (0.2, 0.25), s = (0.02, 0.04) tilted by 0.05: "
        f"max lambda_min(K) = {high:.3f}, min {low:.3f}, and ||[F, W_p]|| grows {growth:.1f} times by t = {t_:.1f}"
    )


def start_of_tau(copied: bool) -> list[Step]:
    """Return that tau rises at the start while the mode grows: from W_a = 0, or from a copy."""
    g, B = sympy.symbols("g beta", positive=True)
    rate = target.dtau(sympy.Integer(1) if copied else sympy.Integer(0), g, B)
    return [ScalarSign("dtau/dt > 0 at t = 0 while w grows at g", rate, rate, "positive")]


def collapsed_tau(held: bool) -> list[Step]:
    """Return that tau rests at any value where p = s = 0."""
    rates = mode_rates(eta, eta, tau="constant") if held else mode_rates(eta, eta)
    return [ScalarIdentity("dtau/dt at p = s = 0", sympy.sympify(rates[tau]).subs({p: 0, s: 0}), 0)]


TABLE_6 = (76.77, 77.11, 77.86, 75.06, 76.65, 76.76, 77.56, 75.22)


def in_table_6(value: float) -> list[Step]:
    """Return that a number stands in Table 6."""
    nearest = min(abs(value - entry) for entry in TABLE_6)
    return [ScalarIdentity("distance to the nearest entry of Table 6", sympy.nsimplify(round(nearest, 2)), 0)]


ENTRIES: tuple[Printed, ...] = (
    Printed(
        "Eq. 14, constant", "Tian 2021, after Eq. 14", "c_j = p_j^2(0)/alpha_p - s_j(0)",
        lambda: constant_of_eq_14(-1), "c_j = s_j(0) - p_j^2(0)/alpha_p", correct=lambda: constant_of_eq_14(1),
        statements=(tian_modes.integral_of_motion,), text=READ,
    ),
    Printed(
        "Eq. 14, parabolas", "Tian 2021, after Eq. 14", "at eta = 0 s and p stay on parabolas s = p^2 + c_j",
        lambda: parabolas(1), "s = p^2/alpha_p + c_j", correct=lambda: parabolas(alpha_p),
        statements=(tian_modes.integral_of_motion,), text=READ,
    ),
    Printed(
        "Fig. 4, caption", "Tian 2021, Fig. 4", "dp/dt = -p (p - p_-)(p - p_+)", lambda: caption_of_fig_4(1),
        "-(1+sigma^2) p (p - p_-)(p - p_+)", correct=lambda: caption_of_fig_4(tian_modes.scale),
        statements=(tian_modes.stability,), text=READ,
    ),
    Printed(
        "Lemma 1, appendix", "Tian 2021, appendix, Lemma 1", "dW_p/dt = [-W_p W (X+X') + W_a X] W^T - eta W_p",
        lambda: appendix_lemma_1(Algebra()), "alpha_p stands before the bracket; as printed for alpha_p = 1",
        with_condition=lambda: appendix_lemma_1(ONE_RATE), correct=first_steps(tian_weights.lemma_1),
        statements=(tian_weights.lemma_1,), text=READ,
    ),
    Printed(
        "Theorem 1, appendix", "Tian 2021, appendix, Theorem 1", "W W^T = W_p^T W_p + exp(-2 eta t) C",
        lambda: appendix_theorem_1(1), "W_p^T W_p/alpha_p, as in its proof and in Eq. 5; as printed for alpha_p = 1",
        with_condition=lambda: appendix_theorem_1(1, ONE_RATE + MOMENTS_SYMMETRIC),
        correct=lambda: appendix_theorem_1(alpha_p), statements=(tian_weights.theorem_1,), text=READ,
    ),
    Printed(
        "Theorem 2, appendix", "Tian 2021, appendix, Theorem 2",
        "H = X' (x) (W_p^T W_p + I) + X (x) (W_p - I)^T (W_p - I)",
        lambda: appendix_theorem_2(eta), "+ eta I, as in its proof and in Theorem 2; as printed for eta = 0",
        with_condition=lambda: appendix_theorem_2(0), correct=first_steps(tian_weights.theorem_2),
        statements=(tian_weights.theorem_2,), text=READ,
    ),
    Printed(
        "No predictor, order", "Tian 2021, appendix, remark after Theorem 2", "dW/dt = -(X' + eta I) W",
        lambda: order_of_the_remark(True), "dW/dt = -W (X' + eta I): W is n2 x n1, X' n1 x n1",
        correct=lambda: order_of_the_remark(False), statements=(tian_weights.no_predictor,), text=READ,
    ),
    Printed(
        "Theorem 3, appendix", "Tian 2021, appendix, Theorem 3",
        "max_t lambda_min[K(t)] = lambda_0 > 0 gives the bound", max_in_theorem_3,
        "inf_t lambda_min[K(t)] >= lambda_0 > 0, as in its proof", correct=first_steps(tian_correlation.theorem_3),
        statements=(tian_correlation.theorem_3,), numbers=max_in_theorem_3_example, text=READ,
    ),
    Printed(
        "Start of the target", "Tian 2021, Fig. 7's caption", "W_a(0) = 0 throughout: tau starts at 0 and rises",
        lambda: start_of_tau(False),
        "BYOL starts from a copy, tau(0) = 1: while W grows tau falls first, dtau/dt = -g at tau = 1",
        elsewhere=lambda: start_of_tau(True), correct=lambda: start_of_tau(False),
        statements=(tian_modes.tau_bounds,), text=READ,
    ),
    Printed(
        "Collapsed point, tau", "Tian 2021, Sec. 3.2", "p = s = 0 rests with tau at any value",
        lambda: collapsed_tau(False), "at any held tau; under EMA only at tau = beta/(beta - eta_s)",
        with_condition=lambda: collapsed_tau(True), correct=first_steps(beyond.jacobian_eigenvalues),
        statements=(beyond.jacobian_eigenvalues,), text=READ,
    ),
    Printed(
        "DirectPred, 77.38 %", "Tian 2021, Sec. 4, text beside Table 6", "regularisation yields 77.38 % (Table 6)",
        lambda: in_table_6(77.38), "Table 6 has 77.86 % for epsilon = 0.1, rho = 0.3; 77.38 stands nowhere in it",
        correct=lambda: in_table_6(77.86), text=READ,
    ),
    Printed(
        "Lemma 2", "Tian 2021, appendix, Lemma 2", "lambda_min(H) >= lambda_0 gives |w| <= exp(-lambda_0 t) |w(0)|",
        first_steps(tian_appendix.lemma_2), statements=(tian_appendix.lemma_2,), text=READ,
    ),
    Printed(
        "Symmetrised loss", "Tian 2021, appendix, remark after Lemma 1", "the same flow in the large-batch limit",
        first_steps(tian_appendix.symmetrised_loss), statements=(tian_appendix.symmetrised_loss,), text=READ,
    ),
    Printed(
        "Predictor at eta = 0", "Tian 2021, appendix, fixed point of Eq. 2",
        "at eta = 0 and singular F there are infinitely many fixed points, some not symmetric",
        first_steps(tian_appendix.predictor_fixed_points_singular),
        statements=(tian_appendix.predictor_fixed_points_singular,), text=READ,
    ),
    Printed(
        "Repeated eigenvalues", "Tian 2021, appendix, when the eigenspaces align",
        "with repeated eigenvalues U can be chosen so that it stands still",
        first_steps(tian_appendix.eigenvectors_stand_still), statements=(tian_appendix.eigenvectors_stand_still,),
        text=READ,
    ),
    Printed(
        "Appendix D.1, sufficient", "Tian 2021, Appendix D.1",
        "W_p W Sigma^s = W_a Sigma^d with W = W_a is sufficient; the solutions are generically n2^2-dimensional",
        first_steps(tian_appendix_d.fixed_point_manifold),
        "it is necessary as well (eta = 0, W_a = W, X >= 0), also where W_p is singular; the dimension is n2^2",
        weaker=first_steps(tian_appendix.manifold_is_all),
        numbers=lambda: "proved for matrices of any size: W_p^T G = 0 and G W^T = 0 leave G = 0",
        statements=(tian_appendix.manifold_is_all,), text=READ,
    ),
    Printed(
        "Appendix D.3, stability", "Tian 2021, Appendix D.3",
        "under additive scrambling W = W_a = 0 is stable without predictor",
        first_steps(tian_appendix.collapse_without_predictor), statements=(tian_appendix.collapse_without_predictor,),
        text=READ,
    ),
    Printed(
        "Appendix D.4, slow target", "Tian 2021, Appendix D.4",
        "for a slow target and alpha_p = 1, gradient descent on E = (l_s/2)(w_a l_d/l_s - w_p w)^2",
        first_steps(tian_appendix.slow_target), statements=(tian_appendix.slow_target,), text=READ,
    ),
)  # fmt: skip
