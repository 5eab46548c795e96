"""The watch on networks in training: what theory foretells is read, and nothing of the network is touched."""

import copy
import math
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from lindyn.bridge import ClosedFormPredictor, Diagnostics, MLPPredictor, SymmetricLinearPredictor, read_trace
from tests.bridge.linear_model import LinearModel, near_identity, train, views

X = np.linspace(0.95, 0.5, 12)


def watched(path, predictor=None, **options):
    model = LinearModel(near_identity() if predictor is None else predictor)
    return model, Diagnostics(model, path, **{"every": 10, **options})


def pass_features(watch, module, z, steps=1):
    for _ in range(steps):
        module(z)
        watch.step()


# theory


def test_a_trained_linear_model_balances_with_slope_one_half_and_c_one_over_alpha_p(tmp_path):
    """Theorem 1 and Eq. 14 at rest: F = W_p^T W_p / alpha_p, p_j = sqrt(alpha_p s_j), [F, W_p] = 0."""
    alpha_p = 2.0
    model = LinearModel(near_identity(), n1=6)
    watch = Diagnostics(model, tmp_path / "t.jsonl", every=500, window=200)
    reading = train(model, watch, 3000, X[::2], decay=0.03, alpha_p=alpha_p)[-1]
    assert reading.balance_c == pytest.approx(1 / alpha_p, rel=0.05) and reading.balance_residual_fitted < 0.05
    assert reading.slope.verdict == "fitted" and reading.slope.slope == pytest.approx(0.5, abs=0.05)
    assert reading.alignment_top > 0.995 and reading.commutator_share < 0.02
    assert reading.alarm == "healthy"


def test_the_alarm_rises_in_a_run_that_collapses_and_not_in_one_that_lives(tmp_path):
    lines = []
    for name, decay, stop in (("lives", 0.03, True), ("decays", 0.6, True), ("no stop-gradient", 0.0, False)):
        model, watch = watched(tmp_path / name, every=50, tell=lines.append)
        train(model, watch, 1000, X * 0.6, decay, stop_gradient=stop)
        lines.append(name)
        words = list(read_trace(tmp_path / name).alarm.values)
        assert words[-1] == ("healthy" if name == "lives" else "collapsed"), name
        assert (set(words) == {"healthy"}) == (name == "lives"), name
    told = lines[: lines.index("lives")]
    assert len(told) == 1 and told[0].startswith("step 50: healthy (collapse: none: ")  # said once
    told = lines[lines.index("lives") + 1 : lines.index("decays")]
    words = [line.split(": ")[1].split(" (")[0] for line in told]
    assert list(dict.fromkeys(words)) == ["healthy", "at risk", "collapsed"]


def test_the_loss_cannot_tell_but_the_trace_can(tmp_path):
    """Both losses fall towards a small number; only one of the two networks still has features."""
    model, watch = watched(tmp_path / "t", every=100)
    train(model, watch, 1000, X, decay=0.6)
    ds = read_trace(tmp_path / "t")
    assert ds.loss[-1] < 1e-4 * ds.loss[0] and ds.scale[-1] < 1e-6


# what is read


def test_F_is_the_mean_over_the_window_of_what_passed_in_training_mode(tmp_path):
    layer = nn.Linear(5, 5, bias=False)
    watch = Diagnostics(layer, tmp_path / "t", every=6, window=2)
    batches = [torch.randn(40, 5) for _ in range(6)]
    for k, z in enumerate(batches):
        layer(z)
        layer.eval()
        layer(100 * z)  # validation must leave no mark
        layer.train()
        reading = watch.step()
        assert (reading is None) == (k < 5)
    z = torch.cat(batches[4:]).double()
    np.testing.assert_allclose(reading.s, np.linalg.eigvalsh((z.T @ z / 80).numpy())[::-1], rtol=1e-5)
    np.testing.assert_allclose(
        reading.spectrum_W_p, np.linalg.eigvalsh((layer.weight + layer.weight.T).detach().numpy() / 2)[::-1], atol=1e-6
    )
    assert watch.record["samples"] == 80
    assert watch.record["start"] == pytest.approx(float((batches[0] ** 2).sum(1).mean()), rel=1e-5)


def test_the_window_gives_eight_features_per_dimension(tmp_path):
    layer = nn.Linear(16, 16)
    watch = Diagnostics(layer, tmp_path / "t", every=20)
    pass_features(watch, layer, torch.randn(32, 16), 40)
    ds = read_trace(tmp_path / "t")
    assert watch.window == 4 and list(ds.samples) == [128, 128]
    watch = Diagnostics(layer, tmp_path / "u", every=3)
    pass_features(watch, layer, torch.randn(8, 16), 6)
    assert list(read_trace(tmp_path / "u").samples) == [24, 24]  # no more than the k steps there are


