"""`report.json`: the answer as plain JSON with a schema number, written and read back. NaN is null.

docs/validation.md documents every field. Networks and the matrices W_p do not go into the file: what is read back
has the pieces' names, layout, settings and notes, and maps of size 0 x 0.
"""

import dataclasses
import json
import math
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import lindyn
from lindyn.bridge.assumptions import Assumption
from lindyn.bridge.laws import LAWS
from lindyn.bridge.readings import Collapse, Diagnosis, SlopeFit
from lindyn.bridge.records import Advice, Curves, Finding, ModeReading, Pieces, PredictorMap, Validation
from lindyn.bridge.report import prediction_json
from lindyn.bridge.report.json_values import back, number, plain
from lindyn.bridge.settings import Rates, Settings
from lindyn.bridge.watch.trace import balance_of_schema_1
from lindyn.stored import limits

SCHEMA = 2
"""2: a balance residual is that of `lindyn.statistics`; numbers of schema 1 are brought to it when they are read."""
KEY = "lindyn_validation"
DRAWN = 12
"""Modes of the theory that are kept between the readings."""
ASSUMED = ("about", "taken", "choose", "changed", "outcome", "told", "reach")
PARTS = ("backbone", "projector", "predictor", "target_backbone", "target_projector", "F")


def as_json(answer: Validation) -> dict[str, Any]:
    """Return the answer as JSON values (dict, list, str, finite numbers, None).

    Args:
        answer: of `lindyn.bridge.validate`.

    Returns:
        The report, as docs/validation.md has it.
    """
    over = answer.over_training
    return {
        KEY: SCHEMA,
        "versions": versions(),
        "headline": answer.headline,
        "read": _read(answer.pieces),
        "settings": {
            key: {"value": plain(value), "source": answer.pieces.settings.sources.get(key, "")}
            for key, value in answer.pieces.settings.values.items()
        },
        "rates": plain(dataclasses.asdict(answer.rates)),
        "features": {"description": answer.features, "samples": answer.samples},
        "maps": [{"kind": m.kind, "explained": plain(m.explained), "shape": list(m.W_p.shape)} for m in answer.maps],
        "collapse": plain(dataclasses.asdict(answer.collapse)),
        "diagnosis": None if answer.diagnosis is None else plain(dataclasses.asdict(answer.diagnosis)),
        "findings": [plain({**_fields(found), "details": dict(found.details)}) for found in answer.findings],
        "over_training": None if over is None else plain({**_fields(over), "path": _leading(over.path)}),
        "predictions": [prediction_json.as_json(beside) for beside in answer.predictions],
        "not_predicted": dict(answer.not_predicted),
        "modes": None if answer.modes is None else plain(_fields(answer.modes)),
        "advice": [plain(dataclasses.asdict(advice)) for advice in answer.advice],
    }


