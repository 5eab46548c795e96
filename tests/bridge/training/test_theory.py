"""The same trainer on the paper's network: finite steps to round-off, the flow to the order of step and batch."""

import numpy as np
import pytest

import lindyn as ld
from lindyn.bridge.layers import stacks
from lindyn.bridge.run import hyperparameters, start, step_time, training_theory
from lindyn.bridge.training import SIDES_OVER_J, PredictorKind, TrainConfig, open_source
from lindyn.bridge.training.image_batches import CHUNK
from tests.bridge.training.helpers import LINEAR, TINY, run

CASES = {
    "byol": {},
    "momentum, own rate and decay": {
        "optim.momentum": 0.9,
        "optim.alpha_p": 3.0,
        "optim.predictor_weight_decay": 0.05,
        "optim.projector_multiplier": 1.0,
    },
    "both directions, symmetric, independent target": {
        "method.sides": "symmetrised",
        "model.predictor": "linear_symmetric",
        "method.target_start": "independent",
        "method.ema": 0.9,
    },
    "simsiam": {"method.target": "online", "method.sides": "averaged"},
    "frozen zero target, no predictor": {
        "method.target": "frozen",
        "method.target_start": "zero",
        "model.predictor": "identity",
    },
}


def flow_of(done, data):
    """Return (flow, start) of a run of the linear network."""
    _, states = start.weights_along(done)
    config = done.config
    flow = ld.WeightFlow(
        hyperparameters(config),
        data,
        target=config.method.target,
        predictor=PredictorKind.of(config.model.predictor).of_flow,
    )
    W_a = None if config.method.target == "online" else states.W_a[0]
    return flow, ld.WeightState(states.W[0], states.W_p[0], W_a), states


@pytest.mark.parametrize("case", CASES)
def test_the_trainer_is_descend_to_round_off(tmp_path, case):
    """All images as one batch, no augmentation: then X is their second moment, X' = 0, and nothing is random."""
    done = run(
        tmp_path,
        LINEAR,
        run__epochs=25,
        run__checkpoint_every=5,
        **{k.replace(".", "__"): v for k, v in CASES[case].items()},
    )
    images = open_source(done.config).images.double().flatten(1).numpy()
    data = ld.Moments(images.T @ images / len(images), np.zeros((64, 64)))
    flow, first, states = flow_of(done, data)
    o = done.config.optim
    rate = o.lr * SIDES_OVER_J[done.config.method.sides]
    twin = ld.descend(flow, first, learning_rate=rate, momentum=o.momentum, steps=25, save_every=5)
    for name in ("W", "W_p", "W_a"):
        np.testing.assert_allclose(getattr(states, name), getattr(twin.states, name), rtol=0, atol=2e-14)
    assert np.abs(states.W[-1] - states.W[0]).max() > 0.02


def test_moments_of_the_views_are_those_training_draws(tmp_path):
    """X + X' is E[v v^T] of training's own views, and X' = 0 without augmentation."""
    noisy = {"data.augmentation": "noise", "data.noise": 0.3, "run.epochs": 1, "optim.batch": 600}
    done = run(tmp_path / "a", LINEAR | noisy)
    images = open_source(done.config).images.double().flatten(1).numpy()
    data = start.moments(done, views=16)
    X = images.T @ images / len(images)
    np.testing.assert_allclose(data.X, X, atol=0.02)
    np.testing.assert_allclose(data.X_aug, 0.09 * np.eye(64), atol=0.006)
    still = start.moments(run(tmp_path / "b", LINEAR | {"run.epochs": 1}))
    np.testing.assert_allclose(still.X, X, atol=1e-12)
    assert np.abs(still.X_aug).max() < 1e-14


def test_frozen_features_of_a_network_give_the_networks_own_output(tmp_path):
    """The bias of the last layer as a feature that is 1: W h + b = [W b] [h; 1], and F = W (X + X') W^T."""
    done = run(tmp_path, TINY | {"run.epochs": 1, "data.augmentation": "none"})
    module = done.module(0).train()
    images = open_source(done.config).images
    before, layer = start.split(module)
    W, F = stacks.weight_and_bias(layer).numpy(), 0.0
    for first in range(0, len(images), CHUNK):  # BatchNorm sees the same batches
        part = images[first : first + CHUNK]
        h = before(part).detach().double().numpy()
        z = module.projection_head(module(part)).detach().double().numpy()
        np.testing.assert_allclose(h @ W.T, z, atol=1e-5)
        F = F + z.T @ z / len(images)
    data = start.moments(done)
    np.testing.assert_allclose(W @ data.Sigma_s @ W.T, F, atol=1e-4)
    assert np.trace(F) > 0.1


def test_rates_follow_the_training_conventions():
    config = TrainConfig.of(
        {
            "optim.lr": 0.03,
            "optim.momentum": 0.9,
            "optim.weight_decay": 4e-4,
            "optim.alpha_p": 2.0,
            "optim.predictor_weight_decay": 1e-3,
            "method.ema": 0.996,
            "method.sides": "symmetrised",
        }
    )
    hp = hyperparameters(config)
    assert step_time(config) == pytest.approx(0.6)
    assert (hp.alpha_p, hp.beta) == (pytest.approx(2.0), pytest.approx(0.004 / 0.6))
    assert (hp.eta_s, hp.eta_p) == (pytest.approx(2e-4), pytest.approx(1e-3))
    with pytest.raises(ValueError, match=r"that of gradient descent; got optim.name='lars'"):
        hyperparameters(config.changed({"optim.name": "lars"}))


