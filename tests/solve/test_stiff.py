"""Runs that only stability keeps in short steps: the implicit solver is taken by itself; long runs are announced."""

import io

import numpy as np
import pytest

import lindyn as ld
from lindyn import _progress
from lindyn.solve import engine_scipy


def modes(alpha_p, beta, eta=0.01):
    flow = ld.ModeFlow(ld.Hyperparameters(alpha_p=alpha_p, beta=beta, eta=eta))
    return flow, ld.ModeState(np.array([0.5, 0.3]), np.array([0.3, 0.1]))


@pytest.mark.parametrize(("alpha_p", "beta", "t1"), [(300.0, 0.5, 600.0), (3.0, 150.0, 100.0)])
def test_a_run_that_turns_out_to_be_stiff_changes_its_solver_and_comes_to_the_same_end(monkeypatch, alpha_p, beta, t1):
    """Explicit all the way, with the implicit solver from some step on, implicit all the way: one state."""
    flow, y0 = modes(alpha_p, beta)
    explicit = ld.simulate(flow, y0, t1=t1, engine="scipy", solver="dopri8")
    implicit = ld.simulate(flow, y0, t1=t1, engine="scipy", solver="stiff")
    monkeypatch.setattr(engine_scipy, "LONG_WAY", {engine_scipy.STIFF_UNKNOWNS: 300})
    monkeypatch.setattr(engine_scipy, "LOOK", 100)
    changed = ld.simulate(flow, y0, t1=t1, engine="scipy")
    assert changed.notes["solver"] == "dopri8, then stiff" and len(changed) == len(explicit)
    assert changed.stats["accepted"] < explicit.stats["accepted"]
    for name in ("p", "s", "tau"):
        for other in (explicit, implicit):
            np.testing.assert_allclose(getattr(changed.final, name), getattr(other.final, name), rtol=1e-7)


def test_a_run_whose_steps_accuracy_keeps_short_stays_explicit(monkeypatch):
    monkeypatch.setattr(engine_scipy, "LONG_WAY", {engine_scipy.STIFF_UNKNOWNS: 10})
    monkeypatch.setattr(engine_scipy, "LOOK", 20)
    assert ld.simulate(*modes(1.0, 0.5), t1=20.0, engine="scipy").notes["solver"] == "dopri8"


@pytest.mark.parametrize(
    ("size", "ratio", "engine"), [(300, 2e5, "scipy"), (300, 5e4, "diffrax"), (600, 2e5, "diffrax")]
)
def test_who_integrates_follows_the_rates(size, ratio, engine):
    from lindyn.solve.ode import SolverSettings, choose_engine

    flow, _ = modes(1.0, ratio)
    state = ld.ModeState(*(np.full(size // 3, 0.3) for _ in range(3)))
    settings = SolverSettings(np.array([0.0, 1.0]), 1e-10, 0.0, "auto", False, None, 1000, True)
    assert choose_engine(flow, state, settings) == engine


def test_the_command_line_has_the_solver(command, tmp_path):
    code, said, _ = command("simulate", "--system", "modes", "--solver", "stiff", "--t1", "5", "--out", tmp_path / "a")
    assert code == 0 and "scipy stiff" in said
    assert 'solver = "stiff"' in (tmp_path / "a" / "run.toml").read_text()


def test_minutes_that_lie_ahead_are_said_once_on_a_terminal_or_not(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(_progress.time, "monotonic", lambda: now[0])
    for total, said in ((1000.0, "lindyn: simulate will take about 17 min (stiff). Ctrl-C ends it.\n"), (50.0, "")):
        stream = io.StringIO()
        now[0] = 0.0
        line = _progress.Progress("simulate", total, stream, hint=" (stiff)")
        for second in range(1, 20):
            now[0] = float(second)
            line(float(second))
        assert stream.getvalue() == said


def test_what_makes_a_run_long_is_said_with_what_would_be_quicker():
    from lindyn.commands import flow_settings
    from lindyn.commands.simulate_options import TABLE

    given = TABLE.defaults | {"system": "modes", "beta": 1e4, "t1": 1e4}
    flow, _ = flow_settings.build(given)
    assert "beta x t1 = 1e+08" in flow_settings.hint(flow, given) and "--solver stiff" in flow_settings.hint(
        flow, given
    )
    assert flow_settings.hint(flow, given | {"t1": 1.0}) == ""


def test_a_sweep_of_minutes_says_so_before_it_starts(monkeypatch, capsys):
    from lindyn.sweeps import execution

    grid = {"eta": np.linspace(0.01, 0.3, 60), "beta": np.geomspace(0.01, 10.0, 50), "t1": 5.0}
    ld.sweep(**grid)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(_progress, "LONG", 1e-9)
    monkeypatch.setattr(_progress, "PATIENCE", 1e9)
    ld.sweep(**grid)
    assert capsys.readouterr().err.startswith("lindyn: sweep will take about ")
    monkeypatch.setattr(execution, "MANY", 3001)
    ld.sweep(**grid)
    assert capsys.readouterr().err == ""
