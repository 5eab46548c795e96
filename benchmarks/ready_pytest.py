"""A process that has imported what tests need, all but lindyn, and forks to run tests of a tree as it stands.

    python benchmarks/ready_pytest.py      questions on standard input, a JSON line each, answers on standard output

An interpreter with pytest, JAX, torch, sympy and numba takes about 10 s to start; a fork of one takes none. lindyn and
its tests are imported in the fork, so a damaged line counts.
"""

import contextlib
import gc
import importlib.metadata
import json
import os
import select
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

PRELOADED = ("numpy", "scipy.linalg", "scipy.integrate", "scipy.optimize", "sympy", "jax", "diffrax", "numba", "pytest",
             "hypothesis", "xarray", "matplotlib.pyplot", "jaxtyping", "beartype", "mpmath", "torch", "torchvision",
             "pytorch_lightning", "scipy.stats", "scipy.ndimage", "scipy.interpolate", "array_api_compat")  # fmt: skip
"""Third-party packages alone: a fork of a process that has lindyn would not see a damage."""
CONFTEST = "tests/conftest.py"
LIMIT = 240.0  # seconds that a test may take; one that does not end has failed


class ReadyPytest:
    """The process, asked from outside; it is started with the first question and again after it has died."""

    def __init__(self, tree: Path) -> None:
        self.tree = tree
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        self.environment = kept | {
            "PYTHONPATH": str(tree), "NUMBA_CACHE_DIR": str(tree / ".numba"), "JAX_PLATFORMS": "cpu",
            "MPLBACKEND": "agg", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
        }  # fmt: skip
        self.process: subprocess.Popen[str] | None = None

    def first_failure(self, chunks: list[list[str]], without: Iterable[str] = (), words: Iterable[str] = ()) -> str:
        """Return the first test that fails, or "".

        Args:
            chunks: lists of tests; one pytest session each, in this order.
            without: tests that are left out.
            words: more for pytest's command line.
        """
        if self.process is None or self.process.poll() is not None:
            command = [sys.executable, __file__]
            self.process = subprocess.Popen(
                command, cwd=self.tree, env=self.environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        assert self.process.stdin is not None and self.process.stdout is not None
        words = [*words, *(word for test in sorted(without) for word in ("--deselect", test))]
        for tests in chunks:
            self.process.stdin.write(json.dumps({"tests": tests, "words": words}) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
            if not answer:
                raise RuntimeError(f"the process that runs the tests of {self.tree} has ended")
            if failed := json.loads(answer)["failed"]:
                return str(failed)
        return ""

    def close(self) -> None:
        """End the process."""
        if self.process is not None and self.process.stdin is not None:
            self.process.communicate()


class _Told:
    """pytest plugin: writes what begins and what fails into a pipe."""

    def __init__(self, pipe: int) -> None:
        self.pipe, self.failed = pipe, False

    def say(self, word: str, test: str) -> None:
        os.write(self.pipe, (json.dumps([word, test]) + "\n").encode())

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.say("begins", nodeid)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed and not self.failed:
            self.failed = True
            self.say("failed", report.nodeid)

    pytest_collectreport = pytest_runtest_logreport


def _forked(question: dict[str, Any], pipe: int) -> None:
    """Run the tests until one fails; what happens goes into the pipe."""
    import pytest

    os.setsid()
    log = os.open(".pytest_said", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    for stream in (0, 1, 2):
        os.dup2(log, stream)
    told = _Told(pipe)
    words = ["-n", "0", "-q", "-x", "-p", "no:cacheprovider", "-m", ""]
    words += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # plugins were imported before
    code = pytest.main([*words, *question["words"], *question["tests"]], plugins=[told])
    if code not in (0, 5) and not told.failed:  # no test was reached
        told.say("failed", CONFTEST)
    elif not told.failed:
        told.say("passed", "")


def _answer(question: dict[str, Any]) -> str:
    """Fork, and return the first test that fails or does not end."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _forked(question, write)
        finally:  # a fork must not go on as the process that it left
            os._exit(0)
    os.close(write)
    failed, passed, test, left = "", False, "", b""
    until = time.monotonic() + LIMIT
    while not failed:
        if not select.select([read], [], [], max(0.0, until - time.monotonic()))[0]:
            failed = test or question["tests"][0]
            break
        block = os.read(read, 65536)
        *lines, left = (left + block).split(b"\n")
        for word, about in map(json.loads, lines):
            until, test = time.monotonic() + LIMIT, about
            failed, passed = failed or (about if word == "failed" else ""), passed or word == "passed"
        if not block and not passed:
            failed = failed or test or question["tests"][0]  # it crashed
        if not block or passed:
            break
    os.close(read)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return failed


def main() -> None:
    """Import, then answer line by line."""
    warnings.simplefilter("ignore")
    sys.path[0] = os.getcwd()  # the tree, instead of this script's folder
    sys.dont_write_bytecode = False
    plugins = [one.module for one in importlib.metadata.entry_points(group="pytest11")]
    for name in (*PRELOADED, *plugins):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    assert not any(name.split(".")[0] in ("lindyn", "tests") for name in sys.modules)
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        print(json.dumps({"failed": _answer(json.loads(line))}), flush=True)


if __name__ == "__main__":
    main()
