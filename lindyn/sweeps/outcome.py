"""What became of a mode, decided by theory from where it is at the end of its run.

In the weights w = sqrt(s) (online) and a = tau w (target), with v = x + x_aug,

    dp/dt = alpha_p w (x a - v p w) - eta_p p,  dw/dt = p (x a - v p w) - eta_s w,  da/dt = beta (w - a).

**collapsed**: past the point of no return. Two boxes cannot be left, for every beta and however slow the target is:

- below the saddle, |p| <= p_-, w <= w_-, |a| <= w_-, with p_- and w_-^2 = s_- = (eta_p/eta_s) p_-^2/alpha_p the
  saddle at tau = 1. On its face w = w_-, x p a - v p^2 w_- is largest at p = p_-, a = w_- (as p_- <= x/(2v)), where
  dw/dt = 0; on |p| = p_- likewise; on |a| = w_-, d|a|/dt <= 0.
- where the decays win over the products, x m <= sqrt(eta_p eta_s/alpha_p) with m = max(w, |a|, |p|/r), r^2 = eta_s
  alpha_p/eta_p: there dw/dt <= r m x m - eta_s m <= 0 on w = m, and so on. It exists above the critical decay too.

Inside them everything shrinks to 0. Where decay leaves no box (eta_s = 0; or eta_p = 0 or alpha_p = 0, where
nothing can live at eta_s > 0), a mode has collapsed when s is under 1e-6 of its start and falls.

**alive**: every coordinate is above the saddle, p >= p_-, w >= w_-, a >= w_-, and p is not far above p_+ with s
still small; at eta_s = 0, where there is no saddle, p > 0 and s is not gone. This is no proof: of 20 889 random
runs (rates and starts over four decades) labelled alive at t = 100, 37 collapsed later. **not_growing**: alive, but
s ended below `grown` times its start (Obs#2: a large alpha_p lets p catch up at once, and s stays where it began).

**undecided**: neither; the run was too short to tell. Above the critical decay x^2/(4v) this means: still on its
way to collapse, which a slow target can delay for long. **failed**: the integration did not reach its end.

A frozen target (a constant) has no saddle: a mode lives if and only if x |a| > sqrt(eta_p eta_s/alpha_p), where r =
x a - v p w balances both decays; a held tau has the saddle of that tau. Without a predictor (p held) the pair (w,
a) is linear and lives if and only if p x > v p^2 + eta_s, or with a frozen target whenever p a > 0.
"""

from typing import Any

import numpy as np

from lindyn.equations import modes
from lindyn.sweeps.axes import KNOWN, PRACTICES
from lindyn.theory.stationary_points import branches, critical_decay

OUTCOMES = ("collapsed", "alive", "not_growing", "undecided", "failed")
COLLAPSED, ALIVE, NOT_GROWING, UNDECIDED, FAILED = range(5)
GONE = 1e-6  # share of its start below which s has gone to nothing
GROWN = 1.1
FINE = 100  # values of an axis on which the edge of collapse is looked for
FAR = 1.1  # of p_+: past it p falls, and s with it, perhaps below the saddle


def label(
    start: dict[str, np.ndarray],
    p: np.ndarray,
    s: np.ndarray,
    tau: np.ndarray,
    *,
    target: str = "ema",
    tau_mode: str = "dynamic",
    predictor: str = "trained",
    grown: float = GROWN,
) -> np.ndarray:
    """Return the outcome of each mode as an index into `OUTCOMES`.

    Args:
        start: parameters and initial values of the modes: alpha_p, eta_p, eta_s, x, x_aug, p, s, tau, flat arrays.
        p: final predictor eigenvalue.
        s: final eigenvalue of F.
        tau: final target / online ratio.
        target: "ema", "online" or "frozen".
        tau_mode: "dynamic", or "constant" where tau is held.
        predictor: "trained", or "identity" where p is held.
        grown: how many times its start s must be to count as grown.

    Returns:
        int8 array.
    """
    with np.errstate(all="ignore"):  # a run that blew up is no error here
        if predictor == "identity":
            collapsed, alive = _held_predictor(start, p, s, tau, target, tau_mode)
        elif target == "frozen" and tau_mode == "dynamic":
            collapsed, alive = _frozen(start, s, tau)
        else:
            collapsed, alive = _saddle(start, p, s, tau, target, tau_mode)
            still = (start["alpha_p"] == 0) & (start["eta_p"] == 0)
            if np.any(still):
                held = _held_predictor(start, p, s, tau, target, tau_mode)
                collapsed, alive = np.where(still, held[0], collapsed), np.where(still, held[1], alive)
        living = np.where(s >= grown * start["s"], ALIVE, NOT_GROWING)
    code = np.where(collapsed, COLLAPSED, np.where(alive, living, UNDECIDED))
    return np.where(np.isfinite(p) & np.isfinite(s) & np.isfinite(tau), code, FAILED).astype(np.int8)


