"""What tensors do not say is an assumption with a key that says otherwise; with that key the rebuilt part is exact."""

from dataclasses import replace

import pytest
import torch
import torchvision
from torch import nn

from lindyn.bridge import ClosedFormPredictor, validate
from lindyn.bridge.checkpoints import read_checkpoint
from lindyn.bridge.features.checkpoint_features import Request, of_checkpoint
from lindyn.bridge.layers.stacks import ACTIVATIONS
from lindyn.bridge.settings import Settings
from tests.bridge.validation.random_networks import resnet


def saved(folder, modules, **more):
    """Write a Lightning checkpoint of these modules in eval mode; return its path."""
    path = folder / "last.ckpt"
    torch.save({"state_dict": nn.ModuleDict(modules).eval().state_dict(), **more}, path)
    return path


def head(act=nn.ReLU, norm=nn.BatchNorm1d, inner=12, outer=8):
    return nn.Sequential(nn.Linear(inner, 24), norm(24), act(), nn.Linear(24, outer))


@torch.no_grad()
def lived(net, *shape):
    for seed in range(3):
        net.train()(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)))
    return net.eval()


@torch.no_grad()
def error(built, net, x):
    y = net(x)
    return float((built(x) - y).norm() / y.norm())


def about(pieces):
    return sorted(each.about for each in pieces.assumptions)


def the(pieces, noun):
    return next(each for each in pieces.assumptions if each.about == noun)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_activation_of_ones_own_heads_is_assumed_and_can_be_named(tmp_path, name):
    torch.manual_seed(0)
    z = torch.randn(64, 8)
    net = lived(head(ACTIVATIONS[name], inner=8), 64, 8)
    path = saved(tmp_path, {"projection_head": lived(head(nn.ReLU), 64, 12), "prediction_head": net})
    pieces = read_checkpoint(path)
    taken = [each.taken for each in pieces.assumptions if each.about == "activation"]
    assert len(taken) == 2 and "of the predictor" in taken[0] and "of the projector" in taken[1]
    assert (error(pieces.predictor, net, z) < 1e-5) == (name in ("relu", "relu6"))  # alike on such small numbers
    named = read_checkpoint(path, settings={"model.activation": "relu", "model.predictor_activation": name})
    assert error(named.predictor, net, z) < 1e-5 and "activation" not in about(named)
    assert error(named.projector, lived(head(nn.ReLU), 64, 12), torch.randn(4, 12)) != 0  # another draw of weights


def test_a_second_reading_changes_its_own_part_alone(tmp_path):
    torch.manual_seed(0)
    z, y = torch.randn(64, 8), torch.randn(64, 12)
    projector, net = lived(head(nn.GELU), 64, 12), lived(head(nn.GELU, inner=8), 64, 8)
    pieces = read_checkpoint(saved(tmp_path, {"projection_head": projector, "prediction_head": net}))
    for_predictor, for_projector = (each for each in pieces.assumptions if each.about == "activation")
    other = for_predictor.instead(pieces)
    assert error(other.predictor, net, z) < 1e-5 and error(other.projector, projector, y) > 0.01
    assert other.settings.get("model.predictor_activation") == "gelu" and other.notes == pieces.notes
    other = for_projector.instead(pieces)
    assert error(other.projector, projector, y) < 1e-5 and error(other.predictor, net, z) > 0.01
    both = for_predictor.instead(other)
    assert error(both.projector, projector, y) < 1e-5 and error(both.predictor, net, z) < 1e-5


def test_what_is_known_is_not_assumed(tmp_path):
    """lightly's classes have ReLUs, and say so among the settings; a PReLU leaves only the end of its head open."""
    from lightly.models.modules import BYOLPredictionHead, BYOLProjectionHead

    own = {"projection_head": BYOLProjectionHead(12, 9, 8), "prediction_head": BYOLPredictionHead(8, 9, 8)}
    pieces = read_checkpoint(saved(tmp_path, own))
    assert about(pieces) == ["target"] and pieces.settings.sources["model.activation"] == "lightly's classes of heads"
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(8, 5), nn.PReLU(), nn.Linear(5, 8))
    pieces = read_checkpoint(
        saved(tmp_path, {"projection_head": nn.Sequential(nn.Linear(12, 8)), "prediction_head": net})
    )
    (_, taken) = [each.taken for each in pieces.assumptions if each.about == "activation"]
    assert taken == "nothing without tensors stands behind the last layer of the projector"
    assert error(pieces.predictor, net, torch.randn(9, 8)) < 1e-6


