"""The map of a sweep of descents: effective rank of the outputs, what became of them, the angle beside theory's."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from lindyn.flows import choices
from lindyn.plotting import style
from lindyn.plotting.outcome_map import MOST, SYMBOLS, as_numbers, is_log, shade, tick_words
from lindyn.sweeps.descent_parameters import WHOLE
from lindyn.sweeps.descent_reading import OUTCOMES
from lindyn.sweeps.descent_text import DESCENT_NAMES, WORDS

COLOURS = ("#3a2f4f", "#d08a4e", "#f2d9a0", "#fafafa")
FEW = 12
"""Values of an axis that can be written one by one."""
DESCENT_SYMBOLS = SYMBOLS | {
    "learning_rate": r"\mathrm{lr}", "gamma_a": r"\gamma_a", "momentum": "m", "depth": "L", "batch": "B",
    "x_power": r"\mathrm{power\ of}\ x_k", "scale": r"\mathrm{scale}", "scale_p": r"\mathrm{scale}_p",
}  # fmt: skip


def save_descent_map(ds: Any, path: Path, command: str = "") -> Path:
    """Draw a sweep of descents and write it; the format follows the file's ending, and it keeps the command line."""
    style.write(draw_descents(ds), path, command=command)
    return path


@style.styled
def draw_descents(ds: Any) -> Figure:
    """Return the map over the two longest axes but the seeds (curves over the only one), others at their middle.

    Over the seeds the effective rank and the angles are averaged, and the worst outcome is shown.
    """
    axes = [axis for axis in ds["outcome"].dims if axis != "seed"]
    shown = sorted(axes, key=lambda axis: -ds.sizes[axis])[:2]
    shown = [axis for axis in axes if axis in shown]
    rest = {axis: ds.sizes[axis] // 2 for axis in axes if axis not in shown}
    part = ds.isel(rest).isel({axis: slice(None, None, -(-ds.sizes[axis] // MOST)) for axis in shown}).load()
    part = part.assign_coords({axis: _steps_in_words(ds, axis) for axis in shown if _uneven(ds, axis)})
    figure, key = _maps(part, shown) if len(shown) == 2 else _curves(part, shown[0] if shown else "seed")
    style.frame(figure, _title(ds, part, rest), _fixed(ds), key, columns=4)
    return figure


def _uneven(ds: Any, axis: str) -> bool:
    """Return whether an axis of numbers is drawn as steps of one width: whole numbers, or spaced by no one rule."""
    at = ds[axis].values
    if at.dtype.kind not in "fi" or len(at) > FEW:
        return False
    return axis in WHOLE or (len(at) > 2 and not is_log(ds, axis) and not np.allclose(np.diff(at), at[1] - at[0]))


def _steps_in_words(ds: Any, axis: str) -> list[str]:
    return ["all" if axis == "batch" and value == 0 else f"{value:g}" for value in ds[axis].values]


def averaged(ds: Any) -> Any:
    """Return effective_rank, angle_share (measured over theory's) and outcome without the seeds.

    The worst outcome stands: a model that blew up, else the deepest collapse; -1 where nothing was computed.
    """
    code = ds["outcome"]
    known = code.where(code >= 0)
    worst = known.where(known != OUTCOMES.index("not_finite"), -1.0)
    worst = worst.min("seed").where(known.notnull().any("seed"), -2.0)
    share = ds["angle"] / ds["angle_rest"].where(ds["angle_rest"] > 0)
    outcome = worst.where(worst != -1.0, float(OUTCOMES.index("not_finite"))).clip(min=-1.0)
    return {"effective_rank": ds["effective_rank"].mean("seed"), "angle_share": share.mean("seed"), "outcome": outcome}


def _maps(ds: Any, shown: list[str]) -> tuple[Figure, list[Any]]:
    figure, axes = style.new_figure(1, 3, height=4.1, sharex=True, sharey=True)
    told, panels = averaged(ds), axes[0]
    for panel in panels:
        for set_scale, axis in ((panel.set_xscale, shown[0]), (panel.set_yscale, shown[1])):
            if is_log(ds, axis):
                set_scale("log")
        panel.set_xlabel(_name(shown[0]))
    panels[0].set_ylabel(_name(shown[1]))
    shade(figure, panels[0], ds, shown, told["effective_rank"], rf"effective rank of {ds.attrs['n2']} outputs")
    codes = told["outcome"].transpose(*reversed(shown)).values
    x, y = as_numbers(ds, shown)
    outcomes(panels[1], x, y, codes)
    shade(figure, panels[2], ds, shown, told["angle_share"], r"angle per step / $\sqrt{2\,\mathrm{lr}\,\eta/(1+m)}$",
          colours="RdBu_r", centre=1.0)  # fmt: skip
    tick_words(panels[0], ds, shown)
    return figure, outcome_patches(codes)


def outcomes(panel: Axes, x: np.ndarray, y: np.ndarray, codes: np.ndarray) -> None:
    """Fill a panel with outcome codes, (y, x); what was not computed stays empty."""
    panel.set_title("collapse of the outputs (worst seed)")
    norm = BoundaryNorm(np.arange(len(OUTCOMES) + 1) - 0.5, len(OUTCOMES))
    codes = np.ma.masked_outside(codes, 0, len(OUTCOMES) - 1)
    panel.pcolormesh(x, y, codes, cmap=ListedColormap(COLOURS), norm=norm, shading="nearest", rasterized=True)


def outcome_patches(codes: np.ndarray) -> list[Patch]:
    """Return legend entries of the outcomes that occur."""
    return [
        Patch(facecolor=COLOURS[k], edgecolor=style.GREY, label=WORDS[word])
        for k, word in enumerate(OUTCOMES)
        if np.any(codes == k)
    ]


def _curves(ds: Any, axis: str) -> tuple[Figure, list[Any]]:
    """Return effective rank and angle over the only axis, a faint line for each seed."""
    figure, panels = style.new_figure(1, 2, height=3.8, sharex=True)
    left, right = panels[0]
    at = as_numbers(ds, [axis])[0]
    for panel, name, label in ((left, "effective_rank", "final effective rank"), (right, "angle", "measured")):
        values = ds[name] if axis == "seed" else ds[name].transpose(axis, "seed")
        if axis != "seed":
            panel.plot(at, values.values, color=style.PALE, linewidth=0.8)
        mean = values if axis == "seed" else values.mean("seed")
        panel.plot(at, mean.values, "o-", markersize=3, color=style.INK, label=label)
    theory = ds["angle_rest"] if axis == "seed" else ds["angle_rest"].isel(seed=0)
    right.plot(at, theory.values, "--", color=style.FLOW, label=r"theory at rest, $\sqrt{2\,\mathrm{lr}\,\eta/(1+m)}$")
    left.set_ylim(0.9, ds.attrs["n2"] + 0.2)
    right.set_title("angle per step (rad)")
    left.set_title(rf"effective rank of {ds.attrs['n2']} outputs")
    if is_log(ds, axis):
        left.set_xscale("log")
    positive = ds["angle"].values[ds["angle"].values > 0]
    if positive.size and positive.max() > 30 * positive.min():
        right.set_yscale("log")
    style.key_above(right, 2)
    for panel in (left, right):
        panel.set_xlabel("seed" if axis == "seed" else _name(axis))
    tick_words(left, ds, [axis])
    return figure, []


def _name(axis: str) -> str:
    """Return the words and the symbol of an axis."""
    words = {"x_power": "spectrum of X:", "x": "spectrum of X", "depth": "depth", "batch": "batch"}.get(axis)
    words = DESCENT_NAMES[axis].removesuffix(f" {axis}") if words is None else words
    return words if axis == "x" else f"{words} ${DESCENT_SYMBOLS[axis]}$"


def _title(ds: Any, part: Any, rest: dict[str, int]) -> str:
    """Return what was run, and at which values of the axes that are not shown this slice is."""
    target, predictor, loss, normalise = (ds.attrs[name] for name in ("target", "predictor", "loss", "normalise"))
    words = choices.in_words(target, predictor=predictor, loss=loss, normalise=normalise)
    if ds.attrs.get("batch") != 0 and ds.attrs["mean"] == "samples":  # a number of samples, or an axis of them
        words = words.replace("cosine loss (closure)", "cosine loss")
    title = f"A deep model after {ds.attrs['steps']:,} steps: {words}"
    slices = [f"${DESCENT_SYMBOLS.get(axis, axis)}$ = {part[axis].item()} (one of {ds.sizes[axis]})" for axis in rest]
    return f"{title}; the slice at {', '.join(slices)}" if slices else title


def _fixed(ds: Any) -> str:
    """Return the parameters that no axis varies."""
    told = [f"$n_1 = {ds.attrs['n1']}$, $n_2 = {ds.attrs['n2']}$", f"{ds.sizes['seed']} seeds"]
    for name, symbol in DESCENT_SYMBOLS.items():
        value = ds.attrs.get(name)
        if isinstance(value, int | float) and name not in ("n1", "n2"):
            population = name == "batch" and value == 0
            told.append("whole population" if population else f"${symbol} = {value:g}$")
    return ", ".join(told)
