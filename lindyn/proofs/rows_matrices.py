"""The sets of assumptions of the theorem x assumption table, and its rows on matrices: steps that a set decides."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy

from lindyn.display.brief import Brief
from lindyn.equations import cosine, matrices
from lindyn.proofs.algebra import Algebra, Along, WordRates
from lindyn.proofs.letters import *
from lindyn.proofs.network_rates import PLAIN, ROWS, W_1, W_2, N, N_a, Network, kappa
from lindyn.proofs.sheets.tian_appendix_d import R, S
from lindyn.proofs.sheets.tian_scrambling import P, Sx
from lindyn.proofs.steps import Identity, Step


@dataclass(frozen=True, repr=False)
class Setting(Brief):
    """One set of assumptions.

    Args:
        level: "full" (Lemma 1), "12" (Assumptions 1 + 2) or "123" (1 + 2 + 3).
        decay_p: eta_p.
        decay_s: eta_s.
        target: "ema", "online" or "frozen".
        singular: X' singular (isotropic data: x' = 0).
    """

    level: str = "full"
    decay_p: Any = eta
    decay_s: Any = eta
    target: str = "ema"
    singular: bool = False
    network: Network = PLAIN

    @property
    def in_weights(self) -> bool:
        """Whether the letters are the weights: on Lemma 1's own level, and where nothing smaller closes."""
        return self.level == "full" or self.network.in_weights

    @property
    def W(self) -> Any:
        """The online map in the letters of this network."""
        return self.network.W

    @property
    def F(self) -> Any:
        """F = W W^T in the letters of this level."""
        return self.W * self.W.T if self.in_weights else F

    @property
    def scalars(self) -> dict[Any, Any]:
        """What the setting makes of the scalars: x' = 0 for a singular isotropic X', tau = 1 for the online target."""
        singular = {x_aug: 0} if self.singular else {}
        return singular | ({tau: 1} if self.target == "online" else {})

    @property
    def algebra(self) -> Algebra:
        """What may be assumed of the letters."""
        scalars = Algebra(scalars=self.scalars) + self.network.drawn()
        if self.level == "full":
            online = Algebra(rules=((W_a, self.W),)) if self.target == "online" else Algebra()
            return MOMENTS_SYMMETRIC + online + scalars
        if self.in_weights:
            assumed = ISOTROPIC + Algebra(rules=((W_a, tau * self.W),))
            return assumed + (SYMMETRIC_PREDICTOR if self.level == "123" else Algebra()) + scalars
        return Algebra(symmetric=(F,) if self.level == "12" else (F, W_p)) + scalars

    def rates(self, stop_gradient: bool = True) -> WordRates:
        """Return the matrix flow."""
        if self.in_weights:
            return self.weight_rates(stop_gradient)
        return correlation_rates(
            self.decay_p, self.decay_s, self.network.moments, target=self.target, stop_gradient=stop_gradient,
            predictor=self.predictor,
        )  # fmt: skip

    def weight_rates(self, stop_gradient: bool = True) -> WordRates:
        """Return the flow of the weights."""
        given = (self.decay_p, self.decay_s, self.target, stop_gradient, self.predictor)
        if self.network != PLAIN:
            return self.network.weight_rates(*given)
        names = ("target", "stop_gradient", "predictor")
        return weight_rates(*given[:2], **dict(zip(names, given[2:], strict=True)))

    @property
    def predictor(self) -> str:
        """How W_p moves: by the symmetric part of its flow under Assumption 3."""
        return "symmetrised" if self.level == "123" else "trained"

    def on_parabola(self) -> tuple[WordRates, dict[Any, Any], Any, Any]:
        """Return (mode rates, what the parabola makes of the symbols, the mode's strength s, tau) of this level."""
        if self.level == "full":
            rates = mode_weight_rates(self.decay_p, self.decay_s, target=self.target)
            target = w if self.target == "online" else tau * w
            return rates, {w: p / sympy.sqrt(alpha_p), a: (target / w) * p / sympy.sqrt(alpha_p)}, w**2, a / w
        return self.network.mode_rates(self.decay_p, self.decay_s, self.target), {s: p**2 / alpha_p}, s, tau

    def having(self, **changes: Any) -> "Setting":
        """Return this setting with something changed."""
        return replace(self, **changes)


