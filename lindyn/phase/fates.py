"""What becomes of starts: each is followed until it is caught by collapse or has come to the alive fixed point."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn import _checks, theory
from lindyn.display.brief import Brief
from lindyn.phase.system import PhaseSystem, parts

ROUNDS = 7  # the time followed doubles each round
CLOSE = 0.02  # relative distance to p_+ at which a start has arrived


@dataclass(frozen=True, repr=False)
class Fates(Brief):
    """The fate of every start.

    Args:
        labels: "collapsed", "alive" or "undecided", shaped like the starts.
        time: flow time up to which the last undecided one was followed.
    """

    labels: np.ndarray
    time: float

    @property
    def collapsed(self) -> np.ndarray:
        """Whether each start collapsed."""
        return self.labels == "collapsed"

    @property
    def undecided(self) -> np.ndarray:
        """Whether the fate of a start could not be told in the time followed."""
        return self.labels == "undecided"


def follow_fates(
    system: PhaseSystem,
    p: Any,
    s: Any,
    tau: Any = None,
    *,
    parameters: Mapping[str, Any] | None = None,
    rtol: float = 1e-8,
) -> Fates:
    """Follow starts until their fate is certain.

    Collapse is certain inside {|p| <= q, s <= S, tau^2 s <= S} (held tau: p <= q, s <= S), q = p_- (or x/(2 (x+x'))
    where there is none) and S = eta_p q / (alpha_p (x tau - (x+x') q)): no trajectory leaves that set, and s dies in
    it. In (p, w, a), s = w^2, tau = a/w: |w| cannot grow on w^2 = S, |p| not on |p| = q, |a| not on a^2 = S. (The
    saddle, its corner, is no start that round-off keeps.)

    A start with p < 0 and a moving target is followed in (p, w, a): there w can pass through 0, where tau = a/w is
    infinite and Eqs. 11-13 end, but Lemma 1 does not.

    Args:
        system: `plane(...)` or `ema(...)`.
        p: starts, any shape that broadcasts.
        s: starts, >= 0.
        tau: starts of tau, >= 0 (default 1; only for a moving tau).
        parameters: parameters that differ from start to start, by name, broadcasting with the starts.
        rtol: tolerance of the integration.

    Returns:
        `Fates`.

    Raises:
        ValueError: a start or parameter out of its range, or a tau for a system that holds it.
    """
    shape, y, values = _lanes(system, p, s, tau, dict(parameters or {}))
    labels = np.full(len(y[0]), "undecided", dtype="<U9")
    through_zero = (values["beta"] > 0) & (y[0] < 0)
    longest = 0.0
    for crossing in (False, True):
        some = np.flatnonzero(through_zero == crossing)
        if len(some):
            part = {name: value[some] for name, value in values.items()}
            labels[some], time = _follow(y[:, some], part, system.beta is None, crossing, rtol)
            longest = max(longest, time)
    return Fates(labels.reshape(shape), longest)


def _follow(
    y: np.ndarray, values: dict[str, np.ndarray], held: bool, crossing: bool, rtol: float
) -> tuple[np.ndarray, float]:
    """Return the labels of starts (p, s, tau) and the time followed, doubling it until all are told."""
    labels, edges = np.full(y.shape[1], "undecided", dtype="<U9"), _edges(values)
    if crossing:
        w = np.sqrt(y[1])
        y = np.stack([y[0], w, y[2] * w])
    time, horizon = 0.0, 10.0 / float(np.min(_pace(values)))
    for turn in range(ROUNDS + 1):
        labels = np.where(labels == "undecided", _judge(y, values, edges, held, crossing), labels)
        left = np.flatnonzero((labels == "undecided") & np.isfinite(y).all(axis=0))
        if not len(left) or turn == ROUNDS:
            break
        part = {name: value[left] for name, value in values.items()}
        y[:, left] = (_advance_weights if crossing else _advance)(y[:, left], part, horizon, held, rtol)
        time, horizon = time + horizon, 2 * horizon
    return labels, time


def _lanes(
    system: PhaseSystem, p: Any, s: Any, tau: Any, parameters: dict[str, Any]
) -> tuple[tuple[int, ...], np.ndarray, dict[str, np.ndarray]]:
    """Return the common shape, the starts (3, n) and every parameter as (n,)."""
    if tau is not None and system.beta is None:
        raise ValueError(f"tau is held at {system.tau:g} in this plane; leave tau out, or use phase.ema(...).")
    starts = {"p": p, "s": s, "tau": system.rest_tau if tau is None else tau}
    values: dict[str, Any] = {"alpha_p": 0, "eta_p": 0, "eta_s": 0, "x": 0, "x_aug": 0, "beta": 0.0} | system.values
    for name, value in parameters.items():
        if name not in system.values and name != "eta":
            raise ValueError(f"{name} is no parameter of this system; it has {', '.join(system.values)}.")
        values |= dict.fromkeys(parts(name), value)
    if "tau" in values:
        starts["tau"] = values.pop("tau")
    arrays = {name: np.asarray(_checks.as_array(name, value, empty=True)) for name, value in (starts | values).items()}
    for name, array in arrays.items():
        strict = name in ("alpha_p", "x")
        if name != "p" and (np.any(array < 0) or (strict and np.any(array == 0))):
            raise ValueError(f"{name} must be {'>' if strict else '>='} 0; got {array.min():g}.")
    full = dict(zip(arrays, np.broadcast_arrays(*arrays.values()), strict=True))
    shape = full["p"].shape
    flat = {name: np.array(array, dtype=float).ravel() for name, array in full.items()}
    y = np.stack([flat.pop(name) for name in ("p", "s", "tau")])
    flat["held"] = y[2].copy() if system.beta is None else np.ones_like(y[2])
    return shape, y, flat


def _pace(values: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the slowest rate to wait for, per lane."""
    slow = np.where(values["eta_s"] > 0, values["eta_s"], np.inf)
    slow = np.minimum(slow, np.where(values["eta_p"] > 0, values["eta_p"], np.inf))
    slow = np.minimum(slow, np.where(values["beta"] > 0, values["beta"], np.inf))
    return np.where(np.isfinite(slow), slow, 0.05)


def _edges(v: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the corner (q, S) of the set that collapse never leaves, and the alive fixed point, per lane."""
    total, drive = v["x"] + v["x_aug"], v["x"] * v["held"]
    critical = theory.critical_decay(v["held"], v["x"], v["x_aug"])
    discriminant = drive**2 - 4 * v["eta_s"] * total
    root = np.sqrt(np.where(v["eta_s"] <= critical, np.maximum(discriminant, 0), np.nan))
    p_plus = (drive + root) / (2 * total)
    with np.errstate(invalid="ignore", divide="ignore"):
        q = np.where(np.isnan(root), drive / (2 * total), v["eta_s"] / (total * p_plus))
        S = np.where(v["held"] > 0, v["eta_p"] * q / (v["alpha_p"] * np.maximum(drive - total * q, 1e-300)), np.inf)
        s_plus = v["eta_p"] / v["eta_s"] * p_plus**2 / v["alpha_p"]
    near = np.minimum(CLOSE, 0.1 * root / (total * p_plus))
    return {"q": q, "S": S, "p_plus": p_plus, "s_plus": s_plus, "near": near}


def _judge(
    y: np.ndarray, v: Mapping[str, np.ndarray], edges: Mapping[str, np.ndarray], held: bool, crossing: bool
) -> np.ndarray:
    """Return the label that each state, (p, s, tau) or (p, w, a), has earned by where it is."""
    size = (v["x"] / (v["x"] + v["x_aug"])) ** 2 / v["alpha_p"]
    with np.errstate(all="ignore"):
        p, s, tau = (y[0], y[1] ** 2, y[2] / y[1]) if crossing else y
        a2 = y[2] ** 2 if crossing else (tau * np.sqrt(s)) ** 2  # tau may have grown where s has all but vanished
        within = (p <= edges["q"]) & (s <= edges["S"])
        if not held:
            within &= (p >= -edges["q"]) & (a2 <= edges["S"])
        caught = within & ((p < edges["q"]) | (s < edges["S"]))
        growth = p * (v["x"] * tau - (v["x"] + v["x_aug"]) * p) - v["eta_s"]
        undamped = (v["eta_p"] == 0) | (v["eta_s"] == 0)
        gone = ((s == 0) & (a2 == 0)) | (undamped & (s < 1e-14 * size) & (growth < 0))
        near = edges["near"]
        arrived = (np.abs(p / edges["p_plus"] - 1) < near) & (np.abs(tau / v["held"] - 1) < near)
        free = (v["eta_s"] == 0) & (v["eta_p"] == 0)
        kept = s + (edges["p_plus"] ** 2 - p**2) / v["alpha_p"]  # where s ends: s - p^2/alpha_p is conserved (Eq. 14)
        arrived &= np.where(free, kept > 1e-9 * size, np.abs(s / edges["s_plus"] - 1) < 5 * near)
    return np.where(caught | gone, "collapsed", np.where(arrived, "alive", "undecided"))


def _advance(y: np.ndarray, v: Mapping[str, np.ndarray], time: float, held: bool, rtol: float) -> np.ndarray:
    """Return the states (p, s, tau) after a time."""
    from lindyn.solve.lanes import solve_lanes

    run = solve_lanes(
        v["alpha_p"], v["beta"], v["eta_p"], v["eta_s"], v["x"], v["x_aug"], *y,
        t1=time, tau_mode="constant" if held else "dynamic", rtol=rtol,
    )  # fmt: skip
    return np.stack([run.p, run.s, run.tau])


def _advance_weights(y: np.ndarray, v: Mapping[str, np.ndarray], time: float, held: bool, rtol: float) -> np.ndarray:
    """Return the states (p, w, a) after a time, by `lindyn.simulate` (scipy: nothing to compile)."""
    from lindyn.flows import ModeWeightFlow
    from lindyn.hyperparameters import Hyperparameters
    from lindyn.solve.ode import simulate
    from lindyn.states import ModeWeightState

    rates = Hyperparameters._unchecked(**{name: v[name] for name in ("alpha_p", "beta", "eta_p", "eta_s")})
    flow = ModeWeightFlow(Hyperparameters(), x=v["x"], x_aug=v["x_aug"])._replace(hp=rates)
    start = ModeWeightState(p=y[0], w=y[1], a=y[2])
    run = simulate(flow, start, ts=[0.0, time], rtol=rtol, atol=1e-200, engine="scipy", solver="dopri8", throw=False)
    return np.stack([run.states.p[-1], run.states.w[-1], run.states.a[-1]])
