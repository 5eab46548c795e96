"""The theory from what is measured of projections: the flow's own numbers, whatever the shape of W."""

import numpy as np
import pytest
import torch
from torch import nn

import lindyn as ld
from lindyn import observables
from lindyn.bridge.layers.stacks import last_layer
from lindyn.bridge.run import FlowClock, Motion, Projections, flow, rates_of
from lindyn.bridge.run.clock import clock
from lindyn.bridge.run.flow import decoupled
from lindyn.bridge.settings import Settings

HP = ld.Hyperparameters(1.7, 0.3, eta_p=0.02, eta_s=0.01)
TS = np.array([0.0, 0.7, 2.0, 5.0])


def motion(target="ema", predictor="trained", gain=1.0, ts=TS, beta=0.3):
    return Motion(HP, FlowClock(ts, np.full(len(ts) - 1, beta), np.arange(len(ts))), target, predictor, gain)


def lemma_1_of(start, motion):
    """Return s, p, tau at every reading by Lemma 1 from projections."""
    weights = start.weights(motion)
    return flow.modes_along(flow.lemma_1(weights, motion), weights.data.Sigma_s, motion.target)


def orthogonal(n, seed):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))[0]


def measured_on(W, W_p, data, tau, W_a=None):
    """Return what exact moments of the projections of a linear network would be."""
    X, X_aug = W @ data.X @ W.T, W @ data.X_aug @ W.T
    return Projections(X + X_aug, W_p, X, X_aug, W, tau, W_a)


def random_start(n2, n1, seed=0):
    rng = np.random.default_rng(seed)
    A, B = rng.normal(size=(2, n1, n1)) / np.sqrt(n1)
    data = ld.Moments(A @ A.T, 0.3 * B @ B.T)
    state = ld.WeightState.random(n2, n1, seed=seed, scale_p=0.7, target="independent")
    return data, state


def curves(states, Sigma, online=False):
    """Return s, p, tau of a weight trajectory, by the definitions."""
    rows = []
    for W, W_p, W_a in zip(states.W, states.W_p, states.W if online else states.W_a, strict=True):
        s, U = np.linalg.eigh(W @ Sigma @ W.T)
        s, U = s[::-1], U[:, ::-1]
        rows.append((s, np.diag(U.T @ W_p @ U), np.diag(U.T @ W_a @ Sigma @ W.T @ U) / s))
    return (np.array(part) for part in zip(*rows, strict=True))


