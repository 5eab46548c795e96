"""lightly's BYOL, SimSiam, VICReg, Barlow Twins and MoCo, with each layer of ours as predictor, through validate."""

import copy

import pytest
import torch
from lightly.loss import BarlowTwinsLoss, NegativeCosineSimilarity, NTXentLoss, VICRegLoss
from lightly.models import utils
from lightly.models.modules import heads
from torch import nn

from lindyn import bridge
from lindyn.bridge import layers, validate
from lindyn.bridge.training import SmallNet
from tests.bridge.validation.originals import images

D = 8
RULES = {
    "DirectPred": "direct_pred",
    "DirectSet": "direct_set",
    "DirectCopy": "direct_copy",
    "LinearRegression": "linear_regression",
    "Neumann": "neumann",
    "Visser": "visser",
    "NewtonSchulz": "newton_schulz",
    "NewtonSchulzTwice": "newton_schulz_twice",
    "Stiefel": "stiefel",
}
TRAINED = ("LinearPredictor", "SymmetricLinearPredictor", "MLPPredictor", "SymmetricMLPPredictor")
EVERY = [*(f"{rule}Predictor" for rule in RULES), *TRAINED]


class Views(nn.Module):
    """Two noisy views through a small backbone and a head, as every example has them."""

    def __init__(self, head):
        super().__init__()
        self.backbone, self.projection_head = SmallNet(1, 4), head

    def embed(self, x):
        return self.projection_head(self.backbone(x).flatten(start_dim=1))


class BYOL(Views):
    def __init__(self, predictor):
        super().__init__(heads.BYOLProjectionHead(16, 12, D))
        self.prediction_head = predictor
        self.backbone_momentum = copy.deepcopy(self.backbone)
        self.projection_head_momentum = copy.deepcopy(self.projection_head)
        utils.deactivate_requires_grad(self.backbone_momentum)
        utils.deactivate_requires_grad(self.projection_head_momentum)
        self.criterion = NegativeCosineSimilarity()

    def loss(self, a, b):
        utils.update_momentum(self.backbone, self.backbone_momentum, m=0.9)
        utils.update_momentum(self.projection_head, self.projection_head_momentum, m=0.9)
        p, q = (self.prediction_head(self.embed(x)) for x in (a, b))
        s, t = (self.projection_head_momentum(self.backbone_momentum(x)).detach() for x in (a, b))
        return 0.5 * (self.criterion(p, t) + self.criterion(q, s))


class SimSiam(Views):
    def __init__(self, predictor):
        super().__init__(heads.SimSiamProjectionHead(16, 12, D))
        self.prediction_head, self.criterion = predictor, NegativeCosineSimilarity()

    def loss(self, a, b):
        x, y = self.embed(a), self.embed(b)
        return 0.5 * (self.criterion(self.prediction_head(x), y.detach()) +
                      self.criterion(self.prediction_head(y), x.detach()))  # fmt: skip


class Pair(Views):
    """VICReg, Barlow Twins and MoCo: a loss of both embeddings, no predictor."""

    def __init__(self, head, criterion, momentum=False):
        super().__init__(head)
        self.criterion = criterion
        if momentum:
            self.backbone_momentum, self.projection_head_momentum = map(copy.deepcopy, (self.backbone, head))

    def loss(self, a, b):
        if not hasattr(self, "backbone_momentum"):
            return self.criterion(self.embed(a), self.embed(b))
        return self.criterion(self.embed(a), self.projection_head_momentum(self.backbone_momentum(b)).detach())


def trained(model, folder, steps=2):
    """Train for some steps, and write what Lightning writes."""
    x = images(96)
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=0.06, momentum=0.9, weight_decay=1e-4)
    for step in range(steps):
        generator = torch.Generator().manual_seed(step)
        a, b = (x + 0.1 * torch.randn(x.shape, generator=generator) for _ in range(2))
        optimizer.zero_grad()
        model.loss(a, b).backward()
        optimizer.step()
    path = folder / "epoch=0-step=200.ckpt"
    torch.save({"epoch": 0, "global_step": 200, "pytorch-lightning_version": "2.6.0", "state_dict": model.state_dict(),
                "optimizer_states": [optimizer.state_dict()]}, path)  # fmt: skip
    return path


