"""Who draws a record: looked up by name when a picture is asked for, so that no record knows the room of pictures."""

import importlib
from typing import Any

PLOTTING = "lindyn.plotting"
LAW_ROWS = "lindyn.bridge.report.pictures"


def drawn(picture: str, data: Any, ax: Any = None, **how: Any) -> Any:
    """Return the Axes on which `lindyn.plotting` has drawn the data as the picture of this name."""
    return getattr(importlib.import_module(PLOTTING), picture)(data, ax, **how)


def law_rows(answer: Any) -> Any:
    """Return the rows of a validation's laws as `lindyn.plotting.law_rows` draws them."""
    return importlib.import_module(LAW_ROWS).law_rows_of(answer)