@pytest.mark.parametrize(
    "make, kind",
    [
        (lambda: nn.Linear(6, 6), "weights"),
        (lambda: nn.Sequential(nn.Linear(6, 9), nn.Identity(), nn.Sequential(nn.Linear(9, 6))), "weights"),
        (lambda: SymmetricLinearPredictor(6), "W_p"),
        (lambda: ClosedFormPredictor(6), "W_p"),
        (lambda: nn.Sequential(nn.Linear(6, 9), nn.Dropout(0.0), nn.Linear(9, 6)), "least squares"),
    ],
)
def test_every_way_of_reading_a_linear_predictor_finds_its_matrix(tmp_path, make, kind):
    torch.manual_seed(0)
    predictor = make()
    watch = Diagnostics(predictor, tmp_path / "t", every=2, modes=4)
    z = torch.randn(500, 6) + 1.0
    pass_features(watch, predictor, z, 2)
    with torch.no_grad():
        predictor.eval()
        W_p = (predictor(torch.eye(6)) - predictor(torch.zeros(1, 6))).T.double().numpy()
    reading = watch.record
    assert watch.map == kind and reading["linear_share"] == pytest.approx(1.0, abs=1e-5)
    expected = np.linalg.eigvalsh((W_p + W_p.T) / 2)[::-1]
    np.testing.assert_allclose(reading["spectrum_W_p"], expected[:4], atol=1e-4)


def test_of_an_mlp_the_nearest_affine_map_is_read(tmp_path):
    torch.manual_seed(0)
    mlp = MLPPredictor(4, 32)
    watch = Diagnostics(mlp, tmp_path / "t", every=1, window=1)
    z = torch.randn(400, 4)
    q = mlp(z).detach().double().numpy()
    reading = watch.step()
    design = np.concatenate([z.double().numpy(), np.ones((400, 1))], axis=1)
    solution, rest = np.linalg.lstsq(design, q, rcond=None)[:2]
    W_p = solution[:4].T
    np.testing.assert_allclose(reading.spectrum_W_p, np.linalg.eigvalsh((W_p + W_p.T) / 2)[::-1], atol=1e-4)
    share = 1 - rest.sum() / ((q - q.mean(0)) ** 2).sum()
    assert watch.record["linear_share"] == pytest.approx(share, abs=1e-4) and 0.1 < share < 0.999