def of(answer, *laws):
    return {each.law: each for each in answer.findings if each.law in laws}


def examine(name, method, folder, **known):
    torch.manual_seed(0)
    layer = getattr(bridge, name, None) or getattr(layers, name)
    path = trained(method(layer(D)), folder)
    known = {"method.loss": "negative-cosine", "method.sides": "averaged"} | (
        {"method.ema": 0.9} if method is BYOL else {}
    )
    answer = validate(path, images="digits", samples=96, settings=known)
    assert answer.pieces.layout == "lightly" and not any("not built" in note for note in answer.pieces.notes)
    assert any(each.about == "target" for each in answer.pieces.assumptions) == (method is SimSiam)
    laws = of(answer, "balance", "constant", "eq17")
    rule = RULES.get(name.removesuffix("Predictor"))
    told = [each for each in laws.values() if "is set by the rule" in each.reason]
    if rule is not None:
        assert answer.pieces.settings.get("model.predictor") == rule and answer.rates.alpha_p is None
        assert len(told) == 3 and all(f"the rule {rule}, not trained" in each.reason for each in told)
        assert "alpha_p" not in " ".join(answer.rates.missing + answer.rates.assumed)
    else:
        assert answer.rates.alpha_p == 1.0 and not told
    assert answer.maps and answer.maps[0].kind == ("least squares" if "MLP" in name else "exact")


@pytest.mark.parametrize(("name", "method"), [("NeumannPredictor", BYOL), ("LinearPredictor", SimSiam)])
def test_a_layer_in_lightlys_example_is_read_as_what_it_is(name, method, tmp_path):
    examine(name, method, tmp_path)


@pytest.mark.parametrize("method", [BYOL, pytest.param(SimSiam, marks=pytest.mark.long)])
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if k % 4 == 0 else pytest.mark.long) for k, n in enumerate(EVERY)]
)
def test_every_layer_in_lightlys_examples_is_read_as_what_it_is(name, method, tmp_path):
    """All rates known too, so that the theory of the run is simulated where there is one."""
    ema = {"method.ema": 0.9} if method is BYOL else {}
    examine(name, method, tmp_path, **{"method.loss": "negative-cosine", "method.sides": "averaged"}, **ema)


OTHERS = {
    "VICReg": lambda: Pair(heads.VICRegProjectionHead(16, 12, D), VICRegLoss()),
    "Barlow Twins": lambda: Pair(heads.BarlowTwinsProjectionHead(16, 12, D), BarlowTwinsLoss()),
    "MoCo": lambda: Pair(heads.MoCoProjectionHead(16, 12, D), NTXentLoss(), momentum=True),
}


@pytest.mark.parametrize("method", OTHERS)
def test_lightlys_examples_without_a_predictor_have_collapse_measures_alone(method, tmp_path):
    torch.manual_seed(0)
    answer = validate(trained(OTHERS[method](), tmp_path), images="digits", samples=96)
    assert any(method in note and "only the collapse measures" in note for note in answer.pieces.notes)
    assert (answer.rates.alpha_p, answer.rates.eta_p, answer.rates.missing) == (None, None, ())
    assert not answer.maps and not any("tau = 1" in note for note in answer.pieces.notes)
    assert of(answer, "collapse")["collapse"].verdict != "not testable"
    assert {each.verdict for each in of(answer, "slope", "balance", "constant", "alignment").values()} == {
        "not testable"
    }
    tau = [each for each in answer.findings if "target" in each.title]
    assert method == "MoCo" or {each.verdict for each in tau} <= {"not testable"}
