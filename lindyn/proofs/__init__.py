"""Every statement of the papers as an object whose proof the machine runs on the library's own equations.

algebra, letters    matrices of symbolic size as words, reduced under assumptions; the letters, the flows read on them
steps, lemmas       identities, signs, positivity, limits: what a proof is made of
statement           a statement, its assumptions, its steps, the damaged versions its proof must reject; text and LaTeX
tian_* richemond grill rule_* beyond    the statements, a sheet for each subject
printed, print_*    what is printed, held against what is derived
rows_*, theorem_table    theorem x set of assumptions
catalogue           all of them

lindyn.proofs.prove("tian.theorem_1")[0].holds
"""

from lindyn.proofs.catalogue import ENTRIES, STATEMENTS, audit, prove, rejections, statement_named
from lindyn.proofs.printed import Difference, Printed, audit_text, small
from lindyn.proofs.statement import Damage, Proof, Statement, as_latex, as_latex_document, as_table, as_text
from lindyn.proofs.theorem_table import THEOREMS, Cell, table, table_markdown, table_text

__all__ = [
    "ENTRIES",
    "STATEMENTS",
    "THEOREMS",
    "Cell",
    "Damage",
    "Difference",
    "Printed",
    "Proof",
    "Statement",
    "as_latex",
    "as_latex_document",
    "as_table",
    "as_text",
    "audit",
    "audit_text",
    "prove",
    "rejections",
    "small",
    "statement_named",
    "table",
    "table_markdown",
    "table_text",
]
