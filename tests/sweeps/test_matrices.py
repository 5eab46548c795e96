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


def moments(commuting):
    rng = np.random.default_rng(2)
    V = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    X = (V * [1.5, 1.0, 0.6, 0.3, 0.1]) @ V.T
    A = rng.standard_normal((5, 5))
    return ld.Moments(X=X, X_aug=0.2 * X @ X if commuting else A @ A.T / 20)


@pytest.mark.parametrize("commuting", [True, False])
@pytest.mark.parametrize(("loss", "normalise"), [("squared", "none"), ("cosine", "batchnorm")])
def test_any_data_and_loss_equal_the_full_flow_at_every_time(commuting, loss, normalise):
    data, times = moments(commuting), [2.0, 6.0]
    ds = ld.sweep_matrices(
        eta=[0.01, 0.05], seeds=[4], data=data, n2=3, times=times, loss=loss, normalise=normalise, x_aug=0.5
    )
    assert ds["outcome"].dims == ("eta", "seed", "time") and "healthy" in ds["outcome"].attrs["flag_meanings"]
    drawn = ld.WeightState.random(3, 5, seed=4, scale=0.5)
    half = ld.Moments(X=data.X, X_aug=0.5 * data.X_aug)
    flow = ld.WeightFlow(ld.Hyperparameters(1.0, 0.4, 0.05), half, loss=loss, normalise=normalise)
    run = ld.simulate(flow, ld.WeightState(W=drawn.W, W_p=drawn.W_p), ts=[0.0, *times], engine="scipy", rtol=1e-10)
    here = ds.isel(eta=1, seed=0)
    for k in (1, 2):
        W = run.states.W[k]
        F = W @ (half.X + half.X_aug) @ W.T
        if normalise == "batchnorm":
            F = F / np.sqrt(np.outer(np.diag(F), np.diag(F)))
        s = np.linalg.eigvalsh(F)
        share = s / s.sum()
        assert here["s_max"].values[k - 1] == pytest.approx(s[-1], rel=1e-6)
        assert here["effective_rank"].values[k - 1] == pytest.approx(np.exp(-(share * np.log(share)).sum()), rel=1e-6)
        assert here["asymmetry"].values[k - 1] == pytest.approx(ld.observables.asymmetry(run)[k], rel=1e-6)


def test_times_are_those_of_shorter_runs_and_blocks_along_them_change_no_bit():
    settings = {"eta": [0.02, 0.06], "seeds": 3, "n1": 4, "n2": 3, "system": "correlation"}
    whole = ld.sweep_matrices(**settings, times=[1.0, 4.0, 9.0])
    cut = ld.sweep_matrices(**settings, times=[1.0, 4.0, 9.0], points=2)
    for name in whole:
        assert whole[name].values.tobytes() == cut[name].values.tobytes(), name
    short = ld.sweep_matrices(**settings, t1=4.0)
    for name in ("alignment", "K_min", "s_max", "collapse"):
        np.testing.assert_allclose(whole[name].sel(time=4.0), short[name], rtol=1e-6)
    assert np.all(np.diff(whole["K_min"].values, axis=-1) <= 0) and np.all(np.diff(whole["steps"].values, axis=-1) > 0)
    assert whole["time"].attrs["units"] == "flow time"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"data": np.eye(3)}, "data must be Moments; got ndarray. Wrap"),
        ({"data": ld.Moments.isotropic(4, 0.2), "n1": 5}, "n1 must be that of the data, 4; got 5"),
        ({"system": "correlation", "loss": "cosine"}, "use system='weights' for data, loss='cosine'"),
        ({"loss": "cosine", "tau": "zero"}, "tau must not be 0 with loss='cosine'"),
        ({"loss": "cosine", "n2": 1}, "loss='cosine' of one output is a constant; got n2 = 1"),
        ({"loss": "cosine", "x": 0.0}, "two views share no direction"),
        ({"loss": "l2"}, "loss must be one of 'squared', 'cosine'; got 'l2'"),
        ({"normalise": "layernorm"}, "normalise must be one of"),
        ({"times": [2.0, 1.0]}, "times must be rising numbers > 0; got"),
        ({"times": [1.0], "t1": 3.0}, "Give t1, or times, whose last one is the end."),
        ({"normalise": "batchnorm", "x": 0.0, "x_aug": 0.0}, "must not be 0 with loss='cosine' or normalise="),
        (
            {"data": ld.Moments(np.zeros((3, 3)), np.zeros((3, 3))), "loss": "cosine"},
            "x_aug X' must not be 0 with loss='cosine'",
        ),
        ({"threads": 0}, "threads must be a whole number >= 1; got 0"),
        ({"predictor": "direct_pred"}, "predictor must be 'trained' or 'symmetrised'; got"),
        ({"n2": 200_000, "n1": 2}, "of memory are free; n2 = "),
    ],
)
def test_what_does_not_go_together_is_one_sentence(wrong, words):
    with pytest.raises(ValueError, match=words.replace("(", r"\(")) as caught:
        ld.sweep_matrices(eta=[0.1], seeds=2, **wrong)
    assert "\n" not in str(caught.value)
