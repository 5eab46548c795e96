"""Richemond et al. 2023 as printed, entry by entry."""

import numpy as np
import sympy

from lindyn.proofs.algebra import Algebra
from lindyn.proofs.lemmas import counted
from lindyn.proofs.printed import Printed, first_steps, small
from lindyn.proofs.sheets import richemond, rule_modes
from lindyn.proofs.steps import Identity, ScalarIdentity, Step

Sigma, Root_inv = (
    sympy.MatrixSymbol("Sigma", richemond.f, richemond.f),
    sympy.MatrixSymbol("N", richemond.f, richemond.f),
)


def worst_over_2_eps() -> float:
    """Return the largest ||P P^T - P|| / (2 eps) over seeded quasi-projections."""
    rng, worst = np.random.default_rng(1), 0.0
    for _ in range(3000):
        e = rng.choice([0.02, 0.1, 0.3])
        P = np.diag([1.0, 0.0]) + e * rng.normal(size=(2, 2))
        eps, defect = richemond.quasi_projection(P)
        worst = max(worst, defect / (2 * eps))
    return worst


def visser_error(h: float, top: float = 1.0, steps: int = 400) -> float:
    """Return |p_n - sqrt(top)| of Visser's iteration for one eigenvalue, from p_0 = 1/(2h)."""
    p = 1 / (2 * h)
    for _ in range(steps):
        p = p + h * (top - p * p)
        if not abs(p) < 1e6:
            return float("inf")
    return float(abs(p - np.sqrt(top)))


def stiefel(Sigma_: np.ndarray, steps: int = 40) -> np.ndarray:
    """Return the printed Stiefel predictor: B_n of Newton-Schulz on Sigma^T Sigma, P = B_n Sigma^T / ||B_n||_F."""
    A = Sigma_.T @ Sigma_
    A, B, one = A / np.linalg.norm(A), np.eye(len(A)), np.eye(len(A))
    for _ in range(steps):
        T = (3 * one - B @ A) / 2
        A, B = A @ T, T @ B
    return B @ Sigma_.T / np.linalg.norm(B)


def _random_positive(seed: int) -> np.ndarray:
    Z = np.random.default_rng(seed).normal(size=(30, 4))
    return Z.T @ Z / 30


def _random_square(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(4, 4)) + 2 * np.eye(4)


def _polar_distance(scaled: bool, make: object = _random_square) -> float:
    worst = 0.0
    for seed in range(5):
        M = make(seed)  # type: ignore[operator]
        U, _, Vt = np.linalg.svd(M.T)
        P, polar = stiefel(M), U @ Vt
        if scaled:
            P = P * np.linalg.norm(polar) / np.linalg.norm(P)
        worst = max(worst, float(np.linalg.norm(P - polar)))
    return worst


def _multiple_of_identity(steps: int = 40) -> float:
    worst = 0.0
    for seed in range(5):
        P = stiefel(_random_positive(seed), steps)
        worst = max(worst, float(np.linalg.norm(P - np.trace(P) / len(P) * np.eye(len(P))) / np.linalg.norm(P)))
    return worst


def _procrustes(transposed: bool) -> float:
    """Return the distance of the printed predictor of Sigma = Z^T Z'/b to the best orthogonal P, worst of 5 draws."""
    worst = 0.0
    for seed in range(5):
        rng = np.random.default_rng(seed)
        Z, Q = rng.normal(size=(40, 4)), np.linalg.qr(rng.normal(size=(4, 4)))[0]
        other = Z @ Q + 0.1 * rng.normal(size=(40, 4))
        M = Z.T @ other / 40
        U, _, Vt = np.linalg.svd(M)  # min ||Z P - Z'|| over orthogonal P: P = U V^T (Procrustes)
        P = stiefel(M).T if transposed else stiefel(M)
        worst = max(worst, float(np.linalg.norm(P * 2 / np.linalg.norm(P) - U @ Vt)))
    return worst


def _asymmetry() -> float:
    predictors = [stiefel(_random_positive(seed)) for seed in range(5)]
    return max(float(np.linalg.norm(P - P.T) / np.linalg.norm(P)) for P in predictors)


