"""`lindyn.sweep_matrices` against `simulate`, and what only matrices show."""

import numpy as np
import pytest

import lindyn as ld

SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("target", "tau"),
    [pytest.param("ema", 0.5, marks=SLOW), ("online", 1.0), pytest.param("frozen", 1.0, marks=SLOW)],
)
def test_weights_equal_the_full_flow(target, tau):
    ds = ld.sweep_matrices(eta=[0.02, 0.1], seeds=[3], tau=tau, n1=6, n2=4, t1=8.0, target=target, alpha_p=1.5)
    for k, eta in enumerate((0.02, 0.1)):
        drawn = ld.WeightState.random(4, 6, seed=3, scale=0.5)
        start = ld.WeightState(W=drawn.W, W_p=drawn.W_p, W_a=tau * drawn.W)
        flow = ld.WeightFlow(ld.Hyperparameters(1.5, 0.4, eta), ld.Moments.isotropic(6, 0.25), target=target)
        run = ld.simulate(flow, start, ts=[0.0, 8.0], engine="scipy", reduction="printed")
        here = ds.isel(eta=k, seed=0)
        assert here["asymmetry"] == pytest.approx(ld.observables.asymmetry(run)[-1], rel=1e-6)
        assert here["collapse"] == pytest.approx(ld.observables.collapse(run)[-1], rel=1e-6)
        assert here["tau"] == pytest.approx(ld.observables.tau(run)[-1], rel=1e-6)
        assert here["s_max"] == pytest.approx(ld.observables.spectrum_F(run)[-1, 0], rel=1e-6)


@pytest.mark.slow
def test_correlation_gives_K():
    ds = ld.sweep_matrices(eta=[0.05], seeds=[1], system="correlation", predictor="symmetrised", n1=6, n2=4, t1=8.0)
    drawn = ld.WeightState.random(4, 6, seed=1, symmetric_predictor=True)
    start = ld.CorrelationState(W_p=drawn.W_p, F=0.25 * drawn.W @ drawn.W.T)
    flow = ld.CorrelationFlow(ld.Hyperparameters(eta=0.05), symmetrised=True)
    run = ld.simulate(flow, start, t1=8.0, engine="scipy")
    assert ds["K_min"].item() == pytest.approx(ld.observables.lambda_min_K(run).min(), abs=1e-3)
    assert ds["commutator"].item() * ds["s_max"].item() >= 0
    assert ds["p_max"].item() == pytest.approx(ld.observables.spectrum_W_p(run)[-1, 0], rel=1e-6)


def test_decay_brings_symmetry_and_alignment():
    ds = ld.sweep_matrices(eta=[0.0, 0.05, 0.15, 0.3], seeds=6, n1=6, n2=4)
    mean = ds["asymmetry"].mean("seed").values
    assert mean[0] > 10 * mean[1] > 100 * mean[2]
    assert ds["alignment"].isel(eta=2).min() > 0.999
    assert np.all(ds["outcome"].isel(eta=3) == 0) and np.all(ds["modes_alive"].isel(eta=3) == 0)
    assert ds["collapse"].isel(eta=3).max() < 1e-3
    assert ds["seed"].dtype == np.int64 and ds.attrs["n2"] == 4 and ds.attrs["system"] == "weights"


def test_threads_and_blocks_change_no_bit():
    settings = {"eta": [0.0, 0.1], "seeds": 70, "n1": 4, "n2": 3, "t1": 2.0}
    one, two = ld.sweep_matrices(**settings, threads=1), ld.sweep_matrices(**settings, threads=3, points=7)
    for name in one:
        assert one[name].values.tobytes() == two[name].values.tobytes()
