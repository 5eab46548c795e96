"""A projector of several layers: balance of neighbours, norms, the way out of rank one, and what BatchNorm adds to it.

The layers' rates are those of `DeepFlow`, which `simulate` integrates; three layers of any widths, the middle one of
which has a neighbour on each side.
"""

from collections.abc import Iterator
from typing import Any

import sympy

from lindyn.equations import batchnorm, cosine, matrices, projector, rest, weights
from lindyn.flows import DeepFlow
from lindyn.flows.deep import _products_below
from lindyn.proofs.algebra import Along, WordRates
from lindyn.proofs.letters import *
from lindyn.proofs.sheets.normalised import G, kappa, pace
from lindyn.proofs.statement import statement
from lindyn.proofs.steps import Identity, ScalarIdentity, Step

b, f = sympy.symbols("b f", integer=True, positive=True)  # widths of the hidden layers
W_1, W_2, W_3 = (sympy.MatrixSymbol(f"W_{k + 1}", *shape) for k, shape in enumerate(((b, n1), (f, b), (n2, f))))
LAYERS, WHOLE = (W_1, W_2, W_3), W_3 * W_2 * W_1
THREE = "3 layers of any widths"


def layer_rates(moment: Any, decay_p: Any = eta, decay_s: Any = eta) -> WordRates:
    """Return `DeepFlow`'s rates of three layers and the predictor at a residual moment, no BatchNorm."""
    flow = DeepFlow._unchecked(hp=hyperparameters(decay_p, decay_s), predictor="trained")
    gradient = weights.dW(WHOLE, W_p, moment, 0)
    rates = flow._layer_rates(gradient, LAYERS, _products_below(LAYERS))
    predictor = weights.dW_p(WHOLE, W_p, moment, alpha_p, decay_p)
    return WordRates({"W_1": rates[0], "W_2": rates[1], "W_3": rates[2], "W_p": predictor})


@statement(
    "normalised.projector_balance",
    "In a projector of L layers every two neighbours keep a balance: W_l W_l^T - W_(l+1)^T W_(l+1) decays as exp(-2 "
    "eta_s t), and W_L W_L^T - W_p^T W_p/alpha_p as exp(-2 eta t) at equal decays, for every loss of W_p W_L ... W_1.",
    "Tian 2021, Theorem 1, for a deep projector",
    ("stop-gradient", "eta_p = eta_s beside the predictor", "no BatchNorm"),
    {
        "unequal decays beside the predictor": {"decays": (eta_p, eta_s)},
        "the layers' balance without the transpose's order": {"ordered": False},
        "the balance without 1/alpha_p": {"ratio": 1},
    },
    beyond=True,
    sizes=THREE,
)
def projector_balance(decays: Any = (eta, eta), ordered: bool = True, ratio: Any = alpha_p) -> Iterator[Step]:
    """G is a matrix of which nothing is assumed; neighbours at any depth by `layer_rate`, then `DeepFlow`'s three."""
    over, under = (
        sympy.MatrixSymbol("U", n2, f),
        sympy.MatrixSymbol("V", sympy.Symbol("k", positive=True, integer=True), n1),
    )
    low, high = sympy.MatrixSymbol("A", b, under.shape[0]), sympy.MatrixSymbol("B", f, b)
    pair = WordRates({
        "A": projector.layer_rate(G, over * high, under, low, eta_s),
        "B": projector.layer_rate(G, over, low * under, high, eta_s),
    })  # fmt: skip
    D = low * low.T - high.T * high
    yield Identity("neighbours between any layers U above and V below", Along(D, pair), -2 * eta_s * D)
    rates = layer_rates(G, *decays)
    for under_, over_ in ((W_1, W_2), (W_2, W_3)):
        D = under_ * under_.T - (over_.T * over_ if ordered else (under_ * under_.T) / 2)
        yield Identity(f"{under_} and {over_}", Along(D, rates), -2 * decays[1] * D)
    B = matrices.balance(W_3, W_p, ratio)
    yield Identity("the last layer and the predictor", Along(B, rates), -2 * eta * B)


