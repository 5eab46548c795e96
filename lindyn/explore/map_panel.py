"""The collapse map over any two parameters, live; a click on it sets the portrait."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from bokeh.events import Tap
from bokeh.layouts import column, row
from bokeh.models import (
    BasicTicker,
    ColumnDataSource,
    CrosshairTool,
    CustomJSHover,
    CustomJSTickFormatter,
    Div,
    FixedTicker,
    HoverTool,
    LinearColorMapper,
    Range1d,
    Select,
    TextInput,
)

from lindyn.explore import repeats
from lindyn.explore.explored_panel import ExplorerPanel, plain_figure, powers_of_ten
from lindyn.explore.explorer_options import AXES, DIALS, range_of
from lindyn.outputs.number_tables import Series
from lindyn.plotting import outcome_map
from lindyn.plotting.style import INK
from lindyn.sweeps.axes import KNOWN, span
from lindyn.sweeps.outcome import OUTCOMES, fields

_WORDS = {dial.name: dial.words for dial in DIALS}
_TOLD = f"return {[outcome_map.WORDS[word] for word in OUTCOMES]!r}[Math.round(value)] || ''"
_VALUE = {False: "return value.toPrecision(4)", True: "return Math.pow(10, value).toPrecision(4)"}


class MapPanel(ExplorerPanel):
    """What becomes of the mode over two parameters, by the lanes of `lindyn.sweep`."""

    name, title = "map", "The map"

    def build(self) -> Any:
        """Return the map with its axes' controls above it."""
        self.figure = plain_figure("What becomes of the mode", "", "", name="map-figure")
        self.figure.x_range, self.figure.y_range = Range1d(0, 1), Range1d(0, 1)
        self.cells = ColumnDataSource({name: [] for name in ("image", "p", "s", "tau", "x", "y", "w", "h")})
        self.critical = ColumnDataSource({"xs": [], "ys": []})
        self.here = ColumnDataSource({"x": [], "y": []})
        mapper = LinearColorMapper(palette=list(outcome_map.COLOURS), low=-0.5, high=len(OUTCOMES) - 0.5)
        mapper.nan_color = "white"
        image = self.figure.image(
            "image", x="x", y="y", dw="w", dh="h", source=self.cells, color_mapper=mapper, level="image"
        )
        for width, colour in ((4, "white"), (2, INK)):
            self.figure.multi_line("xs", "ys", source=self.critical, line_color=colour, line_width=width)
        self.figure.scatter("x", "y", source=self.here, marker="cross", size=16, line_color="#c8102e", line_width=3)
        self.hover = HoverTool(renderers=[image])
        self.figure.add_tools(self.hover, CrosshairTool())
        self.figure.on_event(Tap, self._clicked)
        return column(self._controls(), self.figure)

    def _controls(self) -> Any:
        made = []
        for axis in ("across", "up"):
            choice = Select(title=axis, options=[(n, _WORDS[n]) for n in AXES], width=150, name=f"map-{axis}")
            text = TextInput(title="its range", width=112, name=f"map-{axis}-range")
            choice.on_change("value", self._chosen(axis))
            text.on_change("value", self._ranged(axis))
            self._follow(choice, text, axis)
            made += [choice, text]
        words = [outcome_map.WORDS[word] for word in OUTCOMES]
        box = "border:1px solid #888;padding:0 .7em;margin:0 .3em 0 .8em"
        whole = "display:inline-block;white-space:nowrap"
        keys = [f"<span style='{whole}'><span style='background:{colour};{box}'></span>{word}</span> "
                for colour, word in zip(outcome_map.COLOURS, words, strict=True)]  # fmt: skip
        line = f"<span style='{whole}'><b style='margin-left:.8em'>—</b> critical decay</span>"
        return column(row(*made), Div(text=f"<div>{''.join(keys)}{line}</div>", width=560))

    def _follow(self, choice: Any, text: Any, axis: str) -> None:
        def follow(values: Mapping[str, Any]) -> None:
            choice.value, text.value = values[axis], range_of(values, axis)

        follow(self.session.values)
        self.session.follow(follow)

    def _chosen(self, axis: str) -> Any:
        def chosen(attr: str, old: str, new: str) -> None:
            values = self.session.values
            if new == values[axis]:
                return
            other = "up" if axis == "across" else "across"
            changes: dict[str, Any] = {axis: new, f"{axis}_range": None}
            if values[other] == new:  # the two change places
                changes |= {other: values[axis], f"{other}_range": values[f"{axis}_range"]}
            if "beta" in (new, changes.get(other)) and values["target"] == "held":
                changes["target"] = "moving"  # without an EMA the rate has no meaning
            self.session.change(changes)

        return chosen

    def _ranged(self, axis: str) -> Any:
        def ranged(attr: str, old: str, new: str) -> None:
            if new != range_of(self.session.values, axis):
                self.session.change({f"{axis}_range": new.strip() or None})

        return ranged

    def _clicked(self, event: Any) -> None:
        """Set both parameters to the cell under the pointer; the portrait follows."""
        values = self.session.values
        if self.data is None:
            return
        changes = {}
        for axis, at in (("across", event.x), ("up", event.y)):
            grid, log = self._axis(values, axis)
            shown = np.log10(grid) if log else grid
            changes[values[axis]] = float(grid[np.argmin(np.abs(shown - at))])
        self.session.change(changes, undoable=True)

    def _axis(self, values: Mapping[str, Any], axis: str) -> tuple[np.ndarray, bool]:
        text = range_of(values, axis)
        return np.asarray(span(text)), text.startswith("log:")

    def update(self, values: Mapping[str, Any]) -> None:
        """Run the sweep and show it."""
        self.data = self._sweep(values)
        (across, log_x), (up, log_y) = self._axis(values, "across"), self._axis(values, "up")
        one, two = (KNOWN[values[axis]].label for axis in ("across", "up"))
        ds = self.data.transpose(two, one)
        x, y = (np.log10(v) if log else v for v, log in ((across, log_x), (up, log_y)))
        self._show_cells(ds, x, y)
        self._show_axes(values, x, y, log_x, log_y)
        self.critical.data = _zeros(fields(self.data), (one, two), x, y)

    def draft(self, values: Mapping[str, Any]) -> None:
        """Show the map if it depends on what has changed; else only where the mode stands on it."""
        given = repeats.sweep_given(values)
        if given == getattr(self, "_given", None):
            self._show_here(values)
        else:
            self.update(values)

    def _sweep(self, values: Mapping[str, Any]) -> Any:
        import lindyn

        given = repeats.sweep_given(values)
        if given == getattr(self, "_given", None) and self.data is not None:
            return self.data
        parts = {name: span(value) if isinstance(value, str) and ":" in value else value
                 for name, value in given.items()}  # fmt: skip
        found = lindyn.sweep(**parts, progress=False)
        self._given = given
        return found

    def _show_cells(self, ds: Any, x: np.ndarray, y: np.ndarray) -> None:
        dx, dy = (float(v[1] - v[0]) for v in (x, y))
        self.cells.data = {
            "image": [ds["outcome"].values.astype(np.uint8)],
            **{name: [ds[name].values.astype(np.float32)] for name in ("p", "s", "tau")},
            "x": [float(x[0]) - dx / 2], "y": [float(y[0]) - dy / 2],
            "w": [float(x[-1] - x[0]) + dx], "h": [float(y[-1] - y[0]) + dy],
        }  # fmt: skip

    def _show_axes(self, values: Mapping[str, Any], x: Any, y: Any, log_x: bool, log_y: bool) -> None:
        plot, now = self.figure, tuple((values[axis], range_of(values, axis)) for axis in ("across", "up"))
        if now == getattr(self, "_axes_shown", None):
            self._show_here(values)
            return
        self._axes_shown = now
        for scale, axis, at, log, name in (
            (plot.x_range, plot.xaxis[0], x, log_x, values["across"]),
            (plot.y_range, plot.yaxis[0], y, log_y, values["up"]),
        ):
            half = float(at[1] - at[0]) / 2
            scale.update(start=float(at[0]) - half, end=float(at[-1]) + half)
            axis.axis_label = _WORDS[name]
            plain = CustomJSTickFormatter(code="return String(+tick.toPrecision(6))")
            axis.formatter = powers_of_ten() if log else plain
            axis.ticker = FixedTicker(ticks=_decades(at)) if log else BasicTicker()
        names = _WORDS[values["across"]], _WORDS[values["up"]]
        ends = [(f"final {n}", f"@{n}{{0.0000}}") for n in ("p", "s", "tau")]
        self.hover.tooltips = [("", "@image{custom}"), (names[0], "$x{custom}"), (names[1], "$y{custom}"), *ends]
        told = {"@image": _TOLD, "$x": _VALUE[log_x], "$y": _VALUE[log_y]}
        self.hover.formatters = {name: CustomJSHover(code=code) for name, code in told.items()}
        self._show_here(values)

    def _show_here(self, values: Mapping[str, Any]) -> None:
        place = []
        for axis in ("across", "up"):
            log = range_of(values, axis).startswith("log:")
            value = values[values[axis]]
            place.append([np.log10(value) if log else value] if value > 0 or not log else [np.nan])
        self.here.data = {"x": place[0], "y": place[1]}

    def command(self, values: Mapping[str, Any]) -> str:
        """Return `lindyn sweep ...`."""
        return repeats.sweep_command(values)

    def python(self, values: Mapping[str, Any]) -> str:
        """Return `ld.sweep(...)`."""
        return repeats.sweep_python(values)

    def picture(self, values: Mapping[str, Any]) -> Any:
        """Return the picture of `lindyn sweep`."""
        return outcome_map.draw(self.data)

    def numbers(self, values: Mapping[str, Any]) -> Series:
        """Return every variable of the sweep at every point."""
        return of_map(self.data)


