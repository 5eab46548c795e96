"""A room's table of contents that loads a name when it is first used: the one place where `__getattr__` is written."""

import importlib
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any


def lazy(
    room: str, home: Mapping[str, str], modules: tuple[str, ...] = (), renamed: Mapping[str, str] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` of a package whose public names are loaded late.

    Args:
        room: the package, `__name__`.
        home: public name -> module that holds it, "lindyn.solve.ode"; relative names (".ode") are the room's own.
        modules: submodules that are public names themselves.
        renamed: old public name -> new one; the old one answers with a DeprecationWarning.

    Returns:
        The two functions, for `__getattr__, __dir__ = lazy(__name__, {...})`.
    """
    old = dict(renamed or {})

    def load(name: str) -> Any:
        if name in old:
            text = f"{room}.{name} is now {room}.{old[name]}; the old name goes with the next version."
            warnings.warn(text, DeprecationWarning, stacklevel=3)
            return getattr(sys.modules[room], old[name])
        if name in home:
            value = getattr(importlib.import_module(home[name], room), name)
        elif name in modules:
            value = importlib.import_module(f"{room}.{name}")
        else:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        setattr(sys.modules[room], name, value)
        return value

    def names() -> list[str]:
        return sorted({*home, *modules, *(n for n in vars(sys.modules[room]) if n.startswith("__"))})

    return load, names
