"""`validate`: a checkpoint or a run in, the whole answer out."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lindyn.bridge import validation_request
from lindyn.bridge.checkpoints import inputs
from lindyn.bridge.checkpoints.layouts import read_checkpoint
from lindyn.bridge.features import checkpoint_features, feature_arrays
from lindyn.bridge.features.checkpoint_features import Request
from lindyn.bridge.features.image_views import AUTO
from lindyn.bridge.laws import KnownRun, findings, known_laws
from lindyn.bridge.layers import stacks
from lindyn.bridge.measure.measuring import MeasuredNetwork, measure
from lindyn.bridge.records import Curves, ModeReading, Pieces, Validation
from lindyn.bridge.report import advice as advising
from lindyn.bridge.report.headline import headline
from lindyn.bridge.run import counterfactuals, curves
from lindyn.bridge.run.description import RunDescription, describe
from lindyn.bridge.sections import TABLE
from lindyn.bridge.settings import Settings
from lindyn.bridge.validation_stages import Stages

OWN_F = "F = E[z z^T] as the checkpoint carries it, of how many samples is not known"
FEW = 4
"""Fewer checkpoints than this give no curve where there is a trace."""


def validate(
    checkpoints: str | os.PathLike | Iterable[str | os.PathLike] = (),
    *,
    features: Any = None,
    images: str | Path = AUTO,
    settings: Mapping[str, Any] | None = None,
    names: Mapping[str, str] | None = None,
    layout: str | None = None,
    unsafe: bool = False,
    samples: int | None = None,
    device: str | None = None,
    seed: int = 0,
    progress: bool = False,
) -> Validation:
    """Hold a trained network against the theory.

        answer = lindyn.bridge.validate("lindyn-out/train")
        answer.headline, answer.findings[0].verdict, answer.advice[0].text

    Args:
        checkpoints: a checkpoint, several of one run, a folder of `lindyn train` or with checkpoints in it, or a
            trace.jsonl alone; nothing: features alone are tested.
        features: projections instead of images: an .npy or .npz file, (z1, z2, target1) arrays with samples as rows,
            or a `FeatureSource`; a list of as many as there are checkpoints.
        images: a folder of images, "mnist", "digits", or "auto": those that a run of `lindyn train` was trained on.
        settings: keys of `lindyn train` that the file does not hold ({"optim.lr": 0.05, "method.ema": 0.99}); they go
            before those read.
        names: pieces named by hand, see `read_checkpoint`.
        layout: of the file; None finds it.
        unsafe: whether a file that needs unpickling is read, through stand-ins that run none of its code.
        samples: at most so many images; None: all.
        device: of torch, "cpu", "cuda", ...; None or "auto": a GPU if there is one.
        seed: of images, views and intervals.
        progress: show progress on a terminal.

    Returns:
        The answer.

    Raises:
        ValueError: input that cannot be read or does not fit together; one sentence.
        ImportError: a package that the file or the images need is missing.
    """
    paths = inputs.paths_of(checkpoints)
    validation_request.check(features, images, samples, device, seed)
    given = None if not paths and features is not None else inputs.find(paths)
    values = {TABLE.full_name(key): value for key, value in (settings or {}).items()}
    request = Request(
        images,
        Settings.of(values, "the call"),
        names,
        layout,
        unsafe,
        samples,
        None if device == AUTO else device,
        seed,
    )
    stages = Stages(shown=progress)
    try:
        if given is None:
            return _of_features(_one_each(features, 1)[0], request, stages)
        if not given.files:
            return _of_trace(given, request)
        return _of_checkpoints(given, request, _one_each(features, len(given.files)), stages)
    finally:
        stages.close()


def _one_each(features: Any, count: int) -> list[Any]:
    """Return the features of every checkpoint, None where there are none."""
    if features is None:
        return [None] * count
    found = list(features) if isinstance(features, list) else [features]
    if len(found) != count:
        raise ValueError(
            f"features must be one of each checkpoint, since they are a network's own; got {len(found)} for {count}."
        )
    return found


def _of_checkpoints(given: inputs.Inputs, request: Request, features: list[Any], stages: Stages) -> Validation:
    """Return the answer to one checkpoint or several."""
    readings: list[tuple[Pieces, MeasuredNetwork]] = []
    notes: list[str] = list(given.notes)
    words = ""
    for place, (path, own) in enumerate(zip(given.files, features, strict=True)):
        stages.begin(f"{path.name} ({place + 1} of {len(given.files)})" if len(given.files) > 1 else path.name)
        pieces = read_checkpoint(path, unsafe=request.unsafe, names=request.names, layout=request.layout)
        notes += [
            note for note in validation_request.overridden(request.settings, pieces.settings) if note not in notes
        ]
        pieces = replace(pieces, settings=request.settings.over(pieces.settings))
        pieces, source, why = checkpoint_features.of_checkpoint(pieces, own, request)
        notes += [why] if why and why not in notes else []
        words = source.description if source is not None else OWN_F if pieces.F is not None else ""
        checkpoint_features.check_something(pieces, source)
        measured = measure(
            source,
            pieces.predictor,
            stacks.last_stack(pieces.backbone, pieces.projector),
            stacks.last_stack(pieces.target_backbone, pieces.target_projector),
            stages.tell,
            request.seed,
            F=pieces.F,
        )
        readings = _lightened(_in_order([*readings, (pieces, measured)]))
    pieces, measured = readings[-1]
    pieces = validation_request.unfinished(pieces, given.run)
    run = describe(pieces.settings)
    over = _over_training(given, readings, run, notes)
    pieces = replace(pieces, path=given.title, notes=(*pieces.notes, *notes))
    modes = counterfactuals.modes_of_run(readings, run)
    return _answer(pieces, run, measured, words, over, modes, readings)


def _of_features(features: Any, request: Request, stages: Stages) -> Validation:
    """Return the answer to features without a checkpoint."""
    stages.begin("features")
    source = feature_arrays.given(features)
    pieces = feature_arrays.pieces_of_features(features, request.settings)
    measured = measure(source, pieces.predictor, progress=stages.tell, seed=request.seed)
    return _answer(pieces, describe(pieces.settings), measured, source.description, None, None)


def _in_order(readings: list[tuple[Pieces, MeasuredNetwork]]) -> list[tuple[Pieces, MeasuredNetwork]]:
    """Return the readings by step, else by epoch, else as given."""
    for name in ("step", "epoch"):
        if all(getattr(pieces, name) is not None for pieces, _ in readings):
            return sorted(readings, key=lambda reading: getattr(reading[0], name))
    return readings


def _lightened(readings: list[tuple[Pieces, MeasuredNetwork]]) -> list[tuple[Pieces, MeasuredNetwork]]:
    """Return the readings without what only the first, the first aligned and the last are asked for."""
    kept = {0, len(readings) - 1, counterfactuals.first_aligned(readings)}
    return [
        (_without_networks(pieces), replace(measured, X=None, X_aug=None, readings={}, last=None, last_target=None))
        if place not in kept
        else (pieces, measured)
        for place, (pieces, measured) in enumerate(readings)
    ]


def _without_networks(pieces: Pieces) -> Pieces:
    gone = dict.fromkeys(("backbone", "projector", "predictor", "target_backbone", "target_projector", "F"))
    return replace(pieces, **gone)  # type: ignore[arg-type]


def _over_training(
    given: inputs.Inputs, readings: Sequence[tuple[Pieces, MeasuredNetwork]], run: RunDescription, notes: list[str]
) -> Curves | None:
    """Return the curves: by checkpoints where there are enough with features, else by a trace that has more."""
    whole = [(pieces, measured) for pieces, measured in readings if measured.F is not None]
    trace = given.trace
    if trace is not None and len(whole) < FEW and curves.length(trace) > len(whole):
        first = whole[0] if whole and whole[0][0].step == 0 else None
        found = _tried(lambda: curves.from_trace(trace, run, first), notes)
        if found is not None:
            return found
    if len(whole) < 2:
        return None
    over = curves.from_checkpoints(whole, run)
    return over if given.run is None else curves.with_own_theory(over, given.run.parent)


def _tried(make: Callable[[], Curves], notes: list[str]) -> Curves | None:
    """Return curves, or None with a note where the trace beside the checkpoints does not give any."""
    try:
        return make()
    except ValueError as error:
        notes.append(f"The trace beside the checkpoints was left out: {error}")
        return None


def _of_trace(given: inputs.Inputs, request: Request) -> Validation:
    """Return the answer to a trace alone: the diagnosis over training."""
    assert given.trace is not None
    settings = request.settings
    if given.run is not None:
        settings = settings.over(curves.settings_beside(given.run))
    run = describe(settings)
    diagnosis, samples, step = curves.last_reading(given.trace)
    over = curves.from_trace(given.trace, run)
    pieces = curves.pieces_of(given.title, step, settings)
    return Validation(
        pieces, run.rates, f"the readings in {given.trace.name}", samples, (), diagnosis, (), over,
        advising.advise((), run.rates, diagnosis, (), settings, None, samples), headline((), diagnosis),
    )  # fmt: skip


def _answer(
    pieces: Pieces,
    run: RunDescription,
    measured: MeasuredNetwork,
    words: str,
    over: Curves | None,
    modes: ModeReading | None,
    readings: Sequence[tuple[Pieces, MeasuredNetwork]] = (),
) -> Validation:
    notes = tuple(note for note in known_laws()[1] if note not in pieces.notes)
    pieces = replace(pieces, notes=(*pieces.notes, *notes))
    first = {"first": readings[0][1], "first_at": _place(readings[0][0])} if len(readings) > 1 else {}
    found = findings(measured, KnownRun.of(run, measured, **first))
    kind = measured.maps[0].kind if measured.maps else ""
    diagnosis, samples = measured.diagnosis, measured.samples
    return Validation(
        pieces, run.rates, words, samples, measured.maps, diagnosis, found, over,
        advising.advise(found, run.rates, diagnosis, measured.maps, pieces.settings, modes, samples, over),
        headline(found, diagnosis, kind, over), modes,
    )  # fmt: skip


def _place(pieces: Pieces) -> str:
    if pieces.step is not None:
        return f"step {pieces.step}"
    return f"epoch {pieces.epoch}" if pieces.epoch is not None else "the first checkpoint"