COLUMNS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("full flow", {"level": "full"}),
    ("1+2", {"level": "12"}),
    ("1+2+3", {"level": "123"}),
    ("eta_p != eta_s", {"decay_p": eta_p, "decay_s": eta_s}),
    ("eta = 0", {"decay_p": sympy.S.Zero, "decay_s": sympy.S.Zero}),
    ("singular X'", {"singular": True}),
    ("target ema", {"target": "ema"}),
    ("target online", {"target": "online"}),
    ("target frozen", {"target": "frozen"}),
    ("loss = cosine", {"network": Network(loss="cosine")}),
    ("BatchNorm", {"network": Network(normalise="batchnorm")}),
    ("depth L", {"network": Network(layers=2)}),
)
POSITIVE_ETA = sympy.Symbol("eta", positive=True)
EXCESS = sympy.Symbol("d", positive=True)
ISOTROPIC_V = x + x_aug


def balance(at: Setting, last: bool = False) -> Any:
    """Return B = F - W_p^T W_p/alpha_p in the letters of a setting, or with the last layer's W_L W_L^T for F."""
    return (at.network.last * at.network.last.T if last and at.in_weights else at.F) - W_p.T * W_p / alpha_p


def theorem_1(at: Setting, last: bool = False) -> list[Step]:
    """Return the decay of the whole balance."""
    B = balance(at, last)
    return [Identity("d/dt of the balance = -2 eta x it", Along(B, at.rates()), -2 * at.decay_s * B, at.algebra)]


def trace_law(at: Setting) -> list[Step]:
    """Return the decay of its trace."""
    trace = sympy.Trace(balance(at))
    return [Identity("d/dt of its trace = -2 eta x it", Along(trace, at.rates()), -2 * at.decay_s * trace, at.algebra)]


def theorem_1_last(at: Setting) -> list[Step]:
    """Return the decay of the balance of W_p with the last layer."""
    return theorem_1(at, last=True)


def closure(at: Setting) -> list[Step]:
    """Return the closure of Lemma 1 on (W_p, F)."""
    rates = at.weight_rates()
    reduced = correlation_rates(
        at.decay_p, at.decay_s, at.network.moments, target=at.target, predictor=at.predictor
    )  # fmt: skip
    gram = Algebra(symmetric=(F,), rules=((at.W * at.W.T, F),))
    assumed = gram + Algebra(symmetric=(W_p,) if at.level == "123" else (), scalars=at.scalars)
    if at.level != "full":
        assumed = Algebra(rules=((W_a, tau * at.W),)) + ISOTROPIC + assumed
    elif at.target == "online":
        assumed = Algebra(rules=((W_a, at.W),)) + assumed
    drawn = assumed + at.network.drawn()
    return [
        Identity("dW_p/dt in W_p and F", rates[W_p], reduced[W_p], drawn),
        Identity("d(W W^T)/dt in W_p and F", Along(at.W * at.W.T, rates), reduced[F], drawn),
        *(means_in_F(assumed) if at.network.loss == "cosine" else ()),
    ]


def means_in_F(assumed: Algebra) -> list[Step]:
    """Return that Q, T and M, of which the closure's kappa and clock are made, are functions of W_p, F and tau."""
    A, v = W_p * W, x + x_aug
    trace = sympy.Trace
    return [
        Identity("Q", cosine.mean_square(A, X, X_aug, inner), v * trace(W_p * F * W_p.T), assumed),
        Identity("T", cosine.mean_square(W_a, X, X_aug, inner), v * tau**2 * trace(F), assumed),
        Identity("M", cosine.overlap(A, W_a, X, inner), x * tau * trace(W_p * F), assumed),
    ]


def theorem_3(printed: bool, own: bool = False) -> Callable[[Setting], list[Step]]:
    """Return the commutator's equation as a function of the setting; K with one decay as printed, or with both.

    Args:
        printed: with 3 eta/2.
        own: with the moments of the loss that is run: under the cosine loss kappa and its clock stand in K.
    """

    def steps(at: Setting) -> list[Step]:
        L = matrices.commutator(at.F, W_p)
        decay_p = at.decay_s if printed else at.decay_p
        seen = at.network.moments if own else (x, x_aug)
        K = matrices.K(W_p, at.F, tau, alpha_p, decay_p, at.decay_s, *seen, I2)
        # tau, x and x' are numbers of a state with W_a = tau W and isotropic data: there the full flow is looked at
        here = (
            PROPORTIONAL + ISOTROPIC + SYMMETRIC_PREDICTOR if at.level == "full" and at.network == PLAIN else Algebra()
        )
        text = "dL/dt = -(L K + K L)" + (", W_a = tau W and X = x I, X' = x' I now" if here.rules else "")
        return [Identity(text, Along(L, at.rates()), -(L * K + K * L), here + at.algebra)]

    return steps


