"""Features given as arrays or files, with or without a checkpoint; a network's own are in `image_features`."""

import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lindyn import _checks
from lindyn.bridge.given_paths import features_file
from lindyn.bridge.records import FEWEST, FeatureBatch, FeatureSource, Pieces
from lindyn.bridge.settings import Settings
from lindyn.display.brief import Brief
from lindyn.stored import archives

ROWS = 4096
"""Samples of a batch: 2048-dimensional ones in double precision are 64 MiB."""
NAMES = {
    "z1": ("z1", "z", "features", "projections", "view1", "z_1", "f1"),
    "z2": ("z2", "view2", "z_2", "f2"),
    "target1": ("target1", "z1_target", "z_target", "target", "t1", "target_1"),
}
"""What an array may be called in an .npz file, the usual name first."""
W_P = "W_p"
"""What the predictor's matrix is called in an .npz file beside the features."""
ALONE, ALONE_TITLE = "features", "features alone"
_TITLES = {"z1": "z1 (first view)", "z2": "z2 (second view)", "target1": "target1 (the target's first view)"}


@dataclass(frozen=True, eq=False, repr=False)
class ArrayFeatures(Brief):
    """Features held in arrays, or mapped from a file; rows are samples.

    Args:
        arrays: "z1", and "z2", "target1" where given; all N x d.
        description: in words.
        rows: which of their rows are samples; None: all.
    """

    arrays: dict[str, Any]
    description: str
    rows: np.ndarray | None = None

    @property
    def count(self) -> int:
        """Number of samples."""
        return len(self.arrays["z1"] if self.rows is None else self.rows)

    @property
    def dim(self) -> int:
        """Width d of the projections."""
        return int(self.arrays["z1"].shape[1])

    def batches(self) -> Iterator[FeatureBatch]:
        """Yield the batches from the start.

        Raises:
            ValueError: NaN or infinity, with the first sample that has it.
        """
        for start in range(0, self.count, ROWS):
            parts = {name: rows_at(name, array, start, self.rows) for name, array in self.arrays.items()}
            yield FeatureBatch(**parts)


def from_arrays(z1: Any, z2: Any = None, target1: Any = None, *, description: str = "") -> ArrayFeatures:
    """Return the features of two views, given as arrays (numpy, memory-mapped, torch, JAX).

    Args:
        z1: projections of the first view by the online network, N x d, rows are samples.
        z2: projections of the second view, N x d; None: one view only (X and X' are then not known).
        target1: the target's projections of the first view, N x d, or None.
        description: where they come from, in words.

    Returns:
        The `FeatureSource`.

    Raises:
        ValueError: no samples, one sample, not N x d, shapes that differ, complex numbers or texts.
    """
    given = {"z1": z1, "z2": z2, "target1": target1}
    arrays = {name: _array(name, value) for name, value in given.items() if value is not None}
    if "z1" not in arrays:
        raise ValueError("z1 must be the projections of the first view, N x d; got None.")
    shape = tuple(arrays["z1"].shape)
    for name, array in arrays.items():
        if tuple(array.shape) != shape:
            raise ValueError(
                f"{name} must have the shape of z1, {shape}; got {tuple(array.shape)}. Row i of each is sample i."
            )
    if 1 < shape[0] < FEWEST <= shape[1]:
        warnings.warn(
            f"Features have {shape[0]} rows and {shape[1]} columns, and rows are samples; if the columns are samples, "
            "give z1.T (and z2.T, target1.T).",
            stacklevel=2,
        )
    if shape[0] < 2 or not shape[1]:
        raise ValueError(f"Features must be N x d with N of 2 or more samples; got shape {shape}.")
    return ArrayFeatures(arrays, description or _described(arrays, "given as arrays"))


def from_file(path: str | os.PathLike) -> ArrayFeatures:
    """Return the features of an .npy file (N x d, or N x 2 x d for two views) or an .npz file (see `NAMES`).

    An .npy file is mapped into memory, so that it may be larger than it.

    Args:
        path: of the file.

    Returns:
        The `FeatureSource`.

    Raises:
        ValueError: no such file, another kind of file, a damaged one, an array that does not fit.
    """
    path = features_file(Path(path))
    try:
        arrays = _views(archives.mapped(path), path) if path.suffix == ".npy" else _by_name(path)
    except ValueError as error:
        if str(error).startswith("features"):
            raise
        if isinstance(error.__cause__, archives.DAMAGED):
            raise ValueError(f"features: {path} is no whole {path.suffix} file: {error}.") from error
        what = "ragged rows or Python objects, not numbers" if "bject" in str(error) else str(error)
        raise ValueError(f"features: {path} cannot be read: {what}.") from error
    found = from_arrays(**arrays).arrays
    return ArrayFeatures(found, _described(found, f"from {path.name}"))


def given(features: Any) -> FeatureSource:
    """Return features that a user gave: a file, arrays by name or in a tuple, or a source."""
    if isinstance(features, str | os.PathLike):
        return from_file(features)
    if hasattr(features, "batches"):
        return features
    if isinstance(features, Mapping):
        return from_arrays(**features)
    return from_arrays(*features) if isinstance(features, tuple) else from_arrays(features)


def _described(arrays: Mapping[str, Any], whence: str) -> str:
    """Return in words how many samples of what, whence and how wide."""
    views = "two views" if "z2" in arrays else "one view"
    beside = " and the target's" if "target1" in arrays else ""
    count, d = arrays["z1"].shape
    return f"{count} samples of {views}{beside} {whence}, d = {d}"


