"""What `sweep_descent` varies and what it fixes: the table, and its arguments checked."""

import dataclasses
from typing import Any

import numpy as np

from lindyn import _checks
from lindyn._options import ABLATIONS, nearest
from lindyn.flows import choices, losses, rules
from lindyn.states import TARGET_STARTS
from lindyn.sweeps import axes as ax
from lindyn.sweeps.axes import Axis

TABLE = {
    parameter.name: parameter
    for parameter in (
        ax.of_option("learning_rate", positive=True),
        *map(ax.of_option, ("eta", "eta_p", "eta_s", "alpha_p", "gamma_a")),
        dataclasses.replace(ax.of_option("beta"), default=None),
        ax.of_option("momentum"),
        ax.of_option("depth", positive=True),
        ax.of_option("batch"),
        ax.of_option("x", positive=True),
        *map(ax.of_option, ("x_power", "x_aug")),
        ax.of_option("scale", positive=True),
        ax.of_option("scale_p", positive=True),
    )
}
WHOLE = ("depth", "batch")
LIMITS = {"gamma_a": (1.0, False, "1 freezes the target"), "momentum": (1.0, True, "0.9 is usual")}
ALIASES = {"lr": "learning_rate", "ema": "gamma_a", "decay": "eta", "weight_decay": "eta", "decay_p": "eta_p",
           "sigma2": "x_aug", "seed": "seeds", "batch_size": "batch", "layers": "depth", "hidden": "n2"}  # fmt: skip
DEFAULT_AXES = {"learning_rate": np.geomspace(0.01, 1.0, 9), "eta": np.geomspace(1e-3, 1e-1, 9)}
SETTINGS = ("n1", "n2", "steps", "tail", "loss", "normalise", "target", "predictor", "mean", "target_start")


