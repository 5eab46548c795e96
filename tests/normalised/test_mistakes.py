"""What the normalised flows refuse, each in one sentence: losses that are not defined, states that do not fit."""

import warnings

import numpy as np
import pytest

import lindyn as ld
from lindyn.flows import losses
from tests.normalised.systems import HP, deep_state, modes, moments

EMPTY = ld.Moments(np.diag([1.0, 0.5, 0.0, 0.0]), np.diag([0.2, 0.1, 0.0, 0.0]))  # nothing in two directions
W = np.array([[0.0, 0.0, 1.0, 2.0], [0.0, 0.0, 0.5, -1.0]])  # reads these alone
LIVING = np.array([[1.0, 0.3, 0.0, 0.0], [0.2, 1.0, 0.0, 0.0]])


def start(flow, y):
    return ld.simulate(flow, y, [0.0, 0.1], engine="scipy")


@pytest.mark.parametrize(
    ("flow", "y", "text"),
    [
        ({"loss": "cosine"}, (0 * W,), "W_p W = 0 at the start: the cosine loss is not defined there"),
        ({"loss": "cosine"}, (LIVING, None, 0 * W), "W_a = 0 at the start: the cosine loss is not defined there"),
        ({"loss": "cosine"}, (W,), "W_p W x = 0 for all data at the start: the cosine loss is not defined there"),
        ({"loss": "cosine"}, (LIVING, None, W), "W_a x = 0 for all data at the start"),
        ({"loss": "cosine"}, (LIVING, np.zeros((2, 2))), "W_p W = 0 at the start"),
        ({"normalise": "batchnorm"}, (np.vstack([LIVING[0], 0 * W[0]]),), "Row 1 of W is 0, a constant feature: Bat"),
        ({"normalise": "batchnorm"}, (np.vstack([LIVING[0], W[0]]),), "Output 1 of W is constant on these data, a c"),
        ({"normalise": "batchnorm"}, (LIVING, None, W), "Output 0 of W_a is constant on these data"),
    ],
)
def test_losses_that_are_not_defined_at_the_start(flow, y, text):
    with pytest.raises(ValueError, match=text):
        start(ld.WeightFlow(HP, EMPTY, **flow), ld.WeightState(*y))
    deep = [None if each is None else (each,) if each.shape[1] == 4 else each for each in y]
    with pytest.raises(ValueError, match=text):
        start(ld.DeepFlow(HP, EMPTY, **flow), ld.DeepWeightState(*deep))


def test_what_is_defined_is_run():
    for normalise in ("none", "batchnorm"):
        traj = start(ld.WeightFlow(HP, EMPTY, loss="cosine", normalise=normalise), ld.WeightState(LIVING + W))
        assert traj.succeeded
    turned = np.array([[1.0, 0.5], [0.0, 0.3]])
    small, large = (ld.WeightState(size * LIVING, turned) for size in (1e-9, 1.0))  # small is not 0: it has no scale
    flow = ld.WeightFlow(HP, EMPTY, loss="cosine")
    flow.check_state(small)
    np.testing.assert_allclose(flow(0.0, small).W, 1e9 * flow(0.0, large).W, rtol=1e-9)


@pytest.mark.parametrize("loss", ["cosine", "cosine-exact"])
def test_modes_without_outputs(loss):
    x, x_aug, y = modes(4)
    flow = ld.ModeWeightFlow(HP, x, x_aug, loss=loss)
    with pytest.raises(ValueError, match="p w = 0 at the start"):
        start(flow, ld.ModeWeightState(0 * y.p, y.w, y.a))
    with pytest.raises(ValueError, match="a x = 0 for all data at the start"):
        start(flow._replace(x=x * [0, 1, 1, 1], x_aug=x_aug * [0, 1, 1, 1]),
              ld.ModeWeightState(y.p, y.w, y.a * [1, 0, 0, 0]))  # fmt: skip
    with pytest.raises(ValueError, match="The cosine loss takes all modes of one network together"):
        start(ld.ModeWeightFlow(HP, loss=loss), ld.ModeWeightState(np.ones((2, 3)), np.ones((2, 3))))


def test_the_mean_cosine_of_nothing():
    with pytest.raises(ValueError, match="p w gives outputs that are 0: the cosine loss is not defined"):
        losses.mean_cosine(np.zeros(2), np.ones(2), np.ones(2), np.ones(2), np.ones(2))


