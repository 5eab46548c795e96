"""The rules' own cores on symbols, branch by branch: offsets, floors, norms, F = 0, default steps.

Two modes s and s + d, d > 0, stand for "a mode" and "the largest"; where a core compares values, the step says which
piece it is on, and what the assumptions leave open is an error.
"""

from collections.abc import Callable, Iterator
from typing import Any

import sympy

from lindyn.predictors import iterative, regression, spectral
from lindyn.predictors.arrays import Modes
from lindyn.proofs.letters import HALF, THREE_HALVES
from lindyn.proofs.statement import statement
from lindyn.proofs.steps import ScalarIdentity, Step
from lindyn.proofs.symbolic_arrays import SymbolArray

s, d, u, h_1, h_2 = sympy.symbols("s d u h_1 h_2", positive=True)
SMALL, LARGE, DEAD = s, s + d, sympy.Integer(0)
QUARTER, EPS = sympy.Rational(1, 4), 0.25
TWO = "2 modes"
NORMS = {"none": 1, "max": LARGE, "fro": sympy.sqrt(SMALL**2 + LARGE**2), "trace": SMALL + LARGE}
Rule = Callable[..., Any]


def spectrum(*values: Any) -> Modes:
    """Return eigenvalues as a core takes them."""
    return Modes(SymbolArray(values))


def each(text: str, found: Modes, *wanted: Any) -> Iterator[Step]:
    """Return one step for each mode."""
    for k, (value, right) in enumerate(zip(found.values.entries, wanted, strict=True)):
        yield ScalarIdentity(f"{text}, mode {k + 1}", value, right, TWO)


@statement(
    "closed_form.direct_set_core",
    "direct_set as it ships: p_j = q_j^power + shift, q_j = max(s_j - c_j, 0)/N, with eps max q (paper), eps max q^"
    "power (relative) or eps max q inside the power; N is 1, max s, ||F||_F or tr F; p is at least the floor; c is "
    "given for the largest eigenvalue first; F = 0 gives the floor.",
    "Tian 2021, Eqs. 18-19, Table 7; the released code",
    ("power 1/2 and 2", "eps = 1/4", "floor 0 and 3", "c_j = 0, below and above s_j"),
    {
        "eps max q in place of eps max q^power": {"relative": lambda q, power: q},
        "the largest eigenvalue's c for the smallest": {"turned": True},
        "a mode below its c goes on": {"below": -1},
        "a floor that is added": {"raised": 1},
    },
    beyond=True,
    sizes=TWO,
)
def direct_set_core(
    relative: Rule = lambda q, power: q**power, turned: bool = False, below: int = 0, raised: int = 0
) -> Iterator[Step]:
    """Every norm with every place of eps, then offsets, floors and F = 0."""
    for number in (0.5, 2.0):
        power = sympy.Rational(number)
        for norm, N in NORMS.items():
            q, top = (SMALL / N, LARGE / N), LARGE / N
            shift = {"paper": top, "relative": relative(top, power)}
            for mode in spectral.EPS_MODES:
                wanted = [
                    (one + QUARTER * top) ** power if mode == "inside" else one**power + QUARTER * shift[mode]
                    for one in q
                ]
                found = spectral.direct_set.core(
                    spectrum(SMALL, LARGE), power=number, eps=EPS, eps_mode=mode, normalise=norm
                )
                yield from each(f"power {power}, N: {norm}, eps: {mode}", found, *wanted)
    core = spectral.direct_set.core
    for given in ((SMALL, LARGE), (LARGE, SMALL)):
        c = SymbolArray((d / 2, s / 2))  # the largest mode's, then the other's
        own = dict(zip((SMALL, LARGE) if turned else (LARGE, SMALL), c.entries, strict=True))
        wanted = [sympy.sqrt(one - own[one]) for one in given]
        yield from each("c_j below s_j", core(spectrum(*given), c=c), *wanted)
    apart = spectrum(SMALL, SMALL + u), SymbolArray((s, s + u))
    yield from each(
        "c_j = s_j + u of a mode, s_j - u of the other", core(apart[0], c=apart[1]), below * u, sympy.sqrt(u)
    )
    yield from each("below and above the floor", core(spectrum(DEAD, (3 + u) ** 2), floor=3.0), 3, raised * 3 + 3 + u)
    yield from each("F = 0", core(spectrum(DEAD, DEAD), eps=EPS, normalise="fro", floor=3.0), 3, 3)


