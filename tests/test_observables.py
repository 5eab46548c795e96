"""Observables against their definitions, written out, on states and along trajectories; the theorems they serve."""

import numpy as np
import pytest

import lindyn as ld
from lindyn import observables as ob
from tests.helpers import moments, orthogonal, psd, rng, start, weights

HP = ld.Hyperparameters(1.5, 0.4, 0.05)
FLOW = ld.WeightFlow(HP, moments(1))
RUN = ld.simulate(FLOW, weights(1), np.linspace(0.0, 10.0, 6), engine="scipy")
STATES = [ld.WeightState(RUN.states.W[k], RUN.states.W_p[k], RUN.states.W_a[k]) for k in range(6)]
SQUARE = ld.CorrelationFlow(HP, sigma2=0.3, symmetrised=True)
W_P = rng(2).normal(size=(3, 3))
REDUCED = ld.simulate(SQUARE, ld.CorrelationState(W_P + W_P.T, psd(3, 3), 0.8), np.linspace(0, 10, 6), engine="scipy")

ON_STATES = [
    ob.correlation, ob.predictor, ob.spectrum_F, ob.spectrum_W_p, ob.alignment, ob.asymmetry, ob.commutator_norm,
    ob.target_correlation, ob.tau, ob.tau_per_mode,
]  # fmt: skip


@pytest.mark.parametrize("observable", ON_STATES, ids=lambda f: f.__name__)
def test_trajectories_give_one_value_per_time(observable):
    along = observable(RUN)
    assert along.shape[0] == 6
    for k, state in enumerate(STATES):
        np.testing.assert_allclose(along[k], observable(state), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("observable", ON_STATES, ids=lambda f: f.__name__)
def test_gram_states_say_what_their_weights_say(observable):
    y = weights(4)
    gram = ld.conversions.weights_to_gram(y).state
    got, want = observable(gram), observable(y)
    np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)


def test_definitions_on_one_state():
    y = weights(5)
    F, W_p, W_a = y.W @ y.W.T, y.W_p, y.W_a
    s, U = np.linalg.eigh(F)
    s, U = s[::-1], U[:, ::-1]
    np.testing.assert_allclose(ob.spectrum_F(y), s, rtol=1e-12)
    np.testing.assert_allclose(ob.spectrum_W_p(y), np.linalg.eigvalsh((W_p + W_p.T) / 2)[::-1], rtol=1e-13)
    cosines = [U[:, j] @ W_p @ U[:, j] / np.linalg.norm(W_p @ U[:, j]) for j in range(3)]
    np.testing.assert_allclose(ob.alignment(y), cosines, rtol=1e-10)
    p, s_again = ob.mode_values(y)
    np.testing.assert_allclose(p, [U[:, j] @ W_p @ U[:, j] for j in range(3)], rtol=1e-10)
    np.testing.assert_allclose(s_again, s, rtol=1e-12)
    assert ob.asymmetry(y) == pytest.approx(np.linalg.norm(W_p - W_p.T) / np.linalg.norm(W_p))
    assert ob.commutator_norm(y) == pytest.approx(np.linalg.norm(F @ W_p - W_p @ F))
    assert ob.target_correlation(y) == pytest.approx(np.vdot(W_a, y.W) / np.linalg.norm(W_a) / np.linalg.norm(y.W))
    assert ob.tau(y) == pytest.approx(np.vdot(W_a, y.W) / np.vdot(y.W, y.W))
    ratios = [U[:, j] @ W_a @ y.W.T @ U[:, j] / s[j] for j in range(3)]
    np.testing.assert_allclose(ob.tau_per_mode(y), ratios, rtol=1e-9)
    np.testing.assert_allclose(ob.balance(y, 1.5), F - W_p.T @ W_p / 1.5, rtol=1e-13)


