"""Laws of losses that compare directions, on features and steps whose answers are known."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from lindyn.bridge.along_run import NORMALISED, SQUARED
from lindyn.bridge.checkpoints import read_checkpoint
from lindyn.bridge.laws import LAWS, KnownRun, finding
from lindyn.bridge.laws.directions import prediction_scale
from lindyn.bridge.measure.measuring import measure
from lindyn.bridge.readings import StepTaken
from lindyn.bridge.report.advice import advise
from lindyn.bridge.run import linear_layers
from lindyn.equations import rest
from tests.bridge.validation import answers
from tests.bridge.validation.synthetic import RATES, Arrays, linear, rotation
from tests.bridge.validation.test_theories_told import beside

D = 8
U = rotation(D, 3)
R = np.geomspace(0.9, 0.45, D)


def network(p, r=R, s=None, depth=3, samples=20_000, **along):
    """Return (measured, run) of aligned features with r_j and s_j, W_p = U diag(p) U^T, behind so many layers."""
    s = np.geomspace(1, 0.05, D) if s is None else s
    rng = np.random.default_rng(0)
    base, *own = rng.standard_normal((3, samples, D))
    z1, z2 = ((np.sqrt(r) * base + np.sqrt(1 - r) * each) * np.sqrt(s) @ U.T for each in own)
    projector = nn.Sequential(*(linear(np.eye(D)) for _ in range(depth)))
    W_p = p if np.ndim(p) == 2 else (U * p) @ U.T
    return measure(Arrays(z1, z2), linear(W_p), projector), KnownRun(RATES, theory=NORMALISED, **along)


def found(law, *given, **along):
    return finding(LAWS[law], *network(*given, **along))


def test_the_laws_speak_of_losses_of_directions_and_say_where_they_do_not():
    names = [name for name, one in LAWS.items() if one.theory == NORMALISED]
    assert names == ["predictor_copies", "slope_of_depth", "spectrum_of_depth", "open_directions", "angle_per_step",
                     "norm_by_steps"]  # fmt: skip
    measured, _ = network(0.4 * R)
    for name in names:
        squared, unknown = (finding(LAWS[name], measured, KnownRun(RATES, theory=theory)) for theory in (SQUARED, ""))
        assert (
            squared.verdict == unknown.verdict == "not testable" and squared.scope == "loss of directions, not counted"
        )
        assert "squared distance" in squared.reason and "give method.loss=cosine" in unknown.reason
        rule = finding(LAWS[name], measured, KnownRun(RATES, theory=NORMALISED, rule="paper"))
        assert rule.verdict == "not testable"


@pytest.mark.parametrize("size", [0.1, 1.0, 30.0])
def test_a_predictor_that_copies_r_has_kappa_p_over_r_of_one_whatever_its_size(size):
    one = found("predictor_copies", size * R)
    assert one.verdict == "holds" and one.value == pytest.approx(1.0, abs=0.01) and one.low < 1 < one.high
    assert one.details["kappa"] == pytest.approx(1 / size, rel=0.02)
    np.testing.assert_allclose(one.details["per_mode"], 1.0, atol=0.05)
    assert one.details["within"] == (0.8, 1.25)


def test_a_predictor_that_is_steep_in_r_does_not_copy_it():
    """kappa is set by the strong modes, so that the faint ones lie below."""
    steep = found("predictor_copies", R**4)
    assert steep.verdict == "fails" and steep.high < 0.8
    some = found("predictor_copies", 0.4 * R, samples=200)
    assert some.verdict in ("holds", "not testable") and some.high - some.low > 0.05


def test_kappa_is_the_ratio_of_means_over_the_samples():
    measured, _ = network(np.linspace(0.2, 1.0, D))
    z1, z2 = (part.double().numpy() for part in (measured.head.z1, measured.head.z2))
    q = z1 @ measured.main.W_p.T
    told = np.mean(np.sum(q * z2, axis=1)) / np.mean(np.sum(q * q, axis=1))
    assert float(prediction_scale(measured).full) == pytest.approx(told, rel=0.03)


@pytest.mark.parametrize(("depth", "power"), [(1, 1 / 2), (2, 1 / 4), (3, 1 / 6)])
def test_the_slope_of_p_is_held_against_the_depth_of_the_projector(depth, power):
    s = np.geomspace(1, 0.02, D)
    one = found("slope_of_depth", s**power, R, s, depth)
    assert one.verdict == "holds" and one.value == pytest.approx(power, abs=0.01) and one.details["depth"] == depth
    assert f"L = {depth}, and 1/2 {'lies' if depth == 1 else 'does not lie'} inside" in one.reason
    assert one.details["limit"] == pytest.approx(power)
    assert found("slope_of_depth", s ** (1.6 * power), R, s, depth).verdict == "fails"
    assert found("slope", s**power, R, s, depth).verdict == ("holds" if depth == 1 else "fails")


def test_without_linear_layers_there_is_no_depth():
    measured, run = network(R)
    bare = measure(Arrays(measured.head.z1, measured.head.z2), linear((U * R) @ U.T))
    assert bare.depth == 0 and math.isnan(bare.norm)
    for name in ("slope_of_depth", "spectrum_of_depth"):
        assert "does not end in linear layers" in finding(LAWS[name], bare, run).reason
    single = measure(Arrays(measured.head.z1), linear((U * R) @ U.T), nn.Sequential(linear(np.eye(D))))
    assert "no second view" in finding(LAWS["predictor_copies"], single, run).reason


def test_norm_and_depth_are_those_of_the_layers_that_end_a_projector():
    layers = [linear(np.full((4, 4), 2.0)), nn.BatchNorm1d(4), nn.ReLU(), linear(np.eye(4)), nn.BatchNorm1d(4)]
    assert linear_layers.norm_and_depth(nn.Sequential(*layers)) == (pytest.approx(math.sqrt(16 * 4 + 4)), 2)
    assert linear_layers.norm_and_depth(nn.Sequential(*layers, nn.LayerNorm(4)))[1] == 0
    assert linear_layers.norm_and_depth(None)[1] == 0


def test_the_spectrum_is_a_power_of_r_that_depth_sets():
    r = np.linspace(0.95, 0.6, D)
    one = found("spectrum_of_depth", r, r, (r / r[0]) ** 6)
    assert one.verdict == "holds" and one.value == pytest.approx(6, rel=0.1) and one.details["limit"] == 6
    assert found("spectrum_of_depth", r, r, (r / r[0]) ** 3).verdict == "fails"
    flat = found("spectrum_of_depth", r, np.full(D, 0.8), np.geomspace(1, 0.1, D))
    assert flat.verdict == "not testable" and "r spreads by a factor 1." in flat.reason and "1.12 needed" in flat.reason


def test_open_directions_are_those_in_which_the_transverse_matrix_grows():
    """Of a symmetric W_p along u_j: r p - kappa p^2 > 0, that is 0 < p < r / kappa."""
    p = np.array([0.9, 0.8, 0.3, 0.2, -0.2, 0.1, 0.05, -0.4])
    one = found("open_directions", p)
    kappa, r = one.details["kappa"], one.details["r"]
    assert one.value == np.sum((p > 0) & (p < r / kappa)) and one.details["trapped"] == D - one.value
    assert one.verdict == "holds" and one.role == "prediction"
    T = rest.transverse_matrix((U * p) @ U.T, r, 1.0, kappa, 1.0)
    assert np.sum(np.linalg.eigvalsh((T + T.T) / 2) > 0) == one.value
    turned = rotation(D, 5) * 0.5  # not symmetric
    other = found("open_directions", (U * R) @ U.T @ turned)
    assert other.verdict == "not testable" or 0 < other.value < D


def test_where_every_direction_is_closed_what_was_lost_stays_lost():
    p = np.array([1.0, *[-0.1] * (D - 1)])
    s = np.array([1.0, *[1e-3] * (D - 1)])
    few = found("open_directions", p, R, s, samples=2000)
    assert few.verdict == "not testable" and "modes are ten times above the noise" in few.reason
    for shut in (found("open_directions", p), found("open_directions", p, R, s, samples=60_000)):
        assert shut.verdict == "fails" and shut.value == 0 and shut.details["trapped"] == D  # p_1 = r_1 / kappa
    closed = answers.finding("open_directions", "fails", details={"trapped": D}, reason="All 8 directions are closed.")
    texts = [each.text for each in advise((closed,), RATES, answers.reading())]
    assert "By the normalised theory what was lost stays lost: all 8 directions are closed." in texts


def test_a_step_that_turns_by_the_angle_at_rest_holds():
    told = rest.angle_per_step(0.1, 0.01, 0.9)
    for factor, verdict in ((1.0, "holds"), (1.4, "holds"), (0.5, "fails"), (2.0, "fails")):
        step = StepTaken(0.1, 0.1, 0.9, 0.01, factor * told, (factor * told,) * 2)
        one = found("angle_per_step", R, last_step=step, last_step_at="step 100")
        assert (one.verdict, one.value) == (verdict, pytest.approx(factor))
        assert one.reason.endswith(f"{factor * told:.3g} rad at step 100.")
        np.testing.assert_allclose(one.details["per_layer"], factor)
    for step, why in (
        (None, "No checkpoint holds the momentum"),
        (StepTaken(0.01, 0.1, 0.9, 0.01, 1.0, (1.0,)), "below half of its peak"),
        (StepTaken(0.1, 0.1, 0.9, 0.0, 1.0, (1.0,)), "Without weight decay no angle is at rest"),
    ):
        one = found("angle_per_step", R, last_step=step)
        assert (one.verdict == "not testable" and one.reason.startswith(why)) or why in one.reason


def test_the_norm_is_held_against_the_theory_and_told_beside_decay_alone():
    told = beside(norm_measured=np.array([1.0, 1.6, 2.2]), path={
        "steps": np.array([0, 60]), "s": np.ones((2, 4)), "effective_rank": np.ones(2), "norm": np.ones(2),
        "norm_by_decay": np.array([1.0, 0.5])})  # fmt: skip
    one = found("norm_by_steps", R, beside=told)
    assert one.verdict == "holds" and one.value == pytest.approx(2.2 / 2.3) and one.details["by_decay"] == 0.5
    assert one.reason.endswith("|W| went from 1 to 2.2; told 2.3, by decay alone 0.5.")
    far = beside(norm_measured=np.array([1.0, 1.6, 3.2]), path=told.path)
    assert found("norm_by_steps", R, beside=far).verdict == "fails"
    assert "could not be run beside two" in found("norm_by_steps", R, beside=None).reason


# The optimiser's last step in a checkpoint


class Net(nn.Module):
    """A network in the layout of facebookresearch/simsiam's heads, as far as its names go."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.projector = nn.Sequential(nn.Linear(6, 5, bias=False), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 4))
        self.predictor = nn.Linear(4, 4)


