"""Arrays and trees of values as a few lines: small enough to keep, and a change of any number shows in them."""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

LONGEST = 8
"""A list of at most so many numbers is kept whole."""
DIGITS = 13
"""Significant digits that are kept: twenty times as fine as the comparison."""


def line_of(array: Any, longest: int = LONGEST) -> str:
    """Return an array as one line: type, shape, finite numbers, and means that every element enters.

    The means are of the squares (as rms), and under fixed pseudo-random weights (as w), so that exchanged and changed
    elements both show; first and last elements are for the reader.

    Args:
        array: anything numpy makes an array of.
        longest: an array of at most so many numbers is written out.
    """
    array = np.asarray(array)
    head = f"{array.dtype}{list(array.shape)}".replace(" ", "")
    if array.dtype.kind not in "fciub":
        return f"{head} {_words(array)}"
    if array.size <= longest:
        return f"{head} {json.dumps(_plain(array.tolist()))}"
    flat = array.reshape(-1)
    finite = np.isfinite(flat)
    values = np.where(finite, flat, 0).astype(complex if array.dtype.kind == "c" else float)
    parts = (values.real, values.imag) if array.dtype.kind == "c" else (values,)
    return " ".join([head, f"finite={int(finite.sum())}", *(_means(part) for part in parts)])


def _means(values: np.ndarray) -> str:
    with np.errstate(over="ignore"):
        largest = float(np.max(np.abs(values), initial=0.0)) or 1.0
        rms = largest * math.sqrt(math.fsum((values / largest) ** 2) / len(values))
        weights = np.random.default_rng(values.size).uniform(0.5, 1.5, values.size)
        mean = largest * math.fsum(weights * values / largest) / len(values)
    named = zip(("w", "first", "last"), (mean, values[0], values[-1]), strict=True)
    return " ".join([f"rms={_plain(rms)!r}", *(f"{name}={_plain(float(value))!r}" for name, value in named)])


def _words(array: np.ndarray) -> str:
    words = [str(word) for word in array.reshape(-1)]
    return json.dumps(words, ensure_ascii=False) if sum(map(len, words)) <= 100 else f"sha256={digest(words)}"


def digest(words: Any) -> str:
    """Return a short fingerprint of texts."""
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:12]


def flat(tree: Any, name: str = "", longest: int = LONGEST) -> Iterator[tuple[str, str]]:
    """Yield (key, value as text) of every leaf of a tree of dicts and lists; lists of numbers are one leaf.

    Args:
        tree: JSON values, arrays or tensors.
        name: key of the whole.
        longest: an array of at most so many numbers is written out.
    """
    if hasattr(tree, "detach"):
        tree = tree.detach().cpu().float().numpy() if tree.is_floating_point() else tree.detach().cpu().numpy()
    if isinstance(tree, np.ndarray | np.generic):
        yield name, line_of(tree, longest)
    elif isinstance(tree, Mapping):
        if not tree:
            yield name, "{}"
        for key, value in tree.items():
            yield from flat(value, f"{name}.{key}" if name else str(key), longest)
    elif isinstance(tree, list | tuple):
        yield from _flat_list(tree, name, longest)
    else:
        yield name, json.dumps(_plain(tree), ensure_ascii=False)


def _flat_list(values: Any, name: str, longest: int) -> Iterator[tuple[str, str]]:
    shape = _shape(values)
    if not values or (shape is not None and len(shape) == 1 and shape[0] <= LONGEST):
        yield name, json.dumps(_plain(list(values)))
    elif shape is not None:
        yield name, line_of(np.array(_nan(values), dtype=float))
    else:
        for k, value in enumerate(values):
            yield from flat(value, f"{name}[{k}]", longest)


def _shape(values: Any) -> tuple[int, ...] | None:
    """Return the shape of nested lists of numbers (None counts as one), None for anything else."""
    if values is None or (isinstance(values, int | float) and not isinstance(values, bool)):
        return ()
    if not isinstance(values, list | tuple):
        return None
    shapes = {_shape(value) for value in values}
    inner = shapes.pop() if len(shapes) == 1 else None
    return None if inner is None else (len(values), *inner)


def _nan(values: Any) -> Any:
    if isinstance(values, list | tuple):
        return [_nan(value) for value in values]
    return math.nan if values is None else values


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    return value if value is None or isinstance(value, str | bool | int) else str(value)
