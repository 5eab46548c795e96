"""`lindyn reproduce`: draw and check every figure of a paper."""

import argparse
import fnmatch
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lindyn import _files
from lindyn._option_table import OptionTable
from lindyn._options import Option
from lindyn.commands import drawing
from lindyn.commands.flags import add_command
from lindyn.outputs import places

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
  lindyn reproduce draganov2025             norms that grow, cut initialisation, in the linear model (1, 2)
  lindyn reproduce halvagal2023             toy networks, both losses, every ablation, IsoLoss (2, 5, 6)
  lindyn reproduce bao2023                  frozen norms beside the exact flow of the cosine loss (1, 2)
  lindyn reproduce tian2021 --out pictures  another folder
  lindyn reproduce normalised               cosine loss, BatchNorm, depth, finite steps (1 to 5)
  lindyn reproduce gallery                  the sweeps: collapse maps, basins, observations, BYOL's tables
  lindyn reproduce tian2021 --training --list                     tables and figures that can be trained
  lindyn reproduce tian2021 --training --table 3 --seeds 3        Table 3, small: minutes on a laptop
  lindyn reproduce tian2021 --training --figure 6                 alpha_p without EMA, small
  lindyn reproduce draganov2025 --training --table cut            cut initialisation, small
  lindyn reproduce tian2021 --training --table 9 --scale paper --data /data/imagenet

