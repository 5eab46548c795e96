"""The command line, `lindyn COMMAND`; parsing loads nothing heavy."""

import contextlib
import gc
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import lindyn
from lindyn.commands import drawing, explore, phase, predict, prove, reproduce, simulate, sweep, train, validate, verify
from lindyn.commands.flags import Completion, HelpFormatter, Parser

DESCRIPTION = """\
The theory bench for non-contrastive self-supervised learning (BYOL, SimSiam, DirectPred).

  lindyn reproduce tian2021          draw and check every simulation figure of Tian, Chen, Ganguli 2021
  lindyn simulate                    run one system from flags or a TOML file; save trajectory and picture
  lindyn simulate --images digits    the same on real images: which data directions survive
  lindyn sweep                       map what becomes of a mode over weight decay, EMA rate, ...
  lindyn phase                       phase portrait, bifurcation diagram, basin of collapse of a mode
  lindyn explore                     a live page in the browser: move a slider, look again
  lindyn prove                       run the proof of every statement; --audit: every difference from the print
  lindyn verify FILE                 test the statements along a trajectory
  lindyn predict                     before training: will it collapse, to what effective rank, how sure
  lindyn train                       train a real network with any predictor, and watch it with the theory's eyes
  lindyn validate CHECKPOINT...      hold a trained network against the theory: is it collapsing, what would have helped
"""
EPILOG = "Exit codes: 0 all well; 1 a run ended early or a claim failed; 2 the call was not understood."
OBJECTS = 50_000
"""New objects after which cycles are looked for; Python's own 700 or 2,000 are meant for small programs."""


def parser() -> Parser:
    """Return the whole command line."""
    top = Parser(prog="lindyn", description=DESCRIPTION, epilog=EPILOG, formatter_class=HelpFormatter)
    top.add_argument("--version", action="version", version=f"lindyn {lindyn.__version__}")
    top.add_argument("--completion", action=Completion, help="print the script that completes flags with the tab key")
    top.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in (reproduce, simulate, sweep, phase, explore, prove, verify, predict, train, validate):
        module.add_parser(commands)
    return top


class OutputError(Exception):
    """Standard output cannot be written to; no OSError, so that nothing on the way takes it for a file's."""


class StandardStream:
    """A standard stream whose failures are told apart from those of files.

    Args:
        stream: the stream.
        needed: whether it matters that it fails; what is said on standard error may go nowhere.
    """

    def __init__(self, stream: Any, needed: bool) -> None:
        self._stream, self._needed = stream, needed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write to the stream."""
        self._try(self._stream.write, text)
        return len(text)

    def flush(self) -> None:
        """Flush the stream."""
        self._try(self._stream.flush)

    def _try(self, does: Callable[..., Any], *args: Any) -> None:
        try:
            does(*args)
        except OSError as error:
            if self._needed:
                raise error if isinstance(error, BrokenPipeError) else OutputError(error.strerror) from error


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; a user's mistake is one sentence, never a traceback."""
    words = sys.argv[1:] if argv is None else list(argv)
    _open_streams()
    out, err = sys.stdout, sys.stderr
    telling: Any = StandardStream(out, needed=True), StandardStream(err, needed=False)
    with contextlib.redirect_stdout(telling[0]), contextlib.redirect_stderr(telling[1]):
        try:
            with _drawing_to_files(), _rarely_collected():
                try:
                    return _run(words)
                finally:
                    sys.stdout.flush()
        except BrokenPipeError:  # the reader (head, less) has seen enough
            _let_go_of(out)
            return 0
        except OutputError as error:
            _let_go_of(out)
            _say(f"error: Cannot write to standard output: {error}. Files that were written are kept.")
            return 2
        finally:
            _let_go_if_broken(err)


def _run(words: list[str]) -> int:
    args = parser().parse_args(words or ["--help"])
    try:
        with drawing.in_format(args):
            return int(args.func(args))
    except BrokenPipeError:
        raise
    except (ValueError, OSError, ImportError) as error:
        if args.debug:
            raise
        _say(f"error: {error}")
        return 2
    except MemoryError as error:
        if args.debug:
            raise
        size = str(error).rstrip(".") or "no size is told"
        _say(f"error: There is not enough memory ({size}). Take something smaller.")
        return 2
    except KeyboardInterrupt:
        _say("interrupted; what was already written is kept.")
        return 130


def _say(message: str) -> None:
    print(f"lindyn: {message}", file=sys.stderr)


def _open_streams() -> None:
    """Give closed standard streams (`>&-`) a place, and let letters that their encoding lacks be spelled out."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # its descriptor would go to the next file that is opened, and take the prints
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if getattr(stream, "errors", "") in ("strict", "surrogateescape", "surrogatepass"):
            with contextlib.suppress(AttributeError):  # what stands in for a stream need not have it
                stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _let_go_of(stream: Any) -> None:
    """Send what is left for a stream that fails nowhere, or the interpreter complains of it at its end."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _let_go_if_broken(stream: Any) -> None:
    try:
        stream.flush()
    except OSError:
        _let_go_of(stream)


@contextlib.contextmanager
def _drawing_to_files() -> Iterator[None]:
    """Let matplotlib start without the backend of whoever called (a notebook, a desktop): pictures go to files only."""
    before = os.environ.get("MPLBACKEND")
    os.environ["MPLBACKEND"] = "agg"
    try:
        yield
    finally:
        os.environ.pop("MPLBACKEND")
        if before is not None:
            os.environ["MPLBACKEND"] = before


@contextlib.contextmanager
def _rarely_collected() -> Iterator[None]:
    """Look for unreachable cycles of objects rarely: the many of an import are none, and looking is a fifth of it."""
    before = gc.get_threshold()
    if before[0]:  # 0: whoever called does not want it at all
        gc.set_threshold(max(before[0], OBJECTS), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


if __name__ == "__main__":
    sys.exit(main())
