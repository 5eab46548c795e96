"""When F-hat and W_p move, and from what: per step, per call, accumulated, attached, every freq updates."""

import pytest
import torch

from lindyn import bridge, predictors
from tests.bridge.helpers import RULES, Byol, D, W_p_of, batches, correlation, optimiser, train


def step_of(layer, z1, z2):
    """One step of an encoder that is the identity: two calls, one backward pass."""
    z1, z2 = (z.clone().requires_grad_() for z in (z1, z2))
    outs = layer(z1), layer(z2)
    sum(out.square().sum() for out in outs).backward()
    return outs, (z1.grad, z2.grad)


def data(steps, n=12, dtype=torch.float64):
    return list(batches(steps, n=n, width=D, dtype=dtype))


def close(a, b, tol=1e-12):
    torch.testing.assert_close(a, b, rtol=tol, atol=tol)


def test_a_step_pools_both_views_and_averages_once():
    layer = bridge.DirectPredPredictor(D).double()
    F_hat = None
    for k, views in enumerate(data(4)):
        outs, _ = step_of(layer, *views)
        W_p = predictors.direct_pred(correlation(views[0]) if k == 0 else F_hat, eps=0.1)
        for out, z in zip(outs, views, strict=True):
            close(out.detach(), z @ W_p.T)
        new = correlation(*views)
        F_hat = new if k == 0 else 0.3 * F_hat + 0.7 * new
    layer.update()
    close(layer.F_hat, F_hat)
    close(layer.W_p, predictors.direct_pred(F_hat, eps=0.1))
    assert layer.health() == bridge.Health(calls=8, updates=4, accepted=4, rejected=0, refused=0)


def test_start_zero_weighs_the_first_batch_by_one_minus_rho():
    layer = bridge.ClosedFormPredictor(D, rule="direct_set", rho=0.9, start="zero").double()
    (views,) = data(1)
    outs, _ = step_of(layer, *views)
    close(outs[0].detach(), views[0] @ predictors.direct_set(0.1 * correlation(views[0])).T)
    layer.update()
    close(layer.F_hat, 0.1 * correlation(*views))


@pytest.mark.parametrize("name", ["visser", "newton_schulz", "newton_schulz_twice"])
def test_update_call_uses_the_very_batch_on_which_it_is_called(name):
    layer = RULES[name](D).double()
    assert layer.recipe.update == "call"
    for views in data(2):
        outs, _ = step_of(layer, *views)
        for out, z in zip(outs, views, strict=True):
            close(out.detach(), z @ getattr(predictors, name)(correlation(z)).T, 1e-10)


def test_update_call_with_memory_follows_implicit_var_reg():
    layer = bridge.ClosedFormPredictor(D, rule="implicit_var_reg", rho=0.5).double()
    F_hat = torch.zeros(D, D, dtype=torch.float64)
    for views in data(3):
        outs, _ = step_of(layer, *views)
        for out, z in zip(outs, views, strict=True):
            F_hat = 0.5 * F_hat + 0.5 * correlation(z)
            close(out.detach(), z @ layer.recipe.rule(F_hat).T)
    assert layer.health().updates == 6


def test_w_p_is_set_every_freq_updates():
    layer = bridge.DirectPredPredictor(D, freq=3).double()
    used = []
    for views in data(8):
        step_of(layer, *views)
        used.append(W_p_of(layer))
    # before step 0: from its own first call; update k happens at the start of step k, and 1, 4, 7 set W_p
    changed = [k for k in range(1, 8) if not torch.equal(used[k], used[k - 1])]
    assert changed == [1, 4, 7]
    assert layer.health().updates == 7


def test_rho_p_averages_w_p_itself_but_never_with_the_identity_it_starts_from():
    layer = bridge.ClosedFormPredictor(D, rule="direct_set", rho=0.0, rho_p=0.6).double()
    first, second = data(2)
    step_of(layer, *first)
    close(layer.W_p, predictors.direct_set(correlation(first[0])))
    step_of(layer, *second)
    new = predictors.direct_set(correlation(*first))
    close(layer.W_p, 0.6 * predictors.direct_set(correlation(first[0])) + 0.4 * new)


def test_accumulate_pools_k_backward_passes():
    layer = bridge.DirectPredPredictor(D, accumulate=2).double()
    views = data(5)
    for pair in views:
        step_of(layer, *pair)
    assert layer.health().updates == 2
    first, second = correlation(*views[0], *views[1]), correlation(*views[2], *views[3])
    close(layer.F_hat, 0.3 * first + 0.7 * second)