def test_ends_of_the_scales():
    symmetric, skew = np.diag([1.0, 2.0]), np.array([[0.0, 1.0], [-1.0, 0.0]])
    F = np.diag([3.0, 1.0])
    aligned = ld.CorrelationState(symmetric, F)
    assert ob.asymmetry(aligned) == 0.0 and ob.asymmetry(ld.CorrelationState(skew, F)) == pytest.approx(2.0)
    np.testing.assert_allclose(ob.alignment(aligned), 1.0)
    np.testing.assert_allclose(ob.alignment(ld.CorrelationState(-symmetric, F)), -1.0)
    np.testing.assert_allclose(ob.alignment(ld.CorrelationState(skew, F)), 0.0, atol=1e-15)
    assert np.all(np.isnan(ob.alignment(ld.CorrelationState(0 * symmetric, F))))
    W = rng(6).normal(size=(2, 3))
    assert ob.target_correlation(ld.WeightState(W, None, 0.3 * W)) == pytest.approx(1.0)
    assert ob.target_correlation(ld.WeightState(W, None, -W)) == pytest.approx(-1.0)
    assert np.isnan(ob.target_correlation(ld.WeightState(W, None, 0 * W)))


def test_ranks():
    assert ob.stable_rank(np.eye(4)) == pytest.approx(4.0) and ob.effective_rank(np.eye(4)) == pytest.approx(4.0)
    rank_1 = np.outer([1.0, 2.0], [3.0, 4.0, 5.0])
    assert ob.stable_rank(rank_1) == pytest.approx(1.0) and ob.effective_rank(rank_1) == pytest.approx(1.0)
    sigma = np.array([3.0, 2.0, 1.0])
    M = orthogonal(1, 3) @ np.diag(sigma) @ orthogonal(2, 3)
    share = sigma / sigma.sum()
    assert ob.stable_rank(M) == pytest.approx(np.sum(sigma**2) / 9.0)
    assert ob.effective_rank(M) == pytest.approx(np.exp(-np.sum(share * np.log(share))))
    assert ob.stable_rank(np.stack([M, rank_1.T @ rank_1])).shape == (2,)
    assert np.isnan(ob.stable_rank(np.zeros((2, 2)))) and np.isnan(ob.effective_rank(np.zeros((2, 2))))


def test_wide_and_narrow_weights():
    """n2 > n1: F has n2 - n1 eigenvalues 0; a spectrum over 20 orders keeps its relative accuracy."""
    narrow = ld.WeightState.random(5, 2)
    assert ob.spectrum_F(narrow).shape == (5,) and np.all(ob.spectrum_F(narrow)[2:] == 0)
    sigma = np.array([1.0, 1e-5, 1e-10])
    W = orthogonal(3, 3) * sigma @ orthogonal(4, 3)
    np.testing.assert_allclose(ob.spectrum_F(ld.WeightState(W))[:2], sigma[:2] ** 2, rtol=1e-9)


def test_K_along_a_run():
    """K of Theorem 3 per time, its smallest eigenvalue, and the bound it gives on the commutator."""
    K = ob.K_matrix(REDUCED)
    for k in range(6):
        W_p, F, tau = (np.asarray(block)[k] for block in (REDUCED.states.W_p, REDUCED.states.F, REDUCED.states.tau))
        want = 1.3 * (0.75 * F + W_p @ W_p) - tau * W_p + 1.5 * 0.05 * np.eye(3)
        np.testing.assert_allclose(K[k], want, atol=1e-13)
        assert ob.lambda_min_K(REDUCED)[k] == pytest.approx(np.linalg.eigvalsh(want)[0])


def test_theorem_3_bounds_the_commutator():
    """||L(t)|| <= exp(-2 int lambda_min K) ||L(0)||, and the printed bound with the infimum."""
    W_p = 0.1 * (W_P + W_P.T) + np.eye(3)
    ts = np.linspace(0.0, 5.0, 201)
    run = ld.simulate(SQUARE, ld.CorrelationState(W_p, psd(3, 3) + np.eye(3)), ts, engine="scipy")
    lowest, norms = ob.lambda_min_K(run), ob.commutator_norm(run)
    assert np.min(lowest) > 0 and norms[0] > 1e-3
    assert np.all(norms <= np.exp(-2 * np.min(lowest) * ts) * norms[0] * (1 + 1e-9) + 1e-15)


