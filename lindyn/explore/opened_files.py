"""What the explorer may open: files below the folder that was opened, each told by what is in it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

KINDS = "a trajectory (.nc), a sweep (.nc, .zarr), a trace.jsonl, or a report.json of validate"
Reader = Callable[[Path], tuple[str, Any]]
_NO_NETCDF = (OSError, EOFError, LookupError, TypeError, ValueError, ArithmeticError, MemoryError)
"""What scipy's and xarray's readers make of bytes that are no netCDF file, or a damaged one."""


def below(folder: Path | None, text: str) -> Path:
    """Return the file that a page names.

    Raises:
        ValueError: no folder was opened, the file is not below it (links followed), or is not there.
    """
    if folder is None:
        raise ValueError("No folder was opened: start with lindyn explore FOLDER to look at files in it.")
    root = folder.resolve()
    path = (root / text).resolve()
    if path != root and root not in path.parents:
        raise ValueError(f"{text} is not below the folder that was opened, {folder}.")
    if not path.exists():
        raise ValueError(f"There is no file {text} below {folder}.")
    return path


def opened(path: Path) -> tuple[str, Any]:
    """Return ("trajectory" | "sweep" | "trace" | "report", what is in it).

    Raises:
        ValueError: another kind of file, or a damaged one.
    """
    return reader(path)(path)


def reader(path: Path) -> Reader:
    """Return what reads a file, by its name alone: nothing is read yet.

    Raises:
        ValueError: no kind of file that is shown here.
    """
    if path.suffix in _READERS:
        return _READERS[path.suffix]
    if path.is_dir() and ((path / "zarr.json").exists() or path.suffix == ".zarr"):
        return _store
    raise ValueError(f"{path.name} is no file that is shown here; give {KINDS}.")


def _netcdf(path: Path) -> tuple[str, Any]:
    import xarray

    import lindyn

    found = None
    try:
        with xarray.open_dataset(path, engine="scipy") as ds:
            if "outcome" in ds and "lindyn" not in ds.attrs:
                found = ds.load()
    except _NO_NETCDF:
        pass  # the reader of trajectories says what is the matter
    return ("trajectory", lindyn.load(path)) if found is None else ("sweep", _sweep(path, found))


def _store(path: Path) -> tuple[str, Any]:
    import xarray

    return "sweep", _sweep(path, xarray.open_zarr(path))


def _trace(path: Path) -> tuple[str, Any]:
    from lindyn.bridge.watch.trace import read_trace

    return "trace", read_trace(path)


def _sweep(path: Path, ds: Any) -> Any:
    if "outcome" not in ds or not {"p", "K_min"} <= set(ds):
        raise ValueError(f"{path.name} holds no sweep of modes; give {KINDS}.")
    return ds


def _report(path: Path) -> tuple[str, Any]:
    from lindyn.stored import limits

    try:
        found = json.loads(limits.read_text(path))
    except ValueError as error:
        raise ValueError(f"{path.name} is no JSON: {error}.") from error
    if not isinstance(found, dict) or "lindyn_validation" not in found or "findings" not in found:
        raise ValueError(f"{path.name} is no report of lindyn validate; give {KINDS}.")
    return "report", found


_READERS: dict[str, Reader] = {".nc": _netcdf, ".jsonl": _trace, ".json": _report}
