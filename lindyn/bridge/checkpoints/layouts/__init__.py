"""Checkpoints of other people's code: a file a layout, each with its LAYOUT, found by the keys of a file alone.

    read_checkpoint(path)    the pieces of a checkpoint, under names free of any layout
    known_layouts()          all layouts: those of this folder, and what other packages add

A layout that is missing: a file beside these with `matches`, `read` and LAYOUT. Or the same in a package of your own:

    [project.entry-points."lindyn.layouts"]
    my_layout = "my_package.my_layout"
"""

import functools
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from lindyn import _checks
from lindyn._extensions import Extension, collected
from lindyn.bridge.checkpoints import assembling, unsaid
from lindyn.bridge.checkpoints.content import OWN, Content, Layout
from lindyn.bridge.records import Assumption, Pieces
from lindyn.bridge.sections import VALIDATED
from lindyn.bridge.settings import Settings

OTHER = "a second reading"


def known_layouts() -> tuple[tuple[Layout, ...], tuple[str, ...]]:
    """Return (all layouts by name, those that are a last resort at the end; a sentence on each package at fault)."""
    table, notes = collected("lindyn.layouts", "layout", _own(), _of_package, lambda layout: layout.name)
    return tuple(sorted(table.values(), key=lambda layout: (layout.last, layout.name))), notes


@functools.cache
def _own() -> tuple[Layout, ...]:
    modules = [import_module(f"{__name__}.{file.name}") for file in pkgutil.iter_modules(__path__)]
    return tuple(layout for module in modules for layout in getattr(module, "LAYOUTS", None) or (module.LAYOUT,))


def _of_package(extension: Extension) -> list[Layout]:
    layout = getattr(extension.value, "LAYOUT", extension.value)
    if not isinstance(layout, Layout):
        raise ValueError("it holds no LAYOUT, made by lindyn.bridge.checkpoints.Layout; it is left out.")
    return [replace(layout, package=extension.package)]


