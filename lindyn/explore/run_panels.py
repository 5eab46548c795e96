"""Runs over time, live: modes, matrices, the normalised model."""

from collections.abc import Callable, Mapping
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import numpy as np
from bokeh.layouts import column, row
from bokeh.models import ColumnDataSource, HoverTool, Select, Spinner, TextInput

from lindyn.commands import flow_settings, simulate_options
from lindyn.explore import repeats
from lindyn.explore.engine_process import solved
from lindyn.explore.explored_panel import WIDE, WRAPS, ExplorerPanel, plain_figure, powers_of_ten
from lindyn.explore.explorer_options import TABLE
from lindyn.explore.run_curves import CurveGroup, curves_of, numbers_of
from lindyn.outputs.number_tables import Series
from lindyn.plotting import style

MOST_PANELS = 6
MOST_LETTERS = 42
"""Of a line of a small figure's title."""
DASHES = ("solid", "dashed", "dotted", "dotdash")
SIGNS = ("―", "- -", "···", "-·-")  # the same as a title can show them
SHORT = {
    "modes_p": "p(0) of the modes", "modes_s": "s(0) of the modes", "t1": "end, flow time", "n1": "inputs n1",
    "n2": "outputs n2", "seed": "seed", "network": "target network", "stop_gradient": "stop-gradient",
    "loss": "loss", "normalise": "normalisation", "depth": "layers",
}  # fmt: skip
"""What the fields are called; `--help` has them in full."""


class CurvesPanel(ExplorerPanel):
    """Up to six small figures of curves over one axis, filled with what `groups` gives."""

    x_label, wide = "flow time", True
    groups: list[CurveGroup]

    def build(self) -> Any:
        """Return the figures, as many beside each other as there is room for."""
        self.figures, self.sources = [], []
        for k in range(MOST_PANELS):
            plot = plain_figure("", self.x_label, "", width=380, height=270, name=f"{self.name}-figure-{k}")
            source = ColumnDataSource({"xs": [], "ys": [], "colour": [], "dash": [], "words": []})
            plot.multi_line("xs", "ys", line_color="colour", line_dash="dash", line_width=2, source=source)
            tips = [("", "@words"), (self.x_label, "$x{0.000}"), ("value", "$y{0.000000}")]
            plot.add_tools(HoverTool(tooltips=tips, line_policy="nearest"))
            plot.visible = False
            self.figures.append(plot)
            self.sources.append(source)
        self.key = ColumnDataSource({"words": []})
        return row(*self.figures, **WRAPS)

    def show(self, groups: list[CurveGroup]) -> None:
        """Fill the figures; the log axes hold log10 of their quantity."""
        for k, (plot, source) in enumerate(zip(self.figures, self.sources, strict=True)):
            plot.visible = k < len(groups)
            if k >= len(groups):
                continue
            group = groups[k]
            family = len(group.curves) > len(DASHES) or group.family
            plot.title.text, plot.yaxis[0].axis_label = _titled(group, family), group.label
            plot.xaxis[0].axis_label = group.across
            ys = [_log(curve) if group.log else curve for curve in group.curves.values()]
            plot.yaxis[0].formatter = powers_of_ten() if group.log else _plain_formatter()
            colours = [_hex(colour) for colour in style.shades(len(ys))]
            source.data = {
                "xs": [group.x] * len(ys), "ys": ys, "colour": colours, "words": list(group.curves),
                "dash": ["solid" if family else DASHES[j] for j in range(len(ys))],
            }  # fmt: skip

    def numbers(self, values: Mapping[str, Any]) -> Series:
        """Return every curve that is drawn."""
        return numbers_of(self.groups)


