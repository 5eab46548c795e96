"""`lindyn sweep`: a map of what becomes of a mode, or of a deep model, over its parameters, drawn and read in words."""

import argparse
import contextlib
import shutil
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lindyn import _files
from lindyn._option_table import OptionTable
from lindyn._options import ABLATIONS, QUANTITIES, Option
from lindyn.commands import drawing
from lindyn.commands.flags import add_command
from lindyn.commands.sweep_models import DEEP, DEEP_OPTIONS, DEEP_RANGES, MODELS, RANGE, SweepModel
from lindyn.outputs import places

DESCRIPTION = """\
Run a mode (Eqs. 11-13 of Tian, Chen, Ganguli 2021) at every combination of parameters, draw the map of what became of
it with the theory's boundaries on top, and say in words what it shows. Without flags: weight decay eta 0..0.3 and EMA
rate beta 0.01..10.

A parameter is a number (0.3), a list (0.1,0.2,0.5) or a range: LOW:HIGH:COUNT, log:LOW:HIGH:COUNT. --tau also takes
copy (the target starts as a copy, 1), zero (0), or copy,zero; --s also takes parabola (s = p^2/alpha_p).

With --model normalised: finite steps of a deep projector with the cosine loss and BatchNorm, from random starts; the
map has the effective rank of its outputs, collapse in words, and the angle per step. Without flags: learning rate
0.01..1 and eta 0.001..0.1.

  lindyn sweep                                                       a first map, in seconds
  lindyn sweep --eta 0:0.3:500 --beta log:1e-2:1e1:400               200 000 runs
  lindyn sweep --eta 0:0.3:60 --alpha-p log:0.1:100:60 --target online
  lindyn sweep --eta 0:0.3:3000 --beta log:1e-2:1e1:4000 --tau copy,zero --out big.zarr
                                                                     streamed to a zarr store; killed, it resumes
  lindyn sweep --model normalised --learning-rate log:0.01:1:20 --gamma-a 0.9,0.99,0.999 --depth 3 --batch 64
"""
OUT = "lindyn-out/sweep.nc"
_VALUES, _HOW, _OUTPUT = "parameters", "running", "output"
_ALSO = {"s": ", or parabola", "tau": ", copy or zero"}
TABLE = OptionTable(
    (
        *(
            option.but(**RANGE, section=_VALUES, help=option.help + _ALSO.get(name, ""))
            for name, option in QUANTITIES.items()
        ),
        Option(
            "model",
            str,
            "mode",
            "mode (Tian et al.), or normalised (deep, step by step)",
            _HOW,
            ("mode", "normalised"),
            metavar="WORD",
        ),
        Option("t1", float, 200.0, "the end, in flow time", _HOW, metavar="T"),
        ABLATIONS["target"].but(section=_HOW),
        ABLATIONS["tau"].but(name="tau_mode", help="what tau does", section=_HOW),
        ABLATIONS["predictor"].but(help="the predictor", section=_HOW, choices=("trained", "symmetrised", "identity")),
        Option("rtol", float, 1e-8, "relative tolerance of a step", _HOW),
        Option("engine", str, "lanes", "lanes (CPU) or jax", _HOW, ("lanes", "jax"), metavar="WORD"),
        *DEEP_OPTIONS,
        Option("threads", int, None, "threads (default all cores)", _HOW, free=True),
        Option("scheduler", str, None, "run on the dask cluster at this address", _HOW, metavar="ADDRESS", free=True),
        Option(
            "out",
            str,
            None,
            f"zarr store, or a .nc file (default {OUT}, named by the flags)",
            _OUTPUT,
            metavar="STORE",
            free=True,
            path=True,
        ),
        Option("points", int, None, "points in a block of a new store (default 131072)", _OUTPUT, free=True),
        Option(
            "picture",
            str,
            None,
            "the map (default beside the result, .png)",
            _OUTPUT,
            metavar="FILE",
            free=True,
            path=True,
        ),
        drawing.FORMAT.but(section=_OUTPUT),
        Option("overwrite", "switch", False, "replace the result of another sweep", _OUTPUT, free=True),
    ),
    titles={
        _VALUES: "parameters (number, list or range)",
        DEEP_RANGES: DEEP_RANGES,
        DEEP: DEEP,
        _HOW: "how to run",
        _OUTPUT: "output",
    },
)


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    summary = "map what becomes of a mode over any of its parameters"
    add_command(commands, "sweep", summary, DESCRIPTION, TABLE, run)


