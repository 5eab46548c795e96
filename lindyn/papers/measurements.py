"""What the ledger measures: small seeded runs, each answered by one number that should be small."""

from collections.abc import Callable

import numpy as np

from lindyn import observables
from lindyn.flows import CorrelationFlow, ModeFlow, ModeWeightFlow, ParabolaFlow, WeightFlow
from lindyn.hyperparameters import Hyperparameters
from lindyn.moments import Moments
from lindyn.papers import second_route
from lindyn.solve.ode import simulate
from lindyn.states import CorrelationState, ModeState, ModeWeightState, ParabolaState, WeightState
from lindyn.theory import fixed_points, stationary_points, transit

__all__ = [
    "alignment_can_be_lost",
    "antisymmetric_part_vanishes",
    "basin_disagreements",
    "bottleneck_error",
    "collapse_above_critical",
    "fixed_point_rates",
    "frozen_target_keeps_alive",
    "network_as_drawn",
    "no_stop_gradient_collapse",
    "obs_10_turns_with_the_start",
    "proportionality_lost",
    "slow_copy_against_simsiam",
    "smaller_basin_with_alpha_p",
    "symmetry_left_and_found_again",
    "training_units",
    "transit_error",
]


def training_units() -> float:
    """Fig. 5's numbers: |alpha beta - (1 - 0.996)| + |alpha eta - 4e-4| at alpha = 0.01, beta = 0.4, eta = 0.04."""
    hp = Hyperparameters.from_training(0.01, gamma_a=0.996, weight_decay=4e-4)
    return abs(float(hp.beta) - 0.4) + abs(float(hp.eta) - 0.04)


def network_as_drawn() -> float:
    """Fig. 1: rates of the flow against differences of the loss of the drawn network on 200 pairs of views, relative.

    The loss is quadratic in W and in W_p, so that a difference over +-1 is its derivative; the target is held, and the
    views stand in both orders, as in the symmetrised loss.
    """
    rng, hp = np.random.default_rng(0), Hyperparameters(alpha_p=1.7, beta=0.3, eta=0.05)
    image = rng.normal(size=(200, 5)) * np.arange(1, 6)
    one, two = image + rng.normal(size=(2, 200, 5)) / 2
    W, W_p, W_a = rng.normal(size=(3, 5)), rng.normal(size=(3, 3)), rng.normal(size=(3, 5))

    def loss(W: np.ndarray, W_p: np.ndarray) -> float:
        errors = [first @ W.T @ W_p.T - second @ W_a.T for first, second in ((one, two), (two, one))]
        return float(np.mean([np.sum(error**2, axis=1) for error in errors])) / 2

    def slope(at: np.ndarray, along: Callable[[np.ndarray], float]) -> np.ndarray:
        steps = np.eye(at.size).reshape(-1, *at.shape)
        return np.array([(along(at + step) - along(at - step)) / 2 for step in steps]).reshape(at.shape)

    drawn = (
        -slope(W, lambda moved: loss(moved, W_p)) - hp.eta_s * W,
        -hp.alpha_p * slope(W_p, lambda moved: loss(W, moved)) - hp.eta_p * W_p,
        hp.beta * (W - W_a),
    )
    rate = WeightFlow(hp, Moments.from_views(one, two))(0.0, WeightState(W, W_p, W_a))
    found = (rate.W, rate.W_p, rate.W_a)
    return max(float(np.linalg.norm(a - b) / np.linalg.norm(b)) for a, b in zip(found, drawn, strict=True))


def antisymmetric_part_vanishes() -> float:
    """Fig. 8: the antisymmetric part of W_p, end over start, worst of three decays (1+2, not symmetrised)."""
    worst = 0.0
    for eta in (0.001, 0.01, 0.05):
        start = CorrelationState.random(4, seed=1, symmetric_predictor=False, tau=1.0)
        W_p = start.W_p
        flow = CorrelationFlow(Hyperparameters(1.0, 0.4, eta), sigma2=0.25, tau="constant")
        traj = simulate(flow, CorrelationState(W_p, W_p.T @ W_p, 1.0), t1=400.0, engine="scipy")
        part = [np.linalg.norm(M - M.T) for M in (traj[0].W_p, traj.final.W_p)]
        worst = max(worst, float(part[1] / part[0]))
    return worst


