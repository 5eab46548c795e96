"""Grill et al. 2020: the loss of normalised vectors, the schedule of tau, and what conditioning does pointwise."""

from collections.abc import Iterator
from typing import Any

import sympy

from lindyn.equations import target
from lindyn.proofs.algebra import Algebra
from lindyn.proofs.letters import *
from lindyn.proofs.statement import statement
from lindyn.proofs.steps import Identity, ScalarIdentity, ScalarSign, Step

d = sympy.Symbol("f", integer=True, positive=True)
q, z = sympy.MatrixSymbol("q", d, 1), sympy.MatrixSymbol("z'", d, 1)
size_q, size_z = sympy.symbols("|q| |z'|", positive=True)
ONE = sympy.Identity(1)
SIZES = Algebra(rules=((q.T * q, size_q**2 * ONE), (z.T * z, size_z**2 * ONE)))


@statement(
    "grill.loss",
    "|q/|q| - z'/|z'||^2 = 2 - 2 <q, z'>/(|q| |z'|): BYOL's loss is twice one minus the cosine, whatever the sizes.",
    "Grill 2020, Eq. 2",
    ("q, z' not 0",),
    {
        "z' not normalised": {"other": sympy.S.One},
        "2 - cos": {"factor": 1},
    },
    no_equation="an identity of two vectors; no rate enters",
)
def loss_of_directions(other: Any = size_z, factor: int = 2) -> Iterator[Step]:
    """The square multiplied out."""
    apart = q / size_q - z / other
    yield Identity(
        "the squared distance of the two directions",
        sympy.Trace(apart.T * apart), 2 * sympy.Trace(ONE) - factor * sympy.Trace(q.T * z) / (size_q * size_z), SIZES,
        numeric=False,
    )  # fmt: skip


@statement(
    "grill.tau_schedule",
    "tau_k = 1 - (1 - tau_base)(cos(pi k/K) + 1)/2 starts at tau_base, ends at 1 and never falls: the target follows "
    "ever more slowly, and stands still at the end.",
    "Grill 2020, Sec. 3.3",
    ("0 <= tau_base < 1",),
    {
        "it ends at tau_base": {"last": 0},
        "it falls": {"sign": "negative"},
    },
)
def tau_schedule(last: int = 1, sign: str = "positive") -> Iterator[Step]:
    """Both ends, and the slope inside."""
    base, share = sympy.Symbol("tau_base", nonnegative=True), sympy.Symbol("k/K", positive=True)
    tau_k = target.gamma_at(base, sympy.cos(sympy.pi * share))
    yield ScalarIdentity("tau_0 = tau_base", tau_k.subs(share, 0), base)
    yield ScalarIdentity("tau_K = 1", tau_k.subs(share, last), 1)
    below, inside = sympy.symbols("1-tau_base r", positive=True)
    slope = sympy.diff(tau_k, share).subs(base, 1 - below)
    yield ScalarIdentity(
        "its slope is (1 - tau_base) pi sin(pi k/K)/2", slope, below * sympy.pi * sympy.sin(sympy.pi * share) / 2
    )
    sine = 2 * inside / (1 + inside**2)  # sin of an angle strictly between 0 and pi, r = tan of its half
    rising = below * sympy.pi * sine / 2
    yield ScalarSign("which is positive for 0 < k < K", rising, rising, sign)


def conditional_variance(pointwise: bool) -> list[Step]:
    """Return Var(X|Y, N) <= Var(X|Y) for X = N e, N = 0 or 1 by a fair coin, e of variance v, as values or on average.

    Args:
        pointwise: the value of Var(X|N) at N = 1; else its mean over N.
    """
    v = sympy.Symbol("v", positive=True)
    values = {0: sympy.S.Zero, 1: v}
    given = values[1] if pointwise else sum(values.values()) / 2
    return [ScalarSign("Var(X) - Var(X|N)", v / 2 - given, v / 2 - given, "nonnegative")]


STATEMENTS = (loss_of_directions, tau_schedule)
