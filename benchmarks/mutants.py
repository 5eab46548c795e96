"""Damage one line at a time and run the tests that reach it: which damages do the tests see?

    python benchmarks/mutants.py map                 which test reaches which line, into mutants_map.json
    python benchmarks/mutants.py run --sample 300 --seed 7 --json benchmarks/results/mutants.json
    python benchmarks/mutants.py survivors --tests tests/test_new.py     those that were left, after tests were written
    python benchmarks/mutants.py again --sample 40   the first of the recorded damages, by the tests that saw them

`damages.py` says what a damage is, `ready_pytest.py` runs the tests. Damages that change nothing that can be seen
stand with the reason in results/mutants_equivalent.toml. Each runs in a copy of the tree, cheapest tests first. A run
that was stopped goes on where it was.
"""

import argparse
import functools
import itertools
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from damages import ROOT, Damage, sample
from ready_pytest import CONFTEST, ReadyPytest

HERE = Path(__file__).resolve().parent
MAP = HERE / "mutants_map.json"
_LAWS = ("edges", "directions", "rates", "trained", "verdicts")
TESTS = ("tests/test_by_definition.py", "tests/test_by_value.py", "tests/test_observables.py",
         "tests/test_statistics.py", "tests/test_moments.py", "tests/test_conversions.py", "tests/test_states.py",
         "tests/test_hyperparameters.py", "tests/test_shape_checks.py", "tests/equations", "tests/theory",
         "tests/flows", "tests/predictors", "tests/normalised",
         *(f"tests/bridge/validation/test_laws_{name}.py" for name in _LAWS),
         "tests/bridge/validation/test_theories_told.py", "tests/bridge/validation/test_growth.py",
         "tests/bridge/validation/test_by_hand.py", "tests/bridge/validation/test_own_laws.py",
         "tests/bridge/validation/test_rates.py", "tests/bridge/validation/test_started.py",
         "tests/bridge/test_collapse_words.py", "tests/cli/test_simulate.py", "tests/test_extensions.py",
         "tests/test_verify_by_value.py", "tests/test_verification.py", "tests/test_verification_rest.py",
         "tests/proofs", "tests/test_statement_map.py", "tests/lanes", "tests/solve", "tests/phase",
         "tests/sweeps")  # fmt: skip
"""Tests whose reach is mapped: all but most of the command line, of checkpoints, of training and of pictures."""
BUDGET = 60.0  # seconds of tests, as they took when the map was made, that a damage is given to be seen
LAST = {
    "lindyn/equations": ["tests/proofs/test_statements.py::test_statement_is_proved", "tests/lanes/test_accuracy.py"],
    "lindyn/theory": ["tests/proofs/test_shipped.py", "tests/proofs/test_statements.py::test_statement_is_proved"],
    "lindyn/solve/lanes": ["tests/lanes", "tests/sweeps/test_sweep_values.py"],
    "lindyn/flows/from_settings": ["tests/cli/test_simulate.py", "tests/golden/test_golden.py"],
}
"""What runs after the tests that were seen to reach a line, and where none was: proofs, compiled loops, commands."""


def reaching(damage: Damage, reach: dict[str, Any]) -> list[list[str]]:
    """Return the tests that reach the line in chunks: two of each file first, then the cheapest, then `LAST`."""
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
    last = [test for start, more in LAST.items() if damage.file.startswith(start) for test in more]
    chunks = [chosen[:8], chosen[8:60], chosen[60:], *([test] for test in last)]
    return [chunk for chunk in chunks if chunk]


