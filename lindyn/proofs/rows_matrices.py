"""The sets of assumptions of the theorem x assumption table, and its rows on matrices: steps that a set decides."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy

from lindyn.display.brief import Brief
from lindyn.equations import matrices
from lindyn.flows import choices
from lindyn.proofs.algebra import Algebra, Along, WordRates
from lindyn.proofs.letters import *
from lindyn.proofs.sheets.tian_appendix_d import P, R, S, Sx
from lindyn.proofs.steps import Identity, ScalarSign, Step


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

    @property
    def F(self) -> Any:
        """F = W W^T in the letters of this level."""
        return W * W.T if self.level == "full" else F

    @property
    def scalars(self) -> dict[Any, Any]:
        """What the setting makes of the scalars: x' = 0 for a singular isotropic X', tau = 1 for the online target."""
        singular = {x_aug: 0} if self.singular else {}
        return singular | ({tau: 1} if self.target == "online" else {})

    @property
    def algebra(self) -> Algebra:
        """What may be assumed of the letters."""
        scalars = Algebra(scalars=self.scalars)
        if self.level == "full":
            online = Algebra(rules=((W_a, W),)) if self.target == "online" else Algebra()
            return MOMENTS_SYMMETRIC + online + scalars
        return Algebra(symmetric=(F,) if self.level == "12" else (F, W_p)) + scalars

    def rates(self, stop_gradient: bool = True) -> WordRates:
        """Return the matrix flow."""
        if self.level == "full":
            return weight_rates(self.decay_p, self.decay_s, target=self.target, stop_gradient=stop_gradient)
        predictor = "symmetrised" if self.level == "123" else "trained"
        return correlation_rates(
            self.decay_p, self.decay_s, target=self.target, stop_gradient=stop_gradient, predictor=predictor
        )

    def on_parabola(self) -> tuple[WordRates, dict[Any, Any], Any, Any]:
        """Return (mode rates, what the parabola makes of the symbols, the mode's strength s, tau) of this level."""
        if self.level == "full":
            rates = mode_weight_rates(self.decay_p, self.decay_s, target=self.target)
            target = w if self.target == "online" else tau * w
            return rates, {w: p / sympy.sqrt(alpha_p), a: (target / w) * p / sympy.sqrt(alpha_p)}, w**2, a / w
        return mode_rates(self.decay_p, self.decay_s, target=self.target), {s: p**2 / alpha_p}, s, tau

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
)
POSITIVE_ETA = sympy.Symbol("eta", positive=True)
EXCESS = sympy.Symbol("d", positive=True)
LOWEST = sympy.Symbol("m", nonnegative=True)  # lambda_min(X')
ISOTROPIC_V = x + x_aug


def balance(at: Setting) -> Any:
    """Return B = F - W_p^T W_p/alpha_p in the letters of a setting."""
    return at.F - W_p.T * W_p / alpha_p


def theorem_1(at: Setting) -> list[Step]:
    """Return the decay of the whole balance."""
    B = balance(at)
    return [Identity("d/dt of the balance = -2 eta x it", Along(B, at.rates()), -2 * at.decay_s * B, at.algebra)]


def trace_law(at: Setting) -> list[Step]:
    """Return the decay of its trace."""
    trace = sympy.Trace(balance(at))
    return [Identity("d/dt of its trace = -2 eta x it", Along(trace, at.rates()), -2 * at.decay_s * trace, at.algebra)]


def no_stop(at: Setting) -> str:
    """Return why the gradient through both branches has no meaning in a setting, or ""."""
    try:
        choices.check(at.target, stop_gradient=False)
    except ValueError as error:
        return str(error).split(";")[0] + "."
    return ""


def theorem_2(at: Setting) -> list[Step]:
    """Return Theorem 2's flow in its H form."""
    rates = at.rates(stop_gradient=False)
    if at.level == "full":
        return [
            Identity("dW/dt = -(H vec W)", rates[W], -matrices.H_action(W, W_p, X, X_aug, at.decay_s, I2), at.algebra)
        ]
    on_aug, on_mean = matrices.H_factors(W_p, I2)
    H = x_aug * on_aug + x * on_mean + at.decay_s * I2
    return [Identity("dF/dt = -(H F + F H)", rates[F], -(H * F + F * H), at.algebra)]


def lowest(at: Setting) -> Any:
    """The certain lower bound of the decay: lambda_min(X') + eta_s, with X' positive semi-definite."""
    decay = at.decay_s.subs(
        {symbol: sympy.Symbol(symbol.name, positive=True) for symbol in sympy.sympify(at.decay_s).free_symbols}
    )
    return (0 if at.singular else LOWEST) + decay


