"""Where a statement stands: equations, proof, print, check, law, claims. Each side names the statements it belongs to.

A printed form holds them (`Printed.statements`), a check of `lindyn verify` and a row of the ledger name one
(`Check.statement`, `proof` in claims.toml), a law of `lindyn validate` several (`Law.statements`; handed in, as laws
stand above). The equations are seen while the proof's steps are made. `unresolved` says which names lead nowhere.
"""

import inspect
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

import lindyn
from lindyn import _checks
from lindyn._options import did_you_mean
from lindyn.display.brief import Brief
from lindyn.papers.ledger import PAPERS, load
from lindyn.proofs import STATEMENTS, entries, equations_of
from lindyn.verification.applicable import CHECKS

KINDS = ("print", "check", "law", "claim")
NEEDS_TORCH = "needs torch"


@dataclass(frozen=True, repr=False)
class Join(Brief):
    """One thing that belongs to statements.

    Args:
        kind: one of `KINDS`.
        name: its name among its kind.
        where: place in the paper, file and line, or file.
        statements: names of the statements; none where it belongs to none.
    """

    kind: str
    name: str
    where: str
    statements: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class StatementPlace(Brief):
    """Where one statement stands.

    Args:
        name: of the statement.
        text: the statement in one sentence.
        equations: (function, file and line) of the equations that its proof reads.
        no_equation: why there is none; "" where there are some.
        proof: (function, file and line) of its steps.
        joins: what belongs to it.
    """

    name: str
    text: str
    equations: tuple[tuple[str, str], ...]
    no_equation: str
    proof: tuple[str, str]
    joins: tuple[Join, ...]

    def of(self, kind: str) -> tuple[Join, ...]:
        """Return what belongs to it of one kind."""
        return tuple(join for join in self.joins if join.kind == kind)


def location(code: CodeType | Callable[..., Any]) -> str:
    """Return file and line of a function, "lindyn/equations/weights.py:31"."""
    code = code if isinstance(code, CodeType) else inspect.unwrap(code).__code__
    path, package = Path(code.co_filename), Path(lindyn.__file__).parent.parent
    shown = path.relative_to(package) if path.is_relative_to(package) else Path(path.name)
    return f"{shown.as_posix()}:{code.co_firstlineno}"


def joins(laws: Iterable[Any] = ()) -> tuple[Join, ...]:
    """Return everything that names the statements it belongs to: printed forms, checks, laws and claims.

    Args:
        laws: of `lindyn.bridge.laws`; none where torch is not installed.

    Returns:
        One `Join` each, those that belong to no statement included; a claim also belongs where its audit entry does.

    Raises:
        ValueError: a row of the ledger names an audit entry that is not there.
    """
    printed = {entry.name: tuple(one.name for one in entry.statements) for entry in entries()}
    found = [Join("print", entry.name, entry.source, printed[entry.name]) for entry in entries()]
    for check in CHECKS:
        statement = check.name if check.statement is None else check.statement
        found.append(Join("check", check.name, location(check.measure), (statement,) if statement else ()))
    found += [Join("law", law.name, location(law.judge), tuple(law.statements)) for law in laws]
    for paper in PAPERS:
        file = f"papers_repro/{paper}/claims.toml"
        for row in load(paper):
            if row.kind != "training":
                through = printed[_checks.one_of("audit entry", row.audit, printed)] if row.audit else ()
                named = dict.fromkeys([*([row.proof] if row.proof else []), *through])
                found.append(Join("claim", f"{paper}/{row.id}", file, tuple(named)))
    return tuple(found)


def unresolved(found: Iterable[Join]) -> tuple[str, ...]:
    """Return one sentence for every name that leads to no statement; empty where all joins hold."""
    known = [statement.name for statement in STATEMENTS]
    sentences = []
    for join in found:
        for name in join.statements:
            if name not in known:
                lost = f"{join.kind} {join.name!r} names the statement {name!r}, which is not there."
                sentences.append(lost + did_you_mean(name, known))
    return tuple(sentences)


def place(statement: Any, found: Iterable[Join]) -> StatementPlace:
    """Return where a statement stands.

    Args:
        statement: a `lindyn.proofs.Statement`.
        found: what `joins` gives.

    Returns:
        Its place.
    """
    codes = equations_of(statement)
    return StatementPlace(
        statement.name,
        statement.text,
        tuple((f"{Path(code.co_filename).stem}.{code.co_name}", location(code)) for code in codes),
        "" if codes else statement.no_equation,
        (statement.steps.__name__, location(statement.steps)),
        tuple(join for join in found if statement.name in join.statements),
    )


def place_text(found: StatementPlace, torch: bool = True) -> str:
    """Return a place for the terminal, one line for each thing with its file and line.

    Args:
        found: of one statement.
        torch: whether the laws could be read.
    """
    rows = [("equation", *one) for one in found.equations] or [("equation", f"none: {found.no_equation}", "")]
    rows.append(("proof", *found.proof))
    for kind in KINDS:
        none = NEEDS_TORCH if kind == "law" and not torch else "none"
        rows += [(kind, join.name, join.where) for join in found.of(kind)] or [(kind, none, "")]
    width = max(len(name) for _, name, where in rows if where)
    heads = [kind if k == 0 or rows[k - 1][0] != kind else "" for k, (kind, *_) in enumerate(rows)]
    lines = [
        f"  {head:9s} {name:{width}s}  {where}".rstrip() for head, (_, name, where) in zip(heads, rows, strict=True)
    ]
    return "\n".join([*textwrap.wrap(f"{found.name}: {found.text}", 110, break_long_words=False), *lines])


def place_table(found: Sequence[StatementPlace], everything: Iterable[Join], torch: bool = True) -> str:
    """Return one line per statement, then what belongs to none.

    Args:
        found: of the statements.
        everything: what `joins` gives.
        torch: whether the laws could be read.
    """
    cells: list[tuple[str, ...]] = [("statement", "equations", "proof", *KINDS)]
    for one in found:
        rooms = ", ".join(dict.fromkeys(name.split(".")[0] for name, _ in one.equations)) or "-"
        joined = ["; ".join(join.name.split(" (")[0] for join in one.of(kind)) or "-" for kind in KINDS]
        joined[1] = str(len(one.of("check"))) if one.of("check") else "-"  # their names are the statement's
        joined[2] = joined[2] if torch else NEEDS_TORCH
        cells.append((one.name, rooms, one.proof[1].removeprefix("lindyn/proofs/sheets/"), *joined))
    widths = [max(len(row[k]) for row in cells) for k in range(len(cells[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    for kind in KINDS:
        apart = [join.name for join in everything if join.kind == kind and not join.statements]
        if apart:
            lines.append(f"{kind} of no statement: {'; '.join(apart)}")
    return "\n".join(lines)
