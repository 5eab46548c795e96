"""Which test reaches which line of the files that `mutants.py` damages: a pytest plugin that writes the map.

    PYTHONPATH=benchmarks:. python -m pytest -p mutants_reach -n 0 TESTS      (what `mutants.py map` runs)

What numba compiles is not seen line by line; a line that no test was seen to reach counts as reached by every test
that reaches the file.
"""

import json
import os
import sys
import time
from collections import defaultdict
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

ROOT = str(Path(__file__).resolve().parent.parent) + os.sep
reached: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
seconds: dict[str, float] = {}


def _targets() -> tuple[str, ...]:
    from damages import AREAS

    return tuple(f"{ROOT}lindyn{os.sep}{name}" for name in AREAS)


class _Tracer:
    """Lines of the targets that the test in hand reaches."""

    def __init__(self) -> None:
        self.known: dict[Any, bool] = {}
        self.targets, self.lines = _targets(), set[tuple[str, int]]()

    def __call__(self, frame: FrameType, event: str, arg: Any) -> Any:
        code = frame.f_code
        wanted = self.known.get(code)
        if wanted is None:
            wanted = self.known[code] = code.co_filename.startswith(self.targets)
        return self._line if wanted else None

    def _line(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "line":
            self.lines.add((frame.f_code.co_filename, frame.f_lineno))
        return self._line


TRACER = _Tracer()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: Any, nextitem: Any) -> Any:
    """Trace one test with its fixtures; write the map where a file of tests ends."""
    TRACER.lines = set()
    begun = time.perf_counter()
    sys.settrace(TRACER)
    try:
        return (yield)
    finally:
        sys.settrace(None)
        seconds[item.nodeid] = round(time.perf_counter() - begun, 3)
        for file, line in TRACER.lines:
            reached[file.removeprefix(ROOT)][line].add(item.nodeid)
        if nextitem is None or nextitem.path != item.path:
            _write()


def _write() -> None:
    """Write the map beside what is there of other sessions."""
    path = Path(os.environ["MUTANTS_MAP"])
    kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"seconds": {}, "lines": {}}
    kept["seconds"] |= seconds
    for file, lines in reached.items():
        into = kept["lines"].setdefault(file, {})
        for line, tests in lines.items():
            into[str(line)] = sorted({*into.get(str(line), []), *tests})
    path.write_text(json.dumps(kept), encoding="utf-8")