STEMS = {
    "stride 1, no pooling": (3, 1, False, {}),
    "stride 1, pooling": (3, 1, True, {"model.pool": "max"}),
    "stride 2, pooling": (3, 2, True, {"model.stem": "imagenet"}),
    "stride 2, no pooling": (3, 2, False, {"model.stem_stride": 2}),
    "7 x 7": (7, 2, True, {}),
    "7 x 7, no pooling": (7, 2, False, {"model.pool": "none"}),
    "7 x 7, stride 1": (7, 1, False, {"model.stem": "cifar"}),
}


@pytest.mark.parametrize("stem", STEMS)
def test_first_layers_are_assumed_and_can_be_named(tmp_path, stem):
    side, stride, pool, told = STEMS[stem]
    torch.manual_seed(0)
    net = torchvision.models.ResNet(torchvision.models.resnet.BasicBlock, [1, 1, 1, 1])
    net.conv1, net.fc = nn.Conv2d(3, 64, side, stride, side // 2, bias=False), nn.Identity()
    net.maxpool = net.maxpool if pool else nn.Identity()
    x = torch.randn(4, 3, 24, 24)
    path = saved(tmp_path, {"backbone": lived(net, 8, 3, 24, 24), "projection_head": nn.Sequential(nn.Linear(512, 8))})
    pieces = read_checkpoint(path)
    assert set(about(pieces)) - {"eps", "activation"} == ({"stem", "pooling"} if side == 3 else {"pooling"})
    assert (error(pieces.backbone, net, x) < 1e-5) == (not told)
    assert error(read_checkpoint(path, settings=told).backbone, net, x) < 1e-5
    known = read_checkpoint(path, settings={"model.stem": "cifar" if side == 3 else "imagenet"})
    assert not {"stem", "pooling"} & set(about(known))


@pytest.mark.parametrize("side", [3, 7])
def test_the_size_of_embedded_images_can_be_named(tmp_path, side):
    net = resnet(side, 1 if side == 3 else 2, False, 1e-5, 1)
    path = saved(tmp_path, {"backbone": lived(net, 4, 3, 16, 16), "projection_head": nn.Sequential(nn.Linear(8, 6))})
    request = Request(images="digits", samples=80)
    _, source, _ = of_checkpoint(read_checkpoint(path), None, request)
    assert source.views.source.shape[-1] == (32 if side == 3 else 64)
    pieces = read_checkpoint(path)
    pieces = replace(pieces, settings=Settings.of({"data.size": 48}, "the call"))
    assert of_checkpoint(pieces, None, request)[1].views.source.shape[-1] == 48


def test_what_is_not_run_is_no_assumption(tmp_path):
    """With features given neither backbone nor projector is run: only what was taken of the predictor counts."""
    path = saved(tmp_path, {"projection_head": head(), "prediction_head": head(inner=8)})
    pieces, _, _ = of_checkpoint(read_checkpoint(path), z_of(), Request())
    assert [each.taken for each in pieces.assumptions if "projector" in each.taken] == []
    assert any("of the predictor" in each.taken for each in pieces.assumptions)


def test_eps_is_named_where_it_shows(tmp_path):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(8, 24), nn.BatchNorm1d(24, eps=1e-3), nn.Linear(24, 8))
    z = 0.05 * torch.randn(64, 8)
    with torch.no_grad():
        for _ in range(60):
            net.train()(z)
    path = saved(tmp_path, {"projection_head": nn.Sequential(nn.Linear(12, 8)), "prediction_head": net.eval()})
    pieces = read_checkpoint(path)
    assert error(pieces.predictor, net, z) > 0.01 and the(pieces, "eps").choose == "model.eps=0.001"
    assert error(the(pieces, "eps").instead(pieces).predictor, net, z) < 1e-5


