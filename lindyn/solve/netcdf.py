"""Arrays and words as one netCDF file: lindyn writes and reads it with scipy alone, xarray opens it."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from lindyn import _files
from lindyn.stored import limits

Variables = dict[str, tuple[tuple[str, ...], np.ndarray, dict[str, str]]]
"""Axes, values and attributes of every array, by its name."""
FORMAT = 1
T = TypeVar("T")


class FileError(ValueError):
    """A file that is missing, damaged or not a trajectory."""


def digest(arrays: dict[str, np.ndarray], text: dict[str, str]) -> str:
    """Return a fingerprint of all numbers and attributes, by which damage is noticed."""
    found = hashlib.sha256()
    for name in sorted(arrays):
        found.update(name.encode() + np.ascontiguousarray(arrays[name], dtype=">f8").tobytes())
    for key in sorted(text.keys() - {"sha256"}):
        found.update(key.encode() + text[key].encode())
    return found.hexdigest()


def write(path: Any, variables: Variables, text: dict[str, str]) -> Path:
    """Write one netCDF file; it appears whole or not at all.

    Args:
        path: file to write, by custom `*.nc`; an existing file is replaced.
        variables: names of the axes, values and attributes (long_name, units) of every array.
        text: the attributes.

    Returns:
        The path.

    Raises:
        FileError: the folder is missing or not writable, or the disk is full.
    """
    from scipy.io import netcdf_file

    path = Path(path)
    if not path.parent.is_dir():
        raise FileError(f"Cannot write {path}: the folder {path.parent} does not exist. Make it first.")
    try:
        with _files.draft(path) as beside, netcdf_file(str(beside), "w", version=2) as file:
            for key, value in text.items():
                setattr(file, key, value)
            _write(file, variables)
    except PermissionError as error:
        raise FileError(f"Cannot write {path}: {error.strerror}. Choose a folder you may write to.") from error
    except OSError as error:
        raise FileError(f"Cannot write {path}: {_files.why(error)}.") from error
    return path


def _write(file: Any, variables: Variables) -> None:
    for axes, value, _ in variables.values():
        for axis, size in zip(axes, value.shape, strict=True):
            if axis not in file.dimensions:
                file.createDimension(axis, size)
    for name, (axes, value, told) in variables.items():
        variable = file.createVariable(name, "f8", axes)
        variable[...] = value
        for key, text in told.items():
            setattr(variable, key, text)


def read(path: Any, build: Callable[[dict[str, np.ndarray], dict[str, str]], T]) -> T:
    """Read a file written by `write`.

    Args:
        path: the netCDF file.
        build: of its arrays and its attributes; what it raises counts as damage.

    Returns:
        What `build` made.

    Raises:
        FileError: no such file, damaged, or not written by lindyn.
    """
    from scipy.io import netcdf_file

    path = Path(path)
    if not path.is_file():
        raise FileError(f"No trajectory at {path}: there is no such file.")
    try:
        with path.open("rb") as opened, netcdf_file(limits.BoundedFile(opened), "r", mmap=False) as file:
            wrong = [name for name, variable in file.variables.items() if variable.typecode() != "d"]
            if wrong:
                raise ValueError(f"{wrong[0]} holds no float64 numbers")
            arrays = {name: np.array(variable[...], dtype=np.float64) for name, variable in file.variables.items()}
            text = {key: value.decode() for key, value in file._attributes.items() if isinstance(value, bytes)}
        if text["sha256"] != digest(arrays, text):
            raise ValueError("its contents do not match its fingerprint")
        return build(arrays, text)
    except (
        LookupError,
        TypeError,
        ValueError,
        EOFError,
        AttributeError,
        OSError,
        ArithmeticError,
        MemoryError,
        RecursionError,
    ) as error:
        raise FileError(f"Cannot read {path}: it is damaged or no lindyn trajectory ({error}).") from error
