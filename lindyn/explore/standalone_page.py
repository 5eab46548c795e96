"""One HTML file without a server: the live portrait and the map, their right-hand side printed from the equations."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lindyn import _files
from lindyn.explore import explorer_options, printed_javascript
from lindyn.explore.explorer_options import AXES, DIALS, RANGES
from lindyn.plotting import outcome_map, phase_portrait, style

HERE = Path(__file__).parent
SHOWN = (*AXES, "target", "across", "up")
_COLOURS = {"flow": style.FLOW, "ink": style.INK, "stable": style.STABLE, "unstable": style.UNSTABLE,
            "started": phase_portrait.STARTED, "lost": "#e3e3e3"}  # fmt: skip


def write_page(path: Path | str, values: Mapping[str, Any] | None = None) -> Path:
    """Write the page; it loads nothing, and its policy forbids it to.

    Args:
        path: the .html file.
        values: what it shows first, see `explorer_options`.

    Returns:
        The path.

    Raises:
        ValueError: a value out of its range.
        OSError: it cannot be written.
    """
    return _files.write(Path(path), page_text(explorer_options.checked(dict(values or {}))))


def script(values: Mapping[str, Any]) -> str:
    """Return the page's whole script: the printed theory, what is drawn, and what is shown first."""
    given = {
        "values": {name: values[name] for name in SHOWN},
        "starts": [[float(part) for part in start.split(",")][:2] for start in values["start"]],
        "dials": [vars(dial) for dial in DIALS],
        "ranges": RANGES,
        "colours": _COLOURS | {"map": list(outcome_map.COLOURS)},
        "words": list(outcome_map.WORDS.values()),
    }
    parts = [printed_javascript.source(), f"const GIVEN = {json.dumps(given)};\n"]
    parts += [(HERE / name).read_text(encoding="utf-8") for name in ("page_engine.js", "page_view.js")]
    return "".join(parts)


def page_text(values: Mapping[str, Any]) -> str:
    """Return the page as HTML."""
    body = (HERE / "page_body.html").read_text(encoding="utf-8")
    return body.replace("/*SCRIPT*/", script(values).replace("</", "<\\/"))
