"""The tool that damages lines: what it damages, and that the recorded damages are still seen."""

import collections
import importlib
import json
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SAMPLE = 40


@pytest.fixture(scope="module")
def tool():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield importlib.import_module("damages"), importlib.import_module("mutants")
    for name in ("damages", "mutants", "ready_pytest"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def bench(tool, tmp_path_factory):
    """Two copies of the tree and the processes that run their tests, for every damage of this file."""
    _, mutants = tool
    with mutants.Bench(tmp_path_factory.mktemp("trees"), workers=2) as bench:
        yield bench


def test_what_is_damaged(tool, tmp_path, monkeypatch):
    damages, _ = tool
    monkeypatch.setattr(damages, "ROOT", tmp_path)
    path = tmp_path / "one.py"
    path.write_text(
        '"""Text with 3 - 2."""\n\n\ndef f(x: int = 1, eta_p=2.0) -> "a - b":\n'
        '    if not x < 3 and eta_p == 1e-9:\n        raise ValueError(f"{x - 1}")\n'
        "    return min(-x * 0, 2)  # 4 - 4\n"
    )
    found = {(one.line, one.after.strip()) for one in damages.damages(path)}
    assert found == {
        (4, 'def f(x: int = 2, eta_p=2.0) -> "a - b":'), (4, 'def f(x: int = 1, eta_p=4.0) -> "a - b":'),
        (5, "if not x < 3 or eta_p == 1e-9:"), (5, "if not x < 3 and eta_p != 1e-9:"),
        (5, "if not x >= 3 and eta_p == 1e-9:"), (5, "if not x < 6 and eta_p == 1e-9:"),
        (5, "if x < 3 and eta_p == 1e-9:"), (5, "if not x_aug < 3 and eta_p == 1e-9:"),
        (5, "if not x < 3 and eta_s == 1e-9:"), (7, "return max(-x * 0, 2)  # 4 - 4"),
        (7, "return min(x * 0, 2)  # 4 - 4"), (7, "return min(-x / 0, 2)  # 4 - 4"),
        (7, "return min(-x * 1, 2)  # 4 - 4"),
        (7, "return min(-x * 0, 4)  # 4 - 4"), (7, "return min(-x_aug * 0, 2)  # 4 - 4"),
    }  # fmt: skip


def test_a_sample_is_that_of_its_seed_and_reaches_every_area(tool):
    damages, _ = tool
    one, two, other = (damages.sample(120, seed) for seed in (3, 3, 4))
    assert one == two != other
    for area in damages.AREAS:
        assert any(damage.file.startswith(f"lindyn/{area}") for damage in one), area


def fixed_sample(recorded):
    """Return 40 of the recorded damages that were seen: in turns over the folders, those seen soonest first."""
    by = collections.defaultdict(list)
    for one in sorted(recorded, key=lambda one: one["seconds"]):
        if one["status"] == "killed" and "::" in one["by"]:
            by["/".join(one["file"].split("/")[:2])].append(one)
    turns = [group[k] for k in range(SAMPLE) for group in by.values() if k < len(group)]
    return turns[:SAMPLE]


@pytest.mark.slow
def test_recorded_damages_are_still_seen(tool, bench):
    """Each by the test that saw it when the sample was recorded, in a copy of the tree."""
    _, mutants = tool
    recorded = json.loads((BENCHMARKS / "results" / "mutants.json").read_text(encoding="utf-8"))["damages"]
    chosen, found = [mutants.placed(one) for one in fixed_sample(recorded)], []
    assert len(chosen) == SAMPLE
    bench.run(chosen, found.append)
    assert [one["key"] for one in found if one["status"] != "killed"] == []


VALUE, HISTORY = "tests/test_verify_by_value.py", "tests/lanes/test_history.py"
CRITICAL, MATRIX = "lindyn/verification/critical.py", "lindyn/verification/matrix_checks.py"
NAMED = [  # damages that tests once let pass
    ("lindyn/observables.py", "hp.eta_p, hp.eta_s, flow.x", "hp.eta_s, hp.eta_p, flow.x", VALUE),
    ("lindyn/flows/per_mode.py", "self.hp.eta_p, self.hp.eta_s,", "self.hp.eta_s, self.hp.eta_p,", VALUE),
    (CRITICAL, "top_share(traj.flow) / 4", "top_share(traj.flow) / 2", VALUE),
    (MATRIX, "pair = values[:, 0] + values[:, 1]", "pair = 2 * values[:, 0]", VALUE),
    (MATRIX, "traj.ts, size, lowest, lowest > 0)", "traj.ts, size, lowest / 2, lowest > 0)", VALUE),
    (MATRIX, "traj.ts, size, 2 * lowest, lowest", "traj.ts, size, 2.1 * lowest, lowest", VALUE),
    (CRITICAL, "rate = 2 * (float(flow.hp.eta_s)", "rate = 2 * (float(flow.hp.eta_p)", VALUE),
    (CRITICAL, "beta * online + weight * target", "beta * online + target", VALUE),
    ("lindyn/solve/lanes/kernel.py", "math.exp(-w[at.ETA_P", "math.exp(-w[at.ETA_S", HISTORY),
]  # fmt: skip


@pytest.mark.slow
def test_damages_that_once_passed_are_seen(tool, bench):
    damages, mutants = tool
    chosen = []
    for file, old, new, tests in NAMED:
        lines = (mutants.ROOT / file).read_text(encoding="utf-8").splitlines()
        places = [k for k, line in enumerate(lines) if old in line]
        assert places, f"{file} has no {old!r} any more"
        line, start = lines[places[0]], lines[places[0]].index(old)
        chosen.append((damages.Damage(file, places[0] + 1, start, start + len(old), new, line), [[tests]]))
    found = []
    bench.run(chosen, found.append)
    assert [one["key"] for one in found if one["status"] != "killed"] == []


def ready_tree(folder, tests):
    """A tree of one test file and no package."""
    (folder / "tests").mkdir()
    (folder / "tests" / "test_one.py").write_text(tests, encoding="utf-8")
    return folder


@pytest.mark.slow
def test_what_the_ready_process_answers(tool, tmp_path):
    """The first failure, none, a file that cannot be read, a test that is not there, a crash: silence is no pass."""
    ready_pytest = importlib.import_module("ready_pytest")
    tests = (
        "import os\n\n\ndef test_a():\n    pass\n\n\ndef test_b():\n    assert 0\n\n\ndef test_c():\n    os._exit(0)\n"
    )
    ready = ready_pytest.ReadyPytest(ready_tree(tmp_path, tests))
    a, b, c = (f"tests/test_one.py::test_{letter}" for letter in "abc")
    assert ready.first_failure([[a]]) == ""
    assert ready.first_failure([[a], [a, b]]) == b
    assert ready.first_failure([["tests/test_one.py"]], without=[b]) == c
    assert ready.first_failure([[f"{a}_that_is_not_there"]]) == ready_pytest.CONFTEST
    (tmp_path / "tests" / "test_one.py").write_text("import nothing_of_the_kind\n", encoding="utf-8")
    assert ready.first_failure([[a]]) == "tests/test_one.py"
    ready.close()
