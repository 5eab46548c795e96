"""Which module is taken for the predictor."""

import pytest
import torch
from torch import nn

from lindyn.bridge import ClosedFormPredictor
from lindyn.bridge.layers.batch_sums import FeatureSums
from lindyn.bridge.watch.find_predictor import find_predictor, map_kind, weight_map


def network(**parts):
    module = nn.Module()
    for name, part in parts.items():
        module.add_module(name, part)
    return module


@pytest.mark.parametrize("name", ["prediction_head", "predictor", "online_predictor"])
def test_the_usual_names_are_found_also_inside_wrappers(name):
    head = nn.Sequential(nn.Linear(4, 9), nn.ReLU(), nn.Linear(9, 4))
    model = network(backbone=nn.Conv2d(3, 4, 3), **{name: head})
    assert find_predictor(model) == (name, head)
    assert find_predictor(network(module=model)) == (f"module.{name}", head)


def test_the_targets_copy_and_inner_parts_do_not_count():
    head = network(predictor=nn.Linear(4, 4))
    model = network(predictor=head, target_net=network(predictor=nn.Linear(4, 4)), predictor_momentum=nn.Linear(4, 4))
    assert find_predictor(model) == ("predictor", head)


def test_a_predictor_alone_is_taken_as_it_is():
    from lightly.models.modules import BYOLPredictionHead

    for head in (nn.Linear(4, 4), ClosedFormPredictor(4), BYOLPredictionHead(4, 8, 4)):
        assert find_predictor(head) == ("", head)
    assert map_kind(BYOLPredictionHead(4, 8, 4)) == "least squares"


def test_another_name_is_given_as_word_or_module():
    head = nn.Linear(4, 4)
    model = network(conv=nn.Conv2d(3, 4, 3), q=head)
    assert find_predictor(model, "q") == ("q", head) and find_predictor(model, head) == ("q", head)
    assert find_predictor(nn.Conv2d(3, 4, 3), head) == ("", head)


def test_none_found_lists_candidates():
    model = network(conv=nn.Conv2d(3, 4, 3), q=nn.Sequential(nn.Linear(4, 4), nn.ReLU()), k=nn.Linear(4, 4))
    with pytest.raises(ValueError) as caught:
        find_predictor(model)
    assert str(caught.value) == (
        "No predictor found in Module: none of its modules is called prediction_head, predictor, online_predictor. "
        "Name one with predictor=; candidates: 'q', 'k'."
    )
    with pytest.raises(ValueError, match=r"No predictor found in Module: .* candidates: 'encoder', 'q'."):
        find_predictor(network(encoder=nn.Linear(9, 4), q=nn.Linear(4, 4)))  # a linear network is not its own predictor
    with pytest.raises(ValueError, match=r"No predictor found in Conv2d: .* Give predictor=, the module that maps"):
        find_predictor(nn.Conv2d(3, 4, 3))
    with pytest.raises(ValueError, match=r"predictor must name a module of Module; got 'qq'. Name one with predictor="):
        find_predictor(model, "qq")


def test_two_found_are_named():
    model = network(a=network(predictor=nn.Linear(4, 4)), b=network(predictor=nn.Linear(4, 4)))
    with pytest.raises(ValueError, match=r"Module has 2 predictors, a.predictor, b.predictor; say which with"):
        find_predictor(model)


def test_a_matrix_acts_on_column_vectors_however_it_is_read():
    """For each row z of the inputs, the outputs are W_p z (+ b)."""
    torch.manual_seed(0)
    z = torch.randn(400, 4)
    for predictor in (
        nn.Linear(4, 4, bias=False),
        nn.Sequential(nn.Linear(4, 7, bias=False), nn.Linear(7, 4, bias=False)),
    ):
        W_p = weight_map(predictor)
        torch.testing.assert_close(torch.stack([W_p @ one for one in z]), predictor(z))
        gathered = FeatureSums(linear_map=True)
        gathered.add(z, predictor(z))
        torch.testing.assert_close(torch.from_numpy(gathered.nearest_map()[0]).float(), W_p, atol=1e-4, rtol=0)
