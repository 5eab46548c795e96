"""`lindyn verify`: the statements of the papers measured along a trajectory in a file."""

import argparse
from pathlib import Path
from typing import Any

DESCRIPTION = """\
Test every statement along a trajectory: identities, bounds against the measured decay, premises, sharpness.

  lindyn verify lindyn-out/simulate/trajectory.nc             a run of lindyn simulate
  lindyn verify run.npz                                       arrays t, W, W_p, W_a, X, X_aug, alpha_p, beta, eta
  lindyn verify run.npz --alpha-p 1 --beta 0.4 --eta 0.04     rates that the file does not hold
  lindyn verify run.npz --target online                       SimSiam: W_a = W
"""


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "verify",
        help="test the statements along a trajectory",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("file", metavar="FILE", help="trajectory: .nc of lindyn, or .npz of arrays over time")
    parser.add_argument("--picture", metavar="FILE", help="where to draw it (default: beside FILE, -verified.png)")
    for name in ("alpha-p", "beta", "eta", "eta-p", "eta-s"):
        parser.add_argument(f"--{name}", type=float, metavar="N", help=f"{name.replace('-', '_')} of an .npz run")
    parser.add_argument("--target", choices=("ema", "online", "frozen"), help="target of an .npz run")
    parser.add_argument("--predictor", choices=("trained", "symmetrised", "identity"), help="predictor of an .npz run")
    parser.add_argument(
        "--no-stop-gradient", action="store_true", help="the .npz run took the gradient through both branches"
    )
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Verify the file; 0 if no applicable statement fails, 1 otherwise.

    Raises:
        ValueError: a file that is missing or no trajectory, or rates for a file that holds its own.
    """
    from lindyn.verification import verify

    path = Path(args.file)
    rates = {
        name: getattr(args, name)
        for name in ("alpha_p", "beta", "eta", "eta_p", "eta_s")
        if getattr(args, name) is not None
    }
    choices: dict[str, Any] = {name: getattr(args, name) for name in ("target", "predictor") if getattr(args, name)}
    if args.no_stop_gradient:
        choices["stop_gradient"] = False
    if path.suffix != ".npz" and (rates or choices):
        raise ValueError(f"{path} holds its own rates and choices; leave {', '.join([*rates, *choices])} out.")
    return show(verify(path, rates=rates, **choices), path, args.picture)


def show(found: Any, path: Path, picture: Any = None) -> int:
    """Print the verdicts and draw the picture; 0 if nothing fails."""
    print(found)
    drawn = found.save_picture(path.with_name(path.stem + "-verified.png") if picture is None else picture)
    print(f"Drew {drawn}.")
    return 0 if found.holds else 1
