"""The alarm on the linear model, where what collapses is known, and on features made to collapse."""

import numpy as np
import pytest

import lindyn as ld
from lindyn.bridge import collapse_alarm, diagnose
from lindyn.bridge.watch.collapse_words import CONCENTRATION_COLLAPSED, SPREAD_COLLAPSED

SIGMA2 = 0.25
CRITICAL = 1 / (4 * (1 + SIGMA2))


def words(flow, state, t1, steps=12):
    """Return the alarm along a run, and the run; F of the features is (1 + sigma^2) W W^T."""
    traj = ld.simulate(flow, state, ts=np.linspace(0.0, t1, steps), engine="scipy")
    F = (1 + SIGMA2) * ld.observables.correlation(traj)
    start = float(np.trace(F[0]))
    return [diagnose(F_t, W_p, start=start).alarm for F_t, W_p in zip(F, ld.observables.predictor(traj), strict=True)]


def started(alpha_p=1.0, n2=6, n1=12, seed=0):
    """Return a state inside the basin that lives: W_p near the identity."""
    drawn = ld.WeightState.random(n2, n1, seed=seed, scale_p=0.1)
    return ld.WeightState(drawn.W, np.eye(n2) + drawn.W_p, drawn.W_a)


@pytest.mark.parametrize("alpha_p", [0.3, 1.0, 10.0, 100.0])
@pytest.mark.parametrize("target", ["ema", "online"])
def test_a_run_that_lives_is_healthy_throughout(alpha_p, target):
    hp = ld.Hyperparameters(alpha_p=alpha_p, beta=1.0, eta=0.3 * CRITICAL)
    state = started()
    state = state if target == "ema" else ld.WeightState(state.W, state.W_p)
    flow = ld.WeightFlow(hp, ld.Moments.isotropic(12, SIGMA2), target=target)
    assert set(words(flow, state, t1=300.0)) == {"healthy"}


@pytest.mark.parametrize("alpha_p", [0.3, 1.0, 10.0])
def test_above_the_critical_decay_the_alarm_rises_and_stays(alpha_p):
    hp = ld.Hyperparameters(alpha_p=alpha_p, beta=1.0, eta=2 * CRITICAL)
    found = words(ld.WeightFlow(hp, ld.Moments.isotropic(12, SIGMA2)), started(), t1=60.0)
    assert found[0] == "healthy" and found[-1] == "collapsed"
    order = [("healthy", "at risk", "collapsed").index(word) for word in found]
    assert order == sorted(order) and 1 in order


def test_without_stop_gradient_the_alarm_rises():
    hp = ld.Hyperparameters(alpha_p=1.0, eta=0.0)
    data = ld.Moments.isotropic(12, SIGMA2)
    flow = ld.WeightFlow(hp, data, target="online", stop_gradient=False)
    drawn = ld.WeightState.random(6, 12, seed=0)
    assert words(flow, ld.WeightState(drawn.W, drawn.W_p), t1=80.0)[-1] == "collapsed"
    assert set(words(ld.WeightFlow(hp, data, target="online"), started(), t1=80.0)) == {"healthy"}


def test_a_run_where_one_direction_of_six_survives_is_seen_by_the_concentration():
    x = np.array([1.0, 0.3, 0.3, 0.3, 0.3, 0.3])  # x^2 / (4 (x + x')): 0.2 for the first, 0.041 for the others
    hp = ld.Hyperparameters(alpha_p=1.0, beta=1.0, eta=0.12)
    data = ld.Moments(np.diag(x), SIGMA2 * np.eye(6))
    state = ld.WeightState(np.eye(6), np.eye(6), np.eye(6))
    traj = ld.simulate(ld.WeightFlow(hp, data), state, ts=[0.0, 10.0, 60.0], engine="scipy")
    found = [diagnose(F, W_p) for F, W_p in zip(ld.observables.correlation(traj), traj.states.W_p, strict=True)]
    assert [reading.alarm for reading in found] == ["healthy", found[1].alarm, "collapsed"]
    assert found[-1].reason.startswith("One direction carries")
    assert found[-1].effective_rank == pytest.approx(1.0, abs=0.01)


def test_constant_features_and_features_on_a_line_are_told_apart_by_the_spread_only():
    rng = np.random.default_rng(0)
    m = rng.normal(size=16)
    for z, low in ((m + 0.05 * rng.normal(size=(500, 16)), True), (rng.normal(size=(500, 1)) * m, False)):
        unit = z / np.linalg.norm(z, axis=1, keepdims=True)
        reading = diagnose(z.T @ z / 500, np.eye(16), std=float(unit.std(0, ddof=1).mean()))
        assert reading.alarm == "collapsed" and reading.concentration > 0.99
        assert (reading.spread < SPREAD_COLLAPSED) == low


@pytest.mark.parametrize("share", [0.985, 0.995])
def test_the_two_thresholds_are_one_for_isotropic_features_about_a_mean(share):
    """Constant part |m|^2 = share: the spread is sqrt(1 - share), the concentration about share."""
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(200000, 8))
    noise -= noise.mean(0)
    noise[:, 0] = 0.0
    z = np.sqrt((1 - share) / 7) * noise
    z[:, 0] = np.sqrt(share)
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    std = np.sqrt(np.mean(unit.var(0)))  # root mean square over dimensions, which the mean of std cannot exceed
    concentration = diagnose(z.T @ z / len(z), np.eye(8)).concentration
    assert concentration == pytest.approx(share, abs=1e-3)
    assert (std * np.sqrt(8) < SPREAD_COLLAPSED) == (concentration > CONCENTRATION_COLLAPSED) == (share > 0.99)


def test_the_worst_of_the_three_speaks():
    assert collapse_alarm(0.3, 0.9, 0.5, 4) == ("healthy", "The largest of 4 directions carries 0.3 of tr F.")
    word, reason = collapse_alarm(0.95, 0.05, 1.0, 4)
    assert word == "collapsed" and reason.startswith("Normalised features spread 0.05")
    word, reason = collapse_alarm(0.95, 0.9, 1e-4, 4)
    assert word == "at risk" and reason == "tr F fell to 0.0001 of its start (at risk below 0.001)."
    assert collapse_alarm(1.0, 1.0, 1.0, d=1)[0] == "healthy"
