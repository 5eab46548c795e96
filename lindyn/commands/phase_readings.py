"""What each picture of `lindyn phase` shows, in a paragraph of plain words."""

from typing import Any

import numpy as np

from lindyn import phase, theory


def critical_of(system: phase.PhaseSystem) -> float:
    """Return the decay at which p_- meets p_+ and above which only collapse is left."""
    return float(theory.critical_decay(system.rest_tau, system.x, system.x_aug))


def read_portrait(data: Any) -> str:
    """Return the reading of a portrait."""
    system, found = data.system, data.fixed.points
    critical = critical_of(system)
    if data.fixed.lines:
        return (
            f"Without decay of the predictor (eta_p = {system.eta_p:g}, eta_s = {system.eta_s:g}) fixed points fill "
            "lines: on s = 0 the mode has collapsed at any p"
            + (f", and on p = {system.p_star:.4g} it lives at any s." if system.eta_s == 0 else ".")
            + " At eta = 0 s - p^2/alpha_p is kept, so a start collapses exactly when alpha_p s <= p^2 and p < 0, or "
            f"alpha_p s <= p^2 - {system.p_star:.4g}^2 and p > 0."
        )
    if system.eta_s == 0:
        return "Only the predictor decays: the origin is the only fixed point, reached slowly."
    if not any(point.stability == "saddle" for point in found):
        word = "above" if system.eta_s > critical * (1 + 1e-9) else "at"
        return (
            f"eta = {system.eta_s:g} is {word} the critical decay tau^2 x^2/(4 (x + x')) = {critical:.6g}: "
            + ("p = s = 0 is the only fixed point and every start collapses." if word == "above" else
               "p_- and p_+ have just met; the slightest further decay leaves only collapse.")
        )  # fmt: skip
    saddle = next(point for point in found if point.stability == "saddle")
    alive = [point for point in found if point.stability == "stable" and point.point[1] > 0]
    end = f"p_+ = {alive[0].point[0]:.4g} (s = {alive[0].point[1]:.4g}, a stable {alive[0].kind})" if alive else "p_+"
    rate = saddle.eigenvalues.real.max()
    p, s = data.separatrix.curve.T
    at_left = float(s[0]) if p[0] <= data.box[0][0] + 1e-6 else np.inf
    left = f" A negative start p = {data.box[0][0]:.2g} needs s > {at_left:.3g}." if np.isfinite(at_left) else ""
    low = float(np.min(s[s > 0]))
    big = (
        f" To the right the separatrix comes down to s = {low:.1e}: a large enough predictor rescues almost any s, "
        "since s grows faster than p decays."
        if low < 1e-3 * saddle.point[1]
        else ""
    )
    return (
        f"Two fates: collapse at p = s = 0, and {end}. The saddle p_- = {saddle.point[0]:.4g}, "
        f"s = {saddle.point[1]:.4g} (unstable rate {rate:.3g}) lies between; the thick curve through it, its stable "
        f"manifold, is the edge of the basin of collapse (shaded).{left}{big} The decay is at "
        f"{system.eta_s / critical:.0%} of the critical {critical:.4g}."
    )


def read_bifurcation(system: phase.PhaseSystem, data: Any, off: float) -> str:
    """Return the reading of a bifurcation diagram."""
    fold, critical = data.fold, critical_of(system)
    return (
        f"Up to eta = {fold.parameter:.10g} a mode can live at p_+ (full line) if it starts above p_- (dashed); there "
        f"the two meet in a fold at p = {fold.point[0]:.6g} and above it only collapse is left. Continuation finds the "
        f"fold to {fold.precision:.0e}; the closed form tau^2 x^2/(4 (x + x')) = {critical:.10g} differs by "
        f"{abs(fold.parameter - critical):.0e}. At eta = {round(data.transcritical.parameter, 14) + 0:g} "
        f"(+- {data.transcritical.precision:.0e}) p_- passes through p = 0 and "
        "trades stability with collapse (transcritical): with any decay at all, p = 0 attracts. Along the curve the "
        f"closed forms are met to {off:.0e}; {_pairs(data)}."
    )


