"""Tian et al. 2021, Table 4: what the observations say; Obs. #5 has a sheet of its own."""

from collections.abc import Iterator
from typing import Any

import sympy

from lindyn.equations import modes, target
from lindyn.proofs import lemmas
from lindyn.proofs.letters import *
from lindyn.proofs.sheets.tian_correlation import eigenvalue_of_K
from lindyn.proofs.sheets.tian_modes import at_roots, gap, low, p_branch, scale, v
from lindyn.proofs.statement import statement
from lindyn.proofs.steps import ScalarIdentity, ScalarSign, Step

u = sympy.Symbol("u", nonnegative=True)  # alpha_p s
c = sympy.Symbol("c", real=True)
BELOW = sympy.Symbol("d", nonnegative=True)  # how far p lies below x tau/(x+x'), times x + x'


def _k() -> Any:
    return eigenvalue_of_K(decay_p=eta, decay_s=eta)


@statement(
    "tian.obs_1",
    "Obs. #1: in (p, alpha_p s) the flow does not know alpha_p, and for p <= x tau/(x+x') more s "
    "never hurts: a larger alpha_p shrinks the basin of collapse there.",
    "Tian 2021, Table 4, Obs. #1",
    ("eta_p = eta_s for the comparison", "p(0) <= x tau/(x+x')", "tau fixed"),
    {
        "the flow in (p, s) does not know alpha_p": {"scaled": s},
        "more s never hurts, for every p": {"below": sympy.Symbol("d", real=True)},
    },
)
def obs_1(scaled: Any = u / alpha_p, below: Any = BELOW) -> Iterator[Step]:
    """The scaling alpha_p s = u; the comparison of two solutions with c_1 <= c_2."""
    rates = mode_rates(eta_p, eta_s, tau="constant")
    yield ScalarIdentity(
        "dp/dt in (p, u = alpha_p s) is free of alpha_p", sympy.diff(rates[p].subs(s, scaled), alpha_p), 0
    )
    yield ScalarIdentity("du/dt is free of alpha_p", sympy.diff((alpha_p * rates[s]).subs(s, scaled), alpha_p), 0)
    memory = sympy.Symbol("m", nonnegative=True)  # exp(-2 eta t)
    line = mode_rates(tau="constant")[p].subs(s, (p**2 + c * memory) / alpha_p)
    at = {p: (x * tau - below) / v}
    yield ScalarSign(
        "d/dc of dp/dt >= 0 for p <= x tau/(x+x'): solutions keep their order",
        memory * below,
        sympy.diff(line, c).subs(at),
        "nonnegative",
    )
    edge = rates[p].subs(p, x * tau / v).subs(x_aug, scale - x)
    yield ScalarSign(
        "p cannot cross x tau/(x+x') upwards: there dp/dt = -eta_p p", -eta_p * x * tau / scale, edge, "nonpositive"
    )


@statement(
    "tian.obs_2",
    "Obs. #2: at the living fixed point s = (eta_p/eta_s) p_+^2/alpha_p with p_+ free of "
    "alpha_p: s falls as 1/alpha_p.",
    "Tian 2021, Table 4, Obs. #2",
    ("eta_s > 0",),
    {"p_+ depends on alpha_p": {"root": p_branch(1) * alpha_p}, "s rises": {"sign": "positive"}},
)
def obs_2(root: Any = None, sign: str = "negative") -> Iterator[Step]:
    """p_+ is free of alpha_p; s = const/alpha_p."""
    root = p_branch(1) if root is None else root
    yield ScalarIdentity("d p_+/d alpha_p", sympy.diff(root, alpha_p), 0)
    a, b, q = sympy.symbols("eta_p eta_s q", positive=True)
    resting = (a / b) * q**2 / alpha_p
    D = b / q  # p D = eta_s
    yield ScalarIdentity("dp/dt = 0 there", modes.dp(q, resting, D, alpha_p, a), 0)
    yield ScalarSign("d s/d alpha_p", -resting / alpha_p, sympy.diff(resting, alpha_p), sign)


@statement(
    "tian.obs_3",
    "Obs. #3: with eta > 0 the memory c exp(-2 eta t) of the start is lost, and s -> p^2/alpha_p.",
    "Tian 2021, Table 4, Obs. #3",
    ("eta_p = eta_s = eta > 0",),
    {"the memory stays": {"limit_value": c}, "the rate is eta": {"rate": eta}},
)
def obs_3(limit_value: Any = 0, rate: Any = 2 * eta) -> Iterator[Step]:
    """The integral of motion and its limit."""
    rates = mode_rates()
    quantity = modes.integral_of_motion(p, s, alpha_p)
    moved = sum(sympy.diff(quantity, symbol) * rates[symbol] for symbol in (p, s))
    yield ScalarIdentity("d/dt (s - p^2/alpha_p)", moved, -rate * quantity)
    e = sympy.Symbol("eta", positive=True)
    yield lemmas.limit("what is left of c", c * sympy.exp(-2 * e * t), t, sympy.oo, limit_value)


