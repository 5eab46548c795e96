"""A panel of the explorer: a live picture, its exports, and the command and Python that give the same numbers."""

import base64
import io
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from bokeh.layouts import column, row
from bokeh.models import Button, ColumnDataSource, CustomJS, CustomJSTickFormatter, Div
from bokeh.plotting import figure

from lindyn.outputs.number_tables import Series, csv_text
from lindyn.plotting import style

MIME = {"png": "image/png", "svg": "image/svg+xml", "csv": "text/csv"}
TOOLS = "pan,wheel_zoom,box_zoom,reset"
WIDE: dict[str, Any] = {"sizing_mode": "stretch_width"}
WRAPS: dict[str, Any] = WIDE | {"styles": {"flex-wrap": "wrap"}}
"""Of a row: what does not fit beside the rest, in a notebook's cell say, stands below it."""
_COPY = """
const text = texts.data[name][0];
const old = () => {
  const area = document.createElement('textarea');
  area.value = text; document.body.appendChild(area); area.select(); document.execCommand('copy'); area.remove();
};
if (navigator.clipboard && window.isSecureContext) navigator.clipboard.writeText(text).catch(old); else old();
button.label = 'copied'; setTimeout(() => { button.label = label; }, 1200);
"""
_SAVE = """
const {name, mime, content} = cb_obj.data;
if (content.length && content[0]) {
  const bytes = Uint8Array.from(atob(content[0]), c => c.charCodeAt(0));
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([bytes], {type: mime[0]}));
  link.download = name[0]; document.body.appendChild(link); link.click(); link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
"""


class ExplorerPanel(ABC):
    """One picture that follows the session's values.

    Args:
        session: whose values it shows.
    """

    name: str
    title: str
    quick = True
    """Whether `update` may run while a slider moves."""
    wide = False
    """Whether it takes the whole width, beside nothing."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.data: Any = None
        self.texts = ColumnDataSource({"command": [""], "python": [""]})
        self.words = Div(text="", width=560, name=f"{self.name}-words")
        self.shown = Div(text="", width=560, name=f"{self.name}-command")
        self.saved = ColumnDataSource({"name": [""], "mime": [""], "content": [""]})
        self.saved.js_on_change("data", CustomJS(code=_SAVE))
        self.body = self.build()

    @abstractmethod
    def build(self) -> Any:
        """Return the figures and the panel's own controls."""

    @abstractmethod
    def update(self, values: Mapping[str, Any]) -> None:
        """Compute what these values give, keep it in `data`, and show it.

        Raises:
            ValueError: values that have no picture, in one sentence.
        """

    def draft(self, values: Mapping[str, Any]) -> None:
        """Show what these values give while a slider moves; the exact one follows."""
        if self.quick:
            self.update(values)

    @abstractmethod
    def command(self, values: Mapping[str, Any]) -> str:
        """Return the command line that gives what is seen."""

    @abstractmethod
    def python(self, values: Mapping[str, Any]) -> str:
        """Return the Python that gives what is seen."""

    @abstractmethod
    def picture(self, values: Mapping[str, Any]) -> Any:
        """Return the command's own picture of `data`, a matplotlib Figure."""

    @abstractmethod
    def numbers(self, values: Mapping[str, Any]) -> Series:
        """Return the numbers of `data`."""

    def tell(self, values: Mapping[str, Any]) -> None:
        """Show the command that repeats the panel."""
        command = self.command(values)
        self.texts.data = {"command": [command], "python": [self.python(values)]}
        self.shown.text = f"<code>{_escaped(command)}</code>"

    def export(self, ending: str) -> bytes:
        """Return the panel as "png", "svg" or "csv"."""
        values = self.session.values
        command = self.command(values)
        if ending == "csv":
            return csv_text(self.numbers(values), command).encode()
        file = io.BytesIO()
        style.write(self.picture(values), file, ending, command=command)
        return file.getvalue()

    def layout(self) -> Any:
        """Return figures, exports, command and reading under each other."""
        below = (self._exports(), self.shown, self.words, carrier(self.saved, self.texts))
        return column(self.body, *below, **(WIDE if self.wide else {}))

    def _exports(self) -> Any:
        buttons = []
        for ending in MIME:
            button = Button(label=ending.upper(), width=64, name=f"{self.name}-{ending}")
            button.on_click(self._saver(ending))
            buttons.append(button)
        for name, label in (("command", "copy as command"), ("python", "copy as Python")):
            button = Button(label=label, width=130, name=f"{self.name}-copy-{name}")
            given = {"texts": self.texts, "name": name, "label": label, "button": button}
            button.js_on_click(CustomJS(args=given, code=_COPY))
            buttons.append(button)
        return row(*buttons)

    def _saver(self, ending: str) -> Callable[[], None]:
        def save() -> None:
            with self.session.guard(self.title):
                content = self.export(ending)
                name = f"lindyn-{self.name}.{ending}"
                self.session.keep(name, content)
                told = base64.b64encode(content).decode()
                self.saved.data = {"name": [name], "mime": [MIME[ending]], "content": [told]}

        return save


def carrier(*models: Any) -> Div:
    """Return something unseen that holds models that are on no figure; without it the browser never hears of them."""
    unseen = Div(text="", width=0, height=0, visible=False)
    held: dict[str, Any] = {f"m{k}": model for k, model in enumerate(models)}
    unseen.js_on_change("text", CustomJS(args=held, code=""))
    return unseen


def _escaped(text: str) -> str:
    import html

    return html.escape(text)


def plain_figure(title: str, x: str, y: str, **more: Any) -> Any:
    """Return an empty figure in the explorer's look."""
    size = {"width": 560, "height": 430, "tools": TOOLS, "active_scroll": "wheel_zoom"} | more
    made = figure(title=title, x_axis_label=x, y_axis_label=y, **size)
    made.toolbar.logo = None
    made.grid.visible = False
    made.outline_line_color = None
    return made


def joined(curves: Any) -> dict[str, np.ndarray]:
    """Return curves (n, 2) as one line with gaps."""
    gap = np.full((1, 2), np.nan)
    parts = [part for curve in curves for part in (np.asarray(curve, dtype=float)[:, :2], gap)]
    whole = np.concatenate(parts) if parts else np.empty((0, 2))
    return {"x": whole[:, 0], "y": whole[:, 1]}


def powers_of_ten() -> CustomJSTickFormatter:
    """Return the formatter of an axis that holds log10 of its quantity."""
    return CustomJSTickFormatter(code="return Number(Math.pow(10, tick).toPrecision(3)).toString()")
