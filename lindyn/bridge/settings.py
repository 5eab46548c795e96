"""What is known of how a network was trained: keys of `lindyn train` with their values and where each was read."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from lindyn import _checks
from lindyn.bridge import sections
from lindyn.display.brief import Brief

USED = (
    "optim.name", "optim.lr", "optim.momentum", "optim.weight_decay", "optim.alpha_p", "optim.predictor_weight_decay",
    "optim.schedule", "method.loss", "method.sides", "method.target", "method.ema", "method.ema_schedule",
)  # fmt: skip
"""The keys that the theory's rates are made from."""


@dataclass(frozen=True, repr=False)
class Settings(Brief):
    """Some of the keys of a training run.

    Args:
        values: value by key ("optim.lr"), only what is known; `optim.lr` is the learning rate that acted (scaled).
        sources: where each was read, in words ("the checkpoint", "args.json", "the command line").

    Raises:
        ValueError: an unknown key; the message suggests the near one.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key in self.values:
            if not key.startswith(sections.OPTIONS):
                _checks.one_of("a setting", key, sections.VALIDATED.keys)

    @classmethod
    def of(cls, values: Mapping[str, Any], source: str) -> Self:
        """Return settings that all come from one place; None values are dropped."""
        known = {key: value for key, value in values.items() if value is not None}
        return cls(known, dict.fromkeys(known, source))

    def over(self, other: "Settings") -> "Settings":
        """Return these settings on top of others."""
        return replace(self, values={**other.values, **self.values}, sources={**other.sources, **self.sources})

    def in_place_of(self, read: "Settings") -> Iterator[str]:
        """Yield a note for every setting of these that was given in place of another that was read."""
        for key, value in self.values.items():
            if key in read.values and read.values[key] != value:
                yield f"{key} = {value!r} was given in place of {read.values[key]!r}, which {read.sources[key]} says."

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, or the default where it is not known."""
        return self.values.get(key, default)


@dataclass(frozen=True, repr=False)
class Rates(Brief):
    """The theory's rates of a run, None where what they are made from is not known.

    Args:
        alpha_p: learning-rate ratio predictor / online.
        beta: EMA rate in flow time, 0 for a frozen target, None also where the target is the online network.
        eta_s: decay of the online network in flow time.
        eta_p: decay of the predictor in flow time.
        step_time: flow time of one optimiser step at the peak learning rate.
        target: "ema", "online" or "frozen", "" if not known.
        missing: keys that would make the None known.
        assumed: what was taken for granted, in words.
    """

    alpha_p: float | None
    beta: float | None
    eta_s: float | None
    eta_p: float | None
    step_time: float | None
    target: str
    missing: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()

    @property
    def eta(self) -> float | None:
        """The common decay, None where the two differ or one is not known."""
        if self.eta_s is None or self.eta_p is None or not math.isclose(self.eta_s, self.eta_p, rel_tol=1e-9):
            return None
        return self.eta_s
