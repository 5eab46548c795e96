"""What is integrated: frozen states of the weight, correlation and mode systems, with seeded initialisers.

A state class says how it is read: the axes of its fields in a file, what a descent trains, the sizes of its modes, tau,
the curves of a picture (see `State`, the base of all; `MatrixState`, `ModalState`).
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from lindyn import _checks, statistics
from lindyn._options import ABLATIONS
from lindyn._records import MatrixState, ModalState, Panel, Record, State

__all__ = [
    "CorrelationState",
    "GramState",
    "MapState",
    "MatrixState",
    "ModalState",
    "ModeState",
    "ModeWeightState",
    "Panel",
    "ParabolaState",
    "State",
    "WeightState",
]  # fmt: skip
TARGET_STARTS = ABLATIONS["target_start"].choices


def gaussian(rng: np.random.Generator, rows: int, columns: int, scale: float) -> np.ndarray:
    """Return a Gaussian matrix of entries N(0, scale^2 / columns)."""
    return rng.normal(0.0, scale / np.sqrt(columns), (rows, columns))


def seeded(seed: int | np.random.Generator) -> np.random.Generator:
    """Return the generator of a seed, or the one given."""
    if isinstance(seed, np.random.Generator):
        return seed
    return np.random.default_rng(_checks.as_whole("seed", seed, minimum=0))


def eigen_of_map(W: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return eigenvalues of W W^T, largest first, and eigenvectors, by the singular values of W, (..., n2, n1)."""
    W = _checks.to_numpy(W)
    U, sigma, _ = np.linalg.svd(W, full_matrices=W.shape[-2] > W.shape[-1])
    missing = W.shape[-2] - sigma.shape[-1]
    return np.concatenate([sigma**2, np.zeros((*sigma.shape[:-1], missing))], axis=-1), U


def initial_predictor(rng: np.random.Generator, n2: int, scale: float, symmetric: bool) -> np.ndarray:
    """Return a Gaussian n2 x n2 predictor of entries N(0, scale^2 / n2), its symmetric part if `symmetric`."""
    W_p = gaussian(rng, n2, n2, scale)
    return (W_p + W_p.T) / 2 if symmetric else W_p


class MapState(MatrixState):
    """A state with the maps W and W_a from data to outputs, each n2 x n1: F = W W^T and H = W_a W^T."""

    W: Any
    W_a: Any
    round_off = 1e-26  # s are squares of the singular values of W

    def correlation(self) -> np.ndarray:
        """Return F = W W^T."""
        W = _checks.to_numpy(self.W)
        return W @ np.swapaxes(W, -1, -2)

    def cross(self) -> np.ndarray:
        """Return H = W_a W^T."""
        return _checks.to_numpy(self.W_a) @ np.swapaxes(_checks.to_numpy(self.W), -1, -2)

    def eigen(self) -> tuple[np.ndarray, np.ndarray]:
        """Return (s, U) by the singular values of W, which keeps the relative accuracy of collapsing modes."""
        return eigen_of_map(self.W)


@dataclass(frozen=True, eq=False, repr=False)
class WeightState(MapState):
    """(W, W_p, W_a) of Lemma 1.

    Args:
        W: online weights, n2 x n1.
        W_p: predictor, n2 x n2; default the identity.
        W_a: target weights, n2 x n1; default None, the target starts as a copy of W.

    Raises:
        ValueError: shapes that do not fit, NaN or infinity.
    """

    W: Any
    W_p: Any = None
    W_a: Any = None

    roles = (("W", "W_p"), "W", "W_a")

    def _check(self) -> None:
        W = _checks.as_array("W", self.W, ndim=2)
        n2, n1 = W.shape
        if self.W_p is not None:
            _checks.check_not_turned(W, self.W_p)
        W_p = np.eye(n2) if self.W_p is None else self.W_p
        W_a = W if self.W_a is None else self.W_a
        self._set(
            W=W,
            W_p=_checks.as_array("W_p", W_p, shape=(n2, n2)),
            W_a=_checks.as_array("W_a", W_a, shape=(n2, n1)),
        )

    @classmethod
    def random(
        cls,
        n2: int,
        n1: int,
        seed: int | np.random.Generator = 0,
        scale: float = 1.0,
        scale_p: float = 1.0,
        target: str = "copy",
        symmetric_predictor: bool = False,
    ) -> Self:
        """Return Gaussian weights: entries of W are N(0, scale^2 / n1), of W_p N(0, scale_p^2 / n2).

        Args:
            n2: output dimension, >= 1.
            n1: input dimension, >= 1.
            seed: seed or numpy Generator; W, W_p, W_a are drawn in this order.
            scale: size of W (and of an independent W_a), > 0.
            scale_p: size of W_p, > 0.
            target: W_a starts as a "copy" of W, at "zero", or "independent" of it.
            symmetric_predictor: start W_p at its symmetric part.

        Returns:
            The state.

        Raises:
            ValueError: a size below 1, a scale that is not positive, an unknown `target`.
        """
        n2, n1, rng = _checks.as_whole("n2", n2), _checks.as_whole("n1", n1), seeded(seed)
        scale = _checks.as_scalar("scale", scale, minimum=0.0, exclusive=True)
        scale_p = _checks.as_scalar("scale_p", scale_p, minimum=0.0, exclusive=True)
        _checks.one_of("target", target, TARGET_STARTS)
        W = gaussian(rng, n2, n1, scale)
        W_p = initial_predictor(rng, n2, scale_p, symmetric_predictor)
        if target == "independent":
            return cls(W, W_p, gaussian(rng, n2, n1, scale))
        return cls(W, W_p, W.copy() if target == "copy" else np.zeros_like(W))


