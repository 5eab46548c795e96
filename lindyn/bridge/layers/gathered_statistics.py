"""What a closed-form layer remembers, and how its calls become F-hat, the cross-correlation and W_p.

`CallCounter` counts on the host, so that deciding when to set W_p never waits for a device; `ClosedFormState` holds the
buffers (saved, loaded, copied, moved); `Gathering` gathers, averages and sets.
"""

import warnings
from collections.abc import Callable
from dataclasses import astuple, dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from lindyn.bridge.layers import batch_sums
from lindyn.bridge.layers.predictor_base import Predictor, check_batch, check_same_shape
from lindyn.bridge.torch_defaults import WIDE, wide_default
from lindyn.predictors import Recipe

TALLY = ("accepted", "accepted_cross", "rejected", "refused")
ACCEPTED, ACCEPTED_CROSS, REJECTED, REFUSED = range(len(TALLY))


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
        wide = wide_default()  # a user's default may be half precision
        self.waiting = tuple(batch_sums.shapes(d, cross, recipe.centre))
        if trainable:
            self.W_p = nn.Parameter(torch.eye(d))
        else:
            self.register_buffer("W_p", torch.eye(d, dtype=wide))
        self.register_buffer("F_hat", torch.zeros(d, d, dtype=wide))
        if cross:
            self.register_buffer("cross_hat", torch.zeros(d, d, dtype=wide))
        for name, shape in batch_sums.shapes(d, cross, recipe.centre).items():
            self.register_buffer(f"waiting_{name}", torch.zeros(shape, dtype=wide))
        self.register_buffer("counters", torch.zeros(FIELDS, dtype=torch.int64))
        self.register_buffer("tally", torch.zeros(len(TALLY), dtype=torch.int64))
        self._clock: CallCounter | None = None
        self._partner: Tensor | None = None
        self._handle: Any = None

    @property
    def clock(self) -> CallCounter:
        """The counts on the host, read from the buffer at the first use and after loading."""
        if self._clock is None:
            if self.counters.is_meta:
                raise ValueError(
                    f"{type(self).__name__} stands on the meta device, where tensors hold no numbers. Build it on the "
                    'CPU or on an accelerator (with torch.device("cpu"): ...).'
                )
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

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, local_metadata: Any, strict: bool, missing_keys: list[str], *rest: Any
    ) -> None:
        super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, missing_keys, *rest)
        if f"{prefix}_extra_state" in missing_keys:  # of a lindyn that did not write the rule's name yet
            missing_keys.remove(f"{prefix}_extra_state")
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


class Gathering(ClosedFormState):
    """A layer's statistics; when they are taken and used is `ClosedFormPredictor`'s business.

    Nothing here looks at a number on an accelerator: what is good is decided on the device.
    """

    recipe: Recipe
    cross_from: str
    views: int
    reads_cross: bool

    def _partner_of(self, z: Tensor, target: Tensor | None) -> Tensor | None:
        """Return z' of this call, where it is known; raise before anything has changed."""
        if not self.reads_cross:
            return None
        if self.cross_from == "target":
            if target is not None:
                check_batch("target", target, self.input_dim)
                check_same_shape("target", target, z, "Row k must be the other view of row k.")
                return batch_sums.rows(target)
            if self.recipe.update == "call" and not self.clock.paired:
                raise ValueError(_never(self.recipe.rule.name, self.cross_from))
            return None
        if target is not None:
            raise ValueError("target is read with cross_from='target' only; got a target with cross_from='views'.")
        if self.views == 2:
            if z.shape[0] % 2:
                raise ValueError(f"z must hold both views, an even number of rows, with views=2; got {list(z.shape)}.")
            return torch.cat(batch_sums.rows(z).chunk(2)[::-1])
        if self._partner is not None and len(self._partner) != z[..., 0].numel():
            raise ValueError(
                f"cross_from='views' pairs two calls of one size; got {len(self._partner)} samples and then "
                f"{z[..., 0].numel()}. Use cross_from='target'."
            )
        return self._partner

    def _gather(self, z: Tensor, partner: Tensor | None) -> None:
        """Add a batch to the sums that wait."""
        batch, good = batch_sums.finite(batch_sums.of_batch(z, self.recipe.centre))
        batch["rejected"] = (~good).to(z.dtype)
        if batch_sums.on_host(good) and not good:
            warnings.warn(
                f"{type(self).__name__}: training call {self.clock.calls + 1} held NaN or infinite features; "
                "it is left out and W_p keeps its last good value.",
                RuntimeWarning,
                stacklevel=5,
            )
        apart = self.reads_cross and self.cross_from == "views" and self.views == 1
        if partner is not None:
            ways = (torch.cat([z, partner]), torch.cat([partner, z])) if apart else (z, partner)
            batch |= self._good_pairs(*ways)
        self._add(batch)
        if apart:
            self._partner = z if partner is None else None
        self.clock.calls += 1
        self.clock.gathered += 1
        self.clock.paired += partner is not None
        self.clock.crossings += partner is not None

    def _good_pairs(self, z: Tensor, target: Tensor) -> batch_sums.Sums:
        return batch_sums.finite(batch_sums.of_pairs(z, target, self.recipe.centre))[0]

    def _add(self, batch: batch_sums.Sums) -> None:
        for name, block in batch_sums.over_ranks(batch).items():
            if name == "rejected":
                self.tally[REJECTED] += block.to(torch.int64)
            else:
                getattr(self, f"waiting_{name}").add_(block)

    def _need_cross(self) -> None:
        if self.reads_cross and not self.clock.crossings:
            raise ValueError(_never(self.recipe.rule.name, self.cross_from))

    def _averages(self, count: bool = True) -> tuple[Tensor, Tensor | None, Tensor]:
        """Return F-hat and cross-hat with the waiting sums blended in, and whether they are good (on the device)."""
        waiting = self.waiting_sums()
        F, good = self._blend(self.F_hat, batch_sums.correlation(waiting), waiting["samples"], ACCEPTED, count)
        if not self.reads_cross:
            return F, None, good
        if not self.clock.crossings:
            return F, F, good
        if not self.clock.paired:
            return F, self.cross_hat, good & (self.tally[ACCEPTED_CROSS] > 0)
        H, new = self._blend(
            self.cross_hat, batch_sums.cross_correlation(waiting), waiting["pairs"], ACCEPTED_CROSS, count
        )
        return F, H, good & (new | (self.tally[ACCEPTED_CROSS] > 0))

    def _blend(self, old: Tensor, new: Tensor, samples: Tensor, which: int, count: bool) -> tuple[Tensor, Tensor]:
        average = self.recipe.blend(old, new, self.tally[which])
        good = (samples > 0) & torch.isfinite(average).all()
        if count:
            self.tally[which] += good
        return torch.where(good, average, old), good

    def _place(self, F: Tensor, H: Tensor | None, good: Tensor, first: bool) -> None:
        """Set W_p in place; the first time without W_p's own average, which would hold the identity it starts from."""
        old = self.W_p.detach().to(F.dtype)
        new = self.recipe.rule.unchecked(F, H) if first else self.recipe.set(old, F, H)
        sound = torch.isfinite(new).all()
        self.W_p.copy_(torch.where(good & sound, new, old))
        self.tally[REFUSED] += good & ~sound
        self.clock.placed = 1


def _never(rule: str, cross_from: str) -> str:
    how = {
        "views": "call the layer on both views before the backward pass, or give both in one call (views=2)",
        "target": "give it by forward(z, target=...) or observe(z, z_target)",
    }[cross_from]
    return f"{rule} reads the cross-correlation E[z' z^T], which was never given: {how}. W_p keeps its last value."
