"""The printed equations typed anew agree with the library's, and with closed forms."""

import numpy as np
import pytest

import lindyn as ld
from lindyn import observables
from lindyn.papers import second_route


@pytest.mark.parametrize("beta", [0.4, None])
def test_one_run(beta):
    ts, tau = np.linspace(0.0, 20.0, 41), 0.3 if beta else 1.0
    p, s, ratio, k = second_route.mode_run(ts, 0.3, 0.2, tau, alpha_p=1.7, beta=beta, eta=0.03, sigma2=0.2)
    flow = ld.ModeFlow(ld.Hyperparameters(1.7, beta or 0.4, 0.03), x_aug=0.2, target="ema" if beta else "online")
    run = ld.simulate(flow, ld.ModeState(p=[0.3], s=[0.2], tau=tau), ts, rtol=1e-11, engine="scipy")
    for own, name in ((p, "p"), (s, "s"), (ratio, "tau")):
        np.testing.assert_allclose(getattr(run.states, name)[:, 0], own, rtol=1e-7)
    np.testing.assert_allclose(observables.lambda_min_K(run)[:, 0], k, atol=1e-8)


@pytest.mark.parametrize("sigma2", [0.25, 0.6])
def test_who_lives_and_where_the_edge_is(sigma2):
    """On the parabola with a copy, gone past p_-(eta) = p(0): eta = p0 (1 - (1 + sigma^2) p0)."""
    mode = {"p": 0.15, "s": 0.0225, "tau": 1.0, "beta": 0.4, "sigma2": sigma2, "t1": 400.0, "step": 0.2}
    exact = 0.15 * (1 - (1 + sigma2) * 0.15)
    assert second_route.edge_of_collapse(0.0, 0.25, **mode) == pytest.approx(exact, abs=1e-3)
    assert second_route.lives(eta=[0.5 * exact, 1.5 * exact], **mode).tolist() == [True, False]


def test_many_edges_at_once_are_those_found_one_by_one():
    """Over a table of modes, sigma2, t1 and step shared, and with the online network as target."""
    how = {"sigma2": 0.4, "t1": 40.0, "step": 0.2, "count": 7}
    p, beta, tau = np.array([[0.15], [0.3]]), np.array([0.2, 0.8, 2.0]), np.array([0.0, 0.6, 1.0])
    many = second_route.edge_of_collapse(0.0, 0.25, p=p, s=p**2, beta=beta, tau=tau, alpha_p=1.5, **how)
    alone = [
        [
            second_route.edge_of_collapse(0.0, 0.25, p=a, s=a**2, beta=b, tau=c, alpha_p=1.5, **how)
            for b, c in zip(beta, tau, strict=True)
        ]
        for a in p[:, 0]
    ]
    assert many.shape == (2, 3) and len(np.unique(many)) > 3
    np.testing.assert_array_equal(many, alone)
    online = {"beta": None, "tau": 1.0, "p": p[:, 0], "s": 0.04}
    many = second_route.edge_of_collapse(0.0, 0.25, **online, **how)
    alone = [second_route.edge_of_collapse(0.0, 0.25, **online | {"p": a}, **how) for a in p[:, 0]]
    np.testing.assert_array_equal(many, alone)
