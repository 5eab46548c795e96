"""A run as a film: the modes in the (p, s) plane, each with its tail."""

from typing import Any

import numpy as np
from matplotlib.animation import FuncAnimation

from lindyn import _checks, observables
from lindyn.plotting import style
from lindyn.plotting.axes_pictures import axes_or_new, for_python
from lindyn.plotting.phase_portrait import SYMBOLS
from lindyn.states import MatrixState

SMALLEST = 1e-8  # of the largest s, on the logarithmic axis
SHOWN = 16


@for_python
def animate(traj: Any, ax: Any = None, frames: int = 120, seconds: float = 6.0) -> FuncAnimation:
    """Return a film of a run: a dot for each mode at (p_j, s_j), with the way it has come.

        plotting.animate(traj).save("run.gif")

    Args:
        traj: of matrices, or of modes with p and s.
        ax: where; default new ones.
        frames: how many.
        seconds: how long it plays.

    Returns:
        The `matplotlib.animation.FuncAnimation`; in a notebook, `HTML(film.to_jshtml())` shows it.

    Raises:
        ValueError: a run without p and s, fewer than two frames.
    """
    frames = _checks.as_whole("frames", frames, 2)
    if not hasattr(traj, "states"):
        raise ValueError(f"animate needs a run of simulate, descend or lindyn.load; got {type(traj).__name__}.")
    p, s = _modes(traj)
    t = np.asarray(traj.ts)
    at = np.unique(np.linspace(0, len(t) - 1, frames).astype(int))
    ax = axes_or_new(ax)
    floor = SMALLEST * float(np.nanmax(s, initial=1e-300))
    s = np.where(s > floor, s, np.nan)
    ax.set(xlabel=SYMBOLS["p"], ylabel=SYMBOLS["s"], yscale="log")
    ax.set_xlim(*_room(p))
    ax.set_ylim(np.nanmin(s, initial=floor) / 2 if np.isfinite(s).any() else floor, 2 * np.nanmax(s, initial=floor))
    colours = style.shades(p.shape[1])
    tails = [ax.plot([], [], color=colour, linewidth=1.2)[0] for colour in colours]
    dots = [ax.plot([], [], "o", color=colour, markersize=6)[0] for colour in colours]
    title = ax.set_title("")

    def draw(k: int) -> list[Any]:
        for j, (tail, dot) in enumerate(zip(tails, dots, strict=True)):
            tail.set_data(p[: k + 1, j], s[: k + 1, j])
            dot.set_data(p[k : k + 1, j], s[k : k + 1, j])
        title.set_text(f"t = {t[k]:.3g}")
        return [*tails, *dots, title]

    draw(int(at[0]))
    return FuncAnimation(ax.figure, draw, frames=[int(k) for k in at], interval=1000 * seconds / len(at), blit=False)


def _modes(traj: Any) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(traj.states, MatrixState):
        p, s = observables.mode_values(traj)
    else:
        sizes, rule = traj.states.sizes(traj.flow.hp.alpha_p), getattr(traj.states, "p", None)
        if sizes is None or rule is None:
            raise ValueError(f"animate needs a run with p and s; got one of {type(traj.flow).__name__}.")
        p, s = (np.asarray(values, dtype=float).reshape(len(traj), -1) for values in (rule, sizes))
    return np.asarray(p)[:, :SHOWN], np.asarray(s)[:, :SHOWN]


def _room(values: np.ndarray) -> tuple[float, float]:
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    pad = 0.05 * (high - low) or 0.1
    return low - pad, high + pad
