"""Grill et al. 2020 as printed, as far as a linear theory can compare it, entry by entry.

The paper prints no linear dynamics: the entries on rates are those by which its tables are read as a linear theory.
"""

import math
from typing import Any

import numpy as np
import sympy

from lindyn.proofs.lemmas import counted, limit
from lindyn.proofs.letters import alpha_p, eta_p
from lindyn.proofs.printed import READ, Printed, first_steps
from lindyn.proofs.sheets import grill
from lindyn.proofs.sheets.grill import alpha, c, e, k, r
from lindyn.proofs.sheets.grill_training import conditional_variance, loss_of_directions, tau_schedule
from lindyn.proofs.sheets.richemond import REGRESSION, Z2, R, Z
from lindyn.proofs.steps import Identity, ScalarIdentity, Step

FEATURES = 4


def _batch(samples: int, columns: int = FEATURES, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(samples, columns))


def missing_rank(samples: int) -> float:
    """Return by how much Z^T Z of a random batch lacks full rank."""
    return float(FEATURES - np.linalg.matrix_rank(_batch(samples)))


def _invertible(samples: int) -> list[Step]:
    text = f"Z^T Z has an inverse: what it lacks of full rank, {samples} samples of {FEATURES} features"
    return [counted(text, lambda: missing_rank(samples), 0.0)]


def _small_batch() -> str:
    Z, Z2 = _batch(3), _batch(3, seed=1)
    left = np.linalg.norm(Z @ np.linalg.pinv(Z) @ Z2 - Z2)
    kernel = np.linalg.svd(Z)[2][-1]
    same = np.linalg.norm(Z @ np.outer(kernel, kernel))
    return (
        f"3 samples of 4 features: rank Z^T Z = {FEATURES - missing_rank(3):.0f} of 4; Z^+ Z' is left with "
        f"{'0' if left < 1e-12 else f'{left:.2g}'}, and adding the kernel of Z to it changes the fit by "
        f"{'0' if same < 1e-12 else f'{same:.2g}'}"
    )


def _side(left: bool) -> list[Step]:
    """The normal equations of z q (rows) or of W_p f (columns, f = z^T) at the printed formula."""
    q = R * Z.T * Z2
    if left:
        return [Identity("W_p Z^T Z = Z'^T Z at W_p = (Z^T Z)^-1 Z^T Z'", q * Z.T * Z, Z2.T * Z, REGRESSION)]
    return [Identity("Z^T Z q = Z^T Z'", Z.T * Z * q, Z.T * Z2, REGRESSION)]


def _infinite_rate(decay: Any) -> list[Step]:
    share = r / (c + eta_p / alpha_p)
    return [limit("r/(c + eta_p/alpha_p) -> r/c", share.subs(eta_p, decay), alpha_p, sympy.oo, r / c)]


def _ridge_example() -> str:
    at = {c: 0.01, r: 0.01}
    shares = [float((r / (c + eta_p / alpha_p)).subs({eta_p: d, alpha_p: 1e6}).subs(at)) for d in (1e-3, 1e-3 * 1e6)]
    return (
        "features of variance 0.01, r = c, alpha_p = 10^6: W_p = "
        f"{shares[0]:.4f} at eta_p = 0.001, {shares[1]:.4f} at eta_p = 0.001 alpha_p (regression: 1)"
    )


def _one_step(rate: Any) -> list[Step]:
    return [ScalarIdentity("one step of the flow leaves the share tau of the gap", sympy.exp(-rate * alpha), k)]


