"""Random properties of every rule: equivariance, modes, symmetry, homogeneity, F = 0, ridge."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lindyn.predictors import Rule
from tests.helpers import orthogonal, rng
from tests.predictors.cases import LIBRARIES, VARIANTS, D, entrywise, in_float64, with_spectrum

seeds = st.integers(0, 10_000)
decades = st.floats(0.1, 4.0)  # at 0 all modes are one, and c_j per mode has no meaning
each_rule = pytest.mark.parametrize("rule", VARIANTS, ids=repr)


def problem(seed, span):
    """F with a spectrum over `span` decades, and some H."""
    s = 10.0 ** rng(seed).uniform(-span, 0.0, size=D)
    return with_spectrum(s, seed), rng(seed + 1).normal(size=(D, D))


@each_rule
@given(seed=seeds, span=decades)
def test_a_rotation_of_the_outputs_rotates_the_predictor(rule, seed, span):
    F, H = problem(seed, span)
    Q = orthogonal(seed + 2, D)
    turned = Q @ F @ Q.T
    assert entrywise(rule((turned + turned.T) / 2, Q @ H @ Q.T), Q @ rule(F, H) @ Q.T) < 1e-9


@each_rule
@given(seed=seeds, span=decades)
def test_modes_are_the_rule_on_diagonal_matrices(rule, seed, span):
    s = 10.0 ** rng(seed).uniform(-span, 0.0, size=D)
    h = rng(seed + 1).normal(size=D)
    matrix = rule(np.diag(s), np.diag(h))
    assert entrywise(np.diag(rule.modes(s, h)), matrix) < 1e-11
    with in_float64():
        for convert in LIBRARIES.values():
            assert entrywise(np.asarray(rule.modes(convert(s), convert(h))), rule.modes(s, h)) < 1e-12


PSD = ("direct_pred", "direct_set", "direct_copy", "newton_schulz", "newton_schulz_twice", "visser")
SYMMETRIC = [rule for rule in VARIANTS if rule.name in PSD]


@pytest.mark.parametrize("rule", SYMMETRIC, ids=repr)
@given(seed=seeds, span=st.floats(0.0, 10.0), rank=st.integers(1, D))
def test_functions_of_the_correlation_are_symmetric_and_psd(rule, seed, span, rank):
    s = 10.0 ** rng(seed).uniform(-span, 0.0, size=D)
    s[rank:] = 0.0
    W_p = rule(with_spectrum(s, seed))
    size = np.abs(W_p).max() + 1e-300
    assert np.abs(W_p - W_p.T).max() < 1e-12 * size
    assert np.linalg.eigvalsh(W_p)[0] > -1e-11 * size
    assert np.abs(W_p @ with_spectrum(s, seed) - with_spectrum(s, seed) @ W_p).max() < 1e-11 * size


# rule(k F, k H) = k^degree rule(F, H)
DEGREES = [
    (Rule.of("direct_pred", eps=0.0), 0.5),
    (Rule.of("direct_pred", eps_mode="relative"), 0.5),
    (Rule.of("direct_pred", eps_mode="inside"), 0.5),
    (Rule.of("direct_pred", normalise="max"), 0.0),
    (Rule.of("direct_set", power=0.25), 0.25),
    (Rule.of("direct_set", power=2.0, eps=0.3, eps_mode="relative"), 2.0),
    (Rule.of("direct_set", power=1.0, eps=0.3), 1.0),
    (Rule.of("direct_set", power=0.7, eps=0.3, normalise="trace"), 0.0),
    (Rule.of("direct_copy", eps=0.3), 0.0),
    (Rule.of("direct_copy", normalise="max"), 0.0),
    (Rule.of("direct_copy", normalise="none"), 1.0),
    (Rule.of("linear_regression"), 0.0),
    (Rule.of("linear_regression", damping=0.1), 0.0),
    (Rule.of("neumann", normalise="fro"), 0.0),
    (Rule.of("visser"), 0.5),
    (Rule.of("newton_schulz"), 0.5),
    (Rule.of("newton_schulz_twice"), 0.25),
    (Rule.of("stiefel"), 1.0),
    (Rule.of("stiefel", scale="polar"), 0.0),
]


@pytest.mark.parametrize(("rule", "degree"), DEGREES, ids=[repr(rule) for rule, _ in DEGREES])
@given(seed=seeds, log_size=st.floats(-6.0, 6.0))
def test_homogeneous_of_the_stated_degree(rule, degree, seed, log_size):
    F, H = problem(seed, 2.0)
    size = 10.0**log_size
    assert entrywise(rule(size * F, size * H), size**degree * rule(F, H)) < 1e-10


def test_the_printed_epsilon_is_not_homogeneous():
    F, _ = problem(0, 1.0)
    rule = Rule.of("direct_pred", eps=0.1)
    assert entrywise(rule(100 * F), 10 * rule(F)) > 0.1


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("library", LIBRARIES)
@each_rule
def test_no_features_no_harm(rule, library, precision):
    """F = 0 and H = 0 give the value of the docstring in every library, and no NaN."""
    value = {
        "visser": None,
        "direct_copy": dict(rule.parameters).get("eps", 0.0),
    }.get(rule.name, dict(rule.parameters).get("floor", 0.0))
    with in_float64():
        zero = LIBRARIES[library](np.zeros((D, D), precision))
        W_p = np.asarray(rule(zero, zero))
    if value is None:
        h, p = dict(rule.parameters).get("step", 0.5), 1 / (2 * dict(rule.parameters).get("step", 0.5))
        for _ in range(dict(rule.parameters).get("steps", 50)):
            p -= h * p * p
        value = p
    assert np.abs(W_p - (value + rule.ridge) * np.eye(D)).max() < (1e-14 if precision == "float64" else 1e-6)


def test_no_features_but_a_cross_correlation():
    zero, H = np.zeros((D, D)), problem(0, 1.0)[1]
    assert np.array_equal(Rule.of("linear_regression")(zero, H), zero)
    assert np.array_equal(Rule.of("neumann")(zero, H), 2 * H)
    assert np.array_equal(Rule.of("neumann", normalise="fro")(zero, H), 2 * H)


@each_rule
def test_ridge_adds_to_the_diagonal(rule):
    F, H = problem(3, 1.0)
    more = Rule.of(rule, ridge=rule.ridge + 0.45)
    assert np.abs(more(F, H) - rule(F, H) - 0.45 * np.eye(D)).max() < 1e-14
    assert np.abs(more.modes(np.ones(D), np.ones(D)) - rule.modes(np.ones(D), np.ones(D)) - 0.45).max() < 1e-14
