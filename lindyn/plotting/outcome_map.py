"""The map of a sweep: what became of each run, its final p and its smallest K, theory's boundaries on top."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedFormatter

from lindyn.flows import choices
from lindyn.plotting import style
from lindyn.sweeps.axes import PARAMETERS
from lindyn.sweeps.outcome import BOX, CRITICAL, EDGE, FROZEN, OUTCOMES, edge_of_start, fields
from lindyn.sweeps.sweep_text import NAMES

COLOURS = ("#3a2f4f", "#f2d9a0", "#d08a4e", "#9fb4c0", "#fafafa")  # dark to light in grey: collapsed first, alive last
WORDS = {"collapsed": "collapsed", "alive": "alive", "not_growing": "alive, not growing", "undecided": "undecided",
         "failed": "not integrated"}  # fmt: skip
SYMBOLS = {"eta": r"\eta", "eta_p": r"\eta_p", "eta_s": r"\eta_s", "beta": r"\beta", "alpha_p": r"\alpha_p", "x": "x",
           "x_aug": r"\sigma^2", "p0": "p(0)", "s0": "s(0)", "tau0": r"\tau(0)"}  # fmt: skip
LINES: dict[str, tuple[Any, Any]] = {
    CRITICAL: ("-", style.INK),
    BOX: ("--", style.INK),
    EDGE: (":", style.INK),
    FROZEN: ("-", style.INK),
}
UNKNOWN = "it is not known where a rate is 0, nor for p(0) < 0 with a moving target"
MOST = 800  # points drawn along an axis


def save_map(ds: Any, path: Path, command: str = "") -> Path:
    """Draw a sweep of modes and write it; the format follows the file's ending, and it keeps the command line."""
    style.write(draw(ds), path, command=command)
    return path


@style.styled
def draw(ds: Any) -> Figure:
    """Return the map over the two longest axes (curves over the only axis), others at their middle."""
    shown, rest, part = slice_of(ds)
    edge = edge_of_start(part)
    figure, key = _curves(part, shown[0], edge) if len(shown) == 1 else _maps(part, shown, edge)
    style.frame(figure, _title(ds, part, rest), _fixed(ds, edge), key, columns=4)
    return figure


def draw_outcomes(panel: Axes, ds: Any) -> list[Any]:
    """Draw what became of each run over the two longest axes, with theory's boundaries; return the legend handles.

    Args:
        panel: where.
        ds: Dataset of `lindyn.sweep`; further axes are taken at their middle.
    """
    shown, _, part = slice_of(ds)
    for set_scale, axis in ((panel.set_xscale, shown[0]), (panel.set_yscale, shown[1])):
        if is_log(part, axis):
            set_scale("log")
    outcome_map(panel, part, shown)
    lines = boundaries(panel, part, shown, edge_of_start(part))
    panel.set(xlabel=_name(shown[0]), ylabel=_name(shown[1]))
    tick_words(panel, part, shown)
    return [*patches(part["outcome"].values), *lines.values()]


