"""Both theories beside a run: where each starts from, and one sentence where one of them is not possible."""

from collections.abc import Callable, Iterable, Sequence

from torch import Tensor

from lindyn.bridge.along_run import NORMALISED, PREDICTED, SQUARED, Curves, TheoriesTold, TheoryBeside
from lindyn.bridge.checkpoints.inputs import Inputs
from lindyn.bridge.features.checkpoint_features import OWN_IMAGES, Request
from lindyn.bridge.features.image_features import from_images
from lindyn.bridge.given_paths import AUTO
from lindyn.bridge.measure.measuring import MeasuredNetwork
from lindyn.bridge.records import Pieces
from lindyn.bridge.run import curves, known_training, theory_beside
from lindyn.bridge.run.description import RunDescription
from lindyn.bridge.run.known_training import KnownTraining, Views
from lindyn.bridge.run.network_start import SAMPLES
from lindyn.bridge.run.next_steps import outlook
from lindyn.bridge.run.theory_beside import MeasuredSpectra
from lindyn.bridge.validation import prediction_before

NOT_POSSIBLE = (ValueError, ArithmeticError, OSError, ImportError, RuntimeError)
"""What keeps a theory from being run; torch and JAX have RuntimeError for shapes and devices."""
Readings = Sequence[tuple[Pieces, MeasuredNetwork]]
ALONE = "a trace alone holds neither the network nor its images; give the folder of the run"


def of_run(over: Curves, readings: Readings, run: RunDescription, given: Inputs, request: Request) -> TheoriesTold:
    """Return the theories beside a run.

    Args:
        over: curves of the run.
        readings: (pieces, measured) in the order of training, the first with its networks.
        run: what is known of the run.
        given: what was given to validate.
        request: how it is read.
    """
    try:
        seen = theory_beside.measured_spectra(over, given.trace)
    except ValueError:  # a damaged trace, of which the curves have said so
        seen = theory_beside.measured_spectra(over, None)
    found: dict[str, TheoryBeside] = {}
    why_not: dict[str, str] = {}
    known = _known(seen, readings, run, given, request, why_not)
    seen = seen.at_most(theory_beside.most_readings(known))
    norms = {pieces.step: measured.norm for pieces, measured in readings if pieces.step is not None}
    ways: dict[str, Callable[[], TheoryBeside]] = {SQUARED: lambda: theory_beside.squared(over, seen)}
    if known is not None:
        ways[NORMALISED] = lambda: theory_beside.normalised(known, seen, norms, request.seed)
    if given.prediction is not None:
        made = given.prediction
        ways[PREDICTED] = lambda: prediction_before.of_run(made, seen)
    for name, way in ways.items():
        try:
            found[name] = way()
        except NOT_POSSIBLE as error:
            why_not[name] = _sentence(error)
    return TheoriesTold(tuple(found.values()), why_not)


def _known(
    seen: MeasuredSpectra, readings: Readings, run: RunDescription, given: Inputs, request: Request,
    why_not: dict[str, str],
) -> KnownTraining | None:  # fmt: skip
    """Return start and steps of the normalised theory, or None with its reason put among the others."""
    try:
        return _training(seen, readings, run, given, request).until(int(seen.steps[-1]))
    except NOT_POSSIBLE as error:
        why_not[NORMALISED] = _sentence(error)
        return None


def _training(
    seen: MeasuredSpectra, readings: Readings, run: RunDescription, given: Inputs, request: Request
) -> KnownTraining:
    """Return start and steps of the normalised theory: of the run's folder, else of its first checkpoint."""
    if given.run is not None:
        return known_training.of_folder(given.run.parent)
    if not readings:
        raise ValueError(ALONE)
    pieces = readings[0][0]

    per_epoch = curves.per_epoch_of(readings)
    return known_training.of_pieces(pieces, run, _views(pieces, request), int(seen.steps[-1]), per_epoch)


def _views(pieces: Pieces, request: Request) -> Views:
    """Return what gives views of images for a checkpoint's network: those given, or those that it was trained on."""

    def views() -> Iterable[tuple[Tensor, Tensor]]:
        if request.features is not None:
            raise ValueError("features were given and no images, so that what the projector sees is not known")
        if request.images == AUTO and pieces.layout not in OWN_IMAGES:
            raise ValueError("it needs images for the network at its start; give --images DIR")
        source = from_images(
            pieces, request.images, device=request.device, limit=request.samples, seed=request.seed, batchnorm="batch"
        )
        return source.pairs(SAMPLES)

    return views


def of_one(pieces: Pieces, run: RunDescription, request: Request) -> TheoriesTold:
    """Return what comes next from a single checkpoint by the normalised theory, or why that is not possible.

    Args:
        pieces: of the checkpoint, with its networks.
        run: what is known of the run.
        request: how it is read.
    """
    try:
        return TheoriesTold(ahead=outlook(pieces, run, _views(pieces, request)))
    except NOT_POSSIBLE as error:
        return TheoriesTold(why_not={NORMALISED: _sentence(error)})


def _sentence(error: Exception) -> str:
    """Return what an error says as one line, ended."""
    told = str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
    return f"{told[0].upper()}{told[1:]}."
