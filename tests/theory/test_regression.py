"""Where the regression predictor turns the rows of W: the theory against runs, from many starts."""

import numpy as np
import pytest

import lindyn as ld
from lindyn import theory
from tests.helpers import moments, relative, rng, weights

HP = ld.Hyperparameters(1.0, 0.4, 0.0)


def run(data, y, t1, target="online", rtol=1e-7):
    flow = ld.WeightFlow(HP, data, target, predictor="linear_regression")
    return flow, ld.simulate(flow, y, [0.0, t1], engine="scipy", rtol=rtol)


def test_directions_diagonalise_both_moments():
    data = moments(1, 5)
    values, V = theory.regression_directions(data.X, data.X_aug)
    assert relative(V.T @ data.Sigma_s @ V, np.eye(5)) < 1e-10 and relative(V.T @ data.X @ V, np.diag(values)) < 1e-10
    assert np.all(np.diff(values) <= 0) and np.all((values >= 0) & (values <= 1))
    commuting = ld.Moments.commuting([1.0, 0.5, 2.0], [0.1, 0.5, 4.0])
    assert relative(theory.regression_directions(commuting.X, commuting.X_aug)[0], [1 / 1.1, 0.5, 1 / 3]) < 1e-12


@pytest.mark.parametrize("target", ["online", "ema"])
def test_one_output_finds_the_largest_lambda(target):
    for seed in range(4):
        data = ld.Moments(np.diag([1.0, 0.6, 0.3]), moments(seed, 3).X_aug + 0.05 * np.eye(3))
        _, path = run(data, weights(seed, 1, 3, "copy"), 400.0, target)
        top = theory.regression_subspace(data.X, data.X_aug, 1)
        cosine = abs(float((path.final.W @ top)[0, 0])) / np.linalg.norm(path.final.W)
        assert cosine == pytest.approx(1, abs=1e-5)


def test_rows_end_on_an_attracting_set_of_directions():
    """From every start the end is a set of generalised eigenvectors that the linearisation calls attracting."""
    largest = 0
    for seed in range(8):
        data = ld.Moments(np.diag([1.2, 0.9, 0.3, 0.2]), 0.2 * moments(seed, 4).X_aug + 0.1 * np.eye(4))
        _, path = run(data, weights(seed, 2, 4, "copy"), 1500.0, rtol=1e-6)
        rest = theory.regression_rest(path.final.W, data.X, data.X_aug)
        assert rest.distance < 1e-3 and rest.attracting, (seed, rest)
        assert relative(np.sort(np.linalg.eigvals(path.final.W_p).real)[::-1], rest.values[list(rest.chosen)]) < 1e-3
        largest += rest.largest
    assert largest >= 4


def test_growth_rates_are_those_of_the_flow():
    """The linearisation against finite differences of the field, in the coordinates Z."""
    data, W = moments(3, 5), weights(3, 2, 5).W
    _, V = theory.regression_directions(data.X, data.X_aug)
    chosen, S = (0, 3), data.Sigma_s
    I, J = list(chosen), [1, 2, 4]
    C = W @ S @ V[:, I]
    flow = ld.WeightFlow(HP, data, "online", predictor="linear_regression")

    def rate(Z):
        rows = C @ (V[:, I] + V[:, J] @ Z).T
        dW = flow(0.0, ld.WeightState(rows)).W
        return (np.linalg.solve(C, dW @ S @ V[:, J] - dW @ S @ V[:, I] @ Z.T)).T

    step, columns = 1e-5, []
    for k in range(6):
        E = np.zeros(6)
        E[k] = step
        columns.append(((rate(E.reshape(3, 2)) - rate(-E.reshape(3, 2))) / (2 * step)).ravel())
    found = np.sort_complex(np.linalg.eigvals(np.array(columns).T))
    want = np.sort_complex(theory.regression_rest(W, data.X, data.X_aug, chosen).growth)
    assert relative(found, want) < 1e-6


def test_two_worse_directions_can_attract():
    """The counter-example of `closed_form.regression_other_attractor`, run: 9/10 is left outside."""
    X = np.diag([0.6, 0.2, 0.9])
    data, C = ld.Moments(X, np.eye(3) - X), np.array([[1.0, 2.0], [0.0, 1.0]])
    W = C @ np.array([[1.0, 0.0, 0.01], [0.0, 1.0, -0.02]])
    rest = theory.regression_rest(W, data.X, data.X_aug, chosen=(1, 2))
    assert rest.attracting and np.sum(rest.growth).real == pytest.approx(-8 / 25)
    assert np.prod(rest.growth).real == pytest.approx(63 / 2500)
    _, path = run(data, ld.WeightState(W), 150.0)
    end = theory.regression_rest(path.final.W, data.X, data.X_aug)
    assert end.chosen == (1, 2) and end.distance < 1e-6 and not end.largest
    _, round_start = run(data, ld.WeightState(np.linalg.qr(W.T)[0].T), 150.0)
    assert theory.regression_rest(round_start.final.W, data.X, data.X_aug).largest


def test_white_views_and_round_weights_climb_to_the_top():
    X = np.diag([0.9, 0.7, 0.4, 0.2])
    data = ld.Moments(X, np.eye(4) - X)
    W = np.linalg.qr(rng(5).normal(size=(4, 2)))[0].T
    flow = ld.WeightFlow(HP, data, "online", predictor="linear_regression")
    path = ld.simulate(flow, ld.WeightState(W), np.linspace(0, 200, 41), engine="scipy", rtol=1e-8)
    traces = np.trace(path.states.W_p, axis1=1, axis2=2)
    assert np.all(np.diff(traces) > -1e-8) and traces[-1] == pytest.approx(1.6, abs=1e-6)


BAD = {
    "k": (
        lambda: theory.regression_subspace(np.eye(3), np.eye(3), 4),
        "k must be a whole number from 1 to n1 = 3; got 4",
    ),
    "rank": (lambda: theory.regression_directions(np.diag([1.0, 0.0]), np.zeros((2, 2))), "X + X' must have full rank"),
    "W": (
        lambda: theory.regression_rest(np.eye(3), np.eye(2), np.eye(2)),
        "W must be n2 x n1 with n1 = 2 >= n2; got shape (3, 3)",
    ),
    "many": (
        lambda: theory.regression_rest(np.eye(30)[:15], np.eye(30), np.eye(30)),
        "too many to look through; give chosen=",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    make, text = BAD[case]
    with pytest.raises(ValueError) as caught:
        make()
    assert text in str(caught.value)