def settings(given: dict[str, Any]) -> dict[str, Any]:
    """Return the settings, checked.

    Args:
        given: `SETTINGS` by name.

    Raises:
        ValueError: a size below 1, an unknown word, a closed-form predictor.
    """
    told: dict[str, Any] = {name: _checks.as_whole(name, given[name]) for name in ("n1", "n2", "steps")}
    tail = max(1, told["steps"] // 10) if given["tail"] is None else _checks.as_whole("tail", given["tail"])
    if tail > told["steps"]:
        raise ValueError(f"tail must be at most steps = {told['steps']}, the last of which it is; got {tail}.")
    predictor = choices.check(given["target"], True, given["predictor"])
    if rules.is_rule(predictor):
        raise ValueError(
            f"predictor={given['predictor']!r} is a closed-form rule, which sweep_descent does not compile. Use "
            "'trained', 'symmetrised' or 'identity', or lindyn.descend, which runs rules one model at a time."
        )
    words = {
        "loss": ("squared", "cosine"),
        "normalise": ABLATIONS["normalise"].choices,
        "mean": ("samples", "closure"),
        "target_start": TARGET_STARTS,
    }
    told |= {"tail": tail, "target": given["target"], "predictor": predictor}
    told |= {name: _checks.one_of(name, given[name], allowed) for name, allowed in words.items()}
    if told["target_start"] == "zero" and (told["loss"] == "cosine" or told["normalise"] == "batchnorm"):
        raise ValueError(
            "target_start='zero' needs loss='squared' and normalise='none': all outputs of the target are 0 then, "
            "and have neither direction nor deviation. Use 'copy' or 'independent'."
        )
    if told["target"] == "online" and told["target_start"] != "copy":
        raise ValueError("target='online' means W_a = W; leave target_start out.")
    return told


def parameters(given: dict[str, Any], told: dict[str, Any]) -> tuple[dict[str, float | Axis], dict[str, Any]]:
    """Return the parameters of the grid, in the table's order, and the spectra that were given as such.

    Args:
        given: what was given, by name.
        told: of `settings`.

    Raises:
        ValueError: values out of range, or that have no meaning beside each other.
    """
    given = {name: value for name, value in given.items() if value is not None}
    _check_meaning(given, told)
    x, spectra = _spectra(given.pop("x", None), told["n1"])
    parsed = {name: _parse(name, value) for name, value in given.items()}
    if isinstance(x, float | Axis):
        parsed["x"] = x
    if not any(isinstance(value, Axis) for value in parsed.values()):
        free = {} if {"eta_p", "eta_s"} & set(parsed) else {"eta": DEFAULT_AXES["eta"]}
        free["learning_rate"] = DEFAULT_AXES["learning_rate"]
        parsed |= {name: ax.parse(name, values, TABLE[name]) for name, values in free.items() if name not in given}
    idle = _idle(parsed, spectra, told)
    found = {name: parsed.get(name, parameter.default) for name, parameter in TABLE.items() if name not in idle}
    full = {name: value for name, value in found.items() if value is not None}
    _check_beside(full, told)
    if told["loss"] != losses.SQUARED:
        _check_shared(full, spectra)
    return full, spectra


def _parse(name: str, value: Any) -> float | Axis:
    """Return a number or an axis of a parameter within its limits."""
    parsed = ax.parse(name, value, TABLE[name])
    values = parsed.values if isinstance(parsed, Axis) else np.array([parsed])
    if name in WHOLE:
        if np.any(values != np.round(values)):
            raise ValueError(f"{name} must be whole numbers ({TABLE[name].text}); got {value!r}.")
        if isinstance(parsed, Axis):
            return Axis(parsed.label, values.astype(np.int64), None, parsed.text, parsed.units)
        return int(parsed)
    if name in LIMITS:
        limit, exclusive, fix = LIMITS[name]
        if values.max() > limit or (exclusive and values.max() == limit):
            word = "below" if exclusive else "at most"
            raise ValueError(f"{name} must be {word} {limit:g}; got {values.max():g}. {fix[0].upper()}{fix[1:]}.")
    return parsed


def _check_meaning(given: dict[str, Any], told: dict[str, Any]) -> None:
    """Raise ValueError where parameters were given that have no meaning beside others."""
    if {"eta", "eta_p", "eta_s"} <= set(given):
        raise ValueError("Give eta, or eta_p and eta_s: with both of these, eta has no meaning.")
    if {"gamma_a", "beta"} <= set(given):
        raise ValueError("Give gamma_a or beta: gamma_a = 1 - learning_rate beta / (1 - momentum).")
    for name in ("gamma_a", "beta"):
        if name in given and told["target"] != "ema":
            raise ValueError(f"{name} moves an EMA target; got target={told['target']!r}. Leave it out.")
    if "scale_p" in given and told["predictor"] == "identity":
        raise ValueError("predictor='identity' means W_p = I; leave scale_p out.")


def _check_beside(full: dict[str, float | Axis], told: dict[str, Any]) -> None:
    """Raise ValueError where values do not fit each other: an EMA past the weights, a minibatch of one."""
    values = {name: value.values if isinstance(value, Axis) else np.array([value]) for name, value in full.items()}
    most = {name: float(each.max()) for name, each in values.items()}
    if "beta" in full and (rate := most["learning_rate"] / (1 - most["momentum"]) * most["beta"]) > 1:
        raise ValueError(
            f"learning_rate / (1 - momentum) x beta must be at most 1 (it is 1 - gamma_a); got up to {rate:g}. "
            "Lower the learning rate or beta, or give gamma_a."
        )
    if told["normalise"] == "batchnorm" and 1 in values["batch"]:
        raise ValueError(
            "batch must be at least 2 under BatchNorm, 0 for the population; got 1, which has no variance."
        )
    if told["loss"] == "cosine" and told["n2"] == 1:
        raise ValueError("loss='cosine' of one output is a constant; got n2 = 1. Give n2 >= 2.")


def _check_shared(full: dict[str, float | Axis], spectra: dict[str, Any]) -> None:
    """Raise ValueError where some combination of x and x_aug leaves the views nothing in common."""
    ends = {name: value.values if isinstance(value, Axis) else np.array([value]) for name, value in full.items()}
    most = ends["x_aug"].max() if "x_aug" in ends else 0.0
    for x, x_aug in spectra.values() or [(ends["x"].min(), None)]:
        losses.check_shared(x, most if x_aug is None else x_aug)


def _idle(parsed: dict[str, Any], spectra: dict[str, Any], told: dict[str, Any]) -> set[str]:
    """Return the parameters that do not enter beside these.

    Raises:
        ValueError: one of them was given.
    """
    idle = {"eta"} if {"eta_p", "eta_s"} <= set(parsed) else set()
    idle |= {"gamma_a"} if "beta" in parsed or told["target"] != "ema" else set()
    idle |= {"scale_p"} if told["predictor"] == "identity" else set()
    if not spectra:
        return idle
    if "x_power" in parsed:
        raise ValueError("x_power makes a power law of a number x; got x as a spectrum too. Leave one of them out.")
    idle |= {"x_power"} | ({"x"} if "x" not in parsed else set())
    if next(iter(spectra.values()))[1] is not None:
        if "x_aug" in parsed:
            raise ValueError("x_aug was given beside pairs (x, x_aug) of spectra. Leave one of them out.")
        idle |= {"x_aug"}
    return idle


def _spectra(x: Any, n1: int) -> tuple[float | Axis | None, dict[str, Any]]:
    """Return (x as a number or axis, or None; spectra (x, x_aug or None) by name)."""
    if x is None:
        return None, {}
    if isinstance(x, dict):
        if not x:
            raise ValueError("x has no spectra: give at least one, {'name': n1 numbers}.")
        found = {str(name): _pair(f"x[{name!r}]", value, n1) for name, value in x.items()}
        if len({pair[1] is None for pair in found.values()}) > 1:
            raise ValueError("x must hold spectra of X, or pairs (x, x_aug), not both. Give x_aug to all or to none.")
        return Axis("x", np.arange(float(len(found))), tuple(found), "spectrum of X", "1"), found
    if np.ndim(x) == 0 and not isinstance(x, str):
        return float(ax.parse("x", x, TABLE["x"])), {}  # type: ignore[arg-type]
    return None, {"given": _pair("x", x, n1)}


def _pair(name: str, given: Any, n1: int) -> tuple[list[float], list[float] | None]:
    if isinstance(given, tuple) and len(given) == 2 and np.ndim(given[0]) == 1:
        return _spectrum(f"{name}[0]", given[0], n1), _spectrum(f"{name}[1]", given[1], n1)
    return _spectrum(name, given, n1), None


def _spectrum(name: str, given: Any, n1: int) -> list[float]:
    values = np.asarray(_checks.as_array(name, given, ndim=1))
    if len(values) != n1:
        raise ValueError(f"{name} must be a spectrum of n1 = {n1} numbers; got {len(values)}. Give n1={len(values)}.")
    if values.min() < 0 or not values.any():
        raise ValueError(f"{name} must be >= 0 and not all 0 (eigenvalues of a moment); got {values.min():g}.")
    return [float(value) for value in values]


def near(name: str) -> None:
    """Raise ValueError for an argument that is no parameter, suggesting the near one."""
    known = (*TABLE, "seeds", *SETTINGS)
    meant = ALIASES.get(name, name)
    found = meant if meant in known else nearest(name, known)
    hint = f" Did you mean {found}?" if found else ""
    raise ValueError(f"{name} is no parameter of a sweep of descents; there are {', '.join(known)}.{hint}")