def test_half_precision_features_and_autocast_are_read_in_single_precision(tmp_path):
    layer = nn.Linear(8, 8)
    watch = Diagnostics(layer, tmp_path / "t", every=1)
    z = torch.randn(4096, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        layer(z.bfloat16())
    reading = watch.step()
    rounded = z.bfloat16().double().numpy()
    np.testing.assert_allclose(reading.s, np.linalg.eigvalsh(rounded.T @ rounded / 4096)[::-1], rtol=1e-5)


# the network is left alone


def test_training_is_the_same_to_the_last_bit_with_and_without_a_watch(tmp_path):
    class Nothing:
        def step(self, **numbers):
            return None

    weights = []
    for watching in (False, True):
        model = LinearModel(ClosedFormPredictor(6))
        watch = Diagnostics(model, tmp_path / "t", every=5) if watching else Nothing()
        train(model, watch, 40, X, decay=0.01)
        weights.append(model.state_dict())
    for name, value in weights[0].items():
        assert torch.equal(value, weights[1][name]), name


def test_copies_and_pickles_of_a_watched_network_are_not_watched(tmp_path):
    model, watch = watched(tmp_path / "t", every=1)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        other.predictor(torch.randn(20, 6))
    assert watch.step() is None and watch.record["alarm"] == "unknown"
    assert watch.record["reason"].startswith("0 features passed predictor in training mode since the last reading")


def test_close_removes_the_hook_and_a_forgotten_watch_does_nothing(tmp_path):
    model, watch = watched(tmp_path / "t", every=1)
    with watch:
        assert len(model.predictor._forward_hooks) == 1
    assert not model.predictor._forward_hooks
    Diagnostics(model, tmp_path / "t", every=1)
    model.predictor(torch.randn(20, 6))


def test_a_compiled_network_is_read_as_the_plain_one(tmp_path):
    z = torch.randn(200, 6)
    spectra = []
    for compiled in (False, True):
        layer = copy.deepcopy(near_identity())
        watch = Diagnostics(layer, tmp_path / str(compiled), every=1)
        call = torch.compile(layer, backend="eager") if compiled else layer
        for _ in range(3):
            call(z)
            reading = watch.step()
        spectra.append(reading.s)
    np.testing.assert_allclose(spectra[1], spectra[0], rtol=1e-6)


# interruption


def test_a_run_that_goes_on_appends_and_keeps_its_start(tmp_path):
    model, watch = watched(tmp_path / "t")
    train(model, watch, 25, X, decay=0.01)
    start = watch.record["start"]
    watch.close()
    with (tmp_path / "t").open("a") as file:
        file.write('{"step": 30, "s": [1.0, 0.')  # killed while writing
    again = Diagnostics(model, tmp_path / "t", every=10)
    assert again.steps == 20
    train(model, again, 20, X, decay=0.01)
    ds = read_trace(tmp_path / "t")
    assert list(ds.step.values) == [10, 20, 30, 40] and ds.attrs["starts"] == 2
    assert set(ds.start.values) == {float(f"{start:.7g}")}
    assert float(ds.scale[-1]) == pytest.approx(float(ds.trace_F[-1] / ds.start[-1]), rel=1e-5)


def test_steps_that_the_caller_counts_are_followed_also_backwards(tmp_path):
    model, watch = watched(tmp_path / "t")
    z = torch.randn(64, 6)
    for step in [*range(1, 31), *range(16, 26)]:  # set back to a checkpoint at 15
        model.predictor(z)
        watch.step(step)
    assert list(read_trace(tmp_path / "t").step.values) == [10, 20]


# bad input


def test_nan_features_are_written_down_and_training_goes_on(tmp_path):
    model, watch = watched(tmp_path / "t", every=1)
    z = torch.randn(64, 6)
    model.predictor(z)
    assert watch.step().alarm == "healthy"
    model.predictor(torch.full((64, 6), math.nan))
    assert watch.step() is None
    model.predictor(z)
    assert watch.step().alarm == "healthy"
    ds = read_trace(tmp_path / "t")
    assert list(ds.alarm.values) == ["healthy", "unknown", "healthy"]
    assert ds.reason.values[1] == "F must be finite; got 36 NaN or infinite of 36 entries."


def test_a_predictor_that_is_not_square_is_refused_at_its_first_batch(tmp_path):
    layer = nn.Linear(6, 4)
    watch = Diagnostics(layer, tmp_path / "t")
    with pytest.raises(ValueError, match=r"from batch x d to batch x d; Linear maps \(8, 6\) to \(8, 4\)"):
        layer(torch.randn(8, 6))
    watch.close()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"every": 0}, "every must be a whole number >= 1; got 0."),
        ({"every": 2.5}, "every must be a whole number >= 1; got 2.5."),
        ({"window": 0}, "window must be a whole number >= 1; got 0."),
        ({"modes": True}, "modes must be a whole number >= 1; got True."),
    ],
)
def test_bad_numbers_are_refused(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        Diagnostics(nn.Linear(3, 3), tmp_path / "t", **options)
    assert not (tmp_path / "t").exists()


def test_a_name_of_the_reading_cannot_be_given_again(tmp_path):
    watch = watched(tmp_path / "t")[1]
    with pytest.raises(ValueError, match="alarm is a number of the reading itself; give yours another name"):
        watch.step(alarm=1.0)


def test_a_folder_that_cannot_be_written_is_refused_before_training(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="path must be a file that can be written"):
        Diagnostics(nn.Linear(3, 3), tmp_path / "file" / "t")


# writers


def test_tensorboard_gets_every_number(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(tmp_path / "board") as writer:
        model, watch = watched(tmp_path / "t", writer=writer)
        train(model, watch, 20, X, decay=0.01)
    board = EventAccumulator(str(tmp_path / "board")).Reload()
    tags = board.Tags()["scalars"]
    assert {"lindyn/rankme", "lindyn/alarm", "lindyn/slope", "lindyn/loss"} <= set(tags)
    events = board.Scalars("lindyn/rankme")
    assert [event.step for event in events] == [10, 20]
    np.testing.assert_allclose([event.value for event in events], read_trace(tmp_path / "t").rankme, rtol=1e-6)


def test_views_have_the_moments_they_are_said_to_have():
    one, two = views(torch.Generator().manual_seed(0), X, samples=200_000)
    assert torch.allclose(one.T @ one / 2e5, torch.eye(12), atol=0.02)
    assert torch.allclose(one.T @ two / 2e5, torch.diag(torch.tensor(X, dtype=torch.float32)), atol=0.02)
