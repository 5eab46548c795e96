"""What a layer keeps: persistent buffers of fixed shape, resumed to the last bit, copied, pickled, moved."""

import copy
import inspect
import io
import pickle

import pytest
import torch

from lindyn import bridge
from tests.bridge.helpers import RULES, TRAINED, Byol, D, batches, optimiser, train

EVERY = {**RULES, **TRAINED}
STEPS = list(batches(7))


def saved(thing):
    """Through a file, as a checkpoint goes; loaded with nothing but tensors allowed."""
    file = io.BytesIO()
    torch.save(thing, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("name", EVERY)
def test_resume_is_bit_identical(name):
    """Saved between optimizer.step() and the next forward call."""
    torch.manual_seed(0)
    first = Byol(EVERY[name](D))
    through = copy.deepcopy(first)
    train(through, STEPS)
    optimizer = optimiser(first)
    train(first, STEPS[:4], optimizer)
    resumed = Byol(EVERY[name](D), seed=99)
    resumed_optimizer = optimiser(resumed)
    resumed.load_state_dict(saved(first.state_dict()))
    resumed_optimizer.load_state_dict(saved(optimizer.state_dict()))
    train(resumed, STEPS[4:], resumed_optimizer)
    assert equal(resumed.state_dict(), through.state_dict())


@pytest.mark.parametrize("split", [1, 2, 3])
@pytest.mark.parametrize("settings", [{"accumulate": 3}, {"freq": 2}, {"freq": 2, "trainable": True}, {"centre": True}])
@pytest.mark.parametrize("name", ["direct_pred", "linear_regression"])
def test_resume_in_the_middle_of_accumulation_or_of_a_freq_cycle(name, settings, split):
    def make():
        return Byol(RULES[name](D, **settings))

    through, first, resumed = make(), make(), make()
    train(through, STEPS, optimiser(through, momentum=0))
    train(first, STEPS[:split], optimiser(first, momentum=0))
    resumed.load_state_dict(saved(first.state_dict()))
    train(resumed, STEPS[split:], optimiser(resumed, momentum=0))
    assert equal(resumed.state_dict(), through.state_dict())


@pytest.mark.parametrize("name", RULES)
def test_the_state_has_a_fixed_shape_and_holds_every_accumulator(name):
    layer = RULES[name](D)
    before = {key: (value.shape, value.dtype) for key, value in layer.state_dict().items()}
    layer(torch.randn(8, D)), layer(torch.randn(8, D))
    after = layer.state_dict()
    assert {key: (value.shape, value.dtype) for key, value in after.items()} == before
    wanted = {"W_p", "F_hat", "waiting_zz", "waiting_samples", "counters", "tally"}
    wanted |= {"cross_hat", "waiting_cross", "waiting_pairs"} if layer.recipe.rule.reads_cross else set()
    assert set(after) == wanted | {"_extra_state"}  # the recipe's name, no buffer: nothing averages or broadcasts it
    assert {key for key, _ in layer.named_buffers()} == wanted


@pytest.mark.parametrize("make", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
@pytest.mark.parametrize("name", EVERY)
def test_copies_go_on_alike_and_apart(name, make):
    model = Byol(EVERY[name](D))
    train(model, STEPS[:3], optimiser(model, momentum=0))
    other = make(model)
    train(model, STEPS[3:], optimiser(model, momentum=0))
    state = copy.deepcopy(model.state_dict())
    train(other, STEPS[3:], optimiser(other, momentum=0))
    assert equal(model.state_dict(), state) and equal(other.state_dict(), state)


def test_a_copy_is_not_attached_and_counts_by_itself():
    model = Byol(bridge.DirectPredPredictor(D))
    model.predictor.attach(optimiser(model))
    other = copy.deepcopy(model)
    train(other, STEPS[:3])
    assert other.predictor.health().updates == 2 and model.predictor.health().updates == 0


def test_a_copy_taken_between_the_two_calls_of_a_step_forgets_the_half_pair():
    layer = bridge.LinearRegressionPredictor(D)
    z = torch.randn(8, D)
    layer(z)
    other = copy.deepcopy(layer)
    other(z), layer(z)
    assert other.clock.paired == 0 and layer.clock.paired == 1


def test_loading_into_a_layer_that_has_run_replaces_all_of_it():
    source, target = Byol(bridge.DirectPredPredictor(D, freq=3)), Byol(bridge.DirectPredPredictor(D, freq=3))
    train(source, STEPS[:2])
    train(target, STEPS)
    target.load_state_dict(source.state_dict())
    assert target.predictor.health() == source.predictor.health()
    assert target.predictor.clock == source.predictor.clock


def test_counts_are_read_when_the_layer_is_first_used():
    """Rank 0 alone may load a checkpoint; the others get its buffers, without a call of load_state_dict."""
    source, other = Byol(bridge.DirectPredPredictor(D)), Byol(bridge.DirectPredPredictor(D))
    train(source, STEPS[:2])
    state = source.predictor.state_dict()
    for key, buffer in other.predictor.named_buffers():
        buffer.copy_(state[key])
    assert other.predictor.health() == source.predictor.health()


def test_loading_a_state_of_another_rule_says_what_is_missing():
    with pytest.raises(RuntimeError, match="cross_hat"):
        bridge.StiefelPredictor(D).load_state_dict(bridge.DirectPredPredictor(D).state_dict())


def test_a_state_dict_saved_by_a_compiled_or_wrapped_model_loads_without_the_prefix():
    model = torch.nn.Sequential(bridge.DirectPredPredictor(D))
    model(torch.randn(8, D))
    assert {key.split(".")[0] for key in model.state_dict()} == {"0"}
    other = bridge.DirectPredPredictor(D)
    other.load_state_dict({key.removeprefix("0."): value for key, value in model.state_dict().items()})
    assert torch.equal(other.W_p, model[0].W_p)


@pytest.mark.parametrize("name", RULES)
def test_a_layer_class_made_by_the_loop_is_one_like_any_other(name):
    layer_class = RULES[name]
    assert pickle.loads(pickle.dumps(layer_class)) is layer_class
    assert getattr(bridge, layer_class.__name__) is layer_class and layer_class.__qualname__ == layer_class.__name__
    assert inspect.signature(layer_class) == inspect.signature(bridge.ClosedFormPredictor)
    assert layer_class.__doc__.endswith("Arguments: see `ClosedFormPredictor`.")
