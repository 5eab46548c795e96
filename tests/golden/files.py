"""What a command wrote, file by file, as lines of a golden answer."""

import fnmatch
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests.golden.reduced import digest, flat, line_of
from tests.golden.shorter import Section
from tests.golden.words import normalised, words_of_page

TEXTS = (".txt", ".toml", ".md", ".csv", ".tex", ".yaml")
_COUNTED = re.compile(r"(events\.out\.tfevents)\..*")


def sections(here: Path, given: frozenset[str], pages: bool, leave: tuple[str, ...] = ()) -> list[Section]:
    """Return a section for the list of files, and one for each that can be read.

    Args:
        here: the folder.
        given: paths in it that were there before the commands.
        pages: keep the words of HTML pages; else a fingerprint of them.
        leave: patterns of files that are listed only.
    """
    names = list(written(here, given))
    found = [Section("files", "words", tuple(sorted(_COUNTED.sub(r"\1.<host>", name) for name in names)))]
    names = [name for name in names if not any(fnmatch.fnmatchcase(name, pattern) for pattern in leave)]
    pictures = [f"{name} = {_picture(here / name)}" for name in names if name.endswith(".png")]
    found.append(Section("pictures", "values", tuple(pictures)))
    for name in names:
        read = READERS.get(Path(name).suffix)
        if read is not None and not _COUNTED.search(name):
            found.append(read(here / name, name, here))
        elif name.endswith(".html"):
            found.append(_page(here / name, name, here, pages))
    return found


def written(here: Path, given: frozenset[str]) -> Iterator[str]:
    """Yield the paths of the files that were made, a zarr store as one."""
    for path in sorted(here.iterdir()):
        yield from _below(path, here, given)


def _below(path: Path, here: Path, given: frozenset[str]) -> Iterator[str]:
    name = path.relative_to(here).as_posix()
    if name in given:
        return
    if path.is_dir() and path.suffix != ".zarr":
        for entry in sorted(path.iterdir()):
            yield from _below(entry, here, given)
    else:
        yield name


def _values(name: str, pairs: Any, here: Path) -> Section:
    lines = [f"{key} = {value}" for key, value in pairs]
    return Section(name, "values", tuple(line for text in lines for line in normalised(text, here)))


def _text(path: Path, name: str, here: Path) -> Section:
    return Section(name, "words", tuple(normalised(path.read_text(encoding="utf-8"), here)))


def _page(path: Path, name: str, here: Path, whole: bool) -> Section:
    lines = normalised(words_of_page(path.read_text(encoding="utf-8")), here)
    return Section(name, "words", tuple(lines if whole else [f"{len(lines)} lines, sha256 {digest(lines)}"]))


def _json(path: Path, name: str, here: Path) -> Section:
    tree = _timeless(json.loads(path.read_text(encoding="utf-8")))
    if isinstance(tree, dict):  # a comparison holds two whole reports, which stand in answers of their own
        tree = {key: _short(value) if key in ("a", "b") else value for key, value in tree.items()}
    return _values(name, flat(tree), here)


def _short(report: Any) -> Any:
    """Return a report as its headline, all its numbers as one array, and a fingerprint of everything."""
    if not isinstance(report, Mapping):
        return report
    leaves = list(flat(report))
    numbers = [float(text) for _, text in leaves if re.fullmatch(r"-?\d+(\.\d+)?(e[-+]?\d+)?", text)]
    words = [f"{key} = {text}" for key, text in leaves if text.startswith('"')]
    return {"headline": report.get("headline"), "numbers": np.array(numbers), "words": digest(words)}


def _jsonl(path: Path, name: str, here: Path) -> Section:
    """Every key as the list of its values over the lines that have it."""
    rows = [_timeless(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    keys = dict.fromkeys(key for row in rows for key in row)
    columns = {key: [row[key] for row in rows if key in row] for key in keys}
    return _values(name, [("lines", str(len(rows))), *flat(columns)], here)


def _timeless(tree: Any) -> Any:
    """Return a tree with the values of keys that hold times and versions replaced."""
    if isinstance(tree, Mapping):
        return {key: _placeholder(key, value) or _timeless(value) for key, value in tree.items()}
    return [_timeless(value) for value in tree] if isinstance(tree, list) else tree


def _placeholder(key: str, value: Any) -> Any:
    if key == "versions" and isinstance(value, Mapping):
        return dict.fromkeys(value, "<version>")
    timed = re.search(r"(^|_)(seconds|time_s|wall|elapsed|duration|date|started|finished|per_second)($|_)", key)
    return "<time>" if timed and not isinstance(value, Mapping | list) else None


def _npz(path: Path, name: str, here: Path) -> Section:
    with np.load(path) as arrays:
        return _values(name, [(key, line_of(arrays[key])) for key in arrays.files], here)


def _npy(path: Path, name: str, here: Path) -> Section:
    return _values(name, [("array", line_of(np.load(path)))], here)


def _dataset(path: Path, name: str, here: Path) -> Section:
    import xarray

    opened = xarray.open_zarr(path, chunks=None) if path.suffix == ".zarr" else xarray.open_dataset(path)
    with opened as data:
        pairs = [(f"{key}({','.join(map(str, v.dims))})", line_of(v.values)) for key, v in data.variables.items()]
        pairs += [
            (f"{where}@{key}", text)
            for where, attrs in [("", data.attrs), *((str(k), v.attrs) for k, v in data.variables.items())]
            if attrs
            for key, text in flat({key: "<sha256>" if key == "sha256" else value for key, value in attrs.items()})
        ]
    return _values(name, sorted(pairs), here)


def _weights(path: Path, name: str, here: Path) -> Section:
    """Every tensor by its shape, size and weighted mean only: there are many. Lightning's own counters are left out."""
    import torch

    tree = torch.load(path, map_location="cpu", weights_only=True)
    pairs = flat({key: value for key, value in tree.items() if key != "loops"}, longest=1)
    return _values(name, [(key, re.sub(r" (finite|first|last)=\S+", "", text)) for key, text in pairs], here)


def _picture(path: Path) -> str:
    """Return the size of a picture, its mean darkness, and the centre of what is dark."""
    from matplotlib.image import imread

    ink = 1 - imread(path)[..., :3].mean(axis=2).astype(float)
    across, down = (float(np.linspace(0, 1, len(sums)) @ sums / ink.sum()) for sums in (ink.sum(0), ink.sum(1)))
    return f"{ink.shape[1]}x{ink.shape[0]} ink {float(ink.mean()):.8f} at {across:.6f} {down:.6f}"


READERS: dict[str, Callable[[Path, str, Path], Section]] = {
    ".json": _json,
    ".jsonl": _jsonl,
    ".npz": _npz,
    ".npy": _npy,
    ".nc": _dataset,
    ".zarr": _dataset,
    ".ckpt": _weights,
    **dict.fromkeys(TEXTS, _text),
}