def of_map(ds: Any) -> Series:
    """Return a sweep as one series: its axes, then its variables, codes in words."""
    frame = ds.load().to_dataframe().reset_index()
    columns = {}
    for name in frame.columns:
        column_ = frame[name].to_numpy()
        words = ds[name].attrs.get("flag_meanings", "").split() if name in ds else []
        columns[name] = [words[code] if 0 <= code < len(words) else "" for code in column_] if words else column_
    return {"runs": columns}


def _decades(at: np.ndarray) -> list[float]:
    whole = np.arange(np.ceil(at[0] - 1e-9), np.floor(at[-1] + 1e-9) + 1)
    return [float(v) for v in whole] if len(whole) > 1 else [float(v) for v in np.linspace(at[0], at[-1], 4)]


def _zeros(found: Mapping[str, Any], dims: tuple[str, str], x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """Return the lines on which a boundary of theory that is known in closed form, the critical decay, lies."""
    from contourpy import contour_generator

    from lindyn.sweeps.outcome import CRITICAL

    if CRITICAL not in found:
        return {"xs": [], "ys": []}
    import xarray

    blank = xarray.DataArray(np.zeros((len(y), len(x))), dims=dims[::-1])
    critical = xarray.DataArray(found[CRITICAL])  # one number where neither axis moves it
    level = np.asarray((blank + critical.drop_vars(list(critical.coords))).transpose(*dims[::-1]))
    lines: Any = contour_generator(x, y, level).lines(0.0)
    return {"xs": [line[:, 0] for line in lines], "ys": [line[:, 1] for line in lines]}
