"""`lindyn.sweep_descent` against `descend`, against steps by hand, and what must hold at every step."""

import subprocess
import sys
import time

import numpy as np
import pytest
import xarray

import lindyn as ld
from lindyn.bridge.watch.collapse_words import read_collapse
from lindyn.cli import main
from lindyn.equations import rest
from lindyn.plotting.descent_map import draw_descents
from lindyn.solve.one_step import as_seen, minibatch, move_target, move_weights
from lindyn.sweeps import descent_kernel, descent_sweep, store
from lindyn.sweeps.execution import SweepInterrupted
from tests.sweeps.test_store import ROOT, blocks, identical

SIZE = {"n1": 6, "n2": 4}
X = np.arange(1, 7.0) ** -1.0
SMALL = {"learning_rate": [0.05, 0.2], "eta": [0.01, 0.1], "seeds": 2, "steps": 60, **SIZE}


def flow_and_start(depth=3, seed=1, eta=0.05, alpha_p=1.7, **choices):
    hp = ld.Hyperparameters(alpha_p=alpha_p, beta=0.3, eta=eta)
    flow = ld.DeepFlow(hp, ld.Moments.commuting(X, 0.25), **choices)
    start = descent_sweep.start(4, 6, depth, seed, choices.get("predictor", "trained"), "copy")
    return flow, start


def final(start, depth=3, batch=0, seed=1, steps=40, n1=6, n2=4, **rates):
    """Return the end of one model of the kernel; `rates` over its choices."""
    names = ("target", "predictor", "loss", "normalise")
    choices = {"target": "ema", "predictor": "trained", "loss": "cosine", "normalise": "batchnorm"}
    choices |= {name: rates.pop(name) for name in names if name in rates}
    mean = rates.pop("mean", "samples")
    rates = {"momentum": 0.0, "gamma_a": 0.95, "alpha_p": 1.7, "eta_p": 0.05, "eta_s": 0.05} | rates
    form = descent_kernel.ModelForm(n1, n2, depth, batch, tuple(choices.items()), mean)
    x = np.arange(1, n1 + 1.0) ** -1.0
    systems = descent_kernel.Systems(
        form, {name: block[None] for name, block in start.blocks().items()},
        {name: np.array([value]) for name, value in rates.items()}, x[None], np.full((1, n1), 0.25), np.array([seed]),
    )  # fmt: skip
    end, angles = descent_kernel.solve(systems, steps, 1)
    return {name: values[0] for name, values in end.items()}, angles[0]


def same(found, want, online=False):
    for name, block in want.blocks().items():
        if not (online and "W_a" in name):
            np.testing.assert_allclose(found[name], block, rtol=1e-10, atol=1e-12, err_msg=name)


@pytest.mark.parametrize(
    ("loss", "normalise", "depth", "target", "predictor", "momentum"),
    [
        ("cosine", "batchnorm", 3, "ema", "trained", 0.9),
        ("cosine", "none", 1, "online", "trained", 0.0),
        ("squared", "batchnorm", 2, "frozen", "symmetrised", 0.5),
        ("squared", "none", 3, "ema", "identity", 0.0),
        ("cosine", "batchnorm", 1, "ema", "symmetrised", 0.0),
    ],
)
def test_the_population_takes_the_steps_of_descend(loss, normalise, depth, target, predictor, momentum):
    chosen = {"loss": loss, "normalise": normalise, "target": target, "predictor": predictor}
    flow, y = flow_and_start(depth, **chosen)
    gamma_a = {"gamma_a": 0.95} if target == "ema" else {}
    want = ld.descend(flow, y, learning_rate=0.1, steps=40, momentum=momentum, **gamma_a).final
    found, _ = final(y, depth, learning_rate=0.1, momentum=momentum, **chosen)
    same(found, want, target == "online")


@pytest.mark.parametrize(("loss", "mean"), [("cosine", "samples"), ("cosine", "closure"), ("squared", "samples")])
@pytest.mark.parametrize("normalise", ["batchnorm", "none"])
def test_minibatches_are_steps_on_the_samples_of_the_seed(loss, mean, normalise):
    """The same samples, drawn here, through the flow itself on numpy arrays."""
    flow, y = flow_and_start(2, loss=loss, normalise=normalise)
    found, _ = final(y, 2, batch=5, learning_rate=0.1, momentum=0.5, steps=7, loss=loss, normalise=normalise, mean=mean)
    rng = np.random.default_rng([1, descent_kernel.STREAM])
    v = {"Ws": tuple(np.zeros_like(W) for W in y.Ws), "W_p": np.zeros_like(y.W_p)}
    for _ in range(7):
        z, z_1, z_2 = rng.standard_normal((3, 6, 5))
        one, two = (np.sqrt(X)[:, None] * z + 0.5 * noise for noise in (z_1, z_2))
        rate = minibatch(flow, *as_seen(flow, (one, two)), mean=mean)(0.0, y)
        y, v = move_weights(y, v, rate, ("Ws", "W_p"), 0.1, 0.5, descent_kernel.each)
        y = move_target(flow, y, 0.95, descent_kernel.each)
    same(found, y)