def certain_decay(at: Setting) -> list[Step]:
    """Return the sign of the certain decay rate."""
    bound = lowest(at)
    return [ScalarSign("the decay rate lambda_min(X') + eta_s is positive", bound, bound, "positive")]


def online_only(at: Setting) -> str:
    """Return why the no-predictor remark does not apply, or ""."""
    return "" if at.target == "online" else f"its premise is W_a = W; the target is {at.target}"


def closure(at: Setting) -> list[Step]:
    """Return the closure of Lemma 1 on (W_p, F)."""
    predictor = "symmetrised" if at.level == "123" else "trained"
    rates = weight_rates(at.decay_p, at.decay_s, target=at.target, predictor=predictor)
    reduced = correlation_rates(at.decay_p, at.decay_s, target=at.target, predictor=predictor)
    assumed = GRAM + Algebra(symmetric=(W_p,) if at.level == "123" else (), scalars=at.scalars)
    if at.level != "full":
        assumed = PROPORTIONAL + ISOTROPIC + assumed
    elif at.target == "online":
        assumed = Algebra(rules=((W_a, W),)) + assumed
    return [
        Identity("dW_p/dt in W_p and F", rates[W_p], reduced[W_p], assumed),
        Identity("d(W W^T)/dt in W_p and F", Along(W * W.T, rates), reduced[F], assumed),
    ]


def theorem_3(printed: bool) -> Callable[[Setting], list[Step]]:
    """Return the commutator's equation as a function of the setting; K with one decay as printed, or with both."""

    def steps(at: Setting) -> list[Step]:
        L = matrices.commutator(at.F, W_p)
        decay_p = at.decay_s if printed else at.decay_p
        K = matrices.K(W_p, at.F, tau, alpha_p, decay_p, at.decay_s, x, x_aug, I2)
        return [Identity("dL/dt = -(L K + K L)", Along(L, at.rates()), -(L * K + K * L), at.algebra)]

    return steps


def decoupling(at: Setting) -> list[Step]:
    """Return that commuting W_p and F stay so."""
    L = matrices.commutator(at.F, W_p)
    commute = Algebra(
        symmetric=(F, W_p), rules=((W * W.T, F), (W_p * F, F * W_p)) if at.level == "full" else ((W_p * F, F * W_p),),
        samples={"W_p": lambda m, n: 0.4 * m["F"] @ m["F"] - m["F"] + 0.5 * np.eye(len(m["F"]))},
    )  # fmt: skip
    return [Identity("[F, W_p] = 0 is kept", Along(L, at.rates()), sympy.ZeroMatrix(n2, n2), at.algebra + commute)]


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
    one = sympy.Identity(n1)
    solved = Algebra(
        symmetric=(X, S, R),
        rules=((X_aug, S - X), (S * R, one), (R * S, one), (W_p * W, W * X * R), (W_a, W)),
        samples={
            "X": lambda m, n: 0.5 * m["Sigma_s"],
            "Sigma_s^-1": lambda m, n: np.linalg.inv(m["Sigma_s"]),
            "W_p": lambda m, n: 0.5 * np.eye(len(m["W_p"])),
        },
    )
    return [Identity(f"d{letter.name}/dt = 0", at.rates()[letter], 0 * letter, solved) for letter in (W, W_p, W_a)]


def scrambled_applies(at: Setting) -> str:
    """Return why scrambled data do not fit a setting, or ""."""
    return "" if at.level == "full" else "data scrambled on a subspace are not isotropic (Assumption 2)"


def scrambled(at: Setting) -> list[Step]:
    """Return that the flow rests at W_p W = W P for X = P Sigma P, X' = (I-P) Sigma (I-P), P Sigma = Sigma P."""
    rest = sympy.Identity(n1) - P
    solved = Algebra(
        symmetric=(P, Sx),
        rules=((P * P, P), (Sx * P, P * Sx), (X, P * Sx * P), (X_aug, rest * Sx * rest), (W_p * W, W * P), (W_a, W)),
        samples={
            "P": lambda m, n: np.diag(np.arange(len(m["P"])) % 2.0),
            "Sigma_x": lambda m, n: np.diag(1.0 + np.arange(len(m["P"]))),
            "W": lambda m, n: m["W"] @ m["P"],
            "W_p": lambda m, n: np.eye(len(m["W_p"])),
        },
    )
    return [Identity(f"d{letter.name}/dt = 0", at.rates()[letter], 0 * letter, solved) for letter in (W, W_p, W_a)]
