"""Deterministic tests on the CPU; the shapes and the precision of every flow call are checked while tests run."""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "agg")
for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):  # one process a core runs the tests
    os.environ.setdefault(threads, "1")

import hypothesis
import pytest

from tests.shapes import check_flow_calls

hypothesis.settings.register_profile("lindyn", deadline=None, max_examples=20, derandomize=True, database=None)
hypothesis.settings.load_profile("lindyn")


@pytest.fixture(scope="session", autouse=True)
def _shapes_checked():
    with check_flow_calls():
        yield
