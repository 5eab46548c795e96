"""`verify`: every statement against one run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lindyn.hyperparameters import Hyperparameters
from lindyn.moments import Moments
from lindyn.solve.trajectory import Trajectory
from lindyn.verification.applicable import CHECKS
from lindyn.verification.external import trajectory_from_arrays
from lindyn.verification.record import Verification, VerificationRow


def verify(
    run: Any,
    hp: Hyperparameters | None = None,
    data: Moments | None = None,
    rates: Mapping[str, float] | None = None,
    **choices: Any,
) -> Verification:
    """Test every statement along a run: residual, bound against decay, premise, sharpness.

    A statement that does not apply to the run's flow is reported as not applicable, never as holding.

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
    rows = []
    for check in CHECKS:
        reason = check.applies(trajectory)
        rows.append(
            VerificationRow(check.name, check.title, "not applicable", reason) if reason else check.measure(trajectory)
        )
    flow = trajectory.flow
    chosen = ", ".join(f"{name}={getattr(flow, name)}" for name in flow._fields(static=True))
    return Verification(trajectory.ts, f"{type(flow).__name__} ({chosen})", tuple(rows))


def _as_trajectory(run: Any, hp: Any, data: Any, rates: Any, choices: dict[str, Any]) -> Trajectory:
    if isinstance(run, Trajectory):
        return run
    if isinstance(run, str | Path) and Path(run).suffix != ".npz":
        from lindyn.solve.trajectory import load

        return load(run)
    return trajectory_from_arrays(run, hp, data, rates, **choices)
