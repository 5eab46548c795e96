"""The explorer's views in a notebook: `ld.explore.portrait(phase.plane(eta=0.05))` is live in its cell."""

import asyncio
from pathlib import Path
from typing import Any

from lindyn import _checks
from lindyn.explore import explorer_options, opened_files

HEIGHTS = {"portrait": 1360, "modes": 960, "bifurcation": 720, "matrices": 1280, "normalised": 1280, "saved": 1280}
"""Of a view's frame in a notebook, px; it scrolls where a narrow cell needs more."""


class LiveView:
    """One view of the explorer; in a notebook it shows itself, elsewhere `serve` opens it in the browser.

    Args:
        view: which.
        values: what it shows, see `explorer_options`.
        folder: below which files may be opened.
    """

    def __init__(self, view: str, values: dict[str, Any], folder: Path | None = None) -> None:
        _checks.require("bokeh", "bokeh", "the explorer", "explore")
        self.view, self.folder = view, folder
        self.values = explorer_options.checked(values | {"view": view})
        self._server: Any = None

    def __repr__(self) -> str:
        """Return the view and what is not at its default."""
        return f"LiveView({self.view!r}, {explorer_options.address(self.values) or 'defaults'})"

    def fill(self, document: Any) -> Any:
        """Put the view into a bokeh document, drawn, and return its session."""
        from lindyn.explore import live_page
        from lindyn.explore.live_session import LiveSession

        session = LiveSession(document, self.values, self.folder)
        live_page.fill(document, session, {self.view: live_page.PANELS[self.view]})
        session.rest()
        return session

    def serve(self, **how: Any) -> None:
        """Open the whole explorer at this view in the browser, until Ctrl-C; see `lindyn.explore.serve`."""
        from lindyn.explore.local_server import serve

        serve(self.values, folder=self.folder, **how)

    def _repr_html_(self) -> str | None:
        """Return a frame of the view, served by the notebook's kernel; None, so that the text is shown, without one.

        A frame has its own address, with bokeh's parts behind it: neither Jupyter's port nor a network matters.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return None  # nothing would answer the frame
        from lindyn.explore.local_server import HOST, started_server

        if self._server is None:
            self._server = started_server(self.fill)
        address = f"http://{HOST}:{self._server.port}/"
        return (
            f'<iframe src="{address}" title="lindyn explore: {self.view}" width="100%" height="{HEIGHTS[self.view]}" '
            f'allow="clipboard-write" style="border:0"></iframe><p>Live as long as the kernel runs, '
            f'in a browser on its machine: <a href="{address}">{address}</a></p>'
        )


def _of_system(system: Any, values: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a `phase.PhaseSystem`, those that are given besides on top.

    Raises:
        ValueError: two different decays, which the sliders do not have.
    """
    if system is None:
        return values
    if system.eta_p != system.eta_s:
        raise ValueError(f"The explorer has one weight decay; got eta_p = {system.eta_p:g}, eta_s = {system.eta_s:g}.")
    found: dict[str, Any] = {name: float(getattr(system, name)) for name in ("alpha_p", "x", "x_aug")}
    found |= {"eta": float(system.eta_s), "target": "held" if system.beta is None else "moving"}
    found |= {"tau": float(system.tau)} if system.beta is None else {"beta": float(system.beta)}
    return found | values


def portrait(system: Any = None, **values: Any) -> LiveView:
    """Return the phase portrait and the collapse map, live: a click starts a trajectory, the map sets the portrait.

    Args:
        system: `phase.plane(...)` or `phase.ema(...)`; default the one of the values.
        **values: of `lindyn.explore.explorer_options`: eta, tau, start=["0.1,0.2"], ...

    Returns:
        A `LiveView`.

    Raises:
        ValueError: an unknown name, a value out of its range, two different decays.
        ImportError: bokeh is missing.
    """
    return LiveView("portrait", _of_system(system, values))


def collapse_map(across: str = "eta", up: str = "beta", **values: Any) -> LiveView:
    """Return the same view set to these two axes of the map; the target moves, unless it is said to be held."""
    return LiveView("portrait", {"across": across, "up": up, "target": "moving"} | values)


def modes(**values: Any) -> LiveView:
    """Return modes over time, live: modes_p=[...], modes_s=[...], t1=, and the rates."""
    return LiveView("modes", values)


def bifurcation(system: Any = None, **values: Any) -> LiveView:
    """Return the bifurcation diagram over the weight decay, live."""
    return LiveView("bifurcation", _of_system(system, values))


def matrices(**values: Any) -> LiveView:
    """Return spectra, alignment, asymmetry and balance of a random start of (W, W_p, W_a), live."""
    return LiveView("matrices", values)


def normalised(**values: Any) -> LiveView:
    """Return effective rank, spectrum and norms of the normalised model, live."""
    return LiveView("normalised", values)


def saved(path: Path | str) -> LiveView:
    """Return a saved trajectory, sweep, trace or report of validate.

    Args:
        path: of the file, or of the store of a sweep.

    Raises:
        ValueError: nothing is there, or another kind of file by its name; what is wrong inside the view says.
    """
    path = Path(path).resolve()
    opened_files.reader(opened_files.below(path.parent, path.name))  # the view reads it, once, when it is shown
    return LiveView("saved", {"file": path.name}, path.parent)
