"""The cross-correlation E[z' z^T]: from the other view's call, from one call with both, from the target, or refused."""

import pytest
import torch

from lindyn import bridge, predictors
from tests.bridge.helpers import D, W_p_of, batches, correlation
from tests.bridge.test_updates import close, data, step_of


def cross(z, z_target):
    return torch.as_tensor(predictors.statistics(z, z_target)[1])


def both_ways(z1, z2):
    return (cross(z1, z2) + cross(z2, z1)) / 2


@pytest.mark.parametrize(("name", "rho"), [("linear_regression", 0.0), ("neumann", 0.4), ("stiefel", 0.4)])
def test_two_calls_of_a_step_are_each_others_view(name, rho):
    layer = bridge.ClosedFormPredictor(D, rule=name, rho=rho).double()
    rule = getattr(predictors, name)
    H = F = None
    for k, (z1, z2) in enumerate(data(3, n=30)):
        outs, _ = step_of(layer, z1, z2)
        used = rule(correlation(z1), correlation(z1)) if k == 0 else rule(F, H)
        for out, z in zip(outs, (z1, z2), strict=True):
            close(out.detach(), z @ used.T, 1e-9)
        F = correlation(z1, z2) if k == 0 else rho * F + (1 - rho) * correlation(z1, z2)
        H = both_ways(z1, z2) if k == 0 else rho * H + (1 - rho) * both_ways(z1, z2)
    layer.update()
    close(layer.cross_hat, H)
    close(layer.W_p, rule(F, H), 1e-9)


def test_an_odd_call_is_left_out_of_the_cross_correlation_only():
    layer = bridge.LinearRegressionPredictor(D).double()
    (z1, z2), (z3, _), (z4, z5) = data(3)
    for z in (z1, z2, z3):
        layer(z.clone().requires_grad_()).sum().backward(retain_graph=True) if z is z3 else layer(z)
    layer(z4)  # a new step: z3 is not its partner
    close(layer.cross_hat, both_ways(z1, z2))
    close(layer.F_hat, correlation(z1, z2, z3))
    layer(z5)
    layer.update()
    close(layer.cross_hat, both_ways(z4, z5))


@pytest.mark.parametrize("update", ["step", "call"])
def test_one_call_with_both_views(update):
    layer = bridge.ClosedFormPredictor(D, rule="linear_regression", views=2, update=update).double()
    for z1, z2 in data(2, n=30):
        z = torch.cat([z1, z2]).requires_grad_()
        out = layer(z)
        out.sum().backward()
    layer.update()
    W_p = predictors.linear_regression(correlation(z1, z2), both_ways(z1, z2))
    close(layer.W_p, W_p, 1e-9)
    if update == "call":
        close(out.detach(), z.detach() @ W_p.T, 1e-9)


def test_the_target_is_given_with_the_call_or_observed():
    by_call, observed = (
        bridge.ClosedFormPredictor(D, rule="linear_regression", cross_from="target").double() for _ in range(2)
    )
    for k, (z, target) in enumerate(data(3, n=30)):
        out = by_call(z.requires_grad_(), target=target)
        out.sum().backward()
        out = observed(z)
        if k == 0:
            close(observed.W_p, predictors.linear_regression(correlation(z), correlation(z)), 1e-9)
        observed.observe(z, target)
        out.sum().backward()
    by_call.update(), observed.update()
    close(by_call.W_p, predictors.linear_regression(correlation(z), cross(z.detach(), target)), 1e-9)
    assert torch.equal(by_call.W_p, observed.W_p)


def test_richemond_batchwise_regression_with_the_target_predicts_best():
    """W_p of this very batch is the least-squares predictor of the target from z."""
    layer = bridge.ClosedFormPredictor(D, "richemond", rule="linear_regression", update="call", cross_from="target")
    layer = layer.double()
    ((z, target),) = data(1, n=30)
    out = layer(z, target)
    close(out, z @ torch.linalg.lstsq(z, target).solution, 1e-9)


def test_the_mean_is_subtracted_from_both_sides():
    layer = bridge.LinearRegressionPredictor(D, centre=True).double()
    ((z1, z2),) = data(1, n=30)
    z1, z2 = z1 + 3, z2 - 1
    layer(z1), layer(z2)
    layer.update()
    stacked = torch.cat([z1, z2]), torch.cat([z2, z1])
    close(layer.cross_hat, torch.as_tensor(predictors.statistics(*stacked, centre=True)[1]))


