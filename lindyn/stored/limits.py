"""How large, how deep and how many what is read may be, known before room is made for it; text, JSON and TOML.

A stranger's file may say that it holds more than there is memory, or nest until Python's stack ends. What a file says
of its content is held against the file itself: stored as it is it cannot be larger than the file; packed it may be
`PACKED` times as large, or `SMALL` bytes, whichever is more.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

SMALL = 1 << 28  # bytes that any file may unpack to
PACKED = 20  # times its own size that a file may unpack to; numbers of real networks and features pack to a half
TEXT = 1 << 26  # bytes of a JSON file
TABLES = 1 << 20  # bytes of a TOML file
TRACE = 1 << 30  # bytes of a trace
DEPTH = 100  # containers within containers
COUNT = 1_000_000  # entries of a file, all containers together
IMAGE = 1 << 27  # pixels of an image


def unpacked(size: int) -> int:
    """Return the bytes that a file of this size may unpack to."""
    return max(SMALL, PACKED * size)


def check_unpacked(path: str | Path, declared: int, what: str = "its content") -> None:
    """Raise ValueError where a file says that it unpacks to more than it may."""
    size = os.path.getsize(path)
    if declared > unpacked(size):
        raise ValueError(
            f"it has {sized(size)} and says that {what} takes {sized(declared)}, which is not unpacked; save it "
            "without compression"
        )


def check_size(path: str | Path, most: int) -> None:
    """Raise ValueError where a file is larger than its kind ever is."""
    size = os.path.getsize(path)
    if size > most:
        raise ValueError(f"{path} has {sized(size)}; more than {sized(most)} are not read. Is it the right file?")


def sized(count: float) -> str:
    """Return a number of bytes in words."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def read_text(path: str | Path, most: int = TEXT, errors: str = "strict") -> str:
    """Return a text file, UTF-8.

    Raises:
        ValueError: larger than `most` bytes, or no text.
        OSError: it cannot be read.
    """
    check_size(path, most)
    return Path(path).read_text(encoding="utf-8", errors=errors)


def read_json(path: str | Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        ValueError: too large, too deep, or no JSON.
        OSError: it cannot be read.
    """
    return parsed(json.loads, read_text(path))


def read_toml(text: str) -> dict[str, Any]:
    """Return what a text in TOML holds.

    Raises:
        ValueError: too large, too deep, or no TOML.
    """
    import tomllib

    if len(text) > TABLES:
        raise ValueError(f"it has {sized(len(text))}; a configuration has at most {sized(TABLES)}")
    return parsed(tomllib.loads, text)


def parsed(parse: Callable[[str], Any], text: str) -> Any:
    """Return what a text holds, unless it is nested too deeply.

    Raises:
        ValueError: not what `parse` reads, or nested too deeply.
    """
    try:
        found = parse(text)
    except (RecursionError, MemoryError) as error:
        raise ValueError("it is nested too deeply") from error
    if depth(found) > DEPTH:
        raise ValueError(f"it is nested more than {DEPTH} times")
    return found


def depth(value: Any) -> int:
    """Return how deeply containers are nested, up to one more than `DEPTH`."""
    level, inside = 0, [value]
    while level <= DEPTH:
        inside = [
            entry
            for one in inside
            if isinstance(one, dict | list)
            for entry in (one.values() if isinstance(one, dict) else one)
            if isinstance(entry, dict | list)
        ] or ([] if not any(isinstance(one, dict | list) for one in inside) else [None])
        if not inside:
            break
        level += 1
    return level


class BoundedFile:
    """A file that gives no more than it has, and each byte a few times at most: what asks for more is damaged.

    Args:
        file: open for reading, seekable.
        times: how often its size may be read, all reads together.
    """

    def __init__(self, file: Any, times: float = 2.0) -> None:
        self.file = file
        self.size = file.seek(0, os.SEEK_END)
        file.seek(0)
        self.left = times * self.size + 4096

    def read(self, count: int = -1) -> bytes:
        """Return so many bytes.

        Raises:
            ValueError: there are not so many.
        """
        rest = max(self.size - self.file.tell(), 0)
        count = rest if count is None or count < 0 else int(count)
        if count > rest:
            raise ValueError(f"it says that {sized(count)} follow and ends after {sized(rest)}")
        self.left -= count
        if self.left < 0:
            raise ValueError("it says that the same bytes stand for many things")
        return self.file.read(count)

    def readline(self, limit: int = -1) -> bytes:
        """Return a line, of a length that lines have."""
        line = self.file.readline(TABLES if limit is None or limit < 0 else limit)
        if len(line) == TABLES:
            raise ValueError("it has a line without end")
        return line

    def seek(self, place: int, whence: int = 0) -> int:
        """Go to a place."""
        return self.file.seek(place, whence)

    def tell(self) -> int:
        """Return the place."""
        return self.file.tell()

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    @property
    def closed(self) -> bool:
        """Whether it is closed."""
        return bool(self.file.closed)
