"""simulate: the times asked for, interpolation, steady states, runs that end early, bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lindyn as ld
from lindyn.solve import ode
from lindyn.solve.trajectory import SolverSettings
from tests.helpers import ENGINES, moments, relative, weights

HP = ld.Hyperparameters(1.2, 0.4, 0.05)
MODES = ld.ModeFlow(HP, x_aug=0.3)
START = ld.ModeState([0.4, 0.9], [0.3, 0.1], 0.8)


@pytest.mark.parametrize("engine", ENGINES)
def test_times_asked_for_are_hit_exactly(engine):
    ts = np.array([0.25, 0.26, 1.0, np.pi, 17.0])
    run = ld.simulate(MODES, START, ts, engine=engine)
    np.testing.assert_array_equal(run.ts, ts)
    assert len(run) == 5 and run.states.p.shape == (5, 2)
    np.testing.assert_array_equal(run[0].p, START.p)
    later = ld.simulate(MODES, START, ts - 0.25, engine=engine)
    np.testing.assert_allclose(later.states.s, run.states.s, rtol=1e-10)  # no explicit time in the flow
    assert run.status == "reached the end, t = 17" and run.succeeded and run.stats["accepted"] > 0


def test_default_times():
    run = ld.simulate(MODES, START, engine="scipy")
    np.testing.assert_array_equal(run.ts, np.linspace(0.0, 100.0, 201))
    assert ld.simulate(MODES, START, t1=3.0, engine="scipy").ts[-1] == 3.0


@pytest.mark.parametrize("engine", ENGINES)
def test_dense_output_is_accurate_between_the_times(engine):
    """One path through two saved times and through 30 of them: the interpolant agrees with the steps."""
    ts = np.linspace(0.0, 20.0, 31)
    saved = ld.simulate(MODES, START, ts, rtol=1e-11, engine="scipy")
    dense = ld.simulate(MODES, START, np.array([0.0, 20.0]), dense=True, engine=engine)
    assert dense(ts).p.shape == (31, 2)
    for name in ("p", "s", "tau"):
        assert relative(getattr(dense(ts), name), getattr(saved.states, name)) < 1e-7
        assert relative(getattr(dense(ts[7]), name), getattr(saved.states, name)[7]) < 1e-7
    with pytest.raises(ValueError, match=r"t must lie in \[0, 20\]; got 21.0"):
        dense(21.0)
    with pytest.raises(ValueError, match=r"has no interpolation; run simulate\(\.\.\., dense=True\)"):
        saved(1.0)


@pytest.mark.parametrize("engine", ENGINES)
def test_steady_state_stops_at_the_fixed_point(engine):
    run = ld.simulate(MODES, START, np.array([0.0, 10.0, 1e5]), steady_state=True, engine=engine)
    assert run.outcome_name == "steady" and run.succeeded
    assert 10.0 < run.ts[-1] < 1e4 and run.ts[1] == 10.0
    assert run.status == f"came to a steady state at t = {run.ts[-1]:.6g} and stopped there"
    fixed = ld.theory.fixed_points(0.05, x_aug=0.3, alpha_p=1.2)
    np.testing.assert_allclose(run.final.p, fixed.p_plus, rtol=1e-7)
    np.testing.assert_allclose(run.final.s, fixed.s_plus, rtol=1e-7)
    loose = ld.simulate(MODES, START, np.array([0.0, 10.0, 1e5]), steady_state=1e-4, engine=engine)
    assert loose.ts[-1] < run.ts[-1]


@pytest.mark.parametrize("engine", ENGINES)
def test_collapse_counts_as_steady(engine):
    flow = ld.ModeFlow(ld.Hyperparameters(1.0, 0.4, 0.3))
    run = ld.simulate(flow, START, np.array([0.0, 10.0, 1e4]), steady_state=True, engine=engine)
    assert run.outcome_name == "steady" and np.all(np.abs(run.final.s) < 1e-12) and run.ts[-1] < 1e3
    np.testing.assert_allclose(run.final.tau, 4.0, rtol=1e-6)  # beta / (beta - eta): w falls at the rate eta


@pytest.mark.parametrize("engine", ENGINES)
def test_step_limit_keeps_what_was_computed(engine):
    ts = np.array([0.0, 0.01, 50.0, 100.0])
    run = ld.simulate(MODES, START, ts, max_steps=20, throw=False, engine=engine)
    assert run.outcome_name == "max_steps" and not run.succeeded
    assert run.status.startswith(f"stopped at t = {run.ts[-1]:.6g}, short of t = 100: the step limit was reached")
    assert run.ts[1] == 0.01 and 0.01 < run.ts[-1] < 100 and len(run.ts) == len(run.states.p)
    exact = ld.simulate(MODES, START, run.ts, rtol=1e-12, engine="scipy")
    np.testing.assert_allclose(run.states.s, exact.states.s, rtol=1e-8)
    with pytest.raises(ld.SimulationError, match="the step limit was reached; raise max_steps") as caught:
        ld.simulate(MODES, START, ts, max_steps=20, engine=engine)
    assert len(caught.value.trajectory) == len(run)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_singularity_is_reported_with_the_states_before_it(engine):
    """No flow of the library has one: p = p^2 does, at t = 1 / p_0."""

    class Explosive(ld.ModeFlow):
        def __call__(self, t, y, args=None):
            return ld.ModeState._unchecked(p=y.p * y.p, s=0.0 * y.s, tau=0.0 * y.tau)  # p = 1 / (1/p_0 - t)

    flow = Explosive(HP)
    run = ld.simulate(flow, ld.ModeState(0.5, 0.1), np.array([0.0, 1.0, 1.9, 5.0]), throw=False, engine=engine)
    assert run.outcome_name == "not_finite" and run.status.startswith("blew up: not finite past t = ")
    np.testing.assert_allclose(run.states.p[:3], [0.5, 1.0, 10.0], rtol=1e-8)
    assert run.ts[-1] == pytest.approx(2.0, abs=1e-6) and np.all(np.isfinite(run.states.p))
    with pytest.raises(ld.SimulationError, match="blew up"):
        ld.simulate(flow, ld.ModeState(0.5, 0.1), t1=5.0, engine=engine)


class Summed(ld.ModeFlow):
    """A user's flow whose ds/dt is one number, that of all modes together."""

    def __call__(self, t, y, args=None):
        return ld.ModeState.rates(p=-y.p, s=-np.sum(y.s), tau=0.0 * y.tau)