def test_stiefel_without_a_cross_correlation_is_the_printed_one():
    layer = bridge.StiefelPredictor(D, cross_from="none").double()
    (views,) = data(1)
    step_of(layer, *views)
    layer.update()
    close(layer.W_p, predictors.stiefel(correlation(*views)))
    assert "cross_hat" not in layer.state_dict()


@pytest.mark.parametrize("cross_from", ["views", "target"])
@pytest.mark.parametrize("name", ["linear_regression", "neumann", "stiefel"])
def test_never_given_it_is_an_error_at_the_update_and_w_p_stays(name, cross_from):
    layer = bridge.ClosedFormPredictor(D, rule=name, cross_from=cross_from)
    z = torch.randn(8, D, requires_grad=True)
    layer(z).sum().backward()
    W_p, waiting = W_p_of(layer), layer.waiting_zz.clone()
    for attempt in (layer.update, lambda: layer(z)):
        with pytest.raises(ValueError, match=rf"{name} reads the cross-correlation .* which was never given"):
            attempt()
    assert torch.equal(layer.W_p, W_p) and torch.equal(layer.waiting_zz, waiting) and layer.clock.calls == 1
    if cross_from == "target":
        layer.observe(z, z)
    else:
        layer(z), layer(z)  # the step begins anew
    layer.update()
    assert layer.health().updates == 1


def test_a_step_without_a_pair_keeps_the_last_cross_correlation():
    layer = bridge.LinearRegressionPredictor(D).double()
    (z1, z2), (z3, _) = data(2, n=30)
    step_of(layer, z1, z2)
    layer(z3.requires_grad_()).sum().backward()
    layer.update()
    close(layer.cross_hat, both_ways(z1, z2))
    close(layer.W_p, predictors.linear_regression(correlation(z3), both_ways(z1, z2)), 1e-9)


def test_update_call_with_the_target_needs_it_at_every_call():
    layer = bridge.ClosedFormPredictor(D, rule="neumann", update="call", cross_from="target")
    z = torch.randn(8, D)
    layer(z, z)
    with pytest.raises(ValueError, match="give it by forward"):
        layer(z)
    layer.observe(z, z)
    layer(z)
    assert layer.health().calls == 2


def test_rules_that_do_not_read_it_ignore_a_target():
    layer = bridge.DirectPredPredictor(D)
    for z, target in batches(1, width=D):
        assert torch.equal(layer(z, target=target), layer(z))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda layer, z: (layer(z), layer(z[:4])), "pairs two calls of one size; got 8 samples and then 4"),
        (lambda layer, z: layer(z, target=z), "target is read with cross_from='target' only"),
        (lambda layer, z: layer.observe(z, z), "observe needs a rule that reads"),
    ],
)
def test_views_that_cannot_be_paired(call, message):
    layer = bridge.LinearRegressionPredictor(D)
    with pytest.raises(ValueError, match=message):
        call(layer, torch.randn(8, D))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rule": "neumann", "cross_from": "none"}, "cross_from must be 'views' or 'target' for neumann"),
        ({"rule": "neumann", "update": "call"}, "does not know the other view yet"),
        ({"rule": "neumann", "cross_from": "targets"}, "Did you mean 'target'"),
        ({"rule": "neumann", "views": 3}, "views must be one of '1', '2'; got '3'"),
    ],
)
def test_practices_without_meaning(arguments, message):
    with pytest.raises(ValueError, match=message):
        bridge.ClosedFormPredictor(D, **arguments)


def test_shapes_of_targets_and_of_both_views():
    layer = bridge.ClosedFormPredictor(D, rule="neumann", cross_from="target")
    z = torch.randn(8, D)
    for call in (lambda: layer(z, z[:4]), lambda: layer.observe(z, z[:4])):
        with pytest.raises(ValueError, match=r"must have the shape of z, \[8, 5\]; got \[4, 5\]"):
            call()
    with pytest.raises(ValueError, match=r"even number of rows, with views=2; got \[7, 5\]"):
        bridge.ClosedFormPredictor(D, rule="neumann", views=2)(z[:7])
    assert layer.clock.calls == 0 and not layer.waiting_zz.any()


def test_with_accumulation_calls_are_paired_within_one_backward_pass():
    layer = bridge.LinearRegressionPredictor(D, accumulate=2).double()
    (z1, z2), (z3, z4) = data(2)
    for group in ((z1, z2, z3), (z4,)):  # z3 and z4 belong to different micro-batches
        sum(layer(z.clone().requires_grad_()).sum() for z in group).backward()
    layer.update()
    close(layer.cross_hat, both_ways(z1, z2))
    close(layer.F_hat, correlation(z1, z2, z3, z4))
