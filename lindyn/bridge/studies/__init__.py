"""Studies: the rows of the papers' tables as training configurations, trained with several seeds and measured.

table, tables, row           presets from papers_repro/*/configs
Study, Job, run_all          the runs of a table; what is finished is not run again
"""

from lindyn._faces import lazy

_FILES = {
    ".table_presets": ("StudyRow", "Table", "every_row", "row", "table", "tables"),
    ".training_study": ("Job", "Study", "run_all"),
}
_HOME = {name: file for file, names in _FILES.items() for name in names}
_MODULES = ("table_presets", "training_study")

__all__ = [*_HOME, *_MODULES]

__getattr__, __dir__ = lazy(__name__, _HOME, _MODULES)