class OfAnotherState(ld.ModeFlow):
    """A user's flow that answers with the rates of another state, as many and as long."""

    def __call__(self, t, y, args=None):
        return ld.ModeWeightState.rates(p=-y.p, w=-y.s, a=0.0 * y.tau)


@pytest.mark.parametrize(
    ("flow", "told"),
    [
        (Summed, "Summed must give ds/dt of the shape of s, (2,); got ()."),
        (OfAnotherState, "OfAnotherState must give the rates of p, s, tau; got those of p, w, a."),
    ],
)
def test_a_rate_of_another_shape_is_one_sentence(flow, told):
    """An assignment would repeat the number along the modes, and the run would end well."""
    with pytest.raises(ValueError) as caught:
        ld.simulate(flow(HP), START, t1=1.0, engine="scipy")
    assert str(caught.value) == told


def test_stiff_solver_takes_few_steps():
    flow, ts = ld.ModeFlow(ld.Hyperparameters(1.0, 1e3, 0.05)), np.array([0.0, 100.0])
    run = ld.simulate(flow, ld.ModeState(0.4, 0.3, 0.1), ts, engine="scipy")
    assert run.notes["solver"] == "stiff" and run.stats["accepted"] < 5000
    with pytest.raises(ValueError, match="solver='stiff' needs engine='scipy'; got engine='diffrax'"):
        ld.simulate(flow, ld.ModeState(0.4, 0.3, 0.1), ts, solver="stiff", engine="diffrax")
    assert ld.simulate(flow, ld.ModeState(0.4, 0.3, 0.1), ts, solver="stiff").notes["engine"] == "scipy"


def test_progress_is_called_with_the_time_reached():
    reached = []
    ld.simulate(MODES, START, np.array([0.0, 5.0]), engine="scipy", progress=reached.append)
    assert reached == sorted(reached) and reached[-1] == 5.0


def chosen(flow, y0, **how):
    """What engine="auto" comes to; nothing is integrated."""
    settings = dict(ts=np.array([0.0, 50.0]), rtol=1e-10, atol=0.0, solver="auto", dense=False, steady_state=None)
    return ode.choose_engine(flow, y0, SolverSettings(**settings | how, max_steps=10, elementwise=True))


