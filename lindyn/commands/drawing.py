"""What every drawing command takes: a format beside PNG, and where the numbers of a picture go."""

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path

from lindyn._options import Option
from lindyn.outputs import places

FORMATS = ("png", "pdf", "svg")
FORMAT = Option(
    "format", str, "png", "write every picture in this format too, beside the PNG", choices=FORMATS, free=True,
    metavar="{png,pdf,svg}",
)  # fmt: skip
NUMBERS = Option(
    "numbers", str, None, "write the numbers of the picture here too, as CSV", metavar="FILE", free=True, path=True
)
OPTIONS = (FORMAT, NUMBERS)


@contextlib.contextmanager
def in_format(args: argparse.Namespace) -> Iterator[None]:
    """Let a command write its pictures in the format that it was asked for."""
    if getattr(args, "format", "png") in (None, "png"):
        yield
        return
    from lindyn.outputs import picture_style

    with picture_style.beside(args.format):
        yield


def place_of_numbers(args: argparse.Namespace, command: str) -> Path | None:
    """Return where the numbers go, or None where they are not asked for.

    Raises:
        ValueError: another ending than .csv, a folder, a folder that is not there, or a file of another run.
    """
    if args.numbers is None:
        return None
    path = Path(args.numbers)
    if path.suffix != ".csv" or path.is_dir():
        raise ValueError(f"--numbers must be a .csv file; got {path}.")
    places.check_folder(path, "--numbers")
    places.check_free(path, command, args.overwrite, flag="--numbers")
    return path
