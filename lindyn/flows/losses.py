"""The loss of a flow and BatchNorm at its end: the residual moment G that Lemma 1 is run with.

    squared       J = 1/2 E|q - t|^2                  G = W_a X - W_p W (X + X')
    cosine        J = -E cos(q, t), by the closure    G = (W_a X - kappa W_p W (X + X')) / sqrt(Q T)
    cosine-exact  the same exactly, Gaussian x, modes only

with q = W_p W x_1, t = W_a x_2. A minibatch's G is the mean over its samples (`MinibatchCosine`) or the closure of its
moments. BatchNorm divides every output by its standard deviation, online and target each by its own.
"""

import functools
import warnings
from typing import Any, NamedTuple

import numpy as np

from lindyn import _checks
from lindyn._options import ABLATIONS
from lindyn.equations import batchnorm, cosine, modes, weights
from lindyn.flows import rules
from lindyn.operators import MinibatchCosine

LOSSES = ABLATIONS["loss"].choices
NORMALISATIONS = ABLATIONS["normalise"].choices
SQUARED, CLOSURE, EXACT = LOSSES
NODES = 56
"""Nodes a side of the exact drive's integrals: 1e-12 for 2 to 64 modes whose sizes spread over a factor of 400."""
EMPTY = 1e-24
"""Share of the largest possible mean square below which outputs are 0 up to round-off."""
SHARED = 1e-12
"""Least share x / (x + x') of some mode: below it the two views have nothing in common, and cos no gradient."""
_UNDEFINED = "the cosine loss is not defined there"


def check(flow: Any, allowed: tuple[str, ...]) -> None:
    """Raise ValueError unless a flow's loss and normalisation are ones that it has, and its data allow the loss."""
    loss = _checks.one_of("loss", flow.loss, LOSSES)
    _checks.one_of("normalise", choice(flow, "normalise"), NORMALISATIONS)
    if loss not in allowed:
        raise ValueError(
            f"loss={loss!r} is exact for modes of commuting X and X' only (ModeWeightFlow); got {type(flow).__name__}. "
            "Use loss='cosine', the closure."
        )
    if loss != SQUARED and (spectrum := _spectrum(flow)) is not None:
        check_shared(*spectrum)


def check_shared(x: Any, x_aug: Any) -> None:
    """Raise ValueError where the two views of data share so little that the cosine loss has no gradient.

    Args:
        x: eigenvalues of X, one number or one per mode, >= 0.
        x_aug: eigenvalues of X', likewise.
    """
    x, x_aug = np.asarray(x, float), np.asarray(x_aug, float)
    if not np.any(x > SHARED * (x + x_aug)):
        raise ValueError(
            f"X is nothing beside X' (largest x / (x + x') {_largest(x, x_aug):.3g}): two views share no direction, so "
            "the cosine loss has no gradient. Lower x_aug."
        )


def choice(flow: Any, name: str) -> str:
    """Return the loss or normalisation of a flow, "squared" and "none" where it has no such choice."""
    return getattr(flow, name, ABLATIONS[name].default)


def is_squared(flow: Any) -> bool:
    """Return whether a flow has the squared loss and no BatchNorm: what Tian et al. speak of."""
    return choice(flow, "loss") == SQUARED and choice(flow, "normalise") == "none"


def _spectrum(flow: Any) -> tuple[np.ndarray, np.ndarray] | None:
    if _checks.any_traced(flow):
        return None
    found = flow.data.joint_spectrum()[:2] if hasattr(flow, "data") else (flow.x, flow.x_aug)
    x, x_aug = (np.asarray(each, float) for each in found)
    return x, x_aug


def _largest(x: np.ndarray, x_aug: np.ndarray) -> float:
    total = np.broadcast_to(x + x_aug, np.broadcast_shapes(x.shape, x_aug.shape))
    return float(np.max(np.divide(x, total, out=np.zeros(total.shape), where=total > 0)))


