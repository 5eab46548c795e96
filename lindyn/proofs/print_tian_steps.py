"""The steps that decide the entries of Tian et al. 2021 in the audit, and counter-examples from running the flows."""

from dataclasses import replace
from typing import Any

import numpy as np
import sympy

from lindyn import observables
from lindyn.equations import closed_form, correlation, descent, matrices, modes, weights
from lindyn.flows import CorrelationFlow, ParabolaFlow, WeightFlow
from lindyn.hyperparameters import Hyperparameters
from lindyn.moments import Moments
from lindyn.proofs import printed
from lindyn.proofs.algebra import Algebra, Along
from lindyn.proofs.lemmas import counted
from lindyn.proofs.letters import *
from lindyn.proofs.sheets import tian_modes, tian_observations, tian_scrambling
from lindyn.proofs.steps import Identity, ScalarIdentity, ScalarSign, Step
from lindyn.solve.ode import simulate
from lindyn.states import CorrelationState, ParabolaState, WeightState

PAPER_UNITS = Algebra(scalars={x: 1, x_aug: printed.sigma2})
UNITS = {x: 1, x_aug: printed.sigma2}


def lemma_1() -> list[Step]:
    """Return Eqs. 2-4 against the flow."""
    rates = weight_rates()
    return [Identity(f"d{q.name}/dt", rates[q], printed.lemma_1()[q], MOMENTS_SYMMETRIC) for q in (W, W_p, W_a)]


def appendix_flow() -> list[Step]:
    """Return the printed flow under 1 + 2 against the library's."""
    rates = correlation_rates()
    return [
        Identity(f"d{q.name}/dt", rates[q], printed.appendix_flow()[q], Algebra(symmetric=(F,)) + PAPER_UNITS)
        for q in (W_p, F)
    ]


def theorem_3(decay_p: Any, decay_s: Any, one: Any, K: Any) -> list[Step]:
    """The commutator with the printed K; `one` is what the print's eta becomes."""
    rates = correlation_rates(decay_p, decay_s, predictor="symmetrised")
    L = matrices.commutator(F, W_p)
    algebra = BOTH_SYMMETRIC + Algebra(scalars=UNITS | {eta: one})
    return [Identity("dL/dt = -(L K + K L)", Along(L, rates), -(L * K + K * L), algebra)]


def mode_equations() -> list[Step]:
    """Return Eqs. 11-13 against the flow."""
    rates = mode_rates()
    found = {q: sympy.sympify(rates[q]).subs(UNITS) for q in (p, s, tau)}
    return [ScalarIdentity(f"d{q}/dt", found[q], printed.eqs_11_to_13()[q]) for q in (p, s, tau)]


def points(decay_p: Any, decay_s: Any) -> list[Step]:
    """Return the printed fixed points put into the flow."""
    rates = mode_rates(decay_p, decay_s, tau="constant")
    out: list[Step] = []
    for sign, name in ((1, "p_+"), (-1, "p_-")):
        root = printed.p_branch(sign).subs(eta, decay_s)
        at = {s: root**2 / alpha_p, p: root}
        out += [
            ScalarIdentity(f"d{q}/dt at {name}", sympy.expand(sympy.sympify(rates[q]).subs(UNITS).subs(at)), 0)
            for q in (p, s)
        ]
    return out


def slopes(gap_sign: str) -> list[Step]:
    """Stability of p_+ with p_+ - p_- > 0 ("positive") or >= 0 ("nonnegative", the printed range)."""
    low, gap = sympy.Symbol("r", positive=True), sympy.Symbol("h", **{gap_sign: True})
    line = tian_modes.at_roots(parabola_rates(tau="constant")[p]).subs({tian_modes.low: low, tian_modes.gap: gap})
    v = tian_modes.scale
    plus = sympy.diff(line, p).subs(p, low + gap)
    minus = sympy.diff(line, p).subs(p, low)
    return [
        ScalarSign("slope at p_+ < 0", -v * (low + gap) * gap, plus, "negative"),
        ScalarSign("slope at p_- > 0", v * low * gap, minus, "positive"),
    ]


def remark(lowest: Any, decay: Any) -> list[Step]:
    """Return the sign of the certain decay rate of the no-predictor remark."""
    return [ScalarSign("the rate lambda_min(X') + eta is positive", lowest + decay, lowest + decay, "positive")]


