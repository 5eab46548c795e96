"""The phase portrait, live: nullclines, fixed points, separatrix, parabola; a click starts a trajectory."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from bokeh.events import RangesUpdate, Reset, Tap
from bokeh.layouts import column, row
from bokeh.models import (
    Button,
    ColumnDataSource,
    CrosshairTool,
    CustomJS,
    HoverTool,
    Legend,
    LegendItem,
    Range1d,
    Select,
)

from lindyn import phase
from lindyn.commands import phase_numbers, phase_pictures, phase_readings
from lindyn.explore import repeats
from lindyn.explore.explored_panel import ExplorerPanel, carrier, joined, plain_figure
from lindyn.outputs.number_tables import Series
from lindyn.phase.portraits import default_window
from lindyn.plotting import phase_portrait
from lindyn.plotting.style import FLOW, INK, STABLE, UNSTABLE

STARTED = phase_portrait.STARTED
NEAR = 0.01  # of tau to 1: where it has come to rest, and its picture ends
GRID = 48
"""Points each way at which the flow is told under the pointer."""
_LINES: dict[str, tuple[str, dict[str, Any]]] = {
    "flow": ("flow", {"line_color": FLOW, "line_width": 1, "line_alpha": 0.75}),
    "p": ("dp/dt = 0", {"line_color": "#404040", "line_dash": "dashdot", "line_width": 1.6}),
    "s": ("ds/dt = 0", {"line_color": "#101010", "line_dash": "dotted", "line_width": 2.2}),
    "parabola": ("s = p²/α_p", {"line_color": "#000000", "line_dash": "dashed", "line_width": 1.6}),
    "edge": ("separatrix", {"line_color": INK, "line_width": 3.2}),
    "before": ("before a start", {"line_color": STARTED, "line_dash": "dotted", "line_width": 2.2}),
    "after": ("from a start", {"line_color": STARTED, "line_width": 2.6}),
}
_CURVES = ("p", "s", "parabola", "edge")
_DRAWN = """
const {numbers: [numbers], cuts: [cuts], points: [points], box: [[left, right, low, high]]} = cb_obj.data;
const found = {points: Object.fromEntries(points)};
for (const [source, column, from, to] of cuts)
  (found[source] ??= {})[column] = new Float32Array(numbers.buffer, numbers.byteOffset + 4 * from, to - from);
const here = {sync: false};  // the server knows
x_range.setv({start: left, end: right, reset_start: left, reset_end: right}, here);
y_range.setv({start: low, end: high, reset_start: low, reset_end: high}, here);
if (cuts.length) for (const [name, source] of Object.entries({flow, curves, marks}))
  source.setv({data: found[name === 'marks' ? 'points' : name]}, here);