@statement(
    "normalised.projector_norms",
    "Under the cosine loss every layer's norm moves by its decay alone: d|W_l|^2/dt = -2 eta_s |W_l|^2 + 2 pace (M - "
    "kappa Q), the last part the same for all layers and 0 at kappa = M/Q; |W_p|^2 likewise with eta_p.",
    "degree 0 of the loss in every layer",
    ("the closure", "stop-gradient", "no BatchNorm"),
    {
        "a layer's own part twice": {"part": 2},
        "the prediction's moment X in place of X + X'": {"second": 0},
        "kappa of another size": {"share": 2},
    },
    beyond=True,
    sizes=THREE,
)
def projector_norms(part: int = 1, second: int = 1, share: int = 1) -> Iterator[Step]:
    """The traces are computed on words; then kappa is put in."""
    A = W_p * WHOLE
    moment = cosine.closure_moment(A, W_a, X, second * X_aug, kappa, pace)
    rates = layer_rates(moment, eta_p, eta_s)
    Q, M = cosine.mean_square(A, X, X_aug, inner), cosine.overlap(A, W_a, X, inner)
    for letter, decay, rate in ((W_1, eta_s, 1), (W_2, eta_s, 1), (W_3, eta_s, 1), (W_p, eta_p, alpha_p)):
        square = sympy.Trace(letter * letter.T)
        own = 2 * rate * part * pace * (M - kappa * Q)
        yield Identity(f"d|{letter}|^2/dt", Along(square, rates), -2 * decay * square + own, MOMENTS_SYMMETRIC)
    overlap, size = sympy.symbols("M Q", positive=True)
    yield ScalarIdentity("M - kappa Q = 0", overlap - share * overlap / size * size, 0)


@statement(
    "normalised.escape",
    "Beside a direction u_1 at rest another of the same r grows as du/dt = C u^(3 - 1/L) (1 - (u/u_1)^(1/L)), C = L "
    "sqrt(alpha_p) c r pace: it escapes from any eps, and without the last factor it takes (eps^-(2 - 1/L) - u^-(2 - "
    "1/L))/((2 - 1/L) C) to come to u. Rank one is left algebraically, never kept.",
    "balanced layers near rank one",
    ("the closure", "balanced layers", "no decay", "online target", "equal r"),
    {
        "the exponent of one layer": {"exponent": 1},
        "one layer's share of the rate": {"layers": 1},
    },
    beyond=True,
)
def escape(exponent: Any = None, layers: Any = None) -> Iterator[Step]:
    """L is a symbol; u_1 rests at p = r/kappa; the time is checked by its derivative."""
    L, u, r, c, eps, live = sympy.symbols("L u r c epsilon u_1", positive=True)
    power = rest.lifetime_exponent(L) if exponent is None else exponent
    C = (L if layers is None else layers) * sympy.sqrt(alpha_p) * c * r * pace
    share = rest.rest_predictor(r, sympy.sqrt(alpha_p) * live ** (1 / L))  # kappa at which u_1 rests
    rate = projector.balanced_growth(u, c, r, share, pace, alpha_p, L, HALF)
    factor = 1 - sympy.expand_power_base((u / live) ** (1 / L), force=True)
    yield ScalarIdentity("du/dt", sympy.expand(rate / u ** (3 - 1 / L)), sympy.expand(
        C * u ** (1 + power) * factor / u ** (3 - 1 / L)))  # fmt: skip
    time = (eps**-power - u**-power) / (power * C)
    yield ScalarIdentity("the time: d(time)/du du/dt = 1", sympy.diff(time, u) * C * u ** (3 - 1 / L), 1)
    yield ScalarIdentity("it starts at eps", time.subs(u, eps), 0)


