"""From settings to a flow and its initial state, and to a finished run."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import lindyn as ld
from lindyn import conversions
from lindyn.flows import choices
from lindyn.predictors import Recipe

EXPLICIT_LIMIT = 2e4  # beta x t1 past which scipy's explicit steps on a large system lose to compiled ones


def hyperparameters(given: dict[str, Any]) -> ld.Hyperparameters:
    """Return the rates of the settings."""
    return ld.Hyperparameters(given["alpha_p"], given["beta"], given["eta"], given["eta_p"], given["eta_s"])


_MATRICES = {"p", "s", "tau0"}
_MODES = {"n1", "n2", "seed", "scale", "scale_p", "X", "X_aug_file"}
FOREIGN = {
    "weights": _MATRICES,
    "gram": _MATRICES,
    "correlation": _MATRICES - {"tau0"} | {"target_start"},
    "modes": _MODES,
    "mode_weights": _MODES,
    "parabola": _MODES | {"s"},
}


def check_relevant(settings: dict[str, Any], given: set[str]) -> None:
    """Raise ValueError for a setting that was given and that this run would ignore."""
    from lindyn.commands.options import OPTIONS

    ignored = given & FOREIGN[settings["system"]]
    if ignored:
        raise ValueError(f"system={settings['system']!r} has no {', '.join(sorted(ignored))}. Leave it out.")
    ignored = given & {option.name for option in OPTIONS if option.section == "images"}
    if ignored:
        raise ValueError(f"{', '.join(sorted(ignored))} needs --images. Leave it out, or name the images.")
    ignored = given & {"momentum", "batch"}
    if ignored and settings["learning_rate"] is None:
        raise ValueError(f"{', '.join(sorted(ignored))} needs --learning-rate: the flow has no finite steps.")
    lengths = [len(settings[name]) for name in ("x", "x_aug") if settings[name] and len(settings[name]) > 1]
    if "n1" in given and lengths and lengths[0] != settings["n1"]:
        raise ValueError(
            f"n1 must be the number of eigenvalues given, {lengths[0]}; got {settings['n1']}. Leave it out."
        )


def relevant(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings with what this system ignores set to None, so that the saved file repeats the run."""
    from lindyn.commands.options import OPTIONS

    unused = {option.name for option in OPTIONS if option.section == "images"} | FOREIGN[settings["system"]]
    if settings["learning_rate"] is None:
        unused |= {"momentum", "batch"}
    if settings["X"] is not None:
        unused |= {"n1", "x", "x_aug", "sigma2"}
    elif any(len(settings[name] or []) > 1 for name in ("x", "x_aug")):
        unused |= {"n1"}
    return {name: None if name in unused else value for name, value in settings.items()}


def build(given: dict[str, Any]) -> tuple[Any, Any]:
    """Return (flow, initial state) of the settings.

    Raises:
        ValueError: values out of range or that do not fit together.
    """
    return _BUILDERS[given["system"]](given)


