"""How a record shows itself: one short line everywhere, a small table in a notebook."""

import dataclasses
import numbers
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

FEW, LONGEST, LINE = 4, 60, 80  # entries of an array, letters of a text and of a record, that are shown whole


def brief(value: Any, nested: bool = False) -> str:
    """Return a value in a few words: numbers to six digits, large arrays by shape, records within records by name."""
    shape = getattr(value, "shape", None)
    numpys = type(value).__module__ == "numpy"  # not imported: the command line shows records too
    if numpys and shape == ():
        return brief(value.item(), nested)
    if isinstance(shape, tuple) and shape:
        if numpys and len(shape) == 1 and shape[0] <= FEW:
            return f"[{', '.join(map(brief, value))}]"
        return f"<{' x '.join(map(str, shape))}>"
    if isinstance(value, str):
        return repr(value if len(value) <= LONGEST else value[: LONGEST - 3] + "...")
    if isinstance(value, bool | None | type(...)):
        return str(value)
    if isinstance(value, complex) and value.imag == 0:
        value = value.real
    if isinstance(value, numbers.Complex):
        return str(value) if isinstance(value, int) else f"{value:g}"
    if isinstance(value, PurePath):
        return repr(str(value))
    if isinstance(value, Mapping):
        parts = [f"{brief(key)}: {brief(one, True)}" for key, one in list(value.items())[:FEW]]
        return "{" + ", ".join(parts + ["..."] * (len(value) > FEW)) + "}"
    if isinstance(value, list | tuple | set | frozenset):
        return _several(list(value), nested)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        shown = repr(value)
        return shown if not nested or len(shown) <= LINE else f"{type(value).__name__}(...)"
    name = getattr(value, "__qualname__", None)
    if name is not None:
        return str(name)
    plain = type(value).__repr__ is object.__repr__
    shown = type(value).__name__ if plain else repr(value)
    return shown if len(shown) <= LONGEST and "\n" not in shown else f"{type(value).__name__}(...)"


def _several(values: list[Any], nested: bool) -> str:
    kinds = {type(value).__name__ for value in values}
    simple = kinds <= {"int", "float", "str", "bool", "NoneType"}
    if len(values) <= (FEW if simple else 0 if nested else 1):
        return f"[{', '.join(brief(value, True) for value in values)}]"
    return f"[{len(values)} {kinds.pop() if len(kinds) == 1 else 'entries'}]"


class Brief:
    """A dataclass (declared with repr=False) that shows itself in one short line and, in a notebook, as a table."""

    def __repr__(self) -> str:
        """Return one line: fields by value where they are small, by shape or number where they are large."""
        names = [field.name for field in dataclasses.fields(self)]  # type: ignore[arg-type]
        parts = (f"{name}={brief(getattr(self, name, None), True)}" for name in names)
        return f"{type(self).__name__}({', '.join(parts)})"


def notebook(title: str, head: Iterable[str], rows: Iterable[Iterable[Any]], note: str = "") -> str:
    """Return a titled table as HTML; every text is escaped.

    Args:
        title: above it.
        head: of the columns.
        rows: cells, texts or numbers.
        note: under it.
    """
    from lindyn.display.markup import table, tag

    cells = [[one if isinstance(one, str) else brief(one) for one in row] for row in rows]
    return str(tag("div", tag("b", title), table(list(head), cells), *([tag("small", note)] if note else [])))