class Bench:
    """Copies of the tree, each with a process that runs its tests; damages are tried on them in parallel."""

    def __init__(self, folder: Path, workers: int = 1) -> None:
        self.free = queue.SimpleQueue[ReadyPytest]()
        self.every = [ReadyPytest(copied(folder / str(k))) for k in range(workers)]
        self.sound, self.unsound = set[str](), set[str]()  # tests that were seen to pass, or fail, on undamaged trees
        for ready in self.every:
            self.free.put(ready)

    def __enter__(self) -> "Bench":
        return self

    def __exit__(self, *raised: object) -> None:
        for ready in self.every:
            ready.close()

    def run(self, chosen: list[tuple[Damage, list[list[str]]]], told: Callable[[dict[str, Any]], Any] = print) -> None:
        """Try every damage; `told` gets what came of each, as it comes."""
        with ThreadPoolExecutor(len(self.every)) as pool:
            for found in pool.map(lambda item: self.try_one(*item), chosen):
                told(found)

    def try_one(self, damage: Damage, chunks: list[list[str]]) -> dict[str, Any]:
        """Run tests on the damaged copy; return the damage, what came of it, and the test that saw it."""
        ready, begun = self.free.get(), time.monotonic()
        status, by = ("survived", "") if chunks else ("not reached", "")
        reason = reasons().get(damage.key)
        while chunks and not reason and status == "survived":
            failed = self.seen_by(damage, chunks, ready)
            if not failed:
                break
            if failed in self.sound or self.passes(failed, chunks, ready):
                status, by = "killed", failed
            else:  # it fails undamaged too: it has seen nothing
                self.unsound.add(failed)
                chunks = [left for chunk in chunks if (left := [test for test in chunk if not test.startswith(failed)])]
        self.free.put(ready)
        status, by = ("equivalent", reason) if reason else (status, by)
        return {**asdict(damage), "key": damage.key, "status": status, "by": by,
                "tests": sum(map(len, chunks)), "seconds": round(time.monotonic() - begun, 1)}  # fmt: skip

    def seen_by(self, damage: Damage, chunks: list[list[str]], ready: ReadyPytest) -> str:
        """Return the first test that fails while the line is damaged."""
        path, whole = ready.tree / damage.file, ROOT / damage.file
        lines = whole.read_text(encoding="utf-8").splitlines()
        lines[damage.line - 1] = damage.after
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        stamp = whole.stat().st_mtime + next(STAMPS)  # compiled files are known by size and second
        os.utime(path, (stamp, stamp))
        try:
            return ready.first_failure(chunks, self.unsound)
        finally:
            shutil.copy2(whole, path)

    def passes(self, failed: str, chunks: list[list[str]], ready: ReadyPytest) -> bool:
        """Return whether a test passes on the undamaged tree; of a file that could not be read, whether it can be."""
        if failed == CONFTEST:
            if ready.first_failure(chunks, words=["--collect-only"]):
                raise SystemExit("mutants_map.json names tests that are not there; make it anew.")
            return True
        if not ready.first_failure([[failed]], words=() if "::" in failed else ["--collect-only"]):
            self.sound.add(failed)
        return failed in self.sound


STAMPS = itertools.count(100_000)


@functools.cache
def reasons() -> dict[str, str]:
    """Return why damages change nothing that can be seen."""
    known = tomllib.loads((HERE / "results" / "mutants_equivalent.toml").read_text(encoding="utf-8"))
    return {one["key"]: one["reason"] for one in known.get("equivalent", [])}


def copied(folder: Path) -> Path:
    """Return a copy of the tree in a folder."""
    skip = shutil.ignore_patterns(".git", "__pycache__", "lindyn-out", ".mypy_cache", ".ruff_cache", ".hypothesis")
    return Path(shutil.copytree(ROOT, folder, ignore=skip, dirs_exist_ok=True))


def identity(one: dict[str, Any]) -> tuple[Any, ...]:
    """Return what tells a damage from others of a sample."""
    return one["file"], one["line"], one["start"], one["text"]


