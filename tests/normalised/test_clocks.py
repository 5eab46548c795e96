"""Decay as a clock, with a target that lags and with decays that differ: to 1e-10 along whole paths.

With W = e^(-eta_s t) W0 and W_p = e^(-eta_p t) P0, in the clock of eta_s, the flow has no decay; its predictor moves at
alpha_p e^(2 (eta_p - eta_s) t). The target does not decay: a layer is e^(-eta_s t) beta/(beta - eta_s) times one that
follows at `rest.rate_after_decay`; growth = e^(2 eta_s t) = 1 + 2 eta_s clock.
"""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import lindyn as ld
from lindyn.equations import rest
from tests.normalised.systems import deep_state, modes, moments
from tests.normalised.test_paths import TS, run, square

BETA, ALPHA_P = 0.3, 1.7


def free_path(y, eta_p, eta_s, normalise):
    """The flow without decay at the clock of every time, its rates turned as the clock law says."""
    free = ld.DeepFlow(ld.Hyperparameters(ALPHA_P, 1.0, 0.0), moments(), loss="cosine", normalise=normalise)
    names, blocks = list(y.blocks()), list(y.blocks().values())
    ends = np.cumsum([block.size for block in blocks])[:-1]

    def state(vector):
        parts = np.split(vector, ends)
        return y.of_blocks({n: part.reshape(b.shape) for n, part, b in zip(names, parts, blocks, strict=True)})

    def rates(clock, vector):
        growth = 1 + 2 * eta_s * clock
        rate = free(0.0, state(vector)).blocks()
        of_p = growth ** ((eta_p - eta_s) / eta_s)
        share = {
            n: rest.rate_after_decay(BETA, growth, eta_s) if "_a_" in n else of_p if n == "W_p" else 1.0 for n in rate
        }
        return np.concatenate([np.ravel(share[n] * rate[n]) for n in names])

    clocks = rest.decay_clock(np.exp(2 * eta_s * TS), eta_s)
    start = np.concatenate([block.ravel() / _larger(name, eta_s) for name, block in zip(names, blocks, strict=True)])
    path = solve_ivp(rates, (0.0, clocks[-1]), start, "DOP853", clocks, rtol=1e-13, atol=1e-13).y.T
    return [state(vector).blocks() for vector in path]


def _larger(name, eta_s):
    return BETA / (BETA - eta_s) if "_a_" in name else 1.0


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize(
    ("eta_p", "eta_s", "normalise"), [(0.07, 0.07, "none"), (0.12, 0.05, "none"), (0.07, 0.07, "batchnorm")]
)
def test_a_decay_is_the_free_flow_at_its_clock(depth, eta_p, eta_s, normalise):
    y = deep_state(depth=depth)
    hp = ld.Hyperparameters(ALPHA_P, BETA, eta_p=eta_p, eta_s=eta_s)
    slow = run(ld.DeepFlow(hp, moments(), loss="cosine", normalise=normalise), y)
    free = free_path(y, eta_p, eta_s, normalise)
    for t, now, then in zip(TS, range(len(TS)), free, strict=True):
        for name, block in slow[now].blocks().items():
            shrunk = _larger(name, eta_s) * np.exp(-(eta_p if name == "W_p" else eta_s) * t) * then[name]
            np.testing.assert_allclose(block, shrunk, rtol=0, atol=1e-10 * np.abs(then[name]).max())


@pytest.mark.parametrize("depth", [1, 3])
def test_norms_move_by_their_own_decay(depth):
    hp = ld.Hyperparameters(ALPHA_P, BETA, eta_p=0.12, eta_s=0.05)
    states = run(ld.DeepFlow(hp, moments(), loss="cosine"), deep_state(depth=depth)).states
    for blocks, eta in ((states.Ws, 0.05), ((states.W_p,), 0.12)):
        for W in blocks:
            np.testing.assert_allclose(square(W), np.exp(-2 * eta * TS) * square(W)[0], rtol=1e-10)


@pytest.mark.parametrize("eta", [0.0, 0.1])
def test_modes_of_the_exact_flow_keep_balance_and_norms(eta):
    """The same for the exact drive, whose quadrature need not keep a sum at 0."""
    x, x_aug, y = modes(4)
    flow = ld.ModeWeightFlow(ld.Hyperparameters(ALPHA_P, BETA, eta), x, x_aug, loss="cosine-exact", nodes=40)
    states = run(flow, y, TS[:5]).states
    balance, decay = states.w**2 - states.p**2 / ALPHA_P, np.exp(-2 * eta * TS[:5])
    np.testing.assert_allclose(balance, decay[:, None] * balance[0], atol=1e-10)
    for each in (states.p, states.w):
        size = (each**2).sum(axis=1)
        np.testing.assert_allclose(size, decay * size[0], rtol=1e-10)
