"""Theories of the outputs or of frozen norms, beside the flows of the weights: Halvagal et al. 2023, Bao 2025."""

from collections.abc import Iterator

import sympy

from lindyn.equations import bao, cosine, halvagal, modes
from lindyn.proofs.letters import *
from lindyn.proofs.statement import statement
from lindyn.proofs.steps import ScalarIdentity, Step

OUTPUTS = 2  # of the cosine equation, which is proved at a fixed number


def symbols_of(letter: str) -> tuple[sympy.Symbol, ...]:
    """Return a symbol per output."""
    return sympy.symbols(f"{letter}_1:{OUTPUTS + 1}", positive=True)


@statement(
    "halvagal.eigenvalues",
    "Halvagal's equations of the eigenvalues are the mode flow with p tied to the outputs, tau = 1: with "
    "stop-gradient, without it, with it on the wrong side, without predictor; IsoLoss is that flow without p in front "
    "of the rate, cosine too.",
    "Halvagal 2023, Euclidean and cosine losses",
    ("W_a = W", "no decay", f"{OUTPUTS} outputs"),
    {
        "IsoLoss with p left in": {"iso": True},
        "without stop-gradient, one branch": {"branch": 0},
        "the wrong side is the predictor's own": {"side": 0},
    },
)
def eigenvalues(iso: bool = False, branch: int = 1, side: int = 1) -> Iterator[Step]:
    """With lambda = s, x = 1, x' = v."""
    v = sympy.Symbol("v", nonnegative=True)
    D = modes.drive(p, 1, 1, v)
    grown = modes.growth(p, D, 0)
    yield ScalarIdentity("Euclidean", modes.ds(s, grown), halvagal.population_euclidean(s, p, v))
    open_rate = modes.ds(s, grown + branch * modes.target_branch(p, 1, v))
    yield ScalarIdentity("no stop-gradient", open_rate, halvagal.population_no_stop_gradient(s, p, v))
    other = side * modes.target_branch(p, 1, v) + (1 - side) * grown
    yield ScalarIdentity("wrong side", modes.ds(s, other), halvagal.population_wrong_side(s, p, v))
    one = modes.growth(1, modes.drive(1, 1, 1, v), 0)
    yield ScalarIdentity("no predictor", modes.ds(s, one), halvagal.population_no_predictor(s, v))
    taken_out = 1 if iso else p
    yield ScalarIdentity(
        "IsoLoss", halvagal.population_euclidean(s, p, v), taken_out * halvagal.population_isotropic(s, p, v)
    )
    yield from _cosine_outputs()


def _cosine_outputs() -> Iterator[Step]:
    """The cosine equation is the gradient of -cos at the outputs, |q| a function of them."""
    z_1, z_2, P = (symbols_of(letter) for letter in ("a", "b", "p"))
    q = [u * v for u, v in zip(P, z_1, strict=True)]
    size, other = (sympy.sqrt(sum(u * u for u in each)) for each in (q, z_2))
    J = -sum(u * v for u, v in zip(q, z_2, strict=True)) / (size * other)
    places = range(OUTPUTS)
    sums = iter([sum(P[k] ** 2 * z_1[k] ** 2 for k in places), sum(P[k] * z_1[k] * z_2[k] for k in places)])
    rate = halvagal.cosine(z_1[0], z_2[0], P[0], size, other, lambda _: next(sums))
    yield ScalarIdentity("cosine, output 1", rate, -sympy.diff(J, z_1[0]))


@statement(
    "bao.sixth_order",
    "Bao's term in p^6 is the Gaussian's fourth moment with |q| and |t| held outside the mean; with the ratio of "
    "means it is not there, and what is left is the closure.",
    "Bao 2025, on s = p^2",
    ("alpha_p = 1", "balance", "W_a = W"),
    {
        "the fourth moment counted once": {"pairs": 1},
        "the closure with Bao's term": {"sixth": True},
    },
)
def sixth_order(pairs: int = 2, sixth: bool = False) -> Iterator[Step]:
    """E[xi^2 (q . t)] = c M + 2 m a c x for a mode of Gaussian x (x = 1, c = 1 + v); w = a = p, m = p^2."""
    T, N_q, N_t, rho, v = sympy.symbols("T N_q N_t rho v", positive=True)
    total = 1 + v
    k, l = sympy.symbols("k l")
    generating = sympy.exp(total * k**2 / 2 + k * l + total * l**2 / 2)
    fourth = sympy.diff(generating, k, 3, l).subs({k: 0, l: 0})  # E[xi^3 zeta] of one mode
    m, one = p**2, sympy.Integer(1)
    own = fourth - total * one  # beyond c x, which M counts
    mean = total * T + (pairs * own / 2) * m * p
    frozen = p * (p / (N_q * N_t) - m * mean / (N_q**3 * N_t)) - rho * p
    yield ScalarIdentity("frozen norms", frozen, bao.frozen_norm_rate(p, v, T, N_q, N_t, rho))
    g = cosine.closure_drive(m, p, one, v, T / N_q**2, 1 / (N_q * N_t))
    closed = modes.dp_weights(p, p, g, 1, rho)
    left = bao.frozen_norm_rate if sixth else bao.without_sixth_order
    yield ScalarIdentity("ratio of means", closed, left(p, v, T, N_q, N_t, rho))


STATEMENTS = (eigenvalues, sixth_order)
