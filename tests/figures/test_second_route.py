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


def test_who_lives_and_where_the_edge_is():
    """On the parabola with a copy, gone past p_-(eta) = p(0): eta = p0 (1 - (1 + sigma^2) p0)."""
    mode = {"p": 0.15, "s": 0.0225, "tau": 1.0, "beta": 0.4, "t1": 400.0, "step": 0.2}
    exact = 0.15 * (1 - 1.25 * 0.15)
    assert second_route.edge_of_collapse(0.0, 0.25, **mode) == pytest.approx(exact, abs=1e-3)
    assert second_route.lives(eta=[0.5 * exact, 1.5 * exact], **mode).tolist() == [True, False]
