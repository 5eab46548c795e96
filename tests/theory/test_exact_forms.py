"""Exact times, basins and Jacobians against integration and numeric differentiation."""

import numpy as np
import pytest

import lindyn as ld
from lindyn.theory import critical_decay, fixed_points, jacobians, stationary_points, transit


@pytest.mark.parametrize(
    ("eta", "p0"), [(0.0, 0.2), (0.1, 0.4), (0.1, 0.05), (0.2, 1.2), (0.35, 1.0), (0.1, 1.6), (0.1, -0.7)]
)
def test_transit_time_agrees_with_integration(eta, p0):
    flow = ld.ParabolaFlow(ld.Hyperparameters(1.0, 0.4, eta), tau="constant")
    traj = ld.simulate(flow, ld.ParabolaState(p0, 1.0), ts=[0.0, 1.0, 5.0], engine="scipy", rtol=1e-13)
    for t, p in zip(traj.ts, traj.states.p, strict=True):
        assert transit.transit_time(p0, float(p), eta) == pytest.approx(t, rel=1e-9, abs=1e-12)


def test_transit_times_add_up():
    whole = transit.transit_time(0.9, 0.1, 0.3)
    assert transit.transit_time(0.9, 0.4, 0.3) + transit.transit_time(0.4, 0.1, 0.3) == pytest.approx(whole, rel=1e-12)
    assert transit.transit_time(0.4, 0.4, 0.3) == 0.0


@pytest.mark.parametrize(
    ("p0", "p1", "eta", "word"),
    [(0.05, 0.9, 0.1, "fixed point lies at"), (0.4, 0.3, 0.1, "other way"), (0.5, np.nan, 0.1, "finite")],
)
def test_transit_time_names_what_is_in_the_way(p0, p1, eta, word):
    with pytest.raises(ValueError, match=word):
        transit.transit_time(p0, p1, eta)


def test_bottleneck_grows_as_the_inverse_square_root():
    critical = critical_decay()
    times = transit.bottleneck_time(critical * (1 + np.array([1e-4, 1e-6])))
    assert times[1] / times[0] == pytest.approx(10.0, rel=1e-3)
    assert times[1] == pytest.approx(2 * np.pi * np.sqrt(1.25) / np.sqrt(critical * 1e-6), rel=1e-3)
    assert np.isnan(transit.bottleneck_time(critical * 0.9))


def test_basin_without_decay_agrees_with_runs():
    rng = np.random.default_rng(5)
    p, s = rng.uniform(-1.2, 2.2, 60), rng.uniform(0.05, 1.5, 60)
    says = stationary_points.collapses_without_decay(p, s)
    off = np.minimum(np.abs(p**2 - s), np.abs(p**2 - s - 0.64)) > 0.05
    flow = ld.ModeFlow(ld.Hyperparameters(1.0, 0.4, 0.0), tau="constant")
    end = ld.simulate(flow, ld.ModeState(p, s, 1.0), t1=500.0, engine="scipy").final
    np.testing.assert_array_equal((np.asarray(end.s) < 1e-3)[off], says[off])
    assert 10 < says.sum() < 50


def test_basin_says_what_is_out_of_range():
    with pytest.raises(ValueError, match="s must be >= 0"):
        stationary_points.collapses_without_decay(0.1, -1.0)


def _numeric_jacobian(flow, names, state):
    def rate(values):
        y = state._replace(**dict(zip(names, values, strict=True)))
        return np.array([float(getattr(flow(0.0, y), name)) for name in names])

    at = np.array([float(getattr(state, name)) for name in names])
    columns = []
    for k in range(len(names)):  # complex-free central differences of fourth order
        e = 1e-3 * np.eye(len(names))[k]
        columns.append((8 * (rate(at + e) - rate(at - e)) - (rate(at + 2 * e) - rate(at - 2 * e))) / (12 * 1e-3))
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("moving", [False, True])
def test_characteristic_polynomials_at_living_points(seed, moving):
    rng = np.random.default_rng(seed)
    x, x_aug, alpha_p, beta = rng.uniform(0.5, 2), rng.uniform(0.1, 1), rng.uniform(0.5, 3), rng.uniform(0.2, 2)
    tau = 1.0 if moving else rng.uniform(0.5, 1.0)
    eta_s, eta_p = rng.uniform(0.2, 0.9) * critical_decay(tau, x, x_aug), rng.uniform(0.01, 0.3)
    points = fixed_points(eta_p=eta_p, eta_s=eta_s, tau=tau, x=x, x_aug=x_aug, alpha_p=alpha_p)
    flow = ld.ModeFlow(
        ld.Hyperparameters(alpha_p, beta, eta_p=eta_p, eta_s=eta_s),
        x=x,
        x_aug=x_aug,
        tau="dynamic" if moving else "constant",
    )
    names = ("p", "s", "tau") if moving else ("p", "s")
    for name, p, s in (("plus", points.p_plus, points.s_plus), ("minus", points.p_minus, points.s_minus)):
        J = _numeric_jacobian(flow, names, ld.ModeState(p, s, tau))
        closed = jacobians.characteristic("alive", p, eta_p, eta_s, x, x_aug, beta=beta if moving else None)
        np.testing.assert_allclose(np.poly(J), np.asarray(closed, float), rtol=1e-8, atol=1e-8)
        if not moving:
            found = np.sort_complex(jacobians.eigenvalues("alive", p=p, eta_p=eta_p, eta_s=eta_s, x=x, x_aug=x_aug))
            np.testing.assert_allclose(found, np.sort_complex(points.eigenvalues[name]), rtol=1e-9, atol=1e-10)


def test_equal_decays_have_the_eigenvalue_minus_two_eta():
    points = fixed_points(0.1)
    for p in (points.p_plus, points.p_minus):
        assert np.min(np.abs(jacobians.eigenvalues("alive", p=p, eta_p=0.1, eta_s=0.1, x=1, x_aug=0.25) + 0.2)) < 1e-12
        assert (
            np.min(np.abs(jacobians.eigenvalues("alive", p=p, eta_p=0.1, eta_s=0.1, x=1, x_aug=0.25, beta=0.4) + 0.2))
            < 1e-12
        )


def test_a_moving_target_rests_above_one_on_the_collapsed_point():
    assert jacobians.resting_tau(0.1, 0.4) == pytest.approx(4 / 3)
    assert jacobians.resting_tau(0.4, 0.4) == np.inf
    flow = ld.ModeFlow(ld.Hyperparameters(1.0, 0.8, 0.3))
    end = ld.simulate(flow, ld.ModeState(0.1, 0.01, 1.0), t1=80.0, engine="scipy").final
    assert float(end.tau) == pytest.approx(jacobians.resting_tau(0.3, 0.8), rel=1e-6)


def test_unknown_point_is_suggested():
    with pytest.raises(ValueError, match="Did you mean 'alive'"):
        jacobians.characteristic("alife", 1, 1, 1, 1, 1)
