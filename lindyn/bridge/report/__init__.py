"""What is said of the findings, and what would have helped.

advice                 what other rates would have done, each with how sure it is
wording                numbers, laws and the headline in words
sureness               how sure a statement is, and by what
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
    ".sureness": ("how_sure", "weak_points"),
    ".wording": ("headline", "theory_state"),
}
_HOME = {name: file for file, names in _FILES.items() for name in names}
_MODULES = ("compare_text", "page", "schema", "sureness", "terminal", "wording")

__all__ = [*_HOME, *_MODULES]

__getattr__, __dir__ = lazy(__name__, _HOME, _MODULES)
