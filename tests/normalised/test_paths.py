"""What the normalised flows keep along whole paths: balance, norms, the clock of decay; descents of the same loss."""

import numpy as np
import pytest

import lindyn as ld
from lindyn.equations import rest
from tests.normalised.systems import HP, deep_state, modes, moments

TS = np.linspace(0.0, 8.0, 9)


def run(flow, y, ts=TS):
    return ld.simulate(flow, y, ts, rtol=1e-12, engine="scipy")


def square(M):
    return np.sum(np.asarray(M) ** 2, axis=(-2, -1))


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("eta", [0.0, 0.1])
def test_balance_and_norms_under_the_cosine_loss(depth, eta):
    hp = ld.Hyperparameters(alpha_p=1.7, beta=0.3, eta=eta)
    traj = run(ld.DeepFlow(hp, moments(), loss="cosine"), deep_state(depth=depth))
    decay = np.exp(-2 * eta * TS)
    last, W_p = traj.states.Ws[-1], traj.states.W_p
    balance = last @ np.swapaxes(last, -1, -2) - np.swapaxes(W_p, -1, -2) @ W_p / 1.7
    np.testing.assert_allclose(balance, decay[:, None, None] * balance[0], atol=1e-10)
    for W in (*traj.states.Ws, W_p):
        np.testing.assert_allclose(square(W), decay * square(W)[0], rtol=1e-10)
    for below, above in zip(traj.states.Ws, traj.states.Ws[1:], strict=False):
        between = np.swapaxes(above, -1, -2) @ above - below @ np.swapaxes(below, -1, -2)
        np.testing.assert_allclose(between, decay[:, None, None] * between[0], atol=1e-10)


@pytest.mark.parametrize("loss", ["squared", "cosine"])
def test_batchnorm_keeps_every_row_norm_and_breaks_the_balance(loss):
    hp = ld.Hyperparameters(alpha_p=1.7, beta=0.3, eta=0.05)
    data, y = moments(), ld.WeightState.random(4, 6, seed=2, target="independent")
    traj = run(ld.WeightFlow(hp, data, loss=loss, normalise="batchnorm"), y)
    rows = np.sum(traj.states.W**2, axis=-1)
    np.testing.assert_allclose(rows, np.exp(-2 * 0.05 * TS)[:, None] * rows[0], rtol=1e-10)
    balance = ld.observables.balance(traj, 1.7)
    assert np.linalg.norm(balance[-1] - np.exp(-0.1 * TS[-1]) * balance[0]) > 0.1


@pytest.mark.parametrize("flow", ["closure", "exact", "deep"])
def test_decay_is_a_change_of_clock(flow):
    """With eta: W(t) = e^(-eta t) W0(clock(t)); a target that lags: test_clocks."""
    eta = 0.07
    rates = ld.Hyperparameters(alpha_p=1.3, beta=0.0, eta=eta)
    free = ld.Hyperparameters(alpha_p=1.3, beta=0.0, eta=0.0)
    clock = rest.decay_clock(np.exp(2 * eta * TS), eta)
    if flow == "exact":
        x, x_aug, y = modes(5)
        make = lambda hp: ld.ModeWeightFlow(hp, x, x_aug, loss="cosine-exact", target="online")  # noqa: E731
        y = ld.ModeWeightState(y.p, y.w)
        names = ("p", "w")
    elif flow == "closure":
        make = lambda hp: ld.WeightFlow(hp, moments(), loss="cosine", target="online")  # noqa: E731
        y, names = ld.WeightState.random(4, 6, seed=2), ("W_p", "W")
    else:  # three layers and W_p, each scale-free: |W_1|, |W_2|, ... shrink alike
        make = lambda hp: ld.DeepFlow(hp, moments(), loss="cosine", target="online")  # noqa: E731
        y, names = deep_state(target="copy"), ()
    slow, fast = run(make(rates), y), run(make(free), y, clock)
    shrink = np.exp(-eta * TS)
    for name in names:
        one, other = getattr(slow.states, name), getattr(fast.states, name)
        np.testing.assert_allclose(one, shrink.reshape(-1, *[1] * (one.ndim - 1)) * other, rtol=1e-9, atol=1e-10)
    if not names:  # each layer's gradient is of degree -1 in that layer alone: the same clock for all
        for one, other in zip(slow.states.blocks().values(), fast.states.blocks().values(), strict=True):
            np.testing.assert_allclose(one, shrink[:, None, None] * other, rtol=1e-9, atol=1e-10)


def test_without_stop_gradient_the_norm_is_conserved():
    """Theorem 2 falls: W_a = W and both gradients, yet |W| stays; with decay it only shrinks as e^(-eta t)."""
    hp = ld.Hyperparameters(alpha_p=1.0, beta=0.0, eta=0.0)
    flow = ld.WeightFlow(hp, moments(), loss="cosine", target="online", stop_gradient=False)
    traj = run(flow, ld.WeightState.random(4, 6, seed=2), np.linspace(0, 100, 5))
    np.testing.assert_allclose(square(traj.states.W), square(traj.states.W)[0], rtol=1e-9)