def _by_name(path: Path) -> dict[str, Any]:
    """Return the arrays of an .npz file under our names."""
    held_names: list[str] = []
    theirs: dict[str, str] = {}

    def chosen(names: list[str]) -> list[str]:
        held_names.extend(names)
        lower = {name.lower(): name for name in names}
        for ours, known in NAMES.items():
            there = [lower[name] for name in known if name in lower]
            theirs.update({ours: there[0]} if there else {})
        return list(theirs.values())

    arrays = archives.arrays(path, chosen)
    found = {ours: arrays[name] for ours, name in theirs.items()}
    _leave_labels(found)
    if "z1" not in found:
        held = ", ".join(held_names) or "nothing"
        raise ValueError(
            f"features: {path} must hold the projections z1 (and z2, target1) by these names; it holds {held}."
        )
    if "z2" not in found and found["z1"].ndim == 3:
        found |= _views(found["z1"], path)
    return found


def _leave_labels(found: dict[str, Any]) -> None:
    """Take labels that are called `target` out: whole numbers, one a sample, are no projections; a warning says so."""
    target = found.get("target1")
    if target is not None and target.ndim == 1 and target.dtype.kind in "iub":
        del found["target1"]
        warnings.warn(
            f"target holds {len(target)} whole numbers, one a sample: they are taken for labels and left out; "
            "projections of the target are N x d.",
            stacklevel=2,
        )


def _views(array: Any, path: Path) -> dict[str, Any]:
    """Return z1 (and z2) of an array N x d or N x 2 x d."""
    if array.ndim == 3 and array.shape[1] == 2:
        return {"z1": array[:, 0], "z2": array[:, 1]}
    if array.ndim == 2:
        return {"z1": array}
    raise ValueError(f"features: {path} must hold an array N x d, or N x 2 x d for two views; got shape {array.shape}.")


def _array(name: str, value: Any) -> Any:
    """Return an array of numbers with two axes; nothing is copied that is an array already."""
    if isinstance(value, Tensor):
        array: Any = value.detach()
        numeric = not array.is_complex()
    else:
        try:
            array = value if isinstance(value, np.ndarray) else np.asarray(value)
        except ValueError as error:  # rows of several lengths
            raise ValueError(
                f"{name} must be an array N x d; got ragged rows. Every sample needs d numbers."
            ) from error
        numeric = array.dtype.kind in "fiu"
    if not numeric:
        raise ValueError(f"{_TITLES[name]} must hold real numbers; got dtype {array.dtype}.")
    if array.ndim != 2:
        raise ValueError(
            f"{_TITLES[name]} must be N x d, rows are samples; got shape {tuple(array.shape)}. Flatten further axes."
        )
    return array


def rows_at(name: str, array: Any, start: int, chosen: np.ndarray | None = None) -> Tensor:
    """Return some rows as a floating tensor, float32 at least.

    Args:
        name: of the array.
        array: N x d.
        start: of the rows, `ROWS` at most; among those chosen.
        chosen: which rows there are; None: all.

    Raises:
        ValueError: NaN or infinity, with the first sample that has it.
    """
    cut = array[start : start + ROWS] if chosen is None else array[chosen[start : start + ROWS]]
    rows = cut if isinstance(cut, Tensor) else torch.from_numpy(np.array(cut, dtype=_float(cut.dtype)))
    if not isinstance(cut, np.ndarray) and rows.dtype not in (torch.float32, torch.float64):
        rows = rows.float()
    good = torch.isfinite(rows).all(dim=1)
    if not bool(good.all()):
        sample = start + int(torch.nonzero(~good)[0])
        raise ValueError(
            f"{_TITLES[name]} must be finite; sample {sample} has NaN or infinity. Leave such samples out."
        )
    return rows


def _float(dtype: np.dtype) -> Any:
    return np.float64 if dtype == np.float64 or dtype.kind in "iu" else np.float32


def pieces_of_features(features: Any, settings: Settings) -> Pieces:
    """Return the pieces that features alone bring with them: the predictor, where their .npz file holds W_p.

    Args:
        features: as `validate` takes them.
        settings: of the run.

    Returns:
        The `Pieces`; layout "features".

    Raises:
        ValueError: a W_p that is no square matrix of numbers.
    """
    named = isinstance(features, str | os.PathLike)
    W_p = _matrix(Path(features)) if named else None
    held = "the predictor's matrix W_p beside them" if W_p is not None else "no predictor"
    notes = (
        f"There is no checkpoint: features with {held}; laws of weights and of the run's course cannot be tested.",
    )
    path = Path(features) if named else Path("(arrays)")
    return Pieces(path, ALONE, ALONE_TITLE, predictor=W_p, settings=settings, notes=notes)


def _matrix(path: Path) -> nn.Sequential | None:
    """Return a linear predictor with the W_p of an .npz file, or None; features are checked by their own reader."""
    if path.suffix != ".npz" or not path.is_file():
        return None
    try:
        found = archives.arrays(path, lambda names: [name for name in names if name == W_P]).get(W_P)
    except ValueError as error:
        raise ValueError(f"W_p in {path} cannot be read: {error}.") from error
    if found is None:
        return None
    W_p = np.asarray(_checks.as_array(W_P, found, ndim=2), dtype=float)
    if W_p.shape[0] != W_p.shape[1]:
        raise ValueError(f"W_p in {path} must be d x d, acting on column vectors; got shape {W_p.shape}.")
    layer = nn.Linear(len(W_p), len(W_p), bias=False, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(W_p))
    return nn.Sequential(layer)
