"""Order measured, not trusted: descent -> flow with slope 1, and the solver's error against the tolerance asked for."""

import json

import numpy as np
import pytest

import lindyn as ld
from tests.catalogue import CATALOGUE, FRACTIONS
from tests.helpers import ENGINES, moments, relative, start
from tests.references import make

STEPS = (0.004, 0.002, 0.001, 0.0005)


def slopes(errors, steps):
    return np.diff(np.log(errors)) / np.diff(np.log(steps))


def distance(run, want):
    """The relative distance of the last states, all blocks together."""
    return relative(*(np.concatenate([np.ravel(getattr(y, name)) for name in y._fields()]) for y in (run.final, want)))


@pytest.mark.parametrize(
    ("alpha_p", "momentum", "choices"),
    [
        (1.0, 0.0, {}),
        (5.0, 0.0, {}),
        (1.0, 0.5, {}),
        (0.2, 0.5, {"target": "online"}),
        (3.0, 0.0, {"target": "frozen", "predictor": "symmetrised"}),
        (1.0, 0.0, {"target": "online", "stop_gradient": False}),
        (1.0, 0.0, {"predictor": "identity"}),
    ],
    ids=str,
)
def test_descent_tends_to_the_flow_with_slope_1(alpha_p, momentum, choices):
    hp = ld.Hyperparameters(alpha_p, 0.6, eta_p=0.1, eta_s=0.05)
    flow = ld.WeightFlow(hp, moments(1), **choices)
    y0 = start(flow, 2)
    want = ld.simulate(flow, y0, t1=2.0, rtol=1e-12, engine="scipy").final
    errors = []
    for alpha in STEPS:
        run = ld.descend(flow, y0, learning_rate=alpha * (1 - momentum), momentum=momentum, steps=round(2.0 / alpha))
        assert run.ts[-1] == pytest.approx(2.0, rel=1e-12)
        errors.append(distance(run, want))
    measured = slopes(errors, STEPS)
    assert np.all(np.abs(measured - 1) < 0.03), measured


@pytest.mark.parametrize("target", ["ema", "online"])
def test_descent_of_modes_tends_to_the_flow_with_slope_1(target):
    flow = ld.ModeWeightFlow(ld.Hyperparameters(2.0, 0.6, 0.05), x_aug=0.3, target=target)
    y0 = ld.ModeWeightState([0.4, 0.9], [0.5, 0.2], None if target == "online" else [0.3, 0.8])
    want = ld.simulate(flow, y0, t1=2.0, rtol=1e-12, engine="scipy").final
    errors = [distance(ld.descend(flow, y0, learning_rate=a, steps=round(2.0 / a)), want) for a in STEPS]
    assert np.all(np.abs(slopes(errors, STEPS) - 1) < 0.03)


RTOLS = (1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11)


def worst_error(name, **how):
    system = CATALOGUE[name]()
    run = ld.simulate(system.flow, system.start, system.ts, **how)
    states = json.loads(make.FILE.read_text())["systems"][name]["states"]
    return max(
        relative(getattr(run.states, block), np.array([np.array(s[block], dtype=float) for s in states]))
        for block in states[0]
    )


@pytest.mark.parametrize(
    ("name", "engine"),
    [
        ("full_ema", "diffrax"),
        ("modes_of_many_eigenvalues", "diffrax"),
        ("full_ema", "scipy"),
        ("modes_of_many_eigenvalues", "scipy"),
    ],
)
def test_error_follows_the_tolerance(name, engine):
    """Error <= 10 rtol over six decades, falling with it; "auto" changes from order 5 to order 8 at 1e-7."""
    errors = np.array([worst_error(name, rtol=rtol, engine=engine) for rtol in RTOLS])
    assert np.all(errors <= 10 * np.array(RTOLS)), errors
    assert np.all(errors[2:] <= 0.5 * errors[:-2]), errors


@pytest.mark.parametrize(
    ("engine", "solver"),
    [
        ("diffrax", "tsit5"),
        ("diffrax", "dopri8"),
        ("scipy", "tsit5"),
        ("scipy", "stiff"),
    ],
)
def test_named_solvers_follow_the_tolerance(engine, solver):
    rtols = (1e-5, 1e-7, 1e-9)
    errors = np.array([worst_error("modes_of_many_eigenvalues", rtol=r, engine=engine, solver=solver) for r in rtols])
    assert np.all(errors <= 10 * np.array(rtols)), errors
    assert np.all(errors[1:] <= 0.1 * errors[:-1]), errors


@pytest.mark.parametrize("engine", ENGINES)
def test_absolute_tolerance_is_used(engine):
    """A large atol lets a decaying system take longer steps, and shows in the error."""
    flow, y0 = ld.ModeFlow(ld.Hyperparameters(1.0, 0.4, 0.5)), ld.ModeState([0.5, 0.4, 0.3], 0.3, 0.9)
    ts = 40.0 * np.array(FRACTIONS)
    tight, loose = (ld.simulate(flow, y0, ts, engine=engine, atol=atol) for atol in (0.0, 1e-4))
    assert loose.stats["accepted"] < 0.7 * tight.stats["accepted"]
    off = np.max(np.abs(loose.states.p - tight.states.p))
    assert 1e-12 < off < 1e-3


def test_block_starting_at_zero():
    """W_a(0) = 0 (Fig. 7), in both engines and with every scipy solver."""
    flow = ld.WeightFlow(ld.Hyperparameters(1.7, 0.3, 0.01), moments(3, n1=3))
    y0, ts = ld.WeightState.random(2, 3, target="zero"), np.linspace(0.0, 10.0, 9)
    want = ld.simulate(flow, y0, ts)
    for solver in ("auto", "tsit5", "stiff"):
        got = ld.simulate(flow, y0, ts, engine="scipy", solver=solver)
        assert relative(got.states.W_a, want.states.W_a) < 1e-10
        assert relative(got.states.W_a[1], want.states.W_a[1]) < 1e-10


def test_scipy_engine_holds_every_mode_to_the_tolerance():
    """One mode that moves among 400 at rest is as accurate as it is alone."""
    hp, ts = ld.Hyperparameters(1.0, 0.4, 0.05), np.linspace(0.0, 20.0, 5)
    still = np.full(400, ld.theory.fixed_points(0.05).p_plus)
    p = np.concatenate([[0.4], still])
    s = np.concatenate([[0.1], still**2])
    alone = ld.simulate(ld.ModeFlow(hp), ld.ModeState(0.4, 0.1), ts, rtol=1e-12, engine="scipy").states.s
    crowd = ld.simulate(ld.ModeFlow(hp), ld.ModeState(p, s), ts, rtol=1e-7, engine="scipy").states.s[:, 0]
    assert np.max(np.abs(crowd / alone - 1)) < 1e-7
