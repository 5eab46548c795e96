"""Small things many tests share: random problems, relative differences."""

import numpy as np

import lindyn as ld

ENGINES = ["diffrax", "scipy"]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def psd(seed: int, n: int, scale: float = 1.0) -> np.ndarray:
    """A random PSD matrix with trace about `scale` n."""
    A = rng(seed).normal(size=(n, n))
    return A @ A.T * scale / n


def orthogonal(seed: int, n: int) -> np.ndarray:
    return np.linalg.qr(rng(seed).normal(size=(n, n)))[0]


def moments(seed: int = 0, n1: int = 4, noise: float = 0.3) -> ld.Moments:
    """Random moments that do not commute."""
    return ld.Moments(psd(seed, n1), psd(seed + 100, n1, noise))


def weights(
    seed: int = 0, n2: int = 3, n1: int = 4, target: str = "independent", symmetric: bool = False
) -> ld.WeightState:
    return ld.WeightState.random(n2, n1, seed, target=target, symmetric_predictor=symmetric)


def start(flow: ld.WeightFlow, seed: int = 0, n2: int = 3) -> ld.WeightState:
    """A random state that can start this flow."""
    y = weights(seed, n2, flow.data.n1, "copy" if flow.target == "online" else "independent")
    if flow.predictor == "identity":
        return ld.WeightState(y.W, None, y.W_a)
    return ld.WeightState(y.W, (y.W_p + y.W_p.T) / 2, y.W_a) if flow.predictor == "symmetrised" else y


def relative(got, want) -> float:
    """||got - want|| / ||want|| over all entries (0 where both are 0)."""
    size = float(np.linalg.norm(want))
    off = float(np.linalg.norm(np.asarray(got) - np.asarray(want)))
    return off / size if size else off


def block_difference(one, other) -> float:
    """The largest relative difference of two records, block by block."""
    return max(relative(getattr(one, name), getattr(other, name)) for name in other._fields())


ABLATIONS = [
    {"target": target, "stop_gradient": stop, "predictor": predictor}
    for target in ("ema", "online", "frozen")
    for stop in (True, False)
    for predictor in ("trained", "symmetrised", "identity")
    if stop or target == "online"
]


def words(choices: dict) -> str:
    return "-".join(str(value) for value in choices.values())