def read_checkpoint(
    path: str | Path,
    *,
    unsafe: bool = False,
    names: Mapping[str, str] | None = None,
    layout: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Pieces:
    """Return the pieces of a checkpoint: predictor, projector, backbone, target, F, settings, and what is missing.

        pieces = read_checkpoint("checkpoints/last.ckpt")
        pieces.layout, pieces.predictor, pieces.settings.get("optim.lr"), pieces.notes

    Args:
        path: of the file: torch, safetensors, Keras's HDF5, or a pickle.
        unsafe: whether a file that needs unpickling is read (`lindyn.bridge.checkpoints.checkpoint_files`).
        names: pieces that are named by hand, "predictor", "projector", "backbone", "target_backbone" or
            "target_projector", each with the start of its tensors' names; they go before what the layout gives.
        layout: name of the layout; None finds it.
        settings: keys of `lindyn validate` that say what tensors do not ({"model.activation": "gelu"}).

    Returns:
        The pieces; a missing predictor is a note, no error. What had to be taken for granted is in
        `assumptions`, and a note each.

    Raises:
        ValueError: a file that cannot be read, an unknown layout (the message lists what is in the file), two layouts
            that match, a tensor that is missing, pieces that do not fit.
        ImportError: a safetensors file without safetensors, or one of Keras without h5py.
    """
    layouts, told = known_layouts()
    if layout is not None:
        _check_name(layout, layouts, told)
    given = {VALIDATED.full_name(key): value for key, value in (settings or {}).items()}
    said = {key: VALIDATED.convert(key, value) for key, value in given.items() if key in VALIDATED.keys}
    content = Content.of(path, unsafe, said)
    found, notes, content = _found(content)
    if layout is None:
        found = _first(found)
        if len(found) > 1:
            raise ValueError(_ambiguous(content, found))
    elif layout not in [known.name for known in found]:
        really = f"its keys are those of {found[0].title}" if found else "its keys are none of a layout that is known"
        raise ValueError(f"{path} has not the layout {layout}: {really}; leave the layout out.")
    else:
        found = [known for known in found if known.name == layout]
    if not found and not names:
        raise ValueError("\n".join((assembling.unknown(content), *notes)))
    pieces = _read(found[0], content) if found else assembling.empty(content)
    if names:
        pieces = assembling.named(content, pieces, names)
    assembling.check_fit(pieces)

    def again(changes: Mapping[str, Any]) -> Pieces:
        more = {**(settings or {}), **changes}
        return read_checkpoint(path, unsafe=unsafe, names=names, layout=layout, settings=more)

    pieces = replace(pieces, assumptions=tuple(_with_other(each, again, pieces) for each in pieces.assumptions))
    return assembling.with_notes(pieces, *content.notes, *notes, *(each.sentence for each in pieces.assumptions))


def _with_other(each: Assumption, again: Callable[[Mapping[str, Any]], Pieces], read: Pieces) -> Assumption:
    """Return an assumption whose key says otherwise with the pieces that it gives, read when they are asked for."""
    if each.instead is not None or "=" not in each.choose:
        return each
    key, value = VALIDATED.read_override(each.choose)
    changes = {key: value}
    if key == "model.activation":  # the projector's; that of the predictor is an assumption of its own
        own = unsaid.activation_of("predictor", read.settings.values) or "relu"
        changes["model.predictor_activation"] = own

    def instead(pieces: Pieces) -> Pieces:
        other = again({**{k: v for k, v in pieces.settings.values.items() if pieces.settings.sources.get(k) == OTHER},
                       **changes})  # fmt: skip
        networks = {name: getattr(other, name) for name in (*assembling.PIECES, "F")}
        told = Settings.of(changes, OTHER).over(pieces.settings)
        return replace(pieces, **networks, settings=told)

    return replace(each, instead=instead)


def matching(content: Content) -> list[Layout]:
    """Return the layouts whose keys a file has: one, or none; a last resort only where there is no other."""
    return _first(_found(content)[0])


def _first(found: list[Layout]) -> list[Layout]:
    return [known for known in found if not known.last] or found


def _check_name(name: str, layouts: Sequence[Layout], told: Sequence[str]) -> None:
    """Raise ValueError unless a layout has this name; it may be that of a package that could not be used."""
    try:
        _checks.one_of("layout", name, [known.name for known in layouts])
    except ValueError as error:
        raise ValueError(" ".join((str(error), *told))) from None


def _found(content: Content) -> tuple[list[Layout], list[str], Content]:
    """Return what `_tried` does of a file, or of what lies in it under one name, where that alone has a layout."""
    found, notes = _tried(content)
    if found:
        return found, notes, content
    for depth in (1, 2, 3):
        for inner in content.inside(depth):
            known, _ = _tried(inner)
            whole = len(inner.weights) == len(content.weights)
            known = known if whole else [layout for layout in known if not layout.last]
            if known:
                return known, notes, inner
    return found, notes, content


def _tried(content: Content) -> tuple[list[Layout], list[str]]:
    """Return (all layouts whose keys a file has, a sentence on each package that is at fault)."""
    layouts, told = known_layouts()
    found, notes = [], list(told)
    for layout in layouts:
        try:
            found += [layout] if layout.matches(content) else []
        except Exception as error:  # whatever a user's function does with a file that is not its own
            if layout.package == OWN:
                raise
            notes.append(f"{_fault(layout)} looking at {content.path} and is left out ({_told(error)}).")
    return found, notes


def _read(layout: Layout, content: Content) -> Pieces:
    """Return the pieces of a file; what a user's function does wrong is said in one sentence."""
    try:
        pieces = layout.read(content)
    except Exception as error:
        if layout.package == OWN or isinstance(error, ValueError | ImportError):
            raise
        raise ValueError(f"{_fault(layout)} reading {content.path} ({_told(error)}).") from error
    if not isinstance(pieces, Pieces):
        raise ValueError(f"{_fault(layout)} reading {content.path}: it must give Pieces; got {type(pieces).__name__}.")
    return pieces


def _ambiguous(content: Content, found: Sequence[Layout]) -> str:
    names = " and ".join(f"{layout.name} (of the package {layout.package})" for layout in found)
    return f"{content.path} has the keys of {len(found)} layouts, {names}; say which by --layout NAME."


def _fault(layout: Layout) -> str:
    return f"The package {layout.package} is at fault: its layout {layout.name!r} failed"


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