def _saddle(
    start: dict[str, np.ndarray], p: Any, s: Any, tau: Any, target: str, tau_mode: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return (collapsed, alive) from the side of the saddle."""
    alpha_p, eta_p, eta_s, x, x_aug = (start[name] for name in ("alpha_p", "eta_p", "eta_s", "x", "x_aug"))
    level = start["tau"] if tau_mode == "constant" else np.ones_like(p)  # the ratio that fixed points have
    p_minus, p_plus = branches(eta_s, level, x, x_aug)
    spread = np.sqrt(eta_p / eta_s / alpha_p)  # w = spread p at the fixed points
    w_minus = p_minus * spread
    w = np.sqrt(s)
    a = tau * w if target == "ema" and tau_mode == "dynamic" else w
    decays = eta_s > 0
    doomed = decays & ((eta_s > critical_decay(level, x, x_aug)) | (eta_p == 0) | (alpha_p == 0))
    inside = (np.abs(p) < p_minus) & (w < w_minus) & (np.abs(a) < w_minus)
    size = np.maximum(np.maximum(w, np.abs(a)), np.abs(p) * spread)
    inside |= level * x * size < np.sqrt(eta_p * eta_s / alpha_p)
    far = (p > FAR * p_plus) & (w < p_plus * spread)
    above = (p >= p_minus) & (w >= w_minus) & (a >= w_minus) & ~far
    gone = (s <= GONE * start["s"]) & (modes.growth(p, modes.drive(p, tau, x, x_aug), eta_s) < 0)
    collapsed = (decays & inside) | ((doomed | ~decays) & gone)
    return collapsed, ~collapsed & np.where(decays, above & ~doomed, p > 0)


def _frozen(start: dict[str, np.ndarray], s: Any, tau: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return (collapsed, alive) for a target that never moves: the balance of both decays decides."""
    a = np.abs(start["tau"]) * np.sqrt(start["s"])
    weakest = np.sqrt(start["eta_p"] * start["eta_s"] / start["alpha_p"])
    collapsed = (start["x"] * a <= weakest) & ((weakest > 0) | (a == 0))
    return collapsed, ~collapsed & (s > 0)


def _held_predictor(
    start: dict[str, np.ndarray], p: Any, s: Any, tau: Any, target: str, tau_mode: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return (collapsed, alive) where p does not move: (w, a) is linear."""
    level = start["tau"] if tau_mode == "constant" else np.ones_like(p)
    rate = modes.growth(p, modes.drive(p, level, start["x"], start["x_aug"]), start["eta_s"])
    if target == "frozen" and tau_mode == "dynamic":
        return p * start["tau"] <= 0, (p * start["tau"] > 0) & (s > 0)
    return rate < 0, rate >= 0


LABELS = {parameter.label: name for name, parameter in KNOWN.items()}
CRITICAL = r"critical decay $x^2/4(x+x^\prime)$"
BOX = r"start wholly below the saddle: sure collapse"
EDGE = "edge of collapse from this start, followed without end"
FROZEN = r"frozen target: $x\,a(0) = \sqrt{\eta_p\eta_s/\alpha_p}$"


def parameters(ds: Any) -> dict[str, Any]:
    """Return every parameter of a sweep of modes as arrays that broadcast over its axes.

    Args:
        ds: a Dataset of `sweep`, whole or a part of it.

    Returns:
        alpha_p, beta, eta_p, eta_s, x, x_aug, p, s, tau as xarray.DataArray or number.
    """
    import xarray

    fixed = {name: ds.attrs.get(label) for label, name in LABELS.items()}
    known: dict[str, Any] = {name: value for name, value in fixed.items() if isinstance(value, int | float)}
    for label, name in LABELS.items():
        if label in ds.coords:
            values = ds[label]
            if values.dtype.kind not in "fi":
                values = xarray.DataArray([PRACTICES[str(word)] for word in np.atleast_1d(values)], dims=label)
                values = values if label in ds.dims else values[0]
            known[name] = values
    eta = known.pop("eta", None)
    for name in ("eta_p", "eta_s"):
        known.setdefault(name, eta)
    if "s" not in known:
        known["s"] = known["p"] ** 2 / known["alpha_p"]
    return known


def fields(ds: Any) -> dict[str, Any]:
    """Return fields over the axes whose zero is a boundary of theory, by their names.

    Args:
        ds: a Dataset of `sweep`.

    Returns:
        name -> DataArray that is negative on the side of collapse; only boundaries that these settings have.
    """
    g = parameters(ds)
    settings = ds.attrs
    a0 = g["tau"] * np.sqrt(g["s"])
    if settings["predictor"] == "identity":
        return {}
    if settings["target"] == "frozen" and settings["tau_mode"] == "dynamic":
        weakest = np.sqrt(g["eta_p"] * g["eta_s"] / g["alpha_p"])
        return {FROZEN: g["x"] * abs(a0) - weakest}
    held = settings["tau_mode"] == "constant"
    level = g["tau"] if held else 1.0
    critical = _apply(critical_decay, level, g["x"], g["x_aug"]) - g["eta_s"]
    p_minus = _apply(lambda *args: branches(*args)[0], g["eta_s"], level, g["x"], g["x_aug"])
    with np.errstate(all="ignore"):
        w_minus = p_minus * np.sqrt(g["eta_p"] / g["eta_s"] / g["alpha_p"])
        above = _maximum(g["p"] / p_minus, np.sqrt(g["s"]) / w_minus)
        if settings["target"] == "ema" and not held:
            above = _maximum(above, abs(a0) / w_minus)
    return {CRITICAL: critical, BOX: above - 1}


def edge_of_start(ds: Any) -> Any:
    """Return where the starts of a sweep collapse, on finer axes than its own; None where that is not known.

    The starts are followed until their fate is certain (`lindyn.phase.follow_fates`), so that the edge is that of the
    given p(0), s(0), tau(0): the separatrix of a held tau or an online target, the stable manifold of a moving one.
    p_- alone is the edge only on the parabola s = p^2/alpha_p at held tau.

    Args:
        ds: a Dataset of `sweep` of one axis or two.

    Returns:
        DataArray, -0.5 where a start collapses, 0.5 where it lives, 0 where that could not be told; None for a frozen
        target or a held predictor, for rates of 0 without which there is no saddle, and for p(0) < 0 with a moving
        target (w may pass through zero, where tau has no value).
    """
    import xarray

    from lindyn import phase
    from lindyn.phase.refinement import refine

    settings = ds.attrs
    moving = settings["target"] == "ema" and settings["tau_mode"] == "dynamic"
    if settings["predictor"] == "identity" or settings["target"] == "frozen":
        return None
    fine = xarray.Dataset(coords={name: _finer(ds, name) for name in ds.coords}, attrs=settings)
    g, dims = parameters(fine), ds["outcome"].dims
    if any(np.min(g[name]) <= 0 for name in ("alpha_p", "x", *(["beta"] if moving else []))):
        return None
    if np.min(g["tau"]) < 0 or (moving and np.min(g["p"]) < 0):
        return None
    blank = xarray.DataArray(np.zeros([fine.sizes[axis] for axis in dims]), dims=dims, coords=fine.coords)
    at = {name: (blank + value).transpose(*dims).values for name, value in g.items()}
    rates = {name: at[name] for name in ("alpha_p", "eta_p", "eta_s", "x", "x_aug")}
    held = at["tau"] if settings["tau_mode"] == "constant" else np.ones_like(at["tau"])
    rates |= {"beta": at["beta"]} if moving else {"tau": held}

    def told(index: tuple[np.ndarray, ...]) -> np.ndarray:
        some = {name: value[index] for name, value in rates.items()}
        system, tau = (phase.ema(), at["tau"][index]) if moving else (phase.plane(), None)
        fates = phase.follow_fates(system, at["p"][index], at["s"][index], tau, parameters=some)
        return np.where(fates.collapsed, 0, np.where(fates.undecided, 1, 2))

    codes = refine(told, blank.shape).codes if min(blank.shape) > 1 else told(tuple(np.indices(blank.shape)))
    return blank + (codes / 2 - 0.5)


def _finer(ds: Any, name: str) -> Any:
    """Return a coordinate, an axis of numbers with more of them between its ends, evenly or on a log scale as it is."""
    values = ds[name].values
    if name not in ds["outcome"].dims or values.dtype.kind not in "fi" or not 2 < len(values) < FINE:
        return ds.coords[name]
    if values[0] > 0 and np.allclose(values[1:] / values[:-1], values[1] / values[0], rtol=1e-6):
        return (name, np.geomspace(values[0], values[-1], FINE))
    return (name, np.interp(np.linspace(0, len(values) - 1, FINE), np.arange(len(values)), values))


def _apply(function: Any, *arguments: Any) -> Any:
    import xarray

    return xarray.apply_ufunc(function, *arguments)


def _maximum(a: Any, b: Any) -> Any:
    return _apply(np.maximum, a, b)
