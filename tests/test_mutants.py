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
    for name in ("damages", "mutants"):
        sys.modules.pop(name, None)


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
def test_recorded_damages_are_still_seen(tool):
    """Each by the test that saw it when the sample was recorded, in a copy of the tree."""
    _, mutants = tool
    recorded = json.loads((BENCHMARKS / "results" / "mutants.json").read_text(encoding="utf-8"))["damages"]
    chosen = [mutants.placed(one) for one in fixed_sample(recorded)]
    assert len(chosen) == SAMPLE
    unseen = [one["key"] for one in mutants.run(chosen, workers=2) if one["status"] != "killed"]
    assert unseen == []


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
@pytest.mark.parametrize(("file", "old", "new", "tests"), NAMED)
def test_a_damage_that_once_passed_is_seen(tool, tmp_path, file, old, new, tests):
    _, mutants = tool
    source = (mutants.ROOT / file).read_text(encoding="utf-8")
    assert old in source, f"{file} has no {old!r} any more"
    tree = mutants.copied(tmp_path / "tree")
    (tree / file).write_text(source.replace(old, new), encoding="utf-8")
    assert mutants.first_failure([tests], tree)
