"""Symmetries of the flow, at random states and parameters (hypothesis), and along trajectories."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lindyn as ld
from tests.helpers import ABLATIONS, block_difference, moments, orthogonal, start, words

SEEDS = st.integers(0, 10_000)
RATES = st.floats(0.0, 50.0)
SCALES = st.floats(0.05, 20.0)
CHOICES = st.sampled_from(ABLATIONS)


def hyperparameters(alpha_p, beta, eta_p, eta_s):
    return ld.Hyperparameters(alpha_p, beta, eta_p=eta_p, eta_s=eta_s)


HPS = st.builds(hyperparameters, RATES, RATES, RATES, RATES)


def turned(y, U, V):
    return ld.WeightState(U @ y.W @ V.T, np.eye(len(U)) if np.array_equal(y.W_p, np.eye(len(U))) else U @ y.W_p @ U.T,
                          U @ y.W_a @ V.T)  # fmt: skip


@given(SEEDS, CHOICES, HPS)
def test_orthogonal_changes_of_basis(seed, choices, hp):
    """W -> U W V^T, W_p -> U W_p U^T, X -> V X V^T turns the derivative likewise."""
    data, U, V = moments(seed), orthogonal(seed + 1, 3), orthogonal(seed + 2, 4)
    flow = ld.WeightFlow(hp, data, **choices)
    other = ld.WeightFlow(hp, ld.Moments(V @ data.X @ V.T, V @ data.X_aug @ V.T), **choices)
    y = start(flow, seed)
    dy, turned_rate = flow(0.0, y), other(0.0, turned(y, U, V))
    want = ld.WeightState._unchecked(W=U @ dy.W @ V.T, W_p=U @ dy.W_p @ U.T, W_a=U @ dy.W_a @ V.T)
    assert block_difference(turned_rate, want) < 1e-11


@given(SEEDS, CHOICES, HPS, SCALES)
def test_time_rescaling(seed, choices, hp, c):
    """X, X', beta and eta times c: the same path, c times faster (alpha_p is a ratio and stays)."""
    data = moments(seed)
    flow = ld.WeightFlow(hp, data, **choices)
    faster = hyperparameters(hp.alpha_p, c * hp.beta, c * hp.eta_p, c * hp.eta_s)
    other = ld.WeightFlow(faster, ld.Moments(c * data.X, c * data.X_aug), **choices)
    y = start(flow, seed)
    dy = flow(0.0, y)
    want = ld.WeightState._unchecked(**{name: c * getattr(dy, name) for name in dy._fields()})
    assert block_difference(other(0.0, y), want) < 1e-12


@given(SEEDS, CHOICES, HPS, SCALES)
def test_amplitude_rescaling(seed, choices, hp, c):
    """W, W_a times c and alpha_p over c^2: W_p keeps its path, W and W_a are c times as large."""
    flow = ld.WeightFlow(hp, moments(seed), **choices)
    other = ld.WeightFlow(hyperparameters(hp.alpha_p / c**2, hp.beta, hp.eta_p, hp.eta_s), flow.data, **choices)
    y = start(flow, seed)
    dy = flow(0.0, y)
    larger = ld.WeightState(c * y.W, y.W_p, c * y.W_a)
    want = ld.WeightState._unchecked(W=c * dy.W, W_p=dy.W_p, W_a=c * dy.W_a)
    assert block_difference(other(0.0, larger), want) < 1e-12


@given(SEEDS, CHOICES, HPS)
def test_sign_of_the_weights(seed, choices, hp):
    flow = ld.WeightFlow(hp, moments(seed), **choices)
    y = start(flow, seed)
    dy, mirrored = flow(0.0, y), flow(0.0, ld.WeightState(-y.W, y.W_p, -y.W_a))
    want = ld.WeightState._unchecked(W=-dy.W, W_p=dy.W_p, W_a=-dy.W_a)
    assert block_difference(mirrored, want) == 0.0


@given(SEEDS, HPS, st.sampled_from(["trained", "symmetrised"]), st.floats(0.1, 2.0))
def test_correlation_flow_turns_with_its_basis(seed, hp, predictor, tau):
    U, W_p = orthogonal(seed, 3), np.random.default_rng(seed).normal(size=(3, 3))
    W_p = W_p + W_p.T if predictor == "symmetrised" else W_p
    F = moments(seed, n1=3).X
    flow = ld.CorrelationFlow(hp, sigma2=0.3, predictor=predictor)
    dy = flow(0.0, ld.CorrelationState(W_p, F, tau))
    got = flow(0.0, ld.CorrelationState(U @ W_p @ U.T, U @ F @ U.T, tau))
    assert np.linalg.norm(got.F - U @ dy.F @ U.T) <= 1e-11 * (1 + np.linalg.norm(dy.F))
    assert np.linalg.norm(got.W_p - U @ dy.W_p @ U.T) <= 1e-11 * (1 + np.linalg.norm(dy.W_p))
    assert float(got.tau) == pytest.approx(float(dy.tau), rel=1e-9, abs=1e-9)


@given(SEEDS, HPS)
def test_modes_do_not_know_of_each_other(seed, hp):
    rng = np.random.default_rng(seed)
    p, s, tau, x, x_aug = rng.uniform(0.1, 2.0, size=(5, 4))
    order = rng.permutation(4)
    together = ld.ModeFlow(hp, x=x, x_aug=x_aug)(0.0, ld.ModeState(p, s, tau))
    swapped = ld.ModeFlow(hp, x=x[order], x_aug=x_aug[order])(0.0, ld.ModeState(p[order], s[order], tau[order]))
    alone = ld.ModeFlow(hp, x=x[0], x_aug=x_aug[0])(0.0, ld.ModeState(p[0], s[0], tau[0]))
    for name in ("p", "s", "tau"):
        np.testing.assert_array_equal(getattr(swapped, name), getattr(together, name)[order])
        assert getattr(alone, name) == getattr(together, name)[0]


@pytest.mark.parametrize("choices", [ABLATIONS[k] for k in (0, 4, 6, 11)], ids=words)
def test_trajectories_turn_and_rescale_with_the_problem(choices):
    """All at once: basis, time (c) and amplitude (k), along a whole path."""
    c, k, ts = 2.5, 0.3, np.linspace(0.0, 10.0, 5)
    hp, data, U, V = hyperparameters(1.3, 0.4, 0.05, 0.02), moments(3), orthogonal(4, 3), orthogonal(5, 4)
    flow = ld.WeightFlow(hp, data, **choices)
    y = start(flow, 6)
    plain = ld.simulate(flow, y, ts, engine="scipy").states
    other = ld.WeightFlow(
        hyperparameters(1.3 / k**2, c * 0.4, c * 0.05, c * 0.02),
        ld.Moments(c * V @ data.X @ V.T, c * V @ data.X_aug @ V.T),
        **choices,
    )
    z = turned(y, U, V)
    got = ld.simulate(other, ld.WeightState(k * z.W, z.W_p, k * z.W_a), ts / c, engine="scipy").states
    want = ld.WeightState._unchecked(W=k * U @ plain.W @ V.T, W_p=U @ plain.W_p @ U.T, W_a=k * U @ plain.W_a @ V.T)
    assert block_difference(got, want) < 1e-8
