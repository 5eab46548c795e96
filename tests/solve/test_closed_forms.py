"""Three routes, one answer, on one grid: closed form, ODE, finite-step descent; t = 0, t -> infinity, composition."""

import mpmath
import numpy as np
import pytest
from scipy.linalg import expm

import lindyn as ld
from tests.helpers import ENGINES, block_difference, moments, psd, relative, weights

TS = np.array([0.0, 0.5, 1.0, 2.0, 4.0])


def frozen_no_predictor(t):
    """W_p = I, W_a fixed: dW/dt = W_a X - W (X + X' + eta I), linear; W -> W_a X (X + X' + eta I)^-1."""
    data, y, eta = moments(1), weights(1), 0.1
    S = data.Sigma_s + eta * np.eye(4)
    limit = y.W_a @ data.X @ np.linalg.inv(S)
    flow = ld.WeightFlow(ld.Hyperparameters(1.0, 0.4, eta), data, target="frozen", predictor="identity")
    return flow, ld.WeightState(y.W, None, y.W_a), limit + (y.W - limit) @ expm(-S * t), "W"


def simsiam_no_predictor(t):
    """W_p = I, W_a = W, gradient stopped: dW/dt = -W (X' + eta I): collapse without predictor."""
    data, y, eta = moments(2), weights(2), 0.1
    flow = ld.WeightFlow(ld.Hyperparameters(1.0, 0.4, eta), data, target="online", predictor="identity")
    return flow, ld.WeightState(y.W), y.W @ expm(-(data.X_aug + eta * np.eye(4)) * t), "W"


def no_stop_gradient_no_predictor(t):
    """The same with the gradient through both branches: H = 2 X' (x) I + eta I, twice as fast."""
    data, y, eta = moments(3), weights(3), 0.1
    choices = {"target": "online", "predictor": "identity", "stop_gradient": False}
    flow = ld.WeightFlow(ld.Hyperparameters(1.0, 0.4, eta), data, **choices)
    return flow, ld.WeightState(y.W), y.W @ expm(-(2 * data.X_aug + eta * np.eye(4)) * t), "W"


def ema_no_predictor(t):
    """W_p = I, W_a follows: [W, W_a] obeys one linear system."""
    data, y, eta, beta = moments(4), weights(4), 0.1, 0.7
    I = np.eye(4)
    system = np.block([[-(data.Sigma_s + eta * I), beta * I], [data.X, -beta * I]])
    flow = ld.WeightFlow(ld.Hyperparameters(1.0, beta, eta), data, predictor="identity")
    path = np.concatenate([y.W, y.W_a], axis=1) @ expm(system * t)
    return flow, ld.WeightState(y.W, None, y.W_a), path[:, :4], "W"


def pure_decay(t):
    """No data at all: W and W_p decay at their own rates, W_a follows W."""
    y, eta_p, eta_s, beta = weights(5), 0.3, 0.1, 0.7
    flow = ld.WeightFlow(ld.Hyperparameters(2.0, beta, eta_p=eta_p, eta_s=eta_s), ld.Moments.isotropic(4, 0.0, 0.0))
    lag = beta / (beta - eta_s) * (np.exp(-eta_s * t) - np.exp(-beta * t))
    return flow, y, np.exp(-beta * t) * y.W_a + lag * y.W, "W_a"


def fixed_predictor_frozen_target(t):
    """alpha_p = 0, eta_p = 0: p and a stay, dw/dt = p x a - ((x + x') p^2 + eta) w."""
    p, w, a, x, x_aug, eta = 0.7, 0.2, 0.9, 1.1, 0.3, 0.05
    rate = (x + x_aug) * p * p + eta
    flow = ld.ModeWeightFlow(ld.Hyperparameters(0.0, 0.4, eta_p=0.0, eta_s=eta), x=x, x_aug=x_aug, target="frozen")
    limit = p * x * a / rate
    return flow, ld.ModeWeightState(p, w, a), limit + (w - limit) * np.exp(-rate * t), "w"


SYSTEMS = [
    frozen_no_predictor,
    simsiam_no_predictor,
    no_stop_gradient_no_predictor,
    ema_no_predictor,
    pure_decay,
    fixed_predictor_frozen_target,
]


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda s: s.__name__)
def test_three_routes(system):
    flow, y0, _, block = system(0.0)
    exact = np.array([system(t)[2] for t in TS])
    by_scipy = ld.simulate(flow, y0, TS, engine="scipy")
    assert relative(getattr(by_scipy.states, block), exact) < 1e-9
    coarse, fine = (
        getattr(ld.descend(flow, y0, learning_rate=lr, steps=round(4 / lr), save_every=round(0.5 / lr)).states, block)
        for lr in (2e-3, 1e-3)
    )
    on_grid = [0, 1, 2, 4, 8]
    assert relative(fine[on_grid], exact) < 2e-3
    extrapolated = 2 * fine - coarse  # the first-order error removed
    assert relative(extrapolated[on_grid], exact) < 1e-6


def test_closed_form_by_diffrax():
    flow, y0, _, block = frozen_no_predictor(0.0)
    exact = np.array([frozen_no_predictor(t)[2] for t in TS])
    assert relative(getattr(ld.simulate(flow, y0, TS).states, block), exact) < 1e-10


