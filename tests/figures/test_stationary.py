"""Fixed points found on a field: roots, Jacobians, signs; known systems."""

import numpy as np
import pytest

import lindyn as ld
from lindyn.phase import numerical_fixed_points


def cubic(v):
    x, y = v
    return np.stack([x * (1 - x**2) - y, 0.5 * y - x * y**2])


def test_jacobian_is_exact_for_cubic_fields():
    x, y = 0.37, -1.2
    exact = [[1 - 3 * x**2, -1.0], [-(y**2), 0.5 - 2 * x * y]]
    assert np.allclose(numerical_fixed_points.jacobian(cubic, np.array([x, y])), exact, rtol=0, atol=1e-12)


def test_roots_are_found_once_and_sorted():
    def rates(v):
        return np.stack([v[0] * (1 - v[0]) * (v[0] + 2), -v[1] + v[0]])

    starts = np.random.default_rng(0).uniform(-3, 3, (40, 2))
    roots = numerical_fixed_points.roots(rates, starts, lambda v: v[0] > -1)
    assert np.allclose(roots, [[0, 0], [1, 1]], atol=1e-12)


@pytest.mark.parametrize(("factor", "word"), [(-1.0, "stable"), (1.0, "unstable"), (0.0, "marginal")])
def test_stability_is_the_sign_of_the_largest_eigenvalue(factor, word):
    assert numerical_fixed_points.stability(lambda v: np.stack([factor * v[0], -2 * v[1]]), np.zeros(2))[0] == word


def test_crossings_and_touches_are_told_apart():
    def rates(x):
        return x * (x - 1) * (x - 2.0003) ** 2

    found = numerical_fixed_points.crossings(rates, np.linspace(-1, 3, 401))
    zeros, signs = [zero for zero, *_ in found], [(left, right) for _, left, right in found]
    assert np.allclose(zeros, [0, 1, 2.0003], atol=1e-6)
    assert signs == [(1, -1), (-1, 1), (1, 1)]


def test_a_near_miss_is_no_zero():
    assert numerical_fixed_points.crossings(lambda x: x**2 + 1e-9, np.linspace(-1, 1, 200)) == []


def test_a_flow_is_read_with_held_and_tied_variables():
    flow = ld.ModeWeightFlow.appendix_d()
    rates = numerical_fixed_points.field(flow, ("a", "w"), lambda a, w: {"p": w, "w": w, "a": a})
    assert np.allclose(rates(np.array([0.8, 0.4])), [0.4 - 0.8, 0.4 * (0.8 * 0.5 - 0.4**2)])
    assert rates(np.ones((2, 5, 3))).shape == (2, 5, 3)
