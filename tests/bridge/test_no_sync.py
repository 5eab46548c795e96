"""A step never waits for the device outside an eigendecomposition: no number of a tensor is looked at."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lindyn import bridge, predictors
from lindyn.bridge.layers import batch_sums
from tests.bridge.helpers import D, batches

FREE = [name for name, rule in predictors.RULES.items() if not rule.eigen]
LOOKS = {"_local_scalar_dense", "is_nonzero", "item", "nonzero", "equal"}


class Watch(TorchDispatchMode):
    """Records the operations that wait for a device, and how many there were of any kind."""

    def __init__(self):
        super().__init__()
        self.looked, self.count, self.eigen = [], 0, 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        self.looked += [name] * (name in LOOKS)
        self.eigen += "eigh" in name
        self.count += 1
        return function(*args, **(kwargs or {}))


def steps(layer, data):
    for z1, z2 in data:
        z1, z2 = z1.requires_grad_(), z2.requires_grad_()
        (layer(z1).square().sum() + layer(z2).square().sum()).backward()


@pytest.mark.parametrize("update", ["step", "call"])
@pytest.mark.parametrize("name", FREE)
def test_iterative_rules_never_look_at_a_number(name, update, monkeypatch):
    monkeypatch.setattr(batch_sums, "on_host", lambda tensor: False)  # as on an accelerator
    reads = predictors.Rule.of(name).reads_cross
    views = 2 if reads and update == "call" else 1
    layer = bridge.ClosedFormPredictor(D, rule=name, update=update, views=views)
    assert layer.clock.calls == 0  # the counts are read once, at the first use
    with Watch() as watch:
        steps(layer, batches(3, width=D))
        layer.update()
    assert watch.looked == [] and watch.eigen == 0 and watch.count > 100
    assert layer.health().updates == (6 if update == "call" else 3)


def test_the_watch_sees_what_it_should():
    layer = bridge.NewtonSchulzPredictor(D)
    with Watch() as watch:
        steps(layer, batches(1, width=D))
    assert watch.looked.count("_local_scalar_dense") >= 2, "on the CPU each call is looked at, to name it in a warning"


def test_eigendecompositions_happen_only_where_w_p_is_set(monkeypatch):
    monkeypatch.setattr(batch_sums, "on_host", lambda tensor: False)
    layer = bridge.DirectPredPredictor(D, freq=4)
    layer.clock
    with Watch() as watch:
        steps(layer, batches(9, width=D))
    assert watch.eigen == 3  # the first call, update 1 (before step 1) and update 5 (before step 5)
    assert watch.looked == []


def test_statistics_are_one_product_not_outer_products():
    """The largest tensor of a call is d x d or the batch: b outer products would be b x d x d."""
    largest = 0

    class Sizes(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            nonlocal largest
            out = function(*args, **(kwargs or {}))
            if isinstance(out, torch.Tensor):
                largest = max(largest, out.numel())
            return out

    layer = bridge.DirectPredPredictor(16)
    with Sizes():
        layer(torch.randn(32, 16))
    assert largest == 32 * 16
