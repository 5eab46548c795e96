"""Serves the explorer on this machine alone: 127.0.0.1, a free port unless one is asked for, Ctrl-C ends it."""

import contextlib
import functools
import logging
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lindyn import _checks
from lindyn.explore import explorer_options

HOST = "127.0.0.1"
USED = ("bokeh", "bokeh-widgets")
"""Parts of BokehJS that the page needs."""


def serve(
    values: dict[str, Any] | None = None, *, port: int = 0, browser: bool = True, folder: Path | str | None = None,
    out: Path | str | None = None, tell: Callable[[str], None] = print,
) -> None:  # fmt: skip
    """Serve the explorer until Ctrl-C.

    Args:
        values: what the page shows first, see `explorer_options`; default the portrait.
        port: 0 for a free one.
        browser: whether to open one.
        folder: below which files may be opened from the page; default the one we are in.
        out: folder in which exports are kept too; default none: they are saved by the browser.
        tell: what is called with each sentence.

    Raises:
        ValueError: a port that is taken or no port, a folder that is not there, a value out of its range.
        ImportError: bokeh is missing.
    """
    server = make_server(values, port=port, folder=folder, out=out)
    address = f"http://{HOST}:{server.port}/" + _query(values)
    tell(f"The explorer is at {address} (this machine only). Ctrl-C ends it.")
    _warm(server)
    if browser and not _opened(address):
        tell("No browser could be opened; open the address in one.")
    previous = signal.signal(signal.SIGTERM, lambda *_: server.io_loop.add_callback_from_signal(server.io_loop.stop))
    try:
        server.io_loop.start()
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, previous)
        with contextlib.suppress(Exception):
            server.stop()
        server.engine.close()
    tell("The explorer has ended.")


def make_server(
    values: dict[str, Any] | None = None, *, port: int = 0, folder: Path | str | None = None,
    out: Path | str | None = None,
) -> Any:  # fmt: skip
    """Return the started server, whose loop is not run yet; see `serve`.

    Raises:
        ValueError: as `serve`.
        ImportError: bokeh is missing.
    """
    _checks.require("bokeh", "bokeh", "the explorer", "explore")
    first = explorer_options.checked(values or {})
    root = Path.cwd() if folder is None else Path(folder)
    if not root.is_dir():
        raise ValueError(f"There is no folder {root} to open. Give one, or start without.")
    from lindyn.explore.engine_process import EngineProcess

    kept, engine = None if out is None else Path(out), EngineProcess()

    def opens(document: Any) -> None:
        _page(document, first, root, kept, engine)

    server = started_server(opens, port)
    server.engine = engine
    return server


def started_server(opens: Callable[[Any], object], port: int = 0) -> Any:
    """Return a started server, on this machine alone, of the pages that a function fills, on the current loop.

    Args:
        opens: takes a bokeh document.
        port: 0 for a free one.

    Raises:
        ValueError: a port that is taken or no port.
    """
    if not 0 <= port <= 65535:
        raise ValueError(f"port must be between 0 (a free one) and 65535; got {port}.")
    from bokeh.application import Application
    from bokeh.application.handlers.function import FunctionHandler
    from bokeh.server.server import Server

    logging.getLogger("bokeh").setLevel(logging.ERROR)
    logging.getLogger("tornado").setLevel(logging.ERROR)
    application = Application(FunctionHandler(opens))
    _check_port(port)
    server = Server(
        {"/": application},
        address=HOST,
        port=port,
        check_unused_sessions_milliseconds=5000,
        unused_session_lifetime_milliseconds=30000,
    )
    _only_what_is_used(server)
    server.start()
    return server


def _only_what_is_used(server: Any) -> None:
    """Let the page load the parts of bokeh that stand on it, and no others: it is there sooner."""
    every = server._tornado.resources

    def fewer(*given: Any, **more: Any) -> Any:
        found = every(*given, **more)
        found.components = [name for name in found.components if name in USED]
        return found

    server._tornado.resources = fewer


def _check_port(port: int) -> None:
    """Raise ValueError where the port cannot be listened at."""
    with contextlib.closing(socket.socket()) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that was just left is free
        try:
            one.bind((HOST, port))
        except OSError as error:
            why = error.strerror or error
            raise ValueError(f"Port {port} cannot be used ({why}). Choose another --port, or leave it out.") from error


def _page(document: Any, first: dict[str, Any], folder: Path, out: Path | None, engine: Any) -> None:
    from lindyn.explore.live_page import page

    asked = document.session_context.request
    query = "&".join(f"{name}={text.decode('utf-8', 'replace')}" for name, texts in asked.arguments.items()
                     for text in texts if not name.startswith("bokeh-"))  # fmt: skip
    values, wrong = explorer_options.of_address(_quoted(query)) if query else (first, [])
    page(document, values, wrong, folder, out, engine)
    warm_lanes()


def _quoted(query: str) -> str:
    from urllib.parse import urlencode

    pairs = [part.split("=", 1) for part in query.split("&")]
    return urlencode([(name, text) for name, text in pairs])


def _query(values: dict[str, Any] | None) -> str:
    text = explorer_options.address(explorer_options.checked(values or {}))
    return f"?{text}" if text else ""


def _warm(server: Any) -> None:
    """Let the views be loaded while the browser starts, in a thread of their own."""

    def load() -> None:
        with contextlib.suppress(Exception):
            from lindyn.explore import live_page  # noqa: F401

    threading.Thread(target=load, daemon=True).start()


@functools.cache
def warm_lanes() -> None:
    """Let the lanes be loaded, or compiled, while the browser lays the page out, in a thread of their own."""

    def load() -> None:
        with contextlib.suppress(Exception):
            import lindyn
            from lindyn import phase

            phase.sketch(phase.plane())
            lindyn.sweep(eta=[0.1, 0.2], beta=[0.1, 0.2], t1=1.0, progress=False)

    threading.Thread(target=load, daemon=True).start()


def _opened(address: str) -> bool:
    try:
        return webbrowser.open(address)
    except webbrowser.Error as error:
        print(f"lindyn: {error}", file=sys.stderr)
        return False
