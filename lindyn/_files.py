"""Files and folders that appear whole or not at all: written beside their place, then moved there.

A draft's name tells who writes it, so that those of killed processes can be told and are removed by the next writer.

The commands import this before they are asked for anything, so what it needs itself is loaded late.
"""

import contextlib
import functools
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

DRAFT = re.compile(r"\.(?P<name>.+?)(?:\.(?P<machine>[0-9a-f]{8})-(?P<pid>\d{1,9})-[0-9a-f]{8}|\.\d+)\.draft")
QUIET = 24 * 3600.0  # seconds after which a draft of another machine is nobody's


@contextlib.contextmanager
def draft(path: str | Path, sync: bool = False, tidy: bool = True) -> Iterator[Path]:
    """Give a name beside `path` to write to; the file moves to `path` when the block ends, and goes when it fails.

        with draft("run.nc") as file:
            data.to_netcdf(file)

    A link is followed, so the file it points to is replaced. What is no file (a terminal, a pipe) is written to itself.

    Args:
        path: of the file; its folder is there.
        sync: wait until the file is on the disk before it takes its place.
        tidy: first remove the drafts of this file that killed processes left.

    Yields:
        The path of the draft.

    Raises:
        OSError: the draft cannot be moved; `path` is as it was.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        yield path
        return
    path = Path(os.path.realpath(path))
    if tidy:
        remove_dead_drafts(path.parent, path.name)
    beside = _beside(path)
    try:
        yield beside
        if sync:
            to_disk(beside)
        beside.replace(path)
        if sync:
            to_disk(path.parent)
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


def write(path: str | Path, content: str | bytes, sync: bool = False, tidy: bool = True) -> Path:
    """Write a file whole or not at all; text as UTF-8.

    Args:
        path: of the file; its folder is there.
        content: all of it.
        sync: wait until it is on the disk.
        tidy: as in `draft`.

    Returns:
        The path.

    Raises:
        OSError: it cannot be written; an earlier file is as it was.
    """
    with draft(path, sync, tidy) as file:
        file.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return Path(path)


def write_json(path: str | Path, content: Any) -> Path:
    """Write a JSON file, whole or not at all, and the folders above it.

    Raises:
        OSError: it cannot be written; an earlier file is as it was.
    """
    import json

    Path(path).parent.mkdir(parents=True, exist_ok=True)
    return write(path, json.dumps(content, indent=1) + "\n")


@contextlib.contextmanager
def draft_folder(path: str | Path, sync: bool = False) -> Iterator[Path]:
    """Give a new folder beside `path` to fill; it moves to `path` when the block ends, and goes when it fails.

    Args:
        path: of the folder; nothing, or an empty folder, is there.
        sync: wait until all of it is on the disk before it takes its place.

    Yields:
        The path of the draft.

    Raises:
        OSError: the draft cannot be made or moved, or `path` is a folder that holds something.
    """
    import shutil

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_dead_drafts(path.parent, path.name)
    beside = _beside(path)
    try:
        beside.mkdir()
        yield beside
        if sync:
            for place in (*beside.rglob("*"), beside):
                to_disk(place)
        if path.exists():
            path.rmdir()
        beside.rename(path)
        if sync:
            to_disk(path.parent)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def write_folder(folder: str | Path, files: Mapping[str, str | bytes], what: str = "the files") -> Path:
    """Write files into a folder; either all of them are there afterwards, or the folder is as it was.

    They are written into a folder beside it and moved when they are complete. Files and folders of the same names are
    replaced as a whole ("figures/" holds no picture of an earlier report), others stay.

    Args:
        folder: made where it is not there.
        files: content by path in the folder ("report.html", "figures/spectra.png").
        what: is written, for the message.

    Returns:
        The folder.

    Raises:
        ValueError: `folder` is a file.
        OSError: it could not be written; nothing was changed.
    """
    import shutil

    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"out must be a folder; {folder} is a file. Choose another.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    remove_dead_drafts(folder.parent, folder.name)
    beside = _beside(folder)
    try:
        fresh, old = beside / "new", beside / "old"
        fresh.mkdir(parents=True)
        for name, content in files.items():
            path = fresh / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        if folder.exists():
            _exchange(folder, fresh, old)
        else:
            fresh.rename(folder)
    except OSError as error:
        why = error.strerror or error
        raise OSError(f"Cannot write {what} into {folder}: {why}. Nothing was changed.") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def writable_folder(folder: str | Path) -> Path:
    """Make an output folder and return it.

    Raises:
        OSError: it cannot be made or written to; nothing was changed.
    """
    import tempfile

    folder = Path(folder)
    what = "make"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        what = "write to"
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".lindyn-"):
            pass
    except OSError as error:
        raise OSError(
            f"Cannot {what} the output folder {folder}: {error.strerror}. Choose another with --out."
        ) from error
    return folder


def to_disk(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_dead_drafts(folder: Path, name: str | None = None) -> None:
    """Remove what killed processes left half-written in a folder; drafts of writers that may still live stay.

    Args:
        folder: where to look.
        name: of the file or folder whose drafts are meant, default any.
    """
    with contextlib.suppress(OSError):
        for entry in list(os.scandir(folder)):
            found = DRAFT.fullmatch(entry.name)
            if found and name in (None, found["name"]) and _is_dead(entry, found):
                _put_back(Path(entry.path), folder / found["name"])
                _remove(Path(entry.path))


def _beside(path: Path) -> Path:
    """Return the name of a draft: machine, process and chance, for two machines or threads may write one file."""
    return path.with_name(f".{path.name}.{_machine()}-{os.getpid()}-{os.urandom(4).hex()}.draft")


@functools.cache
def _machine() -> str:
    """Return eight digits for where process numbers are what they are here: this machine, or this container."""
    import platform
    import zlib

    numbers = 0
    with contextlib.suppress(OSError):
        numbers = os.stat("/proc/self/ns/pid").st_ino
    return f"{zlib.crc32(f'{platform.node()} {numbers}'.encode()):08x}"


def _is_dead(entry: os.DirEntry, found: re.Match) -> bool:
    """Whether nobody writes a draft any more: its process is gone, or, where that cannot be told, it is a day old."""
    import time

    if found["machine"] == _machine() and os.name == "posix":
        try:
            os.kill(int(found["pid"]), 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return False
    return time.time() - entry.stat(follow_symlinks=False).st_mtime > QUIET


def _put_back(draft_: Path, folder: Path) -> None:
    """Put back what `write_folder` had moved out of a folder when it was killed."""
    old = draft_ / "old"
    if old.is_dir() and (draft_ / "new").is_dir() and folder.is_dir():
        for entry in old.iterdir():
            if not (folder / entry.name).exists():
                entry.rename(folder / entry.name)


def _exchange(folder: Path, fresh: Path, old: Path) -> None:
    """Put the entries of `fresh` in place of those in `folder`, and back where one of them cannot be moved."""
    old.mkdir()
    done: list[str] = []
    try:
        for entry in sorted(fresh.iterdir()):
            if (folder / entry.name).exists():
                (folder / entry.name).rename(old / entry.name)
            done.append(entry.name)
            entry.rename(folder / entry.name)
    except OSError:
        for name in done:
            _remove(folder / name)
            if (old / name).exists():
                (old / name).rename(folder / name)
        raise


def _remove(path: Path) -> None:
    import shutil

    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
