"""`lindyn reproduce`: draw and check every figure of a paper."""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

from lindyn.commands import reproduce_training

DESCRIPTION = """\
Draw every simulation figure of a paper and check what its caption claims.

Each figure is computed with lindyn, its claims are checked, and only then it is drawn. The folder gets, per figure,
the picture (.png, .pdf), the numbers behind it (.npz) and its claims with all parameters (.json). REPORT.md lists every
claim of the paper with its proof or measurement. The table at the end lists claim, measured value and verdict, and the
values chosen where the paper prints none.

With --training the rows of a printed table are trained instead, at the paper's scale or small (embedded images, CPU),
and shown beside the printed numbers and the linear theory's prediction. What is finished is not run again.
"""
EPILOG = """\
examples:
  lindyn reproduce tian2021                 all figures (3, 4, 5, 7, 8, 9, 10) into ./lindyn-out/tian2021
  lindyn reproduce tian2021 --figure 8      one figure
  lindyn reproduce richemond2023            claims 1, 2, 3, 8, 9, 10 in the linear model, and every rule (1 to 6)
  lindyn reproduce tian2021 --out pictures  another folder
  lindyn reproduce gallery                  the sweeps: collapse maps, basins, observations, BYOL's tables
  lindyn reproduce tian2021 --training --list                     tables and figures that can be trained
  lindyn reproduce tian2021 --training --table 3 --seeds 3        Table 3, small: minutes on a laptop
  lindyn reproduce tian2021 --training --figure 6                 alpha_p without EMA, small
  lindyn reproduce tian2021 --training --table 9 --scale paper --data /data/imagenet

A claim that a derivation shows to be wrong as printed is listed as "fails as printed", with the corrected statement,
and does not count as a failure. Exit codes: 0 every claim came out as expected; 1 one did not, or a figure did not
run; 2 unknown paper or figure, or a folder that cannot be written.
"""


def add_parser(subparsers: Any) -> None:
    """Add `reproduce` to the command line."""
    parser = subparsers.add_parser(
        "reproduce",
        help="draw and check the figures of a paper",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paper", nargs="?", default="tian2021", help="which paper (default tian2021)")
    parser.add_argument("--figure", type=int, metavar="N", help="only this figure")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for the files (default lindyn-out/PAPER)")
    parser.add_argument(
        "--workers", type=int, default=min(2, os.cpu_count() or 1), metavar="N", help="processes (default %(default)s)"
    )
    reproduce_training.add_arguments(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Reproduce a paper and print the report.

    Returns:
        0 where every claim came out as expected, 1 otherwise.

    Raises:
        ValueError: an unknown paper or figure, or fewer than one worker.
        OSError: the folder cannot be written to.
    """
    if args.workers < 1:
        raise ValueError(f"--workers must be at least 1; got {args.workers}.")
    if args.training:
        return reproduce_training.run(args)
    if args.table or args.list:
        raise ValueError("--table and --list belong to training studies; add --training.")
    from lindyn import _checks, papers
    from lindyn.papers import figure_claims, figure_scripts, reproduce

    out = Path("lindyn-out") / args.paper if args.out is None else args.out
    drawn = figure_scripts.papers()
    _checks.one_of("paper", args.paper, dict.fromkeys([*papers.PAPERS, *drawn]))
    if args.paper not in drawn and args.figure is None:
        out.mkdir(parents=True, exist_ok=True)
        print(f"{args.paper} has no simulation figures; wrote {papers.write_report(args.paper, out / 'REPORT.md')}.")
        return 0
    numbers = figure_scripts.find(args.paper, args.figure)
    print(f"{args.paper}: {len(numbers)} figure{'s' * (len(numbers) > 1)} into {out}", flush=True)
    display = Display(len(numbers))
    try:
        results = reproduce(args.paper, args.figure, out, workers=args.workers, watch=display)
    finally:
        display.wipe()
    if args.figure is None and args.paper in papers.PAPERS:  # the gallery is no paper and has no ledger
        print("  proving the paper's statements for the report ...", flush=True)
        figures = {result.number: result for result in results}
        print(f"  wrote {papers.write_report(args.paper, out / 'REPORT.md', figures)}: every claim of the paper")
    print("\n" + figure_claims.report(results))
    print(f"{sum(len(result.files) for result in results)} files in {out}; {display.elapsed():.0f} s.")
    if getattr(args, "debug", False):
        print("".join(result.trace for result in results), end="", file=sys.stderr)
    return 0 if all(result.as_expected for result in results) else 1


class Display:
    """One line per finished figure; on a terminal, below them, a line that lives.

    Args:
        total: number of figures.
    """

    def __init__(self, total: int) -> None:
        self.total, self.shown, self.start = total, 0, time.monotonic()
        self.live = sys.stdout.isatty()
        self.width = 0

    def __call__(self, running: list[int], results: list[Any]) -> None:
        """Show the figures that have finished since the last call, and those that are running."""
        for result in results[self.shown :]:
            self.wipe()
            print(_line(result), flush=True)
        self.shown = len(results)
        if self.live and running:
            figures = ", ".join(f"Fig. {number}" for number in running)
            text = f"  {self.shown} of {self.total} done; running {figures} ({self.elapsed():.0f} s)"
            self.width = max(self.width, len(text))
            print("\r" + text.ljust(self.width), end="", flush=True)

    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.start

    def wipe(self) -> None:
        """Clear the living line."""
        if self.live and self.width:
            print("\r" + " " * self.width + "\r", end="", flush=True)


def _line(result: Any) -> str:
    if result.error:
        outcome = "did not run: " + (result.error if len(result.error) < 90 else result.error[:87] + "...")
    elif result.as_expected:
        outcome = f"{len(result.claims)} claims as expected"
    else:
        wrong = sum(not claim.as_expected for claim in result.claims)
        outcome = f"{wrong} of {len(result.claims)} claims NOT as expected; no picture was drawn"
    picture = next((path.name for path in result.files if path.suffix == ".png"), "")
    return f"  Fig. {result.number:<3} {result.seconds:5.1f} s  {outcome}  {picture}".rstrip()
