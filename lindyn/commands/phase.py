"""`lindyn phase`: portrait, bifurcation diagrams, basin of collapse; a picture and its reading."""

import argparse
from typing import Any

from lindyn import _files
from lindyn._option_table import OptionTable
from lindyn._options import QUANTITIES, Option
from lindyn.commands import drawing
from lindyn.commands.flags import add_command
from lindyn.outputs import places

WAYS = ("both", "forward", "backward")
KINDS = ("portrait", "bifurcation", "two-parameter", "basin", "surface")
DESCRIPTION = """\
Look at one mode of Tian, Chen, Ganguli 2021 as a dynamical system: draw a picture and say in words what it shows.

  portrait       the (p, s) plane of Eqs. 11-12 at held tau: flow, nullclines, fixed points, separatrix
  bifurcation    fixed points over the weight decay eta: fold at the critical decay, transcritical at 0
  two-parameter  the fold over eta and tau (or --sigma2 LOW:HIGH:COUNT, ...)
  basin          which starts collapse, over any two ranges, the edge between the fates, and the share with its interval
  surface        the edge of collapse of the moving-target system, over the starts of p and tau

  lindyn phase
  lindyn phase --eta 0.15 --tau 0.9
  lindyn phase --start 0.1,0.2 --start 0.5,0.1                    trajectories through (p, s), forward and backward
  lindyn phase --beta 0.1 --start 0.1,0.2 --numbers portrait.csv  the same with a moving target, and its numbers
  lindyn phase --kind two-parameter --sigma2 0:2:21
  lindyn phase --kind basin --beta 0.1                            p and s, the target starts as a copy
  lindyn phase --kind basin --eta 0:0.25:80 --beta log:0.01:10:80 --p 0.3 --s 0.003

A parameter is a number or, where it is an axis of the picture, a range LOW:HIGH:COUNT or log:LOW:HIGH:COUNT.
"""
DEFAULT_OUT = "lindyn-out/phase"
_RANGES = (
    QUANTITIES["eta"].but(default=0.05),
    QUANTITIES["eta_p"],
    QUANTITIES["eta_s"],
    Option("tau", "range", None, "held target / online ratio, or its start in basin with a moving target (default 1)"),
    Option(
        "beta",
        "range",
        None,
        "EMA rate: the target moves (default 0.4 in basin and surface, else none)",
    ),
    QUANTITIES["alpha_p"],
    QUANTITIES["x"],
    QUANTITIES["x_aug"],
    Option("p", "range", None, "start of p, or the window's range"),
    Option("s", "range", None, "start of s, or the window's range"),
)
TABLE = OptionTable(
    (
        Option("kind", str, "portrait", ", ".join(KINDS), choices=KINDS, metavar="WORD"),
        *(option.but(kind="range", metavar="NUMBER") for option in _RANGES),
        Option("start", "texts", None, "portrait: a trajectory through P,S or P,S,TAU; may be repeated", metavar="P,S"),
        Option("way", str, "both", "portrait: where trajectories go", choices=WAYS, metavar="WORD"),
        Option("hold_tau", "switch", False, "basin: hold tau instead of moving the target"),
        Option("count", int, 20000, "basin: starts drawn for the share"),
        Option("seed", int, 0, "basin: seed of the draw"),
        Option(
            "out",
            str,
            None,
            f"output folder (default {DEFAULT_OUT}, the picture named by its flags)",
            metavar="DIR",
            free=True,
            path=True,
        ),
        *drawing.OPTIONS,
        Option("overwrite", "switch", False, "replace a picture of other parameters", free=True),
    )
)

_OF_ONE_KIND = {"start": "portrait", "way": "portrait", "hold_tau": "basin", "count": "basin", "seed": "basin"}


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    summary = "phase portrait, bifurcation diagram and basin of collapse of one mode"
    add_command(commands, "phase", summary, DESCRIPTION, TABLE, run)


def run(args: argparse.Namespace) -> int:
    """Draw one picture, write it and print its reading.

    Raises:
        ValueError: an unknown kind, a flag of another kind, a parameter out of its range, or a folder that cannot be
            written.
    """
    _check_kind(args)
    words = TABLE.command("", TABLE.given(args) | {"kind": None})
    command = f"lindyn phase --kind {args.kind}{words}"
    name = args.kind if args.out is not None else places.run_name(args.kind + words)
    file = places.as_folder(args.out or DEFAULT_OUT) / f"{name}.png"
    places.check_free(file, command, args.overwrite)
    numbers = drawing.place_of_numbers(args, command)
    given = _given(args)
    from lindyn.commands import phase_pictures
    from lindyn.outputs.number_tables import write_csv
    from lindyn.plotting.style import write

    make = getattr(phase_pictures, args.kind.replace("-", "_"))
    with _files.output_folder(file.parent):
        picture = make(given, vars(args))
        write(picture.figure, file, command=command)
    if numbers is not None:
        write_csv(numbers, picture.numbers, command)
    print(picture.words)
    print(f"Wrote {file}{'' if numbers is None else f' and {numbers}'}.")
    return 0


def _check_kind(args: argparse.Namespace) -> None:
    """Raise ValueError where a flag is given that this kind of picture does not read."""
    for name, kind in _OF_ONE_KIND.items():
        if kind != args.kind and getattr(args, name) != TABLE.defaults[name]:
            flag = f"--{name.replace('_', '-')}"
            raise ValueError(f"{flag} belongs to --kind {kind}; got --kind {args.kind}. Leave it out.")


def _given(args: argparse.Namespace) -> dict[str, Any]:
    """Return the numbers and ranges that the flags give; sigma2 is x_aug.

    Raises:
        ValueError: not a number or a range, or a negative one.
    """
    import numpy as np

    from lindyn.sweeps.axes import span

    given: dict[str, Any] = {"eta": TABLE.keys["eta"].default}
    for name, flag, text in TABLE.ranges(args):
        value = np.asarray(span(text, flag))
        if name != "p" and np.min(value) < 0:
            raise ValueError(f"{flag} must be >= 0; got {np.min(value):g}.")
        if value.ndim == 1 and (len(value) < 2 or np.any(np.diff(value) <= 0)):
            raise ValueError(f"{flag} must increase over two or more values; got {text}.")
        given[name] = value if value.ndim else float(value)
    return given
