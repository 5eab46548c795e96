"""Tian et al. 2021 as printed, entry by entry, each with the steps that decide it."""

import sympy

from lindyn.proofs import print_tian_steps as of
from lindyn.proofs import printed
from lindyn.proofs.letters import *
from lindyn.proofs.printed import Printed, first_steps
from lindyn.proofs.rows_decay import LOWEST
from lindyn.proofs.sheets import (
    rule_modes,
    tian_appendix_d,
    tian_correlation,
    tian_modes,
    tian_observations,
    tian_scrambling,
    tian_weights,
)
from lindyn.proofs.steps import ScalarIdentity

ENTRIES: tuple[Printed, ...] = (
    Printed(
        "Lemma 1", "Tian 2021, Eqs. 2-4", "the three equations", of.lemma_1, statements=(tian_weights.lemma_1,),
        text=printed.READ,
    ),
    Printed(
        "Theorem 1", "Tian 2021, Eq. 5", "W W^T = W_p^T W_p/alpha_p + exp(-2 eta t) C",
        first_steps(tian_weights.theorem_1),
        "for the symmetrised predictor of Assumption 3: dB/dt = -2 eta B + [W_p, (M - M^T)/2], only tr B decays "
        "exactly; and eta_p = eta_s is needed",
        statements=(tian_weights.theorem_1,),
        elsewhere=first_steps(tian_weights.theorem_1, rates=weight_rates(predictor="symmetrised")),
        text=printed.READ, reading=True,
    ),
    Printed(
        "Theorem 2, H", "Tian 2021, Eq. 6",
        "H = X' (x) (W_p^T W_p + I) + X (x) (W_p - I)^T (W_p - I) + eta I, with vec stacking columns",
        first_steps(tian_weights.theorem_2), statements=(tian_weights.theorem_2,),
        text=printed.READ,
    ),
    Printed(
        "No predictor", "Tian 2021, remark after Theorem 2",
        "W_a = W, W_p = I: W(t) -> 0 with or without stop-gradient", lambda: of.remark(LOWEST, eta),
        "W(t) -> 0 when eta > 0 or X' > 0; at eta = 0 rows of W in the kernel of X' never move",
        statements=(tian_weights.no_predictor,),
        with_condition=lambda: of.remark(LOWEST, sympy.Symbol("eta", positive=True)),
        correct=first_steps(tian_weights.no_predictor), numbers=of.surviving_row,
        text=printed.READ,
    ),
    Printed(
        "Flow under 1+2", "Tian 2021, appendix", "dW_p/dt and dF/dt of the appendix", of.appendix_flow,
        statements=(tian_correlation.reduction_12,),
        text=printed.READ,
    ),
    Printed(
        "Assumption 1", "Tian 2021, Assumption 1", "W_a(t) = tau(t) W(t) with one number tau, along the flow",
        lambda: of.assumption_1(False),
        "Lemma 1 keeps W_a = tau W only where W_p^T (x tau - (x+x') W_p) acts on the range of W as a number, e.g. "
        "for one mode; else each mode has its own tau_j",
        statements=(tian_modes.modes_without_assumption_1,), with_condition=lambda: of.assumption_1(True),
        numbers=lambda: (
            f"at random states with W_a = tau W, dW/dt leaves the line of W by {of.bend_of_growth(3):.2g} of its size"
        ),
        text=printed.READ, reading=True,
    ),
    Printed(
        "Eq. 7", "Tian 2021, Eq. 7", "the symmetrised flow", first_steps(tian_correlation.symmetrised_flow),
        statements=(tian_correlation.symmetrised_flow,),
        text=printed.READ,
    ),
    Printed(
        "Eqs. 8-9", "Tian 2021, Eqs. 8-9", "dL/dt = -(L K + K L), K with (3/2) eta I",
        lambda: of.theorem_3(eta, eta, eta, printed.eq_9()), statements=(tian_correlation.theorem_3,),
        text=printed.READ,
    ),
    Printed(
        "Eq. 9, unequal decays", "Tian 2021, Eq. 9 with Table 5",
        "K = (1+sigma^2)[...] + (3/2) eta I, also used with eta_p != eta_s",
        lambda: of.theorem_3(eta_p, eta_s, eta_s, printed.eq_9()), "the last term is (eta_s + eta_p/2) I",
        statements=(tian_correlation.theorem_3,),
        with_condition=lambda: of.theorem_3(eta_s, eta_s, eta_s, printed.eq_9()),
        correct=first_steps(tian_correlation.theorem_3),
        text=printed.READ, reading=True,
    ),
    Printed(
        "Theorem 3, bound", "Tian 2021, Eq. 10",
        "lambda_min(K) >= lambda_0 > 0 gives ||L|| <= exp(-2 lambda_0 t) ||L(0)||",
        first_steps(tian_correlation.theorem_3),
        "the sum of K's two smallest eigenvalues in the place of 2 lambda_min(K): lambda_min(K) may be negative",
        statements=(tian_correlation.theorem_3_sharp, tian_correlation.theorem_3),
        weaker=first_steps(tian_correlation.theorem_3_sharp), numbers=of.aligns_with_negative_eigenvalue,
        text=printed.READ,
    ),
    Printed(
        "Eqs. 11-13", "Tian 2021, Eqs. 11-13", "the decoupled modes", of.mode_equations,
        statements=(tian_modes.decoupled_modes,),
        text=printed.READ,
    ),
    Printed(
        "Eq. 14", "Tian 2021, Eq. 14 with Table 5", "s = p^2/alpha_p + c exp(-2 eta t)",
        first_steps(tian_modes.integral_of_motion),
        "needs eta_p = eta_s; with unequal decays d/dt (s - p^2/alpha_p) = -2 eta_s s + 2 eta_p p^2/alpha_p",
        statements=(tian_modes.integral_of_motion,),
        elsewhere=first_steps(tian_modes.integral_of_motion, rates=mode_rates(eta_p, eta_s)),
        text=printed.READ, reading=True,
    ),
    Printed(
        "Eq. 15", "Tian 2021, Eq. 15", "tau(t) = beta exp(-beta t)/p(t) Int_0^t p exp(beta t') dt' with tau(0) = 0",
        lambda: list(tian_modes.eq_15.steps())[:3],
        "add tau(0) p(0) exp(-beta t)/p(t); p(0) != 0 is needed (p = 0 stays 0 and the ratio is 0/0)",
        statements=(tian_modes.eq_15,), elsewhere=lambda: list(tian_modes.eq_15.steps(start=0)),
        correct=first_steps(tian_modes.eq_15), numbers=of.eq_15_without_start,
        text=printed.READ, reading=True,
    ),
    Printed(
        "Eq. 16", "Tian 2021, Eq. 16", "dp/dt = p^2 [tau - (1+sigma^2) p] - eta p",
        lambda: [ScalarIdentity("dp/dt", sympy.sympify(parabola_rates()[p]).subs(of.UNITS), printed.eq_16())],
        statements=(tian_modes.eq_16,),
        text=printed.READ,
    ),
    Printed(
        "Fixed points", "Tian 2021, Sec. 3 with Table 5", "p_+- with s = p^2/alpha_p", lambda: of.points(eta, eta),
        "with unequal decays p_+- has eta_s under the root, and s = (eta_p/eta_s) p^2/alpha_p",
        statements=(tian_modes.fixed_points,), elsewhere=lambda: of.points(eta_p, eta_s),
        correct=first_steps(tian_modes.fixed_points),
        text=printed.READ, reading=True,
    ),
    Printed(
        "Stability at the edge", "Tian 2021, Sec. 3", "for 0 < eta <= tau^2/(4(1+sigma^2)): p_- unstable, p_+ stable",
        lambda: of.slopes("nonnegative"),
        "strictly below the critical decay; at it p_- = p_+ is one half-stable point, dp/dt = -v p (p - p_-)^2",
        statements=(tian_modes.stability,), with_condition=lambda: of.slopes("positive"),
        correct=first_steps(tian_modes.stability),
        text=printed.READ,
    ),
    Printed(
        "Eq. 17, 'iff'", "Tian 2021, Eq. 17",
        "alignment stays stable iff Delta_j < [alpha_p (1+sigma^2) s_j + eta]/2 for the modes", of.eq_17_iff,
        "sufficient; necessary and sufficient is k_i + k_j > 0 for every pair, k_j = [alpha_p (1+sigma^2) s_j + "
        "eta]/2 - Delta_j",
        statements=(tian_correlation.eq_17, tian_correlation.eq_17_pairs),
        weaker=first_steps(tian_correlation.eq_17_pairs), numbers=of.eq_17_example,
        text=printed.READ,
    ),
    Printed(
        "Eq. 17, formula", "Tian 2021, Eq. 17", "its margin is K's eigenvalue of the mode",
        lambda: [
            ScalarIdentity(
                "margin = eigenvalue of K",
                printed.eq_17_margin(),
                tian_correlation.eigenvalue_of_K(decay_p=eta, decay_s=eta).subs(of.UNITS),
            )
        ],
        statements=(tian_correlation.eq_17,),
        text=printed.READ,
    ),
    Printed(
        "Obs. #6", "Tian 2021, Table 4", "larger alpha_p loosens Eq. 17",
        lambda: list(tian_observations.obs_6.steps())[:1],
        "at a given (p, s, tau); on the parabola s = p^2/alpha_p, where the flow ends, alpha_p changes nothing",
        statements=(tian_observations.obs_6,),
        elsewhere=lambda: [
            ScalarIdentity(
                "on the parabola the margin rises with alpha_p at the rate v s/2",
                sympy.diff(tian_correlation.eigenvalue_of_K(decay_p=eta, decay_s=eta).subs(s, p**2 / alpha_p), alpha_p),
                (x + x_aug) * p**2 / (2 * alpha_p),
            )
        ],
        correct=first_steps(tian_observations.obs_6),
        text=printed.READ,
    ),
    Printed(
        "Obs. #7", "Tian 2021, Table 4", "larger eta loosens Eq. 17", lambda: of.obs_7(False),
        "at a given (p, s, tau), by 3/2 per unit; at the living fixed point, which moves with eta, the margin falls: "
        "-(p_+ + p_-)/(2(p_+ - p_-))",
        statements=(tian_observations.obs_7,), elsewhere=lambda: of.obs_7(True),
        correct=first_steps(tian_observations.obs_7),
        text=printed.READ,
    ),
    Printed(
        "Obs. #8", "Tian 2021, Table 4", "EMA is an automatic curriculum: tau small first, then rising",
        of.obs_8_always,
        "tau <= 1 - exp(-beta t) while p does not fall; tau itself may fall again when p grows fast, and passes 1 "
        "when p falls",
        statements=(tian_modes.tau_bounds,), with_condition=first_steps(tian_modes.tau_bounds),
        numbers=of.tau_falls_example,
        text=printed.READ,
    ),
    Printed(
        "Multiplicative scrambling", "Tian 2021, Appendix D.2", "Sigma^s = Sigma^x for A = P + U B U^T, B Gaussian",
        lambda: of.scrambling(False),
        "Sigma^s = P Sigma^x P + tr(U^T Sigma^x U) U U^T: Sigma^x for one scrambled direction that is an eigenvector "
        "of Sigma^x",
        statements=(tian_scrambling.multiplicative_scrambling,), with_condition=lambda: of.scrambling(True),
        correct=first_steps(tian_scrambling.multiplicative_scrambling), numbers=of.scrambling_example,
        text=printed.READ,
    ),
    Printed(
        "Scrambled subspace, rest", "Tian 2021, Appendix D.2",
        "Sigma^d (Sigma^s)^-1 = P in the special case that P commutes with Sigma^x", lambda: of.scrambled_rest(True),
        "it is P whether or not they commute, for Sigma^s is block diagonal in P and I - P",
        statements=(tian_scrambling.multiplicative_scrambling,), weaker=lambda: of.scrambled_rest(False),
        numbers=of.scrambled_rest_example, text=printed.READ,
    ),
    Printed(
        "Additive scrambling", "Tian 2021, Appendix D", "Sigma^s = Sigma^x + Sigma^n, Sigma^d = Sigma^x",
        first_steps(tian_scrambling.additive_scrambling), statements=(tian_scrambling.additive_scrambling,),
        text=printed.READ,
    ),
    Printed(
        "Appendix D, fixed points", "Tian 2021, Appendix D", "W_p W = W Sigma^d (Sigma^s)^-1 at eta = 0, W_a = W",
        first_steps(tian_appendix_d.fixed_point_manifold), statements=(tian_appendix_d.fixed_point_manifold,),
        text=printed.READ,
    ),
    Printed(
        "Appendix D, scalars", "Tian 2021, Appendix D", "the (w_p, w, w_a) system",
        first_steps(tian_appendix_d.scalar_reduction), statements=(tian_appendix_d.scalar_reduction,),
        text=printed.READ,
    ),
    Printed(
        "Training decay", "Tian 2021, Sec. 3 and experiments",
        "training decay etabar = alpha eta (4e-4 at alpha 0.03)", of.per_step,
        "for decay added to the gradient (torch SGD) etabar = eta_s itself, eta_p = alpha_p etabar: the flow's eta "
        "is 4e-4, not 4e-4/0.03",
        elsewhere=lambda: of.sgd("per_step"), correct=lambda: of.sgd("sgd"),
        text=printed.READ,
    ),
    Printed(
        "DirectPred, Eq. 18", "Tian 2021, Eqs. 18-19 and the released code",
        "p_j = sqrt(s_j) + epsilon max_j s_j is what the experiments ran",
        lambda: of.direct_pred_released(sympy.Symbol("m", positive=True)),
        "the released code sets p_j = (sqrt(s_j) + epsilon sqrt(max_j s_j))/sqrt(max_j s_j): Eq. 18 up to the scale "
        "of W_p where max_j s_j = 1 only",
        statements=(rule_modes.direct_set,), with_condition=lambda: of.direct_pred_released(sympy.S.One),
        correct=lambda: of.direct_pred_released(sympy.Symbol("m", positive=True), HALF),
    ),
)  # fmt: skip