def alignment_can_be_lost() -> float:
    """Fig. 9: start over largest ||[F, W_p]|| in a run with small eta (below 1: the norm shoots up)."""
    flow = CorrelationFlow(Hyperparameters(1.0, 0.0, 0.001), sigma2=0.25, symmetrised=True, tau="constant")
    drawn = CorrelationState.random(4, seed=0, scale=0.1, scale_p=0.05)
    start = CorrelationState(0.4 * np.eye(4) + drawn.W_p, drawn.F, 1.0)
    size = observables.commutator_norm(simulate(flow, start, t1=200.0, engine="scipy"))
    return float(size[0] / size.max())


def no_stop_gradient_collapse() -> float:
    """Theorem 2: ||W|| at the end over its start, W_a = W, gradient through both branches, eta = 0, sigma^2 = 0.25."""
    flow = WeightFlow(Hyperparameters(1.0, 0.4, 0.0), Moments.isotropic(6, 0.25), target="online", stop_gradient=False)
    end = simulate(flow, WeightState.random(4, 6, seed=0), t1=60.0, engine="scipy").final
    return float(np.linalg.norm(end.W) / np.linalg.norm(WeightState.random(4, 6, seed=0).W))


def proportionality_lost() -> float:
    """Assumption 1 in the full flow from a copy: 1 - the lowest correlation of W_a and W (Fig. 7)."""
    flow = WeightFlow(Hyperparameters(1.0, 0.4, 0.01), Moments.isotropic(8, 0.03**2))
    traj = simulate(flow, WeightState.random(4, 8, seed=0), t1=60.0, engine="scipy")
    return float(1 - np.min(observables.target_correlation(traj)))


def collapse_above_critical() -> float:
    """S at the end over its start for 20 random modes at twice the critical decay, EMA target."""
    rng = np.random.default_rng(0)
    flow = ModeWeightFlow(
        Hyperparameters(1.3, 0.8, 2 * 0.2), x_aug=0.25
    )  # in (p, s, tau) tau is infinite where w changes sign
    start = ModeWeightState(p=rng.uniform(-2, 2, 20), w=rng.uniform(0.1, 2, 20), a=rng.uniform(0, 3, 20))
    end = simulate(flow, start, t1=150.0, engine="scipy").final
    return float(np.max((end.w / start.w) ** 2))


def frozen_target_keeps_alive() -> float:
    """The same decay with a frozen target: start over end of s for a mode that lives (bounded: it stayed)."""
    flow = ModeFlow(Hyperparameters(1.0, 0.0, 0.4), x_aug=0.25, target="frozen")
    start = ModeState(p=1.0, s=1.0, tau=2.0)
    return float(start.s / simulate(flow, start, t1=200.0, engine="scipy").final.s)


def fixed_point_rates() -> float:
    """Largest rate of the mode flow at the closed-form fixed points, 200 random settings with eta_p != eta_s."""
    rng, worst = np.random.default_rng(0), 0.0
    for _ in range(200):
        x, x_aug, tau = rng.uniform(0.3, 2), rng.uniform(0, 1), rng.uniform(0.3, 1.2)
        critical = (x * tau) ** 2 / (4 * (x + x_aug))
        eta_s, eta_p, alpha_p = rng.uniform(0.01, 0.99) * critical, rng.uniform(0.01, 0.5), rng.uniform(0.2, 5)
        found = fixed_points(eta_p=eta_p, eta_s=eta_s, tau=tau, x=x, x_aug=x_aug, alpha_p=alpha_p)
        flow = ModeFlow(Hyperparameters(alpha_p, 0.4, eta_p=eta_p, eta_s=eta_s), x=x, x_aug=x_aug, tau="constant")
        for p, s in ((found.p_plus, found.s_plus), (found.p_minus, found.s_minus)):
            rate = flow(0.0, ModeState(p, s, tau))
            worst = max(worst, abs(float(rate.p)), abs(float(rate.s)))
    return worst


