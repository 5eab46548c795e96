"""The numbers of a picture as one CSV: a row per point, a column per quantity, the series it belongs to in front."""

import contextlib
import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Series = Mapping[str, Mapping[str, Any]]
"""Series -> column -> values, all columns of a series of one length."""


def csv_text(series: Series, command: str = "") -> str:
    """Return the numbers as CSV; each is written so that reading it gives the same bits.

    Args:
        series: by name; columns that a series lacks stay empty.
        command: line that made them, kept as a comment in the first line.
    """
    columns = list(dict.fromkeys(name for part in series.values() for name in part))
    text = io.StringIO()
    if command:
        text.write(f"# {command}\n")
    out = csv.writer(text, lineterminator="\n")
    out.writerow(["series", *columns])
    for name, part in series.items():
        rows = zip(*(part[column] for column in part), strict=True)
        places = [columns.index(column) for column in part]
        for row in rows:
            cells = [""] * len(columns)
            for place, value in zip(places, row, strict=True):
                cells[place] = (
                    value if isinstance(value, str) else repr(value.item() if hasattr(value, "item") else value)
                )
            out.writerow([name, *cells])
    return text.getvalue()


def write_csv(path: Path, series: Series, command: str = "") -> Path:
    """Write the numbers whole or not at all."""
    from lindyn import _files

    _files.write(path, csv_text(series, command))
    return path


def read_csv(path: Path | str) -> dict[str, dict[str, list[Any]]]:
    """Return what `write_csv` wrote: series -> column -> numbers, words where they are none."""
    found: dict[str, dict[str, list[Any]]] = {}
    lines = [line for line in Path(path).read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    for row in csv.DictReader(lines):
        part = found.setdefault(row.pop("series"), {})
        for column, cell in row.items():
            if cell != "":
                part.setdefault(column, []).append(_value(cell))
    return found


def _value(cell: str) -> Any:
    with contextlib.suppress(ValueError):
        return float(cell)
    return cell
