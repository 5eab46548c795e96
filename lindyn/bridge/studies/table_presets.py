"""Presets: every row of the papers' tables as a training configuration, at the paper's scale, small, and smoke.

`papers_repro/<paper>/configs/` holds one TOML per table. `protocol.toml` is what all tables of a paper share; one has

    [base]        keys on top of the protocol, at every scale
    [small]       keys on top of that, on the embedded images
    [[row]]       claim (of the ledger), name, printed, spread, set = {key = value}, small = {...}, drop = [keys]
    [[line]]      a printed line of rows: along = key, values, names, printed (lists of one length)
    [[pattern]]   what the printed numbers say, in an order any run can show (`lindyn.papers.study_files`)
    curves        over training, which the study in papers_repro keeps
    predict       true: the normalised theory predicts every run before it is trained

The printed numbers are the papers' and are never mixed with measured ones.
"""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lindyn import _checks, papers
from lindyn._option_table import read_tables
from lindyn.bridge import sections
from lindyn.bridge.training.config import TrainConfig
from lindyn.display.brief import Brief

SCALES = ("paper", "small", "smoke")
SHARED = "small.toml"  # in papers_repro/: one small protocol for all papers, so that runs of one are runs of another
_ENTRY = {"claim", "name", "text", "printed", "spread", "top5", "set", "small", "drop", "only", "kind"}
_LINE = _ENTRY - {"name", "spread", "top5"} | {"along", "values", "small_values", "names"}
_TABLE = {
    "title",
    "source",
    "measure",
    "chosen",
    "base",
    "small",
    "kind",
    "row",
    "line",
    "pattern",
    "curves",
    "predict",
}


@dataclass(frozen=True, repr=False)
class StudyRow(Brief):
    """One row of a printed table.

    Args:
        paper: whose.
        table: name of the file, "table3", "fig2".
        claim: id of the ledger's claim that prints it.
        name: its name within that claim.
        text: the same in words.
        printed: the paper's Top-1 %, None where it prints none.
        spread: the paper's standard deviation.
        top5: the paper's Top-5 %.
        only: "paper" if the row has no counterpart at small scale.
        keys: what it sets, by scale.
        predict: whether its runs are predicted before they are trained.
    """

    paper: str
    table: str
    claim: str
    name: str
    text: str
    printed: float | None
    spread: float | None
    top5: float | None
    only: str
    keys: Mapping[str, Mapping[str, Any]] = field(repr=False)
    predict: bool = False

    @property
    def id(self) -> str:
        """Its name among all rows of its paper's table: claim/name."""
        return f"{self.claim}/{self.name}"

    def config(self, scale: str = "paper", **changes: Any) -> TrainConfig:
        """Return the training configuration.

        Args:
            scale: "paper", "small" or "smoke".
            **changes: further keys, sections joined by two underscores (run__seed=1).

        Returns:
            The configuration.

        Raises:
            ValueError: an unknown scale, or a row that exists at the paper's scale only.
        """
        _checks.one_of("scale", scale, SCALES)
        if self.only == "paper" and scale != "paper":
            raise ValueError(f"{self.id} of {self.paper} has no counterpart at scale {scale}; use scale paper.")
        return TrainConfig.of({**self.keys[scale], **{key.replace("__", "."): value for key, value in changes.items()}})


@dataclass(frozen=True, repr=False)
class Table(Brief):
    """One printed table (or figure) with its rows.

    Args:
        paper: whose.
        name: of the file, "table3".
        title: in words.
        source: place in the paper.
        measure: what the printed numbers are.
        chosen: keys that the paper does not print and we chose.
        rows: its rows.
        patterns: what the printed numbers say.
        curves: over training, which the committed study keeps.
    """

    paper: str
    name: str
    title: str
    source: str
    measure: str
    chosen: tuple[str, ...]
    rows: tuple[StudyRow, ...]
    patterns: tuple[dict[str, Any], ...]
    curves: tuple[str, ...] = ()

    def at(self, scale: str) -> tuple[StudyRow, ...]:
        """Return the rows that exist at a scale."""
        return tuple(row for row in self.rows if scale == "paper" or row.only != "paper")


def tables(paper: str) -> list[str]:
    """Return the names of the tables and figures of a paper that have presets.

    Raises:
        ValueError: an unknown paper.
    """
    _checks.one_of("paper", paper, papers.PAPERS)
    found = [path.stem for path in _folder(paper).glob("*.toml") if path.name != "protocol.toml"]
    return sorted(found, key=_order)


def _order(name: str) -> tuple[str, int, str]:
    kind = name.rstrip("0123456789ab")
    digits = "".join(letter for letter in name[len(kind) :] if letter.isdigit())
    return kind, int(digits or 0), name


def table(paper: str, name: str) -> Table:
    """Return a table with its rows.

    Args:
        paper: "tian2021", "grill2020", "richemond2023" or "draganov2025".
        name: "table3", "fig2", "cut", or just "3", "5a", "100" for a table.

    Returns:
        The table.

    Raises:
        ValueError: an unknown paper or table (the message suggests the near one), or a file that does not fit.
    """
    known = tables(paper)
    full = name if name in known else f"table{name}"
    _checks.one_of(f"table of {paper}", full, known)
    return _read(paper, full)


