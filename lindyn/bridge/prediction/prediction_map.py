"""Predictions over ranges of keys: one line per cell in a file, so that an interrupted map goes on where it was."""

import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from lindyn import _files
from lindyn._linalg import available_cores
from lindyn.bridge.prediction import prediction as one
from lindyn.bridge.prediction.training_prediction import DIRECTION, NONE, SCALE, judged
from lindyn.bridge.run import normalised_theory as theory
from lindyn.bridge.sections import TABLE
from lindyn.bridge.training.config import TrainConfig
from lindyn.bridge.training.networks import PredictorKind
from lindyn.bridge.training.threads import Threads, limited
from lindyn.stored import lines
from lindyn.sweeps import axes

COLLAPSES = (NONE, DIRECTION, SCALE)
AT_ONCE = min(2, available_cores())
"""Cells that are predicted at the same time."""
FEW = 12
"""Readings along each run of a map."""
OF_THE_START = ("data", "model")
"""Sections that decide the untrained network and its features, beside seed, batch and target."""
NUMBERS = {
    "effective_rank": "exp of the entropy of the eigenvalues of F at the end",
    "trace": "tr F at the end",
    "norm": "norm of all layers together at the end",
    "angle": "angle per step in the middle of training, in radians",
    "angle_law": "sqrt(2 lr decay / (1 + momentum)) there",
    "live": "directions that live at the end",
}


def span_of(text: str) -> tuple[str, list[Any]]:
    """Return (key, values) of "optim.weight_decay=log:1e-4:1e-1:9" or "method.ema=0,0.9,0.99".

    Raises:
        ValueError: no "=", an unknown key, or values that the key does not take.
    """
    name, sign, given = text.partition("=")
    if not sign or not given:
        raise ValueError(f"--sweep is key=values, e.g. optim.weight_decay=log:1e-4:1e-1:9; got {text!r}.")
    key = TABLE.full_name(name.strip())
    parts = given.split(",") if "," in given else [given]
    values: list[Any] = []
    for part in parts:
        if ":" in part:
            values += np.atleast_1d(axes.span(part, key)).tolist()
        else:
            values.append(TABLE.read_override(f"{key}={part}")[1])
    return key, [TABLE.convert(key, value) for value in values]


