"""Which test reaches which line of the files that `mutants.py` damages: a pytest plugin that writes the map.

    PYTHONPATH=benchmarks:. python -m pytest -p mutants_reach -n 0 TESTS      (what `mutants.py map` runs)

What numba compiles is not seen line by line; a line that no test was seen to reach counts as reached by every test
that reaches the file.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

import coverage
import pytest
from damages import AREAS, ROOT

COVERAGE = coverage.Coverage(
    data_file=None,
    config_file=False,
    include=[str(ROOT / "lindyn" / (area if area.endswith(".py") else f"{area}/*")) for area in AREAS],
)
seconds: dict[str, float] = {}


def pytest_configure() -> None:
    COVERAGE.start()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: Any, nextitem: Any) -> Any:
    """Watch one test with its fixtures; write the map where a file of tests ends."""
    COVERAGE.switch_context(item.nodeid)
    begun = time.perf_counter()
    try:
        return (yield)
    finally:
        seconds[item.nodeid] = round(time.perf_counter() - begun, 3)
        COVERAGE.switch_context("")
        if nextitem is None or nextitem.path != item.path:
            _write()


def _write() -> None:
    """Write the map beside what is there of other sessions."""
    path = Path(os.environ["MUTANTS_MAP"])
    kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"seconds": {}, "lines": {}}
    kept["seconds"] |= seconds
    data = COVERAGE.get_data()
    for file in data.measured_files():
        into = kept["lines"].setdefault(Path(file).relative_to(ROOT).as_posix(), {})
        for line, tests in data.contexts_by_lineno(file).items():
            into[str(line)] = sorted({*into.get(str(line), []), *tests} - {""})
    path.write_text(json.dumps(kept), encoding="utf-8")
