"""Deterministic tests on the CPU; the shapes and the precision of every flow call are checked while tests run."""

import contextlib
import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # one process a core runs the tests
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import hypothesis
import pytest

from tests.pictures import unrendered
from tests.shapes import check_flow_calls

hypothesis.settings.register_profile("lindyn", deadline=None, max_examples=20, derandomize=True, database=None)
hypothesis.settings.load_profile("lindyn")


ALONE = ("tests/golden/test_golden.py",)
"""Files whose tests share nothing; they fill up whichever worker is free at the end."""
DIFFRAX = ("catalogue", "closed_forms", "invariants", "order", "rule_runs", "simulate", "transformations")
"""Of tests/solve; diffrax compiles per kind of flow and number of times."""
TOGETHER = {
    **dict.fromkeys((f"tests/figures/test_{name}.py" for name in ("claims", "plotting", "reproduce")), "tian2021"),
    **dict.fromkeys((f"tests/solve/test_{name}.py" for name in DIFFRAX), "diffrax"),
}
"""Files that share what they make with others."""


def pytest_xdist_make_scheduler(config, log):
    """Keep a file's tests on one worker, which then makes their fixtures, compilations and runs once.

    By the file in a test's name: xdist 3.8 writes its own groups where pytest 9.2 no longer reads them.
    """
    from xdist.scheduler.loadscope import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            path = nodeid.partition("::")[0]
            return nodeid if path in ALONE else TOGETHER.get(path, path)

    return ByFile(config, log)


UNRENDERED = (
    "tests/bridge/",
    *(f"tests/cli/test_{name}.py" for name in ("simulate", "validate", "sweep", "reproduce_training")),
)
"""Runs and reports whose pictures nobody looks at; two thirds of a tiny run's time would be their rendering."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Render pictures of these files only where a test, with all its fixtures, is marked `rendered`."""
    left = item.nodeid.startswith(UNRENDERED) and item.get_closest_marker("rendered") is None
    with unrendered() if left else contextlib.nullcontext():
        return (yield)


@pytest.fixture(scope="session", autouse=True)
def _shapes_checked():
    with check_flow_calls():
        yield


@pytest.fixture
def command(capsys):
    """Return a function that runs one command and gives (exit code, standard output, standard error)."""
    from lindyn.cli import main

    def run(*words):
        try:
            code = main([str(word) for word in words])
        except SystemExit as stop:  # argparse's own
            code = stop.code
        return (code, *capsys.readouterr())

    return run
