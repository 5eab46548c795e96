"""The theory's boundaries on the grid of a sweep: where collapse is certain, whatever the run says."""

from typing import Any

import numpy as np

from lindyn.sweeps.axes import KNOWN, PRACTICES
from lindyn.theory.stationary_points import branches, critical_decay

LABELS = {parameter.label: name for name, parameter in KNOWN.items()}
CRITICAL = r"critical decay $x^2/4(x+x^\prime)$"
BOX = r"start wholly below the saddle: sure collapse"
P_MINUS = r"$p_0 = p_-(\eta, \tau_0)$ ($\tau$ held)"
FROZEN = r"frozen target: $x\,a_0 = \sqrt{\eta_p\eta_s/\alpha_p}$"


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
    found = {CRITICAL: critical, BOX: above - 1}
    if settings["target"] == "ema" and not held:
        slow = _apply(lambda *args: branches(*args)[0], g["eta_s"], g["tau"], g["x"], g["x_aug"])
        found[P_MINUS] = g["p"] - slow
    return found


def _apply(function: Any, *arguments: Any) -> Any:
    import xarray

    return xarray.apply_ufunc(function, *arguments)


def _maximum(a: Any, b: Any) -> Any:
    return _apply(np.maximum, a, b)
