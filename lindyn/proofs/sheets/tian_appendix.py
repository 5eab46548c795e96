"""Tian et al. 2021, the appendix beside its theorems: Lemma 2, the symmetrised loss, rest, a slow target."""

from collections.abc import Iterator
from typing import Any

import sympy

from lindyn.equations import loss, modes
from lindyn.proofs import lemmas
from lindyn.proofs.algebra import Algebra, Along, WordRates
from lindyn.proofs.letters import *
from lindyn.proofs.sheets.tian_appendix_d import DATA, R, l_d, l_s
from lindyn.proofs.sheets.tian_weights import VIEWS, x1, x2
from lindyn.proofs.statement import statement
from lindyn.proofs.steps import Identity, Positivity, ScalarIdentity, ScalarSign, Step

d = sympy.Symbol("m", integer=True, positive=True)
H, M = (sympy.MatrixSymbol(name, d, d) for name in ("H", "M"))
vector, Id = sympy.MatrixSymbol("w", d, 1), sympy.Identity(d)
lowest = sympy.Symbol("lambda_0", positive=True)


@statement(
    "tian.lemma_2",
    "Lemma 2: dw/dt = -H(t) w with the symmetric part of H at least lambda_0 I gives |w(t)| <= exp(-lambda_0 t) "
    "|w(0)|.",
    "Tian 2021, appendix, Lemma 2",
    ("(H + H^T)/2 - lambda_0 I positive semi-definite at all times; H itself need not be symmetric",),
    {
        "a rate of 2 lambda_0": {"exponent": 4},
        "H at least -lambda_0": {"bound": -lowest},
        "dw/dt = +H w": {"sign": 1},
    },
    no_equation="a lemma on any linear system; no rate of the papers enters",
)
def lemma_2(exponent: int = 2, bound: Any = lowest, sign: int = -1) -> Iterator[Step]:
    """d|w|^2/dt, the Gram form of H, Groenwall's lemma."""
    moved = Along(sympy.Trace(vector.T * vector), WordRates({"w": sign * H * vector}))
    yield Identity("d|w|^2/dt = -2 w^T H w", moved, -2 * sympy.Trace(vector.T * H * vector))
    yield Positivity(
        "w^T H w - lambda_0 |w|^2 >= 0 for (H + H^T)/2 = lambda_0 I + M M^T",
        sympy.Trace(vector.T * (bound * Id + M * M.T) * vector) - lowest * sympy.Trace(vector.T * vector),
        ((1, M.T * vector),),
    )  # fmt: skip
    yield lemmas.groenwall("u = |w|^2 with u' <= -2 lambda_0 u", 2, exponent)


@statement(
    "tian.symmetrised_loss",
    "The loss symmetrised over the two views, J = (1/4) E[|W_p f_1 - f_2a|^2 + |W_p f_2 - f_1a|^2], is the one-sided "
    "loss of the population, so that its flow is Lemma 1's.",
    "Tian 2021, appendix, remark after Lemma 1",
    ("large batch: E[x_1 x_1^T] = E[x_2 x_2^T], E[x_1 x_2^T] symmetric",),
    {
        "both terms with 1/2": {"share": HALF},
        "views with different noise": {
            "views": Algebra(VIEWS.symmetric, (VIEWS.rules[0], (x2 * x2.T, X + 2 * X_aug), VIEWS.rules[2]))
        },
    },
)
def symmetrised_loss(share: Any = HALF / 2, views: Algebra = VIEWS) -> Iterator[Step]:
    """The expectation of both residuals against the library's loss matrix."""
    first, second = W_p * W * x1 - W_a * x2, W_p * W * x2 - W_a * x1
    yield Identity(
        "(1/4) E[r r^T + r' r'^T] is the loss matrix",
        share * (first * first.T + second * second.T), loss.loss_matrix(W, W_p, W_a, X, X_aug), views, numeric=False,
    )  # fmt: skip


Pi, N = sympy.MatrixSymbol("Pi", n2, n2), sympy.MatrixSymbol("N", n2, n2)


@statement(
    "tian.predictor_fixed_points_singular",
    "At eta_p = 0 and singular F the predictor rests at W_p = (x tau/(x+x')) Pi + N (I - Pi), Pi the projection on the "
    "range of F, for every N: infinitely many fixed points, most of them not symmetric.",
    "Tian 2021, appendix, fixed point of Eq. 2",
    ("Assumptions 1 + 2", "F held", "eta_p = 0"),
    {
        "with decay": {"decay": eta_p},
        "N on the range of F too": {"free": N},
        "tau in the place of x tau/(x+x')": {"value": tau},
    },
)
def predictor_fixed_points_singular(decay: Any = sympy.S.Zero, free: Any = None, value: Any = None) -> Iterator[Step]:
    """The rate at such a W_p; two of them differ by more than a symmetric matrix."""
    value = x * tau / (x + x_aug) if value is None else value
    free = N * (I2 - Pi) if free is None else free
    range_of_F = Algebra(symmetric=(F, Pi), rules=((Pi * Pi, Pi), (Pi * F, F), (F * Pi, F)))
    at = range_of_F + Algebra(rules=((W_p, value * Pi + free),))
    rates = correlation_rates(decay, eta_s)
    yield Identity("dW_p/dt = 0 for every N", rates[W_p], sympy.ZeroMatrix(n2, n2), at, numeric=False)
    yield Identity(
        "its antisymmetric part is that of N (I - Pi), which N sets at will",
        value * Pi + free - (value * Pi + free).T, free - free.T, range_of_F, numeric=False,
    )  # fmt: skip