A claim that a derivation shows to be wrong as printed is listed as "fails as printed", with the corrected statement,
and does not count as a failure. Exit codes: 0 every claim came out as expected; 1 one did not, or a figure did not
run; 2 unknown paper or figure, or a folder that cannot be written.
"""


DEFAULT_PAPER = "tian2021"
_TRAINING = "training"
TABLE = OptionTable(
    (
        Option("figure", int, None, "only this figure"),
        Option("out", str, None, "folder for the files (default lindyn-out/PAPER)", metavar="DIR", path=True),
        Option("overwrite", "switch", False, "replace the report of another paper"),
        drawing.FORMAT,
        Option("workers", int, min(2, os.cpu_count() or 1), "processes", low=1),
        Option("training", "switch", False, "train the rows of a table instead of drawing figures", _TRAINING),
        Option("table", "texts", [], "with --training: 3, 5a, fig6, ...; may be repeated", _TRAINING, metavar="T"),
        Option("scale", str, "small", "small (embedded images, CPU), paper (your data), smoke", _TRAINING),
        Option("seeds", int, 3, "runs of each row", _TRAINING, low=1),
        Option("rows", "words", ["*"], "only these rows (claim/name; * matches)", _TRAINING, metavar="NAME"),
        Option("data", str, None, "with --scale paper: folder of the images", _TRAINING, metavar="DIR", path=True),
        Option("ledger", "switch", False, "also write the study file that the ledger reads", _TRAINING),
        Option("list", "switch", False, "list tables and rows with presets, and stop", _TRAINING),
    ),
    titles={_TRAINING: "training studies (needs the extra `train`)"},
)


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    summary = "draw and check the figures of a paper"
    parser = add_command(commands, "reproduce", summary, DESCRIPTION, TABLE, run, epilog=EPILOG, allow_abbrev=True)
    parser.add_argument("paper", nargs="?", help="which paper; with --figure or --training default tian2021")


def run(args: argparse.Namespace) -> int:
    """Reproduce a paper and print the report.

    Returns:
        0 where every claim came out as expected, 1 otherwise.

    Raises:
        ValueError: an unknown paper or figure, or fewer than one worker.
        OSError: the folder cannot be written to.
    """
    alone = args.paper is None and args.figure is None and not args.training
    args.paper = args.paper or DEFAULT_PAPER
    if args.training:
        return train_rows(args)
    if args.table or args.list:
        raise ValueError("--table and --list belong to training studies; add --training.")
    from lindyn import _checks, papers
    from lindyn.papers import figure_claims, figure_scripts, reproduce

    drawn = figure_scripts.papers()
    if alone:
        print(costs(drawn))
        return 0
    out = places.as_folder(args.out or f"lindyn-out/{args.paper}")
    _checks.one_of("paper", args.paper, dict.fromkeys([*papers.PAPERS, *drawn]))
    if args.figure is None and args.paper in papers.PAPERS:
        _check_report(out / "REPORT.md", args.paper, args.overwrite)
    if args.paper not in drawn and args.figure is None:
        out.mkdir(parents=True, exist_ok=True)
        print(f"{args.paper} has no simulation figures; wrote {papers.write_report(args.paper, out / 'REPORT.md')}.")
        return 0
    numbers = figure_scripts.find(args.paper, args.figure)
    seconds = figure_scripts.cost(args.paper, numbers) / min(args.workers, len(numbers))
    print(f"{args.paper}: {len(numbers)} figure{'s' * (len(numbers) > 1)} into {out}{_ahead(seconds)}", flush=True)
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


def costs(drawn: Iterable[str]) -> str:
    """Return what can be reproduced and how long that takes."""
    from lindyn.papers import figure_scripts

    lines = ["Say which paper; times are of one core:"]
    for paper in drawn:
        found = figure_scripts.expected(paper)["figure"]
        seconds = sum(figure.get("cost", 0) for figure in found.values())
        lines.append(f"  lindyn reproduce {paper:<18} {len(found)} figures, about {seconds} s")
    lines += [f"  lindyn reproduce {'--figure 8':<18} one figure of {DEFAULT_PAPER}",
              f"  lindyn reproduce {'--training --list':<18} tables that can be trained"]  # fmt: skip
    return "\n".join(lines)


def _check_report(report: Path, paper: str, overwrite: bool) -> None:
    """Raise ValueError where the folder holds the report of another paper."""
    if overwrite or not report.is_file():
        return
    with report.open(encoding="utf-8", errors="replace") as file:
        title = file.readline().strip()
    if not title.startswith(f"# {paper}:"):
        raise ValueError(f"{report} is another report ({title!r:.60}). Add --overwrite, or choose another --out.")


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


def train_rows(args: argparse.Namespace) -> int:
    """List what can be trained, or train and show.

    Returns:
        0; 130 when it was interrupted (the same command goes on).

    Raises:
        ValueError: an unknown paper, table, row or scale; data that are not there; a study file of another
            configuration.
        OSError: nothing can be written.
        ImportError: a package of the extra `train` is missing.
    """
    from lindyn.commands.train import require_training

    require_training()
    from lindyn import _checks
    from lindyn.bridge.studies import table_presets

    names = [*args.table, *([f"fig{args.figure}"] if args.figure is not None else [])]
    _checks.one_of("--scale", args.scale, table_presets.SCALES)
    if args.list:
        print(listing(args.paper, names, args.rows))
        return 0
    known = table_presets.tables(args.paper)
    if not names or (args.figure is not None and names[-1] not in known):
        raise ValueError(f"Say which table: --table T or --figure N. There are {', '.join(known)}.")
    return _study(args, names)


def _study(args: argparse.Namespace, names: list[str]) -> int:
    from lindyn.bridge.studies import table_presets
    from lindyn.bridge.studies.training_study import Study, run_all
    from lindyn.bridge.training.callbacks import TrainingStopped

    out = places.as_folder(args.out or "lindyn-out/training")
    changes = {"data__root": args.data} if args.data else {}
    plans = []
    for name in names:
        table = table_presets.table(args.paper, name)
        plans.append(Study(table, args.scale, chosen(table, args.scale, args.rows), args.seeds, out, changes))
    count = len({job.key for plan in plans for job in plan.jobs()})
    seconds = count * max(map(_seconds, plans)) / (1 if args.scale == "paper" else args.workers)
    print(f"{args.paper}: {count} runs at scale {args.scale} into {out}{_ahead(seconds)}", flush=True)
    try:
        run_all(plans, 1 if args.scale == "paper" else args.workers, Told())
    except (TrainingStopped, KeyboardInterrupt) as stop:
        print(
            f"lindyn: {stop or 'Interrupted; everything finished is kept. The same command goes on.'}", file=sys.stderr
        )
        return 130
    for plan in plans:
        finish(plan, args.ledger)
    return 0


def _ahead(seconds: float) -> str:
    """Return how long it will take, in words, if that is minutes."""
    from lindyn._progress import LONG, duration

    return f"; about {duration(seconds).strip()}" if seconds >= LONG else ""


def _seconds(plan: Any) -> float:
    """Return what a run of a table took where its study was made; 0 where there is none at this scale."""
    from lindyn import papers
    from lindyn.papers import study_files

    path = papers.folder(plan.table.paper) / "studies" / f"{plan.table.name}-{plan.scale}.json"
    if not path.is_file():
        return 0.0
    took = [one["seconds"] for row in study_files.read(path)["rows"] for one in row["runs"] if one.get("seconds")]
    return sum(took) / len(took) if took else 0.0


def chosen(table: Any, scale: str, wanted: list[str]) -> tuple[Any, ...]:
    """Return the rows of a table at a scale whose id or name matches one of the patterns.

    Raises:
        ValueError: nothing matches.
    """
    rows = tuple(
        row
        for row in table.at(scale)
        if any(fnmatch.fnmatchcase(part, w) for w in wanted for part in (row.id, row.name))
    )
    if not rows:
        known = ", ".join(repr(row.id) for row in table.at(scale)) or f"none at scale {scale}"
        raise ValueError(f"No row of {table.name} matches {' '.join(wanted)}; there are {known}.")
    return rows


def finish(plan: Any, ledger: bool) -> None:
    """Print the table of a study, draw its picture, and write the ledger's copy where asked."""
    from lindyn import papers
    from lindyn.papers import prediction_record, study_files
    from lindyn.plotting import study_pictures as pictures
    from lindyn.plotting import style

    content = plan.content()
    print("\n" + study_files.text(content, study_files.others(plan.out)))
    if record := prediction_record.markdown(content):
        print("\n" + record)
    written = [plan.path]
    picture = pictures.study(content)
    if picture is not None:
        written.append(plan.path.with_suffix(".png"))
        style.write(picture, written[-1], "png")
    if ledger:
        path = papers.folder(plan.table.paper) / "studies" / f"{plan.table.name}-{plan.scale}.json"
        _files.write_json(path, study_files.slim(content))
        written.append(path)
    print("wrote " + ", ".join(map(str, written)))


