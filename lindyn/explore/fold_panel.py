"""The bifurcation diagram, live: the fixed points over the weight decay."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, HoverTool, Span

from lindyn import phase
from lindyn.commands import phase_numbers, phase_pictures
from lindyn.explore import repeats
from lindyn.explore.explored_panel import ExplorerPanel, joined, plain_figure
from lindyn.outputs.number_tables import Series
from lindyn.plotting.style import INK, STABLE, UNSTABLE

_LOOKS = {"stable": {"line_color": STABLE}, "unstable": {"line_color": UNSTABLE, "line_dash": "dashed"}}


class FoldPanel(ExplorerPanel):
    """Fixed points over eta: p_-, p_+, collapse, the fold where the first two meet."""

    name, title = "bifurcation", "The bifurcation diagram"
    quick = False

    def build(self) -> Any:
        """Return the figure."""
        plot = plain_figure("Fixed points over the weight decay", "weight decay η", "p", width=760)
        self.lines = {word: ColumnDataSource({"x": [], "y": []}) for word in _LOOKS}
        for word, look in _LOOKS.items():
            plot.line("x", "y", source=self.lines[word], line_width=4, legend_label=word, **look)
        self.marks = ColumnDataSource({"x": [], "y": [], "marker": [], "words": []})
        marks = plot.scatter("x", "y", marker="marker", source=self.marks, size=12, fill_color="white",
                             line_color=INK, line_width=2)  # fmt: skip
        plot.add_tools(HoverTool(tooltips=[("η", "$x{0.00000}"), ("p", "$y{0.00000}")], mode="mouse"))
        plot.add_tools(HoverTool(renderers=[marks], tooltips=[("", "@words"), ("η", "@x{0.0000000000}")]))
        self.here = Span(dimension="height", line_color="#c8102e", line_dash="dotted", line_width=2)
        plot.add_layout(self.here)
        plot.legend.location = "top_right"
        self.figure = plot
        return plot

    def update(self, values: Mapping[str, Any]) -> None:
        """Continue the fixed points as `lindyn phase --kind bifurcation` does, and show them."""
        self.here.location = values["eta"]
        given = repeats.phase_given(values, "bifurcation")
        if given == getattr(self, "_given", None):
            return
        self.picture_ = phase_pictures.bifurcation(given | {"eta": 0.05}, {})
        self.data = phase.bifurcation_diagram(phase_pictures.system_of(given, "beta" in given))
        self._given = given
        self._show(self.data)
        self.words.text = f"<p style='margin:0'>{self.picture_.words}</p>"

    def draft(self, values: Mapping[str, Any]) -> None:
        """Show where the weight decay stands."""
        self.here.location = values["eta"]

    def _show(self, data: Any) -> None:
        stretches: dict[str, list[np.ndarray]] = {"stable": [], "unstable": []}
        collapsed = np.where(data.collapsed_eigenvalues < 0, "stable", "unstable")
        curves = (
            (data.eta, data.points[:, 0], np.where(data.stable, "stable", "unstable")),
            (data.collapsed_eta, 0 * data.collapsed_eta, collapsed),
        )
        for eta, p, words in curves:
            for part in np.split(np.arange(len(eta)), np.flatnonzero(words[1:] != words[:-1]) + 1):
                last = min(part[-1] + 2, len(eta))
                stretches[str(words[part[0]])].append(np.stack([eta, p], axis=1)[part[0] : last])
        beyond = data.crossing[data.crossing[:, 0] < 0]
        stretches["stable"].append(beyond)
        for word, parts in stretches.items():
            self.lines[word].data = joined(parts)
        fold, cross = data.fold, data.transcritical
        self.marks.data = {"x": [fold.parameter, cross.parameter], "y": [float(fold.point[0]), 0.0],
                           "marker": ["square", "x"], "words": ["fold", "transcritical"]}  # fmt: skip

    def command(self, values: Mapping[str, Any]) -> str:
        """Return `lindyn phase --kind bifurcation ...`."""
        return repeats.phase_command(values, "bifurcation")

    def python(self, values: Mapping[str, Any]) -> str:
        """Return `phase.bifurcation_diagram(...)`."""
        return repeats.bifurcation_python(values)

    def picture(self, values: Mapping[str, Any]) -> Any:
        """Return the picture of the command."""
        return self.picture_.figure

    def numbers(self, values: Mapping[str, Any]) -> Series:
        """Return the curves."""
        return phase_numbers.of_bifurcation(self.data)