@functools.cache
def ungoverned(at: Setting) -> str:
    """Return why K says nothing on alignment in a setting, or ""."""
    if theorem_3(False)(at)[0].run().passed:
        return ""
    return "K does not govern the commutator here (row Theorem 3 (eta_s + eta_p/2))"


def decoupling(at: Setting) -> list[Step]:
    """Return that commuting W_p and F stay so."""
    L = matrices.commutator(at.F, W_p)
    commute = Algebra(
        symmetric=(F, W_p),
        rules=((at.W * at.W.T, F), (W_p * F, F * W_p)) if at.in_weights else ((W_p * F, F * W_p),),
        samples={"W_p": lambda m, n: 0.4 * m["F"] @ m["F"] - m["F"] + 0.5 * np.eye(len(m["F"]))},
    )  # fmt: skip
    assumed = at.algebra + commute if at.network == PLAIN else commute + at.algebra  # kappa is of the W_p drawn
    return [Identity("[F, W_p] = 0 is kept", Along(L, at.rates()), sympy.ZeroMatrix(n2, n2), assumed)]


def manifold(at: Setting) -> list[Step]:
    """Return that the flow rests on Appendix D's manifold."""
    zero = sympy.ZeroMatrix
    if at.level != "full":
        ratio = x / ISOTROPIC_V
        solved = at.algebra + Algebra(
            rules=((W_p * F, ratio * F),),
            scalars={tau: 1},
            samples={"W_p": lambda m, n: n[x] / (n[x] + n[x_aug]) * np.eye(len(m["F"]))},
        )
        return [Identity(f"d{letter.name}/dt = 0", at.rates()[letter], zero(n2, n2), solved) for letter in (W_p, F)]
    one, seen = sympy.Identity(n1), at.network.seen
    solved = Algebra(
        symmetric=(X, S, R),
        rules=((X_aug, S - X), (S * R, one), (R * S, one), (W_p * seen, seen * X * R), (W_a, at.W)),
        samples={
            "X": lambda m, n: 0.5 * m["Sigma_s"],
            "Sigma_s^-1": lambda m, n: np.linalg.inv(m["Sigma_s"]),
            "W_p": lambda m, n: 0.5 * np.eye(len(m["W_p"])),
        },
    )
    return at_rest(at, solved)


def at_rest(at: Setting, solved: Algebra) -> list[Step]:
    """Return that no weight moves where the rules put W_p: the residual moment is 0 there.

    Under the cosine loss kappa = M/Q is 1 there; under BatchNorm a row's product with a gradient of 0 is 0.
    """
    out: list[Step] = []
    moving = (W, W_p, W_a) if at.network.layers == 1 else (W_2, W_1, W_p)
    if at.network.loss == "cosine":
        M = cosine.overlap(W_p * W, W_a, X, inner)
        Q = cosine.mean_square(W_p * W, X, X_aug, inner)
        out.append(Identity("M = Q there, kappa = 1", M, Q, solved))
        solved += Algebra(scalars={kappa: 1})
    if at.network.normalise == "batchnorm":
        solved += Algebra(symmetric=(N,), rules=((N_a, N), (ROWS, sympy.ZeroMatrix(n2, n2))))
        out.append(Identity("G = 0 there", at.network.push()[0], 0 * W, solved))
    return out + [Identity(f"d{letter.name}/dt = 0", at.rates()[letter], 0 * letter, solved) for letter in moving]


def scrambled_applies(at: Setting) -> str:
    """Return why scrambled data do not fit a setting, or ""."""
    return "" if at.level == "full" else "data scrambled on a subspace are not isotropic (Assumption 2)"


def scrambled(at: Setting) -> list[Step]:
    """Return that the flow rests at W_p W = W P for X = P Sigma P, X' = c (I-P), whatever P Sigma - Sigma P."""
    rest, seen, strength = sympy.Identity(n1) - P, at.network.seen, sympy.Symbol("c", positive=True)
    solved = Algebra(
        symmetric=(P, Sx),
        rules=(
            (P * P, P),
            (X, P * Sx * P),
            (X_aug, strength * rest),
            (W_p * seen, seen * P),
            (W_a, at.W),
        ),
        samples={
            "P": lambda m, n: np.diag(np.arange(len(m["P"])) % 2.0),
            at.network.first.name: lambda m, n: m[at.network.first.name] @ m["P"],
            "W_p": lambda m, n: np.eye(len(m["W_p"])),
        },
    )
    return at_rest(at, solved)