class Maps(NamedTuple):
    """Maps from data to outputs, n2 x n1, and the scale 1/D of their rows (None without BatchNorm).

    online and target are each normalised by the statistics of its own view.
    """

    online: Any
    target: Any
    scale: Any = None
    target_scale: Any = None


def maps(flow: Any, W: Any, W_a: Any) -> Maps:
    """Return the maps of a flow with `data`, `target` and `normalise` at the weights W and W_a."""
    X, X_aug, W_a = flow.data.X, flow.data.X_aug, W if flow.target == "online" else W_a
    if flow.normalise == "none":
        return Maps(W, W_a)
    scale = batchnorm.inverse_deviation(batchnorm.variance(W, X, X_aug))
    target_scale = batchnorm.inverse_deviation(batchnorm.variance(W_a, X.T, X_aug))
    return Maps(batchnorm.normalised(W, scale), batchnorm.normalised(W_a, target_scale), scale, target_scale)


def moments(flow: Any, at: Maps, W_p: Any) -> tuple[Any, Any]:
    """Return (G, the target branch's part of the rate without stop-gradient or None) of a flow's loss.

    Args:
        flow: with `data`, `loss` and `stop_gradient`.
        at: the maps to the outputs.
        W_p: predictor.
    """
    X, X_aug, W_a = flow.data.X, flow.data.X_aug, at.target
    if flow.loss == SQUARED:
        G = weights.residual_moment(at.online, W_p, W_a, X, X_aug)
        return G, None if flow.stop_gradient else weights.target_branch(at.online, W_p, W_a, X, X_aug)
    A = W_p @ at.online
    if isinstance(X, MinibatchCosine):
        return _of_samples(flow, A, W_a, X)
    Q, T = cosine.mean_square(A, X, X_aug), cosine.mean_square(W_a, X.T, X_aug)
    M, pace = cosine.overlap(A, W_a, X), cosine.clock(Q, T)
    G = cosine.closure_moment(A, W_a, X, X_aug, M / Q, pace)
    return G, None if flow.stop_gradient else cosine.closure_target_branch(A, W_a, X, X_aug, M / T, pace)


def _of_samples(flow: Any, A: Any, W_a: Any, X: MinibatchCosine) -> tuple[Any, Any]:
    """Return what `moments` does as means over the samples of a minibatch: the true cosine loss."""
    q, t, count = A @ X.v1, W_a @ X.v2, X.v1.shape[1]
    inverse_q, inverse_t = ((each * each).sum(0) ** -0.5 for each in (q, t))
    cos = (q * t).sum(0) * inverse_q * inverse_t
    G = cosine.sample_moment(q, t, X.v1, inverse_q, inverse_t, cos, count)
    if flow.stop_gradient:
        return G, None
    return G, cosine.sample_moment(t, q, X.v2, inverse_t, inverse_q, cos, count)


def rate_of_map(flow: Any, at: Maps, gradient: Any, branch: Any) -> Any:
    """Return the rate of W, decay left out, from those of the two branches' maps: through BatchNorm where there is one.

    Args:
        flow: with `data`.
        at: the maps.
        gradient: W_p^T G.
        branch: the target branch's part, or None.
    """
    if at.scale is None:
        return gradient if branch is None else gradient + branch
    X, X_aug = flow.data.X, flow.data.X_aug
    rate = batchnorm.row_map(gradient, at.online, X, X_aug, at.scale)
    return rate if branch is None else rate + batchnorm.row_map(branch, at.target, X.T, X_aug, at.target_scale)


