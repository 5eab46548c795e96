import numpy as np
import pytest

from lindyn.solve.lanes import solve_lanes

from .grids import problem_s, random_lanes, reference

RATES = {"alpha_p": 1.5, "eta_p": 0.05, "eta_s": 0.04, "x": 1.0, "x_aug": 0.25, "s": 0.05}


def _errors(result, i, final):
    return [abs(getattr(result, name)[i] / getattr(final, name)[0] - 1) for name in ("p", "s", "tau")]


@pytest.mark.parametrize("beta", [1e-4, 1e-2, 1.0, 30.0, 300.0, 1e4])
def test_every_beta(beta):
    lanes = {
        **RATES,
        "beta": np.full(3, beta),
        "eta_p": [0.0, 0.1, 0.3],
        "eta_s": [0.0, 0.1, 0.3],
        "p": 0.1,
        "tau": 0.5,
    }
    result = solve_lanes(**lanes, t1=60.0)
    for i in range(3):
        final = reference(lanes, i, 60.0, rtol=1e-11).final
        assert max(_errors(result, i, final)) < 2e-7
    assert result.s[2] < 1e-8 * result.s[0]


@pytest.mark.parametrize("target", ["ema", "online", "frozen"])
@pytest.mark.parametrize("tau_mode", ["dynamic", "constant"])
@pytest.mark.parametrize("predictor", ["trained", pytest.param("identity", marks=pytest.mark.slow)])
def test_every_choice(target, tau_mode, predictor):
    start = {"p": 1.0 if predictor == "identity" else 0.3, "tau": 1.0 if target == "online" else 0.5}
    lanes = {**RATES, "beta": np.array([0.4]), **start}
    result = solve_lanes(**lanes, t1=30.0, target=target, tau_mode=tau_mode, predictor=predictor)
    final = reference(lanes, 0, 30.0, target=target, tau=tau_mode, predictor=predictor).final
    assert max(_errors(result, 0, final)) < 2e-7


def test_tolerance_is_met_on_problem_s():
    lanes = problem_s(12, 12)
    result, fine = (solve_lanes(**lanes, t1=200.0, rtol=rtol) for rtol in (1e-8, 1e-11))
    errors = np.max([np.abs(getattr(result, n) / getattr(fine, n) - 1) for n in ("p", "s", "tau")], axis=0)
    assert np.quantile(errors, 0.99) < 1e-6
    assert fine.s.min() < 1e-45  # collapsed lanes among them keep their digits


def test_both_methods_agree(monkeypatch):
    lanes = random_lanes(64, seed=3)
    explicit_first = solve_lanes(**lanes, t1=20.0, rtol=1e-10)
    monkeypatch.setattr("lindyn.solve.lanes.api.STIFF_REACH", -1.0)
    stiff = solve_lanes(**lanes, t1=20.0, rtol=1e-10)
    for name in ("p", "s", "tau"):
        np.testing.assert_allclose(getattr(stiff, name), getattr(explicit_first, name), rtol=1e-6, atol=1e-12)


def test_tighter_tolerance_is_closer():
    lanes = random_lanes(48, seed=5)
    fine = solve_lanes(**lanes, t1=20.0, rtol=1e-12)
    worst = [np.median(np.abs(solve_lanes(**lanes, t1=20.0, rtol=rtol).s / fine.s - 1)) for rtol in (1e-5, 1e-7, 1e-9)]
    assert worst[0] > 5 * worst[1] > 25 * worst[2]


def test_composition():
    lanes = random_lanes(32, seed=7)
    once = solve_lanes(**lanes, t1=10.0, rtol=1e-11)
    half = solve_lanes(**lanes, t1=4.0, rtol=1e-11)
    twice = solve_lanes(**{**lanes, "p": half.p, "s": half.s, "tau": half.tau}, t1=6.0, rtol=1e-11)
    np.testing.assert_allclose(twice.s, once.s, rtol=1e-8)


def test_slow_for_another_reason_than_beta_is_found_on_the_way():
    lanes = {**RATES, "alpha_p": 1e5, "beta": np.array([0.4]), "p": 0.1, "s": 0.5, "tau": 0.5}
    result = solve_lanes(**lanes, t1=60.0)
    assert result.steps[0] < 10_000  # explicit steps alone: about a million
    final = reference(lanes, 0, 60.0, rtol=1e-9, solver="stiff").final
    assert max(_errors(result, 0, final)) < 1e-5


@pytest.mark.parametrize("zero", ["p", "s", "tau", "x", "eta_s"])
def test_starts_and_rates_of_zero(zero):
    lanes = {**RATES, "beta": np.array([0.4]), "p": 0.1, "tau": 0.5, zero: 0.0}
    result = solve_lanes(**lanes, t1=10.0)
    final = reference(lanes, 0, 10.0).final
    for name in ("p", "s", "tau"):
        np.testing.assert_allclose(getattr(result, name), getattr(final, name), rtol=2e-7, atol=1e-200)
    assert result.status_names()[0] == "reached"