@pytest.mark.parametrize(("norm", "told"), [
    (nn.LayerNorm, {}), (lambda n: nn.BatchNorm1d(n, track_running_stats=False), {"model.head_norm": "batch"}),
    (lambda n: nn.GroupNorm(4, n), {"model.head_norm": "group", "model.head_groups": 4}),
])  # fmt: skip
def test_a_normalisation_without_running_statistics_is_assumed_and_can_be_named(tmp_path, norm, told):
    torch.manual_seed(0)
    z = torch.randn(64, 8)
    net = lived(head(norm=norm, inner=8), 64, 8)
    path = saved(tmp_path, {"projection_head": nn.Sequential(nn.Linear(12, 8)), "prediction_head": net})
    pieces = read_checkpoint(path)
    assert "LayerNorm" in the(pieces, "BatchNorm").taken
    assert (error(pieces.predictor, net, z) < 1e-5) == (not told)
    assert error(read_checkpoint(path, settings=told).predictor, net, z) < 1e-5


def test_wrong_words_for_a_choice_are_one_sentence(tmp_path):
    path = saved(tmp_path, {"projection_head": head(), "prediction_head": head(inner=8)})
    with pytest.raises(ValueError, match=r"model\.activation must be one of .*; got 'rellu'\. Did you mean 'relu'\?"):
        read_checkpoint(path, settings={"model.activation": "rellu"})
    with pytest.raises(ValueError, match=r"model\.weights=average asks for averaged weights, but the file holds one"):
        read_checkpoint(path, settings={"weights": "average"})


# rules

RATES = {
    "global_step": 500,
    "optimizer_states": [{"param_groups": [{"lr": 0.06, "momentum": 0.9, "weight_decay": 1e-4}]}],
}


def gathered(rule, **more):
    torch.manual_seed(0)
    layer = ClosedFormPredictor(8, rule=rule, **more)
    for _ in range(3):
        for _ in range(2):
            layer(torch.randn(40, 8)).sum()
        layer.update()
    return layer


def without_the_name(path):
    whole = torch.load(path, weights_only=True)
    whole["state_dict"] = {key: value for key, value in whole["state_dict"].items() if "_extra_state" not in key}
    torch.save(whole, path)
    return path


def z_of(n=200):
    z = torch.randn(n, 8, generator=torch.Generator().manual_seed(5)).numpy()
    return z, z + 0.1 * torch.randn(n, 8, generator=torch.Generator().manual_seed(6)).numpy()


NAMINGS = {
    "lightly": ("projection_head", "prediction_head"), "solo-learn": ("projector", "predictor"),
    "byol-pytorch": ("online_encoder/projector", "online_predictor"), "mmpretrain": ("neck", "head/predictor"),
    "within a module": ("projection_head", "prediction_head/inner"),
}  # fmt: skip


def nested(names):
    modules = {}
    for name, module in names.items():
        parts = name.split("/")
        here = modules
        for part in parts[:-1]:
            here = here.setdefault(part, nn.ModuleDict())
        here[parts[-1]] = module
    return modules


