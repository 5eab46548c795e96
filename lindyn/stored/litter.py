"""Drafts: names that say who writes them, so that those of killed processes can be told from those being written."""

import contextlib
import functools
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

NEW, OLD, READY = "new", "old", "ready"
DRAFT = re.compile(r"\.(?P<name>.+?)(?:\.(?P<machine>[0-9a-f]{8})-(?P<pid>\d{1,9})-[0-9a-f]{8}|\.\d+)\.draft")
QUIET = 24 * 3600.0  # seconds after which a draft of another machine is nobody's
_OPEN: set[str] = set()


@functools.cache
def machine() -> str:
    """Return eight digits for where process numbers are what they are here: this machine, or this container."""
    import platform
    import zlib

    numbers = 0
    with contextlib.suppress(OSError):
        numbers = os.stat("/proc/self/ns/pid").st_ino
    return f"{zlib.crc32(f'{platform.node()} {numbers}'.encode()):08x}"


def beside(path: Path) -> Path:
    """Return the name of a draft: machine, process and chance, for two machines or threads may write one file."""
    return path.with_name(f".{path.name[:180]}.{machine()}-{os.getpid()}-{os.urandom(4).hex()}.draft")


@contextlib.contextmanager
def alive(path: Path) -> Iterator[None]:
    """Mark a draft as being written by this process."""
    name = os.path.realpath(path)
    _OPEN.add(name)
    try:
        yield
    finally:
        _OPEN.discard(name)


def remove_dead_drafts(folder: Path, name: str | None = None) -> None:
    """Remove what killed processes left half-written in a folder; drafts of writers that may still live stay.

    A set of results that was being moved in when its writer was killed is moved in whole.

    Args:
        folder: where to look.
        name: of the file or folder whose drafts are meant, default any.
    """
    with contextlib.suppress(OSError):
        for entry in list(os.scandir(folder)):
            found = DRAFT.fullmatch(entry.name)
            if found and name in (None, found["name"]) and _is_dead(entry, found):
                with contextlib.suppress(OSError):
                    _end(Path(entry.path), folder)
                _remove(Path(entry.path))


def _is_dead(entry: os.DirEntry, found: re.Match) -> bool:
    """Whether nobody writes a draft any more: its process is gone, or, where that cannot be told, it is a day old."""
    changed = entry.stat(follow_symlinks=False).st_mtime
    if found["machine"] != machine() or os.name != "posix":  # elsewhere asking would end the process
        return time.time() - changed > QUIET
    number = int(found["pid"])
    if number == os.getpid():  # a container that starts again gives the same number
        return os.path.realpath(entry.path) not in _OPEN
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return _started(number) > changed + 2.0  # its number belongs to another process now


def _started(number: int) -> float:
    """Return when a process started; 0 where the system does not say."""
    try:
        ticks = float(Path(f"/proc/{number}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])
        boot = next(line for line in Path("/proc/stat").read_text(encoding="utf-8").splitlines() if "btime" in line)
        return float(boot.split()[1]) + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, StopIteration):
        return 0.0


def take_over(folder: Path, beside: Path, gone: list[str]) -> None:
    """Put what stands in `beside`/new in place of what `folder` has, and back where one of them cannot be moved.

    Args:
        folder: where it goes.
        beside: a draft in it.
        gone: names in `folder` that go away.

    Raises:
        OSError: something could not be moved; the folder is as it was.
    """
    fresh, old = beside / NEW, beside / OLD
    old.mkdir()
    (beside / READY).write_text("\n".join(gone), encoding="utf-8")
    names = sorted({entry.name for entry in fresh.iterdir()} | {name for name in gone if (folder / name).exists()})
    done: list[str] = []
    try:
        for name in names:
            if (folder / name).exists():
                (folder / name).rename(old / name)
            done.append(name)
            if (fresh / name).exists():
                (fresh / name).rename(folder / name)
    except OSError:
        (beside / READY).unlink()
        for name in done:
            _remove(folder / name)
            if (old / name).exists():
                (old / name).rename(folder / name)
        raise


def _end(beside: Path, folder: Path) -> None:
    """Move in what a killed process had not moved yet."""
    if not (beside / READY).is_file():
        return
    old = beside / OLD
    for name in (beside / READY).read_text(encoding="utf-8").splitlines():
        if not (old / name).exists() and (folder / name).exists():
            (folder / name).rename(old / name)
    for entry in list((beside / NEW).iterdir()):
        if (folder / entry.name).exists():
            _remove(folder / entry.name)
        entry.rename(folder / entry.name)


def _remove(path: Path) -> None:
    import shutil

    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