def basin_disagreements() -> float:
    """How many of 300 random modes at eta = 0 end otherwise than the exact basin says."""
    rng = np.random.default_rng(0)
    p, s = rng.uniform(-1.5, 2.5, 300), rng.uniform(0.01, 2.0, 300)
    says = stationary_points.collapses_without_decay(p, s, alpha_p=1.7, tau=0.9)
    flow = ModeFlow(Hyperparameters(1.7, 0.4, 0.0), tau="constant")
    end = simulate(flow, ModeState(p, s, 0.9), t1=2000.0, engine="scipy", max_steps=1_000_000).final
    q2 = p**2 - 1.7 * s
    edge = np.abs(q2) < 0.05  # near the edge of the basin the end is approached too slowly to be told
    alive = np.asarray(end.s) > 1e-3 * s
    return float(np.sum((alive == says) & ~edge & (np.abs(q2 - (0.9 / 1.25) ** 2) > 0.05)))


def smaller_basin_with_alpha_p() -> float:
    """Obs. #1 at eta = 0: share of random (p, s) that collapse at alpha_p = 4 over the share at alpha_p = 1."""
    rng = np.random.default_rng(0)
    p, s = rng.uniform(-1.5, 1.5, 4000), rng.uniform(0.01, 1.0, 4000)
    shares = [np.mean(stationary_points.collapses_without_decay(p, s, alpha_p=alpha_p)) for alpha_p in (1.0, 4.0)]
    return float(shares[1] / shares[0])


def transit_error() -> float:
    """Relative error of the exact time t(p) against integration, in every regime of the decay."""
    worst = 0.0
    for eta, p0 in ((0.0, 0.2), (0.1, 0.4), (0.2, 1.2), (0.35, 1.0)):
        flow = ParabolaFlow(Hyperparameters(1.0, 0.4, eta), tau="constant")
        end = simulate(flow, ParabolaState(p0, 1.0), t1=6.0, engine="scipy", rtol=1e-13).final
        worst = max(worst, abs(transit.transit_time(p0, float(end.p), eta) - 6.0) / 6.0)
    return worst


def bottleneck_error() -> float:
    """Relative error of the bottleneck's time against the exact passage, 1e-6 above the critical decay."""
    eta = 0.2 * (1 + 1e-6)
    return abs(float(transit.bottleneck_time(eta)) / transit.transit_time(0.8, 0.05, eta) - 1)


def obs_10_turns_with_the_start() -> float:
    """Obs. #10: share of 400 modes that collapse beside a slow target that is a copy, less that at a start at zero."""
    middle = (np.arange(20) + 0.5) / 20
    p, s = np.meshgrid(0.8 * middle, 10.0 ** (-3 * (1 - middle)), indexing="ij")
    copy, zero = (second_route.lives(p, s, tau, beta=0.05, eta=0.05, t1=400.0, step=0.2).mean() for tau in (1.0, 0.0))
    return float(zero - copy)


def slow_copy_against_simsiam() -> float:
    """Obs. #10 from misaligned starts: of 160 modes SimSiam's share alive, less that beside a slow copy."""
    drawn = [WeightState.random(4, 6, seed) for seed in range(40)]
    W, W_p = 0.5 * np.stack([y.W for y in drawn]), 0.5 * np.stack([y.W_p for y in drawn])
    ends = [second_route.matrix_ends(W, W_p, W, beta, 0.05, t1=200.0, step=0.2)[0] for beta in (None, 0.1)]
    simsiam, copy = (float(np.mean(np.linalg.eigvalsh(F) > 1e-3)) for F in ends)
    return simsiam - copy


def symmetry_left_and_found_again() -> float:
    """Assumption 3: asymmetry at the end from a symmetric W_p that F does not commute with; inf if it never left."""
    start = CorrelationState.random(4, seed=3, scale=0.7, scale_p=0.8, symmetric_predictor=True, tau=1.0)
    flow = CorrelationFlow(Hyperparameters(1.0, 0.4, 0.02), sigma2=0.25, tau="constant")
    share = observables.asymmetry(simulate(flow, start, t1=600.0, engine="scipy"))
    return float(share[-1]) if share[0] < 1e-12 and share.max() > 0.01 else float("inf")
