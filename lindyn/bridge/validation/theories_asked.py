"""What is asked of both theories: beside a run, or of a single checkpoint; what they need is loaded only then."""

from collections.abc import Sequence

from lindyn.bridge.along_run import Curves, TheoriesTold
from lindyn.bridge.checkpoints.inputs import Inputs
from lindyn.bridge.features.checkpoint_features import OWN_IMAGES, Request
from lindyn.bridge.given_paths import AUTO
from lindyn.bridge.measure.measuring import MeasuredNetwork
from lindyn.bridge.records import Pieces
from lindyn.bridge.run.description import RunDescription
from lindyn.bridge.run.rates import missing_of_steps

Readings = Sequence[tuple[Pieces, MeasuredNetwork]]


def told(over: Curves | None, readings: Readings, run: RunDescription, given: Inputs, request: Request) -> TheoriesTold:
    """Return the theories beside a run, or what comes next from a single checkpoint.

    Args:
        over: curves of the run; None: a single checkpoint, or several without features.
        readings: (pieces, measured) in the order of training, the first with its networks.
        run: what is known of the run.
        given: what was given to validate.
        request: how it is read.

    Returns:
        What they say; nothing of a single checkpoint whose settings or images are not known.
    """
    if over is None and not (len(readings) == 1 and _known(readings[0][0], run, request)):
        return TheoriesTold()
    from lindyn.bridge.validation import theories_beside  # loads JAX, which other answers have no use for

    if over is None:
        return theories_beside.of_one(readings[0][0], run, request)
    return theories_beside.of_run(over, readings, run, given, request)


def _known(pieces: Pieces, run: RunDescription, request: Request) -> bool:
    """Return whether a checkpoint's network can be shown images, and the steps of its training are known."""
    shown = request.features is None and (request.images != AUTO or pieces.layout in OWN_IMAGES)
    return shown and pieces.backbone is not None and not missing_of_steps(run.settings)