class Record:
    """What came of the damages of a sample, written after each."""

    def __init__(self, path: Path, seed: int, damages: list[dict[str, Any]]) -> None:
        self.path, self.seed, self.damages = path, seed, damages
        self.known = {identity(one) for one in damages}

    @classmethod
    def read(cls, path: Path, seed: int | None = None) -> "Record":
        """Return the record of a file; an empty one where there is none or one of another seed."""
        told = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"seed": seed, "damages": []}
        return cls(path, told["seed"], told["damages"]) if seed in (None, told["seed"]) else cls(path, seed, [])

    def add(self, found: dict[str, Any], first: bool = True) -> None:
        """Keep what came of a damage, and say it."""
        place, after = f"{found['file']}:{found['line']}", found["key"].partition(" -> ")[2]
        print(f"{found['status']:11s} {place} {after}   {found['by']}", flush=True)
        self.damages.append(found | {"first_pass": first})
        told = {"seed": self.seed, "score": self.score(), "damages": self.damages}
        self.path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")

    def replace(self, found: dict[str, Any]) -> None:
        """Keep what came of a damage in the second pass, after tests were written."""
        self.damages = [one for one in self.damages if identity(one) != identity(found)]
        self.add(found, first=False)

    def score(self) -> str:
        """Return one line: how many were killed of those that can be seen, at first and after tests were written."""
        words = ("killed", "survived", "not reached", "equivalent")
        count = {word: sum(one["status"] == word for one in self.damages) for word in words}
        seen = max(len(self.damages) - count["equivalent"], 1)
        first = sum(one["status"] == "killed" and one.get("first_pass", True) for one in self.damages)
        return f"{count['killed']} of {seen} killed ({count['killed'] / seen:.1%}), {first} at first; {count}"


def main(argv: list[str] | None = None) -> int:
    """Make the map, run a sample, or run the recorded damages again; 1 if one of those is no longer seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("map", "run", "again", "survivors"))
    parser.add_argument("--sample", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--tests", nargs="*", default=[], help="map: which tests; survivors: new ones, run first")
    parser.add_argument("--json", type=Path, default=HERE / "results" / "mutants.json")
    args = parser.parse_args(argv)
    if args.what == "map":
        command = [sys.executable, "-m", "pytest", "-p", "mutants_reach", "-n", "0", "-q", *(args.tests or TESTS)]
        paths = {"PYTHONPATH": f"{HERE}:{ROOT}", "MUTANTS_MAP": str(MAP)}
        return subprocess.run(command, cwd=ROOT, env=os.environ | paths, check=False).returncode
    record = Record.read(args.json, args.seed) if args.what == "run" else Record.read(args.json)
    with tempfile.TemporaryDirectory() as scratch, Bench(Path(scratch), args.workers) as bench:
        if args.what == "again":
            killed = [one for one in record.damages[: args.sample] if one["status"] == "killed"]
            unseen = list[dict[str, Any]]()
            bench.run([placed(one) for one in killed], lambda one: one["status"] == "killed" or unseen.append(one))
            print(
                f"{len(killed) - len(unseen)} of {len(killed)} still killed", *(one["key"] for one in unseen), sep="\n"
            )
            return int(bool(unseen))
        reach = json.loads(MAP.read_text(encoding="utf-8"))
        if args.what == "run":
            left = [one for one in sample(args.sample, args.seed) if identity(asdict(one)) not in record.known]
            bench.run([(damage, reaching(damage, reach)) for damage in left], record.add)
        else:
            again = [placed(one)[0] for one in record.damages if one["status"] in ("survived", "not reached")]
            new = [args.tests] if args.tests else []
            bench.run([(damage, [*new, *reaching(damage, reach)]) for damage in again], record.replace)
    print(record.score())
    return 0


def placed(recorded: dict[str, Any]) -> tuple[Damage, list[list[str]]]:
    """Return a recorded damage where its line stands now, with the test that saw it."""
    damage = Damage(**{name: recorded[name] for name in ("file", "line", "start", "end", "text", "before")})
    lines = (ROOT / damage.file).read_text(encoding="utf-8").splitlines()
    places = [k + 1 for k, line in enumerate(lines) if line == damage.before]
    if not places:
        raise SystemExit(f"{damage.file} has no line {damage.before.strip()!r} any more; record the sample anew.")
    nearest = min(places, key=lambda line: abs(line - damage.line))
    return Damage(**{**asdict(damage), "line": nearest}), [[recorded["by"]]]


if __name__ == "__main__":
    sys.exit(main())
