"""What the normalised theory says will come next from one checkpoint, and whether its state is one of rest."""

from dataclasses import replace

import numpy as np

from lindyn.bridge.along_run import NextSteps
from lindyn.bridge.records import Pieces
from lindyn.bridge.run import normalised_theory
from lindyn.bridge.run.description import RunDescription, describe
from lindyn.bridge.run.known_training import Views, of_pieces
from lindyn.bridge.run.theory_error import shape_error
from lindyn.bridge.settings import Settings

SHARE, FEWEST, MOST = 0.1, 20, 200
"""Of the steps that a checkpoint has behind it so many are looked ahead, between these numbers."""
STEADY = {"optim.schedule": "constant", "optim.warmup_epochs": 0.0, "method.ema_schedule": "constant"}


def outlook(pieces: Pieces, run: RunDescription, views: Views) -> NextSteps:
    """Return what comes next.

    Args:
        pieces: of the checkpoint, with its networks.
        run: what is known of the run.
        views: gives batches of two views.

    Raises:
        ValueError: settings, networks or images are missing, or the steps would take too long.
    """
    begin = pieces.step or 0
    steps = int(np.clip(round(SHARE * begin), FEWEST, MOST))
    steady = describe(Settings.of(STEADY, "the outlook").over(run.settings))
    known = of_pieces(replace(pieces, step=begin), steady, views, begin + steps).until(begin + steps)
    path = normalised_theory.path_of(known.start, known.plan, np.array([0, steps]))
    if not path.finite:
        raise ValueError(f"its weights leave the numbers within {steps} steps")
    change = float(shape_error(path.spectrum[:1], path.spectrum[1:])[0])
    rank_now, rank_then = (float(rank) for rank in path.effective_rank)
    return NextSteps(steps, rank_now, rank_then, change, (*known.start.left_out, *known.plan.assumed))