def test_what_has_no_counterpart_is_refused(tmp_path):
    done = run(tmp_path, TINY | {"run.epochs": 1, "model.predictor": "mlp"})
    with pytest.raises(ValueError, match=r"The theory's predictor is linear; got model.predictor='mlp'"):
        training_theory.beside(done)
    simsiam = run(tmp_path / "b", TINY | {"run.epochs": 1, "model.projector": "simsiam"})
    with pytest.raises(ValueError, match=r"needs a linear last layer"):
        start.moments(simsiam)


def test_moments_behind_a_linear_projector_are_those_of_the_vectors_carried_through_the_backbone(tmp_path):
    given = {"data.name": "gaussian", "model.projector": "linear", "model.dim": 4, "data.count": 256, "run.epochs": 1,
             "run.progress": False, "run.precision": "64-true"}  # fmt: skip
    done = run(tmp_path, given)  # ends with the theory beside it, as gaussian runs do
    assert "nothing fitted" in (done.folder / "summary.txt").read_text(encoding="utf-8")
    A = done.module(0).backbone.linear.weight.detach().numpy()
    data, x = start.moments(done, views=8), open_source(done.config).x.numpy()
    for found, exact in ((data.X, (A * x) @ A.T), (data.X_aug, 0.25 * A @ A.T)):
        assert np.linalg.norm(found - exact) < 0.06 * np.linalg.norm(exact)


def test_a_run_that_the_theory_cannot_follow_still_ends_with_its_summary(tmp_path):
    done = run(tmp_path, TINY | {"run.epochs": 1, "model.projector": "simsiam", "run.theory": True})
    text = (done.folder / "summary.txt").read_text(encoding="utf-8")
    assert "No linear theory beside this run: The theory needs a linear last layer" in text


def gaussian(folder, lr, batch, time=4.0, seed=0, **more):
    """Train the linear network on Gaussian vectors for a flow time; return the comparison with the flow."""
    steps = round(time / lr)
    given = {
        "data.name": "gaussian",
        "data.size": 8,
        "model.width": 4,
        "data.count": batch * 10,
        "optim.batch": batch,
        "optim.lr": lr,
        "optim.weight_decay": 0.05,
        "optim.alpha_p": 1.5,
        "method.ema": 1 - 0.5 * lr,
        "run.epochs": steps // 10,
        "run.seed": seed,
        "run.precision": "64-true",
        "run.progress": False,
        "run.checkpoint_every": max(1, steps // 40),
        "run.diagnostics_every": 0,
        "run.threads": 1,
        "run.theory": False,
    }
    return training_theory.beside(run(folder, given, **more))


def test_the_flow_follows_training_without_a_fit(tmp_path):
    """The distance is that of step and batch: under 4 % here, while the weights move by more than their size."""
    found = gaussian(tmp_path, lr=0.05, batch=512)
    assert found.note == "" and found.error().max() < 0.04
    moved = np.linalg.norm(found.measured.W_p[-1] - found.measured.W_p[0]) / np.linalg.norm(found.measured.W_p[0])
    assert moved > 0.5
    here, there = found.readings()
    np.testing.assert_allclose(here["s"][-1], there["s"][-1], rtol=0.08)


def test_a_closed_form_predictor_follows_the_flow_of_its_rule(tmp_path):
    """W_p is set from the batch's F in training, and from W (X + X') W^T at every instant in the theory."""
    rule = {"model__predictor": "direct_pred", "model__predictor_options": {"eps": 0.1, "rho": 0.3}}
    found = gaussian(tmp_path, lr=0.05, batch=2048, **rule)
    states = found.theory
    distance = np.linalg.norm(found.measured.W[-1] - states.W[-1]) / np.linalg.norm(states.W[-1])
    assert distance < 0.03
    assert np.linalg.norm(states.W[-1] - states.W[0]) > 0.3 * np.linalg.norm(states.W[0])
    np.testing.assert_allclose(found.measured.W_p[-1], states.W_p[-1], atol=0.05)


@pytest.mark.slow
def test_the_distance_to_the_flow_is_of_first_order_in_the_step(tmp_path):
    """At a batch so large that its noise is below the error of the step, halving the step halves the distance."""
    lrs = [0.1, 0.05, 0.025]
    errors = [gaussian(tmp_path / str(lr), lr, batch=60_000).error()[-1] for lr in lrs]
    slope = np.polyfit(np.log(lrs), np.log(errors), 1)[0]
    assert 0.85 < slope < 1.15, (slope, errors)


@pytest.mark.slow
def test_the_distance_to_population_descent_falls_as_the_root_of_the_batch(tmp_path):
    """Against `descend` with the same step only the minibatch is left: slope -1/2."""
    batches, lr, errors = [16, 128, 1024], 0.05, []
    for batch in batches:
        squares = []
        for seed in range(4):
            found = gaussian(tmp_path / f"{batch}-{seed}", lr, batch, seed=seed)
            y0 = ld.WeightState(found.measured.W[0], found.measured.W_p[0], found.measured.W_a[0])
            twin = ld.descend(found.flow, y0, learning_rate=lr, steps=80)
            squares.append(np.linalg.norm(found.measured.W[-1] - twin.states.W[-1]) ** 2)
        errors.append(np.sqrt(np.mean(squares)))
    slope = np.polyfit(np.log(batches), np.log(errors), 1)[0]
    assert -0.6 < slope < -0.4, (slope, errors)


def test_a_rule_sets_the_theorys_W_p_from_the_start(tmp_path):
    found = gaussian(tmp_path, lr=0.05, batch=64, time=1.0, model__predictor="direct_pred")
    for W, W_p in zip(found.theory.W, found.theory.W_p, strict=True):
        F = W @ found.flow.data.Sigma_s @ W.T
        np.testing.assert_allclose(W_p, ld.predictors.direct_pred(F), atol=1e-10)
    assert np.linalg.norm(found.theory.W_p[0] - found.measured.W_p[0]) > 1e-3  # before training it is not set
