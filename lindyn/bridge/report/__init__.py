"""What is said of the findings, and what would have helped.

advice                 what other rates would have done, each with how sure it is
wording                numbers, laws and the headline in words; how sure a statement is
terminal, page         the answer on one screen, and as report.html with report.json and figures
schema                 report.json, written and read
compare, compare_text  two answers side by side
"""

from lindyn._faces import lazy

_FILES = {
    ".advice": ("advise",),
    ".compare": ("Compared", "ComparedRow", "compared"),
    ".pictures": ("Picture", "draw"),
    ".schema": ("as_json", "read_report"),
    ".terminal": ("summary",),
    ".wording": ("headline", "how_sure", "theory_state", "weak_points"),
}
_HOME = {name: file for file, names in _FILES.items() for name in names}
_MODULES = ("compare_text", "page", "schema", "terminal", "wording")

__all__ = [*_HOME, *_MODULES]

__getattr__, __dir__ = lazy(__name__, _HOME, _MODULES)
