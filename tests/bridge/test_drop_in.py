"""What training code does to a prediction head: two calls a step, validation, compile, checkpointing, autocast."""

import copy
import inspect

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from lindyn import bridge
from tests.bridge.helpers import RULES, TRAINED, Byol, D, W_p_of, batches, optimiser, train

EVERY = {**RULES, **TRAINED}


@pytest.mark.parametrize("name", EVERY)
def test_two_calls_before_one_backward_give_the_gradient_of_one_w_p(name):
    layer = EVERY[name](D).double()
    for z1, z2 in batches(3, width=D, dtype=torch.float64):
        z1, z2 = z1.requires_grad_(), z2.requires_grad_()
        out1 = layer(z1)
        W_1 = W_p_of(layer)
        out2 = layer(z2)
        W_2 = W_p_of(layer)
        (out1.square().sum() + out2.square().sum()).backward()
        if W_1 is not None:
            torch.testing.assert_close(z1.grad, 2 * z1.detach() @ W_1.T @ W_1)
            torch.testing.assert_close(z2.grad, 2 * z2.detach() @ W_2.T @ W_2)
            per_call = name in RULES and layer.recipe.update == "call"
            assert torch.equal(W_1, W_2) != per_call


@pytest.mark.parametrize("name", RULES)
def test_evaluation_changes_nothing(name):
    layer = RULES[name](D)
    train(Byol(layer), batches(2))
    before = copy.deepcopy(layer.state_dict())
    layer.eval()
    for z, _ in batches(3, width=D):
        z.requires_grad_()
        out = layer(z)
        torch.testing.assert_close(out, z @ layer.W_p.T)
        out.sum().backward()
    layer.eval()(torch.zeros(0, D))
    assert all(torch.equal(value, before[key]) for key, value in layer.state_dict().items())


def test_evaluation_in_between_does_not_disturb_a_step():
    plain, disturbed = (Byol(bridge.LinearRegressionPredictor(D)) for _ in range(2))
    train(plain, batches(4))
    optimizer = optimiser(disturbed)
    for pair in batches(4):
        train(disturbed, [pair], optimizer)
        disturbed.eval()
        with torch.no_grad():
            disturbed(*(100 * x for x in pair))
        disturbed.train()
    assert torch.equal(plain.predictor.W_p, disturbed.predictor.W_p)


@pytest.mark.parametrize("name", EVERY)
def test_positional_arguments_of_other_prediction_heads(name):
    make = EVERY[name] if inspect.isclass(EVERY[name]) else bridge.MLPPredictor
    layer = make(D, 9, D)
    assert layer(torch.randn(4, D)).shape == (4, D)
    assert list(inspect.signature(make.__init__).parameters)[1:4] == ["input_dim", "hidden_dim", "output_dim"]


@pytest.mark.parametrize("name", RULES)
def test_it_is_parameter_free_and_optimisers_take_its_model(name):
    model = Byol(RULES[name](D))
    assert list(model.predictor.parameters()) == []
    train(model, batches(2), torch.optim.AdamW(model.parameters()))


@pytest.mark.parametrize("name", RULES)
def test_the_gradient_is_stopped_in_the_statistics(name):
    layer = RULES[name](D)
    z = torch.randn(8, D, requires_grad=True)
    out = layer(z)
    out.sum().backward()
    torch.testing.assert_close(z.grad, layer.W_p.sum(0).expand(8, D))
    assert not any(buffer.requires_grad for buffer in layer.buffers())


@pytest.mark.parametrize("name", RULES)
def test_autocast_keeps_statistics_in_single_precision(name):
    layer, plain = RULES[name](D), RULES[name](D)
    for z, z2 in batches(2, width=D):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out = layer(z), layer(z2)
        assert out[0].dtype == torch.bfloat16
        plain(z), plain(z2)
    layer.update(), plain.update()
    assert layer.F_hat.dtype == layer.W_p.dtype == torch.float32
    assert torch.equal(layer.F_hat, plain.F_hat) and torch.equal(layer.W_p, plain.W_p)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", ["direct_pred", "newton_schulz", "linear_regression"])
def test_a_module_in_half_precision_keeps_float32_statistics(name, dtype):
    layer = RULES[name](D).to(dtype)
    z = torch.randn(16, D).to(dtype)
    for _ in range(2):
        assert layer(z).dtype == dtype
    layer.update()
    floating = [buffer for buffer in layer.buffers() if buffer.is_floating_point()]
    assert {buffer.dtype for buffer in floating} == {torch.float32}
    torch.testing.assert_close(layer.F_hat, z.float().T @ z.float() / 16)
    assert layer.double().W_p.dtype == torch.float64


