"""The ledger of every claim of the papers.

ledger    the rows of papers_repro/*/claims.toml, what decides each, and the status that follows
studies   study files: what training runs measured, beside what is printed; study_table shows one
pages     the reports in Markdown, made by running them
"""

from lindyn.claims.ledger import KINDS, NOT_RUN, PAPERS, STATUSES, Claim, Judged, Measured, folder, judge, load
from lindyn.claims.pages import is_stale, report, slips, with_slips, write_report, write_slips

__all__ = [
    "KINDS",
    "NOT_RUN",
    "PAPERS",
    "STATUSES",
    "Claim",
    "Judged",
    "Measured",
    "folder",
    "is_stale",
    "judge",
    "load",
    "report",
    "slips",
    "with_slips",
    "write_report",
    "write_slips",
]
