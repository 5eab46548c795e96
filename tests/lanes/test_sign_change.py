"""Lanes whose online weight changes sign: tau has a pole there, the weights run through it."""

import numpy as np
import pytest

import lindyn as ld
from lindyn.solve.lanes import EVENTS, STATUSES, solve_lanes

T1 = 50.0


@pytest.fixture(scope="module")
def lanes():
    """Negative starts of p, in most of which the target lags behind and w passes zero."""
    rng, n = np.random.default_rng(3), 24
    return {
        "alpha_p": rng.uniform(0.3, 3, n), "beta": 10 ** rng.uniform(-1.5, 0.5, n), "eta_p": rng.uniform(0, 0.15, n),
        "eta_s": rng.uniform(0, 0.15, n), "x": np.ones(n), "x_aug": rng.uniform(0, 1, n),
        "p": rng.uniform(-1.5, -0.5, n), "s": rng.uniform(0.01, 0.2, n), "tau": rng.uniform(0.5, 1, n),
    }  # fmt: skip


def weights(lanes, i, **choices):
    """Run lane i in (p, w, a) by another route."""
    one = {name: float(values[i]) for name, values in lanes.items()}
    hp = ld.Hyperparameters(one["alpha_p"], one["beta"], eta_p=one["eta_p"], eta_s=one["eta_s"])
    w = np.sqrt(one["s"])
    start = ld.ModeWeightState(p=[one["p"]], w=[w], a=[one["tau"] * w])
    flow = ld.ModeWeightFlow(hp, x=one["x"], x_aug=one["x_aug"], **choices)
    return ld.simulate(flow, start, t1=T1, rtol=1e-12, engine="scipy", dense=True)


@pytest.mark.parametrize("target", ["ema", "frozen"])
def test_agrees_with_the_weights(lanes, target):
    result, passed = solve_lanes(**lanes, t1=T1, target=target), 0
    assert set(result.status_names()) == {"reached"}
    for i in range(0, 24, 2):
        run = weights(lanes, i, target=target)
        end, passed = run.final, passed + bool(run.states.w.min() < 0)
        wanted = [end.p[0], end.w[0] ** 2, end.a[0] / end.w[0]]
        np.testing.assert_allclose([result.p[i], result.s[i], result.tau[i]], wanted, rtol=2e-6)
    assert passed >= 6, "the starts do not test what they should"


def test_event_is_the_last_entrance(lanes):
    lanes = {**lanes, "eta_p": np.full(24, 0.01), "eta_s": np.full(24, 0.01), "s": lanes["s"] + 0.3}
    result = solve_lanes(**lanes, t1=T1)
    escaped = [i for i in range(24) if EVENTS[result.event[i]] == "escape" and result.t_event[i] > 0]
    assert escaped
    for i in escaped[:4]:
        run = weights(lanes, i)
        v = 1 + lanes["x_aug"][i]
        level = 0.9 * (1 + np.sqrt(1 - 4 * lanes["eta_s"][i] * v)) / (2 * v)
        before, after = (float(run(result.t_event[i] + shift).p[0]) for shift in (-1e-2, 1e-2))
        assert before < level < after
        assert run.states.w.min() < 0 or result.p[i] > 0
        later = np.linspace(result.t_event[i] + 1e-2, T1, 50)
        assert min(float(run(t).p[0]) for t in later) > level


def test_neighbours_and_threads_change_nothing(lanes):
    whole = solve_lanes(**lanes, t1=T1, threads=2)
    for i in (0, 7, 23):
        alone = solve_lanes(**{name: values[i : i + 1] for name, values in lanes.items()}, t1=T1)
        for name in ("p", "s", "tau", "K_min", "t_event", "steps", "status"):
            np.testing.assert_array_equal(getattr(alone, name)[0], getattr(whole, name)[i])


@pytest.mark.parametrize("beta", [0.5, 2.0, 5.0])
def test_collapse_after_the_pole_ends_at_zero(beta):
    result = solve_lanes(1.0, beta, 3.0, 3.0, 1.0, 0.25, -1.0, 0.05, 1.0, t1=400.0)
    assert STATUSES[result.status[0]] == "underflow" and EVENTS[result.event[0]] == "collapse"
    assert result.s[0] == 0.0 and abs(result.p[0]) < 1e-100
    if beta > 3.0:  # tau then settles where dtau/dt = beta + (eta_s - beta) tau vanishes
        assert result.tau[0] == pytest.approx(beta / (beta - 3.0), rel=1e-6)
    else:
        assert abs(result.tau[0]) > 1e100


def test_limit_on_steps_is_kept(lanes):
    result = solve_lanes(**lanes, t1=T1, max_steps=15)
    assert set(result.status_names()) == {"max_steps"} and result.steps.max() == 15


def test_the_jax_engine_answers_likewise(lanes):
    jax_engine = pytest.importorskip("lindyn.solve.lanes.jax_engine")
    few = {name: values[:6] for name, values in lanes.items()}
    ours, theirs = jax_engine.solve_lanes(**few, t1=T1), solve_lanes(**few, t1=T1)
    np.testing.assert_array_equal(ours.status, theirs.status)
    np.testing.assert_allclose(ours.p, theirs.p, rtol=1e-6)


def test_a_sweep_over_negative_starts_is_decided():
    ds = ld.sweep(p=np.linspace(-1.0, 1.0, 9), eta=[0.02, 0.05], t1=300.0, progress=False)
    assert not (ds["status"] == list(STATUSES).index("not_finite")).any()
    assert set(np.unique(ds["outcome"])) <= {0, 1, 2}
