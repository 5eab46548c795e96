"""Exact reductions: right-hand sides equal the printed ones to 1e-12, trajectories to the tolerance asked for."""

import numpy as np
import pytest

import lindyn as ld
from lindyn.solve.reductions import REDUCTIONS, reduce_flow
from tests.helpers import ABLATIONS, block_difference, moments, orthogonal, psd, start, words

HP = ld.Hyperparameters(1.7, 0.6, eta_p=0.09, eta_s=0.04)


def _near_repeated():
    X, X_aug = np.diag([1.0, 1.0 + 5e-10, 0.3]), psd(3, 3, 0.4)
    return ld.Moments(X, X_aug)


def _hidden_coupling():
    """The commutator is 4e-14 of the norms beside an entry of 1e6, yet two directions are coupled by 1/2."""
    X_aug = np.zeros((3, 3))
    X_aug[0, 0], X_aug[1:, 1:] = 1e6, [[1.0, 0.5], [0.5, 1.0]]
    return ld.Moments(np.diag([1.0, 1.0, 1.0 + 1e-7]), X_aug)


DATA = {
    "random": moments(1, n1=7),
    "isotropic": ld.Moments.isotropic(9, 0.3, 1.2),
    "isotropic, few inputs": ld.Moments.isotropic(2, 0.3),
    "scaled identity and general": ld.Moments(np.eye(6), psd(2, 6)),
    "commuting": ld.Moments.commuting(np.linspace(2.0, 0.1, 7), np.linspace(0.1, 1.0, 7), orthogonal(3, 7)),
    "commuting, repeated": ld.Moments.commuting([1.0, 1.0, 0.5, 0.5], [0.3, 0.1, 0.3, 0.3], orthogonal(4, 4)),
    "commuting, wide": ld.Moments.commuting(10.0 ** -np.arange(12), 10.0 ** -np.arange(12)[::-1], orthogonal(5, 12)),
    "diagonal": ld.Moments(np.diag([0.3, 1.0, 0.7]), np.diag([0.1, 0.0, 0.4])),
    "X = 0": ld.Moments(np.zeros((3, 3)), psd(6, 3)),
    "nearly repeated": _near_repeated(),
    "hidden coupling": _hidden_coupling(),
}
EXPECTED = {
    "random": "rotated",
    "isotropic": "isotropic",
    "isotropic, few inputs": "isotropic",
    "diagonal": "commuting",
    "nearly repeated": "rotated",
    "hidden coupling": "rotated",
} | {name: "commuting" for name in DATA if name.startswith(("commuting", "scaled", "X"))}


def allowed(flow, y0):
    for name in REDUCTIONS:
        try:
            yield name, reduce_flow(flow, y0, name)
        except ValueError as error:
            assert "needs other data" in str(error)


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("choices", ABLATIONS, ids=words)
def test_right_hand_sides_equal_the_printed_ones(choices, data):
    flow = ld.WeightFlow(HP, DATA[data], **choices)
    y0 = start(flow, 3)
    want = flow(0.0, y0)
    for name, reduced in allowed(flow, y0):
        assert block_difference(reduced.restore(reduced.y0), y0) < 1e-14, name
        assert block_difference(reduced.restore(reduced.flow(0.0, reduced.y0)), want) < 1e-12, name


@pytest.mark.parametrize("data", DATA)
def test_the_cheapest_exact_form_is_chosen(data):
    flow = ld.WeightFlow(HP, DATA[data])
    assert reduce_flow(flow, start(flow)).name == EXPECTED[data]


def test_isotropic_weights_shrink_to_the_rows_they_span():
    """n2 columns where W_a starts in the span of W's rows, 2 n2 otherwise, nothing where that saves nothing."""
    flow = ld.WeightFlow(HP, ld.Moments.isotropic(20, 0.3))
    columns = {}
    for target in ("copy", "zero", "independent"):
        y0 = ld.WeightState.random(3, 20, 1, target=target)
        columns[target] = reduce_flow(flow, y0).y0.W.shape[1]
    assert columns == {"copy": 3, "zero": 3, "independent": 6}
    narrow = ld.WeightFlow(HP, ld.Moments.isotropic(5, 0.3))
    assert reduce_flow(narrow, ld.WeightState.random(3, 5, target="independent")).Q is None


@pytest.mark.parametrize("rtol", [1e-7, 1e-11])
@pytest.mark.parametrize(
    "data", ["random", "isotropic", "commuting", "commuting, repeated", "diagonal", "nearly repeated"]
)
def test_trajectories_agree_to_the_tolerance(data, rtol):
    for choices in (ABLATIONS[0], ABLATIONS[4], ABLATIONS[6], ABLATIONS[9]):
        flow = ld.WeightFlow(HP, DATA[data], **choices)
        y0, ts = start(flow, 4), np.linspace(0.0, 12.0, 4)
        exact = ld.simulate(flow, y0, ts, rtol=1e-13, engine="scipy", reduction="printed")
        for name, _ in allowed(flow, y0):
            run = ld.simulate(flow, y0, ts, rtol=rtol, engine="scipy", reduction=name)
            assert run.notes["reduction"] == (EXPECTED[data] if name == "auto" else name)
            assert block_difference(run.states, exact.states) < 10 * rtol


@pytest.mark.parametrize("data", ["random", "isotropic", "commuting"])
def test_descent_is_the_same_in_every_form(data):
    """`descend` takes the reduction by itself: equal to the steps written out in numpy."""
    flow = ld.WeightFlow(HP, DATA[data])
    y = y0 = start(flow, 5)
    run = ld.descend(flow, y0, learning_rate=0.05, steps=40, save_every=20)
    for step in range(1, 41):
        dy = flow(0.0, y)
        W = y.W + 0.05 * dy.W
        y = ld.WeightState(W, y.W_p + 0.05 * dy.W_p, (1 - 0.05 * 0.6) * y.W_a + 0.05 * 0.6 * W)
        if step % 20 == 0:
            assert block_difference(run[step // 20], y) < 1e-12


def test_the_gram_system_follows_the_full_flow():
    """The n2 x n2 system and the flow of the weights, on isotropic data, along a path."""
    full = ld.WeightFlow(HP, DATA["isotropic"])
    y0, ts = start(full, 6), np.linspace(0.0, 20.0, 5)
    weights = ld.simulate(full, y0, ts, engine="scipy").states
    small = ld.simulate(ld.GramFlow(HP, 0.3, 1.2), ld.conversions.weights_to_gram(y0).state, ts, engine="scipy").states
    T = lambda M: np.swapaxes(M, 1, 2)  # noqa: E731
    want = ld.GramState._unchecked(
        W_p=weights.W_p, F=weights.W @ T(weights.W), H=weights.W_a @ T(weights.W), J=weights.W_a @ T(weights.W_a)
    )
    assert block_difference(small, want) < 1e-9


def test_only_weight_flows_are_reduced():
    flow = ld.ModeFlow(HP)
    assert reduce_flow(flow, ld.ModeState(0.1, 0.1)).name == "printed"
    with pytest.raises(ValueError, match=r"reduction must be one of .*; got 'isotropc'. Did you mean 'isotropic'\?"):
        reduce_flow(flow, ld.ModeState(0.1, 0.1), "isotropc")
    random = ld.WeightFlow(HP, DATA["random"])
    with pytest.raises(ValueError, match="'isotropic' needs other data: these X, X' allow printed, rotated"):
        reduce_flow(random, start(random), "isotropic")