def test_closure_rests_where_p_is_proportional_to_r():
    x, x_aug, y = modes(4)
    hp = ld.Hyperparameters(alpha_p=1.0, beta=0.0, eta=0.0)
    start = ld.ModeWeightState(y.p, np.abs(y.w))
    end = ld.simulate(ld.ModeWeightFlow(hp, x, x_aug, loss="cosine", target="online"), start, t1=4000.0).final
    r = x / (x + x_aug)
    np.testing.assert_allclose(end.p / end.p[0], r / r[0], rtol=1e-6)


@pytest.mark.parametrize("engine", ["scipy", "diffrax"])
@pytest.mark.parametrize("kind", ["closure", "exact", "deep"])
def test_descent_converges_to_the_flow(kind, engine):
    if kind == "exact":
        x, x_aug, y = modes(4)
        flow = ld.ModeWeightFlow(HP, x, x_aug, loss="cosine-exact")
    else:
        flow, y = ld.DeepFlow(HP, moments(), loss="cosine", normalise="batchnorm"), deep_state()
    end = ld.simulate(flow, y, t1=2.0, engine=engine, rtol=1e-10).final
    errors = []
    for steps in (100, 200):
        found = ld.descend(flow, y, learning_rate=2.0 / steps, steps=steps).final
        pairs = zip(found.blocks().values(), end.blocks().values(), strict=True)
        errors.append(max(float(np.max(np.abs(a - b))) for a, b in pairs))
    assert errors[1] == pytest.approx(errors[0] / 2, rel=0.1)


def test_schedule_and_ema_schedule():
    flow, y = ld.DeepFlow(HP, moments(), loss="cosine"), deep_state()
    rates = 0.02 * np.cos(np.linspace(0, np.pi / 2, 101))[:100]
    traj = ld.descend(
        flow, y, learning_rate=rates, steps=100, momentum=0.5, gamma_a=np.linspace(0.9, 1, 100), save_every=1
    )
    assert traj.ts[-1] == pytest.approx(2 * rates.sum())
    by_hand, v = y, None
    for k in range(3):
        rate = flow(0.0, by_hand)
        blocks, rates_k = by_hand.blocks(), rate.blocks()
        v = {n: rates_k[n] if v is None else 0.5 * v[n] + rates_k[n] for n in blocks if "_a_" not in n}
        moved = {n: blocks[n] + rates[k] * v[n] for n in v}
        gamma = np.linspace(0.9, 1, 100)[k]
        target = {n: gamma * blocks[n] + (1 - gamma) * moved[n.replace("_a", "")] for n in blocks if "_a_" in n}
        by_hand = by_hand.of_blocks(moved | target)
        for name, block in by_hand.blocks().items():
            np.testing.assert_allclose(traj[k + 1].blocks()[name], block, rtol=1e-12, atol=1e-14)