@pytest.mark.parametrize(
    ("flow", "reason"),
    [
        ({"loss": "cosine"}, "W_p W = 0: the cosine loss is not defined there"),
        ({"loss": "cosine", "normalise": "batchnorm"}, "Row 0 of W is 0, a constant feature: BatchNorm divides it"),
    ],
)
def test_a_run_that_comes_to_a_zero_vector_says_when(flow, reason):
    """One output that points where the target does has no gradient; a decay of 1/lr takes all of it at once."""
    y = ld.WeightState(W=np.ones((1, 1)), W_p=np.eye(1), W_a=np.ones((1, 1)))
    flow = ld.WeightFlow(
        ld.Hyperparameters(eta=1.0), ld.Moments(np.eye(1), np.zeros((1, 1))), predictor="identity", **flow
    )
    with pytest.raises(ld.SimulationError, match=rf"not finite past t = 1 \(asked for t = 5\); {reason}"):
        ld.descend(flow, y, learning_rate=1.0, steps=5)


def test_views_that_share_nothing():
    with pytest.raises(ValueError, match=r"X is nothing beside X'.*Lower x_aug"):
        ld.WeightFlow(HP, ld.Moments(1e-14 * np.eye(3), np.eye(3)), loss="cosine")


def test_the_exact_loss_on_matrices_names_the_closure():
    with pytest.raises(
        ValueError, match=r"exact for modes of commuting X and X' only .*Use loss='cosine', the closure"
    ):
        ld.WeightFlow(HP, moments(), loss="cosine-exact")


def test_nodes_that_are_too_few_are_said_with_a_number_that_does():
    x, x_aug, y = modes(4)
    with pytest.warns(UserWarning, match=r"nodes=8 a side leave a relative error of .*; try nodes=56"):
        start(ld.ModeWeightFlow(HP, x, x_aug, loss="cosine-exact", nodes=8), y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        start(ld.ModeWeightFlow(HP, x, x_aug, loss="cosine-exact", nodes=56), y)


def test_modes_that_are_alike_have_no_drive_and_no_error():
    """By symmetry every drive is the same, and their sum with weights m is 0: the loss is of degree 0."""
    y = ld.ModeWeightState(np.full(3, 0.3), np.full(3, 0.4))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        flow = ld.ModeWeightFlow(HP, np.ones(3), np.full(3, 0.2), loss="cosine-exact")
        start(flow, y)
    assert losses.quadrature_error(flow, y) < 1e-12


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"Ws": ()}, "Ws must hold at least one layer; got none"),
        ({"Ws": 3.0}, r"Ws must be a tuple of layers, \(W_1, ..., W_L\); got 3.0"),
        ({"Ws": None}, r"Ws must be a tuple of layers, \(W_1, ..., W_L\); got None"),
        ({"Ws": np.ones((2, 3))}, r"got one matrix. Write Ws=\(W,\)"),
        ({"Ws": (np.ones((4, 3)), np.ones((2, 5)))}, "layer 2 takes 5 numbers, layer 1 gives 4"),
        ({"Ws": (np.ones((2, 3)),), "W_as": (np.ones((2, 4)),)}, "W_as must have the shapes of Ws, 2 x 3; got 2 x 4"),
    ],
)
def test_layers_that_do_not_fit(given, text):
    with pytest.raises(ValueError, match=text):
        ld.DeepWeightState(**given)


def test_layers_that_do_not_fit_the_data():
    with pytest.raises(ValueError, match="W_1 must have n1 = 6 columns"):
        start(ld.DeepFlow(HP, moments(), loss="cosine"), deep_state(n1=5))


@pytest.mark.parametrize(
    ("flow", "more", "text"),
    [
        ({"target": "online"}, {"gamma_a": 0.9}, "gamma_a moves an EMA target; got target='online'. Leave it out"),
        ({"loss": "cosine"}, {"mean": "closure"}, "mean='closure' is how a minibatch.*Give batch"),
        ({}, {"mean": "closure", "batch": 8}, "mean='closure' is how a minibatch.*loss='squared'"),
        ({"normalise": "batchnorm"}, {"batch": 1}, "batch must be at least 2 under BatchNorm"),
    ],
)
def test_choices_of_a_descent_that_would_do_nothing(flow, more, text):
    y = ld.WeightState.random(3, 6)
    with pytest.raises(ValueError, match=text):
        ld.descend(ld.WeightFlow(HP, moments(), **flow), y, steps=3, **more)


def test_a_target_may_follow_at_once_at_every_step():
    y = ld.WeightState.random(3, 6)
    traj = ld.descend(ld.WeightFlow(HP, moments(), loss="cosine"), y, steps=3, gamma_a=np.zeros(3))
    np.testing.assert_array_equal(traj.states.W_a[-1], traj.states.W[-1])