@pytest.mark.parametrize(("n2", "n1"), [(4, 4), (6, 4)])
@pytest.mark.parametrize("target", ["ema", "online", "frozen"])
def test_lemma_1_from_projections_is_lemma_1_of_the_weights(n2, n1, target):
    """X of the input is found from W X W^T, so that nothing but measured matrices and W enters."""
    data, state = random_start(n2, n1)
    first = ld.WeightState(state.W, state.W_p) if target == "online" else state
    truth = ld.simulate(ld.WeightFlow(HP, data, target=target), first, ts=TS, engine="scipy")
    found = lemma_1_of(measured_on(state.W, state.W_p, data, np.ones(n2), state.W_a), motion(target))
    s, p, tau = curves(truth.states, data.X + data.X_aug, target == "online")
    np.testing.assert_allclose(found["s"], s, rtol=1e-6, atol=1e-9 * s.max())
    np.testing.assert_allclose(found["p"][:, :n1], p[:, :n1], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(found["tau"][:, :n1], tau[:, :n1], rtol=1e-5, atol=1e-7)
    assert abs(s[-1] / s[0] - 1)[:n1].max() > 0.2  # something has moved


def test_a_wide_W_is_exact_where_its_rows_hold_the_data():
    """Input directions outside the rows of W: without data in them, nothing is left out."""
    data, state = random_start(3, 3, seed=2)
    V = orthogonal(7, 1)[:, :3]
    W = state.W @ V.T
    wide = ld.Moments(V @ data.X @ V.T, V @ data.X_aug @ V.T)
    truth = ld.simulate(ld.WeightFlow(HP, wide), ld.WeightState(W, state.W_p, 0.5 * W), ts=TS, engine="scipy")
    found = lemma_1_of(measured_on(W, state.W_p, wide, np.full(3, 0.5)), motion())
    s, p, tau = curves(truth.states, wide.X + wide.X_aug)
    for name, expected in (("s", s), ("p", p), ("tau", tau)):
        np.testing.assert_allclose(found[name], expected, rtol=1e-5)


def decoupled_start(n=4):
    U, V = orthogonal(n, 3), orthogonal(n, 4)
    x, x_aug = np.array([1.5, 1.0, 0.6, 0.3]), np.array([0.2, 0.4, 0.1, 0.05])
    p, w, tau = np.array([0.8, 0.5, 0.6, 0.4]), np.array([1.0, 0.8, 1.3, 0.5]), np.array([0.9, 1.0, 0.7, 1.2])
    start = measured_on((U * w) @ V.T, (U * p) @ U.T, ld.Moments.commuting(x, x_aug, V), tau)
    order = np.argsort(-(x + x_aug) * w**2)
    return start, *(part[order] for part in (x, x_aug, p, w, tau))


def test_the_constants_of_a_mode_are_those_of_the_data():
    start, x, x_aug, p, w, _ = decoupled_start()
    start = Projections(start.F, start.W_p, start.X, start.X_aug, start.W, np.ones(4))
    found = start.modes()
    np.testing.assert_allclose(found.r, x / (x + x_aug), rtol=1e-12)
    np.testing.assert_allclose(found.k, x + x_aug, rtol=1e-12)
    np.testing.assert_allclose(found.s, (x + x_aug) * w**2, rtol=1e-12)
    np.testing.assert_allclose(found.p, p, rtol=1e-12)


@pytest.mark.parametrize("target", ["ema", "online", "frozen"])
@pytest.mark.parametrize("gain", [1.0, 0.4])
def test_modes_and_matrices_agree_where_they_must(target, gain):
    """A decoupled start: Eqs. 11-13 with the measured constants, Lemma 1, and `ModeFlow` by the true x, x_aug."""
    start, x, x_aug, p, w, tau = decoupled_start()
    tau = np.ones(4) if target == "online" else tau
    start = Projections(start.F, start.W_p, start.X, start.X_aug, start.W, tau)
    a, b = decoupled(start.modes(), motion(target, gain=gain)), lemma_1_of(start, motion(target, gain=gain))
    for name in ("s", "p", "tau"):
        np.testing.assert_allclose(a[name], b[name], rtol=1e-6)
    # the gain is that of the gradient: of the data's moments, while decay and EMA keep their rates
    flow = ld.ModeFlow(HP, gain * x, gain * x_aug, target=target)
    truth = ld.simulate(flow, ld.ModeState(p, w**2, tau), ts=TS, engine="scipy")
    s = truth.states.s * (x + x_aug)
    order = np.argsort(-s, axis=1)
    np.testing.assert_allclose(a["s"], np.take_along_axis(s, order, 1), rtol=1e-6)
    np.testing.assert_allclose(a["p"], np.take_along_axis(truth.states.p, order, 1), rtol=1e-6)


def test_the_scale_of_z_moves_s_but_k_is_not_absorbed():
    """Doubling inputs and halving W leaves z alone but makes s four times as fast: k matters, r alone does not do."""
    start, *_ = decoupled_start()
    faster = Projections(start.F, start.W_p, start.X, start.X_aug, start.W / 2, start.tau)
    a, b = (one.modes() for one in (start, faster))
    np.testing.assert_allclose(b.k, 4 * a.k)
    np.testing.assert_allclose(b.r, a.r)
    short = motion(ts=np.array([0.0, 1e-4]))
    slow, fast = (decoupled(one.modes(), short)["s"] for one in (start, faster))
    drift = HP.eta_s * 2e-4 * a.s
    np.testing.assert_allclose(fast[1] - fast[0] + drift, 4 * (slow[1] - slow[0] + drift), rtol=1e-2, atol=1e-7)


def test_modes_in_round_off_are_left_unknown():
    data, state = random_start(5, 3)
    found = measured_on(state.W, state.W_p, data, np.ones(5)).modes()
    assert np.isfinite(found.k[:3]).all()
    assert np.isnan(found.k[3:]).all()
    path = decoupled(found, motion())
    assert path["s"].shape == (4, 5)
    assert np.isnan(path["s"][:, 3:]).all()


def test_a_closed_form_predictor_follows_its_rule():
    from lindyn.predictors import Recipe

    start, *_ = decoupled_start()
    recipe = Recipe.of("direct_pred", eps=0.1)
    for path in (decoupled(start.modes(), motion(predictor=recipe)), lemma_1_of(start, motion(predictor=recipe))):
        for s, p in zip(path["s"][1:], path["p"][1:], strict=True):  # the first is measured
            np.testing.assert_allclose(p, np.diag(ld.predictors.direct_pred(np.diag(s), eps=0.1)), rtol=1e-5)


def test_a_run_that_would_take_too_long_is_refused():
    start, *_ = decoupled_start()
    with pytest.raises(ArithmeticError, match="would take too long"):
        lemma_1_of(start, motion(ts=np.array([0.0, 1e9])))


@pytest.mark.parametrize("kinds", ["linear", "bias", "norm", "plain norm"])
def test_the_last_layer_with_its_norm_folded_gives_z(kinds):
    torch.manual_seed(0)
    before = [nn.Linear(5, 7), nn.ReLU()]
    last = {
        "linear": [nn.Linear(7, 4, bias=False)],
        "bias": [nn.Linear(7, 4)],
        "norm": [nn.Linear(7, 4), nn.BatchNorm1d(4)],
        "plain norm": [nn.Linear(7, 4, bias=False), nn.BatchNorm1d(4, affine=False)],
    }[kinds]
    net = nn.Sequential(*before, *last)
    for _ in range(3):
        net(torch.randn(50, 5) + 1)
    net.eval()
    z, h = net(torch.ones(3, 5)), nn.Sequential(*before)(torch.ones(3, 5))
    found = last_layer(nn.Identity(), net)
    W, note = found.W, found.note
    h = h if W.shape[1] == 7 else torch.cat([h, torch.ones(3, 1)], dim=1)
    np.testing.assert_allclose(z.detach().numpy(), h.detach().numpy() @ W.T, rtol=1e-4, atol=1e-6)
    assert bool(note) == ("norm" in kinds)
    assert last_layer(nn.Conv2d(3, 4, 3), None).W is None
    assert last_layer(None, nn.Sequential(nn.Linear(5, 7), nn.ReLU())).W is None


FLOWING = {
    "optim.name": "sgd", "optim.lr": 0.1, "optim.momentum": 0.5, "optim.weight_decay": 0.0, "method.loss": "l2",
    "method.sides": "one-sided", "method.target": "ema", "method.ema": 0.9,
}  # fmt: skip


def timed(steps, per_epoch=None, **more):
    settings = Settings.of(FLOWING | {name.replace("__", "."): value for name, value in more.items()}, "test")
    return clock(np.array(steps), rates_of(settings), settings, per_epoch)


def test_flow_time_is_the_sum_of_learning_rates():
    even = timed([10, 20, 50], optim__schedule="constant")
    np.testing.assert_allclose(even.ts, [0, 2.0, 8.0])
    np.testing.assert_allclose(even.betas, 0.5)  # (1 - 0.9) / 0.2
    assert even.notes == ()
    falling = timed([0, 30, 60], optim__schedule="cosine", run__epochs=10)
    np.testing.assert_allclose(falling.ts[-1], 0.2 * 60 / 2, rtol=0.02)  # a cosine's mean is half its peak
    assert len(falling.ts) == 61  # every step: there are fewer than 64
    np.testing.assert_array_equal(falling.readings, [0, 30, 60])
    np.testing.assert_allclose((falling.betas * np.diff(falling.ts))[:-1], 0.1)  # EMA goes by steps
    assert falling.betas[30] > 1.9 * falling.betas[0]
    assert len(timed([0, 5000, 10_000], optim__schedule="cosine").ts) == 65


def test_a_run_that_was_stopped_keeps_its_own_schedule():
    whole = timed([0, 50, 100], 10, optim__schedule="cosine", run__epochs=10)
    stopped = timed([0, 50], 10, optim__schedule="cosine", run__epochs=10)
    np.testing.assert_allclose(stopped.ts[stopped.readings], whole.ts[whole.readings[:2]])
    assert stopped.notes == ()


def test_what_is_not_known_of_a_schedule_is_said():
    assert "taken as constant" in timed([0, 10]).notes[0]
    assert any("warm-up is left out" in note for note in timed([0, 10], optim__warmup_epochs=3.0).notes)


def test_an_ema_schedule_that_ends_at_one():
    found = timed([0, 32, 64], optim__schedule="constant", method__ema_schedule="cosine")
    np.testing.assert_allclose(found.betas.mean(), 0.25, rtol=0.02)  # 1 - gamma_a falls along a cosine
    np.testing.assert_allclose(found.betas[[0, 32]], [0.5, 0.25], rtol=0.03)


def test_stretches_of_several_rates_join():
    """One rate told in pieces is the same run; the readings at which nothing moves stay where they were."""
    start, *_ = decoupled_start()
    plain = decoupled(start.modes(), motion())
    joined = Motion(HP, FlowClock(TS, np.array([0.3, 0.3 * (1 + 1e-7), 0.3]), np.arange(4)), "ema", "trained")
    still = motion(ts=np.array([0.0, 0.7, 0.7, 5.0]))
    np.testing.assert_allclose(decoupled(start.modes(), joined)["tau"], plain["tau"], rtol=1e-6)
    path = decoupled(start.modes(), still)
    np.testing.assert_array_equal(path["s"][1], path["s"][2])
    np.testing.assert_allclose(path["s"][[0, 1, 3]], plain["s"][[0, 1, 3]], rtol=1e-6)
    assert observables.tau(ld.ModeState(1.0, 1.0, 0.5)) == 0.5
