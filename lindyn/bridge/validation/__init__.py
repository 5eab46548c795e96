"""`validate`: a checkpoint or a run in, the whole answer out; `compare`: two answers side by side.

Read the checkpoints, take their features, measure them, hold the laws against the last, set the theory of the run
beside all, say what would have helped.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lindyn._extensions import FAULT
from lindyn._progress import Stages
from lindyn.bridge.along_run import NORMALISED, TheoriesTold
from lindyn.bridge.checkpoints import inputs
from lindyn.bridge.checkpoints.layouts import read_checkpoint
from lindyn.bridge.features import checkpoint_features, feature_arrays
from lindyn.bridge.features.checkpoint_features import Request
from lindyn.bridge.features.row_checks import DISTINCT, looked_at
from lindyn.bridge.given_paths import AUTO
from lindyn.bridge.laws import KnownRun, findings, known_laws
from lindyn.bridge.layers import stacks
from lindyn.bridge.measure.measuring import MeasuredNetwork, measure
from lindyn.bridge.records import FEWEST, Curves, Finding, ModeReading, Pieces, TheoryBeside, Validation
from lindyn.bridge.report import compare as comparing
from lindyn.bridge.report import schema
from lindyn.bridge.report.advice import advise
from lindyn.bridge.report.wording import headline
from lindyn.bridge.run import curves
from lindyn.bridge.run.counterfactuals import first_aligned, modes_of_run
from lindyn.bridge.run.description import describe
from lindyn.bridge.second_reading import FirstReading, all_assumptions
from lindyn.bridge.sections import VALIDATED
from lindyn.bridge.settings import Settings
from lindyn.bridge.torch_defaults import under_plain_defaults
from lindyn.bridge.validation import prediction_before, theories_asked
from lindyn.bridge.watch.trace import last_reading

NOTHING = TheoriesTold()
OWN_F = "F = E[z z^T] as the checkpoint carries it, of how many samples is not known"


@under_plain_defaults
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
    prediction: str | os.PathLike | None = None,
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
        prediction: what `lindyn predict` wrote of a run of `lindyn train`; None: one of the same configuration beside
            its folder is taken.

    Returns:
        The answer.

    Raises:
        ValueError: input that cannot be read or does not fit together; one sentence.
        ImportError: a package that the file or the images need is missing.
    """
    paths = inputs.paths_of(checkpoints)
    known = Settings.of({VALIDATED.full_name(key): value for key, value in (settings or {}).items()}, "the call")
    device = None if device == AUTO else device
    request = Request(features, images, known, names, layout, unsafe, samples, device, seed)
    given = None if not paths and features is not None else inputs.find(paths)
    asked = None if prediction is None else Path(prediction)
    before = prediction_before.found(None if given is None else given.run, asked)
    given = given and replace(given, prediction=before)
    stages = Stages(shown=progress)
    try:
        if given is None:
            return _of_features(request, stages)
        return _of_checkpoints(given, request, stages) if given.files else _of_trace(given, request)
    finally:
        stages.close()


def compare(first: Validation | str | os.PathLike, second: Validation | str | os.PathLike) -> comparing.Compared:
    """Return two answers side by side.

    Args:
        first: run A: an answer, a report.json or the folder that holds it, or what `validate` takes.
        second: run B.

    Returns:
        The comparison.

    Raises:
        ValueError: a path that can be neither read nor validated.
    """
    return comparing.compared(_answer_of(first), _answer_of(second))


def _answer_of(given: Validation | str | os.PathLike) -> Validation:
    if isinstance(given, Validation):
        return given
    path = inputs.paths_of(given)[0]
    written = path.suffix == ".json" or (path / "report.json").is_file()
    return schema.read_report(path) if written else validate(path)


def _of_checkpoints(given: inputs.Inputs, request: Request, stages: Stages) -> Validation:
    """Return the answer to one checkpoint or several: the laws of the last, the theory over all."""
    readings: list[tuple[Pieces, MeasuredNetwork]] = []
    notes, words, count = list(given.notes), "", len(given.files)
    for place, (path, own) in enumerate(zip(given.files, request.of_each(count), strict=True)):
        stages.begin(f"{path.name} ({place + 1} of {count})" if count > 1 else path.name)
        pieces = read_checkpoint(path, unsafe=request.unsafe, names=request.names, layout=request.layout,
                                 settings=request.settings.values)  # fmt: skip
        said = {each.sentence for each in pieces.assumptions}  # the answer has them as records
        pieces = replace(pieces, notes=tuple(note for note in pieces.notes if note not in said))
        replaced = [*request.settings.in_place_of(pieces.settings)]
        pieces = replace(pieces, settings=request.settings.over(pieces.settings))
        pieces, source, why = checkpoint_features.of_checkpoint(pieces, own, request)
        looked = None if source is None else looked_at(source)
        source = None if looked is None else looked.source
        notes += [note for note in (*replaced, why) if note and note not in notes]
        words = source.description if source is not None else OWN_F if pieces.F is not None else ""
        checkpoint_features.check_something(pieces, source)
        last = stacks.last_stack(pieces.backbone, pieces.projector)
        last_target = stacks.last_stack(pieces.target_backbone, pieces.target_projector)
        fewest = DISTINCT if looked is not None and looked.source is not looked.given else FEWEST
        measured = measure(
            source, pieces.predictor, last, last_target, stages.tell, request.seed, F=pieces.F, fewest=fewest
        )
        last_measured = measured
        readings = _lightened(curves.in_order([*readings, (pieces, measured)]))
    pieces, measured = readings[-1]
    run = describe(pieces.settings)
    over = curves.of_run(readings, run, given.trace, given.run.parent if given.run is not None else None, notes)
    stages.begin("both theories")
    told = theories_asked.told(over, readings, run, given, request)
    pieces = inputs.unfinished(pieces, given.run)
    pieces = replace(pieces, path=given.title, notes=(*pieces.notes, *notes))
    found = _laws(pieces, measured, **_course(readings, told.predictions))
    if measured is not last_measured:  # the last in the order of training is not the file that was read last
        looked = source = None
    first = FirstReading(pieces, measured, found, _laws, source)
    stages.begin("second readings")
    pieces = replace(pieces, assumptions=all_assumptions(first, looked, request.images))
    return _answer(pieces, measured, words, found, over, modes_of_run(readings, run), told)


