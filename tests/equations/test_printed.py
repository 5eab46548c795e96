"""The library's equations against the paper's as printed, every product written out, at random states."""

import numpy as np
import pytest

from lindyn.equations import correlation, gram, matrices, modes, parabola, target, weights
from tests.helpers import psd, relative, rng

ALPHA_P, BETA, ETA_P, ETA_S, TAU, X, X_AUG = 2.3, 0.7, 0.11, 0.05, 0.6, 1.2, 0.35
V = X + X_AUG


def braces(A, B):
    return A @ B + B @ A


def squares(seed, symmetric=False):
    W_p, F = rng(seed).normal(size=(3, 3)), psd(seed + 50, 3)
    return (W_p + W_p.T) / 2 if symmetric else W_p, F


def test_lemma_1():
    W, W_a = rng(1).normal(size=(2, 3, 5))
    W_p, D, A = rng(2).normal(size=(3, 3)), psd(3, 5), psd(4, 5)
    G = weights.residual_moment(W, W_p, W_a, D, A)
    bracket = -W_p @ W @ (D + A) + W_a @ D
    assert relative(weights.dW_p(W, W_p, G, ALPHA_P, ETA_P), ALPHA_P * bracket @ W.T - ETA_P * W_p) < 1e-14
    assert relative(weights.dW(W, W_p, G, ETA_S), W_p.T @ bracket - ETA_S * W) < 1e-14
    assert relative(weights.dW_a(W, W_a, BETA), BETA * (W - W_a)) < 1e-15


@pytest.mark.parametrize("seed", range(4))
def test_reduced_flow_without_assumption_3(seed):
    W_p, F = squares(seed)
    Y = correlation.drive(W_p, F, TAU, X, X_AUG)
    dW_p = -ALPHA_P * V * W_p @ F + ALPHA_P * X * TAU * F - ETA_P * W_p
    dF = -V * (W_p.T @ W_p @ F + F @ W_p.T @ W_p) + X * TAU * (W_p.T @ F + F @ W_p) - 2 * ETA_S * F
    assert relative(correlation.dW_p(W_p, Y, ALPHA_P, ETA_P), dW_p) < 1e-12
    assert relative(correlation.dF(W_p, F, Y, ETA_S), dF) < 1e-12


@pytest.mark.parametrize("seed", range(4))
def test_equation_7(seed):
    W_p, F = squares(seed, symmetric=True)
    Y = correlation.drive(W_p, F, TAU, X, X_AUG)
    dW_p = -ALPHA_P / 2 * V * braces(W_p, F) + ALPHA_P * X * TAU * F - ETA_P * W_p
    dF = -V * braces(W_p @ W_p, F) + X * TAU * braces(W_p, F) - 2 * ETA_S * F
    assert relative(correlation.dW_p(W_p, weights.symmetric_part(Y), ALPHA_P, ETA_P), dW_p) < 1e-12
    assert relative(correlation.dF(W_p, F, Y, ETA_S), dF) < 1e-12


def test_gram_system_is_the_chain_rule_of_lemma_1():
    W, W_a = rng(5).normal(size=(2, 3, 6))
    W_p = rng(6).normal(size=(3, 3))
    F, H, J = W @ W.T, W_a @ W.T, W_a @ W_a.T
    bracket = X * W_a - V * W_p @ W
    dW, dW_a = W_p.T @ bracket - ETA_S * W, BETA * (W - W_a)
    R = gram.residual(W_p, F, H, X, X_AUG)
    assert relative(gram.dW_p(W_p, R, ALPHA_P, ETA_P), ALPHA_P * bracket @ W.T - ETA_P * W_p) < 1e-12
    assert relative(gram.dF(W_p, F, R, ETA_S), dW @ W.T + W @ dW.T) < 1e-12
    assert relative(gram.dH(W_p, F, H, J, X, X_AUG, BETA, ETA_S), dW_a @ W.T + W_a @ dW.T) < 1e-12
    assert relative(gram.dJ(H, J, BETA), dW_a @ W_a.T + W_a @ dW_a.T) < 1e-12


def test_correlation_target_branch_is_the_full_one():
    W, W_p = rng(7).normal(size=(3, 3)), rng(8).normal(size=(3, 3))
    E = weights.target_branch(W, W_p, W, X * np.eye(3), X_AUG * np.eye(3)) @ W.T
    assert relative(correlation.target_branch(W_p, W @ W.T, X, X_AUG), E) < 1e-13


