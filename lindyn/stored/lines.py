"""JSON lines that grow one by one, each with a checksum of itself as its last entry, "crc".

A file that was written before lines had one is read too; once one has it, those after it must have it.
"""

import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lindyn import _files

LONGEST = 1 << 23  # bytes of a line
_SEAL = re.compile(rb', "crc": "([0-9a-f]{8})"\}\s*$')


class LineError(ValueError):
    """A line that is no record, or not the one that was written."""


def sealed(record: dict[str, Any]) -> str:
    """Return a record as a line, with its checksum and its end."""
    text = json.dumps(record, allow_nan=False)
    return f'{text[:-1]}, "crc": "{zlib.crc32(text.encode()):08x}"}}\n'


def append(path: str | Path, record: dict[str, Any]) -> None:
    """Append a record to a file, whole or not at all.

    Raises:
        OSError: it cannot be written; the file is as it was.
    """
    _files.append(path, sealed(record))


def record_of(line: bytes, must: bool = False) -> tuple[dict[str, Any], bool]:
    """Return (a line's record, whether it had a checksum).

    Args:
        line: without its end.
        must: a line without checksum is damaged.

    Raises:
        LineError: no JSON object, too long or too deep, or not what its checksum says.
    """
    found = _SEAL.search(line)
    if len(line) > LONGEST or (must and found is None):
        raise LineError("it has no checksum" if must and found is None else "it is too long")
    text = line if found is None else line[: found.start()] + b"}"
    if found is not None and zlib.crc32(text) != int(found[1], 16):
        raise LineError("its checksum differs")
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:  # not JSON, bytes that are no text, or nested too deeply
        raise LineError("it is no JSON") from error
    if not isinstance(record, dict):
        raise LineError("it is no record")
    return record, found is not None


def read(path: str | Path) -> Iterator[tuple[int, bytes, dict[str, Any] | str]]:
    """Yield (number from 1, line with its end, its record or what is wrong with it) of every line that is not empty."""
    must = False
    with open(path, "rb") as file:
        for number in range(1, 1 << 62):
            line = file.readline(LONGEST + 2)
            if not line:
                return
            if not line.strip():
                continue
            try:
                record, had = record_of(line.rstrip(b"\r\n"), must)
            except LineError as error:
                yield number, line, str(error)
                continue
            must = must or had
            yield number, line, record
