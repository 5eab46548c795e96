"""The rows of the theorem x assumption table: each theorem as steps that a setting decides."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sympy

from lindyn.equations import matrices, modes
from lindyn.flows import choices
from lindyn.proofs import tian_critical as critical
from lindyn.proofs import tian_fixed_points as fixed
from lindyn.proofs.algebra import Algebra
from lindyn.proofs.settings import EXCESS, ISOTROPIC_V, LOWEST, POSITIVE_ETA, Setting
from lindyn.proofs.steps import Identity, ScalarIdentity, ScalarSign, Step
from lindyn.proofs.symbols import (
    GRAM,
    I2,
    ISOTROPIC,
    PROPORTIONAL,
    F,
    W,
    W_a,
    W_p,
    X,
    X_aug,
    a,
    alpha_p,
    beta,
    correlation_rates,
    eta,
    eta_s,
    mode_weight_rates,
    n1,
    n2,
    p,
    rate_of,
    tau,
    w,
    weight_rates,
    x,
    x_aug,
)
from lindyn.proofs.tian_appendix_d import R, S
from lindyn.proofs.words import Along


@dataclass(frozen=True)
class Theorem:
    """A row of the table.

    Args:
        name: short name.
        steps: setting -> the steps that decide it.
        home: what the theorem itself assumes; each column changes one thing of it.
        premise: setting -> "" where the theorem's premise can be fulfilled, else why not.
    """

    name: str
    steps: Callable[[Setting], list[Step]]
    home: Setting = field(default=Setting())
    premise: Callable[[Setting], str] = field(default=lambda setting: "")


def _balance(at: Setting) -> Any:
    return at.F - W_p.T * W_p / alpha_p


def _theorem_1(at: Setting) -> list[Step]:
    B = _balance(at)
    return [Identity("d/dt of the balance = -2 eta x it", Along(B, at.rates()), -2 * at.decay_s * B, at.algebra)]


def _trace_law(at: Setting) -> list[Step]:
    trace = sympy.Trace(_balance(at))
    return [Identity("d/dt of its trace = -2 eta x it", Along(trace, at.rates()), -2 * at.decay_s * trace, at.algebra)]


def _no_stop(at: Setting) -> str:
    try:
        choices.check(at.target, stop_gradient=False)
    except ValueError as error:
        return str(error).split(";")[0] + "."
    return ""


def _theorem_2(at: Setting) -> list[Step]:
    rates = at.rates(stop_gradient=False)
    if at.level == "full":
        return [
            Identity("dW/dt = -(H vec W)", rates[W], -matrices.H_action(W, W_p, X, X_aug, at.decay_s, I2), at.algebra)
        ]
    on_aug, on_mean = matrices.H_factors(W_p, I2)
    H = x_aug * on_aug + x * on_mean + at.decay_s * I2
    return [Identity("dF/dt = -(H F + F H)", rates[F], -(H * F + F * H), at.algebra)]


def _lowest(at: Setting) -> Any:
    """The certain lower bound of the decay: lambda_min(X') + eta_s, with X' positive semi-definite."""
    decay = at.decay_s.subs(
        {symbol: sympy.Symbol(symbol.name, positive=True) for symbol in sympy.sympify(at.decay_s).free_symbols}
    )
    return (0 if at.singular else LOWEST) + decay


def _certain_decay(at: Setting) -> list[Step]:
    bound = _lowest(at)
    return [ScalarSign("the decay rate lambda_min(X') + eta_s is positive", bound, bound, "positive")]


def _online_only(at: Setting) -> str:
    return "" if at.target == "online" else f"its premise is W_a = W; the target is {at.target}"


def _closure(at: Setting) -> list[Step]:
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


def _theorem_3(printed: bool) -> Callable[[Setting], list[Step]]:
    def steps(at: Setting) -> list[Step]:
        L = matrices.commutator(at.F, W_p)
        decay_p = at.decay_s if printed else at.decay_p
        K = matrices.K(W_p, at.F, tau, alpha_p, decay_p, at.decay_s, x, x_aug, I2)
        return [Identity("dL/dt = -(L K + K L)", Along(L, at.rates()), -(L * K + K * L), at.algebra)]

    return steps


def _decoupling(at: Setting) -> list[Step]:
    L = matrices.commutator(at.F, W_p)
    commute = Algebra(
        symmetric=(F, W_p), rules=((W * W.T, F), (W_p * F, F * W_p)) if at.level == "full" else ((W_p * F, F * W_p),),
        samples={"W_p": lambda m, n: 0.4 * m["F"] @ m["F"] - m["F"] + 0.5 * _eye(m["F"])},
    )  # fmt: skip
    return [Identity("[F, W_p] = 0 is kept", Along(L, at.rates()), sympy.ZeroMatrix(n2, n2), at.algebra + commute)]


def _eye(M: Any) -> Any:
    import numpy as np

    return np.eye(len(M))


def _integral(at: Setting) -> list[Step]:
    rates, _, size, _ = at.on_parabola()
    quantity = size - p**2 / alpha_p
    return [
        ScalarIdentity(
            "d/dt (s - p^2/alpha_p) = -2 eta x it",
            rate_of(quantity, rates).subs(at.scalars),
            -2 * at.decay_s * quantity,
        )
    ]


def _parabola_kept(at: Setting) -> Step:
    rates, on, size, _ = at.on_parabola()
    moved = rate_of(size - p**2 / alpha_p, rates)
    return ScalarIdentity("the parabola s = p^2/alpha_p is kept", moved.subs(on).subs(at.scalars), 0)


def _eq_15(at: Setting) -> list[Step]:
    rates, on, size, ratio = at.on_parabola()
    moved = rate_of(ratio * sympy.sqrt(size), rates)
    claimed = beta * (1 - ratio) * sympy.sqrt(size)
    positive = {p: sympy.Symbol("p", positive=True)}
    sides = [side.subs(on).subs(at.scalars).subs(positive) for side in (moved, claimed)]
    return [ScalarIdentity("d(tau sqrt s)/dt = beta (1 - tau) sqrt s", *sides), _parabola_kept(at)]


def _eq_16(at: Setting) -> list[Step]:
    rates, on, _, _ = at.on_parabola()
    D = modes.drive(p, tau, x, x_aug).subs(at.scalars)
    found = sympy.sympify(rates.scalars[p]).subs(on).subs(at.scalars)
    return [ScalarIdentity("dp/dt = p^2 D - eta p on it", found, p**2 * D - at.decay_s * p), _parabola_kept(at)]


def _fixed_points(printed: bool) -> Callable[[Setting], list[Step]]:
    def steps(at: Setting) -> list[Step]:
        rates, _, size, _ = at.on_parabola()
        rest_tau = tau if at.target == "frozen" else 1
        ratio = 1 if printed or at.decay_s == 0 else at.decay_p / at.decay_s
        k, m = sympy.symbols("k m", positive=True)  # alpha_p = 1/k^2, eta_p/eta_s = m^2: no roots but the one of p_+-
        units = {alpha_p: 1 / k**2} | ({} if ratio in (0, 1) else {at.decay_p: m**2 * at.decay_s})
        strength = k if ratio == 1 else k * m
        out: list[Step] = []
        for sign, name in ((1, "p_+"), (-1, "p_-")):
            root = fixed.p_branch(sign, at.decay_s, ISOTROPIC_V, x * rest_tau)
            for symbol, rate in rates.scalars.items():
                if at.level == "full":
                    rest = {_letter(rates, "a"): rest_tau * strength * p, _letter(rates, "w"): strength * p}
                else:
                    rest = {size: strength**2 * p**2, tau: rest_tau}
                value = sympy.sympify(rate).subs(units).subs(rest).subs(p, root).subs(at.scalars)
                text = f"d{symbol}/dt = 0 at {name}, s = {'' if ratio == 1 else 'eta_p/eta_s '}p^2/alpha_p"
                out.append(ScalarIdentity(text, value, 0))
        return out

    return steps


def _letter(rates: Any, name: str) -> Any:
    return next(symbol for symbol in rates.scalars if symbol.name == name)


def _above_critical(at: Setting) -> str:
    return "its premise eta_s > critical > 0 cannot be fulfilled at eta_s = 0" if at.decay_s == 0 else ""


def _living_rest_of_frozen(at: Setting) -> list[Step]:
    """A frozen target a feeds its mode for ever: it rests at w = k p, k^2 = eta_p/(alpha_p eta_s)."""
    k = sympy.sqrt(at.decay_p / (alpha_p * at.decay_s))
    frozen = mode_weight_rates(at.decay_p, at.decay_s, target="frozen").scalars
    p2 = (x * a - at.decay_s * k) / (ISOTROPIC_V * k)
    out: list[Step] = []
    for symbol in (w, p):
        rate = sympy.expand(sympy.sympify(frozen[symbol]).subs(w, k * p) / p)
        out.append(ScalarIdentity(f"d{symbol}/dt = 0 at w = k p", sympy.expand(rate).subs(p, sympy.sqrt(p2)), 0))
    critical = x**2 / (4 * ISOTROPIC_V)
    above = p2.subs({eta: critical + EXCESS, eta_s: critical + EXCESS}).subs(at.scalars)
    return [*out, ScalarSign("above the critical decay nothing rests but 0: p^2 <= 0", above, above, "nonpositive")]


def _critical(at: Setting) -> list[Step]:
    if at.target == "frozen":
        return _living_rest_of_frozen(at)
    if at.level == "full":
        return list((critical.critical_decay_ema if at.target == "ema" else critical.critical_decay_full).steps())
    v, c, q, g, shift = sympy.symbols("v c p g y", positive=True)
    b = sympy.Symbol("beta", positive=True)
    held = sympy.S.One if at.target == "online" else 1 / (1 + g)
    drive = modes.drive(q, held, c, v - c)
    growth = modes.growth(q, drive, c**2 / (4 * v) + EXCESS)
    square = v * (q - c * held / (2 * v)) ** 2
    spare = sympy.S.Zero if at.target == "online" else c**2 / (4 * v) * g * (2 + g) / (1 + g) ** 2
    out: list[Step] = [
        ScalarIdentity(
            "while tau <= 1, (ds/dt)/(2s) = -(eta_s - critical) - a square - critical (1 - tau^2)",
            growth,
            -EXCESS - spare - square,
        )
    ]
    if at.target == "ema":
        moved = modes.da(q, q * (1 + shift), b)
        out.append(ScalarSign("while tau > 1 the target itself falls", sympy.expand(moved), moved, "negative"))
    return out


def _p_minus(at: Setting) -> list[Step]:
    c, v = sympy.symbols("c v", positive=True)
    decay = POSITIVE_ETA if at.decay_s != 0 else sympy.S.Zero
    root = fixed.p_branch(-1, decay, v, c)
    low, gap = fixed.low, fixed.gap
    slope = (
        sympy.simplify(sympy.diff(root, c).subs({decay: v * low * (low + gap), c: v * (2 * low + gap)}))
        if decay != 0
        else sympy.simplify(sympy.diff(root, c))
    )
    shown = -low / (v * gap) if decay != 0 else slope
    return [ScalarSign("d p_-/d tau < 0", shown, slope, "negative")]


def _manifold(at: Setting) -> list[Step]:
    zero = sympy.ZeroMatrix
    if at.level != "full":
        ratio = x / ISOTROPIC_V
        solved = at.algebra + Algebra(
            rules=((W_p * F, ratio * F),),
            scalars={tau: 1},
            samples={"W_p": lambda m, n: n[x] / (n[x] + n[x_aug]) * _eye(m["F"])},
        )
        return [Identity(f"d{letter.name}/dt = 0", at.rates()[letter], zero(n2, n2), solved) for letter in (W_p, F)]
    one = sympy.Identity(n1)
    solved = Algebra(
        symmetric=(X, S, R),
        rules=((X_aug, S - X), (S * R, one), (R * S, one), (W_p * W, W * X * R), (W_a, W)),
        samples={
            "X": lambda m, n: 0.5 * m["Sigma_s"],
            "Sigma_s^-1": _inverted,
            "W_p": lambda m, n: 0.5 * _eye(m["W_p"]),
        },
    )
    return [Identity(f"d{letter.name}/dt = 0", at.rates()[letter], 0 * letter, solved) for letter in (W, W_p, W_a)]


def _inverted(matrices_: dict, scalars: dict) -> Any:
    import numpy as np

    return np.linalg.inv(matrices_["Sigma_s"])


_123 = Setting(level="123")
_ONLINE = Setting(target="online")
THEOREMS: tuple[Theorem, ...] = (
    Theorem("Theorem 1 (balancing)", _theorem_1),
    Theorem("trace of the balance", _trace_law),
    Theorem("Theorem 2 (dW = -HW)", _theorem_2, _ONLINE, _no_stop),
    Theorem("Theorem 2 (certain decay)", _certain_decay, _ONLINE, _no_stop),
    Theorem("no predictor: W -> 0", _certain_decay, _ONLINE, _online_only),
    Theorem("closure on (W_p, F)", _closure, Setting(level="12")),
    Theorem("Theorem 3 (printed 3 eta/2)", _theorem_3(True), _123),
    Theorem("Theorem 3 (eta_s + eta_p/2)", _theorem_3(False), _123),
    Theorem("aligned stays aligned", _decoupling, _123),
    Theorem("Eq. 14 (integral)", _integral, _123),
    Theorem("Eq. 15 (tau)", _eq_15, _123),
    Theorem("Eq. 16 (parabola)", _eq_16, _123),
    Theorem("p_+-, s = p^2/alpha_p", _fixed_points(True), _123),
    Theorem("p_+-, s = (eta_p/eta_s) p^2/alpha_p", _fixed_points(False), _123),
    Theorem("collapse above critical", _critical, _123, _above_critical),
    Theorem("p_- falls with tau", _p_minus, _123),
    Theorem("Appendix D fixed points", _manifold, Setting(decay_p=sympy.S.Zero, decay_s=sympy.S.Zero)),
)
