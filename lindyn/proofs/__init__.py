"""Every statement of the papers as an object whose proof the machine runs on the library's own equations.

algebra, letters    matrices of symbolic size as words, reduced under assumptions; the letters, the flows read on them
steps, lemmas       identities, signs, positivity, limits: what a proof is made of
statement           a statement, its assumptions, its steps, the damaged versions its proof must reject; text and LaTeX
sheets/             the statements, a sheet for each subject
printed, print_*    what is printed, held against what is derived
rows_*, theorem_table    theorem x set of assumptions
catalogue           all of them

lindyn.proofs.prove("tian.theorem_1")[0].holds
"""

from lindyn._faces import lazy

_HOME = {
    "STATEMENTS": ".catalogue", "audit": ".catalogue", "entries": ".catalogue", "equations_of": ".catalogue",
    "prove": ".catalogue", "rejections": ".catalogue", "statement_named": ".catalogue",
    "Damage": ".statement", "Proof": ".statement", "Statement": ".statement", "as_latex": ".statement",
    "as_latex_document": ".statement", "as_table": ".statement", "as_text": ".statement",
    "Difference": ".printed", "Printed": ".printed", "audit_text": ".printed", "small": ".printed",
    "THEOREMS": ".theorem_table", "HOW_TO_READ": ".theorem_table", "Cell": ".theorem_table",
    "table": ".theorem_table", "table_markdown": ".theorem_table", "table_text": ".theorem_table",
}  # fmt: skip

__all__ = list(_HOME)

__getattr__, __dir__ = lazy(__name__, _HOME)
