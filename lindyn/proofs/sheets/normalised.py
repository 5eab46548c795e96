"""What cosine loss, BatchNorm, depth and finite steps change, on the lines of code that are integrated."""

from collections.abc import Iterator
from typing import Any

import sympy

from lindyn.equations import batchnorm, cosine, matrices, modes, projector, rest, weights
from lindyn.proofs.algebra import Along, WordRates
from lindyn.proofs.letters import *
from lindyn.proofs.statement import statement
from lindyn.proofs.steps import Identity, ScalarIdentity, Step

G = sympy.MatrixSymbol("G", n2, n1)
kappa, pace, c, lam = sympy.symbols("kappa pace c lambda", positive=True)
MODES = 2  # modes of the statements that are proved at a fixed number


def mode_letters(letter: str) -> tuple[sympy.Symbol, ...]:
    """Return a positive symbol for every mode."""
    return sympy.symbols(f"{letter}_1:{MODES + 1}", positive=True)


def _means(m: Any, a: Any, x: Any, x_aug: Any) -> tuple[Any, Any, Any]:
    """Return (Q, T, M) of modes."""
    Q, T = (sum((x + x_) * u * u for u, x, x_ in zip(each, x, x_aug, strict=True)) for each in (m, a))
    return Q, T, sum(u * v * x for u, v, x in zip(m, a, x, strict=True))


def closure_drives(m: Any, a: Any, x: Any, x_aug: Any, branch: bool = False) -> list[Any]:
    """Return the closure's drive of every mode, or the target branch's."""
    Q, T, M = _means(m, a, x, x_aug)
    each = zip(*((a, m) if branch else (m, a)), x, x_aug, strict=True)
    return [
        cosine.closure_drive(u, v, x, x_, M / (T if branch else Q), cosine.clock(Q, T, HALF)) for u, v, x, x_ in each
    ]


@statement(
    "normalised.balance",
    "Theorem 1 holds for every loss that is a function of W_p W: whatever the residual moment G, the balance W W^T "
    "- W_p^T W_p/alpha_p decays as exp(-2 eta t).",
    "Tian 2021, Eq. 5, for any loss",
    ("eta_p = eta_s", "stop-gradient", "no BatchNorm between W and W_p"),
    {
        "unequal decays": {"decays": (eta_p, eta_s)},
        "the balance without 1/alpha_p": {"ratio": 1},
    },
    beyond=True,
)
def balance(decays: tuple[Any, Any] = (eta, eta), ratio: Any = alpha_p) -> Iterator[Step]:
    """G is a matrix of which nothing is assumed."""
    rates = WordRates({"W": weights.dW(W, W_p, G, decays[1]), "W_p": weights.dW_p(W, W_p, G, alpha_p, decays[0])})
    B = matrices.balance(W, W_p, ratio)
    yield Identity("dB/dt for any G", Along(B, rates), -2 * eta * B)


@statement(
    "normalised.norms",
    "Under the cosine loss |W|^2 and |W_p|^2 move by their decays alone: tr(W_p^T G W^T) is pace (M - kappa Q), "
    "which is 0 at kappa = M/Q.",
    "degree 0 of the loss; van Laarhoven 2017",
    ("the closure", "stop-gradient"),
    {
        "kappa of another size": {"share": 2},
        "the prediction's moment X in place of X + X'": {"second": 0},
    },
    beyond=True,
)
def norms(share: int = 1, second: int = 1) -> Iterator[Step]:
    """The trace is computed on matrix words, then kappa is put in."""
    A = W_p * W
    moment = cosine.closure_moment(A, W_a, X, second * X_aug, kappa, pace)
    rates = WordRates({"W": weights.dW(W, W_p, moment, eta)})
    Q, M = cosine.mean_square(A, X, X_aug, inner), cosine.overlap(A, W_a, X, inner)
    square = sympy.Trace(W * W.T)
    rest_of_it = -2 * eta * square + 2 * pace * (M - kappa * Q)
    yield Identity("d|W|^2/dt", Along(square, rates), rest_of_it, MOMENTS_SYMMETRIC)
    overlap, size = sympy.symbols("M Q", positive=True)
    yield ScalarIdentity("M - kappa Q = 0", overlap - share * overlap / size * size, 0)


