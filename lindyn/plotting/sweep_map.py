"""The map of a sweep: what became of each run, its final p and its smallest K, theory's boundaries on top."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from lindyn import _files
from lindyn.plotting import style
from lindyn.sweeps.axes import PARAMETERS
from lindyn.sweeps.outcome import BOX, CRITICAL, FROZEN, OUTCOMES, P_MINUS, fields

COLOURS = ("#3a2f4f", "#f2d9a0", "#d08a4e", "#9fb4c0", "#e8e8e8")  # dark to light in grey: collapsed first, alive last
WORDS = {"collapsed": "collapsed", "alive": "alive", "not_growing": "alive, not growing", "undecided": "undecided",
         "failed": "not integrated"}  # fmt: skip
SYMBOLS = {"eta": r"\eta", "eta_p": r"\eta_p", "eta_s": r"\eta_s", "beta": r"\beta", "alpha_p": r"\alpha_p", "x": "x",
           "x_aug": r"\sigma^2", "p0": "p(0)", "s0": "s(0)", "tau0": r"\tau(0)"}  # fmt: skip
LINES: dict[str, tuple[Any, Any]] = {
    CRITICAL: ("-", style.INK),
    BOX: ("--", style.INK),
    P_MINUS: (":", style.INK),
    FROZEN: ("-", style.INK),
}
MOST = 800  # points drawn along an axis


def save_map(ds: Any, path: Path) -> Path:
    """Draw a sweep of modes and write it; the format follows the file's ending."""
    figure = draw(ds)
    with _files.draft(path) as file:
        figure.savefig(file, dpi=130, format=path.suffix[1:] or "png")
    return path