@dataclass(frozen=True, eq=False, repr=False)
class CorrelationState(MatrixState):
    """(W_p, F, tau) with F = W W^T under Assumptions 1 + 2 (Eq. 7).

    Args:
        W_p: predictor, n2 x n2.
        F: correlation of the outputs, n2 x n2, symmetric PSD.
        tau: target / online ratio (W_a = tau W), default 1 (the target starts as a copy).

    Raises:
        ValueError: shapes that do not fit, F not symmetric PSD, NaN or infinity.
    """

    W_p: Any
    F: Any
    tau: Any = 1.0

    symmetric = ("F",)

    def ratio(self) -> np.ndarray:
        """Return tau."""
        return _checks.to_numpy(self.tau)

    def _check(self) -> None:
        F = _checks.as_psd("F", self.F)
        W_p = _checks.as_array("W_p", self.W_p, shape=F.shape)
        self._set(W_p=W_p, F=F, tau=_checks.as_array("tau", self.tau, ndim=0))

    @classmethod
    def random(
        cls,
        n2: int,
        seed: int | np.random.Generator = 0,
        scale: float = 1.0,
        scale_p: float = 1.0,
        tau: float = 1.0,
        symmetric_predictor: bool = True,
    ) -> Self:
        """Return F = W W^T of a Gaussian square W and a Gaussian W_p (see `WeightState.random`)."""
        start = WeightState.random(n2, n2, seed, scale, scale_p, symmetric_predictor=symmetric_predictor)
        return cls(start.W_p, start.W @ start.W.T, tau)


@dataclass(frozen=True, eq=False, repr=False)
class GramState(MatrixState):
    """(W_p, F, H, J) with F = W W^T, H = W_a W^T, J = W_a W_a^T: the exact isotropic reduction.

    Args:
        W_p: predictor, n2 x n2.
        F: n2 x n2, symmetric PSD.
        H: n2 x n2.
        J: n2 x n2, symmetric PSD.

    Raises:
        ValueError: shapes that do not fit, [[F, H^T], [H, J]] not PSD, NaN or infinity.
    """

    W_p: Any
    F: Any
    H: Any
    J: Any

    symmetric = ("F", "J")

    def _check(self) -> None:
        F = _checks.as_psd("F", self.F)
        self._set(
            F=F,
            W_p=_checks.as_array("W_p", self.W_p, shape=F.shape),
            H=_checks.as_array("H", self.H, shape=F.shape),
            J=_checks.as_psd("J", self.J, n=F.shape[0]),
        )
        if not any(_checks.is_traced(getattr(self, name)) for name in self._fields()):
            F, H, J = (_checks.to_numpy(M) for M in (self.F, self.H, self.J))
            _checks.as_psd("[[F, H^T], [H, J]]", np.block([[F, H.T], [H, J]]))