@statement(
    "normalised.closure_is_a_gradient",
    "The closure is the gradient of -M/sqrt(Q T), both branches, and Lemma 1 with the prediction rescaled by kappa "
    "and the clock divided by sqrt(Q T).",
    "ratio of means",
    (f"{MODES} modes",),
    {
        "kappa twice as large": {"share": 2},
        "the squared loss's prediction": {"plain": True},
    },
    beyond=True,
)
def closure_is_a_gradient(share: int = 1, plain: bool = False) -> Iterator[Step]:
    """Derivatives with respect to m_k and a_k of a network of modes."""
    m, a, x, x_aug = (mode_letters(letter) for letter in ("m", "a", "x", "y"))
    Q, T, M = _means(m, a, x, x_aug)
    J = -M / sympy.sqrt(Q * T)
    online, target = closure_drives(m, a, x, x_aug), closure_drives(m, a, x, x_aug, branch=True)
    if share != 1:
        online = [cosine.closure_drive(m[0], a[0], x[0], x_aug[0], share * M / Q, cosine.clock(Q, T, HALF))]
    if plain:
        online = [cosine.closure_drive(m[0], a[0], x[0], x_aug[0], 1, cosine.clock(Q, T, HALF))]
    yield ScalarIdentity("-dJ/dm_1 = g_1", -sympy.diff(J, m[0]), online[0])
    yield ScalarIdentity("-dJ/da_1 = target branch", -sympy.diff(J, a[0]), target[0])
    squared = modes.residual(p, w, a[0], x[0], x_aug[0])
    rescaled = cosine.closure_drive(p * w, a[0], x[0], x_aug[0], 1, 1)
    yield ScalarIdentity("kappa = 1, pace = 1 is the squared loss", rescaled, squared)


@statement(
    "normalised.theorem_2_falls",
    "Without stop-gradient, W_a = W, the sum of both drives along w is 0: |W| is conserved, so that nothing "
    "collapses to 0 without decay, and decay only shrinks it.",
    "against Tian 2021, Theorem 2",
    ("the closure", f"{MODES} modes"),
    {
        "stop-gradient's drive alone, along w and p": {"branches": 3},
        "the squared loss": {"squared": True},
    },
    beyond=True,
)
def theorem_2_falls(branches: int = 2, squared: bool = False) -> Iterator[Step]:
    """The sum of w dw over modes, with W_a = W."""
    P, w_, x, x_aug = (mode_letters(letter) for letter in ("p", "w", "x", "y"))
    m = [u * v for u, v in zip(P, w_, strict=True)]
    if squared:
        drives = [modes.residual(*each) for each in zip(P, w_, w_, x, x_aug, strict=True)]
        back = [v * modes.target_branch(u, x, y) for u, v, x, y in zip(P, w_, x, x_aug, strict=True)]
    else:
        drives, back = closure_drives(m, w_, x, x_aug), closure_drives(m, w_, x, x_aug, branch=True)
    change = sum(v * (modes.dw(u, v, g, 0) + b) for u, v, g, b in zip(P, w_, drives, back, strict=True))
    rest_of_it = 0 if branches == 2 else branches * sum(v * v for v in w_)
    yield ScalarIdentity("sum of w dw/dt", change, rest_of_it)


@statement(
    "normalised.decay_is_a_clock",
    "Equal decays only change the clock: with W = e^(-eta t) W0 the rates are those without decay, e^(2 eta t) "
    "times faster; the target, which does not decay, is e^(-eta t) beta/(beta - eta) times one that follows at "
    "(beta - eta) e^(-2 eta t) in that clock. There is no critical decay.",
    "degree -1 of the drive",
    ("eta_p = eta_s", "the closure", f"{MODES} modes"),
    {
        "a target that decays too": {"own": 0},
        "decay of the predictor alone": {"decay_p": 0},
    },
    beyond=True,
)
def decay_is_a_clock(own: Any = eta, decay_p: Any = eta) -> Iterator[Step]:
    """With lambda = e^(-eta t): p and w scaled by it, a by lambda beta/(beta - eta)."""
    P, w_, a, x, x_aug = (mode_letters(letter) for letter in ("p", "w", "a", "x", "y"))
    larger, rate = sympy.symbols("k b", positive=True)  # beta/(beta - eta), and beta - eta = b
    free = closure_drives([u * v for u, v in zip(P, w_, strict=True)], a, x, x_aug)[0]
    small = closure_drives(
        [lam**2 * u * v for u, v in zip(P, w_, strict=True)], [larger * lam * u for u in a], x, x_aug
    )[0]
    dw = modes.dw(lam * P[0], lam * w_[0], small, eta)
    dp = modes.dp_weights(lam * P[0], lam * w_[0], small, alpha_p, decay_p)
    grown = lam**-2
    yield ScalarIdentity("dw/dt", dw, lam * (grown * modes.dw(P[0], w_[0], free, 0) - eta * w_[0]))
    yield ScalarIdentity("dp/dt", dp, lam * (grown * modes.dp_weights(P[0], w_[0], free, alpha_p, 0) - eta * P[0]))
    clock = rest.decay_clock(sympy.exp(2 * eta * t), eta)
    yield ScalarIdentity("d(clock)/dt = e^(2 eta t)", sympy.diff(clock, t), sympy.exp(2 * eta * t))
    given, size = rate + eta, (rate + eta) / rate  # beta and beta/(beta - eta)
    followed = modes.da(w_[0], a[0], rest.rate_after_decay(given, grown, own))
    da = modes.da(lam * w_[0], size * lam * a[0], given)
    yield ScalarIdentity("da/dt", da, size * lam * (grown * followed - eta * a[0]))