def test_large_systems_by_blas_take_the_same_steps():
    y = descent_sweep.start(30, 100, 3, 0, "trained", "copy")
    x = np.arange(1, 101.0) ** -1.0
    hp = ld.Hyperparameters(alpha_p=1.7, beta=0.0, eta=0.05)
    for normalise in ("batchnorm", "none"):
        flow = ld.DeepFlow(hp, ld.Moments.commuting(x, 0.25), loss="cosine", normalise=normalise)
        want = ld.descend(flow, y, learning_rate=0.1, steps=5, gamma_a=0.95).final
        found, _ = final(y, steps=5, n1=100, n2=30, learning_rate=0.1, normalise=normalise)
        same(found, want)


def test_what_is_read_off_is_that_of_the_final_state():
    ds = ld.sweep_descent(learning_rate=0.1, eta=[0.02, 0.05], alpha_p=1.7, gamma_a=0.95, momentum=0.5, seeds=[1],
                          steps=50, **SIZE)  # fmt: skip
    flow, y = flow_and_start(eta=0.05, loss="cosine", normalise="batchnorm")
    run = ld.descend(flow, y, learning_rate=0.1, steps=50, momentum=0.5, gamma_a=0.95, save_every=1)
    W, here = run.final.W, ds.isel(eta=1, seed=0)
    C = W @ np.diag(X + 0.25) @ W.T
    F = C / np.sqrt(np.outer(np.diag(C), np.diag(C)))
    s = np.linalg.eigvalsh(F)
    assert here["effective_rank"] == pytest.approx(np.exp(-np.sum(s / 4 * np.log(s / 4))), rel=1e-9)
    assert here["trace"] == pytest.approx(4.0) and here["s_max"] == pytest.approx(s[-1])
    assert here["norm_W"] == pytest.approx(np.sqrt(sum(np.sum(W**2) for W in run.final.Ws)), rel=1e-9)
    assert here["norm_W_p"] == pytest.approx(np.linalg.norm(run.final.W_p), rel=1e-9)
    assert here["p_max"] == pytest.approx(ld.observables.spectrum_W_p(run)[-1, 0], rel=1e-9)
    assert here["tau"] == pytest.approx(ld.observables.tau(run)[-1], rel=1e-9)
    flat = np.concatenate([W.reshape(51, -1) for W in run.states.Ws], axis=1)
    unit = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    angles = np.arccos(np.sum(unit[1:] * unit[:-1], axis=1))
    assert here["angle"] == pytest.approx(np.sqrt(np.mean(angles[-5:] ** 2)), rel=1e-6)
    assert here["angle_rest"] == pytest.approx(np.sqrt(2 * 0.1 * 0.05 / 1.5))
    word = read_collapse(s[::-1])  # of a network's outputs, by the bridge
    assert here.outcome.flag_meanings.split()[here["outcome"].item()] == word.word.replace("none", "healthy")
    assert here["living"] == word.live and here["status"] == 0


@pytest.mark.parametrize("normalise", ["batchnorm", "none"])
def test_the_norm_after_a_step_is_that_of_an_orthogonal_gradient(normalise):
    flow, y = flow_and_start(loss="cosine", normalise=normalise, eta=0.0)
    gradient = flow(0.0, y)
    found, _ = final(y, steps=1, learning_rate=0.3, eta_s=0.2, eta_p=0.2, normalise=normalise)
    for name, g in gradient.blocks().items():
        if "W_a" not in name:
            W, g = y.blocks()[name], g
            want = rest.norm_after_step(np.sum(W**2), 0.2, 0.3, np.sum(g**2))
            assert np.sum(found[name] ** 2) == pytest.approx(want, rel=1e-12)


def test_minibatches_settle_at_the_angle_of_theory():
    """Root mean squares; exact in the mean at momentum 0, however the gradients of consecutive steps are related."""
    ds = ld.sweep_descent(learning_rate=0.05, eta=[0.02], batch=16, steps=4000, tail=2000, seeds=2, **SIZE)
    np.testing.assert_allclose(ds["angle_rest"], np.sqrt(2 * 0.05 * 0.02))
    for name in ("angle", "angle_p"):
        np.testing.assert_allclose(ds[name].isel(eta=0).mean("seed"), ds["angle_rest"][0, 0], rtol=0.05)