@pytest.mark.parametrize("reentrant", [False, True])
def test_activation_checkpointing_counts_each_sample_once(reentrant):
    plain, saved = Byol(bridge.DirectPredPredictor(D)), Byol(bridge.DirectPredPredictor(D))
    inner = saved.predictor
    optimizers = optimiser(plain), optimiser(saved)
    for pair in batches(3):
        loss = plain(*pair)
        optimizers[0].zero_grad()
        loss.backward()
        optimizers[0].step()
        saved.predictor = None
        z1, z2 = (saved.encoder(x) for x in pair)
        p1, p2 = (checkpoint(inner, z, use_reentrant=reentrant) for z in (z1, z2))
        t1, t2 = (saved.target(x) for x in pair)
        optimizers[1].zero_grad()
        (((p1 - t2) ** 2).sum(-1).mean() / 2 + ((p2 - t1) ** 2).sum(-1).mean() / 2).backward()
        optimizers[1].step()
    assert inner.health() == plain.predictor.health()
    torch.testing.assert_close(inner.W_p, plain.predictor.W_p)
    torch.testing.assert_close(saved.encoder.weight, plain.encoder.weight)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # dynamo's, at graph breaks
@pytest.mark.parametrize("name", ["direct_pred", "newton_schulz", "stiefel"])
def test_torch_compile_gives_the_same_numbers(name):
    torch._dynamo.reset()
    eager, compiled = Byol(RULES[name](D)), Byol(RULES[name](D))
    train(eager, batches(4))
    run = torch.compile(compiled, backend="aot_eager")
    optimizer = optimiser(compiled)
    for pair in batches(4):
        optimizer.zero_grad()
        run(*pair).backward()
        optimizer.step()
    assert compiled.predictor.health() == eager.predictor.health()
    torch.testing.assert_close(compiled.predictor.W_p, eager.predictor.W_p)
    torch.testing.assert_close(compiled.encoder.weight, eager.encoder.weight)


@pytest.mark.parametrize("name", TRAINED)
def test_trained_ones_take_an_ema_and_a_frozen_copy(name):
    """What lightly's update_momentum and deactivate_requires_grad do."""
    layer = TRAINED[name](D)
    teacher = copy.deepcopy(layer)
    for parameter in teacher.parameters():
        parameter.requires_grad = False
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(1.0)
        torch._foreach_mul_(list(teacher.parameters()), 0.9)
        torch._foreach_add_(list(teacher.parameters()), list(layer.parameters()), alpha=0.1)
    for old, new in zip(teacher.parameters(), layer.parameters(), strict=True):
        torch.testing.assert_close(old, new - 0.9)


@pytest.mark.parametrize("name", RULES)
def test_a_frozen_copy_of_a_closed_form_one_goes_its_own_way(name):
    layer = RULES[name](D)
    train(Byol(layer), batches(2))
    teacher = copy.deepcopy(layer)
    for parameter in teacher.parameters():
        parameter.requires_grad = False
    W_p = W_p_of(teacher)
    train(Byol(layer), batches(2, seed=1))
    assert torch.equal(teacher.W_p, W_p) and not torch.equal(layer.W_p, W_p)


def test_f_comes_from_the_online_features_of_the_calls_alone():
    """Not from the target's features, not from their product: a bug seen in public forks."""
    layer = bridge.ClosedFormPredictor(D, rule="stiefel", cross_from="target").double()
    z, target = torch.randn(2, 8, D, dtype=torch.float64)
    layer(z, target)
    layer.update()
    torch.testing.assert_close(layer.F_hat, z.T @ z / 8)
    torch.testing.assert_close(layer.cross_hat, target.T @ z / 8)


def test_data_parallel_is_refused_and_says_why():
    replica = bridge.DirectPredPredictor(D)._replicate_for_data_parallel()
    with pytest.raises(RuntimeError, match="use DistributedDataParallel"):
        replica(torch.randn(4, D))


def test_printing_shows_rule_and_practice():
    shown = repr(bridge.StiefelPredictor(D, rho=0.25, freq=2, trainable=True))
    assert shown == (
        "StiefelPredictor(5, rule=Rule.of('stiefel'), rho=0.25, freq=2, update='step', cross_from='views', "
        "trainable=True)"
    )