def eq_17_iff() -> list[Step]:
    """Return the search for states that align although Eq. 17 fails."""
    return [counted("unstable whenever Eq. 17 fails for a mode", stable_although_eq_17_fails, 0.0)]


def obs_7(at_rest: bool) -> list[Step]:
    """Return Obs. #7 at a given state, or at the living fixed point."""
    steps = list(tian_observations.obs_7.steps(sign="positive" if at_rest else "negative"))
    return steps[1:2] if at_rest else steps[:1]


def obs_8_always() -> list[Step]:
    """Return the claim that tau never falls while p rises."""
    return [counted("tau never falls while p rises from tau(0) = 0", deepest_fall_of_tau, 0.0)]


def scrambling(condition: bool) -> list[Step]:
    """Return Sigma^s = Sigma^x of the paper's Gaussian model; with the condition k = 1, [P, Sigma^x] = 0 or without."""
    P, Sx, c = tian_scrambling.P, tian_scrambling.Sx, tian_scrambling.c
    one = sympy.Identity(n1)
    if not condition:
        return [list(tian_scrambling.multiplicative_scrambling.steps(claimed=Sx))[2]]
    # Sigma^x = P Sigma^x P + c u u^T with u u^T = I - P: one direction, an eigenvector of Sigma^x
    kept = sympy.MatrixSymbol("M", n1, n1)
    split = Algebra(symmetric=(P, kept), rules=((P * P, P), (Sx, P * kept * P + c * (one - P))))
    return [Identity("Sigma^s = Sigma^x", P * Sx * P + c * (one - P), Sx, split, numeric=False)]


def scrambled_rest(commuting: bool) -> list[Step]:
    """Return Sigma^d (Sigma^s)^-1 = P for the Gaussian model, with or without [P, Sigma^x] = 0."""
    steps: list[Any] = list(tian_scrambling.multiplicative_scrambling.steps())[3:5]
    if not commuting:
        return steps
    P, Sx = tian_scrambling.P, tian_scrambling.Sx
    return [replace(step, algebra=step.algebra + Algebra(rules=((Sx * P, P * Sx),))) for step in steps]


def scrambled_rest_example() -> str:
    """The same correlated inputs: P and Sigma^x do not commute."""
    Sigma, P = np.array([[1.0, 0.5], [0.5, 2.0]]), np.diag([1.0, 0.0])
    data = Moments.multiplicative_scrambling(Sigma, P)
    off = float(np.linalg.norm(data.Sigma_d @ np.linalg.inv(data.Sigma_s) - P))
    apart = np.linalg.norm(P @ Sigma - Sigma @ P)
    return (
        f"Sigma^x = [[1, 0.5], [0.5, 2]], P = diag(1, 0): |[P, Sigma^x]| = {apart:.3g}, "
        f"|Sigma^d (Sigma^s)^-1 - P| = {printed.small(off)}"
    )


def assumption_1(one_mode: bool) -> list[Step]:
    """Return the claim that the flow keeps W_a = tau W, for one mode or for several."""
    return [counted("dW/dt is a multiple of W where W_a = tau W", lambda: bend_of_growth(1 if one_mode else 3), 1e-12)]


def per_step() -> list[Step]:
    """Return etabar = alpha eta for decay per step."""
    hp = Hyperparameters.from_training(0.03, weight_decay=4e-4, decay="per_step")
    return [
        same_number("alpha eta = etabar when each step takes etabar of the weights away", 0.03 * float(hp.eta_s), 4e-4)
    ]


def sgd(decay: str) -> list[Step]:
    """The flow's eta for the paper's training numbers, against what one SGD step takes away."""
    hp = Hyperparameters.from_training(0.03, weight_decay=4e-4, decay=decay)
    text = "alpha eta is the share of W that one step of SGD (lr 0.03, weight decay 4e-4) takes away"
    return [same_number(text, 0.03 * float(hp.eta_s), share_taken_by_sgd_step(0.03, 4e-4))]


def same_number(text: str, a: float, b: float) -> Step:
    """Return the identity of two numbers."""
    return ScalarIdentity(text, sympy.nsimplify(round(a, 12)), sympy.nsimplify(round(b, 12)))


