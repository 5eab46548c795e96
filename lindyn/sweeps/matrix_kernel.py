"""Many systems of matrices side by side: the rates of `WeightFlow` and `CorrelationFlow`, recorded once per form.

Isotropic data take the exact reduction of `lindyn.solve.reductions`: W has as many columns as rows. Other data are
seen in the eigenbasis of X and X', or of X where they have no common one.
"""

import functools
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn import _linalg
from lindyn.display.brief import Brief
from lindyn.equations import matrices
from lindyn.flows.correlations import CorrelationFlow
from lindyn.flows.full import WeightFlow
from lindyn.hyperparameters import Hyperparameters
from lindyn.operators import Diagonal, Scaled
from lindyn.solve.lanes import recorded_march
from lindyn.solve.lanes.eight import ABREAST
from lindyn.solve.lanes.eighth_order import SLOTS
from lindyn.solve.lanes.recorded_rates import Recording, record
from lindyn.solve.lanes.tape import Traced
from lindyn.solve.lanes.tape_blocks import fits_abreast
from lindyn.solve.reductions import StructuredMoments
from lindyn.states import CorrelationState, WeightState

STATUSES = recorded_march.STATUSES
CONSTANTS = ("alpha_p", "beta", "eta_p", "eta_s", "x", "x_aug")
ONE = (1, 1)


@dataclass(frozen=True, repr=False)
class SystemForm(Brief):
    """What makes two systems take the same operations.

    Args:
        system: "weights" or "correlation".
        n2: output dimension.
        columns: of W as it is integrated.
        data: what X and X' are in these coordinates: "isotropic", "commuting" (a row each), "general" (a matrix each).
        target: "ema", "online" or "frozen".
        predictor: "trained" or "symmetrised".
        loss: "squared" or "cosine".
        normalise: "none" or "batchnorm".
    """

    system: str
    n2: int
    columns: int
    data: str = "isotropic"
    target: str = "ema"
    predictor: str = "trained"
    loss: str = "squared"
    normalise: str = "none"

    @property
    def abreast(self) -> bool:
        """Whether the systems run eight abreast."""
        return fits_abreast(self.n2, self.columns)

    @property
    def shapes(self) -> dict[str, tuple[int, int]]:
        """The matrices of a state."""
        square, wide = (self.n2, self.n2), (self.n2, self.columns)
        if self.system == "correlation":
            return {"W_p": square, "F": square, "tau": ONE}
        return {"W": wide, "W_p": square} | ({"W_a": wide} if self.target == "ema" else {})

    @property
    def shared(self) -> dict[str, tuple[int, int]]:
        """What all systems have alike: X and X' up to a factor, the identity."""
        if self.system == "correlation":
            return {"I": (self.n2, self.n2)}
        shape = {"isotropic": None, "commuting": (1, self.columns), "general": (self.columns, self.columns)}[self.data]
        return {"X": shape, "X_aug": shape} if shape else {}

    @property
    def own(self) -> dict[str, tuple[int, int]]:
        """What each system has of its own and keeps: its rates, a frozen target."""
        frozen = self.system == "weights" and self.target == "frozen"
        return dict.fromkeys(CONSTANTS, ONE) | ({"W_a": (self.n2, self.columns)} if frozen else {})

    def moments(self, x: Any, x_aug: Any, shared: dict[str, Any]) -> tuple[Any, Any]:
        """Return X and X' as operators: the identity, or those that all have alike, times x and x_aug."""
        if self.data == "isotropic":
            return Scaled(x), Scaled(x_aug)
        if self.data == "commuting":
            return Diagonal(x * shared["X"]), Diagonal(x_aug * shared["X_aug"])
        return x * shared["X"], x_aug * shared["X_aug"]


@functools.cache
def recorded(form: SystemForm) -> Recording:
    """Return the rates of a form, recorded from its flow."""
    rate, watched = (_weights, None) if form.system == "weights" else (_correlation, _alignment)
    given = form.own | form.shared
    return record(functools.partial(rate, form), form.shapes, given, form.abreast, SLOTS, watched)


def _rates(given: dict[str, Traced]) -> Hyperparameters:
    return Hyperparameters._unchecked(**{name: given[name] for name in ("alpha_p", "beta", "eta_p", "eta_s")})


