"""What stays along whole paths: Theorem 1's balance, Eq. 14, symmetry of the predictor, F positive semi-definite."""

import numpy as np
import pytest

import lindyn as ld
from lindyn import observables
from tests.helpers import ENGINES, moments, orthogonal, psd, rng, start, weights

TS = np.linspace(0.0, 30.0, 31)
TARGETS = ("ema", "online", "frozen")
DATA = {
    "random": moments(1),
    "commuting": ld.Moments.commuting([1.5, 0.9, 0.4, 0.1], [0.1, 0.5, 0.0, 0.3], orthogonal(2, 4)),
    "isotropic": ld.Moments.isotropic(4, 0.3),
    "rank 1": ld.Moments(np.outer(*[rng(3).normal(size=4)] * 2), psd(4, 4, 0.1)),
}


def defects(run, hp):
    """||B(t) - exp(-2 eta t) B(0)|| relative to what is balanced, written out here without lindyn's observables."""
    W, W_p = run.states.W, run.states.W_p
    F, P = W @ np.swapaxes(W, 1, 2), np.swapaxes(W_p, 1, 2) @ W_p / hp.alpha_p
    off = (F - P) - np.exp(-2 * hp.eta * run.ts)[:, None, None] * (F - P)[0]
    size = np.linalg.norm(F, axis=(1, 2)) + np.linalg.norm(P, axis=(1, 2))
    return np.linalg.norm(off, axis=(1, 2)) / size


@pytest.mark.parametrize("rtol", [1e-6, 1e-8, 1e-10])
@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("target", TARGETS)
def test_theorem_1_along_the_whole_path(target, data, rtol):
    for alpha_p, eta in ((0.3, 0.0), (4.0, 0.05)):
        hp = ld.Hyperparameters(alpha_p, 0.4, eta)
        flow = ld.WeightFlow(hp, DATA[data], target=target)
        run = ld.simulate(flow, start(flow, 5), TS, rtol=rtol, engine="scipy")
        found = defects(run, hp)
        assert np.max(found) <= 10 * rtol
        np.testing.assert_allclose(observables.balance_residual(run), found, rtol=1e-6, atol=1e-15)


@pytest.mark.parametrize("target", TARGETS)
def test_theorem_1_in_diffrax(target):
    hp = ld.Hyperparameters(2.0, 0.4, 0.03)
    flow = ld.WeightFlow(hp, moments(6, n1=3), target=target)
    for rtol in (1e-8, 1e-10, 1e-12):
        run = ld.simulate(flow, start(flow, 6, n2=2), np.linspace(0.0, 30.0, 9), rtol=rtol)
        assert np.max(defects(run, hp)) <= 10 * rtol


def test_the_balance_is_broken_where_the_theorem_does_not_hold():
    """Separate decays are refused; without stop-gradient the balance is off by per cents, so the check can fail."""
    data = DATA["random"]
    unequal = ld.Hyperparameters(2.0, 0.4, eta_p=0.3, eta_s=0.03)
    run = ld.simulate(ld.WeightFlow(unequal, data), weights(7), TS, engine="scipy")
    with pytest.raises(ValueError, match="Theorem 1 needs eta_p = eta_s"):
        observables.balance_residual(run)
    hp = ld.Hyperparameters(2.0, 0.4, 0.03)
    flow = ld.WeightFlow(hp, data, target="online", stop_gradient=False)
    assert np.max(defects(ld.simulate(flow, start(flow, 7), TS, engine="scipy"), hp)) > 1e-2


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("flow_type", [ld.ModeFlow, ld.ModeWeightFlow])
def test_equation_14_for_modes(flow_type, target):
    """s - p^2/alpha_p = c exp(-2 eta t), for modes with different eigenvalues of the data."""
    hp = ld.Hyperparameters(3.0, 0.5, 0.04)
    flow = flow_type(hp, x=np.array([1.5, 0.8, 0.3]), x_aug=np.array([0.1, 0.4, 0.6]), target=target)
    p, s, tau = np.array([0.3, 0.9, 0.5]), np.array([0.5, 0.2, 1.5]), 1.0 if target == "online" else 0.6
    w = np.sqrt(s)
    y0 = ld.ModeState(p, s, tau) if flow_type is ld.ModeFlow else ld.ModeWeightState(p, w, tau * w)
    for rtol in (1e-6, 1e-10):
        run = ld.simulate(flow, y0, TS, rtol=rtol, engine="scipy")
        s_t = run.states.s if flow_type is ld.ModeFlow else run.states.w**2
        B = s_t - run.states.p**2 / 3.0
        size = s_t + run.states.p**2 / 3.0
        assert np.max(np.abs(B - np.exp(-0.08 * TS)[:, None] * B[0]) / size) <= 10 * rtol
        assert np.max(observables.balance_residual(run)) <= 10 * rtol


