"""What both engines are asked and answer: the checked problem and the result."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn import _checks
from lindyn._options import ABLATIONS
from lindyn.display.brief import Brief
from lindyn.solve.lanes import layout
from lindyn.solve.lanes.layout import STATUSES

ESCAPED_SHARE = 0.9  # escape: p past this share of p_+
COLLAPSED_SHARE = 1e-6  # collapse: s under this share of its start
BISECTIONS = 50  # in which, at most, a crossing of a cubic is found inside a step
STIFF_REACH = 3500.0  # beta t1 past which the L-stable method is cheaper (measured, benchmarks/sweep.py)
STIFF_SLACK = 2.5  # times the tolerance: the stiff method errs by less, its estimate being that of its lower order
FIRST_STEP = 0.01  # of the time in which the fastest unknown changes by its own size
EVENTS = ("none", "escape", "collapse")
(NONE, ESCAPE, COLLAPSE) = range(3)


def escape_level(
    alpha_p: Any, eta_p: Any, eta_s: Any, x: Any, x_aug: Any, s: Any, tau: Any, *, target: str, tau_mode: str
) -> Any:
    """Return 0.9 p_+, the p past which a mode has escaped from collapse; infinity where no p_+ exists.

    EMA and online target: p_+ = (x tau + sqrt(x^2 tau^2 - 4 eta_s (x + x_aug))) / (2 (x + x_aug)), below Eq. 16, at
    tau = 1, where every living EMA mode ends, or at the constant tau. Frozen target, a = tau_0 sqrt(s_0): the fixed
    point of Eqs. 11-12 with tau = a / w is p_+^2 = (x a / r - eta_s) / (x + x_aug) with w = r p,
    r^2 = eta_p / (alpha_p eta_s) (1 / alpha_p at eta_p = eta_s = 0).

    Args:
        alpha_p: learning-rate ratio.
        eta_p: decay of the predictor.
        eta_s: decay of the online network.
        x: eigenvalue of X.
        x_aug: eigenvalue of X'.
        s: the start of s.
        tau: the start of tau.
        target: "ema", "online" or "frozen".
        tau_mode: "dynamic" or "constant".

    Returns:
        The levels, broadcast.
    """
    v = np.asarray(x + x_aug, dtype=np.float64)
    with np.errstate(all="ignore"):
        if target == "frozen" and tau_mode == "dynamic":
            equal = (eta_p == 0) & (eta_s == 0)
            r = np.sqrt(np.where(equal, 1.0, eta_p) / (alpha_p * np.where(equal, 1.0, eta_s)))
            p_plus = np.sqrt((x * tau * np.sqrt(s) / r - eta_s) / v)
        else:
            pull = x * (tau if tau_mode == "constant" else np.ones_like(tau))
            p_plus = (pull + np.sqrt(pull * pull - 4 * eta_s * v)) / (2 * v)
    return np.where(np.isfinite(p_plus) & (p_plus > 0), ESCAPED_SHARE * p_plus, np.inf)


RTOL = 1e-8  # p99 of the final state's relative error is then under 1e-6
RTOL_RANGE = (1e-13, 1e-2)
MAX_STEPS = 1_000_000
PREDICTORS = ("trained", "identity")
CONSTANTS = ("alpha_p", "beta", "eta_p", "eta_s", "x", "x_aug")
STATE = ("p", "s", "tau")


@dataclass(frozen=True, eq=False, repr=False)
class LaneResult(Brief):
    """Final state and history of every lane, in the order in which the lanes were given.

    Args:
        p: eigenvalue of W_p at the end.
        s: eigenvalue of F at the end; exactly 0 where it fell below what float64 holds to relative accuracy (1e-290).
        tau: target / online ratio at the end.
        status: how the lane ended, index into `STATUSES`: "reached" t1; "underflow": s vanished on the way (a
            collapse; the rest was run with s = 0, and tau is infinite where it outgrew float64); "not_finite": an
            overflow, values are those of the last good step; "max_steps": likewise.
        steps: steps tried.
        t_event: when the mode escaped or collapsed, see `event`; NaN where it did neither.
        event: index into `EVENTS`, judged by the final state: "collapse" where s is at most 1e-6 of its start,
            "escape" where p is past 0.9 p_+ (`escape_level`; never for predictor="identity"), "none"
            otherwise. t_event is the time of the last entrance into that region (0 for a lane that never left it),
            so an overshoot that falls back does not count.
        K_min: smallest value over 0 <= t <= t1 of the mode's eigenvalue of K; Eq. 17 was at risk where it is <= 0.
            Inside a step it is found by stepping there, as t_event is: both are as good as the run. The JAX engine,
            and lanes in which the online weight changes sign for K_min, read them off a cubic or off the steps' ends,
            good to about 1e-4.
    """

    p: np.ndarray
    s: np.ndarray
    tau: np.ndarray
    status: np.ndarray
    steps: np.ndarray
    t_event: np.ndarray
    event: np.ndarray
    K_min: np.ndarray

    def __len__(self) -> int:
        return len(self.p)

    @classmethod
    def empty(cls, n: int) -> "LaneResult":
        """Return a result for n lanes to be filled."""
        kinds = {"status": np.int8, "event": np.int8, "steps": np.int32}
        return cls(**{f.name: np.empty(n, kinds.get(f.name, np.float64)) for f in dataclasses.fields(cls)})

    def set_events(self, lanes: Any, start_s: Any, levels: Any, t_escape: Any, t_collapse: Any) -> None:
        """Judge some lanes by their final state and fill in event and t_event."""
        collapsed, escaped = self.s[lanes] <= COLLAPSED_SHARE * start_s, self.p[lanes] >= levels
        self.event[lanes] = np.where(collapsed, COLLAPSE, np.where(escaped, ESCAPE, NONE))
        times = np.where(collapsed, t_collapse, t_escape)
        self.t_event[lanes] = np.where(collapsed | escaped, times, np.nan)

    def set_rows(self, lanes: Any, kept: np.ndarray, ints: np.ndarray, start_s: Any) -> None:
        """Fill in some lanes from their rows of `layout`."""
        self.p[lanes], self.s[lanes], self.tau[lanes] = kept[:, layout.P], kept[:, layout.S], kept[:, layout.TAU]
        self.status[lanes], self.steps[lanes] = ints[:, layout.STATUS], ints[:, layout.STEPS]
        self.K_min[lanes] = kept[:, layout.K_MIN]
        times = kept[:, layout.T_ESCAPE], kept[:, layout.T_COLLAPSE]
        self.set_events(lanes, start_s, kept[:, layout.ESCAPE_P], *times)

    def status_names(self) -> np.ndarray:
        """Return the status of each lane in words."""
        return np.array(STATUSES)[self.status]

    def event_names(self) -> np.ndarray:
        """Return the event of each lane in words."""
        return np.array(EVENTS)[self.event]


@dataclass(frozen=True, eq=False, repr=False)
class LaneProblem(Brief):
    """A checked problem: arrays of one length n, or numbers where all lanes share them."""

    values: dict[str, Any]
    n: int
    t1: float
    target: str
    tau_mode: str
    predictor: str
    rtol: float
    max_steps: int

    @property
    def fixed_p(self) -> bool:
        """Whether p stays."""
        return self.predictor == "identity"

    @property
    def fixed_tau(self) -> bool:
        """Whether tau stays."""
        return self.tau_mode == "constant" or self.target == "online"

    def part(self, name: str, lanes: slice) -> np.ndarray:
        """Return one argument for some lanes."""
        value = self.values[name]
        return value[lanes] if value.ndim else np.full(len(range(*lanes.indices(self.n))), value)

    def escape_levels(self, lanes: slice) -> np.ndarray:
        """Return the p of escape for some lanes."""
        if self.fixed_p:
            return np.full(len(range(*lanes.indices(self.n))), np.inf)
        named = ("alpha_p", "eta_p", "eta_s", "x", "x_aug", "s", "tau")
        parts = (self.part(name, lanes) for name in named)
        return escape_level(*parts, target=self.target, tau_mode=self.tau_mode)


def check(
    values: dict[str, Any], t1: Any, target: str, tau_mode: str, predictor: str, rtol: Any, max_steps: Any
) -> LaneProblem:
    """Return the problem, or raise ValueError with one sentence on what is wrong."""
    _checks.one_of("predictor", predictor, PREDICTORS)
    _checks.one_of("target", target, ABLATIONS["target"].choices)
    _checks.one_of("tau_mode", tau_mode, ABLATIONS["tau"].choices)
    arrays = {name: _lane_array(name, value) for name, value in values.items()}
    lengths = {name: len(array) for name, array in arrays.items() if array.ndim}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ValueError(f"Lane arrays must have one length (or be numbers); got lengths {listed}.")
    for name in (*CONSTANTS, "s"):
        if arrays[name].size and arrays[name].min() < 0:
            raise ValueError(f"{name} must be >= 0; got {arrays[name].min():g}.")
    if predictor == "identity" and np.any(arrays["p"] != 1):
        raise ValueError("predictor='identity' means p = 1; got another p. Start from p = 1.")
    if target == "online" and tau_mode == "dynamic" and np.any(arrays["tau"] != 1):
        raise ValueError("target='online' means tau = 1; got another tau. Give tau=1, or use tau_mode='constant'.")
    if target != "ema":  # the rate of a frozen target is 0, an online one has none
        arrays["beta"] = np.zeros(())
    t1 = _checks.as_scalar("t1", t1, minimum=0.0, exclusive=True)
    rtol = _checks.as_scalar("rtol", rtol, minimum=0.0, exclusive=True)
    if not RTOL_RANGE[0] <= rtol <= RTOL_RANGE[1]:
        raise ValueError(f"rtol must be between {RTOL_RANGE[0]:g} and {RTOL_RANGE[1]:g}; got {rtol:g}.")
    n = next(iter(lengths.values()), 1)
    return LaneProblem(arrays, n, t1, target, tau_mode, predictor, rtol, _checks.as_whole("max_steps", max_steps))


def _lane_array(name: str, value: Any) -> np.ndarray:
    array = np.asarray(_checks.to_numpy(_checks.as_array(name, value, empty=True)), dtype=np.float64)
    if array.ndim > 1:
        raise ValueError(f"{name} must be a number or have one axis, the lanes; got shape {array.shape}. Use .ravel().")
    return array
