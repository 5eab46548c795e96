"""Weights <-> correlation <-> modes: round trips, defects that are 0 exactly where nothing is lost, the same path."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lindyn as ld
from lindyn.conversions import (
    correlation_to_modes,
    correlation_to_weights,
    modes_to_correlation,
    modes_to_weights,
    weights_to_correlation,
    weights_to_gram,
    weights_to_modes,
)
from tests.helpers import block_difference, moments, orthogonal, psd, relative, rng, weights

SEEDS = st.integers(0, 10_000)


def decoupled(seed, k=3, n1=5):
    """Modes, their data and the weights they are embedded in."""
    random = rng(seed)
    modes = ld.ModeWeightState(random.normal(size=k), random.uniform(0.2, 2.0, size=k), random.normal(size=k))
    V = orthogonal(seed + 1, n1)
    data = ld.Moments.commuting(random.permutation(n1) + 0.5, random.uniform(size=n1), V)
    full = modes_to_weights(modes, n1=n1, U=orthogonal(seed + 2, k), V=V[:, :k])
    return modes, data, full


@given(SEEDS)
def test_modes_embedded_in_weights_come_back(seed):
    """Up to the order of the modes and the sign of u_j, v_j: here w > 0 fixes the signs."""
    modes, data, full = decoupled(seed)
    back = weights_to_modes(full.state, data)
    assert full.exact and back.exact
    order = np.argsort(back.state.w), np.argsort(modes.w)
    for name in ("p", "w", "a"):
        np.testing.assert_allclose(getattr(back.state, name)[order[0]], getattr(modes, name)[order[1]], atol=1e-10)
    again = modes_to_weights(back.state, 5, back.U, back.V).state
    assert block_difference(again, full.state) < 1e-10


@given(SEEDS, st.sampled_from(["W", "W_p", "W_a"]), st.floats(1e-6, 1.0))
def test_what_the_modes_cannot_hold_is_reported(seed, block, size):
    """A perturbation off the modes shows as a defect of about its own size, under its own name."""
    _, data, full = decoupled(seed)
    off = rng(seed + 3).normal(size=getattr(full.state, block).shape)
    given_block = getattr(full.state, block)
    hurt = full.state._replace(**{block: given_block + size * np.linalg.norm(given_block) / np.linalg.norm(off) * off})
    found = weights_to_modes(hurt, data)
    rebuilt = modes_to_weights(found.state, 5, found.U, found.V).state
    for name in ("W", "W_p", "W_a"):
        lost = np.linalg.norm(getattr(rebuilt, name) - getattr(hurt, name)) / np.linalg.norm(getattr(hurt, name))
        assert found.defects[name] == pytest.approx(lost, rel=1e-6, abs=1e-12)
    assert found.exact == (found.defect <= 1e-10) and found.defect > 1e-8


def test_isotropic_data_let_every_singular_vector_be_a_direction():
    U, V = orthogonal(1, 3), orthogonal(2, 5)[:, :3]
    modes = ld.ModeWeightState([0.3, 0.9, -0.5], [1.5, 0.7, 0.2], [0.4, 0.1, 0.2])
    back = weights_to_modes(modes_to_weights(modes, 5, U, V).state, ld.Moments.isotropic(5, 0.3))
    assert back.exact
    for name in ("p", "w", "a"):
        np.testing.assert_allclose(getattr(back.state, name), getattr(modes, name), atol=1e-12)


def test_moments_that_do_not_commute_are_a_defect():
    found = weights_to_modes(weights(1), moments(1))
    assert found.defects["[X, X']"] == moments(1).commutation_defect > 0.01 and not found.exact


def test_embedded_modes_evolve_as_modes():
    """The path of the full flow, read in the modes, is the path of the mode flow."""
    modes, data, full = decoupled(7)
    hp, ts = ld.Hyperparameters(1.4, 0.5, eta_p=0.03, eta_s=0.02), np.linspace(0.0, 15.0, 4)
    x, x_aug = (np.diag(full.V.T @ M @ full.V) for M in (data.X, data.X_aug))
    by_weights = ld.simulate(ld.WeightFlow(hp, data), full.state, ts, engine="scipy").states
    by_modes = ld.simulate(ld.ModeWeightFlow(hp, x=x, x_aug=x_aug), modes, ts, engine="scipy").states
    for k in range(len(ts)):
        want = modes_to_weights(ld.ModeWeightState(by_modes.p[k], by_modes.w[k], by_modes.a[k]), 5, full.U, full.V)
        got = ld.WeightState(by_weights.W[k], by_weights.W_p[k], by_weights.W_a[k])
        assert block_difference(got, want.state) < 1e-8


@given(SEEDS, st.floats(0.1, 2.0))
def test_correlation_round_trip(seed, tau):
    state = ld.CorrelationState(rng(seed).normal(size=(3, 3)), psd(seed + 1, 3), tau)
    full = correlation_to_weights(state, n1=5)
    assert full.exact and full.state.W.shape == (3, 5) and not np.any(full.state.W[:, 3:])
    back = weights_to_correlation(full.state)
    assert back.exact and block_difference(back.state, state) < 1e-12
    gram = weights_to_gram(full.state).state
    assert relative(gram.H, tau * state.F) < 1e-12 and relative(gram.J, tau**2 * state.F) < 1e-12


def test_proportionality_defect():
    """Assumption 1: ||W_a - tau W|| / ||W_a|| with the best tau; 1 for an orthogonal target."""
    y = weights(2)
    found = weights_to_correlation(y)
    tau = np.sum(y.W_a * y.W) / np.sum(y.W**2)
    assert float(found.state.tau) == pytest.approx(tau, rel=1e-14)
    assert found.defect == pytest.approx(np.linalg.norm(y.W_a - tau * y.W) / np.linalg.norm(y.W_a), rel=1e-13)
    apart = ld.WeightState([[1.0, 0.0]], None, [[0.0, 1.0]])
    assert weights_to_correlation(apart).defect == pytest.approx(1.0)
    assert weights_to_correlation(ld.WeightState(y.W, None, 0.0 * y.W)).exact  # a target at 0 is 0 times W


@given(SEEDS, st.booleans())
def test_correlation_to_modes_and_back(seed, repeated):
    """Commuting F and W_p convert exactly, repeated eigenvalues of F included."""
    random, U = rng(seed), orthogonal(seed + 1, 4)
    s = np.array([0.7, 0.7, 0.7, 0.2]) if repeated else random.uniform(0.1, 2.0, size=4)
    modes = ld.ModeState(random.normal(size=4), s, 0.6)
    state = modes_to_correlation(modes, U)
    found = correlation_to_modes(state.state)
    assert state.exact and found.exact
    order, wanted = np.lexsort((found.state.p, found.state.s.round(9))), np.lexsort((modes.p, s.round(9)))
    np.testing.assert_allclose(found.state.p[order], modes.p[wanted], atol=1e-11)
    np.testing.assert_allclose(found.state.s[order], s[wanted], atol=1e-12)
    np.testing.assert_allclose(found.state.tau, 0.6)
    back = modes_to_correlation(found.state, found.U)
    assert block_difference(back.state, state.state) < 1e-11


def test_commutator_and_asymmetry_are_reported():
    W_p, F = rng(4).normal(size=(3, 3)), psd(5, 3)
    found = correlation_to_modes(ld.CorrelationState(W_p, F))
    commutator = np.linalg.norm(F @ W_p - W_p @ F) / np.linalg.norm(F) / np.linalg.norm(W_p)
    assert found.defects["commutator"] == pytest.approx(commutator)
    assert found.defects["asymmetry"] == pytest.approx(np.linalg.norm(W_p - W_p.T) / 2 / np.linalg.norm(W_p))
    assert not found.exact


def test_spread_of_tau_is_reported():
    found = modes_to_correlation(ld.ModeState([0.1, 0.2], [1.0, 3.0], [0.5, 0.9]))
    assert float(found.state.tau) == pytest.approx(0.8)  # weighted by s
    assert found.defect == pytest.approx(np.sqrt(0.3**2 + 3 * 0.1**2) / np.sqrt(0.5**2 + 3 * 0.9**2))


def test_mode_states_of_both_kinds_give_the_same_weights():
    by_s = modes_to_weights(ld.ModeState([0.1, 0.2], [0.25, 4.0], [0.5, 2.0])).state
    by_w = modes_to_weights(ld.ModeWeightState([0.1, 0.2], [0.5, 2.0], [0.25, 4.0])).state
    assert block_difference(by_s, by_w) < 1e-15


BAD = {
    "n1": (
        lambda: correlation_to_weights(ld.CorrelationState(np.eye(3), np.eye(3)), n1=2),
        "n1 must be at least n2 = 3",
    ),
    "n1 of modes": (
        lambda: modes_to_weights(ld.ModeState([1, 1], 1), n1=1),
        "n1 must be at least the number of modes, 2",
    ),
    "U": (lambda: modes_to_weights(ld.ModeState([1, 1], 1), U=np.eye(3)), "U must have shape (2, 2); got (3, 3)"),
    "skew U": (
        lambda: modes_to_correlation(ld.ModeState([1, 1], 1), U=[[1, 1], [0, 1]]),
        "U must have orthonormal columns; got max |U^T U - I| = 1. Take Q of its QR factors.",
    ),
    "skew V": (lambda: modes_to_weights(ld.ModeState([1, 1], 1), n1=3, V=np.ones((3, 2))), "V must have orthonormal"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    make, text = BAD[case]
    with pytest.raises(ValueError) as caught:
        make()
    assert text in str(caught.value)
