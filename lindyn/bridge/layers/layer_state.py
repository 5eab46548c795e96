"""The persistent state of a closed-form layer: W_p, averages, sums that wait, counts; saved, loaded, copied, moved."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from lindyn.bridge.layers import batch_sums
from lindyn.bridge.layers.call_counter import FIELDS, CallCounter
from lindyn.bridge.layers.predictor_base import Predictor
from lindyn.predictors import Recipe

WIDE = (torch.float32, torch.float64)
TALLY = ("accepted", "accepted_cross", "rejected", "refused")


class ClosedFormState(Predictor):
    """Buffers of fixed shape, written in place, and a clock on the host that mirrors the counters.

    The forward call multiplies with a copy of W_p, so that setting W_p in place spoils no graph. Statistics stay in
    float32 or float64 when the module is cast to half precision.
    """

    W_p: Tensor
    F_hat: Tensor
    cross_hat: Tensor
    counters: Tensor
    tally: Tensor

    def _make_state(self, d: int, recipe: Recipe, cross: bool, trainable: bool) -> None:
        self.waiting = tuple(batch_sums.shapes(d, cross, recipe.centre))
        if trainable:
            self.W_p = nn.Parameter(torch.eye(d))
        else:
            self.register_buffer("W_p", torch.eye(d))
        self.register_buffer("F_hat", torch.zeros(d, d))
        if cross:
            self.register_buffer("cross_hat", torch.zeros(d, d))
        for name, shape in batch_sums.shapes(d, cross, recipe.centre).items():
            self.register_buffer(f"waiting_{name}", torch.zeros(shape))
        self.register_buffer("counters", torch.zeros(FIELDS, dtype=torch.int64))
        self.register_buffer("tally", torch.zeros(len(TALLY), dtype=torch.int64))
        self._clock: CallCounter | None = None
        self._partner: Tensor | None = None
        self._handle: Any = None

    @property
    def clock(self) -> CallCounter:
        """The counts on the host, read from the buffer at the first use and after loading."""
        if self._clock is None:
            self._clock = CallCounter.read(self.counters)
        return self._clock

    def waiting_sums(self) -> batch_sums.Sums:
        """Return the sums that wait for the next update (the buffers themselves)."""
        return {name: getattr(self, f"waiting_{name}") for name in self.waiting}

    def _write_clock(self) -> None:
        if self._clock is not None:
            with torch.no_grad():
                self.counters.copy_(self._clock.tensor())

    def _save_to_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self._write_clock()
        super()._save_to_state_dict(*args, **kwargs)

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._clock = self._partner = None

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles leave behind what belongs to this run: a half-done pair and the optimiser's hook."""
        self._write_clock()
        return {**self.__dict__, "_clock": None, "_partner": None, "_handle": None}

    def _apply(self, fn: Callable[[Tensor], Tensor], *args: Any, **kwargs: Any) -> Any:
        self._partner = None

        def wide(tensor: Tensor) -> Tensor:
            new = fn(tensor)
            keep = tensor.dtype in WIDE and new.dtype not in WIDE and not isinstance(tensor, nn.Parameter)
            return tensor.to(new.device) if keep else new

        return super()._apply(wide, *args, **kwargs)
