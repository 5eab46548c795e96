"""`lindyn.sweep`: labels, axes, values against `simulate`, outcomes against theory."""

import json

import numpy as np
import pytest
from matplotlib.figure import Figure

import lindyn as ld
from lindyn.plotting import outcome_map
from lindyn.sweeps import outcome
from lindyn.sweeps.modes_sweep import sweep
from lindyn.sweeps.outcome import OUTCOMES


@pytest.fixture(scope="module")
def small():
    return sweep(
        eta=[0.0, 0.05, 0.1, 0.25], beta=[0.1, 1.0, 5.0], alpha_p=2.0, x_aug=0.4, p=0.15, s=0.03, tau=0.7, t1=150
    )


def test_codes_are_drawn_in_words(small):
    """xarray's own plot with `categories`: a colour and a word for each code, none between."""
    for name in ("outcome", "event", "status"):
        how = outcome_map.categories(small[name])
        mesh = small[name].plot(ax=Figure().subplots(), **how)
        words = small[name].attrs["flag_meanings"].split()
        assert list(mesh.norm.boundaries) == [k - 0.5 for k in range(len(words) + 1)] and len(words) == mesh.cmap.N
        shown = [text.get_text() for text in mesh.colorbar.ax.get_yticklabels()]
        assert len(shown) == len(words) and shown[0] == words[0].replace("_", " ")
    panel = Figure().subplots()
    small.p.isel(eta=slice(1, None)).plot(ax=panel, yscale="log", x="beta")
    panel.figure.canvas.draw()


def test_the_result_is_labelled(small):
    assert small["p"].dims == ("eta", "beta") and small["p"].shape == (4, 3)
    np.testing.assert_array_equal(small["beta"], [0.1, 1.0, 5.0])
    assert small["beta"].attrs["units"] == "1 / flow time" and small["t_event"].attrs["units"] == "flow time"
    assert all({"units", "long_name"} <= set(small[name].attrs) for name in small.variables)
    told = small.attrs
    assert (told["alpha_p"], told["x_aug"], told["p0"], told["s0"], told["tau0"]) == (2.0, 0.4, 0.15, 0.03, 0.7)
    assert (told["t1"], told["target"], told["engine"], told["rtol"]) == (150.0, "ema", "lanes", 1e-8)
    assert json.loads(told["configuration"])["axes"]["eta"] == [0.0, 0.05, 0.1, 0.25]
    assert small["outcome"].dtype == np.int8
    assert small["outcome"].attrs["flag_meanings"].split() == list(OUTCOMES)


@pytest.mark.parametrize("target", ["ema", "online", "frozen"])
def test_values_equal_simulate(target):
    tau = 1.0 if target == "online" else 0.7
    ds = sweep(
        eta=[0.0, 0.05, 0.12], beta=[0.1, 2.0], alpha_p=2.0, x_aug=0.4, p=0.2, s=0.05, tau=tau, t1=40, target=target
    )
    for i, eta in enumerate(ds["eta"].values):
        for j, beta in enumerate(ds["beta"].values):
            flow = ld.ModeFlow(ld.Hyperparameters(2.0, beta, eta), x_aug=0.4, target=target)
            run = ld.simulate(flow, ld.ModeState(p=[0.2], s=[0.05], tau=[tau]), t1=40.0, engine="scipy")
            here = ds.isel(eta=i, beta=j)
            for name in ("p", "s", "tau"):
                np.testing.assert_allclose(here[name], getattr(run.final, name)[0], rtol=1e-6)
            low = ld.observables.lambda_min_K(run).min()
            assert here["K_min"] <= low + 1e-6 and here["K_min"] == pytest.approx(low, abs=2e-3)


def test_separate_decays_and_every_parameter_as_an_axis():
    axes = {"eta_p": [0.01, 0.2], "eta_s": [0.02, 0.05], "beta": [0.3], "alpha_p": [1.0, 5.0], "x": [0.8, 1.2],
            "x_aug": [0.1, 0.4], "p": [-0.1, 0.5], "s": [0.1, 0.3], "tau": [0.5, 1.0]}  # fmt: skip
    ds = sweep(**axes, t1=5.0)
    assert ds["p"].dims == ("eta_p", "eta_s", "beta", "alpha_p", "x", "x_aug", "p0", "s0", "tau0")
    one = sweep(eta_p=0.2, eta_s=0.02, beta=0.3, alpha_p=5.0, x=1.2, x_aug=0.1, p=[0.5], s=0.3, tau=0.5, t1=5.0)
    same = ds.sel(eta_p=0.2, eta_s=0.02, beta=0.3, alpha_p=5.0, x=1.2, x_aug=0.1, p0=0.5, s0=0.3, tau0=0.5)
    for name in ("p", "s", "tau", "K_min", "steps"):
        assert one[name].item() == same[name].item()
    over = sweep(eta=[0.02, 0.05], eta_p=0.2, t1=5.0)
    assert over.attrs["eta_p"] == 0.2
    assert over["p"][0].item() == sweep(eta_p=[0.2], eta_s=0.02, t1=5.0)["p"].item()