@statement(
    "tian.obs_6",
    "Obs. #6: at a given (p, s, tau) a larger alpha_p loosens Eq. 17; on the parabola s = "
    "p^2/alpha_p, where the flow ends, it changes nothing.",
    "Tian 2021, Table 4, Obs. #6",
    ("at given (p, s, tau)",),
    {"it tightens": {"sign": "nonpositive"}, "it loosens Eq. 17 on the parabola too": {"on_parabola": v * p**2 / 2}},
)
def obs_6(sign: str = "nonnegative", on_parabola: Any = 0) -> Iterator[Step]:
    """The derivative of K's eigenvalue by alpha_p, at a state and on the parabola."""
    yield ScalarSign("d k/d alpha_p at given (p, s, tau)", v * s / 2, sympy.diff(_k(), alpha_p), sign)
    yield ScalarIdentity(
        "on the parabola k is free of alpha_p", sympy.diff(_k().subs(s, p**2 / alpha_p), alpha_p), on_parabola
    )


@statement(
    "tian.obs_7",
    "Obs. #7: at a given (p, s, tau) a larger eta loosens Eq. 17 (by 3/2 per unit); at the "
    "living fixed point, which moves with eta, it tightens it.",
    "Tian 2021, Table 4, Obs. #7",
    ("at given (p, s, tau)", "reversed at p_+"),
    {
        "it loosens at the fixed point": {"sign": "positive"},
        "a factor 1/2 at a given state": {"slope": HALF},
    },
)
def obs_7(sign: str = "negative", slope: Any = THREE_HALVES) -> Iterator[Step]:
    """The derivative of K's eigenvalue by eta, at a state and along p_+(eta)."""
    yield ScalarIdentity("d k/d eta at given (p, s, tau)", sympy.diff(_k(), eta), slope)
    root, drive = p_branch(1, eta, scale, sympy.Symbol("c", positive=True)), sympy.Symbol("c", positive=True)
    k_at = _k().subs({s: p**2 / alpha_p, x_aug: scale - x, tau: drive / x}).subs(p, root)
    back = {eta: scale * low * (low + gap), drive: scale * (2 * low + gap)}
    slope_at = sympy.simplify(sympy.diff(k_at, eta).subs(back))
    yield ScalarSign("d k(p_+)/d eta = -(p_+ + p_-)/(2 (p_+ - p_-))", -(2 * low + gap) / (2 * gap), slope_at, sign)
    value = sympy.factor(at_roots(_k().subs(s, p**2 / alpha_p)).subs(p, low + gap))
    yield ScalarSign(
        "k(p_+) itself stays positive: (v p_+^2 + eta)/2", scale * (low + gap) * (2 * low + gap) / 2, value, "positive"
    )


@statement(
    "tian.obs_9",
    "Obs. #9: from tau(0) = 0 no growth starts before t = log(1 + k theta/beta)/k, theta = 2 "
    "sqrt(eta (x+x'))/x, k = (x+x') p(0)^2 + eta: later for smaller beta; until then p falls.",
    "Tian 2021, Table 4, Obs. #9",
    ("on the parabola", "eta > 0", "tau(0) = 0", "0 <= p <= p(0) while nothing grows"),
    {
        "the start comes later for larger beta": {"sign": "positive"},
        "k without decay": {"rate": "short"},
        "theta halved": {"share": 1},
    },
)
def obs_9(sign: str = "negative", rate: str = "full", share: int = 2) -> Iterator[Step]:
    """Growth needs tau >= theta; tau rises no faster than tau' = beta + k tau."""
    D = modes.drive(p, tau, x, x_aug)
    theta = share * sympy.sqrt(eta * v) / x
    at_theta = {tau: theta}
    yield ScalarIdentity(
        "at tau = theta the growth is -(x+x') (p - sqrt(eta/(x+x')))^2 <= 0, and it rises with tau",
        modes.growth(p, D, eta).subs(at_theta), -((sympy.sqrt(v) * p - sympy.sqrt(eta)) ** 2),
    )  # fmt: skip
    q, fallen, T, b = sympy.symbols("q f T b", nonnegative=True)  # p now, p(0)^2 - p^2, tau, beta
    k = v * (q**2 + fallen) + (eta if rate == "full" else 0)
    slack = b + k * T - target.dtau(T, modes.growth(q, modes.drive(q, T, x, x_aug), eta), b)
    yield ScalarSign("beta + k tau - dtau/dt >= 0", b * T + T * (v * fallen + x * T * q), slack, "nonnegative")
    K, B, H = sympy.symbols("k beta theta", positive=True)
    wait = sympy.log(1 + K * H / B) / K
    rise = B * (sympy.exp(K * t) - 1) / K
    yield ScalarIdentity("tau' = beta + k tau from 0 is beta (exp(k t) - 1)/k", sympy.diff(rise, t), B + K * rise)
    yield ScalarIdentity("it reaches theta at the time stated", rise.subs(t, wait), H)
    yield ScalarSign("that time falls with beta", -H / (B * (B + K * H)), sympy.diff(wait, B), sign)


STATEMENTS = (obs_1, obs_2, obs_3, obs_6, obs_7, obs_9)
