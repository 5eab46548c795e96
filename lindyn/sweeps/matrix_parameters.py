"""What `sweep_matrices` varies and what it fixes: the table, and its arguments checked."""

from typing import Any

import numpy as np

from lindyn import _checks
from lindyn.flows import choices, losses
from lindyn.moments import Moments
from lindyn.stored import sums
from lindyn.sweeps import axes as ax

SETTINGS = ("system", "n1", "n2", "t1", "target", "predictor", "loss", "normalise", "rtol", "max_steps", "grown")
SYSTEMS = ("weights", "correlation")
SHARED = ("eta", "eta_p", "eta_s", "beta", "alpha_p", "x", "x_aug", "tau")
SCALES = (
    ax.Parameter("scale", "scale", "size of the initial W: entries N(0, scale^2/n1)", "1", 0.5, positive=True),
    ax.Parameter("scale_p", "scale_p", "size of the initial W_p: entries N(0, scale_p^2/n2)", "1", 1.0, positive=True),
)
TABLE = {name: ax.KNOWN[name] for name in SHARED} | {parameter.name: parameter for parameter in SCALES}


def settings(given: dict[str, Any], data: Any) -> dict[str, Any]:
    """Return the settings, checked, and a digest of the data.

    Args:
        given: `SETTINGS` by name.
        data: X and X', or None for isotropic ones.

    Raises:
        ValueError: a size below 1, an unknown word, a predictor that is not trained, data that are no moments.
    """
    predictor = given["predictor"]
    choices.check(given["target"], True, predictor)
    if predictor not in ("trained", "symmetrised"):
        why = ", under which nothing is learnt" if predictor == "identity" else ""
        raise ValueError(
            f"predictor must be 'trained' or 'symmetrised'; got {predictor!r}{why}. `simulate` runs others one by one."
        )
    words = {"system": SYSTEMS, "loss": (losses.SQUARED, losses.CLOSURE), "normalise": losses.NORMALISATIONS}
    told: dict[str, Any] = {name: _checks.one_of(name, given[name], allowed) for name, allowed in words.items()}
    told |= {"n1": _inputs(data, given["n1"]), "target": given["target"], "predictor": predictor}
    told |= {name: _checks.as_whole(name, given[name]) for name in ("n2", "max_steps")}
    t1 = 50.0 if given["t1"] is None else given["t1"]
    for name, value in (("t1", t1), ("rtol", given["rtol"]), ("grown", given["grown"])):
        told[name] = _checks.as_scalar(name, value, minimum=0.0, exclusive=True)
    if data is not None:
        told["data"] = sums.sha256_of_arrays(_checks.to_numpy(data.X), _checks.to_numpy(data.X_aug))
    return told


def parameters(given: dict[str, Any], told: dict[str, Any], data: Moments | None) -> dict[str, Any]:
    """Return the parameters of the grid, in the table's order.

    Args:
        given: what was given, by name.
        told: of `settings`.
        data: X and X' of unit x and x_aug, None for isotropic ones.

    Raises:
        ValueError: values out of range, or that have no meaning beside each other.
    """
    given = {name: value for name, value in given.items() if value is not None}
    if {"eta", "eta_p", "eta_s"} <= set(given):
        raise ValueError("Give eta, or eta_p and eta_s: with both of these, eta has no meaning.")
    if told["target"] == "online" and given.get("tau", 1.0) not in (1.0, "copy"):
        raise ValueError("target='online' means tau = 1; leave tau out.")
    parsed = {name: ax.parse(name, value, TABLE[name]) for name, value in given.items()}
    if not any(isinstance(value, ax.Axis) for value in parsed.values()) and not {"eta", "eta_p", "eta_s"} & set(parsed):
        parsed["eta"] = ax.parse("eta", np.linspace(0.0, 0.2, 11))
    both = {"eta_p", "eta_s"} <= set(parsed)
    if data is not None:
        parsed.setdefault("x_aug", 1.0)  # X' as it is
    full = {name: parsed.get(name, parameter.default) for name, parameter in TABLE.items()}
    found = {name: value for name, value in full.items() if value is not None and not (name == "eta" and both)}
    _check_choices(told, found, data)
    return found


def _inputs(data: Any, n1: Any) -> int:
    """Return n1, checked against the data."""
    if data is None:
        return 8 if n1 is None else _checks.as_whole("n1", n1)
    if not isinstance(data, Moments):
        raise ValueError(f"data must be Moments; got {type(data).__name__}. Wrap X and X' in Moments(X=, X_aug=).")
    if n1 is not None and n1 != data.n1:
        raise ValueError(f"n1 must be that of the data, {data.n1}; got {n1}. Leave n1 out.")
    return int(data.n1)


def times(given: Any, t1: Any) -> ax.Axis:
    """Return the axis of times at which everything is read; raise ValueError unless they rise from above 0."""
    if t1 is not None:
        raise ValueError("Give t1, or times, whose last one is the end.")
    values = np.asarray(_checks.as_array("times", given, ndim=1), dtype=float)
    if len(values) == 0 or values[0] <= 0 or np.any(np.diff(values) <= 0):
        raise ValueError(f"times must be rising numbers > 0; got {given!r}.")
    return ax.Axis("time", values, None, "when the systems are looked at", "flow time")


def _check_choices(settings: dict[str, Any], parsed: dict[str, Any], data: Moments | None) -> None:
    """Raise ValueError where choices do not go together."""
    plain = settings["loss"] == losses.SQUARED and settings["normalise"] == "none"
    if settings["system"] == "correlation" and not (plain and data is None):
        raise ValueError(
            "system='correlation' is the squared loss on isotropic data without BatchNorm; use system='weights' for "
            "data, loss='cosine' or normalise='batchnorm'."
        )
    if plain:
        return
    x, x_aug = (parsed[name].values if isinstance(parsed[name], ax.Axis) else np.array([parsed[name]])
                for name in ("x", "x_aug"))  # fmt: skip
    spectra = (np.ones(1), np.ones(1)) if data is None else data.joint_spectrum()[:2]
    if not np.any(x[0] * spectra[0] + x_aug[0] * spectra[1] > 0):
        raise ValueError(
            "x X + x_aug X' must not be 0 with loss='cosine' or normalise='batchnorm': all outputs are 0 then, and "
            "have neither direction nor deviation. Give larger x or x_aug, or other data."
        )
    tau = parsed["tau"]
    if np.any((tau.values if isinstance(tau, ax.Axis) else np.array([tau])) == 0):
        raise ValueError(
            "tau must not be 0 with loss='cosine' or normalise='batchnorm': all outputs of the target are 0 then, and "
            "have neither direction nor deviation. Use 'copy'."
        )
    if settings["loss"] != losses.SQUARED:
        if settings["n2"] == 1:
            raise ValueError("loss='cosine' of one output is a constant; got n2 = 1. Give n2 >= 2.")
        losses.check_shared(x[0] * spectra[0], x_aug[-1] * spectra[1])
