"""The picture of one run: spectra, alignment, target, invariants over time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lindyn import observables
from lindyn.flows import choices
from lindyn.plotting import style
from lindyn.plotting.over_time import family
from lindyn.solve.trajectory import Trajectory
from lindyn.states import GramState, MatrixState, Panel, WeightState

FLOOR = 1e-16
SYMBOLS = {"alpha_p": r"\alpha_p", "beta": r"\beta", "eta": r"\eta", "eta_p": r"\eta_p", "eta_s": r"\eta_s"}
HIDDEN = "not drawn: ratios of modes with $s_j < 10^{-40}$, and $s_j$ at round-off of the largest"


def save_picture(traj: Trajectory, path: Path, command: str = "") -> Path:
    """Draw the run and write it; the format follows the file's ending, and it keeps the command line that made it."""
    style.write(draw(traj), path, command=command)
    return path


@style.styled
def draw(traj: Trajectory) -> Figure:
    """Return a figure with the panels that suit the run's state, four of a state with matrices."""
    panels = [] if isinstance(traj.states, MatrixState) else traj.states.curves(traj.flow)[:4]
    rows, columns = {1: (1, 1), 2: (1, 2)}.get(len(panels), (2, 2))
    figure, grid = style.new_figure(rows, columns, height=6.8 if rows == 2 else 3.8, sharex=True)
    axes = grid.ravel()
    modes, hidden = _panels(traj, axes, panels) if panels else _matrix_panels(traj, axes)
    for panel in axes[-columns:]:
        panel.set_xlabel(style.TIME)
    note = ", ".join(part for part in (_rates(traj), _data(traj.flow), _steps(traj.notes)) if part)
    style.frame(figure, _title(traj), f"{note}; {HIDDEN}" if hidden else note, style.mode_key(modes))
    return figure


def _title(traj: Trajectory) -> str:
    """Return what was run, and each ablation of it."""
    flow = traj.flow
    chosen = {name: choices.of(flow, name) for name in ("stop_gradient", "predictor", "tau", "loss", "normalise")}
    target = choices.of(flow, "target") if "target" in flow._fields() else ""
    words = choices.in_words(target, **chosen)
    if "eta_p" in _entering(traj):
        words += ", separate decays"
    return f"{flow.title or type(flow).__name__}: {words.lstrip(', ')}".rstrip(": ")


def _rates(traj: Trajectory) -> str:
    """Return the rates that something depends on."""
    return ", ".join(f"${SYMBOLS[name]} = {value:g}$" for name, value in _entering(traj).items())


def _entering(traj: Trajectory) -> dict[str, float]:
    """Return the rates that the flow, or the sizes of its modes, depend on; found by changing each."""
    flow, hp, y = traj.flow, traj.flow.hp, traj[0]
    off = y.of_blocks({n: (1 + 0.1 * k) * np.asarray(M) + 0.01 * k for k, (n, M) in enumerate(y.blocks().items(), 1)})
    single = ("alpha_p", "beta") if hp.equal_decays else ("alpha_p", "beta", "eta_p", "eta_s")
    named: dict[str, tuple[str, ...]] = {name: (name,) for name in single}
    if hp.equal_decays:
        named["eta"] = ("eta_p", "eta_s")

    def rates(changed: Any) -> list[np.ndarray]:
        moved = flow._replace(hp=changed)(0.0, off)
        return [np.asarray(block) for block in moved.blocks().values()] + [np.asarray(off.sizes(changed.alpha_p))]

    found, usual = {}, rates(hp)
    for name, parts in named.items():
        other = rates(hp._replace(**{part: 2.0 * getattr(hp, part) + 1.0 for part in parts}))
        if not all(np.array_equal(a, b) for a, b in zip(usual, other, strict=True)):
            found[name] = float(getattr(hp, name))
    return found


def _data(flow: Any) -> str:
    """Name the data in the paper's symbols."""
    if hasattr(flow, "data"):
        x, x_aug, _ = flow.data.joint_spectrum()
        if flow.data.is_isotropic:
            return rf"$X={x[0]:g}\,I,\ X'={x_aug[0]:g}\,I$"
        return rf"$n_1={len(x)}$, eigenvalues of $X$ {x[-1]:.3g} to {x[0]:.3g}"
    aug = getattr(flow, "x_aug", getattr(flow, "sigma2", None))
    named = {"x": getattr(flow, "x", None), r"\sigma^2": aug}
    return ", ".join(
        _spread(symbol, np.asarray(value, dtype=float))
        for symbol, value in named.items()
        if value is not None and not (symbol == "x" and np.all(np.asarray(value) == 1))
    )


