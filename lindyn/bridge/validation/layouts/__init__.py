"""The former place of the readers of checkpoints: `lindyn.bridge.checkpoints` has them; this one goes in 0.3."""

import warnings
from typing import Any

from lindyn.bridge import checkpoints


def __getattr__(name: str) -> Any:
    found = getattr(checkpoints, name)
    warnings.warn(
        f"lindyn.bridge.validation.layouts.{name} is now lindyn.bridge.checkpoints.{name}; this name goes in 0.3.",
        DeprecationWarning,
        stacklevel=2,
    )
    return found