U, P_, S_ = (sympy.MatrixSymbol(name, n2, n2) for name in ("U", "diag_p", "diag_s"))
DIAGONAL = Algebra(
    symmetric=(P_, S_),
    rules=((U.T * U, I2), (U * U.T, I2), (W_p, U * P_ * U.T), (F, U * S_ * U.T), (S_ * P_, P_ * S_)),
)


@statement(
    "tian.eigenvectors_stand_still",
    "When W_p = U diag(p) U^T and F = U diag(s) U^T, the rates are U (diagonal) U^T in the same U, repeated "
    "eigenvalues or not: any common U can be kept for all time.",
    "Tian 2021, appendix, when the eigenspaces align",
    ("Assumptions 1 + 2 + 3", "[F, W_p] = 0 at the start"),
    {
        "U not orthogonal": {"algebra": Algebra(DIAGONAL.symmetric, DIAGONAL.rules[2:])},
        "F in another basis": {"algebra": Algebra((*DIAGONAL.symmetric, F), DIAGONAL.rules[:3] + DIAGONAL.rules[4:])},
    },
)
def eigenvectors_stand_still(algebra: Algebra = DIAGONAL) -> Iterator[Step]:
    """U^T rate U in the diagonal letters alone, which are those of one mode each."""
    rates, mode = correlation_rates(eta_p, eta_s, predictor="symmetrised"), mode_rates(eta_p, eta_s)
    drive = x * tau * I2 - (x + x_aug) * P_
    claimed = {W_p: alpha_p * S_ * drive - eta_p * P_, F: 2 * P_ * S_ * drive - 2 * eta_s * S_}
    for letter, rate in claimed.items():
        yield Identity(f"U^T d{letter.name}/dt U is diagonal", rates[letter], U * rate * U.T, algebra, numeric=False)
    D = modes.drive(p, tau, x, x_aug)
    yield ScalarIdentity("its entries are dp/dt", alpha_p * s * D - eta_p * p, mode[p])
    yield ScalarIdentity("and ds/dt", 2 * p * s * D - 2 * eta_s * s, mode[s])


Q, Y = sympy.MatrixSymbol("Q", n2, n2), sympy.MatrixSymbol("Y", n1, n1)


@statement(
    "tian.manifold_is_all",
    "At eta = 0 and W_a = W the condition W_p W Sigma^s = W Sigma^d is necessary for rest too, also where W_p is "
    "singular; at W of full row rank and simple eigenvalues of Sigma^d (Sigma^s)^-1 the rest points are "
    "n2^2-dimensional: W -> A W, W_p -> A W_p A^-1 moves along them, and nothing else does.",
    "Tian 2021, Appendix D.1 ('sufficient conditions', dimension)",
    ("eta = 0", "W_a = W", "Sigma^s > 0"),
    {
        "X not positive semi-definite": {"gram": False},
        "Pi is not the projection on the kernel of W_p^T": {"kernel": False},
        "A moves W alone": {"along": 0},
    },
)
def manifold_is_all(gram: bool = True, kernel: bool = True, along: int = 1) -> Iterator[Step]:
    """Let Pi project on the kernel of W_p^T: W_p^T G = 0 says G = Pi G, and G W^T = 0 then forces G = 0."""
    rates = weight_rates(0, 0, target="online")
    left = (Pi * W_p, sympy.ZeroMatrix(n2, n2))
    null = Algebra(symmetric=(Pi,), rules=((Pi * Pi, Pi), *((left,) if kernel else ()))) + MOMENTS_SYMMETRIC
    residual = W * X - W_p * W * (X + X_aug)
    yield Identity("dW/dt = W_p^T G", rates[W], W_p.T * residual, MOMENTS_SYMMETRIC)
    yield Identity("dW_p/dt = alpha_p G W^T", rates[W_p], alpha_p * residual * W.T, MOMENTS_SYMMETRIC)
    yield Identity("Pi G = Pi W X", Pi * residual, Pi * W * X, null, numeric=False)
    root = Algebra(rules=((X, Y * Y.T if gram else Y),))
    yield Positivity(
        "0 = tr(G W^T Pi) = |Pi W Y|^2, X = Y Y^T: Pi W Y = 0, so that G = Pi W Y Y^T = 0",
        sympy.Trace(Pi * W * X * W.T * Pi), ((1, (Pi * W * Y).T),), null + root if gram else root,
    )  # fmt: skip
    manifold = DATA + Algebra(rules=((W_p * W, W * X * R), (W_a, W)))
    moved = (Q * W_p - along * W_p * Q) * W + W_p * Q * W
    yield Identity(
        "along W + e Q W, W_p + e [Q, W_p] the condition holds to first order",
        moved, Q * W * X * R, manifold, numeric=False,
    )  # fmt: skip
    one, other, z = sympy.symbols("mu_i mu_j z", positive=True)
    gap = sympy.Symbol("g", nonzero=True)
    yield ScalarIdentity(
        "across it, W + e Z with rows z along other eigenvectors: (mu_i - mu_j) z is to be 0",
        (one * z - other * z).subs(other, one - gap), gap * z,
    )  # fmt: skip