"""
"""What the browser does with a draft: it comes in one message, and is painted once."""
_MARKS = {"stable": ("circle", STABLE), "unstable": ("diamond", "white"), "half-stable": ("square", "#e8a0aa")}


class PlanePanel(ExplorerPanel):
    """The (p, s) plane, and tau over time beside it where the target moves."""

    name, title = "portrait", "The portrait"
    _drafted = False

    def build(self) -> Any:
        """Return the portrait, tau over time, and what a click does."""
        self.figure = plain_figure("One mode", "p", "s", name="portrait-figure")
        self.figure.x_range, self.figure.y_range = Range1d(-1, 1), Range1d(0, 1)
        self.sources = {name: ColumnDataSource() for name in ("flow", "curves", "paths")}
        self._fill("flow", {"flow": joined([])})
        self._fill("curves", dict.fromkeys(_CURVES, joined([])) | {"lost": {"x": [], "y1": [], "y2": []}})
        self._fill("paths", dict.fromkeys(("before", "after"), joined([])))
        self.points = ColumnDataSource({"x": [], "y": [], "marker": [], "fill": [], "edge": [], "words": []})
        self.drafts = ColumnDataSource({"numbers": [], "cuts": [], "points": [], "box": []})
        self.drafts.js_on_change("data", CustomJS(code=_DRAWN, args={
            "x_range": self.figure.x_range, "y_range": self.figure.y_range, "flow": self.sources["flow"],
            "curves": self.sources["curves"], "marks": self.points,
        }))  # fmt: skip
        self.starts = ColumnDataSource({"x": [], "y": [], "fate": []})
        self.rates = ColumnDataSource({"image": [], "dp": [], "ds": [], "x": [], "y": [], "dw": [], "dh": []})
        self.tau = ColumnDataSource({"x": [], "y": []})
        self._draw_glyphs()
        self.figure.on_event(Tap, self._clicked)
        self.figure.on_event(RangesUpdate, self._zoomed)
        self.figure.on_event(Reset, lambda event: self.session.set(window_p=None, window_s=None))
        self.over_time = plain_figure("target / online", "flow time from the start", "τ", width=560, height=210)
        self.over_time.x_range = Range1d(0, 100)
        self.over_time.line("x", "y", source=self.tau, line_color=STARTED, line_width=2.4)
        self.over_time.add_tools(HoverTool(tooltips=[("t", "$x{0.000}"), ("τ", "$y{0.0000}")], mode="mouse"))
        return column(self.figure, self.over_time, self._controls(), carrier(self.drafts))

    def _draw_glyphs(self) -> None:
        plot = self.figure
        image = plot.image("image", x="x", y="y", dw="dw", dh="dh", source=self.rates, alpha=0.0, level="image")
        tips = [("p", "$x{0.00000}"), ("s", "$y{0.00000}"), ("dp/dt", "@dp{0.00000}"), ("ds/dt", "@ds{0.00000}")]
        plot.add_tools(HoverTool(tooltips=tips, renderers=[image], point_policy="follow_mouse"), CrosshairTool())
        shaded = {"fill_color": "#e3e3e3", "level": "underlay"}
        plot.varea("lost_x", "lost_y1", "lost_y2", source=self.sources["curves"], **shaded)
        for key, (_, look) in _LINES.items():
            source = self.sources[key if key == "flow" else "curves" if key in _CURVES else "paths"]
            plot.line(f"{key}_x", f"{key}_y", source=source, **look)
        fixed = plot.scatter("x", "y", marker="marker", fill_color="fill", line_color="edge", line_width=2, size=13,
                             source=self.points)  # fmt: skip
        begun = plot.scatter("x", "y", size=8, fill_color="white", line_color=STARTED, line_width=2, source=self.starts)
        words = [("", "@words"), ("p", "@x{0.000000}"), ("s", "@y{0.000000}")]
        plot.add_tools(HoverTool(tooltips=words, renderers=[fixed]))
        plot.add_tools(HoverTool(tooltips=[("start", "(@x, @y)"), ("", "@fate")], renderers=[begun]))
        plot.add_layout(self._key(shaded), "above")

    def _key(self, shaded: Mapping[str, Any]) -> Legend:
        """Return the legend, of samples that never change: bokeh makes it anew whenever what it shows is given data."""
        nowhere = ColumnDataSource({"x": [np.nan], "y": [np.nan]})
        samples: dict[str, Any] = {"collapses": self.figure.varea("x", "y", "y", source=nowhere, **shaded)}
        samples |= {label: self.figure.line("x", "y", source=nowhere, **look) for label, look in _LINES.values()}
        samples["fixed point"] = self.figure.scatter("x", "y", size=13, fill_color=STABLE, line_color=INK, line_width=2,
                                                     source=nowhere)  # fmt: skip
        items = [LegendItem(label=label, renderers=[sample]) for label, sample in samples.items()]
        return Legend(items=items, ncols=5, label_text_font_size="11px", spacing=8, padding=2, border_line_alpha=0)

    def _controls(self) -> Any:
        way = Select(title="a click starts a trajectory", options=["both", "forward", "backward"], width=180)
        way.value = self.session.values["way"]
        way.on_change("value", lambda attr, old, new: self.session.set(way=new))
        self.session.follow(lambda values: setattr(way, "value", values["way"]))
        undo, clear = (Button(label=label, width=70, name=label) for label in ("undo", "clear"))
        undo.on_click(self.session.undo)
        clear.on_click(lambda: self.session.set(undoable=True, start=[]))
        back = Button(label="whole window", width=120, name="whole-window")
        back.on_click(lambda: self.session.set(window_p=None, window_s=None))
        return row(way, undo, clear, back, align="start")

    def _clicked(self, event: Any) -> None:
        if event.y is not None and event.y > 0:
            start = f"{float(f'{event.x:.6g}')!r},{float(f'{event.y:.6g}')!r}"
            self.session.set(undoable=True, start=[*self.session.values["start"], start])

    def _zoomed(self, event: Any) -> None:
        if self.figure.x_range.start is None or self.data is None:
            return
        ends = [float(f"{end:.8g}") for end in (event.x0, event.x1, max(event.y0, 0.0), event.y1)]
        shown = [end for pair in self.data.portrait.box for end in pair]
        if np.allclose(ends, shown, rtol=1e-6) or ends[3] <= ends[2]:
            return
        self.session.set(window_p=f"{ends[0]!r}:{ends[1]!r}:2", window_s=f"{ends[2]!r}:{ends[3]!r}:2")

    def given(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what `lindyn phase` makes of its flags: numbers and windows, and the words."""
        from lindyn.sweeps.axes import span

        found = repeats.phase_given(values, "portrait")
        args = {"start": found.pop("start"), "way": found.pop("way")}
        return {name: span(value) if isinstance(value, str) else value for name, value in found.items()}, args

    def update(self, values: Mapping[str, Any]) -> None:
        """Solve what `lindyn phase` solves, and show it."""
        self.data = phase_pictures.solve_portrait(*self.given(values))
        self._show(self.data)
        said = phase_readings.read_portrait(self.data.portrait), phase_readings.read_paths(self.data.paths)
        self.words.text = f"<p style='margin:0'>{' '.join(said)}</p>".replace("<=", "≤").replace(" < ", " &lt; ")

    def draft(self, values: Mapping[str, Any]) -> None:
        """Show the sketch of the plane; the trajectories follow when the slider rests."""
        given, _ = self.given(values)
        moving = "beta" in given
        system = phase_pictures.system_of(given, moving)
        plane = system.section(values["tau"]) if moving else system
        window = phase_pictures.window_of(given, system) or default_window(system)
        self._send(phase.sketch(plane, window))

    def _send(self, data: Any) -> None:
        """Send a draft as one message of one block of numbers: each part of each source would be one of its own."""
        parts = [(name, key, values) for name, columns in _columns(data).items() for key, values in columns.items()]
        ends = np.cumsum([0, *(len(values) for *_, values in parts)]).tolist()
        cuts = [[name, key, ends[k], ends[k + 1]] for k, (name, key, _) in enumerate(parts)]
        numbers = np.concatenate([values for *_, values in parts])
        self._tell_browser(data.box, numbers, cuts, list(map(list, _fixed(data).items())))
        self._drafted = True

    def _tell_browser(self, box: Any, numbers: np.ndarray, cuts: list[Any], points: list[Any]) -> None:
        window = [float(end) for ends in box for end in ends]
        self.drafts.data = {"numbers": [numbers], "cuts": [cuts], "points": [points], "box": [window]}

    def _show(self, found: Any) -> None:
        data = found.portrait
        for axis, ends in zip((self.figure.x_range, self.figure.y_range), data.box, strict=True):
            if (axis.start, axis.end) != tuple(ends):  # what is as it was is not sent
                axis.update(start=ends[0], end=ends[1], reset_start=ends[0], reset_end=ends[1])
        if self._drafted:  # the browser has another window by now
            self._tell_browser(data.box, np.zeros(0, np.float32), [], [])
            self._drafted = False
        for name, columns in _columns(data).items():
            self.sources[name].data = columns
        self.points.data = _fixed(data)
        self._show_paths(found)
        self._show_rates(data)

    def _fill(self, name: str, curves: Mapping[str, Mapping[str, Any]]) -> None:
        """Set curves of one source at once, a message to the browser each."""
        self.sources[name].data = _together(curves)

    def _show_paths(self, found: Any) -> None:
        firsts = [int(np.argmax(path.t >= 0)) for path in found.paths]
        before = joined(p.points[: k + 1] for p, k in zip(found.paths, firsts, strict=True))
        after = joined(p.points[k:] for p, k in zip(found.paths, firsts, strict=True))
        self._fill("paths", {"before": before, "after": after})
        self.starts.data = {
            "x": [float(path.start[0]) for path in found.paths],
            "y": [float(path.start[1]) for path in found.paths],
            "fate": [{"alive": "lives", "collapsed": "collapses"}.get(p.fate, p.fate) for p in found.paths],
        }
        moving = found.system.beta is not None
        curves = [np.stack([p.t, p.points[:, 2]], axis=1) for p in found.paths] if moving else []
        self.tau.data = joined(curves)
        self.over_time.visible = moving
        if moving and found.paths:
            away = [float(np.max(p.t[np.abs(p.points[:, 2] - 1) > NEAR], initial=1.0)) for p in found.paths]
            first = min(float(p.t[0]) for p in found.paths)
            self.over_time.x_range.update(start=first - 0.02 * max(away), end=1.3 * max(away))

    def _show_rates(self, data: Any) -> None:
        (left, right), (low, high) = data.box
        half = np.array([right - left, high - low]) / GRID / 2
        p, s = np.meshgrid(np.linspace(left, right, GRID), np.linspace(low, high, GRID))
        dp, ds = data.system(np.stack([p, s]))
        self.rates.data = {
            "image": [np.hypot(dp, ds)], "dp": [dp], "ds": [ds], "x": [left - half[0]], "y": [low - half[1]],
            "dw": [right - left + 2 * half[0]], "dh": [high - low + 2 * half[1]],
        }  # fmt: skip

    def command(self, values: Mapping[str, Any]) -> str:
        """Return `lindyn phase --kind portrait ...`."""
        return repeats.phase_command(values, "portrait")

    def python(self, values: Mapping[str, Any]) -> str:
        """Return `phase.portrait(...)` and `phase.started_paths(...)`."""
        return repeats.portrait_python(values)

    def picture(self, values: Mapping[str, Any]) -> Any:
        """Return the picture of `lindyn phase`."""
        return phase_pictures.draw_started(self.data)

    def numbers(self, values: Mapping[str, Any]) -> Series:
        """Return the numbers of `lindyn phase --numbers`."""
        return phase_numbers.of_portrait(self.data.portrait, self.data.paths)