@statement(
    "normalised.batchnorm_rows",
    "Under BatchNorm (no scale and shift) the rate of a row is orthogonal to the row: row norms are conserved up to "
    "decay; and the rate is the gradient through D.",
    "normalisation of every row",
    ("2 inputs", "S symmetric"),
    {
        "D taken as a constant": {"through": 0},
        "the correction without S": {"identity": True},
    },
    beyond=True,
    sizes="one row of 2 entries",
)
def batchnorm_rows(through: int = 1, identity: bool = False) -> Iterator[Step]:
    """One row of two entries, explicit."""
    row, g = (sympy.Matrix([sympy.symbols(f"{letter}_1:3", real=True)]) for letter in ("w", "g"))
    S = sympy.Matrix(2, 2, lambda i, j: sympy.Symbol(f"s_{min(i, j) + 1}{max(i, j) + 1}", real=True))
    inner = lambda A, B: (A * B.T)[0, 0]  # noqa: E731
    zero = sympy.zeros(2, 2)
    D2 = batchnorm.variance(row, S, zero, inner)
    scale = batchnorm.inverse_deviation(D2, HALF)
    W_n = batchnorm.normalised(row, scale)
    seen = sympy.eye(2) if identity else S
    rate = batchnorm.row_map(g, W_n, through * seen, zero, scale, inner)
    yield ScalarIdentity("w . dw/dt = 0", inner(row, rate), 0)
    J = inner(g, W_n)
    for k in range(2):
        yield ScalarIdentity(f"entry {k + 1} is the derivative of g . w_n", rate[k], sympy.diff(J, row[k]))


@statement(
    "normalised.exact_drive",
    "The integrals of the exact drive: D, A and B are determinant and covariances of the Gaussian tilted by "
    "exp(-u^2 |q|^2 - v^2 |t|^2), and 1/|q|, 1/|q|^3 are integrals over u.",
    "Gaussian x, one mode at a time",
    ("x Gaussian", "X and X' commute"),
    {
        "a tilt of half the size": {"tilt": 1},
        "c in place of x in A": {"cross": x + x_aug},
    },
    beyond=True,
)
def exact_drive(tilt: int = 2, cross: Any = None) -> Iterator[Step]:
    """Sigma = [[c, x], [x, c]], B = diag(u^2 m^2, v^2 a^2)."""
    m, a_, u, v, R = sympy.symbols("m a u v R", positive=True)
    total = x + x_aug
    Sigma = sympy.Matrix([[total, x], [x, total]])
    by = sympy.eye(2) + tilt * Sigma * sympy.diag(u**2 * m**2, v**2 * a_**2)
    D = cosine.determinant(m, a_, x, x_aug, u, v)
    yield ScalarIdentity("D = det(I + 2 Sigma B)", D, by.det())
    tilted = by.adjugate() * Sigma
    yield ScalarIdentity("A", cosine.tilted_cross(x if cross is None else cross, D) * D, tilted[0, 1])
    yield ScalarIdentity("B", cosine.tilted_square(a_, x, x_aug, v, D) * D, tilted[0, 0])
    half_line = lambda f: sympy.integrate(f, (u, 0, sympy.oo))  # noqa: E731
    root = 2 / sympy.sqrt(sympy.pi)
    yield ScalarIdentity("1/|q|", root * half_line(sympy.exp(-(u**2) * R**2)), 1 / R)
    yield ScalarIdentity("1/|q|^3", 2 * root * half_line(u**2 * sympy.exp(-(u**2) * R**2)), R**-3)


