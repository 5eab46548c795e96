"""`ds.lindyn` of an xarray.Dataset that a sweep returned, or that was read from its file."""

import functools
from typing import Any

from lindyn.display.drawn_by import drawn


class SweepAccessor:
    """What lindyn adds to a Dataset of a sweep.

    Args:
        ds: the Dataset.
    """

    def __init__(self, ds: Any) -> None:
        self._ds = ds

    def plot(self, ax: Any = None) -> Any:
        """Draw what became of each run, categories as categories, with theory's boundaries; return the Axes.

        Args:
            ax: where; default new ones.

        Raises:
            ValueError: no sweep of modes, or one of fewer than two axes.
        """
        return drawn("sweep_map", self._ds, ax)


@functools.cache
def register() -> None:
    """Let every Dataset have `.lindyn`; done once a sweep has run, and by `import lindyn.plotting`."""
    import xarray

    xarray.register_dataset_accessor("lindyn")(SweepAccessor)
