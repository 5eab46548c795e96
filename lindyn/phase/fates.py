"""What becomes of starts: each is followed until it is caught by collapse or has come to the alive fixed point."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn import _checks, theory
from lindyn.display.brief import Brief
from lindyn.phase.system import PhaseSystem, check_system, parts

ROUNDS = 9  # the time followed doubles each round
FIRST_ROUND = 2.5  # decay times; most are told within, and are not followed on
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

    From a start with p < 0 and a moving target w can pass through 0, where tau = a/w is infinite and Eqs. 11-13 end,
    but Lemma 1 does not: there the lanes go on in (p, w, a). Past it (p, s, tau), now with tau < 0, say all again,
    since (w, a) and (-w, -a) move alike.

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
    check_system(system)
    shape, y, values = _lanes(system, p, s, tau, dict(parameters or {}))
    if not y.size:
        return Fates(np.empty(shape, dtype="<U9"), 0.0)
    held = system.beta is None
    labels, edges = np.full(y.shape[1], "undecided", dtype="<U9"), _edges(values)
    time, horizon = 0.0, FIRST_ROUND / float(np.min(_pace(values)))
    left = np.arange(y.shape[1])
    for turn in range(ROUNDS + 1):
        some, at = ({name: value[left] for name, value in each.items()} for each in (values, edges))
        labels[left] = _judge(y[:, left], some, at, held)
        still = (labels[left] == "undecided") & np.isfinite(y[:, left]).all(axis=0)
        left = left[still]
        if not len(left) or turn == ROUNDS:
            break
        y[:, left] = _advance(y[:, left], {name: value[still] for name, value in some.items()}, horizon, held, rtol)
        time, horizon = time + horizon, 2 * horizon
    return Fates(labels.reshape(shape), time)


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


def _judge(y: np.ndarray, v: Mapping[str, np.ndarray], edges: Mapping[str, np.ndarray], held: bool) -> np.ndarray:
    """Return the label that each state (p, s, tau) has earned by where it is."""
    size = (v["x"] / (v["x"] + v["x_aug"])) ** 2 / v["alpha_p"]
    p, s, tau = y
    with np.errstate(all="ignore"):
        a2 = (tau * np.sqrt(s)) ** 2  # tau may have grown where s has all but vanished
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
