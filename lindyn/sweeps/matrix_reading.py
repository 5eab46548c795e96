"""What is read off systems of matrices at a time: the arrays of `sweep_matrices` and what became of the systems."""

from typing import Any

import numpy as np

from lindyn import observables, statistics
from lindyn.equations import batchnorm, view_correlations
from lindyn.states import CorrelationState
from lindyn.sweeps import descent_reading, outcome
from lindyn.sweeps.matrix_kernel import CONSTANTS, STATUSES, SystemForm
from lindyn.sweeps.plan import Variable

_WHOLE = (
    Variable("alignment", "f8", "mean cosine of u_j and W_p u_j over the living eigenvectors u_j of F (NaN: none)"),
    Variable("asymmetry", "f8", "||W_p - W_p^T|| / ||W_p|| (0 symmetric, 2 antisymmetric)"),
    Variable("commutator", "f8", "||[F, W_p]|| / (||F|| ||W_p||)"),
    Variable("collapse", "f8", "tr F(t) / tr F(0)"),
    Variable("effective_rank", "f8", "exp of the entropy of the eigenvalues of F"),
)
_NUMBERS = (
    Variable("p_max", "f8", "largest eigenvalue of W_p (symmetric part)"),
    Variable("s_max", "f8", "largest eigenvalue of F"),
    Variable("tau", "f8", "target / online ratio <W_a, W> / ||W||^2"),
    Variable(
        "K_min", "f8", "smallest eigenvalue of K up to t (Eq. 17; correlation systems only)", "1 / flow time"
    ),
    Variable("steps", "i4", "steps taken up to t"),
    Variable("status", "i1", "how the integration ended", flags=STATUSES),
)  # fmt: skip
BY_THEORY = (
    *_WHOLE,
    Variable("modes_alive", "i4", "directions above the saddle of their mode"),
    Variable("outcome", "i1", "what became of the system", flags=outcome.OUTCOMES),
    *_NUMBERS,
)
"""Of isotropic data, squared loss and no BatchNorm, whose modes have a saddle; F = W W^T."""
BY_SPECTRUM = (
    *_WHOLE,
    Variable("modes_alive", "i4", "directions that live: at least a hundredth of an equal share of tr F"),
    Variable("outcome", "i1", "collapse of the outputs", flags=descent_reading.OUTCOMES),
    *_NUMBERS,
)
"""Of all others; F is the covariance of the outputs, through BatchNorm where there is one."""


def has_saddle(form: SystemForm) -> bool:
    """Return whether the theory of single modes says what becomes of a direction."""
    return form.data == "isotropic" and form.loss == "squared" and form.normalise == "none"


def failed(form: SystemForm) -> int:
    """Return the outcome of systems that ended early."""
    return outcome.FAILED if has_saddle(form) else descent_reading.NOT_FINITE


def read(form: SystemForm, end: dict[str, np.ndarray], start: dict[str, np.ndarray], given: dict[str, np.ndarray],
         shared: dict[str, np.ndarray], grown: float) -> dict[str, np.ndarray]:  # fmt: skip
    """Return every variable but K_min, steps and status of systems at a time.

    Args:
        form: of all of them.
        end: states, (systems, rows, columns) by name.
        start: the states they started from.
        given: `CONSTANTS` and tau at the start, a number per system each.
        shared: X and X' of data that are not isotropic.
        grown: a living system has grown when tr F is at least this many times tr F(0).
    """
    good = np.all([np.isfinite(values).all(axis=(1, 2)) for values in end.values()], axis=0)
    usable = {name: np.where(good[:, None, None], values, 0.0) for name, values in end.items()}
    F, F_0 = (_F(form, state, given, shared) for state in (usable, start))
    trace, trace_0 = statistics.trace(F), statistics.trace(F_0)
    state = CorrelationState._unchecked(W_p=usable["W_p"], F=F, tau=np.ones(len(F)))
    with np.errstate(all="ignore"):
        told = {
            "asymmetry": observables.asymmetry(state),
            "commutator": statistics.commutator_share(F, usable["W_p"]),
            "collapse": trace / trace_0,
            "p_max": observables.spectrum_W_p(state)[:, 0],
            "s_max": observables.spectrum_F(state)[:, 0],
            "tau": _ratio(form, usable),
            "effective_rank": statistics.entropy_rank(np.maximum(statistics.eigen(F)[0], 0.0)),
        }
        judged = _by_saddle if has_saddle(form) else _by_spectrum
        living, code = judged(form, state, told["tau"], trace_0, given, grown)
        cosines = np.where(living, observables.alignment(state), 0.0).sum(axis=1)
    count = living.sum(axis=1)
    told["alignment"] = np.where(count > 0, cosines / np.maximum(count, 1), np.nan)
    return told | {"modes_alive": count, "outcome": np.where(good, code, failed(form))}