def _broadcast_modes(record: Record, **floors: float) -> None:
    """Check the arrays of a mode state and broadcast them to one shape."""
    arrays = {name: _checks.as_array(name, getattr(record, name)) for name in record._fields()}
    shapes = {name: tuple(array.shape) for name, array in arrays.items()}
    try:
        shape = np.broadcast_shapes(*shapes.values())
    except ValueError as error:
        raise ValueError(f"{', '.join(shapes)} must have one entry per mode; got shapes {shapes}.") from error
    for name, array in arrays.items():
        if name in floors and not _checks.is_traced(array) and np.any(_checks.to_numpy(array) < floors[name]):
            raise ValueError(f"{name} must be >= {floors[name]:g}; got {_checks.to_numpy(array).min():g}.")
        record._set(**{name: array if tuple(array.shape) == shape else np.broadcast_to(array, shape).copy()})


@dataclass(frozen=True, eq=False, repr=False)
class ModeState(ModalState):
    """(p, s, tau) of Eqs. 11-13, one entry per mode (scalars and arrays broadcast).

    Args:
        p: eigenvalues of W_p.
        s: eigenvalues of F = W W^T, >= 0.
        tau: target / online ratio per mode, default 1.

    Raises:
        ValueError: shapes that do not broadcast, s < 0, NaN or infinity.
    """

    p: Any
    s: Any
    tau: Any = 1.0

    balanced = True

    def _check(self) -> None:
        _broadcast_modes(self, s=0.0)

    def sizes(self, alpha_p: float) -> np.ndarray | None:
        """Return s."""
        return _checks.to_numpy(self.s)

    def curves(self, flow: Any) -> list[Panel]:
        """Return p, s, tau, and the eigenvalue of K (Eq. 17)."""
        K = Panel(r"eigenvalue of $K$ (aligned if $> 0$)", flow.alignment_rate(self), zero=True)
        return [Panel(r"$p_j$", self.p), Panel(r"$s_j$", self.s, log=True), Panel(r"$\tau_j$", self.tau, ratio=True), K]


@dataclass(frozen=True, eq=False, repr=False)
class ModeWeightState(ModalState):
    """(p, w, a) of Appendix D: eigenvalues of W_p and singular values of W and W_a, one entry per mode.

    Args:
        p: predictor (the paper's w_p).
        w: online weight.
        a: target weight (the paper's w_a); default None, a copy of w.

    Raises:
        ValueError: shapes that do not broadcast, NaN or infinity.
    """

    p: Any
    w: Any
    a: Any = None

    balanced = True
    roles = (("w", "p"), "w", "a")

    def _check(self) -> None:
        self._set(a=self.w if self.a is None else self.a)
        _broadcast_modes(self)

    def sizes(self, alpha_p: float) -> np.ndarray | None:
        """Return w^2."""
        return _checks.to_numpy(self.w) ** 2

    def ratio(self) -> np.ndarray:
        """Return tau = a / w; NaN at w = 0."""
        return statistics.ratio(_checks.to_numpy(self.a), _checks.to_numpy(self.w))

    def curves(self, flow: Any) -> list[Panel]:
        """Return p, w, tau and a."""
        tau = Panel(r"$\tau_j$", self.ratio(), ratio=True)
        return [Panel(r"$p_j$", self.p), Panel(r"$w_j$", self.w), tau, Panel(r"$a_j$ (target)", self.a)]


@dataclass(frozen=True, eq=False, repr=False)
class ParabolaState(ModalState):
    """(p, tau) on the invariant parabola s = p^2 / alpha_p, one entry per mode (Eq. 16).

    Args:
        p: eigenvalues of W_p.
        tau: target / online ratio per mode, default 1.

    Raises:
        ValueError: shapes that do not broadcast, NaN or infinity.
    """

    p: Any
    tau: Any = 1.0

    def _check(self) -> None:
        _broadcast_modes(self)

    def sizes(self, alpha_p: float) -> np.ndarray | None:
        """Return s = p^2 / alpha_p."""
        return _checks.to_numpy(self.p) ** 2 / max(float(alpha_p), np.finfo(float).tiny)

    def curves(self, flow: Any) -> list[Panel]:
        """Return p, s, tau and tau p."""
        s, tau_p = self.sizes(flow.hp.alpha_p), _checks.to_numpy(self.p) * _checks.to_numpy(self.tau)
        return [
            Panel(r"$p_j$", self.p),
            Panel(r"$s_j = p_j^2/\alpha_p$", s, log=True),
            Panel(r"$\tau_j$", self.tau, ratio=True),
            Panel(r"$\tau_j p_j$", tau_p),
        ]