@statement(
    "closed_form.direct_pred_core",
    "direct_pred as it ships is direct_set at power 1/2, p_j = sqrt(s_j) + epsilon max_j s_j (Eq. 18); direct_copy is "
    "F/N + eps I, with eps I where F = 0.",
    "Tian 2021, Eq. 18; Wang et al. 2021",
    ("eps = 1/4",),
    {
        "eps max_j sqrt(s_j), as released": {"shift": sympy.sqrt(LARGE)},
        "DirectCopy without its ridge": {"ridge": 0},
    },
    beyond=True,
    sizes=TWO,
)
def direct_pred_core(shift: Any = LARGE, ridge: Any = QUARTER) -> Iterator[Step]:
    """Eq. 18 on two modes; DirectCopy with every norm and at 0."""
    found = spectral.direct_pred.core(spectrum(SMALL, LARGE), eps=EPS)
    yield from each("Eq. 18", found, sympy.sqrt(SMALL) + QUARTER * shift, sympy.sqrt(LARGE) + QUARTER * shift)
    for norm, N in NORMS.items():
        found = spectral.direct_copy.core(spectrum(SMALL, LARGE), eps=EPS, normalise=norm)
        yield from each(f"DirectCopy, N: {norm}", found, SMALL / N + ridge, LARGE / N + ridge)
        found = spectral.direct_copy.core(spectrum(DEAD, DEAD), eps=EPS, normalise=norm)
        yield from each(f"DirectCopy of F = 0, N: {norm}", found, ridge, ridge)


@statement(
    "closed_form.regression_core",
    "linear_regression as it ships: h/(s + damping mean(s)) of every mode; without damping 0 where s = 0 (the "
    "pseudo-inverse), with damping h/(damping mean(s)) there; F = 0 gives 0.",
    "Grill et al. 2020; Richemond 2023, LRP",
    ("damping 0 and 1/4", "F and H share their axes"),
    {
        "damping of the trace": {"share": 2},
        "a dead mode is divided by one": {"dead": h_1},
    },
    beyond=True,
    sizes=TWO,
)
def regression_core(share: int = 1, dead: Any = 0) -> Iterator[Step]:
    """Alive with and without damping, one dead mode with and without, F = 0."""
    core, cross = regression.linear_regression.core, spectrum(h_1, h_2)
    mean = share * QUARTER * (SMALL + LARGE) / 2
    yield from each("no damping", core(spectrum(SMALL, LARGE), cross), h_1 / SMALL, h_2 / LARGE)
    damped = core(spectrum(SMALL, LARGE), cross, damping=EPS)
    yield from each("damping", damped, h_1 / (SMALL + mean), h_2 / (LARGE + mean))
    yield from each("s_1 = 0, no damping", core(spectrum(DEAD, s), cross), dead, h_2 / s)
    shift = share * QUARTER * s / 2
    yield from each("s_1 = 0, damping", core(spectrum(DEAD, s), cross, damping=EPS), h_1 / shift, h_2 / (s + shift))
    yield from each("F = 0", core(spectrum(DEAD, DEAD), cross, damping=EPS), dead, dead)


def newton_schulz_values(values: Any, steps: int, first: Any = THREE_HALVES) -> list[Any]:
    """Return sqrt(s) u_n of every mode, u_0 = sqrt(s/||F||), u_{k+1} = u (3/2 - u^2/2)."""
    norm, found = sympy.sqrt(sum(value**2 for value in values)), []
    for value in values:
        u = sympy.sqrt(value / norm)
        for _ in range(steps):
            u = u * (first - u**2 / 2)
        found.append(sympy.sqrt(value) * u)
    return found


def visser_values(values: Any, h: Any, steps: int) -> list[Any]:
    """Return Visser's p_n of every mode from p_0 = 1/(2h)."""
    found = []
    for value in values:
        p = 1 / (2 * h)
        for _ in range(steps):
            p = p + h * (value - p**2)
        found.append(p)
    return found