def test_minibatches_take_the_true_cosine_loss():
    """Recorded views that are the whole sample: one step is the mean over its samples, by autodiff."""
    import torch

    data, y = moments(), deep_state()
    rng = np.random.default_rng(0)
    v1, v2 = rng.normal(size=(2, 7, 6))
    views = ld.RecordedViews(v1, v2)
    flow = ld.DeepFlow(ld.Hyperparameters(1.7, 0.3, 0.0), data, loss="cosine", normalise="batchnorm")
    import jax

    with jax.enable_x64(True):
        drawn = [np.asarray(v) for v in views.draw(jax.random.fold_in(jax.random.key(4), 0), 5)]
    step = ld.descend(flow, y, learning_rate=0.1, steps=1, batch=5, samples=views, seed=4)
    Ws, W_p = [torch.tensor(W, requires_grad=True) for W in y.Ws], torch.tensor(y.W_p, requires_grad=True)
    norm = torch.nn.BatchNorm1d(4, eps=1e-15, affine=False, track_running_stats=False, dtype=torch.float64)

    def through(layers, view):
        z = torch.tensor(view.T)
        for W in layers:
            z = z @ W.T
        return norm(z)

    q = through(Ws, drawn[0]) @ W_p.T
    t = through([torch.tensor(W) for W in y.W_as], drawn[1])
    (-torch.nn.functional.cosine_similarity(q, t, eps=1e-30).mean()).backward()
    for W, moved in zip(Ws, step.final.Ws, strict=True):
        np.testing.assert_allclose(moved, W.detach().numpy() - 0.1 * W.grad.numpy(), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(step.final.W_p, y.W_p - 0.17 * W_p.grad.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", ["exact", "deep"])
def test_saved_and_read_again(tmp_path, kind):
    if kind == "exact":
        x, x_aug, y = modes(4)
        flow = ld.ModeWeightFlow(HP, x, x_aug, loss="cosine-exact", nodes=40)
    else:
        flow, y = ld.DeepFlow(HP, moments(), loss="cosine", normalise="batchnorm"), deep_state()
    traj = ld.simulate(flow, y, t1=1.0, engine="scipy")
    read = ld.load(traj.save(tmp_path / "run.nc"))
    assert read.flow.words == traj.flow.words
    for name, block in traj.states.blocks().items():
        np.testing.assert_array_equal(read.states.blocks()[name], block)
    assert type(read[3]).__name__ == type(y).__name__ and len(traj.to_dataset().data_vars) >= len(y.blocks())


def test_gradient_through_simulate():
    import jax

    x, x_aug, y = modes(3)

    def end(scale):
        flow = ld.ModeWeightFlow(HP, x, x_aug, loss="cosine")
        return ld.simulate(flow, y._replace(w=y.w * scale), t1=1.0, rtol=1e-8, engine="diffrax").states.p[-1].sum()

    with jax.enable_x64(True):
        slope = float(jax.grad(end)(1.0))
    ends = [
        float(ld.simulate(ld.ModeWeightFlow(HP, x, x_aug, loss="cosine"), ld.ModeWeightState(y.p, y.w * s, y.a),
                          t1=1.0, rtol=1e-12).states.p[-1].sum()) for s in (1 + 1e-5, 1 - 1e-5)
    ]  # fmt: skip
    assert slope == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-4)


@pytest.mark.slow
def test_many_starts_at_once():
    """jax.vmap over starts gives what each run alone gives, for every kind of normalised flow."""
    import jax

    x, x_aug, _ = modes(3)
    flows = [
        (ld.ModeWeightFlow(HP, x, x_aug, loss="cosine-exact"), [modes(3, seed)[2] for seed in range(2)]),
        (
            ld.WeightFlow(HP, moments(), loss="cosine", normalise="batchnorm"),
            [ld.WeightState.random(2, 6, seed=k) for k in range(2)],
        ),
        (ld.DeepFlow(HP, moments(), loss="cosine"), [deep_state(n2=3, seed=k) for k in range(2)]),
    ]
    for flow, starts in flows:
        many = jax.tree.map(lambda *blocks: np.stack(blocks), *starts)
        with jax.enable_x64(True):
            ends = jax.vmap(lambda y, flow=flow: ld.simulate(flow, y, t1=0.3, rtol=1e-8, engine="diffrax").final)(many)
        for k, y in enumerate(starts):
            alone = ld.simulate(flow, y, t1=0.3, rtol=1e-11, engine="scipy").final
            for name, block in alone.blocks().items():
                np.testing.assert_allclose(ends.blocks()[name][k], block, rtol=1e-6, atol=1e-7)


def drives_by_trapezoid(m, a, x, x_aug, step=0.25):
    """The drives of `cosine.mode_drives` by other means: du dv as dlog u dlog v on a lattice."""
    c = x + x_aug
    size, other = np.sqrt(np.sum(c * m * m)), np.sqrt(np.sum(c * a * a))
    lattice = np.exp(np.arange(-30, 11, step))
    U2, V2 = ((lattice / scale) ** 2 for scale in (size, other))
    online, target = 1 + 2 * c * np.outer(U2, m * m), 1 + 2 * c * np.outer(V2, a * a)  # nodes x modes
    D = online[:, None] * target[None] - 4 * x * x * np.outer(U2, m * m)[:, None] * np.outer(V2, a * a)[None]
    A = x / D
    B = (c + 2 * np.outer(V2, a * a)[None] * (c * c - x * x)) / D
    M = np.sum(m * a * A, axis=-1, keepdims=True)
    weight = 4 / np.pi * step**2 * np.sqrt(U2)[:, None] * np.sqrt(V2)[None] / np.sqrt(np.prod(D, axis=-1))
    inside = a * A - 2 * U2[:, None, None] * m * B * (M + 2 * m * a * A)
    return np.sum(weight[..., None] * inside, axis=(0, 1))


@pytest.mark.slow
def test_exact_paths_against_another_quadrature_and_solver():
    from scipy.integrate import solve_ivp

    x, x_aug, y = modes(4)
    flow = ld.ModeWeightFlow(HP, x, x_aug, loss="cosine-exact")

    def rates(t, state):
        p, w, a = state.reshape(3, -1)
        g = drives_by_trapezoid(p * w, a, x, x_aug)
        return np.concatenate([1.7 * w * g, p * g, 0.3 * (w - a)])

    start = np.concatenate([y.p, y.w, y.a])
    ours = flow(0.0, y)
    np.testing.assert_allclose(np.concatenate([ours.p, ours.w, ours.a]), rates(0.0, start), rtol=1e-11, atol=1e-12)
    other = solve_ivp(rates, (0, 2.0), start, method="DOP853", rtol=1e-11, atol=1e-13).y[:, -1]
    end = ld.simulate(flow, y, t1=2.0, rtol=1e-11, engine="scipy").final
    np.testing.assert_allclose(np.concatenate([end.p, end.w, end.a]), other, atol=1e-8)
