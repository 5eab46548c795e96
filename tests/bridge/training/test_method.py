"""Losses, target, optimiser groups, schedules, predictors: each against what the papers state."""

import math

import pytest
import torch
from torch import nn

from lindyn.bridge.training import PredictorKind, TrainConfig, build, method, networks, open_source, predictor

Q, Z = torch.randn(2, 6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
DIGITS = TrainConfig.of(
    {"data.name": "digits", "model.projector": "byol", "model.dim": 8, "model.hidden": 16, "model.width": 4}
)


def test_losses_are_what_they_are_called():
    unit = [v / v.norm(dim=1, keepdim=True) for v in (Q, Z)]
    assert method.cosine(Q, Z).item() == pytest.approx((unit[0] - unit[1]).square().sum(1).mean().item())
    assert method.negative_cosine(Q, Z).item() == pytest.approx(-(unit[0] * unit[1]).sum(1).mean().item())
    distances = [float((q - z) @ (q - z)) for q, z in zip(Q, Z, strict=True)]
    assert method.l2(Q, Z).item() == pytest.approx(sum(distances) / 12)


def test_sides_sum_or_average_and_one_sided_takes_the_first():
    q, z = [Q, 2 * Z], [Z, Q]
    one, two = method.l2(Q, Z).item(), method.l2(2 * Z, Q).item()
    assert method.both_sides(method.l2, "one-sided", q, z).item() == pytest.approx(one)
    assert method.both_sides(method.l2, "symmetrised", q, z).item() == pytest.approx(one + two)
    assert method.both_sides(method.l2, "averaged", q, z).item() == pytest.approx((one + two) / 2)


def test_ema_and_its_cosine_schedule():
    online, copy = nn.Linear(2, 2), nn.Linear(2, 2)
    expected = 0.9 * copy.weight.detach() + 0.1 * online.weight.detach()
    method.follow(online, copy, 0.9)
    torch.testing.assert_close(copy.weight.detach(), expected)
    config = TrainConfig.of({"method.ema": 0.99, "method.ema_schedule": "cosine"})
    rates = [method.ema_rate(config, step, 101) for step in range(101)]
    assert rates[0] == pytest.approx(0.99) and rates[-1] == 1.0
    assert rates[50] == pytest.approx(1 - 0.01 * (math.cos(math.pi * 50 / 100) + 1) / 2)


@pytest.mark.parametrize("how", ["copy", "independent", "zero"])
def test_the_target_starts_as_asked_and_has_no_gradient(how):
    config = DIGITS.changed({"method.target_start": how})
    module = build(config, open_source(config))
    online, copy = (list(part.parameters()) for part in (module.backbone, module.teacher_backbone))
    same = all(torch.equal(a, b) for a, b in zip(online, copy, strict=True))
    assert same == (how == "copy")
    assert all(not p.requires_grad for p in copy)
    if how == "zero":
        assert all(float(p.abs().max()) == 0 for p in copy)


def test_the_same_seed_builds_the_same_network_whatever_was_drawn_before_and_leaves_the_generator_alone():
    source = open_source(DIGITS)
    a = build(DIGITS, source).state_dict()
    torch.randn(3)
    before = torch.get_rng_state()
    b = build(DIGITS, source).state_dict()
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(a[name], b[name]) for name in a)
    other = build(DIGITS.changed({"run.seed": 1}), source).state_dict()
    assert not torch.equal(a["backbone.layers.0.weight"], other["backbone.layers.0.weight"])


def _groups(**changes):
    config = DIGITS.changed({name.replace("__", "."): value for name, value in changes.items()})
    module = build(config, open_source(config))
    found = method.groups(config, module.backbone, module.projection_head, module.prediction_head, module.probe)
    return config, {group["name"]: group for group in found}


def test_the_predictor_has_its_own_rate_and_decay():
    _, found = _groups(optim__lr=0.2, optim__alpha_p=5.0, optim__weight_decay=1e-3,
                       optim__predictor_weight_decay=0.0, optim__projector_multiplier=2.0)  # fmt: skip
    told = {name: (group["lr"], group["weight_decay"]) for name, group in found.items()}
    assert told["backbone"] == (0.2, 1e-3) and told["projector"] == (0.4, 1e-3)
    assert told["predictor"] == (1.0, 0.0)
    assert told["probe"] == (0.1, 0.0)


def test_biases_and_norms_are_excluded_where_asked_and_nothing_is_lost():
    _, plain = _groups()
    _, split = _groups(optim__exclude_bias_norm=True, optim__weight_decay=1e-3)
    assert split["backbone (bias, norm)"]["weight_decay"] == 0.0
    assert all(p.ndim == 1 for p in split["backbone (bias, norm)"]["params"])
    assert all(p.ndim > 1 for p in split["backbone"]["params"])
    count = [sum(p.numel() for group in found.values() for p in group["params"]) for found in (plain, split)]
    assert count[0] == count[1]