def _leading(path: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the largest modes of the theory at its own times."""
    return {name: part if part.ndim == 1 else part[:, :DRAWN] for name, part in path.items()}


def versions() -> dict[str, str]:
    """Return the versions of what made a report."""
    import torch

    return {
        "lindyn": lindyn.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def _fields(record: Any) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}


def _read(pieces: Pieces) -> dict[str, Any]:
    return {
        "path": str(pieces.path),
        "layout": pieces.layout,
        "title": pieces.title,
        "parts": [name for name in PARTS if getattr(pieces, name) is not None],
        "step": pieces.step,
        "epoch": pieces.epoch,
        "notes": list(pieces.notes),
        "assumptions": [
            {field: getattr(each, field) for field in ASSUMED} | {"words": each.words} for each in pieces.assumptions
        ],
    }


def text(report: Mapping[str, Any]) -> str:
    """Return the report as the file's text."""
    return json.dumps(report, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def read_report(path: str | Path) -> Validation:
    """Return the answer that a report.json holds, without networks and matrices.

    Args:
        path: of the file, or of the folder that holds it.

    Returns:
        The `Validation`; null is NaN where a number is meant.

    Raises:
        ValueError: no such file, not a report, damaged, or of a newer schema.
    """
    path = Path(path)
    path = path / "report.json" if path.is_dir() else path
    try:
        found = limits.read_json(path)
    except OSError as error:
        raise ValueError(f"path must be a report.json; {path} cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise ValueError(f"{path} is no report of lindyn validate: it is not JSON, or cut off.") from error
    if not isinstance(found, dict) or KEY not in found:
        raise ValueError(f"{path} is no report of lindyn validate: it has no {KEY!r}.")
    if not isinstance(found[KEY], int) or not 1 <= found[KEY] <= SCHEMA:
        raise ValueError(
            f"{path} has schema {found[KEY]!r}, this lindyn reads schema {SCHEMA}; update lindyn, or validate again."
        )
    try:
        return _answer(_of_today(found) if found[KEY] == 1 else found)
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: {error!r} while it was read; validate again.") from error


def _of_today(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a report of schema 1 under today's names and definitions; words stay as they were written."""
    told = dict(found)
    if told["diagnosis"] is not None:
        reading = dict(told["diagnosis"])
        old = (number(reading.pop("balance_residual")), number(reading["balance_c"]))
        residual, c = balance_of_schema_1(*old)
        told["diagnosis"] = {**reading, "balance_residual_fitted": plain(residual), "balance_c": plain(c)}
    if told["over_training"] is not None:
        measured = dict(told["over_training"]["measured"])
        if "balance_residual" in measured:
            residual, _ = balance_of_schema_1(back(measured.pop("balance_residual")), 1.0)
            measured["balance_residual_fitted"] = plain(residual)
        told["over_training"] = {**told["over_training"], "measured": measured}
    told["findings"] = [_fitted_balance(entry) if entry["law"] == "balance" else entry for entry in told["findings"]]
    return told


def _fitted_balance(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the finding `balance` of schema 1: with alpha_p fitted it was tan(theta/2), alpha_p over cos theta."""
    details = entry["details"]
    if not details.get("fitted") or entry["value"] is None:
        return entry
    tangent = entry["value"]
    ends = {name: None if entry[name] is None else entry[name] / math.hypot(1, entry[name]) for name in ("low", "high")}
    cosine = (1 - tangent**2) / (1 + tangent**2)
    numbers = {"value": tangent / math.hypot(1, tangent), **ends}
    return {**entry, **numbers, "details": {**details, "alpha_p": details["alpha_p"] * cosine}}


def _answer(found: Mapping[str, Any]) -> Validation:
    read, over, reading = found["read"], found["over_training"], found["diagnosis"]
    stated = found["settings"]
    settings = Settings(
        {key: entry["value"] for key, entry in stated.items()}, {key: entry["source"] for key, entry in stated.items()}
    )
    pieces = Pieces(
        Path(read["path"]), read["layout"], read["title"], step=read["step"], epoch=read["epoch"], settings=settings,
        notes=tuple(read["notes"]),
        assumptions=tuple(_assumption(entry) for entry in read.get("assumptions", ())),
    )  # fmt: skip
    rates: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in found["rates"].items()
    }
    return Validation(
        pieces=pieces,
        rates=Rates(**rates),
        features=found["features"]["description"],
        samples=found["features"]["samples"],
        maps=tuple(PredictorMap(np.empty((0, 0)), m["kind"], number(m["explained"])) for m in found["maps"]),
        diagnosis=None if reading is None else _diagnosis(reading),
        findings=tuple(_finding(entry) for entry in found["findings"]),
        over_training=None if over is None else _over_training(over),
        advice=tuple(Advice(**entry) for entry in found["advice"]),
        headline=found["headline"],
        modes=None if found["modes"] is None else _modes(found["modes"]),
        collapse=_collapse(found.get("collapse")),
        predictions=tuple(prediction_json.read(entry) for entry in found.get("predictions", ())),
        not_predicted=dict(found.get("not_predicted", {})),
    )


def _collapse(entry: Mapping[str, Any] | None) -> Collapse:
    """Return the word on collapse; "" of a report that was written before there was one."""
    return Collapse("") if entry is None else Collapse(**{name: back(value) for name, value in entry.items()})


def _assumption(entry: Mapping[str, Any]) -> Assumption:
    return Assumption(**{name: entry[name] for name in ASSUMED if name in entry})


def _modes(entry: Mapping[str, Any]) -> ModeReading:
    return ModeReading(**{**{k: back(v) for k, v in entry.items()}, "notes": tuple(entry["notes"])})


def _finding(entry: Mapping[str, Any]) -> Finding:
    law = LAWS.get(entry["law"])  # of a report that was written before findings said these themselves
    told = {} if law is None else {"short": law.short, "role": law.role}
    entry = {**told, **entry}
    numbers = {name: number(entry[name]) for name in ("value", "low", "high")}
    return Finding(**{**entry, **numbers, "details": {k: back(v) for k, v in entry["details"].items()}})


def _diagnosis(entry: Mapping[str, Any]) -> Diagnosis:
    values = {name: back(value) for name, value in entry.items()}
    word = _collapse(entry.get("collapse"))
    return Diagnosis(**{**values, "slope": SlopeFit(**values["slope"]), "collapse": word})


def _over_training(entry: Mapping[str, Any]) -> Curves:
    told = [name for name in ("measured", "theory", "error", "path") if name in entry]  # reports before had no path
    tables = {name: {k: back(v) for k, v in entry[name].items()} for name in told}
    return Curves(**{**entry, **tables, "steps": np.asarray(entry["steps"])})