def _weights(form: SystemForm, given: dict[str, Traced]) -> dict[str, Traced]:
    """Return Lemma 1's rates; the data are those of the form times x and x_aug."""
    X, X_aug = form.moments(given["x"], given["x_aug"], given)
    flow = WeightFlow._unchecked(
        hp=_rates(given), data=StructuredMoments._unchecked(X=X, X_aug=X_aug), target=form.target, stop_gradient=True,
        predictor=form.predictor, statistics="views", loss=form.loss, normalise=form.normalise,
    )  # fmt: skip
    y = WeightState._unchecked(W=given["W"], W_p=given["W_p"], W_a=given.get("W_a", given["W"]))
    rate = flow(0.0, y).blocks()
    return {name: rate[name] for name in form.shapes}


def _correlation(form: SystemForm, given: dict[str, Traced]) -> dict[str, Traced]:
    """Return the rates under Assumptions 1 and 2."""
    flow = CorrelationFlow._unchecked(
        hp=_rates(given), sigma2=given["x_aug"], x=given["x"], symmetrised=form.predictor == "symmetrised",
        target=form.target, stop_gradient=True, predictor=form.predictor, tau="dynamic", statistics="views",
    )  # fmt: skip
    return dict(flow(0.0, CorrelationState._unchecked(**{name: given[name] for name in form.shapes})).blocks())


def _alignment(given: dict[str, Traced]) -> Traced:
    """Return K of Theorem 3."""
    names = ("W_p", "F", "tau", "alpha_p", "eta_p", "eta_s", "x", "x_aug", "I")
    return matrices.K(*(given[name] for name in names))  # type: ignore[no-any-return]


def numbers(form: SystemForm) -> int:
    """Return how many numbers a state of a form has."""
    return sum(rows * columns for rows, columns in form.shapes.values())


def working_bytes(form: SystemForm) -> float:
    """Return about how much memory the systems of one thread take while they are integrated."""
    width = ABREAST if form.abreast else 1
    inside = 2 * sum(rows * columns for rows, columns in form.shared.values())
    return 8.0 * width * ((SLOTS + 8) * numbers(form) + inside)


def solve(
    form: SystemForm,
    start: dict[str, np.ndarray],
    constants: dict[str, np.ndarray],
    shared: dict[str, np.ndarray],
    *,
    times: np.ndarray,
    rtol: float,
    max_steps: int,
    threads: int = 1,
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, np.ndarray]:
    """Integrate many systems from t = 0 through chosen times.

    Args:
        form: of all of them.
        start: W, W_p, W_a or W_p, F, tau at t = 0, (systems, rows, columns) each.
        constants: `CONSTANTS`, a number per system each.
        shared: X and X' of the form's coordinates where they are not isotropic.
        times: rising, > 0.
        rtol: relative tolerance of a step.
        max_steps: limit on steps of a system.
        threads: threads; the result does not depend on them.

    Returns:
        The states by name, (systems, times, rows, columns), the smallest eigenvalue of K up to each time
        ("correlation"; NaN otherwise), steps so far, and index into `STATUSES`.
    """
    recording = recorded(form)
    y0 = recording.packed({name: start[name] for name in form.shapes})
    own = {name: (constants[name] if name in CONSTANTS else start[name]).reshape(len(y0), -1) for name in form.own}
    shared = {name: np.eye(form.n2) if name == "I" else shared[name] for name in form.shared}

    def part(piece: slice) -> Any:
        given = {name: np.ascontiguousarray(values[piece]) for name, values in own.items()}
        return recorded_march.solve(recording, y0[piece], given, shared, times=times, rtol=rtol, max_steps=max_steps)

    pieces = _pieces(len(y0), threads)
    with _linalg.one_thread(form.n2):
        if threads == 1 or len(pieces) == 1:
            found = [part(piece) for piece in pieces]
        else:
            part(slice(0))  # of no system: compiles once
            with ThreadPoolExecutor(threads) as pool:
                found = list(pool.map(part, pieces))
    states, lowest, steps, status = (np.concatenate(each) for each in zip(*found, strict=True))
    told = recording.unpacked(states)
    if form.system == "weights" and form.target != "ema":
        still = np.repeat(start["W_a"][:, None], len(times), axis=1) if form.target == "frozen" else told["W"]
        told["W_a"] = still
    return told, lowest, steps, status


def _pieces(count: int, threads: int) -> list[slice]:
    """Return the systems that are worked on in one go: long queues, so that few places stand empty at their ends."""
    size = max(4 * ABREAST, math.ceil(count / (4 * threads) / ABREAST) * ABREAST)
    return [slice(k, k + size) for k in range(0, count, size)]
