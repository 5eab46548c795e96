"""Grill et al. 2020 in the linear case: the optimal predictor, the gradient through it, less variance, two limits."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import sympy

from lindyn.equations import loss, target
from lindyn.proofs import lemmas
from lindyn.proofs.algebra import Algebra, Along, WordRates
from lindyn.proofs.letters import *
from lindyn.proofs.sheets.richemond import REGRESSION, Z2, If, P, R, Z, b, f
from lindyn.proofs.statement import statement
from lindyn.proofs.steps import Identity, Positivity, ScalarIdentity, Step


@statement(
    "grill.optimal_predictor_batch",
    "The batch-optimal linear predictor is q* = (Z^T Z)^-1 Z^T Z': ||Z q - Z'||^2 = ||Z q* - "
    "Z'||^2 + ||Z (q - q*)||^2.",
    "Grill 2020, Appendix I",
    ("Z of full column rank",),
    {"(Z^T Z)^-1 Z'^T Z": {"best": R * Z2.T * Z}, "Z^T Z' without the inverse": {"best": Z.T * Z2}},
    no_equation="linear algebra of a batch; no rate enters",
)
def optimal_predictor_batch(best: Any = R * Z.T * Z2) -> Iterator[Step]:
    """Pythagoras, exact; hence the minimum and its uniqueness."""
    error, least, step = Z * P - Z2, Z * best - Z2, Z * (P - best)
    norm = lambda M: sympy.Trace(M.T * M)  # noqa: E731
    yield Identity("Pythagoras", norm(error), norm(least) + norm(step), REGRESSION)
    yield Identity("the normal equations", Z.T * Z * best, Z.T * Z2, REGRESSION)


M, Qs, dW = sympy.MatrixSymbol("M", n2, n2), sympy.MatrixSymbol("Q", n1, n1), sympy.MatrixSymbol("delta_W", n2, n1)
COV = W * (X + X_aug) * W.T  # covariance of the online features


def _inverse_cov() -> Algebra:
    import numpy as np

    product = W * X * W.T
    return Algebra(
        symmetric=(X, X_aug, M),
        # M = (W (X+X') W^T)^-1: the longest word of the product is solved for
        rules=((W * X_aug * W.T * M, I2 - product * M), (M * W * X_aug * W.T, I2 - M * product)),
        samples={"M": lambda m, n: np.linalg.inv(m["W"] @ (m["X"] + m["X'"]) @ m["W"].T)},
    )


INVERSE = _inverse_cov()
BEST = W_a * X * W.T * M


@statement(
    "grill.optimal_predictor_population",
    "On the population W_p* = W_a X W^T (W (X+X') W^T)^-1 minimises the loss: J(W_p) = J(W_p*) + "
    "tr[(W_p - W_p*) W (X+X') W^T (W_p - W_p*)^T]/2, and Lemma 1's predictor gradient vanishes "
    "there.",
    "Grill 2020, Sec. 3.2 and Appendix I (linear case)",
    ("W (X+X') W^T invertible", "X, X' symmetric"),
    {
        "X + X' in the place of X": {"best": W_a * (X + X_aug) * W.T * M},
        "the inverse on the left": {"best": M * W_a * X * W.T},
    },
)
def optimal_predictor_population(best: Any = BEST) -> Iterator[Step]:
    """The gradient vanishes; the excess loss is a square."""
    rates = weight_rates(0, 0)
    at = INVERSE + Algebra(rules=((W_p, best),))
    yield Identity("dW_p/dt = 0 at W_p*", rates[W_p], sympy.ZeroMatrix(n2, n2), at, numeric=False)
    excess = W_p - best
    value = loss.loss(W, W_p, W_a, X, X_aug, trace=sympy.Trace)
    least = loss.loss(W, best, W_a, X, X_aug, trace=sympy.Trace)
    yield Identity("the loss above its minimum", value, least + sympy.Trace(excess * COV * excess.T) / 2, INVERSE)
    S = sympy.MatrixSymbol("Sigma_s", n1, n1)
    E = sympy.MatrixSymbol("E", n2, n2)
    yield Positivity(
        "which is >= 0 (X + X' = Q Q^T)",
        sympy.Trace(E * W * S * W.T * E.T),
        ((1, (E * W * Qs).T),),
        Algebra(rules=((S, Qs * Qs.T),)),
    )


@statement(
    "grill.envelope",
    "With the optimal predictor the online gradient is that of the linear expected conditional "
    "variance J*(W) = min over W_p: the dependence of W_p* on W drops out.",
    "Grill 2020, Sec. 3.2 (envelope argument)",
    ("linear networks", "W (X+X') W^T invertible", "W_a held"),
    {
        "a predictor that is not optimal": {"best": 2 * BEST},
        "the target moves too": {"moved": WordRates({"W": dW, "W_a": dW})},
        "the sign of the gradient": {"sign": 1},
    },
)
def envelope(best: Any = BEST, moved: WordRates | None = None, sign: int = -1) -> Iterator[Step]:
    """J* as a function of W alone, its full variation, and the flow at W_p*."""
    value = loss.loss(W, W_p, W_a, X, X_aug, trace=sympy.Trace)
    variance = sympy.Trace(W_a * (X + X_aug) * W_a.T) / 2 - sympy.Trace(W_a * X * W.T * M * W * X * W_a.T) / 2
    at = INVERSE + Algebra(rules=((W_p, best),))
    yield Identity("J(W_p*) = tr[W_a (X+X') W_a^T - W_a X W^T (W (X+X') W^T)^-1 W X W_a^T]/2", value, variance, at)
    change = moved or WordRates({"W": dW})
    d_cov = dW * (X + X_aug) * W.T + W * (X + X_aug) * dW.T
    full = WordRates({**change.matrices, "M": -M * d_cov * M})
    online = weight_rates(0, 0)[W]
    yield Identity(
        "delta J* = -tr[(dW/dt at W_p*)^T delta W]",
        Along(variance, full, "delta"),
        sign * sympy.Trace(online.T * dW),
        at,
    )


@statement(
    "grill.optimal_predictor_freezes",
    "While the predictor is optimal, W W^T obeys d(W W^T)/dt = -2 eta W W^T: the features' Gram "
    "matrix neither grows nor collapses by itself, whatever W_a does.",
    "Grill 2020, Appendix I, with Lemma 1",
    ("W_p = W_p* at all times", "W (X+X') W^T invertible"),
    {"a predictor that is not optimal": {"best": 2 * BEST}, "a rate eta": {"rate": 1}},
    beyond=True,
)
def optimal_predictor_freezes(best: Any = BEST, rate: int = 2) -> Iterator[Step]:
    """G W^T = 0 at the optimum, and d(W W^T)/dt = W_p^T (G W^T) + its transpose - 2 eta W W^T."""
    rates = weight_rates()
    at = INVERSE + Algebra(rules=((W_p, best),))
    yield Identity("d(W W^T)/dt", Along(W * W.T, rates), -rate * eta * W * W.T, at)


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
    no_equation="linear algebra of a batch; no rate enters",
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
    no_equation="linear algebra of a batch; no rate enters",
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


STATEMENTS = (
    optimal_predictor_batch,
    optimal_predictor_population,
    envelope,
    optimal_predictor_freezes,
    optimal_predictor_any_rank,
    conditioning_lowers_variance,
    fast_predictor,
    target_decay_as_beta,
)