def test_without_accumulate_each_backward_pass_counts():
    layer = bridge.DirectPredPredictor(D).double()
    for z, _ in data(3):  # one call and one backward pass per micro-batch
        z = z.clone().requires_grad_()
        layer(z).sum().backward()
    assert layer.health().updates == 2


def test_attached_it_counts_optimiser_steps():
    model = Byol(bridge.DirectPredPredictor(D)).double()
    optimizer = optimiser(model)
    model.predictor.attach(optimizer)
    seen = []
    for k, (x1, x2) in enumerate(batches(6, dtype=torch.float64)):
        seen += [model.encoder(x).detach() for x in (x1, x2)]
        model(x1, x2).backward()
        if k % 3 == 2:
            optimizer.step()
            assert model.predictor.health().updates == k // 3 + 1
            if k == 2:
                close(model.predictor.F_hat, correlation(*seen))
            optimizer.zero_grad()
    model.predictor.attach(None)
    train(model, batches(1, dtype=torch.float64), optimizer)
    assert model.predictor.health().updates == 2
    train(model, batches(1, dtype=torch.float64), optimizer)  # back to counting backward passes
    assert model.predictor.health().updates == 3


def test_attaching_to_another_optimiser_leaves_the_first_one():
    model = Byol(bridge.DirectPredPredictor(D))
    old, new = optimiser(model), optimiser(model)
    model.predictor.attach(old)
    model.predictor.attach(new)
    model(*next(batches(1))).backward()
    old.step()
    assert model.predictor.health().updates == 0
    new.step()
    assert model.predictor.health().updates == 1


def test_an_optimiser_outlives_its_layer():
    model = Byol(bridge.DirectPredPredictor(D))
    optimizer = optimiser(model)
    model.predictor.attach(optimizer)
    model(*next(batches(1))).backward()
    del model.predictor
    optimizer.step()


def test_update_by_hand_is_not_repeated():
    layer = bridge.DirectPredPredictor(D).double()
    first, second = data(2)
    step_of(layer, *first)
    layer.update()
    layer.update()
    W_p = W_p_of(layer)
    step_of(layer, *second)
    assert layer.health().updates == 1 and torch.equal(layer.W_p, W_p)


def test_without_a_backward_pass_nothing_is_updated():
    layer = bridge.DirectPredPredictor(D).double()
    with torch.no_grad():
        for z, _ in data(3):
            layer(z)
    assert layer.health().updates == 0 and layer.health().calls == 3
    layer.update()
    close(layer.F_hat, correlation(*(z for z, _ in data(3))))


def test_the_mean_is_subtracted_where_the_recipe_says_so():
    layer = bridge.ClosedFormPredictor(D, rule="direct_pred", centre=True).double()
    (views,) = data(1)
    views = [z + 2.0 for z in views]
    step_of(layer, *views)
    layer.update()
    close(layer.F_hat, torch.as_tensor(predictors.statistics(torch.cat(views), centre=True)[0]))


def test_sequences_count_every_position_as_a_sample():
    (pair,) = data(1)
    flat, deep = bridge.DirectPredPredictor(D).double(), bridge.DirectPredPredictor(D).double()
    out = deep(pair[0].reshape(3, 4, D))
    close(out.reshape(12, D), flat(pair[0]))
    close(deep.waiting_zz, flat.waiting_zz)


def test_the_hybrid_follows_its_gradient_between_settings():
    model = Byol(bridge.DirectPredPredictor(D, freq=3, trainable=True)).double()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    W_p = model.predictor.W_p
    for k, (x1, x2) in enumerate(batches(8, dtype=torch.float64)):
        before = W_p_of(model.predictor)
        loss = model(x1, x2)
        if k in (0, 1, 4, 7):
            assert not torch.equal(model.predictor.W_p, before)  # set at the start of these steps
            if k:
                close(model.predictor.W_p.detach(), predictors.direct_pred(model.predictor.F_hat, eps=0.1))
        else:
            assert torch.equal(model.predictor.W_p, before)
        start = W_p_of(model.predictor)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        close(W_p.detach(), start - 0.05 * W_p.grad)
        assert W_p.grad.abs().max() > 0
    assert model.predictor.W_p is W_p


def test_rho_p_at_every_call_begins_with_the_rule_too():
    layer = bridge.NewtonSchulzPredictor(D, rho_p=0.6).double()
    ((z1, z2),) = data(1)
    layer(z1)
    first, second = (predictors.newton_schulz(correlation(z)) for z in (z1, z2))
    close(layer.W_p, first)
    layer(z2)
    close(layer.W_p, 0.6 * first + 0.4 * second)
