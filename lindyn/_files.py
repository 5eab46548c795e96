"""Files and folders that appear whole or not at all: written beside their place, then moved there.

What is written is on the disk before it takes its place. A full disk is named, whatever library met it. What a killed
process left goes when the next one writes in the same folder. The commands import this before they are asked for
anything, so what it needs itself is loaded late. Where a run may write is
decided in `outputs.places`.
"""

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lindyn.stored import litter, sums
from lindyn.stored.litter import remove_dead_drafts

FULL = (errno.ENOSPC, errno.EDQUOT)
_LEFT = 65536  # bytes; with less than that a disk counts as full where the error does not say


class DiskFull(OSError):  # noqa: N818  it says what is the matter
    """There is no room where a file was to be written; `strerror` is "the disk of FOLDER is full"."""

    def __str__(self) -> str:
        return f"T{str(self.strerror)[1:]}. Make room there, or choose another folder."


@contextlib.contextmanager
def full_disk_named(folder: str | Path) -> Iterator[None]:
    """Raise `DiskFull` for what a full disk makes of any library's writing into a folder."""
    try:
        yield
    except Exception as error:
        if _is_full(error, Path(folder)):  # of two folders the outer one has the name that the user knows
            raise DiskFull(errno.ENOSPC, f"the disk of {folder} is full") from error
        raise


def _is_full(error: BaseException, folder: Path) -> bool:
    """Return whether an error, or one behind it, comes from a full disk (torch: "unexpected pos"; HDF5: in words)."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in FULL:
            return True
        if any(os.strerror(number) in str(seen) for number in FULL):
            return True
        seen = seen.__cause__ or seen.__context__
    if not isinstance(error, OSError | RuntimeError) or getattr(error, "errno", None) is not None:
        return False
    try:
        disk = os.statvfs(folder)
    except (OSError, AttributeError):
        return False
    return disk.f_blocks > 0 and disk.f_bavail * disk.f_frsize < _LEFT


@contextlib.contextmanager
def draft(path: str | Path, sync: bool = True, tidy: bool = True, summed: bool = False) -> Iterator[Path]:
    """Give a name beside `path` to write to; the file moves to `path` when the block ends, and goes when it fails.

        with draft("run.nc") as file:
            data.to_netcdf(file)

    A link is followed, so the file it points to is replaced. What is no file (a terminal, a pipe) is written to itself.

    Args:
        path: of the file; its folder is there.
        sync: wait until the file is on the disk before it takes its place.
        tidy: first remove the drafts of this file that killed processes left.
        summed: keep the file's checksum in `SHA256SUMS` beside it, for `stored.sums.is_sound`.

    Yields:
        The path of the draft.

    Raises:
        DiskFull: there is no room; `path` is as it was.
        OSError: the draft cannot be moved; `path` is as it was.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        yield path
        return
    path = Path(os.path.realpath(path))
    if tidy:
        remove_dead_drafts(path.parent, path.name)
    beside = litter.beside(path)
    try:
        with full_disk_named(path.parent), litter.alive(beside):
            yield beside
            if sync:
                to_disk(beside)
            during, after = _noted(path, sums.sha256(beside)) if summed else ("", "")
            if summed:
                write(path.parent / sums.SUMS, during)
            beside.replace(path)
            if sync:
                to_disk(path.parent)
            if after != during:
                write(path.parent / sums.SUMS, after)
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


def write(path: str | Path, content: str | bytes, sync: bool = True, tidy: bool = True, summed: bool = False) -> Path:
    """Write a file whole or not at all; text as UTF-8.

    Args:
        path: of the file; its folder is there.
        content: all of it.
        sync: wait until it is on the disk.
        tidy: as in `draft`.
        summed: keep its checksum beside it, for `stored.sums.is_sound`.

    Returns:
        The path.

    Raises:
        OSError: it cannot be written; an earlier file is as it was.
    """
    with draft(path, sync, tidy, summed) as file:
        file.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return Path(path)


def write_json(path: str | Path, content: Any, summed: bool = False) -> Path:
    """Write a JSON file, whole or not at all, and the folders above it.

    Raises:
        OSError: it cannot be written; an earlier file is as it was.
    """
    import json

    with full_disk_named(Path(path).parent):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    return write(path, json.dumps(content, indent=1) + "\n", summed=summed)


