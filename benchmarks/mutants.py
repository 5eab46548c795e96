"""Damage one line at a time and run the tests that reach it: which damages do the tests see?

    python benchmarks/mutants.py map                 which test reaches which line, into mutants_map.json
    python benchmarks/mutants.py run --sample 300 --seed 7 --json benchmarks/results/mutants.json
    python benchmarks/mutants.py again --sample 40   the first of the recorded damages, by the tests that saw them

`damages.py` says what a damage is. Those that change nothing that can be seen stand with the reason in
results/mutants_equivalent.toml. Each runs in a copy of the tree, cheapest tests first.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from damages import ROOT, Damage, sample

HERE = Path(__file__).resolve().parent
MAP = HERE / "mutants_map.json"
TESTS = ("tests/equations", "tests/theory", "tests/flows", "tests/predictors", "tests/test_observables.py",
         "tests/test_statistics.py", "tests/test_moments.py", "tests/test_conversions.py", "tests/test_verification.py",
         "tests/test_verification_rest.py", "tests/test_verify_by_value.py", "tests/test_states.py", "tests/normalised",
         "tests/solve", "tests/lanes", "tests/proofs", "tests/test_statement_map.py",
         "tests/bridge/validation/test_laws_directions.py", "tests/bridge/validation/test_laws_rates.py",
         "tests/bridge/validation/test_laws_trained.py", "tests/bridge/validation/test_laws_verdicts.py",
         "tests/bridge/validation/test_theories_told.py", "tests/bridge/validation/test_growth.py",
         "tests/bridge/validation/test_by_hand.py", "tests/bridge/test_collapse_words.py", "tests/phase",
         "tests/sweeps",
         "tests/test_hyperparameters.py", "tests/test_shape_checks.py")  # fmt: skip
"""Tests whose reach is mapped: all but those of the command line, of checkpoints, of training and of pictures."""
STRIDE = 20  # damages between two writings of the record
BUDGET = 90.0  # seconds of tests, as they took when the map was made, that a damage is given to be seen


LAST = {
    "lindyn/equations": ["tests/proofs/test_statements.py::test_statement_is_proved", "tests/lanes/test_accuracy.py"],
    "lindyn/theory": ["tests/proofs/test_shipped.py", "tests/proofs/test_statements.py::test_statement_is_proved"],
    "lindyn/solve/lanes": ["tests/lanes"],
    "lindyn/bridge/laws": sorted(str(path) for path in Path("tests/bridge/validation").glob("test_laws_*.py")),
    "lindyn/flows/from_settings": ["tests/cli/test_simulate.py", "tests/golden/test_golden.py"],
}
"""What runs after the tests that were seen to reach a line, and where none was: proofs, compiled loops, networks."""


def reaching(damage: Damage, reach: dict[str, Any]) -> list[str]:
    """Return the tests that reach the line, two of each file first, then the cheapest, then `LAST`."""
    lines, seconds = reach["lines"].get(damage.file, {}), reach["seconds"]
    tests = lines.get(str(damage.line)) or sorted({test for each in lines.values() for test in each})
    ordered, seen, spent, chosen = [], defaultdict(int), 0.0, list[str]()
    for test in sorted(tests, key=lambda name: seconds[name]):
        seen[test.split("::")[0]] += 1
        ordered.append((seen[test.split("::")[0]] > 2, seconds[test], test))
    for _, took, test in sorted(ordered):
        if spent + took <= BUDGET or not chosen:
            chosen.append(test)
            spent += took
    return chosen + [test for start, more in LAST.items() if damage.file.startswith(start) for test in more]


def try_one(damage: Damage, tests: list[str], tree: Path) -> dict[str, Any]:
    """Run tests on the damaged copy; return the damage, what came of it, and the test that saw it."""
    path, begun = tree / damage.file, time.monotonic()
    lines = (ROOT / damage.file).read_text(encoding="utf-8").splitlines()
    lines[damage.line - 1] = damage.after
    status, by = ("survived", "") if tests else ("not reached", "")
    known = [test for test in tests if "::test" in test and test.count("::") == 1 and "test_statement_is" not in test]
    for chunk in (known[:8], known[8:60], known[60:], *([test] for test in tests if test not in known)):
        while chunk and status == "survived":
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
            failed = first_failure(chunk, tree)
            shutil.copy(ROOT / damage.file, path)
            if not failed:
                break
            if failed not in SOUND and first_failure([failed], tree):  # it fails undamaged too: it has seen nothing
                UNSOUND.add(failed)
                continue
            SOUND.add(failed)
            status, by = "killed", failed
    return {**asdict(damage), "key": damage.key, "status": status, "by": by, "tests": len(tests),
            "seconds": round(time.monotonic() - begun, 1)}  # fmt: skip


SOUND: set[str] = set()
UNSOUND: set[str] = set()
"""Tests that were seen to pass, or to fail, on the undamaged tree."""


def first_failure(tests: list[str], tree: Path) -> str:
    """Return the first of these tests that fails on a tree, or an empty string; one that does not end has failed."""
    command = [sys.executable, "-m", "pytest", "-n", "0", "-q", "-x", "-p", "no:cacheprovider", "-m", "", *tests]
    command += [word for test in UNSOUND - set(tests) for word in ("--deselect", test)]
    try:
        out = subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=4 * BUDGET, check=False,
                             env=_environment(tree))  # fmt: skip
    except subprocess.TimeoutExpired:
        return tests[0]
    if out.returncode in (0, 5):
        return ""
    said = [line.partition(" ")[2] for line in out.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    named = [line.split(" - ")[0] for line in said]
    return named[0] if named else tests[0]


def _environment(tree: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    return {**kept, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1", "NUMBA_CACHE_DIR": str(tree / ".numba")}


def copied(folder: Path) -> Path:
    """Return a copy of the tree in a folder."""
    skip = shutil.ignore_patterns(".git", "*.pyc", "__pycache__", "lindyn-out", ".mypy_cache", ".ruff_cache")
    return Path(shutil.copytree(ROOT, folder, ignore=skip, dirs_exist_ok=True))


def run(chosen: list[tuple[Damage, list[str]]], workers: int = 1) -> list[dict[str, Any]]:
    """Try every damage, each worker in a copy of its own, and print what comes of it."""
    known = tomllib.loads((HERE / "results" / "mutants_equivalent.toml").read_text(encoding="utf-8"))
    reasons = {one["key"]: one["reason"] for one in known.get("equivalent", [])}
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(workers) as pool:
        trees = [copied(Path(scratch) / str(k)) for k in range(workers)]

        def one(item: tuple[Damage, list[str]]) -> dict[str, Any]:
            if item[0].key in reasons:
                found = {**asdict(item[0]), "key": item[0].key, "status": "equivalent", "by": reasons[item[0].key]}
            else:
                tree = trees.pop()
                found = try_one(*item, tree)
                trees.append(tree)
            print(
                f"{found['status']:11s} {found['file']}:{found['line']} {item[0].after.strip()}   {found['by']}",
                flush=True,
            )
            return found

        return list(pool.map(one, chosen))


def score(results: list[dict[str, Any]]) -> str:
    """Return one line: how many were killed of those that can be seen."""
    count = {
        word: sum(one["status"] == word for one in results)
        for word in ("killed", "survived", "not reached", "equivalent")
    }
    seen = len(results) - count["equivalent"]
    return f"{count['killed']} of {seen} killed ({count['killed'] / max(seen, 1):.1%}); {count}"


def main(argv: list[str] | None = None) -> int:
    """Make the map, run a sample, or run the recorded damages again; 1 if one of those is no longer seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("map", "run", "again"))
    parser.add_argument("--sample", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--tests", nargs="*", default=list(TESTS), help="with map: which tests")
    parser.add_argument("--json", type=Path, default=HERE / "results" / "mutants.json")
    args = parser.parse_args(argv)
    if args.what == "map":
        command = [sys.executable, "-m", "pytest", "-p", "mutants_reach", "-n", "0", "-q", *args.tests]
        paths = {"PYTHONPATH": f"{HERE}:{ROOT}", "MUTANTS_MAP": str(MAP)}
        return subprocess.run(command, cwd=ROOT, env=_environment(ROOT) | paths, check=False).returncode
    if args.what == "again":
        recorded = json.loads(args.json.read_text(encoding="utf-8"))["damages"][: args.sample]
        results = run([placed(one) for one in recorded if one["status"] == "killed"], args.workers)
        print(score(results))
        return int(any(one["status"] != "killed" for one in results))
    reach = json.loads(MAP.read_text(encoding="utf-8"))
    chosen, results = [(damage, reaching(damage, reach)) for damage in sample(args.sample, args.seed)], []
    for at in range(0, len(chosen), STRIDE):
        results += run(chosen[at : at + STRIDE], args.workers)
        told = {"seed": args.seed, "score": score(results), "damages": results}
        args.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(score(results))
    return 0


def placed(recorded: dict[str, Any]) -> tuple[Damage, list[str]]:
    """Return a recorded damage where its line stands now, with the test that saw it."""
    damage = Damage(**{name: recorded[name] for name in ("file", "line", "start", "end", "text", "before")})
    lines = (ROOT / damage.file).read_text(encoding="utf-8").splitlines()
    places = [k + 1 for k, line in enumerate(lines) if line == damage.before]
    if not places:
        raise SystemExit(f"{damage.file} has no line {damage.before.strip()!r} any more; record the sample anew.")
    nearest = min(places, key=lambda line: abs(line - damage.line))
    return Damage(**{**asdict(damage), "line": nearest}), [recorded["by"]]


if __name__ == "__main__":
    sys.exit(main())