def test_gram_flow_keeps_the_balance_too():
    hp = ld.Hyperparameters(0.7, 0.4, 0.02)
    y0 = ld.conversions.weights_to_gram(weights(8)).state
    run = ld.simulate(ld.GramFlow(hp, sigma2=0.3), y0, TS, engine="scipy")
    assert np.max(observables.balance_residual(run)) <= 10 * 1e-10


@pytest.mark.parametrize("engine", ENGINES)
def test_symmetrised_flows_stay_symmetric_and_F_positive(engine):
    """W_p, F exactly symmetric up to 1e-14; no eigenvalue of F below -1e-13 of the largest it had."""
    hp = ld.Hyperparameters(1.5, 0.4, 0.05)
    W_p = rng(9).normal(size=(3, 3))
    flow = ld.CorrelationFlow(hp, sigma2=0.3, symmetrised=True)
    y0, ts = ld.CorrelationState((W_p + W_p.T) / 2, psd(10, 3), 0.7), np.linspace(0.0, 30.0, 9)
    run = ld.simulate(flow, y0, ts, engine=engine)
    for M in (run.states.W_p, run.states.F):
        assert np.max(np.abs(M - np.swapaxes(M, 1, 2))) <= 1e-14 * np.max(np.abs(M))
    lowest = np.linalg.eigvalsh(run.states.F)[:, 0]
    assert np.min(lowest) > -1e-13 * np.max(np.abs(run.states.F))


def test_weights_with_symmetrised_predictor_stay_symmetric():
    flow = ld.WeightFlow(ld.Hyperparameters(1.5, 0.4, 0.05), DATA["random"], predictor="symmetrised")
    W_p = ld.simulate(flow, start(flow, 11), TS, engine="scipy").states.W_p
    assert np.max(np.abs(W_p - np.swapaxes(W_p, 1, 2))) <= 1e-14 * np.max(np.abs(W_p))


@pytest.mark.parametrize("target", ["ema", "frozen"])
def test_gram_states_stay_gram_matrices(target):
    """[[F, H^T], [H, J]] = [W; W_a][W; W_a]^T has no negative eigenvalue beyond the tolerance."""
    y0 = ld.conversions.weights_to_gram(weights(12)).state
    run = ld.simulate(ld.GramFlow(ld.Hyperparameters(1.5, 0.4, 0.1), target=target), y0, TS, engine="scipy")
    F, H, J = run.states.F, run.states.H, run.states.J
    whole = np.concatenate([np.concatenate([F, np.swapaxes(H, 1, 2)], 2), np.concatenate([H, J], 2)], 1)
    assert np.min(np.linalg.eigvalsh(whole)[:, 0]) > -1e-8 * np.max(np.abs(whole))


@pytest.mark.parametrize("engine", ENGINES)
def test_collapse_keeps_its_relative_accuracy(engine):
    """Without stop-gradient F falls by many orders: its asymmetry falls with it (round-off would outlive it)."""
    flow = ld.CorrelationFlow(ld.Hyperparameters(0.5, 0.4, 0.01), target="online", stop_gradient=False)
    W_p = rng(13).normal(size=(3, 3))
    run = ld.simulate(flow, ld.CorrelationState(W_p, psd(14, 3)), np.linspace(0.0, 60.0, 9), engine=engine)
    F = run.states.F
    assert np.trace(F[-1]) < 1e-12 * np.trace(F[0])
    assert np.max(np.abs(F[-1] - F[-1].T)) <= 1e-12 * np.max(np.abs(F[-1]))


def test_modes_stay_modes():
    """Signs: s >= 0 stays, a mode at p = s = 0 stays, tau stays in [0, 1] where it starts there and W grows."""
    flow = ld.ModeFlow(ld.Hyperparameters(1.0, 0.4, 0.02))
    run = ld.simulate(flow, ld.ModeState([0.0, 0.4, 0.4], [0.0, 0.2, 1e-12], [0.5, 0.2, 0.2]), TS, engine="scipy")
    assert np.all(run.states.p[:, 0] == 0) and np.all(run.states.s[:, 0] == 0)
    assert np.all(run.states.s >= 0)
    assert np.all((run.states.tau[:, 1] >= 0) & (run.states.tau[:, 1] <= 1))