def _identity_for_positive() -> list[Step]:
    """For symmetric positive Sigma, (Sigma^T Sigma)^(-1/2) = N with N Sigma = I."""
    one = sympy.Identity(richemond.f)
    inverse = Algebra(symmetric=(Sigma, Root_inv), rules=((Root_inv * Sigma, one), (Sigma * Root_inv, one)))
    return [
        Identity(
            "N = Sigma^-1 is a root of (Sigma^T Sigma)^-1",
            Root_inv * Root_inv * Sigma.T * Sigma,
            one,
            inverse,
            numeric=False,
        ),
        Identity("(Sigma^T Sigma)^(-1/2) Sigma^T = I", Root_inv * Sigma.T, one, inverse, numeric=False),
        counted("numerically the predictor is a multiple of I", _multiple_of_identity, 1e-8),
    ]


def _krasulina(factor: bool) -> list[Step]:
    """The gradient step against Krasulina's update, with and without the factor 2/||w||^2."""
    steps: list[Step] = list(richemond.claim_4.steps())
    if factor:
        return steps
    size = sum(symbol**2 for symbol in sympy.symbols("w0:2", real=True))
    return [
        ScalarIdentity(step.text, step.lhs, step.rhs * size / 2)
        for step in steps[:2]
        if isinstance(step, ScalarIdentity)
    ]


