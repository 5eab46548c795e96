"""`lindyn sweep`: a map of what becomes of a mode over its parameters, with a picture and a reading of it."""

import argparse
import sys
from pathlib import Path
from typing import Any

from lindyn import _files
from lindyn.commands import options

DESCRIPTION = """\
Run a mode (Eqs. 11-13 of Tian, Chen, Ganguli 2021) at every combination of parameters, draw the map of what became of
it with the theory's boundaries on top, and say in words what it shows. Without flags: weight decay eta 0..0.3 and EMA
rate beta 0.01..10.

A parameter is a number (0.3), a list (0.1,0.2,0.5) or a range: LOW:HIGH:COUNT, log:LOW:HIGH:COUNT. --tau also takes
copy (the target starts as a copy, 1), zero (0), or copy,zero; --s also takes parabola (s = p^2/alpha_p).

  lindyn sweep                                                       a first map, in seconds
  lindyn sweep --eta 0:0.3:500 --beta log:1e-2:1e1:400               200 000 runs
  lindyn sweep --eta 0:0.3:60 --alpha-p log:0.1:100:60 --target online
  lindyn sweep --eta 0:0.3:3000 --beta log:1e-2:1e1:4000 --tau copy,zero --out big.zarr
                                                                     streamed to a zarr store; killed, it resumes
"""
FLAGS = (
    ("eta", "weight decay of both networks (default 0.04)"),
    ("eta_p", "decay of the predictor alone"),
    ("eta_s", "decay of the online network alone"),
    ("beta", "EMA rate of the target (default 0.4)"),
    ("alpha_p", "learning-rate ratio predictor / online (default 1)"),
    ("x", "eigenvalue of X (default 1)"),
    ("x_aug", "eigenvalue of X', sigma^2 (default 0.25)"),
    ("p", "initial p (default 0.15)"),
    ("s", "initial s (default 0.03), or parabola"),
    ("tau", "initial target / online ratio, copy or zero (default copy)"),
)
OUT = Path("lindyn-out/sweep.nc")


def add_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "sweep",
        help="map what becomes of a mode over any of its parameters",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    options.take_negative_values(parser)
    values = parser.add_argument_group("parameters (number, list or range)")
    for name, text in FLAGS:
        values.add_argument("--" + name.replace("_", "-"), metavar="RANGE", help=text)
    how = parser.add_argument_group("how to run")
    how.add_argument("--t1", type=float, default=200.0, metavar="T", help="the end, in flow time (default %(default)g)")
    how.add_argument("--target", default="ema", metavar="WORD", help="ema, online or frozen (default %(default)s)")
    how.add_argument("--tau-mode", default="dynamic", metavar="WORD", help="dynamic or constant (default %(default)s)")
    how.add_argument("--predictor", default="trained", metavar="WORD", help="trained or identity (default %(default)s)")
    how.add_argument("--rtol", type=float, default=1e-8, help="relative tolerance of a step (default %(default)g)")
    how.add_argument("--engine", default="lanes", metavar="WORD", help="lanes (CPU) or jax (default %(default)s)")
    how.add_argument("--threads", type=int, metavar="N", help="threads (default all cores)")
    how.add_argument("--scheduler", metavar="ADDRESS", help="run on the dask cluster at this address")
    out = parser.add_argument_group("output")
    out.add_argument("--out", type=Path, metavar="STORE", help=f"zarr store, or a .nc file (default {OUT})")
    out.add_argument("--points", type=int, metavar="N", help="points in a block of a new store (default 131072)")
    out.add_argument("--picture", type=Path, metavar="FILE", help="the map (default beside the result, .png)")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Sweep, write, draw and explain; 0 if every run reached its end, 1 otherwise.

    Raises:
        ValueError: a range or setting that is not understood, or a store of another sweep.
        OSError: the output cannot be written.
    """
    from lindyn.sweeps.execution import SweepInterrupted

    settings = {name: getattr(args, name) for name in ("t1", "target", "tau_mode", "predictor", "rtol", "engine")}
    settings |= {"threads": args.threads, "points": args.points}
    out = OUT if args.out is None else args.out
    picture = out.with_suffix(".png") if args.picture is None else args.picture
    for file in (out, picture):
        _parent(file)
    try:
        ds = _sweep(_parameters(args), settings, out, args.scheduler)
    except SweepInterrupted as error:
        print(f"lindyn: {error}", file=sys.stderr)
        return 130
    return report(ds, out, picture)


def _parameters(args: argparse.Namespace) -> dict[str, Any]:
    """Return what the flags give: numbers, arrays and words."""
    from lindyn.sweeps.axes import PRACTICES, span

    given: dict[str, Any] = {}
    for name, _ in FLAGS:
        text = getattr(args, name)
        if text is None:
            continue
        words = text.split(",")
        if name == "s" and text.isalpha():
            given[name] = text
        elif name == "tau" and (text.isalpha() or all(word in PRACTICES for word in words)):
            given[name] = words if len(words) > 1 else text
        else:
            given[name] = span(text, "--" + name.replace("_", "-"))
    return given


def _sweep(given: dict[str, Any], settings: dict[str, Any], out: Path, scheduler: str | None) -> Any:
    import lindyn

    store = None if out.suffix == ".nc" else out
    if scheduler is None:
        ds = lindyn.sweep(**given, **settings, store=store)
    else:
        from lindyn.sweeps.execution import connect

        with connect(scheduler) as client:
            ds = lindyn.sweep(**given, **settings, store=store, client=client)
    if store is None:
        with _files.draft(out) as file:
            ds.to_netcdf(file, engine="scipy")
    return ds


def _parent(file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"Cannot make the folder {file.parent}: {error.strerror}. Choose another with --out.") from error


def report(ds: Any, out: Path, picture: Path) -> int:
    """Draw the map, print the reading, return the exit code."""
    import numpy as np

    from lindyn.plotting.sweep_map import save_map
    from lindyn.sweeps.sweep_text import tally, words

    told = tally(ds)
    drawn = save_map(ds, picture) if ds["outcome"].ndim else None
    print(words(ds, told))
    if drawn is None:
        ends = ", ".join(f"{name} = {ds[name].item():.6g}" for name in ("p", "s", "tau"))
        meanings = ds["outcome"].attrs["flag_meanings"].split()
        print(f"One run: {ends}; {meanings[int(ds['outcome'])]}. Give a range for a map.")
    print(f"Wrote {out}{f' and {drawn}' if drawn else ''}.")
    failed = int(np.asarray(told["counts"])[-1])
    return 1 if failed else 0