def row(paper: str, table_name: str, row_id: str) -> StudyRow:
    """Return one row by its id, claim/name.

    Raises:
        ValueError: an unknown paper, table or row.
    """
    rows = {one.id: one for one in table(paper, table_name).rows}
    return rows[_checks.one_of(f"row of {paper} {table_name}", row_id, rows)]


def every_row() -> Iterator[StudyRow]:
    """Yield all rows of all tables of all papers."""
    for paper in papers.PAPERS:
        for name in tables(paper):
            yield from table(paper, name).rows


def _folder(paper: str) -> Path:
    return papers.folder(paper) / "configs"


@functools.cache
def _read(paper: str, name: str) -> Table:
    path = _folder(paper) / f"{name}.toml"
    protocol, found, shared = (
        read_tables(p, "the preset")
        for p in (path.with_name("protocol.toml"), path, _folder(paper).parents[1] / SHARED)
    )
    _known(path, "the file", found, _TABLE)
    rows: list[StudyRow] = []
    for entry in [*found.get("row", []), *found.get("line", [])]:
        rows += [_row(paper, name, path, one, (protocol, found, shared)) for one in _entries(path, entry)]
    ids = [one.id for one in rows]
    repeated = sorted({one for one in ids if ids.count(one) > 1})
    if repeated:
        raise ValueError(f"{path}: the rows {', '.join(repeated)} are repeated; give each its own name.")
    chosen = (*protocol.get("chosen", ()), *found.get("chosen", ()))
    for key in chosen:
        _known_key(path, key)
    ledger = {claim.id: tuple(claim.printed) for claim in papers.load(paper)}
    for one in rows:
        _checks.one_of(f"claim in {path.name}", one.claim, ledger)
    first = list(dict.fromkeys(one.claim for one in rows))
    places = {one.id: (first.index(one.claim), _place(one.name, ledger[one.claim])) for one in rows}
    return Table(
        paper, name, found["title"], found["source"], found.get("measure", protocol["measure"]), chosen,
        tuple(sorted(rows, key=lambda one: places[one.id])), tuple(found.get("pattern", ())),
        tuple(found.get("curves", ())),
    )  # fmt: skip


def _place(name: str, printed: tuple[str, ...]) -> int:
    """Return where the paper prints a row among those of its claim; what it does not print stays last."""
    return printed.index(name) if name in printed else len(printed)


def _known(path: Path, where: str, given: Mapping[str, Any], known: set[str]) -> None:
    for key in given:
        _checks.one_of(f"key of {where} in {path.name}", key, sorted(known))


def _known_key(path: Path, key: str) -> None:
    if not key.startswith(sections.OPTIONS + "."):
        _checks.one_of(f"key in {path.name}", key, sections.TABLE.keys)


def _entries(path: Path, entry: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the entry itself, or one per value of a line."""
    if "along" not in entry:
        _known(path, "a row", entry, _ENTRY)
        yield entry
        return
    _known(path, "a line", entry, _LINE)
    _known_key(path, entry["along"])
    lists = {part: entry[part] for part in ("values", "small_values", "names", "printed") if part in entry}
    if len({len(values) for values in lists.values()}) != 1:
        counts = ", ".join(f"{len(values)} {part}" for part, values in lists.items())
        raise ValueError(f"{path}: the line {entry['claim']!r} needs lists of one length; got {counts}.")
    rest = {part: value for part, value in entry.items() if part not in (*lists, "along")}
    for k, value in enumerate(entry["values"]):
        one = {**rest, "name": entry["names"][k], "set": {**entry.get("set", {}), entry["along"]: value}}
        one["text"] = f"{entry.get('text', '')}, {entry['names'][k]}".removeprefix(", ")
        if "printed" in entry:
            one["printed"] = entry["printed"][k]
        if "small_values" in entry:
            one["small"] = {**entry.get("small", {}), entry["along"]: entry["small_values"][k]}
        yield one


def _row(paper: str, name: str, path: Path, entry: dict[str, Any], parts: tuple[dict[str, Any], ...]) -> StudyRow:
    protocol, found, shared = parts
    own = {**found.get("base", {}), **found.get("kind", {}).get(entry.get("kind", ""), {}), **entry.get("set", {})}
    paper_keys = {**protocol["base"], **own}
    won = {key: value for key, value in own.items() if key not in shared["small"] or key in shared["rows_win"]}
    small_keys = _scaled(paper_keys, shared, "small") | won | _where_set(own, shared, "small")
    small_keys |= {**found.get("small", {}), **entry.get("small", {})}
    keys = {"paper": paper_keys, "small": small_keys, "smoke": _scaled(small_keys, shared, "smoke")}
    for given in keys.values():
        for key in entry.get("drop", ()):
            given.pop(key, None)
        for key in given:
            _known_key(path, key)
    return StudyRow(
        paper, name, entry["claim"], entry["name"], entry.get("text", entry["name"]), entry.get("printed"),
        entry.get("spread"), entry.get("top5"), entry.get("only", ""), keys, bool(found.get("predict")),
    )  # fmt: skip


def _scaled(keys: Mapping[str, Any], shared: dict[str, Any], scale: str) -> dict[str, Any]:
    """Return the keys with those of a smaller scale on top, some only where they are set at all."""
    return {**keys, **shared[scale], **_where_set(keys, shared, scale)}


def _where_set(keys: Mapping[str, Any], shared: dict[str, Any], scale: str) -> dict[str, Any]:
    return {key: value for key, value in shared[f"{scale}_where_set"].items() if key in keys}