def test_threads_and_blocks_change_no_bit(tmp_path):
    given = SMALL | {"depth": [1, 3], "batch": [0, 5], "seeds": 5}
    one = ld.sweep_descent(**given, threads=1)
    assert one["effective_rank"].dims == ("learning_rate", "eta", "depth", "batch", "seed")
    assert identical(one, ld.sweep_descent(**given, threads=3, points=7))
    assert identical(one, ld.sweep_descent(**given, store=tmp_path / "s.zarr", points=16))


def test_interrupted_and_resumed(tmp_path, monkeypatch):
    whole, put, calls = ld.sweep_descent(**SMALL), store.Store.put, []

    def failing(self, *args):
        calls.append(0)
        if len(calls) == 3:
            raise KeyboardInterrupt
        put(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(store.Store, "put", failing)
        with pytest.raises(SweepInterrupted, match=r"Interrupted: 2 of 4 blocks \(4 of 8 points\) are complete in"):
            ld.sweep_descent(**SMALL, store=tmp_path / "s.zarr", points=2)
    before = {mark: mark.stat().st_mtime_ns for mark in (tmp_path / "s.zarr" / ".blocks").iterdir()}
    assert identical(whole, ld.sweep_descent(**SMALL, store=tmp_path / "s.zarr"))
    assert len(before) == 2 and all(mark.stat().st_mtime_ns == when for mark, when in before.items())
    with pytest.raises(ValueError, match="holds another sweep: steps is 60 there and 61 here"):
        ld.sweep_descent(**{**SMALL, "steps": 61, "tail": 6}, store=tmp_path / "s.zarr")


@pytest.mark.slow
def test_killed_and_resumed(tmp_path):
    given = SMALL | {"learning_rate": [0.01, 0.03, 0.1, 0.3], "batch": 20, "seeds": 10, "steps": 800}
    script = (
        f"import lindyn as ld; ld.sweep_descent(**{given!r}, store={str(tmp_path / 's.zarr')!r}, points=2, threads=1)"
    )
    process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
    end = time.monotonic() + 120
    while blocks(tmp_path / "s.zarr") < 5 and process.poll() is None and time.monotonic() < end:
        time.sleep(0.002)
    process.kill()
    process.wait()
    done = blocks(tmp_path / "s.zarr")
    assert 5 <= done < 40
    assert identical(ld.sweep_descent(**given), ld.sweep_descent(**given, store=tmp_path / "s.zarr"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_gives_the_same_bits(tmp_path):
    distributed = pytest.importorskip("distributed")
    given = SMALL | {"batch": [0, 5]}
    whole = ld.sweep_descent(**given)
    with distributed.Client(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as client:
        assert identical(whole, ld.sweep_descent(**given, points=3, client=client))
        assert identical(whole, ld.sweep_descent(**given, points=3, client=client, store=tmp_path / "s.zarr"))


def test_spectra_by_name_by_power_and_in_pairs():
    given = {"learning_rate": 0.1, "seeds": 1, "steps": 20, **SIZE}
    power = ld.sweep_descent(x_power=[0.0, 1.0], **given)
    named = ld.sweep_descent(x={"flat": np.ones(6), "steep": X}, **given)
    pairs = ld.sweep_descent(x={"flat": (np.ones(6), np.full(6, 0.25)), "steep": (X, np.full(6, 0.25))}, **given)
    alone = ld.sweep_descent(x=X, eta=[0.04], **given)
    assert list(named["x"].values) == ["flat", "steep"]
    for name in ("effective_rank", "norm_W", "angle"):
        np.testing.assert_array_equal(power[name].values, named[name].values)
        np.testing.assert_array_equal(power[name].values, pairs[name].values)
        assert alone[name].values.ravel()[0] == power[name].values.ravel()[1]


def test_an_ema_rate_is_its_parameter_and_what_blows_up_is_said():
    given = {"eta": [0.02], "momentum": 0.5, "seeds": 1, "steps": 20, **SIZE}
    rate = ld.sweep_descent(learning_rate=[0.05, 0.1], beta=0.5, **given)
    for k, lr in enumerate((0.05, 0.1)):
        one = ld.sweep_descent(learning_rate=lr, gamma_a=1 - lr / 0.5 * 0.5, **given)
        np.testing.assert_allclose(rate["norm_W_p"][k], one["norm_W_p"], rtol=1e-12)
    wild = ld.sweep_descent(learning_rate=[0.1, 50.0], loss="squared", normalise="none", seeds=1, eta=0.1, steps=400,
                            **SIZE)  # fmt: skip
    assert list(wild["status"].values.ravel()) == [0, 1] and wild["outcome"][1] == 3 and wild["living"][1] == 0
    assert np.isnan(wild["trace"][1]).all() and np.isfinite(wild["trace"][0]).all()


def test_a_cosine_of_decayed_weights_is_no_collapse_and_a_squared_loss_above_its_critical_decay_is():
    given = {"eta": [2.0], "learning_rate": 0.1, "seeds": 2, "steps": 200, **SIZE}
    assert np.all(ld.sweep_descent(loss="squared", normalise="none", **given)["outcome"] == 0)
    cosine = ld.sweep_descent(loss="cosine", normalise="none", depth=1, eta=[0.5], learning_rate=0.1, steps=100,
                              seeds=2, x_power=0.0, **SIZE)  # fmt: skip
    assert np.all(cosine["outcome"] == 2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"lr": 0.1}, "lr is no parameter of a sweep of descents; .* Did you mean learning_rate?"),
        ({"dept": 3}, "Did you mean depth?"),
        ({"learning_rate": 0.0}, r"learning_rate must be > 0 \(step of the online network\); got 0"),
        ({"gamma_a": [0.9, 1.1]}, "gamma_a must be at most 1; got 1.1. 1 freezes the target."),
        ({"momentum": 1.0}, "momentum must be below 1; got 1. 0.9 is usual."),
        ({"depth": 1.5}, "depth must be whole numbers"),
        ({"batch": [0, 1]}, "batch must be at least 2 under BatchNorm, 0 for the population; got 1"),
        ({"gamma_a": 0.9, "beta": 0.1}, "Give gamma_a or beta"),
        ({"gamma_a": 0.9, "target": "online"}, "gamma_a moves an EMA target; got target='online'. Leave it out."),
        ({"beta": 30.0}, "must be at most 1 .* got up to 30. Lower the learning rate or beta, or give gamma_a."),
        ({"eta": 0.1, "eta_p": 0.1, "eta_s": 0.1}, "eta has no meaning"),
        ({"predictor": "direct_pred"}, "closed-form rule, which sweep_descent does not compile. .* lindyn.descend"),
        ({"predictor": "trainde"}, "Did you mean 'trained'?"),
        ({"predictor": "identity", "scale_p": 2.0}, "means W_p = I; leave scale_p out"),
        ({"loss": "cosine-exact"}, "loss must be"),
        ({"x": [1.0, 2.0]}, "x must be a spectrum of n1 = 16 numbers; got 2. Give n1=2."),
        ({"x": np.ones(16), "x_power": 1.0}, "x_power makes a power law of a number x"),
        ({"x": {"a": (np.ones(16), np.ones(16))}, "x_aug": 0.1}, "x_aug was given beside pairs"),
        ({"x": {"a": np.ones(16), "b": (np.ones(16), np.ones(16))}}, "not both"),
        ({"x": {}}, "x has no spectra"),
        ({"x_aug": [0.1, 1e14]}, "X is nothing beside X'.* Lower x_aug"),
        ({"x": (np.ones(16), np.full(16, 1e14))}, "X is nothing beside X'"),
        ({"tail": 3000}, "tail must be at most steps = 2000"),
        ({"target_start": "zero"}, "needs loss='squared'"),
        ({"n2": 1}, "cosine' of one output is a constant"),
        ({"seeds": [3, 1]}, "seeds must increase"),
    ],
)
def test_mistakes(arguments, words):
    with pytest.raises(ValueError, match=words):
        ld.sweep_descent(**arguments)


def test_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    line = [
        "sweep",
        "--model",
        "normalised",
        "--n1",
        "6",
        "--n2",
        "4",
        "--steps",
        "60",
        "--seeds",
        "2",
        "--out",
        "s.nc",
    ]
    assert main([*line, "--learning-rate", "log:0.05:0.5:3", "--gamma-a", "0,0.9,0.99"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Of 18 models after 60 steps, ") and "Along the learning rate its mean" in said
    assert "Wrote s.nc and s.png." in said and (tmp_path / "s.png").stat().st_size > 10_000
    with xarray.open_dataset("s.nc") as ds:
        assert ds["effective_rank"].shape == (3, 3, 2) and ds["angle"].attrs["units"] == "rad"
    assert main(["sweep", "--depth", "3"]) == 2 and "--depth belongs to --model normalised" in capsys.readouterr().err
    assert main([*line, "--t1", "3"]) == 2 and "--t1 belongs to --model mode" in capsys.readouterr().err


def test_the_picture_writes_uneven_axes_one_by_one():
    ds = ld.sweep_descent(depth=[1, 2, 3], gamma_a=[0.0, 0.9, 0.99], **{**SMALL, "eta": 0.02, "learning_rate": 0.1})
    figure = draw_descents(ds)
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == ["1", "2", "3"] or [
        text.get_text() for text in figure.axes[0].get_yticklabels()
    ] == ["1", "2", "3"]
    titles = [panel.get_title() for panel in figure.axes]
    assert titles[0] == "effective rank of 4 outputs" and titles[1] == "collapse of the outputs (worst seed)"
