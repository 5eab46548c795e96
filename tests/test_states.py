"""States: seeded initialisers, shapes and values that are refused, records as JAX pytrees."""

import jax
import numpy as np
import pytest

import lindyn as ld
from tests.helpers import psd, rng


def test_random_weights_have_the_stated_size():
    """Entries of W are N(0, scale^2 / n1), of W_p N(0, scale_p^2 / n2)."""
    y = ld.WeightState.random(200, 400, 1, scale=2.0, scale_p=0.5, target="independent")
    assert np.std(y.W) * 20 == pytest.approx(2.0, rel=0.02) and np.std(y.W_a) * 20 == pytest.approx(2.0, rel=0.02)
    assert np.std(y.W_p) * np.sqrt(200) == pytest.approx(0.5, rel=0.02)
    assert abs(np.mean(y.W)) < 1e-3 and not np.array_equal(y.W, y.W_a)


def test_seeds_and_targets():
    one, again, other = (ld.WeightState.random(3, 5, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.W, again.W)
    assert not np.array_equal(one.W, other.W)
    np.testing.assert_array_equal(one.W_a, one.W)
    assert one.W_a is not one.W
    assert not np.any(ld.WeightState.random(3, 5, 1, target="zero").W_a)
    np.testing.assert_array_equal(ld.WeightState.random(3, 5, np.random.default_rng(1)).W, one.W)
    W_p = ld.WeightState.random(3, 5, 1, symmetric_predictor=True).W_p
    np.testing.assert_array_equal(W_p, (one.W_p + one.W_p.T) / 2)


def test_defaults_of_what_is_left_out():
    W = rng(1).normal(size=(2, 3))
    y = ld.WeightState(W)
    np.testing.assert_array_equal(y.W_p, np.eye(2))
    np.testing.assert_array_equal(y.W_a, W)
    assert ld.CorrelationState(np.eye(2), np.eye(2)).tau == 1.0
    np.testing.assert_array_equal(ld.ModeWeightState(0.1, [0.2, 0.3]).a, [0.2, 0.3])


def test_random_correlations_are_those_of_random_weights():
    y, W = ld.CorrelationState.random(4, 3, scale=1.5), ld.WeightState.random(4, 4, 3, scale=1.5).W
    np.testing.assert_allclose(y.F, W @ W.T, rtol=1e-14)
    np.testing.assert_array_equal(y.W_p, y.W_p.T)


def test_modes_broadcast():
    y = ld.ModeState([0.1, 0.2, 0.3], 0.5, 0.9)
    assert y.s.shape == y.tau.shape == (3,) and y.s.dtype == np.float64
    grid = ld.ModeState(np.ones((2, 1)), np.ones(3))
    assert grid.p.shape == grid.s.shape == grid.tau.shape == (2, 3)
    assert ld.ParabolaState(0.1).tau.shape == ()


def test_records_are_frozen_and_mapped_by_jax():
    y = ld.WeightState.random(2, 3)
    with pytest.raises(AttributeError):
        y.W = 0.0
    doubled = jax.tree.map(lambda block: 2 * block, y)
    assert isinstance(doubled, ld.WeightState)
    np.testing.assert_array_equal(doubled.W, 2 * y.W)
    flow = ld.ModeFlow(ld.Hyperparameters(), target="frozen")
    assert jax.tree.map(lambda leaf: leaf, flow).target == "frozen"  # choices are structure, not leaves
    assert len(jax.tree.leaves(flow)) == 6


I2 = np.eye(2)
BAD = {
    "W is a vector": (lambda: ld.WeightState(np.ones(3)), "W must have 2 axes; got shape (3,)"),
    "W_p does not fit": (
        lambda: ld.WeightState(np.ones((2, 3)), np.eye(3)),
        "Did you give W.T? Give it with",
    ),
    "W_a does not fit": (lambda: ld.WeightState(np.ones((2, 3)), I2, I2), "W_a must have shape (2, 3); got (2, 2)"),
    "NaN in W": (lambda: ld.WeightState([[np.nan, 1.0]]), "W must be finite; got 1 NaN or infinite of 2 entries"),
    "infinity in W_p": (lambda: ld.WeightState([[1.0]], [[np.inf]]), "W_p must be finite; got 1 NaN or infinite of 1"),
    "text": (lambda: ld.WeightState([["a", "b"]]), "W must be a numeric array; got [['a', 'b']]"),
    "complex": (lambda: ld.WeightState([[1j]]), "W must be real; got complex numbers. Take their real part."),
    "empty": (lambda: ld.WeightState(np.ones((0, 3))), "W must not be empty; got shape (0, 3)."),
    "no modes": (lambda: ld.ModeState([], []), "p must not be empty; got shape (0,)."),
    "ragged": (lambda: ld.WeightState([[1.0], [1.0, 2.0]]), "W must be a numeric array"),
    "F negative": (
        lambda: ld.CorrelationState(I2, -I2),
        "F must be positive semi-definite; got smallest eigenvalue -1",
    ),
    "F asymmetric": (lambda: ld.CorrelationState(I2, [[1, 1], [0, 1]]), "F must be symmetric; got max |F - F^T| = 1"),
    "tau per mode": (lambda: ld.CorrelationState(I2, I2, [1, 1]), "tau must have 0 axes; got shape (2,)"),
    "W_p of another size": (lambda: ld.CorrelationState(I2, np.eye(3)), "W_p must have shape (3, 3); got (2, 2)"),
    "H too large": (lambda: ld.GramState(I2, I2, 2 * I2, I2), "[[F, H^T], [H, J]] must be positive semi-definite"),
    "J of another size": (lambda: ld.GramState(I2, I2, I2, np.eye(3)), "J must be 2 x 2; got shape (3, 3)"),
    "s negative": (lambda: ld.ModeState(0.1, [0.1, -0.2]), "s must be >= 0; got -0.2"),
    "lengths": (lambda: ld.ModeState([1, 2], [1, 2, 3]), "p, s, tau must have one entry per mode; got shapes"),
    "NaN in p": (lambda: ld.ModeState(np.nan, 0.1), "p must be finite; got 1 NaN or infinite of 1 entries"),
    "infinite a": (lambda: ld.ModeWeightState(0.1, 0.1, np.inf), "a must be finite"),
    "NaN in tau": (lambda: ld.ParabolaState(0.1, np.nan), "tau must be finite"),
    "size 0": (lambda: ld.WeightState.random(0, 3), "n2 must be a whole number >= 1; got 0"),
    "size 1.5": (lambda: ld.WeightState.random(2, 1.5), "n1 must be a whole number >= 1; got 1.5"),
    "scale": (lambda: ld.WeightState.random(2, 3, scale=0.0), "scale must be finite and > 0; got 0"),
    "target": (
        lambda: ld.WeightState.random(2, 3, target="copi"),
        "target must be one of 'copy', 'zero', 'independent'; got 'copi'. Did you mean 'copy'?",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_states(case):
    make, text = BAD[case]
    with pytest.raises(ValueError) as caught:
        make()
    assert text in str(caught.value) and "\n" not in str(caught.value)


def test_arrays_of_other_libraries_stay_what_they_are():
    y = ld.WeightState(jax.numpy.ones((2, 3)))
    assert isinstance(y.W, jax.Array)
    F = psd(1, 2)
    assert isinstance(ld.CorrelationState(I2, F).F, np.ndarray)


def test_a_transposed_array_is_named_itself():
    """Not the one beside it, whose shape follows from it."""
    W, W_p = np.ones((32, 8)), np.eye(8)
    with pytest.raises(ValueError, match=r"W has shape \(32, 8\) and W_p is 8 x 8: W is n2 x n1.*Did you give W\.T\?"):
        ld.WeightState(W, W_p)
    with pytest.raises(ValueError, match=r"W_a must have shape \(8, 32\); got \(32, 8\)\..*give W_a\.T\."):
        ld.WeightState(W.T, W_p, W)
    run = {"t": [0.0, 1.0], "W": np.ones((2, 32, 8)), "W_p": np.stack([W_p] * 2)}
    with pytest.raises(ValueError, match=r"W has shape \(2, 32, 8\) and W_p is 8 x 8"):
        ld.verify(run)
    with pytest.raises(ValueError, match=r"W_a must have shape \(2, 8, 32\).*give W_a\.T at every time\."):
        ld.verify(run | {"W": np.ones((2, 8, 32)), "W_a": run["W"]})
