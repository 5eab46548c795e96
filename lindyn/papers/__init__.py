"""The papers: figures drawn and checked, and the ledger of every claim with what decides it.

    from lindyn.papers import reproduce
    results = reproduce("tian2021", figure=4, out="pictures")

figure_claims           one statement of a paper beside what was measured; the expected values (figures.toml)
figure_scripts          where the figure scripts lie, how one is loaded and run, what it writes
all_figures             all figures of a paper, over a few processes
claim_table             claim / measured / verdict as plain text
numerical_fixed_points  fixed points found on a flow itself, independent of the closed forms
ledger                  the rows of papers_repro/*/claims.toml, what decides each, and the status that follows
ledger_pages            the reports in Markdown, made by running them
study_files             what training runs measured, beside what is printed; study_tables shows one
measurements            what a row of the ledger measures with the engines
"""

from lindyn.papers.all_figures import reproduce
from lindyn.papers.figure_claims import Checklist, Claim, expected, listed
from lindyn.papers.figure_scripts import FigureResult, load_numbers, main
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