def _pairs(data: Any) -> str:
    """Return whether a complex pair of eigenvalues comes near the imaginary axis along the curve."""
    values = data.eigenvalues[data.eta > 0]
    pair = np.abs(values.imag) > 1e-9
    crossing = pair & (np.abs(values.real) < 1e-6 * np.abs(values.imag))
    return f"{'a' if crossing.any() else 'no'} pair of eigenvalues crosses the imaginary axis"


def read_two_parameter(system: phase.PhaseSystem, data: Any) -> str:
    """Return the reading of a two-parameter diagram."""
    words = {"tau": "the target ratio tau", "x_aug": "the augmentation sigma^2", "alpha_p": "alpha_p", "beta": "beta",
             "x": "the data eigenvalue x"}  # fmt: skip
    off = float(np.max(np.abs(data.eta - data.closed_form)))
    ratio = data.closed_form[-1] / data.closed_form[0]
    trend = "does not change" if abs(ratio - 1) < 1e-9 else "rises" if ratio > 1 else "falls"
    return (
        f"Below the curve a mode can live, above it every start collapses. The largest decay a mode can bear {trend} "
        f"with {words[data.name]}: {data.eta[0]:.4g} at {data.values[0]:g}, {data.eta[-1]:.4g} at {data.values[-1]:g}. "
        f"The {len(data.eta)} folds found by continuation lie on tau^2 x^2/(4 (x + x')) to {off:.0e}."
    )


def read_basin(system: phase.PhaseSystem, data: Any, share: Any) -> str:
    """Return the reading of a basin map."""
    lost, unknown = np.mean(data.labels == "collapsed"), np.mean(data.labels == "undecided")
    target = "tau held" if system.beta is None else "the target moves"
    text = f"Of {data.labels.size} points of the map ({target}) {lost:.1%} collapse, {1 - lost - unknown:.1%} live"
    text += f" and {unknown:.1%} could not be told." if unknown else "."
    if data.edge:
        text += f" The edge between them is found to {data.precision:.0e} of its coordinate"
        run = int(np.sum(data.followed))
        text += (
            f"; {run} points near it were run, the others lie in cells of one fate." if run < data.labels.size else "."
        )
    if share is not None:
        text += (
            f" Drawn at random ({share.distribution}; {share.count} starts, seed {share.seed}) "
            f"{share.fraction:.1%} collapse, {share.level:.0%} interval {share.low:.1%} to {share.high:.1%}."
        )
    if "p" in data.names and system.beta is not None and np.any(data.first < 0):
        text += (
            " From p < 0 the online weight w may pass through 0, where tau = a/w is infinite and Eqs. 11-13 end; "
            "such runs are followed in (p, w, a)."
        )
    return text


def read_surface(system: phase.PhaseSystem, edge: Any, manifold: Any) -> str:
    """Return the reading of the edge in three dimensions."""
    p, s, _ = manifold.saddle.point
    copy, zero = np.argmin(np.abs(edge.tau - 1.0)), 0
    k = int(np.argmin(np.abs(edge.p - p)))
    known = np.isfinite(edge.s[k, [copy, zero]]).all() and edge.s[k, copy] > 0
    compare = (
        f" Near p = {edge.p[k]:.3g} a mode needs s > {edge.s[k, copy]:.3g} if its target starts at tau = "
        f"{edge.tau[copy]:.3g} and s > {edge.s[k, zero]:.3g} at tau = {edge.tau[zero]:.3g}: "
        f"{edge.s[k, zero] / edge.s[k, copy]:.3g} times as much."
        if known
        else ""
    )
    return (
        f"Shaded: the smallest start s that lives, for every start of p and tau (beta = {system.beta:g}), "
        f"by bisection; black lines: trajectories that run into the saddle p_- = {p:.4g}, s = {s:.4g}, tau = 1 "
        f"(diamond), seen from above; they lie in that edge.{compare}"
    )


def read_paths(paths: Any) -> str:
    """Return what becomes of the starts that were asked for."""
    ends = {"alive": "lives", "collapsed": "collapses", "undecided": "could not be told"}
    return " ".join(
        f"The start ({', '.join(f'{value:.4g}' for value in path.start)}) {ends[path.fate]}." for path in paths
    )
