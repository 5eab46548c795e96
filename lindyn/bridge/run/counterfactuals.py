"""What the theory says would become of a run's modes under other rates: each mode simulated from its reading.

Of projections z = W h, s_j = k_j w_j^2 and r_j = x_j / k_j are measured, and k_j = s_j / |W^T u_j|^2 is read off the
last linear layer (`flow`). A loss of directions moves the gradient 1/tr F times as fast, decay and EMA not, which is
x and x' times 1/tr F. So a mode stands at (p, w^2, tau) with x = g k r, x' = g k (1 - r), w^2 = s / k.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lindyn._options import ABLATIONS
from lindyn.bridge.records import ABOVE_NOISE, ModeReading, Pieces
from lindyn.bridge.run.description import RunDescription
from lindyn.bridge.run.flow import NotPossible
from lindyn.bridge.run.start import Reading, of_projections
from lindyn.bridge.settings import Rates, Settings
from lindyn.bridge.training.networks import PredictorKind
from lindyn.display.brief import Brief
from lindyn.sweeps import outcome

DECAY_TIMES = 30.0
"""A run is as long as this many times 1/eta_s: a mode below the saddle shrinks as exp(-2 eta_s t)."""
LONGEST, SHORTEST = 1e6, 1e3  # flow time; SHORTEST also where there is no decay
RTOL = 1e-6
TARGETS = ABLATIONS["target"].choices
ALIGNED = 0.5**0.5
"""Mean cosine of the leading modes from which they count as aligned, as in the law on alignment."""


@dataclass(frozen=True, repr=False)
class Counterfactual(Brief):
    """What becomes of the modes under some rates.

    Args:
        name: short name of the change ("as it was", "half the decay", ...).
        words: the change in words, with its numbers.
        alive: modes that live (in `sweeps.outcome`'s sense, whether or not they grew).
        collapsed: modes past the point of no return.
        undecided: modes of which neither can be said.
        duration: flow time simulated.
    """

    name: str
    words: str
    alive: int
    collapsed: int
    undecided: int
    duration: float


def modes_of_run(readings: Sequence[tuple[Pieces, Reading]], run: RunDescription) -> ModeReading | None:
    """Return where the modes of a run stood at the first of its checkpoints in which they mean something.

    Decoupled modes are those of a predictor that shares F's eigenvectors, which a random start does not.

    Args:
        readings: (pieces, measured) in the order of training.
        run: what is known of the run.

    Returns:
        The reading of the first aligned checkpoint, without one of the first that can be read; None where p, s, tau or
        x are not known.
    """
    place = first_aligned(readings)
    order = range(len(readings)) if place is None else [place, *range(len(readings))]
    for k in order:
        pieces, measured = readings[k]
        if measured.F is None or not measured.samples or not np.trace(measured.F) > 0:
            continue
        try:
            return _reading(pieces, measured, run, _words(pieces, len(readings), k, place))
        except (NotPossible, ArithmeticError):
            continue
    return None


def first_aligned(readings: Sequence[tuple[Pieces, Reading]]) -> int | None:
    """Return which reading is the first whose leading modes are aligned; None where none is."""
    return next((place for place, (_, measured) in enumerate(readings) if _alignment(measured) >= ALIGNED), None)


def _alignment(measured: Reading) -> float:
    """Return the mean cosine of the modes that stand out of the noise; -1 where it is not known."""
    if measured.diagnosis is None or not measured.leading:
        return -1.0
    return float(np.nan_to_num(np.mean(measured.diagnosis.alignment[: measured.leading]), nan=-1.0))


def _words(pieces: Pieces, count: int, place: int, aligned: int | None) -> str:
    if count == 1:
        return "this checkpoint"
    where = f"step {pieces.step:,}" if pieces.step is not None else pieces.path.name
    return f"the first aligned checkpoint ({where})" if place == aligned else f"a checkpoint not yet aligned ({where})"


def _reading(pieces: Pieces, measured: Reading, run: RunDescription, words: str) -> ModeReading:
    start, notes = of_projections(pieces, measured, run)
    found, gain = start.modes(), run.loss.gain(start.F)
    known = measured.samples * found.s >= ABOVE_NOISE * found.s.sum()  # of the others u_j, p_j and x_j are not known
    with np.errstate(invalid="ignore"):
        values = (found.p, found.s / found.k, found.tau, gain * found.k * found.r, gain * found.k * (1 - found.r))
    p, s, tau, x, x_aug = (value[known] for value in values)
    return ModeReading.of(p, s, tau, x, x_aug, words, tuple(notes))


def changes(rates: Rates) -> dict[str, tuple[str, Rates]]:
    """Return the runs that are tried: name -> (words, rates); the first is the run as it was.

    SGD adds the decay to the gradient, so that a faster predictor also decays faster: alpha_p x k takes eta_p x k. That
    leaves the saddle s_- = (eta_p/eta_s) p_-^2/alpha_p where it is; with eta_p kept (the paper's Obs. #1: the training
    decay of the predictor divided by k) the saddle moves down.
    A slower EMA is a smaller beta: gamma_a nearer to 1.

    Args:
        rates: of the run; alpha_p, eta_s, eta_p and, with an EMA, beta must be known.

    Returns:
        The changes in order.
    """
    assert rates.alpha_p is not None and rates.eta_s is not None and rates.eta_p is not None
    found = {"as it was": ("the run's own rates", rates)}
    if rates.eta_s > 0 or rates.eta_p > 0:
        half = replace(rates, eta_s=rates.eta_s / 2, eta_p=rates.eta_p / 2)
        found["half the decay"] = (f"eta_s = {half.eta_s:.3g}, eta_p = {half.eta_p:.3g}", half)
        found["no decay"] = ("eta_s = eta_p = 0", replace(rates, eta_s=0.0, eta_p=0.0))
    for factor in (2.0, 5.0):
        faster = replace(rates, alpha_p=rates.alpha_p * factor, eta_p=rates.eta_p * factor)
        words = f"alpha_p = {faster.alpha_p:.3g}, eta_p = {faster.eta_p:.3g} with it"
        found[f"alpha_p x {factor:g}"] = (words, faster)
    if rates.eta_p > 0:
        kept = replace(rates, alpha_p=rates.alpha_p * 5)
        found["alpha_p x 5, eta_p kept"] = (f"alpha_p = {kept.alpha_p:.3g}, eta_p = {kept.eta_p:.3g}", kept)
    if rates.target == "ema" and rates.beta:
        for name, factor in (("a slower EMA", 0.25), ("a faster EMA", 4.0)):
            other = replace(rates, beta=rates.beta * factor)
            gap = "a quarter of" if factor < 1 else "four times"
            found[name] = (f"beta = {other.beta:.3g}, 1 - gamma_a {gap} the run's", other)
    return found


def rule_of(settings: Settings) -> str:
    """Return the closed-form rule that sets W_p, "" where the predictor is trained or not known."""
    return PredictorKind.of(settings.get("model.predictor")).rule


def missing(rates: Rates) -> tuple[str, ...]:
    """Return the names of rates without which no mode can be simulated."""
    needed = {"alpha_p": rates.alpha_p, "eta_s": rates.eta_s, "eta_p": rates.eta_p}
    if rates.target == "ema":
        needed["beta"] = rates.beta
    found = tuple(name for name, value in needed.items() if value is None)
    return found if rates.target in TARGETS else (*found, "target")


def simulate_changes(start: ModeReading, rates: Rates, threads: int = 1) -> tuple[Counterfactual, ...]:
    """Return what becomes of the modes under the run's rates and under each of `changes`.

    Eqs. 11-13 are integrated for every mode from where it stands; alive, collapsed and undecided are told as in
    `lindyn.sweep`, by the saddle of each mode.

    Args:
        start: where the modes stand.
        rates: of the run.
        threads: threads of the integration.

    Returns:
        One `Counterfactual` per change, the run itself first; () where a rate or every mode is unknown.

    Source: Tian, Chen, Ganguli 2021, Eqs. 11-13.
    """
    if missing(rates) or len(start) == 0:
        return ()
    duration = _duration(rates)
    return tuple(
        _outcome(name, words, start, changed, duration, threads) for name, (words, changed) in changes(rates).items()
    )


def outcome_under(start: ModeReading, rates: Rates, threads: int = 1) -> Counterfactual:
    """Return what becomes of the modes under these rates alone, for as long as these rates' own decay takes."""
    return _outcome("as given", "the rates as given", start, rates, _duration(rates), threads)


def _duration(rates: Rates) -> float:
    """Return one flow time for all changes, so that their numbers can be compared: by half the run's decay."""
    if not rates.eta_s:
        return SHORTEST
    return float(np.clip(DECAY_TIMES / (rates.eta_s / 2), SHORTEST, LONGEST))


def _outcome(name: str, words: str, start: ModeReading, rates: Rates, t1: float, threads: int) -> Counterfactual:
    from lindyn.solve.lanes.api import solve_lanes

    target = rates.target
    values = {
        "alpha_p": rates.alpha_p, "beta": rates.beta or 0.0, "eta_p": rates.eta_p, "eta_s": rates.eta_s,
        "x": start.x, "x_aug": start.x_aug, "p": start.p, "s": start.s,
        "tau": np.ones_like(start.tau) if target == "online" else start.tau,
    }  # fmt: skip
    full: dict[str, Any] = {
        key: np.broadcast_to(np.asarray(value, dtype=float), start.p.shape).copy() for key, value in values.items()
    }
    done = solve_lanes(**full, t1=t1, target=target, rtol=RTOL, threads=threads)
    codes = outcome.label(full, done.p, done.s, done.tau, target=target)
    alive = int(np.sum((codes == outcome.ALIVE) | (codes == outcome.NOT_GROWING)))
    collapsed = int(np.sum(codes == outcome.COLLAPSED))
    return Counterfactual(name, words, alive, collapsed, len(start) - alive - collapsed, t1)
