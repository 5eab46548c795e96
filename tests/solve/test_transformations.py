"""simulate inside JAX: gradients against central differences, vmap against a loop, jit, float64 asked for clearly."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lindyn as ld
from tests.helpers import moments, relative, weights

TS = np.array([0.0, 1.0, 4.0])
RATES = np.array([1.3, 0.5, 0.07, 0.03])  # alpha_p, beta, eta_p, eta_s


@pytest.fixture
def x64():
    with jax.enable_x64(True):
        yield


def hyperparameters(rates):
    return ld.Hyperparameters(rates[0], rates[1], eta_p=rates[2], eta_s=rates[3])


def central(f, at, h=1e-5):
    """Central differences of order 4 of a scalar function, entry by entry."""
    at = np.asarray(at, dtype=float)
    out = np.zeros_like(at)
    for index in np.ndindex(at.shape):
        step = np.zeros_like(at)
        step[index] = h
        near, far = (float(f(at + k * step)) - float(f(at - k * step)) for k in (1, 2))
        out[index] = (8 * near - far) / (12 * h)
    return out


def mode_end(rates, p):
    flow = ld.ModeFlow(hyperparameters(rates), x=np.array([1.0, 0.6]), x_aug=0.3)
    return flow, ld.ModeState(p, np.array([0.2, 0.5]), 0.8)


def test_gradients_of_modes_in_rates_and_start(x64):
    def end(rates, p, engine="diffrax"):
        flow, y0 = mode_end(rates, p)
        final = ld.simulate(flow, y0, TS, rtol=1e-11, engine=engine).states
        return final.s[-1].sum() + final.tau[-1].prod() + final.p[1].sum()

    p = np.array([0.4, 0.9])
    by_rates, by_p = jax.grad(end, (0, 1))(jnp.array(RATES), jnp.array(p))
    assert relative(by_rates, central(lambda r: end(r, p, "scipy"), RATES)) < 1e-7
    assert relative(by_p, central(lambda q: end(RATES, q, "scipy"), p)) < 1e-7


def test_gradients_of_weights_in_rates_start_and_data(x64):
    data, y0 = moments(1, n1=3), weights(1, n2=2, n1=3)

    def end(rates, W, X, engine="diffrax"):
        X = (X + X.T) / 2
        flow = ld.WeightFlow(hyperparameters(rates), ld.Moments(X, data.X_aug))
        final = ld.simulate(flow, ld.WeightState(W, y0.W_p, y0.W_a), TS, rtol=1e-11, engine=engine).states
        return (final.W[-1] ** 2).sum() + (final.W_p[-1] * final.W_p[1]).sum() + final.W_a[-1, 0, 0]

    arguments = (RATES, y0.W, data.X)
    found = jax.grad(end, (0, 1, 2))(*(jnp.array(v) for v in arguments))
    for k, gradient in enumerate(found):
        moved = lambda v, k=k: end(*arguments[:k], v, *arguments[k + 1 :], "scipy")  # noqa: E731
        assert relative(gradient, central(moved, arguments[k])) < 1e-7


def test_gradient_at_a_block_of_zeros_is_finite(x64):
    """W_a(0) = 0: the error norm of that block must not put NaN into the gradient."""

    def end(W):
        flow = ld.WeightFlow(ld.Hyperparameters(), ld.Moments.isotropic(3, 0.3))
        return (ld.simulate(flow, ld.WeightState(W, W_a=jnp.zeros((2, 3))), TS).states.W[-1] ** 2).sum()

    assert np.all(np.isfinite(jax.grad(end)(jnp.array(weights(2, 2, 3).W))))


def test_vmap_over_starts_is_a_loop(x64):
    p, s = np.array([[0.2, 0.9], [0.5, 0.1], [1.5, 0.4]]), np.array([[0.3, 0.3], [1e-6, 0.9], [0.1, 0.0]])
    flow = ld.ModeFlow(ld.Hyperparameters(1.2, 0.4, 0.05), x_aug=0.3)

    def end(p, s):
        return ld.simulate(flow, ld.ModeState(p, s), TS).states

    together = jax.vmap(end)(jnp.array(p), jnp.array(s))
    for k in range(3):
        alone = ld.simulate(flow, ld.ModeState(p[k], s[k]), TS).states
        for name in ("p", "s", "tau"):
            np.testing.assert_allclose(getattr(together, name)[k], getattr(alone, name), rtol=1e-12)


def test_vmap_over_weights_states_and_rates(x64):
    data, states = moments(3, n1=3), [weights(k, 2, 3) for k in (1, 2)]
    stacked = jax.tree.map(lambda *blocks: jnp.stack(blocks), *states)

    def end(alpha_p, y0):
        return ld.simulate(ld.WeightFlow(ld.Hyperparameters(alpha_p), data), y0, TS).states

    together = jax.vmap(end)(jnp.array([0.5, 3.0]), stacked)
    for k, alpha_p in enumerate((0.5, 3.0)):
        alone = ld.simulate(ld.WeightFlow(ld.Hyperparameters(alpha_p), data), states[k], TS, engine="scipy").states
        for name in ("W", "W_p", "W_a"):
            assert relative(getattr(together, name)[k], getattr(alone, name)) < 1e-9


def test_jit_returns_a_trajectory(x64):
    flow, y0 = mode_end(RATES, np.array([0.4, 0.9]))
    run = jax.jit(lambda y: ld.simulate(flow, y, TS))(y0)
    plain = ld.simulate(flow, y0, TS)
    np.testing.assert_allclose(run.states.s, plain.states.s, rtol=1e-12)
    np.testing.assert_array_equal(run.ts, TS)
    assert run.status == plain.status == "reached the end, t = 4"


def test_a_lane_that_ends_early_repeats_its_last_state(x64):
    """Steady states under vmap: every lane has as many states as times, and its last time says when it stopped."""
    flow, ts = ld.ModeFlow(ld.Hyperparameters(1.0, 0.4, 0.05), tau="constant"), np.array([0.0, 200.0, 400.0, 1e4])
    run = jax.vmap(lambda p: ld.simulate(flow, ld.ModeState(p, p**2), ts, steady_state=True))(jnp.array([0.4, 0.9]))
    assert run.states.p.shape == run.ts.shape == (2, 4)
    assert np.all(run.ts[:, -1] < 1e4) and np.all(run.ts[:, -1] >= run.ts[:, -2])
    np.testing.assert_allclose(run.states.p[:, -1], ld.theory.fixed_points(0.05).p_plus, rtol=1e-7)


def test_status_is_not_known_inside_a_transformation(x64):
    flow = ld.ModeFlow(ld.Hyperparameters())

    def words(p):
        return ld.simulate(flow, ld.ModeState(p, 0.5), TS).status

    with pytest.raises(ValueError, match=r"not known inside jax\.jit, grad or vmap; ask for it outside"):
        jax.jit(words)(jnp.array(0.3))


def test_float32_inside_a_transformation_is_refused_clearly():
    flow = ld.ModeFlow(ld.Hyperparameters())
    with pytest.raises(ValueError, match=r"needs float64; call jax\.config\.update\('jax_enable_x64', True\)"):
        jax.grad(lambda p: ld.simulate(flow, ld.ModeState(p, 0.5), TS).states.s[-1])(0.3)


def test_plain_calls_need_no_setting_and_return_numpy():
    flow, y0 = ld.ModeFlow(ld.Hyperparameters()), ld.ModeState(0.3, 0.5)
    assert not jax.config.jax_enable_x64
    run = ld.simulate(flow, y0, TS)
    assert isinstance(run.states.p, np.ndarray) and run.states.p.dtype == np.float64
    assert not jax.config.jax_enable_x64


def test_flows_are_differentiable_themselves(x64):
    """A flow's derivative along a direction against the Jacobian it has on paper (modes: linear in x_aug)."""
    y0 = ld.ModeState(0.4, 0.5)
    rate = jax.grad(lambda x_aug: ld.ModeFlow(ld.Hyperparameters(2.0), x_aug=x_aug)(0.0, y0).p)(0.3)
    assert float(rate) == pytest.approx(-2.0 * 0.5 * 0.4)