@style.styled
def draw(ds: Any) -> Figure:
    """Return the map over the two longest axes (curves over the only axis), others at their middle."""
    shown = sorted(ds["outcome"].dims, key=lambda axis: -ds.sizes[axis])[:2]
    shown = [axis for axis in ds["outcome"].dims if axis in shown]
    rest = {axis: ds.sizes[axis] // 2 for axis in ds["outcome"].dims if axis not in shown}
    part = ds.isel(rest).isel({axis: slice(None, None, -(-ds.sizes[axis] // MOST)) for axis in shown}).load()
    figure, key = _curves(part, shown[0]) if len(shown) == 1 else _maps(part, shown)
    style.frame(figure, _title(ds), _fixed(ds, part, rest), key, columns=4)
    return figure


def _maps(ds: Any, shown: list[str]) -> tuple[Figure, list[Any]]:
    figure, axes = style.new_figure(1, 3, height=4.1, sharex=True, sharey=True)
    for panel in axes[0]:
        for set_scale, axis in ((panel.set_xscale, shown[0]), (panel.set_yscale, shown[1])):
            if _log(ds, axis):
                set_scale("log")
    outcome_map(axes[0, 0], ds, shown)
    _shade(figure, axes[0, 1], ds, shown, "p", r"final $p$", "viridis")
    _shade(figure, axes[0, 2], ds, shown, "K_min", r"smallest $K$ over the run", "RdGy")
    drawn: dict[str, Any] = {}
    for panel in axes[0]:
        drawn |= boundaries(panel, ds, shown)
        panel.set_xlabel(f"${SYMBOLS[shown[0]]}$")
    axes[0, 0].set_ylabel(f"${SYMBOLS[shown[1]]}$")
    codes = ds["outcome"].values
    handles = [Patch(facecolor=c, edgecolor=style.GREY, label=words) for c, words in outcome_key(codes)]
    return figure, [*handles, *drawn.values()]


def outcome_map(panel: Axes, ds: Any, shown: list[str]) -> None:
    """Fill a panel with what became of each run."""
    panel.set_title("what became of the mode")
    fill_outcomes(panel, *_grid(ds, shown), ds["outcome"].transpose(*reversed(shown)).values)


def fill_outcomes(panel: Axes, x: np.ndarray, y: np.ndarray, codes: np.ndarray) -> None:
    """Fill a panel with outcome codes, (y, x)."""
    norm = BoundaryNorm(np.arange(len(OUTCOMES) + 1) - 0.5, len(OUTCOMES))
    panel.pcolormesh(x, y, codes, cmap=ListedColormap(COLOURS), norm=norm, shading="nearest", rasterized=True)


def outcome_key(codes: np.ndarray) -> list[tuple[str, str]]:
    """Return (colour, words) of the outcomes that occur."""
    return [(COLOURS[k], WORDS[word]) for k, word in enumerate(OUTCOMES) if np.any(codes == k)]


def line(dashes: Any, colour: Any, label: str) -> Line2D:
    """Return a legend entry for a line."""
    return Line2D([], [], color=colour, linestyle=dashes, linewidth=1.6, label=label)


def boundaries(panel: Axes, ds: Any, shown: list[str]) -> dict[str, Any]:
    """Draw theory's boundaries where they cross the panel; return their legend entries."""
    import xarray

    drawn = {}
    for name, field in fields(ds).items():
        full = xarray.zeros_like(ds["outcome"], dtype=float) + field
        values = full.transpose(*reversed(shown)).values
        if not (np.nanmin(values, initial=np.inf) < 0 < np.nanmax(values, initial=-np.inf)):
            continue
        dashes, colour = LINES[name]
        for width, shade in ((2.6, "white"), (1.4, colour)):
            panel.contour(
                *_grid(ds, shown), values, levels=[0.0], colors=[shade], linestyles=[dashes], linewidths=width
            )
        drawn[name] = line(dashes, colour, name)
    return drawn


def _shade(figure: Figure, panel: Axes, ds: Any, shown: list[str], name: str, title: str, colours: str) -> None:
    panel.set_title(title)
    values = ds[name].transpose(*reversed(shown)).values
    finite = values[np.isfinite(values)]
    span: dict[str, Any] = {}
    if finite.size and colours == "RdGy":
        reach = max(float(np.quantile(np.abs(finite), 0.98)), 1e-12)
        span = {"vmin": -reach, "vmax": reach}
    elif finite.size:
        low, high = np.quantile(finite, [0.0, 0.995])
        span = {"vmin": float(low), "vmax": float(max(high, low + 1e-12))}
    mesh = panel.pcolormesh(*_grid(ds, shown), values, cmap=colours, shading="nearest", **span)
    figure.colorbar(mesh, ax=panel, pad=0.01, aspect=30)
    if colours == "RdGy" and finite.size and finite.min() < 0 < finite.max():
        panel.contour(*_grid(ds, shown), values, levels=[0.0], colors=["#7a0019"], linewidths=0.9)
        panel.set_title(title + " (red: at risk)")


def _curves(ds: Any, axis: str) -> tuple[Figure, list[Any]]:
    """Return p, s, tau and the outcome over the only axis."""
    figure, axes = style.new_figure(1, 2, height=3.6, sharex=True)
    values = _grid(ds, [axis, axis])[0]
    for name, line, shade in (("p", "-", style.INK), ("s", "--", style.FLOW), ("tau", ":", style.GREY)):
        axes[0, 0].plot(values, ds[name].values, line, color=shade, label={"tau": r"$\tau$"}.get(name, f"${name}$"))
    axes[0, 0].set_title("final values")
    if _log(ds, axis):
        axes[0, 0].set_xscale("log")
    axes[0, 0].set_ylim(
        -0.05, 1.1 * float(np.nanmax([1.0, np.nanquantile(ds["p"], 0.99), np.nanquantile(ds["s"], 0.99)]))
    )
    axes[0, 0].legend()
    axes[0, 1].step(values, ds["outcome"].values, where="mid", color=style.INK)
    axes[0, 1].set_yticks(range(len(OUTCOMES)), [WORDS[word] for word in OUTCOMES])
    axes[0, 1].set_ylim(-0.4, len(OUTCOMES) - 0.6)
    axes[0, 1].set_title("what became of the mode")
    for name, field in fields(ds).items():
        level = np.asarray((field + 0.0 * ds["outcome"]).values, dtype=float)
        for k in np.flatnonzero(level[:-1] * level[1:] < 0):
            at = values[k] + (values[k + 1] - values[k]) * level[k] / (level[k] - level[k + 1])
            axes[0, 1].axvline(at, linestyle=LINES[name][0], color="0.4", linewidth=1.0, label=name)
    if axes[0, 1].get_legend_handles_labels()[0]:
        axes[0, 1].legend(loc="upper center", fontsize=7.5)
    for panel in axes[0]:
        panel.set_xlabel(f"${SYMBOLS[axis]}$")
    return figure, []


def _grid(ds: Any, shown: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the two coordinates as numbers; practices in words stand at 0, 1."""
    return tuple(  # type: ignore[return-value]
        ds[axis].values.astype(float) if ds[axis].dtype.kind in "fi" else np.arange(ds.sizes[axis], dtype=float)
        for axis in shown
    )


def _log(ds: Any, axis: str) -> bool:
    """Whether an axis runs evenly on a log scale."""
    values = ds[axis].values
    if values.dtype.kind not in "fi" or len(values) < 3 or values[0] <= 0:
        return False
    ratio = values[1:] / values[:-1]
    return bool(ratio.min() > 1.0 and np.ptp(ratio) < 1e-6 * ratio.max() * 1e3 and values[-1] / values[0] > 5)


def _title(ds: Any) -> str:
    kind = {"ema": "EMA target", "online": "target = online network", "frozen": "frozen target"}[ds.attrs["target"]]
    extra = ", no predictor" if ds.attrs["predictor"] == "identity" else ""
    return rf"A mode after $t = {ds.attrs['t1']:g}$, {kind}{extra}"


def _fixed(ds: Any, part: Any, rest: dict[str, int]) -> str:
    """Return the parameters that do not vary in the picture."""
    told = []
    for parameter in PARAMETERS:
        label = parameter.label
        if label in rest:
            value = part[label].item()
            shown = value if isinstance(value, str) else f"{value:.3g}"
            told.append(f"${SYMBOLS[label]}$ = {shown} (one of {ds.sizes[label]})")
        elif isinstance(ds.attrs.get(label), int | float):
            told.append(f"${SYMBOLS[label]} = {ds.attrs[label]:g}$")
    return ", ".join(told)
