"""The exact basin of collapse without weight decay, at fixed tau."""

from typing import Any

import numpy as np

from lindyn import _checks


def collapses_without_decay(p: Any, s: Any, alpha_p: Any = 1.0, tau: Any = 1.0, x: Any = 1.0, x_aug: Any = 0.25) -> Any:
    """Return whether a mode starting at (p, s) ends with s = 0 at eta = 0 and fixed tau; exact.

    alpha_p s - p^2 = -q^2 is conserved there, which leaves dp/dt = (p^2 - q^2)(x tau - (x+x') p). So a mode
    collapses when s = 0, or when alpha_p s <= p^2 and p < 0, or when alpha_p s <= p^2 - (x tau/(x+x'))^2 and p > 0.

    Args:
        p: eigenvalue of W_p.
        s: eigenvalue of F, >= 0.
        alpha_p: learning-rate ratio of the predictor, > 0.
        tau: target / online ratio, held, > 0.
        x: eigenvalue of X, > 0.
        x_aug: eigenvalue of X', >= 0.

    Returns:
        Booleans; all arguments broadcast.

    Raises:
        ValueError: a value out of its range.
    """
    arrays = [
        _checks.as_array(n, u)
        for n, u in (("p", p), ("s", s), ("alpha_p", alpha_p), ("tau", tau), ("x", x), ("x_aug", x_aug))
    ]
    p, s, alpha_p, tau, x, x_aug = np.broadcast_arrays(*arrays)
    for name, array, strict in (
        ("s", s, False),
        ("alpha_p", alpha_p, True),
        ("tau", tau, True),
        ("x", x, True),
        ("x_aug", x_aug, False),
    ):
        if np.any(array < 0) or (strict and np.any(array == 0)):
            raise ValueError(f"{name} must be {'>' if strict else '>='} 0; got {array.min():g}.")
    q2 = p**2 - alpha_p * s
    alive = x * tau / (x + x_aug)
    return ((s == 0) | ((p < 0) & (q2 >= 0)) | ((p > 0) & (q2 >= alive**2)))[()]
