"""`lindyn simulate`: one system from flags or a TOML file; saves the trajectory and a picture."""

import argparse
from pathlib import Path
from typing import Any

from lindyn import _files
from lindyn.commands import options

DESCRIPTION = """\
Integrate one system of Tian, Chen, Ganguli 2021 and look at it. Without flags: the full flow of (W, W_p, W_a),
n1 = 16, n2 = 8, isotropic data, to t = 100. Files written to --out: trajectory.nc (opens in xarray),
trajectory.png, run.toml (the complete configuration; `lindyn simulate --config run.toml` repeats the run).

  lindyn simulate --eta 0.3                                  too much decay: everything collapses
  lindyn simulate --target online --stop-gradient            SimSiam
  lindyn simulate --target online --no-stop-gradient         Theorem 2: without stop-gradient, collapse
  lindyn simulate --system modes --p 0.1,0.5 --s 0.05,0.2    Eqs. 11-13
  lindyn simulate --learning-rate 0.05 --batch 64            minibatch SGD instead of the flow
  lindyn simulate --predictor direct_pred --rule eps=0.1     DirectPred: W_p set from the outputs at every instant
  lindyn simulate --images digits --eta 0.02                 which directions of real images survive
"""


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "simulate",
        help="run one system from flags or a TOML file",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--config", metavar="FILE", help="TOML file with the same keys as the flags, by section")
    parser.add_argument(
        "--out", metavar="DIR", default="lindyn-out/simulate", help="output folder (default %(default)s)"
    )
    parser.add_argument("--verify", action="store_true", help="test the papers' statements along the run")
    options.add_flags(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Run the system and write its files; 0 if it reached the end, 1 if it ended early."""
    settings, given = options.configuration(args)
    out = _files.writable_folder(args.out)
    if settings["images"] is not None:
        from lindyn.commands.image_runs import run_images

        return run_images(settings, given, out)
    from lindyn._progress import Progress
    from lindyn.commands import flow_settings

    flow_settings.check_relevant(settings, given)
    settings = flow_settings.relevant(settings)
    flow, y0 = flow_settings.build(settings)
    progress = Progress("simulate", settings["t1"])
    try:
        trajectory = flow_settings.solve(flow, y0, settings, progress)
    finally:
        progress.close()
    code = write(trajectory, settings, out)
    if not args.verify:
        return code
    from lindyn.commands.verify import show
    from lindyn.verification import verify

    return max(code, show(verify(trajectory), out / "trajectory.nc"))


def write(trajectory: Any, settings: dict[str, Any], out: Path) -> int:
    """Save trajectory, configuration and picture; print what happened; return the exit code."""
    import numpy as np

    from lindyn.commands.run_text import describe
    from lindyn.plotting.trajectory_picture import save_picture

    _files.write(out / "run.toml", options.to_toml(settings))
    data = trajectory.save(out / "trajectory.nc")
    with np.errstate(over="ignore", invalid="ignore"):  # a run that blew up is drawn as far as it goes
        picture = save_picture(trajectory, out / "trajectory.png")
    for other in ("survival.png", "summary.txt"):  # of another run: they would stand beside these numbers
        (out / other).unlink(missing_ok=True)
    print(describe(trajectory))
    print(f"Wrote {data}, {picture} and {out / 'run.toml'}.")
    return 0 if trajectory.succeeded else 1