@statement(
    "closed_form.iteration_cores",
    "The rules by products as they ship, on modes: NE is 2 H - H F, or (2 - F/N) H/N; Newton-Schulz is sqrt(s) u_n; "
    "NS^2 is itself twice; Visser takes h = 1/(2 sqrt||F||_F) where none is given, and 1/2 where F = 0; F = 0 gives 0 "
    "by Newton-Schulz and 2 H by NE.",
    "Richemond et al. 2023",
    ("1 and 2 steps", "modes in the ratio 3 : 4; NS^2: 1 : 2"),
    {
        "NE divided by N once": {"times": 1},
        "u grows by 2 a step": {"first": 2},
        "Visser's h without the root": {"root": 1},
    },
    beyond=True,
    sizes=TWO,
)
def iteration_cores(times: int = 2, first: Any = THREE_HALVES, root: Any = HALF) -> Iterator[Step]:
    """Eigenvalues 3 s and 4 s, whose norm is 5 s; and F = 0."""
    values, N = (3 * s, 4 * s), 5 * s
    F, zero, H = spectrum(*values), spectrum(DEAD, DEAD), spectrum(h_1, h_2)
    both = tuple(zip((h_1, h_2), values, strict=True))
    yield from each("NE", iterative.neumann.core(F, H), *(h * (2 - one) for h, one in both))
    found = iterative.neumann.core(F, H, normalise="fro")
    yield from each("NE, N = ||F||", found, *((2 / N - one / N**times) * h for h, one in both))
    yield from each("NE of F = 0", iterative.neumann.core(zero, H, normalise="fro"), 2 * h_1, 2 * h_2)
    for steps in (1, 2):
        found = iterative.newton_schulz.core(F, steps=steps)
        yield from each(f"NS, {steps} steps", found, *newton_schulz_values(values, steps, first))
        found = iterative.visser.core(F, steps=steps)
        yield from each(f"Visser, {steps} steps", found, *visser_values(values, 1 / (2 * N**root), steps))
        found = iterative.visser.core(F, steps=steps, step=EPS)
        yield from each(f"Visser, h = 1/4, {steps} steps", found, *visser_values(values, QUARTER, steps))
    once = newton_schulz_values((1, 2), 1, first)
    twice = iterative.newton_schulz_twice.core(spectrum(1, 2), steps=1)
    yield from each("NS^2 of 1 and 2, 1 step", twice, *newton_schulz_values(once, 1, first))
    yield from each("NS of F = 0", iterative.newton_schulz.core(zero, steps=2), 0, 0)
    yield from each("Visser of F = 0", iterative.visser.core(zero, steps=1), *visser_values((DEAD, DEAD), HALF, 1))


@statement(
    "closed_form.stiefel_core",
    "stiefel as it ships, after one step on modes of M: B M/||B||_F (print) or B M/||M M^T||_F^(1/2) (polar), B = (3 - "
    "a)/2 with a = m^2/||M M^T||_F; M is F where no cross-correlation is given; M = 0 gives 0.",
    "Richemond et al. 2023; Procrustes",
    ("1 step", "modes in the ratio sqrt(3) : 2"),
    {
        "print divides as polar does": {"scales": ("polar", "polar")},
        "B = (2 - a)/2": {"three": 2},
    },
    beyond=True,
    sizes=TWO,
)
def stiefel_core(scales: tuple[str, str] = ("print", "polar"), three: int = 3) -> Iterator[Step]:
    """Both scales, with and without a cross-correlation, and M = 0."""
    root = sympy.sqrt(3)
    F, H = spectrum(root * s, 2 * s), spectrum(2 * h_1, root * h_1)  # M M^T has the norm 5 s^2, or 5 h_1^2
    for given, modes in (((F, H), (2 * h_1, root * h_1)), ((F,), (root * s, 2 * s))):
        norm = sympy.sqrt(sum(m**4 for m in modes))
        B = [(three - m**2 / norm) / 2 for m in modes]
        sizes = {"print": sympy.sqrt(sum(b**2 for b in B)), "polar": sympy.sqrt(norm)}
        for asked, stands in zip(iterative.SCALES, scales, strict=True):
            found = iterative.stiefel.core(*given, steps=1, scale=asked)
            wanted = [b * m / sizes[stands] for b, m in zip(B, modes, strict=True)]
            yield from each(f"scale: {asked}, {'with' if len(given) > 1 else 'without'} H", found, *wanted)
    zero = iterative.stiefel.core(F, spectrum(DEAD, DEAD), steps=1)
    yield from each("M = 0", zero, 0, 0)


STATEMENTS = (direct_set_core, direct_pred_core, regression_core, iteration_cores, stiefel_core)