def listing(paper: str, names: list[str], wanted: list[str]) -> str:
    """Return the tables of a paper that have presets, or the wanted rows of those named, with what the paper prints."""
    from lindyn.bridge.studies import table_presets

    lines = []
    for name in names or table_presets.tables(paper):
        table = table_presets.table(paper, name)
        lines.append(f"{table.name:<11} {table.title} ({table.source}; {len(table.rows)} rows)")
        for row in chosen(table, "paper", wanted) if names else ():
            printed = "-" if row.printed is None else f"{row.printed:g}"
            only = "  (scale paper only)" if row.only else ""
            lines.append(f"  {row.id:<44} printed {printed:<8} {row.text}{only}")
    return "\n".join(lines)


class Told:
    """Prints a line per finished run."""

    def __init__(self) -> None:
        self.start = time.monotonic()

    def __call__(self, job: Any, found: dict[str, Any], done: int, count: int) -> None:
        """Print the line."""
        linear = found.get("linear")
        what = "diverged" if "error" in found else str(found.get("alarm", ""))
        what = what if linear is None else f"linear {100 * linear:.1f} %  {what}"
        if told := found.get("prediction"):
            what += f"  effective rank {told['measured_rank']:.2f}, predicted {told['surrogate']['rank']:.2f}"
        minutes = (time.monotonic() - self.start) / 60
        print(
            f"  {done}/{count}  {job.row.table} {job.row.id}, seed {job.seed}: {what}  ({minutes:.1f} min)", flush=True
        )
