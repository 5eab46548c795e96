"""Grill et al. 2020 in the linear case: regression on any batch, less variance by conditioning, the two limits."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import sympy

from lindyn.equations import target
from lindyn.proofs import lemmas
from lindyn.proofs.algebra import Algebra
from lindyn.proofs.richemond import REGRESSION, Z2, If, P, R, Z, b, f
from lindyn.proofs.statement import statement
from lindyn.proofs.steps import Identity, Positivity, ScalarIdentity, Step
from lindyn.proofs.symbols import I2, W, W_a, W_p, X, X_aug, alpha_p, beta, eta_p, n1, n2, t, weight_rates

Y, B = sympy.MatrixSymbol("Z^+", f, b), sympy.MatrixSymbol("B", f, f)
_pinv = {"Z^+": lambda m, n: np.linalg.pinv(m["Z"])}
_low_rank = {"Z": lambda m, n: m["Z"] @ np.diag([1.0, 1.0, 0.0, 0.0])} | _pinv  # two of four features carry data
PENROSE = Algebra(rules=((Z * Y, Y.T * Z.T), (Z * Y * Z, Z)), samples=_low_rank)
PROJECTS = Algebra(rules=((Y.T * Z.T, Z * Y), (Z.T * Z * Y, Z.T), (Z * Y * Z, Z)), samples=_low_rank)


def _square(M: Any) -> Any:
    return sympy.Trace(M.T * M)


@statement(
    "grill.optimal_predictor_any_rank",
    "On any batch, of full rank or not, q = Z^+ Z' is an optimal predictor: ||Z q' - Z'||^2 = "
    "||Z q - Z'||^2 + ||Z (q' - q)||^2; q + (I - Z^+ Z) B is as good for every B, so it is the "
    "only one exactly at full column rank, where it is (Z^T Z)^-1 Z^T Z'.",
    "Grill 2020, Appendix I, without the condition that Z^T Z is invertible",
    ("Z Z^+ Z = Z", "Z Z^+ symmetric"),
    {
        "Z^+ any generalised inverse: Z Z^+ not symmetric": {
            "projects": Algebra(rules=((Z * Y * Z, Z),), samples=_low_rank)
        },
        "Z'^T in place of Z'": {"best": Y * Z * Z2.T * Z},
        "every q + B is optimal": {"spare": B},
    },
    beyond=True,
)
def optimal_predictor_any_rank(projects: Algebra = PROJECTS, best: Any = Y * Z2, spare: Any = None) -> Iterator[Step]:
    """Z Z^+ projects on the columns of Z; the normal equations; Pythagoras; what is left free."""
    yield Identity("Z^T Z Z^+ = Z^T, from Z Z^+ Z = Z and the symmetry of Z Z^+", Z.T * Z * Y, Z.T, PENROSE)
    yield Identity("the normal equations", Z.T * Z * best, Z.T * Z2, projects)
    yield Identity("Pythagoras", _square(Z * P - Z2), _square(Z * best - Z2) + _square(Z * (P - best)), projects)
    free = (If - Y * Z) * B if spare is None else spare
    yield Identity("q + (I - Z^+ Z) B predicts the same", Z * (best + free), Z * best, projects)
    yield Identity("full column rank: it is (Z^T Z)^-1 Z^T Z'", R * Z.T * Z * best, R * Z.T * Z2, projects)


N, T = sympy.MatrixSymbol("N", b, f), sympy.MatrixSymbol("T", f, f)  # N: further features, Z taken out; T = (N^T N)^-1
C = sympy.MatrixSymbol("C", f, f)
MORE = REGRESSION + Algebra(
    symmetric=(T,),
    rules=((Z.T * N, sympy.ZeroMatrix(f, f)), (N.T * N * T, If), (T * N.T * N, If)),
    samples={
        "Z": lambda m, n: _orthogonal_to(m, 0),
        "N": lambda m, n: _orthogonal_to(m, 1),
        "R": lambda m, n: np.linalg.inv(m["Z"].T @ m["Z"]),
        "T": lambda m, n: np.linalg.pinv(m["N"].T @ m["N"]),
    },
)


def _orthogonal_to(m: dict[str, np.ndarray], which: int) -> np.ndarray:
    """Return Z or N with Z^T N = 0: shared samples split between them (for numeric checks, seven samples)."""
    rows = np.arange(len(m["Z"])) % 2 == which
    return m["Z" if which == 0 else "N"] * rows[:, None]


@statement(
    "grill.conditioning_lowers_variance",
    "The law of total variance for regressions, as matrices: Z'^T Z' is the covariance of the "
    "residual, its Schur complement Z'^T Z' - Z'^T Z (Z^T Z)^-1 Z^T Z', plus a Gram matrix; "
    "further features N take another Gram matrix away: Var(Z'|Z, N) <= Var(Z'|Z) <= Var(Z').",
    "Grill 2020, Sec. 3.2 (linear case)",
    ("Z of full column rank, centred", "N: what further features add to Z (Z^T N = 0), of full column rank"),
    {
        "a map that is not the regression": {"best": 2 * R * Z.T * Z2},
        "variance gained by conditioning": {"sign": -1},
        "further features that overlap with Z": {"more": Algebra(symmetric=(R, T), rules=MORE.rules[:2])},
        "Z' in place of its residual in the last step": {"left": Z2},
    },
)
def conditioning_lowers_variance(
    best: Any = R * Z.T * Z2, sign: int = 1, more: Algebra = MORE, left: Any = None
) -> Iterator[Step]:
    """Two Pythagoras in matrices; the differences are M^T M, hence >= 0 in every direction C."""
    rest, explained = Z2 - Z * best, Z * best
    yield Identity(
        "residual covariance = Schur complement", rest.T * rest, Z2.T * Z2 - Z2.T * Z * R * Z.T * Z2, REGRESSION
    )
    yield Identity("law of total variance", Z2.T * Z2, rest.T * rest + sign * (explained.T * explained), REGRESSION)
    lost = Z2.T * Z2 - rest.T * rest
    yield Positivity(
        "Var(Z') - Var(Z'|Z) >= 0 in every direction", sympy.Trace(C.T * lost * C), ((sign, explained * C),), REGRESSION
    )
    known = rest if left is None else left
    both = known - N * T * N.T * known
    yield Identity("the residual of both is orthogonal to Z", Z.T * both, sympy.ZeroMatrix(f, f), more, numeric=False)
    yield Identity("and to N", N.T * both, sympy.ZeroMatrix(f, f), more, numeric=False)
    gain = rest.T * rest - both.T * both
    yield Positivity(
        "Var(Z'|Z) - Var(Z'|Z, N) >= 0 in every direction",
        sympy.Trace(C.T * gain * C), ((1, N * T * N.T * rest * C),), more,
    )  # fmt: skip


E, M = sympy.MatrixSymbol("E", n2, n2), sympy.MatrixSymbol("M", n2, n2)
S, Q = sympy.MatrixSymbol("Sigma_s", n1, n1), sympy.MatrixSymbol("Q", n1, n1)
a, c, r, e, u0, speed = sympy.symbols("a c r e u_0 b", positive=True)


def _ridge(k: Any) -> Algebra:
    ridge = W * X * W.T + k * I2
    return Algebra(
        symmetric=(X, X_aug, M),
        rules=((W * X_aug * W.T * M, I2 - ridge * M), (M * W * X_aug * W.T, I2 - M * ridge)),
    )


@statement(
    "grill.fast_predictor",
    "At every alpha_p the predictor is drawn to the ridge regression W_a X W^T (W (X+X') W^T + "
    "(eta_p/alpha_p) I)^-1 at the rate alpha_p lambda_min(W (X+X') W^T) + eta_p; as alpha_p -> "
    "infinity at fixed eta_p the ridge vanishes and it is the optimal predictor at each instant; "
    "with eta_p = alpha_p e, as one decay for all layers has it, the ridge e stays.",
    "Grill 2020, Appendix I: the optimal predictor against a fast one",
    ("stop-gradient kept", "W (X+X') W^T >= c > 0 and the regression moves at a bounded speed b meanwhile"),
    {
        "a ridge alpha_p eta_p": {"ridge": alpha_p * eta_p},
        "the plain regression at finite alpha_p": {"ridge": 0},
        "the ridge vanishes with eta_p = alpha_p e too": {"left_over": r / c},
        "a deviation that does not fall with alpha_p": {"lag": speed / c},
    },
    beyond=True,
)
def fast_predictor(ridge: Any = eta_p / alpha_p, left_over: Any = r / (c + e), lag: Any = None) -> Iterator[Step]:
    """The rate as a pull to the ridge regression; decay of the deviation; the limits per eigen-direction."""
    rate = weight_rates(eta_p, 0)[W_p]
    cov = W * (X + X_aug) * W.T
    best = W_a * X * W.T * M
    yield Identity(
        "dW_p/dt = -alpha_p (W_p - W_p*) (W (X+X') W^T + (eta_p/alpha_p) I)",
        rate, -alpha_p * (W_p - best) * (cov + ridge * I2), _ridge(ridge), numeric=False,
    )  # fmt: skip
    whole = Algebra(symmetric=(S,), rules=((S, Q * Q.T),))
    yield Positivity(
        "the deviation E = W_p - W_p* falls: tr E (alpha_p W S W^T + eta_p I) E^T, S = X + X' = Q Q^T",
        sympy.Trace(E * (alpha_p * W * S * W.T + eta_p * I2) * E.T), ((alpha_p, (E * W * Q).T), (eta_p, E.T)), whole,
    )  # fmt: skip
    share = r / (c + ridge)
    yield lemmas.limit("alpha_p -> infinity at fixed eta_p: the regression", share, alpha_p, sympy.oo, r / c)
    yield lemmas.limit(
        "eta_p = alpha_p e: ridge regression", share.subs(eta_p, alpha_p * e), alpha_p, sympy.oo, left_over
    )
    bound = speed / (alpha_p * c) if lag is None else lag
    size = bound + (u0 - bound) * sympy.exp(-alpha_p * c * t)
    yield ScalarIdentity(
        "|E|' <= -alpha_p c |E| + b is met with equality by this size", sympy.diff(size, t), speed - alpha_p * c * size
    )
    yield lemmas.limit("which tends to 0 for every t > 0", size.subs(t, a), alpha_p, sympy.oo, 0)


k = sympy.Symbol("tau_base", positive=True)
alpha, g = sympy.symbols("alpha g", positive=True)


@statement(
    "grill.target_decay_as_beta",
    "The step xi <- tau xi + (1-tau) theta is one Euler step of dW_a/dt = beta (W - W_a) with beta "
    "= (1-tau)/alpha: tau = 1 freezes the target, tau = 0 puts it on the online network. The flow "
    "that takes the same step exactly has beta = -log(tau)/alpha, infinite at tau = 0.",
    "Grill 2020, target update (Table 5a) against Tian 2021, Eq. 4",
    ("flow time = alpha x steps",),
    {
        "beta = tau/alpha": {"rate": k / alpha},
        "beta = alpha (1-tau)": {"rate": alpha * (1 - k)},
        "(1-tau)/alpha is exact": {"exact": (1 - k) / alpha},
    },
)
def target_decay_as_beta(rate: Any = (1 - k) / alpha, exact: Any = None) -> Iterator[Step]:
    """The Euler step, its two ends, the exact step at held W, and the limit of tau."""
    moved = weight_rates()[W_a]
    exact = -sympy.log(k) / alpha if exact is None else exact
    euler = W_a + alpha * moved
    as_rate = Algebra(scalars={beta: rate})
    yield Identity("tau W_a + (1-tau) W = W_a + alpha dW_a/dt", k * W_a + (1 - k) * W, euler, as_rate)
    yield Identity("tau = 1: W_a stands still", moved, 0 * W_a, Algebra(scalars={beta: rate.subs(k, 1)}))
    yield Identity("tau = 0: one step puts W_a on W", euler, W, Algebra(scalars={beta: rate.subs(k, 0)}))
    gap = sympy.Symbol("gap", positive=True)  # W_a - W, one entry, W held
    left = gap * sympy.exp(-beta * t)
    yield ScalarIdentity("at held W a gap W_a - W falls as exp(-beta t)", sympy.diff(left, t), -beta * left)
    yield ScalarIdentity("one step of alpha leaves the share tau", left.subs({t: alpha, beta: exact}) / gap, k)
    yield lemmas.limit("to first order in alpha both agree", (-sympy.log(1 - alpha * g) / alpha), alpha, 0, g)
    q = sympy.Symbol("q", positive=True)
    resting = q / (q + g)
    yield ScalarIdentity("a growing mode holds tau at beta/(beta + g)", target.dtau(resting, g, q), 0)
    yield lemmas.limit("which is 1, SimSiam's, as beta -> infinity", resting, q, sympy.oo, 1)


STATEMENTS = (optimal_predictor_any_rank, conditioning_lowers_variance, fast_predictor, target_decay_as_beta)
