"""Write the golden answers anew and print what changed: `python tests/golden/regenerate.py [case or pattern ...]`.

What is the same to a case's tolerance keeps its digits. With --check nothing is written; with --times the seconds of
every case are printed. Answers are made on one thread.
"""

import argparse
import fnmatch
import os
import sys
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "agg")
sys.path[0] = str(Path(__file__).parents[2])  # the tree, not this folder: its files would stand in for packages

from tests.golden import record  # noqa: E402
from tests.golden.cases import CASES, LIKES  # noqa: E402
from tests.golden.compare import differences, merged, told  # noqa: E402
from tests.golden.run import Case, run  # noqa: E402
from tests.golden.shorter import Section  # noqa: E402


def main(argv: list[str] | None = None) -> int:
    """Run the cases that are asked for; 1 if --check found a difference, else 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("patterns", nargs="*", metavar="CASE", help="names of cases, with * (default: all)")
    parser.add_argument("--check", action="store_true", help="compare only")
    parser.add_argument("--times", action="store_true", help="print the seconds of every case")
    args = parser.parse_args(argv)
    wanted = args.patterns or ["*"]
    chosen = [case for case in CASES.values() if any(fnmatch.fnmatchcase(case.name, word) for word in wanted)]
    if not chosen:
        parser.error(f"no case matches {' '.join(wanted)}; there are {', '.join(CASES)}")
    record.ANSWERS.mkdir(exist_ok=True)
    changed = [case.name for case in chosen if _one(case, args)]
    print(f"{len(changed)} of {len(chosen)} answers differ{'' if args.check else ' and were written'}.")
    if not args.patterns and not args.check:
        _remove_others()
        record.MADE_WITH.write_text(record.made_with(), encoding="utf-8")
    if changed and record.other_versions():
        print(record.other_versions())
    return 1 if changed and args.check else 0


def _one(case: Case, args: argparse.Namespace) -> bool:
    start, cpu = time.monotonic(), time.process_time()
    before, after = record.kept(case.name, LIKES), run(case)
    found = differences(case.sure(before), after, case.rel, case.floor)
    if found and not args.check:
        _write(case, merged(before, after, case.rel, case.floor))
    if args.times:
        print(f"{time.monotonic() - start:6.1f} s, {time.process_time() - cpu:6.1f} s of CPU  {case.name}", flush=True)
    if found:
        print(told(case.name, found) if before else f"{case.name}: new", flush=True)
    return bool(found)


def _write(case: Case, answer: list[Section]) -> None:
    """Write an answer, and those beside it anew: they hold only what differs from it."""
    beside = [(other, record.kept(other.name, LIKES)) for other in CASES.values() if other.like == case.name]
    text = record.as_text(answer, record.kept(case.like, LIKES))
    record.path_of(case.name).write_text(text, encoding="utf-8")
    for other, whole in beside:
        if whole:
            record.path_of(other.name).write_text(record.as_text(whole, answer), encoding="utf-8")


def _remove_others() -> None:
    for path in record.ANSWERS.glob("*.txt"):
        if path.stem not in CASES:
            path.unlink()
            print(f"{path.stem}: removed, no such case")


if __name__ == "__main__":
    sys.exit(main())
