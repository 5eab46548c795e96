import numpy as np
import pytest

from lindyn.solve.lanes import solve_lanes

from .grids import random_lanes

jax = pytest.importorskip("jax")
from lindyn.solve.lanes import jax_engine  # noqa: E402

T1 = 20.0


@pytest.fixture(scope="module")
def lanes():
    drawn = random_lanes(40, seed=4)
    return {**drawn, "beta": np.geomspace(1e-3, 100, 40)}  # beta t1 within the explicit method's reach


def test_agrees_with_the_lane_kernel(lanes):
    ours, theirs = jax_engine.solve_lanes(**lanes, t1=T1), solve_lanes(**lanes, t1=T1)
    for name in ("p", "s", "tau"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-6)
    np.testing.assert_array_equal(ours.status, theirs.status)
    np.testing.assert_array_equal(ours.event, theirs.event)
    np.testing.assert_allclose(ours.t_event, theirs.t_event, atol=1e-3)
    np.testing.assert_allclose(ours.K_min, theirs.K_min, atol=2e-4)  # both read off cubics, on other steps


def test_gradients_agree_with_finite_differences(lanes):
    few = {name: value[::5] for name, value in lanes.items()}
    gradients = jax_engine.lane_gradients(few, t1=T1, rtol=1e-10)
    for name, derivative in gradients.items():
        step = 1e-4 * few[name]
        up, down = (solve_lanes(**{**few, name: few[name] + sign * step}, t1=T1, rtol=1e-12) for sign in (1, -1))
        for row, part in enumerate(("p", "s", "tau")):
            differences = (getattr(up, part) - getattr(down, part)) / (2 * step)
            scale = np.abs(getattr(up, part) / few[name])  # d log outcome / d log argument is what is compared
            assert np.max(np.abs(derivative[row] - differences) / scale) < 1e-5, (name, part)


@pytest.mark.slow
def test_reverse_mode(lanes):
    few = np.stack([lanes[name][::5] for name in jax_engine.ARGUMENTS])
    with jax.enable_x64(True):
        loss = lambda v: jax_engine.final_states(v, T1, 1e-10, 100_000, (False, False, False))[1].sum()  # noqa: E731
        reverse = np.asarray(jax.jit(jax.grad(loss))(jax.numpy.asarray(few)))
    forward = jax_engine.lane_gradients(dict(zip(jax_engine.ARGUMENTS, few, strict=True)), t1=T1, rtol=1e-10)
    for row, name in enumerate(jax_engine.ARGUMENTS):
        np.testing.assert_allclose(reverse[row], forward[name][1], rtol=1e-6)


@pytest.mark.slow
def test_stiff_lanes_and_statuses():
    base = {"alpha_p": 1.0, "x": 1.0, "x_aug": 0.25, "p": 0.1, "s": 0.05, "tau": 0.5}
    eta = np.array([0.05, 3.0, 0.05])
    args = {**base, "beta": np.array([0.4, 0.4, 1e4]), "eta_p": eta, "eta_s": eta}
    ours, theirs = jax_engine.solve_lanes(**args, t1=200.0), solve_lanes(**args, t1=200.0)
    assert list(ours.status_names()) == list(theirs.status_names()) == ["reached", "underflow", "reached"]
    np.testing.assert_allclose(ours.p, theirs.p, rtol=1e-6)
    limited = jax_engine.solve_lanes(**args, t1=200.0, max_steps=5)
    assert set(limited.status_names()) == {"max_steps"}


def test_bad_input():
    with pytest.raises(ValueError, match="missing or unknown: alpha"):
        jax_engine.lane_gradients({"alpha": 1.0}, t1=1.0)
