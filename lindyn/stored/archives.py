"""Zip files and arrays of numpy: what they declare is held against the file before room is made for it.

A zip file may say that its entries are links, that two of them share their bytes, or that they unpack to thousands of
times their size; an array's header may say any shape. Objects are never made.
"""

import contextlib
import io
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lindyn.stored import limits

DAMAGED = (OSError, EOFError, LookupError, NotImplementedError, ArithmeticError, MemoryError, RecursionError, TypeError,
           SyntaxError, RuntimeError, struct.error, zlib.error, zipfile.BadZipFile)  # fmt: skip
"""What numpy, zipfile and the memory map bring up on a damaged file, beside ValueError."""
KINDS = "biufcSU"  # of numbers and words; no objects, nothing with fields
_END = struct.Struct("<4s4H2LH")
_LARGE = struct.Struct("<4sQ2H2L4Q")
_LINK = 0o120000


@contextlib.contextmanager
def archive(path: str | Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip file whose directory of contents is sound.

    Raises:
        ValueError: too many entries, links, entries that overlap or stand twice, too much to unpack.
        zipfile.BadZipFile: no whole zip file.
    """
    _check_end(path)
    with zipfile.ZipFile(path) as opened:
        entries = opened.infolist()
        if len({entry.filename for entry in entries}) < len(entries):
            raise ValueError("it has two entries of one name")
        if any((entry.external_attr >> 16) & 0o170000 == _LINK for entry in entries):
            raise ValueError("it has a link among its entries; links are not followed")
        if any(entry.flag_bits & 1 for entry in entries):
            raise ValueError("it is encrypted")
        if sum(entry.compress_size for entry in entries) > os.path.getsize(path):
            raise ValueError("it has entries that share their bytes")
        limits.check_unpacked(path, sum(entry.file_size for entry in entries))
        yield opened


def _check_end(path: str | Path) -> None:
    """Raise unless the file ends with the directory of contents that every reader of zip files finds.

    Readers disagree where the end has a comment, or where the directory is not where the end says: what one of them
    checked another would not read.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        file.seek(max(size - _END.size, 0))
        end = file.read(_END.size)
        if len(end) < _END.size or end[:4] != b"PK\x05\x06" or end[-2:] != b"\0\0":
            raise zipfile.BadZipFile("it ends before its directory of contents")
        _, _, _, _, count, length, start, _ = _END.unpack(end)
        place = size - _END.size
        file.seek(max(place - 20, 0))
        locator = file.read(20)
        if locator[:4] == b"PK\x06\x07":
            place = struct.unpack("<Q", locator[8:16])[0]
            file.seek(min(place, size))
            large = file.read(_LARGE.size)
            if len(large) < _LARGE.size or large[:4] != b"PK\x06\x06" or place + _LARGE.size != size - 42:
                raise zipfile.BadZipFile("its directory of contents is damaged")
            count, length, start = _LARGE.unpack(large)[7:]
    if start + length != place:
        raise zipfile.BadZipFile("its directory of contents is not where its end says")
    if count > limits.COUNT // 10 or length > 200 * (count + 1) + 65536:
        raise ValueError(f"it has {count} entries in its directory of contents; that many are not read")


def arrays(path: str | Path, names: Any = None) -> dict[str, np.ndarray]:
    """Return the arrays of an .npz file by name, all or those that `names` (a function of the list) chooses.

    Raises:
        ValueError: no .npz file, a damaged one, objects instead of numbers, shapes that the file cannot hold.
    """
    try:
        with archive(path) as opened:
            inside = {entry.filename.removesuffix(".npy"): entry for entry in opened.infolist()}
            chosen = list(inside) if names is None else names(list(inside))
            return {name: _array(opened, inside[name]) for name in chosen}
    except DAMAGED as error:
        raise ValueError(_words(error)) from error


def _array(opened: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    stream: Any = opened.open(entry)
    with stream as file:
        shape, fortran, dtype = _header(file)
        count = _check_shape(shape, dtype, entry.file_size - file.tell(), entry.filename)
        content = bytearray(count * dtype.itemsize)
        rest = memoryview(content)
        while rest:
            got = file.readinto(rest)
            if not got:
                raise EOFError("it ends too early")
            rest = rest[got:]
    flat = np.frombuffer(content, dtype=dtype, count=count) if count else np.empty(0, dtype)
    return flat.reshape(shape, order="F" if fortran else "C")


def mapped(path: str | os.PathLike) -> np.ndarray:
    """Return the array of an .npy file, mapped into memory, so that it may be larger than it.

    Raises:
        ValueError: no .npy file, a damaged one, objects instead of numbers, a shape that the file cannot hold.
    """
    try:
        with open(path, "rb") as file:
            shape, _, dtype = _header(file)
            _check_shape(shape, dtype, os.path.getsize(path) - file.tell(), "it")
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except DAMAGED as error:
        raise ValueError(_words(error)) from error


def array(path: str | os.PathLike) -> np.ndarray:
    """Return the array of an .npy file, in memory; see `mapped`."""
    return np.array(mapped(path))


def _header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    start = file.read(8)
    if len(start) < 8:
        raise EOFError("it ends before its header")
    version = np.lib.format.read_magic(io.BytesIO(start))
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read(file)


def _check_shape(shape: tuple[int, ...], dtype: np.dtype, room: int, name: str) -> int:
    """Return how many entries an array has, if they are numbers or words and the file holds them."""
    if dtype.kind not in KINDS or dtype.hasobject:
        what = "Python objects" if dtype.hasobject else f"entries of type {dtype}"
        raise ValueError(f"{name} holds {what}, not numbers")
    count = 1
    for length in shape:
        if length < 0:
            raise ValueError(f"{name} has the shape {shape}")
        count *= length
    if count * dtype.itemsize != room:
        wanted, there = limits.sized(count * dtype.itemsize), limits.sized(max(room, 0))
        raise ValueError(f"{name} says that it has the shape {shape}, {wanted}, and holds {there}")
    return count


def _words(error: BaseException) -> str:
    text = str(error).partition("\n")[0].strip("'\"")
    return text if text and not isinstance(error, MemoryError | RecursionError) else "it does not fit in memory"
