"""Lemma 1 of one mode as it is printed, typed here anew and integrated here: what figures hold their claims against.

Nothing of `lindyn.equations`, `flows` or `solve` enters, so that a theory that is wrong there does not agree with this.
X = 1, X' = sigma2, one decay eta for both networks:

    dp/dt = alpha_p (a - v p w) w - eta p,  dw/dt = p (a - v p w) - eta w,  da/dt = beta (w - a),  v = 1 + sigma2

with s = w^2 and tau = a/w; a = w where the target is the online network, a held where tau's own rate is 0.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp


def mode_rates(alpha_p: Any, beta: Any, eta: Any, sigma2: float) -> Callable[[np.ndarray], np.ndarray]:
    """Return (p, w, a) -> their rates; beta = None means the online network as target, a is then w."""
    v = 1 + sigma2

    def rates(y: np.ndarray) -> np.ndarray:
        p, w, a = y
        a = w if beta is None else a
        bracket = a - v * p * w
        dw = p * bracket - eta * w
        return np.stack([alpha_p * bracket * w - eta * p, dw, dw if beta is None else beta * (w - a)])

    return rates


def mode_run(
    ts: Any, p: float, s: float, tau: float, alpha_p: float = 1.0, beta: float | None = None, eta: float = 0.0,
    sigma2: float = 0.25,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Return (p, s, tau, k) at times: the run, and the eigenvalue k of K (Eq. 9) of the mode at every time.

    Args:
        ts: times, the first the start.
        p: eigenvalue of W_p at the start.
        s: eigenvalue of F at the start, > 0.
        tau: target / online ratio at the start.
        alpha_p: learning-rate ratio of the predictor.
        beta: EMA rate; None for the online network as target.
        eta: weight decay of both networks.
        sigma2: variance of the augmentation.
    """
    rates, w = mode_rates(alpha_p, beta, eta, sigma2), np.sqrt(s)
    ts = np.asarray(ts, dtype=float)
    found = solve_ivp(
        lambda t, y: rates(y), (ts[0], ts[-1]), [p, w, tau * w], t_eval=ts, method="LSODA", rtol=1e-10, atol=1e-14
    )
    p_t, w_t, a_t = found.y
    s_t, tau_t = w_t**2, np.ones_like(w_t) if beta is None else a_t / w_t
    k = (1 + sigma2) * (alpha_p / 2 * s_t + p_t**2) - tau_t * p_t + 1.5 * eta
    return p_t, s_t, tau_t, k


def lives(
    p: Any, s: Any, tau: Any, alpha_p: Any = 1.0, beta: Any = None, eta: Any = 0.0, sigma2: float = 0.25,
    t1: float = 1500.0, step: float = 0.1,
) -> np.ndarray:  # fmt: skip
    """Return which of many modes keep more than a hundredth of what a living one has, by Runge's and Kutta's method.

    Args:
        p: eigenvalues of W_p at the start; all arguments broadcast.
        s: eigenvalues of F at the start.
        tau: target / online ratios at the start.
        alpha_p: learning-rate ratios.
        beta: EMA rates (step beta < 2.7); None for the online network.
        eta: weight decays.
        sigma2: variance of the augmentation.
        t1: end.
        step: of time.
    """
    every = [np.asarray(value, dtype=float) for value in (p, s, tau, alpha_p, eta, 0.0 if beta is None else beta)]
    p, s, tau, alpha_p, eta, rate = np.broadcast_arrays(*every)
    rates = mode_rates(alpha_p, None if beta is None else rate, eta, sigma2)
    y = np.stack([p, np.sqrt(s), tau * np.sqrt(s)])
    for _ in range(round(t1 / step)):
        one = rates(y)
        two = rates(y + step / 2 * one)
        three = rates(y + step / 2 * two)
        y = y + step / 6 * (one + 2 * two + 2 * three + rates(y + step * three))
    return np.asarray(y[1] ** 2 * alpha_p > 1e-2 / (4 * (1 + sigma2) ** 2))


def edge_of_collapse(
    low: float, high: float, count: int = 24, rounds: int = 2, sigma2: float = 0.25, t1: float = 1500.0,
    step: float = 0.1, **mode: Any,
) -> np.ndarray:  # fmt: skip
    """Return the decays past which modes collapse, found between two decays by grids on grids of `lives`.

    Args:
        low: a decay that all bear.
        high: one that none bears.
        count: decays of a grid.
        rounds: grids, each between two neighbours of the one before.
        sigma2: see `lives`; one for all modes.
        t1: see `lives`.
        step: see `lives`.
        **mode: what else `lives` takes of a mode, but for eta; many modes run side by side, their arguments broadcast.

    Returns:
        An edge for each mode, in the shape that the arguments broadcast to.
    """
    # the last axis is that of a mode's grid, in which only eta differs
    given = {name: np.asarray(value)[..., None] for name, value in mode.items() if value is not None}
    shape = np.broadcast_shapes(*(value.shape[:-1] for value in given.values()))
    lows, highs = np.full(shape, low), np.full(shape, high)
    for _ in range(rounds):
        grid = np.linspace(lows, highs, count, axis=-1)
        alive = lives(eta=grid, sigma2=sigma2, t1=t1, step=step, **given)
        first = np.where(alive.all(axis=-1), count - 1, np.argmin(alive, axis=-1))[..., None]
        lows = np.take_along_axis(grid, np.maximum(first - 1, 0), axis=-1)[..., 0]
        highs = np.take_along_axis(grid, first, axis=-1)[..., 0]
    return np.asarray((lows + highs) / 2)


def matrix_ends(
    W: Any, W_p: Any, W_a: Any, beta: float | None, eta: float, alpha_p: float = 1.0, sigma2: float = 0.25,
    t1: float = 300.0, step: float = 0.1,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Return (F, W_p) at the end of Lemma 1's flow for X = I, X' = sigma2 I, starts stacked in the first axis.

    Args:
        W: online weights, starts x n2 x n1.
        W_p: predictors, starts x n2 x n2.
        W_a: targets, starts x n2 x n1; not read for the online network as target.
        beta: EMA rate (step beta < 2.7); None for the online network as target.
        eta: weight decay of both networks.
        alpha_p: learning-rate ratio of the predictor.
        sigma2: variance of the augmentation.
        t1: end.
        step: of time.
    """
    turned = lambda M: np.swapaxes(M, -1, -2)  # noqa: E731

    def rates(y: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        W, W_p, W_a = y
        bracket = (W if beta is None else W_a) - (1 + sigma2) * W_p @ W
        dW, dW_p = turned(W_p) @ bracket - eta * W, alpha_p * bracket @ turned(W) - eta * W_p
        return dW, dW_p, 0 * W if beta is None else beta * (W - W_a)

    moved = lambda y, k, h: tuple(a + h * b for a, b in zip(y, k, strict=True))  # noqa: E731
    y = tuple(np.asarray(part, dtype=float) for part in (W, W_p, W_a))
    for _ in range(round(t1 / step)):
        one = rates(y)
        two = rates(moved(y, one, step / 2))
        three = rates(moved(y, two, step / 2))
        four = rates(moved(y, three, step))
        whole = tuple(a + 2 * b + 2 * c + d for a, b, c, d in zip(one, two, three, four, strict=True))
        y = moved(y, whole, step / 6)
    return y[0] @ turned(y[0]), y[1]
