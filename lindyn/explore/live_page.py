"""The page: sliders on the left, the views as tabs, one sentence above them where something is wrong."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from bokeh.layouts import column, row
from bokeh.models import CustomJS, CustomJSTickFormatter, Div, Select, Slider, TabPanel, Tabs

from lindyn.explore.explored_panel import WIDE, WRAPS, carrier
from lindyn.explore.explorer_options import DIALS, VIEWS, Dial
from lindyn.explore.fold_panel import FoldPanel
from lindyn.explore.live_session import LiveSession
from lindyn.explore.map_panel import MapPanel
from lindyn.explore.plane_panel import PlanePanel
from lindyn.explore.run_panels import MatricesPanel, ModesPanel, NormalisedPanel
from lindyn.explore.saved_panel import SavedPanel

PANELS: dict[str, tuple[Any, ...]] = {
    "portrait": (PlanePanel, MapPanel),
    "modes": (ModesPanel,),
    "bifurcation": (FoldPanel,),
    "matrices": (MatricesPanel,),
    "normalised": (NormalisedPanel,),
    "saved": (SavedPanel,),
}
"""View -> its panels, in the order in which they are redrawn."""
STEPS = 200
_LOST = """
const told = document.createElement('p');
told.id = 'lindyn-lost';
told.setAttribute('role', 'alert');
told.style = 'position:fixed;z-index:99;left:0;right:0;top:0;margin:0;padding:.6em 1em;background:#a84c00;color:#fff';
told.textContent =
  'The engine has stopped: start lindyn explore, or run the cell, again and reload; what is on the page stays.';
if (!document.getElementById('lindyn-lost')) document.body.prepend(told);
"""
_INTRO = """<h1 style="margin:0;font-size:1em">lindyn explore</h1><p style="margin:0 0 .6em">One mode of BYOL, SimSiam
and DirectPred. Move a slider; click the portrait to start a trajectory, click the map to set the portrait.</p>"""
_MAIN = "{% block contents %}<main>{{ super() }}</main>{% endblock %}"
_NAMES = """
const every = (node, what) => [...node.querySelectorAll('*')].flatMap(
  each => each.shadowRoot ? [...each.shadowRoot.querySelectorAll(what), ...every(each.shadowRoot, what)] : []);
const name = (what, words) => every(document, what).forEach(each => each.setAttribute('aria-label', words(each)));
const title = each => each.getRootNode().querySelector('.bk-slider-title, label')?.textContent.split(':')[0] || 'value';
(window.lindynNames || []).forEach(clearTimeout);
window.lindynNames = [300, 1500, 6000].map(ms => setTimeout(() => {
  name('.noUi-handle', title);
  name('.bk-spin-btn-up', each => title(each) + ': more');
  name('.bk-spin-btn-down', each => title(each) + ': less');
}, ms));
"""
"""What bokeh leaves without a name for those who hear the page: handles of sliders, buttons of spinners.