def test_modes_equations_11_to_13():
    p, s = rng(9).normal(size=5), rng(10).uniform(size=5)
    D = modes.drive(p, TAU, X, X_AUG)
    g = modes.growth(p, D, ETA_S)
    bracket = X * TAU - V * p
    dp, ds = ALPHA_P * s * bracket - ETA_P * p, 2 * p * s * bracket - 2 * ETA_S * s
    np.testing.assert_allclose(modes.dp(p, s, D, ALPHA_P, ETA_P), dp, rtol=1e-13)
    np.testing.assert_allclose(modes.ds(s, g), ds, rtol=1e-13, atol=1e-15)
    printed = (BETA * (1 - TAU) * s - TAU / 2 * ds) / s
    np.testing.assert_allclose(target.dtau(TAU, g, BETA), printed, rtol=1e-12)


def test_appendix_d():
    p, w, a = rng(11).normal(size=(3, 5))
    r = modes.residual(p, w, a, X, X_AUG)
    l_d, l_s = X, V
    np.testing.assert_allclose(
        modes.dp_weights(p, w, r, ALPHA_P, ETA_P), ALPHA_P * (a * l_d - p * w * l_s) * w - ETA_P * p, rtol=1e-13
    )
    np.testing.assert_allclose(modes.dw(p, w, r, ETA_S), p * (a * l_d - p * w * l_s) - ETA_S * w, rtol=1e-13)
    np.testing.assert_allclose(modes.da(w, a, BETA), BETA * (w - a), rtol=1e-14)


def test_equation_16_is_equation_11_on_the_parabola():
    p = rng(12).uniform(0.1, 1.0, size=5)
    D = modes.drive(p, TAU, X, X_AUG)
    on_parabola = modes.dp(p, p**2 / ALPHA_P, D, ALPHA_P, ETA_S)
    printed = p**2 * (X * TAU - V * p) - ETA_S * p
    np.testing.assert_allclose(parabola.dp(p, modes.growth(p, D, ETA_S)), printed, rtol=1e-13)
    np.testing.assert_allclose(on_parabola, printed, rtol=1e-13)


def test_K_of_theorem_3():
    """dL/dt = -(L K + K L) for L = [F, W_p] along Eq. 7, and the printed K (Eq. 9) at x = 1, eta_p = eta_s."""
    W_p, F = squares(13, symmetric=True)
    I = np.eye(3)
    K = matrices.K(W_p, F, TAU, ALPHA_P, ETA_P, ETA_S, X, X_AUG, I)
    Y = correlation.drive(W_p, F, TAU, X, X_AUG)
    dW_p = correlation.dW_p(W_p, weights.symmetric_part(Y), ALPHA_P, ETA_P)
    dF = correlation.dF(W_p, F, Y, ETA_S)
    L = matrices.commutator(F, W_p)
    dL = matrices.commutator(dF, W_p) + matrices.commutator(F, dW_p)
    assert relative(dL, -(L @ K + K @ L)) < 1e-12
    printed = (1 + X_AUG) * (ALPHA_P / 2 * F + W_p @ W_p - TAU / (1 + X_AUG) * W_p) + 1.5 * ETA_S * I
    assert relative(matrices.K(W_p, F, TAU, ALPHA_P, ETA_S, ETA_S, 1.0, X_AUG, I), printed) < 1e-14


def test_equation_17_is_the_eigenvalue_of_K():
    p, s = 0.4, 0.9
    D = modes.drive(p, TAU, 1.0, X_AUG)
    rate = modes.alignment_rate(p, s, D, ALPHA_P, ETA_S, ETA_S, 1.0, X_AUG)
    delta = p * (TAU - (1 + X_AUG) * p) - ETA_S
    assert rate == pytest.approx((ALPHA_P * (1 + X_AUG) * s + ETA_S) / 2 - delta, rel=1e-14)
    one = np.eye(1)
    assert rate == pytest.approx(matrices.K(p * one, s * one, TAU, ALPHA_P, ETA_S, ETA_S, 1.0, X_AUG, one)[0, 0])


def test_balance_is_conserved_by_lemma_1():
    """Theorem 1: d(W W^T - W_p^T W_p / alpha_p)/dt = -2 eta times itself, whatever W_a is; Eq. 14 for modes."""
    W, W_a = rng(14).normal(size=(2, 3, 5))
    W_p, D, A = rng(15).normal(size=(3, 3)), psd(16, 5), psd(17, 5)
    G = weights.residual_moment(W, W_p, W_a, D, A)
    dW, dW_p = weights.dW(W, W_p, G, ETA_S), weights.dW_p(W, W_p, G, ALPHA_P, ETA_S)
    dB = dW @ W.T + W @ dW.T - (dW_p.T @ W_p + W_p.T @ dW_p) / ALPHA_P
    assert relative(dB, -2 * ETA_S * matrices.balance(W, W_p, ALPHA_P)) < 1e-13
    assert modes.integral_of_motion(0.4, 0.9, ALPHA_P) == pytest.approx(0.9 - 0.16 / ALPHA_P)