class Neck(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc0 = nn.Linear(12, 8)


@pytest.mark.parametrize("naming", NAMINGS)
def test_a_rule_is_found_in_any_layout_and_named_by_its_own_state(tmp_path, naming):
    projector, predictor = NAMINGS[naming]
    own = Neck() if naming == "mmpretrain" else nn.Sequential(nn.Linear(12, 8))
    layer = gathered("directcopy", eps=0.2)
    modules = nested(
        {
            projector: own,
            predictor: layer,
            **({"backbone": nn.Sequential(nn.Linear(3, 12))} if naming == "solo-learn" else {}),
        }
    )
    path = saved(tmp_path, modules, **RATES)
    pieces = read_checkpoint(path)
    assert pieces.settings.get("model.predictor") == "direct_copy"
    assert dict(pieces.settings.get("model.predictor_options"))["eps"] == 0.2
    assert pieces.settings.get("optim.alpha_p") is None and torch.equal(pieces.F, layer.F_hat)
    answer = validate(path, features=z_of())
    trained = {each.law: each for each in answer.findings if each.law in ("balance", "constant", "eq17")}
    assert len(trained) == 3 and answer.rates.alpha_p is None
    assert all("set by the rule direct_copy, not trained" in each.reason for each in trained.values())
    answer = validate(without_the_name(path), features=z_of())
    assert answer.rates.alpha_p is None and any("model.predictor=NAME" in note for note in answer.pieces.notes)
    assert {each.verdict for each in answer.findings if each.law in trained} == {"not testable"}
    named = validate(path, features=z_of(), settings={"model.predictor": "paper"})
    assert not any("model.predictor=NAME" in note for note in named.pieces.notes)


def test_the_name_of_a_rule_goes_through_every_way_of_saving(tmp_path):
    from safetensors.torch import save_file

    layer = gathered("luckmatters")
    save_file({f"prediction_head.{key}": value for key, value in layer.state_dict().items()}
              | {"projection_head.0.weight": torch.randn(8, 12)}, tmp_path / "a.safetensors")  # fmt: skip
    pieces = read_checkpoint(tmp_path / "a.safetensors")
    assert pieces.settings.get("model.predictor") == "direct_pred"
    assert dict(pieces.settings.get("model.predictor_options"))["floor"] == 1e-4
    fresh = ClosedFormPredictor(8, rule="paper")
    fresh.load_state_dict(layer.state_dict())
    assert fresh.recipe == ClosedFormPredictor(8, rule="paper").recipe  # its own stays
    old = {key: value for key, value in layer.state_dict().items() if key != "_extra_state"}
    fresh.load_state_dict(old)
    assert torch.equal(fresh.W_p, layer.W_p)
    del old["F_hat"]
    with pytest.raises(RuntimeError, match="F_hat"):
        fresh.load_state_dict(old)


def set_from(F):
    s, U = torch.linalg.eigh(F)
    return (U * (s / s.max()).clamp_min(0).sqrt()) @ U.T + 0.1 * torch.eye(len(F))


@pytest.mark.parametrize("name", ["cumulated_corr", "C", "predictor_cov", "ema_corr_matrix"])
def test_forks_of_direct_pred_that_keep_F_are_not_taken_as_trained(tmp_path, name):
    torch.manual_seed(0)
    z = torch.randn(90, 8) * torch.arange(1.0, 9.0)
    F = z.T @ z / 90
    head = nn.Linear(8, 8, bias=False)
    modules = {"projection_head": nn.Sequential(nn.Linear(12, 8)), "prediction_head": head}
    for matrix, rule in ((set_from(F), "unnamed-rule"), (torch.randn(8, 8), None), (torch.eye(8), None)):
        head.weight.data.copy_(matrix)
        state = nn.ModuleDict(modules).state_dict() | {name: F}
        torch.save({"state_dict": state, **RATES}, tmp_path / "a.ckpt")
        pieces = read_checkpoint(tmp_path / "a.ckpt")
        assert pieces.settings.get("model.predictor") == rule
        assert any("set from F by a rule" in note for note in pieces.notes) == (rule is not None)
        assert (pieces.F is not None) == (rule is not None)


def test_the_authors_own_direct_pred_is_told_by_its_corr_file(tmp_path):
    import shutil

    from tests.bridge.validation.originals import CASES, FIXTURES

    shutil.copy(FIXTURES / "luckmatters/linear/corr_006_iter30.pth", tmp_path)
    whole = torch.load(CASES["luckmatters linear"].path, weights_only=True)
    trained = validate(CASES["luckmatters linear"].path)
    assert trained.rates.alpha_p == 2.0
    F = torch.load(tmp_path / "corr_006_iter30.pth", weights_only=True)["cumulated_corr"]
    whole["predictor_state_dict"]["layers.0.weight"] = set_from(F)
    torch.save(whole, tmp_path / "model_006.pth")
    answer = validate(tmp_path / "model_006.pth")
    assert answer.rates.alpha_p is None and any("set from F by a rule" in note for note in answer.pieces.notes)


def test_the_rule_of_implicit_var_reg_is_named_by_args_json():
    from tests.bridge.validation.originals import CASES

    answer = validate(CASES["implicit-var-reg"].path)
    assert answer.pieces.settings.get("model.predictor") == "direct_set" and answer.rates.alpha_p is None
    reasons = {each.law: each.reason for each in answer.findings if each.law in ("balance", "constant", "eq17")}
    assert all("the rule direct_set, not trained" in reason for reason in reasons.values())


def test_the_notes_say_what_was_assumed_and_the_answer_says_it_once(tmp_path):
    torch.manual_seed(0)
    path = saved(tmp_path, {"projection_head": lived(head(), 64, 12), "prediction_head": lived(head(inner=8), 64, 8)})
    pieces = read_checkpoint(path)
    assert pieces.assumptions
    for each in pieces.assumptions:
        assert pieces.notes.count(each.sentence) == 1 and each.taken in each.sentence
    answer = validate(path, features=torch.randn(200, 8).numpy())
    assert answer.pieces.assumptions
    assert not [note for note in answer.pieces.notes if any(each.taken in note for each in answer.pieces.assumptions)]