def direct_pred_released(largest: Any, power: Any = 1) -> list[Step]:
    """Hold the released code's p_j sqrt(max_j s_j) against sqrt(s_j) + epsilon (max_j s_j)^power, Eq. 18 at power 1.

    Args:
        largest: max_j s_j.
        power: of max_j s_j in the shift.

    Returns:
        The step.
    """
    eps, one = sympy.symbols("epsilon s_j", positive=True)
    released = closed_form.shifted_power(one / largest, HALF, eps) * sympy.sqrt(largest)
    return [ScalarIdentity("p_j up to scale", released, closed_form.shifted_power(one, HALF, eps * largest**power))]


def surviving_row() -> str:
    """A row of W in the kernel of X' at eta = 0 without predictor."""
    hp = Hyperparameters(1.0, 0.4, 0.0)
    data = Moments(np.eye(2), np.diag([1.0, 0.0]))
    flow = WeightFlow(hp, data, target="online", predictor="identity")
    end = simulate(flow, WeightState(np.array([[1.0, 1.0]]), np.eye(1)), t1=50.0, engine="scipy").final
    return f"X' = diag(1, 0), eta = 0, W(0) = (1, 1): W(50) = ({end.W[0, 0]:.4f}, {end.W[0, 1]:.4f})"


def bend_of_growth(n2: int, seed: int = 0) -> float:
    """Return how far dW/dt is from a multiple of W at a random state with W_a = tau W, isotropic data."""
    rng = np.random.default_rng(seed)
    W, W_p = rng.normal(size=(n2, 4)), rng.normal(size=(n2, n2))
    X, X_aug = np.eye(4), 0.25 * np.eye(4)
    rate = weights.dW(W, W_p, weights.residual_moment(W, W_p, 0.7 * W, X, X_aug), 0.05)
    along = np.sum(rate * W) / np.sum(W * W)
    return float(np.linalg.norm(rate - along * W) / np.linalg.norm(rate))


def aligns_with_negative_eigenvalue() -> str:
    """A run whose K keeps a negative eigenvalue while the commutator still shrinks."""
    hp = Hyperparameters(0.2, 0.0, 0.001)
    p, s = np.array([0.35, 1.1]), np.array([0.05, 0.05])
    turn = 1e-3
    Q = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    y0 = CorrelationState(np.diag(p), Q @ np.diag(s * [1, 2]) @ Q.T, 1.0)
    traj = simulate(
        CorrelationFlow(hp, symmetrised=True, tau="constant"), y0, ts=np.linspace(0, 0.5, 6), engine="scipy"
    )
    low = observables.lambda_min_K(traj)
    size = observables.commutator_norm(traj)
    return (
        f"lambda_min(K) = {low.min():.3f}..{low.max():.3f} all along, ||[F, W_p]|| falls by a factor "
        f"{size[-1] / size[0]:.3f} in t = 0.5"
    )


def eq_15_without_start() -> str:
    """Eq. 15 as printed on a run that starts at tau(0) = 1."""
    hp = Hyperparameters(1.0, 0.4, 0.02)
    ts = np.linspace(0, 3, 3001)
    traj = simulate(ParabolaFlow(hp), ParabolaState(p=0.5, tau=1.0), ts=ts, engine="scipy")
    p = np.asarray(traj.states.p)
    grown = p * np.exp(0.4 * ts)
    printed = 0.4 * np.exp(-0.4 * 3) / p[-1] * np.sum((grown[1:] + grown[:-1]) / 2 * np.diff(ts))
    return (
        f"tau(0) = 1, p(0) = 0.5, beta = 0.4, eta = 0.02: tau(3) = {float(traj.final.tau):.4f}, "
        f"printed form {printed:.4f}"
    )


def _mode_k(p: float, s: float, eta: float) -> float:
    return float(modes.alignment_rate(p, s, modes.drive(p, 1.0, 1.0, 0.25), 1.0, eta, eta, 1.0, 0.25))


def _tilt_decay(p: np.ndarray, s: np.ndarray, eta: float) -> float:
    """Return -(dL_12/dt)/L_12 for a small tilt of W_p at a diagonal state, from Eq. 7 itself."""
    W_p = np.diag(p) + 1e-7 * np.array([[0, 1], [1, 0]])
    F = np.diag(s)
    Y = correlation.drive(W_p, F, 1.0, 1.0, 0.25)
    dW_p, dF = correlation.dW_p(W_p, weights.symmetric_part(Y), 1.0, eta), correlation.dF(W_p, F, Y, eta)
    dL = matrices.commutator(dF, W_p) + matrices.commutator(F, dW_p)
    return float(-dL[0, 1] / matrices.commutator(F, W_p)[0, 1])


