"""The state of a deep linear projector: layers W_L ... W_1, predictor, the target's layers."""

import functools
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from lindyn import _checks
from lindyn.states import TARGET_STARTS, MapState, gaussian, initial_predictor, seeded


def product(layers: tuple[Any, ...]) -> Any:
    """Return W_L ... W_1 of layers in the order in which they act, W_1 first; leading axes are kept."""
    return functools.reduce(lambda below, layer: layer @ below, layers)


@dataclass(frozen=True, eq=False, repr=False)
class DeepWeightState(MapState):
    """(W_1 ... W_L, W_p, the target's layers) of a projector W = W_L ... W_1; L = 1 is a `WeightState`.

    Args:
        Ws: the layers in the order in which they act: W_1 is n_1 x n1, W_L is n2 x n_(L-1).
        W_p: predictor, n2 x n2; default the identity.
        W_as: the target's layers; default None, a copy of the online ones.

    Raises:
        ValueError: no layer, layers that do not fit, NaN or infinity.
    """

    Ws: Any
    W_p: Any = None
    W_as: Any = None

    roles = (("Ws", "W_p"), "Ws", "W_as")

    def _check(self) -> None:
        Ws = _layers("Ws", self.Ws)
        W_as = Ws if self.W_as is None else _layers("W_as", self.W_as)
        n2 = Ws[-1].shape[0]
        if [W.shape for W in Ws] != [W.shape for W in W_as]:
            raise ValueError(
                f"W_as must have the shapes of Ws, {_shapes(Ws)}; got {_shapes(W_as)}. The target has the online "
                "projector's form."
            )
        W_p = np.eye(n2) if self.W_p is None else self.W_p
        self._set(Ws=Ws, W_p=_checks.as_array("W_p", W_p, shape=(n2, n2)), W_as=W_as)

    @property
    def depth(self) -> int:
        """Number L of layers."""
        return len(self.Ws)

    @property
    def W(self) -> Any:
        """The online map W_L ... W_1."""
        return product(self.Ws)

    @property
    def W_a(self) -> Any:
        """The target's map."""
        return product(self.W_as)

    @property
    def axes(self) -> Mapping[str, tuple[str, ...]]:  # type: ignore[override]
        """Names of the axes of every array in a file."""
        names = ["n1", *(f"n_{k}" for k in range(1, self.depth)), "n2"]
        pairs = list(zip(names[1:], names[:-1], strict=True))
        layers = {f"{kind}_{k}": pair for kind in ("W", "W_a") for k, pair in enumerate(pairs, start=1)}
        return {**layers, "W_p": ("n2", "n2_in")}

    def blocks(self) -> dict[str, Any]:
        """Return W_1, ..., W_p, W_a_1, ... ."""
        online, target = ({f"{name}_{k}": W for k, W in enumerate(Ws, start=1)} for name, Ws in self._sides())
        return {**online, "W_p": self.W_p, **target}

    def _sides(self) -> tuple[tuple[str, Any], tuple[str, Any]]:
        return ("W", self.Ws), ("W_a", self.W_as)

    @classmethod
    def of_blocks(cls, blocks: Mapping[str, Any]) -> Self:
        """Return the unchecked state of arrays named as in `blocks`."""
        depth = sum(name.startswith("W_a_") for name in blocks)
        online, target = (tuple(blocks[f"{name}_{k}"] for k in range(1, depth + 1)) for name in ("W", "W_a"))
        return cls._unchecked(Ws=online, W_p=blocks["W_p"], W_as=target)

    def beside_predictor(self) -> np.ndarray:
        """Return W_L W_L^T: what Theorem 1 holds against W_p^T W_p/alpha_p in a deep projector."""
        W = _checks.to_numpy(self.Ws[-1])
        return W @ np.swapaxes(W, -1, -2)

    @classmethod
    def random(
        cls,
        n2: int,
        n1: int,
        depth: int = 3,
        hidden: int | None = None,
        seed: int | np.random.Generator = 0,
        scale: float = 1.0,
        scale_p: float = 1.0,
        target: str = "copy",
        symmetric_predictor: bool = False,
    ) -> Self:
        """Return Gaussian layers: entries of W_l are N(0, scale^2 / columns), of W_p N(0, scale_p^2 / n2).

        Args:
            n2: output dimension, >= 1.
            n1: input dimension, >= 1.
            depth: number L of layers, >= 1.
            hidden: width between them; default n2.
            seed: seed or numpy Generator; layers, W_p, the target's layers are drawn in this order.
            scale: size of each layer, > 0.
            scale_p: size of W_p, > 0.
            target: the target starts as a "copy", at "zero", or "independent".
            symmetric_predictor: start W_p at its symmetric part.

        Raises:
            ValueError: a size below 1, a scale that is not positive, an unknown `target`.
        """
        depth, rng = _checks.as_whole("depth", depth), seeded(seed)
        hidden = _checks.as_whole("hidden", n2 if hidden is None else hidden)
        sizes = [_checks.as_whole("n1", n1), *[hidden] * (depth - 1), _checks.as_whole("n2", n2)]
        scale = _checks.as_scalar("scale", scale, minimum=0.0, exclusive=True)
        scale_p = _checks.as_scalar("scale_p", scale_p, minimum=0.0, exclusive=True)
        _checks.one_of("target", target, TARGET_STARTS)
        Ws = tuple(gaussian(rng, rows, columns, scale) for columns, rows in itertools.pairwise(sizes))
        W_p = initial_predictor(rng, n2, scale_p, symmetric_predictor)
        if target == "copy":
            return cls(Ws, W_p, tuple(W.copy() for W in Ws))
        draw = target == "independent"
        return cls(
            Ws, W_p, tuple(gaussian(rng, W.shape[0], W.shape[1], scale) if draw else np.zeros_like(W) for W in Ws)
        )


def _layers(name: str, given: Any) -> tuple[Any, ...]:
    """Return the layers as arrays that fit one after the other."""
    if hasattr(given, "ndim") and getattr(given, "ndim", 0) == 2:
        raise ValueError(f"{name} must be a tuple of layers, (W_1, ..., W_L); got one matrix. Write {name}=(W,).")
    if not isinstance(given, list | tuple):
        raise ValueError(f"{name} must be a tuple of layers, (W_1, ..., W_L); got {given!r}.")
    Ws = tuple(_checks.as_array(f"{name}[{k}]", W, ndim=2) for k, W in enumerate(given))
    if not Ws:
        raise ValueError(f"{name} must hold at least one layer; got none.")
    for place, (below, above) in enumerate(itertools.pairwise(Ws), start=1):
        if above.shape[1] != below.shape[0]:
            raise ValueError(
                f"{name} must fit one after the other, W_1 first; got {_shapes(Ws)}: layer {place + 1} takes "
                f"{above.shape[1]} numbers, layer {place} gives {below.shape[0]}."
            )
    return Ws


def _shapes(Ws: tuple[Any, ...]) -> str:
    return ", ".join(f"{W.shape[0]} x {W.shape[1]}" for W in Ws)