def slice_of(ds: Any) -> tuple[list[str], dict[str, int], Any]:
    """Return the axes that are shown (the two longest), where the others are held, and the slice itself, in memory."""
    shown = sorted(ds["outcome"].dims, key=lambda axis: -ds.sizes[axis])[:2]
    shown = [axis for axis in ds["outcome"].dims if axis in shown]
    rest = {axis: ds.sizes[axis] // 2 for axis in ds["outcome"].dims if axis not in shown}
    part = ds.isel(rest).isel({axis: slice(None, None, -(-ds.sizes[axis] // MOST)) for axis in shown}).load()
    return shown, rest, part


def patches(codes: np.ndarray) -> list[Patch]:
    """Return legend entries of the outcomes that occur."""
    return [Patch(facecolor=colour, edgecolor=style.GREY, label=words) for colour, words in outcome_key(codes)]


def _maps(ds: Any, shown: list[str], edge: Any) -> tuple[Figure, list[Any]]:
    figure, axes = style.new_figure(1, 3, height=4.1, sharex=True, sharey=True)
    for panel in axes[0]:
        for set_scale, axis in ((panel.set_xscale, shown[0]), (panel.set_yscale, shown[1])):
            if is_log(ds, axis):
                set_scale("log")
    outcome_map(axes[0, 0], ds, shown)
    shade(figure, axes[0, 1], ds, shown, ds["p"], r"final $p$")
    shade(figure, axes[0, 2], ds, shown, ds["K_min"], style.LOWEST_K, "RdGy", centre=0.0)
    _mark_risk(axes[0, 2], ds, shown)
    drawn: dict[str, Any] = {}
    for panel in axes[0]:
        drawn |= boundaries(panel, ds, shown, edge)
        panel.set_xlabel(_name(shown[0]))
    axes[0, 0].set_ylabel(_name(shown[1]))
    tick_words(axes[0, 0], ds, shown)
    return figure, [*patches(ds["outcome"].values), *drawn.values()]


def _name(axis: str) -> str:
    """Return the words and the symbol of an axis."""
    return f"{NAMES[axis].rpartition(' ')[0]} ${SYMBOLS[axis]}$"


def outcome_map(panel: Axes, ds: Any, shown: list[str]) -> None:
    """Fill a panel with what became of each run."""
    panel.set_title("what became of the mode")
    x, y = as_numbers(ds, shown)
    fill_outcomes(panel, x, y, ds["outcome"].transpose(*reversed(shown)).values)


def fill_outcomes(panel: Axes, x: np.ndarray, y: np.ndarray, codes: np.ndarray) -> None:
    """Fill a panel with outcome codes, (y, x); what was not computed stays empty."""
    codes = np.ma.masked_outside(codes, 0, len(OUTCOMES) - 1)
    norm = BoundaryNorm(np.arange(len(OUTCOMES) + 1) - 0.5, len(OUTCOMES))
    panel.pcolormesh(x, y, codes, cmap=ListedColormap(COLOURS), norm=norm, shading="nearest", rasterized=True)


def outcome_key(codes: np.ndarray) -> list[tuple[str, str]]:
    """Return (colour, words) of the outcomes that occur."""
    return [(COLOURS[k], WORDS[word]) for k, word in enumerate(OUTCOMES) if np.any(codes == k)]


def categories(codes: Any) -> dict[str, Any]:
    """Return what xarray's plot needs to show an array of codes in words: `ds.outcome.plot(**categories(ds.outcome))`.

    Args:
        codes: outcome, event or status of a sweep, a DataArray with flag_values and flag_meanings.

    Returns:
        levels, colors and the ticks of the colour bar.
    """
    words = codes.attrs["flag_meanings"].split()
    count = len(words)
    colours = COLOURS[:count] if tuple(words) == OUTCOMES else style.shades(count)
    ticks = FixedFormatter([WORDS.get(word, word.replace("_", " ")) for word in words])
    bar = {"ticks": range(count), "format": ticks}
    return {"levels": np.arange(count + 1) - 0.5, "colors": list(colours), "extend": "neither", "cbar_kwargs": bar}


def line(dashes: Any, colour: Any, label: str) -> Line2D:
    """Return a legend entry for a line."""
    return Line2D([], [], color=colour, linestyle=dashes, linewidth=1.6, label=label)


def cased(panel: Axes, x: Any, y: Any, dashes: Any, colour: Any = style.INK) -> None:
    """Draw a boundary that is seen on dark and light outcomes: a line on a white one."""
    for shade, width, look in (("white", 2.6, "-"), (colour, 1.4, dashes)):
        panel.plot(x, y, color=shade, linewidth=width, linestyle=look)


def cased_upright(panel: Axes, x: float, dashes: Any) -> None:
    """Draw a boundary at one x over the height of a panel, which keeps its limits."""
    panel.autoscale(False)
    cased(panel, [x, x], panel.get_ylim(), dashes)


def boundaries(panel: Axes, ds: Any, shown: list[str], edge: Any = None) -> dict[str, Any]:
    """Draw theory's boundaries where they cross the panel; return their legend entries.

    Args:
        panel: where.
        ds: the sweep, of two axes.
        shown: the axes.
        edge: of `edge_of_start`; without it the starts that are sure to collapse are told.
    """
    drawn = {}
    for name, field in _fields(ds, edge).items():
        values = field.transpose(*reversed(shown)).values
        if not (np.nanmin(values, initial=np.inf) < 0 < np.nanmax(values, initial=-np.inf)):
            continue
        dashes, colour = LINES[name]
        x, values = _stepped(field, shown[0], values, 1)
        y, values = _stepped(field, shown[1], values, 0)
        for width, shade in ((2.6, "white"), (1.4, colour)):
            panel.contour(x, y, values, levels=[0.0], colors=[shade], linestyles=[dashes], linewidths=width)
        drawn[name] = line(dashes, colour, name)
    return drawn


def _stepped(field: Any, axis: str, values: np.ndarray, place: int) -> tuple[np.ndarray, np.ndarray]:
    """Return an axis and the values on it; each of its words, which stand at 0, 1, is a stretch of its own."""
    at = as_numbers(field, [axis])[0]
    if field[axis].dtype.kind in "fi":
        return at, values
    return (at[:, None] + [-0.499, 0.499]).ravel(), np.repeat(values, 2, axis=place)


def _fields(ds: Any, edge: Any) -> dict[str, Any]:
    """Return the fields whose zeros are drawn, over all axes."""
    found = {name: 0.0 * ds["outcome"] + field for name, field in fields(ds).items()}
    if edge is not None:
        found.pop(BOX, None)  # a part of what the edge says
        found[EDGE] = edge
    return found


def tick_words(panel: Axes, ds: Any, shown: list[str]) -> None:
    """Write the words of axes that have words in the place of numbers."""
    for axis, set_ticks in zip(shown, (panel.set_xticks, panel.set_yticks), strict=False):
        if ds[axis].dtype.kind not in "fi":
            set_ticks(range(ds.sizes[axis]), [str(word) for word in ds[axis].values])


def shade(
    figure: Figure, panel: Axes, ds: Any, shown: list[str], field: Any, title: str, colours: str = "viridis",
    centre: float | None = None,
) -> None:  # fmt: skip
    """Fill a panel with a field over two axes of a sweep, its colour bar beside it.

    Args:
        figure: whose panel it is.
        panel: to fill.
        ds: the sweep.
        shown: its axes.
        field: DataArray over them.
        title: of the panel.
        colours: name of the colour map.
        centre: the value at its middle, for one of two sides.
    """
    panel.set_title(title)
    values = field.transpose(*reversed(shown)).values
    finite = values[np.isfinite(values)]
    span: dict[str, Any] = {}
    if finite.size and centre is not None:
        reach = max(float(np.quantile(np.abs(finite - centre), 0.98)), 1e-12)
        span = {"vmin": centre - reach, "vmax": centre + reach}
    elif finite.size:
        low, high = np.quantile(finite, [0.0, 0.995])
        span = {"vmin": float(low), "vmax": float(max(high, low + 1e-12))}
    mesh = panel.pcolormesh(*as_numbers(ds, shown), values, cmap=colours, shading="nearest", rasterized=True, **span)
    figure.colorbar(mesh, ax=panel, pad=0.01, aspect=30)


def _mark_risk(panel: Axes, ds: Any, shown: list[str]) -> None:
    """Draw where the smallest K changes sign."""
    values = ds["K_min"].transpose(*reversed(shown)).values
    finite = values[np.isfinite(values)]
    if finite.size and finite.min() < 0 < finite.max():
        panel.contour(*as_numbers(ds, shown), values, levels=[0.0], colors=["#7a0019"], linewidths=0.9)
        panel.set_title(panel.get_title() + " (red: at risk)")


def _curves(ds: Any, axis: str, edge: Any) -> tuple[Figure, list[Any]]:
    """Return p, s, tau and the outcome over the only axis."""
    figure, axes = style.new_figure(1, 2, height=3.8, sharex=True)
    left, right = axes[0]
    values = as_numbers(ds, [axis])[0]
    for name, dashes, shade in (("p", "-", style.INK), ("s", "--", style.FLOW), ("tau", ":", style.GREY)):
        left.plot(
            values, ds[name].values, dashes, color=shade, label={"tau": r"final $\tau$"}.get(name, f"final ${name}$")
        )
    if is_log(ds, axis):
        left.set_xscale("log")
    most = np.concatenate([ds[name].values[np.isfinite(ds[name].values)] for name in ("p", "s")])
    left.set_ylim(-0.05, 1.1 * max(1.0, float(np.quantile(most, 0.99)) if most.size else 1.0))
    codes = ds["outcome"].values
    present = [k for k in range(len(OUTCOMES)) if np.any(codes == k)]
    right.step(values, np.searchsorted(present, codes), where="mid", color=style.INK, label="what became of the mode")
    right.set_yticks(range(len(present)), [WORDS[OUTCOMES[k]] for k in present])
    right.set_ylim(-0.4, len(present) - 0.6)
    for name, field in _fields(ds, edge).items():
        at, level = as_numbers(field, [axis])[0], np.asarray(field.values, dtype=float)
        crossings = np.flatnonzero(level[:-1] * level[1:] < 0)
        for k in crossings:
            where = at[k] + (at[k + 1] - at[k]) * level[k] / (level[k] - level[k + 1])
            label = name if k == crossings[0] else "_nolegend_"
            right.axvline(where, linestyle=LINES[name][0], color=style.GREY, linewidth=1.0, label=label)
    for panel, columns in ((left, 3), (right, 2)):
        style.key_above(panel, columns)
        panel.set_xlabel(_name(axis))
        if ds[axis].dtype.kind not in "fi":
            panel.set_xticks(values, [str(word) for word in ds[axis].values])
    return figure, []


def as_numbers(ds: Any, shown: list[str]) -> tuple[np.ndarray, ...]:
    """Return the coordinates as numbers; practices in words stand at 0, 1."""
    return tuple(
        ds[axis].values.astype(float) if ds[axis].dtype.kind in "fi" else np.arange(ds.sizes[axis], dtype=float)
        for axis in shown
    )


def is_log(ds: Any, axis: str) -> bool:
    """Whether an axis runs evenly on a log scale."""
    values = ds[axis].values
    if values.dtype.kind not in "fi" or len(values) < 3 or values[0] <= 0:
        return False
    ratio = values[1:] / values[:-1]
    return bool(ratio.min() > 1.0 and np.ptp(ratio) < 1e-6 * ratio.max() * 1e3 and values[-1] / values[0] > 5)


def _title(ds: Any, part: Any, rest: dict[str, int]) -> str:
    """Return what was run, and at which values of the axes that are not shown this slice is."""
    target, predictor, tau = (ds.attrs[name] for name in ("target", "predictor", "tau_mode"))
    title = rf"A mode after $t = {ds.attrs['t1']:g}$: {choices.in_words(target, predictor=predictor, tau=tau)}"
    slices = [f"${SYMBOLS[axis]}$ = {_value(part[axis].item())} (one of {ds.sizes[axis]})" for axis in rest]
    return f"{title}; the slice at {', '.join(slices)}" if slices else title


def _value(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:.3g}"


def _fixed(ds: Any, edge: Any) -> str:
    """Return the parameters that no axis varies and that enter, and why the start's own edge is not drawn."""
    target, rule = ds.attrs["target"], ds.attrs["predictor"]
    idle = {"beta"} if target != "ema" or ds.attrs["tau_mode"] == "constant" else set()
    idle |= {"alpha_p", "eta_p"} if rule == "identity" else set()
    told = []
    for parameter in PARAMETERS:
        value = ds.attrs.get(parameter.label)
        if isinstance(value, int | float) and parameter.label not in idle:
            told.append(f"${SYMBOLS[parameter.label]} = {value:g}$")
    if ds.attrs.get("start") == "parabola":
        told.append(r"$s(0) = p(0)^2/\alpha_p$")
    without = edge is None and rule == "trained" and target != "frozen"
    return ", ".join(told) + (f"; the edge of collapse from this start is not drawn: {UNKNOWN}" if without else "")