def _columns(data: Any) -> dict[str, dict[str, np.ndarray]]:
    """Return the columns of the sources of flow lines and of curves."""
    curves = {v: joined(b.points for b in data.nullclines if b.variable == v) for v in "ps"}
    curves["parabola"] = joined([] if data.parabola is None else [data.parabola])
    curves["edge"] = joined([] if data.edge is None else [data.edge])
    return {
        "flow": _together({"flow": joined(np.moveaxis(data.lines, 1, 0))}),
        "curves": _together(curves | {"lost": _lost(data)}),
    }


def _together(curves: Mapping[str, Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """Return the columns of curves of one source; shorter ones stay at their last point."""
    longest = max(len(values) for curve in curves.values() for values in curve.values())
    return {f"{key}_{axis}": _lengthened(values, longest) for key, curve in curves.items()
            for axis, values in curve.items()}  # fmt: skip


def _fixed(data: Any) -> dict[str, list[Any]]:
    """Return the columns of the source of fixed points."""
    found = data.fixed.points
    looks = [phase_portrait.look(point.stability) for point in found]
    return {
        "x": [float(point.point[0]) for point in found], "y": [float(point.point[1]) for point in found],
        "marker": [_MARKS[look][0] for look in looks], "fill": [_MARKS[look][1] for look in looks],
        "edge": [UNSTABLE if look == "unstable" else INK for look in looks],
        "words": [f"{_called(point)}: {point.stability} {point.kind}" for point in found],
    }  # fmt: skip


def _lengthened(values: Any, count: int) -> np.ndarray:
    values = np.asarray(values, dtype=np.float32)
    last = values[-1:] if len(values) else np.full(1, np.nan, dtype=np.float32)
    return np.concatenate([values, np.repeat(last, count - len(values))])


def _called(point: Any) -> str:
    if point.point[1] == 0:
        return "collapse"
    return {"stable": "p₊", "saddle": "p₋"}.get(point.stability, "p₋ = p₊")


def _lost(data: Any) -> dict[str, Any]:
    """Return the area that collapses, as the picture shades it."""
    empty: dict[str, Any] = {"x": [], "y1": [], "y2": []}
    (left, right), (low, high) = data.box
    if data.edge is None:
        if any(found.stability == "stable" and found.point[1] > 0 for found in data.fixed.points):
            return empty
        return {"x": [left, right], "y1": [low, low], "y2": [high, high]}
    p, s = np.asarray(data.edge).T
    if np.any(np.diff(p) < -1e-12):
        return empty
    top = np.where(np.isfinite(s), s, 0.0)
    if p[0] > left + 1e-6:
        p, top = np.concatenate([[left, p[0]], p]), np.concatenate([[high, high], top])
    return {"x": p, "y1": np.full(len(p), low), "y2": top}
