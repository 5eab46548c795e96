"""`lindyn verify`: the statements of the papers measured along a trajectory in a file."""

import argparse
from pathlib import Path
from typing import Any

from lindyn import _files
from lindyn._option_table import OptionTable
from lindyn._options import ABLATIONS, PREDICTORS, QUANTITIES, Option
from lindyn.commands import drawing
from lindyn.commands.flags import add_command
from lindyn.outputs import places

DESCRIPTION = """\
Test every statement along a trajectory: identities, bounds against the measured decay, premises, sharpness.

  lindyn verify lindyn-out/simulate/trajectory.nc             a run of lindyn simulate
  lindyn verify run.npz                                       arrays t, W, W_p, W_a, X, X_aug, alpha_p, beta, eta
  lindyn verify run.npz --alpha-p 1 --beta 0.4 --eta 0.04     rates that the file does not hold
  lindyn verify run.npz --target online                       SimSiam: W_a = W

Where the saved times are too coarse, the run is integrated again between them. Ends with 0 if no statement fails, 1 if
one does, 3 if none does but one could not be told.
"""


UNTOLD = 3
_RATES = ("alpha_p", "beta", "eta", "eta_p", "eta_s")
_OF = "of an .npz run"
TABLE = OptionTable(
    (
        Option(
            "picture",
            str,
            None,
            "where to draw it (default: beside FILE, -verified.png)",
            metavar="FILE",
            free=True,
            path=True,
        ),
        Option(
            "json", str, None, "write the verdicts and their numbers here too", metavar="FILE", free=True, path=True
        ),
        drawing.FORMAT,
        Option("overwrite", "switch", False, "replace a picture of another run, or the file of --json", free=True),
        *(QUANTITIES[name].but(default=None, help=f"{name} {_OF}") for name in _RATES),
        ABLATIONS["target"].but(default=None, help=f"target {_OF}"),
        ABLATIONS["predictor"].but(default=None, help=f"predictor {_OF}", choices=PREDICTORS),
        Option("no_stop_gradient", "switch", False, "the .npz run took the gradient through both branches"),
    )
)


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser = add_command(commands, "verify", "test the statements along a trajectory", DESCRIPTION, TABLE, run)
    parser.add_argument("file", metavar="FILE", help="trajectory: .nc of lindyn, or .npz of arrays over time")


def run(args: argparse.Namespace) -> int:
    """Verify the file; 0 if no applicable statement fails, 1 if one does, 3 if one could not be told.

    Raises:
        ValueError: a file that is missing or no trajectory, or rates for a file that holds its own.
    """
    path = Path(places.expanded(args.file))
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "there is no such file"
        raise ValueError(f"No trajectory at {path}: {what}.")
    given = TABLE.given(args)
    rates = {name: given[name] for name in _RATES if name in given}
    choices: dict[str, Any] = {name: given[name] for name in ("target", "predictor") if name in given}
    if args.no_stop_gradient:
        choices["stop_gradient"] = False
    if path.suffix != ".npz" and (rates or choices):
        raise ValueError(f"{path} holds its own rates and choices; leave {', '.join([*rates, *choices])} out.")
    of = path.name if args.picture is None else path.resolve()  # beside its file the name is enough
    command = TABLE.command(f"lindyn verify {of}", given)
    picture = path.with_name(f"{path.stem}-verified.png") if args.picture is None else places.as_picture(args.picture)
    places.check_free(picture, command, args.overwrite, flag="--picture")
    numbers = None if args.json is None else Path(places.expanded(args.json))
    if numbers is not None and numbers.exists() and not args.overwrite:
        raise ValueError(f"{numbers} is there already. Add --overwrite, or choose another with --json.")
    from lindyn.verification import verify

    found = verify(path, rates=rates, **choices)
    if numbers is not None:
        _files.write_json(numbers, found.as_dict())
    return show(found, picture, command)


def show(found: Any, picture: Path, command: str) -> int:
    """Print the verdicts and draw the picture, which keeps the command line.

    Returns:
        0 if nothing fails, 1 if something does, `UNTOLD` if nothing does but something could not be told.
    """
    print(found)
    print(f"Drew {found.save_picture(picture, command)}.")
    return 1 if not found.holds else 0 if found.told else UNTOLD