def _F(form: SystemForm, state: dict[str, np.ndarray], given: dict[str, np.ndarray], shared: Any) -> np.ndarray:
    """Return F: that of the state, W W^T, or the covariance of the outputs."""
    if form.system == "correlation":
        return np.asarray((state["F"] + np.swapaxes(state["F"], 1, 2)) / 2)
    W = state["W"]
    if has_saddle(form):
        return np.asarray(W @ np.swapaxes(W, 1, 2))
    moments = zip(given["x"], given["x_aug"], strict=True)
    return np.stack([_covariance(form, each, *pair, shared) for each, pair in zip(W, moments, strict=True)])


def _covariance(form: SystemForm, W: np.ndarray, x: float, x_aug: float, shared: dict[str, np.ndarray]) -> Any:
    """Return the covariance of one system's outputs."""
    X, X_aug = form.moments(x, x_aug, shared)
    if form.normalise == "batchnorm":
        with np.errstate(all="ignore"):
            W = batchnorm.normalised(W, batchnorm.inverse_deviation(batchnorm.variance(W, X, X_aug)))
    F = np.nan_to_num(view_correlations.correlation(W, X, X_aug))
    return (F + F.T) / 2


def _ratio(form: SystemForm, state: dict[str, np.ndarray]) -> np.ndarray:
    if form.system == "correlation":
        return state["tau"][:, 0, 0]
    return np.asarray(statistics.inner(state["W_a"], state["W"]) / statistics.inner(state["W"], state["W"]))


def _by_saddle(
    form: SystemForm, state: Any, tau: np.ndarray, trace_0: np.ndarray, given: dict[str, np.ndarray], grown: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return which directions live, largest first, and the outcomes, from where each is beside its saddle."""
    n = form.n2
    p, s = observables.mode_values(state)
    start = {name: np.repeat(given[name], n) for name in CONSTANTS}
    start |= {"s": np.repeat(trace_0 / n, n), "tau": np.repeat(given["tau"], n), "p": p.ravel()}
    codes = outcome.label(
        start, p.ravel(), np.maximum(s.ravel(), 0.0), np.repeat(tau, n), target=form.target
    ).reshape(-1, n)  # fmt: skip
    living = np.isin(codes, (outcome.ALIVE, outcome.NOT_GROWING))
    large = np.where(statistics.trace(state.F) >= grown * trace_0, outcome.ALIVE, outcome.NOT_GROWING)
    gone = np.where((codes == outcome.COLLAPSED).all(axis=1), outcome.COLLAPSED, outcome.UNDECIDED)
    return living, np.where(living.any(axis=1), large, gone)


def _by_spectrum(
    form: SystemForm, state: Any, tau: np.ndarray, trace_0: np.ndarray, given: dict[str, np.ndarray], grown: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the same from the spectrum of the outputs."""
    s = statistics.eigen(state.F)[0]
    seen = form.loss == "squared" and form.normalise == "none"
    scale = statistics.trace(state.F) / trace_0 if seen else np.ones(len(s))
    code, count = descent_reading.of_spectrum(s, min(form.n2, form.columns), scale)
    return np.arange(form.n2) < count[:, None], code