def mode_drives(flow: Any, p: Any, w: Any, a: Any) -> tuple[Any, Any]:
    """Return (g, the target branch's part of dw/dt without stop-gradient or None) of every mode of a `ModeWeightFlow`.

    Args:
        flow: with x, x_aug, `loss`, `nodes` and `stop_gradient`.
        p: predictor per mode.
        w: online weight per mode.
        a: target weight per mode.
    """
    x, x_aug = flow.x, flow.x_aug
    if flow.loss == SQUARED:
        g = modes.residual(p, w, a, x, x_aug)
        return g, None if flow.stop_gradient else modes.target_branch(p, x, x_aug) * w
    m = p * w
    Q, T = _mean_square(m, x, x_aug), _mean_square(a, x, x_aug)
    if flow.loss == EXACT:
        return _exact(flow, m, a, Q, T)
    M, pace = (x * m * a).sum(), cosine.clock(Q, T)
    g = cosine.closure_drive(m, a, x, x_aug, M / Q, pace)
    return g, None if flow.stop_gradient else cosine.closure_drive(a, m, x, x_aug, M / T, pace)


def _mean_square(m: Any, x: Any, x_aug: Any) -> Any:
    return ((x + x_aug) * m * m).sum()


def _exact(flow: Any, m: Any, a: Any, Q: Any, T: Any) -> tuple[Any, Any]:
    """Return the exact drives: |q| and |t| scaled to unit mean square, where the nodes lie well."""
    u, v, weight = nodes(flow.nodes)
    size, other = Q**-0.5, T**-0.5
    given = (size * m, other * a, flow.x, flow.x_aug, u, v, weight)
    g = size * cosine.mode_drives(*given)
    return g, None if flow.stop_gradient else other * cosine.mode_target_drives(*given)


def mean_cosine(p: Any, w: Any, a: Any, x: Any, x_aug: Any, count: int = NODES) -> Any:
    """Return E cos(q, t) for Gaussian x in modes, q_k = p_k w_k xi_k, t_k = a_k zeta_k.

    Args:
        p: predictor per mode.
        w: online weight per mode.
        a: target weight per mode.
        x: eigenvalues of X, one number or one per mode.
        x_aug: eigenvalues of X', likewise.
        count: nodes a side.

    Raises:
        ValueError: outputs that are 0.
    """
    m = p * w
    squares = [_mean_square(each, x, x_aug) for each in (m, a)]
    for name, each in zip(("p w", "a"), squares, strict=True):
        if not _checks.is_traced(each) and not each > 0:
            raise ValueError(f"{name} gives outputs that are 0: {_UNDEFINED}. Give other weights or data.")
    size, other = (each**-0.5 for each in squares)
    return cosine.mean_cosine(size * m, other * a, x, x_aug, *nodes(count))[0]


