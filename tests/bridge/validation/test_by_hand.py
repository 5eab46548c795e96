"""Unknown layouts: what is in the file, naming pieces by hand, and pieces that do not fit."""

import pytest
import torch
from torch import nn

from lindyn import bridge
from lindyn.bridge.checkpoints import read_checkpoint
from lindyn.bridge.training import SmallNet
from tests.bridge.validation.originals import CASES


class Strange(nn.Module):
    """A network under names of nobody."""

    def __init__(self, d=6, predictor=None):
        super().__init__()
        self.trunk = SmallNet(1, 4)
        self.squeeze = nn.Sequential(nn.Linear(16, 9), nn.BatchNorm1d(9), nn.ReLU(), nn.Linear(9, 6))
        self.guess = predictor or nn.Sequential(nn.Linear(d, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, d))
        self.slow = nn.Sequential(nn.Linear(16, 9), nn.BatchNorm1d(9), nn.ReLU(), nn.Linear(9, 6))


HAND = {"predictor": "guess", "projector": "squeeze", "backbone": "trunk", "target_projector": "slow"}


def saved(folder, module):
    torch.manual_seed(0)
    torch.save(
        {"net": module.eval().state_dict(), "epoch": 4, "optimizer": {"state": {0: torch.ones(3)}}}, folder / "a.pt"
    )
    return folder / "a.pt"


def test_an_unknown_layout_is_listed_with_the_way_out(tmp_path):
    with pytest.raises(ValueError, match=r"The layout of .* is not known") as caught:
        read_checkpoint(saved(tmp_path, Strange()))
    text = str(caught.value)
    assert "  net.guess: 0.weight 5 x 6, 0.bias 5, 1.weight 5, 1.bias 5, ... 9 in all" in text
    assert "net.trunk.layers" in text or "net.trunk: " in text
    assert "--predictor KEY --projector KEY --backbone KEY" in text and "optimizer" not in text
    assert len(text.splitlines()) < 20


@pytest.mark.parametrize("start", ["net.", ""])
def test_pieces_named_by_hand(tmp_path, start):
    module = Strange()
    path = saved(tmp_path, module)
    if not start:
        torch.save(module.state_dict(), path)
    pieces = read_checkpoint(path, names={piece: start + name for piece, name in HAND.items()})
    x, h = torch.randn(3, 1, 8, 8), torch.randn(3, 16)
    assert torch.equal(pieces.backbone(x), module.trunk(x))
    assert torch.equal(pieces.projector(h), module.squeeze(h))
    assert torch.equal(pieces.target_projector(h), module.slow(h))
    z = pieces.projector(h)
    assert torch.equal(pieces.predictor(z), module.guess(z))
    assert pieces.layout == "by hand" and pieces.epoch == (4 if start else None)
    assert any("Named by hand: predictor" in note for note in pieces.notes)


def test_a_tensor_is_not_listed_under_its_own_name(tmp_path):
    torch.save({"foo.weight": torch.ones(4, 3), "x": torch.ones(2)}, tmp_path / "a.pt")
    with pytest.raises(ValueError, match="is not known") as caught:
        read_checkpoint(tmp_path / "a.pt")
    assert caught.value.args[0].splitlines()[1:3] == ["  foo: weight 4 x 3", "  (top): x 2"]


def test_one_matrix_or_a_closed_form_layer_by_hand(tmp_path):
    layer = bridge.DirectPredPredictor(6).train()
    layer(torch.randn(30, 6))
    layer.update()
    path = saved(tmp_path, Strange(predictor=layer))
    for key in ("net.guess", "net.guess.W_p"):
        pieces = read_checkpoint(path, names={"predictor": key})
        assert torch.equal(pieces.predictor[0].weight, layer.W_p)
    assert torch.equal(read_checkpoint(path, names={"predictor": "net.guess"}).F, layer.F_hat)


def test_names_by_hand_go_before_the_layouts_own():
    case = CASES["lightly benchmarks"]
    pieces = read_checkpoint(case.path, names={"projector": "teacher_projection_head"})
    assert pieces.layout == "lightly"
    for mine, its in zip(pieces.projector.parameters(), pieces.target_projector.parameters(), strict=True):
        assert torch.equal(mine, its)


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (
            {"predictor": "net.gues"},
            r"No tensor of .* lies under 'net\.gues' \(--predictor\)\. Did you mean 'net\.guess'\?",
        ),
        ({"target_projector": "q"}, r"lies under 'q' \(--target-projector\)\. There are net"),
        ({"prediction": "net.guess"}, "a piece must be one of 'predictor', .* Did you mean 'predictor'"),
        (
            {"backbone": "net.guess"},
            r"net\.guess is no backbone that lindyn builds \(ResNet-18 to -152, small, linear\)",
        ),
        ({"predictor": "net.trunk"}, r"net\.trunk\.layers\.0\.weight must be a matrix"),
        ({"predictor": "net.squeeze"}, "takes 16 numbers and gives 6, but it must give as many"),
    ],
)
def test_wrong_names_by_hand(tmp_path, names, text):
    with pytest.raises(ValueError, match=text):
        read_checkpoint(saved(tmp_path, Strange()), names=names)


def test_pieces_that_do_not_fit_are_one_sentence(tmp_path):
    path = saved(tmp_path, Strange(d=7))
    hand = {piece: f"net.{name}" for piece, name in HAND.items()}
    text = "the projector gives 6 numbers, the predictor takes 7; name the right ones with --projector KEY and --pred"
    with pytest.raises(ValueError, match=text) as caught:
        read_checkpoint(path, names=hand)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="the backbone gives 16 numbers, the projector takes 7"):
        read_checkpoint(path, names={"backbone": "net.trunk", "projector": "net.guess"})
    with pytest.raises(ValueError, match="the projector gives 6 numbers, the target's projector 7"):
        read_checkpoint(path, names={"projector": "net.squeeze", "target_projector": "net.guess"})


def test_a_layout_that_is_asked_for():
    path = CASES["mmpretrain"].path
    assert read_checkpoint(path, layout="mmpretrain").layout == "mmpretrain"
    with pytest.raises(ValueError, match=r"has not the layout lightly: its keys are those of mmpretrain \(mmengine\)"):
        read_checkpoint(path, layout="lightly")
    with pytest.raises(ValueError, match=r"layout must be one of 'bolts', .* Did you mean 'mmpretrain'"):
        read_checkpoint(path, layout="mmpretain")


def test_a_file_without_tensors(tmp_path):
    torch.save({"epoch": 3, "note": "x"}, tmp_path / "a.pt")
    with pytest.raises(ValueError, match=r"a\.pt holds no tensors; its entries are epoch, note\."):
        read_checkpoint(tmp_path / "a.pt")