def test_practices_and_the_parabola():
    ds = sweep(eta=[0.1, 0.12], tau=["copy", "zero"], p=0.5, s="parabola", alpha_p=2.0)
    assert ds["tau0"].values.tolist() == ["copy", "zero"]
    assert ds["p"].sel(tau0="zero")[0].item() == sweep(eta=[0.1], tau=0.0, p=0.5, s=0.125, alpha_p=2.0)["p"].item()
    assert sweep(eta=[0.1], tau="copy").attrs["tau0"] == 1.0


def test_without_arguments_eta_and_beta_are_mapped():
    ds = ld.sweep(t1=20.0)
    assert dict(ds.sizes) == {"eta": 61, "beta": 61}
    assert dict(ld.sweep(beta=0.5, t1=20.0).sizes) == {"eta": 61}
    assert dict(ld.sweep(eta=0.1, beta=0.4, t1=20.0).sizes) == {}


def test_block_size_and_threads_change_no_bit():
    axes = {"eta": np.linspace(0, 0.3, 23), "beta": np.geomspace(0.01, 300.0, 17), "t1": 30.0}
    whole = sweep(**axes)
    for other in (sweep(**axes, points=1), sweep(**axes, points=50, threads=1)):
        for name in whole:
            np.testing.assert_array_equal(whole[name].values, other[name].values)


def test_outcomes_follow_the_theory():
    online = sweep(eta=np.linspace(0.01, 0.3, 59), target="online", p=0.3, s="parabola", t1=2000.0)
    words = np.array(OUTCOMES)[online["outcome"]]
    p_minus, _ = ld.theory.branches(online["eta"].values)
    lives = p_minus < 0.3  # on the parabola the saddle is the edge; NaN above the critical decay
    np.testing.assert_array_equal(words == "alive", lives)
    assert set(words[~lives]) == {"collapsed"}
    assert np.all(online["s"].values[~lives] < 1e-6 * 0.09)
    assert np.all(online["event"].values[lives] == 1) and np.all(online["event"].values[~lives] == 2)
    strong = sweep(alpha_p=[1.0, 1000.0], eta=0.0, t1=100.0, target="online")
    assert [OUTCOMES[k] for k in strong["outcome"].values] == ["alive", "not_growing"]  # Obs#2


def test_frozen_target_and_no_predictor():
    eta = 0.1
    weakest = eta  # x a = sqrt(eta_p eta_s / alpha_p)
    ds = sweep(tau=[0.9 * weakest, 1.1 * weakest], p=0.3, s=1.0, eta=eta, target="frozen", t1=3000.0)
    assert [OUTCOMES[k] for k in ds["outcome"].values] == ["collapsed", "not_growing"]
    assert ds["s"][0] < 1e-6 < ds["s"][1]
    bare = sweep(beta=[0.1, 1.0], predictor="identity", t1=50.0)
    assert [OUTCOMES[k] for k in bare["outcome"].values] == ["collapsed"] * 2


def test_a_certified_collapse_is_never_taken_back():
    rng = np.random.default_rng(5)
    n = 4000
    start = {"alpha_p": 10 ** rng.uniform(-2, 2, n), "beta": 10 ** rng.uniform(-2, 1, n)}
    start |= {name: 10 ** rng.uniform(-2, -0.5, n) for name in ("eta_p", "eta_s")}
    start |= {"x": 10 ** rng.uniform(-0.3, 0.3, n), "x_aug": 10 ** rng.uniform(-2, 0.3, n)}
    start |= {"p": rng.uniform(0, 2, n), "s": 10 ** rng.uniform(-3, 0.5, n), "tau": rng.uniform(0, 1.5, n)}
    from lindyn.solve.lanes import solve_lanes

    early, late = (solve_lanes(**start, t1=t) for t in (20.0, 3000.0))
    code = outcome.label(start, early.p, early.s, early.tau)
    lost = late.s <= 1e-6 * start["s"]
    assert (code == outcome.COLLAPSED).sum() > 500 and np.all(lost[code == outcome.COLLAPSED])
    living = np.isin(code, (outcome.ALIVE, outcome.NOT_GROWING))
    assert living.sum() > 1000 and lost[living].mean() < 0.01