def append(path: str | Path, content: str) -> None:
    """Append to a file; what could not be written whole is taken back.

    Raises:
        OSError: it cannot be written; the file is as it was.
    """
    rest = memoryview(content.encode("utf-8"))
    with full_disk_named(Path(path).parent), open(path, "ab", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        try:
            while rest:  # a nearly full disk takes a part first
                rest = rest[file.write(rest) :]
        except OSError:
            with contextlib.suppress(OSError):
                file.truncate(end)
            raise


@contextlib.contextmanager
def draft_folder(path: str | Path, sync: bool = True) -> Iterator[Path]:
    """Give a new folder beside `path` to fill; it moves to `path` when the block ends, and goes when it fails.

    Args:
        path: of the folder; nothing, or an empty folder, is there.
        sync: wait until all of it is on the disk before it takes its place.

    Yields:
        The path of the draft.

    Raises:
        DiskFull: there is no room.
        OSError: the draft cannot be made or moved, or `path` is a folder that holds something.
    """
    import shutil

    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_dead_drafts(path.parent, path.name)
    beside = litter.beside(path)
    try:
        with full_disk_named(path.parent), litter.alive(beside):
            beside.mkdir()
            yield beside
            if sync:
                _all_to_disk(beside)
            if os.name == "nt" and path.exists():  # elsewhere an empty folder is replaced, without a moment in between
                path.rmdir()
            beside.rename(path)
            if sync:
                to_disk(path.parent)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


@contextlib.contextmanager
def together(folder: str | Path, gone: Iterable[str] = (), what: str = "the files") -> Iterator[Path]:
    """Give a folder to fill; its files move into `folder` when the block ends, all of them or none.

    Files and folders of the same names are replaced as a whole, others stay. Where the process is killed in the middle
    of the moves, the next one that writes there ends them.

    Args:
        folder: made where it is not there.
        gone: names in it that go with the old files: they would stand beside results of another run.
        what: is written, for the message.

    Yields:
        The folder to fill.

    Raises:
        ValueError: `folder` is a file.
        OSError: it could not be written; nothing was changed.
    """
    import shutil

    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"out must be a folder; {folder} is a file. Choose another.")
    made = not folder.exists()
    beside = litter.beside(folder / "results")
    try:
        with full_disk_named(folder), litter.alive(beside):
            folder.mkdir(parents=True, exist_ok=True)
            remove_dead_drafts(folder)
            (beside / litter.NEW).mkdir(parents=True)
            yield beside / litter.NEW
            _all_to_disk(beside / litter.NEW)
            litter.take_over(folder, beside, list(gone))
            with contextlib.suppress(OSError):  # everything is in its place
                to_disk(folder)
    except OSError as error:
        raise OSError(f"Cannot write {what} into {folder}: {why(error)}. Nothing was changed.") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        if made:
            with contextlib.suppress(OSError):  # it holds what was written
                folder.rmdir()


def write_folder(folder: str | Path, files: Mapping[str, str | bytes], what: str = "the files") -> Path:
    """Write files into a folder; either all of them are there afterwards, or the folder is as it was.

    Args:
        folder: made where it is not there.
        files: content by path in the folder ("report.html", "figures/spectra.png"); "figures/" is replaced as a whole.
        what: is written, for the message.

    Returns:
        The folder.

    Raises:
        ValueError: `folder` is a file.
        OSError: it could not be written; nothing was changed.
    """
    with together(folder, what=what) as fresh:
        for name, content in files.items():
            path = fresh / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return Path(folder)


def writable_folder(folder: str | Path) -> Path:
    """Make an output folder and return it; what killed processes left in it goes.

    Raises:
        OSError: it cannot be made or written to; nothing was changed.
    """
    folder = Path(folder)
    what = "make"
    try:
        with full_disk_named(folder):
            folder.mkdir(parents=True, exist_ok=True)
            what = "write to"
            remove_dead_drafts(folder)
            probe = litter.beside(folder / "probe")
            probe.touch()
            probe.unlink()
    except OSError as error:
        try:
            os.getcwd()
        except OSError:
            raise OSError("The folder you are in was removed. Go to one that is there (cd), and try again.") from error
        raise OSError(f"Cannot {what} the output folder {folder}: {why(error)}. Choose another with --out.") from error
    return folder


@contextlib.contextmanager
def output_folder(folder: str | Path) -> Iterator[Path]:
    """Make an output folder; where the body ends in an error, what was made and is still empty goes again.

    Raises:
        OSError: it cannot be made or written to; nothing was changed.
    """
    folder = Path(folder)
    fresh = [each for each in (folder, *folder.parents) if not each.exists()]
    writable_folder(folder)
    try:
        yield folder
    except BaseException:
        with contextlib.suppress(OSError):  # not empty
            for each in fresh:
                each.rmdir()
        raise


def why(error: OSError) -> str:
    """Return what went wrong, without its number."""
    return str(error.strerror or error)


def to_disk(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _all_to_disk(folder: Path) -> None:
    for path in folder.rglob("*"):
        to_disk(path)
    to_disk(folder)


def _noted(path: Path, digest: str) -> tuple[str, str]:
    """Return the checksums of a folder with a new one: while the file is moved to its place, and afterwards."""
    before = sums.kept(path.parent)
    after = [*((name, old) for name, old in before if name != path.name), (path.name, digest)]
    return sums.text([*before, (path.name, digest)]), sums.text(after)


def sum_together(fresh: Path, folder: Path, names: Iterable[str]) -> None:
    """Put the checksums of a folder, with those of new files, beside the new files (for `together`)."""
    names = list(names)
    lines = [(name, digest) for name, digest in sums.kept(folder) if name not in names]
    write(fresh / sums.SUMS, sums.text([*lines, *((name, sums.sha256(fresh / name)) for name in names)]))