@functools.cache
def nodes(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (u, v, (4/pi) du dv) as columns: Gauss-Legendre in y, u = (y/(1 - y))^2, `count` a side.

    The square lays nodes densely enough at large u, where the faint modes take part: with u = y/(1 - y) four unequal
    modes keep an error of 1e-8 at 56 nodes.

    Args:
        count: nodes a side, >= 2.
    """
    y, weight = np.polynomial.legendre.leggauss(count)
    y, weight = (y + 1) / 2, weight / 2
    u, du = (y / (1 - y)) ** 2, 2 * y / (1 - y) ** 3 * weight
    pairs = np.repeat(u, count), np.tile(u, count), 4 / np.pi * np.repeat(du, count) * np.tile(du, count)
    return tuple(each[:, None] for each in pairs)  # type: ignore[return-value]


def quadrature_error(flow: Any, y: Any) -> float:
    """Return the error of the exact drives at a state by twice the nodes, relative to their size.

    The size is the largest drive, or the closure's first term, x a / sqrt(Q T), where that is larger: where modes are
    alike the drives themselves are 0.
    """
    drives = [
        np.asarray(mode_drives(flow._replace(nodes=count), y.p, y.w, y.a)[0]) for count in (flow.nodes, 2 * flow.nodes)
    ]
    p, w, a = (_checks.to_numpy(each) for each in (y.p, y.w, y.a))
    Q, T = (_mean_square(each, flow.x, flow.x_aug) for each in (p * w, a))
    size = max(float(np.max(np.abs(part))) for part in (drives[1], flow.x * a * cosine.clock(Q, T)))
    return float(np.max(np.abs(drives[0] - drives[1]))) / size if size > 0 else 0.0


class UndefinedLossError(ValueError):
    """A state in which the loss or BatchNorm of a flow is not defined; `reason` says it of any time.

    Args:
        what: is the case.
        why: that matters.
        when: words for the start, in the message alone.
    """

    def __init__(self, what: str, why: str, when: str) -> None:
        super().__init__(f"{what}{when}: {why}. Start from other weights.")
        self.reason = f"{what}: {why}"


def undefined_in(flow: Any, y: Any) -> str:
    """Return why the loss or BatchNorm of a flow is not defined in a state; "" where it is."""
    try:
        with np.errstate(all="ignore"):
            flow.check_state(y)
    except UndefinedLossError as error:
        return error.reason
    except ValueError:
        return ""
    return ""


def check_maps(flow: Any, y: Any) -> None:
    """Raise ValueError where the loss or BatchNorm of a flow on matrices is not defined on its data at a start."""
    if is_squared(flow) or _checks.any_traced(flow, y):
        return
    X, X_aug = (_checks.to_numpy(M) for M in (flow.data.X, flow.data.X_aug))
    W, W_a = (_checks.to_numpy(M) for M in (y.W, y.W_a))
    if flow.normalise == "batchnorm":
        for name, each in (("W", W), ("W_a", W_a)):
            _check_rows(name, each, X + X_aug)
    if flow.loss != SQUARED:
        at = maps(flow, W, W_a)
        A = _checks.to_numpy(rules.complete(flow, y).W_p) @ at.online
        for name, each in (("W_p W", A), ("W_a", at.target)):
            mean_square, most = np.sum(each * (each @ (X + X_aug))), np.linalg.norm(X + X_aug, 2) * np.sum(each * each)
            _check_size(name, each, mean_square, most)


def check_modes(flow: Any, y: Any) -> None:
    """Raise ValueError where the cosine loss of a flow on modes is not defined on its data at a start."""
    if _checks.any_traced(flow, y):
        return
    c = _checks.to_numpy(flow.x + flow.x_aug)
    p, w, a = (_checks.to_numpy(each) for each in (rules.complete(flow, y).p, y.w, y.a))
    for name, each in (("p w", p * w), ("a", a)):
        _check_size(name, each, np.sum(c * each * each), np.max(c) * np.sum(each * each))


def _check_rows(name: str, W: np.ndarray, S: np.ndarray) -> None:
    """Raise ValueError where an output is constant, which BatchNorm cannot divide by its deviation."""
    variance, most = np.sum((W @ S) * W, axis=1), np.sum(W * W, axis=1) * np.linalg.norm(S, 2)
    for row in np.flatnonzero(variance <= EMPTY * most):
        why = f"Output {row} of {name} is constant on these data" if W[row].any() else f"Row {row} of {name} is 0"
        raise UndefinedLossError(f"{why}, a constant feature", "BatchNorm divides it by a deviation of 0", "")


def _check_size(name: str, value: np.ndarray, mean_square: float, most: float) -> None:
    """Raise ValueError where all outputs are 0, for which the cosine loss is not defined."""
    if mean_square > EMPTY * most:
        return
    what = f"{name} x = 0 for all data" if value.any() else f"{name} = 0"
    raise UndefinedLossError(what, _UNDEFINED, " at the start")


def warn_of_nodes(flow: Any, y: Any, tolerance: float = 1e-8) -> None:
    """Warn where the nodes are too few for a start: the quadrature's error, and how many would do."""
    if flow.loss != EXACT or any(_checks.is_traced(each) for each in (y.p, y.w, y.a)):
        return
    error = quadrature_error(flow, y)
    if error > tolerance:
        warnings.warn(
            f"nodes={flow.nodes} a side leave a relative error of {error:.1e} in the exact drive at the start; "
            f"try nodes={max(NODES, 2 * flow.nodes)}.",
            stacklevel=3,
        )
