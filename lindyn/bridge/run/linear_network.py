"""The theory beside a run of `lindyn train` whose network is the paper's own: nothing left out, nothing fitted.

From projections alone X and X' are known only in the directions that the first W sees. Of lindyn's own linear runs they
are known in all of them (`lindyn.bridge.run.training_theory`), so that Lemma 1 runs on the weights themselves.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from torch import nn

from lindyn.bridge.records import Curves
from lindyn.bridge.run import curves, flow, training_theory
from lindyn.bridge.training.trainer import Run


def last_stack(backbone: nn.Module | None, projector: nn.Sequential | None) -> nn.Sequential | None:
    """Return the stack that ends a network: its projector, or the paper's W where a linear backbone has none."""
    W = getattr(backbone, "linear", None)
    if projector is not None and len(projector) == 0 and isinstance(W, nn.Linear):
        return nn.Sequential(W)
    return projector


def with_own_theory(over: Curves, folder: Path) -> Curves:
    """Return the curves with the theory of the run itself, where its network is linear; else as they are.

    Args:
        over: curves of the run's checkpoints.
        folder: of the run.

    Returns:
        The curves; theory and error are those of Lemma 1 from the first checkpoint's weights.
    """
    try:
        run = Run.load(folder)
        if run.config.model.backbone != "linear" or run.config.model.projector != "none":
            return over
        found = training_theory.beside(run)
    except ValueError:  # no counterpart in the theory, or a folder that is no longer whole
        return over
    rows = {int(step): place for place, step in enumerate(found.steps)}
    if not set(map(int, over.steps)) <= set(rows):
        return over
    Sigma = np.asarray(found.flow.data.Sigma_s)
    taken = [flow.modes_in(found.theory[rows[int(step)]], Sigma, run.config.method.target) for step in over.steps]
    told = {name: np.stack([part[name] for part in taken]) for name in ("s", "p", "tau")}
    reason = "Lemma 1 on the weights from the first checkpoint with the run's own X and X', nothing fitted"
    reason += f"; {found.note}" if found.note else ""
    return replace(over, theory=told, error=curves.relative_errors(dict(over.measured), told), reason=reason)
