"""Known-answer systems: each a small function that returns a problem; references/references.json holds the answers.

A `System` is the raw numbers of a problem. `flow` and `start` make lindyn's objects of them; the references are made of
the same raw numbers by code that shares nothing with lindyn (references/make.py), so neither can hide the other's slip.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import lindyn as ld

FRACTIONS = (0.0, 1e-3, 1e-2, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0)
CATALOGUE: dict[str, Callable[[], "System"]] = {}


@dataclass(frozen=True)
class System:
    """A problem and what is known of it.

    Args:
        kind: "weights", "gram", "correlation", "modes", "mode_weights" or "parabola".
        given: rates and data, floats and float arrays.
        y0: initial blocks by name.
        t1: the end; states are compared at `FRACTIONS` of it.
        choices: target, stop_gradient, predictor, tau, where they differ from the defaults.
        fate: "lives" or "collapses" where that is known from the theory.
        engines: which engines run it in reasonable time.
        method: how the reference is made, "taylor" or, for stiff systems over long times, "collocation".
    """

    kind: str
    given: dict[str, Any]
    y0: dict[str, Any]
    t1: float
    choices: dict[str, Any] = field(default_factory=dict)
    fate: str | None = None
    engines: tuple[str, ...] = ("diffrax", "scipy")
    method: str = "taylor"

    @property
    def ts(self) -> np.ndarray:
        return self.t1 * np.array(FRACTIONS)

    @property
    def hp(self) -> ld.Hyperparameters:
        names = ("alpha_p", "beta", "eta", "eta_p", "eta_s")
        return ld.Hyperparameters(**{"eta": 0.0} | {n: self.given[n] for n in names if n in self.given})

    @property
    def flow(self) -> Any:
        data = {name: self.given[name] for name in ("x", "x_aug", "sigma2") if name in self.given}
        if self.kind == "weights":
            return ld.WeightFlow(self.hp, ld.Moments(self.given["X"], self.given["X_aug"]), **self.choices)
        flows = {
            "gram": ld.GramFlow,
            "correlation": ld.CorrelationFlow,
            "modes": ld.ModeFlow,
            "mode_weights": ld.ModeWeightFlow,
            "parabola": ld.ParabolaFlow,
        }
        return flows[self.kind](self.hp, **data, **self.choices)

    @property
    def start(self) -> Any:
        if self.kind == "gram":
            W, W_p, W_a = (self.y0[name] for name in ("W", "W_p", "W_a"))
            return ld.GramState(W_p, W @ W.T, W_a @ W.T, W_a @ W_a.T)
        return self.flow.state_type(**self.y0)

    def inputs(self) -> dict[str, Any]:
        """Return everything that determines the answer, as lists and floats."""
        lists = {name: np.asarray(v).tolist() for name, v in (self.given | self.y0).items()}
        return {"kind": self.kind, "numbers": lists, "t1": self.t1, "choices": self.choices}


def system(make: Callable[[], System]) -> Callable[[], System]:
    CATALOGUE[make.__name__] = make
    return make


def _draw(seed: int, *shape: int, scale: float = 1.0) -> np.ndarray:
    """Gaussian numbers of three digits: the same on every machine."""
    return np.round(np.random.default_rng(seed).normal(size=shape), 3) * scale


def _psd(seed: int, n: int, scale: float) -> np.ndarray:
    A = _draw(seed, n, n)
    return A @ A.T * (scale / n)


def _weights(seed: int, n2: int = 2, n1: int = 3, scale: float = 0.5, target: str = "independent") -> dict[str, Any]:
    W, W_p = _draw(seed, n2, n1, scale=scale), _draw(seed + 1, n2, n2, scale=0.5) + 0.5 * np.eye(n2)
    return {"W": W, "W_p": W_p, "W_a": _draw(seed + 2, n2, n1, scale=scale) if target == "independent" else W}


def _data(seed: int = 7, n1: int = 3) -> dict[str, Any]:
    return {"X": _psd(seed, n1, 1.0) + 0.5 * np.eye(n1), "X_aug": _psd(seed + 1, n1, 0.3)}


# --- the full flow, X and X' that do not commute ---------------------------------------------------------------------


@system
def full_ema() -> System:
    return System("weights", {"alpha_p": 1.7, "beta": 0.3, "eta": 0.01} | _data(), _weights(1), 40.0)


@system
def full_small_alpha_p() -> System:
    return System("weights", {"alpha_p": 0.01, "beta": 0.4, "eta": 0.02} | _data(), _weights(4), 100.0)


@system
def full_large_alpha_p() -> System:
    return System("weights", {"alpha_p": 100.0, "beta": 0.4, "eta": 0.02} | _data(), _weights(7), 40.0)


@system
def full_slow_target_long() -> System:
    return System("weights", {"alpha_p": 1.0, "beta": 1e-3, "eta": 0.005} | _data(), _weights(10), 1000.0)


@system
def full_fast_target() -> System:
    return System("weights", {"alpha_p": 2.0, "beta": 1e3, "eta": 0.02} | _data(), _weights(13), 5.0)


@system
def full_simsiam() -> System:
    given, y0 = {"alpha_p": 1.5, "beta": 0.4, "eta": 0.01} | _data(), _weights(16, target="copy")
    return System("weights", given, y0, 60.0, {"target": "online"})


@system
def full_frozen_target() -> System:
    given = {"alpha_p": 0.7, "beta": 0.4, "eta": 0.02} | _data()
    return System("weights", given, _weights(19), 60.0, {"target": "frozen"}, fate="lives")


@system
def full_no_stop_gradient() -> System:
    given, y0 = {"alpha_p": 1.0, "beta": 0.4, "eta": 0.01} | _data(), _weights(22, target="copy")
    return System("weights", given, y0, 20.0, {"target": "online", "stop_gradient": False}, fate="collapses")


@system
def full_symmetrised() -> System:
    given, y0 = {"alpha_p": 1.2, "beta": 0.5, "eta": 0.01} | _data(), _weights(25)
    y0["W_p"] = (y0["W_p"] + y0["W_p"].T) / 2
    return System("weights", given, y0, 40.0, {"predictor": "symmetrised"})


@system
def full_no_predictor() -> System:
    given, y0 = {"alpha_p": 1.0, "beta": 0.4, "eta": 0.0} | _data(), _weights(28)
    y0["W_p"] = np.eye(2)
    return System("weights", given, y0, 60.0, {"predictor": "identity"})


@system
def full_beyond_critical_decay() -> System:
    return System("weights", {"alpha_p": 1.0, "beta": 0.4, "eta": 0.9} | _data(), _weights(31), 30.0, fate="collapses")


@system
def full_tiny_start() -> System:
    given, y0 = {"alpha_p": 1.0, "beta": 0.4, "eta": 1e-3} | _data(), _weights(34, scale=1e-9, target="copy")
    y0["W_p"] = 0.5 * np.eye(2) + 0.1 * y0["W_p"]
    return System("weights", given, y0, 150.0)


@system
def full_separate_decays() -> System:
    given = {"alpha_p": 3.0, "beta": 0.4, "eta_p": 0.05, "eta_s": 0.004} | _data()
    return System("weights", given, _weights(37), 50.0)


@system
def full_commuting() -> System:
    V = np.linalg.qr(_draw(40, 3, 3))[0]
    X, X_aug = (V * [1.5, 0.9, 0.2]) @ V.T, (V * [0.1, 0.4, 0.3]) @ V.T
    given = {"alpha_p": 1.0, "beta": 0.4, "eta": 0.02, "X": (X + X.T) / 2, "X_aug": (X_aug + X_aug.T) / 2}
    return System("weights", given, _weights(41), 50.0)


@system
def full_isotropic() -> System:
    given = {"alpha_p": 2.0, "beta": 0.2, "eta": 0.01, "X": np.eye(5), "X_aug": 0.25 * np.eye(5)}
    return System("weights", given, _weights(44, n1=5), 80.0)


# --- n2 x n2 systems -------------------------------------------------------------------------------------------------


@system
def gram_ema() -> System:
    given = {"alpha_p": 1.3, "beta": 0.3, "eta": 0.01, "sigma2": 0.2, "x": 1.0}
    return System("gram", given, _weights(47, n1=4), 60.0)


@system
def gram_frozen_symmetrised() -> System:
    given, y0 = {"alpha_p": 0.8, "beta": 0.3, "eta": 0.03, "sigma2": 0.3, "x": 1.2}, _weights(50, n1=4)
    y0["W_p"] = (y0["W_p"] + y0["W_p"].T) / 2
    return System("gram", given, y0, 40.0, {"target": "frozen", "predictor": "symmetrised"})


def _pair(seed: int, symmetric: bool, tau: float = 1.0) -> dict[str, Any]:
    W_p = _draw(seed, 3, 3, scale=0.3) + 0.4 * np.eye(3)
    return {"W_p": (W_p + W_p.T) / 2 if symmetric else W_p, "F": _psd(seed + 1, 3, 0.5), "tau": tau}


@system
def correlation_ema() -> System:
    given = {"alpha_p": 1.0, "beta": 0.4, "eta": 0.02, "sigma2": 0.25, "x": 1.0}
    return System("correlation", given, _pair(53, symmetric=False, tau=0.6), 60.0)


@system
def correlation_symmetrised_constant_tau() -> System:
    given = {"alpha_p": 1.0, "beta": 0.4, "eta": 0.05, "sigma2": 0.1, "x": 1.0}
    return System("correlation", given, _pair(55, True, 0.8), 60.0, {"predictor": "symmetrised", "tau": "constant"})


@system
def correlation_stiff() -> System:
    given = {"alpha_p": 100.0, "beta": 1e3, "eta": 0.02, "sigma2": 0.25, "x": 1.0}
    return System("correlation", given, _pair(57, True, 0.5), 5.0, {"predictor": "symmetrised"})


@system
def correlation_no_stop_gradient() -> System:
    given = {"alpha_p": 0.5, "beta": 0.4, "eta": 0.01, "sigma2": 0.25, "x": 1.0}
    choices = {"target": "online", "stop_gradient": False}
    return System("correlation", given, _pair(59, symmetric=False), 20.0, choices, fate="collapses")


# --- modes -----------------------------------------------------------------------------------------------------------


def _modes(eta: float, p: Any, s: Any, tau: Any, t1: float, alpha_p: float = 1.0, beta: float = 0.4, x: Any = 1.0,
           x_aug: Any = 0.25, fate: str | None = None, **choices: Any) -> System:  # fmt: skip
    given = {"alpha_p": alpha_p, "beta": beta, "eta": eta, "x": x, "x_aug": x_aug}
    y0 = {"p": np.array(p, float), "s": np.array(s, float), "tau": np.broadcast_to(tau, np.shape(p)).astype(float)}
    return System("modes", given, y0, t1, choices, fate)


CRITICAL = 0.2  # tau^2/(4 (1 + sigma^2)) at tau = 1, sigma^2 = 1/4


@system
def modes_no_decay() -> System:
    return _modes(0.0, [0.2, 0.5, 1.1], [0.01, 0.3, 2.0], 0.5, 40.0)


@system
def modes_of_many_eigenvalues() -> System:
    x, x_aug = np.array([2.0, 0.7, 0.1]), np.array([0.2, 0.7, 0.05])
    return _modes(0.02, [0.4, 0.5, 0.6], [0.2, 0.2, 0.2], 0.9, 100.0, x=x, x_aug=x_aug)


@system
def modes_just_below_critical() -> System:
    return _modes(CRITICAL * (1 - 1e-5), [0.5, 0.42, 0.8], [0.25, 0.2, 0.6], 1.0, 400.0)


@system
def modes_at_critical() -> System:
    return _modes(CRITICAL, [0.5, 0.6, 0.9], [0.3, 0.36, 0.8], 1.0, 1000.0)


@system
def modes_just_above_critical() -> System:
    return _modes(CRITICAL * (1 + 1e-3), [0.5, 0.6, 0.9], [0.3, 0.36, 0.8], 1.0, 1000.0, fate="collapses")


@system
def modes_far_beyond_critical() -> System:
    return _modes(1.0, [0.5, 0.6, 0.9], [0.3, 0.36, 0.8], 0.5, 200.0, fate="collapses")


@system
def modes_tiny_start() -> System:
    return _modes(1e-3, [0.4, 0.35, 0.3], [1e-16, 1e-12, 1e-20], 1.0, 150.0, fate="lives")


@system
def modes_small_alpha_p() -> System:
    return _modes(0.01, [0.3, 0.5, 0.7], [0.5, 1.0, 1.5], 0.8, 1000.0, alpha_p=0.01)


@system
def modes_large_alpha_p() -> System:
    return _modes(0.05, [0.3, 0.1, 0.5], [0.05, 0.2, 0.01], 0.8, 50.0, alpha_p=100.0)


@system
def modes_slow_target() -> System:
    return _modes(1e-3, [0.3, 0.6, 0.9], [0.3, 0.3, 0.3], 0.3, 1000.0, beta=1e-3)


@system
def modes_fast_target() -> System:
    return _modes(0.05, [0.3, 0.6, 0.9], [0.3, 0.3, 0.3], 0.1, 20.0, beta=1e3)


@system
def modes_frozen_target() -> System:
    return _modes(0.05, [0.3, 0.6, 0.9], [0.3, 0.2, 0.1], 0.9, 60.0, target="frozen")


@system
def modes_simsiam() -> System:
    return _modes(0.05, [0.3, 0.6, 0.9], [0.3, 0.2, 0.1], 1.0, 100.0, target="online")


@system
def modes_separate_decays() -> System:
    y0 = {"p": np.array([0.3, 0.6]), "s": np.array([0.3, 0.2]), "tau": np.array([0.7, 1.0])}
    given = {"alpha_p": 2.0, "beta": 0.4, "eta_p": 0.1, "eta_s": 0.02, "x": 1.0, "x_aug": 0.25}
    return System("modes", given, y0, 100.0)


@system
def modes_fast_target_long() -> System:
    given = {"alpha_p": 1.0, "beta": 1e3, "eta": 0.05, "x": 1.0, "x_aug": 0.25}
    y0 = {"p": np.array([0.6]), "s": np.array([0.4]), "tau": np.array([0.1])}
    return System("modes", given, y0, 1000.0, fate="lives", engines=("scipy",), method="collocation")


@system
def mode_weights_fast_target_long() -> System:
    given = {"alpha_p": 0.5, "beta": 1e3, "eta": 0.01, "x": 0.8, "x_aug": 0.3}
    y0 = {"p": np.array([0.5]), "w": np.array([0.7]), "a": np.array([-0.4])}
    return System("mode_weights", given, y0, 1000.0, fate="lives", engines=("scipy",), method="collocation")


@system
def appendix_d() -> System:
    given = {"alpha_p": 1.0, "beta": 1.0, "eta": 0.0, "x": 0.5, "x_aug": 0.5}
    y0 = {"p": np.array([0.8, 0.05, 2.0]), "w": np.array([0.3, 0.05, -0.5]), "a": np.array([0.6, 0.9, -0.1])}
    return System("mode_weights", given, y0, 40.0)


@system
def mode_weights_simsiam() -> System:
    given = {"alpha_p": 5.0, "beta": 0.4, "eta": 0.03, "x": 1.0, "x_aug": 0.3}
    y0 = {"p": np.array([0.8, 0.3, -0.2]), "w": np.array([0.3, 0.5, 0.9]), "a": np.array([0.3, 0.5, 0.9])}
    return System("mode_weights", given, y0, 60.0, {"target": "online"})


@system
def parabola_ema() -> System:
    given = {"alpha_p": 1.0, "beta": 0.4, "eta": 0.04, "x": 1.0, "x_aug": 0.25}
    return System("parabola", given, {"p": np.array([0.3, 0.6, 1.2]), "tau": np.array([0.2, 0.5, 1.0])}, 100.0)


@system
def parabola_tiny_start() -> System:
    given = {"alpha_p": 1.0, "beta": 0.01, "eta": 0.0, "x": 1.0, "x_aug": 0.25}
    return System("parabola", given, {"p": np.array([1e-8, 1e-5, 1e-3]), "tau": np.full(3, 1e-3)}, 1000.0)
