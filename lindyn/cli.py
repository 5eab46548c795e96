"""The command line, `lindyn COMMAND`; parsing loads nothing heavy."""

import argparse
import os
import sys
from collections.abc import Sequence

import lindyn
from lindyn.commands import phase, prove, reproduce, simulate, sweep, train, validate, verify
from lindyn.commands.flags import Parser

DESCRIPTION = """\
The theory bench for non-contrastive self-supervised learning (BYOL, SimSiam, DirectPred).

  lindyn reproduce tian2021          draw and check every simulation figure of Tian, Chen, Ganguli 2021
  lindyn simulate                    run one system from flags or a TOML file; save trajectory and picture
  lindyn simulate --images digits    the same on real images: which data directions survive
  lindyn sweep                       map what becomes of a mode over weight decay, EMA rate, ...
  lindyn phase                       phase portrait, bifurcation diagram, basin of collapse of a mode
  lindyn prove                       run the proof of every statement; --audit: every difference from the print
  lindyn verify FILE                 test the statements along a trajectory
  lindyn train                       train a real network with any predictor, and watch it with the theory's eyes
  lindyn validate CHECKPOINT...      hold a trained network against the theory: is it collapsing, what would have helped
"""
EPILOG = "Exit codes: 0 all well; 1 a run ended early or a claim failed; 2 the call was not understood."


def parser() -> Parser:
    """Return the whole command line."""
    top = Parser(
        prog="lindyn", description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument("--version", action="version", version=f"lindyn {lindyn.__version__}")
    top.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in (reproduce, simulate, sweep, phase, prove, verify, train, validate):
        module.add_parser(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; a user's mistake is one sentence, never a traceback."""
    words = sys.argv[1:] if argv is None else list(argv)
    args = parser().parse_args(words or ["--help"])
    try:
        code = int(args.func(args))
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader (head, less) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, OSError, ImportError) as error:
        if args.debug:
            raise
        print(f"lindyn: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("lindyn: interrupted; what was already written is kept.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
