"""What other packages add by entry point: layouts of checkpoints, laws, rules, flows. Read here and nowhere else.

    [project.entry-points."lindyn.laws"]
    my_law = "my_package.my_law"

An entry point names a module, or an object in one ("my_package.laws:my_law", or with a dot). One that cannot be
imported, and a name that is taken, cost one sentence that names the package at fault; all else goes on working.
"""

import functools
import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import metadata
from typing import Any, TypeVar

FAULT = " is at fault:"
GROUPS = ("lindyn.layouts", "lindyn.laws", "lindyn.rules", "lindyn.flows")
T = TypeVar("T")


@dataclass(frozen=True)
class Extension:
    """One entry point that was imported.

    Args:
        name: of the entry point.
        value: the module or object that it names.
        package: name of the package that declares it.
    """

    name: str
    value: Any
    package: str


@functools.cache
def extensions(group: str) -> tuple[tuple[Extension, ...], tuple[str, ...]]:
    """Return (what was found, notes) of a group of entry points; read once (`extensions.cache_clear()` forgets it).

    Args:
        group: "lindyn.layouts", "lindyn.laws", "lindyn.rules" or "lindyn.flows".

    Returns:
        The extensions, by package and name, and one sentence for each entry point that could not be imported.
    """
    found, notes = [], []
    points = sorted(metadata.entry_points(group=group), key=lambda point: (_package(point), point.name))
    for point in points:
        try:
            value = _load(point)
        except (Exception, SystemExit) as error:  # whatever a package does while it is imported
            why = str(error).strip().splitlines()
            told = f"{type(error).__name__}: {why[0]}" if why else type(error).__name__
            notes.append(
                f"{at_fault(_package(point))} its entry point {point.name} = {point.value!r} in {group} "
                f"cannot be imported and is left out ({told})."
            )
            continue
        found.append(Extension(point.name, value, _package(point)))
    return tuple(found), tuple(notes)


def declared(group: str) -> tuple[str, ...]:
    """Return the names of a group's entry points; nothing is imported for it."""
    return tuple(sorted(point.name for point in metadata.entry_points(group=group)))


def collected(
    group: str, what: str, own: Iterable[T], read: Callable[[Extension], Iterable[T]], name: Callable[[T], str]
) -> tuple[dict[str, T], tuple[str, ...]]:
    """Return (everything of one kind by name, notes): lindyn's own first, then what packages add.

    Args:
        group: of entry points.
        what: the kind in words, "law", "layout".
        own: lindyn's.
        read: returns what an extension holds of the kind; nothing, or a ValueError with the reason, costs a note.
        name: of one of them, which must be unique.

    Returns:
        The table, and one sentence for each entry point or name that is left out.
    """
    table = {name(each): each for each in own}
    owners = dict.fromkeys(table, "lindyn")
    given, notes = extensions(group)
    told = list(notes)
    for extension in given:
        package = extension.package
        try:
            values = list(read(extension))
        except ValueError as error:
            told.append(f"{at_fault(package)} its entry point {extension.name} in {group}: {error}")
            continue
        if not values:
            told.append(f"{at_fault(package)} its entry point {extension.name} in {group} holds no {what}.")
        for value in values:
            if name(value) not in table:
                table[name(value)], owners[name(value)] = value, package
            elif table[name(value)] is not value:
                told.append(
                    f"{at_fault(package)} its {what} {name(value)!r} has the name of one of "
                    f"{owners[name(value)]} and is left out."
                )
    return table, tuple(told)


def at_fault(package: str) -> str:
    """Return how a sentence on a package that does something wrong begins."""
    return f"The package {package}{FAULT}"


def _load(point: metadata.EntryPoint) -> Any:
    """Return the module or object that an entry point names; its last part may be an object after a dot, too."""
    try:
        return point.load()
    except ModuleNotFoundError as error:
        parent, _, name = point.module.rpartition(".")
        if not parent or point.attr or error.name != point.module:
            raise
        return getattr(importlib.import_module(parent), name)


def _package(point: metadata.EntryPoint) -> str:
    """Return the name of the package that declares an entry point."""
    return point.dist.name if point.dist is not None else point.value.partition(":")[0].partition(".")[0]