def exact_time(p, p_0, tau, x, v, eta):
    """Return t(p) on the parabola at constant tau, by partial fractions of 1 / (-v p (p - p_-)(p - p_+))."""
    root = mpmath.sqrt((x * tau) ** 2 - 4 * eta * v)
    minus, plus = (x * tau - root) / (2 * v), (x * tau + root) / (2 * v)
    poles = ((0, minus * plus), (minus, minus * (minus - plus)), (plus, plus * (plus - minus)))
    return -sum(mpmath.log((p - a) / (p_0 - a)) / weight for a, weight in poles) / v


@pytest.mark.parametrize("p_0", [0.05, 0.3, 0.55, 1.5])
def test_exact_time_on_the_parabola(p_0):
    """Both basins, both sides of p_+: the time that Eq. 16 takes to the state simulate gives is the time asked for."""
    tau, x, x_aug, eta = 0.9, 1.1, 0.3, 0.08
    flow = ld.ParabolaFlow(ld.Hyperparameters(1.7, 0.4, eta), x=x, x_aug=x_aug, tau="constant")
    run = ld.simulate(flow, ld.ParabolaState(p_0, tau), np.array([0.0, 1.0, 5.0, 20.0]), engine="scipy")
    with mpmath.workdps(30):
        arguments = [mpmath.mpf(v) for v in (p_0, tau, x, x + x_aug, eta)]
        for t, p in zip(run.ts[1:], run.states.p[1:], strict=True):
            speed = abs(p * p * (x * tau - (x + x_aug) * p) - eta * p)
            off = abs(float(exact_time(mpmath.mpf(p), *arguments) - t))
            assert off * speed / p < 1e-9  # the relative error of p that this error of t stands for


def test_no_decay_on_the_parabola():
    """eta = 0: t(p) = [1/p_0 - 1/p + ln((p/p_0)(p_+ - p_0)/(p_+ - p))/p_+] / (x tau) with p_+ = x tau/v."""
    tau, v, p_0 = 0.8, 1.25, 0.1
    flow = ld.ParabolaFlow(ld.Hyperparameters(1.0, 0.4, 0.0), x_aug=0.25, tau="constant")
    run = ld.simulate(flow, ld.ParabolaState(p_0, tau), np.array([0.0, 2.0, 10.0, 20.0]), engine="scipy")
    p, plus = run.states.p, tau / v
    t = (1 / p_0 - 1 / p + np.log(p / p_0 * (plus - p_0) / (plus - p)) / plus) / tau
    np.testing.assert_allclose(t, run.ts, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
def test_start_and_composition(engine):
    """The first state is the one given, and 0 -> t1 -> t2 is 0 -> t2."""
    flow, y0 = ld.WeightFlow(ld.Hyperparameters(1.7, 0.3, 0.01), moments(6, n1=3)), weights(6, n2=2, n1=3)
    ts = np.linspace(0.0, 10.0, 9)
    whole = ld.simulate(flow, y0, ts, engine=engine)
    assert block_difference(whole[0], y0) < 1e-14
    half = ld.simulate(flow, y0, np.linspace(0.0, 3.0, 9), engine=engine).final
    rest = ld.simulate(flow, half, np.linspace(3.0, 10.0, 9), engine=engine).final
    assert block_difference(rest, whole.final) < 1e-9
    printed = ld.simulate(flow, y0, ts, engine="scipy", reduction="printed")
    assert block_difference(printed[0], y0) == 0.0


@pytest.mark.parametrize("engine", ENGINES)
def test_long_times_reach_the_fixed_point(engine):
    """Three modes above p_- go to p_+ with tau = 1 and s = p^2 / alpha_p; one below goes to 0."""
    alpha_p, eta, x, x_aug = 1.5, 0.05, np.array([1.0, 1.4, 0.8, 1.0]), np.array([0.25, 0.1, 0.4, 0.25])
    flow = ld.ModeFlow(ld.Hyperparameters(alpha_p, 0.4, eta), x=x, x_aug=x_aug)
    p = np.array([0.4, 0.5, 0.6, 0.02])
    final = ld.simulate(flow, ld.ModeState(p, p**2 / alpha_p, 0.9), np.array([0.0, 100.0, 400.0]), engine=engine).final
    fixed = ld.theory.fixed_points(eta, 1.0, x, x_aug, alpha_p)
    np.testing.assert_allclose(final.p[:3], fixed.p_plus[:3], rtol=1e-9)
    np.testing.assert_allclose(final.s[:3], fixed.s_plus[:3], rtol=1e-9)
    np.testing.assert_allclose(final.tau[:3], 1.0, rtol=1e-9)
    assert final.p[3] < 1e-7 and final.s[3] < 1e-12


def test_full_flow_reaches_its_fixed_point():
    """Appendix D at eta = 0: W_a = W and W_p W = W Sigma^d (Sigma^s)^-1, so W_p has eigenvalues of the latter."""
    data = ld.Moments(psd(7, 3) + np.eye(3), psd(8, 3, 0.2))
    y0 = ld.WeightState.random(2, 3, 2)
    flow = ld.WeightFlow(ld.Hyperparameters(1.0, 1.0, 0.0), data)
    final = ld.simulate(flow, y0, t1=400.0, engine="scipy").final
    kept = data.Sigma_d @ np.linalg.inv(data.Sigma_s)
    assert np.linalg.norm(final.W) > 1.0
    assert relative(final.W_a, final.W) < 1e-9
    assert relative(final.W_p @ final.W, final.W @ kept) < 1e-9
    for value in np.linalg.eigvals(final.W_p):
        assert np.min(np.abs(np.linalg.eigvals(kept) - value)) < 1e-7