def test_theorem_2_bounds_the_weights():
    """||W(t)|| <= exp(-lambda_0 t) ||W(0)|| with lambda_0 the smallest eigenvalue of H along the run."""
    flow = ld.WeightFlow(HP, moments(7), target="online", stop_gradient=False)
    run = ld.simulate(flow, start(flow, 7), np.linspace(0.0, 5.0, 51), engine="scipy")
    lowest = ob.lambda_min_H(run, flow.data.X, flow.data.X_aug, HP.eta_s)
    norms = np.linalg.norm(run.states.W, axis=(1, 2))
    assert np.all(norms <= np.exp(-np.min(lowest) * run.ts) * norms[0] * (1 + 1e-9))


@pytest.mark.parametrize(
    "data", [moments(8, n1=3), ld.Moments.commuting([1.0, 0.4, 0.2], [0.1, 0.0, 0.5], orthogonal(5, 3))]
)
def test_lambda_min_of_H_is_that_of_the_kronecker_products(data):
    W_p, I = rng(9).normal(size=(2, 2)), np.eye(2)
    H = np.kron(data.X_aug, W_p.T @ W_p + I) + np.kron(data.X, (W_p - I).T @ (W_p - I)) + 0.05 * np.eye(6)
    y = ld.WeightState(np.ones((2, 3)), W_p)
    assert ob.lambda_min_H(y, data.X, data.X_aug, 0.05) == pytest.approx(np.linalg.eigvalsh(H)[0], rel=1e-10)


def test_modes_have_the_same_observables():
    flow = ld.ModeFlow(HP, x=np.array([1.0, 0.5]), x_aug=0.3)
    run = ld.simulate(flow, ld.ModeState([0.4, 0.9], [0.3, 0.1], 0.8), np.linspace(0, 5, 4), engine="scipy")
    p, s, tau = run.states.p, run.states.s, run.states.tau
    drive = flow.x * tau - (flow.x + 0.3) * p
    np.testing.assert_allclose(ob.lambda_min_K(run), 1.5 * (flow.x + 0.3) * s / 2 - p * drive + 1.5 * 0.05, rtol=1e-13)
    np.testing.assert_array_equal(ob.tau(run), tau)
    np.testing.assert_allclose(ob.collapse(run), s.sum(1) / s[0].sum(), rtol=1e-14)
    weights_run = ld.ModeWeightState(p, np.sqrt(s), tau * np.sqrt(s))
    np.testing.assert_allclose(ob.tau(weights_run), tau, rtol=1e-13)


def test_collapse_along_a_run():
    traces = np.trace(RUN.states.W @ np.swapaxes(RUN.states.W, 1, 2), axis1=1, axis2=2)
    np.testing.assert_allclose(ob.collapse(RUN), traces / traces[0], rtol=1e-13)


BAD = {
    "modes have no F": (lambda: ob.correlation(ld.ModeState(1, 1)), "correlation needs a WeightState or GramState or"),
    "no target": (
        lambda: ob.target_correlation(ld.CorrelationState(np.eye(2), np.eye(2))),
        "needs a WeightState or Gram",
    ),
    "no run": (lambda: ob.collapse(STATES[0]), "collapse needs a Trajectory; got WeightState"),
    "no balance": (lambda: ob.balance_residual(STATES[0]), "balance_residual needs a Trajectory; got WeightState"),
    "K of weights": (lambda: ob.lambda_min_K(RUN), "lambda_min_K needs a CorrelationState or ModeState"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    make, text = BAD[case]
    with pytest.raises(ValueError) as caught:
        make()
    assert text in str(caught.value)
