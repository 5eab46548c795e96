"""The picture of one run: spectra, alignment, target, invariants over time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lindyn import _files, observables
from lindyn.plotting import style
from lindyn.solve.trajectory import Trajectory
from lindyn.states import GramState, MatrixState, Panel, WeightState

FLOOR = 1e-16


def save_picture(traj: Trajectory, path: Path) -> Path:
    """Draw the run and write it; the format follows the file's ending."""
    figure = draw(traj)
    with _files.draft(path) as file:
        figure.savefig(file, dpi=110, format=path.suffix[1:] or "png")
    return path


def draw(traj: Trajectory) -> Figure:
    """Return a figure with the panels that suit the run's state, four of a state with matrices."""
    panels = [] if isinstance(traj.states, MatrixState) else traj.states.curves(traj.flow)[:4]
    rows, columns = {1: (1, 1), 2: (1, 2)}.get(len(panels), (2, 2))
    figure = Figure(figsize=(9.6, 6.4 if rows == 2 else 3.6), layout="constrained")
    axes = figure.subplots(rows, columns, sharex=True, squeeze=False).ravel()
    if panels:
        _panels(traj, axes, panels)
    else:
        _matrix_panels(traj, axes)
    for panel in axes:
        panel.grid(alpha=0.25, linewidth=0.6)
        panel.spines[["top", "right"]].set_visible(False)
    for panel in axes[-columns:]:
        panel.set_xlabel(style.TIME)
    figure.suptitle(_title(traj), fontsize=10)
    return figure


def _title(traj: Trajectory) -> str:
    hp = traj.flow.hp
    decay = rf"$\eta={hp.eta_p:g}$" if hp.equal_decays else rf"$\eta_p={hp.eta_p:g},\ \eta_s={hp.eta_s:g}$"
    rates = rf"$\alpha_p={hp.alpha_p:g},\ \beta={hp.beta:g}$, " + decay
    target = f", target {traj.flow.target}" if "target" in traj.flow._fields() else ""
    return f"{type(traj.flow).__name__}: {rates}{_data(traj.flow)}{target}"


def _data(flow: Any) -> str:
    """Name the data in the paper's symbols."""
    if hasattr(flow, "data"):
        x, x_aug, _ = flow.data.joint_spectrum()
        if flow.data.is_isotropic:
            return rf", $X={x[0]:g}\,I,\ X'={x_aug[0]:g}\,I$"
        return rf", $n_1={len(x)}$, eigenvalues of $X$ {x[-1]:.3g} to {x[0]:.3g}"
    aug = np.asarray(getattr(flow, "x_aug", getattr(flow, "sigma2", ())))
    return rf", $\sigma^2={float(aug):g}$" if aug.ndim == 0 else ""


def curves(axes: Axes, t: Any, values: Any, label: str, log: bool = False) -> None:
    """Draw one line per column, darkest first; on a log axis zeros and signs are dropped."""
    values = np.asarray(values, dtype=float).reshape(len(t), -1)
    if log:
        values = np.where(values > 0, values, np.nan)
    for j, column in enumerate(values.T):
        shade = str(0.0 + 0.65 * j / max(values.shape[1] - 1, 1))
        axes.plot(t, column, color=shade, linewidth=1.1)
    if log and np.any(np.isfinite(values)):
        axes.set_yscale("log")
    axes.set_ylabel(label)


def _matrix_panels(traj: Trajectory, axes: Any) -> None:
    t = np.asarray(traj.ts)
    curves(axes[0], t, observables.spectrum_F(traj), r"eigenvalues $s_j$ of $F = WW^{\top}$", log=True)
    curves(axes[1], t, observables.spectrum_W_p(traj), r"eigenvalues $p_j$ of $W_p$ (sym. part)")
    curves(axes[2], t, observables.alignment(traj), r"cosine of $u_j$ and $W_p u_j$")
    axes[2].set_ylim(min(-0.05, float(np.nanmin(observables.alignment(traj))) - 0.05), 1.05)
    _small_things(traj, axes[3])


def _small_things(traj: Trajectory, axes: Axes) -> None:
    """What should be small, or near one: asymmetry, commutator, balance, 1 - correlation of target and online."""
    t, hp = np.asarray(traj.ts), traj.flow.hp
    lines = {r"asymmetry $\|W_p - W_p^{\top}\|/\|W_p\|$": (observables.asymmetry(traj), "-", "0.0")}
    lines[r"commutator $\|[F, W_p]\|$"] = (observables.commutator_norm(traj), "--", "0.35")
    if hp.equal_decays and hp.alpha_p > 0:
        lines["Theorem 1 residual"] = (observables.balance_residual(traj), ":", "0.0")
    if isinstance(traj.states, WeightState | GramState) and traj.flow.target != "online":
        lines[r"$1 - \mathrm{corr}(W_a, W)$"] = (1 - observables.target_correlation(traj), "-.", "0.55")
    for label, (value, dashes, shade) in lines.items():
        value = np.where(np.abs(value) > FLOOR, np.abs(value), np.nan)
        if np.any(np.isfinite(value)):
            axes.plot(t, value, dashes, color=shade, linewidth=1.3, label=label)
    axes.set_yscale("log")
    axes.set_ylabel("distance from the ideal")
    if axes.lines:
        axes.legend(fontsize=7.5, frameon=False, loc="best")


def _panels(traj: Trajectory, axes: Any, panels: Sequence[Panel]) -> None:
    """Draw what the state says suits it; of three panels the fourth place stays empty."""
    for panel, (label, values, log, zero) in zip(axes, panels, strict=False):
        curves(panel, np.asarray(traj.ts), values, label, log)
        if zero:
            panel.axhline(0.0, color="0.5", linewidth=0.8)
    for panel in axes[len(panels) :]:
        panel.set_visible(False)
