"""simulate inside JAX: gradients against central differences, vmap against a loop, jit, float64 asked for clearly."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lindyn as ld
from tests.helpers import moments, relative, weights

TS = np.array([0.0, 1.0, 4.0])
RATES = np.array([1.3, 0.5, 0.07, 0.03])  # alpha_p, beta, eta_p, eta_s
HOW = {"rtol": 1e-9, "solver": "tsit5"}  # the solver that compiles fastest


@pytest.fixture
def x64():
    with jax.enable_x64(True):
        yield


def hyperparameters(rates):
    return ld.Hyperparameters(rates[0], rates[1], eta_p=rates[2], eta_s=rates[3])


def central(f, at, h=1e-3):
    """Central differences of order 4 of a scalar function, entry by entry."""
    at = np.asarray(at, dtype=float)
    out = np.zeros_like(at)
    for index in np.ndindex(at.shape):
        step = np.zeros_like(at)
        step[index] = h
        near, far = (float(f(at + k * step)) - float(f(at - k * step)) for k in (1, 2))
        out[index] = (8 * near - far) / (12 * h)
    return out


def test_gradients_of_modes_in_rates_and_start(x64):
    def end(rates, p, **how):
        flow = ld.ModeFlow(hyperparameters(rates), x=np.array([1.0, 0.6]), x_aug=0.3)
        final = ld.simulate(flow, ld.ModeState(p, np.array([0.2, 0.5]), 0.8), TS, **how).states
        return final.s[-1].sum() + final.tau[-1].prod() + final.p[1].sum()

    p = np.array([0.4, 0.9])
    by_rates, by_p = jax.grad(lambda r, q: end(r, q, **HOW), (0, 1))(jnp.array(RATES), jnp.array(p))
    assert relative(by_rates, central(lambda r: end(r, p, engine="scipy"), RATES)) < 1e-6
    assert relative(by_p, central(lambda q: end(RATES, q, engine="scipy"), p)) < 1e-6


@pytest.mark.slow
def test_gradients_of_weights_in_rates_start_and_data(x64):
    """From W_a = 0 too: the error norm of a block of zeros must not put NaN into the gradient."""
    data, y0 = moments(1, n1=3), weights(1, n2=2, n1=3)

    def end(rates, W, X, **how):
        flow = ld.WeightFlow(hyperparameters(rates), ld.Moments((X + X.T) / 2, data.X_aug))
        final = ld.simulate(flow, ld.WeightState(W, y0.W_p, np.zeros((2, 3))), TS, **how).states
        return (final.W[-1] ** 2).sum() + (final.W_p[-1] * final.W_p[1]).sum() + final.W_a[-1, 0, 0]

    arguments = (RATES, y0.W, data.X)
    found = jax.grad(lambda *given: end(*given, **HOW), (0, 1, 2))(*(jnp.array(v) for v in arguments))
    for k, gradient in enumerate(found):
        moved = lambda v, k=k: end(*arguments[:k], v, *arguments[k + 1 :], engine="scipy")  # noqa: E731
        assert np.all(np.isfinite(gradient))
        assert relative(gradient, central(moved, arguments[k])) < 1e-6


def test_vmap_over_starts_is_a_loop(x64):
    p, s = np.array([[0.2, 0.9], [0.5, 0.1], [1.5, 0.4]]), np.array([[0.3, 0.3], [1e-6, 0.9], [0.1, 0.0]])
    flow = ld.ModeFlow(ld.Hyperparameters(1.2, 0.4, 0.05), x_aug=0.3)

    def end(p, s):
        return ld.simulate(flow, ld.ModeState(p, s), TS, **HOW).states

    together = jax.vmap(end)(jnp.array(p), jnp.array(s))
    for k in range(3):
        alone = ld.simulate(flow, ld.ModeState(p[k], s[k]), TS, engine="diffrax", **HOW).states
        for name in ("p", "s", "tau"):
            np.testing.assert_allclose(getattr(together, name)[k], getattr(alone, name), rtol=1e-12)


def test_vmap_over_weights_and_rates(x64):
    data, states = moments(3, n1=3), [weights(k, 2, 3) for k in (1, 2)]
    stacked = jax.tree.map(lambda *blocks: jnp.stack(blocks), *states)

    def end(alpha_p, y0, **how):
        return ld.simulate(ld.WeightFlow(ld.Hyperparameters(alpha_p), data), y0, TS, **how).states

    together = jax.vmap(lambda alpha_p, y0: end(alpha_p, y0, **HOW))(jnp.array([0.5, 3.0]), stacked)
    for k, alpha_p in enumerate((0.5, 3.0)):
        alone = end(alpha_p, states[k], engine="scipy")
        for name in ("W", "W_p", "W_a"):
            assert relative(getattr(together, name)[k], getattr(alone, name)) < 1e-8


def test_jit_returns_a_trajectory(x64):
    flow, y0 = ld.ModeFlow(ld.Hyperparameters(1.2, 0.4, 0.05), x_aug=0.3), ld.ModeState([0.4, 0.9], 0.5)
    run = jax.jit(lambda y: ld.simulate(flow, y, TS, **HOW))(y0)
    plain = ld.simulate(flow, y0, TS, engine="diffrax", **HOW)
    np.testing.assert_allclose(run.states.s, plain.states.s, rtol=1e-12)
    np.testing.assert_array_equal(run.ts, TS)
    assert run.status == plain.status == "reached the end, t = 4"


def test_a_lane_that_ends_early_repeats_its_last_state(x64):
    """Steady states under vmap: every lane has as many states as times, and its last time says when it stopped."""
    flow, ts = ld.ModeFlow(ld.Hyperparameters(1.0, 0.4, 0.05), tau="constant"), np.array([0.0, 200.0, 400.0, 1e4])
    end = lambda p: ld.simulate(flow, ld.ModeState(p, p**2), ts, steady_state=1e-8, **HOW)  # noqa: E731
    run = jax.vmap(end)(jnp.array([0.4, 0.9]))
    assert run.states.p.shape == run.ts.shape == (2, 4)
    assert np.all(run.ts[:, -1] < 1e4) and np.all(run.ts[:, -1] >= run.ts[:, -2])
    np.testing.assert_allclose(run.states.p[:, -1], ld.theory.fixed_points(0.05).p_plus, rtol=1e-6)


def test_status_is_not_known_inside_a_transformation(x64):
    flow = ld.ModeFlow(ld.Hyperparameters())

    def words(p):
        return ld.simulate(flow, ld.ModeState(p, 0.5), TS, **HOW).status

    with pytest.raises(ValueError, match=r"not known inside jax\.jit, grad or vmap; ask for it outside"):
        jax.jit(words)(jnp.array(0.3))


def test_float32_inside_a_transformation_is_refused_clearly():
    flow = ld.ModeFlow(ld.Hyperparameters())
    with pytest.raises(ValueError, match=r"needs float64; call jax\.config\.update\('jax_enable_x64', True\)"):
        jax.grad(lambda p: ld.simulate(flow, ld.ModeState(p, 0.5), TS).states.s[-1])(0.3)


def test_plain_calls_need_no_setting_and_return_numpy():
    flow, y0 = ld.ModeFlow(ld.Hyperparameters(1.2, 0.4, 0.05), x_aug=0.3), ld.ModeState([0.4, 0.9], 0.5)
    assert not jax.config.jax_enable_x64
    run = ld.simulate(flow, y0, TS, **HOW)
    assert isinstance(run.states.p, np.ndarray) and run.states.p.dtype == np.float64
    assert not jax.config.jax_enable_x64


def test_flows_are_differentiable_themselves(x64):
    """A flow's derivative along a parameter against the one it has on paper (modes: linear in x_aug)."""
    y0 = ld.ModeState(0.4, 0.5)
    rate = jax.grad(lambda x_aug: ld.ModeFlow(ld.Hyperparameters(2.0), x_aug=x_aug)(0.0, y0).p)(0.3)
    assert float(rate) == pytest.approx(-2.0 * 0.5 * 0.4)
