"""The word on collapse of networks: none of healthy ones, and of networks made to collapse the right one."""

import pytest
import torch
from torch import nn

from lindyn.bridge.layers import stacks
from lindyn.bridge.measure.measuring import measure
from tests.bridge import healthy_networks
from tests.bridge.validation.synthetic import Arrays


def word(z, projector=None):
    return measure(Arrays(z.double()), projector=projector, draws=0).collapse


def false_alarms(seeds, steps=50):
    """Return (seeds whose network is named, seeds at risk) with what was said."""
    found = {}
    for seed in seeds:
        z, projector, trained = healthy_networks.draw(seed, steps)
        found[seed] = (word(z, projector), trained)
    named = [(seed, trained, each.told) for seed, (each, trained) in found.items() if each.word != "none"]
    risky = [(seed, trained, each.reason) for seed, (each, trained) in found.items() if each.alarm != "healthy"]
    return named, risky


def test_some_healthy_networks_are_not_named():
    assert false_alarms(range(6), steps=5)[0] == []


@pytest.mark.long
def test_of_two_hundred_healthy_networks_one_in_a_hundred_at_most_is_named():
    named, risky = false_alarms(range(200))
    print(f"named {len(named)}: {named}; at risk {len(risky)}: {risky}")
    assert len(named) <= 2


def last_linear(net):
    return next(module for module in reversed(list(net.modules())) if isinstance(module, nn.Linear))


def images(n=400):
    return torch.randn(n, 48, generator=torch.Generator().manual_seed(3))


def network(seed, d=32):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(48, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, d)).eval()


def constant(net, layer):
    layer.weight.zero_()


def line(net, layer):
    layer.weight.copy_(torch.outer(torch.randn(len(layer.weight)), layer.weight[0]))


def line_beside(net, layer):
    line(net, layer)
    layer.bias.copy_(2 * torch.randn(len(layer.bias)))


def rank_2(net, layer):
    layer.weight.copy_(torch.randn(len(layer.weight), 2) @ layer.weight[:2])


def half(net, layer):
    layer.weight[len(layer.weight) // 2 :] = 0


def dead_units(net, layer):
    net[0].bias.fill_(-100.0)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("damage", "expected"),
    [(constant, "complete"), (line, "complete"), (line_beside, "complete"), (dead_units, "complete"),
     (rank_2, "partial"), (half, "partial")],
)  # fmt: skip
def test_networks_made_to_collapse_are_named(seed, damage, expected):
    net = network(seed)
    assert word(net(images()).detach(), net).word == "none"
    with torch.no_grad():
        damage(net, last_linear(net))
        found = word(net(images()), net)
    assert found.word == expected, found.told
    assert expected == "complete" or found.live == {rank_2: 2, half: 16}[damage]


def test_the_width_before_the_last_linear_map_is_read_off_the_stack():
    head = nn.Sequential(nn.Linear(9, 8), nn.ReLU(), nn.Linear(8, 5), nn.BatchNorm1d(5), nn.Linear(5, 32))
    assert stacks.rank_limit(head) == 5
    assert stacks.rank_limit(nn.Sequential(head, nn.ReLU())) is None and stacks.rank_limit(None) is None
    assert stacks.rank_limit(nn.Sequential(nn.Linear(9, 8), nn.BatchNorm1d(8))) == 9
