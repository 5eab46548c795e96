"""`verify`: every statement against one run, lindyn's own or made elsewhere (arrays over time in an .npz)."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lindyn import _checks
from lindyn.flows import WeightFlow, registry
from lindyn.hyperparameters import Hyperparameters
from lindyn.moments import Moments
from lindyn.solve.trajectory import Trajectory, load
from lindyn.states import WeightState
from lindyn.stored import archives
from lindyn.verification.applicable import CHECKS, Check, other_loss
from lindyn.verification.denser import FACTORS, denser
from lindyn.verification.integrals import TOO_FEW
from lindyn.verification.record import COULD_NOT_TELL, Verification, VerificationRow

TIME_NAMES = ("t", "ts")
RATES = ("alpha_p", "beta", "eta", "eta_p", "eta_s")
CHOICES = ("target", "stop_gradient", "predictor", "statistics")


def trajectory_from_arrays(
    source: Any,
    hp: Hyperparameters | None = None,
    data: Moments | None = None,
    rates: Mapping[str, float] | None = None,
    **choices: Any,
) -> Trajectory:
    """Return a `Trajectory` of the full flow from arrays over time.

    Args:
        source: path of an .npz, or a mapping, with t (or ts): times; W: times x n2 x n1; W_p: times x n2 x n2;
            W_a: times x n2 x n1 (left out: the target is the online network). It may also hold X, X_aug (n1 x n1), the
            rates alpha_p, beta, eta (or eta_p, eta_s), and target, stop_gradient, predictor.
        hp: the rates, when the file does not hold them.
        data: the moments, when the file does not hold them.
        rates: single rates, over those of the file.
        **choices: target, stop_gradient, predictor, over what the file says.

    Returns:
        The trajectory.

    Raises:
        ValueError: no such file or not an .npz; arrays missing, mis-shaped, with NaN, or times not increasing; rates or
            moments given nowhere.
    """
    arrays = _read(source)
    t = next((arrays[name] for name in TIME_NAMES if name in arrays), None)
    missing = [name for name in ("W", "W_p") if name not in arrays] + ([] if t is not None else ["t"])
    if missing:
        raise ValueError(
            f"The trajectory has no {', '.join(missing)}; got "
            f"{', '.join(sorted(arrays)) or 'nothing'}. Save W, W_p, W_a and t over time."
        )
    ts = _checks.as_times("t", t)
    W = _checks.as_array("W", arrays["W"], ndim=3)
    times, n2, n1 = W.shape
    if times != len(ts):
        raise ValueError(f"W must have the times as first axis; got shape {W.shape} for {len(ts)} times.")
    _checks.check_not_turned(W, arrays["W_p"])
    W_p = _checks.as_array("W_p", arrays["W_p"], shape=(times, n2, n2))
    online = "W_a" not in arrays
    W_a = W if online else _checks.as_array("W_a", arrays["W_a"], shape=(times, n2, n1))
    given = {name: _plain(arrays[name]) for name in CHOICES if name in arrays} | choices
    given.setdefault("target", "online" if online else "ema")
    flow = WeightFlow(_rates({**arrays, **(rates or {})}, hp), _moments(arrays, data), **given)
    flow.check_state(WeightState(W=W[0], W_p=W_p[0], W_a=W_a[0]))
    states = WeightState._unchecked(W=W, W_p=W_p, W_a=W_a)
    return Trajectory(ts, states, 0, {}, flow, ts[-1], notes={"engine": "elsewhere", "reduction": "none"})


def _read(source: Any) -> dict[str, np.ndarray]:
    if isinstance(source, Mapping):
        return dict(source)
    path = Path(source)
    if not path.is_file():
        raise ValueError(f"No trajectory at {path}: there is no such file.")
    try:
        return archives.arrays(path)
    except ValueError as error:
        raise ValueError(f"Cannot read {path} as an .npz of arrays ({error}). Write it with numpy.savez.") from error


def _plain(value: Any) -> Any:
    value = np.asarray(value)
    return str(value) if value.dtype.kind in "US" else bool(value) if value.dtype.kind == "b" else float(value)


def _rates(arrays: Mapping[str, Any], hp: Hyperparameters | None) -> Hyperparameters:
    if hp is not None:
        return hp
    known = {name: float(arrays[name]) for name in RATES if name in arrays}
    decays = "eta" in known or {"eta_p", "eta_s"} <= set(known)
    lacking = [name for name in ("alpha_p", "beta") if name not in known] + (
        [] if decays else ["eta (or eta_p and eta_s)"]
    )
    if lacking:
        raise ValueError(
            f"The rates are not known: {', '.join(lacking)} missing. Give "
            "hp=Hyperparameters(...), or save them in the file."
        )
    return Hyperparameters(**known)


def _moments(arrays: Mapping[str, Any], data: Moments | None) -> Moments:
    if data is not None:
        return data
    lacking = [name for name in ("X", "X_aug") if name not in arrays]
    if lacking:
        raise ValueError(
            f"The moments are not known: {', '.join(lacking)} missing. Give data=Moments(X, "
            "X_aug), or save them in the file."
        )
    return Moments(arrays["X"], arrays["X_aug"])


def verify(
    run: Any,
    hp: Hyperparameters | None = None,
    data: Moments | None = None,
    rates: Mapping[str, float] | None = None,
    **choices: Any,
) -> Verification:
    """Test every statement along a run: residual, bound against decay, premise, sharpness.

    A statement that does not apply to the run's flow is reported as not applicable, never as holding. Where the saved
    times are too coarse for one that does, the run is integrated again between them (`verification.denser`); what
    cannot be told then either is reported as such.

    Args:
        run: a `Trajectory`, a file of one (`Trajectory.save`), an .npz of arrays W, W_p, W_a over time, or a mapping
            of such arrays (see `trajectory_from_arrays`).
        hp: the rates of a run made elsewhere.
        data: the moments of a run made elsewhere.
        rates: single rates (alpha_p, beta, eta, eta_p, eta_s) of a run made elsewhere, over those of its file.
        **choices: target, stop_gradient, predictor of a run made elsewhere.

    Returns:
        The verdicts, one `VerificationRow` per statement.

    Raises:
        ValueError: a file or arrays that are no trajectory; a run with fewer than two times.
    """
    trajectory = _as_trajectory(run, hp, data, rates, choices)
    if len(trajectory) < 2:
        raise ValueError(f"A run needs at least two times to be verified; got {len(trajectory)}.")
    rows, note = [_row(check, trajectory) for check in CHECKS], ""
    for factor in FACTORS:
        untold = [k for k, row in enumerate(rows) if row.verdict == COULD_NOT_TELL]
        finer = denser(trajectory, factor) if untold else None
        if finer is None:
            break
        for k in untold:
            rows[k] = _row(CHECKS[k], finer).at(np.argmin(np.abs(np.subtract.outer(trajectory.ts, finer.ts)), axis=1))
        note = f"Integrated again at {len(finer)} times where the {len(trajectory)} saved ones were too coarse to tell"
    return Verification(trajectory.ts, trajectory.flow.words, tuple(rows), note)


def _row(check: Check, trajectory: Trajectory) -> VerificationRow:
    """Return what one statement comes to at the times of a run."""
    own = registry.is_own(type(trajectory.flow))
    reason = (other_loss(check, trajectory) or check.applies(trajectory)) if own else "it speaks of lindyn's own flows"
    verdict = COULD_NOT_TELL if reason == TOO_FEW else "not applicable"
    return VerificationRow(check.name, check.title, verdict, reason) if reason else check.measure(trajectory)


def _as_trajectory(run: Any, hp: Any, data: Any, rates: Any, choices: dict[str, Any]) -> Trajectory:
    if isinstance(run, Trajectory):
        return run
    if isinstance(run, str | Path) and Path(run).suffix != ".npz":
        return load(run)
    if not isinstance(run, str | os.PathLike | Mapping):
        raise ValueError(f"run must be a Trajectory, a file of one, or arrays by name; got {type(run).__name__}.")
    return trajectory_from_arrays(run, hp, data, rates, **choices)