def _choices(given: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return the ablations this system has; one that was asked for and that it does not have is an error."""
    defaults = {"target": "ema", "stop_gradient": True, "predictor": "trained", "tau": "dynamic", "statistics": "views"}
    for name, default in defaults.items():
        if name not in names and given[name] != default:
            raise ValueError(f"system={given['system']!r} has no choice of {name}; got {given[name]!r}. Leave it out.")
    chosen = {name: given[name] for name in names}
    return chosen | {"predictor": predictor(given)} if "predictor" in names else chosen


def predictor(given: dict[str, Any]) -> Any:
    """Return the choice of predictor, with the changes of `rule` where it is a closed-form one.

    Raises:
        ValueError: changes of a rule that was not chosen, one that is not name=value, an unknown name.
    """
    name, text = given["predictor"], given["rule"]
    if name in choices.PREDICTORS:
        if text is not None:
            raise ValueError(f"rule={text!r} changes a closed-form predictor; got predictor={name!r}. Name its rule.")
        return name
    parts = [part.partition("=") for part in (text or "").split(",") if part]
    for key, equals, value in parts:
        if not (key and equals and value):
            raise ValueError(f"rule must be name=value pairs, e.g. eps=0.01,rho=0.3; got {text!r}.")
    return Recipe.of(name, **{key.strip(): _number_or_word(value.strip()) for key, _, value in parts})


def _number_or_word(text: str) -> Any:
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text == "true" if text in ("true", "false") else text


def moments(given: dict[str, Any]) -> ld.Moments:
    """Return X and X' of the settings: two files, spectra, or isotropic."""
    if (given["X"] is None) != (given["X_aug_file"] is None):
        missing, present = ("X_aug_file", "X") if given["X_aug_file"] is None else ("X", "X_aug_file")
        raise ValueError(f"{missing} is missing: {present} was given, and X and X' come together.")
    if given["X"] is not None:
        return ld.Moments(read_array(given["X"]), read_array(given["X_aug_file"]))
    x, x_aug = given["x"] or [1.0], given["x_aug"] or [given["sigma2"]]
    if len(x) == 1 and len(x_aug) == 1:
        return ld.Moments.isotropic(given["n1"], x_aug[0], x[0])
    size = max(len(x), len(x_aug))
    return ld.Moments.commuting(_spread("x", x, size), _spread("x_aug", x_aug, size))


def read_array(path: str) -> np.ndarray:
    """Return the array of an .npy file.

    Raises:
        ValueError: no such file, or not an .npy file.
    """
    try:
        return np.load(Path(path), allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"Cannot read {path}: it must be an .npy file of numbers ({error}).") from error


def _spread(name: str, values: list[float], size: int) -> np.ndarray:
    if len(values) not in (1, size):
        raise ValueError(f"{name} must hold 1 or {size} numbers; got {len(values)}.")
    return np.broadcast_to(np.array(values), (size,)).copy()


def _tau0(given: dict[str, Any]) -> Any:
    if given["tau0"] is not None:
        return given["tau0"]
    return [0.0] if given["target_start"] == "zero" else [1.0]


def _weights(given: dict[str, Any]) -> tuple[Any, Any]:
    flow = ld.WeightFlow(
        hyperparameters(given), moments(given), **_choices(given, "target", "stop_gradient", "predictor", "statistics")
    )
    y0 = ld.WeightState.random(
        given["n2"],
        flow.data.n1,
        given["seed"],
        given["scale"],
        given["scale_p"],
        given["target_start"],
        symmetric_predictor=given["predictor"] == "symmetrised",
    )
    return flow, y0._replace(W_p=np.eye(given["n2"])) if given["predictor"] == "identity" else y0


def _isotropic(given: dict[str, Any]) -> dict[str, float]:
    x, sigma2 = given["x"] or [1.0], given["x_aug"] or [given["sigma2"]]
    if len(x) > 1 or len(sigma2) > 1 or given["X"] is not None:
        raise ValueError(f"system={given['system']!r} needs isotropic data: one x and one sigma2 (Assumption 2).")
    return {"x": x[0], "sigma2": sigma2[0]}


def _gram(given: dict[str, Any]) -> tuple[Any, Any]:
    flow = ld.GramFlow(
        hyperparameters(given), **_isotropic(given), **_choices(given, "target", "predictor", "statistics")
    )
    return flow, conversions.weights_to_gram(_weights(given | {"system": "weights"})[1]).state


def _correlation(given: dict[str, Any]) -> tuple[Any, Any]:
    chosen = _choices(given, "target", "stop_gradient", "predictor", "tau", "statistics")
    flow = ld.CorrelationFlow(hyperparameters(given), **_isotropic(given), **chosen)
    start = _weights(given | {"system": "weights", "target_start": "copy", "tau": "dynamic"})[1]
    tau = _tau0(given)
    if len(tau) != 1:
        raise ValueError(f"tau0 must be one number for system='correlation'; got {len(tau)}.")
    return flow, ld.CorrelationState(start.W_p, start.W @ start.W.T, tau[0])


def _spectrum(given: dict[str, Any]) -> dict[str, Any]:
    x, x_aug = given["x"] or [1.0], given["x_aug"] or [given["sigma2"]]
    return {"x": np.array(x) if len(x) > 1 else x[0], "x_aug": np.array(x_aug) if len(x_aug) > 1 else x_aug[0]}


def _mode_start(given: dict[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return p, s, tau of one length; identity predictors start at p = 1."""
    p = [1.0] if given["predictor"] == "identity" else given["p"] or [0.5, 0.3, 0.1]
    s, tau = given["s"] or [0.3, 0.1, 0.05], _tau0(given)
    spectrum = [given["x"] or [1.0], given["x_aug"] or [1.0]]
    size = max(len(values) for values in (*spectrum, *([given[n] for n in ("p", "s", "tau0") if given[n]] or [s])))
    if given["s"] is None and len(s) != size:
        s = [0.1]
    if given["p"] is None and len(p) != size:
        p = [1.0 if given["predictor"] == "identity" else 0.3]
    return _spread("p", p, size), _spread("s", s, size), _spread("tau0", tau, size)


def _modes(given: dict[str, Any]) -> tuple[Any, Any]:
    chosen = _choices(given, "target", "stop_gradient", "predictor", "tau", "statistics")
    return ld.ModeFlow(hyperparameters(given), **_spectrum(given), **chosen), ld.ModeState(*_mode_start(given))


def _mode_weights(given: dict[str, Any]) -> tuple[Any, Any]:
    chosen = _choices(given, "target", "stop_gradient", "predictor", "statistics")
    p, s, tau = _mode_start(given)
    return ld.ModeWeightFlow(hyperparameters(given), **_spectrum(given), **chosen), ld.ModeWeightState(
        p, np.sqrt(s), tau * np.sqrt(s)
    )


def _parabola(given: dict[str, Any]) -> tuple[Any, Any]:
    flow = ld.ParabolaFlow(hyperparameters(given), **_spectrum(given), **_choices(given, "target", "tau"))
    p, _, tau = _mode_start(given | {"s": None})
    return flow, ld.ParabolaState(p, tau)


_BUILDERS = {
    "weights": _weights,
    "gram": _gram,
    "correlation": _correlation,
    "modes": _modes,
    "mode_weights": _mode_weights,
    "parabola": _parabola,
}


def solve(flow: Any, y0: Any, given: dict[str, Any], progress: Callable[[float], None] | None = None) -> Any:
    """Return the trajectory of the settings, finished or not (`throw` is off)."""
    if given["learning_rate"] is not None:
        alpha = given["learning_rate"] / (1 - given["momentum"]) if given["momentum"] < 1 else 1.0
        return ld.descend(
            flow,
            y0,
            learning_rate=given["learning_rate"],
            momentum=given["momentum"],
            batch=given["batch"],
            seed=given["seed"],
            steps=max(1, round(given["t1"] / alpha)) if given["t1"] > 0 < alpha else 1,
            throw=False,
            progress=None if progress is None else lambda done: progress(done * alpha),
        )
    if given["points"] < 2:
        raise ValueError(f"points must be at least 2; got {given['points']}.")
    if not np.isfinite(given["t1"]) or given["t1"] <= 0:
        raise ValueError(f"t1 must be finite and > 0; got {given['t1']:g}.")
    ts = np.linspace(0.0, given["t1"], given["points"])
    rtol, steps = given["rtol"], given["max_steps"]
    engine = _engine(flow, y0, given)
    return ld.simulate(flow, y0, ts, rtol=rtol, engine=engine, max_steps=steps, throw=False, progress=progress)


def _engine(flow: Any, y0: Any, given: dict[str, Any]) -> str:
    """Return scipy, which starts at once, unless so many explicit steps are ahead that compiling pays."""
    if given["engine"] != "auto":
        return given["engine"]
    size = sum(np.size(getattr(y0, name)) for name in y0._fields())
    return "diffrax" if size > 64 and float(flow.hp.beta) * given["t1"] > EXPLICIT_LIMIT else "scipy"