def _lightened(readings: list[tuple[Pieces, MeasuredNetwork]]) -> list[tuple[Pieces, MeasuredNetwork]]:
    """Return the readings without what only the first, the first aligned and the last are asked for."""
    kept = {0, len(readings) - 1, first_aligned(readings)}
    return [
        (pieces, measured) if place in kept else (pieces.without_networks(), measured.lightened())
        for place, (pieces, measured) in enumerate(readings)
    ]


def _of_features(request: Request, stages: Stages) -> Validation:
    """Return the answer to features without a checkpoint."""
    (features,) = request.of_each(1)
    stages.begin("features")
    looked = looked_at(feature_arrays.given(features))
    pieces = feature_arrays.pieces_of_features(features, request.settings)
    fewest = DISTINCT if looked.source is not looked.given else FEWEST
    measured = measure(looked.source, pieces.predictor, progress=stages.tell, seed=request.seed, fewest=fewest)
    found = _laws(pieces, measured)
    first = FirstReading(pieces, measured, found, _laws, looked.source)
    pieces = replace(pieces, assumptions=all_assumptions(first, looked, request.images))
    return _answer(pieces, measured, looked.source.description, found)


def _laws(pieces: Pieces, measured: MeasuredNetwork, **along: Any) -> tuple[Finding, ...]:
    """Return the laws held against a network, the last of a run; `along` is what is known of its course."""
    return findings(measured, KnownRun.of(describe(pieces.settings), measured, **along))


def _course(readings: Sequence[tuple[Pieces, MeasuredNetwork]], beside: Sequence[TheoryBeside]) -> dict[str, Any]:
    """Return what laws may know of a run's course: its first checkpoint, the last step of training, the theory beside.

    The last step is that of the latest checkpoint whose learning rate is not run down yet, else of the last one.
    """
    along: dict[str, Any] = {"beside": next((each for each in beside if each.theory == NORMALISED), None)}
    (first_pieces, first), (_, last) = readings[0], readings[-1]
    if first is not last:
        along |= {"first": first, "first_at": first_pieces.place}
    steps = [(pieces.last_step, pieces.place) for pieces, _ in readings if pieces.last_step is not None]
    if steps:
        step, place = next(((step, place) for step, place in reversed(steps) if step.told), steps[-1])
        along |= {"last_step": step, "last_step_at": place}
    return along


def _of_trace(given: inputs.Inputs, request: Request) -> Validation:
    """Return the answer to a trace alone: the diagnosis over training."""
    assert given.trace is not None
    settings = request.settings.over(curves.settings_beside(given.run)) if given.run is not None else request.settings
    diagnosis, samples, step = last_reading(given.trace)
    run = describe(settings)
    over = curves.from_trace(given.trace, run)
    told = theories_asked.told(over, (), run, given, request)
    pieces = curves.pieces_of(given.title, step, settings)
    measured = MeasuredNetwork(samples, 0, diagnosis=diagnosis)
    words = f"the readings in {given.trace.name}"
    return _answer(pieces, measured, words, (), over, None, told)


def _answer(
    pieces: Pieces, measured: MeasuredNetwork, words: str, found: tuple[Finding, ...],
    over: Curves | None = None, modes: ModeReading | None = None, told: TheoriesTold = NOTHING,
) -> Validation:  # fmt: skip
    """Return the whole answer: what was found, what would have helped, and the headline."""
    faults = (each.reason for each in found if FAULT in each.reason)
    pieces = replace(pieces, notes=(*pieces.notes, *known_laws()[1], *faults))
    run, maps, diagnosis, samples = describe(pieces.settings), measured.maps, measured.diagnosis, measured.samples
    collapse, rates = diagnosis.collapse if diagnosis is not None else measured.collapse, run.rates
    advice = advise(
        found, rates, diagnosis, maps, pieces.settings, modes, samples, over, pieces.assumptions, collapse,
        told.predictions, told.ahead,
    )  # fmt: skip
    kind, sure = maps[0].kind if maps else "", (advice[0].sure, advice[1].sure)
    line = headline(found, diagnosis, kind, over, collapse, sure, told.predictions, run.loss.theory)
    return Validation(
        pieces, rates, words, samples, maps, diagnosis, found, over, advice, line, modes, collapse, told.predictions,
        told.why_not,
    )  # fmt: skip
