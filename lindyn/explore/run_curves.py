"""The curves of a run, of a trace and of a report, as the explorer shows them: groups over one axis."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn import observables, statistics
from lindyn.display.brief import Brief
from lindyn.flows.deep_states import DeepWeightState
from lindyn.outputs.number_tables import Series
from lindyn.states import MatrixState

TIME = "flow time"


@dataclass(frozen=True, repr=False)
class CurveGroup(Brief):
    """One small figure.

    Args:
        title: of the figure.
        label: of its values.
        x: along the axis.
        curves: by name, each as long as x.
        across: what x is.
        log: whether the values are shown on a log scale.
        family: whether the curves are modes, told apart by shade alone.
    """

    title: str
    label: str
    x: np.ndarray
    curves: Mapping[str, np.ndarray]
    across: str = TIME
    log: bool = False
    family: bool = False


def curves_of(traj: Any) -> list[CurveGroup]:
    """Return what is worth seeing of a run: of matrices spectra, alignment and what should be small; else its modes."""
    if isinstance(traj.states, MatrixState):
        found = _matrix_groups(traj)
        return found + _norms(traj) if isinstance(traj.states, DeepWeightState) else found
    t, plain = np.asarray(traj.ts), {"$": "", "\\": "", "{": "", "}": ""}
    groups = []
    for label, values, log, *_ in traj.states.curves(traj.flow)[:6]:
        table = np.asarray(values, dtype=float).reshape(len(t), -1)
        words = label.translate(str.maketrans(plain))
        groups.append(CurveGroup(words, words, t, _modes(table), log=log, family=True))
    return groups


def _modes(table: np.ndarray, most: int = 32) -> dict[str, np.ndarray]:
    return {f"mode {j + 1}": column for j, column in enumerate(table.T[:most])}


def _matrix_groups(traj: Any) -> list[CurveGroup]:
    t, eigen = np.asarray(traj.ts), observables.eigen_F(traj)
    known = observables.resolved(traj, eigen[0])
    s = np.where(known, eigen[0], np.nan)
    cosines = np.where(known, observables.alignment(traj, eigen), np.nan)
    p = observables.mode_values(traj, eigen)[0]
    small = {
        "asymmetry of W_p": observables.asymmetry(traj),
        "commutator of F and W_p": observables.commutator_norm(traj),
    }
    if not observables.unbalanced(traj.flow):
        small["Theorem 1 residual"] = observables.balance_residual(traj)
    rank = {"effective rank of F": statistics.entropy_rank(np.maximum(eigen[0], 0.0))}
    return [
        CurveGroup("spectrum of F", "s_j", t, _modes(s), log=True, family=True),
        CurveGroup("predictor along the modes", "p_j", t, _modes(np.where(known, p, np.nan)), family=True),
        CurveGroup("alignment", "cosine of u_j and W_p u_j", t, _modes(cosines), family=True),
        CurveGroup("distance from the ideal", "asymmetry, commutator, balance", t, small, log=True),
        CurveGroup("effective rank", "of F", t, rank),
    ]


def _norms(traj: Any) -> list[CurveGroup]:
    t = np.asarray(traj.ts)
    named = {f"W_{k}": W for k, W in enumerate(traj.states.Ws, 1)} | {"W_p": traj.states.W_p}
    norms = {f"‖{name}‖": np.linalg.norm(np.asarray(M), axis=(-2, -1)) for name, M in named.items()}
    return [CurveGroup("norms", "Frobenius norm", t, norms)]


def curves_of_trace(trace: Any) -> list[CurveGroup]:
    """Return the spectra, alignment, ranks and shares of a trace over its steps."""
    step = trace["step"].values.astype(float)
    groups = []
    for name, title, log in (("s", "spectrum of F", True), ("p", "p_j", False), ("alignment", "alignment", False)):
        if name in trace:
            table = trace[name].values.astype(float)
            groups.append(CurveGroup(title, name, step, _modes(table), "step", log, family=True))
    for title, names, log in (
        ("ranks", ("effective_rank", "rankme", "live"), False),
        ("asymmetry and balance", ("asymmetry", "balance_residual_fitted", "commutator_share"), False),
        ("size of F", ("trace_F", "scale"), True),
    ):
        there = {n: trace[n].values.astype(float) for n in names if n in trace}
        if there:
            groups.append(CurveGroup(title, ", ".join(there), step, there, "step", log))
    return groups


def numbers_of(groups: list[CurveGroup]) -> Series:
    """Return the curves as series, one for each figure."""
    return {group.title: {group.across: group.x, **group.curves} for group in groups}
