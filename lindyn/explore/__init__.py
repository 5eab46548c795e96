"""A live explorer in the browser: change a number and look again (needs bokeh: `pip install "lindyn[explore]"`).

    lindyn explore                                      the page, on this machine only
    ld.explore.portrait(phase.plane(eta=0.05))          one view, live in a notebook
    ld.explore.collapse_map(across="eta", up="beta")

explorer_options   what a page shows, as flags, as its address and as sliders
explored_panel     a picture with its exports, its command and its Python; session, what all panels share
plane_panel, map_panel, fold_panel, run_panels, saved_panel    the views
repeats            the command and the Python that give what is seen
opened_files       which files a page may open
live_page          controls and panels laid out; notebook_view the same in a notebook
local_server       serves it, on 127.0.0.1
standalone_page    one HTML file without a server, its equations printed as JavaScript by printed_javascript
"""

from lindyn._faces import lazy

_HOME = {
    "portrait": ".notebook_view",
    "collapse_map": ".notebook_view",
    "modes": ".notebook_view",
    "bifurcation": ".notebook_view",
    "matrices": ".notebook_view",
    "normalised": ".notebook_view",
    "saved": ".notebook_view",
    "LiveView": ".notebook_view",
    "serve": ".local_server",
    "write_page": ".standalone_page",
}

__all__ = list(_HOME)

__getattr__, __dir__ = lazy(__name__, _HOME)