def stepped(folder, optimiser=torch.optim.SGD, **how):
    """Take three steps and save; return (path, layers before the last step, layers after it)."""
    net = Net()
    optim = optimiser(net.parameters(), **({"lr": 0.05, "momentum": 0.9, "weight_decay": 0.01} | how))
    x, layers = torch.randn(64, 6), [0, 3]
    for _ in range(3):
        before = [net.projector[k].weight.detach().clone().double() for k in layers]
        optim.zero_grad()
        nn.functional.normalize(net.predictor(net.projector(x)), dim=1)[:, 0].mean().backward()
        optim.step()
    after = [net.projector[k].weight.detach().clone().double() for k in layers]
    path = folder / "last.pt"
    torch.save({"state_dict": net.state_dict(), "optimizer": optim.state_dict()}, path)
    return path, before, after


def read(path):
    return read_checkpoint(path, names={"projector": "projector", "predictor": "predictor"})


def test_the_last_step_is_read_off_the_momentum_buffers(tmp_path):
    path, before, after = stepped(tmp_path)
    step = read(path).last_step
    angles = [math.acos(float((a * b).sum() / a.norm() / b.norm())) for a, b in zip(before, after, strict=True)]
    np.testing.assert_allclose(step.angles, angles, rtol=0.03)
    assert min(angles) < step.angle < max(angles)
    assert (step.learning_rate, step.peak, step.momentum, step.decay) == (0.05, 0.05, 0.9, 0.01) and step.told


@pytest.mark.parametrize("how", [{"nesterov": True}, {"momentum": 0.0}])
def test_another_optimiser_s_step_is_not_read(tmp_path, how):
    assert read(stepped(tmp_path, **how)[0]).last_step is None


def test_adam_has_no_such_step_and_damaged_states_are_left_alone(tmp_path):
    path, *_ = stepped(tmp_path, lambda given, **how: torch.optim.AdamW(given, lr=0.01))
    assert read(path).last_step is None
    path, *_ = stepped(tmp_path)
    whole = torch.load(path, weights_only=True)
    for damage in ({"state": {}}, {"param_groups": []}, {"param_groups": [{"params": [0]}]}, {"state": 3}):
        torch.save({**whole, "optimizer": {**whole["optimizer"], **damage}}, path)
        assert read(path).last_step is None
    whole["optimizer"]["state"][0]["momentum_buffer"] = torch.zeros(3, 3)
    torch.save(whole, path)
    assert read(path).last_step is None
