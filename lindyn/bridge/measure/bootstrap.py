"""Every statistic that depends on the samples, from means in a basis: of all samples and of bootstrap draws alike."""

from dataclasses import dataclass

import numpy as np

from lindyn import observables
from lindyn.bridge.measure.block_sums import BLOCKS
from lindyn.bridge.measure.map_shape import mean_commutator_sq, shape_of
from lindyn.bridge.measure.sampled import Sampled
from lindyn.bridge.watch.feature_sums import DAMPING

DRAWS = 200
ROUND_OFF = 1e-14  # of sums of squares in double precision, with room
_AT_ONCE = 20
Means = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Frame:
    """What stays fixed while samples are drawn; matrices in the coordinates of a basis U, d x m.

    Args:
        W_p: U^T W_p U, m x m; None without a predictor, or where `estimated`.
        estimated: whether W_p is fitted to the features anew in each draw.
        outside: U^T W_p^T (I - U U^T) W_p U, what W_p sends out of the basis; 0 where m = d.
        VV: U^T [V b][V b]^T U of the projector's last layer, m x m, or None.
        tail: eigenvalues of F outside the basis, taken as fixed.
        window: the modes that a slope is fitted to and a spread is taken over, largest s first.
        shape_modes: modes to which an estimated W_p is restricted where its shape is looked at.
    """

    W_p: np.ndarray | None
    estimated: bool
    outside: np.ndarray
    VV: np.ndarray | None
    tail: np.ndarray
    window: int
    shape_modes: int


def all_readings(sums: Means, frame: Frame, draws: int = DRAWS, seed: int = 0) -> dict[str, Sampled]:
    """Return every statistic of all samples with its bootstrap draws.

    Args:
        sums: by block, as `BlockSums.arrays` gives them.
        frame: what is fixed.
        draws: B, how many draws of blocks with replacement.
        seed: of the draws.

    Returns:
        By name, see `readings`.
    """
    counts = np.random.default_rng([seed, 0xB007]).multinomial(BLOCKS, np.full(BLOCKS, 1 / BLOCKS), size=draws)
    full = readings(_means(sums, np.ones((1, BLOCKS))), frame)
    parts = [
        readings(_means(sums, counts[start : start + _AT_ONCE].astype(float)), frame)
        for start in range(0, draws, _AT_ONCE)
    ]
    return {name: Sampled(full[name][0], np.concatenate([part[name] for part in parts]), BLOCKS) for name in full}


def _means(sums: Means, weights: np.ndarray) -> Means:
    count = weights @ sums["count"]
    found = {"count": count}
    for name, value in sums.items():
        if name != "count":
            total = np.tensordot(weights, value, axes=1)
            found[name] = total / count.reshape(-1, *[1] * (total.ndim - 1))
    return found


def readings(means: Means, frame: Frame) -> Means:
    """Return statistics of means, each with the draws as first axis; m modes, largest s first.

    s, p, cosine, rho = u^T X u / s, tau = u^T E[t z^T] u / s and s_V = u^T V V^T u per mode; commutator_sq relative to
    random rotations; slope; inputs_sq and views_sq, the squared spreads of `spread_sq`; target_cosine and tau_all;
    concentration, effective_rank, rankme, std; the shape of an estimated W_p. What cannot be made is left out.

    Args:
        means: zz = E[y y^T] and, where known, z, zx, tz, t.z, tt, qz, q, size, u, uu.
        frame: what is fixed.

    Returns:
        Arrays by name.
    """
    s, c = np.linalg.eigh(means["zz"])
    s, c = s[..., ::-1], c[..., ::-1]
    found = {"s": s, **_collapse(means, s, frame)}
    if "zx" in means:
        found["rho"] = _ratio(_along(means["zx"], c), s)
        found["views_sq"] = spread_sq(_turned(means["zx"], c), s, frame.window)
    if "tz" in means:
        found["tau"] = _ratio(_along(means["tz"], c), s)
        found["tau_all"] = _ratio(means["t.z"], means["size"])
        found["target_cosine"] = _ratio(means["t.z"], np.sqrt(means["tt"] * means["size"]))
    if frame.VV is not None:
        found["s_V"] = _along(frame.VV, c)
        found["inputs_sq"] = spread_sq(_turned(frame.VV, c), s, frame.window)
    W_p = _nearest(means) if frame.estimated else frame.W_p
    if W_p is not None:
        found |= _predictor(np.broadcast_to(W_p, c.shape), s, c, frame)
    return found


