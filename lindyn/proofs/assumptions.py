"""Sets of assumptions, and the flow of each in the letters of the proofs."""

from dataclasses import dataclass, replace
from typing import Any

import sympy

from lindyn.proofs.algebra import Algebra
from lindyn.proofs.matrix_words import WordRates
from lindyn.proofs.symbols import (
    MOMENTS_SYMMETRIC,
    F,
    W,
    W_a,
    W_p,
    a,
    alpha_p,
    correlation_rates,
    eta,
    eta_p,
    eta_s,
    mode_rates,
    mode_weight_rates,
    p,
    s,
    tau,
    w,
    weight_rates,
    x,
    x_aug,
)


@dataclass(frozen=True)
class Setting:
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
