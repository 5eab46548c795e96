"""The base of every flow, and what its `from_settings` reads: rates, data, ablations and start of a run.

Settings are those of `lindyn simulate` by name: words, numbers, lists; X and X_aug_file hold the arrays themselves.
"""

import contextlib
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

from lindyn._records import Record, State
from lindyn.flows import choices
from lindyn.hyperparameters import Hyperparameters
from lindyn.moments import Moments
from lindyn.predictors.recipe import Recipe
from lindyn.states import WeightState

Settings = Mapping[str, Any]
WEIGHT_SETTINGS = frozenset(
    ("n1", "x", "x_aug", "sigma2", "X", "X_aug_file", "n2", "seed", "scale", "scale_p", "target_start")
)
MODE_SETTINGS = frozenset(("x", "x_aug", "sigma2", "p", "s", "tau0", "target_start"))
QUIET = {"loss": "squared", "normalise": "none", "nodes": 56}
"""Choices that are told only where a flow departs from these."""
EVERY = WEIGHT_SETTINGS | MODE_SETTINGS | {"depth", "hidden"}


class Flow(Record):
    """A vector field `flow(t, y, args=None) -> dy/dt`, a record of `state_type`, with the rates `hp`.

    title: its variables in a few words.
    takes: the settings of data and start that `from_settings` reads, among `EVERY`.
    state_type: the class of its states.
    cure: what to try where a run of it blows up.
    """

    title: ClassVar[str] = ""
    takes: ClassVar[frozenset[str]] = frozenset()
    state_type: ClassVar[type[State]]
    cure: ClassVar[str] = "check the initial state"
    hp: Hyperparameters

    def __call__(self, t: Any, y: Any, args: Any = None) -> Any:
        """Return dy/dt at the state y."""
        raise NotImplementedError

    @classmethod
    def from_settings(cls, given: Settings) -> tuple[Self, State]:
        """Return the flow and the initial state of the settings of `lindyn simulate`.

        Raises:
            ValueError: values out of range or that do not fit together.
        """
        raise ValueError(f"{cls.__name__} cannot be built from settings: it has no from_settings.")

    @property
    def words(self) -> str:
        """Its class and its ablations, "ModeFlow (target=ema, ...)"."""
        told = {name: getattr(self, name) for name in self._fields(static=True)}
        chosen = ", ".join(f"{name}={value}" for name, value in told.items() if value != QUIET.get(name, ()))
        return f"{type(self).__name__} ({chosen})" if chosen else type(self).__name__

    def check_state(self, y: Any) -> None:
        """Raise ValueError if y cannot start this flow."""

    def spectrum(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Return the eigenvalues (x, x_aug) of X and X' that its modes see; None where the theory does not apply."""
        return None


def hyperparameters(given: Settings) -> Hyperparameters:
    """Return the rates of the settings."""
    return Hyperparameters(given["alpha_p"], given["beta"], given["eta"], given["eta_p"], given["eta_s"])


def ablations(flow: type[Flow], given: Settings) -> dict[str, Any]:
    """Return the ablations that a flow has, the predictor with the changes of `rule`.

    Raises:
        ValueError: one was asked for that the flow does not have.
    """
    has = flow._fields(static=True)
    for name, default in choices.DEFAULTS.items():
        if name not in has and given[name] != default:
            raise ValueError(f"system={given['system']!r} has no choice of {name}; got {given[name]!r}. Leave it out.")
    chosen = {name: given[name] for name in choices.DEFAULTS if name in has}
    return chosen | {"predictor": predictor(given)} if "predictor" in has else chosen


def predictor(given: Settings) -> "str | Recipe":
    """Return the choice of predictor, with the changes of `rule` where it is a closed-form one.

    Raises:
        ValueError: changes of a rule that was not chosen, one that is not name=value, an unknown name.
    """
    name, text = given["predictor"], given["rule"]
    if name in choices.PREDICTORS:
        if text is not None:
            raise ValueError(f"rule={text!r} changes a closed-form predictor; got predictor={name!r}. Name its rule.")
        return str(name)
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


def moments(given: Settings) -> Moments:
    """Return X and X' of the settings: two arrays, spectra, or isotropic."""
    if (given["X"] is None) != (given["X_aug_file"] is None):
        missing, present = ("X_aug_file", "X") if given["X_aug_file"] is None else ("X", "X_aug_file")
        raise ValueError(
            f"{missing} is missing: {present} was given, and X and X' come together (--X and --X-aug-file)."
        )
    if given["X"] is not None:
        return Moments(given["X"], given["X_aug_file"])
    x, x_aug = _eigenvalues(given)
    if len(x) == 1 and len(x_aug) == 1:
        return Moments.isotropic(given["n1"], x_aug[0], x[0])
    size = max(len(x), len(x_aug))
    return Moments.commuting(_spread("x", x, size), _spread("x_aug", x_aug, size))


def isotropic(given: Settings) -> dict[str, Any]:
    """Return x and sigma2 of isotropic data.

    Raises:
        ValueError: the data are not isotropic.
    """
    x, sigma2 = _eigenvalues(given)
    if len(x) > 1 or len(sigma2) > 1 or given["X"] is not None:
        raise ValueError(f"system={given['system']!r} needs isotropic data: one x and one sigma2 (Assumption 2).")
    return {"x": x[0], "sigma2": sigma2[0]}


def spectrum(given: Settings) -> dict[str, Any]:
    """Return x and x_aug of the modes, a number or one per mode each."""
    x, x_aug = _eigenvalues(given)
    return {"x": np.array(x) if len(x) > 1 else x[0], "x_aug": np.array(x_aug) if len(x_aug) > 1 else x_aug[0]}


def weight_start(given: Settings, n1: int, target: str = "copy") -> WeightState:
    """Return random weights as the settings ask for; a predictor that is the identity starts as such."""
    y0 = WeightState.random(
        given["n2"], n1, given["seed"], given["scale"], given["scale_p"], target,
        symmetric_predictor=given["predictor"] == "symmetrised",
    )  # fmt: skip
    return y0._replace(W_p=np.eye(given["n2"])) if given["predictor"] == "identity" else y0


def tau_start(given: Settings) -> list[float]:
    """Return the initial tau, 0 where the target starts at zero."""
    if given["tau0"] is not None:
        return list(given["tau0"])
    return [0.0] if given["target_start"] == "zero" else [1.0]


def mode_start(given: Settings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return p, s, tau of one length; a predictor that is the identity starts at p = 1."""
    identity = given["predictor"] == "identity"
    p = [1.0] if identity else given["p"] or [0.5, 0.3, 0.1]
    s, tau = given["s"] or [0.3, 0.1, 0.05], tau_start(given)
    data = [given["x"] or [1.0], given["x_aug"] or [1.0]]
    size = max(len(values) for values in (*data, *([given[n] for n in ("p", "s", "tau0") if given[n]] or [s])))
    if given["s"] is None and len(s) != size:
        s = [0.1]
    if given["p"] is None and len(p) != size:
        p = [1.0 if identity else 0.3]
    return _spread("p", p, size), _spread("s", s, size), _spread("tau0", tau, size)


def _eigenvalues(given: Settings) -> tuple[list[float], list[float]]:
    return given["x"] or [1.0], given["x_aug"] or [given["sigma2"]]


def _spread(name: str, values: list[float], size: int) -> np.ndarray:
    if len(values) not in (1, size):
        raise ValueError(f"{name} must hold 1 or {size} numbers; got {len(values)}.")
    return np.broadcast_to(np.array(values), (size,)).copy()