ENTRIES: tuple[Printed, ...] = (
    Printed(
        "BYOL's optimal predictor", "Grill 2020, Appendix I", "q* = (Z^T Z)^-1 Z^T Z' on the batch",
        lambda: _invertible(3),
        "needs rank Z = number of features (at least as many samples); below, q = Z^+ Z' is optimal and q + (I - Z^+ "
        "Z) B is as good",
        statements=(grill.optimal_predictor_batch, grill.optimal_predictor_any_rank),
        with_condition=lambda: _invertible(7) + list(grill.optimal_predictor_batch.steps()),
        correct=first_steps(grill.optimal_predictor_any_rank), numbers=_small_batch,
    ),
    Printed(
        "BYOL's optimal predictor, side", "Grill 2020, Appendix I, beside Tian 2021's W_p",
        "q* = (Z^T Z)^-1 Z^T Z', rows of Z are samples", lambda: _side(False),
        "it stands right of the rows, z q*; as W_p left of columns, W_p W x, it is the transpose Z'^T Z (Z^T Z)^-1, "
        "on the population W_a X W^T (W (X+X') W^T)^-1",
        statements=(grill.optimal_predictor_population,), reading=True, elsewhere=lambda: _side(True),
        correct=first_steps(grill.optimal_predictor_population),
    ),
    Printed(
        "Expected conditional variance", "Grill 2020, Sec. 3.2",
        "with the optimal predictor the online gradient is that of the expected conditional variance",
        first_steps(grill.envelope), statements=(grill.envelope,), text=READ,
    ),
    Printed(
        "Conditioning lowers variance", "Grill 2020, Sec. 3.2", "for any random variables Var(X|Y, Z) <= Var(X|Y)",
        lambda: conditional_variance(True),
        "on average, E Var(X|Y, Z) <= E Var(X|Y), which is what the loss takes; value by value it can rise",
        statements=(grill.conditioning_lowers_variance,), with_condition=lambda: conditional_variance(False),
        correct=first_steps(grill.conditioning_lowers_variance), text=READ,
        numbers=lambda: "X = N e, N = 0 or 1 by a fair coin, e = +-1: Var(X) = 0.5, Var(X|N = 1) = 1, on average 0.5",
    ),
    Printed(
        "BYOL's loss", "Grill 2020, Eq. 2", "|q/|q| - z'/|z'||^2 = 2 - 2 <q, z'>/(|q| |z'|)",
        first_steps(loss_of_directions), statements=(loss_of_directions,), text=READ,
    ),
    Printed(
        "Schedule of tau", "Grill 2020, Sec. 3.3",
        "tau_k = 1 - (1 - tau_base)(cos(pi k/K) + 1)/2 is increased from tau_base to one", first_steps(tau_schedule),
        statements=(tau_schedule,), text=READ,
    ),
    Printed(
        "tau_base as beta", "Grill 2020, Table 5a, read as a linear flow",
        "beta = (1 - tau)/alpha; tau = 1 is the frozen target, tau = 0 SimSiam",
        lambda: list(grill.target_decay_as_beta.steps())[:3],
        "an Euler step exactly; the flow that moves W_a as far in a step has beta = -log(tau)/alpha, the same to "
        "first order in 1 - tau",
        statements=(grill.target_decay_as_beta,), reading=True, elsewhere=lambda: _one_step((1 - k) / alpha),
        correct=lambda: [*_one_step(-sympy.log(k) / alpha), *grill.target_decay_as_beta.steps()],
        numbers=lambda: (
            f"tau = 0.9: beta alpha = 0.1 leaves {math.exp(-0.1):.4f} of the gap; "
            f"tau = 0: {math.exp(-1):.4f} in the place of 0"
        ),
    ),
    Printed(
        "Fast predictor", "Grill 2020, Tables 21-22 and Appendix I, read as a linear flow",
        "the optimal linear predictor is the limit alpha_p -> infinity", lambda: _infinite_rate(eta_p),
        "at fixed eta_p and W (X+X') W^T > 0; with one decay for all layers, eta_p = alpha_p e, the limit is the "
        "ridge regression with e",
        statements=(grill.fast_predictor,), reading=True, elsewhere=lambda: _infinite_rate(alpha_p * e),
        correct=first_steps(grill.fast_predictor), numbers=_ridge_example,
    ),
)  # fmt: skip
