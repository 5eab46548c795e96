"""`lindyn phase`: portrait, bifurcation diagrams, basin of collapse; a picture and its reading."""

import argparse
from typing import Any

from lindyn import _files
from lindyn.commands import options

KINDS = ("portrait", "bifurcation", "two-parameter", "basin", "surface")
DESCRIPTION = """\
Look at one mode of Tian, Chen, Ganguli 2021 as a dynamical system: draw a picture and say in words what it shows.

  portrait       the (p, s) plane of Eqs. 11-12 at held tau: flow, nullclines, fixed points, separatrix
  bifurcation    fixed points over the weight decay eta: fold at the critical decay, transcritical at 0
  two-parameter  the fold over eta and tau (or --sigma2 LOW:HIGH:COUNT, ...)
  basin          which starts collapse, over any two ranges, and the share of them with its interval
  surface        the edge of collapse of the moving-target system, over the starts of p and tau

  lindyn phase
  lindyn phase --eta 0.15 --tau 0.9
  lindyn phase --kind two-parameter --sigma2 0:2:21
  lindyn phase --kind basin --beta 0.1                            p and s, the target starts as a copy
  lindyn phase --kind basin --eta 0:0.25:80 --beta log:0.01:10:80 --p 0.3 --s 0.003

A parameter is a number or, where it is an axis of the picture, a range LOW:HIGH:COUNT or log:LOW:HIGH:COUNT.
"""
FLAGS = (
    ("eta", "weight decay of both networks (default 0.05)"),
    ("eta_p", "decay of the predictor alone"),
    ("eta_s", "decay of the online network alone"),
    ("tau", "held target / online ratio, or its start in basin with a moving target (default 1)"),
    ("beta", "EMA rate; gives basin and surface a moving target (default 0.4 there, none for the others)"),
    ("alpha_p", "learning-rate ratio predictor / online (default 1)"),
    ("x", "eigenvalue of X (default 1)"),
    ("sigma2", "variance of the augmentation, the eigenvalue of X' (default 0.25)"),
    ("p", "start of p, or the window's range"),
    ("s", "start of s, or the window's range"),
)
OUT = "lindyn-out/phase"


def add_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "phase",
        help="phase portrait, bifurcation diagram and basin of collapse of one mode",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    options.take_negative_values(parser)
    parser.add_argument("--kind", default="portrait", metavar="WORD", help=f"{', '.join(KINDS)} (default %(default)s)")
    for name, text in FLAGS:
        parser.add_argument("--" + name.replace("_", "-"), metavar="NUMBER", help=text)
    parser.add_argument("--hold-tau", action="store_true", help="basin: hold tau instead of moving the target")
    parser.add_argument(
        "--count", type=int, default=20000, help="basin: starts drawn for the share (default %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="basin: seed of the draw (default %(default)s)")
    parser.add_argument("--out", metavar="DIR", default=OUT, help="output folder (default %(default)s)")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Draw one picture, write it and print its reading.

    Raises:
        ValueError: an unknown kind, a parameter out of its range, or a folder that cannot be written.
    """
    from lindyn import _checks

    _checks.one_of("--kind", args.kind, KINDS)
    given = _given(args)
    from lindyn.commands import phase_pictures
    from lindyn.plotting.style import write

    out = _files.writable_folder(args.out)
    make = getattr(phase_pictures, args.kind.replace("-", "_"))
    figure, words = make(given, vars(args))
    file = out / f"{args.kind}.png"
    write(figure, file, "png")
    print(words)
    print(f"Wrote {file}.")
    return 0


def _given(args: argparse.Namespace) -> dict[str, Any]:
    """Return the numbers and ranges that the flags give; sigma2 is x_aug.

    Raises:
        ValueError: not a number or a range, or a negative one.
    """
    import numpy as np

    from lindyn.sweeps.axes import span

    given = {}
    for name, _ in FLAGS:
        text = getattr(args, name)
        if text is None:
            continue
        flag = "--" + name.replace("_", "-")
        value = np.asarray(span(text, flag))
        if name != "p" and np.min(value) < 0:
            raise ValueError(f"{flag} must be >= 0; got {np.min(value):g}.")
        if value.ndim == 1 and (len(value) < 2 or np.any(np.diff(value) <= 0)):
            raise ValueError(f"{flag} must increase over two or more values; got {text}.")
        given["x_aug" if name == "sigma2" else name] = value if value.ndim else float(value)
    return given
