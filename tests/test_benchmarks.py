"""What the benchmarks say instead of a traceback, and what they ask their engines for; nothing is timed."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.explore import browser

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
MODULES = ("common", "sweep", "sweep_engines", "equal_error", "growth", "explorer")


@pytest.fixture
def benchmark(monkeypatch):
    """Return a function that imports a benchmark, which goes with its neighbours after the test."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield importlib.import_module
    for name in MODULES:
        sys.modules.pop(name, None)


@pytest.fixture
def equal_error(benchmark, monkeypatch):
    """The module with engines that are off by ten times their tolerance, in no process of their own."""
    module = benchmark("equal_error")

    class Engine:
        def __init__(self, name, rtol, lanes=None):
            self.rtol, self.asked, self.lanes = rtol, lanes, 9

        def final(self):
            return exact(*module.grid(self.lanes)) * (1 + (10 * self.rtol if self.rtol > module.REFERENCE else 0.0))

        def close(self):
            pass

    def exact(eta, beta):
        return np.stack([eta + 1.0, beta, beta])

    monkeypatch.setattr(module, "Engine", Engine)
    monkeypatch.setattr(module, "exact", exact)
    return module


def test_slow_engines_run_fewer_lanes(equal_error):
    asked = {name: equal_error.good_enough(name, 1e-4)[0].asked for name in ("torchdiffeq", "lanes", "diffrax vmap")}
    assert asked == {"torchdiffeq": 2500, "lanes": None, "diffrax vmap": None}


@pytest.mark.parametrize(("error", "rtol"), [(1.1e-5, 1e-6), (1.1e-9, 1e-10), (1e-10, None), (np.nan, None)])
def test_the_kernel_is_never_held_against_itself(error, rtol, equal_error):
    found = equal_error.good_enough("lanes", error)
    assert (found and found[0].rtol) == rtol
    assert equal_error.good_enough("C", 1e-10)[0].rtol == 1e-11


def test_an_error_that_cannot_be_reached_is_one_sentence(equal_error, benchmark, capsys):
    before = dict(benchmark("sweep").SMALLER)
    with pytest.raises(SystemExit) as stop:
        equal_error.main(["--error", "1e-20"])
    told = capsys.readouterr().err.splitlines()[-1]
    assert stop.value.code == 2 and told.endswith(
        "error: --error must be one that the kernel comes to at a tolerance of 1e-10, that of the reference being "
        "1e-11; got 1e-20. Give a larger one."
    )
    assert before == benchmark("sweep").SMALLER  # the list of the other benchmark is its own


def test_each_axis_of_growth_is_measured_as_itself(benchmark, monkeypatch):
    growth = benchmark("growth")
    monkeypatch.setattr(growth, "_lanes", lambda axis, work, *setting: [(axis, work, setting)])
    for axis, settings in (("N", 6), ("t", 5), ("rtol", 5), ("beta", 7)):
        found = growth.MEASURES[axis]()
        assert len(found) == len({setting for _, _, setting in found}) == settings
        assert {one[0] for one in found} == {axis}


def test_without_a_browser_the_explorer_s_benchmark_says_so(benchmark, monkeypatch, capsys):
    explorer = benchmark("explorer")
    monkeypatch.setattr(browser, "CHROMIUM", None)
    with pytest.raises(SystemExit) as stop:
        explorer.main([])
    assert stop.value.code == 2
    assert "error: There is no Chromium here. Install it (Debian: apt-get install" in capsys.readouterr().err
