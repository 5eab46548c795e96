"""Statuses, events and the smallest eigenvalue of K, each against a dense reference."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from lindyn.equations import modes
from lindyn.solve.lanes import EVENTS, STATUSES, methods, solve_lanes
from lindyn.solve.lanes.compiled import inlined
from lindyn.solve.lanes.lane_events import make_crossing
from lindyn.solve.lanes.problem import escape_level
from lindyn.theory.stationary_points import fixed_points

from .grids import random_lanes, reference

BASE = {"alpha_p": 1.0, "beta": np.array([0.4]), "x": 1.0, "x_aug": 0.25, "p": 0.1, "s": 0.05, "tau": 0.5}


def _run(t1=200.0, eta=0.05, **changes):
    choices = {k: changes.pop(k) for k in ("max_steps", "target", "tau_mode", "predictor") if k in changes}
    return solve_lanes(**{**BASE, "eta_p": eta, "eta_s": eta, **changes}, t1=t1, **choices)


def _words(result):
    return STATUSES[result.status[0]], EVENTS[result.event[0]]


def test_a_crossing_is_where_halving_finds_it():
    """On random cubics with a change of sign, also steep, flat and with three roots; NaN ends the search."""
    crossing, cubic = make_crossing(inlined), methods.make_cubic()
    rng = np.random.default_rng(0)
    below, above = -(10.0 ** rng.uniform(-8, 0, 2000)), 10.0 ** rng.uniform(-8, 0, 2000)
    slopes, h = rng.normal(size=(2, 2000)) * 10.0 ** rng.uniform(-9, 1, (2, 2000)), 10.0 ** rng.uniform(-3, 2, 2000)
    for sign in (1, -1):
        for a, da, b, db, step in zip(sign * below, slopes[0], sign * above, slopes[1], h, strict=True):
            u = crossing(a, da, b, db, step) / step
            left, right = max(u - 1e-8, 0.0), min(u + 1e-8, 1.0)
            assert sign * cubic(a, da, b, db, step, left) <= 0 <= sign * cubic(a, da, b, db, step, right)
    assert crossing(-0.5, 1.0, 0.5, 1.0, 1.0) == pytest.approx(0.5, rel=1e-15)
    assert crossing(-0.25, 1.0, 0.75, 1.0, 1.0) == pytest.approx(0.25, rel=1e-15)
    assert 0 <= crossing(-1.0, np.nan, 1.0, 1.0, 1.0) <= 1


def test_reached_and_escape():
    assert _words(_run(p=0.5)) == ("reached", "escape")


def test_reached_and_collapse():
    assert _words(_run(eta=0.3)) == ("reached", "collapse")


def test_neither():
    result = _run(t1=1.0)
    assert _words(result) == ("reached", "none")
    assert np.isnan(result.t_event[0])


def test_underflow():
    result = _run(eta=3.0)  # s would be e^-1200
    assert _words(result) == ("underflow", "collapse")
    assert result.s[0] == 0 and 0 < result.p[0] < 1e-200 and np.isfinite(result.tau[0])
    # with s = 0 and p gone, dtau/dt = beta - (beta - eta) tau: tau grows as exp((eta - beta) t)
    longer = _run(eta=3.0, t1=201.0)
    assert np.log(longer.tau[0] / result.tau[0]) == pytest.approx(2.6, rel=1e-6)
    assert longer.p[0] / result.p[0] == pytest.approx(np.exp(-3.0), rel=1e-6)


def test_underflow_past_the_range_of_tau():
    result = _run(eta=10.0)
    assert _words(result) == ("underflow", "collapse")
    assert (result.s[0], result.p[0], result.tau[0]) == (0.0, 0.0, np.inf)


@pytest.mark.parametrize("target", ["online", "ema"])
@pytest.mark.parametrize("eta_s", [3.0, 30.0])
def test_underflow_with_unequal_decays(target, eta_s):
    """Once s is 0, p falls at eta_p alone, past the range of tau too."""
    one, two = (_run(eta_p=0.7, eta_s=eta_s, t1=t1, target=target, tau=1.0) for t1 in (400.0, 440.0))
    assert _words(one) == ("underflow", "collapse") and one.s[0] == 0.0
    assert np.log(two.p[0] / one.p[0]) == pytest.approx(-0.7 * 40, rel=1e-6)
    assert np.log(one.p[0] / 0.1) == pytest.approx(-0.7 * 400, abs=1.0)  # but for the first times


def test_the_level_of_escape_is_set_by_the_decay_of_the_online_network():
    """0.9 p_+ with eta_s under the root, whatever eta_p: crossed at one time where p follows one path."""
    result = _run(p=0.3, eta_p=0.02, eta_s=0.06, t1=300.0)
    level = 0.9 * (1 + np.sqrt(1 - 4 * 0.06 * 1.25)) / 2.5
    lanes = {name: np.array([value]) for name, value in {
        "alpha_p": 1.0, "beta": 0.4, "eta_p": 0.02, "eta_s": 0.06, "x": 1.0, "x_aug": 0.25, "p": 0.3, "s": 0.05,
        "tau": 0.5,
    }.items()}  # fmt: skip
    run = reference(lanes, 0, 300.0, dense=True)
    assert _words(result) == ("reached", "escape")
    assert float(run(result.t_event[0]).p[0]) == pytest.approx(level, rel=1e-8)


def test_not_finite():
    result = _run(p=1e200)
    assert STATUSES[result.status[0]] == "not_finite"
    assert result.steps[0] < 1000


@pytest.mark.parametrize("beta", [0.4, 1e4])
def test_max_steps(beta):
    result = _run(max_steps=20, beta=np.array([beta]))
    assert STATUSES[result.status[0]] == "max_steps"
    assert result.steps[0] == 20


def _dense(lanes, i, t1):
    run = reference(lanes, i, t1, dense=True)
    ts = np.linspace(0, t1, 4001)
    states = run(ts)
    return run, ts, states.p[:, 0], states.s[:, 0], states.tau[:, 0]


def test_K_min_and_event_times_against_dense_runs():
    lanes = random_lanes(8, seed=2)
    lanes["beta"] = np.geomspace(0.01, 20, 8)
    lanes["s"], lanes["p"] = lanes["s"] / 10, lanes["p"] / 3
    t1 = 60.0
    result = solve_lanes(**lanes, t1=t1)
    assert {"escape", "collapse"} <= set(result.event_names())
    for i in range(8):
        run, ts, p, s, tau = _dense(lanes, i, t1)
        c = {name: value[i] for name, value in lanes.items()}
        D = modes.drive(p, tau, c["x"], c["x_aug"])
        K = modes.alignment_rate(p, s, D, c["alpha_p"], c["eta_p"], c["eta_s"], c["x"], c["x_aug"])
        assert result.K_min[i] <= K.min() + 1e-7
        assert result.K_min[i] == pytest.approx(K.min(), abs=2e-5)  # what 4001 points see of a dip
        level = fixed_points(eta_p=c["eta_p"], eta_s=c["eta_s"], x=c["x"], x_aug=c["x_aug"], alpha_p=c["alpha_p"])
        collapsed, escaped = s[-1] <= 1e-6 * s[0], p[-1] >= 0.9 * level.p_plus
        assert result.event_names()[i] == ("collapse" if collapsed else "escape" if escaped else "none")
        if collapsed or escaped:

            def gap(t, c=c, run=run, level=level, collapsed=collapsed):
                state = run(t)
                return np.log(state.s[0] / (1e-6 * c["s"])) if collapsed else state.p[0] - 0.9 * level.p_plus

            signs = np.sign(s - 1e-6 * s[0] if collapsed else p - 0.9 * level.p_plus)
            last = np.flatnonzero(np.diff(signs))
            expected = brentq(gap, ts[last[-1]], ts[last[-1] + 1], xtol=1e-9) if len(last) else 0.0
            assert result.t_event[i] == pytest.approx(expected, rel=1e-7)


def _independent(c, t1, method):
    """(event times of escape, of collapse, smallest K) by scipy on equations typed here, at its own tolerance."""
    a, b, ep, es, x, v = c["alpha_p"], c["beta"], c["eta_p"], c["eta_s"], c["x"], c["x"] + c["x_aug"]
    level = 0.9 * (x + np.sqrt(x * x - 4 * es * v)) / (2 * v)

    def rates(t, y):  # of (p, log s, tau)
        drive = x * y[2] - v * y[0]
        growth = y[0] * drive - es
        return np.array([a * np.exp(y[1]) * drive - ep * y[0], 2 * growth, b * (1 - y[2]) - y[2] * growth])

    def K(y):
        return modes.alignment_rate(y[0], np.exp(y[1]), x * y[2] - v * y[0], a, ep, es, x, v - x)

    def turn(t, y):
        return K(y + 1e-30j * rates(t, y)).imag / 1e-30

    events = [lambda t, y: y[0] - level, lambda t, y: y[1] - np.log(1e-6 * c["s"]), turn]
    start = np.array([c["p"], np.log(c["s"]), c["tau"]])
    run = solve_ivp(rates, (0, t1), start, method=method, rtol=3e-13, atol=1e-15, events=events)
    lows = [K(y) for y in (start, run.y[:, -1], *run.y_events[2])]
    return run.t_events[0], run.t_events[1], min(lows)


@pytest.mark.parametrize(("beta", "method"), [(0.02, "DOP853"), (0.5, "DOP853"), (5.0, "DOP853"), (500.0, "Radau")])
@pytest.mark.parametrize(("p", "event"), [(0.3, "escape"), (0.02, "collapse")])
def test_events_and_K_are_as_good_as_the_run(beta, method, p, event):
    """Found by stepping to them, so that they follow the tolerance: the cubic of a step gives 1e-4 to 1e-6."""
    c = {"alpha_p": 1.7, "beta": beta, "eta_p": 0.1, "eta_s": 0.12, "x": 1.0, "x_aug": 0.25, "p": p, "s": 0.001}
    c |= {"tau": 0.9} | ({"eta_s": 0.05, "eta_p": 0.06, "s": 0.2} if event == "escape" else {})
    t1 = 150.0
    escape, collapse, lowest = _independent(c, t1, method)
    known = (escape if event == "escape" else collapse)[-1]
    for rtol, off in ((1e-8, 2e-7), (1e-10, 4e-9)):
        result = solve_lanes(**{name: np.array([value]) for name, value in c.items()}, t1=t1, rtol=rtol)
        assert result.event_names()[0] == event
        assert result.t_event[0] == pytest.approx(known, rel=off)
        assert result.K_min[0] == pytest.approx(lowest, abs=off / 100)


def test_an_overshoot_is_no_escape():
    result = _run(p=1.0, s=1e-6, eta=0.1)  # starts past p_+ and dies all the same
    assert _words(result)[1] == "collapse"
    assert result.t_event[0] > 1


def test_escape_level_is_the_closed_form():
    eta, tau = np.array([0.01, 0.1, 0.19]), np.array([0.8, 0.9, 1.0])
    args = {"alpha_p": 1.3, "eta_p": eta, "eta_s": eta, "x": 1.0, "x_aug": 0.25, "s": 0.1, "tau": tau}
    for mode, at_tau in (("dynamic", 1.0), ("constant", tau)):
        p_plus = fixed_points(eta, tau=at_tau, x=1.0, x_aug=0.25, alpha_p=1.3).p_plus
        level = escape_level(**args, target="ema", tau_mode=mode)
        np.testing.assert_allclose(level, np.where(np.isnan(p_plus), np.inf, 0.9 * p_plus), rtol=1e-14)


def test_escape_level_of_a_frozen_target_is_where_it_ends():
    eta = 0.05
    level = escape_level(1.3, eta, eta, 1.0, 0.25, 0.5, 0.9, target="frozen", tau_mode="dynamic")
    result = _run(t1=2000.0, eta=eta, alpha_p=1.3, p=0.5, s=0.5, tau=0.9, target="frozen")
    assert result.p[0] == pytest.approx(level / 0.9, rel=1e-6)
    assert _words(result)[1] == "escape"


def test_p_falls_at_its_own_decay_where_tau_leaves_the_numbers():
    """Without drive, x = 0, tau = a/w grows past float64 while p is still there: Eq. 11 at s = 0."""
    one, two = (_run(eta_p=0.05, eta_s=10.0, x=0.0, t1=t1) for t1 in (200.0, 240.0))
    assert _words(one) == ("underflow", "collapse") and one.tau[0] == np.inf
    assert np.log(two.p[0] / one.p[0]) == pytest.approx(-0.05 * 40, rel=1e-6)
    assert np.log(one.p[0] / 0.1) == pytest.approx(-0.05 * 200, abs=0.1)
