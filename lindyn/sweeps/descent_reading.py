"""What is read off a trained deep model: the arrays of `sweep_descent` and what became of the outputs."""

from typing import Any

import numpy as np

from lindyn import statistics
from lindyn.equations import batchnorm, rest, view_correlations
from lindyn.flows.deep_states import DeepWeightState
from lindyn.operators import Diagonal
from lindyn.sweeps.plan import Variable
from lindyn.theory import living_directions

OUTCOMES = ("complete", "partial", "healthy", "not_finite")
"""Collapse as the bridge's words have it (`theory.living_directions`), and models that blew up."""
COMPLETE, PARTIAL, HEALTHY, NOT_FINITE = range(4)
STATUSES = ("reached", "not_finite")

VARIABLES = (
    Variable("effective_rank", "f8", "exp of the entropy of the eigenvalues of F, the outputs' covariance"),
    Variable("trace", "f8", "tr F"),
    Variable("norm_W", "f8", "norm of all layers together, sqrt(sum_l |W_l|^2)"),
    Variable("norm_W_p", "f8", "norm of the predictor"),
    Variable(
        "angle", "f8", "angle by which the layers together turn per step, root mean square of the last steps", "rad"
    ),
    Variable("angle_p", "f8", "the same of W_p", "rad"),
    Variable("angle_rest", "f8", "what scale-free weights settle at, sqrt(2 lr eta_s / (1 + momentum))", "rad"),
    Variable("living", "i4", "directions of the outputs that live, at least a hundredth of an equal share of tr F"),
    Variable("outcome", "i1", "collapse of the outputs", flags=OUTCOMES),
    Variable("p_max", "f8", "largest eigenvalue of W_p (symmetric part)"),
    Variable("s_max", "f8", "largest eigenvalue of F"),
    Variable("tau", "f8", "target / online ratio <W_a, W> / ||W||^2 of the whole maps"),
    Variable("status", "i1", "how the descent ended", flags=STATUSES),
)


def covariance(W: np.ndarray, x: np.ndarray, x_aug: np.ndarray, normalise: str) -> np.ndarray:
    """Return F of the outputs of maps W in the population, through BatchNorm where there is one.

    Args:
        W: (systems, n2, n1).
        x: eigenvalues of X, (systems, n1).
        x_aug: of X'.
        normalise: "none" or "batchnorm".
    """
    X, X_aug = (Diagonal(values[:, None, :]) for values in (x, x_aug))
    if normalise == "batchnorm":
        W = batchnorm.normalised(W, batchnorm.inverse_deviation(batchnorm.variance(W, X, X_aug)))
    each = zip(W, map(Diagonal, x), map(Diagonal, x_aug), strict=True)
    return np.stack([view_correlations.correlation(*one) for one in each])


def read(
    end: dict[str, np.ndarray], start: dict[str, np.ndarray], angles: np.ndarray, rates: dict[str, np.ndarray],
    x: np.ndarray, x_aug: np.ndarray, choices: dict[str, Any],
) -> dict[str, np.ndarray]:  # fmt: skip
    """Return every variable of models at their end, NaN where one blew up.

    Args:
        end: final states, (systems, rows, columns) by name.
        start: the states they started from.
        angles: angles per step of the layers and of W_p, (systems, 2).
        rates: learning_rate, momentum, eta_s, (systems,) each.
        x: eigenvalues of X, (systems, n1).
        x_aug: of X'.
        choices: of the flow.
    """
    good = np.all([np.isfinite(values).all(axis=(1, 2)) for values in end.values()], axis=0)
    usable = {name: np.where(good[:, None, None], values, start[name]) for name, values in end.items()}
    with np.errstate(all="ignore"):
        F, F_0 = (covariance(_map(state), x, x_aug, choices["normalise"]) for state in (usable, start))
        told = _observe(usable, F, angles) | _collapse(F, F_0, choices)
        angle = rest.angle_per_step(rates["learning_rate"], rates["eta_s"], rates["momentum"])
    if choices["target"] == "online":
        told["tau"] = np.ones(len(F))
    for values in told.values():
        if values.dtype.kind == "f":
            values[~good] = np.nan
    told["outcome"] = np.where(good, told["outcome"], NOT_FINITE)
    told["living"] = np.where(good, told["living"], 0)
    return told | {"angle_rest": angle, "status": np.where(good, 0, 1)}


def _map(state: dict[str, np.ndarray]) -> np.ndarray:
    return np.asarray(DeepWeightState.of_blocks(state).W)


def _observe(state: dict[str, np.ndarray], F: np.ndarray, angles: np.ndarray) -> dict[str, np.ndarray]:
    y = DeepWeightState.of_blocks(state)
    s = np.maximum(statistics.eigen(F)[0], 0.0)
    return {
        "effective_rank": statistics.entropy_rank(s),
        "trace": statistics.trace(F),
        "norm_W": np.sqrt(sum(statistics.inner(W, W) for W in y.Ws)),
        "norm_W_p": statistics.norm(y.W_p),
        "angle": angles[:, 0].copy(),
        "angle_p": angles[:, 1].copy(),
        "p_max": statistics.symmetric_spectrum(y.W_p)[:, 0],
        "s_max": s[:, 0],
        "tau": y.ratio(),
    }


def _collapse(F: np.ndarray, F_0: np.ndarray, choices: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return the outcome; the size counts where the loss sees it: under cosine or BatchNorm decay alone sets it."""
    seen = choices["loss"] == "squared" and choices["normalise"] == "none"
    scale = statistics.trace(F) / statistics.trace(F_0) if seen else np.ones(len(F))
    code, living = of_spectrum(statistics.eigen(F)[0], min(F.shape[-1], choices["n1"]), scale)
    return {"outcome": code, "living": living}


def of_spectrum(s: np.ndarray, could_live: int, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (index into `OUTCOMES`, how many directions live) of spectra, see `living_directions.collapse`."""
    code, living = living_directions.collapse(s, could_live, scale)
    words = {living_directions.COMPLETE: COMPLETE, living_directions.PARTIAL: PARTIAL, living_directions.NONE: HEALTHY}
    return np.vectorize(words.get, otypes=[np.int8])(code), living