def test_the_engine_is_chosen_by_what_comes_in_and_by_the_work_ahead():
    weights_flow = ld.WeightFlow(HP, moments(1))
    assert chosen(MODES, START) == chosen(weights_flow, weights(1)) == "scipy"
    assert chosen(MODES, ld.ModeState(jnp.asarray([0.4]), 0.2)) == "diffrax"
    assert chosen(MODES, START, ts=jnp.asarray([0.0, 50.0])) == "diffrax"
    assert chosen(MODES._replace(x=jnp.asarray(1.0)), START) == "diffrax"
    fast = ld.Hyperparameters(1.0, 1e4, 0.05)
    many = ld.ModeState(np.full(600, 0.4), 0.2)  # more unknowns than implicit steps are worth
    assert chosen(ld.ModeFlow(fast), START) == "scipy"  # with implicit steps
    assert chosen(ld.ModeFlow(fast), many) == "diffrax" and chosen(ld.ModeFlow(HP), many) == "scipy"
    assert chosen(ld.ModeFlow(fast), many, solver="stiff") == "scipy"

    class InJax(ld.ModeFlow):
        def __call__(self, t, y, args=None):
            return ld.ModeState.rates(p=jnp.asarray(y.p), s=y.s, tau=y.tau)

    assert chosen(InJax(HP), START) == "diffrax"


def test_the_default_engine_differentiates_and_agrees_with_either():
    jax.config.update("jax_enable_x64", True)
    try:
        end = lambda p, engine: ld.simulate(MODES, ld.ModeState(p, 0.2), ts=[0.0, 3.0], engine=engine).states.p[-1]  # noqa: E731
        slope = jax.grad(lambda p: end(p, "auto"))(0.4)
    finally:
        jax.config.update("jax_enable_x64", False)
    plain = ld.simulate(MODES, ld.ModeState(0.4, 0.2), ts=[0.0, 3.0])
    assert plain.notes["engine"] == "scipy" and "by scipy" in repr(plain)
    np.testing.assert_allclose(end(0.4, "diffrax"), plain.states.p[-1], rtol=1e-8)
    np.testing.assert_allclose(slope, (end(0.4 + 1e-5, "auto") - end(0.4 - 1e-5, "auto")) / 2e-5, rtol=1e-6)


BAD = {
    "times decrease": (
        {"ts": [0, 2, 1]},
        r"ts must increase; got 2 followed by 1 at index 1\. Sort it and drop repeats",
    ),
    "times repeat": ({"ts": [0, 1, 1]}, "ts must increase; got 1 followed by 1"),
    "one time": ({"ts": [1.0]}, "ts must hold a start and at least one later time; got 1 entries"),
    "negative time": ({"ts": [-1, 1]}, "ts must start at t >= 0; got -1"),
    "NaN time": ({"ts": [0, np.nan]}, "ts must be finite; got 1 NaN or infinite of 2 entries"),
    "both ends": ({"ts": [0, 1], "t1": 2.0}, "Give ts or t1, not both"),
    "no duration": ({"t1": 0.0}, "t1 must be finite and > 0; got 0"),
    "rtol 0": ({"rtol": 0.0}, "rtol must be finite and > 0; got 0"),
    "atol": ({"atol": -1.0}, "atol must be finite and >= 0; got -1"),
    "engine": (
        {"engine": "difrax"},
        "engine must be one of 'auto', 'scipy', 'diffrax'; got 'difrax'. Did you mean 'diffrax'?",
    ),
    "solver": ({"solver": "tsit"}, "got 'tsit'. Did you mean 'tsit5'?"),
    "reduction": ({"reduction": "iso"}, "reduction must be one of 'auto'"),
    "steps": ({"max_steps": 0}, "max_steps must be a whole number >= 1; got 0"),
    "steady": ({"steady_state": -1.0}, "steady_state must be finite and > 0; got -1"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments(case):
    arguments, text = BAD[case]
    with pytest.raises(ValueError) as caught:
        ld.simulate(MODES, START, **arguments)
    plain = text.replace("\\", "")
    assert plain in str(caught.value)


def test_wrong_state_for_a_flow():
    with pytest.raises(ValueError, match="ModeFlow starts from a ModeState; got WeightState"):
        ld.simulate(MODES, weights(1))
    with pytest.raises(ValueError, match=r"flow must be a flow, e\.g\. .*; got the class WeightFlow itself"):
        ld.simulate(ld.WeightFlow, ld.WeightState.random(n2=2, n1=3), t1=1.0)
    with pytest.raises(ValueError, match=r"flow must be a flow, e\.g\. WeightFlow\(hp, data\); got str"):
        ld.simulate("ModeFlow", START)
    with pytest.raises(ValueError, match="W must have n1 = 5 columns, as X has; got shape"):
        ld.simulate(ld.WeightFlow(HP, ld.Moments.isotropic(5, 0.1)), weights(1))