def test_warm_up_and_cosine_and_a_predictor_that_stays():
    config, found = _groups(optim__warmup_epochs=2.0, optim__predictor_schedule="constant", optim__lr=1.0)
    optim = method.optimiser(config, list(found.values()))
    plan = method.schedule(config, optim, steps=100, per_epoch=5)
    seen = {group["name"]: [] for group in optim.param_groups}
    for _ in range(100):
        for group in optim.param_groups:
            seen[group["name"]].append(group["lr"])
        optim.step()
        plan.step()
    assert seen["backbone"][:10] == pytest.approx([(k + 1) / 10 for k in range(10)])
    assert seen["backbone"][10] == pytest.approx(1.0) and seen["backbone"][-1] == 0.0
    assert seen["backbone"][10 + 45] == pytest.approx((1 + math.cos(math.pi * 45 / 89)) / 2)
    assert set(seen["predictor"]) == {1.0}


def test_lars_is_lightlys_and_leaves_biases_alone():
    config, found = _groups(optim__name="lars", optim__exclude_bias_norm=True)
    optim = method.optimiser(config, list(found.values()))
    assert type(optim).__module__ == "lightly.utils.lars"


@pytest.mark.parametrize("name", ["mlp", "linear", "linear_symmetric", "identity", "paper", "richemond", "stiefel",
                                  "linear_regression", "visser", "direct_copy"])  # fmt: skip
def test_every_predictor_by_name(name):
    layer = predictor(TrainConfig.of({"model.predictor": name}), 8).train()
    z = torch.randn(32, 8)
    out = layer(z, z) if getattr(layer, "cross_from", "") == "target" else layer(z)
    assert out.shape == z.shape


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("liner", {}, r"model.predictor must be one of .*Did you mean 'linear'\?"),
        ("linear", {"rho": 0.3}, r"a parameter of model.predictor=linear must be one of 'bias'; got 'rho'"),
        ("identity", {"rho": 0.3}, r"model.predictor=identity has no parameters; got 'rho'"),
        ("direct_pred", {"epss": 0.3}, r"Did you mean 'eps'\?"),
        ("visser", {"rho": 1.0}, r"rho must be below 1; got 1"),
    ],
)
def test_a_wrong_predictor_is_one_clear_sentence(name, options, text):
    with pytest.raises(ValueError, match=text):
        predictor(TrainConfig.of({"model.predictor": name, "model.predictor_options": options}), 8)


@pytest.mark.parametrize(("backbone", "features"), [("small", 64), ("resnet18", 512), ("resnet50", 2048)])
def test_backbones_and_the_papers_projectors(backbone, features):
    config = TrainConfig.of({"model.backbone": backbone, "model.stem": "cifar", "model.hidden": 32, "model.dim": 8})
    net = networks.backbone(config, (1, 16, 16)).eval()
    assert net(torch.zeros(2, 1, 16, 16)).shape == (2, features) == (2, net.features)
    for name, layers in (("byol", 4), ("simsiam", 8), ("linear", 1)):
        head, width = networks.projector(config.changed({"model.projector": name}), features)
        assert width == 8 and len(list(head.modules())) - (0 if name == "linear" else 2) == layers


def test_the_gradient_reaches_what_it_should():
    for given, stopped in (({}, True), ({"method.target": "online"}, True),
                           ({"method.target": "online", "method.stop_gradient": False}, False)):  # fmt: skip
        config = DIGITS.changed({**given, "method.sides": "one-sided", "model.predictor": "identity"})
        module = build(config, open_source(config)).train()
        v1 = torch.randn(16, 1, 8, 8)
        z = module.projection_head(module(v1))
        aim = module._aim(v1)
        assert aim.requires_grad == (not stopped)
        assert z.requires_grad


@pytest.mark.parametrize(
    ("name", "moves", "rule"),
    [
        ("mlp", "trained", ""),
        ("mlp_symmetric", "symmetrised", ""),
        ("linear", "trained", ""),
        ("linear_symmetric", "symmetrised", ""),
        ("identity", "identity", ""),
        ("linear_regression", "rule", "linear_regression"),  # a rule, although its name begins as a trained one's
        ("direct_pred", "rule", "direct_pred"),
        (None, "", ""),
    ],
)
def test_what_a_predictors_name_means(name, moves, rule):
    kind = PredictorKind.of(name, {"views": 2})
    assert (kind.moves, kind.rule) == (moves, rule)
    assert getattr(kind.of_flow, "rule", kind.of_flow) == (kind.recipe.rule if rule else moves or "trained")


def test_a_predictors_name_that_nothing_is_known_of_is_refused():
    with pytest.raises(ValueError, match="Did you mean 'direct_pred'"):
        _ = PredictorKind.of("direct_predd").of_flow
