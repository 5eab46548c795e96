"""Every statement of the papers as an object whose proof the machine runs on the library's own equations.

words, algebra   matrix expressions of symbolic size as words in non-commuting letters; reduction under assumptions
steps, lemmas    identities, signs, positivity, limits: what a proof is made of
statement        a statement, its assumptions, its steps, and the damaged versions its proof must reject
symbols          the letters, and the flows read on them
tian_* richemond grill beyond    the statements
printed, comparison, validity    what is printed, held against what is derived; theorem x assumption table
catalogue, render, latex         all of them; text and LaTeX

lindyn.proofs.prove("tian.theorem_1")[0].holds
"""

from lindyn.proofs.catalogue import STATEMENTS, prove, rejections, statement_named
from lindyn.proofs.latex import as_latex, as_latex_document
from lindyn.proofs.render import as_table, as_text
from lindyn.proofs.statement import Damage, Proof, Statement

__all__ = [
    "STATEMENTS",
    "Damage",
    "Proof",
    "Statement",
    "as_latex",
    "as_latex_document",
    "as_table",
    "as_text",
    "prove",
    "rejections",
    "statement_named",
]