def _spread(symbol: str, value: np.ndarray) -> str:
    low, high = value.min(), value.max()
    return rf"${symbol} = {low:g}$" if low == high else rf"${symbol}_j = {low:.3g}$ to ${high:.3g}$"


def _steps(notes: Any) -> str:
    """Name the finite steps of a run that has them."""
    if notes.get("engine") != "descent":
        return ""
    named = (("learning rate", "learning_rate"), ("momentum", "momentum"), ("batch", "batch"))
    return ", ".join(f"{word} {notes[key]:g}" for word, key in named if notes.get(key))


def curves(axes: Axes, t: Any, values: Any, label: str, log: bool = False) -> int:
    """Draw one line per column, darkest first; on a log axis zeros and signs are dropped. Return their number."""
    values = np.asarray(values, dtype=float).reshape(len(t), -1)
    if log:
        values = np.where(values > 0, values, np.nan)
    family(axes, t, values.T, [""] * values.shape[1], linewidth=1.1)
    if log and np.any(np.isfinite(values)):
        axes.set_yscale("log")
    axes.set_ylabel(label)
    return values.shape[1]


def _matrix_panels(traj: Trajectory, axes: Any) -> tuple[int, bool]:
    """Draw spectra, alignment and what should be small; return the number of modes and whether some are not drawn."""
    t, eigen = np.asarray(traj.ts), observables.eigen_F(traj)
    s, known = eigen[0], observables.resolved(traj, eigen[0])
    above = s > traj.states.round_off * np.max(s, axis=-1, keepdims=True, initial=0.0)
    modes = curves(axes[0], t, np.where(above, s, np.nan), r"eigenvalues $s_j$ of $F = WW^{\top}$", log=True)
    curves(axes[1], t, observables.spectrum_W_p(traj), r"eigenvalues $p_j$ of $W_p$ (sym. part)")
    cosines = np.where(known, observables.alignment(traj, eigen), np.nan)
    curves(axes[2], t, cosines, r"cosine of $u_j$ and $W_p u_j$")
    axes[2].set_ylim(np.nanmin(cosines, initial=0.0, where=np.isfinite(cosines)) - 0.05, 1.05)
    _small_things(traj, axes[3], np.asarray(known.any(axis=-1)))
    return modes, not known.all()


def _small_things(traj: Trajectory, axes: Axes, known: np.ndarray) -> None:
    """What should be small, or near one: asymmetry, commutator, balance, 1 - correlation of target and online.

    `known` are the times at which something is left of F to be compared.
    """
    t = np.asarray(traj.ts)
    lines = {r"asymmetry $\|W_p - W_p^{\top}\|/\|W_p\|$": (observables.asymmetry(traj), "-", style.INK)}
    lines[r"commutator $\|[F, W_p]\|$"] = (observables.commutator_norm(traj), "--", style.FLOW)
    if not observables.unbalanced(traj.flow):
        lines["Theorem 1 residual"] = (observables.balance_residual(traj), ":", style.STABLE)
    if isinstance(traj.states, WeightState | GramState) and traj.flow.target != "online":
        apart = np.where(known, 1 - observables.target_correlation(traj), np.nan)
        lines[r"$1 - \mathrm{corr}(W_a, W)$"] = (apart, "-.", style.UNSTABLE)
    for label, (value, dashes, colour) in lines.items():
        value = np.where(np.abs(value) > FLOOR, np.abs(value), np.nan)
        if np.any(np.isfinite(value[1:] - value[:-1])):  # two in a row: a line to see
            axes.plot(t, value, linestyle=dashes, color=colour, linewidth=1.3, label=label)
    axes.set_ylabel("distance from the ideal")
    if axes.lines:
        axes.set_yscale("log")
        style.key_above(axes)
    else:
        axes.text(0.5, 0.5, "all at round-off", transform=axes.transAxes, ha="center", va="center", color=style.GREY)


def _panels(traj: Trajectory, axes: Any, panels: Sequence[Panel]) -> tuple[int, bool]:
    """Draw what the state says suits it; of three panels the fourth place stays empty."""
    sizes, hidden, modes = traj.states.sizes(traj.flow.hp.alpha_p), False, 1
    known = None if sizes is None else observables.resolved(traj, sizes).reshape(len(traj), -1)
    for panel, (label, values, log, zero, ratio) in zip(axes, panels, strict=False):
        values = np.asarray(values, dtype=float).reshape(len(traj), -1)
        if ratio and known is not None and known.shape == values.shape:
            hidden |= not known.all()
            values = np.where(known, values, np.nan)
        modes = max(modes, curves(panel, np.asarray(traj.ts), values, label, log))
        if zero:
            panel.axhline(0.0, color=style.GREY, linewidth=0.8)
    for panel in axes[len(panels) :]:
        panel.set_visible(False)
    return modes, hidden
