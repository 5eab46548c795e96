"""Cut initialisation: what is divided, and that it is a learning rate where every layer is normalised."""

import math

import pytest
import torch

from lindyn.bridge.studies import run_measures
from lindyn.bridge.training import TrainConfig, build, open_source
from tests.bridge.training.helpers import TINY, differing, run, weights

FREE = TINY | {"model.projector": "simsiam", "run.probe": False, "run.precision": "64-true", "optim.momentum": 0.9}
"""A network of which every layer is normalised, in double precision: nothing in it has a scale."""


def built(**more):
    config = TrainConfig.of({**FREE, **{name.replace("__", "."): value for name, value in more.items()}})
    return build(config, open_source(config))


@pytest.mark.parametrize("start", ["copy", "independent"])
def test_every_weight_of_network_predictor_and_target_starts_divided(start):
    whole, small = built(method__target_start=start), built(method__target_start=start, model__cut=4.0)
    for (name, here), (_, there) in zip(whole.named_parameters(), small.named_parameters(), strict=True):
        assert torch.equal(here / 4, there), name
    assert any(name.startswith("teacher_projection_head") for name, _ in small.named_parameters())
    assert all(torch.equal(a, b) for a, b in zip(whole.buffers(), small.buffers(), strict=True))


def test_a_cut_of_one_changes_no_bit():
    whole, same = built().state_dict(), built(model__cut=1.0).state_dict()
    assert not differing(whole, same)


def apart(a, b, cut):
    """Return the largest relative difference of `cut` times the weights of one state from those of another."""
    names = [name for name in a if name.endswith(("weight", "bias")) and a[name].ndim]
    return max(float((cut * a[name] - b[name]).norm() / b[name].norm()) for name in names)


def test_a_cut_is_its_square_in_the_learning_rate_and_over_the_decay(tmp_path, monkeypatch):
    start = torch.nn.modules.batchnorm._BatchNorm.__init__
    usual = start.__defaults__
    monkeypatch.setattr(start, "__defaults__", (1e-14, *usual[1:]))  # eps has a scale
    given = {"optim__weight_decay": 0.04, "optim__lr": 0.02}
    small = run(tmp_path / "cut", FREE, model__cut=4.0, **given)
    whole = run(tmp_path / "whole", FREE, optim__lr=0.32, optim__weight_decay=0.04 / 16)
    assert apart(weights(small), weights(whole), 4.0) < 1e-4
    kept = run(tmp_path / "kept", FREE, optim__lr=0.32, optim__weight_decay=0.04)
    assert apart(weights(small), weights(kept), 4.0) > 0.05
    monkeypatch.setattr(start, "__defaults__", usual)
    usual_eps = run(tmp_path / "eps", FREE, model__cut=4.0, **given)
    assert apart(weights(usual_eps), weights(whole), 4.0) > 0.05


def test_norms_are_measured_at_every_checkpoint(tmp_path):
    done = run(tmp_path, run__checkpoint_every=1, run__evaluate_every=1)
    found = run_measures._of_checkpoints(done)
    assert found["norm_step"] == [0, 5, 10]
    last = weights(done)
    W_p = [value for name, value in last.items() if name.startswith("prediction_head") and name.endswith("weight")]
    assert found["predictor_norm"][-1] == pytest.approx(math.sqrt(sum(float(w.square().sum()) for w in W_p)), rel=1e-6)
    assert found["network_norm"][0] != found["network_norm"][-1]
    assert len(run_measures._of_epochs(done)["knn"]) == 2