def _search() -> list[tuple[np.ndarray, np.ndarray, float, float]]:
    """Seeded draws of two modes, one against Eq. 17, whose tilt decays: (p, s, k_1, rate)."""
    rng, found = np.random.default_rng(0), []
    for _ in range(200):
        p, s = rng.uniform(0.1, 1.2, 2), rng.uniform(0.01, 0.8, 2)
        k = min(_mode_k(p[j], s[j], 0.01) for j in range(2))
        rate = _tilt_decay(p, s, 0.01)
        if k < -0.02 and rate > 0.02:
            found.append((p, s, k, rate))
    return found


def stable_although_eq_17_fails() -> float:
    """Return the largest decay rate of a tilt among states where Eq. 17 fails for a mode (0 where there is none)."""
    return max((rate for *_, rate in _search()), default=0.0)


def eq_17_example() -> str:
    """One such state in numbers."""
    p, s, k, rate = max(_search(), key=lambda item: item[3])
    return (
        f"alpha_p = 1, sigma^2 = 0.25, eta = 0.01, tau = 1, p = ({p[0]:.3f}, {p[1]:.3f}), s = "
        f"({s[0]:.3f}, {s[1]:.3f}): "
        f"Eq. 17 is missed by {-k:.3f} for one mode, yet the tilt decays at the rate {rate:.3f}"
    )


def _curriculum_run() -> tuple[np.ndarray, np.ndarray]:
    """P and tau from tau(0) = 0 while p rises: a small p waits until tau is large, then grows in a burst."""
    hp = Hyperparameters(1.0, 0.5, 0.0)
    flow, y0 = ParabolaFlow(hp, x=4.0, x_aug=0.0), ParabolaState(p=0.02, tau=0.0)
    traj = simulate(flow, y0, ts=np.linspace(0, 40, 2001), engine="scipy")
    p, tau = np.asarray(traj.states.p), np.asarray(traj.states.tau)
    first = int(np.argmin(p))
    falls = np.flatnonzero(np.diff(p[first:]) < 0)
    last = first + int(falls[0]) + 1 if len(falls) else len(p)
    return p[first:last], tau[first:last]


def deepest_fall_of_tau() -> float:
    """Return how far tau falls below an earlier value while p rises, on a run from tau(0) = 0."""
    _, tau = _curriculum_run()
    return float(np.max(np.maximum.accumulate(tau) - tau))


def tau_falls_example() -> str:
    """The same run in words."""
    p, tau = _curriculum_run()
    later = int(np.argmax(np.maximum.accumulate(tau) - tau))
    peak = int(np.argmax(tau[: later + 1]))
    return (
        f"x = 4, x' = 0, beta = 0.5, eta = 0, p(0) = 0.02, tau(0) = 0: tau rises to {tau[peak]:.3f}, "
        f"then falls to {tau[later]:.3f} while p grows {p[peak]:.3f} -> {p[later]:.3f}"
    )


def scrambling_example() -> str:
    """Two correlated inputs of which one is multiplied by a standard normal number."""
    Sigma, P = np.array([[1.0, 0.5], [0.5, 2.0]]), np.diag([1.0, 0.0])
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100_000, 2)) @ np.linalg.cholesky(Sigma).T
    view = x * np.stack([np.ones(len(x)), rng.normal(size=len(x))], axis=1)
    exact = Moments.multiplicative_scrambling(Sigma, P).Sigma_s
    return (
        f"Sigma^x = [[1, 0.5], [0.5, 2]], U = (0, 1): Sigma^s_12 = {exact[0, 1]:g} (10^5 draws: "
        f"{(view.T @ view / len(view))[0, 1]:.3f}), Sigma^x_12 = 0.5"
    )


def share_taken_by_sgd_step(learning_rate: float, weight_decay: float) -> float:
    """Return the share of w that one step w <- w - lr (gradient + weight_decay w) takes away at gradient 0."""
    W = 1.0
    rate = -weight_decay * W  # decay coupled to the gradient, as in torch.optim.SGD
    return float(W - descent.step(W, descent.velocity(0.0, rate, 0.0), learning_rate))
