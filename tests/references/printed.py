"""The equations as the paper prints them, typed here once more for the references (nothing comes from lindyn).

Each function takes what is given (floats and float arrays) and returns `rate(y)`, blocks of the state -> blocks of the
derivative, in + - * / @ .T, for `taylor.Series`, mpf object arrays or numpy arrays. The target is "ema", "online" or
"frozen"; `identity` means no predictor.
"""

from collections.abc import Callable

import numpy as np
from mpmath import mpf

from tests.references.taylor import exact

HALF = mpf(1) / 2


def weights(given: dict, target: str = "ema", stop_gradient: bool = True, predictor: str = "trained") -> Callable:
    """Lemma 1 (Eqs. 2-4); without stop-gradient -H vec(W) of Theorem 2 (Eq. 6)."""
    X, X_aug = exact(given["X"]), exact(given["X_aug"])
    alpha_p, beta, eta_p, eta_s = rates(given, target)

    def rate(y: dict) -> dict:
        W, W_p = y["W"], y["W_p"]
        W_a = W if target == "online" else y["W_a"]
        bracket = W_a @ X - W_p @ (W @ (X + X_aug))
        dW_p = (bracket @ W.T) * alpha_p - W_p * eta_p
        dW = W_p.T @ bracket - W * eta_s
        if not stop_gradient:
            I = exact(np.eye(len(W[0])))
            WX, WX_aug = W @ X, W @ X_aug
            near = W_p - I
            dW = -(W_p.T @ (W_p @ WX_aug) + WX_aug + near.T @ (near @ WX) + W * eta_s)
        if predictor == "symmetrised":
            dW_p = (dW_p + dW_p.T) * HALF
        if predictor == "identity":
            dW_p = W_p * mpf(0)
        return {"W": dW, "W_p": dW_p, "W_a": dW if target == "online" else (W - W_a) * beta}

    return rate


def correlation(given: dict, predictor: str = "trained", target: str = "ema", stop_gradient: bool = True,
                tau: str = "dynamic") -> Callable:  # fmt: skip
    """Assumptions 1 + 2, every product written out; Eq. 7 when symmetrised. X = x I, X' = sigma2 I."""
    x, sigma2 = exact(given["x"]), exact(given["sigma2"])
    alpha_p, beta, eta_p, eta_s = rates(given, target)
    v = x + sigma2

    def rate(y: dict) -> dict:
        W_p, F, t = y["W_p"], y["F"], y["tau"]
        tF = F * t * x
        if predictor == "symmetrised":
            W2 = W_p @ W_p
            dW_p = (W_p @ F + F @ W_p) * (-alpha_p * v / 2) + tF * alpha_p - W_p * eta_p
            dF = (W2 @ F + F @ W2) * (-v) + (W_p @ F + F @ W_p) * t * x - F * (2 * eta_s)
        else:
            P = W_p.T @ W_p
            dW_p = (W_p @ F) * (-alpha_p * v) + tF * alpha_p - W_p * eta_p
            dF = (P @ F + F @ P) * (-v) + (W_p.T @ F + F @ W_p) * t * x - F * (2 * eta_s)
        if not stop_gradient:
            I = exact(np.eye(len(F[0])))
            near = W_p - I
            M = (W_p.T @ W_p + I) * sigma2 + (near.T @ near) * x + I * eta_s
            dF = -(M @ F + F @ M)
        growth = dF.trace() / (F.trace() * 2)
        still = tau == "constant" or target == "online"
        return {"W_p": dW_p, "F": dF, "tau": t * mpf(0) if still else (1 - t) * beta - t * growth}

    return rate


def modes(given: dict, target: str = "ema", tau: str = "dynamic", stop_gradient: bool = True,
          predictor: str = "trained") -> Callable:  # fmt: skip
    """Eqs. 11-13, with x for 1 and x_aug for sigma^2; without stop-gradient the eigenvalue of H (Theorem 2)."""
    x, x_aug = exact(given["x"]), exact(given["x_aug"])
    alpha_p, beta, eta_p, eta_s = rates(given, target)

    def rate(y: dict) -> dict:
        p, s, t = y["p"], y["s"], y["tau"]
        bracket = t * x - p * (x + x_aug)
        dp = (s * bracket) * alpha_p - p * eta_p
        half = p * bracket - eta_s
        if not stop_gradient:
            half = (p * p + 1) * (-x_aug) - (p - 1) * (p - 1) * x - eta_s
        ds = (s * half) * 2
        still = tau == "constant" or target == "online"
        dtau = t * mpf(0) if still else (1 - t) * beta - t * half
        return {"p": p * mpf(0) if predictor == "identity" else dp, "s": ds, "tau": dtau}

    return rate


def mode_weights(given: dict, target: str = "ema") -> Callable:
    """Appendix D's scalar system with decay: l_d = x, l_s = x + x_aug."""
    x, x_aug = exact(given["x"]), exact(given["x_aug"])
    alpha_p, beta, eta_p, eta_s = rates(given, target)

    def rate(y: dict) -> dict:
        p, w = y["p"], y["w"]
        a = w if target == "online" else y["a"]
        bracket = a * x - p * w * (x + x_aug)
        dw = p * bracket - w * eta_s
        return {
            "p": (bracket * w) * alpha_p - p * eta_p,
            "w": dw,
            "a": dw if target == "online" else (w - a) * beta,
        }

    return rate


def parabola(given: dict, tau: str = "dynamic") -> Callable:
    """Eq. 16 with d(tau p)/dt = beta (p - tau p), the differential form of Eq. 15."""
    x, x_aug = exact(given["x"]), exact(given["x_aug"])
    _, beta, eta, _ = rates(given, "ema")

    def rate(y: dict) -> dict:
        p, t = y["p"], y["tau"]
        dp = p * p * (t * x - p * (x + x_aug)) - p * eta
        return {"p": dp, "tau": t * mpf(0) if tau == "constant" else (p * beta - t * p * beta - t * dp) / p}

    return rate


def rates(given: dict, target: str) -> tuple:
    eta = given.get("eta", 0.0)
    beta = 0.0 if target == "frozen" else given["beta"]
    return tuple(exact(v) for v in (given["alpha_p"], beta, given.get("eta_p", eta), given.get("eta_s", eta)))
