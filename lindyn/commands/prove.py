"""`lindyn prove`: run the proofs, compare with the print, print the theorem x assumption table."""

import argparse
from pathlib import Path
from typing import Any

from lindyn import _files
from lindyn._option_table import OptionTable
from lindyn._options import Option
from lindyn.commands.flags import add_command
from lindyn.outputs import places

DESCRIPTION = """\
Run the proof of every statement of the papers, on the very equations that lindyn integrates.

  lindyn prove                           all statements, one line each
  lindyn prove tian.theorem_3            one statement, step by step
  lindyn prove --audit                   every difference from the print, and the table theorem x assumptions
  lindyn prove --damaged                 run every damaged version too: each must be rejected
  lindyn prove tian.theorem_1 --where    where it stands: equations, proof, print, check, law, claims
  lindyn prove --where                   the same of all of them, as a table
  lindyn prove --latex proofs.tex        the statements and their steps as LaTeX
  lindyn prove --reports                 run every claim and rewrite papers_repro/*/REPORT.md
"""


TABLE = OptionTable(
    (
        Option("audit", "switch", False, "compare with the print; theorem x assumption table"),
        Option("damaged", "switch", False, "show that every damaged version is rejected"),
        Option("where", "switch", False, "equation, proof, print, check, law, claim of each"),
        Option("latex", str, None, "write the statements and steps as LaTeX", metavar="FILE", path=True),
        Option("overwrite", "switch", False, "replace a LaTeX file of something else"),
        Option("reports", "switch", False, "run every claim of the ledger and rewrite the reports"),
    )
)


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser = add_command(commands, "prove", "run the proofs and the audit of the print", DESCRIPTION, TABLE, run)
    parser.add_argument("names", nargs="*", metavar="NAME", help="statements (default all)")


def run(args: argparse.Namespace) -> int:
    """Run what was asked for; 0 if everything was proved (and every damage rejected), 1 otherwise.

    Raises:
        ValueError: an unknown statement, or a LaTeX file whose folder does not exist.
    """
    latex = None if args.latex is None else _latex_file(args.latex)
    if args.audit:
        return _audit()
    if args.reports:
        return _reports()
    from lindyn.proofs import STATEMENTS, as_latex_document, as_table, as_text, prove, statement_named

    chosen = [statement_named(name) for name in args.names] or list(STATEMENTS)
    if args.where:
        return _where(chosen, table=not args.names)
    if latex is not None:
        command = " ".join(["lindyn prove", *args.names])
        places.check_free(latex, command, args.overwrite, flag="--latex")
        _files.write(latex, f"% {command}\n{as_latex_document(chosen)}")
        print(f"Wrote {len(chosen)} statements to {latex}.")
        return 0
    proofs = prove([statement.name for statement in chosen])
    if args.names:
        print("\n\n".join(as_text(proof) for proof in proofs))
    else:
        print(as_table(proofs))
    rejected = _damaged(chosen) if args.damaged else True
    return 0 if rejected and all(proof.holds for proof in proofs) else 1


def _latex_file(name: str) -> Path:
    path = Path(name)
    if not path.parent.is_dir():
        raise ValueError(f"Cannot write {path}: the folder {path.parent} does not exist. Make it first.")
    if path.is_dir():
        raise ValueError(f"Cannot write {path}: it is a folder. Name a file in it.")
    return path


def _damaged(chosen: list[Any]) -> bool:
    from lindyn.proofs import rejections

    accepted, count = [], 0
    for statement in chosen:
        for proof in rejections(statement):
            count += 1
            if proof.holds:
                accepted.append(f"{statement.name}: {proof.damage.text if proof.damage else ''}")
    print(f"{count - len(accepted)} of {count} damaged statements rejected.")
    for line in accepted:
        print(f"  NOT REJECTED  {line}")
    return not accepted


def _where(chosen: list[Any], table: bool) -> int:
    """Print where statements stand; 1 where something names a statement that is not there."""
    from lindyn.papers import statement_map

    laws = _laws()
    joins = statement_map.joins(laws or ())
    places = [statement_map.place(statement, joins) for statement in chosen]
    if table:
        print(statement_map.place_table(places, joins, torch=laws is not None))
    else:
        print("\n\n".join(statement_map.place_text(one, torch=laws is not None) for one in places))
    wrong = statement_map.unresolved(joins)
    for sentence in wrong:
        print(sentence)
    return 1 if wrong else 0


def _laws() -> list[Any] | None:
    """Return the laws that networks are held against, None where torch is not installed."""
    from importlib.util import find_spec

    if find_spec("torch") is None:
        return None
    from lindyn.bridge.laws import LAWS

    return list(LAWS.values())


def _audit() -> int:
    from lindyn.proofs import audit, audit_text, table, table_text

    differences = audit()
    print("DIFFERENCES FROM THE PRINT\n\n" + audit_text(differences))
    print("\nTHEOREM x SET OF ASSUMPTIONS\n\n" + table_text(table()))
    return 1 if any(found.kind == "undecided" for found in differences) else 0


def _reports() -> int:
    from lindyn import papers

    if papers.folder("tian2021").parent.name == "_papers_repro":
        raise ValueError(
            "--reports rewrites the reports of a clone; from an installed lindyn use lindyn reproduce PAPER."
        )
    for paper in papers.PAPERS:
        print(f"Wrote {papers.write_report(paper)}.")
    page = papers.folder(papers.PAPERS[0]).parents[1] / "docs" / "proofs.md"
    if page.is_file():  # a clone; an installed package has no such page
        print(f"Wrote the slips into {papers.write_slips(page)}.")
    return 0