@statement(
    "normalised.batchnorm_rank_one",
    "BatchNorm makes every output's variance 1 and does not forbid the collapse of direction: where every row of W "
    "lies along one eigenvector of X and X', all outputs are +-1 times one another and no row moves, at any W_p.",
    "diag F = 1; rank one",
    ("X and X' commute", "no decay"),
    {
        "without the way through D": {"through": 0},
        "a row that lies along two eigenvectors": {"second": 1},
    },
    beyond=True,
    sizes="2 outputs of 2 inputs",
)
def batchnorm_rank_one(through: int = 1, second: int = 0) -> Iterator[Step]:
    """Explicit 2 x 2: rows b_1 v and b_2 v, v the first eigenvector; G is the closure's at any W_p and W_a along v."""
    size, own = sympy.symbols("b_1 b_2", positive=True), sympy.Symbol("a", positive=True)
    X_, Y_ = (sympy.diag(*sympy.symbols(f"{letter}_1:3", positive=True)) for letter in ("x", "y"))
    P = sympy.Matrix(2, 2, sympy.symbols("p_11 p_12 p_21 p_22", real=True))
    W_ = sympy.Matrix([[size[0], 0], [size[1], second * size[1]]])
    rows = lambda A, B: sympy.Matrix([(A[k, :] * B[k, :].T)[0, 0] for k in range(2)])  # noqa: E731
    scaled = lambda column, M: sympy.diag(*column) * M  # noqa: E731
    D2 = batchnorm.variance(W_, X_, Y_, rows)
    scale = sympy.diag(*(batchnorm.inverse_deviation(one, HALF) for one in D2))
    W_n = batchnorm.normalised(W_, scale)
    outputs = W_n * (X_ + Y_) * W_n.T
    yield ScalarIdentity("variance of an output", outputs[1, 1], 1)
    yield ScalarIdentity("two outputs' covariance is +-1", outputs[0, 1] ** 2, 1)
    moment = cosine.closure_moment(P * W_n, own * W_n, X_, Y_, kappa, pace)
    push = P.T * moment
    along = lambda A, B: scaled(rows(A, B), sympy.eye(2))  # noqa: E731
    rate = batchnorm.row_map(push, W_n, through * X_, through * Y_, scale, along)
    for k in range(2):
        for j in range(2):
            yield ScalarIdentity(f"row {k + 1}, entry {j + 1} stands still", rate[k, j], 0)


@statement(
    "normalised.batchnorm_breaks_balance",
    "Under BatchNorm Theorem 1 falls: of one output under the squared loss W W^T - W_p^T W_p/alpha_p moves at -2 eta "
    "times itself and -2 p (r - p), r = x/(x + x'), since the row's norm stands still and the predictor does not.",
    "against Tian 2021, Theorem 1",
    ("squared loss", "W_a = W", "eta_p = eta_s"),
    {
        "D taken as a constant": {"through": 0},
        "the balance of Theorem 1": {"left": 0},
    },
    beyond=True,
    sizes="1 output of 1 input",
)
def batchnorm_breaks_balance(through: int = 1, left: int = 1) -> Iterator[Step]:
    """One mode; the target is the normalised online network."""
    own = sympy.Symbol("w", positive=True)
    letter = lambda value: sympy.Matrix([[value]])  # noqa: E731
    rows = lambda A, B: (A * B.T)[0, 0]  # noqa: E731
    x_, y_ = sympy.symbols("x y", positive=True)
    D2 = batchnorm.variance(letter(own), letter(x_), letter(y_), rows)
    scale = batchnorm.inverse_deviation(D2, HALF)
    W_n = batchnorm.normalised(letter(own), scale)
    moment = weights.residual_moment(W_n, letter(p), W_n, letter(x_), letter(y_))
    push = weights.dW(W_n, letter(p), moment, 0)
    dw = batchnorm.row_map(push, W_n, through * letter(x_), through * letter(y_), scale, rows)[0, 0] - eta * own
    dp = weights.dW_p(W_n, letter(p), moment, alpha_p, eta)[0, 0]
    B = own**2 - p**2 / alpha_p
    moved = sympy.diff(B, own) * dw + sympy.diff(B, p) * dp
    yield ScalarIdentity("dB/dt", moved, -2 * eta * B - left * 2 * p * (x_ / (x_ + y_) - p))


STATEMENTS = (projector_balance, projector_norms, escape, batchnorm_rank_one, batchnorm_breaks_balance)
