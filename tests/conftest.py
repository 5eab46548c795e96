"""Deterministic tests on the CPU; the shapes and the precision of every flow call are checked while tests run."""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # one process a core runs the tests
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import hypothesis
import pytest

from tests.shapes import check_flow_calls

hypothesis.settings.register_profile("lindyn", deadline=None, max_examples=20, derandomize=True, database=None)
hypothesis.settings.load_profile("lindyn")


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