def _predictor(W_p: np.ndarray, s: np.ndarray, c: np.ndarray, frame: Frame) -> Means:
    turned = _turned(W_p, c)
    p = np.diagonal(turned, axis1=-2, axis2=-1)
    length = np.sqrt(np.sum(turned**2, axis=-2) + _along(frame.outside, c))
    found = {"p": p, "cosine": _ratio(p, length)}
    if s.shape[-1] > 1:
        gaps = s[..., :, None] - s[..., None, :]
        found["commutator_sq"] = _ratio(np.sum((gaps * turned) ** 2, axis=(-2, -1)), mean_commutator_sq(s, turned))
    found["slope"] = _slope(p[..., : frame.window], s[..., : frame.window])
    if frame.estimated:
        k = frame.shape_modes
        found |= shape_of(turned[..., :k, :k])
    return found


def _nearest(means: Means) -> np.ndarray:
    """Return the map of least squares with an offset, damped as `FeatureSums.nearest_map` is."""
    z, q = means["z"], means["q"]
    C = means["zz"] - z[..., :, None] * z[..., None, :]
    C_qz = means["qz"] - q[..., :, None] * z[..., None, :]
    m = C.shape[-1]
    variance, size = (np.trace(M, axis1=-2, axis2=-1) / m for M in (C, means["zz"]))
    ridge = np.maximum(DAMPING * variance, ROUND_OFF * size)  # of constant features C is round-off of z z^T alone
    damped = C + np.maximum(ridge, np.finfo(float).tiny)[..., None, None] * np.eye(m)
    return np.swapaxes(np.linalg.solve(damped, np.swapaxes(C_qz, -1, -2)), -1, -2)


def spread_sq(M: np.ndarray, s: np.ndarray, k: int) -> np.ndarray:
    """Return the squared coefficient of variation of the eigenvalues of D^(-1/2) M D^(-1/2), D = diag(s), k modes.

    It is k tr(A^2) / (tr A)^2 - 1, and 0 where M is a multiple of D on these modes.

    Args:
        M: symmetric, (..., m, m), in the eigenbasis of F.
        s: eigenvalues of F, (..., m).
        k: how many of the leading modes.
    """
    root = np.sqrt(np.maximum(s[..., :k], np.finfo(float).tiny))
    A = M[..., :k, :k] / (root[..., :, None] * root[..., None, :])
    trace = np.trace(A, axis1=-2, axis2=-1)
    return _ratio(k * np.sum(A**2, axis=(-2, -1)), trace**2) - 1


def _collapse(means: Means, s: np.ndarray, frame: Frame) -> Means:
    positive = np.maximum(s, 0.0)
    whole = np.concatenate([positive, np.broadcast_to(frame.tail, (*s.shape[:-1], len(frame.tail)))], axis=-1)
    found = {
        "concentration": _ratio(whole[..., 0], whole.sum(axis=-1)),
        "effective_rank": observables.entropy_rank(whole),
        "rankme": observables.entropy_rank(np.sqrt(whole)),
    }
    if "u" in means:
        n = means["count"][..., None]
        variance = np.maximum(means["uu"] - means["u"] ** 2, 0.0) * n / (n - 1)
        found["std"] = np.mean(np.sqrt(variance), axis=-1)
    return found


def _slope(p: np.ndarray, s: np.ndarray) -> np.ndarray:
    """Return the slope of log p on log s over the modes with p > 0; NaN with fewer than two."""
    alive = (p > 0) & (s > 0)
    n = np.maximum(alive.sum(axis=-1, keepdims=True), 1)
    x, y = (np.where(alive, np.log(np.where(alive, a, 1.0)), 0.0) for a in (s, p))
    x, y = (np.where(alive, a - a.sum(axis=-1, keepdims=True) / n, 0.0) for a in (x, y))
    return _ratio(np.sum(x * y, axis=-1), np.sum(x * x, axis=-1))


def _turned(M: np.ndarray, c: np.ndarray) -> np.ndarray:
    return np.swapaxes(c, -1, -2) @ M @ c


def _along(M: np.ndarray, c: np.ndarray) -> np.ndarray:
    return np.sum(c * (M @ c), axis=-2)


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = np.broadcast_arrays(a, b)
    return np.divide(a, b, out=np.full(a.shape, np.nan), where=b != 0)
