"""What the panels of one page share: values, when they are redrawn, what is said, what may be opened and kept."""

import contextlib
import html
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bokeh.models import ColumnDataSource, CustomJS, Div

from lindyn.explore import explorer_options
from lindyn.explore.explored_panel import WIDE, ExplorerPanel

DRAFT_MS, SENT_MS, REST_MS = 2, 10, 220
"""How long a slider may go on before a draft, how long that is sent, how long it rests before the exact picture."""


class LiveSession:
    """The state of one page.

    Args:
        document: of bokeh.
        values: see `explorer_options`.
        folder: below which files may be opened; None: none.
        out: where exports are kept too; None: nowhere.
        engine: `EngineProcess` for long runs; None: they are run here, and waited for.
    """

    def __init__(
        self, document: Any, values: dict[str, Any], folder: Path | None = None, out: Path | None = None,
        engine: Any = None,
    ) -> None:  # fmt: skip
        self.document, self.values = document, dict(values)
        self.folder, self.out, self.engine = folder, out, engine
        self.panels: dict[str, ExplorerPanel] = {}
        self.visible: tuple[str, ...] = ()
        self.message = Div(text="", name="message", **WIDE)
        self.address = ColumnDataSource({"query": [""]}, name="address")
        place = "const q = cb_obj.data.query[0]; history.replaceState(null, '', q ? '?' + q : location.pathname)"
        self.address.js_on_change("data", CustomJS(code=place))
        self.drawn = ColumnDataSource({"count": [0]}, name="drawn")
        self._earlier: list[dict[str, Any]] = []
        self._draft: Any = None
        self._rest: Any = None
        self._followers: list[Any] = []

    def follow(self, control: Any) -> None:
        """Call `control(values)` whenever the values change other than by itself."""
        self._followers.append(control)

    def set(self, undoable: bool = False, **changes: Any) -> bool:
        """Change values by name, see `change`."""
        return self.change(changes, undoable)

    def change(self, changes: Mapping[str, Any], undoable: bool = False) -> bool:
        """Change values, and redraw soon; what is out of range changes nothing and is said. Return whether it did."""
        before = dict(self.values)
        try:
            after = explorer_options.checked({**self.values, **changes})
        except ValueError as error:
            self.say(str(error))
            self._tell_followers()
            return False
        self.say("")
        if after == before:
            return True
        if undoable:
            self._earlier.append(before)
        self.values = after
        self._tell_followers()
        self._soon()
        return True

    def undo(self) -> None:
        """Go back to the values before the last click."""
        if self._earlier:
            self.values = self._earlier.pop()
            self.say("")
            self._tell_followers()
            self._soon()

    def _tell_followers(self) -> None:
        for control in self._followers:
            control(self.values)

    def _soon(self) -> None:
        if self._draft is None:
            self._draft = self.document.add_timeout_callback(self._drafts, DRAFT_MS)
        if self._rest is not None:
            with contextlib.suppress(ValueError):
                self.document.remove_timeout_callback(self._rest)
        self._rest = self.document.add_timeout_callback(self.rest, REST_MS)

    def _drafts(self) -> None:
        """Draw drafts of the panels that are seen, the first one before the second is begun."""
        self._draft = None
        names = list(self.visible)

        def one() -> None:
            if names:
                panel = self.panels[names.pop(0)]
                with self.guard(panel.title):
                    panel.draft(self.values)
                self.count()
                if names:
                    self.document.add_timeout_callback(one, SENT_MS)

        one()

    def count(self) -> None:
        """Tell the page that something was drawn."""
        self.drawn.data = {"count": [self.drawn.data["count"][0] + 1]}

    def rest(self) -> None:
        """Draw the panels that are seen exactly, and write their commands and the address."""
        self._rest = None
        for name in self.visible:
            panel = self.panels[name]
            with self.guard(panel.title):
                panel.update(self.values)
                panel.tell(self.values)
        self.address.data = {"query": [explorer_options.address(self.values)]}
        self.count()

    def show(self, names: tuple[str, ...]) -> None:
        """Bring these panels before the eye."""
        self.visible = names
        self.rest()

    def say(self, sentence: str, wrong: bool = True) -> None:
        """Show one sentence above the panels, or take it away."""
        colour = "#a84c00" if wrong else "#2f5f9e"
        told = f'<p role="status" style="margin:0;color:{colour};font-weight:600">{html.escape(sentence)}</p>'
        self.message.text = told if sentence else ""

    @contextlib.contextmanager
    def guard(self, what: str) -> Iterator[None]:
        """Turn whatever an engine raises into one sentence on the page, which lives on."""
        try:
            yield
        except (ValueError, OSError, ImportError) as error:
            self.say(str(error))
        except Exception as error:
            self.say(f"{what} could not be computed ({type(error).__name__}: {error}). Change a value to go on.")

    def keep(self, name: str, content: bytes) -> None:
        """Write an export into the folder that was given for it, if any."""
        if self.out is not None:
            from lindyn import _files

            _files.writable_folder(self.out)
            _files.write(self.out / name, content)