More than once: on a busy machine they are laid out seconds after the view was drawn.
"""


def fill(document: Any, session: LiveSession, views: Mapping[str, tuple[Any, ...]] = PANELS) -> None:
    """Put the page into a bokeh document; every view that is given, as tabs where there are several.

    Args:
        document: of bokeh.
        session: its values.
        views: view -> classes of its panels.
    """
    names = list(views)
    first = session.values["view"] if session.values["view"] in views else names[0]
    places = {view: row(**WRAPS) for view in names}

    def seen(view: str) -> tuple[str, ...]:
        """Make the panels of a view when it is first turned to; the page is there sooner for it."""
        if not places[view].children:
            panels = [kind(session) for kind in views[view]]
            session.panels |= {panel.name: panel for panel in panels}
            places[view].children = [panel.layout() for panel in panels]
        return tuple(kind.name for kind in views[view])

    shown = seen(first)
    body: Any = places[first]
    if len(names) > 1:
        tabs = [TabPanel(child=places[view], title=VIEWS[view]) for view in names]
        body = Tabs(tabs=tabs, active=names.index(first), name="views", **WIDE)
        body.on_change("active", _turned(session, names, seen))
    beside = column(session.message, body, **WIDE, styles={"min-width": "0"})
    document.add_root(row(_sidebar(session), beside, name="page", **WIDE))
    document.add_root(carrier(session.address, session.drawn))
    document.title, document.template = "lindyn explore", _MAIN
    session.drawn.js_on_change("data", CustomJS(code=_NAMES))
    document.js_on_event("document_ready", CustomJS(code=_NAMES))
    document.js_on_event("connection_lost", CustomJS(code=_LOST))
    session.visible = shown


def _turned(session: LiveSession, names: list[str], seen: Callable[[str], tuple[str, ...]]) -> Callable[..., None]:
    def turned(attr: str, old: int, new: int) -> None:
        session.values["view"] = names[new]
        session.say("")
        session.show(seen(names[new]))

    return turned


def _sidebar(session: LiveSession) -> Any:
    parts: list[Any] = [Div(text=_INTRO, width=250)]
    choice = Select(title="target", options=[("held", "τ held (a plane)"), ("moving", "moving (EMA)")], width=230)
    choice.value, choice.name = session.values["target"], "dial-target"
    choice.on_change("value", lambda attr, old, new: session.set(**_target(session.values, new)))
    session.follow(lambda values: setattr(choice, "value", values["target"]))
    parts.append(choice)
    parts += [_slider(session, dial) for dial in DIALS]
    return column(*parts, width=260)


def _target(values: Mapping[str, Any], target: str) -> dict[str, Any]:
    """Return the changes that hold tau, or let it move; held, a map over the EMA rate has another axis."""
    changes: dict[str, Any] = {"target": target}
    for axis, other in (("across", "up"), ("up", "across")):
        if target == "held" and values[axis] == "beta":
            changes |= {axis: "p" if values[other] != "p" else "s", f"{axis}_range": None}
    return changes


def _slider(session: LiveSession, dial: Dial) -> Slider:
    """Return the slider of a quantity; one on a log scale holds log10 and shows the number."""
    low, high = (np.log10(end) if dial.log else end for end in (dial.low, dial.high))
    made = Slider(start=float(low), end=float(high), step=float(high - low) / STEPS / 5, title=dial.words, width=230,
                  value=_on_scale(dial, session.values[dial.name]), name=f"dial-{dial.name}")  # fmt: skip
    code = "return Math.pow(10, tick).toPrecision(3)" if dial.log else "return tick.toPrecision(4)"
    made.format = CustomJSTickFormatter(code=code)

    def moved(attr: str, old: float, new: float) -> None:
        value = 10.0**new if dial.log else new
        value = min(max(float(f"{value:.5g}"), dial.low), dial.high)
        if abs(_on_scale(dial, session.values[dial.name]) - new) > 1e-9:
            session.change({dial.name: value})

    def follow(values: Mapping[str, Any]) -> None:
        place = _on_scale(dial, values[dial.name])
        if abs(place - made.value) > 1e-4 * (made.end - made.start):
            made.value = place

    made.on_change("value", moved)
    session.follow(follow)
    return made


def _on_scale(dial: Dial, value: float) -> float:
    return float(np.log10(max(value, dial.low))) if dial.log else float(value)


def page(
    document: Any, values: dict[str, Any], wrong: list[str], folder: Path | None, out: Path | None, engine: Any
) -> LiveSession:
    """Fill a document of the server, draw what is seen once it is on the screen, and return its session."""
    session = LiveSession(document, values, folder, out, engine)
    fill(document, session)
    for control in session._followers:
        control(session.values)

    def begin(event: Any) -> None:
        session.rest()
        if wrong:
            session.say(" ".join(wrong))

    document.on_event("document_ready", begin)  # drawn sooner, the browser would wait for its scripts meanwhile
    return session
