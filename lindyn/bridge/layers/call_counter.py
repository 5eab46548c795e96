"""What a layer remembers on the host about its calls, so that deciding when to set W_p never waits for a device."""

from dataclasses import astuple, dataclass, fields

import torch


@dataclass
class CallCounter:
    """Counts of a layer; written into the state dict, read from it once.

    Args:
        calls: training calls so far.
        updates: updates of F-hat so far.
        gathered: calls whose statistics wait for the next update.
        paired: cross-statistics gathered since the last update.
        crossings: cross-statistics gathered ever.
        backwards: backward passes since the last update.
        went_back: 1 if a backward pass went through the output since the last call.
        placed: 1 once W_p came from statistics.
    """

    calls: int = 0
    updates: int = 0
    gathered: int = 0
    paired: int = 0
    crossings: int = 0
    backwards: int = 0
    went_back: int = 0
    placed: int = 0

    @classmethod
    def read(cls, counters: torch.Tensor) -> "CallCounter":
        """Return the clock that a counters buffer holds (waits for its device, once)."""
        return cls(*counters.tolist())

    def tensor(self) -> torch.Tensor:
        """Return the counts as the counters buffer holds them."""
        return torch.tensor(astuple(self), dtype=torch.int64)


FIELDS = len(fields(CallCounter))
