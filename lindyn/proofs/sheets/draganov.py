"""What dividing the weights at the start does under the cosine loss; the gradient of one embedding."""

from collections.abc import Iterator

import sympy

from lindyn.equations import cosine, descent, modes, rest
from lindyn.proofs.letters import *
from lindyn.proofs.sheets.normalised import closure_drives, mode_letters
from lindyn.proofs.statement import statement
from lindyn.proofs.steps import ScalarIdentity, Step

c_w, c_p, c_a, lr, square, gradient = sympy.symbols("c_w c_p c_a lr W2 g2", positive=True)
mu, gamma, size = sympy.symbols("mu gamma_a s", positive=True)
V = sympy.Symbol("v", real=True)


@statement(
    "draganov.gradient",
    "The gradient of cos(q, t) with respect to q is at a right angle to q, and its size is sin(angle)/|q|.",
    "Draganov 2025, gradient of the cosine similarity",
    ("2 outputs",),
    {
        "without the part along q taken out": {"along": 0},
        "the size without 1/|q|": {"power": 0},
    },
    beyond=True,
    sizes="2 outputs",
)
def gradient_of_one(along: int = 1, power: int = 1) -> Iterator[Step]:
    """The sample's own moment with the input 1, explicit for two outputs."""
    q, other = (sympy.Matrix(sympy.symbols(f"{letter}_1:3", positive=True)) for letter in ("q", "t"))
    inverse_q, inverse_t = (1 / sympy.sqrt(each.dot(each)) for each in (q, other))
    cos = q.dot(other) * inverse_q * inverse_t
    g = cosine.sample_moment(q, other, sympy.Matrix([1]), inverse_q, inverse_t, along * cos, 1)
    for k in range(2):
        yield ScalarIdentity(f"d cos/dq_{k + 1}", sympy.diff(cos, q[k]), g[k])
    yield ScalarIdentity("q . g = 0", q.dot(g), 0)
    yield ScalarIdentity("|g|^2 = (1 - cos^2)/|q|^2", g.dot(g), (1 - cos**2) * inverse_q ** (2 * power))


@statement(
    "draganov.cut",
    "Weights that start divided, w = u/c_w and p = v/c_p, take the steps of u and v at learning rates lr c_w^2 and "
    "lr alpha_p c_p^2 and decays divided by the same squares, momentum as it is, at any step size. A target that is "
    "cut as w keeps its gamma_a; one cut otherwise is the same after scaling as one with a gamma_a of its own at every "
    "step. The first step leaves the least |W| at c = (|W|^2/(lr^2 |g|^2))^(1/4).",
    "Draganov 2025, cut initialisation",
    ("the closure", "2 modes"),
    {
        "the cut to the first power": {"power": 1},
        "the decay as it was": {"decay_power": 0},
        "the target's gamma_a as it was": {"own": False},
    },
    beyond=True,
    sizes="2 modes",
)
def cut(power: int = 2, decay_power: int = 2, own: bool = True) -> Iterator[Step]:
    """Every part of one step: drive, velocity, weights, target."""
    P, w_, targets, x, x_aug = (mode_letters(letter) for letter in ("p", "w", "a", "x", "y"))
    g = closure_drives([u * v for u, v in zip(P, w_, strict=True)], targets, x, x_aug)[0]
    small = [u / c_p * v / c_w for u, v in zip(P, w_, strict=True)]
    g_cut = closure_drives(small, [u / c_a for u in targets], x, x_aug)[0]
    dw = modes.dw(P[0] / c_p, w_[0] / c_w, g_cut, eta)
    dp = modes.dp_weights(P[0] / c_p, w_[0] / c_w, g_cut, alpha_p, eta)
    moved = {
        "w": (w_[0], c_w, dw, modes.dw(P[0], w_[0], g, eta / c_w**decay_power)),
        "p": (P[0], c_p, dp, modes.dp_weights(P[0], w_[0], g, alpha_p, eta / c_p**decay_power)),
    }
    for name, (u, c, rate, whole) in moved.items():
        v, v_whole = descent.velocity(c * V, rate, mu), descent.velocity(V, whole, mu)
        yield ScalarIdentity(f"velocity of {name}", v, c * v_whole)
        faster = rest.rate_after_cut(lr, c) if power == 2 else lr * c**power
        yield ScalarIdentity(f"step of {name}", descent.step(u / c, c * V, lr), descent.step(u, V, faster) / c)
    yield ScalarIdentity("a target cut alike", descent.ema(a / c_w, w / c_w, gamma), descent.ema(a, w, gamma) / c_w)
    after = descent.ema(size, 1 / c_w, gamma)
    schedule = rest.ema_after_cut(gamma, size, after) if own else gamma
    yield ScalarIdentity(
        "a target of another size", descent.ema(size * a, w / c_w, gamma), after * descent.ema(a, w, schedule)
    )
    c = sympy.Symbol("c", positive=True)
    first = rest.norm_after_step(square / c**2, 0, lr, gradient * c**2)
    at_least = sympy.diff(first, c).subs(c, rest.best_cut(square, lr, gradient, HALF))
    yield ScalarIdentity("least norm after the first step", sympy.powsimp(sympy.simplify(at_least), force=True), 0)


STATEMENTS = (gradient_of_one, cut)