def predict_map(
    config: TrainConfig,
    spans: Mapping[str, Sequence[Any]],
    store: str | os.PathLike[str] | None = None,
    surrogate: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Any:
    """Return predictions at every combination of values of some keys.

        lindyn.bridge.predict_map(config, {"optim.weight_decay": [1e-4, 1e-2], "method.ema": [0.0, 0.99]})

    Args:
        config: what the keys are changed of.
        spans: values by key.
        store: a file of lines, made where it is not there; cells in it are not predicted again.
        surrogate: whether each cell is a Gaussian surrogate; False: the deep linear theory.
        progress: called with (cells done, all) after each.

    Returns:
        An xarray.Dataset over the keys: `collapse` (0 none, 1 direction, 2 scale) and `NUMBERS`.

    Raises:
        ValueError: an unknown key, a cell that cannot be predicted, or a store of another configuration.
    """
    import xarray as xr

    spans = {TABLE.full_name(key): list(values) for key, values in spans.items()}
    if not spans or not all(spans.values()):
        raise ValueError("spans must give values of at least one key, e.g. {'optim.weight_decay': [1e-3, 1e-2]}.")
    cells = [dict(zip(spans, values, strict=True)) for values in itertools.product(*spans.values())]
    known = _stored(store, config, spans, surrogate)
    left = [cell for cell in cells if _name(cell) not in known]
    starts: dict[Any, tuple[theory.NetworkStart, Any]] = {}
    alone = Lock()
    one_each = Threads(1, "a cell has one")
    with (
        limited(one_each),
        ThreadPoolExecutor(AT_ONCE if surrogate else 1) as pool,
    ):  # torch works outside the interpreter's lock
        jobs = [pool.submit(_predicted, config.changed(cell), starts, surrogate, alone) for cell in left]
        try:
            for cell, job in zip(left, jobs, strict=True):
                known[_name(cell)] = job.result()
                if store is not None:
                    lines.append(Path(store), {"cell": _name(cell), **known[_name(cell)]})
                if progress is not None:
                    progress(len(known), len(cells))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    shape = [len(values) for values in spans.values()]
    found = [known[_name(cell)] for cell in cells]
    data = {
        name: (tuple(spans), np.array([row[name] for row in found], dtype=float).reshape(shape), {"long_name": text})
        for name, text in NUMBERS.items()
    }
    codes = np.array([COLLAPSES.index(row["collapse"]) for row in found], dtype=np.int8).reshape(shape)
    flags = {"flag_values": [0, 1, 2], "flag_meanings": " ".join(COLLAPSES)}
    return xr.Dataset({"collapse": (tuple(spans), codes, flags), **data}, coords=spans, attrs={"theory": "normalised"})


def _predicted(
    config: TrainConfig, starts: dict[Any, tuple[theory.NetworkStart, Any]], surrogate: bool, alone: Any
) -> dict[str, Any]:
    """Return the numbers of one cell; networks and features are made once for all cells that share them."""
    key = (*(getattr(config, section) for section in OF_THE_START), config.run.seed, config.optim.batch,
           config.method.target, config.method.target_start)  # fmt: skip
    kind = PredictorKind.of(config.model.predictor, dict(config.model.predictor_options))
    with alone:  # a network is drawn by torch's own numbers, of which there is one source for all threads
        start, module = starts.get(key, (None, None))
        start, plan, made = one.started(config, start)
        module = made if module is None else module
        starts[key] = start, module
    at = theory.readings_of(plan.steps, FEW)
    views = theory.batches_of(module) if surrogate else ()
    found = one.paths(start, plan, at, config, module if surrogate else None, views, both=False)
    told, path = judged(start, plan, found, config, kind), found.answer
    middle = len(path.steps) // 2
    values = {name: float(getattr(path, name)[-1]) for name in ("effective_rank", "trace", "norm")}
    values |= {name: float(getattr(path, name)[middle]) for name in ("angle", "angle_law")}
    kept = {name: value if np.isfinite(value) else None for name, value in values.items()}
    return {"collapse": told.collapse, "live": told.live, **kept}


def _name(cell: Mapping[str, Any]) -> str:
    return " ".join(f"{key}={value!r}" for key, value in cell.items())


def _stored(
    store: str | os.PathLike[str] | None, config: TrainConfig, spans: Mapping[str, Any], surrogate: bool
) -> dict[str, dict[str, Any]]:
    """Return the cells of a store by name; a line that was cut off does not count.

    Raises:
        ValueError: a store of another configuration.
    """
    if store is None:
        return {}
    rest = {key: value for key, value in config.flat().items() if key not in spans and not TABLE.keys[key].free}
    head = {"map_of": repr(sorted(rest.items())), "keys": list(spans), "surrogate": surrogate}
    path = Path(store)
    if not path.is_file() or not path.stat().st_size:
        path.parent.mkdir(parents=True, exist_ok=True)
        lines.append(path, head)
        return {}
    records = [record for _, _, record in lines.read(path) if isinstance(record, dict)]
    told = {key: records[0].get(key) for key in head} if records else {}
    if told != head:
        raise ValueError(f"{path} holds a map of another configuration; choose another --out, or remove the file.")
    whole = [lines.sealed(record) for record in records]
    _files.write(path, "".join(whole))  # without what a kill cut off
    return {record["cell"]: record for record in records[1:]}


def words(ds: Any) -> str:
    """Return what a map shows: how many cells collapse, and the range of the effective rank in the others."""
    code, rank = ds["collapse"].values, ds["effective_rank"].values
    lives = code == COLLAPSES.index(NONE)
    told = [f"{ds['collapse'].size} predictions over {', '.join(ds['collapse'].dims)}: {int(lives.sum())} live"]
    for name in (DIRECTION, SCALE):
        count = int(np.sum(code == COLLAPSES.index(name)))
        told += [f"{count} collapse in {name}"] * bool(count)
    if lives.any():
        told.append(f"effective rank of those that live {np.nanmin(rank[lives]):.2f} to {np.nanmax(rank[lives]):.2f}")
    return "; ".join(told) + "."
