"""Writes the trace of a run (`trace`), reading by reading; a run that goes on first drops what lies ahead of it."""

import os
from pathlib import Path
from typing import Any

import lindyn
from lindyn import _files
from lindyn.bridge.watch import trace
from lindyn.bridge.watch.trace import KEY, QUANTITIES, SCHEMA
from lindyn.stored import lines


class TraceWriter:
    """Appends readings to a trace; opens the file for every line, so that nothing is lost with the process.

    Args:
        path: of the file; made with its folder, or appended to where it is a trace already.
        configuration: how the readings are taken, JSON values.
        resume: whether an existing trace may be appended to.
        after: an interrupted run goes on after this step, as if nothing had been: later readings and damaged lines are
            dropped, and no new start is written.

    Raises:
        ValueError: a folder that cannot be written, a file that is no trace, an existing one with resume=False.
        OSError: the disk is full.
    """

    def __init__(
        self, path: str | os.PathLike, configuration: dict[str, Any], resume: bool = True, after: int | None = None
    ):
        self.path = Path(path)
        self.last: dict[str, Any] | None = None
        self.dropped: list[int] = []
        header = {KEY: SCHEMA, "lindyn": lindyn.__version__, "configuration": configuration, "time": "optimiser steps"}
        goes_on = False
        if self.path.is_file() and not _barely_begun(self.path):
            if not resume:
                raise ValueError(f"path is a file already: {self.path}; choose another, or resume=True to append.")
            if after is not None:
                self.dropped, there = _set_back(self.path, after)
                goes_on = there is not None and {name: there.get(name) for name in header} == header
            if self.path.stat().st_size:
                records = trace.readings(self.path)[1]
                self.last = records[-1] if records else None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _drop_cut_off_line(self.path)
            if not goes_on:
                units = {name: quantity.unit for name, quantity in QUANTITIES.items()}
                lines.append(self.path, {**header, "units": units})
        except _files.DiskFull:
            raise
        except OSError as error:
            raise ValueError(
                f"path must be a file that can be written; got {self.path} ({error.strerror}). Choose another folder."
            ) from error

    def write(self, record: dict[str, Any]) -> None:
        """Append one reading, a dict with `step`; numbers keep 7 digits, NaN becomes null."""
        lines.append(self.path, {name: trace.plain(value) for name, value in record.items()})


def _set_back(path: Path, step: int) -> tuple[list[int], dict[str, Any] | None]:
    """Drop the readings after a step and damaged lines; return (numbers of damaged lines, the last header, if any)."""
    kept, wrong, header = [], [], None
    content = list(lines.read(path))
    for number, line, record in content:
        if isinstance(record, str):
            if number < content[-1][0] or line.endswith(b"\n"):
                wrong.append(number)
        elif KEY in record or (header is not None and isinstance(record.get("step"), int) and record["step"] <= step):
            header = record if KEY in record else header
            kept.append(line if line.endswith(b"\n") else line + b"\n")
    _files.write(path, b"".join(kept))
    return wrong, header


def _is_whole(line: bytes) -> bool:
    """Return whether a line is a header or a reading."""
    try:
        entry = lines.record_of(line)[0]
    except lines.LineError:
        return False
    return KEY in entry or isinstance(entry.get("step"), int)


def _barely_begun(path: Path) -> bool:
    """Return whether a file is empty or holds a part of its first header only."""
    content = path.read_bytes()
    return not content or (b"\n" not in content and content.startswith(f'{{"{KEY}"'.encode()[: len(content)]))


def _drop_cut_off_line(path: Path) -> None:
    """Cut the file back to its last whole line, so that what is appended starts on a line of its own."""
    if not path.is_file():
        return
    with path.open("rb+") as file:
        content = file.read()
        start = content.rfind(b"\n") + 1
        if _is_whole(content[start:]):
            file.write(b"\n")  # whole, but for its end
        else:
            file.truncate(start)
