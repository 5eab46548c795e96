"""`lindyn explore`: the live explorer in the browser, or one HTML file that needs no server."""

import argparse
from pathlib import Path
from typing import Any

from lindyn._option_table import OptionTable
from lindyn._options import Option
from lindyn.commands.flags import add_command, add_flags
from lindyn.explore import explorer_options
from lindyn.outputs import places

DESCRIPTION = """\
A page in the browser, live on this machine's engines: phase portrait, collapse map, modes over time, bifurcation,
matrices, the normalised model, saved runs. Move a slider and look; click the portrait to start a trajectory, click the
map and the portrait follows. What is seen is copied as a command or as Python, saved as PNG, SVG or CSV, and stands in
the page's address.

  lindyn explore                                          the portrait
  lindyn explore --eta 0.1 --target moving --beta 0.2     with an EMA: tau beside it
  lindyn explore --view modes
  lindyn explore runs --view saved --file trajectory.nc   a saved run below the folder runs
  lindyn explore --html page.html                         one file without a server: portrait and map, live

Needs bokeh: pip install "lindyn[explore]". Only this machine can open the page.
"""
_HOST = "the page"
HOSTED = OptionTable(
    (
        Option("port", int, 0, "port (default: a free one)", _HOST, free=True),
        Option("browser", bool, True, "open a browser", _HOST, free=True),
        Option("out", str, None, "keep every export in this folder too", _HOST, metavar="DIR", free=True, path=True),
        Option("html", str, None, "write one HTML file and end", _HOST, metavar="FILE", free=True, path=True),
        Option("overwrite", "switch", False, "replace the file of --html", _HOST, free=True),
    ),
    titles={_HOST: _HOST},
)


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    summary = "a live page in the browser: portrait, collapse map, runs"
    parser = add_command(commands, "explore", summary, DESCRIPTION, explorer_options.TABLE, run)
    add_flags(HOSTED, parser)
    parser.add_argument("folder", nargs="?", metavar="FOLDER", help="below which files may be opened (default: this)")


def run(args: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C, or write it; 0 when it has ended.

    Raises:
        ValueError: a port that is taken, a folder that is not there, a value out of its range.
        ImportError: bokeh is missing.
    """
    values = explorer_options.checked(explorer_options.TABLE.given(args))
    if args.html is not None:
        from lindyn.explore.standalone_page import write_page

        print(f"Wrote {write_page(_place(args), values)}; open it in a browser, no server is needed.")
        return 0
    from lindyn.explore.local_server import serve

    out = None if args.out is None else places.as_folder(args.out)
    serve(values, port=args.port, browser=args.browser, folder=args.folder, out=out)
    return 0


def _place(args: argparse.Namespace) -> Path:
    path = Path(args.html)
    if path.suffix.lower() not in (".html", ".htm") or path.is_dir():
        raise ValueError(f"--html must be an .html file; got {path}.")
    if path.exists() and not args.overwrite:
        raise ValueError(f"{path} is there already. Add --overwrite, or choose another with --html.")
    places.check_folder(path, "--html")
    return path
