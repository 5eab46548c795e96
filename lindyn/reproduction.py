"""The old place of figures and their claims, now in `lindyn.papers`: its names warn and go in the next version."""

import warnings
from typing import Any


def __getattr__(name: str) -> Any:
    from lindyn import papers

    if name not in papers.__all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(
        f"{__name__}.{name} is now lindyn.papers.{name}; the old name goes in the next version.",
        DeprecationWarning,
        stacklevel=2,
    )
    return getattr(papers, name)