@statement(
    "tian.collapse_without_predictor",
    "Without predictor collapse is stable from every start, for every X, X' > 0, target ema or online: V = beta "
    "||W||^2 + tr(W_a X W_a^T) never rises, dV/dt = -2 beta [tr(W X' W^T) + tr((W-W_a) X (W-W_a)^T)] - 2 beta eta_s "
    "||W||^2.",
    "Tian 2021, Appendix D.3 (stability of W = W_a = 0 under additive scrambling)",
    ("W_p = I", "beta > 0", "X' > 0 (or eta_s > 0)"),
    {
        "V without the target": {"share": 0},
        "X in the place of X'": {"noise": X},
        "a trained predictor": {"bare": MOMENTS_SYMMETRIC},
    },
)
def collapse_without_predictor(share: int = 1, noise: Any = X_aug, bare: Algebra | None = None) -> Iterator[Step]:
    """One Lyapunov function along Lemma 1 at W_p = I."""
    bare = MOMENTS_SYMMETRIC + Algebra(rules=((W_p, I2),)) if bare is None else bare
    rates = weight_rates(eta_p, eta_s, predictor="identity")
    V = beta * sympy.Trace(W * W.T) + share * sympy.Trace(W_a * X * W_a.T)
    behind = W - W_a
    fallen = sympy.Trace(W * noise * W.T) + sympy.Trace(behind * X * behind.T) + eta_s * sympy.Trace(W * W.T)
    yield Identity("dV/dt", Along(V, rates), -2 * beta * fallen, bare)
    half = sympy.MatrixSymbol("E", n1, n1)
    yield Positivity(
        "tr(W X' W^T) is a square, X' = E E^T", sympy.Trace(W * X_aug * W.T), ((1, (W * half).T),),
        Algebra(rules=((X_aug, half * half.T),)),
    )  # fmt: skip
    mode = modes.residual(1, w, a, l_d, l_s - l_d)
    J = sympy.Matrix([modes.dw(1, w, mode, 0), modes.da(w, a, beta)]).jacobian([w, a])
    excess, B = sympy.symbols("l_n beta", positive=True)
    yield ScalarSign("of one mode the determinant is beta (l_s - l_d) > 0", B * excess,
                     J.det().subs({l_s: l_d + excess, beta: B}), "positive")  # fmt: skip
    yield ScalarSign("and the trace is negative", -(l_d + excess) - B, J.trace().subs({l_s: l_d + excess, beta: B}),
                     "negative")  # fmt: skip


@statement(
    "tian.slow_target",
    "For a held target and alpha_p = 1 the mode descends E = (l_s/2)(w_a l_d/l_s - w_p w)^2; for any alpha_p it does "
    "in the metric dw^2 + dw_p^2/alpha_p.",
    "Tian 2021, Appendix D.4",
    ("eta = 0", "w_a held", "alpha_p = 1 for plain gradient descent"),
    {
        "E without l_s in front": {"front": 1},
        "plain gradient descent for every alpha_p": {"ratio": 1},
        "w_a l_s/l_d": {"goal": l_s / l_d},
    },
)
def slow_target(front: Any = l_s, ratio: Any = alpha_p, goal: Any = l_d / l_s) -> Iterator[Step]:
    """Both derivatives of E against the flow; E falls."""
    to = {x: l_d, x_aug: l_s - l_d}
    rates = {name: sympy.sympify(rate).subs(to) for name, rate in mode_weight_rates(0, 0).scalars.items()}
    E = front / 2 * (a * goal - p * w) ** 2
    yield ScalarIdentity("dw/dt = -dE/dw", rates[w], -sympy.diff(E, w))
    yield ScalarIdentity("dw_p/dt = -alpha_p dE/dw_p", rates[p], -ratio * sympy.diff(E, p))
    fall = sympy.diff(E, w) * rates[w] + sympy.diff(E, p) * rates[p]
    bracket = a * l_d - p * w * l_s
    yield ScalarSign("E never rises", -(p**2 + alpha_p * w**2) * bracket**2, fall, "nonpositive")


STATEMENTS = (
    lemma_2, symmetrised_loss, predictor_fixed_points_singular, eigenvectors_stand_still, manifold_is_all,
    collapse_without_predictor, slow_target,
)  # fmt: skip
