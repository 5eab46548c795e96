"""The command line: `lindyn simulate | reproduce | sweep | phase | train | validate`. Parsing loads nothing heavy."""

import argparse
import difflib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import lindyn
from lindyn.commands import phase, prove, reproduce, simulate, sweep, train, validate, verify

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


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one sentence and suggest the near flag."""

    def error(self, message: str) -> NoReturn:
        """Print the message, with the nearest known flag for an unknown one, and exit with 2."""
        if message.startswith("unrecognized arguments: --"):
            wrong = message.removeprefix("unrecognized arguments: ").split()[0].split("=")[0]
            near = difflib.get_close_matches(wrong, self._every_flag(), n=1)
            message += f". Did you mean {near[0]}?" if near else f". See {self.prog} --help."
        self.exit(2, f"{self.prog}: error: {message}\n")

    def _every_flag(self) -> list[str]:
        flags = list(self._option_string_actions)
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                flags += [flag for sub in action.choices.values() for flag in sub._option_string_actions]
        return flags


def parser() -> argparse.ArgumentParser:
    """Return the whole command line."""
    top = _Parser(
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
    args = parser().parse_args(argv)
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
