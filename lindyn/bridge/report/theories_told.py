"""Which of the two theories describes a run, and by how much better, in words."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from lindyn.bridge.along_run import PREDICTED
from lindyn.bridge.records import TheoryBeside, Validation

FOLLOWS, DESCRIBES, IN_PART = 0.1, 0.25, 0.5
"""Errors of the spectrum's shape up to which a theory follows a run, describes it, describes it in part."""
ALIKE = 1.1
"""Two theories whose errors differ by less than this factor describe a run about as well."""
FARTHEST = 100
"""Ratio of errors above which no number is told."""
ERROR = "error of the spectrum's shape"


def which(predictions: Sequence[TheoryBeside]) -> str:
    """Return which theory describes the run and by how much better, without a full stop; "" where none is there.

    Args:
        predictions: the theories beside the run.
    """
    theories = (each for each in predictions if each.theory != PREDICTED and math.isfinite(each.error))
    known = sorted(theories, key=lambda each: each.error)
    if not known:
        return ""
    near, *others = known
    if not others:
        return f"the {near.theory} theory {_how(near.error)} ({ERROR} {near.error:.2g})"
    far = others[0]
    errors = f"{ERROR} {near.error:.2g} against {far.error:.2g}"
    if far.error <= ALIKE * near.error:
        one = "neither theory describes the run" if near.error > IN_PART else f"both theories {_how(far.error, 2)}"
        return f"{one}, one about as near as the other ({errors})"
    times = f"{_times(far.error, near.error)} nearer than the {far.theory} one ({errors})"
    if near.error > IN_PART:
        return f"neither theory describes the run, the {near.theory} one is {times}"
    return f"the {near.theory} theory {_how(near.error)}, {times}"


def _how(error: float, theories: int = 1) -> str:
    """Return what a theory, or two of them, do to the run at an error of the shape."""
    s = "s" if theories == 1 else ""
    if error <= FOLLOWS:
        return f"follow{s} the run"
    if error <= DESCRIBES:
        return f"describe{s} the run"
    if error <= IN_PART:
        return f"describe{s} the run in part"
    return "does not describe the run" if theories == 1 else "do not describe the run"


def _times(far: float, near: float) -> str:
    """Return how much farther one error is than another, in words."""
    if far > FARTHEST * near:
        return f"over {FARTHEST} times"
    return f"{far / near:.2g} times"


def at_the_end(answer: Validation) -> str:
    """Return the effective rank at the end as measured and by each theory, and why a theory is missing; no full stop.

    Args:
        answer: of `validate`.
    """
    if not answer.predictions:
        return "; ".join(missing(answer.not_predicted))
    first = answer.predictions[0]
    ranks = [f"{_last(first.rank_measured)} measured"]
    ranks += [f"{_last(each.rank_predicted)} {_by(each.theory)}" for each in answer.predictions]
    parts = [f"effective rank at the end {', '.join(ranks)}"]
    return "; ".join([*parts, *missing(answer.not_predicted)])


def _by(theory: str) -> str:
    return "predicted before the training" if theory == PREDICTED else f"by {name_of(theory)}"


def name_of(theory: str) -> str:
    """Return what stands beside a run, in words.

    Args:
        theory: of `TheoryBeside`.
    """
    return "the prediction" if theory == PREDICTED else f"the {theory} theory"


def missing(why: Mapping[str, str]) -> list[str]:
    """Return one clause for each theory that is not beside the run.

    Args:
        why: sentences by the theory's name.
    """
    return [f"no {name} theory: {sentence.rstrip('.')}" for name, sentence in why.items()]


def _last(values: np.ndarray) -> str:
    known = values[np.isfinite(values)]
    return f"{known[-1]:.1f}" if len(known) else "not known"