class RunPanel(CurvesPanel):
    """What `lindyn simulate` runs, over time."""

    fields: tuple[str, ...] = ()

    def layout(self) -> Any:
        """Return the controls above the rest."""
        fields = row(*(_control(self.session, self.name, name) for name in self.fields), **WRAPS)
        return column(fields, super().layout(), **WIDE)

    def update(self, values: Mapping[str, Any]) -> None:
        """Solve and show; what takes longer than a slider waits is solved in the session's engine process."""
        given = repeats.run_given(values, self.name)
        if given == getattr(self, "_given", None):
            return
        settings = simulate_options.TABLE.defaults | given
        flow_settings.check_relevant(settings, set(given) - {"system"})
        self._given: dict[str, Any] = given
        if self.quick or self.session.engine is None:
            self._show_run(*solved(flow_settings.relevant(settings)))
            return
        self.words.text = "<p style='margin:0'>computing …</p>"
        future = self.session.engine.submit(solved, flow_settings.relevant(settings))
        future.add_done_callback(self._later(given))

    def _later(self, given: dict[str, Any]) -> Callable[[Any], None]:
        """Return what takes a result from the worker to the page; one that was overtaken by a newer is dropped."""

        def arrived(future: Any) -> None:
            def show() -> None:
                with self.session.guard(self.title):
                    try:
                        run = future.result()
                    except BrokenProcessPool:
                        self.session.engine.forget()
                        self._given = {}
                        self.words.text = ""
                        raise ValueError(f"{self.title}: the engine was ended. Change a value to start it.") from None
                    if given == self._given:
                        self._show_run(*run)
                        self.session.count()

            self.session.document.add_next_tick_callback(show)

        return arrived

    def _show_run(self, trajectory: Any, said: str) -> None:
        with np.errstate(all="ignore"):
            self.data, self.groups = trajectory, curves_of(trajectory)
            self.show(self.groups)
        self.words.text = "<p style='margin:0'>" + _as_html(said) + "</p>"

    def command(self, values: Mapping[str, Any]) -> str:
        """Return `lindyn simulate ...`."""
        return repeats.run_command(values, self.name)

    def python(self, values: Mapping[str, Any]) -> str:
        """Return `ld.simulate(...)`."""
        return repeats.run_python(values, self.name)

    def picture(self, values: Mapping[str, Any]) -> Any:
        """Return the picture of `lindyn simulate`."""
        from lindyn.plotting import trajectory_picture

        return trajectory_picture.draw(self.data)


class ModesPanel(RunPanel):
    """Modes over time (Eqs. 11-13)."""

    name, title = "modes", "The modes"
    fields = ("modes_p", "modes_s", "t1")


class MatricesPanel(RunPanel):
    """A random start of (W, W_p, W_a): spectra, alignment, asymmetry, balance."""

    name, title, quick = "matrices", "The matrices", False
    fields = ("n1", "n2", "seed", "network", "stop_gradient", "t1")


class NormalisedPanel(RunPanel):
    """The normalised model: effective rank, spectrum, norms."""

    name, title, quick = "normalised", "The normalised model", False
    fields = ("loss", "normalise", "depth", "n1", "n2", "seed", "network", "t1")


def _control(session: Any, view: str, name: str) -> Any:
    """Return the field of an option, in step with the session."""
    option, value = TABLE.keys[name], session.values[name]
    shown: Any
    if option.kind in (int, float):
        step = 1 if option.kind is int else 10
        shown = Spinner(title=SHORT[name], low=option.low, high=option.high, step=step, value=value, width=130)
    elif option.kind is bool:
        shown = Select(title=SHORT[name], options=["yes", "no"], value="yes" if value else "no", width=160)
    elif option.kind == "numbers":
        shown = TextInput(title=SHORT[name], value=_listed(value), width=200)
    else:
        shown = Select(title=SHORT[name], options=list(option.choices), value=value, width=150)
    shown.name = f"{view}-{name}"

    def changed(attr: str, old: Any, new: Any) -> None:
        if new is None:
            return
        with session.guard(option.help):
            read = option.read(name, {"yes": "true", "no": "false"}.get(str(new), str(new)))
            session.change({name: read})

    def follow(values: Mapping[str, Any]) -> None:
        at = values[name]
        word = _listed(at) if option.kind == "numbers" else ("yes" if at else "no") if option.kind is bool else at
        if shown.value != word:
            shown.value = word

    shown.on_change("value", changed)
    session.follow(follow)
    return shown


def _titled(group: CurveGroup, family: bool) -> str:
    """Return the title of a figure, with the key of its lines where they are not modes."""
    if family or len(group.curves) < 2:
        return group.title
    keys = [f"{sign} {name}" for sign, name in zip(SIGNS, group.curves, strict=False)]
    lines = [keys[0]]
    for key in keys[1:]:
        fits = len(lines[-1]) + 3 + len(key) <= MOST_LETTERS
        lines[-1:] = [f"{lines[-1]},  {key}"] if fits else [lines[-1], key]
    return "\n".join(lines)


def _listed(values: Any) -> str:
    return ",".join(f"{value:g}" if float(f"{value:g}") == value else repr(value) for value in values)


def _log(values: Any) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    return np.log10(np.where(values > 0, values, np.nan))


def _hex(colour: Any) -> str:
    from matplotlib.colors import to_hex

    return to_hex(colour)


def _plain_formatter() -> Any:
    from bokeh.models import BasicTickFormatter

    return BasicTickFormatter()


def _as_html(text: str) -> str:
    import html

    return html.escape(text).replace("\n", "<br>")
