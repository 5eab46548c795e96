"""The papers: figures drawn and checked, and the ledger of every claim with what decides it.

    from lindyn.papers import reproduce
    results = reproduce("tian2021", figure=4, out="pictures")

figure_claims   what figures claim: expected values (figures.toml), what was measured, the verdicts as a table
figure_scripts  where the figure scripts lie, how one is loaded and run, what it writes; all of a paper
ledger          the rows of papers_repro/*/claims.toml, what decides each, and the status that follows
ledger_pages    the reports in Markdown, made by running them
statement_map   where a statement stands: equations, proof, print, check, law, claims; names that lead nowhere
second_route    the equations of one mode typed and run anew: what figures hold their claims against
study_files     what training runs measured, beside what is printed, and its table
measurements    what a row of the ledger measures with the engines
"""

from lindyn.papers.figure_claims import Checklist, Claim, FigureResult, expected, listed
from lindyn.papers.figure_scripts import load_numbers, main, reproduce
from lindyn.papers.ledger import KINDS, NOT_RUN, PAPERS, STATUSES, Judged, LedgerRow, MeasuredClaim, folder, judge, load
from lindyn.papers.ledger_pages import is_stale, report, slips, with_slips, write_report, write_slips

__all__ = [
    "KINDS",
    "NOT_RUN",
    "PAPERS",
    "STATUSES",
    "Checklist",
    "Claim",
    "FigureResult",
    "Judged",
    "LedgerRow",
    "MeasuredClaim",
    "expected",
    "folder",
    "is_stale",
    "judge",
    "listed",
    "load",
    "load_numbers",
    "main",
    "report",
    "reproduce",
    "slips",
    "with_slips",
    "write_report",
    "write_slips",
]