ENTRIES: tuple[Printed, ...] = (
    Printed(
        "Claim 1 (LRP projects)", "Richemond 2023", "Z P = Proj Z'", first_steps(richemond.claim_1),
        statements=(richemond.claim_1,),
    ),
    Printed(
        "Claim 2 (LRP -> I)", "Richemond 2023", "Z' = Z + sigma_t G, sigma_t -> 0: LRP -> I",
        first_steps(richemond.claim_2), statements=(richemond.claim_2,),
    ),
    Printed(
        "Claim 3 (k-PCA)", "Richemond 2023", "the best rank-k projection spans the top-k eigenvectors",
        first_steps(richemond.claim_3), statements=(richemond.claim_3,),
    ),
    Printed(
        "Claim 4 (Krasulina)", "Richemond 2023", "for k = 1 the predictor update is Krasulina's",
        lambda: _krasulina(False), "up to the positive factor 2/||w||^2 (a step size that depends on w)",
        statements=(richemond.claim_4,), correct=lambda: _krasulina(True), with_condition=lambda: _krasulina(True),
    ),
    Printed(
        "Claim 5 (quasi-projection)", "Richemond 2023",
        "eps-quasi-projection and eps-quasi-symmetric: ||P P^T - P|| about 2 eps",
        lambda: [counted("||P P^T - P|| <= 2 eps", worst_over_2_eps, 1 + 1e-12)],
        "<= (1 + ||P||) eps, ||P|| <= [1 + eps + sqrt((1+eps)^2 + 4 eps)]/2: 2 eps + 2 eps^2 + ...",
        statements=(richemond.claim_5,), with_condition=lambda: list(richemond.claim_5.steps())[2:3],
        correct=first_steps(richemond.claim_5), numbers=lambda: f"2 x 2 draws reach {worst_over_2_eps():.3f} x 2 eps",
    ),
    Printed(
        "Claim 6 (Stiefel gradient)", "Richemond 2023", "the Riemannian gradient is F'(P) - P F'(P)^T P",
        first_steps(richemond.claim_6),
        "for the canonical metric; the embedded metric gives F' - P (P^T F' + F'^T P)/2",
        statements=(richemond.claim_6,), elsewhere=first_steps(richemond.claim_6, metric=sympy.Identity(richemond.f)),
        numbers=lambda: _metric_numbers(),
    ),
    Printed(
        "Claim 7 (decorrelation)", "Richemond 2023",
        "balancing with P -> I gives decorrelated features (linear encoder)",
        first_steps(richemond.claim_7, white=False),
        "A A^T -> I/alpha_p; the features' covariance A (X+X') A^T is a multiple of I when the inputs are white",
        statements=(richemond.claim_7,), with_condition=first_steps(richemond.claim_7),
        correct=first_steps(richemond.claim_7), numbers=lambda: _colour_numbers(),
    ),
    Printed(
        "Visser's iteration", "Richemond 2023", "P_0 = I/(2h), P + h (Sigma - P^2), step h > 0, tends to Sigma^(1/2)",
        lambda: [
            counted(
                "converges for every h > 0 (h = 0.5, 0.9, 1.2, lambda_max = 1)",
                lambda: max(map(visser_error, (0.5, 0.9, 1.2))),
                1e-8,
            )
        ],
        "for h < 1/sqrt(lambda_max): beyond, sqrt(lambda_max) repels", statements=(rule_modes.visser_mode,),
        with_condition=lambda: [
            counted("converges for h sqrt(lambda_max) < 1", lambda: max(map(visser_error, (0.1, 0.5, 0.9))), 1e-8)
        ],
        numbers=lambda: (
            f"lambda_max = 1: h = 0.9 is off by {small(visser_error(0.9))}, h = 1.2 by "
            f"{visser_error(1.2):.2g} after 400 steps"
        ),
    ),
    Printed(
        "Stiefel predictor, scale", "Richemond 2023",
        "P = B_n Sigma^T/||B_n||_F estimates (Sigma^T Sigma)^(-1/2) Sigma^T",
        lambda: [counted("it is the polar factor", lambda: _polar_distance(False), 1e-6)],
        "it is a multiple of the polar factor",
        correct=lambda: [counted("a multiple of the polar factor", lambda: _polar_distance(True), 1e-6)],
        numbers=lambda: (
            f"distance to the polar factor {_polar_distance(False):.3g}, after rescaling "
            f"{small(_polar_distance(True))} (4 x 4 draws)"
        ),
    ),
    Printed(
        "Stiefel predictor, side", "Richemond 2023",
        "P = B_n Sigma^T/||B_n||_F, B_n from Sigma^T Sigma, acting on rows (Z P predicts Z')",
        lambda: [counted("for Sigma = Z^T Z/b the sides agree, P = P^T", _asymmetry, 1e-6)],
        "with Sigma = Z^T Z'/b its transpose is the best orthogonal P on rows; as printed it is the W_p that acts on "
        "columns",
        elsewhere=lambda: [counted("with Z^T Z'/b it is the best orthogonal P", lambda: _procrustes(False), 1e-6)],
        correct=lambda: [counted("its transpose is the best orthogonal P", lambda: _procrustes(True), 1e-6)],
        numbers=lambda: (
            f"5 batches Z' = Z Q + noise: distance to the best orthogonal P {_procrustes(False):.3g}, of the transpose "
            f"{small(_procrustes(True))}"
        ),
    ),
    Printed(
        "Stiefel predictor, Sigma", "Richemond 2023",
        "Stiefel on Sigma, defined as Z^T Z/b, as one of the data-dependent predictors",
        lambda: [
            counted(
                "for symmetric positive Sigma it is no multiple of I (1 - relative distance)",
                lambda: 1 - _multiple_of_identity(),
                0.5,
            )
        ],
        "for symmetric positive Sigma the polar factor is I whatever the data (what is left at few steps is lack of "
        "convergence); it needs the cross-covariance Z^T Z'",
        correct=_identity_for_positive,
        numbers=lambda: (
            "Sigma = Z^T Z/b of 5 random batches: relative distance of P to a multiple of I "
            f"{small(_multiple_of_identity())} at convergence, {_multiple_of_identity(9):.2f} "
            "after the 9 steps of the tables"
        ),
    ),
)  # fmt: skip


def _metric_numbers() -> str:
    rng = np.random.default_rng(0)
    P, _ = np.linalg.qr(rng.normal(size=(4, 2)))
    G, A = rng.normal(size=(4, 2)), rng.normal(size=(4, 2))
    D = A - P @ (P.T @ A + A.T @ P) / 2
    return (
        f"random P, G, tangent Delta: tr(grad^T Delta) = {np.sum((G - P @ G.T @ P) * D):.4f}, tr(G^T "
        f"Delta) = {np.sum(G * D):.4f}"
    )


def _colour_numbers() -> str:
    S = np.array([[2.0, 0.8], [0.8, 0.5]])
    return (
        f"A = I, X + X' = [[2, 0.8], [0.8, 0.5]]: the features correlate at {S[0, 1] / np.sqrt(S[0, 0] * S[1, 1]):.2f}"
    )
