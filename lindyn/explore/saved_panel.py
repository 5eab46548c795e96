"""A saved trajectory, sweep, trace or report, opened by its path."""

import shlex
from collections.abc import Mapping
from typing import Any

import numpy as np
from bokeh.layouts import column, row
from bokeh.models import Div, TextInput

from lindyn.display.markup import table
from lindyn.explore import opened_files
from lindyn.explore.explored_panel import WIDE
from lindyn.explore.map_panel import of_map
from lindyn.explore.run_curves import curves_of, curves_of_trace
from lindyn.explore.run_panels import CurvesPanel
from lindyn.outputs.number_tables import Series
from lindyn.sweeps.outcome import OUTCOMES

COLUMNS = ("law", "verdict", "value", "limit")
_PYTHON = {
    "trajectory": "import lindyn as ld\n\ntraj = ld.load({path!r})\n",
    "sweep": "import xarray\n\nds = xarray.open_dataset({path!r}, engine='scipy')\n",
    "trace": "from lindyn.bridge import read_trace\n\ntrace = read_trace({path!r})\n",
    "report": "import json\n\nreport = json.load(open({path!r}))\n",
}


class SavedPanel(CurvesPanel):
    """Whatever file of lindyn is named; its numbers as they stand in it."""

    name, title, quick = "saved", "The file", False

    def build(self) -> Any:
        """Return the field of the path, the figures and the table of a report."""
        self.field = TextInput(title=f"file: {opened_files.KINDS}", width=620, name="field-file")
        self.field.value = self.session.values["file"] or ""
        self.field.on_change("value", lambda attr, old, new: self.session.set(file=new.strip() or None))
        self.session.follow(self._follow)
        self.rows: list[tuple[Any, ...]] = []
        self.table = Div(text="", width=900, name="laws")
        self.head = Div(text="", width=900, name="saved-head")
        return column(row(self.field), self.head, super().build(), self.table, **WIDE)

    def _follow(self, values: Mapping[str, Any]) -> None:
        if self.field.value != (values["file"] or ""):
            self.field.value = values["file"] or ""

    def update(self, values: Mapping[str, Any]) -> None:
        """Open the file and show what is in it."""
        self.groups: list[Any] = []
        self.data, self.kind = None, ""
        if values["file"] is None:
            self.head.text = "Name a file below the folder that was opened."
            self._fill([])
            return
        path = opened_files.below(self.session.folder, values["file"])
        self.kind, self.data = opened_files.opened(path)
        said, groups, rows = _READERS[self.kind](self.data)
        self.groups = groups
        self.head.text = said
        self._fill(rows)

    def _fill(self, rows: list[tuple[Any, ...]]) -> None:
        self.show(self.groups)
        self.rows = rows
        self.table.text = str(table(list(COLUMNS), [list(row) for row in rows])) if rows else ""

    def command(self, values: Mapping[str, Any]) -> str:
        """Return the command that shows this file again."""
        if values["file"] is None:
            return "lindyn explore --view saved"
        folder = "" if self.session.folder is None else f" {shlex.quote(str(self.session.folder))}"
        return f"lindyn explore{folder} --view saved --file {shlex.quote(values['file'])}"

    def python(self, values: Mapping[str, Any]) -> str:
        """Return the Python that reads this file."""
        if self.data is None:
            return ""
        return _PYTHON[self.kind].format(path=str(opened_files.below(self.session.folder, values["file"])))

    def picture(self, values: Mapping[str, Any]) -> Any:
        """Return the picture that lindyn draws of such a file.

        Raises:
            ValueError: nothing is open, or a report, whose pictures stand beside it.
        """
        from lindyn.plotting import outcome_map, trajectory_picture

        if self.kind == "trajectory":
            return trajectory_picture.draw(self.data)
        if self.kind == "sweep":
            return outcome_map.draw(self.data)
        if self.kind == "trace":
            return _spectra(self.data)
        raise ValueError("A report has its pictures beside it, in figures/; open report.html.")

    def numbers(self, values: Mapping[str, Any]) -> Series:
        """Return what is shown, as series."""
        if self.kind == "sweep":
            return of_map(self.data)
        if self.kind == "report":
            return {"laws": {name: [str(row[k]) for row in self.rows] for k, name in enumerate(COLUMNS)}}
        return super().numbers(values)


def _spectra(trace: Any) -> Any:
    """Return the spectra of a trace as `lindyn train` draws them."""
    from lindyn.plotting import style, training_run

    with style.settings():
        figure, axes = style.new_figure(1, 3, height=3.6)
        training_run.draw_spectra(trace, axes[0])
        for panel in axes[0]:
            panel.set_xlabel("step")
        modes = min(training_run.SHOWN, trace.sizes.get("mode", 1))
        style.frame(figure, "The trace of a run", "", style.mode_key(modes))
    return figure


def _read_trajectory(traj: Any) -> tuple[str, list[Any], list[Any]]:
    from lindyn.commands.flow_settings import describe

    with np.errstate(all="ignore"):
        return describe(traj).replace("\n", "<br>"), curves_of(traj), []


def _read_sweep(ds: Any) -> tuple[str, list[Any], list[Any]]:
    from lindyn.sweeps.sweep_text import tally, words

    rows = [(f"runs that are {word}", "", int(np.sum(ds["outcome"].values == k)), "")
            for k, word in enumerate(OUTCOMES)]  # fmt: skip
    return words(ds, tally(ds)), [], rows


def _read_trace(trace: Any) -> tuple[str, list[Any], list[Any]]:
    alarm = str(trace["alarm"].values[-1]) if "alarm" in trace else ""
    said = f"{trace.sizes['step']} readings up to step {int(trace['step'].values[-1])}"
    return f"{said}{f', last alarm: {alarm}' if alarm else ''}.", curves_of_trace(trace), []


def _read_report(report: Mapping[str, Any]) -> tuple[str, list[Any], list[Any]]:
    rows = [
        (found.get("title") or found.get("law", ""), found.get("verdict", ""), _number(found.get("value")),
         _number(found.get("limit")))
        for found in report["findings"]
    ]  # fmt: skip
    return str(report.get("headline", "")), [], rows


def _number(value: Any) -> Any:
    return f"{value:.4g}" if isinstance(value, int | float) else "" if value is None else str(value)


_READERS = {"trajectory": _read_trajectory, "sweep": _read_sweep, "trace": _read_trace, "report": _read_report}