def run(args: argparse.Namespace) -> int:
    """Sweep, write, draw and explain; 0 if every run reached its end, 1 otherwise.

    Raises:
        ValueError: a range or setting that is not understood, or a store of another sweep.
        OSError: the output cannot be written.
    """
    from lindyn.sweeps.execution import SweepInterrupted

    model, values = MODELS[args.model], TABLE.given(args)
    model.check({name: value for name, value in values.items() if value != TABLE.defaults[name]}, TABLE.keys)
    settings = {name: getattr(args, name) for name in model.settings}
    words = TABLE.command("", values)
    out, picture = _places(args, words)
    given = _parameters(args)
    command = f"lindyn sweep{words}"
    try:
        with _files.output_folder(out.parent), _files.output_folder(picture.parent), _warnings_as_notes():
            if args.overwrite and out.suffix != ".nc":
                shutil.rmtree(out, ignore_errors=not out.exists())
            ds = _sweep(model, given | settings, out, args.scheduler)
    except SweepInterrupted as error:
        print(f"lindyn: {error}", file=sys.stderr)
        return 130
    return report(ds, out, picture, command, model)


def _places(args: argparse.Namespace, words: str) -> tuple[Path, Path]:
    """Return where result and picture go.

    Raises:
        ValueError: neither a .nc file nor a store, a folder that is no store, or files of another sweep.
    """
    from lindyn.sweeps import store_record

    out = Path(OUT).with_stem(places.run_name("sweep" + words)) if args.out is None else Path(args.out)
    if not out.name or (out.suffix.lower() in places.ENDINGS and out.suffix not in (".nc", ".zarr")):
        raise ValueError(f"--out must be a .nc file or a zarr store (a folder); got {args.out!r}.")
    if out.suffix == ".nc" and out.is_dir():
        raise ValueError(f"--out {out} is a folder; a .nc file is written as a file. Choose another.")
    store = out.suffix != ".nc" and out.exists()
    if store and not store_record.is_store(out) and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} exists and is no store of a sweep. Choose another --out.")
    picture = out.with_suffix(".png") if args.picture is None else places.as_picture(args.picture)
    if not store:  # which sweep an existing one is of it says itself
        places.check_free(out, f"lindyn sweep{words}", args.overwrite)
        if args.picture is not None or not out.exists():
            places.check_free(picture, f"lindyn sweep{words}", args.overwrite, flag="--picture")
    return out, picture


@contextlib.contextmanager
def _warnings_as_notes() -> Iterator[None]:
    """Say what was mended in a store in a sentence, as errors are said."""
    from lindyn.sweeps.store import StoreWarning

    with warnings.catch_warnings():
        other = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any) -> None:
            if issubclass(category, StoreWarning):
                print(f"lindyn: {message}", file=sys.stderr)
            else:
                other(message, category, *where)

        warnings.simplefilter("always", StoreWarning)
        warnings.showwarning = show  # type: ignore[assignment]
        yield


def _parameters(args: argparse.Namespace) -> dict[str, Any]:
    """Return what the flags give: numbers, arrays and words."""
    from lindyn.sweeps.axes import PRACTICES, span

    given: dict[str, Any] = {}
    for name, flag, text in TABLE.ranges(args):
        words = text.split(",")
        if name == "s" and text.isalpha():
            given[name] = text
        elif name == "tau" and (text.isalpha() or all(word in PRACTICES for word in words)):
            given[name] = words if len(words) > 1 else text
        else:
            given[name] = span(text, flag)
    return given


def _sweep(model: SweepModel, given: dict[str, Any], out: Path, scheduler: str | None) -> Any:
    from lindyn.sweeps.execution import connect

    store = None if out.suffix == ".nc" else out
    with contextlib.nullcontext() if scheduler is None else connect(scheduler) as client:
        return model.call(**given, store=store, client=client)


def _write(ds: Any, out: Path, picture: Path, command: str, model: SweepModel) -> Path | None:
    """Write the map and its picture, together where they stand in one folder; return the picture's path, if any."""
    drawn = picture if any(axis != "seed" or n > 1 for axis, n in ds["outcome"].sizes.items()) else None
    if out.suffix != ".nc":
        return drawn and model.draw(ds, drawn, command)
    ds.attrs["command"] = command
    beside = picture.parent.resolve() == out.parent.resolve()
    gone = [picture.name] if beside else []  # of another sweep: it would stand beside these numbers
    with _files.together(out.parent, gone=gone, what="the map") as fresh:
        ds.to_netcdf(fresh / out.name, engine="scipy")
        if drawn is not None:
            model.draw(ds, fresh / drawn.name if beside else drawn, command)
    return drawn


def report(ds: Any, out: Path, picture: Path, command: str, model: SweepModel = MODELS["mode"]) -> int:
    """Write and draw the map, print the reading, return the exit code."""
    text, failed = model.read(ds)
    drawn = _write(ds, out, picture, command, model)
    print(text)
    if drawn is None:
        meanings = ds["outcome"].attrs["flag_meanings"].split()
        print(f"One run: {model.one(ds)}; {meanings[ds['outcome'].item()]}. Give a range for a map.")
    print(f"Wrote {out}{f' and {drawn}' if drawn else ''}.")
    return 1 if failed else 0