@statement(
    "normalised.depth",
    "Balanced layers w_l = u^(1/L), p = sqrt(alpha_p) u^(1/L): du/dt = L sqrt(alpha_p) u^(3 - 1/L) c (r - kappa "
    "sqrt(alpha_p) u^(1/L)) pace; so p = r/kappa at rest at every depth and the outputs' eigenvalues go as c r^(2 "
    "L); at L = 1 p ~ sqrt(F).",
    "the closure, W_a = W",
    ("balanced layers", "no decay", "online target"),
    {
        "one layer's share alone": {"layers": 1},
        "p without sqrt(alpha_p)": {"root": 1},
    },
    beyond=True,
)
def depth(layers: Any = None, root: Any = None) -> Iterator[Step]:
    """L and u are symbols; each layer's rate is `layer_rate` of a 1 x 1 system."""
    L, u, r = sympy.symbols("L u r", positive=True)
    root = sympy.sqrt(alpha_p) if root is None else root
    layers = L if layers is None else layers
    predictor, others = root * u ** (1 / L), u ** (1 - 1 / L)
    g = cosine.closure_drive(predictor * u, u, c * r, c * (1 - r), kappa, pace)
    push, above, below, layer = (sympy.Matrix([[each]]) for each in (predictor * g, others, 1, u ** (1 / L)))
    rate = projector.layer_rate(push, above, below, layer, 0)[0, 0]
    growth = layers * rate * others
    yield ScalarIdentity("du/dt", growth, projector.balanced_growth(u, c, r, kappa, pace, alpha_p, L, HALF))
    at_rest = (rest.rest_predictor(r, kappa) / sympy.sqrt(alpha_p)) ** L
    stands = projector.balanced_growth(at_rest, c, r, kappa, pace, alpha_p, L, HALF)
    yield ScalarIdentity("it rests at p = r/kappa", sympy.powsimp(sympy.simplify(stands), force=True), 0)
    size = (kappa * sympy.sqrt(alpha_p)) ** (-2 * L)
    yield ScalarIdentity(
        "F = c u^2 = size c r^(2L)", sympy.expand_power_base(c * at_rest**2 / c / r ** (2 * L), force=True),
        sympy.expand_power_base(rest.rest_spectrum(1, r, L, size) / r ** (2 * L), force=True),
    )  # fmt: skip


@statement(
    "normalised.transverse",
    "At rest an input mode that W does not use obeys dW_j/dt = T_j W_j, T_j = c_j (r_j W_p^T - kappa W_p^T W_p) pace.",
    "the closure, W_a = W, one layer",
    ("the closure", "online target", "no decay", "2 outputs"),
    {
        "without the predictor's own damping": {"damping": 0},
        "W_p in place of its transpose": {"transpose": False},
    },
    beyond=True,
    sizes="2 outputs",
)
def transverse(damping: int = 1, transpose: bool = True) -> Iterator[Step]:
    """Column j of W under the closure, explicit for two outputs."""
    P = sympy.Matrix(2, 2, sympy.symbols("p_11 p_12 p_21 p_22", real=True))
    column = sympy.Matrix(sympy.symbols("w_1 w_2", real=True))
    r = sympy.Symbol("r_j", positive=True)
    X_j, Y_j = sympy.Matrix([[c * r]]), sympy.Matrix([[c * (1 - r)]])
    moment = cosine.closure_moment(P * column, column, X_j, Y_j, kappa, pace)
    rate = weights.dW(column, P, moment, 0)
    T = rest.transverse_matrix(P if transpose else P.T, r, c, damping * kappa, pace)
    for k in range(2):
        yield ScalarIdentity(f"entry {k + 1}", rate[k], (T * column)[k])


@statement(
    "normalised.finite_step",
    "A gradient orthogonal to the weights lets |W|^2 go to (1 - lr eta)^2 |W|^2 + lr^2 |g|^2 in a step; where that "
    "stands still the angle per step squared is 2 lr eta to first order.",
    "Wan 2021; Kosson 2024",
    ("plain SGD", "g orthogonal to W"),
    {
        "the step's part of first order": {"order": 1},
        "twice the angle": {"angle": 4},
    },
    beyond=True,
)
def finite_step(order: int = 2, angle: int = 1) -> Iterator[Step]:
    """Two dimensions: W along the first axis, g along the second."""
    size, g, rate, decay = sympy.symbols("W g lr eta", positive=True)
    moved = ((1 - rate * decay) * size, rate * g)
    square = rest.norm_after_step(size**2, decay, rate, g**2)
    yield ScalarIdentity("|W|^2 after a step", moved[0] ** 2 + moved[1] ** order, square)
    at_rest = sympy.solve(square - size**2, g**2)[0]
    turned = sympy.series(rate**2 * at_rest / size**2, decay, 0, 2).removeO()
    yield ScalarIdentity("angle^2 = 2 lr eta", angle * turned, rest.angle_per_step(rate, decay, 0, HALF) ** 2)


STATEMENTS = (
    balance, norms, closure_is_a_gradient, theorem_2_falls, decay_is_a_clock, batchnorm_rows, exact_drive, depth,
    transverse, finite_step,
)  # fmt: skip
