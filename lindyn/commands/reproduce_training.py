"""`lindyn reproduce PAPER --training`: train the rows of a printed table, and show them beside the print."""

import argparse
import fnmatch
import sys
import time
from pathlib import Path
from typing import Any


def add_arguments(parser: Any) -> None:
    """Add the flags of training studies to `lindyn reproduce`."""
    group = parser.add_argument_group("training studies (needs the extra `train`)")
    group.add_argument("--training", action="store_true", help="train the rows of a table instead of drawing figures")
    group.add_argument(
        "--table", action="append", default=[], metavar="T", help="with --training: 3, 5a, fig6, ...; may be repeated"
    )
    group.add_argument("--scale", default="small", help="small (embedded images, CPU), paper (your data), smoke")
    group.add_argument("--seeds", type=int, default=3, metavar="N", help="runs of each row (default %(default)s)")
    group.add_argument(
        "--rows", nargs="+", default=["*"], metavar="NAME", help="only these rows (claim/name; * matches)"
    )
    group.add_argument("--data", metavar="DIR", help="with --scale paper: folder of the images")
    group.add_argument("--ledger", action="store_true", help="also write the study file that the ledger reads")
    group.add_argument("--list", action="store_true", help="list tables and rows with presets, and stop")


def run(args: argparse.Namespace) -> int:
    """List, or train and show.

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
    if args.seeds < 1:
        raise ValueError(f"--seeds must be at least 1; got {args.seeds}.")
    return _study(args, names)


def _study(args: argparse.Namespace, names: list[str]) -> int:
    from lindyn.bridge.studies import table_presets
    from lindyn.bridge.studies.training_study import Study, run_all
    from lindyn.bridge.training.callbacks import TrainingStopped

    out = Path("lindyn-out/training") if args.out is None else args.out
    changes = {"data__root": args.data} if args.data else {}
    plans = []
    for name in names:
        table = table_presets.table(args.paper, name)
        plans.append(Study(table, args.scale, chosen(table, args.scale, args.rows), args.seeds, out, changes))
    count = len({job.key for plan in plans for job in plan.jobs()})
    print(f"{args.paper}: {count} runs at scale {args.scale} into {out}", flush=True)
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
    from lindyn import _files, papers
    from lindyn.papers import study_files
    from lindyn.plotting import study_pictures as pictures
    from lindyn.plotting import style

    content = plan.content()
    print("\n" + study_files.text(content, study_files.others(plan.out)))
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
        what = "diverged" if linear is None else f"linear {100 * linear:.1f} %  {found.get('alarm', '')}"
        minutes = (time.monotonic() - self.start) / 60
        print(
            f"  {done}/{count}  {job.row.table} {job.row.id}, seed {job.seed}: {what}  ({minutes:.1f} min)", flush=True
        )
